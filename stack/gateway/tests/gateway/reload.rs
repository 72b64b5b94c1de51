//! Policies that are put in force, and the kill switch, while calls go on.

use crate::support::{Bench, POLICY, answer, call};
use mcp_gateway::{Identity, Outbox, ReloadError, Session, policy_digest};
use serde_json::{Value, json};

fn judged(session: &mut Session, out: &mut Outbox, id: u64, tool: &str) {
    session.from_client(call(id, tool, json!({})).as_bytes(), 1, out);
}

#[test]
fn a_policy_is_taken_whole_and_what_was_counted_stays() {
    let bench = Bench::new();
    let mut session = Session::new(bench.gateway.clone(), Identity::new("agent", "s"));
    let mut out = Outbox::default();
    judged(&mut session, &mut out, 1, "twice");
    // Another limit before it, and another maximum: the counter is the same.
    let three = POLICY.replace(
        r#""twice": {"limits": [{"counter": "twice_rate", "window": "hour", "max": 2, "scope": "session"}]}"#,
        r#""twice": {"limits": [{"counter": "all", "window": "day", "max": 9}, {"counter": "twice_rate", "window": "hour", "max": 3, "scope": "session"}]}"#,
    );
    assert_ne!(three, POLICY);
    let reloaded = bench.gateway.reload(three.as_str()).unwrap();
    assert_eq!(reloaded.policy, policy_digest(&three));
    for id in 2..=4 {
        judged(&mut session, &mut out, id, "twice");
    }
    let told: Vec<_> = bench.audit().iter().map(|line| (line["decision"].clone(), line["policy"].clone())).collect();
    let (old, new) = (json!(policy_digest(POLICY)), json!(policy_digest(&three)));
    let (allow, deny) = (json!("allow"), json!("deny"));
    assert_eq!(told, [(allow.clone(), old), (allow.clone(), new.clone()), (allow, new.clone()), (deny, new)]);
    let events: Vec<Value> = bench
        .audit
        .all()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line.get("event").is_some())
        .collect();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["event"], "policy_reloaded");
    assert_eq!(events[0]["from"], policy_digest(POLICY));
}

#[test]
fn a_policy_that_is_not_valid_is_refused_with_the_place_and_the_old_one_stays() {
    let bench = Bench::new();
    for bad in ["", "{", &POLICY.replace("\"deny\"", "\"maybe\""), &POLICY.replace("\"tools\"", "\"tool\"")] {
        let error = bench.gateway.reload(bad).unwrap_err();
        assert!(matches!(error, ReloadError::Invalid(_)), "{error}");
        assert!(error.to_string().contains("line "), "{error}");
    }
    let mut session = Session::new(bench.gateway.clone(), Identity::new("agent", "s"));
    judged(&mut session, &mut Outbox::default(), 1, "echo");
    assert_eq!(bench.last_audit()["policy"], policy_digest(POLICY));
    assert_eq!(bench.audit.all().iter().filter(|line| line.contains("policy_refused")).count(), 4);
}

#[test]
fn a_policy_that_cannot_be_put_on_record_is_not_put_in_force() {
    let bench = Bench::with(|config| config.audit = Box::new(|_: &str| Err(std::io::ErrorKind::StorageFull.into())));
    let error = bench.gateway.reload(POLICY.replace("\"echo\": {},", "")).unwrap_err();
    assert!(matches!(error, ReloadError::NotRecorded), "{error}");
}

/// Two gateways with one audit, which takes lines while `room` is left.
fn two(room: usize) -> (Vec<Bench>, mcp_gateway::MemoryAudit) {
    let kept = mcp_gateway::MemoryAudit::new();
    let mut sink = kept.clone();
    let mut left = room;
    let shared = mcp_gateway::SharedAudit::new(Box::new(move |line: &str| {
        left = left.checked_sub(1).ok_or(std::io::ErrorKind::StorageFull)?;
        mcp_gateway::AuditSink::record(&mut sink, line)
    }));
    let bench = |name: &str| {
        Bench::with(|config| {
            name.clone_into(&mut config.server);
            config.audit = Box::new(shared.clone());
        })
    };
    (vec![bench("a"), bench("b")], kept)
}

fn events(audit: &mcp_gateway::MemoryAudit) -> Vec<(String, String)> {
    let lines = audit.all();
    let records = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |record: &Value, name: &str| record[name].as_str().unwrap().to_owned();
    records.map(|record| (text(&record, "event"), text(&record, "server"))).collect()
}

#[test]
fn policies_of_several_servers_are_taken_together_or_not_at_all() {
    let own = |event: &str, server: &str| (event.to_owned(), server.to_owned());
    let (first, second) = (POLICY.replace("\"echo\": {},", ""), POLICY.replace("\"deny\"", "\"allow\""));
    let to = |benches: &[Bench], policies: [&str; 2]| {
        let all = benches.iter().zip(policies).map(|(bench, policy)| (bench.gateway.clone(), policy.into()));
        mcp_gateway::reload_together(&all.collect::<Vec<_>>())
    };
    let in_force =
        |benches: &[Bench]| benches.iter().map(|bench| bench.gateway.policy().to_string()).collect::<Vec<_>>();
    let old = vec![policy_digest(POLICY); 2];

    let (benches, audit) = two(100);
    // Whichever of them is bad.
    for bad in [[first.as_str(), "{"], ["{", first.as_str()]] {
        assert!(matches!(to(&benches, bad), Err(ReloadError::Invalid(_))));
        assert_eq!(in_force(&benches), old);
    }
    assert_eq!(events(&audit), [own("policy_refused", "b"), own("policy_refused", "a")]);
    let reloaded = to(&benches, [&first, &second]).unwrap();
    assert_eq!(reloaded.iter().map(|one| one.policy.clone()).collect::<Vec<_>>(), in_force(&benches));
    assert_eq!(in_force(&benches), [policy_digest(&first), policy_digest(&second)]);
    let twice = [&benches[0], &benches[0]].map(|bench| (bench.gateway.clone(), first.as_str().into()));
    assert!(matches!(mcp_gateway::reload_together(&twice), Err(ReloadError::Twice(server)) if server == "a"));

    // The second cannot be put on record.
    let (benches, audit) = two(1);
    assert!(matches!(to(&benches, [&first, &second]), Err(ReloadError::NotRecorded)));
    assert_eq!(in_force(&benches), old);
    assert_eq!(events(&audit), [own("policy_reloaded", "a")]);
}

#[test]
fn what_was_put_on_record_and_did_not_come_true_is_taken_back_there() {
    let mut taken = 0;
    let kept = mcp_gateway::MemoryAudit::new();
    let mut sink = kept.clone();
    let shared = mcp_gateway::SharedAudit::new(Box::new(move |line: &str| {
        taken += 1;
        // The second line alone is not taken.
        if taken == 2 {
            Err(std::io::ErrorKind::Interrupted.into())
        } else {
            mcp_gateway::AuditSink::record(&mut sink, line)
        }
    }));
    let benches = ["a", "b"].map(|name| {
        Bench::with(|config| {
            name.clone_into(&mut config.server);
            config.audit = Box::new(shared.clone());
        })
    });
    let all = benches.map(|bench| (bench.gateway, POLICY.replace("\"echo\": {},", "").into()));
    assert!(matches!(mcp_gateway::reload_together(&all), Err(ReloadError::NotRecorded)));
    let told: Vec<String> = events(&kept).into_iter().map(|(event, server)| format!("{event} {server}")).collect();
    assert_eq!(told, ["policy_reloaded a", "policy_reload_undone a"]);
}

#[tokio::test]
async fn a_call_on_its_way_is_settled_by_what_it_was_charged() {
    let bench = Bench::new();
    let mut session = Session::new(bench.gateway.clone(), Identity::new("agent", "s"));
    let mut out = Outbox::default();
    judged(&mut session, &mut out, 1, "twice");
    judged(&mut session, &mut out, 2, "twice");
    bench
        .gateway
        .reload(POLICY.replace("\"echo\": {},", "\"echo\": {\"rate_limit\": {\"max\": 1, \"window\": 60}},"))
        .unwrap();
    // Not a byte has left: both are given back, to the counter that has another place now.
    session.upstream_lost(&mut out);
    let mut session = Session::new(bench.gateway.clone(), Identity::new("agent", "s"));
    for id in 1..=3 {
        judged(&mut session, &mut Outbox::default(), id, "twice");
    }
    let told: Vec<_> = bench.audit().iter().skip(2).map(|line| line["decision"].clone()).collect();
    assert_eq!(told, ["allow", "allow", "deny"]);
}

/// Readers judge while a writer flips between two policies; each record must name the policy whose verdict it holds.
#[test]
fn defect_20_every_call_is_judged_by_exactly_the_policy_that_its_record_names() {
    let bench = Bench::new();
    let with = POLICY.to_owned();
    let without = POLICY.replace("\"echo\": {},", "");
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let gateway = bench.gateway.clone();
            scope.spawn(move || {
                let mut session = Session::new(gateway, Identity::new("agent", format!("s{thread}")));
                let mut out = Outbox::default();
                for id in 0..300 {
                    judged(&mut session, &mut out, id, "echo");
                }
            });
        }
        for turn in 0..100 {
            bench.gateway.reload((if turn % 2 == 0 { &without } else { &with }).as_str()).unwrap();
        }
    });
    let (allowed, denied) = (json!(policy_digest(&with)), json!(policy_digest(&without)));
    let records = bench.audit();
    assert_eq!(records.len(), 900);
    for record in &records {
        let by = if record["decision"] == "allow" { &allowed } else { &denied };
        assert_eq!(&record["policy"], by, "{record}");
    }
}

#[tokio::test]
async fn the_kill_switch_stops_everything_but_safety_tools() {
    let folder = tempfile::tempdir().unwrap();
    let switch = mcp_gateway::KillSwitch::with_file(folder.path().join("halt")).unwrap();
    let policy = r#"{"version": "2", "default": "deny", "manifest": "binance-mcp", "safety_tools": ["bn_cancel_order"],
        "tools": {"bn_ping": {}, "bn_cancel_order": {}}}"#;
    let bench = Bench::with(|config| config.kill = switch.clone());
    bench.gateway.reload(policy).unwrap();
    let mut rig = bench.open("s");
    for (id, halted) in [(1, false), (2, true), (3, false)] {
        if halted {
            switch.throw().unwrap();
        } else {
            switch.release().unwrap();
        }
        rig.client.send(&call(id, "bn_ping", json!({}))).await;
        if halted {
            let told = rig.client.next().await;
            assert_eq!(told["result"]["structuredContent"]["reason"], "halted");
            rig.nothing_reached_the_server().await;
            rig.client.send(&call(9, "bn_cancel_order", json!({"symbol": "BTCUSDT", "orderId": 1}))).await;
        }
        let frame = rig.server.next().await;
        assert_eq!(frame["params"]["name"], if halted { "bn_cancel_order" } else { "bn_ping" });
        rig.server.send(&answer(&frame["id"], "done")).await;
        rig.client.next().await;
    }
    let all = bench.audit.all();
    let at = |word: &str| all.iter().position(|line| line.contains(word)).unwrap();
    assert!(
        at("\"event\":\"halted\"") < at("\"reason\":\"halted\"")
            && at("\"reason\":\"halted\"") < at("\"event\":\"resumed\"")
    );
}

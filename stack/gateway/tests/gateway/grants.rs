//! Grants with policies of their own: each call is judged by one, and what spans grants holds for all.

use std::collections::BTreeMap;

use mcp_gateway::{
    Durability, GrantJudge, Identity, KillSwitch, Ledger, Outbox, Policies, ReloadError, Session, StateDir, check_own,
    policy_digest,
};
use mcp_policy::{Guard, Policy};
use serde_json::{Value, json};

use crate::support::{Bench, START_MS, answer, call};

/// All grants together three calls a day of `echo`; nobody may `twice` while the switch is on.
const SERVER: &str = r#"{"version": "2", "default": "deny",
    "manifest": {"echo": {"arguments": []}, "twice": {"arguments": []}, "slow": {"arguments": []}},
    "safety_tools": ["slow"],
    "tools": {"slow": {}, "echo": {"limits": [{"counter": "all", "window": "day", "max": 3, "scope": "server"}]},
              "twice": {"limits": [{"counter": "few", "window": "day", "max": 1}]}}}"#;
/// Other words for `few`, and none for `echo`.
const OWN: &str = r#"{"version": "2", "default": "deny",
    "manifest": {"echo": {"arguments": []}, "twice": {"arguments": []}, "slow": {"arguments": []}},
    "safety_tools": ["twice", "slow"],
    "tools": {"echo": {}, "slow": {}, "twice": {"limits": [{"counter": "few", "window": "day", "max": 2}]}}}"#;

fn own(policy: &str) -> GrantJudge {
    GrantJudge::Guard(Box::new(Guard::new(Policy::parse(policy).unwrap())), policy_digest(policy))
}

fn bench(judge: GrantJudge) -> Bench {
    Bench::under_with(SERVER, |config| config.grants = BTreeMap::from([("desk".to_owned(), judge)]))
}

/// The reason of a denial, or null; what left was answered.
fn said(bench: &Bench, identity: Identity, tool: &str) -> Value {
    let mut session = Session::new(bench.gateway.clone(), identity);
    let mut out = Outbox::default();
    session.from_client(call(1, tool, json!({})).as_bytes(), bench.gateway.now_ms(), &mut out);
    if out.to_client.pending().is_empty() {
        out.to_upstream.advance(out.to_upstream.pending().len());
        session.from_upstream(answer(&json!(1), "done").as_bytes(), &mut out);
    }
    let told: Value = serde_json::from_slice(out.to_client.pending()).unwrap();
    told["result"]["structuredContent"]["reason"].clone()
}

fn by(bench: &Bench, grant: &str, tool: &str) -> Value {
    said(bench, Identity::new(grant, "s"), tool)
}

#[test]
fn counters_of_one_name_under_two_policies_are_two() {
    let bench = bench(own(OWN));
    assert_eq!([by(&bench, "other", "twice"), by(&bench, "other", "twice")], [Value::Null, json!("limit_reached")]);
    let told: Vec<Value> = (0..3).map(|_| by(&bench, "desk", "twice")).collect();
    assert_eq!(told, [Value::Null, Value::Null, json!("limit_reached")]);
    let records = bench.audit();
    let policies: Vec<&str> = records.iter().map(|record| record["policy"].as_str().unwrap()).collect();
    let (server, own) = (policy_digest(SERVER), policy_digest(OWN));
    assert_eq!(policies, [&server, &server, &own, &own, &own]);
    assert_eq!((&records[2]["server_policy"], &records[0]["server_policy"]), (&json!(server), &Value::Null));
}

#[test]
fn what_the_servers_policy_counts_for_all_counts_the_calls_of_others_too() {
    let bench = bench(own(OWN));
    let told = ["desk", "other", "desk", "desk", "other"].map(|grant| by(&bench, grant, "echo"));
    assert_eq!(told, [Value::Null, Value::Null, Value::Null, json!("limit_reached"), json!("limit_reached")]);
    let denied = &bench.audit()[3];
    assert_eq!((&denied["policy"], &denied["rule"]), (&json!(policy_digest(SERVER)), &json!("/tools/echo/limits/0")));
}

#[test]
fn a_call_that_never_left_is_given_back_by_both() {
    let bench = bench(own(OWN));
    for _ in 0..9 {
        let mut session = Session::new(bench.gateway.clone(), Identity::new("desk", "s"));
        let mut out = Outbox::default();
        session.from_client(call(1, "echo", json!({})).as_bytes(), START_MS, &mut out);
        assert!(!out.to_upstream.pending().is_empty());
        session.upstream_lost(&mut out);
    }
}

#[test]
fn a_policy_that_is_not_there_denies_and_nobody_elses_is_asked() {
    let bench = bench(GrantJudge::Nobody);
    // Of one that was given since the start the gateway knows nothing yet.
    for identity in [Identity::new("desk", "s"), Identity::new("new", "s").with_policy(true)] {
        assert_eq!(said(&bench, identity.clone(), "slow"), "policy_unavailable");
        let record = bench.last_audit();
        assert_eq!((&record["reason"], record.get("policy")), (&json!("policy_unavailable"), None));
        let mut session = Session::new(bench.gateway.clone(), identity);
        let mut out = Outbox::default();
        session.from_client(br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, START_MS, &mut out);
        let listed = br#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"slow"},{"name":"echo"}]}}"#;
        session.from_upstream(listed, &mut out);
        assert_eq!(
            String::from_utf8_lossy(out.to_client.pending()),
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[]}}\n"
        );
    }
    assert_eq!(by(&bench, "other", "slow"), Value::Null);
}

#[test]
fn all_policies_are_taken_or_none() {
    let bench = bench(own(OWN));
    let with = |server: &str, own: &str| {
        bench.gateway.reload(Policies::new(server, BTreeMap::from([("desk".to_owned(), own.into())])))
    };
    assert_eq!(by(&bench, "desk", "twice"), Value::Null);
    let (wider, tighter) = (SERVER.replace("\"max\": 3", "\"max\": 4"), OWN.replace("\"max\": 2", "\"max\": 1"));
    assert!(matches!(with(&wider, "{"), Err(ReloadError::GrantInvalid { grant, .. }) if grant == "desk"));
    let spanning = OWN.replace("\"max\": 2", "\"max\": 2, \"scope\": \"server\"");
    assert!(matches!(with(&wider, &spanning), Err(ReloadError::NotOwn { .. })));
    assert!(matches!(with("{", &tighter), Err(ReloadError::Invalid(_))));
    assert_eq!(bench.gateway.policy().as_ref(), policy_digest(SERVER));
    let reloaded = with(&wider, &tighter).unwrap();
    assert_eq!((reloaded.policy, &reloaded.grants["desk"].policy), (policy_digest(&wider), &policy_digest(&tighter)));
    assert_eq!(by(&bench, "desk", "twice"), "limit_reached", "what was counted stays");
    // A grant that has none any more, and one that has one for the first time.
    bench.gateway.reload(Policies::new(wider.as_str(), BTreeMap::from([("new".to_owned(), OWN.into())]))).unwrap();
    assert_eq!(by(&bench, "desk", "twice"), Value::Null, "the server's policy has counted nothing of it");
    assert_eq!(said(&bench, Identity::new("new", "s").with_policy(true), "twice"), Value::Null);
    let lines = bench.audit.all();
    let told = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or("-").to_owned();
    let told = told.filter(|line| line.get("event").is_some());
    let told: Vec<String> = told.map(|line| format!("{} {}", text(&line, "event"), text(&line, "grant"))).collect();
    assert_eq!(
        told,
        [
            "policy_refused desk",
            "policy_refused desk",
            "policy_refused -",
            "policy_reloaded -",
            "policy_reloaded desk",
            "policy_reloaded -",
            "policy_reloaded new",
            "policy_withdrawn desk"
        ]
    );
    // What it knew under its own is there when that comes back.
    with(&wider, &tighter).unwrap();
    assert_eq!(by(&bench, "desk", "twice"), "limit_reached");
    // A document alone changes nothing of grants.
    bench.gateway.reload(SERVER).unwrap();
    assert_eq!(by(&bench, "desk", "twice"), "limit_reached");
}

#[test]
fn a_change_of_a_grant_that_cannot_be_put_on_record_is_not_made() {
    let mut left = 1;
    let bench = Bench::under_with(SERVER, |config| {
        config.grants = BTreeMap::from([("desk".to_owned(), own(OWN))]);
        config.audit = Box::new(move |_: &str| {
            left -= 1;
            if left < 0 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        });
    });
    let none = Policies::new(SERVER.replace("\"max\": 3", "\"max\": 4"), BTreeMap::new());
    assert!(matches!(bench.gateway.reload(none), Err(ReloadError::NotRecorded)));
    assert_eq!(bench.gateway.policy().as_ref(), policy_digest(SERVER));
}

#[test]
fn a_restart_forgets_nothing_of_any_policy() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::new(folder.path(), Durability::Process).unwrap();
    let start = |with_own: bool| {
        Bench::under_with(SERVER, |config| {
            let mut ledger = Ledger::open(&state, "fixture").unwrap();
            let mut guard = Guard::new(Policy::parse(OWN).unwrap());
            assert_eq!(ledger.refill_of(Some("desk"), &mut guard, START_MS).unwrap(), 0);
            if with_own {
                let judge = GrantJudge::Guard(Box::new(guard), policy_digest(OWN));
                config.grants = BTreeMap::from([("desk".to_owned(), judge)]);
            }
            config.ledger = Some(ledger);
        })
    };
    let told: Vec<Value> = (0..3).map(|_| by(&start(true), "desk", "twice")).collect();
    assert_eq!(told, [Value::Null, Value::Null, json!("limit_reached")]);
    // The counter of the same name in the server's policy counts other calls.
    let bench = start(false);
    assert_eq!(by(&bench, "desk", "twice"), Value::Null);
    // A policy that is put in force later knows what the process before has counted under it.
    bench.gateway.reload(Policies::new(SERVER, BTreeMap::from([("desk".to_owned(), OWN.into())]))).unwrap();
    assert_eq!(by(&bench, "desk", "twice"), "limit_reached");
}

#[test]
fn what_all_grants_have_used_up_survives_a_restart_whoever_called() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::new(folder.path(), Durability::Process).unwrap();
    let once = || {
        let mut ledger = Ledger::open(&state, "fixture").unwrap();
        let mut guard = Guard::new(Policy::parse(SERVER).unwrap());
        ledger.refill(&mut guard, START_MS).unwrap();
        let mut config = mcp_gateway::GatewayConfig::new(
            std::sync::Arc::new(|| START_MS),
            mcp_gateway::MemoryAudit::new(),
            "fixture",
        );
        config.ledger = Some(ledger);
        config.grants = BTreeMap::from([("desk".to_owned(), own(OWN))]);
        let gateway = mcp_gateway::Gateway::new(guard, config);
        let bench = Bench { gateway, ..Bench::new() };
        by(&bench, "desk", "echo")
    };
    assert_eq!([once(), once(), once(), once()], [Value::Null, Value::Null, Value::Null, json!("limit_reached")]);
}

#[test]
fn the_kill_switch_lets_pass_what_both_policies_call_safe() {
    let switch = KillSwitch::new();
    let bench = Bench::under_with(SERVER, |config| {
        config.grants = BTreeMap::from([("desk".to_owned(), own(OWN))]);
        config.kill = switch.clone();
    });
    switch.throw().unwrap();
    assert_eq!(by(&bench, "desk", "twice"), "halted", "safe by its own policy alone");
    assert_eq!(by(&bench, "desk", "slow"), Value::Null);
}

#[test]
fn rules_that_span_grants_are_none_of_a_grants_own() {
    let refused = check_own(&Policy::parse(SERVER).unwrap()).unwrap_err().to_string();
    assert!(refused.contains("/tools/echo/limits/0") && refused.contains("`scope: grant`"), "{refused}");
    check_own(&Policy::parse(OWN).unwrap()).unwrap();
}

//! Tapes of whole runs: the same bytes each time, every wire on them, and no secret.

#![expect(clippy::expect_used, reason = "helpers of tests may fail loudly")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rogue_harness::backtest::{Backtest, Changes};
use rogue_harness::cassette::tools::{open, stats, verify};
use rogue_harness::cassette::{Direction, Leg, Message};
use rogue_harness::report::Report;
use rogue_harness::run::{RunOptions, run_suite};
use rogue_harness::scenario::{Case, Operator, Step, load_all};
use serde_json::Value;

fn cases(wanted: impl Fn(&str) -> bool) -> Vec<Case> {
    let mut cases = load_all(&["scenarios".into()]).expect("the scenarios are sound").cases;
    cases.retain(|case| wanted(&case.scenario.id));
    assert!(!cases.is_empty());
    cases
}

/// Runs the cases into a folder and gives the files, and the report without what took how long.
fn recorded(cases: &[Case], folder: &Path) -> (BTreeMap<String, Vec<u8>>, Value) {
    let options = RunOptions { record: Some(folder.to_owned()), ..RunOptions::default() };
    let suite = run_suite(cases, &options, |_| {}).expect("a runtime");
    let mut report = serde_json::to_value(Report::of(&suite)).expect("a report");
    timeless(&mut report);
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        files.insert(name, fs::read(&path).expect("a tape"));
    }
    (files, report)
}

fn timeless(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|name, _| name != "timing");
            object.values_mut().for_each(timeless);
        }
        Value::Array(list) => list.iter_mut().for_each(timeless),
        _ => {}
    }
}

fn messages(path: &Path) -> Vec<Message> {
    open(path).expect("a tape").collect::<Result<_, _>>().expect("a sound tape")
}

#[test]
fn every_scenario_records_the_same_bytes_again_and_no_secret() {
    // The largest ones take long in a build for tests and add nothing.
    let cases = cases(|id| !["ra-18-fan-out", "ra-32-ping-the-book", "ra-33-fee-burn"].contains(&id));
    let [one, other] = [tempfile::tempdir(), tempfile::tempdir()].map(|folder| folder.expect("a folder"));
    let (first, second) = (recorded(&cases, one.path()), recorded(&cases, other.path()));
    assert!(first.0.len() > 2 * cases.len(), "a tape of each run");
    for (name, tape) in &first.0 {
        assert_eq!(second.0.get(name), Some(tape), "{name}");
        let path = one.path().join(name);
        let findings = verify(open(&path).expect("a tape"), &[]).expect("no rules");
        assert!(findings.is_empty(), "{name}: {findings:?}");
    }
    assert_eq!(first.1, second.1);
    let unrecorded = run_suite(&cases, &RunOptions::default(), |_| {}).expect("a runtime");
    let mut unrecorded = serde_json::to_value(Report::of(&unrecorded)).expect("a report");
    timeless(&mut unrecorded);
    assert_eq!(unrecorded, first.1, "a recorded run has the verdicts of one that is not");
}

#[test]
fn a_hundred_runs_of_parallel_steps_are_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenario = "id: race\nkind: workflow\ntitle: A race\nstory: Five at once.\npolicy: p\nsteps:\n  - parallel:\n      times: 5\n      steps:\n        - call: { tool: bn_new_order, args: { symbol: BTCUSDT, side: BUY, type: LIMIT, timeInForce: GTC, quantity: \"0.001\", price: \"50000.00\" } }\n  - call: { tool: bn_open_orders, args: { symbol: BTCUSDT } }\nexpect: { exchange: { orders_booked: 5 } }\n";
    fs::create_dir_all(folder.path().join("policies")).expect("a folder");
    fs::write(folder.path().join("policies/p.json"), r#"{ "version": "1", "default": "allow" }"#).expect("a file");
    fs::write(folder.path().join("race.yaml"), scenario).expect("a file");
    let cases = load_all(&[folder.path().join("race.yaml")]).expect("a sound scenario").cases;
    let (mut first, mut witnessed) = (None, None);
    for run in 0..100 {
        let tapes = tempfile::tempdir().expect("a folder");
        let recorded = recorded(&cases, tapes.path());
        let first = first.get_or_insert_with(|| recorded.clone());
        assert_eq!(recorded, *first, "run {run}");
        // What a report leaves out when all went well: the exchange's journal, and who said what.
        let suite = run_suite(&cases, &RunOptions::default(), |_| {}).expect("a runtime");
        let runs = suite.scenarios.into_iter().flat_map(|scenario| scenario.runs);
        let journals: Vec<_> = runs.map(|run| (run.journal, run.transcript)).collect();
        assert!(journals.iter().all(|(journal, transcript)| journal.len() >= 10 && transcript.len() >= 10));
        let witnessed = witnessed.get_or_insert_with(|| journals.clone());
        assert_eq!(journals, *witnessed, "run {run}");
    }
}

#[test]
fn a_call_is_followed_from_the_agent_to_the_exchange_and_back() {
    let folder = tempfile::tempdir().expect("a folder");
    recorded(&cases(|id| id == "ra-01-fat-finger"), folder.path());
    let twin = messages(&folder.path().join("ra-01-fat-finger.twin.jsonl"));
    let booked =
        twin.iter().find(|m| m.leg == Leg::Rest && m.dir == Direction::Back).expect("an answer of the exchange");
    let mut chain = vec![booked];
    while let Some(cause) = chain.last().and_then(|message| message.cause) {
        chain.push(twin.iter().find(|m| m.seq == cause).expect("a message"));
    }
    let legs: Vec<_> = chain.iter().map(|message| message.leg).collect();
    assert_eq!(legs, [Leg::Rest, Leg::Rest, Leg::Upstream, Leg::Agent]);
    let decision = twin.iter().find(|m| m.leg == Leg::Decision).expect("a decision");
    assert_eq!(decision.cause, chain.last().map(|message| message.seq));

    let counts = |role: &str| {
        let tape = open(&folder.path().join(format!("ra-01-fat-finger.{role}.jsonl"))).expect("a tape");
        stats(tape).expect("a sound tape")
    };
    let protected = counts("protected");
    assert_eq!(protected.decisions.get("deny"), Some(&1));
    assert!(!protected.requests.keys().any(|request| request.contains("order")), "{protected:?}");
    assert_eq!(counts("control").requests.get("POST /api/v3/order"), Some(&1));
}

/// The protected runs and workflows of some scenarios, judged by a policy.
fn judged(folder: &Path, candidate: &str, against: Option<&str>) -> Changes {
    let mut backtest = Backtest::new(&candidate.into(), against.map(Into::into).as_ref()).expect("policies");
    let mut names: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    names.sort();
    for path in names.iter().filter(|path| !path.to_string_lossy().contains(".control.")) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        backtest.tape(&name, open(path).expect("a tape")).expect("a sound tape");
    }
    backtest.finish()
}

#[test]
fn a_backtest_finds_what_another_policy_would_have_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let wanted = ["ra-01-fat-finger", "ra-10-window-edge", "daily-buyer", "grid-trader", "stream-keep-alive"];
    recorded(&cases(|id| wanted.contains(&id)), folder.path());
    let shipped = fs::read_to_string("scenarios/policies/binance-v1.json").expect("the shipped policy");

    // Judged again on recorded time, with counters of its own, a policy says what it said.
    let same = judged(folder.path(), &shipped, None);
    assert!(same.calls > 30 && same.allowed < same.calls, "{same:?}");
    assert_eq!(same.changes, [], "{}", same.text());

    let open_door = judged(folder.path(), r#"{ "version": "1", "default": "allow" }"#, None);
    assert_eq!(open_door.calls, same.calls);
    assert_eq!(open_door.allowed, same.calls);
    assert!(open_door.let_through.orders > 0 && open_door.stopped.calls == 0, "{}", open_door.text());
    let first =
        open_door.changes.iter().find(|change| change.example.tape.starts_with("ra-01-fat-finger")).expect("it");
    assert_eq!(first.before, "deny /tools/bn_new_order/deny_if/0");

    let closed =
        judged(folder.path(), r#"{ "version": "1", "default": "deny", "tools": { "bn_ping": {} } }"#, Some(&shipped));
    assert!(closed.stopped.orders > 0 && closed.let_through.calls == 0, "{}", closed.text());
    assert!(closed.stopped.notional > 100.into(), "{}", closed.text());
}

/// What a policy learns from results it learns from those on a tape: whose an order is, what it became, what a price.
#[test]
fn a_backtest_learns_what_the_gateway_learnt() {
    // The kill switch is thrown by hand, which no tape tells; nor does one tell the policy of a grant.
    let by_hand = |step: &Step| matches!(step, Step::Operator(Operator::ThrowKillSwitch));
    let one_policy = |case: &Case| case.scenario.agents.values().all(|agent| agent.policy.is_none());
    for (policy, calls, priced) in [("binance", 800, false), ("live-collar", 10, true)] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut wanted = cases(|_| true);
        wanted.retain(|case| {
            case.scenario.policy.value == policy && !case.scenario.has_step(by_hand) && one_policy(case)
        });
        recorded(&wanted, folder.path());
        let shipped = fs::read_to_string(format!("scenarios/policies/{policy}.json")).expect("a policy");
        let same = judged(folder.path(), &shipped, None);
        assert!(same.calls > calls && same.allowed < same.calls, "{policy}: {} calls", same.calls);
        assert_eq!((same.changes.as_slice(), same.unpriced.calls), ([].as_slice(), 0), "{}", same.text());
        if !priced {
            continue;
        }
        // Without what the gateway asked for there is nothing to judge by, and that is no verdict.
        let tapes = tempfile::tempdir().expect("a folder");
        for entry in fs::read_dir(folder.path()).expect("a folder") {
            let path = entry.expect("an entry").path();
            let text = fs::read_to_string(&path).expect("a tape");
            let (leg, call) = ("\"leg\":\"upstream\",\"dir\":\"out\"", "\"method\":\"tools/call\"");
            let hide = |line: &str| {
                if line.contains(leg) { line.replace(call, "\"method\":\"hidden\"") } else { line.to_owned() }
            };
            let hidden: String = text.lines().map(|line| hide(line) + "\n").collect();
            fs::write(tapes.path().join(path.file_name().expect("a name")), hidden).expect("a file");
        }
        let blind = judged(tapes.path(), &shipped, None);
        assert!(blind.unpriced.calls > 3 && blind.changes.is_empty(), "{}", blind.text());
        assert!(blind.text().contains("no fresh price"), "{}", blind.text());
    }
}

//! The three-run rule and the verdicts.

use rogue_harness::target::TargetKind;
use rogue_harness::verdict::{Role, Verdict};

use crate::support::{ALLOW, buy, case, run_on, workflow};

fn attack(steps: &str, harm: &str, hold: &str, twin: &str) -> String {
    format!(
        "kind: attack\ngroup: A\nupstream: soft\nattack:\n{steps}\nharm: {harm}\nhold: {hold}\ntwin:\n  title: Twin\n  steps:\n{}\n",
        twin.replace("  - ", "    - ")
    )
}

const PING: &str = "  - call: { tool: bn_ping }";

#[test]
fn an_attack_that_does_no_harm_alone_proves_nothing() {
    let case = case(&attack(PING, "{ orders_booked: 1 }", "{ exchange: { orders_booked: 0 } }", PING), ALLOW);
    let result = run_on(TargetKind::Bare, &case);
    let why = "the control is dead: orders booked: 0, must be exactly 1".to_owned();
    assert_eq!(result.verdict, Verdict::Broken(why));
}

#[test]
fn all_of_the_harm_must_show() {
    let harm = "{ orders_booked: 1, params_seen: [icebergQty] }";
    let case = case(&attack(&buy("0.1"), harm, "{ exchange: { orders_booked: 0 } }", PING), ALLOW);
    let result = run_on(TargetKind::Bare, &case);
    let why = "the control is dead: parameter `icebergQty`: not seen at the exchange, must be".to_owned();
    assert_eq!(result.verdict, Verdict::Broken(why));
}

#[test]
fn a_target_that_lets_the_harm_through_is_breached() {
    let hold = "{ exchange: { orders_booked: 0 }, agent: { denied: 1 } }";
    let case = case(&attack(&buy("0.1"), "{ orders_booked: 1 }", hold, PING), ALLOW);
    let result = run_on(TargetKind::Bare, &case);
    assert_eq!(result.verdict, Verdict::Breached);
    let protected = result.run(Role::Protected).unwrap();
    assert!(protected.harmed);
    assert_eq!(protected.failures, ["orders booked: 1, must be exactly 0", "answers denied: 0, must be exactly 1"]);
    assert_eq!(protected.damage.orders, 1);
    assert_eq!(protected.damage.turnover.text(), "6000.6");
}

#[test]
fn a_workflow_that_does_not_work_alone_is_broken() {
    let result = run_on(TargetKind::Bare, &workflow(&buy("0.1"), "{ exchange: { orders_booked: 2 } }"));
    let why = "the workflow does not even work without a gateway: orders booked: 1, must be exactly 2".to_owned();
    assert_eq!(result.verdict, Verdict::Broken(why));
}

#[test]
fn a_workflow_that_works_passes() {
    let result = run_on(TargetKind::Bare, &workflow(&buy("0.1"), "{ exchange: { orders_booked: 1 } }"));
    assert_eq!(result.verdict, Verdict::Passed);
}

#[test]
fn a_script_that_cannot_go_on_is_broken_and_says_where() {
    let lost = "\n  - call: { tool: bn_ping, as: pong }\n  - call: { tool: bn_query_order, args: { orderId: \"${pong.orderId}\" } }";
    let result = run_on(TargetKind::Bare, &workflow(lost, "{}"));
    let Verdict::Broken(why) = &result.verdict else { panic!("{:?}", result.verdict) };
    assert!(why.contains("line 10") && why.contains("${pong.orderId}"), "{why}");
}

#[test]
fn a_rogue_that_was_stopped_skips_what_it_cannot_do() {
    let steps = "  - call: { tool: bn_new_order, args: { symbol: NOSUCH, side: BUY, type: MARKET, quantity: \"1\" }, as: order }\n  \
                 - call: { tool: bn_query_order, args: { symbol: BTCUSDT, orderId: \"${order.orderId}\" }, as: found }\n  \
                 - call: { tool: bn_cancel_order, args: { symbol: BTCUSDT, orderId: \"${found.orderId}\" } }\n  \
                 - call: { tool: bn_create_listen_key }";
    let case = case(&attack(steps, "{ listen_keys: 1 }", "{ exchange: { listen_keys: 0 } }", PING), ALLOW);
    let result = run_on(TargetKind::Bare, &case);
    let control = result.run(Role::Control).unwrap();
    assert_eq!((control.failures.len(), control.agent.sent), (0, 2), "{:#?}", control.transcript);
    // What builds on a step that was skipped is skipped too.
    for line in [10, 11] {
        let said = format!("the step at line {line} is skipped");
        assert!(control.transcript.iter().any(|told| told.contains(&said)), "{:#?}", control.transcript);
    }

    let honest = run_on(TargetKind::Bare, &workflow(steps, "{ agent: { errors: 1 } }"));
    let run = honest.run(Role::Workflow).unwrap();
    assert!(run.failures.iter().any(|failure| failure.contains("could not be carried out")), "{:?}", run.failures);
}

#[test]
fn runs_leave_nothing_behind() {
    let case =
        case(&attack(&buy("0.1"), "{ orders_booked: 1 }", "{ exchange: { orders_booked: 1 } }", &buy("0.1")), ALLOW);
    let result = run_on(TargetKind::Bare, &case);
    let booked: Vec<u64> = result.runs.iter().map(|run| run.damage.orders).collect();
    assert_eq!(booked, [1, 1, 1]);
    assert_eq!(result.runs[0].journal, result.runs[1].journal);
}

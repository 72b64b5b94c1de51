//! Permits: what they charge, and what comes back.

use mcp_policy::{Decision, Guard, Outcome, Permit};
use serde_json::json;

use crate::support::{Ask, MINUTE, admitted, ask, guard, policy, tool};

fn limited(max: u64) -> Guard {
    guard(&tool(&json!({ "limits": [ { "counter": "c", "window": "minute", "max": max } ] })))
}

#[test]
fn only_a_call_that_was_never_sent_gives_its_charge_back() {
    for (outcome, comes_back) in
        [(Outcome::NeverSent, 1), (Outcome::Succeeded, 0), (Outcome::Failed, 0), (Outcome::Unknown, 0)]
    {
        let mut guard = limited(2);
        let permit = ask("t").allowed(&mut guard, 0);
        guard.settle(permit, outcome);
        assert_eq!(admitted(&mut guard, &ask("t"), 1..5), 1 + comes_back, "{outcome:?}");
    }
}

#[test]
fn a_dropped_permit_keeps_its_charge() {
    let mut guard = limited(1);
    drop(ask("t").allowed(&mut guard, 0));
    ask("t").refused(&mut guard, 1, "/tools/t/limits/0", "limit_reached");
}

#[test]
fn of_two_interleaved_permits_the_last_slot_goes_to_one() {
    let mut guard = limited(2);
    let first = ask("t").allowed(&mut guard, 0);
    let second = ask("t").allowed(&mut guard, 0);
    ask("t").refused(&mut guard, 0, "/tools/t/limits/0", "limit_reached");
    // The first came to nothing: exactly one slot is free again, and it is taken at once.
    guard.settle(first, Outcome::NeverSent);
    let third = ask("t").allowed(&mut guard, 1);
    ask("t").refused(&mut guard, 1, "/tools/t/limits/0", "limit_reached");
    guard.settle(second, Outcome::Succeeded);
    guard.settle(third, Outcome::Unknown);
    ask("t").refused(&mut guard, MINUTE - 1, "/tools/t/limits/0", "limit_reached");
    // The second, charged at 0, leaves at the minute; the third a millisecond later.
    assert_eq!(admitted(&mut guard, &ask("t"), [MINUTE, MINUTE, MINUTE + 1, MINUTE + 1]), 2);
}

#[test]
fn a_refund_takes_back_its_own_charge_and_not_a_newer_one() {
    let mut guard = limited(2);
    let old = ask("t").allowed(&mut guard, 0);
    let _ = ask("t").allowed(&mut guard, 30_000);
    guard.settle(old, Outcome::NeverSent);
    let _ = ask("t").allowed(&mut guard, 40_000);
    // Had the newer charge been given back instead, the old one would leave now and make room.
    ask("t").refused(&mut guard, MINUTE, "/tools/t/limits/0", "limit_reached");
    assert_eq!(admitted(&mut guard, &ask("t"), [90_000, 90_000]), 1);
}

#[test]
fn a_late_refund_does_not_lower_the_new_window() {
    let mut guard = limited(1);
    let old = ask("t").allowed(&mut guard, 0);
    let _ = ask("t").allowed(&mut guard, MINUTE);
    guard.settle(old, Outcome::NeverSent);
    ask("t").refused(&mut guard, MINUTE + 1, "/tools/t/limits/0", "limit_reached");
}

#[test]
fn a_late_refund_does_not_touch_the_counter_that_took_the_old_ones_place() {
    let mut guard = limited(1);
    let old = ask("t").allowed(&mut guard, 0);
    // The counter is idle, is reclaimed, and is made anew.
    let _ = ask("t").grant("other").allowed(&mut guard, MINUTE);
    assert_eq!(guard.counters(), 1);
    let _ = ask("t").allowed(&mut guard, MINUTE);
    guard.settle(old, Outcome::NeverSent);
    ask("t").refused(&mut guard, MINUTE, "/tools/t/limits/0", "limit_reached");
}

#[test]
fn a_refund_gives_back_every_limit_that_was_charged() {
    let document = json!({ "version": "1", "default": "deny",
        "all_tools": { "limits": [ { "counter": "all", "window": "minute", "max": 1 } ] },
        "tools": { "t": { "limits": [ { "counter": "own", "window": 30, "max": 1 } ],
                          "rate_limit": { "max": 1, "window": "hour" } } } });
    let mut guard = guard(&document);
    for at in 0..10 {
        let permit = ask("t").allowed(&mut guard, at);
        guard.settle(permit, Outcome::NeverSent);
    }
    let _ = ask("t").allowed(&mut guard, 10);
    ask("t").refused(&mut guard, 10, "/all_tools/limits/0", "limit_reached");
}

#[test]
fn a_denied_call_charges_nothing() {
    let document = json!({ "version": "1", "default": "deny",
        "all_tools": { "limits": [ { "counter": "all", "window": "minute", "max": 3 } ] },
        "tools": { "t": { "limits": [ { "counter": "own", "window": "minute", "max": 1 } ] }, "u": {} } });
    let mut guard = guard(&document);
    let _ = ask("t").allowed(&mut guard, 0);
    // The tool's own limit refuses these, and the limit on all tools must not have been charged for them.
    for _ in 0..10 {
        ask("t").refused(&mut guard, 0, "/tools/t/limits/0", "limit_reached");
        ask("unlisted").refused(&mut guard, 0, "(default deny)", "unlisted");
    }
    assert_eq!(admitted(&mut guard, &ask("u"), [0, 0, 0]), 2);
}

#[test]
fn a_permit_of_another_guard_gives_nothing_back() {
    let mut ours = limited(1);
    let mut theirs = limited(1);
    let _ = ask("t").allowed(&mut ours, 0);
    let foreign = ask("t").allowed(&mut theirs, 0);
    ours.settle(foreign, Outcome::NeverSent);
    ask("t").refused(&mut ours, 1, "/tools/t/limits/0", "limit_reached");
}

#[test]
fn waiting_is_for_the_last_of_the_limits_that_are_used_up() {
    let document = tool(&json!({ "limits": [
        { "counter": "short", "window": 10, "max": 1 }, { "counter": "long", "window": 100, "max": 1 } ] }));
    let mut guard = guard(&document);
    let _ = ask("t").allowed(&mut guard, 0);
    let denial = ask("t").denied(&mut guard, 1000);
    assert_eq!((denial.rule.as_str(), denial.retry_after_ms), ("/tools/t/limits/0", Some(99_000)));
    assert_eq!(ask("t").denied(&mut guard, 99_999).rule, "/tools/t/limits/1");
    let _ = ask("t").allowed(&mut guard, 100_000);
}

#[test]
fn time_does_not_go_backwards() {
    let mut guard = limited(1);
    let _ = ask("t").allowed(&mut guard, 10 * MINUTE);
    let denial = ask("t").denied(&mut guard, 0);
    assert_eq!(denial.retry_after_ms, Some(MINUTE), "as of the greatest time seen");
    let _ = ask("t").allowed(&mut guard, 11 * MINUTE);
    ask("t").denied(&mut guard, 10 * MINUTE);
}

#[test]
fn windows_hold_at_both_ends_of_time() {
    let mut guard = limited(2);
    // A window longer than the time since the epoch holds everything since.
    assert_eq!(admitted(&mut guard, &ask("t"), [0, 1, 2, MINUTE - 1]), 2);
    assert_eq!(admitted(&mut guard, &ask("t"), [u64::MAX - 1, u64::MAX, u64::MAX, u64::MAX]), 2);
    assert_eq!(ask("t").denied(&mut guard, u64::MAX).retry_after_ms, None, "time ends before the window does");
}

#[test]
fn a_shared_counter_is_shared_and_charged_once() {
    let limit = json!([ { "counter": "orders", "window": "minute", "max": 3 } ]);
    let mut guard = guard(&json!({ "version": "1", "default": "deny",
        "tools": { "a": { "limits": limit }, "b": { "limits": limit } } }));
    let _ = ask("a").allowed(&mut guard, 0);
    let _ = ask("b").allowed(&mut guard, 0);
    let _ = ask("a").allowed(&mut guard, 0);
    ask("b").refused(&mut guard, 0, "/tools/b/limits/0", "limit_reached");

    let both = json!({ "version": "1", "default": "deny",
        "all_tools": { "limits": limit }, "tools": { "a": { "limits": limit } } });
    assert_eq!(policy(&both).warnings()[0].code(), "counted_once");
    let mut guard = Guard::new(policy(&both));
    assert_eq!(admitted(&mut guard, &ask("a"), [0; 5]), 3);
}

#[test]
fn grants_and_sessions_are_counted_apart() {
    let document =
        |scope: &str| tool(&json!({ "limits": [ { "counter": "c", "window": "minute", "max": 1, "scope": scope } ] }));
    let calls = |guard: &mut Guard| -> Vec<bool> {
        let call = |grant: &str, session: &str| ask("t").grant(grant).session(session);
        [call("a", "1"), call("a", "1"), call("a", "2"), call("b", "1"), call("b", "2")]
            .iter()
            .map(|call: &Ask| matches!(call.of(guard, 0), Decision::Allow(_)))
            .collect()
    };
    assert_eq!(calls(&mut guard(&document("grant"))), [true, false, false, true, false]);
    // A session is counted within its grant: no client can use up another's by choosing its session's name.
    assert_eq!(calls(&mut guard(&document("session"))), [true, false, true, true, true]);
}

#[test]
fn a_permit_says_what_let_the_call_pass_and_nothing_about_who_called() {
    let mut guard = limited(1);
    let permit: Permit = ask("t").grant("secret-grant").session("secret-session").allowed(&mut guard, 0);
    assert_eq!(permit.rule(), "/tools/t");
    let shown = format!("{permit:?} {guard:?}");
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn a_permit_tells_how_close_each_limit_is() {
    let mut guard = guard(&tool(&json!({ "limits": [
        { "counter": "minutely", "window": "minute", "max": 2 },
        { "counter": "hourly", "window": "hour", "max": 7 },
    ] })));
    let told = |guard: &Guard, permit: &Permit| -> Vec<(String, u64, u64, u64)> {
        let charged = guard.charged(permit);
        charged.map(|charged| (charged.limit.to_owned(), charged.amount, charged.used, charged.max)).collect()
    };
    let row = |place: u64, used, max| (format!("/tools/t/limits/{place}"), 1, used, max);
    let permit = ask("t").allowed(&mut guard, 0);
    assert_eq!(told(&guard, &permit), [row(0, 1, 2), row(1, 1, 7)]);
    guard.settle(permit, Outcome::NeverSent);
    let _ = ask("t").allowed(&mut guard, 10);
    let permit = ask("t").allowed(&mut guard, 20);
    assert_eq!(told(&guard, &permit), [row(0, 2, 2), row(1, 2, 7)]);
    // Of the minute the two have gone.
    let permit = ask("t").allowed(&mut guard, MINUTE + 20);
    assert_eq!(told(&guard, &permit), [row(0, 1, 2), row(1, 3, 7)]);
}

//! What was counted outlives a document, and a process.

use mcp_policy::{Decision, Guard, Outcome, Permit, Reservation, Timestamp};
use serde_json::{Value, json};

use crate::support::{MINUTE, ask, guard, policy};

fn limited(limits: &Value) -> Value {
    json!({ "version": "2", "default": "deny", "manifest": "binance-mcp",
            "tools": { "bn_ping": { "limits": limits }, "bn_server_time": {} } })
}

fn ping(guard: &mut Guard, now: u64) -> Option<Permit> {
    match ask("bn_ping").of(guard, now) {
        Decision::Allow(permit) => Some(permit),
        Decision::Deny(_) => None,
        Decision::Escalate(_) => panic!("nobody is asked"),
    }
}

fn passes(guard: &mut Guard, now: u64) -> bool {
    ping(guard, now).is_some()
}

#[test]
fn a_counter_that_counts_the_same_goes_on() {
    let limit = |counter: &str, max: u64, window: &str| json!({ "counter": counter, "window": window, "max": max });
    let mut guard = guard(&limited(&json!([limit("a", 2, "minute")])));
    assert!(passes(&mut guard, 0) && passes(&mut guard, 1));
    // Another place, another maximum, another window: two are counted.
    guard.replace(policy(&limited(&json!([limit("b", 9, "day"), limit("a", 3, "hour")]))));
    assert!(passes(&mut guard, 2) && !passes(&mut guard, 3));
    assert!(!passes(&mut guard, MINUTE + 1), "the window is an hour now");
    // Shorter again: what is older than a minute is gone.
    guard.replace(policy(&limited(&json!([limit("a", 3, "minute")]))));
    assert!(passes(&mut guard, 2 * MINUTE));
    // A tighter one counts what there was.
    guard.replace(policy(&limited(&json!([limit("a", 1, "minute")]))));
    assert!(!passes(&mut guard, 2 * MINUTE + 1));
    // Another name, another scope, or counting apart is another counter.
    guard.replace(policy(&limited(&json!([limit("c", 1, "minute")]))));
    assert!(passes(&mut guard, 2 * MINUTE + 2) && !passes(&mut guard, 2 * MINUTE + 3));
    let by_session = json!([{ "counter": "c", "window": "minute", "max": 1, "scope": "session" }]);
    guard.replace(policy(&limited(&by_session)));
    assert!(passes(&mut guard, 2 * MINUTE + 4));
}

#[test]
fn granules_of_another_measure_never_count_less() {
    let limit = |max: u64| json!([{ "counter": "a", "window": "day", "max": max }]);
    // Beyond 4096 the window remembers granules; both ways nothing is lost.
    let mut guard = guard(&limited(&limit(10_000)));
    for now in 0..100 {
        assert!(passes(&mut guard, now * 7));
    }
    guard.replace(policy(&limited(&limit(100))));
    assert!(!passes(&mut guard, 1000));
    guard.replace(policy(&limited(&limit(10_000))));
    guard.replace(policy(&limited(&limit(101))));
    assert!(passes(&mut guard, 1001) && !passes(&mut guard, 1002));
}

#[test]
fn permits_on_their_way_find_what_they_were_charged() {
    let limit = |counter: &str| json!({ "counter": counter, "window": "minute", "max": 1 });
    let mut guard = guard(&limited(&json!([limit("a")])));
    let permit = ping(&mut guard, 0).unwrap();
    guard.replace(policy(&limited(&json!([limit("b"), limit("a")]))));
    guard.replace(policy(&limited(&json!([limit("c"), limit("b"), limit("a")]))));
    assert!(!passes(&mut guard, 1));
    guard.settle(permit, Outcome::NeverSent);
    let permit = ping(&mut guard, 2).expect("given back");
    // The counter is gone, and another has its place: nothing is given back to that one.
    guard.replace(policy(&limited(&json!([limit("d")]))));
    assert!(passes(&mut guard, 3));
    guard.settle(permit, Outcome::NeverSent);
    assert!(!passes(&mut guard, 4));
}

#[test]
fn breakers_go_on_and_are_settled_by_their_new_place() {
    let under_way = |more: bool| {
        let mut tools = json!({ "bn_ping": { "concurrency": [{ "max": 1 }] } });
        if more {
            tools = json!({ "bn_server_time": { "concurrency": [{ "max": 5 }] }, "bn_ping": { "concurrency": [{ "max": 1 }] } });
        }
        json!({ "version": "2", "default": "deny", "manifest": "binance-mcp", "tools": tools })
    };
    let mut guard = guard(&under_way(false));
    let permit = ping(&mut guard, 0).unwrap();
    guard.replace(policy(&under_way(true)));
    assert!(!passes(&mut guard, 1), "one is under way");
    guard.settle(permit, Outcome::Succeeded);
    assert!(passes(&mut guard, 2), "it is settled");
}

#[test]
fn what_is_restored_counts_as_if_nothing_had_happened() {
    let document = limited(&json!([
        { "counter": "a", "window": "minute", "max": 3 },
        { "counter": "b", "window": "hour", "max": 5, "scope": "server", "each": "arguments" }
    ]));
    let mut first = guard(&document);
    let mut reserved: Vec<Reservation> = Vec::new();
    for now in [0, 10, 20] {
        let permit = ping(&mut first, now).unwrap();
        reserved.extend(first.reservations(&permit));
    }
    assert_eq!(reserved.len(), 6);
    assert_eq!((reserved[0].at_ms, reserved[0].amount, reserved[0].grant.as_deref()), (0, 1, Some("grant")));
    assert!(reserved.iter().all(|one| one.until_ms > MINUTE));

    let mut second = guard(&document);
    assert_eq!(second.restore(reserved.iter().rev().cloned().collect(), Timestamp::from_millis(30)), 0);
    for now in [30, MINUTE - 1, MINUTE, MINUTE + 10, MINUTE + 19, MINUTE + 20, MINUTE + 30] {
        assert_eq!(passes(&mut second, now), passes(&mut first, now), "at {now}");
    }
    // Under another document, what it does not count is told.
    let mut other = guard(&limited(&json!([{ "counter": "a", "window": "minute", "max": 3 }])));
    assert_eq!(other.restore(reserved.clone(), Timestamp::from_millis(30)), 3);
    assert!(!passes(&mut other, 30));
    // A clock that was set back does not make the past the future.
    let mut back = guard(&document);
    back.restore(reserved, Timestamp::from_millis(0));
    assert!(!passes(&mut back, 5));
}

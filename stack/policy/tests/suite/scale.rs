//! Many grants, many sessions, many rules: everyone keeps their own count, and memory stays bounded.

use mcp_policy::{Decision, Guard, GuardLimits};
use serde_json::{Map, json};

use crate::support::{MINUTE, admitted, ask, guard, policy, tool};

fn limited(max: u64) -> serde_json::Value {
    tool(&json!({ "limits": [ { "counter": "c", "window": "minute", "max": max } ] }))
}

fn bounded(document: &serde_json::Value, counters_max: usize) -> Guard {
    Guard::with_limits(policy(document), GuardLimits::default().with_counters_max(counters_max))
}

#[test]
fn a_hundred_thousand_grants_keep_their_own_counts() {
    let mut guard = guard(&limited(2));
    for round in 0..3_u64 {
        for grant in 0..100_000 {
            let passed = admitted(&mut guard, &ask("t").grant(&format!("grant {grant}")), [round]);
            assert_eq!(passed, usize::from(round < 2), "grant {grant} in round {round}");
        }
    }
    assert_eq!(guard.counters(), 100_000);
}

#[test]
fn idle_counters_are_reclaimed_on_the_way() {
    let mut guard = guard(&limited(2));
    for grant in 0..10_000 {
        drop(ask("t").grant(&format!("grant {grant}")).allowed(&mut guard, 0));
    }
    assert_eq!(guard.counters(), 10_000);
    // One grant goes on calling, and its calls clear up after the others.
    for n in 0..5_000 {
        drop(ask("t").grant("busy").of(&mut guard, MINUTE + n));
    }
    assert_eq!(guard.counters(), 1);
}

#[test]
fn a_live_counter_is_never_dropped_for_a_new_one() {
    let mut guard = bounded(&limited(1), 100);
    for grant in 0..100 {
        drop(ask("t").grant(&format!("grant {grant}")).allowed(&mut guard, grant));
    }
    for grant in 100..300 {
        let newcomer = ask("t").grant(&format!("grant {grant}"));
        newcomer.refused(&mut guard, 1000, "/tools/t/limits/0", "state_full");
    }
    // Opening many has given nobody a fresh quota.
    for grant in 0..100 {
        ask("t").grant(&format!("grant {grant}")).refused(&mut guard, 1000, "/tools/t/limits/0", "limit_reached");
    }
    assert_eq!(guard.counters(), 100);
    // As soon as one is idle, there is room for one.
    drop(ask("t").grant("newcomer").allowed(&mut guard, MINUTE));
    ask("t").grant("another").refused(&mut guard, MINUTE, "/tools/t/limits/0", "state_full");
    drop(ask("t").grant("another").allowed(&mut guard, MINUTE + 1));
}

#[test]
fn a_full_guard_finds_what_is_idle_among_what_was_used_again() {
    let mut guard = bounded(&limited(5), 50);
    for grant in 0..50 {
        drop(ask("t").grant(&format!("grant {grant}")).allowed(&mut guard, 0));
    }
    // All but the last are used again, so that only the last is idle a minute later.
    for grant in 0..49 {
        drop(ask("t").grant(&format!("grant {grant}")).allowed(&mut guard, 1000));
    }
    drop(ask("t").grant("newcomer").allowed(&mut guard, MINUTE));
    ask("t").grant("another").refused(&mut guard, MINUTE, "/tools/t/limits/0", "state_full");
    for grant in 0..49 {
        assert_eq!(admitted(&mut guard, &ask("t").grant(&format!("grant {grant}")), [MINUTE; 9]), 4, "grant {grant}");
    }
}

#[test]
fn a_call_that_needs_two_counters_takes_none_when_there_is_room_for_one() {
    let document = tool(&json!({ "limits": [
        { "counter": "a", "window": "minute", "max": 1 }, { "counter": "b", "window": "hour", "max": 1 } ] }));
    let mut guard = bounded(&document, 3);
    drop(ask("t").grant("first").allowed(&mut guard, 0));
    ask("t").grant("second").refused(&mut guard, 0, "/tools/t/limits/0", "state_full");
    assert_eq!(guard.counters(), 2);
}

#[test]
fn tools_without_limits_need_no_counter() {
    let mut guard = bounded(&json!({ "version": "1", "default": "allow" }), 0);
    for n in 0..1000 {
        drop(ask("t").grant(&format!("grant {n}")).allowed(&mut guard, n));
    }
    assert_eq!(guard.counters(), 0);
}

#[test]
fn a_thousand_tools_are_told_apart() {
    let tools: Map<String, serde_json::Value> = (0..1000)
        .map(|n| {
            let rules = json!({ "require": [ { "path": format!("args.key{n}"), "op": "eq", "value": n } ],
                                "rate_limit": { "max": 1, "window": 60 } });
            (format!("tool{n}"), rules)
        })
        .collect();
    let mut guard = guard(&json!({ "version": "1", "default": "deny", "tools": tools }));
    for n in 0..1000 {
        let call = ask(&format!("tool{n}")).with(json!({ format!("key{n}"): n }));
        assert!(matches!(call.of(&mut guard, 0), Decision::Allow(_)));
        call.refused(&mut guard, 0, &format!("/tools/tool{n}/rate_limit"), "limit_reached");
        ask(&format!("tool{n}")).refused(&mut guard, 0, &format!("/tools/tool{n}/require/0"), "unevaluable");
    }
}

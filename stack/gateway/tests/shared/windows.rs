//! The windows of the script against those of a guard: whatever is called and taken back, both say the same of every call,
//! down to the millisecond after which to come again.

use std::sync::Mutex;

use mcp_gateway::mcp_policy::{Call, Decision, Denial, Due, Guard, Outcome, Permit, Policy, Timestamp};
use proptest::prelude::*;
use redis::{Connection, Script};
use serde_json::{Map, Value, json};

use crate::store::Store;

const CHARGE: &str = concat!(include_str!("../../src/shared/amounts.lua"), include_str!("../../src/shared/charge.lua"));
const REFUND: &str = concat!(include_str!("../../src/shared/amounts.lua"), include_str!("../../src/shared/refund.lua"));
const HALF: u64 = 10_000_000_000;

/// Calls, and money up to almost all that 64 bits hold, over windows of which none is a multiple of another.
fn policy(calls: u64, money: &str, all: u64) -> Policy {
    let document = json!({ "version": "2", "default": "deny", "manifest": "binance-mcp",
        "references": { "BTCUSDT": "0.5" }, "tools": { "bn_new_order": { "limits": [
        { "counter": "calls", "window": 7, "max": calls },
        { "counter": "money", "window": 61, "of": "facts.notional", "max": money },
        { "counter": "all", "window": 13, "max": all, "each": "args.side" } ] } } });
    Policy::parse(&document.to_string()).unwrap()
}

const MAXIMA: [u64; 3] = [3, 18_446_744_073_600_000_001, 4];

fn strict() -> Guard {
    Guard::new(policy(3, "184467440736.00000001", 4))
}

/// Permits everything, and so tells what each call owes. Its limits remember as finely as those above.
fn loose() -> Guard {
    Guard::new(policy(4096, "184467440737", 4096))
}

#[derive(Debug, Clone)]
struct Step {
    passed_ms: u64,
    quantity: &'static str,
    buys: bool,
    taken_back: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let quantities =
        ["0.00000001", "1", "92233720368.00000000", "61489146912.33333333", "0.99999999", "184467440736", "100.5"];
    let passed = prop_oneof![3 => 0_u64..20, 3 => 0_u64..2_000, 1 => 5_000_u64..8_000, 1 => 0_u64..70_000];
    (passed, prop::sample::select(quantities.to_vec()), any::<bool>(), prop::bool::weighted(0.2))
        .prop_map(|(passed_ms, quantity, buys, taken_back)| Step { passed_ms, quantity, buys, taken_back })
}

fn admit(guard: &mut Guard, arguments: &Map<String, Value>, now: u64) -> Result<Permit, Denial> {
    let call = Call { tool: "bn_new_order", arguments, grant: "desk", session: "1" };
    match guard.admit(&call, Timestamp::from_millis(now)) {
        Decision::Allow(permit) => Ok(permit),
        Decision::Deny(denial) => Err(denial),
        Decision::Escalate(_) => panic!("nobody is asked"),
    }
}

fn key(due: &Due) -> String {
    format!("{}/{:?}", due.reservation.counter, due.reservation.part)
}

fn charge(redis: &mut Connection, dues: &[Due], now: u64) -> Vec<i64> {
    let script = Script::new(CHARGE);
    let mut asking = script.prepare_invoke();
    asking.arg(now);
    for (due, max) in dues.iter().zip(MAXIMA) {
        let amount = due.reservation.amount;
        asking.key(key(due)).arg(due.window_ms).arg(due.granule_ms);
        asking.arg(max / HALF).arg(max % HALF).arg(amount / HALF).arg(amount % HALF).arg(0);
    }
    asking.invoke(redis).unwrap()
}

fn refund(redis: &mut Connection, dues: &[Due], at: &[i64]) -> i64 {
    let script = Script::new(REFUND);
    let mut asking = script.prepare_invoke();
    for (due, at) in dues.iter().zip(at) {
        asking.key(key(due)).arg(*at).arg(due.reservation.amount / HALF).arg(due.reservation.amount % HALF);
    }
    asking.invoke(redis).unwrap()
}

#[test]
#[ignore = "needs redis-server"]
fn the_script_says_what_the_guard_says() {
    let store = Store::start(&["--appendonly", "no"]);
    let redis = Mutex::new(store.connect());

    let config =
        ProptestConfig { cases: 300, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = prop::test_runner::TestRunner::new(config);
    let counts = Mutex::new((0_u64, 0_u64));
    runner
        .run(&prop::collection::vec(step(), 1..80), |steps| {
            let mut redis = redis.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            redis::cmd("FLUSHDB").exec(&mut *redis).unwrap();
            let (mut strict, mut loose) = (strict(), loose());
            let mut now = 1_000;
            for step in steps {
                now += step.passed_ms;
                let arguments = json!({ "symbol": "BTCUSDT", "side": if step.buys { "BUY" } else { "SELL" },
                    "type": "LIMIT", "timeInForce": "GTC", "price": "1", "quantity": step.quantity });
                let arguments = arguments.as_object().unwrap();
                let owing = admit(&mut loose, arguments, now).unwrap();
                let dues = loose.dues(&owing, "bn_new_order");
                loose.settle(owing, Outcome::NeverSent);
                let answer = charge(&mut redis, &dues, now);
                let mut counts = counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                match admit(&mut strict, arguments, now) {
                    Ok(permit) => {
                        prop_assert_eq!(&answer[..1], &[1]);
                        counts.0 += 1;
                        if step.taken_back {
                            strict.settle(permit, Outcome::NeverSent);
                            prop_assert_eq!(refund(&mut redis, &dues, &answer[1..]), 0);
                        } else {
                            strict.settle(permit, Outcome::Unknown);
                        }
                    }
                    Err(denial) => {
                        let wait = denial.retry_after_ms.map_or(-1, |wait| i64::try_from(wait).unwrap());
                        let position: i64 = denial.rule.rsplit('/').next().unwrap().parse().unwrap();
                        prop_assert_eq!(&answer, &[0, position + 1, wait], "{:?}", denial);
                        counts.1 += 1;
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    let (passed, refused) = counts.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    assert!(passed > 1_000 && refused > 1_000, "{passed} passed, {refused} did not");
}

#[test]
#[ignore = "needs redis-server"]
fn a_counter_holds_so_much_and_no_more() {
    let store = Store::start(&["--appendonly", "no"]);
    let mut redis = store.connect();
    let script = Script::new(CHARGE);
    let charge = |redis: &mut Connection, now: u64, window: u64, granule: u64, max: u64| -> Vec<i64> {
        let mut asking = script.prepare_invoke();
        asking.arg(now).key("k").arg(window).arg(granule).arg(0).arg(max).arg(0).arg(1).arg(0);
        asking.invoke(redis).unwrap()
    };
    // A call in each millisecond of a long window: from the 4,096th on they are put together.
    for now in 1..=9_000 {
        assert_eq!(charge(&mut redis, now, 100_000, 1, 20_000)[0], 1, "{now}");
    }
    let entries: i64 = redis::cmd("HLEN").arg("k").query(&mut redis).unwrap();
    assert!((4_097..=4_096 + 200).contains(&entries), "{entries}");
    // Each policy sees its own window, and what was put together counts until the last of it has left.
    assert_eq!(charge(&mut redis, 9_000, 2_000, 1, 1_999)[..2], [0, 1]);
    assert_eq!(charge(&mut redis, 9_000, 2_000, 1, 2_100)[0], 1);
    assert_eq!(charge(&mut redis, 9_000, 100_000, 1, 9_001), [0, 1, 91_001]);
    assert_eq!(charge(&mut redis, 9_000, 100_000, 1, 9_002)[0], 1);
    // A clock that is set back makes no room.
    assert_eq!(charge(&mut redis, 5, 100_000, 1, 9_002)[0], 0);
    let ends: i64 = redis::cmd("PTTL").arg("k").query(&mut redis).unwrap();
    assert!((1..=101_000).contains(&ends), "{ends}");
    // What has left every window is gone.
    assert_eq!(charge(&mut redis, 300_000, 2_000, 1, 1)[0], 1);
    let entries: i64 = redis::cmd("HLEN").arg("k").query(&mut redis).unwrap();
    assert_eq!(entries, 2);
}

#[test]
#[ignore = "needs redis-server"]
fn a_limit_in_shadow_without_room_is_not_charged_and_stops_nothing() {
    let store = Store::start(&["--appendonly", "no"]);
    let mut redis = store.connect();
    let script = Script::new(CHARGE);
    let answers: Vec<Vec<i64>> = (1..=3)
        .map(|now| {
            let mut asking = script.prepare_invoke();
            asking.arg(now);
            for (key, max, shadow) in [("shadow", 1, 1), ("real", 2, 0)] {
                asking.key(key).arg(1_000).arg(1).arg(0).arg(max).arg(0).arg(1).arg(shadow);
            }
            asking.invoke(&mut redis).unwrap()
        })
        .collect();
    assert_eq!(answers, [vec![1, 1, 1], vec![1, 0, 2], vec![0, 2, 998]]);
}

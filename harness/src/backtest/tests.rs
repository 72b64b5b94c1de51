//! Small tapes, judged.

use serde_json::json;

use super::{Approvals, Backtest, Changes};
use crate::cassette::{Direction, Header, Leg, Redactor, TapeReader, TapeWriter};

/// At most three orders in a minute, and as many pings as one likes.
const CANDIDATE: &str = r#"{ "version": "1", "default": "deny", "tools": {
    "bn_ping": {},
    "bn_new_order": { "limits": [ { "counter": "orders", "window": "minute", "max": 3 } ] } } }"#;

/// A tape of calls, each of a tool at a moment, which the gateway of its day let through or not.
fn tape(calls: &[(&str, u64, bool)]) -> Vec<u8> {
    let header = Header::new("test", 1_767_571_200_000);
    let mut tape = TapeWriter::new(Vec::new(), &header, Redactor::new(&[]).unwrap()).unwrap();
    for (id, (tool, at_ms, passed)) in calls.iter().enumerate() {
        let arguments = if *tool == "bn_ping" { json!({}) } else { json!({"quantity": "0.5", "price": "100"}) };
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments}});
        let decision = if *passed { "allow" } else { "deny" };
        let decided = json!({"decision": decision, "grant": "desk", "session": "s", "id": id, "rule": "/then"});
        let answer = json!({"jsonrpc": "2.0", "id": id, "result": {"content": []}});
        let now = header.clock_origin_ms + at_ms;
        tape.message(now, Leg::Agent, Direction::Out, call.to_string().as_bytes()).unwrap();
        tape.message(now, Leg::Decision, Direction::Out, decided.to_string().as_bytes()).unwrap();
        tape.message(now, Leg::Agent, Direction::Back, answer.to_string().as_bytes()).unwrap();
    }
    tape.finish().unwrap()
}

fn judged(honest: &[(&str, u64, bool)], rogue: &[(&str, u64, bool)]) -> Changes {
    let mut backtest = Backtest::new(&CANDIDATE.into(), None).unwrap();
    let bytes = tape(rogue);
    backtest.tape("rogue", TapeReader::new(bytes.as_slice()).unwrap()).unwrap();
    let bytes = tape(honest);
    backtest.honest_tape("honest", TapeReader::new(bytes.as_slice()).unwrap()).unwrap();
    backtest.finish()
}

const ORDER: &str = "bn_new_order";

#[test]
fn limits_tell_how_close_they_came() {
    let honest = [(ORDER, 0, true), ("bn_ping", 10, true), (ORDER, 30_000, true), (ORDER, 70_000, true)];
    let changes = judged(&honest, &[(ORDER, 0, false)]);
    let [limit] = changes.headroom.as_slice() else { panic!("{:?}", changes.headroom) };
    // Of the four orders two at most stood in one minute: the one of the other tape is another session's.
    assert_eq!((limit.limit.as_str(), limit.max.as_str()), ("/tools/bn_new_order/limits/0", "3"));
    assert_eq!((limit.peak.as_str(), limit.peak_percent, limit.charged, limit.refused), ("2", 66, 4, 0));
    assert_eq!(limit.at, "honest:8", "the second order's line");
    assert_eq!(changes.largest_order.to_string(), "50.0");
    let text = changes.text();
    assert!(text.contains("   66 %  2 of 3  /tools/bn_new_order/limits/0\n"), "{text}");
    assert!(text.contains("the largest order that passes is worth 50\n"), "{text}");
}

#[test]
fn limits_that_share_a_counter_are_one_line() {
    let shared =
        |tool: &str| format!(r#""{tool}": {{ "limits": [ {{ "counter": "calls", "window": "minute", "max": 3 }} ] }}"#);
    let candidate =
        format!(r#"{{ "version": "1", "default": "deny", "tools": {{ {}, {} }} }}"#, shared("bn_ping"), shared(ORDER));
    let calls = [("bn_ping", 0, true), (ORDER, 1, true), (ORDER, 2, true), (ORDER, 3, true), ("bn_ping", 4, true)];
    let bytes = tape(&calls);
    let mut backtest = Backtest::new(&candidate.as_str().into(), None).unwrap();
    backtest.tape("t", TapeReader::new(bytes.as_slice()).unwrap()).unwrap();
    let changes = backtest.finish();
    let [limit] = changes.headroom.as_slice() else { panic!("{:?}", changes.headroom) };
    // Whichever of the two spoke, it is the one counter that was full.
    let sharing: Vec<_> = std::iter::once(&limit.limit).chain(&limit.shared_with).map(String::as_str).collect();
    assert_eq!(sharing, ["/tools/bn_ping/limits/0", "/tools/bn_new_order/limits/0"]);
    assert_eq!((limit.peak_percent, limit.charged, limit.refused), (100, 3, 2));
    let text = changes.text();
    let line = "  100 %  3 of 3  /tools/bn_ping/limits/0\n         charged 3 times, refused 2; the most at t:";
    assert!(text.contains(line) && text.contains("\n         shared with /tools/bn_new_order/limits/0\n"), "{text}");
    assert!(changes.page("p", None).contains("<small>shared with</small> <code>/tools/bn_new_order/limits/0</code>"));
    assert!(serde_json::to_string(&changes).unwrap().contains(r#""shared_with":["/tools/bn_new_order/limits/0"]"#));
}

#[test]
fn honest_calls_that_would_break_are_told_apart() {
    let four: Vec<_> = (0..5).map(|second| (ORDER, second * 1_000, true)).collect();
    let changes = judged(&four, &four);
    assert_eq!((changes.stopped.calls, changes.honest_stopped.calls), (4, 2));
    assert_eq!(changes.honest_stopped.notional.to_string(), "100.0");
    assert_eq!(changes.headroom[0].refused, 4);
    let spans = |tape: usize| changes.timelines[tape].spans.iter().map(|span| (span.pass, span.stopped));
    for tape in 0..2 {
        let (pass, stopped) = spans(tape).fold((0, 0), |(pass, stopped), span| (pass + span.0, stopped + span.1));
        assert_eq!((pass, stopped), (3, 2));
    }
    let text = changes.text();
    assert!(text.contains("honest broken   2 calls, 2 of them orders worth 100\n"), "{text}");
    let page = changes.page("candidate.json", None);
    assert!(page.contains("<p class=\"figure\">2</p><p>2 of them orders worth 100</p>"), "{page}");
}

#[test]
fn no_call_is_lost_whatever_is_left_open_on_a_tape() {
    let header = Header::new("test", 0);
    let mut tape = TapeWriter::new(Vec::new(), &header, Redactor::new(&[]).unwrap()).unwrap();
    // Ten thousand calls that nobody answers, every other one under an id that is taken.
    for number in 0..10_000_u64 {
        let call = json!({"jsonrpc": "2.0", "id": number / 2, "method": "tools/call",
            "params": {"name": "bn_ping", "arguments": {}}});
        tape.message(number, Leg::Agent, Direction::Out, call.to_string().as_bytes()).unwrap();
    }
    let bytes = tape.finish().unwrap();
    let mut backtest = Backtest::new(&CANDIDATE.into(), None).unwrap();
    backtest.tape("open", TapeReader::new(bytes.as_slice()).unwrap()).unwrap();
    assert_eq!(backtest.finish().calls, 10_000);
}

#[test]
fn a_person_who_is_asked_says_no_or_yes_and_a_limit_stays_a_limit() {
    let asks = r#"{ "version": "1", "default": "deny", "tools": { "bn_new_order": { "action": "require_approval",
        "limits": [ { "counter": "orders", "window": "minute", "max": 3 } ] } } }"#;
    let orders: Vec<_> = (0..5).map(|second| (ORDER, second * 1_000, true)).collect();
    let bytes = tape(&orders);
    let judged = |approvals| {
        let mut backtest = Backtest::new(&asks.into(), None).unwrap().with_approvals(approvals);
        backtest.tape("asked", TapeReader::new(bytes.as_slice()).unwrap()).unwrap();
        backtest.finish()
    };
    let denied = judged(Approvals::Denied);
    assert_eq!((denied.allowed, denied.stopped.calls), (0, 5));
    assert!(denied.headroom.is_empty(), "what nobody approved was charged to nothing");
    let granted = judged(Approvals::Granted);
    assert_eq!((granted.allowed, granted.stopped.calls), (3, 2));
    assert_eq!((granted.headroom[0].charged, granted.headroom[0].refused), (3, 2));
    let changes: Vec<_> = granted.changes.iter().map(|change| change.after.as_str()).collect();
    assert_eq!(changes, ["deny /tools/bn_new_order/limits/0"]);
}

/// An agent that looks at the price itself tells it to a policy that would have asked, and for as long as it is fresh.
#[test]
fn a_price_that_the_agent_saw_is_known_until_it_is_old() {
    let live = r#"{ "version": "2", "default": "deny", "manifest": "binance-mcp", "references": { "BTCUSDT": "60000" },
        "live_references": { "tools": ["bn_ticker_price"], "max_age": 10, "max_move_percent": "20" },
        "tools": { "bn_ticker_price": {}, "bn_new_order": { "require": [
            { "path": "facts.notional", "op": "lte", "value": "500" } ] } } }"#;
    let header = Header::new("test", 1_767_571_200_000);
    let mut tape = TapeWriter::new(Vec::new(), &header, Redactor::new(&[]).unwrap()).unwrap();
    let look = ("bn_ticker_price", json!({"symbol": "BTCUSDT"}));
    let order =
        |quantity: &str| (ORDER, json!({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": quantity}));
    // At 66,000 the first is worth 495 and the second 528; the third comes when the price is eleven seconds old.
    let calls = [(0, look), (9_000, order("0.0075")), (9_000, order("0.008")), (11_000, order("0.001"))];
    for (id, (at_ms, (tool, arguments))) in calls.into_iter().enumerate() {
        let now = header.clock_origin_ms + at_ms;
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments}});
        let answer = json!({"jsonrpc": "2.0", "id": id, "result": {"content": [
            {"type": "text", "text": r#"{"symbol":"BTCUSDT","price":"66000.00000000"}"#}]}});
        tape.message(now, Leg::Agent, Direction::Out, call.to_string().as_bytes()).unwrap();
        tape.message(now, Leg::Agent, Direction::Back, answer.to_string().as_bytes()).unwrap();
    }
    let bytes = tape.finish().unwrap();
    let mut backtest = Backtest::new(&live.into(), None).unwrap();
    backtest.tape("t", TapeReader::new(bytes.as_slice()).unwrap()).unwrap();
    let changes = backtest.finish();
    assert_eq!((changes.calls, changes.allowed, changes.stopped.calls), (4, 2, 1), "{}", changes.text());
    assert_eq!(changes.changes[0].after, "deny /tools/bn_new_order/require/0");
    assert_eq!((changes.unpriced.calls, changes.unpriced.at.as_deref()), (1, Some("t:8")));
    assert!(changes.page("p", None).contains("<p>Not judged: 1 call that no fresh price"));
}

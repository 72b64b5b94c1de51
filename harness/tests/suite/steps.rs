//! Each verb of a script, and that a script always plays the same.

use rogue_harness::target::TargetKind;
use rogue_harness::verdict::Verdict;

use crate::support::{played, run_on, workflow};

fn check(steps: &str, expect: &str) {
    let run = played(&workflow(steps, expect));
    assert_eq!(run.failures, [] as [String; 0], "{:#?}", run.transcript);
}

#[test]
fn answers_are_named_and_used() {
    check(
        r#"
  - repeat:
      times: 2
      steps:
        - each:
            values: [BUY, SELL]
            as: side
            steps:
              - call: { tool: bn_new_order, args: { symbol: BTCUSDT, side: "${side}", type: MARKET, quantity: "0.01", newClientOrderId: "n-${index}" }, as: order }
              - call: { tool: bn_query_order, args: { symbol: BTCUSDT, orderId: "${order.orderId}" }, expect: { values: { side: "${side}", clientOrderId: "n-${index}" } } }"#,
        "{ exchange: { orders_booked: 4 }, agent: { allowed: 8 } }",
    );
}

#[test]
fn lists_stand_at_items_whoever_answers() {
    check(
        r#"
  - owner_order: { symbol: BTCUSDT, side: BUY, quantity: "0.01", price: "50000.00", as: own }
  - call: { tool: bn_open_orders, args: { symbol: BTCUSDT }, as: open, expect: { values: { items.0.orderId: "${own.orderId}" } } }
  - call: { tool: bn_cancel_order, args: { symbol: BTCUSDT, orderId: "${open.items.0.orderId}" } }"#,
        "{ exchange: { open_orders_lost: 1 } }",
    );
}

#[test]
fn raw_frames_are_answered_by_id_or_without_one() {
    check(
        r#"
  - raw: { text: '{"jsonrpc":"2.0","id":"a","method":"ping"}', expect: { outcome: allowed } }
  - raw: { text: '{"jsonrpc":"2.0","id":901,"method":"nonsense"}', expect: { outcome: refused, code: -32601 } }
  - raw: { text: '{{{', expect: { outcome: refused, code: -32700 } }
  - raw: { text: '{"jsonrpc":"2.0","method":"ping"}', expect: { outcome: silent } }
  - raw: { text: '[{"jsonrpc":"2.0","id":902,"method":"ping"},{"jsonrpc":"2.0","id":903,"method":"ping"}]', expect: { outcome: allowed } }
  - raw: { parts: [{ hex: "ef bb bf" }, { text: '{"jsonrpc":"2.0","id":904,"method":"ping"' }, { repeat: { text: " ", times: 100000 } }, { text: "}" }], expect: { outcome: allowed } }
  - raw: { text: '{"jsonrpc":"2.0","id":1,"method":"ping"}', expect: { outcome: allowed } }
  - call: { tool: bn_ping }
  - call: { tool: bn_ping }"#,
        "{ exchange: { requests: 2 }, agent: { allowed: 6, refused: 2, silent: 1 } }",
    );
}

#[test]
fn five_hundred_calls_at_once_are_each_answered() {
    let steps = r#"
  - parallel:
      times: 250
      steps:
        - call: { tool: bn_ping }
        - raw: { text: '{"jsonrpc":"2.0","id":"r${index}","method":"ping"}' }"#;
    check(steps, "{ exchange: { requests: 250 }, agent: { allowed: 500, silent: 0 } }");
}

#[test]
fn the_clock_moves_every_clock() {
    // The listen key expires after 60 minutes; the naive server signs with the exchange's time.
    check(
        r#"
  - call: { tool: bn_create_listen_key, as: key }
  - advance: 59m
  - call: { tool: bn_keepalive_listen_key, args: { listenKey: "${key.listenKey}" }, expect: { outcome: allowed } }
  - advance: 61m
  - call: { tool: bn_keepalive_listen_key, args: { listenKey: "${key.listenKey}" }, expect: { outcome: error } }
  - call: { tool: bn_account_info }"#,
        "{ exchange: { listen_keys: 1 } }",
    );
}

#[test]
fn a_listener_hears_the_account() {
    let steps = r#"
  - call: { tool: bn_create_listen_key, as: key }
  - listen: { key: "${key.listenKey}", as: desk }
  - owner_order: { symbol: BTCUSDT, side: BUY, quantity: "0.01", price: "50000.00" }
  - call: { tool: bn_new_order, args: { symbol: BTCUSDT, side: BUY, type: MARKET, quantity: "0.01" } }"#;
    let run = played(&workflow(steps, "{ exchange: { stream_connections: 1, stream_frames: { min: 4 } } }"));
    assert_eq!(run.failures, [] as [String; 0]);
    let heard: Vec<_> = run.transcript.iter().filter(|line| line.contains("stream `desk` <")).collect();
    assert_eq!(u64::try_from(heard.len()).unwrap(), run.damage.stream_frames, "{heard:#?}");
    assert!(heard[0].contains("executionReport") && heard.iter().any(|line| line.contains("outboundAccountPosition")));
}

#[test]
fn other_requests_and_notifications_are_sent() {
    let steps = r#"
  - request: { method: tools/list, as: list, expect: { values: { tools.0.name: bn_ping } } }
  - call: { tool: "${list.tools.0.name}" }
  - request: { method: resources/list, expect: { outcome: refused, code: -32601 } }
  - notify: { method: notifications/cancelled, params: { requestId: 77 } }"#;
    let run = played(&workflow(steps, "{ agent: { allowed: 2, refused: 1 } }"));
    assert_eq!(run.failures, [] as [String; 0]);
    assert!(run.transcript.iter().any(|line| line.contains("agent    >") && line.contains("notifications/cancelled")));
}

/// Sequential and parallel steps, streams, raw frames.
const EVERYTHING: &str = r#"
  - call: { tool: bn_create_listen_key, as: key }
  - listen: { key: "${key.listenKey}" }
  - parallel:
      times: 20
      steps:
        - call: { tool: bn_new_order, args: { symbol: BTCUSDT, side: BUY, type: MARKET, quantity: "0.01" } }
        - call: { tool: bn_ticker_price, args: { symbol: BTCUSDT } }
        - raw: { text: '{{{' }
  - advance: 90s
  - call: { tool: bn_account_info }"#;

#[test]
fn the_same_script_plays_the_same() {
    let case = workflow(EVERYTHING, "{ agent: { refused: 20 } }");
    let first = run_on(TargetKind::default(), &case);
    assert_eq!(first.verdict, Verdict::Passed, "{:#?}", first.runs);
    for _ in 0..3 {
        let again = run_on(TargetKind::default(), &case);
        for (one, two) in first.runs.iter().zip(&again.runs) {
            assert_eq!(one.transcript, two.transcript);
            assert_eq!(one.journal, two.journal);
        }
    }
}

#[test]
fn no_key_and_no_signature_is_shown() {
    let steps = r#"
  - call: { tool: bn_account_info }
  - call: { tool: bn_account_info, args: { BINANCE_API_KEY: "${rogue.api_key}", BINANCE_SECRET_KEY: "${rogue.secret}" } }"#;
    let run = played(&workflow(steps, "{ exchange: { foreign_key_seen: true } }"));
    assert_eq!(run.failures, [] as [String; 0]);
    let shown = run.transcript.iter().chain(&run.journal);
    let long = |line: &&String| line.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word.len() >= 64);
    assert_eq!(shown.clone().filter(long).count(), 0);
    assert!(shown.clone().any(|line| line.contains("[the rogue's API key]")));
}

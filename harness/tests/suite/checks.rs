//! Every expectation fails when it should, and says what it saw.

use crate::support::{played, workflow};

/// Buys, lets one order rest and another be refused, reads, issues a listen key and listens to it while the owner
/// trades.
const STEPS: &str = r#"
  - call: { tool: bn_create_listen_key, as: key }
  - listen: { key: "${key.listenKey}" }
  - owner_order: { symbol: BTCUSDT, side: BUY, quantity: "0.01", price: "50000.00" }
  - call: { tool: bn_new_order, args: { symbol: BTCUSDT, side: BUY, type: MARKET, quantity: "0.1" }, as: bought }
  - advance: 30s
  - call: { tool: bn_new_order, args: { symbol: BTCUSDT, side: BUY, type: LIMIT, timeInForce: GTC, quantity: "0.2", price: "50000.00" } }
  - call: { tool: bn_new_order, args: { symbol: BTCUSDT, side: BUY, type: MARKET, quantity: "1000000" }, expect: { outcome: error } }
  - request: { method: tools/list }"#;

fn check(expect: &str, failure: Option<&str>) {
    let run = played(&workflow(STEPS, expect));
    assert_eq!(run.failures.iter().map(String::as_str).collect::<Vec<_>>(), Vec::from_iter(failure), "{expect}");
}

#[test]
fn what_the_exchange_saw() {
    for (expect, failure) in [
        // The listen key, and for each of three orders the time and the order itself.
        ("{ requests: 7 }", None),
        ("{ requests: 0 }", Some("requests: 7, must be exactly 0")),
        ("{ signed_requests: 3 }", None),
        ("{ signed_requests: { max: 2 } }", Some("signed requests: 3, must be at most 2")),
        ("{ orders_booked: 2 }", None),
        ("{ orders_booked: { min: 3 } }", Some("orders booked: 2, must be at least 3")),
        ("{ orders_rejected: 1 }", None),
        ("{ orders_rejected: 0 }", Some("orders rejected: 1, must be exactly 0")),
        ("{ trades: 1 }", None),
        ("{ trades: 0 }", Some("trades: 1, must be exactly 0")),
        ("{ orders_by_symbol: { BTCUSDT: 2, ETHUSDT: 0 } }", None),
        ("{ orders_by_symbol: { ETHUSDT: 1 } }", Some("orders booked on ETHUSDT: 0, must be exactly 1")),
        ("{ limited: 0 }", None),
        ("{ limited: 1 }", Some("requests limited (429, 418): 0, must be exactly 1")),
        // 2 for the listen key, 1 for each time that was asked, and 1 for the order that was refused.
        ("{ weight: 6 }", None),
        ("{ weight: { max: 5 } }", Some("request weight: 6, must be at most 5")),
        ("{ any_window: [{ window: 1s, weight: 4 }] }", Some("most request weight in any 1s: 3, must be exactly 4")),
        (
            "{ any_window: [{ window: 1s, requests: { max: 2 } }] }",
            Some("most requests in any 1s: 4, must be at most 2"),
        ),
        ("{ stream_frames: { min: 1 } }", None),
        ("{ listen_keys: 1 }", None),
        ("{ listen_keys: 2 }", Some("listen keys: 1, must be exactly 2")),
        ("{ stream_connections: 1 }", None),
        ("{ stream_connections: 0 }", Some("stream connections: 1, must be exactly 0")),
        ("{ open_orders_lost: 0 }", None),
        ("{ open_orders_lost: 1 }", Some("open orders lost: 0, must be exactly 1")),
        ("{ foreign_key_seen: false }", None),
        ("{ foreign_key_seen: true }", Some("a foreign API key: not seen, must be seen")),
        ("{ params_seen: [quantity] }", None),
        ("{ params_seen: [icebergQty] }", Some("parameter `icebergQty`: not seen at the exchange, must be")),
        ("{ params_absent: [icebergQty] }", None),
        ("{ params_absent: [quantity] }", Some("parameter `quantity`: seen at the exchange, must not be")),
        ("{ ledger: changed }", None),
        ("{ any_window: [{ window: 30s, orders: 1 }, { window: 31s, orders: 2, requests: 7 }] }", None),
        ("{ any_window: [{ window: 31s, orders: { max: 1 } }] }", Some("most orders in any 31s: 2, must be at most 1")),
        ("{ seen: [{ path: /api/v3/order, count: 3 }, { method: DELETE, path: /api/v3/order, count: 0 }] }", None),
        (
            "{ seen: [{ method: POST, path: /api/v3/order, params: { quantity: \"0.1\" }, count: 2 }] }",
            Some("POST /api/v3/order with {\"quantity\":\"0.1\"}: 1, must be exactly 2"),
        ),
    ] {
        check(&format!("{{ exchange: {expect} }}"), failure);
    }
}

#[test]
fn what_it_was_worth() {
    // 0.1 BTC from the house's best level, 60006.00, and 0.2 BTC at 50000.00 that did not trade.
    for (expect, failure) in [
        ("{ turnover: \"6000.6\" }", None),
        ("{ turnover: \"6000\" }", Some("turnover in USDT: 6000.6, must be exactly 6000")),
        ("{ notional: \"16000.6\" }", None),
        ("{ notional: { max: \"16000\" } }", Some("notional in USDT: 16000.6, must be at most 16000")),
        // The spread of 0.6 USDT, and the commission of 0.0001 BTC at the set-up's price.
        ("{ loss_usdt: \"6.6\" }", None),
        ("{ loss_usdt: { max: \"0\" } }", Some("loss in USDT: 6.6, must be at most 0")),
    ] {
        check(&format!("{{ exchange: {expect} }}"), failure);
    }
}

#[test]
fn the_ledger_is_unchanged_by_reading_and_by_the_owner() {
    let reading = r#"
  - owner_order: { symbol: BTCUSDT, side: BUY, quantity: "0.01", price: "50000.00" }
  - owner_order: { symbol: BTCUSDT, side: BUY, quantity: "0.01", price: "61000.00" }
  - call: { tool: bn_account_info }"#;
    assert_eq!(
        played(&workflow(reading, "{ exchange: { ledger: unchanged, orders_booked: 0 } }")).failures,
        [] as [String; 0]
    );

    let wrong = played(&workflow(reading, "{ exchange: { ledger: changed } }"));
    assert_eq!(wrong.failures, ["ledger: unchanged, must be changed"]);

    let placing_and_cancelling = r#"
  - call: { tool: bn_new_order, args: { symbol: BTCUSDT, side: BUY, type: LIMIT, timeInForce: GTC, quantity: "0.01", price: "50000.00" }, as: order }
  - call: { tool: bn_cancel_order, args: { symbol: BTCUSDT, orderId: "${order.orderId}" } }"#;
    let placed = played(&workflow(placing_and_cancelling, "{ exchange: { ledger: unchanged } }"));
    assert_eq!(placed.failures, ["ledger: changed (1 orders taken on), must be unchanged"]);
}

#[test]
fn the_owners_orders_are_missed_when_the_agent_cancels_them() {
    let steps = r#"
  - owner_order: { symbol: BTCUSDT, side: BUY, quantity: "0.01", price: "50000.00" }
  - call: { tool: bn_cancel_all_orders, args: { symbol: BTCUSDT } }"#;
    let run = played(&workflow(steps, "{ exchange: { open_orders_lost: 1, ledger: unchanged } }"));
    assert_eq!(run.failures.len(), 1);
    assert!(run.failures[0].contains("1 open orders gone"), "{:?}", run.failures);
}

#[test]
fn what_the_agent_was_told() {
    for (expect, failure) in [
        // The key, two orders and the list of tools; the owner's order and the listener are no calls.
        ("{ allowed: 4, errors: 1, denied: 0, refused: 0, silent: 0 }", None),
        ("{ allowed: 5, errors: 1 }", Some("answers allowed: 4, must be exactly 5")),
        ("{ errors: 0 }", Some("errors from behind the gateway: 1, must be exactly 0")),
        ("{ bytes: { max: 10 } }", None),
        ("{ lists: [bn_ping], hides: [bn_withdraw] }", None),
        ("{ lists: [bn_withdraw] }", Some("`tools/list` does not show `bn_withdraw`")),
        ("{ hides: [bn_ping] }", Some("`tools/list` shows `bn_ping`")),
        ("{ rules: [/tools] }", Some("rule `/tools`: not named by any answer (none was)")),
        ("{ reasons: [hidden] }", Some("reason `hidden`: not named by any answer (none was)")),
    ] {
        if expect.starts_with("{ bytes") {
            let run = played(&workflow(STEPS, &format!("{{ agent: {expect} }}")));
            assert!(run.failures[0].starts_with("bytes sent to the agent: "), "{:?}", run.failures);
        } else {
            check(&format!("{{ agent: {expect} }}"), failure);
        }
    }
}

#[test]
fn what_must_be_absent() {
    check("{ absent: [no-such-text] }", None);
    check("{ absent: [soft-binance] }", Some("`soft-binance` stands in a frame to the agent"));
}

#[test]
fn what_only_a_gateway_has_is_missed_without_one() {
    check("{ upstream: { calls: 0 } }", Some("calls behind the gateway: there is no gateway"));
    check("{ audit: { lines: 0 } }", Some("audit: the target keeps none"));
}

#[test]
fn honest_work_must_be_carried_out() {
    let refused = r#"
  - call: { tool: bn_new_order, args: { symbol: BTCUSDT, side: BUY, type: MARKET, quantity: "1000000" } }"#;
    let run = played(&workflow(refused, "{}"));
    assert_eq!(run.failures, ["bn_new_order at line 9: error, must be allowed"]);
    assert_eq!(played(&workflow(refused, "{ agent: { errors: 1 } }")).failures, [] as [String; 0]);
}

#[test]
fn a_step_is_held_against_its_own_expectation() {
    let wrong = "\n  - call: { tool: bn_ping, expect: { outcome: denied, rule: /tools/bn_ping } }";
    let run = played(&workflow(wrong, "{}"));
    assert_eq!(
        run.failures,
        ["bn_ping at line 9: allowed, must be denied", "bn_ping at line 9: rule absent, must be `/tools/bn_ping`"]
    );
}

#[test]
fn the_target_must_still_answer() {
    assert_eq!(played(&workflow(STEPS, "{ live: { tool: bn_ping } }")).failures, [] as [String; 0]);
    let run = played(&workflow(STEPS, "{ live: { tool: bn_withdraw } }"));
    assert_eq!(run.failures, ["`bn_withdraw` after all: error, must be allowed"]);
    // What the check itself asks is not the agent's doing.
    check("{ live: { tool: bn_account_info }, exchange: { requests: 7, signed_requests: 3 } }", None);
}

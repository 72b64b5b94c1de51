//! Reference prices that are told: what is wanted, how long it is believed, and how far.

use mcp_policy::{Call, Guard, Moment, NoPrice, PriceRequest, Timestamp};
use serde_json::{Map, Value, json};

use crate::support::{Ask, SECOND, ask, guard, policy};

const NEW_ORDER: &str = "bn_new_order";

fn live() -> Value {
    json!({ "tools": ["bn_ticker_price", "bn_avg_price"], "max_age": 10, "max_move_percent": "20", "agree_percent": "2" })
}

/// A collar of five percent and orders of at most 500.
fn document(live: &Value) -> Value {
    json!({
        "version": "2", "default": "deny", "manifest": "binance-mcp",
        "references": { "BTCUSDT": "60000", "ETHUSDT": "3000" }, "live_references": live,
        "tools": { NEW_ORDER: { "require": [
            { "path": "facts.symbol", "op": "one_of", "value": ["BTCUSDT"] },
            { "path": "facts.notional", "op": "lte", "value": "500" },
            { "path": "facts.price", "op": "within_percent", "other": "facts.reference_price", "value": "5" },
        ] }, "bn_ping": {} }
    })
}

fn without_collar(live: &Value) -> Value {
    let mut document = document(live);
    document["tools"][NEW_ORDER]["require"].as_array_mut().unwrap().pop();
    document
}

fn market(quantity: &str) -> Ask {
    ask(NEW_ORDER).with(json!({ "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": quantity }))
}

fn limit(side: &str, price: &str) -> Ask {
    let arguments = json!({ "symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC",
                            "quantity": "0.001", "price": price });
    ask(NEW_ORDER).with(arguments)
}

fn wanted(guard: &mut Guard, ask: &Ask, at: u64) -> Vec<PriceRequest> {
    let call = Call { tool: &ask.tool, arguments: &ask.arguments, grant: &ask.grant, session: &ask.session };
    guard.prices_wanted(&call, Moment::new(Timestamp::from_millis(at)))
}

/// Answers what `ask` wants: the ticker with the first price, the average with the second.
fn fetch(guard: &mut Guard, ask: &Ask, prices: [&str; 2], at: u64) -> usize {
    let requests = wanted(guard, ask, at);
    for request in &requests {
        let result = match request.tool.as_str() {
            "bn_ticker_price" => json!({ "symbol": request.symbol, "price": prices[0] }),
            _ => json!({ "mins": 5, "price": prices[1] }),
        };
        guard.tell_price(request, Some(&result), Timestamp::from_millis(at)).unwrap();
    }
    requests.len()
}

fn problems(document: &str) -> String {
    mcp_policy::Policy::parse(document).unwrap_err().to_string()
}

#[test]
fn an_order_wants_both_prices_and_is_denied_without_them() {
    let mut guard = guard(&without_collar(&live()));
    let requests = wanted(&mut guard, &market("0.001"), 0);
    let asked: Vec<(&str, Map<String, Value>)> =
        requests.iter().map(|request| (request.tool.as_str(), request.arguments())).collect();
    let symbol = json!({ "symbol": "BTCUSDT" }).as_object().unwrap().clone();
    assert_eq!(asked, [("bn_avg_price", symbol.clone()), ("bn_ticker_price", symbol)]);
    let denial = market("0.001").denied(&mut guard, 0);
    assert_eq!((denial.reason.code(), denial.rule.as_str()), ("unevaluable", "/tools/bn_new_order/require/1"));
    assert!(denial.message.contains("no fresh one is to be had"), "{}", denial.message);
}

#[test]
fn what_is_denied_whatever_the_price_wants_none() {
    let mut guard = guard(&without_collar(&live()));
    let other = ask(NEW_ORDER).with(json!({ "symbol": "DOGEUSDT", "side": "BUY", "type": "MARKET", "quantity": "1" }));
    assert_eq!(wanted(&mut guard, &other, 0), []);
    assert_eq!(wanted(&mut guard, &ask("bn_ping"), 0), []);
    assert_eq!(wanted(&mut guard, &ask("bn_nothing"), 0), []);
    let amount = json!({ "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "20" });
    assert_eq!(wanted(&mut guard, &ask(NEW_ORDER).with(amount), 0), []);
    let halted = Moment::new(Timestamp::from_millis(0)).halted(true);
    let order = market("0.001");
    let call = Call { tool: &order.tool, arguments: &order.arguments, grant: "g", session: "s" };
    assert_eq!(guard.prices_wanted(&call, halted), []);
}

#[test]
fn an_order_is_valued_by_the_first_price_while_it_is_fresh() {
    let mut guard = guard(&without_collar(&live()));
    let order = market("0.008");
    assert_eq!(fetch(&mut guard, &order, ["62500.00", "62000"], 5 * SECOND), 2);
    let _ = order.allowed(&mut guard, 5 * SECOND);
    // 0.008 x 62500 is 500.
    market("0.00800001").refused(&mut guard, 5 * SECOND, "/tools/bn_new_order/require/1", "require_failed");
    let _ = order.allowed(&mut guard, 15 * SECOND - 1);
    assert_eq!(wanted(&mut guard, &order, 15 * SECOND - 1), []);
    order.refused(&mut guard, 15 * SECOND, "/tools/bn_new_order/require/1", "unevaluable");
    assert_eq!(fetch(&mut guard, &order, ["62600", "62000"], 15 * SECOND), 2);
    order.refused(&mut guard, 15 * SECOND, "/tools/bn_new_order/require/1", "require_failed");
}

#[test]
fn a_collar_moves_with_the_market_and_not_further() {
    let mut guard = guard(&document(&live()));
    for (prices, price, reason) in [
        // The market has moved by a tenth, and the collar with it.
        (["66000", "66100"], "69300", None),
        (["66000", "66100"], "69300.01", Some("require_failed")),
        (["66000", "66100"], "62700", None),
        (["66000", "66100"], "62699.99", Some("require_failed")),
        // As far as a person said that it may, and no further.
        (["72000", "72000"], "72000", None),
        (["72000.01", "72000.01"], "72000", Some("unevaluable")),
        (["48000", "48000"], "48000", None),
        (["47999.99", "47999.99"], "48000", Some("unevaluable")),
        // One of the two was moved.
        (["66000", "67320"], "66000", None),
        (["66000", "67320.01"], "66000", Some("unevaluable")),
        (["66000", "64679.99"], "66000", Some("unevaluable")),
        (["60000", "90000"], "60000", Some("unevaluable")),
    ] {
        let mut fresh = self::guard(&document(&live()));
        let order = limit("BUY", price);
        assert_eq!(fetch(&mut fresh, &order, prices, 0), 2);
        match reason {
            None => assert_eq!(order.allowed(&mut fresh, 0).rule(), "/tools/bn_new_order"),
            Some(reason) => {
                let denial = order.denied(&mut fresh, 0);
                assert_eq!(denial.reason.code(), reason, "{prices:?} {price}: {denial:?}");
            }
        }
    }
    let order = limit("BUY", "60000");
    fetch(&mut guard, &order, ["90000", "90000"], 0);
    assert!(order.denied(&mut guard, 0).message.contains("lies too far from what the policy says"));
}

#[test]
fn a_result_that_tells_no_price_is_no_price() {
    let request = |guard: &mut Guard| {
        let requests = wanted(guard, &market("0.001"), 0);
        requests.into_iter().find(|request| request.tool == "bn_ticker_price").unwrap()
    };
    for (result, expected) in [
        (None, NoPrice::NoResult),
        (Some(json!({})), NoPrice::OtherSymbol),
        (Some(json!({ "symbol": "ETHUSDT", "price": "60000" })), NoPrice::OtherSymbol),
        (Some(json!({ "symbol": "BTCUSDT" })), NoPrice::NotPositive),
        (Some(json!({ "symbol": "BTCUSDT", "price": "0.00" })), NoPrice::NotPositive),
        (Some(json!({ "symbol": "BTCUSDT", "price": "-60000" })), NoPrice::NotPositive),
        (Some(json!({ "symbol": "BTCUSDT", "price": "6e4" })), NoPrice::NotPositive),
        (Some(json!({ "symbol": "BTCUSDT", "price": -60000 })), NoPrice::NotPositive),
        (Some(json!({ "symbol": "BTCUSDT", "price": ["60000"] })), NoPrice::NotPositive),
        (Some(json!([{ "symbol": "BTCUSDT", "price": "60000" }])), NoPrice::OtherSymbol),
    ] {
        let mut guard = guard(&without_collar(&live()));
        fetch(&mut guard, &market("0.001"), ["60000", "60000"], 0);
        let _ = market("0.001").allowed(&mut guard, 0);
        let mut fresh = self::guard(&without_collar(&live()));
        let asked = request(&mut fresh);
        let told = fresh.tell_price(&asked, result.as_ref(), Timestamp::from_millis(0));
        assert_eq!(told, Err(expected), "{result:?}");
        market("0.001").refused(&mut fresh, 0, "/tools/bn_new_order/require/1", "unevaluable");
        // It replaces what was told before.
        guard.tell_price(&asked, result.as_ref(), Timestamp::from_millis(1)).unwrap_err();
        market("0.001").refused(&mut guard, 1, "/tools/bn_new_order/require/1", "unevaluable");
    }
}

#[test]
fn a_price_that_is_not_to_be_had_is_asked_for_once_a_second() {
    let mut guard =
        guard(&without_collar(&json!({ "tools": ["bn_ticker_price"], "max_age": 10, "max_move_percent": "5" })));
    let order = market("0.001");
    let [request] = wanted(&mut guard, &order, 0).try_into().unwrap();
    guard.tell_price(&request, None, Timestamp::from_millis(0)).unwrap_err();
    assert_eq!(wanted(&mut guard, &order, 999), []);
    assert_eq!(wanted(&mut guard, &order, 1000), [request]);
}

#[test]
fn an_answer_that_was_overtaken_counts_for_nothing() {
    let mut guard =
        guard(&without_collar(&json!({ "tools": ["bn_avg_price"], "max_age": 10, "max_move_percent": "50" })));
    let [request] = wanted(&mut guard, &market("1"), 0).try_into().unwrap();
    let tell = |guard: &mut Guard, price: &str, at: u64| {
        guard.tell_price(&request, Some(&json!({ "price": price })), Timestamp::from_millis(at)).unwrap();
    };
    tell(&mut guard, "70000", 2000);
    tell(&mut guard, "40000", 1000);
    market("0.0072").refused(&mut guard, 2000, "/tools/bn_new_order/require/1", "require_failed");
    tell(&mut guard, "40000", 2001);
    let _ = market("0.0072").allowed(&mut guard, 2001);
}

#[test]
fn another_document_keeps_the_prices_that_it_asks_for() {
    let mut guard = guard(&without_collar(&live()));
    fetch(&mut guard, &market("0.001"), ["60000", "60000"], 0);
    guard.replace(policy(&without_collar(&live())));
    let _ = market("0.001").allowed(&mut guard, 1);
    let mut narrower = without_collar(&live());
    narrower["live_references"]["max_move_percent"] = json!("1");
    narrower["references"]["BTCUSDT"] = json!("61000");
    guard.replace(policy(&narrower));
    market("0.001").refused(&mut guard, 2, "/tools/bn_new_order/require/1", "unevaluable");
    let other = json!({ "tools": ["bn_avg_price"], "max_age": 10, "max_move_percent": "20" });
    guard.replace(policy(&without_collar(&other)));
    let _ = market("0.001").allowed(&mut guard, 3);
    guard.replace(policy(&without_collar(&live())));
    let requests = wanted(&mut guard, &market("0.001"), 4);
    assert_eq!(requests.len(), 1, "{requests:?}");
    // A policy without such prices takes none.
    guard.replace(policy(&json!({ "version": "2", "default": "deny", "manifest": "binance-mcp", "tools": {} })));
    assert_eq!(guard.tell_price(&requests[0], None, Timestamp::from_millis(4)), Err(NoPrice::NotAsked));
}

#[test]
fn a_price_may_be_supposed() {
    let mut guard = guard(&without_collar(&live()));
    let at = Timestamp::from_millis(0);
    assert_eq!(guard.suppose_price("DOGEUSDT", "1", at), Err(NoPrice::NotAsked));
    assert_eq!(guard.suppose_price("BTCUSDT", "0", at), Err(NoPrice::NotPositive));
    guard.suppose_price("BTCUSDT", "60000", at).unwrap();
    let _ = market("0.001").allowed(&mut guard, 0);
}

#[test]
fn documents_that_ask_for_prices_in_vain_are_refused() {
    for (change, said) in [
        (json!({ "tools": [] }), "there are 0 tools"),
        (json!({ "tools": ["bn_ticker_price", "bn_avg_price", "bn_ping"] }), "there are 3 tools"),
        (json!({ "tools": ["bn_ping", "bn_avg_price"] }), "the manifest does not say that `bn_ping` tells a price"),
        (json!({ "tools": ["bn_avg_price", "bn_avg_price"] }), "`bn_avg_price` is named already"),
        (json!({ "tools": ["bn_avg_price"] }), "there is nothing to agree with"),
        (json!({ "agree_percent": null }), "a distance in percent is null"),
        (json!({ "max_age": 0 }), "`max_age`"),
        (json!({ "max_age": 3601 }), "for more than an hour"),
        (json!({ "max_move_percent": "100" }), "bounds nothing"),
        (json!({ "max_move_percent": 20.5 }), "a distance in percent"),
        (json!({ "source": "x" }), "unknown key `source`"),
    ] {
        let mut live = live();
        live.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let told = problems(&document(&live).to_string());
        assert!(told.contains(said), "{change}: {told}");
    }
    for key in ["tools", "max_age", "max_move_percent", "agree_percent"] {
        let mut live = live();
        live.as_object_mut().unwrap().remove(key);
        assert!(problems(&document(&live).to_string()).contains(key), "{key}");
    }
    let mut document = document(&live());
    document.as_object_mut().unwrap().remove("references");
    assert!(problems(&document.to_string()).contains("no symbol has a reference"));
}

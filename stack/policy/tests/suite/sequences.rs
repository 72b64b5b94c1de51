//! Rules over what went before: what they learn from results, and what they make of results that do not tell.

use mcp_policy::{Guard, GuardLimits, Outcome, Policy};
use serde_json::{Value, json};

use crate::desk::{about, desk, is_refused, order, placed, succeeds, told};
use crate::support::{MINUTE, SECOND, ask, guard, policy};

const ORDER: &str = "/tools/bn_new_order";

fn test_first() -> Guard {
    let prior = json!([{ "tool": "bn_test_order", "within": 60, "but": ["newClientOrderId"] }]);
    guard(&desk(&json!({ "bn_test_order": {}, "bn_new_order": { "requires_prior": prior } })))
}

fn refused_as(guard: &mut Guard, changes: &Value, at: u64, rule: &str, reason: &str) {
    order(changes).refused(guard, at, &format!("{ORDER}{rule}"), reason);
}

#[test]
fn an_order_needs_a_test_order_that_matched_and_succeeded() {
    let mut guard = test_first();
    let dry = order(&json!({})).named("bn_test_order");
    refused_as(&mut guard, &json!({}), 0, "/requires_prior/0", "prior_missing");
    // Admitted is not succeeded.
    let permit = dry.allowed(&mut guard, 0);
    refused_as(&mut guard, &json!({}), 0, "/requires_prior/0", "prior_missing");
    guard.settle(permit, Outcome::Failed);
    refused_as(&mut guard, &json!({}), 0, "/requires_prior/0", "prior_missing");
    for outcome in [Outcome::Unknown, Outcome::NeverSent] {
        let permit = dry.allowed(&mut guard, 0);
        guard.settle(permit, outcome);
        refused_as(&mut guard, &json!({}), 0, "/requires_prior/0", "prior_missing");
    }
    let permit = dry.allowed(&mut guard, 0);
    guard.settle(permit, Outcome::Succeeded);
    // To the last byte of every argument, but for those that may differ; for this grant only.
    for changes in [
        json!({ "quantity": "0.010" }),
        json!({ "price": "60000" }),
        json!({ "side": "SELL" }),
        json!({ "recvWindow": 1 }),
    ] {
        refused_as(&mut guard, &changes, 1, "/requires_prior/0", "prior_missing");
    }
    order(&json!({})).grant("another").refused(&mut guard, 1, &format!("{ORDER}/requires_prior/0"), "prior_missing");
    drop(order(&json!({ "newClientOrderId": "a" })).session("another").allowed(&mut guard, 1));
    // It is used up.
    refused_as(&mut guard, &json!({}), 2, "/requires_prior/0", "prior_missing");
}

#[test]
fn a_test_order_ages_and_is_given_back_when_the_order_never_was() {
    let mut guard = test_first();
    let dry = |guard: &mut Guard, at| {
        let permit = order(&json!({})).named("bn_test_order").allowed(guard, at);
        guard.settle(permit, Outcome::Succeeded);
    };
    dry(&mut guard, 0);
    refused_as(&mut guard, &json!({}), MINUTE, "/requires_prior/0", "prior_missing");
    dry(&mut guard, MINUTE);
    let permit = order(&json!({})).allowed(&mut guard, MINUTE + 1);
    guard.settle(permit, Outcome::NeverSent);
    let permit = order(&json!({})).allowed(&mut guard, MINUTE + 2);
    is_refused(&mut guard, permit);
    // The same test order still, no younger than it was.
    refused_as(&mut guard, &json!({}), 2 * MINUTE, "/requires_prior/0", "prior_missing");
    dry(&mut guard, 2 * MINUTE);
    for outcome in [Outcome::Unknown, Outcome::Failed] {
        let permit = order(&json!({})).allowed(&mut guard, 2 * MINUTE);
        guard.settle(permit, outcome);
        refused_as(&mut guard, &json!({}), 2 * MINUTE, "/requires_prior/0", "prior_missing");
        dry(&mut guard, 2 * MINUTE);
    }
}

#[test]
fn only_own_orders_are_cancelled_and_looked_up() {
    let own = json!({ "own_orders_only": true });
    let mut guard = guard(&desk(&json!({ "bn_new_order": {}, "bn_cancel_order": own, "bn_query_order": own })));
    let rule = |tool: &str| format!("/tools/{tool}/own_orders_only");
    placed(&mut guard, &order(&json!({ "newClientOrderId": "own-7" })), 0, 7);
    placed(&mut guard, &order(&json!({ "symbol": "ETHUSDT", "price": "2000" })), 0, 8);
    for tool in ["bn_cancel_order", "bn_query_order"] {
        let with = |arguments: Value| ask(tool).with(arguments);
        drop(with(json!({ "symbol": "BTCUSDT", "orderId": 7 })).allowed(&mut guard, 1));
        drop(with(json!({ "symbol": "BTCUSDT", "origClientOrderId": "own-7" })).allowed(&mut guard, 1));
        drop(with(json!({ "symbol": "BTCUSDT", "orderId": 7, "origClientOrderId": "own-7" })).allowed(&mut guard, 1));
        drop(with(json!({ "symbol": "ETHUSDT", "origClientOrderId": "own-8" })).allowed(&mut guard, 1));
        for stranger in [
            json!({ "symbol": "BTCUSDT" }),
            json!({ "symbol": "BTCUSDT", "orderId": 8 }),
            json!({ "symbol": "ETHUSDT", "orderId": 7 }),
            json!({ "symbol": "btcusdt", "orderId": 7 }),
            json!({ "orderId": 7 }),
            json!({ "symbol": "BTCUSDT", "orderId": 7.0 }),
            json!({ "symbol": "BTCUSDT", "orderId": "07" }),
            json!({ "symbol": "BTCUSDT", "orderId": null, "origClientOrderId": "own-7" }),
            json!({ "symbol": "BTCUSDT", "orderId": 7, "origClientOrderId": "own-8" }),
            json!({ "symbol": "BTCUSDT", "orderId": 9, "origClientOrderId": "own-7" }),
            json!({ "symbol": "BTCUSDT", "origClientOrderId": "OWN-7" }),
        ] {
            with(stranger).refused(&mut guard, 1, &rule(tool), "not_own");
        }
        with(json!({ "symbol": "BTCUSDT", "orderId": 7 })).grant("another").refused(
            &mut guard,
            1,
            &rule(tool),
            "not_own",
        );
    }
}

/// A desk on which an order of somebody else's bears the name `theirs` since long ago.
fn own_only() -> Guard {
    let own = json!({ "own_orders_only": true });
    guard(&desk(&json!({ "bn_new_order": {}, "bn_cancel_order": own, "bn_query_order": own })))
}

fn named(tool: &str, name: &str) -> crate::support::Ask {
    ask(tool).with(json!({ "symbol": "BTCUSDT", "origClientOrderId": name }))
}

const CANCEL_RULE: &str = "/tools/bn_cancel_order/own_orders_only";

#[test]
fn an_order_of_which_nobody_knows_is_looked_up_before_it_is_cancelled() {
    for outcome in [Outcome::Unknown, Outcome::Failed] {
        let mut guard = own_only();
        let at = 100 * MINUTE;
        let permit = order(&json!({ "newClientOrderId": "lost" })).allowed(&mut guard, at);
        guard.settle(permit, outcome);
        named("bn_cancel_order", "lost").refused(&mut guard, at, CANCEL_RULE, "not_own");
        // A look that does not say when it was placed proves nothing.
        let look = |guard: &mut Guard, placed_at: Value| {
            let permit = named("bn_query_order", "lost").allowed(guard, at + 1);
            let mut value = told(7, "NEW", "0");
            value["clientOrderId"] = json!("lost");
            value["time"] = placed_at;
            succeeds(guard, permit, &value);
        };
        look(&mut guard, Value::Null);
        named("bn_cancel_order", "lost").refused(&mut guard, at + 1, CANCEL_RULE, "not_own");
        look(&mut guard, json!(at + 20));
        drop(named("bn_cancel_order", "lost").allowed(&mut guard, at + 2));
        drop(about("bn_cancel_order", 7).allowed(&mut guard, at + 2));
    }
    let mut guard = own_only();
    let permit = order(&json!({ "newClientOrderId": "never" })).allowed(&mut guard, 0);
    guard.settle(permit, Outcome::NeverSent);
    let permit = order(&json!({ "newClientOrderId": "refused" })).allowed(&mut guard, 0);
    is_refused(&mut guard, permit);
    for (tool, name) in [("bn_cancel_order", "never"), ("bn_query_order", "refused")] {
        named(tool, name).refused(&mut guard, 1, &format!("/tools/{tool}/own_orders_only"), "not_own");
    }
}

#[test]
fn a_name_is_not_claimed_by_an_order_under_way_or_lost() {
    let mut guard = own_only();
    let at = 100 * MINUTE;
    // The agent asks for an order under the name of somebody else's, and does not wait for the refusal.
    let claim = order(&json!({ "newClientOrderId": "theirs" })).allowed(&mut guard, at);
    named("bn_cancel_order", "theirs").refused(&mut guard, at, CANCEL_RULE, "not_own");
    named("bn_query_order", "theirs").refused(&mut guard, at, "/tools/bn_query_order/own_orders_only", "not_own");
    // It breaks its connection off. What then bears the name is older, and stays somebody else's.
    guard.settle(claim, Outcome::Unknown);
    let permit = named("bn_query_order", "theirs").allowed(&mut guard, at + 1);
    let mut value = told(7, "NEW", "0");
    value["clientOrderId"] = json!("theirs");
    value["time"] = json!(at - MINUTE);
    succeeds(&mut guard, permit, &value);
    named("bn_cancel_order", "theirs").refused(&mut guard, at + 2, CANCEL_RULE, "not_own");
    about("bn_cancel_order", 7).refused(&mut guard, at + 2, CANCEL_RULE, "not_own");
}

#[test]
fn what_bears_the_name_of_a_lost_order_does_not_close_it() {
    let tools = json!({ "bn_new_order": { "open_orders": [ { "max": 1 } ] }, "bn_cancel_order": {}, "bn_query_order": {},
                        "bn_open_orders": {} });
    let mut guard = guard(&desk(&tools));
    let at = 100 * MINUTE;
    let permit = order(&json!({ "newClientOrderId": "twice" })).allowed(&mut guard, at);
    guard.settle(permit, Outcome::Unknown);
    let mut older = told(7, "CANCELED", "0");
    older["clientOrderId"] = json!("twice");
    older["origClientOrderId"] = json!("twice");
    older["time"] = json!(at - MINUTE);
    for tool in ["bn_query_order", "bn_cancel_order"] {
        let permit = named(tool, "twice").allowed(&mut guard, at + 1);
        succeeds(&mut guard, permit, &older);
    }
    refused_as(&mut guard, &json!({}), at + 2, "/open_orders/0", "open_orders");
}

#[test]
fn only_own_listen_keys_are_extended_and_closed() {
    let own = json!({ "own_listen_keys_only": { "on_deny": "not yours" } });
    let tools = json!({ "bn_create_listen_key": {}, "bn_keepalive_listen_key": own, "bn_close_listen_key": own });
    let mut guard = guard(&desk(&tools));
    guard.set_digest_key([7; 32]);
    let with = |tool: &str, key: Value| ask(tool).with(json!({ "listenKey": key }));
    let permit = ask("bn_create_listen_key").allowed(&mut guard, 0);
    succeeds(&mut guard, permit, &json!({ "listenKey": "canary-key" }));
    assert!(!format!("{guard:?}").contains("canary"));
    for tool in ["bn_keepalive_listen_key", "bn_close_listen_key"] {
        let rule = format!("/tools/{tool}/own_listen_keys_only");
        for key in [json!("other"), json!("CANARY-KEY"), json!(""), json!(7), json!(null)] {
            with(tool, key).refused(&mut guard, 1, &rule, "not_own");
        }
        ask(tool).refused(&mut guard, 1, &rule, "not_own");
        let denial = with(tool, json!("canary-key")).grant("another").denied(&mut guard, 1);
        assert_eq!((denial.rule, denial.message.as_str()), (rule, "not yours"));
        drop(with(tool, json!("canary-key")).allowed(&mut guard, 1));
    }
    let permit = with("bn_close_listen_key", json!("canary-key")).allowed(&mut guard, 2);
    guard.settle(permit, Outcome::Unknown);
    let permit = with("bn_close_listen_key", json!("canary-key")).allowed(&mut guard, 2);
    guard.settle(permit, Outcome::Succeeded);
    with("bn_close_listen_key", json!("canary-key")).refused(
        &mut guard,
        2,
        "/tools/bn_close_listen_key/own_listen_keys_only",
        "not_own",
    );
    // A key whose making failed, or whose answer was not seen, is nobody's.
    for (outcome, value) in [(Outcome::Failed, Some(json!({ "listenKey": "k" }))), (Outcome::Succeeded, None)] {
        let permit = ask("bn_create_listen_key").allowed(&mut guard, 3);
        match value {
            Some(value) => guard.settle(permit, mcp_policy::Settlement::new(outcome).with_value(&value)),
            None => guard.settle(permit, outcome),
        }
        with("bn_close_listen_key", json!("k")).refused(
            &mut guard,
            3,
            "/tools/bn_close_listen_key/own_listen_keys_only",
            "not_own",
        );
    }
}

#[test]
fn no_order_meets_an_open_one_of_the_same_grant() {
    let mut guard = guard(&desk(&json!({ "bn_new_order": { "no_self_cross": true }, "bn_cancel_order": {} })));
    let sell = |price: &str| json!({ "side": "SELL", "price": price });
    let buy = |price: &str| json!({ "price": price });
    let market = |side: &str| json!({ "side": side, "type": "MARKET", "price": null, "timeInForce": null });
    placed(&mut guard, &order(&sell("61000")), 0, 1);
    placed(&mut guard, &order(&buy("60000")), 0, 2);
    for crossing in
        [buy("61000"), buy("61000.00"), buy("99999"), sell("60000"), sell("1"), market("BUY"), market("SELL")]
    {
        refused_as(&mut guard, &crossing, 1, "/no_self_cross", "self_cross");
    }
    for beside in [buy("60999.99999999"), sell("60000.00000001")] {
        let permit = order(&beside).allowed(&mut guard, 1);
        is_refused(&mut guard, permit);
    }
    drop(order(&buy("99999")).grant("another").allowed(&mut guard, 1));
    let eth = json!({ "symbol": "ETHUSDT", "price": "99999" });
    placed(&mut guard, &order(&eth), 1, 3);
    // Two orders under way at once see one another, and a lost one stays in the way.
    let permit = order(&buy("60500")).allowed(&mut guard, 2);
    refused_as(&mut guard, &sell("60500"), 2, "/no_self_cross", "self_cross");
    guard.settle(permit, Outcome::Unknown);
    refused_as(&mut guard, &sell("60500"), 3, "/no_self_cross", "self_cross");
    // What is cancelled is no longer in the way.
    let permit = about("bn_cancel_order", 1).allowed(&mut guard, 4);
    succeeds(&mut guard, permit, &told(1, "CANCELED", "0"));
    drop(order(&buy("61000")).allowed(&mut guard, 4));
}

fn few_open() -> Guard {
    guard(&desk(&json!({
        "bn_new_order": { "open_orders": [ { "max": 3 }, { "max": 2, "per": "symbol" } ] },
        "bn_cancel_order": {}, "bn_query_order": {}, "bn_open_orders": {}, "bn_cancel_all_orders": {} })))
}

#[test]
fn open_orders_are_capped_by_grant_and_by_symbol() {
    let mut guard = few_open();
    let eth = json!({ "symbol": "ETHUSDT", "price": "2000" });
    placed(&mut guard, &order(&json!({})), 0, 1);
    placed(&mut guard, &order(&json!({})), 0, 2);
    refused_as(&mut guard, &json!({}), 1, "/open_orders/1", "open_orders");
    placed(&mut guard, &order(&eth), 1, 3);
    refused_as(&mut guard, &eth, 1, "/open_orders/0", "open_orders");
    drop(order(&eth).grant("another").allowed(&mut guard, 1));
    // A look tells that one is over.
    let permit = about("bn_query_order", 1).allowed(&mut guard, 2);
    succeeds(&mut guard, permit, &told(1, "FILLED", "0.01"));
    placed(&mut guard, &order(&json!({})), 2, 4);
    refused_as(&mut guard, &json!({}), 3, "/open_orders/0", "open_orders");
    // Neither a status that the manifest does not know nor a look without an answer tells anything.
    let permit = about("bn_query_order", 2).allowed(&mut guard, 3);
    succeeds(&mut guard, permit, &told(2, "SOMETHING", "0"));
    let permit = about("bn_query_order", 2).allowed(&mut guard, 3);
    guard.settle(permit, Outcome::Succeeded);
    refused_as(&mut guard, &json!({}), 3, "/open_orders/0", "open_orders");
    // Nor does a cancel that was lost.
    let permit = about("bn_cancel_order", 2).allowed(&mut guard, 4);
    guard.settle(permit, Outcome::Unknown);
    refused_as(&mut guard, &json!({}), 4, "/open_orders/0", "open_orders");
    let permit = about("bn_cancel_order", 2).allowed(&mut guard, 4);
    guard.settle(permit, Outcome::Succeeded);
    drop(order(&json!({})).allowed(&mut guard, 4));
}

#[test]
fn an_order_that_was_filled_at_once_is_not_open() {
    let mut guard = few_open();
    for n in 0..20 {
        let permit = order(&json!({})).allowed(&mut guard, n);
        succeeds(&mut guard, permit, &told(n, "FILLED", "0.01"));
    }
    // One whose answer nobody sees stays open.
    for _ in 0..2 {
        let permit = order(&json!({})).allowed(&mut guard, 30);
        guard.settle(permit, Outcome::Succeeded);
    }
    refused_as(&mut guard, &json!({}), 30, "/open_orders/1", "open_orders");
}

#[test]
fn a_list_of_open_orders_tells_which_are_over() {
    let mut guard = few_open();
    let list = |guard: &mut Guard, at, items: Value| {
        let permit = ask("bn_open_orders").with(json!({ "symbol": "BTCUSDT" })).allowed(guard, at);
        succeeds(guard, permit, &json!({ "items": items }));
    };
    placed(&mut guard, &order(&json!({})), 0, 1);
    let lost = order(&json!({ "newClientOrderId": "lost" })).allowed(&mut guard, 0);
    guard.settle(lost, Outcome::Unknown);
    // An item that cannot be told apart makes the list one that proves nothing.
    list(&mut guard, 1, json!([{ "symbol": "BTCUSDT" }]));
    refused_as(&mut guard, &json!({}), 1, "/open_orders/1", "open_orders");
    // What is listed is open, and the lost order may still arrive.
    list(&mut guard, 1, json!([told(1, "NEW", "0")]));
    refused_as(&mut guard, &json!({}), 1, "/open_orders/1", "open_orders");
    // A minute later it can arrive no more.
    list(&mut guard, MINUTE + 1, json!([told(1, "NEW", "0")]));
    placed(&mut guard, &order(&json!({})), MINUTE + 1, 3);
    refused_as(&mut guard, &json!({}), MINUTE + 2, "/open_orders/1", "open_orders");
    // A list asked for before an order was confirmed does not speak of it.
    list(&mut guard, MINUTE + 3, json!([]));
    let asked = ask("bn_open_orders").allowed(&mut guard, MINUTE + 3);
    placed(&mut guard, &order(&json!({})), MINUTE + 3, 4);
    placed(&mut guard, &order(&json!({})), MINUTE + 3, 5);
    succeeds(&mut guard, asked, &json!({ "items": [] }));
    refused_as(&mut guard, &json!({}), MINUTE + 3, "/open_orders/1", "open_orders");
    // Cancelling all leaves none.
    let permit = ask("bn_cancel_all_orders").with(json!({ "symbol": "BTCUSDT" })).allowed(&mut guard, MINUTE + 4);
    succeeds(&mut guard, permit, &json!({ "items": [told(4, "CANCELED", "0")] }));
    placed(&mut guard, &order(&json!({})), MINUTE + 4, 6);
    drop(order(&json!({})).allowed(&mut guard, MINUTE + 4));
}

fn half_a_coin() -> Guard {
    guard(&desk(&json!({
        "bn_new_order": { "exposure": [ { "asset": "BTC", "max": "0.5" } ] }, "bn_query_order": {}, "bn_cancel_order": {} })))
}

#[test]
fn exposure_counts_what_was_traded_and_what_may_be() {
    let mut guard = half_a_coin();
    let buy = |quantity: &str| json!({ "quantity": quantity });
    let sell = |quantity: &str| json!({ "quantity": quantity, "side": "SELL" });
    let rule = "/exposure/0";
    refused_as(&mut guard, &buy("0.50000001"), 0, rule, "exposure");
    refused_as(&mut guard, &sell("0.50000001"), 0, rule, "exposure");
    placed(&mut guard, &order(&buy("0.3")), 0, 1);
    refused_as(&mut guard, &buy("0.20000001"), 1, rule, "exposure");
    // An open order to buy makes no room to sell: it may never trade.
    refused_as(&mut guard, &sell("0.50000001"), 1, rule, "exposure");
    // It was filled by a third, then cancelled.
    let permit = about("bn_query_order", 1).allowed(&mut guard, 2);
    succeeds(&mut guard, permit, &told(1, "PARTIALLY_FILLED", "0.1"));
    refused_as(&mut guard, &buy("0.20000001"), 2, rule, "exposure");
    refused_as(&mut guard, &sell("0.60000001"), 2, rule, "exposure");
    let permit = about("bn_cancel_order", 1).allowed(&mut guard, 3);
    succeeds(&mut guard, permit, &told(1, "CANCELED", "0.15"));
    refused_as(&mut guard, &buy("0.35000001"), 4, rule, "exposure");
    refused_as(&mut guard, &sell("0.65000001"), 4, rule, "exposure");
    placed(&mut guard, &order(&sell("0.65")), 4, 2);
    refused_as(&mut guard, &sell("0.00000001"), 5, rule, "exposure");
    // Another asset and another grant have their own.
    placed(&mut guard, &order(&json!({ "symbol": "ETHUSDT", "price": "2000", "quantity": "9" })), 5, 3);
    drop(order(&buy("0.5")).grant("another").allowed(&mut guard, 5));
}

#[test]
fn exposure_of_orders_that_are_not_told_is_held_against_the_grant() {
    let mut guard = half_a_coin();
    let buy = |quantity: &str| json!({ "quantity": quantity });
    let permit = order(&buy("0.3")).allowed(&mut guard, 0);
    guard.settle(permit, Outcome::Unknown);
    refused_as(&mut guard, &buy("0.3"), 1, "/exposure/0", "exposure");
    placed(&mut guard, &order(&buy("0.1")), 1, 7);
    // Cancelled, but how much of it was filled before, nobody says.
    let permit = about("bn_cancel_order", 7).allowed(&mut guard, 2);
    guard.settle(permit, Outcome::Succeeded);
    refused_as(&mut guard, &buy("0.10000001"), 3, "/exposure/0", "exposure");
    let permit = order(&buy("0.1")).allowed(&mut guard, 3);
    is_refused(&mut guard, permit);
    let permit = order(&buy("0.1")).allowed(&mut guard, 3);
    guard.settle(permit, Outcome::NeverSent);
    drop(order(&buy("0.1")).allowed(&mut guard, 3));
}

#[test]
fn exposure_that_cannot_be_told_is_denied() {
    let mut guard = half_a_coin();
    let by_quote =
        json!({ "type": "MARKET", "price": null, "timeInForce": null, "quantity": null, "quoteOrderQty": "9" });
    refused_as(&mut guard, &by_quote, 0, "/exposure/0", "unevaluable");
    refused_as(&mut guard, &json!({ "symbol": "DOGEUSDT" }), 0, "/exposure/0", "unevaluable");
    // An order that cannot be followed is denied by the tool's entry itself.
    for changes in [
        json!({ "side": "buy" }),
        json!({ "side": null }),
        json!({ "quantity": "1e1" }),
        json!({ "quantity": "0.000000001" }),
        json!({ "price": "-1" }),
        json!({ "symbol": 5 }),
        json!({ "newClientOrderId": 5 }),
    ] {
        refused_as(&mut guard, &changes, 0, "", "unevaluable");
    }
}

#[test]
fn cancels_are_set_against_orders_that_traded() {
    let ratio = json!([{ "window": "hour", "max": 2, "free": 3 }]);
    let mut guard = guard(&desk(&json!({ "bn_new_order": { "cancel_to_fill": ratio }, "bn_cancel_order": {},
                                         "bn_query_order": {}, "bn_cancel_all_orders": {} })));
    let place_and_cancel = |guard: &mut Guard, at, id| {
        placed(guard, &order(&json!({})), at, id);
        let permit = about("bn_cancel_order", id).allowed(guard, at);
        succeeds(guard, permit, &told(id, "CANCELED", "0"));
    };
    for n in 0..3 {
        place_and_cancel(&mut guard, n, n);
    }
    let rule = "/cancel_to_fill/0";
    refused_as(&mut guard, &json!({}), 3, rule, "cancel_to_fill");
    // A cancel itself is never denied by it; one that did nothing does not count.
    let permit = about("bn_cancel_order", 99).allowed(&mut guard, 3);
    is_refused(&mut guard, permit);
    // An hour later the first three count no more.
    let hour = 60 * MINUTE;
    for n in 0..3 {
        place_and_cancel(&mut guard, hour + MINUTE + n, 10 + n);
    }
    let at = hour + 2 * MINUTE;
    refused_as(&mut guard, &json!({}), at, rule, "cancel_to_fill");
    // One that traded lets two more be cancelled; told twice, it counts once.
    for _ in 0..2 {
        let permit = about("bn_query_order", 12).allowed(&mut guard, at);
        succeeds(&mut guard, permit, &told(12, "CANCELED", "0.005"));
    }
    place_and_cancel(&mut guard, at, 20);
    place_and_cancel(&mut guard, at, 21);
    refused_as(&mut guard, &json!({}), at, rule, "cancel_to_fill");
    drop(order(&json!({})).grant("another").allowed(&mut guard, at));
}

#[test]
fn what_is_remembered_is_bounded() {
    let tools = json!({ "bn_new_order": { "no_self_cross": true }, "bn_cancel_order": { "own_orders_only": true } });
    let limits = GuardLimits::default().with_orders_max(3).with_grants_max(1);
    let mut guard = Guard::with_limits(policy(&desk(&tools)), limits);
    for id in 0..3 {
        placed(&mut guard, &order(&json!({})), 0, id);
    }
    refused_as(&mut guard, &json!({}), 1, "", "state_full");
    order(&json!({})).grant("another").refused(&mut guard, 1, ORDER, "state_full");
    // Those that are over make room, and are forgotten, oldest first.
    for id in 0..50 {
        let permit = about("bn_cancel_order", id).allowed(&mut guard, 2);
        succeeds(&mut guard, permit, &told(id, "CANCELED", "0"));
        placed(&mut guard, &order(&json!({})), 2, id + 3);
    }
    about("bn_cancel_order", 10).refused(&mut guard, 3, "/tools/bn_cancel_order/own_orders_only", "not_own");
    drop(about("bn_cancel_order", 52).allowed(&mut guard, 3));
}

#[test]
fn distances_are_exact() {
    let rule = |op: &str, percent: &str| {
        json!({ "bn_new_order": { "require": [
            { "path": "facts.price", "op": op, "other": "facts.reference_price", "value": percent } ] } })
    };
    let mut collar = guard(&desk(&rule("within_percent", "5")));
    for (price, passes) in [("71250", true), ("71249.99999999", false), ("78750", true), ("78750.00000001", false)] {
        if passes {
            drop(order(&json!({ "price": price })).allowed(&mut collar, 0));
        } else {
            refused_as(&mut collar, &json!({ "price": price }), 0, "/require/0", "require_failed");
        }
    }
    refused_as(&mut collar, &json!({ "symbol": "DOGEUSDT" }), 0, "/require/0", "unevaluable");
    refused_as(&mut collar, &json!({ "price": "7e4" }), 0, "/require/0", "unevaluable");
    let mut apart = guard(&desk(&rule("beyond_percent", "5")));
    for (price, passes) in [("71250", true), ("71250.00000001", false), ("78750", true), ("78749.99999999", false)] {
        if passes {
            drop(order(&json!({ "price": price })).allowed(&mut apart, 0));
        } else {
            refused_as(&mut apart, &json!({ "price": price }), 0, "/require/0", "require_failed");
        }
    }
}

#[track_caller]
fn refuses(document: &Value, pointer: &str, message: &str) {
    let errors = Policy::parse(&document.to_string()).expect_err("a document that is not valid");
    let found = errors.iter().any(|error| error.pointer() == pointer && error.message().contains(message));
    assert!(found, "no `{message}` at `{pointer}` in:\n{errors}");
}

#[test]
fn rules_that_are_refused() {
    let with = |rules: Value| desk(&json!({ "bn_new_order": rules, "bn_ping": {} }));
    let at = |rest: &str| format!("{ORDER}/{rest}");
    let prior = |tool: &str| json!({ "requires_prior": [ { "tool": tool, "within": 60 } ] });
    refuses(&with(prior("bn_test_order")), &at("requires_prior/0/tool"), "`bn_test_order` may not be called");
    refuses(
        &with(json!({ "requires_prior": [ { "tool": "bn_ping" } ] })),
        &at("requires_prior/0"),
        "`within` is missing",
    );
    refuses(&with(json!({ "own_orders_only": true })), &at("own_orders_only"), "does not say that this tool");
    refuses(&with(json!({ "no_self_cross": false })), &at("no_self_cross"), "the rule is a boolean");
    refuses(&with(json!({ "no_self_cross": { "ondeny": "" } })), &at("no_self_cross/ondeny"), "unknown key");
    refuses(&with(json!({ "open_orders": [ { "max": 5, "per": "account" } ] })), &at("open_orders/0/per"), "no owner");
    refuses(
        &with(json!({ "exposure": [ { "asset": "DOGE", "max": "5" } ] })),
        &at("exposure/0/asset"),
        "trades `DOGE`",
    );
    refuses(
        &with(json!({ "exposure": [ { "asset": "BTC", "max": "0.000000001" } ] })),
        &at("exposure/0/max"),
        "exactly",
    );
    refuses(
        &with(json!({ "cancel_to_fill": [ { "window": "day", "max": 5 } ] })),
        &at("cancel_to_fill/0"),
        "`free` is missing",
    );
    refuses(
        &desk(&json!({ "bn_ping": { "open_orders": [ { "max": 1 } ] } })),
        "/tools/bn_ping/open_orders",
        "does not say",
    );
    let mut both = with(json!({}));
    both["assets"]["ETHBTC"] = json!({ "base": "ETH", "quote": "BTC" });
    refuses(&both, "/assets/ETHBTC", "both traded and paid with");
    for key in ["within_percent", "beyond_percent"] {
        let lone = json!({ "require": [ { "path": "facts.price", "op": key, "value": "5" } ] });
        refuses(&with(lone), &at("require/0"), "a distance needs `other` and `value`");
    }
    let v1 = json!({ "version": "1", "default": "deny", "tools": { "t": { "no_self_cross": true } } });
    assert!(Policy::parse(&v1.to_string()).is_err());
}

#[test]
fn effects_that_are_refused() {
    let tool = |effect: Value| json!({ "version": "2", "default": "deny", "manifest": { "t": { "arguments": ["a"], "effect": effect } }, "tools": {} });
    refuses(&tool(json!({})), "/manifest/t/effect", "exactly one effect");
    refuses(&tool(json!({ "sells": {} })), "/manifest/t/effect/sells", "unknown key");
    refuses(&tool(json!({ "issues_listen_key": {} })), "/manifest/t/effect/issues_listen_key", "`answer` is missing");
    refuses(
        &tool(json!({ "issues_listen_key": { "answer": "listenKey" } })),
        "/manifest/t/effect/issues_listen_key/answer",
        "no JSON pointer",
    );
    refuses(
        &tool(json!({ "closes_listen_key": { "argument": "b" } })),
        "/manifest/t/effect/closes_listen_key/argument",
        "no argument `b`",
    );
    refuses(
        &tool(json!({ "places_order": { "symbol": "a" } })),
        "/manifest/t/effect/places_order",
        "`side` is missing",
    );
}

#[test]
fn time_does_not_run_back_for_what_went_before() {
    let mut guard = test_first();
    let permit = order(&json!({})).named("bn_test_order").allowed(&mut guard, 10 * MINUTE);
    guard.settle(permit, Outcome::Succeeded);
    drop(order(&json!({})).allowed(&mut guard, 5 * SECOND));
}

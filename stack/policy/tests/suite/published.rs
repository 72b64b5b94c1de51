//! Every snippet and promise that was published for version "1" of the language, executed.

use serde_json::json;

use crate::support::{DAY, HOUR, MINUTE, SECOND, admitted, ask, guard, policy};

/// The snippet of the product page for `bn_create_listen_key`, inside the smallest document around it.
fn listen_keys() -> serde_json::Value {
    json!({
        "version": "1",
        "default": "deny",
        "tools": { "bn_create_listen_key": { "limits": [
            { "counter": "bn_create_listen_key_rate", "window": "minute", "max": 30, "scope": "grant" }
        ] } }
    })
}

#[test]
fn the_31st_listen_key_within_a_minute_is_denied() {
    let mut guard = guard(&listen_keys());
    let create = ask("bn_create_listen_key");
    for n in 0..30 {
        let _ = create.allowed(&mut guard, n * SECOND);
    }
    let denial = create.denied(&mut guard, 30 * SECOND);
    assert_eq!(denial.rule, "/tools/bn_create_listen_key/limits/0");
    assert_eq!(denial.reason.code(), "limit_reached");
    assert_eq!(denial.message, "the limit of 30 calls a minute is used up");
    assert_eq!(denial.retry_after_ms, Some(30 * SECOND));
    // The wait is exact: a millisecond earlier is too early.
    create.denied(&mut guard, MINUTE - 1);
    let _ = create.allowed(&mut guard, MINUTE);
    create.denied(&mut guard, MINUTE);
}

#[test]
fn no_rolling_minute_passes_31_listen_keys_wherever_it_starts() {
    // Bursts round the edges of calendar minutes, where a calendar-aligned limit lets twice as many pass.
    for start in [0, MINUTE - 1, MINUTE, 59_900, 29_999, HOUR - 50, DAY - 50] {
        let mut guard = guard(&listen_keys());
        let create = ask("bn_create_listen_key");
        assert_eq!(admitted(&mut guard, &create, (0..100).map(|n| start + n)), 30, "a burst at {start}");
        let later = (0..100).map(|n| start + MINUTE - 1 - 99 + n);
        assert_eq!(admitted(&mut guard, &create, later), 0, "the same minute, from {start}");
        assert_eq!(admitted(&mut guard, &create, [start + MINUTE]), 1, "exactly a minute after the oldest");
    }
}

#[test]
fn a_rolling_minute_under_steady_fire_never_holds_more_than_30() {
    let mut guard = guard(&listen_keys());
    let create = ask("bn_create_listen_key");
    let passed: Vec<u64> = (0..5 * MINUTE)
        .step_by(137)
        .filter(|at| matches!(create.of(&mut guard, *at), mcp_policy::Decision::Allow(_)))
        .collect();
    for (index, first) in passed.iter().enumerate() {
        let held = passed[index..].iter().take_while(|at| **at < first + MINUTE).count();
        assert!(held <= 30, "{held} calls within a minute of {first}");
    }
    assert!(passed.len() >= 5 * 30, "only {} passed in five minutes", passed.len());
}

#[test]
fn the_whole_skeleton_is_accepted() {
    let document = json!({ "version": "1", "default": "deny", "hide": ["delete_account"],
      "all_tools": { "limits": [] },
      "tools": { "create_charge": { "require": [], "deny_if": [], "limits": [] } } });
    let mut guard = guard(&document);
    let _ = ask("create_charge").allowed(&mut guard, 0);
    ask("delete_account").refused(&mut guard, 0, "(hidden)", "hidden");
    ask("something_else").refused(&mut guard, 0, "(default deny)", "unlisted");
    assert!(policy(&document).warnings().is_empty());
}

#[test]
fn default_allow_lets_unlisted_tools_pass() {
    let mut guard = guard(&json!({ "version": "1", "default": "allow", "hide": ["delete_account"] }));
    assert_eq!(ask("anything").allowed(&mut guard, 0).rule(), "/default");
    ask("delete_account").refused(&mut guard, 0, "(hidden)", "hidden");
}

#[test]
fn a_star_hides_every_tool() {
    let document = json!({ "version": "1", "default": "allow", "hide": ["*"], "tools": { "bn_ping": {} } });
    let mut guard = guard(&document);
    for tool in ["bn_ping", "anything"] {
        ask(tool).refused(&mut guard, 0, "(hidden)", "hidden");
        assert!(!guard.visible(tool));
    }
    assert!(policy(&document).warnings().iter().any(|warning| warning.code() == "denies_everything"));
}

#[test]
fn an_empty_entry_allows_a_tool_under_default_deny() {
    let mut guard = guard(&json!({ "version": "1", "default": "deny", "tools": { "bn_ping": {} } }));
    assert_eq!(
        ask("bn_ping").with(json!({"any": [1, {"thing": true}]})).allowed(&mut guard, 0).rule(),
        "/tools/bn_ping"
    );
}

#[test]
fn deny_if_ands_its_conditions_and_speaks_its_message() {
    let mut guard = guard(&json!({ "version": "1", "default": "deny", "tools": { "create_charge": { "deny_if": [
        { "conditions": [ { "path": "args.amount", "op": "gt", "value": 1000 },
                          { "path": "args.currency", "op": "eq", "value": "USD" } ],
          "on_deny": "charges above 1000 USD are made by people" } ] } } }));
    let charge = |amount: serde_json::Value, currency: &str| {
        ask("create_charge").with(json!({"amount": amount, "currency": currency}))
    };
    let _ = charge(json!(1000), "USD").allowed(&mut guard, 0);
    let _ = charge(json!(1001), "EUR").allowed(&mut guard, 0);
    let denial = charge(json!(1001), "USD").denied(&mut guard, 0);
    assert_eq!(denial.rule, "/tools/create_charge/deny_if/0");
    assert_eq!(denial.reason.code(), "deny_if_matched");
    assert_eq!(denial.message, "charges above 1000 USD are made by people");
}

#[test]
fn an_empty_list_of_conditions_always_matches() {
    let mut guard = guard(&json!({ "version": "1", "default": "allow", "tools": { "bn_new_order": { "deny_if": [
        { "conditions": [], "on_deny": "orders need approval" } ] } } }));
    let denial = ask("bn_new_order").denied(&mut guard, 0);
    assert_eq!(denial.message, "orders need approval");
    // The tool stays in the list, as published: only `hide`, the default and `action` take it out.
    assert!(guard.visible("bn_new_order"));
}

#[test]
fn limits_over_all_tools_count_every_call() {
    let mut guard = guard(&json!({ "version": "1", "default": "allow",
        "all_tools": { "limits": [ { "counter": "calls-per-minute", "window": "minute", "max": 3, "scope": "grant" } ] },
        "tools": { "bn_ping": {} } }));
    let _ = ask("bn_ping").allowed(&mut guard, 0);
    let _ = ask("bn_server_time").allowed(&mut guard, 0);
    let _ = ask("other").allowed(&mut guard, 0);
    ask("bn_ping").refused(&mut guard, 0, "/all_tools/limits/0", "limit_reached");
    ask("other").refused(&mut guard, 59_999, "/all_tools/limits/0", "limit_reached");
    let _ = ask("other").allowed(&mut guard, MINUTE);
}

#[test]
fn windows_are_a_minute_an_hour_and_a_day() {
    for (window, length, said) in
        [("minute", MINUTE, "2 calls a minute"), ("hour", HOUR, "2 calls an hour"), ("day", DAY, "2 calls a day")]
    {
        let mut guard = guard(&json!({ "version": "1", "default": "deny", "tools": { "t": { "limits": [
            { "counter": "c", "window": window, "max": 2, "scope": "grant" } ] } } }));
        let start = 1_800_000_000_000;
        assert_eq!(admitted(&mut guard, &ask("t"), [start, start + 1, start + 2, start + length - 1]), 2);
        let denial = ask("t").denied(&mut guard, start + length - 1);
        assert_eq!(denial.retry_after_ms, Some(1));
        assert!(denial.message.contains(said), "{}", denial.message);
        assert_eq!(admitted(&mut guard, &ask("t"), [start + length, start + length]), 1);
    }
}

#[test]
fn rate_limit_is_ten_calls_a_minute_for_each_session() {
    let mut guard = guard(&json!({ "version": "1", "default": "deny", "tools": {
        "bn_open_orders": { "rate_limit": { "max": 10, "window": 60 } } } }));
    let open_orders = ask("bn_open_orders");
    assert_eq!(admitted(&mut guard, &open_orders, 0..11), 10);
    open_orders.refused(&mut guard, 20, "/tools/bn_open_orders/rate_limit", "limit_reached");
    // Tracked per session, and reset by time alone.
    assert_eq!(admitted(&mut guard, &open_orders.clone().session("another"), 21..32), 10);
    assert_eq!(admitted(&mut guard, &open_orders, [MINUTE]), 1);
}

#[test]
fn actions_allow_deny_and_ask_with_their_reason() {
    let mut guard = guard(&json!({ "version": "1", "default": "deny", "tools": {
        "bn_ping": { "action": "allow" },
        "bn_cancel_all_orders": { "action": "deny", "reason": "cancel orders one by one" },
        "bn_new_order": { "action": "require_approval", "reason": "orders are approved by a person" } } }));
    let _ = ask("bn_ping").allowed(&mut guard, 0);
    let denial = ask("bn_cancel_all_orders").denied(&mut guard, 0);
    assert_eq!(denial.rule, "/tools/bn_cancel_all_orders/action");
    assert_eq!((denial.reason.code(), denial.message.as_str()), ("action_denied", "cancel orders one by one"));
    let escalation = ask("bn_new_order").escalated(&mut guard, 0);
    assert_eq!(escalation.rule, "/tools/bn_new_order/action");
    assert_eq!(escalation.message, "orders are approved by a person");
    assert_eq!(escalation.public().reason, "approval_required");
}

#[test]
fn default_deny_with_only_hide_denies_everything_and_says_so() {
    let document = json!({ "version": "1", "default": "deny", "hide": ["bn_cancel_order", "bn_cancel_all_orders"] });
    let policy = policy(&document);
    let [warning] = policy.warnings() else { panic!("{:?}", policy.warnings()) };
    assert_eq!((warning.code(), warning.pointer()), ("denies_everything", "/default"));
    assert!(warning.message().contains("not only the hidden ones"), "{warning}");
    let mut guard = mcp_policy::Guard::new(policy);
    ask("bn_ping").refused(&mut guard, 0, "(default deny)", "unlisted");
}

#[test]
fn a_grant_without_a_policy_denies_everything() {
    let mut guard = mcp_policy::Guard::without_policy();
    ask("bn_ping").refused(&mut guard, 0, "(no policy)", "no_policy");
    assert!(!guard.visible("bn_ping"));
}

#[test]
fn the_published_classes_of_the_23_tools_are_one_document() {
    let read = json!({});
    let write = |tool: &str| {
        json!({ "limits": [
        { "counter": format!("{tool}_rate"), "window": "minute", "max": 30, "scope": "grant" } ] })
    };
    let mut tools = serde_json::Map::new();
    for tool in [
        "bn_ping",
        "bn_server_time",
        "bn_exchange_info",
        "bn_order_book",
        "bn_recent_trades",
        "bn_aggregate_trades",
        "bn_klines",
        "bn_avg_price",
        "bn_ticker_24hr",
        "bn_ticker_price",
        "bn_book_ticker",
        "bn_test_order",
        "bn_query_order",
        "bn_all_orders",
        "bn_my_trades",
        "bn_account_info",
    ] {
        tools.insert(tool.to_owned(), read.clone());
    }
    for tool in ["bn_open_orders", "bn_create_listen_key", "bn_keepalive_listen_key", "bn_close_listen_key"] {
        tools.insert(tool.to_owned(), write(tool));
    }
    tools
        .insert("bn_new_order".to_owned(), json!({ "deny_if": [ { "conditions": [], "on_deny": "needs approval" } ] }));
    let document = json!({ "version": "1", "default": "deny", "hide": ["bn_cancel_order", "bn_cancel_all_orders"],
        "tools": tools });
    let policy = policy(&document);
    assert!(policy.warnings().is_empty(), "{:?}", policy.warnings());
    let mut guard = mcp_policy::Guard::new(policy);
    assert_eq!(admitted(&mut guard, &ask("bn_account_info"), 0..100), 100);
    assert_eq!(admitted(&mut guard, &ask("bn_open_orders"), 0..100), 30);
    assert_eq!(admitted(&mut guard, &ask("bn_create_listen_key"), 0..100), 30);
    ask("bn_new_order").refused(&mut guard, 0, "/tools/bn_new_order/deny_if/0", "deny_if_matched");
    ask("bn_cancel_order").refused(&mut guard, 0, "(hidden)", "hidden");
}

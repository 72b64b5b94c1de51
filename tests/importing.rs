//! `rogue policy import`: documents of version "1" and of Intercept as documents of version "2", which decide alike.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use rogue_harness::mcp_policy::{Call, Decision, Guard, Outcome, Policy, Timestamp};
use rogue_harness::policy::{import, shipped_tools, tools_of};
use serde_json::{Map, Value, json};

/// The imported document, which says nothing that the reader refuses.
fn imported(name: &str, source: &str) -> String {
    import(Path::new(name), source, None).unwrap_or_else(|problems| panic!("{problems:?}\n{source}")).text
}

/// What became of a call: its verdict and the rule that decided.
fn decide(guard: &mut Guard, call: &Call<'_>, at: u64, outcome: Outcome) -> (&'static str, String) {
    match guard.admit(call, Timestamp::from_millis(at)) {
        Decision::Allow(permit) => {
            let rule = permit.rule().to_owned();
            guard.settle(permit, outcome);
            ("allow", rule)
        }
        Decision::Deny(denial) => ("deny", denial.rule),
        Decision::Escalate(escalation) => ("ask", escalation.rule),
    }
}

const TOOLS: [(&str, &[&str]); 5] = [
    ("bn_new_order", &["symbol", "side", "quantity", "price", "newClientOrderId"]),
    ("bn_order_book", &["symbol", "limit"]),
    ("bn_cancel_order", &["symbol", "orderId"]),
    ("bn_ping", &["_fields"]),
    ("bn_klines", &["symbol", "interval", "limit"]),
];

fn argument_value() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!("BTCUSDT"),
        json!("ETHUSDT"),
        json!("BUY"),
        json!("0.5"),
        json!("0.50"),
        json!(1),
        json!("1"),
        json!(100),
        json!("-1"),
        json!("1e3"),
        json!(true),
        json!(null),
        json!([]),
        json!(["BTCUSDT"]),
        json!({ "a": 1 }),
        json!(""),
    ])
}

fn condition(arguments: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let scalar =
        prop::sample::select(vec![json!("BTCUSDT"), json!("0.5"), json!(1), json!(true), json!("BUY"), json!(null)]);
    let path = prop::sample::select(arguments.to_vec()).prop_map(|name| format!("args.{name}"));
    let test = prop_oneof![
        (prop::sample::select(vec!["eq", "neq", "contains"]), scalar.clone()),
        (prop::sample::select(vec!["in", "not_in"]), prop::collection::vec(scalar, 0..3).prop_map(Value::Array)),
        (
            prop::sample::select(vec!["lt", "lte", "gt", "gte"]),
            prop::sample::select(vec![json!("0.5"), json!(1), json!("100"), json!(0)])
        ),
        (Just("regex"), prop::sample::select(vec![json!("^BTC"), json!("USDT$"), json!("0")])),
        (Just("exists"), any::<bool>().prop_map(Value::from)),
    ];
    (path, test).prop_map(|(path, (op, value))| json!({ "path": path, "op": op, "value": value }))
}

fn limit() -> impl Strategy<Value = Value> {
    let windows = prop::sample::select(vec![json!("minute"), json!("hour"), json!(7)]);
    let scopes = prop::sample::select(vec!["grant", "session"]);
    // One name is one counter, which counts alike wherever it is met; so is its definition in its name.
    (windows, 0_u64..4, scopes).prop_map(|(window, max, scope)| {
        json!({ "counter": format!("{window} {max} {scope}"), "window": window, "max": max, "scope": scope })
    })
}

fn entry(arguments: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let rules = prop::collection::vec(prop::collection::vec(condition(arguments), 0..3), 0..2);
    let limits = prop::collection::vec(limit(), 0..2);
    let rate = prop::option::of((1_u64..4, prop::sample::select(vec![json!(5), json!("minute")])));
    let action = prop::sample::select(vec!["allow", "allow", "allow", "deny", "require_approval"]);
    (rules, prop::collection::vec(condition(arguments), 0..2), limits, rate, action).prop_map(
        |(rules, require, limits, rate, action)| {
            let deny_if: Vec<Value> = rules.into_iter().map(|conditions| json!({ "conditions": conditions })).collect();
            let mut entry = json!({ "deny_if": deny_if, "require": require, "limits": limits, "action": action });
            if let Some((max, window)) = rate {
                entry["rate_limit"] = json!({ "max": max, "window": window });
            }
            entry
        },
    )
}

fn document() -> impl Strategy<Value = Value> {
    let entries: Vec<_> = TOOLS.iter().map(|(_, arguments)| prop::option::of(entry(arguments)).boxed()).collect();
    let hidden = prop::collection::btree_set(prop::sample::select(vec!["bn_ping", "bn_klines", "bn_all_orders"]), 0..2);
    (entries, prop::collection::vec(limit(), 0..2), hidden, prop::sample::select(vec!["deny", "deny", "allow"])).prop_map(
        |(entries, all_tools, hidden, default)| {
            let named = TOOLS.iter().zip(entries).filter_map(|((name, _), entry)| Some(((*name).to_owned(), entry?)));
            let tools: Map<String, Value> = named.collect();
            json!({ "version": "1", "default": default, "hide": hidden, "all_tools": { "limits": all_tools }, "tools": tools })
        },
    )
}

type Made = (usize, Vec<(usize, Value)>, u64, u8, u8);

fn calls() -> impl Strategy<Value = Vec<Made>> {
    let arguments = prop::collection::vec((0_usize..8, argument_value()), 0..4);
    prop::collection::vec((0_usize..TOOLS.len(), arguments, 0_u64..20_000, 0_u8..4, 0_u8..3), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(400), ..ProptestConfig::default() })]

    /// With arguments that the tools have, an imported document decides as its original did, by the same rule.
    #[test]
    fn a_document_of_version_1_decides_as_before(document in document(), calls in calls(), undeclared in any::<bool>()) {
        let source = document.to_string();
        // A counter may be met twice with different numbers, which is an error in both versions.
        let Ok(before) = Policy::parse(&source) else { return Ok(()) };
        let text = imported("policy.json", &source);
        let after = Policy::parse(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        let (mut before, mut after) = (Guard::new(before), Guard::new(after));
        let mut now = 0;
        for (tool, given, later, who, outcome) in calls {
            let Some((tool, names)) = TOOLS.get(tool) else { continue };
            let mut arguments = Map::new();
            for (index, value) in given {
                if let Some(name) = names.get(index) {
                    arguments.insert((*name).to_owned(), value);
                }
            }
            if undeclared {
                arguments.insert("leverage".to_owned(), json!("100"));
            }
            now += later;
            let grant = if who % 2 == 0 { "desk" } else { "other" };
            let session = if who < 2 { "one" } else { "two" };
            let outcome = [Outcome::Succeeded, Outcome::Failed, Outcome::NeverSent][usize::from(outcome)];
            let call = Call { tool, arguments: &arguments, grant, session };
            let (was, is) = (decide(&mut before, &call, now, outcome), decide(&mut after, &call, now, outcome));
            if undeclared {
                prop_assert_eq!(is.0, "deny", "{} {:?}\n{}", tool, arguments, text);
            } else {
                // Where `default` let a tool through there is an entry now.
                let named = was.1.starts_with('/') && was.1 != "/default";
                prop_assert_eq!(was.0, is.0, "{} {:?}: {} and {}\n{}\n{}", tool, arguments, was.1, is.1, source, text);
                prop_assert!(!named || was.1 == is.1, "{} and {}", was.1, is.1);
            }
        }
    }
}

#[test]
fn the_shipped_documents_of_version_1_are_imported_and_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/policies");
    let mut count = 0;
    for file in std::fs::read_dir(folder).expect("a folder") {
        let path = file.expect("a file").path();
        let source = std::fs::read_to_string(&path).expect("text");
        let is_first = source.contains("\"version\": \"1\"") && path.extension().is_some_and(|end| end == "json");
        if !is_first {
            continue;
        }
        count += 1;
        let text = imported(&path.to_string_lossy(), &source);
        let policy = Policy::parse(&text).unwrap_or_else(|errors| panic!("{}: {errors}", path.display()));
        assert_eq!(policy.warnings(), [], "{}", path.display());
    }
    assert!(count >= 5, "{count}");
}

const INTERCEPT: &str = r#"
version: "1"
description: what a shop's agent may do
default: deny
hide: [delete_account]
tools:
  create_charge:
    rules:
      - name: a charge is small
        conditions:
          - { path: args.amount, op: lte, value: 5000 }
          - { path: args.currency, op: in, value: [usd, eur] }
        on_deny: at most 50 dollars
      - name: so much a day
        conditions: [{ path: state.create_charge.spent, op: lte, value: 12000 }]
        state: { counter: spent, window: day, increment_from: args.amount }
        on_deny: enough for today
      - rate_limit: 4/minute
  get_invoice:
    rules: [{ conditions: [{ path: state.get_invoice.reads, op: lt, value: 3 }], state: { counter: reads, window: hour } }]
  delete_customer:
    rules: [{ action: deny, on_deny: never }]
  refund:
    rules: [{ action: require_approval, on_deny: a person looks }]
  list_products: {}
  "*":
    rules: [{ rate_limit: 20/minute }]
"#;

#[test]
fn a_document_of_intercept_says_the_same_in_version_2() {
    let text = imported("intercept.yaml", INTERCEPT);
    let mut guard = Guard::new(Policy::parse(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}")));
    let charge = |amount: Value| json!({ "amount": amount, "currency": "usd" });
    let steps: Vec<(u64, &str, Value, &str)> = vec![
        (0, "create_charge", charge(json!(5000)), "allow"),
        (1, "create_charge", charge(json!(5001)), "/tools/create_charge/require/0"),
        (2, "create_charge", json!({ "amount": 10, "currency": "gbp" }), "/tools/create_charge/require/0"),
        // What that proxy let pass: signs, huge numbers, what is missing, what no rule speaks of.
        (3, "create_charge", charge(json!(-100_000)), "deny"),
        (4, "create_charge", charge(json!(1e30)), "deny"),
        (5, "create_charge", json!({ "currency": "usd" }), "deny"),
        (6, "create_charge", json!({ "amount": 10, "currency": "usd", "Amount": 1 }), "deny"),
        (7, "create_charge", charge(json!(5000)), "allow"),
        (8, "create_charge", charge(json!(2001)), "/tools/create_charge/limits/0"),
        (9, "create_charge", charge(json!(1000)), "allow"),
        (10, "create_charge", charge(json!(100)), "allow"),
        (11, "create_charge", charge(json!(100)), "/tools/create_charge/limits/1"),
        (12, "delete_customer", json!({}), "/tools/delete_customer/action"),
        (13, "refund", json!({}), "ask"),
        (14, "list_products", json!({}), "allow"),
        (15, "get_invoice", json!({}), "allow"),
        (16, "get_invoice", json!({}), "allow"),
        (17, "get_invoice", json!({}), "/tools/get_invoice/limits/0"),
        (18, "delete_account", json!({}), "(hidden)"),
        (19, "anything_else", json!({}), "(default deny)"),
    ];
    for (at, tool, arguments, expected) in steps {
        let arguments = arguments.as_object().expect("an object").clone();
        // By two grants in turn: its counters are one for everybody.
        let grant = if at % 2 == 0 { "desk" } else { "other" };
        let call = Call { tool, arguments: &arguments, grant, session: "one" };
        let (verdict, rule) = decide(&mut guard, &call, at, Outcome::Succeeded);
        assert!(expected == verdict || (verdict == "deny" && expected == rule), "{at}: {verdict} by {rule}\n{text}");
    }
    for remark in ["// what a shop's agent may do", "// so much a day. ", "FILL IN: the tool's other arguments"] {
        assert!(text.contains(remark), "{remark}\n{text}");
    }
    // With the tools of the server at hand nothing is left open.
    let tools = r#"[{"name":"create_charge","inputSchema":{"properties":{"amount":{},"currency":{},"note":{}}}},
        {"name":"get_invoice"},{"name":"delete_customer"},{"name":"refund"},{"name":"list_products"}]"#;
    let with_tools = import(Path::new("i.yaml"), INTERCEPT, Some(&tools_of(tools).expect("tools"))).expect("a policy");
    assert!(with_tools.warnings.is_empty() && with_tools.text.contains("\"note\""), "{}", with_tools.text);
}

/// Nothing is dropped: what is not understood is an error with its line.
#[test]
fn what_is_not_understood_is_an_error_at_its_place() {
    for (from, to, line, says) in [
        ("default: deny", "", 2, "there, that allows them"),
        ("default: deny", "default: maybe", 4, "neither `deny` nor `allow`"),
        ("hide:", "hidden:", 5, "`hidden` is not understood here"),
        ("    rules:\n      - name: a charge", "    ruels:\n      - name: a charge", 8, "did you mean `rules`?"),
        ("on_deny: at most", "on_denied: at most", 13, "`on_denied` is not understood here"),
        ("op: lte, value: 5000", "op: less, value: 5000", 11, "`less` is no operator"),
        ("op: lte, value: 5000", "op: lte, valu: 5000", 11, "did you mean `value`?"),
        ("path: args.amount, op", "path: amount, op", 11, "not about an argument"),
        ("4/minute", "4/second", 18, "no rate"),
        ("window: day", "window: week", 16, "the window is not understood"),
        (
            "state: { counter: spent, window: day, increment_from: args.amount }",
            "",
            14,
            "in which this rule counts nothing",
        ),
        ("state.create_charge.spent", "state.refund.spent", 15, "is not the counter in which the rule counts"),
        ("op: lte, value: 12000", "op: gte, value: 12000", 15, "may come to is not understood"),
        ("op: lte, value: 12000", "op: lt, value: 12000", 15, "may come to is not understood"),
        ("increment_from: args.amount", "increment_from: amount", 16, "is no argument"),
        ("increment_from: args.amount", "increment: 5", 16, "one by one"),
        ("action: deny", "action: block", 22, "no action that is understood"),
        ("action: deny, on_deny: never", "action: deny, rate_limit: 1/hour", 22, "one of them"),
        ("\"*\":", "\"create_*\":", 26, "only `*` for all tools"),
        ("rate_limit: 20/minute", "action: deny", 26, "only how often they are called"),
        ("value: [usd, eur]", "value: [[usd]]", 0, "cannot be said in version 2"),
        ("default: deny", "default: allow", 0, "hand over the server's answer"),
        ("a charge is small", "a charge is small\n        name: twice", 0, "the key stands twice"),
    ] {
        assert_eq!(INTERCEPT.matches(from).count(), 1, "{from}");
        let problems = import(Path::new("i.yaml"), &INTERCEPT.replace(from, to), None).expect_err(to);
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let found = told
            .iter()
            .any(|problem| problem.contains(says) && (line == 0 || problem.contains(&format!("i.yaml:{line}:"))));
        assert!(found, "{to}: {told:#?}");
    }
    let counting = INTERCEPT
        .replace("conditions: [{ path: state.create_charge.spent, op: lte, value: 12000 }]", "rate_limit: 1/day");
    let problems = import(Path::new("i.yaml"), &counting, None).expect_err("a counter without a comparison");
    assert!(problems.iter().any(|problem| problem.message().contains("compares with nothing")), "{problems:?}");
}

#[test]
fn what_was_allowed_by_default_is_listed() {
    let source = r#"{ "version": "1", "default": "allow", "hide": ["bn_cancel_all_orders"],
        "tools": { "bn_new_order": { "deny_if": [
            { "conditions": [{ "path": "args.leverage", "op": "exists" }] },
            { "conditions": [{ "path": "args.symbol", "op": "neq", "value": "BTCUSDT" }] } ] } } }"#;
    let import = import(Path::new("p.json"), source, None).expect("a policy");
    let listed = shipped_tools().iter().filter(|tool| import.text.contains(&format!("\"{}\"", tool.name))).count();
    assert_eq!(listed, 23, "{}", import.text);
    assert!(import.text.contains("No rule is needed against `leverage`"), "{}", import.text);
    assert!(import.text.contains("\"manifest\": \"binance-mcp\""), "{}", import.text);
    assert!(
        import.warnings.iter().any(|warning| warning.message().contains("21 tools are allowed")),
        "{:?}",
        import.warnings
    );
}

#[test]
fn the_command_writes_the_document_and_tells_what_to_look_at() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("intercept.yaml");
    std::fs::write(&file, INTERCEPT).expect("a file");
    let import = |file: &Path| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_rogue")).args(["policy", "import"]).arg(file).output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, told, warned) = import(&file);
    assert_eq!(code, Some(0), "{warned}");
    assert_eq!(told, imported("intercept.yaml", INTERCEPT));
    assert!(warned.contains("intercept.yaml:7:3") && warned.contains("warning"), "{warned}");
    std::fs::write(&file, told).expect("a file");
    let (code, told, errors) = import(&file);
    assert!(code == Some(65) && told.is_empty(), "{told}{errors}");
}

//! What passes beside calls of tools.

use mcp_policy::{Guard, Message, Passage, Policy, Sender};
use proptest::prelude::*;
use serde_json::{Value, json};

fn document(methods: &Value) -> Value {
    json!({ "version": "2", "default": "deny", "manifest": "binance-mcp", "tools": {}, "methods": methods })
}

fn guard(document: &Value) -> Guard {
    Guard::new(Policy::parse(&document.to_string()).unwrap_or_else(|errors| panic!("{errors}")))
}

/// What a guard says, as text: `free`, `ruled RULE`, `shadow REASON` or `REASON RULE`.
fn said(guard: &Guard, sender: Sender, method: &str, names: Option<&str>, halted: bool) -> String {
    match guard.judge_message(&Message { sender, method, names }, halted) {
        Passage::Unruled => "unruled".to_owned(),
        Passage::Free => "free".to_owned(),
        Passage::Ruled { shadow: Some(denial), rule } => format!("shadow {rule} {}", denial.reason),
        Passage::Ruled { rule, .. } => format!("ruled {rule}"),
        Passage::Denied(denial) => format!("{} {}", denial.reason, denial.rule),
        other => panic!("{other:?}"),
    }
}

fn of_client(guard: &Guard, method: &str, names: Option<&str>) -> String {
    said(guard, Sender::Client, method, names, false)
}

#[test]
fn a_document_without_the_section_rules_tools_alone() {
    let without = json!({ "version": "2", "default": "deny", "manifest": "binance-mcp", "tools": {} });
    let version_1 = json!({ "version": "1", "default": "allow" });
    for document in [without, version_1] {
        let guard = guard(&document);
        for method in ["ping", "resources/read", "prompts/get", "anything"] {
            assert_eq!(of_client(&guard, method, None), "unruled");
        }
    }
    let message = Message { sender: Sender::Client, method: "ping", names: None };
    let none = Guard::without_policy().judge_message(&message, false);
    assert!(matches!(&none, Passage::Denied(denial) if denial.rule == "(no policy)"), "{none:?}");
}

#[test]
fn the_section_belongs_to_version_2_and_to_the_document_itself() {
    let old = json!({ "version": "1", "default": "deny", "methods": { "resources/*": "allow" } });
    let errors = Policy::parse(&old.to_string()).unwrap_err().to_string();
    assert!(errors.contains("unknown key `methods`"), "{errors}");
    let whole = json!({ "version": "2", "default": "deny", "manifest": "binance-mcp", "include": ["part.json"] });
    let part = json!({ "methods": { "resources/*": "allow" } }).to_string();
    let errors = Policy::parse_with(&whole.to_string(), &|_| Ok(part.clone())).unwrap_err().to_string();
    assert!(errors.contains("unknown key `methods`"), "{errors}");
}

#[test]
fn the_preset_passes_what_a_session_needs_and_nothing_else() {
    let guard = guard(&document(&json!({})));
    for method in [
        "initialize",
        "server/discover",
        "ping",
        "notifications/initialized",
        "notifications/cancelled",
        "tools/list",
        "tools/call",
        "notifications/progress",
    ] {
        assert_eq!(of_client(&guard, method, None), "free", "{method}");
        assert_eq!(said(&guard, Sender::Client, method, None, true), "free", "{method}, halted");
    }
    for method in [
        "ping",
        "notifications/cancelled",
        "notifications/progress",
        "notifications/message",
        "notifications/tools/list_changed",
    ] {
        assert_eq!(said(&guard, Sender::Server, method, None, false), "free", "{method}");
        assert_eq!(said(&guard, Sender::Server, method, None, true), "free", "{method}, halted");
    }
    for method in ["resources/list", "prompts/get", "completion/complete", "logging/setLevel", "tasks/get", ""] {
        assert_eq!(of_client(&guard, method, Some("x")), "unlisted (default deny)", "{method}");
    }
    for method in ["sampling/createMessage", "roots/list", "elicitation/create", "notifications/resources/updated"] {
        assert_eq!(said(&guard, Sender::Server, method, None, false), "unlisted (default deny)", "{method}");
    }
}

#[test]
fn whoever_may_not_send_a_method_may_not_send_it_allowed_or_not() {
    let guard = guard(&document(&json!({ "*": "allow" })));
    assert_eq!(said(&guard, Sender::Server, "sampling/createMessage", None, false), "ruled /methods/*");
    assert_eq!(of_client(&guard, "sampling/createMessage", None), "unlisted (default deny)");
    assert_eq!(said(&guard, Sender::Server, "resources/read", None, false), "unlisted (default deny)");
    assert_eq!(said(&guard, Sender::Server, "tools/call", None, false), "unlisted (default deny)");
    // What the protocol does not have is meant by no pattern.
    assert_eq!(of_client(&guard, "resources/write", None), "unlisted (default deny)");
    assert_eq!(of_client(&guard, "Resources/Read", None), "unlisted (default deny)");
}

#[test]
fn the_exact_name_before_the_longest_pattern() {
    let guard = guard(&document(&json!({
        "*": "deny", "resources/*": "allow", "resources/sub*": "hide", "resources/subscribe": "allow",
        "notifications/message": { "action": "deny", "reason": "logs stay where they are" }
    })));
    for (method, told) in [
        ("resources/read", "ruled /methods/resources~1*"),
        ("resources/templates/list", "ruled /methods/resources~1*"),
        ("resources/subscribe", "ruled /methods/resources~1subscribe"),
        ("resources/unsubscribe", "ruled /methods/resources~1*"),
        ("prompts/list", "action_denied /methods/*"),
        ("ping", "free"),
        ("tools/call", "free"),
        ("notifications/progress", "action_denied /methods/*"),
    ] {
        assert_eq!(of_client(&guard, method, None), told, "{method}");
    }
    let told =
        guard.judge_message(&Message { sender: Sender::Server, method: "notifications/message", names: None }, false);
    assert!(matches!(&told, Passage::Denied(denial) if denial.message == "logs stay where they are"), "{told:?}");
}

#[test]
fn only_what_is_named_passes_by_bytes() {
    let guard = guard(&document(&json!({
        "prompts/get": { "only": ["summary", "daily_*"] },
        "resources/read": { "only": ["file:///srv/public/*"], "reason": "what is public" }
    })));
    let allowed = "ruled /methods/prompts~1get";
    let refused = "require_failed /methods/prompts~1get/only";
    for (name, told) in [
        (Some("summary"), allowed),
        (Some("daily_report"), allowed),
        (Some("Summary"), refused),
        (Some("summary2"), refused),
        (Some("daily"), refused),
        (Some(""), refused),
        (None, "unevaluable /methods/prompts~1get/only"),
    ] {
        assert_eq!(of_client(&guard, "prompts/get", name), told, "{name:?}");
    }
    for (address, passes) in [
        ("file:///srv/public/a.txt", true),
        ("file:///srv/public/a%20b.txt", true),
        ("file:///srv/public/../secret", false),
        ("file:///srv/public/%2e%2E/secret", false),
        ("file:///srv/public/..%2Fsecret", false),
        ("file:///srv/publicity", false),
        ("FILE:///srv/public/a.txt", false),
    ] {
        let told = of_client(&guard, "resources/read", Some(address));
        assert_eq!(told.starts_with("ruled"), passes, "{address}: {told}");
    }
}

#[test]
fn the_kill_switch_stops_all_but_the_preset() {
    let guard = guard(&document(&json!({ "*": "allow" })));
    for (sender, method) in [
        (Sender::Client, "resources/read"),
        (Sender::Client, "logging/setLevel"),
        (Sender::Server, "sampling/createMessage"),
    ] {
        assert_eq!(said(&guard, sender, method, None, true), "halted (halted)", "{method}");
    }
    assert_eq!(said(&guard, Sender::Server, "notifications/message", None, true), "ruled /methods/*");
}

#[test]
fn in_shadow_it_passes_and_is_told() {
    let mut shadow = document(&json!({ "prompts/*": "deny" }));
    shadow["shadow"] = json!(true);
    let guard = guard(&shadow);
    assert_eq!(of_client(&guard, "prompts/get", None), "shadow /shadow action_denied");
    assert_eq!(of_client(&guard, "resources/read", None), "shadow /shadow unlisted");
    assert_eq!(of_client(&guard, "made/up", None), "unlisted (default deny)");
    assert_eq!(said(&guard, Sender::Client, "prompts/get", None, true), "halted (halted)");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (methods, told) in [
        (json!({ "resorces/read": "allow" }), "unknown method `resorces/read`; did you mean `resources/read`?"),
        (
            json!({ "tools/call": "deny" }),
            "`tools/call` always passes; leave it out: `tools`, `hide` and `default` rule",
        ),
        (json!({ "ping": "deny" }), "`ping` always passes; leave it out: without it there is no session"),
        (json!({ "tools/*": "deny" }), "no method that is ruled here begins with `tools/`"),
        (json!({ "prompts/list": { "only": ["a"] } }), "not every message that this entry rules names"),
        (json!({ "prompts/*": { "only": ["a"] } }), "not every message that this entry rules names"),
        (json!({ "prompts/get": { "action": "deny", "only": ["a"] } }), "`only` says what is allowed"),
        (json!({ "prompts/get": { "only": ["*"] } }), "`*` allows everything"),
        (json!({ "prompts/get": { "only": [] } }), "`only` is empty"),
        (json!({ "prompts/get": {} }), "`action` is missing"),
        (json!({ "prompts/get": "alow" }), "`alow` is no action; did you mean `allow`?"),
    ] {
        let errors = Policy::parse(&document(&methods).to_string()).unwrap_err().to_string();
        assert!(errors.contains(told), "{methods}: {errors}");
    }
    // That no tool is listed is said as well.
    let codes = |methods: &Value| -> Vec<&str> {
        let policy = Policy::parse(&document(methods).to_string()).unwrap();
        policy.warnings().iter().map(mcp_policy::Warning::code).filter(|code| *code != "denies_everything").collect()
    };
    let covered = json!({ "prompts/list": "allow", "prompts/get": "allow", "prompts/*": "deny" });
    assert_eq!(codes(&covered), ["never_matches"]);
    let reason = json!({ "prompts/get": { "action": "allow", "reason": "x" } });
    assert_eq!(codes(&reason), ["reason_without_effect"]);
}

/// A second implementation, straight from the document.
fn naive(document: &Value, sender: Sender, method: &str, names: Option<&str>, halted: bool) -> String {
    let always = ["initialize", "server/discover", "notifications/initialized", "tools/list", "tools/call"];
    let client = [
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "resources/subscribe",
        "resources/unsubscribe",
        "prompts/list",
        "prompts/get",
        "completion/complete",
        "logging/setLevel",
        "notifications/roots/list_changed",
    ];
    let server = [
        "sampling/createMessage",
        "elicitation/create",
        "notifications/elicitation/complete",
        "roots/list",
        "notifications/resources/list_changed",
        "notifications/resources/updated",
        "notifications/prompts/list_changed",
    ];
    let from_client = sender == Sender::Client;
    if ["ping", "notifications/cancelled"].contains(&method) || (from_client && always.contains(&method)) {
        return "free".to_owned();
    }
    let news = method == "notifications/progress"
        || (!from_client && ["notifications/message", "notifications/tools/list_changed"].contains(&method));
    let denied_by_preset = if from_client { client.contains(&method) } else { server.contains(&method) };
    if !news && !denied_by_preset {
        return "unlisted (default deny)".to_owned();
    }
    if halted && !news {
        return "halted (halted)".to_owned();
    }
    let entries = document["methods"].as_object().unwrap();
    let mut key = entries.contains_key(method).then(|| method.to_owned());
    for length in 0..=method.len() {
        let pattern = format!("{}*", &method[..length]);
        if !entries.contains_key(method) && entries.contains_key(&pattern) {
            key = Some(pattern);
        }
    }
    let denial = match key {
        None if news => return "free".to_owned(),
        None => "unlisted (default deny)".to_owned(),
        Some(key) => {
            let entry = &entries[&key];
            let rule = format!("/methods/{}", key.replace('/', "~1"));
            let word = entry.as_str().or_else(|| entry["action"].as_str()).unwrap_or("allow");
            match (word, entry["only"].as_array(), names) {
                ("deny", ..) => format!("action_denied {rule}"),
                ("hide", ..) => format!("hidden {rule}"),
                (_, Some(_), None) => format!("unevaluable {rule}/only"),
                (_, Some(only), Some(name))
                    if !only.iter().any(|one| match one.as_str().unwrap().split_once('*') {
                        Some((begin, _)) => name.starts_with(begin) && !name.contains(".."),
                        None => one == name,
                    }) =>
                {
                    format!("require_failed {rule}/only")
                }
                _ => return format!("ruled {rule}"),
            }
        }
    };
    if document["shadow"] == json!(true) {
        return format!("shadow /shadow {}", denial.split(' ').next().unwrap());
    }
    denial
}

proptest! {
    #[test]
    fn the_guard_decides_about_methods_as_a_second_implementation_does(
        entries in prop::collection::btree_map(
            prop::sample::select(vec![
                "*", "r*", "resources/*", "resources/read", "resources/subscribe", "prompts/*", "prompts/get", "notifications/*",
                "notifications/message", "notifications/progress", "notifications/resources/*", "sampling/*", "roots/list", "e*",
            ]),
            0_u8..5,
            0..6,
        ),
        shadow in any::<bool>(),
        halted in any::<bool>(),
        made_up in "[a-z]{1,6}/[a-z]{1,6}",
    ) {
        let naming = ["resources/read", "resources/subscribe", "prompts/get", "notifications/resources/updated"];
        let mut methods = serde_json::Map::new();
        for (name, kind) in entries {
            let entry = match kind {
                0 => json!("allow"),
                1 => json!("deny"),
                2 => json!("hide"),
                3 if naming.contains(&name) => json!({ "only": ["one", "two/*"] }),
                _ => json!({ "action": "deny", "reason": "no" }),
            };
            methods.insert(name.to_owned(), entry);
        }
        let mut document = document(&Value::Object(methods));
        document["shadow"] = json!(shadow);
        let guard = guard(&document);
        let known = mcp_policy::methods().map(|(_, method)| method).chain([made_up.as_str(), "tasks/get"]);
        for method in known {
            for sender in [Sender::Client, Sender::Server] {
                for names in [None, Some("one"), Some("two"), Some("two/x"), Some("two/../x")] {
                    let told = said(&guard, sender, method, names, halted);
                    prop_assert_eq!(&told, &naive(&document, sender, method, names, halted), "{} {:?}", method, names);
                }
            }
        }
    }
}

//! The weakenings of a whole document.

use serde_json::{Map, Value, json};

use super::change::{Change, Kind};
use super::conditions::{Toward, further, weaker};
use super::document::Document;
use crate::pointer::below;
use crate::soft;

/// Keys of a tool, and of `all_tools`, that hold lists of rules of which each refuses by itself.
const LISTS: [&str; 10] = [
    "deny_if",
    "require",
    "approve_if",
    "limits",
    "requires_prior",
    "open_orders",
    "exposure",
    "cancel_to_fill",
    "cooldown",
    "error_streak",
];

/// Rules that are just on.
const SWITCHES: [&str; 4] = ["own_orders_only", "own_listen_keys_only", "no_self_cross", "rate_limit"];

/// Every way to weaken a document, rule by rule, those first that cover others.
pub fn changes(document: &Document) -> Vec<Change> {
    let mut walk = Walk { document, tools: Vec::new(), found: Vec::new() };
    walk.top();
    walk.found
}

struct Walk<'a> {
    document: &'a Document,
    tools: Vec<String>,
    found: Vec<Change>,
}

impl Walk<'_> {
    fn add(&mut self, pointer: String, kind: Kind, after: Option<Value>) {
        let before = self.document.pointer(&pointer).cloned();
        self.found.push(Change { pointer, kind, before, after, tools: self.tools.clone(), also: Vec::new() });
    }

    fn members(&self, pointer: &str) -> Map<String, Value> {
        self.document.pointer(pointer).and_then(Value::as_object).cloned().unwrap_or_default()
    }

    fn items(&self, pointer: &str) -> Vec<Value> {
        self.document.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default()
    }

    fn top(&mut self) {
        self.default();
        let prefixes = self.document.prefixes();
        for prefix in &prefixes {
            for (place, name) in self.items(&format!("{prefix}/hide")).iter().enumerate() {
                // What no entry allows stays denied without being hidden.
                self.tools = name.as_str().map(str::to_owned).into_iter().collect();
                self.add(format!("{prefix}/hide/{place}"), Kind::Remove, None);
            }
        }
        self.tools = Vec::new();
        let safe = self.items("/safety_tools");
        let tools = self.document.members("tools");
        let unsafe_tools: Vec<Value> = tools
            .keys()
            .filter(|name| !name.contains('*') && !safe.contains(&json!(name)))
            .map(|name| json!(name))
            .collect();
        if self.document.get("safety_tools").is_some() && !unsafe_tools.is_empty() {
            let all = safe.into_iter().chain(unsafe_tools).collect();
            self.add("/safety_tools".to_owned(), Kind::Widen, Some(Value::Array(all)));
        }
        for prefix in &prefixes {
            for (symbol, price) in self.members(&format!("{prefix}/references")) {
                let price = price.as_str().and_then(|price| price.parse::<rust_decimal::Decimal>().ok());
                if let Some(half) = price.and_then(|price| price.checked_div(2.into())) {
                    let half = json!(half.normalize().to_string());
                    self.add(below(&format!("{prefix}/references"), &symbol), Kind::Undervalue, Some(half));
                }
            }
        }
        for key in ["max_age", "max_move_percent", "agree_percent"] {
            self.number(&format!("/live_references/{key}"), true);
        }
        for (at, tool) in self.entries() {
            self.tools = tool.into_iter().collect();
            self.rules(&at);
        }
    }

    /// Where rules stand, in each file: `all_tools`, and the entries of tools with their names.
    fn entries(&self) -> Vec<(String, Option<String>)> {
        let of_file = |prefix: &String| {
            let tools = format!("{prefix}/tools");
            let entries = self.members(&tools).into_iter().map(move |(tool, _)| (below(&tools, &tool), Some(tool)));
            std::iter::once((format!("{prefix}/all_tools"), None)).chain(entries).collect::<Vec<_>>()
        };
        self.document.prefixes().iter().flat_map(of_file).collect()
    }

    /// What is not listed is allowed: by the word in version "1", by an entry for everything else in version "2".
    fn default(&mut self) {
        if self.document.get("default") != Some(&json!("deny")) {
            return;
        }
        if self.document.get("version") == Some(&json!("1")) {
            self.add("/default".to_owned(), Kind::Allow, Some(json!("allow")));
            return;
        }
        let listed: Vec<String> = self.document.members("tools").keys().cloned().collect();
        let is_listed = |name: &str| {
            listed.iter().any(|entry| match entry.strip_suffix('*') {
                Some(begin) => name.starts_with(begin),
                None => name == entry,
            })
        };
        let manifest = self.members("/manifest");
        let ours = soft::tools().iter().map(|tool| tool.name);
        let known: Vec<&str> =
            if manifest.is_empty() { ours.collect() } else { manifest.keys().map(String::as_str).collect() };
        let unlisted: Vec<String> = known.into_iter().filter(|name| !is_listed(name)).map(str::to_owned).collect();
        if !unlisted.is_empty() {
            self.tools = unlisted;
            self.add(format!("{}/tools/*", self.document.home("tools")), Kind::Allow, Some(json!({})));
            self.tools = Vec::new();
        }
    }

    fn rules(&mut self, at: &str) {
        let entry = self.members(at);
        if let Some("deny" | "require_approval") = entry.get("action").and_then(Value::as_str) {
            self.add(format!("{at}/action"), Kind::Allow, Some(json!("allow")));
        }
        for key in SWITCHES.into_iter().filter(|key| entry.contains_key(*key)) {
            self.add(format!("{at}/{key}"), Kind::Remove, None);
        }
        self.number(&format!("{at}/rate_limit/max"), true);
        for key in LISTS.into_iter().chain(["concurrency"]) {
            for (place, rule) in self.items(&format!("{at}/{key}")).iter().enumerate() {
                let pointer = format!("{at}/{key}/{place}");
                self.add(pointer.clone(), Kind::Remove, None);
                match key {
                    "require" => self.conditions(&pointer, rule, Toward::True),
                    "deny_if" | "approve_if" => self.conditions(&pointer, rule, Toward::False),
                    _ => self.numbers(&pointer, key, rule),
                }
            }
        }
        for place in 0..self.items(&format!("{at}/result/redact")).len() {
            self.add(format!("{at}/result/redact/{place}"), Kind::Remove, None);
        }
        if entry.get("result").and_then(|result| result.get("max_bytes")).is_some() {
            self.add(format!("{at}/result/max_bytes"), Kind::Remove, None);
        }
        if let Some("mark" | "refuse") =
            entry.get("result").and_then(|result| result.get("instructions")).and_then(Value::as_str)
        {
            self.add(format!("{at}/result/instructions"), Kind::Allow, Some(json!("pass")));
        }
    }

    fn conditions(&mut self, at: &str, rule: &Value, toward: Toward) {
        for weaker in weaker(rule, toward) {
            self.add(format!("{at}{}", weaker.pointer), weaker.kind, weaker.after);
        }
    }

    /// The numbers of a rule that counts or waits.
    fn numbers(&mut self, at: &str, key: &str, rule: &Value) {
        self.number(&format!("{at}/max"), true);
        self.number(&format!("{at}/free"), true);
        self.number(&format!("{at}/within"), true);
        // A streak is told by failures that are near to each other: there a longer window is the stricter one.
        let shrinks: &[&str] = if key == "error_streak" { &["pause", "window"] } else { &["window"] };
        for name in shrinks {
            if let Some(shorter) = rule.get(*name).and_then(shorter) {
                self.add(format!("{at}/{name}"), Kind::Shorten, Some(shorter));
                self.share(at, name);
            }
        }
        let narrower = match rule.get("scope").and_then(Value::as_str) {
            Some("organisation" | "server") => Some("grant"),
            Some("grant") => Some("session"),
            None if rule.get("counter").is_some() => Some("session"),
            _ => None,
        };
        if let Some(narrower) = narrower {
            self.add(format!("{at}/scope"), Kind::NarrowScope, Some(json!(narrower)));
            self.share(at, "scope");
        }
    }

    fn number(&mut self, pointer: &str, up: bool) {
        let Some(value) = self.document.pointer(pointer).cloned() else { return };
        for (kind, after) in further(&value, up) {
            self.add(pointer.to_owned(), kind, Some(after));
            if let Some((rule, key)) = pointer.rsplit_once('/') {
                self.share(rule, key);
            }
        }
    }

    /// Limits that name one counter must agree, so the last change is made at all of them; and it is found once.
    fn share(&mut self, rule: &str, key: &str) {
        let Some(counter) = self.document.pointer(&format!("{rule}/counter")).cloned() else { return };
        let mut places = Vec::new();
        for (entry, tool) in self.entries() {
            for (place, limit) in self.items(&format!("{entry}/limits")).iter().enumerate() {
                if limit.get("counter") == Some(&counter) {
                    places.push((format!("{entry}/limits/{place}/{key}"), tool.clone()));
                }
            }
        }
        let Some(mut change) = self.found.pop() else { return };
        // The first place speaks for all.
        if places.first().is_some_and(|(first, _)| *first != change.pointer) {
            return;
        }
        change.also = places.iter().skip(1).map(|(place, _)| place.clone()).collect();
        change.tools = places.into_iter().filter_map(|(_, tool)| tool).collect();
        self.found.push(change);
    }
}

/// A shorter window.
fn shorter(window: &Value) -> Option<Value> {
    match window {
        Value::String(word) => match word.as_str() {
            "day" => Some(json!("hour")),
            "hour" => Some(json!("minute")),
            "minute" => Some(json!(30)),
            _ => None,
        },
        Value::Number(number) => number.as_u64().filter(|seconds| *seconds > 1).map(|seconds| json!(seconds / 2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::PolicyFile;

    /// Every weakening, as `POINTER kind`, and with `+ POINTER` what has to say the same.
    fn told(whole: &str, part: &str) -> Vec<String> {
        let policy = PolicyFile::with_loader(Path::new("whole.json").to_owned(), whole, |_| Ok(part.to_owned()));
        let line = |change: Change| {
            let places: Vec<String> =
                std::iter::once(format!("{} {}", change.pointer, change.kind)).chain(change.also).collect();
            places.join(" + ")
        };
        changes(&Document::of(&policy).unwrap()).into_iter().map(line).collect()
    }

    const RULES: &str = r#""references": { "BTCUSDT": "60000" }, "hide": ["bn_withdraw"], "all_tools": { "limits": [{ "counter": "all", "window": "minute", "max": 9 }] },
        "tools": { "bn_ping": { "limits": [{ "counter": "c", "window": "minute", "max": 3 }] } }"#;

    #[test]
    fn what_stands_in_a_part_is_weakened_as_it_is_in_the_document() {
        let head = r#""version": "2", "default": "deny", "manifest": "binance-mcp""#;
        let alone = told(&format!("{{ {head}, {RULES} }}"), "");
        let apart = told(&format!(r#"{{ {head}, "include": ["p.json"] }}"#), &format!("{{ {RULES} }}"));
        assert_eq!(apart, alone.iter().map(|line| format!("p.json#{line}")).collect::<Vec<_>>());
        assert!(apart.contains(&"p.json#/tools/* allow".to_owned()), "{apart:?}");
        assert!(apart.contains(&"p.json#/tools/bn_ping/limits/0/max off-by-one".to_owned()), "{apart:?}");
    }

    #[test]
    fn a_counter_that_two_files_share_is_changed_in_both() {
        let head = r#""version": "2", "default": "deny", "manifest": "binance-mcp", "include": ["p.json"]"#;
        let limit = r#"{ "limits": [{ "counter": "c", "window": "minute", "max": 3, "scope": "grant" }] }"#;
        let whole = format!(r#"{{ {head}, "tools": {{ "bn_server_time": {limit} }} }}"#);
        let told = told(&whole, &format!(r#"{{ "tools": {{ "bn_ping": {limit} }} }}"#));
        let shared = "/tools/bn_server_time/limits/0/max off-by-one + p.json#/tools/bn_ping/limits/0/max";
        assert!(told.contains(&shared.to_owned()), "{told:?}");
        assert!(!told.iter().any(|line| line.starts_with("p.json#/tools/bn_ping/limits/0/max")), "{told:?}");
        // One of the two can be taken out by itself.
        assert!(told.contains(&"p.json#/tools/bn_ping/limits/0 remove".to_owned()), "{told:?}");
    }
}

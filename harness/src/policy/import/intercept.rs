//! Reads a document of Intercept, an older open proxy, as far as its published description tells its format:
//!
//! ```yaml
//! version: "1"
//! description: what it is for
//! default: deny
//! hide: [delete_account]
//! tools:
//!   create_charge:
//!     rules:
//!       - name: a charge is small
//!         conditions: [{ path: args.amount, op: lte, value: 5000 }] # each must hold
//!         on_deny: at most 50 dollars
//!       - name: so much a day
//!         conditions: [{ path: state.create_charge.spent, op: lte, value: 100000 }]
//!         state: { counter: spent, window: day, increment_from: args.amount }
//!       - rate_limit: 10/hour
//!   delete_customer:
//!     rules: [{ action: deny, on_deny: never }]
//!   "*":
//!     rules: [{ rate_limit: 60/minute }]
//! ```
//!
//! What is not in this list is an error: that proxy ignores what it does not know, so that nobody can tell what its
//! author believed to be in force.

use serde_json::{Map, Value, json};

use super::Noted;
use super::text::Remarks;
use crate::pointer::below;
use crate::scenario::nearest;

const OPS: [&str; 11] = ["eq", "neq", "in", "not_in", "lt", "lte", "gt", "gte", "regex", "contains", "exists"];
const WINDOWS: [&str; 3] = ["minute", "hour", "day"];

/// Whether a document is one of Intercept: its tools have `rules`.
pub(super) fn is_one(root: &Value) -> bool {
    let mut tools = root["tools"].as_object().into_iter().flatten();
    root.get("description").is_some() || tools.any(|(_, entry)| entry.get("rules").is_some())
}

/// What it says in the shape of version "1", with limits as version "2" has them.
pub(super) fn shape(root: &Value, remarks: &mut Remarks) -> Result<Value, Vec<Noted>> {
    let mut shaper = Shaper { errors: Vec::new(), remarks, limits: 0 };
    let shaped = shaper.document(root);
    match shaped {
        Some(shaped) if shaper.errors.is_empty() => Ok(shaped),
        _ => Err(shaper.errors),
    }
}

struct Shaper<'r> {
    errors: Vec<Noted>,
    remarks: &'r mut Remarks,
    /// How many limits were named.
    limits: usize,
}

/// What the rules of one tool come to.
#[derive(Default)]
struct Entry {
    action: Option<(String, Option<String>)>,
    require: Vec<Value>,
    limits: Vec<(Value, Option<String>)>,
}

impl Shaper<'_> {
    fn wrong(&mut self, pointer: &str, message: impl Into<String>, remedy: &str) {
        self.errors.push(Noted { pointer: pointer.to_owned(), message: message.into(), remedy: remedy.to_owned() });
    }

    /// The members of an object with no other keys than `known`.
    fn object<'v>(&mut self, value: &'v Value, pointer: &str, known: &[&str]) -> Option<&'v Map<String, Value>> {
        let Some(members) = value.as_object() else {
            self.wrong(pointer, "this is no mapping", "write `key: value`");
            return None;
        };
        for key in members.keys().filter(|key| !known.contains(&key.as_str())) {
            let near = nearest(key, known.iter().copied()).map(|near| format!("did you mean `{near}`? "));
            let remedy = format!("{}Understood are {}", near.unwrap_or_default(), known.join(", "));
            self.wrong(&below(pointer, key), format!("`{}` is not understood here", key.escape_debug()), &remedy);
        }
        Some(members)
    }

    fn text<'v>(&mut self, members: &'v Map<String, Value>, pointer: &str, key: &str) -> Option<&'v str> {
        let value = members.get(key)?;
        if value.as_str().is_none() {
            self.wrong(&below(pointer, key), format!("`{key}` is no text"), "write it in quotes");
        }
        value.as_str()
    }

    fn document(&mut self, root: &Value) -> Option<Value> {
        let members = self.object(root, "", &["version", "description", "default", "hide", "tools"])?;
        if members.get("version").is_some_and(|version| version != "1") {
            self.wrong("/version", "this version is not known", "write `version: \"1\"`");
        }
        if let Some(description) = self.text(members, "", "description") {
            self.remarks.add("", description);
        }
        let default = match members.get("default").and_then(Value::as_str) {
            Some(default @ ("deny" | "allow")) => default,
            Some(_) => {
                self.wrong("/default", "`default` is neither `deny` nor `allow`", "write one of the two");
                "deny"
            }
            None => {
                let remedy = "write `default: deny`, or `default: allow` if that is meant";
                self.wrong(
                    "",
                    "nothing says what becomes of tools that are not listed; there, that allows them",
                    remedy,
                );
                "deny"
            }
        };
        let mut shaped = json!({ "default": default });
        let shaped_members = shaped.as_object_mut()?;
        if let Some(hide) = members.get("hide") {
            if !hide.as_array().is_some_and(|names| names.iter().all(Value::is_string)) {
                self.wrong("/hide", "`hide` is no list of names", "write `hide: [name]`");
            }
            shaped_members.insert("hide".to_owned(), hide.clone());
        }
        let mut tools = Map::new();
        if let Some(listed) = members.get("tools") {
            let Some(listed) = listed.as_object() else {
                self.wrong("/tools", "`tools` is no mapping", "write a tool's name and its `rules`");
                return None;
            };
            for (name, entry) in listed {
                let pointer = below("/tools", name);
                let read = self.entry(name, entry, &pointer);
                if name == "*" {
                    let all = self.all_tools(read, &pointer);
                    shaped_members.insert("all_tools".to_owned(), all);
                } else if name.contains('*') {
                    self.wrong(
                        &pointer,
                        "only `*` for all tools is understood, and no other pattern",
                        "name each tool",
                    );
                } else {
                    tools.insert(name.clone(), self.written(name, read));
                }
            }
        }
        shaped_members.insert("tools".to_owned(), Value::Object(tools));
        Some(shaped)
    }

    fn entry(&mut self, name: &str, entry: &Value, pointer: &str) -> Entry {
        let mut read = Entry::default();
        let Some(members) = self.object(entry, pointer, &["rules"]) else { return read };
        let pointer = below(pointer, "rules");
        let Some(rules) = members.get("rules").map_or(Some(&[][..]), |rules| rules.as_array().map(Vec::as_slice))
        else {
            self.wrong(&pointer, "`rules` is no list", "write `rules: [{ … }]`");
            return read;
        };
        for (index, rule) in rules.iter().enumerate() {
            self.rule(name, rule, &format!("{pointer}/{index}"), &mut read);
        }
        read
    }

    fn rule(&mut self, tool: &str, rule: &Value, pointer: &str, read: &mut Entry) {
        let known = ["name", "action", "conditions", "on_deny", "rate_limit", "state"];
        let Some(members) = self.object(rule, pointer, &known) else { return };
        let on_deny = self.text(members, pointer, "on_deny").map(str::to_owned);
        let title = self.text(members, pointer, "name").map(str::to_owned);
        let kinds =
            ["action", "conditions", "rate_limit"].into_iter().filter(|kind| members.contains_key(*kind)).count();
        if kinds != 1 {
            let message = "a rule is an `action`, `conditions` or a `rate_limit`, one of them";
            return self.wrong(pointer, message, "write a rule for each");
        }
        if members.contains_key("state") && !members.contains_key("conditions") {
            let message = "the rule counts, and compares with nothing: it would never refuse anything";
            return self.wrong(pointer, message, "write a condition on `state.TOOL.COUNTER`, such as `op: lte`");
        }
        if let Some(action) = self.text(members, pointer, "action") {
            return self.action(action, on_deny, pointer, read);
        }
        if let Some(rate) = self.text(members, pointer, "rate_limit") {
            let limit = self.rate(tool, rate, &below(pointer, "rate_limit"));
            return read.limits.extend(limit.map(|limit| (with_text(limit, on_deny.as_deref()), title)));
        }
        let Some(conditions) = members.get("conditions").and_then(Value::as_array).filter(|list| !list.is_empty())
        else {
            return self.wrong(&below(pointer, "conditions"), "there is no list of conditions", "write one or more");
        };
        let pointer_of = |index: usize| format!("{pointer}/conditions/{index}");
        let about_state = |condition: &Value| condition["path"].as_str().is_some_and(|path| path.starts_with("state."));
        if members.contains_key("state") || conditions.iter().any(about_state) {
            let [condition] = conditions.as_slice() else {
                let message = "a rule that counts has one condition";
                return self.wrong(pointer, message, "write the other conditions into a rule of their own");
            };
            let limit = self.counted(tool, condition, &pointer_of(0), members.get("state"), pointer);
            return read.limits.extend(limit.map(|limit| (with_text(limit, on_deny.as_deref()), title)));
        }
        let read_conditions: Vec<Option<Value>> =
            conditions.iter().enumerate().map(|(index, one)| self.condition(one, &pointer_of(index))).collect();
        if let Some(conditions) = read_conditions.into_iter().collect::<Option<Vec<Value>>>() {
            let on_deny = on_deny.or(title);
            read.require.push(with_text(json!({ "conditions": conditions }), on_deny.as_deref()));
        }
    }

    fn action(&mut self, action: &str, reason: Option<String>, pointer: &str, read: &mut Entry) {
        if read.action.is_some() {
            return self.wrong(pointer, "the tool has a second `action`", "write one");
        }
        match action {
            "deny" | "require_approval" | "allow" => read.action = Some((action.to_owned(), reason)),
            _ => {
                let remedy = "write `deny`, `require_approval` or `allow`";
                self.wrong(
                    &below(pointer, "action"),
                    format!("`{}` is no action that is understood", action.escape_debug()),
                    remedy,
                );
            }
        }
    }

    /// Reads `10/hour`.
    fn rate(&mut self, tool: &str, rate: &str, pointer: &str) -> Option<Value> {
        let parts = rate.split_once('/').map(|(max, window)| (max.trim().parse::<u64>().ok(), window.trim()));
        let Some((Some(max), window)) = parts.filter(|(_, window)| WINDOWS.contains(window)) else {
            self.wrong(
                pointer,
                format!("`{}` is no rate", rate.escape_debug()),
                "write `10/minute`, `10/hour` or `10/day`",
            );
            return None;
        };
        self.limits += 1;
        // Its counters are one for everybody.
        Some(
            json!({ "counter": format!("calls of {tool}, {}", self.limits), "window": window, "max": max, "scope": "server" }),
        )
    }

    /// A condition on a counter, and what is said to count in it.
    fn counted(
        &mut self,
        tool: &str,
        condition: &Value,
        at: &str,
        state: Option<&Value>,
        pointer: &str,
    ) -> Option<Value> {
        let members = self.object(condition, at, &["path", "op", "value"])?;
        let Some(state) = state else {
            self.wrong(
                pointer,
                "the condition is about a counter in which this rule counts nothing",
                "write `state` beside it",
            );
            return None;
        };
        let pointer = below(pointer, "state");
        let counting = self.object(state, &pointer, &["counter", "window", "increment", "increment_from"])?;
        let counter = self.text(counting, &pointer, "counter");
        let Some(counter) = counter else {
            self.wrong(&pointer, "the counter has no name", "write `counter: NAME`");
            return None;
        };
        let expected = format!("state.{tool}.{counter}");
        let path = members.get("path").and_then(Value::as_str).unwrap_or_default();
        if path != expected {
            self.wrong(
                &below(at, "path"),
                format!("`{}` is not the counter in which the rule counts", path.escape_debug()),
                &format!("write `{expected}`"),
            );
        }
        let window = self.text(counting, &pointer, "window");
        let Some(window) = window.filter(|window| WINDOWS.contains(window)) else {
            self.wrong(&below(&pointer, "window"), "the window is not understood", "write `minute`, `hour` or `day`");
            return None;
        };
        let of = self.text(counting, &pointer, "increment_from").map(str::to_owned);
        if let Some(of) = of.as_deref().filter(|of| of.strip_prefix("args.").is_none_or(str::is_empty)) {
            self.wrong(
                &below(&pointer, "increment_from"),
                format!("`{}` is no argument", of.escape_debug()),
                "write `args.NAME`",
            );
        }
        if of.is_some() && counting.contains_key("increment") || counting.get("increment").is_some_and(|by| by != 1) {
            self.wrong(
                &below(&pointer, "increment"),
                "calls are counted one by one, or by an argument",
                "leave `increment` out",
            );
        }
        let value = members.get("value");
        let max = match (members.get("op").and_then(Value::as_str), value.and_then(Value::as_u64)) {
            (Some("lte"), Some(max)) => Some(json!(max)),
            // A call that comes to as much is one too many.
            (Some("lt"), Some(max)) if of.is_none() => max.checked_sub(1).map(|max| json!(max)),
            (Some("lte"), None) if of.is_some() && value.is_some_and(Value::is_string) => value.cloned(),
            _ => None,
        };
        let Some(max) = max else {
            self.wrong(
                at,
                "what the counter may come to is not understood",
                "write `op: lte` and a whole number, or a decimal in quotes",
            );
            return None;
        };
        let mut limit =
            json!({ "counter": format!("{tool}.{counter}"), "window": window, "max": max, "scope": "server" });
        if let (Some(of), Some(members)) = (of, limit.as_object_mut()) {
            members.insert("of".to_owned(), json!(of));
        }
        Some(limit)
    }

    fn condition(&mut self, condition: &Value, pointer: &str) -> Option<Value> {
        let members = self.object(condition, pointer, &["path", "op", "value"])?;
        let path = self.text(members, pointer, "path").unwrap_or_default();
        if !path.starts_with("args.") {
            self.wrong(pointer, "the condition is not about an argument", "write `path: args.NAME`");
            return None;
        }
        let op = self.text(members, pointer, "op").unwrap_or_default();
        if !OPS.contains(&op) {
            let near = nearest(op, OPS).map(|near| format!("did you mean `{near}`?"));
            let remedy = near.unwrap_or_else(|| format!("understood are {}", OPS.join(", ")));
            self.wrong(
                &below(pointer, "op"),
                format!("`{}` is no operator that is understood", op.escape_debug()),
                &remedy,
            );
            return None;
        }
        Some(condition.clone())
    }

    /// The entry of one tool.
    fn written(&mut self, name: &str, entry: Entry) -> Value {
        let mut members = Map::new();
        if let Some((action, reason)) = entry.action.filter(|(action, _)| action != "allow") {
            members.insert("action".to_owned(), json!(action));
            members.extend(reason.map(|reason| ("reason".to_owned(), json!(reason))));
        }
        if !entry.require.is_empty() {
            members.insert("require".to_owned(), Value::Array(entry.require));
        }
        if !entry.limits.is_empty() {
            let pointer = below(&below("/tools", name), "limits");
            members.insert("limits".to_owned(), self.limits(entry.limits, &pointer));
        }
        Value::Object(members)
    }

    fn limits(&mut self, limits: Vec<(Value, Option<String>)>, pointer: &str) -> Value {
        for (index, (_, title)) in limits.iter().enumerate() {
            let title = title.iter().map(|title| format!("{title}. "));
            let remark = format!(
                "{}The window rolls now, and the counter is one for all grants, as it was.",
                title.collect::<String>()
            );
            self.remarks.add(&format!("{pointer}/{index}"), &remark);
        }
        limits.into_iter().map(|(limit, _)| limit).collect()
    }

    fn all_tools(&mut self, entry: Entry, pointer: &str) -> Value {
        let counts = entry.limits.iter().any(|(limit, _)| limit.get("of").is_some());
        if entry.action.is_some() || !entry.require.is_empty() || counts {
            let message = "of all tools only how often they are called is understood: their arguments are not the same";
            self.wrong(pointer, message, "write the other rules for each tool");
        }
        json!({ "limits": self.limits(entry.limits, "/all_tools/limits") })
    }
}

fn with_text(mut rule: Value, on_deny: Option<&str>) -> Value {
    if let (Some(on_deny), Some(members)) = (on_deny, rule.as_object_mut()) {
        members.insert("on_deny".to_owned(), json!(on_deny));
    }
    rule
}

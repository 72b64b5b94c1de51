//! A scenario to begin with: an attack at the rule that nothing protects, just beyond what it allows.

use std::path::Path;

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value, json};

use super::change::Change;
use super::document::Document;
use crate::soft;

/// About what a whole bitcoin costs where the policy says nothing.
const PRICE: &str = "60000";

/// The scenario as YAML. It is sound, and its story is still to be told.
pub(super) fn skeleton(policy: &Path, document: &Document, change: &Change) -> String {
    let stem = policy.file_stem().map_or_else(|| "policy".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let tool = tool_of(change);
    let plan = Plan::of(document, change, &tool);
    let call = |args: &Map<String, Value>| {
        let unknown = if soft::tools().iter().any(|known| known.name == tool) { "" } else { ", unknown_tool: true" };
        format!("call: {{ tool: {}, args: {}{unknown} }}", json!(tool), Value::Object(args.clone()))
    };
    let attack = match plan.times {
        1 => format!("  - {}", call(&plan.beyond)),
        times => format!("  - repeat:\n      times: {times}\n      steps:\n        - {}", call(&plan.beyond)),
    };
    let id: String = format!("{stem}{}-{}", change.pointer, change.kind).to_lowercase();
    let id: String = id.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }).collect();
    let id = id.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    let (times, less) = (plan.times, plan.times - 1);
    format!(
        "# yaml-language-server: $schema=../schema/scenario.v1.json
id: {id}
kind: attack
group: A
title: One step beyond {pointer}
story: >
  Say who does this and what it costs. Then ask in `harm` for the damage, and not only for the request.
policy: {stem}
attack:
{attack}
harm:
  requests: {{ min: {times} }}
hold:
  exchange: {{ requests: {less} }}
  agent: {{ denied: {{ min: 1 }} }}
twin:
  title: The same within the rule
  steps:
    - {twin}
",
        pointer = change.pointer,
        twin = call(&plan.within),
    )
}

/// A tool that the rule is about.
fn tool_of(change: &Change) -> String {
    let name = change.tools.first().map_or("bn_new_order", String::as_str);
    match name.strip_suffix('*') {
        None => name.to_owned(),
        Some(begin) => {
            let known = soft::tools().iter().find(|tool| tool.name.starts_with(begin));
            known.map_or_else(|| begin.to_owned(), |tool| tool.name.to_owned())
        }
    }
}

struct Plan {
    within: Map<String, Value>,
    beyond: Map<String, Value>,
    times: u64,
}

impl Plan {
    fn of(document: &Document, change: &Change, tool: &str) -> Self {
        let within = usual(document, tool);
        let mut plan = Self { beyond: within.clone(), within, times: 1 };
        let Some(rule) = rule_of(document, &change.pointer) else { return plan };
        if let Some(max) = rule.get("max").and_then(number) {
            plan.many(document, rule, max);
        } else {
            plan.condition(document, rule, change.pointer.contains("/deny_if/"));
        }
        plan
    }

    /// So many calls that the last is one too many.
    fn many(&mut self, document: &Document, rule: &Value, max: Decimal) {
        let each = match rule.get("of").and_then(Value::as_str) {
            None if rule.get("asset").is_none() => Decimal::ONE,
            Some("facts.notional") => worth(document, &self.within).unwrap_or(Decimal::ONE),
            _ => Decimal::ONE,
        };
        let whole = max.checked_div(each).map(|times| times.floor()).and_then(|times| u64::try_from(times).ok());
        self.times = whole.unwrap_or(1).saturating_add(1).min(10_000);
    }

    fn condition(&mut self, document: &Document, rule: &Value, refuses: bool) {
        for word in ["all", "conditions", "any"] {
            if let Some(parts) = rule.get(word).and_then(Value::as_array) {
                return parts.iter().for_each(|part| self.condition(document, part, refuses));
            }
        }
        if let Some(inner) = rule.get("not") {
            return self.condition(document, inner, !refuses);
        }
        let text = |key: &str| rule.get(key).and_then(Value::as_str);
        let (Some(path), Some(op)) = (text("path"), text("op")) else { return };
        let value = rule.get("value").unwrap_or(&Value::Null);
        let beyond = match (op, refuses) {
            ("lte" | "gt", _) => stepped(value, 1),
            ("gte" | "lt", _) => stepped(value, -1),
            ("between" | "length", _) => value.get(1).and_then(|most| stepped(most, 1)),
            ("in" | "one_of", false) => Some(json!("BNBUSDT")),
            ("in" | "one_of", true) => value.get(0).cloned(),
            ("eq", true) => Some(value.clone()),
            ("exists", true) if *value == json!(true) => Some(json!("1")),
            _ => None,
        };
        let Some(beyond) = beyond else { return };
        match path {
            "facts.notional" => {
                let price = self.within.get("price").and_then(number).or_else(|| reference(document, &self.within));
                let quantity = number(&beyond).zip(price).and_then(|(worth, price)| worth.checked_div(price));
                if let Some(quantity) = quantity {
                    let quantity = quantity.round_dp_with_strategy(5, RoundingStrategy::AwayFromZero).normalize();
                    self.beyond.insert("quantity".to_owned(), json!(quantity.to_string()));
                }
            }
            "facts.order_type" => drop(self.beyond.insert("type".to_owned(), json!("STOP_LOSS"))),
            "facts.symbol" => drop(self.beyond.insert("symbol".to_owned(), beyond)),
            _ => {
                if let Some(name) = path.strip_prefix("args.").filter(|name| !name.contains('.')) {
                    let long =
                        (op == "length").then(|| number(&beyond)).flatten().and_then(|n| usize::try_from(n).ok());
                    let beyond = long.map_or(beyond, |long| json!("x".repeat(long.min(1_000))));
                    self.beyond.insert(name.to_owned(), beyond);
                }
            }
        }
    }
}

/// The nearest rule above a place: what has a condition or a bound of its own.
fn rule_of<'a>(document: &'a Document, pointer: &str) -> Option<&'a Value> {
    let mut at = pointer;
    let mut found = None;
    while let Some((above, _)) = at.rsplit_once('/') {
        let here = document.pointer(at);
        let is_rule = here.is_some_and(|rule| {
            ["op", "conditions", "max", "any", "all", "not"].iter().any(|key| rule.get(*key).is_some())
        });
        if is_rule {
            found = here;
        }
        at = above;
    }
    found
}

/// Arguments with which the tool usually works.
fn usual(document: &Document, tool: &str) -> Map<String, Value> {
    let mut args = Map::new();
    let Some(spec) = soft::tools().iter().find(|known| known.name == tool) else { return args };
    let references = document.members("references");
    let symbol = references.keys().next().map_or("BTCUSDT", String::as_str);
    let is_order = spec.declares("quantity");
    for argument in spec.arguments {
        let required = argument.strip_suffix('*');
        let value = match argument.trim_end_matches('*') {
            "symbol" => json!(symbol),
            "side" => json!("BUY"),
            "type" => json!("LIMIT"),
            "timeInForce" if is_order => json!("GTC"),
            "quantity" if is_order => json!("0.001"),
            "price" if is_order => json!(PRICE),
            "interval" => json!("1m"),
            "listenKey" => json!("a-key-that-somebody-else-has"),
            "orderId" if matches!(tool, "bn_query_order" | "bn_cancel_order") => json!(1),
            _ if required.is_some() => json!("1"),
            _ => continue,
        };
        args.insert(argument.trim_end_matches('*').to_owned(), value);
    }
    args
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// One step of the last place up or down, in the shape that the bound has.
fn stepped(value: &Value, by: i64) -> Option<Value> {
    let bound = number(value)?;
    let moved = bound.checked_add(Decimal::new(by, bound.scale()))?;
    match value {
        Value::String(_) => Some(json!(moved.to_string())),
        _ => i64::try_from(moved).ok().map(Value::from),
    }
}

fn reference(document: &Document, args: &Map<String, Value>) -> Option<Decimal> {
    let symbol = args.get("symbol").and_then(Value::as_str)?;
    document.members("references").get(symbol).and_then(number)
}

fn worth(document: &Document, args: &Map<String, Value>) -> Option<Decimal> {
    let price = args.get("price").and_then(number).or_else(|| reference(document, args))?;
    args.get("quantity").and_then(number)?.checked_mul(price)
}

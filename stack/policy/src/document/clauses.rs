//! Reads `require` and `deny_if`.

use regex::RegexBuilder;
use serde_json::Value;

use super::model::Clause;
use super::reader::{Node, Reader, kind, quoted};
use crate::arguments::{Mentions, Path};
use crate::condition::{Comparison, Condition, Literal, Test};
use crate::decimal;

/// How much memory a compiled pattern may take.
const REGEX_BYTES_MAX: usize = 1 << 20;

#[derive(Clone, Copy)]
enum Op {
    Eq,
    Neq,
    In,
    NotIn,
    Compare(Comparison),
    Regex,
    Contains,
    Exists,
}

const OPS: [(&str, Op); 11] = [
    ("eq", Op::Eq),
    ("neq", Op::Neq),
    ("in", Op::In),
    ("not_in", Op::NotIn),
    ("lt", Op::Compare(Comparison::Lt)),
    ("lte", Op::Compare(Comparison::Lte)),
    ("gt", Op::Compare(Comparison::Gt)),
    ("gte", Op::Compare(Comparison::Gte)),
    ("regex", Op::Regex),
    ("contains", Op::Contains),
    ("exists", Op::Exists),
];

/// Reads `deny_if`: rules of conditions, all of which must be true.
pub(super) fn deny_if(reader: &mut Reader<'_>, node: &Node<'_>, mentions: &mut Mentions) -> Vec<Clause> {
    reader.array(node, "`deny_if`").iter().filter_map(|rule| clause(reader, rule, mentions)).collect()
}

/// Reads `require`: conditions, or rules of conditions like those of `deny_if`.
pub(super) fn require(reader: &mut Reader<'_>, node: &Node<'_>, mentions: &mut Mentions) -> Vec<Clause> {
    reader
        .array(node, "`require`")
        .iter()
        .filter_map(|rule| {
            if rule.value.get("conditions").is_some() {
                return clause(reader, rule, mentions);
            }
            let members = reader.object(rule, "a requirement", &["path", "op", "value", "on_deny"])?;
            let on_deny = rule.member(members, "on_deny").and_then(|node| reader.string(&node, "`on_deny`"));
            let condition = condition(reader, rule, mentions)?;
            Some(Clause {
                rule: rule.pointer.clone(),
                conditions: vec![condition],
                on_deny: on_deny.map(str::to_owned),
            })
        })
        .collect()
}

fn clause(reader: &mut Reader<'_>, node: &Node<'_>, mentions: &mut Mentions) -> Option<Clause> {
    let members = reader.object(node, "a rule", &["conditions", "on_deny"])?;
    let on_deny = node.member(members, "on_deny").and_then(|node| reader.string(&node, "`on_deny`"));
    let remedy = "write `\"conditions\": [{ \"path\": …, \"op\": …, \"value\": … }]`";
    let list = reader.required(node, members, "conditions", remedy)?;
    let mut conditions = Vec::new();
    for node in reader.array(&list, "`conditions`") {
        reader.object(&node, "a condition", &["path", "op", "value"]);
        // A condition that could not be read is an error, so that the shorter list is never used.
        conditions.extend(condition(reader, &node, mentions));
    }
    Some(Clause { rule: node.pointer.clone(), conditions, on_deny: on_deny.map(str::to_owned) })
}

fn condition(reader: &mut Reader<'_>, node: &Node<'_>, mentions: &mut Mentions) -> Option<Condition> {
    let members = node.value.as_object()?;
    let path = reader
        .required(node, members, "path", "name the argument, such as `\"path\": \"args.symbol\"`")
        .and_then(|node| path(reader, &node, mentions));
    let op = reader
        .required(node, members, "op", "name the operator, such as `\"op\": \"eq\"`")
        .and_then(|node| reader.word(&node, "operator", &OPS));
    let value = node.member(members, "value");
    let test = match (op, value) {
        (Some(Op::Exists), None) => Some(Test::Exists(true)),
        (Some(op), Some(value)) => test(reader, op, &value),
        (Some(_), None) => {
            reader.missing(node, "value", "give the value to compare with");
            None
        }
        (None, _) => None,
    };
    Some(Condition { path: path?, test: test? })
}

fn path(reader: &mut Reader<'_>, node: &Node<'_>, mentions: &mut Mentions) -> Option<Path> {
    let text = reader.string(node, "`path`")?;
    let mut segments = text.split('.');
    let remedy = if segments.next() == Some("args") {
        let segments: Vec<&str> = segments.collect();
        if !segments.is_empty() && segments.iter().all(|segment| !segment.is_empty()) {
            return Some(mentions.note(text, &segments));
        }
        "write `args.` and the argument's name, with single points between names".to_owned()
    } else {
        let bare = !text.is_empty() && !text.starts_with(['.', '$', '/']) && !text.contains("args");
        if bare { format!("did you mean `args.{text}`?") } else { "write `args.` and the argument's name".to_owned() }
    };
    reader.wrong(&node.pointer, format!("{} is no path to an argument", quoted(text)), remedy);
    None
}

fn test(reader: &mut Reader<'_>, op: Op, node: &Node<'_>) -> Option<Test> {
    Some(match op {
        Op::Eq => Test::Eq(literal(reader, node)?),
        Op::Neq => Test::Neq(literal(reader, node)?),
        Op::In => Test::In(literals(reader, node)?),
        Op::NotIn => Test::NotIn(literals(reader, node)?),
        Op::Contains => Test::Contains(literal(reader, node)?),
        Op::Compare(comparison) => match literal(reader, node)? {
            Literal::Number(bound) | Literal::Text(_, Some(bound)) => Test::Compare(comparison, bound),
            _ => {
                let message = format!("{} cannot be compared by size", quoted(&node.value.to_string()));
                let remedy = "write a number, or a decimal in quotes: digits, and a point with digits behind it";
                reader.wrong(&node.pointer, message, remedy);
                return None;
            }
        },
        Op::Regex => {
            let pattern = reader.string(node, "the value of `regex`")?;
            match RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build() {
                Ok(regex) => Test::Regex(regex),
                Err(error) => {
                    let error = error.to_string();
                    let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                    let message = format!("{} is no regular expression: {reason}", quoted(pattern));
                    reader.wrong(&node.pointer, message, "see the syntax of the Rust crate `regex`");
                    return None;
                }
            }
        }
        Op::Exists => match node.value {
            Value::Bool(wanted) => Test::Exists(*wanted),
            other => {
                let message = format!("the value of `exists` is {}", kind(other));
                reader.wrong(&node.pointer, message, "write true or false without quotes");
                return None;
            }
        },
    })
}

fn literals(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Vec<Literal>> {
    let nodes = reader.array(node, "the value of `in` and `not_in`");
    let literals: Vec<Option<Literal>> = nodes.iter().map(|node| literal(reader, node)).collect();
    // Collected in two steps, so that every bad element is reported and not only the first.
    literals.into_iter().collect()
}

fn literal(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Literal> {
    match node.value {
        Value::Null => Some(Literal::Null),
        Value::Bool(value) => Some(Literal::Bool(*value)),
        Value::String(text) => Some(Literal::Text(text.clone(), decimal::of_text(text).ok())),
        Value::Number(number) => {
            let held = decimal::of_number(number).ok();
            // A number that was rounded while it was read would be another limit than its author wrote.
            let written = if number.is_f64() {
                reader.text(&node.pointer).and_then(|text| decimal::of_literal(text).ok())
            } else {
                held
            };
            match (held, written) {
                (Some(held), Some(written)) if held == written => Some(Literal::Number(held)),
                _ => {
                    let text = reader.text(&node.pointer).unwrap_or_default();
                    let message = format!("{} cannot be held exactly", quoted(text));
                    reader.wrong(&node.pointer, message, "write fewer digits, or a decimal in quotes");
                    None
                }
            }
        }
        other @ (Value::Array(_) | Value::Object(_)) => {
            let message = format!("`value` is {}", kind(other));
            let remedy = "write a string, a number, true, false or null; `in` and `not_in` take an array of them";
            reader.wrong(&node.pointer, message, remedy);
            None
        }
    }
}

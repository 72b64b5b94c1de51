//! Reads `require` and `deny_if`.

use regex::RegexBuilder;
use serde_json::Value;

use super::manifest::amount;
use super::model::Clause;
use super::reader::{Node, Reader, Version, kind, quoted};
use super::sequences::shadow;
use crate::arguments::Mentions;
use crate::condition::{Class, Comparison, Condition, Distance, Literal, Subject, Test, Truth};
use crate::decimal;
use crate::facts::ToolFacts;
use crate::term::Term;

/// How much memory a compiled pattern may take.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// What a tool's rules may speak of.
#[derive(Default)]
pub(super) struct Terms<'m> {
    /// The tool's name, which an entry for several tools does not tell.
    pub(super) tool: &'m str,
    pub(super) mentions: Mentions,
    /// The tool's part of the manifest, in version "2".
    pub(super) facts: Option<&'m ToolFacts>,
    /// Whether it is `all_tools` whose rules these are: its facts are looked for in each tool.
    pub(super) all_tools: bool,
}

/// What a condition that is asked only of a present argument is when the argument is absent: the truth by which its
/// list goes on as if the condition were not there.
#[derive(Clone, Copy)]
enum Absent {
    Matches,
    Holds,
}

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
    Between,
    OneOf,
    Length,
    Characters,
    Apart(Distance),
}

/// Those of version "1" first.
const OPS: [(&str, Op); 17] = [
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
    ("between", Op::Between),
    ("one_of", Op::OneOf),
    ("length", Op::Length),
    ("characters", Op::Characters),
    ("within_percent", Op::Apart(Distance::AtMost)),
    ("beyond_percent", Op::Apart(Distance::AtLeast)),
];
const OPS_OF_VERSION_1: usize = 11;

/// How conditions are put together.
const GROUPS: [&str; 3] = ["all", "any", "not"];
/// How deeply.
const DEPTH_MAX: usize = 8;

const CLASSES: [(&str, Class); 4] = [
    ("digits", Class::Digits),
    ("letters", Class::Letters),
    ("alphanumeric", Class::Alphanumeric),
    ("identifier", Class::Identifier),
];

/// Reads `deny_if`: rules of conditions, all of which must be true.
pub(super) fn deny_if(reader: &mut Reader<'_>, node: &Node<'_>, terms: &mut Terms<'_>) -> Vec<Clause> {
    reader.array(node, "`deny_if`").iter().filter_map(|rule| clause(reader, rule, terms, Absent::Matches)).collect()
}

/// Reads `approve_if`: rules of conditions like those of `deny_if`, of which one that matches asks a person.
pub(super) fn approve_if(reader: &mut Reader<'_>, node: &Node<'_>, terms: &mut Terms<'_>) -> Vec<Clause> {
    reader.array(node, "`approve_if`").iter().filter_map(|rule| clause(reader, rule, terms, Absent::Matches)).collect()
}

/// Reads `require`: conditions, or rules of conditions like those of `deny_if`.
pub(super) fn require(reader: &mut Reader<'_>, node: &Node<'_>, terms: &mut Terms<'_>) -> Vec<Clause> {
    reader
        .array(node, "`require`")
        .iter()
        .filter_map(|rule| {
            if rule.value.get("conditions").is_some() {
                return clause(reader, rule, terms, Absent::Holds);
            }
            let term =
                term(reader, rule, terms, Spot { absent: Absent::Holds, depth: 0, optional: true, requirement: true })?;
            let members = rule.value.as_object()?;
            let on_deny = rule.member(members, "on_deny").and_then(|node| reader.string(&node, "`on_deny`"));
            let shadow = reader.version() == Version::Two && shadow(reader, rule, members);
            Some(Clause {
                rule: rule.pointer.clone(),
                conditions: vec![term],
                on_deny: on_deny.map(str::to_owned),
                shadow,
            })
        })
        .collect()
}

fn clause(reader: &mut Reader<'_>, node: &Node<'_>, terms: &mut Terms<'_>, absent: Absent) -> Option<Clause> {
    let known: &[&str] = match reader.version() {
        Version::One => &["conditions", "on_deny"],
        Version::Two => &["conditions", "on_deny", "shadow"],
    };
    let members = reader.object(node, "a rule", known)?;
    let shadow = reader.version() == Version::Two && shadow(reader, node, members);
    let on_deny = node.member(members, "on_deny").and_then(|node| reader.string(&node, "`on_deny`"));
    let remedy = "write `\"conditions\": [{ \"path\": …, \"op\": …, \"value\": … }]`";
    let list = reader.required(node, members, "conditions", remedy)?;
    let mut conditions = Vec::new();
    for node in reader.array(&list, "`conditions`") {
        // A condition that could not be read is an error, so that the shorter list is never used.
        conditions.extend(term(reader, &node, terms, Spot { absent, depth: 0, optional: true, requirement: false }));
    }
    Some(Clause { rule: node.pointer.clone(), conditions, on_deny: on_deny.map(str::to_owned), shadow })
}

/// Where a condition stands.
#[derive(Clone, Copy)]
struct Spot {
    absent: Absent,
    /// Below how many `all`, `any` and `not`.
    depth: usize,
    /// Whether it may be asked only of a present argument: below `any` and `not`, one that is left out would decide.
    optional: bool,
    /// Whether it is an entry of `require`, which may have `on_deny`.
    requirement: bool,
}

/// Reads a condition, or several put together.
fn term(reader: &mut Reader<'_>, node: &Node<'_>, terms: &mut Terms<'_>, spot: Spot) -> Option<Term> {
    let members = node.value.as_object();
    let word = GROUPS.iter().find(|word| members.is_some_and(|members| members.contains_key(**word)));
    let own: &[&str] = match (word, reader.version()) {
        (Some(word), Version::Two) => std::slice::from_ref(word),
        (_, Version::One) => &["path", "op", "value"],
        (None, Version::Two) => &["path", "op", "value", "if_present", "other"],
    };
    let beside: &[&str] = match reader.version() {
        _ if !spot.requirement => &[],
        Version::One => &["on_deny"],
        Version::Two => &["on_deny", "shadow"],
    };
    let known: Vec<&str> = own.iter().chain(beside).copied().collect();
    let members = reader.object(node, "a condition", &known)?;
    let (Some(word), Version::Two) = (word, reader.version()) else {
        return condition(reader, node, terms, spot).map(Term::One);
    };
    let inner = node.member(members, word)?;
    if spot.depth >= DEPTH_MAX {
        let remedy = format!("write at most {DEPTH_MAX} of them in one another, or several rules");
        reader.wrong_key(&inner.pointer, "`all`, `any` and `not` are nested too deeply", remedy);
        return None;
    }
    let below = Spot { depth: spot.depth + 1, optional: spot.optional && *word == "all", requirement: false, ..spot };
    if *word == "not" {
        return term(reader, &inner, terms, below).map(|term| Term::Not(Box::new(term)));
    }
    let nodes = reader.array(&inner, "the list of conditions");
    if nodes.is_empty() && inner.value.is_array() {
        reader.wrong(&inner.pointer, format!("`{word}` of nothing"), "write one condition or more");
    }
    let read: Vec<Option<Term>> = nodes.iter().map(|node| term(reader, node, terms, below)).collect();
    let mut read = read.into_iter().collect::<Option<Vec<Term>>>()?.into_iter();
    let first = Box::new(read.next()?);
    let others = read.collect();
    Some(if *word == "all" { Term::All(first, others) } else { Term::Any(first, others) })
}

fn condition(reader: &mut Reader<'_>, node: &Node<'_>, terms: &mut Terms<'_>, spot: Spot) -> Option<Condition> {
    let members = node.value.as_object()?;
    let path = reader
        .required(node, members, "path", "name the argument, such as `\"path\": \"args.symbol\"`")
        .and_then(|node| subject(reader, &node, terms));
    let (ops, v2) = match reader.version() {
        Version::One => (OPS.get(..OPS_OF_VERSION_1).unwrap_or_default(), false),
        Version::Two => (OPS.as_slice(), true),
    };
    let op = reader
        .required(node, members, "op", "name the operator, such as `\"op\": \"eq\"`")
        .and_then(|node| reader.word(&node, "operator", ops));
    let value = node.member(members, "value");
    let other = node.member(members, "other").filter(|_| v2);
    let test = match (op, value, other) {
        (Some(Op::Compare(comparison)), None, Some(other)) => {
            subject(reader, &other, terms).map(|other| Test::CompareWith(comparison, other))
        }
        (Some(Op::Apart(distance)), Some(value), Some(other)) => {
            let (other, percent) = (subject(reader, &other, terms), amount(reader, &value, "the percentage"));
            other.zip(percent).map(|(other, percent)| Test::Apart(distance, other, percent))
        }
        (Some(Op::Apart(_)), ..) => {
            let remedy = "write `\"other\": \"facts.reference_price\", \"value\": \"5\"`";
            reader.wrong(
                &node.pointer,
                "a distance needs `other` and `value`: from what, and how many percent of it",
                remedy,
            );
            None
        }
        (Some(_), _, Some(other)) => {
            let message = "`other` is compared by `lt`, `lte`, `gt` or `gte`, and stands in place of `value`";
            reader.wrong_key(&other.pointer, message, "use one of these operators, without `value`");
            None
        }
        (Some(Op::Exists), None, None) => Some(Test::Exists(true)),
        (Some(op), Some(value), None) => test(reader, op, &value),
        (Some(_), None, None) => {
            reader.missing(node, "value", "give the value to compare with");
            None
        }
        (None, ..) => None,
    };
    let if_present = match node.member(members, "if_present").filter(|_| v2) {
        None => false,
        Some(Node { value: Value::Bool(true), pointer }) if !spot.optional => {
            let message = "`if_present` stands below `any` or `not`, where an argument that is left out would decide";
            reader.wrong_key(&pointer, message, "write `exists` beside it, and say what an absent argument means");
            false
        }
        Some(Node { value: Value::Bool(wanted), .. }) => *wanted,
        Some(node) => {
            let message = format!("`if_present` is {}", kind(node.value));
            reader.wrong(&node.pointer, message, "write true or false without quotes");
            false
        }
    };
    let absent = if_present.then_some(match spot.absent {
        Absent::Matches => Truth::False,
        Absent::Holds => Truth::True,
    });
    Some(Condition { path: path?, test: test?, absent })
}

/// Reads a path: `args.…`, or in version "2" `facts.…`.
pub(super) fn subject(reader: &mut Reader<'_>, node: &Node<'_>, terms: &mut Terms<'_>) -> Option<Subject> {
    let text = reader.string(node, "`path`")?;
    let v2 = reader.version() == Version::Two;
    if let Some(name) = text.strip_prefix("facts.").filter(|_| v2) {
        if terms.all_tools || terms.facts.is_some_and(|facts| facts.facts.contains_key(name)) {
            return Some(Subject::Fact { text: text.to_owned(), name: name.to_owned() });
        }
        let known: Vec<&str> = terms.facts.iter().flat_map(|facts| facts.facts.keys()).map(String::as_str).collect();
        let remedy = format!("its facts are: `{}`", known.join("`, `"));
        reader.wrong(
            &node.pointer,
            format!("the manifest gives {} no fact {}", quoted(terms.tool), quoted(name)),
            remedy,
        );
        return None;
    }
    let mut segments = text.split('.');
    let remedy = if segments.next() == Some("args") && !terms.all_tools {
        let segments: Vec<&str> = segments.collect();
        let undeclared =
            segments.first().filter(|first| v2 && terms.facts.is_some_and(|facts| !facts.arguments.contains(**first)));
        if let Some(name) = undeclared.filter(|name| !name.is_empty()) {
            let message = format!("the manifest gives {} no argument {}", quoted(terms.tool), quoted(name));
            let remedy = "calls with it are denied without a rule; correct the name, or declare it in the manifest";
            reader.wrong(&node.pointer, message, remedy);
            return None;
        }
        if !segments.is_empty() && segments.iter().all(|segment| !segment.is_empty()) {
            return Some(Subject::Argument(terms.mentions.note(text, &segments)));
        }
        "write `args.` and the argument's name, with single points between names".to_owned()
    } else if terms.all_tools {
        "tools have different arguments: write `facts.` and a fact that each listed tool has".to_owned()
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
        Op::Between => {
            let (least, most) = range(reader, node, "`between` takes the least and the most", amount)?;
            Test::Between(least, most)
        }
        Op::OneOf => {
            let nodes = reader.array(node, "the value of `one_of`");
            let words: Vec<Option<&str>> = nodes.iter().map(|node| reader.string(node, "a word")).collect();
            Test::OneOf(words.into_iter().map(|word| word.map(str::to_owned)).collect::<Option<_>>()?)
        }
        Op::Length => {
            let count = |reader: &mut Reader<'_>, node: &Node<'_>, what: &str| reader.count(node, what, 0);
            let (least, most) = range(reader, node, "`length` takes the least and the most", count)?;
            Test::Length(least, most)
        }
        Op::Characters => Test::Characters(reader.word(node, "class of characters", &CLASSES)?),
        // Read with its `other`.
        Op::Apart(_) => return None,
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

/// Reads `[least, most]`.
fn range<T: PartialOrd>(
    reader: &mut Reader<'_>,
    node: &Node<'_>,
    what: &str,
    bound: impl Fn(&mut Reader<'_>, &Node<'_>, &str) -> Option<T>,
) -> Option<(T, T)> {
    let nodes = reader.array(node, what);
    let [least, most] = nodes.as_slice() else {
        reader.wrong(&node.pointer, what, "write an array of two: `[least, most]`");
        return None;
    };
    let (least, most) = (bound(reader, least, "the least"), bound(reader, most, "the most"));
    let (least, most) = (least?, most?);
    if least > most {
        reader.wrong(&node.pointer, "nothing lies between these two", "write the smaller one first");
        return None;
    }
    Some((least, most))
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
                reader.text(&node.pointer).and_then(|text| decimal::of_literal(&text).ok())
            } else {
                held
            };
            match (held, written) {
                (Some(held), Some(written)) if held == written => Some(Literal::Number(held)),
                _ => {
                    let text = reader.text(&node.pointer).unwrap_or_default();
                    let message = format!("{} cannot be held exactly", quoted(&text));
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

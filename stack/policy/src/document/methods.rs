//! Reads `methods`: what passes beside calls of tools.
//!
//! ```json
//! { "resources/*": "allow",
//!   "resources/subscribe": "hide",
//!   "prompts/get": { "only": ["summary", "daily_*"], "reason": "other prompts are not looked at yet" },
//!   "sampling/createMessage": { "action": "deny", "reason": "the model is not the server's" } }
//! ```

use std::sync::Arc;

use super::patterns::prefix_of;
use super::reader::{Node, Reader, nearest, quoted};
use crate::methods::{MethodRule, MethodRules, Only, Ruled, Word, vocabulary};
use crate::pointer;

const WORDS: [(&str, Word); 3] = [("allow", Word::Allow), ("deny", Word::Deny), ("hide", Word::Hide)];
const KEYS: [&str; 3] = ["action", "reason", "only"];

/// A pattern: what is before its `*`, and its entry.
struct Pattern<'v> {
    prefix: &'v str,
    pointer: String,
    rule: Option<Arc<MethodRule>>,
}

pub(super) fn read(reader: &mut Reader<'_>, node: &Node<'_>) -> MethodRules {
    let mut rules = MethodRules::default();
    let mut patterns: Vec<Pattern<'_>> = Vec::new();
    for (name, value) in reader.open_object(node, "`methods`").into_iter().flatten() {
        let node = Node { value, pointer: pointer::child(&node.pointer, name) };
        if let Some(prefix) = prefix_of(name) {
            let meant: Vec<bool> = ruled(|method| method.starts_with(prefix)).map(|(_, names)| names).collect();
            if meant.is_empty() {
                let message = format!("no method that is ruled here begins with {}", quoted(prefix));
                reader.wrong_key(&node.pointer, message, "correct the pattern, or leave it out");
            }
            let rule = entry(reader, &node, meant.iter().all(|names| *names)).map(Arc::new);
            patterns.push(Pattern { prefix, pointer: node.pointer, rule });
            continue;
        }
        match vocabulary().find(|(method, _)| method == name) {
            Some((method, Ruled::By { names })) => {
                if let Some(rule) = entry(reader, &node, names) {
                    rules.by_name.insert(method, Arc::new(rule));
                }
            }
            Some((method, Ruled::Elsewhere)) => {
                let remedy = if method.starts_with("tools/") {
                    "leave it out: `tools`, `hide` and `default` rule what may be listed and called"
                } else {
                    "leave it out: without it there is no session"
                };
                reader.wrong_key(&node.pointer, format!("{} always passes", quoted(name)), remedy);
            }
            None => {
                let known: Vec<&str> = ruled(|_| true).map(|(method, _)| method).collect();
                let remedy = match nearest(name, &known) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "write a method as the protocol names it, or a pattern such as `resources/*`".to_owned(),
                };
                reader.wrong_key(&node.pointer, format!("unknown method {}", quoted(name)), remedy);
            }
        }
    }
    expand(reader, patterns, &mut rules);
    rules
}

/// The methods that entries may speak of, and whether their messages name something.
fn ruled(which: impl Fn(&str) -> bool) -> impl Iterator<Item = (&'static str, bool)> {
    vocabulary().filter_map(move |(method, ruled)| match ruled {
        Ruled::By { names } if which(method) => Some((method, names)),
        Ruled::By { .. } | Ruled::Elsewhere => None,
    })
}

/// Gives each method without an entry of its own that of the longest pattern which means it.
fn expand(reader: &mut Reader<'_>, patterns: Vec<Pattern<'_>>, rules: &mut MethodRules) {
    let mut used = vec![false; patterns.len()];
    for (method, _) in ruled(|_| true) {
        if rules.by_name.contains_key(method) {
            continue;
        }
        let matching = patterns.iter().zip(&mut used).filter(|(pattern, _)| method.starts_with(pattern.prefix));
        if let Some((pattern, used)) = matching.max_by_key(|(pattern, _)| pattern.prefix.len()) {
            *used = true;
            rules.by_name.extend(pattern.rule.clone().map(|rule| (method, rule)));
        }
    }
    for (pattern, used) in patterns.into_iter().zip(used) {
        if !used && ruled(|method| method.starts_with(pattern.prefix)).next().is_some() {
            let message = "every method that it means has an entry of its own or of a longer pattern";
            reader.warn("never_matches", &pattern.pointer, message);
        }
    }
}

/// An entry: a word, or an object. `names` says whether every message that it rules names a prompt or a resource.
fn entry(reader: &mut Reader<'_>, node: &Node<'_>, names: bool) -> Option<MethodRule> {
    let rule: Arc<str> = node.pointer.as_str().into();
    if node.value.is_string() {
        let word = reader.word(node, "action", &WORDS)?;
        return Some(MethodRule { rule, word, reason: None, only: None });
    }
    let members = reader.object(node, "a method's entry", &KEYS)?;
    let word = match node.member(members, "action") {
        Some(action) => reader.word(&action, "action", &WORDS)?,
        None if members.contains_key("only") => Word::Allow,
        None => {
            reader.missing(node, "action", "write `allow`, `deny` or `hide`");
            return None;
        }
    };
    let only = match node.member(members, "only") {
        None => None,
        Some(only) if !names => {
            let message = "not every message that this entry rules names a prompt or a resource";
            reader.wrong_key(&only.pointer, message, "write `only` for `prompts/get`, `resources/read` and their like");
            None
        }
        Some(only) if word != Word::Allow => {
            reader.wrong_key(&only.pointer, "`only` says what is allowed", "leave it out, or write `allow`");
            None
        }
        Some(only) => Some(these(reader, &only)),
    };
    let reason = match node.member(members, "reason") {
        None => None,
        Some(node) => {
            if word == Word::Allow && only.is_none() {
                reader.warn("reason_without_effect", &node.pointer, "nobody is told a reason for what is allowed");
            }
            reader.string(&node, "`reason`").map(str::to_owned)
        }
    };
    Some(MethodRule { rule, word, reason, only })
}

/// Reads `only`: names of prompts, addresses of resources, beginnings of either.
fn these(reader: &mut Reader<'_>, node: &Node<'_>) -> Only {
    let mut only = Only { rule: node.pointer.clone(), names: Vec::new(), prefixes: Vec::new() };
    let nodes = reader.array(node, "`only`");
    if nodes.is_empty() && node.value.is_array() {
        reader.wrong(&node.pointer, "`only` is empty, so nothing is allowed", "name something, or write `deny`");
    }
    for node in nodes {
        let Some(name) = reader.string(&node, "a name or an address") else { continue };
        match prefix_of(name) {
            Some("") => {
                let message = "`*` allows everything";
                reader.wrong(&node.pointer, message, "leave `only` out, or write how the names begin");
            }
            Some(prefix) => only.prefixes.push(prefix.to_owned()),
            None if name.is_empty() || name.contains('*') || name.chars().any(char::is_control) => {
                let message = format!("{} is no name and no pattern", quoted(name));
                reader.wrong(
                    &node.pointer,
                    message,
                    "write a name, an address, or how one begins and a `*` at its end",
                );
            }
            None => only.names.push(name.to_owned()),
        }
    }
    only
}

//! Closes a document: version "2" lists what it allows, and knows the arguments of every tool.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Noted;
use super::text::Remarks;
use crate::pointer::below;
use crate::policy::suggest::{self, SHIPPED, Tool};

/// A document of version "2", and what a person should know of it.
pub(super) struct Closed {
    pub(super) document: Value,
    pub(super) doubts: Vec<Noted>,
}

/// What is said of tools in version "1" as a document of version "2".
pub(super) fn close(shaped: &Value, tools: Option<&[Tool]>, remarks: &mut Remarks) -> Result<Closed, Vec<Noted>> {
    let mut closer = Closer { declared: declared(tools), given: tools.is_some(), doubts: Vec::new(), remarks };
    let mut entries = closer.entries(shaped);
    if shaped["default"] == "allow" {
        closer.list_what_is_allowed(shaped, &mut entries)?;
    }
    let manifest = closer.manifest(&mut entries);
    let mut document = Map::new();
    document.insert("version".to_owned(), json!("2"));
    document.insert("default".to_owned(), json!("deny"));
    document.insert("manifest".to_owned(), manifest);
    for key in ["hide", "all_tools"] {
        document.extend(shaped.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    document.insert("tools".to_owned(), Value::Object(entries));
    Ok(Closed { document: Value::Object(document), doubts: closer.doubts })
}

/// The arguments of each tool, as far as they are known: of the tools that were handed over, or of the shipped manifest.
fn declared(tools: Option<&[Tool]>) -> BTreeMap<String, BTreeSet<String>> {
    if let Some(tools) = tools {
        return tools.iter().map(|tool| (tool.name.clone(), tool.arguments.iter().cloned().collect())).collect();
    }
    let names = |entry: &Value| -> BTreeSet<String> {
        let names = entry["arguments"].as_array().into_iter().flatten().filter_map(Value::as_str);
        names.map(str::to_owned).collect()
    };
    suggest::shipped_manifest().into_iter().map(|(tool, entry)| (tool, names(&entry))).collect()
}

struct Closer<'r> {
    declared: BTreeMap<String, BTreeSet<String>>,
    /// Whether the tools were handed over.
    given: bool,
    doubts: Vec<Noted>,
    remarks: &'r mut Remarks,
}

impl Closer<'_> {
    /// The entries of `tools`, without rules that can refuse nothing any more.
    fn entries(&mut self, shaped: &Value) -> Map<String, Value> {
        let members = shaped["tools"].as_object().into_iter().flatten();
        members.map(|(name, entry)| (name.clone(), self.entry(name, entry))).collect()
    }

    fn entry(&mut self, name: &str, entry: &Value) -> Value {
        let pointer = below("/tools", name);
        let Some(declared) = self.declared.get(name).cloned() else { return entry.clone() };
        let mut entry = entry.clone();
        let is_undeclared = |condition: &Value, wanted: bool| {
            let exists = condition["op"] == "exists"
                && condition.get("value").is_none_or(|value| value == &json!(true)) == wanted;
            let argument = argument(condition).filter(|argument| !declared.contains(*argument));
            exists && argument.is_some()
        };
        let mut dropped = BTreeSet::new();
        if let Some(rules) = entry.get_mut("deny_if").and_then(Value::as_array_mut) {
            rules.retain(|rule| {
                let conditions = rule["conditions"].as_array().into_iter().flatten();
                let in_vain: Vec<&str> =
                    conditions.filter(|condition| is_undeclared(condition, true)).filter_map(argument).collect();
                dropped.extend(in_vain.iter().map(|name| (*name).to_owned()));
                in_vain.is_empty()
            });
        }
        if let Some(rules) = entry.get_mut("require").and_then(Value::as_array_mut) {
            rules.retain(|rule| {
                let absent = is_undeclared(rule, false);
                dropped.extend(argument(rule).filter(|_| absent).map(str::to_owned));
                !absent
            });
        }
        if !dropped.is_empty() {
            let names = dropped.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let remark = format!(
                "No rule is needed against {names}: the manifest does not declare it, so that every call with it is denied."
            );
            self.remarks.add(&pointer, &remark);
        }
        entry
    }

    /// Under `default: allow` whatever is not named is allowed: what is known to be there is listed.
    fn list_what_is_allowed(&mut self, shaped: &Value, entries: &mut Map<String, Value>) -> Result<(), Vec<Noted>> {
        let known: Vec<&String> = self.declared.keys().collect();
        let mut named = entries.keys().cloned().collect::<BTreeSet<String>>();
        let hidden: BTreeSet<&str> =
            shaped["hide"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !self.given
            && named
                .iter()
                .map(String::as_str)
                .chain(hidden.iter().copied())
                .any(|name| name != "*" && !self.declared.contains_key(name))
        {
            return Err(vec![Noted {
                pointer: "/default".to_owned(),
                message: "`allow` lets every tool through that is not named, and version 2 lists what it allows"
                    .to_owned(),
                remedy: "hand over the server's answer to `tools/list` with `--tools FILE`, or write `deny`".to_owned(),
            }]);
        }
        named.extend(hidden.iter().map(|name| (*name).to_owned()));
        let free: Vec<String> = known.into_iter().filter(|name| !named.contains(*name)).cloned().collect();
        for name in &free {
            self.remarks
                .add(&below("/tools", name), "Not named before, and allowed by `default`: look whether it should be.");
            entries.insert(name.clone(), json!({}));
        }
        self.doubts.push(Noted {
            pointer: "/default".to_owned(),
            message: format!("`allow` becomes a list: {} tools are allowed without a rule, and those that the server makes up later are denied", free.len()),
            remedy: "look at each of them".to_owned(),
        });
        Ok(())
    }

    /// The manifest: the shipped one where it says everything that rules speak of, and otherwise lists of arguments.
    fn manifest(&mut self, entries: &mut Map<String, Value>) -> Value {
        let shipped = suggest::shipped_manifest();
        let fits = |name: &str, entry: &Value| {
            let known = self.declared.get(name);
            let of_shipped = shipped.get(name).is_some_and(|shipped| {
                known.is_none_or(|known| {
                    known.iter().all(|argument| {
                        shipped["arguments"].as_array().is_some_and(|list| list.iter().any(|one| one == argument))
                    })
                })
            });
            of_shipped && mentioned(entry).iter().all(|argument| known.is_some_and(|known| known.contains(argument)))
        };
        if !entries.is_empty() && entries.iter().all(|(name, entry)| fits(name, entry)) {
            return json!(SHIPPED);
        }
        let mut manifest = Map::new();
        for (name, entry) in entries.iter() {
            let mentioned = mentioned(entry);
            if fits(name, entry)
                && let Some(shipped) = shipped.get(name)
            {
                manifest.insert(name.clone(), shipped.clone());
                continue;
            }
            let known = self.declared.get(name);
            if known.is_none() {
                let pointer = below("/tools", name);
                self.doubts.push(Noted {
                    pointer,
                    message: format!("which arguments `{name}` has is not known: only those that its rules speak of may be given"),
                    remedy: "hand over the server's answer to `tools/list` with `--tools FILE`, or declare them under `manifest`".to_owned(),
                });
                self.remarks.add(
                    &below("/manifest", name),
                    "FILL IN: the tool's other arguments. Calls with arguments that are not declared are denied.",
                );
            }
            let arguments: BTreeSet<&String> = known.into_iter().flatten().chain(&mentioned).collect();
            manifest.insert(name.clone(), json!({ "arguments": arguments }));
        }
        Value::Object(manifest)
    }
}

/// The argument that a condition speaks of.
fn argument(condition: &Value) -> Option<&str> {
    let path = condition["path"].as_str()?.strip_prefix("args.")?;
    path.split('.').next()
}

/// All arguments that a tool's entry speaks of.
fn mentioned(entry: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect(entry, &mut names);
    names
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Object(members) => {
            names.extend(argument(value).map(str::to_owned));
            let counted = members.get("of").and_then(Value::as_str).and_then(|path| path.strip_prefix("args."));
            names.extend(counted.and_then(|path| path.split('.').next()).map(str::to_owned));
            members.values().for_each(|member| collect(member, names));
        }
        _ => {}
    }
}

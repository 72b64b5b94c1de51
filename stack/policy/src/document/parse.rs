//! Reads a whole document.

use std::sync::{Arc, OnceLock};

use indexmap::{IndexMap, IndexSet};
use serde_json::{Map, Value};

use super::breakers::{self, Breakers};
use super::clauses::{self, Terms};
use super::error::PolicyErrors;
use super::handling;
use super::includes::{self, Loader, PART_KEYS, Part};
use super::limits::Counters;
use super::live;
use super::manifest::{self, Manifest};
use super::methods;
use super::model::{Action, Default, LimitUse, Named, Policy, Reasoned, ToolRules, lenient};
use super::patterns::{Patterns, prefix_of};
use super::reader::{Node, Reader, Version, quoted};
use super::sequences::{self, Assets};
use super::vain;
use crate::condition::Subject;
use crate::facts::References;
use crate::own_keys::OwnMap;
use crate::pointer;

/// Those of version "1" first.
const KEYS: [&str; 14] = [
    "$schema",
    "version",
    "default",
    "hide",
    "all_tools",
    "tools",
    "manifest",
    "references",
    "safety_tools",
    "assets",
    "shadow",
    "include",
    "live_references",
    "methods",
];
const KEYS_OF_VERSION_1: usize = 6;
const TOOL_KEYS: [&str; 6] = ["action", "reason", "deny_if", "require", "limits", "rate_limit"];

impl Policy {
    /// Reads a policy document, version "1" or "2".
    ///
    /// Either the whole document is understood or it is refused with everything that is wrong with it.
    ///
    /// ```
    /// let errors = mcp_policy::Policy::parse(
    ///     r#"{ "version": "1", "default": "deny", "tools": { "bn_new_order": { "denyif": [] } } }"#,
    /// ).unwrap_err();
    /// assert_eq!(
    ///     errors.to_string(),
    ///     "line 1, column 67 at `/tools/bn_new_order/denyif`: unknown key `denyif`; did you mean `deny_if`?",
    /// );
    /// ```
    pub fn parse(source: &str) -> Result<Self, PolicyErrors> {
        Self::parse_with(source, &|_| Err("this document was handed over without its folder".to_owned()))
    }

    /// The same, with a loader for the parts that the document includes: it is handed the path of a part below the
    /// document's folder.
    pub fn parse_with(source: &str, loader: &Loader<'_>) -> Result<Self, PolicyErrors> {
        let (mut reader, root) = Reader::open(source)?;
        let parts = includes::load(&mut reader, &root, loader);
        let root = Node { value: &root, pointer: String::new() };
        let policy = document(&mut reader, &root, &parts);
        if let Some(policy) = &policy {
            vain::look(&mut reader, policy);
        }
        reader.close(policy)
    }
}

fn document(reader: &mut Reader<'_>, root: &Node<'_>, parts: &[Part]) -> Option<Policy> {
    let known = match reader.version() {
        Version::One => KEYS_OF_VERSION_1,
        Version::Two => KEYS.len(),
    };
    let members = reader.object(root, "the document", KEYS.get(..known).unwrap_or_default())?;
    version(reader, root, members);
    if let Some(schema) = root.member(members, "$schema") {
        reader.string(&schema, "`$schema`");
    }
    let remedy = "write `\"default\": \"deny\"`, or `\"allow\"` if you mean it";
    let default = reader
        .required(root, members, "default", remedy)
        .and_then(|node| reader.word(&node, "default", &[("deny", Default::Deny), ("allow", Default::Allow)]));

    let whole = Whole::of(reader, root, members, parts);
    let references = Arc::new(References {
        signed: manifest::references(reader, &whole.members("references")),
        live: OnceLock::new(),
    });
    let manifest = match reader.version() {
        Version::One => None,
        Version::Two => Some(read_manifest(reader, &whole, default, &references)?),
    };

    let mut names: OwnMap<Named> = OwnMap::default();
    let mut hidden_prefixes = Vec::new();
    let mut hides_all = false;
    for list in whole.members("hide") {
        hides_all |= hide(reader, &list, &mut names, &mut hidden_prefixes);
    }
    let mut counters = Counters::default();
    let mut breakers = Breakers::default();
    let (mut all_tools, mut all_tools_breakers) = (Vec::new(), Vec::new());
    for node in whole.members("all_tools") {
        let applying = read_all_tools(reader, &node, &mut counters, &mut breakers, &mut all_tools);
        all_tools_breakers.extend(applying);
    }
    let v2 = manifest.is_some();
    let assets = if v2 { sequences::assets(reader, &whole.members("assets")) } else { Assets::default() };
    let shadow = v2 && sequences::shadow(reader, root, members);
    if shadow {
        let message =
            "the whole policy is in shadow: every call is let through, and only what it would have been is told";
        reader.warn("in_shadow", "/shadow", message);
    }
    let mut context = Context {
        counters: &mut counters,
        breakers: &mut breakers,
        all_tools: &all_tools,
        manifest: manifest.as_ref(),
        assets: &assets,
    };
    read_tools(reader, &whole, &mut context, &mut names);
    for (name, named) in &mut names {
        named.hidden = named.hidden || hidden_prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()));
    }
    let ratios = sequences::link(reader, &mut names);
    let tracks = names.values().any(|named| named.rules.as_ref().is_some_and(|rules| rules.sequence.is_some()));
    let methods = root.member(members, "methods").filter(|_| v2).map(|node| methods::read(reader, &node));
    let safety_tools = root.member(members, "safety_tools").map(|node| safety_tools(reader, &node, &names));
    let folded: IndexSet<String> = names.keys().map(|name| lenient(name)).collect();
    Some(Policy {
        default: default?,
        hides_all,
        hidden_prefixes,
        names,
        folded,
        safety_tools: safety_tools.unwrap_or_default(),
        methods,
        shadow,
        assets,
        tracks,
        ratios,
        breakers: breakers.into_list(),
        all_tools_breakers,
        all_tools,
        counters: counters.into_specs(),
        default_rule: "/default".into(),
        parts: reader.part_texts(),
        references,
        warnings: Vec::new(),
    })
}

/// A document with its parts, in the order in which they are included.
struct Whole<'v> {
    /// The document itself first.
    roots: Vec<(Node<'v>, &'v Map<String, Value>)>,
}

impl<'v> Whole<'v> {
    fn of(reader: &mut Reader<'_>, root: &Node<'v>, members: &'v Map<String, Value>, parts: &'v [Part]) -> Self {
        let mut roots = vec![(root.clone(), members)];
        for part in parts {
            let node = Node { value: &part.root, pointer: part.prefix.clone() };
            if let Some(members) = reader.object(&node, "a part of a document", &PART_KEYS) {
                roots.push((node, members));
            }
        }
        Self { roots }
    }

    /// The member `key` wherever it stands.
    fn members(&self, key: &str) -> Vec<Node<'v>> {
        self.roots.iter().filter_map(|(node, members)| node.member(members, key)).collect()
    }
}

/// Reads `tools`, wherever it stands: the entries by name first, then the patterns for what they leave.
fn read_tools(reader: &mut Reader<'_>, whole: &Whole<'_>, context: &mut Context<'_>, names: &mut OwnMap<Named>) {
    let mut entries: IndexMap<&str, Node<'_>> = IndexMap::new();
    for node in whole.members("tools") {
        for (name, value) in reader.open_object(&node, "`tools`").into_iter().flatten() {
            let node = Node { value, pointer: pointer::child(&node.pointer, name) };
            if let Some(other) = entries.get(name.as_str()) {
                let message = format!("{} has an entry at `{}` already", quoted(name), other.pointer);
                reader.wrong_key(&node.pointer, message, "write one entry with all its rules");
            } else {
                entries.insert(name.as_str(), node);
            }
        }
    }
    let mut patterns = Patterns::default();
    for (name, node) in &entries {
        if context.manifest.is_some() && patterns.note(reader, name, node) {
            continue;
        }
        if let Some(problem) = bad_name(name, reader.version()) {
            reader.wrong_key(&node.pointer, format!("{} is no tool's name", quoted(name)), problem);
        }
        let rules = tool(reader, name, node, context);
        names.entry((*name).to_owned()).or_default().rules = rules;
    }
    if let Some(manifest) = context.manifest {
        for (name, node) in patterns.expand(reader, manifest, |name| entries.contains_key(name)) {
            let rules = tool(reader, &name, &node, context);
            names.entry(name).or_default().rules = rules;
        }
    }
}

/// What is known of a document when its tools are read.
struct Context<'c> {
    counters: &'c mut Counters,
    breakers: &'c mut Breakers,
    all_tools: &'c [LimitUse],
    manifest: Option<&'c Manifest>,
    assets: &'c Assets,
}

/// Reads `all_tools`.
fn read_all_tools(
    reader: &mut Reader<'_>,
    node: &Node<'_>,
    counters: &mut Counters,
    breakers: &mut Breakers,
    all_tools: &mut Vec<LimitUse>,
) -> Vec<usize> {
    let v2 = reader.version() == Version::Two;
    let known: Vec<&str> = std::iter::once("limits").chain(breakers::KEYS.into_iter().filter(|_| v2)).collect();
    let Some(members) = reader.object(node, "`all_tools`", &known) else { return Vec::new() };
    if let Some(limits) = node.member(members, "limits") {
        let read = counters.limits(reader, &limits, all_tools, &mut Terms { all_tools: true, ..Terms::default() });
        all_tools.extend(read);
    }
    if v2 { breakers.read(reader, node, members, counters, all_tools) } else { Vec::new() }
}

/// Reads what version "2" has at its top, and holds it to listing what it allows.
fn read_manifest(
    reader: &mut Reader<'_>,
    whole: &Whole<'_>,
    default: Option<Default>,
    references: &Arc<References>,
) -> Option<Manifest> {
    if default == Some(Default::Allow) {
        let message =
            "version 2 closes the arguments of every tool, and cannot close those of a tool that it never named";
        reader.wrong("/default", message, "write `\"default\": \"deny\"` and list what may be called");
    }
    let remedy = "write `\"manifest\": \"binance-mcp\"`, or a manifest as an object";
    let (root, members) = whole.roots.first()?;
    let node = reader.required(root, members, "manifest", remedy)?;
    let manifest = manifest::manifest(reader, &node, references)?;
    if let Some(node) = root.member(members, "live_references")
        && let Some(live) = live::read(reader, &node, references, &manifest)
    {
        // It is set here alone, and once.
        let _ = references.live.set(live);
    }
    Some(manifest)
}

/// The part of the manifest for the tool `name` at `node`, which must have every fact that `all_tools` counts.
fn of_manifest(
    reader: &mut Reader<'_>,
    name: &str,
    node: &Node<'_>,
    all_tools: &[LimitUse],
    manifest: &Manifest,
) -> Option<Arc<crate::facts::ToolFacts>> {
    let Some(facts) = manifest.get(name) else {
        let message = format!("the manifest does not know the tool {}", quoted(name));
        reader.wrong_key(
            &node.pointer,
            message,
            "correct the name, or declare the tool and its arguments in the manifest",
        );
        return None;
    };
    for limit in all_tools {
        for subject in limit.subjects() {
            if let Subject::Fact { name: fact, .. } = subject
                && !facts.facts.contains_key(fact)
            {
                let message =
                    format!("`{}` counts a fact {} that {} does not have", limit.rule, quoted(fact), quoted(name));
                let remedy = "add the fact to the tool in the manifest, or correct its name";
                reader.wrong_key(&node.pointer, message, remedy);
            }
        }
    }
    Some(Arc::clone(facts))
}

fn version(reader: &mut Reader<'_>, root: &Node<'_>, members: &Map<String, Value>) {
    match members.get("version") {
        Some(Value::String(version)) if version == "1" || version == "2" => {}
        Some(Value::String(version)) => {
            let message = format!("version {} is not known", quoted(version));
            reader.wrong("/version", message, "write `\"version\": \"1\"` or `\"2\"`");
        }
        Some(_) => reader.wrong("/version", "the version is not a string", "write `\"version\": \"1\"` or `\"2\"`"),
        None => reader.missing(root, "version", "write `\"version\": \"1\"` or `\"2\"`"),
    }
}

/// Reads `safety_tools`, which must be tools that may be called.
fn safety_tools(reader: &mut Reader<'_>, node: &Node<'_>, names: &OwnMap<Named>) -> IndexSet<String> {
    let mut tools = IndexSet::new();
    for node in reader.array(node, "`safety_tools`") {
        let Some(name) = reader.string(&node, "a tool's name") else { continue };
        let listed = names.get(name).is_some_and(|named| {
            !named.hidden && named.rules.as_ref().is_some_and(|rules| !matches!(rules.action, Action::Deny(_)))
        });
        if !listed {
            let remedy = "list it under `tools`, unhidden and not denied: the kill switch allows nothing by itself";
            reader.wrong(&node.pointer, format!("{} may not be called", quoted(name)), remedy);
        }
        tools.insert(name.to_owned());
    }
    tools
}

/// Reads `hide`, and returns whether it hides every tool.
fn hide(reader: &mut Reader<'_>, list: &Node<'_>, names: &mut OwnMap<Named>, prefixes: &mut Vec<String>) -> bool {
    let mut hides_all = false;
    for node in reader.array(list, "`hide`") {
        let Some(name) = reader.string(&node, "a hidden tool's name") else { continue };
        if name == "*" {
            hides_all = true;
        } else if let (Version::Two, Some(prefix)) = (reader.version(), prefix_of(name)) {
            prefixes.push(prefix.to_owned());
        } else if let Some(problem) = bad_name(name, reader.version()) {
            reader.wrong(&node.pointer, format!("{} is no tool's name", quoted(name)), problem);
        } else if names.insert(name.to_owned(), Named { hidden: true, rules: None }).is_some() {
            reader.warn("hidden_twice", &node.pointer, format!("{} is hidden already", quoted(name)));
        }
    }
    hides_all
}

/// Why `name` cannot be a tool's name. A pattern would otherwise silently match nothing.
fn bad_name(name: &str, version: Version) -> Option<&'static str> {
    if name.is_empty() {
        Some("name the tool")
    } else if name.contains('*') {
        Some(match version {
            Version::One => "version 1 has no patterns: name each tool (only `hide` takes `*`, for all tools)",
            Version::Two => "a pattern is the beginning of a name and one `*` at its end",
        })
    } else if name.trim() != name || name.chars().any(char::is_control) {
        Some("remove the blanks and control characters")
    } else {
        None
    }
}

fn tool(reader: &mut Reader<'_>, name: &str, node: &Node<'_>, context: &mut Context<'_>) -> Option<ToolRules> {
    let Context { counters, breakers, all_tools, manifest, assets } = context;
    let known: Vec<&str> = match manifest {
        Some(_) => {
            TOOL_KEYS.iter().chain(&sequences::KEYS).chain(&breakers::KEYS).chain(&handling::KEYS).copied().collect()
        }
        None => TOOL_KEYS.to_vec(),
    };
    let members = reader.object(node, "a tool's entry", &known)?;
    let facts = match manifest {
        Some(manifest) => Some(of_manifest(reader, name, node, all_tools, manifest)?),
        None => None,
    };
    let mut terms = Terms { tool: name, facts: facts.as_deref(), ..Terms::default() };
    let action = action(reader, node, members);
    let deny_if = node.member(members, "deny_if").map(|node| clauses::deny_if(reader, &node, &mut terms));
    let approve_if = node.member(members, "approve_if").map(|node| clauses::approve_if(reader, &node, &mut terms));
    let require = node.member(members, "require").map(|node| clauses::require(reader, &node, &mut terms));
    let mut limits = match node.member(members, "limits") {
        Some(node) => counters.limits(reader, &node, all_tools, &mut terms),
        None => Vec::new(),
    };
    if let Some(node) = node.member(members, "rate_limit") {
        limits.extend(counters.rate_limit(reader, &node));
    }
    let handling = handling::handling(reader, node, members, facts.as_deref());
    let mentions = terms.mentions;
    let (mut sequence, mut own_breakers) = (None, Vec::new());
    if let Some(facts) = &facts {
        sequence = sequences::sequence(reader, node, members, facts, assets);
        own_breakers = breakers.read(reader, node, members, counters, &mut limits);
    }
    Some(ToolRules {
        rule: node.pointer.as_str().into(),
        action: action?,
        mentions,
        facts,
        deny_if: deny_if.unwrap_or_default(),
        approve_if: approve_if.unwrap_or_default(),
        require: require.unwrap_or_default(),
        limits,
        sequence,
        proves: Vec::new(),
        breakers: own_breakers,
        handling,
    })
}

fn action(reader: &mut Reader<'_>, node: &Node<'_>, members: &Map<String, Value>) -> Option<Action> {
    #[derive(Clone, Copy)]
    enum Word {
        Allow,
        Deny,
        RequireApproval,
    }
    const WORDS: [(&str, Word); 3] =
        [("allow", Word::Allow), ("deny", Word::Deny), ("require_approval", Word::RequireApproval)];

    let at = |key: &str| members.get(key).map(|value| Node { value, pointer: pointer::child(&node.pointer, key) });
    let reason = at("reason");
    let reason_text = reason.as_ref().and_then(|reason| reader.string(reason, "`reason`").map(str::to_owned));
    let rule = pointer::child(&node.pointer, "action");
    let word = at("action").map_or(Some(Word::Allow), |action| reader.word(&action, "action", &WORDS))?;
    if let (Word::Allow, Some(reason)) = (word, &reason) {
        let message = "a reason is given only when the action is `deny` or `require_approval`";
        reader.warn("reason_without_effect", &reason.pointer, message);
    }
    Some(match word {
        Word::Allow => Action::Allow,
        Word::Deny => Action::Deny(Reasoned { rule, reason: reason_text }),
        Word::RequireApproval => Action::RequireApproval(Reasoned { rule, reason: reason_text }),
    })
}

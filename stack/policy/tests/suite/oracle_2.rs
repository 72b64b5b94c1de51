//! Version "2" against a second implementation: plain, slow, straight from the document, sharing no code with the crate.
//! It keeps everything that ever happened and works every answer out anew. Random documents, manifests and histories
//! (calls, settlements in any order, prices, a clock that goes back) must be decided alike, down to rule, reason, wait,
//! what is charged and what rules in shadow would have refused.
//!
//! The rules over orders and listen keys are held by `exchange.rs`, which has an exchange of its own to hold them to.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::oracle_2_case::Truth::{No, Unsure, Yes};
use crate::oracle_2_case::{Case, Number};

/// A decision as text, so that both sides can be compared and read.
pub(crate) type Verdict = String;

/// The naive guard.
pub(crate) struct Oracle {
    pub(crate) document: Value,
    pub(crate) now: u64,
    charges: Vec<Charge>,
    /// Denials that begin a pause: when, which breaker and whose.
    denials: Vec<(u64, String)>,
    /// Calls that breakers follow, in the order in which they were let through.
    followed: Vec<Followed>,
    /// What was settled, in that order: the call, when, and whether it failed.
    settled: Vec<(usize, u64, Option<bool>)>,
    /// By tool and symbol: the price, and when it was asked for.
    pub(crate) prices: BTreeMap<(String, String), (Option<Number>, u64)>,
}

struct Charge {
    at: u64,
    counter: String,
    amount: u128,
    call: usize,
}

struct Followed {
    call: usize,
    owner: String,
}

/// A caller, and the circumstances of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who {
    pub(crate) grant: &'static str,
    pub(crate) session: &'static str,
    pub(crate) halted: bool,
    pub(crate) approved: bool,
}

/// A rule that refuses: its pointer, the reason, how long to wait.
type Refusal = (String, &'static str, Option<u64>);

/// A limit that a call is held to.
struct Limit {
    pointer: String,
    rule: Value,
    /// What it counts by, or nothing if that is unknown and the limit in shadow.
    counter: Option<String>,
    amount: u128,
}

pub(crate) fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

impl Oracle {
    pub(crate) fn new(document: Value) -> Self {
        Self {
            document,
            now: 0,
            charges: Vec::new(),
            denials: Vec::new(),
            followed: Vec::new(),
            settled: Vec::new(),
            prices: BTreeMap::new(),
        }
    }

    pub(crate) fn tell(&mut self, tool: &str, symbol: &str, price: Option<&str>, asked_at: u64) {
        let price = price.and_then(|price| Number::of(&json!(price))).filter(Number::is_above_zero);
        let before = self.prices.get(&(tool.to_owned(), symbol.to_owned()));
        if before.is_none_or(|(_, at)| asked_at >= *at) {
            self.prices.insert((tool.to_owned(), symbol.to_owned()), (price, asked_at));
        }
    }

    /// `failed` is nothing for a call that never left.
    pub(crate) fn settle(&mut self, call: usize, failed: Option<bool>) {
        if failed.is_none() {
            self.charges.retain(|charge| charge.call != call);
        }
        self.settled.push((call, self.now, failed));
    }

    /// The entry that a tool falls under: its pointer and itself.
    fn entry(&self, tool: &str) -> Option<(String, Value)> {
        let tools = self.document["tools"].as_object().unwrap();
        let known = self.document["manifest"].get(tool).is_some();
        let patterns = tools.keys().filter_map(|name| name.strip_suffix('*'));
        let longest = patterns.filter(|prefix| known && tool.starts_with(prefix)).max_by_key(|prefix| prefix.len());
        let name = if tools.contains_key(tool) { tool.to_owned() } else { format!("{}*", longest?) };
        Some((format!("/tools/{name}"), tools[&name].clone()))
    }

    fn is_hidden(&self, tool: &str) -> bool {
        list(&self.document["hide"]).iter().map(text).any(|hidden| match hidden.strip_suffix('*') {
            Some(prefix) => tool.starts_with(prefix),
            None => hidden == tool,
        })
    }

    pub(crate) fn admit(
        &mut self,
        call: usize,
        tool: &str,
        arguments: &Map<String, Value>,
        who: Who,
        at: u64,
    ) -> Verdict {
        self.now = self.now.max(at);
        let mut shadows = Vec::new();
        let verdict = self.judge(tool, arguments, who, &mut shadows);
        let in_shadow = self.document["shadow"] == true;
        let shown = |shadows: &[Refusal]| {
            let words: Vec<String> = shadows.iter().map(|(rule, reason, _)| format!("{rule} {reason}")).collect();
            format!("[{}]", words.join(", "))
        };
        match verdict {
            Err((rule, reason, wait)) => {
                if reason != "cooling_down" {
                    let breakers = self.breakers(tool, who, "cooldown");
                    let pauses = breakers.into_iter().filter(|(_, rule, _)| rule["after"] == "denial");
                    self.denials.extend(pauses.map(|(_, _, owner)| (self.now, owner)).collect::<Vec<_>>());
                }
                if in_shadow && reason != "halted" {
                    shadows.push((rule, reason, None));
                    return format!("allow /shadow {} []", shown(&shadows));
                }
                format!("deny {rule} {reason} {wait:?}")
            }
            Ok((_, _, Some(ask))) if in_shadow => {
                shadows.push((ask, "approval_required", None));
                format!("allow /shadow {} []", shown(&shadows))
            }
            Ok((_, _, Some(ask))) => format!("escalate {ask}"),
            Ok((rule, limits, None)) => {
                let mut charged = Vec::new();
                for limit in limits {
                    let Some(counter) = limit.counter else { continue };
                    self.charges.push(Charge { at: self.now, counter: counter.clone(), amount: limit.amount, call });
                    charged.push(format!("{}/{}", limit.amount, self.used(&counter, &limit.rule, self.now)));
                }
                for key in ["error_streak", "concurrency"] {
                    for (_, _, owner) in self.breakers(tool, who, key) {
                        self.followed.push(Followed { call, owner });
                    }
                }
                format!("allow {rule} {} [{}]", shown(&shadows), charged.join(" "))
            }
        }
    }

    /// The rule that lets it through, its limits, and who asks a person; or who refuses.
    fn judge(
        &self,
        tool: &str,
        arguments: &Map<String, Value>,
        who: Who,
        shadows: &mut Vec<Refusal>,
    ) -> Result<(String, Vec<Limit>, Option<String>), Refusal> {
        let refuse = |rule: &str, reason: &'static str| Err((rule.to_owned(), reason, None));
        if who.halted && !list(&self.document["safety_tools"]).iter().any(|name| name == tool) {
            return refuse("(halted)", "halted");
        }
        if self.is_hidden(tool) {
            return refuse("(hidden)", "hidden");
        }
        let Some((entry, rules)) = self.entry(tool) else { return refuse("(default deny)", "unlisted") };
        if rules["action"] == "deny" {
            return refuse(&format!("{entry}/action"), "action_denied");
        }
        let facts = &self.document["manifest"][tool];
        let mentioned = mentioned(&rules);
        for key in arguments.keys() {
            let alike = |name: &String| name != key && name.eq_ignore_ascii_case(key);
            if mentioned.iter().any(alike) && !mentioned.contains(key) {
                return refuse(&entry, "ambiguous_argument");
            }
        }
        if arguments.keys().any(|key| !list(&facts["arguments"]).iter().any(|name| name == key)) {
            return refuse(&entry, "undeclared_argument");
        }
        let case = Case { oracle: self, facts: &facts["facts"], arguments };
        let mut note = |rule: &Value, refusal: Refusal| {
            if rule["shadow"] == true {
                shadows.push(refusal);
                Ok(())
            } else {
                Err(refusal)
            }
        };
        for (name, refuses_when) in [("deny_if", Yes), ("require", No)] {
            for (index, rule) in list(&rules[name]).iter().enumerate() {
                let reason = match case.clause(rule, refuses_when == No) {
                    Unsure => "unevaluable",
                    truth if truth != refuses_when => continue,
                    _ if name == "deny_if" => "deny_if_matched",
                    _ => "require_failed",
                };
                note(rule, (format!("{entry}/{name}/{index}"), reason, None))?;
            }
        }
        let mut ask = (rules["action"] == "require_approval").then(|| format!("{entry}/action"));
        for (index, rule) in list(&rules["approve_if"]).iter().enumerate() {
            if ask.is_some() {
                break;
            }
            let pointer = format!("{entry}/approve_if/{index}");
            match case.clause(rule, false) {
                No => {}
                Unsure => note(rule, (pointer, "unevaluable", None))?,
                Yes if rule["shadow"] == true => note(rule, (pointer, "approval_required", None))?,
                Yes => ask = Some(pointer),
            }
        }
        for owner in ["/all_tools", entry.as_str()] {
            for key in ["cooldown", "error_streak", "concurrency"] {
                for (pointer, rule, whose) in self.breakers(tool, who, key) {
                    if !pointer.starts_with(&format!("{owner}/")) || (key == "cooldown" && rule["after"] == "call") {
                        continue;
                    }
                    if let Some((reason, wait)) = self.is_open(key, &rule, &whose) {
                        note(&rule, (pointer, reason, wait))?;
                    }
                }
            }
        }
        let mut limits = Vec::new();
        for (pointer, rule) in self.limits(&entry, &rules) {
            if let (Some(amount), Some(part)) = (case.amount(&rule), case.part(tool, &rule)) {
                let counter = Some(owner(&pointer, &rule, who, &part));
                limits.push(Limit { pointer, rule, counter, amount });
            } else {
                note(&rule, (pointer.clone(), "unevaluable", None))?;
                limits.push(Limit { pointer, rule, counter: None, amount: 0 });
            }
        }
        let mut reached: Option<Refusal> = None;
        for limit in &mut limits {
            let Some(counter) = &limit.counter else { continue };
            let max = max_of(&limit.rule);
            let has_room = |now: u64| self.used(counter, &limit.rule, now) + limit.amount <= max;
            if has_room(self.now) {
                continue;
            }
            // The first moment at which there is room, tried one by one from the ends of the charges.
            let length = seconds(&limit.rule) * 1000;
            let mut ends: Vec<u64> = self.charges.iter().map(|charge| charge.at + length).collect();
            ends.sort_unstable();
            let free = ends.into_iter().find(|end| *end > self.now && has_room(*end)).map(|end| end - self.now);
            if limit.rule["shadow"] == true {
                shadows.push((limit.pointer.clone(), "limit_reached", None));
                limit.counter = None;
                continue;
            }
            let (rule, wait) = match reached {
                Some((first, _, wait)) => (first, wait.zip(free).map(|(one, other)| one.max(other))),
                None => (limit.pointer.clone(), free),
            };
            reached = Some((rule, "limit_reached", wait));
        }
        match reached {
            Some(refusal) => Err(refusal),
            None => Ok((entry, limits, ask.filter(|_| !who.approved))),
        }
    }

    /// Every limit of a call once, in the order in which they are asked: those of all tools first.
    fn limits(&self, entry: &str, rules: &Value) -> Vec<(String, Value)> {
        let mut limits: Vec<(String, Value)> = Vec::new();
        for (place, rules) in [("/all_tools", &self.document["all_tools"]), (entry, rules)] {
            for (index, limit) in list(&rules["limits"]).into_iter().enumerate() {
                if !limits.iter().any(|(_, other)| other["counter"] == limit["counter"]) {
                    limits.push((format!("{place}/limits/{index}"), limit));
                }
            }
            if let Some(rate) = rules.get("rate_limit") {
                let rule = json!({ "max": rate["max"], "window": rate["window"], "scope": "session" });
                limits.push((format!("{place}/rate_limit"), rule));
            }
            for (index, mut rule) in list(&rules["cooldown"]).into_iter().enumerate() {
                if rule["after"] == "call" {
                    rule["max"] = json!(1);
                    limits.push((format!("{place}/cooldown/{index}"), rule));
                }
            }
        }
        limits
    }

    /// The breakers under `key` that apply to a tool: pointer, rule, and whose they are.
    fn breakers(&self, tool: &str, who: Who, key: &str) -> Vec<(String, Value, String)> {
        let mut places = vec![("/all_tools".to_owned(), self.document["all_tools"].clone())];
        places.extend(self.entry(tool));
        let mut found = Vec::new();
        for (place, rules) in places {
            for (index, rule) in list(&rules[key]).into_iter().enumerate() {
                let pointer = format!("{place}/{key}/{index}");
                let whose = owner(&pointer, &rule, who, "");
                found.push((pointer, rule, whose));
            }
        }
        found
    }

    fn is_open(&self, key: &str, rule: &Value, whose: &str) -> Option<(&'static str, Option<u64>)> {
        let until = |until: u64| (until > self.now).then(|| until - self.now);
        if key == "cooldown" {
            let last = self.denials.iter().filter(|(_, owner)| owner == whose).map(|(at, _)| *at).max()?;
            return Some(("cooling_down", Some(until(last + seconds(rule) * 1000)?)));
        }
        let calls = || self.followed.iter().filter(|followed| followed.owner == whose);
        if key == "concurrency" {
            let over = |call: usize| self.settled.iter().any(|(settled, ..)| *settled == call);
            let under_way = calls().filter(|followed| !over(followed.call)).count();
            return (under_way as u64 >= rule["max"].as_u64().unwrap()).then_some(("under_way", None));
        }
        let (mut in_a_row, mut last, mut open_until) = (0, 0, 0);
        for (call, at, failed) in &self.settled {
            if !calls().any(|followed| followed.call == *call) {
                continue;
            }
            match failed {
                None => {}
                Some(false) => in_a_row = 0,
                Some(true) => {
                    let goes_on = in_a_row > 0 && *at <= last + seconds(rule) * 1000;
                    in_a_row = if goes_on { in_a_row + 1 } else { 1 };
                    last = *at;
                    if in_a_row >= rule["max"].as_u64().unwrap() {
                        (in_a_row, open_until) = (0, *at + rule["pause"].as_u64().unwrap() * 1000);
                    }
                }
            }
        }
        Some(("error_streak", Some(until(open_until)?)))
    }

    fn used(&self, counter: &str, rule: &Value, now: u64) -> u128 {
        let length = seconds(rule) * 1000;
        let held = self.charges.iter().filter(|charge| charge.counter == counter && charge.at + length > now);
        held.map(|charge| charge.amount).sum()
    }
}

fn seconds(rule: &Value) -> u64 {
    rule["window"].as_u64().unwrap()
}

fn max_of(limit: &Value) -> u128 {
    match limit.get("of") {
        Some(_) => Number::of(&limit["max"]).unwrap().units().unwrap(),
        None => u128::from(limit["max"].as_u64().unwrap()),
    }
}

/// What a rule counts for.
fn owner(pointer: &str, rule: &Value, who: Who, part: &str) -> String {
    let name = rule.get("counter").map_or_else(|| json!({ "at": pointer }), Clone::clone);
    let scope = rule["scope"].as_str().unwrap_or("grant");
    let grant = if matches!(scope, "grant" | "session") { who.grant } else { "" };
    let session = if scope == "session" { who.session } else { "" };
    json!([name, grant, session, part]).to_string()
}

/// Every argument that the tool's rules speak of.
fn mentioned(rules: &Value) -> Vec<String> {
    fn collect(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            Value::Object(members) => {
                for (key, value) in members {
                    let named = matches!(key.as_str(), "path" | "other" | "of" | "each");
                    match value.as_str().filter(|_| named).and_then(|path| path.strip_prefix("args.")) {
                        Some(name) => into.push(name.to_owned()),
                        None => collect(value, into),
                    }
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    for key in ["deny_if", "approve_if", "require", "limits"] {
        collect(&rules[key], &mut found);
    }
    found
}

//! Steps: known tools, references that lead somewhere, frames that can be made, loops that turn.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Findings;
use crate::scenario::problem::nearest;
use crate::scenario::refs::{RefError, Template};
use crate::scenario::{Dec, FIRST_AGENT, Located, MarketMove, RawError, Scenario, ServerChange, Step, Upstream};
use crate::soft;

pub(super) fn lint(findings: &mut Findings<'_>, scenario: &Scenario) {
    let owners: BTreeSet<String> =
        scenario.exchange.open_orders.iter().filter_map(|order| order.name.clone()).collect();
    let markets: BTreeSet<String> = scenario.exchange.prices.keys().cloned().collect();
    let agents: BTreeSet<String> = scenario.agents.keys().cloned().collect();
    let twin = scenario.twin.as_ref().map(|twin| twin.steps.as_slice()).unwrap_or_default();
    for script in [&scenario.attack, twin, &scenario.steps] {
        let (agents, upstream) = (&agents, scenario.upstream);
        let names = owners.clone();
        let mut walk = Walk { findings, agents, upstream, markets: &markets, names, in_loop: false };
        walk.steps(script);
    }
}

/// One script, read in the order in which it will run.
struct Walk<'a, 'b> {
    findings: &'a mut Findings<'b>,
    /// The agents beside the first.
    agents: &'a BTreeSet<String>,
    upstream: Upstream,
    /// The symbols that have a price.
    markets: &'a BTreeSet<String>,
    /// The names that can be used here.
    names: BTreeSet<String>,
    in_loop: bool,
}

impl Walk<'_, '_> {
    fn steps(&mut self, steps: &[Located<Step>]) {
        for step in steps {
            self.step(step);
        }
    }

    fn step(&mut self, step: &Located<Step>) {
        let place = (step.line, step.column);
        match &step.value {
            Step::Call(call) => {
                self.by(place, call.by.as_ref());
                self.tool(place, &call.tool, call.unknown_tool);
                self.values(place, call.args.values());
                self.define(place, call.name.as_ref());
            }
            Step::Request(request) => {
                self.by(place, request.by.as_ref());
                self.values(place, request.params.values());
                self.define(place, request.name.as_ref());
            }
            Step::Notify(notify) => {
                self.by(place, notify.by.as_ref());
                self.values(place, notify.params.values());
            }
            Step::Reconnect(reconnect) => self.by(place, reconnect.by.as_ref()),
            Step::Operator(_) => {}
            Step::ServerChange(change) => self.server_change(place, change),
            Step::Market(market) => self.market(place, market),
            Step::Direct(direct) => {
                if !direct.path.starts_with('/') {
                    let help = "write it as the exchange does, such as `/api/v3/userDataStream`";
                    self.findings.add("path", place, format!("`{}` is not a path", direct.path), help);
                }
                self.values(place, direct.params.values());
                if let Some(key) = &direct.key {
                    self.text(place, key);
                }
                self.define(place, direct.name.as_ref());
            }
            Step::Raw(raw) => {
                self.by(place, raw.by.as_ref());
                let mut texts = Vec::new();
                let bytes = raw.bytes(|text| {
                    texts.push(text.to_owned());
                    Ok::<_, RawError>(text.to_owned())
                });
                if let Err(error) = bytes {
                    let help = "see `raw` in the schema: `text: '..'`, or `parts` of text, hex and repeat";
                    self.findings.add("raw", place, error.to_string(), help);
                }
                for text in &texts {
                    self.text(place, text);
                }
                self.define(place, raw.name.as_ref());
            }
            Step::Listen(listen) => {
                self.text(place, &listen.key);
                self.define(place, listen.name.as_ref());
            }
            Step::OwnerOrder(order) => self.define(place, order.name.as_ref()),
            Step::Advance(span) => {
                if span.as_millis() == 0 {
                    self.findings.add(
                        "idle-step",
                        place,
                        "the clock is advanced by nothing",
                        "write a span above zero",
                    );
                }
            }
            Step::Repeat(repeat) => {
                self.turns(place, repeat.times as usize, &repeat.steps);
                self.looped(|walk| walk.steps(&repeat.steps));
            }
            Step::Each(each) => {
                self.turns(place, each.values.len(), &each.steps);
                self.values(place, each.values.iter().map(|value| &value.0));
                let known = self.names.contains(&each.name);
                self.define(place, Some(&each.name));
                self.looped(|walk| walk.steps(&each.steps));
                if !known {
                    self.names.remove(&each.name);
                }
            }
            Step::Parallel(parallel) => {
                self.turns(place, parallel.times as usize, &parallel.steps);
                let before = self.names.clone();
                let mut after = before.clone();
                for step in &parallel.steps {
                    let inner = (step.line, step.column);
                    if !matches!(step.value, Step::Call(_) | Step::Raw(_) | Step::Request(_)) {
                        let message = "only `call`, `raw` and `request` can run in parallel";
                        self.findings.add("parallel", inner, message, "move the step before or after `parallel`");
                    }
                    // What one call answers cannot be used by another that starts with it.
                    self.names.clone_from(&before);
                    self.looped(|walk| walk.step(step));
                    after.append(&mut self.names);
                }
                self.names = after;
            }
        }
    }

    fn by(&mut self, place: (u64, u64), by: Option<&String>) {
        let Some(by) = by.filter(|by| *by != FIRST_AGENT && !self.agents.contains(*by)) else { return };
        let near = nearest(by, self.agents.iter().map(String::as_str));
        let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        let help = format!("{near}write `agents: {{ {by}: {{ grant: .. }} }}` at the top");
        self.findings.add("agent", place, format!("there is no agent `{by}`"), help);
    }

    fn server_change(&mut self, place: (u64, u64), change: &ServerChange) {
        if self.upstream != Upstream::Soft {
            let help = "write `upstream: soft`";
            self.findings.add("server-change", place, "only the server `soft` becomes another", help);
        }
        self.tool(place, &change.tool, false);
        if let Some(acts_as) = &change.acts_as {
            self.tool(place, &acts_as.tool, false);
        }
        if *change == (ServerChange { tool: change.tool.clone(), ..ServerChange::default() }) {
            let help = "give it another `description`, or say what it `acts_as`";
            self.findings.add("idle-step", place, "the tool stays what it is", help);
        }
    }

    fn market(&mut self, place: (u64, u64), market: &MarketMove) {
        let MarketMove { symbol, price } = market;
        if !self.markets.contains(symbol) {
            let help = format!("write `exchange: {{ prices: {{ {symbol}: \"..\" }} }}`, or move another");
            self.findings.add("market", place, format!("the set-up has no price for `{symbol}`"), help);
        }
        if price.value() <= Dec::zero().value() {
            self.findings.add("market", place, "a price is above zero", "write where the market goes");
        }
    }

    fn looped(&mut self, inner: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.in_loop, true);
        inner(self);
        self.in_loop = outer;
    }

    fn turns(&mut self, place: (u64, u64), times: usize, steps: &[Located<Step>]) {
        if times == 0 || steps.is_empty() {
            self.findings.add("idle-step", place, "this does nothing", "give it at least one turn and one step");
        }
    }

    fn tool(&mut self, place: (u64, u64), tool: &str, unknown: bool) {
        let known = soft::tools().iter().any(|spec| spec.name == tool);
        if known && unknown {
            let help = "take `unknown_tool: true` away";
            self.findings.warn("tool-known", place, format!("`{tool}` is one of the 23 tools"), help);
        }
        if !known && !unknown {
            let near = nearest(tool, soft::tools().iter().map(|spec| spec.name));
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            let help = format!("{near}Say `unknown_tool: true` if the name is meant to be unknown");
            self.findings.add("tool-unknown", place, format!("`{tool}` is none of the 23 tools"), help);
        }
    }

    fn define(&mut self, place: (u64, u64), name: Option<&String>) {
        let Some(name) = name else { return };
        let word = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if !word || matches!(name.as_str(), "index" | "rogue") {
            let help = "use letters, digits, `_` and `-`; `index` and `rogue` are taken";
            self.findings.add("name", place, format!("`{name}` cannot be the name of an answer"), help);
        }
        self.names.insert(name.clone());
    }

    fn values<'v>(&mut self, place: (u64, u64), values: impl Iterator<Item = &'v Value>) {
        for value in values {
            match value {
                Value::String(text) => self.text(place, text),
                Value::Array(list) => self.values(place, list.iter()),
                Value::Object(map) => self.values(place, map.values()),
                _ => {}
            }
        }
    }

    fn text(&mut self, place: (u64, u64), text: &str) {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error @ (RefError::Unclosed(_) | RefError::Malformed(_))) => {
                let help = "a reference is `${name.path}`; `$${` stands for the characters themselves";
                return self.findings.add("reference", place, error.to_string(), help);
            }
        };
        for reference in template.references() {
            let path: Vec<&str> = reference.path.iter().map(String::as_str).collect();
            let known = match (reference.name.as_str(), path.as_slice()) {
                ("rogue", path) => matches!(path, ["api_key" | "secret"]),
                ("index", path) => path.is_empty() && self.in_loop,
                (name, _) => self.names.contains(name),
            };
            if !known {
                let near = nearest(&reference.name, self.names.iter().map(String::as_str));
                let help = match near {
                    Some(near) if near != reference.name => format!("did you mean `${{{near}...}}`?"),
                    _ if reference.name == "index" => {
                        "`${index}` exists within `repeat`, `each` and `parallel`".to_owned()
                    }
                    _ if reference.name == "rogue" => "there are `${rogue.api_key}` and `${rogue.secret}`".to_owned(),
                    _ => format!("give an earlier step `as: {}`", reference.name),
                };
                self.findings.add(
                    "reference",
                    place,
                    format!("nothing before this is called `{}`", reference.name),
                    help,
                );
            }
        }
    }
}

//! What happened as what must happen again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::session::{Session, Turn};
use super::steps::Script;
use crate::agent::answer::Answer;
use crate::scenario::{
    AgentCheck, Args, AuditCheck, Count, ExchangeCheck, Expect, Located, Outcome, RequestCheck, Step, StepExpect,
    UpstreamCheck,
};
use crate::soft::{Security, tools};

/// What of an order's answer is not made anew by each run.
const LASTING: [&str; 8] =
    ["symbol", "side", "type", "status", "price", "origQty", "executedQty", "cummulativeQuoteQty"];

/// What an answer was, as far as it must be so again.
pub(super) fn of_answer(turn: &Turn, behind_gateway: bool) -> StepExpect {
    let answer = read(turn, behind_gateway);
    let outcome = Some(answer.outcome);
    let Answer { rule, reason, code, value, .. } = answer;
    match outcome {
        Some(Outcome::Denied) => StepExpect { outcome, rule, reason, ..StepExpect::default() },
        Some(Outcome::Refused) => StepExpect { outcome, reason, code, ..StepExpect::default() },
        Some(Outcome::Error) => StepExpect { outcome, code, ..StepExpect::default() },
        _ => {
            let lasting = LASTING.iter().filter_map(|name| {
                let told = value.get(*name)?.as_str().filter(|told| !told.contains(['$', '[']))?;
                Some(((*name).to_owned(), Value::from(told)))
            });
            let values = if value.get("orderId").is_some() { lasting.collect() } else { Map::new() };
            StepExpect { outcome, values: Args(values), ..StepExpect::default() }
        }
    }
}

fn read(turn: &Turn, behind_gateway: bool) -> Answer {
    turn.answer.as_ref().map_or_else(Answer::silent, |(answer, _)| Answer::read(answer, behind_gateway))
}

/// What the whole session came to.
pub(super) fn expect(session: &Session, script: &Script, steps: &[Located<Step>]) -> Expect {
    let behind_gateway = session.header.policy.is_some();
    Expect {
        exchange: exchange(session, steps),
        agent: agent(session, script, behind_gateway),
        upstream: UpstreamCheck {
            calls: behind_gateway.then(|| Count::exactly(session.upstream_calls)),
            own_calls: own_calls(session, behind_gateway),
        },
        audit: audit(session),
        live: None,
        absent: Vec::new(),
    }
}

/// Tools that the gateway called for itself: of those that are open to everybody, as nobody else's may be.
fn own_calls(session: &Session, behind_gateway: bool) -> Vec<String> {
    let is_open = |name: &str| tools().iter().any(|tool| tool.name == name && tool.security == Security::None);
    let unasked = session.unasked.iter().filter(|(name, count)| behind_gateway && **count > 0 && is_open(name));
    unasked.map(|(name, _)| name.clone()).collect()
}

fn exchange(session: &Session, steps: &[Located<Step>]) -> ExchangeCheck {
    let mut seen: BTreeMap<(String, String), u64> = BTreeMap::new();
    let (mut booked, mut rejected) = (0, 0);
    for (request, status) in &session.requests {
        let path = request.target.split('?').next().unwrap_or_default().to_owned();
        let places = request.method == "POST" && path == "/api/v3/order";
        booked += u64::from(places && *status == 200);
        rejected += u64::from(places && *status >= 400);
        *seen.entry((request.method.clone(), path)).or_default() += 1;
    }
    let script = serde_json::to_string(steps).unwrap_or_default();
    let named: BTreeSet<&str> =
        tools().iter().filter(|tool| script.contains(tool.name)).map(|tool| tool.path).collect();
    let others = seen.keys().map(|(_, path)| path.clone()).filter(|path| !named.contains(path.as_str()));
    let others: BTreeSet<String> = others.collect();
    ExchangeCheck {
        requests: Some(Count::exactly(count(&session.requests))),
        orders_booked: Some(Count::exactly(booked)),
        orders_rejected: (rejected > 0).then(|| Count::exactly(rejected)),
        seen: seen
            .into_iter()
            .map(|((method, path), count)| RequestCheck {
                method: Some(method),
                path,
                params: Args::default(),
                count: Count::exactly(count),
            })
            .collect(),
        other_paths: others.into_iter().collect(),
        ..ExchangeCheck::default()
    }
}

fn agent(session: &Session, script: &Script, behind_gateway: bool) -> AgentCheck {
    let mut counts: BTreeMap<Outcome, u64> = BTreeMap::new();
    let mut lists = Vec::new();
    for (_, turn) in session.turns.iter().enumerate().filter(|(at, _)| script.asks(*at)) {
        let answer = read(turn, behind_gateway);
        *counts.entry(answer.outcome).or_default() += 1;
        if let Some(shown) = answer.value.get("tools").and_then(Value::as_array)
            && turn.is("tools/list")
        {
            lists = shown.iter().filter_map(|tool| Some(tool.get("name")?.as_str()?.to_owned())).collect();
        }
    }
    let exactly = |outcome: Outcome| Some(Count::exactly(counts.get(&outcome).copied().unwrap_or_default()));
    AgentCheck {
        allowed: exactly(Outcome::Allowed),
        denied: exactly(Outcome::Denied),
        errors: exactly(Outcome::Error),
        refused: exactly(Outcome::Refused),
        silent: exactly(Outcome::Silent),
        lists,
        ..AgentCheck::default()
    }
}

fn audit(session: &Session) -> AuditCheck {
    if session.header.policy.is_none() {
        return AuditCheck::default();
    }
    let number = |words: &[&str]| count(session.decisions.iter().filter(|word| words.contains(&word.as_str())));
    AuditCheck {
        lines: Some(Count::exactly(count(&session.decisions))),
        allowed: Some(Count::exactly(number(&["allow"]))),
        denied: Some(Count::exactly(number(&["deny", "escalate"]))),
        ..AuditCheck::default()
    }
}

fn count<T>(items: impl IntoIterator<Item = T>) -> u64 {
    items.into_iter().fold(0, |count, _| count + 1)
}

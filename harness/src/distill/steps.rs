//! Turns as steps.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::expect::of_answer;
use super::session::{Session, Turn, bytes};
use super::values::{Origins, name_of};
use crate::agent::answer::Answer;
use crate::cassette::Body;
use crate::scenario::{Args, Call, Located, Notify, Outcome, Parallel, Part, Raw, Request, Span, Step};
use crate::soft::tools;

/// A session as steps, of which some may be left out.
#[derive(Debug)]
pub(crate) struct Script {
    played: Vec<Played>,
}

/// A turn as a step.
#[derive(Debug)]
struct Played {
    at_ms: u64,
    step: Step,
    /// The turns whose answers it refers to.
    uses: Vec<usize>,
    /// Turns of the same number were under way at once.
    group: usize,
}

impl Script {
    pub(crate) fn of(session: &Session) -> Self {
        let mut origins = Origins::default();
        let mut played: Vec<Played> = Vec::new();
        let mut group = 0;
        // The first answer to one of the group's turns: what was sent after it was not under way with them.
        let mut answered = None;
        for (at, turn) in session.turns.iter().enumerate() {
            let (step, uses) = step(turn, &origins, session.header.policy.is_some());
            let told = turn.answer.as_ref().map(|(_, seq)| *seq);
            let alone = told.is_none()
                || matches!(step, Step::Notify(_))
                || uses.iter().any(|used| of(&played, *used) == group);
            if alone || answered.is_none_or(|answered| answered < turn.seq) {
                group += 1;
                answered = None;
            }
            answered = match (answered, told) {
                (Some(first), Some(told)) => Some(told.min(first)),
                (None, told) => told,
                (first, None) => first,
            };
            played.push(Played { at_ms: turn.at_ms, step, uses, group });
            if let Some((answer, _)) = &turn.answer {
                let answer = Answer::read(answer, true);
                if answer.outcome == Outcome::Allowed {
                    origins.take(at, &answer.value);
                }
            }
        }
        Self { played }
    }

    /// Whether a turn is answered, or counts as unanswered.
    pub(super) fn asks(&self, at: usize) -> bool {
        self.played.get(at).is_some_and(|played| !matches!(played.step, Step::Notify(_)))
    }

    /// The steps of the turns that are kept, each at its recorded time.
    pub(crate) fn steps(&self, keep: impl Fn(usize) -> bool) -> Vec<Located<Step>> {
        let kept: Vec<(usize, &Played)> = self.played.iter().enumerate().filter(|(at, _)| keep(*at)).collect();
        let named: BTreeSet<usize> = kept.iter().flat_map(|(_, played)| played.uses.iter().copied()).collect();
        let mut steps: Vec<Located<Step>> = Vec::new();
        let (mut now_ms, mut rest) = (0, kept.as_slice());
        while let Some((_, first)) = rest.first() {
            let length = rest.iter().take_while(|(_, played)| played.group == first.group).count();
            let (together, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = after;
            if first.at_ms > now_ms {
                steps.push(Step::Advance(Span::from_millis(first.at_ms - now_ms)).into());
                now_ms = first.at_ms;
            }
            let mut inner: Vec<Located<Step>> = together
                .iter()
                .map(|(at, played)| with_name(&played.step, named.contains(at).then(|| name_of(*at))).into())
                .collect();
            if inner.len() > 1 {
                steps.push(Step::Parallel(Parallel { times: 1, steps: inner }).into());
            } else {
                steps.append(&mut inner);
            }
        }
        steps
    }
}

fn of(played: &[Played], at: usize) -> usize {
    played.get(at).map_or(0, |played| played.group)
}

fn with_name(step: &Step, name: Option<String>) -> Step {
    match step {
        Step::Call(call) => Step::Call(Call { name, ..call.clone() }),
        Step::Raw(raw) => Step::Raw(Raw { name, ..raw.clone() }),
        Step::Request(request) => Step::Request(Request { name, ..request.clone() }),
        other => other.clone(),
    }
}

fn step(turn: &Turn, origins: &Origins, behind_gateway: bool) -> (Step, Vec<usize>) {
    let expect = of_answer(turn, behind_gateway);
    let plain = match &turn.body {
        Body::Json(value) => value.as_object().and_then(|message| plain(message, origins)),
        Body::Text(_) | Body::Hex(_) => None,
    };
    match plain {
        Some((Step::Call(call), uses)) => (Step::Call(Call { expect: Some(expect), ..call }), uses),
        Some((Step::Request(request), uses)) => (Step::Request(Request { expect: Some(expect), ..request }), uses),
        Some(told) => told,
        None => {
            let mut uses = Vec::new();
            let frame = bytes(&turn.body);
            let text = std::str::from_utf8(&frame).ok().filter(|text| !text.contains(['\n', '\r']));
            let text = text.and_then(|text| origins.text(text, &mut uses));
            let parts = match &text {
                Some(_) => Vec::new(),
                None => vec![Part::Hex(hex::encode(&frame))],
            };
            (Step::Raw(Raw { by: None, text, parts, name: None, expect: Some(expect) }), uses)
        }
    }
}

/// A message that a step can say without spelling out the frame.
fn plain(message: &Map<String, Value>, origins: &Origins) -> Option<(Step, Vec<usize>)> {
    let known = |name: &str| matches!(name, "jsonrpc" | "id" | "method" | "params");
    if !message.keys().all(|name| known(name)) || message.get("jsonrpc")?.as_str() != Some("2.0") {
        return None;
    }
    let method = message.get("method")?.as_str()?;
    let nothing = Map::new();
    let mut params = match message.get("params") {
        Some(params) => params.as_object()?.clone(),
        None => nothing,
    };
    // A token for progress is the client library's own.
    let own = |meta: &Value| meta.as_object().is_some_and(|meta| meta.keys().all(|name| name == "progressToken"));
    if params.get("_meta").is_some_and(own) {
        params.shift_remove("_meta");
    }
    let id = message.get("id");
    // What no library writes as an id is only said by spelling out the frame.
    if id.is_some_and(|id| !id.is_string() && !id.is_u64() && !id.is_i64()) {
        return None;
    }
    match (id, method) {
        // What the one is about has another id when it is played again; the other a library would not send twice.
        (None, "notifications/cancelled") | (Some(_), "initialize") => None,
        (None, method) => {
            let (params, uses) = origins.arguments(&params)?;
            Some((Step::Notify(Notify { by: None, method: method.to_owned(), params: Args(params) }), uses))
        }
        (Some(_), "tools/call") => {
            let tool = params.get("name")?.as_str()?;
            let arguments = match params.get("arguments") {
                Some(arguments) => arguments.as_object()?.clone(),
                None => Map::new(),
            };
            if params.keys().any(|name| !matches!(name.as_str(), "name" | "arguments")) {
                return None;
            }
            let (args, uses) = origins.arguments(&arguments)?;
            let unknown_tool = !tools().iter().any(|known| known.name == tool);
            let tool = origins.text(tool, &mut Vec::new())?;
            Some((Step::Call(Call { by: None, tool, args: Args(args), name: None, unknown_tool, expect: None }), uses))
        }
        (Some(_), method) => {
            let (params, uses) = origins.arguments(&params)?;
            let request = Request { method: method.to_owned(), params: Args(params), ..Request::default() };
            Some((Step::Request(request), uses))
        }
    }
}

//! Two takes of one session, call by call.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::names::LIVENESS;
use super::super::pointers::{FieldDifference, differences};
use super::super::{fingerprint, rest};
use super::ids::Ids;
use super::report::{CallDifference, Place, Said};
use super::rules::Rules;
use crate::cassette::tools::words;
use crate::cassette::{Body, Direction, Leg, Message};
use crate::record::RestRequest;

/// What a take says, by the place of the agent's message that brought it about.
struct Take<'a> {
    messages: BTreeMap<Option<usize>, Vec<&'a Message>>,
    asked: Vec<&'a Message>,
}

impl<'a> Take<'a> {
    fn of(messages: &'a [Message], legs: &[Leg]) -> Self {
        let mut asked = Vec::new();
        let mut places: BTreeMap<u64, usize> = BTreeMap::new();
        let mut by_root: BTreeMap<Option<usize>, Vec<&Message>> = BTreeMap::new();
        for (message, root) in messages.iter().zip(roots(messages)) {
            if is_asked(message) {
                places.insert(message.seq, asked.len());
                asked.push(message);
                continue;
            }
            let root = root.and_then(|root| places.get(&root).copied());
            // What the gateway gives back is what the server gave it, and is not told twice.
            let told = legs.contains(&message.leg) && (message.leg, message.dir) != (Leg::Upstream, Direction::Back);
            if told && !is_liveness(message) {
                by_root.entry(root).or_default().push(message);
            }
        }
        Self { messages: by_root, asked }
    }

    fn caused(&self, root: Option<usize>, leg: Leg, dir: Direction) -> Vec<&'a Message> {
        let of = self.messages.get(&root).map(Vec::as_slice).unwrap_or_default();
        of.iter().filter(|message| (message.leg, message.dir) == (leg, dir)).copied().collect()
    }
}

/// Whether the agent sent it.
pub(super) fn is_asked(message: &Message) -> bool {
    (message.leg, message.dir) == (Leg::Agent, Direction::Out)
}

/// The agent's message that brought about each message: itself, or what its chain of causes leads to.
pub(super) fn roots(messages: &[Message]) -> Vec<Option<u64>> {
    let mut known: BTreeMap<u64, u64> = BTreeMap::new();
    let mut roots = Vec::with_capacity(messages.len());
    for message in messages {
        let before = || message.cause.and_then(|cause| known.get(&cause).copied());
        let root = if is_asked(message) { Some(message.seq) } else { before() };
        known.extend(root.map(|root| (message.seq, root)));
        roots.push(root);
    }
    roots
}

fn is_liveness(message: &Message) -> bool {
    matches!(&message.body, Body::Json(value) if value.get("method").is_some_and(|method| method == LIVENESS))
}

/// The wires in the order in which a call goes over them.
const WAYS: [(Leg, Direction); 5] = [
    (Leg::Decision, Direction::Out),
    (Leg::Upstream, Direction::Out),
    (Leg::Rest, Direction::Out),
    (Leg::Rest, Direction::Back),
    (Leg::Agent, Direction::Back),
];

/// Where the takes differ. Only wires that are on the tape are compared.
pub(super) fn compare(tape: &[Message], live: &[Message], ids: &Ids, rules: &Rules) -> Vec<CallDifference> {
    let on_tape = |leg: &Leg| tape.iter().any(|message| message.leg == *leg);
    let legs: Vec<Leg> = [Leg::Agent, Leg::Decision, Leg::Upstream, Leg::Rest].into_iter().filter(on_tape).collect();
    let (tape, live) = (Take::of(tape, &legs), Take::of(live, &legs));
    let mut found = Vec::new();
    for root in (0..tape.asked.len()).map(Some).chain([None]) {
        let mut places = Vec::new();
        for (leg, dir) in WAYS {
            let (a, b) = (tape.caused(root, leg, dir), live.caused(root, leg, dir));
            for number in 0..a.len().max(b.len()) {
                places.extend(place(a.get(number).copied(), b.get(number).copied(), ids, rules));
            }
        }
        if !places.is_empty() {
            let call = root.and_then(|root| tape.asked.get(root)).map(|asked| Said::of(asked));
            found.push(CallDifference { call, places });
        }
    }
    found
}

fn place(tape: Option<&Message>, live: Option<&Message>, ids: &Ids, rules: &Rules) -> Option<Place> {
    match (tape, live) {
        (Some(tape), Some(live)) => {
            let mut today = comparable(live);
            ids.in_tape_words(&mut today);
            let clean = |value| rules.clean(tape.leg, value);
            let fields = differences(&clean(comparable(tape)), &clean(today));
            let (said, leg, dir) = (Said::of(tape), tape.leg, tape.dir);
            // Field by field, one kind of answer would be held against another.
            let kind =
                |field: &FieldDifference| matches!(field.pointer.as_str(), "/result" | "/error" | "/result/isError");
            if fields.is_empty() {
                None
            } else if leg == Leg::Agent && fields.iter().any(kind) {
                Some(Place::Replaced { tape: said, today: words(live), leg, dir })
            } else {
                Some(Place::Other { tape: said, leg, dir, fields })
            }
        }
        (Some(tape), None) => Some(Place::OnTapeOnly { tape: Said::of(tape), leg: tape.leg, dir: tape.dir }),
        (None, Some(live)) => Some(Place::TodayOnly { said: words(live), leg: live.leg, dir: live.dir }),
        (None, None) => None,
    }
}

/// What is compared of a message. Requests to the exchange are compared by what they ask, answers of it with the body
/// as a value.
fn comparable(message: &Message) -> Value {
    let value = match &message.body {
        Body::Json(value) => value.clone(),
        Body::Text(_) | Body::Hex(_) => fingerprint::Fingerprint::of_mcp(&message.body).value,
    };
    if message.leg != Leg::Rest {
        return value;
    }
    match serde_json::from_value::<RestRequest>(value.clone()) {
        Ok(request) if message.dir == Direction::Out => rest::fingerprint(&request).value,
        _ => rest::unwrapped(value),
    }
}

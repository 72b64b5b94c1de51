//! The smallest tape that still shows the same: calls are left out, and the rest is sent to today's stack again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Write};

use serde_json::Value;

use super::compare::{compare, is_asked, roots};
use super::ids::Ids;
use super::report::{CallDifference, Place};
use super::rules::Rules;
use super::{RerunError, Stand};
use crate::cassette::{Body, Direction, Header, Leg, Message, TapeReader, TapeWriter};
use crate::run::again;
use crate::witness;

/// What a smaller tape must still show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// The harm that the tape's scenario speaks of, as the exchange saw it; for a tape of no scenario, a request to the
    /// exchange today that is not on the tape.
    Breach,
    /// One of the differences from the tape that the whole of it has, in what a message of the agent's is known to have
    /// brought about. Others come up as calls are left out on which later ones rest, and do not count.
    Difference,
}

/// A tape that was made smaller.
#[derive(Debug, Clone)]
pub struct Shrunk {
    header: Header,
    messages: Vec<Message>,
    /// How many messages the agent sent on the whole tape, those of the greeting left out.
    pub before: usize,
    /// How many of them are left.
    pub after: usize,
    /// How many tapes were tried.
    pub tried: usize,
}

impl Shrunk {
    /// The header of the tape.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Writes what is left, numbered anew.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write<W: Write>(self, mut out: TapeWriter<W>) -> io::Result<()> {
        let mut numbers = BTreeMap::new();
        for message in self.messages {
            let seq = message.seq;
            let new = out.copy(message, |cause| numbers.get(&cause).copied())?;
            numbers.insert(seq, new);
        }
        out.finish().map(drop)
    }
}

/// A tape whose agent's messages can be left out.
struct Whole<'a> {
    header: &'a Header,
    messages: &'a [Message],
    /// The agent's message that brought about each message, if that is known.
    roots: Vec<Option<u64>>,
    /// The first message of the agent's after the greeting.
    first_call: u64,
    stand: &'a Stand,
    rules: &'a Rules,
    keeps: Keeps,
    /// The differences of the whole tape, once it was tried.
    wanted: Option<BTreeSet<Mark>>,
    tried: usize,
}

/// What a difference is known by: the call, and where and how it differs.
type Mark = (u64, Leg, Direction, &'static str, Vec<String>);

fn marks(difference: &CallDifference) -> impl Iterator<Item = Mark> + '_ {
    let of = |place: &Place| match place {
        Place::Other { leg, dir, fields, .. } => {
            (*leg, *dir, "other", fields.iter().map(|field| field.pointer.clone()).collect())
        }
        Place::Replaced { leg, dir, .. } => (*leg, *dir, "replaced", Vec::new()),
        Place::OnTapeOnly { leg, dir, .. } => (*leg, *dir, "on tape only", Vec::new()),
        Place::TodayOnly { leg, dir, .. } => (*leg, *dir, "today only", Vec::new()),
    };
    // What is nobody's is left out of the smaller tape, and so cannot be held against today.
    let call = difference.call.iter();
    call.flat_map(move |call| difference.places.iter().map(move |place| (call.seq, of(place))))
        .map(|(seq, (leg, dir, how, fields))| (seq, leg, dir, how, fields))
}

impl Whole<'_> {
    /// What is left of the tape: the greeting, the messages of the agent that are kept, and what they brought about.
    fn rest(&self, kept: &BTreeSet<u64>) -> impl Iterator<Item = &Message> + Clone {
        let stays = |message: &Message, root: Option<u64>| match root {
            Some(root) => kept.contains(&root),
            // What a gateway and a server said to each other when the session began.
            None => message.seq < self.first_call,
        };
        let kept: Vec<bool> = self.messages.iter().zip(&self.roots).map(|(one, root)| stays(one, *root)).collect();
        self.messages.iter().zip(kept).filter(|(_, stays)| *stays).map(|(message, _)| message)
    }

    async fn shows(&mut self, kept: &BTreeSet<u64>) -> Result<bool, RerunError> {
        self.tried += 1;
        let mut ids = Ids::default();
        let plan = self.stand.plan(self.header.seed)?;
        let groups = again::groups(self.rest(kept));
        let played = again::play(&plan, self.header, &groups, &mut ids).await.map_err(RerunError::Broken)?;
        if let (Keeps::Breach, Some(harm)) = (self.keeps, &self.stand.harm) {
            return Ok(witness::check(harm, &played.evidence).is_empty());
        }
        let rest: Vec<Message> = self.rest(kept).cloned().collect();
        let today = TapeReader::new(played.tape.as_slice())?.collect::<Result<Vec<Message>, _>>()?;
        let differences = compare(&rest, &today, &ids, &self.rules.of(self.header));
        let mut shown: BTreeSet<Mark> = differences.iter().flat_map(marks).collect();
        if self.keeps == Keeps::Breach {
            shown.retain(|(_, leg, dir, how, _)| (*leg, *dir, *how) == (Leg::Rest, Direction::Out, "today only"));
        }
        let shows = self.wanted.as_ref().map_or(!shown.is_empty(), |wanted| !wanted.is_disjoint(&shown));
        self.wanted.get_or_insert(shown);
        Ok(shows)
    }
}

/// The agent's messages that have to be said before any other can be.
fn greets(message: &Message) -> bool {
    let method = match &message.body {
        Body::Json(value) => value.get("method").and_then(Value::as_str),
        Body::Text(_) | Body::Hex(_) => None,
    };
    matches!(method, Some("initialize" | "notifications/initialized"))
}

/// Finds a smallest tape, in the sense that no one message of the agent's can be left out of it any more. Delta
/// debugging: halves are left out first, then ever smaller parts. `tell` hears how many messages are left after each try.
/// Where everything is needed, some two tries a message.
///
/// Needs a current-thread runtime with IO and time, such as [`runtime`](crate::run::runtime) makes.
///
/// # Errors
/// The tape cannot be read, the whole of it does not show what is to be kept, or the stack breaks.
pub async fn shrink<R: BufRead>(
    mut tape: TapeReader<R>,
    stand: &Stand,
    rules: &Rules,
    keeps: Keeps,
    mut tell: impl FnMut(usize),
) -> Result<Shrunk, RerunError> {
    let header = tape.header().clone();
    let messages = tape.by_ref().collect::<Result<Vec<Message>, _>>()?;
    let (greeting, calls): (Vec<&Message>, Vec<&Message>) =
        messages.iter().filter(|message| is_asked(message)).partition(|message| greets(message));
    let seqs = |messages: Vec<&Message>| messages.iter().map(|message| message.seq).collect::<Vec<u64>>();
    let (greeting, mut left) = (seqs(greeting), seqs(calls));
    if greeting.is_empty() && left.is_empty() {
        return Err(RerunError::NoAgent);
    }
    let roots = roots(&messages);
    let first_call = left.first().copied().unwrap_or(u64::MAX);
    let mut whole =
        Whole { header: &header, messages: &messages, roots, first_call, stand, rules, keeps, wanted: None, tried: 0 };
    let with_greeting = |some: &[u64]| greeting.iter().chain(some).copied().collect::<BTreeSet<u64>>();
    let before = left.len();
    if !whole.shows(&with_greeting(&left)).await? {
        return Err(RerunError::NotSo(match keeps {
            Keeps::Breach => "the whole tape breaches nothing today: there is nothing to keep",
            Keeps::Difference => "the whole tape differs in nothing today: there is nothing to keep",
        }));
    }
    let mut size = left.len().div_ceil(2).max(1);
    loop {
        let (mut start, had) = (0, left.len());
        while start < left.len() {
            let without: Vec<u64> = left.iter().take(start).chain(left.iter().skip(start + size)).copied().collect();
            if whole.shows(&with_greeting(&without)).await? {
                left = without;
            } else {
                start += size;
            }
            tell(left.len());
        }
        // What could be left out may have been what kept another message there.
        if size == 1 && left.len() == had {
            break;
        }
        size = size.div_ceil(2).min(left.len().max(1));
    }
    let (after, tried) = (left.len(), whole.tried);
    let rest = whole.rest(&with_greeting(&left)).cloned().collect();
    Ok(Shrunk { messages: rest, header, before, after, tried })
}

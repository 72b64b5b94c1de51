//! Every frame of a run, in an order that does not depend on the scheduler.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// Where a frame was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leg {
    /// Between the agent and the target.
    Agent,
    /// Between the gateway and the MCP server.
    Upstream,
    /// Requests to the exchange; seen only by a run that is recorded.
    Rest,
    /// What the exchange told listeners; seen only by a run that is recorded.
    Ws,
    /// What the gateway decided; seen only by a run that is recorded.
    Decision,
}

/// Which way a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

/// One frame, without its newline.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) at_ms: u64,
    pub(crate) leg: Leg,
    pub(crate) direction: Direction,
    /// Whose connection, where the script has several; see [`Transcript::by`].
    pub(crate) agent: Option<Arc<str>>,
    pub(crate) bytes: Vec<u8>,
}

impl Frame {
    /// The id of the message, as its JSON text; `null` and absence are nothing.
    pub(crate) fn id(&self) -> Option<String> {
        let value: Value = serde_json::from_slice(&self.bytes).ok()?;
        value.get("id").filter(|id| !id.is_null()).map(ToString::to_string)
    }
}

/// What happened, in order.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A frame went by.
    Frame(Frame),
    /// The script has something to say.
    Note(String),
}

/// A shared, append-only record of a run. Clones are the same record.
#[derive(Clone)]
pub(crate) struct Transcript {
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    shared: Arc<Mutex<Shared>>,
    /// Whose frames are written down through this one.
    agent: Option<Arc<str>>,
}

/// Gives all lines of an audit so far.
pub(crate) type AuditLines = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

#[derive(Default)]
struct Shared {
    events: Vec<Event>,
    /// Where the current section begins.
    section: usize,
    /// Whose decisions are written down with each section, and how many have been.
    audit: Option<(AuditLines, usize)>,
    /// Whose the sessions are that decisions name.
    sessions: BTreeMap<String, Arc<str>>,
}

impl Transcript {
    pub(crate) fn new(clock: Arc<dyn Fn() -> u64 + Send + Sync>) -> Self {
        Self { clock, shared: Arc::default(), agent: None }
    }

    /// The same record for the connection of one agent of several, whose gateway calls the session `session`. What is
    /// written down through it carries the agent's name.
    #[cfg(feature = "embedded")]
    pub(crate) fn of(&self, agent: &str, session: &str) -> Self {
        let of = self.by(agent);
        self.lock().sessions.extend(of.agent.clone().map(|agent| (session.to_owned(), agent)));
        of
    }

    /// The same record for the frames of one agent of several.
    pub(crate) fn by(&self, agent: &str) -> Self {
        Self { agent: Some(agent.into()), ..self.clone() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn frame(&self, leg: Leg, direction: Direction, bytes: &[u8]) {
        self.frame_at((self.clock)(), leg, direction, bytes);
    }

    /// A frame of another moment.
    pub(crate) fn frame_at(&self, at_ms: u64, leg: Leg, direction: Direction, bytes: &[u8]) {
        let frame = Frame { at_ms, leg, direction, agent: self.agent.clone(), bytes: bytes.to_vec() };
        self.lock().events.push(Event::Frame(frame));
    }

    /// Writes down from now on what this audit tells.
    pub(crate) fn follow(&self, audit: AuditLines) {
        self.lock().audit = Some((audit, 0));
    }

    pub(crate) fn note(&self, text: impl Into<String>) {
        self.lock().events.push(Event::Note(text.into()));
    }

    /// Ends a section and puts its frames in order.
    ///
    /// What one step sends is sent in a fixed order, but what comes back may overtake: each answer of a parallel
    /// step needed its own request over a socket. So within a section the frames are grouped by the way of a call
    /// (out from the agent, decided, out from the gateway, to the exchange and back, back to the gateway, back to the
    /// agent), and those that go back stand in the order of the requests that they answer. What comes of the requests of several
    /// agents stands agent by agent.
    pub(crate) fn end_section(&self) {
        let mut shared = self.lock();
        let shared = &mut *shared;
        if let Some((audit, known)) = &mut shared.audit {
            for line in audit().into_iter().skip(*known) {
                *known += 1;
                let at_ms = number(line.as_bytes(), "ts_ms").unwrap_or_default();
                let (leg, direction) = (Leg::Decision, Direction::ToServer);
                let agent = session_of(&line).and_then(|session| shared.sessions.get(&session).cloned());
                let frame = Frame { at_ms, leg, direction, agent, bytes: line.into_bytes() };
                shared.events.push(Event::Frame(frame));
            }
        }
        let begin = shared.section;
        let mut section = shared.events.split_off(begin);
        let asked = |leg: Leg| -> Vec<(Option<Arc<str>>, Option<String>)> {
            let out = section.iter().filter_map(|event| match event {
                Event::Frame(frame) if frame.leg == leg && frame.direction == Direction::ToServer => {
                    Some((frame.agent.clone(), frame.id()))
                }
                _ => None,
            });
            out.collect()
        };
        let (agent, upstream) = (asked(Leg::Agent), asked(Leg::Upstream));
        // What agents send is sent in the order of the script, on pipes alone.
        let of = |event: &Event| match event {
            Event::Note(_) => None,
            Event::Frame(frame) if (frame.leg, frame.direction) == (Leg::Agent, Direction::ToServer) => None,
            Event::Frame(frame) => frame.agent.clone(),
        };
        let place = |event: &Event| match event {
            Event::Note(_) => (7, 0),
            Event::Frame(frame) => match (frame.leg, frame.direction) {
                (Leg::Agent, Direction::ToServer) => (0, 0),
                (Leg::Decision, _) => (1, 0),
                (Leg::Upstream, Direction::ToServer) => (2, 0),
                (Leg::Rest, _) => (3, number(&frame.bytes, "id").and_then(|id| usize::try_from(id).ok()).unwrap_or(0)),
                (Leg::Upstream, Direction::ToClient) => (4, rank(&upstream, frame)),
                (Leg::Agent, Direction::ToClient) => (5, rank(&agent, frame)),
                (Leg::Ws, _) => (6, 0),
            },
        };
        section.sort_by_cached_key(|event| {
            let (leg, rank) = place(event);
            (leg, of(event), rank)
        });
        shared.events.append(&mut section);
        shared.section = shared.events.len();
    }

    /// A copy of everything so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.lock().events.clone()
    }

    /// The frames of one leg and direction.
    pub(crate) fn frames(&self, leg: Leg, direction: Direction) -> Vec<Frame> {
        let shared = self.lock();
        let fitting = shared.events.iter().filter_map(|event| match event {
            Event::Frame(frame) if frame.leg == leg && frame.direction == direction => Some(frame.clone()),
            _ => None,
        });
        fitting.collect()
    }
}

/// A whole number in a JSON object.
fn number(object: &[u8], name: &str) -> Option<u64> {
    let value: Value = serde_json::from_slice(object).ok()?;
    value.get(name)?.as_u64()
}

/// The session that a decision names.
fn session_of(line: &str) -> Option<String> {
    let value: Value = serde_json::from_str(line).ok()?;
    Some(value.get("session")?.as_str()?.to_owned())
}

/// The place of the request that a frame answers; answers to nothing come last.
fn rank(asked: &[(Option<Arc<str>>, Option<String>)], answer: &Frame) -> usize {
    let id = answer.id();
    let fits = |(agent, asked): &(Option<Arc<str>>, Option<String>)| *agent == answer.agent && *asked == id;
    asked.iter().position(|asked| id.is_some() && fits(asked)).unwrap_or(asked.len())
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcript").finish_non_exhaustive()
    }
}

/// Longer frames are cut when shown.
const SHOWN_CHARS: usize = 480;

/// More lines than this are cut out of the middle when shown.
const SHOWN_LINES: usize = 240;

/// The events as lines for a person, with times counted from `start_ms`.
pub(crate) fn render(events: &[Event], start_ms: u64, redact: impl Fn(&str) -> String) -> Vec<String> {
    let lines = events.iter().filter_map(|event| match event {
        Event::Note(text) => Some(format!("      -- {}", redact(text))),
        Event::Frame(frame) => {
            let way = match (frame.leg, frame.direction) {
                (Leg::Agent, Direction::ToServer) => "agent    >",
                (Leg::Agent, Direction::ToClient) => "agent    <",
                (Leg::Upstream, Direction::ToServer) => "upstream >",
                (Leg::Upstream, Direction::ToClient) => "upstream <",
                // Whether a run was recorded must not show in its report.
                (Leg::Rest | Leg::Ws | Leg::Decision, _) => return None,
            };
            let text = redact(&String::from_utf8_lossy(&frame.bytes));
            let agent = frame.agent.as_ref().map(|agent| format!("({agent}) ")).unwrap_or_default();
            Some(format!("{:>6}ms {way} {agent}{}", frame.at_ms.saturating_sub(start_ms), shortened(&text)))
        }
    });
    bounded(lines.collect())
}

/// The first lines and the last ones, with a word on how many are missing between them.
pub(crate) fn bounded(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > SHOWN_LINES {
        let left_out = lines.len() - SHOWN_LINES;
        let middle = SHOWN_LINES / 2;
        lines.splice(middle..middle + left_out, [format!("      -- {left_out} lines left out")]);
    }
    lines
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        // Control characters would let a frame repaint the terminal that it is shown on.
        Some((end, _)) => format!("{}… ({} bytes)", visible(text.get(..end).unwrap_or_default()), text.len()),
        None => visible(text),
    }
}

fn visible(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript() -> Transcript {
        Transcript::new(Arc::new(|| 1_000))
    }

    fn shown(transcript: &Transcript) -> Vec<String> {
        render(&transcript.events(), 0, str::to_owned)
    }

    #[test]
    fn answers_stand_in_the_order_of_their_requests() {
        let transcript = transcript();
        for id in [1, 2, 3] {
            transcript.frame(Leg::Agent, Direction::ToServer, format!(r#"{{"id":{id},"method":"m"}}"#).as_bytes());
        }
        for id in ["3", "null", "1", "2"] {
            transcript.frame(Leg::Agent, Direction::ToClient, format!(r#"{{"id":{id},"result":{{}}}}"#).as_bytes());
        }
        transcript.end_section();
        let ids: Vec<_> = transcript.frames(Leg::Agent, Direction::ToClient).iter().map(Frame::id).collect();
        assert_eq!(ids, [Some("1".to_owned()), Some("2".to_owned()), Some("3".to_owned()), None]);
    }

    #[test]
    fn a_section_stays_behind_the_one_before() {
        let transcript = transcript();
        transcript.frame(Leg::Agent, Direction::ToClient, b"{\"first\":1}");
        transcript.end_section();
        transcript.frame(Leg::Agent, Direction::ToServer, b"{\"second\":1}");
        transcript.end_section();
        assert!(shown(&transcript)[0].contains("first"), "{:?}", shown(&transcript));
    }

    #[test]
    fn long_frames_and_long_transcripts_are_cut() {
        let transcript = transcript();
        transcript.frame(Leg::Agent, Direction::ToServer, "é".repeat(1_000).as_bytes());
        assert!(shown(&transcript)[0].ends_with("… (2000 bytes)"));
        let lines = bounded((0..1_000).map(|line| line.to_string()).collect());
        assert_eq!(lines.len(), SHOWN_LINES + 1);
        assert_eq!((lines[0].as_str(), lines[SHOWN_LINES].as_str()), ("0", "999"));
        assert!(lines[SHOWN_LINES / 2].contains("760 lines left out"));
    }

    #[test]
    fn frames_cannot_repaint_the_terminal() {
        let transcript = transcript();
        transcript.frame(Leg::Agent, Direction::ToServer, b"\x1b[2J");
        assert!(!shown(&transcript)[0].contains('\x1b'));
    }
}

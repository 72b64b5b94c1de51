//! The faults of one mock, and which of them meets what.

use std::collections::BTreeMap;

use exchange_engine::Timestamp;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::Serialize;

use super::alter;
use super::fault::{Effect, Fault, Meets, Often};
use super::meeting::{Meeting, Request};
use crate::ws::Written;

/// A fault in the list, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultStatus {
    /// The fault.
    pub fault: Fault,
    /// How many requests and events it could have met.
    pub seen: u64,
    /// How many it met.
    pub met: u64,
}

#[derive(Debug, Clone)]
struct Active {
    fault: Fault,
    random: ChaCha8Rng,
    seen: u64,
    met: u64,
    /// The first answers and events, for a fault that repeats them.
    remembered: BTreeMap<String, Vec<u8>>,
}

/// All faults by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    seed: u64,
    active: BTreeMap<String, Active>,
    /// Events that wait for the next of their stream.
    held: BTreeMap<String, Written>,
}

/// What is made of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// These frames, in this order.
    Frames(Vec<Written>),
    /// The connections that hear the stream end.
    Disconnect,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, active: BTreeMap::new(), held: BTreeMap::new() }
    }

    /// Adds a fault that was [checked](Fault::check); one of the same name makes room.
    pub(crate) fn add(&mut self, fault: Fault) {
        let mut random = ChaCha8Rng::seed_from_u64(fault.seed.unwrap_or(self.seed));
        random.set_stream(number_of(&fault.name));
        let name = fault.name.clone();
        self.active.insert(name, Active { fault, random, seen: 0, met: 0, remembered: BTreeMap::new() });
    }

    /// Whether there was one of this name.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.active.remove(name).is_some()
    }

    pub(crate) fn list(&self) -> Vec<FaultStatus> {
        let status = |active: &Active| FaultStatus { fault: active.fault.clone(), seen: active.seen, met: active.met };
        self.active.values().map(status).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// What the faults make of a request. Without faults this costs nothing.
    pub(crate) fn meet(&mut self, now: Timestamp, request: Request<'_>) -> Meeting {
        let mut meeting = Meeting::default();
        for (name, active) in &mut self.active {
            if active.fault.does.is_for_requests() && asks(&active.fault, &request) && active.draw() {
                meeting.add(now, name, &active.fault.does);
            }
        }
        meeting
    }

    /// The body that a client gets in place of a good answer's.
    pub(crate) fn alter(&mut self, meeting: &Meeting, request: Request<'_>, body: Vec<u8>) -> Vec<u8> {
        let mut body = match meeting.stale.as_ref().and_then(|name| self.active.get_mut(name)) {
            Some(active) => {
                let asked = format!("{} {} {}", request.method, request.path, request.asks_for);
                active.remembered.entry(asked).or_insert(body).clone()
            }
            None => body,
        };
        for (fields, text) in &meeting.poison {
            body = alter::poison(&body, fields, text).unwrap_or(body);
        }
        body
    }

    /// Whether there is nothing that could happen to an event.
    pub(crate) fn spare_events(&self) -> bool {
        self.held.is_empty() && !self.active.values().any(|active| active.fault.does.is_for_events())
    }

    /// What becomes of an event of a stream.
    pub(crate) fn tell(&mut self, stream: &str, mut event: Written) -> Told {
        let mut copies = 1;
        let mut hold = false;
        for active in self.active.values_mut() {
            if !(active.fault.does.is_for_events() && speaks(&active.fault, stream) && active.draw()) {
                continue;
            }
            match &active.fault.does {
                Effect::Disconnect {} => return Told::Disconnect,
                Effect::Duplicate {} => copies = 2,
                Effect::Reorder {} => hold = true,
                Effect::Stale {} => {
                    // Each unit of time has a first event of its own.
                    event = event.map(|unit, text| {
                        let first = active.remembered.entry(format!("{stream} {unit:?}"));
                        let first = first.or_insert_with(|| text.into_bytes());
                        String::from_utf8_lossy(first).into_owned()
                    });
                }
                Effect::Poison { fields, text } => {
                    event = event.map(|_, event| {
                        let poisoned = alter::poison(event.as_bytes(), fields, text);
                        poisoned.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or(event)
                    });
                }
                _ => {}
            }
        }
        let earlier = self.held.remove(stream);
        if hold && earlier.is_none() {
            self.held.insert(stream.to_owned(), event);
            return Told::Frames(Vec::new());
        }
        let mut frames = vec![event; copies];
        frames.extend(earlier);
        Told::Frames(frames)
    }
}

impl Active {
    /// Counts one that could be met, and tells whether it is.
    fn draw(&mut self) -> bool {
        if self.fault.times.is_some_and(|times| self.met >= times) {
            return false;
        }
        self.seen += 1;
        let meets = match self.fault.often {
            Often::Always => true,
            Often::Every(n) => self.seen.is_multiple_of(n),
            Often::First(n) => self.seen <= n,
            Often::PerThousand(n) => even(&mut self.random) < n,
        };
        self.met += u64::from(meets);
        meets
    }
}

/// A number below a thousand, each equally likely.
fn even(random: &mut ChaCha8Rng) -> u32 {
    const FAIR: u32 = u32::MAX - u32::MAX % 1000;
    loop {
        let draw = random.next_u32();
        if draw < FAIR {
            return draw % 1000;
        }
    }
}

/// The same name, the same number (FNV-1a).
fn number_of(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn asks(fault: &Fault, request: &Request<'_>) -> bool {
    let Meets { method, path, symbol, stream } = &fault.meets;
    let usual = || fault.does != Effect::Stale {} || request.path.contains("ticker");
    stream.is_none()
        && method.as_ref().is_none_or(|method| method == request.method)
        && path.as_ref().map_or_else(usual, |path| like(path, request.path))
        && symbol.as_ref().is_none_or(|symbol| request.symbol == Some(symbol))
}

fn speaks(fault: &Fault, stream: &str) -> bool {
    let Meets { method, path, symbol, stream: pattern } = &fault.meets;
    // A listen key is a secret and random besides; nobody can name it.
    let name = if stream.contains('@') || stream.starts_with('!') { stream } else { "userData" };
    let usual = || fault.does != Effect::Stale {} || name.to_ascii_lowercase().contains("ticker");
    method.is_none()
        && path.is_none()
        && pattern.as_ref().map_or_else(usual, |pattern| like(pattern, name))
        && symbol
            .as_ref()
            .is_none_or(|symbol| name.split_once('@').is_some_and(|(before, _)| before.eq_ignore_ascii_case(symbol)))
}

/// `*` at the beginning or end of a pattern stands for anything.
fn like(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(""), _) => true,
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (Some(rest), Some(_)) => text.contains(rest.strip_suffix('*').unwrap_or(rest)),
        (None, None) => pattern == text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::Units;

    const NOW: Timestamp = Timestamp::from_secs(1);

    fn request(path: &'static str) -> Request<'static> {
        Request { method: "GET", path, symbol: None, asks_for: "" }
    }

    fn meetings(fault: Fault, count: usize) -> String {
        let mut faults = Faults::new(5);
        faults.add(fault);
        let met = |faults: &mut Faults| !faults.meet(NOW, request("/x")).names.is_empty();
        (0..count).map(|_| if met(&mut faults) { 'x' } else { '.' }).collect()
    }

    #[test]
    fn how_often_is_counted_and_drawn() {
        let fault = |often, times| Fault { often, times, ..Fault::new("late", Effect::Latency { ms: 1 }) };
        assert_eq!(meetings(fault(Often::Always, None), 4), "xxxx");
        assert_eq!(meetings(fault(Often::Every(3), None), 7), "..x..x.");
        assert_eq!(meetings(fault(Often::First(2), None), 4), "xx..");
        assert_eq!(meetings(fault(Often::Every(2), Some(1)), 6), ".x....");
        let drawn = meetings(fault(Often::PerThousand(300), None), 200);
        assert_eq!(drawn, meetings(fault(Often::PerThousand(300), None), 200), "the same seed, the same meetings");
        let other = Fault { seed: Some(6), ..fault(Often::PerThousand(300), None) };
        assert_ne!(drawn, meetings(other, 200));
        let count = drawn.matches('x').count();
        assert!((40..80).contains(&count), "{count} of 200");
    }

    #[test]
    fn patterns_stand_for_beginnings_ends_and_middles() {
        let matching = [("/a/*", "/a/b"), ("*@trade", "x@trade"), ("*", ""), ("*ick*", "a@ticker"), ("x", "x")];
        for (pattern, text) in matching {
            assert!(like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("/a/*", "/b/a"), ("*@trade", "@trades"), ("x", "xx")] {
            assert!(!like(pattern, text), "{pattern} {text}");
        }
    }

    fn written(text: &str) -> Written {
        Written::of(Units { milli: true, micro: false }, |_| text.to_owned())
    }

    #[test]
    fn an_event_comes_twice_or_late_or_not_at_all() {
        let tell = |does: Effect, events: &[&str]| {
            let mut faults = Faults::new(1);
            faults.add(Fault { often: Often::First(1), ..Fault::new("f", does) });
            events.iter().map(|event| faults.tell("a@trade", written(event))).collect::<Vec<_>>()
        };
        let frames = |frames: &[&str]| Told::Frames(frames.iter().map(|frame| written(frame)).collect());
        assert_eq!(tell(Effect::Duplicate {}, &["1", "2"]), [frames(&["1", "1"]), frames(&["2"])]);
        assert_eq!(tell(Effect::Reorder {}, &["1", "2", "3"]), [frames(&[]), frames(&["2", "1"]), frames(&["3"])]);
        assert_eq!(tell(Effect::Disconnect {}, &["1", "2"]), [Told::Disconnect, frames(&["2"])]);
    }
}

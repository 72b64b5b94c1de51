//! The requests of a tape, each with what followed it, to be had one by one.

use std::collections::BTreeMap;

use super::bindings::Bindings;
use super::fingerprint::{Fingerprint, chosen};
use super::miss::{Miss, Nearest, Why};
use super::pointers::differences;

/// What happens when a request comes more often than it is on the tape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Repeat {
    /// It has no answer.
    #[default]
    Fail,
    /// Its last answer is given again.
    Last,
    /// Its answers are given again from the first one on.
    Cycle,
}

/// A queue for each fingerprint: what was recorded in one order may be asked in another, and only equal requests get
/// their answers in the order of the tape.
#[derive(Debug)]
pub(super) struct Deck<T> {
    entries: Vec<Entry<T>>,
    exact: BTreeMap<String, Queue>,
    loose: BTreeMap<String, Queue>,
    repeat: Repeat,
}

#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) seq: u64,
    pub(super) asked: Fingerprint,
    pub(super) content: T,
    /// The live request that it was given to first.
    pub(super) given_to: Option<u64>,
}

#[derive(Debug, Default)]
struct Queue {
    places: Vec<usize>,
    /// How many from the front have been given.
    given: usize,
    repeated: usize,
}

impl<T> Deck<T> {
    pub(super) fn new(repeat: Repeat) -> Self {
        Self { entries: Vec::new(), exact: BTreeMap::new(), loose: BTreeMap::new(), repeat }
    }

    /// Puts a request in, and gives its place.
    pub(super) fn push(&mut self, seq: u64, asked: Fingerprint, content: T) -> usize {
        let place = self.entries.len();
        self.exact.entry(asked.exact().to_owned()).or_default().places.push(place);
        self.loose.entry(asked.loose().to_owned()).or_default().places.push(place);
        self.entries.push(Entry { seq, asked, content, given_to: None });
        place
    }

    pub(super) fn get(&self, place: usize) -> Option<&Entry<T>> {
        self.entries.get(place)
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Entry<T>> {
        self.entries.get_mut(place)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry<T>> {
        self.entries.iter()
    }

    /// The place of the entry that is given to a live request, whose ids are then bound to those of the entry.
    pub(super) fn take(&mut self, request: u64, live: &Fingerprint, bindings: &mut Bindings) -> Result<usize, Miss> {
        let place = self.exactly(live).or_else(|| self.loosely(live, bindings)).or_else(|| self.again(live));
        let Some((place, entry)) = place.and_then(|place| Some((place, self.entries.get_mut(place)?))) else {
            return Err(Miss { request, label: live.label.clone(), why: self.why(live) });
        };
        entry.given_to.get_or_insert(request);
        bindings.bind(chosen(&entry.asked.value, &live.value));
        Ok(place)
    }

    fn exactly(&mut self, live: &Fingerprint) -> Option<usize> {
        let queue = self.exact.get_mut(live.exact())?;
        while let Some(place) = queue.places.get(queue.given).copied() {
            queue.given += 1;
            // One that asked with another id may have had it before.
            if self.entries.get(place).is_some_and(|entry| entry.given_to.is_none()) {
                return Some(place);
            }
        }
        None
    }

    fn loosely(&self, live: &Fingerprint, bindings: &Bindings) -> Option<usize> {
        let fits = |place: &&usize| {
            let entry = self.entries.get(**place);
            entry.is_some_and(|entry| {
                entry.given_to.is_none() && bindings.allow(&chosen(&entry.asked.value, &live.value))
            })
        };
        self.loose.get(live.loose())?.places.iter().find(fits).copied()
    }

    /// Given again, an answer's ids stand for those of the last one who asked.
    fn again(&mut self, live: &Fingerprint) -> Option<usize> {
        if self.repeat == Repeat::Fail {
            return None;
        }
        let queue = match self.exact.get_mut(live.exact()) {
            Some(queue) => queue,
            None => self.loose.get_mut(live.loose())?,
        };
        if self.repeat == Repeat::Last {
            return queue.places.last().copied();
        }
        let place = queue.places.get(queue.repeated.checked_rem(queue.places.len())?).copied();
        queue.repeated += 1;
        place
    }

    fn why(&self, live: &Fingerprint) -> Why {
        if let Some(queue) = self.exact.get(live.exact()) {
            let by = queue.places.iter().filter_map(|place| {
                let entry = self.entries.get(*place)?;
                Some((entry.seq, entry.given_to?))
            });
            return Why::Consumed { by: by.collect() };
        }
        let like = |entry: &Entry<T>| entry.asked.label == live.label;
        let alike = self.entries.iter().any(like);
        // One that asks for the same thing is nearer than any other; then the one with the fewest differences, and of
        // those one that is still to be had.
        let candidates = self.entries.iter().filter(|entry| !alike || like(entry));
        let measured = candidates.map(|entry| (entry, differences(&entry.asked.value, &live.value)));
        let nearest = measured.min_by_key(|(entry, fields)| (fields.len(), entry.given_to.is_some(), entry.seq));
        Why::Unknown {
            nearest: nearest.map(|(entry, fields)| Nearest {
                seq: entry.seq,
                label: entry.asked.label.clone(),
                fields,
                given_to: entry.given_to,
            }),
        }
    }
}

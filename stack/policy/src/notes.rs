//! What a guard remembers beside its counters, as notes that outlive the document and the process.
//!
//! A note is one thing: an order, a pause. The guard marks what calls change; whoever keeps notes takes them before a
//! call leaves and again when it is settled, each with all that is known of its thing, so that a later note replaces an
//! earlier one and none is needed twice. Nothing is marked until somebody says that they are kept.

use std::fmt;

use crate::decision::Timestamp;
use crate::document::Policy;
use crate::guard::Guard;

/// What a note is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoteKey {
    /// Of which kind.
    pub kind: NoteKind,
    /// Whose it is; empty for what is nobody's in particular.
    pub grant: String,
    /// Which one of its kind.
    pub key: String,
}

/// What there are notes of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NoteKind {
    /// An order of a grant, until it is over and forgotten.
    Order,
    /// How far the orders of a grant may have moved its position in an asset.
    Exposure,
    /// A test order that passed and was not used.
    Prior,
    /// A listen key that was handed to a grant; only its digest.
    ListenKey,
    /// Cancels or trades of a grant that still count against each other.
    Ratio,
    /// Failures in a row, or until when a breaker is open.
    Breaker,
}

impl NoteKind {
    const ALL: [(&'static str, Self); 6] = [
        ("order", Self::Order),
        ("exposure", Self::Exposure),
        ("prior", Self::Prior),
        ("listen_key", Self::ListenKey),
        ("ratio", Self::Ratio),
        ("breaker", Self::Breaker),
    ];

    /// Its name, which never changes.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// The kind with that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(other, _)| *other == name).map(|(_, kind)| kind)
    }
}

/// One thing that a guard remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it is about.
    pub about: NoteKey,
    /// All that is known of it, as JSON; `None` if it is forgotten.
    pub value: Option<String>,
}

/// A note that no guard has written, or that does not go with the others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a note of kind `{kind}` cannot be: {problem}", kind = kind.name())]
pub struct BadNote {
    kind: NoteKind,
    problem: &'static str,
}

impl BadNote {
    pub(crate) fn new(kind: NoteKind, problem: &'static str) -> Self {
        Self { kind, problem }
    }
}

impl Note {
    pub(crate) fn new(kind: NoteKind, grant: &str, key: impl fmt::Display, value: Option<String>) -> Self {
        Self { about: NoteKey { kind, grant: grant.to_owned(), key: key.to_string() }, value }
    }

    /// The same thing, forgotten.
    pub(crate) fn forgotten(about: NoteKey) -> Self {
        Self { about, value: None }
    }

    /// What is written in it.
    pub(crate) fn read<'n, T: serde::Deserialize<'n>>(&'n self) -> Result<T, BadNote> {
        let kind = self.about.kind;
        let value = self.value.as_deref().ok_or(BadNote::new(kind, "it says nothing"))?;
        serde_json::from_str(value).map_err(|_| BadNote::new(kind, "it says something else than such notes do"))
    }
}

/// The text of a note; of plain data, so that it cannot fail.
pub(crate) fn text<T: serde::Serialize>(value: &T) -> Option<String> {
    serde_json::to_string(value).ok()
}

impl Guard {
    /// Notes are kept from now on: what changes is marked until [`Guard::take_notes`] takes it.
    pub fn keep_notes(&mut self) {
        self.state.registers.keep_notes();
        self.state.breakers.keep_notes();
    }

    /// What has changed since they were last taken. Until they are kept there are none.
    pub fn take_notes(&mut self) -> Vec<Note> {
        let mut notes = self.state.registers.take_notes();
        let breakers = self.policy.as_ref().map(Policy::breakers).unwrap_or_default();
        notes.extend(self.state.breakers.take_notes(breakers));
        notes
    }

    /// Everything that it would have to be told to know what it knows.
    pub fn notes(&self) -> Vec<Note> {
        let mut notes = self.state.registers.notes();
        notes.extend(self.state.breakers.notes(self.policy.as_ref().map(Policy::breakers).unwrap_or_default()));
        notes
    }

    /// Takes up what was noted before, as of `now`. For a guard that has judged nothing yet, and after
    /// [`Guard::restore`].
    ///
    /// Of a call that was on its way nobody knows what became: its order may be open, and its place among the calls under
    /// way is free. What the policy does not speak of any more, and what says nothing any more, is forgotten, and
    /// returned so that its notes can be.
    ///
    /// # Errors
    /// A note is none: what the guard knows is then not what it knew, and it must not judge.
    pub fn restore_notes(&mut self, notes: Vec<Note>, now: Timestamp) -> Result<Vec<Note>, BadNote> {
        let (breakers, registers): (Vec<_>, Vec<_>) =
            notes.into_iter().partition(|note| note.about.kind == NoteKind::Breaker);
        let policy = self.policy.as_ref();
        let ratios = policy.map(Policy::ratios);
        let (mut forgotten, latest) = self.state.registers.restore(registers, ratios.as_deref().unwrap_or_default())?;
        let specs = policy.map(Policy::breakers).unwrap_or_default();
        let (unknown, failed_at) = self.state.breakers.restore(breakers, specs)?;
        forgotten.extend(unknown);
        // A clock that was set back since must not make what is remembered look like the future.
        self.now = [latest, failed_at].map(Timestamp::from_millis).into_iter().fold(self.now.max(now), Timestamp::max);
        Ok(forgotten)
    }
}

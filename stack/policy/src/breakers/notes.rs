//! Failures in a row and pauses, as notes. Calls under way are none: they end with the process.

use indexmap::IndexSet;
use serde::{Deserialize, Serialize};

use super::{Breaker, Breakers, Entry, Kind};
use crate::counters::Key;
use crate::notes::{BadNote, Note, NoteKey, NoteKind, text};

/// What tells an entry from all others, in this document and in another.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Whose {
    rule: String,
    kind: String,
    scope: String,
    session: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryNote {
    failures: u64,
    failed_at: u64,
    until: u64,
}

impl Breakers {
    pub(crate) fn keep_notes(&mut self) {
        self.marks.get_or_insert_default();
    }

    pub(super) fn mark(&mut self, key: &Key) {
        if let Some(marks) = &mut self.marks {
            marks.insert(key.clone());
        }
    }

    /// Gives what is marked the places of another document.
    pub(super) fn move_marks(&mut self, from: &[Breaker], moved: &[Option<usize>]) {
        if self.marks.is_none() {
            return;
        }
        let place = |key: &Key| moved.get(key.limit()).copied().flatten();
        let marks = self.marks.as_mut().map(std::mem::take).unwrap_or_default();
        let noted = self.entries.iter().filter(|(_, entry)| entry.is_noted()).map(|(key, _)| key);
        let gone = marks.iter().chain(noted).filter(|key| place(key).is_none());
        let gone: Vec<NoteKey> = gone.filter_map(|key| about(from, key)).collect();
        self.gone.extend(gone);
        self.marks = Some(marks.iter().filter_map(|key| Some(key.at(place(key)?))).collect());
    }

    pub(crate) fn take_notes(&mut self, breakers: &[Breaker]) -> Vec<Note> {
        let gone = std::mem::take(&mut self.gone).into_iter().map(Note::forgotten);
        let marks: IndexSet<Key> = self.marks.as_mut().map(std::mem::take).unwrap_or_default();
        let marked = marks.iter().filter_map(|key| self.note(breakers, key));
        gone.chain(marked).collect()
    }

    pub(crate) fn notes(&self, breakers: &[Breaker]) -> Vec<Note> {
        let noted = self.entries.iter().filter(|(_, entry)| entry.is_noted());
        noted.filter_map(|(key, _)| self.note(breakers, key)).collect()
    }

    fn note(&self, breakers: &[Breaker], key: &Key) -> Option<Note> {
        let entry = self.entries.get(key).filter(|entry| entry.is_noted());
        let value = entry.and_then(|Entry { failures, failed_at, until, .. }| {
            text(&EntryNote { failures: *failures, failed_at: *failed_at, until: *until })
        });
        Some(Note { about: about(breakers, key)?, value })
    }

    /// Takes up what was noted. What is to be forgotten, and the latest time at which a call failed.
    pub(crate) fn restore(&mut self, notes: Vec<Note>, breakers: &[Breaker]) -> Result<(Vec<Note>, u64), BadNote> {
        let (mut forgotten, mut latest) = (Vec::new(), 0);
        for note in notes {
            let EntryNote { failures, failed_at, until } = note.read()?;
            let whose: Whose = serde_json::from_str(&note.about.key)
                .map_err(|_| BadNote::new(NoteKind::Breaker, "its breaker is none"))?;
            let Some(limit) = breakers.iter().position(|breaker| breaker.is(&whose)) else {
                forgotten.push(Note::forgotten(note.about));
                continue;
            };
            latest = latest.max(failed_at);
            let grant =
                breakers.get(limit).filter(|breaker| breaker.scope.by_grant()).map(|_| note.about.grant.as_str());
            let key = Key::of(limit, grant, whose.session.as_deref());
            self.entries.insert(key, Entry { under_way: 0, failures, failed_at, until });
        }
        Ok((forgotten, latest))
    }
}

impl Entry {
    /// Whether it says something that outlives the calls under way.
    pub(super) fn is_noted(&self) -> bool {
        self.failures > 0 || self.until > 0
    }
}

impl Breaker {
    fn is(&self, whose: &Whose) -> bool {
        (self.head.rule.as_str(), self.kind.name(), self.scope.name())
            == (whose.rule.as_str(), whose.kind.as_str(), whose.scope.as_str())
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Denial { .. } => "denial",
            Self::Failures { .. } => "failures",
            Self::UnderWay { .. } => "under_way",
        }
    }
}

fn about(breakers: &[Breaker], key: &Key) -> Option<NoteKey> {
    let breaker = breakers.get(key.limit())?;
    let whose = Whose {
        rule: breaker.head.rule.clone(),
        kind: breaker.kind.name().to_owned(),
        scope: breaker.scope.name().to_owned(),
        session: key.session().map(str::to_owned),
    };
    let grant = key.grant().unwrap_or_default().to_owned();
    Some(NoteKey { kind: NoteKind::Breaker, grant, key: text(&whose)? })
}

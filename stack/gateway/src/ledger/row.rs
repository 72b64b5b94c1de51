//! How charges and notes are written: as short as can be, since every call writes some.
//!
//! Charges are a list of `[counter, grant, session, part, at, amount, until]`, in a line of the journal and in a row of the
//! database alike: what brings the one into the other does not read them.

use std::borrow::Cow;

use mcp_policy::{Note, NoteKey, NoteKind, Reservation};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::job::{Holding, Job};

/// A line of the journal, with its charges read or unread: what one commit wrote.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "C: Deserialize<'de>"))]
pub(super) struct Line<'a, C> {
    /// Its number.
    pub(super) n: u64,
    #[serde(borrow)]
    pub(super) jobs: Vec<JobRow<'a, C>>,
}

/// As lines are read.
pub(super) type Unread<'a> = &'a RawValue;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "C: Deserialize<'de>"))]
pub(super) struct JobRow<'a, C> {
    /// The call that is about to leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) call: Option<i64>,
    /// A call that never left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) back: Option<i64>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub(super) of: Vec<HoldingRow<'a, C>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "C: Deserialize<'de>"))]
pub(super) struct HoldingRow<'a, C> {
    /// Whose policy, as the database names it.
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    pub(super) under: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) charged: Option<Charged<C>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<NoteRow<'a>>,
}

/// What one call was charged under one policy: since when, until when some of it counts, and what.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Charged<C>(pub(super) u64, pub(super) u64, pub(super) C);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChargeRow<'a>(
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Option<Cow<'a, str>>,
    #[serde(borrow)] Option<Cow<'a, str>>,
    Option<String>,
    u64,
    u64,
    u64,
);

/// Kind, grant, key and value.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NoteRow<'a>(
    #[serde(borrow)] pub(super) Cow<'a, str>,
    #[serde(borrow)] pub(super) Cow<'a, str>,
    #[serde(borrow)] pub(super) Cow<'a, str>,
    #[serde(borrow)] pub(super) Option<Cow<'a, str>>,
);

/// As the database names a policy; nothing for the server's.
pub(super) fn policy_of(under: Option<&str>) -> &str {
    under.unwrap_or_default()
}

impl<'a> Line<'a, Vec<ChargeRow<'a>>> {
    pub(super) fn of(n: u64, jobs: &'a [Job]) -> Self {
        let row = |job: &'a Job| {
            let (call, back, holdings) = match job {
                Job::Leaves { call, holdings } => (Some(*call), None, holdings),
                Job::Learnt { never_left, holdings } => (None, *never_left, holdings),
            };
            JobRow { call, back, of: holdings.iter().map(HoldingRow::of).collect() }
        };
        Self { n, jobs: jobs.iter().map(row).collect() }
    }
}

impl<'a> HoldingRow<'a, Vec<ChargeRow<'a>>> {
    fn of(Holding { under, reservations, notes }: &'a Holding) -> Self {
        let since = reservations.iter().map(|one| one.at_ms).min();
        let until = reservations.iter().map(|one| one.until_ms).max();
        let charged = since.zip(until).map(|(since, until)| {
            let rows = reservations.iter().map(ChargeRow::of);
            Charged(since, until, rows.collect())
        });
        Self {
            under: Cow::Borrowed(policy_of(under.as_deref())),
            charged,
            notes: notes.iter().map(NoteRow::of).collect(),
        }
    }
}

impl<'a> ChargeRow<'a> {
    fn of(reservation: &'a Reservation) -> Self {
        let Reservation { counter, grant, session, part, at_ms, amount, until_ms } = reservation;
        let [grant, session] = [grant, session].map(|name| name.as_deref().map(Cow::Borrowed));
        Self(Cow::Borrowed(counter), grant, session, part.as_ref().map(hex::encode), *at_ms, *amount, *until_ms)
    }

    fn back(self) -> Option<Reservation> {
        let Self(counter, grant, session, part, at_ms, amount, until_ms) = self;
        let [grant, session] = [grant, session].map(|name| name.map(Cow::into_owned));
        let part = match part {
            None => None,
            Some(digits) => {
                let mut digest = [0; 32];
                hex::decode_to_slice(digits, &mut digest).ok()?;
                Some(digest)
            }
        };
        Some(Reservation { counter: counter.into_owned(), grant, session, part, at_ms, amount, until_ms })
    }
}

/// The charges of a row, if it holds some.
pub(super) fn reservations(charges: &str) -> Option<Vec<Reservation>> {
    let rows: Vec<ChargeRow<'_>> = serde_json::from_str(charges).ok()?;
    rows.into_iter().map(ChargeRow::back).collect()
}

/// The row of reservations, as an older build wrote them apart.
pub(super) fn charges(reservations: &[Reservation]) -> String {
    let rows: Vec<ChargeRow<'_>> = reservations.iter().map(ChargeRow::of).collect();
    serde_json::to_string(&rows).unwrap_or_default()
}

impl<'a> NoteRow<'a> {
    fn of(Note { about, value }: &'a Note) -> Self {
        let NoteKey { kind, grant, key } = about;
        let [kind, grant, key] = [kind.name(), grant, key].map(Cow::Borrowed);
        Self(kind, grant, key, value.as_deref().map(Cow::Borrowed))
    }
}

/// A note of the database.
pub(super) fn note(kind: &str, grant: String, key: String, value: String) -> Option<Note> {
    let about = NoteKey { kind: NoteKind::named(kind)?, grant, key };
    Some(Note { about, value: Some(value) })
}

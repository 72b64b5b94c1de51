//! What outlives the process, on disk: what calls were charged, and what the guard remembers beside.
//!
//! Both are there before a call leaves, and what is learnt from its result when it is settled. After a restart the
//! guard counts the one and takes up the other.

mod group;
mod store;

use std::sync::Arc;

use mcp_policy::{Guard, Note, Reservation, Timestamp};

use crate::state_dir::{StateDir, StateError};
use group::Writer;
pub(crate) use store::Holding;
use store::{Job, Store};

/// What calls of one server were charged and what is remembered of them, in the file of a state folder.
#[derive(Debug)]
pub struct Ledger {
    store: Store,
    /// Who writes, if not whoever asks. It is gone before the lock is.
    writer: Option<Writer>,
    /// The last number that was given to a call.
    last_call: i64,
    /// Under which what must not be in the file is digested.
    digest_key: [u8; 32],
    /// Held as long as the ledger is open.
    _lock: std::fs::File,
}

/// What a call was charged, as the ledger knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry(i64);

/// What becomes of what a call wants written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reserved {
    /// It is on disk, if there was anything to write.
    There(Option<Entry>),
    /// It is on its way, and somebody will be told.
    OnItsWay(Entry),
}

impl Ledger {
    /// Opens the ledger of `server` in a folder.
    ///
    /// # Errors
    /// It cannot be read or written, or another gateway has it open: each would count for itself, and together they
    /// would let more through than the limits say.
    pub fn open(state: &StateDir, server: &str) -> Result<Self, StateError> {
        let lock = state.lock(server)?;
        let (store, digest_key) = (Store::open(state, server)?, state.digest_key()?);
        Ok(Self { last_call: store.last_call()?, store, writer: None, digest_key, _lock: lock })
    }

    /// Writes in a thread from now on: calls that arrive while it waits for the disk share a commit, and hold nobody else
    /// up meanwhile. Each waits for its own: see [`Session::poll_held`](crate::Session::poll_held).
    ///
    /// # Errors
    /// It cannot be opened once more, or there is no thread to be had.
    pub fn in_groups(self, state: &StateDir) -> Result<Self, StateError> {
        let writer = Writer::start(Store::open(state, self.store.server())?)?;
        Ok(Self { writer: Some(writer), ..self })
    }

    /// Everything that still counts at `now` under the server's policy.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn reserved(&self, now: u64) -> Result<Vec<Reservation>, StateError> {
        self.store.reserved(None, now)
    }

    /// Everything that is remembered under the server's policy.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn notes(&self) -> Result<Vec<Note>, StateError> {
        self.store.notes(None)
    }

    /// Lets a guard that has judged nothing yet know at `now` what the one before it knew. How many charges are of
    /// counters that its policy does not have.
    ///
    /// # Errors
    /// It cannot be read, or is not what a guard has written: whoever goes on all the same would let through what the one
    /// before would not.
    pub fn refill(&mut self, guard: &mut Guard, now: u64) -> Result<usize, StateError> {
        self.refill_of(None, guard, now)
    }

    /// The same for the guard of a grant that has a policy of its own: it knows what the one before it of the same grant
    /// knew, and nothing that was counted under another policy.
    ///
    /// # Errors
    /// As [`Ledger::refill`] says.
    pub fn refill_of(&mut self, grant: Option<&str>, guard: &mut Guard, now: u64) -> Result<usize, StateError> {
        let (unknown, forgotten) = self.tell(grant, guard, now)?;
        self.forget(grant, forgotten)?;
        Ok(unknown)
    }

    /// What [`Ledger::refill_of`] does, but that what is forgotten stays in the file until [`Ledger::forget`].
    pub(crate) fn tell(
        &self,
        grant: Option<&str>,
        guard: &mut Guard,
        now: u64,
    ) -> Result<(usize, Vec<Note>), StateError> {
        guard.set_digest_key(self.digest_key);
        guard.keep_notes();
        let at = Timestamp::from_millis(now);
        let unknown = guard.restore(self.store.reserved(grant, now)?, at);
        let forgotten = guard.restore_notes(self.store.notes(grant)?, at);
        Ok((unknown, forgotten.map_err(|bad| StateError::Damaged(bad.to_string()))?))
    }

    pub(crate) fn forget(&mut self, grant: Option<&str>, notes: Vec<Note>) -> Result<(), StateError> {
        self.learn(None, vec![Holding { under: grant.map(Arc::from), notes, ..Holding::default() }])
    }

    /// Writes what one call was charged and what is remembered of it, in one transaction. It is on disk when this returns,
    /// or when `tells` is told so.
    pub(crate) fn reserve(
        &mut self,
        mut holdings: Vec<Holding>,
        tells: impl FnOnce(Result<(), StateError>) + Send + 'static,
    ) -> Result<Reserved, StateError> {
        holdings.retain(|holding| !holding.is_empty());
        if holdings.is_empty() {
            return Ok(Reserved::There(None));
        }
        self.last_call += 1;
        let entry = Entry(self.last_call);
        let job = Job::Leaves { call: self.last_call, holdings };
        if let Some(writer) = &self.writer {
            writer.give(job, Some(Box::new(tells)))?;
            return Ok(Reserved::OnItsWay(entry));
        }
        self.store.commit(vec![job])?;
        Ok(Reserved::There(Some(entry)))
    }

    /// Writes what was learnt, and takes back what a call was charged that never left.
    pub(crate) fn learn(&mut self, never_left: Option<Entry>, mut holdings: Vec<Holding>) -> Result<(), StateError> {
        holdings.retain(|holding| !holding.is_empty());
        if never_left.is_none() && holdings.is_empty() && !self.store.is_behind() {
            return Ok(());
        }
        let job = Job::Learnt { never_left: never_left.map(|entry| entry.0), holdings };
        match &self.writer {
            Some(writer) => writer.give(job, None),
            None => self.store.commit(vec![job]),
        }
    }
}

#[cfg(test)]
mod tests {
    use mcp_policy::{NoteKey, NoteKind};

    use super::*;
    use crate::state_dir::Durability;

    fn reservation(at_ms: u64, amount: u64) -> Reservation {
        let (grant, session) = (Some("desk".to_owned()), None);
        Reservation {
            counter: "c".to_owned(),
            grant,
            session,
            part: Some([7; 32]),
            at_ms,
            amount,
            until_ms: at_ms + 1000,
        }
    }

    fn held(reservations: Vec<Reservation>, notes: Vec<Note>) -> Vec<Holding> {
        vec![Holding { under: None, reservations, notes }]
    }

    fn reserve(
        ledger: &mut Ledger,
        reservations: Vec<Reservation>,
        notes: Vec<Note>,
    ) -> Result<Option<Entry>, StateError> {
        match ledger.reserve(held(reservations, notes), |_| panic!("it is there at once"))? {
            Reserved::There(entry) => Ok(entry),
            Reserved::OnItsWay(_) => panic!("it is there at once"),
        }
    }

    #[test]
    fn what_was_reserved_is_there_for_the_next_process_until_it_no_longer_counts() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        let (one, two) = (reservation(1, u64::MAX), reservation(500, 1));
        let first = reserve(&mut ledger, vec![one.clone()], vec![]).unwrap();
        reserve(&mut ledger, vec![two.clone(), two.clone()], vec![]).unwrap();
        reserve(&mut ledger, vec![], vec![]).unwrap();
        assert!(matches!(Ledger::open(&state, "binance"), Err(StateError::InUse { .. })));
        drop(ledger);
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        assert_eq!(ledger.reserved(1000).unwrap(), [one, two.clone(), two.clone()]);
        assert_eq!(ledger.reserved(1001).unwrap(), [two.clone(), two]);
        assert!(Ledger::open(&state, "other").unwrap().reserved(0).unwrap().is_empty());
        // Another server's call of the same number is another's.
        Ledger::open(&state, "other").unwrap().learn(first, held(vec![], vec![])).unwrap();
        assert_eq!(ledger.reserved(0).unwrap().len(), 3);
        ledger.learn(first, held(vec![], vec![])).unwrap();
        assert_eq!(ledger.reserved(0).unwrap().len(), 2);
    }

    #[test]
    fn what_no_longer_counts_is_taken_out() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        for at in 0..3000 {
            reserve(&mut ledger, vec![reservation(at, 1)], vec![]).unwrap();
        }
        let rows = ledger.store.count("reservations");
        assert!(rows < 2100, "{rows}");
        assert_eq!(ledger.reserved(2999).unwrap().len(), 1000);
    }

    fn note(key: &str, value: Option<&str>) -> Note {
        let about = NoteKey { kind: NoteKind::Order, grant: "desk".to_owned(), key: key.to_owned() };
        Note { about, value: value.map(str::to_owned) }
    }

    #[test]
    fn a_note_replaces_the_one_before_and_goes_with_the_next_if_it_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Power).unwrap();
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        reserve(&mut ledger, vec![], vec![note("1", Some("a")), note("2", Some("b"))]).unwrap();
        ledger.learn(None, held(vec![], vec![note("1", Some("c")), note("2", None)])).unwrap();
        assert_eq!(ledger.notes().unwrap(), [note("1", Some("c"))]);
        // The file takes nothing for a while.
        let other = state.connect().unwrap();
        other.execute_batch("ALTER TABLE notes RENAME TO away").unwrap();
        ledger.learn(None, held(vec![], vec![note("1", None), note("3", Some("d"))])).unwrap_err();
        reserve(&mut ledger, vec![reservation(1, 1)], vec![note("4", Some("e"))]).unwrap_err();
        ledger.learn(None, held(vec![], vec![note("4", None)])).unwrap_err();
        assert_eq!(ledger.reserved(0).unwrap(), []);
        other.execute_batch("ALTER TABLE away RENAME TO notes").unwrap();
        reserve(&mut ledger, vec![reservation(1, 1)], vec![]).unwrap();
        assert_eq!(ledger.notes().unwrap(), [note("3", Some("d"))]);
        assert!(Ledger::open(&state, "other").unwrap().notes().unwrap().is_empty());
    }

    #[test]
    fn what_is_counted_under_one_policy_is_not_counted_under_another() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        let own = |reservations, notes| Holding { under: Some("desk".into()), reservations, notes };
        let (of_server, of_desk) = (reservation(1, 1), reservation(1, 2));
        let holdings = vec![
            Holding { under: None, reservations: vec![of_server.clone()], notes: vec![note("1", Some("a"))] },
            own(vec![of_desk.clone()], vec![note("1", Some("b"))]),
        ];
        let Reserved::There(entry) = ledger.reserve(holdings, |_| ()).unwrap() else { panic!("it is there") };
        drop(ledger);
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        assert_eq!(
            (ledger.reserved(0).unwrap(), ledger.notes().unwrap()),
            (vec![of_server], vec![note("1", Some("a"))])
        );
        assert_eq!(ledger.store.reserved(Some("desk"), 0).unwrap(), [of_desk]);
        assert_eq!(ledger.store.notes(Some("desk")).unwrap(), [note("1", Some("b"))]);
        assert!(ledger.store.reserved(Some("bot"), 0).unwrap().is_empty());
        ledger.learn(None, vec![own(vec![], vec![note("1", None)])]).unwrap();
        assert_eq!((ledger.notes().unwrap().len(), ledger.store.notes(Some("desk")).unwrap().len()), (1, 0));
        // The call that never left takes all of its charges with it, under whatever policy.
        ledger.learn(entry, vec![]).unwrap();
        assert!(ledger.reserved(0).unwrap().is_empty() && ledger.store.reserved(Some("desk"), 0).unwrap().is_empty());
    }

    #[test]
    fn what_no_guard_has_written_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let policy = r#"{"version": "2", "default": "deny", "manifest": "binance-mcp", "tools": {}}"#;
        let mut guard = Guard::new(mcp_policy::Policy::parse(policy).unwrap());
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        ledger.refill(&mut guard, 0).unwrap();
        ledger.learn(None, held(vec![], vec![note("1", Some("{}"))])).unwrap();
        let error = ledger.refill(&mut guard, 0).unwrap_err().to_string();
        assert!(error.contains("damaged: a note of kind `order`"), "{error}");
        state.connect().unwrap().execute_batch("UPDATE notes SET kind = 'dream'").unwrap();
        assert!(matches!(ledger.notes(), Err(StateError::Damaged(_))));
    }

    #[test]
    fn those_that_wait_for_the_disk_share_a_commit() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Power).unwrap();
        let mut ledger = Ledger::open(&state, "binance").unwrap().in_groups(&state).unwrap();
        let other = state.connect().unwrap();
        let (told, heard) = std::sync::mpsc::channel();
        let give = |ledger: &mut Ledger, n: u64| {
            let told = told.clone();
            let notes = vec![note(&n.to_string(), Some("{}"))];
            let tells = move |stored: Result<(), StateError>| told.send((n, stored.is_ok())).unwrap();
            match ledger.reserve(held(vec![reservation(n, 1)], notes), tells).unwrap() {
                Reserved::OnItsWay(entry) => entry,
                Reserved::There(_) => panic!("another thread writes"),
            }
        };
        // Somebody else is writing, so that they all wait.
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let entries: Vec<Entry> = (0..100).map(|n| give(&mut ledger, n)).collect();
        assert!(heard.try_recv().is_err());
        // One is taken back before it is there.
        ledger.learn(Some(entries[7]), held(vec![], vec![note("7", None)])).unwrap();
        other.execute_batch("COMMIT").unwrap();
        let all: Vec<(u64, bool)> = (0..100).map(|_| heard.recv().unwrap()).collect();
        assert_eq!(all, (0..100).map(|n| (n, true)).collect::<Vec<_>>());
        assert_eq!(ledger.reserve(vec![], |_| ()).unwrap(), Reserved::There(None));
        let written = || std::fs::metadata(folder.path().join("state.db-wal")).unwrap().len();
        let before = written();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        for n in 100..200 {
            give(&mut ledger, n);
        }
        other.execute_batch("COMMIT").unwrap();
        for _ in 100..200 {
            assert!(heard.recv().unwrap().1);
        }
        // Each commit writes every page that it has touched anew: one for the first, and one for all that came while it
        // waited, are far from a hundred.
        let pages = (written() - before) / 4096;
        assert!((1..60).contains(&pages), "{pages} pages");
        // What was given is written before the ledger is closed.
        for n in 200..210 {
            ledger.learn(None, held(vec![], vec![note(&n.to_string(), Some("{}"))])).unwrap();
        }
        drop(ledger);
        let ledger = Ledger::open(&state, "binance").unwrap();
        assert_eq!(ledger.notes().unwrap().len(), 209);
        assert_eq!(ledger.reserved(0).unwrap().len(), 199);
    }

    #[test]
    fn a_disk_that_takes_nothing_is_told_to_all_who_wait() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut ledger = Ledger::open(&state, "binance").unwrap().in_groups(&state).unwrap();
        state.connect().unwrap().execute_batch("DROP TABLE reservations").unwrap();
        let (told, heard) = std::sync::mpsc::channel();
        ledger.reserve(held(vec![reservation(1, 1)], vec![]), move |stored| told.send(stored).unwrap()).unwrap();
        assert!(matches!(heard.recv().unwrap(), Err(StateError::NotWritten(_))));
    }
}

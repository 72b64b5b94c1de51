//! What outlives the process, on disk: what calls were charged, and what the guard remembers beside.
//!
//! Both are there before a call leaves, and what is learnt from its result when it is settled. After a restart the
//! guard counts the one and takes up the other.
//!
//! It is written twice: into a [`journal`] before the call leaves, and by the file into a database ([`tables`]).

mod book;
mod group;
mod job;
mod journal;
mod older;
mod row;
mod tables;

use std::sync::Arc;

use mcp_policy::{Guard, Note, Reservation, Timestamp};

use crate::state_dir::{StateDir, StateError};
use book::Book;
use group::Writer;
pub(crate) use job::Holding;
use job::Job;
pub(crate) use older::carry_over;
use tables::Tables;

/// What calls of one server were charged and what is remembered of them, in the file of a state folder.
#[derive(Debug)]
pub struct Ledger {
    tables: Tables,
    /// Gone before the lock is.
    writes: Writes,
    /// The last number that was given to a call.
    last_call: i64,
    /// Under which what must not be in the file is digested.
    digest_key: [u8; 32],
    /// Held as long as the ledger is open.
    _lock: std::fs::File,
}

/// Who writes.
#[derive(Debug)]
enum Writes {
    /// Whoever asks.
    Asker(Box<Book>),
    Thread(Writer),
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
    /// It cannot be read or written, or is damaged, or another gateway has it open: each would count for itself, and
    /// together they would let more through than the limits say.
    pub fn open(state: &StateDir, server: &str) -> Result<Self, StateError> {
        let lock = state.lock(server)?;
        let (mut tables, digest_key) = (Tables::open(state, server)?, state.digest_key()?);
        // What the process before has written and not brought in.
        book::bring_in(&mut tables, &journal::left(state, server)?)?;
        let book = Book::after(state, server, tables.last_line()?);
        Ok(Self {
            last_call: tables.last_call()?,
            tables,
            writes: Writes::Asker(Box::new(book)),
            digest_key,
            _lock: lock,
        })
    }

    /// Writes in a thread from now on: calls that arrive while it waits for the disk share a commit, and hold nobody else
    /// up meanwhile. Each waits for its own: see [`Session::poll_held`](crate::Session::poll_held).
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn in_groups(self) -> Result<Self, StateError> {
        let writes = match self.writes {
            Writes::Asker(book) => Writes::Thread(Writer::start(*book)?),
            thread @ Writes::Thread(_) => thread,
        };
        Ok(Self { writes, ..self })
    }

    /// Everything that an earlier process has left and that still counts at `now` under the server's policy.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn reserved(&self, now: u64) -> Result<Vec<Reservation>, StateError> {
        self.tables.reserved(None, now)
    }

    /// Everything that an earlier process has left to be remembered under the server's policy.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn notes(&self) -> Result<Vec<Note>, StateError> {
        self.tables.notes(None)
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
        let unknown = guard.restore(self.tables.reserved(grant, now)?, at);
        let forgotten = guard.restore_notes(self.tables.notes(grant)?, at);
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
        match &mut self.writes {
            Writes::Thread(writer) => {
                writer.give(job, Some(Box::new(tells)))?;
                Ok(Reserved::OnItsWay(entry))
            }
            Writes::Asker(book) => {
                book.commit(vec![job])?;
                Ok(Reserved::There(Some(entry)))
            }
        }
    }

    /// Writes what was learnt, and takes back what a call was charged that never left.
    pub(crate) fn learn(&mut self, never_left: Option<Entry>, mut holdings: Vec<Holding>) -> Result<(), StateError> {
        holdings.retain(|holding| !holding.is_empty());
        let nothing = never_left.is_none() && holdings.is_empty();
        let job = Job::Learnt { never_left: never_left.map(|entry| entry.0), holdings };
        match &mut self.writes {
            Writes::Thread(_) if nothing => Ok(()),
            Writes::Asker(book) if nothing && !book.is_behind() => Ok(()),
            Writes::Thread(writer) => writer.give(job, None),
            Writes::Asker(book) => book.commit(vec![job]),
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
        let ledger = Ledger::open(&state, "binance").unwrap();
        assert_eq!(ledger.reserved(1000).unwrap(), [one, two.clone(), two.clone()]);
        assert_eq!(ledger.reserved(1001).unwrap(), [two.clone(), two]);
        assert!(Ledger::open(&state, "other").unwrap().reserved(0).unwrap().is_empty());
        // Another server's call of the same number is another's.
        Ledger::open(&state, "other").unwrap().learn(first, held(vec![], vec![])).unwrap();
        drop(ledger);
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        assert_eq!(ledger.reserved(0).unwrap().len(), 3);
        ledger.learn(first, held(vec![], vec![])).unwrap();
        drop(ledger);
        assert_eq!(Ledger::open(&state, "binance").unwrap().reserved(0).unwrap().len(), 2);
    }

    #[test]
    fn a_full_file_is_brought_in_and_what_no_longer_counts_is_taken_out() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        // Three files and a bit: each note is a thousandth of one.
        let long = format!("{{\"x\":\"{}\"}}", "y".repeat(900));
        for at in 0..3500 {
            reserve(&mut ledger, vec![reservation(at, 1)], vec![note("1", Some(&long))]).unwrap();
        }
        drop(ledger);
        // The thread has brought in what was full before it ended, and that is not read again.
        let left = journal::left(&state, "binance").unwrap();
        assert_eq!(left.len(), 1, "{left:?}");
        let tables = Tables::open(&state, "binance").unwrap();
        let there = tables.last_line().unwrap();
        assert!((2500..3500).contains(&there), "{there}");
        assert!(tables.count("charges") < 2100, "{}", tables.count("charges"));
        let ledger = Ledger::open(&state, "binance").unwrap();
        assert_eq!(ledger.reserved(2999).unwrap().len(), 1500);
        assert_eq!(ledger.notes().unwrap(), [note("1", Some(&long))]);
        assert_eq!(journal::left(&state, "binance").unwrap(), [] as [std::path::PathBuf; 0]);
    }

    #[test]
    fn a_database_that_takes_nothing_for_a_while_is_made_up_for() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        let other = state.connect().unwrap();
        other.execute_batch("ALTER TABLE notes RENAME TO away").unwrap();
        let long = "y".repeat(1 << 18);
        let mut count = 0;
        // Calls go on until much waits; then each tries again.
        let error = loop {
            match reserve(&mut ledger, vec![reservation(count, 1)], vec![note("1", Some(&long))]) {
                Ok(_) => count += 1,
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains("full files of the journal wait"), "{error}");
        assert!((50..100).contains(&count), "{count}");
        other.execute_batch("ALTER TABLE away RENAME TO notes").unwrap();
        // The thread may be at its last vain attempt.
        while reserve(&mut ledger, vec![reservation(count, 1)], vec![]).is_err() {}
        drop(ledger);
        let ledger = Ledger::open(&state, "binance").unwrap();
        assert_eq!(ledger.reserved(count).unwrap().len() as u64, count + 1);
    }

    #[test]
    fn a_line_that_a_crash_has_cut_is_none_and_all_else_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        for at in 0..3 {
            reserve(&mut ledger, vec![reservation(at, 1)], vec![note("1", Some("a"))]).unwrap();
        }
        drop(ledger);
        let files = journal::left(&state, "binance").unwrap();
        let [file] = files.as_slice() else { panic!("{files:?}") };
        let whole = std::fs::read(file).unwrap();
        let read =
            |bytes: &[u8]| journal::lines(file, bytes).map(|lines| lines.len()).map_err(|error| error.to_string());
        let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
        for cut in 0..=whole.len() {
            assert_eq!(read(&whole[..cut]), Ok(ends.iter().filter(|end| **end < cut).count()), "cut at {cut}");
        }
        for flipped in (0..whole.len()).filter(|at| !ends.contains(at)) {
            let mut bytes = whole.clone();
            bytes[flipped] ^= 1;
            let line = ends.iter().filter(|end| **end < flipped).count() + 1;
            let error = read(&bytes).unwrap_err();
            assert!(error.contains(&format!("line {line} of the journal `{}`", file.display())), "{error}");
        }
        let missing = [&whole[..=ends[0]], &whole[ends[1] + 1..]].concat();
        assert!(read(&missing).unwrap_err().contains("has the number 3 after 1"));
        // Whoever starts on damage is refused, and nothing of it is taken up.
        let opened = || Ledger::open(&state, "binance").and_then(|ledger| ledger.reserved(0)).map(|all| all.len());
        std::fs::write(file, missing).unwrap();
        assert!(matches!(opened(), Err(StateError::Damaged(_))));
        std::fs::write(file, &whole[ends[0] + 1..]).unwrap();
        let error = opened().unwrap_err().to_string();
        assert!(error.contains("the journal goes on at 2, and the database has come to 0"), "{error}");
        std::fs::write(file, &whole[..=ends[0]]).unwrap();
        assert_eq!(opened().unwrap(), 1);
        // The process died before it took away what it had brought in.
        std::fs::write(file, &whole[..whole.len() - 1]).unwrap();
        assert_eq!((opened().unwrap(), file.exists()), (2, false));
    }

    /// A journal that nobody reads yet, so that whoever writes the first line of it waits.
    #[cfg(unix)]
    fn held_up(state: &StateDir) -> std::path::PathBuf {
        let path = state.beside("binance", "-00000000000000000001.journal");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
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
        drop(ledger);
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        assert_eq!(ledger.notes().unwrap(), [note("1", Some("c"))]);
        // The folder takes nothing for a while.
        let away = folder.path().with_extension("away");
        std::fs::rename(folder.path(), &away).unwrap();
        ledger.learn(None, held(vec![], vec![note("1", None), note("3", Some("d"))])).unwrap_err();
        reserve(&mut ledger, vec![reservation(1, 1)], vec![note("4", Some("e"))]).unwrap_err();
        ledger.learn(None, held(vec![], vec![note("4", None)])).unwrap_err();
        std::fs::rename(&away, folder.path()).unwrap();
        reserve(&mut ledger, vec![reservation(2, 1)], vec![]).unwrap();
        drop(ledger);
        let ledger = Ledger::open(&state, "binance").unwrap();
        assert_eq!(ledger.reserved(0).unwrap(), [reservation(2, 1)]);
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
        assert_eq!(ledger.tables.reserved(Some("desk"), 0).unwrap(), [of_desk]);
        assert_eq!(ledger.tables.notes(Some("desk")).unwrap(), [note("1", Some("b"))]);
        assert!(ledger.tables.reserved(Some("bot"), 0).unwrap().is_empty());
        ledger.learn(None, vec![own(vec![], vec![note("1", None)])]).unwrap();
        // The call that never left takes all of its charges with it, under whatever policy.
        ledger.learn(entry, vec![]).unwrap();
        drop(ledger);
        let ledger = Ledger::open(&state, "binance").unwrap();
        assert_eq!((ledger.notes().unwrap().len(), ledger.tables.notes(Some("desk")).unwrap().len()), (1, 0));
        assert!(ledger.reserved(0).unwrap().is_empty() && ledger.tables.reserved(Some("desk"), 0).unwrap().is_empty());
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
        drop(ledger);
        let mut ledger = Ledger::open(&state, "binance").unwrap();
        let error = ledger.refill(&mut guard, 0).unwrap_err().to_string();
        assert!(error.contains("damaged: a note of kind `order`"), "{error}");
        state.connect().unwrap().execute_batch("UPDATE notes SET kind = 'dream'").unwrap();
        assert!(matches!(ledger.notes(), Err(StateError::Damaged(_))));
    }

    #[cfg(unix)]
    #[test]
    fn those_that_wait_for_the_disk_share_a_commit() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path(), Durability::Process).unwrap();
        let mut ledger = Ledger::open(&state, "binance").unwrap().in_groups().unwrap();
        let file = held_up(&state);
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
        let entries: Vec<Entry> = (0..100).map(|n| give(&mut ledger, n)).collect();
        assert!(heard.try_recv().is_err());
        // One is taken back before it is there.
        ledger.learn(Some(entries[7]), held(vec![], vec![note("7", None)])).unwrap();
        // A commit for what came first, and one for all that came while that waited.
        let reader = std::thread::spawn(move || std::fs::read_to_string(file).unwrap());
        let all: Vec<(u64, bool)> = (0..100).map(|_| heard.recv().unwrap()).collect();
        assert_eq!(all, (0..100).map(|n| (n, true)).collect::<Vec<_>>());
        assert_eq!(ledger.reserve(vec![], |_| ()).unwrap(), Reserved::There(None));
        // What was given is written before the ledger is closed.
        for n in 200..210 {
            ledger.learn(None, held(vec![], vec![note(&n.to_string(), Some("{}"))])).unwrap();
        }
        drop(ledger);
        let written = reader.join().unwrap();
        let commits = written.lines().count();
        assert!((2..60).contains(&commits), "{commits} commits");
        let left = journal::left(&state, "binance").unwrap();
        std::fs::remove_file(&left[0]).unwrap();
        std::fs::write(&left[0], written).unwrap();
        let ledger = Ledger::open(&state, "binance").unwrap();
        assert_eq!(ledger.notes().unwrap().len(), 109);
        assert_eq!(ledger.reserved(0).unwrap().len(), 99);
    }

    #[test]
    fn a_disk_that_takes_nothing_is_told_to_all_who_wait() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(&folder.path().join("state"), Durability::Process).unwrap();
        let mut ledger = Ledger::open(&state, "binance").unwrap().in_groups().unwrap();
        std::fs::rename(folder.path().join("state"), folder.path().join("away")).unwrap();
        let (told, heard) = std::sync::mpsc::channel();
        ledger.reserve(held(vec![reservation(1, 1)], vec![]), move |stored| told.send(stored).unwrap()).unwrap();
        assert!(matches!(heard.recv().unwrap(), Err(StateError::NotWritten(_))));
    }
}

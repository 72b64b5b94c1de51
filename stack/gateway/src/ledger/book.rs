//! Where commits go: at once into the journal, and by the file into the database, in a thread of its own.
//!
//! ```text
//!  commit ─▶ journal, one write ─▶ the call leaves
//!               └ a full file ─▶ thread: one transaction for all of it ─▶ the file is removed
//! ```
//!
//! A transaction of `SQLite` writes each page that it touches, and a dozen for an order alone: for some hundreds of orders
//! together it is a fraction of that. The same code brings in what a process that was killed has left.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use mcp_policy::{Note, NoteKey};

use super::job::{Holding, Job};
use super::journal::{self, Journal};
use super::tables::Tables;
use crate::state_dir::{StateDir, StateError};

/// At how many bytes a file of the journal is full: some five hundred orders.
const FILE_BYTES: u64 = 1 << 20;

/// How many full files may wait because the database takes nothing, before nothing else is taken.
const WAITING_MAX: usize = 16;

/// The journal, and what brings it into the database.
#[derive(Debug)]
pub(super) struct Book {
    journal: Journal,
    /// Notes that could not be written, as in a moment in which the disk was full: they go with the next that are. Each
    /// says all that is known of its thing, so that there is never more than one of each.
    unsaved: BTreeMap<(Option<Arc<str>>, NoteKey), Option<String>>,
    /// Full files that are not in the database, as far as anybody knows, the oldest first.
    full: Vec<PathBuf>,
    clerk: Option<Clerk>,
    state: StateDir,
    server: String,
}

impl Book {
    /// Goes on after the last commit that is in the database.
    pub(super) fn after(state: &StateDir, server: &str, last: u64) -> Self {
        let journal = Journal::after(state, server, last);
        let (state, server) = (state.clone(), server.to_owned());
        Self { journal, unsaved: BTreeMap::new(), full: Vec::new(), clerk: None, state, server }
    }

    /// Whether there is something that could not be written yet.
    pub(super) fn is_behind(&self) -> bool {
        !self.unsaved.is_empty()
    }

    /// Writes all of `jobs`, or nothing of them. Of calls that are about to leave all is on disk when this returns; what
    /// was learnt reaches the disk with the next of those, and the file at once.
    pub(super) fn commit(&mut self, mut jobs: Vec<Job>) -> Result<(), StateError> {
        if !self.unsaved.is_empty() {
            jobs.insert(0, Job::Learnt { never_left: None, holdings: self.saved_up() });
        }
        let waits = jobs.iter().any(Job::leaves);
        let written = self.hand_over().and_then(|()| self.journal.append(&jobs, waits));
        match &written {
            Ok(()) => self.unsaved.clear(),
            Err(_) => {
                for Holding { under, notes, .. } in jobs.into_iter().flat_map(Job::into_holdings) {
                    self.unsaved.extend(notes.into_iter().map(|note| ((under.clone(), note.about), note.value)));
                }
            }
        }
        written
    }

    fn saved_up(&self) -> Vec<Holding> {
        let mut holdings: Vec<Holding> = Vec::new();
        for ((under, about), value) in &self.unsaved {
            let note = Note { about: about.clone(), value: value.clone() };
            match holdings.last_mut().filter(|last| last.under == *under) {
                Some(holding) => holding.notes.push(note),
                None => holdings.push(Holding { under: under.clone(), notes: vec![note], ..Holding::default() }),
            }
        }
        holdings
    }

    /// Gives a full file to the thread that brings it into the database. If that is still at the one before, it is waited
    /// for: whatever cannot be brought in as fast as it comes would grow for ever.
    fn hand_over(&mut self) -> Result<(), StateError> {
        if self.journal.length() < FILE_BYTES {
            return Ok(());
        }
        if self.clerk.is_none() {
            self.clerk = Some(Clerk::start(&self.state, &self.server)?);
        }
        let Some(clerk) = &mut self.clerk else { return Ok(()) };
        match clerk.done()? {
            None => {}
            Some(Ok(())) => self.full.clear(),
            Some(Err(error)) => {
                tracing::error!(%error, "the database takes nothing: it is tried again with the next full file");
                if self.full.len() >= WAITING_MAX {
                    clerk.give(self.full.clone())?;
                    return Err(StateError::NotWritten(format!(
                        "{WAITING_MAX} full files of the journal wait: {error}"
                    )));
                }
            }
        }
        self.full.extend(self.journal.end());
        clerk.give(self.full.clone())
    }
}

/// The thread that brings full files into the database. What it was given is there before it is gone.
#[derive(Debug)]
struct Clerk {
    files: Option<mpsc::Sender<Vec<PathBuf>>>,
    done: mpsc::Receiver<Result<(), StateError>>,
    /// It was given something, and nobody has heard what became of it.
    busy: bool,
    thread: Option<JoinHandle<()>>,
}

impl Clerk {
    fn start(state: &StateDir, server: &str) -> Result<Self, StateError> {
        let (files, given) = mpsc::channel::<Vec<PathBuf>>();
        let (tells, done) = mpsc::channel();
        let mut tables = Tables::open(state, server)?;
        let work = move || {
            while let Ok(files) = given.recv() {
                if tells.send(bring_in(&mut tables, &files)).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(work);
        let thread = thread.map_err(|error| StateError::NotWritten(error.to_string()))?;
        Ok(Self { files: Some(files), done, busy: false, thread: Some(thread) })
    }

    fn give(&mut self, files: Vec<PathBuf>) -> Result<(), StateError> {
        let given = self.files.as_ref().is_some_and(|to| to.send(files).is_ok());
        self.busy = given;
        if given { Ok(()) } else { Err(gone()) }
    }

    /// What became of what it was given last, which may take a moment; nothing if it was given nothing.
    fn done(&mut self) -> Result<Option<Result<(), StateError>>, StateError> {
        if !std::mem::take(&mut self.busy) {
            return Ok(None);
        }
        self.done.recv().map(Some).map_err(|_| gone())
    }
}

impl Drop for Clerk {
    fn drop(&mut self) {
        drop(self.files.take());
        if let Some(thread) = self.thread.take() {
            // It has ended by a panic if not by itself, and then there is nothing to wait for.
            let _ = thread.join();
        }
    }
}

fn gone() -> StateError {
    StateError::NotWritten("nobody brings the journal into the database any more".to_owned())
}

/// Brings files of the journal into the database, the oldest first, and takes them away.
pub(super) fn bring_in(tables: &mut Tables, files: &[PathBuf]) -> Result<(), StateError> {
    for file in files {
        let text = match std::fs::read(file) {
            Ok(text) => text,
            // An earlier attempt has come so far.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(StateError::file(file, source)),
        };
        tables.take_up(journal::lines(file, &text)?)?;
        std::fs::remove_file(file).map_err(|source| StateError::file(file, source))?;
    }
    Ok(())
}

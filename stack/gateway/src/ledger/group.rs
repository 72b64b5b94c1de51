//! One thread that writes for every call: those that arrive while it waits for the disk share the next commit.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::book::Book;
use super::job::Job;
use crate::state_dir::StateError;

/// How many jobs one commit takes at most, so that the first of them does not wait for ever.
const GROUP_MAX: usize = 512;

/// Hears whether a job is on disk.
pub(crate) type Tells = Box<dyn FnOnce(Result<(), StateError>) + Send>;

/// The thread. What it was given is written before it is gone.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<(Job, Option<Tells>)>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(book: Book) -> Result<Self, StateError> {
        let (jobs, given) = mpsc::channel();
        let thread = thread::Builder::new().name("ledger".to_owned()).spawn(move || write(book, &given));
        let thread = thread.map_err(|error| StateError::NotWritten(error.to_string()))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Puts a job after all that were given before. Whether there is anybody to do it.
    pub(super) fn give(&self, job: Job, tells: Option<Tells>) -> Result<(), StateError> {
        let given = self.jobs.as_ref().map(|jobs| jobs.send((job, tells)).is_ok());
        if given == Some(true) { Ok(()) } else { Err(StateError::NotWritten("nobody writes any more".to_owned())) }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // It has ended by a panic if not by itself, and then there is nothing to wait for.
            let _ = thread.join();
        }
    }
}

fn write(mut book: Book, given: &mpsc::Receiver<(Job, Option<Tells>)>) {
    while let Ok(first) = given.recv() {
        let group = std::iter::once(first).chain(given.try_iter().take(GROUP_MAX - 1));
        let (jobs, tells): (Vec<Job>, Vec<Option<Tells>>) = group.unzip();
        let written = book.commit(jobs);
        if let Err(error) = &written {
            tracing::error!(%error, "the store takes nothing");
        }
        for tells in tells.into_iter().flatten() {
            tells(written.as_ref().map(drop).map_err(|error| StateError::NotWritten(error.to_string())));
        }
    }
}

//! `rogue watch`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use rogue_harness::run::{RunOptions, runtime};
use rogue_harness::scenario::{PolicyFile, Problem, check_policy};
use rogue_harness::target::TargetFile;
use rogue_harness::verdict::ExitClass;
use rogue_harness::watch::{Due, Event, Folder, Memory, Round, Standing, Subject, Under, View, look};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::watch_files::{Files, News};
use super::{run, signal};
use crate::args::{TargetChoice, Watch};
use crate::find;
use crate::output::{Failure, Output};

/// Editors write a file in several steps: nothing is looked at until they have been quiet for so long.
const QUIET: Duration = Duration::from_millis(60);

/// For how long at most: there may be folders that are never quiet.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) fn watch(args: &Watch, folder: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    let paths = if args.choice.paths.is_empty() { vec![find::scenarios(folder)?] } else { args.choice.paths.clone() };
    if let Some(missing) = paths.iter().find(|path| !path.exists()) {
        return Err(Failure::Files(vec![Problem::error("no-file", missing, "there is no such file or folder")]));
    }
    let (send, news) = unbounded_channel();
    let files = Files::new(send.clone())?;
    heed_signals(send)?;
    let (watched, memory, told, open) = (BTreeSet::new(), Memory::default(), Vec::new(), None);
    Watching { args, paths, news, files, watched, memory, told, open, output }.go()?;
    Ok(ExitClass::Good)
}

/// Signals are heard on a thread of their own, so that none is lost between two runs.
fn heed_signals(news: UnboundedSender<News>) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::Broken(format!("the system gives no signals: {error}"));
    let runtime = runtime().map_err(failed)?;
    let stopped = {
        let _inside = runtime.enter();
        signal::stop().map_err(failed)?
    };
    thread::spawn(move || {
        runtime.block_on(stopped);
        let _ = news.send(News::Stop);
    });
    Ok(())
}

struct Watching<'a> {
    args: &'a Watch,
    paths: Vec<PathBuf>,
    news: UnboundedReceiver<News>,
    files: Files,
    watched: BTreeSet<Folder>,
    memory: Memory,
    /// The problems that were told and are still there.
    told: Vec<Problem>,
    /// What was run since the last time that everything was done.
    open: Option<(Round, Instant)>,
    output: &'a mut Output,
}

/// Why a round came to an end.
enum End {
    Done,
    /// Something changed meanwhile. What was not run is still due.
    Changed,
    Stop,
}

impl Watching<'_> {
    fn go(mut self) -> Result<(), Failure> {
        let (mut view, mut options) = self.look()?;
        self.tell(&Event::Watching { checks: view.found.len(), files: view.files() })?;
        self.open = Some((Round::default(), Instant::now()));
        let mut due = self.memory.see(view.checks());
        loop {
            match self.round(&view, &due, &options)? {
                End::Stop => return Ok(()),
                End::Changed => {}
                End::Done => {
                    if self.wait()? == News::Stop {
                        return Ok(());
                    }
                }
            }
            (view, options) = self.look()?;
            due = self.memory.see(view.checks());
            if !due.files.is_empty() {
                let checks = due.run.len() + due.gone.len();
                self.tell(&Event::Changed { files: due.files.iter().cloned().collect(), checks })?;
            }
        }
    }

    /// Looks, and watches where it looked; what changed in between is seen by a second look.
    fn look(&mut self) -> Result<(View, RunOptions), Failure> {
        self.files.follow(&self.watched)?;
        loop {
            let (under, options) = self.under();
            let wanted = |case: &_| self.args.choice.wants(case);
            let filtered = self.args.choice.filter.is_some();
            let view = look(&self.paths, filtered.then_some(&wanted), &under);
            let more: Vec<_> = view.folders.difference(&self.watched).cloned().collect();
            if more.is_empty() {
                return Ok((view, options));
            }
            self.files.follow(&more)?;
            self.watched.extend(more);
        }
    }

    /// What all scenarios are run under.
    fn under(&self) -> (Under, RunOptions) {
        let mut under = Under::default();
        let mut options = RunOptions { seed: self.args.seed, ..RunOptions::default() };
        match &self.args.target {
            TargetChoice::Kind(kind) => options.target = *kind,
            TargetChoice::File(path) => {
                let policies: Vec<PathBuf> =
                    TargetFile::read(path).map(|target| target.policies().collect()).unwrap_or_default();
                for file in policies.iter().chain([path]) {
                    under.made.add(file, fs::read(file).ok().as_deref());
                }
                match run::described(path, &self.args.gateways) {
                    Ok(command) => options.command = Some(command),
                    Err(failure) => under.problems.extend(failure.into_problems(path)),
                }
            }
        }
        if let Some(path) = &self.args.policy {
            under.made.add(path, None);
            match PolicyFile::read(path) {
                Ok(policy) => {
                    for (file, text) in policy.files() {
                        under.made.add(file, text.map(str::as_bytes));
                    }
                    under.problems.extend(check_policy(&policy));
                    under.policy = Some(policy.clone());
                    options.policy = Some(policy);
                }
                Err(error) => under.problems.push(Problem::error("unreadable", path, error.to_string())),
            }
        }
        (under, options)
    }

    /// Runs what is due, until something changes.
    fn round(&mut self, view: &View, due: &Due, options: &RunOptions) -> Result<End, Failure> {
        let otherwise = self.problems(view)?;
        for path in &due.gone {
            self.tell(&Event::Gone { path: path.clone() })?;
        }
        let is_news = otherwise || !due.run.is_empty() || !due.gone.is_empty();
        let Some((mut round, begun)) = self.open.take().or_else(|| is_news.then(|| (Round::default(), Instant::now())))
        else {
            return Ok(End::Done);
        };
        for path in &due.run {
            let Some(found) = view.found.get(path) else { continue };
            let Some((subject, made)) = &found.runs else { continue };
            let (standing, heard) = self.run(subject, options)?;
            if let Some(standing) = standing {
                let (change, before) = self.memory.take(path, made.clone(), &standing);
                round.count(change);
                self.tell(&Event::result(&found.name, path, (change, before), standing))?;
            }
            if let Some(heard) = heard {
                self.open = Some((round, begun));
                return Ok(if heard == News::Stop || self.settle()? == News::Stop { End::Stop } else { End::Changed });
            }
        }
        round.waiting = view.waiting();
        round.failing = self.memory.failing();
        round.checks = view.found.len();
        self.tell(&Event::Done(round.took(begun.elapsed())))?;
        Ok(End::Done)
    }

    /// Runs a check, and hears what there is to hear meanwhile. To be told to stop ends the run, which then came to nothing.
    fn run(&mut self, subject: &Subject, options: &RunOptions) -> Result<(Option<Standing>, Option<News>), Failure> {
        let news = &mut self.news;
        let run = async {
            let mut run = pin!(subject.run(options));
            let mut heard = None;
            loop {
                tokio::select! {
                    biased;
                    standing = &mut run => return (Some(standing), heard),
                    more = news.recv() => match more {
                        Some(News::Changed) => heard = Some(News::Changed),
                        Some(News::Stop) | None => return (None, Some(News::Stop)),
                    },
                }
            }
        };
        Ok(runtime().map_err(no_runtime)?.block_on(run))
    }

    /// Waits until something may have changed, and whoever changes it has been quiet for a while.
    fn wait(&mut self) -> Result<News, Failure> {
        let news = runtime().map_err(no_runtime)?.block_on(self.news.recv());
        if news == Some(News::Changed) { self.settle() } else { Ok(News::Stop) }
    }

    fn settle(&mut self) -> Result<News, Failure> {
        let news = &mut self.news;
        let quiet = async {
            while let Ok(more) = tokio::time::timeout(QUIET, news.recv()).await {
                if more != Some(News::Changed) {
                    return News::Stop;
                }
            }
            News::Changed
        };
        let settled = async { tokio::time::timeout(PATIENCE, quiet).await.unwrap_or(News::Changed) };
        Ok(runtime().map_err(no_runtime)?.block_on(settled))
    }

    /// Tells the problems that were not told. Whether there are others than before.
    fn problems(&mut self, view: &View) -> Result<bool, Failure> {
        let (before, now) = (std::mem::take(&mut self.told), &view.problems);
        for problem in now.iter().filter(|problem| !before.contains(problem)) {
            self.tell(&Event::problem(problem))?;
        }
        self.told.clone_from(now);
        Ok(*now != before)
    }

    fn tell(&mut self, event: &Event) -> Result<(), Failure> {
        if self.args.json {
            let line = event.in_json();
            let line = line.map_err(|error| Failure::Broken(format!("an event cannot be written: {error}")))?;
            return self.output.print(&line);
        }
        self.output.print(&event.in_words())
    }
}

fn no_runtime(error: impl Into<io::Error>) -> Failure {
    let error = error.into();
    Failure::Broken(format!("the system gives no runtime: {error}"))
}

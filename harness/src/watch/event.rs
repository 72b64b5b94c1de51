//! What there is to tell, for people and for machines.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::memory::{Change, Standing};
use crate::report::plural;
use crate::scenario::{Problem, Severity};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();

/// What there is to tell.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Watching begins.
    Watching {
        /// How many checks there are.
        checks: usize,
        /// Of how many files they are made.
        files: usize,
    },
    /// Files are not as they were.
    Changed {
        /// The files.
        files: Vec<PathBuf>,
        /// How many checks that touches.
        checks: usize,
    },
    /// A check was run.
    Result(Result),
    /// A check is there no more.
    Gone {
        /// Its file.
        path: PathBuf,
    },
    /// A file is wrong, or something in it is doubtful.
    Problem {
        /// `error` or `warning`.
        severity: &'static str,
        /// A short stable name of the kind.
        code: &'static str,
        /// The file.
        path: PathBuf,
        /// The line, when known.
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<u64>,
        /// The column, when known.
        #[serde(skip_serializing_if = "Option::is_none")]
        column: Option<u64>,
        /// What is wrong.
        message: String,
        /// What to write instead.
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<String>,
        /// All of it for people.
        #[serde(skip)]
        shown: String,
    },
    /// Everything that was due is done.
    Done(Round),
}

/// What became of a check.
#[derive(Clone, Debug, Serialize)]
pub struct Result {
    /// The id of the scenario, or the file.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// How that differs from the last time.
    pub change: Change,
    /// What it came to then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it came to.
    pub after: String,
    /// Why that is not good, a line for each reason.
    pub why: Vec<String>,
}

/// What became of everything that was due.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Round {
    /// How many checks were run.
    pub run: usize,
    /// How many were good and are not any more.
    pub lost: usize,
    /// How many fail that are new, or otherwise than before.
    pub new_failures: usize,
    /// How many fail no more.
    pub fixed: usize,
    /// How many wait until a file is repaired.
    pub waiting: usize,
    /// How many of all fail.
    pub failing: usize,
    /// How many there are.
    pub checks: usize,
    /// How long it took.
    pub elapsed_ms: u128,
}

impl Round {
    /// Counts a check that was run.
    pub fn count(&mut self, change: Change) {
        self.run += 1;
        match change {
            Change::Lost => self.lost += 1,
            Change::NewFailure | Change::FailsOtherwise => self.new_failures += 1,
            Change::Fixed => self.fixed += 1,
            Change::New | Change::Same => {}
        }
    }

    /// The time that it took.
    #[must_use]
    pub fn took(mut self, elapsed: Duration) -> Self {
        self.elapsed_ms = elapsed.as_millis();
        self
    }
}

impl Event {
    /// What a check came to.
    pub fn result(name: &str, path: &Path, (change, before): (Change, Option<Standing>), after: Standing) -> Self {
        let before = before.map(|standing| standing.word);
        Self::Result(Result {
            name: name.to_owned(),
            path: path.to_owned(),
            change,
            before,
            after: after.word,
            why: after.why,
        })
    }

    /// A problem.
    pub fn problem(problem: &Problem) -> Self {
        let (line, column) = problem.place().unzip();
        Self::Problem {
            severity: match problem.severity() {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            code: problem.code(),
            path: problem.path().to_owned(),
            line,
            column,
            message: problem.message().to_owned(),
            help: problem.remedy().map(str::to_owned),
            shown: problem.to_string(),
        }
    }

    /// In words, with ANSI colours; empty when there is nothing that people want to hear.
    pub fn in_words(&self) -> String {
        match self {
            Self::Watching { checks, files } => format!(
                "watching {}, made of {}; Ctrl-C ends it\n",
                plural(*checks as u64, "check", "checks"),
                plural(*files as u64, "file", "files"),
            ),
            Self::Changed { files, checks } => {
                let mut named: Vec<String> = files.iter().take(3).map(|file| file.display().to_string()).collect();
                if files.len() > 3 {
                    named.push(format!("{} more", files.len() - 3));
                }
                format!("\nchanged: {} ({})\n", named.join(", "), plural(*checks as u64, "check", "checks"))
            }
            Self::Result(result) => result.in_words(),
            Self::Gone { path } => format!("gone: {}\n", path.display()),
            Self::Problem { shown, .. } => format!("\n{shown}\n"),
            Self::Done(round) => round.in_words(),
        }
    }

    /// As one line of JSON.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn in_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self).map(|line| line + "\n")
    }
}

impl Result {
    fn in_words(&self) -> String {
        let Self { name, change, before, after, why, .. } = self;
        let before = before.as_deref().unwrap_or("new");
        let (style, line) = match change {
            Change::New | Change::Same => return String::new(),
            Change::Fixed => (GOOD, format!("{before} → {after}")),
            Change::FailsOtherwise if before == after => (DOUBTFUL, format!("{after}, otherwise than before")),
            Change::Lost | Change::NewFailure | Change::FailsOtherwise => (BAD, format!("{before} → {after}")),
        };
        let mut text = format!("{style}{line}{style:#}  {name}\n");
        for reason in why {
            let _ = writeln!(text, "    - {}", reason.replace('\n', "\n      "));
        }
        text
    }
}

impl Round {
    fn in_words(&self) -> String {
        let Self { run, lost, new_failures, fixed, waiting, failing, checks, elapsed_ms } = self;
        let mut told = Vec::new();
        let mut say = |number: usize, word: &str| {
            if number > 0 {
                told.push(format!("{number} {word}"));
            }
        };
        say(*lost, "no longer good");
        say(*new_failures, if *new_failures == 1 { "new failure" } else { "new failures" });
        say(*fixed, "fixed");
        if told.is_empty() {
            told.push("no difference".to_owned());
        }
        let all = match (failing, waiting) {
            (0, 0) => format!("{GOOD}{checks} of {checks} good{GOOD:#}"),
            (failing, 0) => format!("{BAD}{failing} of {checks} fail{BAD:#}"),
            (failing, waiting) => {
                format!("{BAD}{failing} of {checks} fail, {waiting} wait until a file is repaired{BAD:#}")
            }
        };
        format!("{run} run in {elapsed_ms} ms: {}; {all}\n", told.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(change: Change, before: Option<&str>, after: &str, why: &[&str]) -> String {
        let standing = |word: &str| Standing { word: word.to_owned(), good: false, why: Vec::new() };
        let why = why.iter().map(ToString::to_string).collect();
        let event = Event::result(
            "a",
            Path::new("a.yaml"),
            (change, before.map(standing)),
            Standing { why, ..standing(after) },
        );
        anstream::adapter::strip_str(&event.in_words()).to_string()
    }

    #[test]
    fn people_are_told_what_is_different_and_nothing_else() {
        assert_eq!(told(Change::Same, Some("held"), "held", &[]), "");
        assert_eq!(told(Change::New, None, "held", &[]), "");
        assert_eq!(told(Change::Lost, Some("held"), "BREACHED", &["x"]), "held → BREACHED  a\n    - x\n");
        assert_eq!(told(Change::Fixed, Some("BLOCKED"), "held", &[]), "BLOCKED → held  a\n");
        assert_eq!(told(Change::NewFailure, None, "BLOCKED", &[]), "new → BLOCKED  a\n");
        assert_eq!(
            told(Change::FailsOtherwise, Some("BLOCKED"), "BLOCKED", &[]),
            "BLOCKED, otherwise than before  a\n"
        );
        assert_eq!(told(Change::FailsOtherwise, Some("BLOCKED"), "BREACHED", &[]), "BLOCKED → BREACHED  a\n");
    }

    #[test]
    fn a_round_is_counted_and_summed_up() {
        let mut round = Round { checks: 7, failing: 2, ..Round::default() };
        for change in
            [Change::Lost, Change::Same, Change::NewFailure, Change::FailsOtherwise, Change::Fixed, Change::New]
        {
            round.count(change);
        }
        let words = |round: &Round| anstream::adapter::strip_str(&round.in_words()).to_string();
        let round = round.took(Duration::from_millis(12));
        assert_eq!(words(&round), "6 run in 12 ms: 1 no longer good, 2 new failures, 1 fixed; 2 of 7 fail\n");
        assert_eq!(
            words(&Round { checks: 7, run: 1, ..Round::default() }),
            "1 run in 0 ms: no difference; 7 of 7 good\n"
        );
        let waiting = Round { checks: 7, waiting: 3, ..Round::default() };
        assert!(words(&waiting).ends_with("0 of 7 fail, 3 wait until a file is repaired\n"));
    }

    #[test]
    fn machines_get_one_line_for_each_event() {
        let problem = Problem::error("yaml", Path::new("a.yaml"), "no").at("x\ny\n", 2, 1).help("write yes");
        let line = Event::problem(&problem).in_json().unwrap();
        assert_eq!(
            line,
            "{\"event\":\"problem\",\"severity\":\"error\",\"code\":\"yaml\",\"path\":\"a.yaml\",\"line\":2,\"column\":1,\"message\":\"no\",\"help\":\"write yes\"}\n"
        );
        let result = Event::result(
            "a",
            Path::new("a.yaml"),
            (Change::Lost, None),
            Standing { word: "BREACHED".to_owned(), good: false, why: vec!["x\ny".to_owned()] },
        );
        assert_eq!(
            result.in_json().unwrap(),
            "{\"event\":\"result\",\"name\":\"a\",\"path\":\"a.yaml\",\"change\":\"lost\",\"after\":\"BREACHED\",\"why\":[\"x\\ny\"]}\n"
        );
        assert_eq!(Event::Done(Round::default()).in_json().unwrap().lines().count(), 1);
    }
}

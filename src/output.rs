//! Where text goes, and with which colours.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use anstream::{AutoStream, ColorChoice};
use rogue_harness::scenario::{Problem, Severity};
use rogue_harness::verdict::ExitClass;

use crate::args::Color;

/// Standard output and error, with colours where they belong.
pub(crate) struct Output {
    out: AutoStream<io::Stdout>,
    err: AutoStream<io::Stderr>,
    /// How much of the progress line stands on the terminal.
    shown: usize,
}

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Files are wrong.
    Files(Vec<Problem>),
    /// The command makes no sense.
    Usage { message: String, remedy: String },
    /// Something that is nobody's mistake on the command line.
    Broken(String),
    /// The output cannot be written.
    Write(io::Error),
}

impl Failure {
    pub(crate) fn usage(message: String, remedy: &str) -> Self {
        Self::Usage { message, remedy: remedy.to_owned() }
    }

    /// What went wrong, as problems of `path` where it is not of another file.
    pub(crate) fn into_problems(self, path: &Path) -> Vec<Problem> {
        match self {
            Self::Files(problems) => problems,
            Self::Usage { message, remedy } => vec![Problem::error("usage", path, message).help(remedy)],
            Self::Broken(message) => vec![Problem::error("broken", path, message)],
            Self::Write(error) => vec![Problem::error("unreadable", path, error.to_string())],
        }
    }

    /// Says what went wrong, and what class of failure it is.
    pub(crate) fn report(&self, output: &mut Output) -> ExitClass {
        match self {
            Self::Files(problems) => {
                output.problems(problems);
                ExitClass::BadFile
            }
            Self::Usage { message, remedy } => {
                output.note(&format!("error: {message}\n  = help: {remedy}"));
                ExitClass::Usage
            }
            Self::Broken(message) => {
                output.note(&format!("error: {message}"));
                ExitClass::Broken
            }
            // Whoever reads has read enough, as in `rogue list | head`.
            Self::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitClass::Good,
            Self::Write(error) => {
                output.note(&format!("error: the output cannot be written: {error}"));
                ExitClass::Broken
            }
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl Output {
    pub(crate) fn new(color: Color) -> Self {
        let choice = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { out: AutoStream::new(io::stdout(), choice), err: AutoStream::new(io::stderr(), choice), shown: 0 }
    }

    /// Writes to standard output.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes())?;
        Ok(self.out.flush()?)
    }

    /// Standard output, for what is too long to be put together first.
    pub(crate) fn out(&mut self) -> &mut impl Write {
        &mut self.out
    }

    /// Writes a line to standard error. Nobody is left to tell when that fails.
    pub(crate) fn note(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}");
    }

    /// Shows problems, and how many there are.
    pub(crate) fn problems(&mut self, problems: &[Problem]) {
        for problem in problems {
            self.note(&format!("{problem}\n"));
        }
        let number = |severity| problems.iter().filter(|problem| problem.severity() == severity).count();
        let (errors, warnings) = (number(Severity::Error), number(Severity::Warning));
        let counted = |number: usize, one: &str| match number {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{number} {one}s")),
        };
        let counts: Vec<String> =
            [counted(errors, "error"), counted(warnings, "warning")].into_iter().flatten().collect();
        if !counts.is_empty() {
            self.note(&counts.join(", "));
        }
    }

    /// Replaces the progress line on the terminal.
    pub(crate) fn progress(&mut self, line: &str) {
        // Blanks instead of an escape sequence: they work on every terminal, colours or not.
        let _ = write!(self.err, "\r{:1$}\r{line}", "", self.shown);
        let _ = self.err.flush();
        self.shown = line.chars().count();
    }

    /// Whether a person watches standard error.
    pub(crate) fn is_watched() -> bool {
        io::stderr().is_terminal()
    }

    /// Columns of the terminal, or 100.
    pub(crate) fn width() -> u16 {
        terminal_size::terminal_size().map_or(100, |(terminal_size::Width(width), _)| width.max(60))
    }
}

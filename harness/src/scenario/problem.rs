//! A problem in a file that a person wrote: where it is, what it is, what to write instead.

use std::fmt;
use std::path::{Path, PathBuf};

/// How grave a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file can be run, but something in it is probably not meant.
    Warning,
    /// The file cannot be run.
    Error,
}

/// One problem, shown with its line:
///
/// ```text
/// error[tool-unknown]: `bn_neworder` is none of the 23 tools
///   --> scenarios/attacks/x.yaml:12:5
///    |
/// 12 |   - call: { tool: bn_neworder }
///    |     ^
///    = help: did you mean `bn_new_order`? Say `unknown_tool: true` if the name is meant to be unknown
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(Box<Detail>);

/// Boxed, so that a `Result` with a problem stays small.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Detail {
    severity: Severity,
    code: &'static str,
    path: PathBuf,
    line: u64,
    column: u64,
    message: String,
    help: Option<String>,
    excerpt: Option<String>,
}

impl Problem {
    /// An error somewhere in `path`.
    pub fn error(code: &'static str, path: &Path, message: impl Into<String>) -> Self {
        Self(Box::new(Detail {
            severity: Severity::Error,
            code,
            path: path.to_owned(),
            line: 0,
            column: 0,
            message: message.into(),
            help: None,
            excerpt: None,
        }))
    }

    /// The same problem with its place in `source`; line and column count from 1, 0 means unknown.
    #[must_use]
    pub fn at(mut self, source: &str, line: u64, column: u64) -> Self {
        self.0.line = line;
        self.0.column = column;
        let index = line.checked_sub(1).and_then(|line| usize::try_from(line).ok());
        self.0.excerpt = index.and_then(|index| source.lines().nth(index)).map(str::to_owned);
        self
    }

    /// The same problem with a remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// The same problem as a warning.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.0.severity = Severity::Warning;
        self
    }

    /// How grave it is.
    pub const fn severity(&self) -> Severity {
        self.0.severity
    }

    /// A short stable name of the kind of problem.
    pub const fn code(&self) -> &'static str {
        self.0.code
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Line and column, when known.
    pub const fn place(&self) -> Option<(u64, u64)> {
        if self.0.line == 0 { None } else { Some((self.0.line, self.0.column)) }
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to write instead.
    pub fn remedy(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.0.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        writeln!(f, "{severity}[{}]: {}", self.0.code, self.0.message)?;
        write!(f, "  --> {}", self.0.path.display())?;
        let gutter = self.0.line.to_string().len().max(2);
        if self.0.line > 0 {
            write!(f, ":{}:{}", self.0.line, self.0.column)?;
        }
        if let Some(excerpt) = &self.0.excerpt {
            let indent = usize::try_from(self.0.column.saturating_sub(1)).unwrap_or_default();
            // Tabs stay tabs, so that the caret stands under its character.
            let pad: String = excerpt.chars().take(indent).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            let bar = " ".repeat(gutter);
            write!(f, "\n{bar} |\n{:>gutter$} | {excerpt}\n{bar} | {pad}^", self.0.line)?;
        }
        if let Some(help) = &self.0.help {
            write!(f, "\n{} = help: {help}", " ".repeat(gutter))?;
        }
        Ok(())
    }
}

/// The nearest of `known` to `wrong`, if any is near enough to be meant.
pub(crate) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wrong.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_place_line_and_remedy() {
        let problem = Problem::error("tool-unknown", Path::new("a/b.yaml"), "`x` is none of the 23 tools")
            .at("one\ntwo: x\n", 2, 6)
            .help("write `bn_ping`");
        let shown = "error[tool-unknown]: `x` is none of the 23 tools\n  --> a/b.yaml:2:6\n   |\n 2 | two: x\n   |      ^\n   = help: write `bn_ping`";
        assert_eq!(problem.to_string(), shown);
    }

    #[test]
    fn a_problem_without_a_place_names_its_file() {
        let problem = Problem::error("read", Path::new("a.yaml"), "no such file").as_warning();
        assert_eq!(problem.to_string(), "warning[read]: no such file\n  --> a.yaml");
    }

    #[test]
    fn nearness() {
        assert_eq!(nearest("bn_neworder", ["bn_new_order", "bn_test_order"]), Some("bn_new_order"));
        assert_eq!(nearest("withdraw", ["bn_ping", "bn_new_order"]), None);
    }
}

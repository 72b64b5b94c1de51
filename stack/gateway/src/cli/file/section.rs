//! A table of the configuration file, read key by key. What nobody asks for is an error, as is what is of another kind.
//!
//! Everything that is wrong is noted with its place, so that one look at the file is enough. No value is repeated: what
//! stands in the wrong place may be a secret.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong with a file, each with its place, its key and the remedy.
#[derive(Debug)]
pub(in crate::cli) struct BadConfig(Vec<String>);

impl fmt::Display for BadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for BadConfig {}

/// The file at hand, and what was found to be wrong with it.
pub(super) struct Reader<'t> {
    path: &'t Path,
    text: &'t str,
    wrongs: RefCell<Vec<(usize, String)>>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(path: &'t Path, text: &'t str) -> Self {
        Self { path, text, wrongs: RefCell::default() }
    }

    /// The whole document; nothing if it is no TOML.
    pub(super) fn parse(&self) -> Option<Spanned<DeTable<'t>>> {
        match DeTable::parse(self.text) {
            Ok(table) => Some(table),
            Err(error) => {
                let at = error.span().unwrap_or_default();
                self.wrong(&at, "", &format!("this is no TOML: {}", error.message().replace('\n', ", ")));
                None
            }
        }
    }

    pub(super) fn wrong(&self, at: &Range<usize>, key: &str, problem: &str) {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let key = if key.is_empty() { String::new() } else { format!("`{key}`: ") };
        let told = format!("{}: line {line}, column {column}: {key}{problem}", self.path.display());
        self.wrongs.borrow_mut().push((at.start, told));
    }

    /// Whether anything was wrong.
    pub(super) fn end(self) -> Result<(), BadConfig> {
        let mut wrongs = self.wrongs.into_inner();
        wrongs.sort();
        if wrongs.is_empty() { Ok(()) } else { Err(BadConfig(wrongs.into_iter().map(|(_, told)| told).collect())) }
    }

    /// A path as it is meant: from the folder of the file.
    fn resolve(&self, told: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(told)
    }
}

/// One table, and which of its keys were asked for.
pub(super) struct Section<'r, 't> {
    reader: &'r Reader<'t>,
    /// The keys that lead here, with a dot after each.
    prefix: String,
    table: &'r DeTable<'t>,
    asked: Vec<&'static str>,
}

impl<'r, 't> Section<'r, 't> {
    pub(super) fn top(reader: &'r Reader<'t>, table: &'r DeTable<'t>) -> Self {
        Self { reader, prefix: String::new(), table, asked: Vec::new() }
    }

    /// Where the value of a key stands, if it is there.
    pub(super) fn place(&self, key: &str) -> Option<Range<usize>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value.span())
    }

    /// Notes that something is wrong with the value of a key.
    pub(super) fn wrong(&self, key: &str, problem: &str) {
        let at = self.place(key).unwrap_or_default();
        self.reader.wrong(&at, &format!("{}{key}", self.prefix), problem);
    }

    fn take<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(&'r DeValue<'t>) -> Option<T>,
    ) -> Option<T> {
        self.asked.push(key);
        let (_, value) = self.table.iter().find(|(name, _)| name.get_ref() == key)?;
        let told = read(value.get_ref());
        if told.is_none() {
            self.wrong(key, &format!("this is no {wanted}"));
        }
        told
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let read = |value: &DeValue<'_>| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        self.take(key, "text: write it in quotation marks, and not empty", read)
    }

    /// A path from the folder of the file.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let read = |value: &DeValue<'_>| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let told = self.take(key, "path: write it in quotation marks, from the folder of this file", read)?;
        Some(self.reader.resolve(&told))
    }

    /// A program, which is looked for in `PATH` if it is a bare name, and its arguments.
    pub(super) fn command(&mut self, key: &'static str) -> Option<Vec<String>> {
        let mut command = self.texts(key)?;
        match command.first_mut() {
            None => self.wrong(key, "there is no program: write `[\"PROGRAM\", \"ARGUMENT\"]`"),
            Some(program) if program.contains('/') => {
                *program = self.reader.resolve(program).to_string_lossy().into_owned();
            }
            Some(_) => {}
        }
        Some(command)
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let read = |value: &DeValue<'_>| {
            let texts = value.as_array()?.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            texts.collect::<Option<Vec<String>>>()
        };
        self.take(key, "list of texts: write `[\"ONE\", \"OTHER\"]`", read)
    }

    pub(super) fn switch(&mut self, key: &'static str) -> Option<bool> {
        self.take(key, "switch: write `true` or `false`", DeValue::as_bool)
    }

    /// A whole number of at least `least`.
    pub(super) fn number<N: TryFrom<u64>>(&mut self, key: &'static str, least: u64) -> Option<N> {
        let read = |value: &DeValue<'_>| {
            let number = value.as_integer()?;
            let number = u64::from_str_radix(number.as_str(), number.radix()).ok()?;
            N::try_from(number).ok().filter(|_| number >= least)
        };
        self.take(key, &format!("whole number of at least {least}, without quotation marks"), read)
    }

    pub(super) fn parsed<T: std::str::FromStr>(&mut self, key: &'static str, wanted: &str) -> Option<T> {
        self.take(key, wanted, |value| value.as_str()?.parse().ok())
    }

    /// One of a few words.
    pub(super) fn choice<T: ValueEnum>(&mut self, key: &'static str) -> Option<T> {
        let words = T::value_variants().iter().filter_map(T::to_possible_value);
        let words: Vec<String> = words.map(|word| format!("`\"{}\"`", word.get_name())).collect();
        let wanted = format!("word that is known here: write {}", words.join(" or "));
        self.take(key, &wanted, |value| T::from_str(value.as_str()?, false).ok())
    }

    /// A table in this one.
    pub(super) fn section(&mut self, key: &'static str) -> Option<Section<'r, 't>> {
        let table = self.take(key, "table: write it as `[TABLE]` on a line of its own", DeValue::as_table)?;
        Some(Section { reader: self.reader, prefix: format!("{}{key}.", self.prefix), table, asked: Vec::new() })
    }

    /// The tables in a table, each under a name of the writer's choice that is fit for an address.
    pub(super) fn named(&mut self, key: &'static str) -> Vec<(String, Section<'r, 't>)> {
        let Some(Section { reader, prefix, table, .. }) = self.section(key) else { return Vec::new() };
        let mut named = Vec::new();
        for (name, value) in table {
            let name_told = name.get_ref();
            let path = format!("{prefix}{}", name_told.escape_debug());
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            if name_told.is_empty() || name_told.len() > 64 || !name_told.bytes().all(plain) {
                reader.wrong(&name.span(), &path, "this is no name: use 1 to 64 letters, digits, `.`, `_` and `-`");
            } else if let Some(table) = value.get_ref().as_table() {
                let section = Section { reader, prefix: format!("{path}."), table, asked: Vec::new() };
                named.push((name_told.clone().into_owned(), section));
            } else {
                reader.wrong(&value.span(), &path, &format!("this is no table: write `[{path}]` on a line of its own"));
            }
        }
        named
    }

    /// Notes every key that was not asked for.
    pub(super) fn end(self) {
        for (name, _) in self.table {
            let key = name.get_ref().as_ref();
            if self.asked.contains(&key) {
                continue;
            }
            let secret = ["token", "password", "secret", "key", "bearer", "authorization"];
            let lower = key.to_ascii_lowercase();
            let remedy = if secret.iter().any(|word| lower.contains(word)) && !lower.ends_with("_file") {
                let files = self.asked.iter().filter(|known| known.ends_with("_file"));
                let files: Vec<String> = files.map(|known| format!("`{known}`")).collect();
                match files.join(" or ") {
                    none if none.is_empty() => "no secret stands in this file".to_owned(),
                    files => format!(
                        "no secret stands in this file: put it into a file of its own, and name that with {files}"
                    ),
                }
            } else {
                match nearest(key, &self.asked) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("there are {}", list(&self.asked)),
                }
            };
            let path = format!("{}{}", self.prefix, key.escape_debug());
            self.reader.wrong(&name.span(), &path, &format!("unknown key; {remedy}"));
        }
    }
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The known key that was probably meant.
fn nearest<'k>(text: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().map(|word| (strsim::osa_distance(&text.to_ascii_lowercase(), word), *word));
    near.filter(|(distance, word)| *distance <= 1.max(word.len() / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

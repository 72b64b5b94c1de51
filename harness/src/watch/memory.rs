//! What every check last came to, and with which files: what is due, and what is different.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::made::Made;

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// In a word: `held`, `BREACHED`.
    pub word: String,
    /// Whether that is what one hopes for.
    pub good: bool,
    /// Why not, a line for each reason.
    pub why: Vec<String>,
}

/// How what a check came to differs from the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was good, and is not any more.
    Lost,
    /// It was not good, and is.
    Fixed,
    /// It fails, and there was no last time.
    NewFailure,
    /// It failed already, and now otherwise.
    FailsOtherwise,
    /// It is good, and there was no last time.
    New,
    /// There is no difference.
    Same,
}

/// What has to be done after a look at the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The checks that are to be run, by their files.
    pub run: Vec<PathBuf>,
    /// The checks that are there no more.
    pub gone: Vec<PathBuf>,
    /// The files that changed.
    pub files: BTreeSet<PathBuf>,
}

/// What every check last came to.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    checks: BTreeMap<PathBuf, Known>,
    /// The checks that are due and were never run: that they are there is no change any more.
    begun: BTreeSet<PathBuf>,
}

#[derive(Clone, Debug)]
struct Known {
    made: Made,
    standing: Standing,
    /// Whether it was there at the last look. What comes back is held against what it was.
    is_here: bool,
}

impl Memory {
    /// What is due, given every check that is there. One that nothing is known of but its file waits until another file is
    /// repaired, and is not due.
    pub fn see<'a>(&mut self, seen: impl IntoIterator<Item = (&'a Path, Option<&'a Made>)>) -> Due {
        let mut due = Due::default();
        let mut here = BTreeSet::new();
        for (check, made) in seen {
            here.insert(check);
            let known = self.checks.get_mut(check);
            let Some(made) = made else {
                if let Some(known) = known {
                    known.is_here = true;
                }
                continue;
            };
            match known {
                Some(known) if known.made == *made => known.is_here = true,
                Some(known) => {
                    known.is_here = true;
                    due.files.extend(made.changed_since(&known.made));
                    due.run.push(check.to_owned());
                }
                None => {
                    if self.begun.insert(check.to_owned()) {
                        due.files.insert(check.to_owned());
                    }
                    due.run.push(check.to_owned());
                }
            }
        }
        for (check, known) in &mut self.checks {
            if known.is_here && !here.contains(check.as_path()) {
                known.is_here = false;
                due.files.insert(check.clone());
                due.gone.push(check.clone());
            }
        }
        due
    }

    /// Takes down what a check came to. What it came to before is told too.
    pub fn take(&mut self, check: &Path, made: Made, standing: &Standing) -> (Change, Option<Standing>) {
        let known = Known { made, standing: standing.clone(), is_here: true };
        let before = self.checks.insert(check.to_owned(), known).map(|known| known.standing);
        let change = match &before {
            None if standing.good => Change::New,
            None => Change::NewFailure,
            Some(before) => match (before.good, standing.good) {
                (true, false) => Change::Lost,
                (false, true) => Change::Fixed,
                (false, false) if before != standing => Change::FailsOtherwise,
                (true, true) | (false, false) => Change::Same,
            },
        };
        (change, before)
    }

    /// How many of the checks that are there came to nothing good.
    pub fn failing(&self) -> usize {
        self.checks.values().filter(|known| known.is_here && !known.standing.good).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A check, by the files that it is made of: `one: a=1 b=2`. Without files, one that waits.
    fn seen(table: &[&str]) -> Vec<(PathBuf, Option<Made>)> {
        let row = |row: &&str| {
            let (check, files) = row.split_once(':').unwrap_or((row, ""));
            let mut made = Made::default();
            for file in files.split_whitespace() {
                let (file, content) = file.split_once('=').unwrap();
                made.add(file, Some(content.as_bytes()));
            }
            (PathBuf::from(check), (!files.is_empty()).then_some(made))
        };
        table.iter().map(row).collect()
    }

    fn standing(word: &str) -> Standing {
        let good = word == "held";
        Standing { word: word.to_owned(), good, why: Vec::new() }
    }

    /// What is due, as `one two -three / a b`: to be run, gone, the files that changed.
    fn due(memory: &mut Memory, table: &[&str]) -> String {
        let seen = seen(table);
        let due = memory.see(seen.iter().map(|(check, made)| (check.as_path(), made.as_ref())));
        let names = |paths: &mut dyn Iterator<Item = &PathBuf>, before: &str| -> Vec<String> {
            paths.map(|path| format!("{before}{}", path.display())).collect()
        };
        let checks = [names(&mut due.run.iter(), ""), names(&mut due.gone.iter(), "-")].concat();
        format!("{} / {}", checks.join(" "), names(&mut due.files.iter(), "").join(" "))
    }

    /// The same, and everything that is due is run and holds.
    fn run(memory: &mut Memory, table: &[&str]) -> String {
        let told = due(memory, table);
        for (check, made) in seen(table) {
            if let Some(made) =
                made.filter(|_| told.split(" / ").next().unwrap().split(' ').any(|one| check == Path::new(one)))
            {
                memory.take(&check, made, &standing("held"));
            }
        }
        told
    }

    #[test]
    fn what_is_due_is_what_a_changed_file_touches() {
        let mut memory = Memory::default();
        let first = ["one: one=1 p=1 part=1", "two: two=1 p=1 part=1", "three: three=1 q=1"];
        assert_eq!(run(&mut memory, &first), "one two three / one three two");
        assert_eq!(run(&mut memory, &first), " / ", "nothing changed");
        // A scenario: itself alone. A policy: those that use it. A part: those whose policy includes it.
        assert_eq!(run(&mut memory, &["one: one=2 p=1 part=1", first[1], first[2]]), "one / one");
        assert_eq!(run(&mut memory, &["one: one=2 p=2 part=1", "two: two=1 p=2 part=1", first[2]]), "one two / p");
        assert_eq!(run(&mut memory, &["one: one=2 p=2 part=2", "two: two=1 p=2 part=2", first[2]]), "one two / part");
        // Another policy in its place, and an include that is taken out.
        assert_eq!(run(&mut memory, &["one: one=3 q=1", "two: two=1 p=3", first[2]]), "one two / one p part q");
    }

    #[test]
    fn what_is_not_run_stays_due() {
        let mut memory = Memory::default();
        assert_eq!(due(&mut memory, &["one: one=1"]), "one / one");
        assert_eq!(run(&mut memory, &["one: one=1"]), "one / ", "it came before");
        assert_eq!(due(&mut memory, &["one: one=2"]), "one / one");
        assert_eq!(due(&mut memory, &["one: one=2"]), "one / one");
        assert_eq!(due(&mut memory, &["one: one=1"]), " / ", "it is again as it was when it was run");
    }

    #[test]
    fn what_waits_for_a_repair_is_neither_due_nor_gone() {
        let mut memory = Memory::default();
        run(&mut memory, &["one: one=1 p=1", "two: two=1"]);
        assert_eq!(due(&mut memory, &["one", "two: two=1"]), " / ");
        assert_eq!(due(&mut memory, &["one: one=1 p=1", "two: two=1"]), " / ", "repaired as it was");
        assert_eq!(due(&mut memory, &["one", "two: two=1"]), " / ");
        assert_eq!(due(&mut memory, &["one: one=1 p=2", "two: two=1"]), "one / p");
        assert_eq!(due(&mut memory, &["two: two=1", "three"]), "-one / one");
    }

    #[test]
    fn what_comes_back_is_held_against_what_it_was() {
        let mut memory = Memory::default();
        run(&mut memory, &["one: one=1", "two: two=1"]);
        assert_eq!(due(&mut memory, &["two: two=1"]), "-one / one");
        assert_eq!(due(&mut memory, &["two: two=1"]), " / ", "it is told once");
        assert_eq!(due(&mut memory, &["one: one=1", "two: two=1"]), " / ");
        assert_eq!(due(&mut memory, &["one: one=2", "two: two=1"]), "one / one");
        let (change, before) = memory.take(Path::new("one"), Made::default(), &standing("BREACHED"));
        assert_eq!((change, before), (Change::Lost, Some(standing("held"))));
    }

    #[test]
    fn a_difference_is_told_against_the_last_time() {
        let mut memory = Memory::default();
        let mut takes = |check: &str, word: &str| memory.take(Path::new(check), Made::default(), &standing(word)).0;
        assert_eq!(takes("one", "held"), Change::New);
        assert_eq!(takes("one", "held"), Change::Same);
        assert_eq!(takes("one", "BREACHED"), Change::Lost);
        assert_eq!(takes("one", "BREACHED"), Change::Same);
        assert_eq!(takes("one", "BLOCKED"), Change::FailsOtherwise);
        assert_eq!(takes("one", "held"), Change::Fixed);
        assert_eq!(takes("two", "BROKEN"), Change::NewFailure);
        assert_eq!(memory.failing(), 1);
        // What is gone fails no more.
        drop(memory.see([(Path::new("one"), None)]));
        assert_eq!(memory.failing(), 0);
    }

    #[test]
    fn another_reason_is_a_difference() {
        let mut memory = Memory::default();
        let failing = |why: &str| Standing { why: vec![why.to_owned()], ..standing("BREACHED") };
        let mut takes = |standing: Standing| memory.take(Path::new("one"), Made::default(), &standing).0;
        assert_eq!(takes(failing("two orders")), Change::NewFailure);
        assert_eq!(takes(failing("two orders")), Change::Same);
        assert_eq!(takes(failing("three orders")), Change::FailsOtherwise);
    }
}

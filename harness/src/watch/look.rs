//! A look at the files: every check that is there, and what it is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::made::Made;
use super::subject::Subject;
use crate::mutate::read_equivalents;
use crate::policy;
use crate::scenario::{Case, PolicyFile, Problem, Severity, check_policy, discover, load};

/// What all scenarios are run under, beside their own files.
#[derive(Clone, Debug, Default)]
pub struct Under {
    /// The files.
    pub made: Made,
    /// The policy in place of their own.
    pub policy: Option<PolicyFile>,
    /// What is wrong with them. Then no scenario is run until that is repaired.
    pub problems: Vec<Problem>,
}

/// What there is.
#[derive(Debug, Default)]
pub struct View {
    /// Every check, by its file.
    pub found: BTreeMap<PathBuf, Found>,
    /// What is wrong or doubtful, each once.
    pub problems: Vec<Problem>,
    /// Where something may change.
    pub folders: BTreeSet<Folder>,
}

/// A folder that is to be watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// Whether folders in it belong to it.
    pub deep: bool,
}

/// A check.
#[derive(Debug)]
pub struct Found {
    /// Its name: the id of a scenario, and of everything else the file.
    pub name: String,
    /// What is run, and the files that it is made of; nothing as long as one of them is wrong.
    pub runs: Option<(Subject, Made)>,
}

impl View {
    /// The checks as [`Memory::see`](super::Memory::see) wants them.
    pub fn checks(&self) -> impl Iterator<Item = (&Path, Option<&Made>)> {
        self.found.iter().map(|(path, found)| (path.as_path(), found.runs.as_ref().map(|(_, made)| made)))
    }

    /// The checks that wait until something is repaired.
    pub fn waiting(&self) -> usize {
        self.found.values().filter(|found| found.runs.is_none()).count()
    }

    /// How many files all of it is made of.
    pub fn files(&self) -> usize {
        let made = self.found.values().filter_map(|found| found.runs.as_ref());
        made.flat_map(|(_, made)| made.files()).collect::<BTreeSet<_>>().len()
    }

    fn tell(&mut self, problems: Vec<Problem>) {
        for problem in problems {
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }

    fn watch(&mut self, path: &Path, deep: bool) {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        self.folders.insert(Folder { path: path.to_owned(), deep });
    }
}

/// Looks at the scenarios that `paths` name, of which `wanted`, if there is one, chooses; without, also at what stands beside policies, where scenarios look
/// for theirs: tests (`NAME.tests.yaml`) and reasons (`NAME.equivalent.yaml`).
pub fn look(paths: &[PathBuf], wanted: Option<&dyn Fn(&Case) -> bool>, under: &Under) -> View {
    let mut view = View::default();
    view.tell(under.problems.clone());
    let sound = under.problems.iter().all(|problem| problem.severity() != Severity::Error);
    let mut ids: BTreeMap<String, PathBuf> = BTreeMap::new();
    let files = files(paths, &mut view);
    let folders = policy_folders(&files);
    for file in files {
        let name = file.display().to_string();
        match load(&file) {
            Ok((case, warnings)) => {
                let id = case.scenario.id.to_string();
                if let Some(other) = ids.insert(id.clone(), file.clone()) {
                    view.tell(vec![
                        Problem::error("id-twice", &file, format!("the id `{id}` is taken"))
                            .help(format!("`{}` has it already; ids are unique in a run", other.display())),
                    ]);
                    view.found.insert(file, Found { name, runs: None });
                    continue;
                }
                if wanted.is_some_and(|wanted| !wanted(&case)) {
                    continue;
                }
                view.tell(warnings);
                let made = made_of(&case, &file, under);
                let runs = sound.then(|| (Subject::Scenario(Box::new(case)), made));
                view.found.insert(file, Found { name: id, runs });
            }
            // Whether it would be wanted nobody knows.
            Err(problems) => {
                view.tell(problems);
                view.found.insert(file, Found { name, runs: None });
            }
        }
    }
    let own = under.policy.as_ref().map(|policy| policy.path.clone());
    let policies: BTreeSet<PathBuf> = folders.iter().flat_map(|folder| policies(folder)).chain(own).collect();
    for policy in policies.iter().filter(|_| wanted.is_none()) {
        beside(policy, &mut view);
    }
    for folder in &folders {
        view.watch(folder, false);
    }
    let parents: BTreeSet<PathBuf> = view
        .found
        .values()
        .filter_map(|found| found.runs.as_ref())
        .flat_map(|(_, made)| made.files())
        .chain(under.made.files())
        .chain(view.problems.iter().map(Problem::path))
        .filter_map(|file| file.parent().map(Path::to_owned))
        .collect();
    for parent in parents {
        view.watch(&parent, false);
    }
    view
}

/// The scenario files. Where they come from is watched, and where they would look for a policy.
fn files(paths: &[PathBuf], view: &mut View) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    for path in paths {
        view.watch(path.parent().unwrap_or(path), false);
        if path.is_dir() {
            view.watch(path, true);
        }
        match discover(std::slice::from_ref(path)) {
            Ok(found) => files.extend(found),
            Err(problems) => view.tell(problems),
        }
    }
    files
}

/// Where scenarios look for their policies.
fn policy_folders(files: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let above = files.iter().flat_map(|file| file.ancestors().skip(1)).map(|folder| folder.join("policies"));
    above.filter(|folder| folder.is_dir()).collect()
}

/// The policies in a folder, and what else ends as they do.
fn policies(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let ends = |path: &PathBuf| path.extension().is_some_and(|end| end == "json" || end == "yaml" || end == "yml");
    entries.filter(ends).collect()
}

fn made_of(case: &Case, file: &Path, under: &Under) -> Made {
    let mut made = under.made.clone();
    made.add(file, fs::read(file).ok().as_deref());
    // A policy in place of its own: its own then changes nothing.
    let own = under.policy.is_none().then_some(&case.policy);
    for policy in own.into_iter().chain(case.reloads.values()).chain(case.grants.values()) {
        add_policy(&mut made, policy);
    }
    made
}

fn add_policy(made: &mut Made, policy: &PolicyFile) {
    for (file, text) in policy.files() {
        made.add(file, text.map(str::as_bytes));
    }
}

/// The tests and the reasons beside a policy. They wait as long as it is wrong.
fn beside(policy: &Path, view: &mut View) {
    for end in ["tests.yaml", "equivalent.yaml"] {
        let file = policy.with_extension(end);
        if !file.is_file() {
            continue;
        }
        let read = if end == "tests.yaml" { tests(&file) } else { reasons(&file, policy) };
        let runs = read.map_err(|problems| view.tell(problems)).ok();
        view.found.insert(file.clone(), Found { name: file.display().to_string(), runs });
    }
}

type Read = Result<(Subject, Made), Vec<Problem>>;

fn tests(file: &Path) -> Read {
    // They may be about another policy than their name says.
    let policy = policy::policy_of_tests(file).map_err(|problem| vec![problem])?;
    let (_, made) = beside_sound(file, &policy)?;
    Ok((Subject::Tests(file.to_owned()), made))
}

fn reasons(file: &Path, policy: &Path) -> Read {
    let source = fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    read_equivalents(file, &source)?;
    let (policy, made) = beside_sound(file, policy)?;
    Ok((Subject::Reasons { path: file.to_owned(), policy: Box::new(policy) }, made))
}

/// A policy that is sound, and what a file about it is made of.
fn beside_sound(file: &Path, policy: &Path) -> Result<(PolicyFile, Made), Vec<Problem>> {
    let policy = PolicyFile::read(policy).map_err(|error| unreadable(policy, &error))?;
    let problems = check_policy(&policy);
    if problems.iter().any(|problem| problem.severity() == Severity::Error) {
        return Err(problems);
    }
    let mut made = Made::default();
    made.add(file, fs::read(file).ok().as_deref());
    add_policy(&mut made, &policy);
    Ok((policy, made))
}

fn unreadable(path: &Path, error: &io::Error) -> Vec<Problem> {
    vec![Problem::error("unreadable", path, error.to_string())]
}

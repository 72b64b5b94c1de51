//! Which scenario notices which weakening.
//!
//! A control run does not depend on the policy, so it is made once, with the baseline. Of a weakening only protected
//! runs, and then twins and workflows, are made, in this order, until one fails that did not fail before:
//!
//! 1. attacks that the policy is the own policy of, and that speak of a tool that the rule is about;
//! 2. the other attacks of the policy;
//! 3. attacks that were written for another policy;
//! 4. twins and workflows, in the same order.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::{fs, io, thread};

use super::change::{Change, Kind};
use super::document::Document;
use super::equivalent::Equivalent;
use super::names::without_names;
use super::skeleton::skeleton;
use crate::run::{RunOptions, run_alone, run_scenario, runtime};
use crate::scenario::{Case, Kind as CaseKind, PolicyFile};
use crate::verdict::{Role, RunResult, Verdict};

/// The scenarios that can tell something about a policy.
#[derive(Debug)]
pub struct Baseline {
    policy: PolicyFile,
    usable: Vec<Usable>,
    /// Those that cannot, and why.
    pub left_out: Vec<(String, String)>,
}

#[derive(Debug)]
struct Usable {
    case: Case,
    /// Whether it was written for this policy.
    own: bool,
    /// What its steps say, to find the names of tools in.
    says: String,
    /// Which of its runs are clean under the policy as it is.
    clean: BTreeSet<Role>,
    /// Whether its attack does no harm under the policy as it is.
    unharmed: bool,
}

/// What became of a weakening.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// A scenario notices it.
    Killed {
        /// The scenario's id.
        by: String,
        /// Which of its runs.
        role: Role,
        /// What was not as it is under the policy.
        what: String,
    },
    /// No scenario notices it.
    Survived {
        /// A scenario to begin with, as YAML.
        skeleton: String,
    },
    /// No scenario notices it, for a reason.
    Reasoned(String),
    /// The gateway refuses the weakened document, so that nobody can have it by mistake.
    Refused(String),
    /// It was not asked about: what is missed, or reasoned, holds it.
    Covered {
        /// The place of that.
        pointer: String,
        /// Its kind.
        kind: Kind,
    },
}

/// A weakening and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The weakening.
    pub change: Change,
    /// What became of it.
    pub fate: Fate,
}

/// All weakenings of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Mutation {
    /// The policy's file.
    pub policy: PathBuf,
    /// Each with its fate, in the order of the document.
    pub judged: Vec<Judged>,
    /// Reasons that are none any more: their place in the list, and why.
    pub stale: Vec<(usize, String)>,
    /// How many scenarios could have noticed something.
    pub scenarios: usize,
}

impl Baseline {
    /// How many scenarios can tell something.
    pub fn len(&self) -> usize {
        self.usable.len()
    }

    /// Whether none can.
    pub fn is_empty(&self) -> bool {
        self.usable.is_empty()
    }
}

/// Runs every scenario under the policy as it is, with its control, and keeps those that can notice a weakening.
///
/// # Errors
/// The system gives no runtime.
pub fn baseline(cases: &[Case], policy: &PolicyFile, mut progress: impl FnMut(&str)) -> io::Result<Baseline> {
    let options = RunOptions { policy: Some(policy.clone()), ..RunOptions::default() };
    let place = canonical(&policy.path);
    let mut found = Baseline { policy: policy.clone(), usable: Vec::new(), left_out: Vec::new() };
    for case in cases {
        progress(&case.scenario.id);
        let own = canonical(&case.policy.path) == place;
        let case = without_names(case);
        let result = runtime()?.block_on(run_scenario(&case, &options));
        let clean: BTreeSet<Role> = result.runs.iter().filter(|run| run.is_clean()).map(|run| run.role).collect();
        let protected = result.run(Role::Protected);
        let unharmed = protected.is_some_and(|run| !run.harmed && run.error.is_none() && run.untestable.is_none());
        let why = match (&result.verdict, case.scenario.kind) {
            (Verdict::Broken(why) | Verdict::Untestable(why), _) => Some(why.clone()),
            (_, CaseKind::Attack) if !unharmed => Some("it does its harm under the policy as it is".to_owned()),
            (_, CaseKind::Workflow | CaseKind::Session) if !result.verdict.is_good() => {
                Some("it does not pass under the policy as it is".to_owned())
            }
            _ => None,
        };
        if let Some(why) = why {
            found.left_out.push((case.scenario.id.to_string(), why));
            continue;
        }
        let says = serde_json::to_string(&case.scenario).unwrap_or_default();
        found.usable.push(Usable { case, own, says, clean, unharmed });
    }
    Ok(found)
}

fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Makes every weakening and asks the scenarios, until one notices it. `progress` hears how many are done.
///
/// # Errors
/// The system gives no runtime.
pub fn hunt(
    baseline: &Baseline,
    document: &Document,
    changes: &[Change],
    equivalents: &[Equivalent],
    mut progress: impl FnMut(usize),
) -> io::Result<Mutation> {
    let groups = groups(changes);
    let next = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from).min(groups.len().max(1));
    let (told, heard) = mpsc::channel();
    let mut results: Vec<Option<io::Result<Vec<Judged>>>> = groups.iter().map(|_| None).collect();
    thread::scope(|scope| {
        for _ in 0..workers {
            let (told, next, groups) = (told.clone(), &next, &groups);
            scope.spawn(move || {
                while let Some((at, group)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, groups.get(at)?)))
                {
                    let judged = judge_group(baseline, document, group, equivalents);
                    if told.send((at, judged)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(told);
        let mut done = 0;
        for (at, judged) in heard {
            done += groups.get(at).map_or(0, Vec::len);
            progress(done);
            if let Some(place) = results.get_mut(at) {
                *place = Some(judged);
            }
        }
    });
    let mut judged = Vec::new();
    for result in results {
        judged.extend(result.unwrap_or_else(|| Err(io::Error::other("a worker ended early")))?);
    }
    let stale = stale(&judged, equivalents);
    Ok(Mutation { policy: baseline.policy.path.clone(), judged, stale, scenarios: baseline.usable.len() })
}

/// Changes that may cover each other stand together; groups do not depend on one another.
fn groups(changes: &[Change]) -> Vec<Vec<&Change>> {
    let mut groups: Vec<Vec<&Change>> = Vec::new();
    for change in changes {
        let joins = groups.last().and_then(|group| group.first()).is_some_and(|head| {
            head.pointer == change.pointer || change.pointer.starts_with(&format!("{}/", head.pointer))
        });
        match groups.last_mut().filter(|_| joins) {
            Some(group) => group.push(change),
            None => groups.push(vec![change]),
        }
    }
    groups
}

fn judge_group(
    baseline: &Baseline,
    document: &Document,
    group: &[&Change],
    equivalents: &[Equivalent],
) -> io::Result<Vec<Judged>> {
    let mut judged: Vec<Judged> = Vec::new();
    // What noticed the last one will often notice the next.
    let mut last: Option<String> = None;
    for change in group {
        let missed = |judged: &&Judged| {
            matches!(judged.fate, Fate::Survived { .. } | Fate::Reasoned(_)) && judged.change.covers(change)
        };
        let fate = if let Some(cover) = judged.iter().find(missed) {
            Fate::Covered { pointer: cover.change.pointer.clone(), kind: cover.change.kind }
        } else {
            let fate = judge(baseline, document, change, last.as_deref())?;
            let reason = equivalents.iter().find(|entry| entry.is_about(change));
            match (fate, reason) {
                (Fate::Survived { .. }, Some(entry)) => Fate::Reasoned(entry.reason.trim().to_owned()),
                (fate, _) => fate,
            }
        };
        if let Fate::Killed { by, .. } = &fate {
            last = Some(by.clone());
        }
        judged.push(Judged { change: (*change).clone(), fate });
    }
    Ok(judged)
}

fn judge(baseline: &Baseline, document: &Document, change: &Change, first: Option<&str>) -> io::Result<Fate> {
    let Some(policy) = document.changed(&baseline.policy, change) else {
        return Ok(Fate::Refused("the place is not in the document".to_owned()));
    };
    if let Err(errors) = policy.document().parse() {
        return Ok(Fate::Refused(errors.to_string()));
    }
    let options = RunOptions { policy: Some(policy.clone()), ..RunOptions::default() };
    let own_path = canonical(&baseline.policy.path);
    let mut order: Vec<(&Usable, Role)> = Vec::new();
    for roles in [&[Role::Protected] as &[Role], &[Role::Twin, Role::Workflow, Role::Session]] {
        let mut of_roles: Vec<(&Usable, Role)> = baseline
            .usable
            .iter()
            .flat_map(|usable| roles.iter().map(move |role| (usable, *role)))
            .filter(|(usable, role)| usable.clean.contains(role) || (*role == Role::Protected && usable.unharmed))
            .collect();
        of_roles.sort_by_key(|(usable, _)| {
            let is_first = first == Some(usable.case.scenario.id.as_str());
            (!is_first, !usable.own, !usable.speaks_of(&change.tools))
        });
        order.extend(of_roles);
    }
    for (usable, role) in order {
        let mut case = usable.case.clone();
        let others = case.reloads.values_mut().chain(case.grants.values_mut());
        for other in others.filter(|other| canonical(&other.path) == own_path) {
            *other = policy.clone();
        }
        let run = runtime()?.block_on(run_alone(&case, &options, role)).map_err(io::Error::other)?;
        if let Some(what) = run.and_then(|run| noticed(&run, usable.clean.contains(&role))) {
            return Ok(Fate::Killed { by: case.scenario.id.to_string(), role, what });
        }
    }
    Ok(Fate::Survived { skeleton: skeleton(&baseline.policy.path, document, change) })
}

/// What a run shows that it does not show under the policy as it is.
fn noticed(run: &RunResult, was_clean: bool) -> Option<String> {
    if run.harmed {
        return Some("it does its harm".to_owned());
    }
    // Of what was written for another policy only the harm counts.
    if !was_clean {
        return None;
    }
    run.failures.first().cloned().or_else(|| run.error.clone())
}

impl Usable {
    fn speaks_of(&self, tools: &[String]) -> bool {
        tools.is_empty() || tools.iter().any(|tool| self.says.contains(tool.trim_end_matches('*')))
    }
}

fn stale(judged: &[Judged], equivalents: &[Equivalent]) -> Vec<(usize, String)> {
    let why = |entry: &Equivalent| match judged.iter().find(|judged| entry.is_about(&judged.change)) {
        None => Some("the policy has no such rule, or it is not weakened in this way".to_owned()),
        Some(Judged { fate: Fate::Reasoned(_), .. }) => None,
        Some(Judged { fate: Fate::Killed { by, .. }, .. }) => Some(format!("`{by}` notices it")),
        Some(Judged { fate: Fate::Refused(_), .. }) => Some("the gateway refuses such a document anyhow".to_owned()),
        Some(Judged { fate: Fate::Covered { pointer, kind }, .. }) => {
            Some(format!("`{pointer}` as `{kind}` is not noticed either, and says it already"))
        }
        Some(Judged { fate: Fate::Survived { .. }, .. }) => Some("it was not taken into account".to_owned()),
    };
    equivalents.iter().enumerate().filter_map(|(at, entry)| Some((at, why(entry)?))).collect()
}

impl Mutation {
    /// How many had this fate.
    pub fn count(&self, of: impl Fn(&Fate) -> bool) -> usize {
        self.judged.iter().filter(|judged| of(&judged.fate)).count()
    }

    /// How many no scenario notices, without a reason.
    pub fn survivors(&self) -> usize {
        self.count(|fate| matches!(fate, Fate::Survived { .. }))
    }
}

//! What a target is known not to do: a strict list, with reasons.
//!
//! ```yaml
//! - verdict: breached
//!   because: It compares texts and has no numbers.
//!   scenarios: [ra-01-fat-finger, ra-02-notional-bomb]
//! ```
//!
//! A failure that is not on the list is an error, and so is an entry that is a failure no more: a list that is merely
//! long enough would hide both. What is untestable needs no entry, for it follows from what the target says of itself,
//! and is no pass either.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::scenario::{Located, Problem, from_yaml, schema_of};
use crate::verdict::{ExitClass, SuiteResult, Verdict};

/// A list that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    path: PathBuf,
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    verdict: Failing,
    line: u64,
}

/// Scenarios that fail in the same way for the same reason.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Group {
    /// What they come to.
    verdict: Failing,
    /// What the target lacks.
    #[schemars(length(min = 1))]
    because: Located<String>,
    /// The ids of the scenarios; each stands in one entry of the list.
    scenarios: Vec<Located<String>>,
}

/// The JSON Schema of a list, as it is kept in `scenarios/schema/baseline.v1.json`.
pub fn json_schema() -> Value {
    schema_of::<Vec<Group>>("baseline.v1.json", "Known failures of a target, version 1")
}

/// The verdicts that a list may expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Failing {
    /// An attack is not stopped.
    Breached,
    /// Honest work is kept from passing.
    Blocked,
    /// The scenario cannot be carried out.
    Broken,
}

impl Failing {
    const fn word(self) -> &'static str {
        match self {
            Self::Breached => "breached",
            Self::Blocked => "blocked",
            Self::Broken => "broken",
        }
    }

    const fn of(verdict: &Verdict) -> Option<Self> {
        match verdict {
            Verdict::Breached => Some(Self::Breached),
            Verdict::Blocked => Some(Self::Blocked),
            Verdict::Broken(_) => Some(Self::Broken),
            Verdict::Held | Verdict::Passed | Verdict::Untestable(_) => None,
        }
    }
}

/// Where a suite and a list do not agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Departures {
    /// One line each: failures that are not listed.
    pub unlisted: Vec<String>,
    /// One line each: entries that are not so any more.
    pub stale: Vec<String>,
    /// How many failures are as listed.
    pub as_listed: usize,
    class: Option<ExitClass>,
}

impl Departures {
    /// The exit class in the place of the suite's own: what is as listed does not count, and what is merely untestable
    /// is no news.
    pub fn exit_class(&self) -> ExitClass {
        let stale = (!self.stale.is_empty()).then_some(ExitClass::Broken);
        self.class.max(stale).unwrap_or(ExitClass::Good)
    }
}

impl Baseline {
    /// Reads a list.
    ///
    /// # Errors
    /// The file cannot be read, is no list, gives no reason, or names a scenario twice.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let source =
            std::fs::read_to_string(path).map_err(|error| Problem::error("unreadable", path, error.to_string()))?;
        Self::parse(path, &source)
    }

    /// Reads the text of a list; `path` is only named in problems.
    ///
    /// # Errors
    /// As for [`Baseline::read`].
    pub fn parse(path: &Path, source: &str) -> Result<Self, Problem> {
        let groups: Vec<Group> = from_yaml(path, source)?;
        let mut entries = BTreeMap::new();
        for group in groups {
            if group.because.value.trim().is_empty() {
                return Err(Problem::error("no-reason", path, "a known failure needs a reason")
                    .at(source, group.because.line, group.because.column)
                    .help("say in `because` what the target lacks"));
            }
            for id in group.scenarios {
                let entry = Entry { verdict: group.verdict, line: id.line };
                if entries.insert(id.value.clone(), entry).is_some() {
                    return Err(Problem::error("listed-twice", path, format!("`{}` is listed twice", id.value))
                        .at(source, id.line, id.column)
                        .help("a scenario comes to one verdict: keep one of the entries"));
                }
            }
        }
        Ok(Self { path: path.to_owned(), entries })
    }

    /// The scenarios that are listed, each with the word for what it is expected to come to.
    pub fn entries(&self) -> BTreeMap<&str, &'static str> {
        self.entries.iter().map(|(id, entry)| (id.as_str(), entry.verdict.word())).collect()
    }

    /// Holds a suite against the list. With `whole`, an entry whose scenario was not run is stale; without it, a part of
    /// the suite was chosen, and only that part of the list counts.
    pub fn departures(&self, suite: &SuiteResult, whole: bool) -> Departures {
        let mut departures = Departures::default();
        let mut run = BTreeSet::new();
        for scenario in &suite.scenarios {
            let id = scenario.id.as_str();
            run.insert(id);
            match (Failing::of(&scenario.verdict), self.entries.get(id)) {
                (None, None) => {}
                (Some(seen), Some(entry)) if seen == entry.verdict => departures.as_listed += 1,
                (Some(seen), entry) => {
                    let listed = entry.map_or_else(
                        || format!("is not in {}", self.path.display()),
                        |entry| format!("is listed as {} at {}", entry.verdict.word(), self.place(entry)),
                    );
                    departures.unlisted.push(format!("{id} is {}, and {listed}", seen.word()));
                    departures.class = departures.class.max(Some(ExitClass::of([&scenario.verdict])));
                }
                (None, Some(entry)) => departures.stale.push(format!(
                    "{id} is {}, and is listed as {} at {}: take the entry out",
                    scenario.verdict.word(),
                    entry.verdict.word(),
                    self.place(entry)
                )),
            }
        }
        for (id, entry) in self.entries.iter().filter(|(id, _)| whole && !run.contains(id.as_str())) {
            departures.stale.push(format!("{id} is listed at {}, and there is no such scenario", self.place(entry)));
        }
        departures
    }

    fn place(&self, entry: &Entry) -> String {
        format!("{}:{}", self.path.display(), entry.line)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::{Kind, Upstream};
    use crate::verdict::ScenarioResult;

    fn suite(verdicts: &[(&str, Verdict)]) -> SuiteResult {
        let result = |(id, verdict): &(&str, Verdict)| ScenarioResult {
            id: (*id).to_owned(),
            title: String::new(),
            kind: Kind::Attack,
            group: None,
            upstream: Upstream::Ours,
            path: PathBuf::new(),
            verdict: verdict.clone(),
            runs: Vec::new(),
            elapsed: Duration::ZERO,
        };
        SuiteResult {
            target: "t".to_owned(),
            scenarios: verdicts.iter().map(result).collect(),
            elapsed: Duration::ZERO,
        }
    }

    fn list(text: &str) -> Baseline {
        Baseline::parse(Path::new("b.yaml"), text).unwrap()
    }

    const ONE: &str = "- { verdict: breached, because: It has no numbers., scenarios: [ra-01] }";

    #[test]
    fn what_is_as_listed_is_no_news() {
        let seen = suite(&[("ra-01", Verdict::Breached), ("ra-02", Verdict::Held), ("w", Verdict::Passed)]);
        let departures = list(ONE).departures(&seen, true);
        assert_eq!((departures.as_listed, departures.exit_class()), (1, ExitClass::Good));
    }

    #[test]
    fn each_way_to_depart() {
        let untestable = || Verdict::Untestable("no clock".to_owned());
        let broken = || Verdict::Broken("no port".to_owned());
        let table = [
            // An unlisted failure of each kind keeps its class.
            ("[]", Verdict::Breached, ExitClass::Breached, "ra-01 is breached, and is not in b.yaml"),
            ("[]", Verdict::Blocked, ExitClass::Blocked, "ra-01 is blocked"),
            ("[]", broken(), ExitClass::Broken, "ra-01 is broken"),
            // Another failure than the listed one.
            (ONE, Verdict::Blocked, ExitClass::Blocked, "is listed as breached at b.yaml:1"),
            // Stale entries: it holds now, or cannot be told any more.
            (ONE, Verdict::Held, ExitClass::Broken, "take the entry out"),
            (ONE, untestable(), ExitClass::Broken, "take the entry out"),
            // Untestable is no failure, and no pass either.
            ("[]", untestable(), ExitClass::Good, ""),
            ("[]", Verdict::Held, ExitClass::Good, ""),
        ];
        for (text, verdict, class, told) in table {
            let departures = list(text).departures(&suite(&[("ra-01", verdict.clone())]), true);
            assert_eq!(departures.exit_class(), class, "{text} {verdict:?}");
            let all: Vec<String> = departures.unlisted.into_iter().chain(departures.stale).collect();
            assert!(all.join("\n").contains(told) && all.is_empty() == told.is_empty(), "{all:?}");
        }
    }

    #[test]
    fn an_entry_of_no_scenario_is_stale_unless_a_part_was_chosen() {
        let seen = suite(&[("ra-02", Verdict::Held)]);
        assert_eq!(list(ONE).departures(&seen, false).exit_class(), ExitClass::Good);
        let departures = list(ONE).departures(&seen, true);
        assert_eq!(departures.exit_class(), ExitClass::Broken);
        assert!(departures.stale.concat().contains("no such scenario"), "{departures:?}");
    }

    #[test]
    fn a_list_gives_reasons_and_names_each_scenario_once() {
        for (text, told) in [
            ("- { verdict: breached, because: ' ', scenarios: [ra-01] }", "needs a reason"),
            ("- { verdict: breached, scenarios: [ra-01] }", "because"),
            ("- { verdict: breached, because: x, scenarios: [ra-01, ra-01] }", "listed twice"),
            ("- { verdict: untestable, because: x, scenarios: [ra-01] }", "untestable"),
            ("- { verdict: breached, because: x, scenarios: [], pardon: all }", "pardon"),
        ] {
            let problem = Baseline::parse(Path::new("b.yaml"), text).unwrap_err().to_string();
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }
}

//! What a suite came to on one gateway, in a file small enough to be kept, and several of them side by side.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::scenario::{Case, Group, Kind};
use crate::target::TargetFile;
use crate::verdict::{SuiteResult, Verdict};

/// The name and version of the format.
const FORMAT: &str = "rogue.outcomes/1";

/// What a suite came to on one gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcomes {
    format: String,
    gateway: String,
    version: String,
    from: String,
    about: String,
    leaves_out: String,
    /// By the scenarios' ids.
    scenarios: BTreeMap<String, Outcome>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Group>,
    verdict: Word,
    /// Of a breach: whether what would stop it is among what the gateway says that it can.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    beyond_claims: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Held,
    Passed,
    Breached,
    Blocked,
    Untestable,
    Broken,
}

impl Word {
    const fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Held => Self::Held,
            Verdict::Passed => Self::Passed,
            Verdict::Breached => Self::Breached,
            Verdict::Blocked => Self::Blocked,
            Verdict::Untestable(_) => Self::Untestable,
            Verdict::Broken(_) => Self::Broken,
        }
    }

    const fn short(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Passed => "passed",
            Self::Breached => "**through**",
            Self::Blocked => "*blocked*",
            Self::Untestable => "–",
            Self::Broken => "?",
        }
    }
}

impl Outcomes {
    /// What `suite`, which was run on the described gateway, came to. Sessions are left out.
    pub fn of(suite: &SuiteResult, cases: &[Case], file: &TargetFile) -> Self {
        let stops: BTreeMap<&str, Vec<&str>> = cases
            .iter()
            .map(|case| {
                let stops = case.scenario.stops.iter().map(|stop| stop.value.as_str()).collect();
                (case.scenario.id.value.as_str(), stops)
            })
            .collect();
        let claimed = |id: &str| {
            let stops = stops.get(id).map_or(&[] as &[&str], Vec::as_slice);
            stops.iter().any(|stop| file.claims().iter().any(|claim| claim == stop))
        };
        let scenarios = suite.scenarios.iter().filter(|scenario| scenario.kind != Kind::Session).map(|scenario| {
            let verdict = Word::of(&scenario.verdict);
            let beyond_claims = verdict == Word::Breached && !claimed(&scenario.id);
            (scenario.id.clone(), Outcome { group: scenario.group, verdict, beyond_claims })
        });
        Self {
            format: FORMAT.to_owned(),
            gateway: file.name().to_owned(),
            version: file.version().to_owned(),
            from: file.from().to_owned(),
            about: file.about().trim().to_owned(),
            leaves_out: file.leaves_out().trim().to_owned(),
            scenarios: scenarios.collect(),
        }
    }

    /// Reads what was kept.
    ///
    /// # Errors
    /// It is no such file, or of another format.
    pub fn parse(text: &str) -> Result<Self, String> {
        let outcomes: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if outcomes.format == FORMAT {
            Ok(outcomes)
        } else {
            Err(format!("the format is `{}`, and only `{FORMAT}` can be read", outcomes.format))
        }
    }

    /// The file's text, a scenario a line.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn text(&self) -> Result<String, String> {
        let mut text = String::from("{\n");
        for (name, value) in [
            ("format", &self.format),
            ("gateway", &self.gateway),
            ("version", &self.version),
            ("from", &self.from),
            ("about", &self.about),
            ("leaves_out", &self.leaves_out),
        ] {
            let _ = writeln!(text, "  \"{name}\": {},", json(value)?);
        }
        text += "  \"scenarios\": {\n";
        let last = self.scenarios.len();
        for (place, (id, outcome)) in self.scenarios.iter().enumerate() {
            let comma = if place + 1 == last { "" } else { "," };
            let _ = writeln!(text, "    {}: {}{comma}", json(id)?, json(outcome)?);
        }
        text += "  }\n}\n";
        Ok(text)
    }

    fn count(&self, attacks: bool, holds: impl Fn(&Outcome) -> bool) -> usize {
        self.scenarios.values().filter(|outcome| outcome.group.is_some() == attacks && holds(outcome)).count()
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

/// Gateways side by side, as Markdown: counts first, then every scenario, then what each is and does not set out to do.
pub fn compare(all: &[Outcomes]) -> String {
    let mut text = String::from(
        "| gateway | version | attacks held | let through | of these beyond its claims | twin blocked | not testable | \
         honest workflows passed | blocked | not testable |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for one in all {
        let is = |attacks, word| one.count(attacks, |outcome| outcome.verdict == word);
        let broken = is(true, Word::Broken) + is(false, Word::Broken);
        let broken = if broken == 0 { String::new() } else { format!(" ({broken} broken)") };
        let _ = writeln!(
            text,
            "| `{}`{broken} | {} | **{}** of {} | {} | {} | {} | {} | **{}** of {} | {} | {} |",
            one.gateway,
            one.version,
            is(true, Word::Held),
            one.count(true, |_| true),
            is(true, Word::Breached),
            one.count(true, |outcome| outcome.beyond_claims),
            is(true, Word::Blocked),
            is(true, Word::Untestable),
            is(false, Word::Passed),
            one.count(false, |_| true),
            is(false, Word::Blocked),
            is(false, Word::Untestable),
        );
    }
    text += "\n### What each is, and what it does not set out to do\n\n";
    for one in all {
        let _ = writeln!(text, "- **`{}`** ({}). {} *Left out:* {}", one.gateway, one.from, one.about, one.leaves_out);
    }
    text += "\n### Scenario by scenario\n\n| scenario |";
    for one in all {
        let _ = write!(text, " `{}` |", one.gateway);
    }
    text += "\n|---|";
    text += &"---|".repeat(all.len());
    text += "\n";
    let mut ids: Vec<(Option<Group>, &str)> =
        all.iter().flat_map(|one| one.scenarios.iter().map(|(id, outcome)| (outcome.group, id.as_str()))).collect();
    // Workflows last.
    ids.sort_by_key(|(group, id)| (group.is_none(), *group, *id));
    ids.dedup();
    for (_, id) in ids {
        let _ = write!(text, "| `{id}` |");
        for one in all {
            let _ = write!(text, " {} |", one.scenarios.get(id).map_or("", |outcome| outcome.verdict.short()));
        }
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes() -> Outcomes {
        let outcome = |group, verdict, beyond_claims| Outcome { group, verdict, beyond_claims };
        Outcomes {
            format: FORMAT.to_owned(),
            gateway: "gate".to_owned(),
            version: "1.2".to_owned(),
            from: "PyPI".to_owned(),
            about: "A gate.".to_owned(),
            leaves_out: "Numbers.".to_owned(),
            scenarios: BTreeMap::from([
                ("ra-01".to_owned(), outcome(Some(Group::A), Word::Held, false)),
                ("ra-02".to_owned(), outcome(Some(Group::A), Word::Breached, true)),
                ("ra-03".to_owned(), outcome(Some(Group::F), Word::Blocked, false)),
                ("daily".to_owned(), outcome(None, Word::Untestable, false)),
            ]),
        }
    }

    #[test]
    fn what_is_kept_is_read_back_and_another_format_is_not() {
        let text = outcomes().text().unwrap();
        assert_eq!(Outcomes::parse(&text).unwrap(), outcomes());
        assert!(text.lines().any(|line| line == r#"    "ra-01": {"group":"A","verdict":"held"},"#), "{text}");
        assert!(Outcomes::parse(&text.replace("outcomes/1", "outcomes/2")).unwrap_err().contains("outcomes/2"));
        assert!(Outcomes::parse(&text.replace("\"held\"", "\"glorious\"")).is_err());
    }

    #[test]
    fn gateways_stand_side_by_side() {
        let page = compare(&[outcomes()]);
        assert!(page.contains("| `gate` | 1.2 | **1** of 3 | 1 | 1 | 1 | 0 | **0** of 1 | 0 | 1 |"), "{page}");
        assert!(page.contains("*Left out:* Numbers."));
        let rows: Vec<&str> =
            page.lines().filter(|line| line.starts_with("| `ra-") || line.starts_with("| `daily")).collect();
        assert_eq!(
            rows,
            ["| `ra-01` | held |", "| `ra-02` | **through** |", "| `ra-03` | *blocked* |", "| `daily` | – |"]
        );
    }
}

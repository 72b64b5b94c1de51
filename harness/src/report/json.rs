//! The report for pipelines: `rogue.report/1`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use super::measures::{Measures, Overhead, Residual};
use crate::scenario::{Group, Kind, Upstream};
use crate::verdict::{AgentTally, Damage, Role, RunResult, ScenarioResult, SuiteResult, Verdict};

/// The name and version of the format. Within a version keys are added, never renamed or removed.
pub const FORMAT: &str = "rogue.report/1";

/// The whole report. Everything but `timing` is the same for two equal runs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// Always `rogue.report/1`.
    pub format: &'static str,
    /// What was tested: `embedded`, `bare`.
    pub target: String,
    /// The exit code of the command, by which a pipeline goes.
    pub exit_code: u8,
    /// Counts.
    pub summary: Summary,
    /// What is left within the policy; only where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residual: Option<Residual>,
    /// The scenarios, in the order of their ids.
    pub scenarios: Vec<ScenarioReport>,
    /// Wall times, which differ from run to run.
    pub timing: Timing,
}

/// Counts of verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// Attacks.
    pub attacks: Tally,
    /// Workflows.
    pub workflows: Tally,
    /// Recorded sessions.
    pub sessions: Tally,
}

/// Counts of verdicts of one kind of scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tally {
    /// All.
    pub total: u64,
    /// Attacks that held, workflows that passed.
    pub passed: u64,
    /// Attacks that were not stopped.
    pub breached: u64,
    /// Honest work that was kept from passing.
    pub blocked: u64,
    /// Could not be tested on this target.
    pub untestable: u64,
    /// Scenario or harness at fault.
    pub broken: u64,
}

/// One scenario.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ScenarioReport {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its kind.
    pub kind: Kind,
    /// Its group in the catalogue; `null` for workflows.
    pub group: Option<Group>,
    /// The MCP server behind the gateway.
    pub upstream: Upstream,
    /// Its file, with `/` between folders.
    pub path: String,
    /// What it came to.
    pub verdict: Verdict,
    /// Its runs, in order.
    pub runs: Vec<RunReport>,
}

/// One run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunReport {
    /// Which run.
    pub role: Role,
    /// What it did at the exchange.
    pub damage: Damage,
    /// What the agent was told.
    pub agent: AgentTally,
    /// Denials by rule.
    pub denials: BTreeMap<String, u64>,
    /// Lines of the audit.
    pub audit_lines: u64,
    /// Expectations that did not hold.
    pub failures: Vec<String>,
    /// Whether the whole harm showed in spite of the policy.
    pub harmed: bool,
    /// Why the run could not be carried out.
    pub error: Option<String>,
    /// What the target lacks.
    pub untestable: Option<String>,
    /// What was said; only when something went wrong in this run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transcript: Vec<String>,
    /// What the exchange wrote down; only when something went wrong in this run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub journal: Vec<String>,
}

/// Wall times in milliseconds.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Timing {
    /// Of all scenarios.
    pub total_ms: u64,
    /// Of each scenario, by id.
    pub scenarios_ms: BTreeMap<String, u64>,
    /// What enforcement costs a call; only where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overhead: Option<Overhead>,
}

impl Report {
    /// The report of a suite.
    pub fn of(suite: &SuiteResult) -> Self {
        let ms = |elapsed: std::time::Duration| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        Self {
            format: FORMAT,
            target: suite.target.clone(),
            exit_code: suite.exit_class().code(),
            summary: Summary::of(suite),
            residual: None,
            scenarios: suite.scenarios.iter().map(ScenarioReport::of).collect(),
            timing: Timing {
                total_ms: ms(suite.elapsed),
                scenarios_ms: suite.scenarios.iter().map(|s| (s.id.clone(), ms(s.elapsed))).collect(),
                overhead: None,
            },
        }
    }

    /// The same with what was measured beside it.
    #[must_use]
    pub fn with(mut self, measures: &Measures) -> Self {
        self.residual = Some(measures.residual.clone());
        self.timing.overhead = measures.overhead;

        self
    }
}

impl Summary {
    /// The counts of a suite.
    pub fn of(suite: &SuiteResult) -> Self {
        let mut summary = Self::default();
        for scenario in &suite.scenarios {
            let tally = match scenario.kind {
                Kind::Attack => &mut summary.attacks,
                Kind::Workflow => &mut summary.workflows,
                Kind::Session => &mut summary.sessions,
            };
            tally.total += 1;
            *match scenario.verdict {
                Verdict::Held | Verdict::Passed => &mut tally.passed,
                Verdict::Breached => &mut tally.breached,
                Verdict::Blocked => &mut tally.blocked,
                Verdict::Untestable(_) => &mut tally.untestable,
                Verdict::Broken(_) => &mut tally.broken,
            } += 1;
        }
        summary
    }
}

impl ScenarioReport {
    fn of(scenario: &ScenarioResult) -> Self {
        let parts: Vec<_> = scenario.path.iter().map(|part| part.to_string_lossy()).collect();
        Self {
            id: scenario.id.clone(),
            title: scenario.title.clone(),
            kind: scenario.kind,
            group: scenario.group,
            upstream: scenario.upstream,
            path: parts.join("/"),
            verdict: scenario.verdict.clone(),
            runs: scenario.runs.iter().map(RunReport::of).collect(),
        }
    }
}

impl RunReport {
    fn of(run: &RunResult) -> Self {
        let telling = |lines: &Vec<String>| if run.is_clean() { Vec::new() } else { lines.clone() };
        Self {
            role: run.role,
            damage: run.damage.clone(),
            agent: run.agent,
            denials: run.denials.clone(),
            audit_lines: run.audit_lines,
            failures: run.failures.clone(),
            harmed: run.harmed,
            error: run.error.clone(),
            untestable: run.untestable.clone(),
            transcript: telling(&run.transcript),
            journal: telling(&run.journal),
        }
    }
}

/// The JSON Schema of the report, as it is kept in `scenarios/schema/report.v1.json`.
pub fn json_schema() -> serde_json::Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Report>();
    schema.insert("$id".to_owned(), "report.v1.json".into());
    schema.insert("title".to_owned(), "Report of rogue, version 1".into());
    schema.to_value()
}

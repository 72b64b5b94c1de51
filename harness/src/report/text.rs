//! The report for people.

use std::fmt::Write as _;
use std::time::Duration;

use super::table::{BAD, DOUBTFUL, Fit, GOOD, TIED, render, verdict_cell};
use super::words::{amount, answer_words, count, damage_words, plural, wrapped};
use super::{Measures, Summary, failure};
use crate::scenario::Kind;
use crate::verdict::{Damage, Role, RunResult, ScenarioResult, SuiteResult};

/// How the report is set.
#[derive(Clone, Debug)]
pub struct TextOptions {
    /// Columns of the terminal.
    pub width: u16,
    /// Lines of transcript and of journal shown for each failure.
    pub lines: usize,
    /// Whether wall times are shown. Without them equal runs give equal text.
    pub times: bool,
    /// The command that reruns one scenario, up to its file: `rogue run`.
    pub rerun: String,
    /// What was measured beside the verdicts.
    pub measures: Option<Measures>,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self { width: 100, lines: 12, times: true, rerun: "rogue run".to_owned(), measures: None }
    }
}

/// The whole report, with ANSI colours.
pub fn text(suite: &SuiteResult, options: &TextOptions) -> String {
    let of = |kind: Kind| suite.scenarios.iter().filter(move |scenario| scenario.kind == kind);
    let mut text = String::new();
    if of(Kind::Attack).next().is_some() {
        text.push_str(&attacks(of(Kind::Attack), options));
        text.push('\n');
    }
    if of(Kind::Workflow).next().is_some() {
        text.push_str(&single_runs(of(Kind::Workflow), "Honest work", Role::Workflow, options));
        text.push('\n');
    }
    if of(Kind::Session).next().is_some() {
        text.push_str(&single_runs(of(Kind::Session), "Recorded session", Role::Session, options));
        text.push('\n');
    }
    for scenario in suite.scenarios.iter().filter(|scenario| !scenario.verdict.is_good()) {
        text.push_str(&failure(scenario, options));
        text.push('\n');
    }
    text.push_str(&summary(suite, options));
    text
}

fn attacks<'a>(scenarios: impl Iterator<Item = &'a ScenarioResult>, options: &TextOptions) -> String {
    let mut columns = vec![
        ("Rogue agent", Fit::Share(34)),
        ("Without policy", Fit::Share(36)),
        ("With policy", Fit::Share(30)),
        ("Verdict", Fit::Word),
    ];
    if options.times {
        columns.push(("Time", Fit::Number));
    }
    let cells = |scenario: &ScenarioResult| {
        let did = |role: Role| scenario.run(role).map_or_else(|| "not run".to_owned(), |run| cell(&lines(run)));
        let mut cells = vec![
            format!("{}\n{}", scenario.title, scenario.id),
            did(Role::Control),
            did(Role::Protected),
            verdict_cell(&scenario.verdict),
        ];
        if options.times {
            cells.push(time(scenario.elapsed));
        }
        cells
    };
    render(options.width, &columns, scenarios.map(cells).collect(), true)
}

fn single_runs<'a>(
    scenarios: impl Iterator<Item = &'a ScenarioResult>,
    title: &'static str,
    role: Role,
    options: &TextOptions,
) -> String {
    let mut columns = vec![(title, Fit::Share(50)), ("With policy", Fit::Share(48)), ("Verdict", Fit::Word)];
    if options.times {
        columns.push(("Time", Fit::Number));
    }
    let cells = |scenario: &ScenarioResult| {
        let run = scenario.run(role);
        let mut cells = vec![
            format!("{}\n{}", scenario.title, scenario.id),
            run.map_or_else(|| "not run".to_owned(), |run| cell(&honest_lines(run))),
            verdict_cell(&scenario.verdict),
        ];
        if options.times {
            cells.push(time(scenario.elapsed));
        }
        cells
    };
    render(options.width, &columns, scenarios.map(cells).collect(), true)
}

/// Lines as a cell in which no amount is parted from its currency.
fn cell(lines: &[String]) -> String {
    lines.join("\n").replace(" USDT", &format!("{TIED}USDT"))
}

/// What a run came to, a line for each thing.
pub(super) fn lines(run: &RunResult) -> Vec<String> {
    if run.error.is_some() {
        return vec!["could not be run".to_owned()];
    }
    if run.untestable.is_some() {
        return vec!["cannot be tested here".to_owned()];
    }
    let mut lines = damage_words(&run.damage);
    let answers = answer_words(&run.agent);
    if run.role != Role::Control && !answers.is_empty() {
        lines.push(answers.join(", "));
    }
    lines
}

/// As [`lines`], but honest work does no damage: it places orders.
pub(super) fn honest_lines(run: &RunResult) -> Vec<String> {
    if run.error.is_some() || run.untestable.is_some() {
        return lines(run);
    }
    let mut words = vec![format!("{} allowed", plural(run.agent.allowed, "call", "calls"))];
    words.extend(answer_words(&run.agent));
    let mut lines = vec![words.join(", ")];
    if run.damage.orders > 0 {
        let orders = plural(run.damage.orders, "order", "orders");
        lines.push(format!("{orders} worth {} USDT", amount(run.damage.notional.value())));
    }
    lines
}

pub(super) fn time(elapsed: Duration) -> String {
    let ms = elapsed.as_millis();
    if ms < 1000 { format!("{ms} ms") } else { format!("{}.{:02} s", ms / 1000, ms % 1000 / 10) }
}

fn summary(suite: &SuiteResult, options: &TextOptions) -> String {
    let summary = Summary::of(suite);
    let mut text = String::new();
    let (attacks, workflows, sessions) = (&summary.attacks, &summary.workflows, &summary.sessions);
    if attacks.total > 0 {
        let style = if attacks.passed == attacks.total { GOOD } else { BAD };
        let _ = writeln!(
            text,
            "{style}{} of {} rogue agents held{style:#}: harmful without the policy, stopped with it, the honest twin untouched.",
            count(attacks.passed),
            count(attacks.total),
        );
        text.push_str(&wrapped(
            &format!("Without the policy: {}.", damage_words(&totals(suite, Role::Control)).join(", ")),
            options.width,
        ));
    }
    if workflows.total > 0 {
        let style = if workflows.passed == workflows.total { GOOD } else { BAD };
        let (passed, total) = (count(workflows.passed), count(workflows.total));
        let _ = writeln!(text, "{style}{passed} of {total} honest workflows passed{style:#} untouched.");
    }
    if sessions.total > 0 {
        let style = if sessions.passed == sessions.total { GOOD } else { BAD };
        let (passed, total) = (count(sessions.passed), count(sessions.total));
        let _ = writeln!(text, "{style}{passed} of {total} recorded sessions were answered as they were{style:#}.");
    }
    if suite.scenarios.is_empty() {
        let _ = writeln!(text, "{DOUBTFUL}No scenario was run{DOUBTFUL:#}, so nothing was shown.");
    }
    let went = [
        (attacks.breached + sessions.breached, "breached: the policy let harm through"),
        (
            attacks.broken + workflows.broken + sessions.broken,
            "broken: the scenario or the harness is at fault, nothing was learnt",
        ),
        (attacks.blocked + workflows.blocked + sessions.blocked, "blocked: honest work was kept from passing"),
        (attacks.untestable + workflows.untestable + sessions.untestable, "untestable on this target"),
    ];
    for (number, meaning) in went.into_iter().filter(|(number, _)| *number > 0) {
        let _ = writeln!(text, "  {} {meaning}", count(number));
    }
    if let Some(measures) = &options.measures {
        put_measures(&mut text, measures, options);
    }
    if let Some(worst) = suite.scenarios.iter().find(|scenario| !scenario.verdict.is_good()) {
        let _ = writeln!(text, "Start here: {} {}", options.rerun, worst.path.display());
    }
    if options.times {
        let _ = writeln!(text, "Target `{}`, {}.", suite.target, time(suite.elapsed));
    }
    text
}

fn put_measures(text: &mut String, measures: &Measures, options: &TextOptions) {
    let residual = &measures.residual;
    let told = format!("Residual risk: {} {}.", residual.figure(), residual.told());
    text.push_str(&wrapped(&told, options.width));
    // Wall time, as every other.
    if options.times {
        let told = match &measures.overhead {
            Some(overhead) => format!("Overhead: {} {}.", overhead.figure(), overhead.told()),
            None => NO_OVERHEAD.to_owned(),
        };
        text.push_str(&wrapped(&told, options.width));
    }
}

/// Why there is no figure of what enforcement costs.
pub(super) const NO_OVERHEAD: &str =
    "Overhead: not measured, since no honest work was run both without a gateway and with one.";

/// What the runs of one role did together, in all attacks.
pub(super) fn totals(suite: &SuiteResult, role: Role) -> Damage {
    let mut sum = Damage::default();
    let (mut notional, mut loss) = (sum.notional.value(), sum.loss_usdt.value());
    // Honest work without a policy does no harm.
    let attacks = suite.scenarios.iter().filter(|scenario| scenario.kind == Kind::Attack);
    for run in attacks.filter_map(|scenario| scenario.run(role)) {
        let damage = &run.damage;
        sum.orders += damage.orders;
        sum.weight += damage.weight;
        sum.listen_keys += damage.listen_keys;
        sum.open_orders_lost += damage.open_orders_lost;
        notional += damage.notional.value();
        loss += damage.loss_usdt.value();
    }
    sum.notional = notional.into();
    sum.loss_usdt = loss.into();
    sum
}

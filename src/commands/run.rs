//! `rogue run`, and `rogue` alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rogue_harness::baseline::{Baseline, Departures};
use rogue_harness::report::{self, Measures, Outcomes, Overhead, PageOptions, Report, TextOptions};
use rogue_harness::residual;
use rogue_harness::run::{RunOptions, run_suite};
use rogue_harness::scenario::{Case, PolicyFile, Problem, Severity, check_policy};
use rogue_harness::target::{GatewayCommand, TargetFile};
use rogue_harness::verdict::{ExitClass, SuiteResult};

use crate::args::{Run, TargetChoice};
use crate::find;
use crate::output::{Failure, Output};

pub(crate) fn run(args: &Run, folder: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    let loaded = find::chosen(&args.choice, folder)?;
    if !loaded.warnings.is_empty() {
        output.problems(&loaded.warnings);
    }
    let mut options = RunOptions {
        seed: args.seed,
        record: args.record.clone(),
        watch: args.report.is_some(),
        ..RunOptions::default()
    };
    match &args.target {
        TargetChoice::Kind(kind) => options.target = *kind,
        TargetChoice::File(file) => options.command = Some(described(file, &args.gateways)?),
    }
    if let Some(text) = &args.gateway {
        options.command = Some(gateway(text)?);
    }
    if let Some(library) = &args.faketime {
        if !library.is_file() {
            let message = format!("there is no library `{}` to move a clock by", library.display());
            return Err(Failure::usage(message, "install libfaketime, or leave the option out"));
        }
        options.command = options.command.map(|command| command.with_faketime(library));
    }
    if let Some(path) = &args.policy {
        options.policy = Some(policy(path, output)?);
    }

    if args.outcomes.is_some() && options.command.as_ref().and_then(GatewayCommand::description).is_none() {
        let message = "outcomes are of a gateway that a file describes".to_owned();
        return Err(Failure::usage(message, "name its file with `--target`, or leave `--outcomes` out"));
    }
    let baseline = args.baseline.as_deref().map(Baseline::read).transpose();
    let baseline = baseline.map_err(|problem| Failure::Files(vec![problem]))?;

    if args.residual.is_some() && (options.command.is_some() || args.target != TargetChoice::default()) {
        let message = "what is left within a policy is searched on the stack in this build".to_owned();
        return Err(Failure::usage(message, "leave `--residual` out, or the other target"));
    }

    let watched = Output::is_watched() && !args.no_progress;
    let total = loaded.cases.len();
    let mut next = loaded.cases.iter().map(|case| case.scenario.id.to_string()).enumerate().fuse();
    let mut announce = |output: &mut Output| {
        if let Some((done, id)) = next.next().filter(|_| watched) {
            output.progress(&format!("[{}/{total}] {id}", done + 1));
        }
    };
    announce(output);
    let suite = run_suite(&loaded.cases, &options, |_| announce(output))
        .map_err(|error| Failure::Broken(format!("the system gives no runtime: {error}")))?;
    if watched {
        output.progress("");
    }

    let measures = args.residual.map(|days| measures(args, days.get(), &suite, &loaded.cases, output)).transpose()?;
    write_reports(args, &suite, &loaded.cases, measures.as_ref())?;
    if let (Some(file), Some(described)) =
        (&args.outcomes, options.command.as_ref().and_then(GatewayCommand::description))
    {
        let text = Outcomes::of(&suite, &loaded.cases, described).text();
        write(file, &text.map_err(|error| Failure::Broken(format!("the outcomes cannot be written: {error}")))?)?;
    }
    if args.json {
        let report = Report::of(&suite);
        let report = measures.iter().fold(report, Report::with);
        let report = serde_json::to_string_pretty(&report)
            .map_err(|error| Failure::Broken(format!("the report cannot be written: {error}")))?;
        output.print(&format!("{report}\n"))?;
    } else {
        let text_options =
            TextOptions { width: Output::width(), rerun: rerun(args), measures, ..TextOptions::default() };
        output.print(&report::text(&suite, &text_options))?;
    }
    match &baseline {
        Some(baseline) => {
            let whole = args.choice.paths.is_empty() && args.choice.filter.is_none();
            Ok(against(&baseline.departures(&suite, whole), output))
        }
        None => Ok(suite.exit_class()),
    }
}

/// What is left within the policy, and what it costs to enforce it.
fn measures(
    args: &Run,
    days: usize,
    suite: &SuiteResult,
    cases: &[Case],
    output: &mut Output,
) -> Result<Measures, Failure> {
    let policy = match &args.policy {
        Some(path) => policy(path, output)?,
        None => usual(cases).ok_or_else(|| Failure::Broken("no scenario has a policy".to_owned()))?.clone(),
    };
    let named = policy.path.clone();
    let options = residual::Options { policy: Some(policy), seed: 1, budget: days, goal: residual::Goal::default() };
    let watched = Output::is_watched() && !args.no_progress;
    let found = residual::search(&options, |tried, worst| {
        if watched {
            output.progress(&format!("[{tried}/{days}] days within the policy: {} USDT", worst.turnover));
        }
    })
    .map_err(|error| Failure::Broken(format!("what is left within the policy cannot be searched: {error}")))?;
    if watched {
        output.progress("");
    }
    Ok(Measures { residual: residual::in_short(&found, &named), overhead: Overhead::of(suite) })
}

/// The policy of most of the scenarios; of two that have as many, the one whose path comes first.
fn usual(cases: &[Case]) -> Option<&PolicyFile> {
    let mut uses: BTreeMap<&Path, (usize, &PolicyFile)> = BTreeMap::new();
    for case in cases {
        uses.entry(&case.policy.path).or_insert((0, &case.policy)).0 += 1;
    }
    let most = uses.values().map(|(number, _)| *number).max()?;
    uses.into_values().find(|(number, _)| *number == most).map(|(_, policy)| policy)
}

/// Says where the suite departs from what was expected of the target.
fn against(departures: &Departures, output: &mut Output) -> ExitClass {
    for line in &departures.unlisted {
        output.note(&format!("not expected: {line}"));
    }
    for line in &departures.stale {
        output.note(&format!("stale: {line}"));
    }
    let news = departures.unlisted.len() + departures.stale.len();
    output.note(&format!("baseline: {} failures as listed, {news} departures", departures.as_listed));
    departures.exit_class()
}

/// The reports that were asked for, as files.
fn write_reports(args: &Run, suite: &SuiteResult, cases: &[Case], measures: Option<&Measures>) -> Result<(), Failure> {
    let policy = args.policy.as_ref().map(|path| path.display().to_string());
    if let Some(folder) = &args.report {
        let options = PageOptions { rerun: rerun(args), policy, measures: measures.cloned(), ..PageOptions::default() };
        write(&folder.join("index.html"), &report::page(suite, cases, &options))?;
    }
    if let Some(file) = &args.junit {
        write(file, &report::junit(suite))?;
    }
    if let Some(file) = &args.markdown {
        write(file, &report::markdown(suite, &rerun(args)))?;
    }
    if let Some(file) = &args.sarif {
        let log = report::sarif(suite, cases, args.policy.as_deref(), env!("CARGO_PKG_VERSION"));
        let text = serde_json::to_string_pretty(&log)
            .map_err(|error| Failure::Broken(format!("the report cannot be written: {error}")))?;
        write(file, &(text + "\n"))?;
    }
    Ok(())
}

/// Writes a file; folders that are not there are made.
pub(super) fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(file, text)).map_err(|error| {
        let remedy = "name a place that can be written to";
        Failure::usage(format!("`{}` cannot be written: {error}", file.display()), remedy)
    })
}

/// A gateway's command, whose server is this program as a bridge.
fn gateway(text: &str) -> Result<GatewayCommand, Failure> {
    GatewayCommand::parse(text, bridge()?).map_err(|error| {
        Failure::usage(error.to_string(), "write it as `mcp-gateway --policy {policy} --audit {audit} -- {upstream}`")
    })
}

/// A gateway that a file describes.
pub(super) fn described(path: &Path, installed: &Path) -> Result<GatewayCommand, Failure> {
    let file = TargetFile::read(path).map_err(|problem| Failure::Files(vec![problem]))?;
    GatewayCommand::described(file, installed, bridge()?).map_err(|error| {
        let remedy = "correct its `command`: a list of words, of which one is `{upstream}`";
        Failure::usage(format!("`{}`: {error}", path.display()), remedy)
    })
}

/// This program, as what carries bytes.
fn bridge() -> Result<Vec<String>, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::Broken(format!("the system does not tell where this program is: {error}")))?;
    Ok(vec![program.to_string_lossy().into_owned(), "bridge".to_owned()])
}

/// The policy that was named, read and checked by the gateway that will enforce it.
pub(super) fn policy(path: &Path, output: &mut Output) -> Result<PolicyFile, Failure> {
    let file = PolicyFile::read(path)
        .map_err(|error| Failure::Files(vec![Problem::error("unreadable", path, error.to_string())]))?;
    let problems = check_policy(&file);
    if problems.iter().any(|problem| problem.severity() == Severity::Error) {
        return Err(Failure::Files(problems));
    }
    output.problems(&problems);
    Ok(file)
}

/// The command that runs one file as this command did, up to the file.
fn rerun(args: &Run) -> String {
    let mut words = vec!["rogue run".to_owned()];
    if let Some(gateway) = &args.gateway {
        words.push(format!("--gateway '{gateway}'"));
    }
    if args.target != TargetChoice::default() {
        words.push(format!("--target {}", args.target));
    }
    if let Some(policy) = &args.policy {
        words.push(format!("--policy {}", policy.display()));
    }
    if let Some(seed) = args.seed {
        words.push(format!("--seed {seed}"));
    }
    words.join(" ")
}

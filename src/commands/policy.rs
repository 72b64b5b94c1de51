//! `rogue policy`.

use std::path::{Path, PathBuf};
use std::{fs, io};

use rogue_harness::mcp_policy::{Call, Guard, Moment, Timestamp, strict};
use rogue_harness::policy::{self, Before, Callers, Difference, Said, Sequence, Tested, in_words};
use rogue_harness::scenario::Problem;
use rogue_harness::verdict::ExitClass;
use serde_json::{Value, json};

use crate::args::{Explain, Policy};
use crate::output::{Failure, Output};

pub(crate) fn policy(args: &Policy, output: &mut Output) -> Result<ExitClass, Failure> {
    match args {
        Policy::Check { policies, strict } => check(policies, *strict, output),
        Policy::Explain(args) => explain(args, output),
        Policy::Diff { before, after, json } => diff(before, after, *json, output),
        Policy::Import { document, tools } => import(document, tools.as_deref(), output),
        Policy::Suggest { tools, json } => suggest(tools.as_deref(), *json, output),
        Policy::Test { files, all_rules, json } => test(files, *all_rules, *json, output),
    }
}

fn check(policies: &[PathBuf], strict: bool, output: &mut Output) -> Result<ExitClass, Failure> {
    let mut wrong = Vec::new();
    let mut class = ExitClass::Good;
    for path in policies {
        match policy::read_policy(path) {
            Ok((_, warnings)) => {
                if strict && !warnings.is_empty() {
                    class = ExitClass::Breached;
                }
                output.problems(&warnings);
                let said = match warnings.len() {
                    0 => "sound".to_owned(),
                    1 => "sound, with 1 warning".to_owned(),
                    count => format!("sound, with {count} warnings"),
                };
                output.print(&format!("{}: {said}\n", path.display()))?;
            }
            Err(problems) => wrong.extend(problems),
        }
    }
    if wrong.is_empty() { Ok(class) } else { Err(Failure::Files(wrong)) }
}

fn explain(args: &Explain, output: &mut Output) -> Result<ExitClass, Failure> {
    let (policy, warnings) = policy::read_policy(&args.policy).map_err(Failure::Files)?;
    output.problems(&warnings);
    let remedy = "write a JSON object, such as '{\"symbol\":\"BTCUSDT\"}'";
    let arguments = match strict::parse(args.arguments.as_bytes(), strict::Limits::default()) {
        Ok(Value::Object(arguments)) => arguments,
        Ok(_) => return Err(Failure::usage("the arguments are no JSON object".to_owned(), remedy)),
        Err(error) => return Err(Failure::usage(format!("the arguments cannot be read: {error}"), remedy)),
    };
    let mut guard = Guard::new(policy);
    if let Some(method) = &args.method {
        let (passes, told) = policy::message_in_words(&guard, method, args.names.as_deref(), args.halted);
        output.print(&told)?;
        return Ok(if passes { ExitClass::Good } else { ExitClass::Blocked });
    }
    let tool = args.tool.as_deref().unwrap_or_default();
    let call = Call { tool, arguments: &arguments, grant: "desk", session: "session-1" };
    let moment = Moment::new(Timestamp::from_millis(0)).halted(args.halted).approved(args.approved);
    for (symbol, price) in &args.prices {
        guard.suppose_price(symbol, price, Timestamp::from_millis(0)).map_err(|error| {
            let remedy = "name a symbol of `references` in a policy with `live_references`, and a decimal";
            Failure::usage(format!("`{symbol}={price}`: {error}"), remedy)
        })?;
    }
    let told = guard.explain(&call, moment);
    output.print(&in_words(&told))?;
    Ok(if told.decisive().is_none() && told.asks.is_none() { ExitClass::Good } else { ExitClass::Blocked })
}

fn import(document: &Path, list: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    let tools = list.map(tools_in).transpose()?;
    let source = fs::read_to_string(document).map_err(|error| unreadable(document, &error))?;
    let imported = policy::import(document, &source, tools.as_deref()).map_err(Failure::Files)?;
    output.problems(&imported.warnings);
    output.print(&imported.text)?;
    Ok(ExitClass::Good)
}

/// The tools of a list in a file, or on standard input.
fn tools_in(path: &Path) -> Result<Vec<policy::Tool>, Failure> {
    let text = if path == Path::new("-") { io::read_to_string(io::stdin()) } else { fs::read_to_string(path) };
    policy::tools_of(&text.map_err(|error| unreadable(path, &error))?)
        .map_err(|error| Failure::Files(vec![Problem::error("tools", path, error.to_string()).help(error.remedy())]))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::Files(vec![Problem::error("unreadable", path, error.to_string())])
}

fn suggest(list: Option<&Path>, as_json: bool, output: &mut Output) -> Result<ExitClass, Failure> {
    let tools = list.map_or_else(|| Ok(policy::shipped_tools()), tools_in)?;
    let judged = policy::judge(&tools);
    if as_json {
        let text = serde_json::to_string_pretty(&judged)
            .map_err(|error| Failure::Broken(format!("the classes cannot be written: {error}")))?;
        output.print(&format!("{text}\n"))?;
    } else {
        output.print(&policy::policy_for(&tools, &judged))?;
    }
    Ok(ExitClass::Good)
}

fn test(files: &[PathBuf], all_rules: bool, as_json: bool, output: &mut Output) -> Result<ExitClass, Failure> {
    let mut class = ExitClass::Good;
    let mut reports = Vec::new();
    for path in files {
        let tested = policy::load(path).map_err(Failure::Files)?;
        output.problems(&tested.warnings);
        if !tested.holds() || (all_rules && !tested.untested.is_empty()) {
            class = ExitClass::Breached;
        }
        if as_json {
            reports.push(report(path, &tested));
        } else {
            output.print(&in_lines(path, &tested))?;
        }
    }
    if as_json {
        output.print(&format!("{:#}\n", Value::Array(reports)))?;
    }
    Ok(class)
}

fn diff(before: &Path, after: &Path, as_json: bool, output: &mut Output) -> Result<ExitClass, Failure> {
    let (one, other) = (super::run::policy(before, output)?, super::run::policy(after, output)?);
    let found = policy::diff(&one, &other)
        .map_err(|errors| Failure::Files(vec![Problem::error("policy", after, errors.to_string())]))?;
    if as_json {
        let text = serde_json::to_string_pretty(&found)
            .map_err(|error| Failure::Broken(format!("the result cannot be written: {error}")))?;
        output.print(&format!("{text}\n"))?;
    } else {
        output.print(&in_changes(&found))?;
    }
    Ok(match found.changes.is_empty() {
        true => ExitClass::Good,
        false if found.lets_more_through() => ExitClass::Breached,
        false => ExitClass::Blocked,
    })
}

fn in_changes(found: &Difference) -> String {
    let mut lines = Vec::new();
    for change in &found.changes {
        let said = |said: &Said| match said.reason {
            Some(reason) => format!("{} by {} ({reason})", said.verdict, said.rule),
            None => format!("{} by {}", said.verdict, said.rule),
        };
        lines.push(format!("{}: {} → {}", change.tool, said(&change.before), said(&change.after)));
        let call = Value::Object(change.arguments.clone());
        lines.push(match &change.sequence {
            None => format!("    {call}"),
            Some(Sequence { before, of, by, outcome, after_ms }) => {
                let calls = match of {
                    Before::TheSame => "such calls",
                    Before::EveryTool => "calls of every tool",
                };
                let by = match by {
                    Callers::One => "",
                    Callers::TwoSessions => " by two sessions in turn",
                    Callers::TwoGrants => " by two grants in turn",
                    Callers::FourGrants => " by four grants in turn",
                };
                format!("    {call}, {after_ms} ms after the first of {before} {calls}{by} ({outcome})")
            }
        });
    }
    let (tried, differ, kinds) = (found.calls, found.differ, found.changes.len());
    lines.push(match kinds {
        0 => format!("no difference is found among {tried} calls"),
        _ => format!("{differ} of {tried} calls are judged differently, in {kinds} ways"),
    });
    lines.join("\n") + "\n"
}

fn in_lines(path: &Path, tested: &Tested) -> String {
    let mut lines = Vec::new();
    for test in &tested.tests {
        let verdict = if test.failures.is_empty() { "ok    " } else { "FAILED" };
        lines.push(format!("{verdict} {}", test.name));
        lines.extend(
            test.failures.iter().map(|failure| format!("       {}:{}: {}", path.display(), failure.line, failure.what)),
        );
    }
    let failed = tested.tests.iter().filter(|test| !test.failures.is_empty()).count();
    let rules = tested.reached.len() + tested.untested.len();
    lines.push(format!(
        "{}: {} of {} tests hold; {} of {rules} rules refused something",
        path.display(),
        tested.tests.len() - failed,
        tested.tests.len(),
        tested.reached.len(),
    ));
    lines.extend(tested.untested.iter().map(|rule| format!("  not tested: {rule}")));
    lines.join("\n") + "\n"
}

fn report(path: &Path, tested: &Tested) -> Value {
    let tests = tested.tests.iter().map(|test| {
        let failures: Vec<Value> =
            test.failures.iter().map(|failure| json!({ "line": failure.line, "what": failure.what })).collect();
        json!({ "name": test.name, "holds": test.failures.is_empty(), "failures": failures })
    });
    json!({
        "file": path.display().to_string(),
        "holds": tested.holds(),
        "tests": tests.collect::<Vec<_>>(),
        "rules": { "reached": tested.reached, "untested": tested.untested },
    })
}

//! `rogue backtest`.

use rogue_harness::backtest::{self, Approvals, BacktestError};
use rogue_harness::scenario::Problem;
use rogue_harness::verdict::ExitClass;

use super::cassette::open;
use super::run::policy;
use crate::args::{Answer, Backtest};
use crate::output::{Failure, Output};

pub(crate) fn backtest(args: &Backtest, output: &mut Output) -> Result<ExitClass, Failure> {
    let candidate = policy(&args.policy, output)?;
    let against = args.against.as_ref().map(|path| policy(path, output)).transpose()?;
    let failed = |path: &std::path::Path, error: &BacktestError| {
        Failure::Files(vec![Problem::error("backtest", path, error.to_string())])
    };
    let mut backtest =
        backtest::Backtest::new(&candidate, against.as_ref()).map_err(|error| failed(&args.policy, &error))?;
    backtest = backtest.with_approvals(match args.approvals {
        Answer::Denied => Approvals::Denied,
        Answer::Granted => Approvals::Granted,
    });
    let watched = Output::is_watched();
    let tapes = args.tapes.iter().map(|path| (path, false)).chain(args.honest.iter().map(|path| (path, true)));
    let count = args.tapes.len() + args.honest.len();
    for (place, (path, is_honest)) in tapes.enumerate() {
        if watched {
            output.progress(&format!("[{}/{}] {}", place + 1, count, path.display()));
        }
        let (name, tape) = (path.display().to_string(), open(path)?);
        let judged = if is_honest { backtest.honest_tape(&name, tape) } else { backtest.tape(&name, tape) };
        judged.map_err(|error| failed(path, &error))?;
    }
    if watched {
        output.progress("");
    }
    let changes = backtest.finish();
    if let Some(path) = &args.html {
        let against = args.against.as_ref().map(|path| path.display().to_string());
        let page = changes.page(&args.policy.display().to_string(), against.as_deref());
        std::fs::write(path, page).map_err(|error| {
            Failure::Files(vec![Problem::error("write", path, format!("the page cannot be written: {error}"))])
        })?;
    }
    if args.json {
        let text = serde_json::to_string_pretty(&changes)
            .map_err(|error| Failure::Broken(format!("the result cannot be written: {error}")))?;
        output.print(&format!("{text}\n"))?;
    } else {
        output.print(&changes.text())?;
    }
    Ok(if changes.let_through.calls > 0 {
        ExitClass::Breached
    } else if changes.stopped.calls > 0 {
        ExitClass::Blocked
    } else {
        ExitClass::Good
    })
}

//! `rogue replay`.

use std::path::Path;

use rogue_harness::cassette::Redactor;
use rogue_harness::replay::agent::{RerunError, Rules, Stand, rerun};
use rogue_harness::replay::{Outcome, Player, serve};
use rogue_harness::verdict::ExitClass;

use super::cassette::{bad, open, rule};
use super::run::policy;
use crate::args::{Part, Replay};
use crate::find;
use crate::output::{Failure, Output};

pub(crate) fn replay(args: &Replay, folder: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    match args.part {
        Part::Upstream => upstream(args, output),
        Part::Agent => agent(args, folder, output),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    rogue_harness::run::runtime().map_err(|error| Failure::Broken(format!("the system gives no runtime: {error}")))
}

fn upstream(args: &Replay, output: &mut Output) -> Result<ExitClass, Failure> {
    let redactor = Redactor::new(&args.rules).map_err(|error| rule(&error))?;
    let player =
        Player::new(open(&args.tape)?, args.repeat.into(), redactor).map_err(|error| bad(&args.tape, &error))?;
    let runtime = runtime()?;
    let served = runtime.block_on(serve(player, args.pace, tokio::io::stdin(), tokio::io::stdout()));
    // A thread waits for standard input, whoever holds its other end.
    runtime.shutdown_background();
    let outcome = served.map_err(|error| Failure::Broken(format!("the session broke: {error}")))?;
    Ok(told(&outcome, args.allow_unplayed, output))
}

/// Standard output is the wire, so people are told on standard error.
fn told(outcome: &Outcome, allow_unplayed: bool, output: &mut Output) -> ExitClass {
    output.note(&outcome.to_string());
    if outcome.is_same(allow_unplayed) { ExitClass::Good } else { ExitClass::Breached }
}

fn agent(args: &Replay, folder: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    let pointer = "see `rogue cassette show` for the messages of the tape";
    let rules = Rules::new(&args.ignored).map_err(|error| Failure::usage(error.to_string(), pointer))?;
    let tape = open(&args.tape)?;
    let header = tape.header().clone();
    let document = args.policy.as_ref().map(|path| policy(path, output)).transpose()?;
    let stand = if let Some(id) = &header.scenario {
        let loaded = find::all(&[], folder)?;
        let case = loaded.cases.iter().find(|case| case.scenario.id.value == *id).ok_or_else(|| {
            let remedy = "say where it is with `--scenarios DIR`";
            Failure::usage(format!("the tape is of the scenario `{id}`, which is not among the scenarios"), remedy)
        })?;
        Stand::of_scenario(&header, case, document)
    } else {
        let document = document.ok_or_else(|| {
            let remedy = "say what the gateway is to enforce with `--policy FILE`";
            Failure::usage("the tape is of no scenario, so that there is no policy".to_owned(), remedy)
        })?;
        Stand::plain(&header, document)
    };
    let failed = |error: RerunError| match error {
        RerunError::Tape(_) | RerunError::NoAgent | RerunError::Exchange(_) => bad(&args.tape, &error),
        RerunError::Target(_) | RerunError::Broken(_) => Failure::Broken(error.to_string()),
    };
    let rerun = runtime()?.block_on(rerun(tape, &stand.map_err(failed)?, &rules)).map_err(failed)?;
    output.print(&format!("{rerun}\n"))?;
    Ok(if rerun.differences.is_empty() { ExitClass::Good } else { ExitClass::Breached })
}

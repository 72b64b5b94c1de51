//! `rogue replay`.

use rogue_harness::cassette::Redactor;
use rogue_harness::replay::{Outcome, Player, serve};
use rogue_harness::verdict::ExitClass;

use super::cassette::{bad, open, rule};
use crate::args::{Part, Replay};
use crate::output::{Failure, Output};

pub(crate) fn replay(args: &Replay, output: &mut Output) -> Result<ExitClass, Failure> {
    match args.part {
        Part::Upstream => upstream(args, output),
    }
}

fn upstream(args: &Replay, output: &mut Output) -> Result<ExitClass, Failure> {
    let redactor = Redactor::new(&args.rules).map_err(|error| rule(&error))?;
    let player =
        Player::new(open(&args.tape)?, args.repeat.into(), redactor).map_err(|error| bad(&args.tape, &error))?;
    let runtime = rogue_harness::run::runtime()
        .map_err(|error| Failure::Broken(format!("the system gives no runtime: {error}")))?;
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

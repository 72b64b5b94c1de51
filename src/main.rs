//! The `rogue` command: arguments in, text out, nothing else.
//!
//! What it does lives in `rogue-harness`; here are the words of the command line, the choice of files, and the
//! exit codes.

mod args;
mod commands;
mod find;
mod output;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;
use rogue_harness::verdict::ExitClass;

use crate::args::{Cli, Command, Run};
use crate::output::Output;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // A closed pipe is the reader's choice.
            let _ = error.print();
            return ExitCode::from(if asked { ExitClass::Good.code() } else { ExitClass::Usage.code() });
        }
    };
    let mut output = Output::new(cli.color);
    let folder = cli.scenarios.as_deref();
    let command = cli.command.unwrap_or_else(|| Command::Run(Run::default()));
    let class = match &command {
        Command::Run(run) => commands::run(run, folder, &mut output),
        Command::Watch(watch) => commands::watch(watch, folder, &mut output),
        Command::List(list) => commands::list(list, folder, &mut output),
        Command::Lint(lint) => commands::lint(lint, folder, &mut output),
        Command::Show(show) => commands::show(show, folder, &mut output),
        Command::New(new) => commands::new(new, &mut output),
        Command::Backtest(backtest) => commands::backtest(backtest, &mut output),
        Command::Replay(replay) => commands::replay(replay, folder, &mut output),
        Command::Compare(compare) => commands::compare(compare, &mut output),
        Command::Cassette(cassette) => commands::cassette(cassette, folder, &mut output),
        Command::Serve(serve) => commands::serve(serve, folder, &mut output),
        Command::Audit(audit) => commands::audit(audit, &mut output),
        Command::Policy(policy) => commands::policy(policy, &mut output),
        Command::Mutate(mutate) => commands::mutate(mutate, folder, &mut output),
        Command::Residual(residual) => commands::residual(residual, &mut output),
        Command::Schema(schema) => commands::schema(schema, &mut output),
        Command::Completions(completions) => commands::completions(completions, &mut output),
        Command::Bridge { address } => commands::bridge(*address),
        // It ends as the server ends that it records.
        Command::Record(record) => {
            return match commands::record(record, &mut output) {
                Ok(code) => ExitCode::from(code),
                Err(failure) => ExitCode::from(failure.report(&mut output).code()),
            };
        }
    };
    match class {
        Ok(class) => ExitCode::from(class.code()),
        Err(failure) => ExitCode::from(failure.report(&mut output).code()),
    }
}

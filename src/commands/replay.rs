//! `rogue replay`.

use std::path::Path;
use std::sync::Arc;

use rogue_harness::cassette::Redactor;
use rogue_harness::replay::agent::{RerunError, Rules, Stand, rerun};
use rogue_harness::replay::exchange::{ExchangeError, ExchangeHost, ExchangeOptions};
use rogue_harness::replay::{Outcome, Overlay, Player, serve, serve_guarded};
use rogue_harness::verdict::ExitClass;

use super::cassette::{bad, open, rule};
use super::record::now_ms;
use super::run::policy;
use crate::args::{Part, Replay};
use crate::find;
use crate::output::{Failure, Output};

pub(crate) fn replay(args: &Replay, folder: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    match args.part {
        Part::Upstream => upstream(args, output),
        Part::Exchange => exchange(args, output),
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
    let player = player.with_overlay(overlay(args)?);
    let document = args.policy.as_ref().map(|path| policy(path, output)).transpose()?;
    let runtime = runtime()?;
    let (input, wire) = (tokio::io::stdin(), tokio::io::stdout());
    let served = runtime.block_on(async {
        match document {
            None => serve(player, args.pace, input, wire).await.map_err(|error| error.to_string()),
            Some(document) => {
                let served = serve_guarded(player, args.pace, &document, Arc::new(now_ms), input, wire).await;
                served.map(|guarded| guarded.outcome).map_err(|error| error.to_string())
            }
        }
    });
    // A thread waits for standard input, whoever holds its other end.
    runtime.shutdown_background();
    let outcome = served.map_err(|error| Failure::Broken(format!("the session broke: {error}")))?;
    Ok(told(&outcome, args.allow_unplayed, output))
}

fn overlay(args: &Replay) -> Result<Overlay, Failure> {
    let Some(path) = &args.overlay else { return Ok(Overlay::default()) };
    let text = std::fs::read_to_string(path).map_err(|error| bad(path, &error))?;
    Overlay::parse(&text).map_err(|error| bad(path, &error))
}

fn exchange(args: &Replay, output: &mut Output) -> Result<ExitClass, Failure> {
    let mut options = ExchangeOptions {
        repeat: args.repeat.into(),
        pace: args.pace,
        redact: args.rules.clone(),
        free_streams: args.free_streams,
        overlay: overlay(args)?,
        ..ExchangeOptions::default()
    };
    options.listen = args.listen.unwrap_or(options.listen);
    options.listen_websocket = args.listen_websocket.unwrap_or(options.listen_websocket);
    if args.refresh_times {
        options.refresh = Some(Arc::new(now_ms));
    }
    let tape = open(&args.tape)?;
    let outcome = runtime()?.block_on(async {
        let host = ExchangeHost::start(tape, options).await.map_err(|error| match error {
            ExchangeError::Tape(_) => bad(&args.tape, &error),
            ExchangeError::Rule(error) => rule(&error),
            ExchangeError::Bind { .. } => Failure::usage(error.to_string(), "choose another address, or port 0"),
        })?;
        // Before anybody is told that there is something to stop.
        let stop = super::signal::stop();
        let stop = stop.map_err(|error| Failure::Broken(format!("the system gives no signals: {error}")))?;
        let (rest, websocket) = (host.rest_url(), host.websocket_url());
        output.print(&format!(
            "playing {}\n\n  REST       {rest}\n  WebSocket  {websocket}\n\nStop with Ctrl-C.\n",
            args.tape.display()
        ))?;
        stop.await;
        Ok::<_, Failure>(host.stop())
    })?;
    Ok(told(&outcome, args.allow_unplayed, output))
}

/// On standard error: standard output may be the wire.
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

//! `rogue replay`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rogue_harness::cassette::{Header, Redactor};
use rogue_harness::replay::agent::{RerunError, Rules, Stand, rerun};
use rogue_harness::replay::exchange::{ExchangeError, ExchangeHost, ExchangeOptions};
use rogue_harness::replay::{Days, HttpHost, Outcome, Overlay, Player, check_age, serve, serve_guarded};
use rogue_harness::verdict::ExitClass;

use super::cassette::{bad, open, rule};
use super::record::now_ms;
use super::run::policy;
use crate::args::{Part, Replay, WhenOld};
use crate::find;
use crate::output::{Failure, Output};

pub(crate) fn replay(args: &Replay, folder: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    fresh(&args.tape, args.max_age, args.when_old, output)?;
    match args.part {
        Part::Upstream if args.listen.is_some() => upstream_http(args, output),
        Part::Upstream => upstream(args, output),
        Part::Exchange => exchange(args, output),
        Part::Agent => agent(args, folder, output),
    }
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    rogue_harness::run::runtime().map_err(|error| Failure::Broken(format!("the system gives no runtime: {error}")))
}

/// Holds a tape against the age that it may have.
pub(super) fn fresh(tape: &Path, allowed: Option<Days>, when_old: WhenOld, output: &mut Output) -> Result<(), Failure> {
    let Some(allowed) = allowed else { return Ok(()) };
    match check_age(open(tape)?.header(), allowed, now_ms()) {
        Err(expired) if when_old == WhenOld::Warn => output.note(&format!("warning: {}: {expired}", tape.display())),
        Err(expired) => return Err(bad(tape, &expired)),
        Ok(()) => {}
    }
    Ok(())
}

fn player(args: &Replay) -> Result<Player, Failure> {
    let redactor = Redactor::new(&args.rules).map_err(|error| rule(&error))?;
    let player =
        Player::new(open(&args.tape)?, args.repeat.into(), redactor).map_err(|error| bad(&args.tape, &error))?;
    Ok(player.with_overlay(overlay(args)?))
}

fn upstream_http(args: &Replay, output: &mut Output) -> Result<ExitClass, Failure> {
    if args.policy.is_some() {
        let remedy = "leave `--listen` out, or put a gateway in front of the address";
        return Err(Failure::usage("the gateway stands in front of a tape only on standard input".to_owned(), remedy));
    }
    let player = player(args)?;
    let listen = args.listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let outcome = runtime()?.block_on(async {
        let host = HttpHost::start(player, args.pace, listen).await.map_err(|error| {
            Failure::usage(format!("cannot listen on `{listen}`: {error}"), "choose another address, or port 0")
        })?;
        // Before anybody is told that there is something to stop.
        let stop = super::signal::stop();
        let stop = stop.map_err(|error| Failure::Broken(format!("the system gives no signals: {error}")))?;
        let (tape, url) = (args.tape.display(), host.url());
        output.print(&format!("playing {tape}\n\n  MCP  {url}\n\nStop with Ctrl-C.\n"))?;
        stop.await;
        Ok::<_, Failure>(host.stop())
    })?;
    Ok(told(&outcome, args.allow_unplayed, output))
}

fn upstream(args: &Replay, output: &mut Output) -> Result<ExitClass, Failure> {
    let player = player(args)?;
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
pub(super) fn told(outcome: &Outcome, allow_unplayed: bool, output: &mut Output) -> ExitClass {
    output.note(&outcome.to_string());
    if outcome.is_same(allow_unplayed) { ExitClass::Good } else { ExitClass::Breached }
}

fn agent(args: &Replay, folder: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    let rules = rules(&args.ignored)?;
    let tape = open(&args.tape)?;
    let stand = stand(&args.tape, tape.header(), args.policy.as_deref(), folder, output)?;
    let failed = |error: RerunError| rerun_failed(&args.tape, &error);
    let rerun = runtime()?.block_on(rerun(tape, &stand, &rules)).map_err(failed)?;
    output.print(&format!("{rerun}\n"))?;
    Ok(if rerun.differences.is_empty() { ExitClass::Good } else { ExitClass::Breached })
}

pub(super) fn rules(ignored: &[String]) -> Result<Rules, Failure> {
    let pointer = "see `rogue cassette show` for the messages of the tape";
    Rules::new(ignored).map_err(|error| Failure::usage(error.to_string(), pointer))
}

/// What the agent of a tape meets: what its scenario says, or a policy that is given.
pub(super) fn stand(
    tape: &Path,
    header: &Header,
    document: Option<&Path>,
    folder: Option<&Path>,
    output: &mut Output,
) -> Result<Stand, Failure> {
    let document = document.map(|path| policy(path, output)).transpose()?;
    let stand = if let Some(id) = &header.scenario {
        let loaded = find::all(&[], folder)?;
        let case = loaded.cases.iter().find(|case| case.scenario.id.value == *id).ok_or_else(|| {
            let remedy = "say where it is with `--scenarios DIR`";
            Failure::usage(format!("the tape is of the scenario `{id}`, which is not among the scenarios"), remedy)
        })?;
        Stand::of_scenario(header, case, document)
    } else {
        let document = document.ok_or_else(|| {
            let remedy = "say what the gateway is to enforce with `--policy FILE`";
            Failure::usage("the tape is of no scenario, so that there is no policy".to_owned(), remedy)
        })?;
        Stand::plain(header, document)
    };
    stand.map_err(|error| rerun_failed(tape, &error))
}

pub(super) fn rerun_failed(tape: &Path, error: &RerunError) -> Failure {
    match error {
        RerunError::Tape(_) | RerunError::NoAgent | RerunError::Exchange(_) | RerunError::NotSo(_) => bad(tape, error),
        RerunError::Target(_) | RerunError::Broken(_) => Failure::Broken(error.to_string()),
    }
}

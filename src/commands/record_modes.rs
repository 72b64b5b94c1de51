//! `rogue record` with a tape that is there.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use rogue_harness::cassette::{Header, Redactor, TapeReader, TapeWriter};
use rogue_harness::record::{Memory, Recorder, Speaks};
use rogue_harness::replay::agent::Rules;
use rogue_harness::replay::exchange::known;
use rogue_harness::replay::{
    HttpHost, LiveServer, Mode, Outcome, Pace, Plan, Player, Repeat, extend_stdio, verify as compare,
};
use rogue_harness::verdict::ExitClass;

use super::cassette::{Writer, bad, create, open, rule, writer};
use super::record::{anew, header, now_ms, proxied};
use super::replay::{fresh, replay, told};
use crate::args::{Part, Record, Repeats, Replay};
use crate::output::{Failure, Output};

/// What is done with the tape. To record is what this command is for, so that it does so unless told otherwise, or unless
/// nobody is there to look at what it recorded.
pub(super) fn plan(args: &Record) -> Result<Plan, Failure> {
    let mode = Mode::chosen_or(args.mode, Mode::All, |name| env::var(name).ok());
    let plan = mode.and_then(|mode| mode.plan(&args.output, args.output.exists()));
    plan.map_err(|error| Failure::usage(error.to_string(), "see `rogue record --help`"))
}

/// Plays the tape in place of the server.
pub(super) fn play(args: &Record, output: &mut Output) -> Result<u8, Failure> {
    let part = if args.exchange.is_some() { Part::Exchange } else { Part::Upstream };
    let played = Replay {
        part,
        tape: args.output.clone(),
        repeat: Repeats::Fail,
        allow_unplayed: false,
        pace: Pace::Instant,
        policy: None,
        ignored: Vec::new(),
        // A tape of a server over HTTP is played over HTTP.
        listen: args.listen.or(args.url.as_ref().map(|_| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))),
        listen_websocket: None,
        refresh_times: false,
        free_streams: false,
        overlay: None,
        max_age: args.max_age,
        when_old: args.when_old,
        rules: args.rules.clone(),
    };
    replay(&played, None, output).map(ExitClass::code)
}

/// Records beside the tape, and compares.
pub(super) fn verify(args: &Record, output: &mut Output) -> Result<u8, Failure> {
    fresh(&args.output, args.max_age, args.when_old, output)?;
    let tape = open(&args.output)?;
    let redactor = Redactor::new(&args.rules).map_err(|error| rule(&error))?;
    let memory = Memory::default();
    let out: Box<dyn std::io::Write + Send> = Box::new(memory.clone());
    anew(args, TapeWriter::new(out, &header(args), redactor)?, output)?;
    let today = memory.bytes();
    let today = TapeReader::new(today.as_slice()).map_err(|error| Failure::Broken(error.to_string()))?;
    let rules = Rules::default();
    let verification = compare(tape, today, &rules).map_err(|error| bad(&args.output, &error))?;
    output.note(&verification.to_string());
    Ok(if verification.is_same() { ExitClass::Good } else { ExitClass::Breached }.code())
}

/// Plays the tape, asks for what is not on it, and adds that.
pub(super) fn extend(args: &Record, output: &mut Output) -> Result<u8, Failure> {
    fresh(&args.output, args.max_age, args.when_old, output)?;
    // The tape is replaced only when everything has been written.
    let name = args.output.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let longer: PathBuf = args.output.with_file_name(format!(".new-{name}"));
    let extended = extended(args, &longer, output);
    if extended.is_err() {
        // What there is of it is of no use, and the tape is as it was.
        let _ = fs::remove_file(&longer);
        return extended;
    }
    let moved = fs::rename(&longer, &args.output);
    moved.map_err(|error| Failure::Broken(format!("`{}` cannot be replaced: {error}", args.output.display())))?;
    extended
}

fn extended(args: &Record, longer: &Path, output: &mut Output) -> Result<u8, Failure> {
    let redactor = || Redactor::new(&args.rules).map_err(|error| rule(&error));
    let player = || {
        let player = Player::new(open(&args.output)?, Repeat::Fail, redactor()?);
        player.map_err(|error| bad(&args.output, &error))
    };
    let recorder = Recorder::new(copied(args, longer)?, now_ms);
    let runtime = rogue_harness::run::runtime()
        .map_err(|error| Failure::Broken(format!("the system gives no runtime: {error}")))?;
    let class = if let Some(url) = &args.exchange {
        let known = known(open(&args.output)?, redactor()?).map_err(|error| bad(&args.output, &error))?;
        runtime.block_on(proxied(url, Speaks::Exchange, args.listen, &recorder, Some(known), output))?
    } else if let Some(url) = &args.url {
        let server = LiveServer::new(url, recorder.observer());
        let server = server.map_err(|error| Failure::usage(error.to_string(), "see `rogue record --help`"))?;
        let outcome = runtime.block_on(before(server, player()?, url, args.listen, output))?;
        told(&outcome, true, output).code()
    } else {
        let player = player()?;
        let (input, wire) = (tokio::io::stdin(), tokio::io::stdout());
        let extended = runtime.block_on(extend_stdio(player, &args.command, input, wire, recorder.observer()));
        let outcome = extended.map_err(|error| Failure::Broken(format!("the session broke: {error}")))?;
        // Nobody has to ask for everything again in order to add something.
        if outcome.is_same(true) { ExitClass::Good.code() } else { ExitClass::Breached.code() }
    };
    runtime.shutdown_background();
    let finished = recorder.finish();
    finished.map_err(|error| Failure::Broken(format!("`{}` cannot be written: {error}", longer.display())))?;
    Ok(class)
}

/// Plays the tape over HTTP, and asks the server at `url` for what is not on it, until it is told to stop.
async fn before(
    server: LiveServer,
    player: Player,
    url: &str,
    listen: Option<SocketAddr>,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let listen = listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let host = HttpHost::start_before(server, player, listen).await.map_err(|error| {
        Failure::usage(format!("cannot listen on `{listen}`: {error}"), "choose another address, or port 0")
    })?;
    // Before anybody is told that there is something to stop.
    let stop = super::signal::stop();
    let stop = stop.map_err(|error| Failure::Broken(format!("the system gives no signals: {error}")))?;
    let at = host.url();
    output.print(&format!("adding to the tape what it lacks, from {url}\n\n  MCP  {at}\n\nStop with Ctrl-C.\n"))?;
    stop.await;
    Ok(host.stop_before().await)
}

/// A new tape with everything that is on the old one.
fn copied(args: &Record, longer: &Path) -> Result<Writer, Failure> {
    let tape = open(&args.output)?;
    let header = Header { writer: writer(), ..tape.header().clone() };
    let mut copy = create(longer, &header, &args.rules)?;
    for message in tape {
        copy.copy(message.map_err(|error| bad(&args.output, &error))?, Some)?;
    }
    Ok(copy)
}

//! `rogue record` with a tape that is there.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use rogue_harness::cassette::{Header, Redactor, TapeReader, TapeWriter};
use rogue_harness::record::{Memory, Recorder, Speaks};
use rogue_harness::replay::agent::Rules;
use rogue_harness::replay::exchange::known;
use rogue_harness::replay::{Mode, Pace, Plan, Player, Repeat, extend_stdio, verify as compare};
use rogue_harness::verdict::ExitClass;

use super::cassette::{Writer, bad, create, open, rule, writer};
use super::record::{anew, header, now_ms, proxied};
use super::replay::{fresh, replay};
use crate::args::{Part, Record, Repeats, Replay};
use crate::output::{Failure, Output};

/// What is done with the tape. To record is what this command is for, so that it does so unless told otherwise.
pub(super) fn plan(args: &Record) -> Result<Plan, Failure> {
    let asked = Some(args.mode.unwrap_or(Mode::All));
    let mode = Mode::chosen(asked, |name| env::var(name).ok());
    let plan = mode.and_then(|mode| mode.plan(&args.output, args.output.exists()));
    plan.map_err(|error| Failure::usage(error.to_string(), "see `rogue record --help`"))
}

fn over_http() -> Failure {
    let remedy = "record it anew with `--mode all`, or start the server on standard input and output";
    Failure::usage("a tape of an MCP server over HTTP cannot be added to".to_owned(), remedy)
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
    if args.url.is_some() {
        return Err(over_http());
    }
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
    let recorder = Recorder::new(copied(args, longer)?, now_ms);
    let runtime = rogue_harness::run::runtime()
        .map_err(|error| Failure::Broken(format!("the system gives no runtime: {error}")))?;
    let class = if let Some(url) = &args.exchange {
        let known = known(open(&args.output)?, redactor()?).map_err(|error| bad(&args.output, &error))?;
        runtime.block_on(proxied(url, Speaks::Exchange, args.listen, &recorder, Some(known), output))?
    } else {
        let player = Player::new(open(&args.output)?, Repeat::Fail, redactor()?);
        let player = player.map_err(|error| bad(&args.output, &error))?;
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

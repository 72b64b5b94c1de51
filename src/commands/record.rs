//! `rogue record`.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitStatus;
use std::time::{SystemTime, UNIX_EPOCH};

use rogue_harness::cassette::Header;
use rogue_harness::record::{Known, Proxy, Recorder, Speaks, record_stdio};
use rogue_harness::replay::Plan;
use rogue_harness::verdict::ExitClass;

use super::cassette::{Writer, create, writer};
use super::record_modes;
use crate::args::Record;
use crate::output::{Failure, Output};

pub(crate) fn record(args: &Record, output: &mut Output) -> Result<u8, Failure> {
    match record_modes::plan(args)? {
        Plan::Record => {
            let header = header(args);
            anew(args, create(&args.output, &header, &args.rules)?, output)
        }
        Plan::Play => record_modes::play(args, output),
        Plan::Extend => record_modes::extend(args, output),
        Plan::Verify => record_modes::verify(args, output),
    }
}

/// The header of a tape that begins now.
pub(super) fn header(args: &Record) -> Header {
    let target = match (&args.url, &args.exchange) {
        (Some(url), _) | (None, Some(url)) => url.clone(),
        // A command line may hold credentials: only its program is named.
        (None, None) => args.command.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default(),
    };
    Header { target: Some(target), ..Header::new(writer(), now_ms()) }
}

/// Records onto a tape.
pub(super) fn anew(args: &Record, tape: Writer, output: &mut Output) -> Result<u8, Failure> {
    let runtime = rogue_harness::run::runtime()
        .map_err(|error| Failure::Broken(format!("the system gives no runtime: {error}")))?;
    let recorder = Recorder::new(tape, now_ms);
    let class = runtime.block_on(async {
        match (&args.url, &args.exchange) {
            (Some(url), _) => proxied(url, Speaks::Mcp, args.listen, &recorder, None, output).await,
            (None, Some(url)) => proxied(url, Speaks::Exchange, args.listen, &recorder, None, output).await,
            (None, None) => stdio(args, &recorder).await,
        }
    });
    // An agent that goes away leaves its own end of standard input open; a thread waits for it.
    runtime.shutdown_background();
    recorder.finish().map_err(|error| {
        Failure::Broken(format!("`{}` was cut off, because it cannot be written: {error}", args.output.display()))
    })?;
    class
}

async fn stdio(args: &Record, recorder: &Recorder) -> Result<u8, Failure> {
    let recorded = record_stdio(&args.command, tokio::io::stdin(), tokio::io::stdout(), recorder.observer()).await;
    match recorded {
        Ok(status) => Ok(of(status)),
        Err(error) => Err(Failure::usage(
            format!("the server cannot be started: {error}"),
            "write the command that starts it after `--`, such as `rogue record -o tape.jsonl -- my-server`",
        )),
    }
}

/// The recorder ends as the server did.
fn of(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

pub(super) async fn proxied(
    url: &str,
    speaks: Speaks,
    listen: Option<SocketAddr>,
    recorder: &Recorder,
    known: Option<Known>,
    output: &mut Output,
) -> Result<u8, Failure> {
    let listen = listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let proxy = Proxy::start_knowing(listen, url, speaks, recorder.observer(), known)
        .await
        .map_err(|error| Failure::usage(error.to_string(), "see `rogue record --help`"))?;
    output.print(&format!("recording {url}\n\n  point clients at  {}\n\nStop with Ctrl-C.\n", proxy.url()))?;
    let waited = super::signal::stopped().await;
    waited.map_err(|error| Failure::Broken(format!("the system gives no signals: {error}")))?;
    Ok(ExitClass::Good.code())
}

pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

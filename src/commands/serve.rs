//! `rogue serve`.

use std::collections::BTreeMap;
use std::path::Path;

use rogue_harness::run::runtime;
use rogue_harness::scenario::{Case, Dec, ExchangeSetup, Problem};
use rogue_harness::serve::{HttpError, HttpFront, ServeError, ServeSetup, Served, Summary, Time};
use rogue_harness::verdict::ExitClass;
use serde_json::{Value, json};

use super::run::policy;
use super::serve_config::{absolute, of_stdio, of_url};
use crate::args::{ClockChoice, Serve};
use crate::find;
use crate::output::{Failure, Output};

/// The shipped policy, so that the command needs no checkout beside it.
const SHIPPED: &str = include_str!("../../scenarios/policies/binance.json");

pub(crate) fn serve(args: &Serve, folder: Option<&Path>, output: &mut Output) -> Result<ExitClass, Failure> {
    let case = args.scenario.as_deref().map(|id| scenario(id, folder)).transpose()?;
    let setup = setup(args, case.as_ref(), output)?;
    if args.print_config {
        let config = match args.listen {
            Some(address) if address.port() == 0 => {
                return Err(Failure::usage(
                    "the system chooses the port only when the endpoint is there".to_owned(),
                    "name a port, such as `--listen 127.0.0.1:8700`",
                ));
            }
            Some(address) => of_url(&format!("http://{address}/mcp")),
            None => of_stdio(args, folder)?,
        };
        output.print(&format!("{config:#}\n"))?;
        return Ok(ExitClass::Good);
    }
    let runtime = runtime().map_err(|error| Failure::Broken(format!("the system gives no runtime: {error}")))?;
    let ended = runtime.block_on(async {
        match args.listen {
            None => stdio(args, folder, setup, output).await,
            Some(address) => http(args, setup, address, output).await,
        }
    });
    // An agent that goes away leaves its own end of standard input open; a thread waits for it.
    runtime.shutdown_background();
    let (summary, broken) = ended?;
    if args.json {
        output.note(&json!({ "ended": summary }).to_string());
    } else {
        output.note(summary.text().trim_end());
    }
    broken.map_or(Ok(ExitClass::Good), Err)
}

/// The summary, and why it came too early if it did.
type Ended = Result<(Summary, Option<Failure>), Failure>;

async fn stdio(args: &Serve, folder: Option<&Path>, setup: ServeSetup, output: &mut Output) -> Ended {
    let config = of_stdio(args, folder)?;
    let served = Served::start(setup).await.map_err(|error| failed(args, &error))?;
    greet(args, &served, &config, "standard input and output", output);
    let stop = async {
        // A system without signals cannot interrupt; the end of the input still ends it.
        if super::signal::stopped().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let session = served.serve(tokio::io::stdin(), tokio::io::stdout(), stop).await;
    let broken = session.err().map(|error| failed(args, &error));
    Ok((served.finish().map_err(|error| failed(args, &error))?, broken))
}

async fn http(args: &Serve, setup: ServeSetup, address: std::net::SocketAddr, output: &mut Output) -> Ended {
    let served = Served::start(setup).await.map_err(|error| failed(args, &error))?;
    let front = HttpFront::start(served.clone(), address).await.map_err(|error: HttpError| {
        Failure::usage(error.to_string(), "write `--listen 127.0.0.1:PORT`; port 0 lets the system choose")
    })?;
    greet(args, &served, &of_url(&front.url()), &front.url(), output);
    let stopped = super::signal::stopped().await;
    front.stop().await;
    let broken = stopped.err().map(|error| Failure::Broken(format!("the system gives no signals: {error}")));
    Ok((served.finish().map_err(|error| failed(args, &error))?, broken))
}

/// Says what there is to know before the first call.
fn greet(args: &Serve, served: &Served, config: &Value, place: &str, output: &mut Output) {
    let standing = served.standing();
    let tape = args.output.as_ref();
    if args.json {
        let said = json!({ "serving": { "on": place, "standing": standing, "tape": tape, "client": config } });
        return output.note(&said.to_string());
    }
    let tape = tape.map_or_else(String::new, |tape| format!("  tape      {}\n", tape.display()));
    output.note(&format!(
        "serving on {place}\n\n{}{tape}\nfor an MCP client's configuration:\n\n{config:#}\n\nCtrl-C ends it.",
        standing.text()
    ));
}

fn failed(args: &Serve, error: &ServeError) -> Failure {
    match (error, &args.output) {
        (ServeError::Tape(_) | ServeError::Cut { .. }, Some(path)) => {
            Failure::Files(vec![Problem::error("tape", path, error.to_string())])
        }
        (ServeError::Rule(_), _) => {
            Failure::usage(error.to_string(), "write a regular expression, such as 'desk-[0-9]+'")
        }
        (ServeError::Exchange(_), _) => Failure::usage(error.to_string(), "see `rogue serve --help`"),
        _ => Failure::Broken(error.to_string()),
    }
}

fn scenario(id: &str, folder: Option<&Path>) -> Result<Case, Failure> {
    let loaded = find::all(&[], folder)?;
    let found = loaded.cases.into_iter().find(|case| case.scenario.id.value == id);
    found.ok_or_else(|| Failure::usage(format!("there is no scenario `{id}`"), "see `rogue list`"))
}

fn setup(args: &Serve, case: Option<&Case>, output: &mut Output) -> Result<ServeSetup, Failure> {
    let mut exchange = case.map_or_else(ExchangeSetup::default, |case| case.scenario.exchange.clone());
    let chosen = |pairs: &[(String, Dec)], into: &mut BTreeMap<String, Dec>| {
        if !pairs.is_empty() {
            *into = pairs.iter().cloned().collect();
        }
    };
    chosen(&args.balances, &mut exchange.balances);
    chosen(&args.prices, &mut exchange.prices);
    if let Some(seed) = args.seed {
        exchange.seed = seed;
    }
    let time = match args.clock {
        ClockChoice::Machine => Time::Machine,
        ClockChoice::Standing => Time::Standing,
        ClockChoice::At(moment) => {
            exchange.clock = moment;
            Time::Standing
        }
    };
    let policy = match (&args.policy, case) {
        (Some(path), _) => policy(path, output)?,
        (None, Some(case)) => case.policy.clone(),
        (None, None) => SHIPPED.into(),
    };
    let tape = args.output.as_deref().map(absolute).transpose()?;
    Ok(ServeSetup { exchange, time, markets: args.markets.clone(), policy, tape, redact: args.redact.clone() })
}

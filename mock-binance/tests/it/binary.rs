//! The `mock-binance` command.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

pub(crate) struct Running {
    child: Child,
    said: Vec<String>,
    pub(crate) facts: BTreeMap<String, String>,
}

pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-binance"));
    command.env_remove("MOCK_BINANCE_API_KEY").env_remove("MOCK_BINANCE_SECRET");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts it and reads until it has said all.
pub(crate) fn start(command: &mut Command) -> Running {
    let mut child = command.spawn().unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let last = line.starts_with("Stop with");
        said.push(line);
        if last {
            break;
        }
    }
    let facts = ["REST", "WebSocket", "API key", "secret"]
        .into_iter()
        .map(|name| {
            let line = said.iter().find(|line| line.trim_start().starts_with(name)).expect(name);
            (name.to_owned(), line.split_whitespace().last().unwrap().to_owned())
        })
        .collect();
    Running { child, said, facts }
}

pub(crate) fn stop(mut running: Running, signal: &str) -> Option<i32> {
    let id = running.child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    running.child.wait().unwrap().code()
}

#[tokio::test]
async fn it_serves_and_stops_on_either_signal() {
    for signal in ["-INT", "-TERM"] {
        let running = start(&mut command());
        let url = &running.facts["REST"];
        let answer = reqwest::get(format!("{url}/api/v3/ping")).await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "{}");
        let (_socket, _) =
            tokio_tungstenite::connect_async(format!("{}/ws", running.facts["WebSocket"])).await.unwrap();
        assert_eq!(stop(running, signal), Some(0), "{signal}");
    }
}

#[test]
fn the_example_works_as_printed() {
    let running = start(command().args(["--seed", "9", "--price", "BTCUSDT=65000", "--balance", "USDT=500"]));
    let lines: Vec<&str> = running.said.iter().map(|line| line.trim()).collect();
    let from = lines.iter().position(|line| line.starts_with("query=")).unwrap();
    let to = lines.iter().position(|line| line.starts_with("curl ")).unwrap();
    let script = lines[from..=to].join("\n");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let answer: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(answer["status"], "FILLED");
    assert_eq!(answer["fills"][0]["price"], "65006.50000000");
    assert_eq!(running.facts["API key"], mock_binance::Account::generated(9).api_key());
    assert_eq!(stop(running, "-TERM"), Some(0));
}

#[test]
fn credentials_of_one_s_own_are_not_repeated() {
    let running = start(command().env("MOCK_BINANCE_API_KEY", "my-own-key").env("MOCK_BINANCE_SECRET", "hush-hush"));
    let said = running.said.join("\n");
    assert!(!said.contains("hush-hush") && !said.contains("my-own-key"), "{said}");
    assert_eq!(stop(running, "-TERM"), Some(0));
}

#[test]
fn a_public_key_takes_the_place_of_the_secret() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("account.pem");
    std::fs::write(&file, crate::public_keys::pem(1)).unwrap();
    let running = start(command().arg("--public-key").arg(&file));
    let said = running.said.join("\n");
    assert!(said.contains("Sign with your private key") && !said.contains("-hmac"), "{said}");
    assert_eq!(running.facts["API key"], mock_binance::Account::generated(1).api_key());
    assert_eq!(stop(running, "-TERM"), Some(0));
    let both = command().args(["--secret", "hush", "--api-key", "k", "--public-key"]).arg(&file).output().unwrap();
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn what_cannot_start_says_why() {
    for (arguments, expected) in [
        (
            &["--price", "DOGEUSDT=1"] as &[&str],
            "there is no symbol `DOGEUSDT` to give a price to: the symbols are BTCUSDT",
        ),
        (&["--price", "BTCUSDT=0"], "the price of `BTCUSDT` is `0`: give one above zero"),
        (&["--balance", "DOGE=1"], "there is no asset `DOGE` to put into `account-1`"),
        (&["--balance", "USDT=ten"], "the balance of USDT in account-1 is `ten`"),
        (&["--symbols", "no/such/file"], "cannot read the symbols in `no/such/file`"),
        (&["--fault", "no/such/file"], "`no/such/file`: cannot read the fault"),
        (&["--fault", "tests/data/most_hit_errors.json"], "`tests/data/most_hit_errors.json`: "),
        (&["--replay", "BTCUSDT=no/such/file"], "cannot read the recording `no/such/file`"),
        (
            &["--replay", "BTCUSDT=Cargo.toml"],
            "`Cargo.toml`, line 1: the number of columns is 1: give a file with 7 (trades)",
        ),
        (&["--replay", "BTCUSDT=klines:recordings/trades.csv"], "line 1: there are 7 columns, and klines have 12"),
        (&["--listen", "192.0.2.1:1"], "cannot listen on `192.0.2.1:1`"),
        (&["--control", "0.0.0.0:0"], "give it a loopback address, such as 127.0.0.1:0"),
        (&["--journal-cap", "1000"], "a journal of 1000 bytes is too small: give it at least 65536"),
        (&["--public-key", "no/such/file"], "cannot read the public key in `no/such/file`"),
        (&["--public-key", "Cargo.toml"], "cannot use the public key of account `account-1`: it is no PEM"),
    ] {
        let mut child = command().args(arguments).spawn().unwrap();
        let mut error = String::new();
        child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        assert!(error.contains(expected), "{error}");
        assert_eq!(child.wait().unwrap().code(), Some(1));
    }
}

/// The text between a line of three backticks and a word, and the next three.
pub(crate) fn block<'a>(document: &'a str, kind: &str) -> &'a str {
    let (_, rest) = document.split_once(&format!("```{kind}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_control_interface_does_what_its_page_shows() {
    let page = std::fs::read_to_string("../docs/control.md").unwrap();
    let running = start(command().args(["--control", "127.0.0.1:0", "--clock", "manual=1767571200000"]));
    let said = running.said.join("\n");
    assert!(said.contains("stands at 1767571200000"), "{said}");
    let line = running.said.iter().find(|line| line.trim_start().starts_with("control")).unwrap();
    let url = line.split_whitespace().last().unwrap();
    let script = block(&page, "sh").replace("http://127.0.0.1:9000", url);
    let output = Command::new("sh").args(["-eu", "-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), block(&page, "json"), "{:?}", output.stderr);
    assert_eq!(stop(running, "-TERM"), Some(0));
}

#[tokio::test]
async fn limits_are_those_that_were_asked_for() {
    let limits = ["--limit", "request-weight=40", "--limit", "orders-10s=3", "--ban-after", "1", "--clock", "manual"];
    let running = start(command().args(limits));
    let url = format!("{}/api/v3/exchangeInfo?symbol=BTCUSDT", running.facts["REST"]);
    let told: serde_json::Value =
        serde_json::from_str(&reqwest::get(&url).await.unwrap().text().await.unwrap()).unwrap();
    let of =
        |kind: &str| told["rateLimits"].as_array().unwrap().iter().find(|row| row["rateLimitType"] == kind).unwrap();
    assert_eq!((&of("REQUEST_WEIGHT")["limit"], &of("ORDERS")["limit"]), (&40.into(), &3.into()));
    let mut statuses = vec![];
    for _ in 0..4 {
        statuses.push(reqwest::get(&url).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 429, 418, 418]);
    assert_eq!(stop(running, "-TERM"), Some(0));
}

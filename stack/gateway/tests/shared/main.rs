//! Real gateways that share a real store: `just shared`.
//!
//! Each test starts a server of its own, on a free port and in a folder of its own. They are ignored by default because
//! `redis-server` (or another that `SHARED_STORE_SERVER` names, such as `valkey-server`) is not on every machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod store;
mod windows;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use store::Store;

/// One call for each set of arguments, whoever makes it.
const ONCE: &str = r#"{"version": "2", "default": "deny", "manifest": "binance-mcp", "tools": {"bn_recent_trades":
    {"limits": [{"counter": "once", "window": "hour", "max": 1, "scope": "server", "each": "arguments"}]}}}"#;

fn at_most(max: u64, scope: &str) -> String {
    format!(
        r#"{{"version": "2", "default": "deny", "manifest": "binance-mcp", "tools": {{"bn_ping": {{}}, "bn_recent_trades":
            {{"limits": [{{"counter": "trades", "window": "hour", "max": {max}, "scope": "{scope}"}}]}}}}}}"#
    )
}

/// However busy the machine is.
const PATIENT: [&str; 4] = ["--server", "s", "--shared-store-timeout", "60000"];

/// A gateway in front of a server that answers whatever it is asked.
struct Gateway {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    folder: tempfile::TempDir,
}

impl Gateway {
    fn start(store: &Store, policy: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("policy.json"), policy).unwrap();
        let answers =
            r#"s/.*"id":\([0-9]*\),"method":"tools\/call".*/{"jsonrpc":"2.0","id":\1,"result":{"content":[]}}/p"#;
        let mut child = Command::new(env!("CARGO_BIN_EXE_mcp-gateway"))
            .arg("--policy")
            .arg(folder.path().join("policy.json"))
            .arg("--audit")
            .arg(folder.path().join("audit.jsonl"))
            .args(["--shared-store", &store.address()])
            .args(flags)
            .args(["--", "sed", "-u", "-n", answers])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output, folder }
    }

    fn send(&mut self, id: u64, arguments: &Value) {
        let frame = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
                           "params": {"name": "bn_recent_trades", "arguments": arguments}});
        writeln!(self.input, "{frame}").unwrap();
    }

    /// Which call was answered, and the reason if it was denied.
    fn hear(&mut self) -> (u64, Option<String>) {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let answer: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?} {}", self.log()));
        let reason = answer["result"]["structuredContent"]["reason"].as_str();
        (answer["id"].as_u64().unwrap(), reason.map(str::to_owned))
    }

    fn call(&mut self) -> Option<String> {
        self.send(1, &json!({"symbol": "BTCUSDT"}));
        self.hear().1
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// All that it has written anywhere.
    fn traces(&self) -> String {
        self.log() + &fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs redis-server"]
fn four_gateways_admit_each_last_unit_once() {
    const ROUNDS: u64 = 500;
    let store = Store::start(&[]);
    let mut gateways: Vec<Gateway> = (0..4).map(|_| Gateway::start(&store, ONCE, &PATIENT)).collect();
    // All of them are there, and then each has a call for each unit.
    for (number, gateway) in gateways.iter_mut().enumerate() {
        gateway.send(0, &json!({"symbol": "ETHUSDT", "limit": number + 1}));
        assert_eq!(gateway.hear(), (0, None));
    }
    for round in 0..ROUNDS {
        for gateway in &mut gateways {
            gateway.send(round, &json!({"symbol": "BTCUSDT", "limit": round + 1}));
        }
    }
    let mut passed: BTreeMap<u64, u64> = BTreeMap::new();
    let mut by_gateway = Vec::new();
    for gateway in &mut gateways {
        let mut own = 0;
        for _ in 0..ROUNDS {
            match gateway.hear() {
                (round, None) => {
                    *passed.entry(round).or_default() += 1;
                    own += 1;
                }
                (_, Some(reason)) => assert_eq!(reason, "limit_reached"),
            }
        }
        by_gateway.push(own);
    }
    assert_eq!(passed, (0..ROUNDS).map(|round| (round, 1)).collect(), "{by_gateway:?}");
    assert!(by_gateway.iter().filter(|own| **own > 0).count() > 1, "there was no race: {by_gateway:?}");
}

#[test]
#[ignore = "needs redis-server"]
fn together_they_spend_exactly_what_there_is() {
    let store = Store::start(&[]);
    let mut gateways: Vec<Gateway> = (0..4).map(|_| Gateway::start(&store, &at_most(150, "grant"), &PATIENT)).collect();
    for id in 0..100 {
        for gateway in &mut gateways {
            gateway.send(id, &json!({"symbol": "BTCUSDT"}));
        }
    }
    let heard = gateways.iter_mut().flat_map(|gateway| (0..100).map(|_| gateway.hear().1).collect::<Vec<_>>());
    let reasons: Vec<Option<String>> = heard.collect();
    assert_eq!(reasons.iter().filter(|reason| reason.is_none()).count(), 150);
    assert!(reasons.iter().flatten().all(|reason| reason == "limit_reached"), "{reasons:?}");
}

#[test]
#[ignore = "needs redis-server"]
fn servers_share_nothing_unless_the_policy_says_so() {
    let store = Store::start(&[]);
    for (scope, expected) in
        [("grant", vec![true, true]), ("server", vec![true, true]), ("organisation", vec![true, false])]
    {
        let passed = ["one", "two"]
            .map(|server| Gateway::start(&store, &at_most(1, scope), &["--server", server]).call().is_none());
        assert_eq!(passed.to_vec(), expected, "{scope}");
    }
    // Grants of one server count for themselves as ever, and what was counted outlives the gateways.
    for (grant, passes) in [("a", true), ("b", true), ("a", false)] {
        let flags = ["--server", "three", "--grant", grant];
        assert_eq!(Gateway::start(&store, &at_most(1, "grant"), &flags).call().is_none(), passes, "{grant}");
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_store_that_is_gone_denies_until_it_is_back() {
    let mut store = Store::start(&[]);
    let mut gateway = Gateway::start(&store, &at_most(3, "grant"), &["--server", "s"]);
    assert_eq!(gateway.call(), None);
    store.kill();
    for _ in 0..3 {
        assert_eq!(gateway.call().as_deref(), Some("shared_store_unavailable"));
    }
    store.begin();
    // The connection is found to be lost by a call or two.
    let mut tries = 0;
    while gateway.call().is_some() {
        tries += 1;
        assert!(tries < 100, "{}", gateway.log());
    }
    assert_eq!(gateway.call(), None, "what was denied was not charged");
    assert_eq!(gateway.call().as_deref(), Some("limit_reached"), "what was charged before is remembered");
    // One that is started while nothing is there comes to it all the same.
    store.kill();
    let mut late = Gateway::start(&store, &at_most(3, "grant"), &["--server", "other"]);
    assert_eq!(late.call().as_deref(), Some("shared_store_unavailable"));
    store.begin();
    let mut tries = 0;
    while late.call().is_some() {
        tries += 1;
        assert!(tries < 100, "{}", late.log());
    }
}

#[test]
#[ignore = "needs redis-server"]
fn a_store_that_hangs_denies_in_time_and_what_it_charged_stays() {
    let store = Store::start(&[]);
    let mut gateway = Gateway::start(&store, &at_most(4, "grant"), &["--server", "s", "--shared-store-timeout", "150"]);
    assert_eq!(gateway.call(), None);
    store.signal("-STOP");
    for _ in 0..2 {
        assert_eq!(gateway.call().as_deref(), Some("shared_store_unavailable"));
    }
    store.signal("-CONT");
    let mut passed = 1;
    for _ in 0..100 {
        match gateway.call().as_deref() {
            None => passed += 1,
            Some("limit_reached") => break,
            Some(reason) => assert_eq!(reason, "shared_store_unavailable"),
        }
    }
    assert!((2..=4).contains(&passed), "{passed}");
}

#[test]
#[ignore = "needs redis-server"]
fn what_cannot_be_read_denies() {
    let store = Store::start(&[]);
    let mut gateway = Gateway::start(&store, &at_most(2, "grant"), &["--server", "s"]);
    assert_eq!(gateway.call(), None);
    let mut redis = store.connect();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis).unwrap();
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    let whole: BTreeMap<String, String> = redis::cmd("HGETALL").arg(key).query(&mut redis).unwrap();
    let damage: [(&str, Vec<&str>); 7] = [
        ("SET", vec!["x"]),
        ("RPUSH", vec!["x"]),
        ("HSET", vec!["m", "1:1:3600000:0"]),
        ("HSET", vec!["m", "1:1:3600000:0:-1"]),
        ("HSET", vec!["m", "1:9:3600000:0:1"]),
        ("HSET", vec!["1", "now:0:1"]),
        ("HDEL", vec!["m"]),
    ];
    for (command, arguments) in damage {
        if command == "SET" || command == "RPUSH" {
            redis::cmd("DEL").arg(key).exec(&mut redis).unwrap();
        }
        redis::cmd(command).arg(key).arg(&arguments).exec(&mut redis).unwrap();
        assert_eq!(gateway.call().as_deref(), Some("shared_store_damaged"), "{command} {arguments:?}");
        redis::cmd("DEL").arg(key).exec(&mut redis).unwrap();
        redis::cmd("HSET")
            .arg(key)
            .arg(whole.iter().flat_map(|(k, v)| [k, v]).collect::<Vec<_>>())
            .exec(&mut redis)
            .unwrap();
    }
    assert_eq!(gateway.call(), None, "a denied call charges nothing");
    assert_eq!(gateway.call().as_deref(), Some("limit_reached"));
}

#[test]
#[ignore = "needs redis-server"]
fn a_call_is_one_round_trip() {
    let store = Store::start(&[]);
    let mut gateway = Gateway::start(&store, &at_most(50, "grant"), &["--server", "s"]);
    assert_eq!(gateway.call(), None);
    let mut redis = store.connect();
    let mut monitor = BufReader::new(TcpStream::connect(("127.0.0.1", store.port())).unwrap());
    monitor.get_mut().write_all(b"MONITOR\r\n").unwrap();
    let mut line = String::new();
    monitor.read_line(&mut line).unwrap();
    assert_eq!(line, "+OK\r\n");
    for call in 0..60 {
        assert_eq!(gateway.call().is_none(), call < 49);
    }
    redis::cmd("ECHO").arg("the-end").exec(&mut redis).unwrap();
    let lines = monitor.lines().map(Result::unwrap).take_while(|line| !line.contains("the-end"));
    // What a script does inside is no trip.
    let trips: Vec<String> = lines.filter(|line| !line.contains(" lua]")).collect();
    // The guard of its own refuses what it has counted itself, without asking.
    assert_eq!(trips.len(), 49, "{trips:#?}");
    assert!(trips.iter().all(|trip| trip.contains("\"EVALSHA\"")), "{trips:#?}");
    // A store that has forgotten the script is told it again.
    redis::cmd("SCRIPT").arg("FLUSH").exec(&mut redis).unwrap();
    let mut other = Gateway::start(&store, &at_most(60, "grant"), &["--server", "s"]);
    assert_eq!(other.call(), None);
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis).unwrap();
    let left: i64 = redis::cmd("PTTL").arg(&keys[0]).query(&mut redis).unwrap();
    assert!(keys.len() == 1 && (1..=3_700_000).contains(&left), "{keys:?} end in {left} ms");
}

#[test]
#[ignore = "needs redis-server"]
fn the_password_opens_the_store_and_is_told_to_nobody() {
    let store = Store::start(&["--requirepass", "canary-password"]);
    let secret = tempfile::NamedTempFile::new().unwrap();
    for (password, expected) in [("canary-password", None), ("canary-wrong", Some("shared_store_unavailable"))] {
        fs::write(secret.path(), format!("{password}\n")).unwrap();
        let flags =
            ["--server", "s", "--shared-store-password-file", secret.path().to_str().unwrap(), "--log", "trace"];
        let mut gateway = Gateway::start(&store, &at_most(1, "grant"), &flags);
        assert_eq!(gateway.call().as_deref(), expected, "{}", gateway.log());
        assert!(!gateway.traces().contains("canary"), "{}", gateway.traces());
    }
}

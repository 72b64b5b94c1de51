//! Gateways that are killed at some moment, over and over.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::{Place, Served, call};

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        Self(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// Runs a gateway, hands it `input`, and kills it after some of its answers and words of its server, and a moment more.
/// All that either said.
fn killed(mut command: Command, input: &str, dice: &mut Dice, words_max: u64) -> Vec<String> {
    let (words, mouth) = std::io::pipe().unwrap();
    let mut child = command.stdout(mouth.try_clone().unwrap()).stderr(mouth).spawn().unwrap();
    // The command holds the ends of the pipe as well.
    drop(command);
    let mut frames = child.stdin.take().unwrap();
    // A gateway that was killed early takes no more.
    let _ = frames.write_all(input.as_bytes());
    let mut words = BufReader::new(words).lines();
    let mut said: Vec<String> =
        words.by_ref().take(usize::try_from(dice.below(words_max)).unwrap()).map(Result::unwrap).collect();
    for _ in 0..dice.below(200_000) {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(frames);
    // They end when the server has ended.
    said.extend(words.map(Result::unwrap));
    said
}

fn durability(kill: u64) -> [&'static str; 2] {
    ["--durability", if kill.is_multiple_of(4) { "power" } else { "process" }]
}

/// Spends from a budget through gateways that are killed, and returns how many calls reached the server in all.
fn spend(place: &Place, flags: &[&str], kills: u64) -> u64 {
    // Says a word for each call that reaches it, and never answers.
    let server = r#"while read -r line; do case "$line" in *tools/call*) echo got;; esac; done >&2"#;
    let calls = (0..24).map(|id| call(id, "echo").to_string()).collect::<Vec<_>>().join("\n") + "\n";
    let mut dice = Dice::new();
    let mut reached = 0;
    for kill in 0..kills {
        let mut command = place.gateway(flags);
        command.args(durability(kill)).args(["--", "sh", "-c", server]);
        let said = killed(command, &calls, &mut dice, 20);
        reached += said.iter().filter(|word| *word == "got").count() as u64;
    }
    reached
}

fn budget(max: u64) -> Place {
    Place::new(&format!(
        r#"{{"version": "1", "default": "deny", "tools": {{"echo": {{"limits":
            [{{"counter": "echo", "window": "day", "max": {max}, "scope": "grant"}}]}}}}}}"#
    ))
}

pub(crate) fn spending() {
    const MAX: u64 = 700;
    let place = budget(MAX);
    let (state, audit) = (place.path("state"), place.path("audit.jsonl"));
    let flags = ["--state", state.to_str().unwrap(), "--audit", audit.to_str().unwrap(), "--server", "s"];
    let reached = spend(&place, &flags, 200);
    assert!(reached > 0 && reached <= MAX, "{reached} calls reached the server, {MAX} may");

    let dir = mcp_gateway::StateDir::new(&state, mcp_gateway::Durability::Power).unwrap();
    let reserved = mcp_gateway::Ledger::open(&dir, "s").unwrap().reserved(0).unwrap().len() as u64;
    assert!(reserved >= reached, "{reached} calls reached the server, and {reserved} are reserved");
    assert_eq!(reserved, MAX, "the kills have used the budget up");
    // The audit came through as well: whole, and with a record of every call that reached the server.
    let files = mcp_gateway::trail::files(&audit).unwrap();
    let verified = mcp_gateway::trail::verify(&files, None).unwrap();
    assert!(verified.finding.is_none(), "{verified:?}");
    let entries = mcp_gateway::trail::entries(&files).unwrap().entries;
    let allowed = entries.iter().filter(|entry| entry.text("decision") == Some("allow")).count() as u64;
    assert!(allowed >= reached && allowed <= reserved, "{reached} reached, {allowed} on record, {reserved} reserved");
}

pub(crate) fn spending_without_state() {
    let place = budget(20);
    assert!(spend(&place, &["--audit", "/dev/null"], 20) > 20, "what the test above would see");
}

const OPEN_MAX: usize = 24;

const DESK: &str = r#"{"version": "2", "default": "deny", "manifest": "binance-mcp", "tools": {
    "bn_new_order": {"open_orders": [{"max": 24}]},
    "bn_cancel_order": {"own_orders_only": true},
    "bn_query_order": {"own_orders_only": true}}}"#;

/// An exchange that outlives the gateways before it: each order is a file, and holds its status. Its server answers
/// about half of what it does.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a server, and its words are counted")]
pub(crate) fn exchange() {
    let folder = PathBuf::from(std::env::var_os("EXCHANGE").unwrap());
    for line in std::io::stdin().lines() {
        let frame: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if frame["method"] != "tools/call" {
            continue;
        }
        let (tool, arguments) = (frame["params"]["name"].as_str().unwrap(), &frame["params"]["arguments"]);
        let name = arguments["newClientOrderId"].as_str().or(arguments["origClientOrderId"].as_str()).unwrap();
        let order = folder.join(name);
        match (tool, fs::read_to_string(&order).as_deref()) {
            ("bn_new_order", _) => fs::write(&order, "NEW").unwrap(),
            ("bn_cancel_order", Ok("NEW")) => fs::write(&order, "CANCELED").unwrap(),
            _ => {}
        }
        let result = match fs::read_to_string(&order) {
            Ok(status) => {
                // After all that was placed before, by whatever clock.
                let told = json!({"symbol": "BTCUSDT", "orderId": name, "clientOrderId": name, "origClientOrderId": name,
                                  "status": status, "executedQty": "0.00000000", "time": 4_000_000_000_000_u64});
                json!({"content": [], "structuredContent": told})
            }
            Err(_) => {
                json!({"content": [], "isError": true, "structuredContent": {"error": {"outcomeUnknown": false}}})
            }
        };
        eprintln!("{tool} {name}");
        if tool == "bn_query_order" || name.len().is_multiple_of(2) {
            let answer = json!({"jsonrpc": "2.0", "id": frame["id"], "result": result});
            println!("{answer}");
        }
    }
}

fn ask(id: u64, tool: &str, name: &str) -> String {
    let arguments = match tool {
        "bn_new_order" => json!({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
                                 "quantity": "0.01", "price": "60000.00", "newClientOrderId": name}),
        _ => json!({"symbol": "BTCUSDT", "origClientOrderId": name}),
    };
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
        .to_string()
}

/// The names of orders of that status.
fn orders_that_are(status: &str, folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let are = files.filter(|file| fs::read_to_string(file).unwrap() == status);
    are.map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

/// Places, looks up and cancels orders through gateways that are killed. The most that were ever open, and how many
/// there have been.
fn trade(place: &Place, flags: &[&str], kills: u64) -> (usize, usize) {
    let folder = place.path("exchange");
    fs::create_dir(&folder).unwrap();
    // An order of somebody else, which nobody may touch.
    fs::write(folder.join("foreign"), "NEW").unwrap();
    let mut dice = Dice::new();
    let mut open_max = 0;
    for kill in 0..kills {
        let mut open = orders_that_are("NEW", &folder);
        open.sort_unstable();
        open_max = open_max.max(open.len() - 1);
        let mut frames = vec![ask(0, "bn_cancel_order", "foreign")];
        for id in 1..12 {
            let some = usize::try_from(dice.below(open.len() as u64)).unwrap();
            let place = (format!("o{kill}-{}{id}", ["", "x"][usize::from(id % 3 == 0)]), "bn_new_order");
            let (name, tool) = match dice.below(4) {
                0 | 1 => (open[some].clone(), "bn_query_order"),
                2 => (open[some].clone(), "bn_cancel_order"),
                _ => place,
            };
            frames.push(ask(id, tool, &name));
        }
        let mut command = place.before_fixture(&[flags, &durability(kill)].concat(), "exchange");
        command.env("EXCHANGE", &folder);
        let said = killed(command, &(frames.join("\n") + "\n"), &mut dice, 12);
        assert!(!said.iter().any(|word| word == "bn_cancel_order foreign"), "{said:?}");
    }
    (open_max, fs::read_dir(&folder).unwrap().count() - 1)
}

pub(crate) fn orders() {
    let place = Place::new(DESK);
    let (state, audit) = (place.path("state"), place.path("audit.jsonl"));
    let flags = ["--state", state.to_str().unwrap(), "--audit", audit.to_str().unwrap(), "--server", "s"];
    let (open_max, placed) = trade(&place, &flags, 200);
    assert!(open_max <= OPEN_MAX, "{open_max} orders were open, and {OPEN_MAX} may be");
    assert!(placed > 10, "only {placed} orders were placed: nothing was proved");

    // What is still open is known, can be looked up and cancelled, and then there is room again; nothing else is.
    let folder = place.path("exchange");
    let mut command = place.before_fixture(&flags, "exchange");
    let mut served = Served::over(command.env("EXCHANGE", &folder).spawn().unwrap());
    for name in orders_that_are("NEW", &folder) {
        let query = served.ask(&serde_json::from_str(&ask(1, "bn_query_order", &name)).unwrap());
        if name == "foreign" {
            assert_eq!(query["result"]["structuredContent"]["reason"], "not_own");
            continue;
        }
        assert_eq!(query["result"]["structuredContent"]["status"], "NEW", "{name}: {query}");
        let cancel = ask(2, "bn_cancel_order", &name);
        writeln!(served.input, "{cancel}").unwrap();
        if name.len().is_multiple_of(2) {
            served.hear();
        }
        let query = served.ask(&serde_json::from_str(&ask(3, "bn_query_order", &name)).unwrap());
        assert_eq!(query["result"]["structuredContent"]["status"], "CANCELED", "{name}: {query}");
    }
    assert_eq!(orders_that_are("NEW", &folder), ["foreign"]);
    drop(served.input);
    served.child.wait().unwrap();
}

pub(crate) fn orders_without_state() {
    let place = Place::new(DESK);
    let (open_max, _) = trade(&place, &["--audit", "/dev/null"], 40);
    assert!(open_max > OPEN_MAX, "what the test above would see");
}

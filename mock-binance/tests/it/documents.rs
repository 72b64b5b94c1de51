//! The pages in `docs`: their examples are run, and their tables compared with what there is.

use std::collections::BTreeMap;

use mock_binance::{Account, Fault};
use serde_json::{Value, json};

use crate::binary::{Running, block, command, start, stop};
use crate::support::sign;

fn page(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/");
    std::fs::read_to_string(format!("{path}{name}")).unwrap()
}

/// The arguments of a `cargo run` line, where the command is started from.
fn arguments(block: &str) -> Vec<String> {
    let line = block.replace("\\\n", " ");
    let (run, arguments) = line.split_once(" -- ").unwrap();
    assert_eq!(run, "cargo run --release -p mock-binance");
    arguments.split_whitespace().map(|word| word.replace("127.0.0.1:9000", "127.0.0.1:0")).collect()
}

fn started(arguments: &[String]) -> Running {
    start(command().args(arguments).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")))
}

/// Status and answer of a signed request by the machine's clock.
async fn signed(running: &Running, method: &str, path: &str, query: &str) -> (u16, Value) {
    let account = Account::generated(1);
    assert_eq!(running.facts["API key"], account.api_key());
    let now = mock_binance::Clock::system().now_ms();
    let payload = format!("{query}&timestamp={now}");
    let url = format!("{}{path}?{payload}&signature={}", running.facts["REST"], sign(account.secret(), &payload));
    let request = reqwest::Client::new().request(method.parse().unwrap(), url);
    let answer = request.header("X-MBX-APIKEY", account.api_key()).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[tokio::test]
async fn the_command_of_the_faults_page_books_the_first_order_and_says_timeout() {
    let page = page("faults.md");
    let running = started(&arguments(block(&page, "sh")));
    assert!(page.contains("answered with 503 and -1007; every later one as usual"));
    let order = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001";
    let (status, answer) = signed(&running, "POST", "/api/v3/order", order).await;
    assert_eq!((status, &answer["code"]), (503, &json!(-1007)));
    let (status, answer) = signed(&running, "POST", "/api/v3/order", order).await;
    assert_eq!((status, &answer["status"]), (200, &json!("FILLED")));
    let (_, orders) = signed(&running, "GET", "/api/v3/allOrders", "symbol=BTCUSDT").await;
    assert_eq!(orders.as_array().unwrap().len(), 2, "the first was booked as well");
    assert_eq!(stop(running, "-TERM"), Some(0));
}

#[test]
fn the_fault_of_the_faults_page_is_the_file_that_it_names() {
    let page = page("faults.md");
    let shown = Fault::from_json(block(&page, "json")).unwrap();
    let file = arguments(block(&page, "sh")).pop().unwrap();
    assert_eq!(shown, Fault::from_file(format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"))).unwrap());
}

/// The rows of the table below a heading, without its own head: the words in backticks of the first two columns.
fn rows(page: &str, heading: &str) -> Vec<[Vec<String>; 2]> {
    let (_, below) = page.split_once(&format!("## {heading}\n")).unwrap();
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let table = below.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = table.skip(2).map(|line| line.split('|').skip(1).collect::<Vec<_>>());
    cells.map(|cells| [quoted(cells[0]), quoted(cells[1])]).collect()
}

#[test]
fn the_effects_of_the_faults_page_are_all_effects_with_all_their_fields() {
    // A value that each field may have.
    let values = BTreeMap::from([
        ("ms", json!(5)),
        ("status", json!(500)),
        ("code", json!(-1000)),
        ("msg", json!("no")),
        ("stage", json!("before")),
        ("retry_after_s", json!(1)),
        ("bytes", json!(1)),
        ("every_ms", json!(1)),
        ("fields", json!(["s"])),
        ("text", json!("")),
    ]);
    let fault = |effect: &str, fields: &[String]| {
        let fields: serde_json::Map<_, _> =
            fields.iter().map(|field| (field.clone(), values[field.as_str()].clone())).collect();
        Fault::from_json(&json!({ "name": "a", "does": { effect: fields } }).to_string())
    };
    let mut named = Vec::new();
    for [effects, fields] in rows(&page("faults.md"), "`does`") {
        for effect in &effects {
            assert!(fault(effect, &fields).is_ok(), "{effect}: {:?}", fault(effect, &fields));
            for left_out in 0..fields.len() {
                let mut fewer = fields.clone();
                fewer.remove(left_out);
                assert!(fault(effect, &fewer).is_err(), "{effect} needs no `{}`", fields[left_out]);
            }
        }
        named.extend(effects);
    }
    // An unknown effect is told with the list of all.
    let told = fault("nothing", &[]).unwrap_err().to_string();
    let (_, list) = told.split_once("expected one of ").unwrap();
    let mut all: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    named.sort_unstable();
    all.sort_unstable();
    assert_eq!(named, all);
}

#[test]
fn what_the_faults_page_says_of_often_is_read() {
    let page = page("faults.md");
    let (_, below) = page.split_once("## `often`, `times`, `seed`\n").unwrap();
    let (examples, _) = below.split_once(';').unwrap();
    // `n` stands for a number.
    let examples: Vec<String> =
        examples.split('`').skip(1).step_by(2).map(|text| text.replace(": n}", ": 3}")).collect();
    assert_eq!(examples.len(), 4);
    for example in examples {
        let often: Value = serde_json::from_str(&example).unwrap();
        let fault = json!({ "name": "a", "does": { "disconnect": {} }, "often": often, "times": 2, "seed": 7 });
        assert!(Fault::from_json(&fault.to_string()).is_ok(), "{example}");
    }
}

#[test]
fn the_commands_of_the_replay_page_start() {
    let page = page("replay.md");
    let blocks: Vec<&str> = page.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let running = started(&arguments(block.trim_end()));
        assert_eq!(stop(running, "-TERM"), Some(0), "{block}");
    }
}

#[test]
fn the_clients_page_has_every_known_client_with_its_options() {
    let file: Value = serde_json::from_str(include_str!("../data/client_overrides.json")).unwrap();
    let page = page("clients.md");
    let clients = file["clients"].as_array().unwrap();
    assert_eq!(clients.len(), 16);
    for client in clients {
        let text = |key: &str| client[key].as_str().unwrap();
        let word = |text: &str| text.split_whitespace().next().unwrap().to_owned();
        let (name, version) = (word(text("client")), word(text("version")));
        let begins = format!("| {name} {version}");
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with(&begins)).collect();
        assert!(!rows.is_empty(), "no row begins with `{begins}`");
        // What the file tells of the WebSocket API stands on the page.
        if text("ws").contains("ws-api/v3") {
            let told = rows.iter().any(|row| row.contains("WS/ws-api/v3") || row.contains("as in Python"));
            assert!(told || name == "python-binance", "{name}: no option for the WebSocket API");
        }
    }
    assert!(page.contains("AsyncClient.WS_API_URL = \"WS/ws-api/v3\""));
}

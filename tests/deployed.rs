//! The stack as the README deploys it: an MCP client starts `mcp-gateway`, or reaches it over HTTP, and it starts
//! `binance-mcp`, real processes all; only the exchange is the mock. Commands and configurations are the README's own.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod built;

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Plain, Stdio};

use exchange_engine::Page;
use mock_binance::{Account, MockBinance};
use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use serde_json::{Value, json};
use tokio::process::Command;

async fn order(client: &RunningService<RoleClient, ()>, quantity: &str) -> CallToolResult {
    let Value::Object(arguments) =
        json!({ "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": quantity })
    else {
        panic!("an object")
    };
    let request = CallToolRequestParams::new("bn_new_order").with_arguments(arguments);
    client.call_tool(request).await.expect("an answer")
}

/// The first fenced block of a language after a mark in the README.
fn block(mark: &str, language: &str) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).expect("README.md");
    let rest = readme.split_once(mark).unwrap_or_else(|| panic!("the README has no `{mark}`")).1;
    let block = rest.split_once(&format!("```{language}\n")).expect("a block").1;
    block.split_once("```").expect("the block ends").0.to_owned()
}

fn config(mark: &str) -> Value {
    let config: Value = serde_json::from_str(&block(mark, "json")).expect("JSON");
    config["mcpServers"]["binance"].clone()
}

/// The exchange, and everything that a command of the README needs to find it.
struct Place {
    mock: MockBinance,
    key: String,
    secret: String,
    folder: tempfile::TempDir,
    gateway: PathBuf,
    server: PathBuf,
}

impl Place {
    async fn new() -> Self {
        let (gateway, server) = built::commands();
        let account = Account::generated(1).balance("USDT", "100000");
        let (key, secret) = (account.api_key().to_owned(), account.secret().to_owned());
        let mock = MockBinance::builder().account(account).start().await.expect("the mock starts");
        let folder = tempfile::tempdir().expect("a folder");
        let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        std::os::unix::fs::symlink(scenarios, folder.path().join("scenarios")).expect("the policies");
        Self { mock, key, secret, folder, gateway, server }
    }

    /// A command with the words that are given, as a shell that has installed both would start it.
    fn command(&self, words: &[&str]) -> Plain {
        assert_eq!(words[0], "mcp-gateway");
        let mut command = Plain::new(&self.gateway);
        let here =
            |word: &&str| if *word == "binance-mcp" { self.server.clone().into() } else { (*word).to_owned().into() };
        command.args(words[1..].iter().map(here).collect::<Vec<std::ffi::OsString>>());
        command.current_dir(self.folder.path());
        command.env("BINANCE_BASE_URL", self.mock.rest_url());
        command.env("BINANCE_API_KEY", &self.key).env("BINANCE_SECRET_KEY", &self.secret);
        command
    }

    fn witness(&self, audit: &str) {
        let owner = self.mock.account_id(&self.key).expect("the account");
        let booked: Vec<String> = self.mock.with_exchange(|exchange| {
            let symbol = exchange.spec().symbol_id("BTCUSDT").expect("the symbol");
            exchange.orders(owner, symbol, Page::newest(10)).iter().map(|order| order.quantity.to_string()).collect()
        });
        assert_eq!(booked, ["0.00500000"], "the exchange is the witness");
        let audit = std::fs::read_to_string(self.folder.path().join(audit)).expect("the audit");
        let records: Vec<Value> =
            audit.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
        let said = |member: &str| records.iter().filter_map(|record| record[member].as_str()).collect::<Vec<_>>();
        assert_eq!(said("decision"), ["allow", "deny"], "{audit}");
        assert_eq!(said("outcome"), ["succeeded"], "{audit}");
        assert!(!audit.contains(&self.key) && !audit.contains(&self.secret), "{audit}");
    }
}

/// What the policy lets through, and no further.
async fn trade(client: RunningService<RoleClient, ()>) {
    let tools: Vec<_> = client.list_all_tools().await.expect("a list").into_iter().map(|tool| tool.name).collect();
    assert_eq!(tools.len(), 23, "the policy hides nothing: {tools:?}");
    let passed = order(&client, "0.005").await;
    assert_ne!(passed.is_error, Some(true), "{passed:?}");
    let denied = order(&client, "1.5").await;
    assert_eq!(denied.is_error, Some(true), "{denied:?}");
    let told = denied.structured_content.expect("fields for machines");
    assert_eq!(told["rule"], "/tools/bn_new_order/require/2");
    client.cancel().await.expect("the session ends");
}

#[tokio::test]
async fn a_client_trades_through_the_gateway_and_no_further_than_the_policy() {
    let place = Place::new().await;
    let config = config("<!-- config: stdio -->");
    let mut words = vec![config["command"].as_str().expect("a command")];
    words.extend(config["args"].as_array().expect("arguments").iter().map(|word| word.as_str().expect("a word")));
    for name in config["env"].as_object().expect("an environment").keys() {
        assert!(["BINANCE_BASE_URL", "BINANCE_API_KEY", "BINANCE_SECRET_KEY"].contains(&name.as_str()), "{name}");
    }
    let command = Command::from(place.command(&words));
    trade(().serve(TokioChildProcess::new(command).expect("the gateway starts")).await.expect("a handshake")).await;
    place.witness("audit.jsonl");
}

/// The configuration of a client that knows nothing of the gateway, with the gateway put in front of its server.
#[tokio::test]
async fn a_client_s_own_configuration_is_guarded() {
    let place = Place::new().await;
    let secrets = json!({ "BINANCE_BASE_URL": place.mock.rest_url(), "BINANCE_API_KEY": place.key,
                          "BINANCE_SECRET_KEY": place.secret });
    let client = json!({ "mcpServers": { "binance": { "command": place.server, "env": secrets } } });
    let own = place.folder.path().join("client.json");
    std::fs::write(&own, client.to_string()).expect("a file");
    let command = block("<!-- commands: init -->", "sh");
    let words: Vec<&str> = command.split_whitespace().collect();
    let written = place.command(&words).output().expect("the command runs");
    assert!(written.status.success(), "{written:?}");
    assert_eq!(std::fs::read_to_string(&own).expect("it is there"), client.to_string(), "the client's own file");

    let guarded = std::fs::read_to_string(place.folder.path().join("guarded.json")).expect("the configuration");
    let guarded: Value = serde_json::from_str(&guarded).expect("JSON");
    let entry = &guarded["mcpServers"]["binance"];
    let mut command = Command::new(entry["command"].as_str().expect("a command"));
    command.args(entry["args"].as_array().expect("arguments").iter().map(|word| word.as_str().expect("a word")));
    for (name, value) in entry["env"].as_object().expect("an environment") {
        command.env(name, value.as_str().expect("text"));
    }
    trade(().serve(TokioChildProcess::new(command).expect("the gateway starts")).await.expect("a handshake")).await;
    place.witness("binance.jsonl");
    // A second time nothing is written over.
    assert_eq!(place.command(&words).output().expect("the command runs").status.code(), Some(14));
}

/// Ends with the test, however that ends.
struct Listening(Child);

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_client_over_http_trades_with_a_token_and_no_further_than_the_policy() {
    let place = Place::new().await;
    let commands = block("<!-- commands: http -->", "sh");
    let commands: Vec<Vec<&str>> = commands.lines().map(|line| line.split_whitespace().collect()).collect();
    let [grant, serve] = commands.as_slice() else { panic!("two commands: {commands:?}") };
    let granted = place.command(grant).output().expect("the command runs");
    let token = String::from_utf8(granted.stdout).expect("text").trim().to_owned();

    let config = config("<!-- config: http -->");
    let (url, listen) = (config["url"].as_str().expect("a URL"), "127.0.0.1:8700");
    assert!(url.contains(listen) && serve.contains(&listen), "one address: {url}");
    assert!(config["headers"]["Authorization"].as_str().expect("a header").starts_with("Bearer "));
    // The port of the README may be taken here.
    let words: Vec<&str> = serve.iter().map(|word| if *word == listen { "127.0.0.1:0" } else { word }).collect();
    let mut child = Listening(place.command(&words).stderr(Stdio::piped()).spawn().expect("the gateway starts"));
    let mut log = BufReader::new(child.0.stderr.take().expect("a log"));
    let told = log.by_ref().lines().map_while(Result::ok);
    let told = told.into_iter().find_map(|line| Some(line.strip_prefix("listening on ")?.to_owned()));
    // A log that nobody reads would end the server.
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    let transport = StreamableHttpClientTransportConfig::with_uri(told.expect("it listens")).auth_header(token);
    trade(().serve(StreamableHttpClientTransport::from_config(transport)).await.expect("a handshake")).await;
    let ended = Plain::new("kill").args(["-TERM", &child.0.id().to_string()]).status().expect("a signal");
    assert!(ended.success() && child.0.wait().expect("it ends").success());
    place.witness("audit.jsonl");
}

//! The command, from the outside: a child process between a client and a server.
//!
//! Started with `--fixture KIND` this executable is the server behind the gateway.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

#[cfg(feature = "tls")]
#[path = "../support/tls.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod certificates;
mod config;
mod http;
mod kills;
mod policies;
mod restart;
#[path = "../support/server.rs"]
mod server;
#[cfg(feature = "tls")]
mod tls;
mod webhook;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Output, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::TokioChildProcess;
use serde_json::{Value, json};

const POLICY: &str = r#"{"version": "1", "default": "deny", "hide": ["withdraw"], "tools": {"echo": {}, "slow": {}}}"#;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("--fixture") {
        fixture(&arguments.next().expect("a kind"));
        return ExitCode::SUCCESS;
    }
    let trial = |name: &str, run: fn()| {
        Trial::test(name, move || {
            run();
            Ok::<(), Failed>(())
        })
    };
    let trials = vec![
        trial("list_call_and_deny_over_standard_streams", list_call_and_deny),
        trial("help_tells_the_exit_codes", help),
        trial("a_bad_policy_starts_nothing", bad_policy),
        trial("check_reads_the_policy_and_stops", check),
        trial("one_file_says_what_flags_say", config::one_file),
        trial("one_of_several_servers_in_a_file_is_chosen", config::chosen_server),
        trial("several_servers_are_served_at_one_address", config::several),
        trial("check_reads_the_file_and_all_that_it_names", config::check),
        trial("a_bad_file_starts_nothing", config::bad_file),
        trial("what_cannot_be_opened_has_its_own_exit_code", unopenable),
        trial("what_gateways_cannot_share_starts_nothing", unshareable),
        trial("a_server_that_dies_in_a_call_is_told", server_dies),
        trial("a_server_that_dies_is_started_again", restart::over_streams),
        trial("a_server_that_keeps_dying_is_given_up", restart::given_up),
        trial("the_next_server_waits_until_the_one_before_is_gone", restart::one_at_a_time),
        trial("over_http_each_session_has_its_own_server_started_again", restart::over_http),
        trial("a_webhook_is_told_of_requests_for_approval", webhook::tells),
        trial("a_webhook_that_is_not_safe_starts_nothing", webhook::refuses_what_is_not_safe),
        trial("the_audit_goes_to_standard_error_by_default", audit_to_stderr),
        trial("a_full_disk_denies_before_the_call_leaves", full_disk),
        trial("the_server_does_not_see_the_gateways_settings", environment),
        trial("a_signal_ends_it_in_order", signal),
        trial("sighup_puts_a_policy_in_force_whole_or_not_at_all", policies::hangup),
        trial("grants_have_policies_of_their_own", policies::of_grants),
        trial("sighup_reads_the_configuration_file_anew", config::reread),
        trial("commands_find_state_and_switch_in_the_file", config::other_commands),
        trial("a_policy_in_several_files_with_comments_is_one_policy", policies::several_files),
        trial("pin_writes_what_the_gateway_then_holds_a_server_to", pin),
        trial("a_person_approves_on_the_command_line", approvals),
        trial("after_two_hundred_kills_nothing_is_over_spent_and_nothing_is_lost", kills::spending),
        trial("without_a_state_folder_kills_do_over_spend", kills::spending_without_state),
        trial("after_two_hundred_kills_no_order_is_forgotten", kills::orders),
        trial("without_a_state_folder_kills_do_forget_orders", kills::orders_without_state),
        trial("the_kill_switch_works_by_command_and_by_signal", kill_switch),
        trial("a_server_that_does_not_end_is_killed", stubborn_server),
        trial("over_http_it_serves_holders_of_grants", http::serves_holders_of_grants),
        trial("over_http_it_refuses_what_is_not_safe", http::refuses_what_is_not_safe),
        #[cfg(feature = "tls")]
        trial("over_tls_it_serves_and_sighup_takes_another_certificate", tls::serves_and_renews),
        #[cfg(feature = "tls")]
        trial("over_tls_it_refuses_what_is_not_safe", tls::refuses_what_is_not_safe),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Serves MCP on standard input and output, each kind in its own way.
fn fixture(kind: &str) {
    match kind {
        "rmcp" => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let running = server::Fixture::default().serve(rmcp::transport::io::stdio_pipes()).await.unwrap();
                running.waiting().await.unwrap();
            });
        }
        // Ends as soon as it has read a call.
        "mortal" => {
            let call = std::io::stdin().lines().find(|line| line.as_ref().unwrap().contains("tools/call"));
            assert!(call.is_some());
        }
        "fragile" => restart::fragile(),
        "exchange" => kills::exchange(),
        "stubborn" => loop {
            std::thread::park();
        },
        other => panic!("no fixture is called {other}"),
    }
}

/// A folder with a policy, and the command in front of a fixture.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("policy.json"), policy).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn gateway(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-gateway"));
        command.arg("--policy").arg(self.path("policy.json")).args(flags);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn before_fixture(&self, flags: &[&str], kind: &str) -> Command {
        let mut command = self.gateway(flags);
        command.arg("--").arg(std::env::current_exe().unwrap()).args(["--fixture", kind]);
        command
    }
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Writes frames, closes the input and waits for the end.
fn session(mut command: Command, frames: &[Value]) -> Output {
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for frame in frames {
        writeln!(input, "{frame}").unwrap();
    }
    drop(input);
    child.wait_with_output().unwrap()
}

fn call(id: u64, tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": {"a": "canary"}}})
}

fn list_call_and_deny() {
    let place = Place::new(POLICY);
    let audit = place.path("audit.jsonl");
    let flags = ["--audit", audit.to_str().unwrap(), "--grant", "desk", "--server", "fixture"];
    let command = place.before_fixture(&flags, "rmcp");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let child = TokioChildProcess::new(tokio::process::Command::from(command)).unwrap();
        let client = ().serve(child).await.unwrap();
        let tools = client.list_all_tools().await.unwrap();
        assert_eq!(tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["echo", "slow"]);
        let arguments = json!({"a": "canary"}).as_object().unwrap().clone();
        let echoed = client.call_tool(CallToolRequestParams::new("echo").with_arguments(arguments)).await.unwrap();
        assert_eq!(echoed.content[0].as_text().unwrap().text, r#"{"a":"canary"}"#);
        let denial = client.call_tool(CallToolRequestParams::new("withdraw")).await.unwrap();
        assert_eq!(denial.content[0].as_text().unwrap().text, "[POLICY DENIED] this tool is not available");
        client.cancel().await.unwrap();
    });
    let text = fs::read_to_string(&audit).unwrap();
    assert!(!text.contains("canary"));
    let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&all[0]["event"], &all[4]["event"]), (&json!("started"), &json!("ended")));
    assert_eq!(all[2]["outcome"], "succeeded");
    let files = mcp_gateway::trail::files(&audit).unwrap();
    let verified = mcp_gateway::trail::verify(&files, None).unwrap();
    assert!(verified.records == 5 && verified.has_head && verified.finding.is_none(), "{verified:?}");
    let lines: Vec<Value> = all.into_iter().filter(|line| line.get("decision").is_some()).collect();
    let told: Vec<_> =
        lines.iter().map(|line| (&line["decision"], &line["tool"], &line["grant"], &line["server"])).collect();
    let (desk, fixture) = (json!("desk"), json!("fixture"));
    assert_eq!(
        told,
        [(&json!("allow"), &json!("echo"), &desk, &fixture), (&json!("deny"), &json!("withdraw"), &desk, &fixture)]
    );
    assert_eq!(lines[0]["policy"], mcp_gateway::policy_digest(POLICY));
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&audit).unwrap().permissions()) & 0o777, 0o600);
}

fn help() {
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-gateway")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for word in ["--policy", "--audit", "Exit codes", "[POLICY DENIED]", "Example", "--listen", "Over HTTP", "--config"]
    {
        assert!(help.contains(word), "{word} is missing in:\n{help}");
    }
    let output = Place::new(POLICY).gateway(&[]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "no command: {}", said(&output));
}

fn bad_policy() {
    let place = Place::new("{\n  \"version\": \"1\",\n  \"defualt\": \"deny\"\n}");
    let mut command = place.gateway(&[]);
    let witness = place.path("started");
    command.args(["--", "touch"]).arg(&witness);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = said(&output);
    assert!(said.contains("policy.json") && said.contains("line 3") && said.contains("`default`"), "{said}");
    assert!(!witness.exists(), "the server was started");
    assert!(output.stdout.is_empty());

    let mut absent = Command::new(env!("CARGO_BIN_EXE_mcp-gateway"));
    let output = absent.arg("--policy").arg(place.path("absent.json")).args(["--", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
}

fn check() {
    let output = Place::new(POLICY).gateway(&["--check"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).contains(&mcp_gateway::policy_digest(POLICY)), "{}", said(&output));
    let vain = r#"{"version": "1", "default": "deny", "hide": ["withdraw"]}"#;
    let output = Place::new(vain).gateway(&["--check"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).starts_with("warning: "), "{}", said(&output));
}

fn unopenable() {
    let place = Place::new(POLICY);
    let folder = place.folder.path().to_str().unwrap();
    let code = |flags: &[&str], command: &[&str]| {
        let output = place.gateway(flags).arg("--").args(command).output().unwrap();
        (output.status.code(), said(&output))
    };
    assert_eq!(code(&["--audit", folder], &["true"]).0, Some(4));
    assert_eq!(code(&["--audit-key-file", "/nonexistent/key"], &["true"]).0, Some(4));
    fs::write(place.path("short"), "short").unwrap();
    let (status, said) = code(&["--audit-key-file", place.path("short").to_str().unwrap()], &["true"]);
    assert!(status == Some(4) && said.contains("16"), "{said}");
    let (status, said) = code(&[], &["/nonexistent/server"]);
    assert!(status == Some(5) && said.contains("/nonexistent/server"), "{said}");
    assert_eq!(code(&["--log", "=="], &["true"]).0, Some(2));
}

fn unshareable() {
    let refused = |policy: &str, address: &str, more: &[&str]| {
        let place = Place::new(policy);
        let flags = [&["--shared-store", address], more].concat();
        let output = place.gateway(&flags).args(["--", "true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(13), "{}", said(&output));
        said(&output)
    };
    let breaking = r#"{"version": "2", "default": "deny", "manifest": "binance-mcp", "tools": {
        "bn_ping": {"concurrency": [{"max": 2}]}, "bn_new_order": {"no_self_cross": true}}}"#;
    let words = refused(breaking, "redis://127.0.0.1:1/0", &[]);
    assert!(words.contains("/tools/bn_new_order/no_self_cross, /tools/bn_ping/concurrency/0;"), "{words}");
    for address in
        ["redis://user:canary@127.0.0.1:1/0", "redis://:canary@127.0.0.1", "canary@nowhere", "http://canary@x"]
    {
        let words = refused(POLICY, address, &[]);
        assert!(!words.contains("canary"), "{words}");
    }
    let words = refused(POLICY, "redis://127.0.0.1:1/0", &["--shared-store-password-file", "/nonexistent/secret"]);
    assert!(words.contains("/nonexistent/secret"), "{words}");
}

fn server_dies() {
    let place = Place::new(POLICY);
    let mut child = place.before_fixture(&[], "mortal").spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{}", call(1, "echo")).unwrap();
    // The client's end stays open: it is the server that leaves first.
    let output = child.wait_with_output().unwrap();
    drop(input);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["result"]["structuredContent"]["reason"], "outcome_unknown");
    assert_eq!(output.status.code(), Some(6), "{}", said(&output));
}

fn audit_to_stderr() {
    let place = Place::new(POLICY);
    let output = session(place.before_fixture(&[], "rmcp"), &[call(1, "withdraw"), json!([1])]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let said = said(&output);
    let decisions: Vec<_> = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|line| line.get("decision").cloned())
        .collect();
    assert_eq!(decisions, ["deny", "refuse"], "{said}");
    // Standard output is for frames alone.
    let frames: Vec<Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(frames.len(), 2);
}

fn full_disk() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let place = Place::new(POLICY);
    // A server that leaves a file behind for each call that reaches it.
    let witness = place.path("called");
    let script = format!("while read -r line; do touch '{}'; done", witness.display());
    let mut command = place.gateway(&["--audit", "/dev/full"]);
    command.args(["--", "sh", "-c", &script]);
    let output = session(command, &[call(1, "echo")]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["result"]["structuredContent"]["reason"], "audit_unavailable", "{}", said(&output));
    assert!(!witness.exists(), "the call left");
    // The same with a disk that has room: the server sees the call.
    let mut command = place.gateway(&["--audit", "/dev/null", "--drain", "100"]);
    command.args(["--", "sh", "-c", &script]);
    session(command, &[call(1, "echo")]);
    assert!(witness.exists());
}

fn environment() {
    let place = Place::new(POLICY);
    let mut command = place.gateway(&[]);
    command.env("MCP_GATEWAY_LOG", "warn").env("BINANCE_API_KEY", "passes").args(["--", "sh", "-c", "env >&2"]);
    let output = session(command, &[]);
    let said = said(&output);
    assert!(said.contains("BINANCE_API_KEY=passes"), "its standard error passes through: {said}");
    assert!(!said.contains("MCP_GATEWAY_LOG"), "{said}");
}

fn terminate(child: &Child) {
    send(child, "-TERM");
}

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// A gateway with its pipes, before a fixture that answers.
struct Served {
    child: Child,
    input: std::process::ChildStdin,
    output: BufReader<std::process::ChildStdout>,
    errors: BufReader<std::process::ChildStderr>,
}

impl Served {
    fn start(mut command: Command) -> Self {
        let mut served = Self::over(command.spawn().unwrap());
        let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params":
            {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
        served.ask(&hello);
        writeln!(served.input, "{}", json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).unwrap();
        served
    }

    /// One to which nothing was said yet.
    fn over(mut child: Child) -> Self {
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let errors = BufReader::new(child.stderr.take().unwrap());
        Self { child, input, output, errors }
    }

    fn ask(&mut self, frame: &Value) -> Value {
        writeln!(self.input, "{frame}").unwrap();
        self.hear()
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The reason of a denial; null if the call passed.
    fn call(&mut self, id: u64, tool: &str) -> Value {
        self.ask(&call(id, tool))["result"]["structuredContent"]["reason"].clone()
    }

    /// Waits for an event in the audit on standard error.
    fn event(&mut self, name: &str) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.errors.read_line(&mut line).unwrap() > 0, "it ended before `{name}`");
            if let Ok(record) = serde_json::from_str::<Value>(&line)
                && record["event"] == name
            {
                return record;
            }
        }
    }

    /// Waits for a line on standard error with this in it.
    fn log(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.errors.read_line(&mut line).unwrap() > 0, "it ended before `{text}`");
            if line.contains(text) {
                return line;
            }
        }
    }

    fn end(mut self) {
        drop(self.input);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

fn pin() {
    let place = Place::new(POLICY);
    let out = place.path("pins.json");
    let file = out.to_str().unwrap();
    let fixture = std::env::current_exe().unwrap();
    let pin = |command: &[&str]| {
        let mut pin = Command::new(env!("CARGO_BIN_EXE_mcp-gateway"));
        let output = pin.args(["pin", "--out", file, "--"]).args(command).output().unwrap();
        (output.status.code(), said(&output))
    };
    let (code, error) = pin(&[fixture.to_str().unwrap(), "--fixture", "rmcp"]);
    assert_eq!(code, Some(0), "{error}");
    let pins = fs::read_to_string(&out).unwrap();
    assert!(pins.contains("\"withdraw\"") && pins.contains("\"echo\""), "{pins}");

    let listing = json!({"jsonrpc": "2.0", "id": "l", "method": "tools/list"});
    let mut served = Served::start(place.before_fixture(&["--pins", file], "rmcp"));
    assert_eq!(served.call(1, "echo"), "tool_unverified");
    let shown = |list: &Value| {
        let tools = list["result"]["tools"].as_array().unwrap().clone();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(shown(&served.ask(&listing)), ["echo", "slow"]);
    assert_eq!(served.call(2, "echo"), Value::Null);
    served.end();

    // Pinned when it was another tool.
    let mut other: Value = serde_json::from_str(&pins).unwrap();
    other["tools"]["echo"] = json!("0".repeat(64));
    fs::write(&out, other.to_string()).unwrap();
    let mut served = Served::start(place.before_fixture(&["--pins", file], "rmcp"));
    assert_eq!(shown(&served.ask(&listing)), ["slow"]);
    assert_eq!(served.call(1, "echo"), "tool_quarantined");
    assert_eq!(served.event("tool_quarantined")["tool"], "echo");
    served.end();

    fs::write(&out, "{}").unwrap();
    let output = place.before_fixture(&["--pins", file], "rmcp").output().unwrap();
    assert!(output.status.code() == Some(10) && said(&output).contains("pins.json"), "{}", said(&output));
    // What cannot be listed replaces no file.
    let (code, error) = pin(&["true"]);
    assert!(code == Some(10) && error.contains("ended before it answered `initialize`"), "{code:?} {error}");
    assert_eq!(fs::read_to_string(&out).unwrap(), "{}");
}

fn approvals() {
    let policy = r#"{"version": "1", "default": "deny", "tools":
        {"echo": {"action": "require_approval", "reason": "a person\u001b[2J\nsigns"}}}"#;
    let place = Place::new(policy);
    let state = place.path("state");
    let folder = state.to_str().unwrap();
    let command = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-gateway"));
        let output = command.arg("approvals").args(arguments).args(["--state", folder]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout.clone()).unwrap(), said(&output))
    };
    let (code, _, error) = command(&["list"]);
    assert!(code == Some(8) && error.contains(folder), "{error}");
    let audit = place.path("audit.jsonl");
    let flags = ["--state", folder, "--audit", audit.to_str().unwrap(), "--grant", "desk", "--server", "fixture"];
    let mut served = Served::start(place.before_fixture(&flags, "rmcp"));
    let told = served.ask(&call(1, "echo"))["result"]["structuredContent"].clone();
    assert_eq!(told["reason"], "approval_required", "{told}");
    let id = told["approval"].as_str().unwrap().to_owned();

    let (code, listed, _) = command(&["list"]);
    assert_eq!(code, Some(0));
    assert!(listed.starts_with(&id) && listed.contains("pending") && listed.contains(r#"{"a":"canary"}"#), "{listed}");
    assert!(listed.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{listed:?}");
    let (_, listed, _) = command(&["list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed[0]["grant"], &listed[0]["arguments"]["a"]), (&json!("desk"), &json!("canary")));

    let (code, said, _) = command(&["approve", &id, "--by", "ada", "--note", "seen it"]);
    assert!(code == Some(0) && said.starts_with("approved, once"), "{said}");
    assert_eq!(served.call(2, "echo"), Value::Null);
    assert_eq!(served.call(3, "echo"), "approval_required");
    let (code, _, error) = command(&["deny", &id]);
    assert!(code == Some(9) && error.contains("is consumed"), "{error}");
    assert_eq!(command(&["approve", "no-such"]).0, Some(9));
    let (_, listed, _) = command(&["list", "--json"]);
    let second = serde_json::from_str::<Value>(&listed).unwrap()[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(command(&["deny", &second]).0, Some(0));
    assert_eq!(served.call(4, "echo"), "approval_denied");
    assert_eq!(command(&["list"]).1, "");
    served.end();

    let text = fs::read_to_string(&audit).unwrap();
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let changes: Vec<_> = records.iter().filter(|record| record["event"] == "approval").collect();
    let states: Vec<_> = changes.iter().map(|change| change["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["pending", "approved", "consumed", "pending", "denied"]);
    assert_eq!((&changes[1]["by"], &changes[1]["note"]), (&json!("ada"), &json!("seen it")));
    assert_eq!(records.last().unwrap()["event"], "ended");
}

fn kill_switch() {
    let place = Place::new(POLICY);
    let switch = place.path("halt");
    let file = switch.to_str().unwrap();
    let command = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_mcp-gateway")).args(arguments).output().unwrap();
        (output.status.code(), said(&output))
    };
    let mut served = Served::start(place.before_fixture(&["--kill-file", file], "rmcp"));
    assert_eq!(served.call(1, "echo"), Value::Null);
    assert_eq!(command(&["kill", "on", "--kill-file", file]).0, Some(0));
    assert_eq!(served.call(2, "echo"), "halted");
    served.event("halted");
    // It outlives the process.
    served.end();
    let mut served = Served::start(place.before_fixture(&["--kill-file", file], "rmcp"));
    assert_eq!(served.call(1, "echo"), "halted");
    assert_eq!(command(&["kill", "off", "--kill-file", file]).0, Some(0));
    assert_eq!(served.call(2, "echo"), Value::Null);
    served.event("resumed");
    send(&served.child, "-USR1");
    served.event("halted");
    assert!(switch.exists());
    assert_eq!(served.call(3, "echo"), "halted");
    send(&served.child, "-USR2");
    served.event("resumed");
    assert_eq!(served.call(4, "echo"), Value::Null);
    served.end();

    let (code, said) = command(&["kill", "on", "--kill-file", "/nonexistent/folder/halt"]);
    assert!(code == Some(7) && said.contains("/nonexistent/folder/halt"), "{said}");
    assert_eq!(command(&["kill", "on"]).0, Some(2));
}

fn signal() {
    let place = Place::new(POLICY);
    let mut child = place.before_fixture(&[], "rmcp").spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    writeln!(input, "{}", call(1, "withdraw")).unwrap();
    // The denial shows that the session is open.
    output.read_line(&mut String::new()).unwrap();
    terminate(&child);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", said(&ended));
    drop(input);
}

fn stubborn_server() {
    let place = Place::new(POLICY);
    let output = session(place.before_fixture(&["--drain", "50"], "stubborn"), &[call(1, "echo")]);
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).contains("killed"), "{}", said(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["result"]["structuredContent"]["reason"], "outcome_unknown");
}

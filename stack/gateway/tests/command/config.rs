//! The command with a configuration file.

use std::fs;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::http::{Listening, run};
use crate::{POLICY, Place, Served, call, said, send, session, terminate};

/// The command with nothing but a file, started elsewhere.
fn configured(place: &Place, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-gateway"));
    command.arg("--config").arg(place.path("conf/gateway.toml")).args(flags).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn place(text: &str) -> Place {
    let place = Place::new(POLICY);
    fs::create_dir(place.path("conf")).unwrap();
    fs::write(place.path("conf/gateway.toml"), text).unwrap();
    place
}

fn server(name: &str) -> String {
    let program = std::env::current_exe().unwrap();
    format!("[servers.{name}]\ncommand = [{:?}, \"--fixture\", \"rmcp\"]\n", program.to_str().unwrap())
}

fn audit(place: &Place, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(place.path(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn one_file() {
    let text =
        "policy = \"../policy.json\"\ngrant = \"file\"\n[audit]\nfile = \"audit.jsonl\"\n".to_owned() + &server("desk");
    let place = place(&text);
    let mut served = Served::start(configured(&place, &[]));
    assert_eq!(served.call(1, "echo"), Value::Null);
    assert_eq!(served.call(2, "withdraw"), "not_available");
    served.end();
    let records = audit(&place, "conf/audit.jsonl");
    let decided: Vec<_> = records.iter().filter(|record| record.get("decision").is_some()).collect();
    assert_eq!((&decided[0]["server"], &decided[0]["grant"]), (&"desk".into(), &"file".into()));

    // A variable goes before the file, and a flag before both.
    let grant = |command: &mut Command| {
        session_of(command);
        audit(&place, "conf/audit.jsonl").iter().rfind(|record| record.get("grant").is_some()).unwrap()["grant"].clone()
    };
    assert_eq!(grant(&mut configured(&place, &["--grant", "flag"])), "flag");
    let strict = place.path("strict.json");
    fs::write(&strict, POLICY.replace("\"echo\": {}, ", "")).unwrap();
    let reason = |command: Command| {
        let mut served = Served::start(command);
        let reason = served.call(1, "echo");
        served.end();
        reason
    };
    let mut by_variable = configured(&place, &[]);
    by_variable.env("MCP_GATEWAY_POLICY", &strict);
    assert_eq!(reason(by_variable), "not_available");
    let mut by_flag = configured(&place, &["--policy", place.path("policy.json").to_str().unwrap()]);
    by_flag.env("MCP_GATEWAY_POLICY", &strict);
    assert_eq!(reason(by_flag), Value::Null);
    // The file itself may be named by a variable.
    let mut by_name = Command::new(env!("CARGO_BIN_EXE_mcp-gateway"));
    by_name.env("MCP_GATEWAY_CONFIG", place.path("conf/gateway.toml")).arg("--check");
    assert!(by_name.output().unwrap().status.success());
}

fn session_of(command: &mut Command) -> Output {
    let command = std::mem::replace(command, Command::new("true"));
    let output = session(command, &[call(1, "withdraw")]);
    assert!(output.status.success(), "{}", said(&output));
    output
}

pub(crate) fn chosen_server() {
    let strict = "policy = \"strict.json\"\n";
    let text = "policy = \"../policy.json\"\n".to_owned() + &server("loose") + &server("strict") + strict;
    let place = place(&text);
    fs::write(place.path("conf/strict.json"), POLICY.replace("\"echo\": {}, ", "")).unwrap();
    for (name, reason) in [("loose", Value::Null), ("strict", "not_available".into())] {
        let mut served = Served::start(configured(&place, &["--server", name]));
        assert_eq!(served.event("started")["server"], name);
        assert_eq!(served.call(1, "echo"), reason);
        served.end();
    }
    let output = configured(&place, &[]).output().unwrap();
    assert!(output.status.code() == Some(2) && said(&output).contains("--server NAME"), "{}", said(&output));
}

pub(crate) fn several() {
    let text = "policy = \"../policy.json\"\nstate = \"state\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
                [audit]\nfile = \"audit.jsonl\"\n"
        .to_owned()
        + &server("loose")
        + &server("strict")
        + "policy = \"strict.json\"\n";
    let place = place(&text);
    let strict = r#"{"version": "1", "default": "deny", "tools": {"echo": {"rate_limit": {"max": 1, "window": 3600}},
        "slow": {"action": "require_approval"}}}"#;
    fs::write(place.path("conf/strict.json"), strict).unwrap();
    let state = place.path("conf/state");
    let state = state.to_str().unwrap();
    let token = run(&["grant", "add", "desk", "--state", state]).stdout;
    let token = String::from_utf8(token).unwrap().trim().to_owned();
    let mut listening = Listening::start(configured(&place, &[]));
    assert!(listening.url.ends_with("/mcp/loose"), "{}", listening.url);
    let base = listening.url.trim_end_matches("/loose").to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reason = |listening: &mut Listening, server: &str, tool: &str| {
        listening.url = format!("{base}/{server}");
        runtime.block_on(listening.call(&token, tool))
    };
    // Each counts for itself, with a ledger of its own in the one folder.
    assert_eq!(reason(&mut listening, "strict", "echo"), Value::Null);
    assert_eq!(reason(&mut listening, "strict", "echo"), "limit_reached");
    assert_eq!(reason(&mut listening, "loose", "echo"), Value::Null);
    assert_eq!(reason(&mut listening, "strict", "slow"), "approval_required");
    let listed: Value =
        serde_json::from_slice(&run(&["approvals", "list", "--json", "--state", state]).stdout).unwrap();
    assert_eq!(listed[0]["server"], "strict");

    // SIGHUP takes both policies or none.
    fs::write(place.path("policy.json"), POLICY.replace("\"echo\": {}, ", "")).unwrap();
    fs::write(place.path("conf/strict.json"), "{").unwrap();
    // The last line may be half written.
    let told = |name: &str| {
        let text = fs::read_to_string(place.path("conf/audit.jsonl")).unwrap();
        text.matches(&format!("\"event\":\"{name}\"")).count()
    };
    let wait_for = |name: &str, count: usize| {
        while told(name) < count {
            std::thread::yield_now();
        }
    };
    send(&listening.child, "-HUP");
    wait_for("policy_refused", 1);
    assert_eq!(told("policy_reloaded"), 0);
    assert_eq!(reason(&mut listening, "loose", "echo"), Value::Null, "the good one was not taken either");
    fs::write(place.path("conf/strict.json"), strict.replace("\"max\": 1", "\"max\": 2")).unwrap();
    send(&listening.child, "-HUP");
    wait_for("policy_reloaded", 2);
    assert_eq!(reason(&mut listening, "loose", "echo"), "not_available");
    assert_eq!(reason(&mut listening, "strict", "echo"), Value::Null, "one of two is left");
    assert_eq!(reason(&mut listening, "strict", "echo"), "limit_reached");
    terminate(&listening.child);
    assert_eq!(listening.child.wait().unwrap().code(), Some(0));
    let records = audit(&place, "conf/audit.jsonl");
    let started: Vec<_> = records.iter().filter(|record| record["event"] == "started").collect();
    assert_eq!((started.len(), &started[1]["server"]), (2, &"strict".into()));
    let files = mcp_gateway::trail::files(&place.path("conf/audit.jsonl")).unwrap();
    let verified = mcp_gateway::trail::verify(&files, None).unwrap();
    assert!(verified.has_head && verified.finding.is_none(), "{verified:?}");
    let entries = mcp_gateway::trail::entries(&files).unwrap();
    assert_eq!((entries.orphans, entries.unknown()), (0, 0), "each outcome is told of its own call");

    // Counted through a restart, each for itself.
    let mut listening = Listening::start(configured(&place, &["--server", "strict"]));
    assert!(listening.url.ends_with("/mcp"), "{}", listening.url);
    assert_eq!(runtime.block_on(listening.call(&token, "echo")), "limit_reached");
    terminate(&listening.child);
    listening.child.wait().unwrap();
}

pub(crate) fn check() {
    let example = include_str!("../../mcp-gateway.example.toml");
    let place = place(example);
    let checked = |place: &Place| {
        let output = configured(place, &["--check"]).output().unwrap();
        (output.status.code(), said(&output))
    };
    let (code, told) = checked(&place);
    assert!(code == Some(3) && told.contains("conf/binance.json"), "{told}");
    fs::write(place.path("conf/binance.json"), POLICY).unwrap();
    let (code, told) = checked(&place);
    assert!(code == Some(10) && told.contains("conf/binance.pins.json"), "{told}");
    fs::write(place.path("conf/binance.pins.json"), r#"{"version": "1", "tools": {}}"#).unwrap();
    let (code, told) = checked(&place);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("binance.json: valid, sha256 ") && told.ends_with("gateway.toml: valid\n"), "{told}");
    // Every policy counts, not only the first.
    let second = format!("{example}\n[servers.zeta]\ncommand = [\"z\"]\npolicy = \"z.json\"\n");
    fs::write(place.path("conf/gateway.toml"), second).unwrap();
    fs::write(place.path("conf/z.json"), "{}").unwrap();
    let (code, told) = checked(&place);
    assert!(code == Some(3) && told.contains("z.json"), "{told}");
}

pub(crate) fn bad_file() {
    let place = place(&("polcy = \"x\"\n".to_owned() + &server("desk") + "pin = \"canary\"\n"));
    let witness = place.path("started");
    let output = configured(&place, &["--", "touch", witness.to_str().unwrap()]).output().unwrap();
    let told = said(&output);
    assert_eq!(output.status.code(), Some(15), "{told}");
    assert!(
        told.contains("conf/gateway.toml: line 1, column 1: `polcy`: unknown key; did you mean `policy`?"),
        "{told}"
    );
    assert!(
        told.contains("`servers.desk.pin`: unknown key; did you mean `pins`?") && !told.contains("canary"),
        "{told}"
    );
    assert!(!witness.exists() && output.stdout.is_empty());
    fs::remove_file(place.path("conf/gateway.toml")).unwrap();
    let output = configured(&place, &[]).output().unwrap();
    assert!(output.status.code() == Some(15) && said(&output).contains("conf/gateway.toml"), "{}", said(&output));
}

pub(crate) fn reread() {
    let text = "policy = \"../policy.json\"\ngrant = \"desk\"\nmax_in_flight = 7\n".to_owned() + &server("a");
    let place = place(&text);
    let write = |text: &str| fs::write(place.path("conf/gateway.toml"), text).unwrap();
    let mut served = Served::start(configured(&place, &[]));
    assert_eq!(served.call(1, "echo"), Value::Null);
    let without = POLICY.replace("\"echo\": {}, ", "");
    fs::write(place.path("conf/own.json"), &without).unwrap();
    fs::write(place.path("conf/strict.json"), POLICY.replace("\"slow\": {}", "\"slow\": {\"action\": \"deny\"}"))
        .unwrap();
    // A file that is not valid changes nothing, not even the policies that are.
    write(&(text.replace("max_in_flight", "max_in_fligt") + "[grants.desk]\npolicy = \"own.json\"\n"));
    send(&served.child, "-HUP");
    served.log("nothing is changed");
    served.log("did you mean `max_in_flight`?");
    assert_eq!(served.call(2, "echo"), Value::Null);
    // Another policy, one of a grant, and what needs a restart.
    let more = text.replace("../policy.json", "strict.json").replace("= 7", "= 8")
        + "[grants.desk]\npolicy = \"own.json\"\n[audit]\nrotate_bytes = 5\n";
    let more = more.replace("\"rmcp\"", "\"rmcp\", \"more\"");
    write(&more);
    send(&served.child, "-HUP");
    let told = served.log("only after a restart");
    for name in ["`max_in_flight`", "`audit.rotate_bytes`", "`servers.a`"] {
        assert!(told.contains(name), "{told}");
    }
    assert!(!told.contains("`grant`") && !told.contains("`drain_ms`"), "{told}");
    assert_eq!(served.call(3, "echo"), "not_available", "by the policy of the grant");
    assert_eq!(served.call(4, "slow"), Value::Null);
    served.end();
}

pub(crate) fn other_commands() {
    let place =
        place(&("policy = \"../policy.json\"\nstate = \"state\"\nkill_file = \"halt\"\n".to_owned() + &server("a")));
    let file = place.path("conf/gateway.toml");
    let file = file.to_str().unwrap();
    let code = |arguments: &[&str]| run(arguments).status.code();
    assert_eq!(code(&["grant", "add", "desk", "--config", file]), Some(0));
    let listed = run(&["grant", "list", "--config", file]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "desk  open\n");
    assert!(place.path("conf/state/state.db").exists());
    assert_eq!(code(&["approvals", "list", "--config", file]), Some(0));
    assert_eq!(code(&["kill", "on", "--config", file]), Some(0));
    assert!(place.path("conf/halt").exists());
    assert_eq!((code(&["kill", "off", "--config", file]), place.path("conf/halt").exists()), (Some(0), false));
    // A flag goes before the file, which must be one and name what is asked for.
    let other = place.path("other");
    assert_eq!(code(&["grant", "add", "desk", "--config", file, "--state", other.to_str().unwrap()]), Some(0));
    fs::write(place.path("conf/gateway.toml"), "policy = \"p\"\n").unwrap();
    assert_eq!(
        (code(&["kill", "on", "--config", file]), code(&["grant", "list", "--config", file])),
        (Some(2), Some(2))
    );
    assert_eq!(code(&["grant", "list", "--config", "/nonexistent"]), Some(15));
    assert_eq!((code(&["kill", "on"]), code(&["grant", "list"])), (Some(2), Some(2)));
}

//! The binary, end to end: a real client over its standard streams, a mock exchange behind it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may end with a panic")]

mod common;

use std::process::Stdio;

use common::{API_KEY, SECRET_KEY, answering, json_answer, minimal_arguments, params, seen, text};
use rmcp::ServiceExt as _;
use rmcp::transport::TokioChildProcess;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

/// The binary, with nothing of the surrounding environment.
fn command(variables: &[(&str, &str)], args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_binance-mcp"));
    command.env_clear().envs(variables.iter().copied()).args(args).kill_on_drop(true);
    command
}

/// Runs to the end on empty input; exit code, standard output, standard error.
async fn run(variables: &[(&str, &str)], args: &[&str]) -> (i32, String, String) {
    let output = command(variables, args).stdin(Stdio::null()).output().await.unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test]
async fn a_client_drives_the_binary() {
    let exchange = answering(json_answer(200, r#"{"price":"1.00"}"#)).await;
    let variables = [
        ("BINANCE_API_KEY", API_KEY),
        ("BINANCE_SECRET_KEY", SECRET_KEY),
        ("BINANCE_BASE_URL", &exchange.uri()),
        ("BINANCE_RECV_WINDOW", "777"),
        ("BINANCE_MCP_LOG", "trace"),
        // A proxy from the environment would see the signed request first.
        ("http_proxy", "http://127.0.0.1:1"),
        ("ALL_PROXY", "http://127.0.0.1:1"),
    ];
    let (transport, stderr) =
        TokioChildProcess::builder(command(&variables, &[])).stderr(Stdio::piped()).spawn().unwrap();
    let log = tokio::spawn(async move {
        let mut log = String::new();
        stderr.unwrap().read_to_string(&mut log).await.unwrap();
        log
    });
    let client = ().serve(transport).await.unwrap();
    assert_eq!(client.peer().list_tools(None).await.unwrap().tools.len(), 23);
    let call = params("bn_avg_price", json!({"symbol": "BTCUSDT", "_fields": "price"}));
    let result = client.peer().call_tool(call).await.unwrap();
    assert_eq!(text(&result), r#"{"price":"1.00"}"#);
    let result = client.peer().call_tool(params("bn_account_info", json!({}))).await.unwrap();
    assert_eq!(result.is_error, Some(false), "{result:?}");
    client.cancel().await.unwrap();

    let requests = seen(&exchange).await;
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].headers["x-mbx-apikey"], API_KEY);
    let query = requests[1].url.query().unwrap();
    assert!(query.contains("&recvWindow=777&signature="), "{query}");
    let signature = query.rsplit_once('=').unwrap().1;
    let log = log.await.unwrap();
    assert!(log.contains("serving"), "{log}");
    for canary in [API_KEY, SECRET_KEY, signature] {
        assert!(!log.contains(canary), "the log holds `{canary}`: {log}");
    }
}

#[tokio::test]
async fn input_that_ends_is_a_clean_end() {
    let (code, out, err) = run(&[], &["--base-url", "http://127.0.0.1:1"]).await;
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
}

/// Variables, arguments, and a part of what standard error says.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], &'a str);

#[tokio::test]
async fn what_cannot_start_says_why_and_how_to_mend_it() {
    let url = ("BINANCE_BASE_URL", "http://127.0.0.1:1");
    let key = ("BINANCE_API_KEY", API_KEY);
    let secret = ("BINANCE_SECRET_KEY", SECRET_KEY);
    let cases: &[Case<'_>] = &[
        #[cfg(not(feature = "tls"))]
        (&[], &[], "rebuild with `--features tls`"),
        #[cfg(not(feature = "tls"))]
        (&[("BINANCE_BASE_URL", "https://127.0.0.1:1")], &[], "rebuild with `--features tls`"),
        (&[("BINANCE_BASE_URL", "nowhere")], &[], "it is not a URL"),
        (&[url, key], &[], "set BINANCE_SECRET_KEY or use `--secret-key-file`"),
        (&[url, secret], &[], "set BINANCE_API_KEY or use `--api-key-file`"),
        (&[url, key], &["--secret-key-file", "/nonexistent"], "cannot read the secret key from `/nonexistent`"),
        (&[url, ("BINANCE_RECV_WINDOW", "60001")], &[], "give 1 to 60000"),
        (&[url], &["--max-in-flight", "0"], "at least 1"),
        (&[url], &["--secret-key", "x"], "unexpected argument"),
        (&[url], &["--log", "a=b=c"], "`--log` is not understood"),
        (&[("BINANCE_BASE_URL", "http://exchange.test"), key, secret], &[], "--allow-cleartext"),
    ];
    for (variables, args, part) in cases {
        let (code, out, err) = run(variables, args).await;
        assert_eq!((code, out.as_str()), (2, ""), "{variables:?} {args:?}: {err}");
        assert!(err.contains(part), "{err}");
        assert!(!err.contains(API_KEY) && !err.contains(SECRET_KEY), "{err}");
    }
}

#[tokio::test]
async fn help_names_every_variable_and_prints_no_value() {
    let (code, out, err) =
        run(&[("BINANCE_BASE_URL", "http://canary"), ("BINANCE_SECRET_KEY", "canary")], &["--help"]).await;
    assert_eq!((code, err.as_str()), (0, ""));
    for word in [
        "BINANCE_API_KEY",
        "BINANCE_SECRET_KEY",
        "BINANCE_BASE_URL",
        "BINANCE_RECV_WINDOW",
        "--secret-key-file",
        "Exit codes: 0 ended, 1 the MCP session failed, 2 bad usage",
    ] {
        assert!(out.contains(word), "{word} is missing in:\n{out}");
    }
    assert!(!out.contains("canary"), "{out}");
}

#[tokio::test]
async fn a_session_that_cannot_be_opened_is_exit_code_one() {
    for (line, code) in [
        // Not how a session begins.
        (r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#, 1),
        // A request without handshake or metadata is answered with an error, and waiting goes on.
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, 0),
    ] {
        let mut child = command(&[("BINANCE_BASE_URL", "http://127.0.0.1:1")], &[])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        drop(input);
        let output = child.wait_with_output().await.unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {err}");
        assert_eq!(err.contains("the MCP session could not be opened"), code == 1, "{err}");
        assert_eq!(String::from_utf8(output.stdout).unwrap().contains("-32602"), code == 0);
    }
}

/// A secret from a file, and SIGTERM in the middle of a session, with the input still open.
#[cfg(unix)]
#[tokio::test]
async fn signals_end_it_cleanly() {
    let exchange = answering(json_answer(200, "{}")).await;
    let uri = exchange.uri();
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("secret-key");
    std::fs::write(&file, format!("{SECRET_KEY}\n")).unwrap();
    for signal in ["TERM", "INT"] {
        let mut child = command(
            &[("BINANCE_API_KEY", API_KEY), ("BINANCE_BASE_URL", &uri)],
            &["--secret-key-file", file.to_str().unwrap()],
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
        let mut input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}});
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": "bn_new_order", "arguments": minimal_arguments("bn_new_order")}});
        input.write_all(format!("{hello}\n{ready}\n{call}\n").as_bytes()).await.unwrap();
        assert!(output.next_line().await.unwrap().unwrap().contains("\"id\":0"));
        let answer = output.next_line().await.unwrap().unwrap();
        assert!(answer.contains("\"id\":1") && answer.contains("\"isError\":false"), "{answer}");
        let id = child.id().unwrap().to_string();
        assert!(Command::new("kill").args([format!("-{signal}"), id]).status().await.unwrap().success());
        assert_eq!(child.wait().await.unwrap().code(), Some(0), "SIG{signal}");
        drop(input);
    }
}

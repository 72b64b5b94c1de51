//! Defects of published gateways, each under its number in `stack/policy/tests/README.md`, where the table names every
//! test that holds one. Those that need a listener are in `http/`; those of approvals and reloading beside their kind.

use mcp_gateway::{AuditKey, Upstream as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{Bench, Rig, answer, call};

/// Sends `frame` and returns the one refusal that it gets; nothing of it reaches the server.
async fn refused(rig: &mut Rig, frame: &str) -> Value {
    rig.client.send(frame).await;
    let mut told = rig.nothing_reached_the_server().await;
    assert_eq!(told.len(), 1, "{frame}: {told:?}");
    told.remove(0)
}

/// A batch is an error, even one of a single allowed call, and no part of it goes anywhere.
#[tokio::test]
async fn defect_01_a_batch_on_a_stream_goes_nowhere() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    let (good, bad) = (call(1, "echo", json!({})), call(2, "withdraw", json!({})));
    for batch in [
        format!("[{good}]"),
        format!("[{good},{bad}]"),
        format!("[{bad},{bad}]"),
        format!("  [ {good} , {good} ]  "),
        "[]".to_owned(),
        "[1,2]".to_owned(),
        format!("[[{good}]]"),
    ] {
        let told = refused(&mut rig, &batch).await;
        assert_eq!((&told["id"], &told["error"]["code"]), (&json!(null), &json!(-32600)), "{batch}");
        assert_eq!(bench.last_audit()["decision"], "refuse", "{batch}");
    }
}

/// Frames whose keys another parser would take for one another: by case, by folding, cut at a NUL.
const CASE_VARIANTS: [&str; 8] = [
    r#"{"name":"withdraw","Name":"echo"}"#,
    r#"{"Name":"echo","name":"withdraw"}"#,
    r#"{"name":"echo","name":"withdraw"}"#,
    r#"{"name":"echo","NAME":"withdraw"}"#,
    r#"{"name":"echo","argument\u017f":{},"arguments":{"a":1}}"#,
    r#"{"name":"echo","arguments":{"\u212aey":1,"key":2}}"#,
    r#"{"name":"echo","name\u0000":"withdraw"}"#,
    r#"{"name":"place_order","arguments":{"symbol":"BTCUSDT","quantity":"1","Quantity":"500"}}"#,
];

#[tokio::test]
async fn defect_02_what_another_parser_reads_otherwise_is_not_forwarded() {
    let mut rig = Bench::new().open("s");
    for params in CASE_VARIANTS {
        let frame = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let told = refused(&mut rig, &frame).await;
        assert!(told["error"]["code"].is_i64(), "{params}: {told}");
    }
    // Outside `params` as well.
    for frame in [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"withdraw"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","param\u017f":{"name":"withdraw"},"params":{"name":"echo"}}"#,
    ] {
        assert!(refused(&mut rig, frame).await["error"]["code"].is_i64(), "{frame}");
    }
}

/// The test above sees a gateway that has the defect.
#[cfg(feature = "mutants")]
#[tokio::test]
async fn defect_02_is_seen_in_a_gateway_that_has_it() {
    let mutation = Some(mcp_gateway::GatewayMutation::RawBytesForwarded);
    let mut rig = Bench::with(|config| config.mutation = mutation).open("s");
    let frame = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}}"#, CASE_VARIANTS[1]);
    rig.client.send(&frame).await;
    let forwarded = rig.server.next_text().await;
    assert!(forwarded.contains("withdraw"), "{forwarded}");
}

#[tokio::test]
async fn defect_03_params_that_do_not_decode_are_not_forwarded() {
    let mut rig = Bench::new().open("s");
    for params in [
        r#"{"name":"echo","arguments":[]}"#,
        r#"{"name":"echo","arguments":"{}"}"#,
        r#"{"name":"echo","arguments":7}"#,
        r#"{"name":"echo","arguments":{"a":1e400}}"#,
        r#"{"name":"echo","arguments":{"a":-1e400}}"#,
        r#"{"name":"echo","arguments":{"a":1e-400}}"#,
        r#"{"name":"echo","arguments":{"a":"\ud800"}}"#,
        r#"{"name":"echo","arguments":{"a":01}}"#,
        r#"{"name":"echo","arguments":{"a":NaN}}"#,
        r#"{"name":["echo"],"arguments":{}}"#,
        r#"{"name":7}"#,
        r#"{"arguments":{}}"#,
        r#"["echo"]"#,
        r#""echo""#,
        "null",
    ] {
        let frame = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let told = refused(&mut rig, &frame).await;
        assert!(told["error"]["code"].is_i64(), "{params}: {told}");
    }
}

/// The digest of arguments is keyed: who has the audit cannot try out what small arguments were.
#[tokio::test]
async fn defect_14_a_digest_of_arguments_cannot_be_tried_out() {
    let digest = async |key: Option<[u8; 32]>| {
        let bench = Bench::with(|config| config.audit_key = key.map(|key| AuditKey::new(&key).unwrap()));
        let mut rig = bench.open("s");
        rig.client.send(&call(1, "withdraw", json!({ "pin": "1234" }))).await;
        rig.client.next().await;
        (bench.last_audit()["args_hmac_sha256"].clone(), bench.audit.lines().concat())
    };
    let plain = hex::encode(Sha256::digest(br#"{"pin":"1234"}"#));
    let (first, lines) = digest(Some([1; 32])).await;
    assert!(first.is_string() && first != plain.as_str(), "{first}");
    assert_ne!(first, digest(Some([2; 32])).await.0, "another key, another digest");
    let (none, without) = digest(None).await;
    assert_eq!(none, Value::Null, "without a key there is no digest");
    for text in [lines, without] {
        assert!(!text.contains(&plain) && !text.contains("1234"), "{text}");
    }
}

/// The secrets that a gateway holds are in nothing that it prints.
#[test]
fn defect_14_the_secrets_of_a_gateway_are_in_no_debug_output() {
    let key = AuditKey::new(&[0xab; 32]).unwrap();
    let token = mcp_gateway::Token::from_bytes([0xcd; 32]);
    let shown = format!("{key:?} {token:?}").to_lowercase();
    assert!(
        !shown.contains("abab") && !shown.contains("171") && !shown.contains("cdcd") && !shown.contains("205"),
        "{shown}"
    );
    assert!(!shown.contains(&token.reveal().to_lowercase()), "{shown}");
}

/// A client may call tools, list them and shake hands. Everything else that MCP has stops here.
#[tokio::test]
async fn defect_15_other_methods_do_not_pass() {
    let mut rig = Bench::new().open("s");
    for method in [
        "resources/list",
        "resources/read",
        "resources/templates/list",
        "resources/subscribe",
        "prompts/list",
        "prompts/get",
        "completion/complete",
        "sampling/createMessage",
        "elicitation/create",
        "roots/list",
        "logging/setLevel",
        "tasks/get",
        "tools/Call",
        "tools/call ",
        "TOOLS/CALL",
        "no/such/method",
    ] {
        let frame = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": "echo", "uri": "file:///"}});
        let told = refused(&mut rig, &frame.to_string()).await;
        assert_eq!(told["error"]["code"], -32601, "{method}: {told}");
    }
}

/// An answer of a megabyte on one line passes, byte for byte.
#[tokio::test]
async fn defect_18_a_long_line_of_a_server_passes() {
    let limits = mcp_gateway::GatewayLimits {
        answer_bytes_max: 4 << 20,
        backlog_bytes: 8 << 20,
        ..mcp_gateway::GatewayLimits::default()
    };
    let mut rig = Bench::limits(limits).open_sized("s", 4 << 20);
    rig.client.send(&call(1, "echo", json!({}))).await;
    let id = rig.server.next().await["id"].clone();
    let long = "x".repeat(1 << 20);
    rig.server.send(&answer(&id, &long)).await;
    let told = rig.client.next().await;
    assert_eq!(told["result"]["content"][0]["text"].as_str().map(str::len), Some(1 << 20));
}

/// Who cannot reach the server is told so, and does not wait.
#[cfg(feature = "http")]
#[tokio::test]
async fn defect_19_a_server_that_is_not_there_is_told() {
    // A port that was free a moment ago, and whose listener is gone.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    drop(listener);
    let connection = mcp_gateway::HttpUpstream::new(&url, None, 100_000).unwrap().connect().await.unwrap();
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let bench = Bench::new();
    let gateway = bench.gateway.clone();
    tokio::spawn(async move {
        let (read, write) = tokio::io::split(theirs);
        let identity = mcp_gateway::Identity::new("agent", "s");
        gateway.serve(identity, read, write, connection.read, connection.write).await
    });
    let mut client = crate::support::Line::new(ours);
    client.send(&call(1, "echo", json!({}))).await;
    let told = client.next().await;
    assert_eq!(told["id"], 1, "{told}");
    assert!(told["result"]["isError"] == true || told["error"].is_object(), "{told}");
}

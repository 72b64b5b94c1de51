//! What a server may send, and what of it reaches the client.

use crate::support::{Bench, Rig, answer, call};
use serde_json::{Value, json};

/// Sends a request of the client through and returns the id under which the server has it.
async fn ask(rig: &mut Rig, frame: &str) -> Value {
    rig.client.send(frame).await;
    rig.server.next().await["id"].clone()
}

#[tokio::test]
async fn defect_16_lists_are_filtered_and_everything_else_in_them_is_kept() {
    let mut rig = Bench::new().open("s");
    let id = ask(&mut rig, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"a"}}"#).await;
    rig.server
        .send(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"_meta":{{"a":1.50}},"tools":[{{"name":"withdraw","inputSchema":{{}}}},{{"name":"echo","inputSchema":{{"maximum":0.10}},"x":[1e2]}},{{"name":"unlisted"}},{{"name":"Echo"}}],"nextCursor":"b","ttlMs":5}}}}"#
        ))
        .await;
    assert_eq!(
        rig.client.next_text().await,
        r#"{"jsonrpc":"2.0","id":1,"result":{"_meta":{"a":1.50},"tools":[{"name":"echo","inputSchema":{"maximum":0.10},"x":[1e2]}],"nextCursor":"b","ttlMs":5}}"#
    );
}

#[tokio::test]
async fn defect_16_a_list_that_cannot_be_read_is_not_shown_in_part() {
    let mut rig = Bench::new().open("s");
    for result in [
        r"{}",
        r#"{"tools":{}}"#,
        r#"{"tools":null}"#,
        r#"{"tools":[{"title":"no name"}]}"#,
        r#"{"tools":[{"name":7}]}"#,
        r#"{"tools":[{"name":"echo"},"withdraw"]}"#,
        r#"{"tools":[{"name":"echo","name":"withdraw"}]}"#,
        r#"{"Tools":[{"name":"withdraw"}]}"#,
    ] {
        let id = ask(&mut rig, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).await;
        rig.server.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)).await;
        let told = rig.client.next().await;
        assert_eq!(told["error"]["data"]["reason"], "bad_answer", "{result}");
        assert_eq!(told["id"], 1);
    }
}

#[tokio::test]
async fn both_handshakes_offer_only_what_passes() {
    let mut rig = Bench::new().open("s");
    let offered = json!({"sampling": {}, "roots": {"listChanged": true}, "elicitation": {}});
    let frames = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
            {"protocolVersion": "2025-11-25", "capabilities": offered, "clientInfo": {"name": "c", "version": "1"}}}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta":
            {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
             "io.modelcontextprotocol/clientCapabilities": offered}}}),
    ];
    for frame in frames {
        rig.client.send(&frame.to_string()).await;
        let arrived = rig.server.next().await;
        assert!(!arrived.to_string().contains("sampling"), "{arrived}");
        assert_eq!(arrived["params"]["protocolVersion"], frame["params"]["protocolVersion"]);
        let capabilities = json!({"tools": {"listChanged": true}, "prompts": {}, "resources": {"subscribe": true},
            "logging": {}, "completions": {}, "tasks": {}, "experimental": {"x": {}}, "extensions": {"y": {}}});
        let result =
            json!({"capabilities": capabilities, "serverInfo": {"name": "s", "version": "1"}, "instructions": "i"});
        rig.server.send(&json!({"jsonrpc": "2.0", "id": arrived["id"], "result": result}).to_string()).await;
        let told = rig.client.next().await;
        assert_eq!(told["result"]["capabilities"], json!({"tools": {"listChanged": true}}));
        assert_eq!(told["result"]["instructions"], "i");
    }
}

#[tokio::test]
async fn defect_15_requests_of_the_server_stop_at_the_gateway() {
    let mut rig = Bench::new().open("s");
    for method in ["sampling/createMessage", "elicitation/create", "roots/list", "tools/call", "anything"] {
        rig.server.send(&json!({"jsonrpc": "2.0", "id": "mine", "method": method, "params": {}}).to_string()).await;
        let refusal = rig.server.next().await;
        assert_eq!((&refusal["id"], &refusal["error"]["code"]), (&json!("mine"), &json!(-32601)), "{method}");
    }
    rig.server.send(r#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#).await;
    assert_eq!(rig.server.next().await, json!({"jsonrpc": "2.0", "id": 0, "result": {}}));
    assert!(rig.nothing_reached_the_server().await.is_empty(), "the client saw nothing of it");
}

#[tokio::test]
async fn some_notifications_of_the_server_pass() {
    let mut rig = Bench::new().open("s");
    for method in [
        "notifications/cancelled",
        "notifications/resources/updated",
        "notifications/prompts/list_changed",
        "notifications/tasks/status",
        "notifications/initialized",
    ] {
        rig.server.send(&json!({"jsonrpc": "2.0", "method": method, "params": {}}).to_string()).await;
    }
    let passing = [
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"d"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
    ];
    for frame in passing {
        rig.server.send(frame).await;
        assert_eq!(rig.client.next_text().await, frame);
    }
}

#[tokio::test]
async fn progress_reaches_whoever_asked_under_the_token_that_it_gave_and_nobody_else() {
    let mut rig = Bench::new().open("s");
    let progress = |token: &Value| json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": 0.5}});
    let mine = json!("of the client's own");
    let call = json!({"jsonrpc": "2.0", "id": "a", "method": "tools/call",
                      "params": {"_meta": {"progressToken": mine, "other": 1}, "name": "echo", "arguments": {}}});
    rig.client.send(&call.to_string()).await;
    let forwarded = rig.server.next().await;
    let token = &forwarded["params"]["_meta"]["progressToken"];
    assert_eq!((token, &forwarded["params"]["_meta"]["other"]), (&forwarded["id"], &json!(1)));
    for foreign in [&mine, &json!(999), &json!(null), &json!(1.0)] {
        rig.server.send(&progress(foreign).to_string()).await;
    }
    rig.server.send(&progress(token).to_string()).await;
    assert_eq!(rig.client.next().await, progress(&mine));
    // Who did not ask hears nothing, and neither does who has its answer.
    let other = ask(&mut rig, &crate::support::call("b", "echo", json!({}))).await;
    rig.server.send(&progress(&other).to_string()).await;
    rig.server.send(&answer(&forwarded["id"], "done")).await;
    assert_eq!(rig.client.next().await["id"], "a");
    rig.server.send(&progress(token).to_string()).await;
    assert!(rig.nothing_reached_the_server().await.is_empty());
}

#[tokio::test]
async fn a_malformed_answer_never_arrives_but_its_client_hears_of_it() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    for frame in [
        r#"{"jsonrpc":"2.0","id":ID,"result":{"content":[],"isError":true,"isError":false}}"#,
        r#"{"jsonrpc":"2.0","id":ID,"result":{"content":[{"text":"a","text":"b"}]}}"#,
        r#"{"jsonrpc":"2.0","id":ID,"result":{},"Result":{}}"#,
        r#"{"jsonrpc":"2.0","id":ID,"result":{"a":"\ud800"}}"#,
        r#"{"jsonrpc":"2.0","id":ID,"result":{"a":1e400}}"#,
        r#"{"jsonrpc":"2.0","id":ID,"result":{"a":1}} {"jsonrpc":"2.0","id":ID,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":ID,"result":[]}"#,
        r#"{"jsonrpc":"2.0","id":ID,"result":{"isError":"no"}}"#,
        r#"{"jsonrpc":"2.0","id":ID,"result":{"#,
        // Not final: these ask the client for more, which does not pass.
        r#"{"jsonrpc":"2.0","id":ID,"result":{"resultType":"input_required","requestState":"s"}}"#,
        r#"{"jsonrpc":"2.0","id":ID,"result":{"task":{"taskId":"t"}}}"#,
    ] {
        let id = ask(&mut rig, &call(1, "echo", json!({}))).await;
        rig.server.send(&frame.replace("ID", &id.to_string())).await;
        let told = rig.client.next().await;
        assert_eq!((&told["id"], &told["result"]["isError"]), (&json!(1), &json!(true)), "{frame}");
        let text = told["result"]["content"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("[OUTCOME UNKNOWN]"), "{text}");
    }
    // Frames that answer nothing are dropped without a word.
    for frame in
        ["", "garbage", "[]", r#"{"jsonrpc":"2.0","id":"1","result":{}}"#, r#"{"jsonrpc":"2.0","id":999,"result":{}}"#]
    {
        rig.server.send(frame).await;
    }
    assert!(rig.nothing_reached_the_server().await.is_empty());
    let summary = rig.finish().await;
    assert_eq!((summary.unknown_outcomes, summary.dropped_from_server), (11, 15));
}

#[tokio::test]
async fn an_oversize_answer_is_told_and_not_passed_on() {
    let bench = Bench::with(|config| config.limits.answer_bytes_max = 100_000);
    let mut rig = bench.open("s");
    let id = ask(&mut rig, &call(1, "echo", json!({}))).await;
    rig.server.send(&answer(&id, &"x".repeat(100_000))).await;
    let told = rig.client.next().await;
    assert_eq!(told["result"]["structuredContent"]["reason"], "bad_answer");
    let id = ask(&mut rig, &call(2, "echo", json!({}))).await;
    rig.server.send(&answer(&id, &"x".repeat(99_000))).await;
    assert_eq!(rig.client.next().await["result"]["content"][0]["text"].as_str().unwrap().len(), 99_000);
}

#[tokio::test]
async fn a_carriage_return_cannot_smuggle_a_frame_to_the_client() {
    let mut rig = Bench::new().open("s");
    let id = ask(&mut rig, &call(1, "echo", json!({}))).await;
    let forged = r#"{"jsonrpc":"2.0","id":2,"result":{}}"#;
    rig.server.send(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"a\":\r{forged}\r}}}}")).await;
    let told = rig.client.next_text().await;
    assert_eq!(told, format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"a": {forged} }}}}"#));
}

#[tokio::test]
async fn errors_of_the_server_keep_code_message_and_data() {
    let mut rig = Bench::new().open("s");
    let id = ask(&mut rig, &call(1, "echo", json!({}))).await;
    let error = json!({"code": -32602, "message": "no", "data": {"x": [1, null]}});
    rig.server.send(&json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string()).await;
    assert_eq!(rig.client.next().await, json!({"jsonrpc": "2.0", "id": 1, "error": error}));
}

//! What passes, and how it arrives.

use crate::support::{Bench, START_MS, answer, call};
use serde_json::json;

#[tokio::test]
async fn what_was_judged_is_what_is_forwarded() {
    let mut rig = Bench::new().open("s");
    // Blanks, escapes and an unusual order of members: none of it survives, the value does.
    rig.client
        .send(
            "{ \"params\" :{ \"arguments\":{\"b\" : 1.50,\"\\u0061\":[ 1e2 ,-0, 18446744073709551615,\"\\/\\u00e4\"]},\t\"_meta\": {\"x\":1}, \"name\":\"e\\u0063ho\"} , \"method\":\"tools\\/call\",\"id\":\"a\\nb\",\"jsonrpc\":\"2.0\" } \r",
        )
        .await;
    assert_eq!(
        rig.server.next_text().await,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"b":1.5,"a":[100.0,-0.0,18446744073709551615,"/ä"]},"_meta":{"x":1},"name":"echo"}}"#
    );
    // A result arrives as it was written, digits and all.
    rig.server
        .send("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[],\"structuredContent\":{\"p\": 0.10,\"m\":1,\"M\":2}}}")
        .await;
    assert_eq!(
        rig.client.next_text().await,
        r#"{"jsonrpc":"2.0","id":"a\nb","result":{"content":[],"structuredContent":{"p": 0.10,"m":1,"M":2}}}"#
    );
    let summary = rig.finish().await;
    assert_eq!((summary.calls, summary.allowed, summary.refused_frames), (1, 1, 0));
}

#[tokio::test]
async fn a_denial_says_why_to_people_and_machines() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    rig.client.send(&call(7, "place_order", json!({"symbol": "BTCUSDT", "quantity": "5"}))).await;
    let denial = rig.client.next().await;
    assert_eq!(denial["id"], 7);
    assert_eq!(denial["result"]["isError"], true);
    assert_eq!(denial["result"]["content"][0]["text"], "[POLICY DENIED] at most 1 BTC an order");
    let fields = &denial["result"]["structuredContent"];
    assert_eq!(fields["denied"], true);
    assert_eq!(fields["reason"], "deny_if_matched");
    assert!(fields["rule"].as_str().unwrap().starts_with("/tools/place_order/deny_if/"), "{fields}");
    assert_eq!(denial["result"]["_meta"]["mcp-gateway/verdict"], *fields);
    assert_eq!(denial["result"].get("resultType"), None, "the old era does not know it");

    let line = bench.last_audit();
    assert_eq!(line["decision"], "deny");
    assert_eq!(line["rule"], fields["rule"]);
    assert_eq!(line["arg_keys"], json!(["symbol", "quantity"]));
    assert_eq!(line["ts_ms"], START_MS);
    assert!(!line.to_string().contains("BTCUSDT"), "no values: {line}");
    rig.nothing_reached_the_server().await;
}

#[tokio::test]
async fn hidden_and_unknown_tools_answer_alike() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    let mut told = Vec::new();
    for tool in ["withdraw", "no_such_tool", "Echo", "echo ", ""] {
        rig.client.send(&call(1, tool, json!({}))).await;
        told.push(rig.client.next_text().await);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("[POLICY DENIED]") && !told[0].contains("rule"), "{told:?}");
    // The audit tells them apart.
    let reasons: Vec<_> = bench.audit().iter().map(|line| line["reason"].clone()).collect();
    assert_eq!(reasons[..2], [json!("hidden"), json!("unlisted")]);
    rig.nothing_reached_the_server().await;
}

#[tokio::test]
async fn a_call_that_needs_a_person_is_not_made() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    rig.client.send(&call(1, "big_order", json!({}))).await;
    let told = rig.client.next().await;
    let fields = &told["result"]["structuredContent"];
    assert_eq!((&fields["denied"], &fields["reason"]), (&json!(true), &json!("approval_required")));
    assert!(fields["message"].as_str().unwrap().contains("a person signs large orders"));
    assert!(fields["message"].as_str().unwrap().contains("no approval channel is configured"));
    assert_eq!(bench.last_audit()["decision"], "escalate");
    rig.nothing_reached_the_server().await;
    assert_eq!(rig.finish().await.escalated, 1);
}

#[tokio::test]
async fn a_denial_of_the_stateless_era_names_its_kind() {
    let mut rig = Bench::new().open("s");
    let frame = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "withdraw",
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}});
    rig.client.send(&frame.to_string()).await;
    assert_eq!(rig.client.next().await["result"]["resultType"], "complete");
}

#[tokio::test]
async fn a_tool_with_an_output_schema_keeps_it_in_denials() {
    let mut rig = Bench::new().open("s");
    rig.client.send(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).await;
    let id = rig.server.next().await["id"].clone();
    let tools = json!([{"name": "typed", "inputSchema": {}, "outputSchema": {"type": "object"}}]);
    rig.server.send(&json!({"jsonrpc": "2.0", "id": id, "result": {"tools": tools}}).to_string()).await;
    rig.client.next().await;
    rig.client.send(&call(2, "typed", json!({"secret": 1}))).await;
    let denial = rig.client.next().await;
    assert_eq!(denial["result"].get("structuredContent"), None);
    assert_eq!(denial["result"]["_meta"]["mcp-gateway/verdict"]["denied"], true);
}

#[tokio::test]
async fn the_thirty_first_listen_key_within_any_minute_is_denied() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    let mut reached = 0;
    for n in 1..=31 {
        bench.advance_ms(1000);
        rig.client.send(&call(n, "bn_create_listen_key", json!({}))).await;
        if n <= 30 {
            let frame = rig.server.next().await;
            reached += 1;
            rig.server.send(&answer(&frame["id"], "key")).await;
            assert_eq!(rig.client.next().await["id"], n);
        }
    }
    let denial = rig.client.next().await;
    assert_eq!((reached, &denial["id"]), (30, &json!(31)));
    let fields = &denial["result"]["structuredContent"];
    assert_eq!(fields["reason"], "limit_reached");
    // The first call was made 30 seconds before the last.
    assert_eq!(fields["retry_after_ms"], 30_000);
    rig.nothing_reached_the_server().await;
    bench.advance_ms(30_000);
    rig.client.send(&call(32, "bn_create_listen_key", json!({}))).await;
    assert_eq!(rig.server.next().await["method"], "tools/call");
}

#[tokio::test]
async fn five_hundred_parallel_calls_are_left_to_the_policy() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    let burst: Vec<_> = (0..500).map(|n| call(n, "bn_create_listen_key", json!({}))).collect();
    rig.client.send(&burst.join("\n")).await;
    for _ in 0..30 {
        let frame = rig.server.next().await;
        rig.server.send(&answer(&frame["id"], "key")).await;
    }
    let mut denied = 0;
    for _ in 0..500 {
        let told = rig.client.next().await;
        denied += usize::from(told["result"]["structuredContent"]["reason"] == "limit_reached");
    }
    assert_eq!(denied, 470);
    rig.nothing_reached_the_server().await;
    assert_eq!(bench.audit.len(), 500);
}

#[tokio::test]
async fn colliding_ids_of_two_sessions_never_cross() {
    let bench = Bench::new();
    let mut rigs: Vec<_> = (0..20).map(|n| bench.open(&format!("s{n}"))).collect();
    for rig in &mut rigs {
        for id in 0..10 {
            rig.client.send(&call(id, "echo", json!({}))).await;
        }
    }
    for (n, rig) in rigs.iter_mut().enumerate() {
        let mut ids = Vec::new();
        for _ in 0..10 {
            ids.push(rig.server.next().await["id"].clone());
        }
        // Answers come in the opposite order, and each twice.
        for id in ids.iter().rev() {
            let text = format!("{n}/{id}");
            rig.server.send(&answer(id, &text)).await;
            rig.server.send(&answer(id, "once more")).await;
        }
    }
    for (n, mut rig) in rigs.into_iter().enumerate() {
        for id in (0..10).rev() {
            let told = rig.client.next().await;
            assert_eq!(told["id"], id);
            assert_eq!(told["result"]["content"][0]["text"], format!("{n}/{}", id + 1));
        }
        let summary = rig.finish().await;
        assert_eq!((summary.allowed, summary.dropped_from_server), (10, 10));
    }
}

#[tokio::test]
async fn sessions_share_the_limits_of_their_grant_and_not_those_of_a_session() {
    let bench = Bench::new();
    let (mut one, mut two) = (bench.open("one"), bench.open("two"));
    for rig in [&mut one, &mut two] {
        for n in 0..3 {
            rig.client.send(&call(n, "twice", json!({}))).await;
        }
        for _ in 0..2 {
            rig.server.next().await;
        }
        assert_eq!(rig.client.next().await["result"]["structuredContent"]["reason"], "limit_reached");
    }
    for n in 0..15 {
        for rig in [&mut one, &mut two] {
            rig.client.send(&call(100 + n, "bn_create_listen_key", json!({}))).await;
            rig.server.next().await;
        }
    }
    one.client.send(&call(200, "bn_create_listen_key", json!({}))).await;
    assert_eq!(one.client.next().await["result"]["structuredContent"]["reason"], "limit_reached");
}

#[tokio::test]
async fn cancellation_names_the_request_as_the_server_knows_it() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    rig.client.send(&call("mine", "echo", json!({}))).await;
    let id = rig.server.next().await["id"].clone();
    rig.client
        .send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"mine","reason":"enough"}}"#)
        .await;
    let cancelled = rig.server.next().await;
    assert_eq!(cancelled["params"], json!({"requestId": id, "reason": "enough"}));
    // Nobody else's, and nothing that was never asked.
    for other in [json!("theirs"), json!(1), json!(null)] {
        let note = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": other}});
        rig.client.send(&note.to_string()).await;
    }
    assert!(rig.nothing_reached_the_server().await.is_empty(), "notifications are not answered");
    assert_eq!(bench.last_audit()["reason"], "unknown_cancellation");
    // A server need not answer what was cancelled: the session ends all the same.
    assert_eq!(rig.finish().await.refused_frames, 3);
}

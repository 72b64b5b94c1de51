//! What passes beside calls of tools, by the policy's `methods`, in both directions.

use mcp_gateway::KillSwitch;
use serde_json::{Value, json};

use crate::support::{Bench, Rig, answer, call};

fn policy(methods: Value) -> String {
    json!({ "version": "2", "default": "deny", "manifest": { "echo": { "arguments": ["a"] } }, "tools": { "echo": {} },
            "methods": methods })
    .to_string()
}

fn everything() -> Bench {
    Bench::under(&policy(json!({ "*": "allow" })))
}

fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

/// Every request of a client that is ruled, with params that a server would take.
fn requests() -> Vec<(&'static str, Value)> {
    vec![
        ("resources/list", json!({ "cursor": "c=" })),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({ "uri": "test://a", "_meta": { "x": 1 } })),
        ("resources/subscribe", json!({ "uri": "test://a" })),
        ("resources/unsubscribe", json!({ "uri": "test://a" })),
        ("prompts/list", json!({})),
        ("prompts/get", json!({ "name": "p", "arguments": { "a": "1" } })),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt", "name": "p" }, "argument": { "name": "a", "value": "1" } }),
        ),
        ("logging/setLevel", json!({ "level": "debug" })),
    ]
}

fn result_of(method: &str) -> Value {
    match method {
        "resources/list" => json!({ "resources": [{ "uri": "test://a", "name": "a" }], "nextCursor": "d=" }),
        "prompts/list" => json!({ "prompts": [{ "name": "p" }], "nextCursor": "e=", "_meta": { "y": 2 } }),
        _ => json!({ "contents": [{ "uri": "test://a", "text": "1.50" }], "_meta": { "z": [1.50] } }),
    }
}

#[tokio::test]
async fn every_request_of_a_client_passes_unchanged_when_allowed() {
    let bench = everything();
    let mut rig = bench.open("s");
    for (method, params) in requests() {
        rig.client.send(&request(format!("id of {method}"), method, params.clone()).to_string()).await;
        let arrived = rig.server.next().await;
        assert_eq!((&arrived["method"], &arrived["params"]), (&json!(method), &params));
        let result = result_of(method);
        rig.server.send(&json!({ "jsonrpc": "2.0", "id": arrived["id"], "result": result }).to_string()).await;
        let told = rig.client.next().await;
        assert_eq!(told, json!({ "jsonrpc": "2.0", "id": format!("id of {method}"), "result": result }));
        let record = bench.last_audit();
        assert_eq!(
            (&record["decision"], &record["method"], &record["rule"]),
            (&json!("allow"), &json!(method), &json!("/methods/*"))
        );
    }
    // Errors of the server pass as well.
    rig.client.send(&request(1, "prompts/get", json!({ "name": "none" })).to_string()).await;
    let id = rig.server.next().await["id"].clone();
    let error = json!({ "code": -32602, "message": "no such prompt", "data": { "a": 1 } });
    rig.server.send(&json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string()).await;
    assert_eq!(rig.client.next().await["error"], error);
}

#[tokio::test]
async fn every_request_of_a_client_is_refused_and_on_record_when_not() {
    for (methods, reason, rule) in [
        (json!({}), "unlisted", Some("(default deny)")),
        (json!({ "*": "deny" }), "action_denied", Some("/methods/*")),
        (json!({ "*": "hide" }), "not_available", None),
    ] {
        let bench = Bench::under(&policy(methods));
        let mut rig = bench.open("s");
        for (method, params) in requests() {
            rig.client.send(&request(1, method, params).to_string()).await;
            let told = rig.client.next().await;
            assert_eq!(told["error"]["code"], -32601, "{method}");
            let data = &told["error"]["data"];
            assert_eq!((&data["source"], &data["reason"]), (&json!("mcp-gateway"), &json!(reason)), "{method}");
            assert_eq!(data.get("rule").and_then(Value::as_str), rule, "{method}");
            let record = bench.last_audit();
            assert_eq!((&record["decision"], &record["method"]), (&json!("deny"), &json!(method)));
            assert!(record["rule"].is_string(), "{record}");
        }
        // What nobody knows is refused by the same section.
        rig.client.send(&request(1, "resources/write", json!({})).to_string()).await;
        assert_eq!(rig.client.next().await["error"]["data"]["reason"], "unlisted");
        assert!(rig.nothing_reached_the_server().await.is_empty());
        let summary = rig.finish().await;
        assert_eq!(summary.refused_frames, 10);
    }
}

#[tokio::test]
async fn a_policy_without_the_section_refuses_as_ever() {
    let bench = Bench::new();
    let mut rig = bench.open("s");
    for (method, params) in requests() {
        rig.client.send(&request(1, method, params).to_string()).await;
        assert_eq!(rig.client.next().await["error"]["data"]["reason"], "method_refused", "{method}");
        assert_eq!(bench.last_audit()["decision"], "refuse");
    }
    assert!(rig.nothing_reached_the_server().await.is_empty());
}

#[tokio::test]
async fn only_what_is_named_is_asked_for_and_shown() {
    let bench = Bench::under(&policy(json!({
        "resources/*": "allow", "prompts/list": "allow", "completion/complete": { "only": ["good", "test://t/*"] },
        "resources/read": { "only": ["test://public/*"], "reason": "what is public" },
        "prompts/get": { "only": ["good"] },
    })));
    let mut rig = bench.open("s");
    for (method, params) in [
        ("resources/read", json!({ "uri": "test://secret" })),
        ("resources/read", json!({ "uri": "test://public/../secret" })),
        ("resources/read", json!({})),
        ("resources/read", json!({ "uri": ["test://public/a"] })),
        ("prompts/get", json!({ "name": "bad" })),
        ("completion/complete", json!({ "ref": { "type": "ref/prompt", "name": "bad" } })),
        ("completion/complete", json!({ "ref": { "type": "ref/prompt", "name": "good", "uri": "test://secret" } })),
        ("completion/complete", json!({})),
    ] {
        rig.client.send(&request(1, method, params.clone()).to_string()).await;
        let told = rig.client.next().await;
        assert_eq!(told["error"]["code"], -32602, "{params}");
        let rule = told["error"]["data"]["rule"].as_str().unwrap();
        assert!(rule.ends_with("/only"), "{rule}");
        assert_eq!((&bench.last_audit()["decision"], &bench.last_audit()["rule"]), (&json!("deny"), &json!(rule)));
    }
    assert!(rig.nothing_reached_the_server().await.is_empty());
    for (method, params) in [
        ("resources/read", json!({ "uri": "test://public/a" })),
        ("completion/complete", json!({ "ref": { "type": "ref/resource", "uri": "test://t/{x}" } })),
    ] {
        rig.client.send(&request(1, method, params).to_string()).await;
        let id = rig.server.next().await["id"].clone();
        rig.server.send(&json!({ "jsonrpc": "2.0", "id": id, "result": {} }).to_string()).await;
        assert_eq!(rig.client.next().await["result"], json!({}));
    }
    for (method, listed, shown) in [
        (
            "resources/list",
            json!({ "resources": [{ "uri": "test://secret" }, { "x": 1.50, "uri": "test://public/a" }], "nextCursor": "n" }),
            json!({ "resources": [{ "x": 1.50, "uri": "test://public/a" }], "nextCursor": "n" }),
        ),
        (
            "prompts/list",
            json!({ "prompts": [{ "name": "good" }, { "name": "bad" }] }),
            json!({ "prompts": [{ "name": "good" }] }),
        ),
    ] {
        rig.client.send(&request(1, method, json!({})).to_string()).await;
        let id = rig.server.next().await["id"].clone();
        rig.server.send(&json!({ "jsonrpc": "2.0", "id": id, "result": listed }).to_string()).await;
        assert_eq!(rig.client.next().await["result"], shown);
        // A list that cannot be read is not shown in part.
        for unreadable in [json!({}), json!({ "resources": [7], "prompts": [{}] })] {
            rig.client.send(&request(1, method, json!({})).to_string()).await;
            let id = rig.server.next().await["id"].clone();
            rig.server.send(&json!({ "jsonrpc": "2.0", "id": id, "result": unreadable }).to_string()).await;
            assert_eq!(rig.client.next().await["error"]["data"]["reason"], "bad_answer");
        }
    }
}

#[tokio::test]
async fn results_and_params_of_several_requests_do_not_pass() {
    let mut rig = everything().open("s");
    for member in ["task", "inputResponses", "requestState"] {
        rig.client.send(&request(1, "prompts/get", json!({ "name": "p", member: {} })).to_string()).await;
        assert_eq!(rig.client.next().await["error"]["data"]["reason"], "uncarried_param", "{member}");
    }
    rig.client.send(&request(1, "prompts/get", json!({ "name": "p" })).to_string()).await;
    let id = rig.server.next().await["id"].clone();
    let asks = json!({ "resultType": "input_required", "inputRequests": { "a": { "method": "elicitation/create" } } });
    rig.server.send(&json!({ "jsonrpc": "2.0", "id": id, "result": asks }).to_string()).await;
    assert_eq!(rig.client.next().await["error"]["data"]["reason"], "bad_answer");
}

async fn handshake(rig: &mut Rig, offered: &Value) -> (Value, Value) {
    let client = json!({ "sampling": { "tools": {} }, "roots": { "listChanged": true }, "elicitation": { "form": {} },
                         "tasks": {}, "experimental": { "x": {} } });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": client,
                         "clientInfo": { "name": "c", "version": "1" } });
    rig.client.send(&request(1, "initialize", params).to_string()).await;
    let arrived = rig.server.next().await;
    let result = json!({ "capabilities": offered });
    rig.server.send(&json!({ "jsonrpc": "2.0", "id": arrived["id"], "result": result }).to_string()).await;
    let told = rig.client.next().await;
    (arrived["params"]["capabilities"].clone(), told["result"]["capabilities"].clone())
}

#[tokio::test]
async fn capabilities_are_cut_to_what_passes() {
    let offered = json!({ "tools": { "listChanged": true }, "prompts": { "listChanged": true },
        "resources": { "subscribe": true, "listChanged": true }, "logging": {}, "completions": {}, "tasks": {},
        "experimental": { "x": {} }, "extensions": { "y": {} } });
    for (methods, client, server) in [
        (json!({}), json!({}), json!({ "tools": { "listChanged": true } })),
        (
            json!({ "*": "allow" }),
            json!({ "sampling": { "tools": {} }, "roots": { "listChanged": true }, "elicitation": { "form": {} } }),
            json!({ "tools": { "listChanged": true }, "prompts": { "listChanged": true },
                    "resources": { "subscribe": true, "listChanged": true }, "logging": {}, "completions": {} }),
        ),
        (
            json!({ "resources/read": { "only": ["a"] }, "prompts/*": "allow", "roots/list": "allow",
                    "notifications/tools/list_changed": "deny" }),
            json!({ "roots": {} }),
            json!({ "tools": {}, "prompts": {}, "resources": {} }),
        ),
    ] {
        let mut rig = Bench::under(&policy(methods.clone())).open("s");
        assert_eq!(handshake(&mut rig, &offered).await, (client, server), "{methods}");
    }
}

const ASKED: [&str; 3] = ["sampling/createMessage", "elicitation/create", "roots/list"];

#[tokio::test]
async fn requests_of_the_server_reach_the_client_and_its_answers_the_server() {
    let bench = everything();
    let mut rig = bench.open("s");
    for method in ASKED {
        for id in [json!("mine"), json!(7), json!(-1)] {
            let params = json!({ "message": "m", "_meta": { "x": 1.50 } });
            rig.server.send(&request(id.clone(), method, params.clone()).to_string()).await;
            let asked = rig.client.next().await;
            assert_eq!((&asked["method"], &asked["params"]), (&json!(method), &params));
            let record = bench.last_audit();
            assert_eq!((&record["decision"], &record["from"], &record["id"]), (&json!("allow"), &json!("server"), &id));
            let result = json!({ "action": "accept", "content": { "n": 1 } });
            rig.client.send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result }).to_string()).await;
            assert_eq!(rig.server.next().await, json!({ "jsonrpc": "2.0", "id": id, "result": result }));
        }
    }
    rig.server.send(&request("e", "roots/list", json!({})).to_string()).await;
    let asked = rig.client.next().await;
    let error = json!({ "code": -1, "message": "the user says no" });
    rig.client.send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error }).to_string()).await;
    assert_eq!(rig.server.next().await, json!({ "jsonrpc": "2.0", "id": "e", "error": error }));
}

#[tokio::test]
async fn requests_of_the_server_that_do_not_pass_are_answered_and_on_record() {
    let bench = Bench::under(&policy(json!({ "sampling/*": { "action": "deny", "reason": "no models" } })));
    let mut rig = bench.open("s");
    for (method, reason) in
        [("sampling/createMessage", "action_denied"), ("roots/list", "unlisted"), ("tools/call", "unlisted")]
    {
        rig.server.send(&request("mine", method, json!({})).to_string()).await;
        let told = rig.server.next().await;
        assert_eq!((&told["id"], &told["error"]["code"]), (&json!("mine"), &json!(-32601)), "{method}");
        assert_eq!(told["error"]["data"]["reason"], reason, "{method}");
        let record = bench.last_audit();
        assert_eq!(
            (&record["decision"], &record["from"], &record["method"]),
            (&json!("deny"), &json!("server"), &json!(method))
        );
    }
    assert!(rig.nothing_reached_the_server().await.is_empty(), "the client saw nothing of it");
}

#[tokio::test]
async fn the_same_id_in_two_sessions_reaches_whoever_it_belongs_to() {
    let bench = everything();
    let (mut one, mut other) = (bench.open("one"), bench.open("other"));
    // Both servers use the id 1, and so do both clients.
    for (rig, who) in [(&mut one, "one"), (&mut other, "other")] {
        rig.client.send(&call(1, "echo", json!({ "a": who }))).await;
        let of_call = rig.server.next().await["id"].clone();
        assert_eq!(of_call, 1);
        rig.server.send(&request(1, "elicitation/create", json!({ "message": who })).to_string()).await;
        let asked = rig.client.next().await;
        assert_eq!((&asked["id"], &asked["params"]["message"]), (&json!(1), &json!(who)));
    }
    for (rig, who) in [(&mut other, "other"), (&mut one, "one")] {
        rig.client.send(&json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": { "n": who } } }).to_string()).await;
        assert_eq!(rig.server.next().await["result"]["content"]["n"], who);
        // The answer to the call has the same id and is not taken for the other.
        rig.server.send(&answer(&json!(1), who)).await;
        assert_eq!(rig.client.next().await["result"]["content"][0]["text"], who);
    }
    // Nobody waits for a second answer.
    one.client.send(r#"{"jsonrpc":"2.0","id":1,"result":{"content":{}}}"#).await;
    assert!(one.nothing_reached_the_server().await.is_empty());
    assert_eq!(bench.audit().iter().filter(|record| record["reason"] == "unasked_response").count(), 1);
}

#[tokio::test]
async fn answers_that_nobody_asked_for_or_can_read_do_not_reach_the_server() {
    let bench = everything();
    let mut rig = bench.open("s");
    for id in [json!(1), json!("1"), json!(0), json!(-1)] {
        rig.client.send(&json!({ "jsonrpc": "2.0", "id": id, "result": {} }).to_string()).await;
    }
    assert!(rig.nothing_reached_the_server().await.is_empty());
    for malformed in [
        r#","result":[]"#,
        r#","result":{},"error":{"code":1,"message":"m"}"#,
        r#","error":{"code":"1"}"#,
        r#","result":{},"params":{}"#,
        r#","result":{},"more":{}"#,
    ] {
        rig.server.send(&request("mine", "roots/list", json!({})).to_string()).await;
        let id = rig.client.next().await["id"].clone();
        rig.client.send(&format!(r#"{{"jsonrpc":"2.0","id":{id}{malformed}}}"#)).await;
        let told = rig.server.next().await;
        assert_eq!((&told["id"], &told["error"]["data"]["reason"]), (&json!("mine"), &json!("bad_answer")));
        assert_eq!(bench.last_audit()["reason"], "malformed_response", "{malformed}");
    }
    assert!(rig.nothing_reached_the_server().await.is_empty(), "responses are not answered");
}

#[tokio::test]
async fn a_server_that_asks_too_much_or_twice_is_told_so() {
    let mut rig = everything().open("s");
    rig.server.send(&request("a", "roots/list", json!({})).to_string()).await;
    rig.client.next().await;
    rig.server.send(&request("a", "roots/list", json!({})).to_string()).await;
    assert_eq!(rig.server.next().await["error"]["data"]["reason"], "id_in_flight");
    for number in 1..64 {
        rig.server.send(&request(number, "roots/list", json!({})).to_string()).await;
        rig.client.next().await;
    }
    rig.server.send(&request("z", "roots/list", json!({})).to_string()).await;
    assert_eq!(rig.server.next().await["error"]["data"]["reason"], "too_many_in_flight");
    // Once the client has left, nobody need wait for it.
    rig.client.close().await;
    for _ in 0..64 {
        assert_eq!(rig.server.next().await["error"]["data"]["reason"], "client_gone");
    }
}

#[tokio::test]
async fn progress_and_cancellation_of_the_servers_requests_find_their_way() {
    let bench = everything();
    let mut rig = bench.open("s");
    let params = json!({ "message": "m", "_meta": { "progressToken": "theirs", "x": 1 } });
    rig.server.send(&request("mine", "sampling/createMessage", params).to_string()).await;
    let asked = rig.client.next().await;
    assert_eq!(asked["params"], json!({ "message": "m", "_meta": { "progressToken": asked["id"], "x": 1 } }));
    let news = |token: &Value| {
        json!({ "jsonrpc": "2.0", "method": "notifications/progress",
                                       "params": { "progressToken": token, "progress": 0.5 } })
    };
    rig.client.send(&news(&json!("theirs")).to_string()).await;
    rig.client.send(&news(&asked["id"]).to_string()).await;
    assert_eq!(rig.server.next().await, news(&json!("theirs")));
    assert_eq!(bench.last_audit()["reason"], "unknown_progress");
    let gone = |id: &Value| {
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
                                    "params": { "requestId": id, "reason": "late" } })
    };
    rig.server.send(&gone(&json!("another")).to_string()).await;
    rig.server.send(&gone(&json!("mine")).to_string()).await;
    assert_eq!(rig.client.next().await, gone(&asked["id"]));
    rig.client.send(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": {} }).to_string()).await;
    assert!(rig.nothing_reached_the_server().await.is_empty(), "an answer to what was cancelled");
}

#[tokio::test]
async fn notifications_pass_by_rule_both_ways() {
    let news = |method: &str| json!({ "jsonrpc": "2.0", "method": method, "params": { "uri": "test://a", "x": 1.50 } });
    let all = [
        "notifications/message",
        "notifications/tools/list_changed",
        "notifications/resources/list_changed",
        "notifications/resources/updated",
        "notifications/prompts/list_changed",
        "notifications/elicitation/complete",
    ];
    let mut rig = everything().open("s");
    for method in all {
        rig.server.send(&news(method).to_string()).await;
        assert_eq!(rig.client.next().await, news(method));
    }
    rig.client.send(&news("notifications/roots/list_changed").to_string()).await;
    assert_eq!(rig.server.next().await, news("notifications/roots/list_changed"));
    rig.server.send(&news("notifications/tasks/status").to_string()).await;
    assert!(rig.nothing_reached_the_server().await.is_empty(), "what nobody knows");

    let bench = Bench::under(&policy(json!({ "notifications/*": "deny" })));
    let mut rig = bench.open("s");
    for method in all.into_iter().chain(all) {
        rig.server.send(&news(method).to_string()).await;
    }
    rig.client.send(&news("notifications/roots/list_changed").to_string()).await;
    assert!(rig.nothing_reached_the_server().await.is_empty());
    let denied: Vec<Value> = bench.audit().into_iter().filter(|record| record["decision"] == "deny").collect();
    // A server can repeat itself, the audit does not.
    assert_eq!(denied.iter().filter(|record| record["from"] == "server").count(), all.len(), "{denied:#?}");
    assert_eq!(denied.iter().filter(|record| record["rule"] == "/methods/notifications~1*").count(), all.len() + 1);

    let mut rig =
        Bench::under(&policy(json!({ "notifications/resources/updated": { "only": ["test://b"] } }))).open("s");
    rig.server.send(&news("notifications/resources/updated").to_string()).await;
    assert!(rig.nothing_reached_the_server().await.is_empty());
}

#[tokio::test]
async fn the_kill_switch_stops_what_is_ruled() {
    let kill = KillSwitch::new();
    let thrown = kill.clone();
    let bench = Bench::under_with(&policy(json!({ "*": "allow" })), |config| config.kill = thrown);
    let mut rig = bench.open("s");
    kill.throw().unwrap();
    rig.client.send(&request(1, "resources/read", json!({ "uri": "a" })).to_string()).await;
    assert_eq!(rig.client.next().await["error"]["data"]["reason"], "halted");
    rig.server.send(&request(1, "sampling/createMessage", json!({})).to_string()).await;
    assert_eq!(rig.server.next().await["error"]["data"]["reason"], "halted");
    kill.release().unwrap();
    rig.client.send(&request(1, "resources/read", json!({ "uri": "a" })).to_string()).await;
    assert_eq!(rig.server.next().await["method"], "resources/read");
}

#[tokio::test]
async fn what_cannot_be_put_on_record_does_not_pass() {
    let bench = Bench::under_with(&policy(json!({ "*": "allow" })), |config| {
        config.audit = Box::new(|_: &str| Err(std::io::ErrorKind::StorageFull.into()));
    });
    let mut rig = bench.open("s");
    rig.client.send(&request(1, "resources/read", json!({ "uri": "a" })).to_string()).await;
    assert_eq!(rig.client.next().await["error"]["data"]["reason"], "audit_unavailable");
    rig.server.send(&request(1, "roots/list", json!({})).to_string()).await;
    assert_eq!(rig.server.next().await["error"]["data"]["reason"], "audit_unavailable");
}

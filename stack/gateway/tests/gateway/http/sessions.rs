//! Clients up to 2025-11-25, each with a session and a connection of its own.

use super::{Site, call, events_of, initialize, json_of, send};
use crate::support::server::Fixture;
use crate::support::{Bench, answer, in_time};
use reqwest::Method;
use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test]
async fn a_client_of_the_sdk_lists_calls_and_is_denied() {
    let site = Site::new(&Fixture::default()).await;
    let config = StreamableHttpClientTransportConfig::with_uri(site.url.clone()).auth_header(site.token.clone());
    let client = ().serve(StreamableHttpClientTransport::from_config(config)).await.unwrap();
    let tools = client.list_all_tools().await.unwrap();
    assert_eq!(tools.len(), 5, "`withdraw` is hidden and `unlisted` is not in the policy");
    let arguments = json!({"a": 1}).as_object().unwrap().clone();
    let told = client.call_tool(CallToolRequestParams::new("echo").with_arguments(arguments)).await.unwrap();
    assert_ne!(told.is_error, Some(true));
    let told = client.call_tool(CallToolRequestParams::new("withdraw")).await.unwrap();
    assert_eq!(told.is_error, Some(true));
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn two_hundred_sessions_with_the_same_ids_hear_only_their_own() {
    let site = Site::with(Bench::new(), Some(Fixture::default()), |config| {
        config.limits.sessions_per_grant_max = 200;
        // The clock stands still, so that no bucket would fill.
        (config.limits.address_rate, config.limits.grant_rate) = (0, 0);
    });
    let site = site.await;
    let clients = (0..200).map(async |n| {
        let session = site.open().await;
        for id in 1..=5 {
            let told = send(site.in_session(&session, &call(id, "echo", json!({"n": n, "id": id})))).await;
            let told = json_of(told).await;
            assert_eq!(told["id"], id);
            assert_eq!(told["result"]["content"][0]["text"], json!({"n": n, "id": id}).to_string());
        }
        session
    });
    let sessions = in_time(futures_util::future::join_all(clients)).await;
    assert_eq!(sessions.into_iter().collect::<BTreeSet<_>>().len(), 200);
}

#[tokio::test]
async fn news_come_before_the_answer_and_on_the_same_stream() {
    let site = Site::new(&Fixture::default()).await;
    let session = site.open().await;
    let mut slow = call("s", "slow", json!({}));
    slow["params"]["_meta"] = json!({"progressToken": "mine"});
    let events = events_of(send(site.in_session(&session, &slow)).await).await;
    let progress: Vec<&Value> = events.iter().filter_map(|event| event["params"].get("progressToken")).collect();
    assert_eq!(progress, ["mine", "mine", "mine"]);
    assert_eq!((events.len(), &events[3]["id"]), (4, &json!("s")));
}

#[tokio::test]
async fn whoever_listens_hears_what_nobody_asked_for_also_what_came_before() {
    let mut site = Site::by_hand().await;
    let opening = tokio::spawn(send(site.post(&initialize())));
    let mut server = site.servers.recv().await.unwrap();
    let asked = server.next().await;
    server
        .send(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"with it"}}"#)
        .await;
    server.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"capabilities": {}}}).to_string()).await;
    let opened = opening.await.unwrap();
    assert_eq!(opened.headers()["mcp-session-id"], "session-1");
    assert_eq!(events_of(opened).await.len(), 2);

    let changed = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    server.send(changed).await;
    // A ping through the session shows that the message before it has arrived.
    let ping = tokio::spawn(send(site.in_session("session-1", &json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}))));
    let asked = server.next().await;
    server.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": {}}).to_string()).await;
    ping.await.unwrap();
    let mut listening = send(site.request(Method::GET).header("mcp-session-id", "session-1")).await;
    assert_eq!(listening.status(), 200);
    let first = in_time(listening.chunk()).await.unwrap().unwrap();
    assert_eq!(first, format!("event: message\ndata: {changed}\n\n"));
    server.send(changed).await;
    assert_eq!(in_time(listening.chunk()).await.unwrap().unwrap(), first);
    let bench = site.stop().await;
    assert!(in_time(listening.chunk()).await.unwrap().is_none(), "the stream ends with the session");
    drop(bench);
}

#[tokio::test]
async fn an_id_in_flight_is_not_taken_twice_in_one_session() {
    let mut site = Site::by_hand().await;
    let mut server = site.open_by_hand().await;
    let waiting = tokio::spawn(send(site.in_session("session-1", &call(5, "echo", json!({})))));
    let asked = server.next().await;
    let told = json_of(send(site.in_session("session-1", &call(5, "echo", json!({})))).await).await;
    assert_eq!((&told["id"], &told["error"]["data"]["reason"]), (&json!(null), &json!("id_in_flight")));
    server.send(&answer(&asked["id"], "the first")).await;
    assert_eq!(json_of(waiting.await.unwrap()).await["result"]["content"][0]["text"], "the first");
}

#[tokio::test]
async fn stopping_answers_what_waits_and_settles_it() {
    let mut site = Site::by_hand().await;
    let mut server = site.open_by_hand().await;
    let waiting = tokio::spawn(send(site.in_session("session-1", &call(5, "echo", json!({})))));
    let asked = server.next().await;
    let stopping = tokio::spawn(site.stop());
    server.send(&answer(&asked["id"], "in time")).await;
    assert_eq!(json_of(waiting.await.unwrap()).await["result"]["content"][0]["text"], "in time");
    server.expect_end().await;
    drop(server);
    let bench = in_time(stopping).await.unwrap();
    let audit = bench.audit.all();
    assert!(audit.last().unwrap().contains(r#""outcome":"succeeded""#), "{audit:?}");
}

#[tokio::test]
async fn a_session_whose_server_died_for_good_is_gone_and_its_call_unknown() {
    let bench = Bench::with(|config| config.limits.restart.max = 0);
    let mut site = Site::with(bench, None, |_| {}).await;
    let mut server = site.open_by_hand().await;
    let waiting = tokio::spawn(send(site.in_session("session-1", &call(5, "echo", json!({})))));
    server.next().await;
    drop(server);
    let told = json_of(waiting.await.unwrap()).await;
    assert_eq!(told["result"]["structuredContent"]["reason"], "outcome_unknown");
    let mut status = 0;
    // The session ends a moment after its last answer.
    while status != 404 {
        status = send(site.in_session("session-1", &call(6, "echo", json!({})))).await.status().as_u16();
        assert!(matches!(status, 200 | 404), "{status}");
    }
    let unopened = send(site.post(&call(1, "echo", json!({})))).await;
    assert_eq!(unopened.status(), 400);
    assert_eq!(json_of(unopened).await["error"]["data"]["reason"], "no_session");
}

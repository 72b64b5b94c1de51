//! A server that is itself behind streamable HTTP.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use mcp_gateway::{HttpUpstream, Identity};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};
use tokio::io::{duplex, split};
use tokio::net::TcpListener;

use super::{Site, call, events_of, json_of, modern, send};
use crate::support::server::Fixture;
use crate::support::{Bench, Line, in_time};
use mcp_gateway::Upstream as _;

/// Serves a router; its address.
async fn host(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// The fixture on the SDK's own server.
async fn sdk(fixture: &Fixture) -> String {
    let fixture = fixture.clone();
    let sessions = Arc::new(LocalSessionManager::default());
    let config = StreamableHttpServerConfig::default();
    host(Router::new().nest_service("/mcp", StreamableHttpService::new(move || Ok(fixture.clone()), sessions, config)))
        .await
}

fn upstream(url: &str) -> HttpUpstream {
    HttpUpstream::new(url, Some("the-servers-own"), 100_000).unwrap()
}

/// A session on a byte stream in front of a server behind HTTP.
async fn session(bench: &Bench, url: &str) -> Line {
    let connection = upstream(url).connect().await.unwrap();
    let (ours, theirs) = duplex(1 << 16);
    let gateway = bench.gateway.clone();
    tokio::spawn(async move {
        let (read, write) = split(theirs);
        gateway.serve(Identity::new("agent", "s"), read, write, connection.read, connection.write).await.unwrap();
        connection.ended.await;
    });
    Line::new(ours)
}

#[tokio::test]
async fn both_eras_pass_from_http_to_http() {
    let fixture = Fixture::default();
    let url = sdk(&fixture).await;
    let site = Site::before(Bench::new(), Arc::new(upstream(&url))).await;
    let session = site.open().await;
    let told = json_of(send(site.in_session(&session, &call("a", "echo", json!({"b": 1})))).await).await;
    assert_eq!((&told["id"], &told["result"]["content"][0]["text"]), (&json!("a"), &json!(r#"{"b":1}"#)));
    let mut slow = call("s", "slow", json!({}));
    slow["params"]["_meta"] = json!({"progressToken": "mine"});
    let events = events_of(send(site.in_session(&session, &slow)).await).await;
    assert_eq!(events.iter().filter(|event| event["params"]["progressToken"] == "mine").count(), 3, "{events:?}");
    let told = json_of(send(site.alone(&modern(call(1, "echo", json!({"c": 2}))))).await).await;
    assert_eq!(told["result"]["content"][0]["text"], r#"{"c":2}"#);
    let denied = json_of(send(site.alone(&modern(call(2, "withdraw", json!({}))))).await).await;
    assert!(denied.to_string().contains("[POLICY DENIED]"));
    assert_eq!(fixture.calls.load(std::sync::atomic::Ordering::SeqCst), 3);
    site.stop().await;
}

#[tokio::test]
async fn a_client_on_a_stream_reaches_a_server_behind_http() {
    let url = sdk(&Fixture::default()).await;
    let mut client = session(&Bench::new(), &url).await;
    client.send(&super::initialize().to_string()).await;
    assert_eq!(client.next().await["result"]["serverInfo"]["name"], "fixture");
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    for n in 1..=50 {
        client.send(&crate::support::call(n, "echo", json!({"n": n}))).await;
    }
    let mut told = BTreeMap::new();
    for _ in 1..=50 {
        let answer = client.next().await;
        told.insert(answer["id"].as_u64().unwrap(), answer["result"]["content"][0]["text"].clone());
    }
    let own: Vec<_> = (1..=50_u64).map(|n| (n, json!(json!({"n": n}).to_string()))).collect();
    assert_eq!(told.into_iter().collect::<Vec<_>>(), own);
    client.close().await;
    client.expect_end().await;
}

#[tokio::test]
async fn defect_19_what_a_server_sends_in_place_of_an_answer_leaves_the_outcome_unknown() {
    let answered = |status: u16, media: &'static str, body: String| {
        let status = StatusCode::from_u16(status).unwrap();
        (status, [("content-type", media)], body).into_response()
    };
    let odd = move |n: u64, id: &Value| -> Response {
        match n {
            0 => answered(500, "text/plain", "broken".to_owned()),
            1 => answered(200, "application/json", "no json".to_owned()),
            2 => answered(200, "application/json", r#"{"jsonrpc":"2.0","id":999,"result":{}}"#.to_owned()),
            3 => answered(200, "text/event-stream", "data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n".to_owned()),
            4 => answered(200, "text/event-stream", format!("data: {}", "x".repeat(300_000))),
            5 => answered(
                200,
                "application/json",
                format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"a":"{}"}}}}"#, "x".repeat(100_000)),
            ),
            6 => answered(202, "text/plain", String::new()),
            7 => (StatusCode::TEMPORARY_REDIRECT, [("location", "http://127.0.0.1:9/")]).into_response(),
            8 => answered(200, "application/json", format!(r#"[{{"jsonrpc":"2.0","id":{id},"result":{{}}}}]"#)),
            // A line end within a string is no JSON, and must not become some.
            _ => answered(
                200,
                "application/json",
                format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"a\":\"b\nc\"}}}}"),
            ),
        }
    };
    let url = host(Router::new().route(
        "/mcp",
        post(async move |body: String| {
            let frame: Value = serde_json::from_str(&body).unwrap();
            odd(frame["params"]["arguments"]["n"].as_u64().unwrap(), &frame["id"])
        }),
    ))
    .await;
    let bench = Bench::new();
    let mut client = session(&bench, &url).await;
    for n in 0..10 {
        client.send(&crate::support::call(n, "echo", json!({"n": n}))).await;
        let told = client.next().await;
        let text = told["result"]["content"][0]["text"].as_str().unwrap_or_default();
        assert!(told["id"] == n && text.starts_with("[OUTCOME UNKNOWN]"), "{n}: {told}");
    }
    let outcomes = bench.audit.all().iter().filter(|line| line.contains(r#""outcome":"unknown""#)).count();
    assert_eq!(outcomes, 10);
}

#[tokio::test]
async fn defect_17_the_server_is_told_its_session_its_version_and_its_own_token() {
    let heard: Arc<Mutex<Vec<(String, HeaderMap)>>> = Arc::default();
    let hears = heard.clone();
    let note = move |what: &str, headers: HeaderMap| hears.lock().unwrap().push((what.to_owned(), headers));
    let (posted, listened, deleted) = (note.clone(), note.clone(), note);
    let endpoint = post(async move |headers: HeaderMap, body: String| {
        let frame: Value = serde_json::from_str(&body).unwrap();
        posted(frame["method"].as_str().unwrap(), headers);
        let id = &frame["id"];
        if id.is_null() {
            return StatusCode::ACCEPTED.into_response();
        }
        let result = json!({"jsonrpc": "2.0", "id": id, "result": {"protocolVersion": "2025-06-18", "content": []}});
        ([("content-type", "application/json"), ("mcp-session-id", "theirs")], result.to_string()).into_response()
    });
    let endpoint = endpoint
        .get(async move |headers: HeaderMap| {
            listened("GET", headers);
            (
                [("content-type", "text/event-stream")],
                "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n",
            )
        })
        .delete(async move |headers: HeaderMap| deleted("DELETE", headers));
    let url = host(Router::new().route("/mcp", endpoint)).await;
    let mut client = session(&Bench::new(), &url).await;
    client.send(&super::initialize().to_string()).await;
    client.next().await;
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    assert_eq!(client.next().await["method"], "notifications/tools/list_changed");
    client.send(&crate::support::call(1, "echo", json!({}))).await;
    client.next().await;
    let modern = modern(call(2, "echo", json!({})));
    client.send(&modern.to_string()).await;
    client.next().await;
    client.close().await;
    client.expect_end().await;
    in_time(async {
        while heard.lock().unwrap().last().is_none_or(|(what, _)| what != "DELETE") {
            tokio::task::yield_now().await;
        }
    })
    .await;

    let heard = heard.lock().unwrap();
    let text = |headers: &HeaderMap, name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let told: Vec<_> = heard
        .iter()
        .map(|(what, headers)| {
            assert_eq!(text(headers, "authorization").as_deref(), Some("Bearer the-servers-own"));
            let names = ["mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name"];
            (what.as_str(), names.map(|name| text(headers, name).unwrap_or_default()))
        })
        .collect();
    let known = ["theirs", "2025-06-18", "", ""].map(str::to_owned);
    let repeated = ["theirs", "2026-07-28", "tools/call", "echo"].map(str::to_owned);
    let order =
        |what| told.iter().filter(|(said, _)| *said == what).map(|(_, names)| names.clone()).collect::<Vec<_>>();
    assert_eq!(order("initialize"), [["", "", "", ""].map(str::to_owned)]);
    for what in ["notifications/initialized", "GET", "DELETE"] {
        assert_eq!(order(what), std::slice::from_ref(&known), "{what}");
    }
    assert_eq!(order("tools/call"), [known, repeated]);
}

/// One event of a line far beyond 64 KiB, as exchanges answer with, arrives whole.
#[tokio::test]
async fn defect_18_a_long_event_arrives() {
    let event = |id: &Value, long: &str| {
        format!("data: {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"a\":\"{long}\"}}}}\n\n")
    };
    let url = host(Router::new().route(
        "/mcp",
        post(async move |body: String| {
            let frame: Value = serde_json::from_str(&body).unwrap();
            ([("content-type", "text/event-stream")], event(&frame["id"], &"x".repeat(300_000))).into_response()
        }),
    ))
    .await;
    let connection = HttpUpstream::new(&url, None, 1 << 20).unwrap().connect().await.unwrap();
    let (ours, theirs) = duplex(1 << 20);
    let gateway = Bench::new().gateway;
    tokio::spawn(async move {
        let (read, write) = split(theirs);
        gateway.serve(Identity::new("agent", "s"), read, write, connection.read, connection.write).await
    });
    let mut client = Line::new(ours);
    client.send(&crate::support::call(7, "echo", json!({}))).await;
    let told = client.next().await;
    assert_eq!((&told["id"], told["result"]["a"].as_str().map(str::len)), (&json!(7), Some(300_000)));
}

#[test]
fn an_address_is_checked_before_anything_is_sent() {
    for bad in ["", "127.0.0.1:9000", "ftp://127.0.0.1/", "http://user:secret@127.0.0.1/mcp", "/mcp"] {
        let error = HttpUpstream::new(bad, None, 1).unwrap_err().to_string();
        assert!(error.contains("http://127.0.0.1:9000/mcp"), "{error}");
    }
    assert!(HttpUpstream::new("http://127.0.0.1:9000/mcp", Some("a\nb"), 1).is_err());
    let shown = format!("{:?}", HttpUpstream::new("http://127.0.0.1:9000/mcp?key=secret", Some("secret"), 1).unwrap());
    assert!(!shown.contains("secret"), "{shown}");
}

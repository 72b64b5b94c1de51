//! Names, pages, tokens and limits at the door.

use super::{Site, call, initialize, json_of, modern, send, token};
use crate::support::server::Fixture;
use crate::support::{Bench, answer};
use reqwest::Method;
use serde_json::json;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn defect_13_nobody_comes_in_without_a_token_and_revoking_holds_from_the_next_request_on() {
    let fixture = Fixture::default();
    let mut site = Site::new(&fixture).await;
    let session = site.open().await;
    let echo = call(1, "echo", json!({}));
    assert_eq!(send(site.in_session(&session, &echo)).await.status(), 200);

    let bare = site.client.post(&site.url).header("accept", super::BOTH).header("content-type", "application/json");
    let refused = send(bare.body(echo.to_string())).await;
    assert_eq!(refused.status(), 401);
    assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    site.token = token(9).reveal().to_owned();
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let strange = site.request(method.clone()).header("mcp-session-id", &session);
        assert_eq!(send(strange.header("content-type", "application/json")).await.status(), 401, "{method}");
    }
    site.token = token(1).reveal().to_owned();
    site.grants.revoke("desk", 1).unwrap();
    assert_eq!(send(site.in_session(&session, &echo)).await.status(), 401);
    assert_eq!(fixture.calls.load(Ordering::SeqCst), 1, "only the first call came through");
}

#[tokio::test]
async fn a_session_belongs_to_the_grant_that_opened_it() {
    let fixture = Fixture::default();
    let mut site = Site::new(&fixture).await;
    let session = site.open().await;
    site.grants.add("other", &token(2), 0, None).unwrap();
    let desk = std::mem::replace(&mut site.token, token(2).reveal().to_owned());
    let echo = call(1, "echo", json!({}));
    assert_eq!(send(site.in_session(&session, &echo)).await.status(), 404);
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(send(site.request(method).header("mcp-session-id", &session)).await.status(), 404);
    }
    site.token = desk;
    assert_eq!(send(site.in_session(&session, &echo)).await.status(), 200);
    assert_eq!(fixture.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn defect_13_the_token_never_goes_upstream_and_the_audit_names_the_grant() {
    let mut site = Site::by_hand().await;
    let answering = tokio::spawn(send(site.post(&initialize())));
    let mut server = site.servers.recv().await.unwrap();
    let frame = server.next_text().await;
    assert!(!frame.contains("mgw_") && !frame.contains("uthorization"), "{frame}");
    server.send(r#"{"jsonrpc":"2.0","id":1,"result":{"capabilities":{}}}"#).await;
    assert_eq!(answering.await.unwrap().status(), 200);
    let denied = send(site.in_session("session-1", &call(1, "withdraw", json!({})))).await;
    assert!(json_of(denied).await.to_string().contains("[POLICY DENIED]"));
    let record = site.bench.last_audit();
    assert_eq!((&record["grant"], &record["session"]), (&json!("desk"), &json!("http-session-1")));
    assert!(!site.bench.audit.lines().concat().contains("mgw_"));
}

#[tokio::test]
async fn defect_13_pages_and_names_of_others_are_turned_away_before_anything_is_read() {
    let fixture = Fixture::default();
    let site = Site::new(&fixture).await;
    let turned = [("host", "evil.example"), ("origin", "http://evil.example"), ("origin", "null")];
    for (header, value) in turned {
        let refused = send(site.post(&initialize()).header(header, value)).await;
        assert_eq!(refused.status(), 403, "{header}: {value}");
        let listening = site.request(Method::GET).header("mcp-session-id", "session-1").header(header, value);
        assert_eq!(send(listening).await.status(), 403);
    }
    assert!(site.bench.audit().is_empty());
}

#[tokio::test]
async fn there_are_only_so_many_sessions() {
    let site = Site::with(Bench::new(), Some(Fixture::default()), |config| config.limits.sessions_max = 2).await;
    let (first, _) = (site.open().await, site.open().await);
    let full = send(site.post(&initialize())).await;
    assert_eq!((full.status().as_u16(), full.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    assert_eq!(send(site.request(Method::DELETE).header("mcp-session-id", &first)).await.status(), 204);
    assert_eq!(send(site.in_session(&first, &call(1, "echo", json!({})))).await.status(), 404);
    site.open().await;
}

#[tokio::test]
async fn a_request_counts_until_the_last_of_its_events() {
    let mut site = Site::with(Bench::new(), None, |config| config.limits.requests_max = 1).await;
    let mut asking = super::modern(call(1, "echo", json!({})));
    asking["params"]["_meta"]["progressToken"] = json!("p");
    let streaming = tokio::spawn(send(site.alone(&asking)));
    let mut server = site.servers.recv().await.unwrap();
    let asked = server.next().await;
    let token = &asked["params"]["_meta"]["progressToken"];
    let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress",
                          "params": {"progressToken": token, "progress": 1}});
    server.send(&progress.to_string()).await;
    let stream = streaming.await.unwrap();
    assert_eq!(stream.status(), 200, "it has begun");
    assert_eq!(send(site.alone(&super::modern(call(2, "echo", json!({}))))).await.status(), 503);
    server.send(&crate::support::answer(&asked["id"], "done")).await;
    assert_eq!(super::events_of(stream).await.len(), 2);
}

#[tokio::test]
async fn what_is_too_much_is_told_to_come_back_and_the_rest_goes_on() {
    let mut site = Site::with(Bench::new(), None, |config| config.limits.requests_max = 1).await;
    let waiting = tokio::spawn(send(site.alone(&super::modern(call(1, "echo", json!({}))))));
    let mut server = site.servers.recv().await.unwrap();
    let asked = server.next().await;
    let refused = send(site.alone(&super::modern(call(2, "echo", json!({}))))).await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    server.send(&crate::support::answer(&asked["id"], "done")).await;
    assert_eq!(json_of(waiting.await.unwrap()).await["result"]["content"][0]["text"], "done");
    assert_eq!(send(site.client.get(site.url.replace("/mcp", "/healthz"))).await.status(), 200);
}

#[tokio::test]
async fn whoever_sends_too_much_is_told_when_to_come_back_before_a_body_is_read() {
    let limits = |config: &mut mcp_gateway::http::HttpConfig| {
        (config.limits.address_rate, config.limits.grant_rate) = (5, 3);
    };
    let site = Site::with(Bench::new(), Some(Fixture::default()), limits).await;
    let strange = |token: &str| site.bytes("{}").header("authorization", format!("Bearer {token}"));
    // Three of the grant, then two strangers: the address has used up its five.
    for _ in 0..3 {
        assert_eq!(send(site.bytes("{}")).await.status(), 400);
    }
    let told = send(site.bytes("{}")).await;
    assert_eq!((told.status().as_u16(), told.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    assert_eq!(send(strange("nobody")).await.status(), 401);
    // Guessing tokens is no more than asking, and nothing of a body is looked at.
    assert_eq!(send(strange("nobody")).await.status(), 429);
    assert_eq!(send(site.bytes("x".repeat(2 << 20))).await.status(), 429);
    site.bench.advance_ms(200);
    assert_eq!(send(site.bytes("{}")).await.status(), 429, "the address may, the grant may not yet");
    site.bench.advance_ms(400);
    assert_eq!(send(site.bytes("{}")).await.status(), 400);
}

#[tokio::test]
async fn so_many_requests_of_one_grant_are_served_at_once_and_no_more() {
    let mut site = Site::with(Bench::new(), None, |config| config.limits.grant_in_flight = 2).await;
    let mut asked = Vec::new();
    for id in 0..2 {
        let request = site.alone(&modern(call(id, "echo", json!({}))));
        asked.push(tokio::spawn(send(request)));
    }
    let mut server = site.servers.recv().await.unwrap();
    let frames = [server.next().await, server.next().await];
    let more = || site.alone(&modern(call(9, "echo", json!({}))));
    assert_eq!(send(more()).await.status(), 429);
    server.send(&answer(&frames[0]["id"], "done")).await;
    let done = whichever(asked.remove(0), asked.remove(0)).await;
    let again = tokio::spawn(send(more()));
    let frame = server.next().await;
    server.send(&answer(&frame["id"], "done")).await;
    assert_eq!((done.status().as_u16(), again.await.unwrap().status().as_u16()), (200, 200));
    server.send(&answer(&frames[1]["id"], "done")).await;
}

/// Whichever is answered first.
async fn whichever(
    one: tokio::task::JoinHandle<reqwest::Response>,
    other: tokio::task::JoinHandle<reqwest::Response>,
) -> reqwest::Response {
    tokio::select! { one = one => one.unwrap(), other = other => other.unwrap() }
}

//! A server that dies while clients over HTTP are there.

use mcp_gateway::http::HttpConfig;
use serde_json::json;

use super::{Site, call, json_of, modern, send};
use crate::support::{Bench, Line, answer};

/// A server that dies is started again at once, and whoever asks in a loop meanwhile is not told to come back later.
async fn brisk() -> Site {
    let bench = Bench::with(|config| config.limits.restart.wait_ms = 0);
    let unlimited = |config: &mut HttpConfig| (config.limits.address_rate, config.limits.grant_rate) = (0, 0);
    Site::with(bench, None, unlimited).await
}

async fn restored(server: &mut Line) {
    let asked = server.next().await;
    assert_eq!(asked["method"], "initialize");
    server.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": {}}).to_string()).await;
}

#[tokio::test]
async fn a_session_goes_on_with_another_server() {
    let mut site = brisk().await;
    let mut server = site.open_by_hand().await;
    let waiting = tokio::spawn(send(site.in_session("session-1", &call(1, "echo", json!({})))));
    server.next().await;
    drop(server);
    let told = json_of(waiting.await.unwrap()).await;
    assert_eq!(told["result"]["structuredContent"]["reason"], "outcome_unknown");
    let told = send(site.in_session("session-1", &call(2, "echo", json!({})))).await;
    assert_eq!(told.status(), 200);
    let told = json_of(told).await;
    assert_eq!((&told["id"], &told["error"]["data"]["reason"]), (&json!(2), &json!("server_restarting")));

    let mut server = site.servers.recv().await.unwrap();
    restored(&mut server).await;
    // Whether it is restored is seen by asking: until then nothing reaches it.
    let told = loop {
        let mut asking = tokio::spawn(send(site.in_session("session-1", &call(3, "echo", json!({})))));
        tokio::select! {
            frame = server.next() => {
                server.send(&answer(&frame["id"], "again")).await;
                break json_of(asking.await.unwrap()).await;
            }
            _ = &mut asking => {}
        }
    };
    assert_eq!(told["result"]["content"][0]["text"], "again");
    // Another session of the grant was never touched by that.
    assert!(site.servers.try_recv().is_err());
}

#[tokio::test]
async fn a_session_that_cannot_be_restored_is_over() {
    let mut site = brisk().await;
    drop(site.open_by_hand().await);
    let mut server = site.servers.recv().await.unwrap();
    let asked = server.next().await;
    let other = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"protocolVersion": "2099-01-01"}});
    server.send(&other.to_string()).await;
    crate::support::in_time(server.expect_end()).await;
    drop(server);
    loop {
        let told = send(site.in_session("session-1", &call(1, "echo", json!({})))).await;
        if told.status() == 404 {
            break;
        }
        assert!(matches!(told.status().as_u16(), 200 | 502), "{}", told.status());
    }
}

#[tokio::test]
async fn clients_without_sessions_go_on_sharing_the_connection() {
    let mut site = brisk().await;
    let first = tokio::spawn(send(site.alone(&modern(call(1, "twice", json!({}))))));
    let mut server = site.servers.recv().await.unwrap();
    let frame = server.next().await;
    server.send(&answer(&frame["id"], "one")).await;
    first.await.unwrap();
    let lost = tokio::spawn(send(site.alone(&modern(call(1, "twice", json!({}))))));
    server.next().await;
    drop(server);
    let told = json_of(lost.await.unwrap()).await;
    assert_eq!(told["result"]["structuredContent"]["reason"], "outcome_unknown");
    let mut server = site.servers.recv().await.unwrap();
    // It is the same session: what was charged in it is still charged, with the call of unknown outcome.
    loop {
        let asking = json_of(send(site.alone(&modern(call(1, "twice", json!({}))))).await).await;
        if asking["error"]["data"]["reason"] == "server_restarting" {
            continue;
        }
        assert_eq!(asking["result"]["structuredContent"]["reason"], "limit_reached", "{asking}");
        break;
    }
    let passes = tokio::spawn(send(site.alone(&modern(call(1, "echo", json!({}))))));
    let frame = server.next().await;
    server.send(&answer(&frame["id"], "two")).await;
    assert_eq!(json_of(passes.await.unwrap()).await["result"]["content"][0]["text"], "two");
}

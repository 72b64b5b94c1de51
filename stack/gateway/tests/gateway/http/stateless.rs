//! Clients of 2026-07-28, which keep no session and share a connection.

use super::{Site, call, json_of, modern, send};
use crate::support::answer;
use crate::support::server::Fixture;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[tokio::test]
async fn each_request_stands_alone() {
    let site = Site::new(&Fixture::default()).await;
    let listed = json!({"jsonrpc": "2.0", "id": "l", "method": "tools/list", "params": {}});
    let told = json_of(send(site.alone(&modern(listed))).await).await;
    let names: Vec<&str> =
        told["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["echo", "slow", "typed", "place_order", "twice"]);
    let denied = json_of(send(site.alone(&modern(call(1, "withdraw", json!({}))))).await).await;
    assert!(denied["result"]["content"][0]["text"].as_str().unwrap().starts_with("[POLICY DENIED]"));
    let unknown = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/unknown", "params": {}});
    assert_eq!(send(site.alone(&modern(unknown))).await.status(), 404);
    let listening = site.request(reqwest::Method::GET).header("mcp-protocol-version", "2026-07-28");
    let told = send(listening).await;
    assert_eq!((told.status().as_u16(), told.headers()["allow"].to_str().unwrap()), (405, "POST"));
}

#[tokio::test]
async fn clients_that_use_the_same_id_at_once_each_get_their_own_answer() {
    let mut site = Site::by_hand().await;
    let asked: Vec<_> = (0..100)
        .map(|n| {
            let request = site.alone(&modern(call(7, "echo", json!({"n": n}))));
            tokio::spawn(async move { (n, json_of(send(request).await).await) })
        })
        .collect();
    let mut server = site.servers.recv().await.unwrap();
    let mut frames = Vec::new();
    for _ in 0..100 {
        frames.push(server.next().await);
    }
    // In the other order than they came.
    for frame in frames.iter().rev() {
        let n = &frame["params"]["arguments"]["n"];
        server.send(&answer(&frame["id"], &format!("of {n}"))).await;
    }
    for asked in asked {
        let (n, told) = asked.await.unwrap();
        assert_eq!((&told["id"], &told["result"]["content"][0]["text"]), (&json!(7), &json!(format!("of {n}"))));
    }
    assert!(site.servers.try_recv().is_err(), "one connection serves all of them");
}

#[tokio::test]
async fn progress_reaches_its_own_request_even_if_others_chose_the_same_token() {
    let mut site = Site::by_hand().await;
    let with_token = |n: u64| {
        let mut request = modern(call(1, "echo", json!({"n": n})));
        request["params"]["_meta"]["progressToken"] = json!("same");
        request
    };
    let (one, two) = (site.alone(&with_token(1)), site.alone(&with_token(2)));
    let one = tokio::spawn(async { super::events_of(send(one).await).await });
    let mut server = site.servers.recv().await.unwrap();
    let first = server.next().await;
    let two = tokio::spawn(async { json_of(send(two).await).await });
    let second = server.next().await;
    let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress",
                          "params": {"progressToken": first["params"]["_meta"]["progressToken"], "progress": 1}});
    server.send(&progress.to_string()).await;
    // What nobody asked for is nobody's, where several share a connection.
    server
        .send(r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"of whom?"}}"#)
        .await;
    server.send(&answer(&second["id"], "two")).await;
    server.send(&answer(&first["id"], "one")).await;
    assert_eq!(two.await.unwrap()["result"]["content"][0]["text"], "two", "and no events");
    let events = one.await.unwrap();
    assert_eq!(events[0]["params"], json!({"progressToken": "same", "progress": 1}));
    assert_eq!((events.len(), &events[1]["result"]["content"][0]["text"]), (2, &json!("one")));
}

#[tokio::test]
async fn hanging_up_cancels() {
    let fixture = Fixture::default();
    let site = Site::new(&fixture).await;
    let forever = site.alone(&modern(call(1, "slow", json!({"forever": true}))));
    let waiting = tokio::spawn(forever.send());
    // The answer to a later call says that the earlier one is there.
    while fixture.calls.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    waiting.abort();
    crate::support::in_time(fixture.cancelled.notified()).await;
}

#[tokio::test]
async fn a_server_that_was_lost_is_connected_to_again_and_the_call_in_flight_is_unknown() {
    let mut site = Site::by_hand().await;
    let waiting = tokio::spawn(send(site.alone(&modern(call(1, "echo", json!({}))))));
    let mut server = site.servers.recv().await.unwrap();
    server.next().await;
    drop(server);
    let told = json_of(waiting.await.unwrap()).await;
    assert_eq!(told["result"]["structuredContent"]["reason"], "outcome_unknown");
    // A server that keeps dying is not started over and over.
    let mut seen = BTreeMap::<u16, u32>::new();
    let told: Value = loop {
        let request = tokio::spawn(send(site.alone(&modern(call(2, "echo", json!({}))))));
        let told = tokio::select! {
            told = request => told.unwrap(),
            server = site.servers.recv() => {
                let mut server = server.unwrap();
                let asked = server.next().await;
                server.send(&answer(&asked["id"], "again")).await;
                break json!("again");
            }
        };
        *seen.entry(told.status().as_u16()).or_default() += 1;
    };
    assert_eq!(told, "again");
    assert!(seen.get(&503).is_some_and(|times| *times > 0), "{seen:?}");
}

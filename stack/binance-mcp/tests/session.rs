//! Sessions: order of requests, cancellation, closing, both eras of the protocol, the clock.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may end with a panic")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use binance_mcp::{BinanceMcp, serve, serve_until};
use common::raw::{RawExchange, http};
use common::{NOW_MS, Session, config, minimal_arguments, params, ticking};
use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequest, ClientRequest, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt as _, PeerRequestOptions};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Barrier, Semaphore, oneshot};

/// Lets everything else on this thread come forward, sockets included.
async fn let_others_run() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

async fn ten_calls_at_once(session: &Session) {
    let calls: Vec<_> = (1..=10)
        .map(|limit| {
            let peer = session.client.peer().clone();
            tokio::spawn(async move {
                peer.call_tool(params("bn_order_book", json!({"symbol": "BTCUSDT", "limit": limit}))).await
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().is_error, Some(false));
    }
}

#[tokio::test]
async fn one_in_flight_keeps_the_order_of_calls() {
    let exchange = RawExchange::start(|_| async {
        let_others_run().await;
        Some(http("200 OK", "{}"))
    })
    .await;
    let mut config = config(&exchange.url);
    config.max_in_flight = 1;
    let session = Session::open(config).await;
    ten_calls_at_once(&session).await;
    session.close().await;
    let expected: Vec<String> = (1..=10)
        .flat_map(|limit| {
            let line = format!("GET /api/v3/depth?symbol=BTCUSDT&limit={limit}");
            [format!("start {line}"), format!("end {line}")]
        })
        .collect();
    assert_eq!(exchange.events(), expected);
}

/// The counterpart: with room for ten, all ten are under way before the first is answered.
#[tokio::test]
async fn many_in_flight_do_not_wait_for_each_other() {
    let barrier = Arc::new(Barrier::new(10));
    let exchange = RawExchange::start(move |_| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            Some(http("200 OK", "{}"))
        }
    })
    .await;
    let mut config = config(&exchange.url);
    config.max_in_flight = 10;
    let session = Session::open(config).await;
    ten_calls_at_once(&session).await;
    session.close().await;
}

#[tokio::test]
async fn timestamps_come_from_the_injected_clock_when_the_turn_comes() {
    let exchange = RawExchange::start(|_| async { Some(http("200 OK", "{}")) }).await;
    let mut config = config(&exchange.url);
    ticking(&mut config);
    let session = Session::open(config).await;
    for later in 0..3 {
        session.ok("bn_account_info", json!({})).await;
        let last = exchange.events().pop().unwrap();
        assert!(last.contains(&format!("timestamp={}&", NOW_MS + later)), "{last}");
        // Public calls have no timestamp, and do not look at the clock.
        session.ok("bn_ping", json!({})).await;
    }
    session.close().await;
}

/// An exchange that answers only when told to, and says when a request has arrived.
async fn held_exchange() -> (RawExchange, Arc<Semaphore>, Arc<Semaphore>) {
    let (arrived, release) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (arrives, released) = (Arc::clone(&arrived), Arc::clone(&release));
    let exchange = RawExchange::start(move |_| {
        let (arrives, released) = (Arc::clone(&arrives), Arc::clone(&released));
        async move {
            arrives.add_permits(1);
            released.acquire().await.unwrap().forget();
            Some(http("200 OK", "{}"))
        }
    })
    .await;
    (exchange, arrived, release)
}

#[tokio::test]
async fn a_call_that_is_cancelled_while_it_waits_is_never_sent() {
    let (exchange, arrived, release) = held_exchange().await;
    let mut config = config(&exchange.url);
    config.max_in_flight = 1;
    let session = Session::open(config).await;
    let peer = session.client.peer().clone();
    let send = |limit: u64| {
        let call = params("bn_order_book", json!({"symbol": "BTCUSDT", "limit": limit}));
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(call));
        peer.send_cancellable_request(request, PeerRequestOptions::no_options())
    };
    let first = send(1).await.unwrap();
    arrived.acquire().await.unwrap().forget();
    let second = send(2).await.unwrap();
    let third = send(3).await.unwrap();
    second.cancel(Some("changed my mind".to_owned())).await.unwrap();
    // A round trip behind the cancellation: it has been seen when this comes back.
    peer.list_tools(None).await.unwrap();
    release.add_permits(3);
    first.await_response().await.unwrap();
    third.await_response().await.unwrap();
    session.close().await;
    let events = exchange.events().join("\n");
    assert!(events.contains("limit=1") && events.contains("limit=3"), "{events}");
    assert!(!events.contains("limit=2"), "{events}");
}

#[tokio::test]
async fn serving_ends_at_once_when_the_peer_closes_and_nothing_is_under_way() {
    let session = Session::open(config("http://127.0.0.1:1")).await;
    session.error("bn_ping", json!({})).await;
    let before = Instant::now();
    session.close().await;
    // The protocol library waits up to 5 s for handlers; without any it must not.
    assert!(before.elapsed() < Duration::from_secs(4), "{:?}", before.elapsed());
}

#[tokio::test]
async fn serving_ends_when_the_peer_leaves_without_a_word() {
    let server = BinanceMcp::new(config("http://127.0.0.1:1")).unwrap();
    let (near, far) = tokio::io::duplex(64);
    let (read, write) = tokio::io::split(far);
    drop(near);
    serve(server, read, write).await.unwrap();
}

/// What is on its way is seen through, even when the caller has gone.
#[tokio::test]
async fn closing_waits_for_an_order_under_way_and_drops_what_waits_for_its_turn() {
    let (exchange, arrived, release) = held_exchange().await;
    let mut config = config(&exchange.url);
    config.max_in_flight = 1;
    let server = BinanceMcp::new(config).unwrap();
    let (near, far) = tokio::io::duplex(1 << 20);
    let (read, write) = tokio::io::split(far);
    let (stop, stopped) = oneshot::channel::<()>();
    let mut served = tokio::spawn(serve_until(server, read, write, async {
        stopped.await.unwrap();
    }));
    let client = ().serve(near).await.unwrap();
    for _ in 0..2 {
        let peer = client.peer().clone();
        tokio::spawn(async move { peer.call_tool(params("bn_new_order", minimal_arguments("bn_new_order"))).await });
    }
    arrived.acquire().await.unwrap().forget();
    stop.send(()).unwrap();
    let_others_run().await;
    assert!(
        tokio::time::timeout(Duration::from_millis(1), &mut served).await.is_err(),
        "ended with an order under way"
    );
    release.add_permits(2);
    served.await.unwrap().unwrap();
    assert_eq!(exchange.events(), ["start POST /api/v3/order", "end POST /api/v3/order"]);
}

#[tokio::test]
async fn the_stateless_era_is_spoken_too() {
    let exchange = RawExchange::start(|_| async { Some(http("200 OK", "[]")) }).await;
    let server = BinanceMcp::new(config(&exchange.url)).unwrap();
    let (near, far) = tokio::io::duplex(1 << 20);
    let (read, write) = tokio::io::split(far);
    let served = tokio::spawn(serve(server, read, write));
    let lifecycle = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    let client = ().serve_with_lifecycle(near, lifecycle).await.unwrap();
    assert_eq!(client.peer().list_tools(None).await.unwrap().tools.len(), 23);
    let result = client.peer().call_tool(params("bn_open_orders", json!({}))).await.unwrap();
    assert_eq!(result.structured_content.unwrap(), json!({"items": []}));
    client.cancel().await.unwrap();
    served.await.unwrap().unwrap();
}

/// The server says who it is and what the agent should know first.
#[tokio::test]
async fn the_introduction() {
    let session = Session::open(config("http://127.0.0.1:1")).await;
    let info = session.client.peer().peer_info().unwrap();
    let server = info.server_info.as_ref().unwrap();
    assert_eq!(server.name, "binance-mcp");
    assert_eq!(server.version, env!("CARGO_PKG_VERSION"));
    assert!(info.instructions.as_ref().unwrap().contains("outcomeUnknown"));
    assert!(info.capabilities.tools.is_some());
    session.close().await;
}

/// Lines that are no JSON-RPC are survived.
#[tokio::test]
async fn garbage_does_not_end_the_session() {
    let server = BinanceMcp::new(config("http://127.0.0.1:1")).unwrap();
    let (mut near, far) = tokio::io::duplex(1 << 16);
    let (read, write) = tokio::io::split(far);
    let served = tokio::spawn(serve(server, read, write));
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "0"}}});
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let list = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/list"});
    let lines = format!("{hello}\n{ready}\nnot json\n\u{0}\n{{\"jsonrpc\":\"2.0\"}}\n[]\n{list}\n");
    near.write_all(lines.as_bytes()).await.unwrap();
    near.shutdown().await.unwrap();
    let mut answers = String::new();
    near.read_to_string(&mut answers).await.unwrap();
    served.await.unwrap().unwrap();
    assert!(answers.contains(r#""id":7,"result""#), "{answers}");
    assert!(answers.contains("bn_close_listen_key"));
}

//! The one server of a mock: axum, which tells where a request comes from and keeps nothing of it.
//!
//! ```text
//! request ─┬▶ overlay (wiremock, once a test has asked for it) ─▶ face
//!          │     └─ a mock matched: its answer
//!          └▶ upgrade to WebSocket ─┬▶ streams
//!                                   └▶ WebSocket API
//! ```

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State as Shared};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::face::{Face, Received};
use super::overlay::Overlay;
use crate::faults::{Delivery, deliver};
use crate::state::Hub;
use crate::{ws, ws_api};

/// The longest body that is read. An order has some hundred bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What answers requests.
pub(crate) struct Host {
    pub(crate) face: Face,
    pub(crate) overlay: Arc<Overlay>,
    pub(crate) hub: Arc<Hub>,
    /// Told to stop; gone when nothing is served any more.
    pub(crate) stop: watch::Receiver<bool>,
}

/// Serves until told to stop.
pub(crate) async fn serve(listener: TcpListener, host: Host) {
    let (mut stop, hub) = (host.stop.clone(), host.hub.clone());
    let router = Router::new().fallback(answer).with_state(Arc::new(host));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::select! {
        // Serving ends only by the signal: errors of single connections are theirs.
        _ = axum::serve(listener, service) => {}
        // Requests that a client has not finished are not waited for. The sender going away means to stop, too.
        _ = stop.wait_for(|stop| *stop) => {}
    }
    let (mut state, now) = hub.lock();
    state.streams.announce_shutdown(now);
    state.streams.disconnect_all();
}

async fn answer(
    Shared(host): Shared<Arc<Host>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    if parts.headers.contains_key(header::SEC_WEBSOCKET_KEY) {
        return match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) if parts.uri.path().trim_end_matches('/') == ws_api::server::PATH => {
                ws_api::server::accept(host.hub.clone(), canonical(peer), &parts.uri, upgrade, host.stop.clone())
            }
            Ok(upgrade) => {
                ws::server::accept(host.hub.clone(), canonical(peer), &parts.uri, upgrade, host.stop.clone())
            }
            Err(refusal) => refusal.into_response(),
        };
    }
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if let Some(answer) = host.overlay.answer(&parts, &body).await {
        return answer;
    }
    let (response, delivery) = face(&host.face, peer, &parts, &body);
    deliver(host.hub.clone(), delivery, response).await
}

fn canonical(peer: SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}

fn face(face: &Face, peer: SocketAddr, parts: &Parts, body: &Bytes) -> (Response, Delivery) {
    face.answer(&Received {
        peer: canonical(peer),
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default().as_bytes(),
        headers: &parts.headers,
        body,
    })
}

//! The HTTP server of the REST face: one axum server, which tells where a request comes from and keeps nothing of it.
//!
//! ```text
//! request ─▶ overlay (wiremock, once a test has asked for it) ─▶ face
//!               └─ a mock matched: its answer
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::face::{Face, Received};
use super::overlay::Overlay;

/// The longest body that is read. An order has some hundred bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What answers requests.
pub(crate) struct Host {
    pub(crate) face: Face,
    pub(crate) overlay: Arc<Overlay>,
}

/// Serves until told to stop.
pub(crate) async fn serve(listener: TcpListener, host: Host, mut stop: watch::Receiver<bool>) {
    let router = Router::new().fallback(answer).with_state(Arc::new(host));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let stopped = async move {
        // The sender going away means the same.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    tokio::select! {
        // Serving ends only by the signal: errors of single connections are theirs.
        _ = axum::serve(listener, service) => {}
        // Connections that clients keep alive are not waited for.
        () = stopped => {}
    }
}

async fn answer(
    Shared(host): Shared<Arc<Host>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    match host.overlay.answer(&parts, &body).await {
        Some(answer) => answer,
        None => face(&host.face, peer, &parts, &body),
    }
}

fn face(face: &Face, peer: SocketAddr, parts: &Parts, body: &Bytes) -> Response {
    face.answer(&Received {
        peer: peer.ip().to_canonical(),
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default().as_bytes(),
        headers: &parts.headers,
        body,
    })
}

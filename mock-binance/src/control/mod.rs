//! The control interface: what [`MockBinance`](crate::MockBinance)'s methods do, as JSON over HTTP for tests in other
//! languages. It has a port of its own, on loopback, and is off unless asked for
//! ([`Builder::control`](crate::Builder::control)).
//!
//! There are no credentials: whoever can reach the port may do everything. So it listens on loopback alone, and
//! [`guard`] turns away what a web page could send there.
//!
//! Reading order: [`routes`] (what there is), [`guard`], [`answer`] (how errors are told).

mod answer;
mod guard;
mod routes;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::middleware;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::state::Hub;

/// The longest body that is read. A fault has some hundred bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Serves until told to stop.
pub(crate) async fn serve(listener: TcpListener, own: SocketAddr, hub: Arc<Hub>, mut stop: watch::Receiver<bool>) {
    let router = routes::routes(hub)
        .layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(move |request, next| guard::check(own, request, next)));
    tokio::select! {
        // Serving ends only by the signal: errors of single connections are theirs.
        _ = axum::serve(listener, router) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

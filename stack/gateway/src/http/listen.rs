//! The listener: connections in, requests to the endpoint, an orderly end.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use super::config::HttpConfig;
use super::table::Table;
use crate::gateway::Gateway;
use crate::upstream::Upstream;

/// The path of the endpoint.
const PATH: &str = "/mcp";
/// The longest head of a request, in bytes, and how many headers it may have.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;

/// What all requests share.
pub(super) struct Shared {
    pub(super) gateway: Gateway,
    pub(super) config: HttpConfig,
    pub(super) table: Table,
    pub(super) requests: Arc<Semaphore>,
    lanes: AtomicU64,
}

impl Shared {
    /// A number that no other request has.
    pub(super) fn lane(&self) -> u64 {
        self.lanes.fetch_add(1, Ordering::Relaxed)
    }
}

/// A gateway that is spoken to over HTTP.
pub struct HttpGateway {
    shared: Arc<Shared>,
    /// Ends when the last session has.
    last: mpsc::Receiver<Infallible>,
}

impl HttpGateway {
    /// Puts `gateway` between clients at an address and connections to `upstream`.
    pub fn new(gateway: Gateway, upstream: Arc<dyn Upstream>, config: HttpConfig) -> Self {
        let (table, last) = Table::new(gateway.clone(), upstream, &config);
        let requests = Arc::new(Semaphore::new(config.limits.requests_max));
        // 0 is the lane of byte streams.
        let shared = Shared { gateway, config, table, requests, lanes: AtomicU64::new(1) };
        Self { shared: Arc::new(shared), last }
    }

    /// Serves connections until `stop` is ready; then requests that wait are answered and sessions end, within the time
    /// that the gateway's `drain_ms` gives to each.
    ///
    /// # Errors
    /// The listener breaks. Errors of single connections are theirs.
    pub async fn serve(mut self, listener: TcpListener, stop: impl Future<Output = ()>) -> io::Result<()> {
        let limits = self.shared.config.limits;
        let connections = Arc::new(Semaphore::new(limits.connections_max));
        let graceful = GracefulShutdown::new();
        let mut stop = pin!(stop);
        let mut sweep = tokio::time::interval(Duration::from_millis((limits.idle_ms / 8).clamp(1000, 60_000)));
        loop {
            let free = connections.clone().acquire_owned();
            let accepted = tokio::select! {
                () = &mut stop => break,
                _ = sweep.tick() => {
                    self.shared.table.sweep();
                    continue;
                }
                accepted = async { (free.await, listener.accept().await) } => accepted,
            };
            match accepted {
                (Ok(permit), Ok((stream, _))) => {
                    let served = graceful.watch(self.connection(stream));
                    tokio::spawn(async move {
                        if let Err(error) = served.await {
                            tracing::debug!(%error, "a connection broke");
                        }
                        drop(permit);
                    });
                }
                (_, Err(error)) if is_ours(&error) => return Err(error),
                // The client has gone again, or there are too many files open: others may have more luck.
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        drop(listener);
        self.shared.table.clear().await;
        let drain = Duration::from_millis(self.shared.gateway.limits().drain_ms);
        if tokio::time::timeout(drain * 3, graceful.shutdown()).await.is_err() {
            tracing::warn!("connections are cut off that did not end in time");
        }
        let ended = tokio::time::timeout(drain * 3, async { while self.last.recv().await.is_some() {} });
        if ended.await.is_err() {
            tracing::warn!("sessions are left behind that did not end in time");
        }
        Ok(())
    }

    fn connection(&self, stream: TcpStream) -> http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>> {
        // Answers are written whole; waiting for more of them only makes them late.
        let _ = stream.set_nodelay(true);
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_millis(self.shared.config.limits.head_ms))
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX);
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router(&self.shared)))
    }
}

impl std::fmt::Debug for HttpGateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpGateway").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

fn router(shared: &Arc<Shared>) -> Router {
    let endpoint = post(super::post::post).get(super::get::get).delete(super::get::delete);
    Router::new().route(PATH, endpoint).route("/healthz", get(async || "ok\n")).with_state(shared.clone())
}

/// Whether an error is the listener's own, not one of a connection that came to nothing.
fn is_ours(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected | io::ErrorKind::Unsupported)
}

//! The listener: connections in, requests to the endpoint, an orderly end.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

use super::config::HttpConfig;
use super::door::Turned;
use super::meter::{Meter, Who};
use super::table::Table;
use crate::gateway::Gateway;
use crate::socket::Socket;
use crate::upstream::Upstream;

/// The path of the endpoint.
const PATH: &str = "/mcp";
/// The longest head of a request, in bytes, and how many headers it may have.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;

/// One of several servers behind a listener.
pub struct Served {
    /// The name by which it is called, in the path: see [`HttpGateway::several`].
    pub name: String,
    /// What stands in front of it. It must not be that of another server: they would share budgets, pins and approvals.
    pub gateway: Gateway,
    /// Where it is.
    pub upstream: Arc<dyn Upstream>,
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What all requests to one server share.
pub(super) struct Shared {
    pub(super) gateway: Gateway,
    pub(super) config: Arc<HttpConfig>,
    pub(super) table: Table,
    pub(super) requests: Arc<Semaphore>,
    /// What each address and grant has asked for, of all servers.
    pub(super) meter: Arc<Meter>,
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
    config: Arc<HttpConfig>,
    servers: Servers,
    /// Each ends when the last session of a server has.
    last: Vec<mpsc::Receiver<Infallible>>,
}

impl HttpGateway {
    /// Puts `gateway` between clients at an address and connections to `upstream`.
    pub fn new(gateway: Gateway, upstream: Arc<dyn Upstream>, config: HttpConfig) -> Self {
        Self::of([(None, gateway, upstream)], config)
    }

    /// Puts several gateways behind one address, each in front of a server of its own: `/mcp/NAME` leads to the server of
    /// that name, and `/mcp` to the only one if there is one. A session is of one server, and there `max_sessions` counts.
    pub fn several(servers: impl IntoIterator<Item = Served>, config: HttpConfig) -> Self {
        Self::of(servers.into_iter().map(|Served { name, gateway, upstream }| (Some(name), gateway, upstream)), config)
    }

    fn of(servers: impl IntoIterator<Item = (Option<String>, Gateway, Arc<dyn Upstream>)>, config: HttpConfig) -> Self {
        let config = Arc::new(config);
        let requests = Arc::new(Semaphore::new(config.limits.requests_max));
        let meter = Meter::new(config.limits);
        let one = |(name, gateway, upstream): (Option<String>, Gateway, _)| {
            let (table, last) = Table::new(name.clone(), gateway.clone(), upstream, &config);
            let (config, requests, meter) = (Arc::clone(&config), Arc::clone(&requests), Arc::clone(&meter));
            // 0 is the lane of byte streams.
            let shared = Shared { gateway, config, table, requests, meter, lanes: AtomicU64::new(1) };
            ((name, Arc::new(shared)), last)
        };
        let (servers, last): (Vec<_>, Vec<_>) = servers.into_iter().map(one).unzip();
        Self { config, servers: Arc::new(servers), last }
    }

    fn drain(&self) -> Duration {
        let drains = self.servers.iter().map(|(_, shared)| shared.gateway.limits().drain_ms);
        Duration::from_millis(drains.max().unwrap_or_default())
    }

    /// Serves connections until `stop` is ready; then requests that wait are answered and sessions end, within the time
    /// that the gateway's `drain_ms` gives to each.
    ///
    /// # Errors
    /// The listener breaks. Errors of single connections are theirs.
    pub async fn serve(mut self, listener: TcpListener, stop: impl Future<Output = ()>) -> io::Result<()> {
        let limits = self.config.limits;
        let connections = Arc::new(Semaphore::new(limits.connections_max));
        let encryption = self.config.encryption();
        let graceful = GracefulShutdown::new();
        let mut stop = pin!(stop);
        let mut sweep = tokio::time::interval(Duration::from_millis((limits.idle_ms / 8).clamp(1000, 60_000)));
        loop {
            let free = connections.clone().acquire_owned();
            let accepted = tokio::select! {
                () = &mut stop => break,
                _ = sweep.tick() => {
                    for (_, shared) in self.servers.iter() {
                        shared.table.sweep();
                    }
                    continue;
                }
                accepted = async { (free.await, listener.accept().await) } => accepted,
            };
            match accepted {
                (Ok(permit), Ok((stream, peer))) => {
                    // Answers are written whole; waiting for more of them only makes them late.
                    let _ = stream.set_nodelay(true);
                    let served = graceful.watch(self.connection(encryption.meet(stream), Peer(Who::at(peer.ip()))));
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
        for (_, shared) in self.servers.iter() {
            shared.table.clear().await;
        }
        let drain = self.drain();
        if tokio::time::timeout(drain * 3, graceful.shutdown()).await.is_err() {
            tracing::warn!("connections are cut off that did not end in time");
        }
        let ended = tokio::time::timeout(drain * 3, async {
            for last in &mut self.last {
                while last.recv().await.is_some() {}
            }
        });
        if ended.await.is_err() {
            tracing::warn!("sessions are left behind that did not end in time");
        }
        Ok(())
    }

    fn connection(
        &self,
        socket: Socket,
        peer: Peer,
    ) -> http1::Connection<TokioIo<Socket>, TowerToHyperService<Router>> {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_millis(self.config.limits.head_ms))
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX);
        builder.serve_connection(
            TokioIo::new(socket),
            TowerToHyperService::new(router(&self.servers).layer(Extension(peer))),
        )
    }
}

impl std::fmt::Debug for HttpGateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpGateway").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The other end of a connection.
#[derive(Debug, Clone)]
pub(super) struct Peer(pub(super) Who);

/// Each server by its name, if it has one.
type Servers = Arc<Vec<(Option<String>, Arc<Shared>)>>;

fn router(servers: &Servers) -> Router {
    let router = Router::new().route("/healthz", get(async || "ok\n"));
    let router = match servers.as_slice() {
        [(_, only)] => {
            let endpoint = post(super::post::post).get(super::get::get).delete(super::get::delete);
            router.route(PATH, endpoint.with_state(Arc::clone(only)))
        }
        _ => router.route(PATH, any(unnamed).with_state(Arc::clone(servers))),
    };
    router.route(&format!("{PATH}/{{name}}"), any(named).with_state(Arc::clone(servers)))
}

/// Whose a request is that reaches no server, if he may come in: strangers are not told which servers there are.
fn enter(servers: &Servers, peer: &Peer, headers: &HeaderMap) -> Result<(), Turned> {
    let Some((_, first)) = servers.first() else { return Ok(()) };
    first.enter(peer, headers).map(drop)
}

/// Answers whoever names no server.
async fn unnamed(State(servers): State<Servers>, Extension(peer): Extension<Peer>, headers: HeaderMap) -> Response {
    let text = format!("several servers are behind this address: name one, as in `{PATH}/NAME`\n");
    enter(&servers, &peer, &headers)
        .map_or_else(IntoResponse::into_response, |()| (StatusCode::NOT_FOUND, text).into_response())
}

/// Leads to the server of a name.
async fn named(
    State(servers): State<Servers>,
    peer: Extension<Peer>,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some((_, shared)) = servers.iter().find(|(other, _)| other.as_ref() == Some(&name)) else {
        let unknown = || (StatusCode::NOT_FOUND, "there is no server of this name\n").into_response();
        return enter(&servers, &peer, &headers).map_or_else(IntoResponse::into_response, |()| unknown());
    };
    let shared = State(Arc::clone(shared));
    match method {
        Method::POST => super::post::post(shared, peer, headers, body).await,
        Method::GET => super::get::get(shared, peer, headers).await,
        Method::DELETE => super::get::delete(shared, peer, headers).await,
        _ => (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST, GET, DELETE")]).into_response(),
    }
}

/// Whether an error is the listener's own, not one of a connection that came to nothing.
fn is_ours(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected | io::ErrorKind::Unsupported)
}

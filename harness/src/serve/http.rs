//! Streamable HTTP, on loopback.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::front::{Frame, Front};
use super::stack::Served;

/// The path of the endpoint.
const PATH: &str = "/mcp";

/// The longest body that is read. The gateway takes less, and says so itself.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why a stack cannot be reached over HTTP.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Whoever reaches the port trades on the account.
    #[error("`{0}` can be reached from other machines, and nobody is asked who they are: use 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

/// An endpoint that is up. Requests of web pages of other origins, and by other names of the host, are refused.
pub struct HttpFront {
    address: SocketAddr,
    config: StreamableHttpServerConfig,
    listener: JoinHandle<()>,
    /// Ends when the last session has.
    last: mpsc::Receiver<Infallible>,
}

impl HttpFront {
    /// Serves a stack at `address`; port 0 lets the system choose.
    ///
    /// # Errors
    /// The address is not of this machine alone, or taken.
    pub async fn start(stack: Served, address: SocketAddr) -> Result<Self, HttpError> {
        if !address.ip().is_loopback() {
            return Err(HttpError::NotLoopback(address));
        }
        let bound = |source| HttpError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bound)?;
        let address = listener.local_addr().map_err(bound)?;
        let hosts = [address.to_string(), format!("localhost:{}", address.port())];
        let config = StreamableHttpServerConfig::default()
            .with_allowed_origins(hosts.iter().map(|host| format!("http://{host}")))
            .with_allowed_hosts(hosts)
            .with_max_request_body_bytes(BODY_BYTES_MAX);
        let mut sessions = LocalSessionManager::default();
        // A model may think for longer than any idle time; on loopback nobody leaves sessions behind by the thousand.
        sessions.session_config.keep_alive = None;
        let (alive, last) = mpsc::channel(1);
        let server = stack.server();
        let front = move || Ok(Front::new(stack.clone(), server.clone(), alive.clone()));
        let service = StreamableHttpService::new(front, Arc::new(sessions), config.clone());
        let router = Router::new().nest_service(PATH, service).layer(from_fn(keep_frame));
        let listener = tokio::spawn(async move {
            // Errors of single connections are theirs.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, config, listener, last })
    }

    /// What a client is given, such as `http://127.0.0.1:8700/mcp`.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// Ends every session and waits until they have ended.
    pub async fn stop(mut self) {
        self.config.cancellation_token.cancel();
        self.listener.abort();
        let _ = (&mut self.listener).await;
        while self.last.recv().await.is_some() {}
    }
}

impl std::fmt::Debug for HttpFront {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpFront").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Lets a request's body travel along with it, as it came.
async fn keep_frame(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    parts.extensions.insert(Frame(bytes.clone()));
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

//! Requests to a server behind HTTP: one after the other over connections that are kept.
//!
//! It follows nobody elsewhere, which would bring them the token and the orders, and takes no proxy from the environment.

use std::error::Error;
use std::fmt::Write as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{HeaderMap, Method, Request, Uri};
use http_body_util::Full;
use hyper::Response;
use hyper::body::{Bytes, Incoming};
#[cfg(feature = "tls")]
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;

use super::http::BadUpstream;

/// How long a server may take to be connected to, encryption included.
const CONNECTING: Duration = Duration::from_secs(10);

type Failed = Box<dyn Error + Send + Sync>;
type Over<C> = legacy::Client<InTime<C>, Full<Bytes>>;

/// Sends requests.
#[derive(Clone)]
pub(crate) enum Client {
    Clear(Over<HttpConnector>),
    #[cfg(feature = "tls")]
    Encrypted(Over<HttpsConnector<HttpConnector>>),
}

impl Client {
    /// For a server at `uri`, which has to prove who it is by the authorities of the system if it is encrypted.
    pub(crate) fn new(uri: &Uri) -> Result<Self, BadUpstream> {
        if uri.scheme_str() != Some("https") {
            return Ok(Self::Clear(over(http())));
        }
        #[cfg(feature = "tls")]
        return Ok(Self::encrypted(crate::tls::client(None)?));
        #[cfg(not(feature = "tls"))]
        Err(BadUpstream::NoTls)
    }

    /// For a server at `uri` that has to prove who it is by the authorities of a file.
    #[cfg(feature = "tls")]
    pub(super) fn believing(authorities: &std::path::Path, uri: &Uri) -> Result<Self, BadUpstream> {
        if uri.scheme_str() != Some("https") {
            return Err(BadUpstream::NothingToProve(uri.to_string()));
        }
        Ok(Self::encrypted(crate::tls::client(Some(authorities))?))
    }

    #[cfg(feature = "tls")]
    fn encrypted(believed: rustls::ClientConfig) -> Self {
        let mut http = http();
        http.enforce_http(false);
        let builder = HttpsConnectorBuilder::new().with_tls_config(believed).https_only().enable_http1();
        Self::Encrypted(over(builder.wrap_connector(http)))
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        uri: &Uri,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> io::Result<Response<Incoming>> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers;
        let sent = match self {
            Self::Clear(client) => client.request(request),
            #[cfg(feature = "tls")]
            Self::Encrypted(client) => client.request(request),
        };
        sent.await.map_err(|error| told(&error))
    }
}

fn over<C>(ways: C) -> Over<C>
where
    InTime<C>: legacy::connect::Connect + Clone,
{
    legacy::Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(InTime(ways))
}

fn http() -> HttpConnector {
    let mut http = HttpConnector::new();
    // Requests are written whole; waiting for more of them only makes them late.
    http.set_nodelay(true);
    http
}

/// Connections, as long as they do not take too long.
#[derive(Clone)]
pub(crate) struct InTime<C>(C);

impl<C> Service<Uri> for InTime<C>
where
    C: Service<Uri>,
    C::Error: Into<Failed>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, Failed>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            match tokio::time::timeout(CONNECTING, connecting).await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}

/// An error with everything that led to it, which is where it says what is wrong with a certificate.
pub(super) fn told(error: &dyn Error) -> io::Error {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a text does not fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    io::Error::other(text)
}

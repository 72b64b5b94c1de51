//! Mocks of a test's own over the exchange: a wiremock server that is asked first, from the moment it is wanted.

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderName, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::OnceCell;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// The lowest priority that wiremock knows: any other mock comes first.
const LOWEST_PRIORITY: u8 = u8::MAX;
/// Marks what no mock has matched.
const UNMATCHED: HeaderName = HeaderName::from_static("x-mock-binance-unmatched");

/// Starts on first use; until then it costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    running: OnceCell<Running>,
}

#[derive(Debug)]
struct Running {
    server: MockServer,
    client: Client<HttpConnector, Body>,
}

impl Overlay {
    /// The server, started when it is not yet.
    pub(crate) async fn server(&self) -> &MockServer {
        let running = self.running.get_or_init(|| async {
            // Recording would keep every request with its signature; the face keeps a transcript of its own.
            let server = MockServer::builder().disable_request_recording().start().await;
            Mock::given(any())
                .respond_with(ResponseTemplate::new(404).insert_header(UNMATCHED.as_str(), "1"))
                .with_priority(LOWEST_PRIORITY)
                .named("the exchange")
                .mount(&server)
                .await;
            Running { server, client: Client::builder(TokioExecutor::new()).build_http() }
        });
        &running.await.server
    }

    /// What a mock answers to this request; nothing when none matches it.
    pub(crate) async fn answer(&self, parts: &Parts, body: &Bytes) -> Option<Response> {
        let Running { server, client } = self.running.get()?;
        let Ok(answer) = client.request(forwarded(server, parts, body)?).await else {
            // A mock may break its answer off on purpose.
            return Some(StatusCode::BAD_GATEWAY.into_response());
        };
        if answer.headers().contains_key(UNMATCHED) {
            return None;
        }
        let (mut parts, body) = answer.into_parts();
        // How long the body is, the connection to the client decides again.
        parts.headers.remove(header::TRANSFER_ENCODING);
        Some(Response::from_parts(parts, Body::new(body)))
    }
}

fn forwarded(server: &MockServer, parts: &Parts, body: &Bytes) -> Option<Request<Body>> {
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let uri: Uri = format!("{}{target}", server.uri()).parse().ok()?;
    let mut request = Request::builder().method(parts.method.clone()).uri(uri).body(Body::from(body.clone())).ok()?;
    for (name, value) in &parts.headers {
        if name != header::HOST && name != header::CONNECTION && name != header::TRANSFER_ENCODING {
            request.headers_mut().append(name, value.clone());
        }
    }
    Some(request)
}

//! One client's session, as lean as can be: what it costs itself blurs the ratio.

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::Outcome;
use crate::ask::{Ask, answered, goes_well};

const PROTOCOL: &str = "2025-11-25";
const SESSION: &str = "mcp-session-id";

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"load","version":"1"}}}
"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}
"#;

/// A session, whatever carries it.
pub enum Session {
    Lines(Lines),
    Web(Web),
}

impl Session {
    /// Asks, and waits for the answer, which is a good one.
    pub async fn call(&mut self, ask: Ask, id: u64) -> Outcome<()> {
        goes_well(&self.ask(ask, id).await?, id)
    }

    /// Asks, and waits for the answer.
    pub async fn ask(&mut self, ask: Ask, id: u64) -> Outcome<Bytes> {
        let frame = ask.frame(id);
        match self {
            Self::Lines(lines) => {
                lines.send(&frame).await?;
                lines.line().await
            }
            Self::Web(web) => web.post(frame).await,
        }
    }

    /// Makes so many calls, of which so many are on their way at any time.
    pub async fn flood(&mut self, ask: Ask, first: u64, calls: u64, at_once: u64) -> Outcome<()> {
        match self {
            Self::Lines(lines) => lines.flood(ask, first, calls, at_once).await,
            Self::Web(web) => web.flood(ask, first, calls, at_once).await,
        }
    }
}

/// A session over two streams of bytes.
pub struct Lines {
    read: BufReader<Box<dyn AsyncRead + Unpin + Send>>,
    write: Box<dyn AsyncWrite + Unpin + Send>,
}

impl Lines {
    pub async fn open(
        read: impl AsyncRead + Unpin + Send + 'static,
        write: impl AsyncWrite + Unpin + Send + 'static,
    ) -> Outcome<Self> {
        let mut lines = Self { read: BufReader::new(Box::new(read)), write: Box::new(write) };
        lines.send(INITIALIZE).await?;
        goes_well(&lines.line().await?, 0)?;
        lines.send(INITIALIZED).await?;
        Ok(lines)
    }

    async fn send(&mut self, frame: &str) -> Outcome<()> {
        self.write.write_all(frame.as_bytes()).await?;
        Ok(self.write.flush().await?)
    }

    async fn line(&mut self) -> Outcome<Bytes> {
        let mut line = Vec::new();
        if self.read.read_until(b'\n', &mut line).await? == 0 {
            return Err("the server has gone".into());
        }
        Ok(line.into())
    }

    async fn flood(&mut self, ask: Ask, first: u64, calls: u64, at_once: u64) -> Outcome<()> {
        let mut next = first;
        while next < first + calls.min(at_once) {
            self.send(&ask.frame(next)).await?;
            next += 1;
        }
        for _ in 0..calls {
            // Answers come in any order, and each names its request.
            let answer = self.line().await?;
            goes_well(&answer, answered(&answer)?)?;
            if next < first + calls {
                self.send(&ask.frame(next)).await?;
                next += 1;
            }
        }
        Ok(())
    }
}

/// A session over streamable HTTP, and a connection that is kept.
pub struct Web {
    address: String,
    token: Option<String>,
    session: Option<String>,
    connection: Connection,
    /// More connections of the same session, for calls at once.
    others: Vec<Connection>,
}

/// A connection that is kept, and made anew when the server has closed it meanwhile.
struct Connection {
    address: String,
    requests: SendRequest<Full<Bytes>>,
}

async fn connect(address: &str) -> Outcome<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (requests, driven) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(driven);
    Ok(requests)
}

impl Web {
    pub async fn open(address: &str, token: Option<&str>) -> Outcome<Self> {
        let mut web = Self {
            address: address.to_owned(),
            token: token.map(str::to_owned),
            session: None,
            connection: Connection::open(address).await?,
            others: Vec::new(),
        };
        goes_well(&web.post(INITIALIZE.to_owned()).await?, 0)?;
        web.post(INITIALIZED.to_owned()).await?;
        Ok(web)
    }

    fn request(&self, body: String) -> Outcome<Request<Full<Bytes>>> {
        let mut request = Request::post("/mcp")
            .header(HOST, &self.address)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .header("mcp-protocol-version", PROTOCOL);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(session) = &self.session {
            request = request.header(SESSION, session);
        }
        Ok(request.body(Full::new(Bytes::from(body)))?)
    }

    /// Posts a frame and returns the frame that answers it, if any does.
    pub async fn post(&mut self, frame: String) -> Outcome<Bytes> {
        let request = self.request(frame)?;
        let (answer, session) = self.connection.exchange(request).await?;
        self.session = session.or(self.session.take());
        Ok(answer)
    }

    async fn flood(&mut self, ask: Ask, first: u64, calls: u64, at_once: u64) -> Outcome<()> {
        while (self.others.len() as u64) < at_once {
            self.others.push(Connection::open(&self.address).await?);
        }
        let mut running = tokio::task::JoinSet::new();
        for (at, mut connection) in (0..at_once).zip(std::mem::take(&mut self.others)) {
            let mine: Vec<u64> = (first..first + calls).filter(|id| id % at_once == at).collect();
            let requests = mine.into_iter().map(|id| Ok((id, self.request(ask.frame(id))?)));
            let requests = requests.collect::<Outcome<Vec<_>>>()?;
            running.spawn(async move {
                for (id, request) in requests {
                    let answered = connection.exchange(request).await.and_then(|(answer, _)| goes_well(&answer, id));
                    answered.map_err(|error| error.to_string())?;
                }
                Ok::<_, String>(connection)
            });
        }
        while let Some(done) = running.join_next().await {
            self.others.push(done??);
        }
        Ok(())
    }
}

impl Connection {
    async fn open(address: &str) -> Outcome<Self> {
        Ok(Self { address: address.to_owned(), requests: connect(address).await? })
    }

    /// The frame that answers, and the session that was opened with it.
    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Outcome<(Bytes, Option<String>)> {
        if self.requests.ready().await.is_err() {
            self.requests = connect(&self.address).await?;
        }
        let answer = self.requests.send_request(request).await?;
        let status = answer.status();
        let named = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (session, is_events) =
            (named(SESSION), named("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")));
        let body = answer.into_body().collect().await?.to_bytes();
        if status != StatusCode::OK && status != StatusCode::ACCEPTED {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
        }
        if !is_events {
            return Ok((body, session));
        }
        // An event may come before that carries nothing, so that the client knows how to resume.
        let data = body.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data:")).next_back();
        Ok((body.slice_ref(data.unwrap_or_default().trim_ascii()), session))
    }
}

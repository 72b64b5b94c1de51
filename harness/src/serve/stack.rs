//! A stack that is up.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use binance_mcp::{BinanceMcp, Config, Credentials};
use mcp_gateway::mcp_policy::Guard;
use mcp_gateway::{Gateway, GatewayConfig, Identity, is_decision};
use mock_binance::{Clock, ManualClock};

use super::session;
use super::setup::{ServeSetup, Time};
use super::summary::{Standing, Summary, Tally};
use crate::cassette::tools::{FileError, create};
use crate::cassette::{BadRule, Direction, Header, Leg, Redactor};
use crate::record::{Observe, Proxy, ProxyError, Recorder, Speaks};
use crate::run::{Stage, StageError};
use crate::scenario::UtcTime;

/// Why a stack could not be set up, or not be finished.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The exchange cannot be set up as was asked.
    #[error("{0}")]
    Exchange(String),
    /// The policy document is refused.
    #[error("the gateway refuses the policy: {0}")]
    Policy(String),
    /// The MCP server cannot be set up.
    #[error("the MCP server cannot start: {0}")]
    Server(String),
    /// The tape cannot be made.
    #[error("the tape cannot be made: {0}")]
    Tape(#[from] FileError),
    /// A rule of what must not be on it is no regular expression.
    #[error("{0}")]
    Rule(#[from] BadRule),
    /// The recorder cannot stand before the exchange.
    #[error("the session cannot be recorded: {0}")]
    Recorder(#[from] ProxyError),
    /// The tape was cut off.
    #[error("`{}` was cut off, because it cannot be written: {source}", path.display())]
    Cut {
        /// The tape.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A session broke in another way than by ending.
    #[error("a session broke: {0}")]
    Session(String),
}

impl From<StageError> for ServeError {
    fn from(error: StageError) -> Self {
        Self::Exchange(error.to_string())
    }
}

/// Gateway, MCP server and exchange. Clones are the same stack.
#[derive(Clone)]
pub struct Served {
    shared: Arc<Shared>,
}

struct Shared {
    stage: Stage,
    gateway: Gateway,
    server: BinanceMcp,
    observe: Observe,
    /// The tape with its place.
    recorder: Option<(Recorder, PathBuf)>,
    /// Stands between the MCP server and the exchange where a tape is written.
    proxy: Option<Proxy>,
    tally: Tally,
    sessions: AtomicU64,
    standing: Standing,
}

impl Served {
    /// Sets everything up, on tasks of the current runtime.
    ///
    /// # Errors
    /// Something of the set-up is impossible.
    pub async fn start(setup: ServeSetup) -> Result<Self, ServeError> {
        let policy = setup.policy.document().parse().map_err(|errors| ServeError::Policy(errors.to_string()))?;
        let guard = Guard::new(policy);
        let mut exchange = setup.exchange;
        let clock = match setup.time {
            Time::Machine => Clock::system(),
            Time::Standing => Clock::from(ManualClock::new(exchange.clock.as_millis())),
        };
        exchange.clock = UtcTime::from_millis(clock.now_ms());
        let moving = !setup.markets.is_empty();
        let stands = setup.time == Time::Standing;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let stage = Stage::on(&exchange, None, clock, |mut builder| {
            for market in setup.markets {
                builder = builder.market(market.symbol, market.process);
            }
            // Time that stands needs somebody to move it.
            if stands { builder.control(any) } else { builder }
        })
        .await?;

        let header = Header {
            seed: Some(exchange.seed),
            target: Some("serve".to_owned()),
            policy: Some(setup.policy.digest()),
            // What moved a market is not in a set-up: half of it would promise that the session can be played again.
            exchange: if moving { None } else { serde_json::to_value(&exchange).ok() },
            ..Header::new(concat!("rogue ", env!("CARGO_PKG_VERSION")), exchange.clock.as_millis())
        };
        let recorder = match setup.tape {
            Some(path) => {
                let mut redactor = Redactor::new(&setup.redact)?;
                stage.tell(&mut redactor);
                let clock = stage.clock();
                let recorder = Recorder::new(create(&path, &header, redactor)?, move || clock());
                Some((recorder, path))
            }
            None => None,
        };
        let observe: Observe = match &recorder {
            Some((recorder, _)) => recorder.observer(),
            None => Arc::new(|_, _, _| {}),
        };
        let proxy = match recorder {
            Some(_) => Some(Proxy::start(any, &stage.mock.rest_url(), Speaks::Exchange, observe.clone()).await?),
            None => None,
        };
        let rest_url = proxy.as_ref().map_or_else(|| stage.mock.rest_url(), Proxy::url);

        let tally = Tally::default();
        let (decided, counts) = (observe.clone(), tally.clone());
        let audit = move |line: &str| {
            if !is_decision(line) {
                return Ok(());
            }
            decided(Leg::Decision, Direction::Out, line.as_bytes());
            counts.take(line);
            Ok(())
        };
        let mut config = GatewayConfig::new(stage.clock(), audit, "binance");
        config.policy = setup.policy.digest();
        let shown = binance_mcp::tools().iter().filter(|tool| guard.visible(tool.name)).count();
        let standing = Standing::new(&stage, &exchange, &rest_url, shown, config.policy.clone());
        let gateway = Gateway::new(guard, config);

        let broken = |error: binance_mcp::ConfigError| ServeError::Server(error.to_string());
        let mut config = Config::new(&rest_url);
        config.credentials = Some(Credentials::new(&stage.owner.api_key, &stage.owner.secret).map_err(broken)?);
        config.clock = stage.clock();
        // One at a time, so that a tape tells which call brought which request about.
        config.max_in_flight = 1;
        let server = BinanceMcp::new(config).map_err(broken)?;
        let sessions = AtomicU64::new(0);
        let shared = Shared { stage, gateway, server, observe, recorder, proxy, tally, sessions, standing };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// How everything stands before the first call.
    pub fn standing(&self) -> &Standing {
        &self.shared.standing
    }

    /// Serves one agent over byte streams, one JSON-RPC message a line, until it hangs up or `stop` is ready; calls that
    /// are on their way are answered first.
    ///
    /// # Errors
    /// The session broke.
    pub async fn serve(
        &self,
        input: impl tokio::io::AsyncRead + Unpin + Send + 'static,
        output: impl tokio::io::AsyncWrite + Unpin + Send + 'static,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        self.session(true, input, output, stop).await
    }

    /// Requests of clients that keep no session are of one session, whoever sends them.
    pub(super) async fn session(
        &self,
        keeps_session: bool,
        input: impl tokio::io::AsyncRead + Unpin + Send + 'static,
        output: impl tokio::io::AsyncWrite + Unpin + Send + 'static,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let name = if keeps_session {
            format!("session-{}", self.shared.sessions.fetch_add(1, Ordering::Relaxed) + 1)
        } else {
            "no-session".to_owned()
        };
        let wires = session::Wires {
            gateway: &self.shared.gateway,
            identity: Identity::new("desk", name),
            server: self.shared.server.clone(),
            observe: self.shared.observe.clone(),
        };
        session::serve(wires, input, output, stop).await.map_err(ServeError::Session)
    }

    pub(super) fn server(&self) -> BinanceMcp {
        self.shared.server.clone()
    }

    /// What it came to so far.
    pub fn summary(&self) -> Summary {
        let tape = self.shared.recorder.as_ref().map(|(_, path)| path.clone());
        Summary::new(&self.shared.stage, &self.shared.tally, tape)
    }

    /// Ends the tape and tells what it came to. Call it when every session has ended.
    ///
    /// # Errors
    /// The tape could not be written to its end.
    pub fn finish(&self) -> Result<Summary, ServeError> {
        let summary = self.summary();
        if let Some((recorder, path)) = &self.shared.recorder {
            recorder.finish().map_err(|source| ServeError::Cut { path: path.clone(), source })?;
        }
        Ok(summary)
    }
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("proxy", &self.shared.proxy).finish_non_exhaustive()
    }
}

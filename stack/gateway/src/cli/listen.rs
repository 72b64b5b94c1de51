//! Serves clients over HTTP, each session with a server process of its own.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_gateway::http::{HttpConfig, HttpGateway, HttpLimits};
use mcp_gateway::{Connecting, Connection, Durability, Gateway, GrantBook, StateDir, Upstream};
use tokio::net::TcpListener;

use super::args::GatewayArgs;
use super::failure::Failure;
use super::{run, signals};

pub(super) async fn serve(args: &GatewayArgs, gateway: &Gateway, address: SocketAddr) -> Result<(), Failure> {
    if !address.ip().is_loopback() && !args.plain_text_beyond_this_machine {
        return Err(Failure::NotLoopback(address));
    }
    let folder = args.state.clone().unwrap_or_default();
    let grants = GrantBook::open(&StateDir::new(&folder, Durability::Power)?)?;
    let mut config = HttpConfig::with_grants(grants);
    config.hosts.extend(args.allow_host.iter().cloned());
    config.origins.extend(args.allow_origin.iter().cloned());
    config.limits = HttpLimits {
        sessions_max: args.max_sessions,
        sessions_per_grant_max: args.max_sessions,
        ..HttpLimits::default()
    };

    let bound = |source| Failure::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(bound)?;
    let address = listener.local_addr().map_err(bound)?;
    let drain = Duration::from_millis(args.drain);
    let upstream = PerSession { command: args.command.clone(), drain, first: Mutex::default() };
    // A command that cannot be started is told now, not to the first client, who then need not wait for it.
    let first = upstream.start()?;
    let upstream = Arc::new(PerSession { first: Mutex::new(Some(first)), ..upstream });
    let _signals = signals::heed(gateway.clone(), args.policy.clone().unwrap_or_default());
    // Nobody may be reading, which is no reason not to serve.
    let _ = writeln!(io::stderr(), "listening on http://{address}/mcp");
    let served = HttpGateway::new(gateway.clone(), upstream, config).serve(listener, run::shutdown()).await;
    served.map_err(|source| Failure::Listen { address, source })
}

/// A command that is started for each session.
struct PerSession {
    command: Vec<OsString>,
    drain: Duration,
    /// Started before anybody asked.
    first: Mutex<Option<Connection>>,
}

impl Upstream for PerSession {
    fn connect(&self) -> Connecting<'_> {
        let first = self.first.lock().ok().and_then(|mut first| first.take());
        let connection =
            first.map_or_else(|| self.start().map_err(|failure| io::Error::other(failure.to_string())), Ok);
        Box::pin(std::future::ready(connection))
    }
}

impl PerSession {
    fn start(&self) -> Result<Connection, Failure> {
        let mut child = run::start(&self.command)?;
        let (Some(write), Some(read)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(run::start_failed(&self.command, io::ErrorKind::BrokenPipe.into()));
        };
        Ok(Connection::new(read, write).ending(run::ended(child, self.drain)))
    }
}

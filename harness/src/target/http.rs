//! Our gateway in front of the MCP server, spoken to over streamable HTTP: a socket, a grant's token, a session.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};

use mcp_gateway::http::{Doorkeeper, HttpConfig, HttpGateway};
use mcp_gateway::{Connection, Upstream};
use tokio::sync::oneshot;

use super::embedded;
use super::kind::{Capability, TargetError};
use super::post::{Endpoint, carry};
use super::stack::{Rest, Setting, Stack, Target, Task};
use super::upstream;
use crate::agent::tap::{Tap, pipe};
use crate::agent::transcript::Leg;

/// What the agent is let in by. Nobody keeps it: the port is this run's alone.
const TOKEN: &str = "the-token-of-the-desk";

pub(super) struct Http;

struct Desk;

impl Doorkeeper for Desk {
    fn holder(&self, token: Option<&str>, _: u64) -> Result<Option<String>, String> {
        Ok(token.filter(|token| *token == TOKEN).map(|_| "desk".to_owned()))
    }
}

impl Target for Http {
    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Clock, Capability::Policy]
    }

    fn open(&self, setting: &Setting<'_>) -> Result<Stack, TargetError> {
        let (gateway, audit) = embedded::gateway(setting)?;
        let (inner_back, tapped) = pipe();
        let (behind_tap, back) = pipe();
        let server = upstream::start(setting, back)?;
        let tap = Tap::open(Leg::Upstream, setting.transcript.clone(), tapped, behind_tap);
        // A run has one session, and its server is there from the beginning.
        let only = Mutex::new(Some(inner_back));
        let connect = move || {
            let (read, write) = only.lock().ok().and_then(|mut only| only.take()).ok_or_else(one_session)?;
            Ok(Connection::new(read, write))
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(TargetError::Socket)?;
        listener.set_nonblocking(true).map_err(TargetError::Socket)?;
        let url = format!("http://{}/mcp", listener.local_addr().map_err(TargetError::Socket)?);
        let listener = tokio::net::TcpListener::from_std(listener).map_err(TargetError::Socket)?;

        let mut config = HttpConfig::new(Arc::new(Desk));
        config.session_ids = Arc::new(|| Ok("session-1".to_owned()));
        let connect: Arc<dyn Upstream> = Arc::new(connect);
        let http = HttpGateway::new(gateway, connect, config);
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            http.serve(listener, stopped).await.map_err(|error| error.to_string())
        });
        let (front, inner_front) = pipe();
        let carrying = tokio::spawn(async move {
            let carried = carry(Endpoint { url, token: Some(TOKEN.to_owned()) }, inner_front).await;
            drop(stop);
            carried
        });
        let rest = Rest {
            audit: Some(Arc::new(move || audit.lines())),
            behind_gateway: true,
            sees_upstream: true,
            tap: Some(tap),
            tasks: vec![
                Task { what: "the way to the gateway", handle: carrying },
                Task { what: "the gateway", handle: serving },
                server,
            ],
        };
        Ok(Stack { front, rest })
    }
}

fn one_session() -> io::Error {
    io::Error::other("a run has one session")
}

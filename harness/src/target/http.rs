//! Our gateway in front of the MCP server, spoken to over streamable HTTP: a socket, a token for each grant, sessions.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use mcp_gateway::http::{Doorkeeper, Holder, HttpConfig, HttpGateway};
use mcp_gateway::{Connection, Upstream};
use tokio::sync::oneshot;

use super::embedded::OURS;
use super::kind::{Capability, TargetError};
use super::operated::Operated;
use super::post::{Endpoint, carry};
use super::stack::{Caller, Deed, Door, Parts, Setting, Stack, Target, Task};
use super::upstream::Server;
use crate::agent::tap::{PipeEnd, Tap, pipe};
use crate::agent::transcript::{Leg, Transcript};

/// What the holder of a grant is let in by, but for the grant's name. Nobody keeps it: the port is this run's alone.
const TOKEN: &str = "the-token-of-";

pub(super) struct Http;

/// The grants that have a policy of their own.
struct Tokens(BTreeSet<String>);

impl Doorkeeper for Tokens {
    fn holder(&self, token: Option<&str>, _: u64) -> Result<Option<Holder>, String> {
        let grant = token.and_then(|token| token.strip_prefix(TOKEN));
        Ok(grant.map(|grant| Holder { grant: grant.to_owned(), has_policy: self.0.contains(grant) }))
    }
}

/// What the next session that is opened is given: its name, and its way to a server. One is opened after the other.
#[derive(Clone, Default)]
struct Next(Arc<Mutex<VecDeque<(String, PipeEnd)>>>);

impl Next {
    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(String, PipeEnd)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self) -> io::Result<String> {
        self.lock().front().map(|(name, _)| name.clone()).ok_or_else(nobody)
    }

    fn server(&self) -> io::Result<Connection> {
        let (_, (read, write)) = self.lock().pop_front().ok_or_else(nobody)?;
        Ok(Connection::new(read, write))
    }
}

fn nobody() -> io::Error {
    io::Error::other("nobody is to open a session now")
}

impl Target for Http {
    fn capabilities(&self) -> &'static [Capability] {
        OURS
    }

    fn open(&self, setting: &Setting<'_>) -> Result<Stack, TargetError> {
        let gateway = Operated::start(setting)?;
        let audit = gateway.audit_lines();
        let (server, transcript) = (Server::of(setting)?, setting.transcript.clone());
        let mut door = Socket { gateway, server, transcript, next: Next::default(), listening: None };
        door.listen()?;
        let parts = Parts::default();
        Ok(Stack { door: Box::new(door), parts, audit: Some(audit), behind_gateway: true, sees_upstream: true })
    }
}

struct Socket {
    gateway: Operated,
    server: Server,
    transcript: Transcript,
    next: Next,
    listening: Option<Listening>,
}

struct Listening {
    url: String,
    _stop: oneshot::Sender<()>,
    task: Task,
}

impl Socket {
    fn listen(&mut self) -> Result<(), TargetError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(TargetError::Socket)?;
        listener.set_nonblocking(true).map_err(TargetError::Socket)?;
        let url = format!("http://{}/mcp", listener.local_addr().map_err(TargetError::Socket)?);
        let listener = tokio::net::TcpListener::from_std(listener).map_err(TargetError::Socket)?;

        let mut config = HttpConfig::new(Arc::new(Tokens(self.gateway.own_policies())));
        // By the clock of a scenario, which may stand still, no bucket would fill; what agents do too much of is the policy's.
        (config.limits.address_rate, config.limits.grant_rate) = (0, 0);
        let (names, servers) = (self.next.clone(), self.next.clone());
        config.session_ids = Arc::new(move || names.name());
        let connect: Arc<dyn Upstream> = Arc::new(move || servers.server());
        let http = HttpGateway::new(self.gateway.gateway()?, connect, config);
        let (stop, stopped) = oneshot::channel::<()>();
        let handle = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            http.serve(listener, stopped).await.map_err(|error| error.to_string())
        });
        self.listening = Some(Listening { url, _stop: stop, task: Task { what: "the gateway", handle } });
        Ok(())
    }
}

impl Door for Socket {
    fn connect(&mut self, caller: Caller<'_>, parts: &mut Parts) -> Result<PipeEnd, TargetError> {
        if self.listening.is_none() {
            self.listen()?;
        }
        let url = self.listening.as_ref().map(|listening| listening.url.clone()).unwrap_or_default();
        let session = self.gateway.identity(caller.grant).session;
        let transcript = match caller.name {
            Some(name) => self.transcript.of(name, &session),
            None => self.transcript.clone(),
        };
        let (inner_back, tapped) = pipe();
        let (behind_tap, back) = pipe();
        let server = self.server.start(back);
        parts.taps.push(Tap::open(Leg::Upstream, transcript, tapped, behind_tap));
        self.next.lock().push_back((session, inner_back));
        let (front, inner_front) = pipe();
        let endpoint = Endpoint { url, token: Some(format!("{TOKEN}{}", caller.grant)) };
        let handle = tokio::spawn(carry(endpoint, inner_front));
        parts.tasks.extend([Task { what: "the way to the gateway", handle }, server]);
        Ok(front)
    }

    fn operate(&mut self, deed: Deed<'_>) -> Result<String, String> {
        self.gateway.operate(deed)
    }

    fn chain_is_whole(&self) -> Option<Result<(), String>> {
        self.gateway.chain_is_whole()
    }

    fn close(&mut self, parts: &mut Parts) {
        if let Some(Listening { task, .. }) = self.listening.take() {
            parts.tasks.push(task);
        }
    }
}

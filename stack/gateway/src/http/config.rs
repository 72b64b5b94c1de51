//! What the face over HTTP is given.

use std::fmt;
use std::sync::{Arc, Mutex};

use crate::grant::{Grant, GrantBook};
use crate::socket::Encryption;
#[cfg(feature = "tls")]
use crate::tls::ServerTls;

/// Who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The grant.
    pub grant: String,
    /// It has a policy of its own: see [`Identity::has_policy`](crate::Identity::has_policy).
    pub has_policy: bool,
}

/// Who may pass, by the token of a request.
pub trait Doorkeeper: Send + Sync {
    /// The grant of whoever has the token, or nothing for a stranger. `None` stands for a request without a token.
    ///
    /// # Errors
    /// Nobody can tell at present, so nobody passes; why, for the log.
    fn holder(&self, token: Option<&str>, now_ms: u64) -> Result<Option<Holder>, String>;
}

impl Doorkeeper for Mutex<GrantBook> {
    fn holder(&self, token: Option<&str>, now_ms: u64) -> Result<Option<Holder>, String> {
        let Some(token) = token else { return Ok(None) };
        let mut book = self.lock().map_err(|_| "the grants are in disorder after a panic".to_owned())?;
        let holder = |grant: &Grant| Holder { grant: grant.name.clone(), has_policy: grant.policy.is_some() };
        book.holder(token, now_ms).map(|grant| grant.map(holder)).map_err(|error| error.to_string())
    }
}

/// A door that is open: whoever reaches the port has this grant. For one machine and one user.
#[derive(Debug, Clone)]
pub struct Open(pub String);

impl Doorkeeper for Open {
    fn holder(&self, _: Option<&str>, _: u64) -> Result<Option<Holder>, String> {
        Ok(Some(Holder { grant: self.0.clone(), has_policy: false }))
    }
}

/// Names sessions. They must not be guessed, since whoever has one and the grant's token can speak in it.
pub type SessionIds = Arc<dyn Fn() -> Result<String, std::io::Error> + Send + Sync>;

/// Bounds on what clients may make the listener hold or wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// How many connections are served at once; more wait to be accepted. 1024.
    pub connections_max: usize,
    /// How many requests are served at once; more are told to come back. 1024.
    pub requests_max: usize,
    /// How many sessions there may be at once. 256.
    pub sessions_max: usize,
    /// How many of them one grant may have. 64.
    pub sessions_per_grant_max: usize,
    /// How many requests a second one address may send, as many at once after a pause; more are told to come back. 0 is no
    /// limit. 1,000.
    pub address_rate: u32,
    /// How many requests of one address are served at once. 0 is no limit. 512.
    pub address_in_flight: usize,
    /// The same for one grant. 500.
    pub grant_rate: u32,
    /// The same for one grant. 256.
    pub grant_in_flight: usize,
    /// How long a client may take to agree upon encryption, in milliseconds from when it has connected. 10 seconds.
    pub handshake_ms: u64,
    /// How long a client may take to send the head of a request, in milliseconds, from when the connection waits for it: an
    /// idle connection is closed after it as well, since HTTP's library knows one time for both. 10 seconds.
    pub head_ms: u64,
    /// How long a client may take to send a body, in milliseconds. 10 seconds.
    pub body_ms: u64,
    /// After how long without a request a session ends, in milliseconds. 30 minutes.
    pub idle_ms: u64,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            requests_max: 1024,
            sessions_max: 256,
            sessions_per_grant_max: 64,
            address_rate: 1_000,
            address_in_flight: 512,
            grant_rate: 500,
            grant_in_flight: 256,
            handshake_ms: 10_000,
            head_ms: 10_000,
            body_ms: 10_000,
            idle_ms: 30 * 60 * 1000,
        }
    }
}

/// What a listener works with beside its gateway.
pub struct HttpConfig {
    /// Who may pass.
    pub doorkeeper: Arc<dyn Doorkeeper>,
    /// By which names the listener may be called, as in `Host`: without a port, any port will do. What is not here is
    /// refused, so that a page of another site cannot reach it by a name of its own that leads here.
    pub hosts: Vec<String>,
    /// The web pages that may call, as in `Origin`. Programs send no `Origin` and are not asked.
    pub origins: Vec<String>,
    /// Bounds.
    pub limits: HttpLimits,
    /// How sessions are named.
    pub session_ids: SessionIds,
    /// The certificate by which the listener encrypts; without one everything is sent in the clear.
    #[cfg(feature = "tls")]
    pub tls: Option<ServerTls>,
}

impl HttpConfig {
    /// A listener that is called by the names of this machine's loopback, and by no web page.
    pub fn new(doorkeeper: Arc<dyn Doorkeeper>) -> Self {
        Self {
            doorkeeper,
            hosts: ["127.0.0.1", "localhost", "[::1]"].map(str::to_owned).to_vec(),
            origins: Vec::new(),
            limits: HttpLimits::default(),
            session_ids: Arc::new(|| {
                let mut id = [0; 16];
                getrandom::fill(&mut id).map_err(std::io::Error::other)?;
                Ok(hex::encode(id))
            }),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    #[cfg_attr(not(feature = "tls"), expect(clippy::unused_self, reason = "with the feature it is asked"))]
    pub(super) fn encryption(&self) -> Encryption {
        Encryption {
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
            #[cfg(feature = "tls")]
            within: std::time::Duration::from_millis(self.limits.handshake_ms),
        }
    }

    /// The same, with grants of a state folder.
    pub fn with_grants(grants: GrantBook) -> Self {
        Self::new(Arc::new(Mutex::new(grants)))
    }
}

impl fmt::Debug for HttpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpConfig")
            .field("hosts", &self.hosts)
            .field("origins", &self.origins)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

//! The sessions there are, and whose they are.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::config::{Holder, HttpConfig, HttpLimits};
use super::front::{HttpFront, Said};
use crate::config::Identity;
use crate::gateway::Gateway;
use crate::serve::{Pump, Restart};
use crate::session::Session;
use crate::upstream::{Connection, Upstream};

/// After how long a connection counts as one that holds.
const HOLDS_AFTER: Duration = Duration::from_secs(1);
/// How long after a first failure the next connection is tried; the time doubles with each.
const BACK_OFF: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(30);

/// Speaks to a session as long as it is held.
pub(super) type Link = mpsc::Sender<Said>;

/// Why there is no session to speak in.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLink {
    #[error("there are as many sessions as this listener keeps: end one with DELETE, or come back later")]
    Full,
    #[error("the server cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("the server was lost and is tried again soon: nothing was sent, come back in {} ms", wait.as_millis())]
    BackingOff { wait: Duration },
    #[error("there is no randomness to name a session by: {0}")]
    NoName(io::Error),
}

struct Held {
    grant: String,
    link: Link,
    used: Instant,
}

/// The connection that all clients of one grant share that keep no session.
#[derive(Default)]
struct Shared {
    link: Option<Link>,
    opened: Option<Instant>,
    failures: u32,
    not_before: Option<Instant>,
    /// How many connections there were, since each is a session of its own in the audit.
    count: u64,
}

/// Sessions by id, and connections that are shared by grant.
pub(super) struct Table {
    /// The server's, where there are several.
    name: Option<String>,
    gateway: Gateway,
    upstream: Arc<dyn Upstream>,
    limits: HttpLimits,
    sessions: Mutex<BTreeMap<String, Held>>,
    shared: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Shared>>>>,
    /// Cloned into every session, so that the last one's end is known.
    alive: Mutex<Option<mpsc::Sender<Infallible>>>,
}

impl Table {
    pub(super) fn new(
        name: Option<String>,
        gateway: Gateway,
        upstream: Arc<dyn Upstream>,
        config: &HttpConfig,
    ) -> (Self, mpsc::Receiver<Infallible>) {
        let (alive, last) = mpsc::channel(1);
        let table = Self {
            name,
            gateway,
            upstream,
            limits: config.limits,
            sessions: Mutex::default(),
            shared: Mutex::default(),
            alive: Mutex::new(Some(alive)),
        };
        (table, last)
    }

    /// Opens a session of its own for a grant; its id.
    pub(super) async fn open(&self, config: &HttpConfig, holder: &Holder) -> Result<(String, Link), NoLink> {
        let grant = holder.grant.as_str();
        let id = (config.session_ids)().map_err(NoLink::NoName)?;
        let (link, said) = mpsc::channel(self.gateway.limits().in_flight_max.max(1));
        {
            let mut sessions = lock(&self.sessions);
            let of_grant = sessions.values().filter(|held| held.grant == grant).count();
            if sessions.len() >= self.limits.sessions_max
                || of_grant >= self.limits.sessions_per_grant_max
                || sessions.contains_key(&id)
            {
                return Err(NoLink::Full);
            }
            let held = Held { grant: grant.to_owned(), link: link.clone(), used: Instant::now() };
            sessions.insert(id.clone(), held);
        }
        match self.upstream.connect().await {
            Ok(connection) => {
                let identity = Identity::new(grant, format!("http-{id}")).with_policy(holder.has_policy);
                self.run(identity, said, connection, false);
                Ok((id, link))
            }
            Err(error) => {
                lock(&self.sessions).remove(&id);
                Err(NoLink::Unreachable(error))
            }
        }
    }

    /// The session of this id, if it is the grant's and still there.
    pub(super) fn find(&self, id: &str, grant: &str) -> Option<Link> {
        let mut sessions = lock(&self.sessions);
        let held = sessions.get_mut(id).filter(|held| held.grant == grant)?;
        if held.link.is_closed() {
            sessions.remove(id);
            return None;
        }
        held.used = Instant::now();
        Some(held.link.clone())
    }

    /// Ends a session; whether there was one.
    pub(super) fn close(&self, id: &str, grant: &str) -> bool {
        let mut sessions = lock(&self.sessions);
        let is_theirs = sessions.get(id).is_some_and(|held| held.grant == grant);
        is_theirs && sessions.remove(id).is_some()
    }

    /// The connection that a grant's clients without sessions share, opened anew if it was lost.
    pub(super) async fn shared(&self, holder: &Holder) -> Result<Link, NoLink> {
        let grant = holder.grant.as_str();
        let slot = lock(&self.shared).entry(grant.to_owned()).or_default().clone();
        let mut shared = slot.lock().await;
        if let Some(link) = shared.link.as_ref().filter(|link| !link.is_closed()) {
            return Ok(link.clone());
        }
        let now = Instant::now();
        if shared.link.take().is_some() && shared.opened.is_none_or(|opened| now < opened + HOLDS_AFTER) {
            shared.failed(now);
        }
        if let Some(wait) =
            shared.not_before.and_then(|then| then.checked_duration_since(now)).filter(|wait| !wait.is_zero())
        {
            return Err(NoLink::BackingOff { wait });
        }
        let connection = match self.upstream.connect().await {
            Ok(connection) => connection,
            Err(error) => {
                shared.failed(now);
                return Err(NoLink::Unreachable(error));
            }
        };
        if shared.opened.is_none_or(|opened| now >= opened + HOLDS_AFTER) {
            shared.failures = 0;
        }
        let (link, said) = mpsc::channel(self.gateway.limits().in_flight_max.max(1));
        shared.count += 1;
        // One audit may have the sessions of several servers. No name of a server or a grant has a slash.
        let server = self.name.as_ref().map(|name| format!("{name}/")).unwrap_or_default();
        let identity = Identity::new(grant, format!("http-stateless-{server}{grant}-{}", shared.count));
        let identity = identity.with_policy(holder.has_policy);
        self.run(identity, said, connection, true);
        shared.link = Some(link.clone());
        shared.opened = Some(now);
        Ok(link)
    }

    /// Lets go of sessions that are over or have not been used for too long.
    pub(super) fn sweep(&self) {
        let idle = Duration::from_millis(self.limits.idle_ms);
        let now = Instant::now();
        lock(&self.sessions).retain(|id, held| {
            // Beside the table, only a request that waits holds a link.
            let idle = held.link.strong_count() == 1 && now.duration_since(held.used) >= idle;
            if idle {
                tracing::info!(session = id, "a session ends that was not used");
            }
            !idle && !held.link.is_closed()
        });
    }

    /// Lets go of all sessions: each ends when its last request is answered.
    pub(super) async fn clear(&self) {
        lock(&self.sessions).clear();
        let shared = std::mem::take(&mut *lock(&self.shared));
        for slot in shared.into_values() {
            slot.lock().await.link = None;
        }
        lock(&self.alive).take();
    }

    fn run(&self, identity: Identity, said: mpsc::Receiver<Said>, connection: Connection, shared: bool) {
        let (gateway, upstream) = (self.gateway.clone(), Arc::clone(&self.upstream));
        let alive = lock(&self.alive).clone();
        tokio::spawn(async move {
            let Connection { read, write, ended } = connection;
            let restart = Restart::new(upstream, ended, gateway.limits().restart, gateway.now_ms());
            let name = identity.session.clone();
            let session = Session::new(gateway.clone(), identity);
            let session = if shared { session.shared() } else { session };
            let front = HttpFront::new(said, shared);
            match Pump::new(gateway, session, front, (read, write)).restarting(restart).run(pending()).await {
                Ok(summary) => tracing::info!(session = name, ?summary, "ended"),
                Err(error) => tracing::warn!(session = name, %error, "a session ended badly"),
            }
            drop(alive);
        });
    }
}

impl Shared {
    fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        let doubled = BACK_OFF.saturating_mul(1 << self.failures.saturating_sub(1).min(16));
        self.not_before = Some(now + doubled.min(BACK_OFF_MAX));
    }
}

/// The maps are whole between any two statements, whatever panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

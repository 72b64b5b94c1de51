//! A server that died and was started again, brought to where the one before it was.
//!
//! ```text
//!  old server ─╳                                    what was in flight is answered as lost
//!  initialize ──▶ new server ──▶ result             the same version and no capability less, or the session ends
//!  initialized, subscriptions, log level, tools/list ──▶    as the client had them
//!  client ◀── list_changed                          and requests pass again
//! ```
//!
//! Until then requests are refused and nothing is charged for them. What the gateway asks here it asks under ids of its own;
//! of the answers nothing reaches the client.

use std::collections::{BTreeMap, BTreeSet};

use mcp_policy::Sender;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::methods::{self, Method, Notification, Ruled};
use super::priced::protocol_meta;
use super::{Outbox, Session, Upstream, catalogue};
use crate::wire::reply;

type Params = Map<String, Value>;

/// More subscriptions are none that anybody waits for.
const SUBSCRIPTIONS_MAX: usize = 1024;
/// More pages are no listing of honest tools.
const PAGES_MAX: usize = 256;

const SUBSCRIBE: &str = "resources/subscribe";
const UNSUBSCRIBE: &str = "resources/unsubscribe";
const SET_LEVEL: &str = "logging/setLevel";

/// What a server may announce that its lists do, and by which notification it tells.
const LISTS: [(&str, &str); 3] = [
    ("tools", methods::TOOLS_CHANGED),
    ("resources", "notifications/resources/list_changed"),
    ("prompts", "notifications/prompts/list_changed"),
];

/// Why a new server could not be brought to where the one before was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unrestored {
    /// The next one may do better.
    This(&'static str),
    /// It is another server: no later one would do.
    Any(String),
}

/// What a server's successor must be told, and how far it has come with that.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The server has answered something. One that never has would not do so when started again.
    has_answered: bool,
    handshake: Option<Handshake>,
    /// The client has said that it is ready, and how.
    initialized: Option<Params>,
    level: Option<Params>,
    subscriptions: BTreeMap<String, Params>,
    /// The client has asked for the tools, and in which era.
    listed: Option<Params>,
    replay: Option<Replay>,
    failed: Option<Unrestored>,
}

/// What was agreed with the first server.
#[derive(Debug)]
struct Handshake {
    params: Params,
    agreed: Agreed,
}

#[derive(Debug, Deserialize)]
struct Agreed {
    #[serde(rename = "protocolVersion", default)]
    version: String,
    #[serde(default)]
    capabilities: Value,
}

/// What the new server was asked and has not answered yet.
#[derive(Debug)]
struct Replay {
    deadline_ms: u64,
    waiting: BTreeMap<u64, Step>,
}

#[derive(Debug)]
enum Step {
    Initialize,
    Setting(&'static str),
    Tools { page: usize },
}

impl Kept {
    pub(super) fn answered(&mut self) {
        self.has_answered = true;
    }

    pub(super) fn shook_hands(&mut self, params: Params, result: &RawValue) {
        self.handshake = serde_json::from_str(result.get()).ok().map(|agreed| Handshake { params, agreed });
    }

    pub(super) fn initialized(&mut self, params: Option<&Params>) {
        self.initialized = Some(params.cloned().unwrap_or_default());
    }

    pub(super) fn lists(&mut self, params: Option<&Params>) {
        self.listed = Some(params.and_then(protocol_meta).into_iter().collect());
    }

    /// The server has taken a setting of the client's.
    pub(super) fn set(&mut self, ruled: Ruled, params: Params) {
        let uri = ruled.names(Some(&params)).map(str::to_owned);
        match (ruled.name, uri) {
            (SET_LEVEL, _) => self.level = Some(params),
            (UNSUBSCRIBE, Some(uri)) => drop(self.subscriptions.remove(&uri)),
            (SUBSCRIBE, Some(uri)) if self.subscriptions.len() < SUBSCRIPTIONS_MAX => {
                self.subscriptions.insert(uri, params);
            }
            _ => tracing::warn!(method = ruled.name, "would not be set again if the server died"),
        }
    }

    /// When the new server must have answered, by the gateway's clock.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.replay.as_ref().map(|replay| replay.deadline_ms)
    }

    pub(super) fn on_time(&mut self, now_ms: u64) {
        if self.deadline().is_some_and(|deadline| deadline <= now_ms) {
            self.replay = None;
            self.failed = Some(Unrestored::This("the server did not answer the handshake in time"));
        }
    }
}

impl Session {
    /// Whether another server could take the place of this one, as far as the session knows.
    pub(crate) fn can_be_restored(&self) -> bool {
        self.kept.has_answered && self.upstream != Upstream::Gone
    }

    /// The server is gone, and another is being started: answers everything in flight as lost, and refuses what comes until
    /// [`Session::upstream_back`] and what follows from it.
    pub(crate) fn upstream_down(&mut self, out: &mut Outbox) {
        self.upstream = Upstream::Restarting;
        self.kept.replay = None;
        self.kept.failed = None;
        self.lose_in_flight(out);
        self.server_asks_no_more(out);
        // What the next server says of its tools is looked at before any is called; what is in quarantine stays there.
        self.listed.changed();
    }

    /// Puts on record that the server died, for the `deaths`th time in a row.
    pub(crate) fn note_death(&self, deaths: u32) {
        tracing::warn!(session = self.identity.session, deaths, "the server was lost and is started again");
        let (session, deaths) = (self.identity.session.as_str(), deaths.to_string());
        self.gateway.record_event("server_lost", &[("session", session), ("deaths", &deaths)]);
    }

    /// Puts on record that the server is not started again.
    pub(crate) fn note_given_up(&self, why: &str) {
        tracing::error!(session = self.identity.session, why, "the server is not started again");
        self.gateway.record_event("server_given_up", &[("session", &self.identity.session), ("why", why)]);
    }

    /// Another server is there: tells it what the one before was told.
    pub(crate) fn upstream_back(&mut self, now_ms: u64, out: &mut Outbox) {
        let deadline_ms = now_ms.saturating_add(self.gateway.limits().restart.handshake_ms);
        self.kept.replay = Some(Replay { deadline_ms, waiting: BTreeMap::new() });
        match self.kept.handshake.as_ref().map(|handshake| handshake.params.clone()) {
            Some(params) => self.replay(Method::Initialize.name(), params, Step::Initialize, out),
            None => self.replay_settings(out),
        }
    }

    /// Why the new server was not restored, told once.
    pub(crate) fn take_unrestored(&mut self) -> Option<Unrestored> {
        self.kept.failed.take()
    }

    /// Asks the new server for something.
    fn replay(&mut self, method: &str, mut params: Params, step: Step, out: &mut Outbox) {
        // Nobody wants to hear of its progress.
        if let Some(meta) = params.get_mut("_meta").and_then(Value::as_object_mut) {
            meta.shift_remove("progressToken");
        }
        catalogue::trim_client_capabilities(&mut params, &self.gateway, &self.identity);
        let id = self.in_flight.next_id();
        let params = Some(&params).filter(|params| !params.is_empty());
        reply::push_message(out.to_upstream.tail(), Some(id), method, params);
        if let Some(replay) = &mut self.kept.replay {
            replay.waiting.insert(id, step);
        }
    }

    /// What follows the handshake. What the policy no longer lets the client set is not set for it.
    fn replay_settings(&mut self, out: &mut Outbox) {
        if let Some(params) = &self.kept.initialized {
            let params = Some(params).filter(|params| !params.is_empty());
            reply::push_message(out.to_upstream.tail(), None, Notification::Initialized.name(), params);
        }
        let names: Vec<String> = self.kept.subscriptions.keys().cloned().collect();
        let shown = self.gateway.shows(&self.identity, SUBSCRIBE, names.iter().map(String::as_str));
        for (name, shown) in names.into_iter().zip(shown) {
            match self.kept.subscriptions.get(&name).cloned() {
                Some(params) if shown => self.replay(SUBSCRIBE, params, Step::Setting(SUBSCRIBE), out),
                _ => drop(self.kept.subscriptions.remove(&name)),
            }
        }
        let is_offered = self.gateway.offers(&self.identity, Sender::Client, SET_LEVEL) == Some(true);
        if let Some(params) = self.kept.level.clone().filter(|_| is_offered) {
            self.replay(SET_LEVEL, params, Step::Setting(SET_LEVEL), out);
        }
        if let Some(params) = self.kept.listed.clone() {
            self.replay(Method::ListTools.name(), params, Step::Tools { page: 1 }, out);
        }
        self.go_on_if_restored(out);
    }

    /// Takes the new server's answer to one of these requests: `None` for an error, or one that cannot be read. Whether it
    /// was one.
    pub(super) fn replay_answered(&mut self, id: u64, result: Option<&RawValue>, out: &mut Outbox) -> bool {
        let Some(step) = self.kept.replay.as_mut().and_then(|replay| replay.waiting.remove(&id)) else { return false };
        match step {
            Step::Initialize => match self.check_agreement(result) {
                Ok(()) => self.replay_settings(out),
                Err(failed) => {
                    self.kept.replay = None;
                    self.kept.failed = Some(failed);
                }
            },
            Step::Setting(method) => {
                if result.is_none() {
                    tracing::warn!(method, "the server that was started again does not take a setting of the client's");
                }
                self.go_on_if_restored(out);
            }
            Step::Tools { page } => {
                if let Some(cursor) = result.and_then(|result| self.look_at_tools(result)).filter(|_| page < PAGES_MAX)
                {
                    let mut params = self.kept.listed.clone().unwrap_or_default();
                    params.insert("cursor".to_owned(), cursor);
                    self.replay(Method::ListTools.name(), params, Step::Tools { page: page + 1 }, out);
                }
                self.go_on_if_restored(out);
            }
        }
        true
    }

    /// Whether the new server offers what the old one did.
    fn check_agreement(&self, result: Option<&RawValue>) -> Result<(), Unrestored> {
        let again = result.and_then(|result| serde_json::from_str::<Agreed>(result.get()).ok());
        let again = again.ok_or(Unrestored::This("the server refused the handshake"))?;
        let Some(Handshake { agreed, .. }) = &self.kept.handshake else { return Ok(()) };
        if again.version != agreed.version {
            let (old, new) = (crate::wire::text::shown(&agreed.version), crate::wire::text::shown(&again.version));
            return Err(Unrestored::Any(format!("it speaks version `{new}` now, not `{old}`")));
        }
        match lost(&agreed.capabilities, &again.capabilities) {
            None => Ok(()),
            Some(path) => Err(Unrestored::Any(format!("it no longer has the capability `{}`", path.join(".")))),
        }
    }

    /// Notes what the new server says of its tools, as if the client had asked; where the next page begins.
    fn look_at_tools(&mut self, result: &RawValue) -> Option<Value> {
        let (gateway, identity) = (&self.gateway, &self.identity);
        let filtered =
            catalogue::filter_tools(result, gateway, identity, &mut self.with_output_schema, &mut self.listed);
        let mut filtered = filtered
            .inspect_err(
                |error| tracing::warn!(%error, "the tools of the server that was started again cannot be read"),
            )
            .ok()?;
        let cursor: Value = serde_json::from_str(filtered.get_mut("nextCursor")?.get()).ok()?;
        cursor.is_string().then_some(cursor)
    }

    /// Lets requests pass again once everything is answered.
    fn go_on_if_restored(&mut self, out: &mut Outbox) {
        if self.kept.replay.take_if(|replay| replay.waiting.is_empty()).is_none() {
            return;
        }
        self.upstream = Upstream::Reading;
        self.summary.restarts += 1;
        self.gateway.record_event("server_restarted", &[("session", &self.identity.session)]);
        if self.shared {
            return;
        }
        for method in self.notices() {
            if self.notification_passes(method, None) {
                reply::push_message(out.to_client.tail(), None, method, None);
            }
        }
        // What has changed while nobody was there to tell is not known.
        let uris: BTreeSet<String> = self.kept.subscriptions.keys().cloned().collect();
        for uri in uris {
            let params = json!({"uri": uri});
            let raw = serde_json::value::to_raw_value(&params).ok();
            if self.notification_passes(methods::RESOURCE_UPDATED, raw.as_deref()) {
                reply::push_message(out.to_client.tail(), None, methods::RESOURCE_UPDATED, params.as_object());
            }
        }
    }

    /// The notifications by which the server has announced that it tells of changes in its lists.
    fn notices(&self) -> Vec<&'static str> {
        let Some(Handshake { agreed, .. }) = &self.kept.handshake else { return Vec::new() };
        let announces = |name: &str| {
            agreed.capabilities.get(name).and_then(|told| told.get("listChanged")) == Some(&Value::Bool(true))
        };
        LISTS.into_iter().filter(|(name, _)| announces(name)).map(|(_, method)| method).collect()
    }
}

/// The first capability of `old` that `new` has no longer, as the names that lead to it.
fn lost(old: &Value, new: &Value) -> Option<Vec<String>> {
    match old {
        Value::Object(members) => members.iter().filter(|(_, value)| has(value)).find_map(|(name, value)| {
            let mut path = match new.get(name) {
                None => Vec::new(),
                Some(again) => lost(value, again)?,
            };
            path.insert(0, crate::wire::text::shown(name));
            Some(path)
        }),
        Value::Bool(true) if *new != Value::Bool(true) => Some(Vec::new()),
        _ => None,
    }
}

/// Whether a value announces something.
fn has(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_that_is_gone_is_named() {
        let old = json!({"tools": {"listChanged": true}, "logging": {}, "prompts": {"listChanged": false}, "x": null});
        let path = |new: Value| lost(&old, &new).map(|path| path.join("."));
        assert_eq!(path(old.clone()), None);
        assert_eq!(path(json!({"tools": {"listChanged": true, "more": true}, "logging": {}, "prompts": {}})), None);
        assert_eq!(path(json!({"tools": {"listChanged": true}, "prompts": {}})).as_deref(), Some("logging"));
        assert_eq!(path(json!({"tools": {}, "logging": {}, "prompts": {}})).as_deref(), Some("tools.listChanged"));
        let off = json!({"tools": {"listChanged": false}, "logging": {}, "prompts": {}});
        assert_eq!(path(off).as_deref(), Some("tools.listChanged"));
        assert_eq!(path(json!(null)).as_deref(), Some("tools"));
        assert_eq!(lost(&Value::Null, &Value::Null), None, "a server that announced nothing loses nothing");
    }
}

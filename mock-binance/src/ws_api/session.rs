//! What one connection is logged on as, and the user data streams that it hears.
//!
//! A session takes the place of key and signature in the requests that follow `session.logon`. A request that brings a
//! key of its own is judged by that key, whatever the session is.

use exchange_engine::{AccountId, Timestamp};
use serde::Serialize;

use crate::api::auth;
use crate::api::error::ApiError;
use crate::api::params::{Asked, Field, Params};
use crate::api::render::TimeUnit;
use crate::json;
use crate::state::State;
use crate::ws::streams::ConnectionId;

/// A method that has no endpoint over REST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Logon,
    Status,
    Logout,
    Subscriptions,
    Subscribe,
    SubscribeSignature,
    Unsubscribe,
}

/// What each of them weighs.
pub(crate) const WEIGHT: u32 = 2;

impl Method {
    pub(crate) fn find(method: &str) -> Option<Self> {
        Some(match method.strip_prefix("v3/").unwrap_or(method) {
            "session.logon" => Self::Logon,
            "session.status" => Self::Status,
            "session.logout" => Self::Logout,
            "session.subscriptions" => Self::Subscriptions,
            "userDataStream.subscribe" => Self::Subscribe,
            "userDataStream.subscribe.signature" => Self::SubscribeSignature,
            "userDataStream.unsubscribe" => Self::Unsubscribe,
            _ => return None,
        })
    }

    const fn fields(self) -> &'static [Field] {
        const UNSUBSCRIBE: &[Field] = &[Field::digits("subscriptionId")];
        if matches!(self, Self::Unsubscribe) { UNSUBSCRIBE } else { &[] }
    }
}

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    connection: ConnectionId,
    connected: Timestamp,
    /// Whether answers tell the rate limits, where a request does not say.
    rate_limits: bool,
    logged_on: Option<LoggedOn>,
}

#[derive(Clone)]
struct LoggedOn {
    api_key: String,
    since: Timestamp,
}

// A key does not belong into anything that is printed.
impl std::fmt::Debug for LoggedOn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoggedOn").field("since", &self.since).finish_non_exhaustive()
    }
}

/// What a request brings to show who sends it.
#[derive(Clone, Copy)]
pub(crate) struct Credentials<'a> {
    /// The key that the request names.
    pub(crate) key: Option<&'a str>,
    /// What may have been signed.
    pub(crate) payloads: &'a [String; 2],
    /// The server's clock as the client's time is held against it.
    pub(crate) server_time: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    api_key: Option<&'a str>,
    authorized_since: Option<u64>,
    connected_since: u64,
    return_rate_limits: bool,
    server_time: u64,
    user_data_stream: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    subscription_id: u32,
}

impl Session {
    pub(crate) const fn new(connection: ConnectionId, connected: Timestamp, rate_limits: bool) -> Self {
        Self { connection, connected, rate_limits, logged_on: None }
    }

    /// The key that speaks for a request: its own, or the session's.
    pub(crate) fn key<'a>(&'a self, own: Option<&'a str>) -> Option<&'a str> {
        own.or_else(|| self.logged_on.as_ref().map(|logged_on| logged_on.api_key.as_str()))
    }

    /// What a request that must show who sends it has to bring: under a session neither key nor signature, but always
    /// the time. Whoever sends one of the two means it to be looked at.
    pub(crate) fn asks(&self, params: &Params<'_>, own: Option<&str>) -> Asked {
        let by_session = self.logged_on.is_some() && own.is_none() && !params.has("signature");
        if by_session { Asked::Timed } else { Asked::Signed }
    }

    /// Whose request it is.
    pub(crate) fn account(
        &self,
        state: &State,
        params: &Params<'_>,
        credentials: Credentials<'_>,
    ) -> Result<AccountId, ApiError> {
        let account = auth::account(&state.accounts, self.key(credentials.key))?;
        auth::check_time(params, credentials.server_time)?;
        if self.asks(params, credentials.key) == Asked::Signed {
            let [raw, encoded] = credentials.payloads.each_ref().map(String::as_bytes);
            auth::check_signature(account, params, raw, b"")
                .or_else(|_| auth::check_signature(account, params, encoded, b""))?;
        }
        Ok(account.id)
    }

    /// Carries out one of the methods of this module.
    pub(crate) fn run(
        &mut self,
        method: Method,
        state: &mut State,
        params: &Params<'_>,
        credentials: Credentials<'_>,
        (now, unit): (Timestamp, TimeUnit),
    ) -> Result<Vec<u8>, ApiError> {
        let signed = matches!(method, Method::Logon | Method::SubscribeSignature);
        params.check_for(method.fields(), if signed { Asked::Signed } else { Asked::Nothing })?;
        match method {
            Method::Logon => {
                let key = credentials.key.ok_or(ApiError::Missing("apiKey"))?;
                self.account(state, params, credentials)?;
                // Only after the signature: a stranger is not told what kind of key an account has.
                if !auth::account(&state.accounts, Some(key))?.verifier.is_ed25519() {
                    return Err(ApiError::KeyRejected);
                }
                self.logged_on = Some(LoggedOn { api_key: key.to_owned(), since: now });
                Ok(self.status(state, credentials.server_time, unit))
            }
            Method::Status => Ok(self.status(state, credentials.server_time, unit)),
            Method::Logout => {
                self.logged_on = None;
                state.end_subscriptions(self.connection, now, |subscription| subscription.of_session);
                Ok(self.status(state, credentials.server_time, unit))
            }
            Method::Subscriptions => {
                let of_connection = state.subscriptions.of_connection(self.connection);
                let rows: Vec<_> = of_connection.map(|id| Subscription { subscription_id: id }).collect();
                Ok(json::bytes(&rows))
            }
            Method::Subscribe => {
                let account = auth::account(&state.accounts, self.key(None))?.id;
                self.subscribe(state, account, true)
            }
            Method::SubscribeSignature => {
                if credentials.key.is_none() {
                    return Err(ApiError::Missing("apiKey"));
                }
                let account = self.account(state, params, credentials)?;
                self.subscribe(state, account, false)
            }
            Method::Unsubscribe => {
                let asked = params.digits("subscriptionId")?;
                let ended = state.end_subscriptions(self.connection, now, |subscription| {
                    asked.is_none_or(|asked| u64::from(subscription.id) == asked)
                });
                if ended == 0 { Err(ApiError::SubscriptionInactive) } else { Ok(b"{}".to_vec()) }
            }
        }
    }

    fn subscribe(&self, state: &mut State, account: AccountId, of_session: bool) -> Result<Vec<u8>, ApiError> {
        let subscription_id = state.subscriptions.open(self.connection, account, of_session)?;
        Ok(json::bytes(&Subscription { subscription_id }))
    }

    fn status(&self, state: &State, server_time: Timestamp, unit: TimeUnit) -> Vec<u8> {
        json::bytes(&Status {
            api_key: self.key(None),
            authorized_since: self.logged_on.as_ref().map(|logged_on| unit.of(logged_on.since)),
            connected_since: unit.of(self.connected),
            return_rate_limits: self.rate_limits,
            server_time: unit.of(server_time),
            user_data_stream: state.subscriptions.has_of_session(self.connection),
        })
    }
}

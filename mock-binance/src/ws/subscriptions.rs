//! User data streams heard over the WebSocket API: which connection hears which account, under which number.

use std::collections::BTreeMap;

use exchange_engine::AccountId;

use super::streams::ConnectionId;
use crate::api::error::ApiError;

/// How many of them one connection may hear at a time.
const ACTIVE_MAX: usize = 1000;
/// How many one connection may open in its life.
const LIFETIME_MAX: u32 = 65_535;

/// One account heard by one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subscription {
    pub(crate) id: u32,
    account: AccountId,
    /// Whether it was opened by the session, with which it ends.
    pub(crate) of_session: bool,
}

/// All subscriptions of one mock.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    connections: BTreeMap<ConnectionId, Numbered>,
}

#[derive(Debug, Default)]
struct Numbered {
    next: u32,
    active: Vec<Subscription>,
}

impl Subscriptions {
    /// Opens one and gives its number, which counts from 0 on each connection.
    pub(crate) fn open(
        &mut self,
        connection: ConnectionId,
        account: AccountId,
        of_session: bool,
    ) -> Result<u32, ApiError> {
        let numbered = self.connections.entry(connection).or_default();
        if numbered.active.iter().any(|subscription| subscription.account == account) {
            return Err(ApiError::SubscriptionActive);
        }
        if numbered.next >= LIFETIME_MAX || numbered.active.len() >= ACTIVE_MAX {
            return Err(ApiError::SubscriptionsMax);
        }
        let id = numbered.next;
        numbered.next += 1;
        numbered.active.push(Subscription { id, account, of_session });
        Ok(id)
    }

    /// Takes those of a connection off that are meant, and gives their numbers.
    pub(crate) fn close(&mut self, connection: ConnectionId, meant: impl Fn(&Subscription) -> bool) -> Vec<u32> {
        let Some(numbered) = self.connections.get_mut(&connection) else {
            return Vec::new();
        };
        numbered.active.extract_if(.., |subscription| meant(subscription)).map(|subscription| subscription.id).collect()
    }

    /// Forgets a connection that is gone.
    pub(crate) fn forget(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.connections.values().all(|numbered| numbered.active.is_empty())
    }

    pub(crate) fn of_connection(&self, connection: ConnectionId) -> impl Iterator<Item = u32> {
        self.connections.get(&connection).into_iter().flat_map(|numbered| &numbered.active).map(|active| active.id)
    }

    pub(crate) fn has_of_session(&self, connection: ConnectionId) -> bool {
        let numbered = self.connections.get(&connection);
        numbered.is_some_and(|numbered| numbered.active.iter().any(|active| active.of_session))
    }

    /// Who hears an account, and under which number.
    pub(crate) fn of_account(&self, account: AccountId) -> impl Iterator<Item = (ConnectionId, u32)> {
        self.connections.iter().flat_map(move |(connection, numbered)| {
            let heard = numbered.active.iter().filter(move |active| active.account == account);
            heard.map(|active| (*connection, active.id))
        })
    }
}

/// An event as a subscription tells it.
pub(crate) fn envelope(id: u32, event: &str) -> String {
    format!(r#"{{"subscriptionId":{id},"event":{event}}}"#)
}

#[cfg(test)]
mod tests {
    use super::super::Streams;
    use super::*;

    #[test]
    fn a_connection_may_open_so_many_and_no_more() {
        let (connection, _frames) =
            Streams::default().connect(false, crate::api::render::TimeUnit::Milliseconds, Vec::new());
        let mut subscriptions = Subscriptions::default();
        for id in 0..1000 {
            assert_eq!(subscriptions.open(connection, AccountId(id), false), Ok(id));
        }
        assert_eq!(subscriptions.open(connection, AccountId(0), false), Err(ApiError::SubscriptionActive));
        assert_eq!(subscriptions.open(connection, AccountId(1000), false), Err(ApiError::SubscriptionsMax));
        assert_eq!(subscriptions.close(connection, |_| true).len(), 1000);
        for id in 1000..65_535 {
            assert_eq!(subscriptions.open(connection, AccountId(7), true), Ok(id));
            assert_eq!(subscriptions.close(connection, |active| active.of_session), [id]);
        }
        assert_eq!(subscriptions.open(connection, AccountId(7), true), Err(ApiError::SubscriptionsMax));
        assert!(subscriptions.is_empty());
    }
}

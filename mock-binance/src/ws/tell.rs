//! From the engine's events to the streams that carry them.

use exchange_engine::{AccountId, Event};

use super::streams::Streams;
use super::{market, user};
use crate::listen_keys::ListenKeyStore;
use crate::strategy::Strategies;
use crate::symbols::Symbols;

/// What the payloads are written from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) symbols: &'a Symbols,
    pub(crate) keys: &'a ListenKeyStore,
    pub(crate) strategies: &'a Strategies,
}

/// Publishes events in the order in which they happened. The engine puts an account's executions before its balances,
/// which is the order that clients rely on.
pub(crate) fn tell(streams: &mut Streams, sources: Sources<'_>, events: &[Event]) {
    let Sources { symbols, keys, strategies } = sources;
    for event in events {
        match event {
            Event::Execution(execution) => {
                to_account(streams, keys, execution.order.account, || {
                    user::execution_report(execution, symbols, strategies.of(execution.order.id))
                });
            }
            Event::Balances { time, account, changes } => {
                to_account(streams, keys, *account, || user::account_position(*time, changes, symbols));
            }
            Event::Transfer { time, account, asset, delta } => {
                to_account(streams, keys, *account, || user::balance_update(*time, symbols.asset_name(*asset), *delta));
            }
            Event::Trade(trade) => {
                if let Some(names) = symbols.streams(trade.symbol) {
                    streams.publish(&names.trade, || market::trade(trade, symbols.name(trade.symbol)));
                }
            }
            Event::BookTop(top) => {
                if let Some(names) = symbols.streams(top.symbol) {
                    streams.publish(&names.book_ticker, || market::book_ticker(top, symbols.name(top.symbol)));
                }
            }
            // No stream of the exchange tells of a symbol's status.
            Event::Status { .. } => {}
        }
    }
}

fn to_account(streams: &mut Streams, keys: &ListenKeyStore, account: AccountId, write: impl Fn() -> String) {
    for key in keys.of(account) {
        streams.publish(key, &write);
    }
}

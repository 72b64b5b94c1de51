//! From the engine's events to the streams that carry them.

use exchange_engine::{AccountId, Event, Exchange, Page, Trade};

use super::streams::Streams;
use super::subscriptions::{Subscriptions, envelope};
use super::{market, user};
use crate::api::render::TimeUnit;
use crate::listen_keys::ListenKeyStore;
use crate::strategy::Strategies;
use crate::symbols::Symbols;

/// What the payloads are written from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) exchange: &'a Exchange,
    pub(crate) symbols: &'a Symbols,
    pub(crate) keys: &'a ListenKeyStore,
    pub(crate) subscriptions: &'a Subscriptions,
    pub(crate) strategies: &'a Strategies,
}

/// Publishes events in the order in which they happened. The engine puts an account's executions before its balances,
/// which is the order that clients rely on.
pub(crate) fn tell(streams: &mut Streams, sources: Sources<'_>, events: &[Event]) {
    let Sources { symbols, strategies, .. } = sources;
    for event in events {
        match event {
            Event::Execution(execution) => {
                to_account(streams, sources, execution.order.account, |unit| {
                    user::execution_report(execution, symbols, strategies.of(execution.order.id), unit)
                });
            }
            Event::List(update) => {
                to_account(streams, sources, update.list.account, |unit| user::list_status(update, symbols, unit));
            }
            Event::Balances { time, account, changes } => {
                to_account(streams, sources, *account, |unit| user::account_position(*time, changes, symbols, unit));
            }
            Event::Transfer { time, account, asset, delta } => {
                to_account(streams, sources, *account, |unit| {
                    user::balance_update(*time, symbols.asset_name(*asset), *delta, unit)
                });
            }
            Event::Trade(trade) => {
                if let Some(names) = symbols.streams(trade.symbol) {
                    streams.publish(&names.trade, |unit| market::trade(trade, symbols.name(trade.symbol), unit));
                    if streams.is_heard(&names.agg_trade) {
                        tell_aggregate(streams, sources, &names.agg_trade, trade);
                    }
                }
            }
            Event::BookTop(top) => {
                if let Some(names) = symbols.streams(top.symbol) {
                    streams.publish(&names.book_ticker, |_| market::book_ticker(top, symbols.name(top.symbol)));
                }
            }
            // No stream of the exchange tells of a symbol's status.
            Event::Status { .. } => {}
        }
    }
}

/// An aggregate is told with its last trade, when it is whole: all of it comes from one order.
fn tell_aggregate(streams: &mut Streams, sources: Sources<'_>, stream: &str, trade: &Trade) {
    let Sources { exchange, symbols, .. } = sources;
    // There are no more aggregates from this trade on than trades.
    let newest = exchange.trade_count(trade.symbol).saturating_sub(trade.id.0);
    let page = Page::newest(usize::try_from(newest).unwrap_or(usize::MAX));
    if let Some(whole) = exchange.aggregate_trades(trade.symbol, page).iter().find(|whole| whole.last == trade.id) {
        streams.publish(stream, |unit| market::aggregate_trade(whole, symbols.name(trade.symbol), unit));
    }
}

fn to_account(streams: &mut Streams, sources: Sources<'_>, account: AccountId, write: impl Fn(TimeUnit) -> String) {
    for key in sources.keys.of(account) {
        streams.publish(key, &write);
    }
    for (connection, id) in sources.subscriptions.of_account(account) {
        streams.tell_one(connection, |unit| envelope(id, &write(unit)));
    }
}

//! Payloads of the user data stream (Binance `user-data-stream.md`), without the envelope that the WebSocket API puts
//! round them.

use exchange_engine::{Amount, Balance, Execution, ExecutionKind, ListUpdate, Order, Price, Quantity, Timestamp};
use serde::Serialize;

use crate::api::prevented::NO_TRADE_GROUP;
use crate::api::render::{TimeUnit, list_id};
use crate::json::{Text, text};
use crate::strategy::Strategy;
use crate::symbols::Symbols;

/// `executionReport`, with the field order of the documentation.
#[derive(Serialize)]
struct ExecutionReport<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: &'a str,
    c: &'a str,
    #[serde(rename = "S")]
    side: &'static str,
    o: &'static str,
    f: &'static str,
    q: Text<Quantity>,
    p: Text<Price>,
    #[serde(rename = "P")]
    stop_price: Text<Price>,
    #[serde(rename = "F")]
    iceberg_quantity: Text<Quantity>,
    g: i64,
    #[serde(rename = "C")]
    original_client_id: &'a str,
    x: &'static str,
    #[serde(rename = "X")]
    status: &'static str,
    r: &'static str,
    i: u64,
    l: Text<Quantity>,
    z: Text<Quantity>,
    #[serde(rename = "L")]
    last_price: Text<Price>,
    n: Commission,
    #[serde(rename = "N")]
    commission_asset: Option<&'a str>,
    #[serde(rename = "T")]
    transaction_time: u64,
    t: i64,
    #[serde(rename = "I")]
    execution_id: u64,
    w: bool,
    m: bool,
    #[serde(rename = "M")]
    ignore: bool,
    #[serde(rename = "O")]
    order_time: u64,
    #[serde(rename = "Z")]
    cumulative_quote: Text<Amount>,
    #[serde(rename = "Y")]
    last_quote: Text<Amount>,
    #[serde(rename = "Q")]
    quote_order_qty: Text<Amount>,
    #[serde(rename = "W", skip_serializing_if = "Option::is_none")]
    working_time: Option<u64>,
    #[serde(rename = "V")]
    self_trade_prevention: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    prevented: Option<Prevented<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<u16>,
    #[serde(rename = "D", skip_serializing_if = "Option::is_none")]
    trailing_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    j: Option<u64>,
    #[serde(rename = "J", skip_serializing_if = "Option::is_none")]
    strategy_type: Option<u64>,
    #[serde(rename = "eR", skip_serializing_if = "Option::is_none")]
    expiry_reason: Option<&'static str>,
}

/// What is told of orders from which something was taken to prevent a trade: how much over their lives, and of the step
/// that took it.
#[derive(Serialize)]
struct Prevented<'a> {
    v: u64,
    #[serde(rename = "A")]
    quantity: Text<Quantity>,
    #[serde(flatten)]
    step: Option<PreventedStep<'a>>,
}

#[derive(Serialize)]
struct PreventedStep<'a> {
    #[serde(rename = "B")]
    quantity: Text<Quantity>,
    /// No account of the mock is in a trade group.
    u: i64,
    #[serde(rename = "U")]
    counter_order: u64,
    #[serde(rename = "Cs")]
    counter_symbol: &'a str,
    pl: Text<Quantity>,
    #[serde(rename = "pL")]
    price: Text<Price>,
    #[serde(rename = "pY")]
    quote: Text<Amount>,
}

impl<'a> Prevented<'a> {
    fn new(v: u64, order: &Order, step: Option<exchange_engine::PreventedStep>, symbols: &'a Symbols) -> Self {
        let step = step.map(|step| PreventedStep {
            quantity: Text(step.quantity),
            u: NO_TRADE_GROUP,
            counter_order: step.counter.0,
            counter_symbol: symbols.name(order.symbol),
            pl: Text(step.would_trade),
            price: Text(step.price),
            quote: Text(step.quote),
        });
        Self { v, quantity: Text(order.prevented), step }
    }
}

/// A commission is written with eight decimals, its absence as a bare zero.
#[derive(Serialize)]
#[serde(untagged)]
enum Commission {
    None(&'static str),
    Some(Text<Amount>),
}

/// Tells one step in an order's life.
pub(crate) fn execution_report(execution: &Execution, symbols: &Symbols, strategy: Strategy, unit: TimeUnit) -> String {
    let order = &execution.order;
    let (kind, fill) = match execution.kind {
        ExecutionKind::New => ("NEW", None),
        ExecutionKind::Trade(fill) => ("TRADE", Some(fill)),
        ExecutionKind::Canceled(_) => ("CANCELED", None),
        ExecutionKind::Replaced(_) => ("REPLACED", None),
        ExecutionKind::Prevented(_) => ("TRADE_PREVENTION", None),
        ExecutionKind::Expired => ("EXPIRED", None),
    };
    let step = match execution.kind {
        ExecutionKind::Prevented(step) => Some(step),
        _ => None,
    };
    // A cancel has a name of its own, and the order's name becomes the original one.
    let (client_id, original_client_id) = match &execution.kind {
        ExecutionKind::Canceled(cancel_id) => (cancel_id.as_str(), order.client_order_id.as_str()),
        ExecutionKind::Replaced(before) => (order.client_order_id.as_str(), before.as_str()),
        _ => (order.client_order_id.as_str(), ""),
    };
    text(&ExecutionReport {
        e: "executionReport",
        event_time: unit.of(execution.time),
        s: symbols.name(order.symbol),
        c: client_id,
        side: order.side.as_str(),
        o: order.order_type.as_str(),
        f: order.time_in_force.as_str(),
        q: Text(order.quantity),
        p: Text(order.price),
        stop_price: Text(order.stop_price.unwrap_or_default()),
        iceberg_quantity: Text(order.iceberg.unwrap_or_default()),
        g: list_id(order.list),
        original_client_id,
        x: kind,
        status: order.status.as_str(),
        r: "NONE",
        i: order.id.0,
        l: Text(fill.map_or(Quantity::ZERO, |fill| fill.quantity)),
        z: Text(order.executed),
        last_price: Text(fill.map_or(Price::ZERO, |fill| fill.price)),
        n: fill.map_or(Commission::None("0"), |fill| Commission::Some(Text(fill.commission))),
        commission_asset: fill.map(|fill| symbols.asset_name(fill.commission_asset)),
        transaction_time: unit.of(execution.time),
        t: fill.map_or(-1, |fill| i64::try_from(fill.trade.0).unwrap_or(i64::MAX)),
        execution_id: execution.execution_id,
        w: order.is_working(),
        m: fill.is_some_and(|fill| fill.is_maker),
        ignore: fill.is_some(),
        order_time: unit.of(order.time),
        cumulative_quote: Text(order.cumulative_quote),
        last_quote: Text(fill.map_or(Amount::ZERO, |fill| fill.quote)),
        quote_order_qty: Text(order.quote_order_qty),
        working_time: order.working_time.map(|time| unit.of(time)),
        self_trade_prevention: order.prevention.as_str(),
        prevented: order.prevented_match.map(|id| Prevented::new(id, order, step, symbols)),
        d: order.trailing_delta,
        trailing_time: order.trailing_time.map(|time| unit.of(time)),
        j: strategy.strategy_id,
        strategy_type: strategy.strategy_type,
        expiry_reason: order.expiry_reason.map(exchange_engine::ExpiryReason::as_str),
    })
}

#[derive(Serialize)]
struct ListStatus<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    s: &'a str,
    g: u32,
    c: &'static str,
    l: &'static str,
    #[serde(rename = "L")]
    order_status: &'static str,
    r: &'static str,
    #[serde(rename = "C")]
    client_id: &'a str,
    #[serde(rename = "T")]
    transaction_time: u64,
    #[serde(rename = "O")]
    orders: Vec<ListedOrder<'a>>,
}

#[derive(Serialize)]
struct ListedOrder<'a> {
    s: &'a str,
    i: u64,
    c: &'a str,
}

/// `listStatus`: one step in a list's life, told after the reports of its orders.
pub(crate) fn list_status(update: &ListUpdate, symbols: &Symbols, unit: TimeUnit) -> String {
    let ListUpdate { time, list, is_renamed } = update;
    let symbol = symbols.name(list.symbol);
    text(&ListStatus {
        e: "listStatus",
        event_time: unit.of(*time),
        s: symbol,
        g: list.id.0,
        c: list.kind.contingency(),
        l: if *is_renamed { "UPDATED" } else { list.status_type() },
        order_status: list.order_status(),
        r: "NONE",
        client_id: list.client_id.as_str(),
        transaction_time: unit.of(*time),
        orders: list.orders.iter().map(|(id, name)| ListedOrder { s: symbol, i: id.0, c: name.as_str() }).collect(),
    })
}

#[derive(Serialize)]
struct AccountPosition<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    u: u64,
    #[serde(rename = "B")]
    balances: Vec<Position<'a>>,
}

#[derive(Serialize)]
struct Position<'a> {
    a: &'a str,
    f: Text<Amount>,
    l: Text<Amount>,
}

/// `outboundAccountPosition`: the balances that a command may have changed.
pub(crate) fn account_position(time: Timestamp, changes: &[Balance], symbols: &Symbols, unit: TimeUnit) -> String {
    text(&AccountPosition {
        e: "outboundAccountPosition",
        event_time: unit.of(time),
        u: unit.of(time),
        balances: changes
            .iter()
            .map(|balance| Position {
                a: symbols.asset_name(balance.asset),
                f: Text(balance.free),
                l: Text(balance.locked),
            })
            .collect(),
    })
}

#[derive(Serialize)]
struct BalanceUpdate<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    a: &'a str,
    d: Text<Amount>,
    #[serde(rename = "T")]
    clear_time: u64,
}

/// `balanceUpdate`: money that came from outside or left.
pub(crate) fn balance_update(time: Timestamp, asset: &str, delta: Amount, unit: TimeUnit) -> String {
    text(&BalanceUpdate {
        e: "balanceUpdate",
        event_time: unit.of(time),
        a: asset,
        d: Text(delta),
        clear_time: unit.of(time),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListenKeyExpired<'a> {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
    listen_key: &'a str,
}

#[derive(Serialize)]
struct EventStreamTerminated {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
}

/// `eventStreamTerminated`: the last word of a subscription.
pub(crate) fn event_stream_terminated(now: Timestamp, unit: TimeUnit) -> String {
    text(&EventStreamTerminated { e: "eventStreamTerminated", event_time: unit.of(now) })
}

/// `listenKeyExpired`: the last word of a stream.
pub(crate) fn listen_key_expired(key: &str, now: Timestamp, unit: TimeUnit) -> String {
    text(&ListenKeyExpired { e: "listenKeyExpired", event_time: unit.of(now), listen_key: key })
}

#[derive(Serialize)]
struct ServerShutdown {
    e: &'static str,
    #[serde(rename = "E")]
    event_time: u64,
}

/// `serverShutdown`: the last word of a server to all of its connections.
pub(crate) fn server_shutdown(now: Timestamp, unit: TimeUnit) -> String {
    text(&ServerShutdown { e: "serverShutdown", event_time: unit.of(now) })
}

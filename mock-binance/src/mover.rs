//! Moving a market to a price, by nothing but orders: of the house's own measure, or as a trade was recorded.
//!
//! ```text
//!  1  orders of the provider that the price would run over are cancelled
//!  2  the rungs on the near side are placed, so that stop orders find a book
//!  3  clients' orders better than the price are traded by the taker
//!  4  the rest of the ladder is moved
//!  5  provider and taker trade at the price: it is the last price now
//! ```

use exchange_engine::liquidity::Ladder;
use exchange_engine::{
    AccountId, Amount, BookLevel, Event, Exchange, Placed, Price, Quantity, Rejection, Reply, Side, TimeInForce,
    Timestamp,
};

use crate::house::{endow, top_up};

/// The two accounts of the house that trade with one another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hands {
    pub(crate) provider: AccountId,
    pub(crate) taker: AccountId,
}

/// A trade that the house shall make with itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deal {
    pub(crate) price: Price,
    /// The ladder's own measure when not given.
    pub(crate) quantity: Option<Quantity>,
    /// Who was there first. When not given, a market that falls is sold into.
    pub(crate) maker: Option<Side>,
}

impl Deal {
    /// Of whatever quantity and side.
    pub(crate) const fn at(price: Price) -> Self {
        Self { price, quantity: None, maker: None }
    }
}

/// Stop orders that are set off on the way may leave new orders in it; after so many sweeps they stay.
const SWEEPS_MAX: u32 = 64;

/// Moves the market. The ladder must be laid out round the price already; the price must be on its tick.
pub(crate) fn move_to(
    exchange: &mut Exchange,
    now: Timestamp,
    hands: Hands,
    ladder: &Ladder,
    deal: Deal,
    events: &mut Vec<Event>,
) -> Result<(), Rejection> {
    let price = deal.price;
    for order in exchange.open_orders(hands.provider, Some(ladder.symbol)) {
        let in_the_way = match order.side {
            Side::Buy => order.price >= price,
            Side::Sell => order.price <= price,
        };
        if in_the_way {
            let _ = exchange.apply_into(now, hands.provider, &ladder.cancel(order.id), events);
        }
    }
    top_up(exchange, now, hands.provider, ladder, events);
    let mut sweep = 0;
    while sweep < SWEEPS_MAX && swept(exchange, now, hands, ladder, price, events)? {
        sweep += 1;
    }
    for command in ladder.clear(exchange, hands.provider) {
        let _ = exchange.apply_into(now, hands.provider, &command, events);
    }
    top_up(exchange, now, hands.provider, ladder, events);
    trade(exchange, now, hands, ladder, deal, events)
}

/// Whether a price lies between the best bid and the best ask, so that nothing is in its way.
pub(crate) fn is_free(exchange: &Exchange, ladder: &Ladder, price: Price) -> bool {
    exchange
        .book_top(ladder.symbol)
        .is_some_and(|top| top.bid.is_some_and(|bid| bid.price < price) && top.ask.is_some_and(|ask| ask.price > price))
}

/// Trades at a price that nothing is in the way of. The last of the steps above.
pub(crate) fn trade(
    exchange: &mut Exchange,
    now: Timestamp,
    hands: Hands,
    ladder: &Ladder,
    deal: Deal,
    events: &mut Vec<Event>,
) -> Result<(), Rejection> {
    let price = deal.price;
    let falls = exchange.last_price(ladder.symbol).is_some_and(|last| price < last);
    let turn = exchange.trade_count(ladder.symbol);
    let measured = || ladder.trade_quantity(exchange, turn, price);
    let quantity = deal.quantity.or_else(measured).ok_or(Rejection::UnknownSymbol)?;
    let side = deal.maker.unwrap_or(if falls { Side::Buy } else { Side::Sell });
    let maker = order(exchange, now, hands.provider, ladder, (side, TimeInForce::Gtc, quantity, price), events)?;
    let taken = order(exchange, now, hands.taker, ladder, (side.opposite(), TimeInForce::Ioc, quantity, price), events);
    // What clients' orders at the same price traded first is left of it.
    if let Reply::Placed(Placed { order, .. }) = maker
        && exchange.any_order(order.id).is_some_and(|order| order.status.is_open())
    {
        let _ = exchange.apply_into(now, hands.provider, &ladder.cancel(order.id), events);
    }
    // Stop orders may have eaten into the ladder.
    top_up(exchange, now, hands.provider, ladder, events);
    taken.map(drop)
}

/// Trades what clients bid above the price or ask below it. Whether anything traded.
fn swept(
    exchange: &mut Exchange,
    now: Timestamp,
    hands: Hands,
    ladder: &Ladder,
    price: Price,
    events: &mut Vec<Event>,
) -> Result<bool, Rejection> {
    let Some(top) = exchange.book_top(ladder.symbol) else { return Ok(false) };
    let (side, level) = match (top.bid, top.ask) {
        (Some(bid), _) if bid.price > price => (Side::Sell, bid),
        (_, Some(ask)) if ask.price < price => (Side::Buy, ask),
        _ => return Ok(false),
    };
    let largest = exchange.spec().symbol(ladder.symbol).and_then(|spec| spec.filters.lot).map(|lot| lot.max);
    let BookLevel { price, quantity } = level;
    let quantity = largest.filter(|most| most.is_positive()).map_or(quantity, |most| quantity.min(most));
    let before = exchange.trade_count(ladder.symbol);
    order(exchange, now, hands.taker, ladder, (side, TimeInForce::Ioc, quantity, price), events)?;
    Ok(exchange.trade_count(ladder.symbol) > before)
}

/// Places an order of the house, which is given what it lacks for it.
fn order(
    exchange: &mut Exchange,
    now: Timestamp,
    account: AccountId,
    ladder: &Ladder,
    (side, time_in_force, quantity, price): (Side, TimeInForce, Quantity, Price),
    events: &mut Vec<Event>,
) -> Result<Reply, Rejection> {
    let needs = match side {
        Side::Buy => (Amount::ZERO, price.times_up(quantity)?),
        Side::Sell => (quantity.as_amount(), Amount::ZERO),
    };
    endow(exchange, now, account, ladder.symbol, needs, events);
    exchange.apply_into(now, account, &ladder.order(side, time_in_force, quantity, price), events)
}

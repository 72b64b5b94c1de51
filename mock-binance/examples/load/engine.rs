//! The engine alone: a mix of orders over a book of a given size.

use std::error::Error;

use mock_binance::engine::{
    AccountId, Amount, AssetId, CancelOrder, Command, Commissions, Event, Exchange, ExchangeSpec, Filters, LotSize,
    NewOrder, NotionalFilter, OrderId, OrderKind, OrderRef, PercentPriceBySide, Price, PriceFilter, Quantity, Ratio,
    Reply, Side, SymbolId, SymbolSpec, TimeInForce, Timestamp,
};

use rustix::time::{ClockId, clock_gettime};

use crate::Size;
use crate::dice::Dice;
use crate::numbers::{grouped, hundredths};
use crate::row::Row;

const SYMBOL: SymbolId = SymbolId(0);
/// The middle of the book, in hundredths.
const MIDDLE: u64 = 6_000_000;
/// How far from the middle orders rest, in hundredths; the same as in the bench.
const SPREAD: u64 = 100_000;

/// One account that keeps a book of some size on one symbol.
///
/// What is done is thrown beforehand, so that a measurement is of the engine and not of dice and of a list of orders.
pub struct Market {
    pub exchange: Exchange,
    account: AccountId,
    dice: Dice,
    /// The orders that were placed to rest and are not cancelled, by what was thrown.
    resting: Vec<u32>,
    /// How many orders were thrown: the id of the last one.
    thrown: u32,
    now: Timestamp,
    events: Vec<Event>,
}

/// An order at a price in hundredths, that rests or trades, or a cancellation.
#[derive(Clone, Copy)]
pub enum Throw {
    Place { order: u32, side: Side, trades: bool, cents: u32, lots: u32 },
    Cancel(u32),
}

/// BTCUSDT with the filters and commissions of the shipped symbols.
fn spec() -> Result<ExchangeSpec, Box<dyn Error>> {
    let rate: Ratio = "0.001".parse()?;
    let filters = Filters {
        price: Some(PriceFilter { min: "0.01".parse()?, max: "1000000".parse()?, tick: "0.01".parse()? }),
        percent_price_by_side: Some(PercentPriceBySide {
            bid_up: "5".parse()?,
            bid_down: "0.2".parse()?,
            ask_up: "5".parse()?,
            ask_down: "0.2".parse()?,
            avg_price_mins: 5,
        }),
        lot: Some(LotSize { min: "0.00001".parse()?, max: "9000".parse()?, step: "0.00001".parse()? }),
        notional: Some(NotionalFilter { min: "5".parse()?, apply_min_to_market: true, ..NotionalFilter::default() }),
        ..Filters::default()
    };
    Ok(ExchangeSpec {
        assets: vec!["BTC".to_owned(), "USDT".to_owned()],
        symbols: vec![SymbolSpec {
            name: "BTCUSDT".to_owned(),
            base: AssetId(0),
            quote: AssetId(1),
            filters,
            commissions: Commissions::by_role(rate, rate),
            opening_price: Some("60000".parse()?),
            ..SymbolSpec::default()
        }],
        ..ExchangeSpec::default()
    })
}

impl Market {
    /// A book of so many resting orders.
    pub fn new(resting: u64) -> Result<Self, Box<dyn Error>> {
        let mut exchange = Exchange::new(spec()?)?;
        let now = Timestamp::from_secs(1_767_571_200);
        // A provider's orders are not counted: the limits of an account would end this after a hundred.
        let account = exchange.open_provider(now)?;
        for asset in [AssetId(0), AssetId(1)] {
            let amount: Amount = "50000000000".parse()?;
            exchange.apply(now, account, &Command::Deposit { asset, amount }).reply?;
        }
        let (dice, events) = (Dice(7), Vec::new());
        let mut market = Self { exchange, account, dice, resting: Vec::new(), thrown: 0, now, events };
        for _ in 0..resting {
            let order = market.throw_order(false)?;
            market.carry_out(order)?;
        }
        Ok(market)
    }

    /// An order that rests at one of many prices, or one that trades with whatever is best.
    fn throw_order(&mut self, trades: bool) -> Result<Throw, Box<dyn Error>> {
        let side = if self.dice.below(2) == 0 { Side::Buy } else { Side::Sell };
        let away = self.dice.below(SPREAD) + 1;
        let cents = match (side, trades) {
            (Side::Buy, false) => MIDDLE - away,
            (Side::Sell, false) => MIDDLE + away,
            (Side::Buy, true) => MIDDLE * 2,
            (Side::Sell, true) => MIDDLE / 2,
        };
        let lots = u32::try_from(self.dice.below(100) + 20)?;
        self.thrown += 1;
        if !trades {
            self.resting.push(self.thrown);
        }
        Ok(Throw::Place { order: self.thrown, side, trades, cents: u32::try_from(cents)?, lots })
    }

    /// Of ten operations four place an order that rests, four cancel one, two trade: the book about keeps its size.
    pub fn throw(&mut self) -> Result<Throw, Box<dyn Error>> {
        match self.dice.below(20) {
            0..8 => self.throw_order(false),
            8..16 if !self.resting.is_empty() => {
                let place = self.dice.below(self.resting.len() as u64);
                Ok(Throw::Cancel(self.resting.swap_remove(usize::try_from(place)?)))
            }
            _ => self.throw_order(true),
        }
    }

    pub fn carry_out(&mut self, thrown: Throw) -> Result<(), Box<dyn Error>> {
        self.now = self.now.plus_micros(1_000);
        self.events.clear();
        let (order, command) = match thrown {
            Throw::Place { order, side, trades, cents, lots } => {
                let kind = OrderKind::Limit {
                    time_in_force: if trades { TimeInForce::Ioc } else { TimeInForce::Gtc },
                    quantity: Quantity::from_units(i64::from(lots) * 1_000),
                    price: Price::from_units(i64::from(cents) * 1_000_000),
                };
                (order, Command::Place(NewOrder::new(SYMBOL, side, kind)))
            }
            Throw::Cancel(order) => {
                let target = OrderRef::Id(OrderId(u64::from(order)));
                (order, Command::Cancel(CancelOrder { symbol: SYMBOL, target, cancel_id: None, restriction: None }))
            }
        };
        match self.exchange.apply_into(self.now, self.account, &command, &mut self.events) {
            Ok(Reply::Placed(placed)) if placed.order.id.0 == u64::from(order) => Ok(()),
            Ok(Reply::Placed(placed)) => Err(format!("order {order} was numbered {}", placed.order.id.0).into()),
            // An order that has traded since is refused, which is work as well.
            Err(refused) if matches!(thrown, Throw::Place { .. }) => Err(refused.into()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    pub fn step(&mut self) -> Result<(), Box<dyn Error>> {
        let thrown = self.throw()?;
        self.carry_out(thrown)
    }

    pub fn open(&self) -> usize {
        self.exchange.open_order_count(self.account, SYMBOL)
    }

    pub fn trades(&self) -> u64 {
        self.exchange.trade_count(SYMBOL)
    }
}

/// Rounds of which the best counts: others may use the machine, and its caches.
const ROUNDS: u32 = 20;

/// What this thread has had of a core, in nanoseconds: waiting for one is no cost of the engine.
fn core_nanos() -> Result<u64, Box<dyn Error>> {
    let had = clock_gettime(ClockId::ThreadCPUTime);
    Ok(u64::try_from(had.tv_sec)? * 1_000_000_000 + u64::try_from(had.tv_nsec)?)
}

/// The nanoseconds that an operation takes over each of the books. The books take turns, so that what else happens on
/// the machine falls on all of them.
fn nanos(books: &[u64], operations: u64) -> Result<Vec<u64>, Box<dyn Error>> {
    let mut markets: Vec<(Market, u64)> = Vec::new();
    for resting in books {
        markets.push((Market::new(*resting)?, u64::MAX));
    }
    for _ in 0..ROUNDS {
        for (market, best) in &mut markets {
            let mut throws = Vec::new();
            for _ in 0..operations {
                throws.push(market.throw()?);
            }
            let before = core_nanos()?;
            for thrown in throws {
                market.carry_out(thrown)?;
            }
            *best = (*best).min(core_nanos()?.saturating_sub(before) / operations.max(1));
        }
    }
    Ok(markets.iter().map(|(_, best)| (*best).max(1)).collect())
}

/// Operations a second over 10,000 orders, and what the size of the book does to that.
pub fn measure(size: Size) -> Result<Vec<Row>, Box<dyn Error>> {
    let books: &[u64] = if size.small { &[1_000, 10_000, 100_000] } else { &[1_000, 10_000, 100_000, 1_000_000] };
    let mut rows = Vec::new();
    let nanos = nanos(books, size.of(100_000))?;
    let first = nanos.first().copied().unwrap_or(1);
    for (tens, (resting, nanos)) in (3_u64..).zip(books.iter().zip(&nanos)) {
        let speed = 1_000_000_000 / nanos;
        let what = format!("order operations over {} resting orders, one core", grouped(*resting));
        let measured = format!("{} a second, {nanos} ns each", grouped(speed));
        if *resting == 10_000 {
            // A check that others run beside must not depend on how fast the machine is.
            let (target, met) = if size.small {
                ("at least 1,000,000 a second, not held in the small form", true)
            } else {
                ("at least 1,000,000 a second", speed >= 1_000_000)
            };
            rows.push(Row::new(what, measured, target, met));
        } else if *resting == 1_000 {
            rows.push(Row::new(what, measured, "what the next ones are held against", true));
        } else {
            // The logarithm of the book has grown from three tens to so many.
            let grown = nanos * 100 / first;
            let most = if size.small { 300 } else { tens * 100 / 3 };
            let target = format!("at most {} times 1,000 resting ones", hundredths(most));
            rows.push(Row::new(what, format!("{measured}, {} times", hundredths(grown)), target, grown <= most));
        }
    }
    Ok(rows)
}

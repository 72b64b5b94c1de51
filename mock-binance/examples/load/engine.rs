//! The engine alone: a mix of orders over a book of a given size.

use std::error::Error;
use std::time::Instant;

use mock_binance::engine::{
    AccountId, Amount, AssetId, CancelOrder, Command, Commissions, Event, Exchange, ExchangeSpec, Filters, LotSize,
    NewOrder, NotionalFilter, OrderId, OrderKind, OrderRef, PercentPriceBySide, Price, PriceFilter, Quantity, Ratio,
    Reply, Side, SymbolId, SymbolSpec, TimeInForce, Timestamp,
};

use crate::Size;
use crate::dice::Dice;
use crate::row::{Row, grouped, hundredths};

const SYMBOL: SymbolId = SymbolId(0);
/// The middle of the book, in hundredths.
const MIDDLE: u64 = 6_000_000;
/// How far from the middle orders rest, in hundredths; the same as in the bench.
const SPREAD: u64 = 100_000;

/// One account that keeps a book of some size on one symbol.
pub struct Market {
    pub exchange: Exchange,
    account: AccountId,
    dice: Dice,
    resting: Vec<OrderId>,
    now: Timestamp,
    events: Vec<Event>,
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
        let mut market = Self { exchange, account, dice: Dice(7), resting: Vec::new(), now, events: Vec::new() };
        for _ in 0..resting {
            market.place(false)?;
        }
        Ok(market)
    }

    /// Places an order that rests at one of many prices, or one that trades with whatever is best.
    fn place(&mut self, trades: bool) -> Result<(), Box<dyn Error>> {
        let side = if self.dice.below(2) == 0 { Side::Buy } else { Side::Sell };
        let away = self.dice.below(SPREAD) + 1;
        let (time_in_force, cents) = match (side, trades) {
            (Side::Buy, false) => (TimeInForce::Gtc, MIDDLE - away),
            (Side::Sell, false) => (TimeInForce::Gtc, MIDDLE + away),
            (Side::Buy, true) => (TimeInForce::Ioc, MIDDLE * 2),
            (Side::Sell, true) => (TimeInForce::Ioc, MIDDLE / 2),
        };
        let kind = OrderKind::Limit {
            time_in_force,
            quantity: Quantity::from_units(i64::try_from(self.dice.below(100) + 20)? * 1_000),
            price: Price::from_units(i64::try_from(cents)? * 1_000_000),
        };
        let command = Command::Place(NewOrder::new(SYMBOL, side, kind));
        let reply = self.exchange.apply_into(self.now, self.account, &command, &mut self.events)?;
        if let Reply::Placed(placed) = reply
            && placed.order.status.is_open()
        {
            self.resting.push(placed.order.id);
        }
        Ok(())
    }

    /// Of ten operations four place an order that rests, four cancel one, two trade: the book about keeps its size.
    pub fn step(&mut self) -> Result<(), Box<dyn Error>> {
        self.now = self.now.plus_micros(1_000);
        self.events.clear();
        match self.dice.below(20) {
            0..8 => self.place(false),
            8..16 if !self.resting.is_empty() => {
                let place = self.dice.below(self.resting.len() as u64);
                let target = OrderRef::Id(self.resting.swap_remove(usize::try_from(place)?));
                let cancel = CancelOrder { symbol: SYMBOL, target, cancel_id: None, restriction: None };
                // An order that has traded since is refused, which is work as well.
                let _ = self.exchange.apply_into(self.now, self.account, &Command::Cancel(cancel), &mut self.events);
                Ok(())
            }
            _ => self.place(true),
        }
    }

    pub fn open(&self) -> usize {
        self.exchange.open_order_count(self.account, SYMBOL)
    }

    pub fn trades(&self) -> u64 {
        self.exchange.trade_count(SYMBOL)
    }
}

/// Rounds of which the best counts: others may use the machine, and its caches.
const ROUNDS: u32 = 12;

/// What this thread has had of a core, in nanoseconds: waiting for one is no cost of the engine. Where the system does
/// not tell, the time that has passed.
fn core_nanos(start: Instant) -> Result<u64, Box<dyn Error>> {
    match std::fs::read_to_string("/proc/thread-self/schedstat") {
        Ok(told) => Ok(told.split_whitespace().next().unwrap_or_default().parse()?),
        Err(_) => Ok(u64::try_from(start.elapsed().as_nanos())?),
    }
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
            let begun = Instant::now();
            let before = core_nanos(begun)?;
            for _ in 0..operations {
                market.step()?;
            }
            *best = (*best).min(core_nanos(begun)?.saturating_sub(before) / operations.max(1));
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

//! What an order costs the engine: a seeded mix of resting, crossing and cancelled orders over a book of a given size.
//!
//! `cargo bench --bench engine`

#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a bench")]

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use exchange_engine::{
    AccountId, Amount, AssetId, CancelOrder, Command, Commissions, Event, Exchange, ExchangeSpec, Filters,
    Instructions, LotSize, NewOrder, NotionalFilter, OrderId, OrderKind, OrderRef, PercentPriceBySide, Placed, Price,
    PriceFilter, Quantity, Ratio, Reply, Side, SymbolId, SymbolSpec, TimeInForce, Timestamp,
};

/// Operations that one measured round carries out.
const ROUND: usize = 10_000;
const MICROS_BETWEEN: u64 = 1_000;

fn units<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a decimal")
}

/// BTCUSDT with every filter that the shipped symbols have. The account is a provider's: order counts would stop a
/// bench after a hundred orders.
fn spec() -> ExchangeSpec {
    let rate: Ratio = units("0.001");
    ExchangeSpec {
        assets: vec!["BTC".to_owned(), "USDT".to_owned()],
        symbols: vec![SymbolSpec {
            name: "BTCUSDT".to_owned(),
            base: AssetId(0),
            quote: AssetId(1),
            filters: Filters {
                price: Some(PriceFilter { min: units("0.01"), max: units("1000000"), tick: units("0.01") }),
                percent_price_by_side: Some(PercentPriceBySide {
                    bid_up: units("5"),
                    bid_down: units("0.2"),
                    ask_up: units("5"),
                    ask_down: units("0.2"),
                    avg_price_mins: 5,
                }),
                lot: Some(LotSize { min: units("0.00001"), max: units("9000"), step: units("0.00001") }),
                notional: Some(NotionalFilter {
                    min: units("5"),
                    apply_min_to_market: true,
                    max: units("9000000"),
                    apply_max_to_market: false,
                    avg_price_mins: 5,
                }),
                ..Filters::default()
            },
            commissions: Commissions::by_role(rate, rate),
            opening_price: Some(units("60000")),
            ..SymbolSpec::default()
        }],
        ..ExchangeSpec::default()
    }
}

/// A small generator of its own: the same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

struct Market {
    exchange: Exchange,
    account: AccountId,
    dice: Dice,
    resting: Vec<OrderId>,
    now: Timestamp,
    events: Vec<Event>,
}

impl Clone for Market {
    fn clone(&self) -> Self {
        let exchange = Exchange::replay(spec(), self.exchange.journal()).expect("the journal rebuilds the exchange");
        Self {
            exchange,
            account: self.account,
            dice: Dice(self.dice.0),
            resting: self.resting.clone(),
            now: self.now,
            events: Vec::new(),
        }
    }
}

impl Market {
    fn new(resting: usize) -> Self {
        let mut exchange = Exchange::new(spec()).expect("a valid specification");
        let now = Timestamp::from_millis(1_767_571_200_000);
        let account = exchange.open_provider(now).expect("room for an account");
        for (asset, amount) in [(AssetId(0), "50000000"), (AssetId(1), "50000000000")] {
            let amount: Amount = units(amount);
            exchange.apply(now, account, &Command::Deposit { asset, amount }).reply.expect("a deposit");
        }
        let mut market = Self { exchange, account, dice: Dice(7), resting: Vec::new(), now, events: Vec::new() };
        while market.resting.len() < resting {
            market.place(false);
        }
        market
    }

    /// Places a limit order: far enough from the touch to rest, or through it to trade.
    fn place(&mut self, crossing: bool) {
        let side = if self.dice.roll(2) == 0 { Side::Buy } else { Side::Sell };
        let away = i64::try_from(1 + self.dice.roll(100_000)).expect("small");
        let cents = match (side, crossing) {
            (Side::Buy, false) => 6_000_000 - away,
            (Side::Sell, false) => 6_000_000 + away,
            (Side::Buy, true) => 6_000_000 + 120_000,
            (Side::Sell, true) => 6_000_000 - 120_000,
        };
        let lots = i64::try_from(10 + self.dice.roll(200)).expect("small");
        let order = NewOrder {
            symbol: SymbolId(0),
            side,
            kind: OrderKind::Limit {
                time_in_force: TimeInForce::Gtc,
                quantity: Quantity::from_units(lots * 1_000),
                price: Price::from_units(cents * 1_000_000),
            },
            client_order_id: None,
            instructions: Instructions::default(),
        };
        if let Reply::Placed(Placed { order, .. }) = self.apply(&Command::Place(order))
            && !crossing
        {
            self.resting.push(order.id);
        }
    }

    fn cancel(&mut self) {
        let place = usize::try_from(self.dice.roll(self.resting.len() as u64)).expect("small");
        let order = self.resting.swap_remove(place);
        let cancel =
            CancelOrder { symbol: SymbolId(0), target: OrderRef::Id(order), cancel_id: None, restriction: None };
        // The order may have been filled since: then the engine says so, which is work as well.
        self.now = self.now.plus_micros(MICROS_BETWEEN);
        self.events.clear();
        let _ = black_box(self.exchange.apply_into(self.now, self.account, &Command::Cancel(cancel), &mut self.events));
    }

    fn apply(&mut self, command: &Command) -> Reply {
        self.now = self.now.plus_micros(MICROS_BETWEEN);
        self.events.clear();
        self.exchange.apply_into(self.now, self.account, command, &mut self.events).expect("the order is valid")
    }

    /// Six resting orders, one crossing, three cancels of ten.
    fn step(&mut self) {
        match self.dice.roll(10) {
            0..=5 => self.place(false),
            6 => self.place(true),
            _ => self.cancel(),
        }
    }
}

fn apply(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine/apply");
    group.throughput(Throughput::Elements(ROUND as u64)).sample_size(20);
    for resting in [1_000, 10_000, 100_000, 1_000_000] {
        let market = Market::new(resting);
        group.bench_with_input(BenchmarkId::new("resting", resting), &market, |b, market| {
            b.iter_batched(
                || market.clone(),
                |mut market| {
                    for _ in 0..ROUND {
                        market.step();
                    }
                    market
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, apply);
criterion_main!(benches);

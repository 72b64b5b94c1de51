//! Measures order operations a second on one core: `cargo run --release -p exchange-engine --example throughput`.
//!
//! One account keeps about 10,000 orders in the book of one symbol. Of ten operations four place an order that rests,
//! four cancel one, and two trade: a marketable limit and a MARKET order by quote amount. Optional arguments: the
//! number of operations, and the number of resting orders.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "an example that measures and tells"
)]

use std::error::Error;
use std::time::Instant;

use exchange_engine::{
    Amount, AssetId, CancelOrder, Command, Exchange, ExchangeSpec, Filters, LimitsSpec, LotSize, MarketSize, NewOrder,
    NotionalFilter, OrderId, OrderKind, OrderRef, PercentPriceBySide, Price, PriceFilter, Quantity, Reply, Side,
    SymbolId, SymbolSpec, TimeInForce, Timestamp,
};

const SYMBOL: SymbolId = SymbolId(0);

fn spec() -> Result<ExchangeSpec, Box<dyn Error>> {
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
        assets: vec!["BTC".into(), "USDT".into()],
        symbols: vec![SymbolSpec {
            name: "BTCUSDT".into(),
            base: AssetId(0),
            quote: AssetId(1),
            quote_order_qty_market_allowed: true,
            filters,
            opening_price: Some("60000".parse()?),
            ..SymbolSpec::default()
        }],
        limits: LimitsSpec { orders: Vec::new(), ..LimitsSpec::default() },
        ..ExchangeSpec::default()
    })
}

/// The linear congruential generator of Knuth's MMIX: the same run every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(bound.max(1))).unwrap_or_default()
    }
}

fn order(side: Side, kind: OrderKind) -> Command {
    Command::Place(NewOrder::new(SYMBOL, side, kind))
}

fn resting(dice: &mut Dice) -> Command {
    let side = if dice.below(2) == 0 { Side::Buy } else { Side::Sell };
    let away = i64::from(dice.below(5_000) + 1) * 1_000_000;
    let middle = 60_000 * 100_000_000;
    let price = Price::from_units(if side == Side::Buy { middle - away } else { middle + away });
    let quantity = Quantity::from_units(i64::from(dice.below(100) + 10) * 1_000);
    order(side, OrderKind::Limit { time_in_force: TimeInForce::Gtc, quantity, price })
}

fn trading(dice: &mut Dice) -> Command {
    let side = if dice.below(2) == 0 { Side::Buy } else { Side::Sell };
    if dice.below(2) == 0 {
        let amount = Amount::from_units(i64::from(dice.below(30) + 10) * 100_000_000);
        return order(side, OrderKind::Market { size: MarketSize::Quote(amount) });
    }
    let middle: i64 = 60_000 * 100_000_000;
    let price = Price::from_units(if side == Side::Buy { middle * 2 } else { middle / 2 });
    let quantity = Quantity::from_units(i64::from(dice.below(100) + 10) * 1_000);
    order(side, OrderKind::Limit { time_in_force: TimeInForce::Ioc, quantity, price })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let operations: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let resting_orders: usize = arguments.next().map_or(Ok(10_000), |text| text.parse())?;

    let mut exchange = Exchange::new(spec()?)?;
    let mut now = Timestamp::from_secs(1_700_000_000);
    let account = exchange.open_account(now)?;
    for asset in [AssetId(0), AssetId(1)] {
        exchange.apply(now, account, &Command::Deposit { asset, amount: "9000000000".parse()? }).reply?;
    }
    let mut dice = Dice(1);
    let mut events = Vec::new();
    let mut placed: Vec<OrderId> = Vec::new();
    for _ in 0..resting_orders {
        exchange.apply(now, account, &resting(&mut dice)).reply?;
        placed.push(OrderId(exchange.order_count()));
    }

    let (mut refused, start) = (0_u64, Instant::now());
    for _ in 0..operations {
        now = now.plus_micros(50);
        let command = match dice.below(10) {
            0..4 => resting(&mut dice),
            4..8 if !placed.is_empty() => {
                let place = dice.below(u32::try_from(placed.len())?);
                let target = OrderRef::Id(placed.swap_remove(usize::try_from(place)?));
                Command::Cancel(CancelOrder { symbol: SYMBOL, target, cancel_id: None, restriction: None })
            }
            _ => trading(&mut dice),
        };
        events.clear();
        match exchange.apply_into(now, account, &command, &mut events) {
            Ok(Reply::Placed(done)) if done.order.status.is_open() => placed.push(done.order.id),
            Ok(_) => {}
            // Mostly cancels of orders that have traded in the meantime.
            Err(_) => refused += 1,
        }
    }
    let micros = u64::try_from(start.elapsed().as_micros())?.max(1);

    println!("{} operations a second", operations.saturating_mul(1_000_000) / micros);
    println!(
        "{operations} operations, {refused} refused, {} trades, {} orders open, journal {} entries in {} KiB",
        exchange.trade_count(SYMBOL),
        exchange.open_order_count(account, SYMBOL),
        exchange.journal().len(),
        exchange.journal().encoded_bytes() / 1024,
    );
    let start = Instant::now();
    let replayed = Exchange::replay(spec()?, exchange.journal())?;
    println!("replayed in {} ms, equal: {}", start.elapsed().as_millis(), replayed == exchange);
    Ok(())
}

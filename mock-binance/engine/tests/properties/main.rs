//! Random histories against a naive exchange that was written without looking at the real one's ways: plain lists,
//! sorted anew for each order, and locks summed up from nothing after each step.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod forgetting;
mod history;
mod reference;

use std::collections::BTreeMap;

use exchange_engine::market::KlineQuery;
use exchange_engine::{
    AccountId, AssetId, Exchange, ListId, ListRef, Order, OrderStatus, Page, Price, Quantity, Side, Timestamp,
};
use proptest::prelude::*;

use crate::history::{ASSETS, BEGINNING, Driver, SYMBOL, Step, any_steps, steps};
use crate::reference::{RefTrade, Reference};

fn levels(exchange: &Exchange, side: Side) -> Vec<(Price, Quantity)> {
    let depth = exchange.depth(SYMBOL, usize::MAX).unwrap();
    let levels = if side == Side::Buy { depth.bids } else { depth.asks };
    levels.iter().map(|level| (level.price, level.quantity)).collect()
}

/// Everything that both exchanges know must be the same.
fn compare(exchange: &Exchange, reference: &Reference) -> Result<(), TestCaseError> {
    for side in [Side::Buy, Side::Sell] {
        prop_assert_eq!(levels(exchange, side), reference.levels(side), "the {:?} side", side);
    }
    let trades = exchange.trades(SYMBOL, Page::newest(usize::MAX));
    let trades: Vec<RefTrade> = trades
        .iter()
        .map(|t| RefTrade { maker: t.maker_order, taker: t.taker_order, price: t.price, quantity: t.quantity })
        .collect();
    prop_assert_eq!(&trades, &reference.trades);
    for order in &reference.orders {
        let real = exchange.any_order(order.id).unwrap();
        prop_assert_eq!((real.executed, real.status), (order.executed, order.status), "order {}", order.id);
    }
    for account in 0..u32::try_from(exchange.account_count()).unwrap() {
        for balance in exchange.balances(AccountId(account)) {
            let expected = reference.balance(AccountId(account), balance.asset);
            let real = (i128::from(balance.free.units()), i128::from(balance.locked.units()));
            prop_assert_eq!(real, expected, "account {}, asset {}", account, balance.asset);
        }
    }
    Ok(())
}

/// Nothing negative; nothing lost or made, to the last unit.
fn conserved(exchange: &Exchange, outside: [i128; ASSETS]) -> Result<(), TestCaseError> {
    for (asset, outside) in (0..).map(AssetId).zip(outside) {
        let mut held = 0;
        for account in 0..u32::try_from(exchange.account_count()).unwrap() {
            let balance = exchange.balance(AccountId(account), asset).unwrap();
            prop_assert!(balance.free.units() >= 0 && balance.locked.units() >= 0, "{:?}", balance);
            held += i128::from(balance.free.units()) + i128::from(balance.locked.units());
        }
        prop_assert_eq!(held, outside, "asset {}", asset);
    }
    Ok(())
}

/// What an order holds when it stands alone.
fn lock(order: &Order) -> i64 {
    let price = if order.order_type.takes_any_price() { order.stop_price.unwrap_or_default() } else { order.price };
    match order.side {
        Side::Sell => order.remaining().units(),
        Side::Buy => price.times_up(order.remaining()).unwrap().units(),
    }
}

/// What is locked is what the open orders hold, and no order waits whose price was reached. Of two orders of which
/// one ends the other only the dearer counts, and an OPO holds what its working order bought.
fn held(exchange: &Exchange) -> Result<(), TestCaseError> {
    let last = exchange.last_price(SYMBOL);
    for account in (0..u32::try_from(exchange.account_count()).unwrap()).map(AccountId) {
        let mut locked = [0_i64; ASSETS];
        let mut pairs: BTreeMap<(ListId, usize), i64> = BTreeMap::new();
        for list in exchange.open_lists(account).iter().filter(|list| list.kind.pays_other()) {
            let [working, pending] = [0, 1].map(|place| exchange.any_order(list.orders[place].0).unwrap());
            if pending.status == OrderStatus::PendingNew {
                let fills = exchange.fills(account, SYMBOL, Some(working.id), Page::newest(usize::MAX));
                let bought = fills.iter().filter(|fill| fill.order == working.id);
                locked[0] += bought.map(|fill| fill.quantity.units() - fill.commission.units()).sum::<i64>();
            }
        }
        for order in exchange.open_orders(account, None) {
            prop_assert!(order.status.is_open());
            let list = order.list.map(|list| exchange.list(account, ListRef::Id(list)).unwrap());
            prop_assert!(list.as_ref().is_none_or(|list| !list.is_done), "{:?}", list);
            if order.status == OrderStatus::PendingNew {
                let working = exchange.any_order(list.unwrap().orders[0].0).unwrap();
                prop_assert!(working.status.is_open(), "{:?} waits for {:?}", order, working);
                continue;
            }
            let asset = usize::from(order.side == Side::Buy);
            match list.filter(|list| list.kind.has_working().then_some(list.orders[0].0) != Some(order.id)) {
                Some(list) => {
                    let most = pairs.entry((list.id, asset)).or_default();
                    *most = lock(&order).max(*most);
                }
                None => locked[asset] += lock(&order),
            }
            let (Some(goal), Some(stop), Some(last), None) =
                (order.order_type.stop_goal(), order.stop_price, last, order.working_time)
            else {
                continue;
            };
            if order.trailing_time.is_some() {
                continue;
            }
            prop_assert!(if goal.waits_for_rise(order.side) { last < stop } else { last > stop }, "{:?}", order);
        }
        for ((_, asset), most) in pairs {
            locked[asset] += most;
        }
        for (asset, locked) in (0..).map(AssetId).zip(locked) {
            prop_assert_eq!(exchange.balance(account, asset).unwrap().locked.units(), locked);
        }
    }
    Ok(())
}

fn since_beginning(secs: u64) -> Timestamp {
    BEGINNING.plus_millis(secs * 1_000)
}

fn journal_lines(exchange: &Exchange) -> Vec<String> {
    exchange.journal().iter().map(|entry| entry.to_string()).collect()
}

fn cases() -> ProptestConfig {
    ProptestConfig { cases: 300, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_naive_exchange_agrees_after_every_step(steps in steps(60)) {
        let mut driver = Driver::new();
        let mut reference = Reference::new();
        for step in &steps {
            let reply = driver.step(step);
            if let Step::Command { account, command } = step {
                let accepted = reference.apply(*account, &driver.resolve(command), driver.last_order());
                prop_assert_eq!(reply.is_ok(), accepted, "{:?}: {:?}", command, reply);
            }
            compare(&driver.exchange, &reference)?;
            conserved(&driver.exchange, driver.outside)?;
        }
    }

    #[test]
    fn replaying_the_journal_rebuilds_the_exchange(steps in any_steps(80), discounted: bool) {
        let mut driver = if discounted { Driver::discounted() } else { Driver::new() };
        for step in &steps {
            let _ = driver.step(step);
            conserved(&driver.exchange, driver.outside)?;
            held(&driver.exchange)?;
        }
        let exchange = &driver.exchange;
        let replayed = Exchange::replay(exchange.spec().clone(), exchange.journal()).unwrap();
        prop_assert_eq!(&replayed, exchange);
        // Every beginning of a journal is a journal.
        for len in [0, 1, exchange.journal().len() / 2] {
            let facts = exchange.journal().iter().take(usize::try_from(len).unwrap());
            let part = facts.map(|entry| (entry.at, entry.fact)).collect();
            prop_assert!(Exchange::replay(exchange.spec().clone(), &part).is_ok());
        }
    }

    #[test]
    fn the_same_input_gives_the_same_bytes(steps in any_steps(60)) {
        let (mut one, mut other) = (Driver::new(), Driver::new());
        for step in &steps {
            prop_assert_eq!(one.step(step), other.step(step));
        }
        prop_assert_eq!(one.events, other.events);
        prop_assert_eq!(journal_lines(&one.exchange), journal_lines(&other.exchange));
        prop_assert_eq!(one.exchange.journal().fingerprint(), other.exchange.journal().fingerprint());
    }

    #[test]
    fn market_figures_are_those_of_the_trades(steps in steps(80), interval in 1_u32..20, offset in -3_i32..3) {
        let mut driver = Driver::new();
        for step in &steps {
            let _ = driver.step(step);
        }
        let (exchange, now) = (&driver.exchange, driver.now);
        let trades = exchange.trades(SYMBOL, Page::newest(usize::MAX));
        let interval = exchange_engine::market::Interval::Seconds(interval);
        let query = KlineQuery { interval, from: None, to: None, limit: usize::MAX, utc_offset_mins: offset };
        let klines = exchange.klines(SYMBOL, now, &query);
        let mut close = Price::ZERO;
        let mut next = klines.first().map(|kline| kline.open_time);
        for kline in &klines {
            prop_assert_eq!(Some(kline.open_time), next);
            next = Some(kline.next_open_time);
            let inside: Vec<_> =
                trades.iter().filter(|t| t.time >= kline.open_time && t.time < kline.next_open_time).collect();
            let prices = || inside.iter().map(|trade| trade.price);
            prop_assert_eq!(kline.open, prices().next().unwrap_or(close));
            prop_assert_eq!(kline.high, prices().max().unwrap_or(close));
            prop_assert_eq!(kline.low, prices().min().unwrap_or(close));
            close = prices().next_back().unwrap_or(close);
            prop_assert_eq!(kline.close, close);
            prop_assert_eq!(kline.trades, inside.len() as u64);
            let sum = |units: &dyn Fn(&exchange_engine::Trade) -> i64| -> i128 {
                inside.iter().map(|trade| i128::from(units(trade))).sum()
            };
            prop_assert_eq!(kline.base.units(), sum(&|t| t.quantity.units()));
            prop_assert_eq!(kline.quote.units(), sum(&|t| t.quote.units()));
            prop_assert_eq!(
                kline.taker_buy_base.units(),
                sum(&|t| if t.is_buyer_maker { 0 } else { t.quantity.units() })
            );
        }
        prop_assert_eq!(klines.iter().map(|kline| kline.trades).sum::<u64>(), trades.len() as u64);

        let window = exchange.window_stats(SYMBOL, now.minus_millis(30_000), now.plus_millis(1_000)).unwrap();
        let inside: Vec<_> = trades.iter().filter(|t| t.time >= window.from && t.time < window.to).collect();
        prop_assert_eq!(window.trades, inside.len() as u64);
        prop_assert_eq!(window.open, inside.first().map(|t| t.price));
        prop_assert_eq!(window.last, inside.last().map(|t| t.price));
        prop_assert_eq!(window.last_trade, inside.last().map(|t| t.id));
        prop_assert_eq!(window.first_trade, inside.first().map(|t| t.id));
        prop_assert_eq!(window.high, inside.iter().map(|t| t.price).max());
        let before = trades.iter().rev().find(|t| t.time < window.from).map(|t| t.price);
        prop_assert_eq!(window.prev_close, before);

        // Aggregates: each holds neighbours of one taker, price and moment, and together they hold all.
        let mut from = 0;
        for aggregate in exchange.aggregate_trades(SYMBOL, Page::newest(usize::MAX)) {
            prop_assert_eq!(aggregate.first.0, from);
            from = aggregate.last.0 + 1;
            let held = trades.iter().filter(|t| t.id >= aggregate.first && t.id <= aggregate.last);
            let mut units = 0;
            for trade in held {
                prop_assert_eq!(
                    (trade.price, trade.time, trade.is_buyer_maker),
                    (aggregate.price, aggregate.time, aggregate.is_buyer_maker)
                );
                units += trade.quantity.units();
            }
            prop_assert_eq!(units, aggregate.quantity.units());
        }
        prop_assert_eq!(from, trades.len() as u64);
    }

    #[test]
    fn pages_are_parts_of_the_whole(
        steps in steps(80),
        account in 1_u32..4,
        from_id in proptest::option::of(0_u64..60),
        from in proptest::option::of(0_u64..60),
        to in proptest::option::of(0_u64..60),
        limit in 1_usize..12,
    ) {
        let mut driver = Driver::new();
        for step in &steps {
            let _ = driver.step(step);
        }
        let (exchange, account) = (&driver.exchange, AccountId(account));
        let (from, to) = (from.map(since_beginning), to.map(since_beginning));
        let page = Page { from_id, from, to, limit };
        let fits = |id: u64, time: Timestamp| {
            from_id.is_none_or(|from| id >= from)
                && from.is_none_or(|from| time >= from)
                && to.is_none_or(|to| time <= to)
        };
        let oldest = from_id.is_some() || from.is_some();
        let cut = |ids: Vec<u64>| -> Vec<u64> {
            let skip = if oldest { 0 } else { ids.len().saturating_sub(limit) };
            ids.into_iter().skip(skip).take(limit).collect()
        };

        let all = exchange.orders(account, SYMBOL, Page::newest(usize::MAX));
        prop_assert!(all.iter().all(|order| order.account == account));
        let wanted = cut(all.iter().filter(|o| fits(o.id.0, o.time)).map(|o| o.id.0).collect());
        let got = exchange.orders(account, SYMBOL, page);
        prop_assert_eq!(got.iter().map(|o| o.id.0).collect::<Vec<_>>(), wanted);

        let all = exchange.fills(account, SYMBOL, None, Page::newest(usize::MAX));
        let wanted = cut(all.iter().filter(|f| fits(f.trade.0, f.time)).map(|f| f.trade.0).collect());
        let got = exchange.fills(account, SYMBOL, None, page);
        prop_assert_eq!(got.iter().map(|f| f.trade.0).collect::<Vec<_>>(), wanted);

        let all = exchange.trades(SYMBOL, Page::newest(usize::MAX));
        let wanted = cut(all.iter().filter(|t| fits(t.id.0, t.time)).map(|t| t.id.0).collect());
        let got = exchange.trades(SYMBOL, page);
        prop_assert_eq!(got.iter().map(|t| t.id.0).collect::<Vec<_>>(), wanted);

        // What an order has executed is the sum of its fills.
        for order in exchange.orders(account, SYMBOL, Page::newest(usize::MAX)) {
            let fills = exchange.fills(account, SYMBOL, Some(order.id), Page::newest(usize::MAX));
            let (base, quote) = fills.iter().fold((0, 0), |(b, q), f| (b + f.quantity.units(), q + f.quote.units()));
            prop_assert_eq!((base, quote), (order.executed.units(), order.cumulative_quote.units()));
        }
    }
}

//! An exchange whose journal is capped forgets what is over, and decides what one that remembers everything decides.

use exchange_engine::market::{Interval, KlineQuery};
use exchange_engine::{
    AccountId, Amount, Command, Exchange, Fill, Journal, LimitTerms, ListLegs, ListRef, NewOrder, NewOrderList, Order,
    OrderId, OrderKind, OrderRef, Page, PendingLegs, Price, Quantity, Reply, Side, StopGoal, TimeInForce, Timestamp,
    TradeId,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::history::{BASE, Driver, QUOTE, SYMBOL, Step, Wish, any_steps};

const ALL: Page = Page::newest(usize::MAX);
/// The account of what stays open: the random steps know three others.
const KEEPER: AccountId = AccountId(4);
/// A price at which nobody can buy much.
const HIGH: i64 = 910_000_000_000_000_000;

/// One that remembers everything, and one that does not.
struct Pair {
    whole: Driver,
    capped: Driver,
}

impl Pair {
    fn new() -> Self {
        let mut pair = Self { whole: Driver::new(), capped: Driver::new() };
        pair.capped.exchange.cap_journal(Journal::CAP_MIN);
        pair
    }

    /// Carries out a step on both; what they reply and tell is the same.
    fn step(&mut self, step: &Step) -> Result<Option<Reply>, TestCaseError> {
        let (one, other) = (self.whole.step(step), self.capped.step(step));
        prop_assert_eq!(&one, &other, "{:?}", step);
        prop_assert_eq!(&self.whole.events, &self.capped.events);
        self.whole.events.clear();
        self.capped.events.clear();
        Ok(one.ok())
    }

    fn carry_out(&mut self, account: AccountId, command: Command) -> Result<Option<Reply>, TestCaseError> {
        self.step(&Step::Command { account, command: Wish::Command(command) })
    }

    /// Orders that stay open however long it goes on: one with a name far above the market, and a list whose first
    /// order is filled at once, while the other waits for a price that never comes.
    fn leave_open(&mut self) -> Result<(), TestCaseError> {
        for driver in [&mut self.whole, &mut self.capped] {
            prop_assert_eq!(driver.exchange.open_account(driver.now), Ok(KEEPER));
        }
        for asset in [BASE, QUOTE] {
            self.carry_out(KEEPER, Command::Deposit { asset, amount: Amount::from_units(1_000_000_000) })?;
        }
        let quantity = Quantity::from_units(100_000_000);
        let limit = |side, price| {
            let time_in_force = TimeInForce::Gtc;
            NewOrder::new(SYMBOL, side, OrderKind::Limit { time_in_force, quantity, price: Price::from_units(price) })
        };
        let high = NewOrder { client_order_id: Some("the-old-one".parse().unwrap()), ..limit(Side::Sell, HIGH) };
        self.carry_out(KEEPER, Command::Place(high))?;
        self.carry_out(AccountId(2), Command::Place(limit(Side::Sell, 100_000_000)))?;
        let never = Price::from_units(HIGH + 1);
        let stop = OrderKind::Stop {
            goal: StopGoal::Profit,
            stop_price: never,
            quantity,
            limit: Some(LimitTerms { time_in_force: TimeInForce::Gtc, price: never }),
        };
        let working = limit(Side::Buy, 100_000_000);
        let pending = PendingLegs::One(NewOrder::new(SYMBOL, Side::Sell, stop));
        let legs = ListLegs::Oto { working, pending, pays_other: false };
        let list = NewOrderList { symbol: SYMBOL, client_id: Some("the-old-list".parse().unwrap()), legs };
        let reply = self.carry_out(KEEPER, Command::PlaceList(Box::new(list)))?;
        prop_assert!(matches!(reply, Some(Reply::ListPlaced { .. })), "{:?}", reply);
        Ok(())
    }

    fn exchanges(&self) -> (&Exchange, &Exchange) {
        (&self.whole.exchange, &self.capped.exchange)
    }

    /// What is so now is the same.
    fn agree_on_the_present(&self) -> Result<(), TestCaseError> {
        let (whole, capped) = self.exchanges();
        let now = self.whole.now;
        prop_assert_eq!(whole.depth(SYMBOL, usize::MAX), capped.depth(SYMBOL, usize::MAX));
        prop_assert_eq!(whole.last_price(SYMBOL), capped.last_price(SYMBOL));
        prop_assert_eq!(whole.order_count(), capped.order_count());
        prop_assert_eq!(whole.trade_count(SYMBOL), capped.trade_count(SYMBOL));
        for mins in [0, 1, 5, 24 * 60] {
            prop_assert_eq!(whole.average_price(SYMBOL, mins, now), capped.average_price(SYMBOL, mins, now));
        }
        for hours in [1, 23] {
            let from = Timestamp::from_secs(now.as_secs() - hours * 3_600);
            prop_assert_eq!(whole.window_stats(SYMBOL, from, now), capped.window_stats(SYMBOL, from, now));
        }
        for account in (0..=KEEPER.0).map(AccountId) {
            prop_assert_eq!(whole.balances(account), capped.balances(account));
            prop_assert_eq!(whole.open_orders(account, None), capped.open_orders(account, None));
            prop_assert_eq!(whole.open_lists(account), capped.open_lists(account));
            prop_assert_eq!(whole.order_counts(account, now), capped.order_counts(account, now));
        }
        let interval: Interval = "1m".parse().unwrap();
        let query = KlineQuery { interval, utc_offset_mins: 0, from: None, to: None, limit: 60 };
        prop_assert_eq!(whole.klines(SYMBOL, now, &query), capped.klines(SYMBOL, now, &query));
        Ok(())
    }

    /// What one of them still tells of the past, the other tells as well, and of the newest nothing is missing.
    fn agree_on_the_past(&self) -> Result<(), TestCaseError> {
        let (whole, capped) = self.exchanges();
        let known = |id: u64| capped.any_order(OrderId(id));
        for id in 1..=whole.order_count() {
            let order = known(id);
            prop_assert!(order.is_none() || order == whole.any_order(OrderId(id)), "{id}");
        }
        let trades = capped.trades(SYMBOL, ALL);
        let all = whole.trades(SYMBOL, ALL);
        prop_assert_eq!(&trades[..], &all[all.len() - trades.len()..]);
        let first = trades.first().map_or(u64::MAX, |trade| trade.id.0);
        prop_assert!(capped.trade(SYMBOL, TradeId(first - 1)).is_none());

        let aggregates = capped.aggregate_trades(SYMBOL, ALL);
        let all = whole.aggregate_trades(SYMBOL, ALL);
        let wanted = all.iter().filter(|aggregate| aggregate.first.0 >= first);
        prop_assert!(aggregates.iter().eq(wanted));

        // Pages are cut from what is known.
        let page = Page { from_id: Some(0), limit: 7, ..ALL };
        prop_assert!(capped.trades(SYMBOL, page).iter().eq(trades.iter().take(7)));
        prop_assert!(capped.aggregate_trades(SYMBOL, page).iter().eq(aggregates.iter().take(7)));

        for account in (1..=KEEPER.0).map(AccountId) {
            let orders = capped.orders(account, SYMBOL, ALL);
            let of_all: Vec<Order> = whole.orders(account, SYMBOL, ALL);
            let wanted: Vec<&Order> = of_all.iter().filter(|order| known(order.id.0).is_some()).collect();
            prop_assert!(orders.iter().eq(wanted.iter().copied()));
            prop_assert!(capped.orders(account, SYMBOL, page).iter().eq(wanted.iter().copied().take(7)));
            let from = wanted.get(5).map(|order| order.time);
            let page = Page { from, ..ALL };
            let later = wanted.iter().copied().filter(|order| Some(order.time) >= from);
            prop_assert!(capped.orders(account, SYMBOL, page).iter().eq(later));

            let fills = capped.fills(account, SYMBOL, None, ALL);
            let of_all: Vec<Fill> = whole.fills(account, SYMBOL, None, ALL);
            let wanted: Vec<&Fill> = of_all.iter().filter(|fill| fill.trade.0 >= first).collect();
            prop_assert!(fills.iter().eq(wanted.iter().copied()));
            let page = Page { from_id: Some(0), limit: 9, ..ALL };
            prop_assert!(capped.fills(account, SYMBOL, None, page).iter().eq(wanted.iter().copied().take(9)));

            for list in capped.lists(account, ALL) {
                let same = whole.list(account, ListRef::Id(list.id)).unwrap();
                prop_assert_eq!((list.client_id, list.is_done), (same.client_id, same.is_done));
                prop_assert!(list.orders.iter().all(|order| same.orders.contains(order)));
            }
            for prevented in capped.prevented_matches(account, SYMBOL, None) {
                prop_assert!(whole.prevented_matches(account, SYMBOL, None).any(|one| one == prevented));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_capped_exchange_forgets_and_decides_as_ever(steps in any_steps(700)) {
        let mut pair = Pair::new();
        pair.leave_open()?;
        let mut rounds = 0;
        // Long enough for pages and chunks of every kind to go, several times.
        while pair.capped.exchange.journal().len() < 70_000 {
            for step in &steps {
                pair.step(step)?;
            }
            for (account, asset) in (1..4).flat_map(|id| [(AccountId(id), BASE), (AccountId(id), QUOTE)]) {
                pair.carry_out(account, Command::Deposit { asset, amount: Amount::from_units(900_000_000) })?;
            }
            rounds += 1;
            if rounds % 32 == 0 {
                pair.agree_on_the_present()?;
            }
            // Of a handful of steps that do next to nothing no end would come.
            prop_assume!(rounds < 1_000);
        }
        prop_assert!(pair.capped.exchange.journal().first() > 60_000);
        pair.agree_on_the_present()?;
        pair.agree_on_the_past()?;

        // Those that stayed open are known by every name, with all that belongs to them.
        let (whole, capped) = pair.exchanges();
        let name = OrderRef::Client("the-old-one".parse().unwrap());
        prop_assert_eq!(capped.order(KEEPER, SYMBOL, name), whole.order(KEEPER, SYMBOL, name));
        let name = ListRef::Client("the-old-list".parse().unwrap());
        let list = capped.list(KEEPER, name);
        prop_assert_eq!(&list, &whole.list(KEEPER, name));
        prop_assert_eq!(list.unwrap().orders.len(), 2);
    }
}

//! The liquidity provider's ladder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use exchange_engine::liquidity::Ladder;
use exchange_engine::{
    AccountId, AssetId, Command, Depth, Exchange, ExchangeSpec, Filter, Filters, LotSize, MarketSize, NewOrder,
    NotionalFilter, OrderKind, PriceFilter, Rejection, Side, SymbolId, SymbolSpec, TimeInForce, Timestamp,
};

const SYMBOL: SymbolId = SymbolId(0);
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn exchange() -> Exchange {
    let filters = Filters {
        price: Some(PriceFilter {
            min: "0.5".parse().unwrap(),
            tick: "0.5".parse().unwrap(),
            ..PriceFilter::default()
        }),
        lot: Some(LotSize { min: "0.01".parse().unwrap(), step: "0.01".parse().unwrap(), ..LotSize::default() }),
        notional: Some(NotionalFilter { min: "5".parse().unwrap(), ..NotionalFilter::default() }),
        ..Filters::default()
    };
    let symbol = SymbolSpec {
        name: "BTCUSDT".to_owned(),
        base: AssetId(0),
        quote: AssetId(1),
        quote_order_qty_market_allowed: true,
        filters,
        ..SymbolSpec::default()
    };
    let assets = vec!["BTC".to_owned(), "USDT".to_owned()];
    // More rungs than the order counts of a client allow.
    Exchange::new(ExchangeSpec { assets, symbols: vec![symbol], ..ExchangeSpec::default() }).unwrap()
}

fn ladder() -> Ladder {
    Ladder {
        symbol: SYMBOL,
        reference: "1000.3".parse().unwrap(),
        rungs: 80,
        spacing: "1.2".parse().unwrap(),
        quantity: "0.1".parse().unwrap(),
        thin_below: 70,
        seed: 7,
    }
}

/// A provider that owns exactly what the ladder needs.
fn provided(exchange: &mut Exchange, ladder: &Ladder) -> AccountId {
    let provider = exchange.open_provider(NOW).unwrap();
    let (base, quote) = ladder.needs(exchange).unwrap();
    for (asset, amount) in [(AssetId(0), base), (AssetId(1), quote)] {
        exchange.apply(NOW, provider, &Command::Deposit { asset, amount }).reply.unwrap();
    }
    provider
}

fn fill_up(exchange: &mut Exchange, ladder: &Ladder, provider: AccountId) -> usize {
    let commands = ladder.top_up(exchange, provider);
    for command in &commands {
        exchange.apply(NOW, provider, command).reply.unwrap();
    }
    commands.len()
}

fn depth(exchange: &Exchange) -> Depth {
    exchange.depth(SYMBOL, 1_000).unwrap()
}

#[test]
fn an_empty_book_gets_the_whole_ladder_for_exactly_what_it_needs() {
    let (mut exchange, ladder) = (exchange(), ladder());
    let provider = provided(&mut exchange, &ladder);
    assert_eq!(fill_up(&mut exchange, &ladder, provider), 160);
    let book = depth(&exchange);
    // The reference and the spacing are taken down to ticks: 1000 and 1.
    assert_eq!((book.bids.len(), book.asks.len()), (80, 80));
    assert_eq!(book.bids.first().unwrap().price, "999".parse().unwrap());
    assert_eq!(book.asks.first().unwrap().price, "1001".parse().unwrap());
    assert_eq!(book.asks.last().unwrap().price, "1080".parse().unwrap());
    for balance in exchange.balances(provider) {
        assert!(balance.free.is_zero(), "{balance:?}");
    }
    let quantities: std::collections::BTreeSet<_> = book.asks.iter().map(|level| level.quantity).collect();
    assert!(quantities.len() > 5, "the seed varies quantities: {quantities:?}");
    assert!(*quantities.first().unwrap() >= "0.05".parse().unwrap());
    assert!(*quantities.last().unwrap() <= "0.15".parse().unwrap());
    assert_eq!(exchange.trade_count(SYMBOL), 0);
}

#[test]
fn the_same_seed_gives_the_same_ladder_and_another_one_does_not() {
    let exchange = exchange();
    let ladder = ladder();
    let account = AccountId(1);
    assert_eq!(ladder.top_up(&exchange, account), ladder.top_up(&exchange, account));
    let other = Ladder { seed: 8, ..ladder };
    assert_ne!(ladder.top_up(&exchange, account), other.top_up(&exchange, account));
}

#[test]
fn only_a_thin_side_is_filled_up_and_never_by_trading() {
    let (mut exchange, ladder) = (exchange(), ladder());
    let provider = provided(&mut exchange, &ladder);
    fill_up(&mut exchange, &ladder, provider);
    let full = depth(&exchange);
    let client = exchange.open_account(NOW).unwrap();
    let usdt = Command::Deposit { asset: AssetId(1), amount: "1000000".parse().unwrap() };
    exchange.apply(NOW, client, &usdt).reply.unwrap();
    let buy = |exchange: &mut Exchange, levels: usize| {
        let book = depth(exchange);
        let quantity = book
            .asks
            .iter()
            .take(levels)
            .fold(exchange_engine::Quantity::ZERO, |sum, level| sum.checked_add(level.quantity).unwrap());
        let kind = OrderKind::Market { size: MarketSize::Base(quantity) };
        let order = NewOrder::new(SYMBOL, Side::Buy, kind);
        exchange.apply(NOW, client, &Command::Place(order)).reply.unwrap();
    };

    // Ten of eighty are gone: seventy are not thin. One more is.
    buy(&mut exchange, 10);
    assert_eq!(fill_up(&mut exchange, &ladder, provider), 0);
    buy(&mut exchange, 1);

    // Sales paid more quote asset than the bids need; what was sold must come in again.
    let btc = Command::Deposit { asset: AssetId(0), amount: "10".parse().unwrap() };
    exchange.apply(NOW, provider, &btc).reply.unwrap();
    let trades = exchange.trade_count(SYMBOL);
    assert_eq!(fill_up(&mut exchange, &ladder, provider), 11);
    assert_eq!(depth(&exchange).asks, full.asks);
    assert_eq!(depth(&exchange).bids, full.bids);

    // With a lower reference only asks that meet no bid could be added, but they are not thin; the bids are gone.
    let lower = Ladder { reference: "990".parse().unwrap(), thin_below: 1_000, ..ladder };
    let commands = lower.top_up(&exchange, provider);
    assert!(!commands.is_empty());
    for command in &commands {
        let Command::Place(NewOrder { side, kind: OrderKind::Limit { price, .. }, .. }) = command else {
            panic!("{command:?}")
        };
        assert!(*side == Side::Buy || *price > "999".parse().unwrap(), "{command:?} would trade");
    }
    assert_eq!(exchange.trade_count(SYMBOL), trades);
}

#[test]
fn rungs_respect_the_smallest_lot_and_notional_and_stop_above_zero() {
    let (mut exchange, ladder) = (exchange(), ladder());
    let small = Ladder {
        reference: "10".parse().unwrap(),
        quantity: "0.000001".parse().unwrap(),
        spacing: "0".parse().unwrap(),
        ..ladder
    };
    let provider = provided(&mut exchange, &small);
    fill_up(&mut exchange, &small, provider);
    let book = depth(&exchange);
    assert_eq!(book.asks.len(), 80);
    assert_eq!(book.bids.len(), 19, "from 9.5 down to 0.5");
    assert_eq!(book.bids.last().unwrap().price, "0.5".parse().unwrap());
}

#[test]
fn a_provider_may_order_what_is_worth_less_than_an_order_of_a_client() {
    let (mut exchange, ladder) = (exchange(), ladder());
    let (client, provider) = (exchange.open_account(NOW).unwrap(), exchange.open_provider(NOW).unwrap());
    for account in [client, provider] {
        let deposit = Command::Deposit { asset: AssetId(1), amount: "100".parse().unwrap() };
        exchange.apply(NOW, account, &deposit).reply.unwrap();
    }
    let quantity = "0.01".parse().unwrap();
    let order = ladder.order(Side::Buy, TimeInForce::Gtc, quantity, "100".parse().unwrap());
    assert_eq!(exchange.apply(NOW, client, &order).reply, Err(Rejection::Filter(Filter::Notional)));
    assert!(exchange.apply(NOW, provider, &order).reply.is_ok());
}

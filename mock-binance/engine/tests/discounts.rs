//! Commissions paid in the discount's asset: who pays how much in which asset, while there is enough of it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use exchange_engine::{
    AccountId, Amount, AssetId, Command, Commissions, Discount, DiscountReading, Exchange, ExchangeSpec, Fill,
    NewOrder, OrderKind, Page, Ratio, Side, SymbolId, SymbolSpec, TimeInForce, Timestamp,
};

const NOW: Timestamp = Timestamp::from_secs(1);
const BTC: AssetId = AssetId(0);
const USDT: AssetId = AssetId(1);
const BNB: AssetId = AssetId(2);

/// BTCUSDT at a hundredth for everybody; BNB costs 10 USDT, and whoever pays in it pays half.
fn exchange(bnb_price: Option<&str>) -> Exchange {
    let symbol = |name: &str, base, price: Option<&str>| SymbolSpec {
        name: name.to_owned(),
        base,
        quote: USDT,
        commissions: Commissions::by_role(Ratio::from_units(1_000_000), Ratio::from_units(1_000_000)),
        opening_price: price.map(|price| price.parse().unwrap()),
        ..SymbolSpec::default()
    };
    Exchange::new(ExchangeSpec {
        assets: vec!["BTC".to_owned(), "USDT".to_owned(), "BNB".to_owned()],
        symbols: vec![symbol("BTCUSDT", BTC, Some("100")), symbol("BNBUSDT", BNB, bnb_price)],
        discount: Some(Discount { asset: BNB, rate: Ratio::from_units(50_000_000), reading: DiscountReading::Paid }),
        ..ExchangeSpec::default()
    })
    .unwrap()
}

fn fund(exchange: &mut Exchange, account: AccountId, balances: [&str; 3]) {
    for (asset, amount) in [BTC, USDT, BNB].into_iter().zip(balances) {
        let amount: Amount = amount.parse().unwrap();
        if amount.is_positive() {
            exchange.apply(NOW, account, &Command::Deposit { asset, amount }).reply.unwrap();
        }
    }
}

fn order(exchange: &mut Exchange, account: AccountId, side: Side, quantity: &str, price: &str) {
    let (quantity, price) = (quantity.parse().unwrap(), price.parse().unwrap());
    let kind = OrderKind::Limit { quantity, price, time_in_force: TimeInForce::Gtc };
    let order = NewOrder::new(SymbolId(0), side, kind);
    exchange.apply(NOW, account, &Command::Place(order)).reply.unwrap();
}

fn paid(exchange: &Exchange, account: AccountId) -> Vec<(String, AssetId)> {
    let fills: Vec<Fill> = exchange.fills(account, SymbolId(0), None, Page::newest(usize::MAX));
    fills.iter().map(|fill| (fill.commission.to_string(), fill.commission_asset)).collect()
}

fn free(exchange: &Exchange, account: AccountId, asset: AssetId) -> String {
    exchange.balance(account, asset).unwrap().free.to_string()
}

#[test]
fn an_order_pays_in_bnb_until_it_has_run_out() {
    let mut exchange = exchange(Some("10"));
    let (maker, taker) = (exchange.open_account(NOW).unwrap(), exchange.open_discounted(NOW).unwrap());
    fund(&mut exchange, maker, ["0", "1000", "5"]);
    fund(&mut exchange, taker, ["3", "0", "0.12"]);
    for price in ["102", "101", "100"] {
        order(&mut exchange, maker, Side::Buy, "1", price);
    }
    order(&mut exchange, taker, Side::Sell, "3", "100");
    // A hundredth of 102 USDT is 1.02 USDT or 0.102 BNB, half of that 0.051; after two such there are 0.0185 BNB left.
    let expected = [("0.05100000", BNB), ("0.05050000", BNB), ("1.00000000", USDT)];
    assert_eq!(paid(&exchange, taker), expected.map(|(amount, asset)| (amount.to_owned(), asset)));
    assert_eq!(free(&exchange, taker, BNB), "0.01850000");
    assert_eq!(free(&exchange, taker, USDT), "302.00000000");
    // Who has not asked for it pays as ever, BNB or not.
    assert_eq!(paid(&exchange, maker), vec![("0.01000000".to_owned(), BTC); 3]);
    assert_eq!(free(&exchange, AccountId::FEES, BNB), "0.10150000");
    let replayed = Exchange::replay(exchange.spec().clone(), exchange.journal()).unwrap();
    assert_eq!(replayed, exchange);
}

#[test]
fn who_trades_with_itself_pays_twice_from_one_purse() {
    for (bnb, expected) in [("0.1", [BNB, BNB]), ("0.09999999", [BNB, USDT])] {
        let mut exchange = exchange(Some("10"));
        let account = exchange.open_discounted(NOW).unwrap();
        fund(&mut exchange, account, ["1", "100", bnb]);
        order(&mut exchange, account, Side::Buy, "1", "100");
        order(&mut exchange, account, Side::Sell, "1", "100");
        let assets: Vec<_> = paid(&exchange, account).into_iter().map(|(_, asset)| asset).collect();
        // The buyer's hundredth of a bitcoin is worth 1 USDT as well.
        let mut sorted = assets.clone();
        sorted.sort_by_key(|asset| *asset != BNB);
        assert_eq!(sorted, expected, "{bnb}: {assets:?}");
    }
}

#[test]
fn without_a_price_there_is_no_discount() {
    let mut exchange = exchange(None);
    let account = exchange.open_discounted(NOW).unwrap();
    fund(&mut exchange, account, ["1", "100", "1"]);
    order(&mut exchange, account, Side::Buy, "1", "100");
    order(&mut exchange, account, Side::Sell, "1", "100");
    assert_eq!(free(&exchange, account, BNB), "1.00000000");
}

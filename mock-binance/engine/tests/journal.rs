//! The journal as others see it: lines, places, and what does not replay.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use exchange_engine::{
    AccountId, AccountKind, AssetId, Command, Exchange, ExchangeSpec, Fact, Journal, NewOrder, OrderKind, ReplayError,
    Side, SymbolId, SymbolSpec, TimeInForce, Timestamp,
};

fn spec() -> ExchangeSpec {
    let symbol = SymbolSpec { name: "BTCUSDT".to_owned(), quote: AssetId(1), ..SymbolSpec::default() };
    ExchangeSpec { assets: vec!["BTC".to_owned(), "USDT".to_owned()], symbols: vec![symbol], ..ExchangeSpec::default() }
}

fn place(side: Side, quantity: &str, price: &str) -> Command {
    let kind = OrderKind::Limit {
        time_in_force: TimeInForce::Gtc,
        quantity: quantity.parse().unwrap(),
        price: price.parse().unwrap(),
    };
    Command::Place(NewOrder {
        client_order_id: Some("my-id".parse().unwrap()),
        ..NewOrder::new(SymbolId(0), side, kind)
    })
}

/// Two orders that trade, one that is refused, one that is cancelled.
fn lived() -> Exchange {
    let mut exchange = Exchange::new(spec()).unwrap();
    let now = Timestamp::from_millis(1_500);
    let account = exchange.open_account(now).unwrap();
    for asset in [AssetId(0), AssetId(1)] {
        let command = Command::Deposit { asset, amount: "100".parse().unwrap() };
        exchange.apply(now, account, &command).reply.unwrap();
    }
    exchange.apply(now, account, &place(Side::Sell, "1", "2.5")).reply.unwrap();
    exchange.apply(now, account, &place(Side::Buy, "1", "99")).reply.unwrap_err();
    exchange.apply(now.plus_millis(1), AccountId(2), &place(Side::Buy, "1", "99")).reply.unwrap_err();
    exchange.apply(now.plus_millis(2), account, &Command::CancelAll { symbol: SymbolId(0) }).reply.unwrap();
    // A clock that goes backwards stands still.
    exchange.apply(now, account, &place(Side::Sell, "1", "2.5")).reply.unwrap();
    let Command::Place(order) = place(Side::Buy, "1", "3") else { unreachable!() };
    exchange.apply(now, account, &Command::Place(NewOrder { client_order_id: None, ..order })).reply.unwrap();
    exchange
}

#[test]
fn entries_read_as_lines() {
    let lines: Vec<String> = lived().journal().iter().map(|entry| entry.to_string()).collect();
    assert_eq!(
        lines,
        [
            "0 1.500000 account-opened account=1 kind=ordinary",
            "1 1.500000 deposited account=1 asset=0 amount=100.00000000",
            "2 1.500000 deposited account=1 asset=1 amount=100.00000000",
            "3 1.500000 accepted order=1 account=1 symbol=0 SELL LIMIT GTC price=2.50000000 quantity=1.00000000 \
             quote-order-qty=0.00000000 client=my-id",
            "4 1.500000 booked order=1",
            "5 1.500000 rejected account=1 place symbol=0 BUY LIMIT cause=\"duplicate order sent\"",
            "6 1.501000 rejected account=2 place symbol=0 BUY LIMIT cause=\"no such account\"",
            "7 1.502000 canceled order=1 by=-",
            "8 1.502000 accepted order=2 account=1 symbol=0 SELL LIMIT GTC price=2.50000000 quantity=1.00000000 \
             quote-order-qty=0.00000000 client=my-id",
            "9 1.502000 booked order=2",
            "10 1.502000 accepted order=3 account=1 symbol=0 BUY LIMIT GTC price=3.00000000 quantity=1.00000000 \
             quote-order-qty=0.00000000 client=-",
            "11 1.502000 traded maker=2 taker=3 price=2.50000000 quantity=1.00000000 quote=2.50000000 \
             maker-commission=0.00000000 taker-commission=0.00000000",
        ]
    );
}

#[test]
fn reading_can_start_anywhere() {
    let exchange = lived();
    let journal = exchange.journal();
    for seq in 0..=journal.len() + 1 {
        let rest: Vec<u64> = journal.since(seq).map(|entry| entry.seq).collect();
        assert_eq!(rest, (seq..journal.len()).collect::<Vec<_>>());
    }
}

#[test]
fn a_journal_of_many_chunks_reads_and_starts_anywhere() {
    let facts = (0..50_000_u32).map(|n| {
        let account = AccountId(n);
        (Timestamp::from_millis(n.into()), Fact::AccountOpened { account, kind: AccountKind::Provider })
    });
    let journal: Journal = facts.clone().collect();
    assert!(journal.encoded_bytes() > 3 * 64 * 1024, "{}", journal.encoded_bytes());
    let read: Vec<_> = journal.iter().map(|entry| (entry.at, entry.fact)).collect();
    assert_eq!(read, facts.collect::<Vec<_>>());
    for seq in [1, 9_999, 16_384, 25_000, 49_999] {
        let first = journal.since(seq).next().unwrap();
        assert_eq!((first.seq, first.at.as_millis()), (seq, seq));
        assert_eq!(journal.since(seq).count() as u64, 50_000 - seq);
    }
}

#[test]
fn a_capped_journal_keeps_its_newest_entries_and_does_not_replay() {
    let mut whole = Exchange::new(spec()).unwrap();
    let mut capped = whole.clone();
    capped.cap_journal(2 * Journal::CAP_MIN + 1);
    for turn in 0..60_000 {
        let now = Timestamp::from_millis(turn);
        assert_eq!(whole.open_account(now), capped.open_account(now));
        assert!(capped.journal().encoded_bytes() <= 2 * Journal::CAP_MIN, "turn {turn}");
    }
    let (kept, all) = (capped.journal(), whole.journal());
    assert_eq!((all.first(), all.len(), kept.len()), (0, 60_000, 60_000));
    assert!(kept.first() > 0 && kept.encoded_bytes() > Journal::CAP_MIN, "{}", kept.first());
    let rest: Vec<_> = all.since(kept.first()).collect();
    assert_eq!(kept.iter().collect::<Vec<_>>(), rest);
    // From before the oldest one on is all that there is.
    assert_eq!(kept.since(3).collect::<Vec<_>>(), rest);
    assert_eq!(kept.since(59_999).count(), 1);

    let refused = Exchange::replay(spec(), kept).unwrap_err();
    assert_eq!(refused, ReplayError::Capped { first: kept.first() });
    assert!(refused.to_string().starts_with("the journal starts at entry "), "{refused}");
    assert!(Exchange::replay(spec(), all) == Ok(whole.clone()));
    // A cap that comes late drops at once, and one below the least keeps the least.
    whole.cap_journal(0);
    assert!(whole.journal().first() > kept.first() && !whole.journal().is_empty());
    assert_eq!(whole.journal().iter().last().map(|entry| entry.seq), Some(59_999));
}

#[test]
fn a_journal_that_was_tampered_with_does_not_replay() {
    let exchange = lived();
    let entries: Vec<_> = exchange.journal().iter().map(|entry| (entry.at, entry.fact)).collect();
    let replay = |facts: &[(Timestamp, Fact)]| Exchange::replay(spec(), &facts.iter().copied().collect());
    assert!(replay(&entries) == Ok(exchange.clone()));

    let fails_at = |seq: usize, change: &dyn Fn(&mut Fact)| {
        let mut entries = entries.clone();
        change(&mut entries[seq].1);
        assert_ne!(entries[seq], exchange.journal().since(seq as u64).next().map(|e| (e.at, e.fact)).unwrap());
        replay(&entries).expect_err("it replayed")
    };
    // A deposit too small for what is locked next.
    let poor = fails_at(1, &|fact| {
        if let Fact::Deposited { amount, .. } = fact {
            *amount = "0.5".parse().unwrap();
        }
    });
    assert_eq!(poor, ReplayError::Entry { seq: 3 });
    // A trade of more than was ordered.
    let greedy = fails_at(11, &|fact| {
        if let Fact::Traded(traded) = fact {
            traded.quantity = "1.00000001".parse().unwrap();
            traded.quote = "2.50000002".parse().unwrap();
        }
    });
    assert_eq!(greedy, ReplayError::Entry { seq: 11 });
    // A commission of more than was received.
    let dear = fails_at(11, &|fact| {
        if let Fact::Traded(traded) = fact {
            traded.taker_commission = "1000".parse().unwrap();
        }
    });
    assert_eq!(dear, ReplayError::Entry { seq: 11 });
    // Money out of nothing, against which nobody could hold anything.
    let negative = fails_at(2, &|fact| {
        if let Fact::Deposited { amount, .. } = fact {
            *amount = "-1".parse().unwrap();
        }
    });
    assert_eq!(negative, ReplayError::Entry { seq: 2 });
    // A price that is neither order's.
    let cheap = fails_at(11, &|fact| {
        if let Fact::Traded(traded) = fact {
            traded.price = "2.6".parse().unwrap();
            traded.quote = "2.6".parse().unwrap();
        }
    });
    assert_eq!(cheap, ReplayError::Entry { seq: 11 });
    // An entry left out: the order that is booked next does not exist.
    let mut short = entries.clone();
    short.remove(3);
    assert_eq!(replay(&short).err(), Some(ReplayError::Entry { seq: 3 }));
    // Closed twice.
    let mut twice = entries.clone();
    twice.insert(8, entries[7]);
    assert_eq!(replay(&twice).err(), Some(ReplayError::Entry { seq: 8 }));
    // Another specification.
    let other = Exchange::replay(ExchangeSpec { symbols: Vec::new(), ..spec() }, exchange.journal());
    assert_eq!(other.unwrap_err(), ReplayError::Entry { seq: 3 });
}

#[test]
fn a_specification_whose_parts_do_not_fit_is_refused() {
    let broken = |change: &dyn Fn(&mut ExchangeSpec)| {
        let mut spec = spec();
        change(&mut spec);
        Exchange::new(spec).unwrap_err().to_string()
    };
    assert_eq!(broken(&|spec| spec.assets.push("BTC".to_owned())), "asset `BTC` is listed twice: list it once");
    assert_eq!(
        broken(&|spec| spec.symbols.push(spec.symbols[0].clone())),
        "symbol `BTCUSDT` is listed twice: list it once"
    );
    for quote in [AssetId(0), AssetId(2)] {
        assert_eq!(
            broken(&|spec| spec.symbols[0].quote = quote),
            "symbol `BTCUSDT` needs two different assets from the list of assets"
        );
    }
    for rate in ["-0.1", "1.00000001"] {
        assert_eq!(
            broken(&|spec| spec.symbols[0].commissions.standard.maker = rate.parse().unwrap()),
            "symbol `BTCUSDT` has a commission rate below 0, or rates that come to more than 1"
        );
    }
    assert_eq!(
        broken(&|spec| spec.symbols[0].filters.iceberg_parts = Some(1_001)),
        "symbol `BTCUSDT` lets an iceberg order have more than 1000 parts: lower its ICEBERG_PARTS"
    );
}

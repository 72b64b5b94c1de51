use super::*;
use crate::packing::Reader;

fn round_trip(fact: Fact) {
    let after = |newest| Context { newest: OrderId(newest), price: Price::from_units(77), ..Context::default() };
    // As after a fact of the same kind: most of it need not be told again.
    let alike = Context { newest: OrderId((1 << 40) - 1), ..Context::default().after(&fact) };
    for context in [Context::default(), after(1), after(1 << 40), after(u64::MAX), alike] {
        let mut bytes = Vec::new();
        put_fact(&mut bytes, &fact, &context);
        assert_eq!(bytes.first().map(|tag| tag & LATER), Some(0), "{fact}");
        let mut reader = Reader { context, ..Reader::new(&bytes) };
        assert_eq!(reader.fact(), Some(fact));
        assert!(reader.rest().is_empty(), "{fact}");
        for cut in 0..bytes.len() {
            assert_eq!(Reader { context, ..Reader::new(&bytes[..cut]) }.fact(), None, "{fact} cut at {cut}");
        }
    }
}

#[test]
fn every_fact_comes_back() {
    let (account, order, symbol) = (AccountId(300), OrderId(1 << 40), SymbolId(9));
    let amount = Amount::from_units(i64::MAX);
    let client: ClientOrderId = "a-client_id".parse().unwrap();
    for kind in AccountKind::ALL {
        round_trip(Fact::AccountOpened { account, kind });
    }
    round_trip(Fact::Deposited { account, asset: AssetId(1), amount });
    round_trip(Fact::Withdrawn { account, asset: AssetId(1), amount });
    round_trip(Fact::Booked { order });
    for client_order_id in [None, Some(client)] {
        for (side, order_type, time_in_force) in [
            (Side::Buy, OrderType::Limit, TimeInForce::Fok),
            (Side::Sell, OrderType::LimitMaker, TimeInForce::Gtc),
            (Side::Buy, OrderType::Market, TimeInForce::Ioc),
        ] {
            let member = Member { list: ListId(77), pending: side == Side::Buy, twin_holds: side == Side::Sell };
            round_trip(Fact::Accepted(Accepted {
                order,
                account,
                symbol,
                side,
                order_type,
                time_in_force,
                price: Price::from_units(5),
                stop_price: if order_type.stop_goal().is_some() { Price::from_units(8) } else { Price::ZERO },
                quantity: Quantity::from_units(6),
                quote_order_qty: amount,
                client_order_id,
                member: client_order_id.map(|_| member),
                prevention: if side == Side::Buy { PreventionMode::Transfer } else { PreventionMode::None },
                iceberg: client_order_id.map(|_| Quantity::from_units(300)),
                trailing_delta: (side == Side::Sell).then_some(2_000),
            }));
        }
        round_trip(Fact::Closed { order, closing: Closing::Canceled(client_order_id) });
    }
    round_trip(Fact::Triggered { order });
    for mode in PreventionMode::ALL {
        round_trip(Fact::Prevented(Prevented {
            maker: OrderId(1),
            taker: order,
            mode,
            price: Price::from_units(7),
            maker_quantity: Quantity::from_units(900),
            taker_quantity: Quantity::ZERO,
        }));
    }
    for kind in LIST_KINDS {
        round_trip(Fact::ListOpened(ListOpened { list: ListId(9), account, symbol, kind, client_id: client }));
        round_trip(Fact::Rejected {
            account,
            request: Request::PlaceList { symbol, kind },
            cause: Rejection::ListPrices,
        });
    }
    for twin_holds in [false, true] {
        round_trip(Fact::Released { order, quantity: Quantity::from_units(70), twin_holds });
    }
    round_trip(Fact::ListClosed { list: ListId(u32::MAX) });
    round_trip(Fact::Amended { order, quantity: Quantity::from_units(3), client_order_id: client });
    round_trip(Fact::NotAttempted { account });
    for (maker_discounted, taker_discounted) in [(false, false), (true, false), (false, true), (true, true)] {
        round_trip(Fact::Traded(Traded {
            maker: OrderId(1),
            taker: order,
            price: "3.5".parse().unwrap(),
            quantity: "2".parse().unwrap(),
            quote: "7".parse().unwrap(),
            maker_commission: Amount::from_units(1),
            taker_commission: Amount::from_units(2),
            maker_discounted,
            taker_discounted,
        }));
    }
    for reason in EXPIRIES {
        round_trip(Fact::Closed { order, closing: Closing::Expired(reason) });
    }
    let hit = OrderCountHit { limit: WindowLimit { window_secs: 10, limit: 5 }, resets_at: Timestamp::MAX };
    let particular = FILTERS.map(Rejection::Filter).into_iter().chain([Rejection::TooManyOrders(hit)]);
    for cause in CAUSES.into_iter().chain(particular) {
        round_trip(Fact::Rejected { account, request: Request::CancelAll { symbol }, cause });
    }
    let cause = Rejection::Overflow;
    for request in [
        Request::Place { symbol, side: Side::Sell, order_type: OrderType::Market },
        Request::Cancel { symbol },
        Request::CancelList { symbol },
        Request::CancelReplace { symbol },
        Request::Amend { symbol },
        Request::Deposit { asset: AssetId(7) },
        Request::Withdraw { asset: AssetId(7) },
    ] {
        round_trip(Fact::Rejected { account, request, cause });
    }
    for status in STATUSES {
        for until in [None, Some(Timestamp::from_secs(7))] {
            round_trip(Fact::StatusChanged { symbol, status, until });
        }
    }
}

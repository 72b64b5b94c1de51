//! Successful answers: field names and types as documented, field order as observed, and what they say.

use serde_json::{Value, json};

use crate::support::{Bench, bench, difference, keys};

fn documented(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../data/rest_examples.json")).unwrap();
    let example = all["examples"][name].clone();
    assert!(!example.is_null(), "no example of {name}");
    example
}

fn observed(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../data/observed_answers.json")).unwrap();
    all["answers"][name].clone()
}

fn check(name: &str, actual: &Value) {
    assert_eq!(difference(name, &documented(name), actual), None);
}

/// A mock on which the account has traded and has an order open.
async fn lived_in() -> Bench {
    let bench = bench().await;
    bench.bought().await;
    bench.resting().await;
    bench
}

#[tokio::test]
async fn public_answers_have_the_documented_shape() {
    let bench = lived_in().await;
    for (name, target) in [
        ("GET /api/v3/ping", "/api/v3/ping"),
        ("GET /api/v3/time", "/api/v3/time"),
        ("GET /api/v3/exchangeInfo", "/api/v3/exchangeInfo"),
        ("GET /api/v3/depth", "/api/v3/depth?symbol=BTCUSDT"),
        ("GET /api/v3/trades", "/api/v3/trades?symbol=BTCUSDT"),
        ("GET /api/v3/aggTrades", "/api/v3/aggTrades?symbol=BTCUSDT"),
        ("GET /api/v3/klines", "/api/v3/klines?symbol=BTCUSDT&interval=1m"),
        ("GET /api/v3/avgPrice", "/api/v3/avgPrice?symbol=BTCUSDT"),
        ("GET /api/v3/ticker/24hr FULL", "/api/v3/ticker/24hr?symbol=BTCUSDT"),
        ("GET /api/v3/ticker/24hr FULL all", "/api/v3/ticker/24hr"),
        ("GET /api/v3/ticker/24hr MINI", "/api/v3/ticker/24hr?symbol=BTCUSDT&type=MINI"),
        ("GET /api/v3/ticker/price", "/api/v3/ticker/price?symbol=BTCUSDT"),
        ("GET /api/v3/ticker/price all", "/api/v3/ticker/price?symbols=%5B%22BTCUSDT%22,%22ETHBTC%22%5D"),
        ("GET /api/v3/ticker/bookTicker", "/api/v3/ticker/bookTicker?symbol=BTCUSDT"),
        ("GET /api/v3/ticker/bookTicker all", "/api/v3/ticker/bookTicker"),
    ] {
        check(name, &bench.get(target).await.ok());
    }
}

#[tokio::test]
async fn signed_answers_have_the_documented_shape() {
    let bench = lived_in().await;
    let market = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001";
    for kind in ["ACK", "RESULT", "FULL"] {
        let answer = bench.order(&format!("{market}&newOrderRespType={kind}")).await.ok();
        check(&format!("POST /api/v3/order {kind}"), &answer);
    }
    for (name, method, path, query) in [
        ("POST /api/v3/order/test", "POST", "/api/v3/order/test", market.to_owned()),
        (
            "POST /api/v3/order/test rates",
            "POST",
            "/api/v3/order/test",
            format!("{market}&computeCommissionRates=true"),
        ),
        ("GET /api/v3/account", "GET", "/api/v3/account", String::new()),
        ("GET /api/v3/order", "GET", "/api/v3/order", "symbol=BTCUSDT&orderId=162".to_owned()),
        ("GET /api/v3/openOrders", "GET", "/api/v3/openOrders", String::new()),
        ("GET /api/v3/allOrders", "GET", "/api/v3/allOrders", "symbol=BTCUSDT".to_owned()),
        ("GET /api/v3/myTrades", "GET", "/api/v3/myTrades", "symbol=BTCUSDT".to_owned()),
    ] {
        check(name, &bench.signed(method, path, &query).await.ok());
    }
    bench.resting().await;
    let one = bench.signed("DELETE", "/api/v3/order", "symbol=BTCUSDT&orderId=162").await.ok();
    check("DELETE /api/v3/order", &one);
    let all = bench.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await.ok();
    check("DELETE /api/v3/openOrders", &all);
    assert_eq!(keys(&one), keys(&documented("DELETE /api/v3/order")));
}

#[tokio::test]
async fn fields_come_in_the_order_of_the_live_exchange() {
    let bench = lived_in().await;
    let limit = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000";
    let placed = bench.order(limit).await.ok();
    assert_eq!(keys(&placed), keys(&observed("POST /api/v3/order")));
    let account = bench.signed("GET", "/api/v3/account", "").await.ok();
    assert_eq!(keys(&account), keys(&observed("GET /api/v3/account")));
    let order = bench.signed("GET", "/api/v3/order", "symbol=BTCUSDT&orderId=162").await.ok();
    assert_eq!(keys(&order), keys(&observed("GET /api/v3/order")));
    let open = bench.signed("GET", "/api/v3/openOrders", "symbol=BTCUSDT").await.ok();
    assert_eq!(keys(&open[0]), keys(&observed("GET /api/v3/openOrders")[0]));
    let trades = bench.signed("GET", "/api/v3/myTrades", "symbol=BTCUSDT").await.ok();
    assert_eq!(keys(&trades[0]), keys(&observed("GET /api/v3/myTrades")[0]));
    let day = bench.get("/api/v3/ticker/24hr?symbol=BTCUSDT").await.ok();
    assert_eq!(keys(&day), keys(&documented("GET /api/v3/ticker/24hr FULL")));
    let mini = bench.get("/api/v3/ticker/24hr?symbol=BTCUSDT&type=MINI").await.ok();
    assert_eq!(keys(&mini), keys(&documented("GET /api/v3/ticker/24hr MINI")));
    let info = bench.get("/api/v3/exchangeInfo?symbol=BTCUSDT").await.ok();
    let row = &documented("GET /api/v3/exchangeInfo")["symbols"][0];
    assert_eq!(keys(&info["symbols"][0]), keys(row));
}

#[tokio::test]
async fn an_order_moves_money_and_market_data_alike() {
    let bench = bench().await;
    let bought = bench.bought().await;
    assert_eq!(bought["status"], "FILLED");
    assert_eq!(bought["timeInForce"], "GTC");
    assert_eq!(bought["price"], "0.00000000");
    assert_eq!(bought["transactTime"], crate::support::START_MS);
    let fill = &bought["fills"][0];
    assert_eq!(fill["qty"], "0.00100000");
    assert_eq!((&fill["commission"], &fill["commissionAsset"]), (&json!("0.00000100"), &json!("BTC")));
    let price = fill["price"].as_str().unwrap();

    let account = bench.signed("GET", "/api/v3/account", "").await.ok();
    let balance = |asset: &str| {
        let rows = account["balances"].as_array().unwrap();
        let row = rows.iter().find(|row| row["asset"] == asset).unwrap();
        (row["free"].as_str().unwrap().to_owned(), row["locked"].as_str().unwrap().to_owned())
    };
    assert_eq!(balance("BTC"), ("1.00099900".to_owned(), "0.00000000".to_owned()));
    assert_eq!(account["makerCommission"], 10);
    assert_eq!(account["commissionRates"]["taker"], "0.00100000");

    let trade = &bench.get("/api/v3/trades?symbol=BTCUSDT").await.ok()[0];
    assert_eq!(
        (&trade["price"], &trade["qty"], &trade["isBuyerMaker"]),
        (&json!(price), &json!("0.00100000"), &json!(false))
    );
    let aggregate = &bench.get("/api/v3/aggTrades?symbol=BTCUSDT").await.ok()[0];
    assert_eq!((&aggregate["p"], &aggregate["f"], &aggregate["l"]), (&json!(price), &json!(0), &json!(0)));
    let last = bench.get("/api/v3/ticker/price?symbol=BTCUSDT").await.ok();
    assert_eq!(last, json!({"symbol": "BTCUSDT", "price": price}));
    let day = bench.get("/api/v3/ticker/24hr?symbol=BTCUSDT").await.ok();
    assert_eq!((&day["lastPrice"], &day["volume"], &day["count"]), (&json!(price), &json!("0.00100000"), &json!(1)));
    let candle = &bench.get("/api/v3/klines?symbol=BTCUSDT&interval=1m").await.ok()[0];
    let opened = crate::support::START_MS;
    assert_eq!(
        (&candle[0], &candle[6], &candle[4], &candle[8]),
        (&json!(opened), &json!(opened + 59_999), &json!(price), &json!(1))
    );
    let average = bench.get("/api/v3/avgPrice?symbol=BTCUSDT").await.ok();
    assert_eq!(average, json!({"mins": 5, "price": price, "closeTime": opened}));
    let mine = &bench.signed("GET", "/api/v3/myTrades", "symbol=BTCUSDT&orderId=161").await.ok()[0];
    assert_eq!((&mine["orderId"], &mine["isBuyer"], &mine["isMaker"]), (&json!(161), &json!(true), &json!(false)));
}

#[tokio::test]
async fn an_order_lives_through_query_and_cancel() {
    let bench = bench().await;
    let query = "symbol=ETHUSDT&side=SELL&type=LIMIT_MAKER&quantity=1&price=4000&newClientOrderId=mine&strategyId=7&strategyType=1000000";
    let placed = bench.order(query).await.ok();
    assert_eq!(
        keys(&placed),
        ["symbol", "orderId", "orderListId", "clientOrderId", "transactTime"],
        "ACK is the default"
    );

    let queried = bench.signed("GET", "/api/v3/order", "symbol=ETHUSDT&origClientOrderId=mine").await.ok();
    assert_eq!((&queried["status"], &queried["type"]), (&json!("NEW"), &json!("LIMIT_MAKER")));
    assert_eq!((&queried["strategyId"], &queried["strategyType"]), (&json!(7), &json!(1_000_000)));
    let open = bench.signed("GET", "/api/v3/openOrders", "").await.ok();
    assert_eq!(open, json!([queried]));

    bench.clock.advance(std::time::Duration::from_secs(1));
    let cancel = "symbol=ETHUSDT&origClientOrderId=mine&newClientOrderId=off&cancelRestrictions=ONLY_NEW";
    let canceled = bench.signed("DELETE", "/api/v3/order", cancel).await.ok();
    assert_eq!((&canceled["origClientOrderId"], &canceled["clientOrderId"]), (&json!("mine"), &json!("off")));
    assert_eq!((&canceled["status"], &canceled["transactTime"]), (&json!("CANCELED"), &json!(bench.clock.now_ms())));
    assert_eq!(bench.signed("GET", "/api/v3/openOrders", "").await.ok(), json!([]));
    let all = bench.signed("GET", "/api/v3/allOrders", "symbol=ETHUSDT").await.ok();
    assert_eq!((all.as_array().unwrap().len(), &all[0]["status"]), (1, &json!("CANCELED")));
}

#[tokio::test]
async fn an_expired_order_says_why() {
    let bench = bench().await;
    let answer =
        bench.order("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=FOK&quantity=0.001&price=50000").await.ok();
    assert_eq!((&answer["status"], &answer["expiryReason"]), (&json!("EXPIRED"), &json!("UNFILLED_FOK_ORDER_EXPIRED")));
    assert_eq!(answer["fills"], json!([]));
}

#[tokio::test]
async fn exchange_info_promises_only_what_is_kept() {
    let bench = bench().await;
    let info = bench.get("/api/v3/exchangeInfo").await.ok();
    assert_eq!(info["serverTime"], bench.clock.now_ms());
    assert_eq!(
        info["rateLimits"].to_string(),
        r#"[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000},{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":100},{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":200000},{"rateLimitType":"RAW_REQUESTS","interval":"MINUTE","intervalNum":5,"limit":300000}]"#
    );
    for symbol in info["symbols"].as_array().unwrap() {
        let stops = ["STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"];
        let types: Vec<&str> = ["LIMIT", "LIMIT_MAKER", "MARKET"].into_iter().chain(stops).collect();
        assert_eq!(symbol["orderTypes"], json!(types));
        for flag in [
            "ocoAllowed",
            "otoAllowed",
            "opoAllowed",
            "cancelReplaceAllowed",
            "amendAllowed",
            "icebergAllowed",
            "allowTrailingStop",
        ] {
            assert_eq!(symbol[flag], true, "{flag}");
        }
    }
    let names = |info: &Value| -> Vec<String> {
        let rows = info["symbols"].as_array().unwrap();
        rows.iter().map(|row| row["symbol"].as_str().unwrap().to_owned()).collect()
    };
    let some = bench.get("/api/v3/exchangeInfo?symbols=[%22ETHBTC%22,%22BTCUSDT%22]").await.ok();
    assert_eq!(names(&some), ["ETHBTC", "BTCUSDT"]);
    assert_eq!(names(&bench.get("/api/v3/exchangeInfo?permissions=MARGIN").await.ok()).len(), 0);
    assert_eq!(names(&bench.get("/api/v3/exchangeInfo?permissions=SPOT").await.ok()).len(), 4);
    let bare = bench.get("/api/v3/exchangeInfo?symbol=BTCUSDT&showPermissionSets=false").await.ok();
    assert_eq!(bare["symbols"][0]["permissionSets"], Value::Null);
}

#[tokio::test]
async fn books_are_deep_ordered_and_refilled() {
    let bench = bench().await;
    for symbol in ["BTCUSDT", "ETHUSDT", "BNBUSDT", "ETHBTC"] {
        let depth = bench.get(&format!("/api/v3/depth?symbol={symbol}&limit=5")).await.ok();
        let prices = |side: &str| -> Vec<f64> {
            let levels = depth[side].as_array().unwrap();
            levels.iter().map(|level| level[0].as_str().unwrap().parse().unwrap()).collect()
        };
        let (bids, asks) = (prices("bids"), prices("asks"));
        assert_eq!((bids.len(), asks.len()), (5, 5), "{symbol}");
        assert!(bids.is_sorted_by(|a, b| a > b) && asks.is_sorted_by(|a, b| a < b) && bids[0] < asks[0], "{symbol}");
    }
    // Ten times what lies in the ETHBTC book's first levels, bought over and over, never empties it.
    for _ in 0..20 {
        bench.order("symbol=ETHBTC&side=SELL&type=MARKET&quantity=0.4").await.ok();
        let depth = bench.get("/api/v3/depth?symbol=ETHBTC").await.ok();
        assert!(depth["bids"].as_array().unwrap().len() >= 20);
    }
}

#[tokio::test]
async fn microseconds_on_request() {
    let bench = bench().await;
    let client = reqwest::Client::new();
    let ask = |unit: &'static str| {
        let request = client.get(format!("{}/api/v3/time", bench.mock.rest_url())).header("X-MBX-TIME-UNIT", unit);
        async { request.send().await.unwrap().text().await.unwrap() }
    };
    let now = bench.clock.now_ms();
    assert_eq!(ask("MICROSECOND").await, format!(r#"{{"serverTime":{now}000}}"#));
    assert_eq!(ask("millisecond").await, format!(r#"{{"serverTime":{now}}}"#));
    assert_eq!(
        ask("MINUTE").await,
        r#"{"code":-1194,"msg":"Invalid value for time unit; expected either MICROSECOND or MILLISECOND."}"#
    );
}

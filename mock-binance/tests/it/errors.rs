//! Refusals: status, code and text, word for word.

use mock_binance::Builder;
use mock_binance::engine::{LimitsSpec, WindowLimit};

use crate::support::{Bench, bench, bench_with};

/// What a signed request is answered with.
async fn check(bench: &Bench, method: &str, path: &str, query: &str, expected: (u16, i64, &str)) {
    let answer = bench.signed(method, path, query).await;
    let (status, code, text) = answer.refusal();
    assert_eq!((status, code, text.as_str()), expected, "{method} {path} {query}");
}

/// What a public request is answered with.
async fn check_public(bench: &Bench, target: &str, expected: (u16, i64, &str)) {
    let (status, code, text) = bench.get(target).await.refusal();
    assert_eq!((status, code, text.as_str()), expected, "{target}");
}

const SYMBOL_RANGE: &str =
    r"Illegal characters found in parameter 'symbol'; legal range is '^[\w\-._&&[^a-z]]{1,50}$'.";
const DECIMAL: &str = r"legal range is '^([0-9]{1,20})(\.[0-9]{1,20})?$'.";

#[tokio::test]
async fn new_orders() {
    let bench = bench().await;
    let invalid = |name: &str| format!("Illegal characters found in parameter '{name}'; {DECIMAL}");
    let missing = |name: &str| format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
    let idle = |name: &str| format!("Parameter '{name}' sent when not required.");
    let rows: &[(&str, i64, &str)] = &[
        ("side=BUY&type=MARKET&quantity=1", -1102, &missing("symbol")),
        ("symbol=&side=BUY&type=MARKET&quantity=1", -1105, "Parameter 'symbol' was empty."),
        ("symbol=btcusdt&side=BUY&type=MARKET&quantity=1", -1100, SYMBOL_RANGE),
        ("symbol=NOPE&side=BUY&type=MARKET&quantity=1", -1121, "Invalid symbol."),
        ("symbol=BTCUSDT&side=buy&type=MARKET&quantity=1", -1117, "Invalid side."),
        ("symbol=BTCUSDT&side=BUY&type=MARKT&quantity=1", -1116, "Invalid orderType."),
        ("symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=1&timeInForce=GTX", -1115, "Invalid timeInForce."),
        ("symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=1", -1102, &missing("timeInForce")),
        ("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&price=1", -1102, &missing("quantity")),
        ("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1", -1102, &missing("price")),
        ("symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=1", -1102, &missing("price")),
        (
            "symbol=BTCUSDT&side=BUY&type=MARKET",
            -1102,
            "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!",
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&quoteOrderQty=1",
            -1128,
            "Combination of optional parameters invalid.",
        ),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&timeInForce=GTC", -1106, &idle("timeInForce")),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&price=1", -1106, &idle("price")),
        ("symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=1&price=1&timeInForce=GTC", -1106, &idle("timeInForce")),
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=1&stopPrice=1",
            -1106,
            &idle("stopPrice"),
        ),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1e-05", -1100, &invalid("quantity")),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=-1", -1100, &invalid("quantity")),
        (
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.000000001",
            -1111,
            "Parameter 'quantity' has too much precision.",
        ),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=92233720369", -1108, "Parameter 'quantity' overflowed."),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0", -1013, "Invalid quantity."),
        (
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&newClientOrderId=a%20b",
            -1100,
            "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[a-zA-Z0-9-_]{1,36}$'.",
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&strategyType=999999",
            -1134,
            "`strategyType` was less than 1000000.",
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&selfTradePreventionMode=NEVER",
            -1130,
            "Data sent for parameter 'selfTradePreventionMode' is not valid.",
        ),
        (
            "symbol=BTCUSDT&symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1",
            -1101,
            "Duplicate values for a parameter detected.",
        ),
        // Four parameters that an order knows, two that every signed request has besides, and `colour`.
        (
            "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&colour=red",
            -1104,
            "Not all sent parameters were read; read '6' parameter(s) but was sent '7'.",
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.001",
            -1013,
            "Filter failure: PRICE_FILTER",
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.000001&price=60000",
            -1013,
            "Filter failure: LOT_SIZE",
        ),
        ("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=101", -1013, "Filter failure: MARKET_LOT_SIZE"),
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.00001&price=60000",
            -1013,
            "Filter failure: NOTIONAL",
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=1",
            -1013,
            "Filter failure: PERCENT_PRICE_BY_SIDE",
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=5&price=50000",
            -2010,
            "Account has insufficient balance for requested action.",
        ),
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.001&price=70000",
            -2010,
            "Order would immediately match and take.",
        ),
    ];
    for (query, code, text) in rows {
        check(&bench, "POST", "/api/v3/order", query, (400, *code, text)).await;
    }
    let accepted = bench.mock.with_exchange(mock_binance::engine::Exchange::order_count);
    assert_eq!(accepted, 160, "only the liquidity providers' orders stand in the books");
}

#[tokio::test]
async fn what_is_not_played_is_refused_in_the_exchange_s_words() {
    let bench = bench().await;
    let base = "symbol=BTCUSDT&side=SELL&quantity=0.001";
    let pegged = format!("{base}&type=LIMIT&timeInForce=GTC&price=70000&pegPriceType=PRIMARY_PEG");
    for path in ["/api/v3/order", "/api/v3/order/test"] {
        let text = "Pegged orders are not supported for this symbol.";
        check(&bench, "POST", path, &pegged, (400, -2010, text)).await;
    }
    let text = "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!";
    check(&bench, "POST", "/api/v3/order", &format!("{base}&type=STOP_LOSS"), (400, -1102, text)).await;
}

#[tokio::test]
async fn an_open_client_order_id_may_not_be_used_again() {
    let bench = bench().await;
    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000&newClientOrderId=twin";
    bench.order(query).await.ok();
    check(&bench, "POST", "/api/v3/order", query, (400, -2010, "Duplicate order sent.")).await;
}

#[tokio::test]
async fn empty_books() {
    let bench = bench_with(Builder::no_liquidity).await;
    let query = "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=100";
    let text = "Order book liquidity is less than symbol minimum quantity.";
    check(&bench, "POST", "/api/v3/order", query, (400, -2010, text)).await;
}

#[tokio::test]
async fn order_test_checks_filters_and_not_balances() {
    let bench = bench().await;
    let huge = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=50&price=50000";
    bench.signed("POST", "/api/v3/order/test", huge).await.ok();
    let thin = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.00001&price=50000";
    check(&bench, "POST", "/api/v3/order/test", thin, (400, -1013, "Filter failure: NOTIONAL")).await;
}

#[tokio::test]
async fn queries_and_cancels() {
    let bench = bench().await;
    let placed = bench.resting().await;
    let id = placed["orderId"].as_u64().unwrap();
    let neither = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!";
    let rows = [
        ("GET", "/api/v3/order", "symbol=BTCUSDT".to_owned(), -1102, neither),
        ("DELETE", "/api/v3/order", "symbol=BTCUSDT".to_owned(), -1102, neither),
        ("GET", "/api/v3/order", "symbol=BTCUSDT&orderId=999".to_owned(), -2013, "Order does not exist."),
        // The first order of all is a liquidity provider's.
        ("GET", "/api/v3/order", "symbol=BTCUSDT&orderId=1".to_owned(), -2013, "Order does not exist."),
        ("GET", "/api/v3/order", format!("symbol=ETHUSDT&orderId={id}"), -2013, "Order does not exist."),
        ("DELETE", "/api/v3/order", "symbol=BTCUSDT&orderId=1".to_owned(), -2011, "Unknown order sent."),
        (
            "GET",
            "/api/v3/order",
            format!("symbol=BTCUSDT&orderId={id}&origClientOrderId=other"),
            -2039,
            "Client order ID is not correct for this order ID.",
        ),
        (
            "GET",
            "/api/v3/order",
            "symbol=BTCUSDT&orderId=x".to_owned(),
            -1100,
            "Illegal characters found in parameter 'orderId'; legal range is '^[0-9]{1,20}$'.",
        ),
        (
            "DELETE",
            "/api/v3/order",
            format!("symbol=BTCUSDT&orderId={id}&cancelRestrictions=ONLY_PARTIALLY_FILLED"),
            -2011,
            "Order was not canceled due to cancel restrictions.",
        ),
        (
            "DELETE",
            "/api/v3/order",
            format!("symbol=BTCUSDT&orderId={id}&cancelRestrictions=NEVER"),
            -1145,
            "Invalid cancelRestrictions",
        ),
        ("DELETE", "/api/v3/openOrders", "symbol=ETHUSDT".to_owned(), -2011, "Unknown order sent."),
        (
            "GET",
            "/api/v3/allOrders",
            "symbol=BTCUSDT&startTime=1699900000000&endTime=1699986400001".to_owned(),
            -1127,
            "More than 24 hours between startTime and endTime.",
        ),
        (
            "GET",
            "/api/v3/myTrades",
            "symbol=BTCUSDT&startTime=1699900000000&endTime=1699986400001".to_owned(),
            -1127,
            "More than 24 hours between startTime and endTime.",
        ),
        (
            "GET",
            "/api/v3/myTrades",
            "symbol=BTCUSDT&fromId=0&startTime=1".to_owned(),
            -1128,
            "Combination of optional parameters invalid.",
        ),
        (
            "GET",
            "/api/v3/myTrades",
            "symbol=BTCUSDT&limit=0".to_owned(),
            -1130,
            "Data sent for parameter 'limit' is not valid.",
        ),
    ];
    for (method, path, query, code, text) in rows {
        check(&bench, method, path, &query, (400, code, text)).await;
    }
    bench.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await.ok();
    let gone = format!("symbol=BTCUSDT&orderId={id}");
    check(&bench, "DELETE", "/api/v3/order", &gone, (400, -2011, "Unknown order sent.")).await;
}

#[tokio::test]
async fn public_endpoints() {
    let bench = bench().await;
    let symbols = r#"Illegal characters found in parameter 'symbols'; legal range is '^\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\]$'."#;
    let combination = "Combination of optional parameters invalid.";
    for (target, code, text) in [
        ("/api/v3/ping?a=1", -1101, "Too many parameters; expected '0' and received '1'."),
        ("/api/v3/time?a=1&b=2", -1101, "Too many parameters; expected '0' and received '2'."),
        ("/api/v3/avgPrice?symbol=BTCUSDT&x=1", -1101, "Too many parameters; expected '1' and received '2'."),
        ("/api/v3/depth", -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
        ("/api/v3/depth?symbol=NOPE", -1121, "Invalid symbol."),
        (
            "/api/v3/depth?symbol=BTCUSDT&limit=ten",
            -1100,
            "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'.",
        ),
        (
            "/api/v3/depth?symbol=BTCUSDT&symbolStatus=HALT",
            -1220,
            "The symbol's status does not match the requested symbolStatus.",
        ),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1W", -1120, "Invalid interval."),
        ("/api/v3/ticker/24hr?symbol=BTCUSDT&type=SMALL", -1139, "Invalid ticker type."),
        ("/api/v3/ticker/price?symbol=BTCUSDT&symbols=[%22BTCUSDT%22]", -1128, combination),
        ("/api/v3/exchangeInfo?symbol=BTCUSDT&permissions=SPOT", -1128, combination),
        ("/api/v3/aggTrades?symbol=BTCUSDT&fromId=1&startTime=1", -1128, combination),
        ("/api/v3/exchangeInfo?symbols=[%22BTCUSDT%22,%20%22ETHBTC%22]", -1100, symbols),
        ("/api/v3/exchangeInfo?symbols=[%22NOPE%22]", -1121, "Invalid symbol."),
        (
            "/api/v3/ticker/price?symbols=[%22BTCUSDT%22,%22BTCUSDT%22]",
            -1151,
            "Symbol is present multiple times in the list.",
        ),
        ("/api/v3/ticker/price?symbolStatus=OPEN", -1122, "Invalid symbolStatus."),
    ] {
        check_public(&bench, target, (400, code, text)).await;
    }
    let many = vec!["%22BTCUSDT%22"; 101].join(",");
    check_public(
        &bench,
        &format!("/api/v3/ticker/24hr?symbols=[{many}]"),
        (400, -1101, "Too many values sent for parameter 'symbols', maximum allowed up to 100."),
    )
    .await;
}

#[tokio::test]
async fn keys_and_signatures() {
    let bench = bench().await;
    let query = format!("timestamp={}", bench.clock.now_ms());
    let signature = crate::support::sign(bench.account().secret(), &query);
    let target = format!("/api/v3/account?{query}&signature={signature}");
    let stranger = "A".repeat(64);
    let format = (401, -2014, "API-key format invalid.".to_owned());
    assert_eq!(bench.send("GET", &target, None, None).await.refusal(), format);
    assert_eq!(bench.send("GET", &target, Some(""), None).await.refusal(), format);
    assert_eq!(bench.send("GET", &target, Some("short"), None).await.refusal(), format);
    assert_eq!(
        bench.send("GET", &target, Some(&stranger), None).await.refusal(),
        (401, -2015, "Invalid API-key, IP, or permissions for action.".to_owned())
    );
    let wrong = (400, -1022, "Signature for this request is not valid.".to_owned());
    for bad in [signature.replace(['0', '1', '2'], "3"), "nonsense".to_owned(), format!("{signature}00")] {
        let target = format!("/api/v3/account?{query}&signature={bad}");
        assert_eq!(bench.keyed("GET", &target).await.refusal(), wrong);
    }
    assert_eq!(
        bench.keyed("GET", &format!("/api/v3/account?{query}")).await.refusal(),
        (400, -1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.".to_owned())
    );
    assert_eq!(
        bench.keyed("GET", &format!("/api/v3/account?signature={signature}")).await.refusal(),
        (400, -1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.".to_owned())
    );
    // A public endpoint does not look at keys, not even at an empty one.
    bench.send("GET", "/api/v3/ping", Some(""), None).await.ok();
    bench.send("GET", &target, Some(bench.account().api_key()), None).await.ok();
}

#[tokio::test]
async fn checks_come_in_the_exchange_s_order() {
    let bench = bench().await;
    let late = "timestamp=1";
    let check = async |query: &str, key: Option<&str>, code: i64| {
        let target = format!("/api/v3/order?{query}");
        let (_, actual, text) = bench.send("POST", &target, key, None).await.refusal();
        assert_eq!(actual, code, "{query}: {text}");
    };
    let key = Some(bench.account().api_key());
    let order = "side=up&type=MARKET&quantity=1";
    check(&format!("symbol=b&{order}&{late}&signature=00"), None, -1100).await;
    check(&format!("symbol=B&{order}&{late}&signature=00"), None, -2014).await;
    check(&format!("symbol=B&{order}&{late}&signature=00"), key, -1021).await;
    let now = bench.clock.now_ms();
    check(&format!("symbol=B&{order}&timestamp={now}&signature=00"), key, -1022).await;
    let query = format!("symbol=B&{order}&timestamp={now}");
    let signature = crate::support::sign(bench.account().secret(), &query);
    check(&format!("{query}&signature={signature}"), key, -1121).await;
    let query = format!("symbol=BTCUSDT&{order}&timestamp={now}");
    let signature = crate::support::sign(bench.account().secret(), &query);
    check(&format!("{query}&signature={signature}"), key, -1117).await;
}

#[tokio::test]
async fn unknown_paths() {
    let bench = bench().await;
    for (method, path) in [("GET", "/api/v3/nothing"), ("PUT", "/api/v3/order"), ("GET", "/"), ("GET", "/api/v1/ping")]
    {
        let answer = bench.send(method, path, None, None).await;
        assert_eq!((answer.status, answer.text.as_str()), (404, ""), "{method} {path}");
    }
    let page = reqwest::Client::new()
        .get(format!("{}/nothing", bench.mock.rest_url()))
        .header("accept", "text/html")
        .send()
        .await
        .unwrap();
    assert_eq!(page.text().await.unwrap(), "<html><body><h2>404 Not found</h2></body></html>");
}

#[tokio::test]
async fn too_many_orders() {
    let orders = vec![WindowLimit { window_secs: 10, limit: 2 }, WindowLimit { window_secs: 86_400, limit: 200_000 }];
    let bench =
        bench_with(|builder| builder.no_liquidity().limits(LimitsSpec { orders, ..LimitsSpec::default() })).await;
    bench.resting().await;
    bench.resting().await;
    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000";
    let answer = bench.order(query).await;
    let text = "Too many new orders; current limit is 2 orders per 10 SECOND.";
    assert_eq!(answer.refusal(), (429, -1015, text.to_owned()));
    assert_eq!(answer.header("retry-after"), Some("10"));
    bench.clock.advance(std::time::Duration::from_secs(10));
    bench.resting().await;
}

#[tokio::test]
async fn too_many_open_orders() {
    let bench = bench().await;
    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.0002&price=40000";
    for placed in 0..200 {
        if placed % 100 == 99 {
            bench.clock.advance(std::time::Duration::from_secs(10));
        }
        bench.order(query).await.ok();
    }
    check(&bench, "POST", "/api/v3/order", query, (400, -1013, "Filter failure: MAX_NUM_ORDERS")).await;
}

#[tokio::test]
async fn closed_markets() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/data/exchange_info.json")).unwrap();
    let symbols = mock_binance::Symbols::parse(&text.replacen("\"TRADING\"", "\"HALT\"", 1)).unwrap();
    let bench = bench_with(|builder| builder.symbols(symbols)).await;
    let query = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001";
    check(&bench, "POST", "/api/v3/order", query, (400, -2010, "Market is closed.")).await;
    bench.get("/api/v3/depth?symbol=BTCUSDT&symbolStatus=HALT").await.ok();
    let info = bench.get("/api/v3/exchangeInfo?symbolStatus=HALT").await.ok();
    assert_eq!(info["symbols"].as_array().unwrap().len(), 1);
}

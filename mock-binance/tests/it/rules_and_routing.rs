//! What binds an account, and what the mock has none of: each answer over REST and over the WebSocket API.

use serde_json::{Value, json};

use crate::support::{Bench, bench, bench_with};

/// A method of the WebSocket API, its endpoint, and whether it is signed.
const TWINS: [(&str, &str, &str, bool); 8] = [
    ("myFilters", "GET", "/api/v3/myFilters", true),
    ("myAllocations", "GET", "/api/v3/myAllocations", true),
    ("sor.order.place", "POST", "/api/v3/sor/order", true),
    ("sor.order.test", "POST", "/api/v3/sor/order/test", true),
    ("executionRules", "GET", "/api/v3/executionRules", false),
    ("referencePrice", "GET", "/api/v3/referencePrice", false),
    ("referencePrice.calculation", "GET", "/api/v3/referencePrice/calculation", false),
    ("blockTrades.historical", "GET", "/api/v3/historicalBlockTrades", false),
];

/// Status, and the answer or the code and text of the refusal; asked over both faces, which must agree.
async fn ask(bench: &Bench, method: &str, query: &str) -> (u16, Value) {
    let (_, verb, path, signed) = TWINS.into_iter().find(|row| row.0 == method).unwrap();
    let answer = if signed {
        bench.signed(verb, path, query).await
    } else {
        bench.send(verb, &format!("{path}?{query}"), None, None).await
    };
    let told: Value = serde_json::from_str(&answer.text).unwrap();
    let mut socket = bench.connect("/ws-api/v3").await;
    let request = if signed {
        let all = format!("{query}&apiKey={{key}}&timestamp={{now}}");
        let mut pairs: Vec<&str> = all.split('&').collect();
        pairs.sort_unstable();
        bench.ws_request(method, &pairs.join("&"))
    } else {
        let params: serde_json::Map<String, Value> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        json!({ "id": 1, "method": method, "params": params }).to_string()
    };
    let reply = socket.ask(&request).await;
    let twin = if reply["error"].is_null() { &reply["result"] } else { &reply["error"] };
    // The number of parameters that are read differs between the faces by what signing adds.
    if !told["msg"].as_str().is_some_and(|text| text.starts_with("Not all")) {
        assert_eq!((&reply["status"], twin), (&json!(answer.status), &told), "{method} {query}");
    }
    (answer.status, told)
}

async fn check(bench: &Bench, method: &str, query: &str, expected: (u16, Value)) {
    assert_eq!(ask(bench, method, query).await, expected, "{method} {query}");
}

fn refusal(code: i64, text: &str) -> (u16, Value) {
    (400, json!({ "code": code, "msg": text }))
}

#[tokio::test]
async fn the_filters_of_an_account_are_those_of_exchange_symbol_and_assets() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/data/exchange_info.json")).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    let limit = |asset: &str| json!({ "filterType": "MAX_ASSET", "asset": asset, "limit": "42.00000000" });
    file["exchangeFilters"] = json!([{ "filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": 1000 }]);
    file["assetFilters"] = json!([limit("USDT"), limit("ETH"), limit("BTC")]);
    let symbols = mock_binance::Symbols::parse(&file.to_string()).unwrap();
    let bench = bench_with(|builder| builder.symbols(symbols)).await;
    for (place, symbol, limits) in
        [(0, "BTCUSDT", json!([limit("USDT"), limit("BTC")])), (2, "BNBUSDT", json!([limit("USDT")]))]
    {
        assert_eq!(file["symbols"][place]["symbol"], symbol);
        let filters = json!({
            "exchangeFilters": file["exchangeFilters"],
            "symbolFilters": file["symbols"][place]["filters"],
            "assetFilters": limits,
        });
        check(&bench, "myFilters", &format!("symbol={symbol}"), (200, filters)).await;
    }
    check(&bench, "myFilters", "symbol=NOPE", refusal(-1121, "Invalid symbol.")).await;
}

#[tokio::test]
async fn orders_by_smart_order_routing_are_read_before_they_are_refused() {
    let bench = bench().await;
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000";
    for method in ["sor.order.place", "sor.order.test"] {
        check(&bench, method, order, refusal(-1013, "This symbol has no SOR.")).await;
        check(&bench, method, &order.replace("BUY", "buy"), refusal(-1117, "Invalid side.")).await;
        check(&bench, method, &order.replace("BTCUSDT", "NOPE"), refusal(-1121, "Invalid symbol.")).await;
        let missing = "Mandatory parameter 'quantity' was not sent, was empty/null, or malformed.";
        check(&bench, method, &order.replace("&quantity=0.001", ""), refusal(-1102, missing)).await;
        let sized = format!("{order}&quoteOrderQty=5");
        assert_eq!(ask(&bench, method, &sized).await.1["code"], -1104, "{method}");
    }
    check(
        &bench,
        "sor.order.test",
        &format!("{order}&computeCommissionRates=maybe"),
        refusal(-1130, "Data sent for parameter 'computeCommissionRates' is not valid."),
    )
    .await;
    assert_eq!(bench.signed("GET", "/api/v3/allOrders", "symbol=BTCUSDT").await.ok(), json!([]));
}

#[tokio::test]
async fn there_are_no_allocations_but_their_times_must_fit() {
    let bench = bench().await;
    let day = 86_400_000_u64;
    let combination = || refusal(-1128, "Combination of optional parameters invalid.");
    for (query, expected) in [
        ("symbol=BTCUSDT".to_owned(), (200, json!([]))),
        (format!("symbol=BTCUSDT&startTime=1&endTime={}&limit=5", day + 1), (200, json!([]))),
        ("symbol=BTCUSDT&orderId=1&fromAllocationId=0".to_owned(), (200, json!([]))),
        (
            format!("symbol=BTCUSDT&startTime=1&endTime={}", day + 2),
            refusal(-1127, "More than 24 hours between startTime and endTime."),
        ),
        ("symbol=BTCUSDT&startTime=1&fromAllocationId=0".to_owned(), combination()),
        ("symbol=BTCUSDT&endTime=1&orderId=1".to_owned(), combination()),
    ] {
        check(&bench, "myAllocations", &query, expected).await;
    }
}

#[tokio::test]
async fn no_symbol_has_rules_reference_prices_or_block_trades() {
    let bench = bench().await;
    let none = || (200, json!({ "symbolRules": [] }));
    let combination = || refusal(-1128, "Combination of optional parameters invalid.");
    let no_price = || refusal(-2043, "This symbol doesn't have a reference price.");
    let no_symbol = || refusal(-1121, "Invalid symbol.");
    for (method, query, expected) in [
        ("executionRules", "symbol=BTCUSDT", none()),
        ("executionRules", "", none()),
        ("executionRules", "symbolStatus=HALT", none()),
        ("executionRules", "symbol=NOPE", no_symbol()),
        ("executionRules", "symbolStatus=OFF", refusal(-1122, "Invalid symbolStatus.")),
        ("executionRules", "symbol=BTCUSDT&symbolStatus=TRADING", combination()),
        ("referencePrice", "symbol=BTCUSDT", no_price()),
        ("referencePrice", "symbol=NOPE", no_symbol()),
        ("referencePrice.calculation", "symbol=BTCUSDT&symbolStatus=TRADING", no_price()),
        (
            "referencePrice.calculation",
            "symbol=BTCUSDT&symbolStatus=HALT",
            refusal(-1220, "The symbol's status does not match the requested symbolStatus."),
        ),
        ("blockTrades.historical", "symbol=BTCUSDT&fromId=0", (200, json!([]))),
        ("blockTrades.historical", "symbol=NOPE&fromId=0", no_symbol()),
        (
            "blockTrades.historical",
            "symbol=BTCUSDT",
            refusal(-1102, "Mandatory parameter 'fromId' was not sent, was empty/null, or malformed."),
        ),
    ] {
        check(&bench, method, query, expected).await;
    }
}

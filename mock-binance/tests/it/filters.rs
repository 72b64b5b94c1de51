//! The rarer filters through the REST face: the code, the text, and what exchangeInfo tells.

use serde_json::{Value, json};

use crate::support::{Bench, bench_with};

/// A mock whose BTCUSDT has these filters only.
async fn with(filters: Value, of_exchange: Value, of_assets: Value) -> Bench {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/data/exchange_info.json")).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    file["symbols"][0]["filters"] = filters;
    file["exchangeFilters"] = of_exchange;
    file["assetFilters"] = of_assets;
    let symbols = mock_binance::Symbols::parse(&file.to_string()).unwrap();
    bench_with(|builder| builder.symbols(symbols)).await
}

#[tokio::test]
async fn every_rare_filter_is_told_by_name() {
    let none = || json!([]);
    let rows = [
        (
            json!([{ "filterType": "PERCENT_PRICE", "multiplierUp": "1.3", "multiplierDown": "0.7", "avgPriceMins": 5 }]),
            none(),
            none(),
            "PERCENT_PRICE",
        ),
        (
            json!([{ "filterType": "MIN_NOTIONAL", "minNotional": "10", "applyToMarket": true, "avgPriceMins": 5 }]),
            none(),
            none(),
            "MIN_NOTIONAL",
        ),
        (json!([{ "filterType": "MAX_POSITION", "maxPosition": "1" }]), none(), none(), "MAX_POSITION"),
        (
            none(),
            json!([{ "filterType": "EXCHANGE_MAX_NUM_ORDERS", "maxNumOrders": 0 }]),
            none(),
            "EXCHANGE_MAX_NUM_ORDERS",
        ),
        (none(), none(), json!([{ "filterType": "MAX_ASSET", "asset": "BTC", "limit": "0.0001" }]), "MAX_ASSET"),
    ];
    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=1000";
    for (filters, of_exchange, of_assets, name) in rows {
        let bench = with(filters.clone(), of_exchange.clone(), of_assets).await;
        let told = bench.signed("POST", "/api/v3/order", query).await.refusal();
        assert_eq!(told, (400, -1013, format!("Filter failure: {name}")));
        let info = bench.get("/api/v3/exchangeInfo?symbol=BTCUSDT").await.ok();
        assert_eq!(info["symbols"][0]["filters"], filters);
        assert_eq!(info["exchangeFilters"], of_exchange);
    }
    let bench = with(none(), none(), none()).await;
    assert_eq!(bench.signed("POST", "/api/v3/order", query).await.ok()["status"], "NEW");
}

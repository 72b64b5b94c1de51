//! Self-trade prevention, icebergs and trailing stops over REST and in the user data stream.

use mock_binance::Builder;
use mock_binance::Symbols;
use serde_json::{Value, json};

use crate::support::{Bench, bench_with};

/// A market without liquidity; the last price is 60 000.
async fn quiet() -> Bench {
    bench_with(Builder::no_liquidity).await
}

const BUY: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=60000";
const SELL: &str = "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.03&price=60000";

async fn asked(bench: &Bench, order: &Value) -> Value {
    bench.signed("GET", "/api/v3/order", &format!("symbol=BTCUSDT&orderId={}", order["orderId"])).await.ok()
}

#[tokio::test]
async fn the_symbol_s_mode_holds_where_an_order_says_nothing() {
    let bench = quiet().await;
    let key = bench.listen_key().await;
    let maker = bench.order(BUY).await.ok();
    let mut socket = bench.connect(&format!("/ws/{key}")).await;
    let taker = bench.order(SELL).await.ok();
    assert_eq!((&taker["status"], &taker["executedQty"]), (&json!("NEW"), &json!("0.00000000")));
    assert_eq!((&taker["selfTradePreventionMode"], taker.get("preventedMatchId")), (&json!("EXPIRE_MAKER"), None));
    let ended = asked(&bench, &maker).await;
    assert_eq!((&ended["status"], &ended["preventedMatchId"]), (&json!("EXPIRED_IN_MATCH"), &json!(0)));
    assert_eq!(ended["preventedQuantity"], "0.01000000");
    let told = socket.drain().await;
    let prevented = told.iter().find(|event| event["x"] == "TRADE_PREVENTION").expect("a prevention");
    assert_eq!(
        (&prevented["X"], &prevented["i"], &prevented["V"]),
        (&json!("EXPIRED_IN_MATCH"), &maker["orderId"], &json!("EXPIRE_MAKER"))
    );
    for (key, value) in [
        ("v", json!(0)),
        ("A", json!("0.01000000")),
        ("B", json!("0.01000000")),
        ("u", json!(-1)),
        ("U", taker["orderId"].clone()),
        ("Cs", json!("BTCUSDT")),
        ("pL", json!("60000.00000000")),
    ] {
        assert_eq!(prevented[key], value, "{key}");
    }
    assert!(told.iter().all(|event| event["x"] != "TRADE"));
}

#[tokio::test]
async fn each_mode_is_told_by_my_prevented_matches() {
    let bench = quiet().await;
    let path = "/api/v3/myPreventedMatches";
    for (id, mode, taker, maker) in [
        (0, "EXPIRE_MAKER", None, Some("0.01000000")),
        (1, "EXPIRE_TAKER", Some("0.03000000"), None),
        (2, "EXPIRE_BOTH", Some("0.03000000"), Some("0.01000000")),
        (3, "DECREMENT", Some("0.01000000"), Some("0.01000000")),
        (4, "TRANSFER", Some("0.01000000"), Some("0.01000000")),
    ] {
        let first = bench.order(BUY).await.ok();
        let second = bench.order(&format!("{SELL}&selfTradePreventionMode={mode}")).await.ok();
        let answer = bench.signed("GET", path, &format!("symbol=BTCUSDT&preventedMatchId={id}")).await;
        let rows = answer.ok();
        assert_eq!(rows[0]["selfTradePreventionMode"], mode);
        assert_eq!((&rows[0]["takerOrderId"], &rows[0]["makerOrderId"]), (&second["orderId"], &first["orderId"]));
        assert_eq!(rows[0].get("takerPreventedQuantity").and_then(Value::as_str), taker, "{mode}");
        assert_eq!(rows[0].get("makerPreventedQuantity").and_then(Value::as_str), maker, "{mode}");
        let by_order = bench.signed("GET", path, &format!("symbol=BTCUSDT&orderId={}", first["orderId"])).await.ok();
        assert_eq!(by_order, rows);
        bench.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await;
    }
    let first = bench.order(BUY).await.ok();
    let traded = bench.order(&format!("{SELL}&selfTradePreventionMode=NONE")).await.ok();
    assert_eq!((&traded["executedQty"], &first["status"]), (&json!("0.01000000"), &json!("NEW")));
    for query in ["symbol=BTCUSDT", "symbol=BTCUSDT&preventedMatchId=0&orderId=1", "symbol=BTCUSDT&orderId=1&limit=3"] {
        let refused = bench.signed("GET", path, query).await.refusal();
        assert_eq!((refused.0, refused.1), (400, -1128), "{query}");
    }
    let unknown = bench.order(&format!("{BUY}&selfTradePreventionMode=NEVER")).await.refusal();
    assert_eq!(unknown, (400, -1130, "Data sent for parameter 'selfTradePreventionMode' is not valid.".to_owned()));
}

#[tokio::test]
async fn a_symbol_may_allow_no_mode_at_all() {
    let file = include_str!("../../data/exchange_info.json")
        .replace(r#""EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER""#, r#""EXPIRE_BOTH""#)
        .replace(r#""icebergAllowed": true"#, r#""icebergAllowed": false"#)
        .replace(r#""allowTrailingStop": true"#, r#""allowTrailingStop": false"#);
    let symbols = Symbols::parse(&file).expect("symbols");
    let bench = bench_with(|builder| builder.no_liquidity().symbols(symbols)).await;
    let refused = bench.order(&format!("{BUY}&selfTradePreventionMode=DECREMENT")).await.refusal();
    let text = "This symbol does not allow the specified self-trade prevention mode.";
    assert_eq!(refused, (400, -1013, text.to_owned()));
    bench.order(&format!("{BUY}&selfTradePreventionMode=EXPIRE_BOTH")).await.ok();
    let refused = bench.order(&format!("{BUY}&icebergQty=0.005")).await.refusal();
    assert_eq!(refused, (400, -2010, "Iceberg orders are not supported for this symbol.".to_owned()));
    let trailing = "symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.01&trailingDelta=100";
    let refused = bench.order(trailing).await.refusal();
    assert_eq!(refused, (400, -2010, "Trailing stop orders are not supported for this symbol.".to_owned()));
}

#[tokio::test]
async fn an_iceberg_shows_a_part() {
    let bench = quiet().await;
    let placed = bench.order(&format!("{SELL}&icebergQty=0.01")).await.ok();
    assert_eq!(placed["icebergQty"], "0.01000000");
    assert_eq!(bench.get("/api/v3/depth?symbol=BTCUSDT").await.ok()["asks"], json!([["60000.00000000", "0.01000000"]]));
    bench.order("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.025&selfTradePreventionMode=NONE").await.ok();
    let now = asked(&bench, &placed).await;
    assert_eq!((&now["executedQty"], &now["icebergQty"]), (&json!("0.02500000"), &json!("0.01000000")));
    assert_eq!(bench.get("/api/v3/depth?symbol=BTCUSDT").await.ok()["asks"], json!([["60000.00000000", "0.00500000"]]));
    for (query, code, text) in [
        (format!("{SELL}&icebergQty=0.03"), -2010, "IcebergQty exceeds QTY."),
        (format!("{SELL}&icebergQty=0.000001"), -1013, "Filter failure: LOT_SIZE"),
        (format!("{SELL}&icebergQty=0.00029"), -1013, "Filter failure: ICEBERG_PARTS"),
        (SELL.replace("GTC", "IOC") + "&icebergQty=0.01", -2010, "Unsupported order combination"),
    ] {
        assert_eq!(bench.order(&query).await.refusal(), (400, code, text.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn a_trailing_stop_follows_the_price() {
    let bench = quiet().await;
    let key = bench.listen_key().await;
    let mut socket = bench.connect(&format!("/ws/{key}")).await;
    let stop = "symbol=BTCUSDT&side=SELL&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.01&price=58000&trailingDelta=100&newOrderRespType=RESULT";
    let placed = bench.order(stop).await.ok();
    assert_eq!((&placed["trailingDelta"], placed.get("stopPrice")), (&json!(100), None));
    assert_eq!((&placed["trailingTime"], &placed["workingTime"]), (&json!(bench.clock.now_ms()), &json!(-1)));
    let told = socket.next().await;
    assert_eq!((&told["d"], &told["D"], &told["P"]), (&json!(100), &json!(bench.clock.now_ms()), &json!("0.00000000")));
    let later = bench.order(&format!("{stop}&stopPrice=59000")).await.ok();
    assert_eq!((&later["trailingTime"], &later["stopPrice"]), (&json!(-1), &json!("59000.00000000")));
    let trade = async |price: &str| {
        bench
            .order(&format!("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price={price}"))
            .await
            .ok();
        bench.order("symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.001&selfTradePreventionMode=NONE").await.ok();
    };
    trade("61000").await;
    trade("60400").await;
    assert_eq!(asked(&bench, &placed).await["isWorking"], false, "one percent below 61 000 is 60 390");
    trade("60390").await;
    assert_eq!(asked(&bench, &placed).await["isWorking"], true);
    for (delta, side) in [(9, "SELL"), (2001, "SELL"), (9, "BUY"), (99_999, "BUY")] {
        let query = format!("symbol=BTCUSDT&side={side}&type=STOP_LOSS&quantity=0.01&trailingDelta={delta}");
        let refused = bench.order(&query).await.refusal();
        assert_eq!(refused, (400, -1013, "Filter failure: TRAILING_DELTA".to_owned()), "{query}");
    }
    let zero = bench.order("symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.01&stopPrice=0").await.refusal();
    assert_eq!(zero, (400, -1013, "Invalid price.".to_owned()));
    // Five that wait, and no more.
    for _ in 0..3 {
        bench.order("symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.01&stopPrice=30000").await.ok();
    }
    let sixth = bench.order("symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.01&stopPrice=30000").await.refusal();
    assert_eq!(sixth, (400, -1013, "Filter failure: MAX_NUM_ALGO_ORDERS".to_owned()));
}

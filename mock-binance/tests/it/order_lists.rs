//! Order lists over REST, in the user data stream and over the WebSocket API.

use mock_binance::Builder;
use serde_json::{Value, json};

use crate::support::{Bench, bench, bench_with};

/// A market without liquidity; the last price is 60 000.
async fn quiet() -> Bench {
    bench_with(Builder::no_liquidity).await
}

async fn post(bench: &Bench, path: &str, query: &str) -> Value {
    bench.signed("POST", path, query).await.ok()
}

async fn refusal(bench: &Bench, path: &str, query: &str) -> (u16, i64, String) {
    bench.signed("POST", path, query).await.refusal()
}

async fn status(bench: &Bench, id: &Value) -> Value {
    bench.signed("GET", "/api/v3/order", &format!("symbol=BTCUSDT&orderId={id}")).await.ok()
}

const SELL: &str = "symbol=BTCUSDT&side=SELL&quantity=0.1";
const OCO: &str = "symbol=BTCUSDT&side=SELL&quantity=0.1&aboveType=LIMIT_MAKER&abovePrice=61000&belowType=STOP_LOSS_LIMIT&belowStopPrice=59000&belowPrice=58900&belowTimeInForce=GTC";

#[tokio::test]
async fn an_oco_is_told_once_and_one_order_ends_the_other() {
    let bench = quiet().await;
    let key = bench.listen_key().await;
    let mut socket = bench.connect(&format!("/ws/{key}")).await;
    let query = format!("{OCO}&listClientOrderId=mine&belowStrategyId=7&aboveClientOrderId=up");
    let placed = post(&bench, "/api/v3/orderList/oco", &query).await;
    assert_eq!((&placed["contingencyType"], &placed["listStatusType"]), (&json!("OCO"), &json!("EXEC_STARTED")));
    assert_eq!((&placed["orderListId"], &placed["listClientOrderId"]), (&json!(0), &json!("mine")));
    let reports = placed["orderReports"].as_array().expect("reports");
    assert_eq!((&reports[0]["type"], &reports[1]["type"]), (&json!("STOP_LOSS_LIMIT"), &json!("LIMIT_MAKER")));
    assert_eq!((&reports[0]["strategyId"], &reports[0]["workingTime"]), (&json!(7), &json!(-1)));
    assert_eq!((&reports[1]["clientOrderId"], &reports[1]["orderListId"]), (&json!("up"), &json!(0)));
    assert_eq!(placed["orders"][1]["clientOrderId"], "up");

    let told: Vec<Value> = socket.drain().await;
    let kinds: Vec<&str> = told.iter().filter_map(|event| event["e"].as_str()).collect();
    assert_eq!(kinds, ["executionReport", "executionReport", "listStatus", "outboundAccountPosition"]);
    assert_eq!((&told[0]["g"], &told[0]["j"]), (&json!(0), &json!(7)));
    let list = &told[2];
    assert_eq!(
        (&list["c"], &list["l"], &list["L"], &list["r"]),
        (&json!("OCO"), &json!("EXEC_STARTED"), &json!("EXECUTING"), &json!("NONE"))
    );
    assert_eq!((&list["g"], &list["C"], &list["O"][1]["c"]), (&json!(0), &json!("mine"), &json!("up")));
    assert_eq!(told[3]["B"][0], json!({"a": "BTC", "f": "0.90000000", "l": "0.10000000"}), "held once");

    bench.order("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.04&selfTradePreventionMode=NONE").await.ok();
    let (stop, limit) = (&reports[0]["orderId"], &reports[1]["orderId"]);
    let ended = status(&bench, stop).await;
    assert_eq!((&ended["status"], &ended["expiryReason"]), (&json!("EXPIRED"), &json!("OCO_TRIGGER")));
    assert_eq!(status(&bench, limit).await["status"], "PARTIALLY_FILLED");
    let trades = bench.signed("GET", "/api/v3/myTrades", "symbol=BTCUSDT").await.ok();
    assert_eq!(trades[0]["orderListId"], 0);
    let lists = bench.signed("GET", "/api/v3/openOrderList", "").await.ok();
    assert_eq!((lists[0]["orderListId"].clone(), lists.as_array().map(Vec::len)), (json!(0), Some(1)));

    bench.order("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.06&selfTradePreventionMode=NONE").await.ok();
    assert_eq!(bench.signed("GET", "/api/v3/openOrderList", "").await.ok(), json!([]));
    let list = bench.signed("GET", "/api/v3/orderList", "origClientOrderId=mine").await.ok();
    assert_eq!((&list["listStatusType"], list.get("orderReports")), (&json!("ALL_DONE"), None));
    let done = socket.drain().await.into_iter().rfind(|event| event["e"] == "listStatus").expect("an end");
    assert_eq!((&done["l"], &done["L"]), (&json!("ALL_DONE"), &json!("ALL_DONE")));
}

#[tokio::test]
async fn lists_are_refused_in_the_exchange_s_words() {
    let bench = quiet().await;
    let oco = "/api/v3/orderList/oco";
    let stop = |prefix: &str, price: &str| format!("{prefix}Type=STOP_LOSS&{prefix}StopPrice={price}");
    let profit = |prefix: &str, price: &str| format!("{prefix}Type=TAKE_PROFIT&{prefix}StopPrice={price}");
    let maker = |prefix: &str, price: &str| format!("{prefix}Type=LIMIT_MAKER&{prefix}Price={price}");
    let buy = "symbol=BTCUSDT&side=BUY&quantity=0.1";
    for (query, code, msg) in [
        (
            format!("{buy}&{}&{}", maker("above", "61000"), stop("below", "59000")),
            -1165,
            "A limit order in a buy OCO must be below.",
        ),
        (
            format!("{SELL}&{}&{}", stop("above", "61000"), maker("below", "59000")),
            -1166,
            "A limit order in a sell OCO must be above.",
        ),
        (
            format!("{SELL}&{}&{}", maker("above", "61000"), maker("below", "59000")),
            -1168,
            "At least one OCO order must be contingent.",
        ),
        (
            format!("{buy}&{}&{}", profit("above", "61000"), stop("below", "59000")),
            -1196,
            "A stop loss order in a buy OCO must be above.",
        ),
        (
            format!("{SELL}&{}&{}", stop("above", "61000"), profit("below", "59000")),
            -1197,
            "A stop loss order in a sell OCO must be below.",
        ),
        (
            format!("{buy}&{}&{}", profit("above", "61000"), profit("below", "59000")),
            -1198,
            "A take profit order in a buy OCO must be below.",
        ),
        (
            format!("{SELL}&{}&{}", profit("above", "61000"), profit("below", "59000")),
            -1199,
            "A take profit order in a sell OCO must be above.",
        ),
        (
            format!("{SELL}&aboveType=LIMIT&abovePrice=61000&{}", stop("below", "59000")),
            -1158,
            "Order type not supported in OCO.",
        ),
        (format!("{SELL}&aboveType=NONE&{}", stop("below", "59000")), -1116, "Invalid orderType."),
        (
            format!("{SELL}&{}&{}", maker("above", "59900"), stop("below", "59000")),
            -2010,
            "The relationship of the prices for the orders is not correct.",
        ),
        (
            format!("{SELL}&{}&belowType=STOP_LOSS_LIMIT&belowStopPrice=59000&belowPrice=1", maker("above", "61000")),
            -1102,
            "Mandatory parameter 'belowTimeInForce' was not sent, was empty/null, or malformed.",
        ),
        (
            format!("{SELL}&{}&belowType=STOP_LOSS", maker("above", "61000")),
            -1102,
            "Param 'belowStopPrice' or 'belowTrailingDelta' must be sent, but both were empty/null!",
        ),
        (
            format!("{SELL}&{}&aboveStopPrice=1&{}", maker("above", "61000"), stop("below", "59000")),
            -1106,
            "Parameter 'aboveStopPrice' sent when not required.",
        ),
        (
            format!("{SELL}&{}", maker("above", "61000")),
            -1102,
            "Mandatory parameter 'belowType' was not sent, was empty/null, or malformed.",
        ),
        (
            format!(
                "symbol=BTCUSDT&side=SELL&quantity=0.000001&{}&{}",
                maker("above", "61000"),
                stop("below", "59000")
            ),
            -1013,
            "Filter failure: LOT_SIZE",
        ),
        (
            format!("symbol=BTCUSDT&side=SELL&quantity=2&{}&{}", maker("above", "61000"), stop("below", "59000")),
            -2010,
            "Account has insufficient balance for requested action.",
        ),
    ] {
        let refused = refusal(&bench, oco, &query).await;
        assert_eq!(refused, (400, code, msg.to_owned()), "{query}");
    }
    let working = "symbol=BTCUSDT&workingType=LIMIT&workingTimeInForce=GTC&workingPrice=59000&workingQuantity=0.01";
    for (path, query, code, msg) in [
        ("opo", format!("{working}&workingSide=SELL&pendingSide=SELL&pendingType=MARKET"), -1222, "Working order in an OPO list must be a bid."),
        ("opo", format!("{working}&workingSide=BUY&pendingSide=BUY&pendingType=MARKET"), -1223, "Pending orders in an OPO list must be asks."),
        ("oto", format!("{working}&workingSide=BUY&pendingSide=SELL&pendingType=LIMIT&pendingQuantity=1&pendingPrice=9"), -1102, "Mandatory parameter 'pendingTimeInForce' was not sent, was empty/null, or malformed."),
        ("oto", "symbol=BTCUSDT&workingType=MARKET&workingPrice=59000&workingQuantity=0.01&workingSide=BUY&pendingSide=SELL&pendingType=MARKET&pendingQuantity=1".to_owned(), -1116, "Invalid orderType."),
    ] {
        let refused = refusal(&bench, &format!("/api/v3/orderList/{path}"), &query).await;
        assert_eq!(refused, (400, code, msg.to_owned()), "{query}");
    }
    assert_eq!(bench.signed("GET", "/api/v3/allOrderList", "").await.ok(), json!([]), "none of them left anything");
    let none = bench.signed("GET", "/api/v3/orderList", "orderListId=0").await.refusal();
    assert_eq!(none, (400, -2013, "Order does not exist.".to_owned()));
    let neither = bench.signed("GET", "/api/v3/orderList", "").await.refusal();
    assert_eq!((neither.0, neither.1), (400, -1102));
    let unknown = bench.signed("DELETE", "/api/v3/orderList", "symbol=BTCUSDT&orderListId=5").await.refusal();
    assert_eq!(unknown, (400, -2011, "Unknown order sent.".to_owned()));
}

#[tokio::test]
async fn a_pending_order_is_placed_when_the_working_one_is_filled() {
    let bench = quiet().await;
    let working = "symbol=BTCUSDT&workingType=LIMIT&workingTimeInForce=GTC&workingSide=BUY&workingPrice=60000&workingQuantity=0.01";
    let pending = "pendingSide=SELL&pendingType=LIMIT&pendingTimeInForce=GTC&pendingPrice=62000&pendingQuantity=0.01";
    let placed = bench.signed("POST", "/api/v3/orderList/oto", &format!("{working}&{pending}")).await;
    assert_eq!(placed.header("x-mbx-order-count-10s"), Some("2"));
    assert_eq!(placed.header("x-mbx-used-weight-1m"), Some("0"), "a list that was placed weighs nothing");
    let placed = placed.ok();
    assert_eq!(
        (&placed["contingencyType"], &placed["orderReports"][1]["status"]),
        (&json!("OTO"), &json!("PENDING_NEW"))
    );
    let pending = &placed["orders"][1]["orderId"];
    let waiting = status(&bench, pending).await;
    assert_eq!(
        (&waiting["status"], &waiting["isWorking"], &waiting["workingTime"]),
        (&json!("PENDING_NEW"), &json!(false), &json!(-1))
    );
    bench.order("symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.01&selfTradePreventionMode=NONE").await.ok();
    let now = status(&bench, pending).await;
    assert_eq!((&now["status"], &now["isWorking"]), (&json!("NEW"), &json!(true)));
    assert_eq!(
        bench.get("/api/v3/depth?symbol=BTCUSDT").await.ok()["asks"][0],
        json!(["62000.00000000", "0.01000000"])
    );

    // One pays the other: no quantity is told before it is known.
    let opo = "symbol=BTCUSDT&workingType=LIMIT&workingTimeInForce=GTC&workingSide=BUY&workingPrice=60000&workingQuantity=0.01&pendingSide=SELL&pendingType=LIMIT&pendingTimeInForce=GTC&pendingPrice=63000";
    let placed = post(&bench, "/api/v3/orderList/opo", opo).await;
    assert_eq!(placed["orderReports"][1].get("origQty"), None);
    bench.order("symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.01&selfTradePreventionMode=NONE").await.ok();
    let paid = status(&bench, &placed["orders"][1]["orderId"]).await;
    assert_eq!((&paid["status"], &paid["origQty"]), (&json!("NEW"), &json!("0.00999000")), "0.01 less its commission");
}

#[tokio::test]
async fn cancelling_one_order_or_all_cancels_lists_whole() {
    let bench = quiet().await;
    let placed = post(&bench, "/api/v3/orderList/oco", OCO).await;
    let query = format!("symbol=BTCUSDT&orderId={}&newClientOrderId=enough", placed["orders"][0]["orderId"]);
    let canceled = bench.signed("DELETE", "/api/v3/order", &query).await.ok();
    assert_eq!((&canceled["listOrderStatus"], &canceled["orderListId"]), (&json!("ALL_DONE"), &json!(0)));
    let reports = canceled["orderReports"].as_array().expect("reports");
    assert!(reports.iter().all(|report| report["status"] == "CANCELED" && report["clientOrderId"] == "enough"));

    post(&bench, "/api/v3/orderList/oco", OCO).await;
    bench.order("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=50000").await.ok();
    let all = bench.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await.ok();
    assert_eq!((&all[0]["contingencyType"], &all[0]["orderReports"][1]["orderListId"]), (&json!("OCO"), &json!(1)));
    assert_eq!((&all[1]["status"], &all[1]["orderListId"]), (&json!("CANCELED"), &json!(-1)));
    assert_eq!(all.as_array().map(Vec::len), Some(2));

    let third = post(&bench, "/api/v3/orderList/oco", &format!("{OCO}&listClientOrderId=third")).await;
    let twice = refusal(&bench, "/api/v3/orderList/oco", &format!("{OCO}&listClientOrderId=third")).await;
    assert_eq!(twice, (400, -2010, "Duplicate order sent.".to_owned()));
    let ended = bench.signed("DELETE", "/api/v3/orderList", "symbol=BTCUSDT&listClientOrderId=third").await.ok();
    assert_eq!((&ended["orderListId"], &ended["listStatusType"]), (&third["orderListId"], &json!("ALL_DONE")));
    let lists = bench.signed("GET", "/api/v3/allOrderList", "limit=2").await.ok();
    let ids: Vec<_> = lists.as_array().expect("lists").iter().map(|list| &list["orderListId"]).collect();
    assert_eq!(ids, [&json!(1), &json!(2)], "the newest, oldest first");
    let both = bench.signed("GET", "/api/v3/allOrderList", "fromId=1&startTime=1").await.refusal();
    assert_eq!((both.0, both.1), (400, -1128));
}

#[tokio::test]
async fn the_elder_oco_and_the_other_lists_are_placed_too() {
    let bench = quiet().await;
    let elder = "symbol=BTCUSDT&side=BUY&quantity=0.01&price=59000&stopPrice=61000&stopLimitPrice=61500&stopLimitTimeInForce=GTC&limitClientOrderId=low&stopClientOrderId=high";
    let placed = post(&bench, "/api/v3/order/oco", elder).await;
    let names: Vec<_> = (0..2).map(|place| placed["orders"][place]["clientOrderId"].clone()).collect();
    assert_eq!(names, ["high", "low"]);
    let account = bench.signed("GET", "/api/v3/account", "").await.ok();
    let usdt = account["balances"].as_array().and_then(|rows| rows.iter().find(|row| row["asset"] == "USDT")).cloned();
    assert_eq!(usdt.expect("USDT")["locked"], "615.00000000", "the dearer of the two");
    let no_terms = refusal(&bench, "/api/v3/order/oco", &elder.replace("&stopLimitTimeInForce=GTC", "")).await;
    assert_eq!((no_terms.0, no_terms.1), (400, -1102));

    let otoco = "symbol=BTCUSDT&workingType=LIMIT_MAKER&workingSide=BUY&workingPrice=58000&workingQuantity=0.01&pendingSide=SELL&pendingQuantity=0.01&pendingAboveType=LIMIT_MAKER&pendingAbovePrice=63000&pendingBelowType=STOP_LOSS&pendingBelowStopPrice=57000";
    let placed = post(&bench, "/api/v3/orderList/otoco", otoco).await;
    let types: Vec<_> = (0..3).map(|place| placed["orderReports"][place]["type"].clone()).collect();
    assert_eq!(types, ["LIMIT_MAKER", "STOP_LOSS", "LIMIT_MAKER"]);
    let opoco = otoco.replace("&pendingQuantity=0.01", "");
    let placed = post(&bench, "/api/v3/orderList/opoco", &opoco).await;
    assert_eq!(placed["orders"].as_array().map(Vec::len), Some(3));
    let counts = bench.signed("GET", "/api/v3/rateLimit/order", "").await.ok();
    assert_eq!(counts[0]["count"], 8, "two, three and three");
}

#[tokio::test]
async fn lists_go_over_the_websocket_api() {
    let bench = bench().await;
    let mut socket = bench.connect("/ws-api/v3").await;
    let sorted = "aboveClientOrderId=up&abovePrice=61000&aboveType=LIMIT_MAKER&apiKey={key}&belowStopPrice=59000&belowType=STOP_LOSS&quantity=0.1&side=SELL&symbol=BTCUSDT&timestamp={now}";
    let ask = |method: &str, sorted: &str| bench.ws_request(method, sorted);
    let placed = socket.ask(&ask("orderList.place.oco", sorted)).await;
    assert_eq!((&placed["status"], &placed["result"]["contingencyType"]), (&json!(200), &json!("OCO")), "{placed}");
    assert_eq!(placed["rateLimits"][0]["count"], 2, "{placed}");
    let status = socket.ask(&ask("orderList.status", "apiKey={key}&orderListId=0&timestamp={now}")).await;
    assert_eq!(status["result"]["listOrderStatus"], "EXECUTING", "{status}");
    let open = socket.ask(&ask("openOrderLists.status", "apiKey={key}&timestamp={now}")).await;
    assert_eq!(open["result"][0]["orderListId"], 0);
    let canceled =
        socket.ask(&ask("orderList.cancel", "apiKey={key}&orderListId=0&symbol=BTCUSDT&timestamp={now}")).await;
    assert_eq!(canceled["result"]["orderReports"][1]["status"], "CANCELED");
    let all = socket.ask(&ask("allOrderLists", "apiKey={key}&timestamp={now}")).await;
    assert_eq!(all["result"].as_array().map(Vec::len), Some(1));
}

//! Cancel-replace and amendments over REST, in the user data stream and over the WebSocket API.

use mock_binance::Builder;
use mock_binance::engine::{LimitsSpec, WindowLimit};
use serde_json::{Value, json};

use crate::support::{Bench, bench, bench_with};

const BUY: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=50000";

async fn replace(bench: &Bench, query: &str) -> (u16, Value) {
    let answer = bench.signed("POST", "/api/v3/order/cancelReplace", query).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn an_order_makes_room_for_another() {
    let bench = bench().await;
    let old = bench.order(BUY).await.ok();
    let query = format!(
        "{BUY}.50&cancelReplaceMode=STOP_ON_FAILURE&cancelOrderId={}&cancelNewClientOrderId=away",
        old["orderId"]
    );
    let (status, done) = replace(&bench, &query).await;
    assert_eq!(
        (status, &done["cancelResult"], &done["newOrderResult"]),
        (200, &json!("SUCCESS"), &json!("SUCCESS")),
        "{done}"
    );
    let (gone, new) = (&done["cancelResponse"], &done["newOrderResponse"]);
    assert_eq!(
        (&gone["status"], &gone["clientOrderId"], &gone["orderId"]),
        (&json!("CANCELED"), &json!("away"), &old["orderId"])
    );
    assert_eq!((&new["status"], &new["price"], &new["fills"]), (&json!("NEW"), &json!("50000.50000000"), &json!([])));
}

#[tokio::test]
async fn each_failure_is_told_with_what_became_of_both() {
    let bench = bench().await;
    let poor = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=50000";
    let old = bench.order(BUY).await.ok();
    let stop = "cancelReplaceMode=STOP_ON_FAILURE";
    let allow = "cancelReplaceMode=ALLOW_FAILURE";

    let (status, told) = replace(&bench, &format!("{BUY}&{stop}&cancelOrderId=999")).await;
    let unknown = json!({"code": -2011, "msg": "Unknown order sent."});
    assert_eq!(
        (status, told),
        (
            400,
            json!({
                "code": -2022,
                "msg": "Order cancel-replace failed.",
                "data": {
                    "cancelResult": "FAILURE",
                    "newOrderResult": "NOT_ATTEMPTED",
                    "cancelResponse": unknown,
                    "newOrderResponse": null,
                },
            })
        )
    );
    let counts = bench.signed("GET", "/api/v3/rateLimit/order", "").await.ok();
    assert_eq!(counts[0]["count"], 2, "an order that was not attempted counts");

    let (status, told) = replace(&bench, &format!("{poor}&{allow}&cancelOrderId=999")).await;
    let no_money = json!({"code": -2010, "msg": "Account has insufficient balance for requested action."});
    assert_eq!((status, &told["code"], &told["data"]["newOrderResponse"]), (400, &json!(-2022), &no_money));
    assert_eq!(told["data"]["newOrderResult"], "FAILURE");

    let (status, told) = replace(&bench, &format!("{BUY}&{allow}&cancelOrderId=999")).await;
    assert_eq!(
        (status, &told["code"], &told["msg"]),
        (409, &json!(-2021), &json!("Order cancel-replace partially failed."))
    );
    assert_eq!(
        (&told["data"]["cancelResponse"], &told["data"]["newOrderResponse"]["status"]),
        (&unknown, &json!("NEW"))
    );

    let (status, told) = replace(&bench, &format!("{poor}&{stop}&cancelOrderId={}", old["orderId"])).await;
    assert_eq!((status, &told["code"], &told["data"]["cancelResult"]), (409, &json!(-2021), &json!("SUCCESS")));
    assert_eq!(
        (&told["data"]["cancelResponse"]["status"], &told["data"]["newOrderResponse"]),
        (&json!("CANCELED"), &no_money)
    );

    // What the new order itself is refused for, whatever becomes of the old one.
    for (query, code, msg) in [
        (
            format!("{BUY}&cancelReplaceMode=NEVER&cancelOrderId=1"),
            -1130,
            "Data sent for parameter 'cancelReplaceMode' is not valid.",
        ),
        (
            format!("{BUY}&{stop}"),
            -1102,
            "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, but both were empty/null!",
        ),
        (format!("{BUY}&{stop}&cancelOrderId=1&cancelRestrictions=NEVER"), -1145, "Invalid cancelRestrictions"),
        (
            format!("{BUY}&{stop}&cancelOrderId=1&orderRateLimitExceededMode=X"),
            -1130,
            "Data sent for parameter 'orderRateLimitExceededMode' is not valid.",
        ),
        (format!("{}&{stop}&cancelOrderId=1", BUY.replace("0.01", "0.0000001")), -1013, "Filter failure: LOT_SIZE"),
    ] {
        let refused = bench.signed("POST", "/api/v3/order/cancelReplace", &query).await.refusal();
        assert_eq!(refused, (400, code, msg.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn over_the_order_count_nothing_happens_or_the_cancel_alone() {
    let orders = vec![WindowLimit { window_secs: 10, limit: 2 }];
    let bench = bench_with(|builder| builder.limits(LimitsSpec { orders, ..LimitsSpec::default() })).await;
    let old = bench.order(BUY).await.ok();
    bench.order(BUY).await.ok();
    let query = format!("{BUY}&cancelReplaceMode=STOP_ON_FAILURE&cancelOrderId={}", old["orderId"]);
    let refused = bench.signed("POST", "/api/v3/order/cancelReplace", &query).await;
    assert!(refused.header("retry-after").is_some());
    assert_eq!(
        refused.refusal(),
        (429, -1015, "Too many new orders; current limit is 2 orders per 10 SECOND.".to_owned())
    );
    let (status, told) = replace(&bench, &format!("{query}&orderRateLimitExceededMode=CANCEL_ONLY")).await;
    assert_eq!((status, &told["code"], &told["data"]["cancelResult"]), (429, &json!(-2021), &json!("SUCCESS")));
    assert_eq!(told["data"]["newOrderResponse"]["code"], -1015);

    // Where failures are allowed, what was done decides the status.
    let next = bench.signed("GET", "/api/v3/openOrders", "").await.ok()[0]["orderId"].clone();
    let allow = |id: &Value| {
        format!("{BUY}&cancelReplaceMode=ALLOW_FAILURE&cancelOrderId={id}&orderRateLimitExceededMode=CANCEL_ONLY")
    };
    for (status, code, canceled) in [(409, -2021, "SUCCESS"), (400, -2022, "FAILURE")] {
        let (told_status, told) = replace(&bench, &allow(&next)).await;
        assert_eq!((told_status, &told["code"]), (status, &json!(code)), "{told}");
        let data = &told["data"];
        assert_eq!((&data["cancelResult"], &data["newOrderResult"]), (&json!(canceled), &json!("FAILURE")));
        assert_eq!(data["newOrderResponse"]["code"], -1015);
    }
}

#[tokio::test]
async fn an_order_is_made_smaller_and_keeps_its_place() {
    let bench = bench_with(Builder::no_liquidity).await;
    let key = bench.listen_key().await;
    let order = bench.order(&format!("{BUY}&newClientOrderId=first")).await.ok();
    let mut socket = bench.connect(&format!("/ws/{key}")).await;
    let amend = |query: String| {
        let bench = &bench;
        async move { bench.signed("PUT", "/api/v3/order/amend/keepPriority", &query).await }
    };
    let id = &order["orderId"];
    let amended = amend(format!("symbol=BTCUSDT&orderId={id}&newQty=0.006&newClientOrderId=second")).await.ok();
    let now = &amended["amendedOrder"];
    assert_eq!(
        (&now["origClientOrderId"], &now["clientOrderId"], &now["qty"]),
        (&json!("first"), &json!("second"), &json!("0.00600000"))
    );
    assert_eq!(amended.get("listStatus"), None);
    let told = socket.next().await;
    assert_eq!(
        (&told["x"], &told["X"], &told["c"], &told["C"], &told["q"]),
        (&json!("REPLACED"), &json!("NEW"), &json!("second"), &json!("first"), &json!("0.00600000"))
    );
    assert_eq!(told["I"], amended["executionId"]);
    assert_eq!(socket.next().await["B"][1], json!({"a": "USDT", "f": "9700.00000000", "l": "300.00000000"}));
    for (new, msg) in [
        ("0.006", "The requested action would change no state; rejecting."),
        ("0.007", "Order amend (quantity increase) is not supported."),
    ] {
        let refused = amend(format!("symbol=BTCUSDT&orderId={id}&newQty={new}")).await.refusal();
        assert_eq!(refused, (400, -2038, msg.to_owned()));
    }
    let unknown = amend("symbol=BTCUSDT&orderId=99&newQty=1".to_owned()).await.refusal();
    assert_eq!(unknown, (400, -2038, "Unknown order sent.".to_owned()));
    let small = amend(format!("symbol=BTCUSDT&orderId={id}&newQty=0.00001")).await.refusal();
    assert_eq!(small, (400, -1013, "Filter failure: NOTIONAL".to_owned()));
    for step in 1..10 {
        amend(format!("symbol=BTCUSDT&orderId={id}&newQty={}", format_args!("0.005{}", 9 - step))).await.ok();
    }
    let too_often = amend(format!("symbol=BTCUSDT&orderId={id}&newQty=0.004")).await.refusal();
    assert_eq!(too_often, (400, -2038, "Filter failure: MAX_NUM_ORDER_AMENDS".to_owned()));

    let query = format!("symbol=BTCUSDT&orderId={id}&limit=1");
    let history = bench.signed("GET", "/api/v3/order/amendments", &query).await.ok();
    assert_eq!(
        history,
        json!([{
            "symbol": "BTCUSDT",
            "orderId": id,
            "executionId": amended["executionId"],
            "origClientOrderId": "first",
            "newClientOrderId": "second",
            "origQty": "0.01000000",
            "newQty": "0.00600000",
            "time": amended["transactTime"],
        }])
    );
    let later = bench
        .signed("GET", "/api/v3/order/amendments", &format!("symbol=BTCUSDT&orderId={id}&fromExecutionId=3"))
        .await
        .ok();
    assert_eq!(later.as_array().map(Vec::len), Some(9));
}

#[tokio::test]
async fn an_amended_list_order_tells_its_list() {
    let bench = bench_with(Builder::no_liquidity).await;
    let key = bench.listen_key().await;
    let oto = "symbol=BTCUSDT&workingType=LIMIT&workingTimeInForce=GTC&workingSide=BUY&workingPrice=50000&workingQuantity=0.01&pendingSide=SELL&pendingType=MARKET&pendingQuantity=0.5&pendingClientOrderId=later";
    bench.signed("POST", "/api/v3/orderList/oto", oto).await.ok();
    let mut socket = bench.connect(&format!("/ws/{key}")).await;
    let query = "symbol=BTCUSDT&origClientOrderId=later&newQty=0.4&newClientOrderId=sooner";
    let amended = bench.signed("PUT", "/api/v3/order/amend/keepPriority", query).await.ok();
    assert_eq!(
        (&amended["amendedOrder"]["status"], amended["amendedOrder"].get("workingTime")),
        (&json!("PENDING_NEW"), None)
    );
    assert_eq!(amended["listStatus"]["orders"][1]["clientOrderId"], "sooner");
    let told: Vec<Value> = socket.drain().await;
    let update = told.iter().find(|event| event["e"] == "listStatus").expect("a list status");
    assert_eq!((&update["l"], &update["L"]), (&json!("UPDATED"), &json!("EXECUTING")));
}

#[tokio::test]
async fn both_go_over_the_websocket_api() {
    let bench = bench().await;
    let mut socket = bench.connect("/ws-api/v3").await;
    let old = bench.order(BUY).await.ok();
    let sorted = format!(
        "apiKey={{key}}&cancelOrderId={}&cancelReplaceMode=STOP_ON_FAILURE&price=49000&quantity=0.01&side=BUY&symbol=BTCUSDT&timeInForce=GTC&timestamp={{now}}&type=LIMIT",
        old["orderId"]
    );
    let done = socket.ask(&bench.ws_request("order.cancelReplace", &sorted)).await;
    assert_eq!((&done["status"], &done["result"]["newOrderResult"]), (&json!(200), &json!("SUCCESS")), "{done}");
    let again = socket.ask(&bench.ws_request("order.cancelReplace", &sorted)).await;
    assert_eq!((&again["status"], &again["error"]["code"]), (&json!(400), &json!(-2022)));
    assert_eq!(again["error"]["data"]["cancelResponse"]["code"], -2011);
    let id = &done["result"]["newOrderResponse"]["orderId"];
    let amended = socket
        .ask(&bench.ws_request(
            "order.amend.keepPriority",
            &format!("apiKey={{key}}&newQty=0.005&orderId={id}&symbol=BTCUSDT&timestamp={{now}}"),
        ))
        .await;
    assert_eq!(amended["result"]["amendedOrder"]["qty"], "0.00500000", "{amended}");
    let history =
        socket
            .ask(&bench.ws_request(
                "order.amendments",
                &format!("apiKey={{key}}&orderId={id}&symbol=BTCUSDT&timestamp={{now}}"),
            ))
            .await;
    assert_eq!(history["result"][0]["newQty"], "0.00500000");
}

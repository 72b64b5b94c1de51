//! Every request, answer and event that the documentation of the WebSocket API shows, against what the mock takes and
//! says: the same keys, types, codes and texts, or a reason why not.
//!
//! `cargo test -p mock-binance --test it ws_shapes -- --nocapture` prints one line per example.

use std::collections::{BTreeMap, BTreeSet};

use mock_binance::Builder;
use mock_binance::engine::{LimitsSpec, WindowLimit};
use serde_json::{Value, json};

use crate::sessions;
use crate::shapes::{
    Comparison, NEW_OCO, NEW_OPO, NEW_OPOCO, NEW_OTO, NEW_OTOCO, NO_REFERENCE, NO_SOR, REPLACE_BY_NOTHING,
    REPLACE_NONE, REPLACE_NOTHING, REPLACE_NOTHING_BY_NOTHING, REPLACE_ONE, file, lived_in, report,
};
use crate::support::{Bench, START_MS, Socket, bench_with};

const BUY: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000";
const MARKET: &str = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001";
/// An order with all that an order can have.
const EVERYTHING: &str = "symbol=BTCUSDT&side=BUY&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.001&price=65000&stopPrice=65000&trailingDelta=100&icebergQty=0.0005&strategyId=1&strategyType=1000000&newClientOrderId=everything";
const DEPRECATED_OCO: &str =
    "symbol=BTCUSDT&side=BUY&quantity=0.001&price=50000&stopPrice=65000&stopLimitPrice=65000&stopLimitTimeInForce=GTC";

/// How each answer is asked for on the account of [`lived_in`]: the example's number, method and parameters. Methods
/// after a `*` are signed.
const ANSWERS: &[(u64, &str, &str)] = &[
    (1, "*order.place", "{buy}&newOrderRespType=RESULT"),
    (2, "*order.place", "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=50000"),
    (5, "time", ""),
    (7, "time", ""),
    (9, "time", "returnRateLimits=false"),
    (13, "*order.place", "{buy}&newOrderRespType=RESULT"),
    (42, "ping", ""),
    (44, "time", ""),
    (46, "exchangeInfo", "symbols=[\"BTCUSDT\"]"),
    (50, "depth", "symbol=BTCUSDT&limit=5"),
    (52, "trades.recent", "symbol=BTCUSDT&limit=1"),
    (54, "trades.historical", "symbol=BTCUSDT&limit=1"),
    (58, "trades.aggregate", "symbol=BTCUSDT&limit=1"),
    (60, "klines", "symbol=BTCUSDT&interval=1h&limit=1"),
    (62, "uiKlines", "symbol=BTCUSDT&interval=1h&limit=1"),
    (64, "avgPrice", "symbol=BTCUSDT"),
    (66, "ticker.24hr", "symbol=BTCUSDT"),
    (67, "ticker.24hr", "symbol=BTCUSDT&type=MINI"),
    (68, "ticker.24hr", "symbols=[\"BTCUSDT\",\"ETHBTC\"]"),
    (70, "ticker.tradingDay", "symbol=BTCUSDT"),
    (71, "ticker.tradingDay", "symbols=[\"BTCUSDT\",\"ETHBTC\"]"),
    (72, "ticker.tradingDay", "symbol=BTCUSDT&type=MINI"),
    (73, "ticker.tradingDay", "symbols=[\"BTCUSDT\",\"ETHBTC\"]&type=MINI"),
    (76, "ticker", "symbol=BTCUSDT&windowSize=7d"),
    (77, "ticker", "symbol=BTCUSDT&type=MINI"),
    (78, "ticker", "symbols=[\"BTCUSDT\",\"ETHBTC\"]"),
    (80, "ticker.price", "symbol=BTCUSDT"),
    (81, "ticker.price", ""),
    (83, "ticker.book", "symbol=BTCUSDT"),
    (84, "ticker.book", "symbols=[\"BTCUSDT\",\"ETHBTC\"]"),
    (90, "referencePrice.calculation", "symbol=BTCUSDT"),
    (100, "*order.place", "{buy}&newOrderRespType=ACK"),
    (101, "*order.place", "{buy}&newOrderRespType=RESULT"),
    (102, "*order.place", "{market}&newOrderRespType=FULL"),
    (104, "*order.test", "{buy}"),
    (105, "*order.test", "{buy}&computeCommissionRates=true"),
    (107, "*order.cancel", "symbol=BTCUSDT&origClientOrderId=everything"),
    (108, "*order.cancel", "symbol=BTCUSDT&origClientOrderId=leg"),
    (112, "*order.cancelReplace", "{one}"),
    (113, "*order.cancelReplace", REPLACE_NONE),
    (114, "*order.cancelReplace", "{by nothing}"),
    (115, "*order.cancelReplace", "{nothing}"),
    (116, "*order.cancelReplace", REPLACE_NOTHING_BY_NOTHING),
    (120, "*order.amend.keepPriority", "symbol=BTCUSDT&orderId={amended}&newQty=0.0007"),
    (121, "*order.amend.keepPriority", "symbol=BTCUSDT&origClientOrderId=working&newQty=0.0009"),
    (123, "*openOrders.cancelAll", "symbol=BTCUSDT"),
    (125, "*orderList.place", DEPRECATED_OCO),
    (127, "*orderList.place.oco", "{oco}"),
    (129, "*orderList.place.oto", NEW_OTO),
    (131, "*orderList.place.otoco", NEW_OTOCO),
    (133, "*orderList.place.opo", NEW_OPO),
    (135, "*orderList.place.opoco", NEW_OPOCO),
    (137, "*orderList.cancel", "symbol=BTCUSDT&orderListId=0"),
    (144, "*account.status", ""),
    (146, "*order.status", "symbol=BTCUSDT&origClientOrderId=everything"),
    (148, "*openOrders.status", "symbol=BTCUSDT"),
    (150, "*allOrders", "symbol=BTCUSDT&orderId={prevented}"),
    (152, "*orderList.status", "orderListId=0"),
    (154, "*openOrderLists.status", ""),
    (156, "*allOrderLists", ""),
    (158, "*myTrades", "symbol=BTCUSDT"),
    (160, "*account.rateLimits.orders", ""),
    (162, "*myPreventedMatches", "symbol=BTCUSDT&preventedMatchId=0"),
    (166, "*account.commission", "symbol=BTCUSDT"),
    (168, "*order.amendments", "symbol=BTCUSDT&orderId={amended}"),
];

/// Answers and events that another test holds, because they need an exchange of their own.
const ELSEWHERE: &[(u64, &str)] = &[
    (3, "every_documented_event_is_the_same_or_cannot_be"),
    (4, "every_documented_event_is_the_same_or_cannot_be"),
    (12, "weight_is_shared_with_rest_and_a_ban_ends_the_connection"),
    (109, "errors"),
    (110, "errors"),
    (170, "the_filters_of_an_account_are_those_of_exchange_symbol_and_assets"),
];

/// Examples that the mock cannot show, and why.
const ABSENT: &[(u64, &str)] = &[
    (11, "the rate limits of an answer whose method is not told; every other example has them"),
    (40, "no key of the mock is revoked while it runs"),
    (48, "no symbol has execution rules"),
    (56, "there are no block trades"),
    (75, "a part of an answer; the whole is example 76"),
    (86, NO_REFERENCE),
    (87, NO_REFERENCE),
    (88, "the example tells an error as the result of a success; the mock tells it as an error, as example 90 does"),
    (91, NO_REFERENCE),
    (92, NO_REFERENCE),
    (139, NO_SOR),
    (141, NO_SOR),
    (142, NO_SOR),
    (164, NO_SOR),
];

/// What differs from one example all the same, and why. Each is found, or the list is wrong.
const EXCEPTED: &[(u64, &str, &str)] = &[
    (46, "result.symbols[0].permissionSets[0] has 1 columns instead of 3", "the example's symbol is in more sets"),
    (46, "result.sors is missing", NO_SOR),
    (102, "result.selfTradePreventionMode is not in the example", "example 101 of the same order has it"),
    (107, "result.trailingTime is not in the example", "the same order in example 123 has it"),
    (112, "result.newOrderResponse.workingTime is not in the example", "example 101 of the same answer has it"),
    (117, "error.data is not in the example", "the text says that answers with 429 have `retryAfter`"),
    (137, "result.orderReports[0].origClientOrderId is not in the example", "example 108 of the same reports has it"),
    (146, "result.preventedMatchId is missing", "told of prevented orders alone, as in example 150"),
    (146, "result.preventedQuantity is missing", "told of prevented orders alone, as in example 150"),
];

fn examples() -> Vec<(u64, Value)> {
    file(include_str!("../data/documented_ws_api.json"), "examples")
        .into_iter()
        .map(|example| (example["number"].as_u64().unwrap(), example["json"].clone()))
        .collect()
}

/// A request of the bench's first account; `*` before the method asks for a signature.
fn request(bench: &Bench, method: &str, query: &str) -> String {
    let mut pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let Some(method) = method.strip_prefix('*') else {
        let params: BTreeMap<&str, &str> = pairs.into_iter().collect();
        return json!({"id": method, "method": method, "params": params}).to_string();
    };
    pairs.extend([("apiKey", "{key}"), ("timestamp", "{now}")]);
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    bench.ws_request(method, &pairs.join("&"))
}

/// Which limits an answer tells, without what is used of them. The examples' exchanges have limits of their own.
fn limit_kinds(answer: &Value) -> Vec<&str> {
    let limits = answer["rateLimits"].as_array().map(Vec::as_slice).unwrap_or_default();
    let kinds: BTreeSet<&str> = limits.iter().map(|limit| limit["rateLimitType"].as_str().unwrap()).collect();
    kinds.into_iter().collect()
}

/// What is different, without what is excepted; keeps which exceptions were of use.
fn differences(number: u64, example: &Value, answer: &Value, used: &mut BTreeSet<&'static str>) -> Result<(), String> {
    let mut found = Vec::new();
    if example["status"] != answer["status"] {
        found.push(format!("status {} instead of {}", answer["status"], example["status"]));
    }
    for part in ["result", "error"] {
        match (example.get(part), answer.get(part)) {
            (Some(example), Some(answer)) => {
                found.extend(Comparison::of("", example, answer).found.into_iter().map(|at| format!("{part}{at}")));
            }
            (None, None) => {}
            (_, there) => found.push(format!("{part} is {}", there.map_or("missing", |_| "not in the example"))),
        }
    }
    if example["error"]["code"] != answer["error"]["code"] || text(example) != text(answer) {
        found.push(format!("error {} instead of {}", answer["error"], example["error"]));
    }
    // Where an example leaves the limits out, its connection had asked for that, or they were cut.
    if example.get("rateLimits").is_some() && limit_kinds(example) != limit_kinds(answer) {
        found.push(format!("rateLimits {:?} instead of {:?}", limit_kinds(answer), limit_kinds(example)));
    }
    found.retain(|different| {
        let excepted = EXCEPTED.iter().find(|(of, at, _)| *of == number && at == different);
        used.extend(excepted.map(|(_, at, _)| *at));
        excepted.is_none()
    });
    if found.is_empty() { Ok(()) } else { Err(format!("different: {}", found.join(", "))) }
}

/// A refusal's text; numbers in it are the exchange's own.
fn text(answer: &Value) -> String {
    let text = answer["error"]["msg"].as_str().unwrap_or_default();
    text.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

async fn answer(method: &str, query: &str) -> Value {
    let (bench, [open, amended]) = lived_in().await;
    if method == "*openOrders.cancelAll" {
        bench.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT").await.ok();
    }
    bench.order(EVERYTHING).await.ok();
    if method == "*order.cancel" {
        let list = NEW_OCO.replace("&belowIcebergQty=0.0005", "&aboveClientOrderId=leg");
        bench.signed("POST", "/api/v3/orderList/oco", &list).await.ok();
    }
    let list = format!("{NEW_OTO}&workingClientOrderId=working");
    if method == "*order.amend.keepPriority" {
        bench.signed("POST", "/api/v3/orderList/oto", &list).await.ok();
    }
    // The order after the amended one met another of the same account.
    let prevented = amended.parse::<u64>().unwrap() + 1;
    let query = query
        .replace("{buy}", BUY)
        .replace("{market}", MARKET)
        .replace("{one}", &format!("{REPLACE_ONE}&newOrderRespType=RESULT"))
        .replace("{by nothing}", &REPLACE_BY_NOTHING.replace("STOP_ON_FAILURE", "ALLOW_FAILURE"))
        .replace("{nothing}", &REPLACE_NOTHING.replace("&newOrderRespType=ACK", "&newOrderRespType=FULL"))
        .replace("{oco}", &NEW_OCO.replace("&belowIcebergQty=0.0005", ""))
        .replace("{open}", &open)
        .replace("{amended}", &amended)
        .replace("{prevented}", &prevented.to_string());
    let mut socket = bench.connect("/ws-api/v3").await;
    socket.ask(&request(&bench, method, &query)).await
}

/// The answers of a session, in the order in which they can be had.
async fn session() -> Vec<(u64, Value)> {
    let bench = sessions::bench().await;
    let mut socket = bench.connect("/ws-api/v3?returnRateLimits=false").await;
    let mut told = vec![(94, socket.ask(&sessions::signed(1, "session.logon")).await)];
    for (number, method) in [(172, "userDataStream.subscribe"), (96, "session.status"), (176, "session.subscriptions")]
    {
        told.push((number, sessions::ask(&mut socket, method, json!({})).await));
    }
    let ended = sessions::ask(&mut socket, "userDataStream.unsubscribe", json!({})).await;
    told.push((174, if ended.get("event").is_some() { socket.next().await } else { ended }));
    let mut other = bench.connect("/ws-api/v3?returnRateLimits=false").await;
    told.push((178, other.ask(&sessions::signed(2, "userDataStream.subscribe.signature")).await));
    let mut third: Socket = bench.connect("/ws-api/v3?returnRateLimits=false").await;
    third.ask(&sessions::signed(3, "session.logon")).await;
    told.push((98, sessions::ask(&mut third, "session.logout", json!({})).await));
    told
}

/// The answers over the order count.
async fn over_the_count() -> Vec<(u64, Value)> {
    let orders = vec![WindowLimit { window_secs: 10, limit: 2 }, WindowLimit { window_secs: 86_400, limit: 9 }];
    let limits = |builder: Builder| builder.limits(LimitsSpec { orders, ..LimitsSpec::default() });
    let bench = bench_with(limits).await;
    let old = bench.order(BUY).await.ok()["orderId"].clone();
    bench.order(BUY).await.ok();
    let mut socket = bench.connect("/ws-api/v3").await;
    let query = format!("{BUY}&cancelReplaceMode=ALLOW_FAILURE&cancelOrderId={old}");
    let mut told = Vec::new();
    for (number, mode) in [(117, "DO_NOTHING"), (118, "CANCEL_ONLY")] {
        let query = format!("{query}&orderRateLimitExceededMode={mode}");
        told.push((number, socket.ask(&request(&bench, "*order.cancelReplace", &query)).await));
    }
    told
}

#[tokio::test]
async fn every_documented_answer_of_the_websocket_api_is_the_same_or_cannot_be() {
    let mut scripted: BTreeMap<u64, Value> = session().await.into_iter().chain(over_the_count().await).collect();
    let (mut lines, mut used, mut seen) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for (number, example) in examples().into_iter().filter(|(_, example)| example.get("method").is_none()) {
        seen.insert(number);
        let told = if let Some((.., reason)) = ABSENT.iter().find(|(of, _)| *of == number) {
            Ok((*reason).to_owned())
        } else if let Some((.., test)) = ELSEWHERE.iter().find(|(of, _)| *of == number) {
            Ok(format!("same: held by {test}"))
        } else if let Some(answer) = scripted.remove(&number) {
            differences(number, &example, &answer, &mut used).map(|()| "same".to_owned())
        } else if let Some((_, method, query)) = ANSWERS.iter().find(|(of, ..)| *of == number) {
            let answer = answer(method, query).await;
            differences(number, &example, &answer, &mut used).map(|()| format!("{method}: same"))
        } else {
            Err("different: neither asked for nor listed as absent".to_owned())
        };
        lines.push((format!("WebSocket API #{number}"), told));
    }
    report(&lines);
    let listed = ANSWERS.iter().map(|row| row.0).chain(ELSEWHERE.iter().map(|row| row.0));
    for number in listed.chain(ABSENT.iter().map(|row| row.0)) {
        assert!(seen.contains(&number), "{number} is no answer of the documentation");
    }
    assert!(scripted.is_empty(), "answers without an example: {scripted:?}");
    for (number, at, _) in EXCEPTED {
        assert!(used.contains(at), "{number}: {at} needs no exception");
    }
}

/// Requests whose `id` has 37 letters, where the same page allows 36.
const LONG_IDS: [u64; 2] = [85, 89];

/// What a client is told whose request is not understood: unknown method, characters, too many, missing, not wanted.
const NOT_UNDERSTOOD: [i64; 5] = [-1020, -1100, -1101, -1102, -1104];

#[tokio::test]
async fn every_documented_request_is_understood_as_it_is_written() {
    let mut lines = Vec::new();
    for (number, mut example) in examples().into_iter().filter(|(_, example)| example.get("method").is_some()) {
        if LONG_IDS.contains(&number) {
            assert_eq!(example["id"].as_str().unwrap().len(), 37, "{number} needs no exception");
            example["id"] = json!("short");
        }
        let bench = sessions::bench().await;
        let method = example["method"].as_str().unwrap().to_owned();
        let params = example.get_mut("params").and_then(Value::as_object_mut);
        if let Some(params) = params.filter(|params| params.contains_key("signature")) {
            params.insert("apiKey".into(), json!(sessions::KEY));
            let now = if params["timestamp"].is_string() { json!(START_MS.to_string()) } else { json!(START_MS) };
            params.insert("timestamp".into(), now);
            params.remove("signature");
            let mut pairs: Vec<(String, String)> = params
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
                .collect();
            pairs.sort();
            let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            params.insert("signature".into(), json!(sessions::signature(&pairs.join("&"))));
        }
        let mut socket = bench.connect("/ws-api/v3").await;
        if method != "session.logon" {
            socket.ask(&sessions::signed(0, "session.logon")).await;
        }
        let told = socket.ask(&example.to_string()).await;
        let code = told["error"]["code"].as_i64();
        let understood = told["id"] == example["id"] && code.is_none_or(|code| !NOT_UNDERSTOOD.contains(&code));
        let line = format!("{method}: {} {}", told["status"], told["error"]);
        lines.push((
            format!("WebSocket API #{number}"),
            if understood && code != Some(-1022) { Ok(line) } else { Err(line) },
        ));
    }
    assert_eq!(lines.len(), 70);
    report(&lines);
}

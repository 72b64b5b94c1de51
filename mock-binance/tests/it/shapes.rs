//! Every answer that the documentation shows, and those recorded from the live exchange, against what the mock says:
//! the same keys and the same JSON types all the way down, or a reason why not.
//!
//! `cargo test -p mock-binance --test it shapes -- --nocapture` prints one line per example.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Bench, bench};

/// How each example is asked for: endpoint, number of its example, query.
///
/// The account has bought once (order 161) and has an order open, which is `{open}`; its order `{amended}` was made
/// smaller, list 0 is an OCO, and one trade with itself was prevented.
const SERVED: &[(&str, u64, &str)] = &[
    ("GET /api/v3/ping", 1, ""),
    ("GET /api/v3/time", 1, ""),
    ("GET /api/v3/exchangeInfo", 1, ""),
    ("GET /api/v3/depth", 1, "symbol=BTCUSDT"),
    ("GET /api/v3/trades", 1, "symbol=BTCUSDT"),
    ("GET /api/v3/historicalTrades", 1, "symbol=BTCUSDT"),
    ("GET /api/v3/aggTrades", 1, "symbol=BTCUSDT"),
    ("GET /api/v3/klines", 1, "symbol=BTCUSDT&interval=1m"),
    ("GET /api/v3/uiKlines", 1, "symbol=BTCUSDT&interval=1m"),
    ("GET /api/v3/avgPrice", 1, "symbol=BTCUSDT"),
    ("GET /api/v3/ticker/24hr", 1, "symbol=BTCUSDT"),
    ("GET /api/v3/ticker/24hr", 2, ""),
    ("GET /api/v3/ticker/24hr", 3, "symbol=BTCUSDT&type=MINI"),
    ("GET /api/v3/ticker/24hr", 4, "type=MINI"),
    ("GET /api/v3/ticker/tradingDay", 1, "symbol=BTCUSDT"),
    ("GET /api/v3/ticker/tradingDay", 2, "symbols=[%22BTCUSDT%22,%22ETHBTC%22]"),
    ("GET /api/v3/ticker/tradingDay", 3, "symbol=BTCUSDT&type=MINI"),
    ("GET /api/v3/ticker/tradingDay", 4, "symbols=[%22BTCUSDT%22]&type=MINI"),
    ("GET /api/v3/ticker/price", 1, "symbol=BTCUSDT"),
    ("GET /api/v3/ticker/price", 2, ""),
    ("GET /api/v3/ticker/bookTicker", 1, "symbol=BTCUSDT"),
    ("GET /api/v3/ticker/bookTicker", 2, ""),
    ("GET /api/v3/ticker", 1, "symbol=BTCUSDT"),
    ("GET /api/v3/ticker", 2, "symbols=[%22BTCUSDT%22,%22ETHBTC%22]"),
    ("GET /api/v3/ticker", 3, "symbol=BTCUSDT&type=MINI"),
    ("GET /api/v3/ticker", 4, "symbols=[%22BTCUSDT%22]&type=MINI"),
    ("POST /api/v3/order", 1, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&newOrderRespType=ACK"),
    ("POST /api/v3/order", 2, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&newOrderRespType=RESULT"),
    ("POST /api/v3/order", 3, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&newOrderRespType=FULL"),
    ("POST /api/v3/order/test", 1, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001"),
    ("POST /api/v3/order/test", 2, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&computeCommissionRates=true"),
    ("DELETE /api/v3/order", 1, "symbol=BTCUSDT&orderId={open}"),
    ("DELETE /api/v3/order", 2, "symbol=BTCUSDT&orderId={open}&cancelRestrictions=NONE"),
    ("DELETE /api/v3/order", 3, "symbol=BTCUSDT&orderId={open}&cancelRestrictions=ONLY_PARTIALLY_FILLED"),
    ("DELETE /api/v3/openOrders", 1, "symbol=BTCUSDT"),
    ("GET /api/v3/account", 1, ""),
    ("GET /api/v3/account/commission", 1, "symbol=BTCUSDT"),
    ("GET /api/v3/order", 1, "symbol=BTCUSDT&orderId={open}"),
    ("GET /api/v3/openOrders", 1, ""),
    ("GET /api/v3/allOrders", 1, "symbol=BTCUSDT"),
    ("GET /api/v3/myTrades", 1, "symbol=BTCUSDT"),
    ("GET /api/v3/rateLimit/order", 1, ""),
    ("POST /api/v3/order/cancelReplace", 1, REPLACE_ONE),
    ("POST /api/v3/order/cancelReplace", 2, REPLACE_NONE),
    ("POST /api/v3/order/cancelReplace", 3, REPLACE_BY_NOTHING),
    ("POST /api/v3/order/cancelReplace", 4, REPLACE_NOTHING),
    ("POST /api/v3/order/cancelReplace", 5, REPLACE_NOTHING_BY_NOTHING),
    ("PUT /api/v3/order/amend/keepPriority", 1, "symbol=BTCUSDT&orderId={amended}&newQty=0.0007"),
    ("PUT /api/v3/order/amend/keepPriority", 2, "symbol=BTCUSDT&origClientOrderId=pending&newQty=0.0009"),
    ("GET /api/v3/order/amendments", 1, "symbol=BTCUSDT&orderId={amended}"),
    ("POST /api/v3/order/oco", 1, "symbol=BTCUSDT&side=BUY&quantity=0.001&price=50000&stopPrice=65000"),
    ("POST /api/v3/orderList/oco", 1, NEW_OCO),
    ("POST /api/v3/orderList/oto", 1, NEW_OTO),
    ("POST /api/v3/orderList/otoco", 1, NEW_OTOCO),
    ("POST /api/v3/orderList/opo", 1, NEW_OPO),
    ("POST /api/v3/orderList/opoco", 1, NEW_OPOCO),
    ("DELETE /api/v3/orderList", 1, "symbol=BTCUSDT&orderListId=0"),
    ("GET /api/v3/orderList", 1, "orderListId=0"),
    ("GET /api/v3/allOrderList", 1, ""),
    ("GET /api/v3/openOrderList", 1, ""),
    ("GET /api/v3/myPreventedMatches", 1, "symbol=BTCUSDT&preventedMatchId=0"),
    ("GET /api/v3/referencePrice", 3, "symbol=BTCUSDT"),
    ("GET /api/v3/referencePrice/calculation", 1, "symbol=BTCUSDT"),
];

pub(crate) const REPLACE_ONE: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000&cancelReplaceMode=STOP_ON_FAILURE&cancelOrderId={open}";
pub(crate) const REPLACE_NONE: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000&cancelReplaceMode=STOP_ON_FAILURE&cancelOrderId=9";
pub(crate) const REPLACE_BY_NOTHING: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.001&price=65000&cancelReplaceMode=STOP_ON_FAILURE&cancelOrderId={open}";
pub(crate) const REPLACE_NOTHING: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000&newOrderRespType=ACK&cancelReplaceMode=ALLOW_FAILURE&cancelOrderId=9";
pub(crate) const REPLACE_NOTHING_BY_NOTHING: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.001&price=65000&cancelReplaceMode=ALLOW_FAILURE&cancelOrderId=9";
pub(crate) const NEW_OCO: &str = "symbol=BTCUSDT&side=SELL&quantity=0.001&aboveType=LIMIT_MAKER&abovePrice=65000&belowType=STOP_LOSS_LIMIT&belowStopPrice=55000&belowPrice=55000&belowTimeInForce=GTC&belowIcebergQty=0.0005";
pub(crate) const NEW_OTO: &str = "symbol=BTCUSDT&workingType=LIMIT&workingTimeInForce=GTC&workingSide=BUY&workingPrice=50000&workingQuantity=0.001&pendingSide=BUY&pendingType=MARKET&pendingQuantity=0.001";
pub(crate) const NEW_OTOCO: &str = "symbol=BTCUSDT&workingType=LIMIT&workingTimeInForce=GTC&workingSide=SELL&workingPrice=65000&workingQuantity=0.001&pendingSide=BUY&pendingQuantity=0.001&pendingAboveType=STOP_LOSS_LIMIT&pendingAboveStopPrice=66000&pendingAbovePrice=66000&pendingAboveTimeInForce=IOC&pendingBelowType=LIMIT_MAKER&pendingBelowPrice=60000";
pub(crate) const NEW_OPO: &str = "symbol=BTCUSDT&workingType=LIMIT&workingTimeInForce=GTC&workingSide=BUY&workingPrice=50000&workingQuantity=0.001&pendingSide=SELL&pendingType=MARKET";
pub(crate) const NEW_OPOCO: &str = "symbol=BTCUSDT&workingType=LIMIT&workingTimeInForce=GTC&workingSide=BUY&workingPrice=50000&workingQuantity=0.001&pendingSide=SELL&pendingBelowType=STOP_LOSS_LIMIT&pendingBelowStopPrice=45000&pendingBelowPrice=45000&pendingBelowTimeInForce=GTC&pendingAboveType=LIMIT_MAKER&pendingAbovePrice=65000";

/// Examples that need an exchange of their own, and the test that holds them.
const ELSEWHERE: &[(&str, u64, &str)] = &[
    ("POST /api/v3/order/cancelReplace", 6, "over_the_order_count_nothing_happens_or_the_cancel_alone"),
    ("POST /api/v3/order/cancelReplace", 7, "over_the_order_count_nothing_happens_or_the_cancel_alone"),
    ("GET /api/v3/myFilters", 1, "the_filters_of_an_account_are_those_of_exchange_symbol_and_assets"),
];

/// How each recorded answer is asked for, in the order of the file.
const RECORDED: &[(&str, &str)] = &[
    (
        "POST /api/v3/order",
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000&icebergQty=0.0005&newOrderRespType=FULL",
    ),
    ("GET /api/v3/order", "symbol=BTCUSDT&orderId=161"),
    ("GET /api/v3/openOrders", "symbol=BTCUSDT"),
    ("GET /api/v3/myTrades", "symbol=BTCUSDT&orderId=161"),
    ("GET /api/v3/account", ""),
];

pub(crate) const NO_SOR: &str = "there is one book per symbol and nothing to route between";
pub(crate) const NO_REFERENCE: &str = "no symbol has a reference price";
const NO_REFERENCE_ANSWER: &str = r#"400 {"code":-2043,"msg":"This symbol doesn't have a reference price."}"#;
const NO_SOR_ANSWER: &str = r#"400 {"code":-1013,"msg":"This symbol has no SOR."}"#;

/// Examples of what the mock does not have: what it answers in their place, and why.
const ABSENT: &[(&str, u64, &str, &str, &str)] = &[
    ("GET /api/v3/executionRules", 1, "symbol=BTCUSDT", r#"200 {"symbolRules":[]}"#, "no symbol has execution rules"),
    ("GET /api/v3/historicalBlockTrades", 1, "symbol=BTCUSDT&fromId=0", "200 []", "there are no block trades"),
    ("GET /api/v3/referencePrice", 1, "symbol=BTCUSDT", NO_REFERENCE_ANSWER, NO_REFERENCE),
    ("GET /api/v3/referencePrice", 2, "symbol=BTCUSDT", NO_REFERENCE_ANSWER, NO_REFERENCE),
    ("GET /api/v3/referencePrice/calculation", 2, "symbol=BTCUSDT", NO_REFERENCE_ANSWER, NO_REFERENCE),
    ("GET /api/v3/referencePrice/calculation", 3, "symbol=BTCUSDT", NO_REFERENCE_ANSWER, NO_REFERENCE),
    ("POST /api/v3/sor/order", 1, SOR, NO_SOR_ANSWER, NO_SOR),
    ("POST /api/v3/sor/order/test", 1, SOR, NO_SOR_ANSWER, NO_SOR),
    ("POST /api/v3/sor/order/test", 2, SOR, NO_SOR_ANSWER, NO_SOR),
    ("GET /api/v3/myAllocations", 1, "symbol=BTCUSDT", "200 []", NO_SOR),
];

pub(crate) const SOR: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000";

/// Keys of an example that an answer has only under a condition which the mock never meets.
const CONDITIONAL: &[(&str, &str, &str)] =
    &[("GET /api/v3/exchangeInfo", ".sors", "told where smart order routing is on")];

/// Places where an example does not show what stands there, or shows one of many lengths.
const OPEN: &[(&str, &str)] =
    &[("GET /api/v3/exchangeInfo", ".rateLimits[0]"), ("GET /api/v3/exchangeInfo", ".symbols[0].permissionSets[0]")];

/// The differences of one answer from its example, and the exceptions that were of use.
pub(crate) struct Comparison<'a> {
    endpoint: &'a str,
    pub(crate) found: Vec<String>,
    used: BTreeSet<(&'a str, String)>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn of(endpoint: &'a str, example: &Value, answer: &Value) -> Self {
        let mut comparison = Self { endpoint, found: Vec::new(), used: BTreeSet::new() };
        comparison.walk("", example, answer);
        comparison
    }

    fn use_exception(&mut self, at: &str, mut list: impl Iterator<Item = (&'static str, &'static str)>) -> bool {
        let excepted = list.any(|entry| entry == (self.endpoint, at));
        if excepted {
            self.used.insert((self.endpoint, at.to_owned()));
        }
        excepted
    }

    fn walk(&mut self, at: &str, example: &Value, answer: &Value) {
        match (example, answer) {
            (Value::Object(example), Value::Object(answer)) => {
                if self.use_exception(at, OPEN.iter().copied()) {
                    return;
                }
                for (key, value) in example {
                    let at = format!("{at}.{key}");
                    match answer.get(key) {
                        Some(other) => self.walk(&at, value, other),
                        None if self.use_exception(&at, CONDITIONAL.iter().map(|row| (row.0, row.1))) => {}
                        None => self.found.push(format!("{at} is missing")),
                    }
                }
                for key in answer.keys().filter(|key| !example.contains_key(*key)) {
                    self.found.push(format!("{at}.{key} is not in the example"));
                }
            }
            (Value::Array(example), Value::Array(answer)) => match (example.first(), answer.first()) {
                // A row of a table: each column has its own type.
                (Some(Value::Array(row)), Some(Value::Array(other))) => {
                    let at = format!("{at}[0]");
                    if row.len() != other.len() && !self.use_exception(&at, OPEN.iter().copied()) {
                        self.found.push(format!("{at} has {} columns instead of {}", other.len(), row.len()));
                    }
                    for (column, (value, other)) in row.iter().zip(other).enumerate() {
                        self.walk(&format!("{at}[{column}]"), value, other);
                    }
                }
                (Some(example), Some(answer)) => self.walk(&format!("{at}[0]"), example, answer),
                (Some(_), None) => self.found.push(format!("{at} is empty")),
                (None, _) => {}
            },
            _ if kind(example) == kind(answer) => {}
            _ => self.found.push(format!("{at} is {} instead of {}", kind(answer), kind(example))),
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a flag",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a whole number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

pub(crate) fn file(text: &str, list: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(text).unwrap();
    all[list].as_array().unwrap().clone()
}

fn documented() -> Vec<Value> {
    file(include_str!("../data/documented_answers.json"), "examples")
}

/// The account of the cases, and the ids of its open and its amended order.
pub(crate) async fn lived_in() -> (Bench, [String; 2]) {
    let bench = bench().await;
    bench.bought().await;
    let open = bench.resting().await["orderId"].to_string();
    bench.signed("POST", "/api/v3/orderList/oco", &NEW_OCO.replace("&belowIcebergQty=0.0005", "")).await.ok();
    let amended = bench.resting().await["orderId"].to_string();
    let query = format!("symbol=BTCUSDT&orderId={amended}&newQty=0.0008");
    bench.signed("PUT", "/api/v3/order/amend/keepPriority", &query).await.ok();
    // A SELL of one's own in the way: prevented match 0.
    bench.order("symbol=BTCUSDT&side=SELL&type=LIMIT_MAKER&quantity=0.0002&price=60000.01").await.ok();
    bench.order("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.0002&price=60001").await.ok();
    let oto = format!("{NEW_OTO}&pendingClientOrderId=pending");
    bench.signed("POST", "/api/v3/orderList/oto", &oto).await.ok();
    (bench, [open, amended])
}

async fn ask(bench: &Bench, endpoint: &str, query: &str) -> (u16, String) {
    let (method, path) = endpoint.split_once(' ').unwrap();
    let signed = [
        "order",
        "openOrders",
        "allOrders",
        "orderList",
        "openOrderList",
        "allOrderList",
        "myTrades",
        "myPreventedMatches",
        "myAllocations",
        "myFilters",
        "sor",
        "account",
        "rateLimit",
    ];
    let root = path.strip_prefix("/api/v3/").unwrap().split('/').next().unwrap();
    let answer = if signed.contains(&root) {
        bench.signed(method, path, query).await
    } else {
        bench.send(method, &format!("{path}?{query}"), None, None).await
    };
    (answer.status, answer.text)
}

/// Asks, compares, and gives the line to print; keeps which exceptions were of use.
async fn line(
    name: &'static str,
    query: &str,
    example: &Value,
    used: &mut BTreeSet<(&'static str, String)>,
) -> Result<String, String> {
    let (bench, [open, amended]) = lived_in().await;
    let query = query.replace("{open}", &open).replace("{amended}", &amended);
    let (status, text) = ask(&bench, name, &query).await;
    let answer: Value = serde_json::from_str(&text).map_err(|_| format!("different: {status} {text:?}"))?;
    let mut comparison = Comparison::of(name, example, &answer);
    // A refusal is known by its code and text, not by its shape.
    if example.get("code").is_some() && ["code", "msg"].iter().any(|key| example[*key] != answer[*key]) {
        comparison.found.push(format!("{answer} instead of {example}"));
    }
    used.append(&mut comparison.used);
    if comparison.found.is_empty() {
        Ok("same".to_owned())
    } else {
        Err(format!("different: {}", comparison.found.join(", ")))
    }
}

/// Prints every line and stops when one is bad.
#[expect(clippy::print_stdout, reason = "the lines are read by whoever asks what the mock serves")]
pub(crate) fn report(lines: &[(String, Result<String, String>)]) {
    let mut bad = Vec::new();
    for (name, line) in lines {
        let (Ok(text) | Err(text)) = line;
        println!("{name}: {text}");
        if line.is_err() {
            bad.push(format!("{name}: {text}"));
        }
    }
    assert_eq!(bad, Vec::<String>::new());
}

#[tokio::test]
async fn every_documented_answer_is_the_same_or_of_something_that_the_mock_does_not_have() {
    let mut lines = Vec::new();
    let mut used = BTreeSet::new();
    let mut asked = BTreeSet::new();
    let mut absent = 0;
    for example in documented() {
        let endpoint = example["endpoint"].as_str().unwrap().to_owned();
        let number = example["number"].as_u64().unwrap();
        let case = SERVED.iter().find(|case| (case.0, case.1) == (&endpoint, number));
        let name = format!("{endpoint} #{number}");
        let told = if let Some((served, _, query)) = case {
            asked.insert((*served, number));
            line(served, query, &example["json"], &mut used).await
        } else if let Some((.., test)) = ELSEWHERE.iter().find(|case| (case.0, case.1) == (&endpoint, number)) {
            Ok(format!("same: held by {test}"))
        } else if let Some((.., query, answer, reason)) =
            ABSENT.iter().find(|case| (case.0, case.1) == (&endpoint, number))
        {
            absent += 1;
            let (status, text) = ask(&bench().await, &endpoint, query).await;
            let instead = format!("{status} {text}");
            if instead == *answer {
                Ok(format!("{reason}: {instead}"))
            } else {
                Err(format!("{instead} instead of {answer}"))
            }
        } else {
            Err("different: neither asked for nor listed as absent".to_owned())
        };
        lines.push((name, told));
    }
    report(&lines);
    assert_eq!(absent, ABSENT.len(), "something absent without an example");
    assert_eq!(asked.len(), SERVED.len(), "a case without an example");
    for (endpoint, at) in CONDITIONAL.iter().map(|row| (row.0, row.1)).chain(OPEN.iter().copied()) {
        assert!(used.contains(&(endpoint, at.to_owned())), "{endpoint} {at} needs no exception");
    }
}

#[tokio::test]
async fn recorded_answers_have_the_shape_of_the_mock_s() {
    let recorded = file(include_str!("../data/recorded_answers.json"), "answers");
    assert_eq!(recorded.len(), RECORDED.len());
    let mut lines = Vec::new();
    let mut used = BTreeSet::new();
    for (answer, (endpoint, query)) in recorded.iter().zip(RECORDED) {
        assert_eq!(answer["endpoint"], *endpoint);
        lines.push((format!("recorded {endpoint}"), line(endpoint, query, &answer["json"], &mut used).await));
    }
    report(&lines);
    assert!(used.is_empty(), "recorded answers need no exceptions: {used:?}");
}

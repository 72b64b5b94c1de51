//! The examples of the exchange's FAQs, restated as data: every case of the file is read from there and run over REST.
//!
//! `commission` is held by the tests of that module.

mod counts;
mod market;
mod prevention;
mod trailing;

use mock_binance::{Account, Builder, Symbols};
use serde_json::Value;

use crate::support::{Answer, Bench, bench_with};

/// Cases that cannot be run here, and why.
const NOT_RUN: &[(&str, &str, &str)] = &[(
    "stp",
    "TRANSFER",
    "accounts are in no trade group, so only the half without one is run: it comes to what DECREMENT does",
)];

fn file() -> Value {
    serde_json::from_str(include_str!("../../data/scenarios.json")).unwrap()
}

/// The cases of a group, and of each what names it.
fn cases(group: &str, name: &str) -> Vec<(String, Value)> {
    let cases = file()[group].as_array().unwrap().clone();
    cases.into_iter().map(|case| (case[name].as_str().unwrap().to_owned(), case)).collect()
}

#[test]
fn every_group_of_the_file_is_run() {
    let file = file();
    let groups: Vec<&str> = file.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["source", "unfilled_order_count", "stp", "trailing_stop", "market_partial", "commission"];
    assert!(groups.iter().all(|group| expected.contains(group)) && groups.len() == expected.len(), "{groups:?}");
    for (group, name, why) in NOT_RUN {
        assert!(cases(group, "taker_mode").iter().any(|(known, _)| known == name), "{group} {name}: {why}");
    }
}

/// The account of the cases, another one to trade with, and a symbol without filters and without liquidity.
async fn market(price: &str, more: impl FnOnce(Builder) -> Builder) -> Bench {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/data/exchange_info.json")).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    file["symbols"][0]["filters"] = Value::Array(Vec::new());
    let symbols = Symbols::parse(&file.to_string()).unwrap();
    let rich = |seed| Account::generated(seed).balance("BTC", "1000").balance("USDT", "1000000000");
    let settings = |builder: Builder| {
        let builder = builder.symbols(symbols).price("BTCUSDT", price).account(rich(1)).account(rich(2));
        more(builder)
    };
    bench_with(settings).await
}

/// Sends an order of BTCUSDT for one of the accounts: side, type and what else it needs.
async fn order(bench: &Bench, account: usize, side: &str, kind: &str, rest: &str) -> Answer {
    let query = format!("symbol=BTCUSDT&side={side}&type={kind}&{rest}");
    bench.signed_by(&bench.mock.accounts()[account], "POST", "/api/v3/order", &query).await
}

async fn asked(bench: &Bench, order: &Value) -> Value {
    bench.signed("GET", "/api/v3/order", &format!("symbol=BTCUSDT&orderId={}", order["orderId"])).await.ok()
}

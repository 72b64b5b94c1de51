//! Unfilled order counts: each step of a case, and the count after it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mock_binance::Builder;
use mock_binance::engine::LimitsSpec;
use serde_json::Value;

use super::{cases, market, order};
use crate::support::Bench;

const DAY_MS: u64 = 86_400_000;
/// Every order that is named by a letter has so much.
const QUANTITY: u32 = 3;

/// One case under way.
struct Run {
    bench: Bench,
    /// Orders by letter: id and price.
    named: BTreeMap<String, (u64, u32)>,
    /// Letters of orders that trade later: these must be bid for above those that do not.
    trading: BTreeSet<String>,
    numbered: u32,
}

impl Run {
    async fn sell(&self, quantity: u32, price: u32, time_in_force: &str) {
        let rest = format!("timeInForce={time_in_force}&quantity={quantity}&price={price}");
        order(&self.bench, 1, "SELL", "LIMIT", &rest).await.ok();
    }

    fn price_of(&self, name: &str) -> u32 {
        let letter = u32::from(name.as_bytes()[0] - b'A');
        if self.trading.contains(name) { 100 - letter } else { 10 }
    }

    /// Places an order that finds at its price what `meets` says.
    async fn place(&mut self, kind: &str, name: &str, meets: u32) {
        let price = self.price_of(name);
        if meets > 0 {
            self.sell(meets, price, "GTC").await;
        }
        let rest = match kind {
            "MARKET" => format!("quantity={QUANTITY}"),
            "FOK" => format!("timeInForce=FOK&quantity={QUANTITY}&price={price}"),
            "LIMIT" => format!("timeInForce=GTC&quantity={QUANTITY}&price={price}"),
            other => panic!("no order type {other}"),
        };
        let kind = if kind == "MARKET" { "MARKET" } else { "LIMIT" };
        let placed = order(&self.bench, 0, "BUY", kind, &rest).await.ok();
        self.named.insert(name.to_owned(), (placed["orderId"].as_u64().unwrap(), price));
    }

    async fn place_many(&mut self, count: u32) {
        for _ in 0..count {
            let rest = format!("timeInForce=GTC&quantity=1&price={}", 1_000 - self.numbered);
            order(&self.bench, 0, "BUY", "LIMIT", &rest).await.ok();
            self.numbered += 1;
        }
    }

    async fn count(&self) -> u64 {
        let counts = self.bench.signed("GET", "/api/v3/rateLimit/order", "").await.ok();
        let day = counts.as_array().unwrap().iter().find(|row| row["interval"] == "DAY").unwrap();
        day["count"].as_u64().unwrap()
    }

    async fn step(&mut self, text: &str, next: Option<&str>) {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            // What an order meets at once is told by the step after it.
            ["place", kind @ ("LIMIT" | "MARKET" | "FOK"), name] => {
                let meets = match next.filter(|next| next.starts_with(name)) {
                    Some(next) if next.contains("(partial) fill as taker") => 1,
                    Some(next) if next.contains("(taker)") || next.contains("fully filled") => QUANTITY,
                    _ => 0,
                };
                self.place(kind, name, meets).await;
            }
            ["place", name] => self.place("LIMIT", name, 0).await,
            [_, "first", "(partial)", "fill", "as", "taker"]
            | [_, "filled", "at", "once", "(taker)"]
            | [_, "fully", "filled"]
            | [_, "expires", "unfilled"] => self.has_come_to(&words).await,
            [name, "first", "fill", "as", "maker", ..] | [name, "second", "fill"] => {
                self.sell(1, self.named[name].1, "IOC").await;
            }
            [name, "filled"] => {
                self.sell(1, self.named[name].1, "IOC").await;
                self.has_come_to(&words).await;
            }
            ["cancel", name] => {
                let query = format!("symbol=BTCUSDT&orderId={}", self.named[name].0);
                self.bench.signed("DELETE", "/api/v3/order", &query).await.ok();
            }
            ["UTC", "midnight"] => {
                let left = DAY_MS - self.bench.clock.now_ms() % DAY_MS;
                self.bench.clock.advance(Duration::from_millis(left));
            }
            ["yesterday's", count, "fill"] | [count, "of", "today's", "fill"] | [count, "more", "fill"] => {
                // The oldest have the best price.
                for _ in 0..count.parse::<u32>().unwrap() {
                    self.sell(1, 1, "IOC").await;
                }
            }
            _ => panic!("no such step: {text}"),
        }
    }

    /// What a step says that placing an order came to.
    async fn has_come_to(&self, words: &[&str]) {
        let query = format!("symbol=BTCUSDT&orderId={}", self.named[words[0]].0);
        let order = self.bench.signed("GET", "/api/v3/order", &query).await.ok();
        let expected = match words {
            [_, "first", ..] => "PARTIALLY_FILLED",
            [_, "expires", ..] => "EXPIRED",
            _ => "FILLED",
        };
        assert_eq!(order["status"], expected, "{words:?}");
    }
}

async fn run(name: &str, case: &Value) {
    let steps: Vec<(&str, u64)> = case["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step[0].as_str().unwrap(), step[1].as_u64().unwrap()))
        .collect();
    // How much the first fill of a maker takes off differs between the examples, which says that it is a setting.
    let maker_fill_credit = if name.starts_with("day roll") { 1 } else { 5 };
    let limits = LimitsSpec { maker_fill_credit, ..LimitsSpec::default() };
    let bench = market("10", |builder: Builder| builder.no_liquidity().limits(limits)).await;
    let trades = |(text, _): &(&str, u64)| text.contains("fill") && !text.contains("unfilled");
    let trading = steps.iter().filter(|step| trades(step)).map(|(text, _)| text[..1].to_owned()).collect();
    let mut run = Run { bench, named: BTreeMap::new(), trading, numbered: 0 };
    for (at, (text, count)) in steps.iter().enumerate() {
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["place", number] | ["place", number, "orders"] if number.parse::<u32>().is_ok() => {
                run.place_many(number.parse().unwrap()).await;
            }
            _ => run.step(text, steps.get(at + 1).map(|next| next.0)).await,
        }
        // An order that trades as it is placed is never seen to count: only the step after it can be.
        let placed = text.strip_prefix("place ").and_then(|rest| rest.split(' ').next_back());
        let at_once = steps.get(at + 1).is_some_and(|(next, _)| {
            placed.is_some_and(|name| next.starts_with(name))
                && ["as taker", "(taker)", "fully filled"].iter().any(|words| next.contains(words))
        });
        if !at_once {
            assert_eq!(run.count().await, *count, "{name}: after `{text}`");
        }
    }
}

#[tokio::test]
async fn unfilled_orders_are_counted_as_in_the_examples() {
    let cases = cases("unfilled_order_count", "name");
    assert_eq!(cases.len(), 4);
    for (name, case) in &cases {
        run(name, case).await;
    }
}

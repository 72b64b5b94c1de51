//! The calls that could tell two policies apart, made of what their documents say.

use std::collections::{BTreeMap, BTreeSet};

use mcp_gateway::mcp_policy::strict;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value, json};

use crate::scenario::PolicyFile;
use crate::soft;

/// So many calls of one tool at most: what lies beyond is another combination of the same values.
const CALLS_MAX: usize = 4_000;
/// So many values of one argument at most.
const VALUES_MAX: usize = 48;

/// The smallest step of an amount.
const STEP: Decimal = Decimal::from_parts(1, 0, 0, false, 8);

/// What the two documents are about.
pub(super) struct Space {
    documents: Vec<Value>,
    /// Each tool's arguments.
    tools: BTreeMap<String, Vec<String>>,
    words: BTreeSet<String>,
    numbers: BTreeSet<Decimal>,
    /// Lengths of windows, in seconds.
    windows: BTreeSet<u64>,
    /// How many calls limits let through.
    counts: BTreeSet<u64>,
    prices: BTreeMap<String, String>,
}

impl Space {
    pub(super) fn of(files: &[&PolicyFile]) -> Self {
        let mut space = Self {
            documents: Vec::new(),
            tools: BTreeMap::new(),
            words: BTreeSet::new(),
            numbers: BTreeSet::new(),
            windows: BTreeSet::from([60]),
            counts: BTreeSet::new(),
            prices: BTreeMap::new(),
        };
        for spec in soft::tools() {
            let arguments = spec.arguments.iter().map(|name| name.trim_end_matches('*').to_owned()).collect();
            space.tools.insert(spec.name.to_owned(), arguments);
        }
        for file in files {
            for text in file.document().in_json() {
                let limits = strict::Limits::default().with_comments();
                // What cannot be read is told when the policy is.
                let Ok(document) = strict::parse(text.as_bytes(), limits) else { continue };
                space.learn(&document);
                space.documents.push(document);
            }
        }
        space
    }

    fn learn(&mut self, document: &Value) {
        for (tool, facts) in members(&document["manifest"]) {
            let names = facts["arguments"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let known = self.tools.entry(tool.clone()).or_default();
            known.extend(names.map(ToOwned::to_owned));
        }
        for (symbol, price) in members(&document["references"]) {
            self.words.insert(symbol.clone());
            let price = price.as_str().map_or_else(|| price.to_string(), ToOwned::to_owned);
            self.numbers.extend(price.parse::<Decimal>().ok());
            self.prices.insert(symbol.clone(), price);
        }
        for (tool, _) in members(&document["tools"]) {
            self.tools.entry(tool.trim_end_matches('*').to_owned()).or_default();
        }
        for name in document["hide"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            self.tools.entry(name.trim_end_matches('*').to_owned()).or_default();
        }
        // A tool that nobody knows, and one whose name is nearly known.
        self.tools.entry("no_such_tool".to_owned()).or_default();
        self.collect(document, "");
    }

    fn collect(&mut self, value: &Value, key: &str) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, key)),
            Value::Object(inner) => {
                for (name, value) in inner {
                    if matches!(name.as_str(), "window" | "within" | "pause" | "max_age") {
                        let word = value.as_str().and_then(|word| {
                            [("minute", 60), ("hour", 3_600), ("day", 86_400)]
                                .into_iter()
                                .find(|(name, _)| *name == word)
                        });
                        self.windows.extend(value.as_u64().or(word.map(|(_, seconds)| seconds)));
                    }
                    if name == "max" {
                        self.counts.extend(value.as_u64());
                    }
                    if name == "path" || name == "other" {
                        self.mention(value);
                    }
                    if name != "manifest" {
                        self.collect(value, name);
                    }
                }
            }
            Value::String(text) if matches!(key, "value" | "max") => match text.parse() {
                Ok(number) => drop(self.numbers.insert(number)),
                Err(_) => drop(self.words.insert(text.clone())),
            },
            Value::Number(number) if matches!(key, "value" | "max") => {
                self.numbers.extend(number.to_string().parse::<Decimal>().ok());
            }
            _ => {}
        }
    }

    /// An argument that rules speak of may be any tool's, since version 1 does not say which arguments a tool has.
    fn mention(&mut self, path: &Value) {
        let Some(name) = path.as_str().and_then(|path| path.strip_prefix("args.")) else { return };
        let name = name.split('.').next().unwrap_or_default();
        for arguments in self.tools.values_mut() {
            if !arguments.iter().any(|known| known == name) {
                arguments.push(name.to_owned());
            }
        }
    }

    pub(super) fn prices(&self) -> impl Iterator<Item = (&str, &str)> {
        self.prices.iter().map(|(symbol, price)| (symbol.as_str(), price.as_str()))
    }

    /// Lengths of windows, in milliseconds.
    pub(super) fn windows(&self) -> impl Iterator<Item = u64> {
        self.windows.iter().map(|seconds| seconds * 1_000)
    }

    /// The most calls that a limit lets through, and some more.
    pub(super) fn most_calls(&self) -> usize {
        let most = self.counts.iter().rev().find(|count| **count <= 2_000).copied().unwrap_or_default();
        usize::try_from(most).unwrap_or_default() + 2
    }

    /// The calls of each tool, the plainest first.
    pub(super) fn calls(&self) -> impl Iterator<Item = (&str, Vec<Map<String, Value>>)> {
        self.tools.iter().map(|(tool, arguments)| (tool.as_str(), self.calls_of(arguments)))
    }

    /// The same order with other quantities, the largest first.
    pub(super) fn larger(&self, arguments: &Map<String, Value>) -> Vec<Map<String, Value>> {
        let Some(name) = ["quantity", "quoteOrderQty"].into_iter().find(|name| arguments.contains_key(*name)) else {
            return Vec::new();
        };
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        let price = text("price").or_else(|| self.prices.get(text("symbol")?).map(String::as_str));
        let price = price.and_then(|price| price.parse::<Decimal>().ok());
        // Each number, and what comes to it at the price and not to a hair more.
        let numbers = self.numbers.iter().flat_map(|number| {
            let bought = price.and_then(|price| number.checked_div(price));
            let bought = bought.map(|quantity| quantity.round_dp_with_strategy(8, RoundingStrategy::ToZero));
            [Some(*number), bought].into_iter().flatten()
        });
        let numbers: BTreeSet<Decimal> = numbers.filter(|number| *number > Decimal::ZERO).collect();
        let with = |number: &Decimal| {
            let mut arguments = arguments.clone();
            arguments.insert(name.to_owned(), json!(number.normalize().to_string()));
            arguments
        };
        numbers.iter().rev().map(with).collect()
    }

    /// The calls of a tool by which sequences are played: one of each shape.
    pub(super) fn plain_calls(&self) -> impl Iterator<Item = (String, Map<String, Value>)> {
        self.tools
            .iter()
            .flat_map(|(tool, arguments)| self.shapes(arguments).into_iter().map(|arguments| (tool.clone(), arguments)))
    }

    fn symbols(&self) -> Vec<String> {
        let like_one = |word: &&String| {
            word.len() >= 5 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        let mut symbols: Vec<String> = self.prices.keys().cloned().collect();
        symbols.extend(
            self.words.iter().filter(like_one).filter(|word| word.ends_with("USDT") || word.ends_with("USDC")).cloned(),
        );
        symbols.sort();
        symbols.dedup();
        if symbols.is_empty() {
            symbols.push("BTCUSDT".to_owned());
        }
        symbols.push("DOGEUSDT".to_owned());
        symbols
    }

    /// The prices that an order may name: those that are written and the ends of each percentage round them.
    fn order_prices(&self) -> Vec<Decimal> {
        let written: Vec<Decimal> = self.prices.values().filter_map(|price| price.parse().ok()).collect();
        let written = if written.is_empty() { vec![Decimal::from(60_000)] } else { written };
        let mut prices: BTreeSet<Decimal> = written.iter().copied().collect();
        for price in written {
            for percent in self.numbers.iter().filter(|number| **number < Decimal::ONE_HUNDRED && !number.is_zero()) {
                for sign in [Decimal::ONE, Decimal::NEGATIVE_ONE] {
                    let moved =
                        price.checked_mul(*percent).map(|product| price + sign * product / Decimal::ONE_HUNDRED);
                    prices.extend(moved.into_iter().flat_map(around));
                }
            }
        }
        prices.into_iter().filter(|price| *price > Decimal::ZERO).take(VALUES_MAX).collect()
    }

    /// Orders of each type and side, and what other tools need to be whole.
    fn shapes(&self, arguments: &[String]) -> Vec<Map<String, Value>> {
        let has = |name: &str| arguments.iter().any(|known| known == name);
        let symbol = self.symbols().first().cloned().unwrap_or_default();
        let price = self.prices.get(&symbol).cloned().unwrap_or_else(|| "60000".to_owned());
        // About fifty of the quote asset.
        let quantity =
            price.parse::<Decimal>().ok().filter(|price| !price.is_zero()).map(|price| Decimal::from(50) / price);
        let quantity =
            quantity.map_or_else(|| "0.001".to_owned(), |quantity| quantity.round_dp(8).normalize().to_string());
        let mut shapes = vec![Map::new()];
        let mut add = |pairs: &[(&str, &str)]| {
            let shape: Map<String, Value> = pairs
                .iter()
                .filter(|(name, _)| has(name))
                .map(|(name, text)| ((*name).to_owned(), json!(text)))
                .collect();
            if !shapes.contains(&shape) {
                shapes.push(shape);
            }
        };
        add(&[("symbol", &symbol)]);
        add(&[("symbol", &symbol), ("orderId", "1")]);
        add(&[("listenKey", "key")]);
        if has("side") && has("type") {
            for side in ["BUY", "SELL"] {
                let head = [("symbol", symbol.as_str()), ("side", side)];
                let with = |more: &[(&'static str, &str)]| {
                    let more: Vec<(&str, String)> =
                        more.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
                    head.iter().map(|(name, text)| (*name, (*text).to_owned())).chain(more).collect::<Vec<_>>()
                };
                for shape in [
                    with(&[("type", "MARKET"), ("quantity", &quantity)]),
                    with(&[("type", "MARKET"), ("quoteOrderQty", "50")]),
                    with(&[("type", "LIMIT"), ("timeInForce", "GTC"), ("quantity", &quantity), ("price", &price)]),
                    with(&[("type", "LIMIT_MAKER"), ("quantity", &quantity), ("price", &price)]),
                    with(&[
                        ("type", "STOP_LOSS_LIMIT"),
                        ("timeInForce", "GTC"),
                        ("quantity", &quantity),
                        ("price", &price),
                        ("stopPrice", &price),
                    ]),
                    with(&[("type", "STOP_LOSS"), ("quantity", &quantity), ("stopPrice", &price)]),
                ] {
                    let pairs: Vec<(&str, &str)> = shape.iter().map(|(name, text)| (*name, text.as_str())).collect();
                    add(&pairs);
                }
            }
        }
        shapes
    }

    /// What an argument may be.
    fn values(&self, name: &str, shape: &Map<String, Value>) -> Vec<Value> {
        let text = |number: Decimal| json!(number.normalize().to_string());
        let numbers = || self.numbers.iter().copied().flat_map(around).filter(|number| !number.is_sign_negative());
        let mut values: Vec<Value> = match name {
            "symbol" => self.symbols().into_iter().map(Value::from).collect(),
            "side" => vec![json!("BUY"), json!("SELL"), json!("HOLD")],
            "timeInForce" => vec![json!("GTC"), json!("IOC"), json!("FOK")],
            "price" | "stopPrice" => self.order_prices().into_iter().map(text).collect(),
            "quantity" => {
                let price = shape.get("price").and_then(Value::as_str).and_then(|price| price.parse::<Decimal>().ok());
                let prices = price.map_or_else(|| self.order_prices(), |price| vec![price]);
                let mut quantities: BTreeSet<Decimal> = numbers().collect();
                for price in prices.into_iter().filter(|price| !price.is_zero()).take(4) {
                    for number in &self.numbers {
                        let quantity = number.checked_div(price).map(|quantity| quantity.round_dp(8));
                        quantities.extend(quantity.into_iter().flat_map(around).filter(|one| !one.is_sign_negative()));
                    }
                }
                quantities.into_iter().map(text).collect()
            }
            _ => {
                let words = self.words.iter().map(|word| json!(word));
                let whole = self.numbers.iter().filter(|number| number.is_integer()).flat_map(|number| {
                    [*number, *number + Decimal::ONE]
                        .into_iter()
                        .filter_map(|number| u64::try_from(number).ok())
                        .map(Value::from)
                });
                numbers().map(text).chain(whole).chain(words).collect()
            }
        };
        values.truncate(VALUES_MAX * 4);
        values.extend([json!("x"), json!(""), json!(true), json!("-1")]);
        values
    }

    /// At most so many calls as are tried; what lies beyond is not even made.
    fn calls_of(&self, arguments: &[String]) -> Vec<Map<String, Value>> {
        let shapes = self.shapes(arguments);
        let mut calls = shapes.clone();
        // What a quantity may be depends on the price, and nothing else on anything.
        let mut known: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for shape in &shapes {
            // One argument less, and one that is none.
            for name in shape.keys() {
                let mut call = shape.clone();
                call.remove(name);
                calls.push(call);
            }
            let mut call = shape.clone();
            call.insert("unknownArgument".to_owned(), json!("1"));
            calls.push(call);
            for name in arguments {
                let own: Vec<Value>;
                let values = if name == "quantity" {
                    own = self.values(name, shape);
                    &own
                } else {
                    known.entry(name).or_insert_with(|| self.values(name, shape))
                };
                for value in values {
                    let mut call = shape.clone();
                    call.insert(name.clone(), value.clone());
                    calls.push(call);
                }
            }
            if calls.len() >= CALLS_MAX {
                break;
            }
            // Where two arguments make up one amount.
            if shape.contains_key("price") && shape.contains_key("quantity") {
                for price in self.values("price", shape).into_iter().step_by(3) {
                    let mut priced = shape.clone();
                    priced.insert("price".to_owned(), price);
                    for quantity in self.values("quantity", &priced).into_iter().step_by(5) {
                        let mut call = priced.clone();
                        call.insert("quantity".to_owned(), quantity);
                        calls.push(call);
                    }
                    if calls.len() >= CALLS_MAX {
                        break;
                    }
                }
            }
        }
        calls.truncate(CALLS_MAX);
        calls
    }
}

/// A number, and the next ones on both sides of it.
fn around(number: Decimal) -> [Decimal; 3] {
    [number, number + STEP, number - STEP]
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

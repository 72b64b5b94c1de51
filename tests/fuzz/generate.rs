//! Calls from the tools' own schemas: valid, on the boundary, mutated, malformed.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// One turn of a rogue: a call, then some time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    pub(crate) tool: String,
    pub(crate) arguments: Map<String, Value>,
    pub(crate) advance_ms: u64,
}

/// Decimals on both sides of every number in the policy, and spellings that parsers disagree about.
const DECIMALS: &[&str] = &[
    "0.01",
    "0.05",
    "0.05000000",
    "0.05000001",
    "0.0500000000000000000001",
    "0.050",
    "1",
    "1.0001",
    "1.5",
    "500",
    "500.00000001",
    "10000",
    "0",
    "0.00000000",
    "59000.00",
    "61000.00",
    "-1",
    "+1",
    "1e3",
    " 1",
    "1 ",
    "1,000",
    "０.０１",
    "Infinity",
    "NaN",
    "0x1",
    ".5",
    "1.",
    "",
    "00000000001.5",
    "99999999999999999999999999",
    "1\u{0}",
];

const TEXTS: &[&str] = &[
    "BTCUSDT",
    "ETHUSDT",
    "BNBUSDT",
    "ETHBTC",
    "btcusdt",
    "BTCUSDT ",
    "ВTCUSDT",
    "BTCUSD",
    "BTCUSDT&side=SELL",
    "BUY",
    "SELL",
    "buy",
    "LIMIT",
    "MARKET",
    "LIMIT_MAKER",
    "STOP_LOSS",
    "GTC",
    "IOC",
    "FOK",
    "grid-1",
    "a-client-order-id-of-more-than-20",
    "quiet\n",
    "\u{1b}[2J",
    "../../etc/passwd",
    "%00",
    "${x}",
    "'\"`",
];

/// Keys that no schema declares, or that fold to one that is.
const FOREIGN_KEYS: &[&str] = &[
    "icebergQty",
    "trailingDelta",
    "newOrderRespType",
    "selfTradePreventionMode",
    "strategyId",
    "timestamp",
    "signature",
    "apiKey",
    "recvWindow",
    "BINANCE_API_KEY",
    "Quantity",
    "SYMBOL",
    "\u{17f}ymbol",
    "quantity\u{0}",
    "__proto__",
    "quoteOrderQty",
    "stopPrice",
    "newClientOrderId",
];

/// Names that are none of the 23.
const FOREIGN_TOOLS: &[&str] = &["bn_withdraw", "BN_NEW_ORDER", "bn_new_order ", "binance/bn_new_order", "", "*"];

pub(crate) fn turns() -> impl Strategy<Value = Vec<Turn>> {
    // Now and then the same call again and again: limits are met in no other way.
    let times = prop_oneof![12 => Just(1_usize), 1 => 2_usize..40];
    vec((turn(), times), 1..20)
        .prop_map(|bursts| bursts.into_iter().flat_map(|(turn, times)| std::iter::repeat_n(turn, times)).collect())
}

fn turn() -> impl Strategy<Value = Turn> {
    let advance = prop_oneof![4 => 0_u64..500, 2 => 500_u64..20_000, 1 => 59_000_u64..61_001];
    (call(), advance).prop_map(|((tool, arguments), advance_ms)| Turn { tool, arguments, advance_ms })
}

fn call() -> impl Strategy<Value = (String, Map<String, Value>)> {
    let tools: Vec<(String, Value)> =
        binance_mcp::tools().into_iter().map(|tool| (tool.name.to_owned(), tool.input_schema)).collect();
    let order = tools.iter().find(|(name, _)| name == "bn_new_order").cloned().expect("the order tool");
    // Orders are what hurts: half of all calls are orders.
    let chosen = prop_oneof![Just(order), select(tools)];
    chosen.prop_flat_map(|(name, schema)| {
        let name = prop_oneof![19 => Just(name), 1 => select(FOREIGN_TOOLS).prop_map(str::to_owned)];
        (name, arguments(&schema))
    })
}

fn arguments(schema: &Value) -> BoxedStrategy<Map<String, Value>> {
    let sound = sound(schema).boxed();
    prop_oneof![
        5 => sound.clone(),
        3 => (sound.clone(), vec(mutation(), 1..4)).prop_map(|(mut arguments, mutations)| {
            for mutation in mutations {
                mutation.apply(&mut arguments);
            }
            arguments
        }),
        1 => vec((key(), anything()), 0..6).prop_map(|pairs| pairs.into_iter().collect()),
    ]
    .boxed()
}

/// Arguments as the schema has them: all that is required, some of the rest, values mostly within bounds. `symbol`,
/// `type` and sizes lean towards what the policy allows, or hardly an order would ever pass.
fn sound(schema: &Value) -> impl Strategy<Value = Map<String, Value>> + use<> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let fields: Vec<BoxedStrategy<Option<(String, Value)>>> = properties
        .iter()
        .map(|(name, property)| {
            let value = property_value(name, property).prop_map({
                let name = name.clone();
                move |value| (name.clone(), value)
            });
            if required.contains(&name.as_str()) {
                value.prop_map(Some).boxed()
            } else {
                let weight = if matches!(name.as_str(), "quantity" | "price" | "timeInForce") { 0.8 } else { 0.15 };
                proptest::option::weighted(weight, value).boxed()
            }
        })
        .collect();
    fields.prop_map(|fields| fields.into_iter().flatten().collect())
}

fn property_value(name: &str, property: &Value) -> BoxedStrategy<Value> {
    if let Some(choices) = property["enum"].as_array() {
        return select(choices.clone()).boxed();
    }
    if property["type"] == "integer" {
        let least = property["minimum"].as_i64().unwrap_or(0);
        let most = property["maximum"].as_i64().unwrap_or(1 << 53);
        let edges = vec![least, least.saturating_sub(1), most, most.saturating_add(1), 1, 100, 101, 5_000, 5_001];
        return prop_oneof![select(edges), 1_i64..1_000].prop_map(Value::from).boxed();
    }
    let likely: &[&str] = match name {
        "symbol" => &["BTCUSDT", "ETHUSDT"],
        "quantity" => &["0.01", "0.05", "0.002"],
        "price" => &["59000.00", "2900.00", "61000.00"],
        "quoteOrderQty" => &["100", "500"],
        _ => &["grid-1", "balances"],
    };
    prop_oneof![
        6 => select(likely).prop_map(Value::from),
        2 => select(DECIMALS).prop_map(Value::from),
        1 => select(TEXTS).prop_map(Value::from),
    ]
    .boxed()
}

/// One change to sound arguments.
#[derive(Clone, Debug)]
enum Mutation {
    /// Another value, of any type, for the argument at this place.
    Replace(usize, Value),
    /// One argument fewer.
    Drop(usize),
    /// One argument more.
    Add(String, Value),
    /// A value in a list, or in lists within lists.
    Wrap(usize, usize),
}

impl Mutation {
    fn apply(self, arguments: &mut Map<String, Value>) {
        let names: Vec<String> = arguments.keys().cloned().collect();
        let at = |place: usize| names.get(place % names.len().max(1)).cloned();
        match self {
            Self::Replace(place, value) => drop(at(place).and_then(|name| arguments.insert(name, value))),
            Self::Drop(place) => drop(at(place).and_then(|name| arguments.remove(&name))),
            Self::Add(name, value) => drop(arguments.insert(name, value)),
            Self::Wrap(place, depth) => {
                if let Some(value) = at(place).and_then(|name| arguments.get_mut(&name)) {
                    for _ in 0..depth {
                        *value = json!([value.take()]);
                    }
                }
            }
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (0_usize..12, anything()).prop_map(|(place, value)| Mutation::Replace(place, value)),
        (0_usize..12).prop_map(Mutation::Drop),
        (key(), anything()).prop_map(|(name, value)| Mutation::Add(name, value)),
        (0_usize..12, 1_usize..40).prop_map(|(place, depth)| Mutation::Wrap(place, depth)),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![4 => select(FOREIGN_KEYS).prop_map(str::to_owned), 1 => "[a-zA-Z_]{1,8}"]
}

fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => select(DECIMALS).prop_map(Value::from),
        4 => select(TEXTS).prop_map(Value::from),
        2 => any::<i64>().prop_map(Value::from),
        2 => any::<f64>().prop_filter("JSON has no NaN", |n| n.is_finite()).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!({ "$gt": 0 })),
        1 => Just(json!(["BTCUSDT"])),
        1 => ".{0,40}".prop_map(Value::from),
    ]
}

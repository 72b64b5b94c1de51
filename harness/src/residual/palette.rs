//! The calls that a policy lets through when nothing was counted before, as large as it lets them be.

use std::collections::BTreeSet;

use mcp_gateway::mcp_policy::{Call, Guard, Moment, Policy, Timestamp, strict};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value, json};

use crate::scenario::{FIRST_GRANT, PolicyFile};
use crate::soft;

/// The pairs that a search trades: their prices in the set-up and the step of their quantities, in decimal places.
pub(super) const PAIRS: [(&str, &str, u32); 3] =
    [("BTCUSDT", "60000", 5), ("ETHUSDT", "3000", 4), ("BNBUSDT", "600", 3)];

/// What an order is worth where no policy says how much it may be, in USDT.
const LADDER: [i64; 6] = [10, 100, 1_000, 10_000, 100_000, 250_000];

/// Amounts are found to the step of a quantity; this many halvings are enough for the whole ladder.
const HALVINGS: u32 = 40;

/// A call, and how its amount is made a little smaller so that no two are the same.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Move {
    pub(super) tool: &'static str,
    pub(super) args: Map<String, Value>,
    /// About how much is traded, in USDT.
    pub(super) worth: Decimal,
    /// The argument that holds the amount, and one step of it.
    pub(super) amount: Option<(&'static str, Decimal)>,
    /// Where the same order on the other side stands.
    pub(super) turned: Option<usize>,
}

/// The ways to write an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Market,
    ByAmount,
    /// A limit that trades at once.
    Crossing,
    /// The same, and what does not trade at once is given up.
    Fleeting,
}

const SHAPES: [Shape; 4] = [Shape::Market, Shape::ByAmount, Shape::Crossing, Shape::Fleeting];

/// What lets calls through; without a policy everything.
pub(super) struct Gate(Option<Guard>);

impl Gate {
    pub(super) fn of(policy: Option<Policy>) -> Self {
        Self(policy.map(Guard::new))
    }

    fn lets(&mut self, tool: &str, arguments: &Map<String, Value>) -> bool {
        let Some(guard) = &mut self.0 else { return true };
        let call = Call { tool, arguments, grant: FIRST_GRANT, session: "session-1" };
        let told = guard.explain(&call, Moment::new(Timestamp::from_millis(0)));
        told.decisive().is_none() && told.asks.is_none()
    }
}

/// The moves, orders first, the largest first.
pub(super) fn palette(gate: &mut Gate, policy: Option<&PolicyFile>) -> Vec<Move> {
    let numbers = numbers(policy);
    let mut moves = Vec::new();
    for (symbol, price, places) in PAIRS {
        let Ok(price) = price.parse::<Decimal>() else { continue };
        for shape in SHAPES {
            for side in ["BUY", "SELL"] {
                let order = |worth: Decimal| order(symbol, side, shape, price, places, worth);
                moves.extend(largest(gate, &numbers, price, order));
            }
        }
    }
    // Turned over once, the account holds what it held and has paid twice.
    let turned: Vec<Option<usize>> =
        moves.iter().map(|one| moves.iter().position(|other| is_turned(one, other))).collect();
    for (one, turned) in moves.iter_mut().zip(turned) {
        one.turned = turned;
    }
    for spec in soft::tools().iter().filter(|spec| !spec.declares("quantity")) {
        for args in readings(spec) {
            if gate.lets(spec.name, &args) {
                moves.push(Move { tool: spec.name, args, worth: Decimal::ZERO, amount: None, turned: None });
            }
        }
    }
    moves
}

fn is_turned(one: &Move, other: &Move) -> bool {
    let same = ["symbol", "type", "timeInForce"].iter().all(|name| one.args.get(*name) == other.args.get(*name));
    let by = |order: &Move| order.amount.map(|(name, _)| name);
    same && by(one) == by(other) && one.args.get("side") != other.args.get("side")
}

/// The largest order that passes: of the ladder and the policy's own numbers, and from there on by halving up to the first
/// that does not.
fn largest(
    gate: &mut Gate,
    numbers: &BTreeSet<Decimal>,
    price: Decimal,
    order: impl Fn(Decimal) -> Option<Move>,
) -> Option<Move> {
    let mut worths: BTreeSet<Decimal> = LADDER.into_iter().map(Decimal::from).collect();
    let most = worths.last().copied()?;
    for number in numbers {
        worths.extend([Some(*number), number.checked_mul(price)].into_iter().flatten().filter(|worth| *worth <= most));
    }
    let mut passes = |worth: Decimal| order(worth).filter(|order| gate.lets(order.tool, &order.args));
    let mut best = worths.iter().rev().find_map(|worth| passes(*worth))?;
    let mut low = best.worth;
    let mut high = worths.iter().copied().find(|worth| *worth > low).unwrap_or(low);
    for _ in 0..HALVINGS {
        let Some(middle) = low.checked_add(high).and_then(|sum| sum.checked_div(Decimal::TWO)) else { break };
        match passes(middle) {
            Some(order) => (low, best) = (middle, order),
            None => high = middle,
        }
    }
    Some(best)
}

fn order(symbol: &str, side: &str, shape: Shape, price: Decimal, places: u32, worth: Decimal) -> Option<Move> {
    let mut args = Map::new();
    let mut say = |name: &str, text: &str| drop(args.insert(name.to_owned(), json!(text)));
    say("symbol", symbol);
    say("side", side);
    // A limit crosses when it gives way by a thousandth; the book's spread is less.
    let thousandth = price.checked_div(Decimal::ONE_THOUSAND)?;
    let limit = if side == "BUY" { price.checked_add(thousandth) } else { price.checked_sub(thousandth) }?;
    let down = |value: Decimal, places| value.round_dp_with_strategy(places, RoundingStrategy::ToZero);
    let quantity =
        |price: Decimal| Some(down(worth.checked_div(price)?, places)).filter(|quantity| !quantity.is_zero());
    let amount = match shape {
        Shape::ByAmount => {
            say("type", "MARKET");
            say("quoteOrderQty", &down(worth, 2).normalize().to_string());
            ("quoteOrderQty", Decimal::new(1, 2))
        }
        Shape::Market => {
            say("type", "MARKET");
            say("quantity", &quantity(price)?.normalize().to_string());
            ("quantity", Decimal::new(1, places))
        }
        Shape::Crossing | Shape::Fleeting => {
            say("type", "LIMIT");
            say("timeInForce", if shape == Shape::Crossing { "GTC" } else { "IOC" });
            say("quantity", &quantity(limit)?.normalize().to_string());
            say("price", &limit.normalize().to_string());
            ("quantity", Decimal::new(1, places))
        }
    };
    Some(Move { tool: "bn_new_order", args, worth, amount: Some(amount), turned: None })
}

/// Calls of a tool that trades nothing: bare, with a pair, and as heavy as it can be.
fn readings(spec: &soft::ToolSpec) -> Vec<Map<String, Value>> {
    let mut bare = Map::new();
    for argument in spec.arguments.iter().filter_map(|argument| argument.strip_suffix('*')) {
        let value = match argument {
            "symbol" => "BTCUSDT",
            "interval" => "1m",
            // A key or an order of somebody else's: nothing that can be known beforehand.
            _ => return Vec::new(),
        };
        bare.insert(argument.to_owned(), json!(value));
    }
    let mut all = vec![bare.clone()];
    if spec.declares("symbol") && !bare.contains_key("symbol") {
        let mut with = bare.clone();
        with.insert("symbol".to_owned(), json!("BTCUSDT"));
        all.push(with);
    }
    if spec.declares("limit") {
        for limit in [100, 1_000, 5_000] {
            let mut with = bare.clone();
            with.insert("limit".to_owned(), json!(limit));
            all.push(with);
        }
    }
    all
}

/// The numbers that a policy names.
fn numbers(policy: Option<&PolicyFile>) -> BTreeSet<Decimal> {
    fn collect(value: &Value, into: &mut BTreeSet<Decimal>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            Value::Object(members) => members.values().for_each(|member| collect(member, into)),
            Value::String(text) => into.extend(text.parse::<Decimal>().ok()),
            Value::Number(number) => into.extend(number.to_string().parse::<Decimal>().ok()),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    for text in policy.into_iter().flat_map(|policy| policy.document().in_json()) {
        let limits = strict::Limits::default().with_comments();
        if let Ok(document) = strict::parse(text.as_bytes(), limits) {
            collect(&document, &mut found);
        }
    }
    found.retain(|number| *number > Decimal::ZERO);
    found
}

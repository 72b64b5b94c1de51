//! A shrunk failure, written down as a scenario: it runs alone, in every later test run, and in an editor.

use std::io;
use std::path::{Path, PathBuf};

use rogue_harness::scenario::{Scenario, parse, to_yaml};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::generate::Turn;
use crate::stack::{Seen, Upstream};

/// Writes the turns as an attack whose last call must be stopped, and says where.
///
/// The control run must bring as many requests of the kind that broke the promise to the exchange as were seen; the
/// protected run then has at least one fewer.
pub(crate) fn write(folder: &Path, turns: &[Turn], upstream: Upstream, why: &str, seen: &Seen) -> io::Result<PathBuf> {
    let digest = hex::encode(Sha256::digest(format!("{upstream:?} {turns:?}")));
    let id = format!("found-{}", &digest[..12]);
    let file = folder.join(format!("{id}.yaml"));
    let scenario = scenario(&file, &id, turns, upstream, why, seen).map_err(io::Error::other)?;
    let yaml = to_yaml(&scenario).map_err(io::Error::other)?;
    std::fs::create_dir_all(folder)?;
    std::fs::write(&file, format!("# yaml-language-server: $schema=../schema/scenario.v1.json\n{yaml}"))?;
    Ok(file)
}

fn scenario(
    file: &Path,
    id: &str,
    turns: &[Turn],
    upstream: Upstream,
    why: &str,
    seen: &Seen,
) -> Result<Scenario, String> {
    let last = seen.requests.iter().rfind(|r| !matches!(r.path.as_str(), "/api/v3/time" | "/api/v3/ping"));
    let last = last.or(seen.requests.last()).ok_or("nothing reached the exchange")?;
    let same = seen.requests.iter().filter(|r| (&r.method, &r.path) == (&last.method, &last.path)).count();
    let mut steps = Vec::new();
    for (place, turn) in turns.iter().enumerate() {
        steps.push(step(place, turn, place + 1 == turns.len()));
        if turn.advance_ms > 0 && place + 1 < turns.len() {
            steps.push(json!({ "advance": format!("{}ms", turn.advance_ms) }));
        }
    }
    let value = json!({
        "id": id,
        "kind": "attack",
        "group": "E",
        "title": "Found by generated arguments",
        "story": format!("Random calls, shrunk. What was seen: {}", first_line(why)),
        "stops": ["PF3"],
        "policy": "binance-v1",
        "upstream": if upstream == Upstream::Soft { "soft" } else { "ours" },
        "exchange": {
            "balances": { "USDT": "100000", "BTC": "2", "ETH": "20" },
            "prices": { "BTCUSDT": "60000.00", "ETHUSDT": "3000.00", "BNBUSDT": "600.00", "ETHBTC": "0.05000" },
        },
        "attack": steps,
        "harm": { "seen": [{ "method": last.method, "path": last.path, "count": { "min": same } }] },
        "hold": { "live": { "tool": "bn_ping" } },
        "twin": { "title": "A ping", "steps": [{ "call": { "tool": "bn_ping" } }] },
    });
    // JSON is YAML, so the file's own reader makes the model and says what is wrong with it.
    parse(file, &value.to_string()).map_err(|problem| problem.to_string())
}

/// A call, or a raw frame where the scenario's arguments cannot hold the value (bare fractions lose their digits).
fn step(place: usize, turn: &Turn, last: bool) -> Value {
    let expect = if last { json!({ "outcome": "denied" }) } else { Value::Null };
    let mut step = if holds_fraction(&turn.arguments) {
        let frame = json!({
            "jsonrpc": "2.0", "id": 9_000 + place, "method": "tools/call",
            "params": { "name": turn.tool, "arguments": turn.arguments },
        });
        json!({ "raw": { "text": frame.to_string().replace("${", "$${") } })
    } else {
        let known = binance_mcp::tools().iter().any(|tool| tool.name == turn.tool);
        json!({ "call": { "tool": turn.tool, "unknown_tool": !known, "args": escaped(&turn.arguments) } })
    };
    if let (false, Some(body)) = (expect.is_null(), step.as_object_mut().and_then(|s| s.values_mut().next())) {
        body["expect"] = expect;
    }
    step
}

fn holds_fraction(arguments: &Map<String, Value>) -> bool {
    fn within(value: &Value) -> bool {
        match value {
            Value::Number(number) => number.is_f64(),
            Value::Array(items) => items.iter().any(within),
            Value::Object(map) => map.values().any(within),
            _ => false,
        }
    }
    arguments.values().any(within)
}

/// A literal `${` must not be taken for a reference.
fn escaped(arguments: &Map<String, Value>) -> Value {
    fn within(value: &Value) -> Value {
        match value {
            Value::String(text) => Value::from(text.replace("${", "$${")),
            Value::Array(items) => items.iter().map(within).collect(),
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), within(value))).collect(),
            other => other.clone(),
        }
    }
    within(&Value::Object(arguments.clone()))
}

fn first_line(why: &str) -> &str {
    why.lines().next().unwrap_or_default()
}

//! The same call again and again: what tells limits, cooldowns and breakers apart.

use mcp_gateway::mcp_policy::{Call, Decision, Guard, Outcome, PolicyErrors, Settlement, Timestamp};
use serde_json::{Map, Value, json};

use super::space::Space;
use super::{Before, Found, Said, Sequence, guard};
use crate::scenario::PolicyFile;

/// What becomes of the calls of a sequence.
#[derive(Clone, Copy)]
enum Fate {
    /// It is answered by nothing.
    Succeeded,
    /// An order is over at once, untraded, or all of it has traded.
    Cancelled,
    Filled,
    Failed,
    UnderWay,
}

const FATES: [(&str, Fate); 5] = [
    ("succeeded", Fate::Succeeded),
    ("cancelled", Fate::Cancelled),
    ("filled", Fate::Filled),
    ("failed", Fate::Failed),
    ("under way", Fate::UnderWay),
];

/// How far the calls of a sequence are apart, in milliseconds: at once, and so that a minute has room for eight.
const SPACES: [u64; 2] = [0, 7_500];

/// Plays each tool's plain calls to both policies, each sequence to guards of its own.
pub(super) fn play(files: &[&PolicyFile; 2], space: &Space, found: &mut Found) -> Result<(), PolicyErrors> {
    let most = space.most_calls();
    for (tool, arguments) in space.plain_calls() {
        let mut fresh = [guard(files[0], space)?, guard(files[1], space)?];
        // What neither lets through even once counts nothing.
        let passes =
            |guard: &mut Guard| decide(guard, "desk", &tool, &arguments, 0, Fate::UnderWay).verdict == "allowed";
        if !fresh.iter_mut().any(passes) {
            continue;
        }
        for apart_ms in SPACES {
            // Until no limit that counts calls has room; then at the end of each window and just before.
            let mut times: Vec<u64> = (0..most as u64).map(|index| index * apart_ms).collect();
            times.extend(space.windows().flat_map(|window| [window - 1, window]));
            times.sort_unstable();
            for (name, fate) in FATES {
                for named in [false, true] {
                    let mut pair = [guard(files[0], space)?, guard(files[1], space)?];
                    for (index, at) in times.iter().enumerate() {
                        let mut arguments = arguments.clone();
                        if named && arguments.contains_key("side") {
                            arguments.insert("newClientOrderId".to_owned(), json!(format!("n{index}")));
                        }
                        let [one, other] = &mut pair;
                        let one = decide(one, "desk", &tool, &arguments, *at, fate);
                        let other = decide(other, "desk", &tool, &arguments, *at, fate);
                        let apart = one.verdict != other.verdict;
                        let sequence = Sequence { before: index, of: Before::TheSame, outcome: name, after_ms: *at };
                        found.take(&tool, &arguments, (index > 0).then_some(sequence), one, other);
                        if apart {
                            // From here on the two have counted different calls.
                            break;
                        }
                    }
                    if !arguments.contains_key("side") {
                        break;
                    }
                }
            }
        }
    }
    walk(files, space, found)
}

/// Every plain call of every tool, by two grants in turn and twice over: what one call does to another.
fn walk(files: &[&PolicyFile; 2], space: &Space, found: &mut Found) -> Result<(), PolicyErrors> {
    let calls: Vec<(String, Map<String, Value>)> = space.plain_calls().collect();
    for (name, fate) in FATES {
        let mut pair = [guard(files[0], space)?, guard(files[1], space)?];
        let twice = calls.iter().chain(&calls).flat_map(|call| ["desk", "other"].map(|grant| (grant, call)));
        for (index, (grant, (tool, arguments))) in twice.enumerate() {
            // Apart by some seconds, so that limits of a minute have room for most.
            let at = index as u64 * 5_000;
            let [one, other] = &mut pair;
            let one = decide(one, grant, tool, arguments, at, fate);
            let other = decide(other, grant, tool, arguments, at, fate);
            let apart = one.verdict != other.verdict;
            let sequence = Sequence { before: index, of: Before::EveryTool, outcome: name, after_ms: at };
            found.take(tool, arguments, (index > 0).then_some(sequence), one, other);
            if apart {
                break;
            }
        }
    }
    Ok(())
}

fn decide(guard: &mut Guard, grant: &str, tool: &str, arguments: &Map<String, Value>, at: u64, fate: Fate) -> Said {
    let call = Call { tool, arguments, grant, session: "session-1" };
    match guard.admit(&call, Timestamp::from_millis(at)) {
        Decision::Allow(permit) => {
            let said = Said::allowed(Some(permit.rule().to_owned()));
            let order = |status: &str, filled: &Value| {
                let id = arguments.get("newClientOrderId").cloned().unwrap_or_else(|| json!(format!("at{at}")));
                json!({ "orderId": at, "clientOrderId": id, "status": status, "executedQty": filled })
            };
            let quantity = arguments.get("quantity").cloned().unwrap_or_else(|| json!("0"));
            match fate {
                Fate::Succeeded => guard.settle(permit, Outcome::Succeeded),
                Fate::Failed => guard.settle(permit, Outcome::Failed),
                Fate::Cancelled => {
                    let told = order("CANCELED", &json!("0"));
                    guard.settle(permit, Settlement::new(Outcome::Succeeded).with_value(&told));
                }
                Fate::Filled => {
                    let told = order("FILLED", &quantity);
                    guard.settle(permit, Settlement::new(Outcome::Succeeded).with_value(&told));
                }
                Fate::UnderWay => {}
            }
            said
        }
        Decision::Deny(denial) => Said { verdict: "denied", rule: denial.rule, reason: Some(denial.reason.code()) },
        Decision::Escalate(escalation) => Said { verdict: "asks a person", rule: escalation.rule, reason: None },
    }
}

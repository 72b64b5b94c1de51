//! The same call again and again: what tells limits, cooldowns and breakers apart.

use mcp_gateway::mcp_policy::{Call, Decision, Guard, Moment, Outcome, Settlement, Timestamp};
use serde_json::{Map, Value, json};

use super::space::Space;
use super::{Before, Callers, Found, Said, Sequence, emptied};

/// What becomes of the calls of a sequence.
#[derive(Clone, Copy, PartialEq, Eq)]
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

/// Those that are of use where several callers are held apart. A cancelled order takes no room in the register.
const FATES_OF_SEVERAL: [(&str, Fate); 4] = [
    ("succeeded", Fate::Succeeded),
    ("cancelled", Fate::Cancelled),
    ("failed", Fate::Failed),
    ("under way", Fate::UnderWay),
];

/// How far the calls of a sequence are apart, in milliseconds: at once, and so that a minute has room for eight.
const SPACES: [u64; 2] = [0, 7_500];

/// Plays each tool's plain calls to both policies, each sequence from the beginning.
pub(super) fn play(pair: [Guard; 2], space: &Space, found: &mut Found) {
    let mut pair = pair;
    let times = SPACES.map(|apart_ms| times(space, apart_ms));
    for (tool, arguments) in space.plain_calls() {
        pair = emptied(pair, space);
        // What neither lets through even once counts nothing.
        let first = Caller { grant: "desk", session: "session-1", at: 0 };
        let passes = |guard: &mut Guard| decide(guard, first, &tool, &arguments, Fate::UnderWay).verdict == "allowed";
        if !pair.iter_mut().any(passes) {
            continue;
        }
        let is_order = arguments.contains_key("side");
        for times in &times {
            for (name, fate) in FATES {
                for named in [false, true].into_iter().take(if is_order { 2 } else { 1 }) {
                    let sequence = Played {
                        tool: &tool,
                        arguments: &arguments,
                        times,
                        named,
                        fate: (name, fate),
                        by: Callers::One,
                    };
                    pair = sequence.play(emptied(pair, space), found);
                }
            }
        }
        // Whom a counter counts shows once somebody else calls: most of all by the largest calls that pass.
        pair = emptied(pair, space);
        let larger = space.larger(&arguments).into_iter().find(|arguments| {
            let call = Call { tool: &tool, arguments, grant: "desk", session: "session-1" };
            pair.iter_mut().any(|guard| {
                let told = guard.explain(&call, Moment::new(Timestamp::from_millis(0)));
                told.decisive().is_none() && told.asks.is_none()
            })
        });
        let arguments = larger.as_ref().unwrap_or(&arguments);
        for times in &times {
            for by in [Callers::TwoSessions, Callers::FourGrants] {
                for (name, fate) in
                    FATES_OF_SEVERAL.into_iter().filter(|(_, fate)| is_order || *fate != Fate::Cancelled)
                {
                    let sequence = Played { tool: &tool, arguments, times, named: is_order, fate: (name, fate), by };
                    pair = sequence.play(emptied(pair, space), found);
                }
            }
        }
    }
    walk(pair, space, found);
}

/// When calls are made: until no limit that counts calls has room, then at the end of each window and just before.
fn times(space: &Space, apart_ms: u64) -> Vec<u64> {
    let mut times: Vec<u64> = (0..space.most_calls() as u64).map(|index| index * apart_ms).collect();
    times.extend(space.windows().flat_map(|window| [window - 1, window]));
    times.sort_unstable();
    times
}

/// One call again and again.
struct Played<'p> {
    tool: &'p str,
    arguments: &'p Map<String, Value>,
    times: &'p [u64],
    /// Whether each order has a name of its own.
    named: bool,
    fate: (&'static str, Fate),
    by: Callers,
}

impl Played<'_> {
    fn play(&self, mut pair: [Guard; 2], found: &mut Found) -> [Guard; 2] {
        let (name, fate) = self.fate;
        let mut arguments = self.arguments.clone();
        for (index, at) in self.times.iter().enumerate() {
            if self.named {
                arguments.insert("newClientOrderId".to_owned(), json!(format!("n{index}")));
            }
            let (grant, session) = self.by.at(index);
            let caller = Caller { grant, session, at: *at };
            let [one, other] = &mut pair;
            let one = decide(one, caller, self.tool, &arguments, fate);
            let other = decide(other, caller, self.tool, &arguments, fate);
            let apart = one.verdict != other.verdict;
            let sequence = Sequence { before: index, of: Before::TheSame, by: self.by, outcome: name, after_ms: *at };
            found.take(self.tool, self.arguments, (index > 0).then_some(sequence), one, other);
            if apart {
                // From here on the two have counted different calls.
                break;
            }
        }
        pair
    }
}

/// Every plain call of every tool, by two grants in turn and twice over: what one call does to another.
fn walk(pair: [Guard; 2], space: &Space, found: &mut Found) {
    let calls: Vec<(String, Map<String, Value>)> = space.plain_calls().collect();
    let mut pair = pair;
    for (name, fate) in FATES {
        pair = emptied(pair, space);
        let twice = calls.iter().chain(&calls).flat_map(|call| [call, call]);
        for (index, (tool, arguments)) in twice.enumerate() {
            // Apart by some seconds, so that limits of a minute have room for most.
            let at = index as u64 * 5_000;
            let (grant, _) = Callers::TwoGrants.at(index);
            let caller = Caller { grant, session: "session-1", at };
            let [one, other] = &mut pair;
            let one = decide(one, caller, tool, arguments, fate);
            let other = decide(other, caller, tool, arguments, fate);
            let apart = one.verdict != other.verdict;
            let by = Callers::TwoGrants;
            let sequence = Sequence { before: index, of: Before::EveryTool, by, outcome: name, after_ms: at };
            found.take(tool, arguments, (index > 0).then_some(sequence), one, other);
            if apart {
                break;
            }
        }
    }
}

/// Who calls, and when.
#[derive(Clone, Copy)]
struct Caller {
    grant: &'static str,
    session: &'static str,
    at: u64,
}

fn decide(guard: &mut Guard, caller: Caller, tool: &str, arguments: &Map<String, Value>, fate: Fate) -> Said {
    let Caller { grant, session, at } = caller;
    let call = Call { tool, arguments, grant, session };
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

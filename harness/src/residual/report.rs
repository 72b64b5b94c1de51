//! What a search found, for people, for pipelines, and to do it again.

use std::path::Path;

use serde_json::{Value, json};

use super::search::{Found, case};
use crate::report::{Residual, amount, plural};
use crate::scenario::{AgentCheck, Bound, Dec, DecBound, ExchangeCheck, Expect, Scenario, Step};

/// In words.
pub fn in_words(found: &Found, policy: Option<&Path>) -> String {
    let damage = &found.damage;
    let within = policy.map_or_else(|| "without a policy".to_owned(), |path| format!("within {}", path.display()));
    let mut lines = vec![
        format!(
            "{within} the worst that we found is {} USDT of turnover and {} in a day",
            amount(damage.turnover.value()),
            plural(damage.orders, "order", "orders"),
        ),
        format!(
            "  {} USDT lost at the set-up's prices, {}, request weight {}",
            amount(damage.loss_usdt.value()),
            plural(damage.listen_keys, "listen key", "listen keys"),
            damage.weight,
        ),
        format!(
            "  looked for: {}; seed {}, {}; of {} {} allowed",
            found.goal,
            found.seed,
            plural(found.tried as u64, "day tried", "days tried"),
            plural(found.agent.sent, "call", "calls"),
            found.agent.allowed,
        ),
        "  what did it:".to_owned(),
    ];
    lines.extend(sequence(found).iter().map(|line| format!("    {line}")));
    lines.push("That no more was found is no proof that there is no more.".to_owned());
    lines.join("\n") + "\n"
}

/// The calls, those that follow each other with the same arguments in one line.
fn sequence(found: &Found) -> Vec<String> {
    let mut lines: Vec<(String, u64, u64)> = Vec::new();
    let mut now = 0_u64;
    for step in &found.steps {
        match &step.value {
            Step::Advance(span) => now = now.saturating_add(span.as_millis()),
            Step::Call(call) => {
                let said = format!("{} {}", call.tool, Value::Object(call.args.0.clone()));
                match lines.last_mut().filter(|(last, ..)| *last == said) {
                    Some((_, times, _)) => *times += 1,
                    None => lines.push((said, 1, now)),
                }
            }
            _ => {}
        }
    }
    let time = |ms: u64| format!("{:02}:{:02}:{:02}", ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    lines.into_iter().map(|(said, times, at)| format!("{} {times} × {said}", time(at))).collect()
}

/// As JSON.
pub fn in_json(found: &Found, policy: Option<&Path>) -> Value {
    json!({
        "policy": policy.map(|path| path.display().to_string()),
        "goal": found.goal.name(),
        "seed": found.seed,
        "tried": found.tried,
        "damage": found.damage,
        "agent": found.agent,
        "steps": found.steps,
    })
}

/// For the report of a suite.
pub fn in_short(found: &Found, policy: &Path) -> Residual {
    let parts: Vec<_> = policy.iter().map(|part| part.to_string_lossy()).collect();
    Residual {
        policy: parts.join("/").replacen("//", "/", 1),
        goal: found.goal.name().to_owned(),
        seed: found.seed,
        days: found.tried as u64,
        damage: found.damage.clone(),
    }
}

/// A scenario that does it again: a session whose damage must be what was found.
pub fn scenario(found: &Found, id: &str, policy: &str) -> Scenario {
    let exactly = |dec: &Dec| Some(DecBound::exactly(dec.clone()));
    let expect = Expect {
        exchange: ExchangeCheck {
            orders_booked: Some(Bound::exactly(found.damage.orders)),
            turnover: exactly(&found.damage.turnover),
            loss_usdt: exactly(&found.damage.loss_usdt),
            listen_keys: Some(Bound::exactly(found.damage.listen_keys)),
            weight: Some(Bound::exactly(found.damage.weight)),
            ..ExchangeCheck::default()
        },
        agent: AgentCheck { denied: Some(Bound::exactly(found.agent.denied)), ..AgentCheck::default() },
        ..Expect::default()
    };
    let mut scenario = case(found.steps.clone(), expect);
    scenario.id = id.to_owned().into();
    scenario.policy = policy.to_owned().into();
    scenario.story = format!(
        "Found by `rogue residual --seed {} --budget {} --goal {}`: nothing that it does is against the policy but what is denied.",
        found.seed, found.tried, found.goal
    );
    scenario
}

//! How a call would be judged, for a person.

use std::fmt::Write as _;

use mcp_gateway::mcp_policy::{Explanation, Guard, Message, Passage, Sender, methods, passes_unruled};

/// Step by step: what the call comes to, what each rule says, and which of them decides.
pub fn in_words(told: &Explanation) -> String {
    let mut text = String::new();
    let decisive = told.decisive();
    // Writing to a text cannot fail.
    let _ = match (decisive, &told.asks) {
        (Some(denial), _) => writeln!(text, "DENIED by {} ({}): {}", denial.rule, denial.reason.code(), denial.message),
        (None, Some(ask)) => writeln!(text, "ASKS A PERSON by {}: {}", ask.rule, ask.message),
        (None, None) => writeln!(text, "ALLOWED by {}", told.entry.as_deref().unwrap_or("/default")),
    };
    let width = told.facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    if !told.facts.is_empty() {
        text.push_str("\nwhat the call comes to\n");
    }
    for (name, value) in &told.facts {
        let _ = match value {
            Ok(value) => writeln!(text, "  {name:<width$}  {value}"),
            Err(why) => writeln!(text, "  {name:<width$}  - {why}"),
        };
    }
    if !told.rules.is_empty() {
        text.push_str("\nwhat each rule says, in the order in which they are asked\n");
    }
    // What comes before all rules keeps every one of them from being asked.
    let mut stopped = told.ended && told.refusals.last().is_some_and(|last| !told.rules.contains(&last.denial.rule));
    for rule in &told.rules {
        let refused = told.refusals.iter().find(|refused| refused.denial.rule == *rule);
        let asks = told.asks.as_ref().is_some_and(|ask| ask.rule == *rule);
        let _ = match refused {
            Some(refused) if refused.shadow => {
                writeln!(text, "  shadow   {rule}: {}", refused.denial.message)
            }
            Some(refused) => {
                let mark = if decisive == Some(&refused.denial) { "DECIDES" } else { "refuses" };
                writeln!(text, "  {mark}  {rule}: {}", refused.denial.message)
            }
            None if asks => writeln!(text, "  asks     {rule}"),
            None if stopped => writeln!(text, "  -        {rule}"),
            None => writeln!(text, "  passes   {rule}"),
        };
        stopped |= told.ended && refused.is_some() && refused == told.refusals.last();
    }
    for refused in told.refusals.iter().filter(|refused| !told.rules.contains(&refused.denial.rule)) {
        let _ = writeln!(text, "  before any rule: {}", refused.denial.message);
    }
    text
}

/// Whether a message passes that is no call of a tool, and by which rule it does or does not.
pub fn message_in_words(guard: &Guard, method: &str, names: Option<&str>, halted: bool) -> (bool, String) {
    // What both may send is ruled alike.
    let sender = methods().find(|(_, known)| *known == method).map_or(Sender::Client, |(sender, _)| sender);
    match guard.judge_message(&Message { sender, method, names }, halted) {
        Passage::Denied(denial) => {
            (false, format!("DENIED by {} ({}): {}\n", denial.rule, denial.reason.code(), denial.message))
        }
        Passage::Ruled { rule, shadow: Some(denial) } => {
            (true, format!("ALLOWED by {rule}, in shadow: {} ({})\n", denial.rule, denial.reason.code()))
        }
        Passage::Ruled { rule, .. } => (true, format!("ALLOWED by {rule}\n")),
        Passage::Free => (true, "ALLOWED: no entry speaks of it, and it passes without one\n".to_owned()),
        _ if passes_unruled(sender, method) => (true, "ALLOWED: the policy has no `methods`\n".to_owned()),
        _ => (false, "DENIED: the policy has no `methods`, so that tools alone pass\n".to_owned()),
    }
}

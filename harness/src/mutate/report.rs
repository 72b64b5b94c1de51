//! What became of the weakenings, for people and for pipelines.

use serde_json::{Value, json};

use super::change::Change;
use super::document::Document;
use super::hunt::{Fate, Mutation};

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

fn in_short(value: Option<&Value>) -> String {
    let text = shown(value);
    if text.chars().count() <= 40 { text } else { text.chars().take(37).chain("...".chars()).collect() }
}

fn title(change: &Change) -> String {
    format!("{} {}", change.pointer, change.kind)
}

/// In words, a line for each, and in full those that survived.
pub fn in_words(found: &Mutation) -> String {
    let mut lines = Vec::new();
    for judged in &found.judged {
        let change = &judged.change;
        let (word, why) = match &judged.fate {
            Fate::Killed { by, role, .. } => ("killed  ", format!("by {by}, {}", role.with_article())),
            Fate::Survived { .. } => ("SURVIVED", "no scenario notices it".to_owned()),
            Fate::Reasoned(reason) => ("reasoned", reason.clone()),
            Fate::Refused(_) => ("refused ", "the gateway takes no such document".to_owned()),
            Fate::Covered { pointer, kind } => {
                ("covered ", format!("by {pointer} {kind}, which is not noticed either"))
            }
        };
        let (before, after) = (in_short(change.before.as_ref()), in_short(change.after.as_ref()));
        lines.push(format!("{word} {}: {before} → {after}: {why}", title(change)));
    }
    for judged in &found.judged {
        let Fate::Survived { skeleton } = &judged.fate else { continue };
        let change = &judged.change;
        lines.push(format!("\n{}", title(change)));
        lines.push("  a rule that nothing protects, or a redundant rule".to_owned());
        lines.push(format!("  before: {}", shown(change.before.as_ref())));
        lines.push(format!("  after:  {}", shown(change.after.as_ref())));
        lines.push("  a scenario to begin with:".to_owned());
        lines.extend(skeleton.lines().map(|line| format!("    {line}").trim_end().to_owned()));
    }
    let count = |of: fn(&Fate) -> bool| found.count(of);
    let killed = count(|fate| matches!(fate, Fate::Killed { .. }));
    let reasoned = count(|fate| matches!(fate, Fate::Reasoned(_)));
    let aside = count(|fate| matches!(fate, Fate::Refused(_) | Fate::Covered { .. }));
    lines.push(format!(
        "\n{}: of {} weakenings {killed} are noticed by one of {} scenarios, {} survive, {reasoned} have a reason, {aside} need none",
        found.policy.display(),
        found.judged.len(),
        found.scenarios,
        found.survivors(),
    ));
    lines.join("\n") + "\n"
}

/// As JSON.
pub fn in_json(found: &Mutation) -> Value {
    let judged = found.judged.iter().map(|judged| {
        let change = &judged.change;
        let fate = match &judged.fate {
            Fate::Killed { by, role, what } => {
                json!({ "is": "killed", "by": by, "run": role.word(), "what": what })
            }
            Fate::Survived { skeleton } => json!({ "is": "survived", "scenario": skeleton }),
            Fate::Reasoned(reason) => json!({ "is": "reasoned", "reason": reason }),
            Fate::Refused(why) => json!({ "is": "refused", "why": why }),
            Fate::Covered { pointer, kind } => json!({ "is": "covered", "by": { "pointer": pointer, "kind": kind } }),
        };
        json!({
            "file": Document::file(&found.policy, &change.pointer).display().to_string(),
            "pointer": change.pointer, "kind": change.kind, "also": change.also,
            "before": change.before, "after": change.after, "fate": fate,
        })
    });
    json!({
        "policy": found.policy.display().to_string(),
        "scenarios": found.scenarios,
        "killed": found.count(|fate| matches!(fate, Fate::Killed { .. })),
        "survived": found.survivors(),
        "mutants": judged.collect::<Vec<_>>(),
    })
}

//! `mcp-gateway approvals`: what a person sees and decides, apart from the agent's own client.

use std::fmt::Write as _;
use std::io::{self, Write};

use mcp_gateway::{Approval, ApprovalBook, ApprovalState, Durability, StateDir, system_clock};
use serde_json::Value;

use super::args::{Approvals, Decide, State};
use super::failure::Failure;

pub(super) fn run(action: &Approvals) -> Result<(), Failure> {
    let now = system_clock()();
    match action {
        Approvals::List { state, all, json } => {
            let mut listed = open(state)?.list(now)?;
            listed.retain(|(_, state)| *all || matches!(state, ApprovalState::Pending | ApprovalState::Approved));
            let text = if *json {
                let list: Vec<Value> = listed.iter().map(|(approval, state)| approval.told(*state)).collect();
                format!("{:#}\n", Value::Array(list))
            } else {
                listed.iter().map(|(approval, state)| people(approval, *state, now)).collect()
            };
            print(&text)
        }
        Approvals::Approve(decide) => {
            let window_ms = decide.window.saturating_mul(1000);
            let approval = open(&decide.state)?.approve(&decide.id, now, window_ms, &decide.by, &decide.note)?;
            print(&format!(
                "approved, once, for {} seconds:\n{}",
                decide.window,
                people(&approval, ApprovalState::Approved, now)
            ))
        }
        Approvals::Deny(Decide { id, state, by, note, .. }) => {
            let approval = open(state)?.deny(id, now, by, note)?;
            print(&format!("denied:\n{}", people(&approval, ApprovalState::Denied, now)))
        }
    }
}

/// The folder must be there: a mistyped one would show that nothing waits.
fn open(state: &State) -> Result<ApprovalBook, Failure> {
    let folder = state.folder()?;
    if !folder.join("state.db").exists() {
        let source = io::Error::new(io::ErrorKind::NotFound, "no gateway has kept anything here");
        return Err(mcp_gateway::StateError::Folder { path: folder, source }.into());
    }
    Ok(ApprovalBook::open(&StateDir::new(&folder, Durability::Power)?)?)
}

/// Everything that the approval would let through. What agents wrote is shown escaped, so that it can draw nothing on a
/// terminal and begin no line of its own.
fn people(approval: &Approval, state: ApprovalState, now: u64) -> String {
    let asked = &approval.asked;
    let shown = |text: &str| -> String {
        text.chars()
            .flat_map(|c| if (' '..='~').contains(&c) { vec![c] } else { c.escape_unicode().collect() })
            .collect()
    };
    let left = approval.expires_ms.saturating_sub(now) / 1000;
    let time = match state {
        ApprovalState::Pending | ApprovalState::Approved => format!(", {left} seconds left"),
        _ => String::new(),
    };
    let mut text = format!("{}  {state}{time}\n", approval.id);
    for (name, value) in [
        ("tool", &asked.tool),
        ("arguments", &asked.arguments),
        ("grant", &asked.grant),
        ("server", &asked.server),
        ("because", &asked.message),
        ("rule", &asked.rule),
        ("policy", &asked.policy),
        ("by", &approval.by),
        ("note", &approval.note),
    ] {
        if !value.is_empty() {
            let _ = writeln!(text, "  {name:<9}  {}", shown(value));
        }
    }
    text
}

fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Failure::Output),
    }
}

//! What somebody is told who is not at the desk.

use serde_json::{Map, Value, json};

use super::{Approval, ApprovalState};

/// A request for approval, for a reader beyond this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// The request's id, which tells one notice from another.
    pub id: String,
    /// When nobody waits for a decision any more.
    pub expires_ms: u64,
    /// JSON, as the list of requests has it, with those values of arguments that the policy shows.
    pub body: String,
}

/// Takes notices on.
pub trait Notifier: Send + Sync {
    /// Takes a notice on. It is called while calls wait, so it must come back at once, whatever becomes of the notice.
    fn notify(&self, notice: Notice);
}

/// What stands in the place of a value that the policy does not show.
const NOT_SHOWN: &str = "[not shown]";

impl Notice {
    /// The notice of a request whose policy shows the values of the arguments `shown`.
    pub(crate) fn of(approval: &Approval, shown: &[String]) -> Self {
        let mut told = approval.told(ApprovalState::Pending);
        let arguments = told.get("arguments").and_then(Value::as_object).cloned().unwrap_or_default();
        let arguments: Map<String, Value> = arguments
            .into_iter()
            .map(|(name, value)| {
                let value = if shown.contains(&name) { value } else { json!(NOT_SHOWN) };
                (name, value)
            })
            .collect();
        if let Some(told) = told.as_object_mut() {
            told.insert("arguments".to_owned(), Value::Object(arguments));
        }
        Self { id: approval.id.clone(), expires_ms: approval.expires_ms, body: told.to_string() }
    }
}

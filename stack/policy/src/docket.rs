//! What rules said of one call: the first that refuses decides, and those in shadow are only taken down.

use crate::decision::{Denial, Reason};

/// What every rule has.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// Its pointer.
    pub(crate) rule: String,
    /// Its own message.
    pub(crate) on_deny: Option<String>,
    /// Whether it is judged and let through.
    pub(crate) shadow: bool,
}

/// What the rules in shadow would have refused.
#[derive(Debug, Default)]
pub(crate) struct Docket {
    pub(crate) shadows: Vec<Denial>,
}

impl Docket {
    /// A rule refuses: it decides, unless it is in shadow.
    pub(crate) fn refuse(&mut self, shadow: bool, denial: Denial) -> Result<(), Denial> {
        if shadow {
            self.shadows.push(denial);
            return Ok(());
        }
        Err(denial)
    }

    /// A rule refuses with its own message, or with `words`.
    pub(crate) fn rule(&mut self, head: &Head, reason: Reason, words: String) -> Result<(), Denial> {
        let message = head.on_deny.clone().unwrap_or(words);
        self.refuse(head.shadow, denial(reason, &head.rule, &message))
    }

    /// A rule cannot be evaluated. Its own message would mislead: nobody knows whether what it says is the case.
    pub(crate) fn unevaluable(&mut self, head: &Head, words: &str) -> Result<(), Denial> {
        self.refuse(head.shadow, denial(Reason::Unevaluable, &head.rule, words))
    }
}

pub(crate) fn denial(reason: Reason, rule: &str, message: &str) -> Denial {
    Denial { reason, rule: rule.to_owned(), message: message.to_owned(), retry_after_ms: None }
}

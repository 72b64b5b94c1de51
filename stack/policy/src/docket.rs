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

/// What the rules in shadow would have refused; on the docket of an explanation, what any rule does.
#[derive(Debug, Default)]
pub(crate) struct Docket {
    pub(crate) shadows: Vec<Denial>,
    /// Whether each refusal is taken down, and the next rule asked, with whether the rule is in shadow.
    explains: Option<Vec<bool>>,
}

impl Docket {
    /// One on which every rule that can be asked has its say.
    pub(crate) fn explaining() -> Self {
        Self { shadows: Vec::new(), explains: Some(Vec::new()) }
    }

    /// What was taken down, and whether the rule is in shadow.
    pub(crate) fn told(self) -> impl Iterator<Item = (Denial, bool)> {
        let flags = self.explains.unwrap_or_default();
        self.shadows.into_iter().zip(flags.into_iter().chain(std::iter::repeat(true)))
    }

    /// A rule refuses: it decides, unless it is in shadow.
    pub(crate) fn refuse(&mut self, shadow: bool, denial: Denial) -> Result<(), Denial> {
        if let Some(explains) = &mut self.explains {
            explains.push(shadow);
        } else if !shadow {
            return Err(denial);
        }
        self.shadows.push(denial);
        Ok(())
    }

    /// A rule in shadow would have refused.
    pub(crate) fn shadow(&mut self, denial: Denial) {
        self.explains.iter_mut().for_each(|explains| explains.push(true));
        self.shadows.push(denial);
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

//! Conditions put together by `all`, `any` and `not`, in the three values of Kleene's logic.
//!
//! | | `not` | | `all` | T | F | ? | | `any` | T | F | ? |
//! |---|---|---|---|---|---|---|---|---|---|---|---|
//! | T | F | | T | T | F | ? | | T | T | T | T |
//! | F | T | | F | F | F | F | | F | T | F | ? |
//! | ? | ? | | ? | ? | F | ? | | ? | T | ? | ? |
//!
//! `?` is what cannot be evaluated. It never turns into an answer by being negated, so a rule that comes to `?` denies.

use crate::condition::{Cause, Condition, Evidence, Truth};
use crate::seam::Seam;

/// A condition, or several of them put together.
#[derive(Debug)]
pub(crate) enum Term {
    One(Condition),
    /// The first and the others, so that it is not empty.
    All(Box<Self>, Vec<Self>),
    Any(Box<Self>, Vec<Self>),
    Not(Box<Self>),
}

/// What came of judging a list of terms, all of which must be true.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AllTruth<'c> {
    True,
    /// With the first that is definitely false.
    False(&'c Condition),
    /// With the first that cannot be evaluated.
    Unevaluable(&'c Condition, Cause),
}

/// Judges a list of terms, all of which must be true. An empty list is.
pub(crate) fn all<'c>(terms: &'c [Term], evidence: &Evidence<'_>, seam: Seam) -> AllTruth<'c> {
    let mut verdict = AllTruth::True;
    for term in terms {
        match term.judge(evidence, seam) {
            (Truth::True, _) => {}
            (Truth::False, by) => return AllTruth::False(by),
            (Truth::Unevaluable(cause), by) => {
                if matches!(verdict, AllTruth::True) {
                    verdict = AllTruth::Unevaluable(by, cause);
                }
            }
        }
    }
    verdict
}

impl Term {
    /// Its truth, and the condition that decides it.
    fn judge<'c>(&'c self, evidence: &Evidence<'_>, seam: Seam) -> (Truth, &'c Condition) {
        match self {
            Self::One(condition) => (evidence.judge(condition, seam), condition),
            Self::All(first, others) => several(first, others, Truth::False, evidence, seam),
            Self::Any(first, others) => several(first, others, Truth::True, evidence, seam),
            Self::Not(term) => {
                let (truth, by) = term.judge(evidence, seam);
                (truth.not(), by)
            }
        }
    }

    /// The first condition in it, which stands for it in messages.
    pub(crate) fn first(&self) -> &Condition {
        match self {
            Self::One(condition) => condition,
            Self::All(term, _) | Self::Any(term, _) | Self::Not(term) => term.first(),
        }
    }
}

/// `decisive` if one of the terms is; otherwise it cannot be evaluated if one cannot.
fn several<'c>(
    first: &'c Term,
    others: &'c [Term],
    decisive: Truth,
    evidence: &Evidence<'_>,
    seam: Seam,
) -> (Truth, &'c Condition) {
    let mut untold = None;
    for term in std::iter::once(first).chain(others) {
        match term.judge(evidence, seam) {
            (truth, by) if truth == decisive => return (truth, by),
            (truth @ Truth::Unevaluable(_), by) => untold = untold.or(Some((truth, by))),
            _ => {}
        }
    }
    untold.unwrap_or_else(|| (decisive.not(), first.first()))
}

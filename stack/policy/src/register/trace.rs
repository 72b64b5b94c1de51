//! What a permit remembers of its call until it is settled.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::{Done, Listed};
use crate::decision::Outcome;
use crate::effects::{Effect, Intent, Told};
use crate::facts::ToolFacts;
use crate::jcs::Digest;
use crate::moment::Settlement;

/// One call, from its admission to its settlement.
pub(crate) struct Trace {
    pub(crate) grant: Box<str>,
    /// What the manifest says of the tool.
    pub(crate) facts: Arc<ToolFacts>,
    pub(crate) deed: Deed,
    /// The test orders that this call is one of if it succeeds.
    pub(crate) proves: Vec<Digest>,
    /// The test order that it needs, and when that was made.
    pub(crate) uses: Option<Digest>,
    pub(crate) used: Option<u64>,
    /// The windows in which the policy sets cancels against trades.
    pub(crate) ratios: Arc<[u64]>,
    /// How many cancels a cancel of all counts as.
    pub(crate) cancels: u64,
    pub(crate) step: u64,
    pub(crate) at: u64,
}

/// What a call does to the orders and listen keys of its grant.
#[derive(Debug)]
pub(crate) enum Deed {
    Nothing,
    Places {
        intent: Intent,
        asset: Option<Arc<str>>,
        number: u64,
    },
    /// Of the grant's own order, if it is one.
    Cancels(Option<u64>),
    CancelsAll(String),
    Reads(Option<u64>),
    Lists(Option<String>),
    Issues,
    Closes(Digest),
}

impl fmt::Debug for Trace {
    /// Without the name of the grant and the arguments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("step", &self.step).finish_non_exhaustive()
    }
}

impl Trace {
    fn effect(&self) -> Option<&Effect> {
        self.facts.effect.as_ref()
    }

    /// Whether the result of the call says something that is not known yet.
    pub(crate) fn wants_value(&self) -> bool {
        self.effect().is_some()
    }

    /// What a settlement comes to. A failure proves nothing unless the manifest says what in the result does.
    pub(super) fn done(&self, settled: Settlement<'_>) -> Done {
        let refused = match self.effect() {
            Some(Effect::Places(places)) => places.refused.as_ref(),
            Some(Effect::Cancels(order) | Effect::Reads(order)) => order.refused.as_ref(),
            _ => None,
        };
        match settled.outcome() {
            Outcome::NeverSent => Done::NeverWas,
            Outcome::Succeeded => Done::Succeeded,
            Outcome::Failed if refused.is_some_and(|refused| refused.holds(settled.value())) => Done::NeverWas,
            Outcome::Failed | Outcome::Unknown => Done::Unknown,
        }
    }

    /// What the result tells of the one order that the call is about.
    pub(super) fn told(&self, settled: Settlement<'_>) -> Told {
        let answer = match self.effect() {
            Some(Effect::Places(places)) => &places.answer,
            Some(Effect::Cancels(order) | Effect::Reads(order)) => &order.answer,
            _ => return Told::default(),
        };
        settled.value().map(|value| answer.read(value)).unwrap_or_default()
    }

    /// What the result tells of each order in its list.
    pub(super) fn items(&self, settled: Settlement<'_>) -> Option<Vec<Told>> {
        let (Effect::CancelsAll(many) | Effect::Lists(many)) = self.effect()? else { return None };
        let items = many.items.find(settled.value()?)?.as_array()?;
        Some(items.iter().map(|item| many.answer.read(item)).collect())
    }

    /// The listen key that the result hands out.
    pub(super) fn issued<'v>(&self, settled: Settlement<'v>) -> Option<&'v str> {
        match self.effect() {
            Some(Effect::Issues(at)) => at.find(settled.value()?).and_then(Value::as_str),
            _ => None,
        }
    }

    /// Which orders the list speaks of.
    pub(super) fn listed<'a>(&self, symbol: Option<&'a str>) -> Listed<'a> {
        let late_ms = match self.effect() {
            Some(Effect::CancelsAll(many) | Effect::Lists(many)) => many.late_ms,
            _ => u64::MAX,
        };
        Listed { symbol, step: self.step, at: self.at, late_ms }
    }

    /// How many cancels were counted for the call.
    pub(super) fn cancels_counted(&self) -> u64 {
        match self.deed {
            Deed::Cancels(_) => 1,
            Deed::CancelsAll(_) => self.cancels,
            _ => 0,
        }
    }
}

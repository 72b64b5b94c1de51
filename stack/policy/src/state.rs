//! What a guard knows beside its policy.

use crate::breakers::Breakers;
use crate::counters::Counters;
use crate::prices::Quotes;
use crate::register::Registers;
use crate::seam::Seam;

/// Everything that calls change.
pub(crate) struct State {
    pub(crate) counters: Counters,
    pub(crate) breakers: Breakers,
    pub(crate) registers: Registers,
    pub(crate) quotes: Quotes,
    pub(crate) seam: Seam,
}

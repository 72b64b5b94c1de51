//! An event as it is written for its listeners: with times in milliseconds, in microseconds, or both.

use crate::api::render::TimeUnit;

/// In which units of time the listeners of a stream want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Units {
    pub(crate) milli: bool,
    pub(crate) micro: bool,
}

impl Units {
    pub(crate) const fn of(unit: TimeUnit) -> Self {
        Self { milli: matches!(unit, TimeUnit::Milliseconds), micro: matches!(unit, TimeUnit::Microseconds) }
    }
}

/// The texts of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    milli: Option<String>,
    micro: Option<String>,
}

impl Written {
    /// Writes what is asked for and no more.
    pub(crate) fn of(units: Units, write: impl Fn(TimeUnit) -> String) -> Self {
        Self {
            milli: units.milli.then(|| write(TimeUnit::Milliseconds)),
            micro: units.micro.then(|| write(TimeUnit::Microseconds)),
        }
    }

    pub(crate) fn text(&self, unit: TimeUnit) -> Option<&str> {
        match unit {
            TimeUnit::Milliseconds => self.milli.as_deref(),
            TimeUnit::Microseconds => self.micro.as_deref(),
        }
    }

    /// Changes each text.
    pub(crate) fn map(self, mut change: impl FnMut(TimeUnit, String) -> String) -> Self {
        Self {
            milli: self.milli.map(|text| change(TimeUnit::Milliseconds, text)),
            micro: self.micro.map(|text| change(TimeUnit::Microseconds, text)),
        }
    }
}

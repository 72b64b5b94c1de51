//! When things changed, in as much room for a long tape as for a short one.

use serde::Serialize;

/// How many spans a timeline has at most.
const SPANS_MAX: usize = 120;

/// What became of the calls of one span of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Calls that pass, before and after.
    pub pass: u64,
    /// Calls that are refused, before and after.
    pub refused: u64,
    /// Calls that passed and would be stopped.
    pub stopped: u64,
    /// Calls that were stopped and would pass.
    pub let_through: u64,
}

impl Span {
    fn add(&mut self, other: Self) {
        self.pass += other.pass;
        self.refused += other.refused;
        self.stopped += other.stopped;
        self.let_through += other.let_through;
    }

    /// How many calls there were.
    pub const fn calls(self) -> u64 {
        self.pass + self.refused + self.stopped + self.let_through
    }
}

/// The calls of one tape over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// The tape.
    pub tape: String,
    /// How many milliseconds a span lasts; the first begins with the tape.
    pub span_ms: u64,
    /// The spans, up to the last in which there was a call.
    pub spans: Vec<Span>,
}

impl Timeline {
    pub(super) fn new(tape: &str) -> Self {
        Self { tape: tape.to_owned(), span_ms: 1, spans: Vec::new() }
    }

    /// Takes note of a call. Where the spans do not reach that far they are made twice as long, two becoming one.
    pub(super) fn add(&mut self, at_ms: u64, passed: bool, passes: bool) {
        while at_ms / self.span_ms >= SPANS_MAX as u64 {
            let merged = self.spans.chunks(2).map(|two| {
                let mut one = Span::default();
                for span in two {
                    one.add(*span);
                }
                one
            });
            self.spans = merged.collect();
            self.span_ms *= 2;
        }
        let place = usize::try_from(at_ms / self.span_ms).unwrap_or_default();
        if self.spans.len() <= place {
            self.spans.resize(place + 1, Span::default());
        }
        let Some(span) = self.spans.get_mut(place) else { return };
        match (passed, passes) {
            (true, true) => span.pass += 1,
            (false, false) => span.refused += 1,
            (true, false) => span.stopped += 1,
            (false, true) => span.let_through += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_lost_however_long_it_lasts() {
        let mut timeline = Timeline::new("t");
        let mut at_ms = 0;
        for call in 0..5_000_u64 {
            at_ms += call % 97 * call;
            timeline.add(at_ms, call % 3 == 0, call % 2 == 0);
        }
        assert!(timeline.spans.len() <= SPANS_MAX && timeline.spans.len() > SPANS_MAX / 2, "{}", timeline.spans.len());
        assert!(at_ms / timeline.span_ms < SPANS_MAX as u64);
        let mut sum = Span::default();
        for span in &timeline.spans {
            sum.add(*span);
        }
        assert_eq!(sum, Span { pass: 834, refused: 1_667, stopped: 833, let_through: 1_666 });
        assert_eq!(sum.calls(), 5_000);
        // The time of a call that comes late is not lost among the others.
        timeline.add(u64::MAX / 2, true, true);
        assert_eq!(timeline.spans.first().map(|span| span.calls()), Some(5_000));
        assert_eq!(timeline.spans.last().map(|span| span.pass), Some(1));
    }
}

//! What a backtest found.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};

use super::headroom::{Headroom, Meters};
use super::timeline::Timeline;

/// Calls that get another verdict, and what that comes to.
#[derive(Debug, Default, Serialize)]
pub struct Changes {
    /// How many calls were judged.
    pub calls: u64,
    /// How many of them the candidate lets through.
    pub allowed: u64,
    /// What passed before and would be stopped.
    pub stopped: Worth,
    /// What was stopped before and would pass.
    pub let_through: Worth,
    /// What of the newly stopped was on tapes of honest work: calls that would now break.
    pub honest_stopped: Worth,
    /// Calls that a policy with `live_references` cannot judge: the tape tells no price that is fresh.
    pub unpriced: Unpriced,
    /// The largest order that the candidate lets through, of those whose worth is told: what a cap has to allow.
    #[serde(serialize_with = "as_text")]
    pub largest_order: Decimal,
    /// By tool and rules, the most frequent first.
    pub changes: Vec<Change>,
    /// How close each of the candidate's limits came to refusing, those that refused first.
    pub headroom: Vec<Headroom>,
    /// The calls of each tape over time.
    pub timelines: Vec<Timeline>,
    #[serde(skip)]
    pub(super) meters: Meters,
    #[serde(skip)]
    pub(super) by_kind: BTreeMap<(String, String, String), Change>,
}

/// So many calls, and what the orders among them are worth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Worth {
    /// Calls.
    pub calls: u64,
    /// Orders among them.
    pub orders: u64,
    /// What the orders are worth together, in their quote assets.
    #[serde(serialize_with = "as_text")]
    pub notional: Decimal,
    /// Orders of which nothing tells the worth.
    pub of_unknown_worth: u64,
}

/// Calls that nothing can be said of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Unpriced {
    /// How many.
    pub calls: u64,
    /// Where the first of them stands: the tape and the line.
    pub at: Option<String>,
}

impl Unpriced {
    pub(super) fn add(&mut self, place: impl FnOnce() -> String) {
        self.calls += 1;
        self.at.get_or_insert_with(place);
    }

    /// For a person; nothing if there are none.
    pub(super) fn words(&self) -> Option<String> {
        let at = self.at.as_deref()?;
        Some(format!("{} that no fresh price on the tape is known for, the first at {at}", counted(self.calls)))
    }
}

fn as_text<S: Serializer>(number: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&number.normalize())
}

impl Worth {
    pub(super) fn add(&mut self, is_order: bool, worth: Option<Decimal>) {
        self.calls += 1;
        if !is_order {
            return;
        }
        self.orders += 1;
        match worth.and_then(|worth| self.notional.checked_add(worth)) {
            Some(notional) => self.notional = notional,
            None => self.of_unknown_worth += 1,
        }
    }
}

/// Calls of one tool that change from one rule's verdict to another's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The tool.
    pub tool: String,
    /// The verdict before, and its rule.
    pub before: String,
    /// The candidate's verdict, and its rule.
    pub after: String,
    /// How many calls.
    pub calls: u64,
    /// The first of them.
    pub example: Example,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The tape.
    pub tape: String,
    /// The number of the call's message on it.
    pub seq: u64,
    /// The arguments, as JSON.
    pub arguments: String,
    /// What the candidate says to it, when it refuses.
    pub message: String,
}

impl Changes {
    pub(super) fn finish(mut self) -> Self {
        self.changes = std::mem::take(&mut self.by_kind).into_values().collect();
        self.changes.sort_by_key(|change| std::cmp::Reverse(change.calls));
        self.headroom = std::mem::take(&mut self.meters).told();
        self
    }

    /// As lines for a person.
    pub fn text(&self) -> String {
        let (stopped, passing) = (self.stopped.words(), self.let_through.words());
        let mut lines = vec![
            format!("{} judged, {} let through", counted(self.calls), self.allowed),
            String::new(),
            format!("newly stopped   {stopped}"),
            format!("newly passing   {passing}"),
        ];
        let honest = self.honest_stopped.words();
        lines.extend((self.honest_stopped.calls > 0).then(|| format!("honest broken   {honest}")));
        lines.extend(self.unpriced.words().map(|unpriced| format!("not judged      {unpriced}")));
        for Change { tool, before, after, calls, example } in &self.changes {
            let Example { tape, seq, arguments, message } = example;
            lines.push(format!("\n{calls:>6}x {tool}\n        was  {before}\n        now  {after}"));
            lines.extend((!message.is_empty()).then(|| format!("             {message}")));
            lines.push(format!("        as   {tape}:{} {arguments}", seq + 1));
        }
        if self.changes.is_empty() {
            lines.push("\nno call changes its verdict".to_owned());
        }
        if !self.headroom.is_empty() {
            lines.push("\nhow close each limit came, most at a time".to_owned());
        }
        for Headroom { limit, shared_with, of, max, peak, peak_percent, at, charged, refused } in &self.headroom {
            let shares = shared_with.iter().map(|other| format!("         shared with {other}"));
            let of = of.as_deref().map(|of| format!(" of {of}")).unwrap_or_default();
            if *charged == 0 {
                lines.push(format!("      -  no call fits  {limit}\n         refused {refused} times"));
                lines.extend(shares);
                continue;
            }
            lines.push(format!("{peak_percent:>5} %  {peak} of {max}  {limit}{of}"));
            lines.push(format!("         charged {charged} times, refused {refused}; the most at {at}"));
            lines.extend(shares);
        }
        if !self.largest_order.is_zero() {
            lines.push(format!("\nthe largest order that passes is worth {}", self.largest_order.normalize()));
        }
        lines.join("\n") + "\n"
    }
}

impl Worth {
    fn words(&self) -> String {
        format!("{}, {}", counted(self.calls), self.orders_in_words())
    }

    /// What the orders come to.
    pub(super) fn orders_in_words(&self) -> String {
        let unknown = match self.of_unknown_worth {
            0 => String::new(),
            count => format!(", and {count} of unknown worth"),
        };
        format!("{} of them orders worth {}{unknown}", self.orders, self.notional.normalize())
    }
}

pub(super) fn counted(calls: u64) -> String {
    if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") }
}

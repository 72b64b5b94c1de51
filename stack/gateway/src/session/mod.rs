//! One client connection against one server connection, as a state machine.
//!
//! ```text
//!              from_client(frame, now)                    from_upstream(frame, now)
//!  client ──▶ parse ▶ judge ▶ record ─▶ to_upstream ──▶ server ──▶ check ▶ settle ▶ filter ─▶ to_client
//!     ◀────── refusal, denial ◀┘                           ◀── refusal of a request ◀┘
//! ```
//!
//! It does no IO and asks no clock: a shell hands it whole frames and the time, and moves what it
//! queues in the [`Outbox`]. The shell for byte streams is [`Gateway::serve`](crate::Gateway::serve).

mod asked;
mod catalogue;
mod client;
mod denial;
mod held;
mod in_flight;
mod lane;
mod listed;
mod methods;
mod priced;
mod restore;
mod summary;
mod upstream;

use std::collections::BTreeSet;

use mcp_policy::Outcome;

pub use denial::VERDICT_META_KEY;
pub use lane::{Lane, Outbox};
pub use summary::SessionSummary;

use crate::config::Identity;
use crate::gateway::{Answered, Gateway};
use crate::wire::Refusal;
use asked::Asked as ServerAsked;
use held::HeldCalls;
use in_flight::{Asked, InFlight, Pending};
use listed::Listed;
use priced::Priced;
use restore::Kept;
pub(crate) use restore::Unrestored;

/// Whether requests can be sent to the server at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upstream {
    Reading,
    Stalled,
    /// It died, and the next one is not ready yet.
    Restarting,
    Gone,
}

/// The state of one session. Dropping it settles what is in flight as unknown.
#[derive(Debug)]
pub struct Session {
    gateway: Gateway,
    identity: Identity,
    upstream: Upstream,
    /// Where the frame at hand came from.
    lane: Lane,
    in_flight: InFlight,
    /// Requests of the server that wait for the client.
    asked: ServerAsked,
    /// Several clients speak in it, none of which the server could ask anything.
    shared: bool,
    /// Calls that wait for a reference price.
    priced: Priced,
    /// Calls that are permitted and wait for a store.
    held: HeldCalls,
    /// Tools that declared an `outputSchema` when they were listed.
    with_output_schema: BTreeSet<String>,
    /// Which tools are what was pinned.
    listed: Listed,
    /// What the next server must be told if this one dies.
    kept: Kept,
    summary: SessionSummary,
    /// The `params` of the frame at hand, for the mutant that forwards them as they came.
    #[cfg(feature = "mutants")]
    raw_params: Option<Box<serde_json::value::RawValue>>,
}

impl Session {
    /// A session that has seen nothing yet. It need not begin with `initialize`.
    pub fn new(gateway: Gateway, identity: Identity) -> Self {
        Self {
            gateway,
            identity,
            upstream: Upstream::Reading,
            lane: Lane::ONLY,
            in_flight: InFlight::default(),
            asked: ServerAsked::default(),
            shared: false,
            priced: Priced::default(),
            held: HeldCalls::new(),
            with_output_schema: BTreeSet::new(),
            listed: Listed::default(),
            kept: Kept::default(),
            summary: SessionSummary::default(),
            #[cfg(feature = "mutants")]
            raw_params: None,
        }
    }

    /// The same for several clients, none of which has a session.
    #[cfg(feature = "http")]
    pub(crate) fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// How many requests the client waits for.
    pub fn waited_for(&self) -> usize {
        self.in_flight.waited_for() + self.priced.waiting() + self.held.waiting()
    }

    /// The counts so far.
    pub fn summary(&self) -> SessionSummary {
        self.summary
    }

    /// Tells whether the server takes what is sent to it. While it does not, requests are answered
    /// with an error at once and never queued.
    pub fn set_stalled(&mut self, stalled: bool) {
        if matches!(self.upstream, Upstream::Reading | Upstream::Stalled) {
            self.upstream = if stalled { Upstream::Stalled } else { Upstream::Reading };
        }
    }

    /// The server is gone, or no longer waited for: answers everything in flight. A call of which
    /// no byte has left had no effect; of every other the outcome is unknown.
    pub fn upstream_lost(&mut self, out: &mut Outbox) {
        self.upstream = Upstream::Gone;
        self.lose_in_flight(out);
    }

    /// Why no request can be sent at present.
    fn unready(&self) -> Option<Refusal> {
        match self.upstream {
            Upstream::Reading => None,
            Upstream::Stalled => Some(Refusal::ServerStalled),
            Upstream::Restarting => Some(Refusal::ServerRestarting),
            Upstream::Gone => Some(Refusal::ServerGone),
        }
    }

    fn lose_in_flight(&mut self, out: &mut Outbox) {
        let sent = out.to_upstream.sent();
        out.to_upstream.discard();
        self.prices_lost(out);
        self.held_lost(out);
        while let Some(pending) = self.in_flight.take_oldest() {
            self.answer_lost(pending, sent, out);
        }
    }

    fn answer_lost(&mut self, pending: Pending, sent: u64, out: &mut Outbox) {
        let left = sent > pending.starts_at;
        let lane = pending.lane;
        match pending.asked {
            Asked::Call(ticket) => {
                let (outcome, lost) = if left {
                    self.summary.unknown_outcomes += 1;
                    (Outcome::Unknown, denial::Lost::Unanswered)
                } else {
                    (Outcome::NeverSent, denial::Lost::NotSent)
                };
                self.gateway.settle(&self.identity, ticket, outcome, Answered::default());
                if !pending.cancelled {
                    let result = denial::lost(lost, pending.shape);
                    out.tell(lane, |out| crate::wire::reply::push_result(out, &pending.client_id, &result));
                }
            }
            _ if pending.cancelled => {}
            _ => {
                let is_followed = self.upstream == Upstream::Restarting;
                let why = if is_followed { Refusal::ServerLost } else { Refusal::ServerGone };
                let id = Some(&pending.client_id);
                out.tell(lane, |out| crate::wire::reply::push_refusal(out, id, &why));
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.drop_held();
        while let Some(pending) = self.in_flight.take_oldest() {
            if let Asked::Call(ticket) = pending.asked {
                self.gateway.settle(&self.identity, ticket, Outcome::Unknown, Answered::default());
            }
        }
    }
}

//! The requests that wait for the server's answer.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value};

use crate::gateway::Ticket;
use crate::session::denial::Shape;
use crate::session::lane::Lane;
use crate::session::methods::Ruled;
use crate::wire::RequestId;

/// What was asked, as far as its answer is treated differently.
#[derive(Debug)]
pub(super) enum Asked {
    /// `initialize`, with what the client gave: capabilities are trimmed, and the next server will be asked the same.
    Initialize(Map<String, Value>),
    /// `server/discover`: capabilities are trimmed.
    Capabilities,
    /// `tools/list`: tools are filtered.
    Tools,
    /// `tools/call`: the ticket is settled.
    Call(Ticket),
    /// Something for the whole connection, which the next server will be asked as well.
    Setting(Ruled, Map<String, Value>),
    /// A list of which only what may be asked for is shown.
    List(Ruled),
    /// Anything else.
    Plain,
}

/// One request on its way.
#[derive(Debug)]
pub(super) struct Pending {
    /// The id by which the client knows it.
    pub(super) client_id: RequestId,
    /// Where its answer goes.
    pub(super) lane: Lane,
    pub(super) asked: Asked,
    /// Where its frame began in the stream to the server.
    pub(super) starts_at: u64,
    /// The token under which the client wants to hear of its progress. Toward the server it is the request's id.
    pub(super) progress: Option<Value>,
    /// The client has said that it no longer waits.
    pub(super) cancelled: bool,
    /// How a result of the gateway's own would have to be shaped.
    pub(super) shape: Shape,
}

/// Requests by the id that the gateway gave them.
///
/// The server never sees a client's id, so neither side can make the other take one request's
/// answer for another's.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    last_id: u64,
    pending: BTreeMap<u64, Pending>,
    /// By what a client's id is unique among.
    by_client: BTreeMap<(u64, RequestId), u64>,
    /// Cancelled requests, the oldest first. Their answers may never come.
    cancelled: VecDeque<u64>,
}

impl InFlight {
    pub(super) fn contains(&self, lane: Lane, client_id: &RequestId) -> bool {
        // A copy of an id costs less than a map that can be asked without one.
        self.by_client.contains_key(&(lane.ids(), client_id.clone()))
    }

    /// How many requests a client still waits for.
    pub(super) fn waited_for(&self) -> usize {
        self.pending.len() - self.cancelled.len()
    }

    /// An id for a request of the gateway's own.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Adds a request and names it toward the server.
    pub(super) fn add(&mut self, pending: Pending) -> u64 {
        self.last_id += 1;
        self.by_client.insert((pending.lane.ids(), pending.client_id.clone()), self.last_id);
        self.pending.insert(self.last_id, pending);
        self.last_id
    }

    /// Notes that the client cancelled a request; its id toward the server.
    pub(super) fn cancel(&mut self, lane: Lane, client_id: &RequestId) -> Option<u64> {
        let id = *self.by_client.get(&(lane.ids(), client_id.clone()))?;
        self.note_cancelled(id)
    }

    /// Notes that nobody waits for the request of a lane any more; its id toward the server, if there is one.
    #[cfg(feature = "http")]
    pub(super) fn cancel_lane(&mut self, lane: Lane) -> Option<u64> {
        let id =
            self.pending.iter().find(|(_, pending)| pending.lane == lane && !pending.cancelled).map(|(id, _)| *id)?;
        self.note_cancelled(id)
    }

    fn note_cancelled(&mut self, id: u64) -> Option<u64> {
        let pending = self.pending.get_mut(&id)?;
        if !std::mem::replace(&mut pending.cancelled, true) {
            self.cancelled.push_back(id);
        }
        Some(id)
    }

    /// The oldest cancelled request if there are more than `max` of them: servers need not answer
    /// what was cancelled, and nothing may be kept for ever.
    pub(super) fn forget_cancelled(&mut self, max: usize) -> Option<Pending> {
        let oldest = (self.cancelled.len() > max).then(|| self.cancelled.front().copied())??;
        self.take(oldest)
    }

    /// Whose progress a token of the server's tells of: the request's lane, and the token that its client gave it.
    pub(super) fn in_progress(&self, id: u64) -> Option<(Lane, &Value)> {
        let pending = self.pending.get(&id).filter(|pending| !pending.cancelled)?;
        Some((pending.lane, pending.progress.as_ref()?))
    }

    /// Takes a request whose answer came.
    pub(super) fn take(&mut self, id: u64) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        self.by_client.remove(&(pending.lane.ids(), pending.client_id.clone()));
        if pending.cancelled {
            self.cancelled.retain(|cancelled| *cancelled != id);
        }
        Some(pending)
    }

    /// Takes the oldest request, whatever its state.
    pub(super) fn take_oldest(&mut self) -> Option<Pending> {
        let id = *self.pending.keys().next()?;
        self.take(id)
    }
}

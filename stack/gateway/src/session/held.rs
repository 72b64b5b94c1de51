//! Calls that are permitted and wait for a store.
//!
//! Like those that wait for a price they hold nobody up: what comes meanwhile is judged and answered in its turn. A
//! shell asks [`Session::poll_held`] and goes on; what is queued then is moved as ever.

use std::collections::BTreeMap;
use std::task::{Context, Poll};

use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::client::read_call;
use super::denial::Shape;
use super::methods::Method;
use super::{Lane, Outbox, Session};
use crate::gateway::Case;
use crate::held::{Arrived, Desk, Held};
use crate::wire::{Refusal, RequestId};

type Params = Map<String, Value>;

/// The calls of a session that wait, and where it hears of them.
#[derive(Debug)]
pub(super) struct HeldCalls {
    pub(super) desk: Desk,
    heard: mpsc::UnboundedReceiver<(u64, Arrived)>,
    /// By the token of what they wait for.
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    id: RequestId,
    lane: Lane,
    params: Params,
    shape: Shape,
    held: Box<Held>,
}

impl HeldCalls {
    pub(super) fn new() -> Self {
        let (desk, heard) = Desk::new();
        Self { desk, heard, waiting: BTreeMap::new() }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn contains(&self, lane: Lane, client_id: &RequestId) -> bool {
        self.find(|waiting| waiting.lane.ids() == lane.ids() && waiting.id == *client_id).is_some()
    }

    fn find(&self, which: impl Fn(&Waiting) -> bool) -> Option<u64> {
        self.waiting.iter().find(|(_, waiting)| which(waiting)).map(|(token, _)| *token)
    }
}

impl Session {
    /// Goes on with calls for which something has come; ready when it has. Without a shared store, and with a ledger that
    /// is written by whoever asks, no call ever waits.
    pub fn poll_held(&mut self, cx: &mut Context<'_>, out: &mut Outbox) -> Poll<()> {
        let Poll::Ready(Some((token, arrived))) = self.held.heard.poll_recv(cx) else { return Poll::Pending };
        let Some(Waiting { id, lane, params, shape, held }) = self.held.waiting.remove(&token) else {
            self.gateway.nobody_waits(arrived);
            return Poll::Ready(());
        };
        self.lane = lane;
        let now_ms = self.gateway.now_ms();
        match (self.unready(), read_call(&params)) {
            (None, Ok((tool, arguments))) => {
                let (identity, desk) = (&self.identity, &self.held.desk);
                let case = Case { identity, id: &id, tool, arguments: &arguments, now_ms, desk };
                let ruling = self.gateway.proceed(&case, *held, arrived);
                drop(arguments);
                self.follow(ruling, id, params, shape, out);
            }
            (Some(refusal), _) | (None, Err(refusal)) => {
                self.gateway.withdraw(*held, Some(arrived));
                self.refuse(now_ms, Some(id), Some(Method::CallTool.name()), &refusal, out);
            }
        }
        Poll::Ready(())
    }

    pub(super) fn hold(&mut self, token: u64, held: Box<Held>, id: RequestId, params: Params, shape: Shape) {
        self.held.waiting.insert(token, Waiting { id, lane: self.lane, params, shape, held });
    }

    /// Takes a call back that its client no longer waits for.
    pub(super) fn cancel_held(&mut self, lane: Lane, client_id: Option<&RequestId>) -> Option<(RequestId, Params)> {
        let token = self.held.find(|waiting| match client_id {
            Some(id) => waiting.lane.ids() == lane.ids() && waiting.id == *id,
            None => waiting.lane == lane,
        })?;
        let Waiting { id, params, held, .. } = self.held.waiting.remove(&token)?;
        self.gateway.withdraw(*held, None);
        Some((id, params))
    }

    /// The server is gone: nothing that waits can leave.
    pub(super) fn held_lost(&mut self, out: &mut Outbox) {
        let refusal = self.unready().unwrap_or(Refusal::ServerGone);
        for Waiting { id, lane, held, .. } in std::mem::take(&mut self.held.waiting).into_values() {
            self.gateway.withdraw(*held, None);
            self.lane = lane;
            let now_ms = self.gateway.now_ms();
            self.refuse(now_ms, Some(id), Some(Method::CallTool.name()), &refusal, out);
        }
    }

    /// Nobody hears of anything any more.
    pub(super) fn drop_held(&mut self) {
        for Waiting { held, .. } in std::mem::take(&mut self.held.waiting).into_values() {
            self.gateway.withdraw(*held, None);
        }
        self.held.heard.close();
        while let Ok((_, arrived)) = self.held.heard.try_recv() {
            self.gateway.nobody_waits(arrived);
        }
    }
}

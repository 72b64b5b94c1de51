//! Calls that wait for a reference price, and the requests of the gateway's own that fetch it.
//!
//! ```text
//!  client ─▶ order ─▶ which prices are missing? ─▶ tools/call of the gateway's own ─▶ server
//!                          └ waits                        answer ─▶ Guard::tell_price ─▶ the order is judged
//! ```
//!
//! What the gateway asks for itself never reaches the client and is charged to nobody. There is at most one such request
//! for each price, and each is given up after [`GatewayLimits::price_wait_ms`](crate::GatewayLimits::price_wait_ms): the
//! order is then judged without the price, which denies it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mcp_policy::PriceRequest;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::denial::Shape;
use super::listed::Trust;
use super::methods::Method;
use super::{Lane, Outbox, Session, catalogue};
use crate::wire::{Refusal, RequestId, answer, reply};

type Params = Map<String, Value>;

/// What a request of the stateless era carries in its `_meta`; nothing else of a client's `_meta` is taken over, or the
/// server would report progress on what the client never asked for.
const PROTOCOL_META: &str = "io.modelcontextprotocol/";

/// What is being fetched and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Priced {
    /// By the id toward the server.
    fetches: BTreeMap<u64, Fetch>,
    /// In the order in which they came.
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Fetch {
    request: PriceRequest,
    asked_ms: u64,
}

/// A call that is judged once its prices are told.
#[derive(Debug)]
struct Waiting {
    id: RequestId,
    /// Where its answer goes.
    lane: Lane,
    params: Params,
    shape: Shape,
    fetches: BTreeSet<u64>,
}

impl Waiting {
    fn is(&self, lane: Lane, client_id: &RequestId) -> bool {
        self.lane.ids() == lane.ids() && self.id == *client_id
    }
}

impl Priced {
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn contains(&self, lane: Lane, client_id: &RequestId) -> bool {
        self.waiting.iter().any(|waiting| waiting.is(lane, client_id))
    }

    /// The call that the client no longer waits for. What is fetched for it stays of use.
    pub(super) fn cancel(&mut self, lane: Lane, client_id: &RequestId) -> Option<(RequestId, Params)> {
        self.take(|waiting| waiting.is(lane, client_id))
    }

    /// The call of a lane that nobody listens to any more.
    #[cfg(feature = "http")]
    pub(super) fn cancel_lane(&mut self, lane: Lane) -> Option<(RequestId, Params)> {
        self.take(|waiting| waiting.lane == lane)
    }

    fn take(&mut self, which: impl Fn(&Waiting) -> bool) -> Option<(RequestId, Params)> {
        let place = self.waiting.iter().position(which)?;
        self.waiting.remove(place).map(|waiting| (waiting.id, waiting.params))
    }
}

/// What a request of the gateway's own takes over of a client's: the `_meta` of the stateless era, where there is one.
pub(super) fn protocol_meta(of: &Params) -> Option<(String, Value)> {
    let meta = of.get("_meta").and_then(Value::as_object).into_iter().flatten();
    let meta: Params = meta
        .filter(|(key, _)| key.starts_with(PROTOCOL_META))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    (!meta.is_empty()).then(|| ("_meta".to_owned(), Value::Object(meta)))
}

impl Session {
    /// Lets a call wait for the prices that it cannot be judged without. Hands it back if it wants none that could be
    /// fetched.
    pub(super) fn wait_for_prices(
        &mut self,
        now_ms: u64,
        wanted: Vec<PriceRequest>,
        (id, params, shape): (RequestId, Params, Shape),
        out: &mut Outbox,
    ) -> Option<(RequestId, Params, Shape)> {
        let mut fetches = BTreeSet::new();
        for request in wanted {
            let under_way = self.priced.fetches.iter().find(|(_, fetch)| fetch.request == request);
            if let Some((fetch, _)) = under_way {
                fetches.insert(*fetch);
            } else if self.gateway.pins().is_some() && !matches!(self.listed.trust(&request.tool), Trust::Pinned) {
                tracing::warn!(tool = request.tool, "a tool that is not what was pinned is not asked for a price");
                self.gateway.price_told(&request, None, now_ms);
            } else {
                fetches.insert(self.fetch(now_ms, request, &params, out));
            }
        }
        if fetches.is_empty() {
            return Some((id, params, shape));
        }
        self.priced.waiting.push_back(Waiting { id, lane: self.lane, params, shape, fetches });
        None
    }

    /// Asks the server for a price.
    fn fetch(&mut self, now_ms: u64, request: PriceRequest, of: &Params, out: &mut Outbox) -> u64 {
        let mut params = Params::new();
        params.insert("name".to_owned(), json!(request.tool));
        params.insert("arguments".to_owned(), Value::Object(request.arguments()));
        params.extend(protocol_meta(of));
        catalogue::trim_client_capabilities(&mut params, &self.gateway, &self.identity);
        let id = self.in_flight.next_id();
        reply::push_message(out.to_upstream.tail(), Some(id), Method::CallTool.name(), Some(&params));
        self.priced.fetches.insert(id, Fetch { request, asked_ms: now_ms });
        id
    }

    /// Takes the server's answer to a request of the gateway's own: `None` for an error, or one that cannot be read.
    /// Whether the request was one.
    pub(super) fn price_answered(&mut self, id: u64, result: Option<&RawValue>, out: &mut Outbox) -> bool {
        let Some(fetch) = self.priced.fetches.remove(&id) else { return false };
        let succeeded = result
            .filter(|result| answer::call_outcome(result).is_ok_and(|outcome| outcome.complete && !outcome.failed));
        let value = succeeded.and_then(answer::call_value);
        self.gateway.price_told(&fetch.request, value.as_ref(), fetch.asked_ms);
        self.judge_waiting(id, out);
        true
    }

    /// Judges those that waited for nothing but this.
    fn judge_waiting(&mut self, fetch: u64, out: &mut Outbox) {
        let mut still = VecDeque::with_capacity(self.priced.waiting.len());
        let mut ready = Vec::new();
        for mut waiting in std::mem::take(&mut self.priced.waiting) {
            waiting.fetches.remove(&fetch);
            if waiting.fetches.is_empty() { ready.push(waiting) } else { still.push_back(waiting) }
        }
        self.priced.waiting = still;
        for Waiting { id, lane, params, shape, .. } in ready {
            self.lane = lane;
            let now_ms = self.gateway.now_ms();
            match self.unready() {
                None => self.rule(now_ms, id, params, shape, out),
                Some(refusal) => self.refuse_call(now_ms, id, &refusal, out),
            }
        }
    }

    /// When [`Session::on_time`] is to be called at the latest, by the gateway's clock. There may be nothing to wait for.
    pub fn next_deadline(&self) -> Option<u64> {
        let patience = self.gateway.limits().price_wait_ms;
        let fetches = self.priced.fetches.values().map(|fetch| fetch.asked_ms.saturating_add(patience));
        fetches.chain(self.kept.deadline()).min()
    }

    /// Gives up what was asked for too long ago.
    pub fn on_time(&mut self, now_ms: u64, out: &mut Outbox) {
        self.kept.on_time(now_ms);
        let patience = self.gateway.limits().price_wait_ms;
        let late = |fetch: &Fetch| fetch.asked_ms.saturating_add(patience) <= now_ms;
        let given_up: Vec<u64> =
            self.priced.fetches.iter().filter(|(_, fetch)| late(fetch)).map(|(id, _)| *id).collect();
        for id in given_up {
            self.price_answered(id, None, out);
        }
    }

    /// The server is gone: so is what would have told a price.
    pub(super) fn prices_lost(&mut self, out: &mut Outbox) {
        self.priced.fetches.clear();
        let refusal = self.unready().unwrap_or(Refusal::ServerGone);
        for waiting in std::mem::take(&mut self.priced.waiting) {
            self.lane = waiting.lane;
            self.refuse_call(self.gateway.now_ms(), waiting.id, &refusal, out);
        }
    }

    fn refuse_call(&mut self, now_ms: u64, id: RequestId, refusal: &Refusal, out: &mut Outbox) {
        self.refuse(now_ms, Some(id), Some(Method::CallTool.name()), refusal, out);
    }
}

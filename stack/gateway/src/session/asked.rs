//! Requests of the server that the client is asked, under ids of the gateway's own.
//!
//! ```text
//!  client ◀─ request 7 ◀─ sampling/createMessage "mine" ◀─ server
//!  client ─▶ result 7 ──▶ result "mine" ──────────────────▶ server
//! ```
//!
//! The client never sees a server's id and the server never one of another session, so that no answer reaches anybody
//! but whoever asked.

use std::borrow::Cow;
use std::collections::BTreeMap;

use mcp_policy::{Message, Sender};
use rmcp::model::ErrorCode;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{Outbox, Session, Upstream, methods};
use crate::messages::{Judged, Note};
use crate::wire::envelope::Reply;
use crate::wire::text::shown;
use crate::wire::{Members, Refusal, RequestId, reply};

/// How many requests of a server wait for its client at once. Nobody can look at more of them.
const WAITING_MAX: usize = 64;

/// The kinds of notifications of which a refusal is put on record once in a session: a server may send any number.
const KINDS_MAX: usize = 64;

/// A request that waits for the client's answer.
#[derive(Debug)]
struct Waiting {
    /// The id by which the server knows it.
    id: RequestId,
    /// Under what the server wants to hear of its progress.
    progress: Option<Box<RawValue>>,
}

/// The requests of the server that wait, by the id toward the client.
#[derive(Debug, Default)]
pub(super) struct Asked {
    last_id: u64,
    waiting: BTreeMap<u64, Waiting>,
    /// Notifications of which a refusal is on record.
    refused: std::collections::BTreeSet<String>,
    /// Nobody can be asked any more.
    pub(super) nobody: bool,
}

impl Asked {
    fn by_server(&self, id: &RequestId) -> Option<u64> {
        self.waiting.iter().find(|(_, waiting)| waiting.id == *id).map(|(id, _)| *id)
    }

    fn note(&mut self, method: &str) -> Note {
        let is_new = self.refused.len() < KINDS_MAX && self.refused.insert(shown(method));
        if is_new { Note::Denial } else { Note::Nothing }
    }
}

impl Session {
    /// Asks the client what the server wants to know, if the policy lets it. A ping asks whether the other end is alive,
    /// and the other end is the gateway.
    pub(super) fn request_from_server(
        &mut self,
        id: &RequestId,
        method: &str,
        params: Option<&RawValue>,
        out: &mut Outbox,
    ) {
        // A server that asks without reading the answers must not grow the queue.
        if out.to_upstream.pending().len() >= self.gateway.limits().backlog_bytes {
            return self.drop_from_server("a request of a server that does not read");
        }
        if method == "ping" {
            return reply::push_result(out.to_upstream.tail(), id, &json!({}));
        }
        let message = Message { sender: Sender::Server, method, names: None };
        let judged = self.gateway.judge_message(&self.identity, self.gateway.now_ms(), Some(id), &message, Note::Both);
        let refusal = match (judged, methods::server_request(method)) {
            (Judged::Refused(refusal), _) => refusal,
            (Judged::Passes, Some(method)) if !self.shared && !self.asked.nobody => {
                match self.ask_client(id, method, params, out) {
                    Ok(()) => return,
                    Err(refusal) => refusal,
                }
            }
            (Judged::Unruled | Judged::Passes, _) => Refusal::MethodRefused { method: shown(method) },
        };
        reply::push_refusal(out.to_upstream.tail(), Some(id), &refusal);
        self.drop_from_server("a request to the client");
    }

    fn ask_client(
        &mut self,
        id: &RequestId,
        method: &str,
        params: Option<&RawValue>,
        out: &mut Outbox,
    ) -> Result<(), Refusal> {
        if self.asked.by_server(id).is_some() {
            return Err(Refusal::IdInFlight { id: id.clone() });
        }
        if self.asked.waiting.len() >= WAITING_MAX {
            return Err(Refusal::TooManyInFlight { limit: WAITING_MAX });
        }
        self.asked.last_id += 1;
        let ours = self.asked.last_id;
        let (params, progress) = match params.map(|params| renamed(params, ours)).transpose() {
            Ok(Some((params, progress))) => (Some(params), progress),
            Ok(None) => (None, None),
            Err(_) => return Err(Refusal::BadMeta),
        };
        self.asked.waiting.insert(ours, Waiting { id: id.clone(), progress });
        reply::push_raw_request(out.to_client.tail(), ours, method, params.as_deref());
        Ok(())
    }

    /// Takes the client's answer to a request of the server's.
    pub(super) fn answer_from_client(&mut self, now_ms: u64, id: &RequestId, answer: Reply, out: &mut Outbox) {
        let ours = match id {
            RequestId::Number(number) => u64::try_from(*number).ok(),
            RequestId::Text(_) => None,
        };
        let Some(waiting) = ours.and_then(|ours| self.asked.waiting.remove(&ours)) else {
            return self.refuse(now_ms, Some(id.clone()), None, &Refusal::UnaskedResponse, out);
        };
        if self.upstream == Upstream::Gone {
            return;
        }
        let to_server = out.to_upstream.tail();
        match answer {
            Reply::Result(result) => reply::push_result(to_server, &waiting.id, &result),
            Reply::Error(error) => reply::push_error(to_server, Some(&waiting.id), &error),
            Reply::Malformed => {
                cannot(to_server, &waiting.id, "bad_answer", "the client's answer cannot be read");
                self.refuse(now_ms, Some(id.clone()), None, &Refusal::MalformedResponse, out);
            }
        }
    }

    /// The server no longer waits for an answer of the client's.
    pub(super) fn cancel_from_server(&mut self, params: Option<&RawValue>, out: &mut Outbox) {
        let told = params.and_then(|params| {
            let mut members: Members<'_> = serde_json::from_str(params.get()).ok()?;
            let named = members.get_mut("requestId")?;
            let id = RequestId::from_value(&serde_json::from_str::<Value>(named.get()).ok()?)?;
            let ours = self.asked.by_server(&id)?;
            *named = Cow::Owned(serde_json::value::to_raw_value(&ours).ok()?);
            let params = serde_json::value::to_raw_value(&members).ok()?;
            // An answer that is under way all the same is one that nobody asked for.
            self.asked.waiting.remove(&ours);
            reply::push_raw_notification(out.to_client.tail(), methods::CANCELLED, Some(&params));
            Some(())
        });
        if told.is_none() {
            self.drop_from_server("a cancellation of no request in flight");
        }
    }

    /// The client tells how far a request of the server's has come.
    pub(super) fn progress_from_client(&self, params: Option<Map<String, Value>>, out: &mut Outbox) -> Option<()> {
        let mut params = params?;
        let token = params.get_mut("progressToken")?;
        let waiting = self.asked.waiting.get(&token.as_u64()?)?;
        *token = serde_json::from_str(waiting.progress.as_ref()?.get()).ok()?;
        reply::push_message(out.to_upstream.tail(), None, methods::PROGRESS, Some(&params));
        Some(())
    }

    /// Whether a notification of the server's passes, by the policy or, if that rules nothing but tools, as ever.
    pub(super) fn notification_passes(&mut self, method: &str, params: Option<&RawValue>) -> bool {
        #[derive(serde::Deserialize)]
        struct Updated {
            uri: String,
        }
        let updated = params
            .filter(|_| method == methods::RESOURCE_UPDATED)
            .and_then(|params| serde_json::from_str::<Updated>(params.get()).ok());
        let names = updated.as_ref().map(|updated| updated.uri.as_str());
        let message = Message { sender: Sender::Server, method, names };
        // Asked without a record first: most pass.
        match self.gateway.judge_message(&self.identity, self.gateway.now_ms(), None, &message, Note::Nothing) {
            Judged::Unruled => methods::server_notification_passes(method) || method == methods::PROGRESS,
            Judged::Passes => {
                matches!(method, methods::PROGRESS | methods::CANCELLED) || methods::is_server_notification(method)
            }
            Judged::Refused(_) => {
                let note = self.asked.note(method);
                self.gateway.judge_message(&self.identity, self.gateway.now_ms(), None, &message, note);
                false
            }
        }
    }

    /// The server is gone, and what it asked with it: the client need not answer any more.
    pub(super) fn server_asks_no_more(&mut self, out: &mut Outbox) {
        for ours in std::mem::take(&mut self.asked.waiting).into_keys() {
            let params = json!({"requestId": ours, "reason": "the server was lost"});
            reply::push_message(out.to_client.tail(), None, methods::CANCELLED, params.as_object());
        }
    }

    /// The client sends no more: whoever waits for its answers need not.
    pub fn client_left(&mut self, out: &mut Outbox) {
        self.asked.nobody = true;
        for waiting in std::mem::take(&mut self.asked.waiting).into_values() {
            if self.upstream != Upstream::Gone {
                cannot(out.to_upstream.tail(), &waiting.id, "client_gone", "the client is gone");
            }
        }
    }

    /// A request of the server's did not reach the client.
    pub(crate) fn not_asked(&mut self, ours: u64, out: &mut Outbox) {
        if let Some(waiting) = self.asked.waiting.remove(&ours) {
            cannot(out.to_upstream.tail(), &waiting.id, "client_slow", "the client does not take the request");
        }
    }
}

fn cannot(out: &mut Vec<u8>, id: &RequestId, reason: &str, message: &str) {
    let error = reply::gateway_error(ErrorCode::INTERNAL_ERROR, reason, message.to_owned());
    reply::push_error(out, Some(id), &error);
}

/// The same params with the gateway's own token for progress, and the server's, if there is one.
fn renamed(params: &RawValue, ours: u64) -> Result<(Cow<'_, RawValue>, Option<Box<RawValue>>), serde_json::Error> {
    let mut members: Members<'_> = serde_json::from_str(params.get())?;
    let Some(meta) = members.get_mut("_meta") else { return Ok((Cow::Borrowed(params), None)) };
    let text = meta.clone().into_owned();
    let mut inner: Members<'_> = serde_json::from_str(text.get())?;
    let Some(token) = inner.get_mut("progressToken") else { return Ok((Cow::Borrowed(params), None)) };
    let theirs = token.clone().into_owned();
    *token = Cow::Owned(serde_json::value::to_raw_value(&ours)?);
    *meta = Cow::Owned(serde_json::value::to_raw_value(&inner)?);
    Ok((Cow::Owned(serde_json::value::to_raw_value(&members)?), Some(theirs)))
}

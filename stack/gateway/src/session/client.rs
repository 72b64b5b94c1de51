//! The way of a client's frame.

use std::borrow::Cow;

use mcp_policy::Sender;
use serde_json::{Map, Value, json};

use super::denial::{self, Shape};
use super::in_flight::{Asked, Pending};
use super::listed::Trust;
use super::methods::{Method, Notification, Ruled};
use super::{Lane, Outbox, Session, Upstream, catalogue};
use crate::gateway::{Case, Ruling};
use crate::messages::{Judged, Note};
use crate::wire::envelope::{self, Message, Refused};
use crate::wire::text::shown;
use crate::wire::{Refusal, RequestId, probe_id, reply};

type Params = Map<String, Value>;

/// How many cancelled requests are remembered until their answer comes.
const CANCELLED_MAX: usize = 1024;

const PROTOCOL_VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

impl Session {
    /// Takes one frame of the client: answers it, forwards it, or both.
    ///
    /// What is forwarded is never the frame but the value that was judged, written anew.
    pub fn from_client(&mut self, frame: &[u8], now_ms: u64, out: &mut Outbox) {
        self.lane = Lane::ONLY;
        #[cfg(feature = "mutants")]
        if self.gateway.mutation() == Some(crate::GatewayMutation::RawBytesForwarded)
            && let Some((value, raw_params)) = crate::mutants::careless(frame)
        {
            self.raw_params = raw_params;
            return self.message(envelope::read(value), now_ms, out);
        }
        let message = envelope::read_bytes(frame, self.gateway.limits().frame_bytes_max);
        self.message(message, now_ms, out);
    }

    /// Takes a message that came by one of several lanes.
    #[cfg(feature = "http")]
    pub(crate) fn in_lane(&mut self, lane: Lane, message: Result<Message, Refused>, now_ms: u64, out: &mut Outbox) {
        self.lane = lane;
        self.message(message, now_ms, out);
    }

    fn message(&mut self, message: Result<Message, Refused>, now_ms: u64, out: &mut Outbox) {
        match message {
            Ok(Message::Request { id, method, params }) => {
                self.request(now_ms, id, &method, params, out);
            }
            Ok(Message::Notification { method, params }) => {
                self.notification(now_ms, &method, params, out);
            }
            Ok(Message::Response { id, answer }) => self.answer_from_client(now_ms, &id, answer, out),
            Err((id, refusal)) => self.refuse(now_ms, id, None, &refusal, out),
        }
    }

    /// Refuses a frame that is longer than the limit; `prefix` is its beginning.
    pub fn oversize_from_client(&mut self, prefix: &[u8], now_ms: u64, out: &mut Outbox) {
        let limit = self.gateway.limits().frame_bytes_max;
        self.refuse(now_ms, probe_id(prefix), None, &Refusal::TooLarge { limit }, out);
    }

    /// The same in a lane.
    #[cfg(feature = "http")]
    pub(crate) fn oversize_in_lane(&mut self, lane: Lane, prefix: &[u8], now_ms: u64, out: &mut Outbox) {
        self.lane = lane;
        self.oversize_from_client(prefix, now_ms, out);
    }

    /// Refuses a last line that was cut off by the end of the stream.
    pub fn unfinished_from_client(&mut self, now_ms: u64, out: &mut Outbox) {
        self.refuse(now_ms, None, None, &Refusal::Incomplete, out);
    }

    fn request(&mut self, now_ms: u64, id: RequestId, name: &str, params: Option<Params>, out: &mut Outbox) {
        let admitted = self.admit_request(&id, name, params.as_ref());
        let method = match admitted {
            Ok(method) => method,
            // A policy that rules methods has the last word on those that nobody knows, too.
            Err(Refusal::MethodRefused { method }) => {
                let message = mcp_policy::Message { sender: Sender::Client, method: name, names: None };
                match self.gateway.judge_message(&self.identity, now_ms, Some(&id), &message, Note::Denial) {
                    Judged::Refused(refusal) => return self.answer_denied(&id, &refusal, out),
                    Judged::Unruled | Judged::Passes => {
                        return self.refuse(now_ms, Some(id), Some(name), &Refusal::MethodRefused { method }, out);
                    }
                }
            }
            Err(refusal) => return self.refuse(now_ms, Some(id), Some(name), &refusal, out),
        };
        let asked = match method {
            Method::CallTool => return self.call(now_ms, id, params, out),
            Method::Initialize => Asked::Initialize(params.clone().unwrap_or_default()),
            Method::Discover => Asked::Capabilities,
            Method::ListTools => {
                self.kept.lists(params.as_ref());
                Asked::Tools
            }
            Method::Ping => Asked::Plain,
            Method::Ruled(ruled) => match self.rule_message(now_ms, &id, ruled, params.as_ref()) {
                Judged::Passes if ruled.lists.is_some() => Asked::List(ruled),
                Judged::Passes if ruled.for_connection => Asked::Setting(ruled, params.clone().unwrap_or_default()),
                Judged::Passes => Asked::Plain,
                Judged::Refused(refusal) => return self.answer_denied(&id, &refusal, out),
                Judged::Unruled => {
                    let refusal = Refusal::MethodRefused { method: shown(name) };
                    return self.refuse(now_ms, Some(id), Some(name), &refusal, out);
                }
            },
        };
        self.forward(id, method, params, asked, Shape::default(), out);
    }

    /// Asks the policy about a request that is no call.
    fn rule_message(&self, now_ms: u64, id: &RequestId, ruled: Ruled, params: Option<&Params>) -> Judged {
        if self.shared && ruled.for_connection {
            return Judged::Unruled;
        }
        let message = mcp_policy::Message { sender: Sender::Client, method: ruled.name, names: ruled.names(params) };
        self.gateway.judge_message(&self.identity, now_ms, Some(id), &message, Note::Both)
    }

    /// Tells a client that its request does not pass; that it does not is on record.
    fn answer_denied(&mut self, id: &RequestId, refusal: &Refusal, out: &mut Outbox) {
        self.summary.refused_frames += 1;
        out.tell(self.lane, |out| reply::push_refusal(out, Some(id), refusal));
    }

    /// Whether a request that is waited for has that id.
    fn is_taken(&self, id: &RequestId) -> bool {
        self.in_flight.contains(self.lane, id)
            || self.priced.contains(self.lane, id)
            || self.held.contains(self.lane, id)
    }

    /// Whether a request may be looked at: its id is free, its method known, and there is room.
    fn admit_request(&self, id: &RequestId, name: &str, params: Option<&Params>) -> Result<Method, Refusal> {
        if self.is_taken(id) {
            return Err(Refusal::IdInFlight { id: id.clone() });
        }
        let Some(method) = Method::named(name) else {
            return Err(match Notification::named(name) {
                Some(notification) => Refusal::UnwantedId { method: notification.name() },
                None => Refusal::MethodRefused { method: shown(name) },
            });
        };
        check_meta(params)?;
        if let Method::Ruled(_) = method {
            check_carried(params)?;
        }
        if let Some(refusal) = self.unready() {
            return Err(refusal);
        }
        let limit = self.gateway.limits().in_flight_max;
        if self.waited_for() >= limit {
            return Err(Refusal::TooManyInFlight { limit });
        }
        Ok(method)
    }

    fn call(&mut self, now_ms: u64, id: RequestId, params: Option<Params>, out: &mut Outbox) {
        let params = params.unwrap_or_default();
        let (tool, arguments) = match read_call(&params) {
            Ok(call) => call,
            Err(refusal) => {
                let method = Some(Method::CallTool.name());
                return self.refuse(now_ms, Some(id), method, &refusal, out);
            }
        };
        self.summary.calls += 1;
        let shape =
            Shape { stateless: is_stateless(&params), has_output_schema: self.with_output_schema.contains(tool) };
        #[cfg(feature = "mutants")]
        if self.gateway.mutation() == Some(crate::GatewayMutation::ListFilteredCallsOpen) {
            return self.forward(id, Method::CallTool, Some(params), Asked::Plain, shape, out);
        }
        let (identity, desk) = (&self.identity, &self.held.desk);
        let case = Case { identity, id: &id, tool, arguments: &arguments, now_ms, desk };
        let wanted = if self.distrust(tool).is_none() { self.gateway.prices_wanted(&case) } else { Vec::new() };
        drop(arguments);
        if let Some((id, params, shape)) = self.wait_for_prices(now_ms, wanted, (id, params, shape), out) {
            self.rule(now_ms, id, params, shape, out);
        }
    }

    /// Judges a call, and forwards or answers it.
    pub(super) fn rule(&mut self, now_ms: u64, id: RequestId, params: Params, shape: Shape, out: &mut Outbox) {
        let (tool, arguments) = match read_call(&params) {
            Ok(call) => call,
            Err(refusal) => return self.refuse(now_ms, Some(id), Some(Method::CallTool.name()), &refusal, out),
        };
        let (identity, desk) = (&self.identity, &self.held.desk);
        let case = Case { identity, id: &id, tool, arguments: &arguments, now_ms, desk };
        let ruling = match self.distrust(tool) {
            None => self.gateway.judge(&case),
            Some((reason, message)) => self.gateway.deny(&case, reason, message),
        };
        drop(arguments);
        self.follow(ruling, id, params, shape, out);
    }

    /// Forwards a call, answers it, or lets it wait.
    pub(super) fn follow(&mut self, ruling: Ruling, id: RequestId, params: Params, shape: Shape, out: &mut Outbox) {
        let told = match ruling {
            Ruling::Wait(token, held) => return self.hold(token, held, id, params, shape),
            Ruling::Forward(ticket) => {
                self.summary.allowed += 1;
                let asked = Asked::Call(ticket);
                return self.forward(id, Method::CallTool, Some(params), asked, shape, out);
            }
            Ruling::Deny(told) => {
                self.summary.denied += 1;
                told
            }
            Ruling::Escalate(told) => {
                self.summary.escalated += 1;
                told
            }
        };
        out.tell(self.lane, |out| reply::push_result(out, &id, &denial::denied(&told, shape)));
    }

    /// Why a tool that the policy knows may not be called all the same, if there are pins and it does not fit them.
    fn distrust(&self, tool: &str) -> Option<(&'static str, &'static str)> {
        self.gateway.pins().filter(|_| !self.gateway.shared.seam.ignores_pins())?;
        // What the policy hides is answered as ever, so that pins tell nobody which tools there are.
        if self.gateway.visible(&self.identity, [tool].into_iter()) != [true] {
            return None;
        }
        match self.listed.trust(tool) {
            Trust::Pinned => None,
            Trust::Quarantined => {
                Some(("tool_quarantined", "the server describes this tool in another way than when it was pinned"))
            }
            Trust::Unseen => {
                Some(("tool_unverified", "this tool was not listed yet: send `tools/list`, then call again"))
            }
        }
    }

    fn forward(
        &mut self,
        client_id: RequestId,
        method: Method,
        mut params: Option<Params>,
        asked: Asked,
        shape: Shape,
        out: &mut Outbox,
    ) {
        if let Some(params) = &mut params {
            catalogue::trim_client_capabilities(params, &self.gateway, &self.identity);
        }
        let starts_at = out.to_upstream.position();
        let lane = self.lane;
        let progress = progress_token(params.as_mut()).map(Value::take);
        let asks_progress = progress.is_some();
        let id = self.in_flight.add(Pending { client_id, lane, asked, starts_at, progress, cancelled: false, shape });
        if asks_progress && let Some(token) = progress_token(params.as_mut()) {
            *token = json!(id);
        }
        #[cfg(feature = "mutants")]
        if let Some(raw) = self.raw_params.take() {
            return reply::push_careless_request(out.to_upstream.tail(), id, method.name(), &raw);
        }
        reply::push_message(out.to_upstream.tail(), Some(id), method.name(), params.as_ref());
    }

    fn notification(&mut self, now_ms: u64, name: &str, params: Option<Params>, out: &mut Outbox) {
        if Notification::named(name) == Some(Notification::Initialized) {
            self.kept.initialized(params.as_ref());
        }
        let refusal = match (Notification::named(name), params) {
            (None, _) => match Method::named(name) {
                Some(method) if !matches!(method, Method::Ruled(_)) => Refusal::MissingId { method: method.name() },
                _ => Refusal::NotificationRefused { method: shown(name) },
            },
            // A notification that a stalled server does not take is lost, as it may be.
            (Some(_), _) if self.upstream != Upstream::Reading => return,
            (Some(ruled @ (Notification::Progress | Notification::RootsChanged)), params) => {
                match self.ruled_notification(now_ms, ruled, params, out) {
                    Ok(()) => return,
                    Err(refusal) => refusal,
                }
            }
            (Some(Notification::Initialized), params) => {
                let out = out.to_upstream.tail();
                return reply::push_message(out, None, name, params.as_ref());
            }
            (Some(Notification::Cancelled), params) => match self.cancel(params.unwrap_or_default(), out) {
                Ok(()) => return,
                Err(refusal) => refusal,
            },
        };
        self.refuse(now_ms, None, Some(name), &refusal, out);
    }

    /// A notification that passes by the policy's `methods`.
    fn ruled_notification(
        &mut self,
        now_ms: u64,
        ruled: Notification,
        params: Option<Params>,
        out: &mut Outbox,
    ) -> Result<(), Refusal> {
        let method = ruled.name();
        let message = mcp_policy::Message { sender: Sender::Client, method, names: None };
        match self.gateway.judge_message(&self.identity, now_ms, None, &message, Note::Denial) {
            Judged::Passes if ruled == Notification::Progress => {
                self.progress_from_client(params, out).ok_or(Refusal::UnknownProgress)
            }
            Judged::Passes if !self.shared => {
                reply::push_message(out.to_upstream.tail(), None, method, params.as_ref());
                Ok(())
            }
            Judged::Refused(_) => {
                self.summary.refused_frames += 1;
                Ok(())
            }
            Judged::Unruled | Judged::Passes => Err(Refusal::NotificationRefused { method: shown(method) }),
        }
    }

    fn cancel(&mut self, mut params: Params, out: &mut Outbox) -> Result<(), Refusal> {
        let id = params.get("requestId").and_then(RequestId::from_value);
        let waits = id
            .as_ref()
            .and_then(|id| self.priced.cancel(self.lane, id).or_else(|| self.cancel_held(self.lane, Some(id))));
        if let Some((id, params)) = waits {
            self.call_cancelled(&id, &params);
            return Ok(());
        }
        let id = id.and_then(|id| self.in_flight.cancel(self.lane, &id)).ok_or(Refusal::UnknownCancellation)?;
        params.insert("requestId".to_owned(), json!(id));
        self.pass_cancellation(&params, out);
        Ok(())
    }

    /// Nobody waits for the answer of a lane any more: the server is told, and what it answers goes nowhere.
    #[cfg(feature = "http")]
    pub(crate) fn hang_up(&mut self, lane: Lane, out: &mut Outbox) {
        if let Some((id, params)) = self.priced.cancel_lane(lane).or_else(|| self.cancel_held(lane, None)) {
            self.call_cancelled(&id, &params);
        }
        if let Some(id) = self.in_flight.cancel_lane(lane) {
            let mut params = Params::new();
            params.insert("requestId".to_owned(), json!(id));
            self.pass_cancellation(&params, out);
        }
    }

    fn pass_cancellation(&mut self, params: &Params, out: &mut Outbox) {
        let name = Notification::Cancelled.name();
        reply::push_message(out.to_upstream.tail(), None, name, Some(params));
        if let Some(forgotten) = self.in_flight.forget_cancelled(CANCELLED_MAX) {
            let sent = out.to_upstream.sent();
            self.answer_lost(forgotten, sent, out);
        }
    }

    /// Puts on record that a call was withdrawn before it was judged. Nobody waits for an answer.
    fn call_cancelled(&self, id: &RequestId, params: &Params) {
        let Ok((tool, arguments)) = read_call(params) else { return };
        let (identity, desk, now_ms) = (&self.identity, &self.held.desk, self.gateway.now_ms());
        let case = Case { identity, id, tool, arguments: &arguments, now_ms, desk };
        let message = "the client withdrew the call while it waited for a price or a store";
        let _: Ruling = self.gateway.deny(&case, "cancelled", message);
    }

    /// Records and answers a frame that goes no further.
    pub(super) fn refuse(
        &mut self,
        now_ms: u64,
        id: Option<RequestId>,
        method: Option<&str>,
        refusal: &Refusal,
        out: &mut Outbox,
    ) {
        self.summary.refused_frames += 1;
        self.gateway.record_refusal(&self.identity, now_ms, id.as_ref(), method, refusal);
        // Two answers under one id could be taken for each other.
        let id = id.filter(|id| !self.is_taken(id));
        out.tell(self.lane, |out| reply::push_refusal(out, id.as_ref(), refusal));
    }
}

/// The tool and the arguments of a call whose `params` are nothing but a call.
///
/// MCP also defines `task` (2025-11-25), `inputResponses` and `requestState` (2026-07-28). They
/// belong to exchanges of several requests, which this gateway does not carry: to judge a call
/// without them would be to judge half of it.
pub(super) fn read_call(params: &Params) -> Result<(&str, Cow<'_, Params>), Refusal> {
    for member in params.keys() {
        match member.as_str() {
            "name" | "arguments" | "_meta" => {}
            "task" => return Err(Refusal::UncarriedParam { member: "task" }),
            "inputResponses" => return Err(Refusal::UncarriedParam { member: "inputResponses" }),
            "requestState" => return Err(Refusal::UncarriedParam { member: "requestState" }),
            _ => return Err(Refusal::UnknownParam { member: shown(member) }),
        }
    }
    let tool = params.get("name").and_then(Value::as_str).ok_or(Refusal::BadToolName)?;
    match params.get("arguments") {
        None => Ok((tool, Cow::Owned(Params::new()))),
        Some(Value::Object(arguments)) => Ok((tool, Cow::Borrowed(arguments))),
        Some(_) => Err(Refusal::BadArguments),
    }
}

/// Under what the client wants to hear of a request's progress.
fn progress_token(params: Option<&mut Params>) -> Option<&mut Value> {
    params?.get_mut("_meta")?.as_object_mut()?.get_mut("progressToken")
}

/// What belongs to exchanges of several requests is refused, as with calls.
fn check_carried(params: Option<&Params>) -> Result<(), Refusal> {
    let uncarried = ["task", "inputResponses", "requestState"];
    match uncarried.into_iter().find(|member| params.is_some_and(|params| params.contains_key(*member))) {
        None => Ok(()),
        Some(member) => Err(Refusal::UncarriedParam { member }),
    }
}

fn check_meta(params: Option<&Params>) -> Result<(), Refusal> {
    match params.and_then(|params| params.get("_meta")) {
        None | Some(Value::Object(_)) => Ok(()),
        Some(_) => Err(Refusal::BadMeta),
    }
}

/// Whether a request names a version of the stateless era. Versions are dates and compare as such.
fn is_stateless(params: &Params) -> bool {
    let version = params.get("_meta").and_then(|meta| meta.get(PROTOCOL_VERSION_KEY));
    version.and_then(Value::as_str).is_some_and(|version| version >= "2026-07-28")
}

//! The way of a server's frame.

use std::borrow::Cow;

use mcp_policy::{Outcome, Settlement};
use rmcp::model::{ErrorCode, ErrorData};
use serde_json::value::RawValue;

use super::denial::{self, Lost};
use super::in_flight::{Asked, Pending};
use super::{Outbox, Session, catalogue, methods};
use crate::gateway::Answered;
use crate::results::{self, Handled};
use crate::wire::answer::{self, Answer};
use crate::wire::text::shown;
use crate::wire::{Members, RequestId, probe_id, reply};

impl Session {
    /// Takes one frame of the server: passes it on, or answers or drops it.
    pub fn from_upstream(&mut self, frame: &[u8], out: &mut Outbox) {
        match answer::read(frame) {
            Ok(Answer::Result { id, result }) => match self.in_flight.take(id) {
                Some(pending) => self.result(pending, result, out),
                None if self.price_answered(id, Some(result), out) || self.replay_answered(id, Some(result), out) => {}
                None => self.drop_from_server("a response to no request in flight"),
            },
            Ok(Answer::Error { id, error }) => match self.in_flight.take(id) {
                Some(pending) => self.error(pending, &error, out),
                None if self.price_answered(id, None, out) || self.replay_answered(id, None, out) => {}
                None => self.drop_from_server("an error for no request in flight"),
            },
            Ok(Answer::LooseError { error }) => {
                tracing::warn!(code = error.code.0, message = %shown(&error.message), "the server reports an error");
                self.drop_from_server("an error about no request");
            }
            Ok(Answer::Request { id, method, params }) => self.request_from_server(&id, &method, params, out),
            Ok(Answer::Notification { method, params }) => {
                if method == methods::TOOLS_CHANGED {
                    self.listed.changed();
                }
                if !self.notification_passes(&method, params) {
                    return self.drop_from_server("a notification that is not carried");
                }
                match method.as_str() {
                    methods::PROGRESS => self.progress(params, out),
                    methods::CANCELLED => self.cancel_from_server(params, out),
                    _ => reply::push_raw_notification(out.to_client.tail(), &method, params),
                }
            }
            Err(bad) => {
                tracing::warn!(%bad, "a malformed frame of the server was not passed on");
                self.bad_answer(frame, out);
            }
        }
    }

    /// Takes note of a frame that is longer than the limit; `prefix` is its beginning.
    pub fn oversize_from_upstream(&mut self, prefix: &[u8], out: &mut Outbox) {
        tracing::warn!("a frame of the server is longer than the limit and was not passed on");
        self.bad_answer(prefix, out);
    }

    /// News of a request goes to whoever waits for it, under the token that its client gave it, and to nobody else.
    fn progress(&mut self, params: Option<&RawValue>, out: &mut Outbox) {
        let members = params.and_then(|params| serde_json::from_str::<Members<'_>>(params.get()).ok());
        let told = members.and_then(|mut members| {
            let token = members.get_mut("progressToken")?;
            let (lane, original) = self.in_flight.in_progress(token.get().parse().ok()?)?;
            *token = Cow::Owned(serde_json::value::to_raw_value(original).ok()?);
            let params = serde_json::value::to_raw_value(&members).ok()?;
            out.tell(lane, |client| reply::push_raw_notification(client, methods::PROGRESS, Some(&params)));
            Some(())
        });
        if told.is_none() {
            self.drop_from_server("progress of no request in flight");
        }
    }

    fn result(&mut self, pending: Pending, result: &RawValue, out: &mut Outbox) {
        let (lane, id) = (pending.lane, &pending.client_id);
        self.kept.answered();
        match pending.asked {
            Asked::Call(ticket) => match answer::call_outcome(result) {
                Ok(outcome) if outcome.complete => {
                    let settled = if outcome.failed { Outcome::Failed } else { Outcome::Succeeded };
                    // Most calls teach the guard nothing, and then their results are not taken apart.
                    let value = if ticket.wants_value() { answer::call_value(result) } else { None };
                    let settlement = Settlement::new(settled);
                    let settlement = value.as_ref().map_or(settlement, |value| settlement.with_value(value));
                    let handled = ticket.results().map_or(Handled::Untouched, |rules| results::handle(&rules, result));
                    let answered = Answered { result: handled.name(), ..Answered::default() };
                    self.gateway.settle(&self.identity, ticket, settlement, answered);
                    match handled {
                        Handled::Untouched => out.tell(lane, |client| reply::push_raw_result(client, id, result)),
                        Handled::Changed { result, .. } => {
                            out.tell(lane, |client| reply::push_result(client, id, &result));
                        }
                        Handled::Withheld { reason, message } => {
                            let result = denial::withheld(reason, &message, outcome.failed, pending.shape);
                            out.tell(lane, |client| reply::push_result(client, id, &result));
                        }
                    }
                }
                // An incomplete result asks the client for something, like the requests that do
                // not pass; what the call did up to there nobody knows.
                _ => {
                    let pending = Pending { asked: Asked::Call(ticket), ..pending };
                    self.answer_bad(pending, out);
                }
            },
            Asked::Tools => {
                let (gateway, identity) = (&self.gateway, &self.identity);
                match catalogue::filter_tools(result, gateway, identity, &mut self.with_output_schema, &mut self.listed)
                {
                    Ok(filtered) => out.tell(lane, |client| reply::push_members(client, id, &filtered)),
                    Err(error) => {
                        tracing::warn!(%error, "a list of tools cannot be read and was not passed on");
                        self.answer_bad(pending, out);
                    }
                }
            }
            // Such a result asks the client for something, like requests that the policy would have to let through.
            Asked::Plain | Asked::List(_) | Asked::Setting(..) if !answer::is_complete(result) => {
                self.answer_bad(pending, out);
            }
            Asked::List(ruled) => match catalogue::filter_named(result, ruled, &self.gateway, &self.identity) {
                Ok(filtered) => out.tell(lane, |client| reply::push_members(client, id, &filtered)),
                Err(error) => {
                    tracing::warn!(%error, "a list cannot be read and was not passed on");
                    self.answer_bad(pending, out);
                }
            },
            Asked::Initialize(_) | Asked::Capabilities => {
                match catalogue::trim_server_capabilities(result, &self.gateway, &self.identity) {
                    Ok(trimmed) => {
                        if let Asked::Initialize(params) = pending.asked {
                            self.kept.shook_hands(params, result);
                        }
                        out.tell(lane, |client| reply::push_members(client, id, &trimmed));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a handshake cannot be read and was not passed on");
                        self.answer_bad(pending, out);
                    }
                }
            }
            Asked::Setting(ruled, params) => {
                self.kept.set(ruled, params);
                out.tell(lane, |client| reply::push_raw_result(client, id, result));
            }
            Asked::Plain => out.tell(lane, |client| reply::push_raw_result(client, id, result)),
        }
    }

    /// An error in place of a result, which the policy has the same say in.
    fn error(&mut self, pending: Pending, error: &ErrorData, out: &mut Outbox) {
        let (lane, id) = (pending.lane, &pending.client_id);
        self.kept.answered();
        let Asked::Call(ticket) = pending.asked else {
            return out.tell(lane, |client| reply::push_error(client, Some(id), error));
        };
        let handled = match (ticket.results(), serde_json::value::to_raw_value(error)) {
            (Some(rules), Ok(raw)) => results::handle(&rules, &raw),
            _ => Handled::Untouched,
        };
        let answered = Answered { error_code: Some(error.code.0), result: handled.name() };
        self.gateway.settle(&self.identity, ticket, Outcome::Failed, answered);
        match handled {
            Handled::Untouched => out.tell(lane, |client| reply::push_error(client, Some(id), error)),
            Handled::Changed { result, .. } => out.tell(lane, |client| reply::push_error(client, Some(id), &result)),
            Handled::Withheld { reason, message } => {
                let result = denial::withheld(reason, &message, true, pending.shape);
                out.tell(lane, |client| reply::push_result(client, id, &result));
            }
        }
    }

    /// A frame that cannot be read, or not passed on: if it was the answer to a request, its client
    /// must not wait for ever.
    fn bad_answer(&mut self, frame: &[u8], out: &mut Outbox) {
        let id = match probe_id(frame) {
            Some(RequestId::Number(id)) => u64::try_from(id).ok(),
            _ => None,
        };
        match id.and_then(|id| self.in_flight.take(id)) {
            Some(pending) => self.answer_bad(pending, out),
            None if id.is_some_and(|id| self.price_answered(id, None, out) || self.replay_answered(id, None, out)) => {}
            None => self.drop_from_server("a frame that cannot be read"),
        }
    }

    fn answer_bad(&mut self, pending: Pending, out: &mut Outbox) {
        self.summary.dropped_from_server += 1;
        let (lane, id) = (pending.lane, &pending.client_id);
        if let Asked::Call(ticket) = pending.asked {
            self.summary.unknown_outcomes += 1;
            self.gateway.settle(&self.identity, ticket, Outcome::Unknown, Answered::default());
            let result = denial::lost(Lost::BadAnswer, pending.shape);
            out.tell(lane, |client| reply::push_result(client, id, &result));
            return;
        }
        let message = "the server's answer cannot be read, so it is not passed on".to_owned();
        let error = reply::gateway_error(ErrorCode::INTERNAL_ERROR, "bad_answer", message);
        out.tell(lane, |client| reply::push_error(client, Some(id), &error));
    }

    pub(super) fn drop_from_server(&mut self, what: &'static str) {
        self.summary.dropped_from_server += 1;
        tracing::warn!(session = %shown(&self.identity.session), "dropped from the server: {what}");
    }
}

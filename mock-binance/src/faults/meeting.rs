//! What the faults that meet one request make of it together.

use exchange_engine::Timestamp;

use super::delivery::Delivery;
use super::fault::{Effect, Stage};

/// A request as a fault sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) symbol: Option<&'a str>,
    /// What tells two requests for the same thing from others.
    pub(crate) asks_for: &'a str,
}

/// An error in place of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: i32,
    pub(crate) msg: String,
    pub(crate) retry_after_s: Option<u64>,
}

impl Refusal {
    fn timeout() -> Self {
        Self {
            status: 503,
            code: -1007,
            msg: "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
                .to_owned(),
            retry_after_s: None,
        }
    }
}

/// What happens to one request. Nothing, by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Meeting {
    /// The faults that met it.
    pub(crate) names: Vec<String>,
    pub(crate) refusal: Option<Refusal>,
    /// Whether the exchange never sees it.
    pub(crate) stopped: bool,
    pub(crate) delivery: Delivery,
    skew_ms: i64,
    pub(crate) poison: Vec<(Vec<String>, String)>,
    /// The fault whose memory answers.
    pub(crate) stale: Option<String>,
}

impl Meeting {
    pub(crate) fn add(&mut self, now: Timestamp, name: &str, effect: &Effect) {
        self.names.push(name.to_owned());
        match effect {
            Effect::Latency { ms } => {
                let from = self.delivery.not_before.unwrap_or(now);
                self.delivery.not_before = Some(from.plus_millis(*ms));
            }
            Effect::Error { status, code, msg, stage } => {
                let (status, code, msg) = (*status, *code, msg.clone());
                self.refuse(Refusal { status, code, msg, retry_after_s: None }, *stage);
            }
            Effect::Timeout { stage } => self.refuse(Refusal::timeout(), *stage),
            Effect::TooManyRequests { retry_after_s } => self.refuse(
                Refusal {
                    status: 429,
                    code: -1003,
                    msg: "Too many requests queued.".to_owned(),
                    retry_after_s: Some(*retry_after_s),
                },
                Stage::Before,
            ),
            Effect::Banned { retry_after_s } => {
                let until = now.as_millis().saturating_add(retry_after_s.saturating_mul(1000));
                let msg = format!(
                    "Way too much request weight used; IP banned until {until}. Please use WebSocket Streams for live \
                     updates to avoid bans."
                );
                let refusal = Refusal { status: 418, code: -1003, msg, retry_after_s: Some(*retry_after_s) };
                self.refuse(refusal, Stage::Before);
            }
            Effect::Drop { stage } => {
                self.delivery.drop = true;
                self.stopped |= *stage == Stage::Before;
            }
            Effect::Truncate { bytes } => {
                self.delivery.cut.get_or_insert(*bytes);
            }
            Effect::SlowBody { bytes, every_ms } => {
                self.delivery.slow.get_or_insert((*bytes, every_ms.saturating_mul(1000)));
            }
            Effect::ClockSkew { ms } => self.skew_ms = self.skew_ms.saturating_add(*ms),
            Effect::Poison { fields, text } => self.poison.push((fields.clone(), text.clone())),
            Effect::Stale {} => {
                self.stale.get_or_insert_with(|| name.to_owned());
            }
            Effect::Disconnect {} | Effect::Duplicate {} | Effect::Reorder {} => {}
        }
    }

    fn refuse(&mut self, refusal: Refusal, stage: Stage) {
        if self.refusal.is_none() {
            self.stopped |= stage == Stage::Before;
            self.refusal = Some(refusal);
        }
    }

    /// What the server believes the time to be.
    pub(crate) fn server_time(&self, now: Timestamp) -> Timestamp {
        let millis = self.skew_ms.unsigned_abs();
        if self.skew_ms < 0 { now.minus_millis(millis) } else { now.plus_millis(millis) }
    }
}

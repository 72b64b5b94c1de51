//! One request for approval, as a state machine that is told the time.

use std::fmt;

use mcp_policy::canonical_json;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// What an approval would let through.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// The server behind the gateway.
    pub server: String,
    /// Whose call it is.
    pub grant: String,
    /// The tool.
    pub tool: String,
    /// The arguments as canonical JSON (RFC 8785), all of them.
    pub arguments: String,
    /// The digest of the policy that asks.
    pub policy: String,
    /// The pointer of the rule that asks.
    pub rule: String,
    /// The rule's own words.
    pub message: String,
}

/// Longer arguments are not looked at by anybody.
const ARGUMENTS_BYTES_MAX: usize = 64 * 1024;

impl Asked {
    /// The request of `grant` to call `tool` with `arguments`; `None` if they are too long for a person to look at.
    pub fn new(server: &str, grant: &str, tool: &str, arguments: &Map<String, Value>) -> Option<Self> {
        let arguments = canonical_json(&Value::Object(arguments.clone()));
        let own = str::to_owned;
        (arguments.len() <= ARGUMENTS_BYTES_MAX).then(|| Self {
            server: own(server),
            grant: own(grant),
            tool: own(tool),
            arguments,
            policy: String::new(),
            rule: String::new(),
            message: String::new(),
        })
    }

    /// By which policy and which of its rules.
    #[must_use]
    pub fn by(self, policy: &str, rule: &str, message: &str) -> Self {
        Self { policy: policy.to_owned(), rule: rule.to_owned(), message: message.to_owned(), ..self }
    }

    /// What the approval is bound to: SHA-256 in lower-case hex.
    pub fn fingerprint(&self) -> String {
        // One canonical text, so that no part can be mistaken for the end of another.
        let bound = json!([self.server, self.grant, self.tool, self.arguments, self.policy]);
        hex::encode(Sha256::digest(format!("mcp-gateway approval, version 1\0{}", canonical_json(&bound))))
    }
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Nobody has decided.
    Pending,
    /// The call may pass once.
    Approved,
    /// A person said no.
    Denied,
    /// The call has passed.
    Consumed,
    /// Time has run out.
    Expired,
}

impl ApprovalState {
    const ALL: [Self; 5] = [Self::Pending, Self::Approved, Self::Denied, Self::Consumed, Self::Expired];

    /// Its name, as records have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Consumed => "consumed",
            Self::Expired => "expired",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for ApprovalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A request that cannot be decided any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("approval `{id}` is {state}, and only a pending one can be decided: the agent has to ask anew")]
pub struct NotOpen {
    id: String,
    /// What it is.
    pub state: ApprovalState,
}

/// One request with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Approval {
    /// Its name, never given twice.
    pub id: String,
    /// What it would let through.
    pub asked: Asked,
    /// What was last written; time may have run out since: see [`Approval::state_at`].
    pub(super) state: ApprovalState,
    /// When it was asked for first.
    pub asked_ms: u64,
    /// When time runs out: for a decision while it is pending, for the call once it is approved.
    pub expires_ms: u64,
    /// How many equal calls have met it.
    pub times: u64,
    /// Who decided, by their own word.
    pub by: String,
    /// What they had to say.
    pub note: String,
}

impl Approval {
    /// A new request.
    pub fn new(id: String, asked: Asked, now: u64, window_ms: u64) -> Self {
        let expires_ms = now.saturating_add(window_ms);
        let (by, note) = (String::new(), String::new());
        Self { id, asked, state: ApprovalState::Pending, asked_ms: now, expires_ms, times: 1, by, note }
    }

    /// Everything that is known of it, for machines; `state` is what it is now.
    pub fn told(&self, state: ApprovalState) -> serde_json::Value {
        let asked = &self.asked;
        let arguments: serde_json::Value = serde_json::from_str(&asked.arguments).unwrap_or_default();
        serde_json::json!({"id": self.id, "state": state, "server": asked.server, "grant": asked.grant,
            "tool": asked.tool, "arguments": arguments, "policy": asked.policy, "rule": asked.rule,
            "message": asked.message, "asked_ms": self.asked_ms, "expires_ms": self.expires_ms, "times": self.times,
            "by": self.by, "note": self.note})
    }

    /// What it is at `now`: what was not decided or not used in time has expired, whether or not somebody noticed.
    pub fn state_at(&self, now: u64) -> ApprovalState {
        match self.state {
            ApprovalState::Pending | ApprovalState::Approved if now >= self.expires_ms => ApprovalState::Expired,
            state => state,
        }
    }

    /// A person lets the call through, once, within `window_ms` from now.
    ///
    /// # Errors
    /// It is not pending.
    pub fn approve(&mut self, now: u64, window_ms: u64, by: &str, note: &str) -> Result<(), NotOpen> {
        self.decide(ApprovalState::Approved, now, by, note)?;
        self.expires_ms = now.saturating_add(window_ms);
        Ok(())
    }

    /// A person does not let the call through.
    ///
    /// # Errors
    /// It is not pending.
    pub fn deny(&mut self, now: u64, by: &str, note: &str) -> Result<(), NotOpen> {
        self.decide(ApprovalState::Denied, now, by, note)
    }

    fn decide(&mut self, state: ApprovalState, now: u64, by: &str, note: &str) -> Result<(), NotOpen> {
        self.leave(ApprovalState::Pending, state, now)?;
        (self.by, self.note) = (by.to_owned(), note.to_owned());
        Ok(())
    }

    /// The call passes.
    ///
    /// # Errors
    /// It is not approved, or not any more.
    pub fn consume(&mut self, now: u64) -> Result<(), NotOpen> {
        self.leave(ApprovalState::Approved, ApprovalState::Consumed, now)
    }

    /// Notes that time has run out; whether it had not been noted before.
    pub fn expire(&mut self, now: u64) -> bool {
        let expired = self.state_at(now) == ApprovalState::Expired && self.state != ApprovalState::Expired;
        if expired {
            self.state = ApprovalState::Expired;
        }
        expired
    }

    fn leave(&mut self, from: ApprovalState, to: ApprovalState, now: u64) -> Result<(), NotOpen> {
        let state = self.state_at(now);
        if state != from {
            return Err(NotOpen { id: self.id.clone(), state });
        }
        self.state = to;
        Ok(())
    }
}

/// What a call that needs approval meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// Nothing that speaks of it: ask.
    Ask,
    /// A request that nobody has decided.
    Wait,
    /// A person's no.
    Refused,
    /// A person's yes.
    Use,
}

/// What a call meets whose newest request is `newest`.
pub(crate) fn meet(newest: Option<&Approval>, now: u64) -> Meeting {
    let Some(newest) = newest else { return Meeting::Ask };
    match newest.state_at(now) {
        ApprovalState::Pending => Meeting::Wait,
        ApprovalState::Approved => Meeting::Use,
        // Asking again at once would make a no mean nothing; asking never again would make it mean for ever.
        ApprovalState::Denied if now < newest.expires_ms => Meeting::Refused,
        ApprovalState::Denied | ApprovalState::Consumed | ApprovalState::Expired => Meeting::Ask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: u64 = 100;

    fn asked(arguments: &Value) -> Asked {
        let arguments = arguments.as_object().unwrap();
        Asked::new("binance", "desk", "bn_new_order", arguments).unwrap().by("p1", "/r", "m")
    }

    fn request() -> Approval {
        Approval::new("1".into(), asked(&json!({"a": 1})), 1000, WINDOW)
    }

    #[test]
    fn defect_maps_inside_arrays_are_canonical() {
        let one = asked(&json!({"legs": [{"x": 1, "y": [{"p": 1, "q": 2}]}], "b": "2"}));
        let two = asked(&json!({"b": "2", "legs": [{"y": [{"q": 2, "p": 1}], "x": 1}]}));
        assert_eq!(one.fingerprint(), two.fingerprint());
        assert_ne!(
            one.fingerprint(),
            asked(&json!({"b": 2, "legs": [{"x": 1, "y": [{"p": 1, "q": 2}]}]})).fingerprint()
        );
        // Integers that a double cannot tell apart are two calls.
        let big = |n: u64| asked(&json!({ "n": n })).fingerprint();
        assert_ne!(big(9_007_199_254_740_993), big(9_007_199_254_740_992));
    }

    #[test]
    fn whatever_is_another_makes_another_request() {
        let base = asked(&json!({"a": 1}));
        let mut seen = std::collections::BTreeSet::from([base.fingerprint()]);
        let arguments = json!({"a": 1}).as_object().unwrap().clone();
        for (server, grant, tool, policy) in [
            ("other", "desk", "bn_new_order", "p1"),
            ("binance", "other", "bn_new_order", "p1"),
            ("binance", "desk", "other", "p1"),
            ("binance", "desk", "bn_new_order", "p2"),
            ("binance\",\"desk", "", "bn_new_order", "p1"),
        ] {
            let other = Asked::new(server, grant, tool, &arguments).unwrap().by(policy, "/r", "m");
            assert!(seen.insert(other.fingerprint()), "{other:?}");
        }
        // Which rule asked, and in which words, is no part of the call.
        assert_eq!(base.clone().by("p1", "/other", "other").fingerprint(), base.fingerprint());
        let long = json!({"a": "x".repeat(ARGUMENTS_BYTES_MAX)}).as_object().unwrap().clone();
        assert!(Asked::new("s", "g", "t", &long).is_none());
    }

    #[test]
    fn defect_what_is_over_is_never_open_again() {
        for over in [ApprovalState::Denied, ApprovalState::Consumed, ApprovalState::Expired] {
            let mut approval = request();
            approval.state = over;
            for now in [1000, 1099, 1100, 5000] {
                assert_eq!(approval.approve(now, WINDOW, "a", "").unwrap_err().state, over);
                assert_eq!(approval.deny(now, "a", "").unwrap_err().state, over);
                assert_eq!(approval.consume(now).unwrap_err().state, over);
                assert_eq!(approval.state, over);
            }
        }
    }

    #[test]
    fn defect_an_expired_request_is_neither_approved_nor_shown_as_pending() {
        let mut approval = request();
        assert_eq!(approval.state_at(1099), ApprovalState::Pending);
        assert_eq!(approval.state_at(1100), ApprovalState::Expired);
        assert_eq!(approval.approve(1100, WINDOW, "a", "").unwrap_err().state, ApprovalState::Expired);
        assert!(approval.expire(1100) && !approval.expire(1100));
        // A clock that is set back brings nothing back.
        assert_eq!(approval.state_at(1000), ApprovalState::Expired);
        let mut approval = request();
        approval.approve(1050, WINDOW, "a", "").unwrap();
        assert_eq!(approval.state_at(1149), ApprovalState::Approved);
        assert_eq!(approval.consume(1150).unwrap_err().state, ApprovalState::Expired);
    }

    #[test]
    fn a_no_holds_for_its_time_and_a_new_request_is_a_new_one() {
        let mut approval = request();
        assert_eq!(meet(None, 1000), Meeting::Ask);
        assert_eq!(meet(Some(&approval), 1000), Meeting::Wait);
        approval.deny(1010, "a", "no").unwrap();
        assert_eq!(meet(Some(&approval), 1099), Meeting::Refused);
        assert_eq!(meet(Some(&approval), 1100), Meeting::Ask);
        let mut approval = request();
        approval.approve(1010, WINDOW, "a", "").unwrap();
        assert_eq!(meet(Some(&approval), 1011), Meeting::Use);
        approval.consume(1011).unwrap();
        assert_eq!(meet(Some(&approval), 1011), Meeting::Ask);
    }

    proptest! {
        /// However people and calls follow each other, a request lets through at most one call, and none without a yes
        /// before it.
        #[test]
        fn at_most_one_call_and_only_after_a_yes(steps in proptest::collection::vec((0..4_u8, 0..60_u64), 1..40)) {
            let (mut approval, mut now) = (request(), 1000);
            let (mut yes, mut passed, mut over) = (false, 0, false);
            for (step, later) in steps {
                now += later;
                let before = approval.state_at(now);
                match step {
                    0 => yes |= approval.approve(now, WINDOW, "a", "").is_ok(),
                    1 => drop(approval.deny(now, "a", "")),
                    2 => passed += u32::from(approval.consume(now).is_ok()),
                    _ => drop(approval.expire(now)),
                }
                prop_assert!(passed <= 1 && (passed == 0 || yes));
                let after = approval.state_at(now);
                prop_assert!(!over || before == after, "{before} became {after}");
                over |= !matches!(after, ApprovalState::Pending | ApprovalState::Approved);
            }
        }
    }
}

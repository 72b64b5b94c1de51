//! The guard: judges calls and holds what they were charged.

use std::fmt;

use serde_json::Value;

use crate::breakers::Breakers;
use crate::carry::Moves;
use crate::counters::{Bill, Counters};
use crate::decimal;
use crate::decision::{Call, Charged, Decision, Denial, Outcome, Permit, Reason, Timestamp};
use crate::docket::Docket;
use crate::document::{Action, Policy, Standing};
use crate::moment::{Moment, Settlement};
use crate::precedence::{Pass, halted, judge};
use crate::prices::{NoPrice, PriceRequest, Quotes, Source};
use crate::register::{RegisterLimits, Registers};
use crate::seam::Seam;
use crate::state::State;

/// Listen keys that stay in memory need no secret: they are long and random themselves.
const UNKEYED: [u8; 32] = [0; 32];

/// How much a guard may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardLimits {
    /// How many live counters there may be at once; a call that needs one more is denied. 1,000,000 by default.
    pub counters_max: usize,
    /// How many orders of one grant may be open, or be so as far as anybody knows; one more is denied. 1,000 by
    /// default. As many that are over are remembered.
    pub orders_max: usize,
    /// Of how many grants orders and listen keys are remembered; an order of one more is denied. 100,000 by default.
    pub grants_max: usize,
}

impl GuardLimits {
    /// The same with another number of counters.
    #[must_use]
    pub const fn with_counters_max(self, counters_max: usize) -> Self {
        Self { counters_max, ..self }
    }

    /// The same with another number of open orders of a grant.
    #[must_use]
    pub const fn with_orders_max(self, orders_max: usize) -> Self {
        Self { orders_max, ..self }
    }

    /// The same with another number of grants.
    #[must_use]
    pub const fn with_grants_max(self, grants_max: usize) -> Self {
        Self { grants_max, ..self }
    }
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self { counters_max: 1_000_000, orders_max: 1_000, grants_max: 100_000 }
    }
}

/// Judges calls by one policy and counts what it lets through.
///
/// ```
/// use mcp_policy::{Call, Decision, Guard, Outcome, Policy, Timestamp};
///
/// let policy = Policy::parse(
///     r#"{ "version": "1", "default": "deny",
///          "tools": { "bn_create_listen_key": { "limits": [
///              { "counter": "bn_create_listen_key_rate", "window": "minute", "max": 1, "scope": "grant" } ] } } }"#,
/// )?;
/// let mut guard = Guard::new(policy);
/// let arguments = serde_json::Map::new();
/// let call = Call { tool: "bn_create_listen_key", arguments: &arguments, grant: "desk", session: "1" };
///
/// let Decision::Allow(permit) = guard.admit(&call, Timestamp::from_millis(0)) else { panic!("the first passes") };
/// guard.settle(permit, Outcome::Succeeded);
///
/// let Decision::Deny(denial) = guard.admit(&call, Timestamp::from_millis(1)) else { panic!("the second does not") };
/// assert_eq!(denial.rule, "/tools/bn_create_listen_key/limits/0");
/// assert_eq!(denial.retry_after_ms, Some(59_999));
/// # Ok::<(), mcp_policy::PolicyErrors>(())
/// ```
pub struct Guard {
    pub(crate) policy: Option<Policy>,
    limits: GuardLimits,
    /// One for each document that was replaced.
    pub(crate) moves: Vec<Moves>,
    pub(crate) state: State,
    /// The greatest time that it was ever told: time does not go backwards here.
    pub(crate) now: Timestamp,
}

impl fmt::Debug for Guard {
    /// Without the names of grants and sessions.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("limits", &self.limits)
            .field("counters", &self.state.counters.len())
            .finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard of `policy` with nothing counted yet.
    pub fn new(policy: Policy) -> Self {
        Self::with_limits(policy, GuardLimits::default())
    }

    /// A guard of `policy` that holds no more than `limits` allow.
    pub fn with_limits(policy: Policy, limits: GuardLimits) -> Self {
        Self::build(Some(policy), limits, Seam::default())
    }

    /// A guard that denies every call with [`Reason::NoPolicy`].
    pub fn without_policy() -> Self {
        Self::build(None, GuardLimits::default(), Seam::default())
    }

    /// A guard with one deliberate defect, to prove that a suite notices.
    #[cfg(feature = "mutants")]
    pub fn mutant(policy: Policy, mutation: crate::Mutation) -> Self {
        Self::build(Some(policy), GuardLimits::default(), Seam::with(mutation))
    }

    /// The same guard with nothing counted, told or remembered: for whoever asks one policy about many histories.
    #[must_use]
    pub fn emptied(self) -> Self {
        Self::build(self.policy, self.limits, self.state.seam)
    }

    fn build(policy: Option<Policy>, limits: GuardLimits, seam: Seam) -> Self {
        let registers = RegisterLimits { grants_max: limits.grants_max, orders_max: limits.orders_max };
        let state = State {
            counters: Counters::new(limits.counters_max),
            breakers: Breakers::new(limits.counters_max),
            registers: Registers::new(registers, UNKEYED).shared(seam.keeps_one_register()),
            quotes: Quotes::default(),
            seam,
        };
        Self { policy, limits, moves: Vec::new(), state, now: Timestamp::default() }
    }

    /// Digests listen keys under a secret from now on, before any was handed out: of use where what the guard remembers
    /// leaves its memory.
    pub fn set_digest_key(&mut self, key: [u8; 32]) {
        self.state.registers.set_key(key);
    }

    /// The policy it judges by.
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// How much it may hold.
    pub fn limits(&self) -> GuardLimits {
        self.limits
    }

    /// How many counters it holds.
    pub fn counters(&self) -> usize {
        self.state.counters.len()
    }

    pub(crate) fn unruled() -> Denial {
        Denial {
            reason: Reason::NoPolicy,
            rule: "(no policy)".to_owned(),
            message: "no policy is in force, so nothing is allowed".to_owned(),
            retry_after_ms: None,
        }
    }

    /// Judges `call` and, if it may pass, charges it in the same step.
    ///
    /// A time before an earlier one counts as that one, so that a clock set back opens no window.
    pub fn admit(&mut self, call: &Call<'_>, moment: impl Into<Moment>) -> Decision {
        let moment = moment.into();
        self.now = self.now.max(moment.now());
        let now = self.now.as_millis();
        let Some(policy) = &self.policy else {
            return Decision::Deny(Self::unruled());
        };
        let seam = self.state.seam;
        if seam.admits_everything() || (seam.takes_approval_for_all() && moment.is_approved()) {
            return Decision::Allow(Permit::new(policy.default_rule().clone(), now, Vec::new()));
        }
        let mut docket = Docket::default();
        let verdict = judge(policy, call, moment, now, &mut self.state, &mut docket);
        let State { counters, breakers, registers, seam, .. } = &mut self.state;
        let shadows = docket.shadows;
        match verdict {
            Err(denial) => {
                let applying = policy.applying(policy.rules(call.tool));
                breakers.denied(policy.breakers(), applying, call, denial.reason, now);
                in_shadow(policy, denial, shadows, now).map_or_else(Decision::Deny, Decision::Allow)
            }
            Ok(Pass::Ask(escalation)) => match in_shadow(policy, escalation.as_denial(), shadows, now) {
                Ok(permit) => Decision::Allow(permit),
                Err(_) => Decision::Escalate(escalation),
            },
            Ok(Pass::Allow { rule, rules, limits, amounts, trace }) => {
                let charges = if seam.never_charges() {
                    Vec::new()
                } else {
                    counters.charge(limits, &amounts, Bill { specs: policy.counters(), call, now, seam: *seam })
                };
                let mut permit = Permit::new(rule.clone(), now, charges).in_shadow(shadows);
                permit.generation = self.moves.len();
                permit.held = breakers.begin(policy.breakers(), policy.applying(rules), call);
                permit.trace = trace.and_then(|trace| registers.begin(trace, now));
                Decision::Allow(permit)
            }
        }
    }

    /// Which prices `call` cannot be judged without and that are not fresh: to be asked for, told by
    /// [`Guard::tell_price`], and only then is the call judged. Nothing is charged, and a call that is denied whatever the
    /// price wants none. Always empty unless the policy has `live_references`.
    pub fn prices_wanted(&mut self, call: &Call<'_>, moment: impl Into<Moment>) -> Vec<PriceRequest> {
        let moment = moment.into();
        let Some(policy) = self.policy.as_ref().filter(|policy| policy.live().is_some()) else { return Vec::new() };
        let now = self.now.max(moment.now()).as_millis();
        self.state.quotes.take_wanted();
        // Only what it asks for matters: the verdict comes with the price.
        let _ = judge(policy, call, moment, now, &mut self.state, &mut Docket::default());
        self.state.quotes.take_wanted()
    }

    /// What `call` is an answer to, if it is one that this guard would have asked for itself: somebody else's look at a
    /// price is worth as much. `None` unless the policy has `live_references` and asks this tool for this symbol.
    pub fn price_told_by(&self, call: &Call<'_>) -> Option<PriceRequest> {
        let (references, live) = self.policy.as_ref().and_then(Policy::live)?;
        let asks = |source: &Source| {
            let symbol = call.arguments.get(&source.tells.symbol)?.as_str()?;
            let request = references.signed.contains_key(symbol).then(|| source.request(symbol))?;
            (source.tool == call.tool && request.arguments() == *call.arguments).then_some(request)
        };
        live.sources.iter().find_map(asks)
    }

    /// Takes the result of what was asked for at `asked_at`; `None` if there was none. Until another is told it counts as
    /// fresh for the policy's `max_age` from then on. That there is no price is remembered for a second.
    ///
    /// # Errors
    /// Why there is no price.
    pub fn tell_price(
        &mut self,
        request: &PriceRequest,
        result: Option<&Value>,
        asked_at: Timestamp,
    ) -> Result<String, NoPrice> {
        let (references, live) = self.policy.as_ref().and_then(Policy::live).ok_or(NoPrice::NotAsked)?;
        let tells = live.request(&request.tool, &request.symbol).map(|(tells, _)| tells);
        let tells = tells.filter(|_| references.signed.contains_key(&request.symbol)).ok_or(NoPrice::NotAsked)?;
        let price = tells.read(&request.symbol, result);
        self.state.quotes.tell(request, price.ok(), asked_at.as_millis());
        price.map(decimal::text)
    }

    /// What a person says the price of `symbol` is at `at`, as if every tool that is asked for it had told it: to try a
    /// policy out.
    ///
    /// # Errors
    /// The policy asks for no price of this symbol, or it is no canonical decimal above zero.
    pub fn suppose_price(&mut self, symbol: &str, price: &str, at: Timestamp) -> Result<(), NoPrice> {
        let (references, live) = self.policy.as_ref().and_then(Policy::live).ok_or(NoPrice::NotAsked)?;
        if !references.signed.contains_key(symbol) {
            return Err(NoPrice::NotAsked);
        }
        let price = decimal::of_text(price).ok().filter(|price| !price.is_zero()).ok_or(NoPrice::NotPositive)?;
        for source in &live.sources {
            self.state.quotes.tell(&source.request(symbol), Some(price), at.as_millis());
        }
        Ok(())
    }

    /// What each limit was charged for a permitted call, and what it counts since: how close it is to refusing.
    pub fn charged<'a>(&'a self, permit: &'a Permit) -> impl Iterator<Item = Charged<'a>> {
        let specs = self.policy.as_ref().map(Policy::counters).unwrap_or_default();
        permit.charges().iter().filter_map(|charge| {
            let spec = specs.get(charge.limit())?;
            Some(Charged {
                limit: &spec.rule,
                of: spec.of.as_deref(),
                amount: charge.amount(),
                used: charge.used(),
                max: spec.measure.max(),
            })
        })
    }

    /// Takes a permit back, with what became of its call. Only [`Outcome::NeverSent`] gives back what the call was
    /// charged, and nothing else: calls that were charged later stay charged. From the value of the result the guard
    /// learns what the manifest says it tells, such as the id of an order; without it the order stays one that may be
    /// open.
    pub fn settle<'v>(&mut self, mut permit: Permit, settlement: impl Into<Settlement<'v>>) {
        let settlement = settlement.into();
        self.bring_up_to_date(&mut permit);
        let State { counters, breakers, registers, seam, .. } = &mut self.state;
        let refunds = match settlement.outcome() {
            Outcome::NeverSent => true,
            Outcome::Failed => seam.refunds_failed(),
            Outcome::Unknown => seam.refunds_unknown(),
            Outcome::Succeeded => false,
        };
        let Some(policy) = self.policy.as_ref() else { return };
        let now = self.now.as_millis();
        if refunds {
            for charge in permit.charges() {
                counters.refund(charge, policy.counters(), permit.charged_at());
            }
        }
        breakers.settle(policy.breakers(), &permit.held, settlement.outcome(), now);
        if let Some(trace) = permit.trace {
            registers.settle(&trace, settlement, now);
        }
    }

    /// Why a call of `tool` that has passed but not left must not leave now that the kill switch is on, if it must not.
    pub fn halts(&self, tool: &str) -> Option<Denial> {
        let is_safe = self.policy.as_ref().is_some_and(|policy| policy.is_safety_tool(tool));
        (!is_safe && !self.state.seam.ignores_the_kill_switch()).then(halted)
    }

    /// Whether `tools/list` may show the tool. This is a courtesy: [`Guard::admit`] judges again.
    pub fn visible(&self, tool: &str) -> bool {
        match self.policy.as_ref().map(|policy| policy.standing(tool)) {
            Some(_) if self.policy.as_ref().is_some_and(Policy::is_in_shadow) => true,
            Some(Standing::Listed(rules)) => !matches!(rules.action, Action::Deny(_)),
            Some(Standing::Free) => true,
            Some(Standing::Hidden(_) | Standing::Unlisted | Standing::Lookalike) | None => false,
        }
    }
}

/// Lets through what a policy in shadow would have denied, and takes it down. The kill switch is no rule of the policy,
/// and stays a denial.
pub(crate) fn in_shadow(policy: &Policy, denial: Denial, mut shadows: Vec<Denial>, now: u64) -> Result<Permit, Denial> {
    if !policy.is_in_shadow() || denial.reason == Reason::Halted {
        return Err(denial);
    }
    shadows.push(denial);
    Ok(Permit::new("/shadow".into(), now, Vec::new()).in_shadow(shadows))
}

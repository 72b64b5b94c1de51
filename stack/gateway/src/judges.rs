//! By which policy a call is judged: the server's, or that of its grant.
//!
//! ```text
//!  call ─▶ has its grant a policy of its own? ─ no ─▶ the server's guard
//!                   └ yes ─▶ the grant's guard ─▶ what the server's policy counts for all grants ─▶ passes
//!                   └ yes, and it is not in force ─▶ denied: policy_unavailable
//! ```
//!
//! Each grant with a policy of its own has a guard of its own, so that nothing that is counted under one policy can be
//! taken for what is counted under another. A grant whose policy cannot be read is judged by nobody, and never by the
//! server's policy: that was written for others. What spans grants (limits and breakers of `scope: server` and
//! `organisation`, and the kill switch) stands in the server's policy and holds for all.

use std::collections::BTreeMap;
use std::sync::Arc;

use mcp_policy::{
    Call, Charged, Decision, Denial, Due, Escalation, Guard, Moment, NoPrice, Outcome, Permit, PriceRequest,
    Settlement, Timestamp,
};
use serde_json::Value;

use crate::config::Identity;
use crate::gateway::Court;
use crate::ledger::{Entry, Holding, Reserved};
use crate::state_dir::StateError;

/// Who judges the calls of a grant that has a policy of its own.
#[derive(Debug)]
#[non_exhaustive]
pub enum GrantJudge {
    /// A guard of that policy, and the policy's name in the audit, usually [`policy_digest`](crate::policy_digest) of its
    /// source. The policy must have no rules that span grants: see [`check_own`](crate::check_own).
    Guard(Box<Guard>, String),
    /// Nobody, because the policy cannot be read: all calls are denied until another is put in force.
    Nobody,
}

/// Whose policy: that of a grant, or the server's.
pub(crate) type Under = Option<Arc<str>>;

/// What a grant is told whose policy is not in force.
pub(crate) const UNAVAILABLE: (&str, &str) =
    ("policy_unavailable", "the policy of this grant is not in force, so nothing is allowed");

/// A grant's policy is not in force.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoJudge;

/// Where a grant's own policy judges.
pub(crate) struct Seat {
    /// Nobody if its policy could not be read when the gateway was started.
    pub(crate) guard: Option<Guard>,
    /// The digest of the policy.
    pub(crate) policy: Arc<str>,
    /// Another policy may have taken the grant over. What it knows is kept, for calls that are on their way and for when
    /// it comes back.
    pub(crate) in_force: bool,
}

impl Seat {
    pub(crate) fn of(judge: GrantJudge) -> Self {
        let (guard, policy) = match judge {
            GrantJudge::Guard(guard, policy) => (Some(*guard), policy),
            GrantJudge::Nobody => (None, String::new()),
        };
        Self { guard, policy: policy.into(), in_force: true }
    }
}

/// What a call was let through by.
#[derive(Debug)]
pub(crate) struct Leave {
    pub(crate) permit: Permit,
    /// Whose policy has minted it.
    pub(crate) under: Under,
    /// What the server's policy has minted, for what it counts for all grants, if another has judged.
    common: Option<Box<Permit>>,
}

impl Leave {
    /// Whether a guard would learn something from the call's result. What spans grants never does.
    pub(crate) fn wants_value(&self) -> bool {
        self.permit.wants_value()
    }

    /// What rules in shadow would have refused.
    pub(crate) fn shadows(&self) -> Vec<Denial> {
        let common = self.common.iter().flat_map(|common| common.shadows());
        self.permit.shadows().iter().chain(common).cloned().collect()
    }
}

/// What a call owes to stores that gateways share.
pub(crate) struct Owed {
    pub(crate) dues: Vec<Due>,
    /// How many of them, from the first, are those of the policy that judges; the others are the server's.
    pub(crate) own: usize,
}

/// A call that asks to pass, and whose policy judges it.
#[derive(Clone, Copy)]
pub(crate) struct Plea<'a> {
    pub(crate) under: &'a Under,
    pub(crate) call: &'a Call<'a>,
    pub(crate) moment: Moment,
}

/// What the policies say of a call.
pub(crate) enum Judgement {
    Allow(Leave),
    /// The digest names the server's policy where it has denied a call that another judges.
    Deny(Denial, Option<Arc<str>>),
    Escalate(Escalation),
}

impl Court {
    /// Whose policy judges the calls of a connection.
    pub(crate) fn under(&self, identity: &Identity) -> Result<Under, NoJudge> {
        match self.grants.get_key_value(identity.grant.as_str()).filter(|(_, seat)| seat.in_force) {
            Some((name, Seat { guard: Some(_), .. })) => Ok(Some(Arc::clone(name))),
            Some(_) => Err(NoJudge),
            None if identity.has_policy => Err(NoJudge),
            None => Ok(None),
        }
    }

    /// The digest of the policy that judges the calls of a connection; empty if nobody does.
    pub(crate) fn policy_of(&self, identity: &Identity) -> Arc<str> {
        match self.under(identity) {
            Ok(under) => self.policy_under(&under),
            Err(NoJudge) => Arc::default(),
        }
    }

    pub(crate) fn policy_under(&self, under: &Under) -> Arc<str> {
        let seat = under.as_ref().and_then(|grant| self.grants.get(grant));
        Arc::clone(seat.map_or(&self.policy, |seat| &seat.policy))
    }

    /// The guard of a policy.
    pub(crate) fn guard_under(&self, under: &Under) -> Option<&Guard> {
        match under {
            None => Some(&self.guard),
            Some(grant) => self.grants.get(grant)?.guard.as_ref(),
        }
    }

    fn guard_under_mut(&mut self, under: &Under) -> Option<&mut Guard> {
        match under {
            None => Some(&mut self.guard),
            Some(grant) => self.grants.get_mut(grant)?.guard.as_mut(),
        }
    }

    /// The guard that judges the calls of a connection.
    pub(crate) fn guard_of(&self, identity: &Identity) -> Option<&Guard> {
        self.guard_under(&self.under(identity).ok()?)
    }

    /// Judges a call and charges it, by all policies that have a say in it.
    pub(crate) fn admit(&mut self, plea: Plea<'_>) -> Judgement {
        let Plea { under, call, moment } = plea;
        let Some(grant) = under else {
            return match self.guard.admit(call, moment) {
                Decision::Allow(permit) => Judgement::Allow(Leave { permit, under: None, common: None }),
                Decision::Deny(denial) => Judgement::Deny(denial, None),
                Decision::Escalate(escalation) => Judgement::Escalate(escalation),
            };
        };
        let Self { guard: server, policy, grants, .. } = self;
        // Where nobody sits, a guard without a policy says no.
        let mut nobody = None;
        let own = match grants.get_mut(grant).and_then(|seat| seat.guard.as_mut()) {
            Some(own) => own,
            None => nobody.insert(Guard::without_policy()),
        };
        match own.admit(call, moment) {
            Decision::Deny(denial) => {
                server.denied_elsewhere(call, denial.reason);
                Judgement::Deny(denial, None)
            }
            Decision::Allow(permit) => match server.admit_spanning(call, moment) {
                Ok(common) => Judgement::Allow(Leave { permit, under: under.clone(), common: Some(Box::new(common)) }),
                Err(denial) => {
                    own.settle(permit, Outcome::NeverSent);
                    Judgement::Deny(denial, Some(Arc::clone(policy)))
                }
            },
            Decision::Escalate(escalation) => match server.admit_spanning(call, moment) {
                Ok(common) => {
                    server.settle(common, Outcome::NeverSent);
                    Judgement::Escalate(escalation)
                }
                Err(denial) => Judgement::Deny(denial, Some(Arc::clone(policy))),
            },
        }
    }

    /// Why a call that has passed but not left must not leave now that the kill switch is on, if it must not.
    pub(crate) fn halts(&self, leave: &Leave, tool: &str) -> Option<Denial> {
        let own = self.guard_under(&leave.under).and_then(|guard| guard.halts(tool));
        own.or_else(|| leave.common.as_ref().and_then(|_| self.guard.halts(tool)))
    }

    /// What each limit was charged.
    pub(crate) fn charged<'a>(&'a self, leave: &'a Leave) -> impl Iterator<Item = Charged<'a>> {
        let own = self.guard_under(&leave.under).into_iter().flat_map(|guard| guard.charged(&leave.permit));
        own.chain(leave.common.iter().flat_map(|common| self.guard.charged(common)))
    }

    /// What a call owes to a store that gateways share.
    pub(crate) fn dues(&self, leave: &Leave, tool: &str) -> Owed {
        let own = self.guard_under(&leave.under).map(|guard| guard.dues(&leave.permit, tool));
        let mut dues = own.unwrap_or_default();
        let own = dues.len();
        dues.extend(leave.common.iter().flat_map(|common| self.guard.dues(common, tool)));
        Owed { dues, own }
    }

    /// Puts what a call is charged and what is remembered of it on disk.
    pub(crate) fn reserve(
        &mut self,
        leave: &Leave,
        tells: impl FnOnce(Result<(), StateError>) + Send + 'static,
    ) -> Result<Reserved, StateError> {
        if self.ledger.is_none() {
            return Ok(Reserved::There(None));
        }
        let mut holdings = Vec::with_capacity(2);
        if let Some(guard) = self.guard_under_mut(&leave.under) {
            let (reservations, notes) = (guard.reservations(&leave.permit), guard.take_notes());
            holdings.push(Holding { under: leave.under.clone(), reservations, notes });
        }
        if let Some(common) = &leave.common {
            let (reservations, notes) = (self.guard.reservations(common), self.guard.take_notes());
            holdings.push(Holding { under: None, reservations, notes });
        }
        let Some(ledger) = &mut self.ledger else { return Ok(Reserved::There(None)) };
        ledger.reserve(holdings, tells)
    }

    /// Takes a permit back, and puts what was learnt on disk. Should this fail, it goes there with the next call; what a
    /// call that never left is charged then stays charged after a restart.
    pub(crate) fn settle<'v>(&mut self, leave: Leave, reserved: Option<Entry>, settlement: impl Into<Settlement<'v>>) {
        let settlement = settlement.into();
        let Leave { permit, under, common } = leave;
        if let Some(guard) = self.guard_under_mut(&under) {
            guard.settle(permit, settlement);
        }
        if let Some(common) = common {
            self.guard.settle(*common, settlement.outcome());
        }
        self.learn(&under, reserved.filter(|_| settlement.outcome() == Outcome::NeverSent));
    }

    /// Puts what a call of this policy has taught the guards on disk.
    pub(crate) fn learn(&mut self, under: &Under, never_left: Option<Entry>) {
        if self.ledger.is_none() {
            return;
        }
        let mut holdings = vec![Holding { under: None, notes: self.guard.take_notes(), ..Holding::default() }];
        if under.is_some()
            && let Some(guard) = self.guard_under_mut(under)
        {
            holdings.push(Holding { under: under.clone(), notes: guard.take_notes(), ..Holding::default() });
        }
        if let Some(ledger) = &mut self.ledger
            && let Err(error) = ledger.learn(never_left, holdings)
        {
            tracing::error!(%error, "the store does not take what was learnt from a call");
        }
    }

    /// Which prices the policies cannot judge a call without.
    pub(crate) fn prices_wanted(&mut self, under: &Under, call: &Call<'_>, moment: Moment) -> Vec<PriceRequest> {
        let mut wanted = self.guard_under_mut(under).map(|guard| guard.prices_wanted(call, moment)).unwrap_or_default();
        if under.is_some() {
            let common = self.guard.prices_wanted_spanning(call, moment);
            wanted.extend(common);
            wanted.sort();
            wanted.dedup();
        }
        wanted
    }

    /// Whether any policy in force is told prices.
    pub(crate) fn has_live_references(&self) -> bool {
        self.guards().any(|guard| guard.policy().is_some_and(mcp_policy::Policy::has_live_references))
    }

    fn guards(&self) -> impl Iterator<Item = &Guard> {
        std::iter::once(&self.guard).chain(self.grants.values().filter_map(|seat| seat.guard.as_ref()))
    }

    /// Tells every policy that asks for a price what came of the request. The price that stands on record is that of the
    /// first that takes one.
    pub(crate) fn tell_price(
        &mut self,
        request: &PriceRequest,
        result: Option<&Value>,
        asked_at: Timestamp,
    ) -> Result<String, NoPrice> {
        let guards = std::iter::once(&mut self.guard);
        let guards = guards.chain(self.grants.values_mut().filter_map(|seat| seat.guard.as_mut()));
        let told = guards.map(|guard| guard.tell_price(request, result, asked_at));
        let told = told.filter(|told| !matches!(told, Err(NoPrice::NotAsked)));
        told.reduce(|one, other| if one.is_ok() { one } else { other }).unwrap_or(Err(NoPrice::NotAsked))
    }
}

/// The seats of a gateway that is being started.
pub(crate) fn seats(judges: BTreeMap<String, GrantJudge>, keep_notes: bool) -> BTreeMap<Arc<str>, Seat> {
    let seat = |(grant, judge): (String, GrantJudge)| {
        let mut seat = Seat::of(judge);
        if let Some(guard) = seat.guard.as_mut().filter(|_| keep_notes) {
            guard.keep_notes();
        }
        (Arc::from(grant), seat)
    };
    judges.into_iter().map(seat).collect()
}

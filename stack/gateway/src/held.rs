//! A call that was permitted and must wait before it leaves: for a store that gateways share, or for the disk.
//!
//! The lock is not held meanwhile. Whatever comes instead of an answer, what the call was charged is given back, and it
//! does not leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mcp_policy::{Due, Guard, Outcome, ResultRules};
use tokio::sync::mpsc;

use crate::audit::{Record, Verdict, charges, shadows};
use crate::gateway::{Case, Court, Gateway, Ruling, Ticket, Told};
use crate::judges::{Leave, Owed};
use crate::ledger::{Entry, Reserved};
use crate::shared::{Charge, SharedError, SharedLimits};
use crate::state_dir::StateError;

/// Where a session hears of what its calls wait for.
#[derive(Debug)]
pub(crate) struct Desk {
    arrivals: mpsc::UnboundedSender<(u64, Arrived)>,
    tokens: AtomicU64,
}

/// What a call waited for.
#[derive(Debug)]
pub(crate) enum Arrived {
    Shared { dues: Arc<[Due]>, charge: Result<Charge, SharedError> },
    Stored(Result<(), StateError>),
}

impl Desk {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<(u64, Arrived)>) {
        let (arrivals, heard) = mpsc::unbounded_channel();
        (Self { arrivals, tokens: AtomicU64::new(0) }, heard)
    }

    fn token(&self) -> u64 {
        self.tokens.fetch_add(1, Ordering::Relaxed)
    }
}

/// What the shared store has charged a call, and when.
#[derive(Debug)]
pub(crate) struct SharedCharge {
    dues: Arc<[Due]>,
    at_ms: Vec<u64>,
}

/// A permitted call that has not left.
#[derive(Debug)]
pub(crate) struct Held {
    leave: Leave,
    tool: Box<str>,
    /// The digest of the policy that let it through.
    policy: Arc<str>,
    /// That of the server, if what it counts for all grants was asked beside another.
    with: Option<Arc<str>>,
    /// Whether the kill switch was on when it was judged.
    halted: bool,
    results: Option<Arc<ResultRules>>,
    arguments_hmac: Option<String>,
    shown: Option<String>,
    charges: Option<String>,
    approval: Option<String>,
    /// The approval is still to be used up.
    uses_approval: bool,
    dues: Arc<[Due]>,
    /// How many of them are of the policy that let it through; the others are of the server's.
    own_dues: usize,
    /// When the shared store has charged them.
    shared: Option<Vec<u64>>,
    /// What the ledger holds for it.
    reserved: Option<Entry>,
}

impl Gateway {
    /// Lets a permitted call leave once everything that it waits for has come. With `uses_approval` the approval in
    /// `record` is used up before.
    pub(crate) fn let_through(
        &self,
        court: &mut Court,
        case: &Case<'_>,
        leave: Leave,
        record: Record<'_>,
        uses_approval: bool,
    ) -> Ruling {
        let Owed { dues, own } = match &self.shared.store {
            Some(_) => court.dues(&leave, case.tool),
            None => Owed { dues: Vec::new(), own: 0 },
        };
        let held = Held {
            tool: case.tool.into(),
            policy: court.policy_under(&leave.under),
            with: leave.under.as_ref().map(|_| Arc::clone(&court.policy)),
            halted: court.halted,
            results: court
                .guard_under(&leave.under)
                .and_then(Guard::policy)
                .filter(|_| !self.shared.seam.passes_results_unread())
                .and_then(|policy| policy.handling(case.tool).result().cloned()),
            arguments_hmac: record.arguments_hmac.map(str::to_owned),
            shown: record.shown.map(str::to_owned),
            charges: charges(court.charged(&leave)),
            approval: record.approval.map(str::to_owned),
            uses_approval,
            dues: dues.into(),
            own_dues: own,
            shared: None,
            reserved: None,
            leave,
        };
        match &self.shared.store {
            Some(limits) if !held.dues.is_empty() => self.ask_shared(limits, case, held),
            _ => self.put_on_disk(court, case, held),
        }
    }

    /// Asks the shared store, in a task of its own: the answer is heard even if nobody waits for it any more.
    fn ask_shared(&self, limits: &Arc<dyn SharedLimits>, case: &Case<'_>, held: Held) -> Ruling {
        let token = case.desk.token();
        let (arrivals, dues) = (case.desk.arrivals.clone(), Arc::clone(&held.dues));
        let asking = limits.charge(&self.shared.server, Arc::clone(&dues));
        let gateway = self.clone();
        let asks = async move {
            let charge = asking.await;
            if let Err(mpsc::error::SendError((_, arrived))) = arrivals.send((token, Arrived::Shared { dues, charge }))
            {
                gateway.nobody_waits(arrived);
            }
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(asks);
        } else {
            // Dropped unasked: what waits for it hears that there is nothing to hear.
            let unasked = Err(SharedError::Unavailable("there is no runtime".to_owned()));
            let _ = case.desk.arrivals.send((token, Arrived::Shared { dues: Arc::clone(&held.dues), charge: unasked }));
        }
        Ruling::Wait(token, Box::new(held))
    }

    /// Puts a call on disk that every store has room for, or lets it wait for that.
    fn put_on_disk(&self, court: &mut Court, case: &Case<'_>, mut held: Held) -> Ruling {
        if held.uses_approval
            && let Err(error) = self.use_approval_up(court, case, held.approval.as_deref().unwrap_or_default())
        {
            tracing::error!(%error, "an approval cannot be used up: the call is denied");
            return self.hold_back(court, case, held, "approval_unavailable", "the call's approval cannot be used up");
        }
        held.uses_approval = false;
        let token = case.desk.token();
        let arrivals = case.desk.arrivals.clone();
        let tells = move |stored| drop(arrivals.send((token, Arrived::Stored(stored))));
        if self.shared.seam.writes_no_ledger() {
            return self.release(court, case, held);
        }
        match court.reserve(&held.leave, tells) {
            Ok(Reserved::There(entry)) => {
                held.reserved = entry;
                self.release(court, case, held)
            }
            Ok(Reserved::OnItsWay(entry)) => {
                held.reserved = Some(entry);
                Ruling::Wait(token, Box::new(held))
            }
            Err(error) => self.not_stored(court, case, held, &error),
        }
    }

    fn not_stored(&self, court: &mut Court, case: &Case<'_>, held: Held, error: &StateError) -> Ruling {
        tracing::error!(%error, "the store takes no reservation: calls are denied");
        if self.shared.seam.allows_unstored() {
            return self.release(court, case, held);
        }
        let message = "what the call is charged cannot be stored, so it was not made";
        self.hold_back(court, case, held, "store_unavailable", message)
    }

    /// Puts a call on record and lets it leave.
    fn release(&self, court: &mut Court, case: &Case<'_>, held: Held) -> Ruling {
        let shadows = shadows(&held.leave.shadows());
        let (verdict, rule) = (Verdict::Allow, Some(held.leave.permit.rule()));
        let (charges, shadows) = (held.charges.as_deref(), shadows.as_deref());
        let record = Record { verdict, rule, charges, shadows, ..held.record(case) };
        if self.put_on_record(court, case.identity, case.now_ms, &record) {
            let Held { leave, reserved, tool, results, dues, shared, .. } = held;
            let shared = shared.map(|at_ms| Box::new(SharedCharge { dues, at_ms }));
            return Ruling::Forward(Ticket {
                leave,
                reserved,
                shared,
                seq: court.seq,
                tool,
                decided_ms: case.now_ms,
                results,
            });
        }
        self.give_back(court, held);
        Ruling::Deny(Told::own("audit_unavailable", "the call cannot be put on record, so it was not made"))
    }

    /// Goes on with a call for which something has come.
    pub(crate) fn proceed(&self, case: &Case<'_>, mut held: Held, arrived: Arrived) -> Ruling {
        let halted = self.kill_switch().is_on();
        let Ok(mut court) = self.shared.court.lock() else {
            return Ruling::Deny(Told::own("guard_unavailable", "the policy cannot be evaluated"));
        };
        let court = &mut *court;
        // Nothing is stored yet when what came is the shared store's.
        let stored = match arrived {
            Arrived::Shared { charge: Ok(Charge::Made { at_ms }), .. } => {
                held.shared = Some(at_ms);
                None
            }
            Arrived::Shared { charge: Ok(Charge::NoRoom { position, retry_after_ms }), .. } => {
                let dues = Arc::clone(&held.dues);
                let Some(due) = dues.get(position) else {
                    return self.hold_back(
                        court,
                        case,
                        held,
                        "shared_store_damaged",
                        "the shared store's answer is none",
                    );
                };
                let denial = due.refusal(retry_after_ms);
                if position >= held.own_dues
                    && let Some(server) = held.with.take()
                {
                    // The rule stands in the server's policy.
                    held.policy = server;
                }
                let told = denial.public().into();
                self.deny_held(court, case, held, denial.reason.code(), Some(&denial.rule), &denial.message);
                return Ruling::Deny(told);
            }
            Arrived::Shared { charge: Err(_), .. } if self.shared.seam.allows_unstored() => None,
            Arrived::Shared { charge: Err(error), .. } => {
                tracing::error!(%error, "calls that shared limits count are denied");
                return self.hold_back(court, case, held, error.reason(), error.message());
            }
            Arrived::Stored(stored) => Some(stored),
        };
        // Thrown while the call waited: it has not left, so it is not too late.
        if halted
            && !held.halted
            && let Some(denial) = court.halts(&held.leave, case.tool)
        {
            self.note_switch(court, halted, case.now_ms);
            let told = denial.public().into();
            self.deny_held(court, case, held, denial.reason.code(), Some(&denial.rule), &denial.message);
            return Ruling::Deny(told);
        }
        match stored {
            None => self.put_on_disk(court, case, held),
            Some(Ok(())) => self.release(court, case, held),
            Some(Err(error)) => {
                // It is not there, so there is nothing to take out.
                held.reserved = None;
                self.not_stored(court, case, held, &error)
            }
        }
    }

    /// A call that waits is not wanted any more: it provably never left.
    pub(crate) fn withdraw(&self, mut held: Held, arrived: Option<Arrived>) {
        if let Some(Arrived::Shared { charge: Ok(Charge::Made { at_ms }), .. }) = arrived {
            held.shared = Some(at_ms);
        }
        if let Ok(mut court) = self.shared.court.lock() {
            self.give_back(&mut court, held);
        }
    }

    /// Something has come for a call that nobody waits for any more.
    pub(crate) fn nobody_waits(&self, arrived: Arrived) {
        if let Arrived::Shared { dues, charge: Ok(Charge::Made { at_ms }) } = arrived {
            self.refund_shared(Some(Box::new(SharedCharge { dues, at_ms })));
        }
    }

    /// Takes back what a call was charged elsewhere that never left.
    pub(crate) fn refund_shared(&self, shared: Option<Box<SharedCharge>>) {
        let (Some(limits), Some(shared)) = (&self.shared.store, shared) else { return };
        let SharedCharge { dues, at_ms } = *shared;
        let refund = limits.refund(&self.shared.server, dues, at_ms);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Err(error) = refund.await {
                tracing::warn!(%error, "what a call was charged that never left stays charged");
            }
        });
    }

    fn give_back(&self, court: &mut Court, held: Held) {
        let Held { leave, reserved, shared, dues, .. } = held;
        court.settle(leave, reserved, Outcome::NeverSent);
        self.refund_shared(shared.map(|at_ms| Box::new(SharedCharge { dues, at_ms })));
    }

    fn deny_held(
        &self,
        court: &mut Court,
        case: &Case<'_>,
        held: Held,
        reason: &str,
        rule: Option<&str>,
        message: &str,
    ) {
        let record = Record { rule, reason, message, ..held.record(case) };
        self.put_on_record(court, case.identity, case.now_ms, &record);
        self.give_back(court, held);
    }

    fn hold_back(
        &self,
        court: &mut Court,
        case: &Case<'_>,
        held: Held,
        reason: &'static str,
        message: &'static str,
    ) -> Ruling {
        self.deny_held(court, case, held, reason, None, message);
        Ruling::Deny(Told::own(reason, message))
    }
}

impl Held {
    /// The record of a call that is denied for no reason yet.
    fn record<'a>(&'a self, case: &Case<'a>) -> Record<'a> {
        Record {
            arguments_hmac: self.arguments_hmac.as_deref(),
            shown: self.shown.as_deref(),
            approval: self.approval.as_deref(),
            judged_by: Some(&self.policy),
            with: self.with.as_deref(),
            ..Record::of(case)
        }
    }
}

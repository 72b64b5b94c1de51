//! Policies that are put in force while calls go on: a server's, and with it those of grants.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mcp_policy::{Guard, Note, Policy, PolicyErrors};

use crate::audit::event;
use crate::gateway::{Court, Gateway};
use crate::judges::{GrantJudge, Seat};
use crate::shared::{Unshared, check_shared};
use crate::source::PolicyDocument;
use crate::state_dir::StateError;

/// What is to be in force at one gateway. A document alone is one too, and leaves the policies of grants as they are.
#[derive(Debug, Clone)]
pub struct Policies {
    server: PolicyDocument,
    grants: Option<BTreeMap<String, PolicyDocument>>,
}

impl Policies {
    /// The server's policy, and those of all grants that have one of their own, by the grant's name. A grant that had one
    /// and is not among them is judged by the server's policy from then on.
    pub fn new(server: impl Into<PolicyDocument>, grants: BTreeMap<String, PolicyDocument>) -> Self {
        Self { server: server.into(), grants: Some(grants) }
    }
}

impl<D: Into<PolicyDocument>> From<D> for Policies {
    fn from(server: D) -> Self {
        Self { server: server.into(), grants: None }
    }
}

/// A policy that was put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// The digest of its source, by which the audit names it.
    pub policy: String,
    /// What it says in vain.
    pub warnings: Vec<String>,
    /// Those of grants, by the grant's name.
    pub grants: BTreeMap<String, Self>,
}

/// A policy of one grant with rules that count for several: there they would count that grant alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "in the policy of one grant these rules would count that grant alone: {}; give them `scope: grant` or `session`, or \
     write them into the server's policy, where they hold for all grants",
    .0.join(", ")
)]
pub struct SpansGrants(Vec<String>);

/// Whether a policy can be that of one grant.
///
/// # Errors
/// The rules of `scope: server` or `organisation`.
pub fn check_own(policy: &Policy) -> Result<(), SpansGrants> {
    let rules = policy.spanning_rules();
    if rules.is_empty() { Ok(()) } else { Err(SpansGrants(rules.into_iter().map(str::to_owned).collect())) }
}

/// Why the policies that were in force stay.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The new document is not valid.
    #[error("the new policy is not valid, so the old one stays:\n{0}")]
    Invalid(PolicyErrors),
    /// That of a grant is not valid.
    #[error("the new policy of grant `{grant}` is not valid, so the old ones stay:\n{errors}")]
    GrantInvalid {
        /// The grant.
        grant: String,
        /// What is wrong.
        errors: PolicyErrors,
    },
    /// That of a grant has rules that span grants.
    #[error("the old policies stay: grant `{grant}`: {rules}")]
    NotOwn {
        /// The grant.
        grant: String,
        /// The rules.
        rules: SpansGrants,
    },
    /// The new policy has rules that gateways with a shared store cannot hold.
    #[error("the old policy stays: {0}")]
    NotShared(#[from] Unshared),
    /// One gateway was to be given two policies.
    #[error("`{0}` was to be given two policies at once, so the old one stays")]
    Twice(String),
    /// The audit takes no line.
    #[error("the change of the policy cannot be put on record, so the old one stays")]
    NotRecorded,
    /// What was counted under a grant's policy before cannot be read.
    #[error("the old policies stay: {0}")]
    State(#[from] StateError),
    /// The guard has panicked: nothing passes any more.
    #[error("the policy cannot be evaluated any more: start the gateway anew")]
    Unavailable,
}

impl Gateway {
    /// Puts a policy document in force, with its parts, whole or not at all; with [`Policies::new`] those of grants as well,
    /// all or none.
    ///
    /// Every call is judged by the one or by the other, and its record names which. What was counted stays, as
    /// [`Guard::replace`](mcp_policy::Guard::replace) says. Either way it is on record.
    ///
    /// # Errors
    /// The policies that were in force stay.
    pub fn reload(&self, policies: impl Into<Policies>) -> Result<Reloaded, ReloadError> {
        let change = self.change(&policies.into())?;
        let reloaded = change.told();
        put_in_force(vec![change])?;
        Ok(reloaded)
    }

    /// Reads documents, which takes longer than calls should wait.
    fn change(&self, policies: &Policies) -> Result<Change<'_>, ReloadError> {
        let server = self.read(&policies.server, None).map_err(ReloadError::Invalid)?;
        let own = |(grant, document): (&String, &PolicyDocument)| {
            let read = self.read(document, Some(grant));
            let read = read.map_err(|errors| ReloadError::GrantInvalid { grant: grant.clone(), errors })?;
            check_own(&read.policy).map_err(|rules| {
                let fields = [("grant", grant.as_str()), ("refused", &read.digest), ("message", &rules.to_string())];
                self.record_event("policy_refused", &fields);
                ReloadError::NotOwn { grant: grant.clone(), rules }
            })?;
            Ok((Arc::from(grant.as_str()), read))
        };
        let grants = policies.grants.as_ref().map(|grants| grants.iter().map(own).collect::<Result<_, ReloadError>>());
        Ok(Change { gateway: self, server, grants: grants.transpose()? })
    }

    fn read(&self, document: &PolicyDocument, grant: Option<&str>) -> Result<Read, PolicyErrors> {
        let digest = document.digest();
        let policy = match document.parse() {
            Ok(policy) => policy,
            Err(_) if self.shared.seam.allows_on_broken_reload() => {
                Policy::parse(r#"{"version": "1", "default": "allow"}"#)?
            }
            Err(errors) => {
                let message = errors.to_string();
                let mut fields = vec![("refused", digest.as_str()), ("message", &message)];
                fields.extend(grant.map(|grant| ("grant", grant)));
                self.record_event("policy_refused", &fields);
                return Err(errors);
            }
        };
        let warnings = policy.warnings().iter().map(ToString::to_string).collect();
        Ok(Read { policy, digest, warnings })
    }
}

/// Puts policies in force at each of several gateways, as [`Gateway::reload`] does: all of them, or none.
///
/// No call is judged while some have the new policy and others the old one.
///
/// # Errors
/// All policies that were in force stay.
pub fn reload_together(all: &[(Gateway, Policies)]) -> Result<Vec<Reloaded>, ReloadError> {
    let changes = all.iter().map(|(gateway, policies)| gateway.change(policies));
    let changes = changes.collect::<Result<Vec<_>, _>>()?;
    let reloaded = changes.iter().map(Change::told).collect();
    put_in_force(changes)?;
    Ok(reloaded)
}

/// A document that was read.
struct Read {
    policy: Policy,
    digest: String,
    warnings: Vec<String>,
}

impl Read {
    fn told(&self) -> Reloaded {
        Reloaded { policy: self.digest.clone(), warnings: self.warnings.clone(), grants: BTreeMap::new() }
    }
}

/// Policies that were read, and where they are to be put in force.
struct Change<'g> {
    gateway: &'g Gateway,
    server: Read,
    /// Those of grants, if they change.
    grants: Option<BTreeMap<Arc<str>, Read>>,
}

/// What becomes of the seat of a grant.
struct Seating {
    grant: Arc<str>,
    digest: String,
    guard: Seated,
}

enum Seated {
    /// Its guard goes on under another policy.
    Goes(Box<Policy>),
    /// It has none yet: one that knows what an earlier process has left, and what of that is to be forgotten.
    New(Box<Guard>, Vec<Note>),
}

/// Puts policies in force and on record, all of them or none.
fn put_in_force(changes: Vec<Change<'_>>) -> Result<(), ReloadError> {
    // Two that each hold what the other waits for would wait for ever.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let gateways: Vec<&Gateway> = changes.iter().map(|change| change.gateway).collect();
    for (place, (gateway, change)) in gateways.iter().zip(&changes).enumerate() {
        if gateways.iter().take(place).any(|other| Arc::ptr_eq(&other.shared, &gateway.shared)) {
            return Err(ReloadError::Twice(gateway.server().to_owned()));
        }
        if gateway.shared.store.is_some() {
            for read in change.reads() {
                check_shared(&read.policy)?;
            }
        }
    }
    let courts = gateways.iter().map(|gateway| gateway.shared.court.lock().map_err(|_| ReloadError::Unavailable));
    let mut courts = courts.collect::<Result<Vec<_>, _>>()?;
    let mut lines: Vec<(usize, Line)> = Vec::new();
    for (place, (court, change)) in courts.iter().zip(&changes).enumerate() {
        lines.extend(change.lines(court).into_iter().map(|line| (place, line)));
    }
    let changes = courts.iter().zip(changes).map(|(court, change)| change.seatings(court));
    let changes = changes.collect::<Result<Vec<(Read, Option<Vec<Seating>>)>, StateError>>()?;
    let mut tell = |place: usize, line: &Line, undone: bool| match (courts.get_mut(place), gateways.get(place)) {
        (Some(court), Some(gateway)) => line.tell(court, gateway, undone),
        _ => Ok(()),
    };
    for (count, (place, line)) in lines.iter().enumerate() {
        let Err(error) = tell(*place, line, false) else { continue };
        tracing::error!(%error, "the audit takes no line: the policies stay");
        // What stands there of the others did not come true.
        for (place, line) in lines.iter().take(count) {
            if let Err(error) = tell(*place, line, true) {
                tracing::error!(%error, "the audit has a policy that is not in force");
            }
        }
        return Err(ReloadError::NotRecorded);
    }
    for ((court, gateway), (server, seatings)) in courts.iter_mut().zip(&gateways).zip(changes) {
        if gateway.shared.seam.forgets_on_reload() {
            court.guard = Guard::new(server.policy);
        } else {
            court.guard.replace(server.policy);
        }
        court.policy = server.digest.into();
        court.learn(&None, None);
        if let Some(seatings) = seatings {
            court.seat(seatings);
        }
    }
    Ok(())
}

impl Court {
    /// Seats the grants that have policies of their own; those that had one before are judged by the server's.
    fn seat(&mut self, seatings: Vec<Seating>) {
        for seat in self.grants.values_mut() {
            seat.in_force = false;
        }
        // Whose policy was never read has left nothing to keep.
        self.grants.retain(|_, seat| seat.guard.is_some());
        for Seating { grant, digest, guard } in seatings {
            let seat = self.grants.entry(Arc::clone(&grant)).or_insert_with(|| Seat::of(GrantJudge::Nobody));
            (seat.policy, seat.in_force) = (digest.into(), true);
            match (guard, &mut seat.guard) {
                (Seated::Goes(policy), Some(guard)) => guard.replace(*policy),
                (Seated::Goes(policy), none) => *none = Some(Guard::new(*policy)),
                (Seated::New(guard, forgotten), place) => {
                    *place = Some(*guard);
                    let forgotten = self.ledger.as_mut().map(|ledger| ledger.forget(Some(&grant), forgotten));
                    if let Some(Err(error)) = forgotten {
                        tracing::error!(%error, "the store does not take what is to be forgotten");
                    }
                }
            }
            self.learn(&Some(grant), None);
        }
    }
}

impl Change<'_> {
    fn told(&self) -> Reloaded {
        let grants = self.grants.iter().flatten().map(|(grant, read)| (grant.to_string(), read.told()));
        Reloaded { grants: grants.collect(), ..self.server.told() }
    }

    fn reads(&self) -> impl Iterator<Item = &Read> {
        std::iter::once(&self.server).chain(self.grants.iter().flat_map(BTreeMap::values))
    }

    fn seatings(self, court: &Court) -> Result<(Read, Option<Vec<Seating>>), StateError> {
        let Self { gateway, server, grants } = self;
        let seating = |(grant, read): (Arc<str>, Read)| {
            let Read { policy, digest, .. } = read;
            if court.grants.get(&grant).is_some_and(|seat| seat.guard.is_some()) {
                return Ok(Seating { grant, digest, guard: Seated::Goes(Box::new(policy)) });
            }
            let mut guard = Box::new(Guard::new(policy));
            let forgotten = match &court.ledger {
                Some(ledger) => ledger.tell(Some(&grant), &mut guard, gateway.now_ms())?.1,
                None => Vec::new(),
            };
            Ok(Seating { grant, digest, guard: Seated::New(guard, forgotten) })
        };
        let seatings = grants.map(|grants| grants.into_iter().map(seating).collect::<Result<_, StateError>>());
        Ok((server, seatings.transpose()?))
    }

    /// What is to stand on record: the server's policy always, those of grants where they change.
    fn lines(&self, court: &Court) -> Vec<Line> {
        let (from, to) = (court.policy.to_string(), Some(self.server.digest.clone()));
        let mut lines = vec![Line { grant: None, from, to }];
        let Some(grants) = &self.grants else { return lines };
        let in_force = |grant: &Arc<str>| court.grants.get(grant).filter(|seat| seat.in_force);
        for (grant, read) in grants {
            let from = in_force(grant).map(|seat| seat.policy.to_string()).unwrap_or_default();
            if from != read.digest {
                lines.push(Line { grant: Some(grant.to_string()), from, to: Some(read.digest.clone()) });
            }
        }
        for (grant, seat) in court.grants.iter().filter(|(grant, seat)| seat.in_force && !grants.contains_key(*grant)) {
            lines.push(Line { grant: Some(grant.to_string()), from: seat.policy.to_string(), to: None });
        }
        lines
    }
}

/// A line of the audit about a change of policy.
struct Line {
    grant: Option<String>,
    from: String,
    /// Nothing if the grant has no policy of its own any more.
    to: Option<String>,
}

impl Line {
    fn tell(&self, court: &mut Court, gateway: &Gateway, undone: bool) -> std::io::Result<()> {
        let name = match &self.to {
            _ if undone => "policy_reload_undone",
            Some(_) => "policy_reloaded",
            None => "policy_withdrawn",
        };
        let mut fields = vec![("from", self.from.as_str())];
        fields.extend(self.to.as_deref().map(|to| ("policy", to)));
        fields.extend(self.grant.as_deref().map(|grant| ("grant", grant)));
        let Court { audit, line, .. } = court;
        event(name, gateway.now_ms(), gateway.server(), &fields, line);
        audit.record(line)
    }
}

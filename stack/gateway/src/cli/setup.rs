//! From the command line to a gateway.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(feature = "redis")]
use std::time::Duration;

use mcp_gateway::admin::Watch;
use mcp_gateway::{
    ApprovalBook, AuditKey, AuditSink, ChainedAudit, ChainedAuditError, Durability, Gateway, GatewayConfig,
    GatewayLimits, GrantBook, GrantJudge, KillSwitch, Ledger, Notifier, Pins, PolicyDocument, RestartLimits, Rotation,
    SharedAudit, SharedLimits, StateDir, WriterAudit, check_own, system_clock,
};
#[cfg(feature = "redis")]
use mcp_gateway::{RedisLimits, check_shared};
use mcp_policy::{Guard, Policy};

use super::args::{GatewayArgs, Survives};
use super::failure::Failure;
use super::settings::{ServerSettings, Settings};

/// A policy with the digest of its document and parts.
pub(super) struct Source {
    pub(super) policy: Policy,
    pub(super) digest: String,
}

/// Reads the policy and says on standard error what it says in vain.
pub(super) fn read_policy(path: &Path) -> Result<Source, Failure> {
    let document =
        PolicyDocument::read(path).map_err(|source| Failure::PolicyUnread { path: path.to_owned(), source })?;
    let policy = document.parse().map_err(|errors| Failure::PolicyInvalid { path: path.to_owned(), errors })?;
    let mut stderr = io::stderr().lock();
    for warning in policy.warnings() {
        // Nobody may be reading, which is no reason not to start.
        let _ = writeln!(stderr, "warning: {}: {warning}", path.display());
    }
    Ok(Source { policy, digest: document.digest() })
}

/// Reads the policy of one grant.
pub(super) fn read_own(path: &Path) -> Result<Source, Failure> {
    let source = read_policy(path)?;
    check_own(&source.policy).map_err(|rules| Failure::NotOwn { path: path.to_owned(), rules })?;
    Ok(source)
}

/// Where the policies of grants are that have one of their own, by what the file says and by what was given with the grant.
pub(super) fn own_policies(settings: &Settings) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut paths = settings.grants.clone();
    let Some(folder) = &settings.args.state else { return Ok(paths) };
    for grant in GrantBook::open(&StateDir::new(folder, Durability::Process)?)?.list()? {
        let Some(path) = grant.policy.filter(|_| grant.revoked_ms.is_none()) else { continue };
        if paths.insert(grant.name.clone(), path).is_some() {
            return Err(Failure::Usage(format!(
                "the grant `{0}` was given with a policy, and `[grants.{0}]` names another: leave one of them out",
                grant.name
            )));
        }
    }
    Ok(paths)
}

/// Whether a policy can be held with the limits that gateways share, if they share some.
#[cfg_attr(not(feature = "redis"), expect(clippy::unnecessary_wraps, reason = "with the feature it may fail"))]
pub(super) fn check_policy(args: &GatewayArgs, source: &Source) -> Result<(), Failure> {
    #[cfg(feature = "redis")]
    if args.shared_store.is_some() {
        check_shared(&source.policy)?;
    }
    #[cfg(not(feature = "redis"))]
    let _ = (args, source);
    Ok(())
}

/// A gateway, and what it stands in front of.
pub(super) struct Guarded {
    pub(super) server: ServerSettings,
    pub(super) gateway: Gateway,
}

/// A gateway for each server, under policies that are all read before anything is opened; whatever their audit takes,
/// `watch` sees as well if somebody looks at it. Each has a guard, a lock, pins and a ledger of its own: what they share is
/// the audit, the kill switch and the folder.
pub(super) fn gateways(
    settings: &Settings,
    watch: &Watch,
    notifier: Option<&Arc<dyn Notifier>>,
) -> Result<Vec<Guarded>, Failure> {
    let args = &settings.args;
    let sources = settings.servers.iter().map(|server| read_policy(&server.policy)).collect::<Result<Vec<_>, _>>()?;
    let own = own_policies(settings)?;
    let audit_key = audit_key(args)?;
    let audit =
        audit(args, audit_key.as_ref()).map_err(|source| Failure::Audit { path: args.audit.clone(), source })?;
    let audit = SharedAudit::new(if args.admin.is_some() { Box::new(watch.over(audit)) } else { audit });
    let kill = match &args.kill_file {
        None => KillSwitch::new(),
        Some(path) => kill_switch(path)?,
    };
    let shared_limits = shared_limits(args)?;
    let mut gateways = Vec::new();
    for (server, source) in settings.servers.iter().zip(sources) {
        let common = Common {
            audit: audit.clone(),
            kill: kill.clone(),
            shared_limits: shared_limits.clone(),
            notifier: notifier.cloned(),
        };
        gateways.push(Guarded { server: server.clone(), gateway: gateway(args, server, source, &own, common)? });
    }
    Ok(gateways)
}

/// What all gateways of a process share.
struct Common {
    audit: SharedAudit,
    kill: KillSwitch,
    shared_limits: Option<Arc<dyn SharedLimits>>,
    notifier: Option<Arc<dyn Notifier>>,
}

fn audit_key(args: &GatewayArgs) -> Result<Option<AuditKey>, Failure> {
    let Some(path) = &args.audit_key_file else { return Ok(None) };
    let key = std::fs::read(path).map_err(|source| Failure::AuditKeyUnread { path: path.clone(), source })?;
    Ok(Some(AuditKey::new(&key)?))
}

/// Who judges a grant that has a policy of its own. One that cannot be read holds nobody else up: the grant's calls are
/// denied until it can.
fn judge(args: &GatewayArgs, path: &Path) -> Result<GrantJudge, Failure> {
    let source = read_own(path)?;
    check_policy(args, &source)?;
    Ok(GrantJudge::Guard(Box::new(Guard::new(source.policy)), source.digest))
}

fn gateway(
    args: &GatewayArgs,
    server: &ServerSettings,
    source: Source,
    own: &BTreeMap<String, PathBuf>,
    common: Common,
) -> Result<Gateway, Failure> {
    let Common { audit, kill, shared_limits, notifier } = common;
    check_policy(args, &source)?;
    let clock = system_clock();
    let mut guard = Guard::new(source.policy);
    let (mut grants, mut unread) = (BTreeMap::new(), Vec::new());
    for (grant, path) in own {
        let judge = judge(args, path).unwrap_or_else(|failure| {
            let _ = writeln!(io::stderr(), "error: grant `{grant}`, whose calls are all denied: {failure}");
            unread.push((grant, failure.to_string()));
            GrantJudge::Nobody
        });
        grants.insert(grant.clone(), judge);
    }
    let (mut approvals, mut ledger) = (None, None);
    if let Some(folder) = &args.state {
        let durability = match args.durability {
            Survives::Power => Durability::Power,
            Survives::Process => Durability::Process,
        };
        let state = StateDir::new(folder, durability)?;
        approvals = Some(ApprovalBook::open(&state)?);
        let mut reserved = Ledger::open(&state, &server.name)?;
        let mut forgotten = reserved.refill(&mut guard, clock())?;
        for (grant, judge) in &mut grants {
            if let GrantJudge::Guard(guard, _) = judge {
                forgotten += reserved.refill_of(Some(grant), guard, clock())?;
            }
        }
        if forgotten > 0 {
            tracing::warn!(forgotten, "charges of counters that the policy no longer has are not counted");
        }
        // Whoever waits for the disk should not wait for the others, nor the others for it.
        ledger = Some(match durability {
            Durability::Power => reserved.in_groups()?,
            Durability::Process => reserved,
        });
    }
    let pins = pins(server)?;
    let config = GatewayConfig {
        kill,
        grants,
        pins,
        approvals,
        notifier,
        approval_window_ms: args.approval_window.saturating_mul(1000),
        ledger,
        shared_limits,
        audit: Box::new(audit),
        audit_key: audit_key(args)?,
        policy: source.digest,
        limits: GatewayLimits {
            in_flight_max: args.max_in_flight,
            frame_bytes_max: args.max_frame,
            drain_ms: args.drain,
            restart: RestartLimits {
                max: args.restarts,
                wait_ms: args.restart_wait,
                wait_max_ms: args.restart_wait_max,
                holds_ms: args.restart_holds,
                handshake_ms: args.restart_handshake,
            },
            ..GatewayLimits::default()
        },
        ..GatewayConfig::new(clock, |_: &str| Ok(()), server.name.clone())
    };
    let gateway = Gateway::new(guard, config);
    for (grant, message) in unread {
        gateway.record_event("policy_refused", &[("grant", grant), ("message", &message)]);
    }
    gateway.record_approvals();
    gateway.notify_pending();
    Ok(gateway)
}

/// The store that gateways share, if one was named.
#[cfg(feature = "redis")]
fn shared_limits(args: &GatewayArgs) -> Result<Option<Arc<dyn SharedLimits>>, Failure> {
    let Some(address) = &args.shared_store else { return Ok(None) };
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).map_err(|source| Failure::PasswordUnread { path: path.clone(), source })
    };
    let password = args.shared_store_password_file.as_ref().map(read).transpose()?;
    let timeout = Duration::from_millis(args.shared_store_timeout);
    Ok(Some(Arc::new(RedisLimits::new(address, password.as_deref().map(str::trim), timeout)?)))
}

#[cfg(not(feature = "redis"))]
#[expect(clippy::unnecessary_wraps, reason = "with the feature it may fail")]
fn shared_limits(_: &GatewayArgs) -> Result<Option<Arc<dyn SharedLimits>>, Failure> {
    Ok(None)
}

/// A chain in a file. Standard error and devices keep plain lines: what has no end to read cannot be carried on.
fn audit(args: &GatewayArgs, key: Option<&AuditKey>) -> Result<Box<dyn AuditSink>, ChainedAuditError> {
    if args.audit == Path::new("-") {
        return Ok(Box::new(WriterAudit::new(io::stderr())));
    }
    if let Ok(metadata) = std::fs::metadata(&args.audit)
        && !metadata.is_file()
        && !metadata.is_dir()
    {
        let device = std::fs::OpenOptions::new().write(true).open(&args.audit)?;
        return Ok(Box::new(WriterAudit::new(device)));
    }
    let chained = ChainedAudit::open(&args.audit, key, Rotation { bytes_max: args.audit_rotate })?;
    Ok(Box::new(if args.audit_sync { chained.synced() } else { chained }))
}

pub(super) fn kill_switch(path: &Path) -> Result<KillSwitch, Failure> {
    KillSwitch::with_file(path).map_err(|source| Failure::Kill { path: path.to_owned(), source })
}

/// The pins of a server, if it has some.
pub(super) fn pins(server: &ServerSettings) -> Result<Option<Pins>, Failure> {
    let Some(path) = &server.pins else { return Ok(None) };
    let text = std::fs::read_to_string(path)
        .map_err(|source| Failure::Pin(format!("cannot read the pins `{}`: {source}", path.display())))?;
    let pins = Pins::parse(&text).map_err(|error| Failure::Pin(format!("`{}`: {error}", path.display())))?;
    Ok(Some(pins))
}

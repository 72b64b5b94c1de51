//! Our gateway in front of the MCP server, in process.

use std::sync::Arc;

use mcp_gateway::mcp_policy::{Guard, Policy};
use mcp_gateway::{Gateway, GatewayConfig, Identity, MemoryAudit};

use super::kind::{Capability, TargetError};
use super::stack::{Rest, Setting, Stack, Target, Task};
use super::upstream;
use crate::agent::tap::{Tap, pipe};
use crate::agent::transcript::Leg;

pub(super) struct Embedded;

impl Target for Embedded {
    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Clock, Capability::Policy]
    }

    fn open(&self, setting: &Setting<'_>) -> Result<Stack, TargetError> {
        let (gateway, audit) = gateway(setting)?;
        let (front, inner_front) = pipe();
        let (inner_back, tapped) = pipe();
        let (behind_tap, back) = pipe();
        let server = upstream::start(setting, back)?;
        let tap = Tap::open(Leg::Upstream, setting.transcript.clone(), tapped, behind_tap);
        let handle = tokio::spawn(async move {
            let (front_read, front_write) = inner_front;
            let (back_read, back_write) = inner_back;
            let identity = Identity::new("desk", "session-1");
            let served = gateway.serve(identity, front_read, front_write, back_read, back_write).await;
            served.map(|_| ()).map_err(|error| error.to_string())
        });
        let rest = Rest {
            audit: Some(Arc::new(move || audit.lines())),
            behind_gateway: true,
            sees_upstream: true,
            tap: Some(tap),
            tasks: vec![Task { what: "the gateway", handle }, server],
        };
        Ok(Stack { front, rest })
    }
}

/// The gateway of a setting, and what it records.
pub(super) fn gateway(setting: &Setting<'_>) -> Result<(Gateway, MemoryAudit), TargetError> {
    let policy = setting.policy.document().parse().map_err(|errors| TargetError::Policy(errors.to_string()))?;
    let audit = MemoryAudit::new();
    let mut config = GatewayConfig::new(setting.clock.clone(), audit.clone(), "binance");
    config.policy = setting.policy.digest();
    let guard = defect::guard(policy, setting.mutation, &mut config)?;
    Ok((Gateway::new(guard, config), audit))
}

#[cfg(feature = "mutants")]
mod defect {
    use mcp_gateway::mcp_policy::Mutation;
    use mcp_gateway::{GatewayConfig, GatewayMutation};

    use super::{Guard, Policy, TargetError};

    /// The guard, with the defect of that name in it or in the gateway round it.
    pub(super) fn guard(
        policy: Policy,
        mutation: Option<&str>,
        config: &mut GatewayConfig,
    ) -> Result<Guard, TargetError> {
        let Some(name) = mutation else { return Ok(Guard::new(policy)) };
        if let Ok(mutation) = name.parse::<Mutation>() {
            return Ok(Guard::mutant(policy, mutation));
        }
        let mutation = name.parse::<GatewayMutation>().map_err(|_| {
            let names = Mutation::ALL.iter().map(ToString::to_string);
            let names = names.chain(GatewayMutation::ALL.iter().map(ToString::to_string)).collect::<Vec<_>>();
            TargetError::Mutation(format!("no mutation is called `{name}`: use one of {}", names.join(", ")))
        })?;
        config.mutation = Some(mutation);
        Ok(Guard::new(policy))
    }
}

#[cfg(not(feature = "mutants"))]
mod defect {
    use mcp_gateway::GatewayConfig;

    use super::{Guard, Policy, TargetError};

    pub(super) fn guard(policy: Policy, mutation: Option<&str>, _: &mut GatewayConfig) -> Result<Guard, TargetError> {
        match mutation {
            None => Ok(Guard::new(policy)),
            Some(_) => Err(TargetError::Mutation("mutations need a build with the feature `mutants`".to_owned())),
        }
    }
}

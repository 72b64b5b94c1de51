//! Our guard and gateway, with the deliberate defect that a run asks for.

use mcp_gateway::GatewayConfig;
use mcp_gateway::mcp_policy::{Guard, Policy};
#[cfg(feature = "mutants")]
use mcp_gateway::{GatewayMutation, mcp_policy::Mutation};

use super::kind::TargetError;

/// The guard, with the defect of that name in it or in the gateway round it.
#[cfg(feature = "mutants")]
pub(super) fn guard(policy: Policy, mutation: Option<&str>, config: &mut GatewayConfig) -> Result<Guard, TargetError> {
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

/// The guard; defects are of other builds.
#[cfg(not(feature = "mutants"))]
pub(super) fn guard(policy: Policy, mutation: Option<&str>, _: &mut GatewayConfig) -> Result<Guard, TargetError> {
    match mutation {
        None => Ok(Guard::new(policy)),
        Some(_) => Err(TargetError::Mutation("mutations need a build with the feature `mutants`".to_owned())),
    }
}

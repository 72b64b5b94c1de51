//! The runs that a scenario asks for, and the verdict on them.

use std::time::Instant;

use super::one::{self, Plan};
use super::options::RunOptions;
use crate::scenario::{Case, Expect, Plan as Asked};
#[cfg(feature = "embedded")]
use crate::target::TargetError;
use crate::target::{Target, TargetKind};
use crate::verdict::{Role, RunResult, ScenarioResult, Verdict, judge_attack, judge_session, judge_workflow};

/// Runs a scenario and judges it.
///
/// An attack is run three times: against the MCP server alone, where it must do its harm or else proves nothing;
/// behind the target's gateway, where it must not; and its honest twin behind the gateway, which must pass. A
/// workflow is first tried on the MCP server alone, for one that does not even work there proves nothing either.
///
/// Needs a current-thread runtime with IO and time, such as [`runtime`](super::runtime) makes.
pub async fn run_scenario(case: &Case, options: &RunOptions) -> ScenarioResult {
    let begun = Instant::now();
    let scenario = &case.scenario;
    let mut runs = Vec::new();
    let command = options.command.as_ref().map(|command| Ok(command as &dyn Target));
    let verdict = match (
        command.unwrap_or_else(|| options.target.target().map(|target| target as &dyn Target)),
        TargetKind::Bare.target(),
    ) {
        (Ok(target), Ok(bare)) => match scenario.plan() {
            Some(asked) => judged(case, options, &asked, target, bare, &mut runs).await,
            None => Verdict::Broken("an attack needs a twin".to_owned()),
        },
        (Err(error), _) | (_, Err(error)) => Verdict::Broken(error.to_string()),
    };
    ScenarioResult {
        id: scenario.id.to_string(),
        title: scenario.title.clone(),
        kind: scenario.kind,
        group: scenario.group,
        upstream: scenario.upstream,
        path: case.path.clone(),
        verdict,
        runs,
        elapsed: begun.elapsed(),
    }
}

/// Makes one run of a scenario and does not judge the scenario by it. Nothing when the scenario has no such run.
#[cfg(feature = "embedded")]
pub(crate) async fn run_alone(case: &Case, options: &RunOptions, role: Role) -> Result<Option<RunResult>, TargetError> {
    let nothing = Expect::default();
    let (steps, expect) = match (case.scenario.plan(), role) {
        (
            Some(Asked::Attack { steps, .. } | Asked::Workflow { steps, .. } | Asked::Session { steps, .. }),
            Role::Control,
        ) => (steps, &nothing),
        (Some(Asked::Attack { steps, hold, .. }), Role::Protected) => (steps, hold),
        (Some(Asked::Attack { twin, .. }), Role::Twin) => (twin.steps.as_slice(), &twin.expect),
        (Some(Asked::Workflow { steps, expect }), Role::Workflow)
        | (Some(Asked::Session { steps, expect }), Role::Session) => (steps, expect),
        _ => return Ok(None),
    };
    let kind = if role == Role::Control { TargetKind::Bare } else { options.target };
    let plan = Plan {
        role,
        case,
        target: kind.target()?,
        target_name: kind.name(),
        steps,
        expect,
        policy: options.policy.as_ref().unwrap_or(&case.policy),
        mutation: options.mutation.as_deref(),
        seed: options.seed,
        watch: options.watch,
        record: options.record.as_deref(),
    };
    Ok(Some(one::run(&plan).await))
}

async fn judged(
    case: &Case,
    options: &RunOptions,
    asked: &Asked<'_>,
    target: &dyn Target,
    bare: &dyn Target,
    runs: &mut Vec<RunResult>,
) -> Verdict {
    let policy = options.policy.as_ref().unwrap_or(&case.policy);
    let nothing = Expect::default();
    let name = options.target_name();
    let plan = |role, steps, expect| Plan {
        role,
        case,
        target: if role == Role::Control { bare } else { target },
        target_name: if role == Role::Control { TargetKind::Bare.name() } else { &name },
        steps,
        expect,
        policy,
        mutation: options.mutation.as_deref(),
        seed: options.seed,
        watch: options.watch,
        record: options.record.as_deref(),
    };
    match asked {
        Asked::Attack { steps, hold, twin, .. } => {
            let control = one::run(&plan(Role::Control, steps, &nothing)).await;
            let protected = one::run(&plan(Role::Protected, steps, hold)).await;
            let twin = one::run(&plan(Role::Twin, &twin.steps, &twin.expect)).await;
            let verdict = judge_attack(&control, &protected, &twin);
            runs.extend([control, protected, twin]);
            verdict
        }
        // What it was told is what is held against it, so that there is nothing to learn without a gateway.
        Asked::Session { steps, expect } => {
            let session = one::run(&plan(Role::Session, steps, expect)).await;
            let verdict = judge_session(&session);
            runs.push(session);
            verdict
        }
        Asked::Workflow { steps, expect } => {
            let (exchange, agent) = (expect.exchange.clone(), expect.agent.clone());
            let alone = Expect { exchange, agent, ..Expect::default() };
            let control = one::run(&plan(Role::Control, steps, &alone)).await;
            let workflow = one::run(&plan(Role::Workflow, steps, expect)).await;
            let verdict = if control.error.is_none() && !control.failures.is_empty() {
                let failures = control.failures.join("; ");
                Verdict::Broken(format!("the workflow does not even work without a gateway: {failures}"))
            } else {
                judge_workflow(&workflow)
            };
            runs.extend([control, workflow]);
            verdict
        }
    }
}

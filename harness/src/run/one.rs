//! One run from set-up to evidence.

use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use serde_json::{Map, Value};

use super::cast::Cast;
use super::judge::{self, Traces};
use super::said::{Said, denials, tally};
use super::script::{Manner, Script};
use super::stage::Stage;
use super::tape;
use super::watching::Watching;
use crate::agent::client::{Agent, Sent, settle};
use crate::agent::transcript::{Direction, Leg, Transcript, render};
use crate::record::Proxy;
use crate::scenario::{
    AuditCheck, Case, Expect, Kind, LiveCheck, Located, Operator, Outcome, PolicyFile, Scenario, Step,
};
use crate::soft::{Guise, tools};
use crate::target::{Capability, Setting, Target};
use crate::verdict::{Role, RunResult};
use crate::witness::{self, Evidence, LiveMark};

/// What is run.
pub(crate) struct Plan<'a> {
    pub(crate) role: Role,
    pub(crate) case: &'a Case,
    pub(crate) target: &'a dyn Target,
    pub(crate) target_name: &'a str,
    pub(crate) steps: &'a [Located<Step>],
    /// The parts of the run's own expectations.
    pub(crate) expect: &'a Expect,
    pub(crate) policy: &'a PolicyFile,
    pub(crate) mutation: Option<&'a str>,
    pub(crate) seed: Option<u64>,
    /// Whether each step is taken down.
    pub(crate) watch: bool,
    /// A folder for the run's tape.
    pub(crate) record: Option<&'a Path>,
}

impl Plan<'_> {
    const fn is_honest(&self) -> bool {
        matches!(self.role, Role::Twin | Role::Workflow)
    }
}

/// Carries a run out. Whatever goes wrong is in the result.
pub(crate) async fn run(plan: &Plan<'_>) -> RunResult {
    let begun = Instant::now();
    let mut result = RunResult::new(plan.role);
    result.untestable = untestable(plan);
    if result.untestable.is_none()
        && let Err(error) = carry_out(plan, &mut result).await
    {
        result.error = Some(error);
    }
    result.elapsed = begun.elapsed();
    result
}

fn untestable(plan: &Plan<'_>) -> Option<String> {
    let scenario = &plan.case.scenario;
    let lacks = |capability| !plan.target.capabilities().contains(&capability);
    let has = |holds: fn(&Step) -> bool| plan.steps.iter().any(|step| step.value.any(&holds));
    if has(|step| matches!(step, Step::Advance(_))) && lacks(Capability::Clock) {
        return Some("the target's clock does not follow the run's: `advance` means nothing to it".to_owned());
    }
    if (!scenario.agents.is_empty() || has(|step| matches!(step, Step::Reconnect(_)))) && lacks(Capability::Agents) {
        return Some("the target serves one agent on one connection, and the script needs several".to_owned());
    }
    // Without a gateway there is nobody to do anything, and nothing to be given.
    if !plan.target.has_gateway() {
        return None;
    }
    if has(|step| matches!(step, Step::Operator(_))) && lacks(Capability::Operator) {
        return Some("nobody runs the target who could do what the script's operator does".to_owned());
    }
    if scenario.pinned && lacks(Capability::Pins) {
        return Some("the target cannot be told which tools the server has".to_owned());
    }
    if let Some(why) = plan.target.unfit(plan.policy) {
        return Some(why);
    }
    (plan.expect.audit != AuditCheck::default() && plan.target.hides_audit() && !plan.target.by_effects())
        .then(|| "nobody can read what the target has written down: give it a place `{audit}`".to_owned())
}

/// Whether the gateway has to keep something in a folder.
pub(crate) fn durable(scenario: &Scenario) -> bool {
    let stores = |step: &Step| {
        let Step::Operator(operator) = step else { return false };
        match operator {
            Operator::Approve
            | Operator::Deny
            | Operator::Restart
            | Operator::RestartRefused
            | Operator::BreakStore
            | Operator::MendStore
            | Operator::TamperAudit(_) => true,
            Operator::ThrowKillSwitch
            | Operator::ReleaseKillSwitch
            | Operator::Reload(_)
            | Operator::ReloadBroken(_)
            | Operator::FillAudit
            | Operator::EmptyAudit => false,
        }
    };
    let expects = [Some(&scenario.hold), Some(&scenario.expect), scenario.twin.as_ref().map(|twin| &twin.expect)];
    scenario.has_step(stores) || expects.into_iter().flatten().any(|expect| expect.audit.chain_whole.is_some())
}

async fn carry_out(plan: &Plan<'_>, result: &mut RunResult) -> Result<(), String> {
    let scenario = &plan.case.scenario;
    let mut stage = Stage::set(&scenario.exchange, plan.seed).await.map_err(|error| error.to_string())?;
    let secrets = stage.secrets();
    let start_ms = stage.mock.clock().now_ms();
    let transcript = Transcript::new(stage.clock());
    let tapped = match plan.record {
        Some(_) => Some(tape::tap(&stage.mock.rest_url(), &transcript).await?),
        None => None,
    };
    let rest_url = tapped.as_ref().map_or_else(|| stage.mock.rest_url(), Proxy::url);
    let setting = Setting {
        rest_url: &rest_url,
        keys: &stage.owner,
        clock: stage.clock(),
        upstream: scenario.upstream,
        policy: plan.policy,
        grants: &plan.case.grants,
        mutation: plan.mutation,
        durable: durable(scenario),
        pinned: scenario.pinned,
        guise: Guise::default(),
        transcript: transcript.clone(),
    };
    let guise = setting.guise.clone();
    let stack = plan.target.open(&setting).map_err(|error| error.to_string())?;
    if let (Some(_), Some(audit)) = (plan.record, &stack.audit) {
        transcript.follow(audit.clone());
    }
    let cast = Cast::connect(stack, transcript.clone(), &scenario.agents).await?;
    let listed = if plan.target.by_effects() { list_tools(&cast, &transcript).await? } else { 0..0 };
    transcript.end_section();

    let manner =
        Manner { judged: plan.role != Role::Control, honest: plan.is_honest(), by_effects: plan.target.by_effects() };
    let watching = plan.watch.then(|| Watching::new(&stage));
    let mut script = Script::new(cast, plan.case, guise, &mut stage, transcript.clone(), manner, watching);
    let played = script.play(plan.steps).await;
    let Script { mut cast, listeners, said, notified, mut failures, timed, watching, .. } = script;
    result.timed = timed;
    result.course = watching.map(Watching::finish).map(Box::new);

    let mut mark = None;
    if let (Ok(()), Some(live), true) = (&played, &plan.expect.live, manner.judged) {
        let begun = Mark {
            exchange: LiveMark { requests: stage.mock.requests().len(), path: path_of(&live.tool) },
            audit: cast.stack.audit_lines().len(),
            upstream: transcript.frames(Leg::Upstream, Direction::ToServer).len(),
            to_agent: transcript.frames(Leg::Agent, Direction::ToClient).len(),
        };
        failures.extend(still_answers(cast.agent(None)?, live).await);
        settle().await;
        transcript.end_section();
        mark = Some(begun);
    }

    // From here on nothing new can begin, and when all have ended nothing is left that could still happen.
    let closed = cast.close().await;
    let Cast { mut stack, .. } = cast;
    let ended = stack.ended().await;
    let heard = listeners.close(stage.mock.stream_stats().frames_sent).await;
    transcript.end_section();
    for (name, frames) in heard {
        for frame in frames {
            transcript.note(format!("stream `{name}` < {frame}"));
            if plan.record.is_some() {
                tape::heard(&transcript, &name, &frame);
            }
        }
    }
    if let Some(folder) = plan.record {
        tape::write(folder, plan, &stage, &transcript.events(), start_ms)?;
    }

    let evidence = stage.witness.evidence(&stage.mock, mark.as_ref().map(|mark| &mark.exchange));
    result.damage = evidence.damage(&scenario.harm.params_seen);
    result.agent = tally(&said);
    result.denials = denials(&said);
    result.transcript = render(&transcript.events(), start_ms, |text| secrets.redact(text));
    result.journal = evidence.lines().iter().map(|line| secrets.redact(line)).collect();
    played.map_err(|error| error.to_string())?;
    match closed.and(ended) {
        // A stranger that breaks down under what it was sent has been found wanting, and the run has taught that.
        Err(error) if plan.target.by_effects() => failures.push(error),
        ended => ended?,
    }

    let live_tool = plan.expect.live.as_ref().map(|live| live.tool.as_str());
    let mut audit = stack.audit_lines();
    let upstream_calls = upstream_calls(&transcript, mark.as_ref().map(|mark| mark.upstream), live_tool);
    if let (Some(mark), Some(tool)) = (&mark, live_tool) {
        let own = audit.iter().enumerate().skip(mark.audit).find(|(_, line)| is_about(line, tool));
        if let Some(at) = own.map(|(at, _)| at) {
            audit.remove(at);
        }
    }
    result.audit_lines = u64::try_from(audit.len()).unwrap_or(u64::MAX);
    let mut to_agent = transcript.frames(Leg::Agent, Direction::ToClient);
    if let Some(mark) = &mark {
        to_agent.truncate(mark.to_agent);
    }
    to_agent.drain(listed);
    let traces = Traces {
        evidence: &evidence,
        said: &said,
        notified,
        to_agent: &to_agent,
        upstream_calls: stack.sees_upstream.then_some(upstream_calls.as_slice()),
        audit: stack.has_audit().then_some(audit.as_slice()),
        chain: stack.door.chain_is_whole(),
        secrets: &secrets,
    };
    judge_run(plan, &traces, failures, result);
    // The exchange waits for connections that are still open.
    drop(tapped);
    stage.mock.shutdown().await;
    Ok(())
}

fn judge_run(plan: &Plan<'_>, traces: &Traces<'_>, failures: Vec<String>, result: &mut RunResult) {
    let scenario = &plan.case.scenario;
    let harm = |evidence: &Evidence| witness::check(&scenario.harm, evidence);
    result.failures = failures;
    match plan.role {
        Role::Control => {
            result.failures.extend(harm(traces.evidence));
            result.failures.extend(witness::check(&plan.expect.exchange, traces.evidence));
            if scenario.kind == Kind::Workflow {
                result.failures.extend(judge::honest(&plan.expect.agent, traces.said));
            }
            return;
        }
        Role::Protected => result.harmed = harm(traces.evidence).is_empty(),
        Role::Session => result.harmed = traces.said.iter().any(Said::passed_after_all),
        Role::Twin | Role::Workflow => result.failures.extend(judge::honest(&plan.expect.agent, traces.said)),
    }
    let effects = plan.target.by_effects().then(|| plan.expect.effects(plan.is_honest()));
    let expect = effects.as_ref().unwrap_or(plan.expect);
    result.failures.extend(judge::expectations(expect, traces));
    if traces.upstream_calls.is_some() {
        result.failures.extend(judge::defaults(plan.steps, expect, scenario.upstream, traces));
    }
}

/// Where everything stood when the check of liveness began.
struct Mark {
    exchange: LiveMark,
    audit: usize,
    upstream: usize,
    to_agent: usize,
}

/// Asks for the tools, as clients do before they call any: there are gateways that let nothing else be called. Which frames
/// to the agent that has added.
async fn list_tools(cast: &Cast, transcript: &Transcript) -> Result<Range<usize>, String> {
    let heard = || transcript.frames(Leg::Agent, Direction::ToClient).len();
    let before = heard();
    let agent = cast.agent(None)?;
    let sent = agent.send_request("tools/list", Map::new()).await;
    agent.answers(&[&sent]).await;
    settle().await;
    Ok(before..heard())
}

async fn still_answers(agent: &Agent, live: &LiveCheck) -> Option<String> {
    let sent: Sent = agent.send_call(&live.tool, live.args.0.clone()).await;
    let answer = agent.answers(&[&sent]).await.pop()?;
    (answer.outcome != Outcome::Allowed)
        .then(|| format!("`{}` after all: {}, must be allowed", live.tool, super::said::word(answer.outcome)))
}

fn path_of(tool: &str) -> Option<&'static str> {
    tools().iter().find(|known| known.name == tool).map(|known| known.path)
}

fn is_about(line: &str, tool: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|value| value.get("tool").and_then(Value::as_str) == Some(tool))
}

/// The tool calls that reached the MCP server, without the one that asked whether it still answers.
fn upstream_calls(
    transcript: &Transcript,
    mark: Option<usize>,
    live: Option<&str>,
) -> Vec<(String, Map<String, Value>)> {
    let frames = transcript.frames(Leg::Upstream, Direction::ToServer);
    let mut skipped = false;
    let calls = frames.iter().enumerate().flat_map(|(at, frame)| {
        let mut calls = crate::soft::calls_in(&frame.bytes);
        if mark.is_some_and(|mark| at >= mark) && !skipped && calls.iter().any(|(name, _)| Some(name.as_str()) == live)
        {
            skipped = true;
            calls.clear();
        }
        calls
    });
    calls.collect()
}

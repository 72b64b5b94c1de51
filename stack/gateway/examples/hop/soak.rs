//! Many sessions at once, whose server fails now and then: every call is answered exactly once, and the audit says so.

use mcp_gateway::trail;
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::JoinSet;

use crate::ask::{Ask, is_answer};
use crate::numbers::grouped;
use crate::row::Row;
use crate::stacks::{Stack, Way};
use crate::{Outcome, Size, memory, policy, server};

const SESSIONS: u64 = 64;

pub async fn measure(size: Size) -> Outcome<Vec<Row>> {
    let mut stack = Stack::through(Way::HttpToStdio, &policy::full()?, true).await?;
    let mut sessions = stack.sessions(SESSIONS).await?;
    let each = if size.small { 250 } else { 10_000 };
    let (mut answered, mut failed, mut figures) = (0, 0, Vec::new());
    for step in 0..10 {
        eprintln!("hop: {} calls ...", grouped(step * SESSIONS * each / 10));
        let mut running = JoinSet::new();
        for (at, mut session) in (0..).zip(std::mem::take(&mut sessions)) {
            running.spawn(async move {
                let (mut good, mut bad) = (0_u64, 0_u64);
                let first = 1 + (step * SESSIONS + at) * (each / 10);
                for id in first..first + each / 10 {
                    let ask = if id.is_multiple_of(4) { Ask::Order } else { Ask::Read };
                    let answer = session.ask(ask, id).await.map_err(|error| error.to_string())?;
                    match is_answer(&answer, id) {
                        Ok(true) => good += 1,
                        Ok(false) if server::is_failure(&answer) => bad += 1,
                        Ok(false) => return Err(format!("call {id}: {}", String::from_utf8_lossy(&answer))),
                        Err(error) => return Err(error.to_string()),
                    }
                }
                Ok::<_, String>((session, good, bad))
            });
        }
        while let Some(done) = running.join_next().await {
            let (session, good, bad) = done??;
            sessions.push(session);
            answered += good;
            failed += bad;
        }
        figures.push(memory::resident(stack.gateway.as_ref().ok_or("no gateway")?)?);
    }
    drop(sessions);
    let resident = memory::flat(&figures, SESSIONS * each, "calls");
    let recorded = recorded(&mut stack).await?;
    let calls = SESSIONS * each;
    Ok(vec![
        Row::alone(
            format!("{SESSIONS} sessions, a server that fails: answered / of that as failed"),
            format!("{} / {}", grouped(answered + failed), grouped(failed)),
            format!("{}, some failed", grouped(calls)),
            answered + failed == calls && failed > 0,
        ),
        Row::alone(
            "calls with decision and outcome in the audit, whose chain is whole",
            grouped(recorded),
            grouped(calls),
            recorded == calls,
        ),
        resident,
    ])
}

/// Ends the gateway as an operator does, and counts the calls whose decision and outcome stand in a whole chain.
async fn recorded(stack: &mut Stack) -> Outcome<u64> {
    let gateway = stack.gateway.as_mut().ok_or("no gateway")?;
    let id = gateway.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).ok_or("no gateway")?;
    kill_process(id, Signal::TERM)?;
    if !gateway.wait().await?.success() {
        return Err("the gateway did not end well".into());
    }
    let files = trail::files(&stack.audit())?;
    let verified = trail::verify(&files, None)?;
    if let Some(finding) = verified.finding {
        return Err(format!("the audit is broken: {finding}").into());
    }
    let calls = trail::entries(&files)?.entries.into_iter().filter(|entry| entry.text("tool").is_some());
    let known = calls
        .filter(|call| call.outcome.as_ref().is_some_and(|outcome| outcome.recorded && outcome.outcome != "unknown"));
    Ok(known.count() as u64)
}

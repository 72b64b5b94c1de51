//! How soon the gateway is there, and what stays resident of it.

use std::time::Instant;

use tokio::process::Child;

use crate::ask::Ask;
use crate::calls::middle;
use crate::numbers::{grouped, hundredths};
use crate::row::Row;
use crate::stacks::{Stack, Way};
use crate::{Outcome, Size, policy};

/// From the start of the process to its first answer.
pub async fn ready(size: Size) -> Outcome<Vec<Row>> {
    let policy = policy::full()?;
    let (mut direct, mut through) = (Vec::new(), Vec::new());
    for _ in 0..=size.of(20).max(4) {
        let mut alone = Stack::direct(Way::Stdio).await?;
        let start = Instant::now();
        let session = alone.session().await?;
        direct.push(u64::try_from(start.elapsed().as_nanos())?);
        drop(session);
        let mut guarded = Stack::through(Way::Stdio, &policy, false).await?;
        let start = Instant::now();
        let session = guarded.session().await?;
        through.push(u64::try_from(start.elapsed().as_nanos())?);
        drop(session);
    }
    let (direct, through) = (middle(direct), middle(through));
    let own = through.saturating_sub(direct) / 10_000;
    Ok(vec![
        Row::times("stdio to stdio: from the start to the first answer", direct, through, None),
        Row::alone("of that the gateway itself", format!("{} ms", hundredths(own)), "at most 30 ms", own <= 30 * 100),
    ])
}

/// The kilobytes that are resident of a process.
#[cfg(target_os = "linux")]
pub fn resident(process: &Child) -> Outcome<u64> {
    let id = process.id().ok_or("the gateway has gone")?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no figure of resident memory")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}

#[cfg(not(target_os = "linux"))]
pub fn resident(_: &Child) -> Outcome<u64> {
    Err("resident memory is read on Linux only".into())
}

pub fn megabytes(kilobytes: u64) -> String {
    format!("{} MB", hundredths(kilobytes * 100 / 1_024))
}

pub async fn measure(size: Size) -> Outcome<Vec<Row>> {
    const AT_ONCE: u64 = 16;
    let mut stack = Stack::through(Way::HttpToStdio, &policy::full()?, false).await?;
    let mut session = stack.session().await?;
    let gateway = |stack: &Stack| resident(stack.gateway.as_ref().ok_or("no gateway")?);
    session.call(Ask::Read, 1).await?;
    let idle = gateway(&stack)?;
    let mut rows = vec![Row::alone("resident, one session, idle", megabytes(idle), "below 15 MB", idle < 15 * 1_024)];
    let calls = size.of(1_000_000);
    let mut next = 2;
    // Of reads nothing is remembered but one counter's window; orders have a counter for each that differs from the others.
    for (ask, what) in [(Ask::Read, "reads"), (Ask::Order, "orders")] {
        let mut figures = Vec::new();
        for step in 1..=10 {
            eprintln!("hop: {} {what} ...", grouped(calls / 10 * step));
            for _ in 0..10 {
                session.flood(ask, next, calls / 100, AT_ONCE).await?;
                next += calls / 100;
            }
            figures.push(gateway(&stack)?);
        }
        rows.push(flat(&figures, calls, what));
    }
    Ok(rows)
}

/// Whether what is resident stays as it is, by figures taken at ten steps of as many calls each. At first the windows of the
/// limits fill, and what the policy remembers of orders; so the second half is what counts.
pub fn flat(figures: &[u64], calls: u64, of: &str) -> Row {
    let [.., half, _, _, _, _, end] = figures else {
        return Row::alone("resident", "never told".to_owned(), "ten figures", false);
    };
    let ratio = end * 100 / half.max(&1);
    Row {
        what: format!("resident after {} / {} {of}", grouped(calls / 2), grouped(calls)),
        direct: megabytes(*half),
        through: megabytes(*end),
        ratio: hundredths(ratio),
        target: "at most 1.10".to_owned(),
        met: ratio <= 110,
    }
}

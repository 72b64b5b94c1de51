//! The same calls directly and through the gateway, in turn.

use std::time::Instant;

use tokio::task::JoinSet;

use crate::ask::Ask;
use crate::row::Row;
use crate::sessions::Session;
use crate::stacks::{Stack, Way};
use crate::{Outcome, Size, policy};

/// Odd, so that there is a middle one.
const ROUNDS: u64 = 5;

/// What one call may cost as a multiple of the direct one, in hundredths.
const fn most(way: Way) -> u64 {
    match way {
        Way::InProcess => 130,
        Way::Stdio => 160,
        Way::HttpToStdio => 150,
        Way::Http => 190,
    }
}

pub fn middle(mut of: Vec<u64>) -> u64 {
    of.sort_unstable();
    of.get(of.len() / 2).copied().unwrap_or_default()
}

fn nanos_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Every session makes so many calls, one after another; the nanoseconds that each took.
async fn timed(sessions: Vec<Session>, ask: Ask, first: u64, calls: u64) -> Outcome<(Vec<Session>, Vec<u64>)> {
    let mut running = JoinSet::new();
    for (at, mut session) in (0..).zip(sessions) {
        running.spawn(async move {
            let mut took = Vec::new();
            for id in (first + at * calls..).take(usize::try_from(calls).unwrap_or_default()) {
                let start = Instant::now();
                session.call(ask, id).await.map_err(|error| error.to_string())?;
                took.push(nanos_since(start));
            }
            Ok::<_, String>((session, took))
        });
    }
    let (mut sessions, mut all) = (Vec::new(), Vec::new());
    while let Some(done) = running.join_next().await {
        let (session, took) = done??;
        sessions.push(session);
        all.extend(took);
    }
    Ok((sessions, all))
}

/// The medians of the rounds' medians, directly and through the gateway.
async fn medians(way: Way, policy: &str, ask: Ask, count: u64, calls: u64) -> Outcome<(u64, u64)> {
    let mut stacks = [Stack::direct(way).await?, Stack::through(way, policy, false).await?];
    let mut both = [(); 2].map(|()| Vec::new());
    let mut sessions = [Vec::new(), Vec::new()];
    for (stack, sessions) in stacks.iter_mut().zip(&mut sessions) {
        *sessions = stack.sessions(count).await?;
    }
    let each = calls.div_ceil(count);
    // The first round warms up.
    for round in 0..=ROUNDS {
        for ((sessions, medians), which) in sessions.iter_mut().zip(&mut both).zip(["directly", "through the gateway"])
        {
            let first = 1 + round * count * each;
            let timed = timed(std::mem::take(sessions), ask, first, each).await;
            let (back, took) = timed.map_err(|error| format!("{}, {which}, from call {first}: {error}", way.name()))?;
            *sessions = back;
            if round > 0 {
                medians.push(middle(took));
            }
        }
    }
    let [direct, through] = both.map(middle);
    Ok((direct, through))
}

pub async fn calls(size: Size) -> Outcome<Vec<Row>> {
    let policy = policy::full()?;
    let mut rows = Vec::new();
    for way in size.ways() {
        for (count, ask, what) in [
            (1, Ask::Read, "a read"),
            (1, Ask::Order, "an order"),
            (8, Ask::Order, "an order, 8 sessions"),
            (64, Ask::Order, "an order, 64 sessions"),
        ] {
            eprintln!("hop: {}: {what} ...", way.name());
            let (direct, through) = medians(way, &policy, ask, count, size.of(4_000)).await?;
            let most = (count == 1).then(|| most(way));
            rows.push(Row::times(format!("{}: {what}", way.name()), direct, through, most));
        }
    }
    Ok(rows)
}

/// Calls a second when so many are on their way.
async fn rate(session: &mut Session, first: u64, calls: u64, at_once: u64) -> Outcome<u64> {
    let start = Instant::now();
    session.flood(Ask::Order, first, calls, at_once).await?;
    Ok(calls * 1_000_000_000 / nanos_since(start).max(1))
}

pub async fn throughput(size: Size) -> Outcome<Vec<Row>> {
    const AT_ONCE: u64 = 16;
    let policy = policy::full()?;
    let mut rows = Vec::new();
    for way in size.ways() {
        eprintln!("hop: {}: {AT_ONCE} at once ...", way.name());
        let mut stacks = [Stack::direct(way).await?, Stack::through(way, &policy, false).await?];
        let mut rates = [(); 2].map(|()| Vec::new());
        let calls = size.of(20_000);
        for (stack, rates) in stacks.iter_mut().zip(&mut rates) {
            let mut session = stack.session().await?;
            for round in 0..=ROUNDS {
                let rate = rate(&mut session, 1 + round * calls, calls, AT_ONCE).await?;
                if round > 0 {
                    rates.push(rate);
                }
            }
        }
        let [direct, through] = rates.map(middle);
        rows.push(Row::rates(format!("{}: orders, {AT_ONCE} at once", way.name()), direct, through, 50));
    }
    Ok(rows)
}

pub async fn large(size: Size) -> Outcome<Vec<Row>> {
    const BYTES: usize = 64 << 10;
    let mut rows = Vec::new();
    for way in size.ways() {
        eprintln!("hop: {}: 64 KiB ...", way.name());
        let (direct, through) = medians(way, &policy::of_echo(), Ask::Echo(BYTES), 1, size.of(1_000)).await?;
        let what = format!("{}: 64 KiB there and back", way.name());
        rows.push(Row::times(what, direct, through, Some(200)));
    }
    Ok(rows)
}

//! A tape as a timeline.

use std::io::{self, BufRead, Write};

use super::super::{Direction, End, Leg, TapeError, TapeReader};
use super::words::words;

/// Writes one line a message: its number, the time since the start, the wire, who it went to, and what it says; what
/// it brought about is indented under it.
///
/// # Errors
/// The tape cannot be read to its end or cut; the lines before are written.
pub fn show<R: BufRead>(mut tape: TapeReader<R>, out: &mut impl Write) -> Result<io::Result<()>, TapeError> {
    let header = tape.header();
    let what = [
        header.scenario.clone(),
        header.target.as_ref().map(|target| format!("target {target}")),
        header.seed.map(|seed| format!("seed {seed}")),
        Some(format!("written by {}", header.writer)),
    ];
    let title = what.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if let Err(error) = writeln!(out, "{title}\n") {
        return Ok(Err(error));
    }
    let mut count = 0;
    for message in tape.by_ref() {
        let message = message?;
        count += 1;
        let wire = match message.leg {
            Leg::Agent => "agent",
            Leg::Upstream => "  upstream",
            Leg::Rest => "    exchange",
            Leg::Ws => "    stream",
            Leg::Decision => "  decision",
        };
        let arrow = match (message.leg, message.dir) {
            (Leg::Decision, _) => "=",
            (_, Direction::Out) => ">",
            (_, Direction::Back) => "<",
        };
        let agent = message.agent.as_ref().map(|agent| format!("({agent}) ")).unwrap_or_default();
        let (seq, at, said) = (message.seq, message.at_ms, format!("{agent}{}", words(&message)));
        if let Err(error) = writeln!(out, "{seq:>5} {:>12}  {wire:<12} {arrow} {said}", time(at)) {
            return Ok(Err(error));
        }
    }
    let end = match tape.end() {
        Some(End::Cut { after }) => format!("\nThe tape was cut off after message {after}."),
        _ => format!("\n{count} messages."),
    };
    Ok(writeln!(out, "{end}"))
}

/// Such as `1:02:03.004`.
fn time(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{hours}:{minutes:02}:{seconds:02}.{:03}", ms % 1000)
}

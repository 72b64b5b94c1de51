//! New tapes from old ones.

use std::io::{self, BufRead, Write};

use serde_json::Value;

use super::super::{Message, TapeError, TapeReader, TapeWriter};

type Tape = TapeWriter<Box<dyn Write + Send>>;

/// Writes a tape anew, through the redactor of `out`.
///
/// # Errors
/// The tape cannot be read; what was read is written.
pub fn scrub<R: BufRead>(tape: TapeReader<R>, out: Tape) -> Result<io::Result<()>, TapeError> {
    cut(tape, out, 1, u64::MAX)
}

/// Writes the messages from one number to another, both included.
///
/// # Errors
/// The tape cannot be read; what was read is written.
pub fn cut<R: BufRead>(
    mut tape: TapeReader<R>,
    mut out: Tape,
    first: u64,
    last: u64,
) -> Result<io::Result<()>, TapeError> {
    for message in tape.by_ref() {
        let message = message?;
        if message.seq > last {
            break;
        }
        if message.seq >= first {
            let before = first.saturating_sub(1);
            if let Err(error) = out.copy(message, |cause| cause.checked_sub(before).filter(|cause| *cause > 0)) {
                return Ok(Err(error));
            }
        }
    }
    Ok(out.finish().map(drop))
}

/// Writes two tapes as one, in the order of their times. Ids of the second get a mark, so that no answer seems to be
/// that of another tape's request.
///
/// # Errors
/// One of them cannot be read; what was read is written.
pub fn join<A: BufRead, B: BufRead>(
    mut one: TapeReader<A>,
    mut other: TapeReader<B>,
    mut out: Tape,
) -> Result<io::Result<()>, TapeError> {
    let origins = [one.header().clock_origin_ms, other.header().clock_origin_ms];
    let origin = origins.into_iter().min().unwrap_or_default();
    let mut numbers: [Vec<u64>; 2] = [Vec::new(), Vec::new()];
    let mut next = [one.next().transpose()?, other.next().transpose()?];
    loop {
        let at =
            |side: usize, message: &Message| (origins.get(side).copied().unwrap_or_default() - origin) + message.at_ms;
        let side = match &next {
            [None, None] => return Ok(out.finish().map(drop)),
            [Some(_), None] => 0,
            [None, Some(_)] => 1,
            [Some(a), Some(b)] => usize::from(at(1, b) < at(0, a)),
        };
        let (slot, Some(seen)) = (next.get_mut(side), numbers.get_mut(side)) else { return Ok(Ok(())) };
        let Some(mut message) = slot.and_then(Option::take) else { return Ok(Ok(())) };
        message.at_ms = at(side, &message);
        if side == 1 {
            message.id = message.id.map(|id| Value::String(format!("2:{id}")));
        }
        seen.push(out.next_seq());
        let place = |cause: u64| seen.get(usize::try_from(cause.checked_sub(1)?).ok()?).copied();
        if let Err(error) = out.copy(message, place) {
            return Ok(Err(error));
        }
        let following = if side == 0 { one.next() } else { other.next() };
        if let Some(slot) = next.get_mut(side) {
            *slot = following.transpose()?;
        }
    }
}

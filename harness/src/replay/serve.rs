//! A player on a byte stream, as an MCP server over stdio.

use std::collections::VecDeque;
use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::{Instant, sleep_until};

use super::outcome::Outcome;
use super::pace::Pace;
use super::player::{Due, Player};
use crate::cassette::LINE_BYTES_MAX;

/// Answers whoever is at the other end until they hang up.
///
/// # Errors
/// The streams break, or a line is longer than any message.
pub async fn serve(
    mut player: Player,
    pace: Pace,
    read: impl AsyncRead + Unpin,
    mut write: impl AsyncWrite + Unpin,
) -> io::Result<Outcome> {
    let mut lines = BufReader::new(read);
    let mut line = Vec::new();
    let mut queue = Queue { pace, due: VecDeque::new() };
    queue.push(player.open());
    let mut open = true;
    while open || !queue.due.is_empty() {
        let next = queue.due.front().map(|(at, _)| *at);
        tokio::select! {
            biased;
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                let Some((_, frame)) = queue.due.pop_front() else { continue };
                let Some(mut frame) = frame else { break };
                frame.push(b'\n');
                // A client that does not listen any more may still be heard to its end.
                if write.write_all(&frame).await.is_err() || write.flush().await.is_err() {
                    queue.due.clear();
                }
            }
            more = next_line(&mut lines, &mut line), if open => {
                open = more?;
                let frame = line.strip_suffix(b"\n").unwrap_or(&line);
                if !frame.trim_ascii().is_empty() {
                    queue.push(player.hear(frame.strip_suffix(b"\r").unwrap_or(frame)));
                }
                if !line.ends_with(b"\n") {
                    open = false;
                }
                line.clear();
            }
        }
    }
    let _ = write.shutdown().await;
    Ok(player.outcome())
}

/// Adds to `line`, which may hold the beginning of one, up to its end; `false` when nothing more comes. When it is
/// dropped halfway nothing is lost.
async fn next_line(lines: &mut BufReader<impl AsyncRead + Unpin>, line: &mut Vec<u8>) -> io::Result<bool> {
    let room = LINE_BYTES_MAX.saturating_add(1).saturating_sub(line.len());
    let before = line.len();
    let limit = u64::try_from(room).unwrap_or(u64::MAX);
    (&mut *lines).take(limit).read_until(b'\n', line).await?;
    if line.len() > LINE_BYTES_MAX {
        let why = format!("a line is longer than {LINE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(line.len() > before)
}

/// What is to be sent, and when; nothing stands for hanging up.
struct Queue {
    pace: Pace,
    due: VecDeque<(Instant, Option<Vec<u8>>)>,
}

impl Queue {
    fn push(&mut self, due: Vec<Due>) {
        let now = Instant::now();
        for due in due {
            let at = now + due.wait(self.pace);
            // After whatever is due at the same time, so that nothing that the tape has in order is turned round.
            let place = self.due.partition_point(|(other, _)| *other <= at);
            self.due.insert(place, (at, (!due.hang_up).then_some(due.frame)));
        }
    }
}

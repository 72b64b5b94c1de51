//! A server that died: when the next one is started, and how often.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::back_off;
use crate::config::RestartLimits;
use crate::upstream::{Connection, Ended, Upstream};

/// What a server is told and says.
pub(crate) type Back<BR, BW> = (BR, BW);

type Opening<BR, BW> = Pin<Box<dyn Future<Output = io::Result<(BR, BW, Ended)>> + Send>>;

/// How the next server is started, and the end of the one at hand.
pub(crate) struct Restart<BR, BW> {
    open: Box<dyn Fn(Ended, Duration) -> Opening<BR, BW> + Send>,
    ended: Ended,
    pace: Pace,
    opening: Option<Opening<BR, BW>>,
}

/// A connection as it is opened.
pub(crate) type BoxedRead = Box<dyn AsyncRead + Send + Unpin>;
/// The other half of it.
pub(crate) type BoxedWrite = Box<dyn AsyncWrite + Send + Unpin>;

impl Restart<BoxedRead, BoxedWrite> {
    /// Connections of `upstream`, of which the first is there already and ends with `ended`.
    pub(crate) fn new(upstream: Arc<dyn Upstream>, ended: Ended, limits: RestartLimits, now_ms: u64) -> Self {
        let open = move |ended: Ended, wait: Duration| -> Opening<BoxedRead, BoxedWrite> {
            let upstream = Arc::clone(&upstream);
            Box::pin(async move {
                // Two of them at once could get in each other's way, and the old one may still be at work.
                ended.await;
                tokio::time::sleep(wait).await;
                let Connection { read, write, ended } = upstream.connect().await?;
                Ok((read, write, ended))
            })
        };
        Self { open: Box::new(open), ended, pace: Pace::new(limits, now_ms), opening: None }
    }
}

impl<BR, BW> Restart<BR, BW> {
    /// The server died, or could not be started: begins to start another. How many deaths there were in a row; an error if
    /// these are too many.
    pub(super) fn begin(&mut self, now_ms: u64) -> Result<u32, u32> {
        let wait = self.pace.died(now_ms).ok_or(self.pace.row)?;
        let ended = std::mem::replace(&mut self.ended, Box::pin(std::future::ready(())));
        self.opening = Some((self.open)(ended, Duration::from_millis(wait)));
        Ok(self.pace.row)
    }

    /// Ready when another server is there, or could not be started.
    pub(super) fn poll_opened(
        &mut self,
        now_ms: impl Fn() -> u64,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Back<BR, BW>>> {
        let Some(opening) = &mut self.opening else { return Poll::Pending };
        let Poll::Ready(opened) = opening.as_mut().poll(cx) else { return Poll::Pending };
        self.opening = None;
        Poll::Ready(opened.map(|(read, write, ended)| {
            self.ended = ended;
            self.pace.up(now_ms());
            (read, write)
        }))
    }

    /// Waits for the end of the server at hand, whose streams are closed.
    pub(super) async fn end(self) {
        self.ended.await;
    }
}

/// How long to wait before the next server, by how many died in a row.
#[derive(Debug)]
struct Pace {
    limits: RestartLimits,
    row: u32,
    /// Since when there is a server.
    up_since: Option<u64>,
}

impl Pace {
    fn new(limits: RestartLimits, now_ms: u64) -> Self {
        Self { limits, row: 0, up_since: Some(now_ms) }
    }

    fn up(&mut self, now_ms: u64) {
        self.up_since = Some(now_ms);
    }

    /// Another death, or a start that failed; how many milliseconds to wait, or nothing if that was one too many.
    fn died(&mut self, now_ms: u64) -> Option<u64> {
        let held = self.up_since.take().is_some_and(|since| now_ms.saturating_sub(since) >= self.limits.holds_ms);
        if held {
            self.row = 0;
        }
        self.row = self.row.saturating_add(1);
        let RestartLimits { max, wait_ms, wait_max_ms, .. } = self.limits;
        (self.row <= max).then(|| back_off::wait_ms(self.row, wait_ms, wait_max_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_come_to_an_end() {
        let limits = RestartLimits { max: 5, wait_ms: 200, wait_max_ms: 1000, holds_ms: 60_000, handshake_ms: 1 };
        let mut pace = Pace::new(limits, 0);
        let waits: Vec<_> = (0..7).map(|_| pace.died(1)).collect();
        assert_eq!(waits, [Some(200), Some(400), Some(800), Some(1000), Some(1000), None, None]);
        // A server that holds ends the row, and one that could not be started does not, however long that took.
        pace.up(1);
        assert_eq!((pace.died(60_001), pace.died(200_000)), (Some(200), Some(400)));
        pace.up(200_000);
        assert_eq!(pace.died(259_999), Some(800), "a moment less than what counts as holding");
        // A clock that is set back ends no row.
        pace.up(300_000);
        assert_eq!(pace.died(0), Some(1000));
        let never = Pace::new(RestartLimits { max: 0, ..limits }, 0).died(100_000);
        assert_eq!(never, None);
        let steep = RestartLimits { max: u32::MAX, wait_ms: u64::MAX, wait_max_ms: u64::MAX, ..limits };
        let mut pace = Pace::new(steep, 0);
        assert!((0..100).all(|_| pace.died(0) == Some(u64::MAX)));
    }
}

//! The queue of notices, and the task that empties it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, InvalidHeaderValue};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::address::{BadWebhook, WebhookSecret, read};
use crate::approval::{Notice, Notifier};
use crate::back_off;
use crate::clock::NowMs;
use crate::upstream::Client;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Bounds on what notices may hold or wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookLimits {
    /// How many notices wait at once to be taken up, and how many between two attempts; more are dropped. 256.
    pub queue_max: usize,
    /// How often a notice is sent at most. 10.
    pub attempts_max: u32,
    /// How long after a first attempt that failed the next one is made, in milliseconds; the wait doubles with each. One
    /// second.
    pub wait_ms: u64,
    /// The longest of these waits, in milliseconds. Two minutes.
    pub wait_max_ms: u64,
    /// How long a receiver may take to answer, in milliseconds. 10 seconds.
    pub answer_ms: u64,
}

impl Default for WebhookLimits {
    fn default() -> Self {
        Self { queue_max: 256, attempts_max: 10, wait_ms: 1_000, wait_max_ms: 120_000, answer_ms: 10_000 }
    }
}

impl WebhookLimits {
    /// How long to wait after the `attempt`th attempt; nothing if that was the last.
    fn wait(&self, attempt: u32) -> Option<Duration> {
        let wait = || back_off::wait_ms(attempt, self.wait_ms, self.wait_max_ms);
        (attempt < self.attempts_max).then(|| Duration::from_millis(wait()))
    }
}

/// What became of notices so far.
#[derive(Debug, Default)]
pub struct WebhookCounts {
    delivered: AtomicU64,
    retried: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl WebhookCounts {
    /// How many notices the receiver has taken, how many attempts were made again, how many notices were given up, and how
    /// many were dropped because too many waited: each with its name in figures.
    pub fn all(&self) -> [(&'static str, u64); 4] {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("delivered", count(&self.delivered)),
            ("retried", count(&self.retried)),
            ("failed", count(&self.failed)),
            ("dropped", count(&self.dropped)),
        ]
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// A webhook whose notices a task of its own delivers. Clones share it.
#[derive(Clone)]
pub struct Webhook {
    queue: mpsc::Sender<Notice>,
    waiting: watch::Sender<usize>,
    counts: Arc<WebhookCounts>,
}

impl Webhook {
    /// The webhook at `url`, and what has to be run for it. `plain_text` lets notices leave this machine unencrypted.
    ///
    /// # Errors
    /// The address is none, or nothing is encrypted on the way there.
    pub fn new(
        url: &str,
        secret: WebhookSecret,
        plain_text: bool,
        limits: WebhookLimits,
        clock: NowMs,
    ) -> Result<(Self, impl Future<Output = ()> + Send + 'static), BadWebhook> {
        let uri = read(url, plain_text)?;
        let client = Client::new(&uri).map_err(|error| BadWebhook::Client(error.to_string()))?;
        let (queue, notices) = mpsc::channel(limits.queue_max.max(1));
        let (waiting, counts) = (watch::Sender::new(0), Arc::<WebhookCounts>::default());
        let task = Task { uri, secret, limits, clock, client, waiting: waiting.clone(), counts: Arc::clone(&counts) }
            .run(notices);
        Ok((Self { queue, waiting, counts }, task))
    }

    /// What became of notices so far.
    pub fn counts(&self) -> Arc<WebhookCounts> {
        Arc::clone(&self.counts)
    }

    /// Ready when no notice waits.
    pub async fn flushed(&self) {
        // The sender is here, so that it cannot be gone.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting == 0).await;
    }
}

impl Notifier for Webhook {
    fn notify(&self, notice: Notice) {
        let id = notice.id.clone();
        self.waiting.send_modify(|waiting| *waiting += 1);
        if self.queue.try_send(notice).is_err() {
            self.waiting.send_modify(|waiting| *waiting = waiting.saturating_sub(1));
            add(&self.counts.dropped);
            tracing::error!(approval = id, "too many notices wait for the approval webhook: this one is dropped");
        }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("counts", &self.counts).finish_non_exhaustive()
    }
}

struct Task {
    uri: Uri,
    secret: WebhookSecret,
    limits: WebhookLimits,
    clock: NowMs,
    client: Client,
    waiting: watch::Sender<usize>,
    counts: Arc<WebhookCounts>,
}

/// What an attempt came to.
enum Came {
    Taken,
    /// Another attempt may do better.
    Later(String),
    /// No other attempt would.
    Never(String),
}

impl Task {
    async fn run(self, mut notices: mpsc::Receiver<Notice>) {
        // By when the next attempt is due; the number keeps those of one moment apart.
        let mut due = BTreeMap::<(Instant, u64), (Notice, u32)>::new();
        let (mut number, mut open) = (0, true);
        while open || !due.is_empty() {
            let next = due.keys().next().map(|(at, _)| *at);
            tokio::select! {
                // What is due goes first, so that notices that keep coming hold none up.
                biased;
                () = tokio::time::sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
                notice = notices.recv(), if open && due.len() < self.limits.queue_max => {
                    open = notice.is_some();
                    number += 1;
                    due.extend(notice.map(|notice| ((Instant::now(), number), (notice, 0))));
                    continue;
                }
            }
            let Some((_, (notice, made))) = due.pop_first() else { continue };
            let attempt = made + 1;
            if let Some(wait) = self.attempt(&notice, attempt).await {
                number += 1;
                due.insert((Instant::now() + wait, number), (notice, attempt));
            } else {
                self.waiting.send_modify(|waiting| *waiting = waiting.saturating_sub(1));
            }
        }
    }

    /// Sends a notice; how long to wait before it is sent again, if it is.
    async fn attempt(&self, notice: &Notice, attempt: u32) -> Option<Duration> {
        let now_ms = (self.clock)();
        let came = if now_ms >= notice.expires_ms {
            Came::Never("nobody waits for the decision any more".to_owned())
        } else {
            self.send(notice, now_ms / 1000).await
        };
        let (approval, why, wait) = match came {
            Came::Taken => {
                add(&self.counts.delivered);
                return None;
            }
            Came::Later(why) => (&notice.id, why, self.limits.wait(attempt)),
            Came::Never(why) => (&notice.id, why, None),
        };
        if wait.is_some() {
            add(&self.counts.retried);
            tracing::warn!(approval, attempt, why, "the approval webhook does not take a notice: it is sent again");
        } else {
            add(&self.counts.failed);
            tracing::error!(approval, attempt, why, "the approval webhook does not take a notice: it is given up");
        }
        wait
    }

    async fn send(&self, notice: &Notice, timestamp: u64) -> Came {
        let Some(signature) = self.secret.sign(&notice.id, timestamp, &notice.body) else {
            return Came::Never("it cannot be signed".to_owned());
        };
        let Ok(headers) = headers(&notice.id, timestamp, signature) else {
            return Came::Never("its name fits no header".to_owned());
        };
        let sent = self.client.send(Method::POST, &self.uri, headers, notice.body.clone().into_bytes());
        match tokio::time::timeout(Duration::from_millis(self.limits.answer_ms), sent).await {
            Ok(Ok(answer)) if answer.status().is_success() => Came::Taken,
            Ok(Ok(answer)) if is_passing(answer.status()) => Came::Later(format!("status {}", answer.status())),
            Ok(Ok(answer)) => Came::Never(format!("status {}", answer.status())),
            Ok(Err(error)) => Came::Later(error.to_string()),
            Err(_) => Came::Later("it does not answer in time".to_owned()),
        }
    }
}

/// What a receiver knows a notice by, as Standard Webhooks names it.
fn headers(id: &str, timestamp: u64, signature: String) -> Result<HeaderMap, InvalidHeaderValue> {
    Ok(HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (ID, HeaderValue::try_from(id)?),
        (TIMESTAMP, HeaderValue::from(timestamp)),
        (SIGNATURE, HeaderValue::try_from(signature)?),
    ]))
}

/// Whether a status may be another one soon.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS].contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_come_to_an_end() {
        let limits = WebhookLimits { attempts_max: 5, wait_ms: 100, wait_max_ms: 300, ..WebhookLimits::default() };
        let waits: Vec<_> = (1..=6).map(|attempt| limits.wait(attempt).map(|wait| wait.as_millis())).collect();
        assert_eq!(waits, [Some(100), Some(200), Some(300), Some(300), None, None]);
    }
}

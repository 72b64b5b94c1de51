//! A tap on a pipe: relays whole lines, records them, keeps the answers, lets raw frames in.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::task::JoinHandle;

use super::transcript::{Direction, Leg, Transcript};

/// How much a pipe holds before its writer has to wait.
const PIPE_BYTES: usize = 64 * 1024;

/// A pipe's two ends as readers and writers.
pub(crate) type PipeEnd = (ReadHalf<DuplexStream>, WriteHalf<DuplexStream>);

/// A pipe in memory.
pub(crate) fn pipe() -> (PipeEnd, PipeEnd) {
    let (a, b) = tokio::io::duplex(PIPE_BYTES);
    (tokio::io::split(a), tokio::io::split(b))
}

/// Relays between two ends until both have hung up, recording what goes by.
pub(crate) struct Tap {
    shared: Arc<Shared>,
    to_server: Arc<AsyncMutex<WriteHalf<DuplexStream>>>,
    tasks: [JoinHandle<io::Result<()>>; 2],
}

struct Shared {
    leg: Leg,
    transcript: Transcript,
    state: Mutex<State>,
    /// Counts up whenever an answer came or the server hung up.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Answers by the JSON text of their id.
    answers: BTreeMap<String, Vec<Value>>,
    /// Errors about frames whose id could not be told.
    nameless: Vec<Value>,
    /// Ids whose answers belong to the script and not to the client: those of raw frames and of barriers.
    kept: BTreeSet<String>,
    barriers: u64,
    hung_up: bool,
}

impl Tap {
    /// Puts itself between a client's end and a server's end.
    pub(crate) fn open(leg: Leg, transcript: Transcript, client: PipeEnd, server: PipeEnd) -> Self {
        let (changed, _) = watch::channel(0);
        let shared = Arc::new(Shared { leg, transcript, state: Mutex::default(), changed });
        let (from_client, to_client) = client;
        let (from_server, to_server) = server;
        let to_server = Arc::new(AsyncMutex::new(to_server));
        let tasks = [
            tokio::spawn(relay_up(Arc::clone(&shared), from_client, Arc::clone(&to_server))),
            tokio::spawn(relay_down(Arc::clone(&shared), from_server, to_client)),
        ];
        Self { shared, to_server, tasks }
    }

    /// Sends exactly these bytes and a newline. Answers to `ids` are kept from the client.
    pub(crate) async fn inject(&self, bytes: &[u8], ids: &BTreeSet<String>) -> io::Result<()> {
        self.shared.lock().kept.extend(ids.iter().cloned());
        let mut line = bytes.to_vec();
        line.push(b'\n');
        let mut to_server = self.to_server.lock().await;
        self.shared.transcript.frame(self.shared.leg, Direction::ToServer, bytes);
        to_server.write_all(&line).await?;
        to_server.flush().await
    }

    /// Sends a `ping` that does not show, and waits until it is answered: whatever was sent before has been read by
    /// then. `false` when the server hung up or did not answer in time.
    pub(crate) async fn barrier(&self, patience: Duration) -> bool {
        let id = {
            let mut state = self.shared.lock();
            state.barriers += 1;
            format!("\"barrier-{}\"", state.barriers)
        };
        self.shared.lock().kept.insert(id.clone());
        let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n");
        {
            let mut to_server = self.to_server.lock().await;
            if to_server.write_all(line.as_bytes()).await.is_err() || to_server.flush().await.is_err() {
                return false;
            }
        }
        self.wait(patience, |answers| answers.has(&id)).await
    }

    /// Waits until `done`, the server's hanging up, or the end of patience; says whether it was `done`.
    pub(crate) async fn wait(&self, patience: Duration, done: impl Fn(&Answers<'_>) -> bool) -> bool {
        let mut changes = self.shared.changed.subscribe();
        let reached = async {
            loop {
                let (is_done, hung_up) = {
                    let state = self.shared.lock();
                    (done(&Answers { state: &state }), state.hung_up)
                };
                if is_done || hung_up || changes.changed().await.is_err() {
                    return is_done;
                }
            }
        };
        tokio::time::timeout(patience, reached).await.unwrap_or(false)
    }

    /// Takes the first answer to a request out of the tap.
    pub(crate) fn take_answer(&self, id: &str) -> Option<Value> {
        let mut state = self.shared.lock();
        let answers = state.answers.get_mut(id)?;
        (!answers.is_empty()).then(|| answers.remove(0))
    }

    /// Drops the answers to an id that is about to be used anew.
    pub(crate) fn forget(&self, id: &str) {
        self.shared.lock().answers.remove(id);
    }

    /// How many nameless errors there are.
    pub(crate) fn nameless(&self) -> usize {
        self.shared.lock().nameless.len()
    }

    /// Takes the nameless error at this place.
    pub(crate) fn take_nameless(&self, at: usize) -> Option<Value> {
        let mut state = self.shared.lock();
        (at < state.nameless.len()).then(|| state.nameless.remove(at))
    }

    /// Waits until both ends have hung up.
    pub(crate) async fn ended(self) -> io::Result<()> {
        for task in self.tasks {
            task.await??;
        }
        Ok(())
    }
}

/// What has been answered so far.
pub(crate) struct Answers<'a> {
    state: &'a State,
}

impl Answers<'_> {
    pub(crate) fn has(&self, id: &str) -> bool {
        self.state.answers.get(id).is_some_and(|answers| !answers.is_empty())
    }

    pub(crate) fn nameless(&self) -> usize {
        self.state.nameless.len()
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Files an answer, and says whether the client is to see the line.
    fn file(&self, line: &[u8]) -> bool {
        let Ok(value) = serde_json::from_slice::<Value>(line) else { return true };
        // A batch answers every id in it.
        let messages = value.as_array().map_or_else(|| std::slice::from_ref(&value), Vec::as_slice);
        if messages.iter().any(|message| message.get("method").is_some()) {
            return true;
        }
        let ids = messages.iter().filter_map(|message| message.get("id").filter(|id| !id.is_null()));
        let ids: Vec<String> = ids.map(ToString::to_string).collect();
        let mut state = self.lock();
        let passes = !ids.is_empty() && ids.iter().all(|id| !state.kept.contains(id));
        if ids.is_empty() {
            state.nameless.push(value);
        } else {
            for id in ids {
                state.answers.entry(id).or_default().push(value.clone());
            }
        }
        drop(state);
        self.changed.send_modify(|changes| *changes += 1);
        passes
    }
}

async fn relay_up<R: AsyncRead + Unpin>(
    shared: Arc<Shared>,
    from_client: R,
    to_server: Arc<AsyncMutex<WriteHalf<DuplexStream>>>,
) -> io::Result<()> {
    let mut lines = BufReader::new(from_client);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).await? > 0 {
        let mut to_server = to_server.lock().await;
        shared.transcript.frame(shared.leg, Direction::ToServer, line.trim_ascii_end());
        // A server that has hung up is the other task's business.
        if to_server.write_all(&line).await.is_err() || to_server.flush().await.is_err() {
            return Ok(());
        }
        line.clear();
    }
    let _ = to_server.lock().await.shutdown().await;
    Ok(())
}

async fn relay_down<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    shared: Arc<Shared>,
    from_server: R,
    mut to_client: W,
) -> io::Result<()> {
    let mut lines = BufReader::new(from_server);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).await? > 0 {
        let frame = line.trim_ascii_end();
        if !is_barrier(frame) {
            shared.transcript.frame(shared.leg, Direction::ToClient, frame);
        }
        // A client that has hung up early does not stop the record.
        if shared.file(frame) && to_client.write_all(&line).await.is_ok() {
            let _ = to_client.flush().await;
        }
        line.clear();
    }
    shared.lock().hung_up = true;
    shared.changed.send_modify(|changes| *changes += 1);
    let _ = to_client.shutdown().await;
    Ok(())
}

/// Whether this is the answer to one of our own pings, which are no part of what happened.
fn is_barrier(frame: &[u8]) -> bool {
    frame.len() < 256
        && serde_json::from_slice::<Value>(frame)
            .ok()
            .and_then(|value| value.get("id")?.as_str().map(|id| id.starts_with("barrier-")))
            .unwrap_or(false)
}

//! Somebody who listens to a user data stream at the exchange.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

/// All listeners of a run.
#[derive(Default)]
pub(crate) struct Listeners {
    open: Vec<Listener>,
    received: watch::Sender<u64>,
}

struct Listener {
    name: String,
    frames: Arc<Mutex<Vec<String>>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Listeners {
    /// Opens `/ws/<key>` and listens from now on.
    pub(crate) async fn listen(&mut self, ws_url: &str, key: &str, name: &str) -> Result<(), String> {
        let url = format!("{ws_url}/ws/{key}");
        // The address holds the key, so the library's own words are not repeated.
        let (mut socket, _) = tokio_tungstenite::connect_async(url)
            .await
            .map_err(|_| format!("the exchange does not open the stream `{name}`"))?;
        let frames = Arc::new(Mutex::new(Vec::new()));
        let (stop, mut stopped) = oneshot::channel();
        let (kept, received) = (Arc::clone(&frames), self.received.clone());
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    message = socket.next() => match message {
                        Some(Ok(Message::Text(text))) => {
                            kept.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_string());
                            received.send_modify(|count| *count += 1);
                        }
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                        Some(Ok(_)) => {}
                    },
                    _ = &mut stopped => {
                        let _ = socket.send(Message::Close(None)).await;
                        return;
                    }
                }
            }
        });
        self.open.push(Listener { name: name.to_owned(), frames, stop, task });
        Ok(())
    }

    /// Waits until everything that the exchange sent has arrived, hangs up, and returns the frames by listener.
    pub(crate) async fn close(self, sent: u64) -> Vec<(String, Vec<String>)> {
        // What was sent is on its way over a socket of this machine; somebody else's socket may have taken it.
        let mut received = self.received.subscribe();
        let _ = tokio::time::timeout(Duration::from_secs(1), received.wait_for(|count| *count >= sent)).await;
        let mut heard = Vec::new();
        for listener in self.open {
            let _ = listener.stop.send(());
            let _ = listener.task.await;
            let frames = std::mem::take(&mut *listener.frames.lock().unwrap_or_else(PoisonError::into_inner));
            heard.push((listener.name, frames));
        }
        heard
    }
}

//! An HTTP server of a few lines, for what a well-behaved mock cannot do: hang up, stay silent, hold
//! answers back.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What happened, in order: `start <request line>` and `end <request line>`.
pub(crate) type Journal = Arc<Mutex<Vec<String>>>;

/// A server on a free port of this machine; lives as long as the runtime of the test.
pub(crate) struct RawExchange {
    pub(crate) url: String,
    pub(crate) journal: Journal,
}

impl RawExchange {
    /// Answers each request with what `respond` makes of its head: the bytes to send, or `None` to
    /// hang up without a word.
    pub(crate) async fn start<F, Fut>(respond: F) -> Self
    where
        F: Fn(String) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Option<String>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let journal = Journal::default();
        let shared = Arc::clone(&journal);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, respond.clone(), Arc::clone(&shared)));
            }
        });
        Self { url, journal }
    }

    pub(crate) fn events(&self) -> Vec<String> {
        self.journal.lock().unwrap().clone()
    }
}

async fn converse<F, Fut>(mut stream: TcpStream, respond: F, journal: Journal)
where
    F: Fn(String) -> Fut,
    Fut: Future<Output = Option<String>>,
{
    let mut buffer = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(length) if length > 0 => buffer.extend_from_slice(&chunk[..length]),
            _ => return,
        }
        let text = String::from_utf8_lossy(&buffer).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        if body.len() < content_length(head) {
            continue;
        }
        buffer.clear();
        let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
        journal.lock().unwrap().push(format!("start {line}"));
        let answer = respond(text.clone()).await;
        journal.lock().unwrap().push(format!("end {line}"));
        match answer {
            Some(answer) => {
                stream.write_all(answer.as_bytes()).await.unwrap();
                if answer.contains("connection: close") {
                    return;
                }
            }
            None => return,
        }
    }
}

fn content_length(head: &str) -> usize {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().unwrap())
}

/// A complete answer with a JSON body.
pub(crate) fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

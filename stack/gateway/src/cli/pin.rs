//! `mcp-gateway pin`: asks a server for its tools once, and writes down what they are.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

use mcp_gateway::Pins;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, ChildStdout};

use super::failure::Failure;
use super::server::start;

/// A server that says nothing for so long says nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// More pages are no listing of honest tools.
const PAGES_MAX: u64 = 1000;

pub(super) fn pin(out: &Path, command: &[OsString]) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime)?;
    let definitions = runtime.block_on(list(command));
    runtime.shutdown_background();
    let pins = Pins::of(&definitions?).map_err(|error| Failure::Pin(error.to_string()))?;
    // Whole or not at all: half a pin file would quarantine the rest.
    let aside = out.with_extension("new");
    let written = std::fs::write(&aside, pins.to_text()).and_then(|()| std::fs::rename(&aside, out));
    written.map_err(|source| Failure::Pin(format!("cannot write `{}`: {source}", out.display())))?;
    tracing::info!(tools = pins.len(), "pinned");
    Ok(())
}

async fn list(command: &[OsString]) -> Result<Vec<Value>, Failure> {
    let mut child = start(command)?;
    let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Failure::Pin("the server has no standard streams".to_owned()));
    };
    let mut server = Server { to, from: BufReader::new(from), last_id: 0 };
    let info = json!({"name": "mcp-gateway", "version": env!("CARGO_PKG_VERSION")});
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info});
    server.ask("initialize", hello).await?;
    server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await?;
    let mut definitions = Vec::new();
    let mut params = json!({});
    for _ in 0..PAGES_MAX {
        let result = server.ask("tools/list", params).await?;
        let tools = result.get("tools").and_then(Value::as_array);
        definitions.extend(tools.ok_or_else(|| Failure::Pin("the server lists no tools".to_owned()))?.iter().cloned());
        match result.get("nextCursor") {
            None | Some(Value::Null) => return Ok(definitions),
            Some(cursor) => params = json!({"cursor": cursor}),
        }
    }
    Err(Failure::Pin("the server's list of tools does not end".to_owned()))
}

struct Server {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    last_id: u64,
}

impl Server {
    async fn send(&mut self, frame: &Value) -> Result<(), Failure> {
        match self.to.write_all(format!("{frame}\n").as_bytes()).await {
            // What it said before it ended may still be there to read, and its end is told then.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::Pin(format!("the server does not take a request: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// The result of a request. What the server says of itself meanwhile is passed over.
    async fn ask(&mut self, method: &str, params: Value) -> Result<Value, Failure> {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await?;
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(PATIENCE, self.from.read_line(&mut line)).await;
            let read = read.map_err(|_| Failure::Pin(format!("the server does not answer `{method}`")))?;
            let read = read.map_err(|error| Failure::Pin(format!("the server cannot be read: {error}")))?;
            if read == 0 {
                return Err(Failure::Pin(format!("the server ended before it answered `{method}`")));
            }
            let Ok(frame) = serde_json::from_str::<Value>(&line) else { continue };
            if frame.get("id").and_then(Value::as_u64) != Some(id) || frame.get("method").is_some() {
                continue;
            }
            return match frame.get("result") {
                Some(result) => Ok(result.clone()),
                None => Err(Failure::Pin(format!("the server refuses `{method}`"))),
            };
        }
    }
}

//! The server behind: a command that is started for each session, or an address.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_gateway::{BadUpstream, Connecting, Connection, HttpUpstream, Upstream};
use tokio::process::{Child, Command};

use super::failure::Failure;
use super::settings::{Behind, ServerSettings};

/// The server that the settings name. A command is started at once, so that one that cannot be started is told now and
/// not to the first client, who then need not wait for it.
pub(super) fn upstream(
    server: &ServerSettings,
    drain: Duration,
    answer_bytes_max: usize,
) -> Result<Arc<dyn Upstream>, Failure> {
    let command = match &server.behind {
        Some(Behind::Url { url, token_file, ca_file }) => {
            let read = |path: &std::path::PathBuf| {
                std::fs::read_to_string(path).map_err(|source| Failure::TokenUnread { path: path.clone(), source })
            };
            let token = token_file.as_ref().map(read).transpose()?;
            let token = token.as_deref().map(str::trim);
            return Ok(Arc::new(at(url, token, ca_file.as_deref(), answer_bytes_max)?));
        }
        Some(Behind::Command(command)) => command.clone(),
        None => Vec::new(),
    };
    let command = PerSession { command, drain, first: Mutex::default() };
    let first = command.open()?;
    Ok(Arc::new(PerSession { first: Mutex::new(Some(first)), ..command }))
}

/// Reads what a server at an address has to prove who it is by.
pub(super) fn check(server: &ServerSettings) -> Result<(), Failure> {
    if let Some(Behind::Url { url, ca_file: Some(ca_file), .. }) = &server.behind {
        at(url, None, Some(ca_file), 0)?;
    }
    Ok(())
}

#[cfg(feature = "tls")]
fn at(url: &str, token: Option<&str>, ca: Option<&Path>, max: usize) -> Result<HttpUpstream, BadUpstream> {
    match ca {
        Some(ca) => HttpUpstream::believing(ca, url, token, max),
        None => HttpUpstream::new(url, token, max),
    }
}

#[cfg(not(feature = "tls"))]
fn at(url: &str, token: Option<&str>, _: Option<&Path>, max: usize) -> Result<HttpUpstream, BadUpstream> {
    HttpUpstream::new(url, token, max)
}

/// A command that is started for each session.
struct PerSession {
    command: Vec<OsString>,
    drain: Duration,
    /// Started before anybody asked.
    first: Mutex<Option<Connection>>,
}

impl Upstream for PerSession {
    fn connect(&self) -> Connecting<'_> {
        let first = self.first.lock().ok().and_then(|mut first| first.take());
        let opened = first.map_or_else(|| self.open().map_err(|failure| io::Error::other(failure.to_string())), Ok);
        Box::pin(std::future::ready(opened))
    }
}

impl PerSession {
    fn open(&self) -> Result<Connection, Failure> {
        let mut child = start(&self.command)?;
        let (Some(write), Some(read)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(start_failed(&self.command, io::ErrorKind::BrokenPipe.into()));
        };
        Ok(Connection::new(read, write).ending(ended(child, self.drain)))
    }
}

/// Starts a server.
pub(super) fn start(command: &[OsString]) -> Result<Child, Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(start_failed(command, io::ErrorKind::NotFound.into()));
    };
    let mut command_line = Command::new(program);
    command_line
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    // A terminal's Ctrl-C is for the gateway, which then lets the server finish.
    #[cfg(unix)]
    command_line.process_group(0);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MCP_GATEWAY_") {
            command_line.env_remove(name);
        }
    }
    command_line.spawn().map_err(|source| start_failed(command, source))
}

fn start_failed(command: &[OsString], source: io::Error) -> Failure {
    let command = command.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default();
    Failure::Start { command, source }
}

/// Waits for a server whose input is closed, which asks it to end, and then waits no longer.
async fn ended(mut child: Child, drain: Duration) {
    if tokio::time::timeout(drain, child.wait()).await.is_err() {
        tracing::warn!("the server does not end by itself and is killed");
        if let Err(error) = child.kill().await {
            tracing::warn!(%error, "the server cannot be killed");
        }
    }
}

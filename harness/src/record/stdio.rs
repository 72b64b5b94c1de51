//! A recorder between an agent and an MCP server that speaks over its standard input and output.

use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::Command;

use super::recorder::Observe;
use super::relay::relay;
use crate::cassette::{Direction, Leg};

/// Starts the server and relays between it and `input` and `output`, byte for byte, until it ends. What it says on
/// standard error is not touched.
///
/// # Errors
/// The command cannot be started, or waited for.
pub async fn record_stdio(
    command: &[OsString],
    input: impl AsyncRead + Unpin + Send + 'static,
    mut output: impl AsyncWrite + Unpin + Send,
    observe: Observe,
) -> io::Result<ExitStatus> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "there is no command"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (to_child, from_child) = (child.stdin.take(), child.stdout.take());
    let (Some(mut to_child), Some(from_child)) = (to_child, from_child) else {
        return Err(io::Error::other("the server has no standard input or output"));
    };
    let heard = observe.clone();
    // It waits for the agent, which may outlive the server.
    let up = tokio::spawn(async move {
        let _ = relay(input, &mut to_child, |line| heard(Leg::Agent, Direction::Out, line)).await;
        // The server is told that nothing more will come.
        drop(to_child);
    });
    let down = relay(from_child, &mut output, |line| observe(Leg::Agent, Direction::Back, line)).await;
    let status = child.wait().await?;
    up.abort();
    // An agent that has hung up needs no more answers.
    let _ = down;
    Ok(status)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn not_a_byte_is_changed_and_every_line_is_told() {
        let sent = b"{\"a\": 1}\r\n\n  odd \xff bytes\n{\"no\":\"end\"}".to_vec();
        let told = Arc::new(Mutex::new(Vec::<(Direction, Vec<u8>)>::new()));
        let heard = told.clone();
        let observe: Observe = Arc::new(move |_, dir, line| heard.lock().unwrap().push((dir, line.to_vec())));
        let mut output = Vec::new();
        let status = record_stdio(&["cat".into()], std::io::Cursor::new(sent.clone()), &mut output, observe).await;
        assert!(status.unwrap().success());
        assert_eq!(output, sent);
        for dir in [Direction::Out, Direction::Back] {
            let lines: Vec<_> =
                told.lock().unwrap().iter().filter(|(of, _)| *of == dir).map(|(_, line)| line.clone()).collect();
            assert_eq!(lines, [&b"{\"a\": 1}\r"[..], b"", b"  odd \xff bytes", b"{\"no\":\"end\"}"]);
        }
    }

    #[tokio::test]
    async fn the_end_of_the_server_is_the_end() {
        let (_open, input) = tokio::io::duplex(64);
        let observe: Observe = Arc::new(|_, _, _| {});
        let command = ["sh", "-c", "exit 7"].map(OsString::from);
        let status = record_stdio(&command, input, Vec::new(), observe.clone()).await.unwrap();
        assert_eq!(status.code(), Some(7));
        assert!(record_stdio(&["no-such-server".into()], tokio::io::empty(), Vec::new(), observe).await.is_err());
    }
}

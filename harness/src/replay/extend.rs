//! A tape that is played, with the server behind it for what is not on it.

use std::ffi::OsString;
use std::io;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::outcome::Outcome;
use super::player::{Due, Player};
use crate::cassette::{Direction, Leg};
use crate::record::Observe;

/// Answers an agent from a tape, and asks the server that `command` starts for what is not on it. The server is started
/// when it is first needed, and greeted as the agent greeted the tape. Only what it was asked is told to `observe`.
///
/// # Errors
/// The server cannot be started, or a stream breaks.
pub async fn extend_stdio(
    player: Player,
    command: &[OsString],
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
    observe: Observe,
) -> io::Result<Outcome> {
    let mut extending = Extending { player, output, observe, greeting: None, server: None };
    let opening = extending.player.open();
    extending.say(opening).await?;
    let mut asked = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        line.clear();
        if asked.read_until(b'\n', &mut line).await? == 0 {
            break;
        }
        let frame = line.trim_ascii_end();
        if !frame.is_empty() {
            extending.hear(frame, command).await?;
        }
    }
    if let Some(Server { mut child, to, .. }) = extending.server.take() {
        drop(to);
        child.wait().await?;
    }
    Ok(extending.player.outcome())
}

struct Extending<W> {
    player: Player,
    output: W,
    observe: Observe,
    /// The agent's `initialize`, with which a server is greeted that comes later.
    greeting: Option<Vec<u8>>,
    server: Option<Server>,
}

struct Server {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl<W: AsyncWrite + Unpin> Extending<W> {
    async fn hear(&mut self, frame: &[u8], command: &[OsString]) -> io::Result<()> {
        let message: Value = serde_json::from_slice(frame).unwrap_or_default();
        let greets = message.get("method").is_some_and(|method| method == "initialize");
        if greets {
            self.greeting = Some(frame.to_vec());
        }
        match self.player.hear_known(frame) {
            Some(due) => self.say(due).await,
            None => self.ask(frame, &message, greets, command).await,
        }
    }

    async fn say(&mut self, due: Vec<Due>) -> io::Result<()> {
        for Due { mut frame, .. } in due {
            frame.push(b'\n');
            self.output.write_all(&frame).await?;
        }
        self.output.flush().await
    }

    /// Asks the server, one request at a time, and passes on what it says up to the answer.
    async fn ask(&mut self, frame: &[u8], message: &Value, greets: bool, command: &[OsString]) -> io::Result<()> {
        if self.server.is_none() {
            let mut server = Server::start(command)?;
            if let Some(greeting) = self.greeting.clone().filter(|_| !greets) {
                let id = serde_json::from_slice::<Value>(&greeting).ok().and_then(|value| value.get("id").cloned());
                server.send(&greeting).await?;
                server.until(id.as_ref()).await?;
                server.send(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await?;
            }
            self.server = Some(server);
        }
        let Some(server) = &mut self.server else { return Ok(()) };
        (self.observe)(Leg::Agent, Direction::Out, frame);
        server.send(frame).await?;
        for mut line in server.until(message.get("id")).await? {
            (self.observe)(Leg::Agent, Direction::Back, &line);
            line.push(b'\n');
            self.output.write_all(&line).await?;
        }
        self.output.flush().await
    }
}

impl Server {
    fn start(command: &[OsString]) -> io::Result<Self> {
        let (program, arguments) =
            command.split_first().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "there is no command"))?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(to), Some(from)) => Ok(Self { child, to, from: BufReader::new(from) }),
            _ => Err(io::Error::other("the server has no standard input or output")),
        }
    }

    async fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.to.write_all(frame).await?;
        self.to.write_all(b"\n").await?;
        self.to.flush().await
    }

    /// What the server says up to the answer to a request; nothing is waited for without one.
    async fn until(&mut self, id: Option<&Value>) -> io::Result<Vec<Vec<u8>>> {
        let mut said = Vec::new();
        let Some(id) = id.filter(|id| !id.is_null()) else { return Ok(said) };
        loop {
            let mut line = Vec::new();
            if self.from.read_until(b'\n', &mut line).await? == 0 {
                let why = "the server ended before it answered";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
            }
            let line = line.trim_ascii_end().to_vec();
            let value: Value = serde_json::from_slice(&line).unwrap_or_default();
            said.push(line);
            if value.get("id") == Some(id) && value.get("method").is_none() {
                return Ok(said);
            }
        }
    }
}

//! A tape that is played, with the server behind it for what is not on it.

use std::ffi::OsString;
use std::io;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::outcome::Outcome;
use super::player::{Due, Heard, Player};
use crate::cassette::{Direction, Leg};
use crate::record::Observe;

/// Answers an agent from a tape, and asks the server that `command` starts for what is not on it. The server is started
/// when it is first needed, and greeted as the agent greeted the tape. Only what it was asked, and said, is told to
/// `observe`.
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
    let mut agent = BufReader::new(input);
    // Each keeps what has come of a line while the other one is heard.
    let (mut asked, mut said) = (Vec::new(), Vec::new());
    loop {
        let more = match &mut extending.server {
            None => Some(agent.read_until(b'\n', &mut asked).await?),
            Some(server) => tokio::select! {
                read = agent.read_until(b'\n', &mut asked) => Some(read?),
                read = server.from.read_until(b'\n', &mut said) => {
                    if read? == 0 && said.is_empty() {
                        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server ended before the agent did"));
                    }
                    None
                }
            },
        };
        if more.is_none() {
            extending.pass_on(&std::mem::take(&mut said)).await?;
            continue;
        }
        let line = std::mem::take(&mut asked);
        if line.is_empty() {
            break;
        }
        let frame = line.trim_ascii_end();
        if !frame.is_empty() {
            extending.hear(frame, command).await?;
        }
    }
    if let Some(Server { mut child, to, mut from, .. }) = extending.server.take() {
        // It is told that nothing more will come, and heard to its end.
        drop(to);
        while from.read_until(b'\n', &mut said).await? > 0 {
            extending.pass_on(&std::mem::take(&mut said)).await?;
        }
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
    /// Whether it has heard that the greeting is over.
    is_greeted: bool,
}

impl<W: AsyncWrite + Unpin> Extending<W> {
    async fn hear(&mut self, frame: &[u8], command: &[OsString]) -> io::Result<()> {
        let message: Value = serde_json::from_slice(frame).unwrap_or_default();
        let is = |method: &str| message.get("method").is_some_and(|of| of == method);
        let greets = is("initialize");
        if greets {
            self.greeting = Some(frame.to_vec());
        }
        let heard = self.player.hear_known(frame);
        if is("notifications/initialized")
            && let Some(server) = &mut self.server
        {
            if std::mem::replace(&mut server.is_greeted, true) {
                return Ok(());
            }
            if matches!(heard, Heard::Known(_)) {
                server.send(frame).await?;
            }
        }
        match heard {
            Heard::Known(due) => self.say(due).await,
            Heard::Unknown => {
                self.start(greets, command).await?;
                self.ask(frame).await
            }
            // What asks for nothing is about a session that there is.
            Heard::Idle => self.ask(frame).await,
        }
    }

    async fn say(&mut self, due: Vec<Due>) -> io::Result<()> {
        for Due { mut frame, .. } in due {
            frame.push(b'\n');
            self.output.write_all(&frame).await?;
        }
        self.output.flush().await
    }

    /// Starts the server if it does not run, and greets it unless the agent is just doing so.
    async fn start(&mut self, greets: bool, command: &[OsString]) -> io::Result<()> {
        if self.server.is_some() {
            return Ok(());
        }
        let mut server = Server::start(command)?;
        if let Some(greeting) = self.greeting.clone().filter(|_| !greets) {
            let id = serde_json::from_slice::<Value>(&greeting).ok().and_then(|value| value.get("id").cloned());
            server.send(&greeting).await?;
            server.until(id.as_ref()).await?;
            server.send(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await?;
            server.is_greeted = true;
        }
        self.server = Some(server);
        Ok(())
    }

    /// Passes a frame of the agent on to the server that runs; without one it is nobody's.
    async fn ask(&mut self, frame: &[u8]) -> io::Result<()> {
        let Some(server) = &mut self.server else { return Ok(()) };
        (self.observe)(Leg::Agent, Direction::Out, frame);
        server.send(frame).await
    }

    /// Passes a line of the server on to the agent.
    async fn pass_on(&mut self, line: &[u8]) -> io::Result<()> {
        let frame = line.trim_ascii_end();
        if frame.is_empty() {
            return Ok(());
        }
        (self.observe)(Leg::Agent, Direction::Back, frame);
        self.output.write_all(frame).await?;
        self.output.write_all(b"\n").await?;
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
            (Some(to), Some(from)) => Ok(Self { child, to, from: BufReader::new(from), is_greeted: false }),
            _ => Err(io::Error::other("the server has no standard input or output")),
        }
    }

    async fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.to.write_all(frame).await?;
        self.to.write_all(b"\n").await?;
        self.to.flush().await
    }

    /// Hears the server up to its answer to a request, which is nobody's but ours.
    async fn until(&mut self, id: Option<&Value>) -> io::Result<()> {
        let Some(id) = id.filter(|id| !id.is_null()) else { return Ok(()) };
        let mut line = Vec::new();
        loop {
            line.clear();
            if self.from.read_until(b'\n', &mut line).await? == 0 {
                let why = "the server ended before it answered";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
            }
            let value: Value = serde_json::from_slice(&line).unwrap_or_default();
            if value.get("id") == Some(id) && value.get("method").is_none() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, split};

    use super::*;
    use crate::cassette::{Redactor, TapeReader};
    use crate::replay::Repeat;

    /// A server that asks something before it answers a call, and says what it was told.
    const SERVER: &str = r#"
while read -r line; do case "$line" in
  *tools/call*) echo '{"jsonrpc":"2.0","id":"s1","method":"roots/list"}'; read -r said
    case "$said" in *'"s1"'*) echo '{"jsonrpc":"2.0","id":2,"result":{"heard":true}}';; *) exit 3;; esac;;
  *'"initialize"'*) echo '{"jsonrpc":"2.0","id":1,"result":{"live":true}}';;
esac; done"#;

    #[tokio::test]
    async fn a_server_behind_the_tape_may_ask_the_agent_back() {
        let tape = r#"{"rogue_tape":1,"writer":"w","clock_origin_ms":0}
{"seq":1,"at_ms":0,"leg":"agent","dir":"out","id":1,"body":{"json":{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}}}
{"seq":2,"at_ms":0,"leg":"agent","dir":"back","id":1,"cause":1,"body":{"json":{"jsonrpc":"2.0","id":1,"result":{"live":false}}}}
{"messages":2}
"#;
        let tape = TapeReader::new(tape.as_bytes()).unwrap();
        let player = Player::new(tape, Repeat::Fail, Redactor::new(&[]).unwrap()).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = told.clone();
        let observe: Observe = Arc::new(move |_, dir, frame| heard.lock().unwrap().push((dir, frame.to_vec())));
        let (near, far) = tokio::io::duplex(4_096);
        let extending = tokio::spawn(async move {
            let (input, output) = split(far);
            extend_stdio(player, &["sh".into(), "-c".into(), SERVER.into()], input, output, observe).await
        });
        let (from, mut to) = split(near);
        let mut from = BufReader::new(from).lines();
        for (frame, expected) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#, r#""live":false"#),
            (r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"x"}}"#, r#""method":"roots/list""#),
            (r#"{"jsonrpc":"2.0","id":"s1","result":{"roots":[]}}"#, r#""heard":true"#),
        ] {
            to.write_all(format!("{frame}\n").as_bytes()).await.unwrap();
            let answer = from.next_line().await.unwrap().unwrap();
            assert!(answer.contains(expected), "{answer}");
        }
        to.shutdown().await.unwrap();
        let outcome = extending.await.unwrap().unwrap();
        assert!(outcome.is_same(false), "{outcome}");
        // The greeting was said to the server too, and is not told again.
        let dirs: Vec<_> = told.lock().unwrap().iter().map(|(dir, _)| *dir).collect();
        let (out, back) = (Direction::Out, Direction::Back);
        assert_eq!(dirs, [out, back, out, back]);
    }
}

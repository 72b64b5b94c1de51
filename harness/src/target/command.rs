//! Anybody's gateway, as a command that speaks MCP on standard input and output and starts the MCP server itself.
//!
//! ```text
//!  agent ══ stdin/stdout ══ the command ══ bridge ─ TCP ─▶ tap ═══════ MCP server ──▶ exchange
//! ```
//!
//! What the command is given as the server's command is a bridge that carries bytes to a port of this process. So the
//! MCP server, its keys and its clock stay here, and what reaches it is seen whatever the gateway is.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::description::{InPlace, JudgedBy, TargetFile};
use super::kind::{Capability, TargetError};
use super::stack::{Caller, Door, Parts, Setting, Stack, Target, Task};
use super::upstream::Server;
use crate::agent::tap::{PipeEnd, Tap, pipe};
use crate::agent::transcript::{AuditLines, Leg};
use crate::scenario::PolicyFile;

/// How long a gateway may go on when its client has hung up.
const PATIENCE: Duration = Duration::from_secs(10);

/// A gateway's command with places for what it needs.
#[derive(Debug, Clone)]
pub struct GatewayCommand {
    words: Vec<String>,
    /// The command that carries bytes between its standard streams and the address that follows.
    bridge: Vec<String>,
    /// Where the command comes from a file.
    described: Option<TargetFile>,
    /// Libfaketime's library, where its clock can be moved.
    faketime: Option<PathBuf>,
}

/// Why a text is no gateway's command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCommand {
    /// A quote is not closed.
    #[error("a quote in the gateway's command is not closed: {0}")]
    Quotes(String),
    /// There is no place for the server.
    #[error("the gateway's command needs a word `{{upstream}}`, where its server's command belongs")]
    NoUpstream,
    /// There is no such place.
    #[error("`{0}` is no place in a gateway's command: use {{upstream}}, {{policy}}, {{audit}} and {{folder}}")]
    Unknown(String),
}

impl GatewayCommand {
    /// Reads a command as a shell would, without carrying anything out. `{upstream}` becomes the words of the server's
    /// command, `{policy}` the path of the scenario's policy, `{audit}` the path of a file that the gateway may write
    /// decisions to as `mcp-gateway` does, `{folder}` an empty folder of its own. `bridge` is how this program itself is
    /// started as a bridge; an address follows.
    ///
    /// # Errors
    /// It cannot be read, or has no place for the server.
    pub fn parse(text: &str, bridge: Vec<String>) -> Result<Self, BadCommand> {
        let words = shlex::split(text).ok_or_else(|| BadCommand::Quotes(text.to_owned()))?;
        Self::of_words(words, bridge)
    }

    /// The command of a description. `{installed}` becomes the folder of the gateway's name in `installed`.
    ///
    /// # Errors
    /// It has no place for the server, or one for something unknown.
    pub fn described(file: TargetFile, installed: &Path, bridge: Vec<String>) -> Result<Self, BadCommand> {
        let installed = std::path::absolute(installed).unwrap_or_else(|_| installed.to_owned()).join(file.name());
        let fill = |word: &String| word.replace("{installed}", &installed.to_string_lossy());
        let words = file.words().iter().map(fill).collect();
        Ok(Self { described: Some(file), ..Self::of_words(words, bridge)? })
    }

    fn of_words(words: Vec<String>, bridge: Vec<String>) -> Result<Self, BadCommand> {
        for word in &words {
            for place in places(word) {
                if !["upstream", "policy", "audit", "folder"].contains(&place) {
                    return Err(BadCommand::Unknown(format!("{{{place}}}")));
                }
            }
        }
        if !words.iter().any(|word| word == "{upstream}") {
            return Err(BadCommand::NoUpstream);
        }
        Ok(Self { words, bridge, described: None, faketime: None })
    }

    /// The command, with a clock that is moved as the run's clock is. It goes on by itself in between, as clocks of processes
    /// do.
    #[must_use]
    pub fn with_faketime(self, library: &Path) -> Self {
        Self { faketime: Some(library.to_owned()), ..self }
    }

    /// The description that it comes from.
    pub const fn description(&self) -> Option<&TargetFile> {
        self.described.as_ref()
    }

    /// The command without its folder, as a name for reports.
    pub fn name(&self) -> String {
        if let Some(file) = &self.described {
            return format!("{} {}", file.name(), file.version());
        }
        let program = self.words.first().map(Path::new).and_then(Path::file_name).unwrap_or_default();
        format!("command {}", program.to_string_lossy())
    }

    /// The file that the gateway is given; one of its own is copied, for some write beside it.
    fn policy(&self, ours: &PolicyFile, folder: &Path) -> io::Result<PathBuf> {
        match self.described.as_ref().map_or(InPlace::Ours, |file| file.policy(&ours.path)) {
            InPlace::Theirs(file) => {
                let copy = folder.join(file.file_name().unwrap_or_default());
                std::fs::copy(&file, &copy)?;
                Ok(copy)
            }
            InPlace::Ours | InPlace::None(_) => policy_path(ours, folder),
        }
    }

    fn has(&self, place: &str) -> bool {
        self.words.iter().any(|word| places(word).any(|found| found == place))
    }

    fn fill(&self, bridge_to: SocketAddr, policy: &Path, folder: &Path) -> Vec<String> {
        let mut filled = Vec::new();
        for word in &self.words {
            if word == "{upstream}" {
                filled.extend(self.bridge.iter().cloned());
                filled.push(bridge_to.to_string());
                continue;
            }
            let word = word.replace("{policy}", &policy.to_string_lossy());
            let word = word.replace("{audit}", &audit_in(folder).to_string_lossy());
            filled.push(word.replace("{folder}", &folder.to_string_lossy()));
        }
        filled
    }
}

/// What stands in braces in a word, where it is one lower-case word.
fn places(word: &str) -> impl Iterator<Item = &str> {
    let inner = word.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(place, _)| place));
    inner.filter(|place| !place.is_empty() && place.bytes().all(|byte| byte.is_ascii_lowercase()))
}

fn audit_in(folder: &Path) -> PathBuf {
    folder.join("audit.jsonl")
}

/// Carries bytes between standard streams and an address of this machine: what a gateway starts as its server.
///
/// # Errors
/// Nobody listens there, or a stream broke.
pub async fn bridge(address: SocketAddr) -> io::Result<()> {
    if !address.ip().is_loopback() {
        return Err(io::Error::other(format!("`{address}` is not of this machine")));
    }
    let (mut from, mut to) = TcpStream::connect(address).await?.into_split();
    let asks = async {
        tokio::io::copy(&mut tokio::io::stdin(), &mut to).await?;
        to.shutdown().await
    };
    let answers = async {
        let mut stdout = tokio::io::stdout();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = tokio::io::AsyncReadExt::read(&mut from, &mut buffer).await?;
            if count == 0 {
                return Ok(());
            }
            stdout.write_all(buffer.get(..count).unwrap_or_default()).await?;
            stdout.flush().await?;
        }
    };
    tokio::pin!(asks);
    tokio::select! {
        // A server that has ended says no more, whatever the gateway still holds open.
        ended = answers => ended,
        broken = async {
            match (&mut asks).await {
                Ok(()) => std::future::pending().await,
                broken => broken,
            }
        } => broken,
    }
}

impl Target for GatewayCommand {
    fn capabilities(&self) -> &'static [Capability] {
        match (self.has("policy"), self.faketime.is_some()) {
            (false, false) => &[],
            (true, false) => &[Capability::Policy],
            (false, true) => &[Capability::Clock],
            (true, true) => &[Capability::Clock, Capability::Policy],
        }
    }

    fn hides_audit(&self) -> bool {
        !self.has("audit")
    }

    fn unfit(&self, policy: &PolicyFile) -> Option<String> {
        match self.described.as_ref()?.policy(&policy.path) {
            InPlace::None(name) => Some(format!("the target has no policy in the place of `{name}`")),
            InPlace::Ours | InPlace::Theirs(_) => None,
        }
    }

    fn by_effects(&self) -> bool {
        self.described.as_ref().is_some_and(|file| file.judged_by() == JudgedBy::Effects)
    }

    fn open(&self, setting: &Setting<'_>) -> Result<Stack, TargetError> {
        let folder = tempfile::tempdir().map_err(TargetError::Folder)?;
        let policy = self.policy(setting.policy, folder.path()).map_err(TargetError::Folder)?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(TargetError::Socket)?;
        listener.set_nonblocking(true).map_err(TargetError::Socket)?;
        let address = listener.local_addr().map_err(TargetError::Socket)?;
        let listener = TcpListener::from_std(listener).map_err(TargetError::Socket)?;

        let words = self.fill(address, &policy, folder.path());
        // A stranger keeps what it keeps in a folder that is gone after the run.
        let home = self.described.as_ref().map(|_| folder.path());
        let clock = self.faketime.as_deref().map(|library| Faketime::set(library, folder.path()));
        let clock = clock.transpose().map_err(TargetError::Folder)?;
        let mut child = start(&words, home, clock.as_ref())?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(TargetError::Command { command: words.join(" "), source: io::ErrorKind::BrokenPipe.into() });
        };
        let (front, (from_agent, to_agent)) = pipe();
        let asks = tokio::spawn(carry(from_agent, stdin));
        let answers = tokio::spawn(carry(stdout, to_agent));
        let (over, gateway_over) = watch::channel(false);
        let folder = Arc::new(folder);
        let kept = folder.clone();
        let gateway = tokio::spawn(async move {
            let ended = ended(child, asks).await;
            let _ = answers.await;
            drop(over);
            drop(folder);
            ended
        });
        let server = Server::of(setting)?;
        let transcript = setting.transcript.clone();
        let open = move |stream: TcpStream| {
            let (read, write) = stream.into_split();
            let ((from_socket, to_socket), tapped) = pipe();
            let (behind_tap, back) = pipe();
            let tap = Tap::open(Leg::Upstream, transcript.clone(), tapped, behind_tap);
            let server = server.start(back);
            async move {
                let (up, down) = tokio::join!(carry(read, to_socket), carry(from_socket, write));
                up.and(down).map_err(|error| error.to_string())?;
                server.handle.await.map_err(|error| error.to_string())??;
                tap.ended().await.map_err(|error| error.to_string())
            }
        };
        let servers = tokio::spawn(accept(listener, open, gateway_over));
        let audit: Option<AuditLines> =
            if self.has("audit") { Some(Arc::new(move || decisions_in(&audit_in(kept.path())))) } else { None };
        let tasks =
            vec![Task { what: "the gateway", handle: gateway }, Task { what: "the MCP server", handle: servers }];
        let parts = Parts { taps: Vec::new(), tasks };
        let door = Box::new(Streams { front: Some(front), clock });
        Ok(Stack { door, parts, audit, behind_gateway: true, sees_upstream: true })
    }
}

/// A process has one input and one output.
struct Streams {
    front: Option<PipeEnd>,
    clock: Option<Faketime>,
}

impl Door for Streams {
    fn connect(&mut self, _: Caller<'_>, _: &mut Parts) -> Result<PipeEnd, TargetError> {
        self.front.take().ok_or(TargetError::OneConnection)
    }

    fn time_moves(&mut self, by: Duration) -> Result<(), String> {
        match &mut self.clock {
            Some(clock) => clock.advance(by).map_err(|error| format!("the gateway's clock cannot be moved: {error}")),
            None => Ok(()),
        }
    }
}

/// How far the clock of a process is ahead, in a file that libfaketime reads whenever it is asked for the time.
struct Faketime {
    library: PathBuf,
    file: PathBuf,
    ahead: Duration,
}

impl Faketime {
    fn set(library: &Path, folder: &Path) -> io::Result<Self> {
        let clock = Self { library: library.to_owned(), file: folder.join("ahead"), ahead: Duration::ZERO };
        clock.write()?;
        Ok(clock)
    }

    fn advance(&mut self, by: Duration) -> io::Result<()> {
        self.ahead = self.ahead.saturating_add(by);
        self.write()
    }

    /// Put in place at once, for it may be read at any time.
    fn write(&self) -> io::Result<()> {
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("+{}.{:03}\n", self.ahead.as_secs(), self.ahead.subsec_millis()))?;
        std::fs::rename(new, &self.file)
    }
}

/// The policy's own file, beside which what it includes stands; a copy of one that is in no file.
fn policy_path(policy: &PolicyFile, folder: &Path) -> io::Result<PathBuf> {
    if std::fs::read_to_string(&policy.path).is_ok_and(|text| text == policy.text()) {
        return std::path::absolute(&policy.path);
    }
    let path = folder.join("policy.json");
    std::fs::write(&path, policy.text())?;
    Ok(path)
}

/// The decisions that a gateway has written down; outcomes and events stand between them.
fn decisions_in(audit: &Path) -> Vec<String> {
    let is_decision = |line: &&str| {
        let value = serde_json::from_str::<serde_json::Value>(line);
        // A line that cannot be read is for the checks of the audit to find.
        value.map_or(true, |value| value.get("decision").is_some())
    };
    let text = std::fs::read_to_string(audit).unwrap_or_default();
    text.lines().filter(is_decision).map(str::to_owned).collect()
}

fn start(words: &[String], home: Option<&Path>, clock: Option<&Faketime>) -> Result<Child, TargetError> {
    let failed = |source| TargetError::Command { command: words.join(" "), source };
    let (program, arguments) = words.split_first().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    if let Some(home) = home {
        command.env("HOME", home).current_dir(home);
    }
    if let Some(Faketime { library, file, .. }) = clock {
        command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", file).env("FAKETIME_NO_CACHE", "1");
    }
    command.spawn().map_err(failed)
}

/// Waits until a gateway has ended whose client hangs up.
async fn ended(mut child: Child, asks: tokio::task::JoinHandle<io::Result<()>>) -> Result<(), String> {
    tokio::select! {
        ended = child.wait() => return match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("it ended before its client had hung up, with {status}")),
            Err(error) => Err(error.to_string()),
        },
        _ = asks => {}
    }
    // How it ends when its client is gone is its own affair, as long as it does.
    if tokio::time::timeout(PATIENCE, child.wait()).await.is_err() {
        let _ = child.kill().await;
        return Err("it did not end after its client had hung up, and was killed".to_owned());
    }
    Ok(())
}

/// Serves each connection of the gateway with a server of its own, until the gateway is over.
async fn accept<F>(
    listener: TcpListener,
    open: impl Fn(TcpStream) -> F,
    mut gateway_over: watch::Receiver<bool>,
) -> Result<(), String>
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let mut servers = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(servers.spawn(open(stream))),
                Err(error) => return Err(error.to_string()),
            },
            _ = gateway_over.changed() => break,
        }
    }
    while let Some(ended) = servers.join_next().await {
        ended.map_err(|error| error.to_string())??;
    }
    Ok(())
}

/// Carries bytes until they end, and the end with them. A peer that reads no more has gone, which is not this end's fault.
async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
    match tokio::io::copy(&mut from, &mut to).await {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {}
        Err(error) => return Err(error),
    }
    match to.shutdown().await {
        Err(error) if !matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected) => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_as_a_shell_would() {
        let bridge = vec!["rogue".to_owned(), "bridge".to_owned()];
        let parse = |text| GatewayCommand::parse(text, bridge.clone());
        let command = parse("gate --policy {policy} '--log={folder}/a b' --audit {audit} -- {upstream}").unwrap();
        assert_eq!(command.name(), "command gate");
        let filled = command.fill("127.0.0.1:9".parse().unwrap(), Path::new("/p/policy.json"), Path::new("/f"));
        let expected = [
            "gate",
            "--policy",
            "/p/policy.json",
            "--log=/f/a b",
            "--audit",
            "/f/audit.jsonl",
            "--",
            "rogue",
            "bridge",
            "127.0.0.1:9",
        ];
        assert_eq!(filled, expected);
        assert!(!command.hides_audit() && command.capabilities() == [Capability::Policy]);
        assert_eq!(parse("gate").unwrap_err(), BadCommand::NoUpstream);
        assert!(matches!(parse("gate 'x {upstream}"), Err(BadCommand::Quotes(_))));
        assert_eq!(parse("gate {polcy} {upstream}").unwrap_err(), BadCommand::Unknown("{polcy}".to_owned()));
        assert!(parse(r#"gate '{"a": {}}' {upstream}"#).is_ok(), "JSON is no place");
    }

    #[test]
    fn the_clock_of_a_process_is_ahead_by_what_the_run_has_moved() {
        let command = GatewayCommand::parse("gate {policy} {upstream}", Vec::new()).unwrap();
        assert_eq!(command.capabilities(), [Capability::Policy]);
        assert_eq!(command.with_faketime(Path::new("lib.so")).capabilities(), [Capability::Clock, Capability::Policy]);

        let folder = tempfile::tempdir().unwrap();
        let mut clock = Faketime::set(Path::new("lib.so"), folder.path()).unwrap();
        let ahead = || std::fs::read_to_string(folder.path().join("ahead")).unwrap();
        assert_eq!(ahead(), "+0.000\n");
        clock.advance(Duration::from_millis(61_500)).unwrap();
        clock.advance(Duration::from_hours(24)).unwrap();
        assert_eq!(ahead(), "+86461.500\n");
    }

    #[tokio::test]
    async fn a_bridge_leads_nowhere_but_to_this_machine() {
        assert!(bridge("192.0.2.1:9".parse().unwrap()).await.unwrap_err().to_string().contains("192.0.2.1"));
    }
}

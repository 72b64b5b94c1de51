//! A server, and perhaps the gateway before it: what a client opens sessions with.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use clap::ValueEnum;
use mcp_gateway::mcp_policy::{Guard, Policy};
use mcp_gateway::{ChainedAudit, Gateway, GatewayConfig, Identity, Rotation, policy_digest, system_clock};
use rmcp::ServiceExt as _;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, DuplexStream, duplex, split};
use tokio::process::{Child, Command};

use crate::Outcome;
use crate::server::Echo;
use crate::sessions::{Lines, Session, Web};

const PIPE: usize = 1 << 16;
/// What the gateway may have open at once, beyond every run.
const PLENTY: &str = "100000";

/// What carries a session from the client to the gateway, and on to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// Over pipes within one process, on one thread
    InProcess,
    /// Over standard streams to both
    Stdio,
    /// Over HTTP to the gateway, which has a server on standard streams for each session
    HttpToStdio,
    /// Over HTTP to both
    Http,
}

impl Way {
    pub const fn name(self) -> &'static str {
        match self {
            Self::InProcess => "in process",
            Self::Stdio => "stdio to stdio",
            Self::HttpToStdio => "HTTP to stdio",
            Self::Http => "HTTP to HTTP",
        }
    }
}

/// Where sessions begin.
enum Door {
    /// A server in this process, and a gateway.
    InProcess(Option<Arc<Gateway>>),
    /// A server's command for each session.
    Server(String),
    /// A gateway for each session, which has its audit to itself.
    Gateway(Vec<String>),
    /// An address, and the token that it wants.
    Web(String, Option<String>),
}

/// Ends with all that it started when it is dropped.
pub struct Stack {
    door: Door,
    /// The gateway, where it serves many.
    pub gateway: Option<Child>,
    running: Vec<Child>,
    opened: u64,
    folder: TempDir,
}

/// The command that was built beside this one.
fn gateway_command() -> Outcome<PathBuf> {
    let own = std::env::current_exe()?;
    let beside = own.parent().and_then(Path::parent).map(|folder| folder.join("mcp-gateway"));
    beside
        .filter(|command| command.is_file())
        .ok_or_else(|| "no gateway beside this command: cargo build --release -p mcp-gateway --bin mcp-gateway".into())
}

fn own_command() -> Outcome<String> {
    Ok(std::env::current_exe()?.to_str().ok_or("the path of this command is no text")?.to_owned())
}

/// Starts a server of HTTP, and tells its address, as it does itself.
async fn listening(command: &mut Command) -> Outcome<(Child, String)> {
    let mut child = command.stderr(Stdio::piped()).stdin(Stdio::null()).kill_on_drop(true).spawn()?;
    let stderr = child.stderr.take().ok_or("no standard error")?;
    let mut lines = BufReader::new(stderr).lines();
    while let Some(line) = lines.next_line().await? {
        if let Some(address) = line.strip_prefix("listening on http://").and_then(|rest| rest.strip_suffix("/mcp")) {
            // Whatever else it says is not held up.
            tokio::spawn(async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    eprintln!("{line}");
                }
            });
            return Ok((child, address.to_owned()));
        }
        eprintln!("{line}");
    }
    Err("a server did not listen".into())
}

/// Starts a server of standard streams and opens a session with it.
async fn piped(command: &mut Command) -> Outcome<(Child, Lines)> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let (read, write) = (child.stdout.take().ok_or("no output")?, child.stdin.take().ok_or("no input")?);
    Ok((child, Lines::open(read, write).await?))
}

async fn web_server(faulty: bool) -> Outcome<(Child, String)> {
    let mut command = Command::new(own_command()?);
    command.args(["--serve", "http"]).args(faulty.then_some("--faulty"));
    listening(&mut command).await
}

impl Stack {
    fn new(door: Door) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        Ok(Self { door, gateway: None, running: Vec::new(), opened: 0, folder })
    }

    pub fn audit(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    /// The server alone.
    pub async fn direct(way: Way) -> Outcome<Self> {
        match way {
            Way::InProcess => Self::new(Door::InProcess(None)),
            Way::Stdio => Self::new(Door::Server(own_command()?)),
            Way::HttpToStdio | Way::Http => {
                let (server, address) = web_server(false).await?;
                let mut stack = Self::new(Door::Web(address, None))?;
                stack.running.push(server);
                Ok(stack)
            }
        }
    }

    /// The gateway before it, with this policy and a chained audit.
    pub async fn through(way: Way, policy: &str, faulty: bool) -> Outcome<Self> {
        let mut stack = Self::new(Door::InProcess(None))?;
        let file = stack.folder.path().join("policy.json");
        std::fs::write(&file, policy)?;
        let told = |path: &Path| path.to_str().map(str::to_owned).ok_or("a temporary path is no text");
        let mut arguments = ["--max-in-flight", PLENTY, "--policy"].map(str::to_owned).to_vec();
        arguments.push(told(&file)?);
        let serve = if faulty { vec!["--serve", "stdio", "--faulty"] } else { vec!["--serve", "stdio"] };
        let child = [vec!["--".to_owned(), own_command()?], serve.iter().map(ToString::to_string).collect()].concat();
        match way {
            Way::InProcess => {
                let audit = ChainedAudit::open(&stack.audit(), None, Rotation::default())?;
                let mut config = GatewayConfig::new(system_clock(), audit, "load");
                config.policy = policy_digest(policy);
                let guard = Guard::new(Policy::parse(policy)?);
                stack.door = Door::InProcess(Some(Arc::new(Gateway::new(guard, config))));
            }
            Way::Stdio => {
                arguments.extend(child);
                stack.door = Door::Gateway(arguments);
            }
            Way::HttpToStdio | Way::Http => {
                let state = told(&stack.folder.path().join("state"))?;
                let mut grant = Command::new(gateway_command()?);
                let token = grant.args(["grant", "add", "load", "--state", &state]).output().await?;
                let token = String::from_utf8(token.stdout)?.trim().to_owned();
                arguments.extend(["--audit".to_owned(), told(&stack.audit())?]);
                arguments.extend(["--state", &state, "--durability", "process"].map(str::to_owned));
                arguments.extend(["--listen", "127.0.0.1:0", "--max-sessions", PLENTY].map(str::to_owned));
                // What is measured is the way, and not who may go it how often.
                let unlimited = ["--address-rate", "--address-in-flight", "--grant-rate", "--grant-in-flight"];
                arguments.extend(unlimited.into_iter().flat_map(|flag| [flag.to_owned(), "0".to_owned()]));
                if way == Way::Http {
                    let (server, address) = web_server(faulty).await?;
                    stack.running.push(server);
                    arguments.extend(["--upstream".to_owned(), format!("http://{address}/mcp")]);
                } else {
                    arguments.extend(child);
                }
                let (gateway, address) = listening(Command::new(gateway_command()?).args(&arguments)).await?;
                stack.gateway = Some(gateway);
                stack.door = Door::Web(address, Some(token));
            }
        }
        Ok(stack)
    }

    pub async fn session(&mut self) -> Outcome<Session> {
        self.opened += 1;
        Ok(match &self.door {
            Door::InProcess(gateway) => {
                let identity = Identity::new("load", format!("s-{}", self.opened));
                let (read, write) = split(in_process(gateway.clone(), identity));
                Session::Lines(Lines::open(read, write).await?)
            }
            Door::Server(command) => {
                let (child, lines) = piped(Command::new(command).args(["--serve", "stdio"])).await?;
                self.running.push(child);
                Session::Lines(lines)
            }
            Door::Gateway(arguments) => {
                let audit = self.folder.path().join(format!("audit-{}.jsonl", self.opened));
                let mut command = Command::new(gateway_command()?);
                let (child, lines) = piped(command.arg("--audit").arg(audit).args(arguments)).await?;
                self.running.push(child);
                Session::Lines(lines)
            }
            Door::Web(address, token) => Session::Web(Web::open(address, token.as_deref()).await?),
        })
    }

    pub async fn sessions(&mut self, count: u64) -> Outcome<Vec<Session>> {
        let mut sessions = Vec::new();
        for _ in 0..count {
            sessions.push(self.session().await?);
        }
        Ok(sessions)
    }
}

fn serve_echo(stream: DuplexStream) {
    tokio::spawn(async move {
        if let Ok(server) = Echo::default().serve(split(stream)).await {
            let _ = server.waiting().await;
        }
    });
}

fn in_process(gateway: Option<Arc<Gateway>>, identity: Identity) -> DuplexStream {
    let (client, front) = duplex(PIPE);
    let Some(gateway) = gateway else {
        serve_echo(front);
        return client;
    };
    let (back, server) = duplex(PIPE);
    serve_echo(server);
    tokio::spawn(async move {
        let ((front_read, front_write), (back_read, back_write)) = (split(front), split(back));
        gateway.serve(identity, front_read, front_write, back_read, back_write).await
    });
    client
}

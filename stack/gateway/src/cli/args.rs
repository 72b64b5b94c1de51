//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Puts a policy in front of an MCP server: judges each tool call, forwards what it judged, keeps a record.
///
/// Starts the server as a child process, or reaches it at --upstream, and speaks MCP in its place: on standard input and
/// output, or with --listen over HTTP.
#[derive(Debug, Parser)]
#[command(name = "mcp-gateway", version, after_long_help = AFTER_HELP)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) action: Option<Action>,

    #[command(flatten)]
    pub(crate) gateway: GatewayArgs,
}

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct GatewayArgs {
    /// A TOML file with everything that flags say, and with the servers that there are. What is given here or in the
    /// environment goes before it.
    #[arg(long, value_name = "FILE", env = "MCP_GATEWAY_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// The policy, a JSON document of version "1" or "2". Without a valid one nothing is started.
    #[arg(long, value_name = "FILE", env = "MCP_GATEWAY_POLICY", required_unless_present = "config")]
    pub(crate) policy: Option<PathBuf>,

    /// While this file is there, nothing passes but the policy's `safety_tools`: see `mcp-gateway kill`. SIGUSR1 makes it,
    /// SIGUSR2 removes it; without a file they work on this process alone.
    #[arg(long, value_name = "FILE", env = "MCP_GATEWAY_KILL_FILE")]
    pub(crate) kill_file: Option<PathBuf>,

    /// Append a chain of records to this file, each one line of JSON: two for each call, one for each refused frame;
    /// `-` is standard error, without a chain.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) audit: PathBuf,

    /// Set the audit's file aside as FILE.000001 and so on before it grows beyond this many bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    pub(crate) audit_rotate: u64,

    /// Wait for the disk after each record, so that none is lost with the power.
    #[arg(long)]
    pub(crate) audit_sync: bool,

    /// Key the audit's chain and add a digest of each call's arguments, with the bytes of this file (16 or more).
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_key_file: Option<PathBuf>,

    /// The folder of what outlives the gateway: approvals, and what calls were charged. It is made if it is not there, and
    /// must be out of the agent's reach. Without it a call that needs approval is denied, and a restart forgets what was
    /// counted.
    #[arg(long, value_name = "DIR", env = "MCP_GATEWAY_STATE")]
    pub(crate) state: Option<PathBuf>,

    /// What a charge on disk survives: `power` waits for the disk on each call, `process` does not.
    #[arg(long, value_name = "WHAT", default_value = "power")]
    pub(crate) durability: Survives,

    /// Count limits in Redis or Valkey, together with all gateways that are given the same store:
    /// `redis://[USER@]HOST:PORT/DATABASE`. Without an answer from it in time nothing that is limited passes. The policy
    /// must have no rules over what went before and no breakers: each gateway would know only its own calls.
    #[cfg(feature = "redis")]
    #[arg(long, value_name = "URL", env = "MCP_GATEWAY_SHARED_STORE")]
    pub(crate) shared_store: Option<String>,

    /// The file with the shared store's password.
    #[cfg(feature = "redis")]
    #[arg(long, value_name = "FILE", env = "MCP_GATEWAY_SHARED_STORE_PASSWORD_FILE")]
    pub(crate) shared_store_password_file: Option<PathBuf>,

    /// How long a call waits for the shared store, in milliseconds; after that it is denied.
    #[cfg(feature = "redis")]
    #[arg(long, value_name = "MS", default_value_t = 500)]
    pub(crate) shared_store_timeout: u64,

    /// How long a request for approval waits for a person, and an approval for its call, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    pub(crate) approval_window: u64,

    /// Tell this address of each new request for approval: `https://desk.example/hook`, or `http` on the loopback. Each notice
    /// is signed with the secret of --approval-webhook-secret-file or of `MCP_GATEWAY_APPROVAL_WEBHOOK_SECRET`.
    #[arg(long, value_name = "URL", env = "MCP_GATEWAY_APPROVAL_WEBHOOK", hide_env_values = true)]
    pub(crate) approval_webhook: Option<String>,

    /// The file with the secret that notices are signed with, of 16 bytes or more; `whsec_` and Base64 will do.
    #[arg(long, value_name = "FILE", env = "MCP_GATEWAY_APPROVAL_WEBHOOK_SECRET_FILE")]
    pub(crate) approval_webhook_secret_file: Option<PathBuf>,

    /// Tell the webhook without encryption beyond this machine: whoever is on the way reads the requests.
    #[arg(long)]
    pub(crate) approval_webhook_plain_text: bool,

    /// The tool definitions that somebody has looked at, as `mcp-gateway pin` writes them. A tool whose definition is
    /// another is quarantined; one that was not listed yet may not be called.
    #[arg(long, value_name = "FILE", env = "MCP_GATEWAY_PINS")]
    pub(crate) pins: Option<PathBuf>,

    /// The name of the client for limits by grant and for the audit. The client itself cannot choose it.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) grant: String,

    /// The server's name in the audit; by default the name of its command. Of several servers in --config, the one to
    /// serve.
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<String>,

    /// How many requests may wait for answers at once; more are refused.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub(crate) max_in_flight: usize,

    /// The longest frame taken from the client, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    pub(crate) max_frame: usize,

    /// How long an ending session waits for the server's answers, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    pub(crate) drain: u64,

    /// How often in a row a server that dies is started again; the session ends with the next death. 0 is never.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) restarts: u32,

    /// How long after a first death the next server is started, in milliseconds; the wait doubles with each of a row.
    #[arg(long, value_name = "MS", default_value_t = 200)]
    pub(crate) restart_wait: u64,

    /// The longest of these waits, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    pub(crate) restart_wait_max: u64,

    /// After how long a server counts as one that holds, in milliseconds: a death after that is the first of a row.
    #[arg(long, value_name = "MS", default_value_t = 60_000)]
    pub(crate) restart_holds: u64,

    /// How long a server that was started again may take for the handshake, in milliseconds; then it counts as dead.
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    pub(crate) restart_handshake: u64,

    /// Read the configuration and the policies, print what is wrong or vain in them, and stop.
    #[arg(long)]
    pub(crate) check: bool,

    /// What to log on standard error, as tracing directives.
    #[arg(long, value_name = "DIRECTIVES", env = "MCP_GATEWAY_LOG", default_value = "warn")]
    pub(crate) log: String,

    /// Serve many clients over HTTP at ADDRESS, path `/mcp`, in place of one on standard input and output. Port 0 lets the
    /// system choose; the address is told on standard error. Each client needs the token of a grant, from the state folder.
    #[arg(long, value_name = "ADDRESS", env = "MCP_GATEWAY_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,

    /// Another name by which the listeners may be called, as in `Host`; those of the loopback are taken anyway.
    #[arg(long, value_name = "HOST")]
    pub(crate) allow_host: Vec<String>,

    /// A web page that may call the listener, as in `Origin`: `https://desk.example`. By default none may.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,

    /// Encrypt what --listen and --admin serve, and show the certificate of this file: PEM, the server's own first, then
    /// those that signed it. SIGHUP reads it anew.
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", env = "MCP_GATEWAY_TLS_CERT")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The file with the private key of --tls-cert: PEM, without a password.
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE", env = "MCP_GATEWAY_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Listen where other machines reach it, without encryption: whoever is on the way reads tokens and orders. Only
    /// behind something that encrypts.
    #[arg(long)]
    pub(crate) plain_text_beyond_this_machine: bool,

    /// Show people what waits for them, what was decided and the kill switch, at this address, and figures for Prometheus at
    /// `/metrics`. Port 0 lets the system choose. Without encryption it must be one of the loopback.
    #[arg(long, value_name = "ADDRESS", env = "MCP_GATEWAY_ADMIN")]
    pub(crate) admin: Option<SocketAddr>,

    /// The file with the token for --admin, of 16 characters or more. No agent may know it.
    #[arg(long, value_name = "FILE", env = "MCP_GATEWAY_ADMIN_TOKEN_FILE")]
    pub(crate) admin_token_file: Option<PathBuf>,

    /// How many sessions there may be over HTTP at once, each with a connection to the server of its own.
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) max_sessions: usize,

    /// How many requests a second one address may send over HTTP; more are told to come back (429). 0 is no limit.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(crate) address_rate: u32,

    /// How many requests of one address are served at once. 0 is no limit.
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub(crate) address_in_flight: usize,

    /// How many requests a second one grant may send over HTTP; more are told to come back (429). 0 is no limit.
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(crate) grant_rate: u32,

    /// How many requests of one grant are served at once. 0 is no limit.
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) grant_in_flight: usize,

    /// The server's address, where it speaks streamable HTTP, in place of a command: `http://127.0.0.1:9000/mcp`. At
    /// `https` it has to prove who it is, by an authority that this system believes.
    #[arg(long, value_name = "URL", env = "MCP_GATEWAY_UPSTREAM", conflicts_with = "command")]
    pub(crate) upstream: Option<String>,

    /// The file with the token that the server at --upstream wants as a bearer. Tokens of clients never reach it.
    #[arg(long, value_name = "FILE")]
    pub(crate) upstream_token_file: Option<PathBuf>,

    /// Believe the server at --upstream if an authority of this file has signed its certificate, and no other: PEM.
    #[cfg(feature = "tls")]
    #[arg(long, value_name = "FILE")]
    pub(crate) upstream_ca: Option<PathBuf>,

    /// The server's command and its arguments, after `--`.
    #[arg(last = true, value_name = "COMMAND", required_unless_present_any = ["check", "upstream", "config"])]
    pub(crate) command: Vec<OsString>,
}

/// What there is to do beside serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Decide about calls that wait for a person
    #[command(subcommand)]
    Approvals(Approvals),
    /// Give clients over HTTP their tokens, or take them back
    #[command(subcommand)]
    Grant(Grants),
    /// Write down what each tool of a server is, for --pins
    Pin {
        /// The pin file; one that is there is replaced
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The server's command and its arguments, after `--`
        #[arg(last = true, value_name = "COMMAND", required = true)]
        command: Vec<OsString>,
    },
    /// Put the gateway in front of the servers of an MCP client's configuration
    Init(Init),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
    /// Throw the kill switch of every gateway that was given the file, or release it
    Kill {
        /// Which
        position: Position,
        /// The file of the switch
        #[arg(long, value_name = "FILE", env = "MCP_GATEWAY_KILL_FILE", required_unless_present = "config")]
        kill_file: Option<PathBuf>,
        /// The gateway's configuration file, which names the switch
        #[arg(long, value_name = "FILE", env = "MCP_GATEWAY_CONFIG")]
        config: Option<PathBuf>,
    },
}

/// The configuration is printed, or written to --out; the client's own file is never changed.
#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// The client's configuration: JSON with `mcpServers` or `servers`
    #[arg(value_name = "CONFIG")]
    pub(crate) config: PathBuf,
    /// The policy for each server; it is read, and must be valid
    #[arg(long, value_name = "FILE", env = "MCP_GATEWAY_POLICY")]
    pub(crate) policy: PathBuf,
    /// The folder of the audits, a file for each server
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) audit: PathBuf,
    /// The folder of the states, a folder for each server
    #[arg(long, value_name = "DIR", env = "MCP_GATEWAY_STATE")]
    pub(crate) state: Option<PathBuf>,
    /// Guard this server and leave the others as they are; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// The file with the bearer token that a server behind HTTP wants, in place of the client's header
    #[arg(long, value_name = "NAME=FILE")]
    pub(crate) upstream_token_file: Vec<String>,
    /// The gateway that the client is to start; by default this one
    #[arg(long, value_name = "PATH")]
    pub(crate) gateway: Option<PathBuf>,
    /// Write to this file, readable by its owner, which must not be there yet
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// What there is to do with grants. All of it holds for the next request of a gateway that is running.
#[derive(Debug, Subcommand)]
pub(crate) enum Grants {
    /// Give a grant; its token is printed once, and never again
    Add {
        /// Its name, for limits by grant and for the audit
        name: String,
        #[command(flatten)]
        state: State,
        /// After how many hours its token is no longer taken
        #[arg(long, value_name = "HOURS")]
        expires_in: Option<u64>,
        /// The policy that judges its calls in place of the server's. It is read, and must be valid; a gateway that is
        /// running denies its calls until SIGHUP. What it says can be changed later, the file not
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
    },
    /// Show all grants, also those that are over
    List {
        #[command(flatten)]
        state: State,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a grant back for good
    Revoke {
        /// Its name
        name: String,
        #[command(flatten)]
        state: State,
    },
    /// Replace a grant's token; the old one is void at once
    Rotate {
        /// Its name
        name: String,
        #[command(flatten)]
        state: State,
    },
}

/// What a person does with requests for approval.
#[derive(Debug, Subcommand)]
pub(crate) enum Approvals {
    /// Show requests, the newest first
    List {
        #[command(flatten)]
        state: State,
        /// Those that are over as well
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Let a call through, once, if it comes again unchanged in time
    Approve(Decide),
    /// Do not let a call through
    Deny(Decide),
}

#[derive(Debug, clap::Args)]
pub(crate) struct State {
    /// The gateway's state folder
    #[arg(long = "state", value_name = "DIR", env = "MCP_GATEWAY_STATE", required_unless_present = "config")]
    pub(crate) folder: Option<PathBuf>,
    /// The gateway's configuration file, which names the folder
    #[arg(long, value_name = "FILE", env = "MCP_GATEWAY_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Decide {
    /// The id of the request
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) state: State,
    /// Who decides, for the record
    #[arg(long, value_name = "NAME", env = "USER", default_value = "")]
    pub(crate) by: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) note: String,
    /// How long an approval waits for its call, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    pub(crate) window: u64,
}

/// What a record on disk survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Survives {
    /// The loss of power.
    Power,
    /// The death of the process.
    Process,
}

/// A position of the kill switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Position {
    /// Nothing passes but safety tools.
    On,
    /// The policy decides.
    Off,
}

const AFTER_HELP: &str = "\
What passes:
  initialize, server/discover, ping, tools/list and tools/call, the
  notifications initialized and cancelled, and from the server progress,
  message and tools/list_changed. All else is answered with an error and
  goes no further. tools/list shows what the policy does not hide; calls
  are judged whether listed or not.

Denials:
  A denied call has a result with isError whose text begins with
  [POLICY DENIED]; structuredContent holds denied, reason, message and,
  where they may be known, rule and retry_after_ms. A call whose answer was
  lost begins with [OUTCOME UNKNOWN] and may have taken effect.

Audit:
  A call is put on record before it is forwarded; one that cannot be is
  denied. What became of it is a second record with the same session and
  seq. Records hold the names of arguments, and of their values those that
  the policy shows. Each record of a file holds the hash of the one before;
  FILE.head says how far the chain has come. A file is created readable by
  its owner only. `rogue audit verify | show | query` reads it.

A server that dies:
  Calls in flight are answered with [OUTCOME UNKNOWN] or [NOT SENT]; it is
  started again after --restart-wait, at most --restarts times in a row, and
  brought to where the one before was. Until then requests are refused with
  `server_restarting`, and charged nothing. One that has another version, or
  a capability less, ends the session.

Standard streams:
  Input and output carry MCP messages, one a line. Logs, warnings about the
  policy and the server's own standard error go to standard error.

Over HTTP:
  POST, GET and DELETE at /mcp, as MCP has them from 2025-03-26 to
  2026-07-28. Each session has a server process of its own; clients of
  2026-07-28 keep no session and share one per grant. Each request brings
  `Authorization: Bearer` with the token that `mcp-gateway grant add` has
  printed. /healthz answers without one.

Admin page:
  --admin shows requests for approval with every argument of the order, the
  latest decisions and the kill switch to whoever has the token; for
  scripts, GET /api/approvals, POST /api/approvals/ID/approve or /deny with
  a JSON object `by` and `note`, POST /api/kill/on or /off, GET /metrics, each with the
  token as a bearer. /healthz and /readyz need none.

Ending:
  When the client closes its end, or on SIGINT or SIGTERM: calls in flight
  are waited for, the server's input is closed, and a server that is still
  there after --drain is killed. The server inherits the environment except
  for MCP_GATEWAY_*.

Configuration:
  --config names a TOML file with the same settings, and a table
  `[servers.NAME]` for each server. A flag goes before its variable
  MCP_GATEWAY_*, that before the file, and that before the default. Paths in
  the file are from its folder; secrets stand in files of their own.
  --check reads it and the policies that it names.

Signals:
  SIGHUP reads the policies and the certificate anew: they are taken whole or
  not at all, what was counted stays, and the audit names which policy judged
  each call. SIGUSR1 throws the kill switch, SIGUSR2 releases it.

Exit codes:
  0  ended by the client or a signal, or the policy passed --check
  1  the connection to the client or the server broke
  2  the command line is wrong, or with the file says too little
  3  the policy cannot be read or is not valid
  4  the audit or its key cannot be opened
  5  the server cannot be started
  6  the server ended before the client did, and was not started again
  7  the kill switch cannot be set
  8  the state folder cannot be used
  9  there is no such pending approval
  10 the pins cannot be read, or the tools cannot be pinned
  11 an address cannot be listened on, or the admin token or the certificate
     not be used
  12 the grant cannot be given or taken back
  13 the shared store cannot be used, or the policy has rules that it does not share
  14 the client's configuration cannot be guarded
  15 the configuration file cannot be read or is not valid
  16 the approval webhook cannot be used

Examples:
  mcp-gateway --policy policy.json --audit audit.jsonl -- binance-mcp

  mcp-gateway grant add desk --state state
  mcp-gateway --policy policy.json --state state --audit audit.jsonl \\
    --listen 127.0.0.1:8700 -- binance-mcp

  mcp-gateway --policy policy.json --state state --listen 0.0.0.0:8700 \\
    --allow-host desk.example --tls-cert desk.crt --tls-key desk.key \\
    -- binance-mcp

  mcp-gateway --policy policy.json --upstream http://127.0.0.1:9000/mcp

  mcp-gateway --config mcp-gateway.toml --check
  mcp-gateway --config mcp-gateway.toml --server binance

  mcp-gateway init ~/.config/client/mcp.json --policy policy.json --out guarded.json
";

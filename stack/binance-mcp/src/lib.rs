//! The 23 `bn_*` tools of Binance spot, served over MCP.
//!
//! ```text
//!  tools/call ──▶ server ──▶ args ──────▶ client ──▶ sign ──▶ the exchange
//!                 (rmcp)     (schema of    (one HTTP request, never repeated)
//!                             tools/)           │
//!  result ◀────── server ◀── result ◀───────────┘
//! ```
//!
//! * [`tools`]: what the tools are, as data: one table, from which names, schemas and annotations come.
//! * `args`: holds a call against the tool's closed schema and turns it into request parameters.
//! * `sign`: percent-encoding and the HMAC-SHA256 signature.
//! * `client`: one request, one answer; decides what is known when no answer comes.
//! * `result`: an answer, or an error, as the agent sees it.
//! * `server`: the MCP face, and [`serve`] for any pair of streams.
//!
//! In process, over any pair of streams:
//!
//! ```
//! use binance_mcp::{BinanceMcp, Config, serve};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = BinanceMcp::new(Config::new("http://127.0.0.1:8080"))?;
//! let (client_end, server_end) = tokio::io::duplex(64 * 1024);
//! let (read, write) = tokio::io::split(server_end);
//! let served = tokio::spawn(serve(server, read, write));
//! // An MCP client would take `client_end`; this one hangs up at once.
//! drop(client_end);
//! served.await??;
//! # Ok(())
//! # }
//! ```
//!
//! Credentials, base URL and clock come from [`Config`], never from tool arguments, and no secret
//! appears in an answer, an error, a log line or a `Debug` form.

mod config;
mod tools;

mod args;
mod sign;

mod client;
mod error;

mod result;
mod server;

pub use config::{Config, Credentials, DEFAULT_BASE_URL, MAX_RECV_WINDOW_MS, NowMs, system_clock};
pub use error::{ConfigError, ServeError};
pub use server::{BinanceMcp, serve, serve_until};
pub use tools::{Access, Endpoint, Hints, ToolDefinition, tools};

//! `binance-mcp`: the server on standard input and output. See `binance-mcp --help`.

mod cli;

use std::io::Write as _;
use std::process::ExitCode;

use binance_mcp::{BinanceMcp, serve_until};
use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Keys};

/// The MCP session could not be opened, or broke off.
const SESSION_FAILED: u8 = 1;
/// Bad usage (as clap has it) or configuration.
const BAD_CONFIGURATION: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = match EnvFilter::try_new(&cli.log) {
        Ok(filter) => filter,
        Err(error) => return fail(BAD_CONFIGURATION, &format!("`--log` is not understood: {error}")),
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();

    let keys =
        Keys { api_key: std::env::var("BINANCE_API_KEY").ok(), secret_key: std::env::var("BINANCE_SECRET_KEY").ok() };
    let config = match cli.into_config(keys) {
        Ok(config) => config,
        Err(error) => return fail(BAD_CONFIGURATION, &error.to_string()),
    };
    let with_credentials = config.credentials.is_some();
    let server = match BinanceMcp::new(config) {
        Ok(server) => server,
        Err(error) => return fail(BAD_CONFIGURATION, &error.to_string()),
    };
    tracing::info!(?server, with_credentials, "serving");

    // One thread: requests leave in the order of the calls.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(SESSION_FAILED, &error.to_string()),
    };
    let served = runtime.block_on(async {
        let (read, write) = rmcp::transport::io::stdio_pipes();
        serve_until(server, read, write, shutdown()).await
    });
    // A read of standard input that is still waiting cannot be cancelled: leave it behind.
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(SESSION_FAILED, &error.to_string()),
    }
}

/// Ends when the process is asked to end.
async fn shutdown() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            tracing::info!("asked to end");
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn fail(code: u8, message: &str) -> ExitCode {
    // With standard error closed there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "binance-mcp: {message}");
    ExitCode::from(code)
}

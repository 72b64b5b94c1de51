//! Runs the command.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use mcp_gateway::admin::Watch;
use mcp_gateway::{Connection, Gateway, Identity, SessionSummary};
use tracing_subscriber::EnvFilter;

use super::args::{Action, Args, GatewayArgs, Position};
use super::failure::Failure;
use super::{setup, signals};

pub(crate) fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.action {
        None => run(&args.gateway),
        Some(Action::Approvals(approvals)) => super::approvals::run(approvals),
        Some(Action::Grant(grants)) => super::grants::run(grants),
        Some(Action::Pin { out, command }) => super::pin::pin(out, command),
        Some(Action::Init(init)) => super::init::init(init),
        Some(Action::Completions { shell }) => super::shell::completions(*shell),
        Some(Action::Man) => super::shell::man(),
        Some(Action::Kill { position, kill_file }) => set_kill_switch(*position, kill_file),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn set_kill_switch(position: Position, path: &Path) -> Result<(), Failure> {
    let switch = setup::kill_switch(path)?;
    let set = match position {
        Position::On => switch.throw(),
        Position::Off => switch.release(),
    };
    set.map_err(|source| Failure::Kill { path: path.to_owned(), source })
}

fn run(args: &GatewayArgs) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&args.log).map_err(Failure::Log)?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).init();

    // The command line is not understood without it.
    let path = args.policy.clone().unwrap_or_default();
    let source = setup::read_policy(&path)?;
    if args.check {
        let _ = writeln!(io::stderr(), "{}: valid, sha256 {}", path.display(), source.digest);
        return Ok(());
    }
    let digest = source.digest.clone();
    let watch = Watch::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime)?;
    // What the gateway talks to beside its clients and its server belongs to the same runtime.
    let entered = runtime.enter();
    let gateway = setup::gateway(args, source, &watch)?;
    gateway.record_event("started", &[("version", env!("CARGO_PKG_VERSION")), ("policy", &digest)]);

    let served = runtime.block_on(async {
        let _admin = super::admin::start(args, &gateway, watch).await?;
        match args.listen {
            Some(address) => super::listen::serve(args, &gateway, address).await.map(|()| SessionSummary::default()),
            None => serve(args, &gateway).await,
        }
    });
    drop(entered);
    // A read of standard input that is still waiting cannot be cancelled: leave it behind.
    runtime.shutdown_background();
    let summary = served?;
    tracing::info!(?summary, "ended");
    gateway.record_approvals();
    gateway.record_event("ended", &[]);
    if summary.server_left_first { Err(Failure::ServerLeft) } else { Ok(()) }
}

async fn serve(args: &GatewayArgs, gateway: &Gateway) -> Result<SessionSummary, Failure> {
    let server = super::server::upstream(args, gateway.limits().answer_bytes_max)?;
    let Connection { read, write, ended } = server.connect().await.map_err(Failure::Connect)?;
    // One process serves one client, so its number and its start name the session.
    let identity = Identity::new(&*args.grant, format!("stdio-{}-{}", gateway.now_ms(), std::process::id()));
    let _signals = signals::heed(gateway.clone(), args.policy.clone().unwrap_or_default());
    let front = rmcp::transport::io::stdio_pipes();
    let served = gateway.serve_until(identity, front, (read, write), shutdown()).await;
    ended.await;
    Ok(served?)
}

/// Ready when the process is asked to end.
pub(super) async fn shutdown() {
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
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a handler the signal ends the process by itself.
        std::future::pending::<()>().await;
    }
}

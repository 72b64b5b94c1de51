//! Runs the command.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use mcp_gateway::admin::Watch;
use mcp_gateway::{Identity, SessionSummary};
use tracing_subscriber::EnvFilter;

use super::args::{Action, Args, GatewayArgs, Position};
use super::encryption::Encryption;
use super::failure::Failure;
use super::reread::Reread;
use super::settings::{self, Settings};
use super::setup::Guarded;
use super::webhook::Telling;
use super::{server, setup, signals};

pub(crate) fn main() -> ExitCode {
    let matches = Args::command().get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let done = match &args.action {
        None => put_together(args.gateway, &matches).and_then(|settings| run(&settings, matches.clone())),
        Some(Action::Approvals(approvals)) => super::approvals::run(approvals),
        Some(Action::Grant(grants)) => super::grants::run(grants),
        Some(Action::Pin { out, command }) => super::pin::pin(out, command),
        Some(Action::Init(init)) => super::init::init(init),
        Some(Action::Completions { shell }) => super::shell::completions(*shell),
        Some(Action::Man) => super::shell::man(),
        Some(Action::Kill { position, kill_file, config }) => {
            settings::kill_file(kill_file.as_deref(), config.as_deref())
                .and_then(|file| set_kill_switch(*position, &file))
        }
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

fn put_together(args: GatewayArgs, matches: &ArgMatches) -> Result<Settings, Failure> {
    let given =
        |name: &str| matches!(matches.value_source(name), Some(ValueSource::CommandLine | ValueSource::EnvVariable));
    Settings::of(args, &given)
}

fn run(settings: &Settings, matches: ArgMatches) -> Result<(), Failure> {
    let args = &settings.args;
    let filter = EnvFilter::try_new(&args.log).map_err(Failure::Log)?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).init();

    if args.check {
        return check(settings);
    }
    let encryption = Encryption::read(args, warn)?;
    let watch = Watch::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime)?;
    // What the gateway talks to beside its clients and its server belongs to the same runtime.
    let entered = runtime.enter();
    let telling = Telling::start(args)?;
    let notifier = telling.as_ref().map(Telling::notifier);
    let guarded: Arc<[Guarded]> = setup::gateways(settings, &watch, notifier.as_ref())?.into();
    for Guarded { gateway, .. } in guarded.iter() {
        let policy = gateway.policy();
        gateway.record_event("started", &[("version", env!("CARGO_PKG_VERSION")), ("policy", &policy)]);
    }

    let again = move || {
        let args = Args::from_arg_matches(&matches).map_err(|error| Failure::Usage(error.to_string()))?;
        put_together(args.gateway, &matches)
    };
    let served = runtime.block_on(async {
        let notices = telling.as_ref().map(Telling::counts);
        let _admin = super::admin::start(args, &guarded, &encryption, watch, notices).await?;
        let reread = Reread::new(Arc::clone(&guarded), settings, encryption.clone(), again);
        let served = match (args.listen, &*guarded) {
            (Some(address), guarded) => super::listen::serve(settings, guarded, address, &encryption, reread)
                .await
                .map(|()| SessionSummary::default()),
            (None, [only]) => serve(args, only, reread).await,
            (None, _) => Ok(SessionSummary::default()),
        };
        if let Some(telling) = &telling {
            telling.end(Duration::from_millis(args.drain)).await;
        }
        served
    });
    drop(entered);
    // A read of standard input that is still waiting cannot be cancelled: leave it behind.
    runtime.shutdown_background();
    let summary = served?;
    tracing::info!(?summary, "ended");
    for Guarded { gateway, .. } in guarded.iter() {
        gateway.record_approvals();
        gateway.record_event("ended", &[]);
    }
    if summary.server_left_first { Err(Failure::ServerLeft) } else { Ok(()) }
}

/// Tells whoever starts the gateway.
fn warn(what: &str) {
    // Nobody may be reading, which is no reason not to start.
    let _ = writeln!(io::stderr(), "warning: {what}");
}

/// Reads everything that the settings name, and says of each whether it is valid.
fn check(settings: &Settings) -> Result<(), Failure> {
    let mut seen = Vec::new();
    for server in &settings.servers {
        if !seen.contains(&&server.policy) {
            let source = setup::read_policy(&server.policy)?;
            let _ = writeln!(io::stderr(), "{}: valid, sha256 {}", server.policy.display(), source.digest);
            setup::check_policy(&settings.args, &source)?;
            seen.push(&server.policy);
        }
        setup::pins(server)?;
        server::check(server)?;
    }
    for (grant, path) in setup::own_policies(settings)? {
        let source = setup::read_own(&path)?;
        setup::check_policy(&settings.args, &source)?;
        let _ = writeln!(io::stderr(), "{}: valid for grant `{grant}`, sha256 {}", path.display(), source.digest);
    }
    Encryption::read(&settings.args, warn)?;
    if let Some(file) = &settings.args.config {
        let _ = writeln!(io::stderr(), "{}: valid", file.display());
    }
    Ok(())
}

async fn serve(args: &GatewayArgs, guarded: &Guarded, reread: Reread) -> Result<SessionSummary, Failure> {
    let Guarded { server, gateway } = guarded;
    let drain = Duration::from_millis(args.drain);
    let upstream = server::upstream(server, drain, gateway.limits().answer_bytes_max)?;
    // One process serves one client, so its number and its start name the session.
    let identity = Identity::new(&*args.grant, format!("stdio-{}-{}", gateway.now_ms(), std::process::id()));
    let _signals = signals::heed(reread);
    let front = rmcp::transport::io::stdio_pipes();
    Ok(gateway.serve_upstream(identity, front, upstream, shutdown()).await?)
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

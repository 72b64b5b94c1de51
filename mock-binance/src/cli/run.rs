//! From start to stop.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use mock_binance::engine::LimitsSpec;
use mock_binance::{Account, Builder, Fault, ListenKeys, MockBinance, ReplayProgress, UnknownKey};
use secrecy::ExposeSecret;
use tokio::signal::unix::{SignalKind, signal};

use super::arguments::{Arguments, Limit, ListenKeyMode, UnknownKeyMode};
use super::greeting::{Credentials, greeting};

/// Runs until a signal comes. Fails with 1 when the mock cannot start.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(serve(arguments)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to be told when standard error is closed.
            let _ = writeln!(std::io::stderr(), "mock-binance: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    // Signals are caught before anything is said, so that whoever reads the URLs may stop the mock at once.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mock = builder(arguments)?.start().await?;
    for path in &arguments.faults {
        mock.add_fault(Fault::from_file(path)?)?;
    }
    if let Some(account) = mock.accounts().first() {
        let mut out = std::io::stdout().lock();
        out.write_all(greeting(&mock, account, credentials(arguments)).as_bytes())?;
        out.flush()?;
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    mock.shutdown().await;
    Ok(())
}

fn builder(arguments: &Arguments) -> Result<Builder, UnreadableKey> {
    let mut builder = MockBinance::builder()
        .address(arguments.listen)
        .clock(arguments.clock.clone())
        .connection_rules(arguments.clock.as_manual().is_none() && !arguments.no_connection_rules)
        .seed(arguments.seed)
        .liquidity(arguments.seed)
        .unknown_key(match arguments.unknown_key {
            UnknownKeyMode::Rejected => UnknownKey::Rejected,
            UnknownKeyMode::InvalidId => UnknownKey::InvalidId,
        })
        .listen_keys(match arguments.listen_keys {
            ListenKeyMode::Legacy => ListenKeys::Legacy,
            ListenKeyMode::Gone => ListenKeys::Gone,
        });
    builder = match arguments.control {
        Some(address) => builder.control(address),
        // Nobody reads them.
        None => builder.keep_requests(0),
    };
    if let Some(bytes) = arguments.journal_cap {
        builder = builder.journal_cap(bytes);
    }
    if let Some(path) = &arguments.symbols {
        builder = builder.symbols_file(path);
    }
    for (symbol, price) in &arguments.prices {
        builder = builder.price(symbol, price);
    }
    for (symbol, process) in &arguments.markets {
        builder = builder.market(symbol, *process);
    }
    let mut limits = LimitsSpec::default();
    for (limit, number) in &arguments.limits {
        match limit {
            Limit::RequestWeight => limits.request_weight.limit = *number,
            Limit::RawRequests => limits.raw_requests.limit = *number,
            Limit::Connections => builder = builder.connections_max(*number),
            Limit::Orders(secs) => {
                let of_window = limits.orders.iter_mut().filter(|window| window.window_secs == *secs);
                of_window.for_each(|window| window.limit = *number);
            }
        }
    }
    builder = builder.limits(limits).ban_after(arguments.ban_after);
    for rate in &arguments.commissions {
        builder = builder.commission_rate(rate.clone());
    }
    if let Some((rate, reading)) = arguments.bnb_discount {
        builder = builder.bnb_discount(rate, reading);
    }
    for (symbol, recording) in &arguments.replays {
        builder = builder.replay(symbol, recording.clone());
    }
    builder = builder.replay_progress(tell_progress);
    Ok(match account(arguments)? {
        Some(account) => builder.account(account),
        None => builder,
    })
}

/// The file of `--public-key` cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the public key in `{}`: {source}", path.display())]
struct UnreadableKey {
    path: PathBuf,
    source: std::io::Error,
}

/// Only long recordings come so far that there is something to tell.
fn tell_progress(progress: &ReplayProgress<'_>) {
    let percent = progress.bytes.saturating_mul(100) / progress.of_bytes.max(1);
    let (file, rows) = (progress.path.display(), progress.rows);
    // A mock whose standard error is closed starts all the same.
    let _ = writeln!(std::io::stderr(), "mock-binance: checking `{file}`: {rows} rows, {percent} %");
}

/// Whose the credentials are.
fn credentials(arguments: &Arguments) -> Credentials {
    match (&arguments.public_key, &arguments.secret) {
        (Some(_), _) => Credentials::PublicKey { generated: arguments.api_key.is_none() },
        (None, Some(_)) => Credentials::Brought,
        (None, None) => Credentials::Generated,
    }
}

/// The account that the arguments describe; the library's own when they describe none.
fn account(arguments: &Arguments) -> Result<Option<Account>, UnreadableKey> {
    let generated = || Account::generated(arguments.seed);
    let account = match (&arguments.public_key, &arguments.api_key, &arguments.secret) {
        (Some(path), api_key, _) => {
            let pem = std::fs::read_to_string(path).map_err(|source| UnreadableKey { path: path.clone(), source })?;
            let api_key = api_key.clone().unwrap_or_else(|| generated().api_key().to_owned());
            Account::with_public_key(api_key, pem)
        }
        (None, Some(api_key), Some(secret)) => Account::new(api_key, secret.expose_secret()),
        _ if arguments.balances.is_empty() && arguments.bnb_discount.is_none() => return Ok(None),
        _ => generated(),
    };
    let account = if arguments.bnb_discount.is_some() { account.pays_in_bnb() } else { account };
    let balances = if arguments.balances.is_empty() { &Builder::default_balances() } else { &arguments.balances };
    Ok(Some(balances.iter().fold(account, |account, (asset, amount)| account.balance(asset, amount))))
}

//! From start to stop.

use std::io::Write as _;
use std::process::ExitCode;

use mock_binance::{Account, Builder, ListenKeys, MockBinance};
use secrecy::ExposeSecret;
use tokio::signal::unix::{SignalKind, signal};

use super::arguments::{Arguments, ListenKeyMode};
use super::greeting::greeting;

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
    let mock = builder(arguments).start().await?;
    if let Some(account) = mock.accounts().first() {
        let mut out = std::io::stdout().lock();
        out.write_all(greeting(&mock, account, arguments.secret.is_none()).as_bytes())?;
        out.flush()?;
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    mock.shutdown().await;
    Ok(())
}

fn builder(arguments: &Arguments) -> Builder {
    let mut builder = MockBinance::builder()
        .address(arguments.listen)
        .seed(arguments.seed)
        // Nobody reads them here.
        .keep_requests(0)
        .liquidity(arguments.seed)
        .listen_keys(match arguments.listen_keys {
            ListenKeyMode::Legacy => ListenKeys::Legacy,
            ListenKeyMode::Gone => ListenKeys::Gone,
        });
    if let Some(path) = &arguments.symbols {
        builder = builder.symbols_file(path);
    }
    for (symbol, price) in &arguments.prices {
        builder = builder.price(symbol, price);
    }
    match account(arguments) {
        Some(account) => builder.account(account),
        None => builder,
    }
}

/// The account that the arguments describe; the library's own when they describe none.
fn account(arguments: &Arguments) -> Option<Account> {
    let credentials = arguments.api_key.as_ref().zip(arguments.secret.as_ref());
    if credentials.is_none() && arguments.balances.is_empty() {
        return None;
    }
    let account = match credentials {
        Some((key, secret)) => Account::new(key, secret.expose_secret()),
        None => Account::generated(arguments.seed),
    };
    let balances = if arguments.balances.is_empty() { &Builder::default_balances() } else { &arguments.balances };
    Some(balances.iter().fold(account, |account, (asset, amount)| account.balance(asset, amount)))
}

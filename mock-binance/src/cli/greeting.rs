//! What the command says once the mock runs.

use mock_binance::{Account, MockBinance};

/// Where the account's credentials come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// The mock has made them up.
    Generated,
    /// Whoever started the mock knows them; they need not stand in a log.
    Brought,
    /// A public key was brought; the API key perhaps not.
    PublicKey { generated: bool },
}

/// URLs, credentials and an order that can be pasted into a shell.
pub(crate) fn greeting(mock: &MockBinance, account: &Account, credentials: Credentials) -> String {
    let (rest, ws) = (mock.rest_url(), mock.ws_url());
    let key = match credentials {
        Credentials::Generated | Credentials::PublicKey { generated: true } => account.api_key(),
        Credentials::Brought | Credentials::PublicKey { generated: false } => "$MOCK_BINANCE_API_KEY",
    };
    let secret = match credentials {
        Credentials::Generated => account.secret(),
        Credentials::Brought => "$MOCK_BINANCE_SECRET",
        Credentials::PublicKey { .. } => "the private half of your key",
    };
    let (method, path, query) = if mock.reference_price("BTCUSDT").is_some() {
        ("POST", "order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&")
    } else {
        ("GET", "account", "")
    };
    let example = if matches!(credentials, Credentials::PublicKey { .. }) {
        "Sign with your private key; the base64 of that, percent-encoded, is the parameter `signature`.\n".to_owned()
    } else {
        format!(
            r#"A signed request, ready to paste:

  query="{query}timestamp=$(date +%s000)"
  signature=$(printf %s "$query" | openssl dgst -sha256 -hmac "{secret}" | sed 's/.*= *//')
  curl -X {method} -H "X-MBX-APIKEY: {key}" "{rest}/api/v3/{path}?$query&signature=$signature"
"#
        )
    };
    let control = mock.control_url().map(|url| format!("  control     {url}\n")).unwrap_or_default();
    let clock = mock.clock().as_manual().map(|clock| format!("  clock       stands at {}\n", clock.now_ms()));
    let clock = clock.unwrap_or_default();
    format!(
        r"mock-binance is running

  REST        {rest}
  WebSocket   {ws}
{control}{clock}  API key     {key}
  secret      {secret}

{example}
Stop with Ctrl-C.
"
    )
}

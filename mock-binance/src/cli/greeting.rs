//! What the command says once the mock runs.

use mock_binance::{Account, MockBinance};

/// URLs, credentials and an order that can be pasted into a shell.
pub(crate) fn greeting(mock: &MockBinance, account: &Account, generated: bool) -> String {
    let (rest, ws) = (mock.rest_url(), mock.ws_url());
    let (key, secret) = if generated {
        (account.api_key(), account.secret())
    } else {
        // Whoever brought credentials knows them; they need not stand in a log.
        ("$MOCK_BINANCE_API_KEY", "$MOCK_BINANCE_SECRET")
    };
    let (method, path, query) = if mock.reference_price("BTCUSDT").is_some() {
        ("POST", "order", "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&")
    } else {
        ("GET", "account", "")
    };
    format!(
        r#"mock-binance is running

  REST        {rest}
  WebSocket   {ws}
  API key     {key}
  secret      {secret}

A signed request, ready to paste:

  query="{query}timestamp=$(date +%s000)"
  signature=$(printf %s "$query" | openssl dgst -sha256 -hmac "{secret}" | sed 's/.*= *//')
  curl -X {method} -H "X-MBX-APIKEY: {key}" "{rest}/api/v3/{path}?$query&signature=$signature"

Stop with Ctrl-C.
"#
    )
}

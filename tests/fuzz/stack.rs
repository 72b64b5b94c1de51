//! The embedded stack with its witness, put together by hand: the test must not believe the harness either.

use std::time::Duration;

use binance_mcp::{BinanceMcp, Config, Credentials};
use exchange_engine::{Order, Page};
use mcp_gateway::{Gateway, GatewayConfig, Identity, MemoryAudit};
use mcp_policy::{Guard, Mutation, Policy};
use mock_binance::{Account, ManualClock, MockBinance, RequestRecord};
use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rogue_harness::soft::{self, SoftConfig, SoftCredentials};
use tokio::io::{duplex, split};

use crate::generate::Turn;

/// Which MCP server stands behind the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    Ours,
    Soft,
}

/// What is known when everything has come to rest.
pub(crate) struct Seen {
    /// Every request that the exchange met, from its own records.
    pub(crate) requests: Vec<RequestRecord>,
    /// The label of the key that the server was started with.
    pub(crate) owner: String,
    /// Every order that the exchange booked for the account: symbol, quantity, quote quantity.
    pub(crate) orders: Vec<(String, String, String)>,
    /// The audit, line by line.
    pub(crate) audit: Vec<String>,
    /// For each turn, whether the call was let through.
    pub(crate) admitted: Vec<bool>,
}

const START_MS: u64 = 1_767_571_200_000;
const PIPE: usize = 1 << 16;

/// Plays the turns; what stops it is a panic or a stack that hangs up.
pub(crate) async fn play(
    turns: &[Turn],
    upstream: Upstream,
    policy: &str,
    mutation: Option<&str>,
) -> Result<Seen, String> {
    let clock = ManualClock::new(START_MS);
    let account =
        Account::generated(1).label("owner").balance("USDT", "100000").balance("BTC", "2").balance("ETH", "20");
    let keys = (account.api_key().to_owned(), account.secret().to_owned());
    let mock = MockBinance::builder().clock(clock.clone()).account(account).start().await.map_err(text)?;

    let (front, back) = duplex(PIPE);
    let (read, write) = split(back);
    let server = match upstream {
        Upstream::Ours => {
            let mut config = Config::new(mock.rest_url());
            config.credentials = Some(Credentials::new(&keys.0, &keys.1).map_err(text)?);
            config.clock = clock.handle();
            config.max_in_flight = 1;
            let server = BinanceMcp::new(config).map_err(text)?;
            tokio::spawn(async move { binance_mcp::serve(server, read, write).await.map_err(text) })
        }
        Upstream::Soft => {
            let credentials = SoftCredentials { api_key: keys.0.clone(), secret_key: keys.1.clone() };
            let config =
                SoftConfig { base_url: mock.rest_url(), credentials: Some(credentials), ..SoftConfig::default() };
            tokio::spawn(async move { soft::serve(config, read, write).await.map_err(text) })
        }
    };

    let audit = MemoryAudit::new();
    let policy = Policy::parse(policy).map_err(text)?;
    let guard = match mutation {
        Some(name) => Guard::mutant(policy, name.parse::<Mutation>().map_err(text)?),
        None => Guard::new(policy),
    };
    let gateway = Gateway::new(guard, GatewayConfig::new(clock.handle(), audit.clone(), "binance"));
    let (client, gate) = duplex(PIPE);
    let gateway = tokio::spawn(async move {
        let ((front_read, front_write), (back_read, back_write)) = (split(gate), split(front));
        let identity = Identity::new("desk", "s-1");
        gateway.serve(identity, front_read, front_write, back_read, back_write).await.map_err(text)
    });
    let client = ().serve(split(client)).await.map_err(text)?;

    let mut admitted = Vec::with_capacity(turns.len());
    for turn in turns {
        let request = CallToolRequestParams::new(turn.tool.clone()).with_arguments(turn.arguments.clone());
        // An error is an answer as well: the frame was refused.
        let denied = match client.call_tool(request).await {
            Ok(result) => result.structured_content.as_ref().is_some_and(|value| value["denied"] == true),
            Err(rmcp::ServiceError::McpError(_)) => true,
            Err(error) => return Err(format!("`{}` was never answered: {error}", turn.tool)),
        };
        admitted.push(!denied);
        clock.advance(Duration::from_millis(turn.advance_ms));
    }
    // A minute later every window has room again.
    clock.advance(Duration::from_secs(61));
    client
        .call_tool(CallToolRequestParams::new("bn_ping"))
        .await
        .ok()
        .filter(|result| result.is_error != Some(true))
        .ok_or("the gateway no longer answers a ping")?;

    client.cancel().await.map_err(text)?;
    gateway.await.map_err(|error| format!("the gateway panicked: {error}"))??;
    server.await.map_err(|error| format!("the server panicked: {error}"))??;
    let owner = mock.account_id(&keys.0).ok_or("the account is gone")?;
    let orders = mock.with_exchange(|exchange| {
        let of = |symbol| exchange.orders(owner, symbol, Page::newest(10_000));
        let named = |symbol| exchange.spec().symbol(symbol).map_or_else(String::new, |spec| spec.name.clone());
        let plain = |order: Order| (named(order.symbol), order.quantity.to_string(), order.quote_order_qty.to_string());
        exchange.spec().symbol_ids().flat_map(of).map(plain).collect()
    });
    Ok(Seen { requests: mock.requests(), owner: "owner".to_owned(), orders, audit: audit.lines(), admitted })
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn text(error: impl ToString) -> String {
    error.to_string()
}

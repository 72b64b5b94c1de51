//! The stack as it is deployed: an MCP client starts `mcp-gateway`, which starts `binance-mcp`, both real processes over
//! stdio; only the exchange is the mock.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod built;

use std::path::Path;

use exchange_engine::Page;
use mock_binance::{Account, MockBinance};
use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::TokioChildProcess;
use serde_json::{Value, json};
use tokio::process::Command;

async fn order(client: &RunningService<RoleClient, ()>, quantity: &str) -> CallToolResult {
    let Value::Object(arguments) =
        json!({ "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": quantity })
    else {
        panic!("an object")
    };
    let request = CallToolRequestParams::new("bn_new_order").with_arguments(arguments);
    client.call_tool(request).await.expect("an answer")
}

#[tokio::test]
async fn a_client_trades_through_the_gateway_and_no_further_than_the_policy() {
    let (gateway, server) = built::commands();
    let folder = tempfile::tempdir().expect("a folder");
    let audit = folder.path().join("audit.jsonl");
    let account = Account::generated(1).balance("USDT", "100000");
    let (key, secret) = (account.api_key().to_owned(), account.secret().to_owned());
    let mock = MockBinance::builder().account(account).start().await.expect("the mock starts");

    let mut command = Command::new(gateway);
    command
        .arg("--policy")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/policies/binance.json"))
        .arg("--audit")
        .arg(&audit)
        .arg("--")
        .arg(server)
        .env("BINANCE_BASE_URL", mock.rest_url())
        .env("BINANCE_API_KEY", &key)
        .env("BINANCE_SECRET_KEY", &secret);
    let client = ().serve(TokioChildProcess::new(command).expect("the gateway starts")).await.expect("a handshake");

    let tools: Vec<_> = client.list_all_tools().await.expect("a list").into_iter().map(|tool| tool.name).collect();
    assert!(tools.iter().any(|name| name == "bn_new_order"), "{tools:?}");
    assert!(!tools.iter().any(|name| name == "bn_cancel_all_orders"), "{tools:?}");

    let passed = order(&client, "0.01").await;
    assert_ne!(passed.is_error, Some(true), "{passed:?}");
    let denied = order(&client, "1.5").await;
    assert_eq!(denied.is_error, Some(true), "{denied:?}");
    let told = denied.structured_content.expect("fields for machines");
    assert_eq!(told["rule"], "/tools/bn_new_order/deny_if/0");
    client.cancel().await.expect("the gateway ends");

    let owner = mock.account_id(&key).expect("the account");
    let booked: Vec<String> = mock.with_exchange(|exchange| {
        let symbol = exchange.spec().symbol_id("BTCUSDT").expect("the symbol");
        exchange.orders(owner, symbol, Page::newest(10)).iter().map(|order| order.quantity.to_string()).collect()
    });
    assert_eq!(booked, ["0.01000000"], "the exchange is the witness");

    let audit = std::fs::read_to_string(audit).expect("the audit");
    let records: Vec<Value> =
        audit.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect();
    let said = |member: &str| records.iter().filter_map(|record| record[member].as_str()).collect::<Vec<_>>();
    assert_eq!(said("decision"), ["allow", "deny"], "{audit}");
    assert_eq!(said("outcome"), ["succeeded"], "{audit}");
    assert!(!audit.contains(&key) && !audit.contains(&secret), "{audit}");
}

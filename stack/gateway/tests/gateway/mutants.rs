//! Broken gateways do what they are named for: then a suite that does not notice is asleep.

use crate::support::{Bench, call};
use mcp_gateway::GatewayMutation;
use serde_json::json;

fn broken(mutation: GatewayMutation) -> Bench {
    Bench::with(|config| config.mutation = Some(mutation))
}

#[tokio::test]
async fn calls_open_forwards_what_the_policy_denies() {
    let mut rig = broken(GatewayMutation::ListFilteredCallsOpen).open("s");
    rig.client.send(&call(1, "withdraw", json!({}))).await;
    assert_eq!(rig.server.next().await["params"]["name"], "withdraw");
}

#[tokio::test]
async fn raw_bytes_forwards_what_another_parser_reads_otherwise() {
    let mut rig = broken(GatewayMutation::RawBytesForwarded).open("s");
    for params in [
        r#"{"name":"echo","name":"withdraw"}"#,
        r#"{"Name":"echo","name":"withdraw"}"#,
        r#"{"name":"place_order","arguments":{"symbol":"BTCUSDT","quantity":"1","quantity":"500"}}"#,
        r#"{"name":"echo","arguments":{},"arguments":{"a":1}}"#,
    ] {
        rig.client.send(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)).await;
        let frame = rig.server.next_text().await;
        assert!(frame.ends_with(&format!("\"params\":{params}}}")), "{frame}");
        let id = serde_json::from_str::<serde_json::Value>(&frame).unwrap()["id"].clone();
        rig.server.send(&crate::support::answer(&id, "done")).await;
        rig.client.next().await;
    }
    // What it reads plainly it judges.
    rig.client.send(&call(1, "withdraw", json!({}))).await;
    assert_eq!(rig.client.next().await["result"]["isError"], true);
}

#[test]
fn names_are_read_back() {
    for mutation in GatewayMutation::ALL {
        assert_eq!(mutation.to_string().parse(), Ok(mutation));
    }
    assert!("no-such".parse::<GatewayMutation>().unwrap_err().to_string().contains("raw-bytes-forwarded"));
}

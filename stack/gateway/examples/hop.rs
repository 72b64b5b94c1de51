//! Measures what the gateway adds to one tool call, in process.
//!
//! ```sh
//! cargo run --release -p mcp-gateway --example hop -- [CALLS]
//! ```
//!
//! An rmcp client calls an rmcp server over in-memory pipes on one thread, directly and through the
//! gateway with policy and audit on, in alternating rounds. Trust the ratio, not the microseconds.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::float_arithmetic,
    reason = "a measurement, not a service"
)]

use std::time::Instant;

use mcp_gateway::{FileAudit, Gateway, GatewayConfig, Identity, system_clock};
use mcp_policy::{Guard, Policy};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleClient, RoleServer, RunningService};
use rmcp::{ServerHandler, ServiceExt};
use serde_json::json;
use tokio::io::{duplex, split};

struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = serde_json::to_string(&request.arguments).unwrap();
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

const POLICY: &str = r#"{"version": "1", "default": "deny", "tools": {"bn_new_order": {
    "require": [{"path": "args.symbol", "op": "in", "value": ["BTCUSDT", "ETHUSDT"]}],
    "deny_if": [{"conditions": [{"path": "args.quantity", "op": "gt", "value": "10"}]}],
    "limits": [{"counter": "orders", "window": "minute", "max": 100000000, "scope": "grant"}]}}}"#;

type Client = RunningService<RoleClient, ()>;

async fn direct() -> Client {
    let (client, server) = duplex(1 << 20);
    tokio::spawn(async move { Echo.serve(server).await.unwrap().waiting().await });
    ().serve(client).await.unwrap()
}

async fn guarded(audit: &std::path::Path) -> Client {
    let (client, front) = duplex(1 << 20);
    let (back, server) = duplex(1 << 20);
    tokio::spawn(async move { Echo.serve(server).await.unwrap().waiting().await });
    let guard = Guard::new(Policy::parse(POLICY).unwrap());
    let audit = FileAudit::open(audit).unwrap();
    let gateway = Gateway::new(guard, GatewayConfig::new(system_clock(), audit, "echo"));
    tokio::spawn(async move {
        let ((fr, fw), (br, bw)) = (split(front), split(back));
        gateway.serve(Identity::new("agent", "one"), fr, fw, br, bw).await
    });
    ().serve(client).await.unwrap()
}

async fn round(client: &Client, calls: usize, in_flight: usize, padding: &str) -> f64 {
    let params = || {
        let arguments = json!({"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
            "quantity": "0.001", "price": "60000.00", "padding": padding});
        CallToolRequestParams::new("bn_new_order").with_arguments(arguments.as_object().unwrap().clone())
    };
    let mut times = Vec::with_capacity(calls);
    let mut done = 0;
    while done < calls {
        let begin = Instant::now();
        let mut batch = Vec::new();
        for _ in 0..in_flight {
            let client = client.peer().clone();
            let params = params();
            if in_flight == 1 {
                let result = client.call_tool(params).await.unwrap();
                assert_eq!(result.is_error, Some(false), "{result:?}");
            } else {
                batch.push(tokio::spawn(async move { client.call_tool(params).await.unwrap() }));
            }
        }
        for call in batch {
            assert_eq!(call.await.unwrap().is_error, Some(false));
        }
        times.push(begin.elapsed().as_secs_f64() * 1e6 / in_flight as f64);
        done += in_flight;
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let calls: usize = std::env::args().nth(1).map_or(20_000, |n| n.parse().unwrap());
    let audit = tempfile::tempdir().unwrap();
    let (bare, gate) = (direct().await, guarded(&audit.path().join("audit.jsonl")).await);
    let large = "x".repeat(64 * 1024);
    for (name, in_flight, padding, calls) in
        [("one call", 1, "", calls), ("16 in flight", 16, "", calls), ("64 KiB", 1, large.as_str(), calls / 20)]
    {
        let mut pairs = Vec::new();
        for _ in 0..7 {
            let rounds = (calls / 7).max(16);
            pairs
                .push((round(&bare, rounds, in_flight, padding).await, round(&gate, rounds, in_flight, padding).await));
        }
        pairs.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
        let (bare, gate) = pairs[pairs.len() / 2];
        println!("{name:>13}: bare {bare:7.1} us, guarded {gate:7.1} us, ratio {:.2}", gate / bare);
    }
}

//! What the gateway adds to a tool call: the same client and the same server, directly and with the gateway between
//! them, policy and audit on, all in one process on one thread.
//!
//! `cargo bench --bench gateway`

#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a bench")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{Criterion, criterion_group, criterion_main};
use mcp_gateway::{
    ChainedAudit, Durability, Gateway, GatewayConfig, Identity, Ledger, Rotation, StateDir, policy_digest,
};
use mcp_policy::{Guard, Policy};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RunningService};
use rmcp::{RoleClient, RoleServer, ServerHandler, ServiceExt as _};
use serde_json::{Map, Value, json};
use tokio::io::{DuplexStream, duplex, split};
use tokio::runtime::Runtime;

const SHIPPED: &str = include_str!("../scenarios/policies/binance-v1.json");
const PIPE: usize = 1 << 16;

/// A server whose tool costs nothing, so that the hop is what is measured.
#[derive(Clone)]
struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = Map::from_iter([("type".to_owned(), json!("object"))]);
        Ok(ListToolsResult::with_all_items(vec![Tool::new("bn_new_order", "echo", Arc::new(schema))]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = Value::Object(request.arguments.unwrap_or_default()).to_string();
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

type Client = RunningService<RoleClient, ()>;

fn serve_echo(stream: DuplexStream) {
    tokio::spawn(async move {
        if let Ok(server) = Echo.serve(split(stream)).await {
            let _ = server.waiting().await;
        }
    });
}

async fn bare() -> Client {
    let (client, server) = duplex(PIPE);
    serve_echo(server);
    ().serve(split(client)).await.expect("a handshake")
}

/// The gateway as the command puts it together, with the shipped policy and a chained audit, and with a state folder if
/// something is to outlive it. Its clock makes a day of each two hundred calls, so that no limit is met and every window
/// stays as full as it can be.
async fn guarded(folder: &Path, kept: Option<Durability>) -> Client {
    let audit = ChainedAudit::open(&folder.join("audit.jsonl"), None, Rotation::default()).expect("an audit");
    let ticks = AtomicU64::new(1_767_571_200_000);
    let clock = Arc::new(move || ticks.fetch_add(440_000, Ordering::Relaxed));
    let mut config = GatewayConfig::new(clock, audit, "bench");
    config.policy = policy_digest(SHIPPED);
    let mut guard = Guard::new(Policy::parse(SHIPPED).expect("the shipped policy is valid"));
    if let Some(durability) = kept {
        let state = StateDir::new(folder, durability).expect("a folder");
        let mut ledger = Ledger::open(&state, "bench").expect("a ledger");
        ledger.refill(&mut guard, 0).expect("an empty one");
        config.ledger = Some(match durability {
            Durability::Power => ledger.in_groups().expect("a thread"),
            Durability::Process => ledger,
        });
    }
    let gateway = Gateway::new(guard, config);

    let (client, front) = duplex(PIPE);
    let (back, server) = duplex(PIPE);
    serve_echo(server);
    tokio::spawn(async move {
        let ((front_read, front_write), (back_read, back_write)) = (split(front), split(back));
        gateway.serve(Identity::new("desk", "s-1"), front_read, front_write, back_read, back_write).await
    });
    ().serve(split(client)).await.expect("a handshake")
}

async fn call(client: &Client) {
    let Value::Object(arguments) = json!({
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "quantity": "0.01000", "price": "59000.00", "newClientOrderId": "grid-1"
    }) else {
        panic!("an object")
    };
    let request = CallToolRequestParams::new("bn_new_order").with_arguments(arguments);
    let result = client.call_tool(request).await.expect("an answer");
    assert_ne!(result.is_error, Some(true), "{result:?}");
}

fn hop(c: &mut Criterion) {
    let runtime: Runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut group = c.benchmark_group("gateway/hop");

    let client = runtime.block_on(bare());
    group.bench_function("bare", |b| b.to_async(&runtime).iter(|| call(&client)));

    for (name, kept) in [
        ("guarded", None),
        ("guarded, --state --durability process", Some(Durability::Process)),
        ("guarded, --state", Some(Durability::Power)),
    ] {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on a disk");
        let client = runtime.block_on(guarded(folder.path(), kept));
        group.bench_function(name, |b| b.to_async(&runtime).iter(|| call(&client)));
    }
    group.finish();
}

criterion_group!(benches, hop);
criterion_main!(benches);

//! Two grants with policies of their own at one address: one may order, the other may only read.

use std::collections::BTreeMap;
use std::path::Path;

use mcp_gateway::{GrantJudge, Policies, policy_digest};
use mcp_policy::{Guard, Policy};
use serde_json::{Value, json};

use super::{Site, call, json_of, modern, send, token};
use crate::support::server::Fixture;
use crate::support::{Bench, POLICY};

const ORDERS: &str = r#"{"version": "1", "default": "deny", "tools": {"echo": {}, "place_order": {}}}"#;
const READS: &str = r#"{"version": "1", "default": "deny", "tools": {"echo": {}}}"#;

fn judge(policy: &str) -> GrantJudge {
    GrantJudge::Guard(Box::new(Guard::new(Policy::parse(policy).unwrap())), policy_digest(policy))
}

async fn site() -> Site {
    let judges = [("trader", judge(ORDERS)), ("reader", judge(READS))];
    let grants = judges.into_iter().map(|(name, judge)| (name.to_owned(), judge)).collect();
    let bench = Bench::with(|config| config.grants = grants);
    let mut site = Site::with(bench, Some(Fixture::default()), |_| {}).await;
    for (byte, name) in [(2, "trader"), (3, "reader")] {
        site.grants.add_under(name, &token(byte), 0, None, Some(Path::new("/etc/own.json"))).unwrap();
    }
    site
}

impl Site {
    /// What the holder of a token is told.
    async fn of(&self, byte: u8, body: &Value) -> Value {
        let post = self.client.post(&self.url).bearer_auth(token(byte).reveal()).header("accept", super::BOTH);
        let post = post.header("content-type", "application/json").header("mcp-protocol-version", "2026-07-28");
        let post = post.header("mcp-method", body["method"].as_str().unwrap());
        let post = match body["params"]["name"].as_str() {
            Some(name) => post.header("mcp-name", name),
            None => post,
        };
        json_of(send(post.body(modern(body.clone()).to_string())).await).await["result"].clone()
    }

    async fn reason(&self, byte: u8, tool: &str) -> Value {
        let told = self.of(byte, &call(1, tool, json!({"symbol": "BTCUSDT", "quantity": "5"}))).await;
        assert!(told.is_object(), "{told}");
        told["structuredContent"]["reason"].clone()
    }

    async fn tools(&self, byte: u8) -> Vec<String> {
        let told = self.of(byte, &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}})).await;
        told["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn one_may_order_and_the_other_may_only_read() {
    let site = site().await;
    assert_eq!(
        (site.tools(2).await, site.tools(3).await),
        (vec!["echo".into(), "place_order".into()], vec!["echo".into()])
    );
    assert_eq!(site.reason(2, "place_order").await, Value::Null);
    assert_eq!(site.reason(3, "place_order").await, "not_available");
    assert_eq!(site.reason(3, "echo").await, Value::Null);
    // The server's policy, for whoever has none, refuses so large an order and lists more.
    assert_eq!(site.reason(1, "place_order").await, "deny_if_matched");
    assert_eq!(site.reason(2, "twice").await, "not_available");
    assert_eq!(site.reason(1, "twice").await, Value::Null);
    let records = site.bench.audit();
    let told: Vec<String> =
        records.iter().map(|record| format!("{} {}", record["grant"], record["policy"]).replace('"', "")).collect();
    let (trader, reader, desk) = (
        format!("trader {}", policy_digest(ORDERS)),
        format!("reader {}", policy_digest(READS)),
        format!("desk {}", policy_digest(POLICY)),
    );
    assert_eq!(told, [trader.clone(), reader.clone(), reader, desk.clone(), trader, desk]);
}

#[tokio::test]
async fn a_grant_given_with_a_policy_passes_nothing_until_that_is_in_force() {
    let mut site = site().await;
    site.grants.add_under("new", &token(4), 0, None, Some(Path::new("/etc/new.json"))).unwrap();
    assert_eq!(site.reason(4, "echo").await, "policy_unavailable");
    assert!(site.tools(4).await.is_empty());
    let own = [("trader", READS), ("reader", READS), ("new", READS)];
    let own: BTreeMap<_, _> = own.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect();
    site.bench.gateway.reload(Policies::new(POLICY, own)).unwrap();
    assert_eq!(site.reason(4, "echo").await, Value::Null);
    assert_eq!(site.reason(2, "place_order").await, "not_available", "in the same connection as before");
}

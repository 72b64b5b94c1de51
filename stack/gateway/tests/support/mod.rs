//! A gateway between two ends that a test holds in its hands.

#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod server;
#[cfg(feature = "tls")]
pub(crate) mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mcp_gateway::{
    Gateway, GatewayConfig, GatewayError, GatewayLimits, Identity, MemoryAudit, SessionSummary, policy_digest,
};
use mcp_policy::{Guard, Policy};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex, split,
};
use tokio::task::JoinHandle;

pub(crate) const POLICY: &str = r#"{
  "version": "1",
  "default": "deny",
  "hide": ["withdraw"],
  "tools": {
    "echo": {},
    "slow": {},
    "typed": {"deny_if": [{"conditions": [{"path": "args.secret", "op": "exists", "value": true}]}]},
    "place_order": {
      "require": [{"path": "args.symbol", "op": "in", "value": ["BTCUSDT"]}],
      "deny_if": [{
        "conditions": [{"path": "args.quantity", "op": "gt", "value": "1"}],
        "on_deny": "at most 1 BTC an order"
      }]
    },
    "big_order": {"action": "require_approval", "reason": "a person signs large orders"},
    "bn_create_listen_key": {
      "limits": [{"counter": "bn_create_listen_key_rate", "window": "minute", "max": 30, "scope": "grant"}]
    },
    "twice": {"limits": [{"counter": "twice_rate", "window": "hour", "max": 2, "scope": "session"}]}
  }
}"#;

pub(crate) const START_MS: u64 = 1_767_225_600_000;

/// A gateway with its clock and its audit.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) gateway: Gateway,
    pub(crate) audit: MemoryAudit,
    pub(crate) clock: Arc<AtomicU64>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut GatewayConfig)) -> Self {
        Self::under_with(POLICY, change)
    }

    /// Under another policy.
    pub(crate) fn under(policy: &str) -> Self {
        Self::under_with(policy, |_| {})
    }

    pub(crate) fn under_with(policy: &str, change: impl FnOnce(&mut GatewayConfig)) -> Self {
        let audit = MemoryAudit::new();
        let clock = Arc::new(AtomicU64::new(START_MS));
        let ticks = clock.clone();
        let mut config = GatewayConfig::new(Arc::new(move || ticks.load(Ordering::SeqCst)), audit.clone(), "fixture");
        config.policy = policy_digest(policy);
        change(&mut config);
        let guard = Guard::new(Policy::parse(policy).unwrap_or_else(|errors| panic!("{errors}")));
        Self { gateway: Gateway::new(guard, config), audit, clock }
    }

    pub(crate) fn limits(limits: GatewayLimits) -> Self {
        Self::with(|config| config.limits = limits)
    }

    pub(crate) fn advance_ms(&self, ms: u64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn audit(&self) -> Vec<Value> {
        self.audit.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn last_audit(&self) -> Value {
        self.audit().pop().unwrap()
    }

    /// A session whose both ends are the test's.
    pub(crate) fn open(&self, session: &str) -> Rig {
        self.open_sized(session, 1 << 20)
    }

    /// The same over pipes of `size` bytes.
    pub(crate) fn open_sized(&self, session: &str, size: usize) -> Rig {
        let (client, front) = duplex(size);
        let (back, server) = duplex(size);
        let serving = self.serve(session, front, back);
        Rig { client: Line::new(client), server: Line::new(server), serving }
    }

    pub(crate) fn serve(
        &self,
        session: &str,
        front: DuplexStream,
        back: DuplexStream,
    ) -> JoinHandle<Result<SessionSummary, GatewayError>> {
        let (gateway, identity) = (self.gateway.clone(), Identity::new("agent", session));
        tokio::spawn(async move {
            let ((fr, fw), (br, bw)) = (split(front), split(back));
            gateway.serve(identity, fr, fw, br, bw).await
        })
    }
}

/// Both ends of one session.
pub(crate) struct Rig {
    pub(crate) client: Line,
    pub(crate) server: Line,
    pub(crate) serving: JoinHandle<Result<SessionSummary, GatewayError>>,
}

impl Rig {
    /// Proves that nothing that was sent before has reached the server: the next frame there is a
    /// ping sent now. Answers the ping and returns everything that the client was told meanwhile.
    pub(crate) async fn nothing_reached_the_server(&mut self) -> Vec<Value> {
        self.client.send(r#"{"jsonrpc":"2.0","id":"sentinel","method":"ping"}"#).await;
        let frame = self.server.next().await;
        assert_eq!(frame["method"], "ping", "reached the server: {frame}");
        self.server.send(&json!({"jsonrpc": "2.0", "id": frame["id"], "result": {}}).to_string()).await;
        let mut told = Vec::new();
        loop {
            let answer = self.client.next().await;
            if answer["id"] == "sentinel" {
                assert_eq!(answer["result"], json!({}));
                return told;
            }
            told.push(answer);
        }
    }

    /// Ends the session from the client's side.
    pub(crate) async fn finish(mut self) -> SessionSummary {
        self.client.close().await;
        self.server.expect_end().await;
        drop(self.server);
        self.serving.await.unwrap().unwrap()
    }
}

/// One end of a stream of lines.
pub(crate) struct Line {
    pub(crate) reader: BufReader<ReadHalf<DuplexStream>>,
    pub(crate) writer: WriteHalf<DuplexStream>,
}

impl Line {
    pub(crate) fn new(stream: DuplexStream) -> Self {
        let (reader, writer) = split(stream);
        Self { reader: BufReader::new(reader), writer }
    }

    pub(crate) async fn send(&mut self, frame: &str) {
        self.send_bytes(frame.as_bytes()).await;
    }

    pub(crate) async fn send_bytes(&mut self, frame: &[u8]) {
        self.writer.write_all(frame).await.unwrap();
        self.writer.write_all(b"\n").await.unwrap();
    }

    pub(crate) async fn next_text(&mut self) -> String {
        let mut line = String::new();
        in_time(self.reader.read_line(&mut line)).await.unwrap();
        assert!(line.ends_with('\n'), "the stream ended: {line:?}");
        line.pop();
        line
    }

    pub(crate) async fn next(&mut self) -> Value {
        let text = self.next_text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    pub(crate) async fn close(&mut self) {
        self.writer.shutdown().await.unwrap();
    }

    pub(crate) async fn expect_end(&mut self) {
        let mut rest = String::new();
        self.reader.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "");
    }
}

/// Waits for what must happen, but not for ever.
pub(crate) async fn in_time<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(std::time::Duration::from_mins(1), wait).await.expect("in time")
}

/// A plain call.
pub(crate) fn call(id: impl Into<Value>, tool: &str, arguments: Value) -> String {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": "tools/call",
           "params": {"name": tool, "arguments": arguments}})
    .to_string()
}

/// A successful answer to the request with this id.
pub(crate) fn answer(id: &Value, text: &str) -> String {
    json!({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": text}]}}).to_string()
}

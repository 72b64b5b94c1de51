//! Reference prices that the gateway fetches itself, through the server that the agent talks to.

use mcp_gateway::{Identity, Outbox, Session};
use mcp_policy::Policy;
use serde_json::{Value, json};

use crate::support::{Bench, START_MS, answer, call};

/// One call in all, so that nothing of the gateway's own may be counted; orders are worth at most 500.
const POLICY: &str = r#"{
  "version": "2", "default": "deny", "manifest": "binance-mcp",
  "references": { "BTCUSDT": "60000" },
  "live_references": { "tools": ["bn_ticker_price"], "max_age": 10, "max_move_percent": "20" },
  "all_tools": { "limits": [{ "counter": "calls", "window": "day", "max": 2 }] },
  "tools": { "bn_ping": {}, "bn_new_order": { "require": [{ "path": "facts.notional", "op": "lte", "value": "500" }] } }
}"#;

struct Table {
    bench: Bench,
    session: Session,
    out: Outbox,
    told: usize,
    asked: usize,
}

fn table() -> Table {
    table_of(POLICY)
}

fn table_of(policy: &str) -> Table {
    assert!(Policy::parse(policy).unwrap().has_live_references());
    let bench = Bench::new();
    bench.gateway.reload(policy).unwrap();
    let session = Session::new(bench.gateway.clone(), Identity::new("agent", "s"));
    Table { bench, session, out: Outbox::default(), told: 0, asked: 0 }
}

impl Table {
    fn client(&mut self, frame: &str) {
        let now = self.bench.gateway.now_ms();
        self.session.from_client(frame.as_bytes(), now, &mut self.out);
    }

    fn order(&mut self, id: &str, quantity: &str) {
        self.client(&order(id, quantity));
    }

    fn server(&mut self, frame: &Value) {
        self.session.from_upstream(frame.to_string().as_bytes(), &mut self.out);
    }

    fn price(&mut self, id: &Value, price: &str) {
        let result = json!({ "content": [], "structuredContent": { "symbol": "BTCUSDT", "price": price } });
        self.server(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
    }

    /// What reached the server since the last look.
    fn at_server(&mut self) -> Vec<Value> {
        news(self.out.to_upstream.pending(), &mut self.asked)
    }

    fn at_client(&mut self) -> Vec<Value> {
        news(self.out.to_client.pending(), &mut self.told)
    }

    /// The id of the one request that reached the server, which must be for a price.
    #[track_caller]
    fn fetch(&mut self) -> Value {
        let frames = self.at_server();
        assert_eq!(frames.len(), 1, "{frames:?}");
        assert_eq!(frames[0]["method"], "tools/call");
        assert_eq!(frames[0]["params"], json!({ "name": "bn_ticker_price", "arguments": { "symbol": "BTCUSDT" } }));
        frames[0]["id"].clone()
    }

    #[track_caller]
    fn denied(&mut self, id: &str, says: &str) {
        let told = self.at_client();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0]["id"], id);
        assert_eq!(told[0]["result"]["structuredContent"]["reason"], "unevaluable", "{}", told[0]);
        assert!(told[0].to_string().contains(says), "{}", told[0]);
        assert!(self.at_server().is_empty());
    }

    fn events(&self, name: &str) -> Vec<Value> {
        let lines = self.bench.audit.all();
        let lines = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["event"] == name).collect()
    }

    fn decisions(&self) -> Vec<String> {
        let lines = self.bench.audit().into_iter().filter(|line| line["decision"].is_string());
        lines
            .map(|line| format!("{} {}", line["decision"].as_str().unwrap(), line["tool"].as_str().unwrap_or("-")))
            .collect()
    }
}

fn order(id: &str, quantity: &str) -> String {
    call(id, "bn_new_order", json!({ "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": quantity }))
}

fn news(pending: &[u8], seen: &mut usize) -> Vec<Value> {
    let text = std::str::from_utf8(&pending[*seen..]).unwrap();
    *seen = pending.len();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_order_waits_for_its_price_and_nobody_sees_the_request_for_it() {
    let mut table = table();
    table.order("a", "0.008");
    let fetch = table.fetch();
    assert!(table.at_client().is_empty());
    assert_eq!((table.session.waited_for(), table.decisions().len()), (1, 0));
    table.price(&fetch, "62500.00");
    let frames = table.at_server();
    assert_eq!(frames.len(), 1);
    assert_eq!((&frames[0]["params"]["name"], frames[0]["id"] == fetch), (&json!("bn_new_order"), false));
    assert!(table.at_client().is_empty(), "the price is nobody's but the gateway's");
    table.server(&serde_json::from_str(&answer(&frames[0]["id"], "booked")).unwrap());
    let told = table.at_client();
    assert_eq!((told.len(), &told[0]["id"]), (1, &json!("a")));

    // While the price is fresh, no other request; and the two calls of the agent are all that was counted.
    table.order("b", "0.00799999");
    assert_eq!(table.at_server()[0]["params"]["name"], "bn_new_order");
    assert_eq!(table.decisions(), ["allow bn_new_order", "allow bn_new_order"]);
    table.client(&call("c", "bn_ping", json!({})));
    assert_eq!(table.at_client()[0]["result"]["structuredContent"]["reason"], "limit_reached");
    let told = table.events("price_told");
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["symbol"], &told[0]["tool"], &told[0]["price"]),
        (&json!("BTCUSDT"), &json!("bn_ticker_price"), &json!("62500")),
    );
}

#[test]
fn an_order_is_judged_by_the_price_that_was_told() {
    let mut table = table();
    table.order("a", "0.008");
    let fetch = table.fetch();
    table.price(&fetch, "62500.01");
    assert!(table.at_server().is_empty());
    assert_eq!(table.at_client()[0]["result"]["structuredContent"]["reason"], "require_failed");
    // A price that lies too far from what a person wrote down is none.
    table.bench.advance_ms(10_000);
    table.order("b", "0.001");
    let fetch = table.fetch();
    table.price(&fetch, "72000.01");
    table.denied("b", "lies too far from what the policy says");
}

#[test]
fn without_a_price_the_order_is_denied_and_says_why() {
    let failed = json!({ "isError": true, "content": [{ "type": "text", "text": "busy" }], "structuredContent": { "symbol": "BTCUSDT", "price": "60000" } });
    for reply in [
        json!({ "error": { "code": -32603, "message": "no" } }),
        json!({ "result": failed }),
        json!({ "result": { "content": [] } }),
        json!({ "result": { "resultType": "input_required", "structuredContent": { "symbol": "BTCUSDT", "price": "60000" } } }),
        json!({ "result": 5, "error": { "code": 1, "message": "both" } }),
        json!({ "result": { "content": [], "structuredContent": { "symbol": "ETHUSDT", "price": "60000" } } }),
    ] {
        let mut table = table();
        table.order("a", "0.001");
        let mut frame = json!({ "jsonrpc": "2.0", "id": table.fetch() });
        frame.as_object_mut().unwrap().extend(reply.as_object().unwrap().clone());
        table.server(&frame);
        table.denied("a", "no fresh one is to be had");
        assert_eq!(table.events("price_missing").len(), 1, "{reply}");
        // It is not asked for again at once, and then it is.
        table.order("b", "0.001");
        table.denied("b", "no fresh one is to be had");
        table.bench.advance_ms(1000);
        table.order("c", "0.001");
        let fetch = table.fetch();
        table.price(&fetch, "60000");
        assert_eq!(table.at_server().len(), 1);
    }
}

#[test]
fn orders_share_a_request_and_keep_their_order() {
    let mut table = table_of(&POLICY.replace("\"max\": 2", "\"max\": 9"));
    for id in ["a", "b", "c"] {
        table.order(id, "0.001");
    }
    let fetch = table.fetch();
    // What needs no price does not wait.
    table.client(&call("d", "bn_ping", json!({})));
    assert_eq!(table.at_server()[0]["params"]["name"], "bn_ping");
    assert_eq!(table.session.waited_for(), 4);
    // The id of a call that waits is taken.
    table.order("b", "0.002");
    table.price(&fetch, "60000");
    let quantities: Vec<Value> =
        table.at_server().iter().map(|frame| frame["params"]["arguments"]["quantity"].clone()).collect();
    assert_eq!(quantities, ["0.001", "0.001", "0.001"]);
    assert_eq!(table.decisions().iter().filter(|line| line.contains("allow bn_new_order")).count(), 3);
}

#[test]
fn a_call_that_waits_can_be_withdrawn() {
    let mut table = table();
    table.order("a", "0.001");
    let fetch = table.fetch();
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}"#;
    table.client(cancel);
    assert_eq!(table.session.waited_for(), 0);
    table.price(&fetch, "60000");
    assert!(table.at_server().is_empty() && table.at_client().is_empty());
    let line = table.bench.audit().into_iter().find(|line| line["decision"] == "deny").unwrap();
    assert_eq!((&line["reason"], &line["tool"]), (&json!("cancelled"), &json!("bn_new_order")));
    // Its price is of use to the next.
    table.order("b", "0.001");
    assert_eq!(table.at_server()[0]["params"]["name"], "bn_new_order");
}

#[test]
fn a_server_that_does_not_tell_the_price_in_time_is_waited_for_no_longer() {
    let mut table = table();
    assert_eq!(table.session.next_deadline(), None);
    table.order("a", "0.001");
    let fetch = table.fetch();
    assert_eq!(table.session.next_deadline(), Some(START_MS + 5000));
    table.session.on_time(START_MS + 4999, &mut table.out);
    assert!(table.at_client().is_empty());
    table.bench.advance_ms(5000);
    table.session.on_time(START_MS + 5000, &mut table.out);
    table.denied("a", "no fresh one is to be had");
    assert_eq!(table.session.next_deadline(), None);
    // What it says afterwards is an answer to nothing.
    table.price(&fetch, "60000");
    assert!(table.at_client().is_empty() && table.at_server().is_empty());
    assert_eq!(table.session.summary().dropped_from_server, 1);
}

#[test]
fn when_the_server_goes_the_call_that_waits_is_told() {
    let mut table = table();
    table.order("a", "0.001");
    table.fetch();
    table.session.upstream_lost(&mut table.out);
    let told = table.at_client();
    assert_eq!((told.len(), &told[0]["error"]["data"]["reason"]), (1, &json!("server_gone")));
    assert_eq!(table.session.waited_for(), 0);
}

#[test]
fn a_request_of_the_gateways_own_speaks_the_clients_version_and_nothing_else_of_it() {
    let mut table = table();
    let mut frame: Value = serde_json::from_str(&order("a", "0.001")).unwrap();
    let version = "io.modelcontextprotocol/protocolVersion";
    frame["params"]["_meta"] = json!({ version: "2026-07-28", "progressToken": 7, "example.com/trace": "x" });
    table.client(&frame.to_string());
    assert_eq!(table.at_server()[0]["params"]["_meta"], json!({ version: "2026-07-28" }));
}

#[test]
fn what_the_policy_denies_anyway_fetches_nothing() {
    let mut table = table();
    table.client(&call("a", "bn_cancel_order", json!({ "symbol": "BTCUSDT" })));
    table.client(&call("b", "bn_new_order", json!({ "symbol": "BTCUSDT", "sidee": "BUY" })));
    table.bench.gateway.kill_switch().throw().unwrap();
    table.order("c", "0.001");
    assert!(table.at_server().is_empty());
    assert_eq!(table.at_client().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn over_streams_the_wait_ends_by_itself() {
    let bench = Bench::new();
    bench.gateway.reload(POLICY).unwrap();
    let mut rig = bench.open("s");
    rig.client.send(&order("a", "0.001")).await;
    assert_eq!(rig.server.next().await["params"]["name"], "bn_ticker_price");
    bench.advance_ms(5000);
    let told = rig.client.next().await;
    assert_eq!((&told["id"], &told["result"]["structuredContent"]["reason"]), (&json!("a"), &json!("unevaluable")));
    let summary = rig.finish().await;
    assert_eq!((summary.calls, summary.denied), (1, 1));
}

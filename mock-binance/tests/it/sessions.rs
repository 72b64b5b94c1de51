//! Sessions of the WebSocket API, and the user data streams that they hear.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mock_binance::Account;
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};

use crate::public_keys::pem;
use crate::support::{Bench, START_MS, Socket, bench_with, keys, sign};

pub(crate) const KEY: &str = "ed25519-account";
const STATUS_KEYS: [&str; 6] =
    ["apiKey", "authorizedSince", "connectedSince", "returnRateLimits", "serverTime", "userDataStream"];

/// An account that may open sessions, and one with an HMAC secret, which may not.
pub(crate) async fn bench() -> Bench {
    let fund = |account: Account| account.balance("USDT", "1000").balance("BTC", "1");
    let ed25519 = fund(Account::with_public_key(KEY, pem(1)));
    bench_with(|builder| builder.account(ed25519).account(fund(Account::new("hmac-account", "secret")))).await
}

fn signed_by(id: u32, method: &str, key: &str, sign: impl Fn(&str) -> String) -> String {
    let signature = sign(&format!("apiKey={key}&timestamp={START_MS}"));
    json!({"id": id, "method": method, "params": {"apiKey": key, "timestamp": START_MS, "signature": signature}})
        .to_string()
}

pub(crate) fn signed(id: u32, method: &str) -> String {
    signed_by(id, method, KEY, signature)
}

/// The signature of the account that may open sessions.
pub(crate) fn signature(payload: &str) -> String {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    STANDARD.encode(pair.sign(payload.as_bytes()))
}

pub(crate) async fn ask(socket: &mut Socket, method: &str, params: Value) -> Value {
    socket.ask(&json!({"id": 7, "method": method, "params": params}).to_string()).await
}

fn refused(answer: &Value) -> (u64, i64) {
    (answer["status"].as_u64().unwrap(), answer["error"]["code"].as_i64().unwrap())
}

#[tokio::test]
async fn a_session_stands_for_key_and_signature() {
    let bench = bench().await;
    let mut socket = bench.connect("/ws-api/v3").await;
    let before = ask(&mut socket, "session.status", json!({})).await["result"].clone();
    assert_eq!(keys(&before), STATUS_KEYS);
    assert_eq!((&before["apiKey"], &before["authorizedSince"]), (&Value::Null, &Value::Null));
    let timed = json!({"timestamp": START_MS});
    assert_eq!(refused(&ask(&mut socket, "account.status", timed.clone()).await), (400, -1102));

    let logged_on = socket.ask(&signed(1, "session.logon")).await;
    assert_eq!(logged_on["result"]["apiKey"], KEY, "{logged_on}");
    assert_eq!(logged_on["result"]["authorizedSince"], START_MS);
    let account = ask(&mut socket, "account.status", timed.clone()).await;
    assert_eq!((&account["status"], &account["result"]["accountType"]), (&json!(200), &json!("SPOT")), "{account}");
    assert_eq!(bench.mock.requests().last().unwrap().key.as_deref(), Some("account-1"));
    // The time is asked for all the same, and whatever credential is sent is looked at.
    assert_eq!(refused(&ask(&mut socket, "account.status", json!({})).await), (400, -1102));
    assert_eq!(refused(&ask(&mut socket, "account.status", json!({"timestamp": 1})).await), (400, -1021));
    let forged = json!({"timestamp": START_MS, "signature": "0"});
    assert_eq!(refused(&ask(&mut socket, "account.status", forged).await), (400, -1022));
    let unsigned = json!({"timestamp": START_MS, "apiKey": "hmac-account"});
    assert_eq!(refused(&ask(&mut socket, "account.status", unsigned).await), (400, -1102));
    let other = signed_by(2, "v3/account.status", "hmac-account", |payload| sign("secret", payload));
    assert_eq!(socket.ask(&other).await["status"], 200);
    assert_eq!(bench.mock.requests().last().unwrap().key.as_deref(), Some("account-2"));
    // A session is one connection's.
    let mut stranger = bench.connect("/ws-api/v3").await;
    assert_eq!(refused(&ask(&mut stranger, "account.status", timed.clone()).await), (400, -1102));

    let after = ask(&mut socket, "session.logout", json!({})).await;
    assert_eq!(after["result"]["apiKey"], Value::Null);
    assert_eq!(refused(&ask(&mut socket, "account.status", timed).await), (400, -1102));
}

#[tokio::test]
async fn only_ed25519_keys_log_on() {
    let bench = bench().await;
    let mut socket = bench.connect("/ws-api/v3").await;
    let hmac = signed_by(1, "session.logon", "hmac-account", |payload| sign("secret", payload));
    assert_eq!(refused(&socket.ask(&hmac).await), (401, -2015));
    let forged = signed_by(1, "session.logon", "hmac-account", |payload| sign("other", payload));
    assert_eq!(refused(&socket.ask(&forged).await), (400, -1022), "a stranger is not told the kind of key");
    assert_eq!(ask(&mut socket, "session.status", json!({})).await["result"]["apiKey"], Value::Null);
}

#[tokio::test]
async fn subscriptions_tell_an_account_in_an_envelope() {
    let bench = bench().await;
    let mut socket = bench.connect("/ws-api/v3").await;
    assert_eq!(ask(&mut socket, "userDataStream.subscribe", json!({})).await["status"], 401);
    socket.ask(&signed(1, "session.logon")).await;
    let first = ask(&mut socket, "userDataStream.subscribe", json!({})).await;
    assert_eq!(first["result"], json!({"subscriptionId": 0}));
    let twice = socket.ask(&signed(2, "userDataStream.subscribe.signature")).await;
    assert_eq!(twice["error"], json!({"code": -2035, "msg": "User Data Stream subscription already active."}));
    let hmac = |method| signed_by(3, method, "hmac-account", |payload| sign("secret", payload));
    let second = socket.ask(&hmac("userDataStream.subscribe.signature")).await;
    assert_eq!(second["result"], json!({"subscriptionId": 1}));
    let listed = ask(&mut socket, "session.subscriptions", json!({})).await;
    assert_eq!(listed["result"], json!([{"subscriptionId": 0}, {"subscriptionId": 1}]));
    assert_eq!(ask(&mut socket, "session.status", json!({})).await["result"]["userDataStream"], true);

    let order =
        json!({"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001", "timestamp": START_MS});
    assert_eq!(ask(&mut socket, "order.place", order).await["result"]["status"], "FILLED");
    for (event, step) in [("executionReport", "NEW"), ("executionReport", "TRADE"), ("outboundAccountPosition", "")] {
        let told = socket.next().await;
        assert_eq!(keys(&told), ["subscriptionId", "event"]);
        assert_eq!((&told["subscriptionId"], &told["event"]["e"]), (&json!(0), &json!(event)), "{told}");
        assert_eq!(told["event"]["x"].as_str().unwrap_or_default(), step, "{told}");
    }

    // Logging out ends what the session has opened, and nothing else.
    ask(&mut socket, "session.logout", json!({})).await;
    let last = socket.next().await;
    assert_eq!(last, json!({"subscriptionId": 0, "event": {"e": "eventStreamTerminated", "E": START_MS}}));
    let listed = ask(&mut socket, "session.subscriptions", json!({})).await;
    assert_eq!(listed["result"], json!([{"subscriptionId": 1}]));
    let unknown = ask(&mut socket, "userDataStream.unsubscribe", json!({"subscriptionId": 0})).await;
    assert_eq!(unknown["error"], json!({"code": -2036, "msg": "User Data Stream subscription not active."}));
    assert_eq!(ask(&mut socket, "userDataStream.unsubscribe", json!({})).await["result"], json!({}));
    assert_eq!(socket.next().await["event"]["e"], "eventStreamTerminated");
    assert_eq!(refused(&ask(&mut socket, "userDataStream.unsubscribe", json!({})).await), (400, -2036));
    let order = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001";
    bench.signed_by(&bench.mock.accounts()[1], "POST", "/api/v3/order", order).await.ok();
    assert_eq!(ask(&mut socket, "ping", json!({})).await["id"], 7, "nothing is told any more");
}

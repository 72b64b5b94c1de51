//! The naive server: its manners, and each laxity with and without.

use mock_binance::{Account, Clock, MockBinance};
use rogue_harness::soft::{Laxities, Laxity, SoftConfig, SoftCredentials, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Served {
    answers: Vec<Value>,
    /// Method, path, names of the parameters, whose key.
    requests: Vec<String>,
    params: Vec<(String, String)>,
    orders: u64,
}

/// Serves these bytes and hangs up.
async fn served(laxities: Laxities, input: &[u8]) -> Served {
    let (owner, other) = (Account::generated(1), Account::generated(2));
    let mock = MockBinance::builder()
        .clock(Clock::manual(1_767_571_200_000))
        .account(owner.clone().label("owner").balance("USDT", "100000").balance("BTC", "2"))
        .account(other.label("other").balance("USDT", "100000"))
        .start()
        .await
        .unwrap();
    let config = SoftConfig {
        base_url: mock.rest_url(),
        credentials: Some(SoftCredentials {
            api_key: owner.api_key().to_owned(),
            secret_key: owner.secret().to_owned(),
        }),
        laxities,
        ..SoftConfig::default()
    };
    let before = mock.with_exchange(mock_binance::engine::Exchange::order_count);
    let (mut ours, theirs) = tokio::io::duplex(1 << 20);
    let (read, write) = tokio::io::split(theirs);
    let server = tokio::spawn(serve(config, read, write));
    ours.write_all(input).await.unwrap();
    ours.shutdown().await.unwrap();
    let mut output = String::new();
    ours.read_to_string(&mut output).await.unwrap();
    server.await.unwrap().unwrap();
    let requests = mock.requests();
    let served = Served {
        answers: output.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        params: requests.last().map(|request| request.params.clone()).unwrap_or_default(),
        requests: requests
            .into_iter()
            .map(|r| {
                let names: Vec<_> = r.params.iter().map(|(name, _)| name.as_str()).collect();
                format!("{} {} {} {}", r.method, r.path, names.join(","), r.key.unwrap_or_default())
            })
            .collect(),
        orders: mock.with_exchange(mock_binance::engine::Exchange::order_count) - before,
    };
    mock.shutdown().await;
    served
}

fn block<T>(future: impl Future<Output = T>) -> T {
    rogue_harness::run::runtime().unwrap().block_on(future)
}

fn call(tool: &str, arguments: &Value) -> Vec<u8> {
    let frame = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": arguments } });
    format!("{frame}\n").into_bytes()
}

fn order() -> Value {
    json!({ "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01" })
}

const ORDER: &str = r#"{"symbol":"BTCUSDT","side":"BUY","type":"MARKET","quantity":"0.01"}"#;

/// With the laxity, this line books so many orders; without it, none... or one, where the careful reading of the
/// line is an order too.
fn check(laxity: Laxity, line: impl AsRef<[u8]>, with: u64, without: u64) {
    let mut input = line.as_ref().to_vec();
    input.push(b'\n');
    let lax = block(served(Laxities::default(), &input));
    assert_eq!(lax.orders, with, "with {laxity:?}: {:?}", lax.answers);
    let careful = block(served(Laxities::default().without(laxity), &input));
    assert_eq!(careful.orders, without, "without {laxity:?}: {:?}", careful.answers);
}

#[test]
fn each_laxity_lets_an_order_through_that_it_alone_lets_through() {
    let frame = |params: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
    let plain = frame(&format!(r#"{{"name":"bn_new_order","arguments":{ORDER}}}"#));
    let with_meta =
        |meta: &str| frame(&format!(r#"{{"_meta":{{"note":{meta}}},"name":"bn_new_order","arguments":{ORDER}}}"#));

    check(
        Laxity::LastDuplicateWins,
        frame(&format!(r#"{{"name":"bn_ping","name":"bn_new_order","arguments":{ORDER}}}"#)),
        1,
        0,
    );
    check(
        Laxity::CaseInsensitiveKeys,
        frame(&format!(r#"{{"name":"bn_ping","Name":"bn_new_order","arguments":{ORDER}}}"#)),
        1,
        0,
    );
    check(Laxity::CaseInsensitiveKeys, plain.replace("params", "param\u{17f}"), 1, 0);
    check(
        Laxity::NulEndsKey,
        frame(&format!(r#"{{"name":"bn_ping","name\u0000x":"bn_new_order","arguments":{ORDER}}}"#)),
        1,
        0,
    );
    check(Laxity::ByteOrderMarkStripped, format!("\u{feff}{plain}"), 1, 0);
    check(
        Laxity::InvalidUtf8Replaced,
        [with_meta("\"?\"").replace('?', "!").as_bytes(), b""]
            .concat()
            .iter()
            .map(|b| if *b == b'!' { 0xff } else { *b })
            .collect::<Vec<u8>>(),
        1,
        0,
    );
    check(Laxity::HugeNumbersAreInfinite, with_meta("1e400"), 1, 0);
    check(Laxity::LoneSurrogatesReplaced, with_meta(r#""\ud800""#), 1, 0);
    check(Laxity::UnboundedNesting, with_meta(&format!("{}{}", "[".repeat(200), "]".repeat(200))), 1, 0);
    check(Laxity::ManyValuesPerLine, format!(r#"{{"jsonrpc":"2.0","id":2,"method":"ping"}} {plain}"#), 1, 0);
    check(Laxity::TrailingBytesIgnored, format!("{plain}]]"), 1, 1);
    check(Laxity::Batches, format!("[{plain}]"), 1, 0);
    check(Laxity::CallsWithoutId, plain.replace("\"id\":1,", ""), 1, 0);
    for name in [" bn_new_order ", "BN_NEW_ORDER", "binance/bn_new_order", "binance__bn_new_order", "mcp:bn_new_order"]
    {
        check(Laxity::LooseToolNames, plain.replace("bn_new_order", name), 1, 0);
    }
    check(Laxity::AnythingIsText, plain.replace("\"0.01\"", "[\"0.01\"]"), 1, 0);
    check(
        Laxity::UndeclaredArguments,
        plain.replace("\"quantity\"", "\"newOrderRespType\":\"FULL\",\"quantity\""),
        1,
        0,
    );
    // One text that becomes two parameters.
    check(Laxity::SeparatorsUnescaped, plain.replace("\"0.01\"", "\"0.01&newOrderRespType=FULL\""), 1, 0);
}

#[test]
fn trailing_bytes_are_an_error_for_whoever_reads_them() {
    let mut input = call("bn_ping", &json!({}));
    input.truncate(input.len() - 1);
    input.extend_from_slice(b"]]\n");
    let lax = block(served(Laxities::default(), &input));
    assert_eq!(lax.answers.len(), 1);
    let careful = block(served(Laxities::default().without(Laxity::TrailingBytesIgnored), &input));
    assert_eq!(careful.answers.last().unwrap()["error"]["code"], -32700);
    let strict = block(served(Laxities::none(), &input));
    assert_eq!(strict.requests, [] as [String; 0]);
}

#[test]
fn arguments_may_be_an_array() {
    let input = call("bn_account_info", &json!(["x"]));
    let lax = block(served(Laxities::default(), &input));
    assert_eq!(lax.requests.last().unwrap(), "GET /api/v3/account 0,timestamp,recvWindow,signature owner");
    let careful = block(served(Laxities::default().without(Laxity::ArrayArguments), &input));
    assert_eq!(careful.answers[0]["error"]["code"], -32602);
    assert_eq!(careful.requests, [] as [String; 0]);
}

#[test]
fn foreign_keys_are_taken_from_the_arguments() {
    let other = Account::generated(2);
    let mut arguments = order();
    arguments["BINANCE_API_KEY"] = json!(other.api_key());
    arguments["BINANCE_SECRET_KEY"] = json!(other.secret());
    let input = call("bn_new_order", &arguments);
    let lax = block(served(Laxities::default(), &input));
    assert!(lax.requests.last().unwrap().ends_with(" other"), "{:?}", lax.requests);
    assert_eq!(lax.orders, 1);
    let careful = block(served(Laxities::default().without(Laxity::CredentialsFromArguments), &input));
    assert!(careful.requests.last().unwrap().ends_with(" owner"), "{:?}", careful.requests);
}

#[test]
fn a_signed_call_asks_the_time_first_and_keeps_the_users_order() {
    let mut arguments = order();
    arguments["_fields"] = json!("orderId");
    arguments["recvWindow"] = json!(60000);
    let served = block(served(Laxities::default(), &call("bn_new_order", &arguments)));
    assert_eq!(
        served.requests,
        ["GET /api/v3/time  ", "POST /api/v3/order symbol,side,type,quantity,recvWindow,timestamp,signature owner",]
    );
    let value = |name: &str| served.params.iter().find(|(known, _)| known == name).unwrap().1.clone();
    assert_eq!((value("timestamp").as_str(), value("recvWindow").as_str()), ("1767571200000", "60000"));
    // Pretty JSON in one block, with every field in spite of `_fields`.
    let text = served.answers[0]["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("{\n  \"symbol\": \"BTCUSDT\""), "{text}");
    assert_eq!(served.answers[0]["result"].as_object().unwrap().len(), 1);
}

#[test]
fn the_exchanges_error_is_told_in_one_line() {
    let mut arguments = order();
    arguments["symbol"] = json!("NOSUCH");
    let served = block(served(Laxities::default(), &call("bn_new_order", &arguments)));
    assert_eq!(
        served.answers[0]["result"],
        json!({ "content": [{ "type": "text", "text": "Error: Binance API Error 400: Invalid symbol." }], "isError": true })
    );
}

#[test]
fn it_speaks_enough_of_the_protocol() {
    let input = [
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"prompts/list"}"#,
        r#"{"jsonrpc":"2.0","id":99,"result":{}}"#,
        "nonsense",
        r#"{"jsonrpc":"2.0","id":4}"#,
        r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"bn_withdraw"}}"#,
    ];
    let served = block(served(Laxities::default(), (input.join("\n") + "\n").as_bytes()));
    let [initialize, list, prompts, nonsense, no_method, unknown] = served.answers.as_slice() else {
        panic!("{:?}", served.answers)
    };
    assert_eq!(initialize["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(list["result"]["tools"].as_array().unwrap().len(), 23);
    assert_eq!(prompts["error"]["code"], -32601);
    assert_eq!((&nonsense["id"], &nonsense["error"]["code"]), (&Value::Null, &json!(-32700)));
    assert_eq!(no_method["error"]["code"], -32600);
    assert_eq!(unknown["result"]["isError"], true);
    assert_eq!(served.requests, [] as [String; 0]);
}

//! How the clients of the checklist send, and what they look at.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Answer, Bench, Socket, sign};

/// Sends exactly these headers, besides those that HTTP itself needs.
pub(crate) async fn send(bench: &Bench, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let url = format!("{}{target}", bench.mock.rest_url());
    let mut request = bench.http.request(method.parse().unwrap(), url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !body.is_empty() {
        request = request.body(body.to_owned());
    }
    let response = request.send().await.unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.unwrap(),
    }
}

/// The parameters with the time, and the signature of the first account at their end.
pub(crate) fn signed(bench: &Bench, query: &str) -> String {
    with_signature(bench, &format!("{query}&timestamp={}", bench.clock.now_ms()))
}

pub(crate) fn with_signature(bench: &Bench, payload: &str) -> String {
    format!("{payload}&signature={}", sign(bench.account().secret(), payload))
}

/// One HTTP/1.1 request over a connection that is kept: the head of the answer in lower case, and the body.
pub(crate) async fn over(connection: TcpStream, request: String) -> (TcpStream, String, String) {
    let exchange = move || {
        let mut connection = connection;
        connection.write_all(request.as_bytes()).unwrap();
        let mut reader = BufReader::new(connection.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0, "the connection ended after {head:?}");
        }
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length").parse();
        let mut body = vec![0; length.unwrap()];
        reader.read_exact(&mut body).unwrap();
        assert!(reader.buffer().is_empty(), "something comes after the answer");
        (connection, head, String::from_utf8(body).unwrap())
    };
    tokio::task::spawn_blocking(exchange).await.unwrap()
}

pub(crate) fn raw_connection(bench: &Bench) -> TcpStream {
    let connection = TcpStream::connect(bench.mock.rest_url().trim_start_matches("http://")).unwrap();
    // Only ends what would wait for ever.
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    connection
}

/// A request of the first account over the WebSocket API, its parameters as JSON writes them.
pub(crate) fn ws_signed(bench: &Bench, id: &Value, method: &str, params: &[(&str, &str)]) -> String {
    let (key, now) = (format!("{:?}", bench.account().api_key()), bench.clock.now_ms().to_string());
    let mut params: BTreeMap<&str, &str> = params.iter().copied().collect();
    params.extend([("apiKey", key.as_str()), ("timestamp", now.as_str())]);
    let payload: Vec<String> =
        params.iter().map(|(name, value)| format!("{name}={}", value.trim_matches('"'))).collect();
    let signature = format!("{:?}", sign(bench.account().secret(), &payload.join("&")));
    params.insert("signature", &signature);
    let params: Vec<String> = params.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
    format!(r#"{{"id":{id},"method":"{method}","params":{{{}}}}}"#, params.join(","))
}

fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_prefix('-').unwrap_or(text).split_once('.').is_some_and(|(whole, part)| digits(whole) && digits(part))
}

/// Every leaf of an answer that is typed otherwise than strict clients have it.
pub(crate) fn badly_typed(at: &str, value: &Value, found: &mut Vec<String>) {
    const DECIMALS: [&str; 9] =
        ["price", "qty", "quantity", "volume", "commission", "free", "locked", "funds", "percent"];
    const WHOLES: [&str; 6] = ["id", "time", "count", "limit", "intervalnum", "precision"];
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                badly_typed(&format!("{at}.{name}"), value, found);
            }
        }
        Value::Array(rows) => rows.iter().for_each(|row| badly_typed(&format!("{at}[]"), row, found)),
        Value::Bool(_) | Value::Null => {}
        Value::Number(number) => {
            let name = at.rsplit('.').next().unwrap().to_lowercase();
            let decimal = DECIMALS.iter().any(|ending| name.ends_with(ending));
            // The account's own rates are basis points.
            let decimal = decimal && !name.ends_with("ercommission");
            if !(number.is_u64() || number.is_i64()) || decimal {
                found.push(format!("{at}: {value}"));
            }
        }
        Value::String(text) => {
            let name = at.rsplit('.').next().unwrap().to_lowercase();
            let whole = WHOLES.iter().any(|ending| name.ends_with(ending)) && !name.ends_with("clientorderid");
            let decimal = DECIMALS.iter().any(|ending| name.ends_with(ending));
            if whole || (decimal && !is_decimal(text)) {
                found.push(format!("{at}: {value}"));
            }
        }
    }
}

pub(crate) fn book(snapshot: &Value) -> [BTreeMap<String, String>; 2] {
    ["bids", "asks"].map(|side| {
        let mut levels = BTreeMap::new();
        change(&mut levels, &snapshot[side]);
        levels
    })
}

pub(crate) fn change(side: &mut BTreeMap<String, String>, levels: &Value) {
    for level in levels.as_array().unwrap() {
        let [price, quantity] = [0, 1].map(|at| level[at].as_str().unwrap().to_owned());
        if quantity == "0.00000000" {
            side.remove(&price);
        } else {
            side.insert(price, quantity);
        }
    }
}

/// The next diff of the book, once its 100 ms are over.
pub(crate) async fn diff(bench: &Bench, socket: &mut Socket) -> Value {
    bench.mock.advance(Duration::from_millis(100));
    socket.next().await
}

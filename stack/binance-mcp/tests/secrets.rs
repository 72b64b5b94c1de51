//! Planted canaries: keys and signatures appear in no answer, error, log line or `Debug` form.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may end with a panic")]

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};

use binance_mcp::{BinanceMcp, Credentials, tools};
use common::raw::{RawExchange, http};
use common::{API_KEY, SECRET_KEY, Session, config, minimal_arguments};
use serde_json::json;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn assert_clean(what: &str, text: &str) {
    for canary in [API_KEY, SECRET_KEY, "canaryKey", "canarySecret", "signature="] {
        assert!(!text.contains(canary), "{what} holds `{canary}`: {text}");
    }
    // 64 hex digits in a row are a signature.
    let longest = text.split(|c: char| !c.is_ascii_hexdigit()).map(str::len).max().unwrap_or_default();
    assert!(longest < 64, "{what} holds a signature: {text}");
}

/// An exchange that throws everything it got back at the caller: as success, error, header or page.
async fn echo(wrap: fn(&str) -> String) -> RawExchange {
    RawExchange::start(move |head| {
        // What a hostile or careless server has seen, with the name of the parameter hidden from the check.
        let seen = head.replace("signature=", "sig:").replace(['"', '\\', '\r', '\n'], " ");
        let answer = wrap(&seen);
        async move { Some(answer) }
    })
    .await
}

#[tokio::test]
async fn canaries_never_come_out() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let wraps: [fn(&str) -> String; 6] = [
        |seen| http("200 OK", &json!({"echo": seen, "list": [seen]}).to_string()),
        |seen| http("200 OK", &json!([{ seen: seen }]).to_string()),
        |seen| http("400 Bad Request", &json!({"code": -1022, "msg": seen}).to_string()),
        |seen| http("500 Internal Server Error", &format!("<html>{seen}</html>")),
        |seen| http("200 OK", &format!("not json {seen}")),
        |seen| format!("HTTP/1.1 200 OK\r\ncontent-type: {seen}\r\nlocation: {seen}\r\ncontent-length: 1\r\n\r\nx"),
    ];
    let mut echoed = 0;
    for wrap in wraps {
        let exchange = echo(wrap).await;
        let configuration = config(&exchange.url);
        assert_clean("Config", &format!("{configuration:?}"));
        let server = BinanceMcp::new(configuration.clone()).unwrap();
        assert_clean("BinanceMcp", &format!("{server:?} {server:#?}"));
        let session = Session::open(configuration).await;
        for tool in tools() {
            let result = session.call(tool.name, minimal_arguments(tool.name)).await;
            let answer = serde_json::to_string(&result).unwrap();
            assert_clean(tool.name, &answer);
            echoed += usize::from(answer.contains("[redacted]"));
        }
        session.close().await;
    }
    // Twelve private tools, and the four kinds of answer that repeat text.
    assert!(echoed >= 12 * 3, "the echo did not reach the caller: {echoed}");

    // The failures that carry a URL inside the HTTP client.
    let gone = RawExchange::start(|_| async { None }).await;
    for url in [gone.url.as_str(), "http://127.0.0.1:1"] {
        let session = Session::open(config(url)).await;
        for tool in tools() {
            let (error, text) = session.error(tool.name, minimal_arguments(tool.name)).await;
            assert_clean(tool.name, &format!("{error} {text}"));
        }
        session.close().await;
    }

    let log = log.text();
    assert!(log.contains("bn_new_order"), "the log was not captured");
    assert_clean("the log", &log);
}

#[test]
fn refused_credentials_are_not_repeated() {
    for (api_key, secret_key) in [("canaryKey broken", "canarySecret"), ("canaryKey", "canarySecret\u{e9}")] {
        let error = Credentials::new(api_key, secret_key).unwrap_err();
        assert_clean("ConfigError", &format!("{error} {error:?}"));
    }
    let keys = Credentials::new(API_KEY, SECRET_KEY).unwrap();
    assert_clean("Credentials", &format!("{keys:?} {keys:#?}"));
    let error = BinanceMcp::new(config("http://canaryKey:canarySecret@127.0.0.1")).unwrap_err();
    assert_clean("ConfigError", &format!("{error} {error:?}"));
}

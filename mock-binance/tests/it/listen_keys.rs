//! The life of listen keys.

use std::time::Duration;

use mock_binance::{Account, ListenKeys};
use serde_json::json;

use crate::support::{bench, bench_with};

const PATH: &str = "/api/v3/userDataStream";
const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn keys_are_opened_kept_alive_and_closed() {
    let bench = bench().await;
    let key = bench.listen_key().await;
    assert_eq!(key.len(), 64);
    assert_eq!(bench.listen_key().await, key, "a valid key is given again");
    assert_eq!(bench.keyed("PUT", &format!("{PATH}?listenKey={key}")).await.ok(), json!({}));
    // python-binance sends it in a form.
    let form = Some(format!("listenKey={key}"));
    let closed = bench.send("DELETE", PATH, Some(bench.account().api_key()), form).await;
    assert_eq!(closed.ok(), json!({}));
    assert_ne!(bench.listen_key().await, key);
}

#[tokio::test]
async fn refusals() {
    let bench = bench().await;
    let unknown = (400, -1125, "This listenKey does not exist.".to_owned());
    for method in ["PUT", "DELETE"] {
        assert_eq!(bench.keyed(method, &format!("{PATH}?listenKey=nobody")).await.refusal(), unknown);
        assert_eq!(
            bench.keyed(method, PATH).await.refusal(),
            (400, -1102, "Mandatory parameter 'listenKey' was not sent, was empty/null, or malformed.".to_owned())
        );
        assert_eq!(
            bench.keyed(method, &format!("{PATH}?listenKey=")).await.refusal(),
            (400, -1105, "Parameter 'listenKey' was empty.".to_owned())
        );
    }
    assert_eq!(
        bench.keyed("POST", &format!("{PATH}?symbol=BTCUSDT")).await.refusal(),
        (400, -1101, "Too many parameters; expected '0' and received '1'.".to_owned())
    );
    assert_eq!(
        bench.send("POST", PATH, None, None).await.refusal(),
        (401, -2014, "API-key format invalid.".to_owned())
    );
}

#[tokio::test]
async fn another_account_s_key_is_unknown() {
    let bench = bench_with(|builder| builder.account(Account::generated(1)).account(Account::generated(2))).await;
    let key = bench.listen_key().await;
    let other = bench.mock.accounts()[1].api_key();
    let answer = bench.send("DELETE", &format!("{PATH}?listenKey={key}"), Some(other), None).await;
    assert_eq!(answer.refusal().1, -1125);
}

#[tokio::test]
async fn a_key_expires_after_an_hour_and_says_so() {
    let bench = bench().await;
    let key = bench.listen_key().await;
    let mut socket = bench.connect(&format!("/ws/{key}")).await;
    bench.clock.advance(59 * MINUTE);
    bench.keyed("PUT", &format!("{PATH}?listenKey={key}")).await.ok();
    bench.clock.advance(59 * MINUTE);
    socket.assert_silent().await;
    let deadline = bench.clock.now_ms() + 60_000;
    // One long step: the event still carries the moment of the deadline.
    bench.clock.advance(10 * MINUTE);
    let event = socket.next().await;
    assert_eq!(event, json!({"e": "listenKeyExpired", "E": deadline, "listenKey": key}));
    assert_eq!(bench.keyed("PUT", &format!("{PATH}?listenKey={key}")).await.refusal().1, -1125);
    bench.bought().await;
    let listed = socket.ask(r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#).await;
    assert_eq!(listed, json!({"result": [], "id": 1}), "the stream has ended, the connection has not");
}

#[tokio::test]
async fn closing_a_key_closes_its_stream() {
    let bench = bench().await;
    let key = bench.listen_key().await;
    let mut socket = bench.connect(&format!("/ws/{key}")).await;
    bench.keyed("DELETE", &format!("{PATH}?listenKey={key}")).await.ok();
    assert!(socket.is_closed().await);
}

#[tokio::test]
async fn gone_is_the_page_of_the_proxy() {
    let bench = bench_with(|builder| builder.listen_keys(ListenKeys::Gone)).await;
    for method in ["POST", "PUT", "DELETE"] {
        let answer = bench.keyed(method, PATH).await;
        assert_eq!(answer.status, 410);
        assert_eq!(answer.header("content-type"), Some("text/html"));
        assert_eq!(
            answer.text,
            "<html>\n<head><title>410 Gone</title></head>\n<body>\n<center><h1>410 Gone</h1></center>\n<hr><center>nginx</center>\n</body>\n</html>"
        );
    }
    bench.get("/api/v3/ping").await.ok();
}

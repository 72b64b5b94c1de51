//! Where parameters and signatures may stand, over real sockets.

use serde_json::json;

use crate::support::{Bench, bench, sign};

/// Signs query and body as one payload, and sends the signature where it is told to.
async fn place(bench: &Bench, query: &str, body: &str, signature_in_body: bool) -> crate::support::Answer {
    let signature = sign(bench.account().secret(), &format!("{query}{body}"));
    let add = |part: &str| {
        let and = if part.is_empty() { "" } else { "&" };
        format!("{part}{and}signature={signature}")
    };
    let (query, body) = if signature_in_body { (query.to_owned(), add(body)) } else { (add(query), body.to_owned()) };
    let target = if query.is_empty() { "/api/v3/order".to_owned() } else { format!("/api/v3/order?{query}") };
    bench.send("POST", &target, Some(bench.account().api_key()), Some(body)).await
}

const HEAD: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC";

fn tail(bench: &Bench) -> String {
    format!("quantity=0.001&price=50000&timestamp={}", bench.clock.now_ms())
}

#[tokio::test]
async fn query_body_or_both() {
    let bench = bench().await;
    let tail = tail(&bench);
    let whole = format!("{HEAD}&{tail}");
    for (query, body) in [(whole.as_str(), ""), ("", &whole), (HEAD, &tail)] {
        for signature_in_body in [false, true] {
            place(&bench, query, body, signature_in_body).await.ok();
        }
    }
}

#[tokio::test]
async fn the_query_wins() {
    let bench = bench().await;
    let tail = tail(&bench);
    let answer = place(&bench, &format!("{HEAD}&{tail}"), "price=40000&quantity=1", false).await.ok();
    assert_eq!((&answer["price"], &answer["origQty"]), (&json!("50000.00000000"), &json!("0.00100000")));
}

#[tokio::test]
async fn the_signature_covers_the_bytes_as_they_are_sent() {
    let bench = bench().await;
    let now = bench.clock.now_ms();
    // Percent-encoded more than needed: it verifies as sent, and reads as meant.
    let encoded = format!("{HEAD}&quantity=0%2E001&price=50000&timestamp={now}");
    place(&bench, &encoded, "", false).await.ok();
    // Signed in the plain form, sent in the encoded one.
    let signature = sign(bench.account().secret(), &encoded.replace("%2E", "."));
    let target = format!("/api/v3/order?{encoded}&signature={signature}");
    let answer = bench.send("POST", &target, Some(bench.account().api_key()), None).await;
    assert_eq!(answer.refusal().1, -1022);
    // A parameter added after signing.
    let plain = format!("{HEAD}&{}", tail(&bench));
    let signature = sign(bench.account().secret(), &plain);
    let target = format!("/api/v3/order?{plain}&signature={signature}&strategyId=1");
    let answer = bench.send("POST", &target, Some(bench.account().api_key()), None).await;
    assert_eq!(answer.refusal().1, -1022);
}

#[tokio::test]
async fn cancels_may_come_with_a_form() {
    let bench = bench().await;
    let order = bench.resting().await;
    let form = format!("symbol=BTCUSDT&orderId={}&timestamp={}", order["orderId"], bench.clock.now_ms());
    let form = format!("{form}&signature={}", sign(bench.account().secret(), &form));
    let answer = bench.send("DELETE", "/api/v3/order", Some(bench.account().api_key()), Some(form)).await;
    assert_eq!(answer.ok()["status"], "CANCELED");
}

#[tokio::test]
async fn content_types_and_header_cases_do_not_matter() {
    let bench = bench().await;
    let query = format!("timestamp={}", bench.clock.now_ms());
    let signature = sign(bench.account().secret(), &query);
    let answer = reqwest::Client::new()
        .get(format!("{}/api/v3/account?{query}&signature={}", bench.mock.rest_url(), signature.to_uppercase()))
        .header("x-mbx-apikey", bench.account().api_key())
        .header("content-type", "application/json")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_get_has_no_parameters_in_its_body() {
    let bench = bench().await;
    let body = Some("limit=1&nonsense=2".to_owned());
    let answer = bench.send("GET", "/api/v3/depth?symbol=BTCUSDT&limit=3", None, body).await.ok();
    assert_eq!(answer["bids"].as_array().unwrap().len(), 3);
}

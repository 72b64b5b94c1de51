//! Accounts that sign with a private key whose public half the mock has.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mock_binance::{Account, MockBinance};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::support::{Bench, bench_with};

/// A key made of this seed, for tests alone.
fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

/// The public half, as `openssl pkey -pubout` writes it.
pub(crate) fn pem(seed: u8) -> String {
    let mut spki = hex::decode("302a300506032b6570032100").unwrap();
    spki.extend_from_slice(key(seed).public_key().as_ref());
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki))
}

fn signature(seed: u8, payload: &str) -> String {
    STANDARD.encode(key(seed).sign(payload.as_bytes()))
}

fn percent_encoded(signature: &str) -> String {
    signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

async fn bench() -> Bench {
    let account = Account::with_public_key("ed25519-account", pem(1)).balance("USDT", "1000").balance("BTC", "1");
    bench_with(|builder| builder.account(account)).await
}

#[tokio::test]
async fn an_ed25519_account_trades() {
    let bench = bench().await;
    let time = bench.clock.now_ms();
    let order = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001";
    let payload = format!("{order}&timestamp={time}");
    let target = format!("/api/v3/order?{payload}&signature={}", percent_encoded(&signature(1, &payload)));
    assert_eq!(bench.keyed("POST", &target).await.ok()["status"], "FILLED");

    // Query and body are signed as one text, without anything between them.
    let body = format!("quantity=0.001&timestamp={time}");
    let query = "symbol=BTCUSDT&side=SELL&type=MARKET";
    let signed = percent_encoded(&signature(1, &format!("{query}{body}")));
    let target = format!("/api/v3/order?{query}");
    let body = format!("{body}&signature={signed}");
    let answer = bench.send("POST", &target, Some("ed25519-account"), Some(body)).await;
    assert_eq!(answer.ok()["side"], "SELL");
}

#[tokio::test]
async fn other_signatures_are_refused() {
    let bench = bench().await;
    let payload = format!("timestamp={}", bench.clock.now_ms());
    let good = signature(1, &payload);
    let changed: String = good
        .chars()
        .map(|letter| if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter })
        .collect();
    for (what, signature) in [
        ("another key", signature(2, &payload)),
        ("another payload", signature(1, "timestamp=1")),
        ("another case", changed),
        ("hexadecimal", hex::encode(STANDARD.decode(&good).unwrap())),
        ("HMAC under the PEM", crate::support::sign(&pem(1), &payload)),
        ("HMAC under nothing", crate::support::sign("", &payload)),
    ] {
        let target = format!("/api/v3/account?{payload}&signature={}", percent_encoded(&signature));
        let (status, code, text) = bench.keyed("GET", &target).await.refusal();
        assert_eq!((status, code), (400, -1022), "{what}: {text}");
        assert_eq!(text, "Signature for this request is not valid.", "{what}");
    }
    let target = format!("/api/v3/account?{payload}&signature={}", percent_encoded(&good));
    assert_eq!(bench.keyed("GET", &target).await.status, 200);
}

#[tokio::test]
async fn a_bad_key_is_told_with_its_account() {
    let account = Account::with_public_key("key", "nonsense").label("broker");
    let error = MockBinance::builder().account(account).start().await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "cannot use the public key of account `broker`: it is no PEM of the kind `-----BEGIN PUBLIC KEY-----`"
    );
}

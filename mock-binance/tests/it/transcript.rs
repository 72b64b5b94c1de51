//! What the mock remembers of requests, and what it does not.

use mock_binance::Account;
use serde_json::json;

use crate::support::{START_MS, bench, bench_with};

#[tokio::test]
async fn requests_are_kept_in_order_with_their_outcome() {
    let bench = bench_with(|builder| builder.account(Account::generated(3).label("agent"))).await;
    bench.get("/api/v3/ping").await.ok();
    bench.order("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1").await;
    let records = bench.mock.requests();
    assert_eq!(records.len(), 2);
    assert_eq!((records[0].seq, records[0].at_ms, records[0].key.as_deref()), (1, START_MS, None));
    let order = serde_json::to_value(&records[1]).unwrap();
    assert_eq!(
        order,
        json!({
            "seq": 2,
            "at_ms": START_MS,
            "method": "POST",
            "path": "/api/v3/order",
            "params": [
                ["symbol", "BTCUSDT"], ["side", "BUY"], ["type", "MARKET"], ["quantity", "1"],
                ["timestamp", START_MS.to_string()], ["signature", "[redacted]"],
            ],
            "key": "agent",
            "status": 400,
            "code": -2010,
            "weight": 1,
            "user_agent": null,
        })
    );
    assert_eq!(bench.mock.take_requests().len(), 2);
    assert_eq!(bench.mock.requests(), []);
}

#[tokio::test]
async fn secrets_do_not_reach_it() {
    let bench = bench().await;
    let (key, secret) = (bench.account().api_key().to_owned(), bench.account().secret().to_owned());
    bench.signed("GET", "/api/v3/account", &format!("secretKey={secret}&apiKey={key}")).await;
    // Under innocent names, too.
    bench.signed("GET", "/api/v3/order", &format!("symbol=BTCUSDT&origClientOrderId={secret}&note={key}")).await;
    bench.get(&format!("/api/v3/depth?symbol={key}&{secret}=1")).await;
    bench.get(&format!("/api/{secret}")).await;
    let listen_key = bench.listen_key().await;
    bench.keyed("PUT", &format!("/api/v3/userDataStream?listenKey={listen_key}")).await.ok();
    let kept = format!("{:?}", bench.mock.requests());
    for hidden in [&key, &secret, &listen_key] {
        assert!(!kept.contains(hidden.as_str()), "{kept}");
    }
    assert!(kept.contains("listen-key-1"));
    assert!(!format!("{:?}", bench.mock).contains(&secret));
}

#[tokio::test]
async fn only_the_latest_requests_are_kept() {
    for (keep, expected) in [(2, vec![3, 4]), (0, vec![]), (9, vec![1, 2, 3, 4])] {
        let bench = bench_with(|builder| builder.keep_requests(keep)).await;
        for _ in 0..4 {
            bench.get("/api/v3/ping").await.ok();
        }
        let kept: Vec<u64> = bench.mock.requests().iter().map(|record| record.seq).collect();
        assert_eq!(kept, expected, "keep {keep}");
    }
}

//! The same seed and the same inputs give the same bytes.

use mock_binance::Account;

use crate::support::bench_with;

async fn life(seed: u64) -> (String, Vec<String>) {
    let bench = bench_with(|builder| builder.seed(seed).liquidity(seed)).await;
    let mut answers = vec![bench.listen_key().await];
    for (method, path, query) in [
        ("POST", "/api/v3/order", "symbol=BTCUSDT&side=BUY&type=MARKET&quoteOrderQty=100"),
        ("POST", "/api/v3/order", "symbol=ETHBTC&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.06"),
        ("DELETE", "/api/v3/openOrders", "symbol=ETHBTC"),
        ("GET", "/api/v3/account", ""),
    ] {
        answers.push(bench.signed(method, path, query).await.text);
    }
    answers.push(bench.get("/api/v3/depth?symbol=BTCUSDT&limit=5000").await.text);
    (bench.account().api_key().to_owned(), answers)
}

#[tokio::test]
async fn lives_repeat() {
    let (one, again, other) = (life(5).await, life(5).await, life(6).await);
    assert_eq!(one, again);
    assert_ne!(one.0, other.0, "another seed, another key");
    assert_ne!(one.1, other.1, "and other books");
    assert_eq!(one.0, Account::generated(5).api_key());
}

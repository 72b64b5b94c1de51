//! Mocks of higher priority over the exchange.

use wiremock::matchers::{method, path};
use wiremock::{Mock, ResponseTemplate};

use crate::support::bench;

#[tokio::test]
async fn an_overlaid_mock_answers_in_place_of_the_exchange() {
    let bench = bench().await;
    Mock::given(method("POST"))
        .and(path("/api/v3/order"))
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(1)
        .expect(1)
        .mount(bench.mock.server().await)
        .await;
    let query = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001";
    assert_eq!(bench.order(query).await.status, 503);
    assert_eq!(bench.mock.requests(), []);
    assert_eq!(bench.order(query).await.ok()["orderId"], 161, "the first order that the exchange has seen");
    assert_eq!(bench.mock.requests().len(), 1);
}

//! What trading costs, told before anything is traded.

use mock_binance::{Account, Builder, bnb_discount, commission_rate};
use serde_json::{Value, json};

use crate::support::{Bench, bench, bench_with};

#[tokio::test]
async fn the_rates_of_a_symbol_are_those_that_its_trades_cost() {
    let bench = bench_with(|builder| builder.commission("0.0005", "0.002")).await;
    let answer = bench.signed("GET", "/api/v3/account/commission", "symbol=ETHUSDT").await;
    assert_eq!(answer.header("x-mbx-used-weight-1m"), Some("20"));
    let none = json!({"maker": "0.00000000", "taker": "0.00000000", "buyer": "0.00000000", "seller": "0.00000000"});
    let told = answer.ok();
    let expected = json!({
        "symbol": "ETHUSDT",
        "standardCommission":
            {"maker": "0.00050000", "taker": "0.00200000", "buyer": "0.00000000", "seller": "0.00000000"},
        "specialCommission": none,
        "taxCommission": none,
        "discount":
            {"enabledForAccount": false, "enabledForSymbol": false, "discountAsset": "BNB", "discount": "0.00000000"},
    });
    assert_eq!(told.to_string(), expected.to_string(), "same fields in the same order");

    // A fill costs what was told: two thousandths of what it received.
    let fill = &bench.bought().await["fills"][0];
    assert_eq!((&fill["qty"], &fill["commission"]), (&json!("0.00100000"), &json!("0.00000200")));
    let query = "symbol=ETHUSDT&side=BUY&type=MARKET&quantity=0.1&computeCommissionRates=true";
    let of_order = bench.signed("POST", "/api/v3/order/test", query).await.ok();
    assert_eq!(of_order["standardCommissionForOrder"]["taker"], told["standardCommission"]["taker"]);
    assert_eq!(of_order["discount"], told["discount"]);
}

#[tokio::test]
async fn the_web_socket_api_tells_the_same() {
    let bench = bench().await;
    let over_rest = bench.signed("GET", "/api/v3/account/commission", "symbol=BTCUSDT").await.ok();
    let mut socket = bench.connect("/ws-api/v3").await;
    let answer =
        socket.ask(&bench.ws_request("account.commission", "apiKey={key}&symbol=BTCUSDT&timestamp={now}")).await;
    assert_eq!((&answer["status"], &answer["result"]), (&json!(200), &over_rest));
}

#[tokio::test]
async fn the_symbol_is_needed_and_known() {
    let bench = bench().await;
    let told = bench.signed("GET", "/api/v3/account/commission", "").await.refusal();
    let missing = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.";
    assert_eq!(told, (400, -1102, missing.to_owned()));
    let told = bench.signed("GET", "/api/v3/account/commission", "symbol=NOPE").await.refusal();
    assert_eq!(told, (400, -1121, "Invalid symbol.".to_owned()));
}

/// The example of the exchange's commission FAQ.
fn example() -> Value {
    let scenarios: Value = serde_json::from_str(include_str!("../data/scenarios.json")).unwrap();
    scenarios["commission"].clone()
}

/// Its rates, and a buyer whose order waits at its price. BNB costs 260 USDT.
async fn seller(bnb: &str, more: impl FnOnce(Builder) -> Builder) -> Bench {
    let example = example();
    let bench = bench_with(|builder| {
        let account = Account::generated(1).balance("BTC", "1").balance("BNB", bnb).pays_in_bnb();
        let buyer = Account::generated(2).balance("USDT", "1000000");
        let mut builder = builder.no_liquidity().account(account).account(buyer);
        builder = builder.price("BTCUSDT", "35000").price("BNBUSDT", "260");
        for kind in ["standard", "special", "tax"] {
            for (role, rate) in example[kind].as_object().unwrap() {
                let rate = format!("{kind}.{role}={}", rate.as_str().unwrap());
                builder = builder.commission_rate(commission_rate(&rate).unwrap());
            }
        }
        more(builder)
    })
    .await;
    let buyer = &bench.mock.accounts()[1];
    let query = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.6&price=35000";
    bench.signed_by(buyer, "POST", "/api/v3/order", query).await.ok();
    bench
}

/// Sells what the example sells.
async fn sold(bench: &Bench) -> Value {
    let order = &example()["order"];
    let text = |name: &str| order[name].as_str().unwrap().to_owned();
    let query = format!("symbol=BTCUSDT&side={}&type={}&quantity={}", text("side"), text("type"), text("quantity"));
    let told = bench.order(&query).await.ok();
    assert_eq!(told["cummulativeQuoteQty"], order["notional"]);
    told["fills"][0].clone()
}

async fn free(bench: &Bench, asset: &str) -> String {
    let account = bench.signed("GET", "/api/v3/account", "").await.ok();
    let row = account["balances"].as_array().unwrap().iter().find(|row| row["asset"] == asset).unwrap().clone();
    row["free"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_documented_example_costs_what_it_says() {
    let example = example();
    // 0.01049475 standard, 0.04022988 tax and 1049.475 special.
    let bench = seller("0.00000001", |builder| builder).await;
    let fill = sold(&bench).await;
    assert_eq!((&fill["commission"], &fill["commissionAsset"]), (&json!("1049.52572463"), &json!("USDT")));
    assert_eq!(free(&bench, "USDT").await, "16441.72427537");
    for (only, expected) in [("standard", "standard_usdt"), ("tax", "tax_usdt"), ("special", "special_usdt")] {
        let others = ["standard", "tax", "special"].into_iter().filter(|kind| *kind != only);
        let none: Vec<_> = others
            .flat_map(|kind| ["maker", "taker", "buyer", "seller"].map(|role| format!("{kind}.{role}=0")))
            .collect();
        let bench = seller("0.00000001", |builder| {
            none.iter().fold(builder, |builder, rate| builder.commission_rate(commission_rate(rate).unwrap()))
        })
        .await;
        assert_eq!(sold(&bench).await["commission"], example[expected], "{only}");
    }
}

#[tokio::test]
async fn who_pays_in_bnb_pays_less_while_there_is_enough() {
    let discounted = |text: &'static str| {
        move |builder: Builder| {
            let (rate, reading) = bnb_discount(text).unwrap();
            builder.bnb_discount(rate, reading)
        }
    };
    // 0.00004036 x 0.25 + 0.00015473 + 4.03644231; three quarters of the first when the rate is what is taken off.
    for (text, expected) in [("0.25", "4.03660713"), ("0.25:off", "4.03662731")] {
        let bench = seller("5", discounted(text)).await;
        let mut stream = bench.connect(&format!("/ws/{}", bench.listen_key().await)).await;
        let fill = sold(&bench).await;
        assert_eq!((&fill["commission"], &fill["commissionAsset"]), (&json!(expected), &json!("BNB")), "{text}");
        assert_eq!(free(&bench, "USDT").await, "17491.25000000");
        let trade = loop {
            let event = stream.next().await;
            if event["x"] == "TRADE" {
                break event;
            }
        };
        assert_eq!((&trade["n"], &trade["N"]), (&json!(expected), &json!("BNB")));
        let position = stream.next().await;
        let bnb = position["B"].as_array().unwrap().iter().find(|row| row["a"] == "BNB").expect("BNB is told");
        assert_eq!(bnb["f"].as_str(), Some(free(&bench, "BNB").await.as_str()));
        let mine = bench.signed("GET", "/api/v3/myTrades", "symbol=BTCUSDT").await.ok();
        assert_eq!((&mine[0]["commission"], &mine[0]["commissionAsset"]), (&json!(expected), &json!("BNB")));
    }
    // One unit too little: the full commission is taken from the proceeds.
    for (bnb, asset) in [("4.03660713", "BNB"), ("4.03660712", "USDT")] {
        let bench = seller(bnb, discounted("0.25")).await;
        assert_eq!(sold(&bench).await["commissionAsset"], asset);
    }
}

#[tokio::test]
async fn rates_and_discount_are_told_as_documented() {
    let (rate, reading) = bnb_discount("0.25").unwrap();
    let none = "ETHUSDT:special.taker=0";
    let bench =
        seller("5", |builder| builder.bnb_discount(rate, reading).commission_rate(commission_rate(none).unwrap()))
            .await;
    let told = bench.signed("GET", "/api/v3/account/commission", "symbol=BTCUSDT").await.ok();
    let example = example();
    for kind in ["standard", "special", "tax"] {
        assert_eq!(told[format!("{kind}Commission")], example[kind]);
    }
    let discount = json!({
        "enabledForAccount": true, "enabledForSymbol": true, "discountAsset": "BNB", "discount": "0.25000000"
    });
    assert_eq!(told["discount"], discount);
    let other = bench.signed("GET", "/api/v3/account/commission", "symbol=ETHUSDT").await.ok();
    assert_eq!(other["specialCommission"]["taker"], "0.00000000");
    // Those of the side are in those of an order.
    for (side, maker, taker) in [("SELL", "0.00000228", "0.00000230"), ("BUY", "0.00000230", "0.00000232")] {
        let query = format!(
            "symbol=BTCUSDT&side={side}&type=LIMIT&timeInForce=GTC&quantity=1&price=35000&computeCommissionRates=true"
        );
        let of_order = bench.signed("POST", "/api/v3/order/test", &query).await.ok();
        assert_eq!(of_order["taxCommissionForOrder"], json!({"maker": maker, "taker": taker}), "{side}");
        assert_eq!(of_order["discount"], discount);
    }
    let account = bench.signed("GET", "/api/v3/account", "").await.ok();
    assert_eq!(account["commissionRates"], example["standard"]);
}

#[tokio::test]
async fn what_cannot_be_charged_is_told_at_the_start() {
    let start = |rate: &str| {
        let rate = commission_rate(rate).unwrap();
        async { Builder::default().commission_rate(rate).start().await.map(drop).unwrap_err().to_string() }
    };
    assert!(start("NOPE:tax.buyer=0").await.starts_with("there is no symbol `NOPE` to give a commission to"));
    assert!(start("tax.buyer=-0.1").await.contains("below 0"));
    assert!(start("special.buyer=1").await.contains("more than 1"));
    let (rate, reading) = bnb_discount("1.5").unwrap();
    let error = Builder::default().bnb_discount(rate, reading).start().await.map(drop).unwrap_err();
    assert!(error.to_string().contains("a rate from 0 to 1"), "{error}");
    for text in ["tax=1", "tax.buyer", "vat.buyer=0", "tax.all=0", "tax.buyer=x", ":tax.buyer=0"] {
        assert!(commission_rate(text).is_err(), "{text}");
    }
}

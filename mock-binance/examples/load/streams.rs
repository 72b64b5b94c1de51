//! Many subscribers of one symbol: each must be told of every trade and every change of the book.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use mock_binance::ManualClock;
use mock_binance::engine::{Command, MarketSize, NewOrder, OrderKind, Quantity, Side};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::Message;

use crate::Size;
use crate::numbers::grouped;
use crate::rest::{START_MS, account, builder, runtime, start};
use crate::row::Row;

/// Orders between two updates of the book.
const ORDERS_A_ROUND: u64 = 10;
const TENTH: Duration = Duration::from_millis(100);
/// Nobody waits longer for one round.
const PATIENCE: Duration = Duration::from_mins(1);

/// What one subscriber was told.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Told {
    updates: u64,
    trades: u64,
    /// Ids that do not follow the one before.
    gaps: u64,
    last_update: Option<u64>,
    last_trade: Option<u64>,
}

impl Told {
    /// Takes one event in; whether it was an update of the book.
    fn hear(&mut self, event: &Value) -> Result<bool, Box<dyn Error + Send + Sync>> {
        let id = |name: &str| event[name].as_u64().ok_or_else(|| format!("no `{name}` in {event}"));
        let follows = |last: Option<u64>, next: u64| last.is_none_or(|last| last + 1 == next);
        match event["e"].as_str() {
            Some("depthUpdate") => {
                self.gaps += u64::from(!follows(self.last_update, id("U")?));
                self.last_update = Some(id("u")?);
                self.updates += 1;
                Ok(true)
            }
            Some("trade") => {
                self.gaps += u64::from(!follows(self.last_trade, id("t")?));
                self.last_trade = Some(id("t")?);
                self.trades += 1;
                Ok(false)
            }
            _ => Err(format!("neither a trade nor a change of the book: {event}").into()),
        }
    }
}

/// Listens until so many updates have come, and tells the others of each.
async fn listen(url: String, rounds: u64, heard: Arc<Semaphore>) -> Result<Told, Box<dyn Error + Send + Sync>> {
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await?;
    // The connection counts as a round, so that nothing is told before everybody listens.
    heard.add_permits(1);
    let mut told = Told::default();
    while told.updates < rounds {
        match socket.next().await.ok_or("the connection ended")?? {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text)?;
                if told.hear(message.get("data").unwrap_or(&message))? {
                    heard.add_permits(1);
                }
            }
            Message::Ping(_) | Message::Pong(_) => {}
            other => return Err(format!("neither text nor ping: {other:?}").into()),
        }
    }
    Ok(told)
}

pub fn measure(size: Size) -> Result<Vec<Row>, Box<dyn Error>> {
    let subscribers = size.of(1_000);
    let rounds = size.of(200);
    let clock = ManualClock::new(START_MS);
    let mock = start(builder(&clock))?;
    let id = mock.account_id(account().api_key()).ok_or("the account is missing")?;
    let symbol = mock.with_exchange(|exchange| exchange.spec().symbol_id("BTCUSDT")).ok_or("no BTCUSDT")?;
    let url = format!("{}/stream?streams=btcusdt@trade/btcusdt@depth@100ms", mock.ws_url());

    let heard = Arc::new(Semaphore::new(0));
    let everybody = u32::try_from(subscribers)?;
    let start = Instant::now();
    let told = runtime()?.block_on(async {
        let tasks: Vec<_> =
            (0..subscribers).map(|_| tokio::spawn(listen(url.clone(), rounds, heard.clone()))).collect();
        for round in 0..=rounds {
            let all = tokio::time::timeout(PATIENCE, heard.acquire_many(everybody)).await;
            // Somebody who was told nothing, or whose connection ended, is counted below.
            let Ok(Ok(all)) = all else { break };
            all.forget();
            if round == rounds {
                break;
            }
            for order in 0..ORDERS_A_ROUND {
                let side = if order.is_multiple_of(2) { Side::Buy } else { Side::Sell };
                let size = MarketSize::Base(Quantity::from_units(100_000));
                let order = Command::Place(NewOrder::new(symbol, side, OrderKind::Market { size }));
                mock.apply(id, &order).reply?;
            }
            mock.advance(TENTH);
        }
        let mut told = Vec::new();
        for task in tasks {
            told.push(match tokio::time::timeout(Duration::from_millis(1), task).await {
                Ok(Ok(Ok(told))) => Some(told),
                Ok(Ok(Err(error))) => {
                    eprintln!("load: a subscriber: {error}");
                    None
                }
                Ok(Err(_)) | Err(_) => None,
            });
        }
        Ok::<_, Box<dyn Error>>(told)
    })?;
    let millis = u64::try_from(start.elapsed().as_millis())?.max(1);

    let (trades, last_update) = mock.with_exchange(|exchange| {
        let last = exchange.depth(symbol, 1).map(|depth| depth.last_update_id);
        (exchange.trade_count(symbol), last)
    });
    let is_complete = |told: &Told| {
        told.gaps == 0 && told.updates == rounds && told.trades == trades && told.last_update == last_update
    };
    let complete = told.iter().flatten().filter(|told| is_complete(told)).count() as u64;
    let events: u64 = told.iter().flatten().map(|told| told.updates + told.trades).sum();
    Ok(vec![Row::new(
        format!("subscribers of trades and depth who were told of each of {} events", grouped(trades + rounds)),
        format!(
            "{} of {}; {} events a second",
            grouped(complete),
            grouped(subscribers),
            grouped(events * 1_000 / millis)
        ),
        format!("all {}", grouped(subscribers)),
        complete == subscribers && trades > 0,
    )])
}

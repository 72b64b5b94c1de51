//! A signed order over REST, beside a constant answer of the same size from a bare wiremock server. Both servers run
//! on a thread of their own, and the client asks them in turn. All of it shares one core: a server that happens to have
//! the client's core is woken in a fraction of the time that the other one takes, whichever it is.

use std::error::Error;
use std::time::Instant;

use hmac::{Hmac, KeyInit as _, Mac as _};
use mock_binance::engine::{LimitsSpec, WindowLimit};
use mock_binance::{Account, Builder, ManualClock, MockBinance};
#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use sha2::Sha256;
use tokio::runtime::{Builder as RuntimeBuilder, Runtime};
use tokio::sync::oneshot;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::Size;
use crate::numbers::{grouped, hundredths};
use crate::row::Row;

pub const START_MS: u64 = 1_767_571_200_000;

pub fn runtime() -> std::io::Result<Runtime> {
    RuntimeBuilder::new_current_thread().enable_all().build()
}

/// An account that no run exhausts.
pub fn account() -> Account {
    Account::generated(1).balance("USDT", "1000000000").balance("BTC", "10000")
}

/// A mock whose clock stands and whose limits nobody meets.
pub fn builder(clock: &ManualClock) -> Builder {
    let orders = |window_secs| WindowLimit { window_secs, limit: u32::MAX };
    let mut limits = LimitsSpec { orders: vec![orders(10), orders(86_400)], ..LimitsSpec::default() };
    limits.request_weight.limit = u32::MAX;
    limits.raw_requests.limit = u32::MAX;
    MockBinance::builder().clock(clock.clone()).limits(limits).account(account()).price("BTCUSDT", "60000.00")
}

/// Starts a mock on a thread of its own, as a bare wiremock server has one. It serves until the mock is dropped.
pub fn start(builder: Builder) -> Result<MockBinance, Box<dyn Error>> {
    let (told, started) = oneshot::channel();
    std::thread::spawn(move || {
        let served = runtime().map(|runtime| {
            runtime.block_on(async {
                let _ = told.send(builder.start().await);
                std::future::pending::<()>().await;
            });
        });
        if let Err(error) = served {
            eprintln!("load: no runtime for the mock: {error}");
        }
    });
    Ok(started.blocking_recv()??)
}

fn signed_order(turn: u64) -> Result<String, Box<dyn Error>> {
    let side = if turn.is_multiple_of(2) { "BUY" } else { "SELL" };
    let query = format!("symbol=BTCUSDT&side={side}&type=MARKET&quantity=0.001&recvWindow=5000&timestamp={START_MS}");
    let mut mac = Hmac::<Sha256>::new_from_slice(account().secret().as_bytes())?;
    mac.update(query.as_bytes());
    Ok(format!("{query}&signature={}", hex::encode(mac.finalize().into_bytes())))
}

/// Sends an order and returns the answer and the nanoseconds that it took, signing included.
async fn post(client: &reqwest::Client, url: &str, turn: u64) -> Result<(String, u64), Box<dyn Error>> {
    let start = Instant::now();
    let answer = client
        .post(url)
        .header("X-MBX-APIKEY", account().api_key())
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(signed_order(turn)?)
        .send()
        .await?;
    let status = answer.status();
    let text = answer.text().await?;
    let nanos = u64::try_from(start.elapsed().as_nanos())?;
    if status.is_success() && text.contains("FILLED") {
        Ok((text, nanos))
    } else {
        Err(format!("an order was answered with {status}: {text}").into())
    }
}

fn median(mut nanos: Vec<u64>) -> u64 {
    nanos.sort_unstable();
    nanos.get(nanos.len() / 2).copied().unwrap_or_default().max(1)
}

/// Keeps this thread, and those that it starts, on one of its cores, and tells on which they were.
#[cfg(target_os = "linux")]
fn on_one_core() -> std::io::Result<CpuSet> {
    let all = sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    if let Some(core) = (0..CpuSet::MAX_CPU).find(|core| all.is_set(*core)) {
        one.set(core);
    }
    sched_setaffinity(None, &one)?;
    Ok(all)
}

pub fn measure(size: Size) -> Result<Vec<Row>, Box<dyn Error>> {
    #[cfg(target_os = "linux")]
    let cores = on_one_core()?;
    let measured = side_by_side(size);
    #[cfg(target_os = "linux")]
    sched_setaffinity(None, &cores)?;
    measured
}

fn side_by_side(size: Size) -> Result<Vec<Row>, Box<dyn Error>> {
    let clock = ManualClock::new(START_MS);
    let mock = start(builder(&clock))?;
    let url = format!("{}/api/v3/order", mock.rest_url());
    let pairs = size.of(10_000);
    let (constant, order) = runtime()?.block_on(async {
        let client = reqwest::Client::new();
        let (text, _) = post(&client, &url, 0).await?;
        let server = MockServer::builder().disable_request_recording().start().await;
        let answer = ResponseTemplate::new(200).set_body_raw(text, "application/json");
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let bare = format!("{}/api/v3/order", server.uri());
        let (mut constant, mut order) = (Vec::new(), Vec::new());
        for turn in 0..pairs + pairs / 10 {
            let (one, other) = (post(&client, &bare, turn).await?.1, post(&client, &url, turn).await?.1);
            // The first ones warm up.
            if turn >= pairs / 10 {
                constant.push(one);
                order.push(other);
            }
        }
        Ok::<_, Box<dyn Error>>((median(constant), median(order)))
    })?;
    let ratio = order * 100 / constant;
    // In CI others use the machine, and a thread that has to wait for a core is no cost of the mock.
    let most = if size.small { 250 } else { 150 };
    Ok(vec![Row::new(
        format!("signed order over REST / constant answer of a bare wiremock server, medians of {}", grouped(pairs)),
        format!("{} / {} us, {} times", order / 1_000, constant / 1_000, hundredths(ratio)),
        format!("at most {} times", hundredths(most)),
        ratio <= most,
    )])
}

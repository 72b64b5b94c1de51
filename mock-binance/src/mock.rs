//! A running mock, and what a test can do with it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use exchange_engine::{AccountId, Command, Exchange, Outcome, Price};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer};

use crate::account::Account;
use crate::builder::{Builder, StartError};
use crate::clock::{Clock, Deadlines};
use crate::rest::Face;
use crate::state::Hub;
use crate::transcript::RequestRecord;
use crate::ws;
use crate::ws::streams::StreamStats;

/// A Binance spot exchange of one's own, on two local ports.
///
/// Dropping it stops both faces; [`MockBinance::shutdown`] also waits until the WebSocket face has said goodbye.
pub struct MockBinance {
    hub: Arc<Hub>,
    accounts: Vec<Account>,
    server: MockServer,
    ws_address: SocketAddr,
    stop: watch::Sender<bool>,
    ws_task: JoinHandle<()>,
}

/// The lowest priority that wiremock knows: any other mock comes first.
const LOWEST_PRIORITY: u8 = u8::MAX;

impl MockBinance {
    /// Describes a mock; see [`Builder`].
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) async fn start(
        hub: Hub,
        accounts: Vec<Account>,
        rest: TcpListener,
        ws: TcpListener,
    ) -> Result<Self, StartError> {
        let hub = Arc::new(hub);
        let (stop, stopped) = watch::channel(false);
        let listening = ws.local_addr().and_then(|address| {
            let listener = tokio::net::TcpListener::from_std(ws)?;
            Ok((address, listener))
        });
        let (ws_address, listener) =
            listening.map_err(|source| StartError::Bind { address: SocketAddr::from(([127, 0, 0, 1], 0)), source })?;
        let ws_task = tokio::spawn(ws::server::serve(listener, hub.clone(), stopped.clone()));
        match hub.clock() {
            Clock::System => drop(tokio::spawn(meet_deadlines(hub.clone(), stopped))),
            Clock::Manual(clock) => {
                let watcher: Arc<dyn Deadlines> = hub.clone();
                clock.watch(Arc::downgrade(&watcher));
            }
        }
        // wiremock's own recording would keep every request with its signature; the face keeps its own transcript.
        let server = MockServer::builder().listener(rest).disable_request_recording().start().await;
        Mock::given(any())
            .respond_with(Face::new(hub.clone()))
            .with_priority(LOWEST_PRIORITY)
            .named("the exchange")
            .mount(&server)
            .await;
        Ok(Self { hub, accounts, server, ws_address, stop, ws_task })
    }

    /// Where the REST face listens, such as `http://127.0.0.1:40123`; endpoints start with `/api/v3`.
    pub fn rest_url(&self) -> String {
        self.server.uri()
    }

    /// Where the WebSocket face listens, such as `ws://127.0.0.1:40124`; append `/ws/<stream>` or
    /// `/stream?streams=<stream>`.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.ws_address)
    }

    /// The server that hosts the REST face: lay a [`Mock`] of any priority but 255 over an endpoint, and it answers in
    /// place of the exchange. What it answers does not appear in [`MockBinance::requests`].
    ///
    /// Mount such mocks with `mount`, and bound them with `up_to_n_times`. Neither `reset` the server, which would take
    /// the exchange off, too, nor use `mount_as_scoped`: the guard of wiremock 0.6.5 remembers its mock by place, and the
    /// exchange, which sorts behind all others, is what it finds there in the end.
    ///
    /// wiremock keeps a copy of each request that a mock has matched, about a kilobyte, for as long as the server lives.
    ///
    /// ```
    /// # use hmac::{Hmac, KeyInit, Mac};
    /// use mock_binance::{ManualClock, MockBinance};
    /// use wiremock::matchers::{method, path};
    /// use wiremock::{Mock, ResponseTemplate};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let exchange = MockBinance::builder().clock(ManualClock::new(1_700_000_000_000)).start().await?;
    /// // The next order meets a server that does not answer for itself; the one after it the exchange.
    /// Mock::given(method("POST"))
    ///     .and(path("/api/v3/order"))
    ///     .respond_with(ResponseTemplate::new(503))
    ///     .up_to_n_times(1)
    ///     .mount(exchange.server())
    ///     .await;
    ///
    /// let order = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.001&timestamp=1700000000000";
    /// let account = &exchange.accounts()[0];
    /// # let sign = |payload: &str| {
    /// #     let mut mac = Hmac::<sha2::Sha256>::new_from_slice(account.secret().as_bytes()).unwrap();
    /// #     mac.update(payload.as_bytes());
    /// #     hex::encode(mac.finalize().into_bytes())
    /// # };
    /// let url = format!("{}/api/v3/order?{order}&signature={}", exchange.rest_url(), sign(order));
    /// let send = || reqwest::Client::new().post(&url).header("X-MBX-APIKEY", account.api_key()).send();
    /// assert_eq!(send().await?.status(), 503);
    /// assert!(send().await?.text().await?.contains(r#""status":"FILLED""#));
    /// assert_eq!(exchange.requests().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn server(&self) -> &MockServer {
        &self.server
    }

    /// The clock that the mock reads.
    pub fn clock(&self) -> &Clock {
        self.hub.clock()
    }

    /// Moves a manual clock; a system clock cannot be moved and stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Clock::Manual(clock) = self.hub.clock() {
            clock.advance(by);
        }
    }

    /// The accounts with their credentials, in the order in which they were added.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// The engine's name for the account with this API key.
    pub fn account_id(&self, api_key: &str) -> Option<AccountId> {
        self.hub.lock().0.accounts.get(api_key).map(|account| account.id)
    }

    /// Looks at the exchange. Both faces wait meanwhile: be short, and do not call the mock from inside.
    pub fn with_exchange<R>(&self, look: impl FnOnce(&Exchange) -> R) -> R {
        look(&self.hub.lock().0.exchange)
    }

    /// Carries out a command for an account, past the REST face: no signature, no weight, no transcript. Streams hear
    /// of it as of any other.
    pub fn apply(&self, account: AccountId, command: &Command) -> Outcome {
        let (mut state, now) = self.hub.lock();
        let outcome = state.apply_and_show(now, account, command);
        drop(state);
        self.hub.deadline_moved.notify_one();
        outcome
    }

    /// The price round which a symbol's book was filled. Value an account with it when the market itself must not
    /// count.
    pub fn reference_price(&self, symbol: &str) -> Option<Price> {
        self.hub.lock().0.reference_prices.get(symbol).copied()
    }

    /// All reference prices by symbol.
    pub fn reference_prices(&self) -> BTreeMap<String, Price> {
        self.hub.lock().0.reference_prices.clone()
    }

    /// What the REST face was asked so far, in order.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.hub.lock().0.transcript.records().to_vec()
    }

    /// As [`requests`](Self::requests), and forgets them: a long run need not keep them all.
    pub fn take_requests(&self) -> Vec<RequestRecord> {
        self.hub.lock().0.transcript.take()
    }

    /// Counts of the WebSocket face.
    pub fn stream_stats(&self) -> StreamStats {
        self.hub.lock().0.streams.stats()
    }

    /// Stops both faces and waits until the WebSocket connections are closed.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        // A panic of the task has been shown by the runtime; there is nothing left to stop then.
        let _ = (&mut self.ws_task).await;
    }
}

impl Drop for MockBinance {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl fmt::Debug for MockBinance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockBinance")
            .field("rest", &self.rest_url())
            .field("ws", &self.ws_url())
            .finish_non_exhaustive()
    }
}

/// Runs what falls due by the system's clock.
async fn meet_deadlines(hub: Arc<Hub>, mut stop: watch::Receiver<bool>) {
    loop {
        let wait = hub.next_deadline_us().map(|due| Duration::from_micros(due.saturating_sub(hub.clock().now_us())));
        let due = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => hub.run_due(),
            () = hub.deadline_moved.notified() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_clock_meets_deadlines_without_being_asked() {
        let mock = MockBinance::builder().start().await.expect("a mock");
        let mut frames = {
            let (mut state, now) = mock.hub.lock();
            // Opened so long ago that it expires very soon.
            let long_ago = now.minus_millis(60 * 60 * 1000 - 20);
            let key = state.listen_keys.open(AccountId(1), long_ago);
            state.streams.connect(false, vec![key]).1
        };
        mock.hub.deadline_moved.notify_one();
        let frame = tokio::time::timeout(Duration::from_secs(20), frames.recv()).await.expect("before the guard");
        assert!(format!("{frame:?}").contains("listenKeyExpired"), "{frame:?}");
    }
}

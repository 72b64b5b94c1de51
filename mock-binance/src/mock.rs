//! A running mock, and what a test can do with it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use exchange_engine::{AccountId, Amount, Command, Exchange, Outcome, Price};
use tokio::sync::watch;
use wiremock::MockServer;

use crate::account::Account;
use crate::builder::{Builder, StartError};
use crate::clock::{Clock, Deadlines};
use crate::control;
use crate::faults::{Fault, FaultError, FaultStatus};
use crate::house::MoveError;
use crate::operator::{Balances, ControlError};
use crate::replay::ReplayStatus;
use crate::rest::host::{self, Host};
use crate::rest::{Face, Overlay};
use crate::snapshot::SnapshotInfo;
use crate::state::Hub;
use crate::transcript::RequestRecord;
use crate::ws::streams::StreamStats;

/// A Binance spot exchange of one's own, on a local port.
///
/// Dropping it stops the server; [`MockBinance::shutdown`] also waits until the WebSocket clients have been told goodbye.
pub struct MockBinance {
    hub: Arc<Hub>,
    accounts: Vec<Account>,
    overlay: Arc<Overlay>,
    address: SocketAddr,
    control: Option<SocketAddr>,
    stop: watch::Sender<bool>,
}

const GOODBYE: Duration = Duration::from_secs(2);

impl MockBinance {
    /// Describes a mock; see [`Builder`].
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn start(
        hub: Hub,
        accounts: Vec<Account>,
        listener: TcpListener,
        control: Option<TcpListener>,
    ) -> Result<Self, StartError> {
        let hub = Arc::new(hub);
        let (stop, stopped) = watch::channel(false);
        let (address, listener) = listening(listener)?;
        let control = match control.map(listening).transpose()? {
            Some((own, listener)) => {
                drop(tokio::spawn(control::serve(listener, own, hub.clone(), stopped.clone())));
                Some(own)
            }
            None => None,
        };
        let overlay = Arc::new(Overlay::default());
        let face = Face::new(hub.clone());
        let host = Host { face, overlay: overlay.clone(), hub: hub.clone(), stop: stopped.clone() };
        drop(tokio::spawn(host::serve(listener, host)));
        match hub.clock() {
            Clock::System => drop(tokio::spawn(meet_deadlines(hub.clone(), stopped))),
            Clock::Manual(clock) => {
                let watcher: Arc<dyn Deadlines> = hub.clone();
                clock.watch(Arc::downgrade(&watcher));
            }
        }
        Ok(Self { hub, accounts, overlay, address, control, stop })
    }

    /// Where it listens, such as `http://127.0.0.1:40123`; endpoints start with `/api/v3`.
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same address for WebSocket clients, such as `ws://127.0.0.1:40123`; append `/ws/<stream>` or
    /// `/stream?streams=<stream>`.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Where the control interface listens, such as `http://127.0.0.1:40124`, when [`Builder::control`] asked for it.
    pub fn control_url(&self) -> Option<String> {
        self.control.map(|address| format!("http://{address}"))
    }

    /// A wiremock server over the REST face: lay a [`wiremock::Mock`] of any priority but 255 over an endpoint, and it
    /// answers in place of the exchange. What it answers does not appear in [`MockBinance::requests`].
    ///
    /// It starts with the first call; from then on every request takes the way through it, which costs one more hop on
    /// loopback, and wiremock keeps a copy of each request, about a kilobyte, for as long as the mock lives. Mount mocks
    /// with `mount`, and bound them with `up_to_n_times`. Neither `reset` the server nor use `mount_as_scoped`: the
    /// exchange is itself a mock there, the one behind all others, and would be taken off.
    ///
    /// ```
    /// # use hmac::{Hmac, KeyInit, Mac};
    /// use mock_binance::{ManualClock, MockBinance};
    /// use wiremock::matchers::{method, path};
    /// use wiremock::{Mock, ResponseTemplate};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let exchange = MockBinance::builder().clock(ManualClock::new(1_700_000_000_000)).start().await?;
    /// // The next order meets a server that is down; the one after it the exchange.
    /// Mock::given(method("POST"))
    ///     .and(path("/api/v3/order"))
    ///     .respond_with(ResponseTemplate::new(503))
    ///     .up_to_n_times(1)
    ///     .mount(exchange.server().await)
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
    pub async fn server(&self) -> &MockServer {
        self.overlay.server().await
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

    /// Moves a symbol's market to a price, taken down to its tick: the house trades there and lays out its orders
    /// round it. Clients' orders on the way trade at their own prices; stop orders that are reached are placed, and
    /// what these trade comes after. A process of [`Builder::market`] goes on from its own price at its next step.
    pub fn move_market(&self, symbol: &str, price: Price) -> Result<(), MoveError> {
        self.hub.move_market(symbol, price)
    }

    /// How far the recorded markets of [`Builder::replay`] have come.
    pub fn replays(&self) -> Vec<ReplayStatus> {
        self.hub.replays()
    }

    /// The price round which a symbol's book was filled at the start. Value an account with it when the market itself must not
    /// count.
    pub fn reference_price(&self, symbol: &str) -> Option<Price> {
        self.hub.lock().0.reference_prices.get(symbol).copied()
    }

    /// All reference prices by symbol.
    pub fn reference_prices(&self) -> BTreeMap<String, Price> {
        self.hub.lock().0.reference_prices.clone()
    }

    /// What the REST face was asked so far, in order: the latest ones, as many as
    /// [`Builder::keep_requests`] says. [`RequestRecord::seq`] counts all.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.hub.lock().0.transcript.records()
    }

    /// The requests after so many first ones: whoever looks again and again need not copy what was seen.
    pub fn requests_since(&self, count: usize) -> Vec<RequestRecord> {
        self.hub.lock().0.transcript.since(count)
    }

    /// As [`requests`](Self::requests), and forgets them: a long run need not keep them all.
    pub fn take_requests(&self) -> Vec<RequestRecord> {
        self.hub.lock().0.transcript.take()
    }

    /// Lets a fault happen from now on, in place of one of the same name.
    pub fn add_fault(&self, fault: Fault) -> Result<(), FaultError> {
        self.hub.add_fault(fault)
    }

    /// Ends a fault; whether there was one of this name.
    pub fn remove_fault(&self, name: &str) -> bool {
        self.hub.remove_fault(name)
    }

    /// All faults by name, with how often each was met.
    pub fn faults(&self) -> Vec<FaultStatus> {
        self.hub.lock().0.streams.faults.list()
    }

    /// Sets a manual clock forward to a moment, in milliseconds since the epoch; everything that falls due on the way
    /// happens, as with [`advance`](Self::advance). Gives the time now.
    pub fn set_clock(&self, now_ms: u64) -> Result<u64, ControlError> {
        self.hub.set_clock(now_ms)
    }

    /// What every account has, by label.
    pub fn balances(&self) -> Vec<Balances> {
        self.hub.balances()
    }

    /// Brings an account's free balance of an asset to this amount, by a deposit or a withdrawal that stands in the
    /// journal and is told as `balanceUpdate`. What open orders hold stays.
    pub fn set_balance(&self, label: &str, asset: &str, free: Amount) -> Result<Balances, ControlError> {
        self.hub.set_balance(label, asset, free)
    }

    /// Keeps everything as it stands under a name, in place of what stood there: exchange and journal, the house and
    /// moving markets, request weights, bans, listen keys, faults with what they have met, the transcript, and the
    /// time of a manual clock. Sockets are not kept. Each snapshot is a whole copy, and there can be 32.
    pub fn take_snapshot(&self, name: &str) -> Result<SnapshotInfo, ControlError> {
        self.hub.take_snapshot(name)
    }

    /// Makes everything as it was when the snapshot was taken. A manual clock goes back to its time, for everybody who
    /// shares it. WebSocket connections end, and answers that a fault holds back are given at once.
    ///
    /// ```
    /// # use mock_binance::{ManualClock, MockBinance};
    /// # use std::time::Duration;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let clock = ManualClock::new(1_700_000_000_000);
    /// let mock = MockBinance::builder().clock(&clock).start().await?;
    /// mock.take_snapshot("rich")?;
    /// mock.set_balance("test-account", "USDT", "0".parse()?)?;
    /// clock.advance(Duration::from_secs(60));
    /// mock.restore_snapshot("rich")?;
    /// assert_eq!(mock.balances()[0].assets["USDT"].free, "10000.00000000");
    /// assert_eq!(clock.now_ms(), 1_700_000_000_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore_snapshot(&self, name: &str) -> Result<SnapshotInfo, ControlError> {
        self.hub.restore_snapshot(name)
    }

    /// The snapshots, by name.
    pub fn snapshots(&self) -> Vec<SnapshotInfo> {
        self.hub.snapshots()
    }

    /// Forgets a snapshot.
    pub fn delete_snapshot(&self, name: &str) -> Result<(), ControlError> {
        self.hub.delete_snapshot(name)
    }

    /// Makes everything as it was at the start, as by a snapshot taken then. Named snapshots stay.
    pub fn reset(&self) {
        self.hub.reset();
    }

    /// Counts of the WebSocket face.
    pub fn stream_stats(&self) -> StreamStats {
        self.hub.lock().0.streams.stats()
    }

    /// Stops the server and waits until the WebSocket connections are closed, two seconds at most: a client that does
    /// not read cannot be told goodbye.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        // Whatever is still served holds a receiver.
        let _ = tokio::time::timeout(GOODBYE, self.stop.closed()).await;
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

fn listening(listener: TcpListener) -> Result<(SocketAddr, tokio::net::TcpListener), StartError> {
    let address = listener.local_addr();
    let named = address.as_ref().map_or(SocketAddr::from(([127, 0, 0, 1], 0)), |address| *address);
    address
        .and_then(|address| Ok((address, tokio::net::TcpListener::from_std(listener)?)))
        .map_err(|source| StartError::Bind { address: named, source })
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
            state.streams.connect(false, crate::api::render::TimeUnit::Milliseconds, vec![key]).1
        };
        mock.hub.deadline_moved.notify_one();
        let frame = tokio::time::timeout(Duration::from_secs(20), frames.recv()).await.expect("before the guard");
        assert!(format!("{frame:?}").contains("listenKeyExpired"), "{frame:?}");
    }
}

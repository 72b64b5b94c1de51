//! Putting a mock together.

mod error;
mod recorded;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use exchange_engine::process::{Process, Walk};
use exchange_engine::{
    Commissions, Discount, DiscountReading, Exchange, Journal, LimitsSpec, ParseDecimalError, Price, Ratio,
};
use secrecy::ExposeSecret;

use crate::account::{Account, Accounts, Credential, KnownAccount, UnknownKey};
use crate::api::sign::Verifier;
use crate::bans::Bans;
use crate::clock::Clock;
use crate::commission::CommissionRate;
use crate::house::{House, Liquidity};
use crate::listen_keys::ListenKeys;
use crate::market::Markets;
use crate::mock::MockBinance;
use crate::replay::{Recording, ReplayProgress};
use crate::state::{Hub, Parts, State};
use crate::symbols::{Symbols, SymbolsError};
use crate::ws::lifetimes::CONNECTIONS_MAX;

pub use error::StartError;

/// Collects what a mock shall be; [`Builder::start`] starts it.
///
/// Everything has a default: the system's clock, four symbols with prices and filled books, one account with
/// generated credentials, a port chosen by the system on 127.0.0.1.
#[derive(Debug)]
pub struct Builder {
    clock: Clock,
    connection_rules: bool,
    connections_max: u32,
    symbols: Option<Result<Symbols, SymbolsError>>,
    accounts: Vec<Account>,
    prices: BTreeMap<String, String>,
    liquidity: Option<Liquidity>,
    markets: BTreeMap<String, Process>,
    recordings: Vec<(String, Recording)>,
    replay_progress: Option<fn(&ReplayProgress<'_>)>,
    commission: (String, String),
    rates: Vec<CommissionRate>,
    discount: Option<(Ratio, DiscountReading)>,
    listen_keys: ListenKeys,
    unknown_key: UnknownKey,
    limits: LimitsSpec,
    ban_after: u32,
    seed: u64,
    keep_requests: usize,
    journal_cap: Option<usize>,
    address: SocketAddr,
    control: Option<SocketAddr>,
}

/// Prices of the default symbols.
const PRICES: [(&str, &str); 4] =
    [("BTCUSDT", "60000.00"), ("ETHUSDT", "3000.00"), ("BNBUSDT", "600.00"), ("ETHBTC", "0.05000")];
/// What an account has when nothing else is said.
const BALANCES: [(&str, &str); 4] = [("USDT", "10000"), ("BTC", "1"), ("ETH", "10"), ("BNB", "10")];
const BAN_AFTER: u32 = 10;
/// Records of some hundred bytes each; a long run must not fill the memory with them.
const KEEP_REQUESTS: usize = 100_000;
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl Default for Builder {
    fn default() -> Self {
        Self {
            clock: Clock::System,
            connection_rules: false,
            connections_max: CONNECTIONS_MAX,
            symbols: None,
            accounts: Vec::new(),
            prices: BTreeMap::new(),
            liquidity: Some(Liquidity::default()),
            markets: BTreeMap::new(),
            recordings: Vec::new(),
            replay_progress: None,
            commission: ("0.001".to_owned(), "0.001".to_owned()),
            rates: Vec::new(),
            discount: None,
            listen_keys: ListenKeys::default(),
            unknown_key: UnknownKey::default(),
            limits: LimitsSpec::default(),
            ban_after: BAN_AFTER,
            seed: 1,
            keep_requests: KEEP_REQUESTS,
            journal_cap: None,
            address: ANY_PORT,
            control: None,
        }
    }
}

impl Builder {
    /// Where the mock reads the time: [`Clock::system`] or a [`ManualClock`](crate::ManualClock).
    #[must_use]
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// These symbols in place of the default ones.
    #[must_use]
    pub fn symbols(mut self, symbols: Symbols) -> Self {
        self.symbols = Some(Ok(symbols));
        self
    }

    /// The symbols of a file (a saved answer of `GET /api/v3/exchangeInfo`) in place of the default ones.
    #[must_use]
    pub fn symbols_file(mut self, path: impl AsRef<Path>) -> Self {
        self.symbols = Some(Symbols::from_file(path));
        self
    }

    /// Adds an account. Without any, the mock has one: [`Account::generated`] from the seed, with 10 000 USDT, 1 BTC,
    /// 10 ETH and 10 BNB.
    #[must_use]
    pub fn account(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }

    /// The price round which a symbol's book is filled, and which stands for its last price until the first trade.
    #[must_use]
    pub fn price(mut self, symbol: impl Into<String>, price: impl Into<String>) -> Self {
        self.prices.insert(symbol.into(), price.into());
        self
    }

    /// How the books of symbols with a price are filled: a seed, or a whole [`Liquidity`].
    #[must_use]
    pub fn liquidity(mut self, liquidity: impl Into<Liquidity>) -> Self {
        self.liquidity = Some(liquidity.into());
        self
    }

    /// Leaves all books empty.
    #[must_use]
    pub fn no_liquidity(mut self) -> Self {
        self.liquidity = None;
        self
    }

    /// Lets a symbol's market move from its price by a process, which begins when the mock starts and steps on its
    /// clock. Everything goes through the engine as orders of the house, so that book, trades, candles, tickers and
    /// stop orders agree. The walk follows from [`Builder::seed`] and the symbol.
    ///
    /// ```
    /// # use mock_binance::{MockBinance, ManualClock, Process, Shape};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// // Falls by a third within a minute, from the tenth second on.
    /// let shape = Shape::Crash { change_ppm: -333_333, after: 9, over: 60 };
    /// let crash = Process { shape, noise_ppm: 200, step_millis: 1_000 };
    /// let clock = ManualClock::new(1_700_000_000_000);
    /// let mock = MockBinance::builder().clock(&clock).market("BTCUSDT", crash).start().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn market(mut self, symbol: impl Into<String>, process: Process) -> Self {
        self.markets.insert(symbol.into(), process);
        self
    }

    /// Standard commission rates of every symbol by role, as fractions; `0.001` each when not given.
    #[must_use]
    pub fn commission(mut self, maker: impl Into<String>, taker: impl Into<String>) -> Self {
        self.commission = (maker.into(), taker.into());
        self
    }

    /// One commission rate more, see [`commission_rate`](crate::commission_rate): standard, special or tax, of makers,
    /// takers, buyers or sellers, for one symbol or all. Later ones win.
    #[must_use]
    pub fn commission_rate(mut self, rate: CommissionRate) -> Self {
        self.rates.push(rate);
        self
    }

    /// The discount on standard commissions for accounts that [pay in BNB](Account::pays_in_bnb). The exchange's FAQ
    /// multiplies by the rate that `account/commission` tells ([`DiscountReading::Paid`]). Commissions are
    /// converted by last prices, directly or through an asset in which both are traded.
    ///
    /// ```
    /// # use mock_binance::{Account, MockBinance, bnb_discount};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let (rate, reading) = bnb_discount("0.75")?;
    /// let account = Account::generated(1).balance("USDT", "1000").balance("BNB", "1").pays_in_bnb();
    /// let mock = MockBinance::builder().account(account).bnb_discount(rate, reading).start().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn bnb_discount(mut self, rate: Ratio, reading: DiscountReading) -> Self {
        self.discount = Some((rate, reading));
        self
    }

    /// Whether connections of streams and of the WebSocket API are pinged every 20 s, and end without a pong within 60 s
    /// and after a day; whether those of streams end with more than 5 frames in a second; and whether an address may
    /// open no more than 300 in five minutes, or [so many](Self::connections_max). Not when not asked for: a manual clock stands still while a client writes,
    /// and jumps faster than it can answer.
    #[must_use]
    pub fn connection_rules(mut self, hold: bool) -> Self {
        self.connection_rules = hold;
        self
    }

    /// How many connections of streams and of the WebSocket API an address may open in five minutes, where the
    /// [connection rules](Self::connection_rules) hold; 300 when not given, as live.
    #[must_use]
    pub fn connections_max(mut self, in_five_minutes: u32) -> Self {
        self.connections_max = in_five_minutes;
        self
    }

    /// Whether listen keys are still issued.
    #[must_use]
    pub fn listen_keys(mut self, listen_keys: ListenKeys) -> Self {
        self.listen_keys = listen_keys;
        self
    }

    /// What a key that nobody has is told: -2015 when not given.
    #[must_use]
    pub fn unknown_key(mut self, answer: UnknownKey) -> Self {
        self.unknown_key = answer;
        self
    }

    /// Request weights and order counts; those of the live exchange when not given.
    #[must_use]
    pub fn limits(mut self, limits: LimitsSpec) -> Self {
        self.limits = limits;
        self
    }

    /// How many answers of status 429 within a minute are given before the address is banned (418). The exchange does
    /// not document its number; 10 when not given.
    #[must_use]
    pub fn ban_after(mut self, refusals: u32) -> Self {
        self.ban_after = refusals;
        self
    }

    /// From which generated credentials and listen keys follow.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many of the latest requests [`MockBinance::requests`] tells; 100 000 when not given.
    #[must_use]
    pub fn keep_requests(mut self, latest: usize) -> Self {
        self.keep_requests = latest;
        self
    }

    /// How many bytes of the exchange's journal are kept at most: the oldest entries are dropped, some 64 KiB at a time.
    /// Everything when not given, which is about 20 bytes an order. A journal that was cut does not replay. What it does
    /// not tell of any more, clients cannot ask for some time later: closed orders, trades, lists; candles and statistics
    /// of the last day are kept. So memory is bounded.
    #[must_use]
    pub fn journal_cap(mut self, bytes: usize) -> Self {
        self.journal_cap = Some(bytes);
        self
    }

    /// Where the mock listens, for REST and WebSocket alike. Port 0, the default, lets the system choose.
    #[must_use]
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Serves the control interface on an address of its own: JSON over HTTP that moves the clock, sets balances and
    /// prices, adds faults, reads journal and requests, takes and restores snapshots; `GET /` lists it all. It asks
    /// for no credentials, so the address must be loopback; requests of web pages are refused. Off when not given.
    #[must_use]
    pub fn control(mut self, address: SocketAddr) -> Self {
        self.control = Some(address);
        self
    }

    /// What the account has that a mock without accounts is given: asset and amount.
    pub fn default_balances() -> Vec<(String, String)> {
        BALANCES.map(|(asset, amount)| (asset.to_owned(), amount.to_owned())).to_vec()
    }

    /// Starts the mock on the current tokio runtime.
    #[expect(clippy::unused_async, reason = "it needs the runtime that awaits it")]
    pub async fn start(self) -> Result<MockBinance, StartError> {
        let listener = bind(self.address)?;
        let control = match self.control {
            Some(address) if !address.ip().is_loopback() => return Err(StartError::ControlNotLoopback { address }),
            address => address.map(bind).transpose()?,
        };
        let (hub, accounts) = self.build()?;
        MockBinance::start(hub, accounts, listener, control)
    }

    fn build(mut self) -> Result<(Hub, Vec<Account>), StartError> {
        let symbols = match self.symbols.take() {
            Some(symbols) => symbols?,
            None => Symbols::default_set()?,
        };
        let now = self.clock.now();
        let mut prices = prices(&self.prices, &symbols)?;
        let recorded = self.recorded(&symbols, &mut prices)?;
        let mut commissions = Commissions::by_role(
            decimal::<Ratio>("the maker commission", &self.commission.0)?,
            decimal::<Ratio>("the taker commission", &self.commission.1)?,
        );
        for rate in self.rates.iter().filter(|rate| rate.symbol.is_none()) {
            rate.set(&mut commissions);
        }
        let mut spec = symbols.spec(commissions, &prices);
        for rate in &self.rates {
            let Some(name) = &rate.symbol else { continue };
            let symbol = spec.symbols.iter_mut().find(|symbol| symbol.name == *name);
            let symbol = symbol.ok_or_else(|| unknown_symbol(name, "a commission", &symbols))?;
            rate.set(&mut symbol.commissions);
        }
        if let Some((rate, reading)) = self.discount {
            let asset = spec.asset_id("BNB").ok_or(StartError::DiscountWithoutBnb)?;
            spec.discount = Some(Discount { asset, rate, reading });
        }
        spec.limits = self.limits;
        let mut exchange = Exchange::new(spec)?;
        match self.journal_cap {
            Some(bytes) if bytes < Journal::CAP_MIN => return Err(StartError::JournalCap { bytes }),
            Some(bytes) => exchange.cap_journal(bytes),
            None => {}
        }

        if self.accounts.is_empty() {
            let account = Account::generated(self.seed).label("test-account");
            self.accounts.push(
                Self::default_balances()
                    .into_iter()
                    .filter(|(asset, _)| exchange.spec().asset_id(asset).is_some())
                    .fold(account, |account, (asset, amount)| account.balance(asset, amount)),
            );
        }
        let mut known = Accounts::new(self.unknown_key);
        for (place, account) in self.accounts.iter().enumerate() {
            open(&mut exchange, &mut known, now, place, account)?;
        }
        let mut house = House::default();
        if let Some(liquidity) = self.liquidity {
            for (name, price) in &prices {
                let Some(symbol) = symbols.id(name) else { continue };
                house
                    .provide(&mut exchange, now, symbol, *price, liquidity)
                    .map_err(|source| StartError::Account { label: format!("liquidity of {name}"), source })?;
            }
        }
        let mut markets = Markets::default();
        for (name, process) in &self.markets {
            let id = symbols.id(name).filter(|id| house.provides(*id));
            let (Some(id), Some(price)) = (id, prices.get(name)) else {
                return Err(StartError::MarketWithoutPrice { symbol: name.clone() });
            };
            if process.step_millis == 0 {
                return Err(StartError::MarketWithoutSteps { symbol: name.clone() });
            }
            markets.begin(now, id, Walk::new(*process, id, *price, self.seed));
        }
        recorded::play(recorded, now, &house, &mut markets)?;
        let state = State::new(Parts {
            exchange,
            symbols,
            accounts: known,
            house,
            markets,
            reference_prices: prices,
            commissions,
            bans: Bans::new(self.ban_after),
            listen_key_mode: self.listen_keys,
            connections_max: self.connection_rules.then_some(self.connections_max),
            seed: self.seed,
            keep_requests: self.keep_requests,
        });
        Ok((Hub::new(state, self.clock), self.accounts))
    }
}

/// Opens and funds one account.
fn open(
    exchange: &mut Exchange,
    known: &mut Accounts,
    now: exchange_engine::Timestamp,
    place: usize,
    account: &Account,
) -> Result<(), StartError> {
    let label = account.label.clone().unwrap_or_else(|| format!("account-{}", place + 1));
    if account.api_key.is_empty() {
        return Err(StartError::EmptyCredentials { label });
    }
    let verifier = match &account.credential {
        Credential::Secret(secret) if secret.expose_secret().is_empty() => {
            return Err(StartError::EmptyCredentials { label });
        }
        Credential::Secret(secret) => {
            Verifier::hmac(secret).ok_or_else(|| StartError::EmptyCredentials { label: label.clone() })?
        }
        Credential::PublicKey(pem) => {
            Verifier::public_key(pem).map_err(|source| StartError::PublicKey { label: label.clone(), source })?
        }
    };
    if known.contains(&account.api_key) {
        return Err(StartError::DuplicateKey { label });
    }
    let refused = |source| StartError::Account { label: label.clone(), source };
    let opened = if account.pays_in_bnb { exchange.open_discounted(now) } else { exchange.open_account(now) };
    let id = opened.map_err(refused)?;
    for (asset, value) in &account.balances {
        let Some(asset_id) = exchange.spec().asset_id(asset) else {
            return Err(StartError::UnknownAsset {
                asset: asset.clone(),
                label,
                known: exchange.spec().assets.join(", "),
            });
        };
        let amount = decimal(&format!("the balance of {asset} in {label}"), value)?;
        let deposit = exchange_engine::Command::Deposit { asset: asset_id, amount };
        exchange.apply(now, id, &deposit).reply.map_err(refused)?;
    }
    let secret = account.credential.secret().cloned();
    known.add(account.api_key.clone(), KnownAccount { id, label, verifier, secret });
    Ok(())
}

/// The prices that were asked for, and those of the default symbols.
fn prices(asked: &BTreeMap<String, String>, symbols: &Symbols) -> Result<BTreeMap<String, Price>, StartError> {
    let mut prices = BTreeMap::new();
    for (symbol, value) in PRICES {
        if symbols.id(symbol).is_some() {
            prices.insert(symbol.to_owned(), decimal(symbol, value)?);
        }
    }
    for (symbol, value) in asked {
        if symbols.id(symbol).is_none() {
            return Err(unknown_symbol(symbol, "a price", symbols));
        }
        let price: Price = decimal(&format!("the price of {symbol}"), value)?;
        if !price.is_positive() {
            return Err(StartError::PriceNotPositive { symbol: symbol.clone(), value: value.clone() });
        }
        prices.insert(symbol.clone(), price);
    }
    Ok(prices)
}

fn unknown_symbol(symbol: &str, what: &'static str, symbols: &Symbols) -> StartError {
    let known = symbols.names().collect::<Vec<_>>().join(", ");
    StartError::UnknownSymbol { symbol: symbol.to_owned(), what, known }
}

fn decimal<T: std::str::FromStr<Err = ParseDecimalError>>(what: &str, value: &str) -> Result<T, StartError> {
    value.parse().map_err(|source| StartError::Decimal { what: what.to_owned(), value: value.to_owned(), source })
}

fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|source| StartError::Bind { address, source })
}

//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use mock_binance::engine::{DiscountReading, Ratio};
use mock_binance::{Clock, CommissionRate, Process, Recording, bnb_discount, commission_rate, process};

const EXAMPLES: &str = "\
Examples:
  mock-binance
      A port chosen by the system, generated test credentials, four symbols.
  mock-binance --listen 127.0.0.1:8080 --balance USDT=500 --price BTCUSDT=65000
      A fixed port, one account with 500 USDT and nothing else, BTC at 65000.
  mock-binance --market BTCUSDT=crash --market ETHUSDT=calm:noise_ppm=500
      Markets that move: BTC falls by 30 % after half a minute, ETH wanders. Stop orders trigger, streams speak.
  mock-binance --replay BTCUSDT=mock-binance/recordings/klines.csv --clock manual=1735775999999
      A recorded market. With the machine's clock it happens from now on; a manual clock that starts in the minute before
      the first row leaves the recorded times as they are.
  MOCK_BINANCE_API_KEY=my-key MOCK_BINANCE_SECRET=my-secret mock-binance --listen-keys gone
      Credentials of your own; listen keys are answered with 410, as the live exchange does.
  mock-binance --fault mock-binance/faults/timeout-after-booking.json
      The first order is booked, and its client told -1007: does it ask before it sends the order again?
  mock-binance --control 127.0.0.1:9000 --clock manual=1767571200000
      Time stands still until it is told: curl -X POST -H 'Content-Type: application/json' -d '{\"ms\":61000}' \
      http://127.0.0.1:9000/clock/advance
  mock-binance --public-key account.pem
      An account that signs with an RSA or Ed25519 key instead of an HMAC secret.

Point a client at the two URLs that are printed. Signatures, recvWindow, filters, balances, rate limits and bans are \
checked as at the exchange, with its error codes and texts. Nothing leaves this machine, and nothing is kept after \
the end. Stop it with Ctrl-C or SIGTERM.";

/// A mock of the Binance spot exchange: REST and streams over a real matching engine.
#[derive(Debug, Parser)]
#[command(name = "mock-binance", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Where it listens, for REST and WebSocket alike; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,

    /// Serves the control interface there, for scripts that move the clock, set balances and prices, add faults, take
    /// snapshots and read what happened; loopback only, since it asks for no credentials. GET / lists what it does
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) control: Option<SocketAddr>,

    /// The time: the machine's, or `manual` for a clock that moves only through the control interface; `manual=MS` is
    /// where it starts, in milliseconds since the epoch
    #[arg(long, value_name = "CLOCK", default_value = "system", value_parser = clock)]
    pub(crate) clock: Clock,

    /// Connections live as long as they like: no pings, no end after a day, no bound on frames a second or on
    /// connections in five minutes. So it is without this, too, where the clock is manual
    #[arg(long)]
    pub(crate) no_connection_rules: bool,

    /// Whether listen keys are issued (as before 2026-02-20) or answered with 410 (as since)
    #[arg(long, value_name = "WHICH", value_enum, default_value = "legacy")]
    pub(crate) listen_keys: ListenKeyMode,

    /// What a well-formed key that nobody has is told: -2015 (as at the live exchange) or -2008 (as at its testnet)
    #[arg(long, value_name = "WHICH", value_enum, default_value = "rejected")]
    pub(crate) unknown_key: UnknownKeyMode,

    /// The same seed gives the same credentials, listen keys and books
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,

    /// What the account has; repeat it for each asset [default: USDT=10000 BTC=1 ETH=10 BNB=10]
    #[arg(long = "balance", value_name = "ASSET=AMOUNT", value_parser = pair)]
    pub(crate) balances: Vec<(String, String)>,

    /// The price round which a symbol's book is filled; repeat it for each symbol
    #[arg(long = "price", value_name = "SYMBOL=PRICE", value_parser = pair)]
    pub(crate) prices: Vec<(String, String)>,

    /// Lets a symbol's market move: calm, trend, crash, spike or thin-book, with figures of your own after a colon, such
    /// as crash:change_ppm=-500000,after=30,over=60,noise_ppm=200,step_ms=1000; repeat it for each symbol
    #[arg(long = "market", value_name = "SYMBOL=PROCESS", value_parser = market)]
    pub(crate) markets: Vec<(String, Process)>,

    /// A rate limit other than that of the live exchange: request-weight (a minute), raw-requests (5 minutes), orders-10s,
    /// orders-1d or connections-5m, such as request-weight=1200; repeat it for each
    #[arg(long = "limit", value_name = "LIMIT=NUMBER", value_parser = limit)]
    pub(crate) limits: Vec<(Limit, u32)>,

    /// How many answers of status 429 within a minute are given before an address is banned
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub(crate) ban_after: u32,

    /// A commission rate: standard, special or tax, of maker, taker, buyer or seller, such as standard.taker=0.00075, or
    /// BTCUSDT:tax.seller=0.001 for one symbol; repeat it for each [default: standard.maker=0.001 standard.taker=0.001]
    #[arg(long = "commission", value_name = "[SYMBOL:]KIND.ROLE=RATE", value_parser = commission_rate)]
    pub(crate) commissions: Vec<CommissionRate>,

    /// Lets the account pay its commissions in BNB: at 0.75, three quarters of the standard commission; at 0.25:off, a
    /// quarter less
    #[arg(long, value_name = "RATE[:off]", value_parser = bnb_discount)]
    pub(crate) bnb_discount: Option<(Ratio, DiscountReading)>,

    /// Lets a recorded market happen again on the mock's clock, from now on: an unpacked file of trades, aggTrades or
    /// klines in the column order of the exchange's public data. The columns tell which; `trades:`, `aggTrades:` or
    /// `klines:` before the file insists. Repeat it for each symbol
    #[arg(long = "replay", value_name = "SYMBOL=FILE", value_parser = replay)]
    pub(crate) replays: Vec<(String, Recording)>,

    /// A saved answer of GET /api/v3/exchangeInfo whose symbols are used in place of the built-in ones
    #[arg(long, value_name = "FILE")]
    pub(crate) symbols: Option<PathBuf>,

    /// A file with a fault that happens from the start, such as a lost answer; repeat it for each. docs/faults.md lists
    /// what there is
    #[arg(long = "fault", value_name = "FILE")]
    pub(crate) faults: Vec<PathBuf>,

    /// Keeps at most so many bytes of the journal of what happened, at least 65536: the oldest entries are dropped, and
    /// with them closed orders and trades, so memory is bounded; open orders stay, and candles of the last day. All is
    /// kept when absent, about 60 bytes an order
    #[arg(long, value_name = "BYTES")]
    pub(crate) journal_cap: Option<usize>,

    /// The API key of the account; generated from the seed when absent
    #[arg(long, value_name = "KEY", env = "MOCK_BINANCE_API_KEY", hide_env_values = true, requires = "credential")]
    pub(crate) api_key: Option<String>,

    /// The HMAC secret of the account; generated from the seed when absent. A secret on a command line can be read by
    /// others on this machine: prefer the environment
    #[arg(long, value_name = "SECRET", env = "MOCK_BINANCE_SECRET", hide_env_values = true, requires = "api_key")]
    #[arg(group = "credential")]
    pub(crate) secret: Option<secrecy::SecretString>,

    /// The public half of an RSA or Ed25519 key with which the account signs, in place of an HMAC secret: a PEM as
    /// `openssl pkey -pubout` writes it
    #[arg(long, value_name = "FILE", group = "credential")]
    pub(crate) public_key: Option<PathBuf>,
}

/// The last millisecond of the year 9999.
const LATEST_MS: u64 = 253_402_300_799_999;

/// The choices of `--listen-keys`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ListenKeyMode {
    /// POST, PUT and DELETE of /api/v3/userDataStream work
    Legacy,
    /// They answer 410 Gone
    Gone,
}

/// The choices of `--unknown-key`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum UnknownKeyMode {
    /// 401, -2015 "Invalid API-key, IP, or permissions for action."
    Rejected,
    /// 400, -2008 "Invalid Api-Key ID."
    InvalidId,
}

/// A rate limit that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    RequestWeight,
    RawRequests,
    /// Orders in a window of so many seconds.
    Orders(u32),
    /// WebSocket connections of an address in five minutes.
    Connections,
}

fn limit(text: &str) -> Result<(Limit, u32), String> {
    let (name, number) = text.split_once('=').ok_or_else(|| "write LIMIT=NUMBER, such as orders-10s=50".to_owned())?;
    let limit = match name {
        "request-weight" => Limit::RequestWeight,
        "raw-requests" => Limit::RawRequests,
        "orders-10s" => Limit::Orders(10),
        "orders-1d" => Limit::Orders(24 * 60 * 60),
        "connections-5m" => Limit::Connections,
        _ => {
            return Err(format!(
                "there is no limit `{name}`: write request-weight, raw-requests, orders-10s, orders-1d or connections-5m"
            ));
        }
    };
    let number = number.parse().ok().filter(|number| *number > 0);
    Ok((limit, number.ok_or_else(|| "a limit is a whole number above zero".to_owned())?))
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=NUMBER, such as USDT=10000".to_owned()),
    }
}

fn clock(text: &str) -> Result<Clock, String> {
    match text.split_once('=') {
        None if text == "system" => Ok(Clock::system()),
        None if text == "manual" => Ok(Clock::manual(Clock::system().now_ms())),
        Some(("manual", start)) => match start.parse() {
            Ok(start_ms) if (0..=LATEST_MS).contains(&start_ms) => Ok(Clock::manual(start_ms)),
            _ => Err(format!("`{start}` is no moment: write milliseconds since the epoch, such as 1767571200000")),
        },
        _ => Err("write system, manual or manual=MS".to_owned()),
    }
}

fn market(text: &str) -> Result<(String, Process), String> {
    let (symbol, described) = text
        .split_once('=')
        .filter(|(symbol, _)| !symbol.is_empty())
        .ok_or_else(|| "write SYMBOL=PROCESS, such as BTCUSDT=crash".to_owned())?;
    Ok((symbol.to_owned(), process(described).map_err(|error| error.to_string())?))
}

fn replay(text: &str) -> Result<(String, Recording), String> {
    match text.split_once('=') {
        Some((symbol, file)) if !symbol.is_empty() && !file.is_empty() => {
            Ok((symbol.to_owned(), Recording::parse(file)))
        }
        _ => Err("write SYMBOL=FILE, such as BTCUSDT=BTCUSDT-trades-2025-01-02.csv".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn pairs_need_both_halves() {
        assert_eq!(pair("USDT=1"), Ok(("USDT".to_owned(), "1".to_owned())));
        for text in ["USDT", "=1", "USDT="] {
            assert!(pair(text).is_err(), "{text}");
        }
    }

    #[test]
    fn limits_are_named_and_above_zero() {
        assert_eq!(limit("orders-10s=50"), Ok((Limit::Orders(10), 50)));
        assert_eq!(limit("request-weight=1200"), Ok((Limit::RequestWeight, 1200)));
        assert_eq!(limit("connections-5m=20"), Ok((Limit::Connections, 20)));
        for text in ["orders=5", "orders-10s", "orders-10s=0", "raw-requests=-1", "raw-requests=4294967296"] {
            assert!(limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn clocks_are_the_machines_or_manual() {
        assert!(matches!(clock("system"), Ok(Clock::System)));
        assert!(matches!(clock("manual"), Ok(Clock::Manual(_))));
        assert_eq!(clock("manual=1700000000000").map(|clock| clock.now_ms()), Ok(1_700_000_000_000));
        for text in ["", "auto", "manual=", "manual=-1", "manual=1e3", "manual=99999999999999999", "system=1"] {
            assert!(clock(text).is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let arguments = Arguments::parse_from(["mock-binance", "--api-key", "k", "--secret", "hush"]);
        assert!(!format!("{arguments:?}").contains("hush"));
    }
}

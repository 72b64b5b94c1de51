//! The words of `rogue serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use rogue_harness::scenario::{Dec, UtcTime};
use rogue_harness::serve::Market;

pub(super) const EXAMPLES: &str = "\
Examples:
  rogue serve --print-config                            what to paste into an MCP client's configuration
  rogue serve --policy my-policy.json -o tape.jsonl     on standard input and output, recorded
  rogue serve --listen 127.0.0.1:8700 --balances USDT=5000,BTC=0.1 --market BTCUSDT=crash
                                                        over streamable HTTP, in a market that falls
  rogue serve --scenario ra-01-fat-finger --clock standing
                                                        with the exchange and the policy of a scenario

Nothing leaves this machine: the exchange is the mock, its money is none. What it says to people goes to standard error,
standard output belongs to the protocol. It ends when the agent hangs up, or with Ctrl-C; then it tells what was
called, stopped and booked. `rogue backtest` judges the tape by another policy.";

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The policy in force [default: that of --scenario, or else the shipped `binance`]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// Begin with the exchange and the policy of this scenario
    #[arg(long, value_name = "ID")]
    pub(crate) scenario: Option<String>,

    /// What the account has in place of what it would have, such as USDT=5000,BTC=0.1
    #[arg(long, value_name = "ASSET=AMOUNT", value_delimiter = ',', value_parser = pair)]
    pub(crate) balances: Vec<(String, Dec)>,

    /// The prices round which books are filled, in place of what they would be, such as BTCUSDT=60000,ETHUSDT=3000
    #[arg(long, value_name = "SYMBOL=PRICE", value_delimiter = ',', value_parser = pair)]
    pub(crate) prices: Vec<(String, Dec)>,

    /// Lets a symbol's market move: calm, trend, crash, spike or thin-book, see `mock-binance --help`; repeat it for each
    #[arg(long = "market", value_name = "SYMBOL=PROCESS")]
    pub(crate) markets: Vec<Market>,

    /// The same seed gives the same books and credentials
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,

    /// The time: `machine`; `standing`, which is where the scenario begins; or a moment such as 2026-01-05T00:00:00Z. The
    /// latter two stand still until the exchange's control interface moves them
    #[arg(long, value_name = "CLOCK", default_value = "machine", value_parser = clock)]
    pub(crate) clock: ClockChoice,

    /// Serve streamable HTTP there in place of standard input and output; loopback only, port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,

    /// Write every wire onto this tape; packed when its name ends in .zst. One that is there is replaced
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// A regular expression of something else that must not be on the tape; repeat it for each
    #[arg(long = "redact", value_name = "REGEX", requires = "output")]
    pub(crate) redact: Vec<String>,

    /// Say what there is to say as JSON, an object a line, on standard error
    #[arg(long)]
    pub(crate) json: bool,

    /// Print the client's configuration for this command line, and serve nothing
    #[arg(long)]
    pub(crate) print_config: bool,
}

/// Whose time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockChoice {
    /// The machine's.
    Machine,
    /// It stands where the scenario begins.
    Standing,
    /// It stands at this moment.
    At(UtcTime),
}

impl std::fmt::Display for ClockChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Machine => f.write_str("machine"),
            Self::Standing => f.write_str("standing"),
            Self::At(moment) => moment.fmt(f),
        }
    }
}

fn pair(text: &str) -> Result<(String, Dec), String> {
    match text.split_once('=') {
        Some((name, number)) if !name.is_empty() => {
            Ok((name.to_owned(), number.parse().map_err(|error| format!("{error}"))?))
        }
        _ => Err("write NAME=NUMBER, such as USDT=10000".to_owned()),
    }
}

fn clock(text: &str) -> Result<ClockChoice, String> {
    match text {
        "machine" => Ok(ClockChoice::Machine),
        "standing" => Ok(ClockChoice::Standing),
        moment => moment
            .parse()
            .map(ClockChoice::At)
            .map_err(|_| "write machine, standing, or a moment such as 2026-01-05T00:00:00Z".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_exact_decimals() {
        assert_eq!(
            pair("USDT=0.10").map(|(name, number)| format!("{name} {}", number.text())),
            Ok("USDT 0.10".to_owned())
        );
        for text in ["USDT", "=1", "USDT=", "USDT=1e3", "USDT=-"] {
            assert!(pair(text).is_err(), "{text}");
        }
    }

    #[test]
    fn clocks_are_written_as_they_are_read() {
        for text in ["machine", "standing", "2026-01-05T00:00:00Z"] {
            assert_eq!(clock(text).map(|clock| clock.to_string()), Ok(text.to_owned()));
        }
        assert!(clock("manual").is_err());
    }
}

//! The command line: flags and environment in, a [`Config`] out.
#![expect(clippy::doc_markdown, reason = "comments of fields are the help text, where back-ticks would show")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use binance_mcp::{Config, ConfigError, Credentials, DEFAULT_BASE_URL};
use clap::Parser;
use thiserror::Error;

/// Serves the 23 bn_* tools of Binance spot over MCP, on standard input and output.
#[derive(Debug, Parser)]
#[command(version, after_long_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// Base URL of the exchange, for example http://127.0.0.1:8080 for a mock.
    #[arg(long, value_name = "URL", env = "BINANCE_BASE_URL", hide_env_values = true, default_value = DEFAULT_BASE_URL)]
    base_url: String,

    /// Read the API key from this file instead of from BINANCE_API_KEY.
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,

    /// Read the secret key from this file instead of from BINANCE_SECRET_KEY.
    #[arg(long, value_name = "FILE")]
    secret_key_file: Option<PathBuf>,

    /// recvWindow of signed requests whose call gives none, in milliseconds, 1 to 60000.
    #[arg(long, value_name = "MS", env = "BINANCE_RECV_WINDOW", default_value_t = 5_000)]
    recv_window: u64,

    /// How many requests may be under way at once; calls beyond wait in order.
    #[arg(long, value_name = "N", default_value_t = 8)]
    max_in_flight: usize,

    /// How long a connection may take to be made, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    connect_timeout: u64,

    /// How long a request may take in all, in milliseconds. The exchange itself gives up after 10000.
    #[arg(long, value_name = "MS", default_value_t = 15_000)]
    timeout: u64,

    /// Permit credentials over plain http to a host other than this machine.
    #[arg(long)]
    allow_cleartext: bool,

    /// What to log on standard error, as tracing directives.
    #[arg(long, value_name = "DIRECTIVES", env = "BINANCE_MCP_LOG", default_value = "warn,binance_mcp=info")]
    pub(crate) log: String,
}

const AFTER_HELP: &str = "\
Credentials:
  BINANCE_API_KEY and BINANCE_SECRET_KEY, or the two files, and nothing
  else: keys are not taken from the command line, where every process can
  read them, nor from tool arguments. Without credentials the eleven
  market-data tools work and the others say what is missing. Only HMAC keys
  are supported.

Standard streams:
  Input and output carry MCP messages, one a line. Logs go to standard
  error. API keys, signatures and signed URLs are never printed; `rmcp` at
  debug or finer logs whole messages, listen keys included.

HTTPS:
  Needs a build with `--features tls`. Redirects are not followed, proxies
  are not taken from the environment, and no request is repeated.

Ending:
  Ends when its input does, or on SIGINT or SIGTERM. Requests on their way
  are seen through.
  Exit codes: 0 ended, 1 the MCP session failed, 2 bad usage or configuration.

Example:
  BINANCE_BASE_URL=http://127.0.0.1:8080 \\
  BINANCE_API_KEY=... BINANCE_SECRET_KEY=... binance-mcp
";

/// What the environment holds; read once, in `main`.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) api_key: Option<String>,
    pub(crate) secret_key: Option<String>,
}

/// The configuration cannot be put together.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    #[error("cannot read the {which} from `{}`: {source}", path.display())]
    KeyFile { which: &'static str, path: PathBuf, source: std::io::Error },
    #[error("the {which} is given both in {variable} and as a file: keep one")]
    Twice { which: &'static str, variable: &'static str },
    #[error("a {given} is given but no {missing}: set {variable} or use `{flag}`, or give neither")]
    Half { given: &'static str, missing: &'static str, variable: &'static str, flag: &'static str },
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Cli {
    /// The configuration, with the system's clock.
    pub(crate) fn into_config(self, keys: Keys) -> Result<Config, CliError> {
        let api_key = one_of("API key", "BINANCE_API_KEY", keys.api_key, self.api_key_file.as_deref())?;
        let secret_key = one_of("secret key", "BINANCE_SECRET_KEY", keys.secret_key, self.secret_key_file.as_deref())?;
        let mut config = Config::new(self.base_url);
        config.credentials = match (api_key, secret_key) {
            (Some(api_key), Some(secret_key)) => Some(Credentials::new(&api_key, &secret_key)?),
            (None, None) => None,
            (Some(_), None) => {
                return Err(CliError::Half {
                    given: "API key",
                    missing: "secret key",
                    variable: "BINANCE_SECRET_KEY",
                    flag: "--secret-key-file",
                });
            }
            (None, Some(_)) => {
                return Err(CliError::Half {
                    given: "secret key",
                    missing: "API key",
                    variable: "BINANCE_API_KEY",
                    flag: "--api-key-file",
                });
            }
        };
        config.recv_window_ms = self.recv_window;
        config.max_in_flight = self.max_in_flight;
        config.connect_timeout = Duration::from_millis(self.connect_timeout);
        config.request_timeout = Duration::from_millis(self.timeout);
        config.allow_cleartext = self.allow_cleartext;
        Ok(config)
    }
}

/// A key from the one place that gives it. A variable that is set but empty counts as not set.
fn one_of(
    which: &'static str,
    variable: &'static str,
    value: Option<String>,
    file: Option<&Path>,
) -> Result<Option<String>, CliError> {
    let value = value.filter(|value| !value.trim().is_empty());
    match (value, file) {
        (Some(_), Some(_)) => Err(CliError::Twice { which, variable }),
        (Some(value), None) => Ok(Some(value)),
        (None, Some(path)) => std::fs::read_to_string(path).map(Some).map_err(|source| CliError::KeyFile {
            which,
            path: path.to_owned(),
            source,
        }),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(args: &[&str], api_key: Option<&str>, secret_key: Option<&str>) -> Result<Config, String> {
        let args = [&["binance-mcp", "--base-url", "http://127.0.0.1:1"], args].concat();
        let keys = Keys { api_key: api_key.map(str::to_owned), secret_key: secret_key.map(str::to_owned) };
        Cli::try_parse_from(args)
            .map_err(|error| error.to_string())?
            .into_config(keys)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_is_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn keys_come_as_a_pair_or_not_at_all() {
        assert!(config(&[], None, None).unwrap().credentials.is_none());
        assert!(config(&[], Some(""), Some(" ")).unwrap().credentials.is_none());
        assert!(config(&[], Some("k"), Some("s")).unwrap().credentials.is_some());
        assert!(config(&[], Some("k"), None).unwrap_err().contains("BINANCE_SECRET_KEY"));
        assert!(config(&[], None, Some("s")).unwrap_err().contains("BINANCE_API_KEY"));
    }

    #[test]
    fn a_key_comes_from_one_place() {
        let file = ["--secret-key-file", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")];
        assert!(config(&file, Some("k"), Some("s")).unwrap_err().contains("keep one"));
        // The manifest is readable, but it is no key.
        assert!(config(&file, Some("k"), None).unwrap_err().contains("no key has"));
        let absent = config(&["--secret-key-file", "/nonexistent/key"], Some("k"), None).unwrap_err();
        assert!(absent.contains("`/nonexistent/key`"), "{absent}");
    }

    #[test]
    fn keys_are_not_taken_from_the_command_line() {
        for flag in ["--secret-key", "--api-key"] {
            let error = config(&[flag, "canary"], None, None).unwrap_err();
            assert!(error.contains("unexpected argument"), "{error}");
        }
    }

    #[test]
    fn flags_reach_the_configuration() {
        let args = [
            "--recv-window",
            "7",
            "--max-in-flight",
            "3",
            "--connect-timeout",
            "11",
            "--timeout",
            "12",
            "--allow-cleartext",
        ];
        let config = config(&args, None, None).unwrap();
        assert_eq!(config.base_url, "http://127.0.0.1:1");
        assert_eq!(config.recv_window_ms, 7);
        assert_eq!(config.max_in_flight, 3);
        assert_eq!(config.connect_timeout, Duration::from_millis(11));
        assert_eq!(config.request_timeout, Duration::from_millis(12));
        assert!(config.allow_cleartext);
    }
}

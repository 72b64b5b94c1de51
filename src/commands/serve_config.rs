//! What an MCP client is configured with to reach `rogue serve`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::args::{ClockChoice, Serve};
use crate::output::Failure;

/// How clients call the server.
const NAME: &str = "rogue";

/// For a client that reaches it over HTTP.
pub(super) fn of_url(url: &str) -> Value {
    json!({ "mcpServers": { NAME: { "type": "http", "url": url } } })
}

/// For a client that starts it: this program with these arguments. Clients start servers in folders of their own, so
/// every path is whole.
pub(super) fn of_stdio(args: &Serve, folder: Option<&Path>) -> Result<Value, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::Broken(format!("the system does not tell where this program is: {error}")))?;
    let mut words: Vec<OsString> = vec!["serve".into()];
    let mut option = |name: &str, value: OsString| words.extend([name.into(), value]);
    if let Some(path) = &args.policy {
        option("--policy", absolute(path)?.into());
    }
    if let Some(id) = &args.scenario {
        option("--scenario", id.into());
        option("--scenarios", absolute(&crate::find::scenarios(folder)?)?.into());
    }
    for (name, pairs) in [("--balances", &args.balances), ("--prices", &args.prices)] {
        if !pairs.is_empty() {
            let pairs: Vec<_> = pairs.iter().map(|(name, number)| format!("{name}={}", number.text())).collect();
            option(name, pairs.join(",").into());
        }
    }
    for market in &args.markets {
        option("--market", market.to_string().into());
    }
    if let Some(seed) = args.seed {
        option("--seed", seed.to_string().into());
    }
    if args.clock != ClockChoice::Machine {
        option("--clock", args.clock.to_string().into());
    }
    if let Some(path) = &args.output {
        option("--output", absolute(path)?.into());
    }
    for rule in &args.redact {
        option("--redact", rule.into());
    }
    if args.json {
        words.push("--json".into());
    }
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    Ok(json!({ "mcpServers": { NAME: { "command": program.to_string_lossy(), "args": words } } }))
}

/// The path from the root on; the file need not be there.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::usage(format!("`{}` is no place for a file: {error}", path.display()), "name a file"))
}

//! The commands of the stack, built as the test runs: a stale binary would prove nothing.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

/// The executables of `mcp-gateway` and `binance-mcp`.
pub(crate) fn commands() -> (PathBuf, PathBuf) {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["build", "--offline", "--locked", "--message-format=json", "-p", "mcp-gateway", "-p", "binance-mcp"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "the commands do not build");
    let messages: Vec<Value> =
        output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let path = |name: &str| {
        let built = messages.iter().find(|m| m["target"]["name"] == name && m["executable"].is_string());
        PathBuf::from(
            built.unwrap_or_else(|| panic!("no `{name}` was built"))["executable"].as_str().unwrap_or_default(),
        )
    };
    (path("mcp-gateway"), path("binance-mcp"))
}

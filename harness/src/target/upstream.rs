//! The MCP servers that stand behind a gateway, or alone.

use super::kind::TargetError;
use super::stack::{Setting, Task};
use crate::agent::tap::PipeEnd;
use crate::scenario::Upstream;
use crate::soft::{self, Laxities, SoftConfig, SoftCredentials};

/// Starts the setting's MCP server on a pipe.
pub(super) fn start(setting: &Setting<'_>, pipe: PipeEnd) -> Result<Task, TargetError> {
    match setting.upstream {
        Upstream::Soft => Ok(start_soft(setting, pipe)),
        Upstream::Ours => start_ours(setting, pipe),
    }
}

fn start_soft(setting: &Setting<'_>, (read, write): PipeEnd) -> Task {
    let config = SoftConfig {
        base_url: setting.rest_url.to_owned(),
        credentials: Some(SoftCredentials {
            api_key: setting.keys.api_key.clone(),
            secret_key: setting.keys.secret.clone(),
        }),
        laxities: Laxities::default(),
    };
    let handle = tokio::spawn(async move { soft::serve(config, read, write).await.map_err(|error| error.to_string()) });
    Task { what: "the naive MCP server", handle }
}

#[cfg(feature = "embedded")]
fn start_ours(setting: &Setting<'_>, (read, write): PipeEnd) -> Result<Task, TargetError> {
    use binance_mcp::{BinanceMcp, Config, Credentials};

    let broken = |error: binance_mcp::ConfigError| TargetError::Upstream(error.to_string());
    let mut config = Config::new(setting.rest_url);
    config.credentials = Some(Credentials::new(&setting.keys.api_key, &setting.keys.secret).map_err(broken)?);
    config.clock = setting.clock.clone();
    // One at a time: requests reach the exchange in the order of the calls, in every run.
    config.max_in_flight = 1;
    let server = BinanceMcp::new(config).map_err(broken)?;
    let handle =
        tokio::spawn(async move { binance_mcp::serve(server, read, write).await.map_err(|error| error.to_string()) });
    Ok(Task { what: "the MCP server", handle })
}

#[cfg(not(feature = "embedded"))]
fn start_ours(setting: &Setting<'_>, _: PipeEnd) -> Result<Task, TargetError> {
    // A build without our server still knows which clock it would have had.
    let _ = &setting.clock;
    Err(TargetError::NotBuilt("the MCP server `ours`"))
}

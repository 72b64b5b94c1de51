//! The MCP servers that stand behind a gateway, or alone.

use super::kind::TargetError;
use super::stack::{Setting, Task};
use crate::agent::tap::PipeEnd;
use crate::scenario::Upstream;
use crate::soft::{self, Laxities, SoftConfig, SoftCredentials};

/// An MCP server that can be started any number of times.
#[derive(Clone)]
pub(super) enum Server {
    Soft(SoftConfig),
    #[cfg(feature = "embedded")]
    Ours(binance_mcp::BinanceMcp),
}

impl Server {
    /// The setting's.
    pub(super) fn of(setting: &Setting<'_>) -> Result<Self, TargetError> {
        match setting.upstream {
            Upstream::Soft => Ok(Self::Soft(soft_config(setting))),
            Upstream::Ours => ours(setting),
        }
    }

    /// Starts it on a pipe.
    pub(super) fn start(&self, (read, write): PipeEnd) -> Task {
        match self.clone() {
            Self::Soft(config) => {
                let served = async move { soft::serve(config, read, write).await.map_err(|error| error.to_string()) };
                Task { what: "the naive MCP server", handle: tokio::spawn(served) }
            }
            #[cfg(feature = "embedded")]
            Self::Ours(server) => {
                let served =
                    async move { binance_mcp::serve(server, read, write).await.map_err(|error| error.to_string()) };
                Task { what: "the MCP server", handle: tokio::spawn(served) }
            }
        }
    }
}

fn soft_config(setting: &Setting<'_>) -> SoftConfig {
    SoftConfig {
        base_url: setting.rest_url.to_owned(),
        credentials: Some(SoftCredentials {
            api_key: setting.keys.api_key.clone(),
            secret_key: setting.keys.secret.clone(),
        }),
        laxities: Laxities::default(),
        guise: setting.guise.clone(),
    }
}

#[cfg(feature = "embedded")]
fn ours(setting: &Setting<'_>) -> Result<Server, TargetError> {
    use binance_mcp::{BinanceMcp, Config, Credentials};

    let broken = |error: binance_mcp::ConfigError| TargetError::Upstream(error.to_string());
    let mut config = Config::new(setting.rest_url);
    config.credentials = Some(Credentials::new(&setting.keys.api_key, &setting.keys.secret).map_err(broken)?);
    config.clock = setting.clock.clone();
    // One at a time: requests reach the exchange in the order of the calls, in every run.
    config.max_in_flight = 1;
    Ok(Server::Ours(BinanceMcp::new(config).map_err(broken)?))
}

#[cfg(not(feature = "embedded"))]
fn ours(setting: &Setting<'_>) -> Result<Server, TargetError> {
    // A build without our server still knows which clock it would have had.
    let _ = &setting.clock;
    Err(TargetError::NotBuilt("the MCP server `ours`"))
}

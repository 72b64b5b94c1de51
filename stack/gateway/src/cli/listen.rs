//! Serves clients over HTTP.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mcp_gateway::http::{HttpConfig, HttpGateway, HttpLimits};
use mcp_gateway::{Durability, Gateway, GrantBook, StateDir};
use tokio::net::TcpListener;

use super::args::GatewayArgs;
use super::failure::Failure;
use super::settings::ServerSettings;
use super::{run, signals};

pub(super) async fn serve(
    args: &GatewayArgs,
    server: &ServerSettings,
    gateway: &Gateway,
    address: SocketAddr,
) -> Result<(), Failure> {
    if !address.ip().is_loopback() && !args.plain_text_beyond_this_machine {
        return Err(Failure::NotLoopback(address));
    }
    let folder = args.state.clone().unwrap_or_default();
    let grants = GrantBook::open(&StateDir::new(&folder, Durability::Power)?)?;
    let mut config = HttpConfig::with_grants(grants);
    config.hosts.extend(args.allow_host.iter().cloned());
    config.origins.extend(args.allow_origin.iter().cloned());
    config.limits = HttpLimits {
        sessions_max: args.max_sessions,
        sessions_per_grant_max: args.max_sessions,
        ..HttpLimits::default()
    };

    let bound = |source| Failure::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(bound)?;
    let address = listener.local_addr().map_err(bound)?;
    let upstream =
        super::server::upstream(server, Duration::from_millis(args.drain), gateway.limits().answer_bytes_max)?;
    let _signals = signals::heed(gateway.clone(), server.policy.clone());
    // Nobody may be reading, which is no reason not to serve.
    let _ = writeln!(io::stderr(), "listening on http://{address}/mcp");
    let served = HttpGateway::new(gateway.clone(), upstream, config).serve(listener, run::shutdown()).await;
    served.map_err(|source| Failure::Listen { address, source })
}

//! Serves clients over HTTP.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mcp_gateway::http::{HttpConfig, HttpGateway, HttpLimits, Served};
use mcp_gateway::{Durability, GrantBook, StateDir};
use tokio::net::TcpListener;

use super::encryption::Encryption;
use super::failure::Failure;
use super::reread::Reread;
use super::settings::Settings;
use super::setup::Guarded;
use super::{run, signals};

pub(super) async fn serve(
    settings: &Settings,
    guarded: &[Guarded],
    address: SocketAddr,
    encryption: &Encryption,
    reread: Reread,
) -> Result<(), Failure> {
    let args = &settings.args;
    if !address.ip().is_loopback() && !encryption.is_on() && !args.plain_text_beyond_this_machine {
        return Err(Failure::NotLoopback(address));
    }
    let folder = args.state.clone().unwrap_or_default();
    let grants = GrantBook::open(&StateDir::new(&folder, Durability::Power)?)?;
    let mut config = HttpConfig::with_grants(grants);
    config.hosts.extend(args.allow_host.iter().cloned());
    config.origins.extend(args.allow_origin.iter().cloned());
    encryption.of_listener(&mut config);
    config.limits = HttpLimits {
        sessions_max: args.max_sessions,
        sessions_per_grant_max: args.max_sessions,
        address_rate: args.address_rate,
        address_in_flight: args.address_in_flight,
        grant_rate: args.grant_rate,
        grant_in_flight: args.grant_in_flight,
        ..HttpLimits::default()
    };

    let bound = |source| Failure::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(bound)?;
    let address = listener.local_addr().map_err(bound)?;
    let mut servers = Vec::new();
    for Guarded { server, gateway } in guarded {
        let drain = Duration::from_millis(args.drain);
        let upstream = super::server::upstream(server, drain, gateway.limits().answer_bytes_max)?;
        servers.push(Served { name: server.name.clone(), gateway: gateway.clone(), upstream });
    }
    let _signals = signals::heed(reread);
    let mut stderr = io::stderr();
    for Served { name, .. } in &servers {
        let path = if servers.len() > 1 { format!("/mcp/{name}") } else { "/mcp".to_owned() };
        // Nobody may be reading, which is no reason not to serve.
        let _ = writeln!(stderr, "listening on {}://{address}{path}", encryption.scheme());
    }
    let gateway = if settings.are_named {
        HttpGateway::several(servers, config)
    } else {
        let Some(Served { gateway, upstream, .. }) = servers.pop() else { return Ok(()) };
        HttpGateway::new(gateway, upstream, config)
    };
    let served = gateway.serve(listener, run::shutdown()).await;
    served.map_err(|source| Failure::Listen { address, source })
}

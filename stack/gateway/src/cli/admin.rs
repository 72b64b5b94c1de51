//! The admin listener of the command.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use mcp_gateway::admin::{Admin, AdminConfig, Watch};
use mcp_gateway::webhook::WebhookCounts;
use mcp_gateway::{ApprovalBook, Durability, StateDir};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::args::GatewayArgs;
use super::encryption::Encryption;
use super::failure::Failure;
use super::setup::Guarded;

/// Serves people as long as it is held.
pub(super) struct Serving {
    task: JoinHandle<io::Result<()>>,
    _stop: oneshot::Sender<()>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Whoever looks on may go on looking, but not hold the gateway up.
        self.task.abort();
    }
}

/// Starts the admin listener if one is asked for.
pub(super) async fn start(
    args: &GatewayArgs,
    guarded: &[Guarded],
    encryption: &Encryption,
    watch: Watch,
    notices: Option<Arc<WebhookCounts>>,
) -> Result<Option<Serving>, Failure> {
    let (Some(address), Some(path)) = (args.admin, &args.admin_token_file) else { return Ok(None) };
    // What else encrypts for clients is no reason to let people's token go in the clear.
    if !address.ip().is_loopback() && !encryption.is_on() {
        return Err(Failure::NotLoopback(address));
    }
    let token =
        std::fs::read_to_string(path).map_err(|source| Failure::AdminTokenUnread { path: path.clone(), source })?;
    let book = args.state.as_deref().map(|folder| ApprovalBook::open(&StateDir::new(folder, Durability::Power)?));
    let mut config = AdminConfig::new(token.trim(), watch, book.transpose()?).map_err(Failure::AdminToken)?;
    config.notices = notices;
    config.hosts.extend(args.allow_host.iter().cloned());
    encryption.of_admin(&mut config);
    let bound = |source| Failure::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(bound)?;
    let address: SocketAddr = listener.local_addr().map_err(bound)?;
    // Nobody may be reading, which is no reason not to serve.
    let _ = writeln!(io::stderr(), "admin page on {}://{address}/", encryption.scheme());
    let (stop, stopped) = oneshot::channel();
    let mut gateways = guarded.iter().map(|guarded| guarded.gateway.clone());
    let Some(first) = gateways.next() else { return Ok(None) };
    let admin = Admin::several(first, gateways.collect(), config);
    let task = tokio::spawn(admin.serve(listener, async {
        let _ = stopped.await;
    }));
    Ok(Some(Serving { task, _stop: stop }))
}

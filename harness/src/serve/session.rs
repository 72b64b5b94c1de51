//! One agent against the gateway, with a server of its own behind.

use std::future::Future;

use binance_mcp::BinanceMcp;
use mcp_gateway::{Gateway, Identity};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::oneshot;

use crate::agent::tap::pipe;
use crate::cassette::{Direction, Leg};
use crate::record::{Observe, relay};

/// What a session runs on.
pub(super) struct Wires<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) identity: Identity,
    pub(super) server: BinanceMcp,
    pub(super) observe: Observe,
}

/// Serves until the agent hangs up or `stop` is ready, and everything behind has ended.
pub(super) async fn serve(
    wires: Wires<'_>,
    input: impl AsyncRead + Unpin + Send + 'static,
    output: impl AsyncWrite + Unpin + Send + 'static,
    stop: impl Future<Output = ()>,
) -> Result<(), String> {
    let Wires { gateway, identity, server, observe } = wires;
    let ((from_gateway, to_gateway), front) = pipe();
    let (back, (from_behind, to_behind)) = pipe();
    let ((from_server, to_server), served) = pipe();

    let server = tokio::spawn(binance_mcp::serve(server, served.0, served.1));
    let calls = passed(from_behind, to_server, observe.clone(), Leg::Upstream, Direction::Out);
    let results = passed(from_server, to_behind, observe.clone(), Leg::Upstream, Direction::Back);
    let behind = [tokio::spawn(calls), tokio::spawn(results)];

    let asks = tokio::spawn(passed(input, to_gateway, observe.clone(), Leg::Agent, Direction::Out));
    let (gone, agent_gone) = oneshot::channel::<()>();
    let answers = tokio::spawn(async move {
        let told = passed(from_gateway, output, observe, Leg::Agent, Direction::Back).await;
        // An agent that takes no more answers has gone, whatever its other end does.
        drop(gone);
        told
    });
    let stop = async {
        tokio::select! {
            () = stop => {}
            _ = agent_gone => {}
        }
    };
    let session = gateway.serve_until(identity, front, back, stop).await;

    // It may wait for an agent that keeps its end open.
    asks.abort();
    let _ = asks.await;
    let _ = answers.await;
    for relay in behind {
        let _ = relay.await;
    }
    let ended = server.await;
    session.map_err(|error| error.to_string())?;
    ended.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// Passes lines on until they end, and the end with them.
async fn passed(
    from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    observe: Observe,
    leg: Leg,
    dir: Direction,
) -> std::io::Result<()> {
    relay(from, &mut to, |line| observe(leg, dir, line)).await?;
    to.shutdown().await
}

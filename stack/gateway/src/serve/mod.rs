//! The shell round a [`Session`]: moves lines between two byte streams.
//!
//! ```text
//!  client ─▶ Source ─▶ Session::from_client ─────▶ Queue ─▶ Outlet ─▶ server
//!  client ◀─ Outlet ◀─ Queue ◀── Session::from_upstream ◀── Source ◀─ server
//! ```
//!
//! One task does all of it, without channels: a frame costs one wake-up on its way. Nothing is
//! read from a peer while what it would cause cannot be written, so memory is bounded by
//! [`GatewayLimits`](crate::GatewayLimits), and a peer that reads again is served again.

mod ends;
mod front;
mod pump;
mod restart;

#[cfg(feature = "http")]
pub(crate) use front::Front;
#[cfg(feature = "http")]
pub(crate) use pump::Pump;
#[cfg(feature = "http")]
pub(crate) use restart::Restart;

use std::future::{Future, pending};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::config::Identity;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::session::{Session, SessionSummary};
use crate::upstream::{Connection, Upstream};

impl Gateway {
    /// Serves one client connection against one server connection until either closes.
    ///
    /// When the client closes, its calls in flight are waited for, the server's input is closed
    /// and its end awaited. When the server closes, every call in flight is answered as lost.
    /// Dropping the future ends the session at once; what is in flight counts as unknown.
    ///
    /// Needs a tokio runtime with time enabled.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] when a transport breaks in another way than by closing.
    pub async fn serve<FR, FW, BR, BW>(
        &self,
        identity: Identity,
        front_read: FR,
        front_write: FW,
        back_read: BR,
        back_write: BW,
    ) -> Result<SessionSummary, GatewayError>
    where
        FR: AsyncRead + Unpin,
        FW: AsyncWrite + Unpin,
        BR: AsyncRead + Unpin,
        BW: AsyncWrite + Unpin,
    {
        let front = (front_read, front_write);
        self.serve_until(identity, front, (back_read, back_write), pending()).await
    }

    /// [`Gateway::serve`] that also ends, as if the client had closed, when `stop` is ready.
    pub async fn serve_until<FR, FW, BR, BW>(
        &self,
        identity: Identity,
        front: (FR, FW),
        back: (BR, BW),
        stop: impl Future<Output = ()>,
    ) -> Result<SessionSummary, GatewayError>
    where
        FR: AsyncRead + Unpin,
        FW: AsyncWrite + Unpin,
        BR: AsyncRead + Unpin,
        BW: AsyncWrite + Unpin,
    {
        let session = Session::new(self.clone(), identity);
        let front = front::ByteFront::new(front.0, front.1, self.limits().frame_bytes_max);
        pump::Pump::new(self.clone(), session, front, back).run(stop).await
    }

    /// Serves one client against connections of `upstream`: when the server dies while its client is there, another takes
    /// its place, as [`GatewayLimits::restart`](crate::GatewayLimits::restart) has it.
    ///
    /// What was in flight is answered as lost; until the next server is where the one before was, requests are refused and
    /// charged nothing. The end of the last server is waited for. A server that dies before it has answered anything is not
    /// started again: it would do no better.
    ///
    /// # Errors
    ///
    /// [`GatewayError`] when there is no server to begin with or none that could take its place, or when a transport breaks
    /// in another way than by closing.
    pub async fn serve_upstream<FR, FW>(
        &self,
        identity: Identity,
        front: (FR, FW),
        upstream: Arc<dyn Upstream>,
        stop: impl Future<Output = ()>,
    ) -> Result<SessionSummary, GatewayError>
    where
        FR: AsyncRead + Unpin,
        FW: AsyncWrite + Unpin,
    {
        let connected = upstream.connect().await;
        let Connection { read, write, ended } = connected.map_err(|source| GatewayError::Unreached { source })?;
        let session = Session::new(self.clone(), identity);
        let front = front::ByteFront::new(front.0, front.1, self.limits().frame_bytes_max);
        let restart = restart::Restart::new(upstream, ended, self.limits().restart, self.now_ms());
        pump::Pump::new(self.clone(), session, front, (read, write)).restarting(restart).run(stop).await
    }
}

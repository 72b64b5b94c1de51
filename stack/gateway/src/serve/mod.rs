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

#[cfg(feature = "http")]
pub(crate) use front::Front;
#[cfg(feature = "http")]
pub(crate) use pump::Pump;

use std::future::{Future, pending};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::config::Identity;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::session::{Session, SessionSummary};

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
}

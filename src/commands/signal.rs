//! Waiting to be told to stop.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Comes back when Ctrl-C is pressed or SIGTERM comes.
pub(super) async fn stopped() -> io::Result<()> {
    stop()?.await;
    Ok(())
}

/// Heeds signals from now on, and gives what comes back after the first.
pub(super) fn stop() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

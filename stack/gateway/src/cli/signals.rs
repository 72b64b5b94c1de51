//! What signals ask of a gateway that is serving.

use mcp_gateway::KillSwitch;
use tokio::task::JoinHandle;

use super::reread::Reread;
use super::setup::Guarded;

/// Heeds signals as long as it is held.
pub(super) struct Heeding(Vec<JoinHandle<()>>);

impl Drop for Heeding {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// SIGHUP reads the configuration file and the policies anew, SIGUSR1 throws the kill switch, SIGUSR2 releases it.
#[cfg(unix)]
pub(super) fn heed(mut reread: Reread) -> Heeding {
    use tokio::signal::unix::SignalKind;

    let (on, off) = (reread.guarded(), reread.guarded());
    Heeding(vec![
        each(SignalKind::hangup(), move || reread.now()),
        each(SignalKind::user_defined1(), move || {
            if let Some(Err(error)) = switch(&on).map(KillSwitch::throw) {
                tracing::error!(%error, "the file of the kill switch cannot be written: it is on in this process alone");
            }
            look(&on);
        }),
        each(SignalKind::user_defined2(), move || {
            if let Some(Err(error)) = switch(&off).map(KillSwitch::release) {
                tracing::error!(%error, "the file of the kill switch cannot be removed: it stays on");
            }
            look(&off);
        }),
    ])
}

/// The kill switch, which is the same for all.
#[cfg(unix)]
fn switch(guarded: &[Guarded]) -> Option<&KillSwitch> {
    guarded.first().map(|guarded| guarded.gateway.kill_switch())
}

#[cfg(unix)]
fn look(guarded: &[Guarded]) {
    for Guarded { gateway, .. } in guarded {
        gateway.look_at_the_switch();
    }
}

#[cfg(not(unix))]
pub(super) fn heed(_: Reread) -> Heeding {
    Heeding(Vec::new())
}

#[cfg(unix)]
fn each(kind: tokio::signal::unix::SignalKind, mut act: impl FnMut() + Send + 'static) -> JoinHandle<()> {
    let heard = tokio::signal::unix::signal(kind);
    tokio::spawn(async move {
        match heard {
            Ok(mut signal) => {
                while signal.recv().await.is_some() {
                    act();
                }
            }
            Err(error) => tracing::error!(%error, "a signal cannot be heeded"),
        }
    })
}

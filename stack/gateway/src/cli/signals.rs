//! What signals ask of a gateway that is serving.

use std::path::PathBuf;

use mcp_gateway::{Gateway, PolicyDocument};
use tokio::task::JoinHandle;

/// Heeds signals as long as it is held.
pub(super) struct Heeding(Vec<JoinHandle<()>>);

impl Drop for Heeding {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// SIGHUP reads the policy at `path` anew, SIGUSR1 throws the kill switch, SIGUSR2 releases it.
#[cfg(unix)]
pub(super) fn heed(gateway: Gateway, path: PathBuf) -> Heeding {
    use tokio::signal::unix::SignalKind;

    let (on, off) = (gateway.clone(), gateway.clone());
    Heeding(vec![
        each(SignalKind::hangup(), move || reload(&gateway, &path)),
        each(SignalKind::user_defined1(), move || {
            if let Err(error) = on.kill_switch().throw() {
                tracing::error!(%error, "the file of the kill switch cannot be written: it is on in this process alone");
            }
            on.look_at_the_switch();
        }),
        each(SignalKind::user_defined2(), move || {
            if let Err(error) = off.kill_switch().release() {
                tracing::error!(%error, "the file of the kill switch cannot be removed: it stays on");
            }
            off.look_at_the_switch();
        }),
    ])
}

#[cfg(not(unix))]
pub(super) fn heed(_: Gateway, _: PathBuf) -> Heeding {
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

fn reload(gateway: &Gateway, path: &std::path::Path) {
    let path_shown = path.display();
    match PolicyDocument::read(path) {
        Err(error) => tracing::error!(%error, "the policy `{path_shown}` cannot be read, so the old one stays"),
        Ok(document) => match gateway.reload(&document) {
            Err(error) => tracing::error!("`{path_shown}`: {error}"),
            Ok(reloaded) => {
                for warning in &reloaded.warnings {
                    tracing::warn!("`{path_shown}`: {warning}");
                }
                tracing::info!(policy = reloaded.policy, "`{path_shown}` is in force");
            }
        },
    }
}

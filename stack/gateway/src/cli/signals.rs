//! What signals ask of a gateway that is serving.

use std::path::PathBuf;

use mcp_gateway::{Gateway, KillSwitch, PolicyDocument, reload_together};
use tokio::task::JoinHandle;

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

/// SIGHUP reads the policies anew, SIGUSR1 throws the kill switch, SIGUSR2 releases it.
#[cfg(unix)]
pub(super) fn heed(guarded: &[Guarded]) -> Heeding {
    use tokio::signal::unix::SignalKind;

    let held: Vec<(Gateway, PathBuf)> =
        guarded.iter().map(|guarded| (guarded.gateway.clone(), guarded.server.policy.clone())).collect();
    let (on, off) = (held.clone(), held.clone());
    Heeding(vec![
        each(SignalKind::hangup(), move || reload(&held)),
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
fn switch(held: &[(Gateway, PathBuf)]) -> Option<&KillSwitch> {
    held.first().map(|(gateway, _)| gateway.kill_switch())
}

#[cfg(unix)]
fn look(held: &[(Gateway, PathBuf)]) {
    for (gateway, _) in held {
        gateway.look_at_the_switch();
    }
}

#[cfg(not(unix))]
pub(super) fn heed(_: &[Guarded]) -> Heeding {
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

/// Puts all policies in force that the files hold now, or none.
#[cfg(unix)]
fn reload(held: &[(Gateway, PathBuf)]) {
    let mut read = Vec::new();
    for (gateway, path) in held {
        match PolicyDocument::read(path) {
            Ok(document) => read.push((gateway.clone(), document)),
            Err(error) => {
                let path = path.display();
                tracing::error!(%error, "the policy `{path}` cannot be read, so nothing is changed");
                return;
            }
        }
    }
    let paths: Vec<String> = held.iter().map(|(_, path)| format!("`{}`", path.display())).collect();
    match reload_together(&read) {
        Err(error) => tracing::error!("{}: {error}", paths.join(", ")),
        Ok(reloaded) => {
            for (path, reloaded) in paths.iter().zip(&reloaded) {
                for warning in &reloaded.warnings {
                    tracing::warn!("{path}: {warning}");
                }
                tracing::info!(policy = reloaded.policy, "{path} is in force");
            }
        }
    }
}

//! The kill switch: while it is on, nothing passes but the safety tools that the policy names.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A switch that is on while it was thrown in this process or while its file is there. Clones are the same switch.
///
/// The file is looked for on every call, so that it works from the next call on, for every gateway that was given it, and
/// through a restart. A switch whose file cannot be looked for is on.
#[derive(Debug, Clone, Default)]
pub struct KillSwitch {
    thrown: Arc<AtomicBool>,
    file: Option<Arc<Path>>,
}

impl KillSwitch {
    /// A switch without a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// A switch that is on while there is something at `path`.
    ///
    /// # Errors
    /// There is no folder for the file.
    pub fn with_file(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = std::path::absolute(path.into())?;
        if !folder_of(&path).metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { thrown: Arc::default(), file: Some(path.into()) })
    }

    /// Whether nothing but safety tools may pass.
    pub fn is_on(&self) -> bool {
        self.thrown.load(Ordering::SeqCst) || self.file.as_deref().is_some_and(is_there)
    }

    /// Throws the switch. It is on in this process even if its file cannot be written.
    ///
    /// # Errors
    /// The file cannot be written, so that other processes and the next one know nothing.
    pub fn throw(&self) -> io::Result<()> {
        self.thrown.store(true, Ordering::SeqCst);
        let Some(path) = &self.file else { return Ok(()) };
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)?.sync_all()
    }

    /// Lets calls pass again.
    ///
    /// # Errors
    /// The file cannot be removed: the switch stays on.
    pub fn release(&self) -> io::Result<()> {
        if let Some(path) = &self.file {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.thrown.store(false, Ordering::SeqCst);
        Ok(())
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Anything at the path counts, a broken link too. If the folder itself is gone, nobody can tell.
fn is_there(path: &Path) -> bool {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => folder_of(path).symlink_metadata().is_err(),
        Ok(_) | Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thrown_switch_is_on_until_it_is_released() {
        let switch = KillSwitch::new();
        let same = switch.clone();
        assert!(!switch.is_on());
        same.throw().unwrap();
        assert!(switch.is_on());
        switch.release().unwrap();
        assert!(!same.is_on());
    }

    #[test]
    fn the_file_is_the_switch_for_every_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("halt");
        let (one, other) = (KillSwitch::with_file(&path).unwrap(), KillSwitch::with_file(&path).unwrap());
        one.throw().unwrap();
        assert!(other.is_on());
        other.release().unwrap();
        // Thrown in this process is thrown, until it is released here.
        assert!(one.is_on() && !other.is_on());
        one.release().unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(one.is_on(), "whatever is there counts");
        assert!(one.release().is_err() && one.is_on(), "what cannot be removed stays");
    }

    #[test]
    fn what_cannot_be_told_is_on() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let switch = KillSwitch::with_file(inner.join("halt")).unwrap();
        assert!(!switch.is_on());
        std::fs::remove_dir(&inner).unwrap();
        assert!(switch.is_on());
        assert!(switch.throw().is_err() && switch.is_on());
        assert!(KillSwitch::with_file(inner.join("halt")).is_err());
    }
}

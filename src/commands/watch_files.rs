//! News of files.

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use rogue_harness::watch::Folder;
use tokio::sync::mpsc::UnboundedSender;

use crate::output::Failure;

/// What a person or a file has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Something may have changed.
    Changed,
    /// It is to end.
    Stop,
}

/// Watches folders, and not files: what editors do to a file is often to put another in its place.
pub(super) struct Files {
    watcher: RecommendedWatcher,
}

impl Files {
    pub(super) fn new(news: UnboundedSender<News>) -> Result<Self, Failure> {
        let heard = move |event: notify::Result<notify::Event>| {
            // To read a file is no change, or a look would bring about the next. News that are lost are news.
            if event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                return;
            }
            // Nobody hears it any more when the command ends.
            let _ = news.send(News::Changed);
        };
        let watcher = notify::recommended_watcher(heard)
            .map_err(|error| Failure::Broken(format!("the system does not tell of changes: {error}")))?;
        Ok(Self { watcher })
    }

    /// Watches these too. What is watched already is watched anew: there may be another folder in its place.
    pub(super) fn follow<'f>(&mut self, folders: impl IntoIterator<Item = &'f Folder>) -> Result<(), Failure> {
        for Folder { path, deep } in folders {
            let mode = if *deep { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            match self.watcher.watch(path, mode) {
                Err(error) if path.is_dir() => {
                    let message = format!("`{}` cannot be watched: {error}", path.display());
                    let remedy = "name fewer files, or let the system watch more (Linux: fs.inotify.max_user_watches)";
                    return Err(Failure::usage(message, remedy));
                }
                // It is gone; whoever looks next finds another to watch.
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

//! Notices that a publication's files have changed, once they have come to rest.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{CONTENT, FilesError, SETTINGS_FILE, TEMPLATES, is_scratch};

/// So long must nothing change before the files are read again: a checkout writes many, one after the other.
const STILL: Duration = Duration::from_secs(2);

/// Watches a publication's settings, words and templates, and nothing else.
pub struct Watcher {
    root: PathBuf,
    system: RecommendedWatcher,
    changes: mpsc::Receiver<()>,
}

/// Begins to watch the publication in `root`.
pub fn watch(root: &Path) -> Result<Watcher, FilesError> {
    let root = root.canonicalize().map_err(|cause| FilesError::new("watch", root, cause))?;
    let (sender, changes) = mpsc::channel(1);
    let base = root.clone();
    let hear = move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| is_change(&base, &event)) {
            // A full channel holds the news already.
            let _ = sender.try_send(());
        }
    };
    let mut system = notify::recommended_watcher(hear).map_err(|cause| refuse(&root, cause))?;
    system.watch(&root, RecursiveMode::NonRecursive).map_err(|cause| refuse(&root, cause))?;
    let mut watcher = Watcher { root, system, changes };
    watcher.watch_folders()?;
    Ok(watcher)
}

impl Watcher {
    /// Waits for a change, and then until the files have been still for two seconds.
    ///
    /// A change that comes while nobody waits is kept for the next call. Safe to cancel.
    pub async fn changed(&mut self) -> Result<(), FilesError> {
        settle(&mut self.changes, STILL).await;
        self.watch_folders()
    }

    /// Watches the folders that are there; a new one is seen first as a change in the publication's folder.
    fn watch_folders(&mut self) -> Result<(), FilesError> {
        for folder in [CONTENT, TEMPLATES].map(|name| self.root.join(name)) {
            if folder.is_dir() {
                self.system.watch(&folder, RecursiveMode::Recursive).map_err(|cause| refuse(&folder, cause))?;
            }
        }
        Ok(())
    }
}

fn refuse(path: &Path, cause: notify::Error) -> FilesError {
    let cause = match cause.kind {
        notify::ErrorKind::Io(cause) => cause,
        notify::ErrorKind::MaxFilesWatch => {
            io::Error::other("the system watches no more files (see fs.inotify.max_user_watches)")
        }
        _ => io::Error::other(cause.to_string()),
    };
    FilesError::new("watch", path, cause)
}

/// Waits for one change and then until none has come for `still`.
async fn settle(changes: &mut mpsc::Receiver<()>, still: Duration) {
    if changes.recv().await.is_none() {
        return std::future::pending().await;
    }
    while let Ok(Some(())) = timeout(still, changes.recv()).await {}
}

/// Whether an event can have changed what would be read. Our own reading is an event too, and must not count.
fn is_change(root: &Path, event: &Event) -> bool {
    if matches!(event.kind, EventKind::Access(_)) {
        return false;
    }
    event.need_rescan() || event.paths.iter().any(|path| path.strip_prefix(root).is_ok_and(is_watched))
}

fn is_watched(path: &Path) -> bool {
    let mut names = path.iter().map(|name| name.to_string_lossy());
    match names.next().as_deref() {
        Some(SETTINGS_FILE) => true,
        Some(CONTENT | TEMPLATES) => !names.any(|name| is_scratch(&name)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, ModifyKind};

    use super::*;

    #[track_caller]
    fn check(kind: EventKind, path: &str, expected: bool) {
        let event = Event::new(kind).add_path(Path::new("/home/news").join(path));
        assert_eq!(is_change(Path::new("/home/news"), &event), expected, "{path}");
    }

    #[test]
    fn only_what_would_be_read_counts() {
        let modified = EventKind::Modify(ModifyKind::Any);
        check(modified, "content/2026/an-article.md", true);
        check(modified, "publish.toml", true);
        check(modified, "templates/site/article.html", true);
        check(modified, "content", true);
        check(EventKind::Access(AccessKind::Any), "content/2026/an-article.md", false);
        for path in ["data/pressrun.db", "public/index.html", "target/debug/x", ".git/index", "content/.a.md.swp"] {
            check(modified, path, false);
        }
        check(modified, "content/a.md~", false);
        check(modified, "../elsewhere/content/a.md", false);
    }

    #[tokio::test]
    async fn many_changes_are_one() {
        let (sender, mut changes) = mpsc::channel(8);
        for _ in 0..5 {
            sender.send(()).await.unwrap();
        }
        settle(&mut changes, Duration::from_millis(1)).await;
        assert!(changes.is_empty());
    }

    #[tokio::test]
    async fn a_saved_article_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let mut watcher = watch(folder.path()).unwrap();
        super::super::write_atomically(&folder.path().join("content/an-article.md"), b"text").unwrap();
        watcher.changes.recv().await.unwrap();
        watcher.watch_folders().unwrap();
        while watcher.changes.try_recv().is_ok() {}
        super::super::write_atomically(&folder.path().join("content/an-article.md"), b"other").unwrap();
        assert_eq!(watcher.changes.recv().await, Some(()));
    }
}

//! What can go wrong with a file, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// A file or folder that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} `{}`: {}", path.display(), reason(cause))]
pub struct FilesError {
    /// What was tried, such as `write`.
    act: &'static str,
    /// On what.
    path: PathBuf,
    /// What the operating system said.
    cause: io::Error,
}

impl FilesError {
    /// Names what was tried, and on what.
    pub(super) fn new(act: &'static str, path: &Path, cause: io::Error) -> FilesError {
        FilesError { act, path: path.to_path_buf(), cause }
    }

    /// The same for `map_err`.
    pub(super) fn at(act: &'static str, path: &Path) -> impl Fn(io::Error) -> FilesError {
        move |cause| FilesError::new(act, path, cause)
    }

    /// Why it did not work, as the operating system sorts it.
    pub fn kind(&self) -> io::ErrorKind {
        self.cause.kind()
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self.cause.kind() {
            io::ErrorKind::PermissionDenied => "give yourself the right to it, or choose another folder",
            io::ErrorKind::ReadOnlyFilesystem => "choose a folder that can be written to",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "make room on the disk and try again; nothing was left half written"
            }
            io::ErrorKind::NotFound => "check the path",
            io::ErrorKind::InvalidData => "save the file as UTF-8",
            io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
                "move what is in the way, or choose another path"
            }
            _ => "look at the file and the disk it is on, then try again",
        }
    }
}

/// Says why in a few lower case words, without the operating system's number where the kind says it all.
pub(super) fn reason(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "it is on a read-only disk".to_owned(),
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        io::ErrorKind::QuotaExceeded => "the disk quota is used up".to_owned(),
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::NotADirectory => "a file stands where a folder should be".to_owned(),
        io::ErrorKind::WouldBlock => "another process is using it".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => cause.to_string(),
    }
}

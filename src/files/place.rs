//! Where a file is, and who else is using it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::{FilesError, create_folder};

/// Kept while a file's neighbour is in use; other processes see it. The lock ends with the process.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// Says that something is in use, together with others who say so.
pub fn lock_shared(path: &Path) -> Result<Lock, FilesError> {
    lock(path, File::try_lock_shared)
}

/// Says that something is in use by us alone; refused while anybody else uses it.
pub fn lock_alone(path: &Path) -> Result<Lock, FilesError> {
    lock(path, File::try_lock)
}

fn lock(path: &Path, try_lock: fn(&File) -> Result<(), TryLockError>) -> Result<Lock, FilesError> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    let explain = |cause| FilesError::new("lock", path, cause);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(explain)?;
    try_lock(&file).map_err(|error| explain(error.into()))?;
    Ok(Lock(file))
}

/// The whole path, whatever the present folder is.
pub fn absolute(path: &Path) -> String {
    let whole = path.canonicalize().or_else(|_| std::path::absolute(path));
    whole.as_deref().unwrap_or(path).display().to_string()
}

/// This machine's name.
pub fn host_name() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

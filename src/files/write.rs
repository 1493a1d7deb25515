//! Writes files so that each is there whole or not at all.
#![expect(clippy::disallowed_methods, reason = "this is the door")]

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use super::FilesError;

/// Writes aside in the same folder, which is made if missing, then renames; durable when it returns.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FilesError> {
    let written = replace(path, bytes, File::sync_all).and_then(|()| sync_folder(folder_of(path)));
    written.map_err(FilesError::at("write", path))
}

/// Writes what can be made again, aside and renamed, unless the file says just that already; says whether it wrote.
///
/// Not synced: a file that a power cut empties is seen to differ, and written, the next time.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool, FilesError> {
    let there = fs::metadata(path).is_ok_and(|there| there.is_file() && there.len() == bytes.len() as u64);
    if there && read_if_there(path)?.is_some_and(|there| there == bytes) {
        return Ok(false);
    }
    replace(path, bytes, |_| Ok(())).map_err(FilesError::at("write", path))?;
    Ok(true)
}

/// Reads a file of our own making; none: it is not there.
pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FilesError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(FilesError::new("read", path, cause)),
    }
}

/// How many bytes a secret has at least.
const SECRET: usize = 32;

/// Reads a secret of our own, which only this user may read; the first time, `new` is written there.
pub fn secret_or_new(path: &Path, new: &[u8]) -> Result<Vec<u8>, FilesError> {
    if let Some(secret) = read_if_there(path)? {
        return whole_secret(path, secret);
    }
    let aside = aside(path).map_err(FilesError::at("write", path))?;
    // A link is refused where another process was first; a rename would take that one's place.
    let written = write_new(&aside, 0o600, new, File::sync_all).and_then(|()| fs::hard_link(&aside, path));
    discard(&aside);
    match written {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => Err(FilesError::new("write", path, cause)),
        _ => whole_secret(path, read_if_there(path)?.unwrap_or_default()),
    }
}

/// A secret that was cut short is no secret: links made with it could be made by anybody.
fn whole_secret(path: &Path, secret: Vec<u8>) -> Result<Vec<u8>, FilesError> {
    if secret.len() >= SECRET {
        return Ok(secret);
    }
    let cause =
        io::Error::other(format!("it is shorter than {SECRET} bytes; put back the one that was there, or delete it"));
    Err(FilesError::new("use the key in", path, cause))
}

/// A file that somebody else writes, held open to wait for the disk. An error of an earlier write is told to those who
/// had the file open then.
#[derive(Debug)]
pub struct Synced {
    file: File,
    path: PathBuf,
}

impl Synced {
    /// Opens what stands beside `neighbour`, wherever links lead to, with a name that is longer by `ending`.
    pub fn beside(neighbour: &Path, ending: &str) -> Result<Synced, FilesError> {
        let mut path = neighbour.canonicalize().map_err(FilesError::at("open", neighbour))?.into_os_string();
        path.push(ending);
        let path = PathBuf::from(path);
        let file = File::open(&path).map_err(FilesError::at("open", &path))?;
        Ok(Synced { file, path })
    }

    /// Returns when all that was written before reached the disk.
    pub fn sync(&self) -> Result<(), FilesError> {
        self.file.sync_data().map_err(FilesError::at("write", &self.path))
    }
}

/// Copies a file as it is; durable when it returns.
pub fn copy(from: &Path, to: &Path) -> Result<(), FilesError> {
    fs::copy(from, to)
        .and_then(|_| OpenOptions::new().write(true).open(to)?.sync_all())
        .map_err(FilesError::at("copy", from))
}

/// Gives a finished file its name; durable when it returns.
pub fn rename_durably(from: &Path, to: &Path) -> Result<(), FilesError> {
    fs::rename(from, to).and_then(|()| sync_folder(folder_of(to))).map_err(FilesError::at("write", to))
}

/// Removes a file that may not be there.
pub fn remove_if_there(path: &Path) -> Result<(), FilesError> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(FilesError::new("remove", path, cause)),
        _ => Ok(()),
    }
}

/// Removes a file, and then each folder between it and `within` that this leaves empty. A missing file is removed.
pub fn remove(path: &Path, within: &Path) -> Result<(), FilesError> {
    remove_if_there(path)?;
    let mut folders = path.ancestors().skip(1).take_while(|folder| *folder != within && folder.starts_with(within));
    // The first that is not empty ends it.
    while folders.next().is_some_and(|folder| fs::remove_dir(folder).is_ok()) {}
    Ok(())
}

/// Makes a folder of which other users of this machine see nothing, and those above it.
pub fn create_private_folder(path: &Path) -> Result<(), FilesError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(FilesError::at("make the folder", path))
}

/// Lets nobody but this user read or write a file.
pub fn make_private(path: &Path) -> Result<(), FilesError> {
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(FilesError::at("protect", path))
}

/// Makes a folder and those above it, and says where it really is.
pub fn create_folder(path: &Path) -> Result<PathBuf, FilesError> {
    fs::create_dir_all(path).and_then(|()| path.canonicalize()).map_err(FilesError::at("make the folder", path))
}

fn replace(path: &Path, bytes: &[u8], sync: fn(&File) -> io::Result<()>) -> io::Result<()> {
    let aside = aside(path)?;
    let written = write_new(&aside, 0o666, bytes, sync).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        discard(&aside);
    }
    written
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name in the folder of `path` that nobody else uses: this process's, and a number it gives once.
fn aside(path: &Path) -> io::Result<PathBuf> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    fs::create_dir_all(folder_of(path))?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let aside = folder_of(path).join(format!(".pressrun-{}-{number}.part", process::id()));
    discard(&aside);
    Ok(aside)
}

fn write_new(path: &Path, mode: u32, bytes: &[u8], sync: fn(&File) -> io::Result<()>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    sync(&file)
}

/// Takes away what is left of a try; whether that works matters to nobody.
fn discard(path: &Path) {
    let _ = fs::remove_file(path);
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

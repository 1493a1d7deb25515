//! The files of a publication: the only place that reads or writes them.
//!
//! What is read stays inside the publication: symlinks are followed within their folder, never out of it, and whatever
//! cannot be read is listed as refused, so that one bad file never hides the next. What is written appears whole or not
//! at all. What the bytes mean is for others to say.

mod error;
mod place;
mod read;
mod watch;
mod write;

pub use error::FilesError;
pub use place::{Lock, absolute, host_name, lock_alone, lock_shared};
pub use read::{
    Mails, Refusal, Refused, TextFile, Tree, mails_in, open_stream, read_media, read_secret, read_settings, read_tree,
};
pub use watch::{Watcher, watch};
pub use write::{
    Synced, copy, create_folder, create_private_folder, make_private, read_if_there, remove, remove_if_there,
    rename_durably, secret_or_new, write_atomically, write_if_changed,
};

/// The settings' file, in the publication's folder.
pub const SETTINGS_FILE: &str = "publish.toml";

/// The words and pictures.
pub(crate) const CONTENT: &str = "content";

/// The publication's own look.
pub(crate) const TEMPLATES: &str = "templates";

/// Whether a file of this name is nobody's words: hidden, or left behind by an editor at work.
fn is_scratch(name: &str) -> bool {
    name.starts_with('.')
        || name.ends_with('~')
        || (name.starts_with('#') && name.ends_with('#'))
        || [".swp", ".swx", ".tmp", ".part"].iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests;

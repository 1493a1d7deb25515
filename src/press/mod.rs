//! The publication in memory: its folder becomes a catalog, pages, mails and whatever is wrong with them.
//!
//! An `Edition` is made whole and never changed; a newer one takes its place. `check` prints its diagnostics, `build`
//! writes its pages, `serve` answers with the same bytes. What is owed to whom is left to `publishing`.

mod build;
mod load;
mod mails;
mod site;

pub use build::{Built, build};
pub use load::{Options, load, read_settings};
pub use site::{CachePolicy, Gzip, Site, SitePage};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::config::Settings;
use crate::content::{Article, Catalog};
use crate::diagnostic::{self, Diagnostic, Sources};
use crate::files::{FilesError, SETTINGS_FILE};
use crate::model::Cadence;
use crate::render::{self, Imprint, IssueMail, Occasion, RenderError, Theme};

/// A publication at one moment of its folder.
#[derive(Clone)]
pub struct Edition {
    /// Its folder.
    pub root: PathBuf,
    /// What publish.toml and the environment say.
    pub settings: Arc<Settings>,
    /// All its words.
    pub catalog: Arc<Catalog>,
    /// Its looks.
    pub theme: Arc<Theme>,
    /// Scheme and host where it is read, without a final slash.
    pub base_url: String,
    /// Where readers sign up, if that is another site than the pages'; else empty.
    pub readers_url: String,
    /// Its pages.
    pub site: Site,
    /// Files that are read from the disk when they are asked for, by path of their address, such as
    /// `/media/0123456789abcdef/map.png`.
    pub media: Arc<BTreeMap<String, MediaFile>>,
    /// All that is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that diagnostics point into.
    pub sources: Sources,
    /// When its folder was read.
    pub read_at: DateTime<Utc>,
    /// The moment at which its pages are true.
    pub printed_at: DateTime<Utc>,
    /// A hash of all that it was made from: content, templates, settings and this program.
    pub revision: String,
    /// The same without what each machine has of its own (relays, database, proxies, keys): what issues are made from.
    pub content_revision: String,
}

/// A picture or another file under `content/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// Relative to the publication's folder, for [`crate::files::read_media`].
    pub path: String,
    /// For the header of that name.
    pub content_type: &'static str,
}

/// Why there is no edition at all, or no site written from it.
#[derive(Debug, thiserror::Error)]
pub enum PressError {
    /// The folder has no publish.toml.
    #[error("there is no `{SETTINGS_FILE}` in `{}`", .0.display())]
    NoPublication(PathBuf),
    /// The folder for the site is the publication's own.
    #[error("`{}` is the publication itself or part of it", .0.display())]
    Ours(PathBuf),
    /// A file cannot be read or written.
    #[error(transparent)]
    Files(#[from] FilesError),
}

impl PressError {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            PressError::NoPublication(_) => {
                "make a publication with `pressrun init`, or name one with `--config FOLDER/publish.toml`"
            }
            PressError::Ours(_) => "choose a folder for the site alone, such as `--out public`",
            PressError::Files(error) => error.help(),
        }
    }
}

impl Edition {
    /// Whether anything is wrong that stops a send, and keeps `serve` at the edition before.
    pub fn has_errors(&self) -> bool {
        diagnostic::has_errors(&self.diagnostics)
    }

    /// The same pages, and the problems of a newer folder: while they stand, nothing new is sent.
    pub fn with_problems_of(self, newer: Edition) -> Edition {
        Edition { diagnostics: newer.diagnostics, sources: newer.sources, ..self }
    }

    /// When the site changes next although no file does: a scheduled article comes out.
    pub fn next_change(&self) -> Option<DateTime<Utc>> {
        self.catalog.next_publication(self.printed_at)
    }

    /// The same words, printed again at `now`. A page that cannot be printed keeps the site as it was.
    pub fn at(&self, now: DateTime<Utc>) -> Result<Edition, RenderError> {
        let site = site::compose(&self.imprint(), now)?;
        Ok(Edition { site, printed_at: now, ..self.clone() })
    }

    /// The mail of one article, or the digest of several with the lead first, as `occasion` has it.
    pub fn issue_mail(&self, occasion: Occasion<'_>, articles: &[&Article]) -> Result<IssueMail, RenderError> {
        match (occasion.cadence, articles) {
            (Cadence::Instant, [article]) => render::instant(&self.imprint(), occasion, article),
            _ => render::digest(&self.imprint(), occasion, articles),
        }
    }

    /// What `render` needs to know of it.
    pub fn imprint(&self) -> Imprint<'_> {
        let imprint = Imprint::new(&self.theme, &self.settings, &self.catalog, &self.base_url);
        imprint.with_readers_at(&self.readers_url)
    }
}

#[cfg(test)]
mod tests;

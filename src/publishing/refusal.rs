//! Why nothing was sent, and what to do about it.

use crate::content::Article;
use crate::model::ArticleId;
use crate::render::RenderError;
use crate::store::StoreError;

/// What publishing was asked for, or why nothing was sent.
pub(super) type Result<T> = std::result::Result<T, SendError>;

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The editor can do something about it.
    #[error("{0}")]
    Refused(Refusal),
    /// The words could not be rendered.
    #[error("the mail cannot be rendered: {0}")]
    Compose(#[from] RenderError),
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What stands in the way, and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}: {help}")]
pub struct Refusal {
    /// What stands in the way.
    pub problem: String,
    /// What to do about it.
    pub help: String,
}

/// Stops a send and says what to do.
pub(super) fn refuse<T>(problem: impl Into<String>, help: impl Into<String>) -> Result<T> {
    Err(SendError::Refused(Refusal { problem: problem.into(), help: help.into() }))
}

/// The `id` of an article, without which it is mailed to nobody.
pub(super) fn id_of(article: &Article) -> Result<&ArticleId> {
    let problem = || format!("`{}` cannot be mailed: it has no `id`", article.path);
    article.id.as_ref().map_or_else(|| refuse(problem(), "`pressrun check` says more"), Ok)
}

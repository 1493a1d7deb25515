//! Why nothing was sent, and what to do about it.

use crate::content::Article;
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

impl SendError {
    /// Stops a send and says what to do.
    pub fn refuse(problem: impl Into<String>, help: impl Into<String>) -> SendError {
        SendError::Refused(Refusal { problem: problem.into(), help: help.into() })
    }

    pub(super) fn refused(article: &Article, problem: &str) -> SendError {
        SendError::refuse(format!("`{}` cannot be mailed: {problem}", article.path), "`pressrun check` says more")
    }
}

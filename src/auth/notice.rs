//! Notices: mails that somebody asked for by an act of theirs, made when they are sent, for only then is a token
//! needed.

use crate::model::Sender;
use crate::render::{NoticeMail, RenderError};
use crate::store::StoreError;

/// A notice without its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Who it is from.
    pub from: Sender,
    /// What it says.
    pub mail: NoticeMail,
}

/// Why there is no such mail.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// The key of its token is gone; put it under `old-secrets`.
    #[error("its link was made with a server key that is not in `old-secrets`")]
    KeyGone,
    /// What was chosen is not offered any more.
    #[error("none of the newsletters that it is about is there any more")]
    NothingLeft,
    /// A later version of the program wrote it.
    #[error("this program knows no such notice")]
    Unknown,
    /// What it was made from is not as this program writes it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A template's trouble.
    #[error(transparent)]
    Render(#[from] RenderError),
}

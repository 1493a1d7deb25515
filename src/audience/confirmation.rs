//! The mail that asks a reader to confirm: made when it is sent, for only then is its token needed.

use crate::auth::ServerKeys;
use crate::model::{Newsletter, Sender};
use crate::press::Edition;
use crate::render::{self, ConfirmRequest, RenderError};
use crate::store::Flow;

use super::CONFIRM_WITHIN;
use super::tokens::CONFIRM;

/// A confirmation mail without its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmMail {
    /// Who it is from: the first newsletter that was chosen.
    pub from: Sender,
    /// One line.
    pub subject: String,
    /// The HTML part.
    pub html: String,
    /// The text part.
    pub text: String,
}

/// Why there is no such mail.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmMailError {
    /// The key of its token is gone; put it under `old-secrets`.
    #[error("its link was made with a server key that is not in `old-secrets`")]
    KeyGone,
    /// What was chosen is not offered any more.
    #[error("none of the newsletters that were chosen is there any more")]
    NothingLeft,
    /// A template's trouble.
    #[error(transparent)]
    Render(#[from] RenderError),
}

/// Makes the mail of a sign-up: the same bytes each time, as long as nothing of the publication changes.
pub fn confirm_mail(edition: &Edition, keys: &ServerKeys, flow: &Flow) -> Result<ConfirmMail, ConfirmMailError> {
    let token = keys.sign_again(CONFIRM, &flow.id, &flow.token_hash).ok_or(ConfirmMailError::KeyGone)?;
    let chosen = |newsletter: &&Newsletter| {
        let choice = flow.choices.iter().find(|choice| choice.newsletter == newsletter.id);
        choice.map(|choice| choice.cadence)
    };
    let newsletters = edition.settings.newsletters.iter();
    let subscriptions: Vec<_> = newsletters.filter_map(|one| Some((one, chosen(&one)?))).collect();
    let newsletter: &Newsletter = subscriptions.first().ok_or(ConfirmMailError::NothingLeft)?.0;
    let confirm_address = format!("{}/confirm/{token}", edition.base_url);
    let request = ConfirmRequest {
        subscriptions: &subscriptions,
        confirm_address: &confirm_address,
        requested_at: flow.created_at,
        hours: u32::try_from(CONFIRM_WITHIN.num_hours()).unwrap_or(0),
    };
    let mail = render::confirm(&edition.imprint(), &request)?;
    Ok(ConfirmMail { from: newsletter.from.clone(), subject: mail.subject, html: mail.html, text: mail.text })
}

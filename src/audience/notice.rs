//! The mails that readers ask for, by what their flows are for.

use crate::auth::{Notice, NoticeError, SIGN_IN, ServerKeys, sign_in_notice};
use crate::model::Newsletter;
use crate::press::Edition;
use crate::render::{self, ConfirmRequest};
use crate::store::Flow;

use super::CONFIRM_WITHIN;
use super::tokens::CONFIRM;

/// Makes the notice of a flow: the same bytes each time, as long as nothing of the publication changes.
pub fn notice(edition: &Edition, keys: &ServerKeys, flow: &Flow) -> Result<Notice, NoticeError> {
    let token = keys.sign_again(&flow.purpose, &flow.id, &flow.token_hash).ok_or(NoticeError::KeyGone)?;
    match flow.purpose.as_str() {
        SIGN_IN => sign_in_notice(edition, flow, &token),
        CONFIRM => confirmation(edition, flow, &token),
        _ => Err(NoticeError::Unknown),
    }
}

fn confirmation(edition: &Edition, flow: &Flow, token: &str) -> Result<Notice, NoticeError> {
    let choices = flow.choices()?;
    let chosen = |newsletter: &&Newsletter| {
        let choice = choices.iter().find(|choice| choice.newsletter == newsletter.id);
        choice.map(|choice| choice.cadence)
    };
    let newsletters = edition.settings.newsletters.iter();
    let subscriptions: Vec<_> = newsletters.filter_map(|one| Some((one, chosen(&one)?))).collect();
    let newsletter: &Newsletter = subscriptions.first().ok_or(NoticeError::NothingLeft)?.0;
    let confirm_address = format!("{}/confirm/{token}", edition.base_url);
    let request = ConfirmRequest {
        subscriptions: &subscriptions,
        confirm_address: &confirm_address,
        requested_at: flow.created_at,
        hours: u32::try_from(CONFIRM_WITHIN.num_hours()).unwrap_or(0),
    };
    Ok(Notice {
        from: newsletter.from.clone(),
        mail: render::confirm(&edition.imprint().in_language(&flow.language), &request)?,
    })
}

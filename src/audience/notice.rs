//! The mails that readers ask for, by what their flows are for.

use crate::auth::{Notice, NoticeError, SIGN_IN, ServerKeys, sign_in_notice};
use crate::model::{Cadence, Newsletter, Rhythm, Service, SubscriptionId};
use crate::press::Edition;
use crate::render::{self, ConfirmRequest, Next, WelcomeLine};
use crate::store::{Flow, Welcome};
use crate::zone::Zone;

use super::CONFIRM_WITHIN;
use super::address::{NEW_ADDRESS, OLD_ADDRESS, address_notice};
use super::tokens::{CONFIRM, ERASED, Purpose, WELCOME, subscription_token};

/// Makes the notice of a flow: the same bytes each time, as long as nothing of the publication changes.
pub fn notice(edition: &Edition, keys: &ServerKeys, flow: &Flow) -> Result<Notice, NoticeError> {
    let token = keys.sign_again(&flow.purpose, &flow.id, &flow.token_hash).ok_or(NoticeError::KeyGone)?;
    match flow.purpose.as_str() {
        SIGN_IN => sign_in_notice(edition, flow, &token),
        CONFIRM => confirmation(edition, flow, &token),
        WELCOME => welcome(edition, keys, flow),
        NEW_ADDRESS | OLD_ADDRESS => address_notice(edition, flow, &token),
        ERASED => {
            let from = edition.settings.newsletters.first().ok_or(NoticeError::NothingLeft)?.from.clone();
            let imprint = edition.imprint().in_language(&flow.language);
            Ok(Notice { from, mail: render::erased(&imprint, flow.created_at)? })
        }
        _ => Err(NoticeError::Unknown),
    }
}

fn confirmation(edition: &Edition, flow: &Flow, token: &str) -> Result<Notice, NoticeError> {
    let (_, choices) = flow.sign_up()?;
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

/// What comes when, and the link to choose otherwise. Whatever the subscriptions have become since, the mail is the same
/// in every try.
fn welcome(edition: &Edition, keys: &ServerKeys, flow: &Flow) -> Result<Notice, NoticeError> {
    let Welcome { time_zone, subscriptions } = flow.welcome()?;
    let imprint = edition.imprint().in_language(&flow.language);
    let zone = time_zone.as_deref().and_then(Zone::parse);
    let zone = zone.unwrap_or_else(|| edition.settings.publication.zone.clone());
    let line = |newsletter: &Newsletter| {
        let (id, rhythm) = subscriptions.get(newsletter.id.as_str())?;
        let rhythm = Rhythm::parse(rhythm).unwrap_or(Rhythm::of(Cadence::Instant));
        let service = Service { rhythm, returns_to_instant: false, topics: Vec::new(), paused_until: None };
        let token = subscription_token(keys.current(), Purpose::Preferences, &SubscriptionId::new(id));
        Some(WelcomeLine {
            title: newsletter.title.clone(),
            next: Next::new(&imprint, newsletter, &service, &zone, flow.created_at).sentence,
            preferences_address: format!("{}/preferences/{token}", edition.base_url),
        })
    };
    let newsletters = &edition.settings.newsletters;
    let lines: Vec<WelcomeLine> = newsletters.iter().filter_map(line).collect();
    let first = newsletters.iter().find(|newsletter| subscriptions.contains_key(newsletter.id.as_str()));
    let from = first.ok_or(NoticeError::NothingLeft)?.from.clone();
    Ok(Notice { from, mail: render::welcome(&imprint, lines, flow.created_at)? })
}

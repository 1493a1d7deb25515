//! The mails that readers ask for, and one to editors, by what their flows are for.

use crate::auth::{Notice, NoticeError, SIGN_IN, ServerKeys, sign_in_text};
use crate::model::{Cadence, Newsletter, Rhythm, Service};
use crate::press::Edition;
use crate::render::{self, ConfirmLine, Imprint, Moment, Next, NoticeText, WelcomeLine, rhythm};
use crate::store::{Flow, Stopped, Welcome};
use crate::zone::Zone;

use super::CONFIRM_WITHIN;
use super::address::{NEW_ADDRESS, OLD_ADDRESS, address_text};
use super::bill::{BILLING, bill_text};
use super::tokens::{CONFIRM, ERASED, Purpose, WELCOME, subscription_token};

/// What the flow of a mail to editors is for, whose newsletters have stopped; it has no token.
const STOPPED: &str = "stopped";

/// What a notice says, and the newsletter that it is from.
type Written<'a> = Result<(Option<&'a Newsletter>, NoticeText), NoticeError>;

/// Makes the notice of a flow: the same bytes each time, as long as nothing of the publication changes.
pub fn notice(edition: &Edition, keys: &ServerKeys, flow: &Flow) -> Result<Notice, NoticeError> {
    let token = || keys.sign_again(&flow.purpose, &flow.id, &flow.token_hash).ok_or(NoticeError::KeyGone);
    let (imprint, first) = (edition.imprint().in_language(&flow.language), edition.settings.newsletters.first());
    let (newsletter, text) = match flow.purpose.as_str() {
        SIGN_IN => (first, sign_in_text(&imprint, flow, &token()?)?),
        CONFIRM => confirmation(&imprint, flow, &token()?)?,
        WELCOME => welcome(&imprint, keys, flow)?,
        NEW_ADDRESS | OLD_ADDRESS => (first, address_text(&imprint, flow, &token()?)),
        ERASED => (first, NoticeText::Erased {}),
        BILLING => (first, bill_text(&imprint, flow)?),
        STOPPED => stopped(&imprint, flow)?,
        _ => return Err(NoticeError::Unknown),
    };
    let from = newsletter.ok_or(NoticeError::NothingLeft)?.from.clone();
    Ok(Notice { from, mail: render::notice(&imprint, &text, flow.created_at)? })
}

fn confirmation<'a>(imprint: &Imprint<'a>, flow: &Flow, token: &str) -> Written<'a> {
    let choices = flow.clone().sign_up()?.choices;
    let chosen = |newsletter: &'a Newsletter| {
        let choice = choices.iter().find(|choice| choice.newsletter == newsletter.id);
        choice.map(|choice| (newsletter, choice.cadence))
    };
    let chosen: Vec<(&Newsletter, Cadence)> = imprint.settings.newsletters.iter().filter_map(chosen).collect();
    let line = |(newsletter, cadence): &(&Newsletter, Cadence)| ConfirmLine {
        title: newsletter.title.clone(),
        rhythm: rhythm(imprint.words, newsletter, *cadence, true),
    };
    let text = NoticeText::Confirm {
        subscriptions: chosen.iter().map(line).collect(),
        confirm_address: format!("{}/confirm/{token}", imprint.base_url),
        requested: Moment::new(imprint, flow.created_at),
        hours: CONFIRM_WITHIN.num_hours(),
    };
    Ok((chosen.first().map(|(newsletter, _)| *newsletter), text))
}

/// What comes when, and the link to choose otherwise. Whatever the subscriptions have become since, the mail is the
/// same in every try.
fn welcome<'a>(imprint: &Imprint<'a>, keys: &ServerKeys, flow: &Flow) -> Written<'a> {
    let Welcome { time_zone, subscriptions } = flow.read()?;
    let zone = time_zone.as_deref().and_then(Zone::parse);
    let zone = zone.unwrap_or_else(|| imprint.settings.publication.zone.clone());
    let line = |newsletter: &'a Newsletter| {
        let (id, rhythm) = subscriptions.get(&newsletter.id)?;
        let rhythm = Rhythm::parse(rhythm).unwrap_or(Rhythm::of(Cadence::Instant));
        let service = Service { rhythm, returns_to_instant: false, topics: Vec::new(), paused_until: None };
        let token = subscription_token(keys.current(), Purpose::Preferences, id);
        let line = WelcomeLine {
            title: newsletter.title.clone(),
            next: Next::new(imprint, newsletter, &service, &zone, flow.created_at).sentence,
            preferences_address: format!("{}/preferences/{token}", imprint.base_url),
        };
        Some((newsletter, line))
    };
    let (newsletters, lines): (Vec<_>, Vec<_>) = imprint.settings.newsletters.iter().filter_map(line).unzip();
    Ok((newsletters.first().copied(), NoticeText::Welcome { lines }))
}

/// What editors are told, so that they look at what came back.
fn stopped<'a>(imprint: &Imprint<'a>, flow: &Flow) -> Written<'a> {
    let Stopped { what, newsletters } = flow.read()?;
    let theirs = || imprint.settings.newsletters.iter().filter(|newsletter| newsletters.contains(&newsletter.id));
    let titles: Vec<&str> = theirs().map(|newsletter| newsletter.title.as_str()).collect();
    Ok((theirs().next(), NoticeText::Stopped { what, newsletters: titles.join(", ") }))
}

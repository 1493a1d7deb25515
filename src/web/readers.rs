//! The pages on which readers confirm and leave.
//!
//! A form acts, then leads to the page that says what it did. The answer is the same for every address, and the same
//! for a link that is unknown, used or too old.

use axum::body::Body;
use hyper::body::Incoming;
use hyper::{Response, StatusCode};

use chrono::{DateTime, Utc};

use crate::audience::{self, Purpose};
use crate::auth::Asker;
use crate::clock;
use crate::model::NewsletterId;
use crate::render::{Next, Notice, NoticeKind, ReaderPage, UndoForm, rhythm};
use crate::store::{Choice, Subscription, Unopened};
use crate::zone::Zone;

use super::answer::{self, Secured as _};
use super::form::Form;
use super::notices::{self, NOTICE};
use super::sign_up::SUBSCRIBE;
use super::{Answered, Problem, Visit, cookies, origin};

/// What a confirmation link shows: a button. Looking changes nothing.
pub(super) async fn confirm_page(visit: &Visit, token: &str) -> Answered {
    let flow = visit.asker().awaiting(token).await?.ok_or(Problem::Expired)?;
    let named = |choice: &Choice| (visit.title_of(&choice.newsletter), visit.rhythm_of(choice));
    let mut choices = flow.sign_up()?.choices;
    choices.sort_by_key(|choice| visit.place_of(&choice.newsletter));
    let newsletters = choices.iter().map(named).collect();
    Ok(visit.page(StatusCode::OK, &ReaderPage::Confirm { token: token.to_owned(), newsletters })?.scripted())
}

pub(super) async fn confirm(visit: &Visit, token: &str, body: Incoming) -> Answered {
    let form = visit.own_form(body).await?;
    let link = (token, form.one("time_zone")?.unwrap_or_default());
    let welcome = audience::flow_id(clock::random());
    let confirmed = visit.asker().confirm(&visit.edition.settings, link, welcome).await?;
    let mut confirmed = confirmed.map_err(|why| match why {
        Unopened::Dead => Problem::Expired,
        Unopened::TooManyTries => Problem::TooOften,
    })?;
    confirmed.subscriptions.sort_by_key(|theirs| visit.place_of(&theirs.newsletter));
    let mut notices = Vec::new();
    if confirmed.is_first {
        notices.push(Notice::new(NoticeKind::SignedUp, Vec::new()));
    }
    let names: Vec<String> = confirmed.subscriptions.iter().map(|theirs| visit.title_of(&theirs.newsletter)).collect();
    if !names.is_empty() {
        let zone = visit.zone_named(confirmed.time_zone.as_deref());
        let lines = confirmed.subscriptions.iter().filter_map(|theirs| visit.what_comes(theirs, &zone)).collect();
        notices.push(Notice { lines, ..Notice::new(NoticeKind::Subscribed, names) });
    }
    Ok(visit.after(SUBSCRIBE, &notices))
}

/// What a goodbye link shows: a button; or, after it was pressed, what it did. Looking changes nothing.
pub(super) async fn leave_page(visit: &Visit, token: &str) -> Answered {
    let subscription = visit.asker().holder(Purpose::Leave, token).await?.ok_or(Problem::NobodysLeave)?;
    let notices = visit.brought(&visit.path);
    let page = if notices.is_empty() {
        let newsletter = visit.title_of(&subscription.newsletter);
        ReaderPage::Unsubscribe { token: token.to_owned(), newsletter }
    } else {
        ReaderPage::Notices { notices }
    };
    visit.shown_once(visit.page(StatusCode::OK, &page))
}

/// Ends a subscription: at once and without a redirect for a mail program's own button (RFC 8058, 3.1 and 3.2), which
/// sends no cookie and comes from no page of ours; for our page's button with a notice; or takes that back.
pub(super) async fn leave(visit: &Visit, token: &str, body: Incoming) -> Answered {
    let form = Form::read(&visit.headers, body).await?;
    let asker = visit.asker();
    if form.one("List-Unsubscribe")? == Some("One-Click") {
        visit.held_by(asker.leave(token).await?).await?;
        return Ok(answer::text(StatusCode::OK, "You have left. Nothing more is sent.\n"));
    }
    visit.must_be_own()?;
    if let Some(undo) = form.one("token")? {
        let theirs = asker.holder(Purpose::Leave, token).await?.ok_or(Problem::Expired)?;
        return visit.come_back(&theirs, undo).await;
    }
    let subscription = visit.held_by(asker.leave(token).await?).await?;
    let names = vec![visit.title_of(&subscription.newsletter)];
    let undo = visit.undo_form(&visit.path, &subscription, asker.now);
    Ok(visit.after(&visit.path, &[Notice { undo, ..Notice::new(NoticeKind::Left, names) }]))
}

impl Visit {
    /// Whoever asks, at this moment.
    pub(super) fn asker(&self) -> Asker<'_> {
        Asker { store: &self.state.store, keys: &self.state.keys, client: self.client, now: clock::now() }
    }

    pub(super) fn is_https(&self) -> bool {
        self.state.base_url.scheme() == "https"
    }

    /// Whether the form was sent from this site.
    pub(super) fn is_own(&self) -> bool {
        origin::is_own(&self.headers, self.state.base_url.scheme(), &self.host)
    }

    pub(super) fn must_be_own(&self) -> Result<(), Problem> {
        if self.is_own() { Ok(()) } else { Err(Problem::Foreign) }
    }

    /// Takes a goodbye back, and says so on the page of that goodbye.
    pub(super) async fn come_back(&self, theirs: &Subscription, undo: &str) -> Answered {
        let undone = self.asker().undo(theirs, undo).await?;
        if undone.is_empty() {
            return Err(Problem::Expired);
        }
        let names = undone.iter().map(|newsletter| self.title_of(newsletter)).collect();
        Ok(self.after(&self.path, &[Notice::new(NoticeKind::Subscribed, names)]))
    }

    /// Only the goodbye that was said just now is offered to be taken back; an earlier one may have been said by
    /// somebody else, and what never was active cannot be gone back to.
    pub(super) fn undo_form(&self, action: &str, theirs: &Subscription, now: DateTime<Utc>) -> Option<UndoForm> {
        theirs.activated_at?;
        let ended_at = theirs.ended_at.filter(|ended_at| *ended_at == now)?;
        let token = audience::undo_token(&self.state.keys, &theirs.id, ended_at);
        Some(UndoForm { action: action.to_owned(), token })
    }

    /// What a link in an issue stands for; one that we did not make counts against whoever posts it.
    pub(super) async fn held_by(&self, subscription: Option<Subscription>) -> Result<Subscription, Problem> {
        if let Some(subscription) = subscription {
            return Ok(subscription);
        }
        let may_go_on = self.asker().forged().await?;
        Err(if may_go_on { Problem::NobodysLeave } else { Problem::TooOften })
    }

    pub(super) fn title_of(&self, newsletter: &NewsletterId) -> String {
        let known = self.edition.settings.newsletter(newsletter);
        known.map_or_else(|| newsletter.to_string(), |newsletter| newsletter.title.clone())
    }

    /// Where a newsletter stands in the settings, and so in the form.
    fn place_of(&self, newsletter: &NewsletterId) -> usize {
        let place = self.edition.settings.newsletters.iter().position(|known| known.id == *newsletter);
        place.unwrap_or(usize::MAX)
    }

    /// What comes next of a newsletter, and when, in a sentence.
    fn what_comes(&self, theirs: &Subscription, zone: &Zone) -> Option<String> {
        let newsletter = self.edition.settings.newsletter(&theirs.newsletter)?;
        let next = Next::new(&self.imprint(), newsletter, &theirs.service, zone, clock::now());
        Some(format!("{}: {}", newsletter.title, next.sentence))
    }

    fn rhythm_of(&self, choice: &Choice) -> String {
        let known = self.edition.settings.newsletter(&choice.newsletter);
        known.map_or_else(String::new, |newsletter| rhythm(self.words(), newsletter, choice.cadence, true))
    }

    pub(super) fn brought(&self, place: &str) -> Vec<Notice> {
        notices::brought(&self.state.keys, &self.headers, self.is_https(), place, clock::now())
    }

    /// To the page that says what was done.
    pub(super) fn after(&self, place: &str, done: &[Notice]) -> Response<Body> {
        let page = place.split('?').next().unwrap_or(place);
        let cookie = notices::carry(&self.state.keys, self.is_https(), page, done, clock::now());
        answer::see_other(place).with_cookie(&cookie)
    }

    /// Takes away the notices that a page has shown.
    pub(super) fn shown_once(&self, answered: Answered) -> Answered {
        let are_carried = self.cookie(NOTICE).is_some();
        let clear = cookies::take_away(self.is_https(), NOTICE);
        answered.map(|page| if are_carried { page.with_cookie(&clear) } else { page })
    }
}

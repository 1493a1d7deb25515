//! The pages on which readers sign up, confirm and leave.
//!
//! A form acts, then leads to the page that says what it did. The answer is the same for every address, and the same
//! for a link that is unknown, used or too old.

use axum::body::Body;
use hyper::body::Incoming;
use hyper::{Response, StatusCode};

use chrono::{DateTime, Utc};

use crate::audience::{self, Purpose, Request};
use crate::auth;
use crate::clock;
use crate::model::{AddressError, Cadence, EmailAddress, NewsletterId};
use crate::render::{FieldError, Notice, NoticeKind, ReaderPage, SignUp, UndoForm, rhythm};
use crate::store::{Choice, Subscription, Unconfirmed};

use super::answer::{self, Secured as _};
use super::form::Form;
use super::{Answered, Problem, Visit, notices, origin};

const SUBSCRIBE: &str = "/subscribe";
/// As much of a wrong address as is shown again.
pub(super) const LONGEST_ECHO: usize = 320;

/// The sign-up form; or, after signing up or confirming, only what that did.
pub(super) fn subscribe_page(visit: &Visit) -> Answered {
    let notices = visit.brought(SUBSCRIBE);
    let page = if notices.is_empty() {
        let sign_up = SignUp::new(&visit.imprint());
        ReaderPage::Subscribe { sign_up, email: String::new(), errors: Vec::new() }
    } else {
        ReaderPage::Notices { notices }
    };
    visit.shown_once(visit.page(StatusCode::OK, &page))
}

pub(super) async fn sign_up(visit: &Visit, body: Incoming) -> Answered {
    visit.must_be_own()?;
    let form = Form::read(&visit.headers, body).await?;
    form.only(&["email", "name", "newsletter", "cadence"])?;
    let request = match read_request(visit, &form)? {
        Ok(request) => request,
        Err(errors) => return wrong_form(visit, &form, errors),
    };
    let (store, keys) = (&visit.state.store, &visit.state.keys);
    visit.heard(audience::sign_up(store, keys, request, visit.client, clock::now(), clock::random()).await?)?;
    let notice = Notice { kind: NoticeKind::CheckYourMail, names: Vec::new(), undo: None };
    Ok(visit.after(SUBSCRIBE, &[notice]))
}

/// What the form asks for, or what has to be put right in it.
fn read_request(visit: &Visit, form: &Form) -> Result<Result<Request, Vec<FieldError>>, Problem> {
    let mut errors = Vec::new();
    let mut wrong = |field, key| errors.push(FieldError { field, message: visit.words().say(key, &[]) });
    let email = EmailAddress::parse(form.one("email")?.unwrap_or_default());
    let email = email.map_err(|error| wrong("email", email_key(error))).ok();
    let name = audience::clean_name(form.one("name")?.unwrap_or_default());
    let name = name.map_err(|_| wrong("name", "name-wrong")).ok();
    let cadence = match form.one("cadence")? {
        None | Some("") => Ok(None),
        Some(word) => Cadence::parse(word).map(Some).ok_or(()),
    };
    let cadence = cadence.map_err(|()| wrong("cadence", "cadence-unknown")).ok();
    let choices = choices(visit, form, cadence.flatten());
    let choices = choices.map_err(|key| wrong("newsletter", key)).ok();
    let (Some(email), Some(name), Some(_), Some(choices)) = (email, name, cadence, choices) else {
        return Ok(Err(errors));
    };
    Ok(Ok(Request { email, name, choices, language: visit.words().language() }))
}

/// Our own form always posts the field, if only empty: then nothing was ticked. A form that does not know the field
/// asks for the first newsletter.
fn choices(visit: &Visit, form: &Form, cadence: Option<Cadence>) -> Result<Vec<Choice>, &'static str> {
    let offered: Vec<_> = audience::offered(&visit.edition.settings).collect();
    let mut wanted: Vec<NewsletterId> =
        form.all("newsletter").filter(|id| !id.is_empty()).map(NewsletterId::new).collect();
    wanted.sort();
    wanted.dedup();
    if wanted.is_empty() && form.all("newsletter").next().is_some() {
        return Err("newsletter-none");
    }
    if wanted.is_empty() {
        wanted.extend(offered.first().map(|first| first.id.clone()));
    }
    let find = |id: &NewsletterId| offered.iter().find(|newsletter| newsletter.id == *id);
    let choice = |id| find(id).map(|newsletter| audience::choice(newsletter, cadence));
    let choices: Option<Vec<Choice>> = wanted.iter().map(choice).collect();
    choices.filter(|choices| !choices.is_empty()).ok_or("newsletter-unknown")
}

/// The form again, with what was typed and what is wrong with it.
fn wrong_form(visit: &Visit, form: &Form, errors: Vec<FieldError>) -> Answered {
    let mut sign_up = SignUp::new(&visit.imprint());
    let chosen: Vec<&str> = form.all("newsletter").collect();
    for newsletter in &mut sign_up.newsletters {
        newsletter.is_chosen = chosen.contains(&newsletter.id.as_str());
    }
    if let Some(cadence) = form.one("cadence")?.and_then(Cadence::parse) {
        for offered in &mut sign_up.cadences {
            offered.is_chosen = offered.value == cadence.as_str();
        }
    }
    let email = form.one("email")?.unwrap_or_default().chars().take(LONGEST_ECHO).collect();
    let page = ReaderPage::Subscribe { sign_up, email, errors };
    visit.page(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

pub(super) fn email_key(error: AddressError) -> &'static str {
    match error {
        AddressError::Empty => "email-empty",
        AddressError::TooLong => "email-too-long",
        AddressError::Malformed => "email-malformed",
        AddressError::Domain => "email-domain",
    }
}

/// What a confirmation link shows: a button. Looking changes nothing.
pub(super) async fn confirm_page(visit: &Visit, token: &str) -> Answered {
    let flow = audience::awaiting(&visit.state.store, token, clock::now()).await?.ok_or(Problem::Expired)?;
    let named = |choice: &Choice| (visit.title_of(&choice.newsletter), visit.rhythm_of(choice));
    let newsletters = visit.in_order(&flow.choices()?).into_iter().map(named).collect();
    visit.page(StatusCode::OK, &ReaderPage::Confirm { token: token.to_owned(), newsletters })
}

pub(super) async fn confirm(visit: &Visit, token: &str) -> Answered {
    visit.must_be_own()?;
    let (store, keys, settings) = (&visit.state.store, &visit.state.keys, &visit.edition.settings);
    let confirmed = audience::confirm(store, keys, settings, token, visit.client, clock::now()).await?;
    let confirmed = confirmed.map_err(|why| match why {
        Unconfirmed::Dead => Problem::Expired,
        Unconfirmed::TooManyTries => Problem::TooOften,
    })?;
    let title = |choice: &Choice| visit.title_of(&choice.newsletter);
    let names: Vec<String> = visit.in_order(&confirmed.choices).into_iter().map(title).collect();
    let mut notices = Vec::new();
    if confirmed.is_first {
        notices.push(Notice { kind: NoticeKind::SignedUp, names: Vec::new(), undo: None });
    }
    if !names.is_empty() {
        notices.push(Notice { kind: NoticeKind::Subscribed, names, undo: None });
    }
    Ok(visit.after(SUBSCRIBE, &notices))
}

/// What a goodbye link shows: a button; or, after it was pressed, what it did. Looking changes nothing.
pub(super) async fn leave_page(visit: &Visit, token: &str) -> Answered {
    let (store, keys) = (&visit.state.store, &visit.state.keys);
    let subscription = audience::holder(store, keys, Purpose::Leave, token).await?.ok_or(Problem::NobodysLeave)?;
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
    let (store, keys, now) = (&visit.state.store, &visit.state.keys, clock::now());
    if form.one("List-Unsubscribe")? == Some("One-Click") {
        visit.held_by(audience::leave(store, keys, token, now).await?).await?;
        return Ok(answer::text(StatusCode::OK, "You have left. Nothing more is sent.\n"));
    }
    visit.must_be_own()?;
    if let Some(undo) = form.one("token")? {
        let theirs = audience::holder(store, keys, Purpose::Leave, token).await?.ok_or(Problem::Expired)?;
        return visit.come_back(&theirs, undo).await;
    }
    let subscription = visit.held_by(audience::leave(store, keys, token, now).await?).await?;
    let names = vec![visit.title_of(&subscription.newsletter)];
    let undo = visit.undo_form(&visit.path, &subscription, now);
    Ok(visit.after(&visit.path, &[Notice { kind: NoticeKind::Left, names, undo }]))
}

impl Visit {
    pub(super) fn is_https(&self) -> bool {
        self.state.base_url.scheme() == "https"
    }

    pub(super) fn must_be_own(&self) -> Result<(), Problem> {
        let is_own = origin::is_own(&self.headers, self.state.base_url.scheme(), &self.host);
        if is_own { Ok(()) } else { Err(Problem::Foreign) }
    }

    /// Takes a goodbye back, and says so on the page of that goodbye.
    pub(super) async fn come_back(&self, theirs: &Subscription, undo: &str) -> Answered {
        let undone = audience::undo(&self.state.store, &self.state.keys, theirs, undo, clock::now()).await?;
        if undone.is_empty() {
            return Err(Problem::Expired);
        }
        let names = undone.iter().map(|newsletter| self.title_of(newsletter)).collect();
        Ok(self.after(&self.path, &[Notice { kind: NoticeKind::Subscribed, names, undo: None }]))
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
        let may_go_on = auth::forged(&self.state.store, &self.state.keys, self.client, clock::now()).await?;
        Err(if may_go_on { Problem::NobodysLeave } else { Problem::TooOften })
    }

    pub(super) fn title_of(&self, newsletter: &NewsletterId) -> String {
        let known = self.edition.settings.newsletter(newsletter);
        known.map_or_else(|| newsletter.to_string(), |newsletter| newsletter.title.clone())
    }

    /// The newsletters in the order of the settings, as the form offers them.
    fn in_order<'a>(&self, choices: &'a [Choice]) -> Vec<&'a Choice> {
        let place = |choice: &&Choice| {
            self.edition.settings.newsletters.iter().position(|newsletter| newsletter.id == choice.newsletter)
        };
        let mut choices: Vec<&Choice> = choices.iter().collect();
        choices.sort_by_key(|choice| place(choice).unwrap_or(usize::MAX));
        choices
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
        let cookie = notices::carry(&self.state.keys, self.is_https(), place, done, clock::now());
        answer::see_other(place).with_cookie(&cookie)
    }

    /// Takes away the notices that a page has shown.
    pub(super) fn shown_once(&self, answered: Answered) -> Answered {
        let are_carried = notices::are_carried(&self.headers, self.is_https());
        let clear = notices::clear(self.is_https());
        answered.map(|page| if are_carried { page.with_cookie(&clear) } else { page })
    }
}

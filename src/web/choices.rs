//! The page that a link in each issue leads to: how often, what about, when, a pause, and leaving.
//!
//! Whoever has the link may change the mail, and nothing else of the person.

use axum::body::Body;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc, Weekday};
use hyper::body::Incoming;
use hyper::{Response, StatusCode};

use crate::audience::{self, Purpose};
use crate::clock;
use crate::model::{Cadence, Choices, Newsletter, SubscriptionState};
use crate::render::{ChoicesForm, FieldError, Notice, NoticeKind, Preferences, ReaderPage};
use crate::store::{Subscriber, Subscription};
use crate::zone::Zone;

use super::answer::Secured as _;
use super::form::Form;
use super::{Answered, Problem, Visit};

/// The link's page; or, after a form, what that did.
pub(super) async fn preferences_page(visit: &Visit, token: &str) -> Answered {
    let theirs = held(visit, token).await?.ok_or(Problem::NobodysLeave)?;
    let notices = visit.brought(&visit.path);
    visit.shown_once(show(visit, &theirs, notices, Vec::new()).await)
}

/// One of the page's buttons: save, less often, leave this or everything, or take a goodbye back.
pub(super) async fn preferences(visit: &Visit, token: &str, body: Incoming) -> Answered {
    let form = visit.own_form(body).await?;
    let theirs = visit.held_by(held(visit, token).await?).await?;
    if let Some(undo) = form.one("token")? {
        return visit.come_back(&theirs, undo).await;
    }
    match form.one("act")? {
        Some("save") => save(visit, theirs, &form).await,
        Some("rarer") => {
            keep(visit, &theirs, |choices| Choices { cadence: Cadence::Weekly, ..choices }, "link").await?;
            Ok(visit.saved(&visit.path))
        }
        Some("leave") => leave(visit, &theirs, false).await,
        Some("leave-all") => leave(visit, &theirs, true).await,
        _ => Err(Problem::Malformed),
    }
}

async fn save(visit: &Visit, theirs: Subscription, form: &Form) -> Answered {
    let person = visit.person(&theirs).await?;
    match read_choices(form, &visit.zone_of(&person), clock::now())? {
        Some(choices) => {
            keep(visit, &theirs, |_| choices, "link").await?;
            Ok(visit.saved(&visit.path))
        }
        None => {
            let errors = vec![visit.wrong("pause", "choices-pause-wrong")];
            Ok(show(visit, &theirs, Vec::new(), errors).await?.with_status(StatusCode::UNPROCESSABLE_ENTITY))
        }
    }
}

async fn leave(visit: &Visit, theirs: &Subscription, is_all: bool) -> Answered {
    let (store, now) = (&visit.state.store, clock::now());
    let key = visit.person(theirs).await?.email_key;
    let newsletter = (!is_all).then(|| theirs.newsletter.clone());
    let ended = store.unsubscribe(key, newsletter, "link", now).await?;
    let names = ended.iter().map(|newsletter| visit.title_of(newsletter)).collect();
    let left = store.subscription(&theirs.id).await?;
    let undo = left.and_then(|left| visit.undo_form(&visit.path, &left, now));
    Ok(visit.after(&visit.path, &[Notice { undo, ..Notice::new(NoticeKind::Left, names) }]))
}

/// Keeps what `choose` makes of the choices so far, as far as the newsletter offers it.
pub(super) async fn keep(
    visit: &Visit,
    theirs: &Subscription,
    choose: impl FnOnce(Choices) -> Choices + Send + 'static,
    source: &'static str,
) -> Result<(), Problem> {
    let newsletter = newsletter_of(visit, theirs)?.clone();
    let now = clock::now();
    let choose = move |choices| audience::offered_choices(&newsletter, choose(choices), now);
    visit.state.store.choose(theirs.id.clone(), choose, source, now).await?.ok_or(Problem::Expired).map(drop)
}

async fn held(visit: &Visit, token: &str) -> Result<Option<Subscription>, Problem> {
    Ok(visit.asker().holder(Purpose::Preferences, token).await?)
}

async fn show(visit: &Visit, theirs: &Subscription, notices: Vec<Notice>, errors: Vec<FieldError>) -> Answered {
    let person = visit.person(theirs).await?;
    let is_other = |other: &&Subscription| other.id != theirs.id && other.state == SubscriptionState::Active;
    let form = match theirs.state {
        SubscriptionState::Active => Some(choices_form(visit, theirs, &visit.zone_of(&person), &visit.path)?),
        _ => None,
    };
    let page = Preferences {
        notices,
        newsletter: visit.title_of(&theirs.newsletter),
        form,
        has_others: person.subscriptions.iter().any(|other| is_other(&other)),
        errors,
    };
    visit.page(StatusCode::OK, &ReaderPage::Preferences(Box::new(page)))
}

/// The form about one subscription; a newsletter that is gone has none.
pub(super) fn choices_form(
    visit: &Visit,
    theirs: &Subscription,
    zone: &Zone,
    action: &str,
) -> Result<ChoicesForm, Problem> {
    let newsletter = newsletter_of(visit, theirs)?;
    Ok(ChoicesForm::new(&visit.imprint(), newsletter, &theirs.service, zone, action, clock::now()))
}

fn newsletter_of<'v>(visit: &'v Visit, theirs: &Subscription) -> Result<&'v Newsletter, Problem> {
    visit.edition.settings.newsletter(&theirs.newsletter).ok_or(Problem::Expired)
}

/// What the fields of a [`ChoicesForm`] say; none if the day is none, or over.
pub(super) fn read_choices(form: &Form, zone: &Zone, now: DateTime<Utc>) -> Result<Option<Choices>, Problem> {
    let cadence = form.one("cadence")?.and_then(Cadence::parse).ok_or(Problem::Malformed)?;
    let hour = form.one("hour")?.map(|hour| hour.parse::<u32>().map_err(|_| Problem::Malformed)).transpose()?;
    let weekday = form.one("weekday")?.map(|day| day.parse::<Weekday>().map_err(|_| Problem::Malformed)).transpose()?;
    let topics = form.all("topic").map(str::to_owned).collect();
    let paused_until = match form.one("pause")?.map(str::trim).filter(|day| !day.is_empty()) {
        None => None,
        Some(day) => {
            let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok();
            let until = day.map(|day| zone.to_instant(day.and_time(NaiveTime::MIN))).filter(|until| *until > now);
            let Some(until) = until else { return Ok(None) };
            Some(until)
        }
    };
    Ok(Some(Choices { cadence, hour, weekday, topics, paused_until }))
}

impl Visit {
    /// To a page that says that what was chosen is kept.
    pub(super) fn saved(&self, place: &str) -> Response<Body> {
        self.after(place, &[Notice::new(NoticeKind::Saved, Vec::new())])
    }

    /// Whose subscription this is.
    async fn person(&self, theirs: &Subscription) -> Result<Subscriber, Problem> {
        self.state.store.subscriber(&theirs.subscriber).await?.ok_or(Problem::Expired)
    }

    /// Whose clock the hours are read from that a person chooses.
    pub(super) fn zone_of(&self, person: &Subscriber) -> Zone {
        self.zone_named(person.details[0].as_deref())
    }

    /// A zone by its name, else the publication's.
    pub(super) fn zone_named(&self, name: Option<&str>) -> Zone {
        name.and_then(Zone::parse).unwrap_or_else(|| self.edition.settings.publication.zone.clone())
    }
}

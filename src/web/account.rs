//! The account of a reader who has signed in: what they get and who they are, their data, and signing out.

use std::sync::Arc;

use chrono::Duration;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::CONTENT_DISPOSITION;

use crate::audience;
use crate::auth;
use crate::billing;
use crate::clock;
use crate::model::{
    self, InvoiceState, MembershipState, Newsletter, NewsletterId, Reading, SubscriberId, SubscriptionState,
};
use crate::render::{
    AccountPage, BoughtPart, FieldError, MembershipPart, Moment, NamedAddress, Notice, NoticeKind, Offer, ReaderPage,
    SessionLine, Words, price_each,
};
use crate::store::{Membership, Person, Session, Subscriber, Subscription};
use crate::zone::Zone;

use super::answer::{self, Secured as _};
use super::choices::{choices_form, keep, read_choices};
use super::sign_in::SESSION;
use super::{Answered, Problem, Visit, cookies};

pub(super) const ACCOUNT: &str = "/account";
const SUBSCRIPTIONS: &str = "/account/subscriptions";

/// How many of the next mails are told.
const NEXT_MAILS: usize = 4;
/// How long ago somebody may have signed in who does what cannot be undone (OWASP ASVS 5.0, 7.5.1).
const RECENTLY: Duration = Duration::minutes(10);

/// Who the reader is, what they get, and where they are signed in.
pub(super) async fn page(visit: &Visit) -> Answered {
    let reader = visit.must_be_signed_in().await?;
    let notices = visit.brought(ACCOUNT);
    visit.shown_once(show(visit, &reader, notices, (StatusCode::OK, Vec::new())).await)
}

pub(super) async fn show(
    visit: &Visit,
    reader: &Session,
    notices: Vec<Notice>,
    (status, errors): (StatusCode, Vec<FieldError>),
) -> Answered {
    let (imprint, now) = (visit.imprint(), clock::now());
    let person = visit.person_of(reader).await?;
    let zone = visit.zone_of(&person);
    let active: Vec<&Subscription> =
        person.subscriptions.iter().filter(|theirs| theirs.state == SubscriptionState::Active).collect();
    let form = |theirs: &&Subscription| choices_form(visit, theirs, &zone, SUBSCRIPTIONS).ok();
    let is_other = |other: &&Newsletter| active.iter().all(|theirs| theirs.newsletter != other.id);
    let reading = visit.state.store.reading(&reader.subscriber, now).await?;
    let is_member = reading.opens != Reading::ANYBODY.opens;
    let others = audience::offered_to(&visit.edition.settings, reading).filter(is_other);
    let memberships = visit.state.store.memberships(&reader.subscriber).await?;
    let sessions = auth::sessions(&visit.state.store, &reader.subscriber, now).await?;
    let line = |session: Session| SessionLine {
        is_this: session.id == reader.id,
        id: session.id,
        browser: session.browser,
        signed_in: Moment::at(&imprint, session.signed_in_at, &zone),
        seen: Moment::at(&imprint, session.seen_at, &zone),
    };
    let page = AccountPage {
        notices,
        email: person.email.clone(),
        name: person.name.clone().unwrap_or_default(),
        zones: zones(&zone),
        languages: languages(visit, person.details[1].as_deref()),
        membership: membership(visit, memberships, &zone).await?,
        sells: visit.state.till.is_some() && visit.edition.settings.sells(),
        feed: if is_member { Some(visit.feed_of(&reader.subscriber).await?) } else { None },
        next_mails: next_mails(visit, &active, &zone),
        newsletters: active.iter().filter_map(form).collect(),
        others: others.map(|other| NamedAddress::new(&other.title, other.id.as_str())).collect(),
        is_recent: is_recent(reader),
        errors,
        sessions: sessions.into_iter().map(line).collect(),
    };
    visit.page(status, &ReaderPage::Account(Box::new(page)))
}

fn zones(theirs: &Zone) -> Vec<Offer> {
    let mut names: Vec<&str> = Zone::names().collect();
    names.sort_unstable();
    names.into_iter().map(|name| Offer::new(name, name.replace('_', " "), name == theirs.name())).collect()
}

fn languages(visit: &Visit, theirs: Option<&str>) -> Vec<Offer> {
    let chosen = theirs.and_then(|theirs| visit.edition.theme.words(theirs)).unwrap_or(visit.words()).language();
    let offer =
        |words: &Arc<Words>| Offer::new(words.language(), words.say("language-name", &[]), words.language() == chosen);
    visit.edition.theme.all_words().map(offer).collect()
}

/// When the next mails come, in the reader's own time.
fn next_mails(visit: &Visit, active: &[&Subscription], zone: &Zone) -> Vec<(String, String)> {
    let (imprint, now) = (visit.imprint(), clock::now());
    let known =
        active.iter().filter_map(|theirs| Some((visit.edition.settings.newsletter(&theirs.newsletter)?, *theirs)));
    let scheduled = |newsletter: &NewsletterId| {
        let articles = visit.edition.catalog.articles.iter().filter(|article| !article.draft);
        let theirs = articles.filter(|article| article.newsletters.contains(newsletter));
        theirs.filter_map(|article| Some((article.date.filter(|date| *date > now)?, &article.tags[..]))).collect()
    };
    let mails = model::next_mails(known.map(|(known, theirs)| (known, &theirs.service)), scheduled, now, NEXT_MAILS);
    mails.into_iter().map(|(at, of)| (Moment::at(&imprint, at, zone).minute, of.title.clone())).collect()
}

/// Keeps who the reader is; or takes a goodbye back.
pub(super) async fn keep_person(visit: &Visit, body: Incoming) -> Answered {
    let form = visit.own_form(body).await?.only(&["name", "time_zone", "language", "token"])?;
    let reader = visit.must_be_signed_in().await?;
    if let Some(undo) = form.one("token")? {
        let left = visit.person_of(&reader).await?.subscriptions;
        let undone = left.iter().find(|theirs| visit.undo_is_for(theirs, undo)).ok_or(Problem::Expired)?;
        return visit.come_back(undone, undo).await;
    }
    let Ok(name) = audience::clean_name(form.one("name")?.unwrap_or_default()) else {
        let errors = vec![visit.wrong("name", "name-wrong")];
        return show(visit, &reader, Vec::new(), (StatusCode::UNPROCESSABLE_ENTITY, errors)).await;
    };
    let time_zone = audience::known_zone(form.one("time_zone")?.unwrap_or_default()).ok_or(Problem::Malformed)?;
    let language =
        form.one("language")?.and_then(|asked| visit.edition.theme.words(asked)).ok_or(Problem::Malformed)?;
    let person = Person { name, time_zone: Some(time_zone), language: Some(language.language()) };
    visit.state.store.keep_person(reader.subscriber, person, clock::now()).await?;
    Ok(visit.saved(ACCOUNT))
}

/// One of the buttons about a newsletter: save, leave, or get another.
pub(super) async fn subscriptions(visit: &Visit, body: Incoming) -> Answered {
    let form = visit.own_form(body).await?;
    let reader = visit.must_be_signed_in().await?;
    let newsletter = NewsletterId::new(form.one("newsletter")?.unwrap_or_default());
    let (person, store, now) = (visit.person_of(&reader).await?, &visit.state.store, clock::now());
    let theirs = person.subscriptions.iter().find(|theirs| theirs.newsletter == newsletter);
    let names = vec![visit.title_of(&newsletter)];
    match (form.one("act")?, theirs) {
        (Some("save"), Some(theirs)) => match read_choices(&form, &visit.zone_of(&person), now)? {
            Some(choices) => {
                keep(visit, theirs, |_| choices, "account").await?;
                Ok(visit.saved(ACCOUNT))
            }
            None => {
                let wrong = (StatusCode::UNPROCESSABLE_ENTITY, vec![visit.wrong("pause", "choices-pause-wrong")]);
                show(visit, &reader, Vec::new(), wrong).await
            }
        },
        (Some("leave"), Some(theirs)) => {
            let left = store.leave(theirs.id.clone(), "account", now).await?.ok_or(Problem::Expired)?;
            let undo = visit.undo_form(ACCOUNT, &left, now);
            Ok(visit.after(ACCOUNT, &[Notice { undo, ..Notice::new(NoticeKind::Left, names) }]))
        }
        (Some("add"), _) => {
            let reading = store.reading(&reader.subscriber, now).await?;
            let mut offered = audience::offered_to(&visit.edition.settings, reading);
            let wanted = offered.find(|offered| offered.id == newsletter);
            let choice = audience::choice(wanted.ok_or(Problem::Malformed)?, None);
            store.subscribe(reader.subscriber, choice, now).await?;
            Ok(visit.after(ACCOUNT, &[Notice::new(NoticeKind::Subscribed, names)]))
        }
        _ => Err(Problem::Malformed),
    }
}

/// Gives the reader's own feed another address.
pub(super) async fn replace_feed(visit: &Visit, body: Incoming) -> Answered {
    visit.own_form(body).await?.only(&[])?;
    let reader = visit.must_be_signed_in().await?;
    visit.state.store.replace_feed(&reader.subscriber, clock::now()).await?;
    Ok(visit.saved(ACCOUNT))
}

/// Everything that is kept about the reader, as a file.
pub(super) async fn export(visit: &Visit) -> Answered {
    let reader = visit.must_be_signed_in().await?;
    let everything = visit.state.store.everything_about(&reader.subscriber).await?;
    let text = serde_json::to_string_pretty(&everything).unwrap_or_default();
    let file = answer::answer(StatusCode::OK, "application/json", text.into());
    Ok(file.private().with(CONTENT_DISPOSITION, "attachment; filename=\"account.json\""))
}

/// What erasing means, and its button.
pub(super) async fn erase_page(visit: &Visit) -> Answered {
    let reader = visit.must_be_signed_in().await?;
    let is_recent = is_recent(&reader);
    let pays = billing::bought(&visit.state.store, &reader.subscriber).await?.is_some();
    visit.page(StatusCode::OK, &ReaderPage::Erase { is_recent, pays })
}

/// Erases the reader, if they signed in a moment ago.
pub(super) async fn erase(visit: &Visit, body: Incoming) -> Answered {
    visit.own_form(body).await?.only(&[])?;
    let reader = visit.must_be_signed_in().await?;
    if !is_recent(&reader) {
        return visit.page(StatusCode::FORBIDDEN, &ReaderPage::Erase { is_recent: false, pays: false });
    }
    let (store, keys, language) = (&visit.state.store, &visit.state.keys, visit.words().language());
    let (who, flow) = ((reader.subscriber, reader.email), audience::flow_id(clock::random()));
    audience::erase(store, keys, who, language, flow, clock::now()).await?;
    let page = visit.page(StatusCode::OK, &ReaderPage::Erased)?;
    Ok(page.with_cookie(&cookies::take_away(visit.is_https(), SESSION)))
}

pub(super) fn is_recent(reader: &Session) -> bool {
    clock::now() - reader.signed_in_at < RECENTLY
}

/// Ends this browser's session, one that is named, or all.
pub(super) async fn sign_out(visit: &Visit, body: Incoming) -> Answered {
    let form = visit.own_form(body).await?.only(&["session", "everywhere"])?;
    let Some(reader) = visit.reader().await? else { return Ok(signed_out(visit)) };
    let one = form.one("session")?.unwrap_or(&reader.id);
    let (one, is_another) = match form.one("everywhere")? {
        Some(_) => (None, false),
        None => (Some(one.to_owned()), one != reader.id),
    };
    visit.state.store.sign_out(&reader, one, clock::now()).await?;
    Ok(if is_another { answer::see_other(ACCOUNT) } else { signed_out(visit) })
}

fn signed_out(visit: &Visit) -> hyper::Response<axum::body::Body> {
    answer::see_other("/").with_cookie(&cookies::take_away(visit.is_https(), SESSION))
}

impl Visit {
    /// Where the reader's own feed is.
    async fn feed_of(&self, reader: &SubscriberId) -> Result<String, Problem> {
        let number = self.state.store.feed_number(reader).await?.ok_or(Problem::SignInFirst)?;
        let token = audience::feed_token(&self.state.keys, reader, number);
        Ok(format!("{}/feed/{token}", self.edition.base_url))
    }

    /// What is known of whoever has signed in.
    pub(super) async fn person_of(&self, reader: &Session) -> Result<Subscriber, Problem> {
        self.state.store.subscriber(&reader.subscriber).await?.ok_or(Problem::SignInFirst)
    }

    fn undo_is_for(&self, theirs: &Subscription, undo: &str) -> bool {
        let undoes = |ended_at| audience::undo_token(&self.state.keys, &theirs.id, ended_at) == undo;
        theirs.ended_at.is_some_and(undoes)
    }

    /// The session of whoever asks, if they are signed in.
    pub(super) async fn reader(&self) -> Result<Option<Session>, Problem> {
        match self.cookie(SESSION) {
            Some(cookie) => Ok(auth::session(&self.state.store, &cookie, clock::now()).await?),
            None => Ok(None),
        }
    }

    /// The same, where nobody else has anything to look for.
    pub(super) async fn must_be_signed_in(&self) -> Result<Session, Problem> {
        self.reader().await?.ok_or(Problem::SignInFirst)
    }

    /// What they read.
    pub(super) async fn reading(&self) -> Result<Reading, Problem> {
        match self.reader().await? {
            Some(reader) => Ok(self.state.store.reading(&reader.subscriber, clock::now()).await?),
            None => Ok(Reading::ANYBODY),
        }
    }
}

/// The membership that counts: what was bought and goes on first.
async fn membership(
    visit: &Visit,
    mut memberships: Vec<Membership>,
    zone: &Zone,
) -> Result<Option<MembershipPart>, Problem> {
    let (imprint, now) = (visit.imprint(), clock::now());
    memberships.retain(|one| one.state != MembershipState::Ended && (one.bought.is_some() || one.is_open(now)));
    let Some(one) = memberships.into_iter().next() else { return Ok(None) };
    let at = |at| Moment::at(&imprint, at, zone);
    let is_late = one.state == MembershipState::PastDue;
    let state = if is_late && !one.is_open(now) { "lapsed" } else { one.state.as_str() }.to_owned();
    let bought = match one.bought {
        Some(bought) => {
            let settings = &visit.edition.settings;
            let title = settings.plan(&bought.plan).map_or_else(|| bought.plan.to_string(), |plan| plan.title.clone());
            let invoices = visit.state.store.invoices_of(&bought.agreement).await?.into_iter();
            let line = |(day, amount, state): (_, _, InvoiceState)| {
                (at(day).day, imprint.words.money(amount), state.as_str().to_owned())
            };
            Some(BoughtPart {
                plan: title,
                price: price_each(&imprint, bought.price, bought.every),
                next_at: (bought.ends_at.is_none() && !is_late).then(|| at(bought.renews_at)),
                ends_at: bought.ends_at.map(at),
                invoices: invoices.map(line).collect(),
                is_changeable: visit.state.till.is_some(),
            })
        }
        None => None,
    };
    Ok(Some(MembershipPart { state, until: at(one.reads_until), bought }))
}

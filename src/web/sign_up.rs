//! The sign-up form: what it asks for, what has to be put right in it, and the question whether a domain was mistyped.
//!
//! The answer is the same for every address. A form that was sent from another site does nothing: it is shown again
//! here with what was filled in, and one button.

use hyper::StatusCode;
use hyper::body::Incoming;

use crate::audience;
use crate::clock;
use crate::model::{AddressError, Cadence, EmailAddress, NewsletterId};
use crate::render::{FieldError, Notice, NoticeKind, ReaderPage, SignUp, SignUpPage, UndoForm};
use crate::store::{Choice, Person, Request};

use super::answer::Secured as _;
use super::form::Form;
use super::{Answered, Problem, Visit};

pub(super) const SUBSCRIBE: &str = "/subscribe";
/// As much of a wrong address as is shown again.
pub(super) const LONGEST_ECHO: usize = 320;
/// No reader sees this field, and no keyboard reaches it: who fills it in is a machine.
const TRAP: &str = "website";
const FIELDS: [&str; 9] = ["email", "name", "newsletter", "cadence", "topic", "time_zone", TRAP, "asked", "token"];

/// The form; or, after signing up or confirming, only what that did.
pub(super) fn subscribe_page(visit: &Visit) -> Answered {
    let notices = visit.brought(SUBSCRIBE);
    let page = if notices.is_empty() {
        ReaderPage::Subscribe(SignUpPage::new(SignUp::new(&visit.imprint())))
    } else {
        ReaderPage::Notices { notices }
    };
    visit.shown_once(visit.page(StatusCode::OK, &page).map(|page| page.scripted()))
}

pub(super) async fn sign_up(visit: &Visit, body: Incoming) -> Answered {
    let form = Form::read(&visit.headers, body).await?.only(&FIELDS)?;
    if !visit.is_own() {
        let page = SignUpPage { is_from_elsewhere: true, ..filled(visit, &form)? };
        return shown(visit, StatusCode::OK, page);
    }
    let flow = audience::flow_id(clock::random());
    if form.one(TRAP)?.is_some_and(|trap| !trap.is_empty()) {
        return Ok(visit.check_your_mail(flow));
    }
    if let Some(earlier) = form.one("token")? {
        let asked = visit.asker().sign_up_again(earlier, flow.clone()).await?;
        let Some(asked) = asked else { return visit.held_by(None).await.and(Err(Problem::Expired)) };
        visit.heard(asked)?;
        return Ok(visit.check_your_mail(flow));
    }
    let request = match read_request(visit, &form)? {
        Ok(request) => request,
        Err(errors) => {
            let page = SignUpPage { errors, ..filled(visit, &form)? };
            return shown(visit, StatusCode::UNPROCESSABLE_ENTITY, page);
        }
    };
    let meant = if form.one("asked")?.is_some() { None } else { audience::meant(&request.email) };
    if let Some(meant) = meant {
        let page = SignUpPage { meant: meant.to_string(), ..filled(visit, &form)? };
        return shown(visit, StatusCode::UNPROCESSABLE_ENTITY, page);
    }
    visit.heard(visit.asker().sign_up(request, flow.clone()).await?)?;
    Ok(visit.check_your_mail(flow))
}

/// What the form asks for, or what has to be put right in it.
fn read_request(visit: &Visit, form: &Form) -> Result<Result<Request, Vec<FieldError>>, Problem> {
    let mut errors = Vec::new();
    let mut wrong = |field, key| errors.push(visit.wrong(field, key));
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
    let time_zone = audience::known_zone(form.one("time_zone")?.unwrap_or_default());
    let (person, language) = (Person { name, time_zone, language: None }, visit.words().language());
    Ok(Ok(Request { email, person, choices, language }))
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
    let topics: Vec<String> = form.all("topic").map(str::to_owned).collect();
    let choice = |id| {
        let newsletter = find(id)?;
        let topics = audience::offered_topics(newsletter, topics.clone());
        Some(Choice { topics, ..audience::choice(newsletter, cadence) })
    };
    let choices: Option<Vec<Choice>> = wanted.iter().map(choice).collect();
    choices.filter(|choices| !choices.is_empty()).ok_or("newsletter-unknown")
}

/// The form with what was filled in.
fn filled(visit: &Visit, form: &Form) -> Result<SignUpPage, Problem> {
    let mut sign_up = SignUp::new(&visit.imprint());
    let chosen: Vec<&str> = form.all("newsletter").collect();
    if !chosen.is_empty() {
        for newsletter in &mut sign_up.newsletters {
            newsletter.is_chosen = chosen.contains(&newsletter.id.as_str());
        }
    }
    if let Some(cadence) = form.one("cadence")?.and_then(Cadence::parse) {
        for offered in &mut sign_up.cadences {
            offered.is_chosen = offered.value == cadence.as_str();
        }
    }
    for topic in &mut sign_up.topics {
        topic.is_chosen = form.all("topic").any(|chosen| chosen == topic.value);
    }
    let echo = |field| Ok::<_, Problem>(form.one(field)?.unwrap_or_default().chars().take(LONGEST_ECHO).collect());
    Ok(SignUpPage { email: echo("email")?, name: echo("name")?, ..SignUpPage::new(sign_up) })
}

fn shown(visit: &Visit, status: StatusCode, page: SignUpPage) -> Answered {
    visit.page(status, &ReaderPage::Subscribe(page)).map(|page| page.scripted())
}

pub(super) fn email_key(error: AddressError) -> &'static str {
    match error {
        AddressError::Empty => "email-empty",
        AddressError::TooLong => "email-too-long",
        AddressError::Malformed => "email-malformed",
        AddressError::Domain => "email-domain",
    }
}

impl Visit {
    /// The same for every address. Whoever asked knows the id of the flow, and can ask for it again.
    fn check_your_mail(&self, flow: String) -> hyper::Response<axum::body::Body> {
        let again = Some(UndoForm { action: SUBSCRIBE.to_owned(), token: flow });
        let notice = Notice { undo: again, ..Notice::new(NoticeKind::CheckYourMail, Vec::new()) };
        self.after(SUBSCRIBE, &[notice])
    }
}

//! The pages on which readers sign in: by the mailed link, or by the code in the browser that asked.
//!
//! Looking at a link signs nobody in; a button does (OWASP ASVS 5.0, 7.6.2). The answer to a request is the same for
//! every address, and the same for a link that is unknown, used or too old.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::body::Incoming;
use hyper::header::USER_AGENT;
use hyper::{Response, StatusCode};
use url::form_urlencoded;

use crate::auth::{self, Asked, Errand, NewBrowser, SESSION_LASTS, SIGN_IN_WITHIN, SignIn};
use crate::clock;
use crate::model::EmailAddress;
use crate::render::{FieldError, Notice, NoticeKind, ReaderPage};
use crate::store::Unopened;

use super::account::ACCOUNT;
use super::answer::Secured as _;
use super::sign_up::{LONGEST_ECHO, email_key};
use super::{Answered, Problem, Visit, cookies};

/// The cookie that says which browser asked.
pub(super) const FLOW: &str = "flow";
/// The cookie of a session.
pub(super) const SESSION: &str = "session";
pub(super) const CODE: &str = "/sign-in/code";
const SIGN_IN: &str = "/sign-in";

/// The address that asks to sign in first, and leads back to `path`.
pub(super) fn sign_in_first(path: &str) -> String {
    let next = form_urlencoded::byte_serialize(path.as_bytes()).collect::<String>();
    format!("{SIGN_IN}?next={next}")
}

/// The form.
pub(super) fn page(visit: &Visit) -> Answered {
    let (email, errors) = (String::new(), Vec::new());
    visit.page(StatusCode::OK, &ReaderPage::SignIn { action: action(visit), email, errors })
}

/// The page to go to stays in the form's address until the flow keeps it.
fn action(visit: &Visit) -> String {
    next_of(visit).map_or_else(|| SIGN_IN.to_owned(), |next| sign_in_first(&next))
}

fn next_of(visit: &Visit) -> Option<String> {
    let mut pairs = form_urlencoded::parse(visit.query.as_bytes());
    pairs.find(|(name, _)| name == "next").and_then(|(_, wanted)| auth::own_page(&wanted))
}

/// Asks for link and code: for an address, or once more for the one that this browser asked for last.
pub(super) async fn ask(visit: &Visit, body: Incoming) -> Answered {
    let form = visit.own_form(body).await?.only(&["email", "again"])?;
    let before = visit.cookie(FLOW).filter(|cookie| cookie.len() == 43);
    let asked_before = match &before {
        Some(cookie) => visit.asker().last_asked(cookie).await?,
        None => None,
    };
    // Only what was given to it by us tells the browser.
    let before = before.filter(|_| asked_before.is_some());
    let (email, errand) = match (form.one("again")?, asked_before) {
        (Some(_), Some(asked_before)) => asked_before,
        _ => match EmailAddress::parse(form.one("email")?.unwrap_or_default()) {
            Ok(email) => (email, Errand { next: next_of(visit), browser: family(visit) }),
            Err(error) => {
                let errors = vec![visit.wrong("email", email_key(error))];
                let email = form.one("email")?.unwrap_or_default().chars().take(LONGEST_ECHO).collect();
                let page = ReaderPage::SignIn { action: action(visit), email, errors };
                return visit.page(StatusCode::UNPROCESSABLE_ENTITY, &page);
            }
        },
    };
    // The same browser stays the same, so that the code of an earlier mail goes on if no new one may be sent.
    let cookie = before.unwrap_or_else(new_cookie);
    let language = visit.words().language();
    let request = SignIn { email, errand, cookie: cookie.clone(), language };
    visit.heard(visit.asker().ask_to_sign_in(request, clock::random()).await?)?;
    let notice = Notice::new(NoticeKind::CheckYourMail, Vec::new());
    let flow = cookies::give(visit.is_https(), FLOW, &cookie, SIGN_IN_WITHIN);
    Ok(visit.after(CODE, &[notice]).with_cookie(&flow))
}

/// What tells this browser from others: what it was given before, or something new.
pub(super) fn browser_cookie(visit: &Visit) -> String {
    visit.cookie(FLOW).filter(|cookie| cookie.len() == 43).unwrap_or_else(new_cookie)
}

fn new_cookie() -> String {
    URL_SAFE_NO_PAD.encode(clock::random::<32>())
}

fn family(visit: &Visit) -> String {
    let named = visit.headers.get(USER_AGENT).and_then(|named| named.to_str().ok());
    auth::browser_family(named.unwrap_or_default())
}

/// The form for the code.
pub(super) fn code_page(visit: &Visit) -> Answered {
    visit.shown_once(visit.page(StatusCode::OK, &code_form(visit.brought(CODE), Vec::new())))
}

fn code_form(notices: Vec<Notice>, errors: Vec<FieldError>) -> ReaderPage {
    ReaderPage::SignInCode { notices, minutes: SIGN_IN_WITHIN.num_minutes(), errors }
}

/// Signs in by the typed code, in the browser that asked.
pub(super) async fn by_code(visit: &Visit, body: Incoming) -> Answered {
    let form = visit.own_form(body).await?.only(&["code"])?;
    let (typed, cookie) = (form.one("code")?.unwrap_or_default(), visit.cookie(FLOW).unwrap_or_default());
    let browser = new_browser(visit);
    let session = browser.cookie.clone();
    match visit.asker().by_code((typed, &cookie), browser).await? {
        Ok(errand) => Ok(welcome(visit, &session, &errand)),
        Err(Unopened::TooManyTries) => Err(Problem::TooOften),
        Err(Unopened::Dead) => {
            let errors = vec![visit.wrong("code", "sign-in-wrong-code")];
            visit.page(StatusCode::UNPROCESSABLE_ENTITY, &code_form(Vec::new(), errors))
        }
    }
}

/// What a link shows: a button in the browser that asked, the code in any other.
pub(super) async fn link_page(visit: &Visit, token: &str) -> Answered {
    let cookie = visit.cookie(FLOW);
    let link = visit.asker().open_link(token, cookie.as_deref()).await?;
    let link = link.ok_or(Problem::DeadSignIn)?;
    let (email, code, is_same_browser) = (link.email.to_string(), link.code, link.is_same_browser);
    visit.page(StatusCode::OK, &ReaderPage::SignInLink { token: token.to_owned(), email, code, is_same_browser })
}

/// Signs in by the link; in another browser than the one that asked, only with the button that says so.
pub(super) async fn by_link(visit: &Visit, token: &str, body: Incoming) -> Answered {
    let form = visit.own_form(body).await?.only(&["here"])?;
    let (is_meant_here, cookie) = (form.one("here")?.is_some(), visit.cookie(FLOW));
    let (asker, browser) = (visit.asker(), new_browser(visit));
    if !is_meant_here {
        let link = asker.open_link(token, cookie.as_deref()).await?;
        if link.is_some_and(|link| !link.is_same_browser) {
            return link_page(visit, token).await;
        }
    }
    let (session, means) = (browser.cookie.clone(), (token, cookie.as_deref(), is_meant_here));
    match asker.by_link(means, browser).await? {
        Ok(errand) => Ok(welcome(visit, &session, &errand)),
        Err(Unopened::TooManyTries) => Err(Problem::TooOften),
        Err(Unopened::Dead) => Err(Problem::DeadSignIn),
    }
}

fn new_browser(visit: &Visit) -> NewBrowser {
    NewBrowser { cookie: new_cookie(), before: visit.cookie(SESSION), family: family(visit) }
}

/// To the page that was asked for, with the session and without what led to it.
fn welcome(visit: &Visit, session: &str, errand: &Errand) -> Response<axum::body::Body> {
    let next = errand.next.as_deref().and_then(auth::own_page).unwrap_or_else(|| ACCOUNT.to_owned());
    let notice = Notice::new(NoticeKind::SignedIn, Vec::new());
    let session = cookies::give(visit.is_https(), SESSION, session, SESSION_LASTS);
    let flow = cookies::take_away(visit.is_https(), FLOW);
    visit.after(&next, &[notice]).with_cookie(&session).with_cookie(&flow)
}

impl Visit {
    /// What the browser keeps under this name.
    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        cookies::brought(&self.headers, self.is_https(), name)
    }

    /// Whether a request for a mail was heard.
    pub(super) fn heard(&self, asked: Asked) -> Result<(), Problem> {
        match asked {
            Asked::Accepted => Ok(()),
            Asked::TooOften => Err(Problem::TooOften),
            Asked::Flooded { is_news } => {
                if is_news {
                    tracing::error!("mails are refused: more were asked for within a minute than any good day has");
                }
                Err(Problem::Flooded)
            }
        }
    }
}

//! The pages on which a reader gives their account another address, or takes that back.

use hyper::StatusCode;
use hyper::body::Incoming;

use crate::audience;
use crate::clock;
use crate::model::EmailAddress;
use crate::render::{Notice, NoticeKind, ReaderPage};
use crate::store::Unopened;

use super::account::{ACCOUNT, is_recent, show};
use super::sign_up::email_key;
use super::{Answered, Problem, Visit};

/// Mails a link to another address, for whoever signed in a moment ago (OWASP ASVS 5.0, 7.5.1). Whatever is known of
/// that address, the answer is the same.
pub(super) async fn ask(visit: &Visit, body: Incoming) -> Answered {
    let form = visit.own_form(body).await?.only(&["email"])?;
    let reader = visit.must_be_signed_in().await?;
    let parsed = EmailAddress::parse(form.one("email")?.unwrap_or_default());
    let email = match parsed {
        _ if !is_recent(&reader) => Err((StatusCode::FORBIDDEN, "address-sign-in")),
        parsed => parsed.map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, email_key(error))),
    };
    let email = match email {
        Ok(email) => email,
        Err((status, key)) => {
            return show(visit, &reader, Vec::new(), (status, vec![visit.wrong("email", key)])).await;
        }
    };
    let wanted = (reader.subscriber, email, visit.words().language());
    visit.heard(visit.asker().ask_to_move(wanted, audience::flow_id(clock::random())).await?)?;
    Ok(visit.after(ACCOUNT, &[Notice::new(NoticeKind::NewAddress, Vec::new())]))
}

/// What either link shows: a button; or, after it was pressed, what it did. Looking changes nothing.
pub(super) async fn page(visit: &Visit, token: &str) -> Answered {
    let notices = visit.brought(&visit.path);
    let page = if notices.is_empty() {
        let (email, is_back) = visit.asker().awaiting_move(token).await?.ok_or(Problem::DeadSignIn)?;
        ReaderPage::Address { token: token.to_owned(), email: email.to_string(), is_back }
    } else {
        ReaderPage::Notices { notices }
    };
    visit.shown_once(visit.page(StatusCode::OK, &page))
}

/// Moves the account, and signs it out everywhere.
pub(super) async fn act(visit: &Visit, token: &str, body: Incoming) -> Answered {
    visit.own_form(body).await?.only(&[])?;
    match visit.asker().move_address(token, audience::flow_id(clock::random())).await? {
        Ok(()) => Ok(visit.after(&visit.path, &[Notice::new(NoticeKind::AddressMoved, Vec::new())])),
        Err(Unopened::TooManyTries) => Err(Problem::TooOften),
        Err(Unopened::Dead) => Err(Problem::DeadSignIn),
    }
}

//! The account of a reader who has signed in, and signing out.

use hyper::StatusCode;
use hyper::body::Incoming;

use crate::auth;
use crate::clock;
use crate::render::{Moment, ReaderPage, SessionLine};
use crate::store::{Ending, Session};

use super::answer::{self, Secured as _};
use super::form::Form;
use super::sign_in::SESSION;
use super::{Answered, Problem, Visit, cookies};

pub(super) const ACCOUNT: &str = "/account";

/// Who the reader is, and where they are signed in.
pub(super) async fn page(visit: &Visit) -> Answered {
    let reader = visit.must_be_signed_in().await?;
    let sessions = auth::sessions(&visit.state.store, &reader.subscriber, clock::now()).await?;
    let imprint = visit.imprint();
    let line = |session: Session| SessionLine {
        is_this: session.id == reader.id,
        id: session.id,
        browser: session.browser,
        signed_in: Moment::new(&imprint, session.signed_in_at),
        seen: Moment::new(&imprint, session.seen_at),
    };
    let page = ReaderPage::Account {
        notices: visit.brought(ACCOUNT),
        email: reader.email.to_string(),
        sessions: sessions.into_iter().map(line).collect(),
    };
    visit.shown_once(visit.page(StatusCode::OK, &page))
}

/// Ends this browser's session, one that is named, or all.
pub(super) async fn sign_out(visit: &Visit, body: Incoming) -> Answered {
    visit.must_be_own()?;
    let form = Form::read(&visit.headers, body).await?;
    form.only(&["session", "everywhere"])?;
    let Some(reader) = visit.reader().await? else { return Ok(signed_out(visit)) };
    let ending = match (form.one("everywhere")?, form.one("session")?) {
        (Some(_), _) => Ending::All,
        (None, Some(id)) => Ending::One(id.to_owned()),
        (None, None) => Ending::One(reader.id.clone()),
    };
    let is_another = matches!(&ending, Ending::One(id) if *id != reader.id);
    visit.state.store.sign_out(&reader, ending, clock::now()).await?;
    Ok(if is_another { answer::see_other(ACCOUNT) } else { signed_out(visit) })
}

fn signed_out(visit: &Visit) -> hyper::Response<axum::body::Body> {
    answer::see_other("/").with_cookie(&cookies::take_away(visit.is_https(), SESSION))
}

impl Visit {
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
}

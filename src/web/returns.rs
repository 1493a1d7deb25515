//! What a mail provider says of mails that it took from us.

use axum::http::StatusCode;
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;

use crate::clock;
use crate::mailbox::{self, Event};

use super::{Answered, Problem, Visit, answer, form};

/// No message is longer.
const LONGEST_MESSAGE: usize = 1 << 20;

/// A provider's message. It proves itself by what both know, not by where it comes from.
pub(super) async fn heard(visit: &Visit, provider: &str, body: Incoming) -> Answered {
    let password = visit.edition.settings.mail.postmark_password.as_ref().filter(|_| provider == "postmark");
    let Some(password) = password else { return Err(Problem::NotFound) };
    let message = form::within(body, LONGEST_MESSAGE).await?;
    let proof = visit.headers.get(AUTHORIZATION).and_then(|proof| proof.to_str().ok()).unwrap_or_default();
    match mailbox::event(proof, &message, password) {
        Event::Returned(returned) => drop(mailbox::take_back(&visit.state.store, returned, clock::now()).await?),
        Event::Other => {}
        Event::Refused => {
            tracing::warn!("a message that says it is the mail provider's was refused");
            return Ok(answer::text(StatusCode::FORBIDDEN, "this is not what was agreed\n"));
        }
    }
    Ok(answer::text(StatusCode::OK, "heard\n"))
}

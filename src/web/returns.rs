//! What a mail provider says of mails that it took from us.

use axum::http::StatusCode;
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;

use crate::clock;
use crate::mailbox::{self, Event};

use super::{Answered, Problem, Visit, answer, form};

/// No message is longer.
const LONGEST_MESSAGE: usize = 1 << 20;

/// A provider's message. It proves itself by what both know or by its signature, not by where it comes from.
pub(super) async fn heard(visit: &Visit, provider: &str, body: Incoming) -> Answered {
    let (mail, state) = (&visit.edition.settings.mail, &visit.state);
    let (password, topic) = (mail.postmark_password.as_ref(), mail.ses_topic.as_ref());
    let event = match (provider, password, topic) {
        ("postmark", Some(password), _) => {
            let proof = visit.headers.get(AUTHORIZATION).and_then(|proof| proof.to_str().ok()).unwrap_or_default();
            mailbox::event(proof, &form::within(body, LONGEST_MESSAGE).await?, password)
        }
        ("ses", _, Some(topic)) => {
            let message = form::within(body, LONGEST_MESSAGE).await?;
            match state.sns.event(&message, topic, &state.keys, clock::now()).await {
                Ok(event) => event,
                Err(error) => {
                    tracing::warn!(%error, "SNS was not reached; its message is asked for again");
                    return Ok(answer::text(StatusCode::SERVICE_UNAVAILABLE, "not now\n"));
                }
            }
        }
        _ => return Err(Problem::NotFound),
    };
    match event {
        Event::Returned(returned) => drop(mailbox::take_back(&state.store, returned, clock::now()).await?),
        Event::Other => {}
        Event::Refused(why) => {
            tracing::warn!(why, "a message that says it is the mail provider's was refused");
            return Ok(answer::text(StatusCode::FORBIDDEN, "this is not what was agreed\n"));
        }
    }
    Ok(answer::text(StatusCode::OK, "heard\n"))
}

//! The outbox on the web: each mail as its reader would see it, for whoever tries the program on their own machine.
//!
//! It is there only when the outbox is the relay and nobody but this machine can ask.

use std::path::PathBuf;

use axum::body::Body;
use hyper::StatusCode;
use mail_parser::{Address, Message, MessageParser};

use crate::relay::outbox;
use crate::render::{OutboxEntry, OutboxMail, ReaderPage};

use super::answer::{self, FRAME_POLICY, OUTBOX_POLICY, Secured as _};
use super::{Answered, Problem, Visit};

/// The list shows the latest.
const MOST_SHOWN: usize = 100;

pub(super) async fn list(visit: &Visit) -> Answered {
    let folder = folder(visit)?;
    let mails = tokio::task::spawn_blocking(move || {
        let latest = outbox::list(&folder).into_iter().take(MOST_SHOWN);
        latest
            .filter_map(|(id, _)| Some(entry(&id, &MessageParser::default().parse(&outbox::read(&folder, &id)?)?)))
            .collect::<Vec<_>>()
    });
    let mails = mails.await.map_err(|error| Problem::Broken(error.to_string()))?;
    visit.page(StatusCode::OK, &ReaderPage::OutboxList { mails })
}

pub(super) async fn mail(visit: &Visit, id: &str) -> Answered {
    let bytes = read(visit, id).await?;
    let message = MessageParser::default().parse(&bytes).ok_or(Problem::NotFound)?;
    let text = message.body_text(0).unwrap_or_default().into_owned();
    let page = ReaderPage::OutboxMail(OutboxMail {
        mail: entry(id, &message),
        from: addresses(message.from()),
        html_address: format!("/outbox/{id}/html"),
        links: links(&text),
        text,
        raw_address: format!("/outbox/{id}.eml"),
    });
    Ok(visit.page(StatusCode::OK, &page)?.with_policy(OUTBOX_POLICY))
}

/// Its links open where the frame stands, not inside of it, and no browser asks this site for a mail's icon.
const IN_A_FRAME: &str = "<head><base target=\"_top\"><link rel=\"icon\" href=\"data:,\">";

/// The HTML part by itself, for the frame.
pub(super) async fn html(visit: &Visit, id: &str) -> Answered {
    let bytes = read(visit, id).await?;
    let message = MessageParser::default().parse(&bytes).ok_or(Problem::NotFound)?;
    let html = message.body_html(0).unwrap_or_default();
    let html = html.replacen("<head>", IN_A_FRAME, 1);
    Ok(answer::html(StatusCode::OK, html).private().with_policy(FRAME_POLICY))
}

pub(super) async fn raw(visit: &Visit, id: &str) -> Answered {
    let bytes = read(visit, id).await?;
    Ok(answer::answer(StatusCode::OK, "message/rfc822", Body::from(bytes)).private())
}

fn folder(visit: &Visit) -> Result<PathBuf, Problem> {
    visit.state.outbox.clone().ok_or(Problem::NotFound)
}

async fn read(visit: &Visit, id: &str) -> Result<Vec<u8>, Problem> {
    let (folder, id) = (folder(visit)?, id.to_owned());
    let bytes = tokio::task::spawn_blocking(move || outbox::read(&folder, &id)).await;
    bytes.ok().flatten().ok_or(Problem::NotFound)
}

fn entry(id: &str, message: &Message<'_>) -> OutboxEntry {
    OutboxEntry {
        id: id.to_owned(),
        to: addresses(message.to()),
        subject: message.subject().unwrap_or_default().to_owned(),
        date: message.date().map(|date| date.to_rfc822()).unwrap_or_default(),
    }
}

/// `Name <address>`, one after the other.
fn addresses(field: Option<&Address<'_>>) -> String {
    let shown = field.into_iter().flat_map(Address::iter).map(|one| match (one.name(), one.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (_, address) => address.unwrap_or_default().to_owned(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// The addresses in the text part, each once.
fn links(text: &str) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    for word in text.split(|character: char| character.is_whitespace() || "<>\"()".contains(character)) {
        let is_link = word.starts_with("https://") || word.starts_with("http://");
        if is_link && !links.iter().any(|known| known == word) {
            links.push(word.trim_end_matches(['.', ',', ';']).to_owned());
        }
    }
    links
}

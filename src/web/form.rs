//! What a form sends: read within bounds, or refused with the reason.

use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use axum::extract::{FromRequest as _, Multipart};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use tokio::time::timeout;

use super::{Problem, Visit};

/// No form of ours comes near.
const LARGEST: usize = 64 * 1024;
/// How many fields a form may have.
const MOST_FIELDS: usize = 64;
/// How long a form may take to arrive.
const ARRIVE_WITHIN: Duration = Duration::from_secs(15);

/// The fields of a form, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `application/x-www-form-urlencoded` or `multipart/form-data`.
    pub(super) async fn read(headers: &HeaderMap, body: Incoming) -> Result<Form, Problem> {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
        let plain_kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_multipart = match plain_kind.as_str() {
            "application/x-www-form-urlencoded" => false,
            "multipart/form-data" => true,
            _ => return Err(Problem::WrongKind),
        };
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > LARGEST) {
            return Err(Problem::TooLarge);
        }
        let bytes = within(body, LARGEST).await?;
        if is_multipart { multipart(&kind, bytes).await } else { Form::from_pairs(url_encoded(&bytes)?) }
    }

    fn from_pairs(pairs: Vec<(String, String)>) -> Result<Form, Problem> {
        let is_text = |text: &str| !text.contains(char::REPLACEMENT_CHARACTER);
        let is_sound = pairs.len() <= MOST_FIELDS && pairs.iter().all(|(name, value)| is_text(name) && is_text(value));
        if is_sound { Ok(Form(pairs)) } else { Err(Problem::Malformed) }
    }

    /// All values of a field that may be repeated.
    pub(super) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The value of a field that may not.
    pub(super) fn one<'f>(&'f self, name: &'f str) -> Result<Option<&'f str>, Problem> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { Err(Problem::Malformed) } else { Ok(first) }
    }

    /// Refuses a form with any other field.
    pub(super) fn only(self, names: &[&str]) -> Result<Form, Problem> {
        let is_known = self.0.iter().all(|(field, _)| names.contains(&field.as_str()));
        if is_known { Ok(self) } else { Err(Problem::Malformed) }
    }
}

impl Visit {
    /// The form, if it was sent from this site.
    pub(super) async fn own_form(&self, body: Incoming) -> Result<Form, Problem> {
        self.must_be_own()?;
        Form::read(&self.headers, body).await
    }
}

/// All of a body of at most `most` bytes, if it arrives in time.
pub(super) async fn within(body: Incoming, most: usize) -> Result<Vec<u8>, Problem> {
    timeout(ARRIVE_WITHIN, whole(body, most)).await.map_err(|_| Problem::TooSlow)?
}

async fn whole(body: Incoming, most: usize) -> Result<Vec<u8>, Problem> {
    let read = Limited::new(body, most).collect().await;
    let why = |error: BoxError| if error.is::<LengthLimitError>() { Problem::TooLarge } else { Problem::Malformed };
    Ok(read.map_err(why)?.to_bytes().into())
}

fn url_encoded(bytes: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    let text = str::from_utf8(bytes).map_err(|_| Problem::Malformed)?;
    Ok(url::form_urlencoded::parse(text.trim_end_matches(['\r', '\n']).as_bytes()).into_owned().collect())
}

async fn multipart(kind: &str, bytes: Vec<u8>) -> Result<Form, Problem> {
    let request = Request::builder().header(CONTENT_TYPE, kind).body(Body::from(bytes));
    let request = request.map_err(|_| Problem::Malformed)?;
    let mut parts = Multipart::from_request(request, &()).await.map_err(|_| Problem::Malformed)?;
    let mut pairs = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(|_| Problem::Malformed)? {
        let name = part.name().unwrap_or_default().to_owned();
        pairs.push((name, part.text().await.map_err(|_| Problem::Malformed)?));
        if pairs.len() > MOST_FIELDS {
            return Err(Problem::Malformed);
        }
    }
    Form::from_pairs(pairs)
}

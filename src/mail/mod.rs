//! One message: headers and MIME bytes, ready for the wire.
//!
//! Pure: the same input gives the same bytes, so that a repeat after a crash is the message that may have arrived
//! already. All bytes are 7-bit, lines end in CRLF and keep to the limits of RFC 5322 and RFC 2045, whatever
//! characters names, subjects and bodies hold. An issue is encoded once; a reader's copy costs a splice and the
//! signatures.
//!
//! What the mail says comes from `render`; who gets it, and doubling the dots on the wire, is left to others.

mod body;
mod dkim;
mod header;
pub mod report;
mod token;

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use url::Url;

use crate::content::FIRST_NAME_MARKS;
use crate::model::{EmailAddress, Sender};

pub use body::first_name;
use body::{Piece, splice};
pub use dkim::sign;
use header::Writer;
pub use token::{bounce_address, delivery_of, message_id};

/// Everything about one mail that is not in its body.
#[derive(Debug, Clone, PartialEq)]
pub struct Headers {
    /// Who it is from.
    pub from: Sender,
    /// Where replies go.
    pub reply_to: EmailAddress,
    /// Who gets it. A local part outside ASCII is written in UTF-8 (RFC 6532): the relay has to offer SMTPUTF8.
    pub to: EmailAddress,
    /// The subject; control characters and runs of spaces become one space.
    pub subject: String,
    /// When the mail was made; the same in every repeat.
    pub date: DateTime<Utc>,
    /// With its angle brackets, as [`message_id`] makes it.
    pub message_id: String,
    /// For mail that belongs to a newsletter; none for notices.
    pub list: Option<ListHeaders>,
    /// Whether no person set this mail off: digests and notices (RFC 3834, 5).
    pub auto_submitted: bool,
}

impl Headers {
    /// Those that every mail has; replies go to `from`.
    pub fn new(from: Sender, to: EmailAddress, subject: String, date: DateTime<Utc>, message_id: String) -> Headers {
        let reply_to = from.address.clone();
        Headers { from, reply_to, to, subject, date, message_id, list: None, auto_submitted: false }
    }
}

/// How mail programs tell a newsletter from others and leave it (RFC 2369, RFC 2919, RFC 8058), and how large receivers
/// count complaints about it (Gmail's feedback loop).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListHeaders {
    /// `label.domain`, the same for the newsletter's whole life.
    pub id: String,
    /// What readers call it.
    pub title: String,
    /// The https address that leaves at a POST without a question, up to the reader's token…
    pub unsubscribe: String,
    /// …which is this.
    pub leave_token: String,
    /// Where earlier issues are.
    pub archive: String,
    /// The same for all readers: up to three names of what it is, and one of 5 to 15 characters of who sends it.
    pub feedback_id: String,
}

impl ListHeaders {
    /// Those of an issue of `newsletter`, which is called `title`, with the token of the reader's link to leave.
    pub fn new(newsletter: &str, title: &str, base_url: &str, leave_token: &str, is_digest: bool) -> ListHeaders {
        let (host, kind) = (host(base_url), if is_digest { "digest" } else { "instant" });
        let sender = hex(digest::digest(&digest::SHA256, host.as_bytes()).as_ref(), 5);
        ListHeaders {
            id: format!("{newsletter}.{host}"),
            title: title.to_owned(),
            unsubscribe: format!("{base_url}/unsubscribe/"),
            leave_token: leave_token.to_owned(),
            archive: format!("{base_url}/archive/"),
            // None of the names may be like another.
            feedback_id: format!("newsletter-{newsletter}:{kind}:{host}:{sender}"),
        }
    }
}

/// The body of an issue, encoded once, with slots for what differs from reader to reader.
#[derive(Debug, Clone)]
pub struct Compiled {
    html: String,
    text: String,
    slots: Vec<String>,
    content_type: String,
    pieces: Vec<Piece>,
    is_personal: bool,
}

impl Compiled {
    /// Encodes the two parts of a `multipart/alternative` message (RFC 2046, 5.1.4), each as quoted-printable or, where
    /// that is shorter, as base64.
    ///
    /// `slots` are markers that stand in the parts where a reader's own text belongs. They and the values are of 8 to
    /// 75 letters, digits, `-` and `_`, and a value is as long as its marker: then it is spliced into the encoded part.
    pub fn new(html: &str, text: &str, slots: &[&str]) -> Compiled {
        let boundary = boundary(html, text);
        let mut pieces = vec![Piece::Fixed(b"\r\n".to_vec())];
        for (media_type, part) in [("text/plain", text), ("text/html", html)] {
            let (encoding, encoded) = body::encode(part, slots);
            let head = format!("--{boundary}\r\nContent-Type: {media_type}; charset=utf-8\r\n");
            let encoding = format!("Content-Transfer-Encoding: {encoding}\r\n\r\n");
            pieces.push(Piece::Fixed((head + &encoding).into_bytes()));
            pieces.extend(encoded);
        }
        pieces.push(Piece::Fixed(format!("--{boundary}--\r\n").into_bytes()));
        Compiled {
            html: html.to_owned(),
            text: text.to_owned(),
            slots: slots.iter().map(|slot| (*slot).to_owned()).collect(),
            content_type: format!("multipart/alternative; boundary=\"{boundary}\""),
            pieces,
            is_personal: [html, text].iter().any(|part| part.contains(FIRST_NAME_MARKS)),
        }
    }

    /// The whole message with `values` in the slots, in the order of the markers, and the reader's [`first_name`] where
    /// the parts hold marks for one.
    ///
    /// A value that cannot be spliced (of another length, or with characters that need encoding) is put into the text
    /// and everything encoded anew: slower, and just as right.
    pub fn message(&self, headers: &Headers, values: &[&str], name: Option<&str>) -> Vec<u8> {
        if !self.takes(values) {
            return self.with_values_in_the_text(values).message(headers, &[], name);
        }
        let body = self.pieces.iter().map(|piece| piece.length(values)).sum();
        let mut message = self.write_headers(headers, body);
        splice(&self.pieces, values, name, &mut message);
        message
    }

    /// Whether it says a reader's first name.
    pub fn is_personal(&self) -> bool {
        self.is_personal
    }

    fn takes(&self, values: &[&str]) -> bool {
        let fits = |(marker, value): (&String, &&str)| {
            marker.len() == value.len() && body::is_spliceable(marker) && body::is_spliceable(value)
        };
        values.len() == self.slots.len() && self.slots.iter().zip(values).all(fits)
    }

    fn with_values_in_the_text(&self, values: &[&str]) -> Compiled {
        let (mut html, mut text) = (self.html.clone(), self.text.clone());
        for (marker, value) in self.slots.iter().zip(values).filter(|(marker, _)| !marker.is_empty()) {
            html = html.replace(marker.as_str(), value);
            text = text.replace(marker.as_str(), value);
        }
        Compiled::new(&html, &text, &[])
    }

    fn write_headers(&self, headers: &Headers, room_for_body: usize) -> Vec<u8> {
        let mut writer = Writer::with_room_for(room_for_body);
        writer.mailbox("From", &headers.from.name, &headers.from.address);
        writer.mailbox("To", "", &headers.to);
        writer.mailbox("Reply-To", "", &headers.reply_to);
        writer.unstructured("Subject", &headers.subject);
        writer.tokens("Date", &headers.date.format("%a, %d %b %Y %H:%M:%S +0000").to_string());
        writer.in_angles("Message-ID", "", &headers.message_id);
        if let Some(list) = &headers.list {
            writer.in_angles("List-Id", &list.title, &list.id);
            writer.in_angles("List-Unsubscribe", "", &format!("{}{}", list.unsubscribe, list.leave_token));
            writer.tokens("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
            writer.in_angles("List-Archive", "", &list.archive);
            writer.tokens("Feedback-ID", &list.feedback_id);
        }
        if headers.auto_submitted {
            writer.tokens("Auto-Submitted", "auto-generated");
        }
        writer.tokens("MIME-Version", "1.0");
        writer.tokens("Content-Type", &self.content_type);
        writer.finish()
    }
}

/// The host of a base url, for List-Id (RFC 2919) and for greeting relays.
pub fn host(base_url: &str) -> String {
    let host = Url::parse(base_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| "localhost".to_owned())
}

/// A line that no part holds: `=_` occurs neither in quoted-printable nor in base64 (RFC 2045, 6.7). The rest differs
/// from mail to mail, so that a mail forwarded inside another one is not cut in two.
fn boundary(html: &str, text: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&html.len().to_be_bytes());
    context.update(html.as_bytes());
    context.update(text.as_bytes());
    format!("=_{}", hex(context.finish().as_ref(), 12))
}

fn hex(bytes: &[u8], length: usize) -> String {
    bytes.iter().take(length).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;

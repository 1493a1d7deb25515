//! Mail that comes back, read: reports of failed delivery (RFC 3464), the text that servers write instead of them, and
//! complaints (RFC 5965).
//!
//! Whatever comes is bounded and never believed: see [`named`].

use std::borrow::Cow;

use mail_parser::{Encoding, Message, MessageParser, MimeHeaders, PartType};

use super::token::delivery_of;
use crate::model::{Cause, DeliveryId};

/// Nobody reads more of a mail that comes back: what it says stands before what it returns.
pub const MOST: usize = 1 << 20;

/// So many messages and multiparts within each other, or after each other, are looked into.
const PARTS: usize = 100;
/// So much text is read for what it says.
const TEXT: usize = 16 * 1024;
/// So much of it is kept.
const KEPT: usize = 512;

/// What a mail that came back says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The mail did not arrive and is not tried any more, or its reader calls it spam.
    Back(Back),
    /// It is still being tried, or arrived.
    Passing,
}

/// Why a mail came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// What it is about.
    pub cause: Cause,
    /// The basic code, if one is quoted.
    pub code: Option<u16>,
    /// The enhanced code (RFC 3463), if there is one.
    pub enhanced: Option<String>,
    /// What the server said; it may hold the reader's address.
    pub text: String,
}

/// The delivery that a mail is about, by a token that only we can make: in `to`, for whom the mail was brought, else
/// anywhere in it, such as in the Message-ID of what is returned. None: whatever it says, it is nobody's business.
pub fn named(bytes: &[u8], to: &str, keys: &[&[u8]]) -> Option<DeliveryId> {
    delivery_of(to, keys).or_else(|| delivery_of(&String::from_utf8_lossy(bounded(bytes)), keys)).or_else(|| {
        let message = MessageParser::new().parse(bounded(bytes))?;
        parts(&message).into_iter().find_map(|(_, text)| delivery_of(&text, keys))
    })
}

/// What a mail says about one that was sent; none: it is no report.
pub fn read(bytes: &[u8]) -> Option<Report> {
    let message = MessageParser::new().parse(bounded(bytes))?;
    let (parts, words) = (parts(&message), words_of(&message));
    let of_type = |wanted: &str| parts.iter().find(|(media_type, _)| media_type == wanted).map(|(_, text)| text);
    if let Some(feedback) = of_type("message/feedback-report") {
        return is_complaint(feedback).then(|| Report::Back(complaint()));
    }
    if let Some(status) = of_type("message/delivery-status").or_else(|| of_type("message/global-delivery-status"))
        && let Some(report) = of_status(status, &words)
    {
        return Some(report);
    }
    of_words(&message, &words)
}

/// A reader calls it spam.
pub fn complaint() -> Back {
    Back { cause: Cause::Complaint, code: None, enhanced: None, text: String::new() }
}

fn bounded(bytes: &[u8]) -> &[u8] {
    let bytes = &bytes[..bytes.len().min(MOST)];
    let starts = |(_, window): &(usize, &[u8])| window.eq_ignore_ascii_case(b"content-type");
    let cut = bytes.windows(12).enumerate().filter(starts).nth(PARTS).map_or(bytes.len(), |(at, _)| at);
    &bytes[..cut]
}

/// All parts that are no multipart, those of messages within too, with their media type and what they hold.
fn parts<'m>(message: &'m Message<'_>) -> Vec<(String, Cow<'m, str>)> {
    let (mut found, mut messages) = (Vec::new(), vec![message]);
    while let Some(message) = messages.pop() {
        for part in &message.parts {
            let media_type = part.content_type().map_or_else(String::new, |content_type| {
                format!("{}/{}", content_type.ctype(), content_type.subtype().unwrap_or_default()).to_ascii_lowercase()
            });
            match &part.body {
                PartType::Multipart(_) => {}
                PartType::Message(inner) => {
                    // What was encoded has its header nowhere else.
                    if part.encoding != Encoding::None {
                        found.push((media_type, String::from_utf8_lossy(inner.raw_message())));
                    }
                    messages.push(inner);
                }
                _ => found.push((media_type, String::from_utf8_lossy(part.contents()))),
            }
        }
    }
    found
}

/// Whether a feedback report (RFC 5965, 3 and 7.3) complains about mail. Others say that mail was no spam, or that a
/// signature was wrong.
fn is_complaint(feedback: &str) -> bool {
    let kind = field(&unfolded(feedback), "feedback-type").to_ascii_lowercase();
    ["abuse", "fraud", "virus", "other", "opt-out", "opt-out-list", "complaint"].contains(&kind.as_str())
}

/// Each recipient has a block of its own (RFC 3464, 2.3); the first that failed counts, for our mails have one.
fn of_status(status: &str, words: &str) -> Option<Report> {
    let status = unfolded(status);
    let mut is_report = false;
    for block in status.split("\n\n") {
        let (action, status) = (field(block, "action").to_ascii_lowercase(), field(block, "status"));
        is_report |= !action.is_empty() || !status.is_empty();
        if action.starts_with("fail") || action.is_empty() && status.starts_with('5') {
            return Some(Report::Back(refused(status, field(block, "diagnostic-code"), words)));
        }
    }
    is_report.then_some(Report::Passing)
}

/// What a recipient's `Status` and `Diagnostic-Code` mean (RFC 3464, 2.3), and `words` where they say nothing.
pub fn refused(status: &str, diagnostic: &str, words: &str) -> Back {
    let said = diagnostic.split_once(';').map_or(diagnostic, |(_, said)| said);
    failed(status, &said.split_whitespace().collect::<Vec<_>>().join(" "), words)
}

/// `status` is that of the server that reports, `said` the words of the one that refused.
fn failed(status: &str, said: &str, words: &str) -> Back {
    let status = codes_in(status).1;
    let (code, enhanced) = codes_in(said);
    let is_better = |enhanced: &String| Cause::by_code(code, Some(enhanced)).is_some();
    let enhanced = match status {
        // Given up after trying for long: the mailbox may be there.
        Some(status) if status.starts_with('4') => Some(status),
        status => enhanced.filter(is_better).or(status),
    };
    let mut cause = Cause::of(code, enhanced.as_deref(), said);
    if cause == Cause::Refused {
        cause = Cause::of(code, enhanced.as_deref(), words);
    }
    let text = if said.is_empty() { words } else { said };
    Back { cause, code, enhanced, text: text.chars().filter(|one| !one.is_control()).take(KEPT).collect() }
}

/// Basic and enhanced code of an answer that is quoted somewhere in a text.
fn codes_in(text: &str) -> (Option<u16>, Option<String>) {
    let is_number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_enhanced =
        |word: &&str| word.starts_with(['4', '5']) && word.split('.').count() == 3 && word.split('.').all(is_number);
    let is_code = |code: &u16| matches!(code, 420..=479 | 500..=579);
    let words =
        || text.split(|one: char| !one.is_ascii_alphanumeric() && one != '.').map(|word| word.trim_end_matches('.'));
    let code = words().filter(|word| word.len() == 3).find_map(|word| word.parse().ok().filter(is_code));
    (code, words().find(is_enhanced).map(str::to_owned))
}

/// What servers call themselves…
const SERVERS: &[&str] =
    &["mailer-daemon", "postmaster", "mail delivery", "maildelivery", "mailerdaemon", "mail administrator"];
/// …and how they head what they have to say.
const TITLES: &[&str] = &[
    "undeliver", "returned mail", "returned to sender", "delivery status", "delivery fail", "failure notice",
    "mail system error", "delivery problem", "delivery error", "delivery notification", "mail failure",
    "could not be delivered", "nondeliverable", "delivery has failed", "message status", "non delivery",
    "unable to deliver", "non-delivery", "mail delivery", "user unknown", "returning message",
    "warning: could not send", "bounce",
];
/// What they say of a mail that is still being tried.
const TRYING: &[&str] = &[
    "will keep trying", "will continue to try", "will be retried", "not need to resend", "has been delayed",
    "not yet been delivered", "warning message only",
];
/// After this, they return what was sent.
const COPY: &[&str] = &[
    "copy of the message", "original message", "copy of your message", "message header", "returned message",
    "text of your message", "unsent message", "message follows", "headers of the message",
];

/// What a server says in its own words, where it does not write a report.
fn of_words(message: &Message<'_>, words: &str) -> Option<Report> {
    let header = |name: &str| message.header_raw(name).unwrap_or_default().to_ascii_lowercase();
    let says = |text: &str, all: &[&str]| all.iter().any(|words| text.contains(words));
    let is_named = message.header("X-Failed-Recipients").is_some();
    if !is_named && !says(&header("From"), SERVERS) && !says(&header("Subject"), TITLES) {
        return None;
    }
    if says(words, TRYING) {
        return Some(Report::Passing);
    }
    Some(Report::Back(failed("", words, words)))
}

/// What a mail says to people, in small letters on one line, without what it returns.
fn words_of(message: &Message<'_>) -> String {
    let mut words = String::new();
    for text in (0..message.text_body_count()).filter_map(|number| message.body_text(number)) {
        let room = TEXT.saturating_sub(words.len());
        for word in text.chars().take(room).collect::<String>().split_whitespace() {
            words.push_str(&word.to_lowercase());
            words.push(' ');
        }
    }
    let end = COPY.iter().filter_map(|copy| words.find(copy)).min().unwrap_or(words.len());
    words.truncate(end);
    words
}

/// Folded lines become one (RFC 5322, 2.2.3), and all end alike.
fn unfolded(fields: &str) -> String {
    fields.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ")
}

/// The value of a field, empty where there is none.
fn field<'t>(fields: &'t str, name: &str) -> &'t str {
    let value = |line: &'t str| line.split_once(':').filter(|(its, _)| its.trim().eq_ignore_ascii_case(name));
    fields.lines().find_map(value).map_or("", |(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::message_id;

    const KEYS: &[&[u8]] = &[b"key"];

    fn delivery() -> DeliveryId {
        DeliveryId::new("0192f0c0a1b27c3d8e4f5a6b7c8d9e0f")
    }

    fn report(action: &str, status: &str, said: &str, returned: &str) -> String {
        format!(
            "From: MAILER-DAEMON@mx.example.com\r\nSubject: Undelivered Mail Returned to Sender\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
             --b\r\n\r\nThis is the mail system at host mx.example.com.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n\
             Final-Recipient: rfc822; reader@example.org\r\nAction: {action}\r\nStatus: {status}\r\n\
             Diagnostic-Code: smtp; {said}\r\n\
             --b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: {returned}\r\nSubject: News\r\n\r\nText\r\n--b--\r\n"
        )
    }

    #[track_caller]
    fn check(mail: &str, expected: Option<Cause>) {
        let cause = match read(mail.as_bytes()) {
            Some(Report::Back(back)) => Some(back.cause),
            _ => None,
        };
        assert_eq!(cause, expected, "{mail}");
    }

    #[test]
    fn only_what_failed_counts_and_what_was_given_up_is_no_dead_mailbox() {
        check(&report("failed", "5.1.1", "550 5.1.1 <reader@example.org>:\r\n  User unknown", ""), Some(Cause::Gone));
        check(&report("Failed (for good)", "5.0.0", "550 5.2.2 full", ""), Some(Cause::Full));
        check(&report("failed", "4.2.2", "452 4.2.2 mailbox full", ""), Some(Cause::Full));
        check(&report("failed", "4.4.1", "550 5.1.1 User unknown", ""), Some(Cause::Later));
        check(&report("failed", "5.1.1", "450 4.1.1 User unknown", ""), Some(Cause::Later));
        for action in ["delayed", "relayed", "delivered", "expanded"] {
            assert_eq!(read(report(action, "5.1.1", "550 User unknown", "").as_bytes()), Some(Report::Passing));
        }
    }

    #[test]
    fn servers_that_write_no_report_are_understood() {
        let letter =
            |from: &str, subject: &str, text: &str| format!("From: {from}\r\nSubject: {subject}\r\n\r\n{text}\r\n");
        let qmail = "Hi. This is the qmail-send program at example.com.\r\n<reader@example.org>:\r\n\
            192.0.2.1 does not like recipient.\r\nRemote host said: 550 unknown\r\nuser\r\n\
            --- Below this line is a copy of the message.\r\n\r\nAll about spam";
        check(&letter("MAILER-DAEMON@example.com", "failure notice", qmail), Some(Cause::Gone));
        let exim = "A message that you sent could not be delivered.\r\n  reader@example.org\r\n    mailbox is full";
        check(&letter("Mail Delivery System <x@example.com>", "Mail delivery failed", exim), Some(Cause::Full));
        let delayed = "THIS IS A WARNING MESSAGE ONLY.\r\nYOU DO NOT NEED TO RESEND YOUR MESSAGE. User unknown";
        assert_eq!(read(letter("postmaster@example.com", "Warning", delayed).as_bytes()), Some(Report::Passing));
        assert_eq!(read(letter("reader@example.org", "Re: News", "550 User unknown, I read").as_bytes()), None);
        assert_eq!(
            read(letter("reader@example.org", "Out of office", "I am away. My account is closed.").as_bytes()),
            None
        );
    }

    #[test]
    fn a_complaint_is_one_that_says_so() {
        let feedback = |kind: &str| {
            format!(
                "From: feedback@example.com\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
                 --b\r\n\r\nA complaint\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: {kind}\r\n\
                 User-Agent: Example/1\r\nVersion: 1\r\n--b--\r\n"
            )
        };
        check(&feedback("abuse"), Some(Cause::Complaint));
        assert_eq!(read(feedback("not-spam").as_bytes()), None);
        assert_eq!(read(feedback("auth-failure").as_bytes()), None);
    }

    #[test]
    fn a_report_names_its_delivery_by_what_only_we_can_make() {
        let ours = message_id(&delivery(), b"key", "example.com");
        let returned = report("failed", "5.1.1", "550", &ours);
        assert_eq!(named(returned.as_bytes(), "", KEYS), Some(delivery()));
        assert_eq!(named(b"To: x", &format!("bounces+{}", &ours[1..]), KEYS), Some(delivery()));
        let forged = report("failed", "5.1.1", "550", &message_id(&delivery(), b"another", "example.com"));
        assert_eq!(named(forged.as_bytes(), "reader@example.org", KEYS), None);
        let encoded = format!(
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
            base64::Engine::encode(
                &base64::engine::general_purpose::STANDARD,
                format!("Message-ID: {ours}\r\n\r\nText")
            )
        );
        assert_eq!(named(encoded.as_bytes(), "", KEYS), Some(delivery()));
    }

    #[test]
    fn what_is_hostile_is_read_as_far_as_it_goes() {
        let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(50_000);
        let multiparts: String =
            (0..20_000).map(|at| format!("Content-Type: multipart/mixed; boundary=b{at}\r\n\r\n--b{at}\r\n")).collect();
        let zeros = "\0".repeat(3 * MOST);
        let fields = format!("{}\r\n\r\n", "X: y\r\n".repeat(300_000));
        for text in [&nested, &multiparts, &zeros, &fields, "", "\r\n", "Content-Type: multipart/report\r\n\r\n"] {
            assert_eq!((read(text.as_bytes()), named(text.as_bytes(), text, KEYS)), (None, None));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, cut in 0_usize..2000, byte: u8) {
            let mut mail = report("failed", "5.1.1", "550 5.1.1 é", "<x@y>").into_bytes();
            let at = cut % mail.len();
            mail[at] = byte;
            read(&mail);
            mail.truncate(at);
            mail.extend(&bytes);
            read(&mail);
            named(&bytes, "", KEYS);
        }
    }
}

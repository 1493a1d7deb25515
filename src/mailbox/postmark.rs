//! What Postmark says of mails that it took from us: its webhooks for bounces and spam complaints.
//!
//! It does not sign them; a password that both know stands in the address it is given. Each event has an id, by which
//! it counts once.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use crate::config::Secret;
use crate::mail::report::Back;
use crate::model::{Cause, EmailAddress};
use crate::store::About;

use super::{Event, returned};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    record_type: String,
    #[serde(rename = "ID")]
    id: Option<i64>,
    #[serde(default)]
    r#type: String,
    email: Option<String>,
    #[serde(default)]
    details: String,
}

/// Reads a request with this `Authorization` header (RFC 7617), if `secret` is the password in it.
pub fn event(authorization: &str, body: &[u8], secret: &Secret) -> Event {
    let password = authorization.strip_prefix("Basic ").and_then(|text| BASE64.decode(text.trim()).ok());
    let password = password.as_deref().map(|text| text.splitn(2, |byte| *byte == b':').nth(1).unwrap_or_default());
    let is_theirs = |password| verify_slices_are_equal(password, secret.reveal().as_bytes()).is_ok();
    if !password.is_some_and(is_theirs) {
        return Event::Refused("its password is wrong");
    }
    let unread = Event::Refused("it is not in the form of an event");
    let Ok(told) = serde_json::from_slice::<Told>(body) else { return unread };
    let Some(cause) = cause(&told) else { return Event::Other };
    let address = told.email.as_deref().and_then(|email| EmailAddress::parse(email).ok());
    let (Some(id), Some(address)) = (told.id, address) else { return unread };
    let text = told.details.chars().filter(|one| !one.is_control()).take(512).collect();
    let back = Back { cause, code: None, enhanced: None, text };
    Event::Returned(returned(format!("postmark|{id}"), About::Address(address), back, "postmark"))
}

/// What Postmark's types of bounces are about; none: nothing that concerns the reader or us.
fn cause(told: &Told) -> Option<Cause> {
    match (told.record_type.as_str(), told.r#type.as_str()) {
        ("SpamComplaint", _) | ("Bounce", "SpamComplaint") => Some(Cause::Complaint),
        ("Bounce", "HardBounce" | "BadEmailAddress") => Some(Cause::Gone),
        ("Bounce", "Transient" | "SoftBounce" | "DnsError" | "Unknown") => {
            // Their words tell a full mailbox from others; for good, they would have said.
            Some(Cause::of(Some(450), None, &told.details))
        }
        ("Bounce", "SpamNotification" | "Blocked" | "ManuallyDeactivated") => Some(Cause::Policy),
        ("Bounce", "DMARCPolicy") => Some(Cause::Authentication),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_knows_the_password_is_heard() {
        let secret = Secret::new("a password of Postmark's");
        let authorization = format!("Basic {}", BASE64.encode("postmark:a password of Postmark's"));
        let body = |what: &str| {
            format!(
                r#"{{"RecordType": {what}, "ID": 42, "Email": "Reader@example.org", "Details": "smtp;550 no such user"}}"#
            )
        };
        let cause = |what: &str| match event(&authorization, body(what).as_bytes(), &secret) {
            Event::Returned(returned) => {
                assert_eq!(returned.id, "postmark|42");
                Some(returned.cause)
            }
            other => {
                assert_eq!(other, Event::Other);
                None
            }
        };
        assert_eq!(cause(r#""SpamComplaint", "Type": "SpamComplaint""#), Some(Cause::Complaint));
        assert_eq!(cause(r#""Bounce", "Type": "HardBounce""#), Some(Cause::Gone));
        assert_eq!(cause(r#""Bounce", "Type": "SoftBounce""#), Some(Cause::Later));
        assert_eq!(cause(r#""Bounce", "Type": "DMARCPolicy""#), Some(Cause::Authentication));
        assert_eq!(cause(r#""Bounce", "Type": "AutoResponder""#), None);
        assert_eq!(cause(r#""Open""#), None);
        let bounce = body(r#""Bounce", "Type": "HardBounce""#);
        for wrong in
            ["", "Basic", "Basic x", &format!("Basic {}", BASE64.encode("postmark:wrong")), &BASE64.encode("x")]
        {
            let refused = event(wrong, bounce.as_bytes(), &secret);
            assert!(matches!(refused, Event::Refused(_)), "{wrong}");
        }
        for wrong in
            ["", "{}", "[]", r#"{"RecordType": "Bounce", "Type": "HardBounce", "Email": "no address", "ID": 1}"#]
        {
            let refused = event(&authorization, wrong.as_bytes(), &secret);
            assert!(matches!(refused, Event::Refused(_)), "{wrong}");
        }
    }
}

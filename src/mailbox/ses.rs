//! What Amazon's SES says of mails that it took from us: bounces and complaints, as its notifications and its events
//! have them.

use serde::Deserialize;

use crate::auth::ServerKeys;
use crate::mail::delivery_of;
use crate::mail::report::{self, Back};
use crate::model::{Cause, EmailAddress};
use crate::store::About;

use super::{Event, returned};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    #[serde(alias = "eventType")]
    notification_type: String,
    #[serde(alias = "bounce", alias = "complaint")]
    feedback: Option<Feedback>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    feedback_id: String,
    #[serde(alias = "bouncedRecipients", alias = "complainedRecipients")]
    recipients: Vec<Recipient>,
    #[serde(default)]
    bounce_type: String,
    #[serde(default)]
    bounce_sub_type: String,
    complaint_feedback_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email_address: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    diagnostic_code: String,
}

/// Reads what the topic said. The mail is found by the address that it was sent from or by its Message-ID, else its
/// reader by the address that is named.
pub(super) fn event(message: &str, keys: &ServerKeys) -> Event {
    let Ok(Told { notification_type, feedback: Some(feedback) }) = serde_json::from_str(message) else {
        return Event::Other;
    };
    // Our mails have one.
    let [recipient] = feedback.recipients.as_slice() else { return Event::Other };
    let keys: Vec<&[u8]> = keys.all().collect();
    let by_address = || EmailAddress::parse(&recipient.email_address).ok().map(About::Address);
    let about = delivery_of(message, &keys).map(About::Delivery).or_else(by_address);
    let (Some(back), Some(about)) = (back(&notification_type, &feedback, recipient), about) else {
        return Event::Other;
    };
    Event::Returned(returned(format!("ses|{}", feedback.feedback_id), about, back, "ses"))
}

/// None: it is nothing that concerns the reader or us.
fn back(kind: &str, feedback: &Feedback, recipient: &Recipient) -> Option<Back> {
    match (kind, feedback.complaint_feedback_type.as_deref()) {
        ("Complaint", Some("not-spam" | "auth-failure")) => None,
        ("Complaint", _) => Some(report::complaint()),
        ("Bounce", _) => {
            let back = report::refused(&recipient.status, &recipient.diagnostic_code, "");
            let is_dead = matches!(&*feedback.bounce_sub_type, "NoEmail" | "Suppressed" | "OnAccountSuppressionList");
            let cause = match (&*feedback.bounce_type, back.cause) {
                ("Permanent", Cause::Refused) if is_dead => Cause::Gone,
                ("Permanent", cause) => cause,
                // Whatever a server said: they will try there again.
                (_, Cause::Gone | Cause::Inactive | Cause::Refused) => Cause::Later,
                (_, cause) => cause,
            };
            Some(Back { cause, ..back })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::mail::bounce_address;
    use crate::model::DeliveryId;
    use crate::store::Returned;

    fn told(kind: &str, feedback: Value, source: &str) -> Option<Returned> {
        let mut told = json!({"notificationType": kind, "mail": {"source": source, "messageId": "0102"}});
        told[kind.to_ascii_lowercase()] = feedback;
        match event(&told.to_string(), &ServerKeys::new(*b"key", [])) {
            Event::Returned(returned) => Some(returned),
            other => {
                assert_eq!(other, Event::Other);
                None
            }
        }
    }

    fn bounce(kind: &str, sub_type: &str, status: &str, said: &str) -> Option<Cause> {
        let recipient = json!({
            "emailAddress": "reader@example.org", "action": "failed", "status": status, "diagnosticCode": said
        });
        let bounce = json!({
            "bounceType": kind, "bounceSubType": sub_type, "bouncedRecipients": [recipient], "feedbackId": "f"
        });
        told("Bounce", bounce, "news@example.com").map(|returned| returned.cause)
    }

    #[test]
    fn a_bounce_is_what_the_server_said_as_long_as_they_give_up_as_well() {
        for (kind, sub_type, status, said, expected) in [
            ("Permanent", "General", "5.1.1", "smtp; 550 5.1.1 user unknown", Cause::Gone),
            ("Permanent", "General", "5.0.0", "smtp; 550 5.7.26 unauthenticated", Cause::Authentication),
            ("Permanent", "General", "5.7.1", "smtp; 554 5.7.1 looks like spam", Cause::Policy),
            ("Permanent", "General", "", "", Cause::Refused),
            ("Permanent", "NoEmail", "", "", Cause::Gone),
            ("Permanent", "OnAccountSuppressionList", "", "", Cause::Gone),
            ("Transient", "MailboxFull", "5.2.2", "smtp; 552 5.2.2 mailbox full", Cause::Full),
            ("Transient", "General", "5.1.1", "smtp; 550 5.1.1 user unknown", Cause::Later),
            ("Undetermined", "Undetermined", "", "", Cause::Later),
        ] {
            assert_eq!(bounce(kind, sub_type, status, said), Some(expected), "{kind} {sub_type} {status} {said}");
        }
    }

    #[test]
    fn a_complaint_names_its_mail_or_its_reader() {
        let delivery = DeliveryId::new("0192f0c0a1b27c3d8e4f5a6b7c8d9e0f");
        let mailbox = EmailAddress::parse("bounces@example.com").unwrap();
        let source = bounce_address(&mailbox, &delivery, b"key").unwrap();
        let complaint = |kind: &str| {
            let recipients = json!([{"emailAddress": "Reader@example.org"}]);
            json!({"complainedRecipients": recipients, "feedbackId": "f", "complaintFeedbackType": kind})
        };
        let returned = told("Complaint", complaint("abuse"), source.as_str()).unwrap();
        assert_eq!((returned.id.as_str(), returned.cause, returned.is_vouched), ("ses|f", Cause::Complaint, true));
        assert_eq!(returned.about, About::Delivery(delivery));
        let returned = told("Complaint", complaint("abuse"), "news@example.com").unwrap();
        assert_eq!(returned.about, About::Address(EmailAddress::parse("Reader@example.org").unwrap()));
        assert_eq!(told("Complaint", complaint("not-spam"), source.as_str()), None);
    }

    #[test]
    fn anything_else_asks_for_nothing() {
        let two = json!([{"emailAddress": "a@example.org"}, {"emailAddress": "b@example.org"}]);
        assert_eq!(told("Complaint", json!({"complainedRecipients": two, "feedbackId": "f"}), ""), None);
        let none = json!([{"emailAddress": "nobody"}]);
        assert_eq!(told("Complaint", json!({"complainedRecipients": none, "feedbackId": "f"}), ""), None);
        assert_eq!(told("Delivery", json!({}), ""), None);
        for text in ["", "Successfully validated SNS topic for Amazon SES event publishing.", "[]", "{}"] {
            assert_eq!(event(text, &ServerKeys::new(*b"key", [])), Event::Other);
        }
    }
}

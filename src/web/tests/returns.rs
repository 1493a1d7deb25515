//! What mail providers post.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;
use crate::model::SuppressionReason;

const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:bounces";

#[tokio::test]
async fn sns_is_heard_where_its_topic_is_named_and_nobody_else() {
    assert_eq!(Site::open().await.ask("POST", "/webhooks/mail/ses", "", "{}").await.status, 404);
    let site = Site::with(&format!("{SETTINGS}[mail]\nses-topic = \"{TOPIC}\"\n")).await;
    let forged = format!(
        r#"{{"Type": "Notification", "MessageId": "m", "TopicArn": "{TOPIC}", "Message": "{{}}", "Signature": "AA==",
        "Timestamp": "{}", "SignatureVersion": "2", "SigningCertURL": "https://evil.example.com/a.pem"}}"#,
        clock::now().to_rfc3339()
    );
    for body in ["", "{}", &forged] {
        assert_eq!(site.ask("POST", "/webhooks/mail/ses", "", body).await.status, 403, "{body}");
    }
    let huge = " ".repeat((1 << 20) + 1);
    assert_eq!(site.ask("POST", "/webhooks/mail/ses", "", &huge).await.status, 413);
    assert_eq!(site.get("/webhooks/mail/ses").await.status, 405);
    assert_eq!(site.ask("POST", "/webhooks/mail/postmark", "", "{}").await.status, 404);
}

#[tokio::test]
async fn postmark_is_heard_by_its_password_and_nobody_else() {
    let variables = [("PRESSRUN_MAIL__POSTMARK_PASSWORD", "a password")];
    let site = Site::with_variables(SETTINGS, &variables).await;
    let hears = async |login: &str, body: &str| {
        let login = if login.is_empty() { String::new() } else { format!("Authorization: {login}\r\n") };
        site.ask("POST", "/webhooks/mail/postmark", &login, body).await.status
    };
    let (theirs, wrong) = ["postmark:a password", "postmark:another"].map(|login| BASE64.encode(login)).into();
    let theirs = format!("Basic {theirs}");
    let bounce = r#"{"RecordType": "Bounce", "Type": "HardBounce", "ID": 1, "Email": "gone@example.org"}"#;
    for login in ["", "Basic", &format!("Basic {wrong}"), &theirs.replace("Basic", "Bearer")] {
        assert_eq!(hears(login, bounce).await, 403, "{login}");
    }
    for body in ["", "{}", "[", &bounce.replace("gone@example.org", "nobody"), &bounce.replace("\"ID\": 1, ", "")] {
        assert_eq!(hears(&theirs, body).await, 403, "{body}");
    }
    let suppressions = async || site.state.store.suppressions_of(&["gone@example.org"]).await.unwrap();
    assert!(suppressions().await.is_empty());
    assert_eq!(hears(&theirs, &" ".repeat((1 << 20) + 1)).await, 413);
    assert_eq!(hears(&theirs, r#"{"RecordType": "Delivery", "ID": 1}"#).await, 200);
    assert!(suppressions().await.is_empty());
    for _again in 0..2 {
        assert_eq!(hears(&theirs, bounce).await, 200);
        assert_eq!(suppressions().await.get("gone@example.org"), Some(&SuppressionReason::HardBounce));
    }
    assert_eq!(
        site.ask("POST", "/webhooks/mail/another", &format!("Authorization: {theirs}\r\n"), bounce).await.status,
        404
    );
}

//! What mail providers post.

use super::*;

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

//! The messages of Amazon's SNS, by which its SES tells of mails that it took from us: whether one is theirs, and new.
//!
//! Each is signed with a key whose certificate stands at an address of theirs, which the message names. That it is
//! theirs, the encrypted line to that host vouches for: the host is made from the topic in the settings, never taken
//! from the message.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::server::ParsedCertificate;
use url::Url;

use crate::auth::ServerKeys;
use crate::config::Topic;
use crate::lookup::{self, FetchError};
use crate::relay::Doing;

use super::{Event, ses};

/// They try for an hour (the longest retry policy for HTTPS); the rest is for clocks that differ.
const OLDEST: TimeDelta = TimeDelta::minutes(65);
/// How far their clock may be ahead.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// Fetches what stands at an address.
type Fetch = Box<dyn Fn(Url) -> Doing<'static, Result<Vec<u8>, FetchError>> + Send + Sync>;

/// Hears them, and remembers the key that they sign with.
pub struct Sns {
    fetch: Fetch,
    /// The address of the certificate that verified the last message, and its key.
    known: Mutex<Option<(Url, Vec<u8>)>>,
    fetching: tokio::sync::Mutex<()>,
}

impl Default for Sns {
    fn default() -> Sns {
        Sns::with(Box::new(|address| Box::pin(lookup::fetch(address))))
    }
}

/// One message, as it is posted.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    r#type: String,
    message_id: String,
    topic_arn: String,
    subject: Option<String>,
    message: String,
    timestamp: String,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    certificate: Url,
    #[serde(rename = "SubscribeURL")]
    subscribe: Option<String>,
    token: Option<String>,
}

impl Sns {
    /// One that fetches in this way.
    fn with(fetch: Fetch) -> Sns {
        Sns { fetch, known: Mutex::default(), fetching: tokio::sync::Mutex::default() }
    }

    /// Reads a request, if `topic` sent it within the last hour. A subscription of that topic is confirmed.
    ///
    /// # Errors
    ///
    /// Their certificate cannot be had now, or the confirmation does not arrive: it should come again.
    pub async fn event(
        &self,
        body: &[u8],
        topic: &Topic,
        keys: &ServerKeys,
        now: DateTime<Utc>,
    ) -> Result<Event, FetchError> {
        let Ok(message) = serde_json::from_slice::<Message>(body) else {
            return Ok(Event::Refused("it is not in the form of a message"));
        };
        if let Some(why) = message.why_refused(topic, now) {
            return Ok(Event::Refused(why));
        }
        if !self.is_signed(&message).await? {
            return Ok(Event::Refused("its signature is wrong"));
        }
        let subscribe = message.subscribe.as_deref().and_then(|address| topic.address(address));
        match (message.r#type.as_str(), subscribe) {
            ("Notification", _) => return Ok(ses::event(&message.message, keys)),
            ("SubscriptionConfirmation", Some(address)) => {
                (self.fetch)(address).await?;
                tracing::info!("the topic's subscription was confirmed");
            }
            _ => tracing::warn!(kind = message.r#type, "the topic says that it is about to fall silent"),
        }
        Ok(Event::Other)
    }

    async fn is_signed(&self, message: &Message) -> Result<bool, FetchError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, key)) = known.filter(|(address, _)| *address == message.certificate) {
            return Ok(message.is_signed_with(&key));
        }
        // Whoever makes addresses up makes others wait for nothing but their own new certificate.
        let _one_by_one = self.fetching.lock().await;
        let pem = (self.fetch)(message.certificate.clone()).await?;
        let Some(key) = public_key(&pem).filter(|key| message.is_signed_with(key)) else { return Ok(false) };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((message.certificate.clone(), key));
        Ok(true)
    }
}

/// Of a certificate in PEM.
fn public_key(pem: &[u8]) -> Option<Vec<u8>> {
    let certificate = CertificateDer::from_pem_slice(pem).ok()?;
    Some(ParsedCertificate::try_from(&certificate).ok()?.subject_public_key_info().to_vec())
}

impl Message {
    /// What is wrong with it, before its signature is looked at.
    fn why_refused(&self, topic: &Topic, now: DateTime<Utc>) -> Option<&'static str> {
        let age = DateTime::parse_from_rfc3339(&self.timestamp).ok().map(|at| now - at.to_utc());
        // A file of theirs, and nothing that anybody can have them say: the host answers questions too.
        let (path, query) = (self.certificate.path(), self.certificate.query());
        let is_file = path.starts_with("/SimpleNotificationService-") && path.ends_with(".pem") && query.is_none();
        let is_theirs = topic.address(self.certificate.as_str()).is_some() && is_file;
        match () {
            () if self.topic_arn != topic.arn => Some("it is of another topic"),
            () if !is_theirs => Some("its certificate is not at SNS"),
            () if self.signature_version != "2" => {
                Some("it is signed with SHA-1: set the topic's attribute SignatureVersion to 2")
            }
            () if !age.is_some_and(|age| (-AHEAD..=OLDEST).contains(&age)) => {
                Some("it is older than an hour, or a clock is wrong")
            }
            () => None,
        }
    }

    /// The string that they sign: what is there of these fields, by name.
    fn signed(&self) -> String {
        let is_notification = self.r#type == "Notification";
        let fields = [
            ("Message", Some(&self.message)),
            ("MessageId", Some(&self.message_id)),
            ("Subject", self.subject.as_ref().filter(|_| is_notification)),
            ("SubscribeURL", self.subscribe.as_ref().filter(|_| !is_notification)),
            ("Timestamp", Some(&self.timestamp)),
            ("Token", self.token.as_ref().filter(|_| !is_notification)),
            ("TopicArn", Some(&self.topic_arn)),
            ("Type", Some(&self.r#type)),
        ];
        fields.iter().filter_map(|(name, value)| value.map(|value| format!("{name}\n{value}\n"))).collect()
    }

    fn is_signed_with(&self, key: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
        BASE64.decode(&self.signature).is_ok_and(|signature| key.verify(self.signed().as_bytes(), &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
    use serde_json::{Value, json};

    use super::*;
    use crate::store::fresh;

    const CERTIFICATE: &str = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem";
    const SUBSCRIBE: &str = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t";

    fn topic() -> Topic {
        let arn = "arn:aws:sns:eu-west-1:123456789012:bounces".to_owned();
        Topic { arn, host: "sns.eu-west-1.amazonaws.com".to_owned() }
    }

    fn now() -> DateTime<Utc> {
        "2026-01-07T12:00:00Z".parse().unwrap()
    }

    /// SNS as far as it can be here: its key, and what was fetched from it.
    struct Amazon {
        pair: Arc<KeyPair>,
        fetched: Arc<Mutex<Vec<String>>>,
        sns: Sns,
    }

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        let length = match (high, low) {
            (0, ..128) => vec![low],
            (0, _) => vec![0x81, low],
            _ => vec![0x82, high, low],
        };
        [&[tag][..], &length, &content].concat()
    }

    /// As little as makes a certificate (RFC 5280, 4.1).
    fn certificate(pair: &KeyPair) -> String {
        let key: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let algorithm = der(0x30, &[&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b, 5, 0]]);
        let validity = der(0x30, &[&der(0x17, &[b"260101000000Z"]), &der(0x17, &[b"270101000000Z"])]);
        let (version, name) = (der(0xa0, &[&[2, 1, 2]]), der(0x30, &[]));
        let told = der(0x30, &[&version, &[2, 1, 1], &algorithm, &name, &validity, &name, key.as_ref()]);
        let signature = der(3, &[&[0], &[1; 256]]);
        let whole = BASE64.encode(der(0x30, &[&told, &algorithm, &signature]));
        format!("-----BEGIN CERTIFICATE-----\n{whole}\n-----END CERTIFICATE-----\n")
    }

    impl Amazon {
        fn new() -> Amazon {
            let pair = Arc::new(KeyPair::generate(KeySize::Rsa2048).unwrap());
            let fetched: Arc<Mutex<Vec<String>>> = Arc::default();
            let (theirs, seen) = (Arc::clone(&pair), Arc::clone(&fetched));
            let fetch: Fetch = Box::new(move |address| {
                seen.lock().unwrap().push(address.to_string());
                let answer = match address.path() {
                    "/" => Ok(b"<ConfirmSubscriptionResponse/>".to_vec()),
                    "/SimpleNotificationService-1.pem" => Ok(certificate(&theirs).into_bytes()),
                    "/SimpleNotificationService-another.pem" => Ok(b"no certificate".to_vec()),
                    _ => Err(FetchError("no connection")),
                };
                Box::pin(async { answer })
            });
            Amazon { pair, fetched, sns: Sns::with(fetch) }
        }

        /// A message with what they sign of it, field by field.
        fn signed(&self, mut message: Value, fields: &[&str]) -> Value {
            let text: String =
                fields.iter().map(|field| format!("{field}\n{}\n", message[field].as_str().unwrap())).collect();
            let mut signature = vec![0; self.pair.public_modulus_len()];
            self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
            message["Signature"] = BASE64.encode(signature).into();
            message
        }

        fn notification(&self, change: impl FnOnce(&mut Value)) -> Value {
            let mut message = json!({
                "Type": "Notification", "MessageId": "m", "TopicArn": topic().arn, "Subject": "s", "Message": "told\nus",
                "Timestamp": "2026-01-07T11:30:00.000Z", "SignatureVersion": "2", "SigningCertURL": CERTIFICATE,
                "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
            });
            change(&mut message);
            self.signed(message, &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"])
        }

        fn confirmation(&self, subscribe: &str) -> Value {
            let message = json!({
                "Type": "SubscriptionConfirmation", "MessageId": "m", "TopicArn": topic().arn, "Message": "confirm",
                "Timestamp": "2026-01-07T12:01:00.000Z", "SignatureVersion": "2", "SigningCertURL": CERTIFICATE,
                "SubscribeURL": subscribe, "Token": "t",
            });
            let fields = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
            self.signed(message, &fields)
        }

        async fn hears(&self, message: &Value) -> Result<Event, FetchError> {
            let keys = ServerKeys::new(*b"key", []);
            self.sns.event(message.to_string().as_bytes(), &topic(), &keys, now()).await
        }

        async fn refuses(&self, message: &Value) -> &'static str {
            match self.hears(message).await {
                Ok(Event::Refused(why)) => why,
                other => panic!("{other:?} of {message}"),
            }
        }

        fn fetched(&self) -> Vec<String> {
            std::mem::take(&mut self.fetched.lock().unwrap())
        }
    }

    #[tokio::test]
    async fn what_the_topic_signed_is_heard_and_its_certificate_fetched_once() {
        let amazon = Amazon::new();
        assert_eq!(amazon.hears(&amazon.notification(|_| {})).await, Ok(Event::Other));
        let mut without_subject = amazon.notification(|_| {});
        without_subject.as_object_mut().unwrap().remove("Subject");
        let fields = ["Message", "MessageId", "Timestamp", "TopicArn", "Type"];
        assert_eq!(amazon.hears(&amazon.signed(without_subject, &fields)).await, Ok(Event::Other));
        assert_eq!(amazon.fetched(), [CERTIFICATE]);
        assert_eq!(amazon.hears(&amazon.confirmation(SUBSCRIBE)).await, Ok(Event::Other));
        assert_eq!(amazon.fetched(), [SUBSCRIBE]);
        assert_eq!(amazon.hears(&amazon.confirmation("https://evil.example.com/")).await, Ok(Event::Other));
        assert_eq!(amazon.fetched(), [""; 0], "they alone are confirmed to");
    }

    #[tokio::test]
    async fn what_is_posted_again_within_its_hour_counts_once() {
        let (amazon, (store, _folder)) = (Amazon::new(), fresh::sqlite().await);
        let recipients = json!([{"emailAddress": "reader@example.org", "status": "5.1.1"}]);
        let bounce = json!({"bounceType": "Permanent", "feedbackId": "f", "bouncedRecipients": recipients});
        let told_us = json!({"notificationType": "Bounce", "bounce": bounce}).to_string();
        let message = amazon.notification(|told| told["Message"] = told_us.into());
        for is_new in [true, false] {
            let Ok(Event::Returned(returned)) = amazon.hears(&message).await else { panic!("it is theirs") };
            assert_eq!(store.take_back(returned, now()).await.unwrap().is_some(), is_new);
        }
    }

    #[tokio::test]
    async fn what_was_changed_since_is_refused() {
        let amazon = Amazon::new();
        let (notification, confirmation) = (amazon.notification(|_| {}), amazon.confirmation(SUBSCRIBE));
        for (signed, field) in [
            (&notification, "Message"),
            (&notification, "MessageId"),
            (&notification, "Subject"),
            (&notification, "Signature"),
            (&confirmation, "SubscribeURL"),
            (&confirmation, "Token"),
        ] {
            let mut changed = signed.clone();
            changed[field] = "https://sns.eu-west-1.amazonaws.com/".into();
            assert_eq!(amazon.refuses(&changed).await, "its signature is wrong", "{field}");
        }
        let mut other = notification.clone();
        other["Timestamp"] = "2026-01-07T11:31:00.000Z".into();
        assert_eq!(amazon.refuses(&other).await, "its signature is wrong");
        other = notification;
        other["Type"] = "SubscriptionConfirmation".into();
        assert_eq!(amazon.refuses(&other).await, "its signature is wrong");
        assert_eq!(Amazon::new().refuses(&confirmation).await, "its signature is wrong", "of another key");
    }

    #[tokio::test]
    async fn another_topic_an_old_message_and_sha_1_are_refused_and_nothing_is_fetched_for_them() {
        let amazon = Amazon::new();
        let with = |field: &'static str, value: &'static str| amazon.notification(|told| told[field] = value.into());
        for (message, expected) in [
            (with("TopicArn", "arn:aws:sns:eu-west-1:999999999999:bounces"), "it is of another topic"),
            (with("SignatureVersion", "1"), "it is signed with SHA-1: set the topic's attribute SignatureVersion to 2"),
            (with("Timestamp", "2026-01-07T10:54:59.000Z"), "it is older than an hour, or a clock is wrong"),
            (with("Timestamp", "2026-01-07T12:05:01.000Z"), "it is older than an hour, or a clock is wrong"),
            (with("Timestamp", "yesterday"), "it is older than an hour, or a clock is wrong"),
            (json!({"Type": "Notification"}), "it is not in the form of a message"),
            (json!([]), "it is not in the form of a message"),
        ] {
            assert_eq!(amazon.refuses(&message).await, expected);
        }
        for address in [
            "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.eu-west-1.amazonaws.com.evil.example.com/SimpleNotificationService-1.pem",
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem",
            "https://evil.example.com/sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.eu-west-1.amazonaws.com.evil.example.com/SimpleNotificationService-1.pem",
            "https://user@sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-1.pem",
            "https://sns.eu-west-1.amazonaws.com/a.pem",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.txt",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem?Action=x",
            "https://169.254.169.254/SimpleNotificationService-1.pem",
            "file:///SimpleNotificationService-1.pem",
        ] {
            assert_eq!(amazon.refuses(&with("SigningCertURL", address)).await, "its certificate is not at SNS");
        }
        assert_eq!(amazon.fetched(), [""; 0]);
    }

    #[tokio::test]
    async fn what_cannot_be_verified_now_is_asked_for_again() {
        let amazon = Amazon::new();
        let at = |path: &str| {
            let address = format!("https://sns.eu-west-1.amazonaws.com/{path}");
            amazon.notification(|told| told["SigningCertURL"] = address.into())
        };
        assert_eq!(amazon.hears(&at("SimpleNotificationService-away.pem")).await, Err(FetchError("no connection")));
        assert_eq!(amazon.refuses(&at("SimpleNotificationService-another.pem")).await, "its signature is wrong");
        assert_eq!(amazon.hears(&at("SimpleNotificationService-1.pem")).await, Ok(Event::Other));
        assert_eq!(amazon.hears(&amazon.confirmation("https://sns.eu-west-1.amazonaws.com/x")).await.ok(), None);
    }
}

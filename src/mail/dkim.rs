//! Signs a message (RFC 6376), with RSA and with Ed25519 (RFC 8463), so that receivers know whose it is.

use aws_lc_rs::digest::{Context, Digest, SHA256, digest};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};

use crate::config::{DkimKey, Pair, Signers};

use super::header::Writer;

/// Fields that nobody may add another of: they are named once more than they are there (RFC 6376, 8.15).
const ONE_AND_NO_MORE: [&str; 5] = ["From", "To", "Subject", "Date", "Reply-To"];

/// How much of a list or a signature stands without a space, by which it can be folded.
const STRETCH: usize = 70;

/// Puts a signature of each of `signers` before a message that [`super::Compiled`] wrote, over all of it.
///
/// `at` is when it says that it was signed: that of the Date field, so that a repeat has the same bytes.
///
/// # Errors
///
/// When the key cannot be used, which is not to be expected of one that could be read.
pub fn sign(message: &mut Vec<u8>, signers: &Signers<'_>, at: DateTime<Utc>) -> Result<(), Unspecified> {
    if signers.keys.is_empty() {
        return Ok(());
    }
    let end = message.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or(Unspecified)?;
    let head = String::from_utf8_lossy(&message[..end]).replace("\r\n ", " ");
    let (names, fields) = canonical(&head);
    // The body is in its canonical form already: that is how it was encoded.
    let body = BASE64.encode(digest(&SHA256, &message[end + 4..]));
    let mut signatures = Writer::with_room_for(0);
    for key in &signers.keys {
        let (algorithm, selector, domain, at) = (key.algorithm(), &key.selector, &signers.domain, at.timestamp());
        let field = format!(
            "v=1; a={algorithm}; c=relaxed/relaxed; d={domain}; s={selector}; t={at}; h={names}; bh={body}; b="
        );
        let mut signed = fields.clone();
        signed.update(format!("dkim-signature:{field}").as_bytes());
        let signature = signature(key, &signed.finish())?;
        signatures.tokens("DKIM-Signature", &(field + &foldable(signature.as_bytes())));
    }
    drop(message.splice(..0, signatures.finish()));
    Ok(())
}

/// The names for `h=`, and what is signed of these fields: in small letters, unfolded, with single spaces (3.4.2).
fn canonical(head: &str) -> (String, Context) {
    let (mut names, mut fields) = (String::new(), Context::new(&SHA256));
    let mut stretch = 0;
    for (name, value) in head.split("\r\n").filter_map(|field| field.split_once(':')) {
        let words: Vec<&str> = value.split_ascii_whitespace().collect();
        fields.update(format!("{}:{}\r\n", name.to_ascii_lowercase(), words.join(" ")).as_bytes());
        for _ in 0..=usize::from(ONE_AND_NO_MORE.contains(&name)) {
            let is_first = names.is_empty();
            names.push_str(if is_first { "" } else { ":" });
            if names.len() + name.len() > stretch + STRETCH {
                names.push(' ');
                stretch = names.len();
            }
            names.push_str(name);
        }
    }
    (names, fields)
}

fn signature(key: &DkimKey, signed: &Digest) -> Result<String, Unspecified> {
    match &*key.pair {
        Pair::Rsa(pair) => {
            let mut bytes = vec![0; pair.public_modulus_len()];
            pair.sign_digest(&RSA_PKCS1_SHA256, signed, &mut bytes)?;
            Ok(BASE64.encode(bytes))
        }
        // Of the hash, not of what was hashed (RFC 8463, 3).
        Pair::Ed25519(pair) => pair.try_sign(signed.as_ref()).map(|bytes| BASE64.encode(bytes)),
    }
}

fn foldable(base64: &[u8]) -> String {
    let stretches: Vec<_> = base64.chunks(STRETCH).map(String::from_utf8_lossy).collect();
    stretches.join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::LazyLock;

    use mail_auth::common::parse::TxtRecordParser;
    use mail_auth::common::verify::DomainKey;
    use mail_auth::hickory_resolver::config::{ResolverConfig, ResolverOpts};
    use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt};
    use proptest::prelude::*;

    use super::*;
    use crate::clock;
    use crate::config::Dkim;
    use crate::mail::Compiled;
    use crate::mail::tests::{any_text, headers, list};

    static KEYS: LazyLock<Dkim> = LazyLock::new(|| {
        let pems = clock::new_signing_keys().unwrap();
        let key = |(selector, pem): (&str, &String)| DkimKey::read(selector.to_owned(), String::new(), pem).unwrap();
        Dkim { domain: None, keys: ["r1", "e1"].into_iter().zip(&pems).map(key).collect() }
    });

    /// The records that the verifier finds in DNS.
    struct Records(HashMap<Box<str>, Txt>);

    impl ResolverCache<Box<str>, Txt> for Records {
        fn get<Q>(&self, name: &Q) -> Option<Txt>
        where
            Box<str>: std::borrow::Borrow<Q>,
            Q: std::hash::Hash + Eq + ?Sized,
        {
            Some(self.0.get(name).cloned().expect("a record that was published"))
        }
        fn remove<Q>(&self, _: &Q) -> Option<Txt>
        where
            Box<str>: std::borrow::Borrow<Q>,
            Q: std::hash::Hash + Eq + ?Sized,
        {
            None
        }
        fn insert(&self, _: Box<str>, _: Txt, _: std::time::Instant) {}
    }

    static RECORDS: LazyLock<Records> = LazyLock::new(|| {
        let record = |key: &DkimKey| {
            let name = format!("{}._domainkey.example.com.", key.selector).into_boxed_str();
            (name, DomainKey::parse(key.record().as_bytes()).unwrap().into())
        };
        Records(KEYS.keys.iter().map(record).collect())
    });

    /// What an independent verifier says of each signature: its algorithm, and whether it holds.
    fn verified(message: &[u8]) -> Vec<(String, bool)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let verifier = MessageAuthenticator::new(ResolverConfig::default(), ResolverOpts::default()).unwrap();
            let message = AuthenticatedMessage::parse(message).unwrap();
            let parameters = Parameters::new(&message).with_txt_cache(&*RECORDS);
            let outputs = verifier.verify_dkim(parameters).await;
            let seen = |output: &mail_auth::DkimOutput<'_>| {
                let algorithm = output.signature().map(|signature| format!("{:?}", signature.a)).unwrap_or_default();
                (algorithm, *output.result() == DkimResult::Pass)
            };
            outputs.iter().map(seen).collect()
        })
    }

    fn signed(html: &str, text: &str, name: &str, subject: &str) -> Vec<u8> {
        let [begin, end] = crate::content::FIRST_NAME_MARKS;
        let html = &format!("{html}{begin}reader{end} {html}");
        let mut headers = headers(name, subject);
        headers.list = Some(list("The wire"));
        let mut message = Compiled::new(html, text, &[]).message(&headers, &[], Some("Zoë"));
        sign(&mut message, &KEYS.signers("example.com", None), headers.date).unwrap();
        message
    }

    #[track_caller]
    fn check(message: &[u8], holds: bool) {
        let expected = [("RsaSha256".to_owned(), holds), ("Ed25519Sha256".to_owned(), holds)];
        assert_eq!(verified(message), expected, "{}", String::from_utf8_lossy(message));
    }

    #[test]
    fn what_is_signed_cannot_be_changed_taken_away_or_added_to() {
        let message = String::from_utf8(signed("<p>Hello</p>", "Hello  again", "Example", "Hello")).unwrap();
        check(message.as_bytes(), true);
        // What relays may do to white space.
        check(message.replace("\r\nSubject: Hello", "\r\nSUBJECT:\r\n\tHello ").as_bytes(), true);
        for added in ["From: Other <other@example.net>", "Subject: Other", "Reply-To: other@example.net", "To: x@y.zz"]
        {
            check(format!("{added}\r\n{message}").as_bytes(), false);
            check(message.replacen("\r\nSubject:", &format!("\r\n{added}\r\nSubject:"), 1).as_bytes(), false);
        }
        for name in ["List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Message-ID", "MIME-Version", "Date"] {
            let fields = message.split_inclusive("\r\n");
            let mut is_taken = false;
            let without: String = fields
                .filter(|line| {
                    is_taken = line.starts_with(&format!("{name}:")) || (is_taken && line.starts_with(' '));
                    !is_taken
                })
                .collect();
            assert!(without.len() < message.len(), "{name}");
            check(without.as_bytes(), false);
        }
        check(message.replace("Hello again", "Hello there").replace("<p>Hello", "<p>Other").as_bytes(), false);
    }

    #[test]
    fn a_repeat_is_signed_by_the_same_keys_with_the_same_bytes() {
        let (old, new) = (KEYS.clone(), clock::new_signing_keys().unwrap());
        let mut rotated = old.clone();
        rotated.keys.insert(0, DkimKey::read("r2".to_owned(), String::new(), &new[0]).unwrap());
        let first = old.signers("example.com", None).to_string();
        assert_eq!(first, "example.com r1 e1");
        assert_eq!(rotated.signers("example.com", None).to_string(), "example.com r2 e1");
        assert_eq!(rotated.signers("example.com", Some(&first)), old.signers("example.com", None));
        assert_eq!(rotated.signers("example.com", Some("")).keys, [] as [&DkimKey; 0]);
        let gone = rotated.signers("example.com", Some("example.com r0 e1")).to_string();
        assert_eq!(gone, "example.com r2 e1");
        assert_eq!(signed("<p>é</p>", "é", "Example", "Hello"), signed("<p>é</p>", "é", "Example", "Hello"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn whatever_is_signed_holds(html in any_text(), text in any_text(), name in any_text(), subject in any_text()) {
            let message = signed(&html, &text, &name, &subject);
            crate::mail::tests::check_lines(&message);
            check(&message, true);
        }
    }
}

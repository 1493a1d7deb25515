//! The time and the dice: the only place that asks for either.
//!
//! Everything above takes them as arguments, so that a week passes in a test within a millisecond.

use std::time::SystemTime;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, TimeDelta, Utc};

/// The present moment, to the millisecond, as the database keeps it.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn now() -> DateTime<Utc> {
    let now = DateTime::<Utc>::from(SystemTime::now());
    now - TimeDelta::nanoseconds(i64::from(now.timestamp_subsec_nanos() % 1_000_000))
}

/// `N` bytes that nobody can guess, from the operating system's generator.
///
/// # Panics
///
/// When the operating system has no randomness to give; nothing safe can be done then.
#[expect(clippy::disallowed_methods, clippy::expect_used, reason = "this is the door")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A number from 0 to 1, for spreading waits.
pub fn dice() -> f64 {
    f64::from(u32::from_le_bytes(random())) / f64::from(u32::MAX)
}

/// Two new keys to sign mail with, as PEM (PKCS #8): RSA of 2048 bits, and Ed25519.
///
/// # Errors
///
/// When the operating system has no randomness to give.
pub fn new_signing_keys() -> Result<[String; 2], Unspecified> {
    let rsa: Pkcs8V1Der<'_> = RsaKeyPair::generate(KeySize::Rsa2048)?.as_der()?;
    let ed25519: Pkcs8V1Der<'_> = Ed25519KeyPair::generate()?.as_der()?;
    Ok([pem(rsa.as_ref()), pem(ed25519.as_ref())])
}

/// RFC 7468, 10.
fn pem(der: &[u8]) -> String {
    let base64 = BASE64.encode(der);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

/// A new id: a UUIDv7 (RFC 9562, 5.7) in 32 hex digits, so that later ids sort after earlier ones.
pub fn new_id() -> String {
    let millis = u64::try_from(now().timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random()).into_uuid().simple().to_string()
}

/// A new permanent id for an article, in the usual form with hyphens.
pub fn new_article_id() -> String {
    let millis = u64::try_from(now().timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random()).into_uuid().hyphenated().to_string()
}

//! Links that only we can make: derived from the server key, so that nothing in the database opens anything.
//!
//! Pure. A confirm token stands for a flow of sign-up and is good once, by the flow's row; a leave token stands for a
//! subscription for ever and can only end it. Earlier keys keep their links valid.

use std::fmt;

use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use crate::model::SubscriptionId;

/// The server key and the ones before it. Its Debug shows none of them.
#[derive(Clone)]
pub struct ServerKeys {
    current: Vec<u8>,
    old: Vec<Vec<u8>>,
}

impl fmt::Debug for ServerKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl ServerKeys {
    /// Takes the key that new links are made with, and those whose links still hold.
    pub fn new(current: impl Into<Vec<u8>>, old: impl IntoIterator<Item = Vec<u8>>) -> ServerKeys {
        ServerKeys { current: current.into(), old: old.into_iter().collect() }
    }

    /// The key that new things are made with.
    pub fn current(&self) -> &[u8] {
        &self.current
    }

    /// A key by its [`ServerKeys::id_of`]; for making the same bytes again after the key was changed.
    pub fn by_id(&self, id: &str) -> Option<&[u8]> {
        self.all().find(|key| ServerKeys::id_of(key) == id)
    }

    /// A short name for a key that tells nothing about it.
    pub fn id_of(key: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(&sign(key, "id", "")[..6])
    }

    /// What this key makes of `text`, for no other purpose than `purpose`.
    pub fn sign(&self, purpose: &str, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(sign(&self.current, purpose, text))
    }

    /// Whether one of the keys made `signature` of `text`. Takes the same time for every wrong one.
    pub fn verifies(&self, purpose: &str, text: &str, signature: &str) -> bool {
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
        self.all().any(|key| is_same(&sign(key, purpose, text), &signature))
    }

    fn all(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.current.as_slice()).chain(self.old.iter().map(Vec::as_slice))
    }
}

/// The token of a sign-up: 43 characters, to be had only with the key and the flow's id.
pub fn confirm_token(keys: &ServerKeys, flow: &str) -> String {
    keys.sign("confirm", flow)
}

/// The token whose hash the flow's row holds, when the mail is composed; none if its key is gone.
pub fn confirm_token_again(keys: &ServerKeys, flow: &str, token_hash: &str) -> Option<String> {
    let tokens = keys.all().map(|key| URL_SAFE_NO_PAD.encode(sign(key, "confirm", flow)));
    tokens.into_iter().find(|token| hash(token) == token_hash)
}

/// What the database keeps of a token: its SHA-256. 256 unguessable bits need no salt.
pub fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()))
}

/// The token that ends one subscription: its id and 128 bits of proof, 43 characters in all.
pub fn leave_token(key: &[u8], subscription: &SubscriptionId) -> String {
    let mut bytes = id_bytes(subscription).unwrap_or_default().to_vec();
    bytes.extend_from_slice(&sign(key, "leave", subscription.as_str())[..16]);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The subscription that a leave token stands for; none if we did not make it.
pub fn subscription_of(keys: &ServerKeys, token: &str) -> Option<SubscriptionId> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (id, proof) = bytes.split_first_chunk::<16>()?;
    let subscription = SubscriptionId::new(format!("{:032x}", u128::from_be_bytes(*id)));
    keys.all().any(|key| is_same(&sign(key, "leave", subscription.as_str())[..16], proof)).then_some(subscription)
}

/// The proof that somebody was shown the page of this very goodbye.
pub fn undo_token(keys: &ServerKeys, subscription: &SubscriptionId, ended_at: DateTime<Utc>) -> String {
    keys.sign("undo", &undo_text(subscription, ended_at))
}

/// Whether `token` undoes the goodbye of `ended_at`.
pub fn is_undo(keys: &ServerKeys, subscription: &SubscriptionId, ended_at: DateTime<Utc>, token: &str) -> bool {
    keys.verifies("undo", &undo_text(subscription, ended_at), token)
}

fn undo_text(subscription: &SubscriptionId, ended_at: DateTime<Utc>) -> String {
    format!("{subscription}|{}", ended_at.timestamp_millis())
}

fn id_bytes(subscription: &SubscriptionId) -> Option<[u8; 16]> {
    u128::from_str_radix(subscription.as_str(), 16).ok().map(u128::to_be_bytes)
}

fn sign(key: &[u8], purpose: &str, text: &str) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), format!("{purpose}|{text}").as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

fn is_same(one: &[u8], other: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(one, other).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription() -> SubscriptionId {
        SubscriptionId::new("0192f0c0a1b27c3d8e4f5a6b7c8d9e0f")
    }

    #[test]
    fn a_leave_token_stands_for_its_subscription_and_fits_its_slot() {
        let keys = ServerKeys::new(*b"new key", [b"old key".to_vec()]);
        for key in [b"new key", b"old key"] {
            let token = leave_token(key, &subscription());
            assert_eq!(token.len(), 43);
            assert_eq!(subscription_of(&keys, &token), Some(subscription()));
        }
        assert_eq!(subscription_of(&keys, &leave_token(b"no key!", &subscription())), None);
    }

    #[test]
    fn a_forged_token_is_nobodys() {
        let keys = ServerKeys::new(*b"key", []);
        let token = leave_token(b"key", &subscription());
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'Q' } else { b'A' };
            assert_eq!(subscription_of(&keys, &String::from_utf8(forged).unwrap()), None, "character {at}");
        }
        for text in ["", "A", &token[..42], &format!("{token}A"), "../../etc/passwd", "é"] {
            assert_eq!(subscription_of(&keys, text), None, "{text}");
        }
    }

    #[test]
    fn a_confirm_token_is_made_again_after_the_key_was_changed() {
        let before = ServerKeys::new(*b"old", []);
        let after = ServerKeys::new(*b"new", [b"old".to_vec()]);
        let token = confirm_token(&before, "flow");
        assert_eq!(token.len(), 43);
        assert_eq!(confirm_token_again(&after, "flow", &hash(&token)), Some(token));
        assert_eq!(confirm_token_again(&after, "flow", "another hash"), None);
    }

    #[test]
    fn an_undo_is_for_one_goodbye() {
        let keys = ServerKeys::new(*b"key", []);
        let at = DateTime::UNIX_EPOCH;
        let token = undo_token(&keys, &subscription(), at);
        assert!(is_undo(&keys, &subscription(), at, &token));
        assert!(!is_undo(&keys, &subscription(), at + chrono::Duration::milliseconds(1), &token));
        assert!(!is_undo(&keys, &SubscriptionId::new("00"), at, &token));
    }
}

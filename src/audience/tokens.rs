//! Links that only we can make: derived from the server key, so that nothing in the database opens anything.
//!
//! Pure. A confirm token stands for a flow of sign-up and is good once, by the flow's row; a leave token stands for a
//! subscription for ever and can only end it. Earlier keys keep their links valid.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use crate::auth::{ServerKeys, mac};
use crate::model::SubscriptionId;

/// What the token of a sign-up is signed for.
pub(super) const CONFIRM: &str = "confirm";

/// The token of a sign-up: 43 characters, to be had only with the key and the flow's id.
pub fn confirm_token(keys: &ServerKeys, flow: &str) -> String {
    keys.sign(CONFIRM, flow)
}

/// The token that ends one subscription: its id and 128 bits of proof, 43 characters in all.
pub fn leave_token(key: &[u8], subscription: &SubscriptionId) -> String {
    let mut bytes = id_bytes(subscription).unwrap_or_default().to_vec();
    bytes.extend_from_slice(&mac(key, "leave", subscription.as_str())[..16]);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The subscription that a leave token stands for; none if we did not make it.
pub fn subscription_of(keys: &ServerKeys, token: &str) -> Option<SubscriptionId> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (id, proof) = bytes.split_first_chunk::<16>()?;
    let subscription = SubscriptionId::new(format!("{:032x}", u128::from_be_bytes(*id)));
    keys.vouches("leave", subscription.as_str(), proof.try_into().ok()?).then_some(subscription)
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
    fn an_undo_is_for_one_goodbye() {
        let keys = ServerKeys::new(*b"key", []);
        let at = DateTime::UNIX_EPOCH;
        let token = undo_token(&keys, &subscription(), at);
        assert!(is_undo(&keys, &subscription(), at, &token));
        assert!(!is_undo(&keys, &subscription(), at + chrono::Duration::milliseconds(1), &token));
        assert!(!is_undo(&keys, &SubscriptionId::new("00"), at, &token));
    }
}

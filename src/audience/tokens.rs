//! Links that only we can make: derived from the server key, so that nothing in the database opens anything.
//!
//! Pure. A confirm token stands for a flow of sign-up and is good once, by the flow's row; tokens in issues
//! stand for a subscription for ever, each for one purpose. Earlier keys keep their links valid.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use crate::auth::{ServerKeys, mac};
use crate::model::{SubscriberId, SubscriptionId, words};

/// What the token of a sign-up is signed for.
pub(super) const CONFIRM: &str = "confirm";
/// What the id of a mail of welcome is signed for; nothing asks for that token.
pub(super) const WELCOME: &str = "welcome";

/// What the address of a reader's own feed is signed for.
const FEED: &str = "feed";
/// The same of the last mail, to somebody who was erased.
pub(super) const ERASED: &str = "erased";

words! {
    /// What a link in each issue is for; a token for one opens nothing of the other.
    pub enum Purpose {
        /// Ends one subscription.
        Leave = "leave",
        /// Shows and changes what was chosen about subscriptions, and nothing else.
        Preferences = "preferences",
    }
}

/// The token of a link in each issue: a subscription's id and 128 bits of proof, 43 characters in all.
pub fn subscription_token(key: &[u8], purpose: Purpose, subscription: &SubscriptionId) -> String {
    let mut bytes = id_bytes(subscription).unwrap_or_default().to_vec();
    bytes.extend_from_slice(&mac(key, purpose.as_str(), subscription.as_str())[..16]);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The subscription that a token stands for; none if we did not make it for this purpose.
pub fn subscription_of(keys: &ServerKeys, purpose: Purpose, token: &str) -> Option<SubscriptionId> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (id, proof) = bytes.split_first_chunk::<16>()?;
    let subscription = SubscriptionId::new(format!("{:032x}", u128::from_be_bytes(*id)));
    keys.vouches(purpose.as_str(), subscription.as_str(), proof.try_into().ok()?).then_some(subscription)
}

/// The address of a reader's own feed below `/feed/`: who they are, and 256 bits of proof that goes with its number.
pub fn feed_token(keys: &ServerKeys, who: &SubscriberId, number: i64) -> String {
    format!("{who}{}", keys.sign(FEED, &feed_text(who, number)))
}

/// Whose feed a token would open with the proof that comes with it; none if it cannot be one of ours.
pub(super) fn feed_parts(token: &str) -> Option<(SubscriberId, &str)> {
    let (who, proof) = token.split_at_checked(32).filter(|_| token.len() == 32 + 43)?;
    Some((SubscriberId::new(who), proof))
}

/// Whether `proof` opens the feed of `who` as long as it has this number.
pub(super) fn is_feed(keys: &ServerKeys, who: &SubscriberId, number: i64, proof: &str) -> bool {
    keys.verifies(FEED, &feed_text(who, number), proof)
}

fn feed_text(who: &SubscriberId, number: i64) -> String {
    format!("{who}|{number}")
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
            let token = subscription_token(key, Purpose::Leave, &subscription());
            assert_eq!(token.len(), 43);
            assert_eq!(subscription_of(&keys, Purpose::Leave, &token), Some(subscription()));
            assert_eq!(subscription_of(&keys, Purpose::Preferences, &token), None);
        }
        assert_eq!(
            subscription_of(&keys, Purpose::Leave, &subscription_token(b"no key!", Purpose::Leave, &subscription())),
            None
        );
    }

    #[test]
    fn a_forged_token_is_nobodys() {
        let keys = ServerKeys::new(*b"key", []);
        let token = subscription_token(b"key", Purpose::Leave, &subscription());
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'Q' } else { b'A' };
            assert_eq!(
                subscription_of(&keys, Purpose::Leave, &String::from_utf8(forged).unwrap()),
                None,
                "character {at}"
            );
        }
        for text in ["", "A", &token[..42], &format!("{token}A"), "../../etc/passwd", "é"] {
            assert_eq!(subscription_of(&keys, Purpose::Leave, text), None, "{text}");
        }
    }

    #[test]
    fn the_address_of_a_feed_is_good_for_one_person_and_one_number() {
        let keys = ServerKeys::new(*b"key", []);
        let (who, other) = (SubscriberId::new("0".repeat(32)), SubscriberId::new("1".repeat(32)));
        let token = feed_token(&keys, &who, 3);
        let (found, proof) = feed_parts(&token).unwrap();
        assert_eq!((&found, proof.len()), (&who, 43));
        assert!(
            is_feed(&keys, &who, 3, proof) && is_feed(&ServerKeys::new(*b"new", [b"key".to_vec()]), &who, 3, proof)
        );
        assert!(!is_feed(&keys, &who, 4, proof) && !is_feed(&keys, &other, 3, proof));
        assert!(!is_feed(&ServerKeys::new(*b"new", []), &who, 3, proof));
        for text in ["", "x", &token[1..], &format!("{token}="), &"é".repeat(40)] {
            assert_eq!(feed_parts(text).map(|(_, proof)| proof), None, "{text}");
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

//! The server key, and what can be made with it alone: signatures, tokens, codes, and their hashes.
//!
//! Pure. Whoever reads the database can make none of them; whoever has the key can make all.

use std::fmt;

use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::store::FollowUp;

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
        URL_SAFE_NO_PAD.encode(&mac(key, "id", "")[..6])
    }

    /// What this key makes of `text`, for no other purpose than `purpose`: 256 bits in 43 characters of base64url.
    pub fn sign(&self, purpose: &str, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(mac(&self.current, purpose, text))
    }

    /// Whether one of the keys made `signature` of `text`. Takes the same time for every wrong one.
    pub fn verifies(&self, purpose: &str, text: &str, signature: &str) -> bool {
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
        self.all().any(|key| is_same(&mac(key, purpose, text), &signature))
    }

    /// Whether one of the keys made a signature of `text` that begins with these 128 bits.
    pub fn vouches(&self, purpose: &str, text: &str, proof: &[u8; 16]) -> bool {
        self.all().any(|key| is_same(&mac(key, purpose, text)[..16], proof))
    }

    /// The signature of `text` whose hash is kept, made again; none if its key is gone.
    pub fn sign_again(&self, purpose: &str, text: &str, kept: &str) -> Option<String> {
        self.signatures(purpose, text).into_iter().find(|token| token_hash(token) == kept)
    }

    /// What each of the keys makes of `text`, the current one first.
    pub fn signatures(&self, purpose: &str, text: &str) -> Vec<String> {
        self.all().map(|key| URL_SAFE_NO_PAD.encode(mac(key, purpose, text))).collect()
    }

    /// The flow of a mail, with the hash of the token that is mailed.
    pub fn follow_up(&self, purpose: &str, flow: String) -> FollowUp {
        FollowUp { token_hash: token_hash(&self.sign(purpose, &flow)), flow }
    }

    /// All keys, the current one first.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.current.as_slice()).chain(self.old.iter().map(Vec::as_slice))
    }
}

/// What the database keeps of a token: its SHA-256. 256 unguessable bits need no salt (OWASP ASVS 5.0, 6.5.2).
pub fn token_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()))
}

/// HMAC-SHA256 of a text for a purpose.
pub fn mac(key: &[u8], purpose: &str, text: &str) -> [u8; 32] {
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

    #[test]
    fn a_token_is_made_again_after_the_key_was_changed() {
        let before = ServerKeys::new(*b"old", []);
        let after = ServerKeys::new(*b"new", [b"old".to_vec()]);
        let token = before.sign("confirm", "flow");
        assert_eq!(token.len(), 43);
        assert_eq!(after.sign_again("confirm", "flow", &token_hash(&token)), Some(token));
        assert_eq!(after.sign_again("confirm", "flow", "another hash"), None);
    }
}

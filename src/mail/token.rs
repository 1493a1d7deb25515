//! What names a delivery in the world, so that what comes back finds it: in the Message-ID, and in the address that
//! bounces go to.
//!
//! A tag that only we can make goes with it: otherwise anybody could say that somebody's mailbox is dead.

use aws_lc_rs::hmac;

use super::hex;
use crate::model::{DeliveryId, EmailAddress};

/// Hex digits of a delivery's id, and of the 64 bits of its tag.
const ID: usize = 32;
const TAG: usize = 16;
/// How long a token is.
const TOKEN: usize = ID + 1 + TAG;

/// `<delivery>.<tag>`: in digits that survive a server that changes upper and lower case.
fn token(delivery: &str, key: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), format!("message-id|{delivery}").as_bytes());
    format!("{delivery}.{}", hex(tag.as_ref(), TAG / 2))
}

/// The Message-ID of a delivery: its own for each, the same in each repeat, and not to be guessed.
pub fn message_id(delivery: &DeliveryId, key: &[u8], domain: &str) -> String {
    format!("<{}@{domain}>", token(delivery.as_str(), key))
}

/// Where the bounces of a delivery go: `bounces@example.com` becomes `bounces+TOKEN@example.com`. None: its local part
/// is too long for what servers take (RFC 5321, 4.5.3.1.1); the settings allow none.
pub fn bounce_address(mailbox: &EmailAddress, delivery: &DeliveryId, key: &[u8]) -> Option<EmailAddress> {
    let (local, domain) = mailbox.as_str().rsplit_once('@')?;
    EmailAddress::parse(&format!("{local}+{}@{domain}", token(delivery.as_str(), key))).ok()
}

/// The delivery that the first right token in `text` names: a Message-ID, an address, or whatever quotes one of them.
/// None: it holds no token that one of `keys` made. A tag is compared in the same time, right or wrong.
pub fn delivery_of(text: &str, keys: &[&[u8]]) -> Option<DeliveryId> {
    let is_hex = |part: &[u8]| part.iter().all(u8::is_ascii_hexdigit);
    let looks_right = |token: &&[u8]| token[ID] == b'.' && is_hex(&token[..ID]) && is_hex(&token[ID + 1..]);
    text.as_bytes().windows(TOKEN).filter(looks_right).find_map(|found| {
        let found = String::from_utf8_lossy(found).to_ascii_lowercase();
        let delivery = found.get(..ID)?;
        let is_ours = |key: &&[u8]| {
            aws_lc_rs::constant_time::verify_slices_are_equal(token(delivery, key).as_bytes(), found.as_bytes()).is_ok()
        };
        keys.iter().any(is_ours).then(|| DeliveryId::new(delivery))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LONGEST_MAILBOX;

    const ID_TEXT: &str = "0192f0c0a1b27c3d8e4f5a6b7c8d9e0f";

    #[test]
    fn a_delivery_is_found_by_what_named_it_with_any_of_the_keys() {
        let delivery = DeliveryId::new(ID_TEXT);
        let mailbox = EmailAddress::parse("bounces@mail.example.com").unwrap();
        let address = bounce_address(&mailbox, &delivery, b"old").unwrap();
        assert!(address.as_str().starts_with("bounces+0192f0c0") && address.as_str().ends_with("@mail.example.com"));
        let keys: &[&[u8]] = &[b"new", b"old"];
        for text in [
            message_id(&delivery, b"new", "example.com"),
            address.to_string().to_ascii_uppercase(),
            format!("é{ID_TEXT}.0123456789abcdef In-Reply-To: {}", message_id(&delivery, b"old", "example.com")),
        ] {
            assert_eq!(delivery_of(&text, keys), Some(delivery.clone()), "{text}");
        }
    }

    #[test]
    fn what_somebody_made_up_names_nothing() {
        let token = message_id(&DeliveryId::new(ID_TEXT), b"key", "example.com");
        assert_eq!(delivery_of(&token, &[b"other"]), None);
        for at in (1..=TOKEN).filter(|at| *at != ID + 1) {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'1' { b'2' } else { b'1' };
            assert_eq!(delivery_of(&String::from_utf8(forged).unwrap(), &[b"key"]), None, "character {at}");
        }
        for text in ["", ID_TEXT, &token[1..TOKEN], &".".repeat(200), "é"] {
            assert_eq!(delivery_of(text, &[b"key"]), None, "{text}");
        }
    }

    #[test]
    fn a_local_part_keeps_to_the_length_that_servers_take() {
        let at = |length: usize| EmailAddress::parse(&format!("{}@example.com", "b".repeat(length))).unwrap();
        let delivery = DeliveryId::new(ID_TEXT);
        assert!(bounce_address(&at(LONGEST_MAILBOX), &delivery, b"key").is_some());
        assert!(bounce_address(&at(LONGEST_MAILBOX + 1), &delivery, b"key").is_none());
    }
}

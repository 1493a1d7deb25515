//! Slips of the finger in the domain of an address: asked about, never refused.

use strsim::osa_distance;

use crate::model::EmailAddress;

/// Where most readers of the world have their mail.
const COMMON: [&str; 36] = [
    "gmail.com", "googlemail.com", "yahoo.com", "yahoo.co.uk", "yahoo.fr", "yahoo.de", "ymail.com", "hotmail.com",
    "hotmail.co.uk", "hotmail.fr", "hotmail.de", "outlook.com", "outlook.de", "outlook.fr", "live.com", "msn.com",
    "icloud.com", "me.com", "mac.com", "aol.com", "gmx.de", "gmx.net", "gmx.com", "gmx.at", "web.de", "t-online.de",
    "freenet.de", "mail.com", "mail.ru", "yandex.ru", "proton.me", "protonmail.com", "posteo.de", "orange.fr",
    "comcast.net", "fastmail.com",
];

/// The address that was probably meant: the domain is one letter away from a common one, or two of its letters are
/// swapped. None for a common one, and for one that is too short for that to mean anything.
pub fn meant(email: &EmailAddress) -> Option<EmailAddress> {
    let (local, domain) = email.as_str().rsplit_once('@')?;
    let domain = domain.to_ascii_lowercase();
    if COMMON.contains(&domain.as_str()) || domain.len() < 7 {
        return None;
    }
    let near = COMMON
        .into_iter()
        .find(|common| domain.len().abs_diff(common.len()) <= 1 && osa_distance(&domain, common) == 1)?;
    EmailAddress::parse(&format!("{local}@{near}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_a_common_domain_is_asked_about() {
        for (typed, expected) in [
            ("Ada@gmial.com", Some("Ada@gmail.com")),
            ("ada@gmail.co", Some("ada@gmail.com")),
            ("ada@GMAIL.CON", Some("ada@gmail.com")),
            ("ada@hotnail.com", Some("ada@hotmail.com")),
            ("ada@outlok.com", Some("ada@outlook.com")),
            ("ada@gmail.com", None),
            ("ada@mail.com", None),
            ("ada@gmx.at", None),
            ("ada@example.com", None),
            ("ada@me.co", None),
            ("ada@gm\u{e4}il.com", None),
        ] {
            let typed = EmailAddress::parse(typed).unwrap();
            assert_eq!(meant(&typed).map(|meant| meant.to_string()).as_deref(), expected, "{typed}");
        }
    }
}

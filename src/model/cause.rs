//! Why a mail was refused: one table for what relays answer and for what comes back later.
//!
//! "5xx is a dead mailbox" is wrong more often than not. The enhanced code (RFC 3463) says most; where it is missing or
//! says nothing, the words do. What is our own fault leaves no mark on any reader.

use std::ops::RangeInclusive;

use chrono::{DateTime, Duration, Utc};

use super::words;

words! {
    /// What a refusal is about.
    pub enum Cause {
        /// The mailbox or its domain does not exist: never write there again.
        Gone = "gone",
        /// The mailbox is closed: never write there again.
        Inactive = "inactive",
        /// The mailbox is full: may be mailed later.
        Full = "full",
        /// Too much at once, or greylisting: nothing about the reader.
        Rate = "rate",
        /// Our authentication or DNS: it meets every mail, so all sending stops.
        Authentication = "authentication",
        /// The message itself, whoever it is for.
        Message = "message",
        /// Taken for spam, or against a rule of the receiver's.
        Policy = "policy",
        /// Not now, or no more after trying for long.
        Later = "later",
        /// For good, without a reason that we know.
        Refused = "refused",
        /// Nothing was refused: the reader calls it spam.
        Complaint = "complaint",
    }
}

/// Which first digit a row is about.
#[derive(PartialEq)]
enum Class {
    Any,
    Permanent,
}

/// Class, subject and details of an enhanced code; the first row that fits counts.
const BY_CODE: &[(Class, u16, RangeInclusive<u16>, Cause)] = &[
    (Class::Any, 1, 7..=8, Cause::Authentication), // our own address or its domain
    (Class::Any, 7, 23..=27, Cause::Authentication), // SPF, reverse DNS, authentication
    (Class::Any, 7, 29..=32, Cause::Authentication), // TLS, DKIM, DMARC, alignment
    (Class::Any, 7, 40..=40, Cause::Authentication), // no DMARC record
    (Class::Permanent, 7, 500..=599, Cause::Authentication), // Microsoft: authentication and reputation
    (Class::Any, 7, 28..=28, Cause::Rate),         // too much at once
    (Class::Any, 4, 5..=5, Cause::Rate),           // congestion
    (Class::Any, 2, 2..=2, Cause::Full),
    (Class::Any, 3, 1..=1, Cause::Full), // the whole mail system
    (Class::Permanent, 1, 1..=3, Cause::Gone),
    (Class::Permanent, 1, 6..=6, Cause::Gone),   // moved, without a new address
    (Class::Permanent, 1, 10..=10, Cause::Gone), // the domain takes no mail (RFC 7505, 4.2)
    (Class::Permanent, 7, 13..=13, Cause::Gone), // disabled (RFC 7372 and the registry of IANA)
    (Class::Permanent, 7, 17..=18, Cause::Gone), // the mailbox or domain has another owner (RFC 7293)
    (Class::Permanent, 2, 1..=1, Cause::Inactive),
    (Class::Permanent, 3, 4..=4, Cause::Message), // too big
    (Class::Permanent, 6, 7..=7, Cause::Refused), // an address outside ASCII (RFC 6531)
    (Class::Permanent, 6, 0..=999, Cause::Message),
    (Class::Permanent, 1, 0..=999, Cause::Refused),
    (Class::Permanent, 2, 0..=999, Cause::Refused),
];

/// What servers say, in small letters; the first row of which something is said counts. Of a domain that takes no mail,
/// Postfix says `nullmx`, with 5.1.0.
const BY_WORDS: &[(Cause, &[&str])] = &[
    (Cause::Rate, &["receiving email at a rate", "receiving mail at a rate", "rate limit", "greylist", "throttl"]),
    (
        Cause::Policy,
        &[
            "spam", "blacklist", "black list", "blocklist", "block list", "blocked", "dnsbl", "rbl", "reputation",
            "banned", "unsolicited", "virus", "policy", "access denied", "not authorized", "denylist", "bulk",
            "relaying denied", "as a relay", "to relay", "rejected for content", "rcpthosts", "junk mail",
        ],
    ),
    (
        Cause::Full,
        &[
            "mailbox full", "mailbox is full", "inbox is full", "box is full", "quota", "exceeded storage",
            "storage allocation", "insufficient storage", "insufficient system storage", "out of space",
            "mailbox size", "disk full", "disk space", "too many messages", "exceeds allowed size",
        ],
    ),
    (
        Cause::Message,
        &[
            "message too large", "message too big", "message size", "exceeds size", "size limit", "too large",
            "maximum size", "line too long",
        ],
    ),
    (
        Cause::Inactive,
        &[
            "disabled", "inactive", "deactivated", "suspended", "discontinued", "not active", "not an active",
            "account is closed", "no longer active",
        ],
    ),
    (
        Cause::Gone,
        &[
            "user unknown", "unknown user", "no such user", "no such mailbox", "no such address", "no such recipient",
            "no such person", "no such account", "does not exist", "doesn't exist", "not a known user",
            "unknown recipient", "recipient unknown", "mailbox not found", "user not found", "address not found",
            "account not found", "mailbox unavailable", "no mailbox", "no mail box", "mail-box not found",
            "invalid recipient", "invalid mailbox", "invalid user", "invalid address", "unknown address",
            "address unknown", "unknown mailbox", "bad destination mailbox", "unrouteable", "bad_recipient",
            "recipient rejected", "unknown local part", "user doesn't have a", "not listed in", "not a valid mailbox",
            "no longer on server", "no such domain", "host unknown", "unknown host", "host not found",
            "domain not found", "name or service not known", "couldn't find any host", "not our customer", "nullmx",
            "nie istnieje", "unknown in local", "user not known", "addressee unknown",
        ],
    ),
];

impl Cause {
    /// What a refusal with this basic code (if any), enhanced code (if any) and words is about.
    pub fn of(code: Option<u16>, enhanced: Option<&str>, text: &str) -> Cause {
        let text = text.to_ascii_lowercase();
        let is_permanent = is_permanent(code, enhanced);
        let said = BY_WORDS.iter().find(|(_, all)| all.iter().any(|words| text.contains(words))).map(|row| row.0);
        let cause = match (Cause::by_code(code, enhanced), said) {
            // Gmail says 5.2.1 both of a mailbox that is closed and of one that gets too much at the moment.
            (_, Some(Cause::Rate)) => Cause::Rate,
            // "Something about the address" (x.1.0) is said of anything.
            (Some(Cause::Refused), Some(said)) => said,
            (Some(cause), _) | (None, Some(cause)) => cause,
            (None, None) if is_permanent => Cause::Refused,
            (None, None) => Cause::Later,
        };
        // Of what may change, nothing is concluded; either digit is enough for that.
        let may_change = !is_permanent || enhanced.is_some_and(|enhanced| enhanced.starts_with('4'));
        match cause {
            Cause::Full | Cause::Rate | Cause::Authentication => cause,
            _ if may_change => Cause::Later,
            _ => cause,
        }
    }

    /// What the enhanced code alone says, if it says anything.
    pub fn by_code(code: Option<u16>, enhanced: Option<&str>) -> Option<Cause> {
        let mut numbers = enhanced?.split('.').skip(1).map(str::parse::<u16>);
        let (its_subject, detail) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        let is_permanent = is_permanent(code, enhanced);
        let fits = |(class, subject, details, _): &&(Class, u16, RangeInclusive<u16>, Cause)| {
            (*class == Class::Any || is_permanent) && *subject == its_subject && details.contains(&detail)
        };
        BY_CODE.iter().find(fits).map(|(_, _, _, cause)| *cause)
    }

    /// Whether nothing is to be sent there again, from the first time on.
    pub fn is_hard(self) -> bool {
        matches!(self, Cause::Gone | Cause::Inactive)
    }

    /// Whether a mailbox that is full is full for good: three issues in a row, over two weeks. `latest_first` says of
    /// each issue when it was sealed and whether it found the mailbox full.
    pub fn is_full_for_good(latest_first: &[(DateTime<Utc>, bool)]) -> bool {
        let in_a_row: Vec<_> = latest_first.iter().take_while(|(_, is_full)| *is_full).map(|(at, _)| *at).collect();
        let over = in_a_row.first().zip(in_a_row.last()).map(|(latest, first)| *latest - *first);
        in_a_row.len() >= 3 && over.is_some_and(|time| time >= Duration::days(14))
    }
}

/// The basic code decides where there is one: Gmail says `421 5.7.32`.
fn is_permanent(code: Option<u16>, enhanced: Option<&str>) -> bool {
    code.map_or_else(|| enhanced.is_none_or(|enhanced| !enhanced.starts_with('4')), |code| code >= 500)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_what_it_is_about_and_words_where_it_says_nothing() {
        let table: &[(Option<u16>, Option<&str>, &str, Cause)] = &[
            (Some(550), Some("5.1.1"), "User unknown", Cause::Gone),
            (Some(556), Some("5.1.10"), "Recipient address has a null MX", Cause::Gone),
            (Some(550), Some("5.1.0"), "Unknown address error: user unknown", Cause::Gone),
            (None, Some("5.1.0"), "Domain example.net does not accept mail (nullMX)", Cause::Gone),
            (Some(550), Some("5.1.0"), "Address rejected", Cause::Refused),
            (Some(450), Some("4.1.0"), "user unknown", Cause::Later),
            (Some(550), Some("5.2.1"), "The email account that you tried to reach is inactive", Cause::Inactive),
            (Some(450), Some("4.2.1"), "The user you are trying to contact is receiving mail at a rate", Cause::Rate),
            (Some(550), Some("5.2.1"), "The user you are trying to contact is receiving email at a rate", Cause::Rate),
            (Some(552), Some("5.2.2"), "The recipient's inbox is out of storage space", Cause::Full),
            (Some(452), Some("4.2.2"), "over quota", Cause::Full),
            (Some(421), Some("4.7.28"), "unusual rate of mail", Cause::Rate),
            (Some(550), Some("5.7.26"), "unauthenticated", Cause::Authentication),
            (Some(421), Some("5.7.32"), "From is not aligned", Cause::Authentication),
            (Some(550), Some("5.7.515"), "does not meet the required authentication level", Cause::Authentication),
            (Some(552), Some("5.3.4"), "too big", Cause::Message),
            (Some(550), Some("5.7.1"), "looks like spam", Cause::Policy),
            (Some(550), Some("5.7.1"), "No such user", Cause::Gone),
            (Some(550), Some("5.5.0"), "Requested action not taken: mailbox unavailable", Cause::Gone),
            (Some(554), None, "delivery error: This account has been disabled", Cause::Inactive),
            (Some(550), None, "no", Cause::Refused),
            // Of what may change nothing is concluded, whichever of the two digits says so.
            (Some(450), Some("5.1.1"), "User unknown", Cause::Later),
            (Some(550), Some("4.1.1"), "User unknown", Cause::Later),
            (None, Some("4.4.7"), "delivery time expired", Cause::Later),
            (None, Some("4.2.2"), "over quota", Cause::Full),
            (None, None, "mailbox full", Cause::Full),
            (None, Some("nonsense"), "", Cause::Refused),
        ];
        for (code, enhanced, text, expected) in table {
            assert_eq!(Cause::of(*code, *enhanced, text), *expected, "{code:?} {enhanced:?} {text}");
        }
    }

    #[test]
    fn a_full_mailbox_is_given_up_after_three_issues_over_two_weeks() {
        let at = |days: i64| DateTime::UNIX_EPOCH + Duration::days(days);
        assert!(Cause::is_full_for_good(&[(at(14), true), (at(7), true), (at(0), true)]));
        assert!(!Cause::is_full_for_good(&[(at(14), true), (at(0), true)]));
        assert!(!Cause::is_full_for_good(&[(at(13), true), (at(7), true), (at(0), true)]));
        assert!(!Cause::is_full_for_good(&[(at(21), true), (at(14), true), (at(7), false), (at(0), true)]));
    }
}

//! Mail addresses: parsed once at the door, believed inside.

use std::fmt;

use lettre::Address;

/// An address that mail can be sent to.
///
/// `as_written` is what the person typed (the local part's case may matter to their server); `key` is what makes two
/// spellings the same person: ASCII lower case, the domain in its A-label form (RFC 5890).
#[derive(Debug, Clone)]
pub struct EmailAddress {
    as_written: String,
    key: String,
    mailbox: Address,
}

/// Why a text is not an address that we mail. The text itself is left out, so that it never reaches a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing there.
    #[error("an address is needed, such as `reader@example.com`")]
    Empty,
    /// Longer than 254 bytes, or a local part over 64 (RFC 5321, 4.5.3.1).
    #[error("the address is longer than mail servers allow")]
    TooLong,
    /// No `@`, spaces, comments, quotes, control or invisible characters.
    #[error("an address looks like `reader@example.com`")]
    Malformed,
    /// A domain that cannot receive mail from outside: an IP literal, `localhost`, a single label.
    #[error("the part after the `@` must be a domain such as `example.com`")]
    Domain,
}

impl EmailAddress {
    /// Reads an address as a person types it; white space around it is dropped.
    pub fn parse(text: &str) -> Result<EmailAddress, AddressError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.len() > 320 {
            return Err(AddressError::TooLong);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(AddressError::Malformed)?;
        if !is_plain_local_part(local) {
            return Err(AddressError::Malformed);
        }
        let domain = ascii_domain(domain)?;
        if local.len() > 64 || local.len() + 1 + domain.len() > 254 {
            return Err(AddressError::TooLong);
        }
        let mailbox = Address::new(local, &domain).map_err(|_| AddressError::Malformed)?;
        let key = format!("{}@{domain}", local.to_ascii_lowercase());
        Ok(EmailAddress { as_written: format!("{local}@{domain}"), key, mailbox })
    }

    /// The form to deliver to: the local part as typed, the domain in ASCII.
    pub fn as_str(&self) -> &str {
        &self.as_written
    }

    /// The form under which the same person is found again.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What follows the `@`, in ASCII.
    pub fn domain(&self) -> &str {
        self.mailbox.domain()
    }

    /// The same address in lettre's vocabulary.
    pub fn mailbox(&self) -> &Address {
        &self.mailbox
    }

    /// Enough for an editor to recognise a line of a log, too little to write to: `r…@e….com`.
    pub fn masked(&self) -> String {
        let first = |text: &str| text.chars().next().map(String::from).unwrap_or_default();
        let (local, domain) = (self.mailbox.user(), self.mailbox.domain());
        let ending = domain.rsplit_once('.').map_or("", |(_, ending)| ending);
        format!("{}…@{}….{ending}", first(local), first(domain))
    }
}

impl PartialEq for EmailAddress {
    fn eq(&self, other: &EmailAddress) -> bool {
        self.key == other.key
    }
}

impl Eq for EmailAddress {}

impl fmt::Display for EmailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.as_written)
    }
}

/// A dot-atom of RFC 5321, 4.1.2 that does not begin like a command line option; quoted local parts are refused, for
/// half the world's servers refuse them too.
fn is_plain_local_part(local: &str) -> bool {
    let allowed = |character: char| {
        character.is_ascii_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~.".contains(character)
            || (!character.is_ascii() && character.is_alphanumeric() && !is_invisible(character))
    };
    !local.is_empty()
        && local.chars().all(allowed)
        && !local.starts_with(['.', '-'])
        && !local.ends_with('.')
        && !local.contains("..")
}

/// Letters by their class that show nothing (Unicode's default ignorables): two addresses would look the same.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}')
}

fn ascii_domain(domain: &str) -> Result<String, AddressError> {
    if domain.chars().any(is_invisible) {
        return Err(AddressError::Domain);
    }
    let ascii = idna::domain_to_ascii_strict(domain).map_err(|_| AddressError::Domain)?;
    let labels: Vec<&str> = ascii.split('.').collect();
    let ending = labels.last().copied().unwrap_or_default();
    let is_host = labels.len() >= 2
        && labels.iter().all(|label| !label.is_empty() && label.len() <= 63)
        && ending.chars().any(|character| character.is_ascii_alphabetic())
        && ending != "localhost";
    if is_host { Ok(ascii) } else { Err(AddressError::Domain) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, &str), AddressError>) {
        let parsed = EmailAddress::parse(text);
        assert_eq!(parsed.as_ref().map(|address| (address.as_str(), address.key())).map_err(|error| *error), expected);
    }

    #[test]
    fn spellings_of_one_person_share_a_key() {
        check(" Reader@Example.ORG ", Ok(("Reader@example.org", "reader@example.org")));
        check("o'brien+news@example.com", Ok(("o'brien+news@example.com", "o'brien+news@example.com")));
        check("reader@bücher.example", Ok(("reader@xn--bcher-kva.example", "reader@xn--bcher-kva.example")));
        check("аdmin@example.com", Ok(("аdmin@example.com", "аdmin@example.com"))); // Cyrillic а: another person
    }

    #[test]
    fn what_cannot_be_mailed_is_refused() {
        check("", Err(AddressError::Empty));
        check("reader", Err(AddressError::Malformed));
        check("@example.com", Err(AddressError::Malformed));
        check("\"quoted part\"@example.com", Err(AddressError::Malformed));
        check("reader(comment)@example.com", Err(AddressError::Malformed));
        check("a@b@example.com", Err(AddressError::Malformed));
        check("-oQ/tmp@example.com", Err(AddressError::Malformed));
        check("reader@example.com\r\nBcc: x@example.com", Err(AddressError::Malformed));
        check("re\u{200b}ader@example.com", Err(AddressError::Malformed));
        check("reader@localhost", Err(AddressError::Domain));
        check("reader@127.0.0.1", Err(AddressError::Domain));
        check("reader@[127.0.0.1]", Err(AddressError::Domain));
        check("reader@xn--example-.org", Err(AddressError::Domain));
        check("reader@exa\u{202e}mple.com", Err(AddressError::Domain));
        check("reader@exam\u{ad}ple.com", Err(AddressError::Domain));
        check("reader@example.com\u{200b}", Err(AddressError::Domain));
        check("reader\u{3164}@example.com", Err(AddressError::Malformed));
        check(&format!("{}@example.com", "a".repeat(65)), Err(AddressError::TooLong));
        check(&format!("{}@example.com", "a".repeat(400)), Err(AddressError::TooLong));
    }

    #[test]
    fn a_mask_tells_too_little_to_write_to() {
        assert_eq!(EmailAddress::parse("reader@example.com").unwrap().masked(), "r…@e….com");
    }
}

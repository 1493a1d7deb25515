//! Whether readers' servers find the keys that our mail is signed with: DKIM (RFC 6376, 3.6.1).

use super::records::{Answer, Kind, Records};
use super::{Finding, PublishedKey, Subject};

/// Every key that mail is signed with, as DNS should have it and as it has it.
pub(super) fn judge(subject: &Subject, records: &mut Records) -> Vec<Finding> {
    if subject.keys.is_empty() {
        return vec![Finding::advice("dkim", "mail is not signed here, so the relay has to sign it")];
    }
    subject.keys.iter().map(|key| of_key(key, records)).collect()
}

fn of_key(key: &PublishedKey, records: &mut Records) -> Finding {
    let found = match records.get(Kind::Text, &key.name) {
        Answer::Failed(error) => return Finding::unanswered("dkim", &key.name, &error),
        Answer::Records(texts) => texts,
        Answer::NoRecord | Answer::NoName => Vec::new(),
    };
    let told = match found.as_slice() {
        [] => "has no record, so our signatures count for nothing".to_owned(),
        [record] => match wrong(&key.value, record) {
            Some(wrong) => wrong.to_owned(),
            None if tag(record, "t").is_some_and(|flags| flags.split(':').any(|flag| flag.trim() == "y")) => {
                let told = format!("{}: `t=y` says that signatures are only tried out", key.name);
                return Finding::advice("dkim", told).paste(&key.name, "TXT", key.value.clone());
            }
            None => return Finding::ok("dkim", format!("{} is the key that we sign with", key.name)),
        },
        several => format!("has {} records, of which receivers take any; one may be there", several.len()),
    };
    Finding::problem("dkim", format!("{} {told}", key.name)).paste(&key.name, "TXT", key.value.clone())
}

/// What makes a receiver fail with this record.
fn wrong(expected: &str, record: &str) -> Option<&'static str> {
    let packed = |text: &str, name: &str| tag(text, name).map(|value| value.replace(char::is_whitespace, ""));
    let kind = |text: &str| packed(text, "k").unwrap_or_else(|| "rsa".to_owned());
    let lists = |name: &str, wanted: &[&str]| {
        packed(record, name).is_none_or(|list| list.split(':').any(|one| wanted.contains(&one)))
    };
    match packed(record, "p") {
        _ if packed(record, "v").is_some_and(|version| version != "DKIM1") => Some("does not begin with v=DKIM1"),
        None => Some("has no key"),
        Some(key) if key.is_empty() => Some("says that the key was revoked"),
        _ if kind(record) != kind(expected) => Some("is for another kind of key than we sign with"),
        key if key != packed(expected, "p") => Some("is another key than we sign with"),
        _ if !lists("h", &["sha256"]) => Some("does not allow SHA-256, which we sign with"),
        _ if !lists("s", &["*", "email"]) => Some("is not for mail"),
        _ => None,
    }
}

fn tag(record: &str, name: &str) -> Option<String> {
    super::tags(record).into_iter().find(|(tag, _)| tag == name).map(|(_, value)| value)
}

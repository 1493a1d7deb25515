//! The one list of settings: what publish.toml may say.
//!
//! From it come the check of keys and kinds and the reading of variables. `docs/reference/settings.md` explains each; a
//! test holds it against this list.

/// What a setting's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One line of text.
    Text,
    /// Text that may have several lines.
    Lines,
    /// Texts.
    Texts,
    /// A number without a fraction.
    Whole,
    /// A number.
    Number,
    /// Text that must come from the environment.
    Secret,
    /// Texts that must come from the environment.
    Secrets,
    /// A part of the file with settings of its own; not in the list, but derived from it.
    Section,
    /// A part that may come several times.
    Sections,
}

/// What a value at `path` must be; none where there is no such setting.
pub(super) fn kind(path: &str) -> Option<Kind> {
    SETTINGS.iter().find_map(|(setting, kind, _)| match setting.strip_prefix(path)? {
        "" => Some(*kind),
        rest if rest.starts_with('.') => Some(Kind::Section),
        rest if rest.starts_with("[]") => Some(Kind::Sections),
        _ => None,
    })
}

/// How a value at `path` is written.
pub(super) fn example(path: &str) -> Option<&'static str> {
    SETTINGS.iter().find(|(setting, ..)| *setting == path).map(|(.., example)| *example)
}

/// The keys that may stand in the section at `path` (empty: the whole file).
pub(super) fn keys(path: &str) -> impl Iterator<Item = &'static str> {
    let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
    SETTINGS.iter().filter_map(move |(setting, ..)| setting.strip_prefix(&prefix)?.split(['.', '[']).next())
}

/// All settings, in the order in which they are documented, with their kind and an example.
///
/// A setting goes by `section.key`, or by `sections[].key` where the section may come several times.
pub(super) static SETTINGS: &[(&str, Kind, &str)] = &[
    ("publication.title", Kind::Text, "\"The Example\""),
    ("publication.url", Kind::Text, "\"https://example.com\""),
    ("publication.description", Kind::Text, "\"News worth a letter\""),
    ("publication.language", Kind::Text, "\"en\""),
    ("publication.time-zone", Kind::Text, "\"Europe/Berlin\""),
    ("publication.address", Kind::Lines, "\"1 Example Street, Example Town\""),
    ("authors[].id", Kind::Text, "\"news-desk\""),
    ("authors[].name", Kind::Text, "\"News desk\""),
    ("authors[].bio", Kind::Text, "\"Reports on the world\""),
    ("authors[].image", Kind::Text, "\"news-desk.png\""),
    ("authors[].url", Kind::Text, "\"https://example.com\""),
    ("newsletters[].id", Kind::Text, "\"weekly\""),
    ("newsletters[].title", Kind::Text, "\"The week\""),
    ("newsletters[].description", Kind::Text, "\"All stories on Sunday\""),
    ("newsletters[].from", Kind::Text, "\"The Example <news@example.com>\""),
    ("newsletters[].reply-to", Kind::Text, "\"desk@example.com\""),
    ("newsletters[].cadences", Kind::Texts, "[\"instant\", \"weekly\"]"),
    ("newsletters[].default-cadence", Kind::Text, "\"weekly\""),
    ("newsletters[].digest-hour", Kind::Whole, "7"),
    ("newsletters[].digest-weekday", Kind::Text, "\"monday\""),
    ("newsletters[].topics", Kind::Texts, "[\"security\", \"law\"]"),
    ("newsletters[].access", Kind::Text, "\"public\""),
    ("newsletters[].send", Kind::Text, "\"approve\""),
    ("site.links[].title", Kind::Text, "\"Mastodon\""),
    ("site.links[].url", Kind::Text, "\"https://social.example/@news\""),
    ("mail.bounces-to", Kind::Text, "\"bounces@mail.example.com\""),
    ("mail.lmtp", Kind::Text, "\"127.0.0.1:2424\""),
    ("mail.postmark-password", Kind::Secret, "\"…\""),
    ("mail.postmark-password-file", Kind::Text, "\"secrets/postmark\""),
    ("mail.ses-topic", Kind::Text, "\"arn:aws:sns:eu-west-1:123456789012:bounces\""),
    ("mail.relays[].url", Kind::Text, "\"smtp://mail.example.com:587\""),
    ("mail.relays[].user", Kind::Text, "\"news\""),
    ("mail.relays[].password", Kind::Secret, "\"…\""),
    ("mail.relays[].password-file", Kind::Text, "\"secrets/mail\""),
    ("mail.relays[].connections", Kind::Whole, "4"),
    ("mail.relays[].messages", Kind::Whole, "100"),
    ("mail.relays[].rate", Kind::Text, "\"100/m\""),
    ("mail.relays[].for", Kind::Text, "\"notices\""),
    ("mail.dkim.domain", Kind::Text, "\"example.com\""),
    ("mail.dkim.keys[].selector", Kind::Text, "\"2026-11-rsa\""),
    ("mail.dkim.keys[].key-file", Kind::Text, "\"data/dkim/2026-11-rsa.pem\""),
    ("sending.on-unknown", Kind::Text, "\"hold\""),
    ("sending.durability", Kind::Text, "\"process\""),
    ("sending.undo", Kind::Text, "\"5m\""),
    ("sending.max-lateness", Kind::Text, "\"24h\""),
    ("sending.plan-drift", Kind::Number, "0.01"),
    ("sending.retry-waits", Kind::Texts, "[\"5m\", \"15m\", \"30m\", \"1h\", \"2h\", \"4h\"]"),
    ("sending.give-up-after", Kind::Text, "\"24h\""),
    ("store.url", Kind::Text, "\"sqlite:data/pressrun.db\""),
    ("web.trusted-proxies", Kind::Texts, "[\"10.0.0.0/8\"]"),
    ("auth.secret", Kind::Secret, "\"…\""),
    ("auth.secret-file", Kind::Text, "\"secrets/key\""),
    ("auth.old-secrets", Kind::Secrets, "[\"…\"]"),
    ("billing.url", Kind::Text, "\"http://127.0.0.1:12111\""),
    ("billing.key", Kind::Secret, "\"…\""),
    ("billing.key-file", Kind::Text, "\"secrets/stripe\""),
    ("billing.webhook-secrets", Kind::Secrets, "[\"…\"]"),
    ("billing.webhook-secret-file", Kind::Text, "\"secrets/webhook\""),
    ("billing.grace", Kind::Text, "\"7d\""),
    ("billing.plans[].id", Kind::Text, "\"monthly\""),
    ("billing.plans[].title", Kind::Text, "\"Monthly\""),
    ("billing.plans[].description", Kind::Text, "\"All articles\""),
    ("billing.plans[].every", Kind::Text, "\"month\""),
    ("billing.plans[].prices", Kind::Texts, "[\"5 EUR\", \"6 USD\"]"),
    ("billing.plans[].trial-days", Kind::Whole, "14"),
    ("billing.plans[].opens", Kind::Texts, "[\"weekly\"]"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_follow_from_their_settings() {
        assert_eq!(kind("publication.title"), Some(Kind::Text));
        assert_eq!(kind("publication"), Some(Kind::Section));
        assert_eq!(kind("mail"), Some(Kind::Section));
        assert_eq!(kind("mail.relays"), Some(Kind::Sections));
        assert_eq!(kind("mail.relays[]"), Some(Kind::Section));
        assert_eq!(kind("auth.secret"), Some(Kind::Secret));
        assert_eq!(kind("auth.secre"), None);
        assert_eq!(kind(""), None);
    }

    #[test]
    fn a_section_knows_its_keys() {
        assert!(keys("").any(|key| key == "newsletters"));
        assert_eq!(keys("site.links[]").collect::<Vec<_>>(), ["title", "url"]);
    }

    fn section_title(path: &str) -> String {
        let section = path.rsplit_once('.').map_or("", |(section, _)| section);
        section.strip_suffix("[]").map_or(format!("[{section}]"), |section| format!("[[{section}]]"))
    }

    /// What the reference page should say of each: the title of its section, its key, and an example.
    #[test]
    fn the_reference_page_explains_this_list() {
        let known = SETTINGS.iter().map(|(path, _, example)| {
            let key = path.rsplit('.').next().unwrap();
            (section_title(path), format!("`{key}`"), format!("`{example}`"))
        });
        let page = include_str!("../../docs/reference/settings.md");
        let sections = page.split("\n## `").skip(1).filter_map(|section| section.split_once("`\n"));
        let written = sections.flat_map(|(title, table)| {
            table.lines().filter(|line| line.starts_with("| `")).map(move |row| {
                let cells: Vec<&str> = row.trim_matches(['|', ' ']).split(" | ").collect();
                assert!(cells.len() == 4 && cells.iter().all(|cell| !cell.is_empty()), "{row}");
                (title.to_owned(), cells[0].to_owned(), cells[3].to_owned())
            })
        });
        assert_eq!(written.collect::<Vec<_>>(), known.collect::<Vec<_>>());
    }
}

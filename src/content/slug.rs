//! The last part of an address, made from words.

/// First parts of addresses that are the program's own.
pub const OUR_ADDRESSES: [&str; 27] = [
    "account", "api", "archive", "authors", "billing", "confirm", "desk", "feed.xml", "healthz", "issues", "media",
    "metrics", "outbox", "plans", "preferences", "readyz", "robots.txt", "rss.xml", "search", "sign-in", "sign-out",
    "sitemap.xml", "static", "subscribe", "tags", "unsubscribe", "webhooks",
];

/// Lower-case letters and digits of any script, with a hyphen for whatever stands between them.
pub fn slugify(text: &str) -> String {
    let lower = text.to_lowercase();
    let words: Vec<&str> =
        lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("-")
}

/// Whether `text` may be an article's or a page's slug: `a-z`, `0-9` and single hyphens between them.
pub(super) fn is_slug(text: &str) -> bool {
    text.is_ascii() && !text.is_empty() && text.len() <= 200 && slugify(text) == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_an_address() {
        assert_eq!(slugify("What is a passkey? (And why)"), "what-is-a-passkey-and-why");
        assert_eq!(slugify("Überwachung & Maß"), "überwachung-maß");
        assert_eq!(slugify("!!!"), "");
        assert!(is_slug("a-1") && !is_slug("A") && !is_slug("a--b") && !is_slug("-a") && !is_slug("ä") && !is_slug(""));
    }
}

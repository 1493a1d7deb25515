//! Where a reader goes after signing in: a page of this site, or the account (OWASP ASVS 5.0, 3.7.2).

use url::Url;

/// No page of ours has a longer address.
const LONGEST: usize = 400;

/// The path and query of a page of this site that `wanted`, decoded once, names beyond any doubt.
pub fn own_page(wanted: &str) -> Option<String> {
    let lower = wanted.to_ascii_lowercase();
    let is_plain = wanted.len() <= LONGEST && wanted.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_twisted = ["%5c", "%2f", "%0", "%1", "%2e"].iter().any(|part| lower.contains(part));
    if !is_plain || is_twisted || !wanted.starts_with('/') || wanted.starts_with("//") {
        return None;
    }
    // Read as browsers read it, from a site that is certainly another.
    let here = Url::parse("https://own-page.invalid").ok()?;
    let there = here.join(wanted).ok()?;
    let (path, query) = (there.path(), there.query());
    if there.origin() != here.origin() || path.starts_with("//") {
        return None;
    }
    Some(query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_of_this_site_is_gone_back_to() {
        for own in ["/", "/account", "/account/subscriptions?newsletter=wire", "/a-headline/", "/caf%C3%A9/"] {
            assert_eq!(own_page(own).as_deref(), Some(own));
        }
        assert_eq!(own_page("/tags/../account#top").as_deref(), Some("/account"));
        let hostile = [
            "",
            "account",
            "//evil.test",
            "///evil.test",
            "/\\evil.test",
            "\\/evil.test",
            "\\\\evil.test",
            "https://evil.test",
            "https:evil.test",
            "http:/evil.test",
            "HTTPS://evil.test",
            "javascript:alert(1)",
            "data:text/html,x",
            "/\t/evil.test",
            "/\n/evil.test",
            "/\r\nLocation: https://evil.test",
            "/ /evil.test",
            " //evil.test",
            "/%09/evil.test",
            "/%0a/evil.test",
            "/%0d%0aSet-Cookie:a",
            "/%5cevil.test",
            "/%5Cevil.test",
            "/%2fevil.test",
            "/%2Fevil.test",
            "/%2f%2fevil.test",
            "/..//evil.test",
            "/.//evil.test",
            "/./\\evil.test",
            "/a/..//evil.test",
            "/%2e%2e//evil.test",
            "@evil.test",
            "//user@evil.test",
            "//evil.test:443/",
            "/\u{2215}evil.test",
            "/\u{ff0f}evil.test",
            "\u{ff0f}\u{ff0f}evil.test",
            "/\u{202e}evil.test",
            "/\u{0}",
            "/\u{7f}x",
            "?next=/",
            "#top",
        ];
        for wanted in hostile {
            assert_eq!(own_page(wanted), None, "{wanted:?}");
        }
        assert_eq!(own_page(&format!("/{}", "a".repeat(LONGEST))), None);
    }
}

//! Every kind of problem there is. `docs/reference/diagnostics.md` explains each; a test holds it against this list.

use super::Severity;

/// A kind of problem, known by a name that never changes its meaning.
#[derive(Debug, PartialEq)]
pub struct Code {
    /// `area/name`.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
}

/// The reference page, which explains each.
const PAGE: &str = include_str!("../../docs/reference/diagnostics.md");

impl Code {
    /// What it means, with an example of the mistake and of what is right: Markdown.
    pub fn explanation(&self) -> &'static str {
        let heading = format!("\n## {}\n", self.name);
        let section = PAGE.split_once(heading.as_str()).map_or("", |(_, section)| section);
        section.split("\n<a id=").next().unwrap_or(section).trim()
    }
}

macro_rules! codes {
    ($($constant:ident: $severity:ident $name:literal;)*) => {
        $(
            #[doc = concat!("`", $name, "`, explained in `docs/reference/diagnostics.md`.")]
            pub static $constant: Code = Code { name: $name, severity: Severity::$severity };
        )*
        /// All of them, by area.
        pub static ALL_CODES: &[&Code] = &[$(&$constant),*];
    };
}

codes! {
    // ── file: what cannot be read at all ──
    FILE_TOO_LARGE: Error "file/too-large";
    FILE_OUTSIDE: Error "file/outside";
    FILE_NOT_READABLE: Error "file/not-readable";
    FILE_NOT_UTF8: Error "file/not-utf-8";

    // ── front-matter: what stands between the `---` lines, as YAML ──
    FRONT_MATTER_MISSING: Error "front-matter/missing";
    FRONT_MATTER_UNCLOSED: Error "front-matter/unclosed";
    FRONT_MATTER_TOO_LARGE: Error "front-matter/too-large";
    FRONT_MATTER_SYNTAX: Error "front-matter/syntax";
    FRONT_MATTER_DUPLICATE_KEY: Error "front-matter/duplicate-key";
    FRONT_MATTER_UNKNOWN_KEY: Error "front-matter/unknown-key";
    FRONT_MATTER_VALUE: Error "front-matter/value";
    FRONT_MATTER_CHOICE: Error "front-matter/choice";
    FRONT_MATTER_CONTROL: Error "front-matter/control-character";

    // ── article: what the front matter means ──
    ARTICLE_TITLE: Error "article/title";
    ARTICLE_DATE: Error "article/date";
    ARTICLE_NO_DATE: Hint "article/no-date";
    ARTICLE_SLUG: Error "article/slug";
    ARTICLE_SLUG_RESERVED: Error "article/slug-reserved";
    ARTICLE_ADDRESS_TAKEN: Error "article/address-taken";
    ARTICLE_DUPLICATE_ID: Error "article/duplicate-id";
    ARTICLE_ID_MISSING: Error "article/id-missing";
    ARTICLE_UNKNOWN_AUTHOR: Error "article/unknown-author";
    ARTICLE_UNKNOWN_NEWSLETTER: Error "article/unknown-newsletter";
    ARTICLE_NO_PREVIEW: Warning "article/no-preview";
    ARTICLE_EMPTY: Warning "article/empty";
    ARTICLE_NONE_FOR_TOPIC: Warning "article/none-for-topic";

    // ── markdown, link, image: what stands in the text ──
    MARKDOWN_HTML: Warning "markdown/raw-html";
    MARKDOWN_NESTING: Error "markdown/nesting";
    MARKDOWN_UNDEFINED: Warning "markdown/undefined";
    LINK_SCHEME: Error "link/scheme";
    LINK_MISSING: Error "link/missing";
    LINK_ANCHOR: Warning "link/anchor";
    LINK_UNPUBLISHED: Warning "link/unpublished";
    IMAGE_MISSING: Error "image/missing";
    IMAGE_KIND: Warning "image/kind";
    IMAGE_ADDRESS: Error "image/address";
    IMAGE_ALT: Warning "image/alt";

    // ── mail: what an article or digest becomes ──
    MAIL_SUBJECT: Warning "mail/subject";
    MAIL_LARGE: Warning "mail/large";
    MAIL_TOO_LARGE: Error "mail/too-large";
    MAIL_CUT: Warning "mail/cut";
    MAIL_LEAVE_LINK: Error "mail/leave-link";

    // ── settings: publish.toml and the environment ──
    SETTINGS_SYNTAX: Error "settings/syntax";
    SETTINGS_UNKNOWN_KEY: Warning "settings/unknown-key";
    SETTINGS_TYPE: Error "settings/type";
    SETTINGS_VALUE: Error "settings/value";
    SETTINGS_MISSING: Error "settings/missing";
    SETTINGS_DUPLICATE: Error "settings/duplicate";
    SETTINGS_DURATION: Error "settings/duration";
    SETTINGS_ZONE: Error "settings/time-zone";
    SETTINGS_URL: Error "settings/url";
    SETTINGS_ADDRESS: Error "settings/address";
    SETTINGS_FROM: Warning "settings/from";
    SETTINGS_RELAY: Error "settings/relay";
    SETTINGS_DKIM: Error "settings/dkim";
    SETTINGS_SECRET: Error "settings/secret";
    SETTINGS_SECRET_FILE: Error "settings/secret-file";

    // ── template: what the publication's own templates say ──
    TEMPLATE_SYNTAX: Error "template/syntax";
    TEMPLATE_UNKNOWN_NAME: Error "template/unknown-name";
    TEMPLATE_UNKNOWN_VARIABLE: Error "template/unknown-variable";
    TEMPLATE_RENDERING: Error "template/rendering";
    TEMPLATE_TOO_LARGE: Error "template/too-large";
    TEMPLATE_UNUSED: Warning "template/unused";
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What the reference page says of one code.
    pub(crate) struct Explained {
        pub(crate) name: &'static str,
        severity: &'static str,
        pub(crate) wrong: &'static str,
        pub(crate) right: &'static str,
    }

    pub(crate) fn explained() -> Vec<Explained> {
        let explain = |section: &'static str| {
            let (name, rest) = section.split_once("\n\n*")?;
            let (severity, rest) = rest.split_once(".* ")?;
            let mut blocks = rest.split("~~~\n");
            let (wrong, right) = (blocks.nth(1)?, blocks.nth(1)?);
            Some(Explained { name, severity, wrong: wrong.trim_end(), right: right.trim_end() })
        };
        let sections = PAGE.split("\n## ").skip(1);
        sections.map(|section| explain(section).unwrap_or_else(|| panic!("not as the others:\n{section}"))).collect()
    }

    #[test]
    fn the_reference_page_explains_this_list() {
        let written: Vec<_> = explained().iter().map(|code| (code.name, code.severity)).collect();
        let known: Vec<_> = ALL_CODES.iter().map(|code| (code.name, code.severity.as_str())).collect();
        assert_eq!(written, known);
        for (name, _) in known {
            let anchor = format!("<a id=\"{}\"></a>\n\n## {name}\n", name.replace('/', "-"));
            assert!(PAGE.contains(&anchor), "links lead to {anchor}");
        }
        for code in ALL_CODES {
            let explanation = code.explanation();
            assert!(explanation.starts_with(&format!("*{}.* ", code.severity.as_str())), "{}", code.name);
            assert!(explanation.ends_with("~~~") && !explanation.contains("##"), "{explanation}");
        }
    }

    #[test]
    fn names_are_unique_and_have_an_area() {
        let mut names: Vec<&str> = ALL_CODES.iter().map(|code| code.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL_CODES.len());
        assert!(names.iter().all(|name| name.matches('/').count() == 1), "{names:?}");
    }
}

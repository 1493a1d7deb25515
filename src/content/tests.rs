use std::fmt::Write as _;

use proptest::prelude::{any, prop, proptest};
use pulldown_cmark::{Event, Tag};

use crate::config::{self, Settings};
use crate::model::Access;

use super::{Article, BodyInMail, read_article, read_page};

fn settings() -> Settings {
    let text = "[publication]\ntime-zone = \"Europe/Berlin\"\n".to_owned();
    config::read(&config::Source { text, ..Default::default() }).0
}

/// Reads text that has nothing wrong.
#[track_caller]
fn article(text: &str) -> Article {
    let (article, diagnostics) = read_article("content/2026/a-story.md", text.as_bytes(), &settings());
    assert_eq!(diagnostics, []);
    article.unwrap()
}

/// The article with `body` below a title; what is wrong with it does not matter.
fn with_body(body: &str) -> Article {
    let text = format!("---\ntitle: A\n---\n{body}");
    read_article("content/2026/a-story.md", text.as_bytes(), &settings()).0.unwrap()
}

#[test]
fn all_that_front_matter_says_is_read() {
    let article = article(
        "---\nid: 018f\ntitle: \"Keys: a guide\"\nsummary: |\n  Two\n  lines.\ndate: 2026-12-01 08:00\nupdated: 2026-12-02T09:00:00Z\n\
         slug: keys\nauthors: [news-desk, security-desk]\ntags: security\nnewsletters: [main]\naccess: subscribers\ndraft: true\n\
         featured: true\nimage:\n  src: ../key.png\n  alt: A key\n  caption: On a table\n  credit: News desk\n\
         canonical: https://example.com/keys\nlanguage: en-GB\nredirect-from: /old/\nmail: {subject: Keys, preheader: Read on, body: summary}\n\
         extra: {color: red, weights: [1, 2.5]}\n---\nText.\n",
    );
    insta::assert_debug_snapshot!(Article { body: super::Body::default(), ..article });
}

#[test]
fn what_is_not_said_has_a_default() {
    let article = article("---\r\ntitle: 1.10\r\ndate: 2026-12-01T08:00\r\n---\r\nText.\r\n");
    assert_eq!((article.title.as_str(), article.slug.as_str()), ("1.10", "a-story"));
    assert_eq!((article.access, article.mail.body, article.draft), (Access::Public, BodyInMail::Full, false));
    assert_eq!(article.date.unwrap().to_rfc3339(), "2026-12-01T07:00:00+00:00");
}

#[test]
fn what_cannot_be_read_is_kept_from_the_public() {
    let text = "---\ntitle: A\ndate: 2026-12-01\naccess: members\ndraft: yes\n---\n";
    let article = read_article("content/a.md", text.as_bytes(), &settings()).0.unwrap();
    assert_eq!((article.access, article.draft), (Access::Subscribers, true));
}

#[test]
fn a_page_has_few_keys() {
    let text = b"---\ntitle: About\nsummary: Who\nlanguage: de\n---\nText.\n";
    let (page, diagnostics) = read_page("content/pages/about.md", text, &settings());
    let page = page.unwrap();
    assert_eq!((page.slug.as_str(), page.language.as_deref(), diagnostics.len()), ("about", Some("de"), 0));
}

#[test]
fn text_becomes_events() {
    let article = with_body(
        "Before, [a file](../b.md#c) and <desk@example.com>.\n\n<!-- more -->\n\n## One *word*\n\n\
         ![A key](key.png \"On a table | News desk\")\n\n- [x] done\n\n| a | b |\n|---|--:|\n| 1 | ~~2~~ |\n\n\
         A note.[^n] <b>bold</b><!-- gone -->\n\n[^n]: Its source.\n\n[bad](javascript:x) ## One word\n\n## One word\n",
    );
    let body = article.body;
    let mut shown = format!("preview {:?}, words {}, {:?}\n", body.preview, body.words, body.headings);
    for (event, range) in &body.events {
        let _ = writeln!(shown, "{:40} {:?}", brief(event), &body.source[range.clone()]);
    }
    insta::assert_snapshot!(shown);
}

fn brief(event: &Event<'_>) -> String {
    match event {
        Event::Text(text) => format!("text {:?}", text.as_ref()),
        Event::FootnoteReference(label) => format!("reference to note {label}"),
        Event::Start(Tag::FootnoteDefinition(label)) => format!("start note {label}"),
        Event::Start(Tag::Link { dest_url, .. }) => format!("start link to {dest_url}"),
        Event::Start(Tag::Image { dest_url, title, .. }) => format!("start picture {dest_url} {:?}", title.as_ref()),
        Event::Start(Tag::Heading { level, id, .. }) => format!("start {level} {}", id.as_deref().unwrap_or_default()),
        Event::Start(tag) => format!("start {tag:?}"),
        Event::End(tag) => format!("end {tag:?}"),
        event => format!("{event:?}"),
    }
}

#[track_caller]
fn check_preview(body: &str, words_before: Option<usize>) {
    let body = with_body(body).body;
    let words = |events: &[(Event<'static>, _)]| {
        events
            .iter()
            .filter(|(event, _): &&(Event<'static>, std::ops::Range<usize>)| matches!(event, Event::Text(_)))
            .count()
    };
    assert_eq!(body.preview.map(|end| words(&body.events[..end])), words_before);
}

#[test]
fn a_preview_ends_at_a_line_of_its_own() {
    check_preview("One\n\n<!-- more -->\n\nTwo", Some(1));
    check_preview("One\n<!--more-->\nTwo", Some(1));
    check_preview("<!-- more -->\nOne", Some(0));
    check_preview("One <!-- more --> Two", None);
    check_preview("> <!-- more -->\n\nOne", None);
    check_preview("`<!-- more -->`", None);
}

#[test]
fn headings_have_ids_of_their_own() {
    let body = with_body("# A\n\n## A\n\n## A-1\n\n## A\n\n## !!!\n\n## Über `uns`\n").body;
    assert_eq!(body.headings, ["a", "a-1", "a-1-1", "a-2", "section", "über-uns"]);
}

/// Opened tags are closed again in order, and every event stands in the file.
#[track_caller]
fn check_robust(bytes: &[u8]) {
    let (article, diagnostics) = read_article("content/a.md", bytes, &settings());
    assert!(diagnostics.len() <= 100);
    let Some(article) = article else {
        assert!(!diagnostics.is_empty(), "an article that is not read has a reason");
        return;
    };
    let mut open = Vec::new();
    for (event, range) in &article.body.events {
        assert!(article.body.source.get(range.clone()).is_some(), "{range:?}");
        match event {
            Event::Start(tag) => open.push(tag.to_end()),
            Event::End(tag) => assert_eq!(open.pop().as_ref(), Some(tag)),
            Event::Html(_) | Event::InlineHtml(_) => panic!("HTML came through"),
            _ => {}
        }
    }
    assert_eq!(open, []);
}

#[test]
fn hostile_front_matter_is_refused_at_once() {
    for yaml in hostile_yaml() {
        check_robust(format!("---\n{yaml}\n---\nText").as_bytes());
    }
}

fn hostile_yaml() -> Vec<String> {
    vec![
        "[".repeat(60_000),
        "- ".repeat(30_000),
        "? ".repeat(30_000),
        "{a: ".repeat(15_000),
        format!("extra: {}", "[{".repeat(15)),
        format!("a: &a [{}]\nextra: {{b: [{}]}}", "1,".repeat(10_000), "*a,".repeat(10_000)),
        format!("a: &a \"{}\"\ntags: [{}]", "x".repeat(30_000), "*a,".repeat(9_000)),
        "a: &a [x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]".to_owned(),
        "a: &a [*a]".to_owned(),
        (0..6_000).map(|number| format!("k{number}: x\n")).collect(),
        "k: x\n".repeat(10_000),
        format!("title: {}", "\"".repeat(60_000)),
        format!("title: >\n{}", "  x\n\n".repeat(10_000)),
        "!!binary x".to_owned(),
        "title: !include /etc/passwd".to_owned(),
        "%YAML 9.9\n".to_owned(),
        "title: \"\\u0000\"\ndate: .nan\ntags: [~]\nimage: []\nmail: 3\nauthors: {}".to_owned(),
        "<<: {title: x}".to_owned(),
        format!("date: {}", "9".repeat(400)),
        "? [a, b]\n: c".to_owned(),
        ": x\n1: y\nnull: z\n".to_owned(),
    ]
}

#[test]
fn hostile_text_is_read_at_once() {
    let pieces = [
        ">", "> ", "- ", "* a\n ", "1. ", "[", "![", "](", "[a](", "[^", "[^1]:", "*", "**a ", "_a*", "~~", "`", "``a",
        "<", "<b", "<!--", "<!-- -->", "<?", "<![CDATA[", "&#x0;", "&amp", "\\", "|a|\n|-|\n", "# ", "# a\n", "\n\n",
        "\r\n", "\t", "\u{0}", "\u{feff}", "\u{202e}", "é", "[a]: b\n", "[a][a]", "![](x)", "<a@b.c>", "---\n",
        "===\n", "```\n", "<script>", "<x>\n\n", "[x](javascript:y)\n", "a\n", "- [ ] ",
    ];
    for piece in pieces {
        check_robust(format!("---\ntitle: A\n---\n{}", piece.repeat(20_000 / piece.len())).as_bytes());
        check_robust(piece.repeat(1_000).as_bytes());
    }
}

proptest! {
    #[test]
    fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_robust(&bytes);
    }

    #[test]
    fn any_front_matter_and_text_can_be_read(yaml in "[a-z:\\[\\]{}&*!|>'\"#%@ \t\n-]{0,80}", body in "[a-z<>!\\[\\]()*_~`#|:^ \n-]{0,200}") {
        check_robust(format!("---\ntitle: {yaml}\n---\n{body}").as_bytes());
        check_robust(format!("---\n{yaml}\n---\n{body}").as_bytes());
    }
}

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::{self, Settings};
use crate::content::{self, Catalog, Image, LARGEST_FILE, read_article, read_page};
use crate::diagnostic::{ALL_CODES, Diagnostic, Sources};

use crate::render::{IssueMail, LEAVE_TOKEN_SLOT};

use super::{leads_outside, mail, mail_was_cut, not_readable};

const PUBLISH: &str = r#"
[publication]
time-zone = "Europe/Berlin"
[[authors]]
id = "news-desk"
name = "News desk"
[[newsletters]]
id = "main"
"#;

/// What stands around each case.
const AROUND: [(&str, &str); 3] = [
    (
        "content/passkeys.md",
        "---\ntitle: Passkeys\ndate: 2026-11-01\nid: passkeys-1\n---\nWhat they are.\n\n## How it works\n\nLike so.\n",
    ),
    ("content/a-draft.md", "---\ntitle: A draft\ndraft: true\n---\nNot yet.\n"),
    ("content/pages/about.md", "---\ntitle: About\n---\nAbout us.\n"),
];

fn settings() -> Settings {
    let (settings, diagnostics) = config::read(&config::Source { text: PUBLISH.to_owned(), ..Default::default() });
    assert_eq!(diagnostics, []);
    settings
}

fn images() -> BTreeMap<String, Image> {
    let image = |pixels| Image { bytes: 1, pixels, hash: String::new() };
    BTreeMap::from([
        ("content/key.png".to_owned(), image(Some((640, 480)))),
        ("content/key.svg".to_owned(), image(None)),
    ])
}

/// Reads and checks `files` and what stands around them.
fn diagnose(files: &[(&str, &[u8])]) -> Vec<Diagnostic> {
    let settings = settings();
    let (mut articles, mut pages, mut found, mut sources) = (Vec::new(), Vec::new(), Vec::new(), Sources::new());
    let around = AROUND.iter().map(|(path, text)| (*path, text.as_bytes()));
    for (path, bytes) in files.iter().copied().chain(around) {
        sources.insert(path.to_owned(), Arc::from(String::from_utf8_lossy(bytes)));
        let diagnostics = if path.starts_with("content/pages/") {
            let (page, diagnostics) = read_page(path, bytes, &settings);
            pages.extend(page);
            diagnostics
        } else {
            let (article, diagnostics) = read_article(path, bytes, &settings);
            articles.extend(article);
            diagnostics
        };
        found.extend(diagnostics);
    }
    found.extend(super::catalog(&settings, &Catalog::assemble(articles, pages, images()), &sources));
    found
}

/// `CODE FILE:LINE:COLUMN`, without line and column where the whole file is meant.
fn brief(diagnostic: &Diagnostic) -> String {
    let place = diagnostic.span.as_ref().map(|span| format!(":{}:{}", span.line, span.column));
    format!("{} {}{}", diagnostic.code.name, diagnostic.file, place.unwrap_or_default())
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let found: Vec<String> = diagnose(&[("content/story.md", text.as_bytes())]).iter().map(brief).collect();
    assert_eq!(found, expected, "in\n{text}");
}

struct Case<'a> {
    code: &'a str,
    place: &'a str,
    wrong: &'a str,
    right: &'a str,
}

/// `## CODE LINE:COLUMN`, and two blocks between lines of four backticks: the mistake, and the nearest right text.
fn cases() -> Vec<Case<'static>> {
    let files =
        [include_str!("cases/front-matter.md"), include_str!("cases/article.md"), include_str!("cases/text.md")];
    let sections = files.into_iter().flat_map(|file| file.split("\n## ").skip(1));
    let case = |section: &'static str| {
        let mut blocks = section.split("````\n");
        let (code, place) = blocks.next()?.trim().split_once(' ')?;
        let wrong = blocks.next()?;
        Some(Case { code, place, wrong, right: blocks.nth(1)? })
    };
    sections.map(|section| case(section).unwrap_or_else(|| panic!("not a case:\n{section}"))).collect()
}

#[test]
fn each_mistake_is_found_where_it_stands_and_right_text_is_not() {
    for case in cases() {
        check(case.wrong, &[&format!("{} content/story.md:{}", case.code, case.place)]);
        check(case.right, &[]);
    }
}

/// Codes whose cases are functions below: what they are about is no text that a person would read in a file of cases.
const OTHER_CASES: [&str; 10] = [
    "article/none-for-topic", "file/too-large", "file/not-readable", "file/not-utf-8", "front-matter/too-large",
    "markdown/nesting", "mail/large", "mail/too-large", "mail/cut", "mail/leave-link",
];

#[test]
fn every_code_has_a_case() {
    let cases = cases();
    let with_case: BTreeSet<&str> = cases.iter().map(|case| case.code).chain(OTHER_CASES).collect();
    // Settings and templates keep their cases beside their readers.
    let is_ours = |name: &&str| !name.starts_with("settings/") && !name.starts_with("template/");
    let all: BTreeSet<&str> = ALL_CODES.iter().map(|code| code.name).filter(is_ours).collect();
    assert_eq!(with_case, all);
}

#[test]
fn bytes_that_are_not_utf_8_are_pointed_at() {
    let found = diagnose(&[("content/story.md", b"---\ntitle: Caf\xe9\n---\n")]);
    assert_eq!(found.iter().map(brief).collect::<Vec<_>>(), ["file/not-utf-8 content/story.md:2:11"]);
    check("---\ntitle: Café\ndraft: true\n---\n", &[]);
}

#[test]
fn sizes_have_their_limits() {
    let article = |length| format!("---\ntitle: A\ndate: 2026-12-01\n---\n{}", "a".repeat(length));
    check(&article(LARGEST_FILE), &["file/too-large content/story.md"]);
    check(&article(LARGEST_FILE - 100), &[]);
    check(&article(0).replace("2026-12-01", &"2 ".repeat(40_000)), &["front-matter/too-large content/story.md:1:1"]);
    check(&format!("---\ntitle: A\ndate: 2026-12-01\nsummary: {}\n---\nText", "a ".repeat(30_000)), &[]);
}

#[test]
fn quotes_have_a_depth() {
    let quotes = |depth| format!("---\ntitle: A\ndate: 2026-12-01\n---\n{} deep", ">".repeat(depth));
    check(&quotes(65), &["markdown/nesting content/story.md:5:65"]);
    check(&quotes(60), &[]);
}

#[test]
fn files_that_were_not_read_are_named() {
    assert_eq!(brief(&leads_outside("content/link.md")), "file/outside content/link.md");
    assert_eq!(brief(&not_readable("content/link.md", "permission denied")), "file/not-readable content/link.md");
    assert_eq!(brief(&content::too_large("content/a.md", 50_000_000)), "file/too-large content/a.md");
}

#[test]
fn a_topic_is_a_tag_of_some_article() {
    let (mut settings, article) = (settings(), "---\ntitle: A\ntags: [security]\n---\n");
    settings.newsletters[0].topics = vec!["security".to_owned(), "securty".to_owned()];
    let articles = read_article("content/story.md", article.as_bytes(), &settings).0.into_iter().collect();
    let catalog = Catalog::assemble(articles, vec![], images());
    let found = super::topics(&settings.newsletters[0], &catalog);
    assert_eq!(found.iter().map(brief).collect::<Vec<_>>(), ["article/none-for-topic publish.toml"]);
    assert_eq!(found[0].help, "did you mean `security`?");
}

/// A mail with its slot where these texts have `/leave/SLOT`.
fn rendered(subject: &str, html: &str, text: &str) -> IssueMail {
    let part = |text: &str| text.replace("/leave/SLOT", LEAVE_TOKEN_SLOT);
    IssueMail { subject: subject.to_owned(), html: part(html), text: part(text), ..IssueMail::default() }
}

#[track_caller]
fn check_mail(html: &str, text: &str, expected: &[&str]) {
    let found = mail("content/story.md", &rendered("A headline", html, text));
    assert_eq!(found.iter().map(|diagnostic| diagnostic.code.name).collect::<Vec<_>>(), expected);
}

#[test]
fn a_mail_can_be_left_and_is_not_cut() {
    let html = |length| format!("{}<a href=\"/leave/SLOT\">Leave</a>", "a".repeat(length));
    let text = "Leave: /leave/SLOT";
    check_mail(&html(70_000), text, &[]);
    check_mail(&html(78_000), text, &["mail/large"]);
    check_mail(&html(105_000), text, &["mail/too-large"]);
    check_mail(&"é".repeat(30_000).replace('é', "éa"), text, &["mail/too-large", "mail/leave-link"]);
    check_mail(&html(0), "", &["mail/leave-link"]);
    let nameless = rendered(" ", &html(0), text);
    assert_eq!(mail("a.md", &nameless).iter().map(brief).collect::<Vec<_>>(), ["mail/subject a.md"]);
}

#[test]
fn a_cut_mail_is_an_error_only_where_all_of_it_was_asked_for() {
    let cut = |text: &str| {
        let (article, _) = read_article("content/story.md", text.as_bytes(), &settings());
        brief(&mail_was_cut(&article.unwrap()))
    };
    assert_eq!(cut("---\ntitle: A\n---\n"), "mail/cut content/story.md");
    assert_eq!(cut("---\ntitle: A\nmail:\n  body: full\n---\n"), "mail/too-large content/story.md:4:9");
}

#[test]
fn a_folder_full_of_mistakes_is_told_in_one_run() {
    let first = "---\ntitel: A headline\ndate: soon\nupdated: 2026-13-01\nslug: Nice Slug\nauthors: [news-desk, sports]\n\
                 newsletters:\n  - main\n  - wekly\naccess: members\ndraft: no\nimage: ../../etc/passwd\n---\n\
                 ![](missing.png)\n\n<div>HTML</div>\n\nSee [this](javascript:x), [that](passkey.md) and [there](#up).[^note]\n";
    let second = "---\ntitle: \"Unclosed\ntags: a\n---\n\n[More](first.md)\n";
    let found = diagnose(&[
        ("content/first.md", first.as_bytes()),
        ("content/second.md", second.as_bytes()),
        ("content/third.md", b"---\ntitle: \xff\n---\n"),
        (
            "content/pages/fourth.md",
            b"---\ntitle: Fourth\ndate: 2026-12-01\nslug: passkeys\n---\nText, [link](../second.md).\n",
        ),
    ]);
    insta::assert_snapshot!(
        found.iter().map(|one| format!("{}: {} ({})\n", brief(one), one.message, one.help)).collect::<String>()
    );
}

#[test]
fn a_link_to_an_article_that_cannot_be_read_is_not_called_missing_too() {
    let files: [(&str, &[u8]); 2] = [
        ("content/broken.md", b"---\ntitle: A: B\n---\n"),
        ("content/story.md", b"---\ntitle: A\ndate: 2026-12-01\n---\n[more](broken.md)\n"),
    ];
    let found = diagnose(&files);
    assert_eq!(found.iter().map(brief).collect::<Vec<_>>(), ["front-matter/syntax content/broken.md:2:9"]);
}

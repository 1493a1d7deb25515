#![expect(clippy::disallowed_methods, reason = "what was written is looked at behind the back of the door")]

mod gates;

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use chrono::TimeZone as _;
use tempfile::TempDir;

use super::*;

const SETTINGS: &str = r#"
[publication]
title = "Example Wire"
url = "https://news.example.com"
"#;

fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 23, 12, 0, 0).unwrap()
}

/// A publication in a folder, and the files it has.
struct Desk(TempDir);

impl Desk {
    fn new() -> Desk {
        let desk = Desk(tempfile::tempdir().unwrap());
        desk.writes("publish.toml", SETTINGS);
        desk.writes("content/open.md", &article("open", "date: 2026-11-01", "Words for all. ![Reeds](reeds.gif)"));
        desk.writes("content/reeds.gif", "GIF89a\u{3}\0\u{2}\0\0\0\0");
        desk
    }

    fn writes(&self, path: &str, text: &str) {
        crate::files::write_atomically(&self.0.path().join(path), text.as_bytes()).unwrap();
    }

    fn removes(&self, path: &str) {
        fs::remove_file(self.0.path().join(path)).unwrap();
    }

    fn loads(&self) -> Edition {
        self.loads_with(&Options::default())
    }

    fn loads_with(&self, options: &Options) -> Edition {
        load(self.0.path(), options, noon()).unwrap()
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("public")
    }

    fn builds(&self) -> Built {
        build(&self.loads(), &self.out()).unwrap()
    }
}

fn article(id: &str, front_matter: &str, text: &str) -> String {
    format!(
        "---\nid: {id}\ntitle: About {id}\nsummary: All about {id}.\nnewsletters: [main]\n{front_matter}\n---\n{text}\n"
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn codes(edition: &Edition) -> Vec<(&str, &str)> {
    edition.diagnostics.iter().map(|diagnostic| (diagnostic.file.as_str(), diagnostic.code.name)).collect()
}

/// Every file below `folder`, with its bytes and the time of its last change.
fn files(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            let changed_at = entry.metadata().unwrap().modified().unwrap();
            found.insert(entry.path(), (fs::read(entry.path()).unwrap(), changed_at));
        }
    }
    found
}

#[test]
fn drafts_and_what_is_scheduled_are_nowhere() {
    let desk = Desk::new();
    desk.writes("content/draft.md", &article("draft", "date: 2026-11-02\ndraft: true\nredirect-from: [/old/]", "text"));
    desk.writes("content/later.md", &article("later", "date: 2026-11-24", "text"));
    desk.writes("content/undated.md", &article("undated", "", "text"));
    let edition = desk.loads();
    let shows = |edition: &Edition, id: &str| {
        let words = format!("About {id}");
        edition.site.pages.values().any(|page| text(&page.body).contains(&words))
    };
    assert_eq!(["open", "draft", "later", "undated"].map(|id| shows(&edition, id)), [true, false, false, false]);
    assert!(edition.site.redirects.is_empty());

    let tomorrow = edition.next_change().unwrap();
    assert_eq!(tomorrow, Utc.with_ymd_and_hms(2026, 11, 24, 0, 0, 0).unwrap());
    let next = edition.at(tomorrow).unwrap();
    assert_eq!(["draft", "later", "undated"].map(|id| shows(&next, id)), [false, true, false]);
    assert_eq!((next.next_change(), next.printed_at), (None, tomorrow));
    let slow = load(desk.0.path(), &Options::default(), tomorrow - chrono::TimeDelta::seconds(1)).unwrap();
    assert_eq!(slow.next_change(), Some(tomorrow), "however late it is shown");

    let drafts = desk.loads_with(&Options { drafts: true, ..Options::default() });
    assert_eq!(["draft", "later", "undated"].map(|id| shows(&drafts, id)), [true, true, true]);
}

#[test]
fn what_is_out_answers_at_its_address() {
    let desk = Desk::new();
    desk.writes("content/moved.md", &article("moved", "date: 2026-11-02\nredirect-from: [/old/]", "text"));
    let edition = desk.loads();
    assert_eq!(codes(&edition), []);
    assert_eq!(edition.base_url, "https://news.example.com");
    assert_eq!(edition.site.redirects, BTreeMap::from([("/old/".to_owned(), "/moved/".to_owned())]));
    let (address, medium) = edition.media.iter().next().unwrap();
    assert!(text(&edition.site.pages["/open/"].body).contains(address));
    assert_eq!((medium.path.as_str(), medium.content_type), ("content/reeds.gif", "image/gif"));
    let stylesheet = edition.site.pages.iter().find(|(address, _)| address.ends_with(".css")).unwrap().1;
    assert_eq!((stylesheet.cache, edition.site.pages["/"].cache), (CachePolicy::Immutable, CachePolicy::Revalidate));
}

#[test]
fn a_form_on_a_static_site_leads_to_the_server() {
    let desk = Desk::new();
    let base_url = Some("https://mirror.example.com".parse().unwrap());
    let edition = desk.loads_with(&Options { is_static: true, base_url, ..Options::default() });
    let home = text(&edition.site.pages["/"].body);
    assert!(home.contains("action=\"https://news.example.com/subscribe\""), "{home}");
    assert!(text(&edition.site.pages["/sitemap.xml"].body).contains("https://mirror.example.com/open/"));
    assert!(text(&desk.loads().site.pages["/"].body).contains("action=\"/subscribe\""));
}

#[test]
fn a_page_is_tagged_by_its_bytes_and_compressed_once() {
    let long = "word ".repeat(1000).into_bytes();
    let page = SitePage::new("text/html; charset=utf-8", long.clone(), CachePolicy::Revalidate);
    let gzip = page.gzip.as_ref().unwrap();
    assert!(gzip.body.len() < 100 && gzip.etag != page.etag && page.etag.starts_with('"'));
    assert_eq!(page.etag, SitePage::new("text/plain", long.clone(), CachePolicy::Immutable).etag);
    assert!(SitePage::new("image/png", long, CachePolicy::Immutable).gzip.is_none());
    assert!(SitePage::new("text/html", b"short".to_vec(), CachePolicy::Revalidate).gzip.is_none());
}

#[test]
fn one_bad_file_hides_nothing() {
    let desk = Desk::new();
    desk.writes("publish.toml", &format!("{SETTINGS}colour = 1\n"));
    desk.writes("content/broken.md", "---\ntitle: \"half\n---\n");
    desk.writes("templates/site/page.html", "{{ nothing");
    std::os::unix::fs::symlink("/etc/hostname", desk.0.path().join("content/link.md")).unwrap();
    let edition = desk.loads();
    let files: Vec<_> = codes(&edition).into_iter().map(|(file, _)| file).collect();
    assert_eq!(files, ["content/broken.md", "content/link.md", "publish.toml", "templates/site/page.html"]);
    assert!(edition.site.pages.contains_key("/open/"));
    assert!(files.iter().filter(|file| **file != "content/link.md").all(|file| edition.sources.contains_key(*file)));
}

#[test]
fn the_revision_moves_with_every_input() {
    let desk = Desk::new();
    let mut revisions = vec![desk.loads().revision, desk.loads().revision];
    revisions.dedup();
    assert_eq!(revisions.len(), 1);
    for (path, text) in [
        ("content/open.md", article("open", "date: 2026-11-01", "Other words.")),
        ("content/reeds.gif", "GIF89a\u{5}\0\u{2}\0\0\0\0".to_owned()),
        ("publish.toml", SETTINGS.replace("Wire", "News")),
        ("templates/static/extra.txt", "extra".to_owned()),
    ] {
        desk.writes(path, &text);
        revisions.push(desk.loads().revision);
    }
    let other =
        Options { environment: vec![("PRESSRUN_PUBLICATION__LANGUAGE".into(), "de".into())], ..Options::default() };
    revisions.push(desk.loads_with(&other).revision);
    let relay = Options { environment: vec![("PRESSRUN_MAIL__RELAYS__0__URL".into(), "outbox".into())], ..other };
    assert_eq!(desk.loads_with(&relay).content_revision, desk.loads().content_revision, "a machine's own");
    assert_ne!(desk.loads().revision, desk.loads().content_revision);
    let count = revisions.len();
    revisions.sort();
    revisions.dedup();
    assert_eq!(revisions.len(), count);
}

#[test]
fn a_folder_without_settings_is_no_publication() {
    let folder = tempfile::tempdir().unwrap();
    let error = load(folder.path(), &Options::default(), noon()).err().unwrap();
    assert!(error.to_string().starts_with("there is no `publish.toml` in"), "{error}");
    assert!(error.help().contains("pressrun init"));
}

#[test]
fn the_second_build_touches_nothing() {
    let desk = Desk::new();
    let first = desk.builds();
    assert_eq!((first.unchanged, first.removed), (0, 0));
    let before = files(&desk.out());
    assert_eq!(before.len(), first.written + 1, "one more for the list");
    assert_eq!(desk.builds(), Built { written: 0, unchanged: first.written, removed: 0 });
    assert_eq!(files(&desk.out()), before);
}

#[test]
fn only_our_own_files_are_removed() {
    let desk = Desk::new();
    desk.writes("content/brief.md", &article("brief", "date: 2026-11-02\nredirect-from: [/old/]", "text"));
    desk.builds();
    let exists = |path: &str| desk.out().join(path).exists();
    assert!(
        exists("brief/index.html")
            && text(&files(&desk.out())[&desk.out().join("old/index.html")].0).contains("/brief/")
    );
    desk.writes("public/brief/notes.txt", "mine");
    desk.writes("public/CNAME", "mine");
    desk.removes("content/brief.md");
    let list = fs::read_to_string(desk.out().join(".pressrun-build")).unwrap();
    desk.writes("public/.pressrun-build", &format!("{list}../publish.toml\n/etc/none\n"));
    assert_eq!(desk.builds().removed, 2);
    assert!(!exists("brief/index.html") && !exists("old") && exists("brief/notes.txt") && exists("CNAME"));
    assert!(desk.0.path().join("publish.toml").exists());
}

#[test]
fn the_publication_is_not_built_over() {
    let desk = Desk::new();
    let other = Desk::new();
    let root = desk.0.path();
    let above = root.parent().unwrap().to_path_buf();
    let out = [
        root.to_path_buf(),
        above,
        root.join("content/new/deep"),
        root.join("templates"),
        other.0.path().to_path_buf(),
    ];
    for out in out {
        let before = files(root);
        let error = build(&desk.loads(), &out).unwrap_err();
        assert!(matches!(error, PressError::Ours(_)), "{}", out.display());
        assert_eq!(files(root), before);
    }
}

#[test]
fn many_files_keep_their_order() {
    let desk = Desk::new();
    for number in 0..200 {
        desk.writes(&format!("content/{number:03}.md"), &article(&format!("n{number}"), "date: 2026-11-01", "text"));
    }
    let edition = desk.loads();
    assert_eq!(edition.catalog.articles.len(), 201);
    assert!(edition.catalog.articles.is_sorted_by_key(|article| &article.path));
}

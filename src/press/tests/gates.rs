//! What is not for everybody, looked for in every outlet there is.

use std::collections::BTreeSet;

use super::*;
use crate::model::{Access, Portion, Viewer};
use crate::render::Occasion;

/// Whole texts, in which `ACCESS` stands for who may read on: with a preview and a summary, and with neither.
const HIDDEN: &str = include_str!("hidden.md");
const CLOSED: &str = "---\nid: closed\ntitle: About closed\nnewsletters: [main]\ndate: 2026-11-03\naccess: ACCESS\n\
    tags: [Shore]\nmail: {body: summary}\n---\nThe heron-opening of it all.\n\nA heron-second paragraph.\n";
/// What of them nobody ever reads: front matter, comments, and names that only the file has.
const NEVER: [&str; 6] = ["comment", "key", "value", "hint", "aside", "label"];

fn desk(access: Access) -> Desk {
    let desk = Desk::new();
    desk.writes("publish.toml", &format!("{SETTINGS}[[authors]]\nid = \"desk\"\nname = \"Desk\"\n"));
    desk.writes("content/hidden.md", &HIDDEN.replace("ACCESS", access.as_str()));
    desk.writes("content/closed.md", &CLOSED.replace("ACCESS", access.as_str()));
    desk.writes("content/heron.gif", "GIF89a\u{4}\0\u{2}\0\0\0\0");
    desk
}

/// Everything that `viewer` can get to see, by name. A new outlet belongs here.
fn outlets(desk: &Desk, viewer: Viewer) -> Vec<(String, String)> {
    let edition = desk.loads();
    let shown = |kind: &str, address: &str, page: &SitePage| (format!("{kind} {address}"), text(&page.body));
    let site = &edition.site;
    let mut outlets: Vec<_> = site.pages.iter().map(|(address, page)| shown("site", address, page)).collect();
    let open = site.gated.iter().filter(|(_, gated)| gated.access.portion_for(viewer) == Portion::Whole);
    outlets.extend(open.map(|(address, gated)| shown("gated", address, &gated.page)));
    let feeds = site.feeds.iter().filter(|(reading, _)| reading.viewer_of(&[]) == viewer);
    outlets.extend(feeds.map(|(_, feed)| shown("own feed", "", feed)));
    outlets.push(("redirects".to_owned(), format!("{:?}", site.redirects)));
    desk.builds();
    let built = files(&desk.out());
    outlets.extend(built.iter().map(|(path, (bytes, _))| (format!("build {}", path.display()), text(bytes))));
    let articles = ["hidden", "closed", "open"].map(|name| edition.catalog.named(name).unwrap());
    for cadence in Cadence::ALL {
        for some in [&articles[..], &articles[..1], &articles[1..2], &[articles[1], articles[0]]] {
            let issue = |viewer| {
                let (newsletter, web_address) =
                    (&edition.settings.newsletters[0], "https://news.example.com/issues/1/");
                let occasion = Occasion { newsletter, cadence, at: noon(), more: 0, web_address, viewer };
                edition.issue_mail(occasion, some).unwrap()
            };
            let mail = issue(viewer);
            let parts =
                [("subject", mail.subject), ("preheader", mail.preheader), ("html", mail.html), ("text", mail.text)];
            outlets.extend(parts.map(|(part, text)| (format!("{cadence} mail, {part}"), text)));
            let of_others =
                |other: Viewer| (format!("{cadence} issue on the web, sealed for {other}"), issue(other).web_html);
            outlets.extend(Viewer::ALL.map(of_others));
        }
    }
    outlets
}

fn leaks(outlets: &[(String, String)]) -> Vec<&str> {
    let tells = |text: &str| text.to_lowercase().contains("heron");
    outlets.iter().filter(|(name, text)| tells(text) || tells(name)).map(|(name, _)| name.as_str()).collect()
}

#[test]
fn what_is_gated_is_in_no_outlet() {
    for access in [Access::Subscribers, Access::Paid] {
        let desk = desk(access);
        assert_eq!(codes(&desk.loads()).iter().filter(|(_, code)| *code != "article/no-preview").count(), 0);
        for viewer in Viewer::ALL {
            let outlets = outlets(&desk, viewer);
            let all = outlets.iter().map(|(_, text)| text.as_str()).collect::<String>();
            assert!(all.matches("An open door").count() > 5, "the open part is shown");
            if access.portion_for(viewer) == Portion::Preview {
                assert_eq!(leaks(&outlets), Vec::<&str>::new(), "{access} for {viewer}");
                continue;
            }
            let has_it =
                |name: &str| outlets.iter().any(|(place, text)| place.starts_with(name) && text.contains("heron"));
            for (name, expected) in [
                ("gated /hidden/", true),
                ("gated /closed/", true),
                ("own feed", true),
                ("instant mail", true),
                ("site", false),
                ("build", false),
            ] {
                assert_eq!(has_it(name), expected, "{name} for {viewer}");
            }
            for words in HIDDEN.split("heron-").skip(1) {
                let word = words.split(|letter: char| !letter.is_ascii_lowercase()).next().unwrap();
                assert_eq!(all.contains(&format!("heron-{word}")), !NEVER.contains(&word), "{word} for {viewer}");
            }
        }
    }
}

#[test]
fn what_is_gated_is_kept_by_no_cache() {
    let site = desk(Access::Paid).loads().site;
    let gated: Vec<_> = site.gated.iter().map(|(address, gated)| (address.as_str(), gated.access)).collect();
    assert_eq!(gated, [("/closed/", Access::Paid), ("/hidden/", Access::Paid)]);
    let kept_apart = site.gated.values().map(|gated| &gated.page).chain(site.feeds.values());
    assert!(kept_apart.clone().all(|page| page.cache.header() == "private, no-cache"));
    let tags: BTreeSet<_> = kept_apart.chain(site.pages.values()).map(|page| &page.etag).collect();
    assert!(tags.len() >= site.gated.len() + 2 + site.pages.len(), "each body has a tag of its own");
}

#[test]
fn a_page_on_the_web_has_no_reader_in_it() {
    let outlets = outlets(&desk(Access::Paid), Viewer::Member);
    let slots =
        outlets.iter().filter(|(_, text)| text.contains(render::LEAVE_TOKEN_SLOT)).map(|(name, _)| name.as_str());
    let mails = ["html", "text"].map(|part| Cadence::ALL.map(|cadence| format!("{cadence} mail, {part}")));
    assert_eq!(slots.collect::<BTreeSet<_>>(), mails.as_flattened().iter().map(String::as_str).collect());
}

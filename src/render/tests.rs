//! One small publication, rendered for every outlet.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc, Weekday};

use crate::config::{Auth, Author, Billing, Dkim, Link, Mail, Publication, Relay, Sending, Settings, Site, Store, Web};
use crate::content::{Article, Body, BodyInMail, Catalog, Figure, Image, MailOptions, Page, read_article};
use crate::diagnostic::Diagnostic;
use crate::model::{
    Access, ArticleId, Cadence, DigestTime, Durability, EmailAddress, Newsletter, NewsletterId, OnUnknown, Rhythm,
    SendPolicy, Sender, Service, Viewer,
};
use crate::zone::Zone;

use super::*;

const BASE_URL: &str = "https://example.com";
const ISSUE: &str = "https://example.com/issues/0123/";
const SECRET: &str = "the sentence that only subscribers may read";
const RICH: &str = include_str!("tests/rich.md");

fn now() -> DateTime<Utc> {
    "2026-11-23T08:30:00Z".parse().unwrap()
}

fn body(markdown: &str) -> Body {
    let text = format!("---\ntitle: A title\n---\n{markdown}");
    read_article("content/2026/a.md", text.as_bytes(), &settings()).0.unwrap().body
}

fn article(slug: &str, title: &str, markdown: &str) -> Article {
    Article {
        path: format!("content/2026/{slug}.md"),
        id: Some(ArticleId::new(format!("id-of-{slug}"))),
        slug: slug.to_owned(),
        title: title.to_owned(),
        summary: Some(format!("What “{title}” says, in a sentence that is long enough to need a second line.")),
        date: Some(now() - Duration::days(1)),
        updated: None,
        draft: false,
        featured: false,
        authors: vec!["security".to_owned()],
        tags: vec!["Digital security".to_owned(), "Passwords".to_owned()],
        newsletters: vec![NewsletterId::new("main")],
        access: Access::Public,
        image: None,
        canonical: None,
        language: None,
        redirect_from: Vec::new(),
        mail: MailOptions::default(),
        extra: serde_json::Value::Null,
        body: body(markdown),
        hash: String::new(),
    }
}

fn rich() -> Article {
    let image = Figure {
        src: "content/2026/key.png".to_owned(),
        alt: "A key on a table".to_owned(),
        caption: Some("A key opens one door".to_owned()),
        credit: Some("Security desk".to_owned()),
    };
    Article { featured: true, image: Some(image), ..article("passkeys", "Passkeys, explained & compared", RICH) }
}

fn locked() -> Article {
    let markdown = format!("What anybody may read.[^1]\n\n<!-- more -->\n\n{SECRET}\n\n[^1]: {SECRET}\n");
    Article { access: Access::Subscribers, ..article("locked", "For subscribers", &markdown) }
}

/// Neither a summary nor a line that says where the public part ends.
fn without_preview() -> Article {
    Article { access: Access::Subscribers, summary: None, ..article("unseen", "For subscribers alone", SECRET) }
}

fn catalog() -> Catalog {
    let plain = |number: i64, title: &str| Article {
        date: Some(now() - Duration::days(400 * number)),
        ..article(
            &format!("story-{number}"),
            title,
            "A paragraph.\n\nAnother one, with a [link](content/2026/passkeys.md).\n",
        )
    };
    let unseen = |slug: &str| article(slug, "Not yet out", SECRET);
    let articles = vec![
        rich(),
        locked(),
        Article { access: Access::Paid, summary: None, ..article("members", "For members", SECRET) },
        plain(1, "How treaties enter into force"),
        plain(2, "What a certificate says"),
        Article { draft: true, ..unseen("draft") },
        Article { date: Some(now() + Duration::days(1)), ..unseen("scheduled") },
    ];
    let page = Page {
        path: "content/pages/about.md".to_owned(),
        slug: "about".to_owned(),
        title: "About".to_owned(),
        summary: Some("Who writes here.".to_owned()),
        language: None,
        body: body("Two desks write here. Read [about passkeys](content/2026/passkeys.md#why).\n"),
    };
    let image = |pixels, digit: &str| Image { bytes: 10_000, pixels: Some(pixels), hash: digit.repeat(64) };
    let images = BTreeMap::from([
        ("content/2026/key.png".to_owned(), image((1600, 900), "a")),
        ("content/images/steps.png".to_owned(), image((400, 300), "b")),
    ]);
    Catalog::assemble(articles, vec![page], images)
}

fn newsletter(id: &str, title: &str, cadences: Vec<Cadence>) -> Newsletter {
    Newsletter {
        id: NewsletterId::new(id),
        title: title.to_owned(),
        description: "Everything that we publish.".to_owned(),
        from: Sender { name: title.to_owned(), address: EmailAddress::parse("wire@example.com").unwrap() },
        reply_to: None,
        default_cadence: cadences[0],
        cadences,
        digest_time: DigestTime { hour: 7, weekday: Weekday::Sun, zone: Zone::parse("Europe/Berlin").unwrap() },
        topics: Vec::new(),
        access: Access::Public,
        send: SendPolicy::Auto,
    }
}

fn settings() -> Settings {
    let author = |id: &str, name: &str| Author {
        id: id.to_owned(),
        name: name.to_owned(),
        bio: Some("Explains what can be checked.".to_owned()),
        image: None,
        url: None,
    };
    Settings {
        publication: Publication {
            title: "Example Wire".to_owned(),
            url: None,
            description: "International affairs and digital security, explained.".to_owned(),
            language: "en".to_owned(),
            zone: Zone::parse("Europe/Berlin").unwrap(),
            address: Some("Example Wire, 1 Example Street, 10115 Berlin".to_owned()),
        },
        authors: vec![author("news", "News desk"), author("security", "Security desk")],
        newsletters: vec![
            newsletter("main", "The Wire", Cadence::ALL.to_vec()),
            newsletter("weekly", "Security Weekly", vec![Cadence::Weekly]),
        ],
        site: Site {
            links: vec![Link {
                title: "Mastodon".to_owned(),
                url: "https://social.example.com/@wire".parse().unwrap(),
            }],
        },
        mail: Mail {
            relays: vec![Relay::Outbox],
            bounces_to: None,
            lmtp: None,
            postmark_password: None,
            ses_topic: None,
            dkim: Dkim::default(),
        },
        sending: Sending {
            on_unknown: OnUnknown::default(),
            durability: Durability::default(),
            undo: Duration::minutes(5),
            max_lateness: Duration::hours(24),
            plan_drift: 0.01,
            retry_waits: Vec::new(),
            give_up_after: None,
        },
        store: Store::Sqlite("data/pressrun.db".to_owned()),
        web: Web::default(),
        auth: Auth::default(),
        billing: Billing::default(),
    }
}

/// Gives `look` the whole publication.
fn with_imprint<T>(catalog: &Catalog, look: impl FnOnce(&Imprint<'_>) -> T) -> T {
    let (theme, diagnostics) = Theme::load(&[]);
    assert_eq!(diagnostics, []);
    look(&Imprint::new(&theme, &settings(), catalog, BASE_URL))
}

fn occasion(newsletter: &Newsletter, cadence: Cadence, viewer: Viewer) -> Occasion<'_> {
    Occasion { newsletter, cadence, at: now(), more: 0, web_address: ISSUE, viewer }
}

fn instant_mail(article: &Article, viewer: Viewer) -> IssueMail {
    with_imprint(&catalog(), |imprint| {
        let newsletter = &imprint.settings.newsletters[0];
        instant(imprint, occasion(newsletter, Cadence::Instant, viewer), article).unwrap()
    })
}

fn digest_mail(viewer: Viewer) -> IssueMail {
    let catalog = catalog();
    with_imprint(&catalog, |imprint| {
        let articles: Vec<_> = catalog.published(now()).collect();
        let newsletter = &imprint.settings.newsletters[0];
        digest(imprint, occasion(newsletter, Cadence::Weekly, viewer), &articles).unwrap()
    })
}

fn all_pages() -> Vec<RenderedPage> {
    pages_for(|access| access == Access::Public)
}

fn pages_for(wanted: impl Fn(Access) -> bool) -> Vec<RenderedPage> {
    let mut pages = with_imprint(&catalog(), |imprint| pages(imprint, now()).unwrap());
    pages.retain(|page| wanted(page.access));
    pages
}

/// One page; the stylesheet's hash would change every snapshot with it.
fn page(address: &str) -> String {
    let (theme, _) = Theme::load(&[]);
    let page = all_pages().into_iter().find(|page| page.address == address).unwrap();
    page.body.replace(&theme.static_address("style.css"), "/static/style.HASH.css")
}

/// Every place where somebody without a subscription could read an article.
fn what_anybody_sees() -> Vec<(String, String)> {
    let mut seen: Vec<_> = all_pages().into_iter().map(|page| (page.address, page.body)).collect();
    let mut add = |name: &str, mail: IssueMail| {
        let parts = [("subject", mail.subject), ("intro", mail.preheader), ("html", mail.html), ("text", mail.text)];
        seen.extend(parts.map(|(part, text)| (format!("{name} {part}"), text)));
        seen.push((format!("{name} page"), mail.web_html));
    };
    add("instant mail", instant_mail(&locked(), Viewer::Anybody));
    add("instant mail without a preview", instant_mail(&without_preview(), Viewer::Anybody));
    add("digest", digest_mail(Viewer::Anybody));
    let without_preview = instant_mail(&without_preview(), Viewer::Subscriber);
    let for_readers = [instant_mail(&locked(), Viewer::Subscriber), without_preview, digest_mail(Viewer::Subscriber)];
    seen.extend(for_readers.map(|mail| ("the page of a subscriber's issue".to_owned(), mail.web_html)));
    seen
}

#[test]
fn nobody_reads_what_is_for_subscribers_only() {
    for (place, text) in what_anybody_sees() {
        assert!(!text.contains(SECRET), "{place} tells it");
    }
    let mail = instant_mail(&locked(), Viewer::Subscriber);
    assert!(mail.html.contains(SECRET) && mail.text.contains(SECRET));
    let pages = pages_for(|access| access == Access::Subscribers);
    assert!(pages.iter().any(|page| page.body.contains(SECRET)), "theirs is a page of its own");
}

#[test]
fn an_issue_has_a_slot_in_both_parts_and_none_on_the_web() {
    for mail in [instant_mail(&rich(), Viewer::Subscriber), digest_mail(Viewer::Subscriber)] {
        let link = format!("https://example.com/unsubscribe/{LEAVE_TOKEN_SLOT}");
        assert!(mail.html.contains(&link) && mail.text.contains(&link));
        assert!(!mail.web_html.contains(LEAVE_TOKEN_SLOT));
    }
    assert_eq!(LEAVE_TOKEN_SLOT.len(), 43);
}

#[test]
fn a_digest_of_five_stories_is_small() {
    let mail = digest_mail(Viewer::Subscriber);
    let counts = [">Read on</a>", ">For subscribers</span>", ">For members</span>"];
    assert_eq!(counts.map(|words| mail.html.matches(words).count()), [4, 1, 1], "nothing leads to a closed page");
    assert!(mail.html.len() <= 10 * 1024, "{} bytes", mail.html.len());
}

#[test]
fn pages_keep_to_their_budget() {
    let pages = all_pages();
    let largest = pages.iter().map(|page| page.body.len()).max().unwrap();
    assert!(largest <= 20 * 1024, "{largest} bytes");
    let (theme, _) = Theme::load(&[]);
    let style = theme.static_files().find(|file| file.content_type.starts_with("text/css")).unwrap();
    assert!(style.bytes.len() <= 8 * 1024, "{} bytes", style.bytes.len());
    let runs = |page: &RenderedPage| page.body.replace("<script type=\"application/ld+json\">", "").contains("<script");
    assert!(pages.iter().all(|page| !runs(page) && page.body.contains("example.com")));
}

#[test]
fn a_mail_that_would_be_clipped_is_cut_between_two_blocks() {
    let paragraph = "Words that go on and on, and then some more of them, so that it adds up.\n\n".repeat(2000);
    let mail = instant_mail(&article("long", "Long", &paragraph), Viewer::Subscriber);
    assert!(mail.is_cut && mail.html.len() <= LARGEST_MAIL && mail.html.len() > LARGEST_MAIL - 2048);
    assert!(mail.html.contains("adds up.</p>") && mail.html.contains(">Read on</a>"));
    assert!(!instant_mail(&rich(), Viewer::Subscriber).is_cut);
}

#[test]
fn what_is_not_published_is_nowhere() {
    let addresses: Vec<_> = all_pages().into_iter().map(|page| page.address).collect();
    insta::assert_snapshot!(addresses.join("\n"));
}

#[test]
fn a_link_leads_where_it_should() {
    let catalog = catalog();
    with_imprint(&catalog, |imprint| {
        let check = |is_absolute, link: &str, expected: Option<&str>| {
            let place = address::Place { imprint, address: "/passkeys/", is_absolute };
            assert_eq!(place.link(link).as_deref(), expected, "{link}");
        };
        check(false, "content/2026/story-1.md", Some("/story-1/"));
        check(false, "content/2026/story-1.md#why", Some("/story-1/#why"));
        check(true, "content/pages/about.md", Some("https://example.com/about/"));
        check(true, "#why", Some("https://example.com/passkeys/#why"));
        check(false, "#why", Some("#why"));
        check(true, "/archive/", Some("https://example.com/archive/"));
        check(false, "content/2026/key.png", Some("/media/aaaaaaaaaaaaaaaa/key.png"));
        check(false, "//elsewhere.example/x", Some("https://elsewhere.example/x"));
        check(false, "mailto:desk@example.com", Some("mailto:desk@example.com"));
        check(false, "javascript:alert(1)", None);
        check(false, "JAVASCRIPT:alert(1)", None);
        check(false, "data:text/html,x", None);
    });
}

#[test]
fn an_article_on_the_web() {
    insta::assert_snapshot!(page("/passkeys/"));
}

#[test]
fn a_picture_alone_in_its_paragraph_is_a_figure() {
    let catalog = catalog();
    let check = |markdown: &str, expected: Option<&str>| {
        let html = with_imprint(&catalog, |imprint| {
            let place = address::Place { imprint, address: "/a/", is_absolute: false };
            html::web(place, &body(markdown).events)
        });
        let caption = html.split("<figure>").nth(1).map(|figure| figure.split("decoding=\"async\">").nth(1).unwrap());
        assert_eq!(caption.map(str::trim_end), expected, "{html}");
        assert!(expected.is_none() || html.contains("alt=\"A key\""), "{html}");
    };
    check(
        "![A *key*](key.png \"On a table | News desk\")",
        Some("\n<figcaption><span>On a table</span> <span class=\"credit\">News desk</span></figcaption></figure>"),
    );
    check("![A key](key.png \"On a table\")", Some("\n<figcaption><span>On a table</span></figcaption></figure>"));
    check(
        "![A key](key.png \"| News desk\")",
        Some("\n<figcaption><span class=\"credit\">News desk</span></figcaption></figure>"),
    );
    check("![A key](key.png)\n\nText", Some("</figure>\n<p>Text</p>"));
    check("![A key](key.png) and words", None);
}

#[test]
fn the_home_page() {
    insta::assert_snapshot!(page("/"));
}

#[test]
fn a_preview_on_the_web() {
    let page = page("/locked/");
    let main = page.split("<main").nth(1).and_then(|rest| rest.split("<form").next()).unwrap();
    insta::assert_snapshot!(main);
}

/// What a page tells machines, as it is read from its element.
fn structured_data(page: &RenderedPage) -> serde_json::Value {
    let data = page.body.split("<script type=\"application/ld+json\">").nth(1).unwrap();
    serde_json::from_str(data.split("</script>").next().unwrap()).unwrap()
}

#[test]
fn an_article_says_what_it_is_and_whether_it_is_free() {
    let find =
        |pages: Vec<RenderedPage>, address: &str| pages.into_iter().find(|page| page.address == address).unwrap();
    let told = |address: &str| structured_data(&find(all_pages(), address));
    let free = told("/passkeys/");
    assert_eq!((&free["isAccessibleForFree"], &free["hasPart"]), (&true.into(), &serde_json::Value::Null));
    let texts = [&free, &told("/locked/")].map(|told| serde_json::to_string_pretty(told).unwrap());
    insta::assert_snapshot!(texts.join("\n"));
    for (address, access) in [("/locked/", Access::Subscribers), ("/members/", Access::Paid)] {
        let (preview, whole) = (find(all_pages(), address), find(pages_for(|other| other == access), address));
        assert_eq!(structured_data(&preview), structured_data(&whole), "the same whoever looks");
        assert!(preview.body.contains("class=\"box gated\"") && whole.body.contains("class=\"text gated\""));
    }
}

#[test]
fn a_headline_ends_no_script() {
    let title = "</script><script>alert(1)</script><!-- <script> & ";
    let hostile = Article { authors: Vec::new(), ..article("hostile", title, "Text.") };
    let catalog = Catalog::assemble(vec![hostile], Vec::new(), BTreeMap::new());
    let pages = with_imprint(&catalog, |imprint| pages(imprint, now()).unwrap());
    let page = pages.iter().find(|page| page.address == "/hostile/").unwrap();
    let told = structured_data(page);
    assert_eq!((page.body.matches("<script").count(), &told["headline"]), (1, &title.trim().into()));
    assert_eq!(told["author"], told["publisher"], "an article that nobody signed is the publication's");
}

#[test]
fn the_feed() {
    insta::assert_snapshot!(page("/feed.xml"));
}

#[test]
fn a_feed_of_a_readers_own_has_what_they_may_read_and_no_address() {
    let feeds = with_imprint(&catalog(), |imprint| own_feeds(imprint, now()).unwrap());
    let kinds: Vec<_> = feeds.iter().map(|(_, page)| page.body.matches(SECRET).count()).collect();
    assert_eq!(kinds, [0, 3, 2, 3], "anybody, a member, a subscriber, both");
    let public = page("/feed.xml")
        .replace("<link rel=\"self\" type=\"application/atom+xml\" href=\"https://example.com/feed.xml\"/>\n", "");
    let private = public.replacen("<id>https://example.com/</id>", "<id>https://example.com/feed/</id>", 1);
    assert!(public != private && private == feeds[0].1.body, "apart from that, one is as the other");
}

#[test]
fn the_sitemap_and_robots() {
    insta::assert_snapshot!(page("/sitemap.xml") + &page("/robots.txt"));
}

#[test]
fn an_instant_mail() {
    let mail = instant_mail(&rich(), Viewer::Subscriber);
    insta::assert_snapshot!("an_instant_mail_as_html", mail.html);
    insta::assert_snapshot!("an_instant_mail_as_text", mail.text);
}

#[test]
fn a_digest() {
    let mail = digest_mail(Viewer::Subscriber);
    insta::assert_snapshot!("a_digest_as_html", mail.html);
    insta::assert_snapshot!("a_digest_as_text", format!("Subject: {}\n\n{}", mail.subject, mail.text));
}

#[test]
fn a_confirmation() {
    let notice = with_imprint(&catalog(), |imprint| {
        let newsletter = &imprint.settings.newsletters[0];
        let line = ConfirmLine {
            title: newsletter.title.clone(),
            rhythm: rhythm(imprint.words, newsletter, Cadence::Daily, true),
        };
        let text = NoticeText::Confirm {
            subscriptions: vec![line],
            confirm_address: "https://example.com/confirm/TOKEN".to_owned(),
            requested: Moment::new(imprint, now()),
            hours: 72,
        };
        notice(imprint, &text, now()).unwrap()
    });
    insta::assert_snapshot!("a_confirmation_as_text", format!("Subject: {}\n\n{}", notice.subject, notice.text));
    assert!(notice.html.contains("href=\"https://example.com/confirm/TOKEN\""));
}

#[test]
fn a_mail_of_a_summary_has_a_button() {
    let mail = MailOptions {
        subject: Some("Read this\r\nBcc: all@example.com".to_owned()),
        preheader: Some("A line for the inbox".to_owned()),
        body: BodyInMail::Summary,
    };
    let mail = instant_mail(&Article { mail, ..rich() }, Viewer::Subscriber);
    assert_eq!(
        (mail.subject.as_str(), mail.preheader.as_str()),
        ("Read this Bcc: all@example.com", "A line for the inbox")
    );
    assert!(!mail.html.contains("A passkey is a pair") && mail.html.contains(">Read on</a>"));
}

#[test]
fn the_pages_on_which_readers_act() {
    let (theme, _) = Theme::load(&[]);
    let choice = NewsletterChoice {
        id: "main".to_owned(),
        title: "The Wire".to_owned(),
        description: "Everything we publish.".to_owned(),
        rhythm: "each article at once or daily at 07:00 (UTC)".to_owned(),
        is_chosen: true,
    };
    let second = NewsletterChoice { id: "weekly".to_owned(), is_chosen: false, ..choice.clone() };
    let daily = Offer::new("daily", "Daily", true);
    let (newsletters, cadences) = (vec![choice, second], vec![daily.clone(), daily]);
    let topics = vec![Offer { value: "Law".to_owned(), label: "Law".to_owned(), is_chosen: false }];
    let sign_up = SignUp { action: "/subscribe".to_owned(), newsletters, cadences, topics };
    let catalog = catalog();
    let settings = settings();
    let imprint = Imprint::new(&theme, &settings, &catalog, BASE_URL);
    let service = Service {
        rhythm: Rhythm::of(Cadence::Daily),
        returns_to_instant: true,
        topics: vec!["Passwords".to_owned()],
        paused_until: Some("2026-12-01T00:00:00Z".parse().unwrap()),
    };
    let (newsletter, now) = (settings.newsletters[0].clone(), "2026-11-23T08:00:00Z".parse().unwrap());
    let newsletter = Newsletter { topics: vec!["Passwords".to_owned(), "Law".to_owned()], ..newsletter };
    let form = ChoicesForm::new(&imprint, &newsletter, &service, &Zone::utc(), "/preferences/token", now);
    let pages = ReaderPage::samples(&sign_up, form).into_iter().map(|page| {
        let html = reader_page(&imprint, &page).unwrap();
        html.split("<main").nth(1).and_then(|rest| rest.split("</main>").next()).unwrap_or_default().to_owned()
    });
    insta::assert_snapshot!(pages.collect::<Vec<_>>().join("\n=====\n"));
}

#[track_caller]
fn check_template(name: &str, text: &str, expected: &str) {
    let (_, diagnostics) = Theme::load(&[(name.to_owned(), text.as_bytes().to_vec())]);
    let shown = diagnostics.iter().map(|Diagnostic { code, message, file, span, help }| {
        let (line, column) = span.as_ref().map_or((0, 0), |span| (span.line, span.column));
        format!("{}: {message} at {file}:{line}:{column}; {help}", code.name)
    });
    assert_eq!(shown.collect::<Vec<_>>().join("\n"), expected);
}

#[test]
fn a_broken_template_is_told_with_its_place() {
    check_template("site/page.html", "{{ title }}", "");
    check_template(
        "site/page.html",
        "<h1>\n{{ titel }}",
        "template/unknown-variable: variable `titel` is not defined at templates/site/page.html:2:4; did you mean `title`?",
    );
    check_template(
        "site/article.html",
        "{{ story.titel }}",
        "template/unknown-variable: field `titel` is not defined at templates/site/article.html:1:10; did you mean `title`?",
    );
    check_template(
        "site/page.html",
        "\n  {{ title | uper }}",
        "template/unknown-name: unknown filter `uper` at templates/site/page.html:2:14; \
         take the name from the built-in templates",
    );
    check_template(
        "site/page.html",
        "<h1>{{ t(key=\"leeve\") }}",
        "template/unknown-name: there are no words for `leeve` at templates/site/page.html:1:8; \
         take the name from the built-in templates",
    );
    check_template("words/fr.ftl", "leave = Se désabonner", "");
    check_template(
        "words/fr.ftl",
        "leave = Partir\nconfirm Oui\n",
        "template/syntax: Expected a token starting with \"=\" at templates/words/fr.ftl:2:9; \
         compare with the built-in `words/en.ftl`",
    );
    check_template(
        "words/french!.ftl",
        "",
        "template/syntax: `french!.ftl` is not named after a language, such as `fr.ftl` at \
         templates/words/french!.ftl:1:1; compare with the built-in `words/en.ftl`",
    );
    check_template(
        "site/artcile.html",
        "",
        "template/unused: no page is made from `site/artcile.html` at templates/site/artcile.html:0:0; \
         did you mean `site/article.html`?",
    );
    check_template(
        "site/page.html",
        "{% for a in range(end=99999) %}{% for b in range(end=99999) %}much too long{% endfor %}{% endfor %}",
        "template/too-large: the page is larger than 8 MiB at templates/site/page.html:0:0; \
         look for a loop that writes too much",
    );
}

#[test]
fn a_broken_template_leaves_the_built_in_one_in_its_place() {
    let broken = ("site/page.html".to_owned(), b"{% if %}".to_vec());
    let base = ("parts/more.html".to_owned(), b"{{ site.title }} at {{ site.url }}".to_vec());
    let uses = ("site/list.html".to_owned(), b"{% include \"parts/more.html\" %}".to_vec());
    let (theme, diagnostics) = Theme::load(&[uses, broken, base]);
    let codes: Vec<_> = diagnostics.iter().map(|diagnostic| diagnostic.code.name).collect();
    assert_eq!(codes, ["template/syntax"]);
    let catalog = catalog();
    let settings = settings();
    let pages = pages(&Imprint::new(&theme, &settings, &catalog, BASE_URL), now()).unwrap();
    let body = |address: &str| pages.iter().find(|page| page.address == address).unwrap().body.clone();
    assert!(body("/about/").contains("Two desks write here"));
    assert_eq!(body("/authors/news/"), "Example Wire at https://example.com");
}

#[test]
fn a_static_file_of_the_publication_has_an_address_of_its_own() {
    let (ours, _) = Theme::load(&[]);
    let (theirs, _) = Theme::load(&[("static/style.css".to_owned(), b"body{}".to_vec())]);
    assert_ne!(ours.static_address("style.css"), theirs.static_address("style.css"));
    assert!(theirs.static_address("style.css").starts_with("/static/style."));
}

#[test]
fn a_mail_written_from_the_right_is_mirrored() {
    let text = "- one\n\n> quoted\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n";
    let arabic = Article { language: Some("ar".to_owned()), ..article("arabic", "Arabic", text) };
    let html = instant_mail(&arabic, Viewer::Subscriber).html;
    assert!(html.contains("<td class=\"in sheet\" lang=\"ar\" dir=\"rtl\""), "{html}");
    for mirrored in ["<ul style=\"margin:0 0 16px;padding:0 24px 0 0\"", "border-right:3px solid", "<td align=\"left\""]
    {
        assert!(html.contains(mirrored), "{mirrored} in {html}");
    }
    let html = instant_mail(&article("english", "English", text), Viewer::Subscriber).html;
    assert!(!html.contains("padding:0 24px 0 0") && !html.contains("border-right"), "{html}");
}

#[test]
fn text_nested_however_deep_is_written() {
    let deep = format!("{}end\n\n{}- end\n", "> ".repeat(300), "  ".repeat(100));
    assert!(instant_mail(&article("deep", "Deep", &deep), Viewer::Subscriber).text.contains("end"));
}

#[test]
fn every_template_is_tried_with_something_of_everything() {
    let (theme, _) = Theme::load(&[]);
    let samples: Vec<_> = theme.samples(theme.english()).collect();
    let names: std::collections::BTreeSet<_> = samples.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 57, "{names:?}");
    let pages: String = samples.into_iter().map(|(_, page)| page.unwrap()).collect();
    for words in ["portrait", "figcaption", "Related", "All articles", "Updated", ">Read on</a>", "the rest", "Undo"] {
        assert!(pages.to_lowercase().contains(&words.to_lowercase()), "{words}");
    }
}

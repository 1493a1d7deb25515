//! What templates are given: the pieces that several of them share.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, FixedOffset, TimeZone as _, Utc};
use serde::Serialize;
use tera::Context;

use crate::config::{Author, Settings};
use crate::content::{Article, Figure};
use crate::model::{Access, Cadence, Newsletter, Portion, Viewer};
use crate::zone::Zone;

use super::address::{Place, article_address, author_address, page_address, tag_address};
use super::choices::Offer;
use super::notes::{end_of, plain};
use super::words::{Words, direction};
use super::{Imprint, shown};

/// The publication, as every page shows it.
#[derive(Debug, Clone, Serialize)]
pub struct SiteContext {
    /// The publication's name.
    pub title: String,
    /// One sentence about it.
    pub description: String,
    /// Scheme and host, without a final slash.
    pub url: String,
    /// BCP 47.
    pub language: String,
    /// `ltr` or `rtl`.
    pub direction: &'static str,
    /// Its accounts elsewhere.
    pub links: Vec<NamedAddress>,
    /// Its pages, such as "About".
    pub pages: Vec<NamedAddress>,
    /// Address of the stylesheet.
    pub stylesheet: String,
    /// Address of the icon.
    pub icon: String,
    /// Address of the script that fills in the reader's time zone.
    pub script: String,
    /// The sign-up form, empty.
    pub sign_up: SignUp,
    /// Where readers see their account, or sign in first: the same address for everybody.
    pub account: String,
    /// Where they sign in.
    pub sign_in: String,
    /// Where they buy; none: nothing is sold.
    pub plans: Option<String>,
}

/// A name that leads somewhere.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct NamedAddress {
    /// What is shown.
    pub title: String,
    /// Where it leads.
    pub address: String,
}

/// What a page tells about itself.
#[derive(Debug, Clone, Serialize, Default)]
pub struct PageMeta {
    /// For the title bar and search results.
    pub title: String,
    /// One or two sentences.
    pub description: String,
    /// Its one true address; empty: none, and search engines are asked to stay away.
    pub canonical: String,
    /// Open Graph: `website` or `article`.
    pub kind: &'static str,
    /// A picture for previews elsewhere.
    pub image: Option<Picture>,
}

/// The language of a text.
#[derive(Debug, Clone, Serialize)]
pub struct Tongue {
    /// BCP 47.
    pub language: String,
    /// `ltr` or `rtl`.
    pub direction: &'static str,
    /// Whether it is another than that of the page or mail.
    pub is_foreign: bool,
}

/// What a template of the site is given: what is on it, the publication, and the page (a feed is none).
pub(super) fn page_context(site: &impl Serialize, page: Option<PageMeta>, mut content: Context) -> Context {
    content.insert("site", site);
    if let Some(page) = page {
        content.insert("page", &page);
    }
    content
}

/// `content` as templates take it; nothing that is given to them can fail to be.
pub(super) fn context(content: &impl Serialize) -> Context {
    Context::from_serialize(content).unwrap_or_default()
}

/// A moment, as machines and as people write it.
#[derive(Debug, Clone, Serialize, Default, PartialEq, Eq)]
pub struct Moment {
    /// RFC 3339, such as `2026-11-23T08:00:00+01:00`.
    pub machine: String,
    /// Such as `23 November 2026`.
    pub day: String,
    /// Such as `23 November 2026, 08:00`.
    pub minute: String,
    /// Such as `2026`.
    pub year: String,
}

/// A picture with its words.
#[derive(Debug, Clone, Serialize, Default, PartialEq, Eq)]
pub struct Picture {
    /// Where it is.
    pub address: String,
    /// Pixels, where they are known.
    pub width: Option<usize>,
    /// Pixels, where they are known.
    pub height: Option<usize>,
    /// What it shows; empty: decoration.
    pub alt: String,
    /// What stands below it.
    pub caption: Option<String>,
    /// Who made it.
    pub credit: Option<String>,
}

/// An article, as lists, cards and its own page show it.
#[derive(Debug, Clone, Serialize)]
pub struct Story {
    /// The headline.
    pub title: String,
    /// One or two sentences, from front matter.
    pub summary: Option<String>,
    /// The summary, else how the public text begins.
    pub intro: String,
    /// Its page.
    pub address: String,
    /// The section: its first tag.
    pub label: Option<NamedAddress>,
    /// Who wrote it.
    pub authors: Vec<NamedAddress>,
    /// The names of who wrote it, such as `A, B and C`.
    pub byline: String,
    /// When it came out.
    pub date: Option<Moment>,
    /// The last change that readers should know of.
    pub updated: Option<Moment>,
    /// Minutes to read.
    pub minutes: usize,
    /// The picture that stands for it.
    pub image: Option<Picture>,
    /// `public`, `subscribers` or `paid`.
    pub access: &'static str,
    /// Whether its page shows some of the text to whom it is shown here.
    pub is_open: bool,
    /// Its tags.
    pub tags: Vec<NamedAddress>,
    /// What it is written in.
    #[serde(flatten)]
    pub tongue: Tongue,
}

/// Somebody who writes.
#[derive(Debug, Clone, Serialize)]
pub struct AuthorContext {
    /// The byline.
    pub name: String,
    /// A sentence or two.
    pub bio: Option<String>,
    /// Their own page elsewhere.
    pub url: Option<String>,
    /// A picture of them.
    pub image: Option<Picture>,
}

/// Where readers sign up.
pub(super) const SUBSCRIBE: &str = "/subscribe";

/// The sign-up form.
#[derive(Debug, Clone, Serialize)]
pub struct SignUp {
    /// Where the form goes: `/subscribe`, with scheme and host on pages that lie elsewhere.
    pub action: String,
    /// What can be chosen.
    pub newsletters: Vec<NewsletterChoice>,
    /// How often.
    pub cadences: Vec<Offer>,
    /// The tags that any of the newsletters offers.
    pub topics: Vec<Offer>,
}

/// A newsletter that can be chosen.
#[derive(Debug, Clone, Serialize)]
pub struct NewsletterChoice {
    /// The value that the form sends.
    pub id: String,
    /// Its name.
    pub title: String,
    /// One sentence.
    pub description: String,
    /// How often it comes, such as `each article at once, daily at 07:00 or Sundays at 07:00 (UTC)`.
    pub rhythm: String,
    /// Whether it is chosen.
    pub is_chosen: bool,
}

impl SiteContext {
    /// The publication that `imprint` describes.
    pub fn new(imprint: &Imprint<'_>) -> SiteContext {
        let publication = &imprint.settings.publication;
        let pages = imprint.catalog.pages.iter().map(|page| NamedAddress::new(&page.title, &page_address(page)));
        SiteContext {
            title: publication.title.clone(),
            description: publication.description.clone(),
            url: imprint.base_url.to_owned(),
            language: imprint.language(),
            direction: direction(&imprint.language()),
            links: NamedAddress::of_links(imprint.settings),
            pages: pages.collect(),
            stylesheet: imprint.theme.static_address("style.css"),
            icon: imprint.theme.static_address("icon.svg"),
            script: imprint.theme.static_address("zone.js"),
            sign_up: SignUp { action: format!("{}{SUBSCRIBE}", imprint.readers_url), ..SignUp::new(imprint) },
            account: format!("{}/account", imprint.readers_url),
            sign_in: format!("{}/sign-in", imprint.readers_url),
            plans: imprint.settings.sells().then(|| format!("{}/plans", imprint.readers_url)),
        }
    }
}

impl NamedAddress {
    /// A name and where it leads.
    pub fn new(title: &str, address: &str) -> NamedAddress {
        NamedAddress { title: title.to_owned(), address: address.to_owned() }
    }

    /// The publication's accounts elsewhere.
    pub(super) fn of_links(settings: &Settings) -> Vec<NamedAddress> {
        settings.site.links.iter().map(|link| NamedAddress::new(&link.title, link.url.as_str())).collect()
    }
}

impl Tongue {
    /// `own`, else the publication's.
    pub(super) fn new(imprint: &Imprint<'_>, own: Option<&str>) -> Tongue {
        let language = own.unwrap_or(&imprint.settings.publication.language).to_owned();
        Tongue { direction: direction(&language), is_foreign: language != imprint.language(), language }
    }
}

impl PageMeta {
    /// A page at `address` on the site.
    pub(super) fn new(site: &SiteContext, title: &str, description: &str, address: &str) -> PageMeta {
        PageMeta {
            title: title.to_owned(),
            description: description.to_owned(),
            canonical: if address.is_empty() { String::new() } else { format!("{}{address}", site.url) },
            kind: "website",
            image: None,
        }
    }
}

impl Moment {
    /// `instant` as the wall clock of the publication shows it.
    pub fn new(imprint: &Imprint<'_>, instant: DateTime<Utc>) -> Moment {
        Moment::at(imprint, instant, &imprint.settings.publication.zone)
    }

    /// `instant` as the wall clock of `zone` shows it.
    pub fn at(imprint: &Imprint<'_>, instant: DateTime<Utc>, zone: &Zone) -> Moment {
        let offset = FixedOffset::east_opt(zone.offset_seconds(instant));
        let local =
            offset.map_or_else(|| instant.fixed_offset(), |offset| offset.from_utc_datetime(&instant.naive_utc()));
        let values = [
            ("day", local.day().into()),
            ("month", local.month().into()),
            ("year", local.year().into()),
            ("time", local.format("%H:%M").to_string().into()),
        ];
        Moment {
            machine: local.to_rfc3339(),
            day: imprint.words.say("date", &values),
            minute: imprint.words.say("date-and-time", &values),
            year: local.year().to_string(),
        }
    }
}

impl Picture {
    /// Caption and credit from a title such as `A caption | A credit`.
    pub(super) fn titled(self, title: &str) -> Picture {
        let (caption, credit) = title.split_once('|').unwrap_or((title, ""));
        let words = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Picture { caption: words(caption), credit: words(credit), ..self }
    }

    /// Caption and credit in one line.
    pub(super) fn words(&self) -> String {
        let words: Vec<&str> = [&self.caption, &self.credit].into_iter().flatten().map(String::as_str).collect();
        words.join(" · ")
    }

    /// The same picture drawn at most `width` pixels wide.
    pub(super) fn fitted(&self, width: usize) -> Picture {
        let (Some(own_width), Some(own_height)) = (self.width, self.height) else { return self.clone() };
        let drawn = own_width.min(width);
        let height = own_height.saturating_mul(drawn).checked_div(own_width).unwrap_or(0);
        Picture { width: Some(drawn), height: Some(height), ..self.clone() }
    }

    /// ` width="…" height="…"`, where they are known.
    pub(super) fn size_attributes(&self) -> String {
        match (self.width, self.height) {
            (Some(width), Some(height)) => format!(" width=\"{width}\" height=\"{height}\""),
            _ => String::new(),
        }
    }
}

impl Story {
    /// `article` as lists and cards show it to `viewer`.
    pub(super) fn new(imprint: &Imprint<'_>, article: &Article, viewer: Viewer, is_absolute: bool) -> Story {
        let address = article_address(article);
        let place = Place { imprint, address: &address, is_absolute };
        let authors = authors(imprint, article, place);
        let tags: Vec<_> =
            article.tags.iter().map(|tag| NamedAddress::new(tag, &place.on_site(&tag_address(tag)))).collect();
        let names: Vec<&str> = authors.iter().map(|author| author.title.as_str()).collect();
        let summary = article.summary.as_deref().map(one_line);
        Story {
            title: one_line(&article.title),
            intro: summary.clone().unwrap_or_else(|| opening(article, viewer)),
            summary,
            address: place.on_site(&address),
            label: tags.first().cloned(),
            byline: listed(imprint.words, "list-and", &names),
            authors,
            date: article.date.map(|date| Moment::new(imprint, date)),
            updated: article.updated.map(|date| Moment::new(imprint, date)),
            minutes: article.body.minutes(),
            image: article.image.as_ref().and_then(|figure| figure_of(place, figure)),
            access: article.access.as_str(),
            is_open: is_open(article, viewer),
            tags,
            tongue: Tongue::new(imprint, article.language.as_deref()),
        }
    }
}

fn figure_of(place: Place<'_>, figure: &Figure) -> Option<Picture> {
    let picture = place.picture(&figure.src)?;
    let Figure { alt, caption, credit, .. } = figure.clone();
    Some(Picture { alt, caption, credit, ..picture })
}

fn authors(imprint: &Imprint<'_>, article: &Article, place: Place<'_>) -> Vec<NamedAddress> {
    let known = article.authors.iter().filter_map(|id| imprint.settings.author(id));
    known.map(|author| NamedAddress::new(&author.name, &place.on_site(&author_address(&author.id)))).collect()
}

fn is_open(article: &Article, viewer: Viewer) -> bool {
    let shown = shown(article, viewer);
    shown.portion == Portion::Whole || !shown.events.is_empty()
}

/// A picture for previews elsewhere, which need its whole address.
pub(super) fn preview_image(imprint: &Imprint<'_>, story: Option<&Story>) -> Option<Picture> {
    let picture = story?.image.clone()?;
    let is_ours = picture.address.starts_with('/');
    let address = if is_ours { imprint.absolute(&picture.address) } else { picture.address };
    Some(Picture { address, ..picture })
}

/// How the part of the text begins that `viewer` may read.
fn opening(article: &Article, viewer: Viewer) -> String {
    use pulldown_cmark::{Event, Tag};
    let events = shown(article, viewer).events;
    let paragraphs = events.iter().enumerate().filter(|(_, (event, _))| matches!(event, Event::Start(Tag::Paragraph)));
    let words =
        paragraphs.map(|(start, _)| plain(&events[start..end_of(events, start)])).find(|words| !words.is_empty());
    words.map_or(String::new(), |words| clipped(&words, 240))
}

/// At most `most` characters of `words`, broken between two of them.
pub(super) fn clipped(words: &str, most: usize) -> String {
    let Some((end, _)) = words.char_indices().nth(most) else { return words.to_owned() };
    let end = words[..end].rfind(char::is_whitespace).unwrap_or(end);
    format!("{}…", words[..end].trim_end_matches([' ', ',', ';', ':', '.']))
}

/// `text` in one line, without control characters: neither XML nor the header of a mail may hold them.
pub(super) fn one_line(text: &str) -> String {
    let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `A`, `A and B`, `A, B and C`; with `list-or`, `A, B or C`.
pub(super) fn listed(words: &Words, last_joint: &str, names: &[&str]) -> String {
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => {
            [&others.join(&words.say("list-comma", &[])), &words.say(last_joint, &[]), *last].concat()
        }
        _ => names.concat(),
    }
}

impl AuthorContext {
    pub(super) fn new(imprint: &Imprint<'_>, author: &Author) -> AuthorContext {
        let place = Place { imprint, address: "/", is_absolute: false };
        let picture = author.image.as_ref().and_then(|image| place.picture(&format!("content/{image}")));
        AuthorContext {
            name: author.name.clone(),
            bio: author.bio.clone(),
            url: author.url.as_ref().map(ToString::to_string),
            image: picture,
        }
    }
}

impl SignUp {
    /// The form as it is first shown: the first newsletter chosen, at its default cadence.
    pub fn new(imprint: &Imprint<'_>) -> SignUp {
        let open = || imprint.settings.newsletters.iter().filter(|newsletter| newsletter.access != Access::Paid);
        let default = open().next().map(|newsletter| newsletter.default_cadence);
        let is_offered = |cadence| open().any(|newsletter| newsletter.cadences.contains(&cadence));
        let topics: BTreeSet<&String> = open().flat_map(|newsletter| &newsletter.topics).collect();
        let choice =
            |(index, newsletter): (usize, &Newsletter)| NewsletterChoice::new(imprint.words, newsletter, index == 0);
        SignUp {
            action: SUBSCRIBE.to_owned(),
            newsletters: open().enumerate().map(choice).collect(),
            cadences: Offer::cadences(imprint.words, is_offered, default),
            topics: topics.into_iter().map(|topic| Offer::new(topic, topic, false)).collect(),
        }
    }
}

impl NewsletterChoice {
    fn new(words: &Words, newsletter: &Newsletter, is_chosen: bool) -> NewsletterChoice {
        let rhythms: Vec<String> =
            newsletter.cadences.iter().map(|cadence| rhythm(words, newsletter, *cadence, false)).collect();
        let zone = newsletter.digest_time.zone.name();
        let has_hour = newsletter.cadences.iter().any(|cadence| *cadence != Cadence::Instant);
        let zone = if has_hour { format!(" ({zone})") } else { String::new() };
        let rhythms = listed(words, "list-or", &rhythms.iter().map(String::as_str).collect::<Vec<_>>());
        NewsletterChoice {
            id: newsletter.id.as_str().to_owned(),
            title: newsletter.title.clone(),
            description: newsletter.description.clone(),
            rhythm: rhythms + &zone,
            is_chosen,
        }
    }
}

/// How often a mail comes, such as `daily at 07:00 (UTC)`.
pub fn rhythm(words: &Words, newsletter: &Newsletter, cadence: Cadence, with_zone: bool) -> String {
    let time = &newsletter.digest_time;
    let zone = if with_zone { format!(" ({})", time.zone.name()) } else { String::new() };
    let hour = format!("{:02}:00", time.hour);
    match cadence {
        Cadence::Instant => words.say("rhythm-instant", &[]),
        Cadence::Daily => words.say("rhythm-daily", &[("hour", hour.into())]) + &zone,
        Cadence::Weekly => {
            let weekday = time.weekday.number_from_monday();
            words.say("rhythm-weekly", &[("weekday", weekday.into()), ("hour", hour.into())]) + &zone
        }
    }
}

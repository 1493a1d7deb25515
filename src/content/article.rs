//! One Markdown file: an article, or a page.

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use url::Url;

use crate::config::{Settings, is_language_tag};
use crate::diagnostic::{Diagnostic, Span, Wrong, codes};
use crate::model::{Access, ArticleId, NewsletterId};

use super::front_matter::{self, Fields, shortened};
use super::markdown::{self, Body};
use super::problems::Problems;
use super::slug::{OUR_ADDRESSES, is_slug, slugify};
use super::target;

/// One article: what its front matter says, with defaults filled in, and its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Article {
    /// The file, relative to the publication's folder, such as `content/2026/an-article.md`.
    pub path: String,
    /// The permanent id; needed to mail.
    pub id: Option<ArticleId>,
    /// The last part of its address: from front matter, else the file's stem.
    pub slug: String,
    /// The headline.
    pub title: String,
    /// One or two sentences in plain text.
    pub summary: Option<String>,
    /// The moment of publication; none: not published.
    pub date: Option<DateTime<Utc>>,
    /// The last change that readers should know of.
    pub updated: Option<DateTime<Utc>>,
    /// Not published, whatever the date says.
    pub draft: bool,
    /// A candidate for the lead.
    pub featured: bool,
    /// Ids of authors in publish.toml.
    pub authors: Vec<String>,
    /// Tags as written.
    pub tags: Vec<String>,
    /// The newsletters that carry it; none: web only.
    pub newsletters: Vec<NewsletterId>,
    /// Who may read it.
    pub access: Access,
    /// The picture that stands for it.
    pub image: Option<Figure>,
    /// Its first home, if it was published elsewhere before.
    pub canonical: Option<String>,
    /// BCP 47; none: the publication's.
    pub language: Option<String>,
    /// Old addresses on this site that lead here, each beginning with `/`.
    pub redirect_from: Vec<String>,
    /// How it looks as mail.
    pub mail: MailOptions,
    /// Whatever the publication's own templates want.
    pub extra: Value,
    /// The text.
    pub body: Body,
    /// SHA-256 of the file in hex: what a plan's id is made of.
    pub hash: String,
}

/// A picture with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The file relative to the publication's folder (`content/…`), or an https address.
    pub src: String,
    /// What it shows, for who cannot see it; empty: decoration.
    pub alt: String,
    /// What stands below it.
    pub caption: Option<String>,
    /// Who made it.
    pub credit: Option<String>,
}

/// The `mail` of front matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MailOptions {
    /// The subject, if not the title.
    pub subject: Option<String>,
    /// The line after the subject in an inbox, if not the summary.
    pub preheader: Option<String>,
    /// How much of the article an instant mail holds.
    pub body: BodyInMail,
}

/// How much of the article an instant mail holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyInMail {
    /// The text.
    #[default]
    Full,
    /// The summary and a button.
    Summary,
}

/// A page such as "About": at `/SLUG/`, without a date, in no list, feed or mail.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The file, relative to the publication's folder.
    pub path: String,
    /// The last part of its address.
    pub slug: String,
    /// The headline.
    pub title: String,
    /// One or two sentences in plain text.
    pub summary: Option<String>,
    /// BCP 47; none: the publication's.
    pub language: Option<String>,
    /// The text.
    pub body: Body,
}

impl Article {
    /// Whether it is out at `now`.
    pub fn is_published(&self, now: DateTime<Utc>) -> bool {
        !self.draft && self.date.is_some_and(|date| date <= now)
    }

    /// Whether it will come out by itself after `now`.
    pub fn is_scheduled(&self, now: DateTime<Utc>) -> bool {
        !self.draft && self.date.is_some_and(|date| date > now)
    }
}

/// No file of words is longer, in bytes: the worst text of this size still takes less than 256 MB to parse.
pub const LARGEST_FILE: usize = 2 * 1024 * 1024;

const ARTICLE_KEYS: [&str; 18] = [
    "id", "title", "summary", "date", "updated", "slug", "authors", "tags", "newsletters", "access", "draft",
    "featured", "image", "canonical", "language", "redirect-from", "mail", "extra",
];
const PAGE_KEYS: [&str; 4] = ["title", "summary", "slug", "language"];

/// Reads an article; one whose front matter cannot be read is none.
///
/// An article with mistakes comes out too, without what was mistaken, so that other files can be checked against it:
/// whoever publishes looks for errors first.
pub fn read_article(path: &str, bytes: &[u8], settings: &Settings) -> (Option<Article>, Vec<Diagnostic>) {
    read(path, bytes, |fields, body| article(path, bytes, fields, body, settings))
}

/// Reads a page; one whose front matter cannot be read is none.
pub fn read_page(path: &str, bytes: &[u8], _settings: &Settings) -> (Option<Page>, Vec<Diagnostic>) {
    read(path, bytes, |fields, body| {
        fields.only(&[], &PAGE_KEYS, "a page");
        let (title, slug) = title_and_slug(path, fields);
        let (summary, language) = (fields.paragraph(&["summary"]), fields.parsed(&["language"], language));
        Page { path: path.to_owned(), slug, title, summary, language, body }
    })
}

fn read<T>(
    path: &str,
    bytes: &[u8],
    make: impl FnOnce(&mut Fields<'_, '_>, Body) -> T,
) -> (Option<T>, Vec<Diagnostic>) {
    let text = match text_of(path, bytes) {
        Ok(text) => text,
        Err(diagnostic) => return (None, vec![*diagnostic]),
    };
    let (mut problems, mut of_body) = (Problems::new(path, text), Problems::new(path, text));
    let made = match front_matter::find(text) {
        Ok(halves) => {
            let body = markdown::read(path, text, halves.body, &mut of_body);
            Fields::read(text, &halves.yaml, &mut problems).map(|mut fields| make(&mut fields, body))
        }
        Err(wrong) => {
            problems.at(0..text.lines().next().map_or(0, str::len), wrong);
            None
        }
    };
    (made, [problems.into_list(), of_body.into_list()].concat())
}

fn text_of<'a>(path: &str, bytes: &'a [u8]) -> Result<&'a str, Box<Diagnostic>> {
    if bytes.len() > LARGEST_FILE {
        return Err(Box::new(too_large(path, bytes.len() as u64)));
    }
    str::from_utf8(bytes).map_err(|error| {
        let (good, bad) = bytes.split_at(error.valid_up_to());
        let good = String::from_utf8_lossy(good);
        let span = Span::new(&good, good.len()..good.len());
        let message = format!("the byte {:#04x} is not UTF-8", bad.first().copied().unwrap_or_default());
        Box::new(Wrong::new(&codes::FILE_NOT_UTF8, message, "save the file as UTF-8").of(path, Some(span)))
    })
}

/// The diagnostic for a file that is longer than [`LARGEST_FILE`].
pub fn too_large(path: &str, bytes: u64) -> Diagnostic {
    let (megabytes, most) = (bytes.div_ceil(1024 * 1024), LARGEST_FILE / (1024 * 1024));
    let message = format!("the file has {megabytes} MB; {most} MB are the most");
    let help = "an article is text: keep pictures and data in files of their own, and link to them";
    Wrong::new(&codes::FILE_TOO_LARGE, message, help).of(path, None)
}

fn article(path: &str, bytes: &[u8], fields: &mut Fields<'_, '_>, body: Body, settings: &Settings) -> Article {
    let zone = &settings.publication.zone;
    fields.only(&[], &ARTICLE_KEYS, "an article");
    let (title, slug) = title_and_slug(path, fields);
    Article {
        path: path.to_owned(),
        id: fields.line(&["id"]).map(ArticleId::new),
        slug,
        title,
        summary: fields.paragraph(&["summary"]),
        date: fields.moment("date", zone),
        updated: fields.moment("updated", zone),
        draft: fields.flag("draft"),
        featured: fields.flag("featured"),
        authors: fields.list("authors", |id| Ok(id.to_owned())),
        tags: fields.list("tags", tag),
        newsletters: fields.list("newsletters", |id| Ok(NewsletterId::new(id))),
        access: access(fields),
        image: image(path, fields),
        canonical: fields.parsed(&["canonical"], web_address),
        language: fields.parsed(&["language"], language),
        redirect_from: fields.list("redirect-from", address_on_this_site),
        mail: mail(fields),
        extra: extra(fields),
        body,
        hash: fingerprint(bytes),
    }
}

/// SHA-256 in hex.
pub fn fingerprint(bytes: &[u8]) -> String {
    digest::digest(&digest::SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn title_and_slug(path: &str, fields: &mut Fields<'_, '_>) -> (String, String) {
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".md");
    let wrong = Wrong::new(&codes::ARTICLE_TITLE, "`title` is missing", "write a line `title: A headline`");
    let title = match fields.value(&["title"]) {
        Some(Value::Null) => {
            fields.wrong(&["title"], wrong);
            None
        }
        None if !fields.has_slip_of("title") => {
            fields.problems.at(0..3, wrong);
            None
        }
        _ => fields.line(&["title"]),
    };
    (title.unwrap_or_else(|| stem.to_owned()), slug(stem, fields))
}

fn slug(stem: &str, fields: &mut Fields<'_, '_>) -> String {
    let written = fields.line(&["slug"]);
    let slug = written.clone().unwrap_or_else(|| slugify(stem));
    let wrong = match written {
        _ if OUR_ADDRESSES.contains(&slug.as_str()) => {
            Some((&codes::ARTICLE_SLUG_RESERVED, format!("`/{slug}/` is an address of the program's own")))
        }
        _ if is_slug(&slug) => None,
        Some(_) => Some((&codes::ARTICLE_SLUG, format!("`{}` cannot be an address", shortened(&slug)))),
        None => Some((&codes::ARTICLE_SLUG, "the file's name cannot be an address".to_owned())),
    };
    if let Some((code, message)) = wrong {
        let help = "write `slug:` and small letters a to z, digits and single hyphens, such as `slug: a-first-article`";
        fields.wrong(&["slug"], Wrong::new(code, message, help));
    }
    if is_slug(&slug) { slug } else { slugify(&slug) }
}

/// An article whose `access` cannot be read is kept from the public.
fn access(fields: &mut Fields<'_, '_>) -> Access {
    match fields.choice(&["access"], &Access::WORDS) {
        Some(access) => access,
        None if fields.value(&["access"]).is_some() => Access::Subscribers,
        None => Access::Public,
    }
}

fn image(path: &str, fields: &mut Fields<'_, '_>) -> Option<Figure> {
    let is_mapping = fields.value(&["image"])?.is_object();
    let place: &[&str] = if is_mapping { &["image", "src"] } else { &["image"] };
    if is_mapping {
        fields.only(&["image"], &["src", "alt", "caption", "credit"], "`image`");
    }
    if fields.value(place).is_none() {
        fields.unfit(&["image"], "`image` has no `src`", "write `src:` and the picture's file");
    }
    let alt = alt(fields, place);
    let mut words = |key| is_mapping.then(|| fields.paragraph(&["image", key])).flatten();
    let (caption, credit) = (words("caption"), words("credit"));
    let src = fields.parsed(place, |written| target::picture(path, written))?;
    Some(Figure { src, alt, caption, credit })
}

/// An empty `alt` says on purpose that the picture is decoration; a missing one says nothing.
fn alt(fields: &mut Fields<'_, '_>, picture: &[&str]) -> String {
    let path = ["image", "alt"];
    match fields.value(&path) {
        Some(alt) if alt == "" => return String::new(),
        Some(_) => {}
        None => {
            let message = "the picture has no words for who cannot see it";
            let help = "write `image: {src: picture.jpg, alt: \"What it shows\"}`, or `alt: \"\"` for mere decoration";
            fields.wrong(picture, Wrong::new(&codes::IMAGE_ALT, message, help));
        }
    }
    fields.paragraph(&path).unwrap_or_default()
}

fn unfit(message: impl Into<String>, help: &str) -> Wrong {
    Wrong::new(&codes::FRONT_MATTER_VALUE, message, help)
}

fn tag(text: &str) -> Result<String, Wrong> {
    let wrong =
        || unfit(format!("the tag `{}` has no letter", shortened(text)), "a tag's address needs letters or digits");
    if slugify(text).is_empty() { Err(wrong()) } else { Ok(text.to_owned()) }
}

fn web_address(text: &str) -> Result<String, Wrong> {
    let is_web = Url::parse(text).is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    let wrong = || unfit("`canonical` is not an address on the web", "write it whole: `https://example.com/a-page/`");
    if is_web { Ok(text.to_owned()) } else { Err(wrong()) }
}

fn language(tag: &str) -> Result<String, Wrong> {
    let message = || format!("`{}` is not a language tag", shortened(tag));
    if is_language_tag(tag) {
        Ok(tag.to_owned())
    } else {
        Err(unfit(message(), "write a tag such as `en`, `de` or `pt-BR`"))
    }
}

fn address_on_this_site(text: &str) -> Result<String, Wrong> {
    let holds_more_than_a_path = text.contains(['?', '#', '\\', ' ']) || text.contains("//") || text.contains("..");
    if text.starts_with('/') && text.len() > 1 && !holds_more_than_a_path {
        return Ok(text.to_owned());
    }
    let message = format!("`{}` is not an address on this site", shortened(text));
    Err(unfit(message, "write the path alone, beginning with `/`: `/old/address/`"))
}

fn mail(fields: &mut Fields<'_, '_>) -> MailOptions {
    let Some(value) = fields.value(&["mail"]) else { return MailOptions::default() };
    if !value.is_object() {
        let help = "write `mail: {subject: …, preheader: …, body: full}` with the keys you need";
        fields.unfit(&["mail"], "`mail` is not a mapping", help);
        return MailOptions::default();
    }
    fields.only(&["mail"], &["subject", "preheader", "body"], "`mail`");
    let bodies = [("full", BodyInMail::Full), ("summary", BodyInMail::Summary)];
    MailOptions {
        subject: fields.line(&["mail", "subject"]),
        preheader: fields.paragraph(&["mail", "preheader"]),
        body: fields.choice(&["mail", "body"], &bodies).unwrap_or_default(),
    }
}

fn extra(fields: &mut Fields<'_, '_>) -> Value {
    match fields.value(&["extra"]) {
        Some(Value::Object(map)) => return Value::Object(map.clone()),
        Some(_) => fields.unfit(&["extra"], "`extra` is not a mapping", "write keys of your own below it, indented"),
        None => {}
    }
    Value::Object(Map::new())
}

//! A small publication with something of everything, by which `check` tries the templates.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use tera::Context;

use crate::config::{self, Settings, Source};
use crate::content::{self, Article, Catalog, Image, Page};
use crate::model::{Cadence, Newsletter, Rhythm, Service};
use crate::zone::Zone;

use super::{ChoicesForm, Imprint, Theme, Words, mail, notice_mail, pages, site};

const SETTINGS: &str = include_str!("sample.toml");
const ARTICLE: &str = include_str!("sample.md");
const PAGE: &str = "---\ntitle: About\nsummary: Us.\n---\nText.\n";

/// The publication, and what its mails are made from.
pub(super) struct Sample<'a> {
    pub imprint: Imprint<'a>,
    pub article: &'a Article,
    pub newsletter: &'a Newsletter,
    pub at: DateTime<Utc>,
}

impl Sample<'_> {
    /// The form of somebody who reads a digest, pauses, and wants each article at once afterwards.
    pub fn choices(&self) -> ChoicesForm {
        let service = Service {
            rhythm: Rhythm::of(Cadence::Daily),
            returns_to_instant: true,
            topics: self.newsletter.topics.clone(),
            paused_until: Some(self.at + Duration::days(7)),
        };
        ChoicesForm::new(&self.imprint, self.newsletter, &service, &Zone::utc(), "/preferences/token", self.at)
    }
}

/// Each template with what it is given, in one language.
pub(super) fn samples(theme: &Theme, words: &Arc<Words>) -> Vec<(String, Context)> {
    let (settings, _) = config::read(&Source { text: SETTINGS.to_owned(), ..Source::default() });
    let catalog = catalog(&settings);
    let (Some(article), Some(newsletter)) = (catalog.articles.first(), settings.newsletters.first()) else {
        return Vec::new();
    };
    let imprint = Imprint::new(theme, &settings, &catalog, "https://example.com").speaking(words);
    let sample = Sample { imprint, article, newsletter, at: article.date.unwrap_or_default() };
    [site::samples, pages::samples, mail::samples, notice_mail::samples].map(|of| of(&sample)).concat()
}

/// Two articles of the same words, so that one is related to the other.
fn catalog(settings: &Settings) -> Catalog {
    let read = |path| content::read_article(path, ARTICLE.as_bytes(), settings).0;
    let articles = ["content/one.md", "content/other.md"].into_iter().filter_map(read).collect();
    let page: Option<Page> = content::read_page("content/pages/about.md", PAGE.as_bytes(), settings).0;
    let map = Image { bytes: 10_000, pixels: Some((1600, 900)), hash: "0123456789abcdef".to_owned() };
    let images = BTreeMap::from([("content/map.png".to_owned(), map)]);
    Catalog::assemble(articles, page.into_iter().collect(), images)
}

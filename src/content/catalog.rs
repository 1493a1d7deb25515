//! All articles, pages and pictures together.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use crate::model::ArticleId;

use super::article::{Article, Page};

/// The words of a publication at one moment of its folder.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalog {
    /// Newest first (no date last), then by path.
    pub articles: Vec<Article>,
    /// By slug.
    pub pages: Vec<Page>,
    /// Pictures under `content/`, by path relative to the publication's folder.
    pub images: BTreeMap<String, Image>,
    /// Where in `articles` each stands, by path.
    by_path: HashMap<String, usize>,
}

/// What is known of a picture without decoding it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Size of the file.
    pub bytes: u64,
    /// Width and height in pixels; none: not a picture whose header we can read.
    pub pixels: Option<(usize, usize)>,
    /// SHA-256 of the file in hex, for addresses that may be cached for ever.
    pub hash: String,
}

impl Catalog {
    /// What is out at `now`, newest first.
    pub fn published(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Article> {
        self.articles.iter().filter(move |article| article.is_published(now))
    }

    /// When the next scheduled article comes out.
    pub fn next_publication(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.articles.iter().filter(|article| article.is_scheduled(now)).filter_map(|article| article.date).min()
    }

    /// Finds an article by its permanent id.
    pub fn article(&self, id: &ArticleId) -> Option<&Article> {
        self.articles.iter().find(|article| article.id.as_ref() == Some(id))
    }

    /// Finds an article by the path of its file.
    pub fn at_path(&self, path: &str) -> Option<&Article> {
        self.articles.get(*self.by_path.get(path)?)
    }

    /// Finds an article as an editor names it: by path or by slug.
    pub fn named(&self, name: &str) -> Option<&Article> {
        let path = name.trim_start_matches("./");
        self.articles.iter().find(|article| article.path == path || article.slug == name)
    }

    /// Puts articles, pages and pictures together, in their order.
    pub fn assemble(mut articles: Vec<Article>, mut pages: Vec<Page>, images: BTreeMap<String, Image>) -> Catalog {
        articles.sort_by(|one, other| other.date.cmp(&one.date).then_with(|| one.path.cmp(&other.path)));
        pages.sort_by(|one, other| one.slug.cmp(&other.slug));
        let by_path = articles.iter().enumerate().map(|(at, article)| (article.path.clone(), at)).collect();
        Catalog { articles, pages, images, by_path }
    }
}

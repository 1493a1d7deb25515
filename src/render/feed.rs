//! The feed: the latest articles, as far as somebody may read them (Atom, RFC 4287).

use serde::Serialize;
use tera::{Context, context};

use crate::content::Article;
use crate::model::Reading;

use super::address::{Place, article_address, in_query};
use super::context::{Moment, Story};
use super::{Imprint, html, shown};

/// Entries of a feed.
const IN_FEED: usize = 30;

#[derive(Serialize)]
struct Entry {
    id: String,
    story: Story,
    content: String,
}

/// What `site/feed.xml` is given for the feed that everybody knows.
pub(super) fn public<'a>(imprint: &Imprint<'_>, articles: impl Iterator<Item = &'a Article>) -> Context {
    feed(("/", imprint.absolute("/feed.xml")), &Reading::ANYBODY, imprint, articles)
}

/// The same for what the feed of a reader's own has in it for all who read alike. It says another id than the public
/// one, so that no program takes the two for the same; and no address, because each reader's is a secret.
pub(super) fn private<'a>(
    imprint: &Imprint<'_>,
    articles: impl Iterator<Item = &'a Article>,
    reading: &Reading,
) -> Context {
    feed(("/feed/", String::new()), reading, imprint, articles)
}

fn feed<'a>(
    (id, own): (&str, String),
    reading: &Reading,
    imprint: &Imprint<'_>,
    articles: impl Iterator<Item = &'a Article>,
) -> Context {
    let articles: Vec<&Article> = articles.take(IN_FEED).collect();
    let changed = articles.iter().filter_map(|article| article.updated.max(article.date)).max();
    let entry = |article: &&Article| {
        let address = article_address(article);
        let id = article.id.as_ref().map_or(address.clone(), |id| format!("/#{}", in_query(id.as_str())));
        let viewer = reading.viewer_of(&article.newsletters);
        let place = Place { imprint, address: &address, is_absolute: true };
        Entry {
            id: imprint.absolute(&id),
            content: html::web(place, shown(article, viewer).events),
            story: Story::new(imprint, article, viewer, true),
        }
    };
    let (id, updated) = (imprint.absolute(id), Moment::new(imprint, changed.unwrap_or_default()));
    let entries: Vec<Entry> = articles.iter().map(entry).collect();
    context! { id, own, updated, entries }
}

//! The feed: the latest articles, as far as somebody may read them (Atom, RFC 4287).

use serde::Serialize;

use crate::content::Article;
use crate::model::Reading;

use super::address::{Place, article_address, in_query};
use super::context::{Moment, Story};
use super::{Imprint, html, shown};

/// Entries of a feed.
const IN_FEED: usize = 30;

/// What `site/feed.xml` is given.
#[derive(Serialize)]
pub(super) struct Feed {
    /// What it is called, wherever it lies.
    id: String,
    /// Where it lies, if everybody may know; empty: nowhere else than where it was found.
    own: String,
    /// When the latest of its articles changed.
    updated: Moment,
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    id: String,
    story: Story,
    content: String,
}

impl Feed {
    /// The feed that everybody knows.
    pub fn public(imprint: &Imprint<'_>, articles: &[&Article]) -> Feed {
        Feed { own: imprint.absolute("/feed.xml"), ..Feed::of("/", &Reading::ANYBODY, imprint, articles) }
    }

    /// What the feed of a reader's own has in it for all who read alike. It says another id than the public one, so that
    /// no program takes the two for the same; and no address, because each reader's is a secret.
    pub fn private(imprint: &Imprint<'_>, articles: &[&Article], reading: &Reading) -> Feed {
        Feed::of("/feed/", reading, imprint, articles)
    }

    fn of(id: &str, reading: &Reading, imprint: &Imprint<'_>, articles: &[&Article]) -> Feed {
        let articles = &articles[..articles.len().min(IN_FEED)];
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
        Feed {
            id: imprint.absolute(id),
            own: String::new(),
            updated: Moment::new(imprint, changed.unwrap_or_default()),
            entries: articles.iter().map(entry).collect(),
        }
    }
}

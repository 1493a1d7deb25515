//! The pages of the site, in memory, ready to be sent: tagged when they are made, compressed when first asked for.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use flate2::write::GzEncoder;

use crate::content::{Article, Catalog, fingerprint};
use crate::model::{Access, NewsletterId, Reading};
use crate::render::{self, Imprint, RenderError, RenderedPage};

/// Everything that is answered without asking the database, by address.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// By path, such as `/`, `/an-article/`, `/feed.xml`.
    pub pages: BTreeMap<String, Arc<SitePage>>,
    /// What stands at the same path for those who may read it; `build` never writes it.
    pub gated: BTreeMap<String, GatedPage>,
    /// A reader's own feed, for all that can be read; `build` never writes it.
    pub feeds: BTreeMap<Reading, Arc<SitePage>>,
    /// From an old path to the present one.
    pub redirects: BTreeMap<String, String>,
}

/// A whole article that is not for everybody.
#[derive(Debug, Clone)]
pub struct GatedPage {
    /// Whom it is for.
    pub access: Access,
    /// What it is published in.
    pub newsletters: Vec<NewsletterId>,
    /// All of it.
    pub page: Arc<SitePage>,
}

/// One answer.
#[derive(Debug)]
pub struct SitePage {
    /// For the header of that name, charset included.
    pub content_type: &'static str,
    /// As it is.
    pub body: Arc<[u8]>,
    /// Strong and quoted (RFC 9110, 8.8.3): changes with every byte of `body`.
    pub etag: String,
    /// The same compressed, where that is worth it; `check` and `build` never ask.
    pub gzip: LazyLock<Option<Gzip>, Compression>,
    /// How long a browser may keep it.
    pub cache: CachePolicy,
}

/// The work that is put off.
pub type Compression = Box<dyn FnOnce() -> Option<Gzip> + Send>;

/// A body compressed with gzip (RFC 1952), and its own tag: two encodings are two representations.
#[derive(Debug, Clone)]
pub struct Gzip {
    /// The compressed bytes.
    pub body: Arc<[u8]>,
    /// Strong and quoted.
    pub etag: String,
}

/// How long a browser may keep an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CachePolicy {
    /// It asks each time whether there is a newer one.
    Revalidate,
    /// The same, and nothing between it and us may keep it at all.
    Private,
    /// For ever: the address has the hash of what it leads to in it.
    Immutable,
}

impl CachePolicy {
    /// The value of the Cache-Control header (RFC 9111, 5.2.2 and RFC 8246).
    pub fn header(self) -> &'static str {
        match self {
            CachePolicy::Revalidate => "no-cache",
            CachePolicy::Private => "private, no-cache",
            CachePolicy::Immutable => "public, max-age=31536000, immutable",
        }
    }
}

/// Below this many bytes gzip's own bytes and the work are not worth it.
const WORTH_COMPRESSING: usize = 1024;

impl SitePage {
    /// Tags a body; it is compressed, once, where that makes it smaller.
    pub fn new(content_type: &'static str, body: Vec<u8>, cache: CachePolicy) -> SitePage {
        let tag = fingerprint(&body)[..32].to_owned();
        let etag = format!("\"{tag}\"");
        let body: Arc<[u8]> = body.into();
        let plain = Arc::clone(&body);
        let is_worth_it = body.len() > WORTH_COMPRESSING && is_text(content_type);
        let gzip = LazyLock::new(Box::new(move || {
            let smaller = is_worth_it.then(|| compress(&plain)).flatten().filter(|smaller| smaller.len() < plain.len());
            smaller.map(|smaller| Gzip { body: smaller.into(), etag: format!("\"{tag}-gzip\"") })
        }) as Compression);
        SitePage { content_type, body, etag, gzip, cache }
    }
}

/// Prints every page as it is at `now`.
pub(super) fn compose(imprint: &Imprint<'_>, now: DateTime<Utc>) -> Result<Site, RenderError> {
    let (mut pages, mut gated) = (BTreeMap::new(), BTreeMap::new());
    let carriers =
        imprint.catalog.articles.iter().map(|article| (render::article_address(article), &article.newsletters));
    let carriers: BTreeMap<String, &Vec<NewsletterId>> = carriers.collect();
    for RenderedPage { address, content_type, body, access } in render::pages(imprint, now)? {
        let cache = if access == Access::Public { CachePolicy::Revalidate } else { CachePolicy::Private };
        let page = Arc::new(SitePage::new(content_type, body.into_bytes(), cache));
        if access == Access::Public {
            pages.insert(address, page);
        } else {
            let newsletters = carriers.get(&address).map_or_else(Vec::new, |newsletters| (*newsletters).clone());
            gated.insert(address, GatedPage { access, newsletters, page });
        }
    }
    let static_files = imprint.theme.static_files().map(|file| {
        let page = SitePage::new(file.content_type, file.bytes.to_vec(), CachePolicy::Immutable);
        (file.address.clone(), Arc::new(page))
    });
    pages.extend(static_files);
    let own = |(reading, RenderedPage { content_type, body, .. })| {
        (reading, Arc::new(SitePage::new(content_type, body.into_bytes(), CachePolicy::Private)))
    };
    let feeds = render::own_feeds(imprint, now)?.into_iter().map(own).collect();
    let mut redirects = redirects(imprint.catalog, now);
    redirects.retain(|old, _| !pages.contains_key(old));
    Ok(Site { pages, gated, feeds, redirects })
}

/// From the old addresses of what is out to the present ones.
fn redirects(catalog: &Catalog, now: DateTime<Utc>) -> BTreeMap<String, String> {
    let each = |article: &Article| {
        let target = render::article_address(article);
        article.redirect_from.iter().map(|old| (old.clone(), target.clone())).collect::<Vec<_>>()
    };
    catalog.published(now).flat_map(each).collect()
}

fn compress(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 3), flate2::Compression::new(6));
    encoder.write_all(body).and_then(|()| encoder.finish()).ok()
}

fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.starts_with("text/") || kind.ends_with("+xml") || matches!(kind, "application/xml" | "application/json")
}

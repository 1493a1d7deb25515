//! Where links and pictures in the text lead.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{Event, Tag};

use crate::content::{Body, Catalog, OUR_ADDRESSES, Problems, percent_decoded, shortened};
use crate::diagnostic::{Code, Diagnostic, Sources, Wrong, codes, did_you_mean, nearest};

/// What a link can lead to, by path of file and by slug.
struct Targets<'a> {
    catalog: &'a Catalog,
    sources: &'a Sources,
    by_path: BTreeMap<&'a str, Target<'a>>,
    by_slug: BTreeMap<&'a str, Target<'a>>,
    redirects: BTreeSet<&'a str>,
}

#[derive(Clone, Copy)]
struct Target<'a> {
    body: &'a Body,
    is_published: bool,
}

/// Notes every link and picture that leads nowhere.
pub(super) fn check(catalog: &Catalog, sources: &Sources) -> Vec<Diagnostic> {
    let targets = Targets::new(catalog, sources);
    targets.by_path.iter().flat_map(|(path, from)| targets.check(path, *from)).collect()
}

/// Why `src`, as a [`Body`] or an article holds it, is no picture.
pub(super) fn picture(catalog: &Catalog, src: &str) -> Option<Wrong> {
    if !src.starts_with("content/") {
        return None;
    }
    match catalog.images.get(src) {
        None => Some(missing(&codes::IMAGE_MISSING, src, catalog.images.keys().map(String::as_str))),
        Some(image) if image.pixels.is_none() => {
            let message = format!("`{}` does not begin as a picture does", shortened(src));
            Some(Wrong::new(&codes::IMAGE_KIND, message, "save it as JPEG or PNG, which every mail program shows"))
        }
        Some(_) => None,
    }
}

fn missing<'a>(code: &'static Code, path: &str, known: impl Iterator<Item = &'a str>) -> Wrong {
    let put =
        "put the file there; a plain path counts from the article's folder, one with `/` before it from `content/`";
    Wrong::new(code, format!("there is no file `{}`", shortened(path)), did_you_mean(path, known, put))
}

impl<'a> Targets<'a> {
    fn new(catalog: &'a Catalog, sources: &'a Sources) -> Targets<'a> {
        let articles = catalog.articles.iter().map(|article| {
            let is_published = article.date.is_some() && !article.draft;
            (&*article.path, &*article.slug, Target { body: &article.body, is_published })
        });
        let pages = catalog.pages.iter().map(|page| {
            let target = Target { body: &page.body, is_published: true };
            (&*page.path, &*page.slug, target)
        });
        let (by_path, by_slug) =
            articles.chain(pages).map(|(path, slug, target)| ((path, target), (slug, target))).unzip();
        let redirects = catalog.articles.iter().flat_map(|article| &article.redirect_from);
        let redirects = redirects.map(|address| address.trim_matches('/')).collect();
        Targets { catalog, sources, by_path, by_slug, redirects }
    }

    fn check(&self, path: &str, from: Target<'_>) -> Vec<Diagnostic> {
        let mut problems = Problems::new(path, &from.body.source);
        for (event, range) in &from.body.events {
            let wrong = match event {
                Event::Start(Tag::Image { dest_url, .. }) => picture(self.catalog, dest_url),
                Event::Start(Tag::Link { dest_url, .. }) => self.link(dest_url, from),
                _ => None,
            };
            if let Some(wrong) = wrong {
                problems.at(range.clone(), wrong);
            }
            if problems.is_full() {
                break;
            }
        }
        problems.into_list()
    }

    fn link(&self, link: &str, from: Target<'_>) -> Option<Wrong> {
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        if path.is_empty() {
            return wrong_anchor(from.body, anchor);
        }
        let target = if path.starts_with("content/") { self.file(path) } else { self.address(path) };
        match target {
            Err(wrong) => Some(wrong),
            Ok(Some(target)) if from.is_published && !target.is_published => {
                let message = "the link leads to an article that is not published";
                Some(Wrong::new(&codes::LINK_UNPUBLISHED, message, "give that article a `date`, or take the link out"))
            }
            Ok(target) => target.and_then(|target| wrong_anchor(target.body, anchor)),
        }
    }

    fn file(&self, path: &str) -> Result<Option<Target<'a>>, Wrong> {
        let is_known = self.catalog.images.contains_key(path) || self.sources.contains_key(path);
        match self.by_path.get(path) {
            Some(target) => Ok(Some(*target)),
            None if is_known => Ok(None),
            None => {
                let known = self.by_path.keys().copied().chain(self.catalog.images.keys().map(String::as_str));
                Err(missing(&codes::LINK_MISSING, path, known))
            }
        }
    }

    /// Only `/SLUG/` is looked up: whatever lies deeper is made by the program, and others' addresses are theirs.
    fn address(&self, path: &str) -> Result<Option<Target<'a>>, Wrong> {
        let slug = path.split('?').next().unwrap_or_default().trim_matches('/');
        let is_ours = OUR_ADDRESSES.contains(&slug.split('/').next().unwrap_or_default());
        if !path.starts_with('/') || slug.is_empty() || is_ours || self.redirects.contains(slug) {
            return Ok(None);
        }
        self.by_slug.get(slug).copied().map(Some).ok_or_else(|| {
            let help = match nearest(slug, self.by_slug.keys().copied()) {
                Some(nearest) => format!("did you mean `/{nearest}/`?"),
                None => {
                    "link to the file, such as `[words](a-story.md)`, and the address is found by itself".to_owned()
                }
            };
            Wrong::new(&codes::LINK_MISSING, format!("there is nothing at `/{}/`", shortened(slug)), help)
        })
    }
}

fn wrong_anchor(body: &Body, anchor: &str) -> Option<Wrong> {
    let anchor = percent_decoded(anchor);
    if anchor.is_empty() || body.headings.contains(&anchor) {
        return None;
    }
    let help = match nearest(&anchor, body.headings.iter().map(String::as_str)) {
        Some(nearest) => format!("did you mean `#{nearest}`?"),
        None => "an anchor is a heading's words in small letters with hyphens: `#how-it-works`".to_owned(),
    };
    Some(Wrong::new(&codes::LINK_ANCHOR, format!("no heading answers to `#{}`", shortened(&anchor)), help))
}

//! The pages of the site, its feed and its sitemap, as they look at one moment.
//!
//! What anybody may read, so that the bytes can be kept in memory, written to disk and cached anywhere; and, apart from
//! those, the whole of each article that is not for everybody.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tera::{Context, context};

use crate::config::Author;
use crate::content::{Article, Page};
use crate::model::{Access, Portion, Reading, Viewer};

use super::address::{Place, article_address, author_address, in_query, page_address, tag_address};
use super::context::{
    AuthorContext, Moment, NamedAddress, PageMeta, SiteContext, Story, Tongue, clipped, page_context, preview_image,
};
use super::feed;
use super::html;
use super::pages::ReaderPage;
use super::sample::Sample;
use super::structured::news_article;
use super::theme::RenderError;
use super::{Imprint, shown};

/// Stories on the home page, the lead among them.
const ON_HOME: usize = 7;
/// Stories below an article.
const RELATED: usize = 3;

/// A page, feed or text file of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedPage {
    /// Such as `/`, `/a-headline/` or `/feed.xml`.
    pub address: String,
    /// For the Content-Type header.
    pub content_type: &'static str,
    /// What is in it.
    pub body: String,
    /// Who may see it. What is not for everybody has a page at the same address that is.
    pub access: Access,
}

const HTML: &str = "text/html; charset=utf-8";
const ATOM: &str = "application/atom+xml; charset=utf-8";
const XML: &str = "application/xml; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

#[derive(Serialize)]
struct ArchiveYear {
    title: String,
    stories: Vec<Story>,
}

#[derive(Serialize)]
struct SitemapAddress {
    address: String,
    changed: Option<Moment>,
}

/// Every page of the site at `now`, by address; the first template that cannot be rendered stops it.
pub fn pages(imprint: &Imprint<'_>, now: DateTime<Utc>) -> Result<Vec<RenderedPage>, RenderError> {
    let site = SiteContext::new(imprint);
    let desk = Desk::new(imprint, &site, now);
    let mut listed = Vec::new();
    let mut pages = Vec::new();
    for sheet in desk.sheets() {
        listed.extend(desk.listed(&sheet));
        pages.push(desk.rendered(sheet)?);
    }
    for sheet in desk.whole_articles() {
        pages.push(desk.rendered(sheet)?);
    }
    pages.push(desk.rendered(desk.sitemap(&listed))?);
    pages.sort_by(|one, other| one.address.cmp(&other.address));
    Ok(pages)
}

/// The feed of a reader's own, for all that can be read: without the reader in it, so that all who read alike get the
/// same.
pub fn own_feeds(imprint: &Imprint<'_>, now: DateTime<Utc>) -> Result<Vec<(Reading, RenderedPage)>, RenderError> {
    let site = SiteContext::new(imprint);
    let desk = Desk::new(imprint, &site, now);
    let readings = Reading::all_of(&imprint.settings.billing.plans).into_iter();
    readings.map(|reading| Ok((reading.clone(), desk.rendered(desk.own_feed(&reading))?))).collect()
}

/// Each template of the site with what it is given, in every branch that it may take.
pub(super) fn samples(sample: &Sample<'_>) -> Vec<(String, Context)> {
    let site = SiteContext::new(&sample.imprint);
    let desk = Desk::new(&sample.imprint, &site, sample.at);
    let mut sheets: Vec<Sheet> = desk.sheets().chain(desk.whole_articles()).collect();
    let listed: Vec<_> = sheets.iter().filter_map(|sheet| desk.listed(sheet)).collect();
    sheets.push(desk.sitemap(&listed));
    sheets.push(desk.own_feed(&Reading::ANYBODY));
    for sheet in sheets.iter_mut().filter(|sheet| sheet.template == "site/home.html") {
        sheet.context.insert("has_more", &true);
    }
    sheets.into_iter().map(|sheet| (sheet.template.to_owned(), sheet.context)).collect()
}

/// What becomes a page, feed or text file of the site.
struct Sheet {
    address: String,
    template: &'static str,
    context: Context,
    changed: Option<DateTime<Utc>>,
    access: Access,
}

fn content_type(template: &str) -> &'static str {
    match template {
        "site/feed.xml" => ATOM,
        "site/sitemap.xml" => XML,
        "site/robots.txt" => TEXT,
        _ => HTML,
    }
}

/// The published articles of a tag, the newest first.
struct Section<'a> {
    title: &'a str,
    articles: Vec<&'a Article>,
}

fn sections<'a>(articles: &[&'a Article]) -> BTreeMap<String, Section<'a>> {
    let mut sections = BTreeMap::new();
    for article in articles {
        for tag in &article.tags {
            let section = sections.entry(tag_address(tag));
            section.or_insert_with(|| Section { title: tag, articles: Vec::new() }).articles.push(*article);
        }
    }
    sections
}

struct Desk<'a> {
    imprint: &'a Imprint<'a>,
    site: &'a SiteContext,
    sections: BTreeMap<String, Section<'a>>,
    articles: Vec<&'a Article>,
}

impl<'a> Desk<'a> {
    fn new(imprint: &'a Imprint<'a>, site: &'a SiteContext, now: DateTime<Utc>) -> Desk<'a> {
        let articles: Vec<&Article> = imprint.catalog.published(now).collect();
        Desk { imprint, site, sections: sections(&articles), articles }
    }

    /// All but the sitemap, each made when it is asked for.
    fn sheets(&self) -> impl Iterator<Item = Sheet> {
        let singles = [Desk::home, Desk::archive, Desk::not_found, Desk::feed, Desk::robots];
        let singles = singles.into_iter().map(|sheet| sheet(self));
        let articles = self.articles.iter().map(|article| self.article(article, Viewer::Anybody));
        let tags = self.sections.iter().map(|(address, section)| self.tag(address, section));
        let authors = self.imprint.settings.authors.iter().map(|author| self.author(author));
        let pages = self.imprint.catalog.pages.iter().map(|page| self.page(page));
        singles.chain(articles).chain(tags).chain(authors).chain(pages)
    }

    /// Each article that is not for everybody, as those see it who may read it.
    fn whole_articles(&self) -> impl Iterator<Item = Sheet> {
        let gated = self.articles.iter().filter(|article| article.access != Access::Public);
        gated.flat_map(|article| {
            let opens = |viewer: &&Viewer| article.access.portion_for(**viewer) == Portion::Whole;
            let viewer = Viewer::ALL.iter().find(opens)?;
            Some(Sheet { access: article.access, ..self.article(article, *viewer) })
        })
    }

    fn sheet(
        &self,
        template: &'static str,
        address: &str,
        page: impl Into<Option<PageMeta>>,
        content: Context,
    ) -> Sheet {
        let context = page_context(self.site, page.into(), content);
        Sheet { address: address.to_owned(), template, context, changed: None, access: Access::Public }
    }

    fn say(&self, key: &str) -> String {
        self.imprint.words.say(key, &[])
    }

    fn story(&self, article: &Article) -> Story {
        Story::new(self.imprint, article, Viewer::Anybody, false)
    }

    fn stories<'b>(&self, articles: impl IntoIterator<Item = &'b &'b Article>) -> Vec<Story> {
        articles.into_iter().map(|article| self.story(article)).collect()
    }

    fn meta(&self, title: &str, description: &str, address: &str) -> PageMeta {
        PageMeta::new(self.site, title, description, address)
    }

    /// The lead is the latest that is featured, if it is still among the latest.
    fn home(&self) -> Sheet {
        let mut latest: Vec<&Article> = self.articles.iter().take(ON_HOME).copied().collect();
        let lead = latest.iter().position(|article| article.featured).unwrap_or(0);
        let lead = (lead < latest.len()).then(|| self.story(latest.remove(lead)));
        let page = self.meta(&self.site.title, &self.site.description, "/");
        let page = PageMeta { image: preview_image(self.imprint, lead.as_ref()), ..page };
        let has_more = self.articles.len() > ON_HOME;
        self.sheet("site/home.html", "/", page, context! { lead, stories => &self.stories(&latest), has_more })
    }

    fn article(&self, article: &Article, viewer: Viewer) -> Sheet {
        let address = article_address(article);
        // What the head says of it is copied to other places, whoever looks at the page.
        let story = self.story(article);
        let page = self.meta(&story.title, &clipped(&story.intro, 200), &address);
        let page = PageMeta {
            canonical: article.canonical.clone().unwrap_or(page.canonical),
            kind: "article",
            image: preview_image(self.imprint, Some(&story)),
            ..page
        };
        let place = Place { imprint: self.imprint, address: &address, is_absolute: false };
        let shown = shown(article, viewer);
        let content = context! {
            share => &share_links(self.say("share-by-mail"), &story.title, &self.imprint.absolute(&address)),
            body => &html::web(place, shown.events),
            is_whole => &(shown.portion == Portion::Whole),
            structured => &news_article(self.imprint, article, &story, &page),
            sign_in => &format!("{}?next={}", self.site.sign_in, in_query(&address)),
            related => &self.stories(&self.related(article)),
            extra => &article.extra,
            story,
        };
        let changed = article.updated.max(article.date);
        Sheet { changed, ..self.sheet("site/article.html", &address, page, content) }
    }

    /// The articles with the most tags in common, then the newest.
    fn related(&self, article: &Article) -> Vec<&Article> {
        let sections = article.tags.iter().filter_map(|tag| self.sections.get(&tag_address(tag)));
        let mut candidates: Vec<(usize, &Article)> = Vec::new();
        for other in sections.flat_map(|section| section.articles.iter().take(20)) {
            match candidates.iter_mut().find(|(_, known)| known.path == other.path) {
                Some((shared, _)) => *shared += 1,
                None if other.path == article.path => {}
                None => candidates.push((1, other)),
            }
        }
        candidates.sort_by(|(one, a), (other, b)| other.cmp(one).then(b.date.cmp(&a.date)).then(a.path.cmp(&b.path)));
        candidates.into_iter().take(RELATED).map(|(_, article)| article).collect()
    }

    fn tag(&self, address: &str, section: &Section<'_>) -> Sheet {
        let Section { title, articles } = section;
        let page = self.meta(title, &self.imprint.words.say("tag-description", &[("tag", (*title).into())]), address);
        let author = None::<AuthorContext>;
        let content = context! { kind => "tag", title, author, stories => &self.stories(articles) };
        self.sheet("site/list.html", address, page, content)
    }

    fn author(&self, author: &Author) -> Sheet {
        let address = author_address(&author.id);
        let by = || self.imprint.words.say("author-description", &[("author", author.name.as_str().into())]);
        let description = author.bio.clone().unwrap_or_else(by);
        let articles = self.articles.iter().filter(|article| article.authors.contains(&author.id));
        let (page, title) = (self.meta(&author.name, &description, &address), &author.name);
        let author = AuthorContext::new(self.imprint, author);
        let content = context! { kind => "author", title, author, stories => &self.stories(articles) };
        self.sheet("site/list.html", &address, page, content)
    }

    fn archive(&self) -> Sheet {
        let mut years: Vec<ArchiveYear> = Vec::new();
        for story in self.stories(&self.articles) {
            let title = story.date.as_ref().map_or(String::new(), |date| date.year.clone());
            match years.last_mut() {
                Some(year) if year.title == title => year.stories.push(story),
                _ => years.push(ArchiveYear { title, stories: vec![story] }),
            }
        }
        let tags = self.sections.iter().map(|(address, section)| NamedAddress::new(section.title, address));
        let tags: Vec<NamedAddress> = tags.collect();
        let page = self.meta(&self.say("archive"), &self.say("archive-description"), "/archive/");
        self.sheet("site/archive.html", "/archive/", page, context! { years, tags })
    }

    fn page(&self, page: &Page) -> Sheet {
        let address = page_address(page);
        let place = Place { imprint: self.imprint, address: &address, is_absolute: false };
        let (title, summary) = (page.title.as_str(), page.summary.as_deref());
        let meta = self.meta(title, summary.unwrap_or_default(), &address);
        let tongue = Tongue::new(self.imprint, page.language.as_deref());
        let body = html::web(place, &page.body.events);
        self.sheet("site/page.html", &address, meta, context! { title, summary, tongue, body })
    }

    fn not_found(&self) -> Sheet {
        let problem = ReaderPage::Problem {
            status: 404,
            title: self.say("not-found-title"),
            message: self.say("not-found"),
            request: String::new(),
        };
        let (template, context) = problem.sheet(self.imprint, self.site);
        Sheet { address: "/404.html".to_owned(), template, context, changed: None, access: Access::Public }
    }

    fn feed(&self) -> Sheet {
        self.sheet("site/feed.xml", "/feed.xml", None, feed::public(self.imprint, &self.articles))
    }

    fn own_feed(&self, reading: &Reading) -> Sheet {
        self.sheet("site/feed.xml", "/feed/", None, feed::private(self.imprint, &self.articles, reading))
    }

    fn rendered(&self, sheet: Sheet) -> Result<RenderedPage, RenderError> {
        let body = self.imprint.render(sheet.template, &sheet.context)?;
        let (content_type, access) = (content_type(sheet.template), sheet.access);
        Ok(RenderedPage { address: sheet.address, content_type, body, access })
    }

    /// What the sitemap says of a page; files are not in it.
    fn listed(&self, sheet: &Sheet) -> Option<SitemapAddress> {
        let changed = sheet.changed.map(|changed| Moment::new(self.imprint, changed));
        sheet.address.ends_with('/').then(|| SitemapAddress { address: self.imprint.absolute(&sheet.address), changed })
    }

    fn sitemap(&self, addresses: &[SitemapAddress]) -> Sheet {
        self.sheet("site/sitemap.xml", "/sitemap.xml", None, context! { addresses => addresses })
    }

    fn robots(&self) -> Sheet {
        self.sheet("site/robots.txt", "/robots.txt", None, Context::new())
    }
}

/// Plain links that open a message elsewhere; no script, and nothing is fetched from there.
fn share_links(by_mail: String, title: &str, url: &str) -> Vec<NamedAddress> {
    let (words, address) = (in_query(title), in_query(url));
    let both = format!("{words}%0A{address}");
    vec![
        NamedAddress { title: by_mail, address: format!("mailto:?subject={words}&body={address}") },
        NamedAddress::new("Bluesky", &format!("https://bsky.app/intent/compose?text={both}")),
        NamedAddress::new("LinkedIn", &format!("https://www.linkedin.com/sharing/share-offsite/?url={address}")),
        NamedAddress::new("WhatsApp", &format!("https://wa.me/?text={both}")),
    ]
}

//! The pages of the site, its feed and its sitemap, as they look at one moment.
//!
//! What anybody may read, so that the bytes can be kept in memory, written to disk and cached anywhere; and, apart from
//! those, the whole of each article that is not for everybody.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tera::{Context, Value, context};

use crate::config::Author;
use crate::content::{Article, Page};
use crate::model::{Access, Portion, Reading, Viewer};
use crate::threads;

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
/// So many pages are made by one thread before it looks for more.
const TOGETHER: usize = 16;

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
    stories: Vec<Value>,
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
    let rendered = threads::map(&desk.plans(), TOGETHER, |plan| {
        let sheet = desk.sheet(plan);
        Ok((desk.listed(&sheet), desk.rendered(sheet)?))
    });
    let rendered = rendered.into_iter().collect::<Result<Vec<_>, RenderError>>()?;
    let (listed, mut pages): (Vec<_>, Vec<_>) = rendered.into_iter().unzip();
    let listed: Vec<SitemapAddress> = listed.into_iter().flatten().collect();
    pages.push(desk.rendered(desk.sitemap(&listed))?);
    pages.sort_by(|one, other| one.address.cmp(&other.address));
    Ok(pages)
}

/// Renders the pages of which it is not certain that they can be: those by templates of the publication's own, and
/// those that grow with the number of articles.
pub fn try_pages(imprint: &Imprint<'_>, now: DateTime<Utc>) -> Result<(), RenderError> {
    let site = SiteContext::new(imprint);
    let desk = Desk::new(imprint, &site, now);
    let is_own = imprint.theme.has_own_templates();
    let mut plans = desk.plans();
    plans.retain(|plan| is_own || !matches!(plan, Plan::Article(..) | Plan::Page(_)));
    threads::map(&plans, TOGETHER, |plan| desk.rendered(desk.sheet(plan)).map(drop)).into_iter().collect()
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
    let mut sheets: Vec<Sheet> = desk.plans().iter().map(|plan| desk.sheet(plan)).collect();
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

/// A published article, and how lists show it.
struct Card<'a> {
    article: &'a Article,
    story: Story,
    /// The story as templates take it, for it stands on many pages.
    value: Value,
}

/// The published articles of a tag, the newest first, by their places among all.
struct Section<'a> {
    title: &'a str,
    cards: Vec<usize>,
}

fn sections<'a>(cards: &[Card<'a>]) -> BTreeMap<String, Section<'a>> {
    let mut sections = BTreeMap::new();
    for (at, card) in cards.iter().enumerate() {
        for tag in &card.article.tags {
            let section = sections.entry(tag_address(tag));
            section.or_insert_with(|| Section { title: tag, cards: Vec::new() }).cards.push(at);
        }
    }
    sections
}

/// What one sheet is made of.
enum Plan<'a> {
    Single(fn(&Desk<'_>) -> Sheet),
    Article(&'a Card<'a>, Viewer),
    Tag(&'a str, &'a Section<'a>),
    Author(&'a Author),
    Page(&'a Page),
}

struct Desk<'a> {
    imprint: &'a Imprint<'a>,
    site: &'a SiteContext,
    /// The same as templates take it.
    site_value: Value,
    sections: BTreeMap<String, Section<'a>>,
    cards: Vec<Card<'a>>,
}

impl<'a> Desk<'a> {
    fn new(imprint: &'a Imprint<'a>, site: &'a SiteContext, now: DateTime<Utc>) -> Desk<'a> {
        let articles: Vec<&Article> = imprint.catalog.published(now).collect();
        let cards = threads::map(&articles, TOGETHER, |article| {
            let story = Story::new(imprint, article, Viewer::Anybody, false);
            Card { article, value: Value::from_serializable(&story), story }
        });
        Desk { imprint, site, site_value: Value::from_serializable(site), sections: sections(&cards), cards }
    }

    /// All but the sitemap; of an article that is not for everybody, also as those see it who may read it.
    fn plans(&self) -> Vec<Plan<'_>> {
        let singles: [fn(&Desk<'_>) -> Sheet; 5] = [
            |desk| desk.home(),
            |desk| desk.archive(),
            |desk| desk.not_found(),
            |desk| desk.feed(),
            |desk| desk.robots(),
        ];
        let singles = singles.into_iter().map(Plan::Single);
        let articles = self.cards.iter().map(|card| Plan::Article(card, Viewer::Anybody));
        let tags = self.sections.iter().map(|(address, section)| Plan::Tag(address, section));
        let authors = self.imprint.settings.authors.iter().map(Plan::Author);
        let pages = self.imprint.catalog.pages.iter().map(Plan::Page);
        let gated = self.cards.iter().filter(|card| card.article.access != Access::Public).filter_map(|card| {
            let opens = |viewer: &&Viewer| card.article.access.portion_for(**viewer) == Portion::Whole;
            Some(Plan::Article(card, *Viewer::ALL.iter().find(opens)?))
        });
        singles.chain(articles).chain(tags).chain(authors).chain(pages).chain(gated).collect()
    }

    fn sheet(&self, plan: &Plan<'_>) -> Sheet {
        match plan {
            Plan::Single(sheet) => sheet(self),
            Plan::Article(card, viewer) => self.article(card, *viewer),
            Plan::Tag(address, section) => self.tag(address, section),
            Plan::Author(author) => self.author(author),
            Plan::Page(page) => self.page(page),
        }
    }

    fn laid_out(
        &self,
        template: &'static str,
        address: &str,
        page: impl Into<Option<PageMeta>>,
        content: Context,
    ) -> Sheet {
        let context = page_context(&self.site_value, page.into(), content);
        Sheet { address: address.to_owned(), template, context, changed: None, access: Access::Public }
    }

    fn say(&self, key: &str) -> String {
        self.imprint.words.say(key, &[])
    }

    fn stories(&self, cards: &[usize]) -> Vec<&Value> {
        cards.iter().filter_map(|at| Some(&self.cards.get(*at)?.value)).collect()
    }

    fn meta(&self, title: &str, description: &str, address: &str) -> PageMeta {
        PageMeta::new(self.site, title, description, address)
    }

    /// The lead is the latest that is featured, if it is still among the latest.
    fn home(&self) -> Sheet {
        let mut latest: Vec<&Card<'_>> = self.cards.iter().take(ON_HOME).collect();
        let lead = latest.iter().position(|card| card.article.featured).unwrap_or(0);
        let lead = (lead < latest.len()).then(|| latest.remove(lead));
        let page = self.meta(&self.site.title, &self.site.description, "/");
        let page = PageMeta { image: preview_image(self.imprint, lead.map(|card| &card.story)), ..page };
        let has_more = self.cards.len() > ON_HOME;
        let (lead, stories) = (lead.map(|card| &card.value), latest.iter().map(|card| &card.value).collect::<Vec<_>>());
        self.laid_out("site/home.html", "/", page, context! { lead, stories, has_more })
    }

    fn article(&self, card: &Card<'_>, viewer: Viewer) -> Sheet {
        // What the head says of it is copied to other places, whoever looks at the page.
        let Card { article, story, value } = card;
        let address = article_address(article);
        let page = self.meta(&story.title, &clipped(&story.intro, 200), &address);
        let page = PageMeta {
            canonical: article.canonical.clone().unwrap_or(page.canonical),
            kind: "article",
            image: preview_image(self.imprint, Some(story)),
            ..page
        };
        let place = Place { imprint: self.imprint, address: &address, is_absolute: false };
        let shown = shown(article, viewer);
        let content = context! {
            share => &share_links(self.say("share-by-mail"), &story.title, &self.imprint.absolute(&address)),
            body => &html::web(place, shown.events),
            is_whole => &(shown.portion == Portion::Whole),
            structured => &news_article(self.imprint, article, story, &page),
            sign_in => &format!("{}?next={}", self.site.sign_in, in_query(&address)),
            related => &self.stories(&self.related(article)),
            extra => &article.extra,
            story => value,
        };
        let changed = article.updated.max(article.date);
        let access = if viewer == Viewer::Anybody { Access::Public } else { article.access };
        Sheet { changed, access, ..self.laid_out("site/article.html", &address, page, content) }
    }

    /// The articles with the most tags in common, then the newest.
    fn related(&self, article: &Article) -> Vec<usize> {
        let sections = article.tags.iter().filter_map(|tag| self.sections.get(&tag_address(tag)));
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        for at in sections.flat_map(|section| section.cards.iter().take(20)) {
            *shared.entry(*at).or_default() += 1;
        }
        shared.retain(|at, _| self.cards.get(*at).is_some_and(|card| card.article.path != article.path));
        // The cards stand newest first, and this sort keeps them so.
        let mut candidates: Vec<(usize, usize)> = shared.into_iter().collect();
        candidates.sort_by_key(|(_, tags)| Reverse(*tags));
        candidates.into_iter().take(RELATED).map(|(at, _)| at).collect()
    }

    fn tag(&self, address: &str, section: &Section<'_>) -> Sheet {
        let Section { title, cards } = section;
        let page = self.meta(title, &self.imprint.words.say("tag-description", &[("tag", (*title).into())]), address);
        let author = None::<AuthorContext>;
        let content = context! { kind => "tag", title, author, stories => &self.stories(cards) };
        self.laid_out("site/list.html", address, page, content)
    }

    fn author(&self, author: &Author) -> Sheet {
        let address = author_address(&author.id);
        let by = || self.imprint.words.say("author-description", &[("author", author.name.as_str().into())]);
        let description = author.bio.clone().unwrap_or_else(by);
        let own = self.cards.iter().filter(|card| card.article.authors.contains(&author.id));
        let stories: Vec<&Value> = own.map(|card| &card.value).collect();
        let (page, title) = (self.meta(&author.name, &description, &address), &author.name);
        let author = AuthorContext::new(self.imprint, author);
        self.laid_out("site/list.html", &address, page, context! { kind => "author", title, author, stories })
    }

    fn archive(&self) -> Sheet {
        let mut years: Vec<ArchiveYear> = Vec::new();
        for Card { story, value, .. } in &self.cards {
            let title = story.date.as_ref().map_or(String::new(), |date| date.year.clone());
            match years.last_mut() {
                Some(year) if year.title == title => year.stories.push(value.clone()),
                _ => years.push(ArchiveYear { title, stories: vec![value.clone()] }),
            }
        }
        let tags = self.sections.iter().map(|(address, section)| NamedAddress::new(section.title, address));
        let tags: Vec<NamedAddress> = tags.collect();
        let page = self.meta(&self.say("archive"), &self.say("archive-description"), "/archive/");
        self.laid_out("site/archive.html", "/archive/", page, context! { years, tags })
    }

    fn page(&self, page: &Page) -> Sheet {
        let address = page_address(page);
        let place = Place { imprint: self.imprint, address: &address, is_absolute: false };
        let (title, summary) = (page.title.as_str(), page.summary.as_deref());
        let meta = self.meta(title, summary.unwrap_or_default(), &address);
        let tongue = Tongue::new(self.imprint, page.language.as_deref());
        let body = html::web(place, &page.body.events);
        self.laid_out("site/page.html", &address, meta, context! { title, summary, tongue, body })
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

    fn articles(&self) -> impl Iterator<Item = &'a Article> {
        self.cards.iter().map(|card| card.article)
    }

    fn feed(&self) -> Sheet {
        self.laid_out("site/feed.xml", "/feed.xml", None, feed::public(self.imprint, self.articles()))
    }

    fn own_feed(&self, reading: &Reading) -> Sheet {
        self.laid_out("site/feed.xml", "/feed/", None, feed::private(self.imprint, self.articles(), reading))
    }

    fn rendered(&self, sheet: Sheet) -> Result<RenderedPage, RenderError> {
        let body = self.imprint.render(sheet.template, &sheet.context)?;
        let (content_type, access) = (content_type(sheet.template), sheet.access);
        Ok(RenderedPage { address: sheet.address, content_type, body, access })
    }

    /// What the sitemap says of a page; files are not in it, and no page twice.
    fn listed(&self, sheet: &Sheet) -> Option<SitemapAddress> {
        let changed = sheet.changed.map(|changed| Moment::new(self.imprint, changed));
        (sheet.address.ends_with('/') && sheet.access == Access::Public)
            .then(|| SitemapAddress { address: self.imprint.absolute(&sheet.address), changed })
    }

    fn sitemap(&self, addresses: &[SitemapAddress]) -> Sheet {
        self.laid_out("site/sitemap.xml", "/sitemap.xml", None, context! { addresses => addresses })
    }

    fn robots(&self) -> Sheet {
        self.laid_out("site/robots.txt", "/robots.txt", None, Context::new())
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

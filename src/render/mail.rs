//! What an issue's mail says: subject, HTML and text; and its page on the web.
//!
//! An issue is rendered once for all its readers. What differs, the tokens of two links, is left open as
//! `LEAVE_TOKEN_SLOT` and `PREFERENCES_TOKEN_SLOT`; headers and encodings are the business of `mail`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tera::{Context, context};

use crate::content::{Article, BodyInMail};
use crate::model::{Cadence, Newsletter, Portion, Viewer};

use super::address::{Place, article_address};
use super::context::{
    Moment, NamedAddress, PageMeta, Picture, SUBSCRIBE, SiteContext, Story, Tongue, clipped, one_line, page_context,
    preview_image,
};
use super::html;
use super::sample::Sample;
use super::theme::RenderError;
use super::words::{Words, direction};
use super::{Imprint, LARGEST_MAIL, mail_html, shown, text};

/// The template of an issue's page on the web.
const ISSUE_PAGE: &str = "site/issue.html";
/// Stands in HTML and text where each reader's own token belongs; as long as a token.
pub const LEAVE_TOKEN_SLOT: &str = "PRESSRUN-LEAVE-TOKEN-SLOT-00000000000000000";
/// The same for the link to what the reader chose.
pub const PREFERENCES_TOKEN_SLOT: &str = "PRESSRUN-PREFERENCES-TOKEN-SLOT-00000000000";

/// When, for whom and in which newsletter an issue goes out.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The newsletter.
    pub newsletter: &'a Newsletter,
    /// For which readers: those who want each article at once, or one of the digests.
    pub cadence: Cadence,
    /// The date that the mail shows.
    pub at: DateTime<Utc>,
    /// How many articles more a digest's readers are owed than it holds.
    pub more: usize,
    /// Where the issue is on the web, from scheme to final slash.
    pub web_address: &'a str,
    /// Who reads it.
    pub viewer: Viewer,
}

/// An issue, as it is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IssueMail {
    /// One line.
    pub subject: String,
    /// The first line of the mail, which an inbox shows after the subject.
    pub preheader: String,
    /// The HTML part, with [`LEAVE_TOKEN_SLOT`] in it.
    pub html: String,
    /// The text part, with [`LEAVE_TOKEN_SLOT`] in it.
    pub text: String,
    /// The page at `/issues/ID/`: what anybody may read, without slots.
    pub web_html: String,
    /// Whether the text had to be cut because mail programs would have clipped it.
    pub is_cut: bool,
}

/// A mail that somebody has asked for by an act of theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeMail {
    /// One line.
    pub subject: String,
    /// The HTML part.
    pub html: String,
    /// The text part.
    pub text: String,
}

/// What every mail says about itself.
#[derive(Serialize, Default)]
pub(super) struct MailContext {
    subject: String,
    preheader: String,
    language: String,
    direction: &'static str,
    publication: String,
    pub home_address: String,
    newsletter: String,
    kind: String,
    pub date: Moment,
    minutes: usize,
    web_address: String,
    leave_address: String,
    preferences_address: String,
    subscribe_address: String,
    rhythm: String,
    pub links: Vec<NamedAddress>,
    sender: String,
}

/// What the templates in `mail/FOLDER/` are given.
pub(super) struct Letter {
    pub folder: &'static str,
    pub mail: MailContext,
    pub content: Context,
}

/// The mail of one article, for readers who want each at once.
pub fn instant(imprint: &Imprint<'_>, occasion: Occasion<'_>, article: &Article) -> Result<IssueMail, RenderError> {
    let mut letter = instant_letter(imprint, occasion, article);
    let address = article_address(article);
    let place = Place { imprint, address: &address, is_absolute: true };
    let events = if is_summary(article) { &[] } else { shown(article, occasion.viewer).events };
    let direction = Tongue::new(imprint, article.language.as_deref()).direction;
    let blocks = html::mail_blocks(place, direction, events);

    letter.entitle(imprint)?;
    let body = blocks.concat();
    letter.content.insert("body", &body);
    let (mut html, mut is_cut) = (letter.part(imprint, HTML)?, false);
    if html.len() > LARGEST_MAIL {
        let frame = html.len() - body.len() + 1024;
        let (body, some_are_left_out) = mail_html::cut(&blocks, LARGEST_MAIL.saturating_sub(frame));
        is_cut = some_are_left_out;
        letter.content.insert("body", &body);
        letter.content.insert("is_cut", &is_cut);
        html = letter.part(imprint, HTML)?;
    }
    letter.content.insert("body", &text::text(place, events));
    let text = tidy(&letter.part(imprint, TEXT)?);
    let web_html = instant_page(imprint, occasion, article)?;
    let MailContext { subject, preheader, .. } = letter.mail;
    Ok(IssueMail { subject, preheader, html, text, web_html, is_cut })
}

fn instant_letter(imprint: &Imprint<'_>, occasion: Occasion<'_>, article: &Article) -> Letter {
    let story = mail_story(imprint, article, occasion.viewer);
    let mut mail = mail_context(imprint, occasion, article.body.minutes());
    mail.subject = article.mail.subject.clone().unwrap_or_default();
    mail.preheader = article.mail.preheader.clone().unwrap_or_else(|| clipped(first_sentence(&story.intro), 240));
    let content = context! {
        caption => &story.image.as_ref().map_or(String::new(), Picture::words),
        body => "",
        is_whole => &(shown(article, occasion.viewer).portion == Portion::Whole),
        is_summary => &is_summary(article),
        is_cut => &false,
        story,
    };
    Letter { folder: "instant", mail, content }
}

fn is_summary(article: &Article) -> bool {
    article.mail.body == BodyInMail::Summary
}

/// `article` as mails show it: its picture no wider than the text.
fn mail_story(imprint: &Imprint<'_>, article: &Article, viewer: Viewer) -> Story {
    let story = Story::new(imprint, article, viewer, true);
    Story { image: story.image.map(|picture| picture.fitted(mail_html::TEXT_WIDTH)), ..story }
}

/// The mail of several articles, the lead first: `articles` in the order in which they are shown.
pub fn digest(imprint: &Imprint<'_>, occasion: Occasion<'_>, articles: &[&Article]) -> Result<IssueMail, RenderError> {
    let letter = digest_letter(imprint, occasion, articles);
    let preheader = letter.mail.preheader.clone();
    let NoticeMail { subject, html, text } = letter.printed(imprint)?;
    let page = IssuePage { stories: public_stories(imprint, articles), body: String::new(), is_whole: true };
    let description = clipped(&digest_preheader(imprint.words, &page.stories), 240);
    let web_html = imprint.render(ISSUE_PAGE, &page.context(imprint, occasion, (&subject, &description), ""))?;
    Ok(IssueMail { subject, preheader, html, text, web_html, is_cut: false })
}

fn digest_letter(imprint: &Imprint<'_>, occasion: Occasion<'_>, articles: &[&Article]) -> Letter {
    let minutes = articles.iter().map(|article| article.body.minutes()).sum();
    let mut mail = mail_context(imprint, occasion, minutes);
    let mut stories: Vec<Story> = articles
        .iter()
        .map(|article| mail_story(imprint, article, occasion.viewer))
        .map(|story| Story { intro: clipped(&story.intro, 240), ..story })
        .collect();
    mail.preheader = digest_preheader(imprint.words, &stories);
    let lead = (!stories.is_empty()).then(|| stories.remove(0));
    name_sections(&mut stories);
    let (more, archive_address) = (occasion.more, imprint.absolute("/archive/"));
    let content = context! { lead, stories, more, archive_address };
    Letter { folder: "digest", mail, content }
}

/// A section is named where it begins.
fn name_sections(stories: &mut [Story]) {
    let mut section: Option<String> = None;
    for story in stories {
        let label = story.label.as_ref().map(|label| label.title.clone());
        if label == section {
            story.label = None;
        }
        section = label;
    }
}

const SUBJECT: &str = "subject.txt";
const HTML: &str = "body.html";
const TEXT: &str = "body.txt";

impl Letter {
    fn part(&self, imprint: &Imprint<'_>, part: &str) -> Result<String, RenderError> {
        imprint.render(&format!("mail/{}/{part}", self.folder), &self.context())
    }

    fn context(&self) -> Context {
        let mut context = self.content.clone();
        context.insert("mail", &self.mail);
        context
    }

    /// Gives it the subject of its template, unless an editor has chosen one.
    fn entitle(&mut self, imprint: &Imprint<'_>) -> Result<(), RenderError> {
        if self.mail.subject.is_empty() {
            self.mail.subject = self.part(imprint, SUBJECT)?;
        }
        self.mail.subject = one_line(&self.mail.subject);
        Ok(())
    }

    pub fn printed(mut self, imprint: &Imprint<'_>) -> Result<NoticeMail, RenderError> {
        self.entitle(imprint)?;
        let (html, text) = (self.part(imprint, HTML)?, tidy(&self.part(imprint, TEXT)?));
        Ok(NoticeMail { subject: self.mail.subject, html, text })
    }

    /// Each of its templates with what it is given.
    pub fn samples(mut self) -> [(String, Context); 3] {
        self.mail.subject = "A headline".to_owned();
        [SUBJECT, HTML, TEXT].map(|part| (format!("mail/{}/{part}", self.folder), self.context()))
    }
}

pub(super) fn notice_context(imprint: &Imprint<'_>, at: DateTime<Utc>) -> MailContext {
    let publication = &imprint.settings.publication;
    MailContext {
        language: imprint.language(),
        direction: direction(&imprint.language()),
        publication: publication.title.clone(),
        home_address: imprint.absolute("/"),
        date: Moment::new(imprint, at),
        subscribe_address: imprint.absolute(SUBSCRIBE),
        links: NamedAddress::of_links(imprint.settings),
        sender: sender(&publication.title, publication.address.as_deref()),
        ..MailContext::default()
    }
}

/// Who publishes, and where mail on paper reaches them.
fn sender(title: &str, address: Option<&str>) -> String {
    let one_after_another = |address: &str| {
        let lines = address.lines().map(one_line).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join(", ")
    };
    match address.map(one_after_another) {
        Some(address) if address.starts_with(title) => address,
        Some(address) => format!("{title}, {address}"),
        None => title.to_owned(),
    }
}

fn mail_context(imprint: &Imprint<'_>, occasion: Occasion<'_>, minutes: usize) -> MailContext {
    MailContext {
        newsletter: occasion.newsletter.title.clone(),
        kind: imprint.words.say(kind(occasion.cadence), &[]),
        minutes,
        web_address: occasion.web_address.to_owned(),
        leave_address: imprint.absolute(&format!("/unsubscribe/{LEAVE_TOKEN_SLOT}")),
        preferences_address: imprint.absolute(&format!("/preferences/{PREFERENCES_TOKEN_SLOT}")),
        rhythm: imprint.words.say(how_often_key(occasion.cadence), &[]),
        ..notice_context(imprint, occasion.at)
    }
}

fn kind(cadence: Cadence) -> &'static str {
    match cadence {
        Cadence::Instant => "kind-instant",
        Cadence::Daily => "kind-daily",
        Cadence::Weekly => "kind-weekly",
    }
}

/// How often, without the hour: readers of one issue may each have their own.
fn how_often_key(cadence: Cadence) -> &'static str {
    match cadence {
        Cadence::Instant => "rhythm-instant",
        Cadence::Daily => "rhythm-each-day",
        Cadence::Weekly => "rhythm-each-week",
    }
}

/// What stands behind the subject in an inbox: the rest of the summary follows below the headline.
fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

/// What stands behind the subject in an inbox: not the lead again, which is the subject.
fn digest_preheader(words: &Words, stories: &[Story]) -> String {
    match stories {
        [] => String::new(),
        [only] => only.intro.clone(),
        [_, others @ ..] => {
            let titles: Vec<&str> = others.iter().map(|story| story.title.as_str()).collect();
            clipped(&words.say("digest-also", &[("titles", titles.join(" · ").into())]), 160)
        }
    }
}

fn instant_page(imprint: &Imprint<'_>, occasion: Occasion<'_>, article: &Article) -> Result<String, RenderError> {
    let address = article_address(article);
    let place = Place { imprint, address: &address, is_absolute: false };
    let shown = shown(article, Viewer::Anybody);
    let (body, is_whole) = (html::web(place, shown.events), shown.portion == Portion::Whole);
    let page = IssuePage { stories: public_stories(imprint, &[article]), body, is_whole };
    // The article's own page is the one that search engines should know.
    let description = page.stories.first().map_or(String::new(), |story| clipped(&story.intro, 200));
    imprint.render(ISSUE_PAGE, &page.context(imprint, occasion, (&article.title, &description), &address))
}

/// What an issue's page on the web shows of its articles.
struct IssuePage {
    stories: Vec<Story>,
    body: String,
    is_whole: bool,
}

impl IssuePage {
    fn context(
        self,
        imprint: &Imprint<'_>,
        occasion: Occasion<'_>,
        (title, description): (&str, &str),
        address: &str,
    ) -> Context {
        let IssuePage { stories, body, is_whole } = self;
        let site = SiteContext::new(imprint);
        let page = PageMeta::new(&site, title, description, address);
        let page = PageMeta { image: preview_image(imprint, stories.first()), ..page };
        let (newsletter, date) = (&occasion.newsletter.title, Moment::new(imprint, occasion.at));
        let kind = imprint.words.say(kind(occasion.cadence), &[]);
        page_context(&site, Some(page), context! { newsletter, kind, date, stories, body, is_whole })
    }
}

fn public_stories(imprint: &Imprint<'_>, articles: &[&Article]) -> Vec<Story> {
    articles.iter().map(|article| Story::new(imprint, article, Viewer::Anybody, false)).collect()
}

/// Long lines of prose wrapped, at most one empty line in a row, one line end at the end.
fn tidy(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.trim().lines().map(str::trim_end) {
        let is_gap = line.is_empty() && lines.last().is_some_and(String::is_empty);
        let is_set = line.chars().count() <= text::WIDTH || line.starts_with([' ', '>', '[']);
        match (is_gap, is_set) {
            (true, _) => {}
            (false, true) => lines.push(line.to_owned()),
            (false, false) => lines.extend(text::wrapped(line, text::WIDTH)),
        }
    }
    lines.join("\n") + "\n"
}

/// Each of these templates with what it is given, in every branch that it may take.
pub(super) fn samples(sample: &Sample<'_>) -> Vec<(String, Context)> {
    let Sample { imprint, article, newsletter, at } = sample;
    let (cadence, viewer, web_address) = (Cadence::Instant, Viewer::Anybody, "https://example.com/issues/17/");
    let occasion = Occasion { newsletter, cadence, at: *at, more: 3, web_address, viewer };
    let mut instant = instant_letter(imprint, occasion, article);
    instant.content.extend(context! { body => "Text.", is_cut => &true });
    let digest = digest_letter(imprint, occasion, &[article, article]);
    let body = "<p>Text.</p>".to_owned();
    let issue = IssuePage { stories: public_stories(imprint, &[article]), body, is_whole: false };
    let words = ("A headline", "What it says.");
    let page = (ISSUE_PAGE.to_owned(), issue.context(imprint, occasion, words, "/a-headline/"));
    [vec![page], instant.samples().into(), digest.samples().into()].concat()
}

//! Words out: templates with typed contexts, the site's pages, feed and sitemap, and the bodies of mails.
//!
//! Pure: the same words, looks and moment give the same bytes. Markdown is already parsed when a template runs and
//! never sees its output; templates reach neither files nor environment nor network. `shown` is the one place that
//! says how much of an article an outlet gets. Headers, encodings and the readers' tokens are left to `mail`.

mod account;
mod address;
mod billing;
mod choices;
mod context;
mod feed;
mod html;
mod mail;
mod mail_html;
mod notes;
mod notice_mail;
mod pages;
mod sample;
mod site;
mod structured;
mod text;
mod theme;
mod words;

pub use account::{AccountPage, SessionLine};
pub use address::{article_address, media_address, media_type, tag_address};
pub use billing::{BoughtPart, MembershipPart, PlanLine, PlansPage, SwitchPage, price_each};
pub use choices::{ChoicesForm, Next, Offer};
pub use context::{
    AuthorContext, Moment, NamedAddress, NewsletterChoice, PageMeta, Picture, SignUp, SiteContext, Story, rhythm,
};
pub use mail::{IssueMail, LEAVE_TOKEN_SLOT, NoticeMail, Occasion, PREFERENCES_TOKEN_SLOT, digest, instant};
pub use mail_html::{LARGE_MAIL, LARGEST_MAIL};
pub use notice_mail::{BillText, ConfirmLine, NoticeText, WelcomeLine, notice};
pub use pages::{
    FieldError, Notice, NoticeKind, OutboxEntry, OutboxMail, Preferences, ReaderPage, SignUpPage, UndoForm, reader_page,
};
pub use site::{RenderedPage, own_feeds, pages, try_pages};
pub use theme::{RenderError, StaticFile, Theme};
pub use words::Words;

use std::ops::Range;
use std::sync::Arc;

use pulldown_cmark::Event;

use crate::config::Settings;
use crate::content::{Article, Catalog};
use crate::model::{Portion, Viewer};

/// What every outlet needs to know: the looks, the settings, all the words and where readers find them.
pub struct Imprint<'a> {
    /// The looks.
    pub theme: &'a Theme,
    /// The settings.
    pub settings: &'a Settings,
    /// All the words.
    pub catalog: &'a Catalog,
    /// Where readers find them: scheme and host, without a final slash.
    pub base_url: &'a str,
    /// Where readers sign up: like `base_url`, or empty where that is the same site.
    pub readers_url: &'a str,
    /// The language that pages and mails are in: the publication's, else English.
    pub words: &'a Arc<Words>,
}

impl<'a> Imprint<'a> {
    /// Puts them together; `base_url` is scheme and host, such as `https://example.com`.
    pub fn new(theme: &'a Theme, settings: &'a Settings, catalog: &'a Catalog, base_url: &'a str) -> Imprint<'a> {
        let base_url = base_url.trim_end_matches('/');
        let words = theme.words(&settings.publication.language).unwrap_or(theme.english());
        Imprint { theme, settings, catalog, base_url, readers_url: "", words }
    }

    /// The same in another language.
    pub fn speaking(self, words: &'a Arc<Words>) -> Imprint<'a> {
        Imprint { words, ..self }
    }

    /// The same in the language that suits best what is asked for, as [`Theme::words`] chooses it, if one does.
    pub fn in_language(self, asked: &str) -> Imprint<'a> {
        match self.theme.words(asked) {
            Some(words) => self.speaking(words),
            None => self,
        }
    }

    /// The language of what is made: the publication's own, where the words are in it too.
    fn language(&self) -> String {
        let (own, words) = (&self.settings.publication.language, self.words.language());
        if own.starts_with(&words) { own.clone() } else { words }
    }

    fn render(&self, template: &str, context: &tera::Context) -> Result<String, RenderError> {
        self.theme.render(template, context, self.words)
    }

    /// The same for pages that lie elsewhere than the form that readers sign up with.
    pub fn with_readers_at(self, readers_url: &'a str) -> Imprint<'a> {
        Imprint { readers_url: readers_url.trim_end_matches('/'), ..self }
    }
}

/// Markdown events, and where each stands in its file.
pub(crate) type Events = [(Event<'static>, Range<usize>)];

/// As much of an article as somebody may read.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Whether that is all of it.
    pub portion: Portion,
    /// The text; empty where only the summary may be shown.
    pub events: &'a Events,
}

/// How much of `article` is shown to `viewer`: every outlet asks here, and takes the text from the answer.
pub fn shown(article: &Article, viewer: Viewer) -> Shown<'_> {
    let portion = article.access.portion_for(viewer);
    let events = match portion {
        Portion::Whole => &article.body.events[..],
        Portion::Preview => &article.body.events[..article.body.preview.unwrap_or(0).min(article.body.events.len())],
    };
    Shown { portion, events }
}

#[cfg(test)]
mod tests;

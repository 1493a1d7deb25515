//! Each article against the settings, and against what it means to be.

use pulldown_cmark::Event;

use crate::config::Settings;
use crate::content::{Article, Catalog, Figure, Problems, place_in_front_matter, shortened};
use crate::diagnostic::{Code, Diagnostic, Wrong, codes, did_you_mean};
use crate::model::Access;

/// Notes what is wrong with each article.
pub(super) fn check(settings: &Settings, catalog: &Catalog) -> Vec<Diagnostic> {
    catalog.articles.iter().flat_map(|article| check_one(settings, catalog, article)).collect()
}

fn check_one(settings: &Settings, catalog: &Catalog, article: &Article) -> Vec<Diagnostic> {
    let mut article = Checked { article, problems: Problems::new(&article.path, &article.body.source) };
    article.names(settings);
    article.picture(catalog);
    article.publication();
    article.mail();
    article.problems.into_list()
}

struct Checked<'a> {
    article: &'a Article,
    problems: Problems<'a>,
}

impl Checked<'_> {
    /// Notes a problem with the value at `path`; with the title where there is none.
    fn note(&mut self, path: &[&str], wrong: Wrong) {
        let source = &self.article.body.source;
        let place = place_in_front_matter(source, path).or_else(|| place_in_front_matter(source, &["title"]));
        self.problems.at(place, wrong);
    }

    fn names(&mut self, settings: &Settings) {
        let authors: Vec<&str> = settings.authors.iter().map(|author| author.id.as_str()).collect();
        let newsletters: Vec<&str> = settings.newsletters.iter().map(|newsletter| newsletter.id.as_str()).collect();
        for (index, author) in self.article.authors.iter().enumerate() {
            self.name(&codes::ARTICLE_UNKNOWN_AUTHOR, ("authors", index), author, &authors);
        }
        for (index, newsletter) in self.article.newsletters.iter().enumerate() {
            self.name(&codes::ARTICLE_UNKNOWN_NEWSLETTER, ("newsletters", index), newsletter.as_str(), &newsletters);
        }
    }

    fn name(&mut self, code: &'static Code, (key, index): (&str, usize), name: &str, known: &[&str]) {
        if known.contains(&name) {
            return;
        }
        let message = format!("`{}` is not among `[[{key}]]` in publish.toml", shortened(name));
        let add = format!("add it there: `[[{key}]]` and `id = \"{}\"`", shortened(name));
        let help = did_you_mean(name, known.iter().copied(), add);
        self.note(&[key, &index.to_string()], Wrong::new(code, message, help));
    }

    fn picture(&mut self, catalog: &Catalog) {
        let Some(Figure { src, .. }) = &self.article.image else { return };
        let Some(wrong) = super::targets::picture(catalog, src) else { return };
        self.note(&["image", "src"], wrong);
    }

    fn publication(&mut self) {
        let article = self.article;
        let is_dated = article.date.is_some() || place_in_front_matter(&article.body.source, &["date"]).is_some();
        if !is_dated && !article.draft {
            let message = "the article has no `date`, so it is not published";
            let help = "write `date: 2026-12-01`, or `draft: true`";
            self.note(&["title"], Wrong::new(&codes::ARTICLE_NO_DATE, message, help));
        }
        if article.access != Access::Public && article.summary.is_none() && article.body.preview.is_none() {
            let message = "who has no access sees nothing but the title";
            let help = "write a `summary:`, or a line `<!-- more -->` below the part that is for everybody";
            self.note(&["access"], Wrong::new(&codes::ARTICLE_NO_PREVIEW, message, help));
        }
        let has_content = |event: &Event<'_>| matches!(event, Event::Text(_) | Event::Code(_) | Event::Start(_));
        if !article.draft && !article.body.events.iter().any(|(event, _)| has_content(event)) {
            let help = "write it below the second `---` line";
            self.note(&["title"], Wrong::new(&codes::ARTICLE_EMPTY, "the article has no text", help));
        }
    }

    fn mail(&mut self) {
        let article = self.article;
        if article.newsletters.is_empty() {
            return;
        }
        if article.id.is_none() && place_in_front_matter(&article.body.source, &["id"]).is_none() {
            let message = "an article that goes out by mail needs an `id`";
            let help = "write a line `id:` with any text that is unique in the publication, and never change it";
            self.note(&["newsletters"], Wrong::new(&codes::ARTICLE_ID_MISSING, message, help));
        }
        let subject = article.mail.subject.as_ref().unwrap_or(&article.title);
        let start = subject.trim_start().to_lowercase();
        if ["re:", "fw:", "fwd:", "aw:"].iter().any(|answer| start.starts_with(answer)) {
            let message = "the subject begins as if the mail were an answer";
            let wrong = Wrong::new(&codes::MAIL_SUBJECT, message, "say what the article is about");
            self.note(&["mail", "subject"], wrong);
        }
    }
}

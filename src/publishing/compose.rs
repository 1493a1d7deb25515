//! An issue's words, rendered once and frozen.

use chrono::{DateTime, Utc};

use crate::clock;
use crate::content::Article;
use crate::model::{Cadence, IssueId, Newsletter, Viewer};
use crate::press::Edition;
use crate::render::Occasion;
use crate::store::{Sealing, Store};

use super::editor::SendError;
use super::plan::Plan;

/// What readers of an issue see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// Subject.
    pub subject: String,
    /// The public page of the issue.
    pub web_page: String,
    /// HTML and text with slots, for each viewer.
    pub bodies: Vec<(Viewer, String, String)>,
}

/// Why an issue could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the mail cannot be rendered: {0}")]
pub struct ComposeError(pub String);

/// What an issue is for: a newsletter's readers of one cadence, at its moment.
#[derive(Debug, Clone, Copy)]
pub struct Purpose<'a> {
    /// The newsletter.
    pub newsletter: &'a Newsletter,
    /// Whose: instant readers, or those of a digest.
    pub cadence: Cadence,
    /// The article's date, or the digest's slot.
    pub at: DateTime<Utc>,
}

/// Renders an issue for every viewer, and the public page under its id.
pub fn compose(
    edition: &Edition,
    purpose: Purpose<'_>,
    articles: &[&Article],
    issue: &IssueId,
) -> Result<Composed, ComposeError> {
    let web_address = format!("{}/issues/{issue}/", edition.base_url);
    let Purpose { newsletter, cadence, at } = purpose;
    let mut composed = Composed { subject: String::new(), web_page: String::new(), bodies: Vec::new() };
    for viewer in Viewer::ALL {
        let occasion = Occasion { newsletter, cadence, at, web_address: &web_address, viewer };
        let mail = edition.issue_mail(occasion, articles).map_err(|error| ComposeError(error.to_string()))?;
        composed.bodies.push((viewer, mail.html, mail.text));
        composed.subject = mail.subject;
        composed.web_page = mail.web_html;
    }
    Ok(composed)
}

impl Plan {
    /// What it is for.
    pub fn purpose<'a>(&self, edition: &Edition, newsletter: &'a Newsletter) -> Purpose<'a> {
        let date = || self.articles.first().and_then(|id| edition.catalog.article(id)).and_then(|article| article.date);
        let at = self.run.as_ref().map(|run| run.slot_at).or_else(date).unwrap_or_default();
        Purpose { newsletter, cadence: self.audience.cadence, at }
    }
}

/// Freezes a plan: content and the audience's boundary in one transaction. False: somebody else was first.
pub(super) async fn seal(
    store: &Store,
    edition: &Edition,
    newsletter: &Newsletter,
    plan: &Plan,
    send_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, SendError> {
    let id = IssueId::new(clock::new_id());
    let articles: Vec<&Article> = plan.articles.iter().filter_map(|id| edition.catalog.article(id)).collect();
    let composed = compose(edition, plan.purpose(edition, newsletter), &articles, &id)?;
    let sealing = Sealing {
        id,
        audience: plan.audience.clone(),
        slot_at: plan.run.as_ref().map(|run| run.slot_at),
        covers_to: plan.covers_to,
        plan: plan.id.clone().unwrap_or_default(),
        subject: composed.subject,
        from: newsletter.from.clone(),
        reply_to: newsletter.reply_to.clone(),
        list_title: newsletter.title.clone(),
        base_url: edition.base_url.clone(),
        web_page: composed.web_page,
        bodies: composed.bodies,
        articles: articles.iter().filter_map(|article| Some((article.id.clone()?, article.title.clone()))).collect(),
        send_at,
        sealed_at: now,
    };
    Ok(store.seal(sealing).await?)
}

//! An issue's words, rendered once and frozen.

use chrono::{DateTime, Utc};

use crate::content::Article;
use crate::model::{Cadence, IssueId, Newsletter, Viewer};
use crate::press::Edition;
use crate::render::{Occasion, RenderError};

/// What readers of an issue see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// Subject.
    pub subject: String,
    /// The public page of the issue.
    pub web_page: String,
    /// HTML and text with slots, for each viewer who sees something else than the one before.
    pub bodies: Vec<(Viewer, String, String)>,
}

/// What an issue is for: a newsletter's readers of one cadence, at its moment.
#[derive(Debug, Clone, Copy)]
pub struct Purpose<'a> {
    /// The newsletter.
    pub newsletter: &'a Newsletter,
    /// Whose: instant readers, or those of a digest.
    pub cadence: Cadence,
    /// The article's date, or the digest's slot.
    pub at: DateTime<Utc>,
    /// How many articles more a digest's readers are owed than it holds.
    pub more: usize,
}

/// Renders an issue for every viewer who sees something else, and the public page under its id.
pub fn compose(
    edition: &Edition,
    purpose: Purpose<'_>,
    articles: &[&Article],
    issue: &IssueId,
) -> Result<Composed, RenderError> {
    let web_address = format!("{}/issues/{issue}/", edition.base_url);
    let Purpose { newsletter, cadence, at, more } = purpose;
    let mut composed = Composed { subject: String::new(), web_page: String::new(), bodies: Vec::new() };
    for viewer in readers_apart(articles) {
        let occasion = Occasion { newsletter, cadence, at, more, web_address: &web_address, viewer };
        let mail = edition.issue_mail(occasion, articles)?;
        composed.bodies.push((viewer, mail.html, mail.text));
        // The one subject and the one page are seen by everybody.
        if viewer == Viewer::Anybody {
            (composed.subject, composed.web_page) = (mail.subject, mail.web_html);
        }
    }
    Ok(composed)
}

/// Anybody, and each viewer who reads more of these articles than the one before.
fn readers_apart<'a>(articles: &'a [&Article]) -> impl Iterator<Item = Viewer> + 'a {
    let portions = |viewer: Viewer| articles.iter().map(move |article| article.access.portion_for(viewer));
    let mut before = None;
    Viewer::ALL
        .into_iter()
        .filter(move |viewer| before.replace(*viewer).is_none_or(|before| !portions(before).eq(portions(*viewer))))
}

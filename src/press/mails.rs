//! The mails that articles would become, printed once so that an editor hears of their problems before a send.

use chrono::{DateTime, TimeDelta, Utc};

use crate::checks;
use crate::content::Article;
use crate::diagnostic::Diagnostic;
use crate::model::{Access, Cadence, Newsletter, Viewer};
use crate::render::{self, Imprint, IssueMail, Occasion, RenderError};

/// Articles that came out longer ago are in their readers' inboxes, and not printed again for every check.
const RECENT_DAYS: i64 = 30;
/// As long as the address of a real issue.
const SAMPLE_ISSUE: &str = "/issues/00000000000000000000000000000000/";
/// The file that a digest's problems belong to.
const DIGEST: &str = "templates/mail/digest/body.html";
/// Stories in the digest that is tried.
const STORIES: usize = 5;

/// What is wrong with the instant mails of what is not out yet or has come out lately, and with a digest of them.
pub(super) fn check(imprint: &Imprint<'_>, now: DateTime<Utc>) -> Vec<Diagnostic> {
    let web_address = format!("{}{SAMPLE_ISSUE}", imprint.base_url);
    let mailable = mailable(imprint, now - TimeDelta::days(RECENT_DAYS));
    let (at, more, web_address) = (now, 0, web_address.as_str());
    let occasion = |newsletter, cadence, viewer| Occasion { newsletter, cadence, at, more, web_address, viewer };
    let mut diagnostics = Vec::new();
    for (article, newsletter) in &mailable {
        // What is public is the same for everybody; elsewhere the same problem in both variants is one.
        let viewers = if article.access == Access::Public { &Viewer::ALL[..1] } else { &Viewer::ALL[..] };
        let each = |viewer: &Viewer| {
            let occasion = occasion(newsletter, Cadence::Instant, *viewer);
            match render::instant(imprint, occasion, article) {
                Ok(mail) if mail.is_cut => vec![checks::mail_was_cut(article)],
                mail => problems(mail, &article.path),
            }
        };
        diagnostics.extend(viewers.iter().map(each).find(|found| !found.is_empty()).unwrap_or_default());
    }
    if let Some((_, newsletter)) = mailable.first() {
        let stories: Vec<&Article> = mailable.iter().take(STORIES).map(|(article, _)| *article).collect();
        let digest = render::digest(imprint, occasion(newsletter, Cadence::Weekly, Viewer::Anybody), &stories);
        diagnostics.extend(problems(digest, DIGEST));
    }
    diagnostics
}

/// What comes out after `since` or has no date yet, and the first newsletter that carries it.
fn mailable<'a>(imprint: &Imprint<'a>, since: DateTime<Utc>) -> Vec<(&'a Article, &'a Newsletter)> {
    let recent = imprint.catalog.articles.iter().filter(|article| article.date.is_none_or(|date| date > since));
    let carried = recent.filter_map(|article| {
        let newsletter = article.newsletters.iter().find_map(|id| imprint.settings.newsletter(id))?;
        Some((article, newsletter))
    });
    carried.collect()
}

fn problems(mail: Result<IssueMail, RenderError>, file: &str) -> Vec<Diagnostic> {
    match mail {
        Ok(mail) => checks::mail(file, &mail),
        Err(error) => vec![error.into_diagnostic()],
    }
}

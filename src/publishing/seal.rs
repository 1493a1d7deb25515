//! A plan is frozen: content and the audience's boundary at once, delivery rows after it.

use chrono::{DateTime, Utc};

use crate::clock;
use crate::content::Article;
use crate::model::{IssueId, Newsletter};
use crate::press::Edition;
use crate::store::{Sealing, Store, StoreError};

use super::compose::compose;
use super::plan::Plan;
use super::refusal::SendError;

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

/// Writes the delivery rows that are missing, chunk by chunk; after a crash it goes on where it was.
pub async fn finish_sealings(store: &Store, now: DateTime<Utc>) -> Result<(), StoreError> {
    for issue in store.unfinished_sealings().await? {
        while store.write_deliveries(&issue, now).await? {}
    }
    Ok(())
}

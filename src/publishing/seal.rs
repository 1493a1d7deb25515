//! A plan is frozen: content and the audience's boundary at once, delivery rows after it.

use chrono::{DateTime, Utc};

use crate::clock;
use crate::content::Article;
use crate::model::{IssueId, Newsletter};
use crate::store::{DigestRun, Sealing};

use super::Office;
use super::compose::compose;
use super::plan::{Plan, Recipients};
use super::refusal::Result;

impl Office<'_> {
    /// Freezes the plan of an instant issue: content and the audience's boundary in one transaction. False: somebody
    /// else was first, or nobody is to get it.
    pub(super) async fn seal(self, newsletter: &Newsletter, plan: &Plan, send_at: DateTime<Utc>) -> Result<bool> {
        let Recipients::Instant(audience) = plan.to.clone() else { return Ok(false) };
        Ok(self.store.seal(audience, self.sealing(newsletter, plan, send_at)?).await?)
    }

    /// Freezes the plans of a digest run, all in one transaction. Gives the issues; none: the run is no longer as it
    /// was planned.
    pub(super) async fn seal_run(
        self,
        newsletter: &Newsletter,
        run: &DigestRun,
        plans: Vec<Plan>,
        send_at: DateTime<Utc>,
    ) -> Result<Vec<IssueId>> {
        let (mut sealings, mut issues) = (Vec::new(), Vec::new());
        for plan in plans {
            let sealing = self.sealing(newsletter, &plan, send_at)?;
            if let Recipients::Digest(readers) = plan.to {
                issues.push(sealing.id.clone());
                sealings.push((sealing, readers.groups));
            }
        }
        Ok(if self.store.seal_digests(run.clone(), sealings).await? { issues } else { Vec::new() })
    }

    fn sealing(self, newsletter: &Newsletter, plan: &Plan, send_at: DateTime<Utc>) -> Result<Sealing> {
        let id = IssueId::new(clock::new_id());
        let articles: Vec<&Article> = plan.articles.iter().filter_map(|id| self.edition.catalog.article(id)).collect();
        let composed = compose(self.edition, plan.purpose(self.edition, newsletter), &articles, &id)?;
        let named = |article: &&Article| Some((article.id.clone()?, article.title.clone()));
        Ok(Sealing {
            id,
            covers_to: plan.covers_to,
            plan: plan.id.clone().unwrap_or_default(),
            subject: composed.subject,
            from: newsletter.from.clone(),
            reply_to: newsletter.reply_to.clone(),
            list_title: newsletter.title.clone(),
            base_url: self.edition.base_url.clone(),
            web_page: composed.web_page,
            bodies: composed.bodies,
            articles: articles.iter().filter_map(named).collect(),
            send_at,
            sealed_at: self.now,
        })
    }

    /// Writes the delivery rows that are missing, chunk by chunk; after a crash it goes on where it was.
    pub async fn finish_sealings(self) -> Result<()> {
        while !self.write_some().await? {}
        Ok(())
    }

    /// Writes some of the delivery rows that are missing, for a second or so. Says whether none is missing any more.
    pub(super) async fn write_some(self) -> Result<bool> {
        const CHUNKS: usize = 30;
        let mut left = CHUNKS;
        for issue in self.store.unfinished_sealings().await? {
            while self.store.write_deliveries(&issue, self.now).await? {
                left -= 1;
                if left == 0 {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

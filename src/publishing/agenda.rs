//! Everything that is planned, newsletter by newsletter, for an editor to look at.

use crate::content::Article;
use crate::model::{ArticleId, Newsletter};
use crate::store::{Count, Standing};

use super::Office;
use super::plan::{Plan, Recipients, WaitsFor};
use super::refusal::Result;

impl Office<'_> {
    /// Everything that is planned, waits, or will not go by itself, newsletter by newsletter.
    pub async fn plans(self) -> Result<Vec<Plan>> {
        let mut plans = Vec::new();
        for newsletter in &self.edition.settings.newsletters {
            plans.extend(self.instant_plans(newsletter).await?);
            for run in self.store.waiting_digest_runs(&newsletter.id).await? {
                plans.extend(self.plan_run(newsletter, &run).await?.plans);
            }
            plans.extend(self.waiting_for_an_editor(newsletter).await?);
            plans.extend(self.scheduled(newsletter));
        }
        if self.edition.has_errors() {
            plans.iter_mut().filter(|plan| plan.id.is_some()).for_each(|plan| plan.waits_for = Some(WaitsFor::Errors));
        }
        Ok(plans)
    }

    /// What the ledger knows and no scheduler will ever send, by reason.
    async fn waiting_for_an_editor(self, newsletter: &Newsletter) -> Result<Vec<Plan>> {
        let entries = self.store.seen_articles(&newsletter.id).await?;
        let plan = |standing| {
            let articles: Vec<ArticleId> =
                entries.iter().filter(|entry| entry.standing == standing).map(|entry| entry.article.clone()).collect();
            (!articles.is_empty()).then(|| nothing_yet(newsletter, articles, WaitsFor::Editor(standing)))
        };
        Ok([Standing::BeforeStart, Standing::Late, Standing::Withdrawn].into_iter().filter_map(plan).collect())
    }

    /// What will go by itself when its date comes.
    fn scheduled(self, newsletter: &Newsletter) -> Vec<Plan> {
        let carried =
            self.edition.catalog.articles.iter().filter(|article| article.newsletters.contains(&newsletter.id));
        let by = self.now + self.edition.settings.sending.undo;
        let plan = |article: &Article| {
            let waits_for = WaitsFor::Date(article.date?);
            article.is_scheduled(by).then(|| nothing_yet(newsletter, article.id.iter().cloned().collect(), waits_for))
        };
        carried.filter_map(plan).collect()
    }
}

fn nothing_yet(newsletter: &Newsletter, articles: Vec<ArticleId>, waits_for: WaitsFor) -> Plan {
    Plan {
        id: None,
        newsletter: newsletter.id.clone(),
        to: Recipients::Nobody,
        articles,
        covers_to: 0,
        count: Count::default(),
        waits_for: Some(waits_for),
    }
}

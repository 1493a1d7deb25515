//! Everything that is planned, newsletter by newsletter, for an editor to look at.

use chrono::{DateTime, Utc};

use crate::content::Article;
use crate::model::{ArticleId, Newsletter};
use crate::press::Edition;
use crate::store::{Count, Standing, Store};

use super::digest::plan_run;
use super::plan::{Plan, Recipients, WaitsFor, instant_plans};
use super::refusal::SendError;

/// Everything that is planned, waits, or will not go by itself, newsletter by newsletter.
pub async fn plans(store: &Store, edition: &Edition, now: DateTime<Utc>) -> Result<Vec<Plan>, SendError> {
    let mut plans = Vec::new();
    for newsletter in &edition.settings.newsletters {
        plans.extend(instant_plans(store, edition, newsletter, now).await?);
        for run in store.waiting_digest_runs(&newsletter.id).await? {
            plans.extend(plan_run(store, edition, newsletter, &run, now).await?.plans);
        }
        plans.extend(waiting_for_an_editor(store, newsletter).await?);
        plans.extend(scheduled(edition, newsletter, now));
    }
    if edition.has_errors() {
        plans.iter_mut().filter(|plan| plan.id.is_some()).for_each(|plan| plan.waits_for = Some(WaitsFor::Errors));
    }
    Ok(plans)
}

/// What the ledger knows and no scheduler will ever send, by reason.
async fn waiting_for_an_editor(store: &Store, newsletter: &Newsletter) -> Result<Vec<Plan>, SendError> {
    let entries = store.seen_articles(&newsletter.id).await?;
    let reasons = [
        (Standing::BeforeStart, WaitsFor::BeforeStart),
        (Standing::Late, WaitsFor::Late),
        (Standing::Withdrawn, WaitsFor::Withdrawn),
    ];
    let plan = |(standing, waits_for)| {
        let articles: Vec<ArticleId> =
            entries.iter().filter(|entry| entry.standing == standing).map(|entry| entry.article.clone()).collect();
        (!articles.is_empty()).then(|| nothing_yet(newsletter, articles, waits_for))
    };
    Ok(reasons.into_iter().filter_map(plan).collect())
}

/// What will go by itself when its date comes.
fn scheduled(edition: &Edition, newsletter: &Newsletter, now: DateTime<Utc>) -> Vec<Plan> {
    let carried = edition.catalog.articles.iter().filter(|article| article.newsletters.contains(&newsletter.id));
    let by = now + edition.settings.sending.undo;
    let plan = |article: &Article| {
        let waits_for = WaitsFor::Date(article.date?);
        article.is_scheduled(by).then(|| nothing_yet(newsletter, article.id.iter().cloned().collect(), waits_for))
    };
    carried.filter_map(plan).collect()
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

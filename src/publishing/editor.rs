//! An editor's own word: send this now, take that back.

use chrono::{DateTime, Utc};

use crate::content::Article;
use crate::model::{IssueEvent, IssueId, IssueState, Newsletter};
use crate::press::Edition;
use crate::store::{IssueRow, Store};

use super::digest::{pass_over, plan_run};
use super::ledger::{enter_due_articles, enter_slots, enter_what_is_due};
use super::plan::{Plan, has_outgrown, instant_plans, plan_article};
use super::refusal::SendError;
use super::seal::{finish_sealings, seal, seal_run};

/// What became of an article in one newsletter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It goes to the instant readers with this issue; sealed now or before.
    Issue(IssueId),
    /// Nobody gets the newsletter at once; it will be in the next digests.
    NextDigest,
}

/// An editor's word that an article is owed to a newsletter's readers: it is sealed now and may go at once.
///
/// What was sealed before goes on where it was; after `cancel`, a new edition goes to exactly those not reached.
/// With a `plan`, nothing is sealed unless it is still what the editor saw.
pub async fn send_article(
    store: &Store,
    edition: &Edition,
    newsletter: &Newsletter,
    article: &Article,
    plan: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Sent, SendError> {
    check_article(edition, article, now)?;
    let id = article.id.clone().ok_or_else(|| SendError::refused(article, "it has no `id`"))?;
    enter_what_is_due(store, edition, now).await?;
    if let Some(issue) = store.editions(&newsletter.id, &id).await?.into_iter().next()
        && issue.state != IssueState::Cancelled
    {
        return go_on(store, &issue, now).await;
    }
    let fresh = plan_article(store, edition, newsletter, article).await?;
    check_plan(store, edition, &fresh, plan).await?;
    check_order(store, edition, newsletter, article, now).await?;
    let date = article.date.unwrap_or(now);
    store.owe(newsletter.id.clone(), id.clone(), date, now).await?;
    let numbered = plan_article(store, edition, newsletter, article).await?;
    if numbered.count.recipients == 0 && !numbered.is_correction() {
        store.skip_instant(&newsletter.id, &id).await?;
        return nobody_at_once(article, newsletter, &numbered);
    }
    finish_sealings(store, now).await?;
    seal(store, edition, newsletter, &numbered, now, now).await?;
    finish_sealings(store, now).await?;
    match store.editions(&newsletter.id, &id).await?.into_iter().next() {
        Some(issue) => go_on(store, &issue, now).await,
        None => Err(SendError::refuse(
            format!("another issue of newsletter `{}` is being prepared at this moment", newsletter.id),
            "run the command again",
        )),
    }
}

/// An editor's word that the digests of slots up to `at` go now, however late they are: sealed without waiting for an
/// approval or the undo time. Gives their issues.
pub async fn run_digests(
    store: &Store,
    edition: &Edition,
    newsletter: &Newsletter,
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<IssueId>, SendError> {
    enter_due_articles(store, edition, now).await?;
    enter_slots(store, newsletter, at, DateTime::<Utc>::MIN_UTC).await?;
    let mut issues = Vec::new();
    finish_sealings(store, now).await?;
    while let Some(run) = store.waiting_digest_runs(&newsletter.id).await?.into_iter().find(|run| run.slot_at <= at) {
        let planned = plan_run(store, edition, newsletter, &run, now).await?;
        if planned.plans.is_empty() {
            pass_over(store, &run, planned.nothing).await?;
        } else {
            issues.extend(seal_run(store, edition, newsletter, &run, planned.plans, (now, now)).await?);
        }
        finish_sealings(store, now).await?;
    }
    Ok(issues)
}

/// Either nobody wants the newsletter at once, or those who do came after this article or were served past it.
fn nobody_at_once(article: &Article, newsletter: &Newsletter, plan: &Plan) -> Result<Sent, SendError> {
    if plan.count.excluded.iter().all(|(reason, _)| *reason != "not owed") {
        return Ok(Sent::NextDigest);
    }
    Err(SendError::refuse(
        format!("whoever gets `{}` at once came after `{}` or was served past it", newsletter.id, article.path),
        "`pressrun issue test ARTICLE --to ADDRESS` shows the mail; to mail it to them all the same, give it a new `id`",
    ))
}

/// Takes back an article that waits for its instant issue: there will be none; the next digests still carry it.
pub async fn cancel(
    store: &Store,
    edition: &Edition,
    newsletter: &Newsletter,
    article: &Article,
    now: DateTime<Utc>,
) -> Result<(), SendError> {
    let id = article.id.clone().ok_or_else(|| SendError::refused(article, "it has no `id`"))?;
    if let Some(issue) = store.editions(&newsletter.id, &id).await?.into_iter().next() {
        finish_sealings(store, now).await?;
        let moved = store.move_issue(&issue.id, IssueEvent::Cancel, now).await?;
        return match moved {
            Some((_, Some(_))) => Ok(()),
            _ => Err(SendError::refuse(
                format!("issue `{}` is {} and cannot be cancelled", issue.id, issue.state.as_str()),
                "`pressrun issue list` shows what can still be stopped",
            )),
        };
    }
    enter_what_is_due(store, edition, now).await?;
    if store.skip_instant(&newsletter.id, &id).await? {
        return Ok(());
    }
    Err(SendError::refuse(
        format!("no mail of `{}` waits in newsletter `{}`", article.path, newsletter.id),
        "to keep a scheduled article from being mailed, change its `date` or set `draft: true`",
    ))
}

/// An issue that exists goes on where it was, without the rest of its undo time.
async fn go_on(store: &Store, issue: &IssueRow, now: DateTime<Utc>) -> Result<Sent, SendError> {
    if issue.state == IssueState::Paused {
        return Err(SendError::refuse(
            format!("issue `{}` is paused", issue.id),
            format!("`pressrun issue resume {}` lets it go on", issue.id),
        ));
    }
    store.hasten(&issue.id, now).await?;
    finish_sealings(store, now).await?;
    Ok(Sent::Issue(issue.id.clone()))
}

fn check_article(edition: &Edition, article: &Article, now: DateTime<Utc>) -> Result<(), SendError> {
    if edition.has_errors() {
        return Err(SendError::refuse(
            "nothing is sent while `check` reports errors",
            "run `pressrun check` and mend what it shows",
        ));
    }
    if article.is_published(now) {
        return Ok(());
    }
    let problem = if article.draft {
        format!("`{}` is a draft", article.path)
    } else if let Some(date) = article.date {
        format!("`{}` is scheduled for {}", article.path, date.format("%Y-%m-%d %H:%M UTC"))
    } else {
        format!("`{}` has no `date`", article.path)
    };
    Err(SendError::refuse(
        problem,
        "mail goes out for what is published: set its `date` to now or earlier, without `draft`",
    ))
}

/// Whether what the editor saw is still what would be sent.
async fn check_plan(store: &Store, edition: &Edition, fresh: &Plan, plan: Option<&str>) -> Result<(), SendError> {
    let Some(plan) = plan else { return Ok(()) };
    if fresh.id.as_deref() != Some(plan) {
        return Err(SendError::refuse(
            format!("plan `{plan}` is not what would be sent now: content, templates or settings moved"),
            "run `pressrun issue plan ARTICLE` again and look at it",
        ));
    }
    let Some(recipients) = store.shown_plan(plan).await? else {
        return Err(SendError::refuse(
            format!("plan `{plan}` was never shown"),
            "run `pressrun issue plan ARTICLE` and look at it",
        ));
    };
    if has_outgrown(recipients, fresh.count.recipients, edition.settings.sending.plan_drift) {
        return Err(SendError::refuse(
            format!("plan `{plan}` was for {recipients} readers, and now it would go to {}", fresh.count.recipients),
            "run `pressrun issue plan ARTICLE` again and look at it",
        ));
    }
    Ok(())
}

/// Numbers go out in their order: an earlier article that waits must be decided on first.
async fn check_order(
    store: &Store,
    edition: &Edition,
    newsletter: &Newsletter,
    article: &Article,
    now: DateTime<Utc>,
) -> Result<(), SendError> {
    let plans = instant_plans(store, edition, newsletter, now).await?;
    let first = plans.into_iter().find(|plan| plan.count.recipients > 0);
    let Some(earlier) = first.and_then(|plan| plan.articles.into_iter().next()) else { return Ok(()) };
    if article.id.as_ref() == Some(&earlier) {
        return Ok(());
    }
    let path = edition.catalog.article(&earlier).map_or(earlier.to_string(), |article| article.path.clone());
    Err(SendError::refuse(
        format!("`{path}` was published before it in newsletter `{}` and still waits", newsletter.id),
        format!(
            "first say `pressrun issue send {path}`, or `pressrun issue cancel {path}` if it is not to be mailed by itself"
        ),
    ))
}

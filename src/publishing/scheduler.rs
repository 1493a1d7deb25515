//! One turn of the scheduler: whatever has come due by now, and nothing else.

use chrono::{DateTime, Utc};

use crate::model::{IssueKind, Newsletter};
use crate::press::Edition;
use crate::store::{DigestRun, Store};

use super::ledger::enter_what_is_due;
use super::plan::{Plan, WaitsFor, digest_plans, instant_plans};
use super::refusal::SendError;
use super::seal::{finish_sealings, seal};

/// What one turn did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tick {
    /// Issues sealed.
    pub sealed: u64,
    /// Issues whose moment came.
    pub started: u64,
    /// Issues that came to rest.
    pub finished: u64,
    /// Newsletters in which something waits for an editor's approval.
    pub waiting: u64,
}

/// Enters what is due, seals what may go by itself, starts what was sealed before, ends what is at rest.
///
/// While sending is held nothing happens at all; while the edition has errors nothing new is sealed.
pub async fn tick(store: &Store, edition: &Edition, now: DateTime<Utc>) -> Result<Tick, SendError> {
    if store.held().await?.is_some() {
        return Ok(Tick::default());
    }
    let mut done = Tick::default();
    if !edition.has_errors() {
        enter_what_is_due(store, edition, now).await?;
        for newsletter in &edition.settings.newsletters {
            seal_instants(store, edition, newsletter, now, &mut done).await?;
            for run in store.waiting_digest_runs(&newsletter.id).await? {
                seal_run(store, edition, newsletter, &run, now, &mut done).await?;
            }
        }
    }
    finish_sealings(store, now).await?;
    done.started = store.start_due_issues(now).await?;
    done.finished = store.finish_issues(now).await?;
    Ok(done)
}

/// Seals instant issues in the order of their numbers, and stops at the first that must wait.
async fn seal_instants(
    store: &Store,
    edition: &Edition,
    newsletter: &Newsletter,
    now: DateTime<Utc>,
    done: &mut Tick,
) -> Result<(), SendError> {
    // Each sealing can change what holds the next one, so the plans are made anew every time.
    while let Some(plan) = instant_plans(store, edition, newsletter, now).await?.into_iter().next() {
        match plan.waits_for {
            Some(WaitsFor::Digest) => skip(store, newsletter, &plan).await?,
            Some(_) => {
                done.waiting += 1;
                break;
            }
            None if seal_automatic(store, edition, newsletter, &plan, now).await? => done.sealed += 1,
            None => break, // another scheduler was first; its next turn goes on
        }
        finish_sealings(store, now).await?;
    }
    Ok(())
}

async fn skip(store: &Store, newsletter: &Newsletter, plan: &Plan) -> Result<(), SendError> {
    for article in &plan.articles {
        store.skip_instant(&newsletter.id, article).await?;
    }
    Ok(())
}

/// Seals the issues of one digest run, as far as nothing holds them, and ends the run when none is left.
async fn seal_run(
    store: &Store,
    edition: &Edition,
    newsletter: &Newsletter,
    run: &DigestRun,
    now: DateTime<Utc>,
    done: &mut Tick,
) -> Result<(), SendError> {
    let before = done.sealed;
    loop {
        let plans = digest_plans(store, edition, newsletter, now).await?;
        let Some(plan) = plans.into_iter().find(|plan| plan.run.as_ref() == Some(run)) else {
            return Ok(store.end_digest_run(run, done.sealed > before).await?);
        };
        if plan.waits_for.is_some() {
            done.waiting += 1;
            return Ok(());
        }
        if !seal_automatic(store, edition, newsletter, &plan, now).await? {
            return Ok(());
        }
        done.sealed += 1;
        finish_sealings(store, now).await?;
    }
}

/// Seals a plan that nobody asked for by hand: it is held for the undo time, but not past its own moment.
async fn seal_automatic(
    store: &Store,
    edition: &Edition,
    newsletter: &Newsletter,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<bool, SendError> {
    let moment = match (plan.kind, &plan.run) {
        (IssueKind::Digest, Some(run)) => Some(run.slot_at),
        _ => plan.articles.first().and_then(|id| edition.catalog.article(id)).and_then(|article| article.date),
    };
    let send_at = moment.map_or(now, |moment| moment.max(now)).max(now + edition.settings.sending.undo);
    seal(store, edition, newsletter, plan, send_at, now).await
}

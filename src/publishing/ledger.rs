//! First sight: what is out and not yet known enters the publication ledger.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::config::Settings;
use crate::content::{Article, Catalog};
use crate::model::{ArticleId, Cadence, Newsletter};
use crate::press::Edition;
use crate::store::{Sighting, Standing, Store, StoreError};

/// Enters what is due now, newsletter by newsletter, and takes back what is no longer out.
///
/// A newsletter's first time mails nothing: whatever is out by then is before its start. Later, what is first seen
/// more than `max-lateness` after its date is late and waits for an editor. A scheduled article is due its undo time
/// before its date, so that it can be taken back and still goes on time.
///
/// Nothing is entered while sending is held or the edition has errors, whoever asks.
pub async fn enter_what_is_due(store: &Store, edition: &Edition, now: DateTime<Utc>) -> Result<(), StoreError> {
    if edition.has_errors() || store.held().await?.is_some() {
        return Ok(());
    }
    let (settings, catalog) = (&edition.settings, &edition.catalog);
    let earliest_in_time = now - settings.sending.max_lateness;
    for newsletter in &settings.newsletters {
        let due = due_articles(catalog, newsletter, now + settings.sending.undo);
        if enter_newsletter(store, settings, newsletter, &due, now).await? {
            continue;
        }
        enter_unseen(store, newsletter, &due, |date| date >= earliest_in_time, now).await?;
        take_back(store, newsletter, &due, edition.read_at).await?;
        enter_slots(store, settings, newsletter, now).await?;
    }
    Ok(())
}

/// Enters the newsletters that this database has never seen, with whatever is out by now as before their start.
pub async fn enter_new_newsletters(
    store: &Store,
    settings: &Settings,
    catalog: &Catalog,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for newsletter in &settings.newsletters {
        let due = due_articles(catalog, newsletter, now);
        enter_newsletter(store, settings, newsletter, &due, now).await?;
    }
    Ok(())
}

/// Enters what is out and unknown as late, whatever its date, and takes the slots that have come for missed: when a
/// database comes back from elsewhere, nobody knows what its other life has mailed since.
pub async fn enter_as_late(
    store: &Store,
    settings: &Settings,
    catalog: &Catalog,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for newsletter in &settings.newsletters {
        let due = due_articles(catalog, newsletter, now);
        if !enter_newsletter(store, settings, newsletter, &due, now).await? {
            enter_unseen(store, newsletter, &due, |_| false, now).await?;
        }
        for (cadence, slot_at) in last_slots(newsletter, now + settings.sending.undo) {
            store.enter_digest_run(newsletter.id.clone(), cadence, slot_at, false).await?;
        }
    }
    store.leave_to_editors().await
}

/// A newsletter's articles that are out at `by`, the oldest first, with their ids and dates.
fn due_articles<'a>(
    catalog: &'a Catalog,
    newsletter: &Newsletter,
    by: DateTime<Utc>,
) -> Vec<(&'a ArticleId, DateTime<Utc>)> {
    let carried = |article: &&Article| article.newsletters.contains(&newsletter.id);
    let mut due: Vec<_> = catalog
        .published(by)
        .filter(carried)
        .filter_map(|article| Some((article.id.as_ref()?, article.date?)))
        .collect();
    due.sort_by_key(|(_, date)| *date);
    due
}

async fn enter_newsletter(
    store: &Store,
    settings: &Settings,
    newsletter: &Newsletter,
    due: &[(&ArticleId, DateTime<Utc>)],
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let already_due = due.iter().filter(|(_, date)| *date <= now).map(|(id, date)| ((*id).clone(), *date)).collect();
    let past_slots = last_slots(newsletter, now + settings.sending.undo).collect();
    store.enter_newsletter(newsletter.id.clone(), already_due, past_slots, now).await
}

async fn enter_unseen(
    store: &Store,
    newsletter: &Newsletter,
    due: &[(&ArticleId, DateTime<Utc>)],
    is_in_time: impl Fn(DateTime<Utc>) -> bool,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let entries = store.seen_articles(&newsletter.id).await?;
    let known: HashMap<&ArticleId, Standing> = entries.iter().map(|entry| (&entry.article, entry.standing)).collect();
    let sightings: Vec<Sighting> = due
        .iter()
        .filter(|(id, _)| !known.contains_key(id))
        .map(|(id, date)| Sighting { article: (*id).clone(), published_at: *date, in_time: is_in_time(*date) })
        .collect();
    if sightings.is_empty() { Ok(()) } else { store.enter_articles(newsletter.id.clone(), sightings, now).await }
}

/// What was owed and is out no longer (a draft again, its date moved, its file gone) is withdrawn before it is sealed.
/// What was entered after this folder was read is left alone: somebody has read a newer one.
async fn take_back(
    store: &Store,
    newsletter: &Newsletter,
    due: &[(&ArticleId, DateTime<Utc>)],
    read_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    for entry in store.seen_articles(&newsletter.id).await? {
        if entry.instant_waits && entry.first_seen_at <= read_at && !due.iter().any(|(id, _)| **id == entry.article) {
            store.withdraw(&newsletter.id, &entry.article).await?;
        }
    }
    Ok(())
}

async fn enter_slots(
    store: &Store,
    settings: &Settings,
    newsletter: &Newsletter,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for (cadence, slot_at) in last_slots(newsletter, now + settings.sending.undo) {
        let in_time = now - slot_at <= settings.sending.max_lateness;
        store.enter_digest_run(newsletter.id.clone(), cadence, slot_at, in_time).await?;
    }
    Ok(())
}

/// The latest slot of each digest that has come by `by`.
fn last_slots(newsletter: &Newsletter, by: DateTime<Utc>) -> impl Iterator<Item = (Cadence, DateTime<Utc>)> {
    let slot = move |cadence| Some((cadence, newsletter.digest_time.last_slot(cadence, by)?));
    [Cadence::Daily, Cadence::Weekly].into_iter().filter_map(slot)
}

//! First sight: what is out and not yet known enters the publication ledger.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use crate::config::Settings;
use crate::content::{Article, Catalog};
use crate::model::{ArticleId, Cadence, Newsletter, Rhythm};
use crate::press::Edition;
use crate::store::{KnownRhythm, Sighting, Standing, Store, StoreError};

/// Enters what is due now, newsletter by newsletter, and takes back what is no longer out.
///
/// A newsletter's first time mails nothing: whatever is out by then is before its start. Later, what is first seen
/// more than `max-lateness` after its date is late and waits for an editor. A scheduled article is due its undo time
/// before its date, so that it can be taken back and still goes on time.
///
/// Nothing is entered while sending is held or the edition has errors, whoever asks.
pub async fn enter_what_is_due(store: &Store, edition: &Edition, now: DateTime<Utc>) -> Result<(), StoreError> {
    let sending = &edition.settings.sending;
    for newsletter in enter_due_articles(store, edition, now).await? {
        enter_slots(store, newsletter, now + sending.undo, now - sending.max_lateness).await?;
    }
    Ok(())
}

/// Enters the articles that are due now, and takes back what is no longer out. Gives the newsletters that were known
/// before, unless nothing may be entered.
pub(super) async fn enter_due_articles<'a>(
    store: &Store,
    edition: &'a Edition,
    now: DateTime<Utc>,
) -> Result<Vec<&'a Newsletter>, StoreError> {
    let mut known = Vec::new();
    if edition.has_errors() || store.held().await?.is_some() {
        return Ok(known);
    }
    let (settings, catalog) = (&edition.settings, &edition.catalog);
    let earliest_in_time = now - settings.sending.max_lateness;
    for newsletter in &settings.newsletters {
        let due = due_articles(catalog, newsletter, now + settings.sending.undo);
        if enter_newsletter(store, newsletter, &due, now).await? {
            continue;
        }
        take_back(store, edition, newsletter, &due).await?;
        enter_unseen(store, newsletter, &due, |date| date >= earliest_in_time, now).await?;
        known.push(newsletter);
    }
    Ok(known)
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
        enter_newsletter(store, newsletter, &due, now).await?;
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
        if !enter_newsletter(store, newsletter, &due, now).await? {
            enter_unseen(store, newsletter, &due, |_| false, now).await?;
        }
        store.pass_slots(&newsletter.id, now + settings.sending.undo).await?;
    }
    store.leave_to_editors().await
}

/// A newsletter's articles that are out at `by`, the oldest first, with their ids and dates.
pub(super) fn due_articles<'a>(
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
    newsletter: &Newsletter,
    due: &[(&ArticleId, DateTime<Utc>)],
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let already_due = due.iter().filter(|(_, date)| *date <= now).map(|(id, date)| ((*id).clone(), *date)).collect();
    store.enter_newsletter(newsletter.id.clone(), already_due, now).await
}

async fn enter_unseen(
    store: &Store,
    newsletter: &Newsletter,
    due: &[(&ArticleId, DateTime<Utc>)],
    is_in_time: impl Fn(DateTime<Utc>) -> bool,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let entries = store.seen_articles(&newsletter.id).await?;
    let known: HashSet<&ArticleId> = entries.iter().map(|entry| &entry.article).collect();
    let sightings: Vec<Sighting> = due
        .iter()
        .filter(|(id, _)| !known.contains(id))
        .map(|(id, date)| Sighting { article: (*id).clone(), published_at: *date, in_time: is_in_time(*date) })
        .collect();
    if sightings.is_empty() { Ok(()) } else { store.enter_articles(newsletter.id.clone(), sightings, now).await }
}

/// What was owed and is out no longer (a draft again, its file gone) is withdrawn before it is sealed. What is dated
/// later now, and was never mailed, is forgotten: it is seen anew when its date comes. What was entered after this
/// folder was read is left alone: somebody has read a newer one.
async fn take_back(
    store: &Store,
    edition: &Edition,
    newsletter: &Newsletter,
    due: &[(&ArticleId, DateTime<Utc>)],
) -> Result<(), StoreError> {
    let due: HashSet<&ArticleId> = due.iter().map(|(id, _)| *id).collect();
    for entry in store.seen_articles(&newsletter.id).await? {
        if !entry.is_unsealed || entry.first_seen_at > edition.read_at || due.contains(&entry.article) {
            continue;
        }
        let article = edition.catalog.article(&entry.article);
        if article.is_some_and(|article| article.is_scheduled(edition.read_at)) {
            store.forget_article(&newsletter.id, &entry.article).await?;
        } else if entry.standing == Standing::Owed {
            store.withdraw(&newsletter.id, &entry.article).await?;
        }
    }
    Ok(())
}

/// Enters the runs of the slots that have come by `by`: for each rhythm its last, unless it had a run before. Slots
/// before `earliest` are missed.
pub(super) async fn enter_slots(
    store: &Store,
    newsletter: &Newsletter,
    by: DateTime<Utc>,
    earliest: DateTime<Utc>,
) -> Result<(), StoreError> {
    for ((cadence, slot_at), rhythms) in come_slots(&store.rhythms(&newsletter.id).await?, newsletter, by) {
        let in_time = slot_at >= earliest;
        store.enter_digest_run(newsletter.id.clone(), cadence, slot_at, rhythms, in_time).await?;
    }
    Ok(())
}

/// The last slots that have come by `by` and had no run, with their rhythms.
pub(super) fn come_slots(
    rhythms: &[KnownRhythm],
    newsletter: &Newsletter,
    by: DateTime<Utc>,
) -> BTreeMap<(Cadence, DateTime<Utc>), Vec<String>> {
    let mut come: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for known in rhythms {
        let Some(rhythm) = Rhythm::parse(&known.key) else { continue };
        let slot = rhythm.time(&newsletter.digest_time).last_slot(rhythm.cadence, by);
        if let Some(slot_at) = slot.filter(|slot_at| *slot_at > known.slot_at) {
            come.entry((rhythm.cadence, slot_at)).or_default().push(known.key.clone());
        }
    }
    come
}

/// The first slot of any of these rhythms after `by`.
pub(super) fn next_slot(rhythms: &[KnownRhythm], newsletter: &Newsletter, by: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let rhythms = rhythms.iter().filter_map(|known| Rhythm::parse(&known.key));
    rhythms.filter_map(|rhythm| rhythm.time(&newsletter.digest_time).next_slot(rhythm.cadence, by)).min()
}

//! First sight: what is out and not yet known enters the publication ledger.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use crate::content::Article;
use crate::model::{ArticleId, Cadence, Newsletter, Rhythm};
use crate::store::{KnownRhythm, Sighting, Standing};

use super::Office;
use super::refusal::Result;

/// An article that is out, and its date.
type Due<'a> = (&'a ArticleId, DateTime<Utc>);

impl<'a> Office<'a> {
    /// Enters what is due now, newsletter by newsletter, and takes back what is no longer out.
    ///
    /// A newsletter's first time mails nothing: whatever is out by then is before its start. Later, what is first seen
    /// more than `max-lateness` after its date is late and waits for an editor. A scheduled article is due its undo
    /// time before its date, so that it can be taken back and still goes on time.
    ///
    /// Nothing is entered while sending is held or the edition has errors, whoever asks.
    pub async fn enter_what_is_due(self) -> Result<()> {
        let sending = &self.edition.settings.sending;
        self.store.keep_openings(&self.edition.settings.billing.plans).await?;
        for newsletter in self.enter_due_articles().await? {
            self.enter_slots(newsletter, self.now + sending.undo, self.now - sending.max_lateness).await?;
        }
        Ok(())
    }

    /// Enters the articles that are due now, and takes back what is no longer out. Gives the newsletters that were
    /// known before, unless nothing may be entered.
    pub(super) async fn enter_due_articles(self) -> Result<Vec<&'a Newsletter>> {
        let mut known = Vec::new();
        if self.edition.has_errors() || self.store.held().await?.is_some() {
            return Ok(known);
        }
        let settings = &self.edition.settings;
        for newsletter in &settings.newsletters {
            let due = self.due_articles(newsletter, self.now + settings.sending.undo);
            if self.enter_newsletter(newsletter, &due).await? {
                continue;
            }
            self.take_back(newsletter, &due).await?;
            self.enter_unseen(newsletter, &due, self.now - settings.sending.max_lateness).await?;
            known.push(newsletter);
        }
        Ok(known)
    }

    /// Enters the newsletters that this database has never seen, with whatever is out by now as before their start.
    pub async fn enter_new_newsletters(self) -> Result<()> {
        for newsletter in &self.edition.settings.newsletters {
            self.enter_newsletter(newsletter, &self.due_articles(newsletter, self.now)).await?;
        }
        Ok(self.store.keep_openings(&self.edition.settings.billing.plans).await?)
    }

    /// Enters what is out and unknown as late, whatever its date, and takes the slots that have come for missed: when a
    /// database comes back from elsewhere, nobody knows what its other life has mailed since.
    pub async fn enter_as_late(self) -> Result<()> {
        for newsletter in &self.edition.settings.newsletters {
            let due = self.due_articles(newsletter, self.now);
            if !self.enter_newsletter(newsletter, &due).await? {
                self.enter_unseen(newsletter, &due, DateTime::<Utc>::MAX_UTC).await?;
            }
            self.store.pass_slots(&newsletter.id, self.now + self.edition.settings.sending.undo).await?;
        }
        Ok(self.store.leave_to_editors().await?)
    }

    /// A newsletter's articles that are out at `by`, the oldest first, with their ids and dates.
    pub(super) fn due_articles(self, newsletter: &Newsletter, by: DateTime<Utc>) -> Vec<Due<'a>> {
        let carried = |article: &&Article| article.newsletters.contains(&newsletter.id);
        let published = self.edition.catalog.published(by).filter(carried);
        let mut due: Vec<_> = published.filter_map(|article| Some((article.id.as_ref()?, article.date?))).collect();
        due.sort_by_key(|(_, date)| *date);
        due
    }

    /// At its first time, with what was out by then. Says whether that was now.
    async fn enter_newsletter(self, newsletter: &Newsletter, due: &[Due<'_>]) -> Result<bool> {
        let already_due =
            due.iter().filter(|(_, date)| *date <= self.now).map(|(id, date)| ((*id).clone(), *date)).collect();
        Ok(self.store.enter_newsletter(newsletter.id.clone(), already_due, self.now).await?)
    }

    /// What is dated before `earliest` is late.
    async fn enter_unseen(self, newsletter: &Newsletter, due: &[Due<'_>], earliest: DateTime<Utc>) -> Result<()> {
        let entries = self.store.seen_articles(&newsletter.id).await?;
        let known: HashSet<&ArticleId> = entries.iter().map(|entry| &entry.article).collect();
        let sightings: Vec<Sighting> = due
            .iter()
            .filter(|(id, _)| !known.contains(id))
            .map(|(id, date)| Sighting { article: (*id).clone(), published_at: *date, in_time: *date >= earliest })
            .collect();
        if !sightings.is_empty() {
            self.store.enter_articles(newsletter.id.clone(), sightings, self.now).await?;
        }
        Ok(())
    }

    /// What was owed and is out no longer (a draft again, its file gone) is withdrawn before it is sealed. What is
    /// dated later now, and was never mailed, is forgotten: it is seen anew when its date comes. What was entered after
    /// this folder was read is left alone: somebody has read a newer one.
    async fn take_back(self, newsletter: &Newsletter, due: &[Due<'_>]) -> Result<()> {
        let due: HashSet<&ArticleId> = due.iter().map(|(id, _)| *id).collect();
        for entry in self.store.seen_articles(&newsletter.id).await? {
            if !entry.is_unsealed || entry.first_seen_at > self.edition.read_at || due.contains(&entry.article) {
                continue;
            }
            let article = self.edition.catalog.article(&entry.article);
            if article.is_some_and(|article| article.is_scheduled(self.edition.read_at)) {
                self.store.forget_article(&newsletter.id, &entry.article).await?;
            } else if entry.standing == Standing::Owed {
                self.store.withdraw(&newsletter.id, &entry.article).await?;
            }
        }
        Ok(())
    }

    /// Enters the runs of the slots that have come by `by`: for each rhythm its last, unless it had a run before. Slots
    /// before `earliest` are missed.
    pub(super) async fn enter_slots(
        self,
        newsletter: &Newsletter,
        by: DateTime<Utc>,
        earliest: DateTime<Utc>,
    ) -> Result<()> {
        for ((cadence, slot_at), rhythms) in come_slots(&self.store.rhythms(&newsletter.id).await?, newsletter, by) {
            let in_time = slot_at >= earliest;
            self.store.enter_digest_run(newsletter.id.clone(), cadence, slot_at, rhythms, in_time).await?;
        }
        Ok(())
    }
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

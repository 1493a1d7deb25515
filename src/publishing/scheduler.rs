//! One turn of the scheduler: whatever has come due by now, and nothing else.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::Newsletter;
use crate::store::DigestRun;

use super::Office;
use super::ledger::next_slot;
use super::plan::WaitsFor;
use super::refusal::Result;

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
    /// Whether there is more to do at once: the next turn should not wait.
    pub is_unfinished: bool,
    /// Since when others have newer content, so that nothing is sealed from this.
    pub behind_since: Option<DateTime<Utc>>,
}

/// What the scheduler remembers from turn to turn, to save work: with a new one, a turn does the same.
///
/// Until `wake_at`, nothing is planned unless the publication, an approval or a reader's new rhythm asks for it.
#[derive(Debug, Default)]
pub struct Memory {
    place: String,
    seen: Option<(String, bool, (i64, i64))>,
    wake_at: DateTime<Utc>,
    waiting: u64,
}

impl Memory {
    /// The longest that nothing is planned although nothing is known to change.
    const IDLE: TimeDelta = TimeDelta::hours(1);
    /// How soon what waits for an approval is counted and rendered again: its brake may open by itself.
    const WAITING: TimeDelta = TimeDelta::minutes(1);

    /// Nothing yet, of a scheduler at `place`: a machine and the publication's folder on it.
    pub fn at(place: String) -> Memory {
        Memory { place, ..Memory::default() }
    }

    /// Before this moment there is nothing to plan.
    pub fn wake_at(&self) -> DateTime<Utc> {
        self.wake_at
    }

    /// Whether there may be something to plan. Content that somebody has newer is not planned from at all.
    async fn is_time(&mut self, office: Office<'_>, done: &mut Tick) -> Result<bool> {
        let Office { store, edition, now } = office;
        if self.seen.as_ref().is_none_or(|(revision, ..)| *revision != edition.revision) {
            store.see_revision(&self.place, &edition.content_revision, now).await?;
        }
        done.behind_since = store.superseded_at(&edition.content_revision).await?;
        if done.behind_since.is_some() {
            self.seen = Some((edition.revision.clone(), true, (0, 0)));
            return Ok(false);
        }
        let seen = Some((edition.revision.clone(), edition.has_errors(), store.planning_mark().await?));
        let is_time = now >= self.wake_at || self.wake_at > now + Self::IDLE || seen != self.seen;
        self.seen = seen;
        Ok(is_time)
    }

    /// Sleeps until the next date, the next slot, or for a while.
    async fn rest(&mut self, office: Office<'_>, done: Tick) -> Result<()> {
        let Office { store, edition, now } = office;
        let undo = edition.settings.sending.undo;
        let mut next = edition.catalog.next_publication(now + undo);
        for newsletter in &edition.settings.newsletters {
            let slot_at = next_slot(&store.rhythms(&newsletter.id).await?, newsletter, now + undo);
            next = [next, slot_at].into_iter().flatten().min();
        }
        let longest = now + if done.waiting > 0 { Self::WAITING } else { Self::IDLE };
        self.wake_at = next.map_or(longest, |next| longest.min(next - undo));
        self.waiting = done.waiting;
        Ok(())
    }
}

impl Office<'_> {
    /// Enters what is due, seals what may go by itself, starts what was sealed before, ends what is at rest.
    ///
    /// While sending is held nothing happens at all; while the edition has errors, or others have newer content,
    /// nothing new is sealed. A turn ends within seconds, whatever there is to write; then `is_unfinished` asks for
    /// another one.
    pub async fn tick(self, memory: &mut Memory) -> Result<Tick> {
        if self.store.held().await?.is_some() {
            *memory = Memory::at(std::mem::take(&mut memory.place));
            return Ok(Tick::default());
        }
        let mut done = Tick { waiting: memory.waiting, ..Tick::default() };
        if !self.write_some().await? {
            done.is_unfinished = true;
        } else if !self.edition.has_errors() && memory.is_time(self, &mut done).await? {
            done.waiting = 0;
            memory.wake_at = self.now;
            self.enter_what_is_due().await?;
            for newsletter in &self.edition.settings.newsletters {
                self.seal_instants(newsletter, &mut done).await?;
                for run in self.store.waiting_digest_runs(&newsletter.id).await? {
                    self.serve_run(newsletter, &run, &mut done).await?;
                }
            }
            done.is_unfinished |= !self.store.unfinished_sealings().await?.is_empty();
            if !done.is_unfinished {
                memory.rest(self, done).await?;
            }
        }
        done.started = self.store.start_due_issues(self.now).await?;
        done.finished = self.store.finish_issues(self.now).await?;
        Ok(done)
    }

    /// Seals instant issues in the order of their numbers, and stops at the first that must wait.
    async fn seal_instants(self, newsletter: &Newsletter, done: &mut Tick) -> Result<()> {
        // Each sealing can change what holds the next one, so each is planned when its turn has come.
        for (sequence, article) in self.waiting_articles(newsletter).await? {
            let Some(id) = &article.id else { continue };
            if !self.store.has_instant_readers(&newsletter.id, sequence).await? {
                self.store.skip_instant(&newsletter.id, id).await?;
                continue;
            }
            let plan = self.next_instant(newsletter, article, sequence).await?;
            match plan.waits_for {
                Some(WaitsFor::Digest) => {
                    while self.store.pass_instant_readers(&newsletter.id, sequence).await? {}
                    self.store.skip_instant(&newsletter.id, id).await?;
                    continue;
                }
                Some(_) => {
                    done.waiting += 1;
                    break;
                }
                None => {}
            }
            if !self.seal(newsletter, &plan, self.send_at(article.date)).await? {
                break; // another scheduler was first; its next turn goes on
            }
            done.sealed += 1;
            if !self.write_some().await? {
                done.is_unfinished = true;
                break;
            }
        }
        Ok(())
    }

    /// Seals the issues of one digest run, unless something holds it, moves on the readers to whom it brings nothing,
    /// and ends it when nobody is left: whoever changes their choices meanwhile is found by asking again.
    async fn serve_run(self, newsletter: &Newsletter, run: &DigestRun, done: &mut Tick) -> Result<()> {
        let planned = self.plan_run(newsletter, run).await?;
        if planned.plans.iter().any(|plan| plan.waits_for.is_some()) {
            done.waiting += 1;
        } else if planned.plans.is_empty() {
            done.is_unfinished |= self.pass_over(run, planned.nothing).await?;
        } else {
            let send_at = self.send_at(Some(run.slot_at));
            let issues = self.seal_run(newsletter, run, planned.plans, send_at).await?;
            done.sealed += u64::try_from(issues.len()).unwrap_or(u64::MAX);
            self.write_some().await?;
            done.is_unfinished = true;
        }
        Ok(())
    }

    /// What nobody asked for by hand is held for the undo time, but not past its own moment.
    fn send_at(self, moment: Option<DateTime<Utc>>) -> DateTime<Utc> {
        moment.map_or(self.now, |moment| moment.max(self.now)).max(self.now + self.edition.settings.sending.undo)
    }
}

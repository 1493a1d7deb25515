//! What the readers of one digest run get: one issue for each set of articles that anybody is owed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::content::Article;
use crate::model::{ArticleId, Brake, IssueId, Newsletter, meets_topics};
use crate::store::{Count, DigestRun, Entry, Group, Standing};

use super::Office;
use super::compose::{Purpose, compose};
use super::ledger::come_slots;
use super::plan::{NO_ID, Plan, Readers, Recipients, WaitsFor, plan_id};
use super::refusal::Result;

/// How many articles a digest has at most: the latest. What more there is stands in the archive.
const MOST: usize = 20;

/// What is to be done about a run.
pub(super) struct RunPlan {
    /// Its issues.
    pub plans: Vec<Plan>,
    /// Readers to whom it brings nothing.
    pub nothing: Vec<Group>,
}

/// Readers who get the same.
struct Share<'a> {
    articles: Vec<&'a Article>,
    more: usize,
    groups: Vec<Group>,
}

impl<'a> Office<'a> {
    /// The digests of a newsletter that are due at `at` and not sealed: those of runs that wait, and of slots that will
    /// have come by then, with what will be out. Nothing is written.
    pub async fn digest_plans(self, newsletter: &Newsletter, at: DateTime<Utc>) -> Result<Vec<Plan>> {
        let come = come_slots(&self.store.rhythms(&newsletter.id).await?, newsletter, at);
        let mut entries = self.store.seen_articles(&newsletter.id).await?;
        let mut runs = self.store.waiting_digest_runs(&newsletter.id).await?;
        runs.retain(|run| run.slot_at <= at);
        for run in &mut runs {
            run.rhythms.retain(|rhythm| come.values().all(|rhythms| !rhythms.contains(rhythm)));
        }
        // What is not in the ledger yet has no number, and comes after everything that has.
        let mut number = i64::MAX / 2;
        for (article, date) in self.due_articles(newsletter, at) {
            let is_new = entries.iter().all(|entry| entry.article != *article);
            if is_new && date >= self.now - self.edition.settings.sending.max_lateness {
                number += 1;
                entries.push(Entry::foreseen(article.clone(), number, date));
            }
        }
        for ((cadence, slot_at), rhythms) in come {
            let (newsletter, covers_to) = (newsletter.id.clone(), i64::MAX);
            runs.push(DigestRun { newsletter, cadence, slot_at, covers_to, issues: 0, rhythms });
        }
        let mut plans = Vec::new();
        for run in runs {
            let out_by = run.slot_at.max(self.now + self.edition.settings.sending.undo);
            plans.extend(self.plan_with(newsletter, &run, &entries, out_by).await?.plans);
        }
        Ok(plans)
    }

    /// Plans one run, and what holds it: the run as a whole, until something of it was sealed.
    pub(super) async fn plan_run(self, newsletter: &Newsletter, run: &DigestRun) -> Result<RunPlan> {
        let entries = self.store.seen_articles(&newsletter.id).await?;
        self.plan_with(newsletter, run, &entries, self.now + self.edition.settings.sending.undo).await
    }

    async fn plan_with(
        self,
        newsletter: &Newsletter,
        run: &DigestRun,
        entries: &[Entry],
        out_by: DateTime<Utc>,
    ) -> Result<RunPlan> {
        let owed = self.owed_articles(entries, run, out_by);
        let (shares, mut nothing) = shares(&owed, self.store.digest_groups(run).await?);
        let mut plans = Vec::new();
        for share in shares {
            if count(&share.groups).recipients > 0 {
                plans.push(self.digest_plan(newsletter, run, share)?);
            } else {
                nothing.extend(share.groups);
            }
        }
        nothing.retain(|group| group.readers > 0);
        if run.issues == 0 {
            self.brake_run(newsletter, &mut plans).await?;
        }
        Ok(RunPlan { plans, nothing })
    }

    /// A run waits while any of its issues waits.
    async fn brake_run(self, newsletter: &Newsletter, plans: &mut [Plan]) -> Result<()> {
        let recipients = plans.iter().map(|plan| plan.count.recipients).sum();
        let (largest, _) = self.store.sending_record(&newsletter.id, self.now - Brake::WINDOW).await?;
        let Some(brake) = Brake::on(newsletter.send, recipients, largest, 0) else { return Ok(()) };
        for plan in plans {
            if !self.is_approved(plan).await? {
                plan.waits_for = Some(WaitsFor::Approval(brake.clone()));
            }
        }
        Ok(())
    }

    /// What a run's readers may be owed at all, by number: numbered up to the run's boundary, and out.
    fn owed_articles(self, entries: &[Entry], run: &DigestRun, out_by: DateTime<Utc>) -> Vec<(i64, &'a Article)> {
        let numbered = |entry: &Entry| {
            let sequence = entry.sequence.filter(|sequence| *sequence <= run.covers_to)?;
            let article = self.edition.catalog.article(&entry.article)?;
            (entry.standing == Standing::Owed && article.is_published(out_by)).then_some((sequence, article))
        };
        entries.iter().filter_map(numbered).collect()
    }

    fn digest_plan(self, newsletter: &Newsletter, run: &DigestRun, share: Share<'_>) -> Result<Plan> {
        let Share { articles, more, groups } = share;
        let purpose = Purpose { newsletter, cadence: run.cadence, at: run.slot_at, more };
        let composed = compose(self.edition, purpose, &articles, &IssueId::new(NO_ID))?;
        let ids: Vec<ArticleId> = articles.iter().filter_map(|article| article.id.clone()).collect();
        let set: Vec<&str> = ids.iter().map(ArticleId::as_str).collect();
        let rule = format!("{}/{}/{}", run.cadence.as_str(), newsletter.id, set.join(","));
        Ok(Plan {
            id: Some(plan_id(&rule, &composed)),
            newsletter: newsletter.id.clone(),
            articles: ids,
            covers_to: run.covers_to,
            count: count(&groups),
            to: Recipients::Digest(Readers { run: run.clone(), groups, more }),
            waits_for: None,
        })
    }

    /// Moves on the readers to whom a run brings nothing, and ends it if there were none. Says whether it goes on.
    pub(super) async fn pass_over(self, run: &DigestRun, nothing: Vec<Group>) -> Result<bool> {
        if nothing.is_empty() {
            while self.store.let_go_over(run).await? {}
            self.store.end_digest_run(run).await?;
            return Ok(false);
        }
        let mut left = nothing;
        while !left.is_empty() {
            left = self.store.pass_over(run, left).await?;
        }
        Ok(true)
    }
}

/// Divides a run's groups by the set of articles that each is owed; and the groups that are owed none.
fn shares<'a>(owed: &[(i64, &'a Article)], groups: Vec<Group>) -> (Vec<Share<'a>>, Vec<Group>) {
    let mut sets: BTreeMap<(Vec<usize>, usize), Vec<Group>> = BTreeMap::new();
    for group in groups {
        let first = owed.partition_point(|(sequence, _)| *sequence <= group.covered_to);
        let wanted = (first..owed.len()).rev().filter(|index| meets_topics(&group.topics, &owed[*index].1.tags));
        let (mut set, mut more) = (Vec::new(), 0);
        for index in wanted {
            if set.len() < MOST { set.push(index) } else { more += 1 }
        }
        sets.entry((set, more)).or_default().push(group);
    }
    let nothing = sets.remove(&(Vec::new(), 0)).unwrap_or_default();
    let share = |((set, more), groups): ((Vec<usize>, usize), Vec<Group>)| {
        let articles = in_order(set.into_iter().map(|index| owed[index].1).collect());
        Share { articles, more, groups }
    };
    (sets.into_iter().map(share).collect(), nothing)
}

/// From the latest first to the order of a digest: the lead, which is what is featured or the latest; then section by
/// section, a section being what has the same first tag.
fn in_order(mut articles: Vec<&Article>) -> Vec<&Article> {
    let lead = articles.iter().position(|article| article.featured).unwrap_or(0);
    let mut ordered: Vec<&Article> = Vec::new();
    if lead < articles.len() {
        ordered.push(articles.remove(lead));
    }
    while let Some(section) = articles.first().map(|article| article.tags.first()) {
        let (here, others) = articles.into_iter().partition(|article| article.tags.first() == section);
        let here: Vec<&Article> = here;
        ordered.extend(here);
        articles = others;
    }
    ordered
}

fn count(groups: &[Group]) -> Count {
    let sum = |of: fn(&Group) -> i64| groups.iter().map(of).sum::<i64>();
    let suppressed = sum(|group| group.suppressed);
    let excluded = [("pauses", sum(|group| group.paused)), ("suppressed", suppressed)];
    Count {
        recipients: sum(|group| group.readers) - suppressed,
        excluded: excluded.into_iter().filter(|(_, people)| *people > 0).collect(),
    }
}

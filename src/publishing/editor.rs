//! An editor's own word: send this now, take that back.

use chrono::{DateTime, Utc};

use crate::content::Article;
use crate::model::{IssueEvent, IssueId, IssueState, Newsletter};
use crate::store::IssueRow;

use super::Office;
use super::plan::{Plan, has_outgrown};
use super::refusal::{Result, id_of, refuse};

/// What became of an article in one newsletter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It goes to the instant readers with this issue; sealed now or before.
    Issue(IssueId),
    /// Nobody gets the newsletter at once; it will be in the next digests.
    NextDigest,
}

impl Office<'_> {
    /// An editor's word that an article is owed to a newsletter's readers: it is sealed now and may go at once.
    ///
    /// What was sealed before goes on where it was; after `cancel`, a new edition goes to exactly those not reached.
    /// With a `plan`, nothing is sealed unless it is still what the editor saw.
    pub async fn send_article(self, newsletter: &Newsletter, article: &Article, plan: Option<&str>) -> Result<Sent> {
        self.check_article(article)?;
        self.check_content().await?;
        let id = id_of(article)?.clone();
        self.enter_what_is_due().await?;
        if let Some(issue) = self.store.editions(&newsletter.id, &id).await?.into_iter().next()
            && issue.state != IssueState::Cancelled
        {
            return self.go_on(&issue).await;
        }
        let fresh = self.plan_article(newsletter, article).await?;
        self.check_plan(&fresh, plan).await?;
        self.check_order(newsletter, article).await?;
        let date = article.date.unwrap_or(self.now);
        self.store.owe(newsletter.id.clone(), id.clone(), date, self.now).await?;
        let numbered = self.plan_article(newsletter, article).await?;
        if numbered.count.recipients == 0 && !numbered.is_correction() {
            self.store.skip_instant(&newsletter.id, &id).await?;
            return nobody_at_once(article, newsletter, &numbered);
        }
        self.finish_sealings().await?;
        self.seal(newsletter, &numbered, self.now).await?;
        self.finish_sealings().await?;
        match self.store.editions(&newsletter.id, &id).await?.into_iter().next() {
            Some(issue) => self.go_on(&issue).await,
            None => {
                let busy = format!("another issue of newsletter `{}` is being prepared at this moment", newsletter.id);
                refuse(busy, "run the command again")
            }
        }
    }

    /// An editor's word that the digests of slots up to `at` go now, however late they are: sealed without waiting for
    /// an approval or the undo time. Gives their issues.
    pub async fn run_digests(self, newsletter: &Newsletter, at: DateTime<Utc>) -> Result<Vec<IssueId>> {
        self.check_content().await?;
        self.enter_due_articles().await?;
        self.enter_slots(newsletter, at, DateTime::<Utc>::MIN_UTC).await?;
        let mut issues = Vec::new();
        self.finish_sealings().await?;
        while let Some(run) =
            self.store.waiting_digest_runs(&newsletter.id).await?.into_iter().find(|run| run.slot_at <= at)
        {
            let planned = self.plan_run(newsletter, &run).await?;
            if planned.plans.is_empty() {
                self.pass_over(&run, planned.nothing).await?;
            } else {
                issues.extend(self.seal_run(newsletter, &run, planned.plans, self.now).await?);
            }
            self.finish_sealings().await?;
        }
        Ok(issues)
    }

    /// Takes back an article that waits for its instant issue: there will be none; the next digests still carry it.
    pub async fn cancel(self, newsletter: &Newsletter, article: &Article) -> Result<()> {
        let id = id_of(article)?.clone();
        if let Some(issue) = self.store.editions(&newsletter.id, &id).await?.into_iter().next() {
            self.finish_sealings().await?;
            if let Some((_, Some(_))) = self.store.move_issue(&issue.id, IssueEvent::Cancel, self.now).await? {
                return Ok(());
            }
            let problem = format!("issue `{}` is {} and cannot be cancelled", issue.id, issue.state.as_str());
            return refuse(problem, "`pressrun issue list` shows what can still be stopped");
        }
        self.enter_what_is_due().await?;
        if self.store.skip_instant(&newsletter.id, &id).await? {
            return Ok(());
        }
        let help = "to keep a scheduled article from being mailed, change its `date` or set `draft: true`";
        refuse(format!("no mail of `{}` waits in newsletter `{}`", article.path, newsletter.id), help)
    }

    /// An issue that exists goes on where it was, without the rest of its undo time.
    async fn go_on(self, issue: &IssueRow) -> Result<Sent> {
        if issue.state == IssueState::Paused {
            let help = format!("`pressrun issue resume {}` lets it go on", issue.id);
            return refuse(format!("issue `{}` is paused", issue.id), help);
        }
        self.store.hasten(&issue.id, self.now).await?;
        self.finish_sealings().await?;
        Ok(Sent::Issue(issue.id.clone()))
    }

    /// Whether nobody has newer content than this.
    async fn check_content(self) -> Result<()> {
        let Some(at) = self.store.superseded_at(&self.edition.content_revision).await? else { return Ok(()) };
        let help = "bring it up to date; if it is older on purpose, `pressrun issue resume --all` makes it the newest";
        refuse(format!("this folder is older than the content of {}", at.format("%Y-%m-%d %H:%M UTC")), help)
    }

    fn check_article(self, article: &Article) -> Result<()> {
        if self.edition.has_errors() {
            let help = "run `pressrun check` and mend what it shows";
            return refuse("nothing is sent while `check` reports errors", help);
        }
        if article.is_published(self.now) {
            return Ok(());
        }
        let problem = if article.draft {
            format!("`{}` is a draft", article.path)
        } else if let Some(date) = article.date {
            format!("`{}` is scheduled for {}", article.path, date.format("%Y-%m-%d %H:%M UTC"))
        } else {
            format!("`{}` has no `date`", article.path)
        };
        let help = "mail goes out for what is published: set its `date` to now or earlier, without `draft`";
        refuse(problem, help)
    }

    /// Whether what the editor saw is still what would be sent.
    async fn check_plan(self, fresh: &Plan, plan: Option<&str>) -> Result<()> {
        let Some(plan) = plan else { return Ok(()) };
        if fresh.id.as_deref() != Some(plan) {
            let moved = format!("plan `{plan}` is not what would be sent now: content, templates or settings moved");
            return refuse(moved, "run `pressrun issue plan ARTICLE` again and look at it");
        }
        let Some((shown, _)) = self.store.shown_plan(plan).await? else {
            let help = "run `pressrun issue plan ARTICLE` and look at it";
            return refuse(format!("plan `{plan}` was never shown"), help);
        };
        let now = fresh.count.recipients;
        if has_outgrown(shown, now, self.edition.settings.sending.plan_drift) {
            let grown = format!("plan `{plan}` was for {shown} readers, and now it would go to {now}");
            return refuse(grown, "run `pressrun issue plan ARTICLE` again and look at it");
        }
        Ok(())
    }

    /// Numbers go out in their order: an earlier article that waits must be decided on first.
    async fn check_order(self, newsletter: &Newsletter, article: &Article) -> Result<()> {
        let plans = self.instant_plans(newsletter).await?;
        let first = plans.into_iter().find(|plan| plan.count.recipients > 0);
        let Some(earlier) = first.and_then(|plan| plan.articles.into_iter().next()) else { return Ok(()) };
        if article.id.as_ref() == Some(&earlier) {
            return Ok(());
        }
        let path = self.edition.catalog.article(&earlier).map_or(earlier.to_string(), |article| article.path.clone());
        let problem = format!("`{path}` was published before it in newsletter `{}` and still waits", newsletter.id);
        let cancel = format!("`pressrun issue cancel {path}` if it is not to be mailed by itself");
        refuse(problem, format!("first say `pressrun issue send {path}`, or {cancel}"))
    }
}

/// Either nobody wants the newsletter at once, or those who do came after this article or were served past it.
fn nobody_at_once(article: &Article, newsletter: &Newsletter, plan: &Plan) -> Result<Sent> {
    if plan.count.excluded.iter().all(|(reason, _)| *reason != "not owed") {
        return Ok(Sent::NextDigest);
    }
    let (newsletter, path) = (&newsletter.id, &article.path);
    refuse(
        format!("whoever gets `{newsletter}` at once came after `{path}` or was served past it"),
        "`pressrun issue test ARTICLE --to ADDRESS` shows the mail; to mail it to them all the same, give it a new `id`",
    )
}

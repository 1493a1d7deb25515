//! Issues: moved through their states, listed, counted.

use chrono::{DateTime, Utc};

use crate::model::{
    ArticleId, DeliveryState, IssueEvent, IssueId, IssueKind, IssueState, NewsletterId, SubscriptionState, meets_topics,
};

use super::database::{Result, Transaction, again, transact};
use super::deliveries::in_hand;
use super::journal::settle;
use super::open::Store;
use super::returns::let_go_on;
use super::values::{columns, values};

/// One issue as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueRow {
    /// Its id.
    pub id: IssueId,
    /// The newsletter.
    pub newsletter: NewsletterId,
    /// Instant or digest.
    pub kind: IssueKind,
    /// An instant issue's article and edition.
    pub article: Option<(ArticleId, i64)>,
    /// Subject.
    pub subject: String,
    /// Where it stands.
    pub state: IssueState,
    /// The plan it was made from.
    pub plan: String,
    /// Not before this moment.
    pub send_at: DateTime<Utc>,
    /// When it was sealed.
    pub created_at: DateTime<Utc>,
    /// Since when its rows may be claimed: it began then, or was resumed.
    pub started_at: Option<DateTime<Utc>>,
    /// When the last row came to rest.
    pub finished_at: Option<DateTime<Utc>>,
}

columns! {
    IssueRow: id, newsletter, kind, subject, state, plan, send_at, created_at, started_at, finished_at, article;
}

/// A SELECT of [`IssueRow`]s.
macro_rules! select_issues {
    ($tail:literal) => {
        concat!(
            "SELECT id, newsletter, kind, subject, state, plan, send_at, created_at, started_at, finished_at, article,
                edition FROM issues ",
            $tail
        )
    };
}

/// The ids of issues whose deliveries are not all at rest.
macro_rules! unfinished {
    () => {
        "SELECT id FROM issues WHERE state IN ('sealing', 'sealed', 'sending', 'paused')"
    };
}
pub(super) use unfinished;

impl Store {
    /// The newsletter's largest audience so far (none: it never sent), and how many instant issues it sealed since
    /// `since`.
    pub async fn sending_record(&self, newsletter: &NewsletterId, since: DateTime<Utc>) -> Result<(Option<i64>, i64)> {
        let sql = "SELECT largest_audience, (SELECT COUNT(DISTINCT i.article)
                FROM issues i WHERE i.newsletter = n.id AND i.created_at > $2 AND i.state <> 'cancelled')
            FROM newsletters n WHERE n.id = $1";
        Ok(self.row(sql, values![newsletter, since]).await?.unwrap_or_default())
    }

    /// Issues whose rows are still being written.
    pub async fn unfinished_sealings(&self) -> Result<Vec<IssueId>> {
        self.rows("SELECT id FROM issues WHERE state = 'sealing' ORDER BY created_at", vec![]).await
    }

    /// Lets every sealed issue begin whose moment has come, unless all sending is held; those of newsletters that have
    /// stopped are paused. Says how many began.
    pub async fn start_due_issues(&self, now: DateTime<Utc>) -> Result<u64> {
        let stopped = "UPDATE issues SET state = 'paused' WHERE state = 'sealed' AND send_at <= $1
            AND newsletter IN (SELECT id FROM newsletters WHERE stopped_for IS NOT NULL)";
        self.execute(stopped, values![now]).await?;
        let sql = "UPDATE issues SET state = 'sending', started_at = $1
            WHERE state = 'sealed' AND send_at <= $1 AND NOT EXISTS (SELECT 1 FROM facts WHERE name = 'hold')";
        self.execute(sql, values![now]).await
    }

    /// An editor's word that an issue is to go now, without the rest of its undo time. Its rows need no change: they
    /// are claimed as soon as it is being sent.
    pub async fn hasten(&self, issue: &IssueId, now: DateTime<Utc>) -> Result<()> {
        let sql = "UPDATE issues SET send_at = $2 WHERE id = $1 AND send_at > $2 AND state IN ('sealing', 'sealed')";
        self.execute(sql, values![issue, now]).await.map(drop)
    }

    /// Moves an issue by an editor's word and does what follows from it, in one transaction: after `pause` and
    /// `cancel` no delivery of it is claimed or noted any more. The state before and, if anything changed, after.
    pub async fn move_issue(
        &self,
        issue: &IssueId,
        event: IssueEvent,
        now: DateTime<Utc>,
    ) -> Result<Option<(IssueState, Option<IssueState>)>> {
        again(|| {
            let issue = issue.clone();
            self.write(move |transaction| Box::pin(move_issue(transaction, issue, event, now)))
        })
        .await
    }

    /// Ends every issue of which nothing is left to send. Says how many ended.
    pub async fn finish_issues(&self, now: DateTime<Utc>) -> Result<u64> {
        let sql = concat!(
            "UPDATE issues SET state = 'finished', finished_at = $1 WHERE state = 'sending' AND NOT EXISTS (
            SELECT 1 FROM deliveries d WHERE d.issue = issues.id AND d.state IN ('queued', 'deferred', 'unknown')
            AND d.due_at IS NOT NULL) AND NOT EXISTS (SELECT 1",
            in_hand!("issues.id"),
            ")"
        );
        self.execute(sql, values![now]).await
    }

    /// All issues, the newest first.
    pub async fn issues(&self) -> Result<Vec<IssueRow>> {
        let sql = select_issues!("ORDER BY created_at DESC, id DESC");
        self.rows(sql, vec![]).await
    }

    /// One issue by its id.
    pub async fn issue(&self, issue: &IssueId) -> Result<Option<IssueRow>> {
        let sql = select_issues!("WHERE id = $1");
        self.row(sql, values![issue]).await
    }

    /// The instant issues of an article in one newsletter, the latest edition first.
    pub async fn editions(&self, newsletter: &NewsletterId, article: &ArticleId) -> Result<Vec<IssueRow>> {
        let sql = select_issues!("WHERE newsletter = $1 AND article = $2 ORDER BY edition DESC");
        self.rows(sql, values![newsletter, article]).await
    }

    /// The issues that may be claimed from, the longest waiting first.
    pub async fn sending_issues(&self) -> Result<Vec<IssueId>> {
        self.rows("SELECT id FROM issues WHERE state = 'sending' ORDER BY send_at", vec![]).await
    }

    /// Issues whose deliveries are not all at rest.
    pub async fn unfinished_issues(&self) -> Result<Vec<IssueId>> {
        self.rows(unfinished!(), vec![]).await
    }

    /// How many deliveries of an issue are in each state. Those that are queued are what is left of all that were
    /// written.
    pub async fn count_deliveries(&self, issue: &IssueId) -> Result<Vec<(DeliveryState, i64)>> {
        let sql = concat!(
            "SELECT state, COUNT(*) FROM deliveries
                WHERE issue = $1 AND state IN ('deferred', 'failed', 'suppressed', 'unknown') GROUP BY state
            UNION ALL SELECT 'sent', COALESCE(CAST(SUM(sent) AS BIGINT), 0) FROM sent_counts WHERE issue = $1
            UNION ALL SELECT 'queued', written FROM issues WHERE id = $1
            UNION ALL SELECT 'sending', COUNT(*)",
            in_hand!("$1")
        );
        let mut counts: Vec<(DeliveryState, i64)> = self.rows(sql, values![issue]).await?;
        let elsewhere: i64 =
            counts.iter().filter(|(state, _)| *state != DeliveryState::Queued).map(|(_, count)| count).sum();
        for (state, count) in &mut counts {
            *count -= if *state == DeliveryState::Queued { elsewhere } else { 0 };
        }
        Ok(counts)
    }

    /// The titles of an issue's articles, in order.
    pub async fn issue_titles(&self, issue: &IssueId) -> Result<Vec<String>> {
        let sql = "SELECT title FROM issue_articles WHERE issue = $1 ORDER BY position";
        self.rows(sql, values![issue]).await
    }

    /// The page at `/issues/ID/`, once the issue has begun to go out; what an editor takes back in time is not shown.
    pub async fn issue_page(&self, issue: &IssueId) -> Result<Option<String>> {
        let sql = "SELECT web_page FROM issues WHERE id = $1 AND started_at IS NOT NULL";
        self.row(sql, values![issue]).await
    }

    /// Why an address has no delivery of an issue.
    pub async fn why_not_in_audience(&self, issue: &IssueId, email_key: &str) -> Result<&'static str> {
        /// State, whether they pause, another cadence, whether they came later, whether it is an instant issue, topics,
        /// the issue's tags.
        type Theirs = (SubscriptionState, Option<bool>, bool, Option<bool>, bool, String, Vec<String>);
        let sql =
            "SELECT s.state, s.paused_until > i.created_at, s.cadence <> i.cadence, s.activated_at > i.created_at,
                i.kind = 'instant', s.topics, i.tags
            FROM issues i JOIN subscriptions s ON s.newsletter = i.newsletter
            JOIN subscribers p ON p.id = s.subscriber WHERE i.id = $1 AND p.email_key = $2";
        let theirs: Option<Theirs> = self.row(sql, values![issue, email_key]).await?;
        Ok(match theirs {
            None => "not subscribed to this newsletter",
            Some((SubscriptionState::Pending, ..)) => "has not confirmed",
            Some((SubscriptionState::Ended, ..)) => "had left",
            Some((_, Some(true), ..)) => "pauses",
            Some((_, _, true, ..)) => "gets this newsletter at another cadence",
            Some((_, _, _, Some(true), ..)) => "subscribed after it was sealed",
            Some((.., true, topics, tags)) if !meets_topics(&topics, &tags) => "chose other topics",
            _ => "was served with its articles before, gets them with another issue of the run, or chose other topics",
        })
    }

    /// Puts an issue's failed and held deliveries back in the queue, in one transaction. Says how many.
    pub async fn retry_issue(&self, issue: &IssueId, now: DateTime<Utc>) -> Result<u64> {
        let issue = issue.clone();
        transact!(self.write, |transaction| {
            let sql = "UPDATE deliveries SET state = CASE state WHEN 'unknown' THEN 'unknown' ELSE 'queued' END,
                    due_at = $2, first_due_at = $2, attempts = 0, drops = 0, reason = NULL, finished_at = NULL
                WHERE issue = $1 AND state IN ('deferred', 'failed', 'suppressed', 'unknown')
                AND (state = 'failed' OR (state = 'unknown' AND due_at IS NULL))";
            let count = transaction.execute(sql, values![&issue, now]).await?;
            if count > 0 {
                move_issue(transaction, issue, IssueEvent::Retry, now).await?;
            }
            Ok(count)
        })
    }
}

async fn move_issue(
    transaction: &mut Transaction,
    issue: IssueId,
    event: IssueEvent,
    now: DateTime<Utc>,
) -> Result<Option<(IssueState, Option<IssueState>)>> {
    if event == IssueEvent::Cancel {
        settle(transaction).await?;
    }
    let lock = "UPDATE issues SET state = state WHERE id = $1 RETURNING state";
    let Some(before) = transaction.row::<IssueState>(lock, values![&issue]).await? else { return Ok(None) };
    // Mostly, its issue has long been sent when too much comes back.
    let goes_on = event == IssueEvent::Resume && let_go_on(transaction, &issue).await?;
    let Some(after) = before.after(event) else { return Ok(Some((before, goes_on.then_some(before)))) };
    let finished_at = (after == IssueState::Cancelled).then_some(now);
    let sql = "UPDATE issues SET state = $2, finished_at = $3 WHERE id = $1";
    transaction.execute(sql, values![&issue, after, finished_at]).await?;
    if event == IssueEvent::Cancel {
        let stop = "UPDATE deliveries SET state = 'suppressed', reason = 'cancelled', due_at = NULL, finished_at = $2
            WHERE issue = $1 AND (state IN ('queued', 'deferred') OR (state = 'sending' AND noted_at IS NULL))";
        transaction.execute(stop, values![&issue, now]).await?;
        uncover(transaction, &issue).await?;
    }
    Ok(Some((before, Some(after))))
}

/// A digest's readers who were not reached are owed again what they were, unless something newer has served them since.
/// Whoever went over to each at once with it stays with digests until the next one.
async fn uncover(transaction: &mut Transaction, issue: &IssueId) -> Result<()> {
    let sql = "UPDATE subscriptions SET covered_to = d.covered_from,
            cadence = CASE subscriptions.cadence WHEN 'instant' THEN i.cadence ELSE subscriptions.cadence END,
            rhythm = CASE subscriptions.cadence WHEN 'instant' THEN d.rhythm ELSE subscriptions.rhythm END,
            returns_to = CASE subscriptions.cadence WHEN 'instant' THEN 'instant' ELSE subscriptions.returns_to END
        FROM deliveries d, issues i WHERE i.id = $1 AND i.kind = 'digest' AND d.issue = i.id
        AND d.reason = 'cancelled' AND d.subscription = subscriptions.id AND subscriptions.covered_to = i.covers_to";
    transaction.execute(sql, values![issue]).await.map(drop)
}

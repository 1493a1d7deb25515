//! Issues: sealed with their content and their audience, moved through their states, counted.

use chrono::{DateTime, Utc};

use crate::model::{
    ArticleId, Cadence, DeliveryState, EmailAddress, IssueEvent, IssueId, IssueKind, IssueState, NewsletterId, Viewer,
};

use super::database::{Row, StoreError, Transaction, Value, values};
use super::dialect::listed;
use super::ledger::lock_newsletter;
use super::open::Store;
use super::{millis, moment};

/// Who gets an issue: a rule over subscriptions, not a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience {
    /// The newsletter.
    pub newsletter: NewsletterId,
    /// The readers of this cadence…
    pub cadence: Cadence,
    /// …who have been served at least to this number…
    pub covered_from: i64,
    /// …and not yet to this one.
    pub covered_before: i64,
    /// An instant mail's article and edition: nobody gets it twice over all newsletters.
    pub article: Option<(ArticleId, i64)>,
    /// The cancelled edition that this one replaces: whoever it did not reach belongs to the audience too.
    pub replaces: Option<IssueId>,
}

/// How many an audience holds, and why others are not in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Count {
    /// Who would get mail.
    pub recipients: i64,
    /// Readers of the newsletter who would not, by reason.
    pub excluded: Vec<(&'static str, i64)>,
}

/// Everything about an issue that is frozen when it is sealed.
#[derive(Debug, Clone)]
pub struct Sealing {
    /// Its id.
    pub id: IssueId,
    /// Who gets it.
    pub audience: Audience,
    /// A digest's slot.
    pub slot_at: Option<DateTime<Utc>>,
    /// Readers are served to this number afterwards.
    pub covers_to: i64,
    /// The plan it was made from.
    pub plan: String,
    /// Subject.
    pub subject: String,
    /// From.
    pub from: crate::model::Sender,
    /// Reply-To.
    pub reply_to: Option<EmailAddress>,
    /// The newsletter's title.
    pub list_title: String,
    /// Where links lead, without a final slash.
    pub base_url: String,
    /// The page at `/issues/ID/`: the public part.
    pub web_page: String,
    /// The mail for each viewer: HTML and text, with slots.
    pub bodies: Vec<(Viewer, String, String)>,
    /// Its articles in order, with their titles.
    pub articles: Vec<(ArticleId, String)>,
    /// Not before this moment.
    pub send_at: DateTime<Utc>,
    /// Now.
    pub sealed_at: DateTime<Utc>,
}

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
    /// When its first row could be claimed.
    pub started_at: Option<DateTime<Utc>>,
    /// When the last row came to rest.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Readers of one cadence who are served to the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// The number they are served to.
    pub covered_to: i64,
    /// How many they are.
    pub readers: i64,
}

/// How many delivery rows one transaction writes at most.
const CHUNK: i64 = 5_000;

/// Whether subscription `s` is in the audience ($1 newsletter, $2 cadence, $3 from, $4 before, $5 replaced issue).
macro_rules! in_audience {
    () => {
        "s.newsletter = $1 AND s.cadence = $2 AND s.state = 'active'
        AND ((s.covered_to >= $3 AND s.covered_to < $4) OR EXISTS (
            SELECT 1 FROM deliveries r WHERE r.issue = $5 AND r.subscription = s.id
            AND r.state NOT IN ('sent', 'unknown') AND r.may_have_arrived = 0
            AND NOT (r.state = 'sending' AND r.noted_at IS NOT NULL)))"
    };
}

/// Whether a subscriber has the instant mail of an article ($6) from any newsletter: in this edition ($7) or, if it may
/// have arrived, in whichever.
macro_rules! has_article {
    () => {
        "EXISTS (SELECT 1 FROM deliveries e WHERE e.subscriber = s.subscriber AND e.article = $6 AND (e.edition = $7
            OR e.state IN ('sent', 'unknown') OR e.may_have_arrived = 1
            OR (e.state = 'sending' AND e.noted_at IS NOT NULL)))"
    };
}

/// A SELECT of the columns that [`issue_row`] reads.
macro_rules! select_issues {
    ($head:literal, $tail:literal) => {
        concat!(
            $head,
            "id, newsletter, kind, article, edition, subject, state, plan, send_at, created_at, started_at, finished_at",
            $tail
        )
    };
}
impl Audience {
    fn values(&self) -> Vec<Value> {
        values![
            self.newsletter.as_str(),
            self.cadence.as_str(),
            self.covered_from,
            self.covered_before,
            self.replaces.as_ref().map(IssueId::as_str),
            self.article.as_ref().map(|(article, _)| article.as_str()),
            self.article.as_ref().map(|(_, edition)| *edition),
        ]
    }
}

impl Store {
    /// Counts an audience as it stands, and everybody else of the newsletter by the reason why they are not in it.
    pub async fn count_audience(&self, audience: &Audience) -> Result<Count, StoreError> {
        let sql = concat!(
            "SELECT CASE
                WHEN s.state = 'pending' THEN 'not confirmed'
                WHEN s.state = 'ended' THEN 'left'
                WHEN s.cadence <> $2 THEN 'other cadence'
                WHEN NOT (",
            in_audience!(),
            ") THEN 'not owed'
                WHEN x.email_key IS NOT NULL THEN 'suppressed'
                WHEN ",
            has_article!(),
            " THEN 'has it from another newsletter'
                ELSE 'recipient' END AS reason, COUNT(*)
            FROM subscriptions s JOIN subscribers p ON p.id = s.subscriber
            LEFT JOIN suppressions x ON x.email_key = p.email_key
            WHERE s.newsletter = $1 GROUP BY 1"
        );
        const REASONS: [&str; 6] =
            ["not confirmed", "left", "other cadence", "not owed", "suppressed", "has it from another newsletter"];
        let mut count = Count::default();
        for row in self.rows(sql, audience.values()).await? {
            let (reason, people) = (row.text(0)?, row.int(1)?);
            match REASONS.into_iter().find(|known| *known == reason) {
                Some(reason) => count.excluded.push((reason, people)),
                None => count.recipients = people,
            }
        }
        count.excluded.sort_unstable();
        Ok(count)
    }

    /// How far the active readers of a digest have been served, by number.
    pub async fn coverages(&self, newsletter: &NewsletterId, cadence: Cadence) -> Result<Vec<Coverage>, StoreError> {
        let sql = "SELECT covered_to, COUNT(*) FROM subscriptions
            WHERE newsletter = $1 AND cadence = $2 AND state = 'active' GROUP BY covered_to ORDER BY covered_to";
        let rows = self.rows(sql, values![newsletter.as_str(), cadence.as_str()]).await?;
        rows.iter().map(|row| Ok(Coverage { covered_to: row.int(0)?, readers: row.int(1)? })).collect()
    }

    /// The newsletter's largest audience so far (none: it never sent), and how many issues it sealed since `since`.
    /// The issues of one digest slot count as one, and those of `slot_at` not at all.
    pub async fn sending_record(
        &self,
        newsletter: &NewsletterId,
        since: DateTime<Utc>,
        slot_at: Option<DateTime<Utc>>,
    ) -> Result<(Option<i64>, i64), StoreError> {
        let sql = "SELECT largest_audience, (SELECT COUNT(DISTINCT COALESCE(i.article, CAST(i.slot_at AS TEXT)))
                FROM issues i WHERE i.newsletter = n.id AND i.created_at > $2 AND i.state <> 'cancelled'
                AND (i.slot_at IS NULL OR i.slot_at <> $3))
            FROM newsletters n WHERE n.id = $1";
        let slot_at = slot_at.map_or(0, millis);
        let row = self.row(sql, values![newsletter.as_str(), millis(since), slot_at]).await?;
        row.map_or(Ok((None, 0)), |row| Ok((row.opt_int(0)?, row.int(1)?)))
    }

    /// Freezes an issue's content and its audience's boundary, in one transaction; its delivery rows follow with
    /// [`Store::write_deliveries`]. False: the same issue was sealed before, by whomever; its article was taken back
    /// meanwhile; or the rows of another issue for the same readers are still being written. Nothing changed then.
    pub async fn seal(&self, sealing: Sealing) -> Result<bool, StoreError> {
        let result = self.write(move |transaction| Box::pin(seal(transaction, sealing))).await;
        match result {
            Err(error) if error.is_conflict() => Ok(false),
            other => other,
        }
    }

    /// Writes the next chunk of an issue's delivery rows and moves its readers' coverage, in one transaction.
    /// True: there is more to write. When the last is written, the issue is sealed.
    pub async fn write_deliveries(&self, issue: &IssueId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let issue = issue.clone();
        self.write(move |transaction| Box::pin(write_chunk(transaction, issue, now))).await
    }

    /// Issues whose rows are still being written.
    pub async fn unfinished_sealings(&self) -> Result<Vec<IssueId>, StoreError> {
        let rows = self.rows("SELECT id FROM issues WHERE state = 'sealing' ORDER BY created_at", vec![]).await?;
        rows.iter().map(|row| Ok(IssueId::new(row.text(0)?))).collect()
    }

    /// Lets every sealed issue begin whose moment has come, unless all sending is held. Says how many began.
    pub async fn start_due_issues(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let sql = "UPDATE issues SET state = 'sending', started_at = COALESCE(started_at, $1)
            WHERE state = 'sealed' AND send_at <= $1 AND NOT EXISTS (SELECT 1 FROM facts WHERE name = 'hold')";
        self.execute(sql, values![millis(now)]).await
    }

    /// An editor's word that an issue is to go now, without the rest of its undo time. Its rows need no change: they
    /// are claimed as soon as it is being sent.
    pub async fn hasten(&self, issue: &IssueId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let sql = "UPDATE issues SET send_at = $2 WHERE id = $1 AND send_at > $2 AND state IN ('sealing', 'sealed')";
        self.execute(sql, values![issue.as_str(), millis(now)]).await.map(drop)
    }

    /// Moves an issue by an editor's word and does what follows from it, in one transaction: after `pause` and
    /// `cancel` no delivery of it is claimed or noted any more. The state before and, if anything changed, after.
    pub async fn move_issue(
        &self,
        issue: &IssueId,
        event: IssueEvent,
        now: DateTime<Utc>,
    ) -> Result<Option<(IssueState, Option<IssueState>)>, StoreError> {
        let issue = issue.clone();
        self.write(move |transaction| Box::pin(move_issue(transaction, issue, event, now))).await
    }

    /// Ends every issue of which nothing is left to send. Says how many ended.
    pub async fn finish_issues(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let sql = "UPDATE issues SET state = 'finished', finished_at = $1 WHERE state = 'sending' AND NOT EXISTS (
            SELECT 1 FROM deliveries d WHERE d.issue = issues.id AND (d.state IN ('queued', 'sending', 'deferred')
            OR (d.state = 'unknown' AND d.due_at IS NOT NULL)))";
        self.execute(sql, values![millis(now)]).await
    }

    /// All issues, the newest first.
    pub async fn issues(&self) -> Result<Vec<IssueRow>, StoreError> {
        let sql = select_issues!("SELECT ", " FROM issues ORDER BY created_at DESC, id DESC");
        self.rows(sql, vec![]).await?.iter().map(issue_row).collect()
    }

    /// One issue by its id.
    pub async fn issue(&self, issue: &IssueId) -> Result<Option<IssueRow>, StoreError> {
        let sql = select_issues!("SELECT ", " FROM issues WHERE id = $1");
        self.row(sql, values![issue.as_str()]).await?.as_ref().map(issue_row).transpose()
    }

    /// The instant issues of an article in one newsletter, the latest edition first.
    pub async fn editions(&self, newsletter: &NewsletterId, article: &ArticleId) -> Result<Vec<IssueRow>, StoreError> {
        let sql =
            select_issues!("SELECT ", " FROM issues WHERE newsletter = $1 AND article = $2 ORDER BY edition DESC");
        let rows = self.rows(sql, values![newsletter.as_str(), article.as_str()]).await?;
        rows.iter().map(issue_row).collect()
    }

    /// How many of an issue's audience have no delivery row yet, because it is still being sealed.
    pub async fn count_unwritten(&self, issue: &IssueId) -> Result<i64, StoreError> {
        let issue = issue.clone();
        let audience = self.write(move |transaction| Box::pin(async move { sealed(transaction, &issue).await }));
        match audience.await? {
            Some(sealed) => Ok(self.count_audience(&sealed.audience).await?.recipients),
            None => Ok(0),
        }
    }

    /// The issues that may be claimed from, the longest waiting first.
    pub async fn sending_issues(&self) -> Result<Vec<IssueId>, StoreError> {
        let rows = self.rows("SELECT id FROM issues WHERE state = 'sending' ORDER BY send_at", vec![]).await?;
        rows.iter().map(|row| Ok(IssueId::new(row.text(0)?))).collect()
    }

    /// How many deliveries of an issue are in each state.
    pub async fn count_deliveries(&self, issue: &IssueId) -> Result<Vec<(DeliveryState, i64)>, StoreError> {
        let sql = "SELECT state, COUNT(*) FROM deliveries WHERE issue = $1 GROUP BY state";
        let rows = self.rows(sql, values![issue.as_str()]).await?;
        rows.iter().map(|row| Ok((row.word(0, DeliveryState::parse)?, row.int(1)?))).collect()
    }

    /// The titles of an issue's articles, in order.
    pub async fn issue_titles(&self, issue: &IssueId) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT title FROM issue_articles WHERE issue = $1 ORDER BY position";
        self.rows(sql, values![issue.as_str()]).await?.iter().map(|row| row.text(0)).collect()
    }

    /// The page at `/issues/ID/`, once the issue has begun to go out; what an editor takes back in time is not shown.
    pub async fn issue_page(&self, issue: &IssueId) -> Result<Option<String>, StoreError> {
        let sql = "SELECT web_page FROM issues WHERE id = $1 AND started_at IS NOT NULL";
        self.row(sql, values![issue.as_str()]).await?.map(|row| row.text(0)).transpose()
    }

    /// Why an address has no delivery of an issue.
    pub async fn why_not_in_audience(&self, issue: &IssueId, email_key: &str) -> Result<&'static str, StoreError> {
        let sql = "SELECT s.state, s.cadence, i.cadence, s.activated_at, i.created_at
            FROM issues i JOIN subscriptions s ON s.newsletter = i.newsletter
            JOIN subscribers p ON p.id = s.subscriber WHERE i.id = $1 AND p.email_key = $2";
        let Some(row) = self.row(sql, values![issue.as_str(), email_key]).await? else {
            return Ok("not subscribed to this newsletter");
        };
        Ok(match row.text(0)?.as_str() {
            "pending" => "has not confirmed",
            "ended" => "had left",
            _ if row.text(1)? != row.text(2)? => "gets this newsletter at another cadence",
            _ if row.opt_int(3)?.is_some_and(|at| row.int(4).is_ok_and(|sealed_at| at > sealed_at)) => {
                "subscribed after it was sealed"
            }
            _ => "was served with its articles before",
        })
    }

    /// Whether an address has an active subscription to a newsletter.
    pub async fn is_active(&self, newsletter: &NewsletterId, email_key: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM subscriptions s JOIN subscribers p ON p.id = s.subscriber
            WHERE s.newsletter = $1 AND p.email_key = $2 AND s.state = 'active'";
        Ok(self.row(sql, values![newsletter.as_str(), email_key]).await?.is_some())
    }

    /// Puts an issue's failed and held deliveries back in the queue, in one transaction. Says how many.
    pub async fn retry_issue(&self, issue: &IssueId, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let issue = issue.clone();
        self.write(move |transaction| {
            Box::pin(async move {
                let sql = "UPDATE deliveries SET state = CASE state WHEN 'unknown' THEN 'unknown' ELSE 'queued' END,
                        due_at = $2, first_due_at = $2, attempts = 0, drops = 0, reason = NULL, finished_at = NULL
                    WHERE issue = $1 AND (state = 'failed' OR (state = 'unknown' AND due_at IS NULL))";
                let count = transaction.execute(sql, values![issue.as_str(), millis(now)]).await?;
                if count > 0 {
                    move_issue(transaction, issue, IssueEvent::Retry, now).await?;
                }
                Ok(count)
            })
        })
        .await
    }
}

async fn seal(transaction: &mut Transaction, sealing: Sealing) -> Result<bool, StoreError> {
    let audience = &sealing.audience;
    let newsletter = audience.newsletter.as_str();
    lock_newsletter(transaction, newsletter).await?;
    let busy = "SELECT 1 FROM issues WHERE newsletter = $1 AND cadence = $2 AND state = 'sealing'";
    if transaction.row(busy, values![newsletter, audience.cadence.as_str()]).await?.is_some() {
        return Ok(false);
    }
    if let (Some((article, _)), None) = (&audience.article, &audience.replaces) {
        let sql = "UPDATE ledger SET instant = 'sealed' WHERE newsletter = $1 AND article = $2 AND instant = 'waiting'";
        if transaction.execute(sql, values![newsletter, article.as_str()]).await? == 0 {
            return Ok(false);
        }
    }
    let kind = if audience.article.is_some() { IssueKind::Instant } else { IssueKind::Digest };
    let sql = "INSERT INTO issues (id, newsletter, kind, article, edition, replaces, cadence, slot_at, covered_from,
            covered_before, covers_to, plan, subject, from_name, from_email, reply_to, list_title, base_url, web_page,
            state, send_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, 'sealing', $20,
            $21)";
    let row = values![
        sealing.id.as_str(),
        audience.newsletter.as_str(),
        kind.as_str(),
        audience.article.as_ref().map(|(article, _)| article.as_str()),
        audience.article.as_ref().map(|(_, edition)| *edition),
        audience.replaces.as_ref().map(IssueId::as_str),
        audience.cadence.as_str(),
        sealing.slot_at.map(millis),
        audience.covered_from,
        audience.covered_before,
        sealing.covers_to,
        sealing.plan,
        sealing.subject,
        sealing.from.name,
        sealing.from.address.as_str(),
        sealing.reply_to.as_ref().map(EmailAddress::as_str),
        sealing.list_title,
        sealing.base_url,
        sealing.web_page,
        millis(sealing.send_at),
        millis(sealing.sealed_at),
    ];
    transaction.execute(sql, row).await?;
    for (viewer, html, text) in sealing.bodies {
        let sql = "INSERT INTO issue_bodies (issue, viewer, html, text) VALUES ($1, $2, $3, $4)";
        transaction.execute(sql, values![sealing.id.as_str(), viewer.as_str(), html, text]).await?;
    }
    for (position, (article, title)) in (0_i64..).zip(sealing.articles) {
        let sql = "INSERT INTO issue_articles (issue, position, article, title) VALUES ($1, $2, $3, $4)";
        transaction.execute(sql, values![sealing.id.as_str(), position, article.as_str(), title]).await?;
    }
    Ok(true)
}

/// What a chunk of delivery rows is written from.
struct Sealed {
    audience: Audience,
    covers_to: i64,
    cursor: String,
}

async fn sealed(transaction: &mut Transaction, issue: &IssueId) -> Result<Option<Sealed>, StoreError> {
    // The UPDATE locks the row, so that two schedulers never write the same chunk.
    let sql = "UPDATE issues SET state = state WHERE id = $1 AND state = 'sealing'
        RETURNING newsletter, cadence, covered_from, covered_before, replaces, article, edition, covers_to, cursor";
    let Some(row) = transaction.row(sql, values![issue.as_str()]).await? else { return Ok(None) };
    let article = row.opt_text(5)?.map(ArticleId::new).zip(row.opt_int(6)?);
    let audience = Audience {
        newsletter: NewsletterId::new(row.text(0)?),
        cadence: row.word(1, Cadence::parse)?,
        covered_from: row.int(2)?,
        covered_before: row.int(3)?,
        article,
        replaces: row.opt_text(4)?.map(IssueId::new),
    };
    Ok(Some(Sealed { audience, covers_to: row.int(7)?, cursor: row.text(8)? }))
}

async fn write_chunk(transaction: &mut Transaction, issue: IssueId, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let Some(sealed) = sealed(transaction, &issue).await? else { return Ok(false) };
    let pick = concat!(
        "SELECT s.id, s.subscriber, p.email, p.email_key,
            CASE WHEN x.email_key IS NULL THEN 0 ELSE 1 END, CASE WHEN ",
        has_article!(),
        " THEN 1 ELSE 0 END
        FROM subscriptions s JOIN subscribers p ON p.id = s.subscriber
        LEFT JOIN suppressions x ON x.email_key = p.email_key
        WHERE ",
        in_audience!(),
        " AND s.id > $8 ORDER BY s.id LIMIT $9"
    );
    let mut values = sealed.audience.values();
    values.extend(values![sealed.cursor.as_str(), CHUNK]);
    let rows = transaction.rows(pick, values).await?;
    let Some(last) = rows.last() else {
        return seal_whole(transaction, &issue, &sealed).await.map(|()| false);
    };
    let last = last.text(0)?;
    let new: Vec<Vec<Value>> = rows
        .iter()
        .filter(|row| matches!(row.int(5), Ok(0)))
        .map(|row| delivery(row, &issue, &sealed, now))
        .collect::<Result<_, _>>()?;
    transaction
        .insert_many(
            "INSERT INTO deliveries (id, lane, issue, subscriber, subscription, article, edition, email, email_key,
                state, reason, due_at, first_due_at, finished_at) VALUES",
            new,
            "ON CONFLICT DO NOTHING",
        )
        .await?;
    // By their ids, so that nobody is covered who was not picked.
    let cover = listed!(
        transaction.is_postgres(),
        "UPDATE subscriptions SET covered_to = $2
        WHERE id IN (SELECT value FROM listed) AND covered_to < $2"
    );
    let picked: Vec<String> = rows.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?;
    transaction.execute(cover, values![serde_json::json!(picked).to_string(), sealed.covers_to]).await?;
    transaction.execute("UPDATE issues SET cursor = $2 WHERE id = $1", values![issue.as_str(), last]).await?;
    Ok(true)
}

fn delivery(row: &Row, issue: &IssueId, sealed: &Sealed, now: DateTime<Utc>) -> Result<Vec<Value>, StoreError> {
    let is_suppressed = row.int(4)? == 1;
    let (state, reason) =
        if is_suppressed { (DeliveryState::Suppressed, Some("suppressed")) } else { (DeliveryState::Queued, None) };
    let article = sealed.audience.article.as_ref();
    Ok(values![
        crate::clock::new_id(),
        "issue",
        issue.as_str(),
        row.text(1)?,
        row.text(0)?,
        article.map(|(article, _)| article.as_str()),
        article.map(|(_, edition)| *edition),
        row.text(2)?,
        row.text(3)?,
        state.as_str(),
        reason,
        (!is_suppressed).then_some(millis(now)),
        millis(now),
        is_suppressed.then_some(millis(now)),
    ])
}

async fn seal_whole(transaction: &mut Transaction, issue: &IssueId, sealed: &Sealed) -> Result<(), StoreError> {
    let whole = "UPDATE issues SET state = 'sealed' WHERE id = $1 AND state = 'sealing'";
    transaction.execute(whole, values![issue.as_str()]).await?;
    let largest = "UPDATE newsletters SET largest_audience = (
            SELECT CASE WHEN COUNT(*) > COALESCE(largest_audience, 0) THEN COUNT(*) ELSE largest_audience END
            FROM deliveries WHERE issue = $2)
        WHERE id = $1";
    transaction.execute(largest, values![sealed.audience.newsletter.as_str(), issue.as_str()]).await?;
    Ok(())
}

async fn move_issue(
    transaction: &mut Transaction,
    issue: IssueId,
    event: IssueEvent,
    now: DateTime<Utc>,
) -> Result<Option<(IssueState, Option<IssueState>)>, StoreError> {
    let id = issue.as_str();
    let lock = "UPDATE issues SET state = state WHERE id = $1 RETURNING state";
    let Some(row) = transaction.row(lock, values![id]).await? else { return Ok(None) };
    let before = row.word(0, IssueState::parse)?;
    let Some(after) = before.after(event) else { return Ok(Some((before, None))) };
    let finished_at = (after == IssueState::Cancelled).then_some(millis(now));
    let sql = "UPDATE issues SET state = $2, finished_at = $3 WHERE id = $1";
    transaction.execute(sql, values![id, after.as_str(), finished_at]).await?;
    if event == IssueEvent::Cancel {
        let stop = "UPDATE deliveries SET state = 'suppressed', reason = 'cancelled', due_at = NULL, finished_at = $2
            WHERE issue = $1 AND (state IN ('queued', 'deferred') OR (state = 'sending' AND noted_at IS NULL))";
        transaction.execute(stop, values![id, millis(now)]).await?;
        // A digest's readers who were not reached get its articles in their next one.
        let uncover = "UPDATE subscriptions SET covered_to = (SELECT covered_from FROM issues WHERE id = $1)
            WHERE id IN (SELECT d.subscription FROM deliveries d JOIN issues i ON i.id = d.issue
                WHERE d.issue = $1 AND i.kind = 'digest' AND d.reason = 'cancelled')
            AND covered_to = (SELECT covers_to FROM issues WHERE id = $1)";
        transaction.execute(uncover, values![id]).await?;
    }
    Ok(Some((before, Some(after))))
}

fn issue_row(row: &Row) -> Result<IssueRow, StoreError> {
    Ok(IssueRow {
        id: IssueId::new(row.text(0)?),
        newsletter: NewsletterId::new(row.text(1)?),
        kind: row.word(2, IssueKind::parse)?,
        article: row.opt_text(3)?.map(ArticleId::new).zip(row.opt_int(4)?),
        subject: row.text(5)?,
        state: row.word(6, IssueState::parse)?,
        plan: row.text(7)?,
        send_at: moment(row.int(8)?),
        created_at: moment(row.int(9)?),
        started_at: row.opt_int(10)?.map(moment),
        finished_at: row.opt_int(11)?.map(moment),
    })
}

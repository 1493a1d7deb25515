//! Sealing: content and the rule for an audience are frozen, and delivery rows follow in chunks.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::clock;
use crate::model::{
    ArticleId, Cadence, DeliveryState, EmailAddress, IssueId, IssueKind, NewsletterId, Sender, Viewer, meets_topics,
};

use super::database::{Result, Row, Transaction, Value, transact, values};
use super::dialect::listed;
use super::digests::{SealedDigest, write_digest_slice};
use super::ledger::lock_newsletter;
use super::millis;
use super::open::Store;

/// Who gets an instant issue: a rule over subscriptions, not a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience {
    /// The newsletter, whose instant readers…
    pub newsletter: NewsletterId,
    /// …have not yet been served to this number…
    pub covered_before: i64,
    /// …and want one of these tags, or all.
    pub tags: Vec<String>,
    /// Article and edition: nobody gets it twice over all newsletters.
    pub article: (ArticleId, i64),
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
    /// Readers are served to this number afterwards.
    pub covers_to: i64,
    /// The plan it was made from.
    pub plan: String,
    /// Subject.
    pub subject: String,
    /// From.
    pub from: Sender,
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

/// What an issue is known by, besides its id.
pub(super) enum IssueKey {
    /// An article's edition, for instant readers.
    Instant(Audience),
    /// One of the issues of a digest run.
    Digest { cadence: Cadence, slot_at: DateTime<Utc>, part: i64 },
}

/// How many delivery rows one transaction writes at most…
pub(super) const CHUNK: i64 = 5_000;
/// …and for how long it begins to write another slice of them, so that others wait for less than 50 ms.
pub(super) const LONGEST_WRITE: std::time::Duration = std::time::Duration::from_millis(20);
/// How many instant readers are looked at between two looks at the clock.
const SLICE: i64 = 500;

/// Whether subscription `s` is in the audience, whatever its topics ($1 newsletter, $2 before, $3 replaced issue).
macro_rules! in_audience {
    () => {
        "s.newsletter = $1 AND s.cadence = 'instant' AND s.state = 'active'
        AND (s.covered_to < $2 OR EXISTS (
            SELECT 1 FROM deliveries r WHERE r.issue = $3 AND r.subscriber = s.subscriber AND r.subscription = s.id
            AND r.state NOT IN ('sent', 'unknown') AND r.may_have_arrived = 0
            AND NOT (r.state = 'sending' AND r.noted_at IS NOT NULL)))"
    };
}

/// Whether a subscriber has the instant mail of an article ($4) from any newsletter: in this edition ($5) or, if it may
/// have arrived, in whichever.
macro_rules! has_article {
    () => {
        "EXISTS (SELECT 1 FROM deliveries e WHERE e.subscriber = s.subscriber AND e.article = $4 AND (e.edition = $5
            OR e.state IN ('sent', 'unknown') OR e.may_have_arrived = 1
            OR (e.state = 'sending' AND e.noted_at IS NOT NULL)))"
    };
}

impl Audience {
    fn values(&self) -> Vec<Value> {
        values![
            self.newsletter.as_str(),
            self.covered_before,
            self.replaces.as_ref().map(IssueId::as_str),
            self.article.0.as_str(),
            self.article.1,
        ]
    }
}

impl Store {
    /// Counts an audience as it stands, and everybody else of the newsletter by the reason why they are not in it.
    pub async fn count_audience(&self, audience: &Audience) -> Result<Count> {
        let sql = concat!(
            "SELECT CASE
                WHEN s.state = 'pending' THEN 'not confirmed'
                WHEN s.state = 'ended' THEN 'left'
                WHEN s.cadence <> 'instant' THEN 'other cadence'
                WHEN NOT (",
            in_audience!(),
            ") THEN 'not owed'
                WHEN x.email_key IS NOT NULL THEN 'suppressed'
                WHEN ",
            has_article!(),
            " THEN 'has it from another newsletter'
                ELSE 'recipient' END AS reason, s.topics, COUNT(*)
            FROM subscriptions s JOIN subscribers p ON p.id = s.subscriber
            LEFT JOIN suppressions x ON x.email_key = p.email_key
            WHERE s.newsletter = $1 GROUP BY 1, 2"
        );
        const REASONS: [&str; 6] =
            ["not confirmed", "left", "other cadence", "not owed", "suppressed", "has it from another newsletter"];
        let mut excluded: BTreeMap<&str, i64> = BTreeMap::new();
        let mut recipients = 0;
        for row in self.rows(sql, audience.values()).await? {
            let (reason, topics, people) = (row.text(0)?, row.text(1)?, row.int(2)?);
            match REASONS.into_iter().find(|known| *known == reason) {
                Some(reason) => *excluded.entry(reason).or_default() += people,
                None if meets_topics(&topics, &audience.tags) => recipients += people,
                None => *excluded.entry("chose other topics").or_default() += people,
            }
        }
        Ok(Count { recipients, excluded: excluded.into_iter().collect() })
    }

    /// Whether any instant reader has not been served to a number.
    pub async fn has_instant_readers(&self, newsletter: &NewsletterId, number: i64) -> Result<bool> {
        let sql = "SELECT 1 FROM subscriptions
            WHERE newsletter = $1 AND cadence = 'instant' AND state = 'active' AND covered_to < $2 LIMIT 1";
        Ok(self.row(sql, values![newsletter.as_str(), number]).await?.is_some())
    }

    /// Serves instant readers to the number of an article that none of them gets, some in one transaction. True: there
    /// may be more.
    pub async fn pass_instant_readers(&self, newsletter: &NewsletterId, number: i64) -> Result<bool> {
        let sql = "UPDATE subscriptions SET covered_to = $2 WHERE id IN (SELECT id FROM subscriptions
            WHERE newsletter = $1 AND cadence = 'instant' AND state = 'active' AND covered_to < $2 LIMIT $3)
            AND covered_to < $2";
        let passed = self.execute(sql, values![newsletter.as_str(), number, SLICE]).await?;
        Ok(passed == SLICE.unsigned_abs())
    }

    /// Freezes an issue's content and its audience's boundary, in one transaction; its delivery rows follow with
    /// [`Store::write_deliveries`]. False: the same issue was sealed before, by whomever; its article was taken back
    /// meanwhile; or the rows of another issue for the same readers are still being written. Nothing changed then.
    pub async fn seal(&self, audience: Audience, sealing: Sealing) -> Result<bool> {
        let result = self.write(move |transaction| Box::pin(seal(transaction, audience, sealing))).await;
        match result {
            Err(error) if error.is_conflict() => Ok(false),
            other => other,
        }
    }

    /// Writes the next chunk of an issue's delivery rows and moves its readers' coverage, in one transaction that ends
    /// in time for others. True: there is more to write. When the last is written, the issue is sealed.
    pub async fn write_deliveries(&self, issue: &IssueId, now: DateTime<Utc>) -> Result<bool> {
        let issue = issue.clone();
        self.write_long(move |transaction| Box::pin(write_chunk(transaction, issue, now))).await
    }

    /// How many of an issue's audience have no delivery row yet, because it is still being sealed.
    pub async fn count_unwritten(&self, issue: &IssueId) -> Result<i64> {
        let issue = issue.clone();
        let id = issue.clone();
        match transact!(self.write, |transaction| { sealed(transaction, &id).await })? {
            Some(Sealed::Instant { audience, .. }) => Ok(self.count_audience(&audience).await?.recipients),
            Some(Sealed::Digest(_)) => {
                let sql = "SELECT COUNT(*) FROM issue_groups g JOIN issues i ON i.id = g.issue
                    JOIN subscriptions s ON s.newsletter = i.newsletter AND s.rhythm = g.rhythm
                        AND s.topics = g.topics AND s.covered_to = g.covered_to
                    WHERE g.issue = $1 AND s.state = 'active' AND s.rhythm <> ''
                    AND (s.paused_until IS NULL OR s.paused_until <= i.slot_at)";
                self.row(sql, values![issue.as_str()]).await?.map_or(Ok(0), |row| row.int(0))
            }
            None => Ok(0),
        }
    }
}

async fn seal(transaction: &mut Transaction, audience: Audience, sealing: Sealing) -> Result<bool> {
    let newsletter = audience.newsletter.clone();
    let newsletter = newsletter.as_str();
    lock_newsletter(transaction, newsletter).await?;
    let busy = "SELECT 1 FROM issues WHERE newsletter = $1 AND kind = 'instant' AND state = 'sealing'";
    if transaction.row(busy, values![newsletter]).await?.is_some() {
        return Ok(false);
    }
    if audience.replaces.is_none() {
        let sql = "UPDATE ledger SET instant = 'sealed' WHERE newsletter = $1 AND article = $2 AND instant = 'waiting'";
        if transaction.execute(sql, values![newsletter, audience.article.0.as_str()]).await? == 0 {
            return Ok(false);
        }
    }
    insert_issue(transaction, newsletter, IssueKey::Instant(audience), sealing).await?;
    Ok(true)
}

/// Writes an issue with its content, to be filled with deliveries.
pub(super) async fn insert_issue(
    transaction: &mut Transaction,
    newsletter: &str,
    key: IssueKey,
    sealing: Sealing,
) -> Result<()> {
    let sql =
        "INSERT INTO issues (id, newsletter, covers_to, plan, subject, from_name, from_email, reply_to, list_title,
            base_url, web_page, state, send_at, created_at, kind, cadence, slot_at, part, article, edition, replaces,
            tags)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'sealing', $12, $13, $14, $15, $16, $17, $18, $19, $20,
            $21)";
    let mut row = values![
        sealing.id.as_str(),
        newsletter,
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
    row.extend(match key {
        IssueKey::Digest { cadence, slot_at, part } => {
            let (kind, none) = (IssueKind::Digest.as_str(), None::<&str>);
            values![kind, cadence.as_str(), millis(slot_at), part, none, None::<i64>, none, ""]
        }
        IssueKey::Instant(Audience { article: (article, edition), replaces, tags, .. }) => {
            let (kind, none, tags) = (IssueKind::Instant.as_str(), None::<i64>, tags.join("\n"));
            let replaces = replaces.as_ref().map(IssueId::as_str);
            values![kind, Cadence::Instant.as_str(), none, none, article.as_str(), edition, replaces, tags]
        }
    });
    transaction.execute(sql, row).await?;
    for (viewer, html, text) in sealing.bodies {
        let sql = "INSERT INTO issue_bodies (issue, viewer, html, text) VALUES ($1, $2, $3, $4)";
        transaction.execute(sql, values![sealing.id.as_str(), viewer.as_str(), html, text]).await?;
    }
    for (position, (article, title)) in (0_i64..).zip(sealing.articles) {
        let sql = "INSERT INTO issue_articles (issue, position, article, title) VALUES ($1, $2, $3, $4)";
        transaction.execute(sql, values![sealing.id.as_str(), position, article.as_str(), title]).await?;
    }
    Ok(())
}

/// What a chunk of delivery rows is written from.
enum Sealed {
    Instant { audience: Audience, covers_to: i64, cursor: String },
    Digest(SealedDigest),
}

async fn sealed(transaction: &mut Transaction, issue: &IssueId) -> Result<Option<Sealed>> {
    // The UPDATE locks the row, so that two schedulers never write the same chunk.
    let sql = "UPDATE issues SET state = state WHERE id = $1 AND state = 'sealing'
        RETURNING newsletter, covers_to, slot_at, article, edition, replaces, tags, cursor";
    let Some(row) = transaction.row(sql, values![issue.as_str()]).await? else { return Ok(None) };
    let (newsletter, covers_to) = (NewsletterId::new(row.text(0)?), row.int(1)?);
    if let Some(slot_at) = row.opt_int(2)? {
        return Ok(Some(Sealed::Digest(SealedDigest { issue: issue.clone(), newsletter, slot_at, covers_to })));
    }
    let audience = Audience {
        newsletter,
        covered_before: covers_to,
        tags: row.text(6)?.lines().map(str::to_owned).collect(),
        article: (ArticleId::new(row.text(3)?), row.int(4)?),
        replaces: row.opt_text(5)?.map(IssueId::new),
    };
    Ok(Some(Sealed::Instant { audience, covers_to, cursor: row.text(7)? }))
}

async fn write_chunk(transaction: &mut Transaction, issue: IssueId, now: DateTime<Utc>) -> Result<bool> {
    let Some(mut sealed) = sealed(transaction, &issue).await? else { return Ok(false) };
    let newsletter = match &sealed {
        Sealed::Instant { audience, .. } => audience.newsletter.clone(),
        Sealed::Digest(digest) => digest.newsletter.clone(),
    };
    lock_newsletter(transaction, newsletter.as_str()).await?;
    let (started, mut written) = (tokio::time::Instant::now(), 0);
    let mut is_whole = false;
    while !is_whole && written < CHUNK && started.elapsed() < LONGEST_WRITE {
        let slice = match &mut sealed {
            Sealed::Instant { audience, covers_to, cursor } => {
                write_instant_slice(transaction, &issue, (audience, *covers_to), cursor, now).await?
            }
            Sealed::Digest(digest) => write_digest_slice(transaction, digest, now).await?,
        };
        written += slice.unwrap_or(0);
        is_whole = slice.is_none();
    }
    let cursor = match &sealed {
        Sealed::Instant { cursor, .. } => cursor,
        Sealed::Digest(_) => "",
    };
    let sql = "UPDATE issues SET cursor = $2, written = written + $3 WHERE id = $1";
    transaction.execute(sql, values![issue.as_str(), cursor, written]).await?;
    if is_whole {
        seal_whole(transaction, &issue, newsletter.as_str()).await?;
    }
    Ok(!is_whole)
}

/// Writes the rows of the next instant readers after `cursor` and serves them: those whose topics the article does not
/// meet are served without a row, so that no later choice brings it. None: there are no more readers.
async fn write_instant_slice(
    transaction: &mut Transaction,
    issue: &IssueId,
    (audience, covers_to): (&Audience, i64),
    cursor: &mut String,
    now: DateTime<Utc>,
) -> Result<Option<i64>> {
    let pick = concat!(
        "SELECT s.id, s.subscriber, p.email, p.email_key,
            CASE WHEN x.email_key IS NULL THEN 0 ELSE 1 END, CASE WHEN ",
        has_article!(),
        " THEN 1 ELSE 0 END, s.topics
        FROM subscriptions s JOIN subscribers p ON p.id = s.subscriber
        LEFT JOIN suppressions x ON x.email_key = p.email_key
        WHERE ",
        in_audience!(),
        " AND s.id > $6 ORDER BY s.id LIMIT $7"
    );
    let mut values = audience.values();
    values.extend(values![cursor.as_str(), SLICE]);
    let rows = transaction.rows(pick, values).await?;
    let Some(last) = rows.last() else { return Ok(None) };
    *cursor = last.text(0)?;
    let is_new = |row: &&Row| {
        matches!(row.int(5), Ok(0)) && row.text(6).is_ok_and(|topics| meets_topics(&topics, &audience.tags))
    };
    let new: Vec<Vec<Value>> =
        rows.iter().filter(is_new).map(|row| delivery(row, issue, &audience.article, now)).collect::<Result<_, _>>()?;
    let written = transaction
        .insert_many(
            "INSERT INTO deliveries (id, lane, issue, subscriber, subscription, article, edition, email, email_key,
                state, reason, due_at, first_due_at, finished_at) VALUES",
            new,
            "ON CONFLICT DO NOTHING",
        )
        .await?;
    // By their ids, so that nobody is covered who was not picked.
    let cover = listed!(
        "UPDATE subscriptions SET covered_to = $2
        WHERE id IN (SELECT value FROM listed) AND covered_to < $2"
    );
    let picked: Vec<String> = rows.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?;
    transaction.execute(cover, values![serde_json::json!(picked).to_string(), covers_to]).await?;
    Ok(Some(i64::try_from(written).unwrap_or(i64::MAX)))
}

fn delivery(
    row: &Row,
    issue: &IssueId,
    (article, edition): &(ArticleId, i64),
    now: DateTime<Utc>,
) -> Result<Vec<Value>> {
    let is_suppressed = row.int(4)? == 1;
    let (state, reason) =
        if is_suppressed { (DeliveryState::Suppressed, Some("suppressed")) } else { (DeliveryState::Queued, None) };
    Ok(values![
        clock::new_id(),
        "issue",
        issue.as_str(),
        row.text(1)?,
        row.text(0)?,
        article.as_str(),
        *edition,
        row.text(2)?,
        row.text(3)?,
        state.as_str(),
        reason,
        (!is_suppressed).then_some(millis(now)),
        millis(now),
        is_suppressed.then_some(millis(now)),
    ])
}

async fn seal_whole(transaction: &mut Transaction, issue: &IssueId, newsletter: &str) -> Result<()> {
    let whole = "UPDATE issues SET state = 'sealed' WHERE id = $1 AND state = 'sealing'";
    transaction.execute(whole, values![issue.as_str()]).await?;
    // The issues of one digest run count together.
    let largest = "UPDATE newsletters SET largest_audience = (
            SELECT CASE WHEN SUM(j.written) > COALESCE(largest_audience, 0)
                THEN CAST(SUM(j.written) AS BIGINT) ELSE COALESCE(largest_audience, 0) END
            FROM issues i JOIN issues j ON j.id = i.id OR (j.newsletter = i.newsletter AND j.cadence = i.cadence
                AND j.slot_at = i.slot_at) WHERE i.id = $2)
        WHERE id = $1";
    transaction.execute(largest, values![newsletter, issue.as_str()]).await?;
    Ok(())
}

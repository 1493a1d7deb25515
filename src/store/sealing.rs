//! Sealing: content and the rule for an audience are frozen, and delivery rows follow in chunks.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::clock;
use crate::model::{
    ArticleId, Cadence, EmailAddress, IssueId, IssueKind, NewsletterId, Sender, SubscriberId, SubscriptionId, Viewer,
    meets_topics,
};

use super::database::{Result, Transaction, transact};
use super::dialect::{listed, listed_rows};
use super::digests::write_digest_slice;
use super::ledger::lock_newsletter;
use super::open::Store;
use super::values::{Value, columns, values};

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
pub(super) const LONGEST_WRITE: std::time::Duration = std::time::Duration::from_millis(10);
/// How many instant readers are looked at between two looks at the clock.
const SLICE: i64 = 250;

/// How many subscriptions are counted at once: what is sorted for that is kept in memory.
const COUNTED: i64 = 20_000;

/// Asks whether there is such a row, so that PostgreSQL goes to those of each reader; for EXISTS it would read all there
/// are, for a few readers of many.
macro_rules! is_there {
    ($rows:literal) => {
        concat!("(", $rows, " LIMIT 1) IS NOT NULL")
    };
}

/// Whether subscription `s` is in the audience, whatever its topics ($1 newsletter, $2 before, $3 replaced issue).
macro_rules! in_audience {
    () => {
        concat!(
            "s.newsletter = $1 AND s.cadence = 'instant' AND s.state = 'active' AND (s.covered_to < $2 OR ",
            is_there!(
                "SELECT 1 FROM deliveries r WHERE r.issue = $3 AND r.subscriber = s.subscriber AND r.subscription = s.id
                AND r.state NOT IN ('sent', 'unknown', 'sending') AND r.may_have_arrived = 0"
            ),
            ")"
        )
    };
}

/// Whether a subscriber has the instant mail of an article ($4) from any newsletter: in this edition ($5) or, if it may
/// have arrived, in whichever.
macro_rules! has_article {
    () => {
        is_there!(
            "SELECT 1 FROM deliveries e WHERE e.subscriber = s.subscriber AND e.article = $4 AND (e.edition = $5
            OR e.state IN ('sent', 'unknown', 'sending') OR e.may_have_arrived = 1)"
        )
    };
}

impl Audience {
    fn values(&self) -> Vec<Value> {
        let (article, edition) = &self.article;
        values![&self.newsletter, self.covered_before, self.replaces.as_ref(), article, *edition]
    }
}

impl Store {
    /// Counts an audience as it stands at one moment, and everybody else of the newsletter by the reason why they are not
    /// in it.
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
                ELSE 'recipient' END AS reason, s.topics, COUNT(*), MAX(s.id)
            FROM (SELECT * FROM subscriptions WHERE newsletter = $1 AND id > $6 ORDER BY id LIMIT $7) s
            JOIN subscribers p ON p.id = s.subscriber LEFT JOIN suppressions x ON x.email_key = p.email_key
            GROUP BY 1, 2"
        );
        const REASONS: [&str; 6] =
            ["not confirmed", "left", "other cadence", "not owed", "suppressed", "has it from another newsletter"];
        let mut excluded: BTreeMap<&str, i64> = BTreeMap::new();
        let (mut recipients, mut cursor, mut reader) = (0, String::new(), self.snapshot().await?);
        loop {
            let mut values = audience.values();
            values.extend(values![&cursor, COUNTED]);
            let counted: Vec<(String, String, i64, String)> = reader.rows(sql, values).await?;
            let Some(last) = counted.iter().map(|(.., last)| last).max() else { break };
            cursor.clone_from(last);
            for (reason, topics, people, _) in counted {
                match REASONS.into_iter().find(|known| *known == reason) {
                    Some(reason) => *excluded.entry(reason).or_default() += people,
                    None if meets_topics(&topics, &audience.tags) => recipients += people,
                    None => *excluded.entry("chose other topics").or_default() += people,
                }
            }
        }
        Ok(Count { recipients, excluded: excluded.into_iter().collect() })
    }

    /// Whether any instant reader has not been served to a number.
    pub async fn has_instant_readers(&self, newsletter: &NewsletterId, number: i64) -> Result<bool> {
        let sql = "SELECT 1 FROM subscriptions
            WHERE newsletter = $1 AND cadence = 'instant' AND state = 'active' AND covered_to < $2 LIMIT 1";
        self.has_any(sql, values![newsletter, number]).await
    }

    /// Serves instant readers to the number of an article that none of them gets, some in one transaction. True: there
    /// may be more.
    pub async fn pass_instant_readers(&self, newsletter: &NewsletterId, number: i64) -> Result<bool> {
        let sql = "UPDATE subscriptions SET covered_to = $2 WHERE id IN (SELECT id FROM subscriptions
            WHERE newsletter = $1 AND cadence = 'instant' AND state = 'active' AND covered_to < $2 LIMIT $3)
            AND covered_to < $2";
        let passed = self.execute(sql, values![newsletter, number, SLICE]).await?;
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
        let id = issue.clone();
        let sealed = transact!(self.write, |transaction| { sealed(transaction, &id).await })?;
        match sealed.map(|sealed| sealed.audience()) {
            Some(Some(audience)) => Ok(self.count_audience(&audience).await?.recipients),
            Some(None) => {
                let sql = "SELECT COUNT(*) FROM issue_groups g JOIN issues i ON i.id = g.issue
                    JOIN subscriptions s ON s.newsletter = i.newsletter AND s.rhythm = g.rhythm
                        AND s.topics = g.topics AND s.covered_to = g.covered_to
                    WHERE g.issue = $1 AND s.state = 'active' AND s.rhythm <> ''
                    AND (s.paused_until IS NULL OR s.paused_until <= i.slot_at)";
                Ok(self.row(sql, values![issue]).await?.unwrap_or(0))
            }
            None => Ok(0),
        }
    }
}

async fn seal(transaction: &mut Transaction, audience: Audience, sealing: Sealing) -> Result<bool> {
    let newsletter = &audience.newsletter.clone();
    lock_newsletter(transaction, newsletter).await?;
    let busy = "SELECT 1 FROM issues WHERE newsletter = $1 AND kind = 'instant' AND state = 'sealing'";
    if transaction.has_any(busy, values![newsletter]).await? {
        return Ok(false);
    }
    if audience.replaces.is_none() {
        let sql = "UPDATE ledger SET instant = 'sealed' WHERE newsletter = $1 AND article = $2 AND instant = 'waiting'";
        if transaction.execute(sql, values![newsletter, &audience.article.0]).await? == 0 {
            return Ok(false);
        }
    }
    insert_issue(transaction, newsletter, IssueKey::Instant(audience), sealing).await?;
    Ok(true)
}

/// Writes an issue with its content, to be filled with deliveries.
pub(super) async fn insert_issue(
    transaction: &mut Transaction,
    newsletter: &NewsletterId,
    key: IssueKey,
    sealing: Sealing,
) -> Result<()> {
    let sql =
        "INSERT INTO issues (id, newsletter, covers_to, plan, subject, from_name, from_email, reply_to, list_title,
            base_url, web_page, state, send_at, created_at, kind, cadence, slot_at, part, article, edition, replaces,
            tags)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'sealing', $12, $13, $14, $15, $16, $17, $18, $19, $20,
            $21)";
    let Sealing { id, from, .. } = sealing;
    let mut row = values![
        &id,
        newsletter,
        sealing.covers_to,
        sealing.plan,
        sealing.subject,
        from.name,
        &from.address,
        sealing.reply_to.as_ref(),
        sealing.list_title,
        sealing.base_url,
        sealing.web_page,
        sealing.send_at,
        sealing.sealed_at
    ];
    row.extend(match key {
        IssueKey::Digest { cadence, slot_at, part } => {
            let none = None::<&str>;
            values![IssueKind::Digest, cadence, slot_at, part, none, None::<i64>, none, ""]
        }
        IssueKey::Instant(Audience { article: (article, edition), replaces, tags, .. }) => {
            let none = None::<i64>;
            values![IssueKind::Instant, Cadence::Instant, none, none, &article, edition, replaces.as_ref(), &tags]
        }
    });
    transaction.execute(sql, row).await?;
    for (viewer, html, text) in sealing.bodies {
        let sql = "INSERT INTO issue_bodies (issue, viewer, html, text) VALUES ($1, $2, $3, $4)";
        transaction.execute(sql, values![&id, viewer, html, text]).await?;
    }
    for (position, (article, title)) in (0_i64..).zip(sealing.articles) {
        let sql = "INSERT INTO issue_articles (issue, position, article, title) VALUES ($1, $2, $3, $4)";
        transaction.execute(sql, values![&id, position, &article, title]).await?;
    }
    Ok(())
}

/// An issue whose delivery rows are being written.
pub(super) struct Sealed {
    pub issue: IssueId,
    pub newsletter: NewsletterId,
    /// Its readers are served to this number.
    pub covers_to: i64,
    /// Of a digest.
    pub slot_at: Option<DateTime<Utc>>,
    /// Of an instant issue, as all that follows: the last subscription that was looked at.
    cursor: String,
    tags: Vec<String>,
    replaces: Option<IssueId>,
    article: Option<(ArticleId, i64)>,
}

columns! { Sealed: issue, newsletter, covers_to, slot_at, cursor, tags, replaces, article; }

impl Sealed {
    /// Of an instant issue.
    fn audience(&self) -> Option<Audience> {
        let Sealed { newsletter, covers_to, tags, replaces, article, .. } = self;
        let (newsletter, tags, replaces) = (newsletter.clone(), tags.clone(), replaces.clone());
        Some(Audience { newsletter, covered_before: *covers_to, tags, article: article.clone()?, replaces })
    }
}

async fn sealed(transaction: &mut Transaction, issue: &IssueId) -> Result<Option<Sealed>> {
    // The UPDATE locks the row, so that two schedulers never write the same chunk.
    let sql = "UPDATE issues SET state = state WHERE id = $1 AND state = 'sealing'
        RETURNING id, newsletter, covers_to, slot_at, cursor, tags, replaces, article, edition";
    transaction.row(sql, values![issue]).await
}

async fn write_chunk(transaction: &mut Transaction, issue: IssueId, now: DateTime<Utc>) -> Result<bool> {
    let Some(mut sealed) = sealed(transaction, &issue).await? else { return Ok(false) };
    lock_newsletter(transaction, &sealed.newsletter).await?;
    let audience = sealed.audience();
    let (started, mut written) = (tokio::time::Instant::now(), 0);
    let mut is_whole = false;
    while !is_whole && written < CHUNK && started.elapsed() < LONGEST_WRITE {
        let slice = match &audience {
            Some(audience) => write_instant_slice(transaction, &mut sealed, audience, now).await?,
            None => write_digest_slice(transaction, &sealed, now).await?,
        };
        written += slice.unwrap_or(0);
        is_whole = slice.is_none();
    }
    let sql = "UPDATE issues SET cursor = $2, written = written + $3 WHERE id = $1";
    transaction.execute(sql, values![&issue, &sealed.cursor, written]).await?;
    if is_whole {
        seal_whole(transaction, &sealed).await?;
    }
    Ok(!is_whole)
}

/// Writes the rows of the next instant readers after the cursor and serves them: those whose topics the article does
/// not meet are served without a row, so that no later choice brings it. None: there are no more readers.
async fn write_instant_slice(
    transaction: &mut Transaction,
    sealed: &mut Sealed,
    audience: &Audience,
    now: DateTime<Utc>,
) -> Result<Option<i64>> {
    let pick = concat!(
        "SELECT s.id, s.subscriber, ",
        has_article!(),
        ", s.topics FROM subscriptions s WHERE ",
        in_audience!(),
        " AND s.id > $6 ORDER BY s.id LIMIT $7"
    );
    let mut values = audience.values();
    values.extend(values![&sealed.cursor, SLICE]);
    let picked: Vec<(String, SubscriberId, bool, String)> = transaction.rows(pick, values).await?;
    let Some((last, ..)) = picked.last() else { return Ok(None) };
    sealed.cursor.clone_from(last);
    // By their ids, so that nobody is covered who was not picked.
    let cover = listed!(
        "UPDATE subscriptions SET covered_to = $2
        WHERE id IN (SELECT value FROM listed) AND covered_to < $2"
    );
    let ids: Vec<&String> = picked.iter().map(|(id, ..)| id).collect();
    transaction.execute(cover, values![serde_json::json!(ids).to_string(), sealed.covers_to]).await?;
    let new = picked.into_iter().filter(|(.., has_it, topics)| !has_it && meets_topics(topics, &audience.tags));
    let new: Vec<Reader> = new.map(|(id, subscriber, ..)| (SubscriptionId::new(id), subscriber)).collect();
    write_rows(transaction, sealed, None, &new, now).await.map(Some)
}

/// A subscription that is served, and whose it is.
type Reader = (SubscriptionId, SubscriberId);

/// Writes the rows of an issue's readers, for a digest with the rhythm and the number that they came from. Says how
/// many.
pub(super) async fn write_rows(
    transaction: &mut Transaction,
    sealed: &Sealed,
    from: Option<(&str, i64)>,
    readers: &[Reader],
    now: DateTime<Utc>,
) -> Result<i64> {
    let row = |(subscription, subscriber): &Reader| {
        let (subscription, subscriber) = (subscription.as_str(), subscriber.as_str());
        serde_json::json!({ "id": clock::new_id(), "subscription": subscription, "subscriber": subscriber })
    };
    let listed = serde_json::Value::from_iter(readers.iter().map(row));
    let sql = listed_rows!(
        "INSERT INTO deliveries (id, lane, issue, subscriber, subscription, article, edition, rhythm, covered_from,
            email, email_key, state, reason, due_at, first_due_at, finished_at)
        SELECT l.value ->> 'id', 'issue', $2, p.id, l.value ->> 'subscription', $3, $4, $5, $6, p.email, p.email_key,
            CASE WHEN x.email_key IS NULL THEN 'queued' ELSE 'suppressed' END,
            CASE WHEN x.email_key IS NULL THEN NULL ELSE 'suppressed' END,
            CASE WHEN x.email_key IS NULL THEN $7 END, $7, CASE WHEN x.email_key IS NULL THEN NULL ELSE $7 END
        FROM listed l CROSS JOIN subscribers p LEFT JOIN suppressions x ON x.email_key = p.email_key
        WHERE p.id = l.value ->> 'subscriber' ON CONFLICT DO NOTHING"
    );
    let (article, edition) = sealed.article.as_ref().map(|(article, edition)| (article, *edition)).unzip();
    let (rhythm, covered_from) = from.unzip();
    let values = values![listed.to_string(), &sealed.issue, article, edition, rhythm, covered_from, now];
    Ok(i64::try_from(transaction.execute(sql, values).await?).unwrap_or(i64::MAX))
}

async fn seal_whole(transaction: &mut Transaction, sealed: &Sealed) -> Result<()> {
    let whole = "UPDATE issues SET state = 'sealed' WHERE id = $1 AND state = 'sealing'";
    transaction.execute(whole, values![&sealed.issue]).await?;
    // The issues of one digest run count together.
    let largest = "UPDATE newsletters SET largest_audience = (
            SELECT CASE WHEN SUM(j.written) > COALESCE(largest_audience, 0)
                THEN CAST(SUM(j.written) AS BIGINT) ELSE COALESCE(largest_audience, 0) END
            FROM issues i JOIN issues j ON j.id = i.id OR (j.newsletter = i.newsletter AND j.cadence = i.cadence
                AND j.slot_at = i.slot_at) WHERE i.id = $2)
        WHERE id = $1";
    transaction.execute(largest, values![&sealed.newsletter, &sealed.issue]).await.map(drop)
}

//! The publication ledger: which article is owed to which newsletter's readers, by number.

use chrono::{DateTime, Utc};

use crate::model::{ArticleId, NewsletterId, words};

use super::database::{Result, StoreError, Transaction, transact};
use super::open::Store;
use super::values::{columns, values};

words! {
    /// Why an article is in the ledger.
    pub enum Standing {
        /// It was out before this database or newsletter was first seen: never mailed by itself.
        BeforeStart = "before-start",
        /// It was first seen too long after its date: waits for an editor.
        Late = "late",
        /// It is owed, under its number.
        Owed = "owed",
        /// It was owed, but was taken back before it was sealed.
        Withdrawn = "withdrawn",
    }
}

/// One (article, newsletter) in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The article.
    pub article: ArticleId,
    /// Why it is here.
    pub standing: Standing,
    /// Its number; only what is owed has one.
    pub sequence: Option<i64>,
    /// Whether its instant issue is still to be sealed.
    pub instant_waits: bool,
    /// Whether no issue carries it that is sealed, or could be by now: it can still be taken back.
    pub is_unsealed: bool,
    /// When it was entered.
    pub first_seen_at: DateTime<Utc>,
}

impl Entry {
    /// What an article that will be out would be entered as.
    pub fn foreseen(article: ArticleId, number: i64, at: DateTime<Utc>) -> Entry {
        let (standing, sequence) = (Standing::Owed, Some(number));
        Entry { article, standing, sequence, instant_waits: true, is_unsealed: true, first_seen_at: at }
    }
}

/// An article that is out and has not been seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The article.
    pub article: ArticleId,
    /// Its date.
    pub published_at: DateTime<Utc>,
    /// Whether it was seen in time.
    pub in_time: bool,
}

columns! { Entry: article, standing, sequence, instant_waits, is_unsealed, first_seen_at; }

const ENTER: &str = "INSERT INTO ledger (newsletter, article, state, sequence, instant, published_at, first_seen_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (newsletter, article) DO NOTHING";
/// Giving out a number locks the newsletter's row, so that two schedulers never give out the same one.
const NEXT_NUMBER: &str = "UPDATE newsletters SET sequence = sequence + 1 WHERE id = $1 RETURNING sequence";

impl Store {
    /// Enters a newsletter. At its first time, whatever is `already_due` is entered as before-start in the same
    /// transaction: an empty ledger mails nothing. Says whether it was new.
    pub async fn enter_newsletter(
        &self,
        newsletter: NewsletterId,
        already_due: Vec<(ArticleId, DateTime<Utc>)>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        // As a rule it is there, and whoever only looks does not wait for somebody who writes.
        if self.has_any("SELECT 1 FROM newsletters WHERE id = $1", values![&newsletter]).await? {
            return Ok(false);
        }
        transact!(self.write, |transaction| {
            let sql = "INSERT INTO newsletters (id, first_seen_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
            if transaction.execute(sql, values![&newsletter, now]).await? == 0 {
                return Ok(false);
            }
            for (article, published_at) in already_due {
                let number = None::<i64>;
                let row = values![&newsletter, &article, Standing::BeforeStart, number, "none", published_at, now];
                transaction.execute(ENTER, row).await?;
            }
            Ok(true)
        })
    }

    /// All that a newsletter's ledger knows, by number.
    pub async fn seen_articles(&self, newsletter: &NewsletterId) -> Result<Vec<Entry>> {
        let sql = "SELECT article, state, sequence, instant = 'waiting', CASE
                WHEN instant = 'sealed' OR state = 'before-start' THEN 0
                WHEN instant = 'waiting' OR state <> 'owed' THEN 1
                WHEN EXISTS (SELECT 1 FROM issue_articles a JOIN issues i ON i.id = a.issue
                    WHERE a.article = ledger.article AND i.newsletter = $1) THEN 0 ELSE 1 END, first_seen_at
            FROM ledger WHERE newsletter = $1 ORDER BY sequence";
        self.rows(sql, values![newsletter]).await
    }

    /// Enters articles at first sight, in the order given: seen in time, each gets the next number; else it is late.
    /// One transaction; an article that another scheduler entered first keeps its entry.
    pub async fn enter_articles(
        &self,
        newsletter: NewsletterId,
        sightings: Vec<Sighting>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        transact!(self.write, |transaction| {
            lock_newsletter(transaction, &newsletter).await?;
            for sighting in sightings {
                let known = "SELECT 1 FROM ledger WHERE newsletter = $1 AND article = $2";
                if transaction.has_any(known, values![&newsletter, &sighting.article]).await? {
                    continue;
                }
                let Sighting { article, published_at, in_time } = sighting;
                let (standing, number, instant) = match in_time {
                    true => (Standing::Owed, Some(next_number(transaction, &newsletter).await?), "waiting"),
                    false => (Standing::Late, None, "none"),
                };
                let row = values![&newsletter, &article, standing, number, instant, published_at, now];
                transaction.execute(ENTER, row).await?;
            }
            Ok(())
        })
    }

    /// An editor's word that an article is owed: it gets its number now. What is owed already keeps its number, and
    /// waits for its instant issue again if there was to be none.
    pub async fn owe(
        &self,
        newsletter: NewsletterId,
        article: ArticleId,
        published_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<i64> {
        transact!(self.write, |transaction| {
            lock_newsletter(transaction, &newsletter).await?;
            let wanted = "UPDATE ledger SET instant = 'waiting'
                WHERE newsletter = $1 AND article = $2 AND sequence IS NOT NULL AND instant IN ('none', 'skipped')";
            transaction.execute(wanted, values![&newsletter, &article]).await?;
            let found = "SELECT sequence FROM ledger WHERE newsletter = $1 AND article = $2";
            if let Some(number) = transaction.row(found, values![&newsletter, &article]).await?.flatten() {
                return Ok(number);
            }
            let number = next_number(transaction, &newsletter).await?;
            let sql = "INSERT INTO ledger (newsletter, article, state, sequence, instant, published_at, first_seen_at)
                VALUES ($1, $2, 'owed', $3, 'waiting', $4, $5) ON CONFLICT (newsletter, article)
                DO UPDATE SET state = 'owed', sequence = excluded.sequence, instant = 'waiting'";
            transaction.execute(sql, values![&newsletter, &article, number, published_at, now]).await?;
            Ok(number)
        })
    }

    /// Takes back what is owed and not sealed, because the article is no longer out.
    pub async fn withdraw(&self, newsletter: &NewsletterId, article: &ArticleId) -> Result<()> {
        let sql = "UPDATE ledger SET state = 'withdrawn', sequence = NULL, instant = 'none'
            WHERE newsletter = $1 AND article = $2 AND instant IN ('waiting', 'skipped')";
        self.execute(sql, values![newsletter, article]).await.map(drop)
    }

    /// Forgets what was never mailed, because its date has moved: it is seen anew when that comes.
    pub async fn forget_article(&self, newsletter: &NewsletterId, article: &ArticleId) -> Result<()> {
        let sql = "DELETE FROM ledger WHERE newsletter = $1 AND article = $2 AND instant <> 'sealed'";
        self.execute(sql, values![newsletter, article]).await.map(drop)
    }

    /// There will be no instant issue of this article: nobody wants it at once, or an editor said no. False: none was
    /// waiting.
    pub async fn skip_instant(&self, newsletter: &NewsletterId, article: &ArticleId) -> Result<bool> {
        let sql = "UPDATE ledger SET instant = 'skipped'
            WHERE newsletter = $1 AND article = $2 AND instant = 'waiting'";
        Ok(self.execute(sql, values![newsletter, article]).await? > 0)
    }

    /// Whatever was owed before this moment, and whose instant issue is not sealed, waits for an editor from now on;
    /// for a database that comes back from elsewhere.
    pub async fn leave_to_editors(&self) -> Result<()> {
        let sql = "UPDATE ledger SET state = 'late', sequence = NULL, instant = 'none' WHERE instant = 'waiting'";
        self.execute(sql, vec![]).await.map(drop)
    }

    /// Remembers how many a plan would go to when it was last shown to an editor.
    pub async fn show_plan(&self, plan: &str, recipients: i64, now: DateTime<Utc>) -> Result<()> {
        let sql = "INSERT INTO plans (id, recipients, shown_at) VALUES ($1, $2, $3)
            ON CONFLICT (id) DO UPDATE SET recipients = excluded.recipients, shown_at = excluded.shown_at";
        self.execute(sql, values![plan, recipients, now]).await.map(drop)
    }

    /// An editor's yes to a plan that was shown. False: no such plan was ever shown.
    pub async fn approve_plan(&self, plan: &str, now: DateTime<Utc>) -> Result<bool> {
        let sql = "UPDATE plans SET approved_at = $2, approved_for = recipients WHERE id = $1";
        Ok(self.execute(sql, values![plan, now]).await? > 0)
    }

    /// What tells whether plans may have changed although nothing was published: the last approval, and how many
    /// rhythms there are.
    pub async fn planning_mark(&self) -> Result<(i64, i64)> {
        let sql = "SELECT COALESCE(MAX(approved_at), 0), (SELECT COUNT(*) FROM rhythms) FROM plans";
        Ok(self.row(sql, vec![]).await?.unwrap_or_default())
    }

    /// To how many a plan would have gone when it was last shown, and when an editor said yes to it, if one did; none:
    /// it never was shown.
    pub async fn shown_plan(&self, plan: &str) -> Result<Option<(i64, Option<i64>)>> {
        self.row("SELECT recipients, approved_for FROM plans WHERE id = $1", values![plan]).await
    }
}

/// Holds other schedulers off until the transaction ends, so that numbers, sealings and changes of cadence of a
/// newsletter have one order. To be taken before the rows of its subscriptions, and newsletters in the order of their
/// ids.
pub(super) async fn lock_newsletter(transaction: &mut Transaction, newsletter: &NewsletterId) -> Result<()> {
    let sql = "UPDATE newsletters SET sequence = sequence WHERE id = $1";
    transaction.execute(sql, values![newsletter]).await.map(drop)
}

async fn next_number(transaction: &mut Transaction, newsletter: &NewsletterId) -> Result<i64> {
    let number = transaction.row(NEXT_NUMBER, values![newsletter]).await?;
    number.ok_or_else(|| StoreError::Form(format!("newsletter `{newsletter}` is not in the database")))
}

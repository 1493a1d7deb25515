//! How often something was asked for, so that a limit outlives a restart and holds over all processes.

use chrono::{DateTime, Duration, Utc};

use crate::model::EmailAddress;

use super::database::{Result, Transaction, transact};
use super::open::Store;
use super::values::values;

/// At most `times` within `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How often.
    pub times: i64,
    /// Within how long.
    pub window: Duration,
}

/// One thing that is counted: what is asked for, by or for whom. The key is a hash, never an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// What is asked for.
    pub scope: &'static str,
    /// By or for whom.
    pub key: String,
    /// How often it may be.
    pub limits: &'static [Limit],
}

impl Counted {
    /// Whether one more is within every limit. Others that ask for the same key wait until this transaction ends.
    pub(super) async fn has_room(&self, transaction: &mut Transaction, now: DateTime<Utc>) -> Result<bool> {
        if transaction.is_postgres() {
            let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7305721411))::text";
            transaction.has_any(lock, values![format!("{}|{}", self.scope, self.key)]).await?;
        }
        for limit in self.limits {
            let sql = "SELECT COUNT(*) FROM limit_events WHERE scope = $1 AND key = $2 AND at > $3";
            let values = values![self.scope, &self.key, now - limit.window];
            if transaction.row(sql, values).await?.unwrap_or(0) >= limit.times {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Remembers one more if there is room for it; says whether there was.
    pub(super) async fn try_one(&self, transaction: &mut Transaction, now: DateTime<Utc>) -> Result<bool> {
        let has_room = self.has_room(transaction, now).await?;
        if has_room {
            self.count(transaction, now).await?;
        }
        Ok(has_room)
    }

    /// Remembers one more.
    pub(super) async fn count(&self, transaction: &mut Transaction, now: DateTime<Utc>) -> Result<()> {
        let sql = "INSERT INTO limit_events (scope, key, at) VALUES ($1, $2, $3)";
        transaction.execute(sql, values![self.scope, &self.key, now]).await?;
        Ok(())
    }
}

/// What a request for a mail counts against.
#[derive(Debug, Clone)]
pub struct Asking {
    /// How often this client may ask, and all of its network; over it, nothing is written.
    pub client: [Counted; 2],
    /// How often everybody together may be mailed; over it, nothing is written.
    pub everyone: Counted,
    /// How often this address may be mailed; over it, everything is written, but nothing sent.
    pub address: Counted,
}

/// Whose limit a request was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// This client's.
    ForClient,
    /// That of everybody together.
    ForAnybody,
}

impl Asking {
    /// Counts the request against its client; says for whom there was no room, if so.
    pub(super) async fn admit(&self, transaction: &mut Transaction, now: DateTime<Utc>) -> Result<Option<NoRoom>> {
        for client in &self.client {
            if !client.has_room(transaction, now).await? {
                return Ok(Some(NoRoom::ForClient));
            }
        }
        if !self.everyone.has_room(transaction, now).await? {
            return Ok(Some(NoRoom::ForAnybody));
        }
        for client in &self.client {
            client.count(transaction, now).await?;
        }
        Ok(None)
    }

    /// Counts a mail against everybody's. What mails nobody counts for nothing, but is written alike.
    pub(super) async fn count_mail(
        &self,
        transaction: &mut Transaction,
        is_sent: bool,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let scope = if is_sent { self.everyone.scope } else { "unsent" };
        Counted { scope, ..self.everyone.clone() }.count(transaction, now).await
    }

    /// Why the address is not to be mailed, if so; else counts it. Asks and writes the same for any address.
    pub(super) async fn why_unsent(
        &self,
        transaction: &mut Transaction,
        email: &EmailAddress,
        now: DateTime<Utc>,
    ) -> Result<Option<&'static str>> {
        let has_room = self.address.has_room(transaction, now).await?;
        let bounced = "SELECT 1 FROM suppressions WHERE email_key = $1 AND reason = 'hard-bounce'";
        let bounced = transaction.has_any(bounced, values![email.key()]).await?;
        // What was refused counts for nothing, or else whoever floods an address would keep it shut for its owner.
        let scope = if has_room { self.address.scope } else { "over-limit" };
        Counted { scope, ..self.address.clone() }.count(transaction, now).await?;
        Ok(match (has_room, bounced) {
            (_, true) => Some("suppressed"),
            (false, false) => Some("limit"),
            (true, false) => None,
        })
    }
}

impl Store {
    /// Counts one more if there is room for it, in one transaction; says whether there was.
    pub async fn count(&self, counted: Counted, now: DateTime<Utc>) -> Result<bool> {
        transact!(self.write, |transaction| { counted.try_one(transaction, now).await })
    }

    /// Forgets what no limit counts any more: whatever is older than `before`. One statement.
    pub async fn forget_counts(&self, before: DateTime<Utc>) -> Result<u64> {
        self.execute("DELETE FROM limit_events WHERE at < $1", values![before]).await
    }
}

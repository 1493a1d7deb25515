//! How often something was asked for, so that a limit outlives a restart and holds over all processes.

use chrono::{DateTime, Duration, Utc};

use super::database::{StoreError, Transaction, values};
use super::millis;
use super::open::Store;

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
    pub(super) async fn has_room(&self, transaction: &mut Transaction, now: DateTime<Utc>) -> Result<bool, StoreError> {
        if transaction.is_postgres() {
            let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7305721411))::text";
            transaction.rows(lock, values![format!("{}|{}", self.scope, self.key)]).await?;
        }
        for limit in self.limits {
            let sql = "SELECT COUNT(*) FROM limit_events WHERE scope = $1 AND key = $2 AND at > $3";
            let since = millis(now - limit.window);
            let row = transaction.row(sql, values![self.scope, &self.key, since]).await?;
            if row.map_or(Ok(0), |row| row.int(0))? >= limit.times {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Remembers one more.
    pub(super) async fn count(&self, transaction: &mut Transaction, now: DateTime<Utc>) -> Result<(), StoreError> {
        let sql = "INSERT INTO limit_events (scope, key, at) VALUES ($1, $2, $3)";
        transaction.execute(sql, values![self.scope, &self.key, millis(now)]).await?;
        Ok(())
    }
}

impl Store {
    /// Counts one more if there is room for it, in one transaction; says whether there was.
    pub async fn count(&self, counted: Counted, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.write(move |transaction| {
            Box::pin(async move {
                let has_room = counted.has_room(transaction, now).await?;
                if has_room {
                    counted.count(transaction, now).await?;
                }
                Ok(has_room)
            })
        })
        .await
    }

    /// Forgets what no limit counts any more: whatever is older than `before`. One statement.
    pub async fn forget_counts(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        self.execute("DELETE FROM limit_events WHERE at < $1", values![millis(before)]).await
    }
}

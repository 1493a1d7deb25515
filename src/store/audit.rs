//! What happened to accounts: appended, never changed, with masked addresses and without tokens (OWASP ASVS 5.0, 16.2).

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::clock;
use crate::model::SubscriberId;

use super::database::{Result, Transaction, transact};
use super::open::Store;
use super::values::{columns, values};

/// One thing that happened to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// What: `signed-in`, …
    pub event: String,
    /// By what means, in words of ours.
    pub detail: String,
}

columns! { AccountEvent: at, event, detail; }

/// Appends an event. `who` is a masked address or empty, `detail` words of ours: nothing that a request brought gets
/// in.
pub(super) async fn record_event(
    transaction: &mut Transaction,
    event: &'static str,
    (subscriber, who): (Option<&SubscriberId>, &str),
    detail: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let sql = "INSERT INTO audit (id, at, event, subscriber, who, detail) VALUES ($1, $2, $3, $4, $5, $6)";
    transaction.execute(sql, values![clock::new_id(), now, event, subscriber, who, detail]).await.map(drop)
}

impl Store {
    /// Appends an event that no other change of ours goes with.
    pub async fn record_account_event(
        &self,
        who: &SubscriberId,
        event: &'static str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let who = who.clone();
        transact!(self.write, |transaction| { record_event(transaction, event, (Some(&who), ""), "", now).await })
    }

    /// The latest `most` events of an account, the latest first.
    pub async fn account_events(&self, who: &SubscriberId, most: i64) -> Result<Vec<AccountEvent>> {
        let sql = "SELECT at, event, detail FROM audit WHERE subscriber = $1 ORDER BY at DESC, id DESC LIMIT $2";
        self.rows(sql, values![who, most]).await
    }
}

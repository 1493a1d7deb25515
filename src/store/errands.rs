//! What was heard of the payment provider, and what is to be asked there or done.
//!
//! An errand is done by one process at a time, under a lease; what it brings back is written in the transaction that
//! ends the errand, and only by whoever still has the lease. What is heard meanwhile begins it anew, so that the last
//! word about an agreement is always one that was asked for after the last news of it.

use chrono::{DateTime, Utc};

use crate::clock;
use crate::model::{ErrandKind, News};

use super::database::{Result, Transaction, transact};
use super::dialect::claim;
use super::identity::SET;
use super::open::Store;
use super::values::{Columns, Row, values};

/// An errand that this process does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// What is to be done.
    pub kind: ErrandKind,
    /// The provider's id of what it is about.
    pub about: String,
    /// How often it was begun, this time included.
    pub tries: i64,
    heard: i64,
    /// Unlike any other lease's, also after the errand was ended and asked for anew.
    lease: String,
}

impl Columns for Errand {
    fn read(row: &mut Row) -> Result<Errand> {
        let id: String = row.read()?;
        let (kind, about) = id.split_once(':').unwrap_or_default();
        let kind = ErrandKind::parse(kind).ok_or_else(|| row.unfit(&id, "errand"))?;
        Ok(Errand { kind, about: about.to_owned(), heard: row.read()?, lease: row.read()?, tries: row.read()? })
    }
}

impl Errand {
    fn id(&self) -> String {
        id_of(self.kind, &self.about)
    }
}

fn id_of(kind: ErrandKind, about: &str) -> String {
    format!("{kind}:{about}")
}

/// Has something asked or done, now; if somebody is at it, again afterwards.
pub(super) async fn send_for(
    transaction: &mut Transaction,
    kind: ErrandKind,
    about: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let sql = "INSERT INTO errands (id, heard, due_at) VALUES ($1, 1, $2)
        ON CONFLICT (id) DO UPDATE SET heard = errands.heard + 1, due_at = excluded.due_at, tries = 0";
    transaction.execute(sql, values![id_of(kind, about), now]).await.map(drop)
}

impl Store {
    /// Has something asked or done.
    pub async fn send_for(&self, kind: ErrandKind, about: &str, now: DateTime<Utc>) -> Result<()> {
        let about = about.to_owned();
        transact!(self.write, |transaction| { send_for(transaction, kind, &about, now).await })
    }

    /// Keeps news, each once, with what they ask for, in one transaction. Gives how many were new.
    pub async fn hear(&self, news: Vec<News>, now: DateTime<Utc>) -> Result<u64> {
        transact!(self.write, |transaction| {
            let mut new = 0;
            for News { id, errand, .. } in news {
                let sql = "INSERT INTO provider_events (id, at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
                if transaction.execute(sql, values![id, now]).await? == 1 {
                    new += 1;
                    if let Some((kind, about)) = errand {
                        send_for(transaction, kind, &about, now).await?;
                    }
                }
            }
            Ok(new)
        })
    }

    /// Until when the provider's list of events has been read, if ever.
    pub async fn heard_until(&self) -> Result<Option<DateTime<Utc>>> {
        let text = self.fact("heard-until").await?;
        Ok(text.and_then(|text| text.parse().ok()).and_then(DateTime::from_timestamp_millis))
    }

    /// Keeps until when it has been read.
    pub async fn keep_heard_until(&self, at: DateTime<Utc>) -> Result<()> {
        self.execute(SET, values!["heard-until", at.timestamp_millis().to_string()]).await.map(drop)
    }

    /// Begins the errand that has been due the longest (with `which`: that one), for as long as the lease lasts; none
    /// where nothing is due that nobody is at.
    pub async fn begin_errand(
        &self,
        which: Option<(ErrandKind, &str)>,
        now: DateTime<Utc>,
        leased_until: DateTime<Utc>,
    ) -> Result<Option<Errand>> {
        let sql = claim!(
            "SELECT e.id FROM errands e WHERE e.due_at <= $1 AND (e.leased_until IS NULL OR e.leased_until <= $1)
                AND ($4 = '' OR e.id = $4) ORDER BY e.due_at LIMIT 1",
            "UPDATE errands SET leased_until = $2, lease = $3, tries = tries + 1
                WHERE id IN (SELECT id FROM picked) RETURNING id, heard, lease, tries"
        );
        let which = which.map_or_else(String::new, |(kind, about)| id_of(kind, about));
        let values = values![now, leased_until, clock::new_id(), which];
        let begun: Vec<Errand> = self.write(move |transaction| Box::pin(transaction.rows(sql, values))).await?;
        Ok(begun.into_iter().next())
    }

    /// Whether an errand is still to be done.
    pub async fn awaits(&self, kind: ErrandKind, about: &str) -> Result<bool> {
        self.has_any("SELECT 1 FROM errands WHERE id = $1", values![id_of(kind, about)]).await
    }

    /// Puts an errand off that could not be done.
    pub async fn put_off(&self, errand: &Errand, due_at: DateTime<Utc>) -> Result<()> {
        let sql = "UPDATE errands SET leased_until = NULL, due_at = $3 WHERE id = $1 AND lease = $2";
        self.execute(sql, values![errand.id(), &errand.lease, due_at]).await.map(drop)
    }

    /// Ends an errand that brought nothing to be written back, but asks for others. False: the lease was lost.
    pub async fn end_errand(
        &self,
        errand: &Errand,
        then: Vec<(ErrandKind, String)>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let errand = errand.clone();
        transact!(self.write, |transaction| {
            let is_ours = end_errand(transaction, &errand, now).await?;
            for (kind, about) in then.iter().filter(|_| is_ours) {
                send_for(transaction, *kind, about, now).await?;
            }
            Ok(is_ours)
        })
    }
}

/// Ends an errand; begins it anew if something was heard meanwhile. False: the lease was lost.
pub(super) async fn end_errand(transaction: &mut Transaction, errand: &Errand, now: DateTime<Utc>) -> Result<bool> {
    let sql = "DELETE FROM errands WHERE id = $1 AND lease = $2 AND heard = $3";
    if transaction.execute(sql, values![errand.id(), &errand.lease, errand.heard]).await? == 1 {
        return Ok(true);
    }
    // Something was heard meanwhile: what was found is true, and is asked again.
    let sql = "UPDATE errands SET leased_until = NULL, due_at = $3 WHERE id = $1 AND lease = $2";
    Ok(transaction.execute(sql, values![errand.id(), &errand.lease, now]).await? == 1)
}

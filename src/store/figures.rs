//! Memberships and money, counted.

use chrono::{DateTime, Utc};

use crate::model::{Every, MembershipState, Money};

use super::database::Result;
use super::memberships::{MEMBERSHIP, Membership};
use super::open::Store;
use super::values::{columns, values};

/// Memberships that stand alike, and what they come to together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standings {
    /// Where they stand.
    pub state: MembershipState,
    /// How often they are paid; none: they were granted.
    pub every: Option<Every>,
    /// What one payment of each comes to, all together; none: they were granted.
    pub price: Option<Money>,
    /// How many.
    pub count: i64,
}

columns! { Standings: count, state, every, price; }

impl Store {
    /// Memberships by which somebody reads at `now`, by state, rhythm and currency.
    pub async fn open_memberships(&self, now: DateTime<Utc>) -> Result<Vec<Standings>> {
        let sql = "SELECT COUNT(*), state, every, CAST(SUM(amount) AS BIGINT), currency FROM memberships
            WHERE reads_until > $1 GROUP BY state, every, currency ORDER BY state, every, currency";
        self.rows(sql, values![now]).await
    }

    /// How many memberships that are paid for began, and how many ended, since `since`.
    pub async fn movements(&self, since: DateTime<Utc>) -> Result<(i64, i64)> {
        let sql = "SELECT
            (SELECT COUNT(*) FROM memberships WHERE state <> 'granted' AND began_at > $1),
            (SELECT COUNT(*) FROM memberships WHERE state = 'ended' AND ends_at > $1)";
        Ok(self.row(sql, values![since]).await?.unwrap_or_default())
    }

    /// What was paid since `since`, less what of it was given back or is disputed; a sum for each currency.
    pub async fn received(&self, since: DateTime<Utc>) -> Result<Vec<Money>> {
        let sql = "SELECT CAST(SUM(CASE state WHEN 'disputed' THEN 0 ELSE amount - given_back END) AS BIGINT), currency
            FROM invoices WHERE paid_at > $1 GROUP BY currency ORDER BY currency";
        self.rows(sql, values![since]).await
    }

    /// Up to `most` memberships in the order of their ids, from behind `after`, each with its id and the address of
    /// whose it is.
    pub async fn memberships_after(&self, after: &str, most: i64) -> Result<Vec<(String, Option<String>, Membership)>> {
        let sql = format!(
            "SELECT id, (SELECT email FROM subscribers p WHERE p.id = m.subscriber), {MEMBERSHIP} FROM memberships m
            WHERE id > $1 ORDER BY id LIMIT $2"
        );
        self.rows(sqlx::AssertSqlSafe(sql), values![after, most]).await
    }
}

//! Memberships: who reads what is paid for, and until when.

use chrono::{DateTime, Utc};

use crate::model::{SubscriberId, Viewer};

use super::audit::record_event;
use super::database::{Result, transact};
use super::open::Store;
use super::values::values;

/// As whom a subscriber `$who` reads at the moment `$now`, where `$active` finds the subscriptions that count: an
/// expression of SQL whose value is a word of [`Viewer`].
macro_rules! reads_as {
    ($who:literal, $active:literal, $now:literal) => {
        concat!(
            "CASE WHEN EXISTS (SELECT 1 FROM memberships m WHERE m.subscriber = ",
            $who,
            " AND m.ends_at > ",
            $now,
            ") THEN 'member' WHEN EXISTS (SELECT 1 FROM subscriptions s WHERE ",
            $active,
            " AND s.state = 'active') THEN 'subscriber' ELSE 'anybody' END"
        )
    };
}
pub(super) use reads_as;

impl Store {
    /// As whom somebody who has signed in reads at `now`.
    pub async fn viewer(&self, who: &SubscriberId, now: DateTime<Utc>) -> Result<Viewer> {
        let sql =
            concat!("SELECT ", reads_as!("p.id", "s.subscriber = p.id", "$2"), " FROM subscribers p WHERE p.id = $1");
        Ok(self.row(sql, values![who, now]).await?.unwrap_or(Viewer::Anybody))
    }

    /// The same for whoever has an address, under its key.
    pub async fn viewer_at(&self, email_key: &str, now: DateTime<Utc>) -> Result<Viewer> {
        let who = self.row("SELECT id FROM subscribers WHERE email_key = $1", values![email_key]).await?;
        match who {
            Some(who) => self.viewer(&who, now).await,
            None => Ok(Viewer::Anybody),
        }
    }

    /// Until when somebody is a member, or was; none: they never were.
    pub async fn membership_end(&self, who: &SubscriberId) -> Result<Option<DateTime<Utc>>> {
        self.row("SELECT ends_at FROM memberships WHERE subscriber = $1", values![who]).await
    }

    /// Makes somebody a member until `end`, whatever was granted before. An end that has come takes the membership away.
    pub async fn grant_membership(&self, who: &SubscriberId, end: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
        let who = who.clone();
        transact!(self.write, |transaction| {
            let sql = "INSERT INTO memberships (subscriber, granted_at, ends_at) VALUES ($1, $2, $3)
                ON CONFLICT (subscriber) DO UPDATE SET granted_at = excluded.granted_at, ends_at = excluded.ends_at";
            transaction.execute(sql, values![&who, now, end]).await?;
            let event = if end > now { "membership-granted" } else { "membership-ended" };
            let detail = format!("until {}", end.format("%Y-%m-%d %H:%M UTC"));
            record_event(transaction, event, (Some(&who), ""), &detail, now).await
        })
    }
}

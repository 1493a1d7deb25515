//! Memberships: who reads what is paid for, and until when.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::model::{
    AgreementId, Currency, CustomerId, Every, MembershipState, Money, NewsletterId, Opens, Plan, PlanId, Reading,
    SubscriberId,
};

use super::audit::record_event;
use super::database::{Result, transact};
use super::open::Store;
use super::values::{Columns, Row, columns, values};

/// As whom a subscriber `$who` reads at the moment `$now` what comes with the subscription that `$active` finds: an
/// expression of SQL whose value is a word of [`crate::model::Viewer`].
macro_rules! reads_as {
    ($who:literal, $active:literal, $now:literal) => {
        concat!(
            "CASE WHEN EXISTS (SELECT 1 FROM memberships m WHERE m.subscriber = ",
            $who,
            " AND m.reads_until > ",
            $now,
            " AND (NOT EXISTS (SELECT 1 FROM openings o WHERE o.plan = m.plan) OR EXISTS (
                SELECT 1 FROM openings o JOIN subscriptions s ON s.newsletter = o.newsletter
                WHERE o.plan = m.plan AND ",
            $active,
            "))) THEN 'member' WHEN EXISTS (SELECT 1 FROM subscriptions s WHERE ",
            $active,
            " AND s.state = 'active') THEN 'subscriber' ELSE 'anybody' END"
        )
    };
}
pub(super) use reads_as;

/// One membership as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Where it stands.
    pub state: MembershipState,
    /// Since when.
    pub began_at: DateTime<Utc>,
    /// Until when one may read.
    pub reads_until: DateTime<Utc>,
    /// What was bought; none: an editor granted it.
    pub bought: Option<Bought>,
}

/// What was bought, and from when to when it is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bought {
    /// The provider's agreement.
    pub agreement: AgreementId,
    /// Who pays, as the provider knows them.
    pub customer: CustomerId,
    /// For which plan.
    pub plan: PlanId,
    /// What one payment comes to.
    pub price: Money,
    /// How often it is paid.
    pub every: Every,
    /// Until when it is paid for.
    pub paid_until: DateTime<Utc>,
    /// When the present period runs out, and the next payment is due if it goes on.
    pub renews_at: DateTime<Utc>,
    /// When it ends, if it was cancelled, or ended.
    pub ends_at: Option<DateTime<Utc>>,
}

columns! {
    Bought: agreement, customer, plan, price, every, paid_until, renews_at, ends_at;
    Standings: count, state, every, price;
}

/// Written `state, began_at, reads_until, id, customer, plan, amount, currency, every, paid_until, renews_at, ends_at`.
impl Columns for Membership {
    fn read(row: &mut Row) -> Result<Membership> {
        let (state, began_at, reads_until) = row.read()?;
        let bought = if state == MembershipState::Granted { None } else { Some(row.read()?) };
        Ok(Membership { state, began_at, reads_until, bought })
    }
}

/// The columns of a [`Membership`].
pub(super) const MEMBERSHIP: &str =
    "state, began_at, reads_until, id, customer, plan, amount, currency, every, paid_until, renews_at, ends_at";

impl Columns for Money {
    fn read(row: &mut Row) -> Result<Money> {
        Ok(Money { minor: row.read()?, currency: row.read()? })
    }
}

impl Columns for Currency {
    fn read(row: &mut Row) -> Result<Currency> {
        let code: String = row.read()?;
        Currency::parse(&code).ok_or_else(|| row.unfit(&code, "currency"))
    }
}

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

impl Membership {
    /// Whether one may read by it at `now`.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.reads_until > now
    }
}

impl Store {
    /// What somebody who has signed in reads at `now`.
    pub async fn reading(&self, who: &SubscriberId, now: DateTime<Utc>) -> Result<Reading> {
        let sql = "SELECT 1 FROM subscriptions WHERE subscriber = $1 AND state = 'active'";
        let is_subscriber = self.has_any(sql, values![who]).await?;
        let sql = "SELECT DISTINCT 1, o.newsletter FROM memberships m LEFT JOIN openings o ON o.plan = m.plan
            WHERE m.subscriber = $1 AND m.reads_until > $2 ORDER BY o.newsletter";
        let opened: Vec<(i64, Option<NewsletterId>)> = self.rows(sql, values![who, now]).await?;
        let opened: Option<Vec<NewsletterId>> = opened.into_iter().map(|(_, newsletter)| newsletter).collect();
        Ok(Reading { is_subscriber, opens: opened.map_or(Opens::Everything, Opens::These) })
    }

    /// The same for whoever has an address, under its key.
    pub async fn reading_at(&self, email_key: &str, now: DateTime<Utc>) -> Result<Reading> {
        let who = self.row("SELECT id FROM subscribers WHERE email_key = $1", values![email_key]).await?;
        match who {
            Some(who) => self.reading(&who, now).await,
            None => Ok(Reading::ANYBODY),
        }
    }

    /// Somebody's memberships: first what was bought and goes on, which they may want to end; then what was cancelled,
    /// what was granted, and what is over; of each, what lasts longest.
    pub async fn memberships(&self, who: &SubscriberId) -> Result<Vec<Membership>> {
        let sql = format!(
            "SELECT {MEMBERSHIP} FROM memberships WHERE subscriber = $1 ORDER BY CASE WHEN state = 'ended' THEN 3
                WHEN state = 'granted' THEN 2 WHEN ends_at IS NOT NULL THEN 1 ELSE 0 END, reads_until DESC, id"
        );
        self.rows(sqlx::AssertSqlSafe(sql), values![who]).await
    }

    /// Makes somebody a member until `end`, whatever was granted before; what they have bought stays. An end that has
    /// come takes what was granted away.
    pub async fn grant_membership(&self, who: &SubscriberId, end: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
        let who = who.clone();
        transact!(self.write, |transaction| {
            let sql = "INSERT INTO memberships (id, subscriber, state, began_at, reads_until)
                VALUES ($1, $1, 'granted', $2, $3)
                ON CONFLICT (id) DO UPDATE SET began_at = excluded.began_at, reads_until = excluded.reads_until";
            transaction.execute(sql, values![&who, now, end]).await?;
            let event = if end > now { "membership-granted" } else { "membership-ended" };
            let detail = format!("until {}", end.format("%Y-%m-%d %H:%M UTC"));
            record_event(transaction, event, (Some(&who), ""), &detail, now).await
        })
    }

    /// Keeps what each plan opens. What a plan opened that is not sold any more stays for whoever bought it.
    pub async fn keep_openings(&self, plans: &[Plan]) -> Result<()> {
        let known: Vec<(PlanId, NewsletterId)> = self.rows("SELECT plan, newsletter FROM openings", vec![]).await?;
        let changed = plans.iter().filter(|plan| {
            let before = known.iter().filter(|(id, _)| *id == plan.id).map(|(_, opened)| opened);
            !before.collect::<BTreeSet<_>>().into_iter().eq(&plan.opens)
        });
        for plan in changed.cloned() {
            transact!(self.write, |transaction| {
                transaction.execute("DELETE FROM openings WHERE plan = $1", values![&plan.id]).await?;
                for newsletter in &plan.opens {
                    let sql = "INSERT INTO openings (plan, newsletter) VALUES ($1, $2) ON CONFLICT DO NOTHING";
                    transaction.execute(sql, values![&plan.id, newsletter]).await?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

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

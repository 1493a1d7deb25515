//! Everything that is kept about one person: given out whole, or taken away.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value as Json, json};

use crate::model::{EmailAddress, SubscriberId, SuppressionReason};

use super::audit::record_event;
use super::billing::forget_payer;
use super::database::{Result, Transaction, again, transact};
use super::journal::settle;
use super::notices::{FollowUp, NewFlow, enter_flow};
use super::open::Store;
use super::sessions::{end_sessions, forget_flows};
use super::subscribers::end_subscription;
use super::values::{Row, values};

/// What an export holds: its key, its columns and where they are from. The last word of a column is its name there;
/// what ends in `_at` is a moment.
const HELD: &[(&str, &str, &str)] = &[
    (
        "person",
        "id, email, name, time_zone, language, tags, CAST(feed AS TEXT) AS feed_number, created_at",
        "FROM subscribers WHERE id = $1",
    ),
    (
        "not_to_be_mailed",
        "x.reason, x.at AS since_at",
        "FROM suppressions x JOIN subscribers p ON p.email_key = x.email_key WHERE p.id = $1",
    ),
    (
        "subscriptions",
        "newsletter, state, cadence, rhythm, returns_to, topics, paused_until AS pause_ends_at, created_at, activated_at,
            ended_at",
        "FROM subscriptions WHERE subscriber = $1 ORDER BY newsletter",
    ),
    (
        "membership",
        "id, customer, state, plan, currency, every, began_at, reads_until AS reads_until_at,
            paid_until AS paid_until_at, ends_at",
        "FROM memberships WHERE subscriber = $1 ORDER BY began_at",
    ),
    (
        "invoices",
        "v.id, v.currency, v.state, CAST(v.amount AS TEXT) AS smallest_units,
            CAST(v.given_back AS TEXT) AS given_back, v.at AS made_at, v.paid_at",
        "FROM invoices v JOIN memberships m ON m.id = v.membership WHERE m.subscriber = $1 ORDER BY v.at",
    ),
    (
        "consents",
        "newsletter, event, source, at AS done_at",
        "FROM consents WHERE subscriber = $1 ORDER BY at, id",
    ),
    (
        "issues",
        "i.newsletter, i.subject, d.email, d.state, d.reason, d.date_at AS dated_at, d.finished_at",
        "FROM issues i CROSS JOIN deliveries d WHERE d.issue = i.id AND d.subscriber = $1 ORDER BY d.id",
    ),
    (
        "what_came_back",
        "r.cause, r.source, r.text, r.at AS came_at",
        "FROM issues i CROSS JOIN deliveries d JOIN returns r ON r.delivery = d.id
            WHERE d.issue = i.id AND d.subscriber = $1 ORDER BY r.at, r.id",
    ),
    (
        "notices",
        "f.purpose, f.email, f.payload AS what_was_asked, d.state, f.created_at AS asked_at, f.used_at, d.finished_at",
        "FROM flows f JOIN deliveries d ON d.flow = f.id JOIN subscribers p ON p.email_key = f.email_key
            WHERE p.id = $1 ORDER BY f.created_at",
    ),
    (
        "sessions",
        "browser, signed_in_at, seen_at, expires_at",
        "FROM sessions WHERE subscriber = $1 ORDER BY signed_in_at",
    ),
    ("account_events", "event, detail, at AS done_at", "FROM audit WHERE subscriber = $1 ORDER BY at, id"),
];

/// What makes a person's row nobody's.
macro_rules! blank {
    () => {
        "email = 'erased', email_key = 'erased:' || id, name = NULL, time_zone = NULL, language = NULL, tags = NULL,
        feed = feed + 1"
    };
}
pub(super) use blank;

impl Store {
    /// Everything that is kept about a person, as one object of lists.
    pub async fn everything_about(&self, who: &SubscriberId) -> Result<Json> {
        let mut everything = Map::new();
        for (key, columns, place) in HELD {
            let names: Vec<&str> = columns.split(',').filter_map(|column| column.rsplit([' ', '.']).next()).collect();
            let sql = sqlx::AssertSqlSafe(format!("SELECT {columns} {place}"));
            let rows = self.rows(sql, values![who]).await?.into_iter();
            let list = rows.map(|row| object(row, &names)).collect::<Result<Vec<_>, _>>()?;
            everything.insert((*key).to_owned(), Json::Array(list));
        }
        Ok(Json::Object(everything))
    }

    /// Takes a person away, in one transaction: subscriptions end, sessions and links are gone, and nothing that stays
    /// says whose it was. The address is not mailed again but by its owner's own sign-up: `suppressed_as` stands for
    /// it, a keyed hash from which nobody reads it back. One last mail is written in the language (BCP 47), whose flow
    /// is `link`. False: there is no such person any more.
    pub async fn erase(
        &self,
        (who, email, language): (SubscriberId, EmailAddress, String),
        suppressed_as: String,
        link: FollowUp,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let erase = async || {
            let (who, email, language) = (who.clone(), email.clone(), language.clone());
            let (suppressed_as, link) = (suppressed_as.clone(), link.clone());
            transact!(self.write, |transaction| {
                if !take_away(transaction, &who, (email.key(), &suppressed_as), now).await? {
                    return Ok(false);
                }
                record_event(transaction, "erased", (Some(&who), ""), "", now).await?;
                let flow = NewFlow::new("erased", link, (email, language), now, Duration::hours(24));
                enter_flow(transaction, flow, None).await?;
                Ok(true)
            })
        };
        again(erase).await
    }
}

fn object(mut row: Row, names: &[&str]) -> Result<Json> {
    let mut object = Map::new();
    for name in names {
        let value = if name.ends_with("_at") {
            json!(row.read::<Option<DateTime<Utc>>>()?.map(|at| at.to_rfc3339()))
        } else {
            json!(row.read::<Option<String>>()?)
        };
        object.insert((*name).to_owned(), value);
    }
    Ok(Json::Object(object))
}

async fn take_away(
    transaction: &mut Transaction,
    who: &SubscriberId,
    (key, suppressed_as): (&str, &str),
    now: DateTime<Utc>,
) -> Result<bool> {
    // What senders still have to say about this person comes first, so that it is taken away with the rest.
    settle(transaction).await?;
    let blank = concat!("UPDATE subscribers SET ", blank!(), " WHERE id = $1 AND email_key = $2");
    if transaction.execute(blank, values![who, key]).await? == 0 {
        return Ok(false);
    }
    let theirs = "SELECT id FROM subscriptions WHERE subscriber = $1 AND state <> 'ended'";
    for subscription in transaction.rows(theirs, values![who]).await? {
        end_subscription(transaction, &subscription, "erased", now).await?;
    }
    end_sessions(transaction, who).await?;
    let flows = "SELECT id FROM flows WHERE subscriber = $1 OR email_key = $2";
    let flows = transaction.rows(flows, values![who, key]).await?;
    forget_flows(transaction, &flows).await?;
    for sql in [
        "UPDATE attempts SET text = '' WHERE delivery IN (
            SELECT id FROM deliveries WHERE issue IN (SELECT id FROM issues) AND subscriber = $1)",
        "UPDATE returns SET text = '' WHERE delivery IN (
            SELECT id FROM deliveries WHERE issue IN (SELECT id FROM issues) AND subscriber = $1)",
        "UPDATE deliveries SET email = 'erased', email_key = 'erased', first_name = ''
            WHERE issue IN (SELECT id FROM issues) AND subscriber = $1",
        "UPDATE audit SET who = '' WHERE subscriber = $1",
        "DELETE FROM memberships WHERE subscriber = $1 AND state = 'granted'",
    ] {
        transaction.execute(sql, values![who]).await?;
    }
    forget_payer(transaction, who, now).await?;
    let before = "DELETE FROM suppressions WHERE email_key = $1 RETURNING reason";
    let reason = transaction.row(before, values![key]).await?.unwrap_or(SuppressionReason::Request);
    let suppressed = "INSERT INTO suppressions (email_key, reason, at) VALUES ($1, $2, $3)
        ON CONFLICT (email_key) DO NOTHING";
    transaction.execute(suppressed, values![suppressed_as, reason, now]).await?;
    Ok(true)
}

//! Sessions: a browser that has signed in, until it signs out, is idle for too long, or its time is over.

use chrono::{DateTime, Duration, Utc};

use crate::model::{EmailAddress, SubscriberId};

use super::audit::record_event;
use super::database::{Result, Transaction, transact};
use super::dialect::listed;
use super::open::Store;
use super::values::{columns, values};

/// A clock may be set back by this much without shutting anybody out.
pub(super) const SLACK: Duration = Duration::minutes(1);
/// So many rows are forgotten in one transaction, so that no other write waits long.
const AT_ONCE: i64 = 500;

/// A session that is to begin. Its id itself is not among it.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// SHA-256 of what the browser keeps.
    pub id_hash: String,
    /// The hash of the session that the browser had before, which ends.
    pub replaces: String,
    /// The browser's family.
    pub browser: String,
    /// When it ends, however it is used.
    pub expires_at: DateTime<Utc>,
}

/// A session that holds, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What the list of sessions calls it.
    pub id: String,
    /// Who has signed in.
    pub subscriber: SubscriberId,
    /// Their address.
    pub email: EmailAddress,
    /// The language they chose.
    pub language: Option<String>,
    /// The browser's family.
    pub browser: String,
    /// When they signed in.
    pub signed_in_at: DateTime<Utc>,
    /// When the browser was last seen, to some minutes.
    pub seen_at: DateTime<Utc>,
}

columns! { Session: id, subscriber, email, language, browser, signed_in_at, seen_at; }

macro_rules! holding {
    ($condition:literal) => {
        concat!(
            "SELECT s.id, s.subscriber, p.email, p.language, s.browser, s.signed_in_at, s.seen_at
            FROM sessions s JOIN subscribers p ON p.id = s.subscriber
            WHERE s.expires_at > $2 AND s.seen_at > $3 AND s.signed_in_at <= $4 AND ",
            $condition
        )
    };
}

impl Store {
    /// The session with this hash, if it holds at `now` and was seen after `idle_since`. Changes nothing.
    pub async fn session(
        &self,
        id_hash: &str,
        now: DateTime<Utc>,
        idle_since: DateTime<Utc>,
    ) -> Result<Option<Session>> {
        self.row(holding!("s.id_hash = $1"), values![id_hash, now, idle_since, now + SLACK]).await
    }

    /// All of a person's sessions that hold, the latest first.
    pub async fn sessions_of(
        &self,
        subscriber: &SubscriberId,
        now: DateTime<Utc>,
        idle_since: DateTime<Utc>,
    ) -> Result<Vec<Session>> {
        let sql = holding!("s.subscriber = $1 ORDER BY s.signed_in_at DESC, s.id");
        self.rows(sql, values![subscriber, now, idle_since, now + SLACK]).await
    }

    /// Remembers that a session was seen.
    pub async fn see_session(&self, id: &str, now: DateTime<Utc>) -> Result<()> {
        self.execute("UPDATE sessions SET seen_at = $2 WHERE id = $1", values![id, now]).await.map(drop)
    }

    /// Ends a person's session with the id `one` (none: all), and remembers that, in one transaction. From its commit
    /// on, they hold in no process.
    pub async fn sign_out(&self, who: &Session, one: Option<String>, now: DateTime<Utc>) -> Result<()> {
        let (subscriber, masked) = (who.subscriber.clone(), who.email.masked());
        transact!(self.write, |transaction| {
            let detail = if one.is_none() { "everywhere" } else { "one browser" };
            let sql = "DELETE FROM sessions WHERE subscriber = $1 AND ($2 IS NULL OR id = $2)";
            if transaction.execute(sql, values![&subscriber, one]).await? > 0 {
                record_event(transaction, "signed-out", (Some(&subscriber), &masked), detail, now).await?;
            }
            Ok(())
        })
    }

    /// Forgets sessions whose time is over, links to sign in and to addresses and news of stops that ended more than a
    /// day ago with their notices, what happened to accounts more than a year ago, by strangers a week, and which
    /// events of the payment provider's were heard more than 31 days ago; at most a few hundred of each. Says whether
    /// there may be more.
    pub async fn forget_the_past(&self, now: DateTime<Utc>) -> Result<bool> {
        transact!(self.write, |transaction| {
            let sessions = "DELETE FROM sessions WHERE id_hash IN (
                SELECT id_hash FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
            let audit = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT $2)";
            // What strangers tried is not kept as long, so that an attack does not fill the disk.
            let strangers = "DELETE FROM audit WHERE id IN (
                SELECT id FROM audit WHERE subscriber IS NULL AND at < $1 ORDER BY at LIMIT $2)";
            // The provider does not tell of them any more.
            let events = "DELETE FROM provider_events WHERE id IN (
                SELECT id FROM provider_events WHERE at < $1 ORDER BY at LIMIT $2)";
            let mut most = 0;
            for (sql, days) in [(sessions, 0), (audit, 365), (strangers, 7), (events, 31)] {
                let gone = transaction.execute(sql, values![now - Duration::days(days), AT_ONCE]).await?;
                most = gone.max(most);
            }
            let flows = "SELECT id FROM flows WHERE expires_at < $1
                AND purpose IN ('sign-in', 'erased', 'new-address', 'old-address', 'stopped')
                ORDER BY expires_at LIMIT $2";
            let flows = transaction.rows(flows, values![now - Duration::days(1), AT_ONCE]).await?;
            forget_flows(transaction, &flows).await?;
            let most = most.max(u64::try_from(flows.len()).unwrap_or(0));
            Ok(i64::try_from(most).is_ok_and(|most| most >= AT_ONCE))
        })
    }
}

/// Ends all sessions of a person.
pub(super) async fn end_sessions(transaction: &mut Transaction, subscriber: &SubscriberId) -> Result<()> {
    transaction.execute("DELETE FROM sessions WHERE subscriber = $1", values![subscriber]).await.map(drop)
}

/// Takes flows away with their notices and what relays said about those.
pub(super) async fn forget_flows(transaction: &mut Transaction, ids: &[String]) -> Result<()> {
    let ids = serde_json::json!(ids).to_string();
    let attempts = listed!(
        "DELETE FROM attempts WHERE delivery IN (
            SELECT d.id FROM deliveries d JOIN listed ON d.flow = listed.value)"
    );
    // What came back counts once for ever, but not with what was said of whom.
    let returns = listed!(
        "UPDATE returns SET delivery = NULL, text = '' WHERE delivery IN (
            SELECT d.id FROM deliveries d JOIN listed ON d.flow = listed.value)"
    );
    let deliveries = listed!("DELETE FROM deliveries WHERE flow IN (SELECT value FROM listed)");
    let flows = listed!("DELETE FROM flows WHERE id IN (SELECT value FROM listed)");
    for sql in [attempts, returns, deliveries, flows] {
        transaction.execute(sql, values![&ids]).await?;
    }
    Ok(())
}

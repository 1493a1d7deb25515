//! Deliveries: claimed with a lease, noted before the final dot, recorded after the answer.
//!
//! A claim, a note and a record each ask whether the sender still holds the lease (owner and epoch), so that a sender
//! that slept through its lease can neither send nor record anything.

use std::borrow::Cow;

use chrono::serde::ts_milliseconds;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{DeliveryId, DeliveryState, EmailAddress, IssueId, OnUnknown, SubscriptionId, Viewer};

use super::database::{Manner, Result, StoreError, again, transact};
use super::dialect::claim;
use super::journal::settle;
use super::memberships::reads_as;
use super::open::Store;
use super::values::{Columns, Row, Value, columns, values};

/// A delivery that this sender may hand over, until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The delivery.
    pub id: DeliveryId,
    /// What it carries.
    pub content: Content,
    /// To whom.
    pub to: EmailAddress,
    /// Which claim of this delivery it is; later writes must name it.
    pub epoch: i64,
    /// Attempts that a relay answered so far.
    pub attempts: i64,
    /// Lines dropped in a row before the final dot.
    pub drops: i64,
    /// When it was first claimed: how long it is tried counts from here.
    pub first_due_at: DateTime<Utc>,
    /// Fixed by its first note: Date, and which server key its links are made with.
    pub fixed: Option<Fixed>,
}

/// What a delivery carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An issue, in the variant for this viewer.
    Issue {
        /// The issue.
        issue: IssueId,
        /// Whose leave link goes into it.
        subscription: SubscriptionId,
        /// Which variant.
        viewer: Viewer,
    },
    /// A notice: the id of the flow that it belongs to.
    Notice {
        /// The flow.
        flow: String,
    },
}

/// What must be the same in every try, so that a repeat is the same byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fixed {
    /// The Date header.
    #[serde(with = "ts_milliseconds")]
    pub date_at: DateTime<Utc>,
    /// Which server key its links and its Message-ID are made with.
    pub key_id: String,
    /// The Message-ID.
    pub message_id: String,
    /// Who signed it, as `config::Signers` says it; empty: nobody.
    pub signed_by: String,
    /// How it calls the reader; empty: as anybody.
    pub first_name: String,
}

/// What became of a handed over delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The relay took it.
    Sent,
    /// The relay said "not now"; try again then.
    Deferred(DateTime<Utc>),
    /// Refused, or put off for too long.
    Failed(Cow<'static, str>),
    /// The final dot may have arrived; try again then, or hold it.
    Unknown(Option<DateTime<Utc>>),
    /// The line was dropped before the final dot: nothing happened. Back in the queue, for then.
    Dropped(DateTime<Utc>),
    /// It was never offered: the relay as a whole could not take mail. Back in the queue, for then.
    Untouched(DateTime<Utc>),
}

impl Outcome {
    /// A word for figures.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Sent => "sent",
            Outcome::Deferred(_) => "deferred",
            Outcome::Failed(_) => "failed",
            Outcome::Unknown(_) => "unknown",
            Outcome::Dropped(_) => "dropped",
            Outcome::Untouched(_) => "untouched",
        }
    }

    /// Whether a relay said something about it, or may have.
    pub(super) fn is_try(&self) -> bool {
        !matches!(self, Outcome::Dropped(_) | Outcome::Untouched(_))
    }

    /// The state that follows, when the delivery is due again, and why, where the state alone does not say.
    pub(super) fn leads_to(&self) -> (DeliveryState, Option<DateTime<Utc>>, Option<&str>) {
        match self {
            Outcome::Sent => (DeliveryState::Sent, None, None),
            Outcome::Deferred(until) => (DeliveryState::Deferred, Some(*until), None),
            Outcome::Failed(reason) => (DeliveryState::Failed, None, Some(reason)),
            Outcome::Unknown(until) => (DeliveryState::Unknown, *until, Some("unknown")),
            Outcome::Dropped(until) | Outcome::Untouched(until) => (DeliveryState::Queued, Some(*until), None),
        }
    }
}

/// What a relay said, for the attempts of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Basic code, if it answered.
    pub code: Option<i64>,
    /// Enhanced code (RFC 3463).
    pub enhanced: Option<String>,
    /// Its words, or ours about the line.
    pub text: String,
    /// Which relay.
    pub relay: String,
}

/// One attempt, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// When.
    pub at: DateTime<Utc>,
    /// What was said.
    pub said: Said,
}

/// One person's delivery of an issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// The delivery.
    pub id: DeliveryId,
    /// Where it stands.
    pub state: DeliveryState,
    /// Why, where the state alone does not say.
    pub reason: Option<String>,
    /// Its Message-ID, once it was noted.
    pub message_id: Option<String>,
}

/// The sealed parts of an issue from which a mail is composed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueMail {
    /// Subject.
    pub subject: String,
    /// From: the display name.
    pub from_name: String,
    /// From: the address.
    pub from_email: String,
    /// Reply-To.
    pub reply_to: Option<String>,
    /// The newsletter's id.
    pub newsletter: String,
    /// The newsletter's title.
    pub list_title: String,
    /// Where links lead, without a final slash.
    pub base_url: String,
    /// Whether it is a digest, which no person wrote by hand (RFC 3834).
    pub is_digest: bool,
    /// HTML with slots.
    pub html: String,
    /// Text with slots.
    pub text: String,
}

columns! {
    Claimed: id, content, to, epoch, attempts, drops, first_due_at, fixed;
    Fixed: date_at, key_id, message_id, signed_by, first_name;
    Said: relay, code, enhanced, text;
    AttemptRow: at, said;
    DeliveryRow: id, state, reason, message_id;
    IssueMail: subject, from_name, from_email, reply_to, newsletter, list_title, base_url, is_digest, html, text;
}

impl Columns for Content {
    fn read(row: &mut Row) -> Result<Content> {
        let (issue, subscription, viewer, flow) = row.read()?;
        match (issue, subscription, viewer, flow) {
            (Some(issue), Some(subscription), Some(viewer), _) => Ok(Content::Issue { issue, subscription, viewer }),
            (.., Some(flow)) => Ok(Content::Notice { flow }),
            _ => Err(StoreError::Form("a delivery carries neither an issue nor a notice".to_owned())),
        }
    }
}

/// Whether a person is to be mailed: active, not suppressed, and the whole not held. Said in claim and in note.
macro_rules! may_be_mailed {
    () => {
        "NOT EXISTS (SELECT 1 FROM facts WHERE name = 'hold')
        AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.email_key = d.email_key
            AND (d.lane = 'issue' OR x.reason = 'hard-bounce'))
        AND (d.issue IS NULL OR (
            EXISTS (SELECT 1 FROM issues i WHERE i.id = d.issue AND i.state = 'sending')
            AND EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = d.subscription AND s.state = 'active')))"
    };
}
pub(super) use may_be_mailed;

/// An issue's deliveries that some sender has in its hands, found by the index of all those: by the issue's own, SQLite
/// would look at every one of its rows.
macro_rules! in_hand {
    ($issue:literal) => {
        concat!(" FROM deliveries d WHERE COALESCE(d.issue, '') = ", $issue, " AND d.state = 'sending'")
    };
}
pub(super) use in_hand;

/// The deliveries to be claimed, the longest due first.
macro_rules! pick {
    ($of:literal) => {
        concat!(
            "SELECT d.id FROM deliveries d WHERE ",
            $of,
            " AND d.state IN ('queued', 'deferred', 'unknown') AND d.due_at <= $1 AND ",
            may_be_mailed!(),
            " ORDER BY d.due_at LIMIT $4"
        )
    };
}

/// Takes picked rows under a lease. The reader's variant of the mail is chosen here, from membership and subscription
/// as they are at this moment; what may have arrived keeps its own.
macro_rules! take {
    () => {
        concat!(
            "UPDATE deliveries SET state = 'sending', lease_owner = $2, lease_until = $3, epoch = epoch + 1,
            noted_at = NULL, first_due_at = CASE attempts WHEN 0 THEN $1 ELSE first_due_at END,
            viewer = CASE WHEN viewer IS NOT NULL AND may_have_arrived = 1 THEN viewer ELSE ",
            reads_as!("deliveries.subscriber", "s.id = deliveries.subscription", "$1"),
            " END
        WHERE id IN (SELECT id FROM picked)
        RETURNING id, issue, subscription, viewer, flow, email, epoch, attempts, drops, first_due_at, date_at, key_id,
            message_id, signed_by, first_name"
        )
    };
}

impl Store {
    /// Claims up to `most` due deliveries of `issue` (none: notices) for `owner`, in one statement.
    ///
    /// That the subscription is active, the address not suppressed, the issue being sent and nothing held are
    /// conditions of the same statement: after a goodbye is committed, no new claim picks that person.
    pub async fn claim(
        &self,
        issue: Option<&IssueId>,
        owner: &str,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
        most: i64,
    ) -> Result<Vec<Claimed>> {
        let sql = if issue.is_some() {
            claim!(pick!("d.issue = $5"), take!())
        } else {
            claim!(pick!("d.issue IS NULL"), take!())
        };
        let mut values = values![now, owner, lease_until, most];
        values.extend(issue.map(Value::from));
        // What becomes durable later brings it along.
        self.transact(Manner::Unsynced, move |transaction| Box::pin(transaction.rows(sql, values))).await
    }

    /// Gives deliveries back that were claimed and have no note, because the sender stops. Says how many.
    pub async fn give_back(&self, owner: &str, now: DateTime<Utc>) -> Result<u64> {
        let give_back = async || {
            let owner = owner.to_owned();
            transact!(self.write, |transaction| {
                settle(transaction).await?;
                let sql = "UPDATE deliveries SET state = 'queued', due_at = $2, lease_owner = NULL, lease_until = NULL
                    WHERE lease_owner = $1 AND state = 'sending' AND noted_at IS NULL";
                transaction.execute(sql, values![owner, now]).await
            })
        };
        again(give_back).await
    }

    /// Prolongs every lease of `owner`, one statement.
    pub async fn renew_leases(&self, owner: &str, until: DateTime<Utc>) -> Result<u64> {
        let sql = "UPDATE deliveries SET lease_until = $2 WHERE lease_owner = $1 AND state = 'sending'";
        self.execute(sql, values![owner, until]).await
    }

    /// Takes deliveries back from senders that died: without a note they go back to the queue; with one, the final
    /// dot may have arrived: they are unknown, to be sent again or held. One transaction. Says how many.
    pub async fn release_expired(&self, now: DateTime<Utc>, on_unknown: OnUnknown) -> Result<u64> {
        let expired = "SELECT 1 FROM deliveries WHERE state = 'sending' AND lease_until <= $1 LIMIT 1";
        if !self.has_any(expired, values![now]).await? {
            return Ok(0);
        }
        transact!(self.write, |transaction| {
            settle(transaction).await?;
            let attempts = "INSERT INTO attempts (delivery, epoch, at, relay, code, enhanced, text)
                SELECT id, epoch, noted_at, '', NULL, NULL, 'the sender stopped after the mail was noted; it may have arrived'
                FROM deliveries WHERE state = 'sending' AND lease_until <= $1 AND noted_at IS NOT NULL
                ON CONFLICT (delivery, epoch) DO NOTHING";
            transaction.execute(attempts, values![now]).await?;
            let due_again = (on_unknown == OnUnknown::Resend).then_some(now);
            let unknown = "UPDATE deliveries SET state = 'unknown', reason = 'unknown', due_at = $2,
                    may_have_arrived = 1, lease_owner = NULL, lease_until = NULL
                WHERE state = 'sending' AND lease_until <= $1 AND noted_at IS NOT NULL";
            let noted = transaction.execute(unknown, values![now, due_again]).await?;
            let queued = "UPDATE deliveries SET state = 'queued', due_at = $1, lease_owner = NULL, lease_until = NULL
                WHERE state = 'sending' AND lease_until <= $1 AND noted_at IS NULL";
            Ok(noted + transaction.execute(queued, values![now]).await?)
        })
    }

    /// Marks as suppressed whatever of a sending issue waits for people who left or are suppressed by now, so that
    /// the issue can finish. Says how many.
    pub async fn retire_unreachable(&self, issue: &IssueId, now: DateTime<Utc>) -> Result<u64> {
        let sql = "UPDATE deliveries AS d SET state = 'suppressed', due_at = NULL, finished_at = $2,
                reason = CASE WHEN EXISTS (SELECT 1 FROM suppressions x WHERE x.email_key = d.email_key)
                    THEN 'suppressed' ELSE 'left' END
            WHERE d.issue = $1 AND d.state IN ('queued', 'deferred', 'unknown') AND d.due_at IS NOT NULL
            AND (EXISTS (SELECT 1 FROM suppressions x WHERE x.email_key = d.email_key)
                OR NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = d.subscription AND s.state = 'active'))";
        self.execute(sql, values![issue, now]).await
    }

    /// The earliest moment from which on something may be claimed: of an issue, not while it waits to begin or is paused.
    /// None: nothing waits.
    pub async fn next_due(&self, issue: Option<&IssueId>) -> Result<Option<DateTime<Utc>>> {
        let of_issue = "SELECT MIN(due_at) FROM deliveries WHERE issue = $1
            AND state IN ('queued', 'deferred', 'unknown')";
        let of_any = "SELECT MIN(CASE WHEN first < from_then_on THEN from_then_on ELSE first END) FROM (
            SELECT MIN(due_at) AS first, 0 AS from_then_on FROM deliveries WHERE issue IS NULL
                AND state IN ('queued', 'deferred', 'unknown')
            UNION ALL SELECT (SELECT MIN(due_at) FROM deliveries WHERE issue = i.id
                AND state IN ('queued', 'deferred', 'unknown')), i.started_at FROM issues i
                WHERE i.state = 'sending') AS lanes";
        let earliest = match issue {
            Some(issue) => self.row(of_issue, values![issue]).await?,
            None => self.row(of_any, vec![]).await?,
        };
        Ok(earliest.flatten())
    }

    /// How many notices wait to be sent.
    pub async fn count_waiting_notices(&self) -> Result<i64> {
        let sql = "SELECT COUNT(*) FROM deliveries WHERE issue IS NULL AND state IN ('queued', 'deferred', 'unknown')
            AND due_at IS NOT NULL";
        Ok(self.row(sql, vec![]).await?.unwrap_or_default())
    }

    /// Whether any sender has a delivery of an issue in its hands, or may claim one that is due by `now`. Both are asked at
    /// once, for deliveries come and go between the two.
    pub async fn is_under_way(&self, issue: &IssueId, now: DateTime<Utc>) -> Result<bool> {
        let sql = concat!(
            "SELECT 1 WHERE EXISTS (SELECT 1",
            in_hand!("$1"),
            ") OR EXISTS (SELECT 1 FROM deliveries d JOIN issues i ON i.id = d.issue WHERE d.issue = $1
                AND i.state = 'sending' AND d.state IN ('queued', 'deferred', 'unknown') AND d.due_at <= $2)"
        );
        self.has_any(sql, values![issue, now]).await
    }

    /// How many deliveries would go once a hold is lifted, by issue (none: notices).
    pub async fn waiting_deliveries(&self) -> Result<Vec<(Option<IssueId>, i64)>> {
        // Each half has an index of its own, and whatever is at rest is in neither.
        let sql = "SELECT d.issue, CAST(SUM(d.waiting) AS BIGINT) FROM (
                SELECT issue, COUNT(*) AS waiting FROM deliveries WHERE state IN ('queued', 'deferred', 'unknown')
                    AND due_at IS NOT NULL GROUP BY issue
                UNION ALL SELECT issue, COUNT(*) FROM deliveries WHERE state = 'sending' GROUP BY issue
            ) AS d LEFT JOIN issues i ON i.id = d.issue
            WHERE i.id IS NULL OR i.state IN ('sealing', 'sealed', 'sending') GROUP BY d.issue";
        self.rows(sql, vec![]).await
    }

    /// The sealed parts of an issue for one viewer: the mail of the last viewer up to them for whom there is another.
    pub async fn issue_mail(&self, issue: &IssueId, viewer: Viewer) -> Result<Option<IssueMail>> {
        let sql = "SELECT i.subject, i.from_name, i.from_email, i.reply_to, i.newsletter, i.list_title, i.base_url,
                CASE i.kind WHEN 'digest' THEN 1 ELSE 0 END, b.html, b.text
            FROM issues i JOIN issue_bodies b ON b.issue = i.id WHERE i.id = $1
            AND CASE b.viewer WHEN 'anybody' THEN 0 WHEN 'subscriber' THEN 1 ELSE 2 END <= $2
            ORDER BY CASE b.viewer WHEN 'anybody' THEN 0 WHEN 'subscriber' THEN 1 ELSE 2 END DESC LIMIT 1";
        self.row(sql, values![issue, viewer as i64]).await
    }

    /// How the person with this subscription wants to be called.
    pub async fn name_of(&self, subscription: &SubscriptionId) -> Result<Option<String>> {
        let sql = "SELECT p.name FROM subscriptions s JOIN subscribers p ON p.id = s.subscriber WHERE s.id = $1";
        Ok(self.row::<Option<String>>(sql, values![subscription]).await?.flatten())
    }

    /// One address's delivery of an issue.
    pub async fn delivery_to(&self, issue: &IssueId, email_key: &str) -> Result<Option<DeliveryRow>> {
        let sql = "SELECT id, state, reason, message_id FROM deliveries WHERE issue = $1
            AND subscriber IN (SELECT id FROM subscribers WHERE email_key = $2)";
        self.row(sql, values![issue, email_key]).await
    }

    /// What relays said about a delivery, in order.
    pub async fn attempts(&self, delivery: &DeliveryId) -> Result<Vec<AttemptRow>> {
        let sql = "SELECT at, relay, code, enhanced, text FROM attempts WHERE delivery = $1 ORDER BY epoch";
        self.rows(sql, values![delivery]).await
    }
}

//! What came back: bounces and complaints are appended, and what follows from them is done with it.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::model::{
    Cause, DeliveryId, EmailAddress, IssueId, NewsletterId, SubscriberId, SubscriptionId, SuppressionReason, Tally,
};

use super::database::{Result, Transaction, transact};
use super::deliveries::{AttemptRow, Said};
use super::notices::{FollowUp, NewFlow, enter_flow};
use super::open::Store;
use super::subscribers::{end_subscription, suppress};
use super::values::values;

/// One thing that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// What makes it the same as another: it counts once.
    pub id: String,
    /// What it is about.
    pub about: About,
    /// Why it came back.
    pub cause: Cause,
    /// What was said, and by whom.
    pub said: Said,
    /// Whether our own relay or provider says so; else anybody who had the mail may have written it.
    pub is_vouched: bool,
}

/// What something that came back is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A delivery.
    Delivery(DeliveryId),
    /// An address, as a provider names it.
    Address(EmailAddress),
}

/// What followed from something that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consequence {
    /// Whether the address is not mailed any more from now on.
    pub is_suppressed: bool,
    /// Why newsletters stopped, if they did.
    pub stopped: Option<String>,
}

/// What editors are told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// What it is about, in the word of its [`Cause`].
    pub what: String,
    /// What has stopped.
    pub newsletters: Vec<NewsletterId>,
}

/// The delivery, its reader's address and id, and its newsletter, as far as there are.
type Theirs = (Option<DeliveryId>, String, Option<SubscriberId>, Option<NewsletterId>);

impl Store {
    /// Appends what came back and does what follows, in one transaction: a mailbox that is not there, or full for good,
    /// is suppressed; a complaint suppresses and ends all subscriptions; too much of either stops the newsletter, our
    /// own faults stop all of them, and the editors of what stops are written to. None: it was known, or the delivery
    /// is not ours.
    pub async fn take_back(&self, returned: Returned, now: DateTime<Utc>) -> Result<Option<Consequence>> {
        transact!(self.write, |transaction| {
            let Some(theirs) = whose(transaction, &returned.about).await? else { return Ok(None) };
            if !append(transaction, &returned, &theirs, now).await? {
                return Ok(None);
            }
            let (_, key, subscriber, newsletter) = theirs;
            let reason = match returned.cause {
                Cause::Gone | Cause::Inactive => Some(SuppressionReason::HardBounce),
                Cause::Full if is_full_for_good(transaction, subscriber.as_ref()).await? => {
                    Some(SuppressionReason::HardBounce)
                }
                Cause::Complaint => Some(SuppressionReason::Complaint),
                _ => None,
            };
            // Of whoever was erased, no address is left that could be mailed.
            let reason = reason.filter(|_| key.contains('@'));
            let mut is_suppressed = false;
            if let Some(reason) = reason {
                is_suppressed = suppress(transaction, std::slice::from_ref(&key), reason, now).await? > 0;
            }
            if reason == Some(SuppressionReason::Complaint) {
                end_all(transaction, &key, now).await?;
            }
            let stopped = stop(transaction, &returned, newsletter, now).await?;
            Ok(Some(Consequence { is_suppressed, stopped }))
        })
    }

    /// What came back of a delivery, in order, with its cause.
    pub async fn returns_of(&self, delivery: &DeliveryId) -> Result<Vec<(Cause, AttemptRow)>> {
        let sql = "SELECT cause, at, source, code, enhanced, text FROM returns WHERE delivery = $1 ORDER BY at, id";
        self.rows(sql, values![delivery]).await
    }

    /// The newsletters that have stopped, and why.
    pub async fn stopped_newsletters(&self) -> Result<BTreeMap<NewsletterId, String>> {
        let sql = "SELECT id, stopped_for FROM newsletters WHERE stopped_for IS NOT NULL";
        Ok(self.rows(sql, vec![]).await?.into_iter().collect())
    }
}

async fn whose(transaction: &mut Transaction, about: &About) -> Result<Option<Theirs>> {
    match about {
        About::Delivery(delivery) => {
            let sql = "SELECT d.id, d.email_key, d.subscriber, i.newsletter FROM deliveries d
                LEFT JOIN issues i ON i.id = d.issue WHERE d.id = $1";
            transaction.row(sql, values![delivery]).await
        }
        About::Address(address) => {
            let sql = "SELECT d.id, p.email_key, p.id, i.newsletter FROM subscribers p CROSS JOIN issues i
                CROSS JOIN deliveries d WHERE p.email_key = $1 AND d.issue = i.id AND d.subscriber = p.id
                AND d.state = 'sent' ORDER BY i.created_at DESC LIMIT 1";
            let latest = transaction.row(sql, values![address.key()]).await?;
            Ok(latest.or_else(|| Some((None, address.key().to_owned(), None, None))))
        }
    }
}

/// False: it is there already.
async fn append(
    transaction: &mut Transaction,
    returned: &Returned,
    (delivery, _, _, newsletter): &Theirs,
    now: DateTime<Utc>,
) -> Result<bool> {
    let Said { code, enhanced, text, relay } = &returned.said;
    let sql = "INSERT INTO returns (id, delivery, newsletter, at, cause, source, code, enhanced, text)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING";
    let (delivery, newsletter) = (delivery.as_ref(), newsletter.as_ref());
    let row = values![&returned.id, delivery, newsletter, now, returned.cause, relay, *code, enhanced.as_ref(), text];
    let is_new = transaction.execute(sql, row).await? > 0;
    if let Some(newsletter) = newsletter.filter(|_| is_new) {
        let sql = "INSERT INTO return_counts (newsletter, day, cause, returned) VALUES ($1, $2, $3, 1)
            ON CONFLICT (newsletter, day, cause) DO UPDATE SET returned = return_counts.returned + 1";
        transaction.execute(sql, values![newsletter, day(now), returned.cause]).await?;
    }
    Ok(is_new)
}

/// Lets an issue's newsletter go on and begins its counts anew, if it has stopped; says whether it had.
pub(super) async fn let_go_on(transaction: &mut Transaction, issue: &IssueId) -> Result<bool> {
    let sql = "SELECT n.id FROM newsletters n JOIN issues i ON i.newsletter = n.id
        WHERE i.id = $1 AND n.stopped_for IS NOT NULL";
    let Some(newsletter) = transaction.row::<NewsletterId>(sql, values![issue]).await? else { return Ok(false) };
    for sql in [
        "DELETE FROM return_counts WHERE newsletter = $1",
        "UPDATE issues SET sent_before = COALESCE((SELECT CAST(SUM(c.sent) AS BIGINT) FROM sent_counts c
            WHERE c.issue = issues.id), 0) WHERE newsletter = $1",
        "UPDATE newsletters SET stopped_for = NULL WHERE id = $1",
    ] {
        transaction.execute(sql, values![&newsletter]).await?;
    }
    Ok(true)
}

/// Which day a moment lies on, since 1970.
fn day(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(86_400)
}

async fn is_full_for_good(transaction: &mut Transaction, subscriber: Option<&SubscriberId>) -> Result<bool> {
    let Some(subscriber) = subscriber else { return Ok(false) };
    let sql = "SELECT i.created_at, EXISTS (SELECT 1 FROM returns r WHERE r.delivery = d.id AND r.cause = 'full')
        FROM issues i CROSS JOIN deliveries d WHERE d.issue = i.id AND d.subscriber = $1
        AND d.state IN ('sent', 'failed', 'sending', 'deferred') ORDER BY i.created_at DESC LIMIT 60";
    Ok(Cause::is_full_for_good(&transaction.rows(sql, values![subscriber]).await?))
}

async fn end_all(transaction: &mut Transaction, email_key: &str, now: DateTime<Utc>) -> Result<()> {
    let sql = "SELECT t.id FROM subscriptions t JOIN subscribers p ON p.id = t.subscriber
        WHERE p.email_key = $1 AND t.state <> 'ended'";
    let theirs: Vec<SubscriptionId> = transaction.rows(sql, values![email_key]).await?;
    for subscription in theirs {
        end_subscription(transaction, &subscription, "complaint", now).await?;
    }
    Ok(())
}

/// Stops what has to stop, and tells its editors: says why, if anything did. Its issues are paused; `issue resume` lets
/// it go on.
async fn stop(
    transaction: &mut Transaction,
    returned: &Returned,
    newsletter: Option<NewsletterId>,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    let (trouble, newsletter) = if returned.cause == Cause::Authentication && returned.is_vouched {
        let code = returned.said.enhanced.as_deref().unwrap_or("no code");
        let why = format!("mail is refused because of our authentication or DNS ({code})");
        (Some((Cause::Authentication, why)), None)
    } else {
        let counts = !matches!(returned.cause, Cause::Full | Cause::Rate | Cause::Message | Cause::Later);
        let Some(newsletter) = newsletter.filter(|_| counts) else { return Ok(None) };
        (tally(transaction, &newsletter, now).await?.trouble(), Some(newsletter))
    };
    let Some((cause, why)) = trouble else { return Ok(None) };
    let sql =
        "UPDATE newsletters SET stopped_for = $1 WHERE stopped_for IS NULL AND id = COALESCE($2, id) RETURNING id";
    let stopped: Vec<NewsletterId> = transaction.rows(sql, values![&why, newsletter.as_ref()]).await?;
    if stopped.is_empty() {
        return Ok(None);
    }
    let issues = "UPDATE issues SET state = 'paused' WHERE state IN ('sealed', 'sending')
        AND newsletter IN (SELECT id FROM newsletters WHERE stopped_for IS NOT NULL)";
    transaction.execute(issues, values![]).await?;
    tell_editors(transaction, cause, stopped, now).await?;
    Ok(Some(why))
}

/// Writes a mail to where answers to the latest issue of each newsletter go, and one only to each address.
async fn tell_editors(
    transaction: &mut Transaction,
    cause: Cause,
    stopped: Vec<NewsletterId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let sql =
        "SELECT COALESCE(reply_to, from_email) FROM issues WHERE newsletter = $1 ORDER BY created_at DESC LIMIT 1";
    let mut editors: BTreeMap<String, (EmailAddress, Vec<NewsletterId>)> = BTreeMap::new();
    for newsletter in stopped {
        if let Some(address) = transaction.row::<EmailAddress>(sql, values![&newsletter]).await? {
            editors.entry(address.key().to_owned()).or_insert((address, Vec::new())).1.push(newsletter);
        }
    }
    for (address, newsletters) in editors.into_values() {
        // Nothing can be done by a link in it, so that its token is nobody's.
        let link = FollowUp { flow: clock::new_id(), token_hash: clock::new_id() };
        let flow = NewFlow::new("stopped", link, (address, String::new()), now, Duration::days(1));
        let payload = serde_json::json!(Stopped { what: cause.to_string(), newsletters }).to_string();
        enter_flow(transaction, NewFlow { payload, ..flow }, None).await?;
    }
    Ok(())
}

/// What was counted since an editor let the newsletter go on, as far as it lies in the window, by whole days.
async fn tally(transaction: &mut Transaction, newsletter: &NewsletterId, now: DateTime<Utc>) -> Result<Tally> {
    let sent = "SELECT CAST(COALESCE(SUM((SELECT COALESCE(SUM(c.sent), 0) FROM sent_counts c WHERE c.issue = i.id)
            - i.sent_before), 0) AS BIGINT)
        FROM issues i WHERE i.newsletter = $1 AND i.created_at > $2";
    let sent = transaction.row(sent, values![newsletter, now - Tally::WINDOW]).await?.unwrap_or(0);
    let causes = "SELECT cause, CAST(SUM(returned) AS BIGINT) FROM return_counts WHERE newsletter = $1 AND day > $2
        GROUP BY cause";
    let causes = transaction.rows(causes, values![newsletter, day(now - Tally::WINDOW)]).await?;
    let causes: BTreeMap<Cause, i64> = causes.into_iter().collect();
    let count = |cause| causes.get(&cause).copied().unwrap_or(0);
    Ok(Tally {
        sent,
        hard: count(Cause::Gone) + count(Cause::Inactive),
        complaints: count(Cause::Complaint),
        refused: count(Cause::Policy) + count(Cause::Refused),
        authentication: count(Cause::Authentication),
    })
}

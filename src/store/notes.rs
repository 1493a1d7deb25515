//! Notes before the final dot and results after it, of many deliveries in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::{DeliveryId, DeliveryState, Durability, IssueId};

use super::database::{Result, StoreError, Transaction};
use super::deliveries::{Claimed, Fixed, Outcome, Said, may_be_mailed};
use super::dialect::listed;
use super::open::Store;
use super::values::values;

/// What a sender wants to be written about a delivery that it has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The delivery and which claim of it this is.
    pub claim: (DeliveryId, i64),
    /// What its first note fixes.
    pub fixed: Fixed,
}

/// What became of a delivery that a sender had claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The delivery and which claim of it this is.
    pub claim: (DeliveryId, i64),
    /// What became of it.
    pub outcome: Outcome,
    /// What was said.
    pub said: Said,
}

/// The members of each listed array, by name: the claim first.
///
/// Statements look for what is listed by its id: with a bare `lease_owner = $2`, SQLite would rather go through
/// everything that the owner has claimed.
macro_rules! listed_claims {
    ($members:expr, $then:expr) => {
        listed!(
            "jsonb_array_elements",
            concat!(
                ", l AS MATERIALIZED (SELECT value ->> 0 AS delivery, CAST(value ->> 1 AS BIGINT) AS epoch, ",
                $members,
                " FROM listed) ",
                $then
            )
        )
    };
}

/// What follows the claim in a note.
macro_rules! of_note {
    () => {
        "CAST(value ->> 2 AS BIGINT) AS date_at, value ->> 3 AS key_id, value ->> 4 AS message_id,
        value ->> 5 AS signed_by, value ->> 6 AS first_name"
    };
}

/// What follows the claim in a record.
macro_rules! of_record {
    () => {
        "value ->> 2 AS becomes, CAST(value ->> 3 AS BIGINT) AS due_at, value ->> 4 AS reason,
        CAST(value ->> 5 AS BIGINT) AS tries, CAST(value ->> 6 AS BIGINT) AS drops, value ->> 7 AS relay,
        CAST(value ->> 8 AS BIGINT) AS code, value ->> 9 AS enhanced, value ->> 10 AS text"
    };
}

impl Store {
    /// Writes results first and then notes, all in one transaction: when this returns, all of it is durable in the
    /// sense of `durability`. Gives the deliveries whose result or note holds.
    ///
    /// A note makes the intent durable before the final dot is written. It does not hold where the lease is lost, the
    /// person left, the issue was paused, or all is held: then the dot must not be written. A result does not count
    /// where the lease was lost meanwhile: whoever has it now will say.
    pub async fn write_ledger(
        &self,
        owner: &str,
        durability: Durability,
        (records, notes): (Vec<Record>, Vec<Note>),
        now: DateTime<Utc>,
    ) -> Result<BTreeSet<DeliveryId>> {
        let owner = owner.to_owned();
        self.write_as(durability, move |transaction| {
            Box::pin(async move {
                let mut held = BTreeSet::new();
                if !records.is_empty() {
                    held = write_records(transaction, &owner, &records, now).await?;
                }
                if !notes.is_empty() {
                    held.extend(write_notes(transaction, &owner, &notes, now).await?);
                }
                Ok(held)
            })
        })
        .await
    }
}

async fn write_notes(
    transaction: &mut Transaction,
    owner: &str,
    notes: &[Note],
    now: DateTime<Utc>,
) -> Result<Vec<DeliveryId>> {
    let sql = listed_claims!(
        of_note!(),
        concat!(
            "UPDATE deliveries AS d SET noted_at = $3, date_at = l.date_at, key_id = l.key_id, message_id = l.message_id,
            signed_by = l.signed_by, first_name = l.first_name
        FROM l WHERE d.id = l.delivery AND d.epoch = l.epoch AND d.state = 'sending' AND d.lease_until > $3
        AND COALESCE(d.lease_owner, '') = $2 AND ",
            may_be_mailed!(),
            " RETURNING id"
        )
    );
    let listed = as_json(&notes.iter().map(note_row).collect::<Vec<_>>())?;
    transaction.rows(sql, values![listed, owner, now]).await
}

async fn write_records(
    transaction: &mut Transaction,
    owner: &str,
    records: &[Record],
    now: DateTime<Utc>,
) -> Result<BTreeSet<DeliveryId>> {
    // A yes that comes after the lease ended is still a yes, as long as nobody claimed again.
    let sql = listed_claims!(
        of_record!(),
        "UPDATE deliveries AS d SET state = l.becomes, due_at = l.due_at, reason = l.reason,
            attempts = d.attempts + l.tries, drops = CASE l.drops WHEN 1 THEN d.drops + 1 ELSE 0 END,
            finished_at = CASE WHEN l.due_at IS NULL THEN $3 END,
            may_have_arrived = CASE l.becomes WHEN 'unknown' THEN 1 ELSE d.may_have_arrived END,
            lease_owner = NULL, lease_until = NULL
        FROM l WHERE d.id = l.delivery AND d.epoch = l.epoch AND ((COALESCE(d.lease_owner, '') = $2 AND d.state = 'sending')
            OR (d.state = 'unknown' AND l.becomes = 'sent'))
        RETURNING id, issue, state"
    );
    let listed = as_json(&records.iter().map(record_row).collect::<Vec<_>>())?;
    let changed: Vec<(DeliveryId, Option<IssueId>, DeliveryState)> =
        transaction.rows(sql, values![listed, owner, now]).await?;
    let mut sent: BTreeMap<&IssueId, i64> = BTreeMap::new();
    let of_issues = changed.iter().filter(|(.., state)| *state == DeliveryState::Sent);
    for issue in of_issues.filter_map(|(_, issue, _)| issue.as_ref()) {
        *sent.entry(issue).or_default() += 1;
    }
    for (issue, more) in sent {
        let sql = "INSERT INTO sent_counts (issue, sender, sent) VALUES ($1, $2, $3)
            ON CONFLICT (issue, sender) DO UPDATE SET sent = sent_counts.sent + excluded.sent";
        transaction.execute(sql, values![issue, owner, more]).await?;
    }
    let changed: BTreeSet<DeliveryId> = changed.into_iter().map(|(id, ..)| id).collect();
    let spoke =
        |record: &&Record| changed.contains(&record.claim.0) && !matches!(record.outcome, Outcome::Untouched(_));
    let attempts = as_json(&records.iter().filter(spoke).map(record_row).collect::<Vec<_>>())?;
    let sql = listed_claims!(
        of_record!(),
        "INSERT INTO attempts (delivery, epoch, at, relay, code, enhanced, text)
        SELECT delivery, epoch, $2, relay, code, enhanced, text FROM l WHERE true
        ON CONFLICT (delivery, epoch) DO UPDATE SET at = excluded.at, relay = excluded.relay,
            code = excluded.code, enhanced = excluded.enhanced, text = excluded.text"
    );
    transaction.execute(sql, values![attempts, now]).await?;
    Ok(changed)
}

fn note_row(Note { claim: (id, epoch), fixed }: &Note) -> impl Serialize {
    let Fixed { date_at, key_id, message_id, signed_by, first_name } = fixed;
    (id.as_str(), epoch, date_at.timestamp_millis(), key_id, message_id, signed_by, first_name)
}

fn record_row(Record { claim: (id, epoch), outcome, said }: &Record) -> impl Serialize {
    let (state, due_at, reason) = match outcome {
        Outcome::Sent => (DeliveryState::Sent, None, None),
        Outcome::Deferred(until) => (DeliveryState::Deferred, Some(*until), None),
        Outcome::Failed(reason) => (DeliveryState::Failed, None, Some(*reason)),
        Outcome::Unknown(until) => (DeliveryState::Unknown, *until, Some("unknown")),
        Outcome::Dropped(until) | Outcome::Untouched(until) => (DeliveryState::Queued, Some(*until), None),
    };
    let is_try = !matches!(outcome, Outcome::Dropped(_) | Outcome::Untouched(_));
    let is_drop = matches!(outcome, Outcome::Dropped(_));
    let due_at = due_at.map(|at| at.timestamp_millis());
    let Said { relay, code, enhanced, text } = said;
    let counted = (i64::from(is_try), i64::from(is_drop));
    (id.as_str(), epoch, state.as_str(), due_at, reason, counted.0, counted.1, relay, code, enhanced, text)
}

/// The rows as one array of arrays.
fn as_json(rows: &impl Serialize) -> Result<String> {
    serde_json::to_string(rows).map_err(|error| StoreError::Form(error.to_string()))
}

impl Claimed {
    /// The delivery and which claim of it this is.
    pub fn claim(&self) -> (DeliveryId, i64) {
        (self.id.clone(), self.epoch)
    }
}

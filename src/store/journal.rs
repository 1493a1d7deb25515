//! The journal of sending: notes before the final dot and results after it, many deliveries a row.
//!
//! What senders want to be written is durable as soon as it is a row of the journal; from there it is brought to the
//! deliveries in bulk, by its sender or, when that died, by whoever takes its deliveries back. Until then a delivery
//! says `sending`. Whoever has to know more of what is in other senders' hands calls [`settle`] first, in the same
//! transaction.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::serde::ts_milliseconds;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::{DeliveryId, DeliveryState, Durability, IssueId};

use super::database::{Manner, Result, StoreError, Transaction};
use super::deliveries::{Claimed, Fixed, Outcome, Said, may_be_mailed};
use super::dialect::{Dialects, listed, listed_rows};
use super::open::Store;
use super::values::values;

/// A delivery, and which claim of it.
pub type Claim = (DeliveryId, i64);

/// What a sender wants to be written before the final dot of a delivery that it has claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Of what.
    pub claim: Claim,
    /// What its first note fixes.
    pub fixed: Fixed,
    /// When it was asked for.
    #[serde(with = "ts_milliseconds")]
    pub at: DateTime<Utc>,
}

/// What became of a delivery that a sender had claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Of what.
    pub claim: Claim,
    /// What became of it.
    pub outcome: Outcome,
    /// What was said.
    pub said: Said,
    /// When.
    #[serde(with = "ts_milliseconds")]
    pub at: DateTime<Utc>,
}

/// What the journal holds of some hundred mails, in bytes.
const ROOM: usize = 256 * 1024;

/// What goes into the journal together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries {
    /// Before the dot.
    pub notes: Vec<Note>,
    /// After it.
    pub records: Vec<Record>,
}

impl Entries {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.notes.len() + self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes over all of `other` but for notes of claims that are not `holding`.
    pub fn append(&mut self, other: Entries, holding: &HashSet<Claim>) {
        self.notes.extend(other.notes.into_iter().filter(|note| holding.contains(&note.claim)));
        self.records.extend(other.records);
    }
}

/// Adds a row, with those of the listed claims whose note holds.
macro_rules! append {
    ($array_of_claims:literal) => {
        listed!(
            "jsonb_array_elements",
            concat!(
                "INSERT INTO journal (owner, number, entries, holding) SELECT $2, $3, $5, (SELECT CAST(",
                $array_of_claims,
                " AS TEXT) FROM listed l JOIN deliveries d ON d.id = l.value ->> 0
                WHERE d.epoch = CAST(l.value ->> 1 AS BIGINT) AND d.state = 'sending' AND d.lease_until > $4
                AND COALESCE(d.lease_owner, '') = $2 AND ",
                may_be_mailed!(),
                ") RETURNING holding"
            )
        )
    };
}

const APPEND: Dialects = Dialects {
    sqlite: append!("json_group_array(json_array(d.id, d.epoch))").sqlite,
    postgres: append!("jsonb_agg(jsonb_build_array(d.id, d.epoch))").postgres,
};

impl Store {
    /// Finds out whether there is room for what senders will have to write, for their files grow as they are written. Of a
    /// mail whose note still had room and whose answer had none, nobody would know whether it arrived.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`].
    pub async fn find_room(&self, owner: &str) -> Result<()> {
        if self.is_postgres() {
            return Ok(());
        }
        let padded = as_json(&Entries::default())? + &" ".repeat(ROOM);
        let fill = "INSERT INTO journal (owner, number, entries) VALUES ($1, 0, $2)";
        self.execute(fill, values![owner, padded]).await?;
        self.execute("DELETE FROM journal WHERE owner = $1", values![owner]).await.map(drop)
    }

    /// Adds a row to the journal, whose `number` the owner counts. When this returns, all of it outlives the program, and
    /// after [`Store::reach_disk`] a loss of power, if `durability` asks for that. One statement. Gives the claims whose
    /// note holds.
    ///
    /// A note makes the intent durable before the final dot is written. It does not hold where the lease is lost, the
    /// person left, the issue was paused, or all is held: then the dot must not be written.
    pub async fn append_journal(
        &self,
        (owner, number): (&str, i64),
        durability: Durability,
        entries: &Entries,
        now: DateTime<Utc>,
    ) -> Result<HashSet<Claim>> {
        let claims: Vec<_> = entries.notes.iter().map(|note| &note.claim).collect();
        let values = values![as_json(&claims)?, owner, number, now, as_json(entries)?];
        let holding: Option<Option<String>> =
            self.transact(Manner::Single(durability), move |one| Box::pin(one.row(APPEND, values))).await?;
        listed_in(holding.flatten())
    }

    /// Brings rows of the owner's journal up to `number` to the deliveries; `entries` is what stands in them. One
    /// transaction, which nobody has to wait for to be durable: the journal is.
    pub async fn fold_journal(&self, (owner, number): (&str, i64), entries: Entries) -> Result<()> {
        let owner = owner.to_owned();
        self.transact(Manner::Unsynced, move |transaction| {
            Box::pin(async move {
                let done = "DELETE FROM journal WHERE owner = $1 AND number <= $2";
                transaction.execute(done, values![&owner, number]).await?;
                fold(transaction, &owner, &entries).await
            })
        })
        .await
    }
}

/// Brings everything in the journal to the deliveries. Until the transaction ends, nobody adds to it.
pub(super) async fn settle(transaction: &mut Transaction) -> Result<()> {
    if transaction.is_postgres() {
        transaction.script("LOCK TABLE journal IN SHARE ROW EXCLUSIVE MODE").await?;
    }
    let all = "SELECT owner, entries, holding FROM journal ORDER BY owner, number";
    let mut by_owner: BTreeMap<String, Entries> = BTreeMap::new();
    for (owner, entries, holding) in transaction.rows::<(String, String, Option<String>)>(all, vec![]).await? {
        by_owner.entry(owner).or_default().append(from_json(&entries)?, &listed_in(holding)?);
    }
    for (owner, entries) in &by_owner {
        transaction.execute("DELETE FROM journal WHERE owner = $1", values![owner]).await?;
        fold(transaction, owner, entries).await?;
    }
    Ok(())
}

/// A note and, if there is one, the result of the same claim. Of whoever was erased meanwhile, no name comes back. A yes
/// that comes after the lease ended is still a yes, as long as nobody claimed again.
///
/// Statements look for what is listed by its id: with a bare `lease_owner = $2`, SQLite would rather go through
/// everything that the owner has claimed.
const FOLD: Dialects = listed_rows!(
    ", l AS MATERIALIZED (SELECT value ->> 'id' AS delivery, CAST(value ->> 'epoch' AS BIGINT) AS epoch,
        CAST(value ->> 'noted_at' AS BIGINT) AS noted_at, CAST(value ->> 'date_at' AS BIGINT) AS date_at,
        value ->> 'key_id' AS key_id, value ->> 'message_id' AS message_id, value ->> 'signed_by' AS signed_by,
        value ->> 'first_name' AS first_name, value ->> 'becomes' AS becomes,
        CAST(value ->> 'due_at' AS BIGINT) AS due_at, value ->> 'reason' AS reason,
        CAST(value ->> 'tries' AS BIGINT) AS tries, CAST(value ->> 'drops' AS BIGINT) AS drops,
        CAST(value ->> 'at' AS BIGINT) AS at FROM listed)
    UPDATE deliveries AS d SET noted_at = COALESCE(l.noted_at, d.noted_at), date_at = COALESCE(l.date_at, d.date_at),
        key_id = COALESCE(l.key_id, d.key_id), message_id = COALESCE(l.message_id, d.message_id),
        signed_by = COALESCE(l.signed_by, d.signed_by),
        first_name = CASE d.email WHEN 'erased' THEN '' ELSE COALESCE(l.first_name, d.first_name) END,
        state = COALESCE(l.becomes, d.state), attempts = d.attempts + l.tries,
        due_at = CASE WHEN l.becomes IS NULL THEN d.due_at ELSE l.due_at END,
        reason = CASE WHEN l.becomes IS NULL THEN d.reason ELSE l.reason END,
        drops = CASE WHEN l.becomes IS NULL THEN d.drops WHEN l.drops = 1 THEN d.drops + 1 ELSE 0 END,
        finished_at = CASE WHEN l.becomes IS NOT NULL AND l.due_at IS NULL THEN l.at END,
        may_have_arrived = CASE l.becomes WHEN 'unknown' THEN 1 ELSE d.may_have_arrived END,
        lease_owner = CASE WHEN l.becomes IS NULL THEN d.lease_owner END,
        lease_until = CASE WHEN l.becomes IS NULL THEN d.lease_until END
    FROM l WHERE d.id = l.delivery AND d.epoch = l.epoch AND ((COALESCE(d.lease_owner, '') = $2 AND d.state = 'sending')
        OR (d.state = 'unknown' AND l.becomes = 'sent'))
    RETURNING id, issue, state, CASE email WHEN 'erased' THEN 1 ELSE 0 END"
);

/// What was said, of claims that were folded.
const ATTEMPTS: Dialects = listed_rows!(
    "INSERT INTO attempts (delivery, epoch, at, relay, code, enhanced, text)
    SELECT value ->> 'id', CAST(value ->> 'epoch' AS BIGINT), CAST(value ->> 'at' AS BIGINT), value ->> 'relay',
        CAST(value ->> 'code' AS BIGINT), value ->> 'enhanced', value ->> 'text' FROM listed WHERE true
    ON CONFLICT (delivery, epoch) DO UPDATE SET at = excluded.at, relay = excluded.relay,
        code = excluded.code, enhanced = excluded.enhanced, text = excluded.text"
);

/// A claim, as [`FOLD`] reads it.
#[derive(Serialize)]
struct Folded<'a> {
    id: &'a DeliveryId,
    epoch: i64,
    noted_at: Option<i64>,
    date_at: Option<i64>,
    key_id: Option<&'a str>,
    message_id: Option<&'a str>,
    signed_by: Option<&'a str>,
    first_name: Option<&'a str>,
    becomes: Option<DeliveryState>,
    due_at: Option<i64>,
    reason: Option<&'a str>,
    tries: i64,
    drops: i64,
    at: Option<i64>,
}

impl<'a> Folded<'a> {
    fn new((id, epoch): &'a Claim, note: Option<&'a Note>, record: Option<&'a Record>) -> Folded<'a> {
        let fixed = note.map(|note| &note.fixed);
        let (becomes, due_at, reason) = record.map_or((None, None, None), |record| {
            let (state, due_at, reason) = record.outcome.leads_to();
            (Some(state), due_at.map(|at| at.timestamp_millis()), reason)
        });
        Folded {
            id,
            epoch: *epoch,
            noted_at: note.map(|note| note.at.timestamp_millis()),
            date_at: fixed.map(|fixed| fixed.date_at.timestamp_millis()),
            key_id: fixed.map(|fixed| fixed.key_id.as_str()),
            message_id: fixed.map(|fixed| fixed.message_id.as_str()),
            signed_by: fixed.map(|fixed| fixed.signed_by.as_str()),
            first_name: fixed.map(|fixed| fixed.first_name.as_str()),
            becomes,
            due_at,
            reason,
            tries: record.map_or(0, |record| i64::from(record.outcome.is_try())),
            drops: record.map_or(0, |record| i64::from(matches!(record.outcome, Outcome::Dropped(_)))),
            at: record.map(|record| record.at.timestamp_millis()),
        }
    }
}

/// What a relay said, as [`ATTEMPTS`] reads it.
#[derive(Serialize)]
struct Attempt<'a> {
    id: &'a DeliveryId,
    epoch: i64,
    at: i64,
    relay: &'a str,
    code: Option<i64>,
    enhanced: Option<&'a str>,
    text: &'a str,
}

async fn fold(transaction: &mut Transaction, owner: &str, entries: &Entries) -> Result<()> {
    let mut claims: BTreeMap<_, (Option<&Note>, Option<&Record>)> = BTreeMap::new();
    for note in &entries.notes {
        claims.entry(&note.claim).or_default().0 = Some(note);
    }
    for record in &entries.records {
        claims.entry(&record.claim).or_default().1 = Some(record);
    }
    let rows: Vec<_> = claims.iter().map(|(claim, (note, record))| Folded::new(claim, *note, *record)).collect();
    let folded: Vec<(DeliveryId, Option<IssueId>, DeliveryState, bool)> =
        transaction.rows(FOLD, values![as_json(&rows)?, owner]).await?;
    let mut sent: BTreeMap<&IssueId, i64> = BTreeMap::new();
    let of_issues = folded.iter().filter(|(_, _, state, _)| *state == DeliveryState::Sent);
    for issue in of_issues.filter_map(|(_, issue, ..)| issue.as_ref()) {
        *sent.entry(issue).or_default() += 1;
    }
    for (issue, more) in sent {
        let sql = "INSERT INTO sent_counts (issue, sender, sent) VALUES ($1, $2, $3)
            ON CONFLICT (issue, sender) DO UPDATE SET sent = sent_counts.sent + excluded.sent";
        transaction.execute(sql, values![issue, owner, more]).await?;
    }
    let folded: HashMap<&DeliveryId, bool> = folded.iter().map(|(id, .., is_erased)| (id, *is_erased)).collect();
    let spoke = entries.records.iter().filter(|record| !matches!(record.outcome, Outcome::Untouched(_)));
    let attempts: Vec<_> = spoke.filter_map(|record| Some(attempt(record, *folded.get(&record.claim.0)?))).collect();
    if !attempts.is_empty() {
        transaction.execute(ATTEMPTS, values![as_json(&attempts)?]).await?;
    }
    Ok(())
}

/// What a relay says may hold the address.
fn attempt(Record { claim: (id, epoch), said, at, .. }: &Record, is_erased: bool) -> Attempt<'_> {
    let text = if is_erased { "" } else { &said.text };
    let Said { relay, code, enhanced, .. } = said;
    Attempt { id, epoch: *epoch, at: at.timestamp_millis(), relay, code: *code, enhanced: enhanced.as_deref(), text }
}

fn listed_in(holding: Option<String>) -> Result<HashSet<Claim>> {
    holding.map_or_else(|| Ok(HashSet::new()), |listed| from_json(&listed))
}

fn as_json(rows: &impl Serialize) -> Result<String> {
    serde_json::to_string(rows).map_err(|error| StoreError::Form(error.to_string()))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| StoreError::Form(error.to_string()))
}

impl Claimed {
    /// The delivery and which claim of it this is.
    pub fn claim(&self) -> Claim {
        (self.id.clone(), self.epoch)
    }
}

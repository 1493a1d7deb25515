//! Digest runs: which have come, what their readers are owed, and the deliveries of their issues.
//!
//! A run's readers are those whose rhythm had its last slot at that moment. They fall into groups by rhythm, topics and
//! the number they have been served to; whoever is written leaves their group, because the number moves with it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::model::{Cadence, NewsletterId};

use super::database::{Result, Transaction, transact};
use super::dialect::listed;
use super::ledger::lock_newsletter;
use super::open::Store;
use super::sealing::{IssueKey, LONGEST_WRITE, Sealed, Sealing, insert_issue, write_rows};
use super::values::{Value, columns, values};

/// One slot of a newsletter's digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestRun {
    /// Whose.
    pub newsletter: NewsletterId,
    /// Daily or weekly.
    pub cadence: Cadence,
    /// The moment it was due.
    pub slot_at: DateTime<Utc>,
    /// The number of the last article that had been published then.
    pub covers_to: i64,
    /// How many of its issues are sealed.
    pub issues: i64,
    /// Whose readers it is for.
    pub rhythms: Vec<String>,
}

/// A rhythm that readers have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRhythm {
    /// As [`crate::model::Rhythm`] reads it.
    pub key: String,
    /// The last slot that had its run; at first, when the rhythm was first chosen.
    pub slot_at: DateTime<Utc>,
}

/// Readers of a run who are owed the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Their rhythm, as in the database.
    pub rhythm: String,
    /// The tags they chose, one a line; empty: all.
    pub topics: String,
    /// The number they are served to.
    pub covered_to: i64,
    /// How many they are, without those who pause.
    pub readers: i64,
    /// How many of them are not to be mailed at all.
    pub suppressed: i64,
    /// How many more pause.
    pub paused: i64,
}

columns! {
    KnownRhythm: key, slot_at;
    Group: rhythm, topics, covered_to, readers, suppressed, paused;
}

/// How many rows are written between two looks at the clock.
const SLICE: i64 = 250;

/// The readers of a group who do not pause ($1 newsletter, $2 rhythm, $3 topics, $4 number, $6 slot).
macro_rules! in_group {
    () => {
        "newsletter = $1 AND rhythm = $2 AND topics = $3 AND covered_to = $4 AND state = 'active' AND rhythm <> ''
        AND (paused_until IS NULL OR paused_until <= $6)"
    };
}

/// Whether a reader goes over to each at once now: not while an instant issue has passed that they were not in.
macro_rules! goes_over {
    () => {
        "returns_to = 'instant' AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.newsletter = subscriptions.newsletter
            AND l.sequence > $5 AND l.instant <> 'waiting')"
    };
}

/// Serves up to $7 readers of a group to number $5.
macro_rules! serve_group {
    () => {
        concat!(
            "UPDATE subscriptions SET covered_to = $5, paused_until = NULL,
                cadence = CASE WHEN ",
            goes_over!(),
            " THEN 'instant' ELSE cadence END, rhythm = CASE WHEN ",
            goes_over!(),
            " THEN '' ELSE rhythm END, returns_to = CASE WHEN ",
            goes_over!(),
            " THEN NULL ELSE returns_to END
            WHERE id IN (SELECT id FROM subscriptions WHERE ",
            in_group!(),
            // Said again, in case somebody chose anew in between; without the newsletter, so that ids are looked up.
            " LIMIT $7) AND rhythm = $2 AND topics = $3 AND covered_to = $4 AND state = 'active'"
        )
    };
}

impl Store {
    /// The rhythms of a newsletter's readers.
    pub async fn rhythms(&self, newsletter: &NewsletterId) -> Result<Vec<KnownRhythm>> {
        let sql = "SELECT rhythm, slot_at FROM rhythms WHERE newsletter = $1";
        self.rows(sql, values![newsletter]).await
    }

    /// Notes that a slot of these rhythms has come, together with the last number given out by then, in one
    /// transaction. Not in time, nothing is made up for: what it would have brought comes with the next slot. Waiting
    /// runs whose readers all have a later slot by now are merged into theirs.
    pub async fn enter_digest_run(
        &self,
        newsletter: NewsletterId,
        cadence: Cadence,
        slot_at: DateTime<Utc>,
        rhythms: Vec<String>,
        in_time: bool,
    ) -> Result<()> {
        transact!(self.write, |transaction| {
            lock_newsletter(transaction, &newsletter).await?;
            let run = "INSERT INTO digest_runs (newsletter, cadence, slot_at, covers_to, state)
                SELECT id, $2, $3, sequence, $4 FROM newsletters WHERE id = $1
                ON CONFLICT (newsletter, cadence, slot_at) DO NOTHING";
            let state = if in_time { "waiting" } else { "missed" };
            transaction.execute(run, values![&newsletter, cadence, slot_at, state]).await?;
            let seen = listed!(
                "UPDATE rhythms SET slot_at = $3 WHERE newsletter = $2 AND slot_at < $3
                AND rhythm IN (SELECT value FROM listed)"
            );
            transaction.execute(seen, values![serde_json::json!(rhythms).to_string(), &newsletter, slot_at]).await?;
            let merged = "UPDATE digest_runs SET state = 'merged'
                WHERE newsletter = $1 AND cadence = $2 AND state = 'waiting' AND NOT EXISTS (
                    SELECT 1 FROM rhythms r WHERE r.newsletter = $1 AND r.cadence = $2
                    AND r.slot_at = digest_runs.slot_at)";
            transaction.execute(merged, values![&newsletter, cadence]).await.map(drop)
        })
    }

    /// Every slot up to `by` counts as passed, and no run waits any more; for a database that comes back from
    /// elsewhere.
    pub async fn pass_slots(&self, newsletter: &NewsletterId, by: DateTime<Utc>) -> Result<()> {
        let newsletter = newsletter.clone();
        transact!(self.write, |transaction| {
            let passed = "UPDATE rhythms SET slot_at = $2 WHERE newsletter = $1 AND slot_at < $2";
            transaction.execute(passed, values![&newsletter, by]).await?;
            let missed = "UPDATE digest_runs SET state = 'missed' WHERE newsletter = $1 AND state = 'waiting'";
            transaction.execute(missed, values![&newsletter]).await.map(drop)
        })
    }

    /// Digest runs that have come and are not done, the earliest first; without those whose issues are being written,
    /// so that who is left in the groups of a run was in no plan before.
    pub async fn waiting_digest_runs(&self, newsletter: &NewsletterId) -> Result<Vec<DigestRun>> {
        let sql = "SELECT cadence, slot_at, covers_to, issues FROM digest_runs
            WHERE newsletter = $1 AND state = 'waiting' AND NOT EXISTS (
                SELECT 1 FROM issues i WHERE i.newsletter = $1 AND i.cadence = digest_runs.cadence
                AND i.slot_at = digest_runs.slot_at AND i.state = 'sealing') ORDER BY slot_at, cadence";
        let mut runs = Vec::new();
        for (cadence, slot_at, covers_to, issues) in self.rows(sql, values![newsletter]).await? {
            let sql = "SELECT rhythm FROM rhythms WHERE newsletter = $1 AND cadence = $2 AND slot_at = $3";
            let rhythms = self.rows(sql, values![newsletter, cadence, slot_at]).await?;
            runs.push(DigestRun { newsletter: newsletter.clone(), cadence, slot_at, covers_to, issues, rhythms });
        }
        Ok(runs)
    }

    /// The readers of a run who are not served to its number yet, by what they are owed.
    pub async fn digest_groups(&self, run: &DigestRun) -> Result<Vec<Group>> {
        // Rhythm by rhythm, in the order of the index, so that nothing is sorted.
        let counted = "SELECT rhythm, topics, covered_to,
                COUNT(CASE WHEN paused_until IS NULL OR paused_until <= $3 THEN 1 END), 0,
                COUNT(CASE WHEN paused_until > $3 THEN 1 END)
            FROM subscriptions WHERE newsletter = $1 AND rhythm = $2 AND rhythm <> '' AND state = 'active'
            AND covered_to < $4 GROUP BY rhythm, topics, covered_to";
        let mut groups: Vec<Group> = Vec::new();
        for rhythm in &run.rhythms {
            let values = values![&run.newsletter, rhythm, run.slot_at, run.covers_to];
            groups.extend(self.rows(counted, values).await?);
        }
        // From the side of the suppressions, which are few.
        let suppressed = listed!(
            "SELECT s.rhythm, s.topics, s.covered_to, COUNT(*)
            FROM suppressions x CROSS JOIN subscribers p CROSS JOIN subscriptions s
            WHERE p.email_key = x.email_key AND s.subscriber = p.id AND s.newsletter = $2 AND s.state = 'active'
            AND s.covered_to < $4 AND (s.paused_until IS NULL OR s.paused_until <= $3)
            AND s.rhythm IN (SELECT value FROM listed) GROUP BY s.rhythm, s.topics, s.covered_to"
        );
        let counts: Vec<((String, String, i64), i64)> = self.rows(suppressed, run.values()).await?;
        let counts: BTreeMap<_, _> = counts.into_iter().collect();
        for group in &mut groups {
            let key = (group.rhythm.clone(), group.topics.clone(), group.covered_to);
            group.suppressed = counts.get(&key).copied().unwrap_or(0);
        }
        Ok(groups)
    }

    /// Freezes the issues of a run with the groups of their readers, in one transaction; delivery rows follow with
    /// [`Store::write_deliveries`]. False: the run is not as it was when this was planned. Nothing changed then.
    pub async fn seal_digests(&self, run: DigestRun, sealings: Vec<(Sealing, Vec<Group>)>) -> Result<bool> {
        transact!(self.write_long, |transaction| {
            let taken = "UPDATE digest_runs SET issues = issues + $5 WHERE newsletter = $1 AND cadence = $2
                AND slot_at = $3 AND issues = $4 AND state = 'waiting'";
            let count = i64::try_from(sealings.len()).unwrap_or(i64::MAX);
            let values = values![&run.newsletter, run.cadence, run.slot_at, run.issues, count];
            if transaction.execute(taken, values).await? == 0 {
                return Ok(false);
            }
            for (part, (sealing, groups)) in (run.issues + 1..).zip(sealings) {
                let issue = sealing.id.clone();
                let key = IssueKey::Digest { cadence: run.cadence, slot_at: run.slot_at, part };
                insert_issue(transaction, &run.newsletter, key, sealing).await?;
                let row = |group: Group| values![&issue, group.rhythm, group.topics, group.covered_to];
                let head = "INSERT INTO issue_groups (issue, rhythm, topics, covered_to) VALUES";
                transaction.insert_many(head, groups.into_iter().map(row).collect(), "").await?;
            }
            Ok(true)
        })
    }

    /// Moves on the readers of a run to whom it brings nothing, those of `groups`, in one transaction, as many as there
    /// is time for. Gives the groups that are not done.
    pub async fn pass_over(&self, run: &DigestRun, groups: Vec<Group>) -> Result<Vec<Group>> {
        let run = run.clone();
        transact!(self.write_long, |transaction| {
            lock_newsletter(transaction, &run.newsletter).await?;
            let started = tokio::time::Instant::now();
            let mut groups = groups;
            while let Some(group) = groups.last() {
                if transaction.execute(serve_group!(), served(&run, group)).await? == 0 {
                    groups.pop();
                }
                if started.elapsed() > LONGEST_WRITE {
                    break;
                }
            }
            Ok(groups)
        })
    }

    /// Lets readers of a run who were owed nothing go over to each at once, where they want to, some in one
    /// transaction. True: there may be more.
    pub async fn let_go_over(&self, run: &DigestRun) -> Result<bool> {
        let run = run.clone();
        transact!(self.write_long, |transaction| {
            lock_newsletter(transaction, &run.newsletter).await?;
            let over = listed!(
                "UPDATE subscriptions SET cadence = 'instant', rhythm = '', returns_to = NULL, paused_until = NULL
                WHERE returns_to IS NOT NULL AND id IN (
                    SELECT s.id FROM listed CROSS JOIN subscriptions s WHERE s.newsletter = $2
                    AND s.rhythm = listed.value AND s.state = 'active' AND s.returns_to IS NOT NULL
                    AND s.covered_to >= $4 AND (s.paused_until IS NULL OR s.paused_until <= $3)
                    AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.newsletter = $2
                        AND l.sequence > s.covered_to AND l.instant <> 'waiting') LIMIT $5)"
            );
            let mut values = run.values();
            values.extend(values![SLICE]);
            Ok(transaction.execute(over, values).await? == SLICE.unsigned_abs())
        })
    }

    /// Ends a digest run: everybody in it is served.
    pub async fn end_digest_run(&self, run: &DigestRun) -> Result<()> {
        let sql = "UPDATE digest_runs SET state = CASE issues WHEN 0 THEN 'empty' ELSE 'sealed' END
            WHERE newsletter = $1 AND cadence = $2 AND slot_at = $3 AND issues = $4 AND state = 'waiting'";
        let row = values![&run.newsletter, run.cadence, run.slot_at, run.issues];
        self.execute(sql, row).await.map(drop)
    }
}

impl DigestRun {
    fn values(&self) -> Vec<Value> {
        let rhythms = serde_json::json!(self.rhythms).to_string();
        values![rhythms, &self.newsletter, self.slot_at, self.covers_to]
    }
}

fn served(run: &DigestRun, group: &Group) -> Vec<Value> {
    let DigestRun { newsletter, slot_at, covers_to, .. } = run;
    values![newsletter, &group.rhythm, &group.topics, group.covered_to, *covers_to, *slot_at, SLICE]
}

/// Writes the next rows of a digest, as many as [`SLICE`], and serves their readers. None: all are written.
pub(super) async fn write_digest_slice(
    transaction: &mut Transaction,
    sealed: &Sealed,
    now: DateTime<Utc>,
) -> Result<Option<i64>> {
    let next = "SELECT rhythm, topics, covered_to FROM issue_groups WHERE issue = $1
        ORDER BY rhythm, topics, covered_to LIMIT 1";
    let Sealed { issue, newsletter, covers_to, slot_at, .. } = sealed;
    while let Some(group) = transaction.row(next, values![issue]).await? {
        let (rhythm, topics, covered_to): (String, String, i64) = group;
        let values = values![newsletter, &rhythm, &topics, covered_to, *covers_to, *slot_at, SLICE];
        let served = concat!(serve_group!(), " RETURNING id, subscriber");
        let served = transaction.rows(served, values).await?;
        if !served.is_empty() {
            return write_rows(transaction, sealed, Some((&rhythm, covered_to)), &served, now).await.map(Some);
        }
        let done = "DELETE FROM issue_groups WHERE issue = $1 AND rhythm = $2 AND topics = $3 AND covered_to = $4";
        transaction.execute(done, values![issue, rhythm, topics, covered_to]).await?;
    }
    Ok(None)
}

//! What all connections want to be written, in as few writes as the disk can do; and the lease that lets them.
//!
//! While one row of the journal is being made durable, notes and results gather for the next. The note of a connection
//! waits for a row after that of its result before: a crash leaves at most one mail for each connection of which nobody
//! knows whether it arrived, and mostly of none. Now and then what stands in the journal is brought to the deliveries.

use std::collections::HashSet;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant};

use crate::clock;
use crate::counters;
use crate::model::Durability;
use crate::store::{Claim, Claimed, Entries, Fixed, Note, Outcome, Record, Said, StoreError, again};

use super::{HOUSEKEEPING, LEASE, Means};

/// What waits for its turn, and of which connection it is.
enum Entry {
    Note(usize, Note, oneshot::Sender<Option<Instant>>),
    Record(usize, Record, oneshot::Sender<()>),
}

/// Where a connection has its notes and results written.
#[derive(Clone)]
pub(super) struct Ledger {
    entries: mpsc::Sender<Entry>,
    connection: usize,
}

/// A note that is older was asked for before this process slept: much may have changed since, such as a goodbye.
const FRESH: Duration = Duration::from_secs(3);

/// So many entries go into one row at most.
const TOGETHER: usize = 256;

/// So many entries are brought to the deliveries at once, for whoever wants to write meanwhile waits…
const FOLDED: usize = 2048;
/// …and no later than this after they were written.
const FOLD_AFTER: Duration = Duration::from_millis(250);

impl Ledger {
    /// Starts writing for `owner`. The task ends when the last clone of the ledger is gone and everything is written, or
    /// with an error when that cannot be done: then nothing is answered any more.
    pub fn open(means: &Means, owner: String) -> (Ledger, JoinHandle<Result<(), StoreError>>) {
        let (entries, queue) = mpsc::channel(TOGETHER);
        let (rows, written) = mpsc::unbounded_channel();
        let answering = tokio::spawn(answer(means.clone(), written));
        let (unfolded, fold_at) = (Entries::default(), Instant::now());
        let book = Book { means: means.clone(), owner, number: 0, unfolded, fold_at, rows };
        let keeping = tokio::spawn(async move {
            let kept = book.keep(queue).await;
            // Why nothing can be made durable is said first.
            answering.await.unwrap_or(Err(StoreError::Closed)).and(kept)
        });
        (Ledger { entries, connection: 0 }, keeping)
    }

    /// The same for one of its connections.
    pub fn of(&self, connection: usize) -> Ledger {
        Ledger { connection, ..self.clone() }
    }

    /// Makes the intent durable before the final dot is written. False: the dot must not be written.
    pub async fn note(&self, claimed: &Claimed, fixed: &Fixed) -> Result<bool, StoreError> {
        let (answer, answered) = oneshot::channel();
        let note = Note { claim: claimed.claim(), fixed: fixed.clone(), at: clock::now() };
        self.entries.send(Entry::Note(self.connection, note, answer)).await.map_err(|_| StoreError::Closed)?;
        let began = answered.await.map_err(|_| StoreError::Closed)?;
        Ok(began.is_some_and(|began| began.elapsed() < FRESH))
    }

    /// Has the result written before the next note of the same connection. Whoever has to know when, waits for what this
    /// gives.
    pub async fn record(
        &self,
        claimed: &Claimed,
        outcome: Outcome,
        said: Said,
    ) -> Result<oneshot::Receiver<()>, StoreError> {
        let (answer, answered) = oneshot::channel();
        counters::RESULTS.count(outcome.word());
        let record = Record { claim: claimed.claim(), outcome, said, at: clock::now() };
        self.entries.send(Entry::Record(self.connection, record, answer)).await.map_err(|_| StoreError::Closed)?;
        Ok(answered)
    }
}

/// What is written for one owner.
struct Book {
    means: Means,
    owner: String,
    /// Of the last row.
    number: i64,
    /// What stands in the journal and not yet in the deliveries, and when it will at the latest.
    unfolded: Entries,
    fold_at: Instant,
    /// Where those who wait for a row hear of it once it is durable.
    rows: mpsc::UnboundedSender<Row>,
}

/// A row of the journal, and who waits until it is durable.
struct Row {
    began: Instant,
    holding: HashSet<Claim>,
    notes: Vec<(Claim, oneshot::Sender<Option<Instant>>)>,
    records: Vec<oneshot::Sender<()>>,
}

impl Row {
    fn answer(self) {
        // Whoever does not wait any more has dropped its line, or never did.
        for record in self.records {
            let _ = record.send(());
        }
        for (claim, note) in self.notes {
            let _ = note.send(self.holding.contains(&claim).then_some(self.began));
        }
    }
}

/// Answers once rows are durable. While the disk works, the next ones are written.
async fn answer(means: Means, mut rows: mpsc::UnboundedReceiver<Row>) -> Result<(), StoreError> {
    let mut written = Vec::new();
    while rows.recv_many(&mut written, TOGETHER).await > 0 {
        if means.edition.borrow().settings.sending.durability == Durability::Power {
            means.store.reach_disk().await?;
        }
        written.drain(..).for_each(Row::answer);
    }
    Ok(())
}

impl Book {
    async fn keep(mut self, mut queue: mpsc::Receiver<Entry>) -> Result<(), StoreError> {
        let (mut entries, mut early) = (Vec::with_capacity(TOGETHER), Vec::new());
        let mut renewals = tokio::time::interval(HOUSEKEEPING);
        loop {
            tokio::select! {
                count = queue.recv_many(&mut entries, TOGETHER), if early.is_empty() => if count == 0 { break },
                () = std::future::ready(()), if !early.is_empty() => {
                    entries.append(&mut early);
                    entries.extend(std::iter::from_fn(|| queue.try_recv().ok()).take(TOGETHER));
                }
                // What is on the wire keeps its lease until its answer is recorded. It is renewed here, for two
                // transactions at once over the same rows could wait for each other.
                _ = renewals.tick() => {
                    again(|| self.means.store.renew_leases(&self.owner, clock::now() + LEASE)).await?;
                    continue;
                }
                () = tokio::time::sleep_until(self.fold_at), if !self.unfolded.is_empty() => {
                    self.fold().await?;
                    continue;
                }
            }
            early = self.write(entries.drain(..)).await?;
            if self.unfolded.len() >= FOLDED {
                self.fold().await?;
            }
        }
        self.fold().await
    }

    /// Writes a row. Gives what has to wait for the next: the notes of connections whose result is in this one.
    async fn write(&mut self, waiting: impl Iterator<Item = Entry>) -> Result<Vec<Entry>, StoreError> {
        let (mut entries, mut early, mut recorded) = (Entries::default(), Vec::new(), HashSet::new());
        let (mut notes, mut records) = (Vec::new(), Vec::new());
        for entry in waiting {
            match entry {
                Entry::Record(connection, record, answer) => {
                    recorded.insert(connection);
                    entries.records.push(record);
                    records.push(answer);
                }
                Entry::Note(connection, ..) if recorded.contains(&connection) => early.push(entry),
                Entry::Note(_, note, answer) => {
                    notes.push((note.claim.clone(), answer));
                    entries.notes.push(note);
                }
            }
        }
        let durability = self.means.edition.borrow().settings.sending.durability;
        let began = Instant::now();
        let row = (self.owner.as_str(), self.number + 1);
        let holding = again(|| self.means.store.append_journal(row, durability, &entries, clock::now())).await?;
        self.number += 1;
        if self.unfolded.is_empty() {
            self.fold_at = began + FOLD_AFTER;
        }
        self.unfolded.append(entries, &holding);
        self.rows.send(Row { began, holding, notes, records }).map_err(|_| StoreError::Closed)?;
        Ok(early)
    }

    async fn fold(&mut self) -> Result<(), StoreError> {
        let entries = std::mem::take(&mut self.unfolded);
        if entries.is_empty() {
            return Ok(());
        }
        let row = (self.owner.as_str(), self.number);
        again(|| self.means.store.fold_journal(row, entries.clone())).await
    }
}

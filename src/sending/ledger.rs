//! What all connections want to be written, in as few transactions as the disk can do; and the lease that lets them.
//!
//! While one transaction is being made durable, notes and results gather for the next. The note of a connection waits
//! for a transaction after that of its result before: a crash leaves at most one mail for each connection of which
//! nobody knows whether it arrived, and mostly of none.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::clock;
use crate::counters;
use crate::press::Edition;
use crate::store::{Claimed, Fixed, Note, Outcome, Record, Said, StoreError};

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

/// So many entries go into one transaction at most, so that whoever reads the web waits for no longer one.
const TOGETHER: usize = 256;

impl Ledger {
    /// Starts writing for `owner`. The task ends when the last clone of the ledger is gone and everything is written, or
    /// with an error when that cannot be done: then nothing is answered any more.
    pub fn open(means: &Means, owner: String) -> (Ledger, JoinHandle<Result<(), StoreError>>) {
        let (entries, queue) = mpsc::channel(TOGETHER);
        (Ledger { entries, connection: 0 }, tokio::spawn(write(means.clone(), owner, queue)))
    }

    /// The same for one of its connections.
    pub fn of(&self, connection: usize) -> Ledger {
        Ledger { connection, ..self.clone() }
    }

    /// Makes the intent durable before the final dot is written. False: the dot must not be written.
    pub async fn note(&self, claimed: &Claimed, fixed: &Fixed) -> Result<bool, StoreError> {
        let (answer, answered) = oneshot::channel();
        let note = Note { claim: claimed.claim(), fixed: fixed.clone() };
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
        let record = Record { claim: claimed.claim(), outcome, said };
        self.entries.send(Entry::Record(self.connection, record, answer)).await.map_err(|_| StoreError::Closed)?;
        Ok(answered)
    }
}

async fn write(means: Means, owner: String, mut queue: mpsc::Receiver<Entry>) -> Result<(), StoreError> {
    let (mut entries, mut early) = (Vec::with_capacity(TOGETHER), Vec::new());
    let mut renewals = tokio::time::interval(HOUSEKEEPING);
    loop {
        tokio::select! {
            count = queue.recv_many(&mut entries, TOGETHER), if early.is_empty() => if count == 0 { return Ok(()) },
            () = std::future::ready(()), if !early.is_empty() => {
                entries.append(&mut early);
                entries.extend(std::iter::from_fn(|| queue.try_recv().ok()).take(TOGETHER));
            }
            // What is on the wire keeps its lease until its answer is recorded. It is renewed here, for two
            // transactions at once over the same rows could wait for each other.
            _ = renewals.tick() => {
                again(|| means.store.renew_leases(&owner, clock::now() + LEASE)).await?;
                continue;
            }
        }
        let (mut records, mut written, mut recorded) = (Vec::new(), Vec::new(), HashSet::new());
        let (mut notes, mut answers) = (Vec::new(), Vec::new());
        for entry in entries.drain(..) {
            match entry {
                Entry::Record(connection, record, answer) => {
                    recorded.insert(connection);
                    records.push(record);
                    written.push(answer);
                }
                Entry::Note(connection, ..) if recorded.contains(&connection) => early.push(entry),
                Entry::Note(_, note, answer) => {
                    answers.push((note.claim.0.clone(), answer));
                    notes.push(note);
                }
            }
        }
        let edition: Arc<Edition> = Arc::clone(&means.edition.borrow());
        let durability = edition.settings.sending.durability;
        let write = || means.store.write_ledger(&owner, durability, (records.clone(), notes.clone()), clock::now());
        let began = Instant::now();
        let held = again(write).await?;
        // Whoever does not wait any more has dropped its line, or never did.
        for answer in written {
            let _ = answer.send(());
        }
        for (delivery, answer) in answers {
            let _ = answer.send(held.contains(&delivery).then_some(began));
        }
    }
}

/// Does it until the database does not give another's transaction way.
async fn again<T, Doing: Future<Output = Result<T, StoreError>>>(work: impl Fn() -> Doing) -> Result<T, StoreError> {
    loop {
        match work().await {
            Err(error) if error.gave_way() => {}
            done => return done,
        }
    }
}

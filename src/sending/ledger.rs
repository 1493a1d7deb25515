//! What all connections want to be written, in as few transactions as the disk can do; and the lease that lets them.
//!
//! While one transaction is being made durable, notes and results gather for the next. They are written in the order in
//! which they came: a note holds no sooner than every result of the same connection before it, so that a crash leaves at
//! most one mail for each connection of which nobody knows whether it arrived.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clock;
use crate::counters;
use crate::press::Edition;
use crate::store::{Claimed, Fixed, Note, Outcome, Record, Said, StoreError};

use super::{HOUSEKEEPING, LEASE, Means};

/// What waits for its turn.
enum Entry {
    Note(Note, oneshot::Sender<bool>),
    Record(Record),
}

/// Where a connection has its notes and results written.
#[derive(Clone)]
pub(super) struct Ledger {
    entries: mpsc::Sender<Entry>,
}

/// So many entries go into one transaction at most, so that whoever reads the web waits for no longer one.
const TOGETHER: usize = 256;

impl Ledger {
    /// Starts writing for `owner`. The task ends when the last clone of the ledger is gone and everything is written, or
    /// with an error when that cannot be done: then nothing is answered any more.
    pub fn open(means: &Means, owner: String) -> (Ledger, JoinHandle<Result<(), StoreError>>) {
        let (entries, queue) = mpsc::channel(TOGETHER);
        (Ledger { entries }, tokio::spawn(write(means.clone(), owner, queue)))
    }

    /// Makes the intent durable before the final dot is written. False: the dot must not be written.
    pub async fn note(&self, claimed: &Claimed, fixed: &Fixed) -> Result<bool, StoreError> {
        let (answer, answered) = oneshot::channel();
        let note = Note { claim: claimed.claim(), fixed: fixed.clone() };
        self.entries.send(Entry::Note(note, answer)).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)
    }

    /// Has the result written before the next note of whoever asks.
    pub async fn record(&self, claimed: &Claimed, outcome: Outcome, said: Said) -> Result<(), StoreError> {
        counters::RESULTS.count(outcome.word());
        let record = Record { claim: claimed.claim(), outcome, said };
        self.entries.send(Entry::Record(record)).await.map_err(|_| StoreError::Closed)
    }
}

async fn write(means: Means, owner: String, mut queue: mpsc::Receiver<Entry>) -> Result<(), StoreError> {
    let mut entries = Vec::with_capacity(TOGETHER);
    let mut renewals = tokio::time::interval(HOUSEKEEPING);
    loop {
        tokio::select! {
            count = queue.recv_many(&mut entries, TOGETHER) => if count == 0 { return Ok(()) },
            // What is on the wire keeps its lease until its answer is recorded. It is renewed here, for two
            // transactions at once over the same rows could wait for each other.
            _ = renewals.tick() => {
                again(|| means.store.renew_leases(&owner, clock::now() + LEASE)).await?;
                continue;
            }
        }
        let (mut records, mut notes, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for entry in entries.drain(..) {
            match entry {
                Entry::Record(record) => records.push(record),
                Entry::Note(note, answer) => {
                    answers.push((note.claim.0.clone(), answer));
                    notes.push(note);
                }
            }
        }
        let edition: Arc<Edition> = Arc::clone(&means.edition.borrow());
        let durability = edition.settings.sending.durability;
        let write = || means.store.write_ledger(&owner, durability, (records.clone(), notes.clone()), clock::now());
        let held = again(write).await?;
        for (delivery, answer) in answers {
            // Whoever does not wait any more has dropped its line.
            let _ = answer.send(held.contains(&delivery));
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

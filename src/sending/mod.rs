//! Deliveries become sent mail.
//!
//! A sender claims what is due under a lease and hands it to a relay over a fixed number of connections. Before each
//! final dot a note is made durable, after each answer the result; between the two a crash leaves a delivery that may
//! have arrived, and at most one for each connection. No transaction is open while a relay is spoken to.

mod composer;
mod hand_over;
mod ledger;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::auth::ServerKeys;
use crate::clock;
use crate::model::{IssueId, IssueState};
use crate::press::Edition;
use crate::relay::Relay;
use crate::store::{Claimed, Store, StoreError};

use composer::Composer;
use hand_over::{HandOver, Handed};
use ledger::Ledger;

/// How long a claim holds without being renewed. After a crash, this is how long its deliveries wait.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// How often leases are renewed, and those of dead senders taken back.
const HOUSEKEEPING: Duration = Duration::from_secs(5);
/// How many deliveries are claimed at once.
const CLAIM: usize = 256;
/// How often the ledger is asked for work when there was none.
const POLL: Duration = Duration::from_millis(250);

/// What a sender needs from outside.
#[derive(Clone)]
pub struct Means {
    /// The ledger.
    pub store: Store,
    /// Where mail is handed over.
    pub relay: Arc<dyn Relay>,
    /// What links and Message-IDs are made with.
    pub keys: Arc<ServerKeys>,
    /// The publication as it is now: settings, and templates for notices.
    pub edition: watch::Receiver<Arc<Edition>>,
}

/// How long a sender works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Until {
    /// Until it is told to stop: everything that is due, notices first.
    Stopped,
    /// Until one issue is at rest.
    AtRest(IssueId),
    /// Until nothing of one issue is due.
    NoneDue(IssueId),
}

/// Sends until `until`, or until `stop` turns true: then nothing new is claimed, and what is on the wire is finished.
///
/// # Errors
///
/// When the ledger cannot be written. Nothing is handed over any more then, for nobody could say what became of it.
pub async fn send(means: Means, until: Until, mut stop: watch::Receiver<bool>) -> Result<(), StoreError> {
    let owner = clock::new_id();
    let connections = means.relay.connections().max(1);
    let (work, queue) = flume::bounded::<Claimed>(CLAIM);
    let composer = Arc::new(Composer::new(means.clone()));
    let resting = Arc::new(Resting::default());
    let (ledger, mut writing) = Ledger::open(&means, owner.clone());
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let hand_over = HandOver::new(means.clone(), Arc::clone(&composer), ledger.clone(), queue.clone());
        workers.spawn(work_off(hand_over, Arc::clone(&resting), stop.clone()));
    }
    drop((ledger, queue));
    let mut dispatcher =
        Dispatcher { means: means.clone(), owner: owner.clone(), until, resting, work, is_idle: false };
    let result = tokio::select! {
        result = dispatcher.run() => result,
        // A worker ends before its queue does only when the ledger cannot be written.
        Some(ended) = workers.join_next() => ended.unwrap_or(Err(StoreError::Closed)),
        () = stopping(&mut stop) => Ok(()),
    };
    drop(dispatcher);
    let mut results = vec![result];
    let mut renewals = tokio::time::interval(HOUSEKEEPING);
    loop {
        // What is still on the wire keeps its lease until its answer is recorded.
        tokio::select! {
            ended = workers.join_next() => match ended {
                Some(worker) => results.push(worker.unwrap_or(Err(StoreError::Closed))),
                None => break,
            },
            _ = renewals.tick() => drop(means.store.renew_leases(&owner, clock::now() + LEASE).await?),
        }
    }
    // What was answered is recorded before anything is given back; why it cannot be is said first.
    results.insert(0, (&mut writing).await.unwrap_or(Err(StoreError::Closed)));
    means.store.give_back(&owner, clock::now()).await?;
    results.into_iter().collect()
}

/// Waits until the program is told to stop.
pub(crate) async fn stopping(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
}

/// Until when the relay is left in peace, because it takes nothing from us.
#[derive(Debug, Default)]
struct Resting(std::sync::Mutex<Option<(DateTime<Utc>, u32)>>);

impl Resting {
    /// The relay had trouble: wait, longer each time.
    fn extend(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (until, times) = state.unwrap_or((now, 0));
        if until > now {
            return until;
        }
        let until = now + TimeDelta::seconds(5 << times.min(4));
        *state = Some((until, times + 1));
        until
    }

    /// The relay took a mail.
    fn end(&self) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }

    fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_none_or(|(until, _)| until <= now)
    }
}

/// One connection's worth of work: hands claimed deliveries over one by one until there are no more, or until it is told
/// to stop; what it did not begin is given back.
async fn work_off(
    mut hand_over: HandOver,
    resting: Arc<Resting>,
    stop: watch::Receiver<bool>,
) -> Result<(), StoreError> {
    while !*stop.borrow() || hand_over.has_begun() {
        match hand_over.deliver(&stop, || resting.extend(clock::now())).await? {
            Some(Handed::Over) => resting.end(),
            Some(Handed::Back) => {}
            None => break,
        }
    }
    hand_over.close().await;
    Ok(())
}

/// Claims deliveries and gives them to the workers.
struct Dispatcher {
    means: Means,
    owner: String,
    until: Until,
    resting: Arc<Resting>,
    work: flume::Sender<Claimed>,
    /// Whether the last claim found nothing.
    is_idle: bool,
}

impl Dispatcher {
    async fn run(&mut self) -> Result<(), StoreError> {
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = housekeeping.tick() => self.keep_house().await?,
                _ = poll.tick() => {
                    if !self.send_what_is_due(&mut housekeeping).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Renews our leases and takes back those of senders that died.
    async fn keep_house(&self) -> Result<(), StoreError> {
        let now = clock::now();
        self.means.store.renew_leases(&self.owner, now + LEASE).await?;
        let on_unknown = self.means.edition.borrow().settings.sending.on_unknown;
        self.means.store.release_expired(now, on_unknown).await?;
        if self.is_idle {
            for issue in self.issues().await? {
                self.means.store.retire_unreachable(&issue, now).await?;
            }
        }
        Ok(())
    }

    /// The issues that this sender works on.
    async fn issues(&self) -> Result<Vec<IssueId>, StoreError> {
        match &self.until {
            Until::Stopped => self.means.store.sending_issues().await,
            Until::AtRest(issue) | Until::NoneDue(issue) => Ok(vec![issue.clone()]),
        }
    }

    /// Works off everything that is due now. False: the goal is reached, or a worker ended.
    async fn send_what_is_due(&mut self, housekeeping: &mut tokio::time::Interval) -> Result<bool, StoreError> {
        while self.resting.is_over(clock::now()) {
            let claimed = self.claim().await?;
            self.is_idle = claimed.is_empty();
            if self.is_idle {
                break;
            }
            for delivery in claimed {
                let mut sending = self.work.send_async(delivery);
                loop {
                    tokio::select! {
                        sent = &mut sending => match sent {
                            Ok(()) => break,
                            Err(_) => return Ok(false),
                        },
                        _ = housekeeping.tick() => self.keep_house().await?,
                    }
                }
            }
        }
        if self.work.is_disconnected() { Ok(false) } else { self.is_more_to_do().await }
    }

    /// The next deliveries: notices first, then issue by issue.
    async fn claim(&self) -> Result<Vec<Claimed>, StoreError> {
        let (now, most) = (clock::now(), CLAIM as i64);
        let store = &self.means.store;
        let mut lanes: Vec<Option<IssueId>> = self.issues().await?.into_iter().map(Some).collect();
        if self.until == Until::Stopped {
            lanes.insert(0, None);
        }
        for lane in lanes {
            let claimed = store.claim(lane.as_ref(), &self.owner, now, now + LEASE, most).await?;
            if !claimed.is_empty() {
                return Ok(claimed);
            }
        }
        Ok(Vec::new())
    }

    /// Ends what is at rest; says whether the goal is still ahead.
    async fn is_more_to_do(&self) -> Result<bool, StoreError> {
        let (Until::AtRest(issue) | Until::NoneDue(issue)) = &self.until else { return Ok(true) };
        let (store, now) = (&self.means.store, clock::now());
        store.start_due_issues(now).await?;
        if store.held().await?.is_some() {
            return Ok(false);
        }
        if matches!(self.until, Until::NoneDue(_)) {
            let is_sending = store.issue(issue).await?.is_some_and(|row| row.state == IssueState::Sending);
            let is_due = store.next_due(Some(issue)).await?.is_some_and(|due_at| due_at <= now);
            if (is_sending && is_due) || store.is_being_handed_over(issue).await? {
                return Ok(true);
            }
            return store.finish_issues(now).await.map(|_| false);
        }
        store.finish_issues(now).await?;
        let is_under_way = |state| matches!(state, IssueState::Sealing | IssueState::Sealed | IssueState::Sending);
        Ok(store.issue(issue).await?.is_some_and(|row| is_under_way(row.state)))
    }
}

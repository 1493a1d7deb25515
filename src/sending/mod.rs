//! Deliveries become sent mail.
//!
//! A sender claims what is due under a lease and hands it to a relay over a fixed number of connections. Before each
//! final dot a note is made durable, after each answer the result; between the two a crash leaves a delivery that may
//! have arrived, and at most one for each connection. No transaction is open while a relay is spoken to.

mod composer;
mod hand_over;
mod ledger;
mod route;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::auth::ServerKeys;
use crate::clock;
use crate::model::{Carries, IssueId, IssueState};
use crate::press::Edition;
use crate::relay::Relay;
use crate::store::{Claimed, Store, StoreError};

use composer::Composer;
use hand_over::HandOver;
use ledger::Ledger;
use route::Route;

/// How long a claim holds without being renewed. After a crash, this is how long its deliveries wait.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// How often leases are renewed, and those of dead senders taken back.
const HOUSEKEEPING: Duration = Duration::from_secs(5);
/// How many deliveries are claimed at once.
const CLAIM: usize = 256;
/// How often a relay's rate is asked whether the next mail may go.
const TURN: Duration = Duration::from_millis(50);
/// How often the ledger is asked for work when there was none.
const POLL: Duration = Duration::from_millis(250);

/// What a sender needs from outside.
#[derive(Clone)]
pub struct Means {
    /// The ledger.
    pub store: Store,
    /// Where mail is handed over: to the first that takes it.
    pub relays: Vec<Arc<dyn Relay>>,
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
    let (halt, halted) = watch::channel(false);
    let (composer, mut senders) = (Arc::new(Composer::new(means.clone())), JoinSet::new());
    for route in Route::all(&means, &until) {
        senders.spawn(send_through(route, means.clone(), Arc::clone(&composer), until.clone(), halted.clone()));
    }
    let mut results = Vec::new();
    loop {
        // Where one cannot go on, none can: they write to the same ledger.
        tokio::select! {
            ended = senders.join_next() => match ended {
                Some(sender) => results.push(sender.unwrap_or(Err(StoreError::Closed))),
                None => break,
            },
            () = stopping(&mut stop), if !*halted.borrow() => drop(halt.send_replace(true)),
        }
        if results.iter().any(Result::is_err) {
            halt.send_replace(true);
        }
    }
    results.into_iter().collect()
}

/// Sends what goes one way.
async fn send_through(
    route: Arc<Route>,
    means: Means,
    composer: Arc<Composer>,
    until: Until,
    mut stop: watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let owner = clock::new_id();
    means.store.find_room(&owner).await?;
    let (work, queue) = flume::bounded::<Claimed>(CLAIM);
    let (ledger, mut writing) = Ledger::open(&means, owner.clone());
    let mut workers = JoinSet::new();
    for connection in 0..route.connections {
        let (route, composer) = (Arc::clone(&route), Arc::clone(&composer));
        let hand_over = HandOver::new(means.clone(), route, composer, ledger.of(connection), queue.clone());
        workers.spawn(work_off(hand_over, stop.clone()));
    }
    drop((ledger, queue));
    let mut dispatcher =
        Dispatcher { means: means.clone(), route, owner: owner.clone(), until, work, tokens: 0, is_idle: false };
    let result = tokio::select! {
        result = dispatcher.run() => result,
        // A worker ends before its queue does only when the ledger cannot be written.
        Some(ended) = workers.join_next() => ended.unwrap_or(Err(StoreError::Closed)),
        () = stopping(&mut stop) => Ok(()),
    };
    drop(dispatcher);
    let mut results = vec![result];
    while let Some(ended) = workers.join_next().await {
        results.push(ended.unwrap_or(Err(StoreError::Closed)));
    }
    // What was answered is recorded before anything is given back; why it cannot be is said first.
    results.insert(0, (&mut writing).await.unwrap_or(Err(StoreError::Closed)));
    results.push(means.store.give_back(&owner, clock::now()).await.map(drop));
    results.into_iter().collect()
}

/// Waits until the program is told to stop.
pub(crate) async fn stopping(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
}

/// One connection's worth of work: hands claimed deliveries over one by one until there are no more, or until it is told
/// to stop; what it did not begin is given back, and so is what has no note a moment later.
async fn work_off(mut hand_over: HandOver, stop: watch::Receiver<bool>) -> Result<(), StoreError> {
    while (!*stop.borrow() || hand_over.has_begun()) && hand_over.deliver(&stop).await? {}
    hand_over.close().await;
    Ok(())
}

/// Claims deliveries and gives them to the workers.
struct Dispatcher {
    means: Means,
    route: Arc<Route>,
    owner: String,
    until: Until,
    work: flume::Sender<Claimed>,
    /// How many may be handed over before the relay's rate is asked again.
    tokens: i64,
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

    /// Takes back what senders had that died. What gives way to another transaction is done the next time.
    async fn keep_house(&self) -> Result<(), StoreError> {
        let now = clock::now();
        let on_unknown = self.means.edition.borrow().settings.sending.on_unknown;
        let mut done = self.means.store.release_expired(now, on_unknown).await;
        // All that waits is looked at for that: only where little waits, for nothing of it can be claimed.
        if self.is_idle && self.route.carries != Carries::Notices && self.route.leave().await? > 0 {
            for issue in self.issues().await? {
                done = done.and(self.means.store.retire_unreachable(&issue, now).await);
            }
        }
        if done.as_ref().is_err_and(StoreError::gave_way) { Ok(()) } else { done.map(drop) }
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
        loop {
            let claimed = self.claim().await?;
            self.is_idle = claimed.is_empty();
            if self.is_idle {
                break;
            }
            let mut left = claimed.len() as i64;
            for delivery in claimed {
                self.wait_for_turn(left, housekeeping).await?;
                left -= 1;
                self.route.in_hand.fetch_add(1, Ordering::Relaxed);
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

    /// Waits until the relay's rate lets the next of `left` deliveries go.
    async fn wait_for_turn(&mut self, left: i64, housekeeping: &mut tokio::time::Interval) -> Result<(), StoreError> {
        while self.tokens == 0 {
            self.tokens = self.route.take(left).await?;
            if self.tokens == 0 {
                tokio::select! {
                    () = tokio::time::sleep(TURN) => {}
                    _ = housekeeping.tick() => self.keep_house().await?,
                }
            }
        }
        self.tokens -= 1;
        Ok(())
    }

    /// The next deliveries that go this way: notices first, then issue by issue.
    async fn claim(&self) -> Result<Vec<Claimed>, StoreError> {
        let (now, store) = (clock::now(), &self.means.store);
        let most = self.route.leave().await?;
        let mut lanes: Vec<Option<IssueId>> = Vec::new();
        if most > 0 && self.until == Until::Stopped && self.route.is_open(true).await? {
            lanes.push(None);
        }
        if most > 0 && self.route.is_open(false).await? {
            lanes.extend(self.issues().await?.into_iter().map(Some));
        }
        for lane in lanes {
            let claimed = store.claim(lane.as_ref(), &self.owner, now, now + LEASE, most).await?;
            if claimed.is_empty() {
                continue;
            }
            if !self.route.try_out().await? {
                store.give_back(&self.owner, now).await?;
                break;
            }
            return Ok(claimed);
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
            // What another way gives back at this moment is due a little later than what was asked here.
            if store.is_under_way(issue, now + TimeDelta::seconds(1)).await? {
                return Ok(true);
            }
            return store.finish_issues(now).await.map(|_| false);
        }
        store.finish_issues(now).await?;
        let is_under_way = |state| matches!(state, IssueState::Sealing | IssueState::Sealed | IssueState::Sending);
        Ok(store.issue(issue).await?.is_some_and(|row| is_under_way(row.state)))
    }
}

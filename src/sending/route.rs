//! One relay, as a part of a sender goes through it: with which mail, how fast, and whether at all at this moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock;
use crate::model::{Carries, Health, Leave};
use crate::relay::{Failure, Relay};
use crate::store::{Store, StoreError};

use super::{CLAIM, Means, Until};

/// A way to a relay.
pub(super) struct Route {
    /// Where it leads.
    pub relay: Arc<dyn Relay>,
    /// Which mail goes there.
    pub carries: Carries,
    /// How many connections are opened.
    pub connections: usize,
    /// How many deliveries are in the hands of those connections, or on their way there.
    pub in_hand: AtomicI64,
    store: Store,
    /// This process, with all its ways.
    sender: String,
    name: String,
    /// The relays before it, whose mail it takes only while they take none…
    before: Vec<Arc<dyn Relay>>,
    /// …and whether there is one behind it.
    is_last: bool,
    /// Whether the relay had trouble that a mail that is taken would mend.
    is_strained: AtomicBool,
    /// It is left in peace until then, in milliseconds since 1970.
    rests_until: AtomicI64,
}

/// How far ahead of its rate mail may go; notices further, so that they come before issues.
const BURST: TimeDelta = TimeDelta::milliseconds(500);

/// Whether there is mail that both carry.
fn shares(one: Carries, other: Carries) -> bool {
    one == other || one == Carries::All || other == Carries::All
}

impl Route {
    /// The ways of a sender: one a relay; where all mail goes through the same relay, one of its connections is kept
    /// for notices, so that a confirmation never waits for an issue.
    pub fn all(means: &Means, until: &Until) -> Vec<Arc<Route>> {
        let (sender, mut routes) = (clock::new_id(), Vec::new());
        for (index, relay) in means.relays.iter().enumerate() {
            let connections = relay.connections().max(1);
            let ways = match (relay.carries(), until) {
                (Carries::All, Until::Stopped) if connections > 1 => {
                    vec![(Carries::Notices, 1), (Carries::Issues, connections - 1)]
                }
                (Carries::Notices, Until::AtRest(_) | Until::NoneDue(_)) => vec![],
                (carries, _) => vec![(carries, connections)],
            };
            routes.extend(ways.into_iter().map(|(carries, connections)| {
                Arc::new(Route {
                    relay: Arc::clone(relay),
                    carries,
                    connections,
                    in_hand: AtomicI64::new(0),
                    store: means.store.clone(),
                    sender: sender.clone(),
                    name: relay.name(),
                    before: means.relays[..index].to_vec(),
                    is_last: means.relays[index + 1..].iter().all(|later| !shares(later.carries(), carries)),
                    is_strained: AtomicBool::new(false),
                    rests_until: AtomicI64::new(0),
                })
            }));
        }
        routes
    }

    /// How many deliveries may be claimed now.
    pub async fn leave(&self) -> Result<i64, StoreError> {
        let health = self.store.relay(&self.name).await?;
        self.is_strained.store(!health.is_well(), Ordering::Relaxed);
        Ok(match health.leave(&self.sender, clock::now()) {
            Leave::Rest => 0,
            Leave::Lines(lines) => lines - self.in_hand.load(Ordering::Relaxed),
            // What waits for its turn is in nobody else's hands meanwhile.
            Leave::Free => self.relay.rate().map_or(CLAIM as i64, |rate| {
                (rate.messages * 1000 / rate.per.num_milliseconds().max(1)).clamp(1, CLAIM as i64)
            }),
        })
    }

    /// Whether mail of this kind goes here now: no relay before it takes that.
    pub async fn is_open(&self, to_notices: bool) -> Result<bool, StoreError> {
        let kind = if to_notices { Carries::Notices } else { Carries::Issues };
        if !shares(self.carries, kind) {
            return Ok(false);
        }
        for other in self.before.iter().filter(|other| shares(other.carries(), kind)) {
            if self.store.relay(&other.name()).await?.leave(&self.sender, clock::now()) == Leave::Free {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Before claimed mail goes to a relay that had trouble. False: another process tries it.
    pub async fn try_out(&self) -> Result<bool, StoreError> {
        if !self.is_strained.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let sender = self.sender.clone();
        self.store.change_relay(self.name.clone(), move |health| health.try_out(&sender, clock::now())).await
    }

    /// How many of `wanted` deliveries the relay's rate lets go now; all where it has none.
    pub async fn take(&self, wanted: i64) -> Result<i64, StoreError> {
        let Some(rate) = self.relay.rate() else { return Ok(wanted) };
        let burst = if self.carries == Carries::Notices { BURST * 2 } else { BURST };
        let take = move |health: &mut Health| rate.take(&mut health.used_to, wanted, burst, clock::now());
        self.store.change_relay(self.name.clone(), take).await
    }

    /// How many connections the relay is set to, whichever way they go.
    fn width(&self) -> i64 {
        i64::try_from(self.relay.connections()).unwrap_or(i64::MAX)
    }

    /// Tells all senders of a failure.
    pub async fn strain(&self, failure: &Failure) -> Result<(), StoreError> {
        let Some(strain) = failure.strain() else { return Ok(()) };
        let connections = self.width();
        let change = move |health: &mut Health| {
            health.strain(strain, connections, clock::now());
            health.rests_until
        };
        let until = self.store.change_relay(self.name.clone(), change).await?;
        self.is_strained.store(true, Ordering::Relaxed);
        // Connections hear from the store in any order.
        if let Some(until) = until {
            self.rests_until.store(until.timestamp_millis(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Tells all senders that the relay took a mail, if that is news.
    pub async fn took(&self) -> Result<(), StoreError> {
        if !self.is_strained.load(Ordering::Relaxed) {
            return Ok(());
        }
        let connections = self.width();
        let change = move |health: &mut Health| {
            health.took(connections, clock::now());
            health.is_well()
        };
        let is_well = self.store.change_relay(self.name.clone(), change).await?;
        self.is_strained.store(!is_well, Ordering::Relaxed);
        Ok(())
    }

    /// When what the relay would not take now is due again, if it is left in peace: at once where another may take it.
    pub fn rests(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let until = DateTime::from_timestamp_millis(self.rests_until.load(Ordering::Relaxed)).unwrap_or(now);
        (until > now).then_some(if self.is_last { until } else { now })
    }
}

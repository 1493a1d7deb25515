//! Figures about memberships and money, and what each means.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

use crate::model::{MembershipState, Money};
use crate::store::{Result, Store};

/// What "new", "lost" and "received" look back on.
pub const LOOKING_BACK: Duration = Duration::days(30);

/// Figures at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Memberships by which somebody reads, by state.
    pub open: BTreeMap<&'static str, i64>,
    /// Paid memberships and trials that began in the last 30 days.
    pub new: i64,
    /// Those that ended in the last 30 days.
    pub lost: i64,
    /// What a month brings in each currency: the prices of all that go on and are paid for, a year's as a twelfth.
    pub monthly: Vec<Money>,
    /// What was paid in the last 30 days, less what was given back or is disputed.
    pub received: Vec<Money>,
}

/// Counts.
pub async fn figures(store: &Store, now: DateTime<Utc>) -> Result<Figures> {
    let mut figures = Figures::default();
    // Twelfths of the smallest unit, so that nothing is rounded before all is added up.
    let mut twelfths = BTreeMap::new();
    for standings in store.open_memberships(now).await? {
        *figures.open.entry(standings.state.as_str()).or_default() += standings.count;
        let is_paid = standings.state == MembershipState::Active;
        if let (Some(price), Some(every), true) = (standings.price, standings.every, is_paid) {
            *twelfths.entry(price.currency).or_insert(0) += price.minor * 12 / every.months();
        }
    }
    let monthly = twelfths.into_iter().map(|(currency, twelfths)| Money { minor: twelfths / 12, currency });
    figures.monthly = monthly.collect();
    (figures.new, figures.lost) = store.movements(now - LOOKING_BACK).await?;
    figures.received = store.received(now - LOOKING_BACK).await?;
    Ok(figures)
}

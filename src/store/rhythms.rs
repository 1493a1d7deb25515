//! Rhythms: when digest readers get theirs. One way to write them, wherever a subscription's cadence is written.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::model::{Cadence, NewsletterId, Rhythm};
use crate::zone::Zone;

use super::database::{Result, Transaction};
use super::values::values;

/// What becomes of cadence, rhythm, pause and return of a subscription that exists, when a row with another cadence is
/// inserted whose `covered_to` is the newsletter's present number. Whoever goes from digests to each at once, and is
/// still owed something, stays until the next digest: only then does nothing come twice or get lost.
macro_rules! keeps_time {
    () => {
        concat!(
            "cadence = CASE WHEN ",
            goes_over_later!(),
            " THEN subscriptions.cadence ELSE excluded.cadence END,
            rhythm = CASE WHEN subscriptions.rhythm <> '' AND (subscriptions.cadence = excluded.cadence OR ",
            goes_over_later!(),
            ") THEN subscriptions.rhythm ELSE excluded.rhythm END,
            returns_to = CASE WHEN ",
            goes_over_later!(),
            " THEN 'instant' END"
        )
    };
}
macro_rules! goes_over_later {
    () => {
        "(subscriptions.state = 'active' AND excluded.cadence = 'instant' AND subscriptions.cadence <> 'instant'
            AND (subscriptions.covered_to < excluded.covered_to OR subscriptions.paused_until IS NOT NULL))"
    };
}
pub(super) use {goes_over_later, keeps_time};

/// The rhythm of a cadence for somebody who chose no hour, by their own clock if their zone is known.
pub(super) fn plain_rhythm(cadence: Cadence, time_zone: Option<&str>) -> Rhythm {
    Rhythm { zone: time_zone.and_then(Zone::parse), ..Rhythm::of(cadence) }
}

/// Enters rhythms among those that the scheduler looks at: to be called in the transaction that writes them into
/// subscriptions. A slot before `now` is not made up for where a rhythm is new.
pub(super) async fn enter_rhythms<'a>(
    transaction: &mut Transaction,
    rhythms: impl IntoIterator<Item = (&'a NewsletterId, &'a Rhythm)>,
    now: DateTime<Utc>,
) -> Result<()> {
    let rows: BTreeSet<(&NewsletterId, String, Cadence)> = rhythms
        .into_iter()
        .filter(|(_, rhythm)| rhythm.cadence != Cadence::Instant)
        .map(|(newsletter, rhythm)| (newsletter, rhythm.key(), rhythm.cadence))
        .collect();
    let rows = rows.into_iter().map(|(newsletter, key, cadence)| values![newsletter, key, cadence, now]);
    let head = "INSERT INTO rhythms (newsletter, rhythm, cadence, slot_at) VALUES";
    transaction.insert_many(head, rows.collect(), "ON CONFLICT (newsletter, rhythm) DO NOTHING").await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EmailAddress, SubscriptionState};
    use crate::store::fresh::stores;
    use crate::store::{Newcomer, Sighting, Store};

    async fn imports(store: &Store, cadence: Cadence, zone: Option<&str>, now: DateTime<Utc>) -> Vec<String> {
        let newcomer = Newcomer {
            email: EmailAddress::parse("ada@example.com").unwrap(),
            name: None,
            details: [zone.map(str::to_owned), None, None],
            created_at: now,
            subscription: (NewsletterId::new("main"), cadence, SubscriptionState::Active),
            wish: crate::model::Wish::default(),
        };
        store.import(vec![newcomer], now).await.unwrap();
        let sql = "SELECT cadence, rhythm, COALESCE(returns_to, '') FROM subscriptions";
        let (cadence, rhythm, returns_to) = store.row(sql, vec![]).await.unwrap().unwrap();
        vec![cadence, rhythm, returns_to]
    }

    #[tokio::test]
    async fn whoever_is_owed_something_goes_over_after_the_next_digest() {
        let now = DateTime::UNIX_EPOCH;
        for (store, _kept) in stores().await {
            let newsletter = NewsletterId::new("main");
            store.enter_newsletter(newsletter.clone(), vec![], now).await.unwrap();
            assert_eq!(imports(&store, Cadence::Instant, None, now).await, ["instant", "", ""]);
            let daily = imports(&store, Cadence::Daily, Some("europe/berlin"), now).await;
            assert_eq!(daily, ["daily", "daily|||Europe/Berlin", ""]);
            assert_eq!(imports(&store, Cadence::Instant, None, now).await, ["instant", "", ""], "nothing was owed");
            imports(&store, Cadence::Daily, None, now).await;
            let article = crate::model::ArticleId::new("news");
            let sighting = Sighting { article, published_at: now, in_time: true };
            store.enter_articles(newsletter, vec![sighting], now).await.unwrap();
            let later = imports(&store, Cadence::Instant, None, now).await;
            assert_eq!(later, ["daily", "daily|||Europe/Berlin", "instant"]);
            let sql = "SELECT rhythm, cadence FROM rhythms";
            let rhythms: Vec<(String, Cadence)> = store.rows(sql, vec![]).await.unwrap();
            assert_eq!(rhythms, [("daily|||Europe/Berlin".to_owned(), Cadence::Daily)]);
        }
    }
}

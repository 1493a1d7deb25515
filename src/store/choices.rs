//! What readers choose: how often, what about, when, who they are, and another address for their feed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{Cadence, Choices, Service, SubscriberId, SubscriptionId, Wish};
use crate::zone::Zone;

use super::audit::record_event;
use super::database::{Result, Transaction, transact};
use super::flows::{Choice, activate, record_consent};
use super::ledger::lock_newsletter;
use super::open::Store;
use super::rhythms::enter_rhythms;
use super::subscribers::{Newcomer, ONE_SUBSCRIPTION, Subscription, THEIR_SUBSCRIPTIONS};
use super::values::values;

/// How a person wants to be called and written to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Person {
    /// How they want to be called.
    pub name: Option<String>,
    /// Whose clock their hours are read from: a name of the IANA database.
    pub time_zone: Option<String>,
    /// In which language they are written to (BCP 47).
    pub language: Option<String>,
}

impl Store {
    /// Keeps what a reader chooses about an active subscription, and that they did, in one transaction; `choose` makes
    /// it of what they had. Gives the subscription as it is then; none where there is no active one.
    pub async fn choose(
        &self,
        id: SubscriptionId,
        choose: impl FnOnce(Choices) -> Choices + Send + 'static,
        source: &'static str,
        now: DateTime<Utc>,
    ) -> Result<Option<Subscription>> {
        transact!(self.write, |transaction| {
            // Until the end, no number is given out and nobody else chooses.
            let newsletter = "SELECT newsletter FROM subscriptions WHERE id = $1";
            if let Some(newsletter) = transaction.row(newsletter, values![&id]).await? {
                lock_newsletter(transaction, &newsletter).await?;
            }
            let chosen = choose_anew(transaction, &id, true, choose, now).await?;
            let Some((theirs, is_changed)) = chosen else { return Ok(None) };
            if is_changed {
                record_consent(transaction, (&theirs.subscriber, &theirs.newsletter), "changed", source, now).await?;
            }
            Ok(Some(theirs))
        })
    }

    /// Subscribes a person who has signed in, as their confirmation did before, in one transaction.
    pub async fn subscribe(&self, id: SubscriberId, choice: Choice, now: DateTime<Utc>) -> Result<()> {
        transact!(self.write, |transaction| { activate(transaction, &id, &choice, "account", now).await })
    }

    /// Keeps who a person is, in one transaction; a new zone moves the hours of all their digests.
    pub async fn keep_person(&self, id: SubscriberId, person: Person, now: DateTime<Utc>) -> Result<()> {
        transact!(self.write, |transaction| {
            let sql = "UPDATE subscribers SET name = $2, time_zone = $3, language = $4 WHERE id = $1";
            transaction.execute(sql, values![&id, person.name, person.time_zone, person.language]).await?;
            keep_zone(transaction, &id, now).await.map(drop)
        })
    }

    /// The number of somebody's own feed; none: there is nobody of that id. The feed's address is made from number and
    /// server key, so that the database opens no feed, and a higher number makes the earlier address worthless.
    pub async fn feed_number(&self, who: &SubscriberId) -> Result<Option<i64>> {
        self.row("SELECT feed FROM subscribers WHERE id = $1", values![who]).await
    }

    /// Gives somebody's feed the next number, and remembers that, in one transaction.
    pub async fn replace_feed(&self, who: &SubscriberId, now: DateTime<Utc>) -> Result<()> {
        let who = who.clone();
        transact!(self.write, |transaction| {
            transaction.execute("UPDATE subscribers SET feed = feed + 1 WHERE id = $1", values![&who]).await?;
            record_event(transaction, "feed-replaced", (Some(&who), ""), "", now).await
        })
    }
}

/// Keeps what a file says about the subscriptions that it brings. The caller holds the newsletters' locks.
pub(super) async fn keep_wishes(
    transaction: &mut Transaction,
    newcomers: &[Newcomer],
    now: DateTime<Utc>,
) -> Result<()> {
    for Newcomer { email, subscription, wish, .. } in newcomers.iter().filter(|known| known.wish != Wish::default()) {
        let sql = "SELECT s.id FROM subscriptions s JOIN subscribers p ON p.id = s.subscriber
            WHERE p.email_key = $1 AND s.newsletter = $2";
        let id: Option<SubscriptionId> = transaction.row(sql, values![email.key(), &subscription.0]).await?;
        if let Some(id) = id {
            choose_anew(transaction, &id, false, |choices| wish.put_into(choices), now).await?;
        }
    }
    Ok(())
}

/// Writes how a subscription is served once `choose` has made new choices of the present ones, and says whether that is
/// another way. None: it is not there, or `must_be_active` and is not. The caller holds the newsletter's lock, so that
/// no number is given out and nobody else chooses.
async fn choose_anew(
    transaction: &mut Transaction,
    id: &SubscriptionId,
    must_be_active: bool,
    choose: impl FnOnce(Choices) -> Choices,
    now: DateTime<Utc>,
) -> Result<Option<(Subscription, bool)>> {
    let sql = "UPDATE subscriptions SET covered_to = covered_to WHERE id = $1 AND (state = 'active' OR $2 = 0)
        RETURNING (SELECT time_zone FROM subscribers p WHERE p.id = subscriptions.subscriber),
            CASE WHEN covered_to < (SELECT sequence FROM newsletters n
                WHERE n.id = subscriptions.newsletter) THEN 1 ELSE 0 END";
    let found: Option<(Option<String>, bool)> = transaction.row(sql, values![id, must_be_active]).await?;
    let Some((zone, is_owed)) = found else { return Ok(None) };
    let theirs: Option<Subscription> = transaction.row(ONE_SUBSCRIPTION, values![id]).await?;
    let Some(mut theirs) = theirs else { return Ok(None) };
    let zone = zone.as_deref().and_then(Zone::parse);
    let choices = choose(theirs.service.choices(now));
    let service = theirs.service.after(&choices, zone.as_ref(), is_owed, now);
    let is_changed = service != theirs.service;
    if is_changed {
        theirs.service = service;
        serve(transaction, &theirs, now).await?;
    }
    Ok(Some((theirs, is_changed)))
}

/// Moves the hours of all digests of a person to their zone, and says which that is.
pub(super) async fn keep_zone(
    transaction: &mut Transaction,
    subscriber: &SubscriberId,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    let time_zone = zone_of(transaction, subscriber).await?;
    let zone = time_zone.as_deref().and_then(Zone::parse);
    for mut theirs in subscriptions_of(transaction, subscriber).await? {
        if theirs.service.rhythm.cadence != Cadence::Instant && theirs.service.rhythm.zone != zone {
            theirs.service.rhythm.zone.clone_from(&zone);
            serve(transaction, &theirs, now).await?;
        }
    }
    Ok(time_zone)
}

/// All subscriptions of a person, by newsletter.
pub(super) async fn subscriptions_of(
    transaction: &mut Transaction,
    subscriber: &SubscriberId,
) -> Result<Vec<Subscription>> {
    transaction.rows(THEIR_SUBSCRIPTIONS, values![subscriber]).await
}

/// The zone of a person, if it is known.
pub(super) async fn zone_of(transaction: &mut Transaction, subscriber: &SubscriberId) -> Result<Option<String>> {
    let sql = "SELECT time_zone FROM subscribers WHERE id = $1";
    Ok(transaction.row(sql, values![subscriber]).await?.flatten())
}

/// Writes how a subscription is served, and enters its rhythm among the newsletter's: the one place that does.
async fn serve(transaction: &mut Transaction, theirs: &Subscription, now: DateTime<Utc>) -> Result<()> {
    let Service { rhythm, returns_to_instant, topics, paused_until } = &theirs.service;
    let sql = "UPDATE subscriptions SET cadence = $2, rhythm = $3, returns_to = $4, topics = $5, paused_until = $6
        WHERE id = $1";
    let returns_to = returns_to_instant.then_some(Cadence::Instant);
    let row = values![&theirs.id, rhythm.cadence, rhythm.key(), returns_to, topics, *paused_until];
    transaction.execute(sql, row).await?;
    enter_rhythms(transaction, [(&theirs.newsletter, rhythm)], now).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::model::{Cadence, EmailAddress, NewsletterId, SubscriptionState, Wish};
    use crate::store::Newcomer;
    use crate::store::fresh::stores;

    #[tokio::test]
    async fn a_feed_has_a_number_that_its_reader_raises_and_takes_along() {
        for (store, _folder) in stores().await {
            let (now, newsletter) = (clock::now(), NewsletterId::new("wire"));
            store.enter_newsletter(newsletter.clone(), vec![], now).await.unwrap();
            let reader = Newcomer {
                email: EmailAddress::parse("reader@example.com").unwrap(),
                name: None,
                details: [None, None, None],
                created_at: now,
                subscription: (newsletter, Cadence::Instant, SubscriptionState::Active),
                wish: Wish::default(),
            };
            store.import(vec![reader], now).await.unwrap();
            let who = store.subscribers_with(&["reader@example.com"]).await.unwrap().remove(0).id;
            assert_eq!(store.feed_number(&who).await.unwrap(), Some(0));
            store.replace_feed(&who, now).await.unwrap();
            assert_eq!(store.feed_number(&who).await.unwrap(), Some(1));
            assert_eq!(store.everything_about(&who).await.unwrap()["person"][0]["feed_number"], "1");
            assert_eq!(store.account_events(&who, 1).await.unwrap()[0].event, "feed-replaced");
            assert_eq!(store.feed_number(&SubscriberId::new("nobody")).await.unwrap(), None);
        }
    }
}

//! People, what they get, what they agreed to, and whom not to mail.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::clock;
use crate::model::{
    Cadence, EmailAddress, NewsletterId, Rhythm, Service, SubscriberId, SubscriptionId, SubscriptionState,
    SuppressionReason, Wish,
};

use super::choices::keep_wishes;
use super::database::{Result, StoreError, Transaction, transact};
use super::dialect::listed;
use super::flows::record_consent;
use super::issues::unfinished;
use super::ledger::lock_newsletter;
use super::open::Store;
use super::rhythms::{enter_rhythms, goes_over_later, keeps_time, plain_rhythm};
use super::values::{Columns, Row, columns, values};

/// A person whose address we know, with everything they were ever subscribed to.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscriber {
    /// Its id.
    pub id: SubscriberId,
    /// The address as it is delivered to.
    pub email: String,
    /// The address under which the person is found.
    pub email_key: String,
    /// How they want to be called.
    pub name: Option<String>,
    /// Their zone, language and tags, as imported.
    pub details: [Option<String>; 3],
    /// When we first heard of them.
    pub created_at: DateTime<Utc>,
    /// Why they are not to be mailed, if so.
    pub suppression: Option<SuppressionReason>,
    /// Their subscriptions, by newsletter.
    pub subscriptions: Vec<Subscription>,
}

/// One subscriber's subscription to one newsletter.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Whose.
    pub subscriber: SubscriberId,
    /// To what.
    pub newsletter: NewsletterId,
    /// How it is served.
    pub service: Service,
    /// Where it stands.
    pub state: SubscriptionState,
    /// When it became active, if ever.
    pub activated_at: Option<DateTime<Utc>>,
    /// When it ended, if it has.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A person as a file brings them. Ids of new rows are made by whoever writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newcomer {
    /// Who.
    pub email: EmailAddress,
    /// How they want to be called.
    pub name: Option<String>,
    /// Zone, language and tags.
    pub details: [Option<String>; 3],
    /// When they were first heard of.
    pub created_at: DateTime<Utc>,
    /// To what, how often, and where it is to stand.
    pub subscription: (NewsletterId, Cadence, SubscriptionState),
    /// When and about what, as far as they say.
    pub wish: Wish,
}

columns! { Subscription: id, subscriber, newsletter, service, state, activated_at, ended_at; }

impl Columns for Subscriber {
    fn read(row: &mut Row) -> Result<Subscriber> {
        Ok(Subscriber {
            id: row.read()?,
            email: row.read()?,
            email_key: row.read()?,
            name: row.read()?,
            details: [row.read()?, row.read()?, row.read()?],
            created_at: row.read()?,
            suppression: row.read()?,
            subscriptions: Vec::new(),
        })
    }
}

impl Columns for Service {
    fn read(row: &mut Row) -> Result<Service> {
        let (cadence, rhythm): (Cadence, String) = row.read()?;
        Ok(Service {
            rhythm: Rhythm::parse(&rhythm).unwrap_or(Rhythm::of(cadence)),
            returns_to_instant: row.read::<Option<Cadence>>()?.is_some(),
            topics: row.read()?,
            paused_until: row.read()?,
        })
    }
}

/// A subscription, its subscriber and its newsletter.
type Whose = (SubscriptionId, SubscriberId, NewsletterId);

/// A SELECT of what [`people`] folds, of the people `s` that `$from` names.
macro_rules! select_people {
    ($from:literal) => {
        concat!(
            "SELECT s.id, s.email, s.email_key, s.name, s.time_zone, s.language, s.tags, s.created_at, x.reason,
                t.id, t.subscriber, t.newsletter, t.cadence, t.rhythm, t.returns_to, t.topics, t.paused_until, t.state,
                t.activated_at, t.ended_at
            FROM ",
            $from,
            " LEFT JOIN suppressions x ON x.email_key = s.email_key
            LEFT JOIN subscriptions t ON t.subscriber = s.id ORDER BY s.id, t.newsletter"
        )
    };
}

const PEOPLE: &str =
    select_people!("(SELECT * FROM subscribers WHERE id > $1 AND email <> 'erased' ORDER BY id LIMIT $2) s");
const ONE_PERSON: &str = select_people!("(SELECT * FROM subscribers WHERE id = $1) s");

/// A SELECT of [`Subscription`]s.
macro_rules! select_subscriptions {
    ($where:literal) => {
        concat!(
            "SELECT id, subscriber, newsletter, cadence, rhythm, returns_to, topics, paused_until, state, activated_at,
                ended_at FROM subscriptions WHERE ",
            $where
        )
    };
}
pub(super) const ONE_SUBSCRIPTION: &str = select_subscriptions!("id = $1");
pub(super) const THEIR_SUBSCRIPTIONS: &str = select_subscriptions!("subscriber = $1 ORDER BY newsletter");

impl Subscription {
    /// How often, as the reader has chosen it.
    pub fn cadence(&self) -> Cadence {
        if self.service.returns_to_instant { Cadence::Instant } else { self.service.rhythm.cadence }
    }
}

impl Store {
    /// The next `most` people after the one with the id `after` (empty: from the first), by id.
    pub async fn subscribers_after(&self, after: &str, most: i64) -> Result<Vec<Subscriber>> {
        Ok(people(self.rows(PEOPLE, values![after, most]).await?))
    }

    /// One person; none once they are unknown.
    pub async fn subscriber(&self, id: &SubscriberId) -> Result<Option<Subscriber>> {
        Ok(people(self.rows(ONE_PERSON, values![id]).await?).pop())
    }

    /// The people with these address keys, those who are known; in one question.
    pub async fn subscribers_with(&self, keys: &[&str]) -> Result<Vec<Subscriber>> {
        let sql = listed!(select_people!("listed JOIN subscribers s ON s.email_key = listed.value"));
        Ok(people(self.rows(sql, values![serde_json::json!(keys).to_string()]).await?))
    }

    /// Which of these address keys are not to be mailed, and why.
    pub async fn suppressions_of(&self, keys: &[&str]) -> Result<BTreeMap<String, SuppressionReason>> {
        let sql = listed!("SELECT x.email_key, x.reason FROM listed JOIN suppressions x ON x.email_key = listed.value");
        Ok(self.rows(sql, values![serde_json::json!(keys).to_string()]).await?.into_iter().collect())
    }

    /// One subscription.
    pub async fn subscription(&self, id: &SubscriptionId) -> Result<Option<Subscription>> {
        self.row(ONE_SUBSCRIPTION, values![id]).await
    }

    /// Ends a subscription, remembers that, and suppresses what waits to be sent for it, in one transaction. What had
    /// ended stays as it was. Gives the subscription as it is then; none if there never was one.
    pub async fn leave(
        &self,
        id: SubscriptionId,
        source: &'static str,
        now: DateTime<Utc>,
    ) -> Result<Option<Subscription>> {
        transact!(self.write, |transaction| {
            end_subscription(transaction, &id, source, now).await?;
            transaction.row(ONE_SUBSCRIPTION, values![&id]).await
        })
    }

    /// Takes back the goodbye of `ended_at`, if that is how the subscription stands and it had been active; and with it
    /// whatever else the same person left in that moment. Says of which newsletters. They go on from where they were
    /// served to.
    pub async fn undo_leaving(
        &self,
        id: SubscriptionId,
        ended_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<NewsletterId>> {
        transact!(self.write, |transaction| {
            let sql = "UPDATE subscriptions SET state = 'active', ended_at = NULL
                WHERE subscriber = (SELECT subscriber FROM subscriptions WHERE id = $1 AND ended_at = $2)
                AND state = 'ended' AND ended_at = $2 AND activated_at IS NOT NULL
                AND NOT EXISTS (SELECT 1 FROM subscribers p WHERE p.id = subscriptions.subscriber
                    AND p.email = 'erased')
                RETURNING id, subscriber, newsletter";
            let mut undone = Vec::new();
            let left: Vec<Whose> = transaction.rows(sql, values![&id, ended_at]).await?;
            for (id, subscriber, newsletter) in left {
                let back = concat!(
                    "UPDATE deliveries SET state = 'queued', reason = NULL, due_at = $2, finished_at = NULL
                    WHERE issue IN (",
                    unfinished!(),
                    ") AND subscriber = $4 AND subscription = $1 AND state = 'suppressed' AND reason = 'left'
                    AND finished_at >= $3"
                );
                transaction.execute(back, values![&id, now, ended_at, &subscriber]).await?;
                record_consent(transaction, (&subscriber, &newsletter), "undone", "page", now).await?;
                undone.push(newsletter);
            }
            Ok(undone)
        })
    }

    /// Ends the subscriptions of an address to one newsletter (none: to all), as [`Store::leave`] does, in one
    /// transaction. Says which ended now.
    pub async fn unsubscribe(
        &self,
        email_key: String,
        newsletter: Option<NewsletterId>,
        source: &'static str,
        now: DateTime<Utc>,
    ) -> Result<Vec<NewsletterId>> {
        transact!(self.write, |transaction| {
            let sql = "SELECT t.id, t.newsletter FROM subscriptions t JOIN subscribers s ON s.id = t.subscriber
                WHERE s.email_key = $1 AND t.state <> 'ended' ORDER BY t.newsletter";
            let mut ended = Vec::new();
            for (id, theirs) in transaction.rows(sql, values![email_key]).await? {
                if newsletter.as_ref().is_none_or(|wanted| *wanted == theirs) {
                    end_subscription(transaction, &id, source, now).await?;
                    ended.push(theirs);
                }
            }
            Ok(ended)
        })
    }

    /// Enters addresses among those not to be mailed and suppresses the issues that wait for them, in one transaction.
    /// The first reason stays. Says how many are new there.
    pub async fn suppress(
        &self,
        email_keys: Vec<String>,
        reason: SuppressionReason,
        now: DateTime<Utc>,
    ) -> Result<u64> {
        transact!(self.write, |transaction| { suppress(transaction, &email_keys, reason, now).await })
    }

    /// The addresses, under their keys, that are not to be mailed and are no subscriber's; without those of people who
    /// were erased, of which only a hash is left.
    pub async fn suppressed_strangers(&self) -> Result<Vec<String>> {
        let sql = "SELECT x.email_key FROM suppressions x WHERE x.email_key LIKE '%@%'
            AND NOT EXISTS (SELECT 1 FROM subscribers p WHERE p.email_key = x.email_key) ORDER BY x.email_key";
        self.rows(sql, vec![]).await
    }

    /// Writes people and their subscriptions in one transaction of few statements.
    ///
    /// No two may share address and newsletter. Whoever has left by then stays away; what becomes active owes nothing
    /// older than now; what is active keeps what it has been served to. The newsletters must have been entered.
    pub async fn import(&self, newcomers: Vec<Newcomer>, now: DateTime<Utc>) -> Result<()> {
        transact!(self.write_long, |transaction| {
            let people = enter_people(transaction, &newcomers).await?;
            enter_subscriptions(transaction, &newcomers, &people, now).await?;
            keep_wishes(transaction, &newcomers, now).await
        })
    }
}

/// As [`Store::suppress`].
pub(super) async fn suppress(
    transaction: &mut Transaction,
    email_keys: &[String],
    reason: SuppressionReason,
    now: DateTime<Utc>,
) -> Result<u64> {
    let rows = email_keys.iter().map(|key| values![key, reason, now]).collect();
    let head = "INSERT INTO suppressions (email_key, reason, at) VALUES";
    let new = transaction.insert_many(head, rows, "ON CONFLICT (email_key) DO NOTHING").await?;
    let waiting = listed!(concat!(
        "UPDATE deliveries SET state = 'suppressed', reason = 'suppressed', due_at = NULL, finished_at = $2
        WHERE state IN ('queued', 'deferred') AND issue IN (",
        unfinished!(),
        ") AND subscriber IN (SELECT s.id FROM listed JOIN subscribers s ON s.email_key = listed.value)"
    ));
    let keys = serde_json::json!(email_keys).to_string();
    transaction.execute(waiting, values![keys, now]).await?;
    Ok(new)
}

/// A goodbye: once, with its record, and with everything that waits for it.
pub(super) async fn end_subscription(
    transaction: &mut Transaction,
    id: &SubscriptionId,
    source: &'static str,
    now: DateTime<Utc>,
) -> Result<()> {
    let sql = "UPDATE subscriptions SET state = 'ended', ended_at = $2 WHERE id = $1 AND state <> 'ended'
        RETURNING subscriber, newsletter";
    let Some((subscriber, newsletter)) = transaction.row(sql, values![id, now]).await? else { return Ok(()) };
    record_consent(transaction, (&subscriber, &newsletter), "left", source, now).await?;
    let waiting = concat!(
        "UPDATE deliveries SET state = 'suppressed', reason = 'left', due_at = NULL, finished_at = $2
        WHERE issue IN (",
        unfinished!(),
        ") AND subscriber = $3 AND subscription = $1 AND state IN ('queued', 'deferred')"
    );
    transaction.execute(waiting, values![id, now, &subscriber]).await.map(drop)
}

/// Who somebody is, by the key of their address, and their time zone.
type People = BTreeMap<String, (SubscriberId, Option<String>)>;

async fn enter_people(transaction: &mut Transaction, newcomers: &[Newcomer]) -> Result<People> {
    let people: BTreeMap<&str, &Newcomer> = newcomers.iter().map(|newcomer| (newcomer.email.key(), newcomer)).collect();
    let row = |person: &&Newcomer| {
        let Newcomer { email, name, details, created_at, .. } = *person;
        let [time_zone, language, tags] = details.each_ref().map(Option::as_ref);
        values![clock::new_id(), email, email.key(), name.as_ref(), time_zone, language, tags, *created_at]
    };
    let head = "INSERT INTO subscribers (id, email, email_key, name, time_zone, language, tags, created_at) VALUES";
    let tail = "ON CONFLICT (email_key) DO UPDATE SET name = COALESCE(excluded.name, subscribers.name),
        time_zone = COALESCE(excluded.time_zone, subscribers.time_zone),
        language = COALESCE(excluded.language, subscribers.language),
        tags = COALESCE(excluded.tags, subscribers.tags)
        RETURNING email_key, id, time_zone";
    let entered = transaction.insert_and_return(head, people.values().map(row).collect(), tail).await?;
    Ok(entered.into_iter().collect())
}

async fn enter_subscriptions(
    transaction: &mut Transaction,
    newcomers: &[Newcomer],
    people: &People,
    now: DateTime<Utc>,
) -> Result<()> {
    let numbers = lock_newsletters(transaction, newcomers).await?;
    let (mut subscriptions, mut consents, mut rhythms) = (Vec::new(), Vec::new(), Vec::new());
    for newcomer in newcomers {
        let (newsletter, cadence, state) = &newcomer.subscription;
        let person = people.get(newcomer.email.key());
        let (subscriber, zone) =
            person.ok_or_else(|| StoreError::Form("whoever was entered is not there".to_owned()))?;
        let rhythm = plain_rhythm(*cadence, zone.as_deref());
        let activated_at = (*state == SubscriptionState::Active).then_some(now);
        let ended_at = (*state == SubscriptionState::Ended).then_some(now);
        consents.push(values![clock::new_id(), subscriber, newsletter, "imported", state.as_str(), now]);
        let number = numbers.get(newsletter).copied();
        subscriptions.push(values![
            clock::new_id(),
            subscriber,
            newsletter,
            *cadence,
            rhythm.key(),
            *state,
            number,
            now,
            activated_at,
            ended_at
        ]);
        rhythms.push((newsletter, rhythm));
    }
    enter_rhythms(transaction, rhythms.iter().map(|(newsletter, rhythm)| (*newsletter, rhythm)), now).await?;
    let head = "INSERT INTO subscriptions
        (id, subscriber, newsletter, cadence, rhythm, state, covered_to, created_at, activated_at, ended_at) VALUES";
    let tail = concat!(
        "ON CONFLICT (subscriber, newsletter) DO UPDATE SET ",
        keeps_time!(),
        ", ended_at = excluded.ended_at, state = CASE
            WHEN subscriptions.state = 'active' AND excluded.state = 'pending' THEN 'active' ELSE excluded.state END,
        covered_to = CASE subscriptions.state
            WHEN 'active' THEN subscriptions.covered_to ELSE excluded.covered_to END,
        activated_at = COALESCE(subscriptions.activated_at, excluded.activated_at)
        WHERE subscriptions.state <> 'ended'"
    );
    transaction.insert_many(head, subscriptions, tail).await?;
    let head = "INSERT INTO consents (id, subscriber, newsletter, event, source, at) VALUES";
    transaction.insert_many(head, consents, "").await.map(drop)
}

/// The present numbers of the newsletters that people are entered into, which stay so until the transaction ends.
async fn lock_newsletters(
    transaction: &mut Transaction,
    newcomers: &[Newcomer],
) -> Result<BTreeMap<NewsletterId, i64>> {
    let newsletters: BTreeSet<&NewsletterId> = newcomers.iter().map(|newcomer| &newcomer.subscription.0).collect();
    let mut numbers = BTreeMap::new();
    for newsletter in newsletters {
        lock_newsletter(transaction, newsletter).await?;
        let number = transaction.row("SELECT sequence FROM newsletters WHERE id = $1", values![newsletter]).await?;
        let unknown = || StoreError::Place(format!("the newsletter `{newsletter}` is not in the database yet"));
        numbers.insert(newsletter.clone(), number.ok_or_else(unknown)?);
    }
    Ok(numbers)
}

/// Folds rows of (person, subscription) into people.
fn people(rows: Vec<(Subscriber, Option<Subscription>)>) -> Vec<Subscriber> {
    let mut people: Vec<Subscriber> = Vec::new();
    for (person, subscription) in rows {
        match people.last_mut() {
            Some(last) if last.id == person.id => last.subscriptions.extend(subscription),
            _ => people.push(Subscriber { subscriptions: subscription.into_iter().collect(), ..person }),
        }
    }
    people
}

//! People, what they get, what they agreed to, and whom not to mail.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::clock;
use crate::model::{
    Cadence, EmailAddress, NewsletterId, Rhythm, Service, SubscriberId, SubscriptionId, SubscriptionState,
    SuppressionReason,
};

use super::database::{Result, Row, StoreError, Transaction, transact, values};
use super::dialect::listed;
use super::flows::record_consent;
use super::issues::unfinished;
use super::ledger::lock_newsletter;
use super::open::Store;
use super::rhythms::{enter_rhythms, goes_over_later, keeps_time, plain_rhythm};
use super::{millis, moment};

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
}

/// A SELECT of the columns that [`people`] reads, of the people `s` that `$from` names.
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
/// A SELECT of the columns that [`subscription`] reads.
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
        people(&self.rows(PEOPLE, values![after, most]).await?)
    }

    /// One person; none once they are unknown.
    pub async fn subscriber(&self, id: &SubscriberId) -> Result<Option<Subscriber>> {
        Ok(people(&self.rows(ONE_PERSON, values![id.as_str()]).await?)?.pop())
    }

    /// The people with these address keys, those who are known; in one question.
    pub async fn subscribers_with(&self, keys: &[&str]) -> Result<Vec<Subscriber>> {
        let sql = listed!(select_people!("listed JOIN subscribers s ON s.email_key = listed.value"));
        people(&self.rows(sql, values![serde_json::json!(keys).to_string()]).await?)
    }

    /// Which of these address keys are not to be mailed, and why.
    pub async fn suppressions_of(&self, keys: &[&str]) -> Result<BTreeMap<String, SuppressionReason>> {
        let sql = listed!("SELECT x.email_key, x.reason FROM listed JOIN suppressions x ON x.email_key = listed.value");
        let rows = self.rows(sql, values![serde_json::json!(keys).to_string()]).await?;
        rows.iter().map(|row| Ok((row.text(0)?, row.word(1, SuppressionReason::parse)?))).collect()
    }

    /// One subscription.
    pub async fn subscription(&self, id: &SubscriptionId) -> Result<Option<Subscription>> {
        let row = self.row(ONE_SUBSCRIPTION, values![id.as_str()]).await?;
        Ok(row.as_ref().map(|row| subscription(row, 0)).transpose()?.flatten())
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
            end_subscription(transaction, id.as_str(), source, now).await?;
            let row = transaction.row(ONE_SUBSCRIPTION, values![id.as_str()]).await?;
            Ok(row.as_ref().map(|row| subscription(row, 0)).transpose()?.flatten())
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
                RETURNING id, subscriber, newsletter";
            let mut undone = Vec::new();
            for row in transaction.rows(sql, values![id.as_str(), millis(ended_at)]).await? {
                let (id, subscriber, newsletter) = (row.text(0)?, row.text(1)?, row.text(2)?);
                let back = concat!(
                    "UPDATE deliveries SET state = 'queued', reason = NULL, due_at = $2, finished_at = NULL
                    WHERE issue IN (",
                    unfinished!(),
                    ") AND subscriber = $4 AND subscription = $1 AND state = 'suppressed' AND reason = 'left'
                    AND finished_at >= $3"
                );
                transaction.execute(back, values![id, millis(now), millis(ended_at), &subscriber]).await?;
                record_consent(transaction, &subscriber, &newsletter, "undone", "page", now).await?;
                undone.push(NewsletterId::new(newsletter));
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
            for row in transaction.rows(sql, values![email_key]).await? {
                let (id, theirs) = (row.text(0)?, NewsletterId::new(row.text(1)?));
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
        transact!(self.write, |transaction| {
            let rows = email_keys.iter().map(|key| values![key, reason.as_str(), millis(now)]).collect();
            let head = "INSERT INTO suppressions (email_key, reason, at) VALUES";
            let new = transaction.insert_many(head, rows, "ON CONFLICT (email_key) DO NOTHING").await?;
            let waiting = listed!(
                "UPDATE deliveries SET state = 'suppressed', reason = 'suppressed', due_at = NULL, finished_at = $2
                WHERE state IN ('queued', 'deferred') AND subscription IN (
                    SELECT t.id FROM listed JOIN subscribers s ON s.email_key = listed.value
                    JOIN subscriptions t ON t.subscriber = s.id)"
            );
            let keys = serde_json::json!(email_keys).to_string();
            transaction.execute(waiting, values![keys, millis(now)]).await?;
            Ok(new)
        })
    }

    /// Writes people and their subscriptions in one transaction of few statements.
    ///
    /// No two may share address and newsletter. Whoever has left by then stays away; what becomes active owes nothing
    /// older than now; what is active keeps what it has been served to. The newsletters must have been entered.
    pub async fn import(&self, newcomers: Vec<Newcomer>, now: DateTime<Utc>) -> Result<()> {
        transact!(self.write_long, |transaction| {
            enter_people(transaction, &newcomers).await?;
            enter_subscriptions(transaction, &newcomers, now).await
        })
    }
}

/// A goodbye: once, with its record, and with everything that waits for it.
pub(super) async fn end_subscription(
    transaction: &mut Transaction,
    id: &str,
    source: &'static str,
    now: DateTime<Utc>,
) -> Result<()> {
    let sql = "UPDATE subscriptions SET state = 'ended', ended_at = $2 WHERE id = $1 AND state <> 'ended'
        RETURNING subscriber, newsletter";
    let Some(row) = transaction.row(sql, values![id, millis(now)]).await? else { return Ok(()) };
    record_consent(transaction, &row.text(0)?, &row.text(1)?, "left", source, now).await?;
    let waiting = concat!(
        "UPDATE deliveries SET state = 'suppressed', reason = 'left', due_at = NULL, finished_at = $2
        WHERE issue IN (",
        unfinished!(),
        ") AND subscriber = $3 AND subscription = $1 AND state IN ('queued', 'deferred')"
    );
    transaction.execute(waiting, values![id, millis(now), row.text(0)?]).await?;
    Ok(())
}

async fn enter_people(transaction: &mut Transaction, newcomers: &[Newcomer]) -> Result<()> {
    let people: BTreeMap<&str, &Newcomer> = newcomers.iter().map(|newcomer| (newcomer.email.key(), newcomer)).collect();
    let row = |person: &&Newcomer| {
        let (email, [time_zone, language, tags]) = (&person.email, person.details.clone());
        let name = person.name.clone();
        values![
            clock::new_id(),
            email.as_str(),
            email.key(),
            name,
            time_zone,
            language,
            tags,
            millis(person.created_at)
        ]
    };
    let head = "INSERT INTO subscribers (id, email, email_key, name, time_zone, language, tags, created_at) VALUES";
    let tail = "ON CONFLICT (email_key) DO UPDATE SET name = COALESCE(excluded.name, subscribers.name),
        time_zone = COALESCE(excluded.time_zone, subscribers.time_zone),
        language = COALESCE(excluded.language, subscribers.language),
        tags = COALESCE(excluded.tags, subscribers.tags)";
    transaction.insert_many(head, people.values().map(row).collect(), tail).await?;
    Ok(())
}

async fn enter_subscriptions(transaction: &mut Transaction, newcomers: &[Newcomer], now: DateTime<Utc>) -> Result<()> {
    let numbers = lock_newsletters(transaction, newcomers).await?;
    let known =
        listed!("SELECT s.email_key, s.id, s.time_zone FROM listed JOIN subscribers s ON s.email_key = listed.value");
    let keys: Vec<&str> = newcomers.iter().map(|newcomer| newcomer.email.key()).collect();
    let rows = transaction.rows(known, values![serde_json::json!(keys).to_string()]).await?;
    let people: BTreeMap<String, (String, Option<String>)> =
        rows.iter().map(|row| Ok((row.text(0)?, (row.text(1)?, row.opt_text(2)?)))).collect::<Result<_>>()?;
    let (mut subscriptions, mut consents, mut rhythms) = (Vec::new(), Vec::new(), Vec::new());
    for newcomer in newcomers {
        let (newsletter, cadence, state) = &newcomer.subscription;
        let (newsletter, at) = (newsletter.as_str(), millis(now));
        let number = numbers.get(newsletter).copied();
        let (subscriber, zone) = people.get(newcomer.email.key()).cloned().unwrap_or_default();
        let rhythm = plain_rhythm(*cadence, zone.as_deref());
        let activated_at = (*state == SubscriptionState::Active).then_some(at);
        let ended_at = (*state == SubscriptionState::Ended).then_some(at);
        consents.push(values![clock::new_id(), &subscriber, newsletter, "imported", state.as_str(), at]);
        let (id, cadence, state, key) = (clock::new_id(), cadence.as_str(), state.as_str(), rhythm.key());
        rhythms.push((newsletter, rhythm));
        subscriptions
            .push(values![id, subscriber, newsletter, cadence, key, state, number, at, activated_at, ended_at]);
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
    transaction.insert_many(head, consents, "").await?;
    Ok(())
}

/// The present numbers of the newsletters that people are entered into, which stay so until the transaction ends.
async fn lock_newsletters(transaction: &mut Transaction, newcomers: &[Newcomer]) -> Result<BTreeMap<String, i64>> {
    let newsletters: BTreeSet<&str> = newcomers.iter().map(|newcomer| newcomer.subscription.0.as_str()).collect();
    let mut numbers = BTreeMap::new();
    for newsletter in newsletters {
        lock_newsletter(transaction, newsletter).await?;
        let row = transaction.row("SELECT sequence FROM newsletters WHERE id = $1", values![newsletter]).await?;
        numbers.insert(newsletter.to_owned(), row.ok_or_else(|| not_entered(newsletter))?.int(0)?);
    }
    Ok(numbers)
}

fn not_entered(newsletter: &str) -> StoreError {
    StoreError::Place(format!("the newsletter `{newsletter}` is not in the database yet"))
}

/// Folds rows of (person, subscription) into people.
fn people(rows: &[Row]) -> Result<Vec<Subscriber>> {
    let mut people: Vec<Subscriber> = Vec::new();
    for row in rows {
        let id = SubscriberId::new(row.text(0)?);
        if people.last().is_none_or(|person| person.id != id) {
            people.push(person(id, row)?);
        }
        if let (Some(person), Some(subscription)) = (people.last_mut(), subscription(row, 9)?) {
            person.subscriptions.push(subscription);
        }
    }
    Ok(people)
}

fn person(id: SubscriberId, row: &Row) -> Result<Subscriber> {
    Ok(Subscriber {
        id,
        email: row.text(1)?,
        email_key: row.text(2)?,
        name: row.opt_text(3)?,
        details: [row.opt_text(4)?, row.opt_text(5)?, row.opt_text(6)?],
        created_at: moment(row.int(7)?),
        suppression: row.opt_text(8)?.map(|_| row.word(8, SuppressionReason::parse)).transpose()?,
        subscriptions: Vec::new(),
    })
}

/// A subscription from eleven columns, the first of which is `from`; none if they are empty.
pub(super) fn subscription(row: &Row, from: usize) -> Result<Option<Subscription>> {
    let Some(id) = row.opt_text(from)? else { return Ok(None) };
    Ok(Some(Subscription {
        id: SubscriptionId::new(id),
        subscriber: SubscriberId::new(row.text(from + 1)?),
        newsletter: NewsletterId::new(row.text(from + 2)?),
        service: Service {
            rhythm: Rhythm::parse(&row.text(from + 4)?).unwrap_or(Rhythm::of(row.word(from + 3, Cadence::parse)?)),
            returns_to_instant: row.opt_text(from + 5)?.is_some(),
            topics: row.text(from + 6)?.lines().map(str::to_owned).collect(),
            paused_until: row.opt_int(from + 7)?.map(moment),
        },
        state: row.word(from + 8, SubscriptionState::parse)?,
        activated_at: row.opt_int(from + 9)?.map(moment),
        ended_at: row.opt_int(from + 10)?.map(moment),
    }))
}

//! Sign-ups under way: asked for on a page, finished by a link that was mailed.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::model::{Cadence, EmailAddress, NewsletterId, SubscriberId, SubscriptionId};

use super::choices::{Person, keep_zone, subscriptions_of, zone_of};
use super::database::{Result, StoreError, Transaction, transact};
use super::ledger::lock_newsletter;
use super::limits::{Asking, Counted, NoRoom};
use super::notices::{FollowUp, NewFlow, end_flows, enter_flow};
use super::open::Store;
use super::rhythms::{enter_rhythms, goes_over_later, keeps_time, plain_rhythm};
use super::subscribers::Subscription;
use super::values::{columns, values};

/// A newsletter and how often it is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Which.
    pub newsletter: NewsletterId,
    /// How often.
    pub cadence: Cadence,
    /// Tags, sorted; none: all.
    pub topics: Vec<String>,
}

/// What a reader asks for on the sign-up page, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who is to confirm.
    pub email: EmailAddress,
    /// What they say of themselves.
    pub person: Person,
    /// What, and how often.
    pub choices: Vec<Choice>,
    /// The language of the page on which they asked, as BCP 47 names it.
    pub language: String,
}

/// Everything that one sign-up writes. The token itself is not among it.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// What is asked for.
    pub request: Request,
    /// The flow of the notice.
    pub link: FollowUp,
    /// Whether it is asked by whoever asked before; anybody else has no other notice sent while one is pending.
    pub is_again: bool,
    /// What it counts against.
    pub asking: Asking,
    /// When it was asked for.
    pub now: DateTime<Utc>,
    /// How long the link holds.
    pub within: Duration,
}

/// What somebody asked for and a mailed link will do, or did.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Its id.
    pub id: String,
    /// What its link does, in the schema's words.
    pub purpose: String,
    /// Who is mailed.
    pub email: EmailAddress,
    /// SHA-256 of its token.
    pub token_hash: String,
    /// What it is about, as its purpose writes it.
    pub payload: String,
    /// The language of its notice, as BCP 47 names it.
    pub language: String,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// Until when its link holds.
    pub expires_at: DateTime<Utc>,
}

/// What a confirmation changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Confirmed {
    /// Who.
    pub subscriber: SubscriberId,
    /// Whether this person had never confirmed anything before.
    pub is_first: bool,
    /// Whose clock their hours are read from, if that is known.
    pub time_zone: Option<String>,
    /// What they now get.
    pub subscriptions: Vec<Subscription>,
}

/// A confirmation, as it is written.
#[derive(Debug, Clone)]
pub struct Confirming {
    /// SHA-256 of the link's token.
    pub token_hash: String,
    /// The zone that the browser names; it counts if none was known before.
    pub time_zone: Option<String>,
    /// Choices outside of these newsletters are left out.
    pub offered: Vec<NewsletterId>,
    /// What stood for the address if its owner was once erased: their own act lifts it.
    pub erased_as: Vec<String>,
    /// For whoever confirms for the first time.
    pub welcome: FollowUp,
    /// What a link counts against that was never made.
    pub tries: Counted,
}

/// What a mail of welcome is about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Welcome {
    /// Whose clock the hours are read from.
    pub time_zone: Option<String>,
    /// By newsletter: the subscription and its rhythm, as the database keeps it.
    pub subscriptions: BTreeMap<NewsletterId, (SubscriptionId, String)>,
}

/// Why a link or a code did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unopened {
    /// It is unknown, used, overtaken, too old, or of another browser.
    Dead,
    /// This client has tried too many links that nobody was ever mailed, or wrong codes.
    TooManyTries,
}

impl Flow {
    /// Who signs up, and what they chose.
    pub fn sign_up(self) -> Result<Request> {
        let SignUpPayload { person, choices } = self.read()?;
        Ok(Request { email: self.email, person, choices, language: self.language })
    }

    /// What it is about, as its purpose writes it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        read_payload(&self.payload)
    }
}

/// What a flow carries, as its purpose writes it.
pub fn read_payload<T: DeserializeOwned>(payload: &str) -> Result<T> {
    serde_json::from_str(payload).map_err(|error| StoreError::Form(format!("what belongs to a link: {error}")))
}

/// What stands in the row of a sign-up.
#[derive(Serialize, Deserialize)]
struct SignUpPayload {
    #[serde(flatten)]
    person: Person,
    choices: Vec<Choice>,
}

columns! { Flow: id, purpose, email, token_hash, payload, language, created_at, expires_at; }

const FLOW: &str =
    "SELECT id, purpose, email, token_hash, payload, language, created_at, expires_at FROM flows WHERE id = $1";
const LIVE_FLOW: &str = "SELECT id, purpose, email, token_hash, payload, language, created_at, expires_at FROM flows
    WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2";

impl Store {
    /// Writes a sign-up with its notice, in one transaction and with the same statements for any address. Says for whom
    /// there was no room, if so; then nothing is written.
    ///
    /// Earlier flows of the address end, and their notices with them. For an address over its limit or without a
    /// mailbox, flow and notice are written all the same, but end at once, and earlier ones go on.
    pub async fn sign_up(&self, mut sign_up: SignUp) -> Result<Option<NoRoom>> {
        transact!(self.write, |transaction| {
            if let Some(no_room) = sign_up.asking.admit(transaction, sign_up.now).await? {
                return Ok(Some(no_room));
            }
            let unsent = why_unsent(transaction, &mut sign_up).await?;
            enter_as_pending(transaction, &sign_up).await?;
            // The same statements either way, so that the time tells nothing; nobody has an empty key.
            let ended = if unsent.is_none() { sign_up.request.email.key() } else { "" };
            end_flows(transaction, "confirm", ended, sign_up.now).await?;
            let SignUp { request: Request { email, person, choices, language }, link, now, .. } = sign_up;
            let payload = serde_json::json!(SignUpPayload { person, choices }).to_string();
            sign_up.asking.count_mail(transaction, unsent.is_none(), sign_up.now).await?;
            let flow = NewFlow::new("confirm", link, (email, language), now, sign_up.within);
            enter_flow(transaction, NewFlow { payload, ..flow }, unsent).await?;
            Ok(None)
        })
    }

    /// A flow by its id, whatever became of it.
    pub async fn flow(&self, id: &str) -> Result<Option<Flow>> {
        self.row(FLOW, values![id]).await
    }

    /// A flow that a token with this hash would use now. Changes nothing.
    pub async fn live_flow(&self, token_hash: &str, now: DateTime<Utc>) -> Result<Option<Flow>> {
        self.row(LIVE_FLOW, values![token_hash, now]).await
    }

    /// Uses a flow and makes its subscriptions active, in one transaction: of many at once, exactly one gets an answer.
    ///
    /// What is new owes nothing older than now. The reader's own act lifts a suppression that was an editor's.
    /// Whoever confirms for the first time is written a mail of welcome.
    pub async fn confirm(&self, confirming: Confirming, now: DateTime<Utc>) -> Result<Result<Confirmed, Unopened>> {
        transact!(self.write, |transaction| {
            let Confirming { token_hash, time_zone, offered, erased_as, welcome, tries } = confirming;
            let sql = "UPDATE flows SET used_at = $2 WHERE token_hash = $1 AND purpose = 'confirm'
                AND used_at IS NULL AND expires_at > $2 RETURNING email, payload, language";
            let used = transaction.row(sql, values![&token_hash, now]).await?;
            let Some((email, payload, language)): Option<(EmailAddress, String, String)> = used else {
                return dead(transaction, &token_hash, &tries, now).await;
            };
            let SignUpPayload { person, mut choices } = read_payload(&payload)?;
            let time_zone = time_zone.or(person.time_zone);
            let person = Person { time_zone, language: Some(language.clone()), ..person };
            choices.retain(|choice| offered.contains(&choice.newsletter));
            choices.sort_by(|one, other| one.newsletter.cmp(&other.newsletter)); // locks have one order
            let subscriber = enter_subscriber(transaction, &email, &person, now).await?;
            let lift = "DELETE FROM suppressions WHERE email_key = $1 AND reason = 'request'";
            transaction.execute(lift, values![email.key()]).await?;
            for erased in erased_as {
                // Whoever confirms has a mailbox. A complaint holds for ever, and again under the address itself.
                let lift = "DELETE FROM suppressions WHERE email_key = $1 AND reason <> 'complaint'";
                transaction.execute(lift, values![&erased]).await?;
                let keep = "INSERT INTO suppressions (email_key, reason, at)
                    SELECT $1, reason, at FROM suppressions WHERE email_key = $2 ON CONFLICT (email_key) DO NOTHING";
                transaction.execute(keep, values![email.key(), &erased]).await?;
            }
            let earlier = "SELECT 1 FROM consents WHERE subscriber = $1 AND event = 'confirmed'";
            let is_first = !transaction.has_any(earlier, values![&subscriber]).await?;
            for choice in &choices {
                activate(transaction, &subscriber, choice, "link", now).await?;
            }
            let time_zone = keep_zone(transaction, &subscriber, now).await?;
            let mut subscriptions = subscriptions_of(transaction, &subscriber).await?;
            subscriptions.retain(|theirs| choices.iter().any(|choice| choice.newsletter == theirs.newsletter));
            let confirmed = Confirmed { subscriber, is_first, time_zone, subscriptions };
            if is_first {
                enter_welcome(transaction, welcome, email, language, &confirmed, now).await?;
            }
            Ok(Ok(confirmed))
        })
    }
}

/// Why the notice of a sign-up is not to be sent, if so. While a link of the last hour waits to be followed, nobody but
/// whoever asked for it has another one sent: the form is no mail bomb. Asks and writes the same for any address.
async fn why_unsent(transaction: &mut Transaction, sign_up: &mut SignUp) -> Result<Option<&'static str>> {
    let pending = "SELECT 1 FROM flows WHERE email_key = $1 AND purpose = 'confirm' AND used_at IS NULL
        AND expires_at > $2 AND created_at > $3 LIMIT 1";
    let values = values![sign_up.request.email.key(), sign_up.now, sign_up.now - Duration::hours(1)];
    let is_pending = transaction.has_any(pending, values).await?;
    let is_refused = is_pending && !sign_up.is_again;
    if is_refused {
        // Counts for nothing, or else whoever floods an address would keep it shut for its owner.
        sign_up.asking.address.scope = "over-limit";
    }
    let complained = "SELECT 1 FROM suppressions WHERE email_key = $1 AND reason = 'complaint'";
    let complained = transaction.has_any(complained, values![sign_up.request.email.key()]).await?;
    let unsent = sign_up.asking.why_unsent(transaction, &sign_up.request.email, sign_up.now).await?;
    let unsent = unsent.or(complained.then_some("suppressed"));
    Ok(if is_refused { unsent.or(Some("limit")) } else { unsent })
}

/// A link that was mailed once and is dead now harms nobody; what never was counts against whoever tried it, until they
/// have tried too many.
pub(super) async fn dead<Done>(
    transaction: &mut Transaction,
    token_hash: &str,
    tries: &Counted,
    now: DateTime<Utc>,
) -> Result<Result<Done, Unopened>> {
    let made = "SELECT 1 FROM flows WHERE token_hash = $1";
    let is_forged = !transaction.has_any(made, values![token_hash]).await?;
    let is_over = is_forged && !tries.try_one(transaction, now).await?;
    Ok(Err(if is_over { Unopened::TooManyTries } else { Unopened::Dead }))
}

async fn enter_welcome(
    transaction: &mut Transaction,
    welcome: FollowUp,
    email: EmailAddress,
    language: String,
    confirmed: &Confirmed,
    now: DateTime<Utc>,
) -> Result<()> {
    let subscription =
        |theirs: &Subscription| (theirs.newsletter.clone(), (theirs.id.clone(), theirs.service.rhythm.key()));
    let subscriptions = confirmed.subscriptions.iter().map(subscription).collect();
    let payload = Welcome { time_zone: confirmed.time_zone.clone(), subscriptions };
    let flow = NewFlow::new("welcome", welcome, (email, language), now, Duration::hours(24));
    let (subscriber, payload) = (Some(confirmed.subscriber.clone()), serde_json::json!(payload).to_string());
    enter_flow(transaction, NewFlow { subscriber, payload, ..flow }, None).await
}

/// Whoever is known stays as they are; the statements write a row either way, so that both take the same time.
async fn enter_as_pending(transaction: &mut Transaction, sign_up: &SignUp) -> Result<()> {
    let subscriber = enter_subscriber(transaction, &sign_up.request.email, &Person::default(), sign_up.now).await?;
    for choice in &sign_up.request.choices {
        let sql = "INSERT INTO subscriptions (id, subscriber, newsletter, cadence, state, covered_to, created_at)
            SELECT $1, $2, id, $4, 'pending', sequence, $5 FROM newsletters WHERE id = $3
            ON CONFLICT (subscriber, newsletter) DO UPDATE SET cadence =
                CASE subscriptions.state WHEN 'pending' THEN excluded.cadence ELSE subscriptions.cadence END";
        let row = values![clock::new_id(), &subscriber, &choice.newsletter, choice.cadence, sign_up.now];
        transaction.execute(sql, row).await?;
    }
    Ok(())
}

/// The name is the latest; zone and language are what the person chose before, if they did.
pub(super) async fn enter_subscriber(
    transaction: &mut Transaction,
    email: &EmailAddress,
    person: &Person,
    now: DateTime<Utc>,
) -> Result<SubscriberId> {
    let sql = "INSERT INTO subscribers (id, email, email_key, name, time_zone, language, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (email_key) DO UPDATE SET name = COALESCE(excluded.name, subscribers.name),
            time_zone = COALESCE(subscribers.time_zone, excluded.time_zone),
            language = COALESCE(subscribers.language, excluded.language) RETURNING id";
    let Person { name, time_zone, language } = person.clone();
    let row = values![clock::new_id(), email, email.key(), name, time_zone, language, now];
    let id = transaction.row(sql, row).await?;
    id.ok_or_else(|| StoreError::Form("a subscriber was written without an answer".to_owned()))
}

/// An active subscription keeps what it has been served to, whatever its cadence becomes.
pub(super) async fn activate(
    transaction: &mut Transaction,
    subscriber: &SubscriberId,
    choice: &Choice,
    source: &'static str,
    now: DateTime<Utc>,
) -> Result<()> {
    let sql = concat!(
        "INSERT INTO subscriptions
            (id, subscriber, newsletter, cadence, rhythm, topics, state, covered_to, created_at, activated_at)
        SELECT $1, $2, id, $4, $6, $7, 'active', sequence, $5, $5 FROM newsletters WHERE id = $3
        ON CONFLICT (subscriber, newsletter) DO UPDATE SET ",
        keeps_time!(),
        ", topics = excluded.topics, state = 'active', paused_until = NULL,
            covered_to = CASE subscriptions.state
                WHEN 'active' THEN subscriptions.covered_to ELSE excluded.covered_to END,
            activated_at = CASE subscriptions.state
                WHEN 'active' THEN subscriptions.activated_at ELSE excluded.activated_at END,
            ended_at = NULL"
    );
    let Choice { newsletter, cadence, topics } = choice;
    lock_newsletter(transaction, newsletter).await?;
    let zone = zone_of(transaction, subscriber).await?;
    let rhythm = plain_rhythm(*cadence, zone.as_deref());
    enter_rhythms(transaction, [(newsletter, &rhythm)], now).await?;
    let row = values![clock::new_id(), subscriber, newsletter, *cadence, now, rhythm.key(), topics];
    if transaction.execute(sql, row).await? == 0 {
        return Err(StoreError::Form(format!("the newsletter `{newsletter}` is not in the database")));
    }
    record_consent(transaction, (subscriber, newsletter), "confirmed", source, now).await
}

/// Appends what a person agreed to, or no longer.
pub(super) async fn record_consent(
    transaction: &mut Transaction,
    (subscriber, newsletter): (&SubscriberId, &NewsletterId),
    event: &str,
    source: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let sql = "INSERT INTO consents (id, subscriber, newsletter, event, source, at) VALUES ($1, $2, $3, $4, $5, $6)";
    transaction.execute(sql, values![clock::new_id(), subscriber, newsletter, event, source, now]).await.map(drop)
}

//! Sign-ups under way: asked for on a page, finished by a link that was mailed.

use chrono::{DateTime, Utc};

use crate::clock;
use crate::model::{Cadence, EmailAddress, NewsletterId, SubscriberId};

use super::database::{Row, StoreError, Transaction, values};
use super::ledger::lock_newsletter;
use super::limits::{Asking, Counted, NoRoom};
use super::notices::{NewFlow, end_flows, enter_flow};
use super::open::Store;
use super::rhythms::{enter_rhythms, goes_over_later, keeps_time, plain_rhythm};
use super::{millis, moment};

/// A newsletter and how often it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Which.
    pub newsletter: NewsletterId,
    /// How often.
    pub cadence: Cadence,
}

/// Everything that one sign-up writes. The token itself is not among it.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// 256 bits that nobody can guess; the token is derived from them and the server key.
    pub flow: String,
    /// SHA-256 of the token.
    pub token_hash: String,
    /// Who is to confirm.
    pub email: EmailAddress,
    /// How they want to be called.
    pub name: Option<String>,
    /// What they chose.
    pub choices: Vec<Choice>,
    /// The language of the page on which they did, as BCP 47 names it.
    pub language: String,
    /// What it counts against.
    pub asking: Asking,
    /// When it was asked for.
    pub now: DateTime<Utc>,
    /// Until when the link holds.
    pub expires_at: DateTime<Utc>,
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
    /// When it was used, or overtaken by a newer one.
    pub used_at: Option<DateTime<Utc>>,
}

/// What a confirmation changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// Who.
    pub subscriber: SubscriberId,
    /// Whether this person had never confirmed anything before.
    pub is_first: bool,
    /// What they now get.
    pub choices: Vec<Choice>,
}

/// Why a confirmation changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unconfirmed {
    /// The link is unknown, used, overtaken or too old.
    Dead,
    /// This client has tried too many links that nobody was ever mailed.
    TooManyTries,
}

impl Flow {
    /// What a sign-up chose.
    pub fn choices(&self) -> Result<Vec<Choice>, StoreError> {
        Ok(read_payload(&self.payload)?.1)
    }
}

const FLOW: &str = "SELECT id, purpose, email, token_hash, payload, language, created_at, expires_at, used_at FROM flows WHERE id = $1";
const LIVE_FLOW: &str =
    "SELECT id, purpose, email, token_hash, payload, language, created_at, expires_at, used_at FROM flows
    WHERE token_hash = $1 AND purpose = 'confirm' AND used_at IS NULL AND expires_at > $2";

impl Store {
    /// Writes a sign-up with its notice, in one transaction and with the same statements for any address. Says for whom
    /// there was no room, if so; then nothing is written.
    ///
    /// Earlier flows of the address end, and their notices with them. For an address over its limit or without a
    /// mailbox, flow and notice are written all the same, but end at once, and earlier ones go on.
    pub async fn sign_up(&self, sign_up: SignUp) -> Result<Option<NoRoom>, StoreError> {
        self.write(move |transaction| {
            Box::pin(async move {
                if let Some(no_room) = sign_up.asking.admit(transaction, sign_up.now).await? {
                    return Ok(Some(no_room));
                }
                let unsent = sign_up.asking.why_unsent(transaction, &sign_up.email, sign_up.now).await?;
                enter_as_pending(transaction, &sign_up).await?;
                // The same statements either way, so that the time tells nothing; nobody has an empty key.
                let ended = if unsent.is_none() { sign_up.email.key() } else { "" };
                end_flows(transaction, "confirm", ended, sign_up.now).await?;
                let payload = write_payload(sign_up.name.as_deref(), &sign_up.choices);
                let SignUp { flow: id, email, token_hash, language, now, expires_at, .. } = sign_up;
                let flow = NewFlow {
                    id,
                    purpose: "confirm",
                    subscriber: None,
                    email,
                    token_hash,
                    payload,
                    language,
                    sign_in: None,
                    now,
                    expires_at,
                };
                enter_flow(transaction, flow, unsent).await?;
                Ok(None)
            })
        })
        .await
    }

    /// A flow by its id, whatever became of it.
    pub async fn flow(&self, id: &str) -> Result<Option<Flow>, StoreError> {
        self.row(FLOW, values![id]).await?.as_ref().map(flow).transpose()
    }

    /// A flow that a token with this hash would confirm now. Changes nothing.
    pub async fn live_flow(&self, token_hash: &str, now: DateTime<Utc>) -> Result<Option<Flow>, StoreError> {
        self.row(LIVE_FLOW, values![token_hash, millis(now)]).await?.as_ref().map(flow).transpose()
    }

    /// Uses a flow and makes its subscriptions active, in one transaction: of many at once, exactly one gets an answer.
    ///
    /// What is new owes nothing older than now. The reader's own act lifts a suppression that was not a bounce.
    /// Choices outside of `offered` are left out. A link that was never made counts against `tries`.
    pub async fn confirm(
        &self,
        token_hash: String,
        offered: Vec<NewsletterId>,
        tries: Counted,
        now: DateTime<Utc>,
    ) -> Result<Result<Confirmed, Unconfirmed>, StoreError> {
        self.write(move |transaction| {
            Box::pin(async move {
                if !tries.has_room(transaction, now).await? {
                    return Ok(Err(Unconfirmed::TooManyTries));
                }
                let sql = "UPDATE flows SET used_at = $2 WHERE token_hash = $1 AND purpose = 'confirm'
                    AND used_at IS NULL AND expires_at > $2 RETURNING email, payload";
                let Some(row) = transaction.row(sql, values![&token_hash, millis(now)]).await? else {
                    let made = "SELECT 1 FROM flows WHERE token_hash = $1";
                    if transaction.row(made, values![&token_hash]).await?.is_none() {
                        tries.count(transaction, now).await?;
                    }
                    return Ok(Err(Unconfirmed::Dead));
                };
                let (email, (name, mut choices)) = (address(&row.text(0)?)?, read_payload(&row.text(1)?)?);
                choices.retain(|choice| offered.contains(&choice.newsletter));
                choices.sort_by(|one, other| one.newsletter.cmp(&other.newsletter)); // locks have one order
                let subscriber = enter_subscriber(transaction, &email, name.as_deref(), now).await?;
                let lift = "DELETE FROM suppressions WHERE email_key = $1 AND reason <> 'hard-bounce'";
                transaction.execute(lift, values![email.key()]).await?;
                let earlier = "SELECT 1 FROM consents WHERE subscriber = $1 AND event = 'confirmed'";
                let is_first = transaction.row(earlier, values![subscriber.as_str()]).await?.is_none();
                for choice in &choices {
                    activate(transaction, &subscriber, choice, now).await?;
                }
                Ok(Ok(Confirmed { subscriber, is_first, choices }))
            })
        })
        .await
    }
}

/// Whoever is known stays as they are; the statements write a row either way, so that both take the same time.
async fn enter_as_pending(transaction: &mut Transaction, sign_up: &SignUp) -> Result<(), StoreError> {
    let subscriber = enter_subscriber(transaction, &sign_up.email, None, sign_up.now).await?;
    for choice in &sign_up.choices {
        let sql = "INSERT INTO subscriptions (id, subscriber, newsletter, cadence, state, covered_to, created_at)
            SELECT $1, $2, id, $4, 'pending', sequence, $5 FROM newsletters WHERE id = $3
            ON CONFLICT (subscriber, newsletter) DO UPDATE SET cadence =
                CASE subscriptions.state WHEN 'pending' THEN excluded.cadence ELSE subscriptions.cadence END";
        let (newsletter, cadence) = (choice.newsletter.as_str(), choice.cadence.as_str());
        let row = values![clock::new_id(), subscriber.as_str(), newsletter, cadence, millis(sign_up.now)];
        transaction.execute(sql, row).await?;
    }
    Ok(())
}

async fn enter_subscriber(
    transaction: &mut Transaction,
    email: &EmailAddress,
    name: Option<&str>,
    now: DateTime<Utc>,
) -> Result<SubscriberId, StoreError> {
    let sql = "INSERT INTO subscribers (id, email, email_key, name, created_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (email_key) DO UPDATE SET name = COALESCE(excluded.name, subscribers.name) RETURNING id";
    let row = values![clock::new_id(), email.as_str(), email.key(), name, millis(now)];
    let row = transaction.row(sql, row).await?;
    let row = row.ok_or_else(|| StoreError::Form("a subscriber was written without an answer".to_owned()))?;
    Ok(SubscriberId::new(row.text(0)?))
}

/// An active subscription keeps what it has been served to, whatever its cadence becomes.
async fn activate(
    transaction: &mut Transaction,
    subscriber: &SubscriberId,
    choice: &Choice,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = concat!(
        "INSERT INTO subscriptions
            (id, subscriber, newsletter, cadence, rhythm, state, covered_to, created_at, activated_at)
        SELECT $1, $2, id, $4, $6, 'active', sequence, $5, $5 FROM newsletters WHERE id = $3
        ON CONFLICT (subscriber, newsletter) DO UPDATE SET ",
        keeps_time!(),
        ", state = 'active', paused_until = NULL,
            covered_to = CASE subscriptions.state
                WHEN 'active' THEN subscriptions.covered_to ELSE excluded.covered_to END,
            activated_at = CASE subscriptions.state
                WHEN 'active' THEN subscriptions.activated_at ELSE excluded.activated_at END,
            ended_at = NULL"
    );
    let (newsletter, cadence) = (choice.newsletter.as_str(), choice.cadence.as_str());
    lock_newsletter(transaction, newsletter).await?;
    let zone = transaction.row("SELECT time_zone FROM subscribers WHERE id = $1", values![subscriber.as_str()]).await?;
    let zone = zone.map_or(Ok(None), |row| row.opt_text(0))?;
    let rhythm = plain_rhythm(choice.cadence, zone.as_deref());
    enter_rhythms(transaction, [(newsletter, &rhythm)], now).await?;
    let row = values![clock::new_id(), subscriber.as_str(), newsletter, cadence, millis(now), rhythm.key()];
    if transaction.execute(sql, row).await? == 0 {
        return Err(StoreError::Form(format!("the newsletter `{newsletter}` is not in the database")));
    }
    record_consent(transaction, subscriber.as_str(), newsletter, "confirmed", "link", now).await
}

/// Appends what a person agreed to, or no longer.
pub(super) async fn record_consent(
    transaction: &mut Transaction,
    subscriber: &str,
    newsletter: &str,
    event: &str,
    source: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO consents (id, subscriber, newsletter, event, source, at) VALUES ($1, $2, $3, $4, $5, $6)";
    transaction.execute(sql, values![clock::new_id(), subscriber, newsletter, event, source, millis(now)]).await?;
    Ok(())
}

/// `{"name": …, "choices": [["main", "daily"], …]}`.
fn write_payload(name: Option<&str>, choices: &[Choice]) -> String {
    let choices: Vec<_> = choices.iter().map(|choice| (choice.newsletter.as_str(), choice.cadence.as_str())).collect();
    serde_json::json!({ "name": name, "choices": choices }).to_string()
}

fn read_payload(payload: &str) -> Result<(Option<String>, Vec<Choice>), StoreError> {
    #[derive(serde::Deserialize)]
    struct Payload {
        name: Option<String>,
        choices: Vec<(String, String)>,
    }
    let wrong = |why: &dyn std::fmt::Display| StoreError::Form(format!("a sign-up's choices: {why}"));
    let payload: Payload = serde_json::from_str(payload).map_err(|error| wrong(&error))?;
    let choice = |(newsletter, cadence): (String, String)| {
        let cadence = Cadence::parse(&cadence).ok_or_else(|| wrong(&"an unknown cadence"))?;
        Ok(Choice { newsletter: NewsletterId::new(newsletter), cadence })
    };
    Ok((payload.name, payload.choices.into_iter().map(choice).collect::<Result<_, StoreError>>()?))
}

fn flow(row: &Row) -> Result<Flow, StoreError> {
    Ok(Flow {
        id: row.text(0)?,
        purpose: row.text(1)?,
        email: address(&row.text(2)?)?,
        token_hash: row.text(3)?,
        payload: row.text(4)?,
        language: row.text(5)?,
        created_at: moment(row.int(6)?),
        expires_at: moment(row.int(7)?),
        used_at: row.opt_int(8)?.map(moment),
    })
}

pub(super) fn address(text: &str) -> Result<EmailAddress, StoreError> {
    EmailAddress::parse(text).map_err(|error| StoreError::Form(format!("an address of a flow: {error}")))
}

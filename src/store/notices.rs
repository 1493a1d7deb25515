//! A flow and the notice that carries its link: written together, ended together.

use chrono::{DateTime, Duration, Utc};

use crate::clock;
use crate::model::{DeliveryState, EmailAddress, SubscriberId};

use super::database::{Result, Transaction};
use super::values::values;

/// The flow of a mail that is written when something is asked for, or done.
#[derive(Debug, Clone)]
pub struct FollowUp {
    /// 256 bits that nobody can guess; the token is derived from them and the server key.
    pub flow: String,
    /// SHA-256 of the token. The token itself is not written.
    pub token_hash: String,
}

/// A flow that waits for its link, as it is written.
#[derive(Debug, Clone)]
pub(super) struct NewFlow {
    /// What its link does, in the schema's words.
    pub purpose: &'static str,
    /// Its id, and what its token is known by.
    pub link: FollowUp,
    /// Whose it is, where that is known.
    pub subscriber: Option<SubscriberId>,
    /// Who is mailed.
    pub email: EmailAddress,
    /// What the flow is about, as its purpose writes it.
    pub payload: String,
    /// The language of its notice, as BCP 47 names it.
    pub language: String,
    /// For signing in: the hashes of the code, and of what the browser that asked has in a cookie.
    pub sign_in: Option<(String, String)>,
    /// When it was asked for.
    pub now: DateTime<Utc>,
    /// Until when the link holds.
    pub expires_at: DateTime<Utc>,
}

impl NewFlow {
    /// One that holds for `within`, says nothing else and is nobody's.
    pub fn new(
        purpose: &'static str,
        link: FollowUp,
        (email, language): (EmailAddress, String),
        now: DateTime<Utc>,
        within: Duration,
    ) -> NewFlow {
        let (payload, expires_at) = (String::new(), now + within);
        NewFlow { purpose, link, subscriber: None, email, payload, language, sign_in: None, now, expires_at }
    }
}

/// Ends what earlier requests of the same purpose left, and their notices: a link that is dead is not mailed. Also what
/// seems to be over by the clock, which may be set back.
pub(super) async fn end_flows(
    transaction: &mut Transaction,
    purpose: &'static str,
    email_key: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let notices = "UPDATE deliveries SET state = 'suppressed', reason = 'replaced', due_at = NULL, finished_at = $3
        WHERE state IN ('queued', 'deferred') AND flow IN (
            SELECT id FROM flows WHERE email_key = $2 AND purpose = $1 AND used_at IS NULL)";
    transaction.execute(notices, values![purpose, email_key, now]).await?;
    let flows = "UPDATE flows SET used_at = $3, code_hash = NULL
        WHERE email_key = $2 AND purpose = $1 AND (used_at IS NULL OR code_hash IS NOT NULL)";
    transaction.execute(flows, values![purpose, email_key, now]).await.map(drop)
}

/// Writes a flow and its notice. One that is not to be sent is written all the same, but ends at once.
pub(super) async fn enter_flow(
    transaction: &mut Transaction,
    flow: NewFlow,
    unsent: Option<&'static str>,
) -> Result<()> {
    let NewFlow { purpose, link, subscriber, email, payload, language, sign_in, now, expires_at } = flow;
    let expires_at = if unsent.is_none() { expires_at } else { now };
    let (code_hash, browser_hash) = sign_in.unzip();
    let sql = "INSERT INTO flows (id, purpose, subscriber, email, email_key, token_hash, payload, language,
            code_hash, browser_hash, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let row = values![
        &link.flow,
        purpose,
        subscriber.as_ref(),
        &email,
        email.key(),
        link.token_hash,
        payload,
        language,
        code_hash,
        browser_hash,
        now,
        expires_at
    ];
    transaction.execute(sql, row).await?;
    let sql = "INSERT INTO deliveries
            (id, lane, flow, email, email_key, state, reason, due_at, first_due_at, finished_at)
        VALUES ($1, 'notice', $2, $3, $4, $5, $6, $7, $8, $9)";
    let state = if unsent.is_none() { DeliveryState::Queued } else { DeliveryState::Suppressed };
    let (due_at, finished_at) = if unsent.is_none() { (Some(now), None) } else { (None, Some(now)) };
    let row = values![clock::new_id(), link.flow, &email, email.key(), state, unsent, due_at, now, finished_at];
    transaction.execute(sql, row).await.map(drop)
}

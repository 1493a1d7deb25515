//! A flow and the notice that carries its link: written together, ended together.

use chrono::{DateTime, Utc};

use crate::clock;
use crate::model::EmailAddress;

use super::database::{Result, Transaction, values};
use super::millis;

/// A flow that waits for its link, as it is written. The token itself is not among it.
#[derive(Debug, Clone)]
pub(super) struct NewFlow {
    /// 256 bits that nobody can guess; the token is derived from them and the server key.
    pub id: String,
    /// What its link does, in the schema's words.
    pub purpose: &'static str,
    /// Whose it is, where that is known.
    pub subscriber: Option<String>,
    /// Who is mailed.
    pub email: EmailAddress,
    /// SHA-256 of the token.
    pub token_hash: String,
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
    transaction.execute(notices, values![purpose, email_key, millis(now)]).await?;
    let flows = "UPDATE flows SET used_at = $3, code_hash = NULL
        WHERE email_key = $2 AND purpose = $1 AND (used_at IS NULL OR code_hash IS NOT NULL)";
    transaction.execute(flows, values![purpose, email_key, millis(now)]).await?;
    Ok(())
}

/// Writes a flow and its notice. One that is not to be sent is written all the same, but ends at once.
pub(super) async fn enter_flow(
    transaction: &mut Transaction,
    flow: NewFlow,
    unsent: Option<&'static str>,
) -> Result<()> {
    let now = millis(flow.now);
    let expires_at = if unsent.is_none() { millis(flow.expires_at) } else { now };
    let (code_hash, browser_hash) = flow.sign_in.unzip();
    let sql = "INSERT INTO flows (id, purpose, subscriber, email, email_key, token_hash, payload, language,
            code_hash, browser_hash, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let (email, key) = (flow.email.as_str(), flow.email.key());
    let row = values![
        &flow.id, flow.purpose, flow.subscriber, email, key, flow.token_hash, flow.payload, flow.language, code_hash,
        browser_hash, now, expires_at
    ];
    transaction.execute(sql, row).await?;
    let sql = "INSERT INTO deliveries
            (id, lane, flow, email, email_key, state, reason, due_at, first_due_at, finished_at)
        VALUES ($1, 'notice', $2, $3, $4, $5, $6, $7, $8, $9)";
    let state = if unsent.is_none() { "queued" } else { "suppressed" };
    let (due_at, finished_at) = if unsent.is_none() { (Some(now), None) } else { (None, Some(now)) };
    let row = values![clock::new_id(), &flow.id, email, key, state, unsent, due_at, now, finished_at];
    transaction.execute(sql, row).await?;
    Ok(())
}

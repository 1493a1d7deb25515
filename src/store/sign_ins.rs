//! Signing in under way: asked for on a page, finished by a link or a code that was mailed.
//!
//! Link and code are two keys to one flow. It ends when the browser that asked uses either, when a newer request is
//! mailed, after five wrong codes, and when its time is over. Used in any other browser, the link is spent, and the
//! code goes on for the browser that asked: a program that presses every button shuts nobody out.

use chrono::{DateTime, Utc};

use crate::clock;
use crate::model::EmailAddress;

use super::audit::record_event;
use super::database::{Result, Row, StoreError, Transaction, transact, values};
use super::flows::address;
use super::limits::{Asking, Counted, NoRoom};
use super::millis;
use super::notices::{NewFlow, end_flows, enter_flow};
use super::open::Store;
use super::sessions::{NewSession, SLACK};

/// Everything that one request to sign in writes. Token, code and the browser's cookie are not among it.
#[derive(Debug, Clone)]
pub struct SignInRequest {
    /// 256 bits that nobody can guess.
    pub flow: String,
    /// SHA-256 of the token.
    pub token_hash: String,
    /// What the server key makes of flow and code.
    pub code_hash: String,
    /// SHA-256 of what the browser that asked keeps in a cookie.
    pub browser_hash: String,
    /// Who wants to sign in.
    pub email: EmailAddress,
    /// What belongs to it, as `auth` writes it.
    pub payload: String,
    /// The language of its notice, as BCP 47 names it.
    pub language: String,
    /// What it counts against.
    pub asking: Asking,
    /// When it was asked for.
    pub now: DateTime<Utc>,
    /// Until when link and code hold.
    pub expires_at: DateTime<Utc>,
}

/// What a reader brings to sign in.
#[derive(Debug, Clone)]
pub enum Proof {
    /// The mailed link.
    Link {
        /// SHA-256 of its token.
        token_hash: String,
        /// SHA-256 of the cookie that the browser brings; of nothing, if it brings none.
        browser_hash: String,
        /// Whether the reader said that a browser which did not ask is meant all the same.
        is_meant_here: bool,
    },
    /// The typed code, which was right: the flow's id.
    Code {
        /// The flow.
        flow: String,
    },
}

/// Why nobody was signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSignedIn {
    /// Unknown, used, overtaken, too old, or of another browser.
    Dead,
    /// This client has tried too many forged links and wrong codes.
    TooManyTries,
}

macro_rules! is_live {
    () => {
        "purpose = 'sign-in' AND expires_at > $2 AND created_at <= $3"
    };
}

impl Store {
    /// Writes a request to sign in with its notice, in one transaction and with the same statements for any address.
    /// Says for whom there was no room, if so; then nothing is written.
    ///
    /// For an address that is unknown, over its limit or without a mailbox, flow and notice are written all the same,
    /// but end at once.
    pub async fn ask_to_sign_in(&self, request: SignInRequest) -> Result<Option<NoRoom>> {
        transact!(self.write, |transaction| {
            let SignInRequest {
                flow,
                token_hash,
                code_hash,
                browser_hash,
                email,
                payload,
                language,
                asking,
                now,
                expires_at,
            } = request;
            if let Some(no_room) = asking.admit(transaction, now).await? {
                return Ok(Some(no_room));
            }
            let known = "SELECT id FROM subscribers WHERE email_key = $1";
            let known = transaction.row(known, values![email.key()]).await?;
            let subscriber = known.map(|row| row.text(0)).transpose()?;
            let unsent = asking.why_unsent(transaction, &email, now).await?;
            let unsent = unsent.or(if subscriber.is_none() { Some("unknown-address") } else { None });
            // The same statements either way, so that the time tells nothing; nobody has an empty key.
            let ended = if unsent.is_none() { email.key() } else { "" };
            end_flows(transaction, "sign-in", ended, now).await?;
            let (event, detail) = match unsent {
                None => ("sign-in-asked", ""),
                Some(why) => ("sign-in-not-mailed", why),
            };
            let masked = email.masked();
            record_event(transaction, event, (subscriber.as_deref(), &masked), detail, now).await?;
            let sign_in = Some((code_hash, browser_hash));
            let flow = NewFlow {
                id: flow,
                purpose: "sign-in",
                subscriber,
                email,
                token_hash,
                payload,
                language,
                sign_in,
                now,
                expires_at,
            };
            asking.count_mail(transaction, unsent.is_none(), now).await?;
            enter_flow(transaction, flow, unsent).await?;
            Ok(None)
        })
    }

    /// For a link that holds: who would sign in, and whether this browser asked for it. Changes nothing.
    pub async fn live_sign_in(
        &self,
        token_hash: &str,
        browser_hash: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<(EmailAddress, bool)>> {
        let sql =
            concat!("SELECT email, browser_hash FROM flows WHERE token_hash = $1 AND used_at IS NULL AND ", is_live!());
        let row = self.row(sql, values![token_hash, millis(now), millis(now + SLACK)]).await?;
        row.map(|row| Ok((address(&row.text(0)?)?, row.opt_text(1)?.as_deref() == Some(browser_hash)))).transpose()
    }

    /// For whom and with what a browser last asked, since some moment; whatever became of it.
    pub async fn last_asked(&self, browser_hash: &str, since: DateTime<Utc>) -> Result<Option<(EmailAddress, String)>> {
        let sql = "SELECT email, payload FROM flows WHERE browser_hash = $1 AND created_at > $2
            ORDER BY created_at DESC, id LIMIT 1";
        let row = self.row(sql, values![browser_hash, millis(since)]).await?;
        row.map(|row| Ok((address(&row.text(0)?)?, row.text(1)?))).transpose()
    }

    /// Counts one more code for the flow that this browser asked for last, then gives the flow's id and what its code
    /// is compared with; before anything is compared, so that many at once are not looked at more often.
    pub async fn try_code(
        &self,
        browser_hash: String,
        tries: Counted,
        now: DateTime<Utc>,
    ) -> Result<Result<(String, String), NotSignedIn>> {
        transact!(self.write, |transaction| {
            if !tries.has_room(transaction, now).await? {
                return Ok(Err(NotSignedIn::TooManyTries));
            }
            // OWASP ASVS 5.0, 6.6.3. The link goes on: whoever asks for another cannot shut them out.
            let sql = concat!(
                "UPDATE flows SET tries = tries + 1 WHERE tries < 5 AND id = (SELECT id FROM flows
                    WHERE browser_hash = $1 AND code_hash IS NOT NULL AND ",
                is_live!(),
                " ORDER BY created_at DESC, id LIMIT 1) RETURNING id, code_hash"
            );
            let row = transaction.row(sql, values![browser_hash, millis(now), millis(now + SLACK)]).await?;
            let found = row.map(|row| Ok::<_, StoreError>((row.text(0)?, row.opt_text(1)?))).transpose()?;
            Ok(match found {
                Some((flow, Some(code_hash))) => Ok((flow, code_hash)),
                _ => Err(NotSignedIn::Dead),
            })
        })
    }

    /// Counts a wrong code against whoever tried it, and remembers it.
    pub async fn wrong_code(&self, flow: Option<String>, tries: Counted, now: DateTime<Utc>) -> Result<()> {
        transact!(self.write, |transaction| {
            tries.count(transaction, now).await?;
            let sql = "SELECT subscriber, email FROM flows WHERE id = $1";
            let row = transaction.row(sql, values![flow.unwrap_or_default()]).await?;
            let (subscriber, masked) = row.as_ref().map(whose).transpose()?.unwrap_or_default();
            let who = (subscriber.as_deref(), masked.as_str());
            record_event(transaction, "sign-in-failed", who, "wrong code", now).await
        })
    }

    /// Uses a flow and begins a session, in one transaction: of many at once, exactly one gets it, and with it the
    /// flow's payload. The session that the browser had before ends. A link that was never made counts against `tries`.
    pub async fn sign_in(
        &self,
        proof: Proof,
        session: NewSession,
        tries: Counted,
        now: DateTime<Utc>,
    ) -> Result<Result<String, NotSignedIn>> {
        transact!(self.write, |transaction| {
            let used = match &proof {
                Proof::Code { flow } => use_code(transaction, flow, now).await?,
                Proof::Link { token_hash, browser_hash, is_meant_here } => {
                    let used = use_link(transaction, token_hash, browser_hash, *is_meant_here, now).await?;
                    if used.is_none() && !dead_link(transaction, token_hash, &tries, now).await? {
                        return Ok(Err(NotSignedIn::TooManyTries));
                    }
                    used
                }
            };
            let Some(row) = used else { return Ok(Err(NotSignedIn::Dead)) };
            let (Some(subscriber), masked) = whose(&row)? else { return Ok(Err(NotSignedIn::Dead)) };
            let means = if matches!(proof, Proof::Code { .. }) { "code" } else { "link" };
            begin_session(transaction, &subscriber, &session, now).await?;
            let detail = format!("{means}, {}", session.browser);
            record_event(transaction, "signed-in", (Some(&subscriber), &masked), &detail, now).await?;
            Ok(Ok(row.text(2)?))
        })
    }
}

/// The browser that asked ends the flow; another one, if that is meant, spends the link alone.
async fn use_link(
    transaction: &mut Transaction,
    token_hash: &str,
    browser_hash: &str,
    is_meant_here: bool,
    now: DateTime<Utc>,
) -> Result<Option<Row>> {
    let sql = concat!(
        "UPDATE flows SET used_at = $2, code_hash = CASE WHEN browser_hash = $4 THEN NULL ELSE code_hash END
        WHERE token_hash = $1 AND used_at IS NULL AND (browser_hash = $4 OR $5 = 1)
        AND EXISTS (SELECT 1 FROM subscribers p WHERE p.id = flows.subscriber AND p.email_key = flows.email_key) AND ",
        is_live!(),
        " RETURNING subscriber, email, payload"
    );
    let times = values![token_hash, millis(now), millis(now + SLACK), browser_hash, i64::from(is_meant_here)];
    transaction.row(sql, times).await
}

async fn use_code(transaction: &mut Transaction, flow: &str, now: DateTime<Utc>) -> Result<Option<Row>> {
    let sql = "UPDATE flows SET used_at = $2, code_hash = NULL
        WHERE id = $1 AND code_hash IS NOT NULL AND expires_at > $2
        AND EXISTS (SELECT 1 FROM subscribers p WHERE p.id = flows.subscriber AND p.email_key = flows.email_key)
        RETURNING subscriber, email, payload";
    transaction.row(sql, values![flow, millis(now)]).await
}

/// What was mailed once and is dead now harms nobody; what never was counts against whoever tried it. Says whether
/// they may go on.
async fn dead_link(
    transaction: &mut Transaction,
    token_hash: &str,
    tries: &Counted,
    now: DateTime<Utc>,
) -> Result<bool> {
    let made = "SELECT subscriber, email FROM flows WHERE token_hash = $1 AND purpose = 'sign-in'";
    let made = transaction.row(made, values![token_hash]).await?;
    if made.is_none() && !tries.try_one(transaction, now).await? {
        return Ok(false);
    }
    let (subscriber, masked) = made.as_ref().map(whose).transpose()?.unwrap_or_default();
    record_event(transaction, "sign-in-failed", (subscriber.as_deref(), &masked), "dead link", now).await?;
    Ok(true)
}

async fn begin_session(
    transaction: &mut Transaction,
    subscriber: &str,
    session: &NewSession,
    now: DateTime<Utc>,
) -> Result<()> {
    transaction.execute("DELETE FROM sessions WHERE id_hash = $1", values![&session.replaces]).await?;
    let sql = "INSERT INTO sessions (id_hash, id, subscriber, browser, signed_in_at, seen_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $5, $6)";
    let NewSession { id_hash, browser, expires_at, .. } = session;
    let id = clock::new_id();
    transaction.execute(sql, values![id_hash, id, subscriber, browser, millis(now), millis(*expires_at)]).await?;
    Ok(())
}

/// The subscriber of a flow and the masked address, from the first two columns.
fn whose(row: &Row) -> Result<(Option<String>, String)> {
    Ok((row.opt_text(0)?, address(&row.text(1)?)?.masked()))
}

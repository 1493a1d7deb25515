//! Signing in under way: asked for on a page, finished by a link or a code that was mailed.
//!
//! Link and code are two keys to one flow. It ends when the browser that asked uses either, when a newer request is
//! mailed, after five wrong codes, and when its time is over. Used in any other browser, the link is spent, and the
//! code goes on for the browser that asked: a program that presses every button shuts nobody out.

use chrono::{DateTime, Duration, Utc};

use crate::clock;
use crate::model::{EmailAddress, SubscriberId};

use super::audit::record_event;
use super::database::{Result, Transaction, transact};
use super::flows::Unopened;
use super::limits::{Asking, Counted, NoRoom};
use super::notices::{FollowUp, NewFlow, end_flows, enter_flow};
use super::open::Store;
use super::sessions::{NewSession, SLACK};
use super::values::values;

/// A link and a code to sign in with. Token, code and the browser's cookie are not among it.
#[derive(Debug, Clone)]
pub struct NewSignIn {
    /// The flow of the notice.
    pub link: FollowUp,
    /// What the server key makes of flow and code.
    pub code_hash: String,
    /// SHA-256 of what the browser that asked keeps in a cookie.
    pub browser_hash: String,
    /// What belongs to it, as `auth` writes it.
    pub payload: String,
    /// How long link and code hold.
    pub within: Duration,
}

impl NewSignIn {
    /// Ends what was asked for before and writes flow and notice; what is not to be sent ends at once, and ends
    /// nothing.
    pub(super) async fn enter(
        self,
        transaction: &mut Transaction,
        subscriber: Option<SubscriberId>,
        (email, language): (EmailAddress, String),
        unsent: Option<&'static str>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let NewSignIn { link, code_hash, browser_hash, payload, within } = self;
        // The same statements either way, so that the time tells nothing; nobody has an empty key.
        let ended = if unsent.is_none() { email.key() } else { "" };
        end_flows(transaction, "sign-in", ended, now).await?;
        let flow = NewFlow::new("sign-in", link, (email, language), now, within);
        let sign_in = Some((code_hash, browser_hash));
        enter_flow(transaction, NewFlow { subscriber, payload, sign_in, ..flow }, unsent).await
    }
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

macro_rules! is_live {
    () => {
        "purpose = 'sign-in' AND expires_at > $2 AND created_at <= $3"
    };
}

impl Store {
    /// Writes a request to sign in with its notice in some language (BCP 47), in one transaction and with the same
    /// statements for any address. Says for whom there was no room, if so; then nothing is written.
    ///
    /// For an address that is unknown, over its limit or without a mailbox, flow and notice are written all the same,
    /// but end at once.
    pub async fn ask_to_sign_in(
        &self,
        sign_in: NewSignIn,
        (email, language): (EmailAddress, String),
        asking: Asking,
        now: DateTime<Utc>,
    ) -> Result<Option<NoRoom>> {
        transact!(self.write, |transaction| {
            if let Some(no_room) = asking.admit(transaction, now).await? {
                return Ok(Some(no_room));
            }
            let known = "SELECT id FROM subscribers WHERE email_key = $1";
            let subscriber: Option<SubscriberId> = transaction.row(known, values![email.key()]).await?;
            let unsent = asking.why_unsent(transaction, &email, now).await?;
            let unsent = unsent.or(if subscriber.is_none() { Some("unknown-address") } else { None });
            let (event, detail) = match unsent {
                None => ("sign-in-asked", ""),
                Some(why) => ("sign-in-not-mailed", why),
            };
            record_event(transaction, event, (subscriber.as_ref(), &email.masked()), detail, now).await?;
            asking.count_mail(transaction, unsent.is_none(), now).await?;
            sign_in.enter(transaction, subscriber, (email, language), unsent, now).await?;
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
        let live: Option<(_, Option<String>)> = self.row(sql, values![token_hash, now, now + SLACK]).await?;
        Ok(live.map(|(email, asked_by)| (email, asked_by.as_deref() == Some(browser_hash))))
    }

    /// For whom and with what a browser last asked, since some moment; whatever became of it.
    pub async fn last_asked(&self, browser_hash: &str, since: DateTime<Utc>) -> Result<Option<(EmailAddress, String)>> {
        let sql = "SELECT email, payload FROM flows WHERE browser_hash = $1 AND created_at > $2
            ORDER BY created_at DESC, id LIMIT 1";
        self.row(sql, values![browser_hash, since]).await
    }

    /// Counts one more code for the flow that this browser asked for last, then gives the flow's id and what its code
    /// is compared with; before anything is compared, so that many at once are not looked at more often.
    pub async fn try_code(
        &self,
        browser_hash: String,
        tries: Counted,
        now: DateTime<Utc>,
    ) -> Result<Result<(String, String), Unopened>> {
        transact!(self.write, |transaction| {
            if !tries.has_room(transaction, now).await? {
                return Ok(Err(Unopened::TooManyTries));
            }
            // OWASP ASVS 5.0, 6.6.3. The link goes on: whoever asks for another cannot shut them out.
            let sql = concat!(
                "UPDATE flows SET tries = tries + 1 WHERE tries < 5 AND id = (SELECT id FROM flows
                    WHERE browser_hash = $1 AND code_hash IS NOT NULL AND ",
                is_live!(),
                " ORDER BY created_at DESC, id LIMIT 1) RETURNING id, code_hash"
            );
            let found = transaction.row(sql, values![browser_hash, now, now + SLACK]).await?;
            Ok(found.ok_or(Unopened::Dead))
        })
    }

    /// Counts a wrong code against whoever tried it, and remembers it.
    pub async fn wrong_code(&self, flow: Option<String>, tries: Counted, now: DateTime<Utc>) -> Result<()> {
        transact!(self.write, |transaction| {
            tries.count(transaction, now).await?;
            let sql = "SELECT subscriber, email FROM flows WHERE id = $1";
            let tried = transaction.row(sql, values![flow.unwrap_or_default()]).await?;
            record_failure(transaction, tried, "wrong code", now).await
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
    ) -> Result<Result<String, Unopened>> {
        transact!(self.write, |transaction| {
            let used = match &proof {
                Proof::Code { flow } => use_code(transaction, flow, now).await?,
                Proof::Link { token_hash, browser_hash, is_meant_here } => {
                    let used = use_link(transaction, token_hash, browser_hash, *is_meant_here, now).await?;
                    if used.is_none() && !dead_link(transaction, token_hash, &tries, now).await? {
                        return Ok(Err(Unopened::TooManyTries));
                    }
                    used
                }
            };
            let Some((subscriber, email, payload)) = used else { return Ok(Err(Unopened::Dead)) };
            let means = if matches!(proof, Proof::Code { .. }) { "code" } else { "link" };
            begin_session(transaction, &subscriber, &session, now).await?;
            let detail = format!("{means}, {}", session.browser);
            record_event(transaction, "signed-in", (Some(&subscriber), &email.masked()), &detail, now).await?;
            Ok(Ok(payload))
        })
    }
}

/// Who signs in with a flow, and with what they asked for it.
type Used = (SubscriberId, EmailAddress, String);

/// The browser that asked ends the flow; another one, if that is meant, spends the link alone.
async fn use_link(
    transaction: &mut Transaction,
    token_hash: &str,
    browser_hash: &str,
    is_meant_here: bool,
    now: DateTime<Utc>,
) -> Result<Option<Used>> {
    let sql = concat!(
        "UPDATE flows SET used_at = $2, code_hash = CASE WHEN browser_hash = $4 THEN NULL ELSE code_hash END
        WHERE token_hash = $1 AND used_at IS NULL AND (browser_hash = $4 OR $5 = 1)
        AND EXISTS (SELECT 1 FROM subscribers p WHERE p.id = flows.subscriber AND p.email_key = flows.email_key) AND ",
        is_live!(),
        " RETURNING subscriber, email, payload"
    );
    transaction.row(sql, values![token_hash, now, now + SLACK, browser_hash, is_meant_here]).await
}

async fn use_code(transaction: &mut Transaction, flow: &str, now: DateTime<Utc>) -> Result<Option<Used>> {
    let sql = "UPDATE flows SET used_at = $2, code_hash = NULL
        WHERE id = $1 AND code_hash IS NOT NULL AND expires_at > $2
        AND EXISTS (SELECT 1 FROM subscribers p WHERE p.id = flows.subscriber AND p.email_key = flows.email_key)
        RETURNING subscriber, email, payload";
    transaction.row(sql, values![flow, now]).await
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
    let made: Option<Tried> = transaction.row(made, values![token_hash]).await?;
    if made.is_none() && !tries.try_one(transaction, now).await? {
        return Ok(false);
    }
    record_failure(transaction, made, "dead link", now).await?;
    Ok(true)
}

async fn begin_session(
    transaction: &mut Transaction,
    subscriber: &SubscriberId,
    session: &NewSession,
    now: DateTime<Utc>,
) -> Result<()> {
    transaction.execute("DELETE FROM sessions WHERE id_hash = $1", values![&session.replaces]).await?;
    let sql = "INSERT INTO sessions (id_hash, id, subscriber, browser, signed_in_at, seen_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $5, $6)";
    let NewSession { id_hash, browser, expires_at, .. } = session;
    let row = values![id_hash, clock::new_id(), subscriber, browser, now, *expires_at];
    transaction.execute(sql, row).await.map(drop)
}

/// Whose a flow is, if that is known, and who was mailed.
type Tried = (Option<SubscriberId>, EmailAddress);

async fn record_failure(
    transaction: &mut Transaction,
    tried: Option<Tried>,
    detail: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let (subscriber, email) = tried.unzip();
    let masked = email.map_or(String::new(), |email| email.masked());
    record_event(transaction, "sign-in-failed", (subscriber.flatten().as_ref(), &masked), detail, now).await
}

//! Staying signed in: a session is 256 random bits that the browser keeps in a cookie; the database has their hash
//! (OWASP ASVS 5.0, 7.2 and 7.3).

use chrono::{DateTime, Duration, Utc};

use crate::model::SubscriberId;
use crate::store::{NewSession, Result, Session, Store};

use super::token_hash;

/// After this, a session ends however it is used.
pub const SESSION_LASTS: Duration = Duration::days(30);
/// After this long without being seen, it ends.
const IDLE_FOR: Duration = Duration::days(14);
/// That a session was seen is written this often, so that looking at pages does not mean a write each time.
const SEEN_EVERY: Duration = Duration::minutes(10);

/// The browser in which somebody signs in.
#[derive(Debug, Clone)]
pub struct NewBrowser {
    /// What it is to keep: 256 bits that nobody can guess, as text.
    pub cookie: String,
    /// What it kept until now, if anything; that session ends.
    pub before: Option<String>,
    /// Its family.
    pub family: String,
}

/// The session that begins in this browser.
pub(super) fn begin(browser: NewBrowser, now: DateTime<Utc>) -> NewSession {
    NewSession {
        id_hash: token_hash(&browser.cookie),
        replaces: token_hash(&browser.before.unwrap_or_default()),
        browser: browser.family,
        expires_at: now + SESSION_LASTS,
    }
}

/// The session of the browser with this cookie, if it holds. Remembers now and then that it was seen; else nothing
/// changes.
pub async fn session(store: &Store, cookie: &str, now: DateTime<Utc>) -> Result<Option<Session>> {
    let found = store.session(&token_hash(cookie), now, now - IDLE_FOR).await?;
    if let Some(session) = found.as_ref().filter(|session| now - session.seen_at >= SEEN_EVERY) {
        store.see_session(&session.id, now).await?;
    }
    Ok(found)
}

/// All sessions of a person that hold, the latest first.
pub async fn sessions(store: &Store, who: &SubscriberId, now: DateTime<Utc>) -> Result<Vec<Session>> {
    store.sessions_of(who, now, now - IDLE_FOR).await
}

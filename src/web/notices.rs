//! What a reader has just done, carried over one redirect in a short signed cookie.
//!
//! The page after the form shows it and takes the cookie away in the same answer: gone after a reload, and to be had
//! by no address typed by hand.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use hyper::header::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::auth::ServerKeys;
use crate::render::Notice;

use super::cookies;

/// The cookie.
pub(super) const NOTICE: &str = "notice";
/// A redirect is followed at once; a slow phone gets a few minutes.
const SHOWN_WITHIN: Duration = Duration::minutes(5);

/// Notices on their way to the page at `place`.
#[derive(Debug, Serialize, Deserialize)]
struct Letter {
    place: String,
    until: i64,
    notices: Vec<Notice>,
}

/// The Set-Cookie that carries `notices` to the page at `place`.
pub(super) fn carry(keys: &ServerKeys, is_https: bool, place: &str, notices: &[Notice], now: DateTime<Utc>) -> String {
    let until = (now + SHOWN_WITHIN).timestamp_millis();
    let letter = Letter { place: place.to_owned(), until, notices: notices.to_vec() };
    let letter = URL_SAFE_NO_PAD.encode(serde_json::json!(letter).to_string());
    let signature = keys.sign("notice", &letter);
    cookies::give(is_https, NOTICE, &format!("{letter}.{signature}"), SHOWN_WITHIN)
}

/// The notices for the page at `place`; none of those that we did not sign, or for too long a time ago.
pub(super) fn brought(
    keys: &ServerKeys,
    headers: &HeaderMap,
    is_https: bool,
    place: &str,
    now: DateTime<Utc>,
) -> Vec<Notice> {
    let letter = cookies::brought(headers, is_https, NOTICE).and_then(|cookie| open(keys, &cookie));
    let letter = letter.filter(|letter| letter.place == place && letter.until > now.timestamp_millis());
    letter.map_or(Vec::new(), |letter| letter.notices)
}

fn open(keys: &ServerKeys, cookie: &str) -> Option<Letter> {
    let (letter, signature) = cookie.split_once('.')?;
    if !keys.verifies("notice", letter, signature) {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(letter).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{NoticeKind, UndoForm};
    use hyper::header::COOKIE;

    fn headers(set_cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let pair = set_cookie.split(';').next().unwrap();
        headers.insert(COOKIE, format!("other=1; {pair}").parse().unwrap());
        headers
    }

    #[test]
    fn a_notice_is_for_one_page_and_a_short_time() {
        let (keys, now) = (ServerKeys::new(*b"key", []), DateTime::UNIX_EPOCH);
        let undo = Some(UndoForm { action: "/unsubscribe/t".to_owned(), token: "proof".to_owned() });
        let left = Notice { undo, ..Notice::new(NoticeKind::Left, vec!["The Wire".to_owned()]) };
        let cookie = carry(&keys, true, "/unsubscribe/t", &[left], now);
        assert!(cookie.starts_with("__Host-notice="), "{cookie}");
        assert!(cookie.ends_with("; Path=/; Max-Age=300; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
        let brought = |keys: &ServerKeys, place, at| {
            let notices = brought(keys, &headers(&cookie), true, place, at);
            notices.into_iter().map(|notice| (notice.kind, notice.undo.map(|undo| undo.token))).collect::<Vec<_>>()
        };
        assert_eq!(brought(&keys, "/unsubscribe/t", now), [(NoticeKind::Left, Some("proof".to_owned()))]);
        assert_eq!(brought(&keys, "/subscribe", now), []);
        assert_eq!(brought(&keys, "/unsubscribe/t", now + SHOWN_WITHIN), []);
        assert_eq!(brought(&ServerKeys::new(*b"no key", []), "/unsubscribe/t", now), []);
    }

    #[test]
    fn without_https_the_cookie_has_a_plain_name() {
        assert_eq!(cookies::take_away(false, NOTICE), "notice=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
        assert_eq!(cookies::brought(&headers("__Host-notice=x"), false, NOTICE), None);
    }
}

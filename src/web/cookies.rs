//! The cookies: what a browser brings, and what it is given.

use chrono::Duration;
use hyper::header::{COOKIE, HeaderMap};

/// With `__Host-`, no other host can set it (RFC 6265bis, 4.1.3.2); that needs https.
fn name_of(name: &str, is_https: bool) -> String {
    format!("{}{name}", if is_https { "__Host-" } else { "" })
}

/// The Set-Cookie that gives a browser `value` to keep, out of reach for scripts and other sites' forms.
pub(super) fn give(is_https: bool, name: &str, value: &str, lasts: Duration) -> String {
    let secure = if is_https { "; Secure" } else { "" };
    let (name, seconds) = (name_of(name, is_https), lasts.num_seconds());
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

/// The Set-Cookie that takes it away.
pub(super) fn take_away(is_https: bool, name: &str) -> String {
    give(is_https, name, "", Duration::zero())
}

/// What the browser brings.
pub(super) fn brought(headers: &HeaderMap, is_https: bool, name: &str) -> Option<String> {
    let name = name_of(name, is_https);
    // One cookie that is no text, which another program of the host may have set, must not hide ours.
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let mut pairs = pairs.filter_map(|pair| str::from_utf8(pair).ok()?.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
}

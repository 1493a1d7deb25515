//! Who may act: the server key and what is signed with it; signing in and staying signed in; how often anybody may ask.
//!
//! Pure but for what it asks of the store. Time comes in as an argument.

mod browser;
mod keys;
mod limits;
mod notice;
mod session;
mod sign_in;
mod way_back;

#[cfg(test)]
mod tests;

pub(crate) use browser::browser_family;
pub use keys::ServerKeys;
pub(crate) use keys::{mac, token_hash};
pub use limits::{Asked, Asker};
pub use notice::{Notice, NoticeError};
pub use session::{NewBrowser, SESSION_LASTS, session, sessions};
pub use sign_in::{Errand, OpenLink, SIGN_IN_WITHIN, SignIn, new_sign_in};
pub(crate) use sign_in::{SIGN_IN, sign_in_text};
pub(crate) use way_back::own_page;

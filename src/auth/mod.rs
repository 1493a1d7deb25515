//! Who may act: the server key and what is signed with it, and how often anybody may ask.
//!
//! Pure but for what it asks of the store. Time comes in as an argument.

mod keys;
mod limits;
mod notice;

pub use keys::{ServerKeys, mac, token_hash};
pub use limits::{Asked, forged};
pub(crate) use limits::{asked, asking, failures};
pub use notice::{Notice, NoticeError};

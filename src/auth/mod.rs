//! Who may act: the server key and what is signed with it, and how often anybody may ask.
//!
//! Pure but for counting in the store. Time comes in as an argument.

mod keys;
mod limits;

pub use keys::{ServerKeys, mac, token_hash};
pub use limits::{Asked, forged};
pub(crate) use limits::{asked, asking, failures};

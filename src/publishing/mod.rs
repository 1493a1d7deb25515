//! What is owed, and when: articles become issues, issues become deliveries.
//!
//! The scheduler's `Office::tick` and an editor's own word (`Office::send_article`) go the same way: a `Plan` says what
//! would be sent to whom, sealing freezes it, and delivery rows follow in chunks. Everything that is decided is decided
//! from the database, the edition and `now`; two schedulers at once come to the same result, because the database
//! forbids it twice. Nothing here sends.

mod agenda;
mod compose;
mod digest;
mod editor;
mod ledger;
mod plan;
mod refusal;
mod scheduler;
mod seal;

pub use compose::{Composed, Purpose, compose};
pub use editor::Sent;
pub use plan::{Plan, Readers, Recipients, WaitsFor};
pub use refusal::{Refusal, SendError};
pub use scheduler::{Memory, Tick};

use chrono::{DateTime, Utc};

use crate::press::Edition;
use crate::store::Store;

/// Where plans are made and issues sealed: all that is decided is decided from this.
#[derive(Clone, Copy)]
pub struct Office<'a> {
    /// The database.
    pub store: &'a Store,
    /// The publication.
    pub edition: &'a Edition,
    /// The moment.
    pub now: DateTime<Utc>,
}

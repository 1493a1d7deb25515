//! What is owed, and when: articles become issues, issues become deliveries.
//!
//! The scheduler's `tick` and an editor's own word (`send_article`) go the same way: a `Plan` says what would be
//! sent to whom, sealing freezes it, and delivery rows follow in chunks. Everything that is decided is decided from
//! the database, the edition and `now`; two schedulers at once come to the same result, because the database forbids
//! it twice. Nothing here sends.

mod agenda;
mod compose;
mod digest;
mod editor;
mod ledger;
mod plan;
mod refusal;
mod scheduler;
mod seal;

pub use agenda::plans;
pub use compose::{ComposeError, Composed, Purpose, compose};
pub use digest::digest_plans;
pub use editor::{Sent, cancel, run_digests, send_article};
pub use ledger::{enter_as_late, enter_new_newsletters, enter_what_is_due};
pub use plan::{Plan, Readers, Recipients, WaitsFor, plan_article};
pub use refusal::{Refusal, SendError};
pub use scheduler::{Memory, Tick, tick};
pub use seal::finish_sealings;

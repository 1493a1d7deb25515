//! The nouns of the trade, and what may happen to them.
//!
//! Plain values and pure functions: policies, the time and the dice come in as arguments. Nothing here stores, sends,
//! reads a file or looks at a clock.

mod access;
mod address;
mod cadence;
mod choices;
mod delivery;
mod ids;
mod issue;
mod newsletter;
mod subscription;
mod upcoming;
mod words;

pub use access::{Access, Portion, Viewer};
pub use address::{AddressError, EmailAddress};
pub use cadence::{Cadence, DigestTime, Rhythm};
pub use choices::{Choices, Service, Wish};
pub use delivery::{DeliveryState, OnUnknown, RetryPolicy};
pub use ids::{ArticleId, DeliveryId, IssueId, NewsletterId, SubscriberId, SubscriptionId};
pub use issue::{Brake, IssueEvent, IssueKind, IssueState, SendPolicy};
pub use newsletter::{Newsletter, Sender};
pub use subscription::{SubscriptionState, SuppressionReason, meets_topics};
pub use upcoming::next_mails;
pub(crate) use words::words;

//! The nouns of the trade, and what may happen to them.
//!
//! Plain values and pure functions: policies, the time and the dice come in as arguments. Nothing here stores, sends,
//! reads a file or looks at a clock.

mod access;
mod address;
mod cadence;
mod cause;
mod choices;
mod delivery;
mod errands;
mod ids;
mod issue;
mod membership;
mod money;
mod newsletter;
mod plan;
mod relay;
mod subscription;
mod tally;
mod upcoming;
mod words;

pub use access::{Access, Opens, Portion, Reading, Viewer};
pub use address::{AddressError, EmailAddress};
pub use cadence::{Cadence, DigestTime, Rhythm};
pub use cause::Cause;
pub use choices::{Choices, Service, Wish};
pub use delivery::{DeliveryState, Durability, OnUnknown, RetryPolicy};
pub use errands::{ErrandKind, News};
pub use ids::{
    AgreementId, ArticleId, CustomerId, DeliveryId, IssueId, NewsletterId, PlanId, SubscriberId, SubscriptionId,
};
pub use issue::{Brake, IssueEvent, IssueKind, IssueState, SendPolicy};
pub use membership::{Agreement, AgreementStatus, Invoice, InvoiceState, MembershipState, Standing};
pub use money::{Currency, Money};
pub use newsletter::{Newsletter, Sender};
pub use plan::{Every, Plan};
pub use relay::{Carries, Health, Leave, Rate, Strain};
pub use subscription::{SubscriptionState, SuppressionReason, meets_topics};
pub use tally::Tally;
pub use upcoming::next_mails;
pub(crate) use words::words;

//! Names for rows and articles that cannot be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is; whoever makes ids vouches for their form.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text, as it stands in the database and in answers.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )+};
}

ids! {
    /// The permanent `id` of an article's front matter: any text that is unique in the publication.
    ArticleId;
    /// The `id` of a newsletter in publish.toml.
    NewsletterId;
    /// One sealed issue: a UUIDv7 in 32 hex digits.
    IssueId;
    /// One issue or notice to one address: a UUIDv7 in 32 hex digits.
    DeliveryId;
    /// A person whose address we know: a UUIDv7 in 32 hex digits.
    SubscriberId;
    /// One subscriber's subscription to one newsletter: a UUIDv7 in 32 hex digits.
    SubscriptionId;
    /// The `id` of a plan in publish.toml.
    PlanId;
    /// The payment provider's id of somebody who pays.
    CustomerId;
    /// The payment provider's id of what somebody pays for again and again; Stripe calls it a subscription.
    AgreementId;
}

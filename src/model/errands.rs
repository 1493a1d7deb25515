//! What is to be asked of the payment provider or done there, and the news that ask for it.

use chrono::{DateTime, Utc};

use super::words;

words! {
    /// What is to be asked of the provider, or done there.
    pub enum ErrandKind {
        /// Ask what became of a checkout.
        Checkout = "checkout",
        /// Ask how an agreement stands.
        Agreement = "agreement",
        /// Ask how all agreements of a customer stand.
        Customer = "customer",
        /// Ask whose payment it was, and then how their agreements stand.
        Charge = "charge",
        /// End an agreement at once: its reader was erased.
        End = "end",
        /// End an agreement at once and give back what was paid: it was bought twice.
        GiveBack = "give-back",
        /// Tell a customer's present address.
        Address = "address",
    }
}

/// Something has changed at the payment provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The provider's id of the event, the same however often it is told: heard again, it counts for nothing.
    pub id: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Where to look, by an id of the provider's; none: it is about nothing that we heed.
    pub errand: Option<(ErrandKind, String)>,
}

//! What can be bought.

use super::{Currency, Money, NewsletterId, PlanId, words};

words! {
    /// How often a plan is paid.
    pub enum Every {
        /// Each month.
        Month = "month",
        /// Each year.
        Year = "year",
    }
}

impl Every {
    /// How many months one payment is for.
    pub fn months(self) -> i64 {
        match self {
            Every::Month => 1,
            Every::Year => 12,
        }
    }
}

/// One of `[[billing.plans]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Short name, which stands in forms and with the provider.
    pub id: PlanId,
    /// What readers see.
    pub title: String,
    /// A sentence about it.
    pub description: Option<String>,
    /// How often it is paid.
    pub every: Every,
    /// What it costs, in each currency it is sold in; never empty.
    pub prices: Vec<Money>,
    /// Days without payment at the beginning.
    pub trial_days: u32,
    /// The newsletters whose paid articles it opens, sorted; empty: all.
    pub opens: Vec<NewsletterId>,
}

impl Plan {
    /// What it costs in one currency.
    pub fn price_in(&self, currency: Currency) -> Option<Money> {
        self.prices.iter().copied().find(|price| price.currency == currency)
    }
}

//! Going from one plan to another: what it costs, said before, and doing it at the very price that was said.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::model::{AgreementId, Money};

use super::agreement::Line;
use super::price::{Price, money};
use super::{List, Named, PaymentError, Provider};

/// What another plan would cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch {
    /// What is to be paid at once.
    pub due_now: Money,
    /// What is left of the plan before, and is taken off.
    pub credit: Money,
    /// What is to be paid next: the new price, less what is left over of the credit.
    pub next: Money,
    /// When.
    pub next_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Preview {
    amount_due: i64,
    total: i64,
    starting_balance: i64,
    currency: String,
    lines: List<Line>,
}

impl Provider {
    /// What it would cost to go over to `price` (the provider's id) at `at`. Changes nothing.
    pub async fn preview_switch(
        &self,
        id: &AgreementId,
        price: &str,
        at: DateTime<Utc>,
    ) -> Result<Switch, PaymentError> {
        let subscription = self.subscription(id).await?;
        let item = subscription.item()?;
        let at = at.timestamp().to_string();
        let form = [
            ("subscription", id.as_str()),
            ("subscription_details[items][0][id]", &item.id),
            ("subscription_details[items][0][price]", price),
            ("subscription_details[proration_behavior]", "always_invoice"),
            ("subscription_details[proration_date]", &at),
        ];
        let preview: Preview = self.post(&["invoices", "create_preview"], &form, None).await?;
        let price: Price = self.get(&["prices", price], &[]).await?;
        let lines = || preview.lines.data.iter();
        let credit = -lines().map(|line| line.amount.min(0)).sum::<i64>();
        let next_at = lines().filter(|line| line.amount > 0).map(|line| line.period.end.0).max();
        // What is too little to be charged, or more than the new plan costs, goes on to the next invoice.
        let left_over = preview.total + preview.starting_balance - preview.amount_due;
        let next = price.money()?;
        Ok(Switch {
            due_now: money(preview.amount_due, &preview.currency)?,
            credit: money(credit, &preview.currency)?,
            next: Money { minor: (next.minor + left_over).max(0), ..next },
            next_at: next_at.unwrap_or(item.current_period_end.0),
        })
    }

    /// Goes over to `price` as it was previewed for `at`, paid at once. A card that is declined changes nothing.
    pub async fn switch(
        &self,
        id: &AgreementId,
        price: &str,
        at: DateTime<Utc>,
        key: &str,
    ) -> Result<(), PaymentError> {
        let subscription = self.subscription(id).await?;
        let at = at.timestamp().to_string();
        let form = [
            ("items[0][id]", subscription.item()?.id.as_str()),
            ("items[0][price]", price),
            ("proration_behavior", "always_invoice"),
            ("proration_date", &at),
            ("payment_behavior", "error_if_incomplete"),
        ];
        let _: Named = self.post(&["subscriptions", id.as_str()], &form, Some(key)).await?;
        Ok(())
    }
}

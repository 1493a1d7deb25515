//! Agreements (Stripe's subscriptions) with what became of their invoices, and ending them.
//!
//! What was given back or is disputed is not told by an invoice: it stays paid. It is told by the charge that paid it,
//! and how a dispute stands by the dispute.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::model::{Agreement, AgreementId, AgreementStatus, CustomerId, Invoice, InvoiceState, PlanId};

use super::price::{Price, money};
use super::{At, List, Named, Page, PaymentError, Provider};

/// How many invoices are looked at: a year of months.
const INVOICES: &str = "12";
/// How many pages of charges at most: cards that fail make many.
const PAGES_OF_CHARGES: usize = 10;

#[derive(Deserialize)]
pub(super) struct Subscription {
    id: String,
    customer: String,
    status: String,
    created: At,
    cancel_at: Option<At>,
    #[serde(default)]
    cancel_at_period_end: bool,
    ended_at: Option<At>,
    items: List<Item>,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

#[derive(Deserialize)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) current_period_end: At,
    pub(super) price: Price,
}

#[derive(Deserialize)]
struct Bill {
    id: String,
    amount_due: i64,
    currency: String,
    status: Option<String>,
    created: At,
    period_end: At,
    status_transitions: Transitions,
    attempt_count: u32,
    next_payment_attempt: Option<At>,
    lines: List<Line>,
    payments: Option<List<Payment>>,
}

#[derive(Deserialize)]
struct Transitions {
    paid_at: Option<At>,
}

#[derive(Deserialize)]
pub(super) struct Line {
    pub(super) amount: i64,
    pub(super) period: Period,
}

#[derive(Deserialize)]
pub(super) struct Period {
    start: At,
    pub(super) end: At,
}

#[derive(Deserialize)]
struct Payment {
    payment: PaidBy,
}

#[derive(Deserialize)]
struct PaidBy {
    payment_intent: Option<String>,
    charge: Option<String>,
}

#[derive(Deserialize)]
struct Charge {
    id: String,
    payment_intent: Option<String>,
    amount_refunded: i64,
    disputed: bool,
}

#[derive(Deserialize)]
struct Dispute {
    status: String,
}

impl Subscription {
    pub(super) fn item(&self) -> Result<&Item, PaymentError> {
        self.items.data.first().ok_or_else(|| PaymentError::Unreadable("an agreement about nothing".to_owned()))
    }

    /// What its price says it is for; where an editor has agreed on another price, what it says itself.
    fn plan(&self) -> Option<PlanId> {
        let by_price = self.items.data.first().and_then(|item| item.price.plan());
        by_price.or_else(|| self.metadata.get("pressrun_plan").map(PlanId::new))
    }

    fn status(&self) -> AgreementStatus {
        match self.status.as_str() {
            "trialing" => AgreementStatus::Trialing,
            "active" => AgreementStatus::Active,
            "past_due" => AgreementStatus::PastDue,
            "incomplete" | "incomplete_expired" => AgreementStatus::Incomplete,
            "canceled" | "paused" => AgreementStatus::Ended,
            // A word of a later day: one reads for what is paid.
            _ => AgreementStatus::Unpaid,
        }
    }

    fn with(&self, invoices: Vec<Invoice>) -> Result<Agreement, PaymentError> {
        let item = self.item()?;
        let at_period_end = self.cancel_at_period_end.then_some(item.current_period_end.0);
        Ok(Agreement {
            id: AgreementId::new(&self.id),
            customer: CustomerId::new(&self.customer),
            plan: self.plan(),
            status: self.status(),
            price: item.price.money()?,
            every: item.price.every(),
            began_at: self.created.0,
            period_end: item.current_period_end.0,
            cancels_at: self.cancel_at.map(|at| at.0).or(at_period_end),
            ended_at: self.ended_at.map(|at| at.0),
            invoices,
        })
    }
}

impl Bill {
    fn is_paid(&self) -> bool {
        self.status.as_deref() == Some("paid")
    }

    fn payments(&self) -> impl Iterator<Item = &PaidBy> {
        self.payments.iter().flat_map(|payments| &payments.data).map(|payment| &payment.payment)
    }

    fn is_paid_by(&self, charge: &Charge) -> bool {
        self.payments().any(|paid| {
            paid.charge.as_ref() == Some(&charge.id)
                || (paid.payment_intent.is_some() && paid.payment_intent == charge.payment_intent)
        })
    }

    /// `credited_from`: from when on a later invoice took back what this one was for.
    fn invoice(&self, charges: &[Charge], credited_from: Option<DateTime<Utc>>) -> Result<Invoice, PaymentError> {
        let charges = || charges.iter().filter(|charge| self.is_paid_by(charge));
        let given_back = charges().map(|charge| charge.amount_refunded).sum();
        let state = match self.status.as_deref() {
            Some("paid") if charges().any(|charge| charge.disputed) => InvoiceState::Disputed,
            Some("paid") if given_back > 0 && given_back >= self.amount_due => InvoiceState::GivenBack,
            Some("paid") => InvoiceState::Paid,
            Some("draft" | "open") => InvoiceState::Open,
            _ => InvoiceState::Void,
        };
        // The period of an invoice is the one before; what it is for stands in its lines.
        let bought = self.lines.data.iter().filter(|line| line.amount >= 0).map(|line| line.period.end.0);
        let covers_to = bought.max().unwrap_or(self.period_end.0);
        Ok(Invoice {
            id: self.id.clone(),
            amount: money(self.amount_due, &self.currency)?,
            given_back: money(given_back, &self.currency)?,
            state,
            at: self.created.0,
            paid_at: self.status_transitions.paid_at.map(|at| at.0),
            covers_to: credited_from.map_or(covers_to, |from| covers_to.min(from)),
            attempts: self.attempt_count,
            next_attempt_at: self.next_payment_attempt.map(|at| at.0),
        })
    }
}

impl Provider {
    /// An agreement as it stands, with its newest invoices; none if the provider knows none under this id.
    pub async fn agreement(&self, id: &AgreementId) -> Result<Option<Agreement>, PaymentError> {
        let subscription = match self.subscription(id).await {
            Err(PaymentError::NotThere) => return Ok(None),
            found => found?,
        };
        let query = [("subscription", id.as_str()), ("limit", INVOICES), ("expand[0]", "data.payments")];
        let bills: List<Bill> = self.get(&["invoices"], &query).await?;
        let paid_since =
            bills.data.iter().filter(|bill| bill.payments().next().is_some()).map(|bill| bill.created.0).min();
        let charges = match paid_since {
            Some(since) => self.charges(&subscription.customer, since).await?,
            None => Vec::new(),
        };
        let (mut invoices, mut credited_from) = (Vec::new(), None);
        for bill in &bills.data {
            invoices.push(bill.invoice(&charges, credited_from)?);
            let credits = bill.lines.data.iter().filter(|line| line.amount < 0 && bill.is_paid());
            credited_from = credits.map(|line| line.period.start.0).chain(credited_from).min();
        }
        subscription.with(invoices).map(Some)
    }

    pub(super) async fn subscription(&self, id: &AgreementId) -> Result<Subscription, PaymentError> {
        self.get(&["subscriptions", id.as_str()], &[]).await
    }

    /// Whatever was taken from somebody since then, where `disputed` means that it still is.
    async fn charges(&self, customer: &str, since: DateTime<Utc>) -> Result<Vec<Charge>, PaymentError> {
        let since = since.timestamp().to_string();
        let mut charges: Vec<Charge> = Vec::new();
        for _ in 0..PAGES_OF_CHARGES {
            let mut query = vec![("customer", customer), ("created[gte]", &since), ("limit", "100")];
            query.extend(charges.last().map(|last| ("starting_after", last.id.as_str())));
            let page: List<Charge> = self.get(&["charges"], &query).await?;
            charges.extend(page.data);
            if !page.has_more {
                break;
            }
        }
        for charge in charges.iter_mut().filter(|charge| charge.disputed) {
            let disputes: List<Dispute> = self.get(&["disputes"], &[("charge", &charge.id)]).await?;
            charge.disputed = disputes.data.iter().any(Dispute::holds);
        }
        Ok(charges)
    }

    /// All agreements about our plans, ended ones too, a hundred at a time; `after` is [`Page::next`].
    pub async fn agreements(&self, after: Option<&str>) -> Result<Page<AgreementId>, PaymentError> {
        let mut query = vec![("status", "all"), ("limit", "100")];
        query.extend(after.map(|after| ("starting_after", after)));
        let page: List<Subscription> = self.get(&["subscriptions"], &query).await?;
        let next = page.data.last().filter(|_| page.has_more).map(|last| last.id.clone());
        let ours = page.data.into_iter().filter(|one| one.plan().is_some());
        Ok(Page { items: ours.map(|one| AgreementId::new(one.id)).collect(), next })
    }

    /// Lets an agreement end when its period is over, or go on after all.
    pub async fn set_ending(&self, id: &AgreementId, ends: bool) -> Result<(), PaymentError> {
        let ends = if ends { "true" } else { "false" };
        let _: Named = self.post(&["subscriptions", id.as_str()], &[("cancel_at_period_end", ends)], None).await?;
        Ok(())
    }

    /// Ends an agreement at once, and gives nothing back. One that is over already stays so.
    pub async fn end_now(&self, id: &AgreementId) -> Result<(), PaymentError> {
        match self.delete::<Named>(&["subscriptions", id.as_str()]).await {
            Ok(_) | Err(PaymentError::NotThere) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives back what is left of what the newest paid invoice of an agreement took; nothing, if it took nothing.
    pub async fn give_back(&self, agreement: &AgreementId) -> Result<(), PaymentError> {
        let query =
            [("subscription", agreement.as_str()), ("status", "paid"), ("limit", "1"), ("expand[0]", "data.payments")];
        let bills: List<Bill> = self.get(&["invoices"], &query).await?;
        let payments = bills.data.iter().flat_map(Bill::payments);
        for paid in payments.filter_map(|paid| {
            let by_intent = paid.payment_intent.as_deref().map(|intent| ("payment_intent", intent));
            by_intent.or_else(|| paid.charge.as_deref().map(|charge| ("charge", charge)))
        }) {
            match self.post::<Value>(&["refunds"], &[paid], Some(&format!("give-back-{}", paid.1))).await {
                Err(PaymentError::Refused { code: Some(code), .. }) if code == "charge_already_refunded" => {}
                given => drop(given?),
            }
        }
        Ok(())
    }
}

impl Dispute {
    /// Whether the bank has the money, or may get it: not when it was won, and not while the bank only inquires.
    fn holds(&self) -> bool {
        let is_inquiry = self.status.starts_with("warning_");
        !(is_inquiry || matches!(self.status.as_str(), "won" | "prevented"))
    }
}

//! A membership's life: what a subscriber has bought, as its payment provider tells it.
//!
//! State never follows from the order in which news arrives. Whatever arrives, the provider is asked for the agreement
//! as it stands, and [`Agreement::standing`] says what that means: the same answer, the same standing.

use chrono::{DateTime, Duration, Utc};

use super::{AgreementId, CustomerId, Every, Money, PlanId, words};

words! {
    /// Where a membership stands.
    pub enum MembershipState {
        /// Given by an editor, without payment, until a day.
        Granted = "granted",
        /// Not paid for yet, and not to be.
        Trial = "trial",
        /// Paid for.
        Active = "active",
        /// A payment failed, was given back or is disputed: what follows is told, and access ends with the grace days.
        PastDue = "past-due",
        /// Paid for, and ends when that is used up.
        Cancelled = "cancelled",
        /// Over.
        Ended = "ended",
    }
}

/// What the provider calls the state of an agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgreementStatus {
    /// Its first payment has not succeeded: nobody is a member by it.
    Incomplete,
    /// In its trial.
    Trialing,
    /// Running.
    Active,
    /// A payment failed and is tried again.
    PastDue,
    /// A payment failed and is not tried again.
    Unpaid,
    /// Over, or stopped.
    Ended,
}

words! {
    /// What became of one invoice.
    pub enum InvoiceState {
        /// To be paid.
        Open = "open",
        /// Paid, and still so.
        Paid = "paid",
        /// Not to be paid any more.
        Void = "void",
        /// Paid, and all of it given back.
        GivenBack = "given-back",
        /// Paid, and its payer's bank asks for it back, or has it.
        Disputed = "disputed",
    }
}

/// One bill of an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// The provider's id.
    pub id: String,
    /// What it came to, after credits.
    pub amount: Money,
    /// What of it was given back.
    pub given_back: Money,
    /// What became of it.
    pub state: InvoiceState,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// Until when one may read for it.
    pub covers_to: DateTime<Utc>,
    /// How often payment was tried.
    pub attempts: u32,
    /// When it is tried again.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// How long a renewal may go unbilled and nobody is to blame.
const BILLED_WITHIN: Duration = Duration::hours(3);

/// An agreement as the provider has it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The provider's id.
    pub id: AgreementId,
    /// Who pays.
    pub customer: CustomerId,
    /// For which plan; none: it was not sold by us.
    pub plan: Option<PlanId>,
    /// What the provider calls its state.
    pub status: AgreementStatus,
    /// What one payment comes to.
    pub price: Money,
    /// How often it is paid.
    pub every: Every,
    /// When it was made.
    pub began_at: DateTime<Utc>,
    /// When the period runs out that it is in.
    pub period_end: DateTime<Utc>,
    /// When it will end, if it was cancelled.
    pub cancels_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Its latest invoices, the newest first.
    pub invoices: Vec<Invoice>,
}

/// What an agreement means for who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Where the membership stands.
    pub state: MembershipState,
    /// Until when it is paid for; the beginning, where nothing was paid.
    pub paid_until: DateTime<Utc>,
    /// Until when one may read. News that never comes lets nobody read for longer.
    pub reads_until: DateTime<Utc>,
}

impl Agreement {
    /// What it means, where `grace` is how long one may read after a payment failed. None: nobody is a member by it.
    ///
    /// What counts is what is paid for, not the period that the provider has begun: whoever's card fails may read until
    /// the grace days are over, and so may whoever got all their money back.
    pub fn standing(&self, grace: Duration) -> Option<Standing> {
        let paid = self.invoices.iter().filter(|invoice| invoice.state == InvoiceState::Paid);
        let paid_until = paid.map(|invoice| invoice.covers_to).max().unwrap_or(self.began_at);
        // The provider begins a period at once, and takes an hour or so to ask for its money.
        let is_well = matches!(self.status, AgreementStatus::Trialing | AgreementStatus::Active);
        let with_grace = paid_until + if is_well { grace.max(BILLED_WITHIN) } else { grace };
        let (state, reads_until) = match self.status {
            AgreementStatus::Incomplete => return None,
            AgreementStatus::Ended => (MembershipState::Ended, self.ended_at.unwrap_or(paid_until).min(with_grace)),
            AgreementStatus::PastDue | AgreementStatus::Unpaid => (MembershipState::PastDue, with_grace),
            _ if self.is_taken_back() => (MembershipState::PastDue, with_grace),
            AgreementStatus::Trialing | AgreementStatus::Active => match self.cancels_at {
                Some(end) => (MembershipState::Cancelled, end.min(with_grace)),
                None if self.status == AgreementStatus::Trialing => (MembershipState::Trial, with_grace),
                None => (MembershipState::Active, with_grace),
            },
        };
        Some(Standing { state, paid_until, reads_until })
    }

    /// Whether more payments are to come of it.
    pub fn goes_on(&self) -> bool {
        !matches!(self.status, AgreementStatus::Incomplete | AgreementStatus::Ended) && self.cancels_at.is_none()
    }

    /// Whether what was paid for the present period was given back or is disputed.
    fn is_taken_back(&self) -> bool {
        let of_period = || self.invoices.iter().filter(|invoice| invoice.covers_to >= self.period_end);
        of_period().any(|invoice| matches!(invoice.state, InvoiceState::GivenBack | InvoiceState::Disputed))
            && !of_period().any(|invoice| matches!(invoice.state, InvoiceState::Paid | InvoiceState::Open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Currency;

    const GRACE: Duration = Duration::days(7);

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::days(day)
    }

    fn invoice(state: InvoiceState, at: i64, covers_to: i64) -> Invoice {
        let money = |minor| Money { minor, currency: Currency::parse("EUR").unwrap() };
        Invoice {
            id: format!("in_{at}"),
            amount: money(500),
            given_back: money(0),
            state,
            at: day(at),
            paid_at: (state == InvoiceState::Paid).then(|| day(at)),
            covers_to: day(covers_to),
            attempts: 1,
            next_attempt_at: None,
        }
    }

    /// In its second month, with what became of the two invoices.
    fn agreement(status: AgreementStatus, second: InvoiceState) -> Agreement {
        Agreement {
            id: AgreementId::new("sub_1"),
            customer: CustomerId::new("cus_1"),
            plan: Some(PlanId::new("monthly")),
            status,
            price: Money { minor: 500, currency: Currency::parse("EUR").unwrap() },
            every: Every::Month,
            began_at: day(0),
            period_end: day(60),
            cancels_at: None,
            ended_at: None,
            invoices: vec![invoice(second, 30, 60), invoice(InvoiceState::Paid, 0, 30)],
        }
    }

    fn told(agreement: &Agreement) -> Option<(&'static str, i64, i64)> {
        let days = |at: DateTime<Utc>| (at - DateTime::UNIX_EPOCH).num_days();
        let standing = agreement.standing(GRACE)?;
        Some((standing.state.as_str(), days(standing.paid_until), days(standing.reads_until)))
    }

    #[test]
    fn one_reads_for_what_is_paid_and_the_grace_days() {
        use AgreementStatus::{Active, Ended, Incomplete, PastDue, Trialing, Unpaid};
        use InvoiceState::{Disputed, GivenBack, Open, Paid, Void};
        for (status, second, expected) in [
            (Incomplete, Open, None),
            (Trialing, Paid, Some(("trial", 60, 67))),
            (Active, Paid, Some(("active", 60, 67))),
            // Renewed a moment ago: the provider has begun the month, and takes an hour to ask for its money.
            (Active, Open, Some(("active", 30, 37))),
            (Active, GivenBack, Some(("past-due", 30, 37))),
            (Active, Disputed, Some(("past-due", 30, 37))),
            (PastDue, Open, Some(("past-due", 30, 37))),
            (Unpaid, Void, Some(("past-due", 30, 37))),
        ] {
            assert_eq!(told(&agreement(status, second)), expected, "{status:?} {second:?}");
        }
        let ended = Agreement { ended_at: Some(day(41)), ..agreement(Ended, Open) };
        assert_eq!(told(&ended), Some(("ended", 30, 37)));
        let ended = Agreement { ended_at: Some(day(41)), ..agreement(Ended, Paid) };
        assert_eq!(told(&ended), Some(("ended", 60, 41)));
        let unpaid = Agreement { invoices: Vec::new(), ..agreement(PastDue, Open) };
        assert_eq!(told(&unpaid), Some(("past-due", 0, 7)));
    }

    #[test]
    fn a_renewal_that_is_not_billed_yet_shuts_nobody_out() {
        let renewed = agreement(AgreementStatus::Active, InvoiceState::Open);
        let failed = agreement(AgreementStatus::PastDue, InvoiceState::Open);
        let reads_until = |agreement: &Agreement| agreement.standing(Duration::zero()).unwrap().reads_until;
        assert_eq!([reads_until(&renewed), reads_until(&failed)], [day(30) + BILLED_WITHIN, day(30)]);
    }

    #[test]
    fn what_was_cancelled_ends_when_it_was_to() {
        let cancelled =
            Agreement { cancels_at: Some(day(60)), ..agreement(AgreementStatus::Active, InvoiceState::Paid) };
        assert_eq!(told(&cancelled), Some(("cancelled", 60, 60)));
        let unpaid = Agreement { cancels_at: Some(day(60)), ..agreement(AgreementStatus::PastDue, InvoiceState::Open) };
        assert_eq!(told(&unpaid), Some(("past-due", 30, 37)));
    }
}

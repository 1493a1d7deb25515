//! What the pages show about plans and memberships.

use serde::Serialize;

use super::Imprint;
use super::context::Moment;
use super::pages::{Notice, NoticeKind, ReaderPage};
use crate::model::{Every, Money, Plan};

/// What can be bought, or gone over to.
#[derive(Debug, Clone, Serialize)]
pub struct PlansPage {
    /// What has just happened.
    pub notices: Vec<Notice>,
    /// In the order of the settings.
    pub plans: Vec<PlanLine>,
    /// Whether the reader has bought one already: a button goes over to another.
    pub has_one: bool,
    /// Whether the reader is signed in; else they may have a membership that nobody sees here.
    pub is_signed_in: bool,
}

/// One plan.
#[derive(Debug, Clone, Serialize)]
pub struct PlanLine {
    /// The value of the field `plan`.
    pub id: String,
    /// Its title.
    pub title: String,
    /// A sentence about it.
    pub description: Option<String>,
    /// The value of the field `currency`, and what it costs, such as `€5.00 a month`.
    pub prices: Vec<(String, String)>,
    /// Days without payment at the beginning.
    pub trial_days: u32,
    /// Whether it is the reader's.
    pub is_theirs: bool,
}

/// What going over to another plan costs, before it is done.
#[derive(Debug, Clone, Serialize)]
pub struct SwitchPage {
    /// Which plan.
    pub plan: PlanLine,
    /// The value of the field `currency`.
    pub currency: String,
    /// For when it was reckoned, in seconds since 1970: the value of the field `at`.
    pub at: i64,
    /// What is to be paid at once.
    pub due_now: String,
    /// What is left of the plan before, and is taken off.
    pub credit: String,
    /// The next payment.
    pub next: String,
    /// When.
    pub next_at: Moment,
}

/// A reader's membership, on their account.
#[derive(Debug, Clone, Serialize)]
pub struct MembershipPart {
    /// A word of [`crate::model::MembershipState`], or `lapsed` where the grace days are over.
    pub state: String,
    /// Until when they may read.
    pub until: Moment,
    /// What they have bought; none: an editor granted it.
    pub bought: Option<BoughtPart>,
}

/// What a reader has bought.
#[derive(Debug, Clone, Serialize)]
pub struct BoughtPart {
    /// The plan's title.
    pub plan: String,
    /// Such as `€5.00 a month`.
    pub price: String,
    /// When the next payment is due; none: there is none.
    pub next_at: Option<Moment>,
    /// When it ends, if it was cancelled.
    pub ends_at: Option<Moment>,
    /// What was paid or is to be paid: the day, the amount, and a word of [`crate::model::InvoiceState`].
    pub invoices: Vec<(String, String, String)>,
    /// Whether it can be changed here: not while nothing can be asked of the payment provider.
    pub is_changeable: bool,
}

impl PlanLine {
    /// What readers are told of a plan.
    pub fn new(imprint: &Imprint<'_>, plan: &Plan, is_theirs: bool) -> PlanLine {
        let price = |price: &Money| (price.currency.code().to_owned(), price_each(imprint, *price, plan.every));
        PlanLine {
            id: plan.id.to_string(),
            title: plan.title.clone(),
            description: plan.description.clone(),
            prices: plan.prices.iter().map(price).collect(),
            trial_days: plan.trial_days,
            is_theirs,
        }
    }
}

/// Such as `€5.00 a month`.
pub fn price_each(imprint: &Imprint<'_>, price: Money, every: Every) -> String {
    let values = [("price", imprint.words.money(price).into()), ("every", every.as_str().into())];
    imprint.words.say("price-each", &values)
}

/// Each of these pages, with something of everything.
pub(super) fn samples() -> Vec<ReaderPage> {
    let text = |text: &str| text.to_owned();
    let plan = |is_theirs| PlanLine {
        id: text("monthly"),
        title: text("Monthly"),
        description: Some(text("Every article in full")),
        prices: vec![(text("EUR"), text("€5.00 a month")), (text("USD"), text("$6.00 a month"))],
        trial_days: 14,
        is_theirs,
    };
    let plans = PlansPage {
        notices: vec![Notice::new(NoticeKind::BillingNotUpdated, vec![])],
        plans: vec![plan(true), plan(false)],
        has_one: true,
        is_signed_in: true,
    };
    let switch = SwitchPage {
        plan: plan(false),
        currency: text("EUR"),
        at: 0,
        due_now: text("€45.00"),
        credit: text("€5.00"),
        next: text("€50.00"),
        next_at: Moment::default(),
    };
    vec![
        ReaderPage::Plans(PlansPage { has_one: false, is_signed_in: false, notices: vec![], ..plans.clone() }),
        ReaderPage::Plans(plans),
        ReaderPage::Switch(Box::new(switch)),
        ReaderPage::HandOver { address: text("https://pay.example.com/") },
    ]
}

/// A membership in every state, for the account's sample.
pub(super) fn sample_memberships() -> Vec<MembershipPart> {
    let text = |text: &str| text.to_owned();
    let bought = |is_cancelled: bool| BoughtPart {
        plan: text("Monthly"),
        price: text("€5.00 a month"),
        next_at: (!is_cancelled).then(Moment::default),
        ends_at: is_cancelled.then(Moment::default),
        invoices: vec![(text("23 November 2026"), text("€5.00"), text("paid"))],
        is_changeable: true,
    };
    let unpaid = || BoughtPart { next_at: None, ..bought(false) };
    let part = |state: &str, bought| MembershipPart { state: text(state), until: Moment::default(), bought };
    vec![
        part("granted", None),
        part("trial", Some(bought(false))),
        part("active", Some(bought(false))),
        part("past-due", Some(unpaid())),
        part("lapsed", Some(unpaid())),
        part("cancelled", Some(bought(true))),
    ]
}

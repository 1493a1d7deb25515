//! What a reader does from the first price to the last refund, against a whole provider: the stand-in, or an account of
//! Stripe's test mode, where a person pays.

use std::time::Duration;

use pressrun::clock;
use pressrun::config::Secret;
use pressrun::model::{
    Agreement, AgreementId, AgreementStatus, Currency, CustomerId, ErrandKind, Every, InvoiceState, MembershipState,
    Money, Plan, PlanId, SubscriberId,
};
use pressrun::payments::{Checkout, Order, PaymentError, PortalPage, Provider};
use stand_in::StandIn;
use url::Url;

use super::mishaps::{GOOD, pays, provider, taken};

const SUCCESS: &str = "https://letter.example.com/checkout/done?session={CHECKOUT_SESSION_ID}";
const CANCEL: &str = "https://letter.example.com/plans";

pub fn euro(minor: i64) -> Money {
    Money { minor, currency: Currency::parse("EUR").unwrap() }
}

pub fn plan(every: Every, minor: i64) -> Plan {
    Plan {
        id: PlanId::new(format!("story-{every}")),
        title: format!("A story, every {every}"),
        description: None,
        every,
        prices: vec![euro(minor)],
        trial_days: 0,
        opens: Vec::new(),
    }
}

/// Somebody who reads, with a name that no other run has.
pub struct Reader {
    pub provider: Provider,
    name: String,
    pub customer: CustomerId,
}

impl Reader {
    pub async fn new(provider: Provider) -> Reader {
        let name: String = clock::random::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
        let subscriber = SubscriberId::new(&name);
        let make = || provider.customer_for(&subscriber, "ada@example.com", Some("Ada"), "de");
        let customer = make().await.unwrap();
        assert_eq!(make().await.unwrap(), customer, "asked twice, made once");
        Reader { provider, name, customer }
    }

    pub async fn begin(&self, plan: &Plan, reference: &str) -> Url {
        let price = self.provider.price_of(plan, plan.prices[0]).await.unwrap();
        let reference = format!("{}-{reference}", self.name);
        let order = Order {
            price: &price,
            plan,
            has_trial: plan.trial_days > 0,
            customer: Some(&self.customer),
            reference: &reference,
            language: "ar",
            success_url: SUCCESS,
            cancel_url: CANCEL,
            key: &reference,
        };
        let page = self.provider.begin_checkout(&order).await.unwrap();
        assert_eq!(self.provider.begin_checkout(&order).await.unwrap(), page, "asked twice, begun once");
        page
    }

    /// Waits for the checkout to be paid, as the events tell it.
    pub async fn paid(&self, reference: &str) -> Checkout {
        let since = clock::now() - chrono::Duration::hours(1);
        for _ in 0..900 {
            let page = self.provider.events(since, None).await.unwrap();
            for event in page.items {
                let Some((ErrandKind::Checkout, id)) = event.errand else { continue };
                let checkout = self.provider.checkout(&id).await.unwrap();
                if checkout.reference.as_deref() == Some(&format!("{}-{reference}", self.name)) && checkout.is_complete
                {
                    return checkout;
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("nobody paid within a quarter of an hour");
    }

    pub async fn agreement(&self, id: &AgreementId) -> Agreement {
        self.provider.agreement(id).await.unwrap().unwrap()
    }
}

pub fn standing(agreement: &Agreement) -> MembershipState {
    agreement.standing(chrono::Duration::days(7)).unwrap().state
}

/// From the first price to the last refund; `pay` is called with the page to pay on.
async fn story(provider: &Provider, pay: impl AsyncFn(Url)) -> (Reader, AgreementId) {
    let (monthly, yearly) = (plan(Every::Month, 500), plan(Every::Year, 5000));
    let reader = Reader::new(provider.clone()).await;
    let page = reader.begin(&monthly, "first").await;
    pay(page).await;
    let checkout = reader.paid("first").await;
    assert_eq!((checkout.is_open, checkout.customer.as_ref()), (false, Some(&reader.customer)));
    assert_eq!(checkout.language.as_deref(), Some("ar"));
    let id = checkout.agreement.expect("a subscription was bought");

    let bought = reader.agreement(&id).await;
    assert_eq!((bought.plan.as_ref(), bought.price, bought.every), (Some(&monthly.id), euro(500), Every::Month));
    assert_eq!((bought.status, standing(&bought)), (AgreementStatus::Active, MembershipState::Active));
    let invoice = &bought.invoices[0];
    assert_eq!((invoice.state, invoice.amount, invoice.given_back), (InvoiceState::Paid, euro(500), euro(0)));
    assert_eq!(invoice.covers_to, bought.period_end);
    let card = provider.card(&id).await.unwrap();
    assert!(card.is_some());

    pages_open_and_close(&reader).await;
    assert_eq!(provider.card(&id).await.unwrap(), card, "the card is still charged");

    provider.set_ending(&id, true).await.unwrap();
    let ending = reader.agreement(&id).await;
    assert_eq!((standing(&ending), ending.cancels_at), (MembershipState::Cancelled, Some(bought.period_end)));
    provider.set_ending(&id, false).await.unwrap();
    assert_eq!(reader.agreement(&id).await.cancels_at, None);

    let price = provider.price_of(&yearly, euro(5000)).await.unwrap();
    let at = clock::now();
    let said = provider.preview_switch(&id, &price, at).await.unwrap();
    assert_eq!((said.due_now.minor, said.next), (5000 - said.credit.minor, euro(5000)));
    for _ in 0..2 {
        provider.switch(&id, &price, at, &format!("{}-switch", reader.name)).await.unwrap();
    }
    let switched = reader.agreement(&id).await;
    assert_eq!((switched.plan.as_ref(), switched.every), (Some(&yearly.id), Every::Year));
    assert_eq!((switched.invoices.len(), switched.invoices[0].amount), (2, said.due_now));
    assert_eq!(switched.invoices[0].covers_to, switched.period_end);
    // A year begins when the switch is made, and not when it was previewed.
    assert!((switched.period_end - said.next_at).abs() < chrono::Duration::minutes(5));
    assert!(switched.invoices[1].covers_to <= at);

    provider.give_back(&id).await.unwrap();
    provider.give_back(&id).await.unwrap();
    let given = reader.agreement(&id).await;
    assert_eq!((given.invoices[0].state, given.invoices[0].given_back), (InvoiceState::GivenBack, said.due_now));
    assert_eq!(standing(&given), MembershipState::PastDue);
    provider.end_now(&id).await.unwrap();
    provider.end_now(&id).await.unwrap();
    let ended = reader.agreement(&id).await;
    assert_eq!((ended.status, standing(&ended)), (AgreementStatus::Ended, MembershipState::Ended));
    assert!(ended.ended_at.is_some());
    let all = provider.agreements(None).await.unwrap();
    assert!(all.items.contains(&id));
    (reader, id)
}

/// A page to pay on that is closed again, and the portal's pages.
async fn pages_open_and_close(reader: &Reader) {
    let provider = &reader.provider;
    reader.begin(&plan(Every::Year, 5000), "second").await;
    provider.close_checkouts(&reader.customer).await.unwrap();
    provider.close_checkouts(&reader.customer).await.unwrap();
    let back = Url::parse("https://letter.example.com/account").unwrap();
    for page in [PortalPage::Card, PortalPage::Invoices] {
        provider.portal(&reader.customer, page, &back, "de").await.unwrap();
    }
    provider.tell_address(&reader.customer, "ada@example.net").await.unwrap();
    assert_eq!(provider.agreement(&AgreementId::new("sub_0")).await, Ok(None));
    assert_eq!(provider.checkout("cs_test_0").await, Err(PaymentError::NotThere));
}

#[tokio::test]
async fn the_stand_in_tells_the_whole_story() {
    let stripe = StandIn::start(0).await.unwrap();
    let (reader, _) = story(&provider(&stripe), async |page| pays(&stripe, &page, GOOD).await).await;
    assert_eq!(taken(&stripe, &reader).await, 500, "a month was paid, a year paid and given back");
}

/// The same story in Stripe's test mode, where whoever runs it pays.
#[tokio::test]
#[ignore = "scripts/stripe-test-account asks for a key and a person"]
async fn a_test_account_tells_the_same_story() {
    let variable = |name: &str| std::env::var(name).ok();
    let key = variable("STRIPE_TEST_KEY").expect("scripts/stripe-test-account");
    assert!(key.starts_with("sk_test_") || key.starts_with("rk_test_"), "only keys of the test mode");
    let url = variable("STRIPE_TEST_URL").unwrap_or_else(|| "https://api.stripe.com".to_owned()).parse().unwrap();
    let provider = Provider::new(&url, Secret::new(key)).unwrap();
    let (reader, agreement) = story(&provider, async |page| {
        println!(
            "\nOpen this page and pay with the card 4242 4242 4242 4242, any later month, any three digits:\n\n{page}\n"
        );
    })
    .await;
    println!(
        "The story went as it should. In the account it made the products pressrun_story-month and pressrun_story-year with \
         a price each, a configuration of the portal, the customer {}, and the subscription {agreement}, which was paid, \
         switched, given back and ended.",
        reader.customer
    );
}

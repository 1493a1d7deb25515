//! What goes wrong with payments, made to happen by the stand-in for the provider.

use pressrun::clock;
use pressrun::config::Secret;
use pressrun::model::{
    Agreement, AgreementId, AgreementStatus, ErrandKind, Every, InvoiceState, MembershipState, Plan,
};
use pressrun::payments::webhook::verified;
use pressrun::payments::{PaymentError, PortalPage, Provider};
use serde_json::json;
use stand_in::StandIn;
use tokio::net::TcpListener;
use url::Url;

use super::localstripe::posted;
use super::story::{Reader, plan, standing};

pub const GOOD: &str = "4242424242424242";
const FAILS_LATER: &str = "4000000000000341";
const DAY: i64 = 86_400;

pub fn provider(stripe: &StandIn) -> Provider {
    Provider::new(&stripe.url.parse().unwrap(), Secret::new("sk_test_mountain")).unwrap()
}

/// Pays on a page of the provider's.
pub async fn pays(stripe: &StandIn, page: &Url, card: &str) {
    let reply = stripe.press(page.as_str(), &[("card", card)]).await.unwrap();
    assert!(reply.location.is_some_and(|to| to.starts_with("https://letter.example.com/")), "{}", reply.body);
}

/// What was taken from a reader and not given back, in cents.
pub async fn taken(stripe: &StandIn, reader: &Reader) -> i64 {
    let counts = stripe.control("counts", json!({})).await.unwrap();
    counts["money"][reader.customer.as_str()]["net"].as_i64().unwrap()
}

async fn advance(stripe: &StandIn, days: i64) {
    stripe.control("advance", json!({"seconds": days * DAY})).await.unwrap();
}

/// Somebody who has bought.
async fn member(stripe: &StandIn, plan: &Plan, card: &str) -> (Reader, AgreementId) {
    let reader = Reader::new(provider(stripe)).await;
    pays(stripe, &reader.begin(plan, "first").await, card).await;
    let id = reader.paid("first").await.agreement.unwrap();
    (reader, id)
}

fn newest(agreement: &Agreement) -> (InvoiceState, i64) {
    let invoice = agreement.invoices.first().unwrap();
    (invoice.state, invoice.amount.minor)
}

#[tokio::test]
async fn a_trial_goes_on_into_what_is_paid() {
    let stripe = StandIn::start(0).await.unwrap();
    let trial = Plan { trial_days: 14, ..plan(Every::Month, 500) };
    let (reader, id) = member(&stripe, &trial, GOOD).await;
    let in_trial = reader.agreement(&id).await;
    assert_eq!((standing(&in_trial), newest(&in_trial)), (MembershipState::Trial, (InvoiceState::Paid, 0)));
    assert_eq!(in_trial.invoices[0].covers_to, in_trial.period_end, "one reads to the end of the trial");
    advance(&stripe, 15).await;
    let paid = reader.agreement(&id).await;
    assert_eq!((standing(&paid), newest(&paid)), (MembershipState::Active, (InvoiceState::Paid, 500)));
    assert!(paid.period_end > in_trial.period_end);
}

#[tokio::test]
async fn a_card_that_fails_at_renewal_is_changed_and_charged() {
    let stripe = StandIn::start(0).await.unwrap();
    let (reader, id) = member(&stripe, &plan(Every::Month, 500), FAILS_LATER).await;
    advance(&stripe, 32).await;
    let late = reader.agreement(&id).await;
    assert_eq!((late.status, standing(&late)), (AgreementStatus::PastDue, MembershipState::PastDue));
    let open = &late.invoices[0];
    assert_eq!((open.state, open.attempts, open.next_attempt_at.is_some()), (InvoiceState::Open, 1, true));
    assert_eq!(late.standing(chrono::Duration::days(7)).unwrap().paid_until, late.invoices[1].covers_to);

    let before = reader.provider.card(&id).await.unwrap().unwrap();
    let back = Url::parse("https://letter.example.com/account").unwrap();
    let page = reader.provider.portal(&reader.customer, PortalPage::Card, &back, "en").await.unwrap();
    assert_eq!(reader.provider.card(&id).await.unwrap().as_ref(), Some(&before), "who turns back keeps their card");
    pays(&stripe, &format!("{page}/card").parse().unwrap(), GOOD).await;
    assert_ne!(reader.provider.card(&id).await.unwrap().as_ref(), Some(&before));
    advance(&stripe, 7).await;
    let paid = reader.agreement(&id).await;
    assert_eq!((standing(&paid), newest(&paid)), (MembershipState::Active, (InvoiceState::Paid, 500)));
    assert_eq!(taken(&stripe, &reader).await, 1000);
}

#[tokio::test]
async fn a_declined_switch_changes_nothing() {
    let stripe = StandIn::start(0).await.unwrap();
    let (reader, id) = member(&stripe, &plan(Every::Month, 500), FAILS_LATER).await;
    let yearly = plan(Every::Year, 5000);
    let price = reader.provider.price_of(&yearly, yearly.prices[0]).await.unwrap();
    let before = reader.agreement(&id).await;
    let declined = reader.provider.switch(&id, &price, clock::now(), "switch-1").await;
    assert!(matches!(declined, Err(PaymentError::Declined { code: Some(_) })), "{declined:?}");
    assert_eq!(reader.agreement(&id).await, before);
}

#[tokio::test]
async fn a_dispute_is_told_until_it_is_won() {
    let stripe = StandIn::start(0).await.unwrap();
    let (reader, id) = member(&stripe, &plan(Every::Month, 500), GOOD).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hook = format!("http://{}/", listener.local_addr().unwrap());
    stripe.control("webhooks", json!({"url": hook, "secret": "whsec_mountain"})).await.unwrap();
    let charges = stripe.ask("GET", "charges", "").await.unwrap();
    let charge = charges["data"][0]["id"].as_str().unwrap();
    let dispute = stripe.control("dispute", json!({"charge": charge})).await.unwrap();
    let disputed = reader.agreement(&id).await;
    assert_eq!((standing(&disputed), disputed.invoices[0].state), (MembershipState::PastDue, InvoiceState::Disputed));

    // The message does not say whose it is; the charge does.
    let errand = loop {
        let (signature, body) = posted(&listener).await;
        let event = verified(&body, &signature, &[Secret::new("whsec_mountain")], clock::now()).unwrap();
        if event.errand.is_some() {
            break event.errand;
        }
    };
    assert_eq!(errand, Some((ErrandKind::Charge, charge.to_owned())));
    assert_eq!(reader.provider.payer(charge).await, Ok(Some(reader.customer.clone())));

    stripe.control("close", json!({"dispute": dispute["id"], "status": "won"})).await.unwrap();
    let won = reader.agreement(&id).await;
    assert_eq!((standing(&won), won.invoices[0].state), (MembershipState::Active, InvoiceState::Paid));
}

/// Each of the calls that make something or take money, with its answer lost after it was done.
#[tokio::test]
async fn nothing_is_done_twice_when_answers_are_lost() {
    let stripe = StandIn::start(0).await.unwrap();
    let lose = async |endpoint: &str| {
        let wish = json!({"what": "drop_after", "endpoint": endpoint});
        stripe.control("fail", wish).await.unwrap();
    };
    for endpoint in ["products", "prices", "customers", "checkout/sessions"] {
        lose(&format!("POST /v1/{endpoint}")).await;
    }
    let (monthly, yearly) = (plan(Every::Month, 500), plan(Every::Year, 5000));
    let (reader, id) = member(&stripe, &monthly, GOOD).await;
    let price = reader.provider.price_of(&yearly, yearly.prices[0]).await.unwrap();
    lose("POST /v1/subscriptions/:id").await;
    let at = clock::now();
    let said = reader.provider.preview_switch(&id, &price, at).await.unwrap();
    reader.provider.switch(&id, &price, at, "switch-1").await.unwrap();
    assert_eq!(taken(&stripe, &reader).await, 500 + said.due_now.minor);
    lose("POST /v1/refunds").await;
    reader.provider.give_back(&id).await.unwrap();
    assert_eq!(taken(&stripe, &reader).await, 500);
    lose("DELETE /v1/subscriptions/:id").await;
    reader.provider.end_now(&id).await.unwrap();
    let all = stripe.control("state", json!({})).await.unwrap();
    let made = ["product", "price", "customer", "checkout.session", "subscription", "refund"];
    let made = made.map(|kind| all[kind].as_array().map_or(0, Vec::len));
    assert_eq!(made, [2, 2, 1, 1, 1, 1]);
}

#[tokio::test]
async fn a_provider_that_is_down_is_away_and_comes_back() {
    let stripe = StandIn::start(0).await.unwrap();
    let (reader, id) = member(&stripe, &plan(Every::Month, 500), GOOD).await;
    stripe.control("down", json!({"is": true})).await.unwrap();
    let away = reader.provider.agreement(&id).await;
    assert!(matches!(away, Err(PaymentError::Away(_))), "{away:?}");
    stripe.control("down", json!({"is": false})).await.unwrap();
    stripe.control("fail", json!({"what": "429"})).await.unwrap();
    assert_eq!(standing(&reader.agreement(&id).await), MembershipState::Active);
}

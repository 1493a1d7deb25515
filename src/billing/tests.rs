//! Errands, against the stand-in for the provider.

use stand_in::StandIn;
use tempfile::TempDir;

use super::*;
use crate::config::Secret;
use crate::model::{Currency, EmailAddress, Every, MembershipState, PlanId};
use crate::store::fresh::sqlite;

async fn till(stripe: &StandIn) -> (Till, TempDir) {
    let (store, folder) = sqlite().await;
    let provider = Provider::new(&Url::parse(&stripe.url).unwrap(), Secret::new("sk_test_mountain")).unwrap();
    let keys = Arc::new(ServerKeys::new(*b"key", []));
    (Till { store, provider, keys, grace: Duration::days(7), max_lateness: Duration::days(1) }, folder)
}

fn plan() -> Plan {
    Plan {
        id: PlanId::new("monthly"),
        title: "Monthly".to_owned(),
        description: None,
        every: Every::Month,
        prices: vec![Money { minor: 500, currency: Currency::parse("EUR").unwrap() }],
        trial_days: 0,
        opens: Vec::new(),
    }
}

/// Pays in a browser without a session; the checkout's id.
async fn pays(till: &Till, stripe: &StandIn) -> String {
    let buyer = Buyer { reader: None, browser_hash: "browser", language: "en", base_url: "https://letter.example.com" };
    let page = till.buy(buyer, &plan(), plan().prices[0], clock::now()).await.unwrap();
    let form = [("email", "ann@example.com"), ("card", "4242424242424242")];
    let back = stripe.press(page.as_str(), &form).await.unwrap().location.unwrap();
    back.rsplit_once('=').unwrap().1.to_owned()
}

async fn states(till: &Till) -> Vec<MembershipState> {
    let reader = till.store.subscribers_with(&["ann@example.com"]).await.unwrap().remove(0).id;
    till.store.memberships(&reader).await.unwrap().into_iter().map(|membership| membership.state).collect()
}

#[tokio::test]
async fn before_money_is_given_back_the_provider_is_asked_for_the_other() {
    use MembershipState::{Active, Ended};
    let stripe = StandIn::start(0).await.unwrap();
    let (till, _folder) = till(&stripe).await;
    let first = pays(&till, &stripe).await;
    till.returned(&first, clock::now()).await.unwrap();
    let first = till.provider.checkout(&first).await.unwrap().agreement.unwrap();
    // Nobody has heard yet that it was ended there.
    till.provider.end_now(&first).await.unwrap();
    let second = pays(&till, &stripe).await;
    till.returned(&second, clock::now()).await.unwrap();
    while !work(&till, 10, clock::now()).await.unwrap() {}
    assert_eq!(states(&till).await, [Active, Ended]);
    let third = pays(&till, &stripe).await;
    till.returned(&third, clock::now()).await.unwrap();
    while !work(&till, 10, clock::now()).await.unwrap() {}
    assert_eq!(states(&till).await, [Active, Ended, Ended]);
    let third = till.provider.checkout(&third).await.unwrap().agreement.unwrap();
    let ended = till.provider.agreement(&third).await.unwrap().unwrap();
    assert_eq!(ended.invoices[0].given_back.minor, 500);
}

#[tokio::test]
async fn a_clock_that_is_wrong_passes_over_no_event() {
    let stripe = StandIn::start(0).await.unwrap();
    let (till, _folder) = till(&stripe).await;
    let wrong = clock::now() + Duration::hours(2);
    till.catch_up(wrong).await.unwrap();
    for agreements in [1, 2] {
        pays(&till, &stripe).await;
        till.catch_up(wrong + Duration::minutes(5 * agreements)).await.unwrap();
        till.catch_up(wrong + Duration::minutes(5 * agreements + 1)).await.unwrap();
        let later = wrong + Duration::hours(1);
        while let Some(errand) = till.store.begin_errand(None, later, later + LEASE).await.unwrap() {
            till.run(&errand, later).await.unwrap();
        }
        assert_eq!(i64::try_from(states(&till).await.len()).unwrap(), agreements);
    }
}

#[tokio::test]
async fn an_errand_that_cannot_be_done_stops_no_other() {
    let stripe = StandIn::start(0).await.unwrap();
    let (till, _folder) = till(&stripe).await;
    let session = pays(&till, &stripe).await;
    till.returned(&session, clock::now()).await.unwrap();
    let reader = till.store.subscribers_with(&["ann@example.com"]).await.unwrap().remove(0);
    let who = (reader.id.clone(), EmailAddress::parse(&reader.email).unwrap());
    let flow = crate::audience::flow_id(clock::random());
    crate::audience::erase(&till.store, &till.keys, who, "en".to_owned(), flow, clock::now()).await.unwrap();
    // A row that cannot be read, and an id that the provider does not know.
    till.store.keep_customer(&CustomerId::new("cus_2"), &reader.id, clock::now()).await.unwrap();
    for (kind, about) in [(ErrandKind::Address, "cus_2"), (ErrandKind::Charge, "ch_2"), (ErrandKind::Customer, "cus_3")]
    {
        till.store.send_for(kind, about, clock::now()).await.unwrap();
    }
    assert!(work(&till, 10, clock::now()).await.unwrap());
    assert!(till.store.awaits(ErrandKind::Address, "cus_2").await.unwrap());
    assert!(till.store.awaits(ErrandKind::Charge, "ch_2").await.unwrap());
    assert!(!till.store.awaits(ErrandKind::Customer, "cus_3").await.unwrap());
}

#[tokio::test]
async fn whoever_comes_back_waits_for_whoever_is_at_it() {
    let stripe = StandIn::start(0).await.unwrap();
    let (till, _folder) = till(&stripe).await;
    let session = pays(&till, &stripe).await;
    let now = clock::now();
    till.store.send_for(ErrandKind::Checkout, &session, now).await.unwrap();
    let which = Some((ErrandKind::Checkout, session.as_str()));
    let other = till.store.begin_errand(which, now, now + LEASE).await.unwrap().unwrap();
    let done = async {
        tokio::task::yield_now().await;
        till.run(&other, clock::now()).await.unwrap();
    };
    let (came_of, ()) = tokio::join!(till.returned(&session, now), done);
    assert!(came_of.unwrap().is_some());
    assert_eq!(states(&till).await, [MembershipState::Active]);
    assert!(!till.store.awaits(ErrandKind::Checkout, &session).await.unwrap());
}

#[tokio::test]
async fn whom_the_provider_has_forgotten_can_buy_again() {
    let stripe = StandIn::start(0).await.unwrap();
    let (till, _folder) = till(&stripe).await;
    let session = pays(&till, &stripe).await;
    till.returned(&session, clock::now()).await.unwrap();
    let reader = till.store.subscribers_with(&["ann@example.com"]).await.unwrap().remove(0);
    till.store.keep_customer(&CustomerId::new("cus_gone"), &reader.id, clock::now()).await.unwrap();
    let made = till.customer_of(&reader, "en", clock::now()).await.unwrap();
    assert_ne!(made.as_str(), "cus_gone");
    assert_eq!(till.customer_of(&reader, "en", clock::now()).await.unwrap(), made);
}

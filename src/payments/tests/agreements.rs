use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::server::{Reply, Server};
use crate::model::{Agreement, AgreementId, AgreementStatus, InvoiceState};
use crate::payments::PaymentError;

/// Objects as the provider's library for the pinned version declares them, with nothing left out.
fn shape(text: &str, changes: &[(&str, Value)]) -> Value {
    let mut shape: Value = serde_json::from_str(text).unwrap();
    for (pointer, value) in changes {
        *shape.pointer_mut(pointer).expect(pointer) = value.clone();
    }
    shape
}

fn subscription(changes: &[(&str, Value)]) -> Value {
    shape(include_str!("shapes/subscription.json"), changes)
}

fn invoice(changes: &[(&str, Value)]) -> Value {
    shape(include_str!("shapes/invoice.json"), changes)
}

fn charge(changes: &[(&str, Value)]) -> Value {
    shape(include_str!("shapes/charge.json"), changes)
}

fn list(data: &[Value]) -> Value {
    json!({"object": "list", "has_more": false, "url": "/v1/some", "data": data})
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

/// A provider that has these and nothing else.
async fn with(subscription: Value, invoices: Vec<Value>, charges: Vec<Value>, disputes: Vec<&'static str>) -> Server {
    Server::start(move |_, asked| {
        Reply::Status(
            200,
            match asked.path.as_str() {
                "/v1/subscriptions/sub_1" => subscription.clone(),
                "/v1/invoices" => list(&invoices),
                "/v1/charges" => list(&charges),
                "/v1/disputes" => {
                    list(&disputes.iter().map(|status| json!({"id": "dp", "status": status})).collect::<Vec<_>>())
                }
                _ => return Reply::error(404, "resource_missing"),
            },
        )
    })
    .await
}

async fn agreement(server: &Server) -> Agreement {
    server.provider().agreement(&AgreementId::new("sub_1")).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_agreement_is_read_as_the_provider_publishes_it() {
    let first = invoice(&[
        ("/id", json!("in_1")),
        ("/created", json!(1_790_000_000)),
        ("/billing_reason", json!("subscription_create")),
        ("/lines/data/0/period", json!({"start": 1_790_000_000, "end": 1_792_592_000})),
        ("/payments/data/0/payment/payment_intent", json!("pi_1")),
    ]);
    let open = invoice(&[
        ("/status", json!("open")),
        ("/amount_paid", json!(0)),
        ("/attempt_count", json!(2)),
        ("/next_payment_attempt", json!(1_792_800_000)),
        ("/status_transitions/paid_at", json!(null)),
    ]);
    let server = with(subscription(&[("/status", json!("past_due"))]), vec![open, first], vec![], vec![]).await;
    insta::assert_debug_snapshot!(agreement(&server).await);
    let asked = server.asked();
    assert_eq!(asked[1].value("expand[0]"), Some("data.payments"));
    assert_eq!(asked[2].value("created[gte]"), Some("1790000000"));
}

#[tokio::test]
async fn refunds_and_disputes_decide_what_an_invoice_is() {
    use InvoiceState::{Disputed, GivenBack, Paid};
    for (refunded, disputes, given_back, expected) in [
        (0, vec![], 0, Paid),
        (499, vec![], 499, Paid),
        (500, vec![], 500, GivenBack),
        (0, vec!["needs_response"], 0, Disputed),
        (0, vec!["under_review"], 0, Disputed),
        (0, vec!["lost"], 0, Disputed),
        (0, vec!["a_word_of_a_later_day"], 0, Disputed),
        (0, vec!["won"], 0, Paid),
        (0, vec!["won", "lost"], 0, Disputed),
        (0, vec!["warning_needs_response"], 0, Paid),
        (500, vec!["prevented"], 500, GivenBack),
    ] {
        let told = format!("{refunded} {disputes:?}");
        let charges = vec![
            charge(&[("/id", json!("ch_9")), ("/payment_intent", json!("pi_9")), ("/amount_refunded", json!(500))]),
            charge(&[("/amount_refunded", json!(refunded)), ("/disputed", json!(!disputes.is_empty()))]),
            // A first try with another card.
            charge(&[("/id", json!("ch_1")), ("/status", json!("failed"))]),
        ];
        let server = with(subscription(&[]), vec![invoice(&[])], charges, disputes).await;
        let invoice = agreement(&server).await.invoices.remove(0);
        assert_eq!((invoice.state, invoice.given_back.minor), (expected, given_back), "{told}");
    }
}

#[tokio::test]
async fn what_was_paid_without_an_intent_is_joined_by_its_charge() {
    let by_charge = invoice(&[("/payments/data/0/payment", json!({"type": "charge", "charge": "ch_2"}))]);
    let charges = vec![charge(&[("/payment_intent", json!(null)), ("/amount_refunded", json!(500))])];
    let server = with(subscription(&[]), vec![by_charge], charges.clone(), vec![]).await;
    assert_eq!(agreement(&server).await.invoices[0].state, InvoiceState::GivenBack);
    let by_credit = invoice(&[("/payments", json!(null)), ("/amount_due", json!(0))]);
    let server = with(subscription(&[]), vec![by_credit], charges, vec![]).await;
    assert_eq!(agreement(&server).await.invoices[0].state, InvoiceState::Paid);
    assert_eq!(server.asked().len(), 2, "nothing was taken, so no charges are asked for");
}

#[tokio::test]
async fn charges_are_read_to_their_end() {
    let server = Server::start(|_, asked| {
        let page = |id: &str, refunded: i64, has_more: bool| {
            let charge = charge(&[("/id", json!(id)), ("/amount_refunded", json!(refunded))]);
            json!({"object": "list", "url": "/v1/charges", "has_more": has_more, "data": [charge]})
        };
        Reply::Status(
            200,
            match (asked.path.as_str(), asked.value("starting_after")) {
                ("/v1/charges", None) => page("ch_3", 0, true),
                ("/v1/charges", Some("ch_3")) => page("ch_2", 500, false),
                ("/v1/invoices", _) => list(&[invoice(&[])]),
                _ => subscription(&[]),
            },
        )
    });
    assert_eq!(agreement(&server.await).await.invoices[0].state, InvoiceState::GivenBack);
}

#[tokio::test]
async fn what_a_switch_credits_is_no_longer_covered() {
    let line = |amount: i64, start: i64, end: i64| {
        let mut line = invoice(&[])["lines"]["data"][0].clone();
        line["amount"] = json!(amount);
        line["period"] = json!({"start": start, "end": end});
        line
    };
    let (began, switched, month, year) = (1_790_000_000, 1_791_000_000, 1_793_678_400, 1_821_536_000);
    let yearly = invoice(&[("/id", json!("in_1")), ("/lines/data", json!([line(5000, began, year)]))]);
    let lines = json!([line(-4800, switched, year), line(500, switched, month)]);
    let mut switch = vec![("/lines/data", lines), ("/amount_due", json!(0))];
    let covers =
        |agreement: Agreement| -> Vec<_> { agreement.invoices.iter().map(|invoice| invoice.covers_to).collect() };
    let server = with(subscription(&[]), vec![invoice(&switch), yearly.clone()], vec![], vec![]).await;
    assert_eq!(covers(agreement(&server).await), [at(month), at(switched)]);
    switch.push(("/status", json!("void")));
    let server = with(subscription(&[]), vec![invoice(&switch), yearly], vec![], vec![]).await;
    assert_eq!(covers(agreement(&server).await), [at(month), at(year)]);
}

#[tokio::test]
async fn words_of_a_later_day_are_read() {
    use AgreementStatus::{Active, Ended, Incomplete, PastDue, Trialing, Unpaid};
    for (word, expected) in [
        ("incomplete", Incomplete),
        ("incomplete_expired", Incomplete),
        ("trialing", Trialing),
        ("active", Active),
        ("past_due", PastDue),
        ("unpaid", Unpaid),
        ("canceled", Ended),
        ("paused", Ended),
        ("sleeping", Unpaid),
    ] {
        let odd = invoice(&[("/status", json!("dreaming"))]);
        let server = with(subscription(&[("/status", json!(word))]), vec![odd], vec![], vec![]).await;
        let agreement = agreement(&server).await;
        assert_eq!((agreement.status, agreement.invoices[0].state), (expected, InvoiceState::Void), "{word}");
    }
}

#[tokio::test]
async fn an_agreement_at_another_price_says_itself_what_it_is_for() {
    let foreign = ("/items/data/0/price/metadata", json!({}));
    let plan = async |changes: &[(&str, Value)]| {
        let server = with(subscription(changes), vec![], vec![], vec![]).await;
        agreement(&server).await.plan.map(|plan| plan.to_string())
    };
    assert_eq!(plan(&[foreign.clone(), ("/metadata", json!({}))]).await, None);
    let own = ("/metadata", json!({"pressrun_plan": "friends"}));
    assert_eq!(plan(&[foreign, own.clone()]).await.as_deref(), Some("friends"));
    assert_ne!(plan(&[own]).await.as_deref(), Some("friends"), "a switch changes the price alone");
}

#[tokio::test]
async fn when_an_agreement_ends_is_told_in_either_way() {
    let end = 1_795_184_000;
    for (changes, expected) in [
        (vec![], None),
        (vec![("/cancel_at_period_end", json!(true)), ("/cancel_at", json!(end))], Some(at(end))),
        (vec![("/cancel_at_period_end", json!(true))], Some(at(end))),
        (vec![("/cancel_at", json!(1_799_999_999))], Some(at(1_799_999_999))),
    ] {
        let server = with(subscription(&changes), vec![], vec![], vec![]).await;
        assert_eq!(agreement(&server).await.cancels_at, expected);
    }
}

#[tokio::test]
async fn what_is_not_there_is_none_and_what_cannot_be_read_an_error() {
    let server = with(subscription(&[]), vec![], vec![], vec![]).await;
    assert_eq!(server.provider().agreement(&AgreementId::new("sub_2")).await, Ok(None));
    for (pointer, value) in [
        ("/items/data", json!([])),
        ("/items/data/0/price/currency", json!("beads")),
        ("/created", json!("ada@example.com")),
    ] {
        let server = with(subscription(&[(pointer, value)]), vec![], vec![], vec![]).await;
        let error = server.provider().agreement(&AgreementId::new("sub_1")).await.unwrap_err();
        assert!(matches!(&error, PaymentError::Unreadable(place) if !place.contains("ada")), "{pointer} {error:?}");
    }
}

#[tokio::test]
async fn all_agreements_are_listed_but_those_of_others() {
    let nothing = || json!({});
    let other =
        subscription(&[("/id", json!("sub_2")), ("/metadata", nothing()), ("/items/data/0/price/metadata", nothing())]);
    let server = Server::start(move |_, asked| {
        let has_more = asked.value("starting_after").is_none();
        Reply::Status(200, json!({"has_more": has_more, "data": [subscription(&[]), other.clone()]}))
    });
    let server = server.await;
    let page = server.provider().agreements(None).await.unwrap();
    assert_eq!(page.items, [AgreementId::new("sub_1")]);
    assert_eq!(page.next.as_deref(), Some("sub_2"));
    assert_eq!(server.provider().agreements(page.next.as_deref()).await.unwrap().next, None);
    assert_eq!(server.asked()[0].value("status"), Some("all"));
}

#[tokio::test]
async fn a_switch_says_what_it_costs_now_and_next() {
    let line = |amount: i64, end: i64| json!({"amount": amount, "period": {"start": 1_792_592_000, "end": end}});
    for (lines, due, total, balance, expected) in [
        // To a dearer plan of the same length.
        (vec![line(-250, 1_795_184_000), line(600, 1_795_184_000)], 350, 350, 0, (350, 250, 1200, 1_795_184_000)),
        // To a cheaper one: the rest is taken off the next payments.
        (vec![line(-2000, 1_821_536_000), line(1200, 1_795_270_400)], 0, -800, 0, (0, 2000, 400, 1_795_270_400)),
        (vec![line(-9000, 1_821_536_000), line(1200, 1_795_270_400)], 0, -7800, 0, (0, 9000, 0, 1_795_270_400)),
        // Credit from before; an amount that is too small to be charged.
        (vec![line(600, 1_795_184_000)], 400, 600, -200, (400, 0, 1200, 1_795_184_000)),
        (vec![line(30, 1_795_184_000)], 0, 30, 0, (0, 0, 1230, 1_795_184_000)),
        // Within a trial nothing is due before its end.
        (vec![line(0, 1_795_184_000)], 0, 0, 0, (0, 0, 1200, 1_795_184_000)),
    ] {
        let server = Server::start(move |_, asked| {
            Reply::Status(
                200,
                match asked.path.as_str() {
                    "/v1/invoices/create_preview" => json!({"amount_due": due, "total": total, "currency": "eur",
                        "starting_balance": balance, "lines": {"data": lines, "has_more": false}}),
                    "/v1/prices/price_2" => {
                        let mut price = subscription(&[])["items"]["data"][0]["price"].clone();
                        price["unit_amount"] = json!(1200);
                        price
                    }
                    _ => subscription(&[]),
                },
            )
        });
        let server = server.await;
        let (id, at) = (AgreementId::new("sub_1"), at(1_793_000_000));
        let switch = server.provider().preview_switch(&id, "price_2", at).await.unwrap();
        let told = (switch.due_now.minor, switch.credit.minor, switch.next.minor, switch.next_at.timestamp());
        assert_eq!(told, expected);
        server.provider().switch(&id, "price_2", at, "key-1").await.unwrap();
        let asked = server.asked();
        assert_eq!(asked[1].value("subscription_details[proration_date]"), Some("1793000000"));
        let done = asked.last().unwrap();
        let told =
            ["items[0][id]", "items[0][price]", "proration_date", "payment_behavior"].map(|name| done.value(name));
        assert_eq!(told.map(Option::unwrap), ["si_1", "price_2", "1793000000", "error_if_incomplete"]);
        assert_eq!(done.field("Idempotency-Key"), Some("key-1"));
    }
}

#[tokio::test]
async fn the_card_is_the_one_that_is_charged_next() {
    let card = |id: &str, year: i32| {
        json!({"id": id, "object": "payment_method", "type": "card",
            "card": {"brand": "visa", "last4": "4242", "exp_month": 4, "exp_year": year, "fingerprint": "f"}})
    };
    let debit = json!({"id": "pm_3", "type": "sepa_debit", "sepa_debit": {"last4": "3000", "country": "DE"}});
    for (own, of_customer, expected) in [
        (card("pm_1", 2030), card("pm_2", 2030), Some("pm_1-2030-4")),
        (json!(null), card("pm_2", 2030), Some("pm_2-2030-4")),
        // The same card with another expiry.
        (json!(null), card("pm_2", 2033), Some("pm_2-2033-4")),
        (json!(null), debit, Some("pm_3-null-null")),
        (json!(null), json!(null), None),
    ] {
        let customer = json!({"id": "cus_1", "invoice_settings": {"default_payment_method": of_customer}});
        let charged = subscription(&[("/default_payment_method", own), ("/customer", customer)]);
        let server = with(charged, vec![], vec![], vec![]).await;
        let charged = server.provider().card(&AgreementId::new("sub_1")).await.unwrap();
        assert_eq!(charged.as_deref(), expected);
    }
    let deleted = subscription(&[
        ("/default_payment_method", json!(null)),
        ("/customer", json!({"id": "cus_1", "object": "customer", "deleted": true})),
    ]);
    let server = with(deleted, vec![], vec![], vec![]).await;
    assert_eq!(server.provider().card(&AgreementId::new("sub_1")).await, Ok(None));
}

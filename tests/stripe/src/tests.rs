//! Stories about the stand-in itself. What Stripe's own library says about it is in `judge.py`.

use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{StandIn, money, sign};

const DAY: i64 = 86_400;

/// Something to buy: the id of a price of 5 euros a month.
async fn price(stripe: &StandIn, amount: i64, interval: &str) -> String {
    let form = format!(
        "currency=eur&unit_amount={amount}&recurring[interval]={interval}&product_data[name]=Paid&lookup_key={interval}_{amount}"
    );
    id(&stripe.ask("POST", "prices", &form).await.expect("a price"))
}

fn id(value: &Value) -> String {
    value["id"].as_str().expect("an id").to_owned()
}

async fn checkout(stripe: &StandIn, price: &str, more: &str) -> Value {
    let form = format!(
        "mode=subscription&line_items[0][price]={price}&line_items[0][quantity]=1\
         &success_url=http://localhost/back?s={{CHECKOUT_SESSION_ID}}&cancel_url=http://localhost/plans{more}"
    );
    stripe.ask("POST", "checkout/sessions", &form).await.expect("a session")
}

/// Buys: the subscription's id.
async fn buy(stripe: &StandIn, price: &str, card: &str, more: &str) -> String {
    let session = checkout(stripe, price, more).await;
    let page = session["url"].as_str().expect("a page");
    let reply = stripe.press(page, &[("email", "ann@example.com"), ("card", card)]).await.expect("an answer");
    let expected = format!("http://localhost/back?s={}", id(&session));
    assert_eq!(reply.location.as_deref(), Some(expected.as_str()), "{}", reply.body);
    let session = stripe.ask("GET", &format!("checkout/sessions/{}", id(&session)), "").await.expect("it");
    session["subscription"].as_str().expect("bought").to_owned()
}

async fn subscription(stripe: &StandIn, id: &str) -> Value {
    stripe.ask("GET", &format!("subscriptions/{id}"), "expand[0]=latest_invoice.payments").await.expect("it is there")
}

async fn advance(stripe: &StandIn, days: i64) {
    stripe.control("advance", json!({"seconds": days * DAY})).await.expect("time goes on");
}

async fn kinds(stripe: &StandIn) -> Vec<String> {
    let events = stripe.ask("GET", "events", "limit=100").await.expect("events");
    let events = events["data"].as_array().expect("a list").iter();
    events.map(|event| event["type"].as_str().expect("a type").to_owned()).rev().collect()
}

async fn net(stripe: &StandIn) -> i64 {
    let counts = stripe.control("counts", json!({})).await.expect("counts");
    counts["money"].as_object().expect("customers").values().map(|sums| sums["net"].as_i64().expect("a sum")).sum()
}

#[tokio::test]
async fn who_pays_is_charged_once_and_told_of() {
    let stripe = StandIn::start(0).await.expect("a port");
    let price = price(&stripe, 500, "month").await;
    let id = buy(&stripe, &price, money::GOOD, "").await;
    let bought = subscription(&stripe, &id).await;
    assert_eq!(bought["status"], "active");
    assert_eq!(bought["latest_invoice"]["status"], "paid");
    assert_eq!(bought["latest_invoice"]["payments"]["data"][0]["amount_paid"], 500);
    assert_eq!(net(&stripe).await, 500);
    let expected = [
        "product.created", "price.created", "customer.created", "payment_method.attached", "invoice.created",
        "customer.subscription.created", "payment_intent.created", "invoice.finalized", "charge.succeeded",
        "payment_intent.succeeded", "invoice_payment.paid", "invoice.paid", "invoice.payment_succeeded",
        "checkout.session.completed",
    ];
    assert_eq!(kinds(&stripe).await, expected);
    let counts = stripe.control("counts", json!({})).await.expect("counts");
    assert_eq!(counts["requests"]["GET /v1/subscriptions/:id"], 1);
}

#[tokio::test]
async fn a_declined_card_leaves_the_page_open() {
    let stripe = StandIn::start(0).await.expect("a port");
    let session = checkout(&stripe, &price(&stripe, 500, "month").await, "").await;
    let page = session["url"].as_str().expect("a page");
    let fields = [("email", "ann@example.com"), ("card", money::DECLINED)];
    let reply = stripe.press(page, &fields).await.expect("an answer");
    assert!(reply.body.contains("Your card was declined."), "{}", reply.body);
    assert_eq!(net(&stripe).await, 0);
    assert!(stripe.look(page).await.expect("a page").body.contains("5.00 EUR every month"));
    advance(&stripe, 1).await;
    assert!(stripe.look(page).await.expect("a page").body.contains("expired"));
    assert_eq!(kinds(&stripe).await.pop().as_deref(), Some("checkout.session.expired"));
}

#[tokio::test]
async fn a_card_that_fails_at_renewal_is_tried_again_until_the_end() {
    let stripe = StandIn::start(0).await.expect("a port");
    let id = buy(&stripe, &price(&stripe, 500, "month").await, money::FAILS_LATER, "").await;
    advance(&stripe, 32).await;
    let late = subscription(&stripe, &id).await;
    assert_eq!((&late["status"], &late["latest_invoice"]["attempt_count"]), (&json!("past_due"), &json!(1)));
    assert!(late["latest_invoice"]["next_payment_attempt"].is_i64());
    let pay = format!("invoices/{}/pay", late["latest_invoice"]["id"].as_str().expect("an id"));
    assert_eq!(stripe.ask("POST", &pay, "").await.expect_err("declined").0, 402);
    assert_eq!(subscription(&stripe, &id).await["latest_invoice"]["attempt_count"], 1, "a hand changes no schedule");
    advance(&stripe, 20).await;
    let over = subscription(&stripe, &id).await;
    assert_eq!((&over["status"], &over["latest_invoice"]["attempt_count"]), (&json!("canceled"), &json!(4)));
    assert_eq!(over["cancellation_details"]["reason"], "payment_failed");
    assert_eq!(net(&stripe).await, 500);
}

#[tokio::test]
async fn a_trial_is_announced_and_goes_on_into_what_is_paid() {
    let stripe = StandIn::start(0).await.expect("a port");
    let price = price(&stripe, 500, "month").await;
    let id = buy(&stripe, &price, money::GOOD, "&subscription_data[trial_period_days]=14").await;
    assert_eq!(subscription(&stripe, &id).await["status"], "trialing");
    assert_eq!(net(&stripe).await, 0);
    advance(&stripe, 12).await;
    assert_eq!(kinds(&stripe).await.pop().as_deref(), Some("customer.subscription.trial_will_end"));
    advance(&stripe, 3).await;
    assert_eq!(subscription(&stripe, &id).await["status"], "active");
    assert_eq!(net(&stripe).await, 500);
}

#[tokio::test]
async fn a_renewal_is_a_draft_for_an_hour() {
    let stripe = StandIn::start(0).await.expect("a port");
    let id = buy(&stripe, &price(&stripe, 5_000, "year").await, money::GOOD, "").await;
    let end = subscription(&stripe, &id).await["items"]["data"][0]["current_period_end"].clone();
    stripe.control("advance", json!({"to": end})).await.expect("time goes on");
    assert_eq!(subscription(&stripe, &id).await["latest_invoice"]["status"], "draft");
    stripe.control("advance", json!({"seconds": 3_600})).await.expect("time goes on");
    let renewed = subscription(&stripe, &id).await;
    assert_eq!(renewed["latest_invoice"]["status"], "paid");
    assert_eq!(renewed["items"]["data"][0]["current_period_start"], end);
    assert_eq!(net(&stripe).await, 10_000);
}

#[tokio::test]
async fn what_is_to_end_ends_with_its_period_unless_it_is_kept() {
    let stripe = StandIn::start(0).await.expect("a port");
    let price = price(&stripe, 500, "month").await;
    let (ends, kept) = (buy(&stripe, &price, money::GOOD, "").await, buy(&stripe, &price, money::GOOD, "").await);
    for id in [&ends, &kept] {
        stripe.ask("POST", &format!("subscriptions/{id}"), "cancel_at_period_end=true").await.expect("to end");
    }
    stripe.ask("POST", &format!("subscriptions/{kept}"), "cancel_at_period_end=false").await.expect("kept");
    advance(&stripe, 32).await;
    assert_eq!(subscription(&stripe, &ends).await["status"], "canceled");
    assert_eq!(subscription(&stripe, &kept).await["status"], "active");
    let refused = stripe.ask("POST", &format!("subscriptions/{ends}"), "cancel_at_period_end=false").await;
    assert_eq!(refused.expect_err("it is over").0, 400);
}

#[tokio::test]
async fn a_switch_costs_what_its_preview_said() {
    let stripe = StandIn::start(0).await.expect("a port");
    let (month, year) = (price(&stripe, 500, "month").await, price(&stripe, 5_000, "year").await);
    let id = buy(&stripe, &month, money::GOOD, "").await;
    advance(&stripe, 10).await;
    let bought = subscription(&stripe, &id).await;
    let item = bought["items"]["data"][0]["id"].as_str().expect("an item");
    let at = bought["items"]["data"][0]["current_period_start"].as_i64().expect("a moment") + 10 * DAY;
    let form = format!(
        "subscription={id}&subscription_details[items][0][id]={item}&subscription_details[items][0][price]={year}\
         &subscription_details[proration_behavior]=always_invoice&subscription_details[proration_date]={at}"
    );
    let preview = stripe.ask("POST", "invoices/create_preview", &form).await.expect("a preview");
    let due = preview["amount_due"].as_i64().expect("an amount");
    assert!((4_600..4_700).contains(&due), "a third of a month is gone: {due}");
    assert_eq!(net(&stripe).await, 500, "a preview changes nothing");
    let form =
        format!("items[0][id]={item}&items[0][price]={year}&proration_behavior=always_invoice&proration_date={at}");
    stripe.ask("POST", &format!("subscriptions/{id}"), &form).await.expect("switched");
    assert_eq!(net(&stripe).await, 500 + due);
}

#[tokio::test]
async fn a_declined_switch_changes_nothing_if_it_is_asked_to() {
    let stripe = StandIn::start(0).await.expect("a port");
    let (month, year) = (price(&stripe, 500, "month").await, price(&stripe, 5_000, "year").await);
    let id = buy(&stripe, &month, money::FAILS_LATER, "").await;
    let bought = subscription(&stripe, &id).await;
    let item = bought["items"]["data"][0]["id"].as_str().expect("an item");
    let form = format!(
        "items[0][id]={item}&items[0][price]={year}&proration_behavior=always_invoice\
         &payment_behavior=error_if_incomplete"
    );
    let (status, error) = stripe.ask("POST", &format!("subscriptions/{id}"), &form).await.expect_err("it is declined");
    assert_eq!((status, &error["code"]), (402, &json!("card_declined")));
    assert_eq!(subscription(&stripe, &id).await, bought);
}

#[tokio::test]
async fn a_dearer_plan_given_up_is_a_credit_for_the_next_invoice() {
    let stripe = StandIn::start(0).await.expect("a port");
    let (much, little) = (price(&stripe, 3_000, "month").await, price(&stripe, 1_000, "month").await);
    let id = buy(&stripe, &much, money::GOOD, "").await;
    let bought = subscription(&stripe, &id).await;
    let (item, start) = (&bought["items"]["data"][0]["id"], &bought["items"]["data"][0]["current_period_start"]);
    let form = format!(
        "items[0][id]={}&items[0][price]={little}&proration_behavior=always_invoice&proration_date={start}",
        item.as_str().expect("an item")
    );
    stripe.ask("POST", &format!("subscriptions/{id}"), &form).await.expect("switched");
    assert_eq!(net(&stripe).await, 3_000);
    advance(&stripe, 32).await;
    assert_eq!(net(&stripe).await, 3_000, "the first month of the cheaper plan is paid from the credit");
    advance(&stripe, 31).await;
    assert_eq!(net(&stripe).await, 3_000, "and the second");
    advance(&stripe, 31).await;
    assert_eq!(net(&stripe).await, 4_000);
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer_even_if_the_first_was_lost() {
    let stripe = StandIn::start(0).await.expect("a port");
    stripe.control("fail", json!({"what": "drop_after", "endpoint": "POST /v1/customers"})).await.expect("a switch");
    let url = url::Url::parse(&format!("{}/v1/customers", stripe.url)).expect("an address");
    let post = |body: &'static str| {
        let url = url.clone();
        async move {
            let headers = [("authorization", "Bearer sk_test_1"), ("idempotency-key", "k")];
            crate::webhooks::send("POST", &url, &headers, body.to_owned()).await
        }
    };
    assert!(post("email=ann@example.com").await.is_err(), "done, but the answer is lost");
    let again = post("email=ann@example.com").await.expect("an answer");
    assert!(again.status.is_success());
    assert_eq!(stripe.ask("GET", "customers", "").await.expect("customers")["data"].as_array().map(Vec::len), Some(1));
    let other = post("email=eve@example.com").await.expect("an answer");
    assert!(other.body.contains("idempotency_error"), "{}", other.body);
}

#[tokio::test]
async fn nobody_pays_for_a_customer_who_is_gone() {
    let stripe = StandIn::start(0).await.expect("a port");
    let price = price(&stripe, 500, "month").await;
    let customer = id(&stripe.ask("POST", "customers", "email=ann@example.com").await.expect("a customer"));
    let session = checkout(&stripe, &price, &format!("&customer={customer}")).await;
    stripe.ask("DELETE", &format!("customers/{customer}"), "").await.expect("gone");
    let page = session["url"].as_str().expect("a page");
    let reply = stripe.press(page, &[("card", money::GOOD)]).await.expect("an answer");
    assert!(reply.body.contains("Nothing was charged."), "{}", reply.body);
    assert_eq!(net(&stripe).await, 0);
}

#[tokio::test]
async fn an_answer_that_never_comes_may_be_of_something_done() {
    let stripe = StandIn::start(0).await.expect("a port");
    stripe.control("fail", json!({"what": "hang_after"})).await.expect("a switch");
    let made = async {
        while stripe.control("state", json!({})).await.expect("the state")["customer"].is_null() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        answer = stripe.ask("POST", "customers", "") => panic!("answered: {answer:?}"),
        () = made => {}
    }
}

#[tokio::test]
async fn what_the_api_does_not_know_it_refuses() {
    let stripe = StandIn::start(0).await.expect("a port");
    let code = |refused: Result<Value, (u16, Value)>| {
        let (status, error) = refused.expect_err("refused");
        (status, error["code"].as_str().unwrap_or_default().to_owned(), error["param"].clone())
    };
    let unknown = code(stripe.ask("POST", "customers", "colour=red").await);
    assert_eq!(unknown, (400, "parameter_unknown".to_owned(), json!("colour")));
    let missing = code(stripe.ask("GET", "subscriptions/sub_0", "").await);
    assert_eq!(missing, (404, "resource_missing".to_owned(), json!("id")));
    let filter = code(stripe.ask("GET", "subscriptions", "customer=cus_0").await);
    assert_eq!(filter, (400, "resource_missing".to_owned(), json!("customer")));
    let price = price(&stripe, 500, "month").await;
    let id = buy(&stripe, &price, money::GOOD, "").await;
    let path = format!("subscriptions/{id}");
    let deep = "expand[]=latest_invoice.payments.data.payment.payment_intent";
    assert_eq!(stripe.ask("GET", &path, deep).await.expect_err("too deep").0, 400);
    assert_eq!(stripe.ask("GET", &path, "expand[]=status").await.expect_err("no object").0, 400);
}

#[tokio::test]
async fn pages_of_a_list_follow_each_other() {
    let stripe = StandIn::start(0).await.expect("a port");
    for _ in 0..5 {
        stripe.ask("POST", "customers", "").await.expect("a customer");
    }
    let (mut seen, mut form) = (Vec::new(), "limit=2".to_owned());
    loop {
        let page = stripe.ask("GET", "customers", &form).await.expect("a page");
        seen.extend(page["data"].as_array().expect("a list").iter().map(id));
        form = format!("limit=2&starting_after={}", seen[seen.len() - 1]);
        if page["has_more"] == false {
            break;
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.iter().enumerate().all(|(at, one)| !seen[..at].contains(one)), "each once: {seen:?}");
}

#[tokio::test]
async fn money_that_was_given_back_or_held_is_not_taken() {
    let stripe = StandIn::start(0).await.expect("a port");
    let price = price(&stripe, 500, "month").await;
    buy(&stripe, &price, money::GOOD, "").await;
    buy(&stripe, &price, money::GOOD, "").await;
    let charges = stripe.ask("GET", "charges", "").await.expect("charges");
    let charge = |at: usize| charges["data"][at]["id"].clone();
    stripe.control("refund", json!({"charge": charge(0), "amount": 200})).await.expect("given back");
    assert_eq!(net(&stripe).await, 800);
    stripe.control("refund", json!({"charge": charge(0)})).await.expect("the rest");
    let again = stripe.ask("POST", "refunds", &format!("charge={}", charge(0).as_str().expect("an id"))).await;
    assert_eq!(again.expect_err("it is back already").1["code"], "charge_already_refunded");
    let dispute = stripe.control("dispute", json!({"charge": charge(1)})).await.expect("disputed");
    assert_eq!(net(&stripe).await, 0);
    stripe.control("close", json!({"dispute": dispute["id"], "status": "won"})).await.expect("closed");
    assert_eq!(net(&stripe).await, 500);
}

#[tokio::test]
async fn the_portal_changes_the_customers_card_and_leads_back() {
    let stripe = StandIn::start(0).await.expect("a port");
    let id = buy(&stripe, &price(&stripe, 500, "month").await, money::GOOD, "").await;
    let bought = subscription(&stripe, &id).await;
    let customer = bought["customer"].as_str().expect("a customer");
    let form = format!(
        "customer={customer}&return_url=http://localhost/account&flow_data[type]=payment_method_update\
         &flow_data[after_completion][type]=redirect\
         &flow_data[after_completion][redirect][return_url]=http://localhost/changed"
    );
    let session = stripe.ask("POST", "billing_portal/sessions", &form).await.expect("a session");
    let page = session["url"].as_str().expect("a page");
    let declined = stripe.press(&format!("{page}/card"), &[("card", money::DECLINED)]).await.expect("an answer");
    assert!(declined.body.contains("Your card was declined."));
    let changed = stripe.press(&format!("{page}/card"), &[("card", money::FAILS_LATER)]).await.expect("an answer");
    assert_eq!(changed.location.as_deref(), Some("http://localhost/changed"));
    let customer = stripe.ask("GET", &format!("customers/{customer}"), "").await.expect("a customer");
    assert_ne!(customer["invoice_settings"]["default_payment_method"], bought["default_payment_method"]);
    assert_eq!(subscription(&stripe, &id).await["default_payment_method"], bought["default_payment_method"]);
}

#[tokio::test]
async fn the_portal_ends_a_plan_and_keeps_it_after_all() {
    let stripe = StandIn::start(0).await.expect("a port");
    let id = buy(&stripe, &price(&stripe, 500, "month").await, money::GOOD, "").await;
    let customer = subscription(&stripe, &id).await["customer"].clone();
    let form = format!("customer={}&return_url=http://localhost/account", customer.as_str().expect("a customer"));
    let session = stripe.ask("POST", "billing_portal/sessions", &form).await.expect("a session");
    let page = session["url"].as_str().expect("a page").to_owned();
    for (action, button, ends) in [("cancel", "Cancel plan", true), ("keep", "Keep plan", false)] {
        assert!(stripe.look(&page).await.expect("a page").body.contains(button));
        stripe.press(&format!("{page}/{action}/{id}"), &[]).await.expect("an answer");
        assert_eq!(subscription(&stripe, &id).await["cancel_at_period_end"], ends);
    }
}

/// Takes posts: their bodies and signatures.
async fn listener() -> (String, Arc<Mutex<Vec<(String, String)>>>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/hook", socket.local_addr().expect("an address"));
    let taken = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let kept = Arc::clone(&kept);
            let service = service_fn(move |request: Request<Incoming>| {
                let kept = Arc::clone(&kept);
                async move {
                    let signature = request.headers()["stripe-signature"].to_str().unwrap_or_default().to_owned();
                    let body = request.into_body().collect().await?.to_bytes();
                    kept.lock().expect("whole").push((String::from_utf8_lossy(&body).into_owned(), signature));
                    Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::new())))
                }
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        }
    });
    (url, taken)
}

#[tokio::test]
async fn webhooks_are_signed_and_come_as_they_are_told_to() {
    let stripe = StandIn::start(0).await.expect("a port");
    let (url, taken) = listener().await;
    let set = async |wish| stripe.control("webhooks", wish).await.expect("set");
    set(json!({"url": url, "secret": "whsec_x", "paused": true, "order": "newest", "doubled": true})).await;
    for _ in 0..2 {
        stripe.ask("POST", "customers", "").await.expect("a customer");
    }
    set(json!({"paused": false, "doubled": false})).await;
    stripe.control("flush", json!({})).await.expect("flushed");
    set(json!({"dropping": true})).await;
    stripe.ask("POST", "customers", "").await.expect("a customer");
    stripe.control("flush", json!({})).await.expect("flushed");
    let taken = taken.lock().expect("whole").clone();
    let ids: Vec<String> = taken.iter().map(|(body, _)| id(&serde_json::from_str(body).expect("an event"))).collect();
    let events = stripe.ask("GET", "events", "").await.expect("events");
    let events: Vec<String> = events["data"].as_array().expect("a list").iter().map(id).collect();
    assert_eq!(ids, [&events[1], &events[1], &events[2], &events[2]].map(String::clone), "the third was dropped");
    let (body, signature) = &taken[0];
    let time = signature.trim_start_matches("t=").split(',').next().and_then(|time| time.parse().ok());
    assert_eq!(*signature, sign("whsec_x", time.expect("a time"), body));
}

#[tokio::test]
async fn a_webhook_that_nobody_took_is_tried_again() {
    let stripe = StandIn::start(0).await.expect("a port");
    let (url, taken) = listener().await;
    stripe.control("webhooks", json!({"url": "http://127.0.0.1:9/", "secret": "s"})).await.expect("set");
    stripe.ask("POST", "customers", "").await.expect("a customer");
    let told = stripe.control("flush", json!({})).await.expect("flushed");
    assert_eq!((&told["taken"], &told["waiting"]), (&json!(0), &json!(1)));
    stripe.control("webhooks", json!({"url": url})).await.expect("set");
    while taken.lock().expect("whole").is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_server_that_is_down_answers_nobody_but_its_control() {
    let stripe = StandIn::start(0).await.expect("a port");
    stripe.control("down", json!({"is": true})).await.expect("down");
    assert_eq!(stripe.ask("GET", "customers", "").await.expect_err("down").0, 0);
    stripe.control("down", json!({"is": false})).await.expect("up");
    stripe.control("fail", json!({"what": "429"})).await.expect("a switch");
    assert_eq!(stripe.ask("GET", "customers", "").await.expect_err("busy").0, 429);
    stripe.ask("GET", "customers", "").await.expect("well again");
}

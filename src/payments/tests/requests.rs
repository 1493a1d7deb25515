use serde_json::json;
use url::Url;

use super::server::{KEY, Reply, Server};
use crate::config::Secret;
use crate::model::{AgreementId, Currency, CustomerId, ErrandKind, Every, Money, Plan, PlanId, SubscriberId};
use crate::payments::{Order, PaymentError, PortalPage, Provider};

fn euro(minor: i64) -> Money {
    Money { minor, currency: Currency::parse("EUR").unwrap() }
}

fn plan() -> Plan {
    Plan {
        id: PlanId::new("monthly"),
        title: "Every month".to_owned(),
        description: None,
        every: Every::Month,
        prices: vec![euro(500)],
        trial_days: 14,
        opens: Vec::new(),
    }
}

async fn make_customer(provider: &Provider) -> Result<CustomerId, PaymentError> {
    provider.customer_for(&SubscriberId::new("s1"), "ada@example.com", Some("Ada"), "de").await
}

#[tokio::test]
async fn what_fails_in_passing_is_tried_again_under_the_same_key() {
    let server = Server::start(|count, _| match count {
        0 => Reply::Drop,
        1 => Reply::error(500, "oops"),
        _ => Reply::Status(200, json!({"id": "cus_1", "object": "customer"})),
    });
    let server = server.await;
    assert_eq!(make_customer(&server.provider()).await, Ok(CustomerId::new("cus_1")));
    let asked = server.asked();
    let keys: Vec<_> = asked.iter().map(|asked| asked.field("Idempotency-Key").unwrap()).collect();
    assert_eq!(keys, [keys[0]; 3]);
    assert!(!keys[0].contains("ada"));
    assert_eq!(asked[2].field("Stripe-Version"), Some("2026-10-28.endive"));
    assert_eq!(asked[2].field("Authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(asked[2].value("metadata[pressrun_subscriber]"), Some("s1"));
}

#[tokio::test]
async fn what_will_not_pass_is_asked_once() {
    let away = |status: u16| PaymentError::Away(format!("status {status}"));
    let refused =
        |code: &str| PaymentError::Refused { message: "No.".to_owned(), code: Some(code.to_owned()), param: None };
    let declined = PaymentError::Declined { code: Some("insufficient_funds".to_owned()) };
    let bank = json!({"error": {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}});
    let later = json!({"error": {"type": "api_error", "code": "oops"}});
    let long = Reply::Status(200, json!({"id": "x".repeat(9 << 20)}));
    for (reply, expected, tries) in [
        (Reply::error(503, "oops"), away(503), 3),
        (Reply::error(429, "rate_limit"), away(429), 3),
        (Reply::error(409, "lock_timeout"), away(409), 3),
        (Reply::With(500, "Stripe-Should-Retry: false", later.clone()), away(500), 1),
        (Reply::With(400, "Stripe-Should-Retry: true", later), refused_without_words(), 3),
        (Reply::error(409, "resource_already_exists"), refused("resource_already_exists"), 1),
        (Reply::error(401, "api_key_expired"), refused("api_key_expired"), 1),
        (Reply::error(404, "resource_missing"), PaymentError::NotThere, 1),
        (Reply::Status(402, bank), declined, 1),
        (Reply::Status(302, json!({})), PaymentError::Unreadable("status 302".to_owned()), 1),
        (Reply::Status(200, json!({"ident": 1})), PaymentError::Unreadable("customers, column 11".to_owned()), 1),
        (long, PaymentError::Unreadable("it is too long".to_owned()), 1),
    ] {
        let again = move |_: usize, _: &_| match &reply {
            Reply::Status(status, body) => Reply::Status(*status, body.clone()),
            Reply::With(status, field, body) => Reply::With(*status, field, body.clone()),
            Reply::Drop => Reply::Drop,
        };
        let server = Server::start(again).await;
        assert_eq!(make_customer(&server.provider()).await, Err(expected.clone()));
        assert_eq!(server.asked().len(), tries, "{expected:?}");
    }
}

fn refused_without_words() -> PaymentError {
    PaymentError::Refused { message: "status 400".to_owned(), code: Some("oops".to_owned()), param: None }
}

#[tokio::test]
async fn errors_tell_no_address_and_no_key() {
    let message = format!("Invalid email address: ada@example.com (key {KEY}, session cs_test_a1b2, whsec_valley)");
    let error = json!({"error": {"code": "email_invalid", "param": "email", "message": message}});
    let server = Server::start(move |_, _| Reply::Status(400, error.clone())).await;
    let refused = make_customer(&server.provider()).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the payment provider refused: Invalid email address: *** (key *** session *** ***; code email_invalid; parameter email"
    );
    let nobody = Provider::new(&"http://127.0.0.1:9/".parse().unwrap(), Secret::new(KEY)).unwrap();
    let gone = nobody.checkout("cs_test_a1b2").await.unwrap_err();
    assert_eq!(gone.to_string(), "the payment provider gave no answer: no connection");
}

#[test]
fn a_key_goes_over_encrypted_lines_or_to_this_machine() {
    let can_be = |url: &str| Provider::new(&Url::parse(url).unwrap(), Secret::new(KEY)).is_ok();
    for url in ["https://api.example.com", "http://127.0.0.1:8080", "http://[::1]:8080/", "http://localhost/mirror"] {
        assert!(can_be(url), "{url}");
    }
    for url in ["http://api.example.com", "http://10.0.0.1", "ftp://localhost", "mailto:ada@example.com"] {
        assert!(!can_be(url), "{url}");
    }
}

#[tokio::test]
async fn an_id_out_of_an_address_leads_nowhere_else() {
    let server = Server::start(|_, _| Reply::error(404, "resource_missing")).await;
    for id in ["../customers/cus_1", "cs_1/../../customers", "cs_1?expand[]=customer", "cs_1#", "%2e%2e", ".", "..", ""]
    {
        assert_eq!(server.provider().checkout(id).await, Err(PaymentError::NotThere), "{id}");
    }
    let paths: Vec<_> = server.asked().into_iter().map(|asked| (asked.path, asked.values.len())).collect();
    let below = |id: &str| (format!("/v1/checkout/sessions/{id}"), 0);
    let ids =
        ["..%2Fcustomers%2Fcus_1", "cs_1%2F..%2F..%2Fcustomers", "cs_1%3Fexpand[]=customer", "cs_1%23", "%252e%252e"];
    assert_eq!(paths, ids.map(below));
}

#[tokio::test]
async fn a_price_is_made_once_and_never_taken_for_another() {
    let server = Server::start(|_, asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", _) => Reply::Status(200, json!({"object": "list", "data": [], "has_more": false})),
        (_, "/v1/products") => Reply::error(400, "resource_already_exists"),
        _ => Reply::Status(200, json!({"id": "price_1"})),
    });
    let server = server.await;
    let provider = server.provider();
    for _ in 0..2 {
        assert_eq!(provider.clone().price_of(&plan(), euro(500)).await, Ok("price_1".to_owned()));
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[0].value("lookup_keys[0]"), Some("pressrun_monthly_month_500_eur"));
    let fields = ["unit_amount", "currency", "recurring[interval]", "product", "lookup_key", "metadata[pressrun_plan]"];
    let sent = fields.map(|name| asked[2].value(name).unwrap());
    assert_eq!(sent, ["500", "eur", "month", "pressrun_monthly", "pressrun_monthly_month_500_eur", "monthly"]);

    let subscription: serde_json::Value = serde_json::from_str(include_str!("shapes/subscription.json")).unwrap();
    let price = subscription["items"]["data"][0]["price"].clone();
    for (field, value, is_it) in [
        ("nickname", json!("mine"), true),
        ("unit_amount", json!(50), false),
        ("currency", json!("usd"), false),
        ("recurring", json!({"interval": "year", "interval_count": 1}), false),
        ("recurring", json!({"interval": "month", "interval_count": 3}), false),
        ("recurring", json!(null), false),
        ("metadata", json!({"pressrun_plan": "yearly"}), false),
    ] {
        let mut found = price.clone();
        found[field] = value;
        let list = json!({"object": "list", "data": [found], "has_more": false});
        let server = Server::start(move |_, _| Reply::Status(200, list.clone())).await;
        let told = server.provider().price_of(&plan(), euro(500)).await;
        assert_eq!(told.is_ok(), is_it, "{field} {told:?}");
    }
}

#[tokio::test]
async fn a_price_that_was_archived_is_looked_for_again() {
    let server = Server::start(|_, asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", _) => Reply::Status(200, json!({"data": [], "has_more": false})),
        (_, "/v1/customers/cus_1") => Reply::error(400, "price_inactive"),
        _ => Reply::Status(200, json!({"id": "price_1"})),
    });
    let server = server.await;
    let provider = server.provider();
    provider.price_of(&plan(), euro(500)).await.unwrap();
    let before = server.asked().len();
    provider.price_of(&plan(), euro(500)).await.unwrap();
    assert_eq!(server.asked().len(), before);
    provider.tell_address(&CustomerId::new("cus_1"), "ada@example.com").await.unwrap_err();
    provider.price_of(&plan(), euro(500)).await.unwrap();
    assert!(server.asked().len() > before + 1);
}

#[tokio::test]
async fn a_checkout_says_what_is_bought_and_by_whom() {
    let server = Server::start(|_, _| {
        Reply::Status(200, json!({"id": "cs_1", "status": "open", "url": "https://pay.example.com/c/cs_1"}))
    });
    let server = server.await;
    let customer = CustomerId::new("cus_1");
    let order = Order {
        price: "price_1",
        plan: &plan(),
        has_trial: true,
        customer: Some(&customer),
        reference: "order-1",
        language: "ar",
        success_url: "https://letter.example.com/checkout/done?session={CHECKOUT_SESSION_ID}",
        cancel_url: "https://letter.example.com/plans",
        key: "key-1",
    };
    let page = server.provider().begin_checkout(&order).await.unwrap();
    assert_eq!(page.as_str(), "https://pay.example.com/c/cs_1");
    let again = Order { has_trial: false, customer: None, reference: "", language: "pt-BR", ..order };
    server.provider().begin_checkout(&again).await.unwrap();
    let [first, second] = server.asked().try_into().unwrap();
    assert_eq!(first.field("Idempotency-Key"), Some("key-1"));
    insta::assert_debug_snapshot!(first.values);
    // The provider refuses empty texts where nothing can be taken away.
    let names = ["locale", "customer", "client_reference_id", "subscription_data[trial_period_days]"];
    assert_eq!(names.map(|name| second.value(name)), [Some("pt-BR"), None, None, None]);
}

#[tokio::test]
async fn open_checkouts_are_closed_but_for_one_that_was_paid_meanwhile() {
    let server = |is_paid: bool| {
        Server::start(move |_, asked| match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/v1/checkout/sessions") => {
                Reply::Status(200, json!({"data": [{"id": "cs_1"}, {"id": "cs_2"}], "has_more": false}))
            }
            ("GET", _) => Reply::Status(200, json!({"status": if is_paid { "complete" } else { "open" }})),
            (_, "/v1/checkout/sessions/cs_1/expire") => Reply::error(400, "oops"),
            _ => Reply::Status(200, json!({"id": "cs_2"})),
        })
    };
    let customer = CustomerId::new("cus_1");
    let meanwhile = server(true).await;
    assert_eq!(meanwhile.provider().close_checkouts(&customer).await, Ok(()));
    assert_eq!(meanwhile.asked().last().unwrap().path, "/v1/checkout/sessions/cs_2/expire");
    assert!(server(false).await.provider().close_checkouts(&customer).await.is_err());
}

#[tokio::test]
async fn the_card_that_the_portal_changes_is_the_one_that_is_charged() {
    let server = Server::start(|_, asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/v1/subscriptions") => Reply::Status(
            200,
            json!({"data": [{"id": "sub_2", "default_payment_method": null}, {"id": "sub_1", "default_payment_method": "pm_1"}]}),
        ),
        ("GET", _) => Reply::Status(200, json!({"data": [{"id": "bpc_0", "metadata": {}}], "has_more": false})),
        (_, "/v1/billing_portal/configurations") => Reply::Status(200, json!({"id": "bpc_1"})),
        (_, "/v1/billing_portal/sessions") => {
            Reply::Status(200, json!({"id": "bps_1", "url": "https://pay.example.com/p"}))
        }
        _ => Reply::Status(200, json!({"id": "any"})),
    });
    let server = server.await;
    let back = Url::parse("https://letter.example.com/account").unwrap();
    let provider = server.provider();
    for page in [PortalPage::Card, PortalPage::Invoices] {
        let page = provider.portal(&CustomerId::new("cus_1"), page, &back, "de-AT").await.unwrap();
        assert_eq!(page.as_str(), "https://pay.example.com/p");
    }
    let asked = server.asked();
    let paths: Vec<_> = asked[1..3].iter().map(|asked| (asked.path.as_str(), asked.values.clone())).collect();
    let value = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    assert_eq!(paths[0], ("/v1/customers/cus_1", value("invoice_settings[default_payment_method]", "pm_1")));
    assert_eq!(paths[1], ("/v1/subscriptions/sub_1", value("default_payment_method", "")));
    let opened: Vec<_> = asked.iter().filter(|asked| asked.path.ends_with("portal/sessions")).collect();
    let told = ["configuration", "locale", "flow_data[type]", "flow_data[after_completion][redirect][return_url]"];
    let told = |nth: usize| told.map(|name| opened[nth].value(name));
    assert_eq!(told(0), [Some("bpc_1"), Some("de"), Some("payment_method_update"), Some(back.as_str())]);
    assert_eq!(told(1), [Some("bpc_1"), Some("de"), None, None]);
}

#[tokio::test]
async fn what_is_over_is_ended_and_what_was_given_back_stays_so() {
    let server = Server::start(|_, asked| match asked.path.as_str() {
        "/v1/invoices" => {
            let mut invoice: serde_json::Value = serde_json::from_str(include_str!("shapes/invoice.json")).unwrap();
            invoice["status"] = json!("paid");
            Reply::Status(200, json!({"data": [invoice], "has_more": false}))
        }
        "/v1/refunds" => Reply::error(400, "charge_already_refunded"),
        _ => Reply::error(404, "resource_missing"),
    });
    let server = server.await;
    let agreement = AgreementId::new("sub_1");
    assert_eq!(server.provider().end_now(&agreement).await, Ok(()));
    assert_eq!(server.provider().give_back(&agreement).await, Ok(()));
    let asked = server.asked();
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("DELETE", "/v1/subscriptions/sub_1"));
    assert_eq!(asked[2].value("payment_intent"), Some("pi_2"));
}

#[tokio::test]
async fn missed_events_are_listed_page_by_page() {
    let server = Server::start(|_, asked| {
        let (id, has_more) = if asked.value("starting_after").is_none() { ("evt_2", true) } else { ("evt_1", false) };
        let event = json!({"id": id, "object": "event", "created": 1_795_000_000, "type": "customer.deleted",
            "data": {"object": {"id": "cus_1", "deleted": true}}});
        Reply::Status(200, json!({"object": "list", "data": [event], "has_more": has_more}))
    });
    let server = server.await;
    let since = chrono::DateTime::from_timestamp(1_794_000_000, 0).unwrap();
    let first = server.provider().events(since, None).await.unwrap();
    let second = server.provider().events(since, first.next.as_deref()).await.unwrap();
    let ids = [&first, &second].map(|page| page.items[0].id.as_str());
    assert_eq!((ids, first.next.as_deref(), second.next.as_deref()), (["evt_2", "evt_1"], Some("evt_2"), None));
    assert_eq!(first.items[0].errand, Some((ErrandKind::Customer, "cus_1".to_owned())));
    let asked = server.asked();
    assert_eq!(asked[0].value("created[gte]"), Some("1794000000"));
    let types = asked[0].values.iter().filter(|(name, _)| name.starts_with("types[")).count();
    assert!((1..=20).contains(&types), "the provider takes twenty at most");
}

#[tokio::test]
async fn who_paid_is_known_by_address_and_language_where_the_provider_knows_them() {
    for (customer, expected) in [
        (json!({"email": "ada@example.com", "preferred_locales": ["de", "en"]}), Some(("ada@example.com", "de"))),
        (json!({"email": "ada@example.com", "preferred_locales": []}), Some(("ada@example.com", ""))),
        (json!({"email": "ada@example.com", "preferred_locales": null}), Some(("ada@example.com", ""))),
        (json!({"email": null, "preferred_locales": ["de"]}), None),
        (json!({"id": "cus_1", "object": "customer", "deleted": true}), None),
    ] {
        let server = Server::start(move |_, _| Reply::Status(200, customer.clone())).await;
        let known = server.provider().address_of(&CustomerId::new("cus_1")).await.unwrap();
        assert_eq!(known.as_ref().map(|(email, language)| (email.as_str(), language.as_str())), expected);
    }
}

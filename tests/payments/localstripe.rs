//! The payment client against PyPI's localstripe, which speaks a version of 2017.

use std::time::Duration;

use pressrun::clock;
use pressrun::config::Secret;
use pressrun::model::{AgreementId, CustomerId, ErrandKind, SubscriberId};
use pressrun::payments::webhook::{Forged, verified};
use pressrun::payments::{PaymentError, Provider};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

const KEY: &str = "sk_test_mountain";
const SIGNING: &str = "whsec_mountain";

/// What is made without our client: a call as anybody could make it.
async fn ask(method: reqwest::Method, url: &Url, path: &str, form: &[(&str, &str)]) -> Value {
    let request = reqwest::Client::new().request(method, url.join(path).unwrap()).bearer_auth(KEY).form(form);
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{path} {}", answer.text().await.unwrap());
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default()
}

/// A message that was posted: its signature and its body.
pub async fn posted(listener: &TcpListener) -> (String, Vec<u8>) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let (header, mut body) = header(&mut stream).await;
    let field = |name: &str| {
        let mut fields = header.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let length: usize = field("content-length").unwrap().parse().unwrap();
    while body.len() < length {
        assert!(stream.read_buf(&mut body).await.unwrap() > 0);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await.unwrap();
    (field("stripe-signature").unwrap(), body)
}

/// The header of a request, and what of its body came with it.
async fn header(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return (String::from_utf8(bytes).unwrap(), body);
        }
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0);
    }
}

/// A server that others wrote, of an older version: what it has is understood, and what it has not is an error that
/// says so.
#[tokio::test]
#[ignore = "scripts/judge-localstripe starts the server"]
async fn what_it_has_is_understood() {
    let url: Url = std::env::var("PRESSRUN_TEST_LOCALSTRIPE").expect("scripts/judge-localstripe").parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hook = format!("http://{}/", listener.local_addr().unwrap());
    let post = |path: &'static str, form: Vec<(&'static str, String)>| {
        let url = url.clone();
        async move {
            let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            ask(reqwest::Method::POST, &url, path, &form).await
        }
    };
    post("/_config/webhooks/ours", vec![("url", hook), ("secret", SIGNING.to_owned())]).await;

    // Customers and their cards.
    let provider = Provider::new(&url, Secret::new(KEY)).unwrap();
    let customer = provider.customer_for(&SubscriberId::new("s1"), "ada@example.com", Some("Ada"), "de").await.unwrap();
    provider.tell_address(&customer, "ada@example.net").await.unwrap();
    let card = [("number", "4242424242424242"), ("exp_month", "4"), ("exp_year", "2030"), ("cvc", "123")];
    let card = card.map(|(name, value)| (format!("card[{name}]"), value));
    let mut form = vec![("type", "card")];
    form.extend(card.iter().map(|(name, value)| (name.as_str(), *value)));
    let method =
        ask(reqwest::Method::POST, &url, "/v1/payment_methods", &form).await["id"].as_str().unwrap().to_owned();
    let form = [("customer", customer.as_str())];
    ask(reqwest::Method::POST, &url, &format!("/v1/payment_methods/{method}/attach"), &form).await;
    let form = [("invoice_settings[default_payment_method]", method.as_str())];
    let known = ask(reqwest::Method::POST, &url, &format!("/v1/customers/{customer}"), &form).await;
    assert_eq!((known["email"].as_str(), known["name"].as_str()), (Some("ada@example.net"), Some("Ada")));
    assert_eq!(known["metadata"]["pressrun_subscriber"].as_str(), Some("s1"));

    // What is ended, goes on after all, and is ended at once.
    let plan = [("amount", "500"), ("currency", "eur"), ("interval", "month"), ("product[name]", "Monthly")];
    let plan = ask(reqwest::Method::POST, &url, "/v1/plans", &plan).await["id"].as_str().unwrap().to_owned();
    let form = [("customer", customer.as_str()), ("items[0][plan]", plan.as_str())];
    let bought = ask(reqwest::Method::POST, &url, "/v1/subscriptions", &form).await;
    assert_eq!(bought["status"].as_str(), Some("active"));
    let agreement = AgreementId::new(bought["id"].as_str().unwrap());
    let charges = ask(reqwest::Method::GET, &url, &format!("/v1/charges?customer={customer}"), &[]).await;
    let payer = provider.payer(charges["data"][0]["id"].as_str().unwrap()).await;
    assert_eq!(payer, Ok(Some(customer.clone())));
    for ends in [true, false] {
        provider.set_ending(&agreement, ends).await.unwrap();
        let told = ask(reqwest::Method::GET, &url, &format!("/v1/subscriptions/{agreement}"), &[]).await;
        assert_eq!(told["cancel_at_period_end"].as_bool(), Some(ends));
    }
    provider.end_now(&agreement).await.unwrap();
    provider.end_now(&agreement).await.unwrap();

    // What it has not, or has in another shape.
    assert_eq!(provider.agreement(&AgreementId::new("sub_none")).await, Ok(None));
    assert_eq!(provider.checkout("cs_none").await, Err(PaymentError::NotThere));
    let stranger = Provider::new(&url, Secret::new("pk_test_mountain")).unwrap();
    let refused = stranger.tell_address(&customer, "eve@example.com").await;
    assert!(matches!(refused, Err(PaymentError::Refused { .. })), "{refused:?}");

    messages_are_taken(&listener, &customer, &agreement).await;
}

/// What it posts within the next seconds is signed as we check it.
async fn messages_are_taken(listener: &TcpListener, customer: &CustomerId, agreement: &AgreementId) {
    let secrets = [Secret::new(SIGNING)];
    let mut missing =
        vec![(ErrandKind::Customer, customer.to_string()), (ErrandKind::Agreement, agreement.to_string())];
    while !missing.is_empty() {
        let waited = tokio::time::timeout(Duration::from_secs(20), posted(listener)).await;
        let (signature, body) = waited.unwrap_or_else(|_| panic!("nothing was told about {missing:?}"));
        let event = verified(&body, &signature, &secrets, clock::now()).unwrap();
        missing.retain(|errand| Some(errand) != event.errand.as_ref());
        let forged = verified(&body, &signature, &[Secret::new("whsec_valley")], clock::now());
        assert_eq!(forged, Err(Forged::Wrong));
    }
}

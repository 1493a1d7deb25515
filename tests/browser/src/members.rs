//! A reader's life with money: buy, pay, read; another card, another plan; an end, and going on after all.
//!
//! What stands in for the payment provider has pages that the browser clicks through, and posts its webhooks to the
//! program as it runs.

use serde_json::{Value, json};
use stand_in::StandIn;

use crate::chromium::Script;
use crate::people::Reader;
use crate::publication::{PAID, Publication, WEBHOOK_SECRET};

const PAYS: &str = "4242424242424242";
/// Of the part of the paid article that members alone get.
const ALL_OF_IT: &str = "document.body.innerText.includes('infostealers')";

/// A publication that sells, and the provider through which it does.
struct Shop {
    provider: StandIn,
    publication: Publication,
}

impl Shop {
    async fn opens() -> Shop {
        let provider = StandIn::start(0).await.expect("a port");
        let publication = Publication::selling(&provider.url);
        let shop = Shop { provider, publication };
        let hooks = json!({"url": format!("{}/webhooks/stripe", shop.publication.url), "secret": WEBHOOK_SECRET});
        shop.turns("webhooks", hooks).await;
        shop
    }

    async fn turns(&self, verb: &str, wish: Value) -> Value {
        self.provider.control(verb, wish).await.unwrap_or_else(|error| panic!("{verb}: {error}"))
    }

    /// A subscriber who has signed in.
    async fn subscriber(&self, script: Script) -> Reader {
        let reader = self.publication.reader("reader", script).await;
        self.publication.runs(&["subscribers", "add", &reader.address, "--newsletter", "wire"]);
        reader.asks_to_sign_in().await;
        reader.opens_the_link().await;
        reader.chromium.follows("form[action^='/sign-in/'] button").await;
        reader.sees(&["signed-in"]).await;
        reader
    }

    /// What happened to a reader's account, the latest first.
    fn audit(&self, reader: &Reader) -> Vec<String> {
        let shown = self.publication.runs(&["--format", "json", "subscribers", "show", &reader.address]);
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        let events = shown["events"].as_array().expect("events").iter();
        events.map(|event| event["event"].as_str().expect("a word").to_owned()).collect()
    }
}

impl Reader {
    /// From the page of plans to the page on which to pay.
    async fn chooses(&self, shop: &Shop, plan: &str) {
        let button = format!("form[action='/billing/checkout']:has([value={plan}]) button");
        self.chromium.is_led_to(&format!("{}/c/pay/", shop.provider.url), &button).await;
    }

    async fn pays_with(&self, card: &str) {
        self.chromium.clicks("input[name=card]").await;
        self.chromium.types(card).await;
        self.chromium.follows("form button").await;
    }

    /// Whether the page of the paid article has all of it.
    async fn may_read_it_all(&self) -> bool {
        self.chromium.goes_to(&format!("/{PAID}/")).await;
        self.chromium.asks(ALL_OF_IT).await
    }

    /// Whether the mail has all of it.
    async fn got_all_of_it(&self) -> bool {
        self.reads_mail("thief").await;
        self.chromium.follows("a[href$='/html']").await;
        self.chromium.asks(ALL_OF_IT).await
    }
}

async fn a_reader_becomes_a_member(script: Script) {
    let shop = Shop::opens().await;
    let reader = shop.subscriber(script).await;
    assert!(!reader.may_read_it_all().await, "everything is open");
    reader.poses("gate").await;
    reader.chromium.follows(".gated .button").await;
    assert!(reader.is_at("/plans").await);
    reader.poses("plans").await;
    reader.chooses(&shop, "monthly").await;
    reader.poses("provider").await;
    reader.pays_with(PAYS).await;
    assert!(reader.is_at("/account").await);
    reader.poses("bought").await;
    reader.sees_once(&["billing-updated"]).await;
    assert!(reader.may_read_it_all().await, "nothing is open");
    reader.poses("member-article").await;
    shop.publication.editor().sends(PAID);
    assert!(reader.got_all_of_it().await, "the mail was shorter");
    reader.reads_mail("Receipt").await;
    reader.poses("receipt").await;
    assert_eq!(shop.audit(&reader).first().map(String::as_str), Some("membership-active"));
    reader.chromium.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reader_becomes_a_member_with_scripts() {
    a_reader_becomes_a_member(Script::Allowed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reader_becomes_a_member_without_scripts() {
    a_reader_becomes_a_member(Script::Forbidden).await;
}

//! A reader's life with money: buy, pay, read; another card, another plan; an end, and going on after all.
//!
//! What stands in for the payment provider has pages that the browser clicks through, and posts its webhooks to the
//! program as it runs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stand_in::StandIn;

use crate::chromium::{DEADLINE, Script};
use crate::people::Reader;
use crate::publication::{PAID, Publication, WEBHOOK_SECRET};

const DAY: i64 = 86_400;
const PAYS: &str = "4242424242424242";
/// Pays while its owner is there.
const PAYS_ONCE: &str = "4000000000000341";
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
        reader.reads_mail("Sign in").await;
        reader.chromium.follows("a[href$='/html']").await;
        reader.chromium.follows("a[href*='/sign-in/']").await;
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

    fn latest(&self, reader: &Reader) -> String {
        self.audit(reader).into_iter().next().unwrap_or_default()
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

    async fn buys(&self, shop: &Shop, plan: &str) {
        self.chromium.goes_to("/plans").await;
        self.chooses(shop, plan).await;
        self.pays_with(PAYS).await;
    }

    async fn goes_to_change_the_card(&self, shop: &Shop) {
        self.chromium.goes_to("/account").await;
        self.chromium.is_led_to(&format!("{}/p/session/", shop.provider.url), "button[value=card]").await;
    }

    async fn changes_the_card(&self, shop: &Shop, card: &str) {
        self.goes_to_change_the_card(shop).await;
        self.pays_with(card).await;
        assert!(self.is_at("/account").await);
    }

    async fn goes_to_switch(&self, plan: &str) {
        self.chromium.goes_to("/plans").await;
        self.chromium.follows(&format!("form[action='/billing/switch']:has([value={plan}]) button")).await;
    }

    async fn switches(&self) {
        self.chromium.follows("form[action='/billing/switch'] button").await;
        assert!(self.is_at("/account").await);
    }

    /// Whether the page has these words on it.
    async fn shows(&self, words: &str) -> bool {
        self.chromium.asks(&format!("document.querySelector('main').innerText.includes({words:?})")).await
    }

    async fn reads_on(&self, path: &str, words: &str) -> bool {
        self.chromium.goes_to(path).await;
        self.shows(words).await
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
    assert_eq!(shop.latest(&reader), "membership-active");
    reader.chromium.ends().await;
}

async fn who_pays_first_gets_an_account(script: Script) {
    let shop = Shop::opens().await;
    let reader = shop.publication.reader("guest", script).await;
    reader.chromium.goes_to("/plans").await;
    reader.chooses(&shop, "monthly").await;
    reader.chromium.clicks("input[name=email]").await;
    reader.chromium.types(&reader.address).await;
    reader.pays_with(PAYS).await;
    assert!(reader.is_at("/sign-in/code").await);
    reader.poses("guest-paid").await;
    assert!(reader.shows("with which you paid").await);
    reader.sees_once(&["check-your-mail"]).await;
    let phone = shop.publication.reader("guest", Script::Allowed).await;
    phone.opens_the_link().await;
    let code: String = phone.chromium.asks("document.querySelector('.standfirst strong').innerText").await;
    phone.chromium.ends().await;
    reader.chromium.goes_to("/sign-in/code").await;
    reader.types_the_code(&code).await;
    assert!(reader.reads_on("/account", "You are a member").await);
    assert!(reader.may_read_it_all().await, "nothing is open");
    reader.reads_mail("Receipt").await;
    let audit = shop.audit(&reader);
    assert!(["membership-active", "signed-in"].iter().all(|event| audit.contains(&event.to_string())), "{audit:?}");
    reader.chromium.ends().await;
}

async fn a_member_changes_what_is_to_be_changed(script: Script) {
    let shop = Shop::opens().await;
    let reader = shop.subscriber(script).await;
    reader.buys(&shop, "monthly").await;
    reader.sees(&["billing-updated"]).await;

    reader.goes_to_change_the_card(&shop).await;
    reader.chromium.follows("main > p a").await;
    reader.poses("card-kept").await;
    reader.sees_once(&["billing-not-updated"]).await;
    assert_eq!(shop.latest(&reader), "card-kept");
    reader.changes_the_card(&shop, PAYS_ONCE).await;
    reader.poses("card-changed").await;
    reader.sees_once(&["billing-updated"]).await;
    assert_eq!(shop.latest(&reader), "card-changed");

    reader.goes_to_switch("yearly").await;
    reader.poses("switch").await;
    assert!(reader.shows("€45.00").await, "what it costs is not said");
    reader.switches().await;
    reader.poses("switch-declined").await;
    assert!(reader.shows("Monthly").await && reader.shows("declined").await);
    reader.sees_once(&["billing-not-updated"]).await;
    reader.changes_the_card(&shop, PAYS).await;
    reader.goes_to_switch("yearly").await;
    reader.switches().await;
    reader.poses("switched").await;
    assert!(reader.shows("Yearly").await && !reader.shows("Monthly").await);
    reader.sees_once(&["billing-updated"]).await;
    assert_eq!(shop.latest(&reader), "membership-switched");

    reader.chromium.follows("button[value=yes][name=ends]").await;
    reader.poses("cancelled").await;
    assert!(reader.shows("Your membership is cancelled. You read every article in full until").await);
    reader.sees_once(&["billing-updated"]).await;
    assert_eq!(shop.latest(&reader), "membership-cancelled");
    reader.reads_mail("will end").await;
    reader.poses("mail-cancelled").await;
    assert!(reader.may_read_it_all().await, "what is paid for is closed");
    reader.chromium.goes_to("/account").await;
    reader.chromium.follows("button[value=no][name=ends]").await;
    reader.poses("resumed").await;
    assert!(reader.shows("You are a member, and read").await);
    reader.sees_once(&["billing-updated"]).await;
    assert_eq!(shop.latest(&reader), "membership-active");
    reader.chromium.ends().await;
}

async fn a_renewal_fails_and_access_ends(script: Script) {
    let mut shop = Shop::opens().await;
    // The month that is bought is over about now.
    shop.turns("begin", json!({"ago": 31 * DAY})).await;
    let reader = shop.subscriber(script).await;
    reader.chromium.goes_to("/plans").await;
    reader.chooses(&shop, "monthly").await;
    reader.pays_with(PAYS_ONCE).await;
    reader.sees(&["billing-updated"]).await;

    shop.turns("advance", json!({"seconds": 31 * DAY + 7_200})).await;
    reader.reads_mail("failed").await;
    reader.poses("mail-failed").await;
    assert_eq!(shop.latest(&reader), "membership-past-due");
    assert!(reader.reads_on("/account", "Your last payment is missing. You read every article in full until").await);
    reader.poses("past-due").await;
    assert!(reader.may_read_it_all().await, "there are no grace days");

    shop.publication.restarts_with("BILLING__GRACE", "1s");
    shop.turns("advance", json!({"seconds": 4 * DAY})).await;
    reader.finds(&format!("/{PAID}/"), &format!("!{ALL_OF_IT}")).await;
    shop.publication.editor().sends(PAID);
    assert!(!reader.got_all_of_it().await, "who has not paid got all of it");
    assert!(reader.reads_on("/account", "what is for members is closed").await);
    reader.poses("grace-over").await;

    shop.turns("advance", json!({"seconds": 14 * DAY})).await;
    reader.reads_mail("has ended").await;
    reader.poses("mail-ended").await;
    reader.chromium.follows("a[href$='/html']").await;
    let is_due: bool = reader.chromium.asks("document.body.innerText.includes('next payment')").await;
    assert!(!is_due, "what is over is to be paid again");
    assert_eq!(shop.latest(&reader), "membership-ended");
    reader.chromium.goes_to("/account").await;
    reader.poses("ended").await;
    assert!(!reader.shows("Membership").await);
    reader.chromium.ends().await;
}

async fn an_erased_account_pays_no_more(script: Script) {
    let shop = Shop::opens().await;
    let reader = shop.subscriber(script).await;
    reader.buys(&shop, "yearly").await;
    reader.sees(&["billing-updated"]).await;
    reader.chromium.follows("a[href='/account/erase']").await;
    reader.poses("erase").await;
    assert!(reader.shows("Your membership ends at once").await);
    reader.chromium.follows("form[action='/account/erase'] button").await;
    reader.reads_mail("erased").await;
    let until = Instant::now() + DEADLINE;
    while shop.turns("state", json!({})).await["subscription"][0]["status"] != "canceled" {
        assert!(Instant::now() < until, "whoever is gone goes on paying");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!reader.may_read_it_all().await);
    reader.chromium.ends().await;
}

async fn a_provider_that_does_not_answer_loses_nothing(script: Script) {
    let shop = Shop::opens().await;
    let reader = shop.subscriber(script).await;
    shop.turns("down", json!({"is": true})).await;
    reader.chromium.goes_to("/plans").await;
    reader.chromium.follows("form[action='/billing/checkout'] button").await;
    assert!(reader.shows("The payment service does not answer").await);
    reader.poses("provider-down").await;
    shop.turns("down", json!({"is": false})).await;

    shop.turns("webhooks", json!({"paused": true})).await;
    let deaf = json!({"what": "drop", "endpoint": "GET /v1/checkout/sessions/:id", "times": 1_000_000});
    shop.turns("fail", deaf).await;
    reader.buys(&shop, "monthly").await;
    assert!(reader.is_at("/billing/return").await && reader.shows("The payment service does not answer").await);
    reader.poses("provider-down-on-return").await;
    assert!(!reader.may_read_it_all().await, "what a browser brings is believed");
    shop.turns("fail", json!({"what": "nothing"})).await;
    shop.turns("webhooks", json!({"paused": false})).await;
    reader.finds(&format!("/{PAID}/"), ALL_OF_IT).await;
    reader.reads_mail("Receipt").await;
    assert!(reader.reads_on("/account", "You are a member").await);
    reader.sees(&[]).await;
    reader.chromium.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_address_typed_by_hand_says_that_something_was_paid() {
    let shop = Shop::opens().await;
    let reader = shop.subscriber(Script::Allowed).await;
    reader.buys(&shop, "monthly").await;
    reader.sees(&["billing-updated"]).await;
    let checkout = shop.turns("state", json!({})).await["checkout.session"][0]["id"].clone();
    let checkout = format!("/billing/return?session={}", checkout.as_str().expect("an id"));
    for place in ["/billing/return", "/billing/return?session=cs_test_0", &checkout] {
        reader.chromium.goes_to(place).await;
        reader.sees(&[]).await;
    }
    for notice in ["billing-updated", "billing-not-updated"] {
        for place in ["/account", "/plans", "/billing/return"] {
            for typed in [format!("?notice={notice}"), format!("?{notice}"), format!("?action={notice}&success=true")] {
                reader.chromium.goes_to(&format!("{place}{typed}#{notice}")).await;
                reader.sees(&[]).await;
            }
        }
    }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_pays_first_gets_an_account_with_scripts() {
    who_pays_first_gets_an_account(Script::Allowed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_pays_first_gets_an_account_without_scripts() {
    who_pays_first_gets_an_account(Script::Forbidden).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_member_changes_what_is_to_be_changed_with_scripts() {
    a_member_changes_what_is_to_be_changed(Script::Allowed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_member_changes_what_is_to_be_changed_without_scripts() {
    a_member_changes_what_is_to_be_changed(Script::Forbidden).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_renewal_fails_and_access_ends_with_scripts() {
    a_renewal_fails_and_access_ends(Script::Allowed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_renewal_fails_and_access_ends_without_scripts() {
    a_renewal_fails_and_access_ends(Script::Forbidden).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_erased_account_pays_no_more_with_scripts() {
    an_erased_account_pays_no_more(Script::Allowed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_erased_account_pays_no_more_without_scripts() {
    an_erased_account_pays_no_more(Script::Forbidden).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_provider_that_does_not_answer_loses_nothing_with_scripts() {
    a_provider_that_does_not_answer_loses_nothing(Script::Allowed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_provider_that_does_not_answer_loses_nothing_without_scripts() {
    a_provider_that_does_not_answer_loses_nothing(Script::Forbidden).await;
}

//! Readers who pay, against a stand-in for the payment provider.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use stand_in::StandIn;

use super::sign_in::Browser;
use super::*;
use crate::billing::{Till, work};
use crate::config::Settings;
use crate::model::{Opens, SubscriberId};
use crate::payments::Provider;
use crate::store::{Content, Flow};

const SECRET: &str = "whsec_for_tests";
const GOOD: &str = "4242424242424242";
const MONTHLY: &str = "plan=monthly&currency=EUR";
const DAY: i64 = 86_400;
const YEARLY: &str = "plan=yearly&currency=EUR";

/// What money is dealt with through, where the settings have a key.
pub(super) fn till(settings: &Settings, store: &Store, keys: &Arc<ServerKeys>) -> Option<Till> {
    let provider = Provider::new(&settings.billing.url, settings.billing.key.clone()?).unwrap();
    let (grace, max_lateness) = (settings.billing.grace, settings.sending.max_lateness);
    Some(Till { store: store.clone(), provider, keys: Arc::clone(keys), grace, max_lateness })
}

/// A site that sells, and what it sells through.
struct Shop {
    site: Site,
    stripe: StandIn,
}

impl Shop {
    async fn open() -> Shop {
        let stripe = StandIn::start(0).await.unwrap();
        let selling = format!(
            "{SETTINGS}[billing]\nurl = \"{}\"\n\
            [[billing.plans]]\nid = \"monthly\"\nevery = \"month\"\nprices = [\"5 EUR\", \"6 USD\"]\n\
            [[billing.plans]]\nid = \"yearly\"\nevery = \"year\"\nprices = [\"50 EUR\", \"60 USD\"]\n",
            stripe.url
        );
        let variables = [("PRESSRUN_BILLING__KEY", "sk_test_1"), ("PRESSRUN_BILLING__WEBHOOK_SECRETS", SECRET)];
        let site = Site::with_variables(&selling, &variables).await;
        site.leave_path().await;
        Shop { site, stripe }
    }

    fn till(&self) -> &Till {
        self.site.state.till.as_ref().unwrap()
    }

    /// Reads what the provider's list of events says, and does everything that is to be done, however long it takes.
    async fn settles(&self) {
        let mut now = clock::now();
        while self.till().catch_up(now).await.is_err() {}
        for _ in 0..20 {
            assert!(work(self.till(), 100, now).await.unwrap(), "it comes to an end");
            now += TimeDelta::hours(2);
        }
    }

    async fn fails(&self, what: &str, skip: usize, times: usize) {
        self.stripe.control("fail", json!({"what": what, "skip": skip, "times": times})).await.unwrap();
    }

    async fn works_again(&self) {
        self.stripe.control("fail", json!({"what": "nothing"})).await.unwrap();
    }

    /// What each customer was charged, less what was given back.
    async fn charged(&self) -> i64 {
        let counts = self.stripe.control("counts", json!({})).await.unwrap();
        counts["money"].as_object().unwrap().values().map(|sums| sums["net"].as_i64().unwrap()).sum()
    }

    /// The prices of the agreements that are not over; below zero: of those that will end.
    async fn running(&self) -> Vec<i64> {
        let found = self.stripe.control("state", json!({})).await.unwrap();
        let agreements = found["subscription"].as_array().map_or(&[][..], Vec::as_slice);
        let running = agreements.iter().filter(|one| one["status"] != "canceled");
        let price = |one: &Value| one["items"]["data"][0]["price"]["unit_amount"].as_i64().unwrap();
        running.map(|one| if one["cancel_at_period_end"] == true { -price(one) } else { price(one) }).collect()
    }

    async fn who(&self, address: &str) -> SubscriberId {
        self.site.state.store.subscribers_with(&[address]).await.unwrap().remove(0).id
    }

    async fn is_member(&self, who: &SubscriberId, at: DateTime<Utc>) -> bool {
        self.site.state.store.reading(who, at).await.unwrap().opens == Opens::Everything
    }

    /// What the mails are about that are to be sent and were not looked at before, the first first.
    async fn flows(&self) -> Vec<Flow> {
        let until = clock::now() + TimeDelta::minutes(1);
        let claimed = self.site.state.store.claim(None, "test", clock::now(), until, 100).await.unwrap();
        let mut flows = Vec::new();
        for one in claimed {
            let Content::Notice { flow } = one.content else { panic!() };
            flows.push(self.site.state.store.flow(&flow).await.unwrap().unwrap());
        }
        flows.sort_by_key(|flow| flow.created_at);
        flows
    }

    /// Those about money, in a word each.
    async fn mails(&self) -> Vec<String> {
        self.flows().await.iter().filter_map(|flow| Some(flow.read::<crate::store::Bill>().ok()?.what)).collect()
    }
}

/// Where a page hands a reader over to.
fn handed_over(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.body);
    let address = reply.header("refresh").unwrap().strip_prefix("0;url=").unwrap().to_owned();
    assert!(reply.body.contains(&format!("href=\"{}\"", address.replace('&', "&amp;"))), "{}", reply.body);
    address
}

/// Our own address in what the provider leads back to.
fn back(reply: &stand_in::Reply) -> String {
    let place = reply.location.as_deref().unwrap_or_else(|| panic!("{}", reply.body));
    place.strip_prefix("https://example.com").unwrap().to_owned()
}

/// Changes the card on the provider's page.
async fn types_card(shop: &Shop, address: &str, fields: &[(&str, &str)]) {
    let page = shop.stripe.look(address).await.unwrap();
    let action = page.body.split("action=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let action = if action.starts_with('/') { format!("{}{action}", shop.stripe.url) } else { action };
    shop.stripe.press(&action, fields).await.unwrap();
}

/// Pays on the provider's page, and comes back.
async fn pays(shop: &Shop, browser: &mut Browser<'_>, fields: &[(&str, &str)]) -> (u16, String, Vec<String>) {
    let address = handed_over(&browser.post("/billing/checkout", MONTHLY).await);
    let paid = shop.stripe.press(&address, fields).await.unwrap();
    browser.comes_to(&back(&paid)).await
}

fn account(notice: &str) -> (u16, String, Vec<String>) {
    (303, "/account".to_owned(), vec![notice.to_owned()])
}

#[tokio::test]
async fn a_reader_buys_and_reads() {
    let shop = Shop::open().await;
    let mut reader = Browser::signed_in(&shop.site).await;
    assert!(!reader.get("/for-members/").await.body.contains("The paid sentence."));
    let plans = reader.get("/plans").await.body;
    assert!(plans.contains("€5.00 a month") && plans.contains("$6.00 a month") && plans.contains("€50.00 a year"));
    assert_eq!(pays(&shop, &mut reader, &[("card", GOOD)]).await, account("billing-updated"));
    assert!(reader.get("/for-members/").await.body.contains("The paid sentence."));
    assert_eq!(reader.get("/account").await.notices(), Vec::<&str>::new(), "shown once");
    assert_eq!((shop.charged().await, shop.mails().await), (500, vec!["paid".to_owned()]));
    // Whoever has one does not buy another, nor go over to another currency.
    assert_eq!(reader.sends("/billing/checkout", MONTHLY).await.1, "/plans");
    assert_eq!(reader.sends("/billing/switch", "plan=monthly&currency=USD").await.1, "/plans");
    let plans = reader.get("/plans").await.body;
    assert!(plans.contains("€50.00 a year") && !plans.contains("$60.00 a year"));
    shop.settles().await;
    assert_eq!((shop.charged().await, shop.running().await), (500, vec![500]));
}

#[tokio::test]
async fn whoever_pays_first_is_let_in_by_the_mailed_code() {
    let shop = Shop::open().await;
    let mut browser = Browser::new(&shop.site);
    let came = pays(&shop, &mut browser, &[("email", "new@example.com"), ("card", GOOD)]).await;
    assert_eq!(came, (303, "/sign-in/code".to_owned(), vec!["check-your-mail".to_owned()]));
    assert!(!browser.get("/for-members/").await.body.contains("The paid sentence."), "paying signs nobody in");
    let mail = shop.flows().await.into_iter().find(|flow| flow.purpose == "sign-in").unwrap();
    let edition = shop.site.state.editions.borrow().clone();
    let mail = audience::notice(&edition, &shop.site.state.keys, &mail).unwrap().mail.text;
    let code = mail.lines().find_map(|line| line.strip_prefix("    ")).unwrap();
    let signed_in = browser.post("/sign-in/code", &format!("code={code}")).await;
    assert_eq!(signed_in.header("location"), Some("/account"));
    assert!(browser.get("/for-members/").await.body.contains("The paid sentence."));
    let who = shop.who("new@example.com").await;
    let person = shop.site.state.store.subscriber(&who).await.unwrap().unwrap();
    assert_eq!(person.subscriptions.len(), 0, "paying subscribes to nothing");
}

#[tokio::test]
async fn notices_say_what_the_provider_says() {
    let shop = Shop::open().await;
    let mut reader = Browser::signed_in(&shop.site).await;
    let nothing = |place: &str| (303, place.to_owned(), Vec::new());
    assert_eq!(reader.comes_to("/billing/return").await, nothing("/account"));
    let plans = |notice: &str| (303, "/plans".to_owned(), vec![notice.to_owned()]);
    for forged in ["cs_test_none", "../customers/cus_1", "", "cs_test_%0d%0a"] {
        let address = format!("/billing/return?session={forged}");
        assert_eq!(reader.comes_to(&address).await, nothing("/plans"), "{forged}: typed by hand");
        reader.post("/billing/checkout", MONTHLY).await;
        assert_eq!(reader.comes_to(&address).await, plans("billing-not-updated"), "{forged}");
    }
    let address = handed_over(&reader.post("/billing/checkout", MONTHLY).await);
    let paid = back(&shop.stripe.press(&address, &[("card", GOOD)]).await.unwrap());
    assert_eq!(reader.comes_to(&paid).await, account("billing-updated"));
    assert_eq!(reader.comes_to(&paid).await, nothing("/account"), "told once");
    let card = async |reader: &mut Browser<'_>, fields: Option<&[(&str, &str)]>| {
        let address = handed_over(&reader.post("/billing/portal", "page=card").await);
        if let Some(fields) = fields {
            types_card(&shop, &address, fields).await;
        }
        reader.comes_to("/billing/return").await
    };
    assert_eq!(card(&mut reader, None).await, account("billing-not-updated"));
    assert_eq!(card(&mut reader, Some(&[("card", GOOD)])).await, account("billing-updated"));
    assert_eq!(reader.comes_to("/billing/return").await, nothing("/account"), "told once");
}

#[tokio::test]
async fn a_membership_is_switched_cancelled_and_gone_on_with() {
    let shop = Shop::open().await;
    let mut reader = Browser::signed_in(&shop.site).await;
    pays(&shop, &mut reader, &[("card", GOOD)]).await;
    let shown = reader.post("/billing/switch", YEARLY).await;
    assert_eq!(shown.status, 200);
    let at = shown.body.split("name=\"at\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(shop.running().await, [500], "showing changes nothing");
    assert!(shown.body.contains("To pay now: €45."), "{}", shown.body);
    assert_eq!(reader.sends("/billing/switch", &format!("{YEARLY}&at={at}")).await, account("billing-updated"));
    assert_eq!(shop.running().await, [5000]);
    assert_eq!(reader.sends("/billing/ending", "ends=yes").await, account("billing-updated"));
    assert!(reader.get("/account").await.body.contains("Your membership is cancelled."));
    assert_eq!(reader.sends("/billing/ending", "ends=no").await, account("billing-updated"));
    assert!(!reader.get("/account").await.body.contains("Your membership is cancelled."));
    assert_eq!(shop.mails().await, ["paid", "paid", "cancelled"]);
    let events = shop.site.state.store.account_events(&shop.who("reader@example.com").await, 4).await.unwrap();
    let events: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(events, ["membership-active", "membership-cancelled", "membership-switched", "membership-active"]);
}

#[tokio::test]
async fn only_what_is_sold_is_bought_and_only_by_a_form_of_ours() {
    let shop = Shop::open().await;
    let mut reader = Browser::signed_in(&shop.site).await;
    for form in
        ["plan=free&currency=EUR", "plan=yearly&currency=GBP", "plan=monthly", "plan=monthly&currency=EUR&amount=1", ""]
    {
        assert_eq!(reader.post("/billing/checkout", form).await.status, 400, "{form}");
    }
    for path in ["/billing/checkout", "/billing/portal", "/billing/ending", "/billing/switch"] {
        let foreign = format!("{FORM}Sec-Fetch-Site: cross-site\r\n{}", reader.cookie_line());
        assert_eq!(shop.site.ask("POST", path, &foreign, MONTHLY).await.status, 403, "{path}");
        assert_eq!(shop.site.get(path).await.status, 405, "{path}");
    }
    assert_eq!(reader.post("/billing/ending", "ends=yes").await.status, 404, "nothing is bought");
    assert_eq!(shop.running().await, Vec::<i64>::new());
    let closed = Site::open().await;
    for path in ["/plans", "/billing/return"] {
        assert_eq!(closed.get(path).await.status, 404, "{path}");
    }
    assert_eq!(closed.post("/webhooks/stripe", "{}").await.status, 404);
}

#[tokio::test]
async fn a_message_counts_if_the_provider_signed_it() {
    let shop = Shop::open().await;
    let mut reader = Browser::signed_in(&shop.site).await;
    let who = shop.who("reader@example.com").await;
    let address = handed_over(&reader.post("/billing/checkout", MONTHLY).await);
    let session = back(&shop.stripe.press(&address, &[("card", GOOD)]).await.unwrap());
    let session = session.split("session=").nth(1).unwrap();
    let event = |id: &str| {
        json!({"id": id, "object": "event", "type": "checkout.session.completed", "created": clock::now().timestamp(),
            "data": {"object": {"id": session, "object": "checkout.session"}}})
        .to_string()
    };
    let posts = async |body: &str, signature: &str| {
        let headers = format!("Content-Type: application/json\r\nStripe-Signature: {signature}\r\n");
        shop.site.ask("POST", "/webhooks/stripe", &headers, body).await.status
    };
    let now = clock::now().timestamp();
    let body = event("evt_1");
    for (why, signature) in [
        ("another secret", stand_in::sign("whsec_other", now, &body)),
        ("too old", stand_in::sign(SECRET, now - 600, &body)),
        ("a clock ahead", stand_in::sign(SECRET, now + 600, &body)),
        ("another body", stand_in::sign(SECRET, now, &event("evt_2"))),
        ("none", String::new()),
    ] {
        assert_eq!(posts(&body, &signature).await, 400, "{why}");
    }
    let right = stand_in::sign(SECRET, now, &body);
    assert_eq!(posts(&body[..body.len() - 2], &right).await, 400, "cut short");
    assert_eq!(posts(&"x".repeat(2 << 20), &right).await, 413);
    assert!(work(shop.till(), 10, clock::now()).await.unwrap() && !shop.is_member(&who, clock::now()).await);
    assert_eq!([posts(&body, &right).await, posts(&body, &right).await], [200, 200], "again, it counts for nothing");
    work(shop.till(), 10, clock::now()).await.unwrap();
    assert!(shop.is_member(&who, clock::now()).await);
    let strange = event("evt_3").replace(session, "cs_test_nobodys");
    assert_eq!(posts(&strange, &stand_in::sign(SECRET, now, &strange)).await, 200);
    shop.settles().await;
    assert_eq!((shop.charged().await, shop.mails().await), (500, vec!["paid".to_owned()]));
}

/// What a reader does, and what is true when it is done.
async fn does(shop: &Shop, reader: &mut Browser<'_>, step: &str) {
    match step {
        "buy" => {
            let reply = reader.post("/billing/checkout", MONTHLY).await;
            if reply.status == 200 {
                let paid = shop.stripe.press(&handed_over(&reply), &[("card", GOOD)]).await.unwrap();
                if paid.location.is_some() {
                    reader.get(&back(&paid)).await;
                }
            }
        }
        "switch" => {
            let shown = reader.post("/billing/switch", YEARLY).await;
            if let Some(at) = shown.body.split("name=\"at\" value=\"").nth(1) {
                reader.post("/billing/switch", &format!("{YEARLY}&at={}", at.split('"').next().unwrap())).await;
            }
        }
        "card" => {
            let reply = reader.post("/billing/portal", "page=card").await;
            if reply.status == 200 {
                types_card(shop, &handed_over(&reply), &[("card", GOOD)]).await;
                reader.get("/billing/return").await;
            }
        }
        "renew" => drop(shop.stripe.control("advance", json!({"seconds": 367 * DAY})).await.unwrap()),
        "cancel" => drop(reader.post("/billing/ending", "ends=yes").await),
        "resume" => drop(reader.post("/billing/ending", "ends=no").await),
        _ => drop(reader.post("/account/erase", "").await),
    }
}

/// A reader's life while the provider goes away at its request number `skip`, and comes back before the next step. The
/// reader tries again where it did not work.
async fn lives(what: &'static str, skip: usize, times: usize) {
    let shop = Shop::open().await;
    let mut reader = Browser::signed_in(&shop.site).await;
    let who = shop.who("reader@example.com").await;
    let name = format!("{what} x {times} after {skip} requests");
    shop.fails(what, skip, times).await;
    let mut expected = 0;
    for (step, sums, running) in [
        ("buy", 500, vec![500]),
        ("card", 500, vec![500]),
        ("cancel", 500, vec![-500]),
        ("resume", 500, vec![500]),
        ("switch", 5000, vec![5000]),
        ("renew", 10_000, vec![5000]),
        ("erase", 10_000, vec![]),
    ] {
        does(&shop, &mut reader, step).await;
        shop.settles().await;
        let at = if step == "renew" { clock::now() + TimeDelta::days(380) } else { clock::now() };
        let is_done = match step {
            "buy" => shop.charged().await == 500,
            _ => shop.running().await == running,
        };
        let charged = shop.charged().await;
        assert_eq!(shop.is_member(&who, at).await, charged > 0 && step != "erase", "{name}: {step}");
        assert!(shop.running().await.len() <= 1, "{name}: {step}");
        if !is_done {
            assert!([expected, sums].contains(&charged), "{name}: {step}: {charged}");
            shop.works_again().await;
            does(&shop, &mut reader, step).await;
            shop.settles().await;
        }
        expected = sums;
        let charged = shop.charged().await;
        // A switch is reckoned by the second.
        assert!((charged - sums).abs() <= 2, "{name}: {step}: {charged}");
        assert_eq!(shop.running().await, running, "{name}: {step}");
        assert_eq!(shop.is_member(&who, at).await, step != "erase", "{name}: {step}");
    }
}

/// In CI each request of a life fails in one of three ways; with `PRESSRUN_EVERY_FAULT`, in each.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "who runs the tests says how many")]
async fn the_provider_may_go_away_at_any_moment() {
    let is_each = std::env::var("PRESSRUN_EVERY_FAULT").is_ok();
    let mut lives_at_once = tokio::task::JoinSet::new();
    for skip in 0..72 {
        for (number, what) in ["drop", "drop_after", "500"].into_iter().enumerate() {
            if !is_each && skip % 3 != number {
                continue;
            }
            if lives_at_once.len() >= 16 {
                lives_at_once.join_next().await.unwrap().unwrap();
            }
            lives_at_once.spawn(lives(what, skip, 3));
        }
    }
    while let Some(ended) = lives_at_once.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn a_renewal_that_fails_ends_access_with_the_grace_days() {
    let shop = Shop::open().await;
    let mut reader = Browser::signed_in(&shop.site).await;
    let (who, now) = (shop.who("reader@example.com").await, clock::now());
    let reads = async |days: i64| shop.is_member(&who, now + TimeDelta::days(days)).await;
    // A card that pays once.
    assert_eq!(pays(&shop, &mut reader, &[("card", "4000000000000341")]).await, account("billing-updated"));
    let passes = async |days: i64| {
        shop.stripe.control("advance", json!({"seconds": days * DAY})).await.unwrap();
        shop.settles().await;
    };
    assert_eq!((reads(30).await, reads(40).await), (true, false), "news that never come let nobody read for longer");
    passes(32).await;
    assert_eq!((reads(36).await, reads(40).await), (true, false));
    assert_eq!(shop.mails().await, ["paid", "failed"]);
    assert!(reader.get("/account").await.body.contains("Your last payment is missing."));
    passes(40).await;
    assert_eq!((shop.running().await, shop.charged().await), (vec![], 500));
    let told = shop.mails().await;
    assert!(
        told.len() > 1 && told.last().unwrap() == "ended" && told[..told.len() - 1].iter().all(|what| what == "failed")
    );
    assert!(!reader.get("/account").await.body.contains("Your last payment is missing."));
}

#[tokio::test]
async fn a_renewal_is_a_receipt_and_another_month() {
    let shop = Shop::open().await;
    let mut reader = Browser::signed_in(&shop.site).await;
    let who = shop.who("reader@example.com").await;
    pays(&shop, &mut reader, &[("card", GOOD)]).await;
    shop.stripe.control("advance", json!({"seconds": 32 * DAY})).await.unwrap();
    shop.settles().await;
    assert!(shop.is_member(&who, clock::now() + TimeDelta::days(58)).await);
    assert_eq!((shop.charged().await, shop.mails().await), (1000, vec!["paid".to_owned(), "paid".to_owned()]));
}

#[tokio::test]
async fn money_that_goes_back_takes_access_along() {
    let shop = Shop::open().await;
    let mut reader = Browser::signed_in(&shop.site).await;
    let (who, now) = (shop.who("reader@example.com").await, clock::now());
    let reads = async |days: i64| shop.is_member(&who, now + TimeDelta::days(days)).await;
    pays(&shop, &mut reader, &[("card", GOOD)]).await;
    let charge = async || {
        let found = shop.stripe.control("state", json!({})).await.unwrap();
        found["charge"][0]["id"].as_str().unwrap().to_owned()
    };
    let dispute = shop.stripe.control("dispute", json!({"charge": charge().await})).await.unwrap();
    shop.settles().await;
    assert_eq!((reads(5).await, reads(9).await), (true, false));
    shop.stripe.control("close", json!({"dispute": dispute["id"], "status": "won"})).await.unwrap();
    shop.settles().await;
    assert!(reads(20).await);
    let other = Shop::open().await;
    let mut reader = Browser::signed_in(&other.site).await;
    let who = other.who("reader@example.com").await;
    pays(&other, &mut reader, &[("card", GOOD)]).await;
    let found = other.stripe.control("state", json!({})).await.unwrap();
    let charge = &found["charge"][0]["id"];
    other.stripe.control("refund", json!({"charge": charge, "amount": 100})).await.unwrap();
    other.settles().await;
    assert!(other.is_member(&who, now + TimeDelta::days(20)).await, "a part given back is kindness");
    other.stripe.control("refund", json!({"charge": charge})).await.unwrap();
    other.settles().await;
    assert!(!other.is_member(&who, now + TimeDelta::days(9)).await);
    assert_eq!(other.mails().await, ["paid", "given-back", "given-back"]);
}

#[tokio::test]
async fn two_purchases_by_one_reader_are_one() {
    let shop = Shop::open().await;
    let mut reader = Browser::signed_in(&shop.site).await;
    // Two windows: the first page is closed when the second is opened.
    let first = handed_over(&reader.post("/billing/checkout", MONTHLY).await);
    let second = handed_over(&reader.post("/billing/checkout", MONTHLY).await);
    assert_eq!(shop.stripe.press(&first, &[("card", GOOD)]).await.unwrap().location, None);
    assert!(shop.stripe.press(&second, &[("card", GOOD)]).await.unwrap().location.is_some());
    // And once more in a browser in which they are nobody.
    let mut stranger = Browser::new(&shop.site);
    pays(&shop, &mut stranger, &[("email", "reader@example.com"), ("card", GOOD)]).await;
    shop.settles().await;
    assert_eq!((shop.running().await, shop.charged().await), (vec![500], 500));
    assert!(shop.is_member(&shop.who("reader@example.com").await, clock::now()).await);
}

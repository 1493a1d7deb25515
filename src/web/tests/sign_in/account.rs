//! What a reader who has signed in sees and changes, until they are erased.

use super::*;
use crate::audience::ImportOptions;
use crate::store::Subscriber;

impl Site {
    pub(super) async fn person(&self) -> Subscriber {
        self.state.store.subscribers_with(&["reader@example.com"]).await.unwrap().remove(0)
    }
}

impl<'s> Browser<'s> {
    /// Somebody who has signed in by the link.
    pub(in crate::web::tests) async fn signed_in(site: &'s Site) -> Browser<'s> {
        let mut browser = Browser::new(site);
        browser.asks_for_a_link().await;
        let link = site.letter().await.link;
        assert_eq!(browser.sends(&link, "").await, led_to("/account", "signed-in"));
        browser
    }
}

#[tokio::test]
async fn an_account_shows_and_keeps_what_its_reader_chooses() {
    let site = Site::with_a_reader().await;
    let mut reader = Browser::signed_in(&site).await;
    let body = "newsletter=wire&act=save&cadence=weekly&hour=9&weekday=sun&topic=law&pause=";
    assert_eq!(reader.sends("/account/subscriptions", body).await, led_to("/account", "saved"));
    let person = "name=Ada&time_zone=Asia/Tokyo&language=de";
    assert_eq!(reader.sends("/account", person).await, led_to("/account", "saved"));
    let theirs = site.person().await;
    assert_eq!((theirs.name.as_deref(), theirs.details[1].as_deref()), (Some("Ada"), Some("de")));
    assert_eq!(theirs.subscriptions[0].service.rhythm.key(), "weekly|9|sun|Asia/Tokyo");
    let page = reader.get("/account").await.body;
    for shown in ["value=\"Ada\"", "<option value=\"Asia/Tokyo\" selected", "09:00 · The Wire", "The Week"] {
        assert!(page.contains(shown), "{shown} is missing in {page}");
    }
    let add = "newsletter=week&act=add";
    assert_eq!(reader.sends("/account/subscriptions", add).await, led_to("/account", "subscribed"));
    let leave = "newsletter=week&act=leave";
    let left = reader.post("/account/subscriptions", leave).await;
    assert_eq!(left.status, 303);
    let left = reader.get("/account").await;
    assert_eq!((left.notices(), site.states("reader@example.com").await), (vec!["left"], vec!["ended", "active"]));
    let undo = left.body.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(reader.sends("/account", &format!("token={undo}")).await, led_to("/account", "subscribed"));
    assert_eq!(site.states("reader@example.com").await, ["active", "active"]);
    let before = site.person().await;
    for (path, body, status) in [
        ("/account", "name=a%0d%0ab&time_zone=UTC&language=en", 422),
        ("/account", "name=Ada&time_zone=Europe/Atlantis&language=en", 400),
        ("/account", "name=Ada&time_zone=UTC&language=xx", 400),
        ("/account", "token=forged", 404),
        ("/account", "email=other@example.com", 400),
        ("/account/subscriptions", "newsletter=secret&act=add", 400),
        ("/account/subscriptions", "newsletter=wire&act=save&cadence=daily&pause=1999-01-01", 422),
        ("/account/subscriptions", "newsletter=wire", 400),
    ] {
        assert_eq!(reader.post(path, body).await.status, status, "{body}");
    }
    let mut nobody = Browser::new(&site);
    for path in ["/account", "/account/subscriptions", "/account/erase"] {
        let reply = nobody.post(path, "newsletter=wire&act=leave").await;
        assert_ne!(reply.status, 200, "{path}");
        let foreign = site.ask("POST", path, &format!("{FORM}Sec-Fetch-Site: cross-site\r\n"), "act=leave").await;
        assert_eq!(foreign.status, 403, "{path}");
    }
    assert_eq!(nobody.get("/account/export").await.status, 303);
    assert_eq!(site.person().await, before);
}

#[tokio::test]
async fn a_reader_moves_to_another_address_and_the_old_one_takes_it_back() {
    let site = Site::with_a_reader().await;
    let mut reader = Browser::signed_in(&site).await;
    let mut elsewhere = Browser { site: &site, cookies: reader.cookies.clone() };
    for (body, status) in [("email=nowhere", 422), ("email=new@example.com&name=x", 400)] {
        assert_eq!(reader.post("/account/address", body).await.status, status, "{body}");
    }
    assert_eq!(reader.sends("/account/address", "email=new@example.com").await, led_to("/account", "new-address"));
    let letter = site.notice().await;
    let link = link_in(&letter.text);
    for method in ["GET", "HEAD", "GET"] {
        assert_eq!(elsewhere.ask(method, &link, "").await.status, 200);
    }
    assert_eq!(site.states("reader@example.com").await, ["active"], "looking moves nothing");
    let foreign = site.ask("POST", &link, &format!("{FORM}Sec-Fetch-Site: cross-site\r\n"), "").await;
    assert_eq!(foreign.status, 403);
    assert_eq!(Browser::new(&site).sends(&link, "").await, led_to(&link, "address-moved"));
    assert!(!reader.is_signed_in().await && !elsewhere.is_signed_in().await, "signed out everywhere");
    assert_eq!(site.states("new@example.com").await, ["active"]);
    let moved = site.state.store.subscribers_with(&["new@example.com"]).await.unwrap().remove(0).id;
    assert_eq!(site.state.store.feed_number(&moved).await.unwrap(), Some(1), "and the feed has another address");
    let (used, unknown) = (reader.get(&link).await, reader.get("/address/unknown").await);
    assert_eq!((used.status, used.body), (404, unknown.body));

    let told = site.notice().await;
    assert!(told.text.contains("was changed") || told.subject.contains("was changed"), "{}", told.text);
    let back = link_in(&told.text);
    assert_eq!(reader.sends(&back, "").await, led_to(&back, "address-moved"));
    assert_eq!(site.states("reader@example.com").await, ["active"]);
    assert_eq!(reader.post("/account/address", "email=new@example.com").await.status, 303, "to sign in");
    let sessions = "UPDATE sessions SET signed_in_at = signed_in_at - 600000";
    site.state.store.forget_counts(clock::now() + chrono::Duration::seconds(1)).await.unwrap();
    let mut reader = Browser::signed_in(&site).await;
    site.state.store.execute(sessions, vec![]).await.unwrap();
    let late = reader.post("/account/address", "email=new@example.com").await;
    assert_eq!((late.status, late.body.contains("sign in once more")), (403, true));
}

fn link_in(text: &str) -> String {
    let at = text.find("/address/").unwrap();
    text[at..].split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_reader_takes_their_data_and_goes() {
    let site = Site::with_a_reader().await;
    let mut reader = Browser::signed_in(&site).await;
    let export = reader.get("/account/export").await;
    assert_eq!(export.header("content-disposition"), Some("attachment; filename=\"account.json\""));
    let export: serde_json::Value = serde_json::from_str(&export.body).unwrap();
    assert_eq!(export["person"][0]["email"], "reader@example.com");
    assert_eq!(export["consents"][0]["event"], "confirmed");
    assert_eq!(export["sessions"].as_array().unwrap().len(), 1);
    assert!(!export.to_string().contains("token"), "{export}");

    for _ in 0..5 {
        assert_eq!(reader.get("/account/erase").await.status, 200);
    }
    assert_eq!(site.states("reader@example.com").await, ["active"], "looking erases nothing");
    assert_eq!(reader.post("/account/erase", "").await.status, 200);
    assert!(!reader.is_signed_in().await);
    let people = site.state.store.subscribers_with(&["reader@example.com"]).await.unwrap();
    assert_eq!((people, site.state.store.subscribers_after("", 10).await.unwrap()), (vec![], vec![]));
    let last = site.notice().await;
    assert!(last.text.contains("is erased"), "{}", last.text);

    let (store, keys, edition) = (&site.state.store, &site.state.keys, site.state.editions.borrow().clone());
    let options = ImportOptions { newsletters: vec![NewsletterId::new("wire")], ..Default::default() };
    let import = async || {
        let file = "email,state\nReader@Example.com,active\nother@example.com,active\n".as_bytes();
        audience::import(store, keys, &edition.settings, file, &options, clock::now()).await.unwrap()
    };
    let imported = import().await;
    assert_eq!((imported.imported, imported.suppressed), (1, 1), "no list brings them back");
    assert_eq!(site.states("reader@example.com").await, Vec::<&str>::new());
    store.forget_counts(clock::now() + chrono::Duration::seconds(1)).await.unwrap();
    site.leave_path().await;
    assert_eq!(site.states("reader@example.com").await, ["active"], "they themselves come back");
    assert_eq!(import().await.suppressed, 0);
}

#[tokio::test]
async fn a_member_reads_on_the_page_what_is_paid_for() {
    let site = Site::with_a_reader().await;
    let mut reader = Browser::signed_in(&site).await;
    let mut nobody = Browser::new(&site);
    let (person, now) = (site.person().await.id, clock::now());
    let grants = async |hours| {
        let end = now + chrono::Duration::hours(hours);
        site.state.store.grant_membership(&person, end, now).await.unwrap();
    };
    let reads = |reply: &Reply| (reply.body.contains("The paid sentence."), reply.body.contains("id=\"gate\""));
    let public = nobody.get("/for-members/").await;
    assert_eq!((reads(&public), public.header("cache-control")), ((false, true), Some("no-cache")));
    assert!(public.body.contains("href=\"/sign-in?next=%2Ffor-members%2F\""), "{}", public.body);
    assert_eq!(reader.get("/for-members/").await, public, "a subscriber is no member");
    grants(1).await;
    let whole = reader.get("/for-members/").await;
    assert_eq!((reads(&whole), whole.header("cache-control")), ((true, false), Some("private, no-cache")));
    assert_ne!(whole.header("etag"), public.header("etag"));
    assert!([&public, &whole].iter().all(|page| page.header("vary") == Some("accept-encoding, cookie")));
    assert!(reader.get("/account").await.body.contains("You are a member until"));
    assert_eq!(nobody.get("/for-members/").await, public);
    for path in ["/", "/feed.xml", "/sitemap.xml", "/archive/", "/for-members", "//for-members/", "/FOR-MEMBERS/"] {
        assert!(!reader.get(path).await.body.contains("The paid sentence."), "{path}");
    }
    grants(-1).await;
    assert_eq!(reader.get("/for-members/").await, public, "it ended");
    grants(1).await;
    reader.post("/sign-out", "").await;
    assert_eq!(reader.get("/for-members/").await, public, "who has signed out is anybody");
}

/// Where the account page says that the reader's own feed is.
fn feed_on(page: &Reply) -> String {
    let address = page.body.split("value=\"https://example.com/feed/").nth(1).unwrap();
    format!("/feed/{}", address.split('"').next().unwrap())
}

#[tokio::test]
async fn a_member_has_a_feed_that_ends_when_they_say_so() {
    let site = Site::with_a_reader().await;
    let mut reader = Browser::signed_in(&site).await;
    let (person, store, now) = (site.person().await.id, &site.state.store, clock::now());
    let grants =
        async |hours| store.grant_membership(&person, now + chrono::Duration::hours(hours), now).await.unwrap();
    assert!(!reader.get("/account").await.body.contains("/feed/"), "who is no member has none");
    grants(1).await;
    let feed = feed_on(&reader.get("/account").await);
    let paid = site.get(&feed).await;
    assert!(paid.body.contains("The paid sentence.") && !paid.body.contains("reader@example.com"), "{}", paid.body);
    assert_eq!(paid.header("content-type"), Some("application/atom+xml; charset=utf-8"));
    let said = ["cache-control", "x-robots-tag", "referrer-policy"].map(|name| paid.header(name));
    assert_eq!(said, [Some("private, no-cache"), Some("noindex"), Some("no-referrer")]);
    let known = format!("If-None-Match: {}\r\n", paid.header("etag").unwrap());
    assert_eq!(site.ask("GET", &feed, &known, "").await.status, 304);
    assert_eq!((site.ask("HEAD", &feed, "", "").await.status, site.post(&feed, "").await.status), (200, 405));

    grants(-1).await;
    let free = site.ask("GET", &feed, &known, "").await;
    assert_eq!((free.status, free.body.contains("For members"), free.body.contains("The paid")), (200, true, false));
    grants(1).await;
    assert_eq!(site.get(&feed).await, paid, "the same bytes for whoever reads as much");

    for method in ["GET", "HEAD"] {
        assert_eq!(reader.ask(method, "/account/feed", "").await.header("location"), Some("/account"));
    }
    let foreign = site.ask("POST", "/account/feed", &format!("{FORM}Sec-Fetch-Site: cross-site\r\n"), "").await;
    assert_eq!((foreign.status, feed_on(&reader.get("/account").await)), (403, feed.clone()));
    assert_eq!(reader.sends("/account/feed", "").await, led_to("/account", "saved"));
    let newer = feed_on(&reader.get("/account").await);
    assert_eq!(site.get(&newer).await, paid);
    let (nowhere, of_nobody) = (site.get("/feed/x").await, format!("/feed/{}{}", "0".repeat(32), &newer[38..]));
    assert_eq!(nowhere.status, 404);
    for dead in [&feed, &of_nobody, &newer[..80], &format!("{newer}A"), &newer.to_uppercase(), "/feed/%00"] {
        assert_eq!(site.get(dead).await, nowhere, "{dead}");
    }
    let export = reader.get("/account/export").await.body;
    assert!(export.contains("\"feed_number\": \"1\"") && !export.contains(&newer[6..]), "{export}");
    assert_eq!(reader.post("/account/erase", "").await.status, 200);
    assert_eq!(site.get(&newer).await, nowhere, "of nobody any more");
}

#[tokio::test]
async fn whoever_was_erased_is_not_brought_back_by_an_undo() {
    let site = Site::with_a_reader().await;
    let mut reader = Browser::signed_in(&site).await;
    reader.post("/account/subscriptions", "newsletter=wire&act=leave").await;
    let left = site.person().await.subscriptions.remove(0);
    assert_eq!(reader.post("/account/erase", "").await.status, 200);
    let undone = site.state.store.undo_leaving(left.id, left.ended_at.unwrap(), clock::now()).await.unwrap();
    assert_eq!(undone, []);
}

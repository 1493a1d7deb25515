//! Readers who sign in, and others who would like to.

mod account;
mod gates;

use super::*;
use crate::model::{Cadence, EmailAddress, NewsletterId, SubscriptionState, SuppressionReason};

const LINUX: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n";

/// One browser and the cookies that it keeps.
pub(super) struct Browser<'s> {
    site: &'s Site,
    cookies: Vec<(String, String)>,
}

/// What a sign-in mail brings.
struct Letter {
    link: String,
    code: String,
    text: String,
    html: String,
}

impl<'s> Browser<'s> {
    pub(super) fn new(site: &'s Site) -> Browser<'s> {
        Browser { site, cookies: Vec::new() }
    }

    pub(super) fn cookie_line(&self) -> String {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("Cookie: {}\r\n", cookies.join("; "))
    }

    async fn ask(&mut self, method: &str, path: &str, body: &str) -> Reply {
        let headers = format!("{FORM}{OURS}{LINUX}{}", self.cookie_line());
        let reply = self.site.ask(method, path, &headers, body).await;
        for line in reply.head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !line.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        reply
    }

    pub(super) async fn get(&mut self, path: &str) -> Reply {
        self.ask("GET", path, "").await
    }

    pub(super) async fn post(&mut self, path: &str, body: &str) -> Reply {
        self.ask("POST", path, body).await
    }

    /// Where a form leads, and which notices are shown there.
    pub(super) async fn sends(&mut self, path: &str, body: &str) -> (u16, String, Vec<String>) {
        let reply = self.post(path, body).await;
        let place = reply.header("location").unwrap_or_default().to_owned();
        let page = if place.is_empty() { reply.clone() } else { self.get(&place).await };
        (reply.status, place, page.notices().into_iter().map(str::to_owned).collect())
    }

    /// Where an address leads, and which notices are shown there.
    pub(super) async fn comes_to(&mut self, path: &str) -> (u16, String, Vec<String>) {
        let reply = self.get(path).await;
        let place = reply.header("location").unwrap_or_default().to_owned();
        let page = self.get(&place).await;
        (reply.status, place, page.notices().into_iter().map(str::to_owned).collect())
    }

    async fn asks_for_a_link(&mut self) {
        let led = self.sends("/sign-in", "email=reader@example.com").await;
        assert_eq!(led, (303, "/sign-in/code".to_owned(), vec!["check-your-mail".to_owned()]));
    }

    async fn is_signed_in(&mut self) -> bool {
        self.get("/account").await.status == 200
    }

    fn keeps(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Site {
    /// A site that one reader has subscribed to.
    async fn with_a_reader() -> Site {
        let site = Site::open().await;
        site.leave_path().await;
        site
    }

    /// The latest sign-in mail.
    async fn letter(&self) -> Letter {
        let mail = self.notice().await;
        let place = mail.text.find("/sign-in/").unwrap();
        let link = mail.text[place..].split_whitespace().next().unwrap().to_owned();
        let code = mail.text.lines().find_map(|line| line.strip_prefix("    ")).unwrap().to_owned();
        Letter { link, code, text: mail.text, html: mail.html }
    }
}

fn led_to(place: &str, notice: &str) -> (u16, String, Vec<String>) {
    (303, place.to_owned(), vec![notice.to_owned()])
}

#[tokio::test]
async fn a_link_signs_in_where_it_was_asked_for() {
    let site = Site::with_a_reader().await;
    let mut browser = Browser::new(&site);
    let reply = browser.get("/account").await;
    assert_eq!((reply.status, reply.header("location")), (303, Some("/sign-in?next=%2Faccount")));
    browser.asks_for_a_link().await;
    let letter = site.letter().await;
    for _ in 0..20 {
        for method in ["GET", "HEAD"] {
            assert_eq!(browser.ask(method, &letter.link, "").await.status, 200);
        }
    }
    assert!(!browser.is_signed_in().await, "looking signs nobody in");
    let page = browser.get(&letter.link).await;
    assert!(!page.body.contains(&letter.code) && !page.body.contains("name=\"here\""));
    let (lasting, keeps) = (page.lasting_head(), |header: &str| page.header(header).unwrap_or_default().to_owned());
    assert_eq!((keeps("cache-control"), keeps("referrer-policy")), ("no-store".to_owned(), "no-referrer".to_owned()));
    assert!(lasting.contains("x-robots-tag: noindex") && !page.body.contains("<script"));
    assert_eq!(browser.sends(&letter.link, "").await, led_to("/account", "signed-in"));
    let page = browser.get("/account").await;
    assert!(page.body.contains("reader@example.com") && page.body.contains("Firefox · Linux"));
    assert_eq!(page.notices(), Vec::<&str>::new(), "shown once");
    assert_eq!(browser.keeps("__Host-flow"), None);
    let dead = browser.post(&letter.link, "").await;
    assert_eq!((dead.status, dead.notices()), (404, vec!["link-expired"]));
}

#[tokio::test]
async fn who_is_signed_in_reads_in_the_language_that_they_chose() {
    let site = Site::with_a_reader().await;
    let reader = crate::store::Newcomer {
        email: EmailAddress::parse("reader@example.com").unwrap(),
        name: None,
        details: [None, Some("ar".to_owned()), None],
        created_at: clock::now(),
        subscription: (NewsletterId::new("week"), Cadence::Weekly, SubscriptionState::Active),
        wish: crate::model::Wish::default(),
    };
    site.state.store.import(vec![reader], clock::now()).await.unwrap();
    let mut browser = Browser::new(&site);
    browser.asks_for_a_link().await;
    assert!(browser.get("/subscribe").await.body.contains("<html lang=\"en\""));
    let code = site.letter().await.code;
    browser.post("/sign-in/code", &format!("code={code}")).await;
    for path in ["/subscribe", "/account", "/confirm/no-such-token"] {
        assert!(browser.get(path).await.body.contains("<html lang=\"ar\" dir=\"rtl\">"), "{path}");
    }
}

#[tokio::test]
async fn a_code_signs_in_where_it_was_asked_for_and_nowhere_else() {
    let site = Site::with_a_reader().await;
    let (mut browser, mut other) = (Browser::new(&site), Browser::new(&site));
    browser.asks_for_a_link().await;
    let letter = site.letter().await;
    let typed = format!("code={}", letter.code.to_lowercase().replace('-', "+"));
    assert_eq!(other.post("/sign-in/code", &typed).await.status, 422, "without a cookie");
    other.sends("/sign-in", "email=unknown@example.com").await;
    assert_eq!(other.post("/sign-in/code", &typed).await.status, 422, "with the cookie of another");
    let wrong = browser.post("/sign-in/code", "code=0000-0000").await;
    assert_eq!((wrong.status, wrong.body.contains("id=\"code-error\"")), (422, true));
    assert_eq!(browser.sends("/sign-in/code", &typed).await, led_to("/account", "signed-in"));
    assert_eq!(browser.post("/sign-in/code", &typed).await.status, 422, "a code works once");
    assert_eq!(browser.get(&letter.link).await.status, 404, "and ends its link");
}

#[tokio::test]
async fn a_program_that_presses_every_button_shuts_nobody_out() {
    let site = Site::with_a_reader().await;
    let (mut browser, mut program) = (Browser::new(&site), Browser::new(&site));
    browser.asks_for_a_link().await;
    let letter = site.letter().await;
    let page = program.get(&letter.link).await;
    assert!(page.body.contains(&letter.code), "for typing where it was asked for");
    assert_eq!(program.post(&letter.link, "").await.status, 200, "the button of the other page");
    assert!(!program.is_signed_in().await);
    assert_eq!(program.sends(&letter.link, "here=yes").await, led_to("/account", "signed-in"));
    assert_eq!(Browser::new(&site).post(&letter.link, "here=yes").await.status, 404, "a link works once");
    assert_eq!(browser.sends("/sign-in/code", &format!("code={}", letter.code)).await.0, 303);
    assert!(browser.is_signed_in().await);
}

#[tokio::test]
async fn every_address_is_answered_alike_and_gets_the_same_rows() {
    let site = Site::with_a_reader().await;
    let key = EmailAddress::parse("bounced@example.com").unwrap().key().to_owned();
    site.state.store.suppress(vec![key], SuppressionReason::HardBounce, clock::now()).await.unwrap();
    let waiting = async || {
        let waiting = site.state.store.waiting_deliveries().await.unwrap();
        waiting.into_iter().map(|(_, count)| count).sum::<i64>()
    };
    let (before, mut answers) = (waiting().await, Vec::new());
    for address in ["reader@example.com", "reader@example.com", "unknown@example.com", "bounced@example.com"] {
        let mut browser = Browser::new(&site);
        let reply = browser.post("/sign-in", &format!("email={address}")).await;
        let names: Vec<_> = browser.cookies.iter().map(|(name, value)| (name.clone(), value.len())).collect();
        let head = browser.cookies.iter().fold(reply.head.clone(), |head, (_, value)| head.replace(value, ""));
        let code = browser.post("/sign-in/code", "code=ABCD-EFGH").await;
        answers.push((reply.status, head, reply.body, names, code));
    }
    for answer in &answers[1..] {
        assert_eq!(*answer, answers[0]);
    }
    assert_eq!(waiting().await, before + 1, "only who is known, reachable and within the limit is mailed");
}

#[tokio::test]
async fn a_mail_says_who_asked_and_has_one_link() {
    let site = Site::with_a_reader().await;
    let mut browser = Browser::new(&site);
    browser.asks_for_a_link().await;
    let letter = site.letter().await;
    let links: Vec<&str> = letter.html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(links, [format!("https://example.com{}", letter.link)]);
    assert!(!letter.html.contains("<img") && letter.html.contains(&letter.code));
    assert_eq!(letter.text.matches("https://").count(), 1);
    assert!(letter.text.contains("Firefox · Linux") && letter.text.contains("Never forward"));
}

#[tokio::test]
async fn a_session_ends_where_and_when_it_is_told() {
    let site = Site::with_a_reader().await;
    let mut browsers = Vec::new();
    for _ in 0..3 {
        let mut browser = Browser::new(&site);
        browser.asks_for_a_link().await;
        let letter = site.letter().await;
        browser.sends(&letter.link, "").await;
        site.forget_limits().await;
        browsers.push(browser);
    }
    let [first, second, third] = &mut browsers[..] else { panic!() };
    let page = first.get("/account").await;
    let sessions: Vec<&str> = page.body.split("name=\"session\" value=\"").skip(1).collect();
    assert_eq!(sessions.len(), 2, "each but this one can be ended");
    let session = sessions[0].split('"').next().unwrap();
    let mut stranger = Browser::new(&site);
    stranger.post("/sign-out", &format!("session={session}")).await;
    assert!(third.is_signed_in().await, "nobody ends the session of another");
    let reply = first.post("/sign-out", &format!("session={session}")).await;
    assert_eq!(reply.header("location"), Some("/account"));
    assert!(first.is_signed_in().await && second.is_signed_in().await && !third.is_signed_in().await);
    let stolen = Browser { site: &site, cookies: second.cookies.clone() };
    second.post("/sign-out", "").await;
    for mut browser in [stolen, Browser { site: &site, cookies: second.cookies.clone() }] {
        assert!(!browser.is_signed_in().await, "the server forgot it too");
    }
    first.post("/sign-out", "everywhere=yes").await;
    assert!(!first.is_signed_in().await);
    assert_eq!(first.get("/sign-out").await.status, 405);
}

#[tokio::test]
async fn a_session_is_new_at_each_sign_in_and_never_one_that_was_planted() {
    let site = Site::with_a_reader().await;
    let mut browser = Browser::new(&site);
    browser.cookies.push(("__Host-session".to_owned(), "planted".to_owned()));
    browser.asks_for_a_link().await;
    let letter = site.letter().await;
    let reply = browser.post(&letter.link, "").await;
    let given = reply.head.lines().find(|line| line.contains("__Host-session=")).unwrap();
    let flags = given.split_once(';').unwrap().1;
    assert_eq!(flags, " Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure");
    let session = browser.keeps("__Host-session").unwrap().to_owned();
    assert_eq!(session.len(), 43);
    site.forget_limits().await;
    let mut before = Browser { site: &site, cookies: browser.cookies.clone() };
    browser.asks_for_a_link().await;
    let letter = site.letter().await;
    browser.sends(&letter.link, "").await;
    assert_ne!(browser.keeps("__Host-session").unwrap(), session);
    assert!(browser.is_signed_in().await && !before.is_signed_in().await, "the old one is dead");
}

#[tokio::test]
async fn the_page_after_signing_in_is_one_of_ours() {
    let site = Site::with_a_reader().await;
    let to = async |next: &str| {
        let mut browser = Browser::new(&site);
        let form = browser.get(&format!("/sign-in?next={next}")).await;
        let action = form.body.split("action=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        browser.post(&action.replace("&#x2F;", "/"), "email=reader@example.com").await;
        let letter = site.letter().await;
        site.forget_limits().await;
        browser.post(&letter.link, "").await.header("location").unwrap().to_owned()
    };
    assert_eq!(to("%2Fa-headline%2F").await, "/a-headline/");
    assert_eq!(to("%2Faccount%3Fa%3Db").await, "/account?a=b");
    for hostile in ["https%3A%2F%2Fevil.test", "%2F%2Fevil.test", "%2F%5Cevil.test", "%2F%2509%2Fevil.test", ""] {
        assert_eq!(to(hostile).await, "/account", "{hostile}");
    }
}

#[tokio::test]
async fn a_sign_in_form_from_elsewhere_does_nothing() {
    let site = Site::with_a_reader().await;
    let mut browser = Browser::new(&site);
    browser.asks_for_a_link().await;
    let letter = site.letter().await;
    let cookies = browser.cookie_line();
    let code = format!("code={}", letter.code);
    let forms = [
        ("/sign-in", "email=other@example.com"),
        (&letter.link, "here=yes"),
        ("/sign-in/code", &code),
        ("/sign-out", ""),
    ];
    for origin in
        ["", "Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\n", "Origin: https://evil.test\r\n"]
    {
        for (path, body) in forms {
            let headers = format!("{FORM}{origin}{cookies}");
            assert_eq!(site.ask("POST", path, &headers, body).await.status, 403, "{origin} {path}");
        }
    }
    assert_eq!(browser.sends(&letter.link, "").await.0, 303, "the link still works");
}

#[tokio::test]
async fn a_dead_link_to_sign_in_tells_nothing_about_why() {
    let site = Site::with_a_reader().await;
    let mut browser = Browser::new(&site);
    browser.asks_for_a_link().await;
    let used = site.letter().await.link;
    browser.sends(&used, "").await;
    site.forget_limits().await;
    browser.asks_for_a_link().await;
    let overtaken = site.letter().await.link;
    site.forget_limits().await;
    browser.asks_for_a_link().await;
    let unknown = format!("/sign-in/{}", "A".repeat(43));
    for method in ["GET", "HEAD", "POST"] {
        let ask = async |path: &str| site.ask(method, path, &format!("{FORM}{OURS}"), "").await;
        let expected = ask(&unknown).await;
        assert_eq!(expected.status, 404);
        for path in [used.as_str(), overtaken.as_str(), "/sign-in/x"] {
            assert_eq!(ask(path).await, expected, "{method}");
        }
    }
    let leaving = site.get("/unsubscribe/x").await;
    assert_eq!(leaving.status, 404);
}

#[tokio::test]
async fn an_address_written_otherwise_is_another() {
    let site = Site::with_a_reader().await;
    for path in ["/sign-in/", "//sign-in", "/Sign-In", "/sign-in%2f", "/sign-in;x", "/x/../sign-in", "/account/x"] {
        let reply = site.post(path, "email=reader@example.com").await;
        assert!([404, 405].contains(&reply.status), "{path}: {}", reply.status);
    }
    for path in ["/account/", "/sign-in/"] {
        assert_eq!(site.get(path).await.header("location"), path.strip_suffix('/'));
    }
}

#[tokio::test]
async fn the_link_is_sent_again_by_one_click() {
    let site = Site::with_a_reader().await;
    let mut browser = Browser::new(&site);
    browser.asks_for_a_link().await;
    let first = site.letter().await;
    let again = browser.sends("/sign-in", "again=yes").await;
    assert_eq!(again, led_to("/sign-in/code", "check-your-mail"), "too soon, but that is not said");
    site.forget_limits().await;
    browser.sends("/sign-in", "again=yes").await;
    let second = site.letter().await;
    assert_ne!(first.code, second.code);
    assert_eq!(browser.post(&first.link, "").await.status, 404, "a newer link ends the older one");
    assert_eq!(browser.sends("/sign-in/code", &format!("code={}", second.code)).await.0, 303);
    assert_eq!(Browser::new(&site).post("/sign-in", "again=yes").await.status, 422, "nobody asked there");
}

//! Requests as they come over the wire, against a real listener.

mod billing;
mod returns;
mod sign_in;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::audience::{self, Purpose, subscription_token};
use crate::files;
use crate::press::{self, Options};
use crate::store::fresh::stores;

const SETTINGS: &str = "[publication]\ntitle = \"Example Wire\"\nurl = \"https://example.com\"\n\
    [[newsletters]]\nid = \"wire\"\ntitle = \"The Wire\"\nfrom = \"wire@example.com\"\ntopics = [\"law\", \"sea\"]\n\
    [[newsletters]]\nid = \"week\"\ntitle = \"The Week\"\nfrom = \"wire@example.com\"\n";
const ARTICLE: &str = "---\nid: one\ntitle: A headline\ndate: 2026-01-01\nredirect-from: [/old-headline/]\n---\n\
    Text.\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const OURS: &str = "Sec-Fetch-Site: same-origin\r\n";

const PAID: &str = "---\nid: two\ntitle: For members\ndate: 2026-01-02\naccess: paid\n---\n\
    The beginning.\n\n<!-- more -->\n\nThe paid sentence.\n";

struct Site {
    state: Arc<AppState>,
    _edition: watch::Sender<Arc<Edition>>,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<io::Result<()>>,
    _folders: (TempDir, TempDir),
}

#[derive(Debug, Clone, PartialEq)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// What does not depend on the page's bytes.
    fn lasting_head(&self) -> String {
        let depends = |line: &&str| line.starts_with("etag:") || line.starts_with("content-length:");
        self.head.lines().filter(|line| !depends(line)).collect::<Vec<_>>().join("\n")
    }

    fn cookie(&self) -> String {
        let cookie = self.header("set-cookie").unwrap_or_default();
        format!("Cookie: {}\r\n", cookie.split(';').next().unwrap())
    }

    fn notices(&self) -> Vec<&str> {
        self.body.split("data-notice=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
    }
}

impl Site {
    async fn open() -> Site {
        Site::with(SETTINGS).await
    }

    async fn with(settings: &str) -> Site {
        Site::with_variables(settings, &[]).await
    }

    async fn with_variables(settings: &str, variables: &[(&str, &str)]) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            files::create_folder(path.parent().unwrap()).unwrap();
            files::write_atomically(&path, text.as_bytes()).unwrap();
        };
        write("publish.toml", settings);
        write("content/a-headline.md", ARTICLE);
        write("content/for-members.md", PAID);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bound = listener.local_addr().unwrap();
        let bound_url = Url::parse(&format!("http://{bound}")).ok();
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let options = Options { bound_url, environment, ..Options::default() };
        let edition = press::load(folder.path(), &options, clock::now()).unwrap();
        assert!(!edition.has_errors(), "{:?}", edition.diagnostics);
        let (store, database) = stores().await.into_iter().next().unwrap();
        for newsletter in &edition.settings.newsletters {
            store.enter_newsletter(newsletter.id.clone(), vec![], clock::now()).await.unwrap();
        }
        let base_url = Url::parse(&edition.base_url).unwrap();
        let (sender, editions) = watch::channel(Arc::new(edition));
        let keys = Arc::new(ServerKeys::new(*b"key", []));
        let till = billing::till(&editions.borrow().settings, &store, &keys);
        let outbox = Some(folder.path().join("data/outbox"));
        let state = Arc::new(AppState { store, keys, editions, base_url, bound, till, sns: Sns::default(), outbox });
        let (stop, stopped) = watch::channel(false);
        let served = tokio::spawn(serve(state.clone(), listener, stopped));
        Site { state, _edition: sender, stop, served, _folders: (folder, database) }
    }

    /// Sends bytes, and reads until the server closes.
    async fn raw(&self, request: &str) -> Reply {
        let mut stream = TcpStream::connect(self.state.bound).await.unwrap();
        let _ = stream.write_all(request.as_bytes()).await;
        read_reply(&mut stream).await
    }

    async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Reply {
        let length = body.len();
        let (host, headers) =
            if headers.contains("Host:") { ("", headers) } else { ("Host: example.com\r\n", headers) };
        self.raw(&format!(
            "{method} {path} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ))
        .await
    }

    async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, "", "").await
    }

    async fn post(&self, path: &str, body: &str) -> Reply {
        self.ask("POST", path, &format!("{FORM}{OURS}"), body).await
    }

    /// The notice that a reader would get.
    async fn notice(&self) -> crate::render::NoticeMail {
        let until = clock::now() + chrono::Duration::minutes(1);
        let claimed = self.state.store.claim(None, "test", clock::now(), until, 10).await.unwrap();
        let crate::store::Content::Notice { flow } = &claimed.last().unwrap().content else { panic!() };
        let flow = self.state.store.flow(flow).await.unwrap().unwrap();
        let edition = self.state.editions.borrow().clone();
        audience::notice(&edition, &self.state.keys, &flow).unwrap().mail
    }

    /// The link in it.
    async fn confirm_path(&self) -> String {
        let mail = self.notice().await;
        let at = mail.text.find("/confirm/").unwrap();
        mail.text[at..].split_whitespace().next().unwrap().to_owned()
    }

    /// As if a day had passed since anybody asked for anything.
    async fn forget_limits(&self) {
        self.state.store.forget_counts(clock::now() + chrono::Duration::seconds(1)).await.unwrap();
    }

    async fn states(&self, address: &str) -> Vec<&'static str> {
        let people = self.state.store.subscribers_with(&[address]).await.unwrap();
        people.iter().flat_map(|person| &person.subscriptions).map(|theirs| theirs.state.as_str()).collect()
    }

    /// Signs up and confirms; gives the leave link of what was chosen.
    async fn leave_path(&self) -> String {
        self.post("/subscribe", "email=reader@example.com&newsletter=wire").await;
        self.post(&self.confirm_path().await, "").await;
        let people = self.state.store.subscribers_with(&["reader@example.com"]).await.unwrap();
        format!(
            "/unsubscribe/{}",
            subscription_token(self.state.keys.current(), Purpose::Leave, &people[0].subscriptions[0].id)
        )
    }
}

async fn read_reply(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    // The date is the only thing that may differ between two answers.
    let head = head.lines().filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n");
    Reply { status, head, body: body.to_owned() }
}

#[tokio::test]
async fn a_host_that_is_not_ours_is_not_served() {
    let site = Site::open().await;
    let status = async |request: &str| site.raw(&format!("{request}Connection: close\r\n\r\n")).await.status;
    assert_eq!(status("GET / HTTP/1.1\r\nHost: example.com\r\n").await, 200);
    assert_eq!(status("GET / HTTP/1.1\r\n").await, 400);
    assert_eq!(status("GET / HTTP/1.1\r\nHost: example.com\r\nHost: evil.test\r\n").await, 400);
    assert_eq!(status("GET / HTTP/1.1\r\nHost: evil.test\r\n").await, 421);
    assert_eq!(status("GET / HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: example.com\r\n").await, 421);
    assert_eq!(status("GET http://evil.test/ HTTP/1.1\r\nHost: example.com\r\n").await, 421);
    assert_eq!(status("GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n").await, 200);
    assert_eq!(status("GET /healthz HTTP/1.1\r\nHost: evil.test\r\n").await, 200);
    assert_eq!(status("GET /readyz HTTP/1.1\r\nHost: evil.test\r\n").await, 200);
    assert_eq!(status("GET /readyz HTTP/1.0\r\n").await, 200);
}

#[tokio::test]
async fn every_answer_carries_the_headers_of_safety() {
    let site = Site::open().await;
    insta::assert_snapshot!("site_head", site.get("/a-headline/").await.lasting_head());
    insta::assert_snapshot!("token_head", site.get("/confirm/unknown").await.lasting_head());
}

#[tokio::test]
async fn a_page_that_is_known_is_not_sent_again() {
    let site = Site::open().await;
    let page = site.get("/").await;
    let etag = page.header("etag").unwrap();
    let again = site.ask("GET", "/", &format!("If-None-Match: \"other\", W/{etag}\r\n"), "").await;
    assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", Some(etag)));
    let zipped = site.ask("GET", "/", "Accept-Encoding: gzip\r\n", "").await;
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    assert_eq!((zipped.header("vary"), page.header("vary")), (Some("accept-encoding"), Some("accept-encoding")));
    assert_ne!(zipped.header("etag"), Some(etag), "two encodings are two representations");
    let head = site.ask("HEAD", "/", "", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), page.header("content-length"));
}

#[tokio::test]
async fn an_address_leads_to_its_page_or_nowhere() {
    let site = Site::open().await;
    let answer = async |path: &str| {
        let reply = site.get(path).await;
        (reply.status, reply.header("location").unwrap_or_default().to_owned())
    };
    let to = |place: &str| (301, place.to_owned());
    assert_eq!(answer("/a-headline").await, to("/a-headline/"));
    assert_eq!(answer("/old-headline/").await, to("/a-headline/"));
    assert_eq!(answer("/subscribe/").await, to("/subscribe"));
    let nowhere = (404, String::new());
    for path in [
        "/nothing", "//example.com", "//a-headline", "/publish.toml", "/.env", "/../publish.toml",
        "/%2e%2e/publish.toml", "/%ff", "/issues/x/", "/outbox/../x/",
    ] {
        assert_eq!(answer(path).await, nowhere, "{path}");
    }
    let reply = site.post("/a-headline/", "").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn every_address_takes_its_methods_and_no_other() {
    let site = Site::open().await;
    for (pattern, methods) in ROUTES.iter().filter(|(pattern, _)| !["/healthz", "/readyz"].contains(pattern)) {
        let path = pattern.replace("{token}", "x").replace("{id}", "x");
        for method in ["GET", "HEAD", "POST", "PUT"] {
            let reply = site.ask(method, &path, &format!("{FORM}{OURS}"), "").await;
            let is_taken = methods.split(", ").any(|taken| taken == method);
            assert_eq!(reply.status != 405, is_taken, "{method} {path}: {}", reply.status);
            assert_eq!(reply.header("allow"), (!is_taken).then_some(*methods), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_reader_signs_up_confirms_and_leaves() {
    let site = Site::open().await;
    let reply = site.post("/subscribe", "email=reader@example.com&newsletter=wire&cadence=daily").await;
    assert_eq!((reply.status, reply.header("location")), (303, Some("/subscribe")));
    let page = site.ask("GET", "/subscribe", &reply.cookie(), "").await;
    assert_eq!(page.notices(), ["check-your-mail"]);
    assert!(page.header("set-cookie").unwrap().contains("Max-Age=0"), "shown once");
    assert_eq!(site.get("/subscribe").await.notices(), Vec::<&str>::new());

    let confirm = site.confirm_path().await;
    for _ in 0..50 {
        assert_eq!(site.get(&confirm).await.status, 200);
        assert_eq!(site.ask("HEAD", &confirm, "", "").await.status, 200);
    }
    assert_eq!(site.states("reader@example.com").await, ["pending"], "looking confirms nothing");
    let reply = site.post(&confirm, "").await;
    assert_eq!((reply.status, reply.header("location")), (303, Some("/subscribe")));
    let page = site.ask("GET", "/subscribe", &reply.cookie(), "").await;
    assert_eq!(page.notices(), ["signed-up", "subscribed"]);
    assert!(page.body.contains("The Wire"));
    assert_eq!(site.states("reader@example.com").await, ["active"]);

    let people = site.state.store.subscribers_with(&["reader@example.com"]).await.unwrap();
    let leave = format!(
        "/unsubscribe/{}",
        subscription_token(site.state.keys.current(), Purpose::Leave, &people[0].subscriptions[0].id)
    );
    for _ in 0..50 {
        assert_eq!(site.get(&leave).await.status, 200);
    }
    assert_eq!(site.states("reader@example.com").await, ["active"], "looking ends nothing");
    let reply = site.post(&leave, "").await;
    assert_eq!((reply.status, reply.header("location")), (303, Some(leave.as_str())));
    let page = site.ask("GET", &leave, &reply.cookie(), "").await;
    assert_eq!(page.notices(), ["left"]);
    assert_eq!(site.states("reader@example.com").await, ["ended"]);
    let undo = page.body.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let reply = site.post(&leave, &format!("token={undo}")).await;
    assert_eq!(site.ask("GET", &leave, &reply.cookie(), "").await.notices(), ["subscribed"]);
    assert_eq!(site.states("reader@example.com").await, ["active"]);
}

#[tokio::test]
async fn the_form_chooses_topics_asks_about_slips_and_traps_machines() {
    let site = Site::open().await;
    let form = site.get("/subscribe").await;
    assert!(form.body.contains("value=\"law\"") && form.body.contains("/static/zone."), "{}", form.body);
    let policy = form.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");

    let trapped = site.post("/subscribe", "email=bot@example.com&newsletter=wire&website=x").await;
    assert_eq!((trapped.status, site.states("bot@example.com").await.len()), (303, 0));

    let slip = site.post("/subscribe", "email=reader@gmial.com&newsletter=wire").await;
    assert_eq!((slip.status, site.states("reader@gmial.com").await.len()), (422, 0));
    assert!(slip.body.contains("value=\"reader@gmail.com\"") && slip.body.contains("value=\"reader@gmial.com\""));
    let meant = site.post("/subscribe", "email=reader@gmial.com&newsletter=wire&asked=yes").await;
    assert_eq!((meant.status, site.states("reader@gmial.com").await), (303, vec!["pending"]));

    let body = "email=reader@example.com&newsletter=wire&cadence=daily&topic=law&topic=none&time_zone=Europe/Atlantis";
    let reply = site.post("/subscribe", body).await;
    let page = site.ask("GET", "/subscribe", &reply.cookie(), "").await;
    let flow = page.body.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let again = site.post("/subscribe", &format!("token={flow}")).await;
    assert_eq!(site.ask("GET", "/subscribe", &again.cookie(), "").await.notices(), ["check-your-mail"]);
    assert_eq!(site.post("/subscribe", "token=unknown").await.status, 404);
    let until = clock::now() + chrono::Duration::minutes(1);
    let claimed = site.state.store.claim(None, "test", clock::now(), until, 10).await.unwrap();
    let flows = claimed.iter().map(|claimed| match &claimed.content {
        crate::store::Content::Notice { flow } => flow.as_str(),
        crate::store::Content::Issue { .. } => "",
    });
    assert!(flows.clone().any(|known| known == flow), "what was asked for a moment ago is not asked for again");
    let confirm = format!("/confirm/{}", site.state.keys.sign("confirm", flow));
    let reply = site.post(&confirm, "time_zone=Asia/Tokyo").await;
    let page = site.ask("GET", "/subscribe", &reply.cookie(), "").await;
    assert_eq!(page.notices(), ["signed-up", "subscribed"]);
    assert!(page.body.contains("The Wire: Your next digest comes on"), "{}", page.body);
    let person = &site.state.store.subscribers_with(&["reader@example.com"]).await.unwrap()[0];
    assert_eq!(person.details[0].as_deref(), Some("Asia/Tokyo"));
    assert_eq!(person.subscriptions[0].service.topics, ["law"]);
    assert_eq!(person.subscriptions[0].service.rhythm.key(), "daily|||Asia/Tokyo");

    let welcome = site.notice().await;
    assert!(welcome.text.contains("The Wire: Your next digest comes on"), "{}", welcome.text);
    let choose = welcome.text.split("https://example.com").find(|text| text.starts_with("/preferences/")).unwrap();
    assert_eq!(site.get(choose.split_whitespace().next().unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_form_on_another_site_leads_to_ours() {
    let site = Site::open().await;
    let body = "email=reader@example.com&name=Ada&newsletter=week&cadence=weekly&topic=law";
    let reply = site.ask("POST", "/subscribe", &format!("{FORM}Origin: https://elsewhere.test\r\n"), body).await;
    assert_eq!((reply.status, reply.header("set-cookie")), (200, None));
    for filled in ["value=\"reader@example.com\"", "value=\"Ada\"", "value=\"week\" checked", "value=\"law\" checked"] {
        assert!(reply.body.contains(filled), "{filled} is missing in {}", reply.body);
    }
    assert_eq!(site.states("reader@example.com").await.len(), 0, "another site asks for nothing");
}

#[tokio::test]
async fn a_link_in_an_issue_changes_how_it_comes() {
    let site = Site::open().await;
    site.leave_path().await;
    site.post("/subscribe", "email=other@example.com&newsletter=wire").await;
    let theirs = async || {
        let people = site.state.store.subscribers_with(&["reader@example.com"]).await.unwrap();
        people[0].subscriptions[0].clone()
    };
    let page = format!("/preferences/{}", subscription_token(b"key", Purpose::Preferences, &theirs().await.id));
    for _ in 0..10 {
        let shown = site.get(&page).await;
        assert_eq!((shown.status, shown.header("cache-control")), (200, Some("no-store")));
        assert!(!shown.body.contains("reader@example.com"), "the link tells nothing of the person");
    }
    let before = theirs().await;
    let choices = async || theirs().await.service.choices(clock::now());
    let saved = async |body: &str| {
        let reply = site.post(&page, body).await;
        assert_eq!((reply.status, reply.header("location")), (303, Some(page.as_str())), "{body}");
        assert_eq!(site.ask("GET", &page, &reply.cookie(), "").await.notices(), ["saved"]);
    };
    saved("act=save&cadence=daily&hour=9&weekday=sun&topic=law&topic=none&pause=").await;
    let chosen = choices().await;
    assert_eq!(
        (chosen.cadence.as_str(), chosen.hour, chosen.topics.as_slice()),
        ("daily", Some(9), &["law".to_owned()][..])
    );
    saved("act=rarer").await;
    let rarer = choices().await;
    assert_eq!((rarer.cadence.as_str(), rarer.hour, rarer.topics), ("weekly", Some(9), chosen.topics));
    let next_month = (clock::now() + chrono::Duration::days(30)).format("%Y-%m-%d");
    saved(&format!("act=save&cadence=instant&pause={next_month}")).await;
    assert_eq!(
        theirs().await.service.paused_until.map(|until| until.format("%Y-%m-%d").to_string()),
        Some(next_month.to_string())
    );
    let now = theirs().await;
    for (body, status) in [
        ("act=save&cadence=instant&pause=2020-01-01", 422),
        ("act=save&cadence=instant&pause=soon", 422),
        ("act=save&cadence=hourly", 400),
        ("act=save&cadence=daily&hour=x", 400),
        ("act=erase", 400),
        ("", 400),
    ] {
        assert_eq!(site.post(&page, body).await.status, status, "{body}");
    }
    let foreign = site.ask("POST", &page, &format!("{FORM}Sec-Fetch-Site: cross-site\r\n"), "act=leave").await;
    assert_eq!((foreign.status, theirs().await), (403, now));
    let leave_token = subscription_token(b"key", Purpose::Leave, &before.id);
    assert_eq!(site.post(&format!("/preferences/{leave_token}"), "act=leave").await.status, 404);

    let reply = site.post(&page, "act=leave-all").await;
    let left = site.ask("GET", &page, &reply.cookie(), "").await;
    assert_eq!((left.notices(), site.states("reader@example.com").await), (vec!["left"], vec!["ended"]));
    let undo = left.body.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let reply = site.post(&page, &format!("token={undo}")).await;
    assert_eq!(site.ask("GET", &page, &reply.cookie(), "").await.notices(), ["subscribed"]);
    assert_eq!(site.states("reader@example.com").await, ["active"]);
    assert_eq!(site.states("other@example.com").await, ["pending"], "another reader's choices stay");
}

#[tokio::test]
async fn a_mail_programs_button_ends_it_in_one_click() {
    let site = Site::open().await;
    let leave = site.leave_path().await;
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
    let encodings = [
        (FORM, "List-Unsubscribe=One-Click"),
        (FORM, "List-Unsubscribe=One-Click\r\n"),
        ("Content-Type: multipart/form-data; boundary=b\r\n", multipart),
    ];
    for (kind, body) in encodings {
        // Cross-site on purpose: it comes from somebody else's page or program.
        let reply = site.ask("POST", &leave, &format!("{kind}Sec-Fetch-Site: cross-site\r\n"), body).await;
        assert_eq!((reply.status, reply.header("location"), reply.header("set-cookie")), (200, None, None));
        assert_eq!(site.states("reader@example.com").await, ["ended"]);
    }
    let forged = site.ask("POST", "/unsubscribe/forged", FORM, "List-Unsubscribe=One-Click").await;
    assert_eq!(forged.status, 404);
}

#[tokio::test]
async fn a_link_tells_nothing_about_why_it_does_not_work() {
    let site = Site::open().await;
    site.post("/subscribe", "email=reader@example.com&newsletter=wire").await;
    let used = site.confirm_path().await;
    site.post(&used, "").await;
    let unknown = format!("/confirm/{}", "A".repeat(43));
    for method in ["GET", "HEAD", "POST"] {
        let ask = async |path: &str| site.ask(method, path, &format!("{FORM}{OURS}"), "").await;
        let expected = ask(&unknown).await;
        assert_eq!(expected.status, 404);
        assert_eq!(ask(&used).await, expected);
        assert_eq!(ask("/confirm/x").await, expected);
        let expected = ask(&format!("/unsubscribe/{}", "A".repeat(43))).await;
        assert_eq!((expected.status, expected.body.contains("Sign up")), (404, false));
        assert_eq!(ask("/unsubscribe/x").await, expected);
    }
}

#[tokio::test]
async fn every_address_gets_the_same_answer() {
    let site = Site::open().await;
    site.leave_path().await;
    let mut answers = Vec::new();
    for address in ["reader@example.com", "unknown@example.com", "unknown@example.com"] {
        let reply = site.post("/subscribe", &format!("email={address}&newsletter=wire")).await;
        let cookie = reply.header("set-cookie").unwrap().to_owned();
        answers.push((reply.status, reply.body.clone(), reply.head.replace(&cookie, "").len(), cookie.len()));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[1], answers[2]);
}

#[tokio::test]
async fn a_form_from_elsewhere_does_nothing() {
    let site = Site::open().await;
    site.post("/subscribe", "email=reader@example.com&newsletter=wire").await;
    let confirm = site.confirm_path().await;
    let refused = [
        "",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Origin: https://evil.test\r\n",
        "Origin: null\r\n",
        "Origin: http://example.com\r\n",
        "Sec-Fetch-Site: cross-site\r\nOrigin: https://example.com\r\n",
    ];
    for headers in refused {
        let sign_up = ("/subscribe", "email=other@example.com&newsletter=wire", 200);
        for (path, body, status) in [(confirm.as_str(), "", 403), sign_up] {
            let reply = site.ask("POST", path, &format!("{FORM}{headers}"), body).await;
            assert_eq!(reply.status, status, "{headers} {path}");
        }
    }
    assert_eq!(site.states("reader@example.com").await, ["pending"]);
    assert_eq!(site.states("other@example.com").await, Vec::<&str>::new());
    let reply = site.ask("POST", &confirm, &format!("{FORM}Origin: https://example.com\r\n"), "").await;
    assert_eq!(reply.status, 303);
}

#[tokio::test]
async fn a_wrong_form_says_what_to_put_right() {
    let site = Site::open().await;
    let page = site.post("/subscribe", "email=%22%3E%3Cscript%3E&newsletter=wire&cadence=hourly").await;
    assert_eq!(page.status, 422);
    assert!(page.body.contains("id=\"email-error\"") && page.body.contains("id=\"cadence-error\""));
    assert!(page.body.contains("<title>Mistake in the form · ") && page.body.contains("email-error\" autofocus>"));
    assert!(page.body.contains("&quot;&gt;&lt;script&gt;"), "what was typed is kept, as text");
    for (body, expected) in [
        ("email=reader%40example.com%0d%0aBcc%3A%20x%40example.com", 422),
        ("email=reader@example.com&name=a%0d%0ab", 422),
        ("email=reader@example.com&newsletter=secret", 422),
        ("email=reader@example.com&newsletter=", 422),
        ("email=", 422),
        ("", 422),
        ("email=a@example.com&email=b@example.com", 400),
        ("email=a@example.com&is_admin=1", 400),
        ("email=%ff%fe", 400),
    ] {
        assert_eq!(site.post("/subscribe", body).await.status, expected, "{body}");
    }
    let many = "newsletter=wire&".repeat(65);
    assert_eq!(site.post("/subscribe", &many).await.status, 400);
    let json = site.ask("POST", "/subscribe", &format!("Content-Type: application/json\r\n{OURS}"), "{}").await;
    assert_eq!(json.status, 415);
    let large = site.post("/subscribe", &format!("email={}", "a".repeat(70_000))).await;
    assert_eq!(large.status, 413);
    let waiting = site.state.store.waiting_deliveries().await.unwrap();
    assert_eq!(waiting, []);
}

#[tokio::test]
async fn a_page_for_one_reader_speaks_their_language() {
    let site = Site::open().await;
    for (asked, expected) in [
        ("", "<html lang=\"en\" dir=\"ltr\">"),
        ("Accept-Language: de-AT,de;q=0.9,en;q=0.5\r\n", "<html lang=\"de\" dir=\"ltr\">"),
        ("Accept-Language: nl, ar;q=0.5\r\n", "<html lang=\"ar\" dir=\"rtl\">"),
    ] {
        assert!(site.ask("GET", "/subscribe", asked, "").await.body.contains(expected), "{asked}");
        assert!(site.ask("GET", "/a-headline/", asked, "").await.body.contains("<html lang=\"en\""), "{asked}");
    }
    let asked = format!("{FORM}{OURS}Accept-Language: ar\r\n");
    assert_eq!(site.ask("POST", "/subscribe", &asked, "email=reader@example.com").await.status, 303);
    let mail = site.notice().await;
    assert!(mail.html.contains("<html lang=\"ar\" dir=\"rtl\">"), "{}", mail.html);
    assert!(!mail.text.contains("Confirm"), "{}", mail.text);
}

#[tokio::test]
async fn a_notice_is_not_to_be_had_by_words_in_the_address() {
    let site = Site::open().await;
    for path in ["/subscribe?notice=subscribed", "/subscribe?data-notice=signed-up", "/?notice=left"] {
        assert_eq!(site.get(path).await.notices(), Vec::<&str>::new());
    }
    let forged = site.ask("GET", "/subscribe", "Cookie: __Host-notice=e30.forged\r\n", "").await;
    assert_eq!(forged.notices(), Vec::<&str>::new());
}

#[tokio::test]
async fn too_many_sign_ups_of_one_client_are_told_so() {
    let site = Site::open().await;
    for number in 0..20 {
        let body = format!("email=reader{number}@example.com&newsletter=wire");
        let headers = format!("{FORM}{OURS}X-Forwarded-For: 192.0.2.{number}\r\n");
        assert_eq!(site.ask("POST", "/subscribe", &headers, &body).await.status, 303);
    }
    let reply = site.post("/subscribe", "email=one-more@example.com&newsletter=wire").await;
    assert_eq!(reply.status, 429);
}

#[tokio::test]
async fn the_outbox_shows_a_mail_that_can_do_nothing() {
    let site = Site::open().await;
    let mail = "From: The Wire <wire@example.com>\r\nTo: reader@example.com\r\nSubject: Hello\r\n\
        MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><head></head><body>\
        <a href=\"https://example.com/confirm/x\">go</a><script>alert(1)</script></body></html>\r\n";
    let folder = site.state.outbox.clone().unwrap();
    files::create_folder(&folder).unwrap();
    files::write_atomically(&folder.join("0192f0c0a1b27c3d8e4f5a6b7c8d9e0f.eml"), mail.as_bytes()).unwrap();
    let list = site.get("/outbox/").await;
    assert!(list.body.contains("/outbox/0192f0c0a1b27c3d8e4f5a6b7c8d9e0f/"), "{}", list.body);
    let page = site.get("/outbox/0192f0c0a1b27c3d8e4f5a6b7c8d9e0f/").await;
    assert!(page.body.contains("The Wire &lt;wire@example.com&gt;") && page.body.contains("<iframe"));
    let frame = site.get("/outbox/0192f0c0a1b27c3d8e4f5a6b7c8d9e0f/html").await;
    assert!(frame.body.contains("<base target=\"_top\">"));
    let policy = frame.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("sandbox ") && !policy.contains("allow-scripts") && !policy.contains("allow-same-origin")
    );
    let raw = site.get("/outbox/0192f0c0a1b27c3d8e4f5a6b7c8d9e0f.eml").await;
    assert_eq!((raw.status, raw.body.as_str()), (200, mail));
    for path in ["/outbox/..%2f..%2fpublish/", "/outbox/0192/html", "/outbox/x.eml"] {
        assert_eq!(site.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn on_this_machine_every_local_name_works_and_cookies_need_no_https() {
    let site = Site::with("[publication]\ntitle = \"Example\"\n").await;
    let port = site.state.bound.port();
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        let headers = format!("Host: {host}:{port}\r\n{FORM}Origin: http://{host}:{port}\r\n");
        let reply = site.ask("POST", "/subscribe", &headers, &format!("email=reader@{}.example", host.len())).await;
        assert_eq!(reply.status, 303, "{host}");
        assert!(reply.header("set-cookie").unwrap().starts_with("notice="));
        assert_eq!(reply.header("strict-transport-security"), None);
    }
    assert_eq!(site.ask("GET", "/", "Host: evil.test\r\n", "").await.status, 421);
}

#[tokio::test]
async fn a_client_that_dawdles_is_closed() {
    let site = Site::open().await;
    let mut slow = TcpStream::connect(site.state.bound).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: exam").await.unwrap();
    let mut idle = TcpStream::connect(site.state.bound).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: example.com\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    let mut late = TcpStream::connect(site.state.bound).await.unwrap();
    let head = format!("POST /subscribe HTTP/1.1\r\nHost: example.com\r\n{FORM}{OURS}Content-Length: 20\r\n\r\nemail=");
    late.write_all(head.as_bytes()).await.unwrap();
    // From here on nobody is at work, so that the paused clock runs to the next time limit at once.
    tokio::time::pause();
    let started = Instant::now();
    assert_ne!(read_reply(&mut slow).await.status, 200);
    read_reply(&mut idle).await;
    assert_eq!(read_reply(&mut late).await.status, 408);
    assert!(started.elapsed() <= Duration::from_secs(30), "by the paused clock");
}

#[tokio::test]
async fn the_server_ends_when_it_has_answered() {
    let site = Site::open().await;
    let mut idle = TcpStream::connect(site.state.bound).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: example.com\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    site.stop.send_replace(true);
    site.served.await.unwrap().unwrap();
    assert!(TcpStream::connect(site.state.bound).await.is_err());
}

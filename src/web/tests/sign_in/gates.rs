//! What is paid for, asked for in every way that HTTP has.

use std::io::Read as _;

use super::*;

const WAYS_TO_ASK: [&str; 14] = [
    "",
    "Accept-Encoding: gzip\r\n",
    "Accept-Encoding: identity\r\n",
    "Accept-Encoding: gzip;q=0, br\r\n",
    "Accept-Encoding: *;q=0.1\r\n",
    "Range: bytes=0-9999\r\n",
    "Range: bytes=-400\r\nAccept-Encoding: gzip\r\n",
    "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n",
    "Cache-Control: only-if-cached\r\n",
    "Authorization: Bearer x\r\n",
    "Cookie: __Host-session=forged\r\n",
    "X-Forwarded-For: 127.0.0.1\r\nX-Original-URL: /for-members/\r\n",
    "User-Agent: Googlebot/2.1 (+http://www.google.com/bot.html)\r\n",
    "Purpose: prefetch\r\nSec-Fetch-Site: cross-site\r\n",
];

impl Site {
    /// The answer to a request of this version, its body as a browser would read it.
    async fn unzipped(&self, version: &str, line: &str, headers: &str) -> Reply {
        let mut stream = TcpStream::connect(self.state.bound).await.unwrap();
        let request = format!("{line} HTTP/{version}\r\nHost: example.com\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let (head, body) = (String::from_utf8_lossy(&bytes[..end]).into_owned(), &bytes[end + 4..]);
        let mut text = String::new();
        if head.contains("content-encoding: gzip") && !body.is_empty() {
            flate2::read::GzDecoder::new(body).read_to_string(&mut text).unwrap();
        } else {
            text = String::from_utf8_lossy(body).into_owned();
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        Reply { status, head, body: text }
    }
}

fn is_paid(reply: &Reply) -> bool {
    reply.body.contains("The paid sentence.")
}

#[tokio::test]
async fn what_is_paid_for_is_had_in_no_other_way() {
    let site = Site::with_a_reader().await;
    let reader = Browser::signed_in(&site).await;
    let (person, now) = (site.person().await.id, clock::now());
    let member = reader.cookie_line();
    site.state.store.grant_membership(&person, now + chrono::Duration::hours(1), now).await.unwrap();
    let mut tags = Vec::new();
    for encoding in ["", "Accept-Encoding: gzip\r\n"] {
        let whole = site.unzipped("1.1", "GET /for-members/", &format!("{encoding}{member}")).await;
        assert!(is_paid(&whole), "{}", whole.head);
        tags.push(whole.header("etag").unwrap().to_owned());
    }
    let known = format!("If-None-Match: {}\r\n", tags.join(", "));
    for way in WAYS_TO_ASK.into_iter().chain([known.as_str()]) {
        for (version, method) in [("1.1", "GET"), ("1.0", "GET"), ("1.1", "HEAD"), ("1.0", "HEAD")] {
            let line = format!("{method} /for-members/");
            let reply = site.unzipped(version, &line, way).await;
            let (cache, vary) = (reply.header("cache-control"), reply.header("vary"));
            assert_eq!((reply.status, cache, vary), (200, Some("no-cache"), Some("accept-encoding, cookie")), "{way}");
            assert!(!is_paid(&reply) && reply.body.contains("id=\"gate\"") == (method == "GET"), "{line} {way}");
            assert!(!tags.iter().any(|tag| reply.header("etag") == Some(tag)), "{line} {way}");
            if way.starts_with("Cookie") {
                continue;
            }
            let theirs = site.unzipped(version, &line, &format!("{way}{member}")).await;
            assert!(["private, no-cache"].contains(&theirs.header("cache-control").unwrap()), "{line} {way}");
            assert_eq!(theirs.header("vary"), Some("accept-encoding, cookie"), "{line} {way}");
            assert_eq!((theirs.status == 304, theirs.status == 200), (way == known, way != known), "{line} {way}");
            assert_eq!(is_paid(&theirs), method == "GET" && way != known, "{line} {way}");
        }
    }
    let public = site.get("/for-members/").await;
    let known = format!("If-None-Match: {}\r\n", public.header("etag").unwrap());
    assert_eq!(site.unzipped("1.1", "GET /for-members/", &known).await.status, 304);
    assert!(is_paid(&site.unzipped("1.1", "GET /for-members/", &format!("{known}{member}")).await));
}

#[tokio::test]
async fn no_other_writing_of_an_address_leads_round_the_gate() {
    let site = Site::with_a_reader().await;
    for path in [
        "/for%2dmembers/",
        "/%66or-members/",
        "/for-members/?preview=1",
        "/for-members/?x=/a-headline/",
        "/for-members//",
        "/for-members/.",
        "/./for-members/",
        "/a-headline/../for-members/",
        "/for-members/index.html",
        "/for-members/%00",
        "/for-members%2f",
        "/for-members/;a",
        "/for-members.json",
        "http://example.com/for-members/",
        "/feed/",
        "/feed/feed.xml",
        "/feed.xml?token=x",
    ] {
        let reply = site.unzipped("1.1", &format!("GET {path}"), "").await;
        assert!(!is_paid(&reply) && [200, 301, 404].contains(&reply.status), "{path}: {}", reply.head);
    }
}

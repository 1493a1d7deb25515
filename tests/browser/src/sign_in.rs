//! A reader signs in: by the link where they asked, by the code where they asked from another device, and out again.

use crate::chromium::Script;
use crate::people::Reader;
use crate::publication::Publication;

/// A publication that knows the reader.
fn publication() -> Publication {
    let publication = Publication::start();
    publication.runs(&["subscribers", "add", "reader@example.com", "--newsletter", "wire"]);
    publication
}

impl Reader {
    /// Opens the link of the mail.
    pub async fn opens_the_link(&self) {
        self.reads_mail("Sign in").await;
        self.follows_link("/sign-in/").await;
        self.sees(&[]).await;
    }
}

async fn by_the_link(script: Script) {
    let publication = publication();
    let reader = publication.reader("reader", script).await;
    reader.asks_to_sign_in().await;
    reader.sees_once(&["check-your-mail"]).await;
    reader.opens_the_link().await;
    let link: String = reader.chromium.asks("location.href").await;
    assert!(!reader.is_signed_in().await, "looking at a link signed in");
    reader.chromium.goes_to(&link).await;
    reader.chromium.follows("form[action^='/sign-in/'] button").await;
    assert!(reader.is_at("/account").await);
    reader.sees_once(&["signed-in"]).await;
    reader.chromium.goes_to(&link).await;
    reader.sees(&["link-expired"]).await;
    assert!(reader.is_signed_in().await);
    reader.chromium.follows("form[action='/sign-out'] button").await;
    assert!(!reader.is_signed_in().await);
    reader.chromium.ends().await;
}

async fn by_the_code(script: Script) {
    let publication = publication();
    let reader = publication.reader("reader", script).await;
    let phone = publication.reader("phone", script).await;
    reader.asks_to_sign_in().await;
    reader.sees_once(&["check-your-mail"]).await;
    phone.opens_the_link().await;
    let code: String = phone.chromium.asks("document.querySelector('.standfirst strong').innerText").await;
    reader.chromium.clicks("input[name=code]").await;
    reader.chromium.types(&code.to_lowercase()).await;
    reader.chromium.follows("form[action='/sign-in/code'] button").await;
    assert!(reader.is_at("/account").await);
    reader.sees_once(&["signed-in"]).await;
    assert!(!phone.is_signed_in().await);
    let shown = publication.runs(&["subscribers", "show", "reader@example.com"]);
    assert!(shown.contains("sign-in-asked") && shown.contains("signed-in          code, Chrome"), "{shown}");
    reader.chromium.ends().await;
    phone.chromium.ends().await;
}

#[tokio::test]
async fn by_the_link_with_scripts() {
    by_the_link(Script::Allowed).await;
}

#[tokio::test]
async fn by_the_link_without_scripts() {
    by_the_link(Script::Forbidden).await;
}

#[tokio::test]
async fn by_the_code_with_scripts() {
    by_the_code(Script::Allowed).await;
}

#[tokio::test]
async fn by_the_code_without_scripts() {
    by_the_code(Script::Forbidden).await;
}

#[tokio::test]
async fn a_program_that_presses_every_button_shuts_nobody_out() {
    let publication = publication();
    let reader = publication.reader("reader", Script::Allowed).await;
    let scanner = publication.reader("scanner", Script::Allowed).await;
    reader.asks_to_sign_in().await;
    reader.sees_once(&["check-your-mail"]).await;
    scanner.opens_the_link().await;
    let code: String = scanner.chromium.asks("document.querySelector('.standfirst strong').innerText").await;
    scanner.chromium.follows("main form button").await;
    scanner.sees(&["signed-in"]).await;
    reader.chromium.clicks("input[name=code]").await;
    reader.chromium.types(&code).await;
    reader.chromium.follows("form[action='/sign-in/code'] button").await;
    reader.sees(&["signed-in"]).await;
    reader.chromium.ends().await;
    scanner.chromium.ends().await;
}

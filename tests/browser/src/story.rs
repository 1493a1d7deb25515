//! One reader's way: sign up, confirm, get an issue, leave, come back; each notice by the real act and by nothing else.

use crate::chromium::Script;
use crate::publication::Publication;

async fn a_reader_comes_and_goes(script: Script) {
    let publication = Publication::start();
    let editor = publication.editor();
    let reader = publication.reader("reader", script).await;

    reader.signs_up("/subscribe").await;
    reader.sees_once(&["check-your-mail"]).await;

    reader.reads_mail("onfirm").await;
    reader.follows_link("/confirm/").await;
    let confirm_link: String = reader.chromium.asks("location.href").await;
    reader.sees(&[]).await;
    assert_eq!(editor.sees_state(&reader, "wire"), "pending", "a link that was only looked at confirmed");
    reader.confirms().await;
    reader.sees_once(&["signed-up", "subscribed"]).await;
    assert_eq!(editor.sees_state(&reader, "wire"), "active");

    editor.sends("how-passkeys-work");
    reader.reads_mail("passkey").await;
    reader.follows_link("/unsubscribe/").await;
    reader.sees(&[]).await;
    assert_eq!(editor.sees_state(&reader, "wire"), "active", "a link that was only looked at unsubscribed");
    reader.leaves().await;
    reader.sees(&["left"]).await;
    assert_eq!(editor.sees_state(&reader, "wire"), "ended");
    reader.undoes().await;
    reader.sees_once(&["subscribed"]).await;
    assert_eq!(editor.sees_state(&reader, "wire"), "active");

    reader.leaves().await;
    reader.sees_once(&["left"]).await;
    assert_eq!(editor.sees_state(&reader, "wire"), "ended");

    reader.chromium.goes_to(&confirm_link).await;
    reader.sees(&["link-expired"]).await;
    assert_eq!(editor.sees_state(&reader, "wire"), "ended", "a used link brought back who had left");
    reader.chromium.ends().await;
}

#[tokio::test]
async fn a_reader_comes_and_goes_with_scripts() {
    a_reader_comes_and_goes(Script::Allowed).await;
}

#[tokio::test]
async fn a_reader_comes_and_goes_without_scripts() {
    a_reader_comes_and_goes(Script::Forbidden).await;
}

#[tokio::test]
async fn the_form_below_an_article_signs_up() {
    let publication = Publication::start();
    let reader = publication.reader("reader", Script::Allowed).await;
    reader.signs_up("/how-passkeys-work/").await;
    reader.sees_once(&["check-your-mail"]).await;
    reader.reads_mail("onfirm").await;
    reader.chromium.ends().await;
}

#[tokio::test]
async fn no_address_typed_by_hand_shows_a_notice() {
    let publication = Publication::start();
    let reader = publication.reader("reader", Script::Allowed).await;
    let notices = ["check-your-mail", "signed-up", "signed-in", "subscribed", "left", "link-expired", "saved"];
    for notice in notices {
        for place in ["/subscribe", "/", "/how-passkeys-work/", "/sign-in/code"] {
            for typed in [format!("?notice={notice}"), format!("?{notice}"), format!("?action={notice}&success=true")] {
                reader.chromium.goes_to(&format!("{place}{typed}#{notice}")).await;
                reader.sees(&[]).await;
            }
        }
    }
    reader.chromium.ends().await;
}

#[tokio::test]
#[should_panic(expected = "out of order")]
async fn a_page_that_breaks_the_policy_is_seen() {
    let publication = Publication::start();
    let reader = publication.reader("reader", Script::Allowed).await;
    reader.chromium.goes_to("/").await;
    let foreign = "document.body.insertAdjacentHTML('beforeend', '<img src=https://example.com/pixel.png>') ?? true";
    let _: bool = reader.chromium.asks(foreign).await;
    reader.chromium.ends().await;
}

#[tokio::test]
async fn a_browser_without_scripts_runs_none() {
    let publication = Publication::start();
    let reader = publication.reader("reader", Script::Forbidden).await;
    reader.chromium.goes_to("data:text/html,<title>off</title><script>document.title = 'on'</script>").await;
    let title: String = reader.chromium.asks("document.title").await;
    assert_eq!(title, "off");
    reader.chromium.ends().await;
}

//! What holds for every page, whatever it says: it fits a narrow screen, and needs no mouse.

use serde::Deserialize;

use crate::chromium::Script;
use crate::people::Reader;
use crate::publication::Publication;

/// Where the keyboard is.
#[derive(Debug, Deserialize)]
struct Focus {
    tag: String,
    name: String,
    outline: f64,
}

const FOCUS: &str = "(() => { const at = document.activeElement, style = getComputedStyle(at);
    return { tag: at.localName, name: at.name ?? '', outline: style.outlineStyle == 'none' ? 0 : parseFloat(style.outlineWidth) } })()";

/// The widths of a small phone, a phone, and a desk.
const WIDTHS: [u32; 3] = [320, 375, 1280];

/// The page as it is now, at every width.
async fn fits(reader: &Reader) {
    for width in WIDTHS {
        reader.chromium.has_screen(width, 800).await;
        let (place, needed): (String, u32) =
            reader.chromium.asks("[location.pathname, document.documentElement.scrollWidth]").await;
        assert!(needed <= width, "{place} needs {needed} pixels on a screen of {width}");
    }
}

#[tokio::test]
async fn no_page_is_wider_than_the_screen() {
    let publication = Publication::start();
    let reader = publication.reader("reader", Script::Allowed).await;
    let pages = [
        "/", "/how-passkeys-work/", "/archive/", "/tags/security/", "/authors/security-desk/", "/about/", "/subscribe",
        "/sign-in", "/sign-in/code", "/sign-in/unknown", "/outbox/", "/nowhere/",
    ];
    for page in pages {
        reader.chromium.goes_to(page).await;
        fits(&reader).await;
    }
    reader.signs_up("/subscribe").await;
    fits(&reader).await;
    reader.reads_mail("onfirm").await;
    fits(&reader).await;
    reader.follows_link("/confirm/").await;
    fits(&reader).await;
    reader.confirms().await;
    fits(&reader).await;
    publication.editor().sends("how-passkeys-work");
    reader.reads_mail("passkey").await;
    fits(&reader).await;
    reader.chromium.follows("a[href$='/html']").await;
    fits(&reader).await;
    reader.chromium.follows("a[href*='/issues/']").await;
    fits(&reader).await;
    reader.chromium.ends().await;
}

#[tokio::test]
async fn the_keyboard_is_enough_to_sign_up() {
    let publication = Publication::start();
    let reader = publication.reader("reader", Script::Allowed).await;
    reader.chromium.goes_to("/subscribe").await;
    let mut reached: Vec<String> = Vec::new();
    while !reached.iter().any(|name| name == "email") {
        reader.chromium.presses("Tab").await;
        let focus: Focus = reader.chromium.asks(FOCUS).await;
        assert!(focus.tag != "body", "the keyboard left the page after {reached:?}");
        assert!(focus.outline >= 2.0, "nothing shows that {focus:?} has the focus");
        reached.push(if focus.name.is_empty() { focus.tag } else { focus.name });
    }
    assert!(reached.contains(&"newsletter".to_owned()) && reached.contains(&"cadence".to_owned()), "{reached:?}");
    reader.chromium.types("keyboard@example.com").await;
    reader.chromium.arrives(reader.chromium.presses("Enter")).await;
    reader.sees(&["check-your-mail"]).await;
    reader.chromium.ends().await;
}

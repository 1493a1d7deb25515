//! Who acts in the tests: a reader with a browser, an editor with a terminal.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::axe;
use crate::chromium::{Chromium, DEADLINE, Script};
use crate::publication::Publication;

/// Somebody with a mail address and a browser.
pub struct Reader {
    /// Their browser.
    pub chromium: Chromium,
    /// Where they are mailed.
    pub address: String,
    script: Script,
}

/// Somebody with a terminal beside the server.
pub struct Editor<'a> {
    publication: &'a Publication,
}

/// Where the inside of the frame begins, and how wide it is.
const FRAME: &str = "(() => { const frame = document.querySelector('iframe'), box = frame.getBoundingClientRect();
    return [box.left + frame.clientLeft, box.top + frame.clientTop, frame.clientWidth] })()";

fn middle_of(selector: &str) -> String {
    format!(
        "(() => {{ const box = document.querySelector({selector:?}).getClientRects()[0];
        return [box.left + box.width / 2, box.top + box.height / 2] }})()"
    )
}

impl Publication {
    /// A reader who comes for the first time.
    pub async fn reader(&self, name: &str, script: Script) -> Reader {
        let chromium = Chromium::open(&self.url, self.provider.as_deref(), script).await;
        Reader { chromium, script, address: format!("{name}@example.com") }
    }

    /// The editor.
    pub fn editor(&self) -> Editor<'_> {
        Editor { publication: self }
    }
}

impl Reader {
    /// Fills the form of the page at `path` and sends it.
    pub async fn signs_up(&self, path: &str) {
        self.chromium.goes_to(path).await;
        self.sends_sign_up().await;
    }

    /// Sends the form as it is, with the address.
    pub async fn sends_sign_up(&self) {
        self.chromium.clicks("form.sign-up input[name=email]").await;
        self.chromium.types(&self.address).await;
        self.chromium.follows("form.sign-up button").await;
    }

    /// Wants to see the account, and asks for a link instead.
    pub async fn asks_to_sign_in(&self) {
        self.chromium.goes_to("/account").await;
        assert_eq!(self.chromium.asks::<String>("location.pathname").await, "/sign-in");
        self.chromium.clicks("input[name=email]").await;
        self.chromium.types(&self.address).await;
        self.chromium.follows("main form button").await;
    }

    /// Whether `/account` is theirs to see.
    pub async fn is_signed_in(&self) -> bool {
        self.chromium.goes_to("/account").await;
        self.is_at("/account").await
    }

    /// Whether the page is the one at `path`.
    pub async fn is_at(&self, path: &str) -> bool {
        self.chromium.asks::<String>("location.pathname").await == path
    }

    /// Opens the latest mail whose subject has `words` in it, as soon as it is there.
    pub async fn reads_mail(&self, words: &str) {
        let place =
            format!("[...document.querySelectorAll('.rows a')].findIndex(a => a.textContent.includes({words:?}))");
        self.finds("/outbox/", &format!("{place} >= 0")).await;
        let place: i32 = self.chromium.asks(&place).await;
        self.chromium.follows(&format!(".rows li:nth-child({}) a", place + 1)).await;
    }

    /// Looks at the page at `path` again and again until what an expression says of it is true.
    pub async fn finds(&self, path: &str, expression: &str) {
        let until = Instant::now() + DEADLINE;
        self.chromium.goes_to(path).await;
        while !self.chromium.asks::<bool>(expression).await {
            assert!(Instant::now() < until, "{path} does not come to {expression}");
            self.chromium.reloads().await;
        }
    }

    /// Sets a field whose list or calendar is the browser's own, and in the browser's own language.
    pub async fn picks(&self, field: &str, value: &str) {
        let set = format!("document.querySelector({field:?}).value = {value:?}");
        assert_eq!(self.chromium.asks::<String>(&set).await, value);
        assert_eq!(self.value_of(field).await, value, "{field} does not offer it");
    }

    /// What a field holds.
    pub async fn value_of(&self, field: &str) -> String {
        self.chromium.asks(&format!("document.querySelector({field:?}).value")).await
    }

    /// Whether a box or a button among several is chosen.
    pub async fn has_chosen(&self, field: &str) -> bool {
        self.chromium.asks(&format!("document.querySelector({field:?}).checked")).await
    }

    /// Clicks the link of the open mail that leads to `/confirm/…` or `/unsubscribe/…`.
    ///
    /// The mail lies in a frame that no selector reaches. Where its link is, the same mail by itself tells, as wide as
    /// the frame; the screen is so high that nothing needs to be scrolled.
    pub async fn follows_link(&self, place: &str) {
        const HEIGHT: u32 = 8_000;
        self.chromium.has_screen(1280, HEIGHT).await;
        let (left, top, width): (f64, f64, u32) = self.chromium.asks(FRAME).await;
        let mail: String = self.chromium.asks("location.pathname").await;
        self.chromium.follows("a[href$='/html']").await;
        self.chromium.has_screen(width, HEIGHT).await;
        let (x, y): (f64, f64) = self.chromium.asks(&middle_of(&format!("a[href*='{place}']"))).await;
        self.chromium.has_screen(1280, HEIGHT).await;
        self.chromium.goes_to(&mail).await;
        // The frame is drawn by a process of its own. Only what has been drawn can be clicked, and a picture waits for it.
        self.chromium.picture(false).await;
        self.chromium.arrives(self.chromium.clicks_at(left + x, top + y)).await;
        self.chromium.has_screen(1280, 900).await;
    }

    /// Presses the one button of a page on which links only show what they would do.
    pub async fn confirms(&self) {
        self.chromium.follows("form[action^='/confirm/'] button").await;
    }

    /// Presses the button of the page to which a mail's leave link leads.
    pub async fn leaves(&self) {
        self.chromium.follows("form[action^='/unsubscribe/'] button").await;
    }

    /// Takes it back.
    pub async fn undoes(&self) {
        self.chromium.follows("[data-notice=left] form button").await;
    }

    /// Which notices the page shows; the first has the focus, so that it is read aloud.
    pub async fn sees(&self, notices: &[&str]) {
        let shown: Vec<String> =
            self.chromium.asks("[...document.querySelectorAll('[role=status]')].map(n => n.dataset.notice)").await;
        assert_eq!(shown, notices);
        self.is_looked_at().await;
        // A browser gives the focus when it draws the page, which may be after it has loaded.
        let first = notices.first().copied().unwrap_or_default();
        let until = Instant::now() + DEADLINE;
        while self.chromium.asks::<String>("document.activeElement.dataset.notice ?? ''").await != first {
            assert!(Instant::now() < until, "`{first}` does not have the focus");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// With axe-core, where `PRESSRUN_AXE` says that it is there and the page may run it.
    async fn is_looked_at(&self) {
        let Some(axe) = std::env::var_os("PRESSRUN_AXE").filter(|_| self.script == Script::Allowed) else { return };
        let axe = std::fs::read_to_string(axe).expect("axe-core");
        let place: String = self.chromium.asks("location.pathname").await;
        let (_, found) = axe::looks(&self.chromium, &axe, &place, None).await;
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    /// A picture of the page as it is now, at two widths, light and dark, where `PRESSRUN_PICTURES` names a folder.
    pub async fn poses(&self, name: &str) {
        let Some(folder) = std::env::var_os("PRESSRUN_PICTURES").map(PathBuf::from) else { return };
        std::fs::create_dir_all(&folder).expect("a folder for the pictures");
        let script = if self.script == Script::Allowed { "" } else { "plain-" };
        for width in [1280, 375] {
            for scheme in ["light", "dark"] {
                self.chromium.has_screen(width, 800).await;
                self.chromium.prefers(scheme).await;
                let height: u32 = self.chromium.asks("document.documentElement.scrollHeight").await;
                self.chromium.has_screen(width, height.max(800)).await;
                let picture = self.chromium.picture(false).await;
                std::fs::write(folder.join(format!("{name}-{script}{width}-{scheme}.png")), picture)
                    .expect("a picture");
            }
        }
        self.chromium.has_screen(1280, 900).await;
        self.chromium.prefers("light").await;
    }

    /// Notices tell of an act once.
    pub async fn sees_once(&self, notices: &[&str]) {
        self.sees(notices).await;
        self.chromium.reloads().await;
        self.sees(&[]).await;
    }
}

impl Editor<'_> {
    /// Sends an article to everybody who gets it at once, and waits until it is with them.
    pub fn sends(&self, slug: &str) {
        self.publication.runs(&["issue", "send", slug, "--yes"]);
    }

    /// The state of a reader's subscription: `pending`, `active`, `ended`.
    pub fn sees_state(&self, reader: &Reader, newsletter: &str) -> String {
        let shown = self.publication.runs(&["--format", "json", "subscribers", "show", &reader.address]);
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        let subscriptions = shown["subscriptions"].as_array().expect("subscriptions");
        let subscription = subscriptions.iter().find(|subscription| subscription["newsletter"] == newsletter);
        subscription.map_or_else(|| "none".to_owned(), |found| found["state"].as_str().expect("a state").to_owned())
    }
}

//! A Chromium with one page, that remembers what nobody should see: script errors, refused contents, foreign requests.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chromiumoxide::cdp::IntoEventKind;
use chromiumoxide::cdp::browser_protocol::browser::{SetDownloadBehaviorBehavior, SetDownloadBehaviorParams};
use chromiumoxide::cdp::browser_protocol::dom::ScrollIntoViewIfNeededParams;
use chromiumoxide::cdp::browser_protocol::emulation::{
    MediaFeature, SetDeviceMetricsOverrideParams, SetScriptExecutionDisabledParams,
};
use chromiumoxide::cdp::browser_protocol::log::{EventEntryAdded, LogEntrySource};
use chromiumoxide::cdp::browser_protocol::network::{EnableParams as WatchNetwork, ResourceType};
use chromiumoxide::cdp::browser_protocol::network::{
    EventLoadingFailed, EventRequestWillBeSent, EventResponseReceived,
};
use chromiumoxide::cdp::browser_protocol::page::EventLoadEventFired;
use chromiumoxide::cdp::js_protocol::runtime::{
    ConsoleApiCalledType, EvaluateParams, EventConsoleApiCalled, EventExceptionThrown,
};
use chromiumoxide::error::CdpError;
use chromiumoxide::layout::Point;
use chromiumoxide::page::ScreenshotParams;
use chromiumoxide::{Browser, BrowserConfig, Page};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// Whether pages may run scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// As most readers have it.
    Allowed,
    /// As some readers have it.
    Forbidden,
}

/// Images further down come when somebody scrolls to them; a picture of the whole page wants them now.
const ALL_IMAGES: &str = "Promise.all([...document.images].map(image => {
    image.loading = 'eager'; return image.decode() })).then(() => true)";

/// Nothing on this machine takes longer.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A browser with one page.
pub struct Chromium {
    browser: Browser,
    page: Page,
    origin: String,
    complaints: Arc<Mutex<Vec<String>>>,
    tasks: Vec<JoinHandle<()>>,
    _profile: TempDir,
}

impl Chromium {
    /// Opens an empty page; `origin`, and `other` if there is one, are the only places that it may ask.
    pub async fn open(origin: &str, other: Option<&str>, script: Script) -> Chromium {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let (browser, mut handler) = Browser::launch(config(&profile)).await.expect("Chromium");
        let talk = tokio::spawn(async move { while handler.next().await.is_some() {} });
        let page = browser.new_page("about:blank").await.expect("a page");
        if script == Script::Forbidden {
            page.execute(SetScriptExecutionDisabledParams::new(true)).await.expect("scripts switched off");
        }
        let (origin, complaints) = (origin.to_owned(), Arc::default());
        let mut chromium = Chromium { browser, page, origin, complaints, tasks: vec![talk], _profile: profile };
        chromium.listen(other).await;
        chromium
    }

    /// Types an address of the publication, `/subscribe`.
    pub async fn goes_to(&self, path: &str) {
        let address = if path.starts_with('/') { format!("{}{path}", self.origin) } else { path.to_owned() };
        in_time(&address, self.page.goto(address.as_str())).await.expect("a page");
    }

    /// Asks for the same page again.
    pub async fn reloads(&self) {
        in_time("the page again", self.page.reload()).await.expect("the page again");
    }

    /// Clicks what leads to another page, and waits until that is there.
    pub async fn follows(&self, selector: &str) {
        self.arrives(async { self.clicks(selector).await }).await;
    }

    /// Waits until the page to which `act` leads is there.
    pub async fn arrives(&self, act: impl Future<Output = ()>) {
        let mut loads = self.page.event_listener::<EventLoadEventFired>().await.expect("events");
        act.await;
        in_time("the next page", loads.next()).await.expect("the next page");
    }

    /// Clicks what leads, by one page or several, to an address that begins so.
    pub async fn is_led_to(&self, address: &str, selector: &str) {
        let until = Instant::now() + DEADLINE;
        self.clicks(selector).await;
        loop {
            // Between two pages there is nobody to ask.
            let here = self.page.evaluate_expression("[location.href, document.readyState]").await;
            let here = here.ok().and_then(|here| here.into_value::<(String, String)>().ok());
            if here.is_some_and(|(place, state)| place.starts_with(address) && state == "complete") {
                return;
            }
            assert!(Instant::now() < until, "{selector} does not lead to {address}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Clicks the first element that `selector` finds.
    pub async fn clicks(&self, selector: &str) {
        in_time(selector, self.click(selector))
            .await
            .unwrap_or_else(|error| panic!("cannot click {selector}: {error}"));
    }

    /// Clicks what is to be kept as a file called `name`, and gives what is in it.
    pub async fn keeps(&self, selector: &str, name: &str) -> String {
        let (folder, until) = (tempfile::tempdir().expect("a temporary folder"), Instant::now() + DEADLINE);
        let keeping = SetDownloadBehaviorParams::builder().behavior(SetDownloadBehaviorBehavior::Allow);
        let keeping = keeping.download_path(folder.path().display().to_string()).build().expect("a folder");
        self.browser.execute(keeping).await.expect("a folder for files");
        self.clicks(selector).await;
        // The browser writes under another name, and gives the file its own when it is whole.
        loop {
            if let Ok(text) = std::fs::read_to_string(folder.path().join(name)) {
                return text;
            }
            assert!(Instant::now() < until, "no file {name} came");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Clicks a point of the screen.
    pub async fn clicks_at(&self, x: f64, y: f64) {
        in_time("a click", self.page.click(Point::new(x, y))).await.expect("a click");
    }

    /// `Element::click` waits for a script of its own, for ever where none may run.
    async fn click(&self, selector: &str) -> Result<(), CdpError> {
        let element = self.page.find_element(selector).await?;
        let shown = ScrollIntoViewIfNeededParams::builder().backend_node_id(element.backend_node_id).build();
        self.page.execute(shown).await?;
        self.page.click(element.clickable_point().await?).await?;
        Ok(())
    }

    /// Types into the field that has the focus.
    pub async fn types(&self, text: &str) {
        let page = self.page.find_element("html").await.expect("a page");
        in_time(text, page.type_str(text)).await.expect("typing");
    }

    /// Presses a key: `Tab`, `Enter`.
    pub async fn presses(&self, key: &str) {
        let page = self.page.find_element("html").await.expect("a page");
        in_time(key, page.press_key(key)).await.expect("a key");
    }

    /// What an expression says about the page.
    pub async fn asks<T: DeserializeOwned>(&self, expression: &str) -> T {
        let question = EvaluateParams::builder().expression(expression).await_promise(true).return_by_value(true);
        let question = question.build().expect("an expression");
        let answer = in_time(expression, self.page.evaluate_expression(question)).await;
        let answer = answer.unwrap_or_else(|error| panic!("{expression}: {error}"));
        answer.into_value().unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Shows the page on a screen of another size.
    pub async fn has_screen(&self, width: u32, height: u32) {
        let metrics = SetDeviceMetricsOverrideParams::new(i64::from(width), i64::from(height), 1.0, false);
        self.page.execute(metrics).await.expect("another size");
    }

    /// Shows the page to somebody who prefers `light` or `dark`.
    pub async fn prefers(&self, scheme: &str) {
        let scheme = MediaFeature::new("prefers-color-scheme", scheme);
        self.page.emulate_media_features(vec![scheme]).await.expect("another scheme");
    }

    /// A picture of the whole page, or of what the screen shows of it, as PNG.
    pub async fn picture(&self, is_whole: bool) -> Vec<u8> {
        if is_whole {
            let _: bool = self.asks(ALL_IMAGES).await;
        }
        let params = ScreenshotParams::builder().full_page(is_whole).capture_beyond_viewport(is_whole);
        in_time("a picture", self.page.screenshot(params.build())).await.expect("a picture")
    }

    /// Ends the browser. The test stands only if nothing was out of order.
    pub async fn ends(mut self) {
        let _ = self.browser.close().await;
        let _ = self.browser.wait().await;
        for task in self.tasks {
            in_time("the end of the browser", task).await.expect("the last events");
        }
        let complaints = self.complaints.lock().expect("complaints");
        assert!(complaints.is_empty(), "out of order:\n{}", complaints.join("\n"));
    }

    async fn listen(&mut self, other: Option<&str>) {
        self.page.execute(WatchNetwork::default()).await.expect("network events");
        let own = self.origin.as_str();
        let origins: Vec<String> =
            [Some(own), other].into_iter().flatten().map(|origin| format!("{origin}/")).collect();
        self.notes(move |event: &EventRequestWillBeSent| {
            let url = &event.request.url;
            let is_own = url.starts_with("data:") || origins.iter().any(|origin| url.starts_with(origin));
            (!is_own).then(|| format!("a request left for {}", event.request.url))
        })
        .await;
        self.notes(|event: &EventResponseReceived| {
            let is_missing = event.r#type != ResourceType::Document && event.response.status >= 400;
            is_missing.then(|| format!("{} answered {}", event.response.url, event.response.status))
        })
        .await;
        self.notes(|event: &EventLoadingFailed| {
            (event.canceled != Some(true)).then(|| format!("a {:?} did not load: {}", event.r#type, event.error_text))
        })
        .await;
        self.notes(|event: &EventExceptionThrown| Some(format!("an exception: {}", event.exception_details.text)))
            .await;
        self.notes(|event: &EventConsoleApiCalled| {
            (event.r#type == ConsoleApiCalledType::Error).then(|| format!("an error in the console: {:?}", event.args))
        })
        .await;
        // A page that answers 404 is an entry too; what should not be missing is seen above.
        self.notes(|event: &EventEntryAdded| {
            (event.entry.source != LogEntrySource::Network).then(|| format!("in the console: {}", event.entry.text))
        })
        .await;
    }

    async fn notes<T>(&mut self, complaint: impl Fn(&T) -> Option<String> + Send + 'static)
    where
        T: IntoEventKind + Send + Sync + Unpin + 'static,
    {
        let mut events = self.page.event_listener::<T>().await.expect("events");
        let complaints = Arc::clone(&self.complaints);
        let task = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let Some(complaint) = complaint(&event) {
                    complaints.lock().expect("complaints").push(complaint);
                }
            }
        });
        self.tasks.push(task);
    }
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: nothing within {} s", DEADLINE.as_secs()),
    }
}

/// A browser that talks to nobody by itself.
fn config(profile: &TempDir) -> BrowserConfig {
    let executable = std::env::var_os("CHROMIUM").map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from);
    let quiet = ["disable-gpu", "disable-quic", "no-first-run", "disable-component-update", "disable-sync"];
    let config = BrowserConfig::builder()
        .chrome_executable(executable)
        .user_data_dir(profile.path())
        .no_sandbox()
        .viewport(None)
        .window_size(1280, 900)
        .launch_timeout(DEADLINE)
        .request_timeout(DEADLINE)
        .args(quiet)
        .arg("disable-background-networking");
    config.build().expect("a configuration")
}

//! The site, the readers' pages and the outbox, over HTTP.
//!
//! Pages come from memory; what readers do goes to `audience`. GET and HEAD change nothing, whoever fetches the link.
//! Nothing here talks to a mail server, so that no answer waits for one. No address, token or query gets into the log.

mod account;
mod address;
mod answer;
mod billing;
mod choices;
mod cookies;
mod form;
mod metrics;
mod notices;
mod origin;
mod outbox;
mod patience;
mod readers;
mod returns;
mod server;
mod sign_in;
mod sign_up;
mod site;

#[cfg(test)]
mod tests;

pub use metrics::serve_metrics;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use hyper::body::Incoming;
use hyper::header::{ACCEPT_LANGUAGE, ALLOW, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

use crate::auth::ServerKeys;
use crate::billing::Till;
use crate::clock;
use crate::counters;
use crate::mailbox::Sns;
use crate::press::Edition;
use crate::render::{FieldError, Imprint, ReaderPage, Words, reader_page};
use crate::store::{Store, StoreError};

use answer::Secured;

/// What answers are made from.
pub struct AppState {
    /// The database. The newsletters of the settings must have been entered.
    pub store: Store,
    /// What links and notices are signed with.
    pub keys: Arc<ServerKeys>,
    /// The publication; a newer one takes its place whole.
    pub editions: watch::Receiver<Arc<Edition>>,
    /// Where readers find it.
    pub base_url: Url,
    /// Where the listener is bound.
    pub bound: SocketAddr,
    /// Where money is dealt with; none: nothing is sold.
    pub till: Option<Till>,
    /// Hears what SES says of our mail.
    pub sns: Sns,
    /// The folder of the outbox, if it is the relay and only this machine can ask.
    pub outbox: Option<PathBuf>,
}

/// No answer takes longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Many times what a sign-up takes, and less than anybody notices.
const STROKE: Duration = Duration::from_millis(50);

/// Makes `ROUTES`, what addresses lead to, each with its methods, and `act`, which does what is asked there. The first
/// address that fits is meant, and any other is the site's.
macro_rules! routes {
    (|$visit:ident, $part:ident, $body:ident| $($pattern:literal: $($method:ident => $answer:expr),*;)+) => {
        const ROUTES: &[(&str, &str)] = &[$(($pattern, routes!($($method)*))),+];

        async fn act(visit: Arc<Visit>, method: Method, route: Route, $body: Incoming) -> Answered {
            let ($visit, $part) = (&*visit, route.part.as_str());
            if let Some(language) = $visit.reader().await?.and_then(|reader| reader.language) {
                let _ = $visit.language.set(language);
            }
            let method = if method == Method::HEAD { Method::GET } else { method };
            match (method.as_str(), route.pattern) {
                $($((stringify!($method), $pattern) => $answer,)*)+
                _ => Err(Problem::WrongMethod(route.methods)),
            }
        }
    };
    (GET POST) => { "GET, HEAD, POST" };
    (POST) => { "POST" };
    ($(GET)?) => { "GET, HEAD" };
}

routes! { |visit, part, body|
    // Answered before the host is looked at.
    "/healthz":;
    "/readyz":;
    "/subscribe": GET => sign_up::subscribe_page(visit), POST => on_the_stroke(sign_up::sign_up(visit, body)).await;
    "/confirm/{token}":
        GET => readers::confirm_page(visit, part).await, POST => readers::confirm(visit, part, body).await;
    "/unsubscribe/{token}":
        GET => readers::leave_page(visit, part).await, POST => readers::leave(visit, part, body).await;
    "/preferences/{token}":
        GET => choices::preferences_page(visit, part).await, POST => choices::preferences(visit, part, body).await;
    "/sign-in": GET => sign_in::page(visit), POST => on_the_stroke(sign_in::ask(visit, body)).await;
    "/sign-in/code": GET => sign_in::code_page(visit), POST => on_the_stroke(sign_in::by_code(visit, body)).await;
    "/sign-in/{token}":
        GET => sign_in::link_page(visit, part).await, POST => sign_in::by_link(visit, part, body).await;
    "/sign-out": POST => account::sign_out(visit, body).await;
    "/account": GET => account::page(visit).await, POST => account::keep_person(visit, body).await;
    "/account/subscriptions": GET => to_the_account(), POST => account::subscriptions(visit, body).await;
    "/account/export": GET => account::export(visit).await;
    "/account/feed": GET => to_the_account(), POST => account::replace_feed(visit, body).await;
    "/account/erase": GET => account::erase_page(visit).await, POST => account::erase(visit, body).await;
    "/account/address": GET => to_the_account(), POST => on_the_stroke(address::ask(visit, body)).await;
    "/address/{token}": GET => address::page(visit, part).await, POST => address::act(visit, part, body).await;
    "/feed/{token}": GET => site::own_feed(visit, part).await;
    "/plans": GET => billing::plans(visit).await;
    "/billing/checkout": POST => billing::checkout(visit, body).await;
    "/billing/return": GET => billing::returned(visit).await;
    "/billing/portal": POST => billing::portal(visit, body).await;
    "/billing/ending": POST => billing::ending(visit, body).await;
    "/billing/switch": POST => billing::switch(visit, body).await;
    "/webhooks/stripe": POST => billing::heard(visit, body).await;
    "/webhooks/mail/{provider}": POST => returns::heard(visit, part, body).await;
    "/issues/{id}/": GET => site::issue(visit, part).await;
    "/outbox/": GET => outbox::list(visit).await;
    "/outbox/{id}/": GET => outbox::mail(visit, part).await;
    "/outbox/{id}/html": GET => outbox::html(visit, part).await;
    "/outbox/{id}.eml": GET => outbox::raw(visit, part).await;
}
const SITE: &str = "site";

/// What an address leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Route {
    /// What the log calls it: never with a token in it.
    pattern: &'static str,
    methods: &'static str,
    /// What stands in the address where the pattern has braces.
    part: String,
}

/// One request, once its host is known to be ours.
struct Visit {
    state: Arc<AppState>,
    edition: Arc<Edition>,
    path: String,
    query: String,
    headers: HeaderMap,
    host: String,
    client: IpAddr,
    number: String,
    /// What a reader who is signed in has chosen, once that is known.
    language: OnceLock<String>,
}

/// Why a page cannot be given.
enum Problem {
    NotFound,
    Expired,
    NobodysLeave,
    DeadSignIn,
    SignInFirst,
    WrongMethod(&'static str),
    Foreign,
    TooOften,
    Flooded,
    PaymentAway,
    Malformed,
    TooSlow,
    TooLarge,
    WrongKind,
    Broken(String),
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        Problem::Broken(error.to_string())
    }
}

type Answered = Result<Response<Body>, Problem>;

impl Route {
    fn of(path: &str) -> Route {
        let fitting = |(pattern, methods)| Some((pattern, methods, part_of(path, pattern)?));
        let (pattern, methods, part) = ROUTES.iter().copied().find_map(fitting).unwrap_or((SITE, routes!(GET), ""));
        Route { pattern, methods, part: part.to_owned() }
    }
}

/// One segment or the rest of one, where `pattern` has braces; none if `path` is another.
fn part_of<'p>(path: &'p str, pattern: &str) -> Option<&'p str> {
    let Some((before, (_, after))) =
        pattern.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    else {
        return (path == pattern).then_some("");
    };
    let part = path.strip_prefix(before)?.strip_suffix(after)?;
    (!part.is_empty() && !part.contains('/')).then_some(part)
}

/// Answers requests until `shutdown` turns true; then takes no more, and ends when those under way are answered.
pub async fn serve(state: Arc<AppState>, listener: TcpListener, shutdown: watch::Receiver<bool>) -> io::Result<()> {
    server::serve(move |request, peer| answer(Arc::clone(&state), request, peer), listener, shutdown).await
}

/// Answers one request, and writes its line in the log.
async fn answer(state: Arc<AppState>, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
    let started = Instant::now();
    let (method, route) = (request.method().clone(), Route::of(request.uri().path()));
    let number = request_number();
    let pattern = route.pattern;
    let is_https = state.base_url.scheme() == "https";
    let response = match pattern {
        "/healthz" => answer::text(StatusCode::OK, "ok\n"),
        "/readyz" => ready(&state).await,
        _ => match origin::host_of(&request, &state.base_url, state.bound) {
            Err(status) => answer::text(status, "this host is not served here\n"),
            Ok(host) => visit(state, request, route, host, (peer, number.clone())).await,
        },
    };
    let (ms, status) = (started.elapsed().as_millis(), response.status().as_u16());
    counters::HTTP_ANSWERS.count_code(status);
    let method = if is_known(&method) { method.as_str() } else { "other" };
    tracing::info!(method, route = pattern, status, ms, request = number, "answered");
    answer::secure(response, is_https)
}

/// Any other method is a text of the client's own, which does not belong in the log.
fn is_known(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::POST | Method::OPTIONS | Method::PUT | Method::DELETE)
}

/// Where the database answers, readers can be served; the publication is there since the start.
async fn ready(state: &AppState) -> Response<Body> {
    match timeout(Duration::from_secs(5), state.store.version()).await {
        Ok(Ok(_)) => answer::text(StatusCode::OK, "ready\n"),
        _ => answer::text(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}

async fn visit(
    state: Arc<AppState>,
    request: Request<Incoming>,
    route: Route,
    host: String,
    (peer, number): (SocketAddr, String),
) -> Response<Body> {
    let edition = state.editions.borrow().clone();
    let (parts, body) = request.into_parts();
    let client = origin::client_of(&parts.headers, peer.ip(), &edition.settings.web.trusted_proxies);
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let (headers, language) = (parts.headers, OnceLock::new());
    let visit = Arc::new(Visit { state, edition, path, query, headers, host, client, number, language });
    let answered = match parts.method {
        Method::GET | Method::HEAD if route.pattern == SITE => {
            timeout(ANSWER_WITHIN, site::page(&visit)).await.unwrap_or_else(|_| Err(too_late()))
        }
        // A reader who hangs up does not stop what they asked for half way.
        method => finish(tokio::spawn(act(visit.clone(), method, route, body))).await,
    };
    answered.unwrap_or_else(|problem| visit.problem(&problem))
}

async fn finish(task: tokio::task::JoinHandle<Answered>) -> Answered {
    match timeout(ANSWER_WITHIN, task).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(_)) => Err(Problem::Broken("the answer panicked".to_owned())),
        Err(_) => Err(too_late()),
    }
}

fn too_late() -> Problem {
    Problem::Broken(format!("no answer within {} s", ANSWER_WITHIN.as_secs()))
}

fn to_the_account() -> Answered {
    Ok(answer::see_other(account::ACCOUNT))
}

/// An answer about an address comes on the next stroke of a slow clock, counted from the request: what little the work
/// takes longer for an address that is known, or is not, cannot be seen in its time.
async fn on_the_stroke(answer: impl Future<Output = Answered>) -> Answered {
    let began = Instant::now();
    let answered = answer.await;
    let strokes = began.elapsed().as_nanos() / STROKE.as_nanos() + 1;
    sleep_until(began + STROKE * u32::try_from(strokes).unwrap_or(1)).await;
    answered
}

/// What a reader may quote, and the log knows: eight letters and digits.
fn request_number() -> String {
    clock::random::<4>().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Visit {
    /// In the language that the reader has chosen, else the best that the browser asks for (RFC 9110, 12.5.4), else
    /// the publication's.
    fn words(&self) -> &Arc<Words> {
        let Edition { theme, settings, .. } = &*self.edition;
        let asked = self.headers.get(ACCEPT_LANGUAGE).and_then(|asked| asked.to_str().ok());
        let chosen = self.language.get().and_then(|language| theme.words(language));
        chosen
            .or(asked.and_then(|asked| theme.words(asked)))
            .or(theme.words(&settings.publication.language))
            .unwrap_or(theme.english())
    }

    /// What pages for this reader are made from.
    fn imprint(&self) -> Imprint<'_> {
        self.edition.imprint().speaking(self.words())
    }

    /// A field that has to be put right, and what to do about it.
    fn wrong(&self, field: &'static str, key: &str) -> FieldError {
        FieldError { field, message: self.words().say(key, &[]) }
    }

    /// A page on which a reader acts: never kept, never indexed, and its address goes nowhere else.
    fn page(&self, status: StatusCode, page: &ReaderPage) -> Answered {
        let html = reader_page(&self.imprint(), page);
        let html = html.map_err(|error| Problem::Broken(format!("a page cannot be made: {error}")))?;
        Ok(answer::html(status, html).private())
    }

    fn dead_link(&self, page: &ReaderPage) -> Response<Body> {
        let page = self.page(StatusCode::NOT_FOUND, page);
        page.unwrap_or_else(|_| answer::text(StatusCode::NOT_FOUND, "this link does not work\n"))
    }

    /// Says kindly what is wrong; the cause goes to the log, once.
    fn problem(&self, problem: &Problem) -> Response<Body> {
        let (status, title, message) = match problem {
            Problem::Expired => return self.dead_link(&ReaderPage::Expired),
            Problem::DeadSignIn => return self.dead_link(&ReaderPage::SignInExpired),
            Problem::SignInFirst => return answer::see_other(&sign_in::sign_in_first(&self.path)),
            Problem::NobodysLeave => return self.dead_link(&ReaderPage::NobodysLeave),
            Problem::NotFound => (StatusCode::NOT_FOUND, "not-found-title", "not-found"),
            Problem::WrongMethod(_) => (StatusCode::METHOD_NOT_ALLOWED, "wrong-method-title", "wrong-method"),
            Problem::Foreign => (StatusCode::FORBIDDEN, "foreign-form-title", "foreign-form"),
            Problem::TooOften => (StatusCode::TOO_MANY_REQUESTS, "too-often-title", "too-often"),
            Problem::Flooded => (StatusCode::SERVICE_UNAVAILABLE, "flooded-title", "flooded"),
            Problem::PaymentAway => (StatusCode::SERVICE_UNAVAILABLE, "payment-away-title", "payment-away"),
            Problem::Malformed => (StatusCode::BAD_REQUEST, "form-refused-title", "form-malformed"),
            Problem::TooSlow => (StatusCode::REQUEST_TIMEOUT, "form-refused-title", "form-too-slow"),
            Problem::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "form-refused-title", "form-too-large"),
            Problem::WrongKind => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "form-refused-title", "form-wrong-kind"),
            Problem::Broken(cause) => {
                tracing::error!(request = self.number, cause, "cannot answer");
                (StatusCode::INTERNAL_SERVER_ERROR, "broken-title", "broken")
            }
        };
        let (title, message) = (self.words().say(title, &[]), self.words().say(message, &[]));
        let is_worth_quoting = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let page = ReaderPage::Problem {
            status: status.as_u16(),
            title,
            message,
            request: if is_worth_quoting { self.number.clone() } else { String::new() },
        };
        let mut response =
            self.page(status, &page).unwrap_or_else(|_| answer::text(status, "this page cannot be shown\n"));
        if let Problem::WrongMethod(methods) = problem {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
        }
        response
    }
}

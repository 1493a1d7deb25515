//! HTTP: connections, keys, versions, keys of idempotency, and which address is what.

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::faults::Fault;
use crate::form::{Answer, Params, Refusal};
use crate::pages::Page;
use crate::state::State;
use crate::world::{Inner, World};
use crate::{VERSION, catalog, checkout, control, invoices, money, portal, subscriptions};

const KEY_SECONDS: i64 = 86_400;
/// Older events are not told any more.
const EVENT_SECONDS: i64 = 30 * 86_400;
const MOST_LOGGED: usize = 5_000;

type Reply = Response<Full<Bytes>>;

/// Makes the connection end without an answer.
type NoAnswer = std::io::Error;

/// Answers whoever connects.
pub async fn serve(listener: TcpListener, world: Arc<World>) {
    // Ends the connections with the server.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let world = Arc::clone(&world);
        connections.spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&world), request));
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            let _ = connection.await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(world: Arc<World>, request: Request<Incoming>) -> Result<Reply, NoAnswer> {
    let (head, body) = request.into_parts();
    let (method, path) = (head.method.as_str(), head.uri.path());
    let body = body.collect().await.map_err(NoAnswer::other)?.to_bytes();
    let body = String::from_utf8_lossy(&body);
    if let Some(verb) = path.strip_prefix("/_control/") {
        let wish = serde_json::from_str(&body).unwrap_or(Value::Null);
        return Ok(json_reply(&control::act(&world, verb, &wish).await, &[]));
    }
    let fault = world.with(|inner| inner.faults.strike(method, path));
    match fault {
        Some(Fault::Drop) => return Err(NoAnswer::other("the connection is dropped")),
        Some(Fault::Hang) => return std::future::pending().await,
        Some(Fault::Status(status)) => return Ok(broken(&world, method, path, status)),
        Some(Fault::Kept | Fault::DropAfter | Fault::HangAfter) | None => {}
    }
    let query = head.uri.query().unwrap_or_default();
    let text = if method == "GET" || body.is_empty() { query } else { &body };
    let params = Params::read(text);
    let reply = if path.starts_with("/v1/") {
        let is_broken = fault == Some(Fault::Kept);
        world.turn(|inner| api(inner, method, path, &params, (&head.headers, is_broken)))
    } else {
        page_reply(world.turn(|inner| pages(&mut inner.state, method, path, &params)))
    };
    match fault {
        Some(Fault::DropAfter) => Err(NoAnswer::other("the connection is dropped")),
        Some(Fault::HangAfter) => std::future::pending().await,
        _ => Ok(reply),
    }
}

/// A failure before anything was done.
fn broken(world: &World, method: &str, path: &str, status: u16) -> Reply {
    world.with(|inner| *inner.counts.entry(counted(method, path)).or_default() += 1);
    json_reply(&Err(failure(status)), &[])
}

fn failure(status: u16) -> Refusal {
    let (kind, code) = if status == 429 { ("invalid_request_error", "rate_limit") } else { ("api_error", "") };
    Refusal::new(status, kind, code, "", "This fails on purpose.")
}

/// One request to the API: is it let in, was it made before, what does it do.
fn api(inner: &mut Inner, method: &str, path: &str, params: &Params, how: (&HeaderMap, bool)) -> Reply {
    let (headers, is_broken) = how;
    *inner.counts.entry(counted(method, path)).or_default() += 1;
    let request_id = inner.state.id("req_");
    let key = header(headers, "idempotency-key").filter(|_| method == "POST");
    let mut shown = vec![("request-id", request_id.clone()), ("stripe-version", VERSION.to_owned())];
    let asked = format!("{method} {path} {}", params.0);
    inner.state.cause = json!({"id": request_id, "idempotency_key": key});
    let act = |state: &mut State| if is_broken { Err(failure(500)) } else { run(state, method, path, params) };
    let answer = match (let_in(headers), key) {
        (Err(refusal), _) => Err(refusal),
        (Ok(()), Some(key)) => {
            shown.push(("idempotency-key", key.to_owned()));
            let now = inner.state.now;
            inner.kept.retain(|_, (_, at, _)| *at + KEY_SECONDS > now);
            match inner.kept.get(key) {
                Some((before, _, answer)) if *before == asked => {
                    shown.push(("idempotent-replayed", "true".to_owned()));
                    answer.clone()
                }
                Some(_) => Err(key_used(key)),
                None => {
                    let answer = act(&mut inner.state);
                    // What was refused before anything was done may be asked again.
                    if answer.as_ref().map_or_else(|refusal| matches!(refusal.status, 402 | 500), |_| true) {
                        inner.kept.insert(key.to_owned(), (asked, now, answer.clone()));
                    }
                    answer
                }
            }
        }
        (Ok(()), None) => act(&mut inner.state),
    };
    if inner.log.len() < MOST_LOGGED {
        let (status, said) = match &answer {
            Ok(value) => (200, value.clone()),
            Err(refusal) => (refusal.status, json!({"error": refusal.error})),
        };
        inner.log.push(json!({
            "method": method, "path": path, "params": params.0, "status": status, "answer": said,
        }));
    }
    json_reply(&answer, &shown)
}

/// Does it, wholly or not at all; a declined card is remembered.
fn run(state: &mut State, method: &str, path: &str, params: &Params) -> Answer {
    let before = (method != "GET").then(|| state.clone());
    let answer = dispatch(state, method, path, params).and_then(|value| state.expand(value, params));
    if let (Err(refusal), Some(before)) = (&answer, before)
        && refusal.status != 402
    {
        *state = before;
    }
    answer
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Any key for tests, and the one version.
fn let_in(headers: &HeaderMap) -> Result<(), Refusal> {
    let refused = |message: &str| Refusal::new(401, "invalid_request_error", "", "", message);
    let key = header(headers, "authorization").and_then(|value| value.strip_prefix("Bearer "));
    match key {
        Some(key) if key.starts_with("sk_test_") || key.starts_with("rk_test_") => {}
        Some(key) if key.contains("_live_") => return Err(refused("This stand-in refuses live keys.")),
        Some(_) => return Err(refused("Invalid API Key provided")),
        None => return Err(refused("You did not provide an API key.")),
    }
    match header(headers, "stripe-version") {
        Some(version) if version != VERSION => {
            let message = format!("Invalid Stripe API version: {version}. This stand-in speaks {VERSION}.");
            Err(Refusal::new(400, "invalid_request_error", "", "", message))
        }
        _ => Ok(()),
    }
}

fn key_used(key: &str) -> Refusal {
    let message = format!(
        "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a \
         key other than '{key}' if you meant to execute a different request."
    );
    Refusal::new(400, "idempotency_error", "", "", message)
}

/// Which address is what.
fn dispatch(state: &mut State, method: &str, path: &str, params: &Params) -> Answer {
    let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
    match (method, parts.as_slice()) {
        ("POST", ["products"]) => catalog::create_product(state, params),
        ("POST", ["prices"]) => catalog::create_price(state, params),
        ("POST", ["prices", id]) => catalog::update_price(state, id, params),
        ("GET", ["prices"]) => catalog::list_prices(state, params),
        ("POST", ["customers"]) => catalog::create_customer(state, params),
        ("GET", ["customers"]) => catalog::list_customers(state, params),
        ("GET", ["customers", id]) => catalog::retrieve_customer(state, id, params),
        ("POST", ["customers", id]) => catalog::update_customer(state, id, params),
        ("DELETE", ["customers", id]) => catalog::delete_customer(state, id, params),
        ("GET", ["customers", id, "payment_methods"]) => catalog::list_cards(state, Some(id), params),
        ("GET", ["payment_methods"]) => catalog::list_cards(state, None, params),
        ("POST", ["payment_methods", id, "detach"]) => catalog::detach_card(state, id, params),
        ("POST", ["checkout", "sessions"]) => checkout::create(state, params),
        ("GET", ["checkout", "sessions"]) => checkout::list(state, params),
        ("POST", ["checkout", "sessions", id, "expire"]) => checkout::expire(state, id, params),
        ("GET", ["subscriptions"]) => subscriptions::list(state, params),
        ("POST", ["subscriptions", id]) => subscriptions::update(state, id, params),
        ("DELETE", ["subscriptions", id]) => subscriptions::cancel(state, id, params),
        ("GET", ["invoices"]) => invoices::list(state, params),
        ("POST", ["invoices", "create_preview"]) => invoices::preview(state, params),
        ("POST", ["invoices", id, "pay"]) => invoices::pay_now(state, id, params),
        ("GET", ["invoice_payments"]) => invoices::list_payments(state, params),
        ("GET", ["charges"]) => money::list_charges(state, params),
        ("POST", ["refunds"]) => money::create_refund(state, params),
        ("GET", ["disputes"]) => money::list_disputes(state, params),
        ("POST", ["billing_portal", "configurations"]) => portal::configure(state, params),
        ("GET", ["billing_portal", "configurations"]) => portal::list(state, params),
        ("POST", ["billing_portal", "sessions"]) => portal::create(state, params),
        ("GET", ["events"]) => list_events(state, params),
        ("GET", [kinds @ .., id]) => retrieve(state, &kinds.join("/"), id, params),
        _ => Err(unknown(method, path)),
    }
}

fn unknown(method: &str, path: &str) -> Refusal {
    let message = format!("Unrecognized request URL ({method}: {path}).");
    Refusal::new(404, "invalid_request_error", "", "", message)
}

fn retrieve(state: &State, kinds: &str, id: &str, params: &Params) -> Answer {
    let kind = match kinds {
        "products" => "product",
        "prices" => "price",
        "payment_methods" => "payment_method",
        "checkout/sessions" => "checkout.session",
        "subscriptions" => "subscription",
        "invoices" => "invoice",
        "invoice_payments" => "invoice_payment",
        "payment_intents" => "payment_intent",
        "charges" => "charge",
        "refunds" => "refund",
        "disputes" => "dispute",
        "billing_portal/configurations" => "billing_portal.configuration",
        "events" => "event",
        other => return Err(unknown("GET", &format!("/v1/{other}/{id}"))),
    };
    params.only("expand")?;
    state.get(kind, id, "id")
}

/// `GET /v1/events`, thirty days back
fn list_events(state: &State, params: &Params) -> Answer {
    params.only(
        "type types delivery_success limit starting_after ending_before created created.gt created.gte created.lt \
         created.lte expand",
    )?;
    let types = params.at("types").and_then(Value::as_array);
    let is_delivered = params.flag("delivery_success")?;
    let oldest = state.now - EVENT_SECONDS;
    state.list("event", "/v1/events", params, |event| {
        let kind = event["type"].as_str().unwrap_or_default();
        let fits = |wanted: &str| wanted.strip_suffix('*').map_or(wanted == kind, |start| kind.starts_with(start));
        event["created"].as_i64() >= Some(oldest)
            && params.text("type").is_none_or(fits)
            && types.is_none_or(|types| types.iter().filter_map(Value::as_str).any(fits))
            && is_delivered.is_none_or(|is| (event["pending_webhooks"] == 0) == is)
    })
}

fn pages(state: &mut State, method: &str, path: &str, params: &Params) -> Page {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method, parts.as_slice()) {
        ("GET", ["c", "pay", id]) => checkout::show(state, id, "", 200),
        ("POST", ["c", "pay", id]) => checkout::pay(state, id, params),
        ("GET", ["p", "session", secret]) => portal::show(state, secret, "", 200),
        ("POST", ["p", "session", secret, action]) => portal::act(state, secret, action, "", params),
        ("POST", ["p", "session", secret, action, id]) => portal::act(state, secret, action, id, params),
        _ => crate::pages::page(404, "Not found", "<p>Nothing is here.</p>"),
    }
}

/// The parts of paths that are no ids.
const WORDS: &str = "v1 products prices customers payment_methods detach checkout sessions expire subscriptions invoices \
                     create_preview pay invoice_payments payment_intents charges refunds disputes billing_portal \
                     configurations events";

/// A path with `:id` for its ids.
fn counted(method: &str, path: &str) -> String {
    let is_word = |part: &str| WORDS.split_whitespace().any(|word| word == part);
    let parts = path.split('/').skip(1).map(|part| if is_word(part) { part } else { ":id" });
    format!("{method} /{}", parts.collect::<Vec<_>>().join("/"))
}

fn json_reply(answer: &Answer, headers: &[(&str, String)]) -> Reply {
    let (status, body) = match answer {
        Ok(value) => (200, value.to_string()),
        Err(refusal) => (refusal.status, json!({"error": refusal.error}).to_string()),
    };
    let mut reply = Response::builder().status(status).header("content-type", "application/json");
    for (name, value) in headers {
        reply = reply.header(*name, value);
    }
    reply.body(Full::new(Bytes::from(body))).unwrap_or_default()
}

fn page_reply(page: Page) -> Reply {
    let reply = match page {
        Page::Html(status, html) => Response::builder()
            .status(status)
            .header("content-type", "text/html; charset=utf-8")
            .header("cache-control", "no-store")
            .body(Full::new(Bytes::from(html))),
        Page::Go(location) => Response::builder().status(303).header("location", location).body(Full::default()),
    };
    reply.unwrap_or_default()
}

//! Webhooks: what is posted, signed as Stripe signs, again and again until it is taken; and everything that may go
//! wrong on the way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response, StatusCode, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use url::Url;

use crate::world::World;

/// A post that failed is repeated after a quarter of a second, a half, one …
const FIRST_WAIT: Duration = Duration::from_millis(250);
const MOST_TRIES: u32 = 8;
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where events go and how.
#[derive(Default)]
pub struct Hooks {
    pub url: Option<Url>,
    pub secret: String,
    /// Seconds by which the signature's time is wrong.
    pub skew: i64,
    pub is_paused: bool,
    /// `oldest` (as they were made), `newest` or `shuffled`.
    pub order: Order,
    pub is_doubled: bool,
    pub is_dropping: bool,
    pub queue: Vec<Post>,
    pub under_way: usize,
    /// Posts that were taken and posts that failed.
    pub taken: u64,
    pub failed: u64,
}

/// In which order waiting posts go.
#[derive(Default, Clone, Copy, PartialEq)]
pub enum Order {
    #[default]
    Oldest,
    Newest,
    Shuffled,
}

/// One event on its way.
pub struct Post {
    pub event: String,
    pub tries: u32,
    pub not_before: Instant,
}

impl Post {
    /// To be posted now.
    pub fn new(event: &str) -> Post {
        Post { event: event.to_owned(), tries: 0, not_before: Instant::now() }
    }
}

/// The value of `Stripe-Signature`: HMAC-SHA256 of `time.payload`, in hex.
pub fn sign(secret: &str, time: i64, payload: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{time}.{payload}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={hex}")
}

impl Hooks {
    /// Takes up an event; twice if they are doubled, not at all if they are dropped or nobody listens.
    pub fn take_up(&mut self, event: &str) -> bool {
        if self.url.is_none() || self.is_dropping {
            return false;
        }
        for _ in 0..if self.is_doubled { 2 } else { 1 } {
            self.queue.push(Post::new(event));
        }
        true
    }

    fn next(&mut self) -> Option<Post> {
        if self.is_paused {
            return None;
        }
        let now = Instant::now();
        let due: Vec<usize> = (0..self.queue.len()).filter(|at| self.queue[*at].not_before <= now).collect();
        let at = match self.order {
            Order::Oldest => due.first().copied(),
            Order::Newest => due.last().copied(),
            // The ids are as good as dice.
            Order::Shuffled => due.into_iter().min_by_key(|at| self.queue[*at].event.chars().rev().collect::<String>()),
        };
        at.map(|at| self.queue.remove(at))
    }

    /// How many are waiting that would go now.
    pub fn waiting(&self) -> usize {
        let now = Instant::now();
        self.queue.iter().filter(|post| post.not_before <= now).count()
    }
}

/// Posts events for as long as the world is there.
pub async fn work(world: Arc<World>) {
    loop {
        let job = world.with(|inner| {
            let url = inner.hooks.url.clone()?;
            let post = inner.hooks.next()?;
            inner.hooks.under_way += 1;
            let payload = serde_json::to_string_pretty(&inner.state.peek(&post.event)).unwrap_or_default();
            let time = crate::state::real_now() + inner.hooks.skew;
            let signature = sign(&inner.hooks.secret, time, &payload);
            Some((post, url, payload, signature))
        });
        let Some((mut post, url, payload, signature)) = job else {
            let _ = tokio::time::timeout(Duration::from_millis(50), world.wake.notified()).await;
            continue;
        };
        let headers = [("content-type", "application/json; charset=utf-8"), ("stripe-signature", signature.as_str())];
        let answer = send("POST", &url, &headers, payload).await;
        let is_taken = answer.is_ok_and(|answer| answer.status.is_success());
        world.with(|inner| {
            let hooks = &mut inner.hooks;
            hooks.under_way -= 1;
            if is_taken {
                hooks.taken += 1;
                inner.state.change(&post.event, "", |event| event["pending_webhooks"] = 0.into());
                return;
            }
            hooks.failed += 1;
            post.tries += 1;
            if post.tries < MOST_TRIES {
                post.not_before = Instant::now() + FIRST_WAIT * 2_u32.pow(post.tries - 1);
                hooks.queue.push(post);
            }
        });
    }
}

/// What an address answered.
pub struct Reply {
    pub status: StatusCode,
    /// Where it leads, if it leads elsewhere.
    pub location: Option<String>,
    pub body: String,
}

/// One request over plain HTTP; it waits ten seconds at most and follows nothing.
pub async fn send(method: &str, url: &Url, headers: &[(&str, &str)], body: String) -> Result<Reply, String> {
    let exchange = async {
        let host = url.host_str().unwrap_or("127.0.0.1");
        let port = url.port_or_known_default().unwrap_or(80);
        let stream = TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let line = tokio::spawn(connection);
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let mut request = Request::builder().method(method).uri(target).header("host", format!("{host}:{port}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())?;
        let answer: Response<_> = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        line.abort();
        let location = head.headers.get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Reply { status: head.status, location, body: String::from_utf8_lossy(&body).into_owned() })
    };
    tokio::time::timeout(TIMEOUT, exchange).await.map_err(|_| "not in time".to_owned())?
}

/// Waits until nothing is left to post but what is to be tried later.
pub async fn flush(world: &World) -> Value {
    loop {
        let (is_at_rest, told) = world.with(|inner| {
            let hooks = &inner.hooks;
            let is_at_rest = hooks.under_way == 0 && (hooks.waiting() == 0 || hooks.is_paused);
            let told = json!({"taken": hooks.taken, "failed": hooks.failed, "waiting": hooks.queue.len()});
            (is_at_rest, told)
        });
        if is_at_rest {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

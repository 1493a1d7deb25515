//! Requests and answers: forms out, JSON in, errors told apart, and what is asked again.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::config::Secret;

use super::{PaymentError, Provider};

/// What the shapes of this module were read from.
const VERSION: &str = "2026-10-28.endive";
/// How long to wait before what failed is tried again.
const WAITS: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];
/// No answer is longer.
const MOST_BYTES: usize = 8 << 20;

/// A failure, and whether it may be otherwise in a moment.
struct Failure {
    error: PaymentError,
    is_passing: bool,
}

#[derive(Deserialize, Default)]
struct Envelope {
    #[serde(default)]
    error: Said,
}

/// An error in the provider's words.
#[derive(Deserialize, Default)]
struct Said {
    code: Option<String>,
    decline_code: Option<String>,
    param: Option<String>,
    message: Option<String>,
}

impl Provider {
    /// The provider at `base`, which is encrypted or on this machine, with a secret `key`. Asks nothing yet.
    pub fn new(base: &Url, key: Secret) -> Result<Provider, PaymentError> {
        let is_local = matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if base.scheme() != "https" && !(base.scheme() == "http" && is_local) {
            return Err(PaymentError::Away("its address is neither `https://` nor on this machine".to_owned()));
        }
        let web = reqwest::Client::builder()
            .user_agent(concat!("pressrun/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(20))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build();
        let web = web.map_err(|_| PaymentError::Away("no encrypted line can be made on this machine".to_owned()))?;
        Ok(Provider { web, base: base.clone(), key, known: super::Arc::default() })
    }

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<T, PaymentError> {
        self.ask(&Method::GET, path, query, None).await
    }

    /// `key`, an Idempotency-Key, is for whatever makes something. What is only set to a value goes without: the
    /// provider would answer the same question of an earlier hour from its memory, and set nothing.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        form: &[(&str, &str)],
        key: Option<&str>,
    ) -> Result<T, PaymentError> {
        self.ask(&Method::POST, path, form, key).await
    }

    pub(super) async fn delete<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, PaymentError> {
        self.ask(&Method::DELETE, path, &[], None).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &[&str],
        values: &[(&str, &str)],
        key: Option<&str>,
    ) -> Result<T, PaymentError> {
        let mut waits = WAITS.iter();
        loop {
            match (self.ask_once(method, path, values, key).await, waits.next()) {
                (Ok(answer), _) => {
                    // Its text may quote what it could not read, its place cannot.
                    let place = |error: serde_json::Error| format!("{}, column {}", path.join(" "), error.column());
                    return serde_json::from_slice(&answer).map_err(|error| PaymentError::Unreadable(place(error)));
                }
                (Err(failure), Some(wait)) if failure.is_passing => tokio::time::sleep(*wait).await,
                (Err(failure), _) => {
                    // What was learnt may be archived there since.
                    if matches!(failure.error, PaymentError::Refused { .. }) {
                        self.forget();
                    }
                    return Err(failure.error);
                }
            }
        }
    }

    async fn ask_once(
        &self,
        method: &Method,
        path: &[&str],
        values: &[(&str, &str)],
        key: Option<&str>,
    ) -> Result<Vec<u8>, Failure> {
        let address = self.address(path).ok_or(Failure { error: PaymentError::NotThere, is_passing: false })?;
        let request = self.web.request(method.clone(), address).bearer_auth(self.key.reveal());
        let mut request = request.header("Stripe-Version", VERSION);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let request = if method == Method::GET { request.query(values) } else { request.form(values) };
        let mut answer = request.send().await.map_err(|error| Failure::line(&error))?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| Failure::line(&error))? {
            if bytes.len() + chunk.len() > MOST_BYTES {
                let error = PaymentError::Unreadable("it is too long".to_owned());
                return Err(Failure { error, is_passing: false });
            }
            bytes.extend_from_slice(&chunk);
        }
        if answer.status().is_success() { Ok(bytes) } else { Err(Failure::answer(&answer, &bytes)) }
    }

    /// None for ids that would lead elsewhere: some come out of readers' addresses.
    fn address(&self, path: &[&str]) -> Option<Url> {
        let mut address = self.base.clone();
        if path.iter().any(|part| matches!(*part, "" | "." | "..")) {
            return None;
        }
        address.path_segments_mut().ok()?.pop_if_empty().push("v1").extend(path);
        Some(address)
    }
}

impl Failure {
    /// Without a whole answer. Time that ran out is not tried again, for somebody waits.
    fn line(error: &reqwest::Error) -> Failure {
        let what = match error {
            _ if error.is_timeout() => "not in time",
            _ if error.is_connect() => "no connection",
            _ => "the line dropped",
        };
        Failure { error: PaymentError::Away(what.to_owned()), is_passing: !error.is_timeout() }
    }

    fn answer(answer: &Response, body: &[u8]) -> Failure {
        let status = answer.status();
        let Envelope { error: said } = serde_json::from_slice(body).unwrap_or_default();
        let is_lock = matches!(said.code.as_deref(), Some("lock_timeout" | "idempotency_key_in_use"));
        let is_busy = status.is_server_error()
            || status == StatusCode::TOO_MANY_REQUESTS
            || (status == StatusCode::CONFLICT && is_lock);
        let advice = answer.headers().get("Stripe-Should-Retry").map(|value| value.as_bytes() == b"true");
        let error = match status {
            _ if is_busy => PaymentError::Away(format!("status {}", status.as_u16())),
            StatusCode::PAYMENT_REQUIRED => PaymentError::Declined { code: said.decline_code.or(said.code) },
            StatusCode::NOT_FOUND => PaymentError::NotThere,
            _ if status.is_client_error() => PaymentError::Refused {
                message: said.message.map_or_else(|| format!("status {}", status.as_u16()), |text| discreet(&text)),
                code: said.code,
                param: said.param,
            },
            _ => PaymentError::Unreadable(format!("status {}", status.as_u16())),
        };
        Failure { error, is_passing: advice.unwrap_or(is_busy) }
    }
}

/// The text without words that may be addresses, keys or tokens.
fn discreet(text: &str) -> String {
    let is_secret = |word: &&str| ["@", "_test_", "_live_", "whsec_"].iter().any(|mark| word.contains(mark));
    let words = text.split(' ').map(|word| if is_secret(&word) { "***" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

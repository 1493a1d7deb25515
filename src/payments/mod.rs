//! The payment provider (Stripe).
//!
//! A client of the few calls that we need, in our own nouns, by API version 2026-10-28.endive: prices, people who pay,
//! checkouts, the portal, agreements, and the events that say where something changed. The provider keeps the state;
//! whatever is told here was asked for at that moment. Whatever makes something carries a key under which the provider
//! makes it once, however often it is asked for.
//!
//! What an agreement means for who reads is `model`'s to say, and what to do about it is left to others.

mod agreement;
mod checkout;
mod http;
mod portal;
mod price;
mod switch;
pub mod webhook;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::serde::ts_seconds;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use url::Url;

use crate::config::Secret;
use crate::content::fingerprint;
use crate::model::{CustomerId, SubscriberId};

pub use checkout::{Checkout, Order};
pub use portal::PortalPage;
pub use switch::Switch;

/// The provider's door. Clones share connections and what was learnt.
#[derive(Clone)]
pub struct Provider {
    web: reqwest::Client,
    base: Url,
    key: Secret,
    /// Ids of prices by their lookup key, and of the portal's configuration.
    known: Arc<Mutex<HashMap<String, String>>>,
}

/// Why the provider did not do it. What it shows holds no address, key or token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaymentError {
    /// It was not reached, or is busy or broken: what was asked may have been done or not. Ask again later.
    #[error("the payment provider gave no answer: {0}")]
    Away(String),
    /// It understood and said no: a mistake in the settings, in its account, or ours.
    #[error("the payment provider refused: {message}{}{}", told(" code", code), told(" parameter", param))]
    Refused {
        /// What it said, without addresses and keys.
        message: String,
        /// Its word for it.
        code: Option<String>,
        /// What it did not like.
        param: Option<String>,
    },
    /// It has nothing under this id.
    #[error("the payment provider has nothing under this id")]
    NotThere,
    /// The bank said no.
    #[error("the payment was declined{}", told("", code))]
    Declined {
        /// The bank's word for it, such as `insufficient_funds`.
        code: Option<String>,
    },
    /// It answered something else than it says it would.
    #[error("the payment provider's answer cannot be read: {0}")]
    Unreadable(String),
}

fn told(what: &str, value: &Option<String>) -> String {
    value.as_ref().map(|value| format!(";{what} {value}")).unwrap_or_default()
}

/// A part of a long list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// After what the next one begins; none: this is the last.
    pub next: Option<String>,
}

/// A list as it is sent.
#[derive(Deserialize)]
struct List<T> {
    data: Vec<T>,
    #[serde(default)]
    has_more: bool,
}

/// A customer; one that was deleted has neither.
#[derive(Deserialize)]
struct Payer {
    email: Option<String>,
    preferred_locales: Option<Vec<String>>,
}

/// A moment as it is sent.
#[derive(Clone, Copy, Deserialize)]
struct At(#[serde(with = "ts_seconds")] DateTime<Utc>);

/// Anything, for its id.
#[derive(Deserialize)]
struct Named {
    id: String,
}

impl Provider {
    /// Who pays: made once for a subscriber with this address. `language` is a language tag.
    pub async fn customer_for(
        &self,
        subscriber: &SubscriberId,
        email: &str,
        name: Option<&str>,
        language: &str,
    ) -> Result<CustomerId, PaymentError> {
        let mut form = vec![
            ("email", email),
            ("preferred_locales[0]", language),
            ("metadata[pressrun_subscriber]", subscriber.as_str()),
        ];
        form.extend(name.map(|name| ("name", name)));
        let made: Named = self.post(&["customers"], &form, Some(&key_of(&form))).await?;
        Ok(CustomerId::new(made.id))
    }

    /// A customer's address and language tag; the language is empty where it is not known. None: it has no address, or
    /// is gone.
    pub async fn address_of(&self, customer: &CustomerId) -> Result<Option<(String, String)>, PaymentError> {
        let known: Payer = match self.get(&["customers", customer.as_str()], &[]).await {
            Err(PaymentError::NotThere) => return Ok(None),
            found => found?,
        };
        let language = known.preferred_locales.into_iter().flatten().next().unwrap_or_default();
        Ok(known.email.map(|email| (email, language)))
    }

    /// Where receipts go from now on.
    pub async fn tell_address(&self, customer: &CustomerId, email: &str) -> Result<(), PaymentError> {
        let _: Named = self.post(&["customers", customer.as_str()], &[("email", email)], None).await?;
        Ok(())
    }

    fn known(&self, name: &str) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn remember(&self, name: &str, id: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), id.to_owned());
    }
}

/// An Idempotency-Key for exactly this form, which tells nothing about it.
fn key_of(form: &[(&str, &str)]) -> String {
    fingerprint(format!("{form:?}").as_bytes())
}

#[cfg(test)]
mod tests;

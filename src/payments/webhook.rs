//! What the provider tells by itself: where to look, and nothing else.
//!
//! Events come late, twice, in any order or never. So only ids are taken from them; how things stand is asked for.

use aws_lc_rs::{constant_time, hmac};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::config::Secret;
use crate::model::{CustomerId, ErrandKind, News};

use super::{At, List, Page, PaymentError, Provider};

/// How far the clocks may be apart.
const TOLERANCE: Duration = Duration::minutes(5);
/// No event is longer.
const MOST_BYTES: usize = 1 << 20;

/// The events that are asked for when some may have been missed; the provider takes twenty names at most.
const TYPES: [&str; 20] = [
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.expired",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "invoice.finalized",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.voided",
    "invoice.marked_uncollectible",
    "charge.refunded",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "refund.failed",
    "payment_method.attached",
    "payment_method.automatically_updated",
    "customer.updated",
    "customer.deleted",
];

/// Why a message is not taken for the provider's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// It is no event with a signature.
    #[error("it is not in the form of an event")]
    Malformed,
    /// The signature was made with another secret, or for another message.
    #[error("its signature is wrong")]
    Wrong,
    /// It was signed more than five minutes before or after now.
    #[error("it was signed too long ago, or a clock is wrong")]
    Old,
}

#[derive(Deserialize)]
struct Told {
    id: String,
    created: At,
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

#[derive(Deserialize)]
struct Paid {
    customer: Option<String>,
}

/// Reads an event that was posted with `Stripe-Signature: signature`, if one of the secrets signed it.
pub fn verified(body: &[u8], signature: &str, secrets: &[Secret], now: DateTime<Utc>) -> Result<News, Forged> {
    let parts = || signature.split(',').filter_map(|part| part.split_once('='));
    let time = parts().find(|(name, _)| *name == "t").ok_or(Forged::Malformed)?.1;
    let signed_at: i64 = time.parse().map_err(|_| Forged::Malformed)?;
    let signed_at = DateTime::from_timestamp(signed_at, 0).ok_or(Forged::Malformed)?;
    if body.len() > MOST_BYTES || !parts().any(|(name, _)| name == "v1") {
        return Err(Forged::Malformed);
    }
    // Anybody could sign with an empty one.
    let is_signed = secrets.iter().filter(|secret| !secret.reveal().trim().is_empty()).any(|secret| {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes()));
        context.update(time.as_bytes());
        context.update(b".");
        context.update(body);
        let expected: String = context.sign().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let is_it = |given: &str| constant_time::verify_slices_are_equal(expected.as_bytes(), given.as_bytes()).is_ok();
        parts().any(|(name, given)| name == "v1" && is_it(given))
    });
    if !is_signed {
        return Err(Forged::Wrong);
    }
    if (now - signed_at).abs() > TOLERANCE {
        return Err(Forged::Old);
    }
    serde_json::from_slice(body).map(Told::news).map_err(|_| Forged::Malformed)
}

impl Told {
    fn news(self) -> News {
        let object = &self.data.object;
        let errand = |kind, pointer: &str| Some((kind, object.pointer(pointer)?.as_str()?.to_owned()));
        let mut names = self.kind.split('.');
        let errand = match (names.next(), names.next()) {
            (Some("checkout"), Some("session")) => errand(ErrandKind::Checkout, "/id"),
            (Some("customer"), Some("subscription")) => errand(ErrandKind::Agreement, "/id"),
            (Some("customer"), Some("updated" | "deleted")) => errand(ErrandKind::Customer, "/id"),
            // The second place is that of versions before 2025-03-31, which an account may still have as its own.
            (Some("invoice"), _) => errand(ErrandKind::Agreement, "/parent/subscription_details/subscription")
                .or_else(|| errand(ErrandKind::Agreement, "/subscription")),
            (Some("payment_method"), _) | (Some("charge"), Some("refunded")) => {
                errand(ErrandKind::Customer, "/customer")
            }
            (Some("charge"), Some("dispute")) | (Some("refund"), _) => errand(ErrandKind::Charge, "/charge"),
            _ => None,
        };
        News { id: self.id, at: self.created.0, errand }
    }
}

impl Provider {
    /// What has happened since then, the newest first, a hundred at a time; `after` is [`Page::next`]. The provider
    /// remembers thirty days.
    pub async fn events(&self, since: DateTime<Utc>, after: Option<&str>) -> Result<Page<News>, PaymentError> {
        let since = since.timestamp().to_string();
        let names: Vec<String> = (0..TYPES.len()).map(|number| format!("types[{number}]")).collect();
        let mut query: Vec<_> = names.iter().map(String::as_str).zip(TYPES).collect();
        query.extend([("created[gte]", since.as_str()), ("limit", "100")]);
        query.extend(after.map(|after| ("starting_after", after)));
        let page: List<Told> = self.get(&["events"], &query).await?;
        let next = page.data.last().filter(|_| page.has_more).map(|last| last.id.clone());
        Ok(Page { items: page.data.into_iter().map(Told::news).collect(), next })
    }

    /// Who made a payment, by the id of its charge.
    pub async fn payer(&self, charge: &str) -> Result<Option<CustomerId>, PaymentError> {
        let paid: Paid = self.get(&["charges", charge], &[]).await?;
        Ok(paid.customer.map(CustomerId::new))
    }
}

//! Buying: the provider's page where a reader pays, and what became of it.

use std::collections::HashMap;

use serde::Deserialize;
use url::Url;

use crate::model::{AgreementId, CustomerId, Plan};

use super::{List, Named, PaymentError, Provider};

/// The languages of the provider's pages (`locale` of a checkout session).
const LANGUAGES: &str = "bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hr hu id it ja ko lt lv ms mt nb nl pl pt \
                         pt-BR ro ru sk sl sv th tr vi zh zh-HK zh-TW";

/// What is to be bought, and how to come back.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The provider's id of the price ([`Provider::price_of`]).
    pub price: &'a str,
    /// Of this plan.
    pub plan: &'a Plan,
    /// Whether the plan's trial is given.
    pub has_trial: bool,
    /// Who buys; none: the page asks for an address.
    pub customer: Option<&'a CustomerId>,
    /// What the checkout is to be known by here; empty: by nothing.
    pub reference: &'a str,
    /// The reader's language tag.
    pub language: &'a str,
    /// Where whoever has paid goes; the provider puts its id in the place of `{CHECKOUT_SESSION_ID}`.
    pub success_url: &'a str,
    /// Where whoever turns back goes.
    pub cancel_url: &'a str,
    /// The Idempotency-Key: the same key begins one checkout.
    pub key: &'a str,
}

/// A checkout as the provider has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// Whether it was gone through to its end.
    pub is_complete: bool,
    /// Whether it can still be.
    pub is_open: bool,
    /// Who buys.
    pub customer: Option<CustomerId>,
    /// What was bought.
    pub agreement: Option<AgreementId>,
    /// [`Order::reference`].
    pub reference: Option<String>,
    /// [`Order::language`].
    pub language: Option<String>,
}

#[derive(Deserialize)]
struct Session {
    status: Option<String>,
    url: Option<Url>,
    customer: Option<String>,
    subscription: Option<String>,
    client_reference_id: Option<String>,
    metadata: Option<HashMap<String, String>>,
}

impl Provider {
    /// Opens a page to pay on; where it is. Open for a day.
    pub async fn begin_checkout(&self, order: &Order<'_>) -> Result<Url, PaymentError> {
        let trial_days = order.plan.trial_days.to_string();
        let mut form = vec![
            ("mode", "subscription"),
            ("line_items[0][price]", order.price),
            ("line_items[0][quantity]", "1"),
            ("success_url", order.success_url),
            ("cancel_url", order.cancel_url),
            ("locale", locale(order.language)),
            ("metadata[pressrun_language]", order.language),
            // Also where nothing is due today: a trial goes on into what is paid.
            ("payment_method_collection", "always"),
            ("subscription_data[metadata][pressrun_plan]", order.plan.id.as_str()),
        ];
        form.extend(order.customer.map(|customer| ("customer", customer.as_str())));
        if !order.reference.is_empty() {
            form.push(("client_reference_id", order.reference));
        }
        if order.has_trial && order.plan.trial_days > 0 {
            form.push(("subscription_data[trial_period_days]", &trial_days));
            form.push(("subscription_data[trial_settings][end_behavior][missing_payment_method]", "cancel"));
        }
        let made: Session = self.post(&["checkout", "sessions"], &form, Some(order.key)).await?;
        made.url.ok_or_else(|| PaymentError::Unreadable("a checkout without its page".to_owned()))
    }

    /// A checkout by its id, which may come from anybody.
    pub async fn checkout(&self, id: &str) -> Result<Checkout, PaymentError> {
        let session: Session = self.get(&["checkout", "sessions", id], &[]).await?;
        Ok(Checkout {
            is_complete: session.status.as_deref() == Some("complete"),
            is_open: session.status.as_deref() == Some("open"),
            customer: session.customer.map(CustomerId::new),
            agreement: session.subscription.map(AgreementId::new),
            reference: session.client_reference_id,
            language: session.metadata.and_then(|mut metadata| metadata.remove("pressrun_language")),
        })
    }

    /// Closes every page on which somebody could still pay. One that is just being paid may come through.
    pub async fn close_checkouts(&self, customer: &CustomerId) -> Result<(), PaymentError> {
        let query = [("customer", customer.as_str()), ("status", "open"), ("limit", "100")];
        let open: List<Named> = self.get(&["checkout", "sessions"], &query).await?;
        for Named { id } in &open.data {
            let closed: Result<Named, _> = self.post(&["checkout", "sessions", id, "expire"], &[], None).await;
            if let Err(error) = closed
                && self.checkout(id).await?.is_open
            {
                return Err(error);
            }
        }
        Ok(())
    }
}

/// The nearest language that the provider's pages speak; `auto` asks the browser.
pub(super) fn locale(language: &str) -> &str {
    let speaks = |language: &&str| LANGUAGES.split_ascii_whitespace().any(|known| known == *language);
    let primary = language.split('-').next().unwrap_or_default();
    [language, primary].into_iter().find(speaks).unwrap_or("auto")
}

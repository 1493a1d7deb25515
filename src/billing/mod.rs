//! Pay, change a card, switch, cancel; what the payment provider says becomes who may read.
//!
//! Nothing is believed that a browser or a message brings: they say where to look, and the provider is asked. Whatever
//! is heard becomes an errand in the database, which is done until it is done; so nothing is lost while the provider is
//! away, and nothing depends on the order in which news arrive. What a reader does here changes nothing of ours: it is
//! asked of the provider, and its answer is written.

mod errands;
mod figures;
#[cfg(test)]
mod tests;

pub use errands::work;
pub use figures::{Figures, figures};

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use url::Url;

use crate::auth::ServerKeys;
use crate::clock;
use crate::model::{CustomerId, ErrandKind, Money, Plan, SubscriberId};
use crate::payments::{Order, PaymentError, PortalPage, Provider, Switch};
use crate::store::{Bought, Store, StoreError, Subscriber};

/// How often it is looked whether somebody else has done what a reader waits for, and how long between.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: std::time::Duration = std::time::Duration::from_millis(250);
/// How long one errand may take; then another process takes it up.
const LEASE: Duration = Duration::minutes(2);

/// What is done whose answer may be lost is asked for again.
const ASKED_AFTER: Duration = Duration::minutes(1);

/// What is sold through, for as long as the program runs.
#[derive(Clone)]
pub struct Till {
    /// The database.
    pub store: Store,
    /// The payment provider.
    pub provider: Provider,
    /// What links in mails are made with.
    pub keys: Arc<ServerKeys>,
    /// How long one may read after a payment failed.
    pub grace: Duration,
    /// Of what happened longer ago, nobody is mailed.
    pub max_lateness: Duration,
}

/// Why something about money was not done.
#[derive(Debug, thiserror::Error)]
pub enum BillingError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The provider.
    #[error(transparent)]
    Provider(#[from] PaymentError),
}

/// A result about money.
pub type Result<T> = std::result::Result<T, BillingError>;

/// Who wants to buy.
#[derive(Debug, Clone, Copy)]
pub struct Buyer<'a> {
    /// The reader, if they are signed in; else the provider asks for an address.
    pub reader: Option<&'a Subscriber>,
    /// SHA-256 of what the browser keeps, for a reader who is not: the mailed code will let this browser in.
    pub browser_hash: &'a str,
    /// The language of the page, as BCP 47 names it.
    pub language: &'a str,
    /// Scheme and host of the publication, without a final slash.
    pub base_url: &'a str,
}

impl Till {
    /// Opens a page to pay on, and says where it is. Pages that the same reader left open are closed, so that nobody
    /// pays twice.
    pub async fn buy(&self, buyer: Buyer<'_>, plan: &Plan, price: Money, now: DateTime<Utc>) -> Result<Url> {
        let price = self.provider.price_of(plan, price).await?;
        let (mut customer, mut has_trial) = (None, plan.trial_days > 0);
        if let Some(reader) = buyer.reader {
            let known = self.customer_of(reader, buyer.language, now).await?;
            self.provider.close_checkouts(&known).await?;
            customer = Some(known);
            // Whoever had one has tried it.
            has_trial &= !has_bought(&self.store, &reader.id).await?;
        }
        let back = |query: &str| format!("{}{query}", buyer.base_url);
        let order = Order {
            price: &price,
            plan,
            has_trial,
            customer: customer.as_ref(),
            reference: if customer.is_some() { "" } else { buyer.browser_hash },
            language: buyer.language,
            success_url: &back("/billing/return?session={CHECKOUT_SESSION_ID}"),
            cancel_url: &back("/plans"),
            key: &clock::new_id(),
        };
        Ok(self.provider.begin_checkout(&order).await?)
    }

    /// As whom the provider knows a reader, who is made known to it if they are not.
    async fn customer_of(&self, reader: &Subscriber, language: &str, now: DateTime<Utc>) -> Result<CustomerId> {
        // It may be gone there: deleted, or left behind in an account for tests.
        if let Some(known) = self.store.customer_of(&reader.id).await?
            && self.provider.address_of(&known).await?.is_some()
        {
            return Ok(known);
        }
        let made = self.provider.customer_for(&reader.id, &reader.email, reader.name.as_deref(), language).await?;
        self.store.keep_customer(&made, &reader.id, now).await?;
        Ok(made)
    }

    /// Who bought something at the checkout whose id a browser brings back; none: nobody, or it is not known here. The
    /// provider is asked, and its answer written.
    pub async fn returned(&self, session: &str, now: DateTime<Utc>) -> Result<Option<CustomerId>> {
        let checkout = match self.provider.checkout(session).await {
            Err(PaymentError::NotThere | PaymentError::Refused { .. }) => return Ok(None),
            found => found?,
        };
        let is_bought = checkout.is_complete && checkout.agreement.is_some();
        let Some(customer) = checkout.customer.filter(|_| is_bought) else { return Ok(None) };
        self.look(ErrandKind::Checkout, session, now).await?;
        Ok(Some(customer))
    }

    /// What is charged next, as [`Provider::card`] tells it; none, if nothing is known.
    pub async fn card(&self, bought: &Bought) -> Result<Option<String>> {
        Ok(self.provider.card(&bought.agreement).await?)
    }

    /// Opens one of the provider's pages, and says where it is.
    pub async fn portal(&self, bought: &Bought, page: PortalPage, return_url: &Url, language: &str) -> Result<Url> {
        Ok(self.provider.portal(&bought.customer, page, return_url, language).await?)
    }

    /// Lets a membership end when what is paid is used up, or go on after all.
    pub async fn set_ending(&self, bought: &Bought, ends: bool, now: DateTime<Utc>) -> Result<()> {
        self.store.send_for(ErrandKind::Agreement, bought.agreement.as_str(), now + ASKED_AFTER).await?;
        self.provider.set_ending(&bought.agreement, ends).await?;
        self.look(ErrandKind::Agreement, bought.agreement.as_str(), now).await
    }

    /// What it would cost to go over to another plan at `at`.
    pub async fn preview_switch(
        &self,
        bought: &Bought,
        plan: &Plan,
        price: Money,
        at: DateTime<Utc>,
    ) -> Result<Switch> {
        let price = self.provider.price_of(plan, price).await?;
        Ok(self.provider.preview_switch(&bought.agreement, &price, at).await?)
    }

    /// Goes over to another plan, for what was shown for `at`.
    pub async fn switch(
        &self,
        bought: &Bought,
        (plan, price): (&Plan, Money),
        at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let price = self.provider.price_of(plan, price).await?;
        self.store.send_for(ErrandKind::Agreement, bought.agreement.as_str(), now + ASKED_AFTER).await?;
        let key = format!("switch-{}-{price}-{}", bought.agreement, at.timestamp());
        self.provider.switch(&bought.agreement, &price, at, &key).await?;
        self.look(ErrandKind::Agreement, bought.agreement.as_str(), now).await
    }

    /// Asks the provider now. If somebody else is at it, that is waited for; not for long, and the errand stays.
    pub async fn look(&self, kind: ErrandKind, about: &str, now: DateTime<Utc>) -> Result<()> {
        self.store.send_for(kind, about, now).await?;
        for look in 0..LOOKS {
            let now = now + BETWEEN_LOOKS * look;
            if let Some(errand) = self.store.begin_errand(Some((kind, about)), now, now + LEASE).await? {
                return self.run(&errand, now).await;
            }
            if !self.store.awaits(kind, about).await? {
                break;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Ok(())
    }
}

/// Whether a reader has bought anything before, whatever became of it.
pub async fn has_bought(store: &Store, who: &SubscriberId) -> std::result::Result<bool, StoreError> {
    Ok(store.memberships(who).await?.iter().any(|membership| membership.bought.is_some()))
}

/// What a reader has bought and can still change: what is not over.
pub async fn bought(store: &Store, who: &SubscriberId) -> std::result::Result<Option<Bought>, StoreError> {
    use crate::model::MembershipState::Ended;
    let memberships = store.memberships(who).await?;
    Ok(memberships.into_iter().filter(|membership| membership.state != Ended).find_map(|membership| membership.bought))
}

//! What is to be asked of the provider or done there, one errand at a time, until it is done.

use chrono::{DateTime, Duration, Utc};

use crate::audience::{BILLING, flow_id};
use crate::auth::{self, Errand as WhatFor};
use crate::clock;
use crate::model::{AgreementId, CustomerId, EmailAddress, ErrandKind};
use crate::payments::{Checkout, PaymentError};
use crate::store::{Errand, Found, NewSignIn, StoreError};

use super::{BillingError, LEASE, Result, Till};

/// The provider keeps its list of events for thirty days; what is older is found by looking at all agreements.
const REMEMBERED: Duration = Duration::days(25);
/// How far back events are read after all agreements were looked at: the provider's clock is not ours.
const AT_FIRST: Duration = Duration::days(1);
/// An event may be listed a little later than it happened.
const OVERLAP: Duration = Duration::minutes(15);

/// Does what is due, for up to as many errands. Says whether all were done. One that cannot be done stops no other.
pub async fn work(till: &Till, most: usize, now: DateTime<Utc>) -> std::result::Result<bool, StoreError> {
    if till.store.held().await?.is_some() {
        return Ok(true);
    }
    for _ in 0..most {
        let Some(errand) = till.store.begin_errand(None, now, now + LEASE).await? else { return Ok(true) };
        if let Err(error) = till.run(&errand, now).await {
            let kind = errand.kind.as_str();
            match error {
                BillingError::Provider(PaymentError::Away(_)) => tracing::warn!(kind, %error, "it is asked again"),
                _ => tracing::error!(kind, about = errand.about, %error, "it is asked again"),
            }
        }
    }
    Ok(false)
}

impl Till {
    /// Reads what the provider says has happened since the last time, in case that its messages do not arrive.
    pub async fn catch_up(&self, now: DateTime<Utc>) -> Result<()> {
        if self.store.held().await?.is_some() {
            return Ok(());
        }
        let until = match self.store.heard_until().await?.filter(|until| *until > now - REMEMBERED) {
            Some(until) => self.read_events(until, now).await?,
            None => {
                self.look_at_all(now).await?;
                now - AT_FIRST
            }
        };
        Ok(self.store.keep_heard_until(until).await?)
    }

    /// Gives the moment of the newest event, by the provider's clock: ours may be wrong, and would pass over some.
    async fn read_events(&self, until: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
        let (mut after, mut newest) = (None, until);
        loop {
            let page = self.provider.events(until - OVERLAP, after.as_deref()).await?;
            newest = page.items.iter().map(|news| news.at).fold(newest, DateTime::max);
            self.store.hear(page.items, now).await?;
            after = page.next;
            if after.is_none() {
                return Ok(newest);
            }
        }
    }

    async fn look_at_all(&self, now: DateTime<Utc>) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.provider.agreements(after.as_deref()).await?;
            for agreement in page.items {
                self.store.send_for(ErrandKind::Agreement, agreement.as_str(), now).await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Does an errand, or puts it off: what the provider does not answer now is asked again, later each time.
    pub(super) async fn run(&self, errand: &Errand, now: DateTime<Utc>) -> Result<()> {
        let done = self.do_it(errand, now).await;
        if let Err(error) = &done {
            let wait = match error {
                BillingError::Provider(PaymentError::Away(_)) | BillingError::Store(_) => {
                    Duration::seconds(5 << errand.tries.min(9))
                }
                BillingError::Provider(_) => Duration::hours(1),
            };
            self.store.put_off(errand, now + wait).await?;
        }
        done
    }

    async fn do_it(&self, errand: &Errand, now: DateTime<Utc>) -> Result<()> {
        let about = errand.about.as_str();
        let agreement = AgreementId::new(about);
        let again = vec![(ErrandKind::Agreement, about.to_owned())];
        let then = match errand.kind {
            ErrandKind::Agreement => return self.learn(errand, &agreement, None, now).await,
            ErrandKind::Checkout => match self.provider.checkout(about).await {
                Ok(checkout) if checkout.is_complete => {
                    let Some(agreement) = &checkout.agreement else { return self.end(errand, vec![], now).await };
                    return self.learn(errand, agreement, Some(&checkout), now).await;
                }
                Ok(_) | Err(PaymentError::NotThere) => vec![],
                Err(error) => return Err(error.into()),
            },
            ErrandKind::Customer => self.agreements_of(&CustomerId::new(about)).await?,
            ErrandKind::Charge => match self.provider.payer(about).await? {
                Some(customer) => self.agreements_of(&customer).await?,
                None => vec![],
            },
            ErrandKind::End => {
                self.provider.end_now(&agreement).await?;
                again
            }
            ErrandKind::GiveBack => {
                if self.is_too_much(&agreement, now).await? {
                    self.provider.end_now(&agreement).await?;
                    self.provider.give_back(&agreement).await?;
                }
                again
            }
            ErrandKind::Address => {
                let customer = CustomerId::new(about);
                if let Some(email) = self.store.address_of(&customer).await? {
                    self.provider.tell_address(&customer, email.as_str()).await?;
                }
                vec![]
            }
        };
        self.end(errand, then, now).await
    }

    /// Whether an agreement is nobody's, or its reader has another that goes on; the provider is asked, for what is
    /// known of the other may be old.
    async fn is_too_much(&self, agreement: &AgreementId, now: DateTime<Utc>) -> Result<bool> {
        let Some(others) = self.store.others_of(agreement).await? else { return Ok(true) };
        for other in others {
            match self.provider.agreement(&other).await? {
                Some(found) if found.goes_on() => return Ok(true),
                _ => self.store.send_for(ErrandKind::Agreement, other.as_str(), now).await?,
            }
        }
        Ok(false)
    }

    async fn end(&self, errand: &Errand, then: Vec<(ErrandKind, String)>, now: DateTime<Utc>) -> Result<()> {
        self.store.end_errand(errand, then, now).await?;
        Ok(())
    }

    async fn agreements_of(&self, customer: &CustomerId) -> Result<Vec<(ErrandKind, String)>> {
        let known = self.store.agreements_of(customer).await?;
        Ok(known.into_iter().map(|id| (ErrandKind::Agreement, id.to_string())).collect())
    }

    /// Asks how an agreement stands, and writes it. `checkout`: where it was bought, in a browser that may be without
    /// an account.
    async fn learn(
        &self,
        errand: &Errand,
        id: &AgreementId,
        checkout: Option<&Checkout>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let agreement = self.provider.agreement(id).await?.filter(|agreement| agreement.plan.is_some());
        let Some(agreement) = agreement else { return self.end(errand, vec![], now).await };
        let is_known = self.store.reader_of(&agreement.customer).await?.is_some();
        let language = checkout.and_then(|checkout| checkout.language.clone());
        let payer = if is_known { None } else { self.payer(&agreement.customer, language).await? };
        let browser_hash = checkout.and_then(|checkout| checkout.reference.clone());
        let found = Found {
            standing: agreement.standing(self.grace),
            agreement,
            payer,
            sign_in: browser_hash.map(|browser_hash| self.sign_in(browser_hash)),
        };
        let keys = self.keys.clone();
        let notice = move || keys.follow_up(BILLING, flow_id(clock::random()));
        self.store.learn(errand, found, notice, now - self.max_lateness, now).await?;
        Ok(())
    }

    /// `language`: of the page on which they began to pay; the provider does not speak every one.
    async fn payer(&self, customer: &CustomerId, language: Option<String>) -> Result<Option<(EmailAddress, String)>> {
        let Some((email, known)) = self.provider.address_of(customer).await? else { return Ok(None) };
        let address = EmailAddress::parse(&email);
        if address.is_err() {
            tracing::error!(%customer, "the address that the payment provider has is none that can be mailed");
        }
        Ok(address.ok().map(|address| (address, language.unwrap_or(known))))
    }

    fn sign_in(&self, browser_hash: String) -> NewSignIn {
        let errand = WhatFor { next: Some("/account".to_owned()), browser: String::new() };
        auth::new_sign_in(&self.keys, &errand, browser_hash, clock::random())
    }
}

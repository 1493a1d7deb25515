//! The provider's own pages for its customers, and the card it will charge next.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::model::{AgreementId, CustomerId};

use super::checkout::locale;
use super::{List, Named, PaymentError, Provider, key_of};

/// Which of the provider's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortalPage {
    /// To change the card, and back.
    Card,
    /// Invoices, address and tax number.
    Invoices,
}

/// The portal with what we leave to it. Ending and switching are ours: the page here says before what it will cost.
const CONFIGURATION: [(&str, &str); 8] = [
    ("metadata[pressrun]", "1"),
    ("features[invoice_history][enabled]", "true"),
    ("features[payment_method_update][enabled]", "true"),
    ("features[customer_update][enabled]", "true"),
    ("features[customer_update][allowed_updates][0]", "address"),
    ("features[customer_update][allowed_updates][1]", "tax_id"),
    ("features[subscription_cancel][enabled]", "false"),
    ("features[subscription_update][enabled]", "false"),
];

#[derive(Deserialize)]
struct Session {
    url: Url,
}

#[derive(Deserialize)]
struct Owned {
    id: String,
    default_payment_method: Option<String>,
}

impl Provider {
    /// Opens one of the provider's pages for a customer; where it is. From there back to `return_url`.
    pub async fn portal(
        &self,
        customer: &CustomerId,
        page: PortalPage,
        return_url: &Url,
        language: &str,
    ) -> Result<Url, PaymentError> {
        self.untie_card(customer).await?;
        let configuration = self.configuration().await?;
        let mut form = vec![
            ("customer", customer.as_str()),
            ("configuration", &configuration),
            ("return_url", return_url.as_str()),
            ("locale", locale(language)),
        ];
        if page == PortalPage::Card {
            form.extend([
                ("flow_data[type]", "payment_method_update"),
                ("flow_data[after_completion][type]", "redirect"),
                ("flow_data[after_completion][redirect][return_url]", return_url.as_str()),
            ]);
        }
        // Two pages instead of one do no harm, and an old one from memory would be closed already.
        let session: Session = self.post(&["billing_portal", "sessions"], &form, None).await?;
        Ok(session.url)
    }

    /// Makes the customer's card the one that is charged. Checkout ties the card to what was bought, and the portal
    /// changes the customer's: the next payment would be taken from the old one.
    async fn untie_card(&self, customer: &CustomerId) -> Result<(), PaymentError> {
        let query = [("customer", customer.as_str()), ("limit", "100")];
        let running: List<Owned> = self.get(&["subscriptions"], &query).await?;
        for Owned { id, default_payment_method } in running.data {
            let Some(card) = default_payment_method else { continue };
            let form = [("invoice_settings[default_payment_method]", card.as_str())];
            let _: Named = self.post(&["customers", customer.as_str()], &form, None).await?;
            let _: Named = self.post(&["subscriptions", &id], &[("default_payment_method", "")], None).await?;
        }
        Ok(())
    }

    async fn configuration(&self) -> Result<String, PaymentError> {
        const NAME: &str = "portal";
        if let Some(id) = self.known(NAME) {
            return Ok(id);
        }
        let path = ["billing_portal", "configurations"];
        let all: List<Value> = self.get(&path, &[("active", "true"), ("limit", "100")]).await?;
        let ours = all.data.iter().find(|configuration| configuration["metadata"]["pressrun"] == CONFIGURATION[0].1);
        let id = match ours.and_then(|configuration| configuration["id"].as_str()) {
            Some(found) => found.to_owned(),
            None => self.post::<Named>(&path, &CONFIGURATION, Some(&key_of(&CONFIGURATION))).await?.id,
        };
        self.remember(NAME, &id);
        Ok(id)
    }

    /// What an agreement's next payment is taken from, its own card or else its customer's, as a word that is another
    /// one after another card or another month of expiry was entered.
    pub async fn card(&self, agreement: &AgreementId) -> Result<Option<String>, PaymentError> {
        let query = [
            ("expand[0]", "default_payment_method"),
            ("expand[1]", "customer.invoice_settings.default_payment_method"),
        ];
        let charged: Value = self.get(&["subscriptions", agreement.as_str()], &query).await?;
        let places = ["/default_payment_method", "/customer/invoice_settings/default_payment_method"];
        let method = places.into_iter().filter_map(|place| charged.pointer(place)).find(|method| method.is_object());
        Ok(method.and_then(|method| {
            let (id, card) = (method["id"].as_str()?, &method["card"]);
            Some(format!("{id}-{}-{}", card["exp_year"], card["exp_month"]))
        }))
    }
}

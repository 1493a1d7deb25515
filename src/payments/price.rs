//! The provider's prices: found by a key that says all about them, made where they are missing.

use std::collections::HashMap;

use serde::Deserialize;

use crate::model::{Currency, Every, Money, Plan, PlanId};

use super::{List, Named, PaymentError, Provider, key_of};

#[derive(Deserialize)]
pub(super) struct Price {
    pub(super) id: String,
    currency: String,
    unit_amount: Option<i64>,
    recurring: Option<Recurring>,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Recurring {
    interval: String,
    #[serde(default)]
    interval_count: u32,
}

impl Price {
    pub(super) fn money(&self) -> Result<Money, PaymentError> {
        money(self.unit_amount.unwrap_or_default(), &self.currency)
    }

    /// Months for whatever is not sold by us.
    pub(super) fn every(&self) -> Every {
        let interval = self.recurring.as_ref().map(|recurring| recurring.interval.as_str());
        if interval == Some(Every::Year.as_str()) { Every::Year } else { Every::Month }
    }

    pub(super) fn plan(&self) -> Option<PlanId> {
        self.metadata.get("pressrun_plan").map(PlanId::new)
    }

    fn is(&self, plan: &Plan, price: Money) -> bool {
        let recurring =
            self.recurring.as_ref().map(|recurring| (recurring.interval.as_str(), recurring.interval_count));
        self.money() == Ok(price)
            && recurring == Some((plan.every.as_str(), 1))
            && self.plan().as_ref() == Some(&plan.id)
    }
}

/// An amount as the provider writes it.
pub(super) fn money(minor: i64, currency: &str) -> Result<Money, PaymentError> {
    let currency = Currency::parse(currency).ok_or_else(|| PaymentError::Unreadable("a currency".to_owned()))?;
    Ok(Money { minor, currency })
}

impl Provider {
    /// The id of the provider's price for `price` of `plan`, which is made if it is not there. What stands under our
    /// key and is another price is refused, never used.
    pub async fn price_of(&self, plan: &Plan, price: Money) -> Result<String, PaymentError> {
        let currency = price.currency.code().to_ascii_lowercase();
        let name = format!("pressrun_{}_{}_{}_{currency}", plan.id, plan.every, price.minor);
        if let Some(id) = self.known(&name) {
            return Ok(id);
        }
        let query = [("lookup_keys[0]", name.as_str()), ("active", "true"), ("limit", "1")];
        let found: List<Price> = self.get(&["prices"], &query).await?;
        let id = match found.data.into_iter().next() {
            Some(found) if found.is(plan, price) => found.id,
            Some(_) => {
                return Err(PaymentError::Refused {
                    message: format!("its price under the key {name} is another one; archive it there"),
                    code: None,
                    param: None,
                });
            }
            None => self.make_price(plan, price, &name).await?,
        };
        self.remember(&name, &id);
        Ok(id)
    }

    async fn make_price(&self, plan: &Plan, price: Money, name: &str) -> Result<String, PaymentError> {
        let product = format!("pressrun_{}", plan.id);
        let form = [("id", product.as_str()), ("name", &plan.title)];
        match self.post::<Named>(&["products"], &form, Some(&key_of(&form))).await {
            Err(PaymentError::Refused { code: Some(code), .. }) if code == "resource_already_exists" => {}
            made => drop(made?),
        }
        let (amount, currency) = (price.minor.to_string(), price.currency.code().to_ascii_lowercase());
        let form = [
            ("product", product.as_str()),
            ("unit_amount", &amount),
            ("currency", &currency),
            ("recurring[interval]", plan.every.as_str()),
            ("lookup_key", name),
            // An archived price keeps its key until another one asks for it.
            ("transfer_lookup_key", "true"),
            ("metadata[pressrun_plan]", plan.id.as_str()),
        ];
        let made: Named = self.post(&["prices"], &form, Some(&key_of(&form))).await?;
        Ok(made.id)
    }
}

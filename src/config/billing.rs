//! Reads `[billing]`: what can be bought, and the payment provider's keys.

use std::collections::BTreeSet;

use chrono::Duration;
use url::Url;

use crate::diagnostic::{Wrong, codes};
use crate::model::{Every, Money, Newsletter, NewsletterId, Plan, PlanId};

use super::section::Section;
use super::values::{self, word};
use super::{Billing, Secret, is_loopback};

impl Default for Billing {
    #[expect(clippy::expect_used, reason = "the text is written out here")]
    fn default() -> Billing {
        Billing {
            url: Url::parse("https://api.stripe.com").expect("an address"),
            key: None,
            webhook_secrets: Vec::new(),
            // Meanwhile the provider tries again.
            grace: Duration::days(7),
            plans: Vec::new(),
        }
    }
}

pub(super) fn billing(section: Section<'_>, newsletters: &[Newsletter]) -> Billing {
    let (mut taken, defaults) = (BTreeSet::new(), Billing::default());
    let key = section.secret("key", "key-file").map(|(key, _)| key);
    let mut webhook_secrets = section.list("webhook-secrets", |text| Ok(Secret::new(text))).unwrap_or_default();
    // A file holds one a line.
    let file = section.secret("", "webhook-secret-file");
    webhook_secrets.extend(file.iter().flat_map(|(file, _)| file.reveal().lines()).map(Secret::new));
    let plans = section.sections("plans").into_iter().filter_map(|section| plan(section, newsletters, &mut taken));
    Billing {
        url: section.value("url", provider).unwrap_or(defaults.url),
        grace: section.value("grace", values::duration).unwrap_or(defaults.grace),
        plans: plans.collect(),
        key,
        webhook_secrets,
    }
}

/// The key travels with every question: encrypted, or not beyond this machine.
fn provider(text: &str) -> Result<Url, Wrong> {
    let url = values::web_url(text)?;
    if url.scheme() == "http" && !is_loopback(url.host_str().unwrap_or_default()) {
        let message = "the provider's key would travel unencrypted: `http` is for this machine only";
        return Err(Wrong::new(&codes::SETTINGS_URL, message, "write an address with `https`"));
    }
    Ok(url)
}

fn plan(section: Section<'_>, newsletters: &[Newsletter], taken: &mut BTreeSet<String>) -> Option<Plan> {
    let id = section.own_id(taken);
    let every = section.needed("every", |text| word(text, &Every::WORDS));
    let prices = prices(section);
    let opened = |text: &str| {
        let known = newsletters.iter().find(|newsletter| newsletter.id.as_str() == text);
        known.map(|newsletter| newsletter.id.clone()).ok_or_else(|| {
            let ids: Vec<&str> = newsletters.iter().map(|newsletter| newsletter.id.as_str()).collect();
            let message = format!("there is no newsletter `{text}`");
            Wrong::new(&codes::SETTINGS_VALUE, message, format!("write one of `{}`", ids.join("`, `")))
        })
    };
    let mut opens: Vec<NewsletterId> = section.some("opens", opened).unwrap_or_default();
    opens.sort_unstable();
    opens.dedup();
    let trial = section.number("trial-days", 0.0..=730.0, "write a number of days, at most 730");
    let id = id?;
    Some(Plan {
        title: section.text("title").unwrap_or_else(|| id.clone()),
        id: PlanId::new(id),
        description: section.text("description"),
        every: every?,
        prices: prices?,
        trial_days: trial.map_or(0, |days| days as u32),
        opens,
    })
}

/// One price for each currency.
fn prices(section: Section<'_>) -> Option<Vec<Money>> {
    let prices = section.some("prices", values::price);
    let Some(prices) = prices else {
        let message = "a plan has no price";
        let help = "add a line such as `prices = [\"5 EUR\"]`";
        section.note("prices", Wrong::new(&codes::SETTINGS_MISSING, message, help));
        return None;
    };
    let mut taken = BTreeSet::new();
    if let Some(twice) = prices.iter().find(|price| !taken.insert(price.currency)) {
        let message = format!("there are two prices in {}", twice.currency.code());
        section.note("prices", Wrong::new(&codes::SETTINGS_DUPLICATE, message, "keep the one that readers are to pay"));
    }
    Some(prices)
}

//! Plans, paying and what belongs to it. What a browser brings back from the payment provider's pages says where to
//! look and is believed in nothing; the notices say what the provider answered.

use axum::body::Body;
use chrono::{DateTime, Duration, Utc};
use hyper::body::Incoming;
use hyper::header::HeaderName;
use hyper::{Response, StatusCode};
use url::Url;

use crate::auth::token_hash;
use crate::billing::{self, BillingError, Buyer, Till};
use crate::clock;
use crate::model::{Currency, CustomerId, Money, Plan, PlanId, Reading};
use crate::payments::{PaymentError, PortalPage, webhook};
use crate::render::{Moment, Notice, NoticeKind, PlanLine, PlansPage, ReaderPage, SwitchPage};
use crate::store::{Bought, Session};

use super::account::ACCOUNT;
use super::answer::{self, Secured as _};
use super::form::{self, Form};
use super::sign_in;
use super::{Answered, Problem, Visit, cookies};

const PLANS: &str = "/plans";
/// The cookie of a browser that went to the provider's pages: to buy, or to change what was paid by before, which
/// stands in it. Without it nobody comes back from there, and no notice is shown.
const WENT: &str = "went";
/// What stands in it while somebody buys.
const TO_BUY: &str = "buy";
/// Somebody who types a card number is away for a while.
const AWAY: Duration = Duration::hours(1);
/// A price that was shown holds for so long.
const SHOWN: Duration = Duration::minutes(30);
/// No message of the provider's is longer.
const LONGEST_MESSAGE: usize = 1 << 20;
const SIGNATURE: &str = "stripe-signature";

impl From<BillingError> for Problem {
    fn from(error: BillingError) -> Problem {
        match error {
            BillingError::Store(error) => error.into(),
            BillingError::Provider(PaymentError::Away(cause)) => {
                tracing::warn!(cause, "the payment provider does not answer");
                Problem::PaymentAway
            }
            BillingError::Provider(error) => Problem::Broken(error.to_string()),
        }
    }
}

impl Visit {
    /// Where money is dealt with; where nothing is sold, there is no such page.
    fn till(&self) -> Result<&Till, Problem> {
        self.state.till.as_ref().ok_or(Problem::NotFound)
    }

    async fn bought_by(&self, reader: &Session) -> Result<Option<Bought>, Problem> {
        Ok(billing::bought(&self.state.store, &reader.subscriber).await?)
    }

    /// The plan and the price that a form names: the price is ours, whatever else the form says.
    fn offer(&self, form: &Form) -> Result<(&Plan, Money), Problem> {
        let plan = self.edition.settings.plan(&PlanId::new(form.one("plan")?.unwrap_or_default()));
        let currency = Currency::parse(form.one("currency")?.unwrap_or_default());
        let offer = plan.zip(currency).and_then(|(plan, currency)| Some((plan, plan.price_in(currency)?)));
        offer.ok_or(Problem::Malformed)
    }

    /// On to a page of the payment provider. Not by a redirect: our policy lets forms lead nowhere else.
    fn hand_over(&self, address: &Url) -> Answered {
        let page = self.page(StatusCode::OK, &ReaderPage::HandOver { address: address.to_string() })?;
        Ok(page.with(HeaderName::from_static("refresh"), &format!("0;url={address}")))
    }
}

/// What is sold; none is shown where nothing can be bought.
pub(super) async fn plans(visit: &Visit) -> Answered {
    visit.till()?;
    let (reader, imprint, store) = (visit.reader().await?, visit.imprint(), &visit.state.store);
    let (bought, has_tried) = match &reader {
        Some(reader) => (visit.bought_by(reader).await?, billing::has_bought(store, &reader.subscriber).await?),
        None => (None, false),
    };
    let line = |plan: &Plan| {
        let is_theirs = bought.as_ref().is_some_and(|bought| bought.plan == plan.id);
        // What is not for them is not offered: a trial, and what is sold in another currency than what they have.
        let trial_days = if has_tried { 0 } else { plan.trial_days };
        let mut plan = Plan { trial_days, ..plan.clone() };
        plan.prices.retain(|price| bought.as_ref().is_none_or(|bought| bought.price.currency == price.currency));
        PlanLine::new(&imprint, &plan, is_theirs)
    };
    let page = PlansPage {
        notices: visit.brought(PLANS),
        plans: visit.edition.settings.billing.plans.iter().map(line).collect(),
        has_one: bought.is_some_and(|bought| bought.ends_at.is_none()),
        is_signed_in: reader.is_some(),
    };
    visit.shown_once(visit.page(StatusCode::OK, &ReaderPage::Plans(page)))
}

/// Begins to buy. Whoever has bought already goes over to another plan instead.
pub(super) async fn checkout(visit: &Visit, body: Incoming) -> Answered {
    let form = visit.own_form(body).await?.only(&["plan", "currency"])?;
    let (till, (plan, price)) = (visit.till()?, visit.offer(&form)?);
    if !visit.asker().may_buy().await? {
        return Err(Problem::TooOften);
    }
    let reader = match visit.reader().await? {
        Some(reader) => {
            let bought = visit.bought_by(&reader).await?;
            if bought.is_some_and(|bought| bought.ends_at.is_none() || bought.price.currency != price.currency) {
                return Ok(answer::see_other(PLANS));
            }
            Some(visit.person_of(&reader).await?)
        }
        None => None,
    };
    let cookie = sign_in::browser_cookie(visit);
    let (browser_hash, language) = (token_hash(&cookie), visit.words().language());
    let base_url = visit.edition.base_url.as_str();
    let buyer = Buyer { reader: reader.as_ref(), browser_hash: &browser_hash, language: &language, base_url };
    let page = visit.hand_over(&till.buy(buyer, plan, price, clock::now()).await?)?;
    let page = page.with_cookie(&cookies::give(visit.is_https(), WENT, TO_BUY, AWAY));
    // For the code that is mailed to whoever pays before they have an account.
    let flow = cookies::give(visit.is_https(), sign_in::FLOW, &cookie, AWAY);
    Ok(if reader.is_none() { page.with_cookie(&flow) } else { page })
}

/// Back from a page of the provider: asks it what has changed, and says that.
pub(super) async fn returned(visit: &Visit) -> Answered {
    let till = visit.till()?;
    let pairs = url::form_urlencoded::parse(visit.query.as_bytes());
    let session = pairs.into_iter().find(|(name, _)| name == "session").map(|(_, session)| session.into_owned());
    match (session, visit.reader().await?) {
        (Some(session), reader) => {
            if !visit.asker().may_return().await? {
                return Err(Problem::TooOften);
            }
            let customer = till.returned(&session, clock::now()).await?;
            after_checkout(visit, customer, reader).await
        }
        (None, Some(reader)) => after_portal(visit, till, &reader).await,
        (None, None) => Err(Problem::SignInFirst),
    }
}

async fn after_checkout(visit: &Visit, customer: Option<CustomerId>, reader: Option<Session>) -> Answered {
    let went = visit.cookie(WENT).is_some_and(|went| went == TO_BUY);
    let back = |place, kind, lines| if went { back(visit, place, kind, lines) } else { answer::see_other(place) };
    let Some(customer) = customer else { return Ok(back(PLANS, NoticeKind::BillingNotUpdated, vec![])) };
    let Some(reader) = reader else {
        let lines = vec![visit.words().say("plans-paid", &[])];
        return Ok(back(sign_in::CODE, NoticeKind::CheckYourMail, lines));
    };
    let store = &visit.state.store;
    if store.reader_of(&customer).await?.flatten().as_ref() != Some(&reader.subscriber) {
        return Ok(answer::see_other(ACCOUNT));
    }
    let is_member = store.reading(&reader.subscriber, clock::now()).await?.opens != Reading::ANYBODY.opens;
    let kind = if is_member { NoticeKind::BillingUpdated } else { NoticeKind::BillingNotUpdated };
    Ok(back(ACCOUNT, kind, vec![]))
}

/// Back from the provider, with one notice.
fn back(visit: &Visit, place: &str, kind: NoticeKind, lines: Vec<String>) -> Response<Body> {
    let gone = cookies::take_away(visit.is_https(), WENT);
    visit.after(place, &[Notice { lines, ..Notice::new(kind, Vec::new()) }]).with_cookie(&gone)
}

/// Whether what is paid by has changed since the reader went to change it.
async fn after_portal(visit: &Visit, till: &Till, reader: &Session) -> Answered {
    let before = visit.cookie(WENT).and_then(|cookie| open_card(visit, reader, &cookie, clock::now()));
    let Some(bought) = visit.bought_by(reader).await? else { return Ok(answer::see_other(ACCOUNT)) };
    let Some(before) = before else { return Ok(answer::see_other(ACCOUNT)) };
    let now = till.card(&bought).await?.unwrap_or_default();
    let (kind, event) = match now == before {
        true => (NoticeKind::BillingNotUpdated, "card-kept"),
        false => (NoticeKind::BillingUpdated, "card-changed"),
    };
    visit.state.store.record_account_event(&reader.subscriber, event, clock::now()).await?;
    Ok(back(visit, ACCOUNT, kind, vec![]))
}

fn card_cookie(visit: &Visit, reader: &Session, card: &str, until: DateTime<Utc>) -> String {
    let text = format!("{card}.{}", until.timestamp());
    let signature = visit.state.keys.sign(WENT, &format!("{}|{text}", reader.subscriber));
    format!("{text}.{signature}")
}

/// What was paid by, if we signed that for this reader within the hour.
fn open_card(visit: &Visit, reader: &Session, cookie: &str, now: DateTime<Utc>) -> Option<String> {
    let (text, signature) = cookie.rsplit_once('.')?;
    let (card, until) = text.rsplit_once('.')?;
    let is_ours = visit.state.keys.verifies(WENT, &format!("{}|{text}", reader.subscriber), signature);
    (is_ours && until.parse().is_ok_and(|until: i64| until > now.timestamp())).then(|| card.to_owned())
}

/// On to the provider's page on which the card is changed, or to the invoices.
pub(super) async fn portal(visit: &Visit, body: Incoming) -> Answered {
    let form = visit.own_form(body).await?.only(&["page"])?;
    let (till, reader) = (visit.till()?, visit.must_be_signed_in().await?);
    let bought = visit.bought_by(&reader).await?.ok_or(Problem::NotFound)?;
    let (page, place) = match form.one("page")? {
        Some("card") => (PortalPage::Card, "/billing/return"),
        Some("invoices") => (PortalPage::Invoices, ACCOUNT),
        _ => return Err(Problem::Malformed),
    };
    let back = visit.state.base_url.join(place).map_err(|error| Problem::Broken(error.to_string()))?;
    let before = till.card(&bought).await?.unwrap_or_default();
    let address = till.portal(&bought, page, &back, &visit.words().language()).await?;
    let card = card_cookie(visit, &reader, &before, clock::now() + AWAY);
    Ok(visit.hand_over(&address)?.with_cookie(&cookies::give(visit.is_https(), WENT, &card, AWAY)))
}

/// Lets a membership end, or go on after all.
pub(super) async fn ending(visit: &Visit, body: Incoming) -> Answered {
    let form = visit.own_form(body).await?.only(&["ends"])?;
    let (till, reader) = (visit.till()?, visit.must_be_signed_in().await?);
    let bought = visit.bought_by(&reader).await?.ok_or(Problem::NotFound)?;
    let ends = match form.one("ends")? {
        Some("yes") => true,
        Some("no") => false,
        _ => return Err(Problem::Malformed),
    };
    till.set_ending(&bought, ends, clock::now()).await?;
    told(visit, &reader, |bought| bought.ends_at.is_some() == ends).await
}

/// To the account, with what the provider's answer has changed.
async fn told(visit: &Visit, reader: &Session, is_done: impl Fn(&Bought) -> bool) -> Answered {
    let is_done = visit.bought_by(reader).await?.is_some_and(|bought| is_done(&bought));
    let kind = if is_done { NoticeKind::BillingUpdated } else { NoticeKind::BillingNotUpdated };
    Ok(visit.after(ACCOUNT, &[Notice::new(kind, Vec::new())]))
}

/// Shows what going over to another plan costs; with the moment for which that was shown, does it.
pub(super) async fn switch(visit: &Visit, body: Incoming) -> Answered {
    let form = visit.own_form(body).await?.only(&["plan", "currency", "at"])?;
    let (till, reader) = (visit.till()?, visit.must_be_signed_in().await?);
    let (plan, price) = visit.offer(&form)?;
    let bought = visit.bought_by(&reader).await?.ok_or(Problem::NotFound)?;
    if bought.price.currency != price.currency {
        return Ok(answer::see_other(PLANS));
    }
    let now = clock::now();
    let shown = form.one("at")?.and_then(|at| DateTime::from_timestamp(at.parse().ok()?, 0));
    let Some(at) = shown.filter(|at| *at <= now && *at > now - SHOWN) else {
        return show_switch(visit, till.preview_switch(&bought, plan, price, now).await?, plan, price, now);
    };
    match till.switch(&bought, (plan, price), at, now).await {
        Err(BillingError::Provider(PaymentError::Declined { .. })) => {
            let lines = vec![visit.words().say("switch-declined", &[])];
            let notice = Notice { lines, ..Notice::new(NoticeKind::BillingNotUpdated, Vec::new()) };
            Ok(visit.after(ACCOUNT, &[notice]))
        }
        done => {
            done?;
            told(visit, &reader, |bought| bought.plan == plan.id).await
        }
    }
}

fn show_switch(visit: &Visit, cost: crate::payments::Switch, plan: &Plan, price: Money, at: DateTime<Utc>) -> Answered {
    let (imprint, words) = (visit.imprint(), visit.words());
    let page = SwitchPage {
        plan: PlanLine::new(&imprint, plan, false),
        currency: price.currency.code().to_owned(),
        at: at.timestamp(),
        due_now: words.money(cost.due_now),
        credit: words.money(cost.credit),
        next: words.money(cost.next),
        next_at: Moment::new(&imprint, cost.next_at),
    };
    visit.page(StatusCode::OK, &ReaderPage::Switch(Box::new(page)))
}

/// A message of the provider's: what it signed is kept, and done afterwards. It proves itself by its signature, not by
/// where it comes from.
pub(super) async fn heard(visit: &Visit, body: Incoming) -> Answered {
    let till = visit.till()?;
    let secrets = &visit.edition.settings.billing.webhook_secrets;
    if secrets.is_empty() {
        return Err(Problem::NotFound);
    }
    let message = form::within(body, LONGEST_MESSAGE).await?;
    let signature = visit.headers.get(SIGNATURE).and_then(|signature| signature.to_str().ok()).unwrap_or_default();
    match webhook::verified(&message, signature, secrets, clock::now()) {
        Ok(news) => {
            till.store.hear(vec![news], clock::now()).await?;
            Ok(answer::text(StatusCode::OK, "heard\n"))
        }
        Err(forged) => {
            tracing::warn!(why = %forged, "a message that says it is the payment provider's was refused");
            Ok(answer::text(StatusCode::BAD_REQUEST, "this is not signed as agreed\n"))
        }
    }
}

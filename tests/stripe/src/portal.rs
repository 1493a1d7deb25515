//! The portal: configurations, sessions, and the page on which a customer changes a card or ends a plan.

use serde_json::{Value, json};

use crate::catalog::attach_card;
use crate::form::{Answer, Params, Refusal};
use crate::pages::{Page, amount, card_number, escape, field, form, link, notice, page, rate};
use crate::state::{State, number, object, text};
use crate::{invoices, subscriptions};

/// `POST /v1/billing_portal/configurations`
pub fn configure(state: &mut State, params: &Params) -> Answer {
    params.only(
        "metadata.* name default_return_url business_profile.headline business_profile.privacy_policy_url \
         business_profile.terms_of_service_url features.invoice_history.enabled \
         features.payment_method_update.enabled features.customer_update.enabled \
         features.customer_update.allowed_updates features.subscription_cancel.enabled \
         features.subscription_cancel.mode features.subscription_cancel.proration_behavior \
         features.subscription_update.enabled features.subscription_update.default_allowed_updates expand",
    )?;
    if params.at("features").is_none() {
        return Err(Refusal::invalid("parameter_missing", "features", "Missing required param: features."));
    }
    let on = |name: &str| params.flag(&format!("features.{name}.enabled")).map(|is_on| is_on.unwrap_or(false));
    let allowed = |path: &str| params.at(path).cloned().filter(Value::is_array).unwrap_or_else(|| json!([]));
    let mode = params.word("features.subscription_cancel.mode", "at_period_end immediately")?;
    let id = state.id("bpc_");
    let features = json!({
        "customer_update": {
            "allowed_updates": allowed("features.customer_update.allowed_updates"), "enabled": on("customer_update")?,
        },
        "invoice_history": {"enabled": on("invoice_history")?},
        "payment_method_update": {"enabled": on("payment_method_update")?, "payment_method_configuration": null},
        "subscription_cancel": {
            "cancellation_reason": {"enabled": false, "feedback_options": null, "options": []},
            "enabled": on("subscription_cancel")?, "mode": mode.unwrap_or("at_period_end"),
            "proration_behavior": "none",
        },
        "subscription_pause": {"duration": {"interval_options": [], "type": "indefinite"}, "enabled": false},
        "subscription_update": {
            "billing_cycle_anchor": null,
            "default_allowed_updates": allowed("features.subscription_update.default_allowed_updates"),
            "enabled": on("subscription_update")?, "proration_behavior": "none",
            "schedule_at_period_end": {"conditions": []}, "trial_update_behavior": "continue_trial",
        },
    });
    let rest = json!({
        "active": true, "business_profile": {
            "headline": params.or_null("business_profile.headline"),
            "privacy_policy_url": params.or_null("business_profile.privacy_policy_url"),
            "terms_of_service_url": params.or_null("business_profile.terms_of_service_url"),
        },
        "created": state.now, "default_return_url": params.or_null("default_return_url"), "features": features,
        "is_default": false, "livemode": false, "login_page": {"enabled": false, "url": null},
        "metadata": params.metadata("metadata", &Value::Null)?, "name": params.or_null("name"), "updated": state.now,
    });
    Ok(state
        .add(object("billing_portal.configuration", &id, "application", rest), "billing_portal.configuration.created"))
}

/// `GET /v1/billing_portal/configurations`
pub fn list(state: &State, params: &Params) -> Answer {
    params.only("active is_default limit starting_after ending_before expand")?;
    let (active, default) = (params.flag("active")?, params.flag("is_default")?);
    state.list("billing_portal.configuration", "/v1/billing_portal/configurations", params, |one| {
        active.is_none_or(|is| one["active"] == is) && default.is_none_or(|is| one["is_default"] == is)
    })
}

/// `POST /v1/billing_portal/sessions`
pub fn create(state: &mut State, params: &Params) -> Answer {
    params.only(
        "customer return_url configuration locale flow_data.type flow_data.after_completion.type \
         flow_data.after_completion.redirect.return_url \
         flow_data.after_completion.hosted_confirmation.custom_message flow_data.subscription_cancel.subscription \
         expand",
    )?;
    let customer = state.get("customer", params.need("customer")?, "customer")?;
    let configuration = match params.text("configuration") {
        Some(id) => state.get("billing_portal.configuration", id, "configuration")?,
        None => default_configuration(state)?,
    };
    params.address("return_url")?;
    let flow = flow(state, &customer, &configuration, params)?;
    let id = state.id("bps_");
    let secret = state.id("");
    let rest = json!({
        "configuration": configuration["id"], "created": state.now, "customer": customer["id"], "flow": flow,
        "livemode": false, "locale": params.or_null("locale"),
        "return_url": params.or_null("return_url"), "url": format!("{}/p/session/{secret}", state.url),
    });
    state.hidden.insert(format!("portal {secret}"), id.clone().into());
    let session = object("billing_portal.session", &id, "customer_account on_behalf_of", rest);
    Ok(state.add(session, "billing_portal.session.created"))
}

fn default_configuration(state: &mut State) -> Answer {
    if let Some(found) = state.all("billing_portal.configuration", |one| one["is_default"] == true).pop() {
        return Ok(found);
    }
    let on = "features[invoice_history][enabled]=true&features[payment_method_update][enabled]=true&\
              features[subscription_cancel][enabled]=true";
    let made = configure(state, &Params::read(on))?;
    Ok(state.change(text(&made, "/id"), "", |one| one["is_default"] = true.into()))
}

fn flow(state: &State, customer: &Value, configuration: &Value, params: &Params) -> Answer {
    let known = "payment_method_update subscription_cancel";
    let Some(kind) = params.word("flow_data.type", known)? else { return Ok(Value::Null) };
    if configuration["features"][kind]["enabled"] != true {
        let message = format!("This feature is disabled in the portal configuration: {kind}");
        return Err(Refusal::invalid("", "flow_data[type]", message));
    }
    let after = params.word("flow_data.after_completion.type", "hosted_confirmation portal_homepage redirect")?;
    let redirect = match after {
        Some("redirect") => {
            params.need("flow_data.after_completion.redirect.return_url")?;
            json!({"return_url": params.address("flow_data.after_completion.redirect.return_url")?})
        }
        _ => Value::Null,
    };
    let confirmation = match after {
        Some("hosted_confirmation") => {
            json!({"custom_message": params.or_null("flow_data.after_completion.hosted_confirmation.custom_message")})
        }
        _ => Value::Null,
    };
    let cancel = match kind {
        "subscription_cancel" => {
            let path = "flow_data.subscription_cancel.subscription";
            let found =
                state.get("subscription", params.need(path)?, "flow_data[subscription_cancel][subscription]")?;
            if found["customer"] != customer["id"] || found["status"] == "canceled" {
                let message = "This subscription cannot be canceled by this customer";
                return Err(Refusal::invalid("", "flow_data[subscription_cancel][subscription]", message));
            }
            json!({"retention": null, "subscription": found["id"]})
        }
        _ => Value::Null,
    };
    Ok(json!({
        "after_completion": {
            "hosted_confirmation": confirmation, "redirect": redirect, "type": after.unwrap_or("portal_homepage"),
        },
        "customer_update": null, "subscription_cancel": cancel, "subscription_pause": null,
        "subscription_update": null, "subscription_update_confirm": null, "type": kind,
    }))
}

fn session(state: &State, secret: &str) -> Option<(Value, Value)> {
    let id = state.hidden.get(&format!("portal {secret}"))?.as_str()?.to_owned();
    let session = state.peek(&id);
    let features = state.peek(text(&session, "/configuration"))["features"].clone();
    (state.peek(text(&session, "/customer"))["deleted"] != true).then_some((session, features))
}

fn gone() -> Page {
    page(404, "Not found", "<p>This page is not there any more.</p>")
}

/// `GET /p/session/SECRET`
pub fn show(state: &State, secret: &str, words: &str, status: u16) -> Page {
    let Some((session, features)) = session(state, secret) else { return gone() };
    let here = format!("/p/session/{secret}");
    let customer = text(&session, "/customer");
    let is_on = |name: &str| features[name]["enabled"] == true;
    let flow = text(&session, "/flow/type");
    let mut main = notice(words);
    if is_on("payment_method_update") && flow != "subscription_cancel" {
        let card = state.peek(text(&state.peek(customer), "/invoice_settings/default_payment_method"));
        let last4 = text(&card, "/card/last4");
        let known = if last4.is_empty() { "No card".to_owned() } else { format!("Card ending in {last4}") };
        let fields = field("card", "Card number", "");
        main += &format!("<h2>{}</h2>{}", escape(&known), form(&format!("{here}/card"), &fields, "Change card"));
    }
    let running = state.all("subscription", |one| one["customer"] == customer && one["status"] != "canceled");
    for one in running.iter().filter(|_| flow != "payment_method_update") {
        main += &plan(state, one, &here, is_on("subscription_cancel"));
    }
    if is_on("invoice_history") && flow.is_empty() {
        main += "<h2>Invoices</h2><ul>";
        for invoice in state.all("invoice", |one| one["customer"] == customer && one["status"] != "draft") {
            let due = amount(number(&invoice, "/total"), text(&invoice, "/currency"));
            let (count, status) = (text(&invoice, "/number"), text(&invoice, "/status"));
            main += &format!("<li>{} · {} · {}</li>", escape(count), escape(&due), escape(status));
            if status == "open" {
                main += &form(&format!("{here}/pay/{}", text(&invoice, "/id")), "", "Pay invoice");
            }
        }
        main += "</ul>";
    }
    let back = text(&session, "/return_url");
    let back = if back.is_empty() { String::new() } else { link(back, "Back") };
    page(status, "Your billing", &(main + &back))
}

fn plan(state: &State, one: &Value, here: &str, may_cancel: bool) -> String {
    let price = &one["items"]["data"][0]["price"];
    let name = text(&state.peek(text(price, "/product")), "/name").to_owned();
    let id = text(one, "/id");
    let shown = format!("<h2>{}</h2><p>{} · {}</p>", escape(&name), escape(&rate(price)), escape(text(one, "/status")));
    match (may_cancel, one["cancel_at_period_end"] == true) {
        (true, true) => {
            format!("{shown}<p>Ends with its period.</p>{}", form(&format!("{here}/keep/{id}"), "", "Keep plan"))
        }
        (true, false) => shown + &form(&format!("{here}/cancel/{id}"), "", "Cancel plan"),
        _ => shown,
    }
}

/// `POST /p/session/SECRET/ACTION[/ID]`
pub fn act(state: &mut State, secret: &str, action: &str, id: &str, params: &Params) -> Page {
    let Some((session, features)) = session(state, secret) else { return gone() };
    let customer = text(&session, "/customer").to_owned();
    let feature = match action {
        "card" => "payment_method_update",
        "cancel" | "keep" => "subscription_cancel",
        _ => "invoice_history",
    };
    if features[feature]["enabled"] != true {
        return gone();
    }
    let is_theirs = state.peek(id)["customer"] == customer.as_str();
    match action {
        "card" => match card_number(params.text("card").unwrap_or_default()) {
            Ok(number) => change_card(state, &customer, &number),
            Err(words) => return show(state, secret, words, 402),
        },
        "cancel" | "keep" if is_theirs => {
            let ends = if action == "cancel" { "cancel_at_period_end=true" } else { "cancel_at_period_end=false" };
            let is_done = match text(&features, "/subscription_cancel/mode") {
                "immediately" if action == "cancel" => subscriptions::cancel(state, id, &Params::read("")),
                _ => subscriptions::update(state, id, &Params::read(ends)),
            };
            if is_done.is_err() {
                return show(state, secret, "This is not possible any more.", 400);
            }
        }
        "pay" if is_theirs => {
            if !invoices::pay(state, id, invoices::By::Owner) {
                return show(state, secret, "Your card was declined.", 402);
            }
        }
        _ => return gone(),
    }
    match text(&session, "/flow/after_completion/type") {
        "redirect" => Page::Go(text(&session, "/flow/after_completion/redirect/return_url").to_owned()),
        "hosted_confirmation" => page(200, "Done", "<p>Your changes are saved.</p>"),
        _ => Page::Go(format!("{}/p/session/{secret}", state.url)),
    }
}

/// The new card becomes the customer's. What an agreement has of its own stays, as with Stripe.
fn change_card(state: &mut State, customer: &str, number: &str) {
    let card = attach_card(state, customer, number);
    state.change(customer, "customer.updated", |customer| {
        customer["invoice_settings"]["default_payment_method"] = card["id"].clone();
    });
}

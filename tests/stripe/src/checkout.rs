//! Checkout: sessions, and the page on which a reader pays.

use serde_json::{Value, json};

use crate::catalog::{attach_card, check_email, customer, is_email};
use crate::form::{Answer, Params, Refusal};
use crate::invoices;
use crate::pages::{Page, card_number, escape, field, form, link, notice, page, rate};
use crate::state::{State, number, object, text};
use crate::subscriptions::{self, sellable};

const LOCALES: &str = "auto bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hr hu id it ja ko lt lv ms mt nb nl \
                       pl pt pt-BR ro ru sk sl sv th tr vi zh zh-HK zh-TW";

/// `POST /v1/checkout/sessions`
pub fn create(state: &mut State, params: &Params) -> Answer {
    params.only(
        "mode line_items.price line_items.quantity customer customer_email client_reference_id success_url cancel_url \
         metadata.* locale expires_at payment_method_collection payment_method_types ui_mode \
         subscription_data.metadata.* subscription_data.trial_period_days subscription_data.description \
         subscription_data.trial_settings.end_behavior.missing_payment_method expand",
    )?;
    params.word("ui_mode", "hosted_page")?;
    if params.word("mode", "payment setup subscription")? != Some("subscription") {
        return Err(Refusal::invalid("", "mode", "This stand-in sells subscriptions: mode must be `subscription`"));
    }
    params.need("success_url")?;
    params.address("success_url")?;
    params.address("cancel_url")?;
    let line = line_item(state, params)?;
    let buyer = buyer(state, params)?;
    let expires_at = params.integer("expires_at")?.unwrap_or(state.now + 86_400);
    if !(state.now + 1_800..=state.now + 86_400).contains(&expires_at) {
        let message = "The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from Checkout \
                       Session creation.";
        return Err(Refusal::invalid("", "expires_at", message));
    }
    let collection = params.word("payment_method_collection", "always if_required")?.unwrap_or("always");
    let locale = params.word("locale", LOCALES)?.map(str::to_owned);
    let terms = terms(params)?;
    let is_trial = number(&terms, "/trial_period_days") > 0;
    let total = if is_trial { 0 } else { number(&line, "/amount_total") };
    let id = state.id("cs_test_");
    let rest = json!({
        "adaptive_pricing": {"enabled": false}, "amount_subtotal": total, "amount_total": total,
        "automatic_tax": {"enabled": false, "liability": null, "provider": null, "status": null},
        "cancel_url": params.or_null("cancel_url"), "client_reference_id": params.or_null("client_reference_id"),
        "created": state.now, "currency": line["currency"], "custom_fields": [], "custom_text": {
            "after_submit": null, "shipping_address": null, "submit": null, "terms_of_service_acceptance": null,
        },
        "customer": buyer["id"],
        "customer_creation": if buyer.is_null() { "always".into() } else { Value::Null },
        "customer_details": details(&buyer, params.or_null("customer_email")),
        "customer_email": params.or_null("customer_email"), "discounts": [], "expires_at": expires_at,
        "livemode": false, "locale": locale, "metadata": params.metadata("metadata", &Value::Null)?,
        "mode": "subscription", "payment_method_collection": collection,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}}, "payment_method_types": ["card"],
        "payment_status": "unpaid", "phone_number_collection": {"enabled": false},
        "saved_payment_method_options": {
            "allow_redisplay_filters": ["always"], "payment_method_remove": "disabled", "payment_method_save": null,
        },
        "shipping_options": [], "status": "open", "success_url": params.or_null("success_url"),
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}, "ui_mode": "hosted_page",
        "url": format!("{}/c/pay/{id}", state.url),
    });
    let nulls = "after_expiration allow_promotion_codes allowed_payment_method_types billing_address_collection \
                 client_secret collected_information consent consent_collection currency_conversion \
                 customer_account integration_identifier invoice invoice_creation managed_payments origin_context \
                 payment_intent payment_link payment_method_configuration_details permissions recovered_from \
                 setup_intent shipping_address_collection shipping_cost submit_type subscription wallet_options";
    state.hidden.insert(id.clone(), json!({"terms": terms, "line_items": [line]}));
    Ok(state.add(object("checkout.session", &id, nulls, rest), ""))
}

/// What is sold: one of a recurring price.
fn line_item(state: &mut State, params: &Params) -> Answer {
    let items = params.at("line_items").and_then(Value::as_array).map_or(0, Vec::len);
    if items != 1 {
        let message = "Missing required param: line_items. This stand-in sells one thing at a time.";
        return Err(Refusal::invalid("parameter_missing", "line_items", message));
    }
    let price = sellable(state, params.need("line_items.0.price")?, "line_items[0][price]")?;
    if params.integer("line_items.0.quantity")? != Some(1) {
        let message = "Quantity is required, and this stand-in sells one of each.";
        return Err(Refusal::invalid("", "line_items[0][quantity]", message));
    }
    let id = state.id("li_");
    let amount = &price["unit_amount"];
    let rest = json!({
        "amount_discount": 0, "amount_subtotal": amount, "amount_tax": 0, "amount_total": amount,
        "currency": price["currency"], "description": state.peek(text(&price, "/product"))["name"], "metadata": {},
        "price": price, "quantity": 1,
    });
    Ok(object("item", &id, "adjustable_quantity", rest))
}

/// The customer that the request names, or null.
fn buyer(state: &State, params: &Params) -> Answer {
    check_email(params, "customer_email")?;
    if params.text("customer").is_some() && params.text("customer_email").is_some() {
        let message = "You may only specify one of these parameters: customer, customer_email.";
        return Err(Refusal::invalid("", "customer", message));
    }
    match params.text("client_reference_id") {
        Some(reference) if reference.chars().count() > 200 || reference.is_empty() => {
            Err(Refusal::invalid("", "client_reference_id", "This must be 1 to 200 characters long."))
        }
        _ => params.text("customer").map_or(Ok(Value::Null), |id| state.get("customer", id, "customer")),
    }
}

fn terms(params: &Params) -> Answer {
    let days = params.integer("subscription_data.trial_period_days")?;
    if days.is_some_and(|days| !(1..=730).contains(&days)) {
        let message = "The number of trial days must be at least 1 and at most 730.";
        return Err(Refusal::invalid("", "subscription_data[trial_period_days]", message));
    }
    let path = "subscription_data.trial_settings.end_behavior.missing_payment_method";
    let missing = params.word(path, "cancel create_invoice pause")?;
    let mut terms = json!({
        "metadata": params.metadata("subscription_data.metadata", &Value::Null)?, "trial_period_days": days,
    });
    if let Some(missing) = missing {
        terms["trial_settings"]["end_behavior"]["missing_payment_method"] = missing.into();
    }
    Ok(terms)
}

fn details(buyer: &Value, email: Value) -> Value {
    let email = if buyer.is_null() { email } else { buyer["email"].clone() };
    if email.is_null() {
        return Value::Null;
    }
    json!({
        "address": null, "business_name": null, "email": email, "individual_name": null, "name": buyer["name"],
        "phone": null, "tax_exempt": "none", "tax_ids": null,
    })
}

/// `GET /v1/checkout/sessions`
pub fn list(state: &State, params: &Params) -> Answer {
    params.only(
        "customer subscription status payment_intent limit starting_after ending_before created created.gt \
         created.gte created.lt created.lte expand",
    )?;
    params.word("status", "open complete expired")?;
    state.list("checkout.session", "/v1/checkout/sessions", params, |session| {
        let names = ["customer", "subscription", "status", "payment_intent"];
        names.iter().all(|name| params.text(name).is_none_or(|is| session[name] == is))
    })
}

/// `POST /v1/checkout/sessions/ID/expire`
pub fn expire(state: &mut State, id: &str, params: &Params) -> Answer {
    params.only("expand")?;
    let session = state.get("checkout.session", id, "id")?;
    if session["status"] != "open" {
        let message = format!(
            "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout Session has a status of \
             {}",
            text(&session, "/status")
        );
        return Err(Refusal::invalid("", "", message));
    }
    close(state, id);
    Ok(state.peek(id))
}

/// Nobody can pay here any more.
pub fn close(state: &mut State, id: &str) {
    let session = state.change(id, "", |session| {
        session["status"] = "expired".into();
        session["url"] = Value::Null;
    });
    state.tell("checkout.session.expired", &session, None);
}

/// `GET /c/pay/ID`
pub fn show(state: &State, id: &str, words: &str, status: u16) -> Page {
    let Ok(session) = state.get("checkout.session", id, "id") else {
        return page(404, "Not found", "<p>Nothing is sold here.</p>");
    };
    match text(&session, "/status") {
        "open" => {}
        "complete" => return page(200, "Paid already", "<p>You have paid already.</p>"),
        _ => return page(200, "Expired", "<p>This page has expired. Nothing was charged.</p>"),
    }
    let kept = &state.hidden[id];
    let line = &kept["line_items"][0];
    let days = number(kept, "/terms/trial_period_days");
    let trial = if days > 0 { format!("<p>{days} days free, then</p>") } else { String::new() };
    let plan = format!(
        "<h2>{}</h2>{trial}<p data-amount>{}</p>",
        escape(text(line, "/description")),
        escape(&rate(&line["price"]))
    );
    let email = text(&session, "/customer_details/email");
    let fields = match session["customer"].is_null() && session["customer_email"].is_null() {
        true => field("email", "Email", ""),
        false => format!("<p>Email: {}</p>", escape(email)),
    };
    let fields = format!("{fields}{}", field("card", "Card number", ""));
    let back = text(&session, "/cancel_url");
    let back = if back.is_empty() { String::new() } else { link(back, "Back") };
    let pay = form(&format!("/c/pay/{id}"), &fields, "Pay");
    page(status, "Pay", &format!("{plan}{}{pay}{back}", notice(words)))
}

/// `POST /c/pay/ID` with `card`, and `email` where no customer is known: pays, and leads on.
pub fn pay(state: &mut State, id: &str, params: &Params) -> Page {
    let session = match state.get("checkout.session", id, "id") {
        Ok(session) if session["status"] == "open" => session,
        _ => return show(state, id, "", 200),
    };
    let typed = params.text("card").unwrap_or_default();
    let is_optional = session["payment_method_collection"] == "if_required" && session["amount_total"] == 0;
    let number = match card_number(typed) {
        _ if is_optional && typed.is_empty() => None,
        Ok(number) => Some(number),
        Err(words) => return show(state, id, words, 402),
    };
    if session["customer"].as_str().is_some_and(|buyer| state.get("customer", buyer, "customer").is_err()) {
        return show(state, id, "Something went wrong. Nothing was charged.", 400);
    }
    let known = text(&session, "/customer_details/email");
    let email = if known.is_empty() { params.text("email").unwrap_or_default().trim() } else { known };
    if session["customer"].is_null() && !is_email(email) {
        return show(state, id, "Your email address is invalid.", 400);
    }
    let email = email.to_owned();
    complete(state, &session, &email, number.as_deref());
    Page::Go(text(&session, "/success_url").replace("{CHECKOUT_SESSION_ID}", id))
}

fn complete(state: &mut State, session: &Value, email: &str, number: Option<&str>) {
    let (id, kept) = (text(session, "/id"), state.hidden[text(session, "/id")].clone());
    let buyer = match session["customer"].as_str() {
        Some(known) => known.to_owned(),
        None => {
            let made = customer(state, email.into());
            text(&state.add(made, "customer.created"), "/id").to_owned()
        }
    };
    let card = number.map(|number| text(&attach_card(state, &buyer, number), "/id").to_owned());
    let price = kept["line_items"][0]["price"].clone();
    let bought = subscriptions::begin(state, &buyer, &price, card.as_deref(), &kept["terms"]);
    let invoice = text(&bought, "/latest_invoice").to_owned();
    invoices::finalize(state, &invoice);
    invoices::pay(state, &invoice, invoices::By::Owner);
    let is_free = session["amount_total"] == 0;
    let details = details(&state.peek(&buyer), email.into());
    let session = state.change(id, "", |session| {
        session["status"] = "complete".into();
        session["payment_status"] = if is_free { "no_payment_required" } else { "paid" }.into();
        session["customer"] = buyer.into();
        session["customer_details"] = details;
        session["invoice"] = invoice.into();
        session["subscription"] = bought["id"].clone();
        session["url"] = Value::Null;
    });
    state.tell("checkout.session.completed", &session, None);
}

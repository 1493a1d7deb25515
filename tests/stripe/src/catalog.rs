//! What is sold and who buys: products, prices, customers, payment methods.

use serde_json::{Value, json};

use crate::form::{Answer, Params, Refusal};
use crate::state::{State, object, text};
use crate::subscriptions;

/// `POST /v1/products`
pub fn create_product(state: &mut State, params: &Params) -> Answer {
    params.only("id name description metadata.* active expand")?;
    let name = params.need("name")?.to_owned();
    let metadata = params.metadata("metadata", &Value::Null)?;
    let active = params.flag("active")?.unwrap_or(true);
    let id = params.text("id").map_or_else(|| state.id("prod_"), str::to_owned);
    if state.objects.contains_key(&id) {
        return Err(Refusal::invalid("resource_already_exists", "id", "Product already exists."));
    }
    Ok(product(state, &id, &name, params.or_null("description"), active, metadata))
}

fn product(state: &mut State, id: &str, name: &str, description: Value, active: bool, metadata: Value) -> Value {
    let rest = json!({
        "active": active, "created": state.now, "updated": state.now, "description": description, "images": [],
        "livemode": false, "marketing_features": [], "metadata": metadata, "name": name, "type": "service",
    });
    let nulls = "default_price package_dimensions shippable statement_descriptor tax_code tax_details unit_label url";
    state.add(object("product", id, nulls, rest), "product.created")
}

/// `POST /v1/prices`
pub fn create_price(state: &mut State, params: &Params) -> Answer {
    params.only(
        "currency unit_amount product product_data.name product_data.metadata.* recurring.interval \
         recurring.interval_count lookup_key transfer_lookup_key nickname metadata.* active tax_behavior expand",
    )?;
    let currency = params.need("currency")?.to_lowercase();
    if currency.len() != 3 {
        return Err(Refusal::invalid("", "currency", format!("Invalid currency: {currency}")));
    }
    let Some(amount) = params.integer("unit_amount")? else {
        return Err(Refusal::invalid("parameter_missing", "unit_amount", "Missing required param: unit_amount."));
    };
    if amount < 0 {
        let message = "This value must be greater than or equal to 0.";
        return Err(Refusal::invalid("parameter_invalid_integer", "unit_amount", message));
    }
    let metadata = params.metadata("metadata", &Value::Null)?;
    params.word("tax_behavior", "exclusive inclusive unspecified")?;
    let recurring = recurring(params)?;
    let lookup_key = params.or_null("lookup_key");
    let holders = state.all("price", |price| !lookup_key.is_null() && price["lookup_key"] == lookup_key);
    if !holders.is_empty() && params.flag("transfer_lookup_key")? != Some(true) {
        let message = "A price already uses that lookup key.";
        return Err(Refusal::invalid("", "lookup_key", message));
    }
    let product = match params.text("product") {
        Some(id) => state.get("product", id, "product")?["id"].clone(),
        None => {
            let name = params.need("product_data.name")?.to_owned();
            let metadata = params.metadata("product_data.metadata", &Value::Null)?;
            let id = state.id("prod_");
            product(state, &id, &name, Value::Null, true, metadata)["id"].clone()
        }
    };
    for holder in holders {
        state.change(text(&holder, "/id"), "price.updated", |price| price["lookup_key"] = Value::Null);
    }
    let id = state.id("price_");
    let kind = if recurring.is_null() { "one_time" } else { "recurring" };
    let rest = json!({
        "active": params.flag("active")?.unwrap_or(true), "billing_scheme": "per_unit", "created": state.now,
        "currency": currency, "livemode": false, "lookup_key": lookup_key, "metadata": metadata,
        "nickname": params.or_null("nickname"), "product": product, "recurring": recurring,
        "tax_behavior": params.text("tax_behavior").unwrap_or("unspecified"), "type": kind, "unit_amount": amount,
        "unit_amount_decimal": amount.to_string(),
    });
    let price = object("price", &id, "custom_unit_amount tiers_mode transform_quantity", rest);
    Ok(state.add(price, "price.created"))
}

fn recurring(params: &Params) -> Answer {
    if params.at("recurring").is_none() {
        return Ok(Value::Null);
    }
    params.need("recurring.interval")?;
    let interval = params.word("recurring.interval", "day week month year")?;
    let count = params.integer("recurring.interval_count")?.unwrap_or(1);
    Ok(json!({
        "interval": interval, "interval_count": count, "meter": null, "trial_period_days": null,
        "usage_type": "licensed",
    }))
}

/// `POST /v1/prices/ID`
pub fn update_price(state: &mut State, id: &str, params: &Params) -> Answer {
    params.only("active metadata.* nickname lookup_key expand")?;
    let old = state.get("price", id, "id")?;
    let metadata = params.metadata("metadata", &old["metadata"])?;
    let active = params.flag("active")?;
    Ok(state.change(id, "price.updated", |price| {
        price["metadata"] = metadata;
        if let Some(active) = active {
            price["active"] = active.into();
        }
        for name in ["nickname", "lookup_key"].into_iter().filter(|name| params.text(name).is_some()) {
            price[name] = params.or_null(name);
        }
    }))
}

/// `GET /v1/prices`
pub fn list_prices(state: &State, params: &Params) -> Answer {
    params.only(
        "lookup_keys active product currency type limit starting_after ending_before created created.gt created.gte \
         created.lt created.lte expand",
    )?;
    let keys = params.at("lookup_keys").and_then(Value::as_array);
    let active = params.flag("active")?;
    state.list("price", "/v1/prices", params, |price| {
        keys.is_none_or(|keys| keys.contains(&price["lookup_key"]))
            && active.is_none_or(|active| price["active"] == active)
            && ["product", "currency", "type"].iter().all(|name| params.text(name).is_none_or(|is| price[name] == is))
    })
}

const CUSTOMER: &str = "email name description phone metadata.* preferred_locales expand";

/// `POST /v1/customers`
pub fn create_customer(state: &mut State, params: &Params) -> Answer {
    params.only(CUSTOMER)?;
    check_email(params, "email")?;
    let metadata = params.metadata("metadata", &Value::Null)?;
    let mut customer = customer(state, params.or_null("email"));
    customer["metadata"] = metadata;
    fill(&mut customer, params);
    Ok(state.add(customer, "customer.created"))
}

/// A customer who is not kept yet.
pub fn customer(state: &mut State, email: Value) -> Value {
    let id = state.id("cus_");
    let settings =
        json!({"custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null});
    let rest = json!({
        "balance": 0, "created": state.now, "delinquent": false, "email": email, "invoice_settings": settings,
        "invoice_prefix": state.id("")[..8].to_uppercase(), "livemode": false, "metadata": {},
        "next_invoice_sequence": 1, "preferred_locales": [], "tax_exempt": "none",
    });
    let nulls = "address currency customer_account default_source description discount name phone shipping test_clock";
    object("customer", &id, nulls, rest)
}

fn fill(customer: &mut Value, params: &Params) {
    for name in ["email", "name", "description", "phone"].into_iter().filter(|name| params.text(name).is_some()) {
        customer[name] = params.or_null(name);
    }
    match params.at("preferred_locales") {
        Some(Value::Array(locales)) => customer["preferred_locales"] = locales.clone().into(),
        Some(_) => customer["preferred_locales"] = json!([]),
        None => {}
    }
}

/// Refuses what is no address of mail.
pub fn check_email(params: &Params, name: &str) -> Result<(), Refusal> {
    match params.text(name) {
        Some(email) if !email.is_empty() && !is_email(email) => {
            Err(Refusal::invalid("email_invalid", name, format!("Invalid email address: {email}")))
        }
        _ => Ok(()),
    }
}

/// As much as a form asks for.
pub fn is_email(email: &str) -> bool {
    let parts = email.split_once('@');
    parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !email.contains(' '))
}

/// `POST /v1/customers/ID`
pub fn update_customer(state: &mut State, id: &str, params: &Params) -> Answer {
    params.only(&format!("{CUSTOMER} invoice_settings.default_payment_method"))?;
    let old = state.get("customer", id, "id")?;
    check_email(params, "email")?;
    let metadata = params.metadata("metadata", &old["metadata"])?;
    let path = "invoice_settings.default_payment_method";
    let card = params.text(path).map(|_| params.or_null(path));
    if let Some(Value::String(card)) = &card {
        owned_card(state, card, id, "invoice_settings[default_payment_method]")?;
    }
    Ok(state.change(id, "customer.updated", |customer| {
        customer["metadata"] = metadata;
        fill(customer, params);
        if let Some(card) = card {
            customer["invoice_settings"]["default_payment_method"] = card;
        }
    }))
}

/// `GET /v1/customers/ID`: a deleted one is still known to have been.
pub fn retrieve_customer(state: &State, id: &str, params: &Params) -> Answer {
    params.only("expand")?;
    match state.peek(id) {
        gone if gone["object"] == "customer" && gone["deleted"] == true => Ok(gone),
        _ => state.get("customer", id, "id"),
    }
}

/// `DELETE /v1/customers/ID`: ends what they have bought.
pub fn delete_customer(state: &mut State, id: &str, params: &Params) -> Answer {
    params.only("")?;
    let customer = state.get("customer", id, "id")?;
    for running in state.all("subscription", |one| one["customer"] == id && one["status"] != "canceled") {
        subscriptions::end(state, text(&running, "/id"), "cancellation_requested");
    }
    for card in state.all("payment_method", |card| card["customer"] == id) {
        state.change(text(&card, "/id"), "", |card| card["customer"] = Value::Null);
    }
    let gone = json!({"id": id, "object": "customer", "deleted": true});
    state.put(gone.clone());
    state.tell("customer.deleted", &customer, None);
    Ok(gone)
}

/// `GET /v1/customers`
pub fn list_customers(state: &State, params: &Params) -> Answer {
    params.only(
        "email limit starting_after ending_before created created.gt created.gte created.lt created.lte expand",
    )?;
    state
        .list("customer", "/v1/customers", params, |one| params.text("email").is_none_or(|email| one["email"] == email))
}

/// `GET /v1/payment_methods` and `GET /v1/customers/ID/payment_methods`
pub fn list_cards(state: &State, customer: Option<&str>, params: &Params) -> Answer {
    params.only("customer type limit starting_after ending_before expand")?;
    params.word("type", "card")?;
    let customer = match customer {
        Some(id) => id,
        None => params.need("customer")?,
    };
    state.get("customer", customer, "customer")?;
    state.list("payment_method", "/v1/payment_methods", params, |card| card["customer"] == customer)
}

/// A card of this customer, or the refusal that names `param`.
pub fn owned_card(state: &State, card: &str, customer: &str, param: &str) -> Result<(), Refusal> {
    let found = state.get("payment_method", card, param)?;
    if found["customer"] == customer {
        return Ok(());
    }
    let message = format!(
        "The customer does not have a payment method with the ID {card}. The payment method must be attached to the \
         customer."
    );
    Err(Refusal::invalid("resource_missing", param, message))
}

/// Attaches a card of this number to a customer.
pub fn attach_card(state: &mut State, customer: &str, number: &str) -> Value {
    let id = state.id("pm_");
    let owner = state.peek(customer);
    let card = json!({
        "brand": "visa", "checks": {"address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass"},
        "country": "US", "display_brand": "visa", "exp_month": 12, "exp_year": 2034, "fingerprint": state.id("")[..16],
        "funding": "credit", "generated_from": null, "last4": &number[number.len() - 4..],
        "networks": {"available": ["visa"], "preferred": null}, "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": true}, "wallet": null,
    });
    let rest = json!({
        "allow_redisplay": "limited", "billing_details": billing_details(&owner), "card": card, "created": state.now,
        "customer": customer, "livemode": false, "metadata": {}, "type": "card",
    });
    state.hidden.insert(id.clone(), number.into());
    state.add(object("payment_method", &id, "customer_account", rest), "payment_method.attached")
}

/// Who a card or a charge is of.
pub fn billing_details(customer: &Value) -> Value {
    let address =
        json!({"city": null, "country": "DE", "line1": null, "line2": null, "postal_code": null, "state": null});
    json!({"address": address, "email": customer["email"], "name": customer["name"], "phone": null, "tax_id": null})
}

/// `POST /v1/payment_methods/ID/detach`
pub fn detach_card(state: &mut State, id: &str, params: &Params) -> Answer {
    params.only("expand")?;
    let card = state.get("payment_method", id, "id")?;
    if card["customer"].is_null() {
        return Err(Refusal::invalid("", "", "The payment method you provided is not attached to a customer."));
    }
    let owner = text(&card, "/customer").to_owned();
    state.change(&owner, "customer.updated", |customer| {
        let default = &mut customer["invoice_settings"]["default_payment_method"];
        if *default == id {
            *default = Value::Null;
        }
    });
    for bought in state.all("subscription", |one| one["default_payment_method"] == id) {
        state.change(text(&bought, "/id"), "customer.subscription.updated", |one| {
            one["default_payment_method"] = Value::Null;
        });
    }
    Ok(state.change(id, "payment_method.detached", |card| card["customer"] = Value::Null))
}

//! Agreements: made by the checkout, changed, ended.

use serde_json::{Value, json};

use crate::catalog::owned_card;
use crate::form::{Answer, Params, Refusal};
use crate::invoices::{self, Line};
use crate::renewals::{announce_trial, period_end};
use crate::state::{State, number, object, text, whole_list};

/// Begins an agreement that was bought on the checkout page. `terms` is the session's `subscription_data`.
pub fn begin(state: &mut State, customer: &str, price: &Value, card: Option<&str>, terms: &Value) -> Value {
    let (id, item, now) = (state.id("sub_"), state.id("si_"), state.now);
    let days = number(terms, "/trial_period_days");
    let is_trial = days > 0;
    let end = if is_trial { now + days * 86_400 } else { period_end(price, now, now) };
    let missing = terms.pointer("/trial_settings/end_behavior/missing_payment_method").and_then(Value::as_str);
    let trial_settings = json!({"end_behavior": {
        "billing_cycle_anchor": null, "missing_payment_method": missing.unwrap_or("create_invoice"),
    }});
    let items = whole_list(
        &format!("/v1/subscription_items?subscription={id}"),
        vec![object(
            "subscription_item",
            &item,
            "billing_thresholds current_trial",
            json!({
                "created": now, "current_period_start": now, "current_period_end": end, "discounts": [],
                "metadata": {}, "plan": plan(price), "price": price, "quantity": 1, "subscription": id,
                "tax_rates": [],
            }),
        )],
    );
    let rest = json!({
        "automatic_tax": {"disabled_reason": null, "enabled": false, "liability": null},
        "billing_cycle_anchor": if is_trial { end } else { now },
        "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible"},
        "billing_schedules": [], "cancel_at_period_end": false,
        "cancellation_details": {"comment": null, "feedback": null, "feedback_option": null, "reason": null},
        "collection_method": "charge_automatically", "created": now, "currency": price["currency"],
        "customer": customer, "default_payment_method": card, "default_tax_rates": [], "discounts": [],
        "invoice_settings": {
            "account_tax_ids": null, "custom_fields": null, "description": null, "footer": null,
            "issuer": {"type": "self"},
        },
        "items": items, "livemode": false, "metadata": terms.get("metadata").cloned().unwrap_or_else(|| json!({})),
        "payment_settings": {
            "payment_method_options": null, "payment_method_types": null, "save_default_payment_method": "off",
        },
        "start_date": now, "status": if is_trial { "trialing" } else { "active" },
        "trial_end": is_trial.then_some(end), "trial_settings": trial_settings, "trial_start": is_trial.then_some(now),
    });
    let nulls = "application application_fee_percent billing_cycle_anchor_config billing_thresholds cancel_at \
                 canceled_at customer_account days_until_due default_source description ended_at latest_invoice \
                 managed_payments next_pending_invoice_item_invoice on_behalf_of pause_collection \
                 pending_invoice_item_interval pending_setup_intent pending_update schedule test_clock transfer_data";
    let bought = state.add(object("subscription", &id, nulls, rest), "");
    let description = if is_trial { "Trial period for".to_owned() } else { "1 ×".to_owned() };
    let name = text(&state.peek(text(price, "/product")), "/name").to_owned();
    let amount = if is_trial { 0 } else { number(price, "/unit_amount") };
    let line = Line {
        subscription: &bought,
        price,
        amount,
        start: now,
        end,
        is_proration: false,
        description: format!("{description} {name}"),
    };
    let lines = vec![invoices::line(state, &line)];
    invoices::draft(state, &id, "subscription_create", lines, (now, now));
    let bought = state.peek(&id);
    state.tell("customer.subscription.created", &bought, None);
    announce_trial(state, &id);
    bought
}

/// The older form of a price, which items still carry.
fn plan(price: &Value) -> Value {
    let rest = json!({
        "active": price["active"], "amount": price["unit_amount"], "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": "per_unit", "created": price["created"], "currency": price["currency"],
        "interval": price["recurring"]["interval"], "interval_count": price["recurring"]["interval_count"],
        "livemode": false, "metadata": price["metadata"], "nickname": price["nickname"], "product": price["product"],
        "usage_type": "licensed",
    });
    object("plan", text(price, "/id"), "meter tiers_mode transform_usage trial_period_days", rest)
}

/// `GET /v1/subscriptions`: those that have ended only where `status` asks for them.
pub fn list(state: &State, params: &Params) -> Answer {
    params.only(
        "customer price status limit starting_after ending_before created created.gt created.gte created.lt \
         created.lte expand",
    )?;
    params.word("status", "active all canceled ended incomplete incomplete_expired past_due paused trialing unpaid")?;
    state.list("subscription", "/v1/subscriptions", params, |one| {
        let fits = match params.text("status") {
            None => one["status"] != "canceled",
            Some("all") => true,
            Some("ended") => one["status"] == "canceled",
            Some(status) => one["status"] == status,
        };
        fits && params.text("customer").is_none_or(|is| one["customer"] == is)
            && params.text("price").is_none_or(|is| one["items"]["data"][0]["price"]["id"] == is)
    })
}

/// To what an agreement is to be changed.
pub struct Wish {
    price: Value,
    behavior: String,
    at: i64,
}

/// Reads `items`, `proration_behavior` and `proration_date`; none if the price stays.
pub fn wish(state: &State, bought: &Value, params: &Params) -> Result<Option<Wish>, Refusal> {
    let words = "always_invoice create_prorations none";
    let behavior = params.word("proration_behavior", words)?.unwrap_or("create_prorations").to_owned();
    let at = params.integer("proration_date")?.unwrap_or(state.now);
    let items = params.at("items").and_then(Value::as_array).map_or(0, Vec::len);
    if items == 0 {
        return Ok(None);
    }
    let item = &bought["items"]["data"][0];
    if items > 1 || params.text("items.0.id").is_none_or(|id| item["id"] != id) {
        // Without the item's id Stripe adds a second one, which this stand-in does not sell.
        let id = params.text("items.0.id").unwrap_or_default();
        let message = format!("No such subscription item: '{id}'");
        return Err(Refusal::invalid("resource_missing", "items[0][id]", message));
    }
    if params.integer("items.0.quantity")?.unwrap_or(1) != 1 {
        return Err(Refusal::invalid("", "items[0][quantity]", "This stand-in sells one of each"));
    }
    let Some(price) = params.text("items.0.price").filter(|price| item["price"]["id"] != *price) else {
        return Ok(None);
    };
    let price = sellable(state, price, "items[0][price]")?;
    if price["currency"] != bought["currency"] {
        let (only, expected) = (text(&price, "/currency"), text(bought, "/currency"));
        let message = format!(
            "The price specified only supports `{only}`. This doesn't match the expected currency: `{expected}`."
        );
        return Err(Refusal::invalid("", "items[0][price]", message));
    }
    let (start, end) = (number(item, "/current_period_start"), number(item, "/current_period_end"));
    if !(start..=end).contains(&at) {
        let message = "The proration date must be within the current billing period.";
        return Err(Refusal::invalid("invoice_no_subscription_line_items", "proration_date", message));
    }
    Ok(Some(Wish { price, behavior, at }))
}

/// A price that agreements can be made of.
pub fn sellable(state: &State, id: &str, param: &str) -> Answer {
    let price = state.get("price", id, param)?;
    if price["active"] != true {
        let message = "The price specified is inactive. This field only accepts active prices.";
        return Err(Refusal::invalid("", param, message));
    }
    if price["recurring"].is_null() {
        let message = "The price specified is set to `type=one_time` but this field only accepts prices with \
                       `type=recurring`.";
        return Err(Refusal::invalid("", param, message));
    }
    Ok(price)
}

/// Goes over to another price. The draft of what is due at once, if anything is to be invoiced at once.
pub fn switch(state: &mut State, id: &str, wish: &Wish) -> Result<Option<String>, Refusal> {
    let bought = state.peek(id);
    let (item, now) = (&bought["items"]["data"][0], state.now);
    let (old, new) = (&item["price"], &wish.price);
    let (start, end) = (number(item, "/current_period_start"), number(item, "/current_period_end"));
    let is_trial = bought["status"] == "trialing";
    let is_new_cycle = old["recurring"] != new["recurring"] && !is_trial;
    let share = |amount: i64| {
        let (left, whole) = (i128::from(end - wish.at), i128::from((end - start).max(1)));
        ((i128::from(amount) * left * 2 + whole) / (whole * 2)) as i64
    };
    let new_end = if is_new_cycle { period_end(new, now, now) } else { end };
    let mut lines = Vec::new();
    let mut add = |state: &mut State, price: &Value, amount: i64, end: i64, is_proration: bool, what: &str| {
        let name = text(&state.peek(text(price, "/product")), "/name").to_owned();
        let description = format!("{what} {name}");
        let start = wish.at;
        let line = Line { subscription: &bought, price, amount, start, end, is_proration, description };
        lines.push(invoices::line(state, &line));
    };
    if !is_trial && wish.behavior != "none" {
        add(state, old, -share(number(old, "/unit_amount")), end, true, "Unused time on");
        if !is_new_cycle {
            add(state, new, share(number(new, "/unit_amount")), end, true, "Remaining time on");
        }
    }
    if is_new_cycle {
        add(state, new, number(new, "/unit_amount"), new_end, false, "1 ×");
    }
    state.change(id, "customer.subscription.updated", |one| {
        if is_new_cycle {
            one["billing_cycle_anchor"] = now.into();
        }
        let item = &mut one["items"]["data"][0];
        item["price"] = new.clone();
        item["plan"] = plan(new);
        if is_new_cycle {
            item["current_period_start"] = now.into();
            item["current_period_end"] = new_end.into();
        }
    });
    if lines.is_empty() {
        return Ok(None);
    }
    let pending = format!("{id} pending");
    if !is_new_cycle && wish.behavior == "create_prorations" {
        let waiting = state.hidden.entry(pending).or_insert_with(|| json!([]));
        if let Value::Array(waiting) = waiting {
            waiting.extend(lines);
        }
        return Ok(None);
    }
    let mut all = take_pending(state, id);
    all.extend(lines);
    Ok(Some(invoices::draft(state, id, "subscription_update", all, (wish.at, wish.at))))
}

/// Lines that wait for the next invoice of an agreement; they wait no more.
pub fn take_pending(state: &mut State, id: &str) -> Vec<Value> {
    let pending = state.hidden.remove(&format!("{id} pending"));
    pending.and_then(|lines| lines.as_array().cloned()).unwrap_or_default()
}

/// `POST /v1/subscriptions/ID`
pub fn update(state: &mut State, id: &str, params: &Params) -> Answer {
    params.only(
        "items.id items.price items.quantity cancel_at_period_end proration_behavior proration_date payment_behavior \
         default_payment_method metadata.* cancellation_details.comment cancellation_details.feedback expand",
    )?;
    let bought = state.get("subscription", id, "id")?;
    let fields = params.0.as_object().cloned().unwrap_or_default();
    let is_late = |name: &String| !matches!(name.as_str(), "metadata" | "cancellation_details" | "expand");
    if bought["status"] == "canceled" && fields.keys().any(is_late) {
        let message = "A canceled subscription can only update its cancellation_details and metadata.";
        return Err(Refusal::invalid("", "", message));
    }
    let behaviors = "allow_incomplete default_incomplete error_if_incomplete";
    let behavior = params.word("payment_behavior", behaviors)?.unwrap_or("allow_incomplete");
    let metadata = params.metadata("metadata", &bought["metadata"])?;
    let ends = params.flag("cancel_at_period_end")?;
    let card = params.text("default_payment_method").map(|_| params.or_null("default_payment_method"));
    if let Some(Value::String(card)) = &card {
        owned_card(state, card, text(&bought, "/customer"), "default_payment_method")?;
    }
    let wish = wish(state, &bought, params)?;
    let before = state.clone();
    let now = state.now;
    state.change(id, "customer.subscription.updated", |one| {
        one["metadata"] = metadata;
        if let Some(card) = card {
            one["default_payment_method"] = card;
        }
        for name in ["comment", "feedback"] {
            let path = format!("cancellation_details.{name}");
            if params.text(&path).is_some() {
                one["cancellation_details"][name] = params.or_null(&path);
            }
        }
        match ends {
            Some(true) if one["cancel_at_period_end"] != true => {
                one["cancel_at"] = one["items"]["data"][0]["current_period_end"].clone();
                one["canceled_at"] = now.into();
                one["cancellation_details"]["reason"] = "cancellation_requested".into();
            }
            Some(false) if one["cancel_at_period_end"] == true => {
                one["cancel_at"] = Value::Null;
                one["canceled_at"] = Value::Null;
                one["cancellation_details"]["reason"] = Value::Null;
            }
            _ => {}
        }
        if let Some(ends) = ends {
            one["cancel_at_period_end"] = ends.into();
        }
    });
    if let Some(wish) = wish
        && let Some(invoice) = switch(state, id, &wish)?
    {
        invoices::finalize(state, &invoice);
        if !invoices::pay(state, &invoice, invoices::By::Hand) && behavior == "error_if_incomplete" {
            *state = before;
            return Err(invoices::declined());
        }
    }
    Ok(state.peek(id))
}

/// `DELETE /v1/subscriptions/ID`: ends it now.
pub fn cancel(state: &mut State, id: &str, params: &Params) -> Answer {
    params.only("invoice_now prorate cancellation_details.comment cancellation_details.feedback expand")?;
    let bought = state.get("subscription", id, "id")?;
    if bought["status"] == "canceled" {
        return Err(Refusal::missing("subscription", id, "id"));
    }
    if params.flag("prorate")? == Some(true) || params.flag("invoice_now")? == Some(true) {
        return Err(Refusal::invalid("", "prorate", "This stand-in ends agreements without a last invoice"));
    }
    Ok(end(state, id, "cancellation_requested"))
}

/// Ends an agreement; no reason is the empty text.
pub fn end(state: &mut State, id: &str, reason: &str) -> Value {
    let now = state.now;
    let reason = if reason.is_empty() { Value::Null } else { reason.into() };
    let bought = state.change(id, "", |one| {
        one["status"] = "canceled".into();
        one["ended_at"] = now.into();
        if one["canceled_at"].is_null() {
            one["canceled_at"] = now.into();
            one["cancellation_details"]["reason"] = reason;
        }
    });
    let is_waiting = |invoice: &Value| {
        text(invoice, "/parent/subscription_details/subscription") == id
            && matches!(text(invoice, "/status"), "draft" | "open")
    };
    for invoice in state.all("invoice", is_waiting) {
        state.change(text(&invoice, "/id"), "invoice.updated", |invoice| {
            invoice["auto_advance"] = false.into();
            invoice["automatically_finalizes_at"] = Value::Null;
            invoice["next_payment_attempt"] = Value::Null;
        });
    }
    state.tell("customer.subscription.deleted", &bought, None);
    bought
}

/// An invoice of this agreement was paid; `is_settled` if no other one is open.
pub fn paid(state: &mut State, id: &str, is_settled: bool) {
    state.change(id, "customer.subscription.updated", |one| {
        if one["status"] == "past_due" && is_settled {
            one["status"] = "active".into();
        }
    });
}

/// An invoice of this agreement was not paid; `is_last` if nobody tries again.
pub fn unpaid(state: &mut State, id: &str, is_last: bool) {
    match text(&state.peek(id), "/status") {
        "canceled" => {}
        _ if is_last => drop(end(state, id, "payment_failed")),
        _ => drop(state.change(id, "customer.subscription.updated", |one| one["status"] = "past_due".into())),
    }
}

//! Invoices: drafts, what is due, attempts to take it, previews.

use serde_json::{Value, json};

use crate::form::{Answer, Params, Refusal};
use crate::money;
use crate::state::{State, number, object, text, whole_list};
use crate::{renewals, subscriptions};

/// An hour passes between a renewal's draft and its payment.
const DRAFT_SECONDS: i64 = 3_600;
/// Days from each failed attempt to the next; after the last one the agreement ends.
const RETRY_DAYS: [i64; 3] = [3, 5, 7];
/// Less is not charged, it goes to the next invoice.
const LEAST_CHARGE: i64 = 50;

/// One line of an invoice to be.
pub struct Line<'a> {
    pub subscription: &'a Value,
    pub price: &'a Value,
    pub amount: i64,
    pub start: i64,
    pub end: i64,
    pub is_proration: bool,
    pub description: String,
}

/// A line as it is answered; it gets its invoice later.
pub fn line(state: &mut State, line: &Line<'_>) -> Value {
    let id = state.id("il_");
    let item = &line.subscription["items"]["data"][0];
    let invoice_item = if line.is_proration { state.id("ii_").into() } else { Value::Null };
    let parent = json!({
        "type": "subscription_item_details", "invoice_item_details": null,
        "subscription_item_details": {
            "invoice_item": invoice_item, "proration": line.is_proration,
            "proration_details": line.is_proration.then(|| json!({"credited_items": null})),
            "subscription": line.subscription["id"], "subscription_item": item["id"],
        },
    });
    let pricing = json!({
        "price_details": {"price": line.price["id"], "product": line.price["product"]}, "type": "price_details",
        "unit_amount_decimal": line.price["unit_amount_decimal"],
    });
    let rest = json!({
        "amount": line.amount, "currency": line.price["currency"], "description": line.description,
        "discount_amounts": [], "discountable": !line.is_proration, "discounts": [], "livemode": false,
        "metadata": line.subscription["metadata"], "parent": parent, "period": {"start": line.start, "end": line.end},
        "pretax_credit_amounts": [], "pricing": pricing, "quantity": 1, "quantity_decimal": "1",
        "subscription": line.subscription["id"], "subtotal": line.amount, "taxes": [],
    });
    object("line_item", &id, "invoice", rest)
}

/// Writes a draft for a subscription, whose newest invoice it becomes: its id.
pub fn draft(state: &mut State, subscription: &str, reason: &str, mut lines: Vec<Value>, period: (i64, i64)) -> String {
    let id = state.id("in_");
    for line in &mut lines {
        line["invoice"] = id.as_str().into();
    }
    let bought = state.peek(subscription);
    let customer = state.peek(text(&bought, "/customer"));
    let total: i64 = lines.iter().map(|line| number(line, "/amount")).sum();
    let lines = whole_list(&format!("/v1/invoices/{id}/lines"), lines);
    let rest = json!({
        "account_country": "DE", "account_name": "Publication", "amount_overpaid": 0, "amount_paid": 0,
        "amount_shipping": 0, "attempt_count": 0, "attempted": false, "auto_advance": true,
        "automatic_tax": {
            "disabled_reason": null, "enabled": false, "liability": null, "provider": null, "status": null,
        },
        "automatically_finalizes_at": state.now + DRAFT_SECONDS, "billing_reason": reason,
        "collection_method": "charge_automatically", "created": state.now, "currency": bought["currency"],
        "customer": customer["id"], "customer_email": customer["email"], "customer_name": customer["name"],
        "customer_tax_exempt": "none", "customer_tax_ids": [], "default_tax_rates": [], "discounts": [],
        "issuer": {"type": "self"}, "lines": lines, "livemode": false, "metadata": {},
        "parent": {"quote_details": null, "type": "subscription_details", "subscription_details": {
            "metadata": bought["metadata"], "subscription": subscription,
        }},
        "payment_settings": {
            "default_mandate": null, "payment_method_options": null, "payment_method_types": null,
        },
        "period_start": period.0, "period_end": period.1, "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0, "status": "draft",
        "status_transitions": {
            "finalized_at": null, "marked_uncollectible_at": null, "paid_at": null, "voided_at": null,
        },
        "subtotal": total, "subtotal_excluding_tax": total, "total": total, "total_discount_amounts": [],
        "total_excluding_tax": total, "total_pretax_credit_amounts": [], "total_taxes": [],
    });
    let nulls = "account_tax_ids application custom_fields customer_account customer_address customer_phone \
                 customer_shipping default_payment_method default_source description due_date effective_at \
                 ending_balance footer from_invoice hosted_invoice_url invoice_pdf last_finalization_error \
                 latest_revision next_payment_attempt number on_behalf_of receipt_number rendering shipping_cost \
                 shipping_details statement_descriptor test_clock webhooks_delivered_at";
    let mut invoice = object("invoice", &id, nulls, rest);
    fill_amounts(&mut invoice, number(&customer, "/balance"));
    // A draft has not touched the balance yet.
    invoice["ending_balance"] = Value::Null;
    state.add(invoice, "invoice.created");
    state.change(subscription, "", |bought| bought["latest_invoice"] = id.as_str().into());
    id
}

/// What is due when the customer's balance is taken into account; the balance afterwards.
fn fill_amounts(invoice: &mut Value, balance: i64) -> i64 {
    let due = number(invoice, "/total") + balance;
    let (due, ending) = if due < LEAST_CHARGE { (0, due) } else { (due, 0) };
    invoice["starting_balance"] = balance.into();
    invoice["ending_balance"] = ending.into();
    invoice["amount_due"] = due.into();
    invoice["amount_remaining"] = due.into();
    ending
}

/// Makes a draft final. Where nothing is due it is paid at once, otherwise it waits for [`pay`].
pub fn finalize(state: &mut State, id: &str) {
    let invoice = state.peek(id);
    let (customer, now) = (text(&invoice, "/customer").to_owned(), state.now);
    let balance = number(&state.peek(&customer), "/balance");
    let mut count = 0;
    let before = state.peek(&customer);
    let prefix = text(&before, "/invoice_prefix").to_owned();
    state.change(&customer, "", |customer| {
        count = number(customer, "/next_invoice_sequence");
        customer["next_invoice_sequence"] = (count + 1).into();
        customer["currency"] = invoice["currency"].clone();
    });
    let mut ending = balance;
    let page = format!("{}/invoices/{id}", state.url);
    let invoice = state.change(id, "", |invoice| {
        ending = fill_amounts(invoice, balance);
        invoice["status"] = "open".into();
        invoice["number"] = format!("{prefix}-{count:04}").into();
        invoice["effective_at"] = now.into();
        invoice["status_transitions"]["finalized_at"] = now.into();
        invoice["automatically_finalizes_at"] = Value::Null;
        invoice["hosted_invoice_url"] = page.clone().into();
        invoice["invoice_pdf"] = format!("{page}/pdf").into();
    });
    state.change(&customer, "customer.updated", |customer| customer["balance"] = ending.into());
    let due = number(&invoice, "/amount_due");
    if due == 0 {
        state.tell("invoice.finalized", &invoice, None);
        mark_paid(state, id);
        return;
    }
    let intent = money::intent(state, &customer, due, text(&invoice, "/currency"));
    let payment_id = state.id("inpay_");
    let rest = json!({
        "amount_requested": due, "created": now, "currency": invoice["currency"], "invoice": id, "is_default": true,
        "livemode": false, "payment": {"payment_intent": intent["id"], "type": "payment_intent"}, "status": "open",
        "status_transitions": {"canceled_at": null, "paid_at": null},
    });
    state.add(object("invoice_payment", &payment_id, "amount_paid", rest), "");
    state.tell("invoice.finalized", &invoice, None);
}

fn mark_paid(state: &mut State, id: &str) {
    let now = state.now;
    let invoice = state.change(id, "", |invoice| {
        invoice["status"] = "paid".into();
        invoice["attempted"] = true.into();
        invoice["auto_advance"] = false.into();
        invoice["amount_paid"] = invoice["amount_due"].clone();
        invoice["amount_remaining"] = 0.into();
        invoice["next_payment_attempt"] = Value::Null;
        invoice["status_transitions"]["paid_at"] = now.into();
    });
    for payment in state.all("invoice_payment", |payment| payment["invoice"] == id) {
        state.change(text(&payment, "/id"), "invoice_payment.paid", |payment| {
            payment["status"] = "paid".into();
            payment["amount_paid"] = payment["amount_requested"].clone();
            payment["status_transitions"]["paid_at"] = now.into();
        });
    }
    state.tell("invoice.paid", &invoice, None);
    state.tell("invoice.payment_succeeded", &invoice, None);
}

/// The card of an agreement, else of its customer.
pub fn card_of(state: &State, subscription: &Value) -> Option<String> {
    let customer = state.peek(text(subscription, "/customer"));
    let cards = [&subscription["default_payment_method"], &customer["invoice_settings"]["default_payment_method"]];
    cards.into_iter().find_map(|card| card.as_str().map(str::to_owned))
}

/// Who tries to have an invoice paid.
#[derive(Clone, Copy, PartialEq)]
pub enum By {
    /// The card's owner, on a page.
    Owner,
    /// Somebody through the API.
    Hand,
    /// The schedule.
    Clock,
}

/// Tries to take what an open invoice asks for: whether it is paid. What follows for the agreement happens too. Only
/// the first attempt and those of the schedule count for the schedule.
pub fn pay(state: &mut State, id: &str, by: By) -> bool {
    let invoice = state.peek(id);
    if invoice["status"] != "open" {
        return invoice["status"] == "paid";
    }
    let bought = text(&invoice, "/parent/subscription_details/subscription").to_owned();
    let payments = state.all("invoice_payment", |payment| payment["invoice"] == id);
    let intent = payments.first().map(|payment| text(payment, "/payment/payment_intent").to_owned());
    let card = card_of(state, &state.peek(&bought));
    let before = number(&invoice, "/attempt_count");
    let counts = by == By::Clock || before == 0;
    let attempts = before + i64::from(counts);
    state.change(id, "", |invoice| {
        invoice["attempt_count"] = attempts.into();
        invoice["attempted"] = true.into();
    });
    if money::charge(state, &intent.unwrap_or_default(), card.as_deref(), by == By::Owner) {
        mark_paid(state, id);
        let still_open = state.all("invoice", |other| {
            other["status"] == "open" && text(other, "/parent/subscription_details/subscription") == bought
        });
        subscriptions::paid(state, &bought, still_open.is_empty());
        return true;
    }
    if !counts {
        let invoice = state.peek(id);
        state.tell("invoice.payment_failed", &invoice, None);
        return false;
    }
    let wait = usize::try_from(attempts - 1).ok().and_then(|index| RETRY_DAYS.get(index));
    let is_over = state.peek(&bought)["status"] == "canceled";
    let next = wait.filter(|_| !is_over).map(|days| state.now + days * 86_400);
    let invoice = state.change(id, "invoice.updated", |invoice| invoice["next_payment_attempt"] = next.into());
    state.tell("invoice.payment_failed", &invoice, None);
    subscriptions::unpaid(state, &bought, next.is_none());
    false
}

/// `POST /v1/invoices/ID/pay`
pub fn pay_now(state: &mut State, id: &str, params: &Params) -> Answer {
    params.only("off_session expand")?;
    let invoice = state.get("invoice", id, "id")?;
    if invoice["status"] == "draft" {
        finalize(state, id);
    } else if invoice["status"] != "open" {
        let code = if invoice["status"] == "paid" { "invoice_already_paid" } else { "invoice_not_editable" };
        return Err(Refusal::invalid(code, "", "Invoice is already paid, or void"));
    }
    if pay(state, id, By::Hand) { Ok(state.peek(id)) } else { Err(declined()) }
}

/// What is said of a card that does not pay.
pub fn declined() -> Refusal {
    let mut refusal = Refusal::new(402, "card_error", "card_declined", "", "Your card was declined.");
    refusal.error["decline_code"] = "generic_decline".into();
    refusal
}

/// `GET /v1/invoices`
pub fn list(state: &State, params: &Params) -> Answer {
    params.only(
        "customer subscription status limit starting_after ending_before created created.gt created.gte created.lt \
         created.lte expand",
    )?;
    params.word("status", "draft open paid uncollectible void")?;
    state.list("invoice", "/v1/invoices", params, |invoice| {
        let of = text(invoice, "/parent/subscription_details/subscription");
        params.text("subscription").is_none_or(|is| of == is)
            && ["customer", "status"].iter().all(|name| params.text(name).is_none_or(|is| invoice[name] == is))
    })
}

/// `GET /v1/invoice_payments`
pub fn list_payments(state: &State, params: &Params) -> Answer {
    params.only("invoice payment.type payment.payment_intent status limit starting_after ending_before expand")?;
    state.list("invoice_payment", "/v1/invoice_payments", params, |payment| {
        ["invoice", "status"].iter().all(|name| params.text(name).is_none_or(|is| payment[name] == is))
            && params.text("payment.payment_intent").is_none_or(|is| payment["payment"]["payment_intent"] == is)
    })
}

/// `POST /v1/invoices/create_preview`: what would be, tried in a copy of the world.
pub fn preview(state: &State, params: &Params) -> Answer {
    params.only(
        "subscription customer subscription_details.items.id subscription_details.items.price \
         subscription_details.items.quantity subscription_details.proration_behavior \
         subscription_details.proration_date subscription_details.cancel_at_period_end expand",
    )?;
    let id = params.need("subscription")?.to_owned();
    let bought = state.get("subscription", &id, "subscription")?;
    if bought["status"] == "canceled" {
        return Err(none_upcoming(&bought));
    }
    let mut copy = state.clone();
    let inner = Params(params.at("subscription_details").cloned().unwrap_or_else(|| json!({})));
    let ends = inner.flag("cancel_at_period_end")?.unwrap_or(bought["cancel_at_period_end"] == true);
    let made = match subscriptions::wish(&copy, &bought, &inner)? {
        Some(wish) => subscriptions::switch(&mut copy, &id, &wish)?,
        None => None,
    };
    let made = match made {
        Some(made) => made,
        None if ends => return Err(none_upcoming(&bought)),
        None => {
            copy.now = number(&copy.peek(&id), "/items/data/0/current_period_end");
            renewals::roll(&mut copy, &id);
            let bought = copy.peek(&id);
            if bought["status"] == "canceled" || bought["status"] == "paused" {
                return Err(none_upcoming(&bought));
            }
            text(&bought, "/latest_invoice").to_owned()
        }
    };
    let mut invoice = copy.peek(&made);
    invoice["id"] = format!("upcoming_{made}").into();
    invoice["billing_reason"] = "upcoming".into();
    invoice["created"] = copy.now.into();
    if let Some(at) = inner.integer("proration_date")? {
        invoice["parent"]["subscription_details"]["subscription_proration_date"] = at.into();
    }
    Ok(invoice)
}

fn none_upcoming(bought: &Value) -> Refusal {
    let message = format!("No upcoming invoices for customer: '{}'", text(bought, "/customer"));
    Refusal::new(404, "invalid_request_error", "invoice_upcoming_none", "", message)
}

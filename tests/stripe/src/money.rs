//! Money that moves: payment intents, charges, refunds, disputes.

use serde_json::{Value, json};

use crate::catalog::billing_details;
use crate::form::{Answer, Params, Refusal};
use crate::state::{State, number, object, text};

/// Pays.
pub const GOOD: &str = "4242424242424242";
/// Is declined wherever it is shown.
pub const DECLINED: &str = "4000000000000002";
/// Is taken on the page, and declined when it is charged without its owner.
pub const FAILS_LATER: &str = "4000000000000341";

/// Makes the payment intent of an invoice.
pub fn intent(state: &mut State, customer: &str, amount: i64, currency: &str) -> Value {
    let id = state.id("pi_");
    let rest = json!({
        "amount": amount, "amount_capturable": 0, "amount_details": {"tip": {}}, "amount_received": 0,
        "automatic_payment_methods": null, "capture_method": "automatic",
        "client_secret": format!("{id}_secret_{}", state.id("")), "confirmation_method": "automatic",
        "created": state.now, "currency": currency, "customer": customer, "description": "Subscription payment",
        "livemode": false, "metadata": {}, "payment_details": {"customer_reference": null, "order_reference": null},
        "payment_method_options": {"card": {
            "installments": null, "mandate_options": null, "network": null, "request_three_d_secure": "automatic",
        }},
        "payment_method_types": ["card"], "setup_future_usage": "off_session", "status": "requires_payment_method",
    });
    let nulls = "allowed_payment_method_types application application_fee_amount canceled_at cancellation_reason \
                 customer_account excluded_payment_method_types last_payment_error latest_charge managed_payments \
                 next_action on_behalf_of payment_method payment_method_configuration_details payment_record \
                 processing receipt_email review shipping source statement_descriptor statement_descriptor_suffix \
                 transfer_data transfer_group";
    state.add(object("payment_intent", &id, nulls, rest), "payment_intent.created")
}

/// Takes the money of an intent from a card, if the card lets it: whether it did.
pub fn charge(state: &mut State, intent: &str, card: Option<&str>, is_owner_there: bool) -> bool {
    let Some(card) = card else {
        let error = json!({
            "type": "invalid_request_error", "code": "payment_intent_invalid_parameter",
            "message": "This customer has no attached payment source or default payment method.",
        });
        fail(state, intent, error);
        return false;
    };
    let number = state.hidden.get(card).and_then(Value::as_str).unwrap_or_default();
    let pays = number == GOOD || (number == FAILS_LATER && is_owner_there);
    let made = make_charge(state, intent, card, pays);
    if !pays {
        let error = json!({
            "type": "card_error", "code": "card_declined", "decline_code": "generic_decline", "charge": made["id"],
            "doc_url": "https://docs.stripe.com/error-codes/card-declined", "message": "Your card was declined.",
            "payment_method": state.peek(card),
        });
        fail(state, intent, error);
        return false;
    }
    state.change(intent, "", |intent| {
        intent["status"] = "succeeded".into();
        intent["amount_received"] = intent["amount"].clone();
        intent["latest_charge"] = made["id"].clone();
        intent["payment_method"] = card.into();
        intent["last_payment_error"] = Value::Null;
    });
    let intent = state.peek(intent);
    state.tell("payment_intent.succeeded", &intent, None);
    true
}

fn fail(state: &mut State, intent: &str, error: Value) {
    state.change(intent, "", |intent| {
        if !error["charge"].is_null() {
            intent["latest_charge"] = error["charge"].clone();
        }
        intent["last_payment_error"] = error;
    });
    let intent = state.peek(intent);
    state.tell("payment_intent.payment_failed", &intent, None);
}

fn make_charge(state: &mut State, intent: &str, card: &str, pays: bool) -> Value {
    let (intent, method) = (state.peek(intent), state.peek(card));
    let customer = state.peek(text(&intent, "/customer"));
    let id = state.id("ch_");
    let outcome = json!({
        "advice_code": if pays { Value::Null } else { "try_again_later".into() }, "network_advice_code": null,
        "network_decline_code": null, "reason": if pays { Value::Null } else { "generic_decline".into() },
        "network_status": if pays { "approved_by_network" } else { "declined_by_network" }, "risk_level": "normal",
        "risk_score": 8, "seller_message": if pays { "Payment complete." } else { "The bank declined this payment." },
        "type": if pays { "authorized" } else { "issuer_declined" },
    });
    let shown = &method["card"];
    let details = object(
        "",
        "",
        "authorization_code electronic_commerce_indicator installments mandate \
        network_transaction_id three_d_secure transaction_link_id wallet",
        json!({
            "amount_authorized": if pays { intent["amount"].clone() } else { Value::Null }, "brand": shown["brand"],
            "checks": {"address_line1_check": null, "address_postal_code_check": null, "cvc_check": null},
            "country": shown["country"], "exp_month": shown["exp_month"], "exp_year": shown["exp_year"],
            "fingerprint": shown["fingerprint"], "funding": shown["funding"], "last4": shown["last4"], "network": "visa",
            "regulated_status": "unregulated",
        }),
    );
    let details = without_identity(details);
    let amount = number(&intent, "/amount");
    let rest = json!({
        "amount": amount, "amount_captured": if pays { amount } else { 0 }, "amount_refunded": 0,
        "billing_details": billing_details(&customer), "calculated_statement_descriptor": "PUBLICATION",
        "captured": pays, "created": state.now, "currency": intent["currency"], "customer": customer["id"],
        "description": intent["description"], "disputed": false,
        "failure_code": if pays { Value::Null } else { "card_declined".into() },
        "failure_message": if pays { Value::Null } else { "Your card was declined.".into() }, "fraud_details": {},
        "livemode": false, "metadata": {}, "outcome": outcome, "paid": pays, "payment_intent": intent["id"],
        "payment_method": card, "payment_method_details": {"card": details, "type": "card"},
        "receipt_url": format!("{}/receipts/{id}", state.url), "refunded": false,
        "status": if pays { "succeeded" } else { "failed" },
    });
    let nulls = "application application_fee application_fee_amount balance_transaction failure_balance_transaction \
                 on_behalf_of receipt_email receipt_number review shipping source source_transfer \
                 statement_descriptor statement_descriptor_suffix transfer_data transfer_group";
    let event = if pays { "charge.succeeded" } else { "charge.failed" };
    state.add(object("charge", &id, nulls, rest), event)
}

/// Parts of objects have neither id nor name.
fn without_identity(mut part: Value) -> Value {
    if let Value::Object(fields) = &mut part {
        fields.remove("id");
        fields.remove("object");
    }
    part
}

/// `GET /v1/charges`
pub fn list_charges(state: &State, params: &Params) -> Answer {
    params.only(
        "customer payment_intent limit starting_after ending_before created created.gt created.gte created.lt \
         created.lte expand",
    )?;
    state.list("charge", "/v1/charges", params, |charge| {
        ["customer", "payment_intent"].iter().all(|name| params.text(name).is_none_or(|is| charge[name] == is))
    })
}

/// `POST /v1/refunds`
pub fn create_refund(state: &mut State, params: &Params) -> Answer {
    params.only("payment_intent charge amount reason metadata.* expand")?;
    params.word("reason", "duplicate fraudulent requested_by_customer")?;
    let charge = match (params.text("payment_intent"), params.text("charge")) {
        (Some(intent), None) => {
            let intent = state.get("payment_intent", intent, "payment_intent")?;
            text(&intent, "/latest_charge").to_owned()
        }
        (None, Some(charge)) => charge.to_owned(),
        _ => {
            let message = "One of the following params should be provided for this request: payment_intent or charge.";
            return Err(Refusal::invalid("parameter_missing", "", message));
        }
    };
    let charge = state.get("charge", &charge, "charge")?;
    let metadata = params.metadata("metadata", &Value::Null)?;
    refund(state, &charge, params.integer("amount")?, params.or_null("reason"), metadata)
}

fn refund(state: &mut State, charge: &Value, amount: Option<i64>, reason: Value, metadata: Value) -> Answer {
    let id = text(charge, "/id");
    let left = number(charge, "/amount_captured") - number(charge, "/amount_refunded");
    let amount = amount.unwrap_or(left);
    if charge["refunded"] == true {
        let message = format!("Charge {id} has already been refunded.");
        return Err(Refusal::invalid("charge_already_refunded", "", message));
    }
    if charge["disputed"] == true {
        let message = format!("Charge {id} has been charged back; cannot issue a refund.");
        return Err(Refusal::invalid("charge_disputed", "", message));
    }
    if amount < 1 || amount > left {
        let message = format!("Refund amount ({amount}) is greater than unrefunded amount on charge ({left})");
        return Err(Refusal::invalid("", "amount", message));
    }
    let refund_id = state.id("re_");
    let rest = json!({
        "amount": amount, "charge": id, "created": state.now, "currency": charge["currency"],
        "customer": charge["customer"],
        "destination_details": {"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
        "metadata": metadata, "payment_intent": charge["payment_intent"], "payment_method": charge["payment_method"],
        "reason": reason, "status": "succeeded",
    });
    let nulls = "balance_transaction customer_account receipt_number source_transfer_reversal transfer_reversal";
    let made = state.add(object("refund", &refund_id, nulls, rest), "refund.created");
    let charge = state.change(id, "", |charge| {
        let refunded = number(charge, "/amount_refunded") + amount;
        charge["amount_refunded"] = refunded.into();
        charge["refunded"] = (refunded == number(charge, "/amount_captured")).into();
    });
    state.tell("charge.refunded", &charge, None);
    Ok(made)
}

/// `GET /v1/disputes`
pub fn list_disputes(state: &State, params: &Params) -> Answer {
    params.only(
        "charge payment_intent limit starting_after ending_before created created.gt created.gte created.lt \
         created.lte expand",
    )?;
    state.list("dispute", "/v1/disputes", params, |dispute| {
        ["charge", "payment_intent"].iter().all(|name| params.text(name).is_none_or(|is| dispute[name] == is))
    })
}

/// The bank takes a charge back, for the present.
pub fn open_dispute(state: &mut State, charge: &str) -> Answer {
    let charge = state.get("charge", charge, "charge")?;
    if charge["disputed"] == true || charge["paid"] != true {
        return Err(Refusal::invalid("", "charge", "This charge cannot be disputed"));
    }
    let evidence = "access_activity_log billing_address cancellation_policy cancellation_policy_disclosure \
                    cancellation_rebuttal customer_communication customer_email_address customer_name \
                    customer_purchase_ip customer_signature duplicate_charge_documentation \
                    duplicate_charge_explanation duplicate_charge_id product_description receipt refund_policy \
                    refund_policy_disclosure refund_refusal_explanation service_date service_documentation \
                    shipping_address shipping_carrier shipping_date shipping_documentation shipping_tracking_number \
                    uncategorized_file uncategorized_text";
    let id = state.id("du_");
    let card = json!({"brand": "visa", "case_type": "chargeback", "network": "visa", "network_reason_code": "10.4"});
    let rest = json!({
        "amount": charge["amount"], "balance_transactions": [], "charge": charge["id"], "created": state.now,
        "currency": charge["currency"], "enhanced_eligibility_types": [],
        "evidence": without_identity(object("", "", evidence, json!({"enhanced_evidence": {}}))),
        "evidence_details": {
            "due_by": state.now + 7 * 86_400, "enhanced_eligibility": {}, "has_evidence": false, "past_due": false,
            "submission_count": 0, "submission_method": "not_submitted",
        },
        "intended_submission_method": "manual", "is_charge_refundable": false, "livemode": false, "metadata": {},
        "payment_intent": charge["payment_intent"], "payment_method_details": {"card": card, "type": "card"},
        "reason": "fraudulent", "status": "needs_response",
    });
    state.change(text(&charge, "/id"), "charge.updated", |charge| charge["disputed"] = true.into());
    let dispute = state.add(object("dispute", &id, "network_reason_code", rest), "charge.dispute.created");
    state.tell("charge.dispute.funds_withdrawn", &dispute, None);
    Ok(dispute)
}

/// The bank has decided: `won` gives the money back to us, `lost` to the owner of the card.
pub fn close_dispute(state: &mut State, id: &str, status: &str) -> Answer {
    let dispute = state.get("dispute", id, "dispute")?;
    if dispute["status"] != "needs_response" || !matches!(status, "won" | "lost") {
        return Err(Refusal::invalid("", "dispute", "This dispute is closed, or neither won nor lost"));
    }
    let dispute = state.change(id, "", |dispute| dispute["status"] = status.into());
    if status == "won" {
        state.tell("charge.dispute.funds_reinstated", &dispute, None);
    }
    state.tell("charge.dispute.closed", &dispute, None);
    Ok(dispute)
}

/// What was taken from each customer, in all: charged, given back, and held or taken by banks.
pub fn taken(state: &State) -> Value {
    let mut taken = serde_json::Map::new();
    for charge in state.all("charge", |charge| charge["paid"] == true) {
        let disputes = state.all("dispute", |one| one["charge"] == charge["id"] && one["status"] != "won");
        let disputed: i64 = disputes.iter().map(|one| number(one, "/amount")).sum();
        let (charged, refunded) = (number(&charge, "/amount_captured"), number(&charge, "/amount_refunded"));
        let sums = taken
            .entry(text(&charge, "/customer").to_owned())
            .or_insert_with(|| json!({"charged": 0, "refunded": 0, "disputed": 0, "net": 0}));
        let net = charged - refunded - disputed;
        for (name, amount) in [("charged", charged), ("refunded", refunded), ("disputed", disputed), ("net", net)] {
            sums[name] = (number(sums, &format!("/{name}")) + amount).into();
        }
    }
    Value::Object(taken)
}

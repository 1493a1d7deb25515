//! What time brings: renewals, the end of trials and of agreements, invoices that become final, second attempts.

use jiff::{Span, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use crate::invoices::{self, Line};
use crate::state::{State, number, text};
use crate::subscriptions::{end, take_pending};

/// Days before the end of a trial on which it is announced.
const NOTICE_SECONDS: i64 = 3 * 86_400;

/// The end of the period that begins at `start`, counted from the anchor so that the 31st stays the 31st.
pub fn period_end(price: &Value, anchor: i64, start: i64) -> i64 {
    let count = number(price, "/recurring/interval_count").max(1);
    let from = Timestamp::from_second(anchor).unwrap_or_default().to_zoned(TimeZone::UTC);
    let after = |periods: i64| {
        let steps = periods * count;
        let span = match text(price, "/recurring/interval") {
            "day" => Span::new().days(steps),
            "week" => Span::new().weeks(steps),
            "year" => Span::new().years(steps),
            _ => Span::new().months(steps),
        };
        from.checked_add(span).map_or(i64::MAX, |end| end.timestamp().as_second())
    };
    (1..).map(after).find(|end| *end > start).unwrap_or(i64::MAX)
}

/// Begins the next period, with the draft of its invoice; or ends what cannot go on.
pub fn roll(state: &mut State, id: &str) {
    let bought = state.peek(id);
    let item = &bought["items"]["data"][0];
    let (start, last) = (number(item, "/current_period_start"), number(item, "/current_period_end"));
    if bought["status"] == "trialing" && invoices::card_of(state, &bought).is_none() {
        match text(&bought, "/trial_settings/end_behavior/missing_payment_method") {
            "cancel" => return drop(end(state, id, "")),
            "pause" => {
                let paused = state.change(id, "customer.subscription.updated", |one| one["status"] = "paused".into());
                return state.tell("customer.subscription.paused", &paused, None);
            }
            _ => {}
        }
    }
    let price = item["price"].clone();
    let next = period_end(&price, number(&bought, "/billing_cycle_anchor"), last);
    let name = text(&state.peek(text(&price, "/product")), "/name").to_owned();
    let mut lines = take_pending(state, id);
    let line = Line {
        subscription: &bought,
        price: &price,
        amount: number(&price, "/unit_amount"),
        start: last,
        end: next,
        is_proration: false,
        description: format!("1 × {name}"),
    };
    lines.push(invoices::line(state, &line));
    let before = state.peek(id);
    let invoice = invoices::draft(state, id, "subscription_cycle", lines, (start, last));
    // One event for everything that changed.
    state.put(before);
    state.change(id, "customer.subscription.updated", |one| {
        one["latest_invoice"] = invoice.into();
        if one["status"] == "trialing" {
            one["status"] = "active".into();
        }
        let item = &mut one["items"]["data"][0];
        item["current_period_start"] = last.into();
        item["current_period_end"] = next.into();
    });
}

/// Tells once that a trial is about to end.
pub fn announce_trial(state: &mut State, id: &str) {
    let bought = state.peek(id);
    let is_near = number(&bought, "/trial_end") - NOTICE_SECONDS <= state.now;
    let key = format!("{id} announced");
    if bought["status"] == "trialing" && is_near && !state.hidden.contains_key(&key) {
        state.hidden.insert(key, true.into());
        state.tell("customer.subscription.trial_will_end", &bought, None);
    }
}

/// What waits for its time.
enum Due {
    Expire,
    Announce,
    End,
    Roll,
    Finalize,
    Retry,
}

/// Does everything that is due until then, in its order, each at its time.
pub fn settle(state: &mut State, until: i64) {
    let cause = std::mem::replace(&mut state.cause, json!({"id": null, "idempotency_key": null}));
    while let Some((at, id, due)) = next_due(state).filter(|(at, ..)| *at <= until) {
        state.now = state.now.max(at);
        match due {
            Due::Expire => crate::checkout::close(state, &id),
            Due::Announce => announce_trial(state, &id),
            Due::End => drop(end(state, &id, "")),
            Due::Roll => roll(state, &id),
            Due::Finalize => {
                invoices::finalize(state, &id);
                invoices::pay(state, &id, invoices::By::Clock);
            }
            Due::Retry => drop(invoices::pay(state, &id, invoices::By::Clock)),
        }
    }
    state.now = until;
    state.cause = cause;
}

/// Whether time may bring something to an object.
pub fn may_be_due(value: &Value) -> bool {
    let states: &[&str] = match text(value, "/object") {
        "checkout.session" => &["open"],
        "subscription" => &["trialing", "active", "past_due"],
        "invoice" => &["draft", "open"],
        _ => &[],
    };
    states.contains(&text(value, "/status"))
}

fn next_due(state: &State) -> Option<(i64, String, Due)> {
    let mut first: Option<(i64, &str, Due)> = None;
    let mut offer = |at: &Value, before: i64, id, due| {
        let at = at.as_i64().map(|at| at - before);
        if let Some(at) = at.filter(|at| first.as_ref().is_none_or(|(earliest, ..)| at < earliest)) {
            first = Some((at, id, due));
        }
    };
    for (_, id) in &state.waiting {
        let Some(value) = state.objects.get(id) else { continue };
        let status = &value["status"];
        match text(value, "/object") {
            "checkout.session" => offer(&value["expires_at"], 0, id, Due::Expire),
            "invoice" if status == "draft" => offer(&value["automatically_finalizes_at"], 0, id, Due::Finalize),
            "invoice" => offer(&value["next_payment_attempt"], 0, id, Due::Retry),
            _ => {
                if status == "trialing" && !state.hidden.contains_key(&format!("{id} announced")) {
                    offer(&value["trial_end"], NOTICE_SECONDS, id, Due::Announce);
                }
                offer(&value["cancel_at"], 0, id, Due::End);
                offer(&value["items"]["data"][0]["current_period_end"], 0, id, Due::Roll);
            }
        }
    }
    first.map(|(at, id, due)| (at, id.to_owned(), due))
}

//! Everything the provider knows, as the JSON that it would answer with, and a clock of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::form::{Answer, Params, Refusal};
use crate::renewals;

/// All objects and events. A copy of it is a world to try things in: previews are made so.
#[derive(Clone, Default)]
pub struct State {
    /// Objects by their id, as they are answered when nothing is expanded.
    pub objects: HashMap<String, Arc<Value>>,
    /// The ids of each kind in the order in which they were made.
    pub kinds: BTreeMap<String, Vec<String>>,
    /// Objects with which something happens in its time, oldest first.
    pub waiting: BTreeSet<(u64, String)>,
    ages: HashMap<String, u64>,
    /// What no answer shows: card numbers, what a checkout is to become, items that wait for the next invoice.
    pub hidden: HashMap<String, Value>,
    /// Events that no webhook has taken up yet.
    pub fresh: VecDeque<String>,
    /// Whether the clock goes on by itself; seconds ahead of the real one.
    pub ahead: i64,
    /// The moment of the turn that is being taken, Unix seconds.
    pub now: i64,
    /// What the events of this turn say about the request behind them.
    pub cause: Value,
    /// Where this server is, without a slash at its end.
    pub url: String,
    /// Different in every run, so that ids never come twice.
    pub seed: String,
    serial: u64,
}

/// The system's clock, Unix seconds.
pub fn real_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// An object with all its fields: `nulls` names those that are null, `rest` has the others.
pub fn object(kind: &str, id: &str, nulls: &str, rest: Value) -> Value {
    let mut fields: Map<String, Value> = nulls.split_whitespace().map(|name| (name.to_owned(), Value::Null)).collect();
    fields.insert("id".to_owned(), id.into());
    fields.insert("object".to_owned(), kind.into());
    if let Value::Object(rest) = rest {
        fields.extend(rest);
    }
    Value::Object(fields)
}

/// A list as it stands inside of other objects.
pub fn whole_list(url: &str, data: Vec<Value>) -> Value {
    json!({"object": "list", "data": data, "has_more": false, "url": url})
}

/// The text of a field; empty if it has none.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The number of a field; 0 if it has none.
pub fn number(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

impl State {
    /// A new id such as `cus_…`.
    pub fn id(&mut self, prefix: &str) -> String {
        const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        self.serial += 1;
        let hash =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{} {}", self.seed, self.serial).as_bytes());
        let letters = hash.as_ref().iter().take(24).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
        format!("{prefix}{}", letters.collect::<String>())
    }

    /// Keeps a new object and tells of it, if `event` is not empty.
    pub fn add(&mut self, value: Value, event: &str) -> Value {
        self.keep(&value);
        self.tell(event, &value, None);
        value
    }

    fn keep(&mut self, value: &Value) {
        let id = text(value, "/id").to_owned();
        self.serial += 1;
        self.ages.insert(id.clone(), self.serial);
        self.kinds.entry(text(value, "/object").to_owned()).or_default().push(id);
        self.put(value.clone());
    }

    /// Puts an object in the place of its former self.
    pub fn put(&mut self, value: Value) {
        let id = text(&value, "/id").to_owned();
        let age = self.ages.get(&id).copied().unwrap_or_default();
        let entry = (age, id.clone());
        if renewals::may_be_due(&value) {
            self.waiting.insert(entry);
        } else {
            self.waiting.remove(&entry);
        }
        self.objects.insert(id, Arc::new(value));
    }

    /// The object under an id, whatever it is.
    pub fn peek(&self, id: &str) -> Value {
        self.objects.get(id).map_or(Value::Null, |found| Value::clone(found))
    }

    /// The object of this kind under an id, or the refusal that names `param`. What was deleted is not there.
    pub fn get(&self, kind: &str, id: &str, param: &str) -> Answer {
        match self.objects.get(id) {
            Some(found) if found["object"] == kind && found["deleted"] != true => Ok(Value::clone(found)),
            _ => Err(Refusal::missing(kind.rsplit('.').next().unwrap_or(kind), id, param)),
        }
    }

    /// All of a kind that fit, oldest first.
    pub fn all(&self, kind: &str, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let objects = self.kinds.get(kind).into_iter().flatten().filter_map(|id| self.objects.get(id));
        let fitting = objects.filter(|found| found["deleted"] != true && fits(found));
        fitting.map(|found| Value::clone(found)).collect()
    }

    /// Changes an object. If something is different then, `event` (unless empty) tells of it, with what was before.
    pub fn change(&mut self, id: &str, event: &str, change: impl FnOnce(&mut Value)) -> Value {
        let Some(before) = self.objects.get(id).cloned() else { return Value::Null };
        let mut after = Value::clone(&before);
        change(&mut after);
        self.put(after.clone());
        if let Some(previous) = differences(&before, &after) {
            self.tell(event, &after, Some(previous));
        }
        after
    }

    /// Makes an event. Its object is as it is now, and stays so.
    pub fn tell(&mut self, event: &str, value: &Value, previous: Option<Value>) {
        if event.is_empty() {
            return;
        }
        let id = self.id("evt_");
        let mut data = json!({"object": value});
        if let Some(previous) = previous.filter(|_| event.ends_with(".updated")) {
            data["previous_attributes"] = previous;
        }
        let event = json!({
            "id": id, "object": "event", "api_version": crate::VERSION, "created": self.now, "data": data,
            "livemode": false, "pending_webhooks": 0, "request": self.cause, "type": event,
        });
        self.keep(&event);
        self.fresh.push_back(id);
    }

    /// A page of a list, newest first, as `limit`, `starting_after`, `ending_before` and `created` ask.
    pub fn list(&self, kind: &str, url: &str, params: &Params, fits: impl Fn(&Value) -> bool) -> Answer {
        let limit = params.integer("limit")?.unwrap_or(10);
        if !(1..=100).contains(&limit) {
            let code = if limit < 1 { "parameter_invalid_integer" } else { "" };
            return Err(Refusal::invalid(code, "limit", "Invalid limit: it is from 1 to 100"));
        }
        let is_in_time = |value: &Value| -> Result<bool, Refusal> {
            let created = number(value, "/created");
            Ok(params.integer("created")?.is_none_or(|at| created == at)
                && params.integer("created.gt")?.is_none_or(|at| created > at)
                && params.integer("created.gte")?.is_none_or(|at| created >= at)
                && params.integer("created.lt")?.is_none_or(|at| created < at)
                && params.integer("created.lte")?.is_none_or(|at| created <= at))
        };
        for name in ["customer", "subscription", "price", "product", "invoice", "charge", "payment_intent"] {
            if let Some(id) = params.text(name).filter(|id| !self.objects.contains_key(*id)) {
                return Err(Refusal::missing(name, id, name));
            }
        }
        let mut found = Vec::new();
        for value in self.all(kind, fits).into_iter().rev() {
            if is_in_time(&value)? {
                found.push(value);
            }
        }
        let place = |param: &str| -> Result<Option<usize>, Refusal> {
            let Some(id) = params.text(param) else { return Ok(None) };
            self.get(kind, id, param)?;
            // One that does not fit the filter any more still has its place among the others.
            let age = self.ages.get(id);
            let is_older = |value: &Value| self.ages.get(text(value, "/id")) < age;
            let is_same = |value: &Value| text(value, "/id") == id;
            let at = found.iter().position(|value| is_older(value) || is_same(value)).unwrap_or(found.len());
            Ok(Some(if param == "starting_after" && found.get(at).is_some_and(is_same) { at + 1 } else { at }))
        };
        let limit = limit as usize;
        let (start, end) = match (place("starting_after")?, place("ending_before")?) {
            (_, Some(before)) => (before.saturating_sub(limit), before),
            (after, None) => (after.unwrap_or(0), (after.unwrap_or(0) + limit).min(found.len())),
        };
        let has_more = if params.text("ending_before").is_some() { start > 0 } else { end < found.len() };
        Ok(json!({"object": "list", "data": found[start..end], "has_more": has_more, "url": url}))
    }

    /// Puts objects in the place of ids, as `expand[]` asks.
    pub fn expand(&self, mut value: Value, params: &Params) -> Answer {
        let wishes = params.at("expand").and_then(Value::as_array).cloned().unwrap_or_default();
        for wish in wishes.iter().filter_map(Value::as_str) {
            let path: Vec<&str> = wish.split('.').collect();
            if path.len() - usize::from(value["object"] == "list") > 4 {
                let message = format!("You cannot expand more than 4 levels of a property. Property: {wish}");
                return Err(Refusal::invalid("", "expand", message));
            }
            self.expand_path(&mut value, &path, wish)?;
        }
        Ok(value)
    }

    fn expand_path(&self, value: &mut Value, path: &[&str], wish: &str) -> Result<(), Refusal> {
        let Some((name, rest)) = path.split_first() else { return Ok(()) };
        if let Value::Array(items) = value {
            return items.iter_mut().try_for_each(|item| self.expand_path(item, path, wish));
        }
        if let Some(included) = self.included(value, name) {
            value[*name] = included;
        }
        let refused = || {
            let message = format!("This property cannot be expanded ({wish}).");
            Refusal::invalid("", "expand", message)
        };
        let child = value.get_mut(*name).ok_or_else(refused)?;
        match child {
            Value::Null => return Ok(()),
            Value::String(id) => *child = Value::clone(self.objects.get(id.as_str()).ok_or_else(refused)?),
            Value::Object(_) | Value::Array(_) => {}
            _ => return Err(refused()),
        }
        self.expand_path(child, rest, wish)
    }

    /// What an object only shows when it is asked to.
    fn included(&self, value: &Value, name: &str) -> Option<Value> {
        let id = text(value, "/id");
        let of = |kind: &str, field: &str| {
            let mut found = self.all(kind, |other| other[field] == id);
            found.reverse();
            found
        };
        match (text(value, "/object"), name) {
            ("invoice", "payments") => {
                Some(whole_list(&format!("/v1/invoice_payments?invoice={id}"), of("invoice_payment", "invoice")))
            }
            ("charge", "refunds") => Some(whole_list(&format!("/v1/charges/{id}/refunds"), of("refund", "charge"))),
            ("checkout.session", "line_items") => {
                let lines = self.hidden.get(id).map(|plan| plan["line_items"].clone()).unwrap_or_default();
                let url = format!("/v1/checkout/sessions/{id}/line_items");
                Some(whole_list(&url, lines.as_array().cloned().unwrap_or_default()))
            }
            ("customer", "subscriptions") => {
                let mut running = of("subscription", "customer");
                running.retain(|one| one["status"] != "canceled");
                Some(whole_list(&format!("/v1/customers/{id}/subscriptions"), running))
            }
            _ => None,
        }
    }
}

/// What `before` had where `after` is different; none if they are the same. Lists are taken whole.
fn differences(before: &Value, after: &Value) -> Option<Value> {
    if before == after {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (before, after) else { return Some(before.clone()) };
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    let null = Value::Null;
    let fields = names.filter_map(|name| {
        let (old, new) = (old.get(name).unwrap_or(&null), new.get(name).unwrap_or(&null));
        differences(old, new).map(|value| (name.clone(), value))
    });
    Some(Value::Object(fields.collect()))
}

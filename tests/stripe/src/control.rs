//! The control API: `POST /_control/VERB` with JSON. What tests turn and read.

use serde_json::{Value, json};
use url::Url;

use crate::form::{Answer, Params, Refusal};
use crate::money;
use crate::renewals::settle;
use crate::state::{State, number, text};
use crate::webhooks::{Order, Post, flush};
use crate::world::{Inner, World};

/// Does what a verb says:
///
/// | verb | |
/// |---|---|
/// | `webhooks` | `url`, `secret`, `skew` (seconds), `paused`, `order` (oldest, newest, shuffled), `doubled`, `dropping`: what is given is set |
/// | `flush` | waits until every event is posted that is to be posted now |
/// | `redeliver` | posts an `event` once more |
/// | `begin` | before anything is there: sets the clock to so many seconds `ago` |
/// | `advance` | turns the clock on by `seconds` or `to` a moment; everything that is due on the way happens |
/// | `fail` | see [`crate::faults::Faults::set`] |
/// | `down` | `is`: nothing but this API answers |
/// | `refund` | `charge` or `payment_intent`, and `amount` unless all of it |
/// | `dispute` | `charge`; `close` takes `dispute` and `status` (won, lost) |
/// | `state` | all objects by their kind |
/// | `counts` | requests, and money taken from each customer |
/// | `log` | every request to the API with its answer |
pub async fn act(world: &World, verb: &str, wish: &Value) -> Answer {
    if verb == "flush" {
        return Ok(flush(world).await);
    }
    world.turn(|inner| do_it(inner, verb, wish))
}

fn do_it(inner: &mut Inner, verb: &str, wish: &Value) -> Answer {
    let state = &mut inner.state;
    match verb {
        "webhooks" => return webhooks(inner, wish),
        "redeliver" => {
            let event = state.get("event", text(wish, "/event"), "event")?;
            inner.hooks.queue.push(Post::new(text(&event, "/id")));
        }
        "begin" if state.objects.is_empty() => state.ahead = -number(wish, "/ago"),
        "advance" => {
            let step = match (wish["seconds"].as_i64(), wish["to"].as_i64()) {
                (Some(seconds), _) => seconds,
                (None, Some(to)) => to - state.now,
                _ => return Err(Refusal::invalid("parameter_missing", "seconds", "Missing required param: seconds.")),
            };
            if step < 0 {
                return Err(Refusal::invalid("", "seconds", "The clock only goes on"));
            }
            state.ahead += step;
            let until = state.now + step;
            settle(state, until);
            return Ok(json!({"now": state.now}));
        }
        "fail" => inner.faults.set(wish)?,
        "down" => inner.faults.is_down = wish["is"] == true,
        "refund" => {
            let names = ["charge", "payment_intent", "amount"];
            let fields = names.iter().filter_map(|name| match &wish[*name] {
                Value::String(text) => Some((name.to_string(), text.clone().into())),
                Value::Number(number) => Some((name.to_string(), Value::String(number.to_string()))),
                _ => None,
            });
            return money::create_refund(state, &Params(Value::Object(fields.collect())));
        }
        "dispute" => return money::open_dispute(state, text(wish, "/charge")),
        "close" => return money::close_dispute(state, text(wish, "/dispute"), text(wish, "/status")),
        "state" => return Ok(everything(state)),
        "counts" => return Ok(json!({"requests": inner.counts, "money": money::taken(state)})),
        "log" => return Ok(inner.log.clone().into()),
        other => return Err(Refusal::missing("verb", other, "id")),
    }
    Ok(json!({"done": true}))
}

fn webhooks(inner: &mut Inner, wish: &Value) -> Answer {
    let hooks = &mut inner.hooks;
    if let Some(address) = wish["url"].as_str() {
        hooks.url = match address {
            "" => None,
            _ => Some(Url::parse(address).map_err(|_| Refusal::invalid("url_invalid", "url", "Not a valid URL"))?),
        };
    }
    if let Some(secret) = wish["secret"].as_str() {
        hooks.secret = secret.to_owned();
    }
    if let Some(order) = wish["order"].as_str() {
        hooks.order = match order {
            "newest" => Order::Newest,
            "shuffled" => Order::Shuffled,
            _ => Order::Oldest,
        };
    }
    hooks.skew = wish["skew"].as_i64().unwrap_or(hooks.skew);
    hooks.is_paused = wish["paused"].as_bool().unwrap_or(hooks.is_paused);
    hooks.is_doubled = wish["doubled"].as_bool().unwrap_or(hooks.is_doubled);
    hooks.is_dropping = wish["dropping"].as_bool().unwrap_or(hooks.is_dropping);
    Ok(json!({"done": true}))
}

fn everything(state: &State) -> Value {
    let all = state.kinds.iter().map(|(kind, ids)| {
        let objects = ids.iter().map(|id| state.peek(id));
        (kind.clone(), objects.collect())
    });
    Value::Object(all.collect())
}

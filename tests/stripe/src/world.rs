//! What all requests share, one turn at a time.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::faults::Faults;
use crate::form::Refusal;
use crate::renewals::settle;
use crate::state::{State, real_now};
use crate::webhooks::Hooks;

/// How many worlds this process has had.
static WORLDS: AtomicU64 = AtomicU64::new(0);

/// The answers that are kept for keys of idempotency: what was asked, when, and what was said.
pub type Kept = HashMap<String, (String, i64, Result<Value, Refusal>)>;

/// Everything, behind one lock.
#[derive(Default)]
pub struct World {
    inner: Mutex<Inner>,
    /// Rings when there may be something to post.
    pub wake: Notify,
}

/// What is behind the lock.
#[derive(Default)]
pub struct Inner {
    pub state: State,
    pub hooks: Hooks,
    pub faults: Faults,
    /// Requests by method and path, where `:id` stands for ids.
    pub counts: BTreeMap<String, u64>,
    /// Every request to the API with its answer.
    pub log: Vec<Value>,
    pub kept: Kept,
}

impl World {
    /// A world at an address, at the real time.
    pub fn new(url: &str) -> World {
        let world = World::default();
        world.with(|inner| {
            inner.state.url = url.to_owned();
            let count = WORLDS.fetch_add(1, Ordering::Relaxed);
            inner.state.seed = format!("{} {} {count}", real_now(), std::process::id());
            inner.state.now = real_now();
            inner.state.cause = Value::Null;
        });
        world
    }

    /// Looks at it, or changes it, without the clock going on.
    pub fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A turn: first whatever is due by now, then `act`; whatever both tell is taken up to be posted.
    pub fn turn<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        let done = self.with(|inner| {
            let now = real_now() + inner.state.ahead;
            settle(&mut inner.state, now);
            inner.state.cause = json!({"id": null, "idempotency_key": null});
            let done = act(inner);
            while let Some(event) = inner.state.fresh.pop_front() {
                if inner.hooks.take_up(&event) {
                    inner.state.change(&event, "", |event| event["pending_webhooks"] = 1.into());
                }
            }
            done
        });
        self.wake.notify_one();
        done
    }
}

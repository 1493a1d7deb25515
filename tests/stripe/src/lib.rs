//! Stands in for the payment provider in tests: Stripe's API of [`VERSION`] as far as subscriptions need it, with
//! Checkout and the portal as pages that a browser clicks through, and signed webhooks. Everything is in memory.
//!
//! It promises the published shapes, the published complaints and the events that Stripe makes; what it does not have
//! it refuses by name. `scripts/judge-stand-in` has Stripe's own library complete every flow against it, and holds
//! each object against the types that Stripe publishes.
//!
//! ```no_run
//! # async fn story() -> Result<(), Box<dyn std::error::Error>> {
//! let stripe = stand_in::StandIn::start(0).await?;
//! stripe.control("advance", serde_json::json!({"seconds": 86_400})).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Time is the real one until `advance` turns it on; then trials end, renewals are invoiced (an hour as drafts), cards
//! fail and are tried again. [`control::act`] has all verbs: what goes wrong on purpose, webhooks in any order, twice
//! or never, refunds, disputes, and what was asked and taken.
//!
//! Cards: `4242424242424242` pays; `4000000000000002` is declined; `4000000000000341` pays while its owner is there and
//! is declined at renewals. An invoice that is not paid is tried again after 3, 5 and 7 days, then the agreement ends.
//! The portal changes the customer's card, not that of an agreement. Other than Stripe it sells one of one thing,
//! without taxes, discounts or 3-D Secure.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

pub use form::Refusal;
pub use webhooks::{Reply, sign};

mod catalog;
mod checkout;
pub mod control;
pub mod faults;
mod form;
mod invoices;
mod money;
mod pages;
mod portal;
mod renewals;
mod server;
mod state;
mod subscriptions;
#[cfg(test)]
mod tests;
mod webhooks;
mod world;

/// The version of the API.
pub const VERSION: &str = "2026-10-28.endive";

/// A server in this process; it ends when it is dropped.
pub struct StandIn {
    /// Where it is, without a slash at its end.
    pub url: String,
    world: Arc<world::World>,
    tasks: [JoinHandle<()>; 2],
}

impl StandIn {
    /// Starts on a port of the loopback interface, 0 for any that is free.
    pub async fn start(port: u16) -> std::io::Result<StandIn> {
        StandIn::bind(&format!("127.0.0.1:{port}")).await
    }

    /// Starts on an address such as `127.0.0.1:12111`.
    pub async fn bind(address: &str) -> std::io::Result<StandIn> {
        let listener = TcpListener::bind(address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let world = Arc::new(world::World::new(&url));
        let serving = tokio::spawn(server::serve(listener, Arc::clone(&world)));
        let posting = tokio::spawn(webhooks::work(Arc::clone(&world)));
        Ok(StandIn { url, world, tasks: [serving, posting] })
    }

    /// What `POST /_control/VERB` does.
    pub async fn control(&self, verb: &str, wish: Value) -> Result<Value, String> {
        control::act(&self.world, verb, &wish).await.map_err(|refusal| refusal.error.to_string())
    }

    /// Looks at a page as a browser would.
    pub async fn look(&self, address: &str) -> Result<Reply, String> {
        webhooks::send("GET", &read(address)?, &[], String::new()).await
    }

    /// Presses the button of a form: posts these fields, and follows nothing.
    pub async fn press(&self, address: &str, fields: &[(&str, &str)]) -> Result<Reply, String> {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        webhooks::send("POST", &read(address)?, &headers, form).await
    }

    /// Asks the API as a client with a key for tests would: the answer, or the error object with its status.
    pub async fn ask(&self, method: &str, path: &str, form: &str) -> Result<Value, (u16, Value)> {
        let headers = [("authorization", "Bearer sk_test_0"), ("content-type", "application/x-www-form-urlencoded")];
        let failed = |why: String| (0, Value::String(why));
        let (query, body) = if method == "GET" { (format!("?{form}"), "") } else { (String::new(), form) };
        let address = read(&format!("{}/v1/{path}{query}", self.url)).map_err(failed)?;
        let reply = webhooks::send(method, &address, &headers, body.to_owned()).await.map_err(failed)?;
        let said: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        if reply.status.is_success() { Ok(said) } else { Err((reply.status.as_u16(), said["error"].clone())) }
    }
}

/// Where `STAND_IN_PASSED` names a folder, what passed is left there, for `shapes/check.mjs`.
impl Drop for StandIn {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        let Some(folder) = std::env::var_os("STAND_IN_PASSED").map(PathBuf::from) else { return };
        let (name, passed) = self.world.with(|inner| {
            let events = inner.state.all("event", |_| true);
            (inner.state.id("") + ".json", json!({"log": inner.log, "events": events}))
        });
        let left =
            std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join(name), passed.to_string()));
        if let Err(error) = left {
            eprintln!("{}: {error}", folder.display());
        }
    }
}

fn read(address: &str) -> Result<Url, String> {
    Url::parse(address).map_err(|error| format!("{address}: {error}"))
}

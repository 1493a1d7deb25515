//! The stand-in as a program: `stand-in --bind 127.0.0.1:12111 --webhook http://127.0.0.1:8000/webhooks/stripe
//! --secret whsec_…`. It ends when it is ended.

use serde_json::json;
use stand_in::StandIn;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut bind, mut webhook, mut secret) = ("127.0.0.1:12111".to_owned(), String::new(), "whsec_test".to_owned());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let place = match word.as_str() {
            "--bind" => &mut bind,
            "--webhook" => &mut webhook,
            "--secret" => &mut secret,
            _ => return Err("usage: stand-in [--bind ADDRESS] [--webhook URL] [--secret SECRET]".into()),
        };
        *place = words.next().ok_or_else(|| format!("{word} needs a value"))?;
    }
    let stripe = StandIn::bind(&bind).await?;
    stripe.control("webhooks", json!({"url": webhook, "secret": secret})).await?;
    println!("standing in for Stripe {} at {}", stand_in::VERSION, stripe.url);
    println!("keys: any sk_test_…; webhooks: {}", if webhook.is_empty() { "none" } else { &webhook });
    std::future::pending().await
}

//! What comes back: told from the mail that went out to what is known of its reader, on both databases.

use pressrun::mail;
use pressrun::model::Cadence;

use crate::world::{World, on_both_databases};

on_both_databases! {
    each_mail_names_its_delivery
}

async fn each_mail_names_its_delivery(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    world.editor_writes("first", "", "Text.");
    world.editor_sends("first").await.unwrap();
    world.sender_works().await;
    let keys: Vec<_> = world.keys.all().collect();
    let dots = world.relay.final_dots();
    assert_eq!(dots.len(), 2);
    for dot in dots {
        let sender = dot.envelope.from.as_str();
        assert!(sender.starts_with("bounces+") && sender.ends_with("@sample.example.com"), "{sender}");
        let message = String::from_utf8_lossy(&dot.message).into_owned();
        for text in [sender, &message] {
            assert_eq!(mail::delivery_of(text, &keys), Some(dot.delivery.clone()), "{text}");
        }
    }
}

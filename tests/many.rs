//! More than one machine, and from one to more: a publication moves to another database.

use chrono::TimeDelta;
use pressrun::clock;
use pressrun::model::{Cadence, DeliveryState, OnUnknown};
use pressrun::store::{Copied, Home, Outcome, Said, Store, StoreAddress};

use crate::world::{World, another_like, fixed, note, on_both_databases, record};

on_both_databases! {
    what_was_copied_goes_on_where_it_was
    what_is_not_empty_is_not_copied_into
}

async fn copied(from: &Store, to: &Store) -> Vec<Copied> {
    let mut tables = Vec::new();
    from.copy_into(to, "it is a copy".to_owned(), |copied| tables.push(copied)).await.unwrap();
    tables
}

async fn counts(store: &Store) -> Vec<(DeliveryState, i64)> {
    let issue = store.issues().await.unwrap().remove(0);
    store.count_deliveries(&issue.id).await.unwrap().into_iter().filter(|(_, count)| *count > 0).collect()
}

async fn what_was_copied_goes_on_where_it_was(mut world: World) {
    world.now = clock::now();
    world.readers(60, "main", Cadence::Instant).await;
    world.editor_writes("news", "", "Text.");
    world.editor_sends("news").await.unwrap();
    world.store.start_due_issues(world.now).await.unwrap();
    let (issue, now) = (world.store.issues().await.unwrap().remove(0).id, clock::now());
    // A sender that lives: ten are sent, five are noted, and fifteen are in its hands.
    let until = now + TimeDelta::seconds(30);
    let claimed = world.store.claim(Some(&issue), "there", now, until, 30).await.unwrap();
    let fixed = |number: usize| fixed(now, &format!("<{number}@example.com>"));
    for (number, delivery) in claimed[..15].iter().enumerate() {
        assert!(note(&world.store, delivery, "there", &fixed(number), now).await);
    }
    for delivery in &claimed[..10] {
        let said = Said { relay: "there".to_owned(), code: Some(250), enhanced: None, text: "2.0.0 taken".to_owned() };
        assert!(record(&world.store, delivery, "there", Outcome::Sent, said, now).await);
    }
    // To a file, and from there to a database like the first.
    let file = Store::open(&StoreAddress::Sqlite(world.path("file.db"))).await.unwrap();
    let first = copied(&world.store, &file).await;
    let rows = |name: &str| first.iter().find(|copied| copied.table == name).map(|copied| copied.rows);
    assert_eq!((rows("subscribers"), rows("deliveries"), rows("attempts")), (Some(60), Some(60), Some(10)));
    let there = another_like(&world, "there.db").await;
    assert_eq!(copied(&file, &there).await.len(), first.len());
    assert_eq!(counts(&there).await, counts(&world.store).await);
    assert_eq!(there.held().await.unwrap().as_deref(), Some("it is a copy"));
    there.end_leases(clock::now(), OnUnknown::Resend).await.unwrap();
    let expected = [(DeliveryState::Unknown, 5), (DeliveryState::Sent, 10), (DeliveryState::Queued, 45)];
    assert_eq!(counts(&there).await, expected);
    assert!(!there.is_sending().await.unwrap());
    there.settle(Home { url: "https://sample.example.com".to_owned(), host: "there".to_owned() }).await.unwrap();
    world.store = there;
    world.sender_works().await;
    assert_eq!(counts(&world.store).await, [(DeliveryState::Sent, 60)]);
    let mails = world.relay.final_dots();
    assert_eq!((mails.len(), world.inboxes().len()), (50, 50), "whoever had it does not get it again");
    let again = mails.iter().find(|dot| dot.delivery == claimed[12].id).unwrap();
    assert!(String::from_utf8_lossy(&again.message).contains("Message-ID: <12@example.com>"));
}

async fn what_is_not_empty_is_not_copied_into(world: World) {
    let target = another_like(&world, "target.db").await;
    assert_eq!(target.filled_table().await.unwrap(), None);
    copied(&world.store, &target).await;
    assert!(target.filled_table().await.unwrap().is_some());
    // What went wrong half way is not taken for a whole.
    assert!(world.store.copy_into(&target, String::new(), |_| {}).await.is_err());
}

//! More than one machine, and from one to more: a publication moves to another database.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use pressrun::clock;
use pressrun::model::{Cadence, DeliveryId, DeliveryState, Health, Leave, OnUnknown, Rate};
use pressrun::relay::{Doing, Envelope, Failure, Phase, Relay, Reply, Session};
use pressrun::sending::{self, Means, Until};
use pressrun::store::{Copied, Home, Outcome, Said, Store, StoreAddress};

use tokio::sync::{Semaphore, watch};

use crate::relay::{Act, Memory};
use crate::world::{World, another_like, fixed, note, on_both_databases, record};

on_both_databases! {
    what_was_copied_goes_on_where_it_was
    what_is_not_empty_is_not_copied_into
    a_relay_that_fails_gives_way_to_the_next
    a_relay_that_refuses_everybody_gives_way_to_the_next
    a_relay_that_fails_is_left_in_peace_by_every_sender
    senders_share_a_rate
    notices_go_while_issues_wait
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
    let left = vec![(Some(issue.clone()), 50)];
    assert_eq!(world.store.waiting_deliveries().await.unwrap(), left, "in the queue, and in its hands");
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
    assert_eq!(there.waiting_deliveries().await.unwrap(), left);
    assert!(!there.is_sending(clock::now()).await.unwrap());
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

async fn issue_to(world: &mut World, readers: usize) {
    world.now = clock::now();
    world.readers(readers, "main", Cadence::Instant).await;
    world.editor_writes("news", "", "Text.");
    world.editor_sends("news").await.unwrap();
}

/// Waits until something has come about; a minute is never enough for nothing.
async fn eventually(is_so: impl AsyncFn() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it comes about");
}

fn busy() -> Act {
    Act::Refuse(Reply { code: 421, enhanced: Some("4.3.2".to_owned()), text: "shutting down".to_owned() })
}

async fn a_relay_that_fails_gives_way_to_the_next(mut world: World) {
    issue_to(&mut world, 60).await;
    world.relay = Memory::deciding(|step| match step.phase {
        Phase::Connect if step.dots >= 10 => Act::Drop,
        Phase::MailFrom if step.dots >= 10 => busy(),
        _ => Act::Accept,
    });
    let second = Memory::accepting().called("second");
    world.second_relay = Some(second.clone());
    world.sender_works().await;
    assert_eq!(counts(&world.store).await, [(DeliveryState::Sent, 60)]);
    let (first, second) = (world.relay.final_dots(), second.final_dots());
    assert!((10..=11).contains(&first.len()), "{}", first.len());
    let readers: BTreeSet<_> = first.iter().chain(&second).map(|dot| dot.envelope.to.to_string()).collect();
    assert_eq!((first.len() + second.len(), readers.len()), (60, 60), "nobody is lost, and nobody has it twice");
}

async fn a_relay_that_refuses_everybody_gives_way_to_the_next(mut world: World) {
    issue_to(&mut world, 200).await;
    world.relay = Memory::deciding(|step| match step.phase {
        Phase::RcptTo => Act::Refuse(Reply::parse("554 5.7.1 not from you").unwrap()),
        _ => Act::Accept,
    });
    let second = Memory::accepting().called("second");
    world.second_relay = Some(second.clone());
    world.sender_works().await;
    let (counts, sent) = (counts(&world.store).await, second.final_dots().len());
    assert!((193..=195).contains(&sent), "{counts:?}");
    assert_eq!(counts.iter().map(|(_, count)| count).sum::<i64>(), 200);
    assert!(world.store.stopped_newsletters().await.unwrap().is_empty(), "most have it");
}

async fn a_relay_that_fails_is_left_in_peace_by_every_sender(mut world: World) {
    issue_to(&mut world, 20).await;
    let tried = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tried);
    world.relay = Memory::deciding(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Act::Drop
    })
    .with_connections(1);
    world.sender_works().await;
    assert_eq!(tried.load(Ordering::Relaxed), 1, "what else was claimed is not tried");
    assert_eq!(world.store.relay("memory").await.unwrap().leave("anybody", clock::now()), Leave::Rest);
    tokio::join!(world.sender_works(), world.sender_works());
    assert_eq!(tried.load(Ordering::Relaxed), 1);
    assert_eq!(counts(&world.store).await, [(DeliveryState::Queued, 20)]);
    // It has recovered, and the time is over.
    world.relay = Memory::accepting();
    let over = |health: &mut Health| health.rests_until = Some(clock::now());
    world.store.change_relay("memory".to_owned(), over).await.unwrap();
    world.store.hasten(&world.store.issues().await.unwrap()[0].id, clock::now()).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let sender = tokio::spawn(sending::send(world.means(), Until::Stopped, stopped));
    eventually(async || counts(&world.store).await == [(DeliveryState::Sent, 20)]).await;
    stop.send_replace(true);
    sender.await.unwrap().unwrap();
    assert!(world.store.relay("memory").await.unwrap().is_well());
}

async fn senders_share_a_rate(world: World) {
    let rate = Rate { messages: 100, per: TimeDelta::seconds(1) };
    let (start, burst) = (clock::now(), TimeDelta::milliseconds(500));
    let sender = |offset: i64| {
        let store = world.store.clone();
        async move {
            let mut taken = 0;
            for turn in 0..40 {
                let now = start + TimeDelta::milliseconds(turn * 50 + offset);
                let take = move |health: &mut Health| rate.take(&mut health.used_to, 8, burst, now);
                taken += store.change_relay("shared".to_owned(), take).await.unwrap();
            }
            taken
        }
    };
    let (first, second, third) = tokio::join!(sender(0), sender(3), sender(7));
    // 40 turns of 50 ms, and half a second ahead.
    assert!((240..=252).contains(&(first + second + third)), "{first} {second} {third}");
}

/// Holds the answer to every issue back until it is told.
struct Slow(Memory, Arc<Semaphore>);

struct Waiting(Box<dyn Session>, Arc<Semaphore>, bool);

impl Relay for Slow {
    fn name(&self) -> String {
        self.0.name()
    }

    fn connections(&self) -> usize {
        self.0.connections()
    }

    fn connect(&self) -> Doing<'_, Result<Box<dyn Session>, Failure>> {
        Box::pin(async {
            let session = self.0.connect().await?;
            Ok(Box::new(Waiting(session, Arc::clone(&self.1), false)) as Box<dyn Session>)
        })
    }
}

impl Session for Waiting {
    fn offer<'a>(
        &'a mut self,
        delivery: &'a DeliveryId,
        envelope: &'a Envelope,
        message: &'a [u8],
    ) -> Doing<'a, Result<(), Failure>> {
        self.2 = envelope.to.as_str().starts_with("instant-");
        self.0.offer(delivery, envelope, message)
    }

    fn finish<'a>(&'a mut self, next: Option<(&'a Envelope, usize)>) -> Doing<'a, Result<Reply, Failure>> {
        Box::pin(async move {
            let _answer = if self.2 { self.1.acquire().await.ok() } else { None };
            self.0.finish(next).await
        })
    }
}

async fn notices_go_while_issues_wait(mut world: World) {
    issue_to(&mut world, 10).await;
    let (memory, gate) = (Memory::accepting().with_connections(3), Arc::new(Semaphore::new(0)));
    world.relay = memory.clone();
    let relay: Arc<dyn Relay> = Arc::new(Slow(memory.clone(), Arc::clone(&gate)));
    let means = Means { relays: vec![relay], ..world.means() };
    world.store.start_due_issues(clock::now()).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let sender = tokio::spawn(sending::send(means, Until::Stopped, stopped));
    // Both connections for issues wait for an answer when somebody signs up.
    eventually(async || counts(&world.store).await[0].0 == DeliveryState::Sending).await;
    world.somebody_signs_up("newcomer@example.com").await;
    eventually(async || memory.final_dots().len() == 1).await;
    assert_eq!(memory.final_dots()[0].envelope.to.as_str(), "newcomer@example.com");
    gate.add_permits(100);
    eventually(async || memory.final_dots().len() == 11).await;
    stop.send_replace(true);
    sender.await.unwrap().unwrap();
}

//! A sender dies again and again, over the real store on both databases: before and after each of its calls to the store,
//! which lie between the steps of the relay, and within them, so that the store's answer is lost.
//!
//! Each life of a sender is a runtime of its own. At a step that the seed draws, the relay stops answering; a moment
//! later the runtime is gone with everything in it, the store's writer too. Meanwhile the relay refuses and drops lines,
//! readers leave between two lives, and time passes. In the end the relay's dots are judged against the ledger, as
//! `scripts/torture` does with real processes. `PRESSRUN_SIMULATION_SEED` repeats a run: each prints its own.

use std::collections::btree_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use fault_sink::judge::{Run, judge};
use fault_sink::{End, Entry};
use pressrun::clock;
use pressrun::model::{Cadence, DeliveryState, IssueId, IssueState};
use pressrun::relay::{Phase, Reply};
use pressrun::sending::{self, Means, Until};
use pressrun::store::Store;
use tokio::sync::{Notify, watch};

use crate::relay::{Act, Memory, Step};
use crate::simulation::Dice;
use crate::world::{World, ledger_ages, on_both_databases};

on_both_databases! {
    a_sender_dies_at_every_step
}

const READERS: usize = 60;
const LIVES: usize = 24;
const CONNECTIONS: usize = 3;
/// Between two dots, as the judge sees them: microseconds. A dot after a goodbye is always late.
const BETWEEN_DOTS: u64 = 10_000_000;

/// What decides what the relay does: the same seed does the same to the same reader.
#[derive(Default)]
struct Fate {
    seed: u64,
    /// How often each reader came to each phase.
    visits: HashMap<(String, Phase), u64>,
    /// So many steps are left in this life; none: it does not end.
    left: Option<u64>,
    refused: BTreeSet<String>,
}

impl Fate {
    fn act(&mut self, step: &Step, doomed: &Notify) -> Act {
        let to = step.mail.as_ref().map_or_else(String::new, |(_, envelope)| envelope.to.to_string());
        if self.left == Some(0) {
            doomed.notify_one();
            return Act::Hang;
        }
        let visit = *self.visits.entry((to.clone(), step.phase)).and_modify(|visits| *visits += 1).or_default();
        let drawn = dice_of(self.seed, &format!("{visit} {} {to}", step.phase)).below(200);
        if let Some(left) = &mut self.left {
            *left -= 1;
            if *left == 0 {
                doomed.notify_one();
                return if drawn < 100 { Act::TakeAndHang } else { Act::Hang };
            }
        }
        let reply = |line: &str| Act::Refuse(Reply::parse(line).expect("a reply"));
        match (step.phase, drawn) {
            (Phase::RcptTo, _) if dice_of(self.seed, &to).below(20) == 0 => {
                self.refused.insert(to);
                reply("550 5.1.1 nobody here")
            }
            (Phase::RcptTo, 0..20) if visit == 0 => reply("450 4.2.0 later"),
            (Phase::RcptTo, 20..24) => reply("421 4.3.2 bye"),
            (Phase::Answer, 0..8) if visit == 0 => Act::TakeAndDrop,
            (Phase::Answer, 8..12) => reply("451 4.3.0 later"),
            (_, 30..33) => Act::Drop,
            _ => Act::Accept,
        }
    }
}

fn dice_of(seed: u64, to: &str) -> Dice {
    Dice(seed.wrapping_add(to.bytes().fold(7, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)))))
}

async fn a_sender_dies_at_every_step(mut world: World) {
    let given = std::env::var("PRESSRUN_SIMULATION_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from_le_bytes(clock::random()));
    eprintln!("PRESSRUN_SIMULATION_SEED={seed}");
    let (fate, doomed) = (Arc::new(Mutex::new(Fate { seed, ..Fate::default() })), Arc::new(Notify::new()));
    let (deciding, dooms) = (Arc::clone(&fate), Arc::clone(&doomed));
    world.relay =
        Memory::deciding(move |step| deciding.lock().unwrap().act(step, &dooms)).with_connections(CONNECTIONS);
    world.now = clock::now();
    world.readers(READERS, "main", Cadence::Instant).await;
    world.editor_writes("news", "", "Text.");
    world.editor_sends("news").await.unwrap();
    world.store.start_due_issues(world.now).await.unwrap();
    let issue = world.store.issues().await.unwrap()[0].id.clone();
    let audience: BTreeSet<String> = (1..=READERS).map(|number| format!("instant-{number}@example.com")).collect();

    let (mut dice, mut goodbyes, mut crashes) = (Dice(seed), BTreeMap::new(), 0);
    for _ in 0..LIVES {
        fate.lock().unwrap().left = Some(1 + dice.below(60));
        let delay = Duration::from_micros(dice.below(3) * dice.below(4000));
        crashes += usize::from(dies(&world, &issue, &doomed, delay).await);
        if dice.below(3) == 0 {
            let email = format!("instant-{}@example.com", 1 + dice.below(READERS as u64));
            if let MapEntry::Vacant(first) = goodbyes.entry(email) {
                world.reader_leaves(first.key()).await;
                first.insert(world.relay.final_dots().len() as u64 * BETWEEN_DOTS + 1);
            }
        }
        // Sometimes the next one comes while the leases of the dead still hold.
        ledger_ages(&world.address, TimeDelta::seconds([28, 31, 31, 31, 31, 600][dice.below(6) as usize])).await;
    }
    fate.lock().unwrap().left = None;
    until_finished(&world, &issue, &doomed).await;

    let ledger = ledger(&world, &issue, &audience).await;
    let run = Run {
        log: log(&world, &fate.lock().unwrap().refused),
        ledger,
        audience,
        goodbyes,
        interruptions: vec![CONNECTIONS; crashes],
        most_copies: 0,
    };
    let judgement = judge(&run);
    eprintln!("{judgement}");
    // The mean of a kill at any moment is not to be had here, where each comes amid the work.
    let faults: Vec<_> =
        judgement.faults.iter().filter(|fault| !fault.contains("duplicates an interruption")).collect();
    assert!(faults.is_empty(), "PRESSRUN_SIMULATION_SEED={seed}: {faults:?}");
    assert!(crashes > LIVES / 3, "it dies now and then: {crashes}");
}

/// One life of a sender, in a runtime of its own; whether it came to its end before the work did.
async fn dies(world: &World, issue: &IssueId, doomed: &Arc<Notify>, delay: Duration) -> bool {
    let (address, means, until) = (world.address.clone(), world.means(), Until::NoneDue(issue.clone()));
    let doomed = Arc::clone(doomed);
    // What was called out in the life before may not have been heard.
    tokio::select! {
        biased;
        () = doomed.notified() => {}
        () = std::future::ready(()) => {}
    }
    let life = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let is_dead = runtime.block_on(async {
            let means = Means { store: Store::open(&address).await.unwrap(), ..means };
            let (_stop, stopped) = watch::channel(false);
            tokio::select! {
                biased;
                () = doomed.notified() => {
                    // The store goes on meanwhile; nobody hears its answers.
                    tokio::time::sleep(delay).await;
                    true
                }
                ended = sending::send(means, until, stopped) => ended.map(|()| false).unwrap(),
            }
        });
        runtime.shutdown_background();
        is_dead
    });
    life.await.unwrap()
}

/// In peace, from one due moment to the next.
async fn until_finished(world: &World, issue: &IssueId, doomed: &Arc<Notify>) {
    ledger_ages(&world.address, TimeDelta::seconds(31)).await;
    for _ in 0..40 {
        assert!(!dies(world, issue, doomed, Duration::ZERO).await);
        if world.store.issue(issue).await.unwrap().unwrap().state == IssueState::Finished {
            return;
        }
        if let Some(next) = world.store.next_due(Some(issue)).await.unwrap() {
            ledger_ages(&world.address, (next - clock::now()).max(TimeDelta::zero()) + TimeDelta::seconds(1)).await;
        }
    }
    panic!("it does not come to an end: {:?}", world.store.count_deliveries(issue).await);
}

/// Every reader's delivery; the counts by state must be theirs.
async fn ledger(world: &World, issue: &IssueId, audience: &BTreeSet<String>) -> Vec<(String, String)> {
    let (mut ledger, mut counts) = (Vec::new(), BTreeMap::<DeliveryState, i64>::new());
    for address in audience {
        if let Some(delivery) = world.store.delivery_to(issue, address).await.unwrap() {
            *counts.entry(delivery.state).or_default() += 1;
            ledger.push((address.clone(), delivery.state.as_str().to_owned()));
        }
    }
    let counted = world.store.count_deliveries(issue).await.unwrap().into_iter().filter(|(_, count)| *count > 0);
    assert_eq!(counted.collect::<BTreeMap<_, _>>(), counts, "states sum up");
    ledger
}

/// The relay's dots as the judge reads them.
fn log(world: &World, refused: &BTreeSet<String>) -> Vec<Entry> {
    let entry = |at: u64, end: End, to: &str, connection: usize| Entry {
        at,
        end,
        connection: connection as u64,
        to: to.to_owned(),
        message_id: String::new(),
        sha256: String::new(),
        leave: String::new(),
    };
    let refusals = refused.iter().map(|to| entry(0, End::Refused, to, 0));
    let dots = world.relay.final_dots().into_iter().zip(1..);
    let dots = dots.map(|(dot, number): (_, u64)| {
        let end = match (dot.is_delivered, &dot.act) {
            (true, Act::TakeAndDrop) => End::TakenInSilence,
            (true, _) => End::Taken,
            (false, _) => End::Lost,
        };
        let message = String::from_utf8_lossy(&dot.message).into_owned();
        let message_id = message.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap_or_default();
        let known = entry(number * BETWEEN_DOTS, end, dot.envelope.to.as_str(), dot.session);
        Entry { message_id: message_id.to_owned(), sha256: message, ..known }
    });
    refusals.chain(dots).collect()
}

//! A relay that refuses, hangs up, falls silent or babbles, at each place of a conversation: what becomes of the reader
//! whom it concerns, and that it concerns nobody else.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use fault_sink::judge::{Run, judge};
use fault_sink::{Act, Entry, Fault, Faults, Sink, Step};
use pressrun::clock;
use pressrun::config::{Encryption, Secret, SmtpRelay};
use pressrun::model::{Cadence, Carries, DeliveryState, IssueEvent, IssueId, IssueState};
use pressrun::relay::{Phase, Relay, Smtp, Timeouts};
use pressrun::sending::{self, Means, Until};
use pressrun::store::{Store, StoreAddress, StoreError};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::relay::{self, Memory};
use crate::world::{Database, World, ledger_ages, run_sql, send_what_is_due};

/// One reader of four is concerned.
const WHOM: &str = "instant-2@example.com";
const READERS: usize = 4;

/// The same place of every conversation.
fn at(step: Step, act: Act) -> Faults {
    Faults { script: vec![Fault { at: step, to: None, after: 0, times: 0, act }], ..Faults::default() }
}

/// Only the second time that it comes.
fn once(step: Step, act: Act) -> Faults {
    Faults { script: vec![Fault { at: step, to: None, after: 1, times: 1, act }], ..Faults::default() }
}

/// Only where one reader is named.
fn for_one(step: Step, act: Act) -> Faults {
    let to = Some(WHOM.to_owned());
    Faults { script: vec![Fault { at: step, to, after: 0, times: 0, act }], ..Faults::default() }
}

/// Only the first time that one reader is named.
fn once_for_one(step: Step, act: Act) -> Faults {
    let to = Some(WHOM.to_owned());
    Faults { script: vec![Fault { at: step, to, after: 0, times: 1, act }], ..Faults::default() }
}

/// Both, one after the other.
fn both(first: Faults, second: Faults) -> Faults {
    Faults { script: [first.script, second.script].concat(), ..Faults::default() }
}

/// Where it is offered: who is told of STARTTLS encrypts, and who is told of AUTH logs in.
fn offered(step: Step, act: Act) -> Faults {
    both(at(Step::Ehlo, say("250-hi\n250-STARTTLS\n250 AUTH PLAIN")), at(step, act))
}

fn say(words: &str) -> Act {
    Act::Say(words.to_owned())
}

/// What a relay does, where the four deliveries are when nothing is due any more, and over how many connections at most.
type Case = (Faults, &'static str, u64);

const ALL_SENT: &str = "sent 4";
/// After a second it is tried again, and that may have been.
const DROPPED: &str = "queued 1, sent 3 or sent 4";
/// The relay is left in peace for five seconds, which may be over.
const RESTS: &str = "queued 3, sent 1 or sent 4";
/// Whom it is said of is tried later; so is one who is known to the relay by then, or tried after the rest.
const BLOCKED: (&str, &str) = (
    "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using dnsbl.example.com",
    "deferred 1, queued 3 or deferred 2, queued 2",
);

fn refusals() -> Vec<Case> {
    use Step::{Auth, Data, Dot, Ehlo, Greeting, Helo, Mail, Rcpt, Starttls};
    let (deferred, failed) = ("deferred 1, sent 3", "failed 1, sent 3");
    let two_hellos = both(at(Ehlo, say("554 5.3.2 no")), at(Helo, say("554 5.3.2 no")));
    vec![
        (at(Greeting, say("421 4.3.2 busy")), "queued 4", 4),
        (at(Greeting, say("554 5.3.2 no mail here")), "queued 4", 4),
        (at(Ehlo, say("421 4.3.2 busy")), "queued 4", 4),
        (at(Ehlo, say("502 5.5.1 what")), ALL_SENT, 1),
        (two_hellos, "queued 4", 4),
        (at(Starttls, say("it is not offered")), "queued 4", 4),
        (offered(Starttls, say("454 4.7.0 not now")), "queued 4", 4),
        (offered(Starttls, say("502 5.5.1 what")), "queued 4", 4),
        (at(Auth, say("it is not offered")), "queued 4", 4),
        (offered(Auth, say("421 4.7.0 bye")), "queued 4", 4),
        (offered(Auth, say("454 4.7.0 not now")), "queued 4", 4),
        (offered(Auth, say("535 5.7.8 wrong")), "queued 4", 4),
        (offered(Auth, say("235 2.7.0 come in")), ALL_SENT, 1),
        (once(Mail, say("421 4.7.0 enough over one line")), DROPPED, 2),
        (once(Mail, say("450 4.3.0 later")), RESTS, 1),
        (once(Mail, say("451-4.3.0 later\n451 4.3.0 really")), RESTS, 1),
        (once(Mail, say("452 4.3.1 no room")), RESTS, 1),
        (once(Mail, say("550 5.7.1 not from you")), RESTS, 1),
        (once(Mail, say("554 5.3.2 no mail here")), RESTS, 1),
        (once(Mail, say("550 5.1.8 who are you")), RESTS, 1),
        (once(Mail, say("530 5.7.0 log in first")), RESTS, 1),
        // The issue is paused; what was under way is let go, with its line.
        (once(Mail, say("552 5.3.4 too big")), "queued 3, sent 1", 2),
        (for_one(Rcpt, say("421 4.3.2 bye")), deferred, 2),
        (for_one(Rcpt, say("450 4.2.0 later")), deferred, 1),
        (for_one(Rcpt, say("451 4.7.1 greylisted")), deferred, 1),
        (for_one(Rcpt, say("452 4.2.2 full")), deferred, 1),
        (for_one(Rcpt, say("550 5.1.1 nobody here")), failed, 1),
        (for_one(Rcpt, say("550-5.1.1 nobody\n550-5.1.1 of that name\n550 5.1.1 here")), failed, 1),
        (for_one(Rcpt, say("552 5.2.2 full")), deferred, 1),
        (for_one(Rcpt, say("554 5.7.1 not you")), failed, 1),
        (at(Rcpt, say(BLOCKED.0)), BLOCKED.1, 2),
        // Our own fault: whatever is not sent yet waits for an editor.
        (once(Rcpt, say("550 5.7.26 unauthenticated")), "deferred 1, queued 2, sent 1", 2),
        (for_one(Rcpt, say("250-2.1.5 is\n250-2.1.5 quite\n250 2.1.5 fine")), ALL_SENT, 1),
        (for_one(Data, say("421 4.3.2 bye")), deferred, 2),
        (for_one(Data, say("450 4.2.0 later")), deferred, 1),
        (for_one(Data, say("451 4.3.0 later")), deferred, 1),
        (for_one(Data, say("452 4.3.1 disk full")), deferred, 1),
        (for_one(Data, say("550 5.2.1 closed")), failed, 1),
        (for_one(Data, say("550 5.7.1 not that")), failed, 1),
        (for_one(Data, say("552 5.2.2 full")), deferred, 1),
        (for_one(Data, say("554 5.5.1 no valid recipients")), failed, 1),
        (once(Data, say("552 5.3.4 too big")), "queued 3, sent 1", 2),
        (at(Data, say(BLOCKED.0)), BLOCKED.1, 2),
        (for_one(Dot, say("421 4.3.2 bye")), deferred, 2),
        (for_one(Dot, say("450 4.2.0 later")), deferred, 1),
        (for_one(Dot, say("451 4.3.0 later")), deferred, 1),
        (for_one(Dot, say("452 4.3.1 disk full")), deferred, 1),
        (for_one(Dot, say("550 5.2.1 closed")), failed, 1),
        (for_one(Dot, say("554 5.7.1 spam")), failed, 1),
        (at(Dot, say(BLOCKED.0)), BLOCKED.1, 2),
        // Nothing goes for ten minutes but what had begun.
        (once(Dot, say("550 5.7.28 too much at once")), "deferred 1, queued 1, sent 2", 1),
        (once(Dot, say("552 5.3.4 too big")), "queued 3, sent 1", 2),
        (once(Dot, say("554 5.6.0 no mail at all")), "queued 3, sent 1", 2),
        (for_one(Dot, say("250-2.0.0 ok\n250 2.0.0 queued as 7")), ALL_SENT, 1),
    ]
}

fn broken_lines() -> Vec<Case> {
    use Step::{Auth, Body, Data, Dot, Ehlo, Greeting, Mail, Rcpt, Starttls};
    let unknown = "sent 3, unknown 1";
    vec![
        (at(Greeting, Act::Drop), "queued 4", 4),
        (at(Greeting, say("SSH-2.0-what")), "queued 4", 4),
        (at(Ehlo, Act::Drop), "queued 4", 4),
        (at(Ehlo, say("250-hi\n220 hi")), "queued 4", 4),
        (offered(Starttls, Act::Drop), "queued 4", 4),
        (offered(Starttls, say("2x0 go")), "queued 4", 4),
        (offered(Starttls, say("220 go\n250 AUTH PLAIN")), "queued 4", 4),
        (offered(Auth, Act::Drop), "queued 4", 4),
        (offered(Auth, say("334 and who")), "queued 4", 4),
        (offered(Auth, say("2350 come in")), "queued 4", 4),
        (once(Mail, Act::Drop), DROPPED, 2),
        (once_for_one(Rcpt, Act::Drop), DROPPED, 2),
        (once_for_one(Rcpt, say("2x0 ok")), DROPPED, 2),
        (once_for_one(Data, Act::Drop), DROPPED, 2),
        (once_for_one(Data, say("250 what")), DROPPED, 2),
        // Its dot may be on its way before the drop is seen.
        (for_one(Body, Act::Drop), unknown, 2),
        (for_one(Dot, Act::Drop), unknown, 2),
        (for_one(Dot, Act::TakeAndDrop), unknown, 2),
        (for_one(Dot, say("2500 ok")), unknown, 2),
        (for_one(Dot, say("354 go on")), unknown, 2),
    ]
}

/// Those that end only because every wait does.
fn silences() -> Vec<Case> {
    use Step::{Auth, Data, Dot, Ehlo, Greeting, Mail, Quit, Rcpt, Rset, Starttls};
    const MEGABYTES: usize = 10_000_000;
    let unknown = "sent 3, unknown 1";
    let dribble = || Act::Dribble("250 2.0.0 ok, but it takes its time to say so".to_owned());
    let lies = Faults { loses_what_is_pipelined: true, ..Faults::default() };
    vec![
        (at(Greeting, Act::Silence), "queued 4", 4),
        (at(Greeting, dribble()), "queued 4", 4),
        (at(Greeting, Act::Flood(MEGABYTES)), "queued 4", 4),
        (at(Ehlo, Act::Silence), "queued 4", 4),
        (at(Ehlo, dribble()), "queued 4", 4),
        (at(Ehlo, Act::Flood(MEGABYTES)), "queued 4", 4),
        (offered(Starttls, Act::Silence), "queued 4", 4),
        (offered(Starttls, dribble()), "queued 4", 4),
        (offered(Starttls, Act::Flood(MEGABYTES)), "queued 4", 4),
        // What follows is not TLS.
        (offered(Starttls, say("220 go")), "queued 4", 4),
        (offered(Auth, Act::Silence), "queued 4", 4),
        (offered(Auth, dribble()), "queued 4", 4),
        (offered(Auth, Act::Flood(MEGABYTES)), "queued 4", 4),
        (once(Mail, Act::Silence), DROPPED, 2),
        (once(Mail, dribble()), DROPPED, 2),
        (once(Mail, Act::Flood(MEGABYTES)), DROPPED, 2),
        (once_for_one(Rcpt, Act::Silence), DROPPED, 2),
        (once_for_one(Rcpt, dribble()), DROPPED, 2),
        (once_for_one(Rcpt, Act::Flood(MEGABYTES)), DROPPED, 2),
        (once_for_one(Data, Act::Silence), DROPPED, 2),
        (once_for_one(Data, dribble()), DROPPED, 2),
        (once_for_one(Data, Act::Flood(MEGABYTES)), DROPPED, 2),
        // Who comes after the refusal waits a second.
        (
            both(once(Rcpt, say("550 5.1.1 nobody here")), at(Rset, Act::Silence)),
            "failed 1, queued 1, sent 2 or failed 1, sent 3",
            2,
        ),
        (at(Quit, Act::Silence), ALL_SENT, 1),
        (for_one(Dot, Act::Silence), unknown, 2),
        (for_one(Dot, dribble()), unknown, 2),
        (for_one(Dot, Act::Flood(MEGABYTES)), unknown, 2),
        (lies, DROPPED, 2),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_concerns_one_reader() {
    check(refusals(), Duration::from_secs(30)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_line_concerns_one_reader() {
    check(broken_lines(), Duration::from_secs(30)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_concerns_one_reader() {
    check(silences(), Duration::from_millis(700)).await;
}

#[tokio::test]
async fn a_database_that_is_locked_may_be_free_again() {
    use sqlx::{ConnectOptions as _, Executor as _};
    let folder = tempfile::tempdir().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("test.db"));
    let options = options.create_if_missing(true).busy_timeout(Duration::ZERO);
    let (mut one, mut other) = (options.connect().await.unwrap(), options.connect().await.unwrap());
    one.execute("BEGIN IMMEDIATE").await.unwrap();
    let locked = StoreError::from(other.execute("BEGIN IMMEDIATE").await.unwrap_err());
    assert!(locked.may_pass() && !locked.gave_way(), "{locked}");
    let wrong = StoreError::from(other.execute("SELECT nothing").await.unwrap_err());
    assert!(!wrong.may_pass(), "{wrong}");
}

/// A relay that falls silent at another place for each reader; and one that is slow to answer the dot.
#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_a_sender_waits_for_answers_alone() {
    let mut world = sealed().await;
    let issue = world.store.issues().await.unwrap()[0].id.clone();
    let reached = Arc::new(Semaphore::new(0));
    let (places, told) = ([Phase::MailFrom, Phase::RcptTo, Phase::Data, Phase::Body], Arc::clone(&reached));
    world.relay = Memory::deciding(move |step| {
        let to = step.mail.as_ref().map_or("", |(_, envelope)| envelope.to.as_str());
        let whom = |number| format!("instant-{number}@example.com");
        if (1..).zip(places).any(|(number, place)| place == step.phase && to == whom(number)) {
            told.add_permits(1);
            return relay::Act::Hang;
        }
        relay::Act::Accept
    })
    .with_connections(READERS + 1);
    send_until(&world.means(), async { reached.acquire_many(READERS as u32).await.map(drop).unwrap() }).await;
    assert_eq!(counted(&states(&world.store, &issue).await), "queued 4");

    let sink = Sink::start("127.0.0.1:0", None).await.unwrap();
    sink.begin(Faults { delay_ms: 2_500, ..Faults::default() }, None).unwrap();
    let slow: Arc<dyn Relay> = Arc::new(relay(sink.address().port(), Duration::from_secs(30), &[]));
    let (means, mut dots) = (Means { relays: vec![slow], ..world.means() }, sink.dots());
    send_until(&means, async { dots.wait_for(|dots| *dots > 0).await.map(drop).unwrap() }).await;
    let found = counted(&states(&world.store, &issue).await);
    // The relay may know the envelope of another one by then.
    assert!(["queued 3, sent 1", "queued 2, sent 2"].contains(&found.as_str()), "{found}");
    assert!(found.ends_with(&format!("sent {}", sink.totals().taken)), "{found}");
}

/// Sends until this has come about, and then is told to stop.
async fn send_until(means: &Means, moment: impl Future<Output = ()>) {
    means.store.start_due_issues(clock::now()).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let sender = tokio::spawn(sending::send(means.clone(), Until::Stopped, stopped));
    moment.await;
    stop.send_replace(true);
    sender.await.unwrap().unwrap();
}

async fn check(cases: Vec<Case>, patience: Duration) {
    let world = Arc::new(sealed().await);
    let mut telling = JoinSet::new();
    for (number, (faults, expected, connections)) in cases.into_iter().enumerate() {
        let world = Arc::clone(&world);
        telling.spawn(async move {
            let told = serde_json::to_string(&faults.script).unwrap();
            let found = tell(&world, number, faults, patience).await;
            let is_expected = expected.split(" or ").any(|states| states == found.0);
            let is_right = is_expected && found.1 <= connections && found.2.is_empty();
            (!is_right).then(|| format!("{told}\n  expected {expected} over {connections}, found {found:?}"))
        });
    }
    let wrong: Vec<String> = telling.join_all().await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An issue that is about to be sent.
async fn sealed() -> World {
    let mut world = World::on(Database::Sqlite).await;
    world.now = clock::now();
    world.readers(READERS, "main", Cadence::Instant).await;
    world.editor_writes("news", "", "Text.");
    world.editor_sends("news").await.unwrap();
    world
}

/// Sends the issue of a copy of this world until nothing is due. Then the relay is mended and hours pass, after which
/// everybody must have it but for those who were refused: nobody is lost, and a repeat has the same bytes.
async fn tell(world: &World, number: usize, faults: Faults, patience: Duration) -> (String, u64, Vec<String>) {
    let (copy, log) = (world.path(&format!("{number}.db")), world.path(&format!("{number}.log")));
    run_sql(&world.address, format!("VACUUM INTO '{}'", copy.display())).await;
    let address = StoreAddress::Sqlite(copy);
    let store = Store::open(&address).await.unwrap();
    let sink = Sink::start("127.0.0.1:0", None).await.unwrap();
    let names_one = faults.script.iter().any(|fault| fault.to.is_some());
    let means = |script: &[Fault]| {
        let relay: Arc<dyn Relay> = Arc::new(relay(sink.address().port(), patience, script));
        Means { store: store.clone(), relays: vec![relay], ..world.means() }
    };
    let faulty = means(&faults.script);
    sink.begin(faults, Some(&log)).unwrap();
    send_what_is_due(&faulty, clock::now()).await;
    let issue = store.issues().await.unwrap()[0].id.clone();
    let first = states(&store, &issue).await;
    let connections = sink.totals().connections;
    let mut concerned = first.iter().filter(|(_, state)| **state != DeliveryState::Sent);
    assert!(concerned.all(|(address, _)| !names_one || address == WHOM), "{first:?}");

    sink.begin(Faults::default(), Some(&log)).unwrap();
    store.move_issue(&issue, IssueEvent::Resume, clock::now()).await.unwrap();
    ledger_ages(&address, TimeDelta::hours(1)).await;
    send_what_is_due(&means(&[]), clock::now()).await;
    assert_eq!(store.issue(&issue).await.unwrap().unwrap().state, IssueState::Finished);
    let last = states(&store, &issue).await;
    let entries = fs::read_to_string(&log).unwrap();
    let run = Run {
        audience: (1..=READERS).map(|number| format!("instant-{number}@example.com")).collect(),
        log: entries.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap()).collect(),
        ledger: last.into_iter().map(|(address, state)| (address, state.as_str().to_owned())).collect(),
        ..Run::default()
    };
    (counted(&first), connections, judge(&run).faults)
}

/// Encrypts or logs in where that is what goes wrong.
fn relay(port: u16, patience: Duration, script: &[Fault]) -> Smtp {
    let goes_wrong = |step: Step| script.iter().any(|fault| fault.at == step);
    let settings = SmtpRelay {
        host: "127.0.0.1".to_owned(),
        port,
        encryption: if goes_wrong(Step::Starttls) { Encryption::StartTls } else { Encryption::None },
        login: goes_wrong(Step::Auth).then(|| ("news".to_owned(), Secret::new("open sesame"))),
        connections: 1,
        messages: 100,
        rate: None,
        carries: Carries::All,
    };
    let timeouts = Timeouts {
        connect: patience,
        greeting: patience,
        command: patience,
        data: patience,
        block: patience,
        answer: patience,
        quit: patience,
    };
    Smtp::new(settings, "client.example.com", timeouts)
}

async fn states(store: &Store, issue: &IssueId) -> BTreeMap<String, DeliveryState> {
    let mut states = BTreeMap::new();
    for number in 1..=READERS {
        let address = format!("instant-{number}@example.com");
        let delivery = store.delivery_to(issue, &address).await.unwrap().unwrap();
        states.insert(address, delivery.state);
    }
    states
}

fn counted(states: &BTreeMap<String, DeliveryState>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    states.values().for_each(|state| *counts.entry(state.as_str()).or_default() += 1);
    counts.iter().map(|(state, count)| format!("{state} {count}")).collect::<Vec<_>>().join(", ")
}

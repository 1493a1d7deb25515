//! A day of digests for a million readers in 24 zones with five topics, on SQLite: how long planning and sealing take,
//! how much memory, and how long another writer waits meanwhile.
//!
//! `cargo bench --bench digest` takes a million readers, `cargo bench --bench digest -- 50000` as many as it says.

#![allow(
    clippy::expect_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a measurement reads files and the clock itself, and what fails ends it"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use pressrun::model::{Cadence, EmailAddress, NewsletterId, SubscriptionState};
use pressrun::press::{self, Edition, Options};
use pressrun::publishing::{Memory, Office};
use pressrun::store::{Newcomer, Store, StoreAddress};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use tokio::sync::watch;

const MANY: i64 = 1_000_000;
const TOPICS: [&str; 5] = ["culture", "energy", "health", "law", "security"];
const SETTINGS: &str = r#"
[publication]
title = "The Sample"
url = "https://sample.example.com"
address = "1 Example Street"

[[newsletters]]
id = "main"
title = "Main"
from = "The Sample <main@sample.example.com>"
"#;

#[tokio::main]
async fn main() {
    let readers = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(MANY);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("digest.db");
    let mut now: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().expect("a moment");
    let store = Store::open(&StoreAddress::Sqlite(file.clone())).await.expect("the database opens");
    publication(folder.path(), None);
    turn(&store, &edition(folder.path(), now), now, &mut Memory::default()).await;
    let started = Instant::now();
    seed(&store, &file, readers, now).await;
    println!("{readers} readers entered in {:.1} s", started.elapsed().as_secs_f64());

    publication(folder.path(), Some(now));
    let edition = edition(folder.path(), now);
    let (before, _) = memory();
    let (stop, stopped) = watch::channel(false);
    let waits = tokio::spawn(write_beside(store.clone(), stopped));
    let (mut busy, mut idle, mut remembered) = (Duration::ZERO, Vec::new(), Memory::default());
    let end = now + TimeDelta::hours(25);
    while now < end {
        let started = Instant::now();
        let did_seal = turn(&store, &edition, now, &mut remembered).await;
        if did_seal {
            busy += started.elapsed();
        } else {
            idle.push(started.elapsed());
        }
        now += TimeDelta::minutes(5);
    }
    stop.send_replace(true);
    let mut waits = waits.await.expect("the other writer ends");
    let issues = store.issues().await.expect("issues");
    let mut deliveries = 0;
    for issue in &issues {
        let counts = store.count_deliveries(&issue.id).await.expect("counts");
        deliveries += counts.iter().map(|(_, count)| count).sum::<i64>();
    }
    waits.sort_unstable();
    idle.sort_unstable();
    println!("{} issues, {deliveries} deliveries: planned and sealed in {:.1} s", issues.len(), busy.as_secs_f64());
    println!("memory at most {} MB ({before} MB before)", memory().1);
    println!("{} writes beside: longest wait {:?}, 99 % {:?}", waits.len(), last(&waits, 1.0), last(&waits, 0.99));
    println!("a turn with nothing due: at most {:?}, half {:?}", last(&idle, 1.0), last(&idle, 0.5));
}

fn last(sorted: &[Duration], share: f64) -> Duration {
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
    let index = (sorted.len() as f64 * share) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Turns until there is no more to do. Says whether anything was sealed.
async fn turn(store: &Store, edition: &Edition, now: DateTime<Utc>, memory: &mut Memory) -> bool {
    let mut did_seal = false;
    loop {
        let done = Office { store, edition, now }.tick(memory).await.expect("a turn of the scheduler");
        did_seal |= done.sealed > 0 || done.is_unfinished;
        if !done.is_unfinished {
            return did_seal;
        }
    }
}

/// As the web does, beside: a small transaction every few milliseconds, and how long each took.
async fn write_beside(store: Store, stopped: watch::Receiver<bool>) -> Vec<Duration> {
    let mut waits = Vec::new();
    while !*stopped.borrow() {
        let started = Instant::now();
        store.set_bound_url("http://127.0.0.1:8000").await.expect("a write");
        waits.push(started.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    waits
}

fn publication(folder: &Path, articles_at: Option<DateTime<Utc>>) {
    fs::create_dir_all(folder.join("content")).expect("a folder");
    fs::write(folder.join("publish.toml"), SETTINGS).expect("settings");
    for number in 0..10_usize {
        let Some(at) = articles_at else { break };
        let date = (at - TimeDelta::minutes(60) + TimeDelta::minutes(i64::try_from(number).unwrap_or(0))).to_rfc3339();
        let article = format!(
            "---\nid: a{number}\ntitle: Article {number}\ndate: {date}\nnewsletters: [main]\ntags: [{}]\n---\n\n{}\n",
            TOPICS[number % TOPICS.len()],
            "Words of an article. ".repeat(400)
        );
        fs::write(folder.join(format!("content/a{number}.md")), article).expect("an article");
    }
}

fn edition(folder: &Path, now: DateTime<Utc>) -> Edition {
    press::load(folder, &Options::default(), now).expect("the folder is read")
}

/// Readers in 24 zones, a third of whom chose one topic, a third several. No brake holds their digests.
async fn seed(store: &Store, file: &Path, readers: i64, now: DateTime<Utc>) {
    let newcomer = |number: i64| {
        let zone = match number % 24 {
            0 => "Etc/GMT".to_owned(),
            hours @ 1..=12 => format!("Etc/GMT+{hours}"),
            hours => format!("Etc/GMT-{}", hours - 12),
        };
        Newcomer {
            email: EmailAddress::parse(&format!("reader-{number}@example.com")).expect("an address"),
            name: None,
            details: [Some(zone), None, None],
            created_at: now,
            subscription: (NewsletterId::new("main"), Cadence::Daily, SubscriptionState::Active),
            wish: pressrun::model::Wish::default(),
        }
    };
    let numbers: Vec<i64> = (0..readers).collect();
    for chunk in numbers.chunks(5_000) {
        store.import(chunk.iter().map(|number| newcomer(*number)).collect(), now).await.expect("an import");
    }
    let mut sql = "UPDATE subscriptions SET topics = CASE rowid / 24 % 15".to_owned();
    for (index, topic) in TOPICS.iter().enumerate() {
        let next = TOPICS[(index + 1) % TOPICS.len()];
        let mut both = [*topic, next];
        both.sort_unstable();
        let _ = write!(sql, " WHEN {index} THEN '{topic}' WHEN {} THEN '{}\n{}'", index + 5, both[0], both[1]);
    }
    sql.push_str(" ELSE '' END; UPDATE newsletters SET largest_audience = 100000000");
    let address = format!("sqlite://{}", file.display());
    let mut connection = SqliteConnection::connect(&address).await.expect("the database opens again");
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.expect("topics are chosen");
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.expect("a checkpoint");
    // The peak of what was needed for the seed does not count.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Resident now and at most, in MB.
fn memory() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim_matches([':', ' ', '\t']).trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1000
    };
    (field("VmRSS"), field("VmHWM"))
}

//! Two fortnights on a virtual clock, each across a change of the clocks, over the real store on both databases.
//!
//! Readers in thirty zones choose and change their minds, articles come out, schedulers die in the middle of a turn. A
//! model that knows calendars and choices, and nothing of numbers and runs, says what each reader is due at each moment;
//! everybody must have got exactly that, at that moment. `PRESSRUN_SIMULATION_READERS` (120) says how many readers,
//! `PRESSRUN_SIMULATION_SEED` repeats a run: each prints its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Timelike as _, Utc, Weekday};
use pressrun::clock;
use pressrun::model::{Cadence, Choices, EmailAddress, SubscriptionId};
use pressrun::publishing::{Memory, Office};
use pressrun::store::{Outcome, Said, Store};
use pressrun::zone::Zone;

use crate::world::{World, on_both_databases, record};

on_both_databases! {
    a_fortnight_in_spring
    a_fortnight_in_autumn
}

async fn a_fortnight_in_spring(world: World) {
    simulate(world, "2026-03-22T00:00:00Z").await; // Europe and the Near East, then Australia and Chile
}

async fn a_fortnight_in_autumn(world: World) {
    simulate(world, "2026-10-19T00:00:00Z").await; // Europe, then North America
}

const DAYS: i64 = 14;
const UNDO: TimeDelta = TimeDelta::minutes(5);
const STEP: TimeDelta = TimeDelta::minutes(5);
const QUARTER: TimeDelta = TimeDelta::minutes(15);
const CRASHES: u64 = 10;
/// The most articles in a digest.
const MOST: usize = 20;
const TOPICS: [&str; 5] = ["culture", "energy", "health", "law", "security"];
const ZONES: [&str; 30] = [
    "UTC", "Europe/Berlin", "Europe/London", "Europe/Athens", "Europe/Moscow", "Africa/Cairo", "Africa/Casablanca",
    "Africa/Lagos", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Phoenix",
    "America/St_Johns", "America/Sao_Paulo", "America/Santiago", "America/Havana", "Asia/Jerusalem", "Asia/Beirut",
    "Asia/Kolkata", "Asia/Kathmandu", "Asia/Tokyo", "Asia/Tehran", "Australia/Sydney", "Australia/Lord_Howe",
    "Australia/Adelaide", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati", "Etc/GMT+12",
];

/// Splitmix64: the same seed, the same story.
pub struct Dice(pub u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

/// What the model knows of a reader.
struct Reader {
    subscription: SubscriptionId,
    zone: Zone,
    chosen: Choices,
    /// How they are served: instant, or the cadence of their digests.
    served: Cadence,
    returns: bool,
    /// What came out and was not decided on, by number of the article.
    pending: Vec<usize>,
    due: BTreeSet<(DateTime<Utc>, usize)>,
    got: Vec<(DateTime<Utc>, usize)>,
}

struct Published {
    tags: Vec<String>,
}

impl Reader {
    fn wants(&self, article: &Published) -> bool {
        self.chosen.topics.is_empty() || article.tags.iter().any(|tag| self.chosen.topics.contains(tag))
    }

    fn comes_out(&mut self, number: usize, article: &Published, at: DateTime<Utc>) {
        if self.served != Cadence::Instant {
            self.pending.push(number);
        } else if self.wants(article) {
            self.due.insert((at, number));
        }
    }

    /// Whether their hour comes at `at`: the wall clock reaches or jumps over it, for the first time on that day. Where
    /// clocks are put back by another time than an hour, or from another minute, it reaches an hour twice.
    fn is_slot(&self, at: DateTime<Utc>) -> bool {
        let (before, now) = (self.zone.to_local(at - QUARTER), self.zone.to_local(at));
        let on = |day: NaiveDate| {
            let hour = day.and_hms_opt(self.chosen.hour.unwrap_or(7), 0, 0).unwrap();
            let is_day = self.served == Cadence::Daily || day.weekday() == self.chosen.weekday.unwrap_or(Weekday::Mon);
            let earlier = (2..=8).map(|quarters| self.zone.to_local(at - QUARTER * quarters));
            let came_before = earlier.into_iter().any(|earlier| earlier.date() == day && earlier >= hour);
            is_day && before < hour && hour <= now && !came_before
        };
        self.served != Cadence::Instant && (on(now.date()) || on(before.date()))
    }

    fn slot(&mut self, at: DateTime<Utc>, articles: &[Published]) {
        if self.chosen.paused_until.is_some_and(|until| until > at) {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let wanted = pending.into_iter().rev().filter(|number| self.wants(&articles[*number])).take(MOST);
        let wanted: Vec<_> = wanted.map(|number| (at, number)).collect();
        self.due.extend(wanted);
        if std::mem::take(&mut self.returns) {
            self.served = Cadence::Instant;
        }
    }

    fn chooses(&mut self, choices: Choices, now: DateTime<Utc>) {
        let pauses = choices.paused_until.is_some_and(|until| until > now);
        let is_digest = self.served != Cadence::Instant;
        (self.served, self.returns) = match choices.cadence {
            Cadence::Instant if is_digest && (pauses || !self.pending.is_empty()) => (self.served, true),
            Cadence::Instant if pauses => (Cadence::Daily, true),
            cadence => (cadence, false),
        };
        self.chosen = choices;
    }
}

fn choices(dice: &mut Dice, before: &Choices, now: DateTime<Utc>) -> Choices {
    let mut after = before.clone();
    match dice.below(5) {
        0 => after.cadence = dice.one(&Cadence::ALL),
        1 => after.hour = Some(u32::try_from(dice.below(24)).unwrap()),
        2 => after.weekday = Some(dice.one(&[Weekday::Mon, Weekday::Wed, Weekday::Sat, Weekday::Sun])),
        3 => {
            let mut topics: Vec<_> = (0..dice.below(3)).map(|_| dice.one(&TOPICS).to_owned()).collect();
            topics.sort_unstable();
            topics.dedup();
            after.topics = topics;
        }
        _ => {
            let days = i64::try_from(dice.below(8)).unwrap();
            after.paused_until = (days > 0).then(|| now + TimeDelta::days(days) - TimeDelta::minutes(3));
        }
    }
    after
}

struct Simulation {
    world: World,
    dice: Dice,
    readers: BTreeMap<String, Reader>,
    articles: Vec<Published>,
    gone_out: BTreeSet<String>,
    memory: Memory,
}

async fn simulate(mut world: World, start: &str) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seed = number("PRESSRUN_SIMULATION_SEED").unwrap_or_else(|| u64::from_le_bytes(clock::random()));
    let count = number("PRESSRUN_SIMULATION_READERS").unwrap_or(120);
    eprintln!("{start}: PRESSRUN_SIMULATION_SEED={seed} PRESSRUN_SIMULATION_READERS={count}");
    world.now = start.parse().unwrap();
    let mut simulation = Simulation {
        world,
        dice: Dice(seed),
        readers: BTreeMap::new(),
        articles: Vec::new(),
        gone_out: BTreeSet::new(),
        memory: Memory::default(),
    };
    simulation.readers_come(count).await;
    let end = simulation.world.now + TimeDelta::days(DAYS);
    while simulation.world.now < end {
        simulation.world.now += STEP;
        simulation.step().await;
    }
    simulation.check();
}

impl Simulation {
    /// All sign up, a first article goes to all of them so that no brake is on, and each chooses.
    async fn readers_come(&mut self, count: u64) {
        let mut file = "email,time_zone,cadence\n".to_owned();
        let zone = |number: u64| ZONES[usize::try_from(number).unwrap() % ZONES.len()];
        for number in 0..count {
            file.push_str(&format!("r{number}@example.com,{},instant\n", zone(number)));
        }
        self.world.turn().await;
        self.world.imports(&file).await;
        self.world.editor_writes("first", "", "Text.");
        self.world.editor_sends("first").await.unwrap();
        self.world.turn().await;
        self.world.now += TimeDelta::hours(3);
        self.world.turn().await;
        for number in 0..count {
            let email = EmailAddress::parse(&format!("r{number}@example.com")).unwrap();
            let person = self.world.store.subscribers_with(&[email.key()]).await.unwrap().remove(0);
            let reader = Reader {
                subscription: person.subscriptions[0].id.clone(),
                zone: Zone::parse(zone(number)).unwrap(),
                chosen: Choices::of(Cadence::Instant),
                served: Cadence::Instant,
                returns: false,
                pending: Vec::new(),
                due: BTreeSet::new(),
                got: Vec::new(),
            };
            self.readers.insert(email.to_string(), reader);
            for _ in 0..4 {
                self.chooses(email.as_str()).await;
            }
        }
        self.mail_goes_out().await; // the first article, which is not part of the story
    }

    async fn chooses(&mut self, email: &str) {
        let (now, reader) = (self.world.now, self.readers.get_mut(email).unwrap());
        let mut before = reader.chosen.clone();
        before.paused_until = before.paused_until.filter(|until| *until > now);
        let after = choices(&mut self.dice, &before, now);
        reader.chooses(after.clone(), now);
        let choose = move |_| after;
        self.world.store.choose(reader.subscription.clone(), choose, "test", now).await.unwrap().unwrap();
    }

    /// Choices and articles come five minutes after a quarter, so that it is plain whether they are in time for a slot.
    async fn step(&mut self) {
        let now = self.world.now;
        let minute = now.minute() % 15;
        if minute == 5 {
            for _ in 0..(1 + self.readers.len() / 300) {
                if self.dice.below(3) == 0 {
                    let index = usize::try_from(self.dice.below(self.readers.len() as u64)).unwrap();
                    let email = self.readers.keys().nth(index).unwrap().clone();
                    self.chooses(&email).await;
                }
            }
            // One an hour at most: more would need an editor.
            if now.minute() == 5 && self.dice.below(8) == 0 {
                self.article_comes_out();
            }
        }
        if minute == 10 {
            for reader in self.readers.values_mut() {
                if reader.is_slot(now + UNDO) {
                    reader.slot(now + UNDO, &self.articles);
                }
            }
        }
        if self.dice.below(u64::try_from(DAYS).unwrap() * 96) < CRASHES {
            self.another_scheduler_dies().await;
        }
        loop {
            let edition = self.world.edition();
            let done =
                Office { store: &self.world.store, edition: &edition, now }.tick(&mut self.memory).await.unwrap();
            assert_eq!(done.waiting, 0, "no brake is on");
            if !done.is_unfinished {
                break;
            }
        }
        self.mail_goes_out().await;
    }

    fn article_comes_out(&mut self) {
        let (now, number) = (self.world.now, self.articles.len());
        let mut tags: Vec<String> = (0..1 + self.dice.below(2)).map(|_| self.dice.one(&TOPICS).to_owned()).collect();
        tags.dedup();
        // Dated now, or in five minutes: either way it goes out then, after its undo time.
        let date = now + if self.dice.below(2) == 0 { TimeDelta::zero() } else { UNDO };
        let front_matter = format!("tags: [{}]\ndate: {}", tags.join(", "), date.to_rfc3339());
        self.world.editor_writes(&format!("a{number}"), &front_matter, "Text.");
        let article = Published { tags };
        for reader in self.readers.values_mut() {
            reader.comes_out(number, &article, now + UNDO);
        }
        self.articles.push(article);
    }

    /// A second scheduler begins the same turn, and is gone in the middle of it, with whatever it had open.
    async fn another_scheduler_dies(&mut self) {
        let (address, edition, now) = (self.world.address.clone(), self.world.edition(), self.world.now);
        let life = Duration::from_micros(self.dice.below(40_000));
        let dies = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let store = Store::open(&address).await.unwrap();
                let mut memory = Memory::default();
                let turn = Office { store: &store, edition: &edition, now }.tick(&mut memory);
                let _ = tokio::time::timeout(life, turn).await;
            });
            runtime.shutdown_timeout(Duration::from_millis(10));
        });
        dies.await.unwrap();
    }

    /// The relay takes everything that may go at this moment.
    async fn mail_goes_out(&mut self) {
        let (store, now) = (&self.world.store, self.world.now);
        for issue in store.sending_issues().await.unwrap() {
            let titles = store.issue_titles(&issue).await.unwrap();
            let articles: Vec<usize> =
                titles.iter().filter_map(|title| title.trim_start_matches("About a").parse().ok()).collect();
            assert!(self.gone_out.insert(issue.to_string()), "all rows of an issue may go at once");
            loop {
                let claimed = store.claim(Some(&issue), "relay", now, now + TimeDelta::days(1), 1000).await.unwrap();
                if claimed.is_empty() {
                    break;
                }
                for claimed in claimed {
                    let reader = self.readers.get_mut(claimed.to.as_str()).unwrap();
                    reader.got.extend(articles.iter().map(|number| (now, *number)));
                    let said = Said { relay: "r".to_owned(), code: Some(250), enhanced: None, text: String::new() };
                    assert!(record(store, &claimed, "relay", Outcome::Sent, said, now).await);
                }
            }
        }
        store.finish_issues(now).await.unwrap();
    }

    fn check(&self) {
        let mut mails = 0;
        for (email, reader) in &self.readers {
            let got: BTreeSet<_> = reader.got.iter().copied().collect();
            assert_eq!(got.len(), reader.got.len(), "{email} got an article twice: {:?}", reader.got);
            let late: Vec<_> = reader.due.iter().filter(|(at, _)| *at <= self.world.now).collect();
            let expected: BTreeSet<_> = late.into_iter().copied().collect();
            let missed: Vec<_> = expected.difference(&got).collect();
            let wrong: Vec<_> = got.difference(&expected).collect();
            assert!(
                missed.is_empty() && wrong.is_empty(),
                "{email} in {}: missed {missed:?}, not due {wrong:?}, chose {:?}",
                reader.zone.name(),
                reader.chosen
            );
            mails += got.len();
        }
        assert!(mails > self.readers.len(), "something went out: {mails}");
        eprintln!("{} articles, {mails} reached {} readers", self.articles.len(), self.readers.len());
    }
}

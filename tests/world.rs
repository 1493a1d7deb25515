//! A publication to tell stories with: a folder, a database, a relay that keeps what it gets, and a clock that the
//! story turns. The same story is told on SQLite and on PostgreSQL.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use pressrun::audience::{self, ImportOptions};
use pressrun::auth::{Asker, ServerKeys};
use pressrun::clock;
use pressrun::config::Secret;
use pressrun::content::Article;
use pressrun::model::{Cadence, Durability, EmailAddress, NewsletterId, SubscriptionState};
use pressrun::press::{self, Edition, Options};
use pressrun::publishing::{self, Office, Sent, Tick};
use pressrun::relay::Relay;
use pressrun::sending::{self, Means, Until};
use pressrun::store::{
    Claimed, Entries, Fixed, Home, Note, Outcome, Person, Record, Request, Said, Store, StoreAddress,
};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::relay::Memory;

/// Which database a story is told on.
#[derive(Debug, Clone, Copy)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// Declares each story as a test on both databases.
macro_rules! on_both_databases {
    ($($story:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $story() {
                super::$story($crate::world::World::on($crate::world::Database::Sqlite).await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $story() {
                super::$story($crate::world::World::on($crate::world::Database::Postgres).await).await;
            })*
        }
    };
}
pub(crate) use on_both_databases;

const SETTINGS: &str = r#"
[publication]
title = "The Sample"
url = "https://sample.example.com"
address = "1 Example Street"

[mail]
bounces-to = "bounces@sample.example.com"

[[mail.relays]]
url = "outbox"

[[newsletters]]
id = "main"
title = "Main"
from = "The Sample <main@sample.example.com>"
digest-hour = 7
digest-weekday = "monday"

[[newsletters]]
id = "other"
title = "Other"
from = "The Sample <other@sample.example.com>"
"#;

pub struct World {
    folder: TempDir,
    pub address: StoreAddress,
    pub store: Store,
    pub keys: Arc<ServerKeys>,
    pub relay: Memory,
    /// Takes mail while that one takes none.
    pub second_relay: Option<Memory>,
    pub now: DateTime<Utc>,
    editions: watch::Sender<Arc<Edition>>,
}

impl World {
    /// A publication that was set up in the past, on a Wednesday at noon, with nothing in it.
    pub async fn on(database: Database) -> World {
        let folder = TempDir::new().expect("a temporary folder");
        fs::create_dir(folder.path().join("content")).expect("a folder");
        fs::write(folder.path().join("publish.toml"), SETTINGS).expect("settings are written");
        let address = address(database, &folder).await;
        let store = Store::open(&address).await.expect("the database opens");
        let home = Home { url: "https://sample.example.com".to_owned(), host: "here".to_owned() };
        store.settle(home).await.expect("the database is settled");
        let now = "2026-01-07T12:00:00Z".parse().expect("a moment");
        let edition = read(&folder, now);
        let keys = Arc::new(ServerKeys::new(*b"a server key for tests, 32 bytes", []));
        let (editions, _) = watch::channel(edition);
        let world =
            World { folder, address, store, keys, relay: Memory::accepting(), second_relay: None, now, editions };
        world.turn().await;
        world
    }

    pub fn edition(&self) -> Arc<Edition> {
        Arc::clone(&self.editions.borrow())
    }

    /// Where plans are made of this edition, now.
    pub fn office<'a>(&'a self, edition: &'a Edition) -> Office<'a> {
        Office { store: &self.store, edition, now: self.now }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The editor saves an article, dated now unless its front matter says otherwise.
    pub fn editor_writes(&mut self, slug: &str, front_matter: &str, text: &str) {
        let date =
            if front_matter.contains("date:") { String::new() } else { format!("date: {}\n", self.now.to_rfc3339()) };
        let newsletters = if front_matter.contains("newsletters:") { "" } else { "newsletters: [main]\n" };
        let article = format!(
            "---\nid: id-{slug}\ntitle: About {slug}\nsummary: What {slug} is.\n{date}{newsletters}{front_matter}\n---\n\n{text}\n"
        );
        fs::write(self.path(&format!("content/{slug}.md")), article).expect("an article is written");
        self.rereads();
    }

    /// The folder is read again.
    pub fn rereads(&mut self) {
        self.editions.send_replace(read(&self.folder, self.now));
    }

    /// So many readers, imported as active: `cadence-1@example.com` and so on.
    pub async fn readers(&self, count: usize, newsletter: &str, cadence: Cadence) {
        let mut file = "email,cadence\n".to_owned();
        let cadence = cadence.as_str();
        (1..=count).for_each(|number| file.push_str(&format!("{cadence}-{number}@example.com,{cadence}\n")));
        self.imports_to(newsletter, &file).await;
    }

    /// Readers of `main`, as a file has them.
    pub async fn imports(&self, file: &str) {
        self.imports_to("main", file).await;
    }

    async fn imports_to(&self, newsletter: &str, file: &str) {
        let options = ImportOptions {
            newsletters: vec![NewsletterId::new(newsletter)],
            cadence: None,
            state: Some(SubscriptionState::Active),
            dry_run: false,
        };
        let settings = &self.edition().settings;
        let done = audience::import(&self.store, &self.keys, settings, file.as_bytes(), &options, self.now)
            .await
            .expect("an import");
        assert_eq!(done.rejected, 0, "{:?}", done.report);
    }

    /// One turn of the scheduler, now, and more as long as there is more to do.
    pub async fn turn(&self) -> Tick {
        loop {
            let mut memory = publishing::Memory::default();
            let done = self.office(&self.edition()).tick(&mut memory).await;
            let done = done.expect("a turn of the scheduler");
            if !done.is_unfinished {
                return done;
            }
        }
    }

    /// Time passes, with a turn of the scheduler every now and then and at the end, and the sender beside it.
    pub async fn passes(&mut self, time: TimeDelta) {
        let end = self.now + time;
        let step = TimeDelta::minutes(10).max(time / 50);
        while self.now < end {
            self.now = (self.now + step).min(end);
            self.turn().await;
            self.sender_works().await;
        }
        self.turn().await;
    }

    /// An editor looks at the plans and says yes to all that wait for it.
    pub async fn editor_approves(&self) {
        for plan in self.office(&self.edition()).plans().await.expect("plans") {
            let Some(id) = plan.id else { continue };
            self.store.show_plan(&id, plan.count.recipients, self.now).await.expect("a plan is shown");
            assert!(self.store.approve_plan(&id, self.now).await.expect("an approval"));
        }
    }

    /// `issue send SLUG` for its first newsletter, without the sending itself.
    pub async fn editor_sends(&self, slug: &str) -> Result<Sent, publishing::SendError> {
        let edition = self.edition();
        let article = article(&edition, slug);
        let newsletter = edition.settings.newsletter(&article.newsletters[0]).expect("a newsletter");
        self.office(&edition).send_article(newsletter, article, None).await
    }

    /// `issue plan SLUG`: what the editor sees, by its id.
    pub async fn editor_plans(&self, slug: &str) -> String {
        let edition = self.edition();
        let (article, newsletter) = (article(&edition, slug), &edition.settings.newsletters[0]);
        let plan = self.office(&edition).plan_article(newsletter, article).await.expect("a plan");
        let id = plan.id.expect("a plan has an id");
        self.store.show_plan(&id, plan.count.recipients, self.now).await.expect("a plan is shown");
        id
    }

    /// `issue send SLUG --plan ID`, without the sending itself.
    pub async fn editor_sends_plan(&self, slug: &str, plan: &str) -> Result<Sent, publishing::SendError> {
        let edition = self.edition();
        let (article, newsletter) = (article(&edition, slug), &edition.settings.newsletters[0]);
        self.office(&edition).send_article(newsletter, article, Some(plan)).await
    }

    pub fn means(&self) -> Means {
        let relays = [Some(self.relay.clone()), self.second_relay.clone()].into_iter().flatten();
        Means {
            store: self.store.clone(),
            relays: relays.map(|relay| Arc::new(relay) as Arc<dyn Relay>).collect(),
            keys: Arc::clone(&self.keys),
            edition: self.editions.subscribe(),
        }
    }

    /// Everything that is due is handed over.
    pub async fn sender_works(&self) {
        send_what_is_due(&self.means(), self.now).await;
    }

    /// What lies in each reader's inbox, by subject.
    pub fn inboxes(&self) -> BTreeMap<String, Vec<String>> {
        let mut inboxes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for dot in self.relay.final_dots().into_iter().filter(|dot| dot.is_delivered) {
            let message = String::from_utf8_lossy(&dot.message).into_owned();
            let subject =
                message.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default().to_owned();
            inboxes.entry(dot.envelope.to.to_string()).or_default().push(subject);
        }
        inboxes
    }

    /// How many mails were delivered in all.
    pub fn mails(&self) -> usize {
        self.inboxes().values().map(Vec::len).sum()
    }

    fn asker(&self) -> Asker<'_> {
        Asker { store: &self.store, keys: &self.keys, client: IpAddr::from([192, 0, 2, 1]), now: self.now }
    }

    /// Somebody asks for the newsletters, and is to be mailed a confirmation.
    pub async fn somebody_signs_up(&self, email: &str) {
        let choices = vec![audience::choice(&self.edition().settings.newsletters[0], None)];
        let (email, person) = (EmailAddress::parse(email).expect("an address"), Person::default());
        let request = Request { email, person, choices, language: "en".to_owned() };
        self.asker().sign_up(request, audience::flow_id(clock::random())).await.expect("an answer");
    }

    /// A reader takes back the goodbye that was said just now.
    pub async fn reader_comes_back(&self, email: &str) {
        let email = EmailAddress::parse(email).expect("an address");
        let people = self.store.subscribers_with(&[email.key()]).await.expect("a person");
        for subscription in people.into_iter().flat_map(|person| person.subscriptions) {
            let undo = audience::undo_token(&self.keys, &subscription.id, subscription.ended_at.expect("a goodbye"));
            let back = self.asker().undo(&subscription, &undo).await;
            assert_eq!(back.expect("an answer").len(), 1);
        }
    }

    /// A reader of a newsletter follows the leave link of a mail.
    pub async fn reader_leaves(&self, email: &str) {
        let email = EmailAddress::parse(email).expect("an address");
        let people = self.store.subscribers_with(&[email.key()]).await.expect("a person");
        for subscription in people.into_iter().flat_map(|person| person.subscriptions) {
            let token = audience::subscription_token(self.keys.current(), audience::Purpose::Leave, &subscription.id);
            let left = self.asker().leave(&token).await.expect("a goodbye");
            assert!(left.is_some());
        }
    }
}

pub fn article<'a>(edition: &'a Edition, slug: &str) -> &'a Article {
    edition.catalog.named(slug).expect("an article")
}

fn read(folder: &TempDir, now: DateTime<Utc>) -> Arc<Edition> {
    let edition = press::load(folder.path(), &Options::default(), now).expect("the folder is read");
    let wrong = pressrun::diagnostic::human(&edition.diagnostics, &edition.sources, false);
    assert!(!edition.has_errors(), "{wrong}");
    Arc::new(edition)
}

async fn address(database: Database, folder: &TempDir) -> StoreAddress {
    match database {
        Database::Sqlite => StoreAddress::Sqlite(folder.path().join("test.db")),
        Database::Postgres => StoreAddress::Postgres(Secret::new(new_postgres_database().await)),
    }
}

/// One more database of the same kind, with nothing in it.
pub async fn another_like(world: &World, name: &str) -> Store {
    let address = match &world.address {
        StoreAddress::Sqlite(_) => StoreAddress::Sqlite(world.path(name)),
        StoreAddress::Postgres(_) => StoreAddress::Postgres(Secret::new(new_postgres_database().await)),
    };
    Store::open(&address).await.expect("the database opens")
}

/// A database of its own for each story, in the server that `scripts/test` started.
async fn new_postgres_database() -> String {
    use sqlx::{Connection as _, Executor as _};
    let server = std::env::var("PRESSRUN_TEST_POSTGRES")
        .expect("PRESSRUN_TEST_POSTGRES names a PostgreSQL server; `scripts/test` starts one");
    let name = format!("story_{}", clock::new_id());
    let mut connection = sqlx::PgConnection::connect(&server).await.expect("PostgreSQL answers");
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    connection.execute(sqlx::raw_sql(create)).await.expect("a database is made");
    let (server, _) = server.rsplit_once('/').expect("the url names a database");
    format!("{server}/{name}")
}

/// What a first note fixes.
pub fn fixed(date_at: DateTime<Utc>, message_id: &str) -> Fixed {
    Fixed {
        date_at,
        key_id: "k".to_owned(),
        message_id: message_id.to_owned(),
        signed_by: String::new(),
        first_name: String::new(),
    }
}

/// Everything that is due is handed over.
pub async fn send_what_is_due(means: &Means, now: DateTime<Utc>) {
    means.store.start_due_issues(now).await.expect("due issues start");
    for issue in means.store.sending_issues().await.expect("issues") {
        let (_stop, stopped) = watch::channel(false);
        sending::send(means.clone(), Until::NoneDue(issue), stopped).await.expect("the sender ends well");
    }
}

/// Time passes for senders, who go by the real clock: every moment that they keep of a delivery or a relay moves back.
pub async fn ledger_ages(address: &StoreAddress, by: TimeDelta) {
    let by = by.num_milliseconds();
    let moments =
        ["due_at", "lease_until", "noted_at", "first_due_at"].map(|moment| format!("{moment} = {moment} - {by}"));
    run_sql(address, format!("UPDATE deliveries SET {}", moments.join(", "))).await;
    let relays = ["rests_until", "widens_at", "tried_until"].map(|moment| format!("{moment} = {moment} - {by}"));
    run_sql(address, format!("UPDATE relays SET {}", relays.join(", "))).await;
}

/// Reaches past the program into its database.
pub async fn run_sql(address: &StoreAddress, sql: String) {
    use sqlx::{Connection as _, Executor as _};
    let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    let done = match address {
        StoreAddress::Sqlite(path) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
            let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("the file opens");
            connection.execute(sql).await.map(drop)
        }
        StoreAddress::Postgres(url) => {
            let mut connection = sqlx::PgConnection::connect(url.reveal()).await.expect("PostgreSQL answers");
            connection.execute(sql).await.map(drop)
        }
    };
    done.expect("the statement is right");
}

/// Notes one claimed delivery; whether the note holds.
pub async fn note(store: &Store, claimed: &Claimed, owner: &str, fixed: &Fixed, now: DateTime<Utc>) -> bool {
    let note = Note { claim: claimed.claim(), fixed: fixed.clone(), at: now };
    let entries = Entries { notes: vec![note], records: vec![] };
    let holding = store.append_journal((owner, 1), Durability::Power, &entries, now).await.unwrap();
    let mut folded = Entries::default();
    folded.append(entries, &holding);
    store.fold_journal((owner, 1), folded).await.unwrap();
    !holding.is_empty()
}

/// Records what became of one claimed delivery; whether it counts.
pub async fn record(
    store: &Store,
    claimed: &Claimed,
    owner: &str,
    outcome: Outcome,
    said: Said,
    now: DateTime<Utc>,
) -> bool {
    let record = Record { claim: claimed.claim(), outcome, said: said.clone(), at: now };
    let entries = Entries { notes: vec![], records: vec![record] };
    store.append_journal((owner, 2), Durability::Power, &entries, now).await.unwrap();
    store.fold_journal((owner, 2), entries).await.unwrap();
    store.attempts(&claimed.id).await.unwrap().last().is_some_and(|attempt| attempt.said == said)
}

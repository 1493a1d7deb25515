//! Opening a database: where it is, whether it is sound, and bringing its schema up to date.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, PgPool, SqlitePool};
use tokio::sync::watch;

use crate::config;
use crate::files;
use crate::model::Durability;

use super::database::{Connection, Manner, Result, StoreError, Transaction, Work, Writer, transact};
use super::dialect::{Dialects, Sql};
use super::log::empty_log;
use super::schema::STEPS;
use super::values::{Columns, Row, Value, values};

/// Where a database is.
#[derive(Debug, Clone)]
pub enum StoreAddress {
    /// A file.
    Sqlite(PathBuf),
    /// A `postgres://` url.
    Postgres(config::Secret),
}

impl StoreAddress {
    /// Where the settings of the publication in `root` say that it is.
    pub fn of(root: &Path, settings: &config::Store) -> StoreAddress {
        match settings {
            config::Store::Sqlite(path) => StoreAddress::Sqlite(root.join(path)),
            config::Store::Postgres(url) => StoreAddress::Postgres(url.clone()),
        }
    }
}

/// The open database. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Backend,
}

#[derive(Debug, Clone)]
enum Backend {
    Sqlite { writer: Writer, readers: SqlitePool, path: PathBuf, log: Arc<OnceLock<files::Synced>> },
    Postgres(PgPool),
}

/// How long one process waits for another's transaction on the same file.
const BUSY: Duration = Duration::from_secs(30);
/// Before this release, a bug could lose pages when a WAL is reset.
const _: () = assert!(libsqlite3_sys::SQLITE_VERSION_NUMBER >= 3_051_003, "build with SQLite 3.51.3 or later");

pub(super) const VERSION: &str = "SELECT MAX(version) FROM schema_steps";

impl Store {
    /// Opens the database, makes it if it is not there, and brings its schema up to date.
    ///
    /// A database made by a newer program is refused.
    pub async fn open(address: &StoreAddress) -> Result<Store> {
        let backend = match address {
            StoreAddress::Sqlite(path) => open_sqlite(path.clone()).await?,
            StoreAddress::Postgres(url) => open_postgres(url.reveal()).await?,
        };
        let store = Store { backend };
        store.migrate().await?;
        Ok(store)
    }

    /// Whether this is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self.backend, Backend::Postgres(_))
    }

    /// The SQLite file.
    pub fn path(&self) -> Option<&PathBuf> {
        match &self.backend {
            Backend::Sqlite { path, .. } => Some(path),
            Backend::Postgres(_) => None,
        }
    }

    /// Does `work` in one transaction: all of it is durable when this returns, or none of it happened.
    ///
    /// On SQLite other callers' work may share the commit; on an error, only this work is undone.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'t> FnOnce(&'t mut Transaction) -> Work<'t, T> + Send + 'static,
    ) -> Result<T> {
        self.transact(Manner::Shared, work).await
    }

    /// As [`Store::write`], for work of many rows, which does not share its commit.
    pub(crate) async fn write_long<T: Send + 'static>(
        &self,
        work: impl for<'t> FnOnce(&'t mut Transaction) -> Work<'t, T> + Send + 'static,
    ) -> Result<T> {
        self.transact(Manner::Alone, work).await
    }

    pub(super) async fn transact<T: Send + 'static>(
        &self,
        manner: Manner,
        work: impl for<'t> FnOnce(&'t mut Transaction) -> Work<'t, T> + Send + 'static,
    ) -> Result<T> {
        match &self.backend {
            Backend::Sqlite { writer, .. } => writer.run(manner, work).await,
            Backend::Postgres(pool) => {
                // A task of its own: whoever stops waiting for it cannot leave a transaction open.
                let task = tokio::spawn(write_to_postgres(pool.clone(), manner, work));
                task.await.map_err(|_| StoreError::Closed)?
            }
        }
    }

    /// Waits until everything that was committed before reached the disk. PostgreSQL's commits did.
    ///
    /// SQLite would have the writer wait at the end of each transaction, and everybody behind it. What it appends to its
    /// log is as durable when somebody else waits for the log, and the writer goes on meanwhile.
    pub async fn reach_disk(&self) -> Result<()> {
        let Backend::Sqlite { path, log, .. } = &self.backend else { return Ok(()) };
        let (path, log) = (path.clone(), Arc::clone(log));
        let reached = tokio::task::spawn_blocking(move || match log.get() {
            Some(log) => log.sync(),
            None => {
                let opened = files::Synced::beside(&path, "-wal")?;
                log.get_or_init(|| opened).sync()
            }
        });
        reached.await.map_err(|_| StoreError::Closed)?.map_err(|error| match error.kind() {
            std::io::ErrorKind::StorageFull => StoreError::Full,
            _ => StoreError::Place(error.to_string()),
        })
    }

    /// One statement that changes something; says how many rows it changed.
    pub(crate) async fn execute(&self, sql: impl Sql, values: Vec<Value>) -> Result<u64> {
        self.write(move |transaction| Box::pin(transaction.execute(sql, values))).await
    }

    /// One question.
    pub(crate) async fn rows<T: Columns>(&self, sql: impl Sql, values: Vec<Value>) -> Result<Vec<T>> {
        self.reader().await?.rows(sql, values).await
    }

    async fn reader(&self) -> Result<Transaction> {
        let connection = match &self.backend {
            Backend::Sqlite { readers, .. } => Connection::SqliteReader(readers.acquire().await?),
            Backend::Postgres(pool) => Connection::Postgres(pool.acquire().await?),
        };
        Ok(Transaction { connection })
    }

    /// For many questions about one moment. The connection does not go back to the others.
    pub(super) async fn snapshot(&self) -> Result<Transaction> {
        let mut reader = self.reader().await?;
        match &mut reader.connection {
            Connection::Sqlite(_) => {}
            Connection::SqliteReader(one) => one.close_on_drop(),
            Connection::Postgres(one) => one.close_on_drop(),
        }
        let begin = Dialects { sqlite: "BEGIN", postgres: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" };
        reader.script(begin.told(self.is_postgres())).await?;
        Ok(reader)
    }

    /// One question with at most one row for an answer.
    pub(crate) async fn row<T: Columns>(&self, sql: impl Sql, values: Vec<Value>) -> Result<Option<T>> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Whether the answer has any row.
    pub(crate) async fn has_any(&self, sql: impl Sql, values: Vec<Value>) -> Result<bool> {
        Ok(self.row::<Row>(sql, values).await?.is_some())
    }

    /// The version of the schema; 0 for an empty database.
    pub async fn version(&self) -> Result<i64> {
        Ok(self.row(VERSION, vec![]).await?.flatten().unwrap_or(0))
    }

    /// Takes the steps that are missing, all in one transaction, so that two processes starting at once do not collide.
    async fn migrate(&self) -> Result<()> {
        let known = STEPS.last().map_or(0, |step| step.version);
        // Whoever only looks does not wait for somebody who writes.
        if self.version().await.is_ok_and(|version| version == known) {
            return Ok(());
        }
        transact!(self.write, |transaction| {
            if transaction.is_postgres() {
                transaction.has_any("SELECT pg_advisory_xact_lock(7305721411)::text", vec![]).await?;
            }
            transaction.script("CREATE TABLE IF NOT EXISTS schema_steps (version BIGINT PRIMARY KEY)").await?;
            let found = transaction.row(VERSION, vec![]).await?.flatten().unwrap_or(0);
            if found > known {
                return Err(StoreError::Newer { found, known });
            }
            if found > 0 && found < STEPS.first().map_or(0, |step| step.version) {
                return Err(StoreError::Older);
            }
            for step in STEPS.iter().filter(|step| step.version > found) {
                if let Some(first) = step.first {
                    transaction.script(first.told(transaction.is_postgres())).await?;
                }
                transaction.script(step.sql).await?;
                transaction.execute("INSERT INTO schema_steps (version) VALUES ($1)", values![step.version]).await?;
            }
            Ok(())
        })
    }
}

async fn open_sqlite(path: PathBuf) -> Result<Backend> {
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // What one transaction touches stays in memory (KiB), with what is needed to take back a part of it.
        .pragma("cache_size", "-32000")
        .pragma("temp_store", "MEMORY")
        // Pages; for when the task that empties the log is late.
        .pragma("wal_autocheckpoint", "16000")
        .busy_timeout(BUSY)
        .disable_statement_logging();
    let explain = |error: sqlx::Error| match StoreError::from(error) {
        StoreError::Full => StoreError::Full,
        error => StoreError::Place(format!(
            "the database `{}` cannot be opened: {error}; its folder must exist and be writable",
            path.display()
        )),
    };
    let connection = options.connect().await.map_err(explain)?;
    let (written, writes) = watch::channel(());
    let writer = Writer::start(connection, written);
    tokio::spawn(empty_log(options.clone().connect().await.map_err(explain)?, writes, writer.downgrade()));
    let readers = SqlitePoolOptions::new()
        .max_connections(4)
        .connect_with(options.create_if_missing(false).read_only(true).pragma("cache_size", "-2000"))
        .await
        .map_err(explain)?;
    Ok(Backend::Sqlite { writer, readers, path, log: Arc::default() })
}

async fn open_postgres(url: &str) -> Result<Backend> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| StoreError::Place("the PostgreSQL url of `[store]` cannot be read".to_owned()))?
        .disable_statement_logging();
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let pool = PgPoolOptions::new()
        .max_connections(16)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options)
        .await
        .map_err(|error| StoreError::Place(format!("PostgreSQL at {place} does not answer: {error}")))?;
    Ok(Backend::Postgres(pool))
}

async fn write_to_postgres<T>(
    pool: PgPool,
    manner: Manner,
    work: impl for<'t> FnOnce(&'t mut Transaction) -> Work<'t, T>,
) -> Result<T> {
    let mut transaction = Transaction { connection: Connection::Postgres(pool.acquire().await?) };
    let (begin, commit) = match manner {
        Manner::Single(Durability::Power) => ("", ""),
        Manner::Unsynced | Manner::Single(Durability::Process) => {
            ("BEGIN; SET LOCAL synchronous_commit = off", "COMMIT")
        }
        _ => ("BEGIN", "COMMIT"),
    };
    if !begin.is_empty() {
        transaction.script(begin).await?;
    }
    match work(&mut transaction).await {
        Ok(result) if commit.is_empty() => Ok(result),
        Ok(result) => transaction.script(commit).await.map(|()| result),
        Err(error) => {
            let _ = transaction.script("ROLLBACK").await;
            Err(error)
        }
    }
}

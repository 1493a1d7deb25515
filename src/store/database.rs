//! Statements over both drivers; and one writer for SQLite that commits many callers' work at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Postgres, Row as _, SqliteConnection, TypeInfo as _, ValueRef as _};
use tokio::sync::{mpsc, oneshot, watch};

use crate::model::Durability;

use crate::counters;

use super::dialect::Sql;
use super::values::{Columns, Row, Value};

/// Why the database did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// There is no room for more.
    #[error("the database has no room: its disk is full")]
    Full,
    /// The driver's own words; a lost connection, a broken rule of the schema.
    #[error("the database did not do it: {0}")]
    Database(Arc<sqlx::Error>),
    /// It was made by a later version of the program.
    #[error(
        "the database is of version {found}, this program knows versions up to {known}: run a newer pressrun, or restore a backup made before the update"
    )]
    Newer {
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// It was made before the first release, with a schema that no step leads on from.
    #[error("the database was made by a program from before the first release, and cannot be brought up to date")]
    Older,
    /// Something about the place where the database should be.
    #[error("{0}")]
    Place(String),
    /// A row that this program cannot have written.
    #[error("a row of the database does not have the expected form: {0}")]
    Form(String),
    /// The writer ended with the program.
    #[error("the database is closed")]
    Closed,
}

/// What the database did, or why not.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        // SQLITE_FULL and SQLITE_IOERR_SHMSIZE, and PostgreSQL's disk_full
        let error = match error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() {
            Some("13" | "4874" | "53100") => StoreError::Full,
            _ => StoreError::Database(Arc::new(error)),
        };
        if !error.is_conflict() {
            counters::DATABASE_ERRORS.count("");
        }
        error
    }
}

impl StoreError {
    /// Whether a rule of the schema (UNIQUE) said no: somebody else did the same thing first.
    pub fn is_conflict(&self) -> bool {
        matches!(self, StoreError::Database(error)
            if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation))
    }

    /// Whether it may be done in a while: the database is away, full, locked for long or only to be read for now
    /// (SQLITE_BUSY; PostgreSQL's classes 08, 53 and 57, and 25006).
    pub fn may_pass(&self) -> bool {
        let StoreError::Database(error) = self else { return matches!(self, StoreError::Full) };
        match &**error {
            _ if self.gave_way() => true,
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
            error => {
                let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
                ["5", "25006"].contains(&&*code)
                    || ["08", "53", "57"].iter().any(|class| code.len() == 5 && code.starts_with(class))
            }
        }
    }

    /// Whether PostgreSQL ended this transaction for another one's sake (40P01, 40001): nothing of it happened, and it
    /// can be done again.
    pub fn gave_way(&self) -> bool {
        let StoreError::Database(error) = self else { return false };
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        matches!(code.as_deref(), Some("40P01" | "40001"))
    }
}

/// Does it until the database does not give another's transaction way.
pub async fn again<T, Doing: Future<Output = Result<T>>>(work: impl Fn() -> Doing) -> Result<T> {
    loop {
        match work().await {
            Err(error) if error.gave_way() => {}
            done => return done,
        }
    }
}

/// Does a block of work in one transaction, by the way to write that is named: `transact!(self.write, |transaction| …)`.
macro_rules! transact {
    ($store:ident.$write:ident, |$transaction:ident| $work:block) => {
        $store.$write(move |$transaction| Box::pin(async move $work)).await
    };
}
pub(super) use transact;

/// A connection on which statements run, one after the other.
pub(super) enum Connection {
    /// SQLite: the writer's own.
    Sqlite(SqliteConnection),
    /// SQLite: one of the readers'.
    SqliteReader(PoolConnection<sqlx::Sqlite>),
    /// PostgreSQL.
    Postgres(PoolConnection<Postgres>),
}

/// Statements that take effect together or not at all.
pub struct Transaction {
    pub(super) connection: Connection,
}

/// What `super::Store::write` runs inside of a transaction.
pub type Work<'t, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 't>>;

/// Does the same on whichever connection it is.
macro_rules! on {
    ($connection:expr, |$one:ident| $work:expr) => {
        match $connection {
            Connection::Sqlite($one) => $work,
            Connection::SqliteReader($one) => {
                let $one = &mut **$one;
                $work
            }
            Connection::Postgres($one) => {
                let $one = &mut **$one;
                $work
            }
        }
    };
}

macro_rules! bound {
    ($sql:expr, $values:expr) => {{
        let mut query = sqlx::query($sql);
        for value in $values {
            query = match value {
                Value::Int(number) => query.bind(number),
                Value::Text(text) => query.bind(text),
            };
        }
        query
    }};
}

impl Transaction {
    /// Whether this is PostgreSQL.
    pub(super) fn is_postgres(&self) -> bool {
        matches!(self.connection, Connection::Postgres(_))
    }

    /// Runs a statement; says how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: impl Sql, values: Vec<Value>) -> Result<u64> {
        let sql = sql.text(self.is_postgres());
        Ok(on!(&mut self.connection, |one| bound!(sql, values).execute(one).await?.rows_affected()))
    }

    /// Runs statements without values, such as a step of the schema.
    pub(super) async fn script(&mut self, sql: &'static str) -> Result<()> {
        on!(&mut self.connection, |one| sqlx::raw_sql(sql).execute(one).await.map(drop)?);
        Ok(())
    }

    /// Runs a question, or a statement with RETURNING; gives all rows.
    pub(crate) async fn rows<T: Columns>(&mut self, sql: impl Sql, values: Vec<Value>) -> Result<Vec<T>> {
        let sql = sql.text(self.is_postgres());
        on!(&mut self.connection, |one| bound!(sql, values).fetch_all(one).await?.iter().map(read).collect())
    }

    /// As [`Transaction::rows`], but the first row only.
    pub(crate) async fn row<T: Columns>(&mut self, sql: impl Sql, values: Vec<Value>) -> Result<Option<T>> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Whether the answer has any row.
    pub(crate) async fn has_any(&mut self, sql: impl Sql, values: Vec<Value>) -> Result<bool> {
        Ok(self.row::<Row>(sql, values).await?.is_some())
    }

    /// Inserts many rows in few statements: `head` is `INSERT INTO t (a, b) VALUES`, `tail` what follows the rows.
    /// Says how many rows were inserted.
    pub(crate) async fn insert_many(&mut self, head: &str, rows: Vec<Vec<Value>>, tail: &str) -> Result<u64> {
        let mut inserted = 0;
        for (sql, values) in statements(head, rows, tail, self.is_postgres()) {
            inserted += self.execute(sql, values).await?;
        }
        Ok(inserted)
    }

    /// The same where `tail` ends with RETURNING; gives all rows.
    pub(crate) async fn insert_and_return<T: Columns>(
        &mut self,
        head: &str,
        rows: Vec<Vec<Value>>,
        tail: &str,
    ) -> Result<Vec<T>> {
        let mut returned = Vec::new();
        for (sql, values) in statements(head, rows, tail, self.is_postgres()) {
            returned.extend(self.rows(sql, values).await?);
        }
        Ok(returned)
    }
}

/// What inserts many rows, so many at a time.
fn statements(
    head: &str,
    rows: Vec<Vec<Value>>,
    tail: &str,
    numbered: bool,
) -> impl Iterator<Item = (sqlx::AssertSqlSafe<String>, Vec<Value>)> {
    const PER_STATEMENT: usize = 500;
    let mut rows = rows.into_iter();
    std::iter::from_fn(move || {
        let chunk: Vec<Vec<Value>> = rows.by_ref().take(PER_STATEMENT).collect();
        if chunk.is_empty() {
            return None;
        }
        let sql = format!("{head} {} {tail}", placeholders(&chunk, numbered));
        Some((sqlx::AssertSqlSafe(sql), chunk.into_iter().flatten().collect()))
    })
}

/// `($1, $2), ($3, $4)` for rows of two; for SQLite `(?, ?), (?, ?)`, because it looks a numbered place up by walking
/// through all of them.
fn placeholders(rows: &[Vec<Value>], numbered: bool) -> String {
    let (mut text, mut number) = (String::new(), 0);
    for row in rows {
        text.push_str(if number == 0 { "(" } else { "), (" });
        for place in 0..row.len() {
            number += 1;
            text.push_str(if place == 0 { "" } else { ", " });
            if numbered {
                text.push_str(&format!("${number}"));
            } else {
                text.push('?');
            }
        }
    }
    text + ")"
}

/// A driver's row, whose columns are known by the types they came with.
trait Answered: sqlx::Row {
    fn value(&self, column: usize) -> Result<Value, sqlx::Error>;
}

fn read<T: Columns>(answered: &impl Answered) -> Result<T> {
    Row::new((0..answered.len()).map(|column| answered.value(column)).collect::<Result<_, _>>()?).read()
}

impl Answered for SqliteRow {
    fn value(&self, column: usize) -> Result<Value, sqlx::Error> {
        let raw = self.try_get_raw(column)?;
        Ok(match (raw.is_null(), raw.type_info().name()) {
            (true, _) => Value::Int(None),
            (false, "INTEGER") => Value::Int(Some(self.try_get(column)?)),
            _ => Value::Text(Some(self.try_get(column)?)),
        })
    }
}

impl Answered for PgRow {
    fn value(&self, column: usize) -> Result<Value, sqlx::Error> {
        Ok(match self.column(column).type_info().name() {
            "INT8" => Value::Int(self.try_get(column)?),
            "INT4" => Value::Int(self.try_get::<Option<i32>, _>(column)?.map(i64::from)),
            "BOOL" => Value::Int(self.try_get::<Option<bool>, _>(column)?.map(i64::from)),
            _ => Value::Text(self.try_get(column)?),
        })
    }
}

/// Answers one caller, once it is known whether the commit held.
pub(super) type Answer = Box<dyn FnOnce(Result<()>) + Send>;

/// How long a transaction may take and what its commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Short: it shares its commit with others.
    Shared,
    /// Long: it has a commit of its own.
    Alone,
    /// Alone, and nobody waits for the disk: see [`super::Store::reach_disk`].
    Unsynced,
    /// The same for one statement, which is a transaction of its own. PostgreSQL waits if power is to be survived.
    Single(Durability),
}

impl Manner {
    /// What a commit of SQLite waits for.
    fn durability(self) -> Durability {
        match self {
            Manner::Shared | Manner::Alone => Durability::Power,
            Manner::Unsynced | Manner::Single(_) => Durability::Process,
        }
    }
}

/// What begins a transaction and what ends it.
const AROUND: (&str, &str) = ("BEGIN IMMEDIATE", "COMMIT");

/// One caller's work; says whether it is to be kept. Without a transaction, it answers with the reason.
pub(super) type Job = Box<dyn for<'t> FnOnce(Result<&'t mut Transaction>) -> Done<'t> + Send>;
type Done<'t> = Pin<Box<dyn Future<Output = (bool, Answer)> + Send + 't>>;

/// The one writer of a SQLite file in this process.
///
/// Work of many callers is done in one transaction, each behind a savepoint of its own, and each caller hears only
/// after the commit: one wait for the disk serves all of them. Work that takes long has a transaction to itself, so that
/// whoever comes meanwhile waits for the end of that one and not for the next.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    shared: mpsc::Sender<Job>,
    long: mpsc::Sender<(Manner, Job)>,
}

/// No transaction takes in new work after this long, so that no other process waits for longer.
const LONGEST_TURN: std::time::Duration = std::time::Duration::from_millis(25);

impl Writer {
    /// Starts the writer on `connection`; `written` is told of every commit.
    pub(super) fn start(connection: SqliteConnection, written: watch::Sender<()>) -> Writer {
        let ((shared, mut short_jobs), (long, mut long_jobs)) = (mpsc::channel(1024), mpsc::channel(16));
        tokio::spawn(async move {
            let mut writing = Writing {
                transaction: Transaction { connection: Connection::Sqlite(connection) },
                durability: Durability::Power,
            };
            loop {
                tokio::select! {
                    Some(job) = short_jobs.recv() => writing.write_together(job, &mut short_jobs).await,
                    Some((manner, job)) = long_jobs.recv() => {
                        writing.write_alone(manner, job).await;
                        // Whoever came meanwhile is next.
                        if let Ok(job) = short_jobs.try_recv() {
                            writing.write_together(job, &mut short_jobs).await;
                        }
                    }
                    else => break,
                }
                written.send_replace(());
            }
        });
        Writer { shared, long }
    }

    /// For whoever must not keep the writer from ending.
    pub(super) fn downgrade(&self) -> mpsc::WeakSender<(Manner, Job)> {
        self.long.downgrade()
    }

    /// Does `work` with whatever else waits, or alone, and answers after the commit.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        manner: Manner,
        work: impl for<'t> FnOnce(&'t mut Transaction) -> Work<'t, T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            Box::pin(async move {
                let result = match transaction {
                    Ok(transaction) => work(transaction).await,
                    Err(error) => Err(error),
                };
                let keep = result.is_ok();
                let reply: Answer = Box::new(move |committed| drop(answer.send(committed.and(result))));
                (keep, reply)
            })
        });
        let is_taken = match manner {
            Manner::Shared => self.shared.send(job).await.is_ok(),
            _ => self.long.send((manner, job)).await.is_ok(),
        };
        if !is_taken {
            return Err(StoreError::Closed);
        }
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

/// The writer's connection, and what its commits wait for.
struct Writing {
    transaction: Transaction,
    durability: Durability,
}

impl Writing {
    /// Has commits wait for the disk, or not. What a commit leaves to the system's memory, the next one that waits for
    /// the disk brings along.
    async fn survive(&mut self, durability: Durability) -> Result<()> {
        if self.durability != durability {
            let pragma = match durability {
                Durability::Power => "PRAGMA synchronous = FULL",
                Durability::Process => "PRAGMA synchronous = NORMAL",
            };
            self.transaction.script(pragma).await?;
            self.durability = durability;
        }
        Ok(())
    }

    async fn write_alone(&mut self, manner: Manner, job: Job) {
        let mut ready = self.survive(manner.durability()).await;
        let is_single = matches!(manner, Manner::Single(_));
        if ready.is_ok() && !is_single {
            ready = self.transaction.script(AROUND.0).await;
        }
        if let Err(error) = ready {
            return job(Err(error.clone())).await.1(Err(error));
        }
        let (keep, answer) = job(Ok(&mut self.transaction)).await;
        let committed = if keep && !is_single { self.transaction.script(AROUND.1).await } else { Ok(()) };
        if !is_single && (!keep || committed.is_err()) {
            // What SQLite took back by itself, with a full disk, cannot be taken back again; the first error is told.
            let _ = self.transaction.script("ROLLBACK").await;
        }
        answer(committed);
    }

    async fn write_together(&mut self, first: Job, jobs: &mut mpsc::Receiver<Job>) {
        let mut answers = Vec::new();
        let committed = self.take_turns(first, jobs, &mut answers).await;
        if committed.is_err() {
            let _ = self.transaction.script("ROLLBACK").await;
        }
        for answer in answers {
            answer(committed.clone());
        }
    }

    async fn take_turns(
        &mut self,
        first: Job,
        jobs: &mut mpsc::Receiver<Job>,
        answers: &mut Vec<Answer>,
    ) -> Result<()> {
        let mut ready = self.survive(Durability::Power).await;
        if ready.is_ok() {
            ready = self.transaction.script(AROUND.0).await;
        }
        if let Err(error) = ready {
            answers.push(first(Err(error.clone())).await.1);
            return Err(error);
        }
        let transaction = &mut self.transaction;
        let started = tokio::time::Instant::now();
        let mut next = Some(first);
        while let Some(job) = next {
            transaction.script("SAVEPOINT job").await?;
            let (keep, answer) = job(Ok(transaction)).await;
            answers.push(answer);
            transaction.script(if keep { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" }).await?;
            next = if started.elapsed() < LONGEST_TURN { jobs.try_recv().ok() } else { None };
        }
        transaction.script(AROUND.1).await
    }
}

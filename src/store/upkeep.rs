//! Copies of the database, and whether it is sound.

use std::path::Path;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use super::database::{Connection, Result, StoreError, Transaction};
use super::identity::SET;
use super::open::{Store, VERSION};
use super::values::{Row, values};

/// Sums that must add up; each question gives one row for each place where they do not.
const RULES: &[(&str, &str)] = &[
    (
        "an active subscription is served to a number that was never given out",
        "SELECT s.id FROM subscriptions s JOIN newsletters n ON n.id = s.newsletter WHERE s.covered_to > n.sequence",
    ),
    (
        "a finished issue has deliveries that are not at rest",
        "SELECT DISTINCT i.id FROM issues i JOIN deliveries d ON d.issue = i.id
         WHERE i.state = 'finished' AND d.state IN ('queued', 'sending', 'deferred')",
    ),
    (
        "a delivery was sent without an attempt that says so",
        "SELECT d.id FROM deliveries d WHERE d.state = 'sent'
         AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.delivery = d.id)",
    ),
];

impl Store {
    /// Copies an SQLite database to a new file as it is at one moment, while it is in use.
    pub async fn copy_to(&self, file: &Path) -> Result<()> {
        let name = file.to_str().ok_or_else(|| StoreError::Place("the file's name is not text".to_owned()))?;
        self.rows::<Row>("VACUUM INTO $1", values![name]).await.map(drop)
    }

    /// What is wrong with the database: damage that the engine finds, and sums that do not add up.
    pub async fn problems(&self) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        if !self.is_postgres() {
            let said = self.rows::<String>("PRAGMA integrity_check", vec![]).await?;
            let damage = said.iter().filter(|said| *said != "ok");
            problems.extend(damage.map(|said| format!("the file is damaged: {said}")));
            for table in self.rows::<String>("PRAGMA foreign_key_check", vec![]).await? {
                problems.push(format!("a row of `{table}` refers to one that is not there"));
            }
        }
        for (problem, sql) in RULES {
            for id in self.rows::<String>(*sql, vec![]).await? {
                problems.push(format!("{problem}: {id}"));
            }
        }
        Ok(problems)
    }
}

/// Holds all sending in a copy that is not in use, before it gets its name.
pub async fn hold_copy(file: &Path, reason: String) -> Result<()> {
    let mut copy = alone(file, false).await?;
    copy.execute(SET, values!["hold", reason]).await.map(drop)
}

/// Whether a file is a sound database of ours, of a version that this program knows.
pub async fn look_over(file: &Path) -> Result<()> {
    if !file.is_file() {
        return Err(StoreError::Place("there is no such file".to_owned()));
    }
    let mut copy = alone(file, true).await?;
    let said: Option<String> = copy.row("PRAGMA integrity_check", vec![]).await?;
    if said.as_deref() != Some("ok") {
        return Err(StoreError::Place("the file is damaged".to_owned()));
    }
    let found = copy.row(VERSION, vec![]).await?.flatten().unwrap_or(0);
    let known = super::schema::STEPS.last().map_or(0, |step| step.version);
    if found > known { Err(StoreError::Newer { found, known }) } else { Ok(()) }
}

async fn alone(file: &Path, read_only: bool) -> Result<Transaction> {
    let options = SqliteConnectOptions::new().filename(file).read_only(read_only).disable_statement_logging();
    Ok(Transaction { connection: Connection::Sqlite(options.connect().await?) })
}

//! What the database knows about itself: whose it is, where it lives, whether sending is held, and which content is the
//! newest.

use chrono::{DateTime, Utc};

use super::database::{Result, Transaction, transact};
use super::open::Store;
use super::values::values;

/// Where a database believes it is at home. Opened anywhere else, it must not send by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The publication's url; empty while none is set.
    pub url: String,
    /// The machine and, for a file, its path; for PostgreSQL the database itself.
    pub host: String,
}

/// Keeps a fact under its name, whatever it was before.
pub(super) const SET: &str = "INSERT INTO facts (name, value) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

impl Store {
    /// A fact by its name.
    pub(super) async fn fact(&self, name: &'static str) -> Result<Option<String>> {
        self.row("SELECT value FROM facts WHERE name = $1", values![name]).await
    }

    /// Where the database was last at home; none: it is new.
    pub async fn home(&self) -> Result<Option<Home>> {
        Ok(match (self.fact("url").await?, self.fact("host").await?) {
            (Some(url), Some(host)) => Some(Home { url, host }),
            _ => None,
        })
    }

    /// Settles the database at `home` and lifts the hold on sending, in one transaction.
    pub async fn settle(&self, home: Home) -> Result<()> {
        transact!(self.write, |transaction| {
            transaction.execute(SET, values!["url", home.url]).await?;
            transaction.execute(SET, values!["host", home.host]).await?;
            transaction.execute("DELETE FROM facts WHERE name = 'hold'", vec![]).await?;
            Ok(())
        })
    }

    /// Where `serve` was last reached, for commands that work beside it while the publication has no url.
    pub async fn bound_url(&self) -> Result<Option<String>> {
        self.fact("bound-url").await
    }

    /// Remembers where `serve` is reached.
    pub async fn set_bound_url(&self, url: &str) -> Result<()> {
        self.execute(SET, values!["bound-url", url]).await.map(drop)
    }

    /// Holds all sending from the next claim and the next note on.
    pub async fn hold(&self, reason: String) -> Result<()> {
        self.execute(SET, values!["hold", reason]).await.map(drop)
    }

    /// Why all sending is held; none: it is not.
    pub async fn held(&self) -> Result<Option<String>> {
        self.fact("hold").await
    }

    /// Notes that a process at `place` (a machine and a folder) works with the content of this revision.
    ///
    /// It becomes the newest if nobody had it before, or if the newest was here until now: then somebody took it back
    /// on purpose. A place that only comes by what others had before changes nothing. One transaction.
    pub async fn see_revision(&self, place: &str, revision: &str, now: DateTime<Utc>) -> Result<()> {
        let (here, revision) = (format!("revision at {place}"), revision.to_owned());
        transact!(self.write, |transaction| {
            let fact = "SELECT value FROM facts WHERE name = $1";
            let before: Option<String> = transaction.row(fact, values![&here]).await?;
            if before.as_ref() == Some(&revision) {
                return Ok(());
            }
            let newest: Option<String> = transaction.row(fact, values!["revision"]).await?;
            let known = "SELECT 1 FROM revisions WHERE id = $1";
            if newest == before || !transaction.has_any(known, values![&revision]).await? {
                make_newest(transaction, &revision, now).await?;
            }
            transaction.execute(SET, values![here, revision]).await.map(drop)
        })
    }

    /// Makes a revision the newest, by an editor's word. One transaction.
    pub async fn set_newest_revision(&self, revision: &str, now: DateTime<Utc>) -> Result<()> {
        let revision = revision.to_owned();
        transact!(self.write, |transaction| { make_newest(transaction, &revision, now).await })
    }

    /// When a newer revision than this one was seen, if there is one: whoever works with this one is behind.
    pub async fn superseded_at(&self, revision: &str) -> Result<Option<DateTime<Utc>>> {
        let sql = "SELECT n.seen_at FROM revisions r, facts f JOIN revisions n ON n.id = f.value
            WHERE r.id = $1 AND f.name = 'revision' AND n.id <> r.id";
        self.row(sql, values![revision]).await
    }

    /// A name for the PostgreSQL database itself: the cluster's identifier and the database's number, so that a
    /// dump loaded elsewhere is told apart. None for SQLite.
    pub async fn postgres_identity(&self) -> Result<Option<String>> {
        if !self.is_postgres() {
            return Ok(None);
        }
        let sql = "SELECT c.system_identifier::text || '/' || d.oid::text
            FROM pg_control_system() c, pg_database d WHERE d.datname = current_database()";
        self.row(sql, vec![]).await
    }
}

async fn make_newest(transaction: &mut Transaction, revision: &str, now: DateTime<Utc>) -> Result<()> {
    let sql = "INSERT INTO revisions (id, seen_at) VALUES ($1, $2)
        ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";
    transaction.execute(sql, values![revision, now]).await?;
    transaction.execute(SET, values!["revision", revision]).await.map(drop)
}

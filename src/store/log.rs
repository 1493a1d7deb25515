//! SQLite's write-ahead log: brought to the database's file beside the writer, and begun anew.

use std::time::Duration;

use sqlx::SqliteConnection;
use tokio::sync::{mpsc, watch};

use crate::model::Durability;

use super::database::{Answer, Connection, Job, Manner, Transaction};
use super::values::Row;

/// How much may be written before it is brought from the log to the database's file…
const LOG_PAGES: i64 = 4000;
/// …how little of it must be left for the writer itself…
const REST: i64 = 500;
/// …and how often that is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// Only as far as readers let it, and without making anybody wait.
const EMPTY_LOG: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Brings what was written from the log to the file, beside the writer and as long as there is one, so that nobody's
/// commit waits for it; SQLite itself would do so in the commit that makes the log long.
///
/// The little that was written meanwhile, the writer brings itself: the log begins anew only when nothing is left in it,
/// and otherwise grows, which takes the disk twice as long to make durable.
pub(super) async fn empty_log(
    connection: SqliteConnection,
    mut written: watch::Receiver<()>,
    writer: mpsc::WeakSender<(Manner, Job)>,
) {
    let mut connection = Transaction { connection: Connection::Sqlite(connection) };
    while written.changed().await.is_ok() {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let (length, mut left) = log_of(&mut connection).await;
        if length < LOG_PAGES {
            continue;
        }
        for _ in 0..5 {
            if left > REST {
                // What fails here is done by a later commit; see `wal_autocheckpoint`.
                let _ = connection.rows::<Row>(EMPTY_LOG, vec![]).await;
                left = log_of(&mut connection).await.1;
            }
        }
        if let Some(writer) = writer.upgrade().filter(|_| (1..=REST).contains(&left)) {
            let rest: Job = Box::new(|connection| {
                Box::pin(async {
                    if let Ok(connection) = connection {
                        let _ = connection.rows::<Row>(EMPTY_LOG, vec![]).await;
                    }
                    (true, Box::new(drop) as Answer)
                })
            });
            let _ = writer.send((Manner::Single(Durability::Process), rest)).await;
        }
    }
}

/// How many pages the log has, and how many of them were not brought to the file.
async fn log_of(connection: &mut Transaction) -> (i64, i64) {
    let log = connection.row::<(i64, i64, i64)>("PRAGMA wal_checkpoint(NOOP)", vec![]).await;
    let (_, length, brought) = log.ok().flatten().unwrap_or_default();
    (length, length - brought)
}

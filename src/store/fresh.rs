//! Empty databases for tests: SQLite always, PostgreSQL when `PRESSRUN_TEST_POSTGRES` names a server.

use tempfile::TempDir;

use crate::clock;
use crate::config::Secret;

use super::{Store, StoreAddress};

/// A fresh SQLite store, and what keeps it alive.
pub(crate) async fn sqlite() -> (Store, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Store::open(&StoreAddress::Sqlite(folder.path().join("test.db"))).await.unwrap(), folder)
}

/// One fresh store of each kind that can be had here, and what keeps it alive.
pub(crate) async fn stores() -> Vec<(Store, TempDir)> {
    let mut stores = vec![sqlite().await];
    #[expect(clippy::disallowed_methods, reason = "the test script says where its server is")]
    if let Ok(server) = std::env::var("PRESSRUN_TEST_POSTGRES") {
        let name = format!("test_{}", clock::new_id());
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&server).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
        let postgres = Store::open(&StoreAddress::Postgres(Secret::new(url))).await.unwrap();
        stores.push((postgres, tempfile::tempdir().unwrap()));
    }
    stores
}

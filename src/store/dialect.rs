//! The few places where SQLite and PostgreSQL are told different things.

/// A statement, as each of the two is told it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dialects {
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

impl Dialects {
    /// What PostgreSQL is told, or else SQLite.
    pub fn told(self, is_postgres: bool) -> &'static str {
        if is_postgres { self.postgres } else { self.sqlite }
    }
}

/// A statement, whose text may depend on who is told.
pub(crate) trait Sql: Send + 'static {
    /// Its text for PostgreSQL, or else for SQLite.
    fn text(self, is_postgres: bool) -> impl sqlx::SqlSafeStr;
}

impl Sql for &'static str {
    fn text(self, _: bool) -> impl sqlx::SqlSafeStr {
        self
    }
}

impl Sql for Dialects {
    fn text(self, is_postgres: bool) -> impl sqlx::SqlSafeStr {
        self.told(is_postgres)
    }
}

impl Sql for sqlx::AssertSqlSafe<String> {
    fn text(self, _: bool) -> impl sqlx::SqlSafeStr {
        self
    }
}

/// Picks rows to claim: PostgreSQL passes over those that another sender is claiming at this moment; SQLite has one
/// writer, so there are none.
macro_rules! claim {
    ($pick:expr, $then:expr) => {
        $crate::store::dialect::Dialects {
            sqlite: concat!("WITH picked AS MATERIALIZED (", $pick, ") ", $then),
            postgres: concat!("WITH picked AS MATERIALIZED (", $pick, " FOR UPDATE SKIP LOCKED) ", $then),
        }
    };
}
pub(super) use claim;

/// Asks about many keys at once: `$1` is a JSON array of texts, which the statement sees as `listed (value)`.
macro_rules! listed {
    ($then:expr) => {
        listed!("jsonb_array_elements_text", $then)
    };
    ($elements:literal, $then:expr) => {
        $crate::store::dialect::Dialects {
            sqlite: concat!("WITH listed (value) AS (SELECT value FROM jsonb_each($1)) ", $then),
            postgres: concat!("WITH listed (value) AS (SELECT ", $elements, "($1::text::jsonb)) ", $then),
        }
    };
}
pub(super) use listed;

/// As `listed`, for a JSON array of objects, of which `listed.value ->> 'name'` is a member as text.
macro_rules! listed_rows {
    ($then:expr) => {
        $crate::store::dialect::listed!("jsonb_array_elements", $then)
    };
}
pub(super) use listed_rows;

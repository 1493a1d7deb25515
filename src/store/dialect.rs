//! The few places where SQLite and PostgreSQL are told different things.

/// Picks rows to claim: PostgreSQL passes over those that another sender is claiming at this moment; SQLite has one
/// writer, so there are none.
macro_rules! claim {
    ($postgres:expr, $pick:expr, $then:expr) => {
        if $postgres {
            concat!("WITH picked AS MATERIALIZED (", $pick, " FOR UPDATE SKIP LOCKED) ", $then)
        } else {
            concat!("WITH picked AS MATERIALIZED (", $pick, ") ", $then)
        }
    };
}
pub(super) use claim;

/// Asks about many keys at once: `$1` is a JSON array of texts, which the statement sees as `listed (value)`.
macro_rules! listed {
    ($postgres:expr, $then:expr) => {
        if $postgres {
            concat!("WITH listed (value) AS (SELECT jsonb_array_elements_text($1::text::jsonb)) ", $then)
        } else {
            concat!("WITH listed (value) AS (SELECT value FROM json_each($1)) ", $then)
        }
    };
}
pub(super) use listed;

/// As `listed`, for a JSON array of objects, of which `listed.value ->> 'name'` is a member as text.
macro_rules! listed_rows {
    ($postgres:expr, $then:expr) => {
        if $postgres {
            concat!("WITH listed (value) AS (SELECT jsonb_array_elements($1::text::jsonb)) ", $then)
        } else {
            concat!("WITH listed (value) AS (SELECT value FROM json_each($1)) ", $then)
        }
    };
}
pub(super) use listed_rows;

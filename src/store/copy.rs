//! Moving a whole database into an empty one, of the same kind or the other.
//!
//! Tables, columns and their order come from the schemas as they stand, so that whatever is added to them is moved too.

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};

use crate::model::OnUnknown;

use super::database::{Result, StoreError, Transaction, transact};
use super::dialect::Dialects;
use super::open::Store;
use super::values::{Row, Value, values};

/// A table that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Its name.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
    /// The sum of all rows, each by its hash, in whatever order.
    pub checksum: u64,
}

/// A table, as both databases have it.
struct Table {
    name: String,
    /// Its columns, and whether each holds numbers.
    columns: Vec<(String, bool)>,
    /// Which of them make up its key, by their places; none: it has no key.
    key: Vec<usize>,
}

/// How many rows are read and written at once.
const PAGE: usize = 5_000;

/// Every column of our tables: table, name, whether it holds numbers, place in the key (0: not in it).
const COLUMNS: Dialects = Dialects {
    sqlite: "SELECT t.name, c.name, c.type = 'BIGINT', c.pk FROM sqlite_schema t JOIN pragma_table_info(t.name) c
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'schema_steps' ORDER BY t.name, c.cid",
    postgres: "SELECT t.relname::text, c.attname::text, c.atttypid = 'bigint'::regtype,
            COALESCE(array_position(i.indkey::int2[], c.attnum) + 1, 0)::bigint
        FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped
        LEFT JOIN pg_index i ON i.indrelid = t.oid AND i.indisprimary
        WHERE t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace AND t.relname <> 'schema_steps'
        ORDER BY t.relname, c.attnum",
};

/// Which table refers to which.
const REFERENCES: Dialects = Dialects {
    sqlite: "SELECT t.name, r.\"table\" FROM sqlite_schema t JOIN pragma_foreign_key_list(t.name) r
        WHERE t.type = 'table'",
    postgres: "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
        WHERE contype = 'f' AND connamespace = current_schema()::regnamespace",
};

impl Store {
    /// A table that holds rows already, if there is one: into such a database nothing is copied.
    pub async fn filled_table(&self) -> Result<Option<String>> {
        let mut here = self.snapshot().await?;
        for table in tables(&mut here).await? {
            let sql = format!("SELECT 1 FROM \"{}\" LIMIT 1", table.name);
            if here.has_any(sqlx::AssertSqlSafe(sql), vec![]).await? {
                return Ok(Some(table.name));
            }
        }
        Ok(None)
    }

    /// Copies every table as it is at this moment into `target`, which is empty and belongs to nobody else, and holds
    /// all sending there first. What was read and what lies there afterwards is compared; `tell` hears of each table.
    ///
    /// # Errors
    ///
    /// Whatever stops it leaves the target half filled, and so of no use.
    pub async fn copy_into(&self, target: &Store, hold: String, mut tell: impl FnMut(Copied)) -> Result<()> {
        target.hold(hold).await?;
        let mut source = self.snapshot().await?;
        let theirs = tables(&mut target.snapshot().await?).await?;
        for table in tables(&mut source).await? {
            // What is not of ours in the source has no place in the target.
            let Some(like) = theirs.iter().find(|other| other.name == table.name) else { continue };
            let copied = copy_table(&mut source, target, &table, like).await?;
            if sum_up(&mut target.snapshot().await?, &table).await? != copied {
                return Err(StoreError::Form(format!("`{}` is not in the target as it is in the source", table.name)));
            }
            tell(copied);
        }
        Ok(())
    }

    /// Ends the leases that came with a copy: what was being handed over goes back to the queue or, with a note, may
    /// have arrived. One transaction for leases, one for deliveries.
    pub async fn end_leases(&self, now: DateTime<Utc>, on_unknown: OnUnknown) -> Result<()> {
        transact!(self.write, |transaction| {
            let deliveries = "UPDATE deliveries SET lease_until = $1 WHERE state = 'sending'";
            transaction.execute(deliveries, values![now]).await?;
            let errands = "UPDATE errands SET lease = NULL, leased_until = NULL WHERE lease IS NOT NULL";
            transaction.execute(errands, vec![]).await.map(drop)
        })?;
        self.release_expired(now, on_unknown).await.map(drop)
    }

    /// Whether any sender has any delivery in its hands, under a lease that holds at `now`.
    pub async fn is_sending(&self, now: DateTime<Utc>) -> Result<bool> {
        let sql = "SELECT 1 FROM deliveries WHERE state = 'sending' AND lease_until > $1 LIMIT 1";
        self.has_any(sql, values![now]).await
    }
}

/// Our tables, each after those that it refers to.
async fn tables(here: &mut Transaction) -> Result<Vec<Table>> {
    let mut waiting: Vec<Table> = Vec::new();
    let columns: Vec<(String, String, bool, i64)> = here.rows(COLUMNS, vec![]).await?;
    let mut places = Vec::new();
    for (name, column, is_number, place) in columns {
        if waiting.last().is_none_or(|table| table.name != name) {
            waiting.push(Table { name, columns: Vec::new(), key: Vec::new() });
            places.clear();
        }
        let Some(table) = waiting.last_mut() else { continue };
        places.push(place);
        table.columns.push((column, is_number));
        table.key = (0..places.len()).filter(|column| places[*column] > 0).collect();
        table.key.sort_by_key(|column| places[*column]);
    }
    let references: Vec<(String, String)> = here.rows(REFERENCES, vec![]).await?;
    let mut sorted: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let is_free = |table: &Table| {
            let mut parents = references.iter().filter(|(child, parent)| *child == table.name && parent != child);
            parents.all(|(_, parent)| waiting.iter().all(|other| other.name != *parent))
        };
        // Tables that refer to each other in a circle would not be taken by any database in any order.
        let next = waiting.iter().position(is_free).unwrap_or(0);
        sorted.push(waiting.remove(next));
    }
    Ok(sorted)
}

async fn copy_table(source: &mut Transaction, target: &Store, table: &Table, like: &Table) -> Result<Copied> {
    let mut copied = Copied { table: table.name.clone(), rows: 0, checksum: 0 };
    let head = format!("INSERT INTO \"{}\" ({}) VALUES", table.name, table.names());
    let mut page = table.page_after(source, None).await?;
    while let Some(last) = page.last().cloned() {
        copied.add(&page);
        let rows: Vec<Vec<Value>> = page.into_iter().map(|row| like.typed(table, row)).collect();
        let head = head.clone();
        let written = target
            .write_long(move |transaction| Box::pin(async move { transaction.insert_many(&head, rows, "").await }));
        let next =
            async { if table.key.is_empty() { Ok(Vec::new()) } else { table.page_after(source, Some(&last)).await } };
        let (written, next) = tokio::join!(written, next);
        written?;
        page = next?;
    }
    Ok(copied)
}

async fn sum_up(here: &mut Transaction, table: &Table) -> Result<Copied> {
    let mut sum = Copied { table: table.name.clone(), rows: 0, checksum: 0 };
    let mut page = table.page_after(here, None).await?;
    while let Some(last) = page.last().cloned() {
        sum.add(&page);
        if table.key.is_empty() {
            break;
        }
        page = table.page_after(here, Some(&last)).await?;
    }
    Ok(sum)
}

impl Copied {
    fn add(&mut self, page: &[Vec<Value>]) {
        for row in page {
            let mut bytes = Vec::with_capacity(256);
            for value in row {
                match value {
                    Value::Int(None) | Value::Text(None) => bytes.push(0),
                    Value::Int(Some(number)) => {
                        bytes.push(1);
                        bytes.extend(number.to_le_bytes());
                    }
                    Value::Text(Some(text)) => {
                        bytes.push(2);
                        bytes.extend(text.len().to_le_bytes());
                        bytes.extend(text.as_bytes());
                    }
                }
            }
            let hash = digest::digest(&digest::SHA256, &bytes);
            let part = hash.as_ref().first_chunk().copied().map_or(0, u64::from_le_bytes);
            (self.rows, self.checksum) = (self.rows + 1, self.checksum.wrapping_add(part));
        }
    }
}

impl Table {
    fn names(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        names.join(", ")
    }

    /// The rows that come after `last` in the order of the key; all at once where there is none, which holds for small
    /// tables only. That sending is held is each database's own.
    async fn page_after(&self, here: &mut Transaction, last: Option<&Vec<Value>>) -> Result<Vec<Vec<Value>>> {
        let mut sql = format!("SELECT {} FROM \"{}\" WHERE ", self.names(), self.name);
        sql.push_str(if self.name == "facts" { "name <> 'hold'" } else { "1 = 1" });
        let key: Vec<String> = self.key.iter().map(|column| format!("\"{}\"", self.columns[*column].0)).collect();
        let mut values = Vec::new();
        if let Some(last) = last {
            let places: Vec<String> = (1..=key.len()).map(|place| format!("${place}")).collect();
            sql.push_str(&format!(" AND ({}) > ({})", key.join(", "), places.join(", ")));
            values = self.key.iter().map(|column| last[*column].clone()).collect();
        }
        if !key.is_empty() {
            sql.push_str(&format!(" ORDER BY {} LIMIT {PAGE}", key.join(", ")));
        }
        let rows: Vec<Row> = here.rows(sqlx::AssertSqlSafe(sql), values).await?;
        Ok(rows.into_iter().map(Row::into_values).collect())
    }

    /// A row of `other`, with what is not there as text or number, as this database's column has it.
    fn typed(&self, other: &Table, row: Vec<Value>) -> Vec<Value> {
        let is_number = |name: &str| self.columns.iter().any(|(column, is_number)| column == name && *is_number);
        let typed = |(value, (name, _)): (Value, &(String, bool))| match value {
            Value::Int(None) | Value::Text(None) if is_number(name) => Value::Int(None),
            Value::Int(None) => Value::Text(None),
            value => value,
        };
        row.into_iter().zip(&other.columns).map(typed).collect()
    }
}

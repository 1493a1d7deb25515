//! Values in, rows out: what each of our types is in the database.

use chrono::{DateTime, Utc};

use crate::model::{
    AgreementId, ArticleId, Cadence, Cause, CustomerId, DeliveryId, DeliveryState, EmailAddress, Every, InvoiceState,
    IssueId, IssueKind, IssueState, MembershipState, NewsletterId, PlanId, SubscriberId, SubscriptionId,
    SubscriptionState, SuppressionReason, Viewer,
};

use super::database::{Result, StoreError};
use super::ledger::Standing;

/// What goes into a statement and comes out of a row. The types are the schema's: whole numbers and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// BIGINT, or NULL in its place.
    Int(Option<i64>),
    /// TEXT, or NULL in its place.
    Text(Option<String>),
}

/// Writes a list of [`Value`]s from whatever turns into them.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::values::Value::from($value)),*] };
}
pub(crate) use values;

/// One row of an answer, read from its first column to its last.
#[derive(Debug, Clone, Default)]
pub struct Row(std::vec::IntoIter<Value>);

/// What is read from a column of a row, or from some that stand together.
pub trait Columns: Sized {
    /// Reads them, from where the row has been read to.
    fn read(row: &mut Row) -> Result<Self>;
}

/// Has a struct read from columns in the order of the fields that are named.
macro_rules! columns {
    ($($kind:ident: $($field:ident),+;)+) => {$(
        impl $crate::store::values::Columns for $kind {
            fn read(row: &mut $crate::store::values::Row) -> $crate::store::database::Result<$kind> {
                Ok($kind { $($field: row.read()?),+ })
            }
        }
    )+};
}
pub(super) use columns;

impl Row {
    pub(super) fn new(values: Vec<Value>) -> Row {
        Row(values.into_iter())
    }

    /// What has not been read of it.
    pub(super) fn into_values(self) -> Vec<Value> {
        self.0.collect()
    }

    /// What comes next.
    pub fn read<T: Columns>(&mut self) -> Result<T> {
        T::read(self)
    }

    /// That `text`, which was read, is not what stands in that column.
    pub(super) fn unfit(&self, text: &str, what: &str) -> StoreError {
        StoreError::Form(format!("`{text}` is not a {what}"))
    }

    fn missing(&self, what: &str) -> StoreError {
        StoreError::Form(format!("there is no {what} before the last {} columns", self.0.len()))
    }
}

impl Columns for Row {
    fn read(row: &mut Row) -> Result<Row> {
        Ok(std::mem::take(row))
    }
}

impl Columns for i64 {
    fn read(row: &mut Row) -> Result<i64> {
        match row.0.next() {
            Some(Value::Int(Some(number))) => Ok(number),
            _ => Err(row.missing("number")),
        }
    }
}

impl Columns for bool {
    fn read(row: &mut Row) -> Result<bool> {
        Ok(i64::read(row)? == 1)
    }
}

impl Columns for DateTime<Utc> {
    fn read(row: &mut Row) -> Result<DateTime<Utc>> {
        Ok(DateTime::from_timestamp_millis(row.read()?).unwrap_or_default())
    }
}

impl Columns for String {
    fn read(row: &mut Row) -> Result<String> {
        match row.0.next() {
            Some(Value::Text(Some(text))) => Ok(text),
            _ => Err(row.missing("text")),
        }
    }
}

/// One a line.
impl Columns for Vec<String> {
    fn read(row: &mut Row) -> Result<Vec<String>> {
        Ok(String::read(row)?.lines().map(str::to_owned).collect())
    }
}

impl Columns for EmailAddress {
    fn read(row: &mut Row) -> Result<EmailAddress> {
        EmailAddress::parse(&String::read(row)?).map_err(|error| StoreError::Form(format!("an address: {error}")))
    }
}

/// What is NULL in its first column is not there; more than one column can be missing at the end of a row only.
impl<T: Columns> Columns for Option<T> {
    fn read(row: &mut Row) -> Result<Option<T>> {
        match row.0.as_slice().first() {
            Some(Value::Int(None) | Value::Text(None)) => {
                row.0.next();
                Ok(None)
            }
            _ => T::read(row).map(Some),
        }
    }
}

macro_rules! tuples {
    ($(($($part:ident),+))+) => {$(
        impl<$($part: Columns),+> Columns for ($($part),+) {
            fn read(row: &mut Row) -> Result<Self> {
                Ok(($($part::read(row)?),+))
            }
        }
    )+};
}
tuples! { (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F, G) }

macro_rules! into_values {
    ($($kind:ty => $variant:ident, $write:expr;)+) => {$(
        impl From<$kind> for Value {
            fn from(value: $kind) -> Value {
                Value::from(Some(value))
            }
        }
        impl From<Option<$kind>> for Value {
            fn from(value: Option<$kind>) -> Value {
                Value::$variant(value.map($write))
            }
        }
    )+};
}
into_values! {
    i64 => Int, |number| number;
    bool => Int, i64::from;
    // Milliseconds since 1970 in UTC.
    DateTime<Utc> => Int, |at| at.timestamp_millis();
    String => Text, |text| text;
    &String => Text, String::clone;
    &str => Text, str::to_owned;
    &Vec<String> => Text, |lines| lines.join("\n");
    &EmailAddress => Text, |address| address.as_str().to_owned();
}

macro_rules! ids {
    ($($id:ident),+) => {$(
        into_values! { &$id => Text, |id| id.as_str().to_owned(); }
        impl Columns for $id {
            fn read(row: &mut Row) -> Result<$id> {
                Ok($id::new(String::read(row)?))
            }
        }
    )+};
}
ids!(AgreementId, ArticleId, CustomerId, DeliveryId, IssueId, NewsletterId, PlanId, SubscriberId, SubscriptionId);

macro_rules! words {
    ($($word:ident),+) => {$(
        into_values! { $word => Text, |word| word.as_str().to_owned(); }
        impl Columns for $word {
            fn read(row: &mut Row) -> Result<$word> {
                let text = String::read(row)?;
                $word::parse(&text).ok_or_else(|| StoreError::Form(format!("`{text}` is not a known word")))
            }
        }
    )+};
}
words! {
    Cadence, Cause, DeliveryState, Every, InvoiceState, IssueKind, IssueState, MembershipState, Standing,
    SubscriptionState, SuppressionReason, Viewer
}

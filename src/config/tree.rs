//! publish.toml and the variables over it as one tree, in which every value knows where it was written.
//!
//! Knows TOML and the form of the variables' names, not what any setting means.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, de};

use super::settings::{self, Kind};

/// Where something was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// In publish.toml, in bytes.
    File(Range<usize>),
    /// In the variable of this name.
    Variable(String),
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// What can be written.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Whole(i64),
    Number(f64),
    List(Vec<Node>),
    Table(Table),
    /// Yes or no, a date, a number out of range: what no setting is.
    Other(&'static str),
}

/// Keys with their places, and what they hold.
pub(super) type Table = BTreeMap<String, (Place, Node)>;

impl Value {
    /// What it is called in a message.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Value::Text(_) => "text",
            Value::Whole(_) | Value::Number(_) => "a number",
            Value::List(_) => "a list",
            Value::Table(_) => "a section",
            Value::Other(name) => name,
        }
    }

    /// A text.
    pub(super) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    /// A list.
    pub(super) fn list(&self) -> Option<&[Node]> {
        if let Value::List(nodes) = self { Some(nodes) } else { None }
    }

    /// A section.
    pub(super) fn table(&self) -> Option<&Table> {
        if let Value::Table(table) = self { Some(table) } else { None }
    }

    /// A number.
    #[allow(clippy::cast_precision_loss, reason = "settings are small numbers, and their bounds are checked")]
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Whole(number) => Some(*number as f64),
            _ => None,
        }
    }

    /// The part of this name or number; `fresh` where there is none yet.
    fn part(&mut self, name: &str, fresh: Node) -> Result<&mut Node, Misfit> {
        match self {
            Value::Table(table) => {
                Ok(&mut table.entry(name.to_owned()).or_insert_with(|| (fresh.place.clone(), fresh)).1)
            }
            Value::List(list) => {
                let (number, next) = (index(name).ok_or(Misfit::Blocked)?, list.len());
                if number == next {
                    list.push(fresh);
                }
                list.get_mut(number).ok_or(Misfit::Gap(next))
            }
            _ => Err(Misfit::Blocked),
        }
    }
}

/// Reads the text as far as it can be read; the errors say where it cannot.
pub(super) fn parse(text: &str) -> (Value, Vec<de::Error>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    (Value::Table(entries(table.get_ref())), errors)
}

fn entries(table: &DeTable<'_>) -> Table {
    let entry = |(key, value): (&Spanned<de::DeString<'_>>, &Spanned<DeValue<'_>>)| {
        (key.get_ref().to_string(), (Place::File(key.span()), node(value)))
    };
    table.iter().map(entry).collect()
}

fn node(value: &Spanned<DeValue<'_>>) -> Node {
    let place = Place::File(value.span());
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("a number out of all bounds"), Value::Whole),
        DeValue::Float(number) => number.as_str().parse().map_or(Value::Other("a number"), Value::Number),
        DeValue::Boolean(_) => Value::Other("yes or no"),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(items) => Value::List(items.iter().map(node).collect()),
        DeValue::Table(table) => Value::Table(entries(table)),
    };
    Node { place, value }
}

/// Why a variable could not be laid over the file.
#[derive(Debug, PartialEq)]
pub(super) enum Misfit {
    /// A list has only so many parts: the next number is this.
    Gap(usize),
    /// Its way leads through something that has no parts.
    Blocked,
}

/// Lays the variable `name` over the tree; whatever stood at its place gives way.
pub(super) fn overlay(root: &mut Value, name: &str, text: &str) -> Result<(), Misfit> {
    let path = path_of(name);
    let (last, sections) = path.split_last().ok_or(Misfit::Blocked)?;
    let node = |value| Node { place: Place::Variable(name.to_owned()), value };
    let mut holder = root;
    for (section, following) in sections.iter().zip(&path[1..]) {
        let empty = if index(following).is_some() { Value::List(Vec::new()) } else { Value::Table(Table::new()) };
        holder = &mut holder.part(section, node(empty))?.value;
    }
    let value = node(value_of(&schema_path(&path), text, name));
    let fresh = node(Value::Other("nothing"));
    *holder.part(last, fresh)? = value;
    Ok(())
}

/// `PRESSRUN_MAIL__RELAYS__0__USER` is `mail`, `relays`, `0`, `user`.
fn path_of(name: &str) -> Vec<String> {
    let path = name.strip_prefix("PRESSRUN_").unwrap_or(name);
    path.split("__").map(|part| part.to_ascii_lowercase().replace('_', "-")).collect()
}

/// The path as the list of settings has it: `mail.relays[].user`.
fn schema_path(path: &[String]) -> String {
    let part = |part: &String| if index(part).is_some() { "[]".to_owned() } else { format!(".{part}") };
    path.iter().map(part).collect::<String>().trim_start_matches('.').to_owned()
}

fn index(part: &str) -> Option<usize> {
    part.parse().ok()
}

/// A variable is text; what it stands for follows from the setting.
fn value_of(path: &str, text: &str, variable: &str) -> Value {
    match settings::kind(path) {
        Some(Kind::Whole | Kind::Number) => text
            .parse()
            .map(Value::Whole)
            .or_else(|_| text.parse().map(Value::Number))
            .unwrap_or_else(|_| Value::Text(text.to_owned())),
        Some(Kind::Texts | Kind::Secrets) => {
            let place = Place::Variable(variable.to_owned());
            let texts = text.split(',').map(|part| Value::Text(part.trim().to_owned()));
            Value::List(texts.map(|value| Node { place: place.clone(), value }).collect())
        }
        _ => Value::Text(text.to_owned()),
    }
}

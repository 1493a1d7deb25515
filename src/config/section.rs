//! A part of the tree as it is read after its keys and kinds were checked: what is not there is none, what is wrong is
//! noted and is none as well.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::diagnostic::{Wrong, codes};

use super::report::Report;
use super::tree::{Place, Table, Value};
use super::{Secret, values};

/// A section, which need not be there.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    table: Option<&'a Table>,
    place: &'a Place,
    report: &'a Report<'a>,
}

impl<'a> Section<'a> {
    /// The whole tree.
    pub(super) fn root(table: &'a Table, report: &'a Report<'a>) -> Section<'a> {
        Section { table: Some(table), place: &Place::File(0..0), report }
    }

    /// One of the same report in which nothing is set.
    pub(super) fn empty(self) -> Section<'a> {
        Section { table: None, ..self }
    }

    fn get<T>(self, key: &str, take: impl Fn(&'a Value) -> Option<T>) -> Option<(T, &'a Place)> {
        let (_, node) = self.table?.get(key)?;
        Some((take(&node.value)?, &node.place))
    }

    /// `[key]`.
    pub(super) fn section(self, key: &str) -> Section<'a> {
        let table = self.get(key, Value::table);
        table.map_or(self.empty(), |(table, place)| Section { table: Some(table), place, ..self })
    }

    /// Each `[[key]]`.
    pub(super) fn sections(self, key: &str) -> Vec<Section<'a>> {
        let nodes = self.get(key, Value::list).map_or(&[][..], |(nodes, _)| nodes);
        let tables = nodes.iter().filter_map(|node| Some((node.value.table()?, &node.place)));
        tables.map(|(table, place)| Section { table: Some(table), place, ..self }).collect()
    }

    /// A text and where it was written.
    pub(super) fn placed(self, key: &str) -> Option<(&'a str, &'a Place)> {
        self.get(key, Value::text)
    }

    /// A text.
    pub(super) fn text(self, key: &str) -> Option<String> {
        self.placed(key).map(|(text, _)| text.to_owned())
    }

    /// Notes what is wrong with `key`, or with the section where it is missing.
    pub(super) fn note(self, key: &str, wrong: Wrong) {
        self.report.add(self.get(key, Some).map_or(self.place, |(_, place)| place), wrong);
    }

    /// A text, as `parse` understands it.
    pub(super) fn value<T>(self, key: &str, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        let (text, place) = self.placed(key)?;
        self.report.take(place, parse(text))
    }

    /// A text without which the section means nothing, as `parse` understands it.
    pub(super) fn needed<T>(self, key: &str, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        if self.placed(key).is_none() {
            let message = format!("`{key}` is missing here");
            self.note(key, Wrong::new(&codes::SETTINGS_MISSING, message, format!("add a line `{key} = \"…\"`")));
        }
        self.value(key, parse)
    }

    /// A short name that no other section may have.
    pub(super) fn own_id(self, taken: &mut BTreeSet<String>) -> Option<String> {
        let id = self.needed("id", values::short_name)?;
        if !taken.insert(id.clone()) {
            let message = format!("the id `{id}` is already taken further up");
            let help = "choose another id, or take one of the two out";
            self.note("id", Wrong::new(&codes::SETTINGS_DUPLICATE, message, help));
            return None;
        }
        Some(id)
    }

    /// Each of a list of texts, as `parse` understands it.
    pub(super) fn list<T>(self, key: &str, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<Vec<T>> {
        let (nodes, _) = self.get(key, Value::list)?;
        let texts = nodes.iter().filter_map(|node| Some((node.value.text()?, &node.place)));
        Some(texts.filter_map(|(text, place)| self.report.take(place, parse(text))).collect())
    }

    /// Like [`Section::list`], of at least one.
    pub(super) fn some<T>(self, key: &str, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<Vec<T>> {
        if self.get(key, Value::list).is_some_and(|(nodes, _)| nodes.is_empty()) {
            let help = "name at least one, or leave the line out";
            self.note(key, Wrong::new(&codes::SETTINGS_VALUE, format!("`{key}` is empty"), help));
        }
        self.list(key, parse).filter(|values| !values.is_empty())
    }

    /// A number within `bounds`.
    pub(super) fn number(self, key: &str, bounds: RangeInclusive<f64>, help: &str) -> Option<f64> {
        let (number, _) = self.get(key, Value::number)?;
        if bounds.contains(&number) {
            return Some(number);
        }
        self.note(key, Wrong::new(&codes::SETTINGS_VALUE, format!("`{key}` cannot be {number}"), help));
        None
    }

    /// A secret from the environment, else from the file that `key` with `-file` names; and which of the two keys.
    pub(super) fn secret<'k>(self, key: &'k str, file_key: &'k str) -> Option<(Secret, &'k str)> {
        if let Some((text, _)) = self.placed(key) {
            return Some((Secret::new(text), key));
        }
        let secret = self.value(file_key, |file| {
            let text = self.report.source.secret_files.get(file).map(|text| text.trim_end_matches(['\r', '\n']));
            text.filter(|text| !text.is_empty()).map(Secret::new).ok_or_else(|| {
                let message = format!("there is no secret to be read from `{file}`");
                let help = "write it there, and let the program read the file; paths begin at this folder";
                Wrong::new(&codes::SETTINGS_SECRET_FILE, message, help)
            })
        });
        Some((secret?, file_key))
    }
}

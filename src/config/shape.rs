//! Holds the tree against the list of settings: unknown keys, wrong kinds, secrets in the file.
//!
//! What does not fit is noted and taken out, so that whoever reads the tree afterwards need not ask again.

use crate::diagnostic::{Wrong, codes, did_you_mean};

use super::is_unfit;
use super::report::Report;
use super::settings::{self, Kind};
use super::tree::{Node, Place, Table, Value};

/// Checks the section at `path` (empty: the whole tree).
pub(super) fn check(table: &mut Table, path: &str, report: &Report<'_>) {
    table.retain(|key, (place, node)| {
        let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match settings::kind(&here) {
            Some(kind) => {
                if matches!(kind, Kind::Secret | Kind::Secrets) && matches!(place, Place::File(_)) {
                    report.add(place, secret_in_file(&here));
                }
                fits(kind, &here, node, report)
            }
            None => {
                report.add(place, unknown_key(key, path));
                false
            }
        }
    });
}

fn unknown_key(key: &str, path: &str) -> Wrong {
    let mut known: Vec<&str> = settings::keys(path).collect();
    known.dedup();
    let help = did_you_mean(key, known.iter().copied(), format!("known here: `{}`", known.join("`, `")));
    Wrong::new(&codes::SETTINGS_UNKNOWN_KEY, format!("there is no setting `{key}` here, so it has no effect"), help)
}

fn fits(kind: Kind, path: &str, node: &mut Node, report: &Report<'_>) -> bool {
    let result = match (kind, &mut node.value) {
        (Kind::Section, Value::Table(table)) => {
            check(table, path, report);
            Ok(())
        }
        (Kind::Sections | Kind::Texts | Kind::Secrets, Value::List(nodes)) => {
            nodes.retain_mut(|node| part_fits(kind, path, node, report));
            Ok(())
        }
        (Kind::Text | Kind::Secret, Value::Text(text)) => one_line(path, text),
        (Kind::Lines, Value::Text(text)) => one_line(path, &text.replace('\n', " ")),
        (Kind::Whole | Kind::Number, Value::Whole(_)) | (Kind::Number, Value::Number(_)) => Ok(()),
        (kind, value) => Err(wrong_kind(kind, path, value, &node.place)),
    };
    report.take(&node.place, result).is_some()
}

fn part_fits(kind: Kind, path: &str, node: &mut Node, report: &Report<'_>) -> bool {
    let result = match (kind, &mut node.value) {
        (Kind::Sections, Value::Table(table)) => {
            check(table, &format!("{path}[]"), report);
            Ok(())
        }
        (Kind::Texts | Kind::Secrets, Value::Text(text)) => one_line(path, text),
        (kind, value) => Err(wrong_kind(kind, path, value, &node.place)),
    };
    report.take(&node.place, result).is_some()
}

fn name(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn one_line(path: &str, text: &str) -> Result<(), Wrong> {
    let name = name(path);
    let (message, help) = match text {
        _ if text.trim().is_empty() => (format!("`{name}` is empty"), "write something, or leave the line out"),
        _ if text.contains(is_unfit) => {
            (format!("`{name}` holds a control character or a line break"), "write one line of plain text")
        }
        _ => return Ok(()),
    };
    Err(Wrong::new(&codes::SETTINGS_VALUE, message, help))
}

fn wrong_kind(kind: Kind, path: &str, value: &Value, place: &Place) -> Wrong {
    let name = name(path);
    let message = format!("`{name}` must be {}, but this is {}", kind_name(kind), value.name());
    Wrong::new(&codes::SETTINGS_TYPE, message, how_to_write(kind, path, place))
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Lines | Kind::Secret => "text",
        Kind::Texts | Kind::Secrets => "a list of texts",
        Kind::Whole => "a whole number",
        Kind::Number => "a number",
        Kind::Section => "a section",
        Kind::Sections => "a section that may come several times",
    }
}

fn how_to_write(kind: Kind, path: &str, place: &Place) -> String {
    let example = settings::example(path).unwrap_or_default();
    match (kind, place) {
        (Kind::Section, _) => format!("begin it with the line `[{path}]`"),
        (Kind::Sections, _) => format!("begin each with the line `[[{path}]]`"),
        (_, Place::File(_)) => format!("write it like `{} = {example}`", name(path)),
        (_, Place::Variable(_)) => format!("write it like `{}`", example.trim_matches(['[', ']', '"'])),
    }
}

fn secret_in_file(path: &str) -> Wrong {
    let variable =
        format!("PRESSRUN_{}", path.replace("[]", "__0").replace('.', "__").replace('-', "_").to_uppercase());
    let file = format!("{}-file", name(path));
    let sibling = settings::example(&format!("{path}-file")).map_or(String::new(), |_| {
        format!(", or write it into a file outside of git and name that file with `{file}`")
    });
    let message = format!("`{}` is a secret, and this file is kept in git", name(path));
    Wrong::new(&codes::SETTINGS_SECRET, message, format!("take it out and set the variable `{variable}`{sibling}"))
}

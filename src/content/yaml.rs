//! YAML as a tree of plain values, and where each of them stands.
//!
//! The parser itself says nothing of places except in its errors; so a place is found by walking to it and failing
//! there on purpose. That costs one more parse, paid only when there is a problem to show.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Brackets may stand this deep: the parser's time grows with the square of it.
const DEEPEST: usize = 32;

/// Why text is not YAML, and at which byte.
pub(super) struct Broken {
    /// In the parser's words.
    pub(super) message: String,
    /// The byte where the parser gave up.
    pub(super) at: usize,
}

/// Which half of an entry is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The key's `n`th coming, counted from 0.
    Key(usize),
    /// The value.
    Value,
}

/// The path of every repeated key, once for each time it comes again.
type Repeated = Vec<Vec<String>>;

/// Reads `text`, which must be a mapping or empty; of a repeated key, the first counts.
pub(super) fn parse(text: &str) -> Result<(Value, Repeated), Broken> {
    if let Some(at) = too_deep(text) {
        return Err(Broken { message: format!("more than {DEEPEST} brackets stand inside each other"), at });
    }
    match read(text, None).map_err(|error| broken(text, &error))? {
        (Value::Null, repeated) => Ok((Value::Object(Map::new()), repeated)),
        (values @ Value::Object(_), repeated) => Ok((values, repeated)),
        _ => Err(Broken { message: "it is not a list of `key: value` lines".to_owned(), at: 0 }),
    }
}

fn read(text: &str, stop: Option<(&[&str], Part)>) -> Result<(Value, Repeated), serde_yaml::Error> {
    let repeated = RefCell::new(Vec::new());
    // Only aliases can make more values than there are bytes.
    let budget = Cell::new(2 * text.len() + 64);
    let tree = Tree { path: Vec::new(), stop, repeated: &repeated, budget: &budget };
    let value = tree.deserialize(serde_yaml::Deserializer::from_str(text))?;
    Ok((value, repeated.into_inner()))
}

fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    text.bytes().position(|byte| {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEEPEST
    })
}

fn broken(text: &str, error: &serde_yaml::Error) -> Broken {
    let words = error.to_string();
    if let Some(at) = opening_quote(text, &words) {
        return Broken { message: "the quotes that open here are never closed".to_owned(), at };
    }
    let message = words.split(" at line ").next().unwrap_or(&words).to_owned();
    Broken { message, at: error.location().map_or(0, |location| location.index()) }
}

/// Of quotes that are never closed, the parser's error tells the end of the file, and the beginning in its words only.
fn opening_quote(text: &str, words: &str) -> Option<usize> {
    let (_, place) = words.split_once("while scanning a quoted scalar at line ")?;
    let (line, column) = place.split_once(" column ")?;
    let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let before = text.get(start..)?.chars().take(column.checked_sub(1)?);
    Some(start + before.map(char::len_utf8).sum::<usize>())
}

/// The bytes of the value at `path` (keys, and numbers for the items of a list), or of its key.
///
/// Where a text stands for a list of one, the text is meant. A value over many lines is its first line.
pub(super) fn place(text: &str, path: &[&str], part: Part) -> Option<Range<usize>> {
    let start = read(text, Some((path, part))).err()?.location()?.index();
    Some(start..start + length(text.get(start..)?, part))
}

/// The text of a number or a word such as `true`, as it was typed.
pub(super) fn plain_text<'a>(text: &'a str, path: &[&str]) -> Option<&'a str> {
    let place = place(text, path, Part::Value)?;
    text.get(place)?.split([' ', '\t', ',', ']', '}']).next()
}

fn length(text: &str, part: Part) -> usize {
    let line = text.lines().next().unwrap_or_default();
    match line.chars().next() {
        Some(quote @ ('"' | '\'')) => line[1..].find(quote).map_or(line.len(), |end| end + 2),
        Some('[') => line.find(']').map_or(line.len(), |end| end + 1),
        Some('{') => line.find('}').map_or(line.len(), |end| end + 1),
        _ if part != Part::Value => line.find([':', ',', '}']).unwrap_or(line.len()),
        _ => line.find(" #").map_or(line, |comment| &line[..comment]).trim_end().len(),
    }
}

/// Reads values, and fails on purpose when it comes to where it is to stop.
#[derive(Clone)]
struct Tree<'a> {
    path: Vec<String>,
    stop: Option<(&'a [&'a str], Part)>,
    repeated: &'a RefCell<Repeated>,
    budget: &'a Cell<usize>,
}

impl Tree<'_> {
    fn below(&self, step: &str) -> Self {
        let mut tree = self.clone();
        tree.path.push(step.to_owned());
        tree
    }

    fn pay<E: Error>(&self, bytes: usize) -> Result<(), E> {
        let rest = self.budget.get().checked_sub(bytes + 1);
        self.budget.set(rest.ok_or_else(|| E::custom("its aliases repeat too much"))?);
        match self.stop {
            Some((path, Part::Value)) if self.path == path => Err(E::custom("here")),
            _ => Ok(()),
        }
    }

    /// A text can stand for a list of one, so that a way that leads on below it ends at it.
    fn plain<E: Error>(&self, value: impl Into<Value>) -> Result<Value, E> {
        let value = value.into();
        self.pay(value.as_str().map_or(0, str::len))?;
        let own = self.path.len();
        let leads_below = self.stop.is_some_and(|(path, _)| path.len() > own && self.path == path[..own]);
        if leads_below { Err(E::custom("here")) } else { Ok(value) }
    }

    /// After how many keys of the same name in this mapping to stop, and at which name.
    fn stop_at_key(&self) -> Option<(&str, usize)> {
        match self.stop? {
            ([mapping @ .., key], Part::Key(coming)) if self.path == mapping => Some((key, coming)),
            _ => None,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// The ways in which a value without parts can come.
macro_rules! plain {
    ($($visit:ident($type:ty): $convert:expr;)*) => {
        $(fn $visit<E: Error>(self, value: $type) -> Result<Value, E> {
            self.plain($convert(value))
        })*
    };
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a plain value without a tag")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.plain(())
    }

    plain! {
        visit_bool(bool): Value::from;
        visit_i64(i64): Value::from;
        visit_u64(u64): Value::from;
        visit_i128(i128): |value: i128| value.to_string();
        visit_u128(u128): |value: u128| value.to_string();
        visit_f64(f64): Value::from;
        visit_str(&str): Value::from;
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        self.pay(0)?;
        while let Some(item) = items.next_element_seed(self.below(&list.len().to_string()))? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        self.pay(0)?;
        let mut stop_at = self.stop_at_key();
        while let Some(key) = entries.next_key_seed(Key { stop_at })? {
            stop_at = stop_at.map(|(name, left)| (name, left.saturating_sub(usize::from(name == key))));
            let below = self.below(&key);
            let value = entries.next_value_seed(below.clone())?;
            if map.contains_key(&key) {
                self.repeated.borrow_mut().push(below.path);
            } else {
                map.insert(key, value);
            }
        }
        Ok(Value::Object(map))
    }
}

/// A key: a text, or a number or word that is taken as one.
struct Key<'a> {
    /// The name to stop at, once none of its comings is left.
    stop_at: Option<(&'a str, usize)>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<String, E> {
        if self.stop_at == Some((key, 0)) { Err(E::custom("here")) } else { Ok(key.to_owned()) }
    }
}

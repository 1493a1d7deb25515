//! YAML between `---` lines: found, read, and asked for one key at a time.
//!
//! Every answer is checked as it is given; what is wrong is noted with its place and the answer is as if the key were
//! not there, so that one mistake never hides the next.

use std::ops::Range;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};
use serde_json::{Map, Value};

use crate::config::is_unfit;
use crate::diagnostic::{Wrong, codes, did_you_mean, nearest};
use crate::zone::Zone;

use super::problems::Problems;
use super::yaml::{self, Part};

/// Front matter may be this long, in bytes; the longest of some ten thousand real ones had 15,000.
const LONGEST: usize = 64 * 1024;

/// Where the two halves of a file stand, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Halves {
    /// What stands between the `---` lines.
    pub(super) yaml: Range<usize>,
    /// The first byte after them.
    pub(super) body: usize,
}

/// Finds front matter, or what is wrong where there is none that can be read.
pub(super) fn find(text: &str) -> Result<Halves, Wrong> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let is_fence = |line: &str| line.starts_with("---") && line[3..].trim().is_empty();
    let mut lines = text[start..].split_inclusive('\n');
    let first = lines.next().filter(|line| is_fence(line)).ok_or_else(|| {
        let help = "begin the file with the three lines `---`, `title: A headline` and `---`";
        Wrong::new(&codes::FRONT_MATTER_MISSING, "the file has no front matter", help)
    })?;
    let yaml = start + first.len();
    let mut end = yaml;
    for line in lines {
        if is_fence(line) {
            return short_enough(Halves { yaml: yaml..end, body: end + line.len() });
        }
        end += line.len();
    }
    let help = "write a line `---` after its last `key: value` line";
    Err(Wrong::new(&codes::FRONT_MATTER_UNCLOSED, "the front matter has no end", help))
}

fn short_enough(halves: Halves) -> Result<Halves, Wrong> {
    if halves.yaml.len() <= LONGEST {
        return Ok(halves);
    }
    let message = format!("the front matter has {} bytes, more than {LONGEST}", halves.yaml.len());
    let help = "is the closing `---` line where it should be? long text belongs below it";
    Err(Wrong::new(&codes::FRONT_MATTER_TOO_LARGE, message, help))
}

/// The bytes of the value at `path` in the front matter of `text`, a whole file; of nothing where it is not there.
pub fn place_in_front_matter(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let halves = find(text).ok()?;
    let place = yaml::place(text.get(halves.yaml.clone())?, path, Part::Value)?;
    Some(halves.yaml.start + place.start..halves.yaml.start + place.end)
}

/// The keys of one file's front matter.
pub(super) struct Fields<'a, 'p> {
    yaml: &'a str,
    offset: usize,
    values: Value,
    pub(super) problems: &'p mut Problems<'a>,
}

impl<'a, 'p> Fields<'a, 'p> {
    /// Reads what stands at `yaml` in `text`.
    pub(super) fn read(text: &'a str, yaml: &Range<usize>, problems: &'p mut Problems<'a>) -> Option<Self> {
        let offset = yaml.start;
        let yaml = &text[yaml.clone()];
        match yaml::parse(yaml) {
            Ok((values, repeated)) => {
                let mut fields = Fields { yaml, offset, values, problems };
                fields.note_repeated(&repeated);
                Some(fields)
            }
            Err(broken) => {
                let at = offset + broken.at.min(yaml.len());
                let line = yaml[..yaml.floor_char_boundary(broken.at)].lines().last().unwrap_or_default();
                let message = format!("the front matter cannot be read: {}", broken.message);
                let help = syntax_help(line, &broken.message);
                problems.at(at..at + 1, Wrong::new(&codes::FRONT_MATTER_SYNTAX, message, help));
                None
            }
        }
    }

    fn note_repeated(&mut self, repeated: &[Vec<String>]) {
        for (index, path) in repeated.iter().enumerate() {
            if self.problems.is_full() {
                return;
            }
            let coming = 1 + repeated[..index].iter().filter(|earlier| *earlier == path).count();
            let steps: Vec<&str> = path.iter().map(String::as_str).collect();
            let message = format!("`{}` stands here a second time", path.last().map_or("", String::as_str));
            let wrong = Wrong::new(&codes::FRONT_MATTER_DUPLICATE_KEY, message, "keep one of the two lines");
            self.note(&steps, Part::Key(coming), wrong);
        }
    }

    fn note(&mut self, path: &[&str], part: Part, wrong: Wrong) {
        if !self.problems.is_full() {
            let place = yaml::place(self.yaml, path, part);
            self.problems.at(place.map(|place| self.offset + place.start..self.offset + place.end), wrong);
        }
    }

    /// Notes what is wrong with the value at `path`.
    pub(super) fn wrong(&mut self, path: &[&str], wrong: Wrong) {
        self.note(path, Part::Value, wrong);
    }

    /// Notes that the value at `path` is of the wrong kind.
    pub(super) fn unfit(&mut self, path: &[&str], message: impl Into<String>, help: &str) {
        self.wrong(path, Wrong::new(&codes::FRONT_MATTER_VALUE, message, help));
    }

    /// Notes every key of the mapping at `path` that is not among `known`.
    pub(super) fn only(&mut self, path: &[&str], known: &[&str], whose: &str) {
        let keys = self.value(path).and_then(Value::as_object).map(|map| map.keys().cloned().collect::<Vec<_>>());
        for key in keys.unwrap_or_default().iter().filter(|key| !known.contains(&key.as_str())) {
            let help = did_you_mean(key, known.iter().copied(), format!("known here: {}", known.join(", ")));
            let message = format!("`{}` is no key of {whose}", shortened(key));
            let wrong = Wrong::new(&codes::FRONT_MATTER_UNKNOWN_KEY, message, help);
            self.note(&[path, &[key]].concat(), Part::Key(0), wrong);
        }
    }

    /// Whether a key was probably meant to be `key`.
    pub(super) fn has_slip_of(&self, key: &str) -> bool {
        let keys = self.values.as_object().into_iter().flat_map(Map::keys);
        keys.into_iter().any(|written| nearest(written, [key]).is_some())
    }

    /// The value at `path`, whatever it is.
    pub(super) fn value(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.values, |value, step| match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            value => value.get(step),
        })
    }

    /// One line of text; numbers and words such as `true` are taken as they were typed.
    pub(super) fn line(&mut self, path: &[&str]) -> Option<String> {
        let text = self.words(path)?;
        let Some(letter) = text.chars().find(|letter| is_unfit(*letter)) else { return Some(text) };
        let message = format!("`{}` holds {}", name(path), in_words(letter));
        let help = "write it on one line, in plain letters";
        self.wrong(path, Wrong::new(&codes::FRONT_MATTER_CONTROL, message, help));
        None
    }

    /// One line of text, as `parse` understands it.
    pub(super) fn parsed<T>(&mut self, path: &[&str], parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        let text = self.line(path)?;
        parse(&text).map_err(|wrong| self.wrong(path, wrong)).ok()
    }

    /// A list of texts, or one text for a list of one, each as `parse` understands it.
    pub(super) fn list<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Wrong>) -> Vec<T> {
        let items = match self.value(&[key]) {
            Some(Value::Array(items)) => items.len(),
            _ => return self.parsed(&[key], parse).into_iter().collect(),
        };
        (0..items).filter_map(|index| self.parsed(&[key, &index.to_string()], &parse)).collect()
    }

    /// Text whose lines are joined to one.
    pub(super) fn paragraph(&mut self, path: &[&str]) -> Option<String> {
        let text = self.words(path)?;
        Some(text.split_whitespace().collect::<Vec<_>>().join(" ").replace(is_unfit, ""))
    }

    fn words(&mut self, path: &[&str]) -> Option<String> {
        let message = match self.value(path)? {
            Value::String(text) if text.trim().is_empty() => format!("`{}` is empty", name(path)),
            Value::String(text) => return Some(text.trim().to_owned()),
            Value::Number(_) | Value::Bool(_) => return Some(yaml::plain_text(self.yaml, path)?.to_owned()),
            other => format!("`{}` is {}, not text", name(path), kind(other)),
        };
        self.unfit(path, message, "write text after the colon, or delete the line");
        None
    }

    /// `true` or `false`; false where it is missing, true where it is neither: the careful reading of `draft`.
    pub(super) fn flag(&mut self, key: &str) -> bool {
        match self.value(&[key]) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                let message = format!("`{key}` is {}, not true or false", kind(other));
                self.unfit(&[key], message, "write `true` or `false`, without quotes");
                true
            }
        }
    }

    /// One word of a fixed set.
    pub(super) fn choice<T: Copy>(&mut self, path: &[&str], choices: &[(&str, T)]) -> Option<T> {
        self.parsed(path, |text| {
            let choice = choices.iter().find(|(word, _)| *word == text);
            choice.map(|(_, choice)| *choice).ok_or_else(|| {
                let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
                let help = did_you_mean(text, words.iter().copied(), format!("write one of: {}", words.join(", ")));
                let message = format!("`{}` cannot be `{}`", name(path), shortened(text));
                Wrong::new(&codes::FRONT_MATTER_CHOICE, message, help)
            })
        })
    }

    /// A moment; one without a zone is on the wall clock of `zone`.
    pub(super) fn moment(&mut self, key: &str, zone: &Zone) -> Option<DateTime<Utc>> {
        self.parsed(&[key], |text| {
            let help = "write the date as `2026-12-01`, `2026-12-01 08:00` or `2026-12-01T08:00:00+01:00`";
            let wrong = || Wrong::new(&codes::ARTICLE_DATE, format!("`{key}` is not a date"), help);
            parse_moment(text, zone).ok_or_else(wrong)
        })
    }
}

/// Reads RFC 3339, or a day, or a day and a time by the wall clock of `zone`, in the years from 1900 to 9999.
pub fn parse_moment(text: &str, zone: &Zone) -> Option<DateTime<Utc>> {
    let text = text.replacen(' ', "T", 1).replace(' ', "");
    let offset_text = text.strip_suffix(['Z', 'z']).map_or_else(|| text.clone(), |local| format!("{local}+00:00"));
    let with_offset = ["%Y-%m-%dT%H:%M:%S%.f%:z", "%Y-%m-%dT%H:%M%:z"]
        .iter()
        .find_map(|form| DateTime::parse_from_str(&offset_text, form).ok())
        .map(|moment| moment.to_utc());
    let local = || {
        let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
        let forms = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];
        day.or_else(|| forms.iter().find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok()))
    };
    let has_sane_year = |year: i32| (1900..=9999).contains(&year);
    with_offset
        .filter(|moment| has_sane_year(moment.year()))
        .or_else(|| local().filter(|local| has_sane_year(local.year())).map(|local| zone.to_instant(local)))
}

fn in_words(letter: char) -> String {
    match letter {
        '\n' | '\r' | '\u{2028}' | '\u{2029}' => "a line break".to_owned(),
        '\t' => "a tab".to_owned(),
        _ => format!("the invisible character U+{:04X}", u32::from(letter)),
    }
}

fn name(path: &[&str]) -> String {
    let is_number = |step: &&&str| step.bytes().all(|byte| byte.is_ascii_digit());
    path.iter().filter(|step| !is_number(step)).copied().collect::<Vec<_>>().join(".")
}

/// The beginning of `text`, for messages.
pub(crate) fn shortened(text: &str) -> String {
    let start: String = text.chars().filter(|letter| !is_unfit(*letter)).take(60).collect();
    if start.len() < text.len() { format!("{start}…") } else { start }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn syntax_help(line: &str, message: &str) -> String {
    let help = if line.contains('\t') || message.contains("cannot start any token") && line.trim().is_empty() {
        "indent with spaces, never with tabs"
    } else if message.contains("mapping values are not allowed") {
        "put text that holds a colon in quotes: `title: \"One: two\"`"
    } else if message.contains("quotes") {
        "close the quotes, or put single quotes around text that holds double ones"
    } else if message.contains("alias") || message.contains("anchor") || message.contains("tag") {
        "put text that begins with `*`, `&` or `!` in quotes"
    } else {
        "write one `key: value` a line, and put text with `: `, ` #`, quotes or brackets in quotes"
    };
    help.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_halves(text: &str, expected: Option<(&str, &str)>) {
        let halves = find(text).ok();
        assert_eq!(halves.map(|halves| (&text[halves.yaml], &text[halves.body..])), expected);
    }

    #[test]
    fn front_matter_is_found_however_lines_end() {
        check_halves("---\ntitle: A\n---\nText", Some(("title: A\n", "Text")));
        check_halves("\u{feff}---\r\ntitle: A\r\n---  \r\nText", Some(("title: A\r\n", "Text")));
        check_halves("---\n---", Some(("", "")));
        check_halves("---\ntitle: A\n----\n", None);
        check_halves("Text", None);
        check_halves("", None);
    }

    #[track_caller]
    fn check_moment(text: &str, expected: Option<&str>) {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let moment = parse_moment(text, &zone).map(|moment| moment.format("%Y-%m-%d %H:%M:%S").to_string());
        assert_eq!(moment.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_moment_is_read_in_the_forms_people_write() {
        check_moment("2026-12-01", Some("2026-11-30 23:00:00"));
        check_moment("2026-12-01 08:00", Some("2026-12-01 07:00:00"));
        check_moment("2026-12-01T08:00", Some("2026-12-01 07:00:00"));
        check_moment("2026-12-01 08:00:30", Some("2026-12-01 07:00:30"));
        check_moment("2026-12-01T08:00:00Z", Some("2026-12-01 08:00:00"));
        check_moment("2026-12-01T08:00:00.5-05:00", Some("2026-12-01 13:00:00"));
        check_moment("2026-12-01 08:00 +02:00", Some("2026-12-01 06:00:00"));
        check_moment("2026-12-01T08:00z", Some("2026-12-01 08:00:00"));
        check_moment("26-12-01", None);
        check_moment("20261-12-01", None);
        check_moment("2026-13-01", None);
        check_moment("2026-02-30", None);
        check_moment("1 December 2026", None);
        check_moment("1764547200", None);
    }
}

//! A problem an editor can fix: a stable code, the place, what is wrong in the editor's words, what to type instead.
//!
//! Diagnostics are collected, never thrown, so that one bad article never hides the next.

mod ci;
pub mod codes;
mod show;

pub use ci::{github, sarif};
pub use codes::{ALL_CODES, Code};
pub use show::{Sources, human, json};

use std::ops::Range;

use strsim::osa_distance;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is sent while it stands.
    Error,
    /// Probably not what was meant.
    Warning,
    /// Could be better.
    Hint,
}

impl Severity {
    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint => "hint",
        }
    }
}

/// A stretch of a text file. Lines and columns count from 1, columns in Unicode scalars, the end is exclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The same stretch in bytes of the file.
    pub bytes: Range<usize>,
    /// Line of the first character.
    pub line: usize,
    /// Column of the first character.
    pub column: usize,
    /// Line of the first character after it.
    pub end_line: usize,
    /// Column of the first character after it.
    pub end_column: usize,
}

impl Span {
    /// Works out lines and columns of `bytes` in `text`; what lies outside of the text is drawn to its edge.
    pub fn new(text: &str, bytes: Range<usize>) -> Span {
        let start = floor(text, bytes.start);
        let end = floor(text, bytes.end.max(start));
        let (line, column) = position(text, start);
        let (end_line, end_column) = position(text, end);
        Span { bytes: start..end, line, column, end_line, end_column }
    }
}

fn floor(text: &str, index: usize) -> usize {
    text.floor_char_boundary(index.min(text.len()))
}

fn position(text: &str, index: usize) -> (usize, usize) {
    let before = &text[..index];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// One problem.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// Which kind of problem; its documentation is found under this.
    pub code: &'static Code,
    /// What is wrong here, in one sentence without a full stop.
    pub message: String,
    /// The file, relative to the publication's folder, with `/` between folders.
    pub file: String,
    /// Where in the file; none where the file as a whole is meant.
    pub span: Option<Span>,
    /// What to type instead, or how to find out.
    pub help: String,
}

impl Diagnostic {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.code.severity
    }
}

/// What is wrong and what to type instead, while the place is still to be found.
#[derive(Debug, Clone, PartialEq)]
pub struct Wrong {
    /// Which kind of problem.
    pub code: &'static Code,
    /// What is wrong.
    pub message: String,
    /// What to type instead.
    pub help: String,
}

impl Wrong {
    /// Puts the words together.
    pub fn new(code: &'static Code, message: impl Into<String>, help: impl Into<String>) -> Wrong {
        Wrong { code, message: message.into(), help: help.into() }
    }

    /// Says it of `file`: of a place in it, or of the file as a whole.
    pub fn of(self, file: &str, span: Option<Span>) -> Diagnostic {
        let Wrong { code, message, help } = self;
        Diagnostic { code, message, file: file.to_owned(), span, help }
    }
}

/// Whether anything among `diagnostics` stops a send.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error)
}

/// Help for a name that is not among `known`: the one that was probably meant, or else `otherwise`.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>, otherwise: impl Into<String>) -> String {
    nearest(name, known).map_or_else(|| otherwise.into(), |name| format!("did you mean `{name}`?"))
}

/// The name among `known` that `name` was probably meant to be; for one longer than 200 bytes nobody looks.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    let most = (length / 3).max(1);
    known
        .into_iter()
        .filter(|candidate| name.len() <= 200 && candidate.chars().count().abs_diff(length) <= most)
        .map(|candidate| (osa_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "---\ntitle: Ünïcode\n---\n";
        let span = Span::new(text, 11..20);
        assert_eq!((span.line, span.column, span.end_line, span.end_column), (2, 8, 2, 15));
        assert_eq!(Span::new(text, 400..500).line, 4);
    }

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["title", "summary", "date", "draft"];
        assert_eq!(nearest("titel", known), Some("title"));
        assert_eq!(nearest("sumary", known), Some("summary"));
        assert_eq!(nearest("weather", known), None);
    }
}

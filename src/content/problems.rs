//! Collects what is wrong with one file.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, Span, Wrong};

/// How many problems of one file are kept at each stage: a person reads no more, and each place costs a walk through
/// the file.
const MOST: usize = 50;

/// What is wrong with one file so far.
pub(crate) struct Problems<'a> {
    file: &'a str,
    text: &'a str,
    list: Vec<Diagnostic>,
}

impl<'a> Problems<'a> {
    /// Starts with none.
    pub(crate) fn new(file: &'a str, text: &'a str) -> Problems<'a> {
        Problems { file, text, list: Vec::new() }
    }

    /// Whether nothing more is kept, so that the place need not be found.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MOST
    }

    /// Notes what is wrong with some bytes of the file, or with the file as a whole.
    pub(crate) fn at(&mut self, bytes: impl Into<Option<Range<usize>>>, wrong: Wrong) {
        if !self.is_full() {
            let span = bytes.into().map(|bytes| Span::new(self.text, bytes));
            self.list.push(wrong.of(self.file, span));
        }
    }

    /// All of them, from the top of the file to its end.
    pub(crate) fn into_list(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|diagnostic| diagnostic.span.as_ref().map_or(0, |span| span.bytes.start));
        self.list
    }
}

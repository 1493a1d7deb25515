//! Collects what is wrong with the settings.

use std::cell::RefCell;

use crate::diagnostic::{Diagnostic, Span, Wrong};

use super::read::Source;
use super::tree::Place;

/// The file's name in diagnostics.
const FILE: &str = "publish.toml";

/// What is wrong so far, in the order in which it was found.
pub(super) struct Report<'a> {
    /// What is read.
    pub(super) source: &'a Source,
    diagnostics: RefCell<Vec<Diagnostic>>,
}

impl<'a> Report<'a> {
    /// Starts with nothing.
    pub(super) fn new(source: &'a Source) -> Report<'a> {
        Report { source, diagnostics: RefCell::default() }
    }

    /// Notes what is wrong at `place`.
    pub(super) fn add(&self, place: &Place, wrong: Wrong) {
        let diagnostic = match place {
            Place::File(bytes) => wrong.of(FILE, Some(Span::new(&self.source.text, bytes.clone()))),
            Place::Variable(name) => wrong.of(name, None),
        };
        self.diagnostics.borrow_mut().push(diagnostic);
    }

    /// Takes a value, or notes what is wrong with it.
    pub(super) fn take<T>(&self, place: &Place, result: Result<T, Wrong>) -> Option<T> {
        result.map_err(|wrong| self.add(place, wrong)).ok()
    }

    /// All of it.
    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics.into_inner()
    }
}

//! How diagnostics are shown: as a compiler shows them, and as JSON.
//!
//! A person sees the line and a mark under the mistake, whatever is in that line; a machine sees one object a line.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::{Diagnostic, Severity, Span, codes};

/// The texts that diagnostics point into, by file name.
pub type Sources = BTreeMap<String, Arc<str>>;

/// A line longer than this many bytes is named, not shown: nobody would find the mark in it.
const LONGEST_LINE: usize = 20_000;

/// As a compiler shows them, by file and place; in colour only where `color` asks for it.
///
/// Ends with an empty line after each, and is empty when there is nothing to say.
pub fn human(diagnostics: &[Diagnostic], sources: &Sources, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| {
        let bytes = diagnostic.span.as_ref().map(|span| (span.bytes.start, span.bytes.end));
        (&diagnostic.file, bytes, diagnostic.severity(), diagnostic.code.name)
    });
    sorted.into_iter().map(|diagnostic| one(diagnostic, sources, &renderer) + "\n\n").collect()
}

fn one(diagnostic: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let title = level(diagnostic.severity()).primary_title(&diagnostic.message).id(diagnostic.code.name);
    let group = title.element(place(diagnostic, sources)).element(Level::HELP.message(&diagnostic.help));
    renderer.render(&[group])
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Hint => Level::NOTE.with_name(severity.as_str()),
    }
}

/// The line itself, unless it holds a secret: terminals and build servers remember what they show.
fn place<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Element<'a> {
    let Some(span) = &diagnostic.span else { return Origin::path(&diagnostic.file).into() };
    let is_secret = *diagnostic.code == codes::SETTINGS_SECRET;
    let source = sources.get(&diagnostic.file).filter(|_| !is_secret);
    match source.and_then(|source| excerpt(source, span)) {
        Some((line, mark)) => Snippet::source(line)
            .line_start(span.line)
            .path(&diagnostic.file)
            .annotation(AnnotationKind::Primary.span(mark))
            .into(),
        None => Origin::path(&diagnostic.file).line(span.line).char_column(span.column).into(),
    }
}

/// The first line of `span` and the part of the span that lies in it; none where the line is too long, or where the
/// text has changed since.
fn excerpt<'a>(source: &'a str, span: &Span) -> Option<(&'a str, Range<usize>)> {
    let line_start = source.get(..span.bytes.start)?.rfind('\n').map_or(0, |newline| newline + 1);
    let line = source[line_start..].lines().next().unwrap_or_default();
    let start = (span.bytes.start - line_start).min(line.len());
    let end = (span.bytes.end - line_start).clamp(start, line.len());
    let is_shown = line.len() <= LONGEST_LINE && line.is_char_boundary(start) && line.is_char_boundary(end);
    is_shown.then_some((line, start..end))
}

/// One diagnostic as one line of JSON, without the line's end.
///
/// Lines and columns count from 1, columns in Unicode scalars, the end is exclusive; a diagnostic about a whole file
/// stands at its first character.
pub fn json(diagnostic: &Diagnostic) -> String {
    let [line, column, end_line, end_column] =
        diagnostic.span.as_ref().map_or([1; 4], |span| [span.line, span.column, span.end_line, span.end_column]);
    let shown = Shown {
        code: diagnostic.code.name,
        severity: diagnostic.severity().as_str(),
        message: &diagnostic.message,
        file: &diagnostic.file,
        line,
        column,
        end_line,
        end_column,
        help: &diagnostic.help,
        url: format!("docs/reference/diagnostics.md#{}", diagnostic.code.name.replace('/', "-")),
    };
    serde_json::to_string(&shown).unwrap_or_default()
}

/// The keys that machines rely on, in their order.
#[derive(Serialize)]
struct Shown<'a> {
    code: &'a str,
    severity: &'a str,
    message: &'a str,
    file: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    help: &'a str,
    url: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;

    static ERROR: Code = code("article/date", Severity::Error);
    static WARNING: Code = code("article/tags", Severity::Warning);
    static HINT: Code = code("article/summary", Severity::Hint);

    const fn code(name: &'static str, severity: Severity) -> Code {
        Code { name, severity }
    }

    fn diagnostic(code: &'static Code, source: &str, marked: &str) -> Diagnostic {
        let start = source.find(marked).unwrap();
        Diagnostic {
            code,
            message: format!("`{}` is not what it should be", code.name),
            file: "content/a.md".to_owned(),
            span: Some(Span::new(source, start..start + marked.len())),
            help: "write the date as `2026-12-01`".to_owned(),
        }
    }

    fn sources(source: &str) -> Sources {
        Sources::from([("content/a.md".to_owned(), Arc::from(source))])
    }

    #[test]
    fn problems_are_shown_by_file_and_place() {
        let source = "---\ntitle: One\ndate: yesterday\n\ttags: [ünïcödé, 日本語, x]\r\n---\nText\n";
        let whole_file = Diagnostic { span: None, ..diagnostic(&HINT, source, "---") };
        let other_file = Diagnostic { file: "content/_first.md".to_owned(), ..diagnostic(&ERROR, source, "One") };
        let shown = [
            diagnostic(&WARNING, source, "x]"),
            diagnostic(&ERROR, source, "yesterday"),
            diagnostic(&WARNING, source, "日本語"),
            Diagnostic { span: Some(Span::new(source, 4..40)), ..diagnostic(&HINT, source, "---") },
            Diagnostic { span: Some(Span::new(source, 900..901)), ..diagnostic(&HINT, source, "---") },
            whole_file,
            other_file,
        ];
        insta::assert_snapshot!(human(&shown, &sources(source), false));
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let line = format!("{}see [this](missing.md) and {}", "many words ".repeat(60), "more words ".repeat(60));
        let endless = format!("{}missing.md{}", "日".repeat(9_000), "日".repeat(9_000));
        let both = format!("{line}\n{endless}\n");
        let second = both.rfind("missing.md").unwrap();
        let shown = [
            diagnostic(&ERROR, &both, "missing.md"),
            Diagnostic { span: Some(Span::new(&both, second..second + 10)), ..diagnostic(&ERROR, &both, "see") },
        ];
        insta::assert_snapshot!(human(&shown, &sources(&both), false));
    }

    #[test]
    fn colour_is_only_there_when_asked_for() {
        let source = "date: yesterday\n";
        let shown = [diagnostic(&ERROR, source, "yesterday")];
        assert!(human(&shown, &sources(source), true).contains("\u{1b}["));
        assert!(!human(&shown, &sources(source), false).contains('\u{1b}'));
        assert_eq!(human(&[], &sources(source), true), "");
    }

    #[test]
    fn what_a_file_says_cannot_steer_the_terminal() {
        let source = "date: \u{1b}[2Jyesterday\u{202e}\n";
        let mut shown = diagnostic(&ERROR, source, "yesterday");
        shown.message = "`\u{1b}[2J` is not a date".to_owned();
        assert!(!human(&[shown], &sources(source), false).contains(['\u{1b}', '\u{202e}']));
    }

    #[test]
    fn json_has_the_keys_that_machines_rely_on() {
        let source = "---\ndate: \"tag\"\n---\n";
        let whole_file = Diagnostic { span: None, ..diagnostic(&HINT, source, "---") };
        let lines = [json(&diagnostic(&ERROR, source, "\"tag\"")), json(&whole_file)];
        insta::assert_snapshot!(lines.join("\n"));
    }
}

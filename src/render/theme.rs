//! The looks: built-in templates and static files, and a publication's own instead of them, file by file.
//!
//! A template of the publication that cannot be used is a diagnostic and the built-in one stays. Each template is
//! rendered once with samples, so that a field that does not exist is found before a reader sees the page.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::iter;
use std::ops::Range;
use std::sync::Arc;

use tera::{Context, ErrorKind, Kwargs, State, Tera};

use crate::content::fingerprint;
use crate::diagnostic::{Code, Diagnostic, Span, codes, nearest};

use super::words::{WordFiles, Words, best};
use super::{media_type, sample, text};

/// Bytes that one rendering may have: a loop that never ends must not take the machine down.
const LARGEST_RENDERING: usize = 8 * 1024 * 1024;
/// Where the built-in templates stand in Tera, so that those of a publication win.
const BUILT_IN: &str = "built-in/";

#[derive(rust_embed::Embed)]
#[folder = "templates/"]
struct BuiltIn;

/// The looks of a publication, and the words in them.
pub struct Theme {
    tera: Tera,
    english: Arc<Words>,
    /// Each with the same templates as `tera`, which speak it.
    others: Vec<(Arc<Words>, Tera)>,
    static_files: BTreeMap<String, StaticFile>,
    sources: BTreeMap<String, String>,
}

/// A file that is served as it is.
#[derive(Debug, Clone)]
pub struct StaticFile {
    /// `/static/NAME.HASH.EXTENSION`: for ever the same bytes.
    pub address: String,
    /// For the Content-Type header.
    pub content_type: &'static str,
    /// What is in it.
    pub bytes: Cow<'static, [u8]>,
}

/// Why a template gave nothing: a problem an editor can fix.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", told(.0))]
pub struct RenderError(Box<Diagnostic>);

impl RenderError {
    /// The problem.
    pub fn into_diagnostic(self) -> Diagnostic {
        *self.0
    }
}

fn told(Diagnostic { file, span, message, .. }: &Diagnostic) -> String {
    let (line, column) = span.as_ref().map_or((1, 1), |span| (span.line, span.column));
    format!("{file}:{line}:{column}: {message}")
}

impl Theme {
    /// The built-in looks with `overrides` instead: name below `templates/`, such as `site/article.html`, and bytes.
    pub fn load(overrides: &[(String, Vec<u8>)]) -> (Theme, Vec<Diagnostic>) {
        let (mut theme, mut words) = Theme::built_in();
        let mut diagnostics = Vec::new();
        let mut texts = Vec::new();
        for (name, bytes) in overrides {
            match (name.split_once('/'), str::from_utf8(bytes)) {
                (Some(("static", name)), _) => theme.add_static(name, Cow::Owned(bytes.clone())),
                (Some(("words", file)), Ok(text)) => {
                    theme.sources.insert(name.clone(), text.to_owned());
                    let located = |(place, message): (_, String)| {
                        let located = theme.located(&codes::TEMPLATE_SYNTAX, name, place, &message);
                        Diagnostic { help: "compare with the built-in `words/en.ftl`".to_owned(), ..located }
                    };
                    diagnostics.extend(words.add(file, text).into_iter().map(located));
                }
                (_, Ok(text)) => texts.push((name.clone(), text.to_owned())),
                (_, Err(_)) => diagnostics.push(not_text(name)),
            }
        }
        diagnostics.extend(texts.iter().filter_map(|(name, _)| unused(name)));
        diagnostics.extend(theme.add_templates(texts));
        theme.learn(&words);
        diagnostics.extend(theme.try_samples());
        (theme, diagnostics)
    }

    /// The built-in looks and words.
    fn built_in() -> (Theme, WordFiles) {
        let mut words = WordFiles::default();
        let (mut templates, mut static_files) = (Vec::new(), Vec::new());
        for name in BuiltIn::iter() {
            let Some(file) = BuiltIn::get(&name) else { continue };
            let text = || String::from_utf8_lossy(&file.data).into_owned();
            match name.split_once('/') {
                Some(("static", name)) => static_files.push((name.to_owned(), file.data)),
                // Nothing is wrong with these: a test reads them.
                Some(("words", name)) => drop(words.add(name, &text())),
                _ => templates.push((format!("{BUILT_IN}{name}"), text())),
            }
        }
        let english = words.words().0;
        let (tera, others, sources) = (Tera::new(), Vec::new(), BTreeMap::new());
        let mut theme = Theme { tera, english, others, static_files: BTreeMap::new(), sources };
        for (name, bytes) in static_files {
            theme.add_static(&name, bytes);
        }
        theme.tera.register_filter("underlined", underlined);
        theme.tera.register_function("t", theme.english.template_function());
        // Neither can fail for the files in the binary: a test loads them.
        let _ = theme.tera.set_fallback_prefixes([BUILT_IN]);
        let _ = theme.tera.add_raw_templates(templates.iter().map(|(name, text)| (name, text)));
        theme.sources.extend(templates);
        (theme, words)
    }

    /// Makes the templates speak every language that there are words of.
    fn learn(&mut self, words: &WordFiles) {
        let (english, others) = words.words();
        let speaking = |words: Arc<Words>| {
            let mut tera = self.tera.clone();
            tera.register_function("t", words.template_function());
            (words, tera)
        };
        self.others = others.into_iter().map(speaking).collect();
        self.tera.register_function("t", english.template_function());
        self.english = english;
    }

    /// The words that suit best what is asked for, a language or the value of an Accept-Language header; none if no
    /// language does.
    pub fn words(&self, asked: &str) -> Option<&Arc<Words>> {
        best(self.all_words(), asked)
    }

    /// Whether the publication brought templates of its own.
    pub fn has_own_templates(&self) -> bool {
        self.sources.keys().any(|name| !name.starts_with(BUILT_IN) && !name.starts_with("words/"))
    }

    /// The words that are there in any case.
    pub fn english(&self) -> &Arc<Words> {
        &self.english
    }

    /// Every language's words, English first.
    pub fn all_words(&self) -> impl Iterator<Item = &Arc<Words>> {
        iter::once(&self.english).chain(self.others.iter().map(|(words, _)| words))
    }

    fn add_static(&mut self, name: &str, bytes: Cow<'static, [u8]>) {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
        let address = format!("/static/{stem}.{}.{extension}", &fingerprint(&bytes)[..16]);
        let file = StaticFile { address, content_type: content_type(name), bytes };
        self.static_files.insert(name.to_owned(), file);
    }

    /// Adds what can be used, whatever their order; a template may need another one that comes later.
    fn add_templates(&mut self, mut waiting: Vec<(String, String)>) -> Vec<Diagnostic> {
        self.sources.extend(waiting.iter().cloned());
        loop {
            let before = waiting.len();
            if self.tera.add_raw_templates(waiting.iter().map(|(name, text)| (name, text))).is_ok() {
                return Vec::new();
            }
            let mut problems = Vec::new();
            waiting.retain(|(name, text)| match self.tera.add_raw_template(name, text) {
                Ok(()) => false,
                Err(error) => {
                    problems.push(self.diagnostics_of(&error, name));
                    true
                }
            });
            if waiting.len() == before {
                return problems.concat();
            }
        }
    }

    /// What each template gives in the language of `words`, with something of everything in it: its name and the page.
    pub fn samples(&self, words: &Arc<Words>) -> impl Iterator<Item = (String, Result<String, RenderError>)> {
        let rendered = |(name, context): (String, Context)| {
            let page = self.render(&name, &context, words);
            (name, page)
        };
        sample::samples(self, words).into_iter().map(rendered)
    }

    /// Renders every template with its sample; one problem a template.
    fn try_samples(&self) -> Vec<Diagnostic> {
        let errors = self.all_words().flat_map(|words| self.samples(words)).filter_map(|(_, sample)| sample.err());
        let mut diagnostics: Vec<Diagnostic> = Vec::new();
        for diagnostic in errors.map(RenderError::into_diagnostic) {
            if !diagnostics.contains(&diagnostic) {
                diagnostics.push(diagnostic);
            }
        }
        diagnostics
    }

    /// Renders the template `name` with `context`, in the language of `words`.
    pub(super) fn render(&self, name: &str, context: &Context, words: &Arc<Words>) -> Result<String, RenderError> {
        let mut page = Capped(Vec::new());
        let speaking = self.others.iter().find(|(other, _)| Arc::ptr_eq(other, words));
        let tera = speaking.map_or(&self.tera, |(_, tera)| tera);
        tera.render_to(name, context, &mut page).map_err(|error| self.error(&error, name))?;
        Ok(String::from_utf8_lossy(&page.0).into_owned())
    }

    /// Where the static file `name` is served; empty if there is none.
    pub fn static_address(&self, name: &str) -> String {
        self.static_files.get(name).map_or(String::new(), |file| file.address.clone())
    }

    /// All static files.
    pub fn static_files(&self) -> impl Iterator<Item = &StaticFile> {
        self.static_files.values()
    }

    fn error(&self, error: &tera::Error, name: &str) -> RenderError {
        let first = self.diagnostics_of(error, name).into_iter().next();
        let unknown = || diagnostic(&codes::TEMPLATE_SYNTAX, name, None, error.to_string());
        RenderError(Box::new(first.unwrap_or_else(unknown)))
    }

    /// What Tera found wrong; while it links templates it tells only in text, `--> FILE:LINE:COLUMN`.
    fn diagnostics_of(&self, error: &tera::Error, name: &str) -> Vec<Diagnostic> {
        let told = |code, report: &tera::ReportError| {
            vec![self.located(code, report.filename(), report.span().range.clone(), report.message())]
        };
        match error.kind() {
            ErrorKind::SyntaxError(report) => told(&codes::TEMPLATE_SYNTAX, report),
            ErrorKind::RenderingError(report) if report.message().contains("is not defined") => {
                told(&codes::TEMPLATE_UNKNOWN_VARIABLE, report)
            }
            ErrorKind::RenderingError(report) if report.message().contains("there are no words") => {
                told(&codes::TEMPLATE_UNKNOWN_NAME, report)
            }
            ErrorKind::RenderingError(report) => told(&codes::TEMPLATE_RENDERING, report),
            ErrorKind::Io(_) => {
                let message = format!("the page is larger than {} MiB", LARGEST_RENDERING >> 20);
                vec![diagnostic(&codes::TEMPLATE_TOO_LARGE, name, None, message)]
            }
            ErrorKind::Msg(reports) if reports.contains("-->") => {
                reports.split("\n\n").filter_map(|report| self.reported(report)).collect()
            }
            other => vec![diagnostic(&codes::TEMPLATE_UNKNOWN_NAME, name, None, other.to_string())],
        }
    }

    fn reported(&self, report: &str) -> Option<Diagnostic> {
        let (message, place) = report.split_once("-->")?;
        let message = message.trim().trim_start_matches("error: ");
        let mut parts = place.lines().next()?.trim().rsplitn(3, ':');
        let (column, line) = (parts.next()?.parse::<usize>().ok()?, parts.next()?.parse::<usize>().ok()?);
        let file = parts.next()?;
        let source = self.sources.get(file).map_or("", String::as_str);
        let start: usize = source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let indent: usize = source.get(start..)?.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
        let underline = report.lines().last().map_or(1, |line| line.matches('^').count());
        let at = start + indent;
        Some(self.located(&codes::TEMPLATE_UNKNOWN_NAME, file, at..at + underline, message))
    }

    fn located(&self, code: &'static Code, file: &str, bytes: Range<usize>, message: &str) -> Diagnostic {
        let source = self.sources.get(file).map_or("", String::as_str);
        let name = file.strip_prefix(BUILT_IN).unwrap_or(file);
        diagnostic(code, name, Some(Span::new(source, bytes)), message.to_owned())
    }
}

/// The filter `underlined`, for headlines in plain text.
fn underlined(words: &str, _: Kwargs, _: &State<'_>) -> String {
    text::underlined(words, text::WIDTH, '=').join("\n")
}

fn diagnostic(code: &'static Code, file: &str, span: Option<Span>, message: String) -> Diagnostic {
    let (message, known) = match message.split_once(" Available ") {
        Some((message, known)) => (message.to_owned(), known.to_owned()),
        None => (message, String::new()),
    };
    let help = help(code, &message, &known);
    let message = message.trim_end_matches('.').replacen("Unknown ", "unknown ", 1);
    let message = message.replacen("Variable ", "variable ", 1).replacen("Field ", "field ", 1);
    Diagnostic { code, message, file: format!("templates/{file}"), span, help }
}

fn help(code: &Code, message: &str, known: &str) -> String {
    let names: Vec<&str> = known.split_once(": ").map_or(Vec::new(), |(_, names)| names.split(", ").collect());
    let name = message.split('`').nth(1).unwrap_or_default();
    match (nearest(name, names.iter().copied()), code.name) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, _) if !names.is_empty() => format!("known here: {}", names.join(", ")),
        (None, "template/too-large") => "look for a loop that writes too much".to_owned(),
        (None, "template/unknown-name") => "take the name from the built-in templates".to_owned(),
        (None, "template/syntax") => "compare with the built-in template of the same name".to_owned(),
        (None, _) => "compare with the built-in template; an optional value needs `or` or `{% if %}`".to_owned(),
    }
}

fn not_text(name: &str) -> Diagnostic {
    Diagnostic {
        help: "save the file as UTF-8".to_owned(),
        ..diagnostic(&codes::TEMPLATE_SYNTAX, name, None, "the template is not UTF-8 text".to_owned())
    }
}

/// A file under `site/` or `mail/` that no page asks for is probably a misspelt one.
fn unused(name: &str) -> Option<Diagnostic> {
    let is_known = BuiltIn::get(name).is_some() || !(name.starts_with("site/") || name.starts_with("mail/"));
    let names: Vec<_> = if is_known { Vec::new() } else { BuiltIn::iter().collect() };
    let near = nearest(name, names.iter().map(|name| &**name))?;
    let message = format!("no page is made from `{name}`");
    let diagnostic = diagnostic(&codes::TEMPLATE_UNUSED, name, None, message);
    Some(Diagnostic { help: format!("did you mean `{near}`?"), ..diagnostic })
}

struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LARGEST_RENDERING {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The kinds of media, and what only looks are made of.
fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        _ => media_type(name).unwrap_or("application/octet-stream"),
    }
}

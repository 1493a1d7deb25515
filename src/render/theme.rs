//! The looks: built-in templates and static files, and a publication's own instead of them, file by file.
//!
//! A template of the publication that cannot be used is a diagnostic and the built-in one stays. Each template is
//! rendered once with samples, so that a field that does not exist is found before a reader sees the page.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::ops::Range;

use tera::{Context, ErrorKind, Kwargs, State, Tera};

use crate::content::fingerprint;
use crate::diagnostic::{Code, Diagnostic, Span, codes, nearest};

use super::{media_type, sample, text};

/// Bytes that one rendering may have: a loop that never ends must not take the machine down.
const LARGEST_RENDERING: usize = 8 * 1024 * 1024;
/// Where the built-in templates stand in Tera, so that those of a publication win.
const BUILT_IN: &str = "built-in/";

#[derive(rust_embed::Embed)]
#[folder = "templates/"]
struct BuiltIn;

/// The looks of a publication.
pub struct Theme {
    tera: Tera,
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
#[derive(Debug, Clone)]
pub struct RenderError(Box<Diagnostic>);

impl RenderError {
    /// The problem.
    pub fn into_diagnostic(self) -> Diagnostic {
        *self.0
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic { file, span, message, .. } = &*self.0;
        let (line, column) = span.as_ref().map_or((1, 1), |span| (span.line, span.column));
        write!(formatter, "{file}:{line}:{column}: {message}")
    }
}

impl std::error::Error for RenderError {}

impl Theme {
    /// The built-in looks with `overrides` instead: name below `templates/`, such as `site/article.html`, and bytes.
    pub fn load(overrides: &[(String, Vec<u8>)]) -> (Theme, Vec<Diagnostic>) {
        let mut theme = Theme::built_in();
        let mut diagnostics = Vec::new();
        let mut texts = Vec::new();
        for (name, bytes) in overrides {
            match (name.strip_prefix("static/"), str::from_utf8(bytes)) {
                (Some(name), _) => theme.add_static(name, Cow::Owned(bytes.clone())),
                (None, Ok(text)) => texts.push((name.clone(), text.to_owned())),
                (None, Err(_)) => diagnostics.push(not_text(name)),
            }
        }
        diagnostics.extend(texts.iter().filter_map(|(name, _)| unused(name)));
        diagnostics.extend(theme.add_templates(texts));
        diagnostics.extend(theme.try_samples());
        (theme, diagnostics)
    }

    /// The built-in looks.
    fn built_in() -> Theme {
        let mut theme = Theme { tera: Tera::new(), static_files: BTreeMap::new(), sources: BTreeMap::new() };
        let mut templates = Vec::new();
        for name in BuiltIn::iter() {
            let Some(file) = BuiltIn::get(&name) else { continue };
            match name.strip_prefix("static/") {
                Some(name) => theme.add_static(name, file.data),
                None => templates.push((format!("{BUILT_IN}{name}"), String::from_utf8_lossy(&file.data).into_owned())),
            }
        }
        theme.tera.register_filter("underlined", underlined);
        // Neither can fail for the files in the binary: a test loads them.
        let _ = theme.tera.set_fallback_prefixes([BUILT_IN]);
        let _ = theme.tera.add_raw_templates(templates.iter().map(|(name, text)| (name, text)));
        theme.sources.extend(templates);
        theme
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

    /// Renders every template with its sample; one problem a template.
    fn try_samples(&self) -> Vec<Diagnostic> {
        let samples = sample::samples(self).into_iter();
        let errors = samples.filter_map(|(name, context)| self.render(&name, &context).err());
        let mut diagnostics: Vec<Diagnostic> = Vec::new();
        for diagnostic in errors.map(RenderError::into_diagnostic) {
            if !diagnostics.contains(&diagnostic) {
                diagnostics.push(diagnostic);
            }
        }
        diagnostics
    }

    /// Renders the template `name` with `context`.
    pub(super) fn render(&self, name: &str, context: &Context) -> Result<String, RenderError> {
        let mut page = Capped(Vec::new());
        self.tera.render_to(name, context, &mut page).map_err(|error| self.error(&error, name))?;
        Ok(String::from_utf8_lossy(&page.0).into_owned())
    }

    /// SHA-256 of all templates and static files, in hex: the looks' part in what was approved.
    pub fn fingerprint(&self) -> String {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        let texts = self.sources.iter().map(|(name, text)| (name, text.as_bytes()));
        let files = self.static_files.values().map(|file| (&file.address, &*file.bytes));
        for (name, bytes) in texts.chain(files) {
            context.update(&name.len().to_be_bytes());
            context.update(name.as_bytes());
            context.update(&bytes.len().to_be_bytes());
            context.update(bytes);
        }
        context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
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
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        _ => media_type(name).unwrap_or("application/octet-stream"),
    }
}

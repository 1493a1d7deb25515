//! `check`: all that is wrong with a publication, in one run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::clock;
use crate::diagnostic::{self, Diagnostic, Severity};
use crate::press::{self, Edition, Options};

use super::{Context, Done, Failure, Format, counted};

/// Show what is wrong with articles, settings, templates and the mail they would become
///
/// Says nothing and exits with 0 when all is well, exits with 1 when there are errors. Nothing is fetched and nothing
/// is written.
///
/// Example: pressrun check content/2026
#[derive(Debug, Args)]
pub struct Check {
    /// Show only what is wrong with these files and folders
    paths: Vec<PathBuf>,
    /// Let warnings count as errors
    #[arg(long)]
    strict: bool,
}

/// Checks the publication and prints what it finds.
pub fn run(check: &Check, context: &Context) -> Done<ExitCode> {
    let options = Options { environment: context.environment.clone(), only_checked: true, ..Options::default() };
    let edition = press::load(context.root(), &options, clock::now())?;
    let chosen = check.paths.iter().map(|path| relative(context.root(), path)).collect::<Result<Vec<_>, _>>()?;
    let is_chosen = |file: &str| chosen.is_empty() || chosen.iter().any(|path| Path::new(file).starts_with(path));
    let diagnostics: Vec<_> = edition.diagnostics.iter().filter(|one| is_chosen(&one.file)).cloned().collect();
    print(&diagnostics, &edition, context)?;
    let broken = diagnostics.iter().map(|diagnostic| &diagnostic.file);
    let files: BTreeSet<&String> = edition.sources.keys().filter(|file| is_chosen(file)).chain(broken).collect();
    if let Some(summary) = summary(&diagnostics, files.len()) {
        context.say(&summary);
    }
    if let Some(worst) = diagnostics.iter().min_by_key(|one| one.severity()) {
        context.say(&format!("More about the first: pressrun explain {}", worst.code.name));
    }
    let stops =
        |one: &Diagnostic| one.severity() == Severity::Error || check.strict && one.severity() == Severity::Warning;
    Ok(ExitCode::from(u8::from(diagnostics.iter().any(stops))))
}

/// Prints diagnostics as the person or the program wants them.
pub(super) fn print(diagnostics: &[Diagnostic], edition: &Edition, context: &Context) -> Done {
    let text = match context.format {
        Format::Human => diagnostic::human(diagnostics, &edition.sources, context.color),
        Format::Json => diagnostics.iter().map(|one| diagnostic::json(one) + "\n").collect(),
        Format::Sarif => diagnostic::sarif(diagnostics, context.root()) + "\n",
        Format::Github => diagnostic::github(diagnostics, context.root()),
    };
    context.print(&text)
}

/// A path as the person sees it, as one that diagnostics name: relative to the publication's folder.
fn relative(root: &Path, path: &Path) -> Done<PathBuf> {
    let missing = |_| {
        let message = format!("cannot check `{}`: there is no such file or folder", path.display());
        Failure::yours(message, "check the path")
    };
    let root = root.canonicalize().map_err(missing)?;
    // A symlink is meant itself, not what it leads to, and one that leads nowhere can be checked too.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let place = match path.file_name() {
        Some(name) if path.is_symlink() => folder.canonicalize().map(|folder| folder.join(name)),
        _ => path.canonicalize(),
    };
    place.map_err(missing)?.strip_prefix(&root).map(Path::to_path_buf).map_err(|_| {
        let message = format!("`{}` is not in the publication `{}`", path.display(), root.display());
        Failure::yours(message, "name the publication with `--config`")
    })
}

/// How much there is to do, such as `3 errors, 1 warning in 12 files.`; none where there is nothing.
pub(super) fn summary(diagnostics: &[Diagnostic], files: usize) -> Option<String> {
    let mut counts = BTreeMap::new();
    for diagnostic in diagnostics {
        *counts.entry(diagnostic.severity()).or_insert(0) += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(severity, count)| counted(*count, severity.as_str())).collect();
    (!counts.is_empty()).then(|| format!("{} in {}.", counts.join(", "), counted(files, "file")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::codes;

    fn diagnostic(code: &'static diagnostic::Code) -> Diagnostic {
        let (message, file, help) = (String::new(), String::new(), String::new());
        Diagnostic { code, message, file, span: None, help }
    }

    #[track_caller]
    fn check(codes: &[&'static diagnostic::Code], files: usize, expected: Option<&str>) {
        let diagnostics: Vec<_> = codes.iter().map(|code| diagnostic(code)).collect();
        assert_eq!(summary(&diagnostics, files).as_deref(), expected);
    }

    #[test]
    fn a_summary_counts_the_worst_first() {
        let (error, warning) = (&codes::SETTINGS_SYNTAX, &codes::SETTINGS_UNKNOWN_KEY);
        check(&[], 12, None);
        check(&[error], 1, Some("1 error in 1 file."));
        check(&[warning, error, error, error], 12, Some("3 errors, 1 warning in 12 files."));
    }

    #[test]
    fn a_path_is_seen_from_the_publication() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        crate::files::write_atomically(&root.join("content/2026/a.md"), b"text").unwrap();
        std::os::unix::fs::symlink("/nowhere", root.join("content/link.md")).unwrap();
        let seen = |path: &str| relative(root, &root.join(path)).map_err(|failure| failure.message);
        assert_eq!(seen("content/2026/../2026/a.md"), Ok("content/2026/a.md".into()));
        assert_eq!(seen("content/link.md"), Ok("content/link.md".into()));
        assert_eq!(seen(""), Ok("".into()));
        assert!(seen("content/b.md").unwrap_err().ends_with("there is no such file or folder"));
        assert!(seen("..").unwrap_err().contains("is not in the publication"));
    }
}

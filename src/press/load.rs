//! From a folder to an edition.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use url::Url;

use crate::checks;
use crate::config::{self, Settings};
use crate::content::{self, Article, Catalog, Page, fingerprint};
use crate::diagnostic::{Diagnostic, Severity, Sources};
use crate::files::{self, Refusal, Refused, SETTINGS_FILE, TextFile, Tree};
use crate::render::{self, Theme};
use crate::threads;

use super::mails;
use super::site::{self, Site};
use super::{Edition, MediaFile, PressError};

/// Where readers find the site when nobody has said it.
const LOCAL: &str = "http://127.0.0.1:8000";
/// Below this many files a thread costs more than it saves.
const FEW: usize = 64;

/// What an edition is made with, besides its folder.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The environment's `PRESSRUN_…` variables.
    pub environment: Vec<(String, String)>,
    /// Where the site is found, instead of the publication's url.
    pub base_url: Option<Url>,
    /// Where readers find the site if the publication has no url: what `serve` listens on.
    pub bound_url: Option<Url>,
    /// Whether the pages will lie on a server that knows no readers, so that forms lead to the publication's url.
    pub is_static: bool,
    /// Whether drafts and scheduled articles are out too.
    pub drafts: bool,
    /// Whether only what is wrong is asked for: then there are no pages in it, and only those were tried that may fail.
    pub only_checked: bool,
}

/// Reads the publication in `root` and prints it as it is at `now`.
///
/// Whatever an editor did wrong is in the edition's diagnostics, and the rest is there all the same; only a folder
/// that is no publication, or cannot be read, is an error.
pub fn load(root: &Path, options: &Options, now: DateTime<Utc>) -> Result<Edition, PressError> {
    let (settings, mut diagnostics, text) = read_settings(root, &options.environment)?;
    let tree = files::read_tree(root)?;
    diagnostics.extend(tree.refused.iter().map(refused));
    let article = |file: &TextFile| content::read_article(&file.path, &file.bytes, &settings);
    let articles = note(&mut diagnostics, read_each(&tree.articles, article));
    let page = |file: &TextFile| content::read_page(&file.path, &file.bytes, &settings);
    let pages = note(&mut diagnostics, read_each(&tree.pages, page));
    let theme = note(&mut diagnostics, Theme::load(&templates(&tree)));
    let mut sources = sources(&tree, &articles, &pages);
    sources.extend(text);
    let content_revision = content_revision(&settings, &tree, &articles, &pages);
    let revision = fingerprint(format!("{content_revision}\n{settings:?}").as_bytes());
    let media = media(&tree);
    let read_at = now;
    let (articles, now) = if options.drafts { as_if_published(articles, now) } else { (articles, now) };
    let edition = Edition {
        root: root.to_path_buf(),
        base_url: base_url(&settings, options),
        readers_url: settings.publication.base_url().filter(|_| options.is_static).unwrap_or_default().to_owned(),
        settings: Arc::new(settings),
        catalog: Arc::new(Catalog::assemble(articles, pages, tree.media)),
        theme: Arc::new(theme),
        site: Site::default(),
        media: Arc::new(media),
        diagnostics,
        sources,
        read_at,
        printed_at: now,
        revision,
        content_revision,
    };
    Ok(printed(edition, now, options.only_checked))
}

/// Prints the pages, looks at everything together, and puts what is wrong in the order of files and lines.
fn printed(mut edition: Edition, now: DateTime<Utc>, only_checked: bool) -> Edition {
    let imprint = edition.imprint();
    let site = if only_checked {
        render::try_pages(&imprint, now).map(|()| Site::default())
    } else {
        site::compose(&imprint, now)
    };
    match site {
        Ok(site) => edition.site = site,
        Err(error) => edition.diagnostics.push(error.into_diagnostic()),
    }
    let mut found = checks::catalog(&edition.settings, &edition.catalog, &edition.sources);
    found.extend(mails::check(&edition.imprint(), now));
    edition.diagnostics.append(&mut found);
    edition.diagnostics.sort_by_key(place);
    edition.diagnostics.dedup();
    edition
}

fn place(diagnostic: &Diagnostic) -> (String, usize, Severity, &'static str) {
    let start = diagnostic.span.as_ref().map_or(0, |span| span.bytes.start);
    (diagnostic.file.clone(), start, diagnostic.severity(), diagnostic.code.name)
}

/// Keeps the diagnostics and passes the value on.
fn note<T>(diagnostics: &mut Vec<Diagnostic>, (value, mut found): (T, Vec<Diagnostic>)) -> T {
    diagnostics.append(&mut found);
    value
}

fn refused(refused: &Refused) -> Diagnostic {
    match refused.why {
        Refusal::TooLarge(bytes) if refused.path.ends_with(".md") => content::too_large(&refused.path, bytes),
        Refusal::LeadsOutside => checks::leads_outside(&refused.path),
        _ => checks::not_readable(&refused.path, &refused.why.to_string()),
    }
}

/// Reads what publish.toml in `root` and the environment say, for work that needs no article: the settings, what is
/// wrong with them, and the text that this points into. Errors are those of [`load`].
pub fn read_settings(
    root: &Path,
    environment: &[(String, String)],
) -> Result<(Settings, Vec<Diagnostic>, Sources), PressError> {
    let text = files::read_settings(root)?.ok_or_else(|| PressError::NoPublication(root.to_path_buf()))?;
    let mut source = config::Source { text, environment: environment.to_vec(), ..Default::default() };
    // A secret that cannot be read is missing, which the settings complain about.
    let read = |name: String| files::read_secret(root, &name).ok().map(|secret| (name, secret));
    source.secret_files = config::secret_files_named(&source).into_iter().filter_map(read).collect();
    let (settings, diagnostics) = config::read(&source);
    Ok((settings, diagnostics, Sources::from([(SETTINGS_FILE.to_owned(), source.text.into())])))
}

/// Reads files, in many threads where that is worth it; the order stays.
fn read_each<T: Send>(
    files: &[TextFile],
    read: impl Fn(&TextFile) -> (Option<T>, Vec<Diagnostic>) + Sync,
) -> (Vec<T>, Vec<Diagnostic>) {
    let (read, diagnostics): (Vec<_>, Vec<_>) = threads::map(files, FEW, read).into_iter().unzip();
    (read.into_iter().flatten().collect(), diagnostics.concat())
}

fn templates(tree: &Tree) -> Vec<(String, Vec<u8>)> {
    let name = |file: &TextFile| file.path.trim_start_matches("templates/").to_owned();
    tree.templates.iter().map(|file| (name(file), file.bytes.clone())).collect()
}

/// The texts that diagnostics point into; an article that was read shares its own.
fn sources(tree: &Tree, articles: &[Article], pages: &[Page]) -> Sources {
    let mut sources: Sources =
        articles.iter().map(|article| (article.path.clone(), article.body.source.clone())).collect();
    sources.extend(pages.iter().map(|page| (page.path.clone(), page.body.source.clone())));
    for file in tree.articles.iter().chain(&tree.pages).chain(&tree.templates) {
        let text = || String::from_utf8_lossy(&file.bytes).into();
        sources.entry(file.path.clone()).or_insert_with(text);
    }
    sources
}

fn base_url(settings: &Settings, options: &Options) -> String {
    let own = settings.publication.base_url();
    let chosen = options.base_url.as_ref().map(Url::as_str).or(own).or(options.bound_url.as_ref().map(Url::as_str));
    chosen.unwrap_or(LOCAL).trim_end_matches('/').to_owned()
}

fn media(tree: &Tree) -> BTreeMap<String, MediaFile> {
    let media = tree.media.iter().filter_map(|(path, image)| {
        let file = MediaFile { path: path.clone(), content_type: render::media_type(path)? };
        Some((render::media_address(path, image), file))
    });
    media.collect()
}

/// Every article out, and the moment at which that is so.
fn as_if_published(mut articles: Vec<Article>, now: DateTime<Utc>) -> (Vec<Article>, DateTime<Utc>) {
    for article in &mut articles {
        article.draft = false;
        article.date.get_or_insert(now);
    }
    let last = articles.iter().filter_map(|article| article.date).fold(now, DateTime::max);
    (articles, last)
}

/// A hash over everything that pages and mails are made from; secrets have no part in it, nor has what machines that
/// share a publication may each have of their own.
fn content_revision(settings: &Settings, tree: &Tree, articles: &[Article], pages: &[Page]) -> String {
    let Settings { publication, authors, newsletters, site, sending, billing, .. } = settings;
    let said = (publication, authors, newsletters, site, sending, &billing.plans);
    let mut inputs = format!("{}\n{said:?}\n", env!("CARGO_PKG_VERSION"));
    let articles = articles.iter().map(|article| (&article.path, article.hash.clone()));
    let pages = pages.iter().map(|page| (&page.path, fingerprint(page.body.source.as_bytes())));
    let templates = tree.templates.iter().map(|file| (&file.path, fingerprint(&file.bytes)));
    let media = tree.media.iter().map(|(path, image)| (path, image.hash.clone()));
    for (path, hash) in articles.chain(pages).chain(templates).chain(media) {
        let _ = writeln!(inputs, "{hash} {path}");
    }
    fingerprint(inputs.as_bytes())
}

//! The site as files, for any web server.
//!
//! Only the public part, and only what is out. Files that say the same already are left alone, and nothing is removed
//! that an earlier build has not written: each build leaves a list of its files for the next.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::files::{self, FilesError};

use super::{Edition, PressError};

/// The list of what was written, in the folder it was written to.
const MANIFEST: &str = ".pressrun-build";

/// Where media are, each below its hash.
const MEDIA: &str = "/media/";

/// What a build did, in numbers of files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Built {
    /// New or different.
    pub written: usize,
    /// As they were.
    pub unchanged: usize,
    /// No longer part of the site.
    pub removed: usize,
}

/// Where the bytes of a file come from.
enum Contents<'a> {
    Page(&'a [u8]),
    Medium(&'a str),
    Redirect(&'a str),
}

/// Writes the site to the folder `out`, which is made if missing.
pub fn build(edition: &Edition, out: &Path) -> Result<Built, PressError> {
    let out = own_folder(&edition.root, out)?;
    let made = contents(edition);
    let earlier = read_manifest(&out)?;
    let names: BTreeSet<String> = made.keys().cloned().collect();
    // Both lists until all is done: a build that dies halfway leaves no file that the next one does not know.
    write_manifest(&out, &names.union(&earlier).cloned().collect())?;
    let mut built = Built::default();
    for (name, contents) in &made {
        match write(edition, &out.join(name), contents)? {
            true => built.written += 1,
            false => built.unchanged += 1,
        }
    }
    for name in earlier.difference(&names) {
        files::remove(&out.join(name), &out)?;
        built.removed += 1;
    }
    write_manifest(&out, &names)?;
    Ok(built)
}

fn write(edition: &Edition, path: &Path, contents: &Contents<'_>) -> Result<bool, FilesError> {
    match contents {
        Contents::Page(bytes) => files::write_if_changed(path, bytes),
        Contents::Medium(source) => files::write_if_changed(path, &files::read_media(&edition.root, source)?),
        Contents::Redirect(target) => files::write_if_changed(path, redirect_page(target).as_bytes()),
    }
}

/// Makes `out`, unless the publication's own files are or would be among what is written there.
fn own_folder(root: &Path, out: &Path) -> Result<PathBuf, PressError> {
    let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    let is_ours = |out: &Path| {
        root.starts_with(out)
            || ["content", "templates", "data"].iter().any(|name| out.starts_with(root.join(name)))
            || out.join("content").exists()
            || out.join("publish.toml").exists()
    };
    let out = &std::path::absolute(out).unwrap_or_else(|_| out.to_path_buf());
    // Looked at before it is made, as far as it is there, and again when it is.
    let existing = out.ancestors().find_map(|folder| Some((folder.canonicalize().ok()?, folder)));
    let future = existing.map(|(real, folder)| real.join(out.strip_prefix(folder).unwrap_or(Path::new(""))));
    if future.is_some_and(|future| is_ours(&future)) {
        return Err(PressError::Ours(out.to_path_buf()));
    }
    let made = files::create_folder(out)?;
    if is_ours(&made) { Err(PressError::Ours(out.to_path_buf())) } else { Ok(made) }
}

fn contents(edition: &Edition) -> BTreeMap<String, Contents<'_>> {
    let mentioned = mentioned_media(edition);
    let is_mentioned = |address: &str| address.rsplit_once('/').is_some_and(|(folder, _)| mentioned.contains(folder));
    let media = edition.media.iter().filter(|(address, _)| is_mentioned(address));
    let media = media.map(|(address, medium)| (address, Contents::Medium(&medium.path)));
    let pages = edition.site.pages.iter().map(|(address, page)| (address, Contents::Page(&page.body)));
    let redirects = edition.site.redirects.iter().map(|(address, target)| (address, Contents::Redirect(target)));
    let all = redirects.chain(media).chain(pages);
    all.filter_map(|(address, contents)| Some((file_name(address)?, contents))).collect()
}

/// The addresses of media, as far as their hashes, that a page leads to: what only a draft or the
/// hidden part of an article shows is not public.
fn mentioned_media(edition: &Edition) -> BTreeSet<String> {
    let mut mentioned = BTreeSet::new();
    for page in edition.site.pages.values().filter(|_| !edition.media.is_empty()) {
        let text = String::from_utf8_lossy(&page.body);
        let hashes = text.split(MEDIA).skip(1).filter_map(|part| part.split('/').next());
        mentioned.extend(hashes.map(|hash| format!("{MEDIA}{hash}")));
    }
    mentioned
}

/// What leads a browser on where no server can say it.
fn redirect_page(target: &str) -> String {
    let target = target.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Moved</title>\n<link rel=\"canonical\" href=\"{target}\">\n\
         <meta http-equiv=\"refresh\" content=\"0; url={target}\">\n<p><a href=\"{target}\">This page has moved</a></p>\n"
    )
}

/// The file that a web server answers `address` with, such as `an-article/index.html`.
fn file_name(address: &str) -> Option<String> {
    let name = address.strip_prefix('/')?;
    let is_file = name.rsplit('/').next().is_some_and(|last| last.contains('.'));
    let folder = name.trim_end_matches('/');
    let name = match (is_file, folder) {
        (true, _) => name.to_owned(),
        (false, "") => "index.html".to_owned(),
        (false, folder) => format!("{folder}/index.html"),
    };
    is_inside(&name).then_some(name)
}

fn is_inside(name: &str) -> bool {
    let mut components = Path::new(name).components();
    !name.is_empty() && components.all(|component| matches!(component, Component::Normal(_)))
}

fn read_manifest(out: &Path) -> Result<BTreeSet<String>, FilesError> {
    let bytes = files::read_if_there(&out.join(MANIFEST))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().filter(|name| is_inside(name)).map(str::to_owned).collect())
}

fn write_manifest(out: &Path, names: &BTreeSet<String>) -> Result<(), FilesError> {
    let text: String = names.iter().flat_map(|name| [name.as_str(), "\n"]).collect();
    files::write_if_changed(&out.join(MANIFEST), text.as_bytes()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, expected: Option<&str>) {
        assert_eq!(file_name(address).as_deref(), expected);
    }

    #[test]
    fn an_address_is_a_file_in_the_folder() {
        check("/", Some("index.html"));
        check("/an-article/", Some("an-article/index.html"));
        check("/old", Some("old/index.html"));
        check("/tags/law/", Some("tags/law/index.html"));
        check("/feed.xml", Some("feed.xml"));
        check("/../publish.toml", None);
        check("//etc/passwd.txt", None);
        check("publish.toml", None);
    }
}

//! Reads a publication's folder.
#![expect(clippy::disallowed_methods, reason = "this is the door")]

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, Read as _, Seek as _};
use std::path::{Component, Path, PathBuf};

use aws_lc_rs::digest;

use crate::content::{Image, LARGEST_FILE};

use super::error::reason;
use super::{CONTENT, FilesError, SETTINGS_FILE, TEMPLATES, is_scratch};

/// No article, page, template or settings file is longer.
const LONGEST_TEXT: u64 = LARGEST_FILE as u64;
/// No picture or attachment is longer.
const LONGEST_MEDIUM: u64 = 64 << 20;
/// No secret is longer.
const LONGEST_SECRET: u64 = 64 << 10;
/// Folders within folders, which also ends what symlinks multiply.
const DEEPEST: usize = 32;
/// Files and folders looked at in all.
const MOST_ENTRIES: usize = 200_000;

/// What is in a publication's folder. Paths are relative to it, with `/` between folders, and sorted.
#[derive(Debug, Default)]
pub struct Tree {
    /// Markdown files under `content/`, but for pages.
    pub articles: Vec<TextFile>,
    /// Markdown files under `content/pages/`.
    pub pages: Vec<TextFile>,
    /// Every other file under `content/`, measured but not kept.
    pub media: BTreeMap<String, Image>,
    /// Files under `templates/`.
    pub templates: Vec<TextFile>,
    /// What was there and was not read.
    pub refused: Vec<Refused>,
}

/// A file that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    /// Relative to the publication's folder.
    pub path: String,
    /// As it stands on the disk.
    pub bytes: Vec<u8>,
}

/// A file or folder that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Relative to the publication's folder.
    pub path: String,
    /// Why.
    pub why: Refusal,
}

/// Why a file or folder was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has this many bytes, more than a file of its kind may have.
    #[error("it has {} MB, which is too much", .0.div_ceil(1 << 20))]
    TooLarge(u64),
    /// A symlink that leads out of `content/` or `templates/`.
    #[error("it is a symlink that leads out of its folder")]
    LeadsOutside,
    /// A symlink to a folder that it stands in, or folders nested too deep.
    #[error("it is a symlink that leads back to a folder it stands in, or nested too deep")]
    Loop,
    /// More files than any publication has; the rest was not looked at.
    #[error("the folder holds more than {MOST_ENTRIES} files")]
    TooMany,
    /// The operating system's reason.
    #[error("{0}")]
    NotReadable(String),
}

impl From<io::Error> for Refusal {
    fn from(cause: io::Error) -> Refusal {
        Refusal::NotReadable(reason(&cause))
    }
}

/// Reads the publication in `root`.
///
/// A missing `templates/` is empty; a missing `content/` is refused, for a disk that is not mounted looks the same. A
/// folder that is not there is an error; anything else that cannot be read is refused and listed.
pub fn read_tree(root: &Path) -> Result<Tree, FilesError> {
    let root = root.canonicalize().map_err(FilesError::at("open", root))?;
    let mut tree = Tree::default();
    for folder in [CONTENT, TEMPLATES] {
        read_folder(&root, folder, &mut tree);
    }
    if !root.join(CONTENT).exists() {
        let why = Refusal::NotReadable("there is no such folder; put it back, or make an empty one".to_owned());
        tree.refused.push(Refused { path: CONTENT.to_owned(), why });
    }
    tree.refused.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(tree)
}

/// Reads one file under `content/`, named relative to `root`, if it still lies there.
pub fn read_media(root: &Path, path: &str) -> Result<Vec<u8>, FilesError> {
    let refuse = FilesError::at("read", Path::new(path));
    let is_plain = Path::new(path).components().all(|component| matches!(component, Component::Normal(_)));
    let folder = root.join(CONTENT).canonicalize().map_err(&refuse)?;
    let file = root.join(path).canonicalize().map_err(&refuse)?;
    if !is_plain || !Path::new(path).starts_with(CONTENT) || !file.starts_with(&folder) {
        return Err(refuse(io::Error::other("it is not a file under `content/`")));
    }
    read_whole(&file, LONGEST_MEDIUM).map_err(|why| refuse(io::Error::other(why.to_string())))
}

/// Opens a file that somebody has named, to be read piece by piece.
pub fn open_stream(path: &Path) -> Result<impl io::Read + Send + use<>, FilesError> {
    let refuse = FilesError::at("read", path);
    let file = File::open(path).map_err(&refuse)?;
    if file.metadata().map_err(&refuse)?.is_dir() {
        return Err(refuse(io::ErrorKind::IsADirectory.into()));
    }
    Ok(BufReader::new(file))
}

/// The mails in a folder.
pub struct Mails {
    /// Each in a file of its own, by name.
    pub files: Vec<PathBuf>,
    /// In a maildir, the folder of those that somebody has seen.
    pub seen: Option<PathBuf>,
}

/// Looks for mails in a folder: in a maildir those that are new, else all files.
pub fn mails_in(folder: &Path) -> Result<Mails, FilesError> {
    let seen = Some(folder.join("cur")).filter(|seen| seen.is_dir() && folder.join("new").is_dir());
    let folder = if seen.is_some() { folder.join("new") } else { folder.to_path_buf() };
    let refuse = FilesError::at("read", &folder);
    let entries = fs::read_dir(&folder).map_err(&refuse)?;
    let paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>().map_err(&refuse)?;
    let mut files: Vec<PathBuf> = paths.into_iter().filter(|path| path.is_file()).collect();
    files.sort();
    Ok(Mails { files, seen })
}

/// Reads a secret from the file `name`, relative to `root` unless absolute, without the line's end.
pub fn read_secret(root: &Path, name: &str) -> Result<String, FilesError> {
    let text = read_text("read the secret in", &root.join(name), LONGEST_SECRET)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The text of publish.toml in `root`; none: there is no such file. That it cannot be read is an error.
pub fn read_settings(root: &Path) -> Result<Option<String>, FilesError> {
    match read_text("read", &root.join(SETTINGS_FILE), LONGEST_TEXT) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

fn read_text(act: &'static str, path: &Path, longest: u64) -> Result<String, FilesError> {
    let refuse = FilesError::at(act, path);
    fs::metadata(path).map_err(&refuse)?;
    let bytes = read_whole(path, longest).map_err(|why| refuse(io::Error::other(why.to_string())))?;
    let not_text = |_| refuse(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"));
    String::from_utf8(bytes).map_err(not_text)
}

/// One of the publication's folders, while it is read.
struct Walk<'a> {
    /// Its real place, which nothing may lead out of.
    boundary: PathBuf,
    entries: usize,
    tree: &'a mut Tree,
}

fn read_folder(root: &Path, name: &str, tree: &mut Tree) {
    match root.join(name).canonicalize() {
        Ok(boundary) if boundary.starts_with(root) && boundary != root => {
            let mut walk = Walk { boundary: boundary.clone(), entries: 0, tree };
            walk.folder(name, &mut vec![boundary]);
        }
        Ok(_) => refuse(tree, name.to_owned(), Refusal::LeadsOutside),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
        Err(cause) => refuse(tree, name.to_owned(), cause.into()),
    }
}

fn refuse(tree: &mut Tree, path: String, why: Refusal) {
    tree.refused.push(Refused { path, why });
}

impl Walk<'_> {
    /// Reads what is in the last folder of `real`, whose name in the publication is `path`.
    fn folder(&mut self, path: &str, real: &mut Vec<PathBuf>) {
        let names = real.last().map_or_else(|| Ok(Vec::new()), |folder| names(folder));
        match names {
            Ok(names) => names.into_iter().for_each(|name| self.entry(&format!("{path}/{name}"), &name, real)),
            Err(cause) => refuse(self.tree, path.to_owned(), cause.into()),
        }
    }

    fn entry(&mut self, path: &str, name: &str, real: &mut Vec<PathBuf>) {
        self.entries += 1;
        let place = real.last().map(|folder| folder.join(name));
        match place.ok_or(Refusal::LeadsOutside).and_then(|place| self.resolve(&place, real)) {
            Ok(_) if self.entries > MOST_ENTRIES => {
                if self.entries == MOST_ENTRIES + 1 {
                    refuse(self.tree, path.to_owned(), Refusal::TooMany);
                }
            }
            Ok((place, metadata)) if metadata.is_dir() => {
                real.push(place);
                self.folder(path, real);
                real.pop();
            }
            Ok((place, _)) => self.file(path, &place),
            Err(why) => refuse(self.tree, path.to_owned(), why),
        }
    }

    /// Follows a symlink to where it may lead.
    fn resolve(&self, place: &Path, real: &[PathBuf]) -> Result<(PathBuf, Metadata), Refusal> {
        let place = place.canonicalize()?;
        if !place.starts_with(&self.boundary) {
            return Err(Refusal::LeadsOutside);
        }
        if real.contains(&place) || real.len() > DEEPEST {
            return Err(Refusal::Loop);
        }
        let metadata = fs::metadata(&place)?;
        Ok((place, metadata))
    }

    fn file(&mut self, path: &str, place: &Path) {
        let is_markdown = path.ends_with(".md");
        let texts = match path.split('/').collect::<Vec<_>>()[..] {
            [TEMPLATES, ..] => &mut self.tree.templates,
            [CONTENT, "pages", ..] if is_markdown => &mut self.tree.pages,
            [CONTENT, ..] if is_markdown => &mut self.tree.articles,
            _ => return self.medium(path, place),
        };
        match read_whole(place, LONGEST_TEXT) {
            Ok(bytes) => texts.push(TextFile { path: path.to_owned(), bytes }),
            Err(why) => refuse(self.tree, path.to_owned(), why),
        }
    }

    fn medium(&mut self, path: &str, place: &Path) {
        match measure(place) {
            Ok(image) => drop(self.tree.media.insert(path.to_owned(), image)),
            Err(why) => refuse(self.tree, path.to_owned(), why),
        }
    }
}

/// The names in a folder that are somebody's words, sorted; a name that is not Unicode is shown as well as it can be,
/// and then not found.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<String>>>()?;
    names.retain(|name| !is_scratch(name));
    names.sort();
    Ok(names)
}

/// Opens a regular file no longer than `longest`; a pipe or a device is never opened, because that could block.
fn open(path: &Path, longest: u64) -> Result<File, Refusal> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(Refusal::NotReadable("it is not a regular file".to_owned()));
    }
    if metadata.len() > longest {
        return Err(Refusal::TooLarge(metadata.len()));
    }
    Ok(File::open(path)?)
}

fn read_whole(path: &Path, longest: u64) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    // The file may grow while it is read.
    open(path, longest)?.take(longest + 1).read_to_end(&mut bytes)?;
    let length = bytes.len() as u64;
    if length > longest { Err(Refusal::TooLarge(length)) } else { Ok(bytes) }
}

fn measure(path: &Path) -> Result<Image, Refusal> {
    let mut file = open(path, LONGEST_MEDIUM)?;
    let pixels = imagesize::reader_size(BufReader::new(&file)).ok().map(|size| (size.width, size.height));
    let (bytes, hash) = hash(&mut file)?;
    Ok(Image { bytes, pixels, hash })
}

/// Length and SHA-256, in pieces, so that a large picture costs no memory.
fn hash(file: &mut File) -> io::Result<(u64, String)> {
    file.rewind()?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut piece = vec![0; 64 << 10];
    let mut total = 0;
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            let hash = context.finish();
            return Ok((total, hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()));
        }
        total += length as u64;
        context.update(&piece[..length]);
    }
}

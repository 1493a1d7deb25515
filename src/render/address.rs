//! Where things are on the web: articles, tags, authors, pictures; and where a link in Markdown leads.

use url::Url;

use crate::content::{Article, Image, Page};

use super::Imprint;
use super::context::Picture;

/// The page of an article: `/SLUG/`.
pub fn article_address(article: &Article) -> String {
    encoded(&format!("/{}/", article.slug))
}

/// A page such as "About": `/SLUG/`.
pub(super) fn page_address(page: &Page) -> String {
    encoded(&format!("/{}/", page.slug))
}

/// The page of a tag: `/tags/TAG/`, in lower case and with `-` for whatever is neither letter nor digit.
pub fn tag_address(tag: &str) -> String {
    let words: Vec<_> = tag.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    encoded(&format!("/tags/{}/", words.join("-").to_lowercase()))
}

/// The page of an author: `/authors/AUTHOR/`.
pub(super) fn author_address(id: &str) -> String {
    encoded(&format!("/authors/{id}/"))
}

/// Where the picture at `path` (relative to the publication's folder) is served, for ever the same bytes:
/// `/media/HASH/NAME`, with the first 16 hex digits of its SHA-256.
pub fn media_address(path: &str, image: &Image) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    encoded(&format!("/media/{}/{name}", image.hash.get(..16).unwrap_or(&image.hash)))
}

/// `path` as it stands in an address.
fn encoded(path: &str) -> String {
    if path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte)) {
        return path.to_owned();
    }
    let escaped = path.replace('%', "%25");
    Url::parse("http://localhost").map_or(escaped.clone(), |mut url| {
        url.set_path(&escaped);
        url.path().to_owned()
    })
}

/// A file's text, seen from where it will be read.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The other words.
    pub imprint: &'a Imprint<'a>,
    /// The page it has on the web.
    pub address: &'a str,
    /// Whether addresses need scheme and host: in mails and feeds they do.
    pub is_absolute: bool,
}

impl Place<'_> {
    /// An address on our own site, in the form that this place needs.
    pub fn on_site(&self, address: &str) -> String {
        if self.is_absolute { self.imprint.absolute(address) } else { address.to_owned() }
    }

    /// Where a link in the text leads; none: nowhere a reader should be sent.
    pub fn link(&self, destination: &str) -> Option<String> {
        if let Some((scheme, _)) = destination.split_once(':')
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        {
            let is_welcome = ["http", "https", "mailto", "tel"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
            return is_welcome.then(|| destination.to_owned());
        }
        if destination.starts_with('#') && !self.is_absolute {
            return Some(destination.to_owned());
        }
        self.local(destination)
    }

    /// A file of the publication (`content/…`), or an address on its site.
    fn local(&self, destination: &str) -> Option<String> {
        let end = destination.find(['#', '?']).unwrap_or(destination.len());
        let (path, rest) = destination.split_at(end);
        if let Some(article) = self.imprint.catalog.at_path(path) {
            return Some(self.on_site(&article_address(article)) + rest);
        }
        if let Some(page) = self.imprint.catalog.pages.iter().find(|page| page.path == path) {
            return Some(self.on_site(&page_address(page)) + rest);
        }
        if let Some(image) = self.imprint.catalog.images.get(path) {
            return Some(self.on_site(&media_address(path, image)));
        }
        let page = Url::parse(&self.imprint.absolute(self.address)).ok()?;
        let target = page.join(destination).ok()?;
        if target.origin() != page.origin() || self.is_absolute {
            return Some(target.to_string());
        }
        Some(target[url::Position::BeforePath..].to_owned())
    }

    /// A picture, by `content/…` or an https address; none: there is no such file.
    pub fn picture(&self, source: &str) -> Option<Picture> {
        if source.starts_with("https://") {
            return Some(Picture { address: source.to_owned(), ..Picture::default() });
        }
        let image = self.imprint.catalog.images.get(source)?;
        let (width, height) = image.pixels.unzip();
        Some(Picture { address: self.on_site(&media_address(source, image)), width, height, ..Picture::default() })
    }
}

impl Place<'_> {
    /// A message without values, in the language of the page or mail.
    pub(super) fn say(&self, key: &str) -> String {
        self.imprint.words.say(key, &[])
    }
}

impl Imprint<'_> {
    /// `address` with scheme and host.
    pub(super) fn absolute(&self, address: &str) -> String {
        format!("{}{address}", self.base_url)
    }
}

/// `text` as a value in the query of an address.
pub(super) fn in_query(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The kinds of files that are handed out, by ending; whatever else lies in `content/` stays there.
const CONTENT_TYPES: [(&str, &str); 16] = [
    ("avif", "image/avif"),
    ("csv", "text/csv; charset=utf-8"),
    ("gif", "image/gif"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("m4a", "audio/mp4"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("xml", "application/xml; charset=utf-8"),
];

/// What a file under `content/` is, by the ending of its name; none: not a kind that is handed out.
pub fn media_type(path: &str) -> Option<&'static str> {
    let (_, ending) = path.rsplit('/').next()?.rsplit_once('.')?;
    let known = CONTENT_TYPES.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known));
    known.map(|(_, content_type)| *content_type)
}

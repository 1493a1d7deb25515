//! Words in: an article is a Markdown file with front matter; all of them together are the catalog.
//!
//! Pure: bytes come in, articles and diagnostics come out. Nothing here reads a file or knows what time it is.

mod article;
mod catalog;
mod front_matter;
mod markdown;
mod problems;
mod slug;
mod target;
#[cfg(test)]
mod tests;
mod yaml;

pub use article::{
    Article, BodyInMail, Figure, LARGEST_FILE, MailOptions, Page, fingerprint, read_article, read_page, too_large,
};
pub use catalog::{Catalog, Image};
pub use front_matter::{parse_moment, place_in_front_matter};
pub use markdown::{Body, FIRST_NAME_MARKS};
pub use slug::{OUR_ADDRESSES, slugify};

pub(crate) use front_matter::shortened;
pub(crate) use problems::Problems;
pub(crate) use target::percent_decoded;

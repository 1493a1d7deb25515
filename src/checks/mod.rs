//! What can only be seen with everything on the table: articles against each other, against the settings and against
//! the files beside them; and a mail as it would go out.
//!
//! Pure: a catalog, rendered mails and what is known of files come in, diagnostics come out. Mistakes that one file
//! shows by itself are noted where it is read.

mod addresses;
mod articles;
mod mails;
mod targets;
#[cfg(test)]
mod tests;

pub use mails::{mail, mail_was_cut};

use crate::config::Settings;
use crate::content::Catalog;
use crate::diagnostic::{Diagnostic, Sources, Wrong, codes, did_you_mean};
use crate::model::Newsletter;

/// Everything that is wrong across files.
///
/// `sources` holds the texts of all files of words by path, so that a link to one whose front matter cannot be read
/// is not called missing as well.
pub fn catalog(settings: &Settings, catalog: &Catalog, sources: &Sources) -> Vec<Diagnostic> {
    let mut diagnostics = addresses::check(catalog);
    diagnostics.extend(articles::check(settings, catalog));
    diagnostics.extend(targets::check(catalog, sources));
    diagnostics.extend(settings.newsletters.iter().flat_map(|newsletter| topics(newsletter, catalog)));
    diagnostics
}

/// The topics that readers may choose although no article carries them.
fn topics(newsletter: &Newsletter, catalog: &Catalog) -> Vec<Diagnostic> {
    let tags = || catalog.articles.iter().flat_map(|article| &article.tags);
    let unknown = newsletter.topics.iter().filter(|topic| !tags().any(|tag| tag == *topic));
    let wrong = unknown.map(|topic| {
        let message = format!("no article has the tag `{topic}`, which the newsletter `{}` offers", newsletter.id);
        let help = did_you_mean(topic, tags().map(String::as_str), "write a tag as it stands in your articles");
        Wrong::new(&codes::ARTICLE_NONE_FOR_TOPIC, message, help).of("publish.toml", None)
    });
    wrong.collect()
}

/// A symbolic link whose file lies outside of the publication.
pub fn leads_outside(path: &str) -> Diagnostic {
    let help = "put the file itself here instead of a link to it";
    Wrong::new(&codes::FILE_OUTSIDE, "the symbolic link leads out of the publication", help).of(path, None)
}

/// A file that the system does not let us read; `reason` in its words.
pub fn not_readable(path: &str, reason: &str) -> Diagnostic {
    let help = "let the account that runs pressrun read it, or take it out of the folder";
    Wrong::new(&codes::FILE_NOT_READABLE, format!("the file cannot be read: {reason}"), help).of(path, None)
}

//! What an article's page tells machines about it: schema.org's NewsArticle as JSON-LD.
//!
//! Made from what the page shows of the article in its head, never from its text, so that there is nothing in it to be
//! kept from anybody.

use serde_json::{Value, json};

use crate::content::Article;
use crate::model::Access;

use super::Imprint;
use super::context::{Moment, NamedAddress, PageMeta, Story};

/// The class of what stands in the place of the text, or around it, where the text is not for everybody.
const GATED: &str = ".gated";

/// A JSON object that can stand in a script element: no `<` ends it, whatever a headline holds (HTML, 4.12.1.3).
///
/// What is not for everybody is told as search engines ask for it, so that a short page is not taken for cloaking:
/// <https://developers.google.com/search/docs/appearance/structured-data/paywalled-content>
pub(super) fn news_article(imprint: &Imprint<'_>, article: &Article, story: &Story, page: &PageMeta) -> String {
    let publication = &imprint.settings.publication;
    let publisher = json!({ "@type": "Organization", "name": publication.title, "url": imprint.absolute("/") });
    let person = |author: &NamedAddress| json!({ "@type": "Person", "name": author.title, "url": imprint.absolute(&author.address) });
    let authors = Value::Array(story.authors.iter().map(person).collect());
    let date = |moment: Option<&Moment>| moment.map(|moment| moment.machine.clone());
    let is_free = article.access == Access::Public;
    let gated = json!({ "@type": "WebPageElement", "isAccessibleForFree": false, "cssSelector": GATED });
    let mut facts = json!({
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "mainEntityOfPage": { "@type": "WebPage", "@id": page.canonical },
        "headline": story.title,
        "description": page.description,
        "inLanguage": story.tongue.language,
        "datePublished": date(story.date.as_ref()),
        "dateModified": date(story.updated.as_ref().or(story.date.as_ref())),
        "author": if story.authors.is_empty() { &publisher } else { &authors },
        "publisher": publisher,
        "image": page.image.as_ref().map(|image| [&image.address]),
        "isAccessibleForFree": is_free,
        "hasPart": (!is_free).then_some(gated),
    });
    if let Value::Object(facts) = &mut facts {
        facts.retain(|_, fact| !fact.is_null() && fact != "");
    }
    facts.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

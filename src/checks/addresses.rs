//! No two articles share an id, and nothing shares an address.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::content::{Article, Catalog, place_in_front_matter, shortened};
use crate::diagnostic::{Diagnostic, Span, Wrong, codes};

/// Something that claims an address or an id.
#[derive(Clone)]
struct Claim<'a> {
    file: &'a str,
    source: &'a str,
    /// Where in the front matter the claim stands, if it is written out.
    path: Vec<String>,
    /// What is claimed, without slashes around it.
    name: &'a str,
}

/// Notes every claim but one to each id and each address.
pub(super) fn check(catalog: &Catalog) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for (first, claim) in disputes(ids(catalog)) {
        let message = format!("`{}` has the same `id`, `{}`", first.file, shortened(claim.name));
        let help = "give the younger of the two an id of its own: any text that no other article has";
        diagnostics.push(note(&claim, Wrong::new(&codes::ARTICLE_DUPLICATE_ID, message, help)));
    }
    for (first, claim) in disputes(addresses(catalog)) {
        let message = format!("`/{}/` already leads to `{}`", shortened(claim.name), first.file);
        let help = "give one of them another `slug:`, or take the address out of `redirect-from`";
        diagnostics.push(note(&claim, Wrong::new(&codes::ARTICLE_ADDRESS_TAKEN, message, help)));
    }
    diagnostics
}

fn ids(catalog: &Catalog) -> Vec<Claim<'_>> {
    let articles = catalog.articles.iter().filter_map(|article| Some((article, article.id.as_ref()?)));
    articles.map(|(article, id)| claim(&article.path, &article.body.source, &["id"], id.as_str())).collect()
}

fn addresses(catalog: &Catalog) -> Vec<Claim<'_>> {
    let pages = catalog.pages.iter().map(|page| claim(&page.path, &page.body.source, &["slug"], &page.slug));
    let articles = catalog.articles.iter();
    let slugs = articles.clone().map(|article| claim(&article.path, &article.body.source, &["slug"], &article.slug));
    pages.chain(slugs).chain(articles.flat_map(redirects)).collect()
}

fn redirects(article: &Article) -> impl Iterator<Item = Claim<'_>> {
    article.redirect_from.iter().enumerate().map(|(index, address)| {
        let path = ["redirect-from", &index.to_string()];
        claim(&article.path, &article.body.source, &path, address.trim_matches('/'))
    })
}

fn claim<'a>(file: &'a str, source: &'a str, path: &[&str], name: &'a str) -> Claim<'a> {
    Claim { file, source, path: path.iter().map(|step| (*step).to_owned()).collect(), name }
}

/// Pairs of the claim that stands and one that does not.
///
/// A file's own name stands before a slug that was written, that before a redirect, and then the first by file.
fn disputes(claims: Vec<Claim<'_>>) -> Vec<(Claim<'_>, Claim<'_>)> {
    let mut by_name: BTreeMap<&str, Vec<Claim<'_>>> = BTreeMap::new();
    for claim in claims {
        by_name.entry(claim.name).or_default().push(claim);
    }
    let mut disputes = Vec::new();
    for mut claims in by_name.into_values().filter(|claims| claims.len() > 1) {
        claims.sort_by_cached_key(|claim| (place(claim).is_some(), claim.path.len(), claim.file));
        let first = claims.remove(0);
        disputes.extend(claims.into_iter().map(|claim| (first.clone(), claim)));
    }
    disputes
}

fn place(claim: &Claim<'_>) -> Option<Range<usize>> {
    let path: Vec<&str> = claim.path.iter().map(String::as_str).collect();
    place_in_front_matter(claim.source, &path)
}

fn note(claim: &Claim<'_>, wrong: Wrong) -> Diagnostic {
    wrong.of(claim.file, place(claim).map(|place| Span::new(claim.source, place)))
}

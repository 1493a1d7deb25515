//! The publication's pages, from memory, and more of them for those who may read it; its pictures, from the disk; and
//! what was sealed, from the database.

use std::fmt::Write as _;

use axum::body::{Body, Bytes};
use hyper::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, HeaderMap, IF_NONE_MATCH, VARY};
use hyper::{Response, StatusCode};

use crate::content::percent_decoded;
use crate::files;
use crate::model::{IssueId, Opens, Portion, Reading};
use crate::press::{CachePolicy, MediaFile, SitePage};

use super::answer::{self, Secured as _};
use super::{Answered, Problem, Visit};

/// A page, a file, or where it is now.
pub(super) async fn page(visit: &Visit) -> Answered {
    let site = &visit.edition.site;
    let path = percent_decoded(&visit.path);
    if let Some(gated) = site.gated.get(&path) {
        let viewer = visit.reading().await?.viewer_of(&gated.newsletters);
        let opens = gated.access.portion_for(viewer) == Portion::Whole;
        let page = if opens { Some(&gated.page) } else { site.pages.get(&path) };
        let page = from_memory(page.ok_or(Problem::NotFound)?, &visit.headers);
        return Ok(page.with(VARY, "accept-encoding, cookie"));
    }
    if let Some(page) = site.pages.get(&path) {
        return Ok(from_memory(page, &visit.headers));
    }
    if let Some(file) = visit.edition.media.get(&path) {
        return from_disk(visit, &path, file).await;
    }
    let place = site.redirects.get(&path).cloned().or_else(|| {
        let with_slash = format!("{path}/");
        let without_slash =
            path.strip_suffix('/').filter(|path| matches!(*path, "/subscribe" | "/sign-in" | "/account"));
        let is_ours = site.pages.contains_key(&with_slash)
            || with_slash == "/outbox/" && visit.state.outbox.is_some()
            || is_issue(&path);
        is_ours.then_some(with_slash).or(without_slash.map(str::to_owned))
    });
    let place = place.ok_or(Problem::NotFound)?;
    Ok(answer::redirect(StatusCode::MOVED_PERMANENTLY, &encoded(&place)))
}

/// The public page of an issue, as it was sealed.
pub(super) async fn issue(visit: &Visit, id: &str) -> Answered {
    let page = visit.state.store.issue_page(&IssueId::new(id)).await?.ok_or(Problem::NotFound)?;
    Ok(answer::html(StatusCode::OK, page).with(CACHE_CONTROL, "no-cache"))
}

/// A reader's own feed, as far as they may read at this moment: the same bytes for all who may read as much.
pub(super) async fn own_feed(visit: &Visit, token: &str) -> Answered {
    let reading = visit.asker().reader_of_feed(token).await?.ok_or(Problem::NotFound)?;
    let feeds = &visit.edition.site.feeds;
    // What was bought and is not sold any more has no feed of its own.
    let without = Reading { opens: Opens::These(Vec::new()), is_subscriber: reading.is_subscriber };
    let feed = feeds.get(&reading).or(feeds.get(&without)).ok_or(Problem::NotFound)?;
    Ok(from_memory(feed, &visit.headers).private().with(CACHE_CONTROL, feed.cache.header()))
}

fn is_issue(path: &str) -> bool {
    path.strip_prefix("/issues/").is_some_and(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn from_memory(page: &SitePage, headers: &HeaderMap) -> Response<Body> {
    let gzip = page.gzip.as_ref().filter(|_| takes_gzip(headers));
    let (body, etag) = gzip.map_or((&page.body, &page.etag), |gzip| (&gzip.body, &gzip.etag));
    let mut response = if is_known(headers, etag) {
        not_modified()
    } else {
        answer::answer(StatusCode::OK, page.content_type, Body::from(Bytes::from_owner(body.clone())))
    };
    if gzip.is_some() && response.status() == StatusCode::OK {
        response = response.with(CONTENT_ENCODING, "gzip");
    }
    if page.gzip.is_some() {
        response = response.with(VARY, "accept-encoding");
    }
    response.with(ETAG, etag).with(CACHE_CONTROL, page.cache.header())
}

/// The address holds the hash of what it leads to, so it is its own tag.
async fn from_disk(visit: &Visit, address: &str, file: &MediaFile) -> Answered {
    let etag = format!("\"{}\"", address.split('/').nth(2).unwrap_or_default());
    let policy = CachePolicy::Immutable.header();
    if is_known(&visit.headers, &etag) {
        return Ok(not_modified().with(ETAG, &etag).with(CACHE_CONTROL, policy));
    }
    let (root, path) = (visit.edition.root.clone(), file.path.clone());
    let bytes = tokio::task::spawn_blocking(move || files::read_media(&root, &path)).await;
    let bytes = bytes.ok().and_then(Result::ok).ok_or(Problem::NotFound)?;
    let response = answer::answer(StatusCode::OK, file.content_type, Body::from(bytes));
    Ok(response.with(ETAG, &etag).with(CACHE_CONTROL, policy))
}

fn not_modified() -> Response<Body> {
    Response::new(Body::empty()).with_status(StatusCode::NOT_MODIFIED)
}

/// If-None-Match compares weakly (RFC 9110, 13.1.2).
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// Whether Accept-Encoding names gzip and does not weigh it with nothing (RFC 9110, 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let weight = |coding: &str| {
        let mut words = coding.split(';').map(str::trim);
        let name = words.next().unwrap_or_default().to_ascii_lowercase();
        let quality = words.find_map(|word| word.strip_prefix("q=")).map_or(Some(1.0), |quality| quality.parse().ok());
        (matches!(name.as_str(), "gzip" | "x-gzip" | "*"), quality.unwrap_or(0.0))
    };
    lines.flat_map(|line| line.split(',')).map(weight).any(|(is_gzip, quality): (bool, f32)| is_gzip && quality > 0.0)
}

/// A path of ours as it stands in a header.
fn encoded(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%?#".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_what_it_can_read() {
        for (accepts, expected) in [
            ("gzip, deflate, br", true),
            ("GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("br", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, accepts.parse().unwrap());
            assert_eq!(takes_gzip(&headers), expected, "{accepts}");
        }
    }

    #[test]
    fn a_path_is_decoded_once() {
        assert_eq!(percent_decoded("/caf%C3%A9/"), "/café/");
        assert_eq!(percent_decoded("/a%252fb/"), "/a%2fb/");
        for path in ["/%", "/%zz/", "/%ff/"] {
            assert_eq!(percent_decoded(path), path);
        }
        assert_eq!(encoded("/café/"), "/caf%C3%A9/");
    }
}

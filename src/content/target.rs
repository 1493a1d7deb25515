//! Where links and pictures lead: to a file of the publication, to an address, or nowhere that is allowed.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::diagnostic::{Wrong, codes};

use super::front_matter::shortened;

fn outside(written: &str) -> Wrong {
    let help = "a plain path counts from the article's folder, one that begins with `/` from `content/`";
    Wrong::new(&codes::FILE_OUTSIDE, format!("`{}` leads out of `content/`", shortened(written)), help)
}

/// The file that `target` names in `file`, as a path from the publication's folder; none outside of `content/`.
///
/// A plain path counts from the folder of `file`, one that begins with `/` from `content/`, and one that begins with
/// `content/` from the publication's folder.
fn file(file: &str, target: &str) -> Option<String> {
    let base = match target {
        _ if target.starts_with("content/") => "",
        _ if target.starts_with('/') => "content",
        _ => file.rsplit_once('/').map_or("", |(folder, _)| folder),
    };
    let mut path: Vec<&str> = Vec::new();
    for part in base.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(path.pop()?),
            _ => path.push(part),
        }
    }
    (path.len() > 1 && path.first() == Some(&"content")).then(|| path.join("/"))
}

/// The target of a link: an address as it stands, or `content/…` for a file, with its `#anchor`.
pub(super) fn link(from: &str, written: &str) -> Result<String, Wrong> {
    let target = without_controls(written);
    let (code, message) = match scheme(&target).as_deref() {
        Some("http" | "https" | "mailto" | "tel") => return Ok(target),
        Some("//") => (&codes::LINK_SCHEME, format!("`{}` has no scheme", shortened(written))),
        Some(scheme) => (&codes::LINK_SCHEME, format!("a link cannot begin with `{}:`", shortened(scheme))),
        None if target.is_empty() => (&codes::LINK_MISSING, "the link leads nowhere".to_owned()),
        None if target.starts_with(['#', '/']) => return Ok(target),
        None => {
            let (path, anchor) = target.find('#').map_or((target.as_str(), ""), |at| target.split_at(at));
            return file(from, &percent_decoded(path)).map(|path| path + anchor).ok_or_else(|| outside(written));
        }
    };
    Err(Wrong::new(code, message, "write the whole address with `https://`, or the path of an article's file"))
}

/// The source of a picture: an https address, or `content/…` for a file.
pub(super) fn picture(from: &str, written: &str) -> Result<String, Wrong> {
    let target = without_controls(written);
    let (code, message) = match scheme(&target).as_deref() {
        Some("https") => return Ok(target),
        Some(_) => (&codes::IMAGE_ADDRESS, format!("`{}` is not a picture's address", shortened(written))),
        None if target.is_empty() => (&codes::IMAGE_MISSING, "the picture names no file".to_owned()),
        None => return file(from, &percent_decoded(&target)).ok_or_else(|| outside(written)),
    };
    Err(Wrong::new(code, message, "name a file below `content/`, or an address that begins with `https://`"))
}

/// Browsers skip control characters in addresses (WHATWG URL, 4.4), so `java\tscript:` is what it looks like.
fn without_controls(target: &str) -> String {
    target.chars().filter(|letter| !letter.is_control()).collect::<String>().trim().to_owned()
}

/// The scheme in lower case (RFC 3986, 3.1); `//` where the reader's own would be taken.
fn scheme(target: &str) -> Option<String> {
    let mut start = target.chars();
    if let (Some('/' | '\\'), Some('/' | '\\')) = (start.next(), start.next()) {
        return Some("//".to_owned());
    }
    let (scheme, _) = target.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
    is_scheme.then(|| scheme.to_ascii_lowercase())
}

/// Replaces `%20` and its like (RFC 3986, 2.1); what is not UTF-8 then is left as it was.
pub(crate) fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_file(target: &str, expected: Option<&str>) {
        assert_eq!(file("content/2026/story.md", target).as_deref(), expected, "{target}");
    }

    #[test]
    fn a_path_stays_in_the_publication() {
        check_file("picture.png", Some("content/2026/picture.png"));
        check_file("./picture.png", Some("content/2026/picture.png"));
        check_file("../other.md", Some("content/other.md"));
        check_file("/2025/picture.png", Some("content/2025/picture.png"));
        check_file("content/picture.png", Some("content/picture.png"));
        check_file("../../publish.toml", None);
        check_file("../../../etc/passwd", None);
        check_file("/../publish.toml", None);
        check_file("content/../data/secret", None);
        check_file("../../content", None);
        check_file(".", Some("content/2026"));
    }

    #[track_caller]
    fn check_link(target: &str, expected: Result<&str, &str>) {
        let actual = link("content/2026/story.md", target).map_err(|wrong| wrong.message);
        assert_eq!(actual, expected.map(str::to_owned).map_err(str::to_owned), "{target}");
    }

    #[test]
    fn a_link_leads_to_a_file_or_an_address() {
        check_link("https://example.com/a:b", Ok("https://example.com/a:b"));
        check_link("mailto:desk@example.com", Ok("mailto:desk@example.com"));
        check_link("#top", Ok("#top"));
        check_link("/about/", Ok("/about/"));
        check_link("other%20story.md#part", Ok("content/2026/other story.md#part"));
        check_link("javascript:alert(1)", Err("a link cannot begin with `javascript:`"));
        check_link(" JaVa\tscript\n:alert(1)", Err("a link cannot begin with `javascript:`"));
        check_link("data:text/html,x", Err("a link cannot begin with `data:`"));
        check_link("//example.com/", Err("`//example.com/` has no scheme"));
        check_link("/\\example.com/", Err("`/\\example.com/` has no scheme"));
    }

    #[test]
    fn a_picture_is_a_file_or_secure() {
        let picture = |target| picture("content/story.md", target).map_err(|wrong| wrong.code.name);
        assert_eq!(picture("https://example.com/a.png"), Ok("https://example.com/a.png".to_owned()));
        assert_eq!(picture("http://example.com/a.png"), Err("image/address"));
        assert_eq!(picture("%2e%2e/%2e%2e/etc/passwd"), Err("file/outside"));
        assert_eq!(picture("100%.png"), Ok("content/100%.png".to_owned()));
        assert_eq!(picture(""), Err("image/missing"));
    }
}

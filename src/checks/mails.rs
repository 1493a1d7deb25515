//! A mail as it would go out: its size, and the way to leave.

use crate::content::{Article, place_in_front_matter};
use crate::diagnostic::{Diagnostic, Span, Wrong, codes};
use crate::render::{IssueMail, LARGE_MAIL, LARGEST_MAIL, LEAVE_TOKEN_SLOT};

/// What is wrong with a rendered mail, which belongs to `file`: the article, or the template of a digest.
pub fn mail(file: &str, mail: &IssueMail) -> Vec<Diagnostic> {
    let subject = mail.subject.trim().is_empty().then(|| {
        let help = "give the article a `title`, or write `mail: {subject: …}`";
        Wrong::new(&codes::MAIL_SUBJECT, "the mail's subject is empty", help)
    });
    let parts = [("HTML", &mail.html), ("plain text", &mail.text)];
    let without_link = parts.into_iter().filter(|(_, part)| !part.contains(LEAVE_TOKEN_SLOT)).map(|(name, _)| {
        let help = "put the leave link back into the footer of the mail's template";
        Wrong::new(&codes::MAIL_LEAVE_LINK, format!("the mail's {name} has no link to leave"), help)
    });
    subject.into_iter().chain(size(&mail.html)).chain(without_link).map(|wrong| wrong.of(file, None)).collect()
}

fn size(html: &str) -> Option<Wrong> {
    let bytes = encoded_length(html);
    let code = match bytes {
        _ if bytes > LARGEST_MAIL => &codes::MAIL_TOO_LARGE,
        _ if bytes > LARGE_MAIL => &codes::MAIL_LARGE,
        _ => return None,
    };
    let message = format!("the mail's HTML has {} KB as it travels", bytes.div_ceil(1024));
    Some(Wrong::new(code, message, "send less of it: `mail: {body: summary}`"))
}

/// How long `html` is in the shorter of quoted-printable and base64 (RFC 2045, 6.7 and 6.8).
fn encoded_length(html: &str) -> usize {
    let is_plain = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~') && *byte != b'=';
    let escaped = html.bytes().filter(|byte| !is_plain(byte)).count();
    let quoted = html.len() + 2 * escaped;
    (quoted + quoted / 73 * 3).min(html.len().div_ceil(57) * 78)
}

/// For an article whose mail was cut at [`LARGEST_MAIL`]: an error where its front matter asks for all of it.
pub fn mail_was_cut(article: &Article) -> Diagnostic {
    let place = place_in_front_matter(&article.body.source, &["mail", "body"]);
    let (code, message) = match place {
        Some(_) => (&codes::MAIL_TOO_LARGE, "the mail's HTML has more than 100 KB as it travels, too much for `full`"),
        None => {
            (&codes::MAIL_CUT, "the mail's HTML would have more than 100 KB, so it ends early with a link to the rest")
        }
    };
    let wrong = Wrong::new(code, message, "write `mail: {body: summary}`, or make two articles of it");
    wrong.of(&article.path, place.map(|place| Span::new(&article.body.source, place)))
}

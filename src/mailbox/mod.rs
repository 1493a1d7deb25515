//! What comes back by mail or from a provider, and what follows from it.
//!
//! A mail is heeded only if it holds a token that this publication made for a delivery, and only for that delivery. A
//! provider is heeded if it proves that it is ours. What was heard once counts once. Everything is bounded, and nothing
//! that comes in is answered by a mail.

mod lmtp;
mod postmark;
mod ses;
mod sns;

use std::io::{BufRead, Read as _};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::auth::ServerKeys;
use crate::mail::report::{self, Back, Report};
use crate::model::Cause;
use crate::store::{About, Returned, Said, Store, StoreError};

pub use lmtp::{listen, serve_lmtp};
pub use postmark::event;
pub use sns::Sns;

/// What a provider's request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something came back.
    Returned(Returned),
    /// Something else, that asks for nothing.
    Other,
    /// Not the provider's, or nothing that it would say; and why.
    Refused(&'static str),
}

/// What a mail was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A report that a mail of ours did not arrive.
    Bounce,
    /// A reader's complaint.
    Complaint,
    /// Anything else, and whatever nobody proves.
    Ignored,
}

/// Reads a mail that was brought for `to` and does what follows from it. Says what it was, and whether somebody is not
/// mailed any more because of it.
pub async fn hear(
    store: &Store,
    keys: &Arc<ServerKeys>,
    (to, mail): (&str, &Arc<[u8]>),
    now: DateTime<Utc>,
) -> Result<(Kind, bool), StoreError> {
    let (keys, to, mail) = (Arc::clone(keys), to.to_owned(), Arc::clone(mail));
    // What is hostile may take long to read, while others are to be answered.
    let read = tokio::task::spawn_blocking(move || {
        let Some(Report::Back(back)) = report::read(&mail) else { return None };
        let keys: Vec<&[u8]> = keys.all().collect();
        Some((report::named(&mail, &to, &keys)?, back))
    });
    let Some((delivery, back)) = read.await.ok().flatten() else { return Ok((Kind::Ignored, false)) };
    let kind = if back.cause == Cause::Complaint { Kind::Complaint } else { Kind::Bounce };
    // Two reports of the same about one delivery are one.
    let id = format!("{delivery}|{}", if kind == Kind::Complaint { "complaint" } else { "report" });
    let returned = Returned { is_vouched: false, ..returned(id, About::Delivery(delivery), back, "report") };
    Ok((kind, take_back(store, returned, now).await?))
}

/// What a provider reports, whose word counts.
fn returned(id: String, about: About, back: Back, source: &str) -> Returned {
    let Back { cause, code, enhanced, text } = back;
    let said = Said { code: code.map(i64::from), enhanced, text, relay: source.to_owned() };
    Returned { id, about, cause, said, is_vouched: true }
}

/// Writes what came back, and says loudly if that stops anything. Says whether somebody is not mailed any more.
pub async fn take_back(store: &Store, returned: Returned, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let Some(consequence) = store.take_back(returned, now).await? else { return Ok(false) };
    if let Some(why) = consequence.stopped {
        tracing::error!(why, "sending has stopped; `issue resume` lets it go on");
    }
    Ok(consequence.is_suppressed)
}

/// The next mail of `source`: all of it or, in an mbox (RFC 4155), up to the next line that begins with `From `. What
/// is longer than anybody reads is passed over. None: there is no more.
pub fn next_mail(source: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let (mut mail, mut line, mut any) = (Vec::new(), Vec::new(), false);
    loop {
        // A line that is longer than this comes in pieces, of which only the first can begin a mail.
        let is_start = line.is_empty() || line.ends_with(b"\n");
        line.clear();
        if source.by_ref().take(64 * 1024).read_until(b'\n', &mut line)? == 0 {
            return Ok(any.then_some(mail));
        }
        if is_start && line.starts_with(b"From ") {
            if any {
                return Ok(Some(mail));
            }
            continue;
        }
        any = true;
        if mail.len() < report::MOST {
            mail.extend_from_slice(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mbox_is_many_mails_and_anything_else_is_one() {
        let mails = |text: &[u8]| {
            let (mut source, mut found) = (text, Vec::new());
            while let Some(mail) = next_mail(&mut source).unwrap() {
                found.push(String::from_utf8_lossy(&mail).into_owned());
            }
            found
        };
        assert_eq!(
            mails(b"From a\nA: b\n\ntext\n\nFrom b\nC: d\n\nFromage\n"),
            ["A: b\n\ntext\n\n", "C: d\n\nFromage\n"]
        );
        assert_eq!(mails(b"A: b\n\ntext"), ["A: b\n\ntext"]);
        assert_eq!(mails(b""), [""; 0]);
        let huge = mails(&[&b"A: b\n\n"[..], &vec![b'x'; 3 * report::MOST]].concat());
        assert!(huge.len() == 1 && huge[0].len() <= report::MOST + 64 * 1024);
    }
}

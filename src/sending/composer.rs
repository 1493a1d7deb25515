//! One claimed delivery becomes the bytes of one mail: an issue's parts are encoded once, a reader's are spliced in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::audience::{self, Purpose, subscription_token};
use crate::auth::ServerKeys;
use crate::mail::{Compiled, Headers, ListHeaders, bounce_address, first_name, message_id, sign};
use crate::model::{EmailAddress, IssueId, Sender, SubscriptionId, Viewer};
use crate::relay::Envelope;
use crate::render::{LEAVE_TOKEN_SLOT, PREFERENCES_TOKEN_SLOT};
use crate::store::{Claimed, Content, Fixed, IssueMail, StoreError};

use super::Means;

/// A mail that is ready to be handed over.
pub(super) struct Composed {
    /// Between whom.
    pub envelope: Envelope,
    /// All of it, with CRLF.
    pub bytes: Vec<u8>,
    /// What its first note fixes.
    pub fixed: Fixed,
    /// Whether a machine wrote it on its own (a digest, a notice): how long it is tried depends on it.
    pub kind: Kind,
}

/// How long a mail is worth trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Instant,
    Digest,
    /// No longer than its link works.
    Notice(TimeDelta),
}

/// Why a delivery cannot become a mail.
#[derive(Debug, thiserror::Error)]
pub(super) enum ComposeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// For good: its link works no more.
    #[error("its link works no more")]
    Late,
    /// For good: what it was made from is not there any more.
    #[error("{0}")]
    Gone(String),
}

/// Composes mails, and keeps the encoded parts of the issues that are being sent.
pub(super) struct Composer {
    means: Means,
    issues: Mutex<HashMap<(IssueId, Viewer), Arc<Encoded>>>,
}

struct Encoded {
    mail: IssueMail,
    from: Sender,
    reply_to: EmailAddress,
    /// With nobody's token.
    list: ListHeaders,
    body: Compiled,
}

/// So many issues' parts are kept at once.
const KEPT: usize = 16;

impl Composer {
    pub fn new(means: Means) -> Composer {
        Composer { means, issues: Mutex::default() }
    }

    /// The mail for a claimed delivery. What an earlier note fixed is used again, so that a repeat has the same bytes.
    pub async fn compose(&self, claimed: &Claimed, now: DateTime<Utc>) -> Result<Composed, ComposeError> {
        match &claimed.content {
            Content::Issue { issue, subscription, viewer } => {
                let encoded = self.encoded(issue, *viewer).await?;
                let name = match &claimed.fixed {
                    None if encoded.body.is_personal() => self.means.store.name_of(subscription).await?,
                    _ => None,
                };
                let name = name.as_deref().and_then(first_name).unwrap_or_default();
                let fixed = self.fixed(claimed, &encoded.from, name, now);
                self.issue_mail(claimed, &encoded, subscription, fixed)
            }
            Content::Notice { flow } => self.notice(claimed, flow, now).await,
        }
    }

    async fn encoded(&self, issue: &IssueId, viewer: Viewer) -> Result<Arc<Encoded>, ComposeError> {
        let key = (issue.clone(), viewer);
        if let Some(encoded) = self.issues.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(encoded));
        }
        let mail = self.means.store.issue_mail(issue, viewer).await?;
        let mail = mail.ok_or_else(|| ComposeError::Gone("the sealed issue has no text".to_owned()))?;
        let address = EmailAddress::parse(&mail.from_email).map_err(|error| ComposeError::Gone(error.to_string()))?;
        let reply_to = mail.reply_to.as_deref().and_then(|text| EmailAddress::parse(text).ok());
        let reply_to = reply_to.unwrap_or_else(|| address.clone());
        let from = Sender { name: mail.from_name.clone(), address };
        let body = Compiled::new(&mail.html, &mail.text, &[LEAVE_TOKEN_SLOT, PREFERENCES_TOKEN_SLOT]);
        let list = ListHeaders::new(&mail.newsletter, &mail.list_title, &mail.base_url, "", mail.is_digest);
        let encoded = Arc::new(Encoded { mail, from, reply_to, list, body });
        let mut issues = self.issues.lock().unwrap_or_else(PoisonError::into_inner);
        if issues.len() >= KEPT {
            issues.clear();
        }
        issues.insert(key, Arc::clone(&encoded));
        Ok(encoded)
    }

    fn issue_mail(
        &self,
        claimed: &Claimed,
        encoded: &Encoded,
        subscription: &SubscriptionId,
        fixed: Fixed,
    ) -> Result<Composed, ComposeError> {
        let Encoded { mail, from, reply_to, list, body } = encoded;
        let token = |purpose| subscription_token(self.key(&fixed), purpose, subscription);
        let tokens = [Purpose::Leave, Purpose::Preferences].map(token);
        let list = ListHeaders { leave_token: tokens[0].clone(), ..list.clone() };
        let headers = Headers {
            reply_to: reply_to.clone(),
            list: Some(list),
            auto_submitted: mail.is_digest,
            ..headers(claimed, from, mail.subject.clone(), &fixed)
        };
        let kind = if mail.is_digest { Kind::Digest } else { Kind::Instant };
        let name = Some(fixed.first_name.as_str()).filter(|name| !name.is_empty());
        let bytes = body.message(&headers, &tokens.each_ref().map(String::as_str), name);
        self.composed(claimed, headers, bytes, fixed, kind)
    }

    async fn notice(&self, claimed: &Claimed, flow: &str, now: DateTime<Utc>) -> Result<Composed, ComposeError> {
        let edition = Arc::clone(&self.means.edition.borrow());
        let flow = self.means.store.flow(flow).await?;
        let flow = flow.ok_or_else(|| ComposeError::Gone("the request behind this notice is gone".to_owned()))?;
        if flow.expires_at <= now {
            return Err(ComposeError::Late);
        }
        let notice = audience::notice(&edition, &self.means.keys, &flow)
            .map_err(|error| ComposeError::Gone(format!("the notice cannot be made: {error}")))?;
        let (from, mail) = (notice.from, notice.mail);
        let fixed = self.fixed(claimed, &from, "", now);
        let headers = Headers { auto_submitted: true, ..headers(claimed, &from, mail.subject, &fixed) };
        let bytes = Compiled::new(&mail.html, &mail.text, &[]).message(&headers, &[], None);
        self.composed(claimed, headers, bytes, fixed, Kind::Notice(flow.expires_at - flow.created_at))
    }

    /// Signs the mail, and says where it bounces to.
    fn composed(
        &self,
        claimed: &Claimed,
        headers: Headers,
        mut bytes: Vec<u8>,
        fixed: Fixed,
        kind: Kind,
    ) -> Result<Composed, ComposeError> {
        let edition = Arc::clone(&self.means.edition.borrow());
        let settings = &edition.settings.mail;
        let signers = settings.dkim.signers(headers.from.address.domain(), Some(&fixed.signed_by));
        sign(&mut bytes, &signers, fixed.date_at).map_err(|_| ComposeError::Gone("a key cannot sign".to_owned()))?;
        // Whoever bounces the mail writes to an address of its own, if there is a mailbox for that.
        let mailbox = settings.bounces_to.as_ref();
        let bounces_to = mailbox.and_then(|mailbox| bounce_address(mailbox, &claimed.id, self.key(&fixed)));
        let envelope = Envelope { from: bounces_to.unwrap_or(headers.from.address), to: headers.to };
        Ok(Composed { envelope, bytes, fixed, kind })
    }

    /// What is fixed by the first note.
    fn fixed(&self, claimed: &Claimed, from: &Sender, name: &str, now: DateTime<Utc>) -> Fixed {
        let (key, domain) = (self.means.keys.current(), from.address.domain());
        claimed.fixed.clone().unwrap_or_else(|| Fixed {
            date_at: now,
            key_id: ServerKeys::id_of(key),
            message_id: message_id(&claimed.id, key, domain),
            signed_by: self.means.edition.borrow().settings.mail.dkim.signers(domain, None).to_string(),
            first_name: name.to_owned(),
        })
    }

    /// The key that goes with it.
    fn key(&self, fixed: &Fixed) -> &[u8] {
        let keys = &self.means.keys;
        keys.by_id(&fixed.key_id).unwrap_or(keys.current())
    }
}

fn headers(claimed: &Claimed, from: &Sender, subject: String, fixed: &Fixed) -> Headers {
    Headers::new(from.clone(), claimed.to.clone(), subject, fixed.date_at, fixed.message_id.clone())
}

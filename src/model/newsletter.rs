//! A named stream that readers choose.

use super::{Access, Cadence, DigestTime, EmailAddress, NewsletterId, SendPolicy};

/// Who a mail says it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The display name: the publication's or the newsletter's, never a reader's.
    pub name: String,
    /// The address in From.
    pub address: EmailAddress,
}

/// One newsletter of the publication, with its defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Newsletter {
    /// Short name in addresses, front matter and commands.
    pub id: NewsletterId,
    /// What readers see.
    pub title: String,
    /// One sentence for the sign-up form.
    pub description: String,
    /// From.
    pub from: Sender,
    /// Where replies go, if not to From.
    pub reply_to: Option<EmailAddress>,
    /// What a reader may choose; never empty.
    pub cadences: Vec<Cadence>,
    /// What is chosen before a reader chooses; one of `cadences`.
    pub default_cadence: Cadence,
    /// When its digests go out.
    pub digest_time: DigestTime,
    /// The tags that a reader may choose among; empty: there is nothing to choose.
    pub topics: Vec<String>,
    /// Who may subscribe to it.
    pub access: Access,
    /// Whether issues go by themselves or wait for an editor.
    pub send: SendPolicy,
}

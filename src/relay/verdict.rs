//! What a failure means: for the reader's mail, for the issue, for the relay.
//!
//! The phase and what the answer is about decide together. What is our own fault leaves no mark on any reader.

use crate::model::{Cause, Strain};

use super::{Failure, FailureKind, Phase, Reply};

/// What a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// This reader's mail is refused; trying again is no use.
    RefusedForGood,
    /// This reader's mail may be taken later.
    NotNow,
    /// The message itself is refused, whoever it is for: stop the issue, leave the readers unmarked.
    MessageTrouble,
    /// The relay takes nothing from us: stop sending through it for a while, leave the readers unmarked.
    RelayTrouble,
    /// The line dropped before the final dot: nothing was delivered and nobody said anything about this reader.
    Dropped,
    /// The final dot may have arrived, and no answer came back.
    Uncertain,
}

impl Failure {
    /// What this failure says about the relay itself, whatever it means for the mail.
    pub fn strain(&self) -> Option<Strain> {
        let verdict = self.verdict();
        let FailureKind::Reply(reply) = &self.kind else {
            return Some(if verdict == Verdict::RelayTrouble { Strain::Failed } else { Strain::Dropped });
        };
        let enhanced = reply.enhanced.as_deref().unwrap_or_default();
        match (verdict, reply.code) {
            _ if matches!(enhanced, "4.7.28" | "5.7.28") => Some(Strain::TooMuch),
            (_, 421) if self.phase < Phase::RcptTo => Some(Strain::Busy),
            (Verdict::RelayTrouble, _) => Some(Strain::Failed),
            // May be about this reader alone, as where mail from strangers is put off.
            (Verdict::RefusedForGood, _) if reply.may_be_about_all() => Some(Strain::Dropped),
            (_, code) => (code == 421 || enhanced.starts_with("4.7.")).then_some(Strain::Dropped),
        }
    }

    /// What this failure means.
    pub fn verdict(&self) -> Verdict {
        match &self.kind {
            FailureKind::Reply(reply) => of_reply(self.phase, reply),
            FailureKind::Line(_) => match self.phase {
                Phase::Connect | Phase::Greeting | Phase::Hello | Phase::Tls | Phase::Login => Verdict::RelayTrouble,
                Phase::MailFrom | Phase::RcptTo | Phase::Data | Phase::Body => Verdict::Dropped,
                Phase::Answer => Verdict::Uncertain,
            },
        }
    }
}

impl Reply {
    /// What a reply that says no is about.
    pub fn cause(&self) -> Cause {
        Cause::of(Some(self.code), self.enhanced.as_deref(), &self.text)
    }

    /// Whether a reply that says no may be said of every mail: for a rule, or for no reason that we know.
    pub fn may_be_about_all(&self) -> bool {
        let by_code = Cause::by_code(Some(self.code), self.enhanced.as_deref());
        matches!((self.cause(), by_code), (Cause::Policy, _) | (Cause::Refused, None))
    }
}

fn of_reply(phase: Phase, reply: &Reply) -> Verdict {
    let of_cause = match reply.cause() {
        Cause::Authentication => Verdict::RelayTrouble,
        Cause::Rate if reply.enhanced.as_deref() == Some("5.7.28") => Verdict::RelayTrouble,
        Cause::Message => Verdict::MessageTrouble,
        Cause::Later if reply.code >= 500 => Verdict::RefusedForGood,
        Cause::Full | Cause::Rate | Cause::Later => Verdict::NotNow,
        Cause::Gone | Cause::Inactive | Cause::Policy | Cause::Refused | Cause::Complaint => Verdict::RefusedForGood,
    };
    let says_nothing = Cause::by_code(Some(reply.code), reply.enhanced.as_deref()).is_none();
    let verdict = by_basic_code(reply.code).filter(|_| says_nothing && of_cause != Verdict::NotNow).unwrap_or(of_cause);
    match (phase, verdict) {
        // The size is announced with MAIL FROM; all else said before RCPT TO is about us.
        (Phase::MailFrom, Verdict::MessageTrouble) => Verdict::MessageTrouble,
        (phase, _) if phase < Phase::RcptTo => Verdict::RelayTrouble,
        _ if is_about_our_address(reply) => Verdict::RelayTrouble,
        // Said of a mailbox, and without a reason: its share is used up (RFC 5321, 4.2.3).
        (Phase::RcptTo, Verdict::MessageTrouble) if reply.enhanced.is_none() => Verdict::NotNow,
        (_, verdict) => verdict,
    }
}

fn by_basic_code(code: u16) -> Option<Verdict> {
    match code {
        // Commands that are not understood or come out of order, and a login that is asked for.
        500 | 502..=504 | 530 | 534 | 535 | 538 | 555 => Some(Verdict::RelayTrouble),
        552 => Some(Verdict::MessageTrouble),
        _ => None,
    }
}

/// A relay that does not know us, or finds our address on a list, says so about every single reader. The words are those
/// of Postfix, Exim, Sendmail and Microsoft.
const ABOUT_OUR_ADDRESS: [&str; 7] = [
    "relay access denied", "relaying denied", "client host", "blocked using", "dnsbl", "banned sending ip",
    "on our block list",
];

fn is_about_our_address(reply: &Reply) -> bool {
    let text = reply.text.to_ascii_lowercase();
    reply.code >= 500 && ABOUT_OUR_ADDRESS.iter().any(|words| text.contains(words))
}

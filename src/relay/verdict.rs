//! What a failure means: for the reader's mail, for the issue, for the relay.
//!
//! "5xx is a dead mailbox" is wrong more often than not, so the answer's phase, its code, its enhanced code (RFC 3463)
//! and at two places its words decide together. What is our own fault leaves no mark on any reader.

use std::ops::RangeInclusive;

use crate::model::Strain;

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

fn of_reply(phase: Phase, reply: &Reply) -> Verdict {
    let of_codes = by_enhanced_code(reply).or_else(|| by_basic_code(reply.code));
    match (phase, of_codes) {
        // The size is announced with MAIL FROM; all else said before RCPT TO is about us.
        (Phase::MailFrom, Some(Verdict::MessageTrouble)) => Verdict::MessageTrouble,
        (phase, _) if phase < Phase::RcptTo => Verdict::RelayTrouble,
        (Phase::RcptTo, _) if is_refusal_to_relay(reply) => Verdict::RelayTrouble,
        // Said of a mailbox, and without a reason: its share is used up (RFC 5321, 4.2.3).
        (Phase::RcptTo, Some(Verdict::MessageTrouble)) if reply.enhanced.is_none() => Verdict::NotNow,
        (_, Some(Verdict::RefusedForGood)) if is_rate(reply) => Verdict::NotNow,
        (_, Some(verdict)) => verdict,
        (_, None) if reply.code < 500 => Verdict::NotNow,
        (_, None) => Verdict::RefusedForGood,
    }
}

/// Which first digit of the basic code a row is about.
#[derive(PartialEq)]
enum Class {
    Any,
    Permanent,
}

/// Class, subject and details of an enhanced code that say more than the basic code; the first row that fits counts.
const BY_ENHANCED_CODE: &[(Class, u16, RangeInclusive<u16>, Verdict)] = &[
    (Class::Any, 1, 7..=8, Verdict::RelayTrouble), // our own address or its domain
    (Class::Any, 7, 23..=27, Verdict::RelayTrouble), // SPF, reverse DNS, authentication
    (Class::Any, 7, 29..=32, Verdict::RelayTrouble), // TLS, DKIM, DMARC, alignment
    (Class::Any, 7, 40..=40, Verdict::RelayTrouble), // no DMARC record
    (Class::Permanent, 7, 28..=28, Verdict::RelayTrouble), // too much at once
    (Class::Permanent, 7, 500..=599, Verdict::RelayTrouble), // Microsoft: authentication and reputation
    (Class::Permanent, 1, 0..=999, Verdict::RefusedForGood), // the mailbox, whatever the basic code
    (Class::Permanent, 2, 2..=2, Verdict::NotNow), // mailbox full
    (Class::Permanent, 2, 0..=999, Verdict::RefusedForGood), // the mailbox's state
    (Class::Permanent, 3, 1..=1, Verdict::NotNow), // the whole mail system is full
    (Class::Permanent, 3, 4..=4, Verdict::MessageTrouble), // too big
    (Class::Permanent, 6, 7..=7, Verdict::RefusedForGood), // an address outside ASCII (RFC 6531)
    (Class::Permanent, 6, 0..=999, Verdict::MessageTrouble), // the form of the message
];

fn by_enhanced_code(reply: &Reply) -> Option<Verdict> {
    let mut numbers = reply.enhanced.as_deref()?.split('.').skip(1).map(str::parse::<u16>);
    let (subject, detail) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    let fits = |(class, its_subject, details, _): &&(Class, u16, RangeInclusive<u16>, Verdict)| {
        (*class == Class::Any || reply.code >= 500) && *its_subject == subject && details.contains(&detail)
    };
    BY_ENHANCED_CODE.iter().find(fits).map(|(_, _, _, verdict)| *verdict)
}

fn by_basic_code(code: u16) -> Option<Verdict> {
    match code {
        // Commands that are not understood or come out of order, and a login that is asked for.
        500 | 502..=504 | 530 | 534 | 535 | 538 | 555 => Some(Verdict::RelayTrouble),
        552 => Some(Verdict::MessageTrouble),
        _ => None,
    }
}

/// A relay that does not know us says so about every single reader.
fn is_refusal_to_relay(reply: &Reply) -> bool {
    let text = reply.text.to_ascii_lowercase();
    reply.code >= 500 && (text.contains("relay access denied") || text.contains("relaying denied"))
}

/// Gmail says 5.2.1 both of a mailbox that is closed and of one that gets too much at the moment.
fn is_rate(reply: &Reply) -> bool {
    reply.enhanced.as_deref() == Some("5.2.1") && reply.text.contains("receiving email at a rate")
}

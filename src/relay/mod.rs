//! The servers that take our mail: SMTP on a stream of our own, and the outbox folder.
//!
//! A mail is handed over in two steps, so that a note can be made durable between them: `Session::offer` brings
//! everything but the final dot, which delivers nothing, and only `Session::finish` writes the dot. Every failure
//! knows in which phase it happened; `Failure::verdict` says what it means for the mail and for the relay. Every wait
//! ends after the times of RFC 5321, 4.5.3.2.
//!
//! When to try again, what to record and whom to mail at all is left to `sending`.

mod line;
pub mod outbox;
mod reply;
mod smtp;
mod verdict;

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::config;
use crate::model::{Carries, DeliveryId, EmailAddress, Rate, words};

pub use outbox::Outbox;
pub use reply::Reply;
pub use smtp::Smtp;
pub use verdict::Verdict;

/// What is being done, and is waited for.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that takes mail.
pub trait Relay: Send + Sync {
    /// What to call it in answers and logs: `outbox`, `smtp://host:port`.
    fn name(&self) -> String;

    /// How many sessions may be open at once.
    fn connections(&self) -> usize;

    /// Which mail it is for.
    fn carries(&self) -> Carries {
        Carries::All
    }

    /// How much it is given at most, by all senders together; none: as much as it takes.
    fn rate(&self) -> Option<Rate> {
        None
    }

    /// Opens a session: connection, greeting, encryption, login.
    fn connect(&self) -> Doing<'_, Result<Box<dyn Session>, Failure>>;
}

/// An open line to a relay, over which mails go one after the other.
pub trait Session: Send + Sync {
    /// Brings a mail up to its final dot. Nothing is delivered yet: dropping the session here is safe.
    fn offer<'a>(
        &'a mut self,
        delivery: &'a DeliveryId,
        envelope: &'a Envelope,
        message: &'a [u8],
    ) -> Doing<'a, Result<(), Failure>>;

    /// Writes the final dot of the mail that was offered and waits for the answer.
    ///
    /// Where the relay takes it, the envelope of the `next` mail (with its size in octets) goes along in the same
    /// write: that mail, and no other, is to be offered next; a session with which that is not done is to be dropped.
    /// A future dropped in between leaves a session that [`Session::is_usable`] refuses.
    fn finish<'a>(&'a mut self, next: Option<(&'a Envelope, usize)>) -> Doing<'a, Result<Reply, Failure>>;

    /// Whether another mail may be offered: after a refusal yes, after a dropped line or a 421 no.
    fn is_usable(&self) -> bool {
        true
    }

    /// Takes leave, and does not wait long for the answer.
    fn quit(self: Box<Self>) -> Doing<'static, ()> {
        Box::pin(async {})
    }
}

/// The relay of the settings. The outbox lies in `data_dir`; `helo_name` is how we introduce ourselves.
pub fn from_settings(relay: &config::Relay, data_dir: &Path, helo_name: &str) -> Arc<dyn Relay> {
    match relay {
        config::Relay::Outbox => Arc::new(Outbox::new(data_dir.join("outbox"))),
        config::Relay::Smtp(settings) => Arc::new(Smtp::new(settings.clone(), helo_name, Timeouts::default())),
    }
}

/// Who a mail comes from and whom it goes to, as servers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// MAIL FROM: where bounces go.
    pub from: EmailAddress,
    /// RCPT TO.
    pub to: EmailAddress,
}

words! {
    /// How far a conversation has come, in its order.
    pub enum Phase {
        /// Reaching the server.
        Connect = "connecting to the relay",
        /// Its first words.
        Greeting = "greeting of the relay",
        /// EHLO and HELO.
        Hello = "EHLO",
        /// Encrypting the line.
        Tls = "encrypting the line",
        /// AUTH.
        Login = "logging in at the relay",
        /// MAIL FROM, and RSET before it.
        MailFrom = "MAIL FROM",
        /// RCPT TO.
        RcptTo = "RCPT TO",
        /// DATA, until the server waits for the message.
        Data = "DATA",
        /// The message without its final dot.
        Body = "sending the message",
        /// From the final dot to the answer.
        Answer = "answer to the message",
    }
}

/// What ended a conversation, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub phase: Phase,
    /// What.
    pub kind: FailureKind,
}

/// What ended a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureKind {
    /// The relay said no: 4xx or 5xx.
    Reply(Reply),
    /// There was no answer that could be read: the line dropped, time ran out, a file could not be written.
    Line(String),
}

/// How long to wait for a server (RFC 5321, 4.5.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the connection; the RFC leaves it open.
    pub connect: Duration,
    /// For the first words.
    pub greeting: Duration,
    /// For the answer to EHLO, STARTTLS, AUTH, RSET, MAIL and RCPT, and for the TLS handshake.
    pub command: Duration,
    /// For the answer to DATA.
    pub data: Duration,
    /// For taking one block of the message.
    pub block: Duration,
    /// For the answer to the final dot.
    pub answer: Duration,
    /// For the answer to QUIT, which nobody needs.
    pub quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        Timeouts {
            connect: Duration::from_secs(30),
            greeting: minutes(5),
            command: minutes(5),
            data: minutes(2),
            block: minutes(3),
            answer: minutes(10),
            quit: Duration::from_secs(2),
        }
    }
}

impl Failure {
    /// Without an answer.
    pub fn line(phase: Phase, why: impl Into<String>) -> Failure {
        Failure { phase, kind: FailureKind::Line(why.into()) }
    }

    /// With an answer that says no.
    pub fn reply(phase: Phase, reply: Reply) -> Failure {
        Failure { phase, kind: FailureKind::Reply(reply) }
    }
}

impl std::error::Error for Failure {}

/// For logs: from RCPT TO on without the relay's words, which often repeat the reader's address.
impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FailureKind::Line(why) => write!(formatter, "{}: {why}", self.phase),
            FailureKind::Reply(reply) if self.phase < Phase::RcptTo => write!(formatter, "{}: {reply}", self.phase),
            FailureKind::Reply(reply) => {
                let enhanced = reply.enhanced.as_deref().unwrap_or_default();
                write!(formatter, "{}: {} {enhanced}", self.phase, reply.code)
            }
        }
    }
}

#[cfg(test)]
mod tests;

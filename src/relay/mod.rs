//! The servers that take our mail: SMTP on a stream of our own, the outbox folder, and memory for tests.
//!
//! A mail is handed over in two steps, so that a note can be made durable between them: `Session::offer` brings
//! everything but the final dot, which delivers nothing, and only `Session::finish` writes the dot. Every failure
//! knows in which phase it happened; `Failure::verdict` says what it means for the mail and for the relay. Every wait
//! ends after the times of RFC 5321, 4.5.3.2.
//!
//! When to try again, what to record and whom to mail at all is left to `sending`.

mod line;
mod memory;
pub mod outbox;
mod reply;
mod smtp;
mod verdict;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::config;
use crate::model::{DeliveryId, EmailAddress, words};

pub use memory::{Act, FinalDot, Memory, Step};
pub use outbox::Outbox;
pub use reply::Reply;
pub use smtp::Smtp;
pub use verdict::Verdict;

/// Something that takes mail.
pub enum Relay {
    /// A server.
    Smtp(Box<Smtp>),
    /// A folder of .eml files.
    Outbox(Outbox),
    /// For tests and simulations: keeps what it gets and fails as it is told.
    Memory(Memory),
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

impl Relay {
    /// The relay of the settings. The outbox lies in `data_dir`; `helo_name` is how we introduce ourselves.
    pub fn from_settings(relay: &config::Relay, data_dir: &Path, helo_name: &str) -> Relay {
        match relay {
            config::Relay::Outbox => Relay::Outbox(Outbox::new(data_dir.join("outbox"))),
            config::Relay::Smtp(settings) => {
                Relay::Smtp(Box::new(Smtp::new(settings.clone(), helo_name, Timeouts::default())))
            }
        }
    }

    /// What to call it in answers and logs: `outbox`, `smtp://host:port`.
    pub fn name(&self) -> String {
        match self {
            Relay::Smtp(smtp) => smtp.name(),
            Relay::Outbox(_) => "outbox".to_owned(),
            Relay::Memory(_) => "memory".to_owned(),
        }
    }

    /// How many sessions may be open at once.
    pub fn connections(&self) -> usize {
        match self {
            Relay::Smtp(smtp) => smtp.connections(),
            Relay::Outbox(_) => outbox::CONNECTIONS,
            Relay::Memory(memory) => memory.connections(),
        }
    }

    /// Opens a session: connection, greeting, encryption, login.
    pub async fn connect(&self) -> Result<Session, Failure> {
        let door = match self {
            Relay::Smtp(smtp) => Door::Smtp(Box::new(smtp.connect().await?)),
            Relay::Outbox(outbox) => Door::Outbox(outbox.session()),
            Relay::Memory(memory) => Door::Memory(Box::new(memory.connect()?)),
        };
        Ok(Session { door })
    }
}

/// An open line to a relay, over which mails go one after the other.
pub struct Session {
    door: Door,
}

enum Door {
    Smtp(Box<smtp::Connection>),
    Outbox(outbox::Session),
    Memory(Box<memory::Session>),
}

impl Session {
    /// Brings a mail up to its final dot. Nothing is delivered yet: dropping the session here is safe.
    pub async fn offer(&mut self, delivery: &DeliveryId, envelope: &Envelope, message: &[u8]) -> Result<(), Failure> {
        match &mut self.door {
            Door::Smtp(connection) => connection.offer(envelope, message).await,
            Door::Outbox(session) => session.offer(delivery, message).await,
            Door::Memory(session) => session.offer(delivery, envelope, message),
        }
    }

    /// Writes the final dot of the mail that was offered and waits for the answer.
    ///
    /// A future dropped in between leaves a session that [`Session::is_usable`] refuses.
    pub async fn finish(&mut self) -> Result<Reply, Failure> {
        match &mut self.door {
            Door::Smtp(connection) => connection.finish().await,
            Door::Outbox(session) => session.finish().await,
            Door::Memory(session) => session.finish(),
        }
    }

    /// Whether another mail may be offered: after a refusal yes, after a dropped line or a 421 no.
    pub fn is_usable(&self) -> bool {
        match &self.door {
            Door::Smtp(connection) => connection.is_usable(),
            Door::Outbox(_) => true,
            Door::Memory(session) => session.is_usable(),
        }
    }

    /// Takes leave, and does not wait long for the answer.
    pub async fn quit(self) {
        if let Door::Smtp(connection) = self.door {
            connection.quit().await;
        }
    }
}

impl Failure {
    fn line(phase: Phase, why: impl Into<String>) -> Failure {
        Failure { phase, kind: FailureKind::Line(why.into()) }
    }

    fn reply(phase: Phase, reply: Reply) -> Failure {
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

//! An SMTP client (RFC 5321) that holds the final dot back until it is asked for.
//!
//! Where the relay offers PIPELINING (RFC 2920), an envelope goes in one write, together with the dot of the mail
//! before it; each answer still belongs to its command, so that the phase of every failure is known. The commands are
//! lettre's; they escape nothing, for what goes into them was checked before. Passwords go over encrypted lines or to
//! this machine only.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS, Mechanism};
use lettre::transport::smtp::commands::{Auth, Data, Ehlo, Mail, Quit, Rcpt, Rset, Starttls};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter, ServerInfo};
use lettre::transport::smtp::response::{Category, Code, Detail, Response, Severity};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig};

use crate::config::{Encryption, SmtpRelay};
use crate::model::{Carries, DeliveryId, Rate};

use super::line::{Line, Stream, in_time};
use super::{Doing, Envelope, Failure, FailureKind, Phase, Relay, Reply, Session, Timeouts};

/// How much of a message is written before the wait for the next block begins anew.
const BLOCK: usize = 32 * 1024;

/// A server and how to reach it.
pub struct Smtp {
    settings: SmtpRelay,
    hello: ClientId,
    timeouts: Timeouts,
    /// Made at the first encrypted connection, for the system's certificates are slow to read.
    pub(super) tls: OnceLock<Result<TlsConnector, String>>,
    distrust: Arc<Distrust>,
}

/// Whether the relay is asked one thing at a time although it offers PIPELINING, because that went wrong a while ago.
#[derive(Default)]
struct Distrust(Mutex<Option<Instant>>);

impl Distrust {
    const LASTS: Duration = Duration::from_secs(600);

    fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_on(&self) -> bool {
        let began = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        began.is_some_and(|began| began.elapsed() < Distrust::LASTS)
    }
}

impl Smtp {
    /// `hello` is our host name for EHLO; what cannot stand there is left out.
    pub fn new(settings: SmtpRelay, hello: &str, timeouts: Timeouts) -> Smtp {
        let hello: String = hello.chars().filter(char::is_ascii_graphic).collect();
        let hello = if hello.is_empty() { "localhost".to_owned() } else { hello };
        Smtp { settings, hello: ClientId::Domain(hello), timeouts, tls: OnceLock::new(), distrust: Arc::default() }
    }

    async fn open(&self) -> Result<TcpStream, Failure> {
        let host = self.settings.host.trim_matches(['[', ']']);
        let connecting = async {
            let stream = TcpStream::connect((host, self.settings.port)).await?;
            // The final dot is a small packet of its own, which must not wait for a delayed acknowledgement.
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = in_time(self.timeouts.connect, connecting).await;
        stream.map_err(|why| Failure::line(Phase::Connect, format!("{}: {why}", self.name())))
    }

    async fn introduce(&self, line: &mut Line) -> Result<Extensions, Failure> {
        let limit = self.timeouts.command;
        let answer = line.ask_for_lines(Ehlo::new(self.hello.clone()), limit).await;
        let (code, lines) = answer.map_err(|why| Failure::line(Phase::Hello, why))?;
        if matches!(code, 500..=599) {
            expect(Phase::Hello, 2, line.ask(format!("HELO {}\r\n", self.hello), limit).await)?;
            return Ok(Extensions::default());
        }
        expect(Phase::Hello, 2, Ok(Reply::from_lines(code, &lines)))?;
        Ok(Extensions::read(&lines))
    }

    async fn start_tls(&self, mut line: Line, extensions: &Extensions) -> Result<Line, Failure> {
        if !extensions.known.supports_feature(Extension::StartTls) {
            let why = "the relay does not offer STARTTLS, and nothing is sent in the clear";
            return Err(Failure::line(Phase::Tls, why));
        }
        expect(Phase::Tls, 2, line.ask(Starttls, self.timeouts.command).await)?;
        let stream = line.into_quiet_stream();
        let stream = stream.ok_or_else(|| Failure::line(Phase::Tls, "somebody spoke before the line was encrypted"))?;
        Ok(Line::new(self.encrypt(stream).await?))
    }

    async fn encrypt(&self, stream: impl Stream + 'static) -> Result<impl Stream + 'static, Failure> {
        let failure = |why: String| Failure::line(Phase::Tls, why);
        let connector = self.tls.get_or_init(connector).as_ref().map_err(|why| failure(why.clone()))?;
        let host = self.settings.host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|error| failure(error.to_string()))?;
        in_time(self.timeouts.command, connector.connect(name, stream)).await.map_err(failure)
    }

    /// AUTH PLAIN (RFC 4616), or AUTH LOGIN for servers that know nothing else. The lines that reach this are encrypted
    /// or lead to this machine.
    async fn log_in(&self, line: &mut Line, offered: &Extensions, credentials: &Credentials) -> Result<(), Failure> {
        let failure = |why: &str| Failure::line(Phase::Login, why);
        let mechanism = offered.known.get_auth_mechanism(DEFAULT_MECHANISMS);
        let mechanism = mechanism.ok_or_else(|| failure("the relay offers neither AUTH PLAIN nor AUTH LOGIN"))?;
        // What LOGIN asks for is known beforehand; servers word it as they like.
        let steps: &[(Option<&str>, u16)] = match mechanism {
            Mechanism::Login => &[(None, 3), (Some("Username"), 3), (Some("Password"), 2)],
            _ => &[(None, 2)],
        };
        for (question, digit) in steps {
            let auth = Auth::new(mechanism, credentials.clone(), question.map(str::to_owned));
            let auth = auth.map_err(|_| failure("the login cannot be put into words"))?;
            expect(Phase::Login, *digit, line.ask(auth, self.timeouts.command).await)?;
        }
        Ok(())
    }
}

impl Relay for Smtp {
    fn name(&self) -> String {
        let scheme = if self.settings.encryption == Encryption::Tls { "smtps" } else { "smtp" };
        format!("{scheme}://{}:{}", self.settings.host, self.settings.port)
    }

    fn connections(&self) -> usize {
        self.settings.connections.max(1)
    }

    fn carries(&self) -> Carries {
        self.settings.carries
    }

    fn rate(&self) -> Option<Rate> {
        self.settings.rate
    }

    fn connect(&self) -> Doing<'_, Result<Box<dyn Session>, Failure>> {
        Box::pin(async {
            let stream = self.open().await?;
            let is_local = stream.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
            if self.settings.encryption == Encryption::None && !is_local {
                let why = "a relay on another machine needs STARTTLS or an `smtps://` url";
                return Err(Failure::line(Phase::Tls, why));
            }
            let mut line = match self.settings.encryption {
                Encryption::Tls => Line::new(self.encrypt(stream).await?),
                Encryption::StartTls | Encryption::None => Line::new(stream),
            };
            expect(Phase::Greeting, 2, line.reply(self.timeouts.greeting).await)?;
            let mut extensions = self.introduce(&mut line).await?;
            if self.settings.encryption == Encryption::StartTls {
                line = self.start_tls(line, &extensions).await?;
                // What was said in the clear is forgotten (RFC 3207, 4.2).
                extensions = self.introduce(&mut line).await?;
            }
            if let Some((user, password)) = &self.settings.login {
                let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
                self.log_in(&mut line, &extensions, &credentials).await?;
            }
            let (timeouts, distrust) = (self.timeouts, Arc::clone(&self.distrust));
            let (state, most) = (State::Idle, self.settings.messages);
            let connection = Connection { line, extensions, timeouts, state, mails: 0, most, distrust };
            Ok(Box::new(connection) as Box<dyn Session>)
        })
    }
}

fn connector() -> Result<TlsConnector, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(|error| format!("the system's certificates cannot be used: {error}"))?;
    Ok(TlsConnector::from(Arc::new(config.with_no_client_auth())))
}

/// What a server offers beyond RFC 5321.
#[derive(Default)]
struct Extensions {
    known: ServerInfo,
    size: bool,
    pipelining: bool,
}

impl Extensions {
    /// Keywords come in any case, and from old servers as `AUTH=LOGIN`. The first line is the server's name.
    fn read(lines: &[String]) -> Extensions {
        // Without the trim lettre panics at a line of nothing but spaces.
        let keywords = lines.iter().skip(1).map(|line| line.to_ascii_uppercase().replace('=', " ").trim().to_owned());
        let lines: Vec<String> = std::iter::once("relay".to_owned()).chain(keywords).collect();
        let offers = |keyword: &str| lines.iter().any(|line| line.split(' ').next() == Some(keyword));
        let (size, pipelining) = (offers("SIZE"), offers("PIPELINING"));
        let code = Code::new(Severity::PositiveCompletion, Category::MailSystem, Detail::Zero);
        Extensions {
            known: ServerInfo::from_response(&Response::new(code, lines)).unwrap_or_default(),
            size,
            pipelining,
        }
    }
}

/// A connection that has been greeted, encrypted and logged in.
struct Connection {
    line: Line,
    extensions: Extensions,
    timeouts: Timeouts,
    state: State,
    /// How many mails were brought, taken or not.
    mails: usize,
    /// How many it is used for.
    most: usize,
    /// Shared by all connections to the relay.
    distrust: Arc<Distrust>,
}

/// Where a connection stands between two calls.
enum State {
    /// Ready for a mail.
    Idle,
    /// Ready after a RSET, for a mail was refused half way.
    Refused,
    /// The envelope of this mail is on its way, and its answers are still to be read.
    Begun(Envelope),
    /// The server has a whole message and waits for this.
    Offered(&'static [u8]),
    /// Dropped, told to leave, or left in the middle of a word.
    Broken,
}

/// One command of an envelope, and the first digit of the answer that lets the next one follow.
struct Step {
    phase: Phase,
    command: String,
    wanted: u16,
}

impl Session for Connection {
    fn offer<'a>(
        &'a mut self,
        _: &'a DeliveryId,
        envelope: &'a Envelope,
        message: &'a [u8],
    ) -> Doing<'a, Result<(), Failure>> {
        Box::pin(async move {
            let state = std::mem::replace(&mut self.state, State::Broken);
            let is_begun = matches!(&state, State::Begun(begun) if begun == envelope);
            match state {
                State::Idle | State::Refused => {
                    if let Some(refusal) = self.refuse_address(envelope) {
                        self.state = state;
                        return Err(refusal);
                    }
                }
                State::Begun(_) if is_begun => {}
                State::Broken | State::Offered(_) | State::Begun(_) => {
                    return Err(Failure::line(Phase::MailFrom, "the line cannot be used any more"));
                }
            }
            let steps = self.steps(envelope, message.len(), matches!(state, State::Refused));
            let offered = self.bring(&steps, is_begun, message).await;
            self.mails += 1;
            offered.map(|end| self.state = State::Offered(end))
        })
    }

    fn finish<'a>(&'a mut self, next: Option<(&'a Envelope, usize)>) -> Doing<'a, Result<Reply, Failure>> {
        Box::pin(async move {
            let State::Offered(end) = std::mem::replace(&mut self.state, State::Broken) else {
                return Err(Failure::line(Phase::Body, "no message has been offered"));
            };
            let next = next.filter(|(envelope, _)| {
                self.mails < self.most && self.takes_several() && self.refuse_address(envelope).is_none()
            });
            let mut bytes = end.to_vec();
            for step in next.iter().flat_map(|(envelope, size)| self.steps(envelope, *size, false)) {
                bytes.extend_from_slice(step.command.as_bytes());
            }
            let write = self.line.write(&bytes, self.timeouts.block).await;
            write.map_err(|why| Failure::line(Phase::Answer, why))?;
            let answer = expect(Phase::Answer, 2, self.line.reply(self.timeouts.answer).await);
            if answer.as_ref().err().is_none_or(leaves_the_line_open) {
                self.state = next.map_or(State::Idle, |(envelope, _)| State::Begun(envelope.clone()));
            }
            answer
        })
    }

    fn is_usable(&self) -> bool {
        !matches!(self.state, State::Broken) && self.mails < self.most
    }

    /// Says QUIT where that is not a part of a message.
    fn quit(mut self: Box<Self>) -> Doing<'static, ()> {
        Box::pin(async move {
            if matches!(self.state, State::Idle | State::Refused) {
                // Nothing depends on the answer.
                let _ = self.line.ask(Quit, self.timeouts.quit).await;
            }
        })
    }
}

impl Connection {
    /// Whether several commands may go in one write (RFC 2920), as far as that has proved true.
    fn takes_several(&self) -> bool {
        self.extensions.pipelining && !self.distrust.is_on()
    }

    /// MAIL, RCPT and DATA, after a RSET where the line needs one.
    fn steps(&self, envelope: &Envelope, size: usize, is_reset: bool) -> Vec<Step> {
        let size = self.extensions.size.then_some(MailParameter::Size(size));
        let utf8 = (!is_ascii(envelope)).then_some(MailParameter::SmtpUtfEight);
        let mail = Mail::new(Some(envelope.from.mailbox().clone()), size.into_iter().chain(utf8).collect());
        let rcpt = Rcpt::new(envelope.to.mailbox().clone(), Vec::new());
        let reset = is_reset.then(|| Step { phase: Phase::MailFrom, command: Rset.to_string(), wanted: 2 });
        let steps = [
            Step { phase: Phase::MailFrom, command: mail.to_string(), wanted: 2 },
            Step { phase: Phase::RcptTo, command: rcpt.to_string(), wanted: 2 },
            Step { phase: Phase::Data, command: Data.to_string(), wanted: 3 },
        ];
        reset.into_iter().chain(steps).collect()
    }

    /// The envelope and the message; returns what is still to be written. What `is_begun` has been written already.
    async fn bring(&mut self, steps: &[Step], is_begun: bool, message: &[u8]) -> Result<&'static [u8], Failure> {
        let together = is_begun || self.takes_several();
        if together && !is_begun {
            let all: String = steps.iter().map(|step| step.command.as_str()).collect();
            let written = self.line.write(all.as_bytes(), self.timeouts.command).await;
            written.map_err(|why| Failure::line(Phase::MailFrom, why))?;
        }
        self.answers(steps, together).await.inspect_err(|failure| {
            // What pipelines badly may do better one by one.
            let is_out_of_step = matches!(&failure.kind, FailureKind::Reply(reply) if reply.code == 503);
            if together && (is_out_of_step || matches!(failure.kind, FailureKind::Line(_))) {
                self.distrust.begin();
            }
        })?;
        let (message, end) = with_dots_doubled(message);
        for block in message.chunks(BLOCK) {
            let written = self.line.write(block, self.timeouts.block).await;
            written.map_err(|why| Failure::line(Phase::Body, why))?;
        }
        Ok(end)
    }

    /// Reads the answer to each step, and writes the steps one by one unless they went `together`: then every answer is
    /// read, so that none is taken for one to the next mail. The first refusal counts.
    async fn answers(&mut self, steps: &[Step], together: bool) -> Result<(), Failure> {
        let mut refusal = None;
        for Step { phase, command, wanted } in steps {
            let limit = if *phase == Phase::Data { self.timeouts.data } else { self.timeouts.command };
            let answer = if together { self.line.reply(limit).await } else { self.line.ask(command, limit).await };
            let mut answer = expect(*phase, *wanted, answer).map_err(|failure| self.or_full(failure));
            if *phase == Phase::Data && answer.is_ok() && refusal.is_some() {
                // There is no recipient, and yet a message is waited for: a lone dot ends it (RFC 2920, 3.1).
                let end = self.line.ask(".\r\n", self.timeouts.command).await;
                answer = end.map_err(|why| Failure::line(Phase::Data, why));
            }
            if let Err(failure) = answer {
                let is_over = !leaves_the_line_open(&failure);
                let first = refusal.get_or_insert(failure);
                if is_over {
                    return Err(first.clone());
                }
                if !together {
                    break;
                }
            }
        }
        let Some(refusal) = refusal else { return Ok(()) };
        self.state = State::Refused;
        Err(refusal)
    }

    /// A 421 after some mails on one line means that the line has had enough, not that the relay has.
    fn or_full(&self, failure: Failure) -> Failure {
        match &failure.kind {
            FailureKind::Reply(reply) if failure.phase == Phase::MailFrom && reply.code == 421 && self.mails > 0 => {
                Failure::line(Phase::MailFrom, format!("the relay ends the line after {} mails: {reply}", self.mails))
            }
            _ => failure,
        }
    }

    /// Addresses outside ASCII go only to servers that take them (RFC 6531, 3.2).
    fn refuse_address(&self, envelope: &Envelope) -> Option<Failure> {
        if is_ascii(envelope) || self.extensions.known.supports_feature(Extension::SmtpUtfEight) {
            return None;
        }
        let phase = if envelope.from.as_str().is_ascii() { Phase::RcptTo } else { Phase::MailFrom };
        let reply = Reply::parse("550 5.6.7 the relay does not take addresses with letters outside ASCII")?;
        Some(Failure::reply(phase, reply))
    }
}

fn is_ascii(envelope: &Envelope) -> bool {
    envelope.from.as_str().is_ascii() && envelope.to.as_str().is_ascii()
}

fn leaves_the_line_open(failure: &Failure) -> bool {
    matches!(&failure.kind, FailureKind::Reply(reply) if reply.code != 421)
}

fn expect(phase: Phase, first_digit: u16, answer: Result<Reply, String>) -> Result<Reply, Failure> {
    let reply = answer.map_err(|why| Failure::line(phase, why))?;
    match reply.code / 100 {
        digit if digit == first_digit => Ok(reply),
        4 | 5 => Err(Failure::reply(phase, reply)),
        _ => Err(Failure::line(phase, format!("the relay answered {} out of turn", reply.code))),
    }
}

/// The message as it goes over the line, and what ends it (RFC 5321, 4.5.2).
///
/// A bare CR or LF becomes a whole line end, for servers do not agree on what a dot after one means.
pub(super) fn with_dots_doubled(message: &[u8]) -> (Cow<'_, [u8]>, &'static [u8]) {
    let end: &[u8] = if message.ends_with(b"\r\n") || message.is_empty() { b".\r\n" } else { b"\r\n.\r\n" };
    if needs_no_care(message) {
        return (Cow::Borrowed(message), end);
    }
    let follows = |at: usize| message.get(at + 1).copied();
    let precedes = |at: usize| at.checked_sub(1).and_then(|before| message.get(before)).copied();
    let is_special = |(at, byte): (usize, &u8)| match byte {
        b'.' => matches!(precedes(at), None | Some(b'\n' | b'\r')),
        b'\n' => precedes(at) != Some(b'\r'),
        b'\r' => follows(at) != Some(b'\n'),
        _ => false,
    };
    let mut safe = Vec::with_capacity(message.len() + 64);
    for (at, byte) in message.iter().enumerate() {
        match (byte, is_special((at, byte))) {
            (b'.', true) => safe.extend_from_slice(b".."),
            (_, true) => safe.extend_from_slice(b"\r\n"),
            (_, false) => safe.push(*byte),
        }
    }
    let end: &[u8] = if safe.ends_with(b"\r\n") { b".\r\n" } else { end };
    (Cow::Owned(safe), end)
}

/// Whether no line begins with a dot, and every CR and LF is half of a line end. Each byte is looked at with the one
/// before, and all of them, which is done for many at once.
fn needs_no_care(message: &[u8]) -> bool {
    let pairs = message.iter().zip(message.get(1..).unwrap_or_default());
    let strays = pairs.fold(false, |found, (before, byte)| {
        found | ((*before == b'\r') != (*byte == b'\n')) | ((*before == b'\n') & (*byte == b'.'))
    });
    !strays && !message.starts_with(b".") && !message.starts_with(b"\n") && !message.ends_with(b"\r")
}

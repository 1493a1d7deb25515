//! A mail server for tests. It takes mail as fast as it comes, says no, hangs up and dawdles as often as it is told, and
//! writes down what it took.
//!
//! ```no_run
//! # async fn story() -> std::io::Result<()> {
//! let faults = serde_json::from_str(r#"{"seed": 7, "later": 0.03, "refused": 0.01, "lost": 0.001, "taken": 0.001}"#)?;
//! let sink = fault_sink::Sink::start("127.0.0.1:0", None).await?;
//! sink.begin(faults, Some(std::path::Path::new("log.jsonl")))?;
//! println!("{}", sink.address());
//! # Ok(())
//! # }
//! ```
//!
//! What happens to whom is drawn from the seed, the recipient and the number of the try, so that the same seed does the
//! same to the same reader, however many connections there are and whatever order they come in. The log has one
//! [`Entry`] a line, in the order of the dots, and is whole at any moment.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub mod judge;
mod talk;
#[cfg(test)]
mod tests;

/// What goes wrong, and how often: shares are from 0 to 1. Without any, all mail is taken at once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Faults {
    /// What is drawn from.
    pub seed: u64,
    /// Share of connections that are greeted with 421.
    pub busy: f64,
    /// Share of recipients whose first try is answered 451 after RCPT TO.
    pub later: f64,
    /// Share of recipients who are answered 550 after RCPT TO, each time.
    pub refused: f64,
    /// Share of mails of which some is read, and the line is dropped before the dot.
    pub dropped: f64,
    /// Share of dots after which the mail is not taken and the line is dropped.
    pub lost: f64,
    /// Share of dots after which the mail is taken and the line is dropped, without an answer.
    pub taken: f64,
    /// Every dot is answered after so many milliseconds.
    pub delay_ms: u64,
    /// Share of dots that are answered after `slow_ms` besides.
    pub slow: f64,
    /// How slow those are.
    pub slow_ms: u64,
    /// So many mails are taken over one connection; the next is answered 421. 0: any number.
    pub mails_per_connection: u64,
    /// After that many mails the line is dropped without a word.
    pub ends_without_a_word: bool,
    /// More connections at once than this are greeted with 421. 0: any number.
    pub connections: u64,
    /// PIPELINING is not offered (RFC 2920).
    pub no_pipelining: bool,
    /// DATA is answered 354 though no recipient was taken (RFC 2920, 3.1: a lone dot is to follow).
    pub data_for_nobody: bool,
    /// PIPELINING is a lie: what comes in one piece with a command is thrown away.
    pub loses_what_is_pipelined: bool,
    /// What happens at one place, whatever the shares say.
    pub script: Vec<Fault>,
}

/// Something that happens at one place of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fault {
    /// Where.
    pub at: Step,
    /// Only for this recipient; else whoever it is. From RCPT TO on.
    #[serde(default)]
    pub to: Option<String>,
    /// How often it passes by before, over all connections.
    #[serde(default)]
    pub after: u64,
    /// How often it happens then; 0: each time.
    #[serde(default)]
    pub times: u64,
    /// What.
    pub act: Act,
}

/// A place of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Before the first word.
    Greeting,
    /// After EHLO.
    Ehlo,
    /// After HELO.
    Helo,
    /// After STARTTLS, which is offered only where the script has EHLO say so, and never done.
    Starttls,
    /// After AUTH, which is offered in the same way; without a fault, whoever it is may come in.
    Auth,
    /// After MAIL FROM.
    Mail,
    /// After RCPT TO.
    Rcpt,
    /// After DATA.
    Data,
    /// Amid a message.
    Body,
    /// After the final dot.
    Dot,
    /// After RSET.
    Rset,
    /// After QUIT.
    Quit,
}

/// What happens there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Says this and goes on; a 421 ends the line. Lines are parted by `\n`.
    Say(String),
    /// Drops the line.
    Drop,
    /// At the dot: takes the mail and drops the line. Elsewhere the same as `Drop`.
    TakeAndDrop,
    /// Never says anything again.
    Silence,
    /// Says this a byte at a time, a tenth of a second apart.
    Dribble(String),
    /// Says a reply of so many bytes that does not end.
    Flood(usize),
}

impl Faults {
    /// Whether what happens in this share of cases happens to `whom` at this try.
    fn hits(&self, share: f64, what: &str, whom: &str, time: u64) -> bool {
        if share <= 0.0 {
            return false;
        }
        // FNV-1a, mixed once more so that every bit counts.
        let words = [&self.seed.to_le_bytes()[..], what.as_bytes(), whom.as_bytes(), &time.to_le_bytes()];
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let hash = words.into_iter().flatten().fold(0xcbf2_9ce4_8422_2325, step);
        let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (hash >> 11) as f64 / ((1u64 << 53) as f64) < share
    }
}

/// How a try ended, as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Taken, and answered 250.
    Taken,
    /// Taken, and the line was dropped in place of the answer.
    TakenInSilence,
    /// Not taken, and the line was dropped in place of the answer.
    Lost,
    /// Answered 550 after RCPT TO.
    Refused,
    /// Answered 451 after RCPT TO.
    Later,
}

impl End {
    /// Whether the reader has the mail.
    pub fn is_taken(self) -> bool {
        matches!(self, End::Taken | End::TakenInSilence)
    }
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When the final dot, or RCPT TO, was read: microseconds since 1970.
    pub at: u64,
    /// What became of it.
    pub end: End,
    /// Over which connection, counted from 1.
    pub connection: u64,
    /// Whom it was for.
    pub to: String,
    /// Its Message-ID; empty where no dot was read, as are the next two.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message_id: String,
    /// SHA-256 of its bytes as they came over the line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    /// The link of its List-Unsubscribe (RFC 8058).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub leave: String,
}

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Final dots read.
    pub dots: u64,
    /// Mails taken.
    pub taken: u64,
    /// Connections accepted.
    pub connections: u64,
    /// The most that were open at once.
    pub most_open: u64,
}

/// The server. It ends when this is dropped, with all its connections.
pub struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

/// What all connections share.
pub(crate) struct Shared {
    state: Mutex<State>,
    dots: watch::Sender<u64>,
    open: AtomicU64,
}

#[derive(Default)]
struct State {
    faults: Arc<Faults>,
    tries: HashMap<String, u64>,
    /// How often each fault of the script was passed by or happened.
    passed: Vec<u64>,
    totals: Totals,
    log: Option<File>,
}

impl Sink {
    /// Listens on `address`, such as `127.0.0.1:0`; with a certificate and its key (files in PEM), TLS comes first.
    pub async fn start(address: &str, certificate: Option<(&Path, &Path)>) -> io::Result<Sink> {
        let acceptor = certificate.map(|(certificate, key)| acceptor(certificate, key)).transpose()?;
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let shared =
            Arc::new(Shared { state: Mutex::default(), dots: watch::channel(0).0, open: AtomicU64::default() });
        let serving = tokio::spawn(serve(listener, acceptor, Arc::clone(&shared)));
        Ok(Sink { address, shared, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on this goes wrong, with all tries forgotten, and this is the log, which is appended to. Open
    /// connections go on as they began.
    pub fn begin(&self, faults: Faults, log: Option<&Path>) -> io::Result<()> {
        let log = log.map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
        let (totals, passed) = (self.totals(), vec![0; faults.script.len()]);
        *self.shared.lock() = State { faults: Arc::new(faults), tries: HashMap::new(), passed, totals, log };
        Ok(())
    }

    /// What happened so far.
    pub fn totals(&self) -> Totals {
        self.shared.lock().totals
    }

    /// Says the number of dots whenever it changes.
    pub fn dots(&self) -> watch::Receiver<u64> {
        self.shared.dots.subscribe()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> Arc<Faults> {
        Arc::clone(&self.lock().faults)
    }

    /// What the script has happen at this place of a conversation with these faults, if anything.
    pub(crate) fn act(&self, faults: &Arc<Faults>, at: Step, to: &str) -> Option<Act> {
        let mut state = self.lock();
        if !Arc::ptr_eq(faults, &state.faults) {
            return None;
        }
        for (fault, passed) in faults.script.iter().zip(&mut state.passed) {
            if fault.at == at && fault.to.as_ref().is_none_or(|whom| whom == to) {
                *passed += 1;
                if *passed > fault.after && (fault.times == 0 || *passed <= fault.after + fault.times) {
                    return Some(fault.act.clone());
                }
            }
        }
        None
    }

    /// Counts a try for this recipient: 0 for the first.
    pub(crate) fn try_of(&self, to: &str) -> u64 {
        let mut state = self.lock();
        match state.tries.get_mut(to) {
            Some(tries) => {
                *tries += 1;
                *tries
            }
            None => {
                state.tries.insert(to.to_owned(), 0);
                0
            }
        }
    }

    /// Writes down what happened. A log that cannot be written ends the program, for every judgement would be wrong.
    pub(crate) fn enter(&self, entry: &Entry) {
        let mut state = self.lock();
        if !matches!(entry.end, End::Refused | End::Later) {
            state.totals.dots += 1;
            state.totals.taken += u64::from(entry.end.is_taken());
        }
        if let Some(log) = &mut state.log {
            let mut line = serde_json::to_vec(entry).unwrap_or_default();
            line.push(b'\n');
            if let Err(error) = log.write_all(&line) {
                eprintln!("the log cannot be written: {error}");
                std::process::exit(2);
            }
        }
        let dots = state.totals.dots;
        drop(state);
        self.dots.send_if_modified(|known| std::mem::replace(known, dots) != dots);
    }
}

/// An open connection, as long as this lives.
struct Opened(Arc<Shared>);

impl Opened {
    /// Counts a connection: which one it is, and how many are open now.
    fn new(shared: &Arc<Shared>) -> (Opened, u64, u64) {
        let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
        let mut state = shared.lock();
        state.totals.connections += 1;
        state.totals.most_open = state.totals.most_open.max(open);
        (Opened(Arc::clone(shared)), state.totals.connections, open)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn serve(listener: TcpListener, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut talks = tokio::task::JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
            Some(_) = talks.join_next() => continue,
        };
        let (shared, acceptor) = (Arc::clone(&shared), acceptor.clone());
        talks.spawn(async move {
            let _ = stream.set_nodelay(true);
            let (opened, number, open) = Opened::new(&shared);
            // How a connection ends is the client's business.
            let _ = match acceptor {
                None => talk::talk(stream, &shared, number, open).await,
                Some(acceptor) => match acceptor.accept(stream).await {
                    Ok(stream) => talk::talk(stream, &shared, number, open).await,
                    Err(error) => Err(error),
                },
            };
            drop(opened);
        });
    }
}

fn acceptor(certificate: &Path, key: &Path) -> io::Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Microseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(0)
}

//! A small LMTP server (RFC 2033) for the mail server beside this program, which brings what comes for the mailbox of
//! bounces.
//!
//! It takes mail for that mailbox only, says yes to a mail when it is written down, and "not now" when it cannot be.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use crate::auth::ServerKeys;
use crate::clock;
use crate::mail::report;
use crate::model::EmailAddress;
use crate::store::Store;

/// So many lines are open at once.
const CONNECTIONS: usize = 16;
/// A line of a command is no longer (RFC 5321, 4.5.3.1.4, with room for extensions).
const LINE: u64 = 2_048;
/// How long to wait for the other side (RFC 5321, 4.5.3.2.7).
const PATIENCE: Duration = Duration::from_secs(300);
/// So many recipients of one mail.
const RECIPIENTS: usize = 100;
/// How long until it is tried again to listen where another process does…
const TAKEN: Duration = Duration::from_secs(1);
/// …and to accept what could not be.
const FULL: Duration = Duration::from_millis(50);

/// Listens at `address`; where another process on this machine does, as soon as that one has ended.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let mut is_told = false;
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(%address, "another process listens where `lmtp` says; this one does when that has ended");
                }
                sleep(TAKEN).await;
            }
            listening => return listening.map_err(|error| io::Error::other(format!("`lmtp`, {address}: {error}"))),
        }
    }
}

/// Takes mail for `mailbox` until `stopped`, and waits for nobody then: what was not answered is brought again.
pub async fn serve_lmtp(
    listening: impl Future<Output = io::Result<TcpListener>>,
    written: (Store, Arc<ServerKeys>),
    mailbox: EmailAddress,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    tokio::select! {
        ended = async { take_lines(listening.await?, written, mailbox).await } => ended,
        _ = stopped.wait_for(|stopped| *stopped) => Ok(()),
    }
}

async fn take_lines(
    listener: TcpListener,
    (store, keys): (Store, Arc<ServerKeys>),
    mailbox: EmailAddress,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Too many open files, or a client that is gone already: neither ends the others.
                tracing::warn!(%error, "cannot take a line of LMTP");
                sleep(FULL).await;
                continue;
            }
        };
        let talk = Talk { store: store.clone(), keys: Arc::clone(&keys), mailbox: mailbox.clone(), to: Vec::new() };
        tokio::spawn(async move {
            let (reader, writer) = stream.into_split();
            if let Err(error) = talk.listen(BufReader::new(reader), writer).await {
                tracing::debug!(%error, "a line of LMTP ended");
            }
            drop(place);
        });
    }
}

/// One conversation.
struct Talk {
    store: Store,
    keys: Arc<ServerKeys>,
    mailbox: EmailAddress,
    /// Whom the mail is for that comes next.
    to: Vec<String>,
}

impl Talk {
    async fn listen(
        mut self,
        mut reader: impl AsyncBufRead + Unpin,
        mut writer: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        writer.write_all(b"220 pressrun LMTP\r\n").await?;
        while let Some(line) = read_line(&mut reader).await? {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let answer = match verb.as_str() {
                "LHLO" => "250-pressrun\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n".to_owned(),
                "MAIL" | "RSET" => {
                    self.to.clear();
                    "250 2.0.0 ok\r\n".to_owned()
                }
                "RCPT" => self.recipient(&line),
                "DATA" if self.to.is_empty() => "503 5.5.1 nobody to bring it to\r\n".to_owned(),
                "DATA" => {
                    writer.write_all(b"354 go ahead\r\n").await?;
                    let Some(mail) = read_mail(&mut reader).await else { return Ok(()) };
                    self.hear(&mail.into()).await
                }
                "NOOP" => "250 2.0.0 ok\r\n".to_owned(),
                "QUIT" => {
                    writer.write_all(b"221 2.0.0 bye\r\n").await?;
                    return Ok(());
                }
                _ => "500 5.5.2 no such command\r\n".to_owned(),
            };
            writer.write_all(answer.as_bytes()).await?;
        }
        Ok(())
    }

    /// `RCPT TO:<bounces+TOKEN@mail.example.com>`: the mailbox, with or without what names a delivery.
    fn recipient(&mut self, line: &str) -> String {
        let address =
            line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(address, _)| address);
        let (local, domain) = address.rsplit_once('@').unwrap_or_default();
        let plain = format!("{}@{domain}", local.split('+').next().unwrap_or_default());
        if !plain.eq_ignore_ascii_case(self.mailbox.as_str()) {
            return "550 5.1.1 no such mailbox here\r\n".to_owned();
        }
        if self.to.len() >= RECIPIENTS {
            return "452 4.5.3 too many recipients\r\n".to_owned();
        }
        self.to.push(address.to_owned());
        "250 2.1.5 ok\r\n".to_owned()
    }

    /// One answer for each recipient (RFC 2033, 4.2).
    async fn hear(&mut self, mail: &Arc<[u8]>) -> String {
        let mut answers = String::new();
        for to in std::mem::take(&mut self.to) {
            answers += match super::hear(&self.store, &self.keys, (&to, mail), clock::now()).await {
                Ok(_) => "250 2.0.0 read\r\n",
                Err(error) => {
                    tracing::error!(%error, "a mail that came back cannot be written down; it is asked for again");
                    "451 4.3.0 not now\r\n"
                }
            };
        }
        answers
    }
}

/// A line with its end; none: the other side is gone, silent, or says more than fits on a line.
async fn read_line(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut bounded = reader.take(LINE);
    match tokio::time::timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await {
        Ok(read) => read.map(|_| line.ends_with(b"\n").then_some(line)),
        Err(_) => Ok(None),
    }
}

/// A mail up to its final dot, without the dots that were doubled (RFC 5321, 4.5.2); a dot between other line ends than
/// CRLF ends nothing (4.1.1.4). Of one that is longer than anybody reads, the rest is passed over. None: the other side
/// is gone or silent.
async fn read_mail(reader: &mut (impl AsyncBufRead + Unpin)) -> Option<Vec<u8>> {
    let (mut mail, mut line) = (Vec::new(), Vec::new());
    // Of a long line, a piece may end between CR and LF.
    let (mut is_start, mut after_cr) = (true, false);
    loop {
        line.clear();
        let mut bounded = reader.take(64 * 1024);
        match tokio::time::timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await {
            Ok(Ok(1..)) => {}
            _ => return None,
        }
        if is_start && line == b".\r\n" {
            return Some(mail);
        }
        let text = line.strip_prefix(b".").filter(|_| is_start).unwrap_or(&line);
        if mail.len() < report::MOST {
            mail.extend_from_slice(text);
        }
        is_start = line.ends_with(b"\r\n") || (after_cr && line == b"\n");
        after_cr = line.ends_with(b"\r");
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use tokio::net::TcpStream;

    use super::*;
    use crate::store::fresh::sqlite;

    /// What is answered to all of this; each line of it is one answer.
    async fn answers(said: &[u8]) -> Vec<String> {
        let ((store, _folder), keys) = (sqlite().await, Arc::new(ServerKeys::new(*b"key", [])));
        let mailbox = EmailAddress::parse("bounces@mail.example.com").unwrap();
        let (talk, mut answered) = (Talk { store, keys, mailbox, to: Vec::new() }, Vec::new());
        talk.listen(said, &mut answered).await.unwrap();
        let answered = String::from_utf8(answered).unwrap();
        assert!(answered.split_inclusive('\n').all(|line| line.ends_with("\r\n")), "{answered}");
        answered.lines().skip(1).map(str::to_owned).collect()
    }

    #[track_caller]
    fn check(answers: &[String], expected: &str) {
        let codes: Vec<&str> =
            answers.iter().filter(|line| line.as_bytes()[3] == b' ').map(|line| &line[..3]).collect();
        assert_eq!(codes.join(" "), expected, "{answers:?}");
    }

    #[tokio::test]
    async fn a_mail_for_the_mailbox_is_taken_once_for_each_recipient_and_no_other() {
        let said = b"LHLO mx.example.com\r\nMAIL FROM:<>\r\nRCPT TO:<bounces+0192.ab@Mail.Example.com>\r\n\
            rcpt to:<BOUNCES@mail.example.com>\r\nRCPT TO:<desk@mail.example.com>\r\nRCPT TO:<bounces@example.com>\r\n\
            RCPT TO:\r\nDATA\r\nSubject: x\r\n\r\n..\r\n.\r\nDATA\r\nRSET\r\nNOOP\r\nVRFY x\r\n\r\nQUIT\r\nNOOP\r\n";
        check(&answers(said).await, "250 250 250 250 550 550 550 354 250 250 503 250 250 500 500 221");
    }

    #[tokio::test]
    async fn what_is_too_much_is_passed_over_or_refused() {
        let mut many = b"LHLO x\r\nMAIL FROM:<>\r\n".to_vec();
        many.extend(b"RCPT TO:<bounces@mail.example.com>\r\n".repeat(RECIPIENTS + 1));
        many.extend(b"DATA\r\n.\r\nQUIT\r\n");
        let oks = "250 ".repeat(RECIPIENTS);
        check(&answers(&many).await, &format!("250 250 {oks}452 354 {oks}221"));
        let begin = b"RCPT TO:<bounces@mail.example.com>\r\nDATA\r\n";
        let long = [&begin[..], &b"x".repeat(3 * report::MOST), b"\r\n.\r\nQUIT\r\n"].concat();
        check(&answers(&long).await, "250 354 250 221");
        // Long lines are read in pieces, whose end may come between CR and LF.
        let split = [&begin[..], &b"x".repeat(64 * 1024 - 1), b"\r\n.\r\nQUIT\r\n"].concat();
        check(&answers(&split).await, "250 354 250 221");
        let endless = [b"NOOP\r\n", &b"x".repeat(3_000)[..], b"\r\nNOOP\r\n"].concat();
        check(&answers(&endless).await, "250");
        check(&answers(&[&begin[..], b"half a mail"].concat()).await, "250 354");
        let smuggled = [&begin[..], b"x\n.\nQUIT\r\n\n.\r\nQUIT\r\n.\n.\r\n\r\n.\r\nNOOP\r\n"].concat();
        check(&answers(&smuggled).await, "250 354 250 250");
    }

    async fn written() -> ((Store, Arc<ServerKeys>), EmailAddress, tempfile::TempDir) {
        let (store, folder) = sqlite().await;
        let mailbox = EmailAddress::parse("bounces@mail.example.com").unwrap();
        ((store, Arc::new(ServerKeys::new(*b"key", []))), mailbox, folder)
    }

    #[tokio::test]
    async fn nobody_is_waited_for_once_it_is_to_end() {
        let (written, mailbox, _folder) = written().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let served = tokio::spawn(serve_lmtp(async { Ok(listener) }, written, mailbox, stopped));
        let mut lines = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut line = TcpStream::connect(address).await.unwrap();
            line.read_exact(&mut [0; 4]).await.unwrap();
            lines.push(line);
        }
        stop.send_replace(true);
        served.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_line_that_cannot_be_taken_ends_nothing() {
        let (written, mailbox, _folder) = written().await;
        // A socket that hears something and can accept nothing.
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(b"hello", socket.local_addr().unwrap()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(OwnedFd::from(socket).into()).unwrap();
        tokio::time::pause();
        let taking = tokio::time::timeout(FULL * 20, take_lines(listener, written, mailbox));
        assert!(taking.await.is_err(), "it goes on");
    }

    #[tokio::test]
    async fn an_address_is_taken_over_when_it_is_free() {
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = other.local_addr().unwrap();
        tokio::time::pause();
        let ending = async {
            sleep(TAKEN * 3).await;
            drop(other);
        };
        let (listening, ()) = tokio::join!(listen(address), ending);
        assert_eq!(listening.unwrap().local_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn whoever_falls_silent_is_not_waited_for_for_ever() {
        let ((store, _folder), keys) = (sqlite().await, Arc::new(ServerKeys::new(*b"key", [])));
        tokio::time::pause();
        for said in [&b""[..], b"LHLO", b"RCPT TO:<bounces@mail.example.com>\r\nDATA\r\nSubject: x\r\n"] {
            let mailbox = EmailAddress::parse("bounces@mail.example.com").unwrap();
            let talk = Talk { store: store.clone(), keys: Arc::clone(&keys), mailbox, to: Vec::new() };
            let (mut theirs, ours) = tokio::io::duplex(1024);
            theirs.write_all(said).await.unwrap();
            let (reader, writer) = tokio::io::split(ours);
            talk.listen(BufReader::new(reader), writer).await.unwrap();
        }
    }
}

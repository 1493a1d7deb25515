//! One conversation: commands in groups, however they come (RFC 2920); answers with enhanced codes (RFC 2034).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use memchr::memchr;
use memchr::memmem::Finder;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::{Act, End, Entry, Faults, Shared, Step, now};

/// No command is longer (RFC 5321, 4.5.3.1.4, and room for extensions).
const LONGEST_LINE: usize = 4096;
/// What ends a message, with the end of the line before it.
const DOT: &[u8] = b"\r\n.\r\n";
const REFUSED: &[u8] = b"550 5.1.1 no such mailbox\r\n";
const LATER: &[u8] = b"451 4.7.1 greylisted, try again later\r\n";

struct Talk<'a, S> {
    stream: S,
    shared: &'a Arc<Shared>,
    faults: Arc<Faults>,
    number: u64,
    input: Vec<u8>,
    /// How much of the input was dealt with.
    at: usize,
    output: Vec<u8>,
    has_sender: bool,
    recipient: Option<(String, u64)>,
    mails: u64,
}

/// Between two bytes of an answer that dribbles.
const DRIBBLE: Duration = Duration::from_millis(100);

/// What follows a command.
enum Next {
    Command,
    Message,
    End,
    Act(Act),
}

/// Talks until one of both hangs up. `number` says which connection it is, `open` how many there are.
pub(crate) async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    shared: &Arc<Shared>,
    number: u64,
    open: u64,
) -> io::Result<()> {
    let faults = shared.faults();
    let (input, output) = (Vec::with_capacity(64 * 1024), Vec::new());
    let mut talk =
        Talk { stream, shared, faults, number, input, at: 0, output, has_sender: false, recipient: None, mails: 0 };
    let faults = &talk.faults;
    if faults.hits(faults.busy, "busy", "", number) || (faults.connections > 0 && open > faults.connections) {
        talk.output.extend_from_slice(b"421 4.3.2 too busy\r\n");
        return talk.flush().await;
    }
    if let Some(act) = talk.act(Step::Greeting, "") {
        if !talk.perform(act).await? {
            return Ok(());
        }
    } else {
        talk.output.extend_from_slice(b"220 sink.example.com ESMTP\r\n");
    }
    loop {
        let Some(line) = talk.line().await? else { return Ok(()) };
        let goes_on = match talk.hear(&line) {
            Next::Command => true,
            Next::End => return talk.flush().await,
            Next::Message => talk.message().await?,
            Next::Act(act) => talk.perform(act).await?,
        };
        if !goes_on {
            return Ok(());
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<'_, S> {
    /// One command without its end; none when the client hung up or babbles. What is to be said is said before the wait.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = memchr(b'\n', &self.input[self.at..]) {
                let line = self.input[self.at..self.at + end].trim_ascii_end().to_vec();
                self.at += end + 1;
                return Ok(Some(line));
            }
            if self.input.len() - self.at > LONGEST_LINE || !self.read().await? {
                return Ok(None);
            }
        }
    }

    /// Says what is to be said, then reads more; false at the end.
    async fn read(&mut self) -> io::Result<bool> {
        self.flush().await?;
        // The end of the line before a message belongs to its final dot.
        self.input.drain(..self.at.saturating_sub(2));
        self.at = self.at.min(2);
        Ok(self.stream.read_buf(&mut self.input).await? > 0)
    }

    async fn flush(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await?;
            self.output.clear();
        }
        Ok(())
    }

    fn act(&self, at: Step, to: &str) -> Option<Act> {
        if self.faults.script.is_empty() { None } else { self.shared.act(&self.faults, at, to) }
    }

    /// Does what the script says; false: the line is dropped.
    async fn perform(&mut self, act: Act) -> io::Result<bool> {
        match act {
            Act::Say(words) => {
                let is_last = words.starts_with("421");
                self.output.extend_from_slice(words.replace('\n', "\r\n").as_bytes());
                self.output.extend_from_slice(b"\r\n");
                self.flush().await?;
                return Ok(!is_last);
            }
            Act::Drop | Act::TakeAndDrop => {}
            Act::Silence => {
                self.flush().await?;
                while self.stream.read(&mut [0; 4096]).await? > 0 {}
            }
            Act::Dribble(words) => {
                self.flush().await?;
                for byte in words.bytes().chain(*b"\r\n") {
                    self.stream.write_all(&[byte]).await?;
                    self.stream.flush().await?;
                    tokio::time::sleep(DRIBBLE).await;
                }
                return Ok(true);
            }
            Act::Flood(bytes) => {
                self.flush().await?;
                let line = b"250-and so on and so on and so on and so on and so on and so on\r\n";
                for _ in 0..bytes / line.len() {
                    self.stream.write_all(line).await?;
                }
                while self.stream.read(&mut [0; 4096]).await? > 0 {}
            }
        }
        self.flush().await.map(|()| false)
    }

    fn say(&mut self, words: &[u8]) -> Next {
        self.output.extend_from_slice(words);
        Next::Command
    }

    fn hear(&mut self, line: &[u8]) -> Next {
        let verb = line.get(..4).unwrap_or(line).to_ascii_uppercase();
        if self.faults.loses_what_is_pipelined {
            self.input.truncate(self.at);
        }
        let step = match &verb[..] {
            b"EHLO" => Some(Step::Ehlo),
            b"HELO" => Some(Step::Helo),
            b"STAR" => Some(Step::Starttls),
            b"AUTH" => Some(Step::Auth),
            b"MAIL" => Some(Step::Mail),
            b"DATA" if self.recipient.is_some() => Some(Step::Data),
            b"RSET" => Some(Step::Rset),
            b"QUIT" => Some(Step::Quit),
            _ => None,
        };
        let to = self.recipient.as_ref().map_or("", |(to, _)| to).to_owned();
        if let Some(act) = step.and_then(|step| self.act(step, &to)) {
            if step == Some(Step::Data) {
                self.enter_refusal(&act, &to);
                self.recipient = None;
            }
            return Next::Act(act);
        }
        match &verb[..] {
            b"EHLO" | b"HELO" => {
                let pipelining = if self.faults.no_pipelining { "" } else { "250-PIPELINING\r\n" };
                let extensions = "250-SIZE 52428800\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n";
                self.say(format!("250-sink.example.com\r\n{pipelining}{extensions}").as_bytes())
            }
            b"MAIL" if self.faults.mails_per_connection > 0 && self.mails >= self.faults.mails_per_connection => {
                if !self.faults.ends_without_a_word {
                    self.say(b"421 4.7.0 enough over one line\r\n");
                }
                Next::End
            }
            b"MAIL" if self.has_sender => self.say(b"503 5.5.1 one mail after the other\r\n"),
            b"MAIL" => {
                self.has_sender = true;
                self.say(b"250 2.1.0 ok\r\n")
            }
            b"RCPT" if !self.has_sender => self.say(b"503 5.5.1 MAIL comes first\r\n"),
            b"RCPT" => self.recipient(line),
            b"DATA" if self.recipient.is_some() || (self.has_sender && self.faults.data_for_nobody) => {
                self.say(b"354 go on\r\n");
                Next::Message
            }
            b"DATA" => self.say(b"554 5.5.1 nobody to send it to\r\n"),
            b"RSET" => {
                self.forget();
                self.say(b"250 2.0.0 ok\r\n")
            }
            b"NOOP" => self.say(b"250 2.0.0 ok\r\n"),
            b"AUTH" => self.say(b"235 2.7.0 come in\r\n"),
            b"QUIT" => {
                self.say(b"221 2.0.0 bye\r\n");
                Next::End
            }
            _ => self.say(b"500 5.5.2 what\r\n"),
        }
    }

    fn forget(&mut self) {
        self.has_sender = false;
        self.recipient = None;
    }

    fn recipient(&mut self, line: &[u8]) -> Next {
        let line = String::from_utf8_lossy(line);
        let to = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        let Some((to, _)) = to else { return self.say(b"501 5.1.3 whom\r\n") };
        let (faults, time) = (&self.faults, self.shared.try_of(to));
        if let Some(act) = self.act(Step::Rcpt, to) {
            if is_yes(&act) {
                self.recipient = Some((to.to_owned(), time));
            }
            self.enter_refusal(&act, to);
            return Next::Act(act);
        }
        let refused = faults.hits(faults.refused, "refused", to, 0);
        if refused || (time == 0 && faults.hits(faults.later, "later", to, 0)) {
            let end = if refused { End::Refused } else { End::Later };
            self.enter(end, to, &[]);
            return self.say(if refused { REFUSED } else { LATER });
        }
        self.recipient = Some((to.to_owned(), time));
        self.say(b"250 2.1.5 ok\r\n")
    }

    /// Reads a message to its final dot and answers it; false: the line is dropped.
    async fn message(&mut self) -> io::Result<bool> {
        // The end of the line with DATA is still there, so that a lone dot is found as any other.
        let (to, time) = self.recipient.clone().unwrap_or_default();
        let faults = Arc::clone(&self.faults);
        let is_scripted = self.act(Step::Body, &to).is_some();
        let is_dropped = is_scripted || faults.hits(faults.dropped, "dropped", &to, time);
        let dot = Finder::new(DOT);
        let mut looked = 0;
        let end = loop {
            let from = (self.at - 2).max((self.at - 2 + looked).saturating_sub(DOT.len()));
            if let Some(found) = dot.find(&self.input[from..]) {
                break from + found;
            }
            looked = self.input.len() - (self.at - 2);
            if !self.read().await? || is_dropped {
                return Ok(false);
            }
        };
        let message = self.input[self.at..(end + 2).max(self.at)].to_vec();
        self.at = end + DOT.len();
        self.forget();
        if to.is_empty() {
            self.say(b"554 5.5.1 nobody to send it to\r\n");
            return Ok(true);
        }
        self.mails += 1;
        if let Some(act) = self.act(Step::Dot, &to) {
            match &act {
                _ if is_yes(&act) => self.enter(End::Taken, &to, &message),
                Act::TakeAndDrop => self.enter(End::TakenInSilence, &to, &message),
                Act::Say(words) if words.starts_with(['4', '5']) => self.enter_refusal(&act, &to),
                _ => self.enter(End::Lost, &to, &message),
            }
            return self.perform(act).await;
        }
        let outcome = match () {
            () if is_dropped || faults.hits(faults.lost, "lost", &to, time) => End::Lost,
            () if faults.hits(faults.taken, "taken", &to, time) => End::TakenInSilence,
            () => End::Taken,
        };
        self.enter(outcome, &to, &message);
        let is_slow = faults.hits(faults.slow, "slow", &to, time);
        let wait = faults.delay_ms + if is_slow { faults.slow_ms } else { 0 };
        if wait > 0 {
            self.flush().await?;
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        if outcome != End::Taken {
            return self.flush().await.map(|()| false);
        }
        self.say(b"250 2.0.0 taken\r\n");
        Ok(true)
    }

    /// Writes down a no that names a recipient.
    fn enter_refusal(&self, act: &Act, to: &str) {
        if let Act::Say(words) = act
            && words.starts_with(['4', '5'])
        {
            self.enter(if words.starts_with('5') { End::Refused } else { End::Later }, to, &[]);
        }
    }

    fn enter(&self, end: End, to: &str, message: &[u8]) {
        let sha256 = if message.is_empty() { String::new() } else { hex(digest(&SHA256, message).as_ref()) };
        let leave = header(message, "list-unsubscribe");
        let leave = leave.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(link, _)| link);
        self.shared.enter(&Entry {
            at: now(),
            end,
            connection: self.number,
            to: to.to_owned(),
            message_id: header(message, "message-id"),
            sha256,
            leave: leave.to_owned(),
        });
    }
}

fn is_yes(act: &Act) -> bool {
    matches!(act, Act::Say(words) if words.starts_with("250 ") || words.starts_with("250-"))
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from(b"0123456789abcdef"[usize::from(half)]))
        .collect()
}

/// The first header field of this name (in small letters), its lines joined; empty if there is none.
fn header(message: &[u8], name: &str) -> String {
    let mut lines = message.split(|byte| *byte == b'\n').take_while(|line| *line != b"\r" && !line.is_empty());
    let is_it = |line: &&[u8]| {
        line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
            && line.get(name.len()) == Some(&b':')
    };
    let Some(first) = lines.find(is_it) else { return String::new() };
    let mut value = first[name.len() + 1..].to_vec();
    for more in lines.take_while(|line| line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'))) {
        value.extend_from_slice(more);
    }
    String::from_utf8_lossy(&value).split_ascii_whitespace().collect()
}

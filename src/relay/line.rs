//! A line to a server: bytes out, replies in, every wait bounded in time and in bytes.

use std::fmt::Display;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::reply::{Reply, split_line};

/// A server that says more in one reply is not listened to.
const LONGEST_REPLY: usize = 64 * 1024;

/// What is kept of one line (RFC 5321, 4.5.3.1.5).
const LONGEST_LINE: usize = 512;

/// A plain or an encrypted stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

/// A stream on which replies are read.
pub(super) struct Line {
    stream: BufReader<Box<dyn Stream>>,
}

impl Line {
    pub(super) fn new(stream: impl Stream + 'static) -> Line {
        Line { stream: BufReader::new(Box::new(stream)) }
    }

    /// The stream, unless the server has said something that nobody asked for.
    pub(super) fn into_quiet_stream(self) -> Option<Box<dyn Stream>> {
        self.stream.buffer().is_empty().then(|| self.stream.into_inner())
    }

    /// Writes one command, which brings its line end, and reads its reply.
    pub(super) async fn ask(&mut self, command: impl Display, limit: Duration) -> Result<Reply, String> {
        self.ask_for_lines(command, limit).await.map(|(code, lines)| Reply::from_lines(code, &lines))
    }

    /// Writes one command and reads its reply line by line.
    pub(super) async fn ask_for_lines(
        &mut self,
        command: impl Display,
        limit: Duration,
    ) -> Result<(u16, Vec<String>), String> {
        self.write(command.to_string().as_bytes(), limit).await?;
        in_time(limit, self.read_reply()).await
    }

    /// Writes all of `bytes`.
    pub(super) async fn write(&mut self, bytes: &[u8], limit: Duration) -> Result<(), String> {
        let write = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        in_time(limit, write).await
    }

    /// Reads one whole reply.
    pub(super) async fn reply(&mut self, limit: Duration) -> Result<Reply, String> {
        in_time(limit, self.read_reply()).await.map(|(code, lines)| Reply::from_lines(code, &lines))
    }

    async fn read_reply(&mut self) -> io::Result<(u16, Vec<String>)> {
        let mut left = LONGEST_REPLY;
        let mut lines = Vec::new();
        let mut first_code = None;
        loop {
            let line = self.read_line(&mut left).await?;
            let (code, is_last, words) = split_line(&line).ok_or_else(not_smtp)?;
            if *first_code.get_or_insert(code) != code {
                return Err(not_smtp());
            }
            lines.push(words);
            if is_last {
                return Ok((code, lines));
            }
        }
    }

    /// One line without its end, of which only the beginning is kept if it is long.
    async fn read_line(&mut self, left: &mut usize) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            let chunk = self.stream.fill_buf().await?;
            if chunk.is_empty() {
                return Err(io::Error::other("the relay closed the line"));
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(chunk.len(), |end| end + 1);
            *left = left.checked_sub(length).ok_or_else(|| io::Error::other("the relay's answer does not end"))?;
            let kept = end.unwrap_or(length).min(LONGEST_LINE.saturating_sub(line.len()));
            line.extend_from_slice(&chunk[..kept]);
            self.stream.consume(length);
            if end.is_some() {
                line.truncate(line.trim_ascii_end().len());
                return Ok(line);
            }
        }
    }
}

pub(super) async fn in_time<T>(limit: Duration, doing: impl Future<Output = io::Result<T>>) -> Result<T, String> {
    match timeout(limit, doing).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", limit.as_secs_f32())),
    }
}

fn not_smtp() -> io::Error {
    io::Error::other("the answer is not SMTP; look whether host and port of the relay are right")
}

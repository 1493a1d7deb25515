//! The least that handing mail over costs, to hold the program against: `floor send` and `floor delay`.
//!
//! `send` hands the bytes of one file over again and again, on so many connections, with PIPELINING, a durable line in a
//! file before each final dot and another after each answer; lines of all connections share a wait for the disk. There
//! is no database, no template, no address but one. `delay` is a proxy that answers later.

#![allow(clippy::expect_used, clippy::disallowed_methods, reason = "a program of its own to measure against")]

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |index: usize| arguments.get(index).and_then(|text| text.parse().ok()).unwrap_or(0);
    match arguments.first().map(String::as_str) {
        Some("send") => send(&arguments[1], number(2), number(3), &arguments[4], &arguments[5]),
        Some("delay") => delay(&arguments[1], &arguments[2], Duration::from_millis(number(3) as u64 / 2)),
        _ => {
            println!("floor send RELAY CONNECTIONS MESSAGES MAIL JOURNAL | floor delay LISTEN RELAY MILLISECONDS");
            Ok(())
        }
    }
}

// ── sending ──

/// A file whose lines are durable when `append` returns; whoever comes while the disk is busy shares the next wait.
struct Journal {
    file: File,
    lines: Mutex<Lines>,
    written: Condvar,
}

#[derive(Default)]
struct Lines {
    waiting: Vec<u8>,
    /// Which batch takes new lines, and which was made durable last.
    open: u64,
    durable: u64,
    is_busy: bool,
}

impl Journal {
    fn append(&self, line: &[u8]) -> io::Result<()> {
        let mut lines = self.lines.lock().expect("nobody panics");
        lines.waiting.extend_from_slice(line);
        let mine = lines.open;
        while lines.durable <= mine {
            if lines.is_busy {
                lines = self.written.wait(lines).expect("nobody panics");
                continue;
            }
            (lines.is_busy, lines.open) = (true, lines.open + 1);
            let batch = std::mem::take(&mut lines.waiting);
            drop(lines);
            (&self.file).write_all(&batch)?;
            self.file.sync_data()?;
            lines = self.lines.lock().expect("nobody panics");
            (lines.is_busy, lines.durable) = (false, lines.open);
            self.written.notify_all();
        }
        Ok(())
    }
}

fn send(relay: &str, connections: usize, messages: usize, mail: &str, journal: &str) -> io::Result<()> {
    let body = fs::read(mail)?;
    let file = OpenOptions::new().create(true).append(true).open(journal)?;
    let journal = Arc::new(Journal { file, lines: Mutex::default(), written: Condvar::new() });
    let left = Arc::new(AtomicUsize::new(messages));
    let talks: Vec<_> = (0..connections)
        .map(|_| {
            let (relay, body, journal, left) =
                (relay.to_owned(), body.clone(), Arc::clone(&journal), Arc::clone(&left));
            thread::spawn(move || talk(&relay, &body, &journal, &left))
        })
        .collect();
    talks.into_iter().try_for_each(|talk| talk.join().expect("nobody panics"))
}

const ENVELOPE: &[u8] = b"MAIL FROM:<news@example.com>\r\nRCPT TO:<reader@example.com>\r\nDATA\r\n";

fn talk(relay: &str, body: &[u8], journal: &Journal, left: &AtomicUsize) -> io::Result<()> {
    let mut stream = TcpStream::connect(relay)?;
    stream.set_nodelay(true)?;
    let mut replies = BufReader::new(stream.try_clone()?);
    let next = || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).ok();
    expect(&mut replies, b'2')?;
    stream.write_all(b"EHLO localhost\r\n")?;
    expect(&mut replies, b'2')?;
    let Some(mut number) = next() else { return Ok(()) };
    stream.write_all(ENVELOPE)?;
    loop {
        for wanted in [b'2', b'2', b'3'] {
            expect(&mut replies, wanted)?;
        }
        stream.write_all(body)?;
        journal.append(format!("{number} goes\n").as_bytes())?;
        let following = next();
        let dot: &[u8] = if body.ends_with(b"\n") { b".\r\n" } else { b"\r\n.\r\n" };
        stream.write_all(&[dot, if following.is_some() { ENVELOPE } else { b"QUIT\r\n" }].concat())?;
        expect(&mut replies, b'2')?;
        journal.append(format!("{number} went\n").as_bytes())?;
        match following {
            Some(following) => number = following,
            None => return Ok(()),
        }
    }
}

fn expect(replies: &mut impl BufRead, digit: u8) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        replies.read_until(b'\n', &mut line)?;
        match (line.first(), line.get(3)) {
            (Some(first), _) if *first != digit => {
                return Err(io::Error::other(String::from_utf8_lossy(&line).into_owned()));
            }
            (Some(_), Some(b'-')) => {}
            (Some(_), _) => return Ok(()),
            (None, _) => return Err(io::Error::other("the relay hung up")),
        }
    }
}

// ── a longer way ──

/// Takes connections at `listen` and passes what is said on to `relay`, each way so much later.
fn delay(listen: &str, relay: &str, later: Duration) -> io::Result<()> {
    for client in TcpListener::bind(listen)?.incoming() {
        let (client, relay) = (client?, TcpStream::connect(relay)?);
        client.set_nodelay(true)?;
        relay.set_nodelay(true)?;
        pass_on(client.try_clone()?, relay.try_clone()?, later);
        pass_on(relay, client, later);
    }
    Ok(())
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, later: Duration) {
    let (chunks, queue) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length) = io::Read::read(&mut from, &mut buffer)
            && length > 0
            && chunks.send((Instant::now() + later, buffer[..length].to_vec())).is_ok()
        {}
    });
    thread::spawn(move || {
        let mut held = VecDeque::new();
        while let Some((at, chunk)) = held.pop_front().or_else(|| queue.recv().ok()) {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if to.write_all(&chunk).is_err() {
                return;
            }
            held.extend(queue.try_iter().take(1));
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}

//! The control: a sender as they are often written. It keeps in a file how far it has come, a batch at a time, takes
//! every answer for a yes, and goes on from there when it is started again. The judgement must not find it well.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use fault_sink::judge::Run;
use fault_sink::{Faults, Sink};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::victim::{Way, end};
use crate::{CONNECTIONS, Dice, MOST_COPIES, Problem, Wishes, read_log};

/// So many readers are fetched at once.
const BATCH: usize = 100;

/// The sender, if this process was started to be it: `torture naive-sender ADDRESS READERS CHECKPOINT`.
pub(crate) fn asked_for() -> Option<Pin<Box<dyn Future<Output = ExitCode>>>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name, address, readers, checkpoint] = words.try_into().ok()?;
    let sends = async move {
        match send(&address, readers.parse().unwrap_or(0), Path::new(&checkpoint)).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        }
    };
    (name == "naive-sender").then(|| Box::pin(sends) as Pin<Box<dyn Future<Output = ExitCode>>>)
}

async fn send(address: &str, readers: usize, checkpoint: &Path) -> Result<(), Problem> {
    let done = std::fs::read_to_string(checkpoint).unwrap_or_default();
    let mut next = done.parse::<usize>().unwrap_or(0);
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    stream.get_ref().set_nodelay(true)?;
    let mut answer = String::new();
    stream.read_line(&mut answer).await?;
    while next < readers {
        for number in next..(next + BATCH).min(readers) {
            let to = format!("r{number}@example.com");
            let message = format!("Message-ID: <{number}@example.com>\r\nSubject: The second\r\n\r\nHello\r\n.");
            for words in ["MAIL FROM:<main@example.com>", &format!("RCPT TO:<{to}>"), "DATA", &message] {
                stream.write_all(format!("{words}\r\n").as_bytes()).await?;
                answer.clear();
                stream.read_line(&mut answer).await?;
                if answer.starts_with(['4', '5']) {
                    stream.write_all(b"RSET\r\n").await?;
                    stream.read_line(&mut answer).await?;
                    break;
                }
            }
        }
        next += BATCH;
        std::fs::write(checkpoint, next.to_string())?;
    }
    Ok(())
}

/// Kills it as often as was wished, and lets it come to its end.
pub(crate) async fn torture(wishes: &Wishes, folder: &Path, sink: &Sink, faults: Faults) -> Result<Run, Problem> {
    let (log, checkpoint) = (folder.join("naive.jsonl"), folder.join("checkpoint"));
    sink.begin(faults, Some(&log))?;
    let (address, readers) = (sink.address().to_string(), wishes.readers.to_string());
    let words = ["naive-sender", &address, &readers];
    let (mut dice, mut dots, mut killed) = (Dice(wishes.seed), sink.dots(), 0);
    loop {
        let mut child = Command::new(std::env::current_exe()?).args(words).arg(&checkpoint).spawn()?;
        let target = *dots.borrow() + dice.below((wishes.readers / wishes.kills.max(1)) as u64);
        let doom = async {
            match killed < wishes.kills {
                true => drop(tokio::time::timeout(Duration::from_secs(5), dots.wait_for(|dots| *dots > target)).await),
                false => std::future::pending().await,
            }
        };
        tokio::select! {
            () = doom => {
                killed += 1;
                end(&mut child, Way::Kill).await?;
            }
            // A line that drops ends it; then it is started again.
            status = child.wait() => if status?.success() { break },
        }
    }
    let audience = (0..wishes.readers).map(|number| format!("r{number}@example.com"));
    Ok(Run {
        ledger: audience.clone().map(|address| (address, "sent".to_owned())).collect(),
        audience: audience.collect(),
        log: read_log(&log)?,
        goodbyes: BTreeMap::new(),
        interruptions: vec![CONNECTIONS; killed],
        most_copies: MOST_COPIES,
    })
}

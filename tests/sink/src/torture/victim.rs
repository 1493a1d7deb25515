//! A process that sends, is killed at a random moment, and is started again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::publication::Publication;
use crate::{CONNECTIONS, Dice, PATIENCE, Problem};

/// Sends in the foreground.
const SEND: &[&str] = &["issue", "send", "second", "--yes"];

/// How a process is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// SIGKILL: at once.
    Kill,
    /// SIGTERM: it may finish what is on the wire.
    Terminate,
}

impl Way {
    /// How many mails this may repeat for each process: one for each open connection, or none.
    pub fn may_repeat(self) -> usize {
        if self == Way::Kill { CONNECTIONS } else { 0 }
    }
}

/// What sends, and how it is ended.
pub(crate) struct Victim {
    pub publication: Arc<Publication>,
    pub dice: Dice,
    /// Final dots so far.
    pub dots: watch::Receiver<u64>,
    /// So many dots lie between two kills, on average.
    pub stride: u64,
    pub way: Way,
    /// What happens to the first process.
    pub mishap: Option<String>,
    pub interruptions: Arc<Mutex<Vec<usize>>>,
}

impl Victim {
    /// Sends under `kills` kills, then in peace until it is told to stop.
    pub async fn send(mut self, worker: usize, kills: usize, mut stop: watch::Receiver<bool>) -> Result<(), Problem> {
        let (mut failures, mut killed, has_mishap) = (0, 0, self.mishap.is_some());
        if let Some(mishap) = self.mishap.take() {
            let ended = tokio::time::timeout(PATIENCE, self.publication.command_by(&mishap, SEND)?.status()).await;
            println!("with the mishap it ended with {}", ended.map_err(|_| "the mishap does not end")??);
            self.interruptions.lock().unwrap_or_else(PoisonError::into_inner).push(CONNECTIONS);
        }
        loop {
            let words = match (killed + worker) % 2 {
                0 => SEND,
                _ => &["serve", "--roles", "scheduler,sender"],
            };
            let mut child = self.publication.command(words)?.spawn()?;
            let doom = self.moment(killed < kills);
            tokio::select! {
                () = doom => {
                    killed += 1;
                    let repeats = self.way.may_repeat();
                    self.interruptions.lock().unwrap_or_else(PoisonError::into_inner).push(repeats);
                    end(&mut child, self.way).await?;
                }
                status = child.wait() => {
                    // The end of the issue, or of a database that is being restarted.
                    let status = status?;
                    failures = if status.success() { 0 } else { failures + 1 };
                    if has_mishap && !status.success() {
                        self.interruptions.lock().unwrap_or_else(PoisonError::into_inner).push(CONNECTIONS);
                    }
                    if failures > 60 {
                        return Err(format!("`pressrun {}` ends with {status} each time", words.join(" ")).into());
                    }
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                () = async { drop(stop.wait_for(|stop| *stop).await) } => return end(&mut child, Way::Terminate).await,
            }
        }
    }

    /// The next moment to kill: mostly after some dots, sometimes soon after the start.
    async fn moment(&mut self, is_one: bool) {
        if !is_one {
            return std::future::pending().await;
        }
        let (soon, late) = (self.dice.below(400), 1000 + self.dice.below(7000));
        if self.dice.below(5) == 0 {
            return tokio::time::sleep(Duration::from_millis(soon)).await;
        }
        let target = *self.dots.borrow() + 1 + self.dice.below(self.stride);
        let _ = tokio::time::timeout(Duration::from_millis(late), self.dots.wait_for(|dots| *dots >= target)).await;
        // Long enough that any moment between two dots is as likely as any other.
        tokio::time::sleep(Duration::from_micros(self.dice.below(50_000))).await;
    }
}

/// Ends a process, and waits until it is gone.
pub(crate) async fn end(child: &mut Child, way: Way) -> Result<(), Problem> {
    match (way, child.id()) {
        (Way::Terminate, Some(id)) => {
            Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
            let gone = tokio::time::timeout(Duration::from_secs(30), child.wait()).await;
            gone.map_err(|_| "a process that was told to stop does not")??;
        }
        _ => child.kill().await?,
    }
    Ok(())
}

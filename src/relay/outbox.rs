//! A folder that takes mail instead of a server: one .eml file a delivery, for trying out and for looking at.
//!
//! A mail is written aside when it is offered and gets its name when it is finished. The name is the delivery's, so
//! that a repeat replaces the file and does not add one.
#![expect(clippy::disallowed_methods, reason = "this is a door of its own: the name waits for `finish`")]

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::model::DeliveryId;

use super::{Doing, Envelope, Failure, Phase, Relay, Reply, Session};

/// The folder.
#[derive(Debug, Clone)]
pub struct Outbox {
    dir: PathBuf,
}

impl Outbox {
    /// The folder need not exist yet.
    pub fn new(dir: impl Into<PathBuf>) -> Outbox {
        Outbox { dir: dir.into() }
    }
}

impl Relay for Outbox {
    fn name(&self) -> String {
        "outbox".to_owned()
    }

    /// Writers at once; more do not make a disk faster.
    fn connections(&self) -> usize {
        4
    }

    fn connect(&self) -> Doing<'_, Result<Box<dyn Session>, Failure>> {
        Box::pin(async { Ok(Box::new(Writing { dir: self.dir.clone(), offered: None }) as Box<dyn Session>) })
    }
}

/// Delivery ids and when their mails were written, the latest first. A folder that is not there yet is empty.
pub fn list(dir: &Path) -> Vec<(String, DateTime<Utc>)> {
    let entry_of_mail = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let id = name.strip_suffix(".eml").filter(|id| is_delivery_id(id))?;
        Some((id.to_owned(), DateTime::<Utc>::from(entry.metadata().ok()?.modified().ok()?)))
    };
    let mut mails: Vec<_> = fs::read_dir(dir).into_iter().flatten().flatten().filter_map(entry_of_mail).collect();
    mails.sort_by(|(left_id, left), (right_id, right)| right.cmp(left).then_with(|| right_id.cmp(left_id)));
    mails
}

/// The bytes of one mail; none for what is not there or is not a delivery id.
pub fn read(dir: &Path, id: &str) -> Option<Vec<u8>> {
    is_delivery_id(id).then(|| fs::read(dir.join(format!("{id}.eml"))).ok()).flatten()
}

/// Nothing else becomes a part of a path.
fn is_delivery_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// One of the writers.
struct Writing {
    dir: PathBuf,
    offered: Option<String>,
}

impl Session for Writing {
    fn offer<'a>(
        &'a mut self,
        delivery: &'a DeliveryId,
        _: &'a Envelope,
        message: &'a [u8],
    ) -> Doing<'a, Result<(), Failure>> {
        Box::pin(async move {
            self.offered = None;
            let id = delivery.as_str().to_owned();
            if !is_delivery_id(&id) {
                return Err(Failure::line(Phase::Connect, "a delivery id is made of the digits 0-9 and a-f"));
            }
            let (dir, name, message) = (self.dir.clone(), id.clone(), message.to_vec());
            on_disk(Phase::Connect, &self.dir, move || write_aside(&dir, &name, &message)).await?;
            self.offered = Some(id);
            Ok(())
        })
    }

    fn finish<'a>(&'a mut self, _: Option<(&'a Envelope, usize)>) -> Doing<'a, Result<Reply, Failure>> {
        Box::pin(async {
            let Some(id) = self.offered.take() else {
                return Err(Failure::line(Phase::Body, "no message has been offered"));
            };
            let (dir, name) = (self.dir.clone(), id.clone());
            on_disk(Phase::Connect, &self.dir, move || give_name(&dir, &name)).await?;
            let dir = self.dir.clone();
            on_disk(Phase::Answer, &self.dir, move || sync_folder(&dir)).await?;
            Ok(Reply { code: 250, enhanced: Some("2.0.0".to_owned()), text: format!("written to outbox/{id}.eml") })
        })
    }
}

/// Runs file work where it holds nobody up. What fails before the file has its name is the relay's trouble.
async fn on_disk(
    phase: Phase,
    dir: &Path,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(), Failure> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|error| Failure::line(phase, format!("cannot write to {}: {error}", dir.display())))
}

fn write_aside(dir: &Path, id: &str, message: &[u8]) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut file = fs::File::create(dir.join(format!("{id}.eml.part")))?;
    file.write_all(message)?;
    file.sync_all()
}

fn give_name(dir: &Path, id: &str) -> io::Result<()> {
    fs::rename(dir.join(format!("{id}.eml.part")), dir.join(format!("{id}.eml")))
}

fn sync_folder(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

//! `bounces`: what came back by mail.

use std::io::{BufRead, BufReader, stdin};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::clock;
use crate::files;
use crate::mailbox::{self, Kind};

use super::opened::{Opened, open};
use super::{Context, Done, Failure, counted};

/// Read bounces and complaints
#[derive(Debug, Args)]
pub struct Bounces {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read mails that came back, and do what follows from them
    ///
    /// A mail counts only if it quotes what this publication put into the mail it is about. What was read once counts
    /// once.
    Read {
        /// A mail or an mbox; a folder of mails; a maildir, whose new mails are moved to `cur/`; or `-`, standard input
        from: PathBuf,
    },
}

#[derive(Debug, Default, Serialize)]
struct Read {
    read: u64,
    bounces: u64,
    complaints: u64,
    ignored: u64,
    suppressed: u64,
}

/// Runs the command.
pub async fn run(bounces: Bounces, context: &Context) -> Done {
    let Command::Read { from } = bounces.command;
    let opened = open(context, None).await?;
    let mut read = Read::default();
    if from == Path::new("-") {
        read.all_of(&mut stdin().lock(), &opened).await?;
    } else if from.is_dir() {
        let mails = files::mails_in(&from)?;
        for mail in &mails.files {
            read.all_of(&mut BufReader::new(files::open_stream(mail)?), &opened).await?;
            if let (Some(seen), Some(name)) = (&mails.seen, mail.file_name()) {
                let name = name.to_string_lossy();
                files::rename_durably(mail, &seen.join(format!("{}:2,S", name.split(':').next().unwrap_or(&name))))?;
            }
        }
    } else {
        read.all_of(&mut BufReader::new(files::open_stream(&from)?), &opened).await?;
    }
    context.answer(&read, Read::sentence)
}

impl Read {
    async fn all_of(&mut self, source: &mut impl BufRead, opened: &Opened) -> Done {
        let broken = |cause| Failure::ours(format!("what came back cannot be read: {cause}"), "try again");
        while let Some(mail) = mailbox::next_mail(source).map_err(broken)? {
            let brought = ("", &mail.into());
            let (kind, is_suppressed) = mailbox::hear(&opened.store, &opened.keys, brought, clock::now()).await?;
            self.read += 1;
            self.suppressed += u64::from(is_suppressed);
            *match kind {
                Kind::Bounce => &mut self.bounces,
                Kind::Complaint => &mut self.complaints,
                Kind::Ignored => &mut self.ignored,
            } += 1;
        }
        Ok(())
    }

    fn sentence(&self) -> String {
        format!(
            "Read {}: {}, {}, {} ignored. {} not mailed any more.",
            counted(self.read, "mail"),
            counted(self.bounces, "bounce"),
            counted(self.complaints, "complaint"),
            self.ignored,
            counted(self.suppressed, "reader"),
        )
    }
}

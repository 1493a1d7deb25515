//! `db`: back the database up, restore it, move it, look it over.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::clock;
use crate::config;
use crate::diagnostic::Wrong;
use crate::files;
use crate::model::OnUnknown;
use crate::press;
use crate::store::{self, Copied, Store, StoreAddress};

use super::opened::{open, open_store};
use super::{Context, Done, Failure};

/// Back the database up, restore it, move it, look it over
#[derive(Debug, Args)]
pub struct Db {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring the schema up to date, as every command does when it opens the database
    Migrate,
    /// Copy the database to a file, while it is in use if need be
    ///
    /// Whatever opens the copy finds all sending held, until `issue resume --all`.
    Backup {
        /// A file that does not exist yet
        file: PathBuf,
    },
    /// Put a backup in the place of the database; the present one is kept beside it
    ///
    /// All sending is held afterwards, until `issue resume --all`.
    Restore {
        /// A backup
        file: PathBuf,
    },
    /// Move the publication into another database, which must be empty
    ///
    /// Sending is held in both from then on: `issue resume --all` lifts it in the one that the settings name. Prints
    /// each table with its rows and a checksum that was the same on both sides.
    Copy {
        /// Where to: `postgres://user@host/name` or `sqlite:FILE`; a password can stand in PGPASSWORD
        #[arg(long, value_name = "URL")]
        to: String,
    },
    /// Look for damage in the file and for sums that do not add up
    Check,
}

/// Runs the command.
pub async fn run(db: &Db, context: &Context) -> Done<ExitCode> {
    match &db.command {
        Command::Migrate => migrate(context).await?,
        Command::Backup { file } => backup(context, file).await?,
        Command::Restore { file } => restore(context, file).await?,
        Command::Copy { to } => copy(context, to).await?,
        Command::Check => return check(context).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn migrate(context: &Context) -> Done {
    let opened = open(context, None).await?;
    context.say(&format!("The schema is at version {}.", opened.store.version().await?));
    Ok(())
}

async fn backup(context: &Context, file: &Path) -> Done {
    let opened = open_store(context).await?;
    if opened.store.is_postgres() {
        return Err(postgres("pg_dump --format=custom"));
    }
    if file.exists() {
        let help = "give a name that is free, or move the old backup away first";
        return Err(Failure::yours(format!("`{}` exists already", file.display()), help));
    }
    let aside = file.with_extension("part");
    files::remove_if_there(&aside)?;
    if let Err(error) = opened.store.copy_to(&aside).await {
        files::remove_if_there(&aside)?;
        return Err(error.into());
    }
    let reason = format!("it is a backup of {}", clock::now().format("%Y-%m-%d %H:%M UTC"));
    store::hold_copy(&aside, reason).await?;
    files::make_private(&aside)?;
    files::rename_durably(&aside, file)?;
    context.say(&format!(
        "Backed up to {}. A database restored from it sends nothing until `issue resume --all`.",
        file.display()
    ));
    Ok(())
}

async fn restore(context: &Context, file: &Path) -> Done {
    let (settings, ..) = press::read_settings(context.root(), &context.environment)?;
    let StoreAddress::Sqlite(place) = StoreAddress::of(context.root(), &settings.store) else {
        return Err(postgres("pg_restore, into a new database,"));
    };
    store::look_over(file).await.map_err(|error| {
        Failure::yours(format!("`{}` cannot be restored: {error}", file.display()), "give a file that `db backup` made")
    })?;
    let in_use = "stop `pressrun serve` and every other command on this publication first";
    let _lock =
        files::lock_alone(&place.with_extension("lock")).map_err(|error| Failure::yours(error.to_string(), in_use))?;
    let aside = place.with_extension("restoring");
    files::copy(file, &aside)?;
    store::hold_copy(&aside, format!("it was restored from `{}`", file.display())).await?;
    // What is there keeps all of itself, whatever state it is in: the file and what was not yet folded into it.
    let kept = place.with_extension(format!("before-{}.db", clock::now().format("%Y%m%dT%H%M%S")));
    for ending in ["-wal", "-shm", ""] {
        let part = PathBuf::from(format!("{}{ending}", place.display()));
        if part.exists() {
            files::rename_durably(&part, &PathBuf::from(format!("{}{ending}", kept.display())))?;
        }
    }
    files::rename_durably(&aside, &place)?;
    context.say(&format!("Restored {} from {}.", place.display(), file.display()));
    if kept.exists() {
        context.say(&format!("The database that was there is kept as {}.", kept.display()));
    }
    context.say("All sending is held. `pressrun issue resume --all` shows what would go and lifts it.");
    Ok(())
}

async fn copy(context: &Context, to: &str) -> Done {
    #[derive(Serialize)]
    struct Answer {
        table: String,
        rows: u64,
        checksum: String,
    }
    let wrong = |wrong: Wrong| Failure::yours(format!("`--to` is wrong: {}", wrong.message), wrong.help);
    let settings = config::store_address(to).map_err(wrong)?;
    let opened = open(context, None).await?;
    let target = Store::open(&StoreAddress::of(context.root(), &settings)).await?;
    if let Some(table) = target.filled_table().await? {
        let help = "empty it, or name one that is new: `dropdb` and `createdb`, or another file";
        let problem = format!("the database to copy to is not empty: its table `{table}` has rows");
        return Err(Failure::yours(problem, help));
    }
    let on_unknown = opened.edition.settings.sending.on_unknown;
    let date = clock::now().format("%Y-%m-%d %H:%M UTC");
    opened.store.hold(format!("it was copied to another database on {date}")).await?;
    come_to_rest(&opened.store, on_unknown).await?;
    let mut tables = Vec::new();
    let hold = format!("it was copied from another database on {date}");
    opened.store.copy_into(&target, hold, |copied| tables.push(copied)).await?;
    target.end_leases(clock::now(), on_unknown).await?;
    for Copied { table, rows, checksum } in tables {
        let answer = Answer { table, rows, checksum: format!("{checksum:016x}") };
        context.answer(&answer, |answer| format!("{:20} {:>12}  {}", answer.table, answer.rows, answer.checksum))?;
    }
    context.say("All of it is there and the same. Sending is held here and there.");
    context.say("Name the new database in `[store]` with the same server key, then run `pressrun issue resume --all`.");
    Ok(())
}

/// Waits until whatever was on the wire when sending was held has its answer, or its sender is known to be dead. What
/// has neither is not copied: there it would be sent again, although its answer may come here.
async fn come_to_rest(store: &Store, on_unknown: OnUnknown) -> Done {
    for _ in 0..40 {
        let now = clock::now();
        store.release_expired(now, on_unknown).await?;
        if !store.is_sending(now).await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let help = "its relay may take ten minutes to answer; run this again then. All sending is held meanwhile";
    Err(Failure::ours("mail is still on the wire, so nothing was copied", help))
}

async fn check(context: &Context) -> Done<ExitCode> {
    #[derive(Serialize)]
    struct Report {
        version: i64,
        held: Option<String>,
        problems: Vec<String>,
    }
    let opened = open(context, None).await?;
    let report = Report {
        version: opened.store.version().await?,
        held: opened.held().await?,
        problems: opened.store.problems().await?,
    };
    context.answer(&report, |report| {
        if report.problems.is_empty() {
            let held =
                report.held.as_ref().map_or_else(String::new, |reason| format!(" All sending is held: {reason}."));
            format!("The database is sound; its schema is at version {}.{held}", report.version)
        } else {
            report.problems.join("\n")
        }
    })?;
    Ok(ExitCode::from(if report.problems.is_empty() { 0 } else { 2 }))
}

fn postgres(tool: &str) -> Failure {
    Failure::yours(
        "this publication is on PostgreSQL, which has tools of its own for that",
        format!("use {tool}; a dump that is loaded into another database sends nothing until `issue resume --all`"),
    )
}

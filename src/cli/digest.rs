//! `digest`: which digests are due, for whom, and sending them.

use std::collections::BTreeSet;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::clock;
use crate::content;
use crate::model::Rhythm;
use crate::publishing::{Office, Plan, Readers, Recipients, WaitsFor};

use super::issue::{Prospect, Way, ask, refuse_while_held, send_issues};
use super::opened::{Opened, open};
use super::{Context, Done, Failure, counted, time};

/// Show and send digests
///
/// `serve` sends them by itself, each at its readers' hour.
#[derive(Debug, Args)]
pub struct Digest {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show which digests are due, with what, for how many and where they live
    ///
    /// Nothing is sent. With a moment to come: what will be due, from what is written and scheduled by now.
    Plan {
        /// Such as `2026-12-01 07:00` by the publication's clock; else now
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    Run(Run),
}

/// Send the digests that are due, until every reader is served
///
/// An editor's own act: no undo time, no approval, however late they are.
#[derive(Debug, Args)]
struct Run {
    /// Those of slots up to this moment, not later than now; else now
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    #[command(flatten)]
    way: Way,
}

#[derive(Debug, Serialize)]
struct DigestAnswer {
    plan: Option<String>,
    newsletter: String,
    cadence: &'static str,
    slot_at: String,
    zones: Vec<String>,
    articles: Vec<String>,
    more: usize,
    #[serde(flatten)]
    prospect: Prospect,
}

/// Runs the command.
pub async fn run(digest: Digest, context: &Context) -> Done<ExitCode> {
    let opened = open(context, None).await?;
    match digest.command {
        Command::Plan { at } => {
            let at = moment(&opened, at.as_deref())?;
            plan(&opened, context, at).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Run(run) => run_due(opened, context, run).await,
    }
}

fn moment(opened: &Opened, text: Option<&str>) -> Done<DateTime<Utc>> {
    let zone = &opened.edition.settings.publication.zone;
    let wrong = |text| Failure::yours(format!("`{text}` is not a moment"), "write it as `2026-12-01 07:00`");
    text.map_or(Ok(clock::now()), |text| content::parse_moment(text, zone).ok_or_else(|| wrong(text)))
}

/// Prints what is due at a moment. Says how many issues that are.
async fn plan(opened: &Opened, context: &Context, at: DateTime<Utc>) -> Done<usize> {
    let (office, mut count) = (opened.office(), 0);
    let Office { edition, store, now } = office;
    for newsletter in &edition.settings.newsletters {
        for mut plan in office.digest_plans(newsletter, at).await? {
            if edition.has_errors() {
                plan.waits_for = Some(WaitsFor::Errors);
            }
            let (Some(id), Recipients::Digest(readers)) = (&plan.id, &plan.to) else { continue };
            store.show_plan(id, plan.count.recipients, now).await?;
            context.answer(&answer(opened, &plan, readers), tell)?;
            count += 1;
        }
    }
    if count == 0 {
        context.say("No digest is due then; `--at TIME` shows what will be.");
    }
    Ok(count)
}

fn answer(opened: &Opened, plan: &Plan, readers: &Readers) -> DigestAnswer {
    let settings = &opened.edition.settings;
    let zone = |key: &String| Rhythm::parse(key).and_then(|rhythm| rhythm.zone);
    let groups = readers.groups.iter().filter(|group| group.readers > 0);
    let zones: BTreeSet<String> = groups
        .map(|group| zone(&group.rhythm).as_ref().unwrap_or(&settings.publication.zone).name().to_owned())
        .collect();
    DigestAnswer {
        plan: plan.id.clone(),
        newsletter: plan.newsletter.to_string(),
        cadence: readers.run.cadence.as_str(),
        slot_at: time(readers.run.slot_at),
        zones: zones.into_iter().collect(),
        articles: opened.paths(&plan.articles),
        more: readers.more,
        prospect: Prospect::of(plan),
    }
}

fn tell(digest: &DigestAnswer) -> String {
    let id = digest.plan.as_deref().unwrap_or_default();
    let readers = counted(digest.prospect.recipients, &format!("{} reader", digest.cadence));
    let mut text = format!("plan {id}: {} to {readers} of {}", digest.slot_at, digest.newsletter);
    text.push_str(&format!("\n  in {}", digest.zones.join(", ")));
    for article in &digest.articles {
        text.push_str(&format!("\n  {article}"));
    }
    if digest.more > 0 {
        text.push_str(&format!("\n  and {} more in the archive", digest.more));
    }
    digest.prospect.tell(&mut text);
    text
}

async fn run_due(opened: Opened, context: &Context, run: Run) -> Done<ExitCode> {
    opened.hold_if_moved().await?;
    refuse_while_held(&opened).await?;
    let at = moment(&opened, run.at.as_deref())?;
    if at > clock::now() {
        let help = "`pressrun digest plan --at TIME` shows what will be due; `serve` sends it then";
        return Err(Failure::yours("a digest cannot be sent before its moment", help));
    }
    if opened.edition.has_errors() {
        return Err(Failure::yours("nothing is sent while `check` reports errors", "run `pressrun check`"));
    }
    if !run.way.yes {
        if plan(&opened, context, at).await? == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        ask(context, "Send these now?", "say `--yes` to send them without being asked")?;
    }
    let mut issues = Vec::new();
    for newsletter in &opened.edition.settings.newsletters {
        issues.extend(opened.office().run_digests(newsletter, at).await?);
    }
    if issues.is_empty() {
        context.say("No digest is due.");
    }
    send_issues(&opened, context, issues, &run.way).await
}

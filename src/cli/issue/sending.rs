//! While an issue goes out: `issue send`, `pause`, `resume`, `cancel` and `retry`.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::clock;
use crate::content::Article;
use crate::model::{IssueEvent, IssueId, IssueState, Newsletter};
use crate::publishing::Sent;
use crate::sending::{self, Until};
use crate::store::IssueRow;

use super::super::opened::Opened;
use super::super::progress::Progress;
use super::super::{Context, Done, Failure, told_to_stop};
use super::answers;

/// Send an article, or go on with an issue, until every reader is served
///
/// An editor's own act: no undo time, no approval. Killed and run again, it goes on where it was.
#[derive(Debug, Args)]
pub(super) struct Send {
    /// An article's path or slug, or an issue's id
    what: String,
    /// Only if this plan is still what would be sent
    #[arg(long, value_name = "ID")]
    plan: Option<String>,
    #[command(flatten)]
    way: Way,
}

/// How an editor's own act goes about it.
#[derive(Debug, Args)]
pub(in crate::cli) struct Way {
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Stop when nothing is due; what a relay put off stays for later
    #[arg(long, conflicts_with = "detach")]
    once: bool,
    /// Leave the sending to a running `serve`
    #[arg(long)]
    detach: bool,
}

/// Let a paused issue go on; with --all, lift the hold of a restored or copied database
#[derive(Debug, Args)]
pub(super) struct Resume {
    /// The issue
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    issue: Option<String>,
    /// Show what would go, and lift the hold on all sending
    #[arg(long)]
    all: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(super) async fn send(opened: Opened, context: &Context, send: Send) -> Done<ExitCode> {
    opened.hold_if_moved().await?;
    refuse_while_held(&opened).await?;
    let issues = issues_of(&opened, context, &send).await?;
    send_issues(&opened, context, issues, &send.way).await
}

/// Sends issues one after the other, or prints their ids where a running `serve` is to send them.
pub(in crate::cli) async fn send_issues(
    opened: &Opened,
    context: &Context,
    issues: Vec<IssueId>,
    way: &Way,
) -> Done<ExitCode> {
    if way.detach {
        for issue in &issues {
            context.print(&format!("{issue}\n"))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (stop, stopped) = watch::channel(false);
    let sends = async {
        let mut status = 0;
        for issue in issues {
            if *stopped.borrow() {
                status = 2;
                break;
            }
            let until = if way.once { Until::NoneDue(issue.clone()) } else { Until::AtRest(issue.clone()) };
            status = status.max(send_issue(opened, context, &issue, until, stopped.clone()).await?);
        }
        Ok(ExitCode::from(status))
    };
    let stops = async {
        // The terminal may close, too.
        told_to_stop(signal(SignalKind::hangup()).ok()).await;
        stop.send_replace(true);
        context.say("Stopping; what is on the wire is finished. Run the command again and it goes on.");
        std::future::pending().await
    };
    tokio::select! {
        sent = sends => sent,
        never = stops => never,
    }
}

/// Nothing is begun while sending is held.
pub(in crate::cli) async fn refuse_while_held(opened: &Opened) -> Done {
    let Some(reason) = opened.store.held().await? else { return Ok(()) };
    let help = "`pressrun issue resume --all` shows what would go to how many, and lifts the hold";
    Err(Failure::yours(format!("all sending is held: {reason}"), help))
}

/// The issues that the editor means, sealed if they were not.
async fn issues_of(opened: &Opened, context: &Context, send: &Send) -> Done<Vec<IssueId>> {
    if let Some(issue) = opened.store.issue(&IssueId::new(send.what.as_str())).await? {
        return existing(opened, issue).await;
    }
    let article = super::article(opened, &send.what)?;
    let mut issues = Vec::new();
    let newsletters = super::newsletters(opened, article)?;
    if send.plan.is_none() {
        confirm(opened, context, send).await?;
    }
    let mut meant = 0;
    for newsletter in newsletters {
        if !is_meant(opened, newsletter, article, send.plan.as_deref()).await? {
            continue;
        }
        meant += 1;
        match opened.office().send_article(newsletter, article, send.plan.as_deref()).await? {
            Sent::Issue(issue) => issues.push(issue),
            Sent::NextDigest => context.say(&format!(
                "Nobody gets newsletter `{}` at once; the article will be in its next digests.",
                newsletter.id
            )),
        }
    }
    if meant == 0 {
        let help = "run `pressrun issue plan ARTICLE` again and look at it";
        return Err(Failure::yours("that plan is not what would be sent now in any newsletter of the article", help));
    }
    Ok(issues)
}

/// A plan is one newsletter's: with one, the others that carry the article are left alone.
async fn is_meant(opened: &Opened, newsletter: &Newsletter, article: &Article, plan: Option<&str>) -> Done<bool> {
    let Some(plan) = plan.filter(|_| article.newsletters.len() > 1) else { return Ok(true) };
    let fresh = opened.office().plan_article(newsletter, article).await?;
    Ok(fresh.id.as_deref() == Some(plan))
}

async fn existing(opened: &Opened, issue: IssueRow) -> Done<Vec<IssueId>> {
    let remedy = match issue.state {
        IssueState::Paused => format!("`pressrun issue resume {}` lets it go on", issue.id),
        IssueState::Cancelled => {
            "`pressrun issue send ARTICLE` sends the corrected article to those not reached".to_owned()
        }
        _ => {
            opened.store.hasten(&issue.id, clock::now()).await?;
            opened.office().finish_sealings().await?;
            return Ok(vec![issue.id]);
        }
    };
    Err(Failure::yours(format!("issue `{}` is {}", issue.id, issue.state.as_str()), remedy))
}

/// Says what would go to how many and asks; without a terminal, `--yes` must be given.
async fn confirm(opened: &Opened, context: &Context, send: &Send) -> Done {
    if send.way.yes {
        return Ok(());
    }
    super::before::plan(opened, context, Some(&send.what)).await?;
    ask(context, "Send this now?", "say `--yes` to send it without being asked")
}

/// Asks at the terminal; without one, or without a yes, nothing is done.
pub(in crate::cli) fn ask(context: &Context, question: &str, help: &str) -> Done {
    if !io::stdin().is_terminal() {
        return Err(Failure::yours("there is no terminal to ask at, so nothing was done", help));
    }
    context.say(&format!("{question} [y/N]"));
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(Failure::yours("nothing was done", help))
    }
}

/// Sends in the foreground, with progress, until the goal or until it is told to stop, after which it can be run again.
/// The exit status: 0 when every delivery is at rest, 1 where an editor stopped it, 2 when some are still to come.
async fn send_issue(
    opened: &Opened,
    context: &Context,
    issue: &IssueId,
    until: Until,
    stopped: watch::Receiver<bool>,
) -> Done<u8> {
    if opened.store.issue(issue).await?.is_some_and(|row| row.state == IssueState::Finished) {
        context.say("It had finished before; nothing was sent now.");
    }
    opened.store.start_due_issues(clock::now()).await?;
    let (_keep, edition) = watch::channel(Arc::clone(&opened.edition));
    let mut sender = tokio::spawn(sending::send(opened.means(edition), until, stopped));
    let progress = Progress::begin(context, issue, &answers::counts(&opened.store, issue).await?);
    let mut each_second = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            result = &mut sender => {
                result.map_err(|_| Failure::ours("the sender stopped", "run the command again; it goes on"))??;
                break;
            }
            _ = each_second.tick(), if progress.is_shown => progress.show(&answers::counts(&opened.store, issue).await?),
        }
    }
    drop(progress);
    let Some(row) = opened.store.issue(issue).await? else { return Ok(2) };
    answers::status(&opened.store, context, &row).await?;
    Ok(match row.state {
        IssueState::Finished => 0,
        IssueState::Paused | IssueState::Cancelled => 1,
        IssueState::Sealing | IssueState::Sealed | IssueState::Sending => 2,
    })
}

pub(super) async fn change(opened: &Opened, context: &Context, issue: &str, event: IssueEvent) -> Done {
    let issue = super::find(&opened.store, issue).await?;
    opened.office().finish_sealings().await?;
    if let Some((_, Some(after))) = opened.store.move_issue(&issue.id, event, clock::now()).await? {
        context.say(&format!("Issue {} is {}.", issue.id, after.as_str()));
        return Ok(());
    }
    let problem = format!("issue `{}` is {}, so this changes nothing", issue.id, issue.state.as_str());
    Err(Failure::yours(problem, "`pressrun issue list` shows where each stands"))
}

pub(super) async fn resume(opened: &Opened, context: &Context, resume: &Resume) -> Done {
    match &resume.issue {
        Some(issue) => change(opened, context, issue, IssueEvent::Resume).await,
        None => resume_all(opened, context, resume.yes).await,
    }
}

/// Shows what would go to how many, then settles the database where it is now; this folder's content is the newest.
async fn resume_all(opened: &Opened, context: &Context, yes: bool) -> Done {
    let revision = &opened.edition.content_revision;
    let behind_since = opened.store.superseded_at(revision).await?;
    if let Some(at) = behind_since {
        context.say(&format!("This folder is older than the content of {}.", at.format("%Y-%m-%d %H:%M UTC")));
        if !yes {
            ask(context, "Make its content the newest?", "say `--yes` to do it without being asked")?;
        }
        opened.store.set_newest_revision(revision, clock::now()).await?;
        context.say("Issues are made from it again.");
    }
    let Some(reason) = opened.held().await? else {
        if behind_since.is_none() {
            context.say("Nothing is held.");
        }
        return Ok(());
    };
    if opened.edition.has_errors() {
        let problem = "the hold is not lifted while `check` reports errors";
        let why = "an article that cannot be read now would count as new later";
        return Err(Failure::yours(problem, format!("run `pressrun check` and mend what it shows; {why}")));
    }
    context.say(&format!("All sending is held: {reason}."));
    let mut total = 0;
    for (issue, count) in opened.store.waiting_deliveries().await? {
        match issue {
            Some(issue) => {
                let count = count + opened.store.count_unwritten(&issue).await?;
                total += count;
                let subject = opened.store.issue(&issue).await?.map_or_else(String::new, |row| row.subject);
                context.say(&format!("  {count} mails of issue {issue}: {subject}"));
            }
            None => {
                total += count;
                context.say(&format!("  {count} notices that people asked for"));
            }
        }
    }
    context.say(&format!(
        "{total} mails would go at once. What was published meanwhile waits for `pressrun issue send ARTICLE`; digests go on with their next hour."
    ));
    if !yes {
        ask(context, "Lift the hold?", "say `--yes` to lift it without being asked")?;
    }
    opened.office().enter_as_late().await?;
    opened.store.settle(opened.home.clone()).await?;
    context.say("Sending goes on.");
    Ok(())
}

pub(super) async fn cancel(opened: &Opened, context: &Context, what: &str) -> Done {
    if opened.store.issue(&IssueId::new(what)).await?.is_some() {
        return change(opened, context, what, IssueEvent::Cancel).await;
    }
    let article = super::article(opened, what)?;
    for newsletter in super::newsletters(opened, article)? {
        opened.office().cancel(newsletter, article).await?;
        context.say(&format!("`{}` is not mailed to the instant readers of `{}`.", article.path, newsletter.id));
    }
    Ok(())
}

pub(super) async fn retry(opened: &Opened, context: &Context, issue: &str) -> Done {
    let issue = super::find(&opened.store, issue).await?;
    if issue.state == IssueState::Cancelled {
        let help = "`pressrun issue send ARTICLE` sends the corrected article to those not reached";
        return Err(Failure::yours(format!("issue `{}` is cancelled", issue.id), help));
    }
    let count = opened.store.retry_issue(&issue.id, clock::now()).await?;
    context.say(&format!("{count} deliveries of issue {} are in the queue again.", issue.id));
    Ok(())
}

//! `issue`: what goes to readers, before, during and after.

mod answers;
mod before;
mod sending;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::content::Article;
use crate::model::{IssueEvent, IssueId, Newsletter};
use crate::store::{IssueRow, Store};

use super::opened::{Opened, open, open_store};
use super::{Context, Done, Failure};

pub(super) use before::Prospect;
pub(super) use sending::{Way, ask, refuse_while_held, send_issues};

/// Plan, send, watch and stop issues
///
/// ARTICLE is a path or a slug, ISSUE the id that `issue list` shows.
#[derive(Debug, Args)]
pub struct Issue {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all issues, the newest first
    List,
    /// Show one issue: its articles, its plan and where it stands
    Show {
        /// The id that `issue list` shows
        issue: String,
    },
    /// Show what would be sent, to how many, to whom not and why
    ///
    /// Without an article: everything that waits, and what for. Nothing is sent.
    Plan {
        /// A path or a slug
        article: Option<String>,
    },
    /// Let a plan that waits for an editor go
    Approve {
        /// The id that `issue plan` shows
        plan: String,
    },
    Preview(before::Preview),
    Test(before::Test),
    Send(sending::Send),
    /// Stop an issue for a while: no mail starts after this returns
    Pause {
        /// The id that `issue list` shows
        issue: String,
    },
    Resume(sending::Resume),
    /// Stop an issue for good, or take an article back that waits
    ///
    /// Sending the corrected article afterwards reaches exactly those who did not get this one.
    Cancel {
        /// An issue's id, or an article's path or slug
        what: String,
    },
    /// Count an issue's deliveries by state
    Status {
        /// The id that `issue list` shows
        issue: String,
    },
    /// Put failed and held deliveries back in the queue
    Retry {
        /// The id that `issue list` shows
        issue: String,
    },
    /// Say what became of one reader's mail, and why
    Why {
        /// The issue
        issue: String,
        /// The reader's address
        address: String,
    },
}

/// Runs the command.
pub async fn run(issue: Issue, context: &Context) -> Done<ExitCode> {
    let opened = || open(context, None);
    match issue.command {
        Command::List => answers::list(&open_store(context).await?.store, context).await?,
        Command::Show { issue } => answers::show(&opened().await?, context, &issue).await?,
        Command::Plan { article } => before::plan(&opened().await?, context, article.as_deref()).await?,
        Command::Approve { plan } => before::approve(&opened().await?, context, &plan).await?,
        Command::Preview(preview) => before::preview(&opened().await?, context, &preview).await?,
        Command::Test(test) => before::test(&opened().await?, context, &test).await?,
        Command::Send(send) => return sending::send(opened().await?, context, send).await,
        Command::Pause { issue } => sending::change(&opened().await?, context, &issue, IssueEvent::Pause).await?,
        Command::Resume(resume) => sending::resume(&opened().await?, context, &resume).await?,
        Command::Cancel { what } => sending::cancel(&opened().await?, context, &what).await?,
        Command::Status { issue } => {
            let opened = open_store(context).await?;
            answers::status(&opened.store, context, &find(&opened.store, &issue).await?).await?;
        }
        Command::Retry { issue } => sending::retry(&opened().await?, context, &issue).await?,
        Command::Why { issue, address } => {
            answers::why(&open_store(context).await?.store, context, &issue, &address).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// An issue by its id.
async fn find(store: &Store, id: &str) -> Done<IssueRow> {
    store
        .issue(&IssueId::new(id))
        .await?
        .ok_or_else(|| Failure::yours(format!("there is no issue `{id}`"), "`pressrun issue list` shows all of them"))
}

/// An article by its path or slug.
fn article<'a>(opened: &'a Opened, name: &str) -> Done<&'a Article> {
    opened.edition.catalog.named(name).ok_or_else(|| {
        let slugs = opened.edition.catalog.articles.iter().map(|article| article.slug.as_str());
        let help = match crate::diagnostic::nearest(name, slugs) {
            Some(slug) => format!("there is a similar one: `{slug}`"),
            None => "name an article by its path or its slug".to_owned(),
        };
        Failure::yours(format!("there is no article `{name}`"), help)
    })
}

/// The newsletters that carry an article.
fn newsletters<'a>(opened: &'a Opened, article: &Article) -> Done<Vec<&'a Newsletter>> {
    let settings = &opened.edition.settings;
    let newsletters: Vec<_> = article.newsletters.iter().filter_map(|id| settings.newsletter(id)).collect();
    if newsletters.is_empty() {
        let help = "name one in its front matter, such as `newsletters: [main]`";
        return Err(Failure::yours(format!("`{}` is in no newsletter", article.path), help));
    }
    Ok(newsletters)
}

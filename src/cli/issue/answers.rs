//! What `issue list`, `show`, `status` and `why` answer.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Cause, DeliveryState, IssueId, IssueState};
use crate::store::{AttemptRow, IssueRow, Said, Store, StoreError};

use super::super::opened::Opened;
use super::super::{Context, Done, email, time};
use super::find;

/// Where an issue stands: `total` is the sum of the counts.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Status {
    issue: String,
    newsletter: String,
    kind: &'static str,
    subject: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_for: Option<String>,
    total: i64,
    #[serde(flatten)]
    counts: BTreeMap<DeliveryState, i64>,
    send_at: String,
    started_at: Option<String>,
    finished_at: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Why {
    issue: String,
    address: String,
    state: Option<&'static str>,
    reason: String,
    message_id: Option<String>,
    attempts: Vec<Attempt>,
    /// What came back after the relay had taken it, or with its refusal.
    returns: Vec<Return>,
}

#[derive(Debug, Serialize)]
struct Return {
    cause: Cause,
    #[serde(flatten)]
    said: Attempt,
}

#[derive(Debug, Serialize)]
struct Attempt {
    at: String,
    #[serde(flatten)]
    said: Said,
}

/// How many of an issue's deliveries are in each state, whether there are any or not.
pub(super) async fn counts(store: &Store, issue: &IssueId) -> Result<BTreeMap<DeliveryState, i64>, StoreError> {
    let mut counts = BTreeMap::from(DeliveryState::ALL.map(|state| (state, 0)));
    counts.extend(store.count_deliveries(issue).await?);
    Ok(counts)
}

/// Counts an issue's deliveries.
pub(super) async fn count(store: &Store, issue: &IssueRow) -> Result<Status, StoreError> {
    let counts = counts(store, &issue.id).await?;
    let mut stopped = match issue.state {
        IssueState::Paused => store.stopped_newsletters().await?,
        _ => BTreeMap::new(),
    };
    Ok(Status {
        paused_for: stopped.remove(&issue.newsletter),
        issue: issue.id.to_string(),
        newsletter: issue.newsletter.to_string(),
        kind: issue.kind.as_str(),
        subject: issue.subject.clone(),
        state: issue.state.as_str(),
        total: counts.values().sum(),
        counts,
        send_at: time(issue.send_at),
        started_at: issue.started_at.map(time),
        finished_at: issue.finished_at.map(time),
    })
}

impl Status {
    /// A line for people.
    pub fn line(&self) -> String {
        let counts = self.counts.iter().filter(|(_, count)| **count > 0);
        let counts: Vec<String> = counts.map(|(state, count)| format!("{count} {state}")).collect();
        let counts = if counts.is_empty() { "nobody".to_owned() } else { counts.join(", ") };
        let why = self.paused_for.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
        format!("{}  {:<9}  {}  {}: {}{why}", self.issue, self.state, self.newsletter, self.subject, counts)
    }
}

pub(super) async fn list(store: &Store, context: &Context) -> Done {
    for issue in store.issues().await? {
        let status = count(store, &issue).await?;
        context.answer(&status, |status| status.line())?;
    }
    Ok(())
}

pub(super) async fn status(store: &Store, context: &Context, issue: &IssueRow) -> Done {
    let status = count(store, issue).await?;
    context.answer(&status, Status::line)
}

pub(super) async fn show(opened: &Opened, context: &Context, issue: &str) -> Done {
    #[derive(Serialize)]
    struct Shown {
        #[serde(flatten)]
        status: Status,
        plan: String,
        articles: Vec<String>,
        page: String,
    }
    let issue = find(&opened.store, issue).await?;
    let shown = Shown {
        status: count(&opened.store, &issue).await?,
        plan: issue.plan.clone(),
        articles: opened.store.issue_titles(&issue.id).await?,
        page: format!("{}/issues/{}/", opened.edition.base_url, issue.id),
    };
    context.answer(&shown, |shown| {
        let articles: String = shown.articles.iter().map(|title| format!("\n  - {title}")).collect();
        format!(
            "{}\nplan {}\nnot before {}\n{}{articles}",
            shown.status.line(),
            shown.plan,
            shown.status.send_at,
            shown.page
        )
    })
}

pub(super) async fn why(store: &Store, context: &Context, issue: &str, address: &str) -> Done {
    let issue = find(store, issue).await?;
    let email = email(address)?;
    let delivery = store.delivery_to(&issue.id, email.key()).await?;
    let nothing = Why { issue: issue.id.to_string(), address: email.to_string(), ..Why::default() };
    let why = match delivery {
        Some(delivery) => {
            let attempt = |AttemptRow { at, said }| Attempt { at: time(at), said };
            let attempts = store.attempts(&delivery.id).await?.into_iter();
            let returns = store.returns_of(&delivery.id).await?.into_iter();
            Why {
                state: Some(delivery.state.as_str()),
                reason: delivery.reason.unwrap_or_else(|| meaning(delivery.state).to_owned()),
                message_id: delivery.message_id,
                attempts: attempts.map(attempt).collect(),
                returns: returns.map(|(cause, row)| Return { cause, said: attempt(row) }).collect(),
                ..nothing
            }
        }
        None => Why { reason: store.why_not_in_audience(&issue.id, email.key()).await?.to_owned(), ..nothing },
    };
    context.answer(&why, tell)
}

fn meaning(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Queued => "waits for its turn",
        DeliveryState::Sending => "is being handed over",
        DeliveryState::Sent => "the relay took it",
        DeliveryState::Deferred => "the relay said not now; it is tried again",
        DeliveryState::Failed => "the relay refused it",
        DeliveryState::Suppressed => "not sent on purpose",
        DeliveryState::Unknown => "it may have arrived when the line or the sender died",
    }
}

fn tell(why: &Why) -> String {
    let state = why.state.unwrap_or("not in the audience");
    let mut text = format!("{}: {state} ({})", why.address, why.reason);
    if let Some(message_id) = &why.message_id {
        text.push_str(&format!("\nMessage-ID {message_id}"));
    }
    for Attempt { at, said } in &why.attempts {
        let code = said.code.map_or(String::new(), |code| format!("{code} "));
        text.push_str(&format!("\n{at}  {}  {code}{}", said.relay, said.text));
    }
    for Return { cause, said: Attempt { at, said } } in &why.returns {
        text.push_str(&format!("\n{at}  came back ({cause}) by {}: {}", said.relay, said.text));
    }
    text
}

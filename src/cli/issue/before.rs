//! Before anything is sent: `issue plan`, `approve`, `preview` and `test`.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::clock;
use crate::content::{Article, FIRST_NAME_MARKS};
use crate::mail::{Compiled, Headers, ListHeaders, message_id, sign};
use crate::model::{Cadence, Carries, DeliveryId, EmailAddress, IssueId, IssueKind, Newsletter, Viewer};
use crate::publishing::{self, Office, Plan, Purpose, SendError, WaitsFor};
use crate::relay::{Envelope, Relay};
use crate::render::{LEAVE_TOKEN_SLOT, PREFERENCES_TOKEN_SLOT};

use super::super::opened::Opened;
use super::super::{Context, Done, Failure, counted, email};

/// Print what a reader would get
///
/// Links in it are dead, and nothing is written.
#[derive(Debug, Args)]
pub(super) struct Preview {
    /// A path or a slug
    article: String,
    /// Which part of the mail
    #[arg(long, value_enum, default_value_t = Part::Text)]
    part: Part,
    /// As this reader would get it; else as anybody
    #[arg(long = "as", value_name = "ADDRESS")]
    reader: Option<String>,
    /// Which newsletter; else the first that carries the article
    #[arg(long)]
    newsletter: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The HTML part
    Html,
    /// The text part
    Text,
    /// The whole message
    Eml,
}

/// Send an article's mail to one address only, with dead links
#[derive(Debug, Args)]
pub(super) struct Test {
    /// A path or a slug
    article: String,
    /// Where to
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// Which newsletter; else the first that carries the article
    #[arg(long)]
    newsletter: Option<String>,
}

/// In place of a reader's token: as long, and good for nothing.
const DEAD_TOKEN: &str = "preview-preview-preview-preview-preview-pre";

#[derive(Debug, Serialize)]
struct PlanAnswer {
    plan: Option<String>,
    newsletter: String,
    issue: Option<String>,
    kind: &'static str,
    cadence: &'static str,
    articles: Vec<String>,
    #[serde(flatten)]
    prospect: Prospect,
}

/// How many would get it, who would not and why, and what holds it.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Prospect {
    pub recipients: i64,
    excluded: Vec<Excluded>,
    waits_for: Option<&'static str>,
    explanation: Option<String>,
}

#[derive(Debug, Serialize)]
struct Excluded {
    reason: &'static str,
    count: i64,
}

impl Prospect {
    pub fn of(plan: &Plan) -> Prospect {
        let excluded = plan.count.excluded.iter().map(|(reason, count)| Excluded { reason, count: *count });
        Prospect {
            recipients: plan.count.recipients,
            excluded: excluded.collect(),
            waits_for: plan.waits_for.as_ref().map(WaitsFor::as_str),
            explanation: plan.waits_for.as_ref().map(WaitsFor::explanation),
        }
    }

    /// Adds its lines to those of a plan for people.
    pub fn tell(&self, text: &mut String) {
        for Excluded { reason, count } in &self.excluded {
            text.push_str(&format!("\n  not to {count}: {reason}"));
        }
        text.push_str(&match &self.explanation {
            Some(explanation) => format!("\n  waits for {explanation}"),
            None => "\n  nothing holds it".to_owned(),
        });
    }
}

pub(super) async fn plan(opened: &Opened, context: &Context, article: Option<&str>) -> Done {
    let office = opened.office();
    let Office { edition, store, now } = office;
    let held = opened.held().await?;
    if held.is_none() {
        office.enter_what_is_due().await?;
    }
    let plans = match article {
        None => office.plans().await?,
        Some(name) => {
            let article = super::article(opened, name)?;
            let mut plans = Vec::new();
            for newsletter in super::newsletters(opened, article)? {
                let mut plan = office.plan_article(newsletter, article).await?;
                plan.waits_for = match article.date {
                    _ if edition.has_errors() => Some(WaitsFor::Errors),
                    _ if article.draft => Some(WaitsFor::Draft),
                    None => Some(WaitsFor::Draft),
                    Some(date) => (date > now).then_some(WaitsFor::Date(date)),
                };
                plans.push(plan);
            }
            plans
        }
    };
    for plan in &plans {
        if let Some(id) = &plan.id {
            store.show_plan(id, plan.count.recipients, now).await?;
        }
        context.answer(&answer(opened, plan), tell)?;
    }
    if let Some(reason) = held {
        context.say(&format!(
            "All sending is held: {reason}. `pressrun issue resume --all` shows what would go and lifts it."
        ));
    } else if plans.is_empty() {
        context.say("Nothing is planned.");
    }
    Ok(())
}

fn answer(opened: &Opened, plan: &Plan) -> PlanAnswer {
    PlanAnswer {
        plan: plan.id.clone(),
        newsletter: plan.newsletter.to_string(),
        issue: None,
        kind: if plan.cadence() == Cadence::Instant { IssueKind::Instant } else { IssueKind::Digest }.as_str(),
        cadence: plan.cadence().as_str(),
        articles: opened.paths(&plan.articles),
        prospect: Prospect::of(plan),
    }
}

/// A plan for people; of many articles only the first few are named.
fn tell(plan: &PlanAnswer) -> String {
    const NAMED: usize = 3;
    let mut text = match &plan.plan {
        Some(id) => {
            let readers = counted(plan.prospect.recipients, &format!("{} reader", plan.cadence));
            format!("plan {id}: {} to {readers} of {}", plan.kind, plan.newsletter)
        }
        None => format!("{} in {}: 0 mails", counted(plan.articles.len(), "article"), plan.newsletter),
    };
    for article in plan.articles.iter().take(NAMED) {
        text.push_str(&format!("\n  {article}"));
    }
    if plan.articles.len() > NAMED {
        text.push_str(&format!("\n  and {} more", plan.articles.len() - NAMED));
    }
    plan.prospect.tell(&mut text);
    text
}

pub(super) async fn approve(opened: &Opened, context: &Context, plan: &str) -> Done {
    if !opened.store.approve_plan(plan, clock::now()).await? {
        let help = "`pressrun issue plan` shows what waits, with the ids to approve";
        return Err(Failure::yours(format!("plan `{plan}` was never shown"), help));
    }
    context.say(&format!("Approved plan {plan}. It goes as long as content, templates and settings stay as they are."));
    Ok(())
}

/// One mail as a reader would get it, with dead links.
struct Sample {
    subject: String,
    html: String,
    text: String,
}

fn sample(opened: &Opened, article: &Article, newsletter: &Newsletter, viewer: Viewer) -> Done<Sample> {
    let purpose = Purpose { newsletter, cadence: Cadence::Instant, at: article.date.unwrap_or_default(), more: 0 };
    let issue = IssueId::new("preview");
    let composed = publishing::compose(&opened.edition, purpose, &[article], &issue).map_err(SendError::Compose)?;
    let body = composed.bodies.into_iter().rfind(|(known, _, _)| *known <= viewer);
    let (_, html, text) = body.unwrap_or((viewer, String::new(), String::new()));
    let kill = |text: String| {
        text.replace(LEAVE_TOKEN_SLOT, DEAD_TOKEN)
            .replace(PREFERENCES_TOKEN_SLOT, DEAD_TOKEN)
            .replace(FIRST_NAME_MARKS, "")
    };
    Ok(Sample { subject: composed.subject, html: kill(html), text: kill(text) })
}

fn chosen<'a>(opened: &'a Opened, article: &Article, id: Option<&str>) -> Done<&'a Newsletter> {
    let newsletters = super::newsletters(opened, article)?;
    let found = match id {
        Some(id) => newsletters.into_iter().find(|newsletter| newsletter.id.as_str() == id),
        None => newsletters.into_iter().next(),
    };
    found.ok_or_else(|| {
        let problem = format!("`{}` is not in that newsletter", article.path);
        Failure::yours(problem, "its front matter names its newsletters")
    })
}

fn message(opened: &Opened, newsletter: &Newsletter, sample: &Sample, to: EmailAddress) -> Done<Vec<u8>> {
    let (from, settings) = (&newsletter.from, &opened.edition.settings);
    let message_id = message_id(&DeliveryId::new(clock::new_id()), opened.keys.current(), from.address.domain());
    let list = ListHeaders::new(newsletter.id.as_str(), &newsletter.title, &opened.edition.base_url, DEAD_TOKEN, false);
    let headers = Headers {
        reply_to: newsletter.reply_to.clone().unwrap_or_else(|| from.address.clone()),
        list: Some(list),
        ..Headers::new(from.clone(), to, sample.subject.clone(), clock::now(), message_id)
    };
    let mut message = Compiled::new(&sample.html, &sample.text, &[]).message(&headers, &[], None);
    sign(&mut message, &settings.mail.dkim.signers(from.address.domain(), None), headers.date)
        .map_err(|_| Failure::ours("the mail cannot be signed", "look at `[[mail.dkim.keys]]`"))?;
    Ok(message)
}

pub(super) async fn preview(opened: &Opened, context: &Context, preview: &Preview) -> Done {
    let article = super::article(opened, &preview.article)?;
    let newsletter = chosen(opened, article, preview.newsletter.as_deref())?;
    let reader = preview.reader.as_deref().map(email).transpose()?;
    let viewer = match &reader {
        Some(email) => {
            let reading = opened.store.reading_at(email.key(), clock::now()).await?;
            reading.viewer_of(std::slice::from_ref(&newsletter.id))
        }
        None => Viewer::Anybody,
    };
    let sample = sample(opened, article, newsletter, viewer)?;
    match preview.part {
        Part::Html => context.print(&sample.html)?,
        Part::Text => context.print(&sample.text)?,
        Part::Eml => {
            let to = reader.unwrap_or_else(|| newsletter.from.address.clone());
            context.print(&String::from_utf8_lossy(&message(opened, newsletter, &sample, to)?))?;
        }
    }
    Ok(())
}

pub(super) async fn test(opened: &Opened, context: &Context, test: &Test) -> Done {
    let article = super::article(opened, &test.article)?;
    let newsletter = chosen(opened, article, test.newsletter.as_deref())?;
    let to = email(&test.to)?;
    let sample = sample(opened, article, newsletter, Viewer::Member)?;
    let bytes = message(opened, newsletter, &sample, to.clone())?;
    let envelope = Envelope { from: newsletter.from.address.clone(), to };
    let takes_issues = |relay: &&Arc<dyn Relay>| relay.carries() != Carries::Notices;
    let relay = opened.relays.iter().find(takes_issues).unwrap_or(&opened.relays[0]);
    let failed = |failure: crate::relay::Failure| {
        let problem = format!("the relay {} did not take the mail: {failure}", relay.name());
        Failure::ours(problem, "`pressrun doctor` checks the settings of the relay")
    };
    let mut session = relay.connect().await.map_err(failed)?;
    session.offer(&DeliveryId::new(clock::new_id()), &envelope, &bytes).await.map_err(failed)?;
    let reply = session.finish(None).await.map_err(failed)?;
    session.quit().await;
    context.say(&format!("The relay {} took it: {} {}", relay.name(), reply.code, reply.text));
    Ok(())
}

//! `doctor`: what would stop this publication from working or from being delivered.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::clock;
use crate::config::Relay;
use crate::diagnostic::Severity;
use crate::files;
use crate::zone;

use super::opened::{Opened, data, open};
use super::{Context, Done};

/// Look for what would stop this publication from working or from being delivered
///
/// Asks nobody outside of this machine.
#[derive(Debug, Args)]
pub struct Doctor {}

#[derive(Debug, Serialize)]
struct Finding {
    /// `ok`, `advice` or `problem`.
    verdict: &'static str,
    about: &'static str,
    finding: String,
}

/// Prints what it finds; exit status 1 when there is a problem.
pub async fn run(_: &Doctor, context: &Context) -> Done<ExitCode> {
    let opened = open(context, None).await?;
    let mut findings =
        vec![content(&opened), address(&opened), postal_address(&opened), relay(&opened), folder(context), zones()];
    findings.extend(billing(&opened));
    findings.extend(database(&opened).await?);
    for finding in &findings {
        context
            .answer(finding, |finding| format!("{:<8} {:<10} {}", finding.verdict, finding.about, finding.finding))?;
    }
    Ok(ExitCode::from(u8::from(findings.iter().any(|finding| finding.verdict == "problem"))))
}

fn ok(about: &'static str, finding: impl Into<String>) -> Finding {
    Finding { verdict: "ok", about, finding: finding.into() }
}

fn advice(about: &'static str, finding: impl Into<String>) -> Finding {
    Finding { verdict: "advice", about, finding: finding.into() }
}

fn problem(about: &'static str, finding: impl Into<String>) -> Finding {
    Finding { verdict: "problem", about, finding: finding.into() }
}

fn content(opened: &Opened) -> Finding {
    let errors = opened.edition.diagnostics.iter().filter(|one| one.severity() == Severity::Error).count();
    match errors {
        0 => ok("content", format!("{} articles, no errors", opened.edition.catalog.articles.len())),
        errors => {
            problem("content", format!("`pressrun check` reports {errors} errors; nothing is sent while they stand"))
        }
    }
}

fn address(opened: &Opened) -> Finding {
    match &opened.edition.settings.publication.url {
        Some(url) if url.scheme() == "https" => ok("url", url.to_string()),
        Some(url) => advice("url", format!("{url} is for trying out on this machine; readers need an https url")),
        None => advice("url", "`publication.url` is not set, so links lead to this machine only"),
    }
}

fn postal_address(opened: &Opened) -> Finding {
    match &opened.edition.settings.publication.address {
        Some(_) => ok("address", "mail footers carry a postal address"),
        None => advice(
            "address",
            "`publication.address` is not set; many countries ask for a postal address in newsletters",
        ),
    }
}

fn relay(opened: &Opened) -> Finding {
    match &opened.edition.settings.mail.relay {
        Relay::Outbox => advice("relay", "the outbox: mail is written to data/outbox/ and not sent"),
        Relay::Smtp(relay) => ok("relay", format!("{}:{}, {} connections", relay.host, relay.port, relay.connections)),
    }
}

fn folder(context: &Context) -> Finding {
    let probe = data(context.root()).join("doctor");
    let tried = files::write_atomically(&probe, &[0; 1 << 18]).and_then(|()| files::remove_if_there(&probe));
    match tried {
        Ok(()) => ok("data", "data/ can be written"),
        Err(error) => problem("data", error.to_string()),
    }
}

fn zones() -> Finding {
    ok("zones", format!("time zone rules {}", zone::RULES.unwrap_or("of unknown release")))
}

/// What stands between readers and paying, where something is to be sold.
fn billing(opened: &Opened) -> Option<Finding> {
    let billing = &opened.edition.settings.billing;
    match (&billing.key, billing.plans.len()) {
        (None, 0) => None,
        (None, _) => Some(problem("billing", "there are plans, but no key: set `PRESSRUN_BILLING__KEY`")),
        (Some(_), 0) => Some(advice("billing", "there is a key, but no plan to buy")),
        (Some(_), _) if billing.webhook_secrets.is_empty() => {
            Some(advice("billing", "no webhook secret: the payment provider is asked for news every five minutes"))
        }
        (Some(_), plans) => Some(ok("billing", format!("{plans} plans, sold through {}", billing.url))),
    }
}

async fn database(opened: &Opened) -> Done<Vec<Finding>> {
    let mut findings: Vec<Finding> =
        opened.store.problems().await?.into_iter().map(|said| problem("database", said)).collect();
    if findings.is_empty() {
        findings.push(ok("database", format!("sound, schema version {}", opened.store.version().await?)));
    }
    if let Some(reason) = opened.held().await? {
        findings.push(problem("sending", format!("held: {reason}; `pressrun issue resume --all` lifts it")));
    }
    let now = clock::now();
    if let Some(due_at) = opened.store.next_due(None).await?
        && now - due_at > chrono::TimeDelta::minutes(5)
    {
        let finding =
            format!("mail has been due since {}; is a `pressrun serve` running?", due_at.format("%Y-%m-%d %H:%M UTC"));
        findings.push(advice("sending", finding));
    }
    Ok(findings)
}

//! `doctor`: what would stop this publication from working or from being delivered.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use clap::Args;

use crate::clock;
use crate::config::{Relay, is_loopback};
use crate::diagnostic::Severity;
use crate::files;
use crate::lookup::{self, Finding, Subject, Verdict};
use crate::mail;
use crate::model::EmailAddress;
use crate::zone;

use super::dkim::published;
use super::opened::{Opened, data, open};
use super::{Context, Done, Failure};

/// Look for what would stop this publication from working or from being delivered
///
/// Without `--dns`, nobody outside of this machine is asked.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Ask DNS what receivers ask it about our mail (SPF, DKIM, DMARC, MX, PTR), and print the records to publish
    #[arg(long)]
    dns: bool,
    /// An address that mail leaves from, where it is not the relay's
    #[arg(long, value_name = "ADDRESS", requires = "dns")]
    leaves_from: Vec<IpAddr>,
    /// Ask this DNS server, such as `192.0.2.53:53`, and not those of this machine
    #[arg(long, value_name = "ADDR", requires = "dns")]
    dns_server: Option<SocketAddr>,
}

/// Prints what it finds; exit status 1 when there is a problem.
pub async fn run(doctor: &Doctor, context: &Context) -> Done<ExitCode> {
    let opened = open(context, None).await?;
    let mut findings = vec![content(&opened), address(&opened), postal_address(&opened), folder(context), zones()];
    findings.extend(opened.edition.settings.mail.relays.iter().map(relay));
    findings.extend(billing(&opened));
    findings.extend(database(&opened).await?);
    let stopped = opened.store.stopped_newsletters().await?.into_iter();
    findings.extend(stopped.map(|(newsletter, why)| {
        Finding::problem("sending", format!("{newsletter} has stopped: {why}; `pressrun issue resume` lets it go on"))
    }));
    if doctor.dns {
        let found = lookup::look_over(&subject(&opened, &doctor.leaves_from), doctor.dns_server).await;
        findings.extend(found.map_err(|error| {
            Failure::ours(format!("DNS cannot be asked: {error}"), "name a server with `--dns-server`")
        })?);
    }
    for finding in &findings {
        context.answer(finding, tell)?;
    }
    Ok(ExitCode::from(u8::from(findings.iter().any(|finding| finding.verdict == Verdict::Problem))))
}

fn tell(finding: &Finding) -> String {
    let record = finding.record.as_ref().map_or_else(String::new, |record| format!("\n{:<20}{}", "", record.line()));
    format!("{:<8} {:<10} {}{record}", finding.verdict.as_str(), finding.about, finding.finding)
}

/// What is asked of DNS.
fn subject(opened: &Opened, leaves_from: &[IpAddr]) -> Subject {
    let settings = &opened.edition.settings;
    let senders = settings.newsletters.iter().map(|newsletter| {
        let from = newsletter.from.address.domain();
        let bounces = settings.mail.bounces_to.as_ref().map_or(from, EmailAddress::domain);
        (from.to_owned(), bounces.to_owned())
    });
    let relay = settings.mail.relays.iter().find_map(|relay| match relay {
        Relay::Smtp(relay) if !is_loopback(&relay.host) => Some(relay.host.clone()),
        Relay::Smtp(_) | Relay::Outbox => None,
    });
    let senders: BTreeSet<(String, String)> = senders.collect();
    let host = Some(mail::host(&opened.edition.base_url)).filter(|host| !is_loopback(host));
    let host = host.unwrap_or_else(|| format!("mail.{}", senders.first().map_or("example.com", |(from, _)| from)));
    let keys = published(settings, &settings.mail.dkim.keys);
    Subject { senders, keys, relay, leaves_from: leaves_from.to_vec(), host }
}

fn content(opened: &Opened) -> Finding {
    let errors = opened.edition.diagnostics.iter().filter(|one| one.severity() == Severity::Error).count();
    match errors {
        0 => Finding::ok("content", format!("{} articles, no errors", opened.edition.catalog.articles.len())),
        errors => Finding::problem(
            "content",
            format!("`pressrun check` reports {errors} errors; nothing is sent while they stand"),
        ),
    }
}

fn address(opened: &Opened) -> Finding {
    match &opened.edition.settings.publication.url {
        Some(url) if url.scheme() == "https" => Finding::ok("url", url.to_string()),
        Some(url) => {
            Finding::advice("url", format!("{url} is for trying out on this machine; readers need an https url"))
        }
        None => Finding::advice("url", "`publication.url` is not set, so links lead to this machine only"),
    }
}

fn postal_address(opened: &Opened) -> Finding {
    match &opened.edition.settings.publication.address {
        Some(_) => Finding::ok("address", "mail footers carry a postal address"),
        None => Finding::advice(
            "address",
            "`publication.address` is not set; many countries ask for a postal address in newsletters",
        ),
    }
}

fn relay(relay: &Relay) -> Finding {
    match relay {
        Relay::Outbox => Finding::advice("relay", "the outbox: mail is written to data/outbox/ and not sent"),
        Relay::Smtp(relay) => {
            Finding::ok("relay", format!("{}:{}, {} connections", relay.host, relay.port, relay.connections))
        }
    }
}

fn folder(context: &Context) -> Finding {
    let probe = data(context.root()).join("doctor");
    let tried = files::write_atomically(&probe, &[0; 1 << 18]).and_then(|()| files::remove_if_there(&probe));
    match tried {
        Ok(()) => Finding::ok("data", "data/ can be written"),
        Err(error) => Finding::problem("data", error.to_string()),
    }
}

fn zones() -> Finding {
    Finding::ok("zones", format!("time zone rules {}", zone::RULES.unwrap_or("of unknown release")))
}

/// What stands between readers and paying, where something is to be sold.
fn billing(opened: &Opened) -> Option<Finding> {
    let billing = &opened.edition.settings.billing;
    match (&billing.key, billing.plans.len()) {
        (None, 0) => None,
        (None, _) => Some(Finding::problem("billing", "there are plans, but no key: set `PRESSRUN_BILLING__KEY`")),
        (Some(_), 0) => Some(Finding::advice("billing", "there is a key, but no plan to buy")),
        (Some(_), _) if billing.webhook_secrets.is_empty() => Some(Finding::advice(
            "billing",
            "no webhook secret: the payment provider is asked for news every five minutes",
        )),
        (Some(_), plans) => Some(Finding::ok("billing", format!("{plans} plans, sold through {}", billing.url))),
    }
}

async fn database(opened: &Opened) -> Done<Vec<Finding>> {
    let mut findings: Vec<Finding> =
        opened.store.problems().await?.into_iter().map(|said| Finding::problem("database", said)).collect();
    if findings.is_empty() {
        findings.push(Finding::ok("database", format!("sound, schema version {}", opened.store.version().await?)));
    }
    if let Some(reason) = opened.held().await? {
        findings.push(Finding::problem("sending", format!("held: {reason}; `pressrun issue resume --all` lifts it")));
    }
    let now = clock::now();
    if let Some(due_at) = opened.store.next_due(None).await?
        && now - due_at > chrono::TimeDelta::minutes(5)
        && !opened.store.is_sending(now).await?
    {
        let finding =
            format!("mail has been due since {}; is a `pressrun serve` running?", due_at.format("%Y-%m-%d %H:%M UTC"));
        findings.push(Finding::advice("sending", finding));
    }
    Ok(findings)
}

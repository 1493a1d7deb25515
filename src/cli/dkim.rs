//! `dkim new`: keys to sign mail with, and what to do with them.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::clock;
use crate::config::{DkimKey, Settings};
use crate::files;
use crate::lookup::{PublishedKey, Record};
use crate::press;

use super::{Context, Done, Failure, opened};

/// Make keys that mail is signed with
#[derive(Debug, Args)]
pub struct Dkim {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(New),
}

/// Make an RSA and an Ed25519 key, and print the records for DNS and the lines for publish.toml
///
/// Example: pressrun dkim new --selector 2026-11
#[derive(Debug, Args)]
struct New {
    /// What the keys are called, with `-rsa` and `-ed25519` after it [default: this month, such as 2026-11]
    #[arg(long, value_name = "NAME")]
    selector: Option<String>,
}

#[derive(Debug, Serialize)]
struct Answer {
    files: [String; 2],
    records: Vec<Record>,
    settings: String,
}

/// Writes the keys, none over another.
pub fn run(dkim: &Dkim, context: &Context) -> Done {
    let Command::New(new) = &dkim.command;
    let name = new.selector.clone().unwrap_or_else(|| clock::now().format("%Y-%m").to_string());
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        let help = "use small letters, digits and dashes, such as `2026-11`";
        return Err(Failure::yours(format!("`{name}` is no selector"), help));
    }
    let selectors = ["rsa", "ed25519"].map(|kind| format!("{name}-{kind}"));
    let files = selectors.each_ref().map(|selector| format!("data/dkim/{selector}.pem"));
    if let Some(file) = files.iter().find(|file| context.root().join(file).exists()) {
        let help = "give the new keys another name with `--selector`";
        return Err(Failure::yours(format!("`{file}` exists already; nothing was written"), help));
    }
    let (settings, ..) = press::read_settings(context.root(), &context.environment)?;
    let no_key = || Failure::ours("no key can be made", "the machine gives no random numbers");
    let pems = clock::new_signing_keys().map_err(|_| no_key())?;
    files::create_private_folder(&opened::data(context.root()).join("dkim"))?;
    let mut keys = Vec::new();
    for ((selector, file), pem) in selectors.into_iter().zip(&files).zip(&pems) {
        files::secret_or_new(&context.root().join(file), pem.as_bytes())?;
        keys.push(DkimKey::read(selector, file.clone(), pem).ok_or_else(no_key)?);
    }
    let lines =
        |key: &DkimKey| format!("[[mail.dkim.keys]]\nselector = \"{}\"\nkey-file = \"{}\"\n", key.selector, key.file);
    let answer = Answer {
        settings: keys.iter().map(lines).collect::<Vec<_>>().join("\n"),
        records: published(&settings, &keys)
            .into_iter()
            .map(|key| Record { name: key.name, kind: "TXT", value: key.value })
            .collect(),
        files,
    };
    context.answer(&answer, tell)
}

/// What has to be in DNS so that these keys count, for each domain that newsletters are from.
pub(super) fn published(settings: &Settings, keys: &[DkimKey]) -> Vec<PublishedKey> {
    let from = settings.newsletters.iter().map(|newsletter| newsletter.from.address.domain());
    let domains: BTreeSet<&str> = settings.mail.dkim.domain.as_deref().map_or(from.collect(), |domain| [domain].into());
    let published = |(domain, key): (&str, &DkimKey)| PublishedKey {
        name: format!("{}._domainkey.{domain}", key.selector),
        value: key.record(),
        domain: domain.to_owned(),
    };
    domains.into_iter().flat_map(|domain| keys.iter().map(move |key| (domain, key))).map(published).collect()
}

fn tell(answer: &Answer) -> String {
    let records: String = answer.records.iter().map(|record| record.line() + "\n\n").collect();
    format!(
        "The keys are in {}.\n\n1. Put into DNS:\n\n{records}2. When `pressrun doctor --dns` sees them there, add to \
         publish.toml, above keys that stand there already:\n\n{}",
        answer.files.join(" and "),
        answer.settings.trim_end()
    )
}

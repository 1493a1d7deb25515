//! Reads `publish.toml` and the variables over it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Weekday;
use url::Url;

use crate::diagnostic::{Diagnostic, Wrong, codes};
use crate::model::{
    Access, Cadence, Carries, DigestTime, Durability, EmailAddress, Newsletter, NewsletterId, OnUnknown, SendPolicy,
    Sender,
};
use crate::zone::Zone;

use super::billing::billing;
use super::dkim::dkim;
use super::report::Report;
use super::section::Section;
use super::tree::{self, Misfit, Place, Table, Value};
use super::values::{WEEKDAYS, word};
use super::{
    Auth, Author, Link, Mail, Publication, Relay, Secret, Sending, Settings, Site, SmtpRelay, Store, Web, is_loopback,
    shape, values,
};

/// What settings are made from, already read.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The text of publish.toml.
    pub text: String,
    /// The environment's `PRESSRUN_…` variables.
    pub environment: Vec<(String, String)>,
    /// Texts of the files that `secret-file` and `password-file` name, by that name.
    pub secret_files: BTreeMap<String, String>,
}

/// The files, relative to the publication's folder, that must be read into [`Source::secret_files`] before [`read`].
pub fn secret_files_named(source: &Source) -> Vec<String> {
    let unheard = Report::new(source);
    let table = table(&unheard);
    let root = Section::root(&table, &unheard);
    let mail = root.section("mail");
    let passwords = mail.sections("relays").into_iter().filter_map(|relay| relay.text("password-file"));
    let signing = mail.section("dkim").sections("keys").into_iter().filter_map(|key| key.text("key-file"));
    let billing = root.section("billing");
    let keys = ["key-file", "webhook-secret-file"].map(|key| billing.text(key)).into_iter();
    let others = [root.section("auth").text("secret-file"), mail.text("postmark-password-file")];
    keys.chain(others).flatten().chain(passwords).chain(signing).collect()
}

/// Reads settings; whatever is wrong is collected, and the default stands in its place.
pub fn read(source: &Source) -> (Settings, Vec<Diagnostic>) {
    let report = Report::new(source);
    let settings = settings(Section::root(&table(&report), &report));
    let mut diagnostics = report.into_diagnostics();
    // What is missing may stand in the line that could not be read.
    if diagnostics.iter().any(|diagnostic| *diagnostic.code == codes::SETTINGS_SYNTAX) {
        diagnostics.retain(|diagnostic| *diagnostic.code != codes::SETTINGS_MISSING);
    }
    (settings, diagnostics)
}

/// The tree of file and variables, in which only known keys of the right kind are left.
///
/// Where a line cannot be read, it is the only one that is complained about here: what was guessed of it may have put
/// its neighbours into the wrong place.
fn table(report: &Report<'_>) -> Table {
    let (mut tree, mut errors) = tree::parse(&report.source.text);
    errors.dedup_by_key(|error| error.span());
    for error in &errors {
        let message = error.message().lines().next().unwrap_or("this is not TOML");
        let help = "text stands in quotes, a list in `[…]`, and each key once: see https://toml.io";
        let place = Place::File(error.span().unwrap_or_default());
        report.add(&place, Wrong::new(&codes::SETTINGS_SYNTAX, message, help));
    }
    lay_variables_over(&mut tree, report);
    let Value::Table(mut table) = tree else { return Table::new() };
    let unheard = Report::new(report.source);
    shape::check(&mut table, "", if errors.is_empty() { report } else { &unheard });
    table
}

fn lay_variables_over(tree: &mut Value, report: &Report<'_>) {
    let variables = report.source.environment.iter();
    let mut variables: Vec<_> = variables.filter(|(name, text)| is_setting(name, report) && !text.is_empty()).collect();
    variables.sort_by_key(|(name, _)| natural(name));
    for (name, text) in variables {
        let Err(misfit) = tree::overlay(tree, name, text) else { continue };
        let message = match misfit {
            Misfit::Gap(0) => "the list is empty, and its parts count from 0".to_owned(),
            Misfit::Gap(next) => format!("the list has {next} parts, so that the next is number {next}"),
            Misfit::Blocked => "this leads to no setting".to_owned(),
        };
        let help =
            "the name is `PRESSRUN_`, the path with `__` between levels, and numbers from 0 for the parts of a list";
        report.add(&Place::Variable(name.clone()), Wrong::new(&codes::SETTINGS_UNKNOWN_KEY, message, help));
    }
}

/// Settings have at least two levels; a variable with one is the program's, unless it looks like a slip.
fn is_setting(name: &str, report: &Report<'_>) -> bool {
    let Some(path) = name.strip_prefix("PRESSRUN_") else { return false };
    if path.contains("__") {
        return true;
    }
    let slip = super::settings::keys("").find_map(|section| {
        let section = section.to_uppercase();
        let key = path.strip_prefix(&section)?.strip_prefix('_')?;
        Some(format!("did you mean `PRESSRUN_{section}__{key}`?"))
    });
    if let Some(help) = slip {
        let message = "this variable has no effect: between levels stand two underscores";
        report.add(&Place::Variable(name.to_owned()), Wrong::new(&codes::SETTINGS_UNKNOWN_KEY, message, help));
    }
    false
}

/// Sorts `…__9` before `…__10`, so that lists grow one by one.
fn natural(name: &str) -> Vec<(Option<usize>, &str)> {
    name.split("__").map(|part| (part.parse().ok(), part)).collect()
}

fn settings(root: Section<'_>) -> Settings {
    let publication = publication(root.section("publication"));
    let newsletters = newsletters(root, &publication);
    let auth = auth(root.section("auth"));
    let mut taken = BTreeSet::new();
    Settings {
        authors: root.sections("authors").into_iter().filter_map(|section| author(section, &mut taken)).collect(),
        site: Site { links: root.section("site").sections("links").into_iter().filter_map(link).collect() },
        mail: mail(root.section("mail"), &publication, &newsletters),
        sending: sending(root.section("sending")),
        store: store(root.section("store"), &auth),
        web: Web { trusted_proxies: root.section("web").list("trusted-proxies", values::network).unwrap_or_default() },
        billing: billing(root.section("billing"), &newsletters),
        newsletters,
        publication,
        auth,
    }
}

fn publication(section: Section<'_>) -> Publication {
    let trimmed = |text: &str| text.trim().lines().map(str::trim).collect::<Vec<_>>().join("\n");
    Publication {
        title: section.text("title").unwrap_or_else(|| "My publication".to_owned()),
        url: section.value("url", values::publication_url),
        description: section.text("description").unwrap_or_default(),
        language: section.value("language", values::language).unwrap_or_else(|| "en".to_owned()),
        zone: section.value("time-zone", values::zone).unwrap_or_else(Zone::utc),
        address: section.placed("address").map(|(address, _)| trimmed(address)),
    }
}

fn author(section: Section<'_>, taken: &mut BTreeSet<String>) -> Option<Author> {
    let id = section.own_id(taken);
    let name = section.needed("name", |name| Ok(name.to_owned()));
    let url = section.value("url", values::web_url);
    Some(Author { id: id?, name: name?, bio: section.text("bio"), image: section.text("image"), url })
}

fn link(section: Section<'_>) -> Option<Link> {
    let title = section.needed("title", |title| Ok(title.to_owned()));
    let url = section.needed("url", values::web_url);
    Some(Link { title: title?, url: url? })
}

fn newsletters(root: Section<'_>, publication: &Publication) -> Vec<Newsletter> {
    let sections = root.sections("newsletters");
    let (mut taken, is_only) = (BTreeSet::new(), sections.len() == 1);
    let mut newsletters = Vec::new();
    for section in sections {
        let id = section.own_id(&mut taken);
        let newsletter = newsletter(section, id.as_deref().unwrap_or("main"), is_only, publication);
        if id.is_some() {
            ask_for_from(section, publication);
            newsletters.push(newsletter);
        }
    }
    if newsletters.is_empty() {
        newsletters.push(newsletter(root.empty(), "main", true, publication));
    }
    newsletters
}

/// Reads one newsletter; `is_only` where it can go by the publication's title.
fn newsletter(section: Section<'_>, id: &str, is_only: bool, publication: &Publication) -> Newsletter {
    let title = if is_only { &publication.title } else { id };
    let sender = |(name, address): (Option<String>, _)| Sender {
        name: name.unwrap_or_else(|| publication.title.clone()),
        address,
    };
    let cadences = cadences(section);
    Newsletter {
        id: NewsletterId::new(id),
        title: section.text("title").unwrap_or_else(|| title.to_owned()),
        description: section.text("description").unwrap_or_default(),
        from: section.value("from", values::sender).map_or_else(|| default_sender(publication), sender),
        reply_to: section.value("reply-to", values::address),
        default_cadence: default_cadence(section, &cadences),
        cadences,
        digest_time: DigestTime {
            hour: section
                .number("digest-hour", 0.0..=23.0, "write a number from 0 to 23")
                .map_or(7, |hour| hour as u32),
            weekday: section.value("digest-weekday", |text| word(text, &WEEKDAYS)).unwrap_or(Weekday::Mon),
            zone: publication.zone.clone(),
        },
        topics: topics(section),
        access: section.value("access", |text| word(text, &Access::WORDS)).unwrap_or_default(),
        send: section.value("send", |text| word(text, &SendPolicy::WORDS)).unwrap_or_default(),
    }
}

fn cadence(text: &str) -> Result<Cadence, Wrong> {
    word(text, &Cadence::WORDS)
}

fn cadences(section: Section<'_>) -> Vec<Cadence> {
    let mut cadences = section.some("cadences", cadence).unwrap_or_else(|| Cadence::ALL.to_vec());
    cadences.sort_unstable();
    cadences.dedup();
    cadences
}

fn topics(section: Section<'_>) -> Vec<String> {
    let topic = |text: &str| match text.trim() {
        "" => Err(Wrong::new(&codes::SETTINGS_VALUE, "a topic is empty", "write a tag of your articles")),
        topic if topic.contains(values::is_unfit) || topic.contains([';', ',']) => {
            let help = "write a tag of your articles, without commas and semicolons";
            Err(Wrong::new(&codes::SETTINGS_VALUE, "a topic holds a character that it cannot", help))
        }
        topic => Ok(topic.to_owned()),
    };
    let mut taken = BTreeSet::new();
    let mut topics = section.list("topics", topic).unwrap_or_default();
    topics.retain(|topic| taken.insert(topic.clone()));
    topics
}

fn default_cadence(section: Section<'_>, cadences: &[Cadence]) -> Cadence {
    let offered = |text: &str| {
        let cadence = cadence(text)?;
        if cadences.contains(&cadence) {
            return Ok(cadence);
        }
        let words: Vec<&str> = cadences.iter().map(|cadence| cadence.as_str()).collect();
        let message = format!("`{text}` is not among this newsletter's `cadences`");
        let help = format!("these are offered: `{}`; write one of them, or add it to `cadences`", words.join("`, `"));
        Err(Wrong::new(&codes::SETTINGS_VALUE, message, help))
    };
    let first = cadences.first().copied().unwrap_or(Cadence::Instant);
    section.value("default-cadence", offered).unwrap_or(first)
}

/// Once readers are on the web, the address that was made up from its host should be one that exists.
fn ask_for_from(section: Section<'_>, publication: &Publication) {
    let is_real = publication.url.as_ref().and_then(Url::host_str).is_some_and(|host| !is_loopback(host));
    if section.placed("from").is_none() && is_real {
        let Sender { name, address } = default_sender(publication);
        let message = format!("`from` is missing, so that mails say that they are from `{address}`");
        let help = format!("add `from = \"{name} <…>\"` with an address that you own and read");
        section.note("from", Wrong::new(&codes::SETTINGS_FROM, message, help));
    }
}

fn mail(section: Section<'_>, publication: &Publication, newsletters: &[Newsletter]) -> Mail {
    let sections = section.sections("relays");
    let mut relays: Vec<Relay> = sections.iter().filter_map(|section| relay(*section, publication)).collect();
    let wrong = |key, message: &str, help| {
        if let Some(first) = sections.first() {
            first.note(key, Wrong::new(&codes::SETTINGS_RELAY, message, help));
        }
    };
    if relays.len() > 1 && relays.contains(&Relay::Outbox) {
        let message = "the outbox sends nothing on, so that it cannot stand beside other relays";
        wrong("url", message, "take one of them out");
        relays.retain(|relay| *relay != Relay::Outbox);
    }
    for (other, mail) in [(Carries::Issues, "notices"), (Carries::Notices, "issues")] {
        if !relays.is_empty() && relays.iter().all(|relay| relay.carries() == other) {
            wrong("for", &format!("there is no relay for {mail}"), "leave `for` out, or add a relay for the rest");
        }
    }
    if relays.is_empty() {
        relays.push(Relay::Outbox);
    }
    let mail = Mail {
        relays,
        bounces_to: section.value("bounces-to", values::bounces_to),
        dkim: dkim(section.section("dkim"), newsletters),
        lmtp: section.value("lmtp", values::loopback),
        postmark_password: section.secret("postmark-password", "postmark-password-file").map(|(secret, _)| secret),
        ses_topic: section.value("ses-topic", values::topic),
    };
    if mail.lmtp.is_some() && section.placed("bounces-to").is_none() {
        let message = "mail is taken here for the mailbox of bounces, and there is none";
        section.note("lmtp", Wrong::new(&codes::SETTINGS_MISSING, message, "add a line `bounces-to = \"…\"`"));
    }
    mail
}

fn relay(section: Section<'_>, publication: &Publication) -> Option<Relay> {
    let login = login(section);
    let number = |key, usual: usize, most: f64| {
        let number = section.number(key, 1.0..=most, &format!("write a number from 1 to {most}"));
        number.map_or(usual, |number| number as usize)
    };
    let (connections, messages) = (number("connections", 4, 100.0), number("messages", 100, 1_000_000.0));
    let rate = section.value("rate", values::rate);
    let carries = section.value("for", |text| word(text, &Carries::WORDS)).unwrap_or_default();
    let Some((host, port, encryption)) = section.needed("url", values::relay)? else {
        return Some(Relay::Outbox);
    };
    let is_https = publication.url.as_ref().is_some_and(|url| url.scheme() == "https");
    if !is_https && !is_loopback(&host) {
        let message = "mail to the world would hold links that lead to this machine only";
        let help = "set `publication.url` to your https address, or use `outbox` or a relay on this machine";
        section.note("url", Wrong::new(&codes::SETTINGS_RELAY, message, help));
        return None;
    }
    Some(Relay::Smtp(SmtpRelay { host, port, encryption, login, connections, messages, rate, carries }))
}

fn login(section: Section<'_>) -> Option<(String, Secret)> {
    let (key, message, help) = match (section.text("user"), section.secret("password", "password-file")) {
        (Some(user), Some((password, _))) => return Some((user, password)),
        (Some(_), None) if section.placed("password-file").is_none() => (
            "user",
            "the password for this name is missing",
            "set the variable `PRESSRUN_MAIL__RELAYS__0__PASSWORD`, or name a file with `password-file`",
        ),
        (None, Some((_, key))) => {
            (key, "there is a password here, but no name to log in with", "add a line `user = \"…\"`")
        }
        _ => return None,
    };
    section.note(key, Wrong::new(&codes::SETTINGS_MISSING, message, help));
    None
}

fn sending(section: Section<'_>) -> Sending {
    let defaults = Sending::default();
    let share = "write a share from 0 to 1: `0.01` is one in a hundred";
    Sending {
        on_unknown: section.value("on-unknown", |text| word(text, &OnUnknown::WORDS)).unwrap_or(defaults.on_unknown),
        durability: section.value("durability", |text| word(text, &Durability::WORDS)).unwrap_or(defaults.durability),
        undo: section.value("undo", values::duration).unwrap_or(defaults.undo),
        max_lateness: section.value("max-lateness", values::some_time).unwrap_or(defaults.max_lateness),
        plan_drift: section.number("plan-drift", 0.0..=1.0, share).unwrap_or(defaults.plan_drift),
        retry_waits: section.some("retry-waits", values::some_time).unwrap_or(defaults.retry_waits),
        give_up_after: section.value("give-up-after", values::some_time),
    }
}

fn store(section: Section<'_>, auth: &Auth) -> Store {
    let Some((text, place)) = section.placed("url") else { return Store::default() };
    if matches!(place, Place::File(_)) && values::holds_password(text) {
        let message = "this address holds a password, and this file is kept in git";
        let help = "take the password out, and set the variable `PRESSRUN_STORE__URL` to the whole address";
        section.note("url", Wrong::new(&codes::SETTINGS_SECRET, message, help));
        return Store::default();
    }
    let store = section.value("url", values::store_address).unwrap_or_default();
    if matches!(store, Store::Postgres(_)) && auth.secret.is_none() {
        let message = "with PostgreSQL, all machines need the same server key";
        let help = "set the variable `PRESSRUN_AUTH__SECRET`, or name a file with `secret-file` in `[auth]`";
        section.note("url", Wrong::new(&codes::SETTINGS_MISSING, message, help));
    }
    store
}

fn auth(section: Section<'_>) -> Auth {
    let secret = section.secret("secret", "secret-file");
    if let Some((secret, key)) = &secret
        && secret.reveal().chars().count() < 32
    {
        let message = "the server key is shorter than 32 characters";
        section.note(key, Wrong::new(&codes::SETTINGS_VALUE, message, "make one with `openssl rand -hex 32`"));
    }
    Auth {
        secret: secret.map(|(secret, _)| secret),
        old_secrets: section.list("old-secrets", |text| Ok(Secret::new(text))).unwrap_or_default(),
    }
}

/// `newsletter@` and the publication's host, or a domain that belongs to nobody (RFC 6761, 6.5) where it has none.
#[expect(clippy::expect_used, reason = "the text is written out here")]
fn default_sender(publication: &Publication) -> Sender {
    let host = publication.url.as_ref().and_then(Url::host_str).unwrap_or_default();
    let nobody = "newsletter@publication.example";
    let address = EmailAddress::parse(&format!("newsletter@{host}")).or_else(|_| EmailAddress::parse(nobody));
    Sender { name: publication.title.clone(), address: address.expect("a plain address can be read") }
}

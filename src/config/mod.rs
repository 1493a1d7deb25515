//! `publish.toml`: settings, their defaults, and what is wrong with them.
//!
//! Pure: the text of the file, the `PRESSRUN_…` variables and the secrets' files come in already read. Whatever is
//! wrong is collected; settings with all defaults come out even then, so that the rest can still be checked.

mod billing;
mod dkim;
mod read;
mod report;
mod section;
mod settings;
mod shape;
mod show;
mod tree;
mod values;

pub use dkim::{Dkim, DkimKey, Pair, Signers};
pub use read::{Source, read, secret_files_named};
pub use show::show;
pub use values::{LONGEST_MAILBOX, is_language_tag, is_unfit, network, store_address};

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use chrono::Duration;
use ipnet::IpNet;
use url::Url;

use crate::model::{Carries, Durability, EmailAddress, Newsletter, NewsletterId, OnUnknown, Plan, PlanId, Rate};
use crate::zone::Zone;

/// Everything publish.toml and the environment say, with defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Who publishes.
    pub publication: Publication,
    /// Who writes.
    pub authors: Vec<Author>,
    /// What readers can choose; never empty.
    pub newsletters: Vec<Newsletter>,
    /// What every page shows.
    pub site: Site,
    /// Where mail is handed over.
    pub mail: Mail,
    /// How it is sent.
    pub sending: Sending,
    /// Where the database is.
    pub store: Store,
    /// Who may speak for a client.
    pub web: Web,
    /// Keys.
    pub auth: Auth,
    /// What can be bought, and through whom.
    pub billing: Billing,
}

/// `[publication]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    /// Its name.
    pub title: String,
    /// Where readers find it, scheme and host alone; none: wherever `serve` listens.
    pub url: Option<Url>,
    /// One sentence.
    pub description: String,
    /// BCP 47, such as `en`.
    pub language: String,
    /// The zone of dates without one and of digest hours.
    pub zone: Zone,
    /// The postal address in mail footers.
    pub address: Option<String>,
}

/// One of `[[authors]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Short name in front matter and addresses.
    pub id: String,
    /// The byline.
    pub name: String,
    /// A sentence or two about them.
    pub bio: Option<String>,
    /// A picture, relative to `content/`.
    pub image: Option<String>,
    /// Their own page.
    pub url: Option<Url>,
}

/// `[site]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Site {
    /// The publication's accounts elsewhere, in page and mail footers.
    pub links: Vec<Link>,
}

/// A named address elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What is shown.
    pub title: String,
    /// Where it leads.
    pub url: Url,
}

/// `[mail]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    /// The relays that take our mail, the first first; never empty. The outbox stands alone.
    pub relays: Vec<Relay>,
    /// The mailbox that reads bounces; none: whoever a mail is from hears of them.
    pub bounces_to: Option<EmailAddress>,
    /// What it is signed with.
    pub dkim: Dkim,
    /// Where the mail server beside us brings what comes for it, by LMTP.
    pub lmtp: Option<SocketAddr>,
    /// What Postmark proves itself with.
    pub postmark_password: Option<Secret>,
    /// Where SES tells of bounces and complaints.
    pub ses_topic: Option<Topic>,
}

/// A topic of Amazon's SNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name in the world, `arn:aws:sns:REGION:ACCOUNT:NAME`.
    pub arn: String,
    /// The host that speaks for it.
    pub host: String,
}

impl Topic {
    /// `address`, if it is at the host that speaks for the topic, encrypted, and nothing else.
    pub fn address(&self, address: &str) -> Option<Url> {
        let address = Url::parse(address).ok()?;
        let is_plain = address.username().is_empty() && address.password().is_none() && address.port().is_none();
        let is_theirs = address.scheme() == "https" && address.host_str() == Some(&*self.host) && is_plain;
        is_theirs.then_some(address)
    }
}

/// One of `[[mail.relays]]`.
#[derive(Debug, Clone, PartialEq)]
pub enum Relay {
    /// `url = "outbox"`: a folder of .eml files.
    Outbox,
    /// `url = "smtp://host:port"` or `"smtps://host:port"`.
    Smtp(SmtpRelay),
}

/// An SMTP server that takes our mail.
#[derive(Debug, Clone, PartialEq)]
pub struct SmtpRelay {
    /// Host name or address.
    pub host: String,
    /// Port: 587 for smtp, 465 for smtps, unless the url says another.
    pub port: u16,
    /// How the line is encrypted.
    pub encryption: Encryption,
    /// Name and password, if it asks for them.
    pub login: Option<(String, Secret)>,
    /// Connections open at once.
    pub connections: usize,
    /// How many messages go over one of them.
    pub messages: usize,
    /// How much it is given at most; none: as much as it takes.
    pub rate: Option<Rate>,
    /// Which mail goes through it.
    pub carries: Carries,
}

impl Relay {
    /// Which mail goes through it.
    pub fn carries(&self) -> Carries {
        match self {
            Relay::Outbox => Carries::All,
            Relay::Smtp(relay) => relay.carries,
        }
    }
}

/// How a line to a relay is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all: relays on this machine only.
    None,
    /// STARTTLS, required (RFC 3207).
    StartTls,
    /// From the first byte (RFC 8314, 3.3).
    Tls,
}

/// `[sending]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sending {
    /// What to do with a mail whose final dot may have arrived.
    pub on_unknown: OnUnknown,
    /// What a note and a result outlive.
    pub durability: Durability,
    /// How long an automatic issue is held, so that an editor can take it back.
    pub undo: Duration,
    /// After how long an article that was not seen in time waits for an editor.
    pub max_lateness: Duration,
    /// How far recipients may grow between plan and send, as a share of the plan's; at least 10 always may.
    pub plan_drift: f64,
    /// Waits before the second, third … try.
    pub retry_waits: Vec<Duration>,
    /// When to give an instant issue's mail up; none: 24 hours, 48 for digests.
    pub give_up_after: Option<Duration>,
}

/// `[store]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// A file, relative to the publication's folder.
    Sqlite(String),
    /// A PostgreSQL url; it may hold a password.
    Postgres(Secret),
}

/// `[web]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Web {
    /// Proxies whose word about a client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
}

/// `[auth]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Auth {
    /// The server key, from the environment or `secret-file`; none: one is kept in `data/secret`.
    pub secret: Option<Secret>,
    /// Earlier keys, which keep old links valid.
    pub old_secrets: Vec<Secret>,
}

/// `[billing]` and `[[billing.plans]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billing {
    /// Where the payment provider is asked.
    pub url: Url,
    /// What it knows us by; none: nothing is sold.
    pub key: Option<Secret>,
    /// What its webhooks are signed with; the second while it is being changed.
    pub webhook_secrets: Vec<Secret>,
    /// How long somebody may read after a payment failed.
    pub grace: Duration,
    /// What can be bought, in the order in which it is shown.
    pub plans: Vec<Plan>,
}

/// Something that must not be read: its Debug and its serialised form are `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself; for use, never for showing.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl Default for Sending {
    fn default() -> Sending {
        Sending {
            on_unknown: OnUnknown::Resend,
            durability: Durability::Power,
            undo: Duration::minutes(5),
            max_lateness: Duration::hours(24),
            plan_drift: 0.01,
            retry_waits: [5, 15, 30, 60, 120, 240].map(Duration::minutes).to_vec(),
            give_up_after: None,
        }
    }
}

impl Default for Store {
    fn default() -> Store {
        Store::Sqlite("data/pressrun.db".to_owned())
    }
}

/// Whether `host`, a name or an address with or without brackets, is this machine (RFC 6761, 6.3).
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    let is_address = host.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback());
    is_address || host == "localhost" || host.ends_with(".localhost")
}

impl Publication {
    /// Where readers find it, without a final slash; none: wherever `serve` listens.
    pub fn base_url(&self) -> Option<&str> {
        self.url.as_ref().map(|url| url.as_str().trim_end_matches('/'))
    }
}

impl Settings {
    /// Finds a newsletter.
    pub fn newsletter(&self, id: &NewsletterId) -> Option<&Newsletter> {
        self.newsletters.iter().find(|newsletter| newsletter.id == *id)
    }

    /// Finds a plan.
    pub fn plan(&self, id: &PlanId) -> Option<&Plan> {
        self.billing.plans.iter().find(|plan| plan.id == *id)
    }

    /// Whether there is something that can be bought now.
    pub fn sells(&self) -> bool {
        self.billing.key.is_some() && !self.billing.plans.is_empty()
    }

    /// Finds an author.
    pub fn author(&self, id: &str) -> Option<&Author> {
        self.authors.iter().find(|author| author.id == id)
    }
}

#[cfg(test)]
mod tests;

//! Questions to DNS about our own domains: what would make receivers refuse our mail, and what to publish instead; and
//! what others have published about themselves in the web.
//!
//! Judging is apart from asking: a judgement is made of what is known, what it lacked is asked, and it is made again,
//! until it lacks nothing. The judges ask nobody.

mod dkim;
mod dmarc;
mod dns;
mod hosts;
mod http;
mod records;
mod spf;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;
use tokio::task::JoinSet;

use crate::model::words;

pub use http::{FetchError, fetch};
use records::{Kind, Records};

/// What is looked into.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// The domains in From, each with the one that its bounces go to.
    pub senders: BTreeSet<(String, String)>,
    /// The keys that mail is signed with.
    pub keys: Vec<PublishedKey>,
    /// The relay's name or address; none: it is on this machine, or a folder.
    pub relay: Option<String>,
    /// The addresses that mail leaves from, where somebody knows them; else they may be the relay's.
    pub leaves_from: Vec<IpAddr>,
    /// A host of ours, which stands in records where another may be meant.
    pub host: String,
}

/// A key as it has to be in DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedKey {
    /// Where, such as `selector._domainkey.example.com`.
    pub name: String,
    /// What, such as `v=DKIM1; k=rsa; p=…`.
    pub value: String,
    /// Whose signature it verifies (`d=`).
    pub domain: String,
}

words! {
    /// How much a finding matters.
    pub enum Verdict {
        /// As it should be.
        Ok = "ok",
        /// It works, and could be better; or it cannot be known from here.
        Advice = "advice",
        /// It keeps something from working.
        Problem = "problem",
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub verdict: Verdict,
    /// A word for what was looked at.
    pub about: &'static str,
    /// What was found, for people.
    pub finding: String,
    /// What to publish in DNS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
}

/// One record of DNS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Its full name, without a final dot.
    pub name: String,
    /// Such as `TXT`.
    pub kind: &'static str,
    /// Its value; of a TXT record in one piece.
    pub value: String,
}

impl Finding {
    /// As it should be.
    pub fn ok(about: &'static str, finding: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Ok, about, finding: finding.into(), record: None }
    }

    /// It works, and could be better.
    pub fn advice(about: &'static str, finding: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Advice, ..Finding::ok(about, finding) }
    }

    /// It keeps something from working.
    pub fn problem(about: &'static str, finding: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Problem, ..Finding::ok(about, finding) }
    }

    fn unanswered(about: &'static str, name: &str, error: &str) -> Finding {
        Finding::problem(about, format!("nobody answers about {name}: {error}"))
    }

    fn paste(self, name: &str, kind: &'static str, value: String) -> Finding {
        Finding { record: Some(Record { name: name.to_owned(), kind, value }), ..self }
    }
}

impl Record {
    /// A line of a zone file (RFC 1035, 5.1); a long text in strings of at most 255 bytes.
    pub fn line(&self) -> String {
        let value = match self.kind {
            "TXT" => {
                let strings = self.value.as_bytes().chunks(255).map(String::from_utf8_lossy);
                strings.map(|string| format!("\"{string}\"")).collect::<Vec<_>>().join(" ")
            }
            _ => self.value.clone(),
        };
        format!("{}. {} {value}", self.name, self.kind)
    }
}

impl Subject {
    /// A finding about an address that mail may leave from: how much it matters depends on whether it is known to.
    fn concern(&self, about: &'static str, finding: String) -> Finding {
        match self.leaves_from.is_empty() {
            true => Finding::advice(about, format!("{finding}; that is well if the relay's mail leaves from others")),
            false => Finding::problem(about, finding),
        }
    }

    /// Where mail leaves from, as far as it is known and the world can see it.
    fn addresses(&self, records: &mut Records) -> Vec<IpAddr> {
        let mut addresses = match &self.relay {
            _ if !self.leaves_from.is_empty() => self.leaves_from.clone(),
            None => Vec::new(),
            Some(relay) => match relay.trim_matches(['[', ']']).parse() {
                Ok(address) => vec![address],
                Err(_) => records.values(Kind::Address, relay).iter().filter_map(|text| text.parse().ok()).collect(),
            },
        };
        addresses.retain(|address| match address {
            IpAddr::V4(v4) => !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified()),
            IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()),
        });
        addresses
    }

    fn judge(&self, records: &mut Records) -> Vec<Finding> {
        let addresses = self.addresses(records);
        let mut findings = dkim::judge(self, records);
        let envelopes: BTreeSet<&String> = self.senders.iter().map(|(_, bounces)| bounces).collect();
        for domain in envelopes {
            findings.extend(spf::judge(self, domain, &addresses, records));
        }
        for (from, bounces) in &self.senders {
            findings.extend(dmarc::judge(self, from, bounces, records));
        }
        let domains: BTreeSet<&String> = self.senders.iter().flat_map(|(from, bounces)| [from, bounces]).collect();
        for domain in domains {
            findings.extend(hosts::judge_domain(domain, &self.host, records));
        }
        findings.extend(addresses.iter().map(|address| hosts::judge_address(self, *address, records)));
        if addresses.is_empty() {
            let told = "where mail leaves from is not known here; `--leaves-from` names an address to look at";
            findings.push(Finding::advice("ptr", told));
        }
        findings
    }
}

/// Asks DNS whatever there is to know about a subject: the machine's servers, or the one that is named.
///
/// # Errors
///
/// Words for a machine that does not know whom to ask. What is not answered is a finding.
pub async fn look_over(subject: &Subject, server: Option<SocketAddr>) -> Result<Vec<Finding>, String> {
    let resolver = dns::resolver(server).map_err(|error| error.to_string())?;
    let mut records = Records::default();
    loop {
        let findings = subject.judge(&mut records);
        let mut asking: JoinSet<_> = records
            .take_wanted()
            .into_iter()
            .map(|question| {
                let resolver = resolver.clone();
                async move { (dns::ask(&resolver, &question).await, question) }
            })
            .collect();
        if asking.is_empty() {
            return Ok(findings);
        }
        while let Some(asked) = asking.join_next().await {
            let (answer, question) = asked.map_err(|error| error.to_string())?;
            records.learn(question, answer);
        }
    }
}

/// `name=value` pairs between semicolons, of DKIM and DMARC (RFC 6376, 3.2).
fn tags(record: &str) -> Vec<(String, String)> {
    let pairs = record.split(';').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect()
}

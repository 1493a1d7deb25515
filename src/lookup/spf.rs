//! Who may send for a domain: SPF (RFC 7208).

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config;

use super::records::{Answer, Kind, Records};
use super::{Finding, Subject};

/// Terms that make a receiver ask DNS, all together (RFC 7208, 4.6.4)…
const LOOKUPS: usize = 10;
/// …and how many of their questions may be answered with nothing.
const VOIDS: usize = 2;
/// No more is read of a record that asks for this much.
const ENOUGH: usize = 30;
/// Pass, fail, softfail and neutral (RFC 7208, 4.6.2).
const QUALIFIERS: [char; 4] = ['+', '-', '~', '?'];

/// What a record says, with everything that it includes.
#[derive(Debug, Default)]
struct Policy(Vec<(char, Whom)>);

#[derive(Debug)]
enum Whom {
    Everybody,
    Networks(Vec<IpNet>),
    Included(Policy),
    /// Goes on elsewhere, if nothing before it said yes or no.
    Redirected(Policy),
    /// Depends on the mail, by a macro (RFC 7208, 7).
    Untold,
}

impl Policy {
    /// The qualifier for an address; none: it cannot be told from DNS alone.
    fn says(&self, address: IpAddr) -> Option<char> {
        for (qualifier, whom) in &self.0 {
            let is_meant = match whom {
                Whom::Everybody => true,
                Whom::Networks(networks) => networks.iter().any(|network| network.contains(&address)),
                Whom::Included(policy) => policy.says(address)? == '+',
                Whom::Redirected(policy) => return policy.says(address),
                Whom::Untold => return None,
            };
            if is_meant {
                return Some(*qualifier);
            }
        }
        Some('?')
    }
}

/// What is wrong with the record of `domain`, which the envelope names, and whether it covers where our mail leaves.
pub(super) fn judge(subject: &Subject, domain: &str, addresses: &[IpAddr], records: &mut Records) -> Vec<Finding> {
    let paste = |finding: Finding, value: String| vec![finding.paste(domain, "TXT", value)];
    let ours = |address: &IpAddr| format!("ip{}:{address}", if address.is_ipv4() { 4 } else { 6 });
    let all_ours: Vec<String> = addresses.iter().map(ours).collect();
    let found = match records.get(Kind::Text, domain) {
        Answer::Failed(error) => return vec![Finding::unanswered("spf", domain, &error)],
        Answer::Records(texts) => texts.into_iter().filter(|text| is_spf(text)).collect(),
        _ => Vec::new(),
    };
    let record = match found.as_slice() {
        [] => {
            let told = format!("{domain} has no SPF record, so large receivers refuse mail from it");
            let terms = if all_ours.is_empty() { vec!["mx".to_owned()] } else { all_ours };
            return paste(Finding::problem("spf", told), format!("v=spf1 {} ~all", terms.join(" ")));
        }
        [record] => record,
        several => {
            let told =
                format!("{domain} has {} SPF records, which counts as an error; one may be there", several.len());
            return paste(Finding::problem("spf", told), merged(several));
        }
    };
    let mut reader = Reader { records, lookups: 0, voids: 0, wrong: Vec::new(), costs: Vec::new() };
    let policy = reader.read(domain, record, 0);
    let Reader { lookups, voids, mut wrong, costs, .. } = reader;
    if lookups > LOOKUPS {
        let costs: Vec<String> = costs.iter().map(|(term, cost)| format!("{term} {cost}")).collect();
        wrong.push(format!("it makes receivers ask {lookups} times, and may {LOOKUPS}: {}", costs.join(", ")));
    }
    if voids > VOIDS {
        wrong.push(format!("{voids} of its names have nothing to say, and {VOIDS} may"));
    }
    let mut findings: Vec<Finding> =
        wrong.into_iter().map(|wrong| Finding::problem("spf", format!("the record of {domain}: {wrong}"))).collect();
    findings.extend(open_end(domain, record, &policy));
    let of = |wanted: fn(Option<char>) -> bool| -> Vec<String> {
        addresses.iter().filter(|address| wanted(policy.says(**address))).map(ours).collect()
    };
    let (missing, untold) = (of(|said| said.is_some_and(|said| said != '+')), of(|said| said.is_none()));
    if !untold.is_empty() {
        let told = format!("whether {domain} covers {} depends on each mail", untold.join(", "));
        findings.push(Finding::advice("spf", told));
    }
    if !missing.is_empty() {
        let value = format!("v=spf1 {} {}", missing.join(" "), terms(record).collect::<Vec<_>>().join(" "));
        let told = format!("the record of {domain} does not cover {}", missing.join(", "));
        findings.push(subject.concern("spf", told).paste(domain, "TXT", value));
    }
    if findings.is_empty() {
        let covers = if all_ours.is_empty() { String::new() } else { format!(", covers {}", all_ours.join(", ")) };
        findings.push(Finding::ok("spf", format!("{domain}: one record, {lookups} of {LOOKUPS} lookups{covers}")));
    }
    findings
}

/// What the record says about everybody else.
fn open_end(domain: &str, record: &str, policy: &Policy) -> Option<Finding> {
    let rest = match policy.0.last() {
        Some((qualifier, Whom::Everybody)) => *qualifier,
        Some((_, Whom::Redirected(_))) => return None,
        _ => '?',
    };
    let value = merged(&[record.to_owned()]);
    match rest {
        '+' => Some(Finding::problem("spf", format!("the record of {domain} lets anybody send for it"))),
        '?' => Some(Finding::advice("spf", format!("the record of {domain} says nothing about everybody else"))),
        _ => None,
    }
    .map(|finding| finding.paste(domain, "TXT", value))
}

fn is_spf(text: &str) -> bool {
    text.split(' ').next().is_some_and(|version| version.eq_ignore_ascii_case("v=spf1"))
}

fn terms(record: &str) -> impl Iterator<Item = &str> {
    record.split_ascii_whitespace().skip(1)
}

/// The terms of all records in one, which says of everybody else that they are suspicious.
fn merged(records: &[String]) -> String {
    let mut merged: Vec<&str> = Vec::new();
    for term in records.iter().flat_map(|record| terms(record)) {
        if !merged.contains(&term) && !term.trim_start_matches(QUALIFIERS).eq_ignore_ascii_case("all") {
            merged.push(term);
        }
    }
    format!("v=spf1 {} ~all", merged.join(" "))
}

struct Reader<'r> {
    records: &'r mut Records,
    lookups: usize,
    voids: usize,
    wrong: Vec<String>,
    /// What each term of the record itself costs.
    costs: Vec<(String, usize)>,
}

impl Reader<'_> {
    fn read(&mut self, domain: &str, record: &str, depth: usize) -> Policy {
        let (mut policy, mut redirect) = (Policy::default(), None);
        for written in terms(record) {
            let before = self.lookups;
            let term = written.to_ascii_lowercase();
            let (name, value) = term.split_once('=').unwrap_or((&term, ""));
            if term.contains('=') && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
            {
                // An unknown modifier says nothing (RFC 7208, 6).
                redirect = if name == "redirect" { Some(value.to_owned()) } else { redirect };
                continue;
            }
            let qualifier = term.chars().next().filter(|first| QUALIFIERS.contains(first));
            match self.mechanism(domain, term.trim_start_matches(QUALIFIERS), depth) {
                Some(whom) => policy.0.push((qualifier.unwrap_or('+'), whom)),
                None => self.wrong.push(format!("`{written}` cannot be read")),
            }
            if depth == 0 && self.lookups > before {
                self.costs.push((written.to_owned(), self.lookups - before));
            }
        }
        let has_all = policy.0.iter().any(|(_, whom)| matches!(whom, Whom::Everybody));
        if let Some(elsewhere) = redirect.filter(|_| !has_all) {
            let whom = self.elsewhere(&elsewhere, depth).map_or(Whom::Untold, Whom::Redirected);
            policy.0.push(('?', whom));
        }
        policy
    }

    /// Whom a mechanism (RFC 7208, 5) names; none: it is not one.
    fn mechanism(&mut self, domain: &str, term: &str, depth: usize) -> Option<Whom> {
        let (name, value) = term.split_at(term.find([':', '/']).unwrap_or(term.len()));
        let value = value.strip_prefix(':').unwrap_or(value);
        let (target, ends) = value.split_once('/').map_or((value, None), |(target, ends)| (target, Some(ends)));
        let target = if target.is_empty() { domain } else { target };
        match name {
            "all" => Some(Whom::Everybody),
            "ip4" | "ip6" => {
                let network =
                    config::network(value).ok().filter(|network| network.addr().is_ipv4() == (name == "ip4"))?;
                Some(Whom::Networks(vec![network]))
            }
            "include" if !value.is_empty() => Some(self.elsewhere(target, depth).map_or(Whom::Untold, Whom::Included)),
            "a" | "mx" | "exists" | "ptr" => {
                self.lookups += 1;
                if target.contains('%') || name == "ptr" || self.lookups > ENOUGH {
                    return Some(Whom::Untold);
                }
                let hosts = if name == "mx" { self.ask(Kind::Exchange, target) } else { vec![target.to_owned()] };
                if hosts.len() > LOOKUPS {
                    self.wrong.push(format!("`{term}`: {target} has more than {LOOKUPS} MX hosts"));
                }
                let addresses: Vec<String> =
                    hosts.iter().take(LOOKUPS).flat_map(|host| self.ask(Kind::Address, host)).collect();
                if name == "exists" {
                    return Some(if addresses.is_empty() { Whom::Networks(Vec::new()) } else { Whom::Everybody });
                }
                Some(Whom::Networks(networks(&addresses, ends)?))
            }
            _ => None,
        }
    }

    /// The record of another domain; none: it cannot be told, or is wrong.
    fn elsewhere(&mut self, domain: &str, depth: usize) -> Option<Policy> {
        self.lookups += 1;
        if domain.contains('%') || self.lookups > ENOUGH {
            return None;
        }
        let found: Vec<String> = self.ask(Kind::Text, domain).into_iter().filter(|text| is_spf(text)).collect();
        match found.as_slice() {
            [record] => Some(self.read(domain, record, depth + 1)),
            several => {
                let many = if several.is_empty() { "no SPF record" } else { "several SPF records" };
                self.wrong.push(format!("it leads to {domain}, which has {many}"));
                None
            }
        }
    }

    fn ask(&mut self, kind: Kind, name: &str) -> Vec<String> {
        match self.records.get(kind, name) {
            Answer::Records(values) => return values,
            Answer::Failed(error) => self.wrong.push(format!("nobody answers about {name} ({error})")),
            Answer::NoRecord | Answer::NoName => self.voids += 1,
        }
        Vec::new()
    }
}

/// Hosts' addresses, each widened as `24//64` says for the two families.
fn networks(addresses: &[String], ends: Option<&str>) -> Option<Vec<IpNet>> {
    let (v4, v6) = ends.map_or(("", ""), |ends| ends.split_once('/').unwrap_or((ends, "")));
    let prefix = |text: &str, width: u8| match text.trim_start_matches('/') {
        "" => Some(width),
        text => text.parse().ok().filter(|prefix| *prefix <= width),
    };
    let (v4, v6) = (prefix(v4, 32)?, prefix(v6, 128)?);
    let networks = addresses.iter().filter_map(|address| address.parse::<IpAddr>().ok());
    networks.map(|address| IpNet::new(address, if address.is_ipv4() { v4 } else { v6 }).ok()).collect()
}

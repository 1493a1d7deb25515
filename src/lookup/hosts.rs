//! Whether our domains are there and take mail, and whether the addresses that mail leaves from have names.

use std::net::IpAddr;

use super::records::{Answer, Kind, Records};
use super::{Finding, Subject};

/// A domain of our mail has to be there and to take answers: MX and SOA (RFC 5321, 5.1).
pub(super) fn judge_domain(domain: &str, host: &str, records: &mut Records) -> Vec<Finding> {
    let paste = |finding: Finding| finding.paste(domain, "MX", format!("10 {host}."));
    let problem = |told: String| paste(Finding::problem("mx", told));
    let mut findings = Vec::new();
    match records.get(Kind::Authority, domain) {
        Answer::NoName => {
            return vec![problem(format!("there is no domain {domain}, so most receivers refuse mail from it"))];
        }
        Answer::Failed(error) => findings.push(Finding::unanswered("soa", domain, &error)),
        Answer::Records(_) | Answer::NoRecord => {}
    }
    findings.push(match records.get(Kind::Exchange, domain) {
        Answer::Failed(error) => Finding::unanswered("mx", domain, &error),
        Answer::Records(hosts) if hosts.iter().any(String::is_empty) => {
            problem(format!("{domain} says that it takes no mail, so many receivers take none from it"))
        }
        Answer::Records(hosts) => {
            let lost =
                hosts.iter().find(|host| matches!(records.get(Kind::Address, host), Answer::NoName | Answer::NoRecord));
            match lost {
                Some(lost) => problem(format!("mail for {domain} goes to {lost}, which is not there")),
                None => Finding::ok("mx", format!("mail for {domain} goes to {}", hosts.join(", "))),
            }
        }
        _ if records.values(Kind::Address, domain).is_empty() => {
            problem(format!("nothing takes mail for {domain}, so answers and bounces are lost"))
        }
        _ => {
            let told = format!("{domain} has no MX record; mail for it goes to the host of that name");
            paste(Finding::advice("mx", told))
        }
    });
    findings
}

/// An address that mail leaves from has a name, and the name that address (RFC 1912, 2.1).
pub(super) fn judge_address(subject: &Subject, address: IpAddr, records: &mut Records) -> Finding {
    let names = match records.get(Kind::Pointer, &address.to_string()) {
        Answer::Failed(error) => return Finding::unanswered("ptr", &address.to_string(), &error),
        Answer::Records(names) => names,
        Answer::NoRecord | Answer::NoName => {
            let told = format!("{address} has no name; whoever rents it to you sets it");
            let host = subject.host.clone();
            return subject.concern("ptr", told).paste(&reverse(address), "PTR", format!("{host}."));
        }
    };
    let leads_back = |name: &String| records.values(Kind::Address, name).iter().any(|back| back.parse() == Ok(address));
    match names.iter().position(leads_back) {
        Some(place) => Finding::ok("ptr", format!("{address} is {}, and back", names[place])),
        None => {
            let name = names.first().map_or("", String::as_str);
            let kind = if address.is_ipv4() { "A" } else { "AAAA" };
            let told = format!("{address} is called {name}, which leads elsewhere");
            subject.concern("ptr", told).paste(name, kind, address.to_string())
        }
    }
}

/// The name under which DNS keeps an address's name (RFC 1035, 3.5; RFC 3596, 2.5).
fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let digits = format!("{:032x}", v6.to_bits());
            digits.chars().rev().map(|digit| format!("{digit}.")).collect::<String>() + "ip6.arpa"
        }
    }
}

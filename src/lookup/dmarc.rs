//! What receivers do with mail that only claims to be from a domain, and whether ours is more than a claim: DMARC
//! (RFC 9989).

use super::records::{Answer, Kind, Records};
use super::{Finding, Subject};

/// The tags of a record, in its order.
type Tags = Vec<(String, String)>;

/// What RFC 7489 had and RFC 9989 has no more (its appendix C).
const GONE: [&str; 3] = ["pct", "rf", "ri"];

/// What is wrong with the policy for `from`, the domain in From, and with how the mail's other domains fit to it.
pub(super) fn judge(subject: &Subject, from: &str, bounces: &str, records: &mut Records) -> Vec<Finding> {
    if let Answer::Failed(error) = records.get(Kind::Text, &place(from)) {
        return vec![Finding::unanswered("dmarc", &place(from), &error)];
    }
    let organization = organization(from, records);
    let own = texts(from, records);
    if let [first, _, ..] = own.as_slice() {
        let told = format!("{from} has {} DMARC records, so all are ignored; one may be there", own.len());
        return vec![Finding::problem("dmarc", told).paste(&place(from), "TXT", first.clone())];
    }
    let Some((at, tags)) = [from, &organization].into_iter().find_map(|at| Some((at, record(at, records)?))) else {
        let told = format!("{from} has no DMARC record, so large receivers refuse mail to many of their readers");
        let least = "v=DMARC1; p=none".to_owned();
        return vec![Finding::problem("dmarc", told).paste(&place(&organization), "TXT", least)];
    };
    let mut findings = of_record(at, &tags);
    findings.extend(alignment(subject, (at, &tags), from, bounces, records));
    if findings.is_empty() {
        let policy = value(&tags, if at == from { "p" } else { "sp" }).or(value(&tags, "p")).unwrap_or("none");
        let told = format!("{from}: p={policy}, by the record of {at}; what we send is aligned");
        findings.push(Finding::ok("dmarc", told));
    }
    findings
}

fn of_record(at: &str, tags: &Tags) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_policy = |policy: &str| ["none", "quarantine", "reject"].iter().any(|one| policy.eq_ignore_ascii_case(one));
    if !value(tags, "p").is_some_and(is_policy) {
        let told = format!("the DMARC record of {at} has no `p`, and counts as `p=none` or not at all");
        findings.push(Finding::advice("dmarc", told).paste(&place(at), "TXT", written(tags, &[("p", "none")])));
    }
    let gone: Vec<&str> = GONE.into_iter().filter(|name| value(tags, name).is_some()).collect();
    if !gone.is_empty() {
        // `t=y` is what RFC 9989, 4.7 has in place of a `pct` that spares all mail.
        let testing: &[(&str, &str)] = if value(tags, "pct") == Some("0") { &[("t", "y")] } else { &[] };
        let told = format!("the DMARC record of {at} has {}, which RFC 9989 knows no more", gone.join(", "));
        findings.push(Finding::advice("dmarc", told).paste(&place(at), "TXT", written(tags, testing)));
    }
    findings
}

/// Whether what SPF and DKIM authenticate belongs to the domain in From (RFC 9989, 4.4): one of them has to.
fn alignment(
    subject: &Subject,
    (at, tags): (&str, &Tags),
    from: &str,
    bounces: &str,
    records: &mut Records,
) -> Vec<Finding> {
    let organization_of_from = organization(from, records);
    let mut fits = |tag: &str, domain: &str| {
        domain == from || (value(tags, tag) != Some("s") && organization(domain, records) == organization_of_from)
    };
    let by_spf = fits("aspf", bounces);
    let by_dkim = subject.keys.iter().any(|key| fits("adkim", &key.domain));
    let weigh = |other: bool| if other { Finding::advice } else { Finding::problem };
    let mut findings = Vec::new();
    if !by_spf && organization(bounces, records) == organization_of_from {
        let told = format!("bounces go to {bounces}, and `aspf=s` demands {from} itself");
        let value = written(tags, &[("aspf", "r")]);
        findings.push(weigh(by_dkim)("dmarc", told).paste(&place(at), "TXT", value));
    } else if !by_spf {
        let told = format!("bounces go to {bounces}, which is not of {organization_of_from} as From is");
        findings.push(weigh(by_dkim)("dmarc", told + ": choose a `bounces-to` that is"));
    }
    if !by_dkim && !subject.keys.is_empty() {
        let told =
            format!("no signature of `[mail.dkim]` is by {from} or, without `adkim=s`, by {organization_of_from}");
        findings.push(weigh(by_spf)("dmarc", told));
    }
    findings
}

/// The domain that stands for all of an organization's (RFC 9989, 4.10.2), by a walk up the tree.
fn organization(domain: &str, records: &mut Records) -> String {
    let labels: Vec<&str> = domain.split('.').collect();
    // A name of more than eight labels is cut to seven after the first question (RFC 9989, 4.10).
    let steps = (0..labels.len()).filter(|step| *step == 0 || labels.len() - step < 8);
    let mut highest = domain.to_owned();
    for step in steps {
        let at = labels[step..].join(".");
        let Some(tags) = record(&at, records) else { continue };
        match value(&tags, "psd") {
            Some("n") => return at,
            Some("y") if step > 0 => return labels[step - 1..].join("."),
            Some("y") => return at,
            _ => highest = at,
        }
    }
    highest
}

fn place(domain: &str) -> String {
    format!("_dmarc.{domain}")
}

fn texts(domain: &str, records: &mut Records) -> Vec<String> {
    let values = records.values(Kind::Text, &place(domain));
    values
        .into_iter()
        .filter(|text| text.split(';').next().is_some_and(|first| first.replace(' ', "") == "v=DMARC1"))
        .collect()
}

/// The one record of a domain.
fn record(domain: &str, records: &mut Records) -> Option<Tags> {
    match texts(domain, records).as_slice() {
        [text] => Some(super::tags(text)),
        _ => None,
    }
}

fn value<'t>(tags: &'t Tags, name: &str) -> Option<&'t str> {
    tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.as_str())
}

/// The record again, with some tags changed and without those that are gone.
fn written(tags: &Tags, changed: &[(&str, &str)]) -> String {
    let is_changed = |name: &str| changed.iter().any(|(tag, _)| *tag == name);
    let pair = |(name, value): (&str, &str)| format!("{name}={value}");
    let kept = tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let kept = kept.filter(|(name, _)| *name != "v" && !is_changed(name) && !GONE.contains(name));
    let all: Vec<String> = changed.iter().copied().chain(kept).map(pair).collect();
    format!("v=DMARC1; {}", all.join("; "))
}

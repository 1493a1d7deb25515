//! Was anybody lost, mailed twice, or mailed after their goodbye? The server's log against the sender's own account.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::{End, Entry};

/// After the answer to a goodbye, a dot may still be on its way for so long: microseconds.
const GRACE: u64 = 1_000_000;
/// On average an interruption may repeat so many mails…
const PER_INTERRUPTION: f64 = 2.0;
/// …where there are enough for an average.
const ENOUGH: usize = 20;
/// So many readers are named for each fault.
const NAMED: usize = 5;

/// What is judged: one issue, from its sealing to its end.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Who is to get it.
    pub audience: BTreeSet<String>,
    /// The server's log.
    pub log: Vec<Entry>,
    /// The sender's account: address and state, a row a delivery.
    pub ledger: Vec<(String, String)>,
    /// When a goodbye was answered: microseconds since 1970.
    pub goodbyes: BTreeMap<String, u64>,
    /// How many connections were open at each moment when something died.
    pub interruptions: Vec<usize>,
    /// Nobody may get more copies than this; 0: any number.
    pub most_copies: usize,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judgement {
    /// Mails taken.
    pub taken: usize,
    /// Copies that were repeated although they had been answered: something died before the answer was kept.
    pub duplicates: usize,
    /// Copies that were repeated because the server took them and dropped the line.
    pub unanswered: usize,
    /// The most copies that anybody got.
    pub most_copies: usize,
    /// How many things died.
    pub interruptions: usize,
    /// What must not be, in words; empty: all is well.
    pub faults: Vec<String>,
}

/// Judges a run.
pub fn judge(run: &Run) -> Judgement {
    let mut dots: HashMap<&str, Vec<&Entry>> = HashMap::new();
    let mut last_of_line: HashMap<u64, u64> = HashMap::new();
    let (mut refused, mut strangers) = (BTreeSet::new(), BTreeSet::new());
    for entry in &run.log {
        if !run.audience.contains(&entry.to) {
            strangers.insert(entry.to.as_str());
        }
        match entry.end {
            End::Refused => drop(refused.insert(entry.to.as_str())),
            End::Later => {}
            End::Taken | End::TakenInSilence | End::Lost => {
                dots.entry(&entry.to).or_default().push(entry);
                let last = last_of_line.entry(entry.connection).or_default();
                *last = entry.at.max(*last);
            }
        }
    }
    let mut judgement = Judgement { interruptions: run.interruptions.len(), ..Judgement::default() };
    let (mut differ, mut midway, mut late) = (Vec::new(), Vec::new(), Vec::new());
    for (to, dots) in &dots {
        let copies: Vec<&&Entry> = dots.iter().filter(|entry| entry.end.is_taken()).collect();
        judgement.taken += copies.len();
        judgement.most_copies = judgement.most_copies.max(copies.len());
        if dots.windows(2).any(|two| (&two[0].message_id, &two[0].sha256) != (&two[1].message_id, &two[1].sha256)) {
            differ.push(*to);
        }
        for repeated in copies.iter().rev().skip(1) {
            match repeated.end {
                End::TakenInSilence => judgement.unanswered += 1,
                _ => judgement.duplicates += 1,
            }
            if last_of_line[&repeated.connection] > repeated.at {
                midway.push(*to);
            }
        }
        let goodbye = run.goodbyes.get(*to);
        if goodbye.is_some_and(|goodbye| dots.iter().any(|dot| dot.at > goodbye + GRACE)) {
            late.push(*to);
        }
    }
    let named = [
        ("not in the audience, and mailed or tried", strangers.into_iter().collect()),
        ("copies differ in Message-ID or bytes", differ),
        ("repeated although their line went on after the answer", midway),
        ("a dot more than a second after the answer to their goodbye", late),
        ("share a Message-ID", shared_ids(&run.log)),
    ];
    named.into_iter().for_each(|(what, whom)| judgement.name(what, whom));
    compare(run, &dots, &refused, &mut judgement);
    bound(run, &mut judgement);
    judgement
}

/// Addresses whose Message-ID another address has too.
fn shared_ids(log: &[Entry]) -> Vec<&str> {
    let mut owners: HashMap<&str, &str> = HashMap::new();
    let known = log.iter().filter(|entry| !entry.message_id.is_empty());
    known
        .filter(|entry| *owners.entry(&entry.message_id).or_insert(&entry.to) != entry.to)
        .map(|entry| entry.to.as_str())
        .collect()
}

/// The ledger against the log, reader by reader.
fn compare(run: &Run, dots: &HashMap<&str, Vec<&Entry>>, refused: &BTreeSet<&str>, judgement: &mut Judgement) {
    let mut states: HashMap<&str, &str> = HashMap::new();
    let mut twice = Vec::new();
    for (address, state) in &run.ledger {
        if states.insert(address, state).is_some() {
            twice.push(address.as_str());
        }
    }
    let (mut lost, mut moving, mut wrong) = (Vec::new(), Vec::new(), Vec::new());
    for reader in run.audience.iter().map(String::as_str) {
        let has_it = dots.get(reader).is_some_and(|dots| dots.iter().any(|dot| dot.end.is_taken()));
        let has_left = run.goodbyes.contains_key(reader);
        match states.get(reader).copied() {
            Some("sent") if has_it => {}
            Some("failed") if refused.contains(reader) && !has_it => {}
            // What may have arrived before the goodbye is not sent again after it.
            Some("suppressed") if has_left => {}
            // Gone before the issue was sealed.
            None if has_left && !has_it => {}
            Some("queued" | "sending" | "deferred" | "unknown") => moving.push(reader),
            Some(_) if has_it => wrong.push(reader),
            _ => lost.push(reader),
        }
    }
    let strangers = states.keys().filter(|address| !run.audience.contains(**address)).copied().collect();
    judgement.name("lost", lost);
    judgement.name("not at rest", moving);
    judgement.name("the ledger says otherwise than the server", wrong);
    judgement.name("twice in the ledger", twice);
    judgement.name("in the ledger and not in the audience", strangers);
}

/// How much may be repeated.
fn bound(run: &Run, judgement: &mut Judgement) {
    let most: usize = run.interruptions.iter().sum();
    if judgement.duplicates > most {
        judgement.faults.push(format!("{} duplicates, at most {most} could be explained", judgement.duplicates));
    }
    let average = judgement.average();
    if average > PER_INTERRUPTION && run.interruptions.len() >= ENOUGH {
        judgement.faults.push(format!("{average:.1} duplicates an interruption, more than {PER_INTERRUPTION}"));
    }
    if run.most_copies > 0 && judgement.most_copies > run.most_copies {
        judgement.faults.push(format!("somebody got {} copies, more than {}", judgement.most_copies, run.most_copies));
    }
}

impl Judgement {
    /// Duplicates an interruption.
    fn average(&self) -> f64 {
        self.duplicates as f64 / self.interruptions.max(1) as f64
    }

    fn name(&mut self, what: &str, mut whom: Vec<&str>) {
        whom.sort_unstable();
        whom.dedup();
        if !whom.is_empty() {
            let named = whom.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
            let more = if whom.len() > NAMED { ", …" } else { "" };
            self.faults.push(format!("{}: {} ({named}{more})", what, whom.len()));
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Judgement { taken, duplicates, unanswered, most_copies, interruptions, faults } = self;
        writeln!(
            formatter,
            "{taken} mails taken; {interruptions} interruptions, {duplicates} duplicates ({:.2} each), besides {unanswered} \
             repeated for want of an answer; at most {most_copies} copies",
            self.average()
        )?;
        for fault in faults {
            writeln!(formatter, "WRONG  {fault}")?;
        }
        write!(formatter, "{}", if faults.is_empty() { "all is well" } else { "not well" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dot for `to` over a connection, with bytes that go with the address.
    fn dot(at: u64, connection: u64, to: &str, end: End) -> Entry {
        let (message_id, sha256) = (format!("<{to}>"), to.to_owned());
        Entry { at, end, connection, to: to.to_owned(), message_id, sha256, leave: String::new() }
    }

    /// Four readers: one is mailed, one refused, one has left, one is mailed twice because something died.
    fn good() -> Run {
        let refused = Entry { message_id: String::new(), sha256: String::new(), ..dot(2, 1, "refused", End::Refused) };
        let states = [("mailed", "sent"), ("refused", "failed"), ("left", "suppressed"), ("again", "sent")];
        Run {
            audience: states.iter().map(|(address, _)| (*address).to_owned()).collect(),
            log: vec![
                dot(1, 1, "mailed", End::Taken),
                refused,
                dot(3, 1, "again", End::Taken),
                dot(9, 2, "again", End::Taken),
            ],
            ledger: states.map(|(address, state)| (address.to_owned(), state.to_owned())).to_vec(),
            goodbyes: BTreeMap::from([("left".to_owned(), 5)]),
            interruptions: vec![1],
            most_copies: 3,
        }
    }

    #[track_caller]
    fn check(spoil: impl FnOnce(&mut Run), expected: &[&str]) {
        let mut run = good();
        spoil(&mut run);
        let found = judge(&run).faults;
        let begins = found.iter().zip(expected).all(|(fault, words)| fault.starts_with(words));
        assert!(found.len() == expected.len() && begins, "{found:?} is not {expected:?}");
    }

    #[test]
    fn a_good_run_is_found_good() {
        check(|_| {}, &[]);
        let found = judge(&good());
        assert_eq!((found.taken, found.duplicates, found.unanswered, found.most_copies), (3, 1, 0, 2));
        check(|run| run.log[2].end = End::TakenInSilence, &[]);
        check(|run| run.log.push(dot(1_000_005, 3, "left", End::Taken)), &[]);
        check(|run| run.log.insert(2, dot(2, 9, "again", End::Lost)), &[]);
        check(|run| drop(run.ledger.remove(2)), &[]);
    }

    #[test]
    fn whoever_got_nothing_is_lost() {
        check(|run| drop(run.log.remove(0)), &["lost: 1 (mailed)"]);
        check(|run| drop(run.ledger.remove(1)), &["lost: 1 (refused)"]);
        check(|run| run.log[1].end = End::Later, &["lost: 1 (refused)"]);
        check(|run| run.goodbyes.clear(), &["lost: 1 (left)"]);
        check(|run| run.log[0].end = End::Lost, &["lost: 1 (mailed)"]);
        check(|run| run.audience.extend(["forgotten".to_owned()]), &["lost: 1 (forgotten)"]);
    }

    #[test]
    fn whoever_still_waits_is_not_at_rest() {
        for state in ["queued", "sending", "deferred", "unknown"] {
            check(|run| run.ledger[0].1 = state.to_owned(), &["not at rest: 1 (mailed)"]);
        }
    }

    #[test]
    fn ledger_and_log_must_agree() {
        check(|run| run.ledger[0].1 = "failed".to_owned(), &["the ledger says otherwise than the server: 1 (mailed)"]);
        check(
            |run| run.ledger[0].1 = "suppressed".to_owned(),
            &["the ledger says otherwise than the server: 1 (mailed)"],
        );
        check(|run| run.ledger.push(run.ledger[0].clone()), &["twice in the ledger: 1 (mailed)"]);
        check(
            |run| run.ledger.push(("x".to_owned(), "sent".to_owned())),
            &["in the ledger and not in the audience: 1"],
        );
        check(|run| run.log.push(dot(4, 9, "x", End::Taken)), &["not in the audience, and mailed or tried: 1 (x)"]);
    }

    #[test]
    fn repeats_are_the_same_and_few() {
        check(|run| run.log[3].sha256.push('x'), &["copies differ in Message-ID or bytes: 1 (again)"]);
        check(|run| run.log[3].message_id.push('x'), &["copies differ in Message-ID or bytes: 1 (again)"]);
        check(|run| run.log[0].message_id = "<again>".to_owned(), &["share a Message-ID: 1 (again)"]);
        check(|run| run.log[0].at = 4, &["repeated although their line went on after the answer: 1 (again)"]);
        check(|run| run.interruptions.clear(), &["1 duplicates, at most 0 could be explained"]);
        let three_more = |run: &mut Run| run.log.extend([10, 11, 12].map(|at| dot(at, at, "again", End::Taken)));
        check(three_more, &["4 duplicates, at most 1 could be explained", "somebody got 5 copies, more than 3"]);
        let on_average = |run: &mut Run| {
            run.interruptions = vec![4; ENOUGH];
            run.log.extend((0..ENOUGH as u64 * 2).map(|at| dot(10 + at, 10 + at, "again", End::Taken)));
        };
        check(on_average, &["2.0 duplicates an interruption, more than 2", "somebody got 42 copies, more than 3"]);
    }

    #[test]
    fn a_goodbye_is_respected_within_a_second() {
        let late = "a dot more than a second after the answer to their goodbye: 1 (left)";
        check(|run| run.log.push(dot(1_000_006, 3, "left", End::Taken)), &[late]);
        check(|run| run.log.push(dot(1_000_006, 3, "left", End::Lost)), &[late]);
    }
}

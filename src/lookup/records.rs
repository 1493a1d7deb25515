//! What is known of DNS so far, and what else would have to be asked.

use std::collections::{BTreeSet, HashMap};

/// What one may ask DNS for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    /// TXT; the strings of one record are joined without a space (RFC 7208, 3.3; RFC 6376, 3.6.2.2).
    Text,
    /// A and AAAA.
    Address,
    /// MX: the hosts alone; empty for the host `.` (RFC 7505).
    Exchange,
    /// PTR of an address.
    Pointer,
    /// SOA: the zone's first server.
    Authority,
}

/// A kind of record, and the name (for PTR, the address) that it is asked of.
pub(super) type Question = (Kind, String);

/// What DNS says to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The records, as text; never empty.
    Records(Vec<String>),
    /// The name is there, but has no such record.
    NoRecord,
    /// There is no such name.
    NoName,
    /// Nobody answered, or with an error; the words of it.
    Failed(String),
}

/// Judging is done with what is known; whoever judges goes on as if there were nothing where an answer is missing, and
/// is asked again once it is there. So that judging needs no network.
#[derive(Debug, Default)]
pub(super) struct Records {
    known: HashMap<Question, Answer>,
    wanted: BTreeSet<Question>,
}

impl Records {
    /// What is known about `name`; noted as wanted, if nothing is.
    pub fn get(&mut self, kind: Kind, name: &str) -> Answer {
        let question = (kind, name.trim_end_matches('.').to_ascii_lowercase());
        self.known.get(&question).cloned().unwrap_or_else(|| {
            self.wanted.insert(question);
            Answer::NoRecord
        })
    }

    /// As [`Records::get`], where it does not matter why there are none.
    pub fn values(&mut self, kind: Kind, name: &str) -> Vec<String> {
        match self.get(kind, name) {
            Answer::Records(values) => values,
            _ => Vec::new(),
        }
    }

    /// The questions that were asked in vain since they were last taken.
    pub fn take_wanted(&mut self) -> BTreeSet<Question> {
        std::mem::take(&mut self.wanted)
    }

    /// Keeps an answer.
    pub fn learn(&mut self, question: Question, answer: Answer) {
        self.known.insert(question, answer);
    }
}

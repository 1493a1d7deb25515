//! What this process has counted since it began, for `/metrics`. Counting is one addition, wherever something happens.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Counts by the values of one label.
#[derive(Debug)]
pub struct Counter {
    /// Its name at Prometheus.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// The label; empty: there is none.
    pub label: &'static str,
    values: &'static [&'static str],
    counts: [AtomicU64; VALUES],
}

/// The most values that a label has.
const VALUES: usize = 6;

const fn counter(
    name: &'static str,
    help: &'static str,
    label: &'static str,
    values: &'static [&'static str],
) -> Counter {
    assert!(values.len() <= VALUES);
    Counter { name, help, label, values, counts: [const { AtomicU64::new(0) }; VALUES] }
}

/// What became of deliveries that this process had claimed.
pub static RESULTS: Counter = counter(
    "pressrun_delivery_results_total",
    "What became of deliveries that this process tried, by result",
    "result",
    &["sent", "deferred", "failed", "unknown", "dropped", "untouched"],
);

/// What relays said to this process about its mails.
pub static RELAY_ANSWERS: Counter = counter(
    "pressrun_relay_answers_total",
    "Answers of relays to mails, by class; none: the line broke or was silent",
    "class",
    &["none", "2xx", "4xx", "5xx"],
);

/// What this process answered over HTTP.
pub static HTTP_ANSWERS: Counter = counter(
    "pressrun_http_requests_total",
    "Requests answered, by class of status",
    "class",
    &["2xx", "3xx", "4xx", "5xx"],
);

/// What the database refused for other reasons than the schema's rules.
pub static DATABASE_ERRORS: Counter =
    counter("pressrun_database_errors_total", "Statements that the database did not do", "", &[""]);

/// The end of the scheduler's last turn in this process, in seconds since 1970; 0: it took none.
pub static LAST_TURN: AtomicI64 = AtomicI64::new(0);

/// All counters.
pub static ALL: [&Counter; 4] = [&RESULTS, &RELAY_ANSWERS, &HTTP_ANSWERS, &DATABASE_ERRORS];

impl Counter {
    /// One more; of a value that is not among the label's, none.
    pub fn count(&self, value: &str) {
        if let Some(place) = self.values.iter().position(|known| *known == value) {
            self.counts[place].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One more, by the first digit of an SMTP or HTTP code.
    pub fn count_code(&self, code: u16) {
        self.count(&format!("{}xx", code / 100));
    }

    /// What was counted of each value.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.values.iter().zip(&self.counts).map(|(value, count)| (*value, count.load(Ordering::Relaxed)))
    }
}

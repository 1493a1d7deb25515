//! How far sending has come, on standard error: a bar on a terminal, or each second an object of JSON.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::sync::LazyLock;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::model::{DeliveryState, IssueId};

use super::{Context, Format, complain};

/// The one bar; whatever else is said stands above it.
static BAR: LazyLock<ProgressBar> = LazyLock::new(ProgressBar::hidden);

/// How far an issue is, as long as it is being sent.
pub(super) struct Progress<'a> {
    issue: &'a IssueId,
    as_json: bool,
    /// Whether anybody looks.
    pub is_shown: bool,
}

#[derive(Debug, Serialize)]
struct Object<'a> {
    issue: &'a IssueId,
    total: i64,
    sent: i64,
    deferred: i64,
    failed: i64,
    /// Deliveries a second that came to rest, lately.
    rate: f64,
    /// None: not to be foreseen.
    seconds_left: Option<u64>,
}

impl Progress<'_> {
    /// Begins with what an earlier run left, so that the rate is that of this one.
    pub fn begin<'a>(context: &Context, issue: &'a IssueId, counts: &BTreeMap<DeliveryState, i64>) -> Progress<'a> {
        let as_json = context.format == Format::Json && !context.is_quiet;
        let draws = context.format == Format::Human && !context.is_quiet && io::stderr().is_terminal();
        BAR.set_draw_target(if draws { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len}  {msg}") {
            BAR.set_style(style);
        }
        BAR.reset();
        BAR.set_position(at_rest(counts));
        BAR.reset_eta();
        Progress { issue, as_json, is_shown: draws || as_json }
    }

    /// Shows where it stands now.
    pub fn show(&self, counts: &BTreeMap<DeliveryState, i64>) {
        let total: i64 = counts.values().sum();
        let [sent, deferred, failed] =
            [DeliveryState::Sent, DeliveryState::Deferred, DeliveryState::Failed].map(|state| counts[&state]);
        BAR.set_length(total.unsigned_abs());
        BAR.set_position(at_rest(counts));
        let rate = BAR.per_sec().round();
        let left = Some(BAR.eta()).filter(|left| rate > 0.0 && !left.is_zero());
        let mut message = format!("{rate}/s");
        message.extend(left.map(|left| format!(", {} left", HumanDuration(left))));
        let what_else = [(deferred, "deferred"), (failed, "failed")].into_iter().filter(|(count, _)| *count > 0);
        message.extend(what_else.map(|(count, state)| format!(", {count} {state}")));
        BAR.set_message(message);
        if self.as_json {
            let seconds_left = left.map(|left| left.as_secs());
            let object = Object { issue: self.issue, total, sent, deferred, failed, rate, seconds_left };
            serde_json::to_string(&object).iter().for_each(|line| complain(line));
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        BAR.finish_and_clear();
    }
}

fn at_rest(counts: &BTreeMap<DeliveryState, i64>) -> u64 {
    use DeliveryState::{Failed, Sent, Suppressed, Unknown};
    [Sent, Failed, Suppressed, Unknown].map(|state| counts[&state].unsigned_abs()).into_iter().sum()
}

/// Standard error for whole lines, which stand above the bar.
pub(super) struct AboveBar;

impl Write for AboveBar {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        BAR.suspend(|| io::stderr().lock().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

//! An issue's life, and the brakes that hold it until an editor has looked.

use chrono::Duration;

use super::words;

words! {
    /// What an issue is made of.
    pub enum IssueKind {
        /// One article, for readers who want each at once.
        Instant = "instant",
        /// What was published since a reader's last one.
        Digest = "digest",
    }

    /// Whether a newsletter's issues go by themselves.
    #[derive(Default)]
    pub enum SendPolicy {
        /// After the undo time, unless a brake holds the issue.
        #[default]
        Auto = "auto",
        /// Each one waits for `issue approve`.
        Approve = "approve",
    }

    /// Where an issue stands, in the order of its life.
    pub enum IssueState {
        /// Content and the audience's boundary are frozen; delivery rows are being written.
        Sealing = "sealing",
        /// All rows are written; waits for its moment.
        Sealed = "sealed",
        /// Rows may be claimed.
        Sending = "sending",
        /// An editor stopped it for a while.
        Paused = "paused",
        /// Every delivery is at rest.
        Finished = "finished",
        /// An editor stopped it for good.
        Cancelled = "cancelled",
    }
}

/// What an editor may ask of an issue; the other steps of its life it takes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueEvent {
    /// An editor says stop.
    Pause,
    /// An editor says go on.
    Resume,
    /// A delivery is to be tried again after all.
    Retry,
    /// An editor says never.
    Cancel,
}

impl IssueState {
    /// The state after `event`; none where the event makes no sense, so that a late click changes nothing.
    pub fn after(self, event: IssueEvent) -> Option<IssueState> {
        use IssueEvent::{Cancel, Pause, Resume, Retry};
        use IssueState::{Cancelled, Finished, Paused, Sealed, Sending};
        match (self, event) {
            (Paused, Resume) => Some(Sealed),
            (Finished, Retry) => Some(Sending),
            (Sealed | Sending, Pause) => Some(Paused),
            // What is being sealed is sealed first, so that a correction knows everybody it was for.
            (Sealed | Sending | Paused, Cancel) => Some(Cancelled),
            _ => None,
        }
    }
}

/// Why an automatic issue waits for `issue approve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brake {
    /// The newsletter is set to `send = "approve"`.
    Policy,
    /// It is the first issue this newsletter ever sends from this database.
    FirstIssue,
    /// It would go to more than twice the largest audience so far.
    AudienceGrew {
        /// How many it would go to.
        recipients: i64,
        /// The largest audience so far.
        largest: i64,
    },
    /// It would be the third of its newsletter within an hour.
    ThirdInAnHour,
}

impl Brake {
    /// The hour within which a third issue of a newsletter is held.
    pub const WINDOW: Duration = Duration::hours(1);

    /// Which brake holds an issue to `recipients`, if any.
    ///
    /// `largest` is the newsletter's largest audience so far (none: it never sent), `recent` how many of its issues
    /// were sealed within [`Brake::WINDOW`].
    pub fn on(policy: SendPolicy, recipients: i64, largest: Option<i64>, recent: i64) -> Option<Brake> {
        let Some(largest) = largest else { return Some(Brake::FirstIssue) };
        if policy == SendPolicy::Approve {
            Some(Brake::Policy)
        } else if recipients > largest.saturating_mul(2) {
            Some(Brake::AudienceGrew { recipients, largest })
        } else if recent >= 2 {
            Some(Brake::ThirdInAnHour)
        } else {
            None
        }
    }

    /// What an editor reads.
    pub fn explanation(&self) -> String {
        match self {
            Brake::Policy => "this newsletter sends only what an editor approved".to_owned(),
            Brake::FirstIssue => "it is the first issue of this newsletter".to_owned(),
            Brake::AudienceGrew { recipients, largest } => {
                format!("it would go to {recipients} readers, more than twice the largest audience so far ({largest})")
            }
            Brake::ThirdInAnHour => "it would be the third issue of this newsletter within an hour".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_editor_moves_an_issue_where_that_makes_sense() {
        use IssueEvent::{Cancel, Pause, Resume, Retry};
        let table = IssueState::ALL
            .map(|state| [Pause, Resume, Retry, Cancel].map(|event| state.after(event).map_or("", IssueState::as_str)));
        let expected = [
            ["", "", "", ""], // what is being sealed
            ["paused", "", "", "cancelled"],
            ["paused", "", "", "cancelled"],
            ["", "sealed", "", "cancelled"],
            ["", "", "sending", ""],
            ["", "", "", ""],
        ];
        assert_eq!(table, expected);
    }

    #[test]
    fn what_an_editor_did_not_expect_waits() {
        assert_eq!(Brake::on(SendPolicy::Auto, 10, None, 0), Some(Brake::FirstIssue));
        assert_eq!(Brake::on(SendPolicy::Auto, 10, Some(5), 1), None);
        assert_eq!(
            Brake::on(SendPolicy::Auto, 11, Some(5), 0),
            Some(Brake::AudienceGrew { recipients: 11, largest: 5 })
        );
        assert_eq!(Brake::on(SendPolicy::Auto, 5, Some(5), 2), Some(Brake::ThirdInAnHour));
        assert_eq!(Brake::on(SendPolicy::Approve, 5, Some(5), 0), Some(Brake::Policy));
    }
}

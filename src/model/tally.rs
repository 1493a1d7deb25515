//! When what comes back is too much: the shares at which a newsletter stops and waits for its editors.

use chrono::Duration;

use super::Cause;

/// What became of a newsletter's mails within [`Tally::WINDOW`], or since an editor let it go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// How many the relay took.
    pub sent: i64,
    /// How many mailboxes turned out not to exist.
    pub hard: i64,
    /// How many readers called it spam.
    pub complaints: i64,
    /// How many were refused for a rule of whoever refused, or for no reason that we know.
    pub refused: i64,
    /// How many were refused because of our authentication or DNS, by what anybody could have written.
    pub authentication: i64,
}

impl Tally {
    /// What is counted; Gmail asks for a week below its limit.
    pub const WINDOW: Duration = Duration::days(7);

    /// Why the newsletter has to stop, if it has to: what it is about, and in figures. Small numbers say nothing; and
    /// one reader, who can write reports about their own mails only, stops nothing.
    pub fn trouble(self) -> Option<(Cause, String)> {
        let tried = self.sent + self.hard + self.refused;
        if self.complaints >= 5 && self.sent >= 1_000 && self.complaints * 1_000 >= self.sent * 3 {
            let figures = format!("{} of {} mails were called spam; 0.3 % is the most", self.complaints, self.sent);
            return Some((Cause::Complaint, figures));
        }
        if tried >= 200 && self.hard * 20 >= tried {
            return Some((Cause::Gone, format!("{} of {tried} mailboxes do not exist; 5 % is the most", self.hard)));
        }
        // Where everybody is refused, few readers are enough, and one is not.
        if self.refused >= 10 && self.refused * 20 >= tried {
            return Some((Cause::Policy, format!("{} of {tried} mails were refused; 5 % is the most", self.refused)));
        }
        let figures = format!("{} mails were refused because of our authentication or DNS", self.authentication);
        (self.authentication >= 10).then_some((Cause::Authentication, figures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(counts: [i64; 5], stops: bool) {
        let [sent, hard, complaints, refused, authentication] = counts;
        let tally = Tally { sent, hard, complaints, refused, authentication };
        assert_eq!(tally.trouble().is_some(), stops, "{counts:?}");
    }

    #[test]
    fn a_share_stops_a_newsletter_and_small_numbers_do_not() {
        check([0, 0, 0, 0, 0], false);
        check([2_000, 0, 6, 0, 0], true);
        check([2_001, 0, 6, 0, 0], false);
        check([1_000, 0, 4, 0, 0], false);
        check([999, 0, 100, 0, 0], false);
        check([190, 10, 0, 0, 0], true);
        check([191, 10, 0, 0, 0], false);
        check([100, 50, 0, 0, 0], false);
        check([0, 0, 0, 10, 0], true);
        check([0, 0, 0, 9, 0], false);
        check([9_500, 0, 0, 500, 0], true);
        check([9_501, 0, 0, 500, 0], false);
        check([1_000, 40, 0, 40, 0], false);
        check([1_000_000, 0, 0, 0, 10], true);
        check([1_000_000, 0, 0, 0, 9], false);
    }
}

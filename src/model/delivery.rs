//! Where a delivery stands, when a deferred one is tried again, and when to stop.

use chrono::Duration;

use super::words;

words! {
    /// Where one mail to one address stands. Every delivery is in exactly one of these.
    pub enum DeliveryState {
        /// Waits for its turn.
        Queued = "queued",
        /// Claimed by a sender under a lease; noted or not.
        Sending = "sending",
        /// The relay answered 250.
        Sent = "sent",
        /// The relay said "not now".
        Deferred = "deferred",
        /// Refused for good, or put off for too long.
        Failed = "failed",
        /// Not sent on purpose: left, suppressed, or the issue was cancelled.
        Suppressed = "suppressed",
        /// Its final dot may have arrived when the line or the sender died.
        Unknown = "unknown",
    }

    /// What to do with a mail whose final dot may have arrived.
    #[derive(Default)]
    pub enum OnUnknown {
        /// Send it again, the same byte for byte: at least once.
        #[default]
        Resend = "resend",
        /// Leave it to `issue retry`: at most once.
        Hold = "hold",
    }

    /// What a note and a result outlive once they are said to be written.
    #[derive(Default)]
    pub enum Durability {
        /// A loss of power: the disk has confirmed them.
        #[default]
        Power = "power",
        /// The end of the process: the system has them in its memory.
        Process = "process",
    }
}

/// How long and how often a relay may put us off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The waits before the second, third … try; the last one repeats. Never empty.
    pub waits: Vec<Duration>,
    /// When to stop trying, counted from the moment the mail was first due.
    pub give_up_after: Duration,
}

impl RetryPolicy {
    /// Notices wait short: the reader sits in front of the form.
    pub fn notice(lives_for: Duration) -> RetryPolicy {
        RetryPolicy {
            waits: vec![Duration::seconds(30), Duration::minutes(1), Duration::minutes(2)],
            give_up_after: lives_for,
        }
    }

    /// How long to wait after the attempt number `attempts` (the first is 1), `waited` after the mail was first due;
    /// none: enough.
    ///
    /// `dice` is between 0 and 1 and spreads a wait by 20 % around its middle, so that a crowd does not return at
    /// once. RFC 5321, 4.5.4.1 leaves waits and limit to the sender's configuration.
    pub fn next(&self, attempts: u32, waited: Duration, dice: f64) -> Option<Duration> {
        let index = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let wait = self.waits.get(index).or(self.waits.last())?;
        if waited + *wait > self.give_up_after {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a wait of hours in ms fits")]
        let spread = (wait.num_milliseconds() as f64 * (0.9 + dice * 0.2)) as i64;
        Some(Duration::milliseconds(spread))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(attempts: u32, waited_minutes: i64, expected: Option<Duration>) {
        let policy =
            RetryPolicy { waits: [5, 15, 30].map(Duration::minutes).to_vec(), give_up_after: Duration::hours(24) };
        assert_eq!(policy.next(attempts, Duration::minutes(waited_minutes), 0.5), expected);
    }

    #[test]
    fn a_put_off_mail_waits_longer_each_time_and_not_for_ever() {
        check(1, 0, Some(Duration::minutes(5)));
        check(2, 5, Some(Duration::minutes(15)));
        check(3, 20, Some(Duration::minutes(30)));
        check(9, 200, Some(Duration::minutes(30)));
        check(9, 24 * 60 - 29, None);
    }

    #[test]
    fn dice_spread_the_waits_by_a_fifth() {
        let policy = RetryPolicy { waits: vec![Duration::seconds(100)], give_up_after: Duration::hours(1) };
        assert_eq!(policy.next(1, Duration::zero(), 0.0), Some(Duration::seconds(90)));
        assert_eq!(policy.next(1, Duration::zero(), 1.0), Some(Duration::seconds(110)));
    }
}

//! What a relay is asked to take at most, and how long it is left in peace after it had trouble.

use chrono::{DateTime, Duration, Utc};

use super::words;

words! {
    /// Which mail goes through a relay.
    #[derive(Default)]
    pub enum Carries {
        /// All of it.
        #[default]
        All = "all",
        /// Issues only.
        Issues = "issues",
        /// Notices only.
        Notices = "notices",
    }
}

/// At most so many messages in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many, at least 1.
    pub messages: i64,
    /// In how long, at least a second.
    pub per: Duration,
}

/// How a relay fares, as all senders know it together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Up to which moment its rate is used up, in microseconds since 1970.
    pub used_to: i64,
    /// How often it has been left in peace since it last took a mail.
    pub rests: i64,
    /// Lines dropped in a row.
    pub drops: i64,
    /// It is left in peace until then.
    pub rests_until: Option<DateTime<Utc>>,
    /// How many connections may be busy at once until it has recovered; none: all.
    pub lines: Option<i64>,
    /// When one more may be; none: when it takes a mail, all may.
    pub widens_at: Option<DateTime<Utc>>,
    /// Who tries whether it has recovered, alone…
    pub tried_by: Option<String>,
    /// …until then, unless it goes on.
    pub tried_until: Option<DateTime<Utc>>,
}

/// What a failure says about the relay itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strain {
    /// A line was dropped, or a mail put off or refused for policy: nothing yet, unless it happens again and again.
    Dropped,
    /// It takes nothing from us.
    Failed,
    /// It has too much to do, or too many of our connections (421).
    Busy,
    /// We send more than its readers' servers want (4.7.28).
    TooMuch,
}

/// What a sender may do with a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// Nothing, for now.
    Rest,
    /// Keep so many connections busy, if nobody else tries it.
    Lines(i64),
    /// All that it is set to.
    Free,
}

/// So many lines dropped in a row are a failure of the relay.
const DROPS: i64 = 5;
/// How long mail stops when we send too much; this and what follows is what Gmail asks for with 4.7.28.
const TOO_MUCH: Duration = Duration::minutes(10);
/// How long a relay takes the mail of so many connections before it is offered one more.
const STEP: Duration = Duration::seconds(30);
/// How long whoever tries a relay may be silent before another does.
const TRIAL: Duration = Duration::seconds(30);
/// A mark further ahead was set by a clock that has been set back since.
const AHEAD: Duration = Duration::seconds(10);

impl Rate {
    /// Takes up to `wanted` messages of what may go at `now`, and moves the mark `used_to` (generic cell rate
    /// algorithm). `burst` is how much time may be used up ahead.
    pub fn take(self, used_to: &mut i64, wanted: i64, burst: Duration, now: DateTime<Utc>) -> i64 {
        let micros = |duration: Duration| duration.num_microseconds().unwrap_or(i64::MAX);
        let (share, now) = (micros(self.per) / self.messages, now.timestamp_micros());
        // One more, so that whoever asks a little late is not a whole message late.
        let burst = micros(burst) + share;
        let is_sound = *used_to <= now + burst + micros(AHEAD);
        let from = if is_sound { now.max(*used_to) } else { now };
        let taken = ((now + burst - from) / share.max(1)).clamp(0, wanted);
        *used_to = from + taken * share;
        taken
    }
}

impl Health {
    /// What a sender may do at `now`; `sender` is its process.
    pub fn leave(&self, sender: &str, now: DateTime<Utc>) -> Leave {
        let is_others = self.tried_by.as_deref().is_some_and(|by| by != sender);
        match self.lines {
            _ if self.rests_until.is_some_and(|until| until > now) => Leave::Rest,
            None => Leave::Free,
            Some(_) if is_others && self.tried_until.is_some_and(|until| until > now) => Leave::Rest,
            Some(lines) => Leave::Lines(lines),
        }
    }

    /// Whether there is nothing that a mail that is taken would mend.
    pub fn is_well(&self) -> bool {
        self.lines.is_none() && self.drops == 0
    }

    /// A sender has mail with which to try the relay. False: another was first.
    pub fn try_out(&mut self, sender: &str, now: DateTime<Utc>) -> bool {
        let may = self.leave(sender, now) != Leave::Rest;
        if may {
            (self.tried_by, self.tried_until) = (Some(sender.to_owned()), Some(now + TRIAL));
        }
        may
    }

    /// The relay had trouble; it is set to `connections`. What many connections hear at once counts once.
    pub fn strain(&mut self, strain: Strain, connections: i64, now: DateTime<Utc>) {
        if self.rests_until.is_some_and(|until| until > now) {
            return;
        }
        self.drops += i64::from(strain == Strain::Dropped);
        if strain == Strain::Dropped && self.drops < DROPS {
            return;
        }
        let wait = if strain == Strain::TooMuch { TOO_MUCH } else { Duration::seconds(5 << self.rests.min(4)) };
        let until = now + wait;
        let half = self.lines.unwrap_or(connections) / 2;
        self.lines = Some(if strain == Strain::Busy { half.max(1) } else { 1 });
        self.widens_at = matches!(strain, Strain::Busy | Strain::TooMuch).then(|| until + STEP);
        (self.rests, self.drops, self.rests_until) = (self.rests + 1, 0, Some(until));
        self.tried_until = None;
    }

    /// The relay took a mail.
    pub fn took(&mut self, connections: i64, now: DateTime<Utc>) {
        (self.rests, self.drops) = (0, 0);
        let wider = match self.widens_at {
            None => connections,
            Some(at) if at <= now => self.lines.unwrap_or(connections) + 1,
            Some(_) => return,
        };
        self.lines = (wider < connections).then_some(wider);
        self.widens_at = self.lines.map(|_| now + STEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> DateTime<Utc> {
        #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
        DateTime::from_timestamp_millis(1_700_000_000_000 + (seconds * 1000.0) as i64).unwrap()
    }

    #[track_caller]
    fn check_rate(messages: i64, per: Duration, every: f64, expected: i64) {
        let (rate, mut used_to, mut taken) = (Rate { messages, per }, 0, 0);
        for turn in 0..1000 {
            taken += rate.take(&mut used_to, 1000, Duration::milliseconds(500), at(f64::from(turn) * every));
        }
        assert_eq!(taken, expected);
    }

    #[test]
    fn a_rate_holds_however_often_it_is_asked() {
        check_rate(100, Duration::seconds(1), 0.1, 10_041); // 99.9 s, half a second ahead, and one
        check_rate(100, Duration::seconds(1), 0.007, 750);
        check_rate(100, Duration::minutes(1), 0.25, 418);
        check_rate(1, Duration::hours(1), 10.0, 3);
    }

    #[test]
    fn what_was_not_used_is_not_made_up_for() {
        let (rate, mut used_to) = (Rate { messages: 10, per: Duration::seconds(1) }, 0);
        let mut take = |wanted, seconds| rate.take(&mut used_to, wanted, Duration::milliseconds(500), at(seconds));
        assert_eq!((take(3, 0.0), take(9, 0.0), take(9, 0.1)), (3, 3, 1));
        assert_eq!(take(100, 3600.0), 6);
        assert_eq!(take(100, 0.0), 6, "a clock that was set back stops nothing");
    }

    #[test]
    fn a_relay_that_fails_is_left_alone_and_tried_by_one() {
        let mut health = Health::default();
        assert_eq!(health.leave("a", at(0.0)), Leave::Free);
        for _ in 0..50 {
            health.strain(Strain::Failed, 50, at(0.0));
        }
        assert_eq!(health.leave("a", at(4.9)), Leave::Rest);
        assert_eq!(health.leave("b", at(5.0)), Leave::Lines(1));
        assert!(health.try_out("a", at(5.0)) && !health.try_out("b", at(5.1)));
        assert_eq!((health.leave("a", at(5.2)), health.leave("b", at(5.2))), (Leave::Lines(1), Leave::Rest));
        health.strain(Strain::Failed, 50, at(6.0));
        assert_eq!((health.leave("b", at(15.9)), health.leave("b", at(16.0))), (Leave::Rest, Leave::Lines(1)));
        health.took(50, at(17.0));
        assert_eq!(health.leave("b", at(17.0)), Leave::Free);
        health.strain(Strain::Failed, 50, at(20.0));
        assert_eq!(health.leave("a", at(25.0)), Leave::Lines(1), "the waits begin anew");
    }

    #[test]
    fn whoever_tries_and_dies_is_followed_by_another() {
        let mut health = Health::default();
        health.strain(Strain::Failed, 4, at(0.0));
        assert!(health.try_out("dead", at(5.0)));
        assert_eq!((health.leave("b", at(34.0)), health.leave("b", at(35.0))), (Leave::Rest, Leave::Lines(1)));
    }

    #[test]
    fn too_much_stops_for_ten_minutes_and_comes_back_one_by_one() {
        let mut health = Health::default();
        health.strain(Strain::TooMuch, 3, at(0.0));
        assert_eq!((health.leave("a", at(599.0)), health.leave("a", at(600.0))), (Leave::Rest, Leave::Lines(1)));
        for (seconds, leave) in [(601.0, Leave::Lines(1)), (630.0, Leave::Lines(2)), (640.0, Leave::Lines(2))] {
            health.took(3, at(seconds));
            assert_eq!(health.leave("a", at(seconds)), leave);
        }
        health.took(3, at(660.0));
        assert_eq!(health.leave("a", at(660.0)), Leave::Free);
    }

    #[test]
    fn a_busy_relay_gets_half() {
        let mut health = Health::default();
        for (seconds, lines) in [(0.0, 25), (10.0, 12), (30.0, 6)] {
            health.strain(Strain::Busy, 50, at(seconds));
            assert_eq!(health.lines, Some(lines));
        }
    }

    #[test]
    fn dropped_lines_count_only_in_a_row() {
        let mut health = Health::default();
        for _ in 0..3 {
            (0..4).for_each(|_| health.strain(Strain::Dropped, 4, at(0.0)));
            health.took(4, at(0.0));
        }
        assert_eq!(health, Health { used_to: 0, ..Health::default() });
        (0..5).for_each(|_| health.strain(Strain::Dropped, 4, at(0.0)));
        assert_eq!(health.leave("a", at(1.0)), Leave::Rest);
    }
}

//! What a reader chooses about one newsletter, and how they are served by it.

use chrono::{DateTime, Utc, Weekday};

use super::{Cadence, Rhythm};
use crate::zone::Zone;

/// What a reader has chosen, as they see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Choices {
    /// How often.
    pub cadence: Cadence,
    /// The local hour of digests, 0 to 23; none: the newsletter's.
    pub hour: Option<u32>,
    /// The day of the weekly digest; none: the newsletter's.
    pub weekday: Option<Weekday>,
    /// Tags, sorted; none: all.
    pub topics: Vec<String>,
    /// Until when nothing is to come.
    pub paused_until: Option<DateTime<Utc>>,
}

/// What is said of choices by somebody who does not know all of them, such as a line of a file: what is not said stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wish {
    /// The local hour of digests, 0 to 23.
    pub hour: Option<u32>,
    /// The day of the weekly digest.
    pub weekday: Option<Weekday>,
    /// Tags, sorted.
    pub topics: Option<Vec<String>>,
    /// Until when nothing is to come.
    pub paused_until: Option<DateTime<Utc>>,
}

/// How a subscription is served at this moment, which is not yet what was chosen where a digest is owed before.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// The rhythm of digests; its cadence is instant where each article comes at once.
    pub rhythm: Rhythm,
    /// Whether each article comes at once after the next slot.
    pub returns_to_instant: bool,
    /// Tags, sorted; none: all.
    pub topics: Vec<String>,
    /// Until when nothing is to come.
    pub paused_until: Option<DateTime<Utc>>,
}

impl Choices {
    /// `cadence` and nothing else chosen.
    pub fn of(cadence: Cadence) -> Choices {
        Choices { cadence, hour: None, weekday: None, topics: Vec::new(), paused_until: None }
    }
}

impl Wish {
    /// `choices` with what is said in place of what was, as far as it means anything at their cadence.
    pub fn put_into(&self, choices: Choices) -> Choices {
        let (is_digest, is_weekly) = (choices.cadence != Cadence::Instant, choices.cadence == Cadence::Weekly);
        Choices {
            cadence: choices.cadence,
            hour: self.hour.filter(|_| is_digest).or(choices.hour),
            weekday: self.weekday.filter(|_| is_weekly).or(choices.weekday),
            topics: self.topics.clone().unwrap_or(choices.topics),
            paused_until: self.paused_until.or(choices.paused_until),
        }
    }
}

impl Service {
    /// What the reader has chosen, as far as the pause is not over at `now`.
    pub fn choices(&self, now: DateTime<Utc>) -> Choices {
        Choices {
            cadence: if self.returns_to_instant { Cadence::Instant } else { self.rhythm.cadence },
            hour: self.rhythm.hour,
            weekday: self.rhythm.weekday,
            topics: self.topics.clone(),
            paused_until: self.paused_until.filter(|until| *until > now),
        }
    }

    /// How they are served once they have chosen `choices`, in their own `zone` if that is known.
    ///
    /// Nobody loses an article by choosing. Who reads digests and wants each article at once gets what is owed
    /// (`owes`) as one last digest, and so does who had it at once and pauses.
    pub fn after(&self, choices: &Choices, zone: Option<&Zone>, owes: bool, now: DateTime<Utc>) -> Service {
        let paused_until = choices.paused_until.filter(|until| *until > now);
        let reads_digests = self.rhythm.cadence != Cadence::Instant;
        let (cadence, returns_to_instant) = match (choices.cadence, reads_digests, paused_until) {
            (Cadence::Instant, true, Some(_)) => (self.rhythm.cadence, true),
            (Cadence::Instant, true, None) if owes => (self.rhythm.cadence, true),
            (Cadence::Instant, false, Some(_)) => (Cadence::Daily, true),
            (cadence, _, _) => (cadence, false),
        };
        let rhythm = Rhythm { cadence, hour: choices.hour, weekday: choices.weekday, zone: zone.cloned() };
        Service { rhythm, returns_to_instant, topics: choices.topics.clone(), paused_until }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn service(cadence: Cadence) -> Service {
        Service { rhythm: Rhythm::of(cadence), returns_to_instant: false, topics: Vec::new(), paused_until: None }
    }

    /// `cadence, returns` after `choices`.
    #[track_caller]
    fn check(before: &Service, choices: &Choices, owes: bool, expected: (Cadence, bool)) -> Service {
        let after = before.after(choices, None, owes, DateTime::UNIX_EPOCH);
        assert_eq!((after.rhythm.cadence, after.returns_to_instant), expected);
        assert_eq!(after.choices(DateTime::UNIX_EPOCH).cadence, choices.cadence, "what is shown is what was chosen");
        after
    }

    #[test]
    fn a_change_of_cadence_loses_nothing() {
        use Cadence::{Daily, Instant, Weekly};
        check(&service(Instant), &Choices::of(Weekly), true, (Weekly, false));
        check(&service(Daily), &Choices::of(Weekly), true, (Weekly, false));
        check(&service(Weekly), &Choices::of(Instant), false, (Instant, false));
        let returning = check(&service(Weekly), &Choices::of(Instant), true, (Weekly, true));
        check(&returning, &Choices::of(Daily), true, (Daily, false));
        check(&returning, &Choices::of(Instant), true, (Weekly, true));
    }

    #[test]
    fn a_pause_ends_in_one_digest() {
        use Cadence::{Daily, Instant, Weekly};
        let until = Some(DateTime::UNIX_EPOCH + TimeDelta::days(7));
        let paused = |cadence| Choices { paused_until: until, ..Choices::of(cadence) };
        let resting = check(&service(Instant), &paused(Instant), false, (Daily, true));
        assert_eq!(resting.paused_until, until);
        check(&resting, &Choices::of(Instant), true, (Daily, true));
        check(&resting, &Choices::of(Instant), false, (Instant, false));
        check(&service(Weekly), &paused(Weekly), true, (Weekly, false));
        let late = Choices { paused_until: Some(DateTime::UNIX_EPOCH), ..Choices::of(Weekly) };
        assert_eq!(check(&service(Weekly), &late, true, (Weekly, false)).paused_until, None);
    }
}

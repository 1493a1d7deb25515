//! How often a reader wants a newsletter, and when a digest is due.

use chrono::{DateTime, Utc, Weekday};

use crate::zone::Zone;

/// A reader's rhythm for one newsletter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cadence {
    /// Each article by itself, when it is published.
    Instant,
    /// One digest a day.
    Daily,
    /// One digest a week.
    Weekly,
}

impl Cadence {
    /// All cadences, the most frequent first.
    pub const ALL: [Cadence; 3] = [Cadence::Instant, Cadence::Daily, Cadence::Weekly];

    /// The word in settings, forms, files and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Cadence::Instant => "instant",
            Cadence::Daily => "daily",
            Cadence::Weekly => "weekly",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Cadence> {
        Cadence::ALL.into_iter().find(|cadence| cadence.as_str() == text)
    }
}

/// When a newsletter's digests go out, in the publication's zone.
#[derive(Debug, Clone, PartialEq)]
pub struct DigestTime {
    /// Local hour, 0 to 23.
    pub hour: u32,
    /// The day of the weekly digest.
    pub weekday: Weekday,
    /// Whose clock the hour is read from.
    pub zone: Zone,
}

impl DigestTime {
    /// The latest slot of `cadence` at or before `now`; none for instant readers.
    pub fn last_slot(&self, cadence: Cadence, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match cadence {
            Cadence::Instant => None,
            Cadence::Daily => Some(self.zone.hour_at_or_before(now, self.hour, None)),
            Cadence::Weekly => Some(self.zone.hour_at_or_before(now, self.hour, Some(self.weekday))),
        }
    }

    /// The first slot of `cadence` after `now`; none for instant readers.
    pub fn next_slot(&self, cadence: Cadence, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match cadence {
            Cadence::Instant => None,
            Cadence::Daily => Some(self.zone.hour_after(now, self.hour, None)),
            Cadence::Weekly => Some(self.zone.hour_after(now, self.hour, Some(self.weekday))),
        }
    }
}

//! How often a reader wants a newsletter, and when a digest is due.

use chrono::{DateTime, Utc, Weekday};

use crate::zone::Zone;

use super::words;

words! {
    /// A reader's rhythm for one newsletter, the most frequent first.
    pub enum Cadence {
        /// Each article by itself, when it is published.
        Instant = "instant",
        /// One digest a day.
        Daily = "daily",
        /// One digest a week.
        Weekly = "weekly",
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
        self.day(cadence).map(|weekday| self.zone.hour_at_or_before(now, self.hour, weekday))
    }

    /// The first slot of `cadence` after `now`; none for instant readers.
    pub fn next_slot(&self, cadence: Cadence, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.day(cadence).map(|weekday| self.zone.hour_after(now, self.hour, weekday))
    }

    /// The one day of a digest, if it does not come every day; none where there are no digests.
    fn day(&self, cadence: Cadence) -> Option<Option<Weekday>> {
        match cadence {
            Cadence::Instant => None,
            Cadence::Daily => Some(None),
            Cadence::Weekly => Some(Some(self.weekday)),
        }
    }
}

/// A digest reader's own choices of time; what is not chosen is the newsletter's and the publication's.
///
/// As text, which readers of one rhythm share in the database: `weekly|8|mon|Europe/Berlin`, with nothing between the
/// bars for what is not chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Rhythm {
    /// Daily or weekly.
    pub cadence: Cadence,
    /// Local hour, 0 to 23.
    pub hour: Option<u32>,
    /// The day of a weekly digest.
    pub weekday: Option<Weekday>,
    /// Whose clock the hour is read from.
    pub zone: Option<Zone>,
}

impl Rhythm {
    /// The rhythm of `cadence` with nothing chosen.
    pub fn of(cadence: Cadence) -> Rhythm {
        Rhythm { cadence, hour: None, weekday: None, zone: None }
    }

    /// The text in the database; empty for instant readers, who have no rhythm.
    pub fn key(&self) -> String {
        if self.cadence == Cadence::Instant {
            return String::new();
        }
        let hour = self.hour.map(|hour| hour.to_string()).unwrap_or_default();
        let weekday = self.weekday.filter(|_| self.cadence == Cadence::Weekly);
        let weekday = weekday.map(|weekday| weekday.to_string().to_lowercase()).unwrap_or_default();
        let zone = self.zone.as_ref().map(Zone::name).unwrap_or_default();
        format!("{}|{hour}|{weekday}|{zone}", self.cadence.as_str())
    }

    /// Reads the text in the database. A zone that the rules no longer have counts as not chosen.
    pub fn parse(key: &str) -> Option<Rhythm> {
        let mut parts = key.splitn(4, '|');
        let cadence = Cadence::parse(parts.next()?)?;
        let (hour, weekday, zone) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Rhythm { cadence, hour: hour.parse().ok(), weekday: weekday.parse().ok(), zone: Zone::parse(zone) })
    }

    /// When digests of this rhythm go out, where `newsletter` says what is not chosen.
    pub fn time(&self, newsletter: &DigestTime) -> DigestTime {
        DigestTime {
            hour: self.hour.unwrap_or(newsletter.hour),
            weekday: self.weekday.unwrap_or(newsletter.weekday),
            zone: self.zone.clone().unwrap_or_else(|| newsletter.zone.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rhythm_is_the_same_after_the_database() {
        let own = Rhythm {
            hour: Some(8),
            weekday: Some(Weekday::Mon),
            zone: Zone::parse("europe/berlin"),
            ..Rhythm::of(Cadence::Weekly)
        };
        assert_eq!(own.key(), "weekly|8|mon|Europe/Berlin");
        assert_eq!(Rhythm::parse(&own.key()), Some(own.clone()));
        assert_eq!(Rhythm { cadence: Cadence::Daily, ..own.clone() }.key(), "daily|8||Europe/Berlin");
        assert_eq!(Rhythm { cadence: Cadence::Instant, ..own }.key(), "");
        assert_eq!(Rhythm::of(Cadence::Daily).key(), "daily|||");
        assert_eq!(Rhythm::parse("daily|||Europe/Atlantis"), Some(Rhythm::of(Cadence::Daily)));
        assert_eq!(Rhythm::parse(""), None);
    }

    #[test]
    fn what_a_reader_does_not_choose_is_the_newsletters() {
        let newsletter = DigestTime { hour: 7, weekday: Weekday::Fri, zone: Zone::utc() };
        let rhythm = Rhythm { zone: Zone::parse("Asia/Tokyo"), ..Rhythm::of(Cadence::Weekly) };
        let time = rhythm.time(&newsletter);
        assert_eq!((time.hour, time.weekday, time.zone.name()), (7, Weekday::Fri, "Asia/Tokyo"));
    }
}

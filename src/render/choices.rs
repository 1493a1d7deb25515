//! What a reader can choose about one newsletter, as a form shows it.

use chrono::{DateTime, Duration, NaiveDate, Utc, Weekday};
use serde::Serialize;

use crate::model::{Cadence, Choices, Newsletter, Service};
use crate::zone::Zone;

use super::Imprint;
use super::context::Moment;
use super::words::Words;

/// The form about one newsletter.
#[derive(Debug, Clone, Serialize)]
pub struct ChoicesForm {
    /// Where it is sent.
    pub action: String,
    /// The newsletter's id.
    pub newsletter: String,
    /// Its title.
    pub title: String,
    /// How often.
    pub cadences: Vec<Offer>,
    /// The hours of digests; none where there are no digests.
    pub hours: Vec<Offer>,
    /// The days of a weekly digest; none where there is no weekly one.
    pub weekdays: Vec<Offer>,
    /// Tags.
    pub topics: Vec<Offer>,
    /// Whose clock the hours are read from.
    pub zone: String,
    /// What comes next.
    pub next: Next,
    /// The last day of the pause, as `<input type="date">` writes it; empty: no pause.
    pub pause: String,
    /// The first day that a pause may end on.
    pub tomorrow: String,
    /// Whether a weekly digest would come less often.
    pub can_be_rarer: bool,
}

/// Something to choose.
#[derive(Debug, Clone, Serialize)]
pub struct Offer {
    /// The value that the form sends.
    pub value: String,
    /// What is shown.
    pub label: String,
    /// Whether it is chosen.
    pub is_chosen: bool,
}

/// What comes next of a newsletter, and when.
#[derive(Debug, Clone, Serialize)]
pub struct Next {
    /// The end of a pause.
    pub paused_until: Option<Moment>,
    /// What comes then, or now, in a sentence.
    pub sentence: String,
}

impl Next {
    /// What comes after `now` to somebody who is served by `service`, by the clock of `zone`.
    pub fn new(
        imprint: &Imprint<'_>,
        newsletter: &Newsletter,
        service: &Service,
        zone: &Zone,
        now: DateTime<Utc>,
    ) -> Next {
        let paused_until = service.paused_until.filter(|until| *until > now);
        let from = paused_until.map_or(now, |until| until - Duration::milliseconds(1));
        let slot = service.rhythm.time(&newsletter.digest_time).next_slot(service.rhythm.cadence, from);
        let digest = |key, slot| imprint.words.say(key, &[("moment", Moment::at(imprint, slot, zone).minute.into())]);
        let sentence = match slot {
            None => imprint.words.say("next-instant", &[]),
            Some(slot) if service.returns_to_instant => digest("next-digest-then-instant", slot),
            Some(slot) => digest("next-digest", slot),
        };
        Next { paused_until: paused_until.map(|until| Moment::at(imprint, until, zone)), sentence }
    }
}

impl ChoicesForm {
    /// The form with what somebody has chosen whose clock is `zone`'s.
    pub fn new(
        imprint: &Imprint<'_>,
        newsletter: &Newsletter,
        service: &Service,
        zone: &Zone,
        action: &str,
        now: DateTime<Utc>,
    ) -> ChoicesForm {
        let chosen = service.choices(now);
        let has = |cadence| newsletter.cadences.contains(&cadence) || chosen.cadence == cadence;
        let topic = |topic: &String| Offer::new(topic, topic, chosen.topics.contains(topic));
        let today = zone.to_local(now).date();
        ChoicesForm {
            action: action.to_owned(),
            newsletter: newsletter.id.as_str().to_owned(),
            title: newsletter.title.clone(),
            cadences: Offer::cadences(imprint.words, has, Some(chosen.cadence)),
            hours: if has(Cadence::Daily) || has(Cadence::Weekly) { hours(newsletter, &chosen) } else { Vec::new() },
            weekdays: if has(Cadence::Weekly) { weekdays(imprint, newsletter, &chosen) } else { Vec::new() },
            topics: newsletter.topics.iter().map(topic).collect(),
            zone: zone.name().to_owned(),
            next: Next::new(imprint, newsletter, service, zone, now),
            pause: chosen.paused_until.map_or(String::new(), |until| day(zone.to_local(until).date())),
            tomorrow: day(today + Duration::days(1)),
            can_be_rarer: newsletter.cadences.contains(&Cadence::Weekly) && chosen.cadence != Cadence::Weekly,
        }
    }
}

impl Offer {
    /// Something that is chosen or not.
    pub fn new(value: impl Into<String>, label: impl Into<String>, is_chosen: bool) -> Offer {
        Offer { value: value.into(), label: label.into(), is_chosen }
    }

    /// The cadences that are offered, of which `chosen` is chosen.
    pub(super) fn cadences(words: &Words, is_offered: impl Fn(Cadence) -> bool, chosen: Option<Cadence>) -> Vec<Offer> {
        let key = |cadence| match cadence {
            Cadence::Instant => "cadence-instant",
            Cadence::Daily => "cadence-daily",
            Cadence::Weekly => "cadence-weekly",
        };
        let offer =
            |cadence: Cadence| Offer::new(cadence.as_str(), words.say(key(cadence), &[]), chosen == Some(cadence));
        Cadence::ALL.into_iter().filter(|cadence| is_offered(*cadence)).map(offer).collect()
    }
}

fn hours(newsletter: &Newsletter, chosen: &Choices) -> Vec<Offer> {
    let theirs = chosen.hour.unwrap_or(newsletter.digest_time.hour);
    (0..24).map(|hour| Offer::new(hour.to_string(), format!("{hour:02}:00"), hour == theirs)).collect()
}

fn weekdays(imprint: &Imprint<'_>, newsletter: &Newsletter, chosen: &Choices) -> Vec<Offer> {
    let theirs = chosen.weekday.unwrap_or(newsletter.digest_time.weekday);
    let days = (0..7).filter_map(|number| Weekday::try_from(number).ok());
    let name = |day: Weekday| imprint.words.say("weekday", &[("weekday", day.number_from_monday().into())]);
    days.map(|day| Offer::new(day.to_string().to_lowercase(), name(day), day == theirs)).collect()
}

fn day(date: NaiveDate) -> String {
    date.format("%Y-%m-%d").to_string()
}

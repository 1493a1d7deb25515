//! When the next mails come to one reader.

use chrono::{DateTime, Utc};

use super::{Cadence, Newsletter, NewsletterId, Service};

/// The next `most` mails after `now`, if there is news by then: the slots of the digests that somebody reads, and the
/// moments of `scheduled` articles (when, and their tags) where each comes at once.
pub fn next_mails<'a>(
    subscriptions: impl IntoIterator<Item = (&'a Newsletter, &'a Service)>,
    scheduled: impl Fn(&NewsletterId) -> Vec<(DateTime<Utc>, &'a [String])>,
    now: DateTime<Utc>,
    most: usize,
) -> Vec<(DateTime<Utc>, &'a Newsletter)> {
    let mut mails = Vec::new();
    for (newsletter, service) in subscriptions {
        let mut from = service.paused_until.filter(|until| *until > now).map_or(now, |until| until - PAUSE_ENDS_BEFORE);
        let time = service.rhythm.time(&newsletter.digest_time);
        let digests = match (service.rhythm.cadence, service.returns_to_instant) {
            (Cadence::Instant, _) => 0,
            (_, true) => 1,
            (_, false) => most,
        };
        for _ in 0..digests {
            let Some(slot) = time.next_slot(service.rhythm.cadence, from) else { break };
            mails.push((slot, newsletter));
            from = slot;
        }
        if service.choices(now).cadence == Cadence::Instant {
            let wanted =
                |tags: &[String]| service.topics.is_empty() || tags.iter().any(|tag| service.topics.contains(tag));
            let due = scheduled(&newsletter.id).into_iter().filter(|(at, tags)| *at > from && wanted(tags));
            mails.extend(due.map(|(at, _)| (at, newsletter)));
        }
    }
    mails.sort_by(|one, other| one.0.cmp(&other.0).then_with(|| one.1.id.cmp(&other.1.id)));
    mails.truncate(most);
    mails
}

/// A digest at the very end of a pause comes.
const PAUSE_ENDS_BEFORE: chrono::Duration = chrono::Duration::milliseconds(1);

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Weekday};

    use super::*;
    use crate::model::{Access, DigestTime, EmailAddress, Rhythm, SendPolicy, Sender};
    use crate::zone::Zone;

    #[test]
    fn the_next_mails_are_told_in_order() {
        let newsletter = |id: &str| Newsletter {
            id: NewsletterId::new(id),
            title: id.to_owned(),
            description: String::new(),
            from: Sender { name: id.to_owned(), address: EmailAddress::parse("wire@example.com").unwrap() },
            reply_to: None,
            default_cadence: Cadence::Daily,
            cadences: Cadence::ALL.to_vec(),
            digest_time: DigestTime { hour: 7, weekday: Weekday::Mon, zone: Zone::utc() },
            topics: Vec::new(),
            access: Access::Public,
            send: SendPolicy::Auto,
        };
        let service = |cadence, paused_until| Service {
            rhythm: Rhythm::of(cadence),
            returns_to_instant: false,
            topics: Vec::new(),
            paused_until,
        };
        let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap(); // a Sunday
        let (daily, weekly, instant) = (newsletter("daily"), newsletter("weekly"), newsletter("instant"));
        let scheduled = |id: &NewsletterId| match id.as_str() {
            "instant" => vec![(now - TimeDelta::hours(1), &[][..]), (now + TimeDelta::hours(1), &[][..])],
            _ => vec![(now + TimeDelta::hours(2), &[][..])],
        };
        let until = Some("2026-11-24T07:00:00Z".parse().unwrap());
        let services =
            [service(Cadence::Daily, until), service(Cadence::Weekly, None), service(Cadence::Instant, None)];
        let subscriptions = [&daily, &weekly, &instant].into_iter().zip(&services);
        let mails = next_mails(subscriptions, scheduled, now, 4);
        let mails: Vec<_> = mails.iter().map(|(at, of)| format!("{} {}", at.format("%a %H:%M"), of.id)).collect();
        assert_eq!(mails, ["Sun 13:00 instant", "Mon 07:00 weekly", "Tue 07:00 daily", "Wed 07:00 daily"]);
    }
}

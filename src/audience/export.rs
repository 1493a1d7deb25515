//! Everybody, as a CSV that `import` reads back without a loss.

use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::model::NewsletterId;
use crate::store::{Store, Subscriber};

use super::csv_cells::guarded;

/// The columns, in the order of the file.
pub(super) const COLUMNS: [&str; 13] = [
    "email", "name", "newsletter", "cadence", "state", "time_zone", "language", "tags", "created_at", "hour",
    "weekday", "topics", "paused_until",
];

/// People read from the database at a time.
const AT_ONCE: i64 = 1_000;

/// Writes one line a subscription, of `newsletter` or of all, and says how many.
///
/// Whoever is not to be mailed has the state `suppressed`, so that no other database revives them.
pub async fn export(store: &Store, newsletter: Option<&NewsletterId>, out: impl Write) -> anyhow::Result<u64> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(COLUMNS)?;
    let (mut lines, mut after) = (0, String::new());
    loop {
        let people = store.subscribers_after(&after, AT_ONCE).await?;
        let Some(last) = people.last() else { break };
        after = last.id.as_str().to_owned();
        for person in &people {
            lines += write_person(&mut writer, person, newsletter)?;
        }
    }
    for key in store.suppressed_strangers().await? {
        let mut cells = [const { String::new() }; COLUMNS.len()];
        cells[0] = guarded(&key).into_owned();
        cells[4] = "suppressed".to_owned();
        writer.write_record(cells)?;
        lines += 1;
    }
    writer.flush()?;
    Ok(lines)
}

fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn write_person(
    writer: &mut csv::Writer<impl Write>,
    person: &Subscriber,
    newsletter: Option<&NewsletterId>,
) -> anyhow::Result<u64> {
    let mut lines = 0;
    let detail = |index: usize| person.details[index].clone().unwrap_or_default();
    for subscription in &person.subscriptions {
        if newsletter.is_some_and(|wanted| *wanted != subscription.newsletter) {
            continue;
        }
        let state = if person.suppression.is_some() { "suppressed" } else { subscription.state.as_str() };
        let service = &subscription.service;
        let cells = [
            person.email.clone(),
            person.name.clone().unwrap_or_default(),
            subscription.newsletter.as_str().to_owned(),
            subscription.cadence().as_str().to_owned(),
            state.to_owned(),
            detail(0),
            detail(1),
            detail(2),
            written(person.created_at),
            service.rhythm.hour.map(|hour| hour.to_string()).unwrap_or_default(),
            service.rhythm.weekday.map(|day| day.to_string().to_lowercase()).unwrap_or_default(),
            service.topics.join(";"),
            service.paused_until.map(written).unwrap_or_default(),
        ];
        writer.write_record(cells.iter().map(|cell| guarded(cell).into_owned()))?;
        lines += 1;
    }
    Ok(lines)
}

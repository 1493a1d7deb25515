//! People from a file: read line by line, decided line by line, and written some at a time while the next are read. It
//! mails nobody.
//!
//! Only a state that plainly means active makes anybody active. Whoever has left here, or is not to be mailed, stays
//! so, whatever the file says. A second run of the same file changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Read;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc, Weekday};
use csv::ByteRecord;
use serde::Serialize;
use tokio::task::JoinHandle;

use crate::auth::ServerKeys;
use crate::config::{Settings, is_unfit};
use crate::model::{Cadence, Choices, EmailAddress, NewsletterId, SubscriptionState, SuppressionReason, Wish};
use crate::store::{Newcomer, Store, StoreError, Subscriber};

use super::csv_cells::unguarded;
use super::export::COLUMNS;
use super::{LONGEST_PAUSE, choice, clean_name, erased_as};

/// Lines written in one transaction: PostgreSQL takes longest for them, and readers who do something meanwhile wait.
const AT_ONCE: usize = 1_000;

/// What stands for columns that the file does not have.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// To what, where there is no column `newsletter` or nothing in it.
    pub newsletters: Vec<NewsletterId>,
    /// How often, in the same way.
    pub cadence: Option<Cadence>,
    /// Where everybody stands, if there is no column `state`.
    pub state: Option<SubscriptionState>,
    /// Only say what would happen.
    pub dry_run: bool,
}

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Lines with a person on them.
    pub rows: u64,
    /// New subscriptions.
    pub imported: u64,
    /// Subscriptions and people that changed.
    pub updated: u64,
    /// Whatever was so already.
    pub unchanged: u64,
    /// Whoever left or is not to be mailed.
    pub suppressed: u64,
    /// Lines that cannot be read.
    pub rejected: u64,
    /// Every line that was not imported, and why.
    #[serde(skip)]
    pub report: Vec<Rejected>,
    /// Columns that nothing was read from.
    #[serde(skip)]
    pub unread_columns: Vec<String>,
}

/// A line that was not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its line number.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Why nothing, or nothing more, was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// What the person who started it can put right.
    #[error("{0}")]
    File(String),
    /// The database's trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A line that could be read: one person, perhaps several newsletters.
struct Line {
    number: u64,
    newcomers: Vec<Newcomer>,
    /// Where they are to stand; none: they are not to be mailed.
    state: Option<SubscriptionState>,
}

/// What is to be done about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Imported,
    Updated,
    Unchanged,
    Suppressed(&'static str),
}

/// Reads a CSV with a line of column names, and writes what it says.
pub async fn import(
    store: &Store,
    server_keys: &ServerKeys,
    settings: &Settings,
    file: impl Read + Send,
    options: &ImportOptions,
    now: DateTime<Utc>,
) -> Result<Imported, ImportError> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let header = reader.byte_headers().map_err(|error| ImportError::File(format!("cannot read the file: {error}")))?;
    let columns = Columns::read(header, settings, options)?;
    let mut report = Imported { unread_columns: columns.unread.clone(), ..Imported::default() };
    let (mut batch, mut seen, mut writing) = (Vec::new(), HashSet::new(), Writing::default());
    let mut record = ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => {
                writing.finish().await?;
                return Err(ImportError::File(format!("cannot read the file any further: {error}")));
            }
        }
        report.rows += 1;
        let number = record.position().map_or(0, csv::Position::line);
        match columns.line(&record, number, now) {
            Err(reason) => {
                report.rejected += 1;
                report.report.push(Rejected { line: number, reason });
            }
            Ok(line) => {
                let keys: Vec<_> = line.keys().collect();
                if batch.len() >= AT_ONCE || keys.iter().any(|key| seen.contains(key)) {
                    let batch = std::mem::take(&mut batch);
                    writing.begin((store, server_keys), batch, options, now, &mut report).await?;
                    seen.clear();
                }
                seen.extend(keys);
                batch.push(line);
            }
        }
    }
    writing.begin((store, server_keys), batch, options, now, &mut report).await?;
    writing.finish().await?;
    report.report.sort_by_key(|rejected| rejected.line);
    Ok(report)
}

/// The lines that are being written while the next are read.
#[derive(Default)]
struct Writing {
    people: HashSet<String>,
    task: Option<JoinHandle<Result<(), StoreError>>>,
}

impl Writing {
    /// Waits until they are written.
    async fn finish(&mut self) -> Result<(), StoreError> {
        self.people.clear();
        match self.task.take() {
            Some(task) => task.await.map_err(|_| StoreError::Closed)?,
            None => Ok(()),
        }
    }

    /// Decides about lines by what is known, counts all, and begins to write those that change something.
    async fn begin(
        &mut self,
        (store, server_keys): (&Store, &ServerKeys),
        batch: Vec<Line>,
        options: &ImportOptions,
        now: DateTime<Utc>,
        report: &mut Imported,
    ) -> Result<(), StoreError> {
        let people: HashSet<String> =
            batch.iter().flat_map(|line| &line.newcomers).map(|newcomer| newcomer.email.key().to_owned()).collect();
        // Whoever is being written is known only afterwards.
        if !self.people.is_disjoint(&people) {
            self.finish().await?;
        }
        let keys: Vec<&str> = people.iter().map(String::as_str).collect();
        let known = store.subscribers_with(&keys).await?.into_iter();
        let known: HashMap<String, Subscriber> = known.map(|known| (known.email_key.clone(), known)).collect();
        let unwanted = unwanted(store, server_keys, &keys).await?;
        let (mut newcomers, mut unwished) = (Vec::new(), Vec::new());
        for mut line in batch {
            let Some(key) = line.newcomers.first().map(|newcomer| newcomer.email.key().to_owned()) else { continue };
            let (known, is_unwanted) = (known.get(&key), unwanted.contains(&key));
            let fate = |newcomer| decide(newcomer, line.state, known, is_unwanted, now);
            let fates: Vec<Fate> = line.newcomers.iter_mut().map(fate).collect();
            report.count(line.number, &fates);
            if line.state.is_none() {
                unwished.push(key);
            }
            let changed = line.newcomers.into_iter().zip(fates);
            let changed = changed.filter(|(_, fate)| matches!(fate, Fate::Imported | Fate::Updated));
            newcomers.extend(changed.map(|(newcomer, _)| newcomer));
        }
        self.finish().await?;
        if !options.dry_run {
            self.people = people;
            self.task = Some(tokio::spawn(write(store.clone(), newcomers, unwished, now)));
        }
        Ok(())
    }
}

async fn write(
    store: Store,
    newcomers: Vec<Newcomer>,
    unwished: Vec<String>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if !newcomers.is_empty() {
        store.import(newcomers, now).await?;
    }
    if !unwished.is_empty() {
        store.suppress(unwished, SuppressionReason::Request, now).await?;
    }
    Ok(())
}

/// Which of these are not to be mailed, also because their owner was erased.
async fn unwanted(store: &Store, server_keys: &ServerKeys, keys: &[&str]) -> Result<HashSet<String>, StoreError> {
    let hashes = |key: &&str| erased_as(server_keys, key).into_iter().zip(std::iter::repeat((*key).to_owned()));
    let erased: HashMap<String, String> = keys.iter().flat_map(hashes).collect();
    let asked: Vec<&str> = keys.iter().copied().chain(erased.keys().map(String::as_str)).collect();
    let suppressed = store.suppressions_of(&asked).await?.into_keys();
    Ok(suppressed.map(|found| erased.get(&found).cloned().unwrap_or(found)).collect())
}

/// What happens to one subscription, which is set to where it will stand.
fn decide(
    newcomer: &mut Newcomer,
    wanted: Option<SubscriptionState>,
    known: Option<&Subscriber>,
    is_suppressed: bool,
    now: DateTime<Utc>,
) -> Fate {
    let Some(wanted) = wanted else { return Fate::Suppressed("the file says not to mail this address") };
    if is_suppressed {
        return Fate::Suppressed("the address is not to be mailed: it bounced, complained or asked for that");
    }
    let (newsletter, cadence, state) = &mut newcomer.subscription;
    let Some(subscriber) = known else { return Fate::Imported };
    let Some(theirs) = subscriber.subscriptions.iter().find(|theirs| theirs.newsletter == *newsletter) else {
        return Fate::Imported;
    };
    // Only the reader's own act revives what ended.
    if theirs.state == SubscriptionState::Ended && wanted != SubscriptionState::Ended {
        return Fate::Suppressed("the reader has left this newsletter");
    }
    *state = if wanted == SubscriptionState::Pending { theirs.state } else { wanted };
    let brings = |new: &Option<String>, old: &Option<String>| new.is_some() && new != old;
    let changes_person = brings(&newcomer.name, &subscriber.name)
        || newcomer.details.iter().zip(&subscriber.details).any(|(new, old)| brings(new, old));
    let before = theirs.service.choices(now);
    let after = newcomer.wish.put_into(Choices { cadence: *cadence, ..before.clone() });
    let changes_subscription = *state != theirs.state || (after != before && theirs.state != SubscriptionState::Ended);
    if changes_person || changes_subscription { Fate::Updated } else { Fate::Unchanged }
}

impl Line {
    fn keys(&self) -> impl Iterator<Item = (String, NewsletterId)> {
        self.newcomers.iter().map(|newcomer| (newcomer.email.key().to_owned(), newcomer.subscription.0.clone()))
    }
}

impl Imported {
    /// A line counts once, as the most that happened to any of its newsletters.
    fn count(&mut self, line: u64, fates: &[Fate]) {
        let suppressed = fates.iter().find_map(|fate| match fate {
            Fate::Suppressed(reason) => Some(*reason),
            _ => None,
        });
        if let Some(reason) = suppressed {
            self.report.push(Rejected { line, reason: reason.to_owned() });
        }
        if fates.contains(&Fate::Imported) {
            self.imported += 1;
        } else if fates.contains(&Fate::Updated) {
            self.updated += 1;
        } else if suppressed.is_some() {
            self.suppressed += 1;
        } else {
            self.unchanged += 1;
        }
    }
}

/// Where each column stands, and what stands in for those that are missing.
struct Columns<'a> {
    places: BTreeMap<&'static str, usize>,
    unread: Vec<String>,
    settings: &'a Settings,
    options: &'a ImportOptions,
}

impl<'a> Columns<'a> {
    fn read(
        header: &ByteRecord,
        settings: &'a Settings,
        options: &'a ImportOptions,
    ) -> Result<Columns<'a>, ImportError> {
        let (mut places, mut unread) = (BTreeMap::new(), Vec::new());
        for (place, name) in header.iter().enumerate() {
            let name = String::from_utf8_lossy(name);
            let name = name.trim_start_matches('\u{feff}').trim().to_lowercase().replace([' ', '-'], "_");
            match COLUMNS.into_iter().find(|column| *column == name) {
                Some(column) if places.contains_key(column) => {
                    return Err(ImportError::File(format!("two columns are called `{column}`; leave one out")));
                }
                Some(column) => drop(places.insert(column, place)),
                None => unread.push(name),
            }
        }
        if !places.contains_key("email") {
            let message = "the first line names no column `email`; name the columns there, such as `email,name,state`";
            return Err(ImportError::File(message.to_owned()));
        }
        if !places.contains_key("state") && options.state.is_none() {
            let message = "the file has no column `state`; say where its people stand with `--state active` or \
                `--state pending`";
            return Err(ImportError::File(message.to_owned()));
        }
        if !places.contains_key("newsletter") && options.newsletters.is_empty() && settings.newsletters.len() > 1 {
            let message = "the file has no column `newsletter`; say which one with `--newsletter ID`";
            return Err(ImportError::File(message.to_owned()));
        }
        Ok(Columns { places, unread, settings, options })
    }

    /// A cell without the white space around it; none if it is empty.
    fn cell<'r>(&self, record: &'r ByteRecord, column: &str) -> Result<Option<&'r str>, String> {
        let cell = self.places.get(column).and_then(|place| record.get(*place)).unwrap_or_default();
        let cell = str::from_utf8(cell).map_err(|_| format!("`{column}` is not UTF-8"))?;
        Ok(Some(unguarded(cell).trim()).filter(|cell| !cell.is_empty()))
    }

    fn line(&self, record: &ByteRecord, number: u64, now: DateTime<Utc>) -> Result<Line, String> {
        let email = EmailAddress::parse(self.cell(record, "email")?.unwrap_or_default());
        let email = email.map_err(|error| error.to_string())?;
        let name = clean_name(self.cell(record, "name")?.unwrap_or_default())?;
        let detail = |column| Ok::<_, String>(clean_name(self.cell(record, column)?.unwrap_or_default())?);
        let details = [detail("time_zone")?, detail("language")?, detail("tags")?];
        let created_at = self.moment(record, "created_at")?.unwrap_or(now);
        let wanted = match self.cell(record, "state")? {
            Some(word) => state_of(word)?,
            None => Some(self.options.state.ok_or("there is nothing in `state`")?),
        };
        let state = wanted.unwrap_or(SubscriptionState::Ended);
        let cadence = self.cell(record, "cadence")?.map(|word| {
            let cadence = Cadence::parse(&word.to_lowercase());
            cadence.ok_or_else(|| format!("the cadence `{word}` is none of instant, daily, weekly"))
        });
        let cadence = cadence.transpose()?.or(self.options.cadence);
        let wish = self.wish(record, now)?;
        let newcomer = |id: NewsletterId| {
            let known = self.settings.newsletter(&id).ok_or_else(|| format!("there is no newsletter `{id}`"))?;
            let choice = choice(known, cadence);
            let subscription = (choice.newsletter, choice.cadence, state);
            let (email, name, details) = (email.clone(), name.clone(), details.clone());
            Ok::<_, String>(Newcomer { email, name, details, created_at, subscription, wish: wish.clone() })
        };
        let newcomers = self.newsletters(record, wanted)?.into_iter().map(newcomer).collect::<Result<_, _>>()?;
        Ok(Line { number, newcomers, state: wanted })
    }

    /// When and about what, as far as the line says.
    fn wish(&self, record: &ByteRecord, now: DateTime<Utc>) -> Result<Wish, String> {
        let hour = self.cell(record, "hour")?.map(|text| {
            let hour = text.parse().ok().filter(|hour| *hour < 24);
            hour.ok_or_else(|| format!("the hour `{text}` is none of 0 to 23"))
        });
        let weekday = self.cell(record, "weekday")?.map(|text| {
            text.parse::<Weekday>()
                .map_err(|_| format!("the weekday `{text}` is none of mon, tue, wed, thu, fri, sat, sun"))
        });
        let topics = self.cell(record, "topics")?.map(|topics| {
            let topics: BTreeSet<&str> = topics.split(';').map(str::trim).filter(|topic| !topic.is_empty()).collect();
            let are_fit = topics.iter().all(|topic| !topic.contains(is_unfit));
            are_fit.then(|| topics.into_iter().map(str::to_owned).collect()).ok_or("a topic is one line")
        });
        let paused_until = self.moment(record, "paused_until")?.filter(|until| *until > now);
        if paused_until.is_some_and(|until| until > now + LONGEST_PAUSE) {
            return Err("a pause is at most a year".to_owned());
        }
        Ok(Wish { hour: hour.transpose()?, weekday: weekday.transpose()?, topics: topics.transpose()?, paused_until })
    }

    /// RFC 3339, or a day.
    fn moment(&self, record: &ByteRecord, column: &str) -> Result<Option<DateTime<Utc>>, String> {
        let Some(text) = self.cell(record, column)? else { return Ok(None) };
        let moment = DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc());
        let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").map(|day| day.and_time(NaiveTime::MIN).and_utc());
        moment.or_else(|_| day()).map(Some).map_err(|_| format!("`{column}` is not a moment such as `2026-03-01`"))
    }

    /// Those of the cell, separated by `;`; else those of the command line; else the only one there is.
    fn newsletters(
        &self,
        record: &ByteRecord,
        wanted: Option<SubscriptionState>,
    ) -> Result<BTreeSet<NewsletterId>, String> {
        let cell = self.cell(record, "newsletter")?.unwrap_or_default();
        let named = cell.split([';', ',']).map(str::trim).filter(|id| !id.is_empty()).map(NewsletterId::new);
        let named: BTreeSet<NewsletterId> = named.collect();
        if !named.is_empty() {
            return Ok(named);
        }
        match (self.options.newsletters.as_slice(), self.settings.newsletters.as_slice()) {
            ([], [only]) => Ok(BTreeSet::from([only.id.clone()])),
            // Who is not to be mailed is not to be mailed by any of them.
            ([], [first, ..]) if wanted.is_none() => Ok(BTreeSet::from([first.id.clone()])),
            ([], _) => Err("there is nothing in `newsletter`".to_owned()),
            (named, _) => Ok(named.iter().cloned().collect()),
        }
    }
}

/// Where a word of the column `state` puts somebody, in any case; none: not to be mailed. A word that could mean either
/// is refused.
fn state_of(word: &str) -> Result<Option<SubscriptionState>, String> {
    match word.to_lowercase().as_str() {
        "active" | "subscribed" | "confirmed" | "enabled" | "verified" => Ok(Some(SubscriptionState::Active)),
        "pending" | "unconfirmed" | "unverified" => Ok(Some(SubscriptionState::Pending)),
        "ended" | "unsubscribed" | "left" => Ok(Some(SubscriptionState::Ended)),
        "suppressed" | "blocklisted" | "bounced" | "complained" => Ok(None),
        _ => {
            let word: String = word.chars().filter(|character| !is_unfit(*character)).take(40).collect();
            Err(format!("the state `{word}` does not plainly say active, pending, ended or suppressed"))
        }
    }
}

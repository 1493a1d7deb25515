//! `subscribers`: the audience, one by one or from a file.

use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::audience::{self, ImportError, ImportOptions, Imported};
use crate::clock;
use crate::content;
use crate::files;
use crate::model::{Cadence, NewsletterId, SubscriptionState, SuppressionReason};
use crate::publishing::Office;
use crate::store::{AccountEvent, Subscriber};
use crate::zone::Zone;

use super::opened::{Opened, data, open};
use super::{Context, Done, Failure, Format, email};

/// List, add, import, export and erase readers, and make them members
///
/// Nothing here mails anybody, but for the last mail to whoever is erased.
#[derive(Debug, Args)]
pub struct Subscribers {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List everybody whose address is known
    List {
        /// Only those who ever had this newsletter
        #[arg(long, value_name = "ID")]
        newsletter: Option<String>,
    },
    /// Show one reader, and what happened to their account of late
    Show {
        /// Their address
        address: String,
    },
    /// Add one reader, whose consent you have
    Add {
        /// Their address
        address: String,
        /// How they want to be called
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Read a CSV file with readers, whose consent you have
    ///
    /// Columns: email, name, newsletter, cadence, state, time_zone, language, tags, created_at, hour, weekday, topics,
    /// paused_until. Only a state that plainly says so makes a reader active; whoever left here, or is not to be
    /// mailed, stays so.
    Import(Import),
    /// Print everybody as a CSV that `import` reads
    Export {
        /// Only this newsletter
        #[arg(long, value_name = "ID")]
        newsletter: Option<String>,
    },
    /// Take a reader out of everything that is kept, and write them one last mail
    Erase {
        /// Their address
        address: String,
        /// Do it; there is no way back
        #[arg(long, required = true)]
        yes: bool,
    },
    /// End a reader's subscriptions
    Unsubscribe {
        /// Their address
        address: String,
        /// Only to this newsletter
        #[arg(long, value_name = "ID")]
        newsletter: Option<String>,
    },
    /// Make a reader a member, who reads what is `access: paid`, without paying
    ///
    /// It takes the place of what was granted before. The reader stays subscribed when it ends.
    Grant {
        /// Their address
        address: String,
        /// Until when: a day, which counts to its end, or a moment as `2026-12-01 07:00`
        #[arg(long, value_name = "TIME", required_unless_present = "end", conflicts_with = "end")]
        until: Option<String>,
        /// Until now: end it
        #[arg(long)]
        end: bool,
    },
    /// Mail an address no more; after `request`, until its owner signs up and confirms anew
    Suppress {
        /// The address (can be repeated)
        #[arg(required = true)]
        addresses: Vec<String>,
        /// Why
        #[arg(long, value_enum, default_value_t = Reason::Request)]
        reason: Reason,
    },
}

#[derive(Debug, Args)]
struct Import {
    /// The file
    file: PathBuf,
    /// What kind of file it is
    #[arg(long, value_enum)]
    from: FileKind,
    #[command(flatten)]
    wanted: Wanted,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What stands for what the file does not say.
#[derive(Debug, Args)]
struct Wanted {
    /// To which newsletter (can be repeated)
    #[arg(long, value_name = "ID")]
    newsletter: Vec<String>,
    /// How often; else the newsletter's usual cadence
    #[arg(long, value_parser = ["instant", "daily", "weekly"])]
    cadence: Option<String>,
    /// Where they stand
    #[arg(long, value_parser = ["active", "pending"])]
    state: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FileKind {
    /// Comma separated, with a line of column names
    Csv,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Reason {
    /// The mailbox does not exist
    HardBounce,
    /// Its owner called our mail spam
    Complaint,
    /// Its owner asked for it
    Request,
}

/// People read from the database at a time.
const AT_ONCE: i64 = 1_000;
/// So much of what happened to an account is shown.
const EVENTS_SHOWN: i64 = 20;

#[derive(Serialize)]
struct Person<'a> {
    id: &'a str,
    email: &'a str,
    name: Option<&'a str>,
    state: &'static str,
    subscriptions: Vec<Subscribed<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member_until: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<&'a [AccountEvent]>,
}

#[derive(Serialize)]
struct Subscribed<'a> {
    newsletter: &'a str,
    cadence: &'static str,
    state: &'static str,
}

#[derive(Serialize)]
struct Read {
    #[serde(flatten)]
    imported: Imported,
    report: Option<String>,
}

/// Runs the command.
pub async fn run(subscribers: Subscribers, context: &Context) -> Done {
    let opened = open(context, None).await?;
    match subscribers.command {
        Command::List { newsletter } => list(&opened, context, newsletter).await,
        Command::Show { address } => show(&opened, context, &address).await,
        Command::Add { address, name, wanted } => add(&opened, context, &address, name.as_deref(), &wanted).await,
        Command::Import(import) => read(&opened, context, &import).await,
        Command::Export { newsletter } => export(&opened, context, newsletter).await,
        Command::Erase { address, yes: _ } => erase(&opened, context, &address).await,
        Command::Unsubscribe { address, newsletter } => unsubscribe(&opened, context, &address, newsletter).await,
        Command::Grant { address, until, end: _ } => grant(&opened, context, &address, until.as_deref()).await,
        Command::Suppress { addresses, reason } => suppress(&opened, context, &addresses, reason).await,
    }
}

async fn list(opened: &Opened, context: &Context, newsletter: Option<String>) -> Done {
    let newsletter = newsletter.map(|id| known_newsletter(opened, &id)).transpose()?;
    let mut after = String::new();
    loop {
        let people = opened.store.subscribers_after(&after, AT_ONCE).await?;
        let Some(last) = people.last() else { return Ok(()) };
        after = last.id.as_str().to_owned();
        let wanted = people.iter().filter(|person| {
            newsletter.as_ref().is_none_or(|id| person.subscriptions.iter().any(|theirs| theirs.newsletter == *id))
        });
        context.print(&wanted.map(|person| line(person, None, context.format)).collect::<String>())?;
    }
}

async fn show(opened: &Opened, context: &Context, address: &str) -> Done {
    let person = reader(opened, address).await?;
    let events = opened.store.account_events(&person.id, EVENTS_SHOWN).await?;
    let memberships = opened.store.memberships(&person.id).await?;
    let member_until = memberships.first().map(|membership| membership.reads_until).filter(|end| *end > clock::now());
    context.print(&line(&person, Some((&events, member_until)), context.format))
}

/// One person: an object, or one line for people; and what happened to their account and until when they are a member,
/// if that is asked for.
fn line(person: &Subscriber, more: Option<(&[AccountEvent], Option<DateTime<Utc>>)>, format: Format) -> String {
    let (events, member_until) = more.map_or((None, None), |(events, end)| (Some(events), end));
    let subscription = |theirs: &crate::store::Subscription| {
        format!("{} ({}, {})", theirs.newsletter, theirs.cadence().as_str(), theirs.state.as_str())
    };
    if format == Format::Human {
        let subscriptions: Vec<String> = person.subscriptions.iter().map(subscription).collect();
        let standing = audience::standing(person);
        let line = format!("{:<40} {standing:<10} {}\n", person.email, subscriptions.join(", "));
        let events = events.unwrap_or_default().iter().map(|AccountEvent { at, event, detail }| {
            format!("  {} UTC  {event:<18} {detail}\n", at.format("%Y-%m-%d %H:%M:%S"))
        });
        let member = member_until.map(|end| format!("  a member until {} UTC\n", end.format("%Y-%m-%d %H:%M")));
        return line + &member.unwrap_or_default() + &events.collect::<String>();
    }
    let subscriptions = person.subscriptions.iter().map(|theirs| Subscribed {
        newsletter: theirs.newsletter.as_str(),
        cadence: theirs.cadence().as_str(),
        state: theirs.state.as_str(),
    });
    let person = Person {
        id: person.id.as_str(),
        email: &person.email,
        name: person.name.as_deref(),
        state: audience::standing(person),
        subscriptions: subscriptions.collect(),
        member_until,
        events,
    };
    format!("{}\n", serde_json::to_string(&person).unwrap_or_default())
}

async fn grant(opened: &Opened, context: &Context, address: &str, until: Option<&str>) -> Done {
    let (zone, now) = (&opened.edition.settings.publication.zone, clock::now());
    let until = match until {
        None => now,
        Some(text) => {
            let wrong = || Failure::yours(format!("`{text}` is not a day or moment"), "write it as `2026-12-31`");
            let end = end_of(text, zone).ok_or_else(wrong)?;
            if end <= now {
                return Err(Failure::yours(format!("`{text}` is over"), "give a later one, or `--end`"));
            }
            if end > now + LONGEST_GRANT {
                let help = "give an earlier one";
                return Err(Failure::yours(format!("`{text}` is more than a hundred years ahead"), help));
            }
            end
        }
    };
    let person = reader(opened, address).await?;
    let memberships = opened.store.memberships(&person.id).await?;
    let is_member = memberships.iter().any(|membership| membership.bought.is_none() && membership.is_open(now));
    if until == now && !is_member {
        return Err(Failure::yours(format!("`{address}` is not a member"), "there is nothing to end"));
    }
    opened.store.grant_membership(&person.id, until, now).await?;
    show(opened, context, address).await
}

/// Nobody is a member for longer.
const LONGEST_GRANT: TimeDelta = TimeDelta::days(36_525);

/// The end of a day in the publication's zone, or a moment.
fn end_of(text: &str, zone: &Zone) -> Option<DateTime<Utc>> {
    match text.parse::<NaiveDate>() {
        Ok(day) => Some(zone.to_instant(day.succ_opt()?.and_time(NaiveTime::MIN))),
        Err(_) => content::parse_moment(text, zone),
    }
}

async fn add(opened: &Opened, context: &Context, address: &str, name: Option<&str>, wanted: &Wanted) -> Done {
    let email = email(address)?;
    let mut options = options(opened, wanted, false)?;
    options.state = options.state.or(Some(SubscriptionState::Active));
    let newsletters = &opened.edition.settings.newsletters;
    if options.newsletters.is_empty() && newsletters.len() > 1 {
        let known: Vec<&str> = newsletters.iter().map(|known| known.id.as_str()).collect();
        let help = format!("say which with `--newsletter`: {}", known.join(", "));
        return Err(Failure::yours("there is more than one newsletter", help));
    }
    let file = format!("email,name\n{},{}\n", quoted(email.as_str()), quoted(name.unwrap_or_default()));
    let imported = import(opened, file.as_bytes(), &options).await?;
    match imported.report.first() {
        Some(rejected) => Err(Failure::yours(
            format!("`{address}` was not added: {}", rejected.reason),
            "only the reader can come back, by signing up again",
        )),
        None => show(opened, context, address).await,
    }
}

async fn read(opened: &Opened, context: &Context, wanted: &Import) -> Done {
    let FileKind::Csv = wanted.from;
    let file = files::open_stream(&wanted.file)?;
    let imported = import(opened, file, &options(opened, &wanted.wanted, wanted.dry_run)?).await?;
    if !imported.unread_columns.is_empty() {
        context.say(&format!("Nothing was read from these columns: {}.", imported.unread_columns.join(", ")));
    }
    let report = write_report(&data(context.root()), &imported)?.map(|path| path.display().to_string());
    context.answer(&Read { imported, report }, |Read { imported, report }| {
        let Imported { rows, imported, updated, unchanged, suppressed, rejected, .. } = imported;
        let dry = if wanted.dry_run { "Nothing was changed. It would be: " } else { "" };
        let report = report.iter().map(|path| format!(" Each line that was not imported: {path}")).collect::<String>();
        format!(
            "{dry}{rows} rows: {imported} imported, {updated} updated, {unchanged} unchanged, {suppressed} suppressed, \
             {rejected} rejected.{report}"
        )
    })
}

async fn import(opened: &Opened, file: impl std::io::Read + Send, options: &ImportOptions) -> Done<Imported> {
    let office = opened.office();
    office.enter_new_newsletters().await?;
    let Office { store, edition, now } = office;
    audience::import(store, &opened.keys, &edition.settings, file, options, now).await.map_err(|error| match error {
        ImportError::Store(error) => error.into(),
        ImportError::File(problem) => Failure::yours(problem, "`pressrun subscribers import --help` names the columns"),
    })
}

/// A CSV of line numbers and reasons; none if there is nothing to say.
fn write_report(data: &Path, imported: &Imported) -> Done<Option<PathBuf>> {
    if imported.report.is_empty() {
        return Ok(None);
    }
    let mut report = String::from("line,reason\n");
    for rejected in &imported.report {
        report.push_str(&format!("{},{}\n", rejected.line, quoted(&rejected.reason)));
    }
    let path = data.join(format!("import-{}.csv", clock::now().format("%Y%m%d-%H%M%S-%3f")));
    files::write_atomically(&path, report.as_bytes())?;
    Ok(Some(path))
}

/// A cell that may hold anything (RFC 4180, 2).
fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

async fn export(opened: &Opened, context: &Context, newsletter: Option<String>) -> Done {
    let newsletter = newsletter.map(|id| known_newsletter(opened, &id)).transpose()?;
    let exported = audience::export(&opened.store, newsletter.as_ref(), std::io::stdout()).await;
    let lines = exported.map_err(|error| Failure::ours(format!("the export stopped: {error}"), "run it again"))?;
    context.say(&format!("Exported {lines} subscriptions."));
    Ok(())
}

async fn erase(opened: &Opened, context: &Context, address: &str) -> Done {
    let (email, person) = (email(address)?, reader(opened, address).await?);
    let language = person.details[1].clone();
    let language = language.unwrap_or_else(|| opened.edition.settings.publication.language.clone());
    let (who, flow) = ((person.id, email), audience::flow_id(clock::random()));
    audience::erase(&opened.store, &opened.keys, who, language, flow, clock::now()).await?;
    context.say("Erased. One last mail says so.");
    Ok(())
}

async fn unsubscribe(opened: &Opened, context: &Context, address: &str, newsletter: Option<String>) -> Done {
    let email = email(address)?;
    let newsletter = newsletter.map(|id| known_newsletter(opened, &id)).transpose()?;
    reader(opened, address).await?;
    let ended = opened.store.unsubscribe(email.key().to_owned(), newsletter, "editor", clock::now()).await?;
    let ended: Vec<&str> = ended.iter().map(NewsletterId::as_str).collect();
    context.say(&match ended.as_slice() {
        [] => "There was nothing to end.".to_owned(),
        ended => format!("Ended: {}", ended.join(", ")),
    });
    Ok(())
}

async fn suppress(opened: &Opened, context: &Context, addresses: &[String], reason: Reason) -> Done {
    let emails = addresses.iter().map(|address| email(address)).collect::<Result<Vec<_>, _>>()?;
    let reason = match reason {
        Reason::HardBounce => SuppressionReason::HardBounce,
        Reason::Complaint => SuppressionReason::Complaint,
        Reason::Request => SuppressionReason::Request,
    };
    let keys = emails.iter().map(|email| email.key().to_owned()).collect();
    let new = opened.store.suppress(keys, reason, clock::now()).await?;
    context.say(&format!("Suppressed {new} of {}; the others were before.", addresses.len()));
    Ok(())
}

fn options(opened: &Opened, wanted: &Wanted, dry_run: bool) -> Done<ImportOptions> {
    Ok(ImportOptions {
        newsletters: wanted.newsletter.iter().map(|id| known_newsletter(opened, id)).collect::<Result<_, _>>()?,
        cadence: wanted.cadence.as_deref().and_then(Cadence::parse),
        state: wanted.state.as_deref().and_then(SubscriptionState::parse),
        dry_run,
    })
}

fn known_newsletter(opened: &Opened, id: &str) -> Done<NewsletterId> {
    let id = NewsletterId::new(id);
    if opened.edition.settings.newsletter(&id).is_some() {
        return Ok(id);
    }
    let known: Vec<&str> = opened.edition.settings.newsletters.iter().map(|known| known.id.as_str()).collect();
    Err(Failure::yours(format!("there is no newsletter `{id}`"), format!("choose among: {}", known.join(", "))))
}

/// Whoever has an address.
async fn reader(opened: &Opened, address: &str) -> Done<Subscriber> {
    let people = opened.store.subscribers_with(&[email(address)?.key()]).await?;
    people.into_iter().next().ok_or_else(|| {
        let message = format!("nobody here has the address `{address}`");
        Failure::yours(message, "`pressrun subscribers list` shows everybody")
    })
}

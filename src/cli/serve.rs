//! `serve`: the web, the scheduler and the sender in one process; `worker`: the last two.

use std::io::{self, IsTerminal as _};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

use crate::billing::{self, BillingError, Till};
use crate::clock;
use crate::config::{Relay, is_loopback};
use crate::counters;
use crate::diagnostic;
use crate::files::{self, Watcher};
use crate::mailbox;
use crate::press::{self, Edition, Options};
use crate::publishing::{self, Office, SendError};
use crate::sending::{self, Until};
use crate::store::{Store, StoreError};
use crate::web::{self, AppState};

use super::opened::{Opened, data, open};
use super::{Context, Done, Failure, received, told_to_stop};

/// Serve the site, run the scheduler and send mail
///
/// The first start makes `data/` beside publish.toml and mails nothing.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    bind: SocketAddr,
    /// What to do
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Role::Web, Role::Scheduler, Role::Sender])]
    roles: Vec<Role>,
    #[command(flatten)]
    watched: Watched,
}

/// Run the scheduler and send mail, without the web
///
/// The same as `serve --roles scheduler,sender`, for more machines on one PostgreSQL.
#[derive(Debug, Args)]
pub struct Worker {
    #[command(flatten)]
    watched: Watched,
}

/// How a process that runs on and on is watched.
#[derive(Debug, Args)]
struct Watched {
    /// Answer `/metrics` for Prometheus there, such as `127.0.0.1:9100`, to anybody who reaches it
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
}

impl From<Worker> for Serve {
    fn from(Worker { watched }: Worker) -> Serve {
        Serve { bind: SocketAddr::from(([127, 0, 0, 1], 0)), roles: vec![Role::Scheduler, Role::Sender], watched }
    }
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Answer readers
    Web,
    /// Turn articles into issues when their time has come
    Scheduler,
    /// Hand mail to the relay
    Sender,
}

/// How long before a scheduled article comes out its pages are printed, so that they are there at its moment.
const AHEAD: Duration = Duration::from_secs(3);
/// How often the clock is looked at all the same, which somebody may have set.
const LOOK: Duration = Duration::from_secs(60);
/// How often the payment provider's own list of what happened is read.
const CATCH_UP: Duration = Duration::from_secs(300);
/// How many errands are done in one turn, before it is asked whether to stop.
const ERRANDS: usize = 10;
/// How long a role waits whose database was away.
const PAUSE: Duration = Duration::from_secs(5);
/// How often the scheduler looks at the clock.
const TICK: Duration = Duration::from_secs(1);

/// Runs until it is told to stop, then finishes what is under way.
pub async fn run(serve: Serve, context: &Context) -> Done {
    // From the first moment, for by itself it ends a process.
    let hangup = signal(SignalKind::hangup()).ok();
    let listener = match serve.roles.contains(&Role::Web) {
        true => Some(bind(serve.bind, "--bind").await?),
        false => None,
    };
    let figures = match serve.watched.metrics {
        Some(address) => Some(bind(address, "--metrics").await?),
        None => None,
    };
    let bound = listener.as_ref().map(|listener| listener.local_addr().unwrap_or(serve.bind));
    let bound_url = bound.and_then(|bound| Url::parse(&format!("http://{}", local_name(bound))).ok());
    let opened = open(context, bound_url.clone()).await?;
    if let Some(url) = &bound_url {
        opened.store.set_bound_url(url.as_str().trim_end_matches('/')).await?;
    }
    opened.hold_if_moved().await?;
    greet(&opened, context, bound).await?;
    let (edition, editions) = watch::channel(Arc::clone(&opened.edition));
    let (stop, stopped) = watch::channel(false);
    let means = opened.means(editions.clone());
    let mut tasks: JoinSet<Done> = JoinSet::new();
    if let Some((listener, bound)) = listener.zip(bound) {
        let state = web_state(&opened, context, editions.clone(), bound)?;
        tasks.spawn(crash_free(web::serve(Arc::new(state), listener, stopped.clone())));
    }
    if let Some(listener) = figures {
        tasks.spawn(crash_free(web::serve_metrics(opened.store.clone(), listener, stopped.clone())));
    }
    if serve.roles.contains(&Role::Scheduler) {
        let place = format!("{}:{}", files::host_name(), files::absolute(context.root()));
        let (store, halt) = (opened.store.clone(), stopped.clone());
        tasks.spawn(persist("the scheduler", stopped.clone(), move || {
            schedule(store.clone(), place.clone(), editions.clone(), halt.clone())
        }));
        if let Some(till) = opened.till()? {
            let halt = stopped.clone();
            tasks.spawn(persist("payments", stopped.clone(), move || run_errands(till.clone(), halt.clone())));
        }
    }
    if serve.roles.contains(&Role::Sender) {
        let halt = stopped.clone();
        let work = move || sending::send(means.clone(), Until::Stopped, halt.clone());
        tasks.spawn(persist("the sender", stopped.clone(), work));
        let mail = &opened.edition.settings.mail;
        if let Some((address, mailbox)) = mail.lmtp.zip(mail.bounces_to.clone()) {
            let written = (opened.store.clone(), Arc::clone(&opened.keys));
            let listening = mailbox::listen(address);
            tasks.spawn(crash_free(mailbox::serve_lmtp(listening, written, mailbox, stopped.clone())));
        }
    }
    // Without the web, the site is where the one that has it was reached.
    let bound_url = bound_url.or_else(|| Url::parse(&opened.edition.base_url).ok());
    let options = Options { environment: context.environment.clone(), bound_url, ..Options::default() };
    tasks.spawn(keep_up(context.root().to_path_buf(), options, edition, hangup, stopped));
    let result = tokio::select! {
        () = told_to_stop(None) => Ok(()),
        Some(ended) = tasks.join_next() => ended.unwrap_or_else(|_| Err(crashed())),
    };
    tracing::info!("stopping: what is under way is finished first");
    let _ = stop.send(true);
    while tasks.join_next().await.is_some() {}
    result
}

fn web_state(
    opened: &Opened,
    context: &Context,
    editions: watch::Receiver<Arc<Edition>>,
    bound: SocketAddr,
) -> Done<AppState> {
    let base_url = Url::parse(&opened.edition.base_url).map_err(|error| {
        Failure::yours(format!("the publication's url cannot be read: {error}"), "`pressrun check`")
    })?;
    let keys = Arc::clone(&opened.keys);
    let outbox = shows_outbox(&opened.edition, bound).then(|| data(context.root()).join("outbox"));
    let till = opened.till()?;
    let sns = mailbox::Sns::default();
    Ok(AppState { store: opened.store.clone(), keys, editions, base_url, bound, till, sns, outbox })
}

/// Mails are shown only where nobody else can see them: on loopback, while the outbox is the relay and the publication
/// is not said to be read anywhere else, such as behind a proxy.
fn shows_outbox(edition: &Edition, bound: SocketAddr) -> bool {
    let host = Url::parse(&edition.base_url).ok().and_then(|url| url.host_str().map(is_loopback));
    edition.settings.mail.relays == [Relay::Outbox] && bound.ip().is_loopback() && host == Some(true)
}

async fn bind(address: SocketAddr, option: &str) -> Done<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let help = match error.kind() {
            io::ErrorKind::AddrInUse => "another program listens there; stop it, or choose another port",
            io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege; choose another",
            _ => "choose an address of this machine",
        };
        Failure::ours(format!("cannot listen on {address}: {error}"), format!("{help} with `{option}`"))
    })
}

/// An address as a person would type it: what listens everywhere is reached on this machine.
fn local_name(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

/// Tells where everything is, and loudly what is wrong.
async fn greet(opened: &Opened, context: &Context, bound: Option<SocketAddr>) -> Done {
    let edition = &opened.edition;
    let title = &edition.settings.publication.title;
    match bound {
        Some(bound) => context.say(&format!("Serving {title} at {} (listening on {bound}).", edition.base_url)),
        None => context.say(&format!("Working for {title}, without the web.")),
    }
    let database = opened.store.path().map_or_else(|| "PostgreSQL".to_owned(), |path| files::absolute(path));
    context.say(&format!("Database: {database}"));
    for relay in &opened.relays {
        context.say(&format!("Relay: {}", relay.name()));
    }
    if bound.is_some_and(|bound| shows_outbox(edition, bound)) {
        context.say(&format!("Mail is not sent but shown at {}/outbox/", edition.base_url));
    }
    if let Some(reason) = opened.store.held().await? {
        context.say(&format!(
            "All sending is held: {reason}. `pressrun issue resume --all` shows what would go and lifts it."
        ));
    }
    if edition.has_errors() {
        complain(edition);
    }
    Ok(())
}

/// Errors are shown as `check` shows them; while they stand, nothing new is sent.
fn complain(edition: &Edition) {
    let shown = diagnostic::human(&edition.diagnostics, &edition.sources, false);
    tracing::error!("`check` reports errors; nothing new is sent while they stand\n{shown}");
}

/// Gives the scheduler its turns.
async fn schedule(
    store: Store,
    place: String,
    editions: watch::Receiver<Arc<Edition>>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let mut turns = tokio::time::interval(TICK);
    let (mut before, mut memory) = (publishing::Tick::default(), publishing::Memory::at(place));
    let mut sweep = tokio::time::interval(Duration::from_secs(3600));
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = turns.tick() => {}
            _ = sweep.tick() => sweep_out(&store).await?,
            () = sending::stopping(&mut stopped) => return Ok(()),
        }
        let edition = Arc::clone(&editions.borrow());
        let office = Office { store: &store, edition: &edition, now: clock::now() };
        match office.tick(&mut memory).await {
            Ok(done) => {
                if done.is_unfinished {
                    turns.reset_immediately();
                }
                tell(&before, &done);
                before = done;
            }
            Err(SendError::Store(error)) => return Err(error),
            Err(error) => tracing::error!(%error, "an issue could not be prepared"),
        }
        counters::LAST_TURN.store(clock::now().timestamp(), Ordering::Relaxed);
    }
}

/// Says what a turn did, and what has come to wait since the one before.
fn tell(before: &publishing::Tick, done: &publishing::Tick) {
    let publishing::Tick { sealed, started, finished, waiting, .. } = *done;
    if sealed + started + finished > 0 {
        tracing::info!(sealed, started, finished, "issues moved");
    }
    if waiting > before.waiting {
        tracing::warn!(waiting, "an issue waits for an editor: `pressrun issue plan` says why");
    }
    if let (None, Some(since)) = (before.behind_since, done.behind_since) {
        tracing::warn!(%since, "this folder is older than others' content, so nothing is sealed from it; bring it up to date");
    }
}

/// Asks the payment provider what is to be asked of it, and now and then what it has said to nobody.
async fn run_errands(till: Till, mut stopped: watch::Receiver<bool>) -> Result<(), StoreError> {
    let mut turns = tokio::time::interval(TICK);
    let mut looks = tokio::time::interval(CATCH_UP);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = turns.tick() => drop(billing::work(&till, ERRANDS, clock::now()).await?),
            _ = looks.tick() => match till.catch_up(clock::now()).await {
                Ok(()) => {}
                Err(BillingError::Store(error)) => return Err(error),
                Err(BillingError::Provider(error)) => tracing::warn!(%error, "it is asked again in some minutes"),
            },
            () = sending::stopping(&mut stopped) => return Ok(()),
        }
    }
}

/// Forgets what no limit counts any more, sessions that are over, and what else is kept for a time only.
async fn sweep_out(store: &Store) -> Result<(), StoreError> {
    store.forget_counts(clock::now() - TimeDelta::days(1)).await?;
    while store.forget_the_past(clock::now()).await? {}
    Ok(())
}

/// Does a role's work, and begins it anew after a while when the database could not be reached or written.
async fn persist<Doing: Future<Output = Result<(), StoreError>>>(
    role: &'static str,
    mut stopped: watch::Receiver<bool>,
    work: impl Fn() -> Doing,
) -> Done {
    loop {
        match work().await {
            Err(error) if error.may_pass() && !*stopped.borrow() => {
                tracing::error!(role, %error, "stopped by the database, and begun anew in {} s", PAUSE.as_secs());
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = sending::stopping(&mut stopped) => return Ok(()),
                }
            }
            done => return Ok(done?),
        }
    }
}

async fn crash_free(served: impl Future<Output = io::Result<()>>) -> Done {
    served.await.map_err(|error| Failure::ours(format!("a server stopped listening: {error}"), "start it again"))
}

fn crashed() -> Failure {
    Failure::ours("a part of the program stopped unexpectedly", "start it again; nothing is lost")
}

/// Keeps the edition true to the folder: re-read when the tree has been still for a while or on SIGHUP, printed again
/// ahead for when a scheduled article comes out. While the new one has errors, the old one stays. Ends with the terminal
/// that it was started at, which is said by a SIGHUP too.
async fn keep_up(
    root: std::path::PathBuf,
    options: Options,
    current: watch::Sender<Arc<Edition>>,
    mut hangup: Option<Signal>,
    mut stopped: watch::Receiver<bool>,
) -> Done {
    let mut watcher =
        files::watch(&root).inspect_err(|error| tracing::warn!(%error, "changes are seen on SIGHUP only")).ok();
    let had_terminal = io::stdin().is_terminal();
    loop {
        let next = current.borrow().next_change();
        let ahead = next.map_or(LOOK, |at| (at - clock::now()).to_std().unwrap_or_default().saturating_sub(AHEAD));
        tokio::select! {
            () = sending::stopping(&mut stopped) => return Ok(()),
            () = changed(&mut watcher) => reload(&root, &options, &current),
            () = received(&mut hangup) => match had_terminal && !io::stdin().is_terminal() {
                true => return Ok(()),
                false => reload(&root, &options, &current),
            },
            () = tokio::time::sleep(ahead.min(LOOK)) => {
                if let Some(at) = next.filter(|_| ahead <= LOOK) {
                    print_for(&current, at).await;
                }
            }
        }
    }
}

async fn changed(watcher: &mut Option<Watcher>) {
    let seen = match watcher {
        Some(watcher) => watcher.changed().await,
        None => std::future::pending().await,
    };
    if let Err(error) = seen {
        tracing::warn!(%error, "changes are seen on SIGHUP only");
        *watcher = None;
    }
}

fn reload(root: &std::path::Path, options: &Options, current: &watch::Sender<Arc<Edition>>) {
    match press::load(root, options, clock::now()) {
        Ok(edition) if edition.has_errors() => {
            complain(&edition);
            tracing::error!("the site stays as it was before the last change");
            let kept = Edition::clone(&current.borrow());
            current.send_replace(Arc::new(kept.with_problems_of(edition)));
        }
        Ok(edition) if edition.revision == current.borrow().revision && !current.borrow().has_errors() => {}
        Ok(edition) => {
            tracing::info!(articles = edition.catalog.articles.len(), revision = %edition.revision, "the publication was read again");
            current.send_replace(Arc::new(edition));
        }
        Err(error) => tracing::error!(%error, "the publication cannot be read; it stays as it was"),
    }
}

/// Prints the site as it will be at `at`, and shows it at that moment.
async fn print_for(current: &watch::Sender<Arc<Edition>>, at: DateTime<Utc>) {
    let before = Arc::clone(&current.borrow());
    let edition = Arc::clone(&before);
    let printed = tokio::task::spawn_blocking(move || edition.at(at)).await;
    tokio::time::sleep((at - clock::now()).to_std().unwrap_or_default()).await;
    let failed = match printed {
        Ok(Ok(edition)) => return drop(current.send_replace(Arc::new(edition))),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::error!(error = failed, "a page cannot be printed; the site stays as it was");
    current.send_replace(Arc::new(Edition { printed_at: at, ..Edition::clone(&before) }));
}

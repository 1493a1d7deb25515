//! The command line: one file a command.
//!
//! Data goes to standard output, talk to standard error. Exit status: 0 done, 1 something the person can fix, 2 our or
//! the machine's fault. The environment is read here, once.

mod billing;
mod bounces;
mod build;
mod check;
mod config;
mod db;
mod digest;
mod dkim;
mod doctor;
mod explain;
mod init;
mod issue;
mod opened;
mod progress;
mod serve;
mod subscribers;

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::Level;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::files::{FilesError, SETTINGS_FILE};
use crate::model::EmailAddress;
use crate::press::PressError;
use crate::publishing::SendError;
use crate::store::StoreError;

/// Markdown articles become a web site and mail
#[derive(Debug, Parser)]
#[command(name = "pressrun", version, propagate_version = true, arg_required_else_help = true)]
struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// The publication's settings; its folder is the publication
    #[arg(long, global = true, value_name = "FILE", default_value = SETTINGS_FILE)]
    config: PathBuf,
    /// How data is printed
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    color: Color,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Check(check::Check),
    Explain(explain::Explain),
    Build(build::Build),
    Serve(serve::Serve),
    Worker(serve::Worker),
    Issue(issue::Issue),
    Digest(digest::Digest),
    Subscribers(subscribers::Subscribers),
    Bounces(bounces::Bounces),
    Billing(billing::Billing),
    Db(db::Db),
    Dkim(dkim::Dkim),
    Config(config::Config),
    Doctor(doctor::Doctor),
}

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Human,
    /// For programs: one object, or one object a line
    Json,
    /// For build servers, by `check` alone: SARIF 2.1.0
    Sarif,
    /// For GitHub's workflows, by `check` alone: annotations
    Github,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What every command is given.
pub struct Context {
    /// The settings' file.
    pub config: PathBuf,
    /// How data is printed.
    pub format: Format,
    /// Whether data on standard output may have colour.
    pub color: bool,
    /// Whether to say only what went wrong.
    pub is_quiet: bool,
    /// Whether to say more.
    pub is_verbose: bool,
    /// The `PRESSRUN_…` variables.
    pub environment: Vec<(String, String)>,
}

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub struct Failure {
    message: String,
    help: String,
    status: u8,
}

/// What a command, or a part of it, comes to.
type Done<T = ()> = Result<T, Failure>;

impl Failure {
    /// Something that the person can fix: exit status 1.
    pub fn yours(message: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure { message: message.into(), help: help.into(), status: 1 }
    }

    /// Our or the machine's fault: exit status 2.
    pub fn ours(message: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure { message: message.into(), help: help.into(), status: 2 }
    }
}

impl From<PressError> for Failure {
    fn from(error: PressError) -> Failure {
        match &error {
            PressError::Files(cause) if cause.kind() != io::ErrorKind::InvalidData => {
                Failure::ours(error.to_string(), error.help())
            }
            _ => Failure::yours(error.to_string(), error.help()),
        }
    }
}

impl From<FilesError> for Failure {
    fn from(error: FilesError) -> Failure {
        Failure::ours(error.to_string(), error.help())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let help = match &error {
            StoreError::Newer { .. } => "run the newer program, or `db restore` a backup made before the update",
            StoreError::Place(_) => "check `[store]` in publish.toml and the folder or server it names",
            StoreError::Older => "export its readers with that program, move the file away, and import them here",
            StoreError::Full => "make room on the disk and try again. Nothing that was done is lost",
            _ => "`pressrun doctor` looks for the cause. Nothing that was done is lost",
        };
        Failure::ours(error.to_string(), help)
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Failure {
        match error {
            SendError::Refused(refusal) => Failure::yours(refusal.problem, refusal.help),
            error @ SendError::Compose(_) => Failure::yours(error.to_string(), "`pressrun check` says where"),
            SendError::Store(error) => error.into(),
        }
    }
}

impl Context {
    /// The publication's folder.
    pub fn root(&self) -> &Path {
        self.config.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Prints data. Whoever does not want to read all of it, such as `head`, is right.
    pub fn print(&self, data: &str) -> Done {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(data.as_bytes()).and_then(|()| stdout.flush()) {
            Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::ours(format!("cannot write to standard output: {cause}"), "check where it leads to"))
            }
            _ => Ok(()),
        }
    }

    /// Prints one answer: a line of JSON, or what `tell` makes of it.
    fn answer<T: Serialize>(&self, answer: &T, tell: impl FnOnce(&T) -> String) -> Done {
        let text = match self.format {
            Format::Human => tell(answer),
            _ => serde_json::to_string(answer)
                .map_err(|cause| Failure::ours(format!("cannot write an answer as JSON: {cause}"), "report this"))?,
        };
        self.print(&(text + "\n"))
    }

    /// Says a sentence to the person, unless only what went wrong is wanted.
    pub fn say(&self, sentence: &str) {
        if !self.is_quiet {
            complain(sentence);
        }
    }
}

/// Runs the command that the program was called with.
pub fn run() -> ExitCode {
    let command_line = CommandLine::try_parse().unwrap_or_else(|error| refuse(&error));
    let context = context(command_line.global);
    log(&context);
    let done = folder_only(context).and_then(|context| obey(command_line.command, &context));
    done.unwrap_or_else(|failure| {
        complain(&format!("error: {}\n\nhelp: {}", failure.message, failure.help));
        ExitCode::from(failure.status)
    })
}

fn obey(command: Command, context: &Context) -> Done<ExitCode> {
    if matches!(context.format, Format::Sarif | Format::Github) && !matches!(command, Command::Check(_)) {
        return Err(Failure::yours("only `check` prints diagnostics for build servers", "leave `--format` out"));
    }
    match command {
        Command::Init(init) => init::run(&init, context)?,
        Command::Explain(explain) => explain::run(&explain, context)?,
        Command::Build(build) => build::run(&build, context)?,
        Command::Dkim(dkim) => dkim::run(&dkim, context)?,
        Command::Serve(serve) => at_work(serve::run(serve, context))?,
        Command::Worker(worker) => at_work(serve::run(worker.into(), context))?,
        Command::Subscribers(subscribers) => at_work(subscribers::run(subscribers, context))?,
        Command::Bounces(bounces) => at_work(bounces::run(bounces, context))?,
        Command::Billing(billing) => at_work(billing::run(billing, context))?,
        Command::Check(check) => return check::run(&check, context),
        Command::Config(config) => return config::run(&config, context),
        Command::Issue(issue) => return at_work(issue::run(issue, context)),
        Command::Digest(digest) => return at_work(digest::run(digest, context)),
        Command::Db(db) => return at_work(db::run(&db, context)),
        Command::Doctor(doctor) => return at_work(doctor::run(&doctor, context)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs what waits for the database, the network or the clock.
fn at_work<T>(work: impl Future<Output = Done<T>>) -> Done<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|cause| Failure::ours(format!("cannot start threads: {cause}"), "free some memory"))?;
    runtime.block_on(work)
}

/// Waits for Ctrl-C, for a service manager's word, or for one more signal.
async fn told_to_stop(mut besides: Option<Signal>) {
    let mut terminated = signal(SignalKind::terminate()).ok();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = received(&mut terminated) => {}
        () = received(&mut besides) => {}
    }
}

/// Waits for a signal; for ever, if it cannot be heard.
async fn received(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Logs go to standard error, one line an event.
fn log(context: &Context) {
    let level = if context.is_quiet {
        Level::ERROR
    } else if context.is_verbose {
        Level::DEBUG
    } else {
        Level::INFO
    };
    let only_ours = tracing_subscriber::filter::Targets::new().with_target("pressrun", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(|| progress::AboveBar).with_ansi(false).with_target(false);
    tracing_subscriber::registry().with(lines).with(only_ours).init();
}

/// Shows help, or what is wrong with the arguments, which is the person's to fix.
fn refuse(error: &clap::Error) -> ! {
    let _ = error.print();
    std::process::exit(i32::from(error.use_stderr()))
}

fn context(global: Global) -> Context {
    let environment: Vec<(String, String)> = environment();
    let color = match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    let config = if global.config.is_dir() { global.config.join(SETTINGS_FILE) } else { global.config };
    let Global { format, quiet, verbose, .. } = global;
    Context { config, format, color, is_quiet: quiet, is_verbose: verbose, environment }
}

/// The settings' file has one name, by which everything else in the folder knows it.
fn folder_only(context: Context) -> Done<Context> {
    if context.config.file_name().is_some_and(|name| name == SETTINGS_FILE) {
        return Ok(context);
    }
    let message = format!("`--config {}` does not name a `{SETTINGS_FILE}`", context.config.display());
    Err(Failure::yours(message, format!("name the publication's folder or the `{SETTINGS_FILE}` in it")))
}

fn environment() -> Vec<(String, String)> {
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    variables.filter(|(name, _)| name.starts_with("PRESSRUN_")).collect()
}

/// A number of things, such as `1 error` or `3 errors`.
fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let is_one = count == N::from(1);
    format!("{count} {noun}{}", if is_one { "" } else { "s" })
}

/// A moment as answers show it.
fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn email(address: &str) -> Done<EmailAddress> {
    let help = "write the address as `reader@example.com`";
    EmailAddress::parse(address).map_err(|error| Failure::yours(error.to_string(), help))
}

/// Says something on standard error; if nobody can hear it, nothing can be done about that.
fn complain(text: &str) {
    let _ = progress::AboveBar.write_all(format!("{text}\n").as_bytes());
}

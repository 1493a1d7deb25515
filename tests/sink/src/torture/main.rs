//! Sends one issue to many readers while whatever sends it is killed again and again, while readers leave and the mail
//! server fails; then judges what became of each reader. `scripts/torture` runs it; `--help` names its parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fault_sink::judge::{Run, judge};
use fault_sink::{Entry, Faults, Sink, now};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

mod goodbye;
mod naive;
mod publication;
mod victim;

use publication::{Publication, free_port};
use victim::{Victim, Way};

/// Whatever went wrong with the run itself.
type Problem = Box<dyn std::error::Error + Send + Sync>;

/// So many connections each process opens to the mail server.
const CONNECTIONS: usize = 4;
/// Nobody gets more copies of a mail, whatever dies.
const MOST_COPIES: usize = 3;
/// Without any progress for this long, a run is given up.
const PATIENCE: Duration = Duration::from_secs(120);

const USAGE: &str = "torture [--binary PATH] [--readers 20000] [--kills 100] [--leave 2000] [--seed N] [--sigterm]
        [--workers 1] [--postgres URL] [--restarts 0] [--restart COMMAND] [--faults JSON] [--keep DIR]
        [--mishap COMMAND] [--naive]

    --binary     the program to be killed; PRESSRUN_BIN if that is set
    --leave      so many readers leave meanwhile; a tenth of all, unless said
    --sigterm    the processes are told to stop instead: nobody may get a mail twice
    --workers    so many processes send at once
    --postgres   a server to make a database in; else the database is SQLite
    --restarts   so often COMMAND, which restarts PostgreSQL, is run
    --faults     what the mail server does wrong, in place of the usual
    --keep       leave everything in this folder
    --mishap     the first process is run by this shell command, where it stands as \"$@\"
    --naive      control: a sender that keeps a checkpoint is killed instead, and must not be found well";

/// What a run is asked for.
pub(crate) struct Wishes {
    binary: PathBuf,
    readers: usize,
    kills: usize,
    leave: usize,
    seed: u64,
    way: Way,
    workers: usize,
    postgres: Option<String>,
    restarts: usize,
    restart: String,
    faults: Option<String>,
    keep: Option<PathBuf>,
    mishap: Option<String>,
    naive: bool,
}

impl Wishes {
    fn read() -> Result<Wishes, Problem> {
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").filter(|name| USAGE.contains(&format!("[--{name}"))).ok_or(USAGE)?;
            let value = match name {
                "sigterm" | "naive" => String::new(),
                _ => words.next().ok_or_else(|| format!("--{name} needs a value"))?,
            };
            values.insert(name.to_owned(), value);
        }
        let number = |name: &str, usual: u64| match values.get(name) {
            Some(value) => value.parse::<u64>().map_err(|_| format!("--{name}: `{value}` is no number")),
            None => Ok(usual),
        };
        let count = |name: &str, usual: usize| number(name, usual as u64).map(|count| count as usize);
        let text = |name: &str| values.get(name).cloned();
        let readers = count("readers", 20_000)?;
        let binary = text("binary").or_else(|| std::env::var("PRESSRUN_BIN").ok()).unwrap_or_default();
        Ok(Wishes {
            binary: std::fs::canonicalize(&binary).map_err(|error| format!("--binary `{binary}`: {error}"))?,
            readers,
            kills: count("kills", 100)?,
            leave: count("leave", readers / 10)?.min(readers),
            seed: number("seed", now())?,
            way: if values.contains_key("sigterm") { Way::Terminate } else { Way::Kill },
            workers: count("workers", 1)?.max(1),
            postgres: text("postgres"),
            restarts: count("restarts", 0)?,
            restart: text("restart").unwrap_or_default(),
            faults: text("faults"),
            keep: text("keep").map(PathBuf::from),
            mishap: text("mishap"),
            naive: values.contains_key("naive"),
        })
    }
}

/// Splitmix64: the same seed, the same numbers.
pub(crate) struct Dice(u64);

impl Dice {
    /// From 0 up to but without `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % end.max(1)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    if let Some(sender) = naive::asked_for() {
        return sender.await;
    }
    match torture().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

/// Says whether all went as it should: a program well, the control not.
async fn torture() -> Result<bool, Problem> {
    let wishes = Wishes::read()?;
    println!("seed {}", wishes.seed);
    let scratch = tempfile::tempdir()?;
    let folder = wishes.keep.clone().unwrap_or_else(|| scratch.path().join("publication"));
    // Beside it, for its disk may be full.
    let logs = folder.with_extension("logs");
    std::fs::create_dir_all(&folder)?;
    std::fs::create_dir_all(&logs)?;
    let sink = Sink::start("127.0.0.1:0", None).await?;
    let usual = format!(
        r#"{{"seed": {}, "later": 0.03, "refused": 0.01, "lost": 0.0005, "taken": 0.0005, "dropped": 0.0005}}"#,
        wishes.seed
    );
    let faults: Faults = serde_json::from_str(wishes.faults.as_ref().unwrap_or(&usual))?;
    let run = if wishes.naive {
        naive::torture(&wishes, &logs, &sink, faults).await?
    } else {
        torture_pressrun(&wishes, (&folder, &logs), &sink, faults).await?
    };
    let judgement = judge(&run);
    println!("{judgement}");
    if wishes.naive {
        println!("{}", if judgement.faults.is_empty() { "the control was not found out" } else { "as it must be" });
    }
    Ok(judgement.faults.is_empty() != wishes.naive)
}

async fn torture_pressrun(
    wishes: &Wishes,
    (folder, logs): (&Path, &Path),
    sink: &Sink,
    faults: Faults,
) -> Result<Run, Problem> {
    let port = free_port()?;
    let publication = Arc::new(Publication::write(wishes, folder, sink.address(), port).await?);
    publication.run(&["subscribers", "import", "readers.csv", "--from", "csv", "--newsletter", "main"]).await?;
    let first = logs.join("first.jsonl");
    sink.begin(Faults::default(), Some(&first))?;
    let began = now();
    publication.run(&["issue", "send", "first", "--yes"]).await?;
    let seconds = (now() - began) as f64 / 1e6;
    println!("{} readers were mailed undisturbed in {seconds:.1} s", wishes.readers);
    let links: BTreeMap<String, String> = read_log(&first)?.into_iter().map(|entry| (entry.to, entry.leave)).collect();
    let audience: BTreeSet<String> = links.keys().cloned().collect();

    let web = publication.serve(port).await?;
    let second = logs.join("second.jsonl");
    sink.begin(faults, Some(&second))?;
    let before = sink.totals().dots;
    let mut dice = Dice(wishes.seed);
    let leavers = goodbye::choose(links, wishes.leave, &mut dice);
    let goodbyes = tokio::spawn(goodbye::say(leavers, port, sink.dots(), before, wishes.readers as u64));
    let interruptions: Arc<Mutex<Vec<usize>>> = Arc::default();
    publication.seal_under_kills(wishes, &mut dice, &interruptions).await?;
    let finished = kill_and_restart(wishes, &publication, sink, &interruptions).await;
    let goodbyes = goodbyes.await??;
    drop(web);
    finished?;
    let account = publication.account().await?;
    account.look_closer(&publication, &mut dice).await?;
    let interruptions = interruptions.lock().unwrap_or_else(PoisonError::into_inner).clone();
    println!("{} readers left meanwhile", goodbyes.len());
    Ok(Run {
        audience,
        log: read_log(&second)?,
        ledger: account.ledger,
        goodbyes,
        interruptions,
        most_copies: MOST_COPIES,
    })
}

/// Lets processes send, and kills them, until the issue is finished.
async fn kill_and_restart(
    wishes: &Wishes,
    publication: &Arc<Publication>,
    sink: &Sink,
    interruptions: &Arc<Mutex<Vec<usize>>>,
) -> Result<(), Problem> {
    let done = interruptions.lock().unwrap_or_else(PoisonError::into_inner).len();
    let (stop, stopped) = watch::channel(false);
    let mut workers: Vec<JoinHandle<Result<(), Problem>>> = Vec::new();
    for worker in 0..wishes.workers {
        let kills = (wishes.kills.saturating_sub(done) + worker) / wishes.workers;
        let victim = Victim {
            publication: Arc::clone(publication),
            dice: Dice(wishes.seed.wrapping_add(1 + worker as u64)),
            dots: sink.dots(),
            // Some are left for when nobody is killed any more.
            stride: (wishes.readers * wishes.workers / wishes.kills.max(1)) as u64,
            way: wishes.way,
            mishap: wishes.mishap.clone().filter(|_| worker == 0),
            interruptions: Arc::clone(interruptions),
        };
        workers.push(tokio::spawn(victim.send(worker, kills, stopped.clone())));
    }
    let restarting = restart(wishes, sink.dots(), Arc::clone(interruptions));
    let result = tokio::select! {
        result = async {
            restarting.await?;
            publication.until_finished(sink.dots()).await
        } => result,
        result = failed(&mut workers) => result,
    };
    let _ = stop.send(true);
    for worker in workers.into_iter().filter(|worker| !worker.is_finished()) {
        worker.await??;
    }
    result
}

/// Ends with the first worker that cannot go on.
async fn failed(workers: &mut [JoinHandle<Result<(), Problem>>]) -> Result<(), Problem> {
    loop {
        for worker in workers.iter_mut().filter(|worker| worker.is_finished()) {
            worker.await??;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Restarts PostgreSQL at random moments.
async fn restart(
    wishes: &Wishes,
    mut dots: watch::Receiver<u64>,
    interruptions: Arc<Mutex<Vec<usize>>>,
) -> Result<(), Problem> {
    let mut dice = Dice(wishes.seed.wrapping_sub(1));
    let stride = (wishes.readers / (wishes.restarts + 1)) as u64;
    for _ in 0..wishes.restarts {
        let target = *dots.borrow() + stride / 2 + dice.below(stride);
        let _ = tokio::time::timeout(PATIENCE / 4, dots.wait_for(|dots| *dots >= target)).await;
        interruptions.lock().unwrap_or_else(PoisonError::into_inner).push(CONNECTIONS * wishes.workers);
        let status = tokio::process::Command::new("sh").args(["-c", &wishes.restart]).status().await?;
        if !status.success() {
            return Err(format!("`{}` ended with {status}", wishes.restart).into());
        }
    }
    Ok(())
}

fn read_log(path: &Path) -> Result<Vec<Entry>, Problem> {
    let text = std::fs::read_to_string(path)?;
    text.lines().map(|line| serde_json::from_str(line).map_err(Problem::from)).collect()
}

/// The first line of an answer as JSON.
pub(crate) fn json(answer: &str) -> Result<Value, Problem> {
    Ok(serde_json::from_str(answer.lines().next().unwrap_or_default())?)
}

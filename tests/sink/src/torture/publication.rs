//! A publication in a folder, its program, and what it says of each reader in the end.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::victim::end;
use crate::{CONNECTIONS, Dice, PATIENCE, Problem, Wishes, json};

/// A publication that is tortured.
pub(crate) struct Publication {
    binary: PathBuf,
    folder: PathBuf,
    /// A PostgreSQL database; else it is SQLite's.
    url: Option<String>,
}

const ARTICLE: &str = "A paragraph that is long enough to look like one, and says nothing at all. It goes on for a while, \
    as paragraphs do, with a [link](https://example.com/) in it and *some* **emphasis**, until it ends.\n\n";

impl Publication {
    /// Writes settings, two articles and the readers into `folder`.
    pub async fn write(wishes: &Wishes, folder: &Path, sink: SocketAddr, port: u16) -> Result<Publication, Problem> {
        let url = match &wishes.postgres {
            Some(server) => Some(new_database(server, wishes.seed).await?),
            None => None,
        };
        let store = url.as_ref().map_or(String::new(), |url| format!("[store]\nurl = \"{url}\"\n"));
        let settings = format!(
            "[publication]\ntitle = \"Torture\"\nurl = \"http://127.0.0.1:{port}\"\naddress = \"1 Example Street\"\n\n\
             [[newsletters]]\nid = \"main\"\ntitle = \"Main\"\nfrom = \"Main <main@example.com>\"\n\n\
             [[mail.relays]]\nurl = \"smtp://{sink}\"\nconnections = {CONNECTIONS}\n\n\
             [sending]\nretry-waits = [\"2s\"]\n\n{store}"
        );
        fs::create_dir_all(folder.join("content"))?;
        fs::write(folder.join("publish.toml"), settings)?;
        for slug in ["first", "second"] {
            let head = format!(
                "---\nid: {slug}\ntitle: The {slug}\nsummary: Short.\ndate: 2026-01-05T12:00:00Z\nnewsletters: [main]\n---\n\n"
            );
            fs::write(folder.join(format!("content/{slug}.md")), head + &ARTICLE.repeat(20))?;
        }
        let readers: String =
            (0..wishes.readers).map(|number| format!("r{number}@example.com,active,instant\n")).collect();
        fs::write(folder.join("readers.csv"), format!("email,state,cadence\n{readers}"))?;
        Ok(Publication { binary: wishes.binary.clone(), folder: folder.to_path_buf(), url })
    }

    /// The program with these words, in the publication's folder, its talk going to the logs beside it.
    pub fn command(&self, words: &[&str]) -> Result<Command, Problem> {
        self.prepare(Command::new(&self.binary), words)
    }

    /// The same, run by a shell.
    pub fn command_by(&self, shell: &str, words: &[&str]) -> Result<Command, Problem> {
        let mut command = Command::new("sh");
        command.args(["-c", shell, "sh"]).arg(&self.binary);
        self.prepare(command, words)
    }

    fn prepare(&self, mut command: Command, words: &[&str]) -> Result<Command, Problem> {
        let log = File::options().create(true).append(true).open(self.folder.with_extension("logs").join("talk"))?;
        command.args(words).current_dir(&self.folder).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.env("PRESSRUN_AUTH__SECRET", "a server key for torture, long enough").kill_on_drop(true);
        Ok(command)
    }

    /// Runs the program to its end; says what it answered.
    pub async fn run(&self, words: &[&str]) -> Result<String, Problem> {
        let output = self.command(words)?.stdout(Stdio::piped()).stderr(Stdio::piped()).output().await?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`pressrun {}` ended with {}: {said}", words.join(" "), output.status).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The web alone, which is not killed, ready to hear goodbyes.
    pub async fn serve(&self, port: u16) -> Result<Child, Problem> {
        let bind = format!("127.0.0.1:{port}");
        let web = self.command(&["serve", "--roles", "web", "--bind", &bind])?.spawn()?;
        let connected = async {
            while tokio::net::TcpStream::connect(&bind).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), connected).await.map_err(|_| "the web server does not start")?;
        Ok(web)
    }

    /// How the second issue stands: its id and what `issue status` says; none before it is sealed.
    pub async fn issue(&self) -> Result<Option<serde_json::Value>, Problem> {
        let list = self.run(&["--format", "json", "issue", "list"]).await?;
        let issues: Result<Vec<_>, Problem> = list.lines().map(json).collect();
        Ok(issues?.into_iter().find(|issue| issue["subject"] == "The second"))
    }

    /// Kills `issue send` while it seals, a few times, and lets it seal in the end.
    pub async fn seal_under_kills(
        &self,
        wishes: &Wishes,
        dice: &mut Dice,
        interruptions: &Arc<Mutex<Vec<usize>>>,
    ) -> Result<(), Problem> {
        for _ in 0..wishes.kills.min(3) {
            let mut child = self.command(&["issue", "send", "second", "--yes"])?.spawn()?;
            tokio::time::sleep(Duration::from_millis(dice.below(300))).await;
            if child.try_wait()?.is_none() {
                interruptions.lock().unwrap_or_else(PoisonError::into_inner).push(wishes.way.may_repeat());
                end(&mut child, wishes.way).await?;
            }
        }
        self.run(&["issue", "send", "second", "--yes", "--detach"]).await.map(drop)
    }

    /// Waits until the issue is finished; gives up when nothing moves any more.
    pub async fn until_finished(&self, dots: watch::Receiver<u64>) -> Result<(), Problem> {
        let (mut last, mut moved) = (0, tokio::time::Instant::now());
        loop {
            // While the database restarts there is no answer.
            if self.issue().await.is_ok_and(|issue| issue.is_some_and(|issue| issue["state"] == "finished")) {
                return Ok(());
            }
            let dots = *dots.borrow();
            if dots != last {
                (last, moved) = (dots, tokio::time::Instant::now());
            } else if moved.elapsed() > PATIENCE {
                return Err(format!("nothing moves any more: {:?}", self.issue().await?).into());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// What the ledger says of every reader of the second issue.
    pub async fn account(&self) -> Result<Account, Problem> {
        let status = self.issue().await?.ok_or("there is no second issue")?;
        let sql = "SELECT d.email, d.state FROM deliveries d WHERE d.issue = $1";
        let id = status["issue"].as_str().unwrap_or_default().to_owned();
        let ledger = match &self.url {
            Some(url) => {
                let mut connection = sqlx::PgConnection::connect(url).await?;
                let rows = sqlx::query(sql).bind(id).fetch_all(&mut connection).await?;
                rows.iter().map(|row| (row.get(0), row.get(1))).collect()
            }
            None => {
                let file = self.folder.join("data/pressrun.db");
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).read_only(true);
                let rows = sqlx::query(sql).bind(id).fetch_all(&mut options.connect().await?).await?;
                rows.iter().map(|row| (row.get(0), row.get(1))).collect()
            }
        };
        Ok(Account { status, ledger })
    }
}

/// What the program says in the end.
pub(crate) struct Account {
    /// `issue status`.
    status: serde_json::Value,
    /// Address and state of every delivery.
    pub ledger: Vec<(String, String)>,
}

impl Account {
    /// Status and ledger must agree, `issue why` too for some readers, and the database must be sound.
    pub async fn look_closer(&self, publication: &Publication, dice: &mut Dice) -> Result<(), Problem> {
        println!("{}", self.status);
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        self.ledger.iter().for_each(|(_, state)| *counts.entry(state).or_default() += 1);
        let states = ["queued", "sending", "sent", "deferred", "failed", "suppressed", "unknown"];
        let differs = |state: &&&str| self.status[**state] != counts.get(**state).copied().unwrap_or(0);
        if let Some(state) = states.iter().find(differs) {
            return Err(format!("`issue status` counts {state} otherwise than the ledger: {counts:?}").into());
        }
        if self.status["total"] != self.ledger.len() as u64 {
            return Err("the total is not the sum".into());
        }
        let id = self.status["issue"].as_str().unwrap_or_default();
        for _ in 0..20 {
            let (address, state) = &self.ledger[dice.below(self.ledger.len() as u64) as usize];
            let why = json(&publication.run(&["--format", "json", "issue", "why", id, address]).await?)?;
            let tries = why["attempts"].as_array().map_or(0, Vec::len);
            if why["state"] != state.as_str() || (state == "sent" && tries == 0) {
                return Err(format!("`issue why` says {why}, the ledger {state}").into());
            }
        }
        publication.run(&["db", "check"]).await.map(drop)
    }
}

/// A database of its own for this run.
async fn new_database(server: &str, seed: u64) -> Result<String, Problem> {
    let (place, _) = server.rsplit_once('/').ok_or("the url of PostgreSQL names a database")?;
    let name = format!("torture_{seed}_{}", std::process::id());
    let mut connection = sqlx::PgConnection::connect(server).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await?;
    Ok(format!("{place}/{name}"))
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> Result<u16, Problem> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

//! A publication of its own for each test: the sample, copied, served on a free port of this machine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

use crate::program::{program, root};

/// What its webhooks are signed with, where something is sold.
pub const WEBHOOK_SECRET: &str = "whsec_browser";
/// Which article is for those who pay, where something is sold.
pub const PAID: &str = "how-phishing-kits-steal-sessions";

/// A running server. It ends with this value.
pub struct Publication {
    folder: TempDir,
    /// Without a slash at the end.
    pub url: String,
    /// Where readers are sent to pay, if anything is sold.
    pub provider: Option<String>,
    /// Settings by variables.
    settings: Vec<(String, String)>,
    server: Option<Child>,
    log: Option<JoinHandle<String>>,
}

impl Publication {
    /// Returns once readers can be served.
    pub fn start() -> Publication {
        let (folder, port) = (sample(), free_port());
        Publication::of(folder, format!("http://127.0.0.1:{port}"), None)
    }

    /// One that sells two plans through the provider that answers at this address. It has another host's name, so that
    /// for a browser the one is foreign to the other.
    pub fn selling(provider: &str) -> Publication {
        let (folder, port) = (sample(), free_port());
        let plans = include_str!("plans.toml").replace("PROVIDER", provider);
        let settings = folder.path().join("publish.toml");
        let article = folder.path().join(format!("content/2026/{PAID}.md"));
        let sample = std::fs::read_to_string(&settings).expect("publish.toml");
        std::fs::write(settings, sample + &plans).expect("publish.toml");
        let words = std::fs::read_to_string(&article).expect("an article");
        std::fs::write(article, words.replacen("title:", "access: paid\ntitle:", 1)).expect("an article");
        Publication::of(folder, format!("http://localhost:{port}"), Some(provider.to_owned()))
    }

    fn of(folder: TempDir, url: String, provider: Option<String>) -> Publication {
        let mut settings = vec![("PUBLICATION__URL".to_owned(), url.clone())];
        if provider.is_some() {
            settings.push(("BILLING__KEY".to_owned(), "sk_test_browser".to_owned()));
            settings.push(("BILLING__WEBHOOK_SECRETS__0".to_owned(), WEBHOOK_SECRET.to_owned()));
        }
        let mut publication = Publication { folder, url, provider, settings, server: None, log: None };
        publication.serves();
        publication
    }

    fn serves(&mut self) {
        let port = self.url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let mut serve = self.command();
        serve.args(["serve", "--bind", &format!("127.0.0.1:{port}")]).stderr(Stdio::piped());
        let mut server = serve.spawn().expect("pressrun");
        self.log = server.stderr.take().map(serving);
        self.server = Some(server);
        self.is_ready(port);
    }

    /// Ends the server as a power cut would, and starts it with another setting: `BILLING__GRACE`, `1s`.
    pub fn restarts_with(&mut self, setting: &str, value: &str) {
        self.ends();
        self.settings.push((setting.to_owned(), value.to_owned()));
        self.serves();
    }

    fn is_ready(&self, port: u16) {
        let mut connection = TcpStream::connect(("127.0.0.1", port)).expect("the server does not listen");
        connection.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        write!(connection, "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").expect("a request");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    /// Runs another command on the same publication, beside the server, and gives what it prints.
    pub fn runs(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().expect("pressrun");
        let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "pressrun {arguments:?}: {}\n{said}", output.status);
        printed.into_owned()
    }

    /// No setting of the person who runs the tests gets in.
    fn command(&self) -> Command {
        let mut command = Command::new(program());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PRESSRUN_")) {
            command.env_remove(name);
        }
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        command.envs(self.settings.iter().map(|(name, value)| (format!("PRESSRUN_{name}"), value)));
        command
    }

    /// Ends the server, and gives what it said.
    fn ends(&mut self) -> String {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
        self.log.take().and_then(|log| log.join().ok()).unwrap_or_default()
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        let log = self.ends();
        if std::thread::panicking() {
            eprintln!("the server said:\n{log}");
        }
    }
}

/// The sample publication, in a folder of its own.
fn sample() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::copy(root().join("publish.toml"), folder.path().join("publish.toml")).expect("publish.toml");
    copy_folder(&root().join("content"), &folder.path().join("content"));
    folder
}

/// Waits until the server says where it serves; the rest is read aside, so that the pipe never fills.
fn serving(stderr: ChildStderr) -> JoinHandle<String> {
    let mut lines = BufReader::new(stderr);
    let mut said = String::new();
    while !said.contains("Serving ") {
        let read = lines.read_line(&mut said).expect("what the server says");
        assert!(read > 0, "the server ended:\n{said}");
    }
    std::thread::spawn(move || {
        let _ = lines.read_to_string(&mut said);
        said
    })
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its number").port()
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a folder");
    for entry in from.read_dir().expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}

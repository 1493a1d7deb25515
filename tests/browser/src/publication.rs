//! A publication of its own for each test: the sample, copied, served on a free port of this machine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

use crate::program::{program, root};

/// A running server. It ends with this value.
pub struct Publication {
    folder: TempDir,
    /// Without a slash at the end.
    pub url: String,
    server: Child,
    log: Option<JoinHandle<String>>,
}

impl Publication {
    /// Returns once readers can be served.
    pub fn start() -> Publication {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::copy(root().join("publish.toml"), folder.path().join("publish.toml")).expect("publish.toml");
        copy_folder(&root().join("content"), &folder.path().join("content"));
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let mut serve = command(folder.path(), &url);
        serve.args(["serve", "--bind", &format!("127.0.0.1:{port}")]).stderr(Stdio::piped());
        let mut server = serve.spawn().expect("pressrun");
        let log = server.stderr.take().map(serving);
        let publication = Publication { folder, url, server, log };
        publication.is_ready(port);
        publication
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
        let output = command(self.folder.path(), &self.url).args(arguments).output().expect("pressrun");
        let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "pressrun {arguments:?}: {}\n{said}", output.status);
        printed.into_owned()
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let log = self.log.take().and_then(|log| log.join().ok());
        if std::thread::panicking() {
            eprintln!("the server said:\n{}", log.unwrap_or_default());
        }
    }
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

/// No setting of the person who runs the tests gets in.
fn command(folder: &Path, url: &str) -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PRESSRUN_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).env("PRESSRUN_PUBLICATION__URL", url).stdin(Stdio::null()).stdout(Stdio::piped());
    command
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

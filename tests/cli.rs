//! The program as an editor meets it: run whole, in a folder of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use tempfile::TempDir;

/// Runs `pressrun` in `folder`.
pub fn pressrun(folder: &Path, arguments: &[&str]) -> Output {
    pressrun_with(folder, arguments, &[])
}

fn pressrun_with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pressrun"));
    command.current_dir(folder).args(arguments).env_clear().envs(variables.iter().copied());
    command.output().expect("the program runs")
}

/// The program at work until it is told to stop, and what it says meanwhile.
struct Running {
    process: Child,
    said: BufReader<ChildStderr>,
}

impl Running {
    fn start(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pressrun"));
        command.current_dir(folder).args(arguments).env_clear().envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the program runs");
        let said = BufReader::new(process.stderr.take().unwrap());
        Running { process, said }
    }

    /// Waits until it says this.
    #[track_caller]
    fn until(&mut self, words: &str) {
        let mut said = String::new();
        while !said.contains(words) {
            assert!(self.said.read_line(&mut said).unwrap() > 0, "it ended without `{words}`:\n{said}");
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status();
        assert!(sent.expect("a program `kill`").success());
    }

    /// Tells it to stop, and waits until it has.
    #[track_caller]
    fn stop(&mut self, status: i32, words: &str) {
        self.signal("TERM");
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        assert_eq!(self.process.wait().unwrap().code(), Some(status), "{said}");
        assert!(said.contains(words), "`{words}` is not in:\n{said}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[track_caller]
pub fn check(output: &Output, status: i32, words: &str) -> String {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(words), "`{words}` is not in:\n{said}");
    said
}

/// A new publication, as `init` makes it.
pub fn publication() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    check(&pressrun(folder.path(), &["init"]), 0, "pressrun serve");
    folder
}

#[test]
fn a_new_publication_passes_check() {
    let folder = publication();
    let output = pressrun(folder.path(), &["check", "--strict"]);
    assert_eq!(check(&output, 0, ""), "", "nothing is said when all is well");
    check(&pressrun(folder.path(), &["init"]), 1, "exists already; nothing was written");
    check(&pressrun(folder.path(), &["build"]), 0, "");
    assert!(folder.path().join("public/index.html").is_file());
}

#[test]
fn a_mistake_is_explained() {
    let folder = publication();
    fs::write(folder.path().join("content/draft.md"), "---\ntitel: A title\n---\n\nText.\n").unwrap();
    check(&pressrun(folder.path(), &["check"]), 1, "pressrun explain front-matter/unknown-key");
    let elsewhere = TempDir::new().unwrap();
    let explained = pressrun(elsewhere.path(), &["explain", "front-matter/unknown-key"]);
    check(&explained, 0, "");
    assert!(String::from_utf8(explained.stdout).unwrap().starts_with("front-matter/unknown-key\n\n*error.* "));
    check(
        &pressrun(elsewhere.path(), &["explain", "front-matter/unknow-key"]),
        1,
        "did you mean `front-matter/unknown-key`?",
    );
}

#[test]
fn a_mail_is_previewed_as_its_reader_may_read_it() {
    let folder = publication();
    let article = "---\nid: paid\ntitle: For members\nsummary: What it is about.\ndate: 2026-01-02\naccess: paid\n\
        newsletters: [NEWSLETTER]\n---\nThe beginning.\n\n<!-- more -->\n\nThe paid sentence.\n";
    let settings = fs::read_to_string(folder.path().join("publish.toml")).unwrap();
    let newsletter = settings.split("[[newsletters]]\nid = \"").nth(1).unwrap().split('"').next().unwrap();
    fs::write(folder.path().join("content/paid.md"), article.replace("NEWSLETTER", newsletter)).unwrap();
    let run = |arguments: &[&str]| check(&pressrun(folder.path(), arguments), 0, "");
    for address in ["member@example.com", "reader@example.com"] {
        run(&["subscribers", "add", address, "--state", "active"]);
    }
    run(&["subscribers", "grant", "member@example.com", "--until", "2099-12-31"]);
    for part in ["text", "html", "eml"] {
        for (reader, reads) in [("member", true), ("reader", false), ("nobody", false)] {
            let address = format!("{reader}@example.com");
            let mail = run(&["issue", "preview", "paid", "--part", part, "--as", &address]);
            assert_eq!(mail.contains("The paid sentence."), reads, "{part} as {reader}:\n{mail}");
        }
    }
    assert!(!run(&["issue", "preview", "paid"]).contains("The paid sentence."));
}

#[test]
fn progress_in_json_stays_apart_from_the_answer() {
    let folder = publication();
    check(&pressrun(folder.path(), &["subscribers", "add", "reader@example.com", "--state", "active"]), 0, "");
    let sent = pressrun(folder.path(), &["issue", "send", "welcome", "--yes", "--format", "json"]);
    check(&sent, 0, "");
    let objects = |output: &[u8]| -> Vec<serde_json::Value> {
        let lines = String::from_utf8_lossy(output).into_owned();
        lines.lines().filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (answers, progress) = (objects(&sent.stdout), objects(&sent.stderr));
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!((&answers[0]["state"], &answers[0]["sent"]), (&"finished".into(), &1.into()));
    let first = progress.first().expect("progress is told at once");
    assert_eq!((&first["issue"], &first["total"]), (&answers[0]["issue"], &1.into()));
    assert!(first["rate"].is_number() && first.get("seconds_left").is_some(), "{first}");
}

#[test]
fn a_mail_calls_its_reader_by_name_and_a_page_does_not() {
    let folder = publication();
    let article = folder.path().join("content/welcome.md");
    let text = fs::read_to_string(&article).unwrap() + "\nDear {first_name|reader}, `{first_name|x}` is how.\n";
    fs::write(&article, text).unwrap();
    let run = |arguments: &[&str]| check(&pressrun(folder.path(), arguments), 0, "");
    run(&["subscribers", "add", "zoe@example.com", "--name", "Zoë Ünal", "--state", "active"]);
    run(&["subscribers", "add", "other@example.com", "--name", "<b>", "--state", "active"]);
    run(&["issue", "send", "welcome", "--yes"]);
    run(&["build"]);
    let mails = fs::read_dir(folder.path().join("data/outbox")).unwrap();
    let mails: Vec<String> = mails.map(|mail| fs::read_to_string(mail.unwrap().path()).unwrap()).collect();
    let mail_to = |address: &str| {
        let mail = mails.iter().find(|mail| mail.contains(&format!("To: {address}"))).unwrap();
        mail.replace("=\r\n", "")
    };
    assert_eq!(mail_to("zoe@example.com").matches("Dear Zo=C3=AB, ").count(), 2);
    assert_eq!(mail_to("other@example.com").matches("Dear reader, ").count(), 2);
    let page = fs::read_to_string(folder.path().join("public/welcome/index.html")).unwrap();
    assert!(page.contains("Dear reader, <code>{first_name|x}</code> is how."), "{page}");
    for text in [page, run(&["issue", "preview", "welcome"]), run(&["issue", "preview", "welcome", "--part", "html"])] {
        assert!(!text.contains(['\u{e000}', '\u{e001}']) && text.contains("Dear reader, "), "{text}");
    }
}

#[test]
fn mail_is_signed_with_the_keys_that_were_made() {
    let folder = publication();
    let new = || pressrun(folder.path(), &["dkim", "new", "--selector", "first", "--format", "json"]);
    let answer: serde_json::Value = serde_json::from_str(&check(&new(), 0, "")).unwrap();
    for (record, kind) in answer["records"].as_array().unwrap().iter().zip(["rsa", "ed25519"]) {
        assert!(record["name"].as_str().unwrap().starts_with(&format!("first-{kind}._domainkey.")), "{record}");
        assert!(record["value"].as_str().unwrap().starts_with(&format!("v=DKIM1; k={kind}; p=")), "{record}");
        let mode = fs::metadata(folder.path().join(format!("data/dkim/first-{kind}.pem"))).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let settings = folder.path().join("publish.toml");
    let text = fs::read_to_string(&settings).unwrap() + "\n" + answer["settings"].as_str().unwrap();
    fs::write(&settings, text).unwrap();
    check(&pressrun(folder.path(), &["check", "--strict"]), 0, "");
    let mail = check(&pressrun(folder.path(), &["issue", "preview", "welcome", "--part", "eml"]), 0, "");
    assert_eq!(mail.matches("DKIM-Signature: v=1;").count(), 2, "{mail}");
    let before = fs::read(folder.path().join("data/dkim/first-rsa.pem")).unwrap();
    check(&new(), 1, "exists already; nothing was written");
    assert_eq!(fs::read(folder.path().join("data/dkim/first-rsa.pem")).unwrap(), before);
    let said = check(&pressrun(folder.path(), &["dkim", "new", "--selector", "second"]), 0, "publish.toml");
    let strings = said.split('"').filter(|string| string.len() > 200).count();
    assert!(said.lines().all(|line| line.split('"').all(|string| string.len() <= 255)) && strings > 0, "{said}");
}

#[test]
fn a_folder_without_a_publication_is_told_how_to_make_one() {
    let folder = TempDir::new().unwrap();
    for arguments in [&["check"][..], &["build"], &["serve", "--bind", "127.0.0.1:0"], &["issue", "list"]] {
        check(&pressrun(folder.path(), arguments), 1, "pressrun init");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was written");
}

/// A limit on the size of files, in place of a disk that is full; both end a write half way.
#[test]
fn where_there_is_no_room_nothing_is_left_half_written() {
    let folder = publication();
    check(&pressrun(folder.path(), &["subscribers", "add", "first@example.com"]), 0, "");
    let readers = (0..5000).map(|number| format!("reader{number}@example.com\n")).collect::<String>();
    fs::write(folder.path().join("readers.csv"), format!("email\n{readers}")).unwrap();
    let within = |arguments: &str| {
        let program = env!("CARGO_BIN_EXE_pressrun");
        let script = format!("trap '' XFSZ; ulimit -f 8; exec '{program}' {arguments}");
        Command::new("sh").current_dir(folder.path()).args(["-c", &script]).output().expect("a shell")
    };
    check(&within("build"), 2, "cannot write `");
    let wrong = within("subscribers import readers.csv --from csv --state active");
    check(&wrong, 2, "Nothing that was done is lost");
    for entry in fs::read_dir(folder.path().join("public")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".part"), "{name} was left");
    }
    check(&pressrun(folder.path(), &["db", "check"]), 0, "sound");
    let listed = pressrun(folder.path(), &["subscribers", "list", "--format", "json"]);
    let readers = String::from_utf8_lossy(&listed.stdout).lines().count();
    assert!(readers == 1 || readers % 1000 == 1, "whole batches or none: {readers}");
    check(&pressrun(folder.path(), &["build"]), 0, "");
}

#[test]
fn a_port_in_use_is_named() {
    let folder = publication();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said =
        check(&pressrun(folder.path(), &["serve", "--bind", &address]), 2, &format!("cannot listen on {address}"));
    assert!(said.contains("--bind"), "{said}");
    let metrics = ["worker", "--metrics", &address];
    check(&pressrun(folder.path(), &metrics), 2, "with `--metrics`");
    // Where mail for the mailbox of bounces is brought, another process may take it.
    let variables = [("PRESSRUN_MAIL__LMTP", &*address), ("PRESSRUN_MAIL__BOUNCES_TO", "bounces@mail.example.com")];
    let mut worker = Running::start(folder.path(), &["worker"], &variables);
    worker.until("another process listens where `lmtp` says");
    worker.stop(0, "stopping");
}

#[test]
fn a_hangup_has_the_folder_read_again_and_ends_nothing() {
    let folder = publication();
    let mut serve = Running::start(folder.path(), &["serve", "--bind", "127.0.0.1:0"], &[]);
    serve.until("Serving My publication");
    for id in ["one", "two"] {
        let article = format!("---\nid: {id}\ntitle: One\nsummary: One.\ndraft: true\n---\n");
        fs::write(folder.path().join(format!("content/{id}.md")), article).unwrap();
        serve.signal("HUP");
        serve.until("the publication was read again");
    }
    serve.stop(0, "stopping");
}

#[test]
fn told_to_stop_a_send_waits_for_no_greeting_and_begins_no_other_issue() {
    let folder = publication();
    let add_to = |path: &str, from: &str, to: &str| {
        let path = folder.path().join(path);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    };
    add_to("publish.toml", "[[newsletters]]", "[[newsletters]]\nid = \"other\"\n\n[[newsletters]]");
    add_to("content/welcome.md", "newsletters: [main]", "newsletters: [main, other]");
    for newsletter in ["main", "other"] {
        let address = format!("{newsletter}@example.com");
        let add = ["subscribers", "add", &address, "--newsletter", newsletter, "--state", "active"];
        check(&pressrun(folder.path(), &add), 0, "");
    }
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = format!("smtp://{}", silent.local_addr().unwrap());
    let send = ["issue", "send", "welcome", "--yes"];
    let mut sending = Running::start(folder.path(), &send, &[("PRESSRUN_MAIL__RELAYS__0__URL", &relay)]);
    let _line = silent.accept().unwrap();
    sending.stop(2, "Stopping");
    silent.set_nonblocking(true).unwrap();
    assert!(silent.accept().is_err(), "the second issue was not begun");
    check(&pressrun(folder.path(), &send), 0, "1 sent");
    assert_eq!(fs::read_dir(folder.path().join("data/outbox")).unwrap().count(), 2, "nobody is lost");
}

/// A DNS server that knows no name at all (RFC 1035, 4.1.1) until the test ends.
fn empty_dns() -> String {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut message = [0; 1500];
        while let Ok((length, asker)) = socket.recv_from(&mut message) {
            message[2] |= 0x80;
            message[3] = 0x83;
            let _ = socket.send_to(&message[..length], asker);
        }
    });
    address
}

#[test]
fn doctor_asks_dns_only_when_told_and_says_what_to_publish() {
    let folder = publication();
    let variables = [("PRESSRUN_NEWSLETTERS__0__FROM", "News <news@news.example.com>")];
    let server = empty_dns();
    let said = check(&pressrun_with(folder.path(), &["doctor"], &variables), 0, "no errors");
    assert!(!said.contains("spf"), "{said}");
    let ask = ["doctor", "--dns", "--dns-server", &server, "--leaves-from", "192.0.2.25"];
    let said = check(&pressrun_with(folder.path(), &ask, &variables), 1, "there is no domain news.example.com");
    for record in [
        "_dmarc.news.example.com. TXT \"v=DMARC1; p=none\"",
        "news.example.com. TXT \"v=spf1 ip4:192.0.2.25 ~all\"",
        "25.2.0.192.in-addr.arpa. PTR mail.news.example.com.",
    ] {
        assert!(said.contains(record), "`{record}` is not in:\n{said}");
    }
    let json = pressrun_with(folder.path(), &[&ask[..], &["--format", "json"]].concat(), &variables);
    check(&json, 1, r#""about":"ptr","finding":"192.0.2.25 has no name"#);
    check(&json, 1, r#""record":{"name":"news.example.com","kind":"TXT","value":"v=spf1 ip4:192.0.2.25 ~all"}"#);
}

#[test]
fn a_relay_that_does_not_answer_is_named() {
    let folder = publication();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("smtp://{free}");
    let arguments = ["issue", "test", "content/welcome.md", "--to", "reader@example.com"];
    let output = pressrun_with(folder.path(), &arguments, &[("PRESSRUN_MAIL__RELAYS__0__URL", &url)]);
    check(&output, 2, &url);
}

#[test]
fn errors_block_a_send() {
    let folder = publication();
    fs::write(folder.path().join("content/broken.md"), "---\ntitel: Broken\n---\n").unwrap();
    check(&pressrun(folder.path(), &["check"]), 1, "content/broken.md:2:1");
    let said = check(&pressrun(folder.path(), &["issue", "send", "welcome", "--yes"]), 1, "reports errors");
    assert!(said.contains("pressrun check"), "{said}");
}

#[test]
fn a_restored_database_sends_nothing_by_itself() {
    let folder = publication();
    let run = |arguments: &[&str]| pressrun(folder.path(), arguments);
    check(&run(&["subscribers", "add", "reader@example.com"]), 0, "");
    check(&run(&["db", "backup", "kept.db"]), 0, "Backed up");
    check(&run(&["db", "backup", "kept.db"]), 1, "exists already");
    check(&run(&["issue", "send", "welcome", "--yes"]), 0, "1 sent");
    check(&run(&["db", "restore", "kept.db"]), 0, "All sending is held");
    check(&run(&["issue", "send", "welcome", "--yes"]), 1, "it was restored from `kept.db`");
    check(&run(&["issue", "resume", "--all"]), 1, "0 mails would go at once");
    check(&run(&["issue", "resume", "--all", "--yes"]), 0, "Sending goes on");
    check(&run(&["db", "check"]), 0, "sound");
    assert_eq!(fs::read_dir(folder.path().join("data/outbox")).unwrap().count(), 1);
}

#[test]
fn a_database_under_another_url_is_held() {
    let folder = publication();
    check(&pressrun(folder.path(), &["subscribers", "add", "reader@example.com"]), 0, "");
    let elsewhere = [("PRESSRUN_PUBLICATION__URL", "http://localhost:9")];
    let output = pressrun_with(folder.path(), &["issue", "send", "welcome", "--yes"], &elsewhere);
    check(&output, 1, "all sending is held: this database belonged to no url");
    let back = pressrun(folder.path(), &["issue", "send", "welcome", "--yes"]);
    check(&back, 1, "all sending is held");
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    let folder = publication();
    check(&pressrun(folder.path(), &["issue", "list"]), 0, "");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        use sqlx::{Connection as _, Executor as _};
        let file = folder.path().join("data/pressrun.db");
        let mut connection = sqlx::SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
        connection.execute("INSERT INTO schema_steps (version) VALUES (99)").await.unwrap();
    });
    check(&pressrun(folder.path(), &["issue", "list"]), 2, "the database is of version 99");
}

#[test]
fn answers_are_json_for_programs() {
    let folder = publication();
    let output = pressrun(folder.path(), &["issue", "plan", "welcome", "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys: Vec<&String> = plan.as_object().unwrap().keys().collect();
    for key in ["plan", "newsletter", "issue", "articles", "recipients", "excluded", "waits_for"] {
        assert!(keys.iter().any(|known| *known == key), "{key} is not in {keys:?}");
    }
}

/// Postfix's smtp-sink: an SMTP server that is not ours, which writes each mail into a file.
struct Sink {
    process: Child,
    mails: TempDir,
    address: std::net::SocketAddr,
}

impl Sink {
    fn start() -> Sink {
        let mails = TempDir::new().unwrap();
        fs::set_permissions(mails.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new("/usr/sbin/smtp-sink");
        if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
            command.args(["-u", "nobody"]); // it refuses to run as root
        }
        command.current_dir(mails.path()).args(["-d", "mail."]).arg(address.to_string()).arg("64");
        let process = command.spawn().expect("smtp-sink starts; it is part of the package postfix");
        while std::net::TcpStream::connect(address).is_err() {
            std::thread::yield_now();
        }
        Sink { process, mails, address }
    }

    /// Everybody to whom a mail was handed over, once for each mail.
    fn recipients(&self) -> Vec<String> {
        let mails = fs::read_dir(self.mails.path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        let recipient = |mail: Vec<u8>| {
            let text = String::from_utf8_lossy(&mail).into_owned();
            let line = text.lines().find_map(|line| line.strip_prefix("X-Rcpt-Args: <")).map(str::to_owned);
            line.and_then(|line| line.split('>').next().map(str::to_owned))
        };
        let mut recipients: Vec<String> = mails.filter_map(recipient).collect();
        recipients.sort();
        recipients
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn an_smtp_server_gets_each_mail_once() {
    let folder = publication();
    let sink = Sink::start();
    let relay = format!("smtp://{}", sink.address);
    let variables = [("PRESSRUN_MAIL__RELAYS__0__URL", relay.as_str())];
    let readers: Vec<String> = (10..60).map(|number| format!("reader-{number}@example.com")).collect();
    fs::write(folder.path().join("readers.csv"), format!("email\n{}\n", readers.join("\n"))).unwrap();
    let import = ["subscribers", "import", "readers.csv", "--from", "csv", "--state", "active"];
    check(&pressrun_with(folder.path(), &import, &variables), 0, "50 imported");
    check(&pressrun_with(folder.path(), &["issue", "send", "welcome", "--yes"], &variables), 0, "50 sent");
    assert_eq!(sink.recipients(), readers);
    let again = pressrun_with(folder.path(), &["issue", "send", "welcome", "--yes"], &variables);
    check(&again, 0, "nothing was sent now");
    assert_eq!(sink.recipients(), readers);
}

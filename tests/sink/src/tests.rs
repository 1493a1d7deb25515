//! What the sink does to those who talk to it.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

/// What is said to it in one piece, and all that it answers after its extensions, until somebody hangs up.
async fn talk(sink: &Sink, said: &str) -> String {
    let mut stream = TcpStream::connect(sink.address()).await.unwrap();
    stream.write_all(format!("EHLO client.example.com\r\n{said}QUIT\r\n").as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    // A connection that is reset has been read as far as it goes.
    let _ = stream.read_to_end(&mut heard).await;
    let heard = String::from_utf8(heard).unwrap();
    heard.split_once("250 ENHANCEDSTATUSCODES\r\n").map_or(heard.clone(), |(_, rest)| rest.to_owned())
}

fn mail(to: &str, message: &str) -> String {
    format!("MAIL FROM:<news@example.com> SIZE=7\r\nRCPT TO:<{to}>\r\nDATA\r\n{message}.\r\n")
}

async fn sink(faults: &str) -> (Sink, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::start("127.0.0.1:0", None).await.unwrap();
    sink.begin(serde_json::from_str(faults).unwrap(), Some(&folder.path().join("log"))).unwrap();
    (sink, folder)
}

fn log(folder: &tempfile::TempDir) -> Vec<Entry> {
    let text = std::fs::read_to_string(folder.path().join("log")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn codes(heard: &str) -> Vec<&str> {
    heard.lines().map(|line| &line[..3]).collect()
}

const MESSAGE: &str = "Subject: Hello\r\nMESSAGE-ID:\r\n <a@example.com>\r\n\
    List-Unsubscribe: <https://example.com/leave>\r\n\r\nMessage-ID: no\r\n..\r\n";

#[tokio::test]
async fn a_group_of_commands_is_answered_one_by_one() {
    let (sink, folder) = sink("{}").await;
    let heard = talk(&sink, &(mail("a@example.com", MESSAGE) + &mail("b@example.com", MESSAGE))).await;
    assert_eq!(codes(&heard), ["250", "250", "354", "250", "250", "250", "354", "250", "221"], "{heard}");
    let log = log(&folder);
    let whom: Vec<_> = log.iter().map(|entry| (entry.to.as_str(), entry.end, entry.connection)).collect();
    assert_eq!(whom, [("a@example.com", End::Taken, 1), ("b@example.com", End::Taken, 1)]);
    assert_eq!((log[0].message_id.as_str(), log[0].leave.as_str()), ("<a@example.com>", "https://example.com/leave"));
    assert_eq!(log[0].sha256, hex_of(MESSAGE));
    assert_eq!(sink.totals(), Totals { dots: 2, taken: 2, connections: 1, most_open: 1 });
}

fn hex_of(text: &str) -> String {
    let digest = ::aws_lc_rs::digest::digest(&::aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_dot_is_found_wherever_the_pieces_are_cut() -> io::Result<()> {
    let (sink, folder) = sink("{}").await;
    let said = format!("EHLO c\r\n{}{}QUIT\r\n", mail("a@example.com", ""), mail("b@example.com", "x\r\n..\r\n"));
    let mut stream = TcpStream::connect(sink.address()).await?;
    stream.set_nodelay(true)?;
    for byte in said.as_bytes() {
        stream.write_all(&[*byte]).await?;
        tokio::task::yield_now().await;
    }
    stream.read_to_end(&mut Vec::new()).await?;
    assert_eq!(
        log(&folder).iter().map(|entry| entry.sha256.as_str()).collect::<Vec<_>>(),
        ["", &hex_of("x\r\n..\r\n")]
    );
    Ok(())
}

#[tokio::test]
async fn who_is_put_off_is_taken_the_second_time_and_who_is_refused_never() {
    let (sink, folder) = sink(r#"{"later": 1}"#).await;
    let twice = mail("a@example.com", "x\r\n").repeat(2);
    let put_off = mail("a@example.com", "").replace("DATA\r\n.\r\n", "RSET\r\n");
    let heard = talk(&sink, &(put_off.clone() + &mail("a@example.com", "x\r\n"))).await;
    assert_eq!(codes(&heard), ["250", "451", "250", "250", "250", "354", "250", "221"], "{heard}");
    sink.begin(Faults { refused: 1.0, ..Faults::default() }, Some(&folder.path().join("log"))).unwrap();
    let heard = talk(&sink, &put_off.repeat(2)).await;
    assert_eq!(codes(&heard), ["250", "550", "250", "250", "550", "250", "221"], "{heard}");
    let ends: Vec<_> = log(&folder).into_iter().map(|entry| entry.end).collect();
    assert_eq!(ends, [End::Later, End::Taken, End::Refused, End::Refused]);
    // A sender that does not wait for the answer to RCPT finds DATA refused, or is asked for a lone dot.
    let heard = talk(&sink, &mail("a@example.com", "").replace(".\r\n", "")).await;
    assert_eq!(codes(&heard), ["250", "550", "554", "221"], "{heard}");
    let for_nobody = Faults { refused: 1.0, data_for_nobody: true, ..Faults::default() };
    sink.begin(for_nobody, None).unwrap();
    let heard = talk(&sink, &twice.replace("x\r\n", "")).await;
    assert_eq!(codes(&heard), ["250", "550", "354", "554", "250", "550", "354", "554", "221"], "{heard}");
}

#[tokio::test]
async fn lines_drop_where_they_are_told_to() {
    let check = async |faults: &str, answers: &[&str], ends: &[End]| {
        let (sink, folder) = sink(faults).await;
        let heard = talk(&sink, &mail("a@example.com", "x\r\n").repeat(2)).await;
        assert_eq!(codes(&heard), answers, "{faults}: {heard}");
        assert_eq!(log(&folder).iter().map(|entry| entry.end).collect::<Vec<_>>(), ends, "{faults}");
    };
    check(r#"{"taken": 1}"#, &["250", "250", "354"], &[End::TakenInSilence]).await;
    check(r#"{"lost": 1}"#, &["250", "250", "354"], &[End::Lost]).await;
    check(r#"{"busy": 1}"#, &["421"], &[]).await;
    check(r#"{"mails-per-connection": 1}"#, &["250", "250", "354", "250", "421"], &[End::Taken]).await;
    let silent = r#"{"mails-per-connection": 1, "ends-without-a-word": true}"#;
    check(silent, &["250", "250", "354", "250"], &[End::Taken]).await;
}

#[tokio::test]
async fn a_script_says_what_happens_where() {
    let script = r#"{"script": [
        {"at": "rcpt", "to": "a@example.com", "times": 1, "act": {"say": "552-5.2.2 full\n552 5.2.2 indeed"}},
        {"at": "dot", "after": 1, "act": {"say": "450 4.3.0 later"}},
        {"at": "mail", "after": 3, "act": "drop"}
    ]}"#;
    let (sink, folder) = sink(script).await;
    let group = |to: &str| mail(to, "").replace("DATA\r\n.\r\n", "RSET\r\n");
    let said = group("a@example.com") + &mail("b@example.com", "x\r\n") + &mail("a@example.com", "x\r\n");
    let heard = talk(&sink, &(said + &group("c@example.com"))).await;
    let answers = ["250", "552", "552", "250", "250", "250", "354", "250", "250", "250", "354", "450"];
    assert_eq!(codes(&heard), answers, "{heard}");
    let ends: Vec<_> = log(&folder).into_iter().map(|entry| entry.end).collect();
    assert_eq!(ends, [End::Refused, End::Taken, End::Later]);
    sink.begin(Faults { loses_what_is_pipelined: true, ..Faults::default() }, None).unwrap();
    let mut stream = TcpStream::connect(sink.address()).await.unwrap();
    stream.write_all(b"EHLO c\r\nNOOP\r\nNOOP\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await.unwrap();
    assert!(heard.ends_with("250 ENHANCEDSTATUSCODES\r\n"), "{heard}");
}

#[test]
fn shares_are_kept_and_a_seed_repeats_them() {
    let faults = Faults { seed: 7, ..Faults::default() };
    let hit = |faults: &Faults| -> Vec<u64> {
        (0..20_000).filter(|number| faults.hits(0.03, "later", &format!("r{number}@example.com"), 0)).collect()
    };
    let first = hit(&faults);
    assert!((500..700).contains(&first.len()), "{} of 20,000", first.len());
    assert_eq!(first, hit(&faults));
    assert_ne!(first, hit(&Faults { seed: 8, ..faults }));
}

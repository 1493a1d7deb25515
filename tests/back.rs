//! What comes back: told from the mail that went out to what is known of its reader, on both databases.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::TimeDelta;
use pressrun::clock;
use pressrun::config::Secret;
use pressrun::mailbox::Event;
use pressrun::mailbox::{self, Kind};
use pressrun::model::{
    Cadence, Cause, DeliveryState, EmailAddress, IssueEvent, IssueState, SubscriptionState, SuppressionReason,
};
use pressrun::relay::{Phase, Reply};
use pressrun::store::{About, Content, Returned, Said};
use pressrun::{audience, mail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::cli::{check, pressrun, publication};
use crate::relay::{Act, FinalDot, Memory};
use crate::world::{World, ledger_ages, on_both_databases, run_sql};

on_both_databases! {
    each_mail_names_its_delivery
    a_dead_mailbox_is_not_mailed_again
    a_forged_report_does_nothing
    a_complaint_ends_everything_and_no_import_brings_it_back
    a_full_mailbox_is_given_up_after_two_weeks
    what_the_relay_says_of_a_mailbox_holds_for_later
    too_many_dead_mailboxes_stop_a_newsletter_until_an_editor_looks
    what_went_out_before_an_editor_looked_is_not_counted_again
    a_relay_that_refuses_everybody_burns_no_issue
    our_own_fault_stops_everything_at_once
    a_notice_that_came_back_is_forgotten_with_its_reader
    what_a_provider_says_again_counts_once
    what_the_mail_server_beside_brings_is_read
}

/// What a server writes about a mail, which it returns as far as `returned`.
fn report(to: &str, status: &str, said: &str, returned: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example.com\r\nSubject: Undelivered\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n\
         Final-Recipient: rfc822; {to}\r\nAction: failed\r\nStatus: {status}\r\nDiagnostic-Code: smtp; {said}\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\n{returned}\r\n--b--\r\n"
    )
}

impl World {
    /// An article goes out to all readers of `main`; gives the mails.
    async fn sends(&mut self, slug: &str) -> Vec<FinalDot> {
        let before = self.relay.final_dots().len();
        self.editor_writes(slug, "", "Text.");
        self.editor_sends(slug).await.unwrap();
        self.turn().await;
        self.sender_works().await;
        self.relay.final_dots().split_off(before)
    }

    /// A report about a mail comes to the address that it was sent from, or to another.
    async fn hears(&self, dot: &FinalDot, to: Option<&str>, status: &str, said: &str) -> (Kind, bool) {
        let report = report(dot.envelope.to.as_str(), status, said, "");
        self.reads(to.unwrap_or(dot.envelope.from.as_str()), &report).await
    }

    async fn reads(&self, to: &str, mail: &str) -> (Kind, bool) {
        mailbox::hear(&self.store, &self.keys, (to, &mail.as_bytes().into()), self.now).await.unwrap()
    }

    /// The mails that are not an issue's and wait to be sent: to whom, and their subject and text.
    async fn notices(&self) -> Vec<(String, String, String)> {
        let (mut notices, until) = (Vec::new(), self.now + TimeDelta::minutes(1));
        for claimed in self.store.claim(None, "test", self.now, until, 10).await.unwrap() {
            let Content::Notice { flow } = &claimed.content else { panic!("an issue's") };
            let flow = self.store.flow(flow).await.unwrap().unwrap();
            let mail = audience::notice(&self.edition(), &self.keys, &flow).unwrap().mail;
            notices.push((claimed.to.to_string(), mail.subject, mail.text));
        }
        notices
    }

    async fn suppression(&self, dot: &FinalDot) -> Option<SuppressionReason> {
        let key = dot.envelope.to.key();
        self.store.suppressions_of(&[key]).await.unwrap().remove(key)
    }
}

async fn each_mail_names_its_delivery(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    let dots = world.sends("first").await;
    assert_eq!(dots.len(), 2);
    let keys: Vec<_> = world.keys.all().collect();
    for dot in dots {
        let sender = dot.envelope.from.as_str();
        assert!(sender.starts_with("bounces+") && sender.ends_with("@sample.example.com"), "{sender}");
        let message = String::from_utf8_lossy(&dot.message).into_owned();
        for text in [sender, &message] {
            assert_eq!(mail::delivery_of(text, &keys), Some(dot.delivery.clone()), "{text}");
        }
    }
}

async fn a_dead_mailbox_is_not_mailed_again(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    let dots = world.sends("first").await;
    assert_eq!(world.hears(&dots[0], None, "5.1.1", "550 5.1.1 User unknown").await, (Kind::Bounce, true));
    assert_eq!(world.hears(&dots[0], None, "5.1.1", "550 5.1.1 User unknown").await, (Kind::Bounce, false));
    assert_eq!(world.hears(&dots[1], None, "4.4.1", "connection timed out").await, (Kind::Bounce, false));
    assert_eq!(world.suppression(&dots[0]).await, Some(SuppressionReason::HardBounce));
    let returns = world.store.returns_of(&dots[0].delivery).await.unwrap();
    let told: Vec<_> = returns.iter().map(|(cause, row)| (*cause, row.said.text.as_str())).collect();
    assert_eq!(told, [(Cause::Gone, "550 5.1.1 User unknown")]);
    let next = world.sends("second").await;
    assert_eq!(next.iter().map(|dot| &dot.envelope.to).collect::<Vec<_>>(), [&dots[1].envelope.to]);
}

async fn a_forged_report_does_nothing(mut world: World) {
    world.readers(1, "main", Cadence::Instant).await;
    let dot = world.sends("first").await.remove(0);
    let sender = dot.envelope.from.to_string();
    let forged = sender.replace(&sender[41..57], "0123456789abcdef");
    assert_ne!(forged, sender);
    for to in ["bounces@sample.example.com", dot.envelope.to.as_str(), &forged] {
        assert_eq!(world.hears(&dot, Some(to), "5.1.1", "550 User unknown").await, (Kind::Ignored, false), "{to}");
    }
    let letter =
        format!("From: reader@example.org\r\nTo: {sender}\r\nSubject: Re: News\r\n\r\nUser unknown, I read.\r\n");
    assert_eq!(world.reads(&sender, &letter).await, (Kind::Ignored, false));
    assert_eq!(world.suppression(&dot).await, None);
}

async fn a_complaint_ends_everything_and_no_import_brings_it_back(mut world: World) {
    world.readers(1, "main", Cadence::Instant).await;
    world.readers(1, "other", Cadence::Instant).await;
    let dot = world.sends("first").await.remove(0);
    let message = String::from_utf8_lossy(&dot.message).into_owned();
    let complaint = format!(
        "From: feedback@example.com\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: x/1\r\nVersion: 1\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\n{message}\r\n--b--\r\n"
    );
    assert_eq!(world.reads("", &complaint).await, (Kind::Complaint, true));
    let key = dot.envelope.to.key();
    let person = world.store.subscribers_with(&[key]).await.unwrap().remove(0);
    assert!(person.subscriptions.iter().all(|theirs| theirs.state == SubscriptionState::Ended), "{person:?}");
    assert_eq!(person.suppression, Some(SuppressionReason::Complaint));
    let flow = audience::flow_id(clock::random());
    let who = (person.id, dot.envelope.to.clone());
    assert!(audience::erase(&world.store, &world.keys, who, "en".to_owned(), flow, world.now).await.unwrap());
    assert_eq!(world.suppression(&dot).await, None, "nothing of the address is left");
    world.imports(&format!("email,cadence\n{key},instant\n")).await;
    assert_eq!(world.sends("second").await.len(), 0);
}

async fn a_full_mailbox_is_given_up_after_two_weeks(mut world: World) {
    world.readers(1, "main", Cadence::Instant).await;
    for (number, days) in [0, 7, 6, 1].into_iter().enumerate() {
        world.now += TimeDelta::days(days);
        let dot = world.sends(&format!("number-{number}")).await.remove(0);
        let is_enough = number == 3;
        assert_eq!(
            world.hears(&dot, None, "5.2.2", "552 5.2.2 mailbox full").await,
            (Kind::Bounce, is_enough),
            "{number}"
        );
    }
}

async fn what_the_relay_says_of_a_mailbox_holds_for_later(mut world: World) {
    world.readers(3, "main", Cadence::Instant).await;
    let refusal = |to: &EmailAddress| match to.as_str() {
        "instant-1@example.com" => Act::Refuse(Reply::parse("550 5.1.1 no such user").unwrap()),
        "instant-2@example.com" => Act::Refuse(Reply::parse("550 5.7.1 looks like spam").unwrap()),
        _ => Act::Accept,
    };
    world.relay = Memory::deciding(move |step| match (&step.phase, &step.mail) {
        (Phase::RcptTo, Some((_, envelope))) => refusal(&envelope.to),
        _ => Act::Accept,
    });
    world.sends("first").await;
    let keys = ["instant-1@example.com", "instant-2@example.com", "instant-3@example.com"];
    let suppressions: Vec<_> = world.store.suppressions_of(&keys).await.unwrap().into_iter().collect();
    assert_eq!(suppressions, [("instant-1@example.com".to_owned(), SuppressionReason::HardBounce)]);
}

async fn too_many_dead_mailboxes_stop_a_newsletter_until_an_editor_looks(mut world: World) {
    world.readers(200, "main", Cadence::Instant).await;
    let dots = world.sends("first").await;
    for dot in &dots[..10] {
        assert!(world.store.stopped_newsletters().await.unwrap().is_empty());
        world.hears(dot, None, "5.1.1", "550 5.1.1 User unknown").await;
    }
    world.hears(&dots[10], None, "5.1.1", "550 5.1.1 User unknown").await;
    let stopped = world.store.stopped_newsletters().await.unwrap();
    assert_eq!(stopped.keys().map(|newsletter| newsletter.as_str()).collect::<Vec<_>>(), ["main"]);
    let [(to, subject, text)] = &world.notices().await[..] else { panic!("one mail to the editors") };
    assert_eq!((to.as_str(), subject.as_str()), ("main@sample.example.com", "Sending has stopped: Main"));
    assert!(text.contains("Too many mailboxes to which Main goes do not exist."), "{text}");
    world.hears(&dots[11], None, "5.1.1", "550 5.1.1 User unknown").await;
    assert_eq!(world.notices().await.len(), 0, "they were told");
    assert_eq!(world.sends("second").await.len(), 0, "what comes next waits");
    let issue = world.store.issues().await.unwrap().into_iter().find(|issue| issue.subject.contains("second")).unwrap();
    assert_eq!(issue.state, IssueState::Paused);
    world.store.move_issue(&issue.id, IssueEvent::Resume, world.now).await.unwrap();
    assert!(world.store.stopped_newsletters().await.unwrap().is_empty());
    let before = world.relay.final_dots().len();
    world.sender_works().await;
    assert_eq!(world.relay.final_dots().len() - before, 188);
    world.hears(&dots[12], None, "5.1.1", "550 5.1.1 User unknown").await;
    assert!(world.store.stopped_newsletters().await.unwrap().is_empty(), "what the editor has seen counts no more");
}

async fn what_went_out_before_an_editor_looked_is_not_counted_again(mut world: World) {
    world.readers(3, "main", Cadence::Instant).await;
    let dots = world.sends("first").await;
    let issue = world.store.issues().await.unwrap().remove(0).id;
    let day = world.now.timestamp() / 86_400;
    let more = async |sent: i64, gone: i64| {
        let sent = format!("UPDATE sent_counts SET sent = sent + {sent} WHERE issue = '{issue}'");
        let day = [day - 8, day].map(|day| format!("('main', {day}, 'gone', {gone})")).join(", ");
        let gone = format!(
            "INSERT INTO return_counts (newsletter, day, cause, returned) VALUES {day}
            ON CONFLICT (newsletter, day, cause) DO UPDATE SET returned = return_counts.returned + excluded.returned"
        );
        run_sql(&world.address, format!("{sent}; {gone}")).await;
    };
    let stops = async |dot: &FinalDot| {
        world.hears(dot, None, "5.1.1", "550 5.1.1 User unknown").await;
        !world.store.stopped_newsletters().await.unwrap().is_empty()
    };
    more(10_000, 500).await;
    assert!(!stops(&dots[0]).await, "what came back a week ago counts no more");
    more(0, 100).await;
    assert!(stops(&dots[1]).await);
    world.store.move_issue(&issue, IssueEvent::Resume, world.now).await.unwrap();
    more(10_000, 400).await;
    assert!(!stops(&dots[2]).await);
}

async fn a_relay_that_refuses_everybody_burns_no_issue(mut world: World) {
    world.now = clock::now();
    world.readers(60, "main", Cadence::Instant).await;
    world.relay = Memory::deciding(|step| match step.phase {
        Phase::RcptTo => Act::Refuse(Reply::parse("554 5.7.1 not from you").unwrap()),
        _ => Act::Accept,
    });
    world.sends("first").await;
    let issue = world.store.issues().await.unwrap().remove(0).id;
    let count = async |wanted: DeliveryState| {
        let counts = world.store.count_deliveries(&issue).await.unwrap();
        counts.into_iter().find(|(state, _)| *state == wanted).map_or(0, |(_, count)| count)
    };
    let failed = count(DeliveryState::Failed).await;
    assert!((5..=7).contains(&failed), "{failed}: what else was claimed is not tried while the relay rests");
    assert!(world.store.stopped_newsletters().await.unwrap().is_empty());
    ledger_ages(&world.address, TimeDelta::minutes(2)).await;
    world.sender_works().await;
    let failed = count(DeliveryState::Failed).await;
    assert!((10..=12).contains(&failed), "{failed}");
    assert_eq!(world.store.issue(&issue).await.unwrap().unwrap().state, IssueState::Paused);
    let why = world.store.stopped_newsletters().await.unwrap().into_values().next();
    assert_eq!(why.as_deref(), Some("10 of 10 mails were refused; 5 % is the most"));
    world.now = clock::now();
    let [(_, _, text)] = &world.notices().await[..] else { panic!("one mail to the editors") };
    assert!(text.contains("Too many mails of Main were refused."), "{text}");
    // The relay takes mail again, and whom it refused is tried again.
    world.relay = Memory::accepting();
    world.store.move_issue(&issue, IssueEvent::Resume, clock::now()).await.unwrap();
    ledger_ages(&world.address, TimeDelta::minutes(2)).await;
    world.sender_works().await;
    assert_eq!(count(DeliveryState::Sent).await, 60 - failed);
    assert_eq!(world.store.retry_issue(&issue, clock::now()).await.unwrap(), u64::try_from(failed).unwrap());
    world.sender_works().await;
    assert_eq!(world.inboxes().len(), 60);
}

async fn our_own_fault_stops_everything_at_once(mut world: World) {
    let settings = fs::read_to_string(world.path("publish.toml")).unwrap();
    let answered = settings.replacen("id = \"main\"", "id = \"main\"\nreply-to = \"desk@sample.example.com\"", 1);
    fs::write(world.path("publish.toml"), answered).unwrap();
    world.readers(1, "main", Cadence::Instant).await;
    let dot = world.sends("first").await.remove(0);
    world.hears(&dot, None, "5.7.26", "550 5.7.26 unauthenticated").await;
    assert!(world.store.stopped_newsletters().await.unwrap().is_empty(), "anybody may have written it");
    let said =
        Said { code: Some(550), enhanced: Some("5.7.26".to_owned()), text: String::new(), relay: "relay".to_owned() };
    let about = About::Delivery(dot.delivery.clone());
    let returned = Returned { id: "1".to_owned(), about, cause: Cause::Authentication, said, is_vouched: true };
    world.store.take_back(returned, world.now).await.unwrap();
    assert_eq!(world.store.stopped_newsletters().await.unwrap().len(), 2);
    let [(to, _, text)] = &world.notices().await[..] else { panic!("nothing of the other was ever sent") };
    assert_eq!(to, "desk@sample.example.com");
    assert!(text.contains("Mails of Main are refused because of our authentication or DNS."), "{text}");
    assert_eq!(world.suppression(&dot).await, None);
    let issue = world.store.issues().await.unwrap().remove(0).id;
    let moved = world.store.move_issue(&issue, IssueEvent::Resume, world.now).await.unwrap();
    assert_eq!(moved, Some((IssueState::Finished, Some(IssueState::Finished))));
    assert_eq!(world.store.stopped_newsletters().await.unwrap().len(), 1, "though all of it had been sent");
    assert_eq!(world.store.move_issue(&issue, IssueEvent::Resume, world.now).await.unwrap().unwrap().1, None);
}

async fn a_notice_that_came_back_is_forgotten_with_its_reader(world: World) {
    world.somebody_signs_up("newcomer@example.com").await;
    let claimed = world.store.claim(None, "test", world.now, world.now, 1).await.unwrap().remove(0);
    let said = Said { code: Some(550), enhanced: None, text: String::new(), relay: "report".to_owned() };
    let about = About::Delivery(claimed.id);
    let returned = Returned { id: "1".to_owned(), about, cause: Cause::Gone, said, is_vouched: false };
    assert!(world.store.take_back(returned, world.now).await.unwrap().is_some());
    let person = world.store.subscribers_with(&["newcomer@example.com"]).await.unwrap().remove(0);
    let who = (person.id, EmailAddress::parse("newcomer@example.com").unwrap());
    let flow = audience::flow_id(clock::random());
    assert!(audience::erase(&world.store, &world.keys, who, "en".to_owned(), flow, world.now).await.unwrap());
}

async fn what_a_provider_says_again_counts_once(mut world: World) {
    world.readers(1, "main", Cadence::Instant).await;
    let dot = world.sends("first").await.remove(0);
    let said = format!(
        r#"{{"RecordType": "Bounce", "Type": "HardBounce", "ID": 42, "Email": "{}", "BouncedAt": "2026-01-07T12:00:00Z"}}"#,
        dot.envelope.to
    );
    let authorization = format!("Basic {}", BASE64.encode("postmark:a password"));
    let hears = async || match mailbox::event(&authorization, said.as_bytes(), &Secret::new("a password")) {
        Event::Returned(returned) => mailbox::take_back(&world.store, returned, world.now).await.unwrap(),
        other => panic!("{other:?}"),
    };
    assert!(hears().await);
    run_sql(&world.address, "DELETE FROM suppressions".to_owned()).await;
    assert!(!hears().await);
    assert_eq!(world.suppression(&dot).await, None, "whoever sends it again changes nothing");
    assert_eq!(world.store.returns_of(&dot.delivery).await.unwrap().len(), 1);
}

async fn what_the_mail_server_beside_brings_is_read(mut world: World) {
    world.readers(2, "main", Cadence::Instant).await;
    let dots = world.sends("first").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let mailbox = EmailAddress::parse("bounces@sample.example.com").unwrap();
    let written = (world.store.clone(), Arc::clone(&world.keys));
    let served = tokio::spawn(mailbox::serve_lmtp(async { Ok(listener) }, written, mailbox, stopped));
    let mut line = TcpStream::connect(address).await.unwrap();
    let said = report(dots[0].envelope.to.as_str(), "5.1.1", "550 5.1.1 User unknown", "");
    let talk = format!("LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<{}>\r\nDATA\r\n{said}.\r\nQUIT\r\n", dots[0].envelope.from);
    line.write_all(talk.as_bytes()).await.unwrap();
    let mut answers = String::new();
    line.read_to_string(&mut answers).await.unwrap();
    assert!(answers.ends_with("250 2.0.0 read\r\n221 2.0.0 bye\r\n"), "{answers}");
    assert_eq!(world.suppression(&dots[0]).await, Some(SuppressionReason::HardBounce));
    assert_eq!(world.suppression(&dots[1]).await, None);
    stop.send_replace(true);
    served.await.unwrap().unwrap();
}

#[test]
fn what_came_back_is_read_from_wherever_it_lies() {
    let folder = publication();
    let run = |arguments: &[&str]| check(&pressrun(folder.path(), arguments), 0, "");
    let readers = ["one", "two", "three", "four", "five", "six", "seven"].map(|name| format!("{name}@example.com"));
    for reader in &readers {
        run(&["subscribers", "add", reader, "--state", "active"]);
    }
    run(&["issue", "send", "welcome", "--yes"]);
    let mails = fs::read_dir(folder.path().join("data/outbox")).unwrap();
    let mails: Vec<String> =
        mails.map(|mail| fs::read_to_string(mail.unwrap().path()).unwrap().replace("\r\n ", " ")).collect();
    let [one, two, three, four, five, six, seven] = readers.map(|reader| {
        let mail = mails.iter().find(|mail| mail.contains(&format!("To: {reader}"))).unwrap();
        let message_id = mail.lines().find(|line| line.starts_with("Message-ID:")).unwrap();
        report(&reader, "5.1.1", "550 5.1.1 User unknown", message_id)
    });
    let letter = "From: reader@example.org\nSubject: Re: News\n\nUser unknown, I read.\n";
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("mail", &one);
    write("mbox", &format!("From MAILER-DAEMON x\n{two}\nFrom reader x\n{letter}\nFrom MAILER-DAEMON x\n{two}"));
    write("folder/1", &three);
    write("folder/2", &four.replace("550 5.1.1 User unknown", "450 4.1.1 later"));
    for (name, text) in [("1.host:2,", &*five), ("2.host", letter), ("3.host", "\0\0"), ("4.host", "")] {
        write(&format!("Maildir/new/{name}"), text);
    }
    write("Maildir/new/5.host", &"Content-Type: message/rfc822\r\n\r\n".repeat(100_000));
    write("Maildir/cur/0.host:2,S", &six);
    write("huge", &seven);
    fs::File::options().append(true).open(folder.path().join("huge")).unwrap().set_len(100 << 20).unwrap();
    let read = |from: &str, stdin: &str| {
        let stdin = fs::File::open(folder.path().join(stdin)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pressrun"));
        command.current_dir(folder.path()).args(["bounces", "read", from, "--format", "json"]).stdin(stdin);
        let said: serde_json::Value = serde_json::from_str(&check(&command.output().unwrap(), 0, "")).unwrap();
        ["read", "bounces", "ignored", "suppressed"].map(|count| said[count].as_u64().unwrap())
    };
    assert_eq!(read("mail", "mail"), [1, 1, 0, 1]);
    assert_eq!(read("mbox", "mail"), [3, 2, 1, 1], "what comes twice counts once");
    assert_eq!(read("folder", "mail"), [2, 2, 0, 1]);
    assert_eq!(read("Maildir", "mail"), [4, 1, 3, 1], "an empty file is no mail");
    let seen = fs::read_dir(folder.path().join("Maildir/cur")).unwrap().count();
    assert_eq!((read("Maildir", "mail"), seen), ([0, 0, 0, 0], 6), "what was read is not read again");
    assert_eq!(read("-", "Maildir/cur/0.host:2,S"), [1, 1, 0, 1]);
    assert_eq!(read("huge", "mail"), [1, 1, 0, 1], "of 100 MB, the beginning");
    assert_eq!(read("-", "huge"), [1, 1, 0, 0]);
    check(&pressrun(folder.path(), &["bounces", "read", "nowhere"]), 2, "nowhere");
}

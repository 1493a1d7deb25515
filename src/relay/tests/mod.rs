mod server;

use std::fs;
use std::sync::Arc;

use proptest::prelude::*;
use rustls_platform_verifier::Verifier;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, ClientConfig};

use super::smtp::with_dots_doubled;
use super::*;
use crate::config::{Encryption, Secret, SmtpRelay};
use server::Server;

const HELLO: &str = "
    > 220 relay.example.com ready
    < EHLO client.example.com
    > 250-relay.example.com
    > 250-SIZE 10000000
    > 250 ENHANCEDSTATUSCODES
";
const ENVELOPE: &str = "
    < MAIL FROM:<news@example.com> SIZE=
    > 250 2.1.0 ok
    < RCPT TO:<reader@example.org>
    > 250 2.1.5 ok
";
const DATA: &str = "
    < DATA
    > 354 go on
";
const MESSAGE: &[u8] = b"Subject: Hello\r\n\r\nHello\r\n";

fn envelope_to(to: &str) -> Envelope {
    Envelope { from: EmailAddress::parse("news@example.com").unwrap(), to: EmailAddress::parse(to).unwrap() }
}

fn envelope() -> Envelope {
    envelope_to("reader@example.org")
}

fn delivery() -> DeliveryId {
    DeliveryId::new("0193a5b0c0de7000800000000000002a")
}

fn settings(port: u16, encryption: Encryption) -> SmtpRelay {
    SmtpRelay {
        host: "localhost".to_owned(),
        port,
        encryption,
        login: None,
        connections: 1,
        messages: 100,
        rate: None,
        carries: Carries::All,
    }
}

/// Long enough for a busy machine, short enough for a test that fails.
fn patience() -> Timeouts {
    let long = Duration::from_secs(10);
    Timeouts { connect: long, greeting: long, command: long, data: long, block: long, answer: long, quit: long }
}

fn relay(settings: SmtpRelay) -> Smtp {
    relay_with(settings, patience())
}

fn relay_with(settings: SmtpRelay, timeouts: Timeouts) -> Smtp {
    Smtp::new(settings, "client.example.com", timeouts)
}

/// The relay of tests, which trusts the server of tests.
fn trusting_relay(settings: SmtpRelay) -> Smtp {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        Verifier::new_with_extra_roots([server::certificate(false), server::certificate(true)], provider.clone())
            .unwrap();
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let smtp = relay(settings);
    assert!(smtp.tls.set(Ok(TlsConnector::from(Arc::new(config)))).is_ok());
    smtp
}

async fn hand_over(session: &mut dyn Session, message: &[u8]) -> Result<Reply, Failure> {
    session.offer(&delivery(), &envelope(), message).await?;
    session.finish(None).await
}

/// One mail over one connection; whether the connection can be used again.
async fn one_mail(relay: &dyn Relay, message: &[u8]) -> (Result<Reply, Failure>, bool) {
    match relay.connect().await {
        Ok(mut session) => (hand_over(&mut *session, message).await, session.is_usable()),
        Err(failure) => (Err(failure), false),
    }
}

#[track_caller]
fn assert_failed(outcome: (Result<Reply, Failure>, bool), phase: Phase, verdict: Verdict, is_usable: bool) {
    let failure = outcome.0.expect_err("the mail was not to be taken");
    assert_eq!((failure.phase, failure.verdict(), outcome.1), (phase, verdict, is_usable), "{failure:?}");
}

async fn check(script: &str, phase: Phase, verdict: Verdict, is_usable: bool) {
    let server = Server::start(script).await;
    let outcome = one_mail(&relay(settings(server.port, Encryption::None)), MESSAGE).await;
    assert_failed(outcome, phase, verdict, is_usable);
    assert!(verdict == Verdict::Uncertain || phase == Phase::Answer || !server.heard().await.contains("\r\n.\r\n"));
}

// ── a mail that is taken ──

#[tokio::test]
async fn the_final_dot_waits_for_finish() {
    let server =
        Server::start(&format!("{HELLO}{ENVELOPE}{DATA} body\n> 250 2.0.0 queued as 7\n< QUIT\n> 221 bye")).await;
    let mut session = relay(settings(server.port, Encryption::None)).connect().await.unwrap();
    session.offer(&delivery(), &envelope(), MESSAGE).await.unwrap();
    let reply = session.finish(None).await.unwrap();
    assert_eq!(reply, Reply { code: 250, enhanced: Some("2.0.0".to_owned()), text: "queued as 7".to_owned() });
    assert!(session.is_usable());
    session.quit().await;
    let heard = server.heard().await;
    assert!(heard.ends_with("DATA\r\nSubject: Hello\r\n\r\nHello\r\n.\r\nQUIT\r\n"), "{heard}");
}

#[tokio::test]
async fn a_session_dropped_before_finish_delivers_nothing() {
    let server = Server::start(&format!("{HELLO}{ENVELOPE}{DATA}")).await;
    let mut session = relay(settings(server.port, Encryption::None)).connect().await.unwrap();
    session.offer(&delivery(), &envelope(), MESSAGE).await.unwrap();
    session.quit().await;
    let heard = server.heard().await;
    assert!(heard.ends_with("Hello\r\n"), "{heard}");
}

#[tokio::test]
async fn a_second_offer_never_lands_in_the_first_message() {
    let server = Server::start(&format!("{HELLO}{ENVELOPE}{DATA}")).await;
    let mut session = relay(settings(server.port, Encryption::None)).connect().await.unwrap();
    session.offer(&delivery(), &envelope(), MESSAGE).await.unwrap();
    let failure = session.offer(&delivery(), &envelope(), MESSAGE).await.unwrap_err();
    assert_eq!(failure.verdict(), Verdict::Dropped);
    assert!(!session.is_usable());
    assert_eq!(session.finish(None).await.unwrap_err().verdict(), Verdict::Dropped);
    session.quit().await;
    assert!(server.heard().await.ends_with("DATA\r\nSubject: Hello\r\n\r\nHello\r\n"));
}

#[tokio::test]
async fn dots_are_doubled_on_the_way() {
    let server = Server::start(&format!("{HELLO}{ENVELOPE}{DATA} body\n> 250 ok")).await;
    let (reply, _) = one_mail(&relay(settings(server.port, Encryption::None)), b".\r\n..a\r\n.b").await;
    assert_eq!(reply.unwrap().code, 250);
    assert!(server.heard().await.ends_with("DATA\r\n..\r\n...a\r\n..b\r\n.\r\n"));
}

#[tokio::test]
async fn an_old_server_is_greeted_with_helo() {
    let script = "> 220 old\n< EHLO\n> 502 what\n< HELO client.example.com\n> 250 hi\n< MAIL FROM:<news@example.com>\r";
    let server = Server::start(&format!("{script}\n> 250 ok\n< RCPT\n> 251 will forward\n{DATA} body\n> 250 ok")).await;
    let (reply, is_usable) = one_mail(&relay(settings(server.port, Encryption::None)), MESSAGE).await;
    assert!(reply.is_ok() && is_usable);
}

// ── refusals: a state, and the connection goes on ──

#[tokio::test]
async fn after_a_refused_recipient_the_next_one_goes_over_the_same_line() {
    let refused = "< MAIL FROM\n> 250 ok\n< RCPT TO\n> 450 4.2.0 greylisted\n< RSET\n> 250 ok\n";
    let server = Server::start(&format!("{HELLO}{refused}{ENVELOPE}{DATA} body\n> 250 ok")).await;
    let mut session = relay(settings(server.port, Encryption::None)).connect().await.unwrap();
    let failure = hand_over(&mut *session, MESSAGE).await.unwrap_err();
    assert_eq!((failure.phase, failure.verdict()), (Phase::RcptTo, Verdict::NotNow));
    assert!(session.is_usable());
    assert!(hand_over(&mut *session, MESSAGE).await.is_ok());
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let rcpt = "< MAIL\n> 250 ok\n< RCPT\n";
    check(&format!("{HELLO}{rcpt}> 450 4.2.0 later"), Phase::RcptTo, Verdict::NotNow, true).await;
    check(&format!("{HELLO}{rcpt}> 550-5.1.1 no\n> 550 5.1.1 body"), Phase::RcptTo, Verdict::RefusedForGood, true)
        .await;
    check(&format!("{HELLO}{rcpt}> 421 4.3.2 bye"), Phase::RcptTo, Verdict::NotNow, false).await;
    check(&format!("{HELLO}< MAIL\n> 421 bye"), Phase::MailFrom, Verdict::RelayTrouble, false).await;
    check(&format!("{HELLO}< MAIL\n> 553 5.1.8 who are you"), Phase::MailFrom, Verdict::RelayTrouble, true).await;
    check(&format!("{HELLO}< MAIL\n> 552 5.3.4 too big"), Phase::MailFrom, Verdict::MessageTrouble, true).await;
    check(&format!("{HELLO}{ENVELOPE}< DATA\n> 451 not now"), Phase::Data, Verdict::NotNow, true).await;
    let dot = format!("{HELLO}{ENVELOPE}{DATA} body\n");
    check(&format!("{dot}> 554 5.7.1 spam"), Phase::Answer, Verdict::RefusedForGood, true).await;
    check(&format!("{dot}> 452 4.3.1 disk full"), Phase::Answer, Verdict::NotNow, true).await;
    check(&format!("{dot}> 421 4.7.0 bye"), Phase::Answer, Verdict::NotNow, false).await;
    check("> 554 no mail here", Phase::Greeting, Verdict::RelayTrouble, false).await;
    check("> 220 hi\n< EHLO\n> 421 busy", Phase::Hello, Verdict::RelayTrouble, false).await;
}

#[tokio::test]
async fn a_line_that_has_had_enough_is_not_a_relay_in_trouble() {
    let server = Server::start(&format!("{HELLO}{ENVELOPE}{DATA} body\n> 250 ok\n< MAIL\n> 421 4.7.0 enough")).await;
    let mut session = relay(settings(server.port, Encryption::None)).connect().await.unwrap();
    assert!(hand_over(&mut *session, MESSAGE).await.is_ok());
    let failure = hand_over(&mut *session, MESSAGE).await.unwrap_err();
    assert_eq!((failure.phase, failure.verdict()), (Phase::MailFrom, Verdict::Dropped));
    assert!(!session.is_usable());
}

#[tokio::test]
async fn an_address_outside_ascii_goes_to_servers_that_take_it() {
    let server = Server::start(HELLO).await;
    let mut session = relay(settings(server.port, Encryption::None)).connect().await.unwrap();
    let to = envelope_to("øyvind@example.org");
    let failure = session.offer(&delivery(), &to, MESSAGE).await.unwrap_err();
    assert_eq!((failure.phase, failure.verdict()), (Phase::RcptTo, Verdict::RefusedForGood));
    assert!(session.is_usable());

    let hello = "> 220 hi\n< EHLO\n> 250-hi\n> 250 SMTPUTF8\n< MAIL FROM:<news@example.com> SMTPUTF8\n> 250 ok";
    let server = Server::start(&format!("{hello}\n< RCPT TO:<øyvind@example.org>\n> 250 ok\n{DATA}")).await;
    let mut session = relay(settings(server.port, Encryption::None)).connect().await.unwrap();
    session.offer(&delivery(), &to, MESSAGE).await.unwrap();
}

// ── lines that drop, babble or fall silent ──

#[tokio::test]
async fn a_dropped_line_is_judged_by_what_was_on_its_way() {
    check("drop", Phase::Greeting, Verdict::RelayTrouble, false).await;
    check("> 220 hi\n< EHLO\ndrop", Phase::Hello, Verdict::RelayTrouble, false).await;
    check(&format!("{HELLO}< MAIL\ndrop"), Phase::MailFrom, Verdict::Dropped, false).await;
    check(&format!("{HELLO}{ENVELOPE}< DATA\ndrop"), Phase::Data, Verdict::Dropped, false).await;
    check(&format!("{HELLO}{ENVELOPE}{DATA} body\ndrop"), Phase::Answer, Verdict::Uncertain, false).await;
    check(&format!("{HELLO}{ENVELOPE}{DATA} body\n> 354 again"), Phase::Answer, Verdict::Uncertain, false).await;
    check(&format!("{HELLO}{ENVELOPE}< DATA\n> 250 what"), Phase::Data, Verdict::Dropped, false).await;
}

#[tokio::test]
async fn a_line_that_drops_within_the_message_leaves_no_mark() {
    let server = Server::start(&format!("{HELLO}{ENVELOPE}{DATA} some body\ndrop")).await;
    let message = b"0123456789 0123456789 0123456789\r\n".repeat(400_000); // more than any socket buffers
    let outcome = one_mail(&relay(settings(server.port, Encryption::None)), &message).await;
    assert_failed(outcome, Phase::Body, Verdict::Dropped, false);
}

#[tokio::test]
async fn nobody_listens() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let outcome = one_mail(&relay(settings(port, Encryption::None)), MESSAGE).await;
    assert_failed(outcome, Phase::Connect, Verdict::RelayTrouble, false);
}

#[tokio::test]
async fn answers_that_are_not_smtp_or_do_not_end_are_not_believed() {
    check("> HTTP/1.1 400 Bad Request", Phase::Greeting, Verdict::RelayTrouble, false).await;
    check("> 220-hi\n> 250 hi", Phase::Greeting, Verdict::RelayTrouble, false).await;
    check("> 999 hi", Phase::Greeting, Verdict::RelayTrouble, false).await;
    check("> 2x0 hi", Phase::Greeting, Verdict::RelayTrouble, false).await;
    check("> 22", Phase::Greeting, Verdict::RelayTrouble, false).await;
    check("> 220 hi\n< EHLO\nflood", Phase::Hello, Verdict::RelayTrouble, false).await;
    check(&format!("> 220 {}", "x".repeat(70_000)), Phase::Greeting, Verdict::RelayTrouble, false).await;
    check(&format!("{HELLO}{ENVELOPE}{DATA} body\n> 2500 ok"), Phase::Answer, Verdict::Uncertain, false).await;
}

#[tokio::test]
async fn silence_ends_every_wait() {
    let soon = Duration::from_millis(30);
    let default = patience();
    let cases = [
        (String::new(), Timeouts { greeting: soon, ..default }, Phase::Greeting, Verdict::RelayTrouble),
        ("> 220 hi\n< EHLO".to_owned(), Timeouts { command: soon, ..default }, Phase::Hello, Verdict::RelayTrouble),
        (format!("{HELLO}{ENVELOPE}< DATA"), Timeouts { data: soon, ..default }, Phase::Data, Verdict::Dropped),
        (
            format!("{HELLO}{ENVELOPE}{DATA} body"),
            Timeouts { answer: soon, ..default },
            Phase::Answer,
            Verdict::Uncertain,
        ),
    ];
    for (script, timeouts, phase, verdict) in cases {
        let server = Server::start(&script).await;
        let relay = relay_with(settings(server.port, Encryption::None), timeouts);
        assert_failed(one_mail(&relay, MESSAGE).await, phase, verdict, false);
    }
}

#[tokio::test]
async fn a_relay_that_reads_no_more_or_is_not_reached_is_not_waited_for() {
    let soon = Duration::from_millis(30);
    let stalled = Server::start(&format!("{HELLO}{ENVELOPE}{DATA} stall")).await;
    let relay = relay_with(settings(stalled.port, Encryption::None), Timeouts { block: soon, ..patience() });
    let message = b"0123456789 0123456789 0123456789\r\n".repeat(400_000); // more than any socket buffers
    assert_failed(one_mail(&relay, &message).await, Phase::Body, Verdict::Dropped, false);

    // Nobody takes these lines, and there is room for no more.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(line)) = tokio::time::timeout(soon, tokio::net::TcpStream::connect(address)).await {
        waiting.push(line);
    }
    let host = SmtpRelay { host: "127.0.0.1".to_owned(), ..settings(address.port(), Encryption::None) };
    let relay = relay_with(host, Timeouts { connect: soon, ..patience() });
    assert_failed(one_mail(&relay, MESSAGE).await, Phase::Connect, Verdict::RelayTrouble, false);
}

#[tokio::test]
async fn a_future_dropped_in_the_middle_leaves_an_unusable_session() {
    let server = Server::start(&format!("{HELLO}< MAIL")).await;
    let mut session = relay(settings(server.port, Encryption::None)).connect().await.unwrap();
    let (delivery, envelope) = (delivery(), envelope());
    let offer = session.offer(&delivery, &envelope, MESSAGE);
    assert!(tokio::time::timeout(Duration::from_millis(20), offer).await.is_err());
    assert!(!session.is_usable());
}

// ── several commands in one write ──

const PIPELINES: &str = "> 220 hi\n< EHLO\n> 250-hi\n> 250 PIPELINING\n";
/// Nothing of it is answered before all of it was heard.
const GROUP: &str = "< MAIL\n< RCPT\n< DATA\n";
const TAKEN: &str = "> 250 ok\n> 250 ok\n> 354 go on\n body\n";

/// Two mails over one connection, the second one's envelope with the first one's dot.
async fn two_mails(script: &str) -> (Result<Reply, Failure>, Result<Reply, Failure>, bool) {
    let server = Server::start(script).await;
    let (delivery, envelope) = (delivery(), envelope());
    let mut session = relay(settings(server.port, Encryption::None)).connect().await.unwrap();
    let first = match session.offer(&delivery, &envelope, MESSAGE).await {
        Ok(()) => session.finish(Some((&envelope, MESSAGE.len()))).await,
        Err(failure) => Err(failure),
    };
    let second = hand_over(&mut *session, MESSAGE).await;
    (first, second, session.is_usable())
}

#[tokio::test]
async fn the_next_envelope_goes_with_the_dot() {
    let script = format!("{PIPELINES}{GROUP}{TAKEN}{GROUP}> 250 first\n{TAKEN}> 250 second");
    let (first, second, is_usable) = two_mails(&script).await;
    assert_eq!((first.unwrap().text, second.unwrap().text, is_usable), ("first".into(), "second".into(), true));
}

#[tokio::test]
async fn a_refusal_in_a_group_is_told_to_its_own_mail() {
    let check = async |script: &str, expected: [Option<(Phase, Verdict)>; 2], is_usable: bool| {
        let (first, second, usable) = two_mails(&format!("{PIPELINES}{GROUP}{script}")).await;
        let met = [first, second].map(|outcome| outcome.err().map(|failure| (failure.phase, failure.verdict())));
        assert_eq!((met, usable), (expected, is_usable), "{script}");
    };
    let refused = Some((Phase::RcptTo, Verdict::RefusedForGood));
    let reset = "< RSET\n< MAIL\n< RCPT\n< DATA\n> 250 ok\n";
    let no_recipient = "> 250 ok\n> 550 5.1.1 nobody\n";
    // The relay waits for a message to nobody, or does not.
    check(&format!("{no_recipient}> 354 go\n< .\n> 554 nobody\n{reset}{TAKEN}> 250 ok"), [refused, None], true).await;
    check(&format!("{no_recipient}> 503 nobody\n{reset}{TAKEN}> 250 ok"), [refused, None], true).await;
    // The dot of the first is refused while the second one's envelope is on its way.
    let content = Some((Phase::Answer, Verdict::RefusedForGood));
    check(&format!("{TAKEN}{GROUP}> 550 5.7.1 spam\n{TAKEN}> 250 ok"), [content, None], true).await;
    check(&format!("{TAKEN}{GROUP}> 250 ok\n{no_recipient}> 503 nobody\n"), [None, refused], true).await;
    // The line ends within the group: what was said before counts.
    let dropped = Some((Phase::MailFrom, Verdict::Dropped));
    check(&format!("{no_recipient} drop"), [refused, dropped], false).await;
    check(&format!("{TAKEN}{GROUP}> 250 ok\n> 421 enough\n drop"), [None, dropped], false).await;
    check(&format!("{TAKEN}{GROUP} drop"), [Some((Phase::Answer, Verdict::Uncertain)), dropped], false).await;
}

#[tokio::test]
async fn a_relay_that_cannot_take_a_group_is_asked_one_by_one() {
    let check = async |answers: &str, phase: Phase, verdict: Verdict| {
        let one_by_one = format!("{PIPELINES}< MAIL\n> 250 ok\n< RCPT\n> 250 ok\n{DATA} body\n> 250 ok");
        let server = Server::start(&format!("{PIPELINES}{GROUP}{answers}\n drop\nagain\n{one_by_one}")).await;
        let relay = relay(settings(server.port, Encryption::None));
        let failure = one_mail(&relay, MESSAGE).await.0.unwrap_err();
        assert_eq!((failure.phase, failure.verdict()), (phase, verdict));
        assert!(one_mail(&relay, MESSAGE).await.0.is_ok(), "{answers}");
    };
    check("> 250 ok", Phase::RcptTo, Verdict::Dropped).await;
    check("> 250 ok\n> 503 too fast\n> 503 too fast", Phase::RcptTo, Verdict::RelayTrouble).await;
}

// ── encryption and login ──

const OFFERS_TLS: &str = "> 220 hi\n< EHLO\n> 250-hi\n> 250-AUTH PLAIN LOGIN\n> 250 STARTTLS\n< STARTTLS\n> 220 go\n";

fn with_login(settings: SmtpRelay) -> SmtpRelay {
    SmtpRelay { login: Some(("news".to_owned(), Secret::new("open sesame"))), ..settings }
}

#[tokio::test]
async fn a_line_is_encrypted_before_anything_is_said() {
    let after = "tls\n< EHLO\n> 250-hi\n> 250 AUTH PLAIN\n< AUTH PLAIN AG5ld3MAb3BlbiBzZXNhbWU=\n> 235 welcome\n";
    let mail = format!("< MAIL\n> 250 ok\n< RCPT\n> 250 ok\n{DATA} body\n> 250 ok");
    let server = Server::start(&format!("{OFFERS_TLS}{after}{mail}")).await;
    let relay = trusting_relay(with_login(settings(server.port, Encryption::StartTls)));
    assert!(one_mail(&relay, MESSAGE).await.0.is_ok());

    let server = Server::start(&format!("tls\n{HELLO}{ENVELOPE}{DATA} body\n> 250 ok")).await;
    let relay = trusting_relay(settings(server.port, Encryption::Tls));
    assert!(one_mail(&relay, MESSAGE).await.0.is_ok());
    assert!(server.heard().await.ends_with("Hello\r\n.\r\n"));
}

#[tokio::test]
async fn nothing_is_sent_in_the_clear_where_encryption_is_asked_for() {
    let stripped = Server::start(HELLO).await;
    let relay_to = |port| relay(with_login(settings(port, Encryption::StartTls)));
    assert_failed(one_mail(&relay_to(stripped.port), MESSAGE).await, Phase::Tls, Verdict::RelayTrouble, false);
    assert_eq!(stripped.heard().await, "EHLO client.example.com\r\n");

    let unknown_certificate = Server::start(&format!("{OFFERS_TLS}tls")).await;
    let outcome = one_mail(&relay_to(unknown_certificate.port), MESSAGE).await;
    assert_failed(outcome, Phase::Tls, Verdict::RelayTrouble, false);
    assert_eq!(unknown_certificate.heard().await, "EHLO client.example.com\r\nSTARTTLS\r\n");

    let wrong_name = Server::start("tls").await;
    let elsewhere = SmtpRelay { host: "127.0.0.1".to_owned(), ..settings(wrong_name.port, Encryption::Tls) };
    assert_failed(one_mail(&trusting_relay(elsewhere), MESSAGE).await, Phase::Tls, Verdict::RelayTrouble, false);

    let expired = Server::start(&format!("{OFFERS_TLS}tls expired")).await;
    let relay = trusting_relay(with_login(settings(expired.port, Encryption::StartTls)));
    let (failed, is_usable) = one_mail(&relay, MESSAGE).await;
    assert!(failed.as_ref().is_err_and(|failure| failure.to_string().contains("xpired")), "{failed:?}");
    assert_failed((failed, is_usable), Phase::Tls, Verdict::RelayTrouble, false);
    assert_eq!(expired.heard().await, "EHLO client.example.com\r\nSTARTTLS\r\n");

    let refused = Server::start("> 220 hi\n< EHLO\n> 250-hi\n> 250 STARTTLS\n< STARTTLS\n> 454 not now").await;
    assert_failed(one_mail(&relay_to(refused.port), MESSAGE).await, Phase::Tls, Verdict::RelayTrouble, false);
}

#[tokio::test]
async fn words_slipped_in_before_encryption_are_not_believed() {
    let server = Server::start(&OFFERS_TLS.replace("> 220 go", "> 220 go\\n250 AUTH PLAIN")).await;
    let relay = trusting_relay(settings(server.port, Encryption::StartTls));
    let failure = one_mail(&relay, MESSAGE).await.0.unwrap_err();
    assert_eq!(failure, Failure::line(Phase::Tls, "somebody spoke before the line was encrypted"));
}

#[tokio::test]
async fn a_relay_on_this_machine_may_ask_for_a_login() {
    let login = "> 220 hi\n< EHLO\n> 250-hi\n> 250-=\n> 250 Auth=Login\n< AUTH LOGIN\n> 334 VXNlcm5hbWU6\n< bmV3cw==\n> 334 UGFzc3dvcmQ6\n";
    let server = Server::start(&format!("{login}< b3BlbiBzZXNhbWU=\n> 235 ok\n")).await;
    assert!(relay(with_login(settings(server.port, Encryption::None))).connect().await.is_ok());

    let server = Server::start(&format!("{login}< b3BlbiBzZXNhbWU=\n> 535 5.7.8 wrong\n")).await;
    let outcome = one_mail(&relay(with_login(settings(server.port, Encryption::None))), MESSAGE).await;
    assert_failed(outcome, Phase::Login, Verdict::RelayTrouble, false);

    let server = Server::start(HELLO).await;
    let outcome = one_mail(&relay(with_login(settings(server.port, Encryption::None))), MESSAGE).await;
    assert_failed(outcome, Phase::Login, Verdict::RelayTrouble, false);
}

// ── what answers mean ──

#[test]
fn codes_and_phases_decide_together() {
    use Phase::{Answer, Data, Greeting, Login, MailFrom, RcptTo};
    use Verdict::{MessageTrouble, NotNow, RefusedForGood, RelayTrouble};
    let table = [
        (RcptTo, "550 5.1.1 no such user", RefusedForGood),
        (RcptTo, "550 no such user", RefusedForGood),
        (RcptTo, "571 not from you", RefusedForGood), // beyond the second digits of RFC 5321, and yet said
        (RcptTo, "550 5.5.0 mailbox unavailable", RefusedForGood),
        (RcptTo, "501 5.1.3 bad address syntax", RefusedForGood),
        (RcptTo, "552 5.2.2 mailbox full", NotNow),
        (RcptTo, "452 4.2.2 mailbox full", NotNow),
        (RcptTo, "550 5.2.1 disabled", RefusedForGood),
        (RcptTo, "550 5.2.1 The user you are trying to contact is receiving email at a rate that", NotNow),
        (RcptTo, "451 4.7.1 greylisted", NotNow),
        (RcptTo, "421 4.7.28 too much from your network", NotNow),
        (RcptTo, "554 5.7.1 <reader@example.org>: Relay access denied", RelayTrouble),
        (RcptTo, "550 5.7.1 relaying denied", RelayTrouble),
        (RcptTo, "554 5.7.1 Client host [192.0.2.1] blocked using dnsbl.example.com", RelayTrouble),
        (Data, "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied", RelayTrouble),
        (Answer, "550 5.7.606 Access denied, banned sending IP [192.0.2.1]", RelayTrouble),
        (Answer, "550 5.7.1 part of their network is on our block list (S3150)", RelayTrouble),
        (RcptTo, "530 5.7.0 authentication required", RelayTrouble),
        (RcptTo, "503 5.5.1 bad sequence of commands", RelayTrouble),
        (RcptTo, "450 4.1.8 sender domain not found", RelayTrouble),
        (Data, "554 5.5.1 no valid recipients", RefusedForGood),
        (Answer, "550 5.7.26 unauthenticated", RelayTrouble),
        (Answer, "421 5.7.32 From is not aligned", RelayTrouble),
        (Answer, "550 5.7.515 access denied, sending domain does not meet the level", RelayTrouble),
        (Answer, "550 5.7.40 no DMARC record", RelayTrouble),
        (Answer, "550 5.7.28 too much", RelayTrouble),
        (Answer, "550 5.7.1 looks like spam", RefusedForGood),
        (Answer, "554 no", RefusedForGood),
        (Answer, "552 5.3.4 message too big", MessageTrouble),
        (Answer, "552 message size exceeds the limit", MessageTrouble),
        (Answer, "550 5.6.0 not RFC 5322", MessageTrouble),
        (Answer, "451 4.3.0 try later", NotNow),
        (Answer, "550 5.3.1 mail system full", NotNow),
        (MailFrom, "550 5.1.1 no such user", RelayTrouble),
        (MailFrom, "451 4.3.0 try later", RelayTrouble),
        (MailFrom, "552 too big", MessageTrouble),
        (Greeting, "554 no service", RelayTrouble),
        (Login, "535 5.7.8 wrong password", RelayTrouble),
    ];
    for (phase, answer, expected) in table {
        assert_eq!(Failure::reply(phase, Reply::parse(answer).unwrap()).verdict(), expected, "{phase}: {answer}");
    }
}

#[test]
fn replies_are_cleaned_and_bounded() {
    let reply = Reply::parse(&format!("550 5.1.1 a\0\u{1b}[31mb \t {}", "é".repeat(600))).unwrap();
    assert_eq!(reply.text.chars().count(), 512);
    assert!(reply.text.starts_with("a [31mb éé"), "{}", reply.text);
    let lines = ["5.7.1 first".to_owned(), "5.7.1 second".to_owned(), String::new()];
    assert_eq!(Reply::from_lines(550, &lines).to_string(), "550 5.7.1 first second");
    assert_eq!(Reply::parse("250").unwrap().to_string(), "250");
    assert_eq!(Reply::parse("250 1.2.3.4 is you").unwrap().enhanced, None);
}

#[test]
fn a_log_line_about_a_reader_repeats_no_words_of_the_relay() {
    let reply = Reply::parse("550 5.1.1 <reader@example.org> unknown").unwrap();
    assert_eq!(Failure::reply(Phase::RcptTo, reply).to_string(), "RCPT TO: 550 5.1.1");
}

proptest! {
    #[test]
    fn only_the_end_ends_a_message(message in "[.\r\na]{0,40}") {
        let (sent, end) = with_dots_doubled(message.as_bytes());
        let whole = [&sent[..], end].concat();
        let whole = String::from_utf8(whole).unwrap();
        let (body, rest) = format!("\r\n{whole}").split_once("\r\n.\r\n").map(|(b, r)| (b.to_owned(), r.to_owned())).unwrap();
        prop_assert_eq!(rest, "");
        let bare = body.replace("\r\n", "");
        prop_assert!(!bare.contains(['\r', '\n']));
        let received = body.replace("\r\n..", "\r\n.");
        let expected = message.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
        let expected = format!("\r\n{expected}");
        prop_assert_eq!(received.trim_end_matches("\r\n"), expected.trim_end_matches("\r\n"));
    }
}

// ── the outbox ──

#[tokio::test]
async fn the_outbox_names_a_mail_when_it_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let relay = from_settings(&config::Relay::Outbox, folder.path(), "client.example.com");
    let dir = folder.path().join("outbox");
    let id = delivery();
    assert_eq!(relay.name(), "outbox");
    assert_eq!(outbox::list(&dir), []);

    let mut session = relay.connect().await.unwrap();
    session.offer(&id, &envelope(), MESSAGE).await.unwrap();
    assert_eq!(outbox::list(&dir), []);
    assert_eq!(outbox::read(&dir, id.as_str()), None);
    assert_eq!(session.finish(None).await.unwrap().code, 250);
    assert_eq!(outbox::read(&dir, id.as_str()).as_deref(), Some(MESSAGE));

    session.offer(&id, &envelope(), b"again\r\n").await.unwrap();
    session.finish(None).await.unwrap();
    let ids: Vec<String> = outbox::list(&dir).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [id.as_str()]);
    assert_eq!(fs_names(&dir), [format!("{id}.eml")]);
}

#[expect(clippy::disallowed_methods, reason = "a test looks at the folder itself")]
fn fs_names(dir: &Path) -> Vec<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test puts things in the way")]
async fn only_delivery_ids_become_file_names() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("0a.eml"), "x").unwrap();
    let dir = folder.path().join("outbox");
    fs::create_dir_all(&dir).unwrap();
    for id in ["../0a", "0A", "", ".", "0a.eml", "0a/../../0a", &"0".repeat(65)] {
        assert_eq!(outbox::read(&dir, id), None, "{id}");
        let mut session = Outbox::new(&dir).connect().await.unwrap();
        let failure = session.offer(&DeliveryId::new(id), &envelope(), MESSAGE).await.unwrap_err();
        assert_eq!(failure.verdict(), Verdict::RelayTrouble);
    }
    fs::write(dir.join("notes.txt"), "x").unwrap();
    fs::write(dir.join("0b.eml.part"), "x").unwrap();
    assert_eq!(outbox::list(&dir), []);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test puts things in the way")]
async fn an_outbox_that_cannot_be_written_is_the_relays_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("outbox");
    fs::write(&in_the_way, "a file").unwrap();
    let mut session = Outbox::new(in_the_way).connect().await.unwrap();
    let failure = session.offer(&delivery(), &envelope(), MESSAGE).await.unwrap_err();
    assert_eq!(failure.verdict(), Verdict::RelayTrouble);
    assert!(failure.to_string().contains("cannot write to "), "{failure}");
}

use super::*;
use crate::diagnostic::codes::tests::explained;
use crate::diagnostic::{Diagnostic, Sources, human};
use crate::model::Cadence;

fn source(text: &str) -> Source {
    Source { text: text.to_owned(), ..Source::default() }
}

fn with_variables(text: &str, variables: &[(&str, &str)]) -> Source {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Source { environment: variables.iter().map(own).collect(), ..source(text) }
}

fn places(diagnostics: &[Diagnostic]) -> Vec<String> {
    let place = |diagnostic: &Diagnostic| match &diagnostic.span {
        Some(span) => format!("{} {}:{}", diagnostic.code.name, span.line, span.column),
        None => format!("{} {}", diagnostic.code.name, diagnostic.file),
    };
    diagnostics.iter().map(place).collect()
}

/// What `text` is told off for, as `code line:column`.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let (settings, diagnostics) = read(&source(text));
    assert_eq!(places(&diagnostics), expected, "{diagnostics:#?}");
    assert!(!settings.newsletters.is_empty());
}

/// What the variables are told off for.
#[track_caller]
fn check_variables(text: &str, variables: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(places(&read(&with_variables(text, variables)).1), expected);
}

#[test]
fn an_empty_file_is_a_working_local_publication() {
    let (settings, diagnostics) = read(&source(""));
    assert_eq!(diagnostics, []);
    insta::assert_snapshot!(show(&settings));
}

#[test]
fn every_code_has_its_mistake_and_the_nearest_right_text_is_silent() {
    for code in explained().iter().filter(|code| code.name.starts_with("settings/")) {
        let wrong = places(&read(&source(code.wrong)).1);
        assert!(wrong.len() == 1 && wrong[0].starts_with(code.name), "{}: {wrong:?}", code.name);
        check(code.right, &[]);
    }
}

#[test]
fn what_is_shown_reads_the_same_again() {
    let text = r#"
        [publication]
        title = "A \"quoted\" title"
        url = "https://example.com/"
        description = "One sentence"
        language = "pt-BR"
        time-zone = "europe/berlin"
        address = """
        1 Example Street
        Example Town"""
        [[authors]]
        id = "news-desk"
        name = "News desk"
        url = "https://example.com/desk"
        [[newsletters]]
        id = "weekly"
        title = "The week"
        from = '"The Example" <news@example.com>'
        reply-to = "desk@example.com"
        cadences = ["weekly", "daily"]
        default-cadence = "weekly"
        digest-hour = 18
        digest-weekday = "sunday"
        send = "approve"
        [[site.links]]
        title = "Elsewhere"
        url = "https://social.example/@news"
        [mail]
        bounces-to = "bounces@mail.example.com"
        ses-topic = "arn:aws:sns:eu-west-1:123456789012:bounces"
        [[mail.relays]]
        url = "smtp://mail.example.com"
        [sending]
        on-unknown = "hold"
        undo = "0s"
        retry-waits = ["90s", "120s", "2d", "72h"]
        give-up-after = "48h"
        [web]
        trusted-proxies = ["10.0.0.0/8", "::1"]
    "#;
    let (settings, diagnostics) = read(&source(text));
    assert_eq!(diagnostics, []);
    let shown = show(&settings);
    let (again, diagnostics) = read(&source(&shown));
    assert_eq!(diagnostics, [], "{shown}");
    assert_eq!(again, settings);
    insta::assert_snapshot!(shown);
}

#[test]
fn all_problems_are_told_at_once() {
    let text = r#"[publication]
title = 7
url = "http://news.example.com"
time-zone = "Europe/Berln"
languages = "en"

[[authors]]
id = "News Desk"
name = "News desk"

[[newsletters]]
id = "wire"
cadences = ["instant", "dayly"]
default-cadence = "weekly"
digest-hour = 24
from = "news"

[[newsletters]]
id = "wire"
digest-weekday = "sonntag"

[[mail.relays]]
url = "smtp://mail.example.com"
user = "news"
password = "opensesame"

[sending]
undo = "5 minutes"
plan-drift = "1 %"

[web]
trusted-proxies = ["10.0.0.0/33"]
"#;
    let (_, diagnostics) = read(&source(text));
    let sources = Sources::from([("publish.toml".to_owned(), text.into())]);
    let shown = human(&diagnostics, &sources, false);
    assert!(!shown.contains("opensesame"), "a secret is not shown");
    insta::assert_snapshot!(shown);
}

#[test]
fn the_place_is_the_value_that_is_wrong() {
    check("[publication]\n  titel = 'x'\n", &["settings/unknown-key 2:3"]);
    check("[publikation]\n", &["settings/unknown-key 1:2"]);
    check("[mail]\nses-topic = 'arn:aws:sqs:eu-west-1:1:a'\n", &["settings/value 2:13"]);
    check("[mail]\nses-topic = 'arn:aws:sns:x.evil.example.com/:1:a'\n", &["settings/value 2:13"]);
    check("[publication]\ntitle = true\n", &["settings/type 2:9"]);
    check("[publication]\ntitle = \"a\\nb\"\n", &["settings/value 2:9"]);
    check("[publication]\ntitle = ' '\n", &["settings/value 2:9"]);
    check("[publication]\ntime-zone = 'berlin'\n", &["settings/time-zone 2:13"]);
    check("[publication]\nlanguage = 'english please'\n", &["settings/value 2:12"]);
    check("[newsletters]\nid = 'main'\n", &["settings/type 1:1"]);
    check("[[newsletters]]\ntitle = 'x'\n", &["settings/missing 1:1"]);
    check("newsletters = [{ id = 'a' }, 'b']\n", &["settings/type 1:30"]);
    check("[[newsletters]]\nid = 'a'\ncadences = []\n", &["settings/value 3:12"]);
    check("[[newsletters]]\nid = 'a'\ncadences = ['daily', 7]\n", &["settings/type 3:22"]);
    check("[[newsletters]]\nid = 'a'\ndefault-cadence = 'dialy'\n", &["settings/value 3:19"]);
    check("[[newsletters]]\nid = 'a'\ndigest-hour = -1\n", &["settings/value 3:15"]);
    check("[[newsletters]]\nid = 'a'\nfrom = 'A <a@example.com'\n", &["settings/address 3:8"]);
    check("[sending]\nretry-waits = ['5m', '0s']\n", &["settings/duration 2:22"]);
    check("[sending]\nundo = '999999999999d'\n", &["settings/duration 2:8"]);
    check("[sending]\nundo = 'é'\n", &["settings/duration 2:8"]);
    check("[sending]\nplan-drift = nan\n", &["settings/value 2:14"]);
    check("[store]\nurl = 'mysql://host/name'\n", &["settings/url 2:7"]);
    check("[store]\nurl = 'sqlite::memory:'\n", &["settings/url 2:7"]);
    check("[store]\nurl = 'postgres://host/name'\n", &["settings/missing 2:7"]);
    check("[store]\nurl = 'postgres://user:word@host/name'\n", &["settings/secret 2:7"]);
    let key = "0123456789abcdef0123456789abcdef";
    check(&format!("[auth]\nsecret = '{key}'\nold-secrets = []\n"), &["settings/secret 3:1", "settings/secret 2:1"]);
}

#[test]
fn broken_toml_is_told_once_and_does_not_hide_the_rest() {
    check("[publication]\ntitle = \"The Example\nurl = 'ftp'\n", &["settings/syntax 2:21", "settings/url 3:7"]);
    check("[[authors]]\nid = news-desk\nname = 'News desk'\n", &["settings/syntax 2:6"]);
    check("[publication\n", &["settings/syntax 1:13"]);
    check("[publication]\ntitle = 'a'\ntitle = 'b'\n", &["settings/syntax 3:1"]);
    check("\u{feff}[publication]\ntitle = 'a'\r\n", &[]);
    let (settings, _) = read(&source("[publication]\ntitle = 'Kept'\nlanguage = \n[web\n"));
    assert_eq!(settings.publication.title, "Kept");
    check(&format!("a = {}", "[".repeat(100_000)), &["settings/syntax 1:85", "settings/syntax 1:100005"]);
}

#[test]
fn readers_links_are_never_sent_over_an_open_line() {
    check("[publication]\nurl = 'http://127.0.0.1:8000'\n", &[]);
    check("[publication]\nurl = 'http://[::1]:8000/'\n", &[]);
    check("[publication]\nurl = 'http://127.0.0.1.example.com'\n", &["settings/url 2:7"]);
    check("[publication]\nurl = 'https://example.com/news'\n", &["settings/url 2:7"]);
    check("[publication]\nurl = 'https://a:b@example.com'\n", &["settings/url 2:7"]);
    check("[publication]\nurl = 'example.com'\n", &["settings/url 2:7"]);
}

#[test]
fn mail_leaves_this_machine_only_with_links_that_work() {
    let relay = |publication: &str, url: &str| {
        let from = "[[newsletters]]\nid = 'main'\nfrom = 'news@example.com'\n";
        format!("[[mail.relays]]\nurl = '{url}'\n{from}[publication]\n{publication}\n")
    };
    let open = "url = 'http://localhost:8000'";
    check(&relay("", "smtp://mail.example.com"), &["settings/relay 2:7"]);
    check(&relay(open, "smtps://mail.example.com"), &["settings/relay 2:7"]);
    check(&relay(open, "smtp://127.0.0.1:2525"), &[]);
    check(&relay("", "outbox"), &[]);
    check(&relay("url = 'https://example.com'", "smtp://mail.example.com"), &[]);
    check(&relay("", "smtp://user:word@localhost"), &["settings/secret 2:7"]);
    check(&relay("", "smtp://localhost/inbox"), &["settings/relay 2:7"]);
    check(&relay("", "http://localhost"), &["settings/relay 2:7"]);
}

#[test]
fn several_relays_take_turns() {
    let relays = |relays: &str| format!("publication.url = 'https://localhost'\n{relays}");
    let (first, second) = ("[[mail.relays]]\nurl = 'smtp://localhost'\n", "[[mail.relays]]\nurl = 'outbox'\n");
    check(&relays(&format!("{first}rate = '100/m'\nmessages = 20\n{first}for = 'notices'\n")), &[]);
    check(&relays(&format!("{first}{second}")), &["settings/relay 3:7"]);
    check(&relays(&format!("{first}for = 'issues'\n")), &["settings/relay 4:7"]);
    check(&relays(&format!("{first}for = 'letters'\n")), &["settings/value 4:7"]);
    for rate in ["100", "0/s", "-1/s", "+1/s", "1/w", "1/10s", "a/m", "1/"] {
        check(&relays(&format!("{first}rate = '{rate}'\n")), &["settings/value 4:8"]);
    }
    let settings = read(&source(&relays(&format!("{first}rate = '3/h'\n")))).0;
    let Relay::Smtp(relay) = &settings.mail.relays[0] else { panic!("an SMTP relay") };
    assert_eq!(relay.rate, Some(Rate { messages: 3, per: Duration::hours(1) }));
}

#[track_caller]
fn check_relay(url: &str, expected: (&str, u16, Encryption)) {
    let text = format!("publication.url = 'https://example.com'\n[[mail.relays]]\nurl = '{url}'\n");
    let settings = read(&source(&text)).0;
    let Relay::Smtp(relay) = &settings.mail.relays[0] else { panic!("{url} is an SMTP relay") };
    assert_eq!((relay.host.as_str(), relay.port, relay.encryption), expected);
}

#[test]
fn only_a_relay_on_this_machine_goes_unencrypted() {
    check_relay("smtp://mail.example.com", ("mail.example.com", 587, Encryption::StartTls));
    check_relay("smtp://mail.example.com:25", ("mail.example.com", 25, Encryption::StartTls));
    check_relay("smtps://mail.example.com", ("mail.example.com", 465, Encryption::Tls));
    check_relay("smtp://localhost:2525", ("localhost", 2525, Encryption::None));
    check_relay("smtp://[::1]:2525", ("::1", 2525, Encryption::None));
    check_relay("smtp://192.0.2.1:25", ("192.0.2.1", 25, Encryption::StartTls));
}

#[test]
fn variables_win_over_the_file() {
    let text = "[publication]\ntitle = 'File'\n[[newsletters]]\nid = 'main'\n";
    let variables = [
        ("PRESSRUN_PUBLICATION__TITLE", "Variable"),
        ("PRESSRUN_PUBLICATION__TIME_ZONE", "Europe/Berlin"),
        ("PRESSRUN_NEWSLETTERS__0__DIGEST_HOUR", "18"),
        ("PRESSRUN_NEWSLETTERS__0__CADENCES", "daily, weekly"),
        ("PRESSRUN_NEWSLETTERS__1__ID", "second"),
        ("PRESSRUN_SENDING__RETRY_WAITS__0", "1m"),
        ("PRESSRUN_SENDING__PLAN_DRIFT", "0.5"),
        ("PRESSRUN_MAIL__RELAYS__0__URL", "smtp://localhost"),
        ("PRESSRUN_MAIL__RELAYS__0__USER", "news"),
        ("PRESSRUN_MAIL__RELAYS__0__PASSWORD", "opensesame"),
        ("PRESSRUN_STORE__URL", ""),
        ("PRESSRUN_LOG", "debug"),
        ("HOME", "/home/news"),
    ];
    let (settings, diagnostics) = read(&with_variables(text, &variables));
    assert_eq!(diagnostics, []);
    assert_eq!(settings.publication.title, "Variable");
    assert_eq!(settings.newsletters[0].digest_time.hour, 18);
    assert_eq!(settings.newsletters[0].cadences, [Cadence::Daily, Cadence::Weekly]);
    assert_eq!(settings.newsletters[0].default_cadence, Cadence::Daily);
    assert_eq!(settings.newsletters[1].id.as_str(), "second");
    assert_eq!(settings.sending.retry_waits, [Duration::minutes(1)]);
    assert_eq!(settings.store, Store::default());
    let Relay::Smtp(relay) = &settings.mail.relays[0] else { panic!("an SMTP relay") };
    assert_eq!(relay.login, Some(("news".to_owned(), Secret::new("opensesame"))));
}

#[test]
fn a_list_grows_by_more_than_ten_variables() {
    let names: Vec<String> = (0..12).rev().map(|number| format!("PRESSRUN_AUTH__OLD_SECRETS__{number}")).collect();
    let variables: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "old")).collect();
    let (settings, diagnostics) = read(&with_variables("", &variables));
    assert_eq!((settings.auth.old_secrets.len(), diagnostics.len()), (12, 0));
}

#[test]
fn a_problem_in_a_variable_goes_by_its_name() {
    check_variables("", &[("PRESSRUN_SENDING__UNDO", "soon")], &["settings/duration PRESSRUN_SENDING__UNDO"]);
    check_variables("", &[("PRESSRUN_SENDING__UNOD", "5m")], &["settings/unknown-key PRESSRUN_SENDING__UNOD"]);
    check_variables("", &[("PRESSRUN_PUBLICATION_URL", "x")], &["settings/unknown-key PRESSRUN_PUBLICATION_URL"]);
    check_variables("", &[("PRESSRUN_AUTH__SECRET", "short")], &["settings/value PRESSRUN_AUTH__SECRET"]);
    let gap = "PRESSRUN_NEWSLETTERS__1__ID";
    check_variables("", &[(gap, "x")], &[&format!("settings/unknown-key {gap}")]);
    check_variables("[[newsletters]]\nid = 'main'\n", &[(gap, "x")], &[]);
    let hour = "PRESSRUN_NEWSLETTERS__0__DIGEST_HOUR";
    check_variables("[[newsletters]]\nid = 'main'\n", &[(hour, "seven")], &[&format!("settings/type {hour}")]);
    let blocked = "PRESSRUN_PUBLICATION__TITLE__X";
    check_variables("publication.title = 'x'", &[(blocked, "x")], &[&format!("settings/unknown-key {blocked}")]);
}

#[test]
fn secrets_come_from_files_too_and_are_never_shown() {
    let key = "0123456789abcdef0123456789abcdef";
    let text = "[auth]\nsecret-file = 'secrets/key'\n[[mail.relays]]\nurl = 'smtp://localhost'\nuser = 'news'\npassword-file = 'secrets/mail'\n";
    let mut source = with_variables(text, &[("PRESSRUN_STORE__URL", "postgres://news:opensesame@db.example.com/news")]);
    assert_eq!(secret_files_named(&source), ["secrets/key", "secrets/mail"]);
    source.secret_files.insert("secrets/key".to_owned(), format!("{key}\n"));
    source.secret_files.insert("secrets/mail".to_owned(), "opensesame\r\n".to_owned());
    let (settings, diagnostics) = read(&source);
    assert_eq!(diagnostics, []);
    assert_eq!(settings.auth.secret, Some(Secret::new(key)));
    for shown in [show(&settings), format!("{settings:?}")] {
        assert!(!shown.contains("opensesame") && !shown.contains(key), "{shown}");
        assert!(shown.contains("***"));
    }
    source.secret_files.clear();
    assert_eq!(
        places(&read(&source).1),
        ["settings/secret-file 2:15", "settings/secret-file 6:17", "settings/missing PRESSRUN_STORE__URL"]
    );
}

/// RSA of 1024 bits, which signs nothing.
const TOO_SHORT: &str = "-----BEGIN PRIVATE KEY-----\n\
    MIICeAIBADANBgkqhkiG9w0BAQEFAASCAmIwggJeAgEAAoGBANOL05focuykr7Oh\n\
    qJ/A4/h04u8g7Lpk0ScOWeXxmjIb3dAzGX+UzbmqVTzrADK6uLuqqHy87amSeH+0\n\
    2GJNAQt5ABFlm4a/Xk+dh2Mlb8IH6JrZd+Y2FlZUU1W6yoy/QPDIjGcb5aPYq0mR\n\
    izAGY1EoqVK8zEFCwbpQxL6nW/xTAgMBAAECgYEA0dAVBM1fbqXIPflQLWI6uOn1\n\
    Sgb1w8jKSFpLf2yo6poI3b5Qw+DqSgNOlyTdBXN8VWVlxpH7hfvn14GeO6D0LoZn\n\
    EiqGlpcxmhQK7/2h2iLB8HdNSKG5a/6AwOkgbUfrAMfI8IcjelxUiulgNTmeDAWP\n\
    UnekIpltI626BUtgV4ECQQD2lPBUlMyFFrdN2E4vM9cAjVz1C332PkVg7jhe2r7p\n\
    IH9YxQLUbB0i6fAq5tSPELaUnjFhcOz2udbu8/ctQZ15AkEA26BP2WF3F+9+lClx\n\
    Hp6h8bng0EyFjjIPqMQc2PxJkNcXJ/dQTZJJDNjLPxZrr3Tcqs90YjsenhPvgFL1\n\
    BA2RKwJBAO3DNW3JQN//xGZqcREwwlsE9CJQn3fGGa3aZj6IXFd8f27AIPdk/D9D\n\
    JdKoW0NMEVGCrAjSE5vgHDCyy582yrkCQQDWeNvhHXPOdPs4NqwXybO9udYXs9Js\n\
    hOiT10eQgfZZMiKTzcimp+ccW41HQ17PjaB8UXCHCNKibjdhKiHI3nLXAkADGwLu\n\
    2iClK+8qEsS8kiLkmq3hH5ORWyF+Xo5LYDQzFyOpJjiAyNr1pkKP0gYKiVo5sme2\n\
    b/OIexxvL+oJfHdR\n\
    -----END PRIVATE KEY-----";

#[test]
fn mail_is_signed_with_keys_that_receivers_take() {
    let pems = crate::clock::new_signing_keys().unwrap();
    let text = "[[mail.dkim.keys]]\nselector = 'a'\nkey-file = 'a.pem'\n\
        [[mail.dkim.keys]]\nselector = 'b'\nkey-file = 'b.pem'\n";
    let read_with = |text: &str, first: &str, second: &str| {
        let mut source = source(text);
        let files = [("a.pem", first), ("b.pem", second)];
        source.secret_files = files.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        assert_eq!(secret_files_named(&source), ["a.pem", "b.pem"]);
        read(&source)
    };
    let (settings, diagnostics) = read_with(text, &pems[0], &pems[1]);
    assert_eq!(diagnostics, []);
    let keys = &settings.mail.dkim.keys;
    assert!(keys[0].record().starts_with("v=DKIM1; k=rsa; p=MIIB"), "{}", keys[0].record());
    assert_eq!((keys[1].algorithm(), keys[1].record().len()), ("ed25519-sha256", "v=DKIM1; k=ed25519; p=".len() + 44));
    let shown = format!("{}{settings:?}", show(&settings));
    for pem in &pems {
        assert!(!shown.contains(pem.lines().nth(1).unwrap()), "{shown}");
    }
    assert_eq!(read_with(&show(&settings), &pems[0], &pems[1]).0.mail, settings.mail);
    let wrong = |text: &str, first: &str| places(&read_with(text, first, &pems[1]).1);
    assert_eq!(wrong(text, TOO_SHORT), ["settings/dkim 3:12"]);
    assert_eq!(wrong(text, "opensesame"), ["settings/dkim 3:12"]);
    assert_eq!(wrong(text, ""), ["settings/secret-file 3:12"]);
    assert_eq!(wrong(&text.replace("'b'", "'a'"), &pems[0]), ["settings/dkim 5:12"]);
    assert_eq!(wrong(&text.replace("'a'", "'a b'"), &pems[0]), ["settings/dkim 2:12"]);
}

#[test]
fn this_machine_has_many_names() {
    for host in
        ["localhost", "LOCALHOST.", "app.localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"]
    {
        assert!(is_loopback(host), "{host}");
    }
    for host in ["example.com", "localhost.example.com", "10.0.0.1", "0.0.0.0", "::2", ""] {
        assert!(!is_loopback(host), "{host}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_and_variable_is_read_without_a_panic(text in "\\PC{0,80}", name in "[A-Z_0-9]{0,30}", value in "\\PC{0,20}") {
        read(&with_variables(&text, &[(&format!("PRESSRUN_{name}"), &value)]));
        for (path, ..) in settings::SETTINGS {
            let (section, key) = path.rsplit_once('.').unwrap();
            let header = section.strip_suffix("[]").map_or(format!("[{section}]"), |section| format!("[[{section}]]"));
            read(&source(&format!("{header}\nid = 'a'\n{key} = {}\n", toml::Value::from(text.as_str()))));
        }
    }
}

#[test]
fn the_sample_and_a_new_publication_have_no_problems() {
    for text in [include_str!("../../publish.toml"), include_str!("../cli/init/publish.toml")] {
        check(text, &[]);
    }
}

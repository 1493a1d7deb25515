use mail_parser::{MessageParser, MimeHeaders};
use proptest::prelude::*;

use super::*;
use crate::model::DeliveryId;

const MARKER: &str = "READER-TOKEN-SLOT-0000000000000000000000000";
const VALUE: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWe-_";

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

pub(super) fn headers(name: &str, subject: &str) -> Headers {
    Headers::new(
        Sender { name: name.to_owned(), address: address("news@example.com") },
        address("reader@example.org"),
        subject.to_owned(),
        DateTime::from_timestamp(1_796_083_200, 0).unwrap(),
        message_id(&DeliveryId::new("0193a5b0c0de7000800000000000002a"), b"key", "example.com"),
    )
}

pub(super) fn list(title: &str) -> ListHeaders {
    ListHeaders::new("main", title, "https://example.com", VALUE, false)
}

fn message(html: &str, text: &str) -> Vec<u8> {
    Compiled::new(html, text, &[]).message(&headers("Example", "Hello"), &[], None)
}

/// A text that breaks lines as mail does.
fn on_the_wire(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

fn on_one_line(text: &str) -> String {
    let is_break =
        |character: char| character == ' ' || character.is_control() || "\u{2028}\u{2029}".contains(character);
    text.split(is_break).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[track_caller]
pub(super) fn check_lines(message: &[u8]) {
    assert!(message.is_ascii());
    assert!(message.ends_with(b"\r\n"));
    let text = std::str::from_utf8(message).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    for (part, limit) in [(head, 78), (body, 76)] {
        for line in part.split("\r\n") {
            assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
            assert!(line.len() <= limit, "{line:?}");
            assert!(!line.starts_with('.') && !line.starts_with("From "), "{line:?}");
        }
    }
    let encoded_words = head.split(['\r', ' ', '\n']).filter(|word| word.starts_with("=?UTF-8?"));
    for word in encoded_words {
        assert!(word.len() <= 75, "{word}");
    }
}

#[track_caller]
fn check_parts(html: &str, text: &str) {
    let message = message(html, text);
    check_lines(&message);
    let parsed = MessageParser::default().parse(&message).unwrap();
    assert_eq!(parsed.parts.len(), 3);
    assert_eq!(parsed.parts[1].text_contents().unwrap(), on_the_wire(text));
    assert_eq!(parsed.parts[2].text_contents().unwrap(), on_the_wire(html));
    assert_eq!(parsed.parts[1].content_type().unwrap().attribute("charset"), Some("utf-8"));
}

#[track_caller]
fn check_names(name: &str, subject: &str, title: &str) {
    let mut headers = headers(name, subject);
    headers.list = Some(list(title));
    let message = Compiled::new("<p>Hello</p>", "Hello", &[]).message(&headers, &[], None);
    check_lines(&message);
    let parsed = MessageParser::default().parse(&message).unwrap();
    let (head, _) = std::str::from_utf8(&message).unwrap().split_once("\r\n\r\n").unwrap();
    let fields: Vec<&str> =
        head.lines().filter(|line| !line.starts_with(' ')).map(|line| line.split_once(':').unwrap().0).collect();
    let expected = [
        "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "List-Id", "List-Unsubscribe",
        "List-Unsubscribe-Post", "List-Archive", "Feedback-ID", "MIME-Version", "Content-Type",
    ];
    assert_eq!(fields, expected);
    assert_eq!(parsed.subject().unwrap_or_default(), on_one_line(subject));
    let from: Vec<_> = parsed.from().unwrap().iter().collect();
    assert_eq!(from.len(), 1);
    assert_eq!(from[0].address(), Some("news@example.com"));
    assert_eq!(from[0].name().unwrap_or_default(), on_one_line(name));
}

#[test]
fn a_whole_mail() {
    let mut headers =
        headers("Example Wire", "Über die Lage – and what it means for readers in the northern half of the world");
    headers.reply_to = address("editors@example.com");
    headers.list = Some(list("The wire, daily"));
    headers.auto_submitted = true;
    let html = format!("<p>Grüße.</p>\n<p><a href=\"https://example.com/unsubscribe/{MARKER}\">Leave</a></p>\n");
    let text = format!("Привет, мир. Сегодня в выпуске:\n\nhttps://example.com/unsubscribe/{MARKER}\n");
    let message = Compiled::new(&html, &text, &[MARKER]).message(&headers, &[VALUE], None);
    check_lines(&message);
    insta::assert_snapshot!(String::from_utf8(message).unwrap().replace("\r\n", "\n"));
}

#[test]
fn line_starts_that_mean_something_on_the_way_are_escaped() {
    check_parts(".\n..\n.hidden\nFrom here\nFrom \n", "From a\r\n.\r\n.\r.\n\n");
    check_parts(&".".repeat(500), &"From ".repeat(100));
    check_parts("", "");
    check_parts("trailing space \nand tab\t\n ", "=20 = \t");
    check_parts(&"é".repeat(400), &"日本語".repeat(400));
}

#[test]
fn each_part_takes_the_shorter_encoding() {
    let message = String::from_utf8(message("<p>Plain</p>", "Здравствуйте, читатели")).unwrap();
    let encodings: Vec<&str> =
        message.lines().filter_map(|line| line.strip_prefix("Content-Transfer-Encoding: ")).collect();
    assert_eq!(encodings, ["base64", "quoted-printable"]);
}

#[test]
fn names_and_subjects_cannot_add_a_field() {
    check_names(
        "Example\r\nBcc: other@example.com",
        "Hi\r\nBcc: other@example.com\r\n\r\nbody",
        "a\nb\0c\u{85}d\u{2028}e",
    );
    check_names("a\" <evil@example.net>, \\\"", "=?UTF-8?Q?not_encoded?=", "<x@y>, z;:");
    check_names("Name, with (comment) @ and.dots", &"x".repeat(2000), &"\\\"".repeat(90));
    check_names("", "", "");
    check_names(&"Ж".repeat(120), &"🦀 ".repeat(50), &"日".repeat(100));
}

#[test]
fn hostile_tokens_stay_in_their_angle_brackets() {
    let mut headers = headers("Example", "Hello");
    headers.message_id = "<a@b>\r\nBcc: <x@example.net>".to_owned();
    headers.list = Some(ListHeaders { leave_token: "t>\r\nX: <".to_owned(), ..list("x") });
    let message = String::from_utf8(Compiled::new("", "", &[]).message(&headers, &[], None)).unwrap();
    assert!(message.contains("\r\nMessage-ID: <a@bBcc:x@example.net>\r\n"), "{message}");
    assert!(message.contains("\r\nList-Unsubscribe: <https://example.com/unsubscribe/tX:>\r\n"), "{message}");
}

#[test]
fn every_delivery_has_its_own_message_id_and_keeps_it() {
    let id = |delivery: &str| message_id(&DeliveryId::new(delivery), b"key", "example.com");
    assert_eq!(id("0a"), id("0a"));
    assert_ne!(id("0a"), id("0b"));
    assert_ne!(id("0a"), message_id(&DeliveryId::new("0a"), b"another key", "example.com"));
    let all: std::collections::BTreeSet<String> = (0..10_000).map(|number| id(&format!("{number:032x}"))).collect();
    assert_eq!(all.len(), 10_000);
    let (local, domain) =
        id("0a").trim_matches(['<', '>']).split_once('@').map(|(l, d)| (l.to_owned(), d.to_owned())).unwrap();
    assert_eq!((local.len(), domain.as_str()), ("0a.".len() + 16, "example.com"));
}

#[test]
fn a_value_that_does_not_fit_its_slot_is_encoded_with_the_text() {
    let compiled = Compiled::new(&format!("<p>{MARKER}</p>"), &format!("é {MARKER}"), &[MARKER]);
    for value in ["", "short", "ünd = .\n", &"long ".repeat(60)] {
        let message = compiled.message(&headers("Example", "Hello"), &[value], None);
        check_lines(&message);
        let parsed = MessageParser::default().parse(&message).unwrap();
        assert_eq!(parsed.parts[1].text_contents().unwrap(), on_the_wire(&format!("é {value}")));
    }
    let unfilled = compiled.message(&headers("Example", "Hello"), &[], None);
    assert!(String::from_utf8(unfilled).unwrap().contains(MARKER));
}

#[test]
fn a_first_name_is_a_word_that_needs_no_escaping() {
    for (name, first) in [("Zoë Ünal", "Zoë"), (" Jean-Luc  P.", "Jean-Luc"), ("O'Brien", "O'Brien"), ("张伟", "张伟")]
    {
        assert_eq!(first_name(name), Some(first));
    }
    for name in ["", " ", "<b>Zoë</b>", "example.com", "https://example.com", "'", "a\u{0}b", "a@b", "Zoë=\r\n.", "x&y"]
    {
        assert_eq!(first_name(name), None, "{name:?}");
    }
    assert_eq!(first_name(&"x".repeat(101)), None);
}

/// Text as editors write it and as nobody does.
pub(super) fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,300}", "(?s).{0,300}", "[ -~\r\n\t]{0,400}", "[.F rom=\r\n\t é]{0,300}", "[а-я ]{0,300}"]
}

proptest! {
    #[test]
    fn any_text_arrives_as_it_was(html in any_text(), text in any_text()) {
        check_parts(&html, &text);
    }

    #[test]
    fn any_name_and_subject_arrive_and_nothing_else_does(name in any_text(), subject in any_text(), title in any_text()) {
        check_names(&name, &subject, &title);
    }

    #[test]
    fn splicing_is_compiling_with_the_value_in_place(around in prop::collection::vec(any_text(), 4)) {
        let with = |token: &str| {
            let html = around.join(token);
            let text = format!("{}{token}{}", around[1], around[0]);
            Compiled::new(&html, &text, &[token])
        };
        let headers = headers("Example", "Hello");
        let spliced = with(MARKER).message(&headers, &[VALUE], None);
        check_lines(&spliced);
        prop_assert_eq!(&spliced, &with(MARKER).message(&headers, &[VALUE], None));
        // The boundary is made of the unspliced text; all else is the same.
        let whole = with(VALUE).message(&headers, &[VALUE], None);
        prop_assert_eq!(without_boundary(&spliced), without_boundary(&whole));
    }
}

proptest! {
    #[test]
    fn a_first_name_of_any_length_stands_in_its_place(
        around in prop::collection::vec(any_text(), 4),
        name in "\\p{L}{1,25}",
        fallback in "[^\u{e000}\u{e001}\r\n]{0,30}",
        is_named in any::<bool>(),
    ) {
        let [begin, end] = FIRST_NAME_MARKS;
        let around: Vec<String> = around.iter().map(|text| text.replace(FIRST_NAME_MARKS, "")).collect();
        let with = |name: &str, marker: &str| {
            (format!("{}{name}{}{name} {marker}{}", around[0], around[1], around[2]), format!("{name}{marker}{}{name}", around[3]))
        };
        let (html, text) = with(&format!("{begin}{fallback}{end}"), MARKER);
        let name = is_named.then_some(name.as_str());
        let compiled = Compiled::new(&html, &text, &[MARKER]);
        prop_assert!(compiled.is_personal());
        let message = compiled.message(&headers("Example", "Hello"), &[VALUE], name);
        check_lines(&message);
        let parsed = MessageParser::default().parse(&message).unwrap();
        let (html, text) = with(name.unwrap_or(&fallback), VALUE);
        prop_assert_eq!(parsed.parts[1].text_contents().unwrap(), on_the_wire(&text));
        prop_assert_eq!(parsed.parts[2].text_contents().unwrap(), on_the_wire(&html));
    }
}

fn without_boundary(message: &[u8]) -> String {
    let text = String::from_utf8(message.to_vec()).unwrap();
    let boundary = text.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    text.replace(&boundary, "")
}

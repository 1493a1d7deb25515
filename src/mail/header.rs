//! Writes header fields: folded, ASCII, one line of text in, one field out (RFC 5322, 2.2 and 3.2; RFC 2047).
//!
//! Whatever a name or a subject holds, no field can end early: control characters are spaces before anything is
//! written.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::model::EmailAddress;

/// How long a line should be at most (RFC 5322, 2.1.1).
const LINE: usize = 78;

/// How long a line with an encoded word may be (RFC 2047, 2).
const LINE_WITH_ENCODED_WORD: usize = 76;

/// How long an encoded word may be (RFC 2047, 2).
const ENCODED_WORD: usize = 75;

/// What stands around the encoded characters: `=?UTF-8?Q?` and `?=`.
const AROUND_ENCODED_WORD: usize = 12;

/// A longer word without a space is split into encoded words, for a line cannot be folded inside it.
const LONGEST_PLAIN_WORD: usize = 60;

/// Header fields, one after the other.
pub(super) struct Writer {
    text: String,
    column: usize,
}

impl Writer {
    /// With room for fields, and for `more` bytes that will follow them.
    pub(super) fn with_room_for(more: usize) -> Writer {
        Writer { text: String::with_capacity(1500 + more), column: 0 }
    }

    /// `Name: phrase <address>`, or the address alone.
    pub(super) fn mailbox(&mut self, name: &str, phrase: &str, address: &EmailAddress) {
        if clean(phrase).is_empty() {
            self.begin(name);
            self.fold_before(address.as_str(), LINE);
            self.end();
        } else {
            self.in_angles(name, phrase, address.as_str());
        }
    }

    /// `Name: phrase <token>`, or the token alone in its angle brackets.
    pub(super) fn in_angles(&mut self, name: &str, phrase: &str, token: &str) {
        let is_harmless = |character: &char| {
            !character.is_whitespace() && !character.is_control() && *character != '<' && *character != '>'
        };
        let token: String = token.chars().filter(is_harmless).collect();
        self.begin(name);
        self.phrase(&clean(phrase));
        self.fold_before(&format!("<{token}>"), LINE);
        self.end();
    }

    /// A subject: any text.
    pub(super) fn unstructured(&mut self, name: &str, text: &str) {
        let text = clean(text);
        self.begin(name);
        if is_plain(&text) {
            self.words(&text);
        } else {
            self.encoded_words(&text);
        }
        self.end();
    }

    /// A value of ours that is ASCII and folds at its spaces.
    pub(super) fn tokens(&mut self, name: &str, value: &str) {
        self.begin(name);
        self.words(value);
        self.end();
    }

    /// The fields, each with its line's end.
    pub(super) fn finish(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    fn begin(&mut self, name: &str) {
        self.text.push_str(name);
        self.text.push(':');
        self.column = name.len() + 1;
    }

    fn end(&mut self) {
        self.text.push_str("\r\n");
    }

    /// A display name: words where they may stand bare, else a quoted string, else encoded words (RFC 5322, 3.2.5).
    fn phrase(&mut self, text: &str) {
        let is_atom = |byte: u8| byte.is_ascii_alphanumeric() || b" !#$%&'*+-/=?^_`{|}~".contains(&byte);
        let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        if !is_plain(&quoted) {
            self.encoded_words(text);
        } else if text.bytes().all(is_atom) {
            self.words(text);
        } else {
            self.words(&quoted);
        }
    }

    fn words(&mut self, text: &str) {
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            self.fold_before(word, LINE);
        }
    }

    fn encoded_words(&mut self, text: &str) {
        let encoding = Encoding::shorter_for(text);
        let mut rest = text;
        while !rest.is_empty() {
            let room = LINE_WITH_ENCODED_WORD.saturating_sub(self.column + 1).min(ENCODED_WORD);
            let room = if room < ENCODED_WORD / 2 { ENCODED_WORD } else { room };
            let (head, tail) = encoding.split_at_fit(rest, room - AROUND_ENCODED_WORD);
            self.fold_before(&encoding.word(head), LINE_WITH_ENCODED_WORD);
            rest = tail;
        }
    }

    fn fold_before(&mut self, word: &str, line: usize) {
        if self.column + 1 + word.len() > line {
            self.text.push_str("\r\n");
            self.column = 0;
        }
        self.text.push(' ');
        self.text.push_str(word);
        self.column += 1 + word.len();
    }
}

/// The two ways of RFC 2047, 4.
#[derive(Clone, Copy)]
enum Encoding {
    B,
    Q,
}

impl Encoding {
    fn shorter_for(text: &str) -> Encoding {
        if text.chars().map(length_in_q).sum::<usize>() <= text.len().div_ceil(3) * 4 {
            Encoding::Q
        } else {
            Encoding::B
        }
    }

    /// The longest beginning of whole characters whose encoded form fits into `room`; never empty.
    fn split_at_fit(self, text: &str, room: usize) -> (&str, &str) {
        let mut length = 0;
        let too_much = text.char_indices().skip(1).find(|(at, character)| match self {
            Encoding::B => (at + character.len_utf8()).div_ceil(3) * 4 > room,
            Encoding::Q => {
                let before = text[..*at].chars().next_back().map_or(0, length_in_q);
                length += before;
                length + length_in_q(*character) > room
            }
        });
        text.split_at(too_much.map_or(text.len(), |(at, _)| at))
    }

    fn word(self, text: &str) -> String {
        match self {
            Encoding::B => format!("=?UTF-8?B?{}?=", BASE64.encode(text)),
            Encoding::Q => format!("=?UTF-8?Q?{}?=", text.bytes().map(in_q).collect::<String>()),
        }
    }
}

fn in_q(byte: u8) -> String {
    match byte {
        b' ' => "_".to_owned(),
        byte if is_bare_in_q(byte) => char::from(byte).to_string(),
        byte => format!("={byte:02X}"),
    }
}

fn length_in_q(character: char) -> usize {
    let is_one = character == ' ' || u8::try_from(character).is_ok_and(is_bare_in_q);
    if is_one { 1 } else { 3 * character.len_utf8() }
}

/// What may stand bare in an encoded word inside a phrase (RFC 2047, 5 (3)); a subject allows more, but not less.
fn is_bare_in_q(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!*+-/".contains(&byte)
}

/// One line: control characters and line separators are spaces, several spaces are one, none at either end.
fn clean(text: &str) -> String {
    let breaks = |character: char| character == ' ' || character.is_control() || "\u{2028}\u{2029}".contains(character);
    text.split(breaks).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whether the text can stand as it is: printable ASCII that folds, and that nobody takes for an encoded word.
fn is_plain(text: &str) -> bool {
    text.is_ascii() && !text.contains("=?") && text.split(' ').all(|word| word.len() <= LONGEST_PLAIN_WORD)
}
